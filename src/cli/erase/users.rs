//! Users who are erased, or whose number is.

use dunlin_storage::{By, Store, Told, Users};
use dunlin_workflows::actor::{ActorName, Reason};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::message::UserId;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Command, Rejection, User, decide};

use crate::cli::exit::{Exit, Failure};

/// Users that are looked at together.
const PAGE: usize = 500;

/// On whose behalf users are erased, when, and why.
pub(super) struct Order<'a> {
    pub(super) by: &'a ActorName,
    pub(super) reason: Option<&'a Reason>,
    pub(super) at: Timestamp,
}

/// The person whose number is said to be a user's; `None` when there is no such user or number.
pub(super) fn number_of(store: &Store, id: &UserId) -> Result<Option<PersonNumber>, Failure> {
    let reader = store.reader()?;
    let user = reader.user_of(id)?.map(|user| reader.user_state(user)).transpose()?.flatten();
    Ok(user.and_then(|user| user.number).map(|number| number.person))
}

/// Whether there is a user with this id.
pub(super) fn is_known(store: &Store, id: &UserId) -> Result<bool, Failure> {
    Ok(store.reader()?.user_of(id)?.is_some())
}

/// Takes the number of an erased person away from every user who has it.
pub(super) fn part(store: &Store, person: PersonNumber, order: &Order<'_>) -> Result<(), Failure> {
    let reader = store.reader()?;
    let mut after = 0;
    loop {
        let users = reader.instances::<Users>(after, PAGE)?;
        let Some((last, _)) = users.last() else { return Ok(()) };
        after = *last;
        let theirs = |user: &User| user.number.is_some_and(|number| number.person == person);
        for (number, user) in users.iter().filter(|(_, user)| theirs(user)) {
            let command = Command::Number { person: None, seen: None };
            tell(store, UserNumber::new(*number), user, &command, order)?;
        }
    }
}

/// Erases a user, if there is one with this id.
pub(super) fn erase(store: &Store, id: &UserId, order: &Order<'_>) -> Result<(), Failure> {
    let reader = store.reader()?;
    let Some(number) = reader.user_of(id)? else { return Ok(()) };
    let user = reader.user_state(number)?.unwrap_or_default();
    drop(reader);
    tell(store, number, &user, &Command::Erase, order)
}

fn tell(
    store: &Store,
    number: UserNumber,
    before: &User,
    command: &Command,
    order: &Order<'_>,
) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(Exit::Failure, why);
    let events = decide(Some(before), command, order.reason)
        .map_err(|rejection: Rejection| failed(rejection.to_string()))?;
    let told = store.commit(|batch| {
        let by = By { source: Source::Cli, actor: batch.actor(order.by)? };
        let mut after = *before;
        for event in &events {
            after.apply(event, order.at);
            let told = Told::<Users> { at: order.at, by, event, after: &after, secret: None };
            batch.record_instance(number.get(), &told)?;
        }
        if after.is_erased { batch.forget_user(number) } else { Ok(()) }
    });
    told.map_err(|error| failed(error.to_string()))
}
