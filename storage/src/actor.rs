//! Actors: whoever asked, by name. Records carry a number; the name stands once.

use std::fmt;

use dunlin_workflows::actor::ActorName;
use dunlin_workflows::source::Source;
use redb::ReadableTable;

use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::reader::Reader;
use crate::table;

/// Most names that are kept. Names beyond are recorded as [`ActorNumber::OTHERS`].
pub const ACTORS_MAX: u32 = 10_000;

/// An actor's number inside one store, sequential from 1; 0 is nobody with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ActorNumber(u32);

impl ActorNumber {
    /// Nobody with a name: the source says all.
    pub const NOBODY: Self = Self(0);

    /// Somebody whose name came after [`ACTORS_MAX`] others.
    pub const OTHERS: Self = Self(u32::MAX);

    /// The actor with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ActorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which way a change came, and on whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// Which way.
    pub source: Source,
    /// On whose behalf.
    pub actor: ActorNumber,
}

impl From<Source> for By {
    fn from(source: Source) -> Self {
        Self { source, actor: ActorNumber::NOBODY }
    }
}

impl Batch<'_> {
    /// The number of the actor with this name, who is new when there was none.
    pub fn actor(&mut self, name: &ActorName) -> Result<ActorNumber, BatchError> {
        if let Some(number) = self.actors.get(name) {
            return Ok(*number);
        }
        let read = self.interned(name);
        let number = self.noted(read)?;
        self.actors.insert(name.clone(), number);
        Ok(number)
    }

    fn interned(&mut self, name: &ActorName) -> Result<ActorNumber, BatchError> {
        let names = self.tables.actor_names.open()?;
        if let Some(number) = names.get(name.as_str()).map_err(Fault::from)? {
            return Ok(ActorNumber(number.value()));
        }
        let actors = self.tables.actors.open()?;
        let last = actors.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
        if last >= ACTORS_MAX {
            return Ok(ActorNumber::OTHERS);
        }
        let number = last.saturating_add(1);
        actors.insert(number, name.as_str()).map_err(Fault::from)?;
        self.tables.actor_names.open()?.insert(name.as_str(), number).map_err(Fault::from)?;
        Ok(ActorNumber(number))
    }
}

impl Reader {
    /// The name of an actor; `None` for nobody, and for [`ActorNumber::OTHERS`].
    pub fn actor_name(&self, number: ActorNumber) -> Result<Option<ActorName>, ReadError> {
        let name = self.open(table::ACTORS)?.get(number.get()).map_err(Fault::from)?;
        Ok(name.and_then(|name| name.value().parse().ok()))
    }

    /// The number of the actor with this name.
    pub fn actor_of(&self, name: &ActorName) -> Result<Option<ActorNumber>, ReadError> {
        let number = self.open(table::ACTOR_NAMES)?.get(name.as_str()).map_err(Fault::from)?;
        Ok(number.map(|number| ActorNumber(number.value())))
    }
}
