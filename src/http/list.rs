//! `GET /v1/messages`: newest first, with filters and an opaque cursor.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use dunlin_storage::{Content, Filter, Projection, ReadError, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Message, Priority, PublicStatus, STATES, StateName, Terms, UserId};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use serde::Serialize;

use crate::http::App;
use crate::http::paging::{self, Paging};
use crate::http::problem::Problem;
use crate::message_json::MessageJson;

/// Most messages that one page looks at; a page may end early because of it.
const LOOKED_AT_MAX: usize = 5_000;

/// One page.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    data: Vec<MessageJson>,
    /// Whether there may be more.
    has_more: bool,
    next_cursor: Option<String>,
}

/// What a list lets through. Values of one filter add up, filters narrow each other down.
#[derive(Debug, Default)]
struct Wanted {
    paging: Paging,
    recipient: Option<PhoneNumber>,
    states: Vec<StateName>,
    statuses: Vec<PublicStatus>,
    priorities: Vec<Priority>,
    user_id: Option<UserId>,
}

/// The newest messages that fit.
pub(super) async fn list(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Problem> {
    let wanted = Wanted::parse(query.as_deref(), app.edge.default_region)?;
    paging::read(app, move |reader| Ok(wanted.page(reader)?)).await.map(Json)
}

impl Wanted {
    fn page(&self, reader: &Reader) -> Result<Page, ReadError> {
        let mut data = Vec::new();
        let Some(mut filter) = self.filter(reader)? else {
            return Ok(Page { data, has_more: false, next_cursor: None });
        };
        let mut looked_at = 0_usize;
        let next = loop {
            filter.limit = self.paging.limit.saturating_sub(data.len());
            let page = reader.list(&filter)?;
            looked_at = looked_at.saturating_add(page.messages.len());
            for (number, row) in &page.messages {
                if let Some((terms, content)) = self.content_if_fits(reader, *number, row)? {
                    data.push(MessageJson::new(reader, &terms, &content, &row.message)?);
                }
            }
            filter.before = page.next;
            let is_enough = data.len() >= self.paging.limit || looked_at >= LOOKED_AT_MAX;
            if page.next.is_none() || page.messages.is_empty() || is_enough {
                break page.next;
            }
        };
        let next_cursor = next.map(|number| paging::cursor(number.get()));
        Ok(Page { data, has_more: next_cursor.is_some(), next_cursor })
    }

    /// What the store can look for; `None` when nothing can fit.
    fn filter(&self, reader: &Reader) -> Result<Option<Filter>, ReadError> {
        let may_fit = |state: &StateName| {
            (self.states.is_empty() || self.states.contains(state))
                && (self.statuses.is_empty() || self.statuses.iter().any(|status| may_show(*state, *status)))
        };
        let mut states: Vec<StateName> = STATES.into_iter().map(|(state, _)| state).filter(may_fit).collect();
        if states.is_empty() {
            return Ok(None);
        }
        if states.len() == STATES.len() {
            states.clear();
        }
        let person = self.recipient.map(|to| reader.person_of(to)).transpose()?;
        if person == Some(None) {
            return Ok(None);
        }
        Ok(Some(Filter {
            states,
            person: person.flatten(),
            before: self.paging.before.map(MessageNumber::new),
            ..Filter::default()
        }))
    }

    /// What is in a message that the store let through, if it fits in everything else too.
    fn content_if_fits(
        &self,
        reader: &Reader,
        number: MessageNumber,
        row: &Projection,
    ) -> Result<Option<(Terms, Content)>, ReadError> {
        if !self.fits(&row.message) {
            return Ok(None);
        }
        let content = reader.content(number)?;
        Ok(content.filter(|(_, content)| match content {
            Content::Open(text) => self.user_id.is_none() || text.user_id == self.user_id,
            Content::Erased | Content::Locked => self.user_id.is_none(),
        }))
    }

    fn fits(&self, message: &Message) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&message.public_status()))
            && (self.priorities.is_empty() || self.priorities.contains(&message.priority))
    }

    fn parse(query: Option<&str>, region: Option<Region>) -> Result<Self, Problem> {
        paging::wanted(query, |wanted: &mut Self, name, value| wanted.take(name, value, region))
    }

    fn take(&mut self, name: &str, value: &str, region: Option<Region>) -> Result<(), Problem> {
        if self.paging.take(name, value)? {
            return Ok(());
        }
        let refuse = |why: &dyn std::fmt::Display| paging::refused(name, value, why);
        match name {
            "state" => {
                self.states.push(StateName::parse(value).ok_or_else(|| refuse(&"there is no such state"))?);
            }
            "status" => {
                let status = PublicStatus::parse(value).ok_or_else(|| refuse(&"there is no such status"))?;
                self.statuses.push(status);
            }
            "priority" => self.priorities.push(value.parse().map_err(|error| refuse(&error))?),
            "to" => self.recipient = Some(PhoneNumber::parse(value, region).map_err(|error| refuse(&error))?),
            "user_id" => self.user_id = Some(value.parse().map_err(|error| refuse(&error))?),
            unknown => {
                let known = "limit, cursor, state, status, priority, to, user_id";
                return Err(paging::unknown(unknown, known));
            }
        }
        Ok(())
    }
}

/// Whether a message in this state may show this status.
fn may_show(state: StateName, status: PublicStatus) -> bool {
    use PublicStatus as Shown;
    match state {
        StateName::Accepted => status == Shown::Pending,
        StateName::Held => matches!(status, Shown::Scheduled | Shown::Queued | Shown::Sending),
        StateName::Due => status == Shown::Queued,
        StateName::Submitting | StateName::Unknown => status == Shown::Sending,
        StateName::Submitted => matches!(status, Shown::Queued | Shown::Sending),
        StateName::Sent => status == Shown::Sent,
        StateName::Unconfirmed => matches!(status, Shown::Queued | Shown::Sending | Shown::Sent),
        StateName::Delivered => status == Shown::Delivered,
        StateName::Undelivered => status == Shown::Undelivered,
        StateName::Failed => status == Shown::Failed,
        StateName::Relinquished | StateName::Canceled | StateName::Expired | StateName::Suppressed => {
            status == Shown::Cancelled
        }
    }
}
