//! The carrier itself: takes messages, moves them to the handset, calls back.

use std::sync::Arc;
use std::time::Duration;

use dunlin_workflows::body::UNITS_MAX;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::segment::segments;

use crate::clock::Clock;
use crate::sandbox::callbacks::{Call, Callbacks};
use crate::sandbox::faults::{Dice, Fault};
use crate::sandbox::ledger::{Ledger, Taken};
use crate::sandbox::recipients::{ending, refusal};
use crate::sandbox::verify::Verifications;

/// The carrier: what its HTTP API asks it to do.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) account_sid: String,
    /// What comes after `Basic` in the header that signs in.
    pub(super) sign_in: String,
    pub(super) ledger: Ledger,
    pub(super) verifications: Verifications,
    pub(super) dice: Dice,
    pub(super) callbacks: Callbacks,
    pub(super) clock: Arc<dyn Clock>,
}

/// Fields of a creation.
#[derive(Debug, Default)]
pub(super) struct Creation {
    pub(super) to: Option<String>,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) body: Option<String>,
    pub(super) status_callback: Option<String>,
    pub(super) validity_period: Option<String>,
}

/// Code and words of a refusal.
pub(super) type Refusal = (u32, String);

impl Creation {
    /// Reads a form; fields that the carrier does not know are ignored, as the provider does.
    pub(super) fn parse(form: &[u8]) -> Self {
        let mut creation = Self::default();
        for (name, value) in form_urlencoded::parse(form) {
            let field = match name.as_ref() {
                "To" => &mut creation.to,
                "From" => &mut creation.from,
                "MessagingServiceSid" => &mut creation.messaging_service_sid,
                "Body" => &mut creation.body,
                "StatusCallback" => &mut creation.status_callback,
                "ValidityPeriod" => &mut creation.validity_period,
                _other => continue,
            };
            *field = Some(value.into_owned());
        }
        creation
    }
}

impl Carrier {
    /// Whether the carrier would take it: the provider's own checks, in its order.
    pub(super) fn check(&self, creation: &Creation) -> Result<Taken, Refusal> {
        let to = creation.to.as_deref().filter(|to| !to.is_empty());
        let to = to.ok_or((21604, "A 'To' phone number is required.".to_owned()))?;
        let from = creation.from.as_deref();
        if from.is_none() && creation.messaging_service_sid.is_none() {
            return Err((21603, "A 'From' or 'MessagingServiceSid' parameter is required.".into()));
        }
        let body = creation.body.as_deref().unwrap_or_default();
        if body.trim().is_empty() {
            return Err((21602, "Message body is required.".into()));
        }
        if body.encode_utf16().count() > UNITS_MAX {
            return Err((21617, "The concatenated message body exceeds the 1600 character limit.".into()));
        }
        if let Some((code, words)) = refusal(to, from) {
            return Err((code, words.into()));
        }
        if PhoneNumber::parse(to, None).is_err() {
            return Err((21211, "The 'To' number is not a valid phone number.".into()));
        }
        let validity = creation.validity_period.as_deref().map(str::parse::<u32>);
        if validity.is_some_and(|seconds| !seconds.is_ok_and(|seconds| (1..=36_000).contains(&seconds))) {
            return Err((21624, "Invalid validity period value".into()));
        }
        if creation.status_callback.as_deref().is_some_and(|url| !url.contains("://") || url.len() > 4000) {
            return Err((21609, "The 'StatusCallback' URL is not valid.".into()));
        }
        let now = self.clock.wall();
        let by_service = creation.messaging_service_sid.is_some() && from.is_none();
        Ok(Taken {
            to: to.into(),
            from: from.map(Into::into),
            messaging_service_sid: creation.messaging_service_sid.as_deref().map(Into::into),
            body: body.into(),
            status_callback: creation.status_callback.as_deref().map(Into::into),
            segments: u16::try_from(segments(body).len()).unwrap_or(u16::MAX),
            created_at: now,
            updated_at: now,
            sent_at: None,
            status: if by_service { ProviderStatus::Accepted } else { ProviderStatus::Queued },
            error_code: None,
            deleted: false,
        })
    }

    /// Moves a message to its end after a while. What was taken is carried, even when whoever asked
    /// hangs up meanwhile.
    pub(super) fn carry_after(self: &Arc<Self>, pause: Duration, position: usize, to: &Arc<str>) {
        if pause.is_zero() {
            return self.carry(position, to);
        }
        let (carrier, to) = (Arc::clone(self), Arc::clone(to));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            carrier.carry(position, &to);
        });
    }

    /// Moves a message to its end, and calls back on the way.
    fn carry(self: &Arc<Self>, position: usize, to: &str) {
        let (last, code) = ending(to, self.ledger.is_first(position));
        let direct = last == ProviderStatus::Failed || last == ProviderStatus::Sent;
        let way = [(ProviderStatus::Sent, None), (last, code)];
        let steps = if direct { way.get(1..).unwrap_or_default() } else { way.as_slice() };
        let pause = self.dice.faults().callback_latency;
        if pause.is_zero() {
            self.walk(position, steps);
        } else {
            let (carrier, steps) = (Arc::clone(self), steps.to_vec());
            tokio::spawn(async move { carrier.stroll(position, &steps, pause).await });
        }
    }

    /// All steps at once.
    fn walk(&self, position: usize, steps: &[(ProviderStatus, Option<u32>)]) {
        let calls = steps.iter().filter_map(|(status, code)| self.step(position, *status, *code));
        let mut calls: Vec<Call> = calls.collect();
        if calls.len() > 1 && self.dice.falls(Fault::CallbackReorder) {
            calls.reverse();
        }
        for call in calls {
            self.call(position, call);
        }
    }

    /// One step after each pause.
    async fn stroll(&self, position: usize, steps: &[(ProviderStatus, Option<u32>)], pause: Duration) {
        let mut held_back = None;
        for (status, code) in steps {
            tokio::time::sleep(pause).await;
            let call = self.step(position, *status, *code);
            if held_back.is_none() && steps.len() > 1 && self.dice.falls(Fault::CallbackReorder) {
                held_back = call;
                continue;
            }
            for call in call.into_iter().chain(held_back.take()) {
                self.call(position, call);
            }
        }
        if let Some(call) = held_back {
            self.call(position, call);
        }
    }

    /// Makes a step known, except what the faults take away; a few they repeat.
    fn call(&self, position: usize, call: Call) {
        if self.dice.falls(Fault::CallbackLost) {
            return;
        }
        if self.dice.falls(Fault::CallbackDuplicate) {
            let again = Call { url: Arc::clone(&call.url), form: call.form.clone() };
            self.callbacks.send(position, again);
        }
        self.callbacks.send(position, call);
    }

    /// Moves a message one step; returns the callback that says so. A canceled message moves no more.
    pub(super) fn step(&self, position: usize, status: ProviderStatus, code: Option<u32>) -> Option<Call> {
        let now = self.clock.wall();
        let mut moved = false;
        let taken = self.ledger.change(position, |taken| {
            if taken.status.rank() < status.rank() {
                taken.status = status;
                taken.error_code = code;
                taken.updated_at = now;
                taken.sent_at = taken.sent_at.or((status.rank() >= 3).then_some(now));
                moved = true;
            }
        })?;
        let url = taken.status_callback.clone().filter(|_| moved)?;
        Some(Call { url, form: self.form(&self.ledger.sid(position), &taken, status) })
    }

    fn form(&self, sid: &str, taken: &Taken, status: ProviderStatus) -> String {
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(320));
        form.append_pair("AccountSid", &self.account_sid);
        form.append_pair("ApiVersion", "2010-04-01");
        if let Some(code) = taken.error_code {
            form.append_pair("ErrorCode", &code.to_string());
        }
        if let Some(from) = &taken.from {
            form.append_pair("From", from);
        }
        form.append_pair("MessageSid", sid);
        form.append_pair("MessageStatus", status.as_str());
        if let Some(service) = &taken.messaging_service_sid {
            form.append_pair("MessagingServiceSid", service);
        }
        form.append_pair("SmsSid", sid);
        form.append_pair("SmsStatus", status.as_str());
        form.append_pair("To", &taken.to);
        form.finish()
    }
}
