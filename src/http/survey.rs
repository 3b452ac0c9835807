//! Texts that came to nothing, as a filter finds them: failures are counted and recoveries chosen from these.

use dunlin_storage::{Content, Filter, InstanceKind, ReadError, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Context, Lease, Message, StateName, UserId};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::recovery::{Obstacle, Reason, Selection, obstacle};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::template::TemplateKey;
use dunlin_workflows::timestamp::Timestamp;

use crate::http::{instant, recipient};

/// Most texts that one survey looks at; it says where the next goes on.
const LOOKED_AT_MAX: usize = 50_000;
/// How many are read at once.
const PAGE: usize = 1_000;

/// States in which a text came to nothing.
const NOTHING: [StateName; 3] = [StateName::Failed, StateName::Undelivered, StateName::Expired];

/// Names of filters, for whoever asks for another.
pub(super) const FILTERS: [&str; 8] =
    ["since", "until", "code", "class", "to", "user_id", "template", "cursor"];

/// Which texts that came to nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) selection: Selection,
    pub(super) to: Option<PhoneNumber>,
    pub(super) user_id: Option<UserId>,
    /// Of this template.
    pub(super) template: Option<TemplateKey>,
    /// Accepted before this one.
    pub(super) before: Option<MessageNumber>,
}

/// How texts are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judging<'a> {
    pub(super) now: Timestamp,
    pub(super) rules: &'a Rules,
    /// Whoever chose them said why they came to nothing.
    pub(super) named: bool,
    /// A deadline that replaces theirs.
    pub(super) expires_at: Option<Timestamp>,
}

/// A text that came to nothing.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) number: MessageNumber,
    pub(super) message: &'a Message,
    pub(super) reason: Reason,
    /// What stands in the way of trying it again.
    pub(super) obstacle: Option<Obstacle>,
}

impl Wanted {
    /// Takes one value of a filter: nothing when there is no such filter, or why the value is wrong.
    pub(super) fn take(
        &mut self,
        name: &str,
        value: &str,
        region: Option<Region>,
    ) -> Option<Result<(), String>> {
        fn told<T, E: std::fmt::Display>(read: Result<T, E>) -> Result<T, String> {
            read.map_err(|error| error.to_string())
        }
        let selection = &mut self.selection;
        Some(match name {
            "since" => told(instant::read(value)).map(|at| selection.since = Some(at)),
            "until" => told(instant::read(value)).map(|at| selection.until = Some(at)),
            "code" => told(value.parse()).map(|reason| selection.reasons.push(reason)),
            "class" => class(value).map(|class| selection.classes.push(class)),
            "to" => told(PhoneNumber::parse(value, region)).map(|to| self.to = Some(to)),
            "user_id" => told(value.parse()).map(|user| self.user_id = Some(user)),
            "template" => told(value.parse()).map(|key| self.template = Some(key)),
            "cursor" => {
                told(u64::from_str_radix(value, 16)).map(|at| self.before = Some(MessageNumber::new(at)))
            }
            _unknown => return None,
        })
    }

    /// Whether it says nothing but how far back: no choice at all.
    pub(super) fn is_empty(&self) -> bool {
        let Selection { since, reasons, classes, until: _ } = &self.selection;
        since.is_none()
            && reasons.is_empty()
            && classes.is_empty()
            && self.to.is_none()
            && self.user_id.is_none()
            && self.template.is_none()
    }

    /// Shows `see` every text that fits, newest first; gives where the next survey goes on, if it must.
    pub(super) fn survey(
        &self,
        reader: &Reader,
        judging: Judging<'_>,
        mut see: impl FnMut(&Found<'_>),
    ) -> Result<Option<MessageNumber>, ReadError> {
        let person = match self.to.map(|to| reader.person_of(to)).transpose()? {
            Some(None) => return Ok(None),
            Some(person) => person,
            None => None,
        };
        let named =
            self.template.as_ref().map(|key| reader.instance_named(InstanceKind::Template, key.as_str()));
        let template = match named.transpose()? {
            Some(None) => return Ok(None),
            Some(template) => template,
            None => None,
        };
        let mut filter = Filter {
            states: NOTHING.to_vec(),
            person,
            before: self.before,
            limit: PAGE,
            ..Filter::default()
        };
        for _ in 0..LOOKED_AT_MAX.div_euclid(PAGE) {
            let page = reader.list(&filter)?;
            for (number, row) in &page.messages {
                let Some(reason) = self.selection.takes(&row.message) else { continue };
                if template.is_some() && template != row.message.template.map(|used| used.number) {
                    continue;
                }
                let obstacle = judge(reader, &row.message, reason, judging)?;
                // Only the text tells whether it can still be read, and whose it is.
                let content = match obstacle {
                    Some(_) if self.user_id.is_none() => None,
                    Some(_) | None => reader.content(*number)?.map(|(_, content)| content),
                };
                let user_id = content.as_ref().and_then(|content| match content {
                    Content::Open(text) => text.user_id.as_ref(),
                    Content::Erased | Content::Locked => None,
                });
                if self.user_id.is_some() && self.user_id.as_ref() != user_id {
                    continue;
                }
                let unread = matches!(content, Some(Content::Erased | Content::Locked));
                let obstacle = obstacle.or(unread.then_some(Obstacle::Erased));
                see(&Found { number: *number, message: &row.message, reason, obstacle });
            }
            filter.before = page.next;
            if page.next.is_none() {
                return Ok(None);
            }
        }
        Ok(filter.before)
    }
}

/// What stands in the way of one, as far as that can be said without its text.
fn judge(
    reader: &Reader,
    message: &Message,
    reason: Reason,
    judging: Judging<'_>,
) -> Result<Option<Obstacle>, ReadError> {
    let Judging { now, rules, named, expires_at } = judging;
    let known = recipient::of_person(reader, message.person, message.user, rules)?;
    let context = Context { now, rules, recipient: &known, lease: Lease::InForce, jitter: 0 };
    Ok(obstacle(message, reason, named, expires_at, &context))
}

fn class(word: &str) -> Result<FailureClass, String> {
    let known = || FailureClass::ALL.map(FailureClass::as_str).join(", ");
    let class = FailureClass::ALL.into_iter().find(|class| class.as_str() == word);
    class.ok_or_else(|| format!("expected one of {}", known()))
}
