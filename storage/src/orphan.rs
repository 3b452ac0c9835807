//! Orphans: callbacks for a message that is not known yet, because they may be faster than the
//! provider's answer to the submission.

use dunlin_workflows::id::ProviderSid;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};

use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::record::RecordError;
use crate::record::envelope::{put_row, take_row};
use crate::record::message::provider_sid;
use crate::record::row::OrphanRowV1;
use crate::record::tag::{Tagged, word};

/// Most orphans kept for one SID. The provider has fewer outbound statuses than twice that.
pub const ORPHANS_PER_SID_MAX: u64 = 8;

/// Most orphans kept at all.
pub const ORPHANS_MAX: u64 = 10_000;

/// A callback for a message that is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan {
    /// The provider's name for the message.
    pub sid: ProviderSid,
    /// The provider's word.
    pub status: ProviderStatus,
    /// The provider's error code, when it gave one.
    pub code: Option<u32>,
    /// When the callback came.
    pub at: Timestamp,
}

/// Where an orphan stands in its table.
type Key = ([u8; 34], u64);

impl Batch<'_> {
    /// Keeps a callback until its message is known. When there are too many, the oldest of its SID
    /// ([`ORPHANS_PER_SID_MAX`]) or of all ([`ORPHANS_MAX`]) gives way, and is returned.
    pub fn put_orphan(&mut self, orphan: &Orphan) -> Result<Option<Orphan>, BatchError> {
        let put = put(&mut self.tables, orphan);
        self.noted(put)
    }

    /// Takes out every callback kept for this SID, in the order they came.
    pub fn take_orphans(&mut self, sid: ProviderSid) -> Result<Vec<Orphan>, BatchError> {
        let taken = take(&mut self.tables, sid);
        self.noted(taken)
    }

    /// Takes out callbacks that came before `before`, oldest first, at most `limit`.
    pub fn purge_orphans(&mut self, before: Timestamp, limit: usize) -> Result<Vec<Orphan>, BatchError> {
        let purged = oldest(&mut self.tables, before, limit)
            .and_then(|keys| keys.iter().map(|key| remove(&mut self.tables, key)).collect());
        self.noted(purged)
    }
}

fn put(tables: &mut Tables<'_>, orphan: &Orphan) -> Result<Option<Orphan>, BatchError> {
    let kept = keys(tables, orphan.sid)?;
    let crowded = u64::try_from(kept.len()).unwrap_or(u64::MAX) >= ORPHANS_PER_SID_MAX;
    let full = tables.orphans.open()?.len().map_err(Fault::from)? >= ORPHANS_MAX;
    let gives_way = match kept.first() {
        Some(first) if crowded => Some(*first),
        Some(_) | None if full => oldest(tables, Timestamp::MAX, 1)?.first().copied(),
        Some(_) | None => None,
    };
    let evicted = gives_way.map(|key| remove(tables, &key)).transpose()?;
    let count = kept.last().map_or(0, |(_, count)| *count).saturating_add(1);
    let (sid, at_ms) = (orphan.sid.as_bytes(), orphan.at.as_millis());
    let row = OrphanRowV1 { status: orphan.status.tag(), code: orphan.code, at_ms };
    let bytes = put_row("orphans", &key_bytes(sid, count), 1, &row)?;
    tables.orphans.open()?.insert((sid, count), bytes.as_slice()).map_err(Fault::from)?;
    tables.orphan_age.open()?.insert((at_ms, sid, count), ()).map_err(Fault::from)?;
    Ok(evicted)
}

fn take(tables: &mut Tables<'_>, sid: ProviderSid) -> Result<Vec<Orphan>, BatchError> {
    keys(tables, sid)?.iter().map(|key| remove(tables, key)).collect()
}

/// The keys of the orphans of `sid`, in the order they came.
fn keys(tables: &mut Tables<'_>, sid: ProviderSid) -> Result<Vec<Key>, BatchError> {
    let sid = sid.as_bytes();
    let range = tables.orphans.open()?.range((sid, 0)..=(sid, u64::MAX)).map_err(Fault::from)?;
    let keys = range.map(|entry| entry.map(|(key, _)| (*sid, key.value().1)));
    Ok(keys.collect::<Result<_, _>>().map_err(Fault::from)?)
}

/// The keys of the oldest orphans, at most `limit`, that came before `before`.
fn oldest(tables: &mut Tables<'_>, before: Timestamp, limit: usize) -> Result<Vec<Key>, BatchError> {
    let range = tables.orphan_age.open()?.range(..(before.as_millis(), &[0; 34], 0)).map_err(Fault::from)?;
    let keys = range.take(limit).map(|entry| {
        entry.map(|(key, _)| {
            let (_, sid, count) = key.value();
            (*sid, count)
        })
    });
    Ok(keys.collect::<Result<_, _>>().map_err(Fault::from)?)
}

/// Takes the orphan out of both tables.
fn remove(tables: &mut Tables<'_>, key: &Key) -> Result<Orphan, BatchError> {
    let (sid, count) = key;
    let removed = tables.orphans.open()?.remove((sid, *count)).map_err(Fault::from)?;
    let bytes = removed.map(|bytes| bytes.value().to_vec()).unwrap_or_default();
    let orphan = decode(sid, *count, &bytes)?;
    tables.orphan_age.open()?.remove((orphan.at.as_millis(), sid, *count)).map_err(Fault::from)?;
    Ok(orphan)
}

/// Reads a row of `orphans`.
pub(crate) fn decode(sid: &[u8; 34], count: u64, bytes: &[u8]) -> Result<Orphan, ReadError> {
    let read = || -> Result<Orphan, RecordError> {
        let row: OrphanRowV1 = take_row("orphans", &key_bytes(sid, count), 1, bytes)?;
        Ok(Orphan {
            sid: provider_sid(sid)?,
            status: word(row.status)?,
            code: row.code,
            at: Timestamp::from_millis(row.at_ms),
        })
    };
    read().map_err(|source| {
        let key = format!("{} {count}", String::from_utf8_lossy(sid));
        ReadError::Row { table: "orphans", key, source }
    })
}

/// What a row's checksum covers of its key.
fn key_bytes(sid: &[u8; 34], count: u64) -> Vec<u8> {
    let mut key = sid.to_vec();
    key.extend_from_slice(&count.to_le_bytes());
    key
}
