//! The envelope of table rows outside the journal: a version and a checksum before the payload.
//!
//! The checksum is CRC32C over the table's name, a zero byte, the key's bytes, the version and the
//! payload: so a row that was damaged, or that stands under another key, does not read.

use wincode::{SchemaReadOwned, SchemaWrite};

use super::RecordError;
use super::codec::{Layout, put, take};

/// Bytes before a row's payload: version, then checksum (little-endian).
pub(crate) const ROW_ENVELOPE_BYTES: usize = 5;

/// The bytes of a row.
pub(crate) fn put_row<T>(table: &str, key: &[u8], version: u8, row: &T) -> Result<Vec<u8>, RecordError>
where
    T: SchemaWrite<Layout, Src = T>,
{
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(&[version, 0, 0, 0, 0]);
    put(row, &mut out)?;
    sign(table, key, version, &mut out);
    Ok(out)
}

/// The bytes of a row whose payload is at hand.
pub(crate) fn put_bytes(table: &str, key: &[u8], version: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len().saturating_add(ROW_ENVELOPE_BYTES));
    out.extend_from_slice(&[version, 0, 0, 0, 0]);
    out.extend_from_slice(payload);
    sign(table, key, version, &mut out);
    out
}

/// Fills in the checksum of a row.
fn sign(table: &str, key: &[u8], version: u8, row: &mut [u8]) {
    let checksum = checksum(table, key, version, row.get(ROW_ENVELOPE_BYTES..).unwrap_or_default());
    if let Some(field) = row.get_mut(1..ROW_ENVELOPE_BYTES) {
        field.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads a row of this version.
pub(crate) fn take_row<T>(
    table: &'static str,
    key: &[u8],
    expected: u8,
    bytes: &[u8],
) -> Result<T, RecordError>
where
    T: SchemaReadOwned<Layout, Dst = T>,
{
    let (version, payload) = take_bytes(table, key, bytes)?;
    if version != expected {
        return Err(RecordError::UnknownVersion { name: table, version });
    }
    take(payload)
}

/// Reads the version and the payload of a row.
pub(crate) fn take_bytes<'a>(
    table: &str,
    key: &[u8],
    bytes: &'a [u8],
) -> Result<(u8, &'a [u8]), RecordError> {
    let Some(([version, stored @ ..], payload)) = bytes.split_first_chunk::<ROW_ENVELOPE_BYTES>() else {
        return Err(RecordError::TooShort { length: bytes.len(), envelope: ROW_ENVELOPE_BYTES });
    };
    let stored = u32::from_le_bytes(*stored);
    let computed = checksum(table, key, *version, payload);
    if stored != computed {
        return Err(RecordError::WrongChecksum { stored, computed });
    }
    Ok((*version, payload))
}

fn checksum(table: &str, key: &[u8], version: u8, payload: &[u8]) -> u32 {
    let place = crc32c::crc32c_append(crc32c::crc32c(table.as_bytes()), &[0]);
    let place = crc32c::crc32c_append(crc32c::crc32c_append(place, key), &[version]);
    crc32c::crc32c_append(place, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_flip_and_every_other_key_is_detected() {
        let bytes = put_row("t", b"k", 1, &0x1234_5678_u32).unwrap();
        assert_eq!(take_row::<u32>("t", b"k", 1, &bytes).unwrap(), 0x1234_5678);
        assert!(take_row::<u32>("t", b"l", 1, &bytes).is_err(), "under another key");
        assert!(take_row::<u32>("u", b"k", 1, &bytes).is_err(), "in another table");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(take_row::<u32>("t", b"k", 1, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(take_row::<u32>("t", b"k", 1, &bytes[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn row_of_a_newer_version_is_refused_with_the_remedy() {
        let bytes = put_row("messages", b"k", 2, &1_u8).unwrap();
        let error = take_row::<u8>("messages", b"k", 1, &bytes).unwrap_err();
        assert!(error.to_string().ends_with("written by a newer dunlin: upgrade"), "{error}");
    }
}
