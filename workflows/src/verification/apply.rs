//! What an event makes of a verification. Total: no clock, no rules.

use crate::timestamp::Timestamp;
use crate::verification::{Event, Standing, Verification, Via};

impl Verification {
    /// Folds one more event into what is known; `at` is when it happened.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Started { person, user, via, expires_at, digest } => {
                let goes_on = self.standing == Standing::Pending && at < self.expires_at;
                // A code that is sent again does not buy more guesses to whoever asked for it.
                let checks = if goes_on && self.user == *user { self.checks } else { 0 };
                let standing = match via {
                    Via::Service => Standing::Starting { since: at, lost: 0 },
                    Via::Message | Via::Notice => Standing::Pending,
                };
                *self = Self {
                    person: Some(*person),
                    user: *user,
                    via: *via,
                    expires_at: *expires_at,
                    sent_at: at,
                    sends: if goes_on { self.sends.saturating_add(1) } else { 1 },
                    checks,
                    sid: self.sid.filter(|_| goes_on),
                    digest: *digest,
                    standing,
                };
            }
            Event::CodeSent { sid } => {
                self.sid = Some(*sid);
                self.standing = Standing::Pending;
            }
            Event::SendRefused { refusal } => {
                // One that was sent before may still arrive, and counts.
                let earlier = self.sends > 1;
                self.standing =
                    if earlier { Standing::Pending } else { Standing::Failed { refusal: *refusal } };
                self.sends = self.sends.saturating_sub(1);
            }
            Event::SendLost { again } => {
                let lost = if let Standing::Starting { lost, .. } = self.standing { lost } else { 0 };
                self.standing = if *again {
                    Standing::Starting { since: at, lost: lost.saturating_add(1) }
                } else {
                    Standing::Pending
                };
            }
            Event::CheckStarted { digest } => {
                self.digest = Some(*digest);
                self.standing = Standing::Checking { since: at };
            }
            Event::CodeRefused { is_last } => {
                self.checks = self.checks.saturating_add(1);
                self.standing = if *is_last { Standing::Spent } else { Standing::Pending };
            }
            Event::Approved => self.standing = Standing::Approved,
            Event::Preempted => {
                self.checks = self.checks.saturating_add(1);
                self.via = Via::Notice;
                self.digest = None;
                self.standing = Standing::Pending;
            }
            Event::ChecksSpent => self.standing = Standing::Spent,
            Event::CheckFailed => self.standing = Standing::Pending,
            Event::CheckLost => self.standing = Standing::Doubtful { since: at, lookups: 0 },
            Event::LookupStarted => {
                let lookups =
                    if let Standing::Doubtful { lookups, .. } = self.standing { lookups } else { 0 };
                self.standing = Standing::Doubtful { since: at, lookups: lookups.saturating_add(1) };
            }
            Event::Expired => self.standing = Standing::Expired,
        }
    }
}
