//! Payload bytes: fixed-width little-endian fields in order, byte for byte what bincode's legacy
//! configuration writes. Nothing in them says what they are; the envelope around them does.

use wincode::config::Configuration;
use wincode::{SchemaReadOwned, SchemaWrite};

use super::RecordError;

/// Most bytes a payload may have, and most that a single length inside one may ask for.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;

/// Fixed-width little-endian integers, `u64` lengths; lengths are bounded before memory is taken.
pub(crate) type Layout = Configuration<true, PAYLOAD_BYTES_MAX>;

/// Appends the bytes of `payload`.
pub(crate) fn put<T>(payload: &T, out: &mut Vec<u8>) -> Result<(), RecordError>
where
    T: SchemaWrite<Layout, Src = T>,
{
    wincode::config::serialize_into(out, payload, Layout::new())
        .map_err(|error| RecordError::Payload { why: error.to_string() })
}

/// Reads a payload that fills `bytes` exactly.
pub(crate) fn take<T>(bytes: &[u8]) -> Result<T, RecordError>
where
    T: SchemaReadOwned<Layout, Dst = T>,
{
    wincode::config::deserialize_exact(bytes, Layout::new())
        .map_err(|error| RecordError::Payload { why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_length_is_refused_before_memory_is_taken() {
        let mut bytes = vec![0; 16];
        for claimed in [65_537_u64, 1 << 40, u64::MAX] {
            bytes[..8].copy_from_slice(&claimed.to_le_bytes());
            assert!(take::<String>(&bytes).is_err(), "{claimed}");
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = Vec::new();
        put(&7_u32, &mut bytes).unwrap();
        assert_eq!(take::<u32>(&bytes).unwrap(), 7);
        bytes.push(0);
        assert!(take::<u32>(&bytes).is_err());
    }
}
