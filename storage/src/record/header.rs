//! The fixed part of every journal record, outside the codec: readable by every version.
//!
//! All integers are little-endian. The checksum is CRC32C over the record's position in the
//! journal (eight bytes), the header up to the checksum, and the payload: so a record that was
//! damaged or moved does not read.

use super::RecordError;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 42;

/// Bytes of the first header layout, which named no actor.
const HEADER_BYTES_V1: usize = 38;

/// The newest header layout.
pub const HEADER_VERSION: u8 = 2;

/// The payload is wincode, which is bincode's legacy configuration byte for byte.
pub(crate) const CODEC_WINCODE: u8 = 1;

/// The record belongs to a message.
pub(crate) const KIND_MESSAGE: u8 = 1;

/// The record belongs to a lane.
pub(crate) const KIND_LANE: u8 = 2;

/// The record belongs to a person.
pub(crate) const KIND_PERSON: u8 = 3;

/// Kinds from here on are those of small workflows; see [`InstanceKind`](crate::InstanceKind).
pub(crate) const KIND_INSTANCE_MIN: u8 = 4;

/// Every field of the header: name, offset, bytes. `FORMAT.md` prints the same table.
pub const FIELDS: [(&str, usize, usize); 12] = [
    ("format_version", 0, 1),
    ("kind", 1, 1),
    ("record_type", 2, 1),
    ("type_version", 3, 1),
    ("codec", 4, 1),
    ("source", 5, 1),
    ("at_ms", 6, 8),
    ("number", 14, 8),
    ("previous", 22, 8),
    ("actor", 30, 4),
    ("payload_length", 34, 4),
    ("checksum", 38, 4),
];

/// Bytes of the checksum, which everything before it is part of.
const CHECKSUM_BYTES: usize = 4;

/// A header without what follows from its place and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// See [`KIND_MESSAGE`] and [`KIND_LANE`].
    pub(crate) kind: u8,
    /// Which event, a number of its own per kind.
    pub(crate) record_type: u8,
    /// Which form of that event's payload.
    pub(crate) type_version: u8,
    /// Number of the source.
    pub(crate) source: u8,
    /// When it happened, milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    /// Number of the message or lane.
    pub(crate) number: u64,
    /// Position of the previous record of the same message or lane; 0 when there is none.
    pub(crate) previous: u64,
    /// Number of whoever asked; 0 when nobody with a name did.
    pub(crate) actor: u32,
}

impl Header {
    /// Appends header and payload for position `seq`.
    pub(crate) fn put(&self, seq: u64, payload: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.put_as(HEADER_VERSION, seq, payload, out)
    }

    /// The same, in a layout of the header that may be an older one.
    pub(crate) fn put_as(
        &self,
        layout: u8,
        seq: u64,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let too_long = || RecordError::TooLong { length: payload.len() };
        if payload.len() > super::codec::PAYLOAD_BYTES_MAX {
            return Err(too_long());
        }
        let length = u32::try_from(payload.len()).map_err(|_too_long| too_long())?;
        let start = out.len();
        out.extend_from_slice(&[
            layout,
            self.kind,
            self.record_type,
            self.type_version,
            CODEC_WINCODE,
            self.source,
        ]);
        out.extend_from_slice(&self.at_ms.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        if names_actor(layout) {
            out.extend_from_slice(&self.actor.to_le_bytes());
        }
        out.extend_from_slice(&length.to_le_bytes());
        let checksum = checksum(seq, out.get(start..).unwrap_or_default(), payload);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(payload);
        Ok(())
    }

    /// Reads the header of the record at position `seq`, checks everything, and gives its payload.
    pub(crate) fn take(seq: u64, bytes: &[u8]) -> Result<(Self, &[u8]), RecordError> {
        let names_actor = bytes.first().is_none_or(|layout| names_actor(*layout));
        let envelope = if names_actor { HEADER_BYTES } else { HEADER_BYTES_V1 };
        let short = || RecordError::TooShort { length: bytes.len(), envelope };
        let (head, payload) = bytes.split_at_checked(envelope).ok_or_else(short)?;
        let mut fields = Fields(head);
        let format = fields.byte().ok_or_else(short)?;
        if !(1..=HEADER_VERSION).contains(&format) {
            return Err(RecordError::Unknown { what: "record format", number: format });
        }
        let kind = fields.byte().ok_or_else(short)?;
        let record_type = fields.byte().ok_or_else(short)?;
        let type_version = fields.byte().ok_or_else(short)?;
        let codec = fields.byte().ok_or_else(short)?;
        let source = fields.byte().ok_or_else(short)?;
        let at_ms = i64::from_le_bytes(fields.array().ok_or_else(short)?);
        let number = u64::from_le_bytes(fields.array().ok_or_else(short)?);
        let previous = u64::from_le_bytes(fields.array().ok_or_else(short)?);
        let actor = if names_actor { u32::from_le_bytes(fields.array().ok_or_else(short)?) } else { 0 };
        let promised = u32::from_le_bytes(fields.array().ok_or_else(short)?);
        let stored = u32::from_le_bytes(fields.array().ok_or_else(short)?);
        if usize::try_from(promised) != Ok(payload.len()) {
            return Err(RecordError::WrongLength { promised, found: payload.len() });
        }
        let computed =
            checksum(seq, head.get(..envelope.saturating_sub(CHECKSUM_BYTES)).unwrap_or_default(), payload);
        if stored != computed {
            return Err(RecordError::WrongChecksum { stored, computed });
        }
        if codec != CODEC_WINCODE {
            return Err(RecordError::Unknown { what: "codec", number: codec });
        }
        Ok((Self { kind, record_type, type_version, source, at_ms, number, previous, actor }, payload))
    }
}

/// Whether a header of this layout says who asked.
fn names_actor(layout: u8) -> bool {
    layout != 1
}

fn checksum(seq: u64, head: &[u8], payload: &[u8]) -> u32 {
    let place = crc32c::crc32c(&seq.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(place, head), payload)
}

/// What is left of a header.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        kind: KIND_MESSAGE,
        record_type: 2,
        type_version: 3,
        source: 4,
        at_ms: -5,
        number: 6,
        previous: 7,
        actor: 8,
    };

    #[test]
    fn fields_follow_each_other_without_a_gap() {
        let end = FIELDS.iter().fold(0, |offset, (name, at, bytes)| {
            assert_eq!(offset, *at, "{name}");
            at + bytes
        });
        assert_eq!(end, HEADER_BYTES);
        assert!(FIELDS.contains(&("checksum", HEADER_BYTES - CHECKSUM_BYTES, CHECKSUM_BYTES)));
    }

    #[test]
    fn format_page_prints_the_same_header() {
        let page = include_str!("../../FORMAT.md");
        for (name, offset, bytes) in FIELDS {
            assert!(page.contains(&format!("| {offset} | {bytes} | `{name}` |")), "{name}");
        }
    }

    #[test]
    fn every_single_bit_flip_and_every_other_place_is_detected() {
        let mut bytes = Vec::new();
        HEADER.put(9, b"payload", &mut bytes).unwrap();
        assert_eq!(Header::take(9, &bytes).unwrap(), (HEADER, b"payload".as_slice()));
        assert!(Header::take(10, &bytes).is_err(), "moved to another position");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::take(9, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Header::take(9, &bytes[..length]).is_err(), "cut to {length}");
        }
        bytes.push(0);
        assert!(Header::take(9, &bytes).is_err(), "one byte too many");
    }
}
