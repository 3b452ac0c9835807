//! The carrier's verification service: makes codes, "sends" them, checks them, as the provider's Verify does.
//!
//! Sources: the provider's OpenAPI document `twilio_verify_v2`, and
//! <https://www.twilio.com/docs/verify/api/rate-limits-and-timeouts>, both read 2026-11-24.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

/// How long a code counts.
const LIFETIME: Duration = Duration::from_mins(10);
/// Most codes sent for one verification, and most wrong ones.
const SENDS_MAX: u32 = 5;
const CHECKS_MAX: u32 = 5;

/// Recipients that no code is sent to, with the provider's HTTP status, code and words. Ours; the provider's own
/// test numbers know no verification.
const REFUSED: [(&str, u16, u32, &str); 5] = [
    ("+15005550001", 400, 60200, "Invalid parameter `To`"),
    ("+15005550003", 403, 60605, "The destination phone number has been blocked by Verify Geo-Permissions"),
    ("+15005550004", 403, 60410, "The destination phone number has been temporarily blocked by Twilio"),
    ("+15005550009", 403, 60205, "SMS is not supported by landline phone number"),
    ("+15005550010", 429, 60203, "Max send attempts reached"),
];

/// One verification.
#[derive(Debug, Clone)]
struct Entry {
    sid: String,
    service: String,
    to: String,
    code: String,
    status: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    sends: u32,
    checks: u32,
}

/// HTTP status, code and words of a refusal.
pub(super) type Refusal = (u16, u32, &'static str);

/// Every verification, in the order of their start.
#[derive(Debug)]
pub(super) struct Verifications {
    draws: Mutex<fastrand::Rng>,
    entries: Mutex<Vec<Entry>>,
}

/// The fields of a form that are looked at.
#[derive(Debug, Default)]
pub(super) struct Fields {
    to: Option<String>,
    channel: Option<String>,
    code: Option<String>,
    sid: Option<String>,
    status: Option<String>,
}

impl Fields {
    pub(super) fn parse(form: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(form) {
            let field = match name.as_ref() {
                "To" => &mut fields.to,
                "Channel" => &mut fields.channel,
                "Code" => &mut fields.code,
                "VerificationSid" => &mut fields.sid,
                "Status" => &mut fields.status,
                _other => continue,
            };
            *field = Some(value.into_owned());
        }
        fields
    }
}

const GONE: Refusal = (404, 20404, "The requested resource was not found");

impl Verifications {
    pub(super) fn new(seed: u64) -> Self {
        Self { draws: Mutex::new(fastrand::Rng::with_seed(seed)), entries: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a code; while an earlier one counts, the same again.
    pub(super) fn start(
        &self,
        account: &str,
        service: &str,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let to = fields.to.as_deref().unwrap_or_default();
        if fields.channel.as_deref() != Some("sms") {
            return Err((400, 60200, "Invalid parameter `Channel`"));
        }
        if let Some((_, status, code, words)) = REFUSED.into_iter().find(|(number, ..)| *number == to) {
            return Err((status, code, words));
        }
        if PhoneNumber::parse(to, None).is_err() {
            return Err((400, 60200, "Invalid parameter `To`"));
        }
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.is_open(service, to, now)) {
            if entry.sends >= SENDS_MAX {
                return Err((429, 60203, "Max send attempts reached"));
            }
            entry.sends = entry.sends.saturating_add(1);
            entry.updated_at = now;
            return Ok(entry.verification(account));
        }
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            sid: format!("VE{:032x}", draws.u128(..)),
            service: service.to_owned(),
            to: to.to_owned(),
            code: format!("{:06}", draws.u32(..1_000_000)),
            status: "pending",
            created_at: now,
            updated_at: now,
            sends: 1,
            checks: 0,
        };
        let answer = entry.verification(account);
        entries.push(entry);
        Ok(answer)
    }

    /// Looks at a code. A wrong one is no error.
    pub(super) fn check(
        &self,
        account: &str,
        service: &str,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let code = fields.code.as_deref().unwrap_or_default();
        if !(4..=10).contains(&code.len()) {
            return Err((400, 60200, "Invalid parameter `Code`"));
        }
        let is_meant = |entry: &Entry| match (&fields.sid, &fields.to) {
            (Some(sid), _) => entry.sid == *sid,
            (None, Some(to)) => entry.to == *to,
            (None, None) => false,
        };
        let mut entries = self.lock();
        let entry = entries.iter_mut().rev().find(|entry| is_meant(entry) && entry.service == service);
        let entry = entry.filter(|entry| entry.status == "pending" && !entry.is_over(now)).ok_or(GONE)?;
        if entry.checks >= CHECKS_MAX {
            return Err((429, 60202, "Max check attempts reached"));
        }
        entry.checks = entry.checks.saturating_add(1);
        entry.updated_at = now;
        if entry.code == code {
            entry.status = "approved";
        }
        Ok(entry.check(account))
    }

    /// Where a verification is.
    pub(super) fn show(
        &self,
        account: &str,
        service: &str,
        sid: &str,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let mut entries = self.lock();
        let entry =
            entries.iter_mut().find(|entry| entry.sid == sid && entry.service == service).ok_or(GONE)?;
        if entry.status == "pending" && entry.is_over(now) {
            entry.status = "expired";
        } else if entry.status == "pending" && entry.checks >= CHECKS_MAX {
            entry.status = "max_attempts_reached";
        }
        Ok(entry.verification(account))
    }

    /// Cancels or approves one that is pending.
    pub(super) fn update(
        &self,
        account: &str,
        service: &str,
        sid: &str,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let status = match fields.status.as_deref() {
            Some("canceled") => "canceled",
            Some("approved") => "approved",
            Some(_) | None => return Err((400, 60200, "Invalid parameter `Status`")),
        };
        let mut entries = self.lock();
        let entry = entries.iter_mut().find(|entry| entry.sid == sid && entry.service == service);
        let entry = entry.filter(|entry| entry.status == "pending" && !entry.is_over(now)).ok_or(GONE)?;
        (entry.status, entry.updated_at) = (status, now);
        Ok(entry.verification(account))
    }

    /// What somebody with the telephone would know, and tests: every code, newest first.
    pub(super) fn codes(&self) -> Value {
        let shown = |entry: &Entry| json!({"to": entry.to, "code": entry.code, "sends": entry.sends});
        self.lock().iter().rev().map(shown).collect()
    }
}

impl Entry {
    fn is_over(&self, now: Timestamp) -> bool {
        self.created_at.plus(LIFETIME) <= now
    }

    fn is_open(&self, service: &str, to: &str, now: Timestamp) -> bool {
        self.service == service && self.to == to && self.status == "pending" && !self.is_over(now)
    }

    fn verification(&self, account: &str) -> Value {
        let attempt = json!({
            "attempt_sid": self.sid.replacen("VE", "VL", 1),
            "channel": "sms",
            "time": iso(self.updated_at),
        });
        let url =
            format!("https://verify.twilio.com/v2/Services/{}/Verifications/{}", self.service, self.sid);
        json!({
            "sid": self.sid,
            "service_sid": self.service,
            "account_sid": account,
            "to": self.to,
            "channel": "sms",
            "status": self.status,
            "valid": self.status == "approved",
            "lookup": {"carrier": null},
            "amount": null,
            "payee": null,
            "send_code_attempts": [attempt],
            "date_created": iso(self.created_at),
            "date_updated": iso(self.updated_at),
            "sna": null,
            "url": url,
        })
    }

    fn check(&self, account: &str) -> Value {
        json!({
            "sid": self.sid,
            "service_sid": self.service,
            "account_sid": account,
            "to": self.to,
            "channel": "sms",
            "status": self.status,
            "valid": self.status == "approved",
            "amount": null,
            "payee": null,
            "date_created": iso(self.created_at),
            "date_updated": iso(self.updated_at),
            "sna_attempts_error_codes": null,
        })
    }
}

/// An instant as this part of the API writes it: ISO 8601, whole seconds, UTC.
fn iso(at: Timestamp) -> String {
    let at = DateTime::from_timestamp_millis(at.as_millis());
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}
