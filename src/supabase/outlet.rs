//! Outward: what the journal says since it was last told of goes to the database, in its order.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dunlin_storage::{JournalSeq, ReadError, Reader, Store};
use dunlin_sync::outward::{consent_row, message_row, stretch, usage_row, verification_row};
use dunlin_sync::transport::{AnyDatabase, push};
use dunlin_sync::wire::{Batch, Pushed};
use dunlin_workflows::id::{MessageId, MessageNumber, UserNumber};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::Notify;

use crate::supabase::direction::Direction;
use crate::supabase::error::SyncError;
use crate::supabase::link::Link;
use crate::supabase::standing::Told;
use crate::timeline::reason;

/// Most records of the journal in one batch; a text has five to ten.
const RECORDS_MAX: usize = 8192;
/// Most texts that are told of again in one batch.
const AGAIN_MAX: usize = 1000;
/// How often the journal is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(200);

/// Texts to see to although nothing happened to them since. To be told of again: the database did not know yet that they are
/// ours when it was told, or says that it knows an older version.
#[derive(Debug, Default)]
pub(super) struct Again(Mutex<BTreeSet<MessageId>>);

impl Again {
    pub(super) fn add(&self, ids: impl IntoIterator<Item = MessageId>) {
        self.lock().extend(ids);
    }

    pub(super) fn some(&self) -> Vec<MessageId> {
        self.lock().iter().copied().take(AGAIN_MAX).collect()
    }

    pub(super) fn done(&self, seen_to: &[MessageId]) {
        let mut waiting = self.lock();
        for id in seen_to {
            waiting.remove(id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<MessageId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop outward, with a connection of its own: a backlog there keeps nothing back here.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) link: Arc<Link>,
    database: AnyDatabase,
}

impl Outlet {
    pub(super) fn new(link: Arc<Link>, database: AnyDatabase) -> Self {
        Self { link, database }
    }

    fn note(&self, pushed: &Pushed) {
        let rejected = u64::try_from(pushed.rejected.len()).unwrap_or(u64::MAX);
        for row in &pushed.rejected {
            tracing::warn!(kind = row.kind, id = ?row.id, reason = row.reason, "the database refused a row");
        }
        self.link.standing.tell(|told| {
            told.pushed = told.pushed.saturating_add(pushed.applied).saturating_add(pushed.others_applied);
            told.rejected = told.rejected.saturating_add(rejected);
            if let Some(last) = pushed.rejected.last() {
                told.rejected_reason = Some(last.reason.clone());
            }
        });
    }
}

impl Direction for Outlet {
    const NAME: &'static str = "outward";

    async fn idle(&self) {
        let asked = self.link.push_now.notified();
        tokio::pin!(asked);
        loop {
            tokio::select! {
                () = &mut asked => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let told = self.link.standing.told().pushed_to;
            let Ok(on_duty) = self.link.on_duty() else { continue };
            if on_duty.engine.progress().read().last_seq > told.get() || !self.link.again.some().is_empty() {
                return;
            }
        }
    }

    /// Tells one batch.
    async fn round(&mut self) -> Result<bool, SyncError> {
        let on_duty = self.link.on_duty()?;
        let daemon = self.link.daemon(&on_duty).await?;
        let again = self.link.again.some();
        let (store, rules, now) =
            (Arc::clone(&on_duty.store), self.link.settings.rules.clone(), self.link.now());
        let asked = again.clone();
        let news = tokio::task::spawn_blocking(move || News::read(&store, &asked, &rules, now)).await??;
        if !news.batch.is_empty() {
            let pushed = self.link.answered(push(&self.database, daemon, &news.batch).await)?;
            self.note(&pushed);
        }
        if news.until > news.from {
            on_duty.engine.note_pushed(news.until).await?;
        }
        // Not before that is noted: by it is known which new times are told, and nobody looks at these twice.
        let rows = news.batch.messages.iter().filter(|row| row.rescheduled_for.is_some());
        let moved: Vec<MessageId> = rows.map(|row| row.id).collect();
        if !moved.is_empty() {
            self.link.moved.add(moved);
            self.link.pull_now.notify_one();
        }
        self.link.again.done(&again);
        self.link.standing.tell(|told| told.pushed_to = news.until);
        Ok(news.is_full || !self.link.again.some().is_empty())
    }

    fn error(told: &mut Told) -> &mut Option<String> {
        &mut told.push_error
    }

    fn now(link: &Link) -> &Notify {
        &link.push_now
    }
}

/// What there is to tell.
#[derive(Debug)]
struct News {
    batch: Batch,
    from: JournalSeq,
    until: JournalSeq,
    /// There may be more after it.
    is_full: bool,
}

impl News {
    fn read(store: &Store, again: &[MessageId], rules: &Rules, now: Timestamp) -> Result<Self, ReadError> {
        let reader = store.reader()?;
        let from = reader.pushed()?.unwrap_or(JournalSeq::START);
        let stretch = stretch(&reader, from, RECORDS_MAX)?;
        let mut messages: BTreeSet<MessageNumber> = stretch.messages;
        for id in again {
            messages.extend(reader.number_of_id(*id)?);
        }
        let mut batch = Batch::default();
        for number in messages {
            batch.messages.extend(message_row(&reader, number, &reason)?);
        }
        for (person, version) in stretch.persons {
            batch.consents.extend(consent_row(&reader, person, version)?);
        }
        for (user, version) in stretch.users {
            batch.verifications.extend(verification_row(&reader, user, version)?);
        }
        for user in counted(&reader, &stretch.attempted)? {
            batch.usage.extend(usage_row(&reader, user, stretch.until, &rules.limits, now)?);
        }
        let read = stretch.until.get().saturating_sub(from.get());
        let is_full = usize::try_from(read).is_ok_and(|read| read >= RECORDS_MAX);
        Ok(Self { batch, from, until: stretch.until, is_full })
    }
}

/// Whose texts these are.
fn counted(reader: &Reader, messages: &BTreeSet<MessageNumber>) -> Result<BTreeSet<UserNumber>, ReadError> {
    let mut users = BTreeSet::new();
    for number in messages {
        users.extend(reader.message(*number)?.and_then(|row| row.message.user));
    }
    Ok(users)
}
