//! Rows that people changed, as commands to the engine.

use dunlin_storage::{InstanceKind, Templates};
use dunlin_sync::inward::{Unfit, Wording, opt_out, preferences, template};
use dunlin_sync::wire::{AskedRow, Change, ChangedRow, Instant, Parking, PreferencesRow, UnreadableChange};
use dunlin_workflows::consent::{self, Standing};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{Command, State, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::template::TemplateKey;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::Rejection;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::engine::ask::{AskError, Target, TemplateAsk, TemplateWish, UserAsk, Whom};
use crate::engine::duty::OnDuty;
use crate::supabase::error::SyncError;
use crate::supabase::intake::Intake;

/// Tables whose rows are parked by their own name.
const PREFERENCES: &str = "user_sms_preferences";
const TEMPLATES: &str = "sms_templates";
/// Rows that are heard of together.
const AT_ONCE: usize = 64;

impl Intake {
    /// Hears what changed; what can't be understood goes to `unfit`. `all_anew`: everything is told, changed or not.
    pub(super) async fn hear(
        &self,
        on_duty: &OnDuty,
        changes: &[Result<Change, UnreadableChange>],
        all_anew: bool,
        unfit: &mut Vec<Parking>,
    ) -> Result<(), SyncError> {
        for some in changes.chunks(AT_ONCE) {
            // They share a transaction or two; asked in their order, for a number may go from one to the next.
            for heard in join_all(some.iter().map(|change| self.hear_one(on_duty, change, all_anew))).await {
                unfit.extend(heard?);
            }
        }
        let heard = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.link.standing.tell(|told| told.changes = told.changes.saturating_add(heard));
        Ok(())
    }

    /// Hears of one row; answers why it is parked, if it can't be understood.
    async fn hear_one(
        &self,
        on_duty: &OnDuty,
        change: &Result<Change, UnreadableChange>,
        all_anew: bool,
    ) -> Result<Option<Parking>, SyncError> {
        let parked = |source, row: &Uuid, why: Unfit| Parking::row(source, *row, why.reason, why.detail);
        match change {
            Ok(Change::Preferences(user, ChangedRow::Now(row))) => {
                let heard = self.prefer(on_duty, *user, row, all_anew).await?;
                Ok(heard.err().map(|why| parked(PREFERENCES, user, why)))
            }
            Ok(Change::Template(id, ChangedRow::Now(row))) => {
                let heard = match template(row) {
                    Ok(wording) => self.word(on_duty, wording).await?,
                    Err(why) => Err(why),
                };
                Ok(heard.err().map(|why| parked(TEMPLATES, id, why)))
            }
            Ok(Change::Message(id, row)) => {
                self.asked_of_text(on_duty, MessageId::from_bytes(*id.as_bytes()), row).await?;
                Ok(None)
            }
            // What people said stays said; a template of no row goes on as it is; what is parked is counted there.
            Ok(
                Change::Preferences(_, ChangedRow::Deleted)
                | Change::Template(_, ChangedRow::Deleted)
                | Change::Parked(..),
            ) => Ok(None),
            Err(why) => match (why.kind.as_str(), why.key) {
                ("preferences", Some(key)) => {
                    self.misread(on_duty, key).await?;
                    Ok(Some(Parking::row(PREFERENCES, key, "not_understood", why.to_string())))
                }
                ("template", Some(key)) => {
                    Ok(Some(Parking::row(TEMPLATES, key, "not_understood", why.to_string())))
                }
                _ => {
                    tracing::warn!(%why, key = ?why.key, "a change can't be read and is passed over");
                    Ok(None)
                }
            },
        }
    }

    async fn prefer(
        &self,
        on_duty: &OnDuty,
        user: Uuid,
        row: &PreferencesRow,
        all_anew: bool,
    ) -> Result<Result<(), Unfit>, SyncError> {
        // An opt-out first, and whatever else the row says: nothing of it may let a text go before that counts.
        let region = self.link.settings.region;
        if let Some((number, said_at)) = opt_out(row, region, self.link.now())
            && !agreed_since(on_duty, number, said_at)?
        {
            let (whom, command) = (Whom::Number(number), consent::Command::OptOut { said_at });
            let told = on_duty.engine.consent(whom, command, Source::Sync).await;
            told.map(drop).or_else(said_already)?;
        }
        let preferred = match preferences(row, region) {
            Ok(preferred) => preferred,
            Err(why) => {
                self.misread(on_duty, user).await?;
                return Ok(Err(why));
            }
        };
        let Ok(id) = user.to_string().parse::<UserId>() else { return Ok(Ok(())) };
        // A row without a number that nobody touched says nothing about one that was proven here.
        let number = match preferred.number {
            None if all_anew => None,
            number => Some(number),
        };
        let ask = UserAsk::Change {
            changes: Box::new(preferred.changes),
            number,
            is_proven: preferred.is_verified,
            seen: None,
        };
        match on_duty.engine.user(id, ask, Source::Sync).await {
            Ok(_) => Ok(Ok(())),
            Err(AskError::User(error)) => {
                // Whose number it is was refused after what they prefer was taken.
                if error != Rejection::Taken {
                    self.misread(on_duty, user).await?;
                }
                Ok(Err(Unfit { reason: "refused", detail: error.to_string() }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Nobody understands what they prefer now, so their texts are held before the row is parked.
    async fn misread(&self, on_duty: &OnDuty, user: Uuid) -> Result<(), SyncError> {
        let Ok(id) = user.to_string().parse::<UserId>() else { return Ok(()) };
        match on_duty.engine.user(id, UserAsk::Misread, Source::Sync).await {
            // Whoever was erased is texted no more.
            Ok(_) | Err(AskError::User(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn word(&self, on_duty: &OnDuty, wording: Wording) -> Result<Result<(), Unfit>, SyncError> {
        let Wording { key, content, is_active } = wording;
        let reader = on_duty.store.reader()?;
        let known = match reader.instance_named(InstanceKind::Template, key.as_str())? {
            Some(number) => reader.instance::<Templates>(number)?.flatten(),
            None => None,
        };
        drop(reader);
        let in_use = known.as_ref().and_then(|known| known.published.as_ref()).map(|used| &used.content);
        let is_on = known.as_ref().is_none_or(|known| known.is_active);
        let mut wishes = Vec::new();
        if in_use != Some(content.get()) {
            let content = Box::new(content);
            wishes.extend([TemplateWish::Draft(content.clone()), TemplateWish::Publish(content)]);
        }
        if is_on != is_active {
            wishes.push(if is_active { TemplateWish::Activate } else { TemplateWish::Deactivate });
        }
        for what in wishes {
            if let Err(error) = self.ask_template(on_duty, key.clone(), what).await {
                let AskError::Template(error) = error else { return Err(error.into()) };
                return Ok(Err(Unfit { reason: "refused", detail: error.to_string() }));
            }
        }
        Ok(Ok(()))
    }

    async fn ask_template(
        &self,
        on_duty: &OnDuty,
        key: TemplateKey,
        what: TemplateWish,
    ) -> Result<(), AskError> {
        on_duty.engine.template(TemplateAsk { key, what, seen: None }, Source::Sync).await.map(drop)
    }

    /// What people ask of a text that we have.
    async fn asked_of_text(
        &self,
        on_duty: &OnDuty,
        id: MessageId,
        row: &ChangedRow<AskedRow>,
    ) -> Result<(), SyncError> {
        let ChangedRow::Now(row) = row else { return self.withdraw(on_duty, id).await };
        if !row.yours {
            on_duty.engine.relinquish(vec![id]).await?;
            return Ok(());
        }
        if row.cancel_requested_at.is_some() {
            return self.withdraw(on_duty, id).await;
        }
        let scheduled_for = match row.scheduled_for {
            Some(Instant::At(at)) => Some(at),
            Some(Instant::Never | Instant::LongAgo) | None => None,
        };
        let reader = on_duty.store.reader()?;
        let Some(number) = reader.number_of_id(id)? else { return Ok(()) };
        let Some(known) = reader.message(number)?.map(|row| row.message) else { return Ok(()) };
        drop(reader);
        let waits = matches!(known.state, State::Held { .. } | State::Due { .. });
        if waits && known.scheduled_for != scheduled_for {
            let command = Command::Reschedule { scheduled_for };
            match on_duty.engine.command(Target::Number(number), command, Source::Sync).await {
                // Too late; the row says what became of it.
                Ok(_) | Err(AskError::Rejected(_)) => self.link.again.add([id]),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether they agreed again after that: then the row is older than what is known here.
fn agreed_since(on_duty: &OnDuty, number: PhoneNumber, said_at: Timestamp) -> Result<bool, SyncError> {
    let standing = on_duty.store.reader()?.consent_of(number)?.standing;
    Ok(matches!(standing, Standing::OptedIn { since, .. } if since >= said_at))
}

/// Nothing new about somebody who opted out before, or was erased.
fn said_already(error: AskError) -> Result<(), AskError> {
    if matches!(error, AskError::Consent(_) | AskError::Erased) { Ok(()) } else { Err(error) }
}
