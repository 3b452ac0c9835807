//! Journal records, in every version there ever was.
//!
//! Input: the bytes of a record. They are read as they are, and once more with their length and checksum
//! put right, so that what is inside them is reached.

use dunlin_storage::record::{FIELDS, HEADER_BYTES};
use dunlin_storage::{JournalSeq, Record, RecordError};

use super::slow_hash::crc32c;

/// Where in the journal every record is read.
pub const PLACE: u64 = 1 << 32;

/// Bytes of the one field that the first layout of the header has not.
const ACTOR_BYTES: usize = 4;

/// A record that is read is written back as the same record, and holds no more than its bytes.
pub fn record(input: &[u8]) {
    judge(input, Record::decode, Record::encode);
    if let Some(sound) = sound(input) {
        judge(&sound, Record::decode, Record::encode);
        let checked = Record::decode(JournalSeq::new(PLACE), &sound);
        let damage = matches!(
            checked,
            Err(RecordError::WrongChecksum { .. }
                | RecordError::WrongLength { .. }
                | RecordError::TooShort { .. })
        );
        assert!(!damage, "a sound record is called damaged: {checked:?}");
        let elsewhere = Record::decode(JournalSeq::new(PLACE + 1), &sound);
        assert!(elsewhere.is_err(), "a record that was moved is read");
    }
}

/// Judges a reader and a writer by one record.
pub fn judge(
    bytes: &[u8],
    decode: impl Fn(JournalSeq, &[u8]) -> Result<Record, RecordError>,
    encode: impl Fn(&Record) -> Result<Vec<u8>, RecordError>,
) {
    let seq = JournalSeq::new(PLACE);
    let Ok(record) = decode(seq, bytes) else { return };
    assert_eq!(record.seq, seq);
    assert!(record.previous.is_none_or(|previous| previous < seq), "its own past");
    let written = encode(&record).expect("what was read can be written");
    assert!(written.len() <= bytes.len() + HEADER_BYTES, "more was read than there is");
    assert_eq!(decode(seq, &written).as_ref(), Ok(&record), "written and read again");
}

/// The record with the length and the checksum that its other bytes ask for.
pub fn sound(bytes: &[u8]) -> Option<Vec<u8>> {
    // The first layout is the same without the actor.
    let absent = if bytes.first() == Some(&1) { ACTOR_BYTES } else { 0 };
    let header = HEADER_BYTES - absent;
    let field = |name| {
        let found = FIELDS.iter().find(|(known, ..)| *known == name);
        found.map(|(_, at, length)| *at - absent..*at - absent + *length)
    };
    let (length_at, checksum_at) = (field("payload_length")?, field("checksum")?);
    let mut bytes = bytes.to_vec();
    let length = u32::try_from(bytes.len().checked_sub(header)?).ok()?;
    bytes.get_mut(length_at)?.copy_from_slice(&length.to_le_bytes());
    let (head, payload) = (bytes.get(..checksum_at.start)?, bytes.get(header..)?);
    let checksum = crc32c(&[&PLACE.to_le_bytes(), head, payload].concat());
    bytes.get_mut(checksum_at)?.copy_from_slice(&checksum.to_le_bytes());
    // A layout of the future is refused before its checksum is looked at.
    Some(bytes)
}
