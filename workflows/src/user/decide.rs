//! Decisions: what is known of a user and what is asked in, events out.

use crate::actor::Reason;
use crate::user::{Command, Event, Rejection, User};

/// Decides what something that is asked makes of a user; `user` is `None` when nothing was recorded of them before.
/// Nothing new makes no event.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(
    user: Option<&User>,
    command: &Command,
    reason: Option<&Reason>,
) -> Result<Vec<Event>, Rejection> {
    if user.is_some_and(|user| user.is_erased) {
        return Err(Rejection::Erased);
    }
    let known = user.copied().unwrap_or_default();
    let mut events = match command {
        Command::Prefer { changes, seen } => {
            unchanged(&known, *seen)?;
            let before = known.preferences.unwrap_or_default();
            let preferences = changes.of(&before)?;
            let is_news = known.preferences != Some(preferences) || known.is_unreadable;
            if is_news { vec![Event::PreferencesChanged { preferences }] } else { vec![] }
        }
        Command::Misread if known.is_unreadable => vec![],
        Command::Misread => vec![Event::PreferencesUnreadable],
        Command::Number { person, seen } => {
            unchanged(&known, *seen)?;
            let is_news = known.number.map(|number| number.person) != *person;
            if is_news { vec![Event::NumberChanged { person: *person }] } else { vec![] }
        }
        Command::Verify { is_taken: true, .. } => return Err(Rejection::Taken),
        Command::Verify { person, .. } => {
            let is_news = known.verified() != Some(*person);
            if is_news { vec![Event::NumberVerified { person: *person }] } else { vec![] }
        }
        Command::Erase => vec![Event::Erased { reason: reason.cloned() }],
    };
    let explains = !events.is_empty() && *command != Command::Erase;
    if let Some(reason) = reason.filter(|_| explains) {
        events.insert(0, Event::Remarked { reason: reason.clone() });
    }
    if user.is_none() && !events.is_empty() {
        events.insert(0, Event::Met);
    }
    Ok(events)
}

fn unchanged(user: &User, seen: Option<u64>) -> Result<(), Rejection> {
    match seen {
        Some(seen) if seen != user.version => Err(Rejection::Changed { version: user.version }),
        Some(_) | None => Ok(()),
    }
}
