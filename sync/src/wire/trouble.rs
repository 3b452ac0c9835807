//! Conflicts, and rows that can't be understood: what a person should look at.

use serde_json::Value;
use uuid::Uuid;

use super::fields::Fields;
use super::{FieldError, Instant};

/// Who wrote to a column that the engine owns. The engine's value was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The table.
    pub relation: String,
    /// The row.
    pub row_id: Uuid,
    /// The column.
    pub name: String,
    /// What they wrote, up to 200 characters.
    pub theirs: Option<String>,
    /// What was kept, up to 200 characters.
    pub ours: Option<String>,
    /// The database user that wrote it.
    pub writer: String,
    /// How often.
    pub times: u64,
    /// When it first happened.
    pub first_at: Instant,
    /// When it last happened.
    pub last_at: Instant,
}

/// A row that waits until somebody mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its own id.
    pub id: Uuid,
    /// `sms_messages` or `queue_jobs`.
    pub source: String,
    /// The row.
    pub row_id: Uuid,
    /// A word.
    pub reason: String,
    /// A sentence.
    pub detail: String,
    /// The daemon that parked it; `None` when the database did.
    pub daemon_id: Option<Uuid>,
    /// When it was parked.
    pub parked_at: Instant,
}

/// Everything that a person should look at, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Columns that others wrote to.
    pub conflicts: Vec<Conflict>,
    /// Rows that can't be understood.
    pub parked: Vec<Trouble>,
}

impl Troubles {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub fn read(answer: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the answer", answer)?;
        Ok(Self {
            conflicts: fields.list("conflicts")?.iter().map(conflict).collect::<Result<_, _>>()?,
            parked: fields.list("parked")?.iter().map(trouble).collect::<Result<_, _>>()?,
        })
    }
}

fn conflict(value: &Value) -> Result<Conflict, FieldError> {
    let fields = Fields::of("conflicts", value)?;
    Ok(Conflict {
        relation: fields.text("relation")?,
        row_id: fields.id("row_id")?,
        name: fields.text("name")?,
        theirs: fields.maybe_text("theirs")?,
        ours: fields.maybe_text("ours")?,
        writer: fields.text("writer")?,
        times: fields.count("times")?,
        first_at: fields.instant("first_at")?,
        last_at: fields.instant("last_at")?,
    })
}

fn trouble(value: &Value) -> Result<Trouble, FieldError> {
    let fields = Fields::of("parked", value)?;
    Ok(Trouble {
        id: fields.id("id")?,
        source: fields.text("source")?,
        row_id: fields.id("row_id")?,
        reason: fields.text("reason")?,
        detail: fields.text("detail")?,
        daemon_id: fields.maybe_id("daemon_id")?,
        parked_at: fields.instant("parked_at")?,
    })
}
