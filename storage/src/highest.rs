//! The highest numbers that were given. They are read once and handed from batch to batch, since nobody but the batches
//! gives any: asking the file costs every batch a table and a way down in it for each.

use std::collections::BTreeMap;

use dunlin_workflows::id::{MessageId, MessageNumber, PersonNumber, UserNumber};
use redb::ReadableTable;

use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault};

/// The highest numbers that were given, as far as they were asked for. What leaves the file lowers none of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Highest {
    /// Of a message.
    pub(crate) message: Option<MessageNumber>,
    /// The highest id of a message in the file; all zeros when there is none.
    pub(crate) id: Option<MessageId>,
    /// Of a person who is in the file, or was.
    pub(crate) person: Option<PersonNumber>,
    /// Of a user.
    pub(crate) user: Option<UserNumber>,
    /// Of an instance of each kind.
    pub(crate) instances: BTreeMap<u8, u64>,
}

/// The highest number of a message in the file; 0 when there is none.
pub(crate) fn message(tables: &mut Tables<'_>) -> Result<MessageNumber, BatchError> {
    let last = tables.messages.open()?.last().map_err(Fault::from)?;
    Ok(MessageNumber::new(last.map_or(0, |(number, _)| number.value())))
}

/// The highest id of a message in the file; all zeros when there is none.
pub(crate) fn id(tables: &mut Tables<'_>) -> Result<MessageId, BatchError> {
    let last = tables.message_ids.open()?.last().map_err(Fault::from)?;
    Ok(MessageId::from_bytes(last.map_or([0; 16], |(id, _)| *id.value())))
}
