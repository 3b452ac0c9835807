//! The token in a callback address: says which attempt a callback is about, and only we can make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dunlin_workflows::id::{Attempt, MessageNumber};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a token before encoding: number 8, attempt 4, tag 10.
const LENGTH: usize = 22;
const NAMED: usize = 12;

/// Seals (message, attempt) into an opaque token of 30 URL-safe characters.
///
/// The tag is an HMAC-SHA256 under the store's own key, cut to 80 bits: a token can't be guessed or altered.
pub fn seal(key: &[u8; 32], number: MessageNumber, attempt: Attempt) -> String {
    let mut bytes = [0_u8; LENGTH];
    let (named, tag) = bytes.split_at_mut(NAMED);
    named.copy_from_slice(&name(number, attempt));
    let full = mac(key, named).finalize().into_bytes();
    for (to, from) in tag.iter_mut().zip(full) {
        *to = from;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Opens a token; `None` for anything that [`seal`] did not make under this key.
pub fn open(key: &[u8; 32], token: &str) -> Option<(MessageNumber, Attempt)> {
    let mut bytes = [0_u8; LENGTH];
    let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
    if length != LENGTH {
        return None;
    }
    let (named, tag) = bytes.split_at(NAMED);
    mac(key, named).verify_truncated_left(tag).ok()?;
    let (number, attempt) = named.split_at(8);
    let number = MessageNumber::new(u64::from_be_bytes(number.try_into().ok()?));
    Some((number, Attempt::new(u32::from_be_bytes(attempt.try_into().ok()?))))
}

fn name(number: MessageNumber, attempt: Attempt) -> [u8; NAMED] {
    let mut named = [0_u8; NAMED];
    let (first, second) = named.split_at_mut(8);
    first.copy_from_slice(&number.get().to_be_bytes());
    second.copy_from_slice(&attempt.get().to_be_bytes());
    named
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac(key: &[u8; 32], named: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(named);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn open_after_seal_is_identity(number: u64, attempt: u32, key: [u8; 32]) {
            let (number, attempt) = (MessageNumber::new(number), Attempt::new(attempt));
            let token = seal(&key, number, attempt);
            prop_assert_eq!(token.len(), 30);
            prop_assert_eq!(open(&key, &token), Some((number, attempt)));
        }

        #[test]
        fn nothing_else_opens(token in "\\PC{0,40}", key: [u8; 32]) {
            prop_assert_eq!(open(&key, &token), None);
        }

        #[test]
        fn a_changed_token_or_key_opens_nothing(at in 0_usize..30, key: [u8; 32]) {
            let token = seal(&key, MessageNumber::new(7), Attempt::new(1));
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            prop_assert!(open(&key, &other).is_none_or(|named| named == (MessageNumber::new(7), Attempt::new(1)) && at == 29));
            let mut wrong = key;
            wrong[0] ^= 1;
            prop_assert_eq!(open(&wrong, &token), None);
        }
    }
}
