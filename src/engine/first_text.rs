//! The first text to a person says how to end them, if the rules have a line for that.

use std::borrow::Cow;

use dunlin_storage::{Filter, ReadError, Reader};
use dunlin_workflows::id::{Attempt, PersonNumber};
use dunlin_workflows::kind::{KindName, VERIFICATION};
use dunlin_workflows::message::{Message, Request, State};
use dunlin_workflows::policy::OptOutLine;

use crate::engine::turn::{Turn, TurnError};
use crate::opt_out_link;

/// Most messages to a person that are looked through for one that went. Whoever has more that wait, and none that went,
/// is told once more.
const LOOKED_AT: usize = 64;

/// Whether a text of this kind is a code: whoever asked for one need not be told how to end them.
pub fn is_code(kind: Option<&KindName>) -> bool {
    kind.is_some_and(|kind| kind.as_str() == VERIFICATION)
}

/// Whether a message reached its recipient, or may have or may yet: something was attempted, and it did not come to nothing.
fn went(message: &Message) -> bool {
    let came_to_nothing = matches!(
        message.state,
        State::Undelivered | State::Failed | State::Canceled | State::Expired | State::Suppressed { .. }
    );
    message.attempt != Attempt::NONE && !came_to_nothing && !is_code(message.kind.as_ref())
}

/// Whether nothing went to a person yet, as far as the store still knows.
///
/// # Errors
/// The store can't be read.
pub fn is_first(reader: &Reader, person: PersonNumber) -> Result<bool, ReadError> {
    let newest = Filter { person: Some(person), limit: LOOKED_AT, ..Filter::default() };
    Ok(!reader.list(&newest)?.messages.iter().any(|(_, row)| went(&row.message)))
}

impl Turn<'_, '_> {
    /// A wish with the text that is sent. A text that is tried again says what it said.
    pub(super) fn worded<'r>(
        &mut self,
        person: PersonNumber,
        request: &'r Request,
    ) -> Result<Cow<'r, Request>, TurnError> {
        let Some(line) = &self.rules.limits.opt_out_line else { return Ok(Cow::Borrowed(request)) };
        if is_code(request.kind.as_ref()) || request.retry_of.is_some() {
            return Ok(Cow::Borrowed(request));
        }
        for number in self.batch.newest_to(person, LOOKED_AT)? {
            if self.load(number)?.is_some_and(|message| went(&message)) {
                return Ok(Cow::Borrowed(request));
            }
        }
        let body = line.at_the_end_of(&request.body, &self.token_for(line, person)?);
        Ok(Cow::Owned(Request { body, ..request.clone() }))
    }

    /// The token of this person's link, if the line has one.
    pub(super) fn token_for(&mut self, line: &OptOutLine, person: PersonNumber) -> Result<String, TurnError> {
        let token = if line.has_link() { self.batch.opt_out_token(person)? } else { None };
        Ok(token.map(opt_out_link::shown).unwrap_or_default())
    }
}
