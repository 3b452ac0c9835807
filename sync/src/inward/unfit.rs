//! Why a row can't be understood.

/// Why a row can't be understood, as it is told to whoever mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unfit {
    /// One word: what is wrong, such as `phone_number`.
    pub reason: &'static str,
    /// One sentence: the value, and the remedy.
    pub detail: String,
}

impl Unfit {
    /// A column whose value says nothing.
    pub(super) fn column(name: &'static str, why: impl std::fmt::Display) -> Self {
        Self { reason: name, detail: format!("{name}: {why}") }
    }
}
