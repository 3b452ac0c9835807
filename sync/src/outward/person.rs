//! What is known of people, as rows: their consent, the number that they have proven, what they got today.

use dunlin_storage::{JournalSeq, ReadError, Reader};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{self, Limits};
use dunlin_workflows::timestamp::Timestamp;
use uuid::Uuid;

use crate::wire::{ConsentRow, UsageRow, VerificationRow};

/// Where a person stands, as of `version`; `None` when nothing was said, or they were erased.
///
/// # Errors
/// The store can't be read.
pub fn consent_row(
    reader: &Reader,
    person: PersonNumber,
    version: JournalSeq,
) -> Result<Option<ConsentRow>, ReadError> {
    let standing = reader.consent(person)?.standing;
    let (Some(at), Some(number)) = (standing.since(), reader.number_of(person)?) else { return Ok(None) };
    Ok(Some(ConsentRow {
        phone_number: number.to_string(),
        user_id: None,
        version: version.get(),
        opted_out: standing.is_out(),
        at: at.into(),
        reason: standing.how().map(|how| how.words().to_owned()),
    }))
}

/// Which number a user has proven, as of `version`; `None` when they are none of the project's.
///
/// # Errors
/// The store can't be read.
pub fn verification_row(
    reader: &Reader,
    user: UserNumber,
    version: JournalSeq,
) -> Result<Option<VerificationRow>, ReadError> {
    let (Some(user_id), Some(known)) = (project_user(reader, user)?, reader.user_state(user)?) else {
        return Ok(None);
    };
    let number = match known.number {
        Some(number) => reader.number_of(number.person)?,
        None => None,
    };
    let verified_at = known.number.and_then(|number| number.verified_at).filter(|_| number.is_some());
    Ok(Some(VerificationRow {
        user_id,
        version: version.get(),
        phone_number: number.map(|number| number.to_string()),
        phone_verified: verified_at.is_some(),
        phone_verified_at: verified_at.map(Into::into),
    }))
}

/// How many texts a user got on their day, as of `version`; `None` when they are none of the project's, or nobody knows
/// when their day ends.
///
/// # Errors
/// The store can't be read.
pub fn usage_row(
    reader: &Reader,
    user: UserNumber,
    version: JournalSeq,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<UsageRow>, ReadError> {
    let (Some(user_id), Some(known)) = (project_user(reader, user)?, reader.user_state(user)?) else {
        return Ok(None);
    };
    let Some(number) = known.number else { return Ok(None) };
    let region = reader.number_of(number.person)?.and_then(PhoneNumber::region);
    let Some((zone, _)) = policy::whereabouts(known.preferences.as_ref(), region, limits) else {
        return Ok(None);
    };
    let usage = reader.usage(number.person)?;
    Ok(Some(UsageRow {
        user_id,
        version: version.get(),
        daily_sms_count: usage.on(zone.day(now)),
        daily_count_reset_at: zone.next_day(now).into(),
    }))
}

/// The id of a user of the project; `None` for users whom other callers made up.
fn project_user(reader: &Reader, user: UserNumber) -> Result<Option<Uuid>, ReadError> {
    Ok(reader.user_id(user)?.and_then(|id| id.as_str().parse().ok()))
}
