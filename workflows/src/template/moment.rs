//! An instant between braces: shown on the clock where the recipient is.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use minijinja::value::Object;
use minijinja::{Error, ErrorKind, Value};

use crate::timestamp::Timestamp;
use crate::zone::Zone;

/// How an instant is shown to whoever reads English, or whatever the text for everybody else is written in.
const ENGLISH: &str = "%-d %b %H:%M";

/// How it is shown to everybody else: names of months have their languages.
const NEUTRAL: &str = "%Y-%m-%d %H:%M";

/// What the wall shows at an instant.
#[derive(Debug)]
pub(super) struct Moment {
    wall: NaiveDateTime,
    format: &'static str,
}

impl Moment {
    /// What the wall shows in a zone; `None` beyond the years of the calendar.
    pub(super) fn new(at: Timestamp, zone: Zone, is_english: bool) -> Option<Self> {
        let wall = DateTime::from_timestamp_millis(zone.wall(at).as_millis())?.naive_utc();
        Some(Self { wall, format: if is_english { ENGLISH } else { NEUTRAL } })
    }
}

/// An instant on the clock of a zone, as a text for everybody shows it; `None` beyond the years of the calendar.
pub fn on_the_clock(at: Timestamp, zone: Zone) -> Option<String> {
    Moment::new(at, zone, true).map(|moment| moment.wall.format(moment.format).to_string())
}

impl Object for Moment {
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.wall.format(self.format))
    }
}

/// The filter `clock`: an instant in a format of one's own, written as for `strftime`.
pub(super) fn clock(value: &Value, format: &str) -> Result<String, Error> {
    let refused = |why: &str| Error::new(ErrorKind::InvalidOperation, why.to_owned());
    let moment = value
        .downcast_object_ref::<Moment>()
        .ok_or_else(|| refused("the filter clock needs a variable of the kind instant"))?;
    let mut shown = String::new();
    // What chrono does not know makes its display fail.
    write!(shown, "{}", moment.wall.format(format)).map_err(|_unknown| {
        refused("the filter clock needs a format such as \"%H:%M\"; zones are left out: it is always the recipient's")
    })?;
    Ok(shown)
}
