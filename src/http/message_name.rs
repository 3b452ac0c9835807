//! The `{id}` in a path: a message's own id, or the provider's.

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use dunlin_storage::{Located, Reader};
use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};

use crate::http::problem::{Code, Problem};

/// What callers call a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum MessageName {
    /// Its own id, a UUID.
    Id(MessageId),
    /// The provider's name for one of its attempts, `SM...` or `MM...`.
    Sid(ProviderSid),
}

impl MessageName {
    /// What `text` calls a message; `None` when it is no name of one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match (text.parse(), text.parse()) {
            (Ok(id), _) => Some(Self::Id(id)),
            (_, Ok(sid)) => Some(Self::Sid(sid)),
            _neither => None,
        }
    }

    /// The message that is called so, archives included.
    ///
    /// # Errors
    /// [`Code::MessageNotFound`].
    pub(super) fn find(self, reader: &Reader) -> Result<Located, Problem> {
        let found = match self {
            Self::Id(id) => reader.locate_id(id)?,
            Self::Sid(sid) => reader.locate_sid(sid)?,
        };
        found.ok_or_else(not_found)
    }

    /// The message that is called so, to which something may still happen.
    ///
    /// # Errors
    /// [`Code::MessageNotFound`], [`Code::MessageArchived`].
    pub(super) fn find_open(self, reader: &Reader) -> Result<MessageNumber, Problem> {
        let Located { number, is_archived, .. } = self.find(reader)?;
        if is_archived {
            let what = "the message was settled long ago and is in an archive; send a new one instead";
            return Err(Problem::new(Code::MessageArchived, what));
        }
        Ok(number)
    }
}

impl<S: Sync> FromRequestParts<S> for MessageName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Path(name) = parts.extract::<Path<String>>().await.map_err(|_not_utf8| not_found())?;
        Self::parse(&name).ok_or_else(not_found)
    }
}

/// No message is called so.
pub(super) fn not_found() -> Problem {
    Problem::new(Code::MessageNotFound, "there is no message with that id")
}
