//! Whose a message is, where several daemons share one database.

use crate::message::Report;
use crate::timestamp::Timestamp;

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Custody {
    /// Ours: no other daemon can have it.
    #[default]
    Own,
    /// Claimed from a shared database: it is sent only after the claim was confirmed, and not while the lease is lapsed.
    Claimed,
    /// Another daemon has it. An attempt of ours that was under way is followed to its end, and none follows it.
    Elsewhere,
}

/// Every custody with the word for it.
pub const CUSTODIES: [(Custody, &str); 3] =
    [(Custody::Own, "own"), (Custody::Claimed, "claimed"), (Custody::Elsewhere, "elsewhere")];

impl Custody {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        CUSTODIES.into_iter().find(|(custody, _)| *custody == self).map_or("", |(_, word)| word)
    }
}

/// Whether what was claimed from a shared database is ours at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lease {
    /// It is, or nobody gave a lease.
    #[default]
    InForce,
    /// Another daemon may have it by now.
    Lapsed,
}

/// What somebody else, who had a message before us, may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspicion {
    /// They can't have sent it before this instant.
    pub since: Timestamp,
    /// What the provider called it, and its newest word, when they left both. Taken as if a search had found it.
    pub known: Option<Report>,
}
