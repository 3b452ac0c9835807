//! What the store says happened, read from its file after the daemon has stopped.

use std::path::Path;

use anyhow::Context as _;
use dunlin::daemon::STORE_FILE;
use dunlin::keys::KeySources;
use dunlin_storage::{Entry, ReadOnlyStore};
use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::{Cause, Event, Message, Request};
use dunlin_workflows::timestamp::Timestamp;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// One message: what was asked for, what happened, where it ended.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) number: MessageNumber,
    pub(crate) request: Request,
    pub(crate) message: Message,
    pub(crate) entries: Vec<Entry>,
}

impl Life {
    /// Every life in the store of `data`.
    pub(crate) fn all(data: &Path) -> anyhow::Result<Vec<Self>> {
        let sources = KeySources { given: None, credentials: None, data: data.to_owned() };
        let keys = sources.find()?.context("the daemon made no keys")?.ring;
        let reader = ReadOnlyStore::open(&data.join(STORE_FILE), CACHE_BYTES, Some(keys))?.reader()?;
        let read = |number| {
            let number = MessageNumber::new(number);
            let row =
                reader.message(number)?.with_context(|| format!("message {} is missing", number.get()))?;
            let request = reader.request(number)?.context("a message without its request")?;
            Ok(Self { number, request, message: row.message, entries: reader.life(number)? })
        };
        (1..=reader.message_count()?).map(read).collect()
    }

    /// When an attempt became durable.
    pub(crate) fn started_at(&self, attempt: Attempt) -> Option<Timestamp> {
        let started =
            self.entries.iter().find(|entry| entry.event == Event::AttemptStarted { attempt, counted: None });
        started.map(|entry| entry.at)
    }

    /// Whether an attempt is on record as looked up, not found, and given up so that it may be sent again.
    pub(crate) fn given_up_after_lookup(&self, attempt: Attempt) -> bool {
        let mut looked_up = false;
        self.entries.iter().any(|entry| match &entry.event {
            Event::LookupFoundNothing { attempt: of, .. } if *of == attempt => {
                looked_up = true;
                false
            }
            Event::AttemptFailed { attempt: of, failure, .. } => {
                *of == attempt && looked_up && failure.cause == Cause::OutcomeUnknown
            }
            _ => false,
        })
    }

    /// Every name that the provider gave to an attempt of it.
    pub(crate) fn sids(&self) -> impl Iterator<Item = ProviderSid> {
        self.entries.iter().filter_map(|entry| match entry.event {
            Event::Submitted { sid, .. } => Some(sid),
            _ => None,
        })
    }

    /// The names of its events, for a person who wonders.
    pub(crate) fn in_words(&self) -> String {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.event.name()).collect();
        format!("message {} ({:?}): {}", self.number.get(), self.message.state, names.join(", "))
    }
}
