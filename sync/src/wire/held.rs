//! Texts that a daemon has and did not finish, as the database sees it.

use dunlin_workflows::id::MessageId;
use serde_json::Value;

use super::FieldError;
use super::fields::Fields;

/// One text that a daemon has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The text.
    pub id: MessageId,
    /// The newest position of the daemon's journal that reached its row; `None` before the first.
    pub version: Option<u64>,
}

impl Held {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub(crate) fn read_all(answer: &Value) -> Result<Vec<Self>, FieldError> {
        Fields::of("the answer", answer)?.list("held")?.iter().map(Self::read).collect()
    }

    fn read(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("held", value)?;
        let version = fields.any("version").map(|_| fields.count("version")).transpose()?;
        Ok(Self { id: fields.id("id")?, version })
    }

    /// Reads how many were given back.
    pub(crate) fn given_back(answer: &Value) -> Result<u64, FieldError> {
        Fields::of("the answer", answer)?.count("given_back")
    }
}
