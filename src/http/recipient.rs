//! What the gate must know of whom a text goes to, from a snapshot.

use std::sync::Arc;

use dunlin_storage::{ReadError, Reader};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::message::{Addressee, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{self, Flow, OptOutLine, Recipient, Stream};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Rejection, User};

use crate::engine::ask::AskError;
use crate::engine::first_text;
use crate::http::problem::Problem;
use crate::opt_out_link;

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

/// A wish with the text that would be sent: the first to a person may end with a line more.
///
/// # Errors
/// The store can't be read.
pub(super) fn worded(reader: &Reader, request: Request, rules: &Rules) -> Result<Request, ReadError> {
    let Some(line) = &rules.limits.opt_out_line else { return Ok(request) };
    let person = reader.person_of(request.to)?;
    if first_text::is_code(request.kind.as_ref())
        || !person.map_or(Ok(true), |person| first_text::is_first(reader, person))?
    {
        return Ok(request);
    }
    let body = line.at_the_end_of(&request.body, &token_for(reader, line, person)?);
    Ok(Request { body, ..request })
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
    let limits = &rules.limits;
    let asks_where = limits.ask_region() || limits.counts_streams();
    let number = if asks_where { reader.number_of(person)? } else { None };
    let is_verified = user.as_ref().and_then(User::verified) == Some(person);
    let is_new = || Ok(!is_verified && !reader.was_texted(person)?);
    Ok(Recipient {
        standing: reader.consent(person)?.standing,
        preferences: user.and_then(|user| user.preferences),
        is_unreadable: user.is_some_and(|user| user.is_unreadable),
        is_verified,
        usage: reader.usage(person)?,
        region: number.filter(|_| limits.ask_region()).and_then(PhoneNumber::region),
        flows: number.map_or(Ok(Vec::new()), |number| flows(reader, number, is_new, rules))?,
        same_text: None,
    })
}

/// What is known of whoever has this number, who may never have been met, when they are texted this.
pub(super) fn of_number(
    reader: &Reader,
    to: PhoneNumber,
    user: Option<&UserId>,
    body: &Body,
    rules: &Rules,
) -> Result<Recipient, ReadError> {
    let user = user.map(|user| reader.user_of(user)).transpose()?.flatten();
    if let Some(person) = reader.person_of(to)? {
        let known = of_person(reader, person, user, rules)?;
        return Ok(Recipient { same_text: said_last(reader, person, body, rules)?, ..known });
    }
    let user = user.map(|user| reader.user_state(user)).transpose()?.flatten();
    Ok(Recipient {
        standing: reader.consent_of(to)?.standing,
        preferences: user.and_then(|user| user.preferences),
        is_unreadable: user.is_some_and(|user| user.is_unreadable),
        is_verified: false,
        region: if rules.limits.ask_region() { to.region() } else { None },
        flows: flows(reader, to, || Ok(true), rules)?,
        ..Recipient::default()
    })
}

/// When this text went last to a person, with the line that a first text has or without.
pub(super) fn said_last(
    reader: &Reader,
    person: PersonNumber,
    body: &Body,
    rules: &Rules,
) -> Result<Option<Timestamp>, ReadError> {
    let last = reader.said_last(person, body)?;
    let Some(line) = &rules.limits.opt_out_line else { return Ok(last) };
    let first = line.at_the_end_of(body, &token_for(reader, line, Some(person))?);
    Ok(last.max(reader.said_last(person, &first)?))
}

/// The token of somebody's link, if the line has one; one that is as long for whoever is not met yet.
fn token_for(reader: &Reader, line: &OptOutLine, person: Option<PersonNumber>) -> Result<String, ReadError> {
    if !line.has_link() {
        return Ok(String::new());
    }
    let token = person.map(|person| reader.opt_out_token(person)).transpose()?.flatten();
    Ok(token.map_or_else(opt_out_link::stand_in, opt_out_link::shown))
}

/// What went lately in the streams in which a text to this number is limited.
fn flows(
    reader: &Reader,
    to: PhoneNumber,
    is_new: impl FnOnce() -> Result<bool, ReadError>,
    rules: &Rules,
) -> Result<Vec<(Stream, Arc<Flow>)>, ReadError> {
    let streams = rules.limits.streams(to, || to.region(), is_new)?;
    streams.into_iter().map(|stream| Ok((stream.clone(), Arc::new(reader.flow(&stream)?)))).collect()
}
