//! One value sealed for one place. A value that was moved, cut or changed does not open.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::keyring::{KEY_BYTES, Key};

/// What stands where the tag would, under a key that seals nothing.
const BLANK_TAG: [u8; 16] = [0; 16];

/// Where a sealed value stands: what it is bound to, and its nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Table, column and form, four letters.
    pub(crate) field: [u8; 4],
    /// The record's or row's position. Unique for one key and field.
    pub(crate) position: u64,
    /// What else the value belongs to: the person, or the master key.
    pub(crate) owner: u64,
}

impl Place {
    fn nonce(&self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let (position, field) = nonce.split_at_mut(8);
        position.copy_from_slice(&self.position.to_le_bytes());
        field.copy_from_slice(&self.field);
        Nonce::assume_unique_for_key(nonce)
    }

    fn bound(&self) -> Aad<[u8; 20]> {
        let mut bound = [0; 20];
        let (field, rest) = bound.split_at_mut(4);
        let (position, owner) = rest.split_at_mut(8);
        field.copy_from_slice(&self.field);
        position.copy_from_slice(&self.position.to_le_bytes());
        owner.copy_from_slice(&self.owner.to_le_bytes());
        Aad::from(bound)
    }
}

/// Seals `plain` in place: afterwards it is 16 bytes longer and says nothing. `None` when the
/// cipher is not available, which no supported machine is known for.
pub(crate) fn seal(key: &Key, place: Place, plain: &mut Vec<u8>) -> Option<()> {
    let key = match key {
        Key::Secret(bytes) => aes(bytes)?,
        Key::Blank => {
            plain.extend_from_slice(&BLANK_TAG);
            return Some(());
        }
    };
    key.seal_in_place_append_tag(place.nonce(), place.bound(), plain).ok()
}

/// Opens what [`seal`] made for the same place with the same key; `None` for anything else.
pub(crate) fn open(key: &Key, place: Place, sealed: &[u8]) -> Option<Vec<u8>> {
    let key = match key {
        Key::Secret(bytes) => aes(bytes)?,
        Key::Blank => return sealed.strip_suffix(&BLANK_TAG).map(<[u8]>::to_vec),
    };
    let mut plain = sealed.to_vec();
    let length = key.open_in_place(place.nonce(), place.bound(), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

fn aes(bytes: &[u8; KEY_BYTES]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM_SIV, bytes).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { field: *b"text", position: 7, owner: 3 };

    fn key(byte: u8) -> Key {
        Key::new([byte; 32])
    }

    #[test]
    fn sealed_value_opens_only_unchanged_at_its_place_and_with_its_key() {
        let mut sealed = b"hello".to_vec();
        seal(&key(1), PLACE, &mut sealed).unwrap();
        assert_eq!(sealed.len(), 5 + 16);
        assert_eq!(open(&key(1), PLACE, &sealed).unwrap(), b"hello");
        assert!(open(&key(2), PLACE, &sealed).is_none(), "another key");
        for place in
            [Place { field: *b"numb", ..PLACE }, Place { position: 8, ..PLACE }, Place { owner: 4, ..PLACE }]
        {
            assert!(open(&key(1), place, &sealed).is_none(), "{place:?}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key(1), PLACE, &damaged).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(&key(1), PLACE, &sealed[..length]).is_none(), "cut to {length}");
        }
    }

    /// Source: RFC 8452, appendix C.2, first vectors of `AEAD_AES_256_GCM_SIV`, read 2026-11-24.
    #[test]
    fn cipher_is_the_one_of_the_standard() {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &bytes).unwrap());
        let mut nonce = [0; NONCE_LEN];
        nonce[0] = 3;
        let mut out = vec![1, 0, 0, 0, 0, 0, 0, 0];
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut out).unwrap();
        let expected = 0xc2ef_328e_5c71_c83b_8431_2213_0f73_64b7_u128.to_be_bytes();
        let end = 0x61e0_b974_27e3_df28_u64.to_be_bytes();
        assert_eq!(out, [expected.as_slice(), end.as_slice()].concat());
    }
}
