//! Whom a wish is for: a number that it names, or the number of its user.

use crate::message::{Request, UserId};
use crate::phone_number::PhoneNumber;

/// Whom something is for, as callers name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// A user, at the number that is theirs when it counts.
    User(UserId),
    /// A phone number.
    Number(PhoneNumber),
}

impl<To> Request<To> {
    /// The same wish for somebody else, or for the same one by another name.
    pub fn addressed<Other>(self, to: Other) -> Request<Other> {
        Request {
            id: self.id,
            to,
            body: self.body,
            priority: self.priority,
            scheduled_for: self.scheduled_for,
            expires_at: self.expires_at,
            on_unknown: self.on_unknown,
            user_id: self.user_id,
            metadata: self.metadata,
            retry_of: self.retry_of,
            kind: self.kind,
            template: self.template,
            may_bypass: self.may_bypass,
            is_claimed: self.is_claimed,
        }
    }
}

impl From<Request> for Request<Addressee> {
    fn from(request: Request) -> Self {
        let to = Addressee::Number(request.to);
        request.addressed(to)
    }
}
