//! What was said to each person lately, as keyed digests: enough to know the same text again, and nothing to read.

use dunlin_workflows::body::Body;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;

use crate::batch::Batch;
use crate::error::{BatchError, ReadError};
use crate::person::{self, Person};
use crate::reader::Reader;
use crate::record::RecordError;
use crate::table;

/// Most texts of a person that are remembered; the oldest goes first.
const TEXTS_MAX: usize = 64;

/// What was said to a person: digests, and when each text went, in the order of their records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said(Vec<(Digest, Timestamp)>);

/// A text that only this person's key tells apart from others.
pub(crate) type Digest = [u8; 16];

/// A text in a row of `usage`: its digest, and when it went.
pub(crate) type TextV1 = ([u8; 16], i64);

/// The digest of a text to a person.
pub(crate) fn digest(person: &Person, body: &Body) -> Digest {
    let key = blake3::derive_key("dunlin same text", person.key().bytes());
    let hash = blake3::keyed_hash(&key, body.as_str().as_bytes());
    let mut digest = Digest::default();
    digest.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    digest
}

impl Said {
    /// What these texts make; persisted bytes are not trusted.
    pub(crate) fn of(texts: Vec<TextV1>) -> Result<Self, RecordError> {
        if texts.len() > TEXTS_MAX {
            return Err(RecordError::Value { what: "texts" });
        }
        let at = |(digest, ms)| (digest, Timestamp::from_millis(ms));
        Ok(Self(texts.into_iter().map(at).collect()))
    }

    /// The texts as they are persisted.
    pub(crate) fn texts(&self) -> Vec<TextV1> {
        self.0.iter().map(|(digest, at)| (*digest, at.as_millis())).collect()
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the text with this digest went last.
    fn last(&self, digest: &Digest) -> Option<Timestamp> {
        self.0.iter().filter(|(said, _)| said == digest).map(|(_, at)| *at).max()
    }

    /// One more text went at `at`; what went before `since` concerns nobody any more.
    fn say(&mut self, digest: Digest, at: Timestamp, since: Timestamp) {
        self.0.retain(|(said, then)| *then > since && *said != digest);
        self.0.push((digest, at));
        if self.0.len() > TEXTS_MAX {
            self.0.remove(0);
        }
    }
}

impl Batch<'_> {
    /// When this text went last to a person, as far as it is remembered.
    pub fn said_last(&mut self, person: PersonNumber, body: &Body) -> Result<Option<Timestamp>, BatchError> {
        // Most were told nothing lately, and their key need not be asked.
        if self.lately(person)?.said.is_empty() {
            return Ok(None);
        }
        let Some(digest) = self.open_person(person)?.map(|known| digest(known, body)) else {
            return Ok(None);
        };
        Ok(self.lately(person)?.said.last(&digest))
    }

    /// This text goes to a person now; what went before `since` is forgotten.
    pub fn say(
        &mut self,
        person: PersonNumber,
        body: &Body,
        at: Timestamp,
        since: Timestamp,
    ) -> Result<(), BatchError> {
        let Some(digest) = self.open_person(person)?.map(|known| digest(known, body)) else { return Ok(()) };
        let lately = self.lately(person)?;
        lately.said.say(digest, at, since);
        lately.is_changed = true;
        Ok(())
    }
}

impl Reader {
    /// When this text went last to a person, as far as it is remembered. Needs the keys.
    pub fn said_last(&self, person: PersonNumber, body: &Body) -> Result<Option<Timestamp>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        let said = self.lately(person)?.said;
        if said.is_empty() {
            return Ok(None);
        }
        let known = person::find(&self.open(table::PERSONS)?, person, keyring)?;
        Ok(known.and_then(|known| said.last(&digest(&known, body))))
    }
}
