//! Rows of texts as columns: an array for each field, which the database reads in half the time of as many objects.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::batch::{Born, MessageRow};

/// Writes rows as an object of arrays of the same length. A field that no row has is left out.
pub(super) fn of<S: Serializer>(rows: &[MessageRow], serializer: S) -> Result<S::Ok, S::Error> {
    let mut columns = Columns { rows, map: serializer.serialize_map(None)? };
    columns.all("id", |row| Text(&row.id))?;
    columns.all("version", |row| row.version)?;
    columns.all("status", |row| row.status)?;
    columns.all("state", |row| row.state)?;
    columns.some("reason", |row| row.reason.as_ref())?;
    columns.all("finished", |row| row.finished)?;
    columns.all("attempt_count", |row| row.attempt_count)?;
    columns.some("twilio_sid", |row| row.twilio_sid.as_ref())?;
    columns.some("twilio_status", |row| row.twilio_status.as_ref())?;
    columns.some("twilio_error_code", |row| row.twilio_error_code)?;
    columns.some("twilio_error_message", |row| row.twilio_error_message.as_ref())?;
    columns.some("sent_at", |row| row.sent_at)?;
    columns.some("delivered_at", |row| row.delivered_at)?;
    columns.some("next_retry_at", |row| row.next_retry_at)?;
    columns.some("rescheduled_for", |row| row.rescheduled_for)?;
    columns.born("user_id", |born| Some(Text(&born.user_id)))?;
    columns.born("phone_number", |born| Some(&born.phone_number))?;
    columns.born("message_content", |born| Some(&born.message_content))?;
    columns.born("template_key", |born| born.template_key.as_ref())?;
    columns.born("template_vars", |born| born.template_vars.as_ref())?;
    columns.born("priority", |born| Some(born.priority))?;
    columns.born("scheduled_for", |born| born.scheduled_for)?;
    columns.born("metadata", |born| born.metadata.as_ref())?;
    columns.born("created_at", |born| Some(born.created_at))?;
    columns.map.end()
}

struct Columns<'a, M> {
    rows: &'a [MessageRow],
    map: M,
}

impl<'a, M: serde::ser::SerializeMap> Columns<'a, M> {
    fn all<T: Serialize>(
        &mut self,
        name: &'static str,
        get: impl Fn(&'a MessageRow) -> T,
    ) -> Result<(), M::Error> {
        self.map.serialize_entry(name, &Column { rows: self.rows, get })
    }

    fn some<T: Serialize>(
        &mut self,
        name: &'static str,
        get: impl Fn(&'a MessageRow) -> Option<T>,
    ) -> Result<(), M::Error> {
        if self.rows.iter().any(|row| get(row).is_some()) { self.all(name, get) } else { Ok(()) }
    }

    fn born<T: Serialize>(
        &mut self,
        name: &'static str,
        get: impl Fn(&'a Born) -> Option<T>,
    ) -> Result<(), M::Error> {
        self.some(name, |row| row.born.as_deref().and_then(&get))
    }
}

/// One field of every row.
struct Column<'a, F> {
    rows: &'a [MessageRow],
    get: F,
}

impl<'a, T: Serialize, F: Fn(&'a MessageRow) -> T> Serialize for Column<'a, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(&self.get))
    }
}

/// A value that travels as text.
struct Text<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
