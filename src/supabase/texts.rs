//! Claimed texts: durable here, then acknowledged there, then confirmed or let go.

use std::collections::BTreeMap;

use dunlin_storage::{Entry, InstanceKind, JournalSeq, OpenClaim, Reader, Templates};
use dunlin_sync::inward::{Reading, request};
use dunlin_sync::transport::acknowledge;
use dunlin_sync::wire::{Claim, Instant, Parking, Request, UnreadableRequest};
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::{
    Command, Event, OnUnknown, ProviderStatus, Report, State, Suspicion, TemplateVersion, Via,
};
use dunlin_workflows::source::Source;
use uuid::Uuid;

use crate::engine::ask::{AskError, Target};
use crate::engine::duty::OnDuty;
use crate::engine::sync::Claimed;
use crate::supabase::error::SyncError;
use crate::supabase::intake::Intake;

/// Texts that are acknowledged or compared at once.
const PAGE: usize = 1000;

impl Intake {
    /// Takes texts over; what can't be goes to `unfit`.
    pub(super) async fn take(
        &mut self,
        on_duty: &OnDuty,
        daemon: Uuid,
        rows: &[Result<Request, UnreadableRequest>],
        unfit: &mut Vec<Parking>,
    ) -> Result<(), SyncError> {
        let reader = on_duty.store.reader()?;
        let rules = &self.link.settings.rules;
        let reading =
            Reading { region: self.link.settings.region, kinds: &rules.kinds, now: self.link.now() };
        let mut claims = Vec::new();
        let mut taken: Vec<&Request> = Vec::new();
        for row in rows {
            match row {
                Ok(row) => match request(row, template(&reader, row)?, reading) {
                    Ok(mut request) => {
                        if row.cancel_requested_at.is_some() {
                            // Should somebody else have sent it, it is followed; should nobody know, a person decides.
                            request.on_unknown = OnUnknown::Hold;
                        }
                        claims.push(Claimed { request, claim: claim(row) });
                        taken.push(row);
                    }
                    Err(why) => unfit.push(Parking::claimed(row.claim(), why.reason, why.detail)),
                },
                Err(why) => {
                    if let Some(claim) = why.claim() {
                        unfit.push(Parking::claimed(claim, "not_understood", why.to_string()));
                    } else {
                        tracing::warn!(%why, "a request can't even be parked; its claim lapses");
                    }
                }
            }
        }
        drop(reader);
        if taken.is_empty() {
            return Ok(());
        }
        let answers = on_duty.engine.claim(claims).await?;
        let mut durable: BTreeMap<MessageId, (&Request, State)> = BTreeMap::new();
        for (row, answer) in taken.into_iter().zip(answers) {
            match answer {
                Ok(standing) => drop(durable.insert(row.id, (row, standing.state))),
                Err(error @ (AskError::Busy { .. } | AskError::NoRoom { .. } | AskError::Stopping)) => {
                    return Err(error.into());
                }
                Err(error) => unfit.push(Parking::claimed(row.claim(), "refused", error.to_string())),
            }
        }
        // Should anything fail from here on, what was acknowledged is found again before the next round is over.
        let was_catching_up = std::mem::replace(&mut self.catching_up, true);
        let claims: Vec<Claim> = durable.values().map(|(row, _)| row.claim()).collect();
        let answer = self.link.answered(acknowledge(&self.database, daemon, &claims).await)?;
        let mut confirmed = Vec::new();
        for id in &answer.accepted {
            let Some((row, state)) = durable.get(id) else { continue };
            if row.cancel_requested_at.is_some() && !row.may_have_been_sent && !state.name().is_settled() {
                self.withdraw(on_duty, *id).await?;
            } else if state.name().is_settled() {
                // It ended before it was known to be ours: nothing that happens to it would tell of it.
                self.link.again.add([*id]);
            } else {
                confirmed.push(*id);
            }
        }
        on_duty.engine.confirm(confirmed).await?;
        on_duty.engine.relinquish(answer.lost.clone()).await?;
        self.catching_up = was_catching_up;
        self.link.standing.tell(|told| {
            told.taken = told.taken.saturating_add(count(answer.accepted.len()));
            told.lost = told.lost.saturating_add(count(answer.lost.len()));
        });
        Ok(())
    }

    /// Somebody withdrew a text.
    pub(super) async fn withdraw(&self, on_duty: &OnDuty, id: MessageId) -> Result<(), SyncError> {
        let canceled = on_duty.engine.command(Target::Id(id), Command::Cancel, Source::Sync).await;
        match canceled {
            // Too late, or nothing of ours: the row says what became of it.
            Ok(_) | Err(AskError::Rejected(_) | AskError::NotFound) => {
                self.link.again.add([id]);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What this daemon held when it stopped, or when its lease lapsed, is confirmed, or is another's.
    pub(super) async fn confirm_waiting(&self, on_duty: &OnDuty, daemon: Uuid) -> Result<(), SyncError> {
        let mut after = MessageNumber::new(0);
        loop {
            let open = on_duty.store.reader()?.open_claims(after, PAGE)?;
            let Some(last) = open.last() else { break };
            after = last.number;
            let token = |open: &OpenClaim| Some(Uuid::from_bytes(open.claim.token));
            let claims = open.iter().map(|open| Claim { id: open.id, claim: token(open) });
            self.ask_whose(on_duty, daemon, claims.collect()).await?;
        }
        // What was held because the lease lapsed has no claim to show any more.
        let mut after = Some(MessageNumber::new(0));
        while let Some(from) = after {
            let waiting = on_duty.store.reader()?.unconfirmed(from, PAGE)?;
            after = waiting.next;
            let ids = waiting.messages.iter().map(|(_, id)| *id);
            self.confirm_told(on_duty, daemon, ids.collect()).await?;
        }
        Ok(())
    }

    /// What was moved here is confirmed once its new time is known there.
    pub(super) async fn confirm_moved(&self, on_duty: &OnDuty, daemon: Uuid) -> Result<(), SyncError> {
        loop {
            let moved = self.link.moved.some();
            if moved.is_empty() {
                return Ok(());
            }
            self.confirm_told(on_duty, daemon, moved.clone()).await?;
            self.link.moved.done(&moved);
        }
    }

    /// Of these, asks whose those are that wait for it. Whose new time is not told yet comes once it is.
    async fn confirm_told(
        &self,
        on_duty: &OnDuty,
        daemon: Uuid,
        ids: Vec<MessageId>,
    ) -> Result<(), SyncError> {
        let reader = on_duty.store.reader()?;
        let told_to = reader.pushed()?.unwrap_or(JournalSeq::START);
        let mut claims = Vec::new();
        for id in ids {
            let Some(number) = reader.number_of_id(id)? else { continue };
            let Some(known) = reader.message(number)? else { continue };
            if known.message.is_unconfirmed() && !is_moved_after(&reader, number, told_to)? {
                claims.push(Claim { id, claim: None });
            }
        }
        drop(reader);
        self.ask_whose(on_duty, daemon, claims).await
    }

    async fn ask_whose(&self, on_duty: &OnDuty, daemon: Uuid, claims: Vec<Claim>) -> Result<(), SyncError> {
        if claims.is_empty() {
            return Ok(());
        }
        let answer = self.link.answered(acknowledge(&self.database, daemon, &claims).await)?;
        on_duty.engine.confirm(answer.accepted).await?;
        on_duty.engine.relinquish(answer.lost).await?;
        Ok(())
    }
}

/// The version in use of the template that a row names.
fn template(reader: &Reader, row: &Request) -> Result<Option<TemplateVersion>, SyncError> {
    let Some(key) = &row.template_key else { return Ok(None) };
    let Some(number) = reader.instance_named(InstanceKind::Template, key)? else { return Ok(None) };
    let known = reader.instance::<Templates>(number)?.flatten();
    Ok(known
        .as_ref()
        .and_then(|known| known.usable())
        .map(|used| TemplateVersion { number, version: used.version }))
}

/// What the database said with a claim.
fn claim(row: &Request) -> dunlin_storage::Claim {
    let suspicion = row.may_have_been_sent.then(|| suspicion(row));
    dunlin_storage::Claim { token: *row.claim.as_bytes(), suspicion }
}

/// What somebody else may have done with a text since it was asked for.
fn suspicion(row: &Request) -> Suspicion {
    let since = match row.created_at {
        Some(Instant::At(at)) => at,
        Some(Instant::Never | Instant::LongAgo) | None => Instant::LongAgo.timestamp(),
    };
    let known = row.twilio_sid.as_ref().zip(row.twilio_status.as_ref()).and_then(|(sid, status)| {
        Some(Report {
            sid: sid.parse().ok()?,
            status: status.parse::<ProviderStatus>().ok()?,
            code: None,
            via: Via::Lookup,
        })
    });
    Suspicion { since, known }
}

/// Whether it was moved here after the database was told of the journal up to there.
fn is_moved_after(reader: &Reader, number: MessageNumber, told_to: JournalSeq) -> Result<bool, SyncError> {
    let moves = |entry: &Entry| {
        matches!(entry.event, Event::Rescheduled { .. })
            && entry.source != Source::Sync
            && entry.seq > told_to
    };
    Ok(reader.life(number)?.iter().any(moves))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
