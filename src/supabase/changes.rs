//! Rows that people changed, as commands to the engine.

use dunlin_storage::{InstanceKind, Templates};
use dunlin_sync::inward::{Unfit, Wording, preferences, template};
use dunlin_sync::wire::{AskedRow, Change, ChangedRow, Instant, Parking, PreferencesRow, UnreadableChange};
use dunlin_workflows::consent::{self, Standing};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{Command, State, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::template::TemplateKey;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::Rejection;
use uuid::Uuid;

use crate::engine::ask::{AskError, Target, TemplateAsk, TemplateWish, UserAsk, Whom};
use crate::engine::duty::OnDuty;
use crate::supabase::error::SyncError;
use crate::supabase::intake::Intake;

/// Tables whose rows are parked by their own name.
const PREFERENCES: &str = "user_sms_preferences";
const TEMPLATES: &str = "sms_templates";

impl Intake {
    /// Hears what changed; what can't be understood goes to `unfit`. `all_anew`: everything is told, changed or not.
    pub(super) async fn hear(
        &self,
        on_duty: &OnDuty,
        changes: &[Result<Change, UnreadableChange>],
        all_anew: bool,
        unfit: &mut Vec<Parking>,
    ) -> Result<(), SyncError> {
        for change in changes {
            match change {
                Ok(Change::Preferences(user, ChangedRow::Now(row))) => {
                    if let Err(why) = self.prefer(on_duty, *user, row, all_anew).await? {
                        unfit.push(Parking::row(PREFERENCES, *user, why.reason, why.detail));
                    }
                }
                Ok(Change::Template(id, ChangedRow::Now(row))) => {
                    let heard = match template(row) {
                        Ok(wording) => self.word(on_duty, wording).await?,
                        Err(why) => Err(why),
                    };
                    if let Err(why) = heard {
                        unfit.push(Parking::row(TEMPLATES, *id, why.reason, why.detail));
                    }
                }
                Ok(Change::Message(id, row)) => {
                    self.asked_of_text(on_duty, MessageId::from_bytes(*id.as_bytes()), row).await?;
                }
                // What people said stays said; a template of no row goes on as it is; what is parked is counted there.
                Ok(
                    Change::Preferences(_, ChangedRow::Deleted)
                    | Change::Template(_, ChangedRow::Deleted)
                    | Change::Parked(..),
                ) => {}
                Err(why) => match (why.kind.as_str(), why.key) {
                    ("preferences", Some(key)) => {
                        self.misread(on_duty, key).await?;
                        unfit.push(Parking::row(PREFERENCES, key, "not_understood", why.to_string()));
                    }
                    ("template", Some(key)) => {
                        unfit.push(Parking::row(TEMPLATES, key, "not_understood", why.to_string()));
                    }
                    _ => tracing::warn!(%why, key = ?why.key, "a change can't be read and is passed over"),
                },
            }
        }
        let heard = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.link.standing.tell(|told| told.changes = told.changes.saturating_add(heard));
        Ok(())
    }

    async fn prefer(
        &self,
        on_duty: &OnDuty,
        user: Uuid,
        row: &PreferencesRow,
        all_anew: bool,
    ) -> Result<Result<(), Unfit>, SyncError> {
        let preferred = match preferences(row, self.link.settings.region, self.link.now()) {
            Ok(preferred) => preferred,
            Err(why) => {
                self.misread(on_duty, user).await?;
                return Ok(Err(why));
            }
        };
        let Ok(id) = user.to_string().parse::<UserId>() else { return Ok(Ok(())) };
        // An opt-out first: nothing else that the row says may let a text go before it counts.
        if let (Some(said_at), Some(number)) = (preferred.opted_out, preferred.number)
            && !agreed_since(on_duty, number, said_at)?
        {
            let command = consent::Command::OptOut { said_at };
            on_duty
                .engine
                .consent(Whom::Number(number), command, Source::Sync)
                .await
                .map(drop)
                .or_else(said_already)?;
        }
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
