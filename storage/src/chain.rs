//! The chain over the journal: one hash that stands for every record so far, so that whoever knows an
//! earlier one notices when history was rewritten or cut.
//!
//! `h(0)` is BLAKE3 of the chain's name; `h(n)` is BLAKE3 of `h(n-1)`, the position `n` as eight
//! bytes, and the record as stored. Sealed parts go in as ciphertext: an erasure changes no hash.

use std::fmt;
use std::str::FromStr;

use redb::ReadableTable;

use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;

/// The hash that stands for everything up to and including a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The position.
    pub seq: JournalSeq,
    hash: [u8; 32],
}

/// The text names no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a head is a position, a colon and 64 hexadecimal digits, as `dunlin verify` prints it")]
pub struct HeadError;

/// Bytes of a head in the file: position, hash.
pub(crate) const HEAD_BYTES: usize = 40;

/// Key of the newest head in its table.
pub(crate) const NEWEST: u8 = 0;

impl Head {
    /// The head of an empty journal.
    pub fn empty() -> Self {
        Self { seq: JournalSeq::START, hash: *blake3::hash(b"dunlin journal 2").as_bytes() }
    }

    /// The head after one more record.
    #[must_use]
    pub fn extended(&self, seq: JournalSeq, record: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash).update(&seq.get().to_le_bytes()).update(record);
        Self { seq, hash: *hasher.finalize().as_bytes() }
    }

    /// The head of a journal that ends here and is not chained: the hash stays and stands for nothing.
    pub(crate) fn unchained(self, seq: JournalSeq) -> Self {
        Self { seq, ..self }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let (seq, hash) = bytes.split_at_mut(8);
        seq.copy_from_slice(&self.seq.get().to_le_bytes());
        hash.copy_from_slice(&self.hash);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (seq, hash) = bytes.split_first_chunk::<8>()?;
        let hash = hash.try_into().ok()?;
        Some(Self { seq: JournalSeq::new(u64::from_le_bytes(*seq)), hash })
    }
}

/// The newest head that the file tells; that of an empty journal when it tells none.
pub(crate) fn newest(table: &impl ReadableTable<u8, &'static [u8]>) -> Result<Head, ReadError> {
    match table.get(NEWEST).map_err(Fault::from)? {
        Some(bytes) => Head::from_bytes(bytes.value()).ok_or(ReadError::Head),
        None => Ok(Head::empty()),
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, digits) = text.trim().split_once(':').ok_or(HeadError)?;
        let seq = seq.parse().map_err(|_not_a_number| HeadError)?;
        let hash = blake3::Hash::from_hex(digits).map_err(|_not_hexadecimal| HeadError)?;
        Ok(Self { seq: JournalSeq::new(seq), hash: *hash.as_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_reads_back_from_text_and_bytes() {
        let head = Head::empty().extended(JournalSeq::new(1), b"record");
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        assert_eq!(Head::from_bytes(&head.to_bytes()), Some(head));
        assert_eq!(Head::from_bytes(&[0; 39]), None);
        assert_eq!("1".parse::<Head>(), Err(HeadError));
        assert_eq!("x:00".parse::<Head>(), Err(HeadError));
    }

    #[test]
    fn every_record_and_its_place_tells_in_the_head() {
        let one = JournalSeq::new(1);
        let head = Head::empty().extended(one, b"a");
        assert_ne!(head, Head::empty().extended(one, b"b"));
        assert_ne!(head.to_bytes()[8..], Head::empty().extended(JournalSeq::new(2), b"a").to_bytes()[8..]);
        assert_ne!(head.extended(JournalSeq::new(2), b"b"), head);
    }
}
