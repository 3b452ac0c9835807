//! What the gate must know of whom a text goes to, from a snapshot.

use dunlin_storage::{ReadError, Reader};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::message::{Addressee, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{self, Recipient};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::user::{Rejection, User};

use crate::engine::ask::AskError;
use crate::http::problem::Problem;

/// A wish with the number that it would go to now: that of its user, when it names none.
///
/// # Errors
/// As accepting it would refuse it.
pub(super) fn addressed(
    reader: &Reader,
    request: Request<Addressee>,
    rules: &Rules,
) -> Result<Request, Problem> {
    let to = match &request.to {
        Addressee::Number(to) => *to,
        Addressee::User(id) => {
            let user = reader.user_of(id)?.map(|user| reader.user_state(user)).transpose()?.flatten();
            let person = policy::number_of(user.as_ref(), request.kind.as_ref(), rules);
            let to = reader.number_of(person.map_err(AskError::User)?)?;
            to.ok_or(AskError::User(Rejection::NoNumber))?
        }
    };
    Ok(request.addressed(to))
}

/// What is known of a person, and of the user to whom a message to them belongs.
pub(super) fn of_person(
    reader: &Reader,
    person: PersonNumber,
    user: Option<UserNumber>,
    rules: &Rules,
) -> Result<Recipient, ReadError> {
    let user = match user {
        Some(user) => Some(user),
        None => reader.owner_of(person)?,
    };
    let user = user.map(|user| reader.user_state(user)).transpose()?.flatten();
    let region = if rules.limits.ask_region() { reader.number_of(person)? } else { None };
    Ok(Recipient {
        standing: reader.consent(person)?.standing,
        preferences: user.and_then(|user| user.preferences),
        is_verified: user.as_ref().and_then(User::verified) == Some(person),
        usage: reader.usage(person)?,
        region: region.and_then(PhoneNumber::region),
    })
}

/// What is known of whoever has this number, who may never have been met.
pub(super) fn of_number(
    reader: &Reader,
    to: PhoneNumber,
    user: Option<&UserId>,
    rules: &Rules,
) -> Result<Recipient, ReadError> {
    let user = user.map(|user| reader.user_of(user)).transpose()?.flatten();
    if let Some(person) = reader.person_of(to)? {
        return of_person(reader, person, user, rules);
    }
    let user = user.map(|user| reader.user_state(user)).transpose()?.flatten();
    Ok(Recipient {
        standing: reader.consent_of(to)?.standing,
        preferences: user.and_then(|user| user.preferences),
        is_verified: false,
        region: if rules.limits.ask_region() { to.region() } else { None },
        ..Recipient::default()
    })
}
