//! Decisions: what is known of a recurrence and what is asked in, events out.

use crate::recurrence::{
    Armed, Changes, Command, Context, End, Event, Outcome, Plan, Recipient, Recurrence, RecurrenceId,
    Rejection, Standing, Tick,
};
use crate::timestamp::Timestamp;
use crate::zone::{Wall, Zone};

/// Whether a tick has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// None has.
    Not,
    /// This one has: the latest of those that were missed, when several were.
    Now(Tick),
    /// One has and is stale.
    TooLate(Wall),
}

/// Whether a tick has come, where the recipient is now. They may have moved since it was worked out when.
pub fn due(recurrence: &Recurrence, zone: Option<Zone>, now: Timestamp) -> Due {
    let Standing::Active(armed) = recurrence.standing else { return Due::Not };
    let zone = zone_of(&recurrence.plan, zone, Some(armed));
    let first = Tick { wall: armed.tick.wall, at: zone.instant(armed.tick.wall) };
    if first.at > now {
        return Due::Not;
    }
    recurrence.plan.latest(first, zone, now).map_or(Due::TooLate(first.wall), Due::Now)
}

/// Decides what something that is asked makes of a recurrence; `None` when there was none. Nothing new makes no
/// event.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(
    recurrence: Option<&Recurrence>,
    command: &Command,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let known = || recurrence.ok_or(Rejection::NotFound);
    let mut events = match command {
        Command::Create { id, recipient, plan } => create(recurrence, *id, *recipient, plan, context)?,
        Command::Change { changes, new_text } => change(open(known()?)?, changes, *new_text, context)?,
        Command::Pause => match open(known()?)?.standing {
            Standing::Active(_) => vec![Event::Paused],
            Standing::Paused | Standing::Ended(_) | Standing::Deleted => vec![],
        },
        Command::Resume => match open(known()?)?.standing {
            Standing::Paused => vec![Event::Resumed, next(known()?, None, context)?],
            Standing::Active(_) | Standing::Ended(_) | Standing::Deleted => vec![],
        },
        Command::Delete => match known()?.standing {
            Standing::Active(_) | Standing::Paused | Standing::Ended(_) => vec![Event::Deleted],
            Standing::Deleted => vec![],
        },
        Command::Wake { ticked } => wake(known()?, *ticked, context)?,
        Command::Lose => {
            if known()?.standing.is_open() {
                vec![Event::Ended(End::Erased)]
            } else {
                vec![]
            }
        }
    };
    if let Some(reason) = context.reason.filter(|_| !events.is_empty()) {
        // Nothing can be said of a recurrence before it is there.
        let after_creation = usize::from(matches!(events.first(), Some(Event::Created { .. })));
        events.insert(after_creation, Event::Remarked { reason: reason.clone() });
    }
    Ok(events)
}

fn create(
    recurrence: Option<&Recurrence>,
    id: RecurrenceId,
    recipient: Recipient,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    if recurrence.is_some() {
        return Err(Rejection::IdTaken { id });
    }
    let created = Event::Created { id, recipient, plan: plan.clone(), text_at: context.position };
    Ok(vec![created, arm(plan, None, None, context)?])
}

fn change(
    recurrence: &Recurrence,
    changes: &Changes,
    new_text: bool,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let plan = changes.of(&recurrence.plan);
    if plan == recurrence.plan && !new_text {
        return Ok(vec![]);
    }
    let text_at = if new_text { text_at(context) } else { recurrence.text_at };
    let armed = arm(&plan, armed_of(recurrence), recurrence.last.map(|(wall, _)| wall), context)?;
    let mut events = vec![Event::Changed { plan, text_at }];
    match recurrence.standing {
        Standing::Active(before) if armed != Event::Armed(before) => events.push(armed),
        Standing::Active(_) | Standing::Paused | Standing::Ended(_) | Standing::Deleted => {}
    }
    Ok(events)
}

fn wake(
    recurrence: &Recurrence,
    ticked: Option<(Wall, Outcome)>,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let Standing::Active(before) = recurrence.standing else { return Ok(vec![]) };
    let mut events = Vec::new();
    if let Some((wall, outcome)) = ticked {
        events.push(Event::Ticked { wall, outcome });
    }
    let next = next(recurrence, ticked.map(|(wall, _)| wall), context)?;
    if next != Event::Armed(before) {
        events.push(next);
    }
    Ok(events)
}

/// What comes next, or that nothing does; `ticked` has come just now.
fn next(recurrence: &Recurrence, ticked: Option<Wall>, context: &Context<'_>) -> Result<Event, Rejection> {
    let last = ticked.max(recurrence.last.map(|(wall, _)| wall));
    match arm(&recurrence.plan, armed_of(recurrence), last, context) {
        Err(Rejection::NothingComes { .. }) => Ok(Event::Ended(End::Over)),
        armed => armed,
    }
}

/// The first tick after now that is later on the wall than `last`.
fn arm(
    plan: &Plan,
    before: Option<Armed>,
    last: Option<Wall>,
    context: &Context<'_>,
) -> Result<Event, Rejection> {
    if plan.zone.or(context.zone).is_none() && before.is_none() {
        return Err(Rejection::NoZone);
    }
    let zone = zone_of(plan, context.zone, before);
    match plan.upcoming(zone, last, context.now).next() {
        Some(tick) => Ok(Event::Armed(Armed { tick, zone })),
        None => Err(Rejection::NothingComes { cron: plan.cron.clone() }),
    }
}

/// Whose wall counts: the plan's zone, the recipient's, the last one that was known.
fn zone_of(plan: &Plan, zone: Option<Zone>, before: Option<Armed>) -> Zone {
    plan.zone.or(zone).or(before.map(|armed| armed.zone)).unwrap_or(Zone::UTC)
}

fn armed_of(recurrence: &Recurrence) -> Option<Armed> {
    match recurrence.standing {
        Standing::Active(armed) => Some(armed),
        Standing::Paused | Standing::Ended(_) | Standing::Deleted => None,
    }
}

fn open(recurrence: &Recurrence) -> Result<&Recurrence, Rejection> {
    let standing = recurrence.standing;
    if standing.is_open() { Ok(recurrence) } else { Err(Rejection::Over { standing: standing.as_str() }) }
}

/// Where the record that holds a new text will stand: first, but for the reason.
fn text_at(context: &Context<'_>) -> u64 {
    context.position.saturating_add(u64::from(context.reason.is_some()))
}
