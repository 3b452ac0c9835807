//! Finding what a lost submission may have created, in the provider's list.
//!
//! An empty answer lets the engine send again, so it is given only when the list was read as far as
//! the message could be in it. Whatever keeps us from that makes the answer "unavailable".

use crate::engine::provider::{FindOutcome, Search};
use crate::twilio::answer::{MessageAnswer, PageAnswer};
use crate::twilio::client::{Sender, Twilio};
use crate::twilio::messages::candidate;
use crate::twilio::same_text::same_text;

/// Most pages of a list that one search reads.
const PAGES_MAX: usize = 5;
/// Messages asked for per page; the provider allows 1000.
const PAGE_SIZE: &str = "100";
/// The provider tells times in whole seconds, rounded down.
const SECOND_MS: i64 = 1000;

impl Twilio {
    /// Searches the list to the recipient, newest first, until it is older than the search.
    ///
    /// There is no filter by date: a message that still waits for its sender has no date of sending.
    pub(super) async fn search(&self, search: &Search) -> Result<FindOutcome, String> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", &search.to.to_string())
            .append_pair("PageSize", PAGE_SIZE)
            .finish();
        let mut url = format!("{}.json?{query}", self.messages_url);
        let mut matches = Vec::new();
        for _page in 0..PAGES_MAX {
            let page: PageAnswer = self.ask(&url).await?.ok_or("HTTP 404")?;
            for message in &page.messages {
                if self.fits(message, search)? {
                    matches.push(candidate(message)?);
                }
            }
            let Some(next) = page.next_page_uri.filter(|_| !is_past(&page.messages, search)) else {
                return Ok(FindOutcome::Matches(matches));
            };
            if !next.starts_with('/') {
                return Err("the list goes on at another address".to_owned());
            }
            url = format!("{}{next}", self.origin);
        }
        if matches.is_empty() {
            return Err(format!("the list has more than {PAGES_MAX} pages since the submission"));
        }
        Ok(FindOutcome::Matches(matches))
    }

    /// Whether a message may be the one searched for. One that has our text and no time of creation
    /// may or may not be.
    fn fits(&self, message: &MessageAnswer, search: &Search) -> Result<bool, String> {
        let ours = message.direction.as_deref() == Some("outbound-api");
        let same_sender = match &self.sender {
            Sender::MessagingService(sid) => {
                message.messaging_service_sid.as_ref().is_none_or(|named| named == sid)
            }
            Sender::From(from) => message.from.as_ref().is_none_or(|named| named == from),
        };
        let body = message.body.as_deref().unwrap_or_default();
        if !(ours && same_sender && same_text(body, search.body.as_str())) {
            return Ok(false);
        }
        let created_at = message.created_at().ok_or("a message in the list has no time of creation")?;
        let latest_ms = created_at.as_millis().saturating_add(SECOND_MS);
        Ok(latest_ms > search.created_from.as_millis() && created_at <= search.created_until)
    }
}

/// Whether the rest of the list was sent, and so created, before the search begins. Only a time of
/// sending says so: by that the list is sorted.
fn is_past(page: &[MessageAnswer], search: &Search) -> bool {
    page.last().is_none_or(|last| {
        last.sent_at()
            .is_some_and(|at| at.as_millis().saturating_add(SECOND_MS) <= search.created_from.as_millis())
    })
}
