//! A claimed row of `sms_messages`, as a wish.

use dunlin_workflows::body::Body;
use dunlin_workflows::kind::{KindName, Kinds};
use dunlin_workflows::message::{Addressee, Metadata, OnUnknown, Priority, Request, TemplateVersion, UserId};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::Value;

use super::Unfit;
use crate::wire::{self, Instant};

/// Keys of `metadata` that may say what kind of text it is, first to count first.
const KIND_KEYS: [&str; 3] = ["kind", "notification_type", "type"];

/// What rows are read with.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Where numbers without a country code belong.
    pub region: Option<Region>,
    /// What holds for each kind.
    pub kinds: &'a Kinds,
    /// The wall clock.
    pub now: Timestamp,
}

/// The wish that a row is; `template` is the version in use of the template that it names, if the engine has it.
///
/// `metadata` may say more: `kind` (or `notification_type`, or `type`) if it names one, `expires_at` as RFC 3339, and
/// `on_unknown`. An urgent text may pass quiet hours: whoever may queue one is trusted with that, and whether its
/// recipient wants it is still asked.
///
/// # Errors
/// [`Unfit`] names the column.
pub fn request(
    row: &wire::Request,
    template: Option<TemplateVersion>,
    reading: Reading<'_>,
) -> Result<Request<Addressee>, Unfit> {
    let to = PhoneNumber::parse(&row.phone_number, reading.region)
        .map_err(|error| Unfit::column("phone_number", error))?;
    let body =
        Body::parse(row.message_content.as_str()).map_err(|error| Unfit::column("message_content", error))?;
    let priority = row.priority.parse::<Priority>().map_err(|error| Unfit::column("priority", error))?;
    let user_id: UserId = row.user_id.to_string().parse().map_err(|error| Unfit::column("user_id", error))?;
    let scheduled_for = match row.scheduled_for {
        None => None,
        Some(Instant::At(at)) => Some(at),
        Some(Instant::Never | Instant::LongAgo) => {
            return Err(Unfit::column(
                "scheduled_for",
                "infinity is no instant; name one, or null for at once",
            ));
        }
    };
    let notes = row.metadata.as_ref().filter(|notes| !notes.is_null());
    let kind = notes.and_then(|notes| kind(notes, reading.kinds));
    let metadata = notes
        .map(|notes| Metadata::new(&notes.to_string()))
        .transpose()
        .map_err(|error| Unfit::column("metadata", error))?;
    let own_expiry = notes.and_then(|notes| notes.get("expires_at")).filter(|at| !at.is_null());
    let expires_at = if let Some(at) = own_expiry {
        Some(instant(at)?)
    } else {
        let after = reading.kinds.get(kind.as_ref()).and_then(|kind| kind.expires_after);
        after.map(|after| scheduled_for.unwrap_or(reading.now).max(reading.now).plus(after))
    };
    let on_unknown = match notes.and_then(|notes| notes.get("on_unknown")) {
        None | Some(Value::Null) => OnUnknown::default(),
        Some(word) => word
            .as_str()
            .ok_or_else(|| Unfit::column("metadata", "on_unknown: expected hold or resend"))?
            .parse()
            .map_err(|error| Unfit::column("metadata", format!("on_unknown: {error}")))?,
    };
    Ok(Request {
        id: row.id,
        to: Addressee::Number(to),
        body,
        priority,
        scheduled_for,
        expires_at,
        on_unknown,
        user_id: Some(user_id),
        metadata,
        retry_of: None,
        kind,
        template,
        may_bypass: true,
        is_claimed: true,
    })
}

/// The kind that the notes name, if they name one: other products' words for other things are none of ours.
fn kind(notes: &Value, kinds: &Kinds) -> Option<KindName> {
    KIND_KEYS
        .into_iter()
        .filter_map(|key| notes.get(key)?.as_str()?.parse::<KindName>().ok())
        .find(|kind| kinds.get(Some(kind)).is_some())
}

fn instant(given: &Value) -> Result<Timestamp, Unfit> {
    match given.as_str().map(str::parse) {
        Some(Ok(Instant::At(at))) => Ok(at),
        _ => Err(Unfit::column("metadata", "expires_at: expected an instant as RFC 3339 writes it")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(changed: &Value) -> wire::Request {
        let mut row = json!({"id": "eeeeeeee-0000-4000-8000-000000000001", "claim": "cccccccc-0000-4000-8000-000000000001",
            "claimed_until": "2026-11-29T02:00:00+00:00", "may_have_been_sent": false,
            "user_id": "a0000000-0000-4000-8000-000000000001", "phone_number": "+15551230001", "message_content": "Hello",
            "priority": "high", "scheduled_for": "2026-11-29T12:00:00+00:00", "attempt_count": 0});
        for (name, value) in changed.as_object().unwrap() {
            row[name] = value.clone();
        }
        wire::Request::read(&row).unwrap()
    }

    fn read(changed: &Value) -> Result<Request<Addressee>, Unfit> {
        let kinds = Kinds::default();
        let now = Timestamp::from_millis(1_795_900_000_000);
        request(&row(changed), None, Reading { region: None, kinds: &kinds, now })
    }

    #[test]
    fn row_says_what_the_api_could_have_said() {
        let wish = read(&json!({"metadata": {"type": "task_reminder", "on_unknown": "resend",
            "expires_at": "2026-11-29T13:00:00Z"}}))
        .unwrap();
        assert_eq!((wish.priority, wish.on_unknown), (Priority::High, OnUnknown::Resend));
        assert_eq!(wish.kind.map(|kind| kind.as_str().to_owned()), Some("task_reminder".to_owned()));
        let hour_later = wish.scheduled_for.unwrap().plus(std::time::Duration::from_hours(1));
        assert_eq!((wish.expires_at, wish.is_claimed), (Some(hour_later), true));
        // Other products' words are no kinds of ours, and a kind without a deadline has none.
        let wish = read(&json!({"metadata": {"type": "welcome", "kind": 7}})).unwrap();
        assert_eq!((wish.kind, wish.expires_at), (None, None));
        // A reminder that nobody gave a deadline has that of its kind, from its own time.
        let wish = read(&json!({"metadata": {"kind": "task_reminder"}})).unwrap();
        assert!(wish.expires_at > wish.scheduled_for);
    }

    #[test]
    fn column_that_says_nothing_is_named() {
        for (changed, reason, words) in [
            (json!({"phone_number": "12"}), "phone_number", "country code"),
            (json!({"message_content": ""}), "message_content", "blank"),
            (json!({"priority": "asap"}), "priority", "expected urgent, high, normal or low"),
            (json!({"scheduled_for": "infinity"}), "scheduled_for", "name one"),
            (json!({"metadata": {"on_unknown": "guess"}}), "metadata", "hold or resend"),
            (json!({"metadata": {"expires_at": "soon"}}), "metadata", "RFC 3339"),
            (json!({"metadata": {"long": "x".repeat(5000)}}), "metadata", "4096"),
        ] {
            let unfit = read(&changed).unwrap_err();
            assert_eq!(unfit.reason, reason);
            assert!(unfit.detail.contains(words), "{unfit}");
        }
    }
}
