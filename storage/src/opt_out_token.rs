//! Tokens of opt-out links: each names one person, only we can make one, and it says nothing to anybody else.
//!
//! ```text
//! tag [12]: keyed hash of the name, cut | name [12], hidden under a keyed hash of the tag
//!                                         name: person u64, check u32
//! ```
//!
//! Both keys follow from the index key, which outlives rotations of the master keys and restored backups, as links in texts
//! must. The check follows from the person's data key: so it is gone with an erasure, and whoever was given the same
//! person number in a restored store is nobody that an older link names.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use dunlin_workflows::id::PersonNumber;

use crate::batch::Batch;
use crate::error::{BatchError, ReadError};
use crate::person::Person;
use crate::reader::Reader;
use crate::seal::Keyring;
use crate::store::Store;

/// Bytes of a token: without a rest in base64.
const LENGTH: usize = 24;
const HALF: usize = 12;

/// What a link names a person by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptOutToken([u8; LENGTH]);

type Half = [u8; HALF];

impl OptOutToken {
    /// The token with these bytes, whether we made it or not.
    pub const fn new(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    fn seal(number: PersonNumber, person: &Person, keyring: &Keyring) -> Self {
        let keys = keyring.opt_out_keys();
        let mut name = Half::default();
        let (first, second) = name.split_at_mut(8);
        first.copy_from_slice(&number.get().to_be_bytes());
        second.copy_from_slice(&check(person));
        let tag = cut(&keys.tag, &name);
        let mut token = [0; LENGTH];
        let (first, second) = token.split_at_mut(HALF);
        first.copy_from_slice(&tag);
        second.copy_from_slice(&hidden(&keys.mask, &tag, name));
        Self(token)
    }

    /// The person that it names, and the check; `None` for whatever we did not make. Reads nothing, and takes as long for any.
    fn open(self, keyring: &Keyring) -> Option<(PersonNumber, [u8; 4])> {
        let keys = keyring.opt_out_keys();
        let (tag, name) = self.0.split_at(HALF);
        let (tag, name): (Half, Half) = (tag.try_into().ok()?, name.try_into().ok()?);
        let name = hidden(&keys.mask, &tag, name);
        verify_slices_are_equal(&cut(&keys.tag, &name), &tag).ok()?;
        let (number, check) = name.split_at(8);
        Some((PersonNumber::new(u64::from_be_bytes(number.try_into().ok()?)), check.try_into().ok()?))
    }
}

/// What only the person's own key makes.
fn check(person: &Person) -> [u8; 4] {
    let [a, b, c, d, ..] = blake3::derive_key("dunlin opt-out link of a person", person.key().bytes());
    [a, b, c, d]
}

fn cut(key: &[u8; 32], bytes: &[u8]) -> Half {
    let mut half = Half::default();
    half.iter_mut().zip(blake3::keyed_hash(key, bytes).as_bytes()).for_each(|(to, from)| *to = *from);
    half
}

/// A name under the mask that belongs to its tag; the same again takes it off.
fn hidden(key: &[u8; 32], tag: &Half, mut name: Half) -> Half {
    name.iter_mut().zip(cut(key, tag)).for_each(|(byte, mask)| *byte ^= mask);
    name
}

impl Store {
    /// Whether we made this token. Reads nothing, so that whoever guesses costs nothing.
    pub fn is_opt_out_token(&self, token: OptOutToken) -> bool {
        token.open(&self.keys).is_some()
    }
}

impl Reader {
    /// What a link names this person by; `None` once they were erased, and without keys.
    pub fn opt_out_token(&self, person: PersonNumber) -> Result<Option<OptOutToken>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        Ok(self.person(person)?.map(|open| OptOutToken::seal(person, &open, keyring)))
    }

    /// Whom a token names; `None` for whatever we did not make, which costs no look into the file, and once they were erased.
    pub fn person_of_opt_out_token(&self, token: OptOutToken) -> Result<Option<PersonNumber>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        let Some((number, told)) = token.open(keyring) else { return Ok(None) };
        let known = self.person(number)?;
        Ok(known.filter(|open| verify_slices_are_equal(&check(open), &told).is_ok()).map(|_| number))
    }
}

impl Batch<'_> {
    /// What a link names this person by; `None` once they were erased.
    pub fn opt_out_token(&mut self, person: PersonNumber) -> Result<Option<OptOutToken>, BatchError> {
        let keyring = Arc::clone(&self.keyring);
        Ok(self.open_person(person)?.map(|open| OptOutToken::seal(person, open, &keyring)))
    }
}

#[cfg(test)]
mod tests {
    use dunlin_workflows::phone_number::PhoneNumber;
    use proptest::prelude::*;

    use super::*;
    use crate::seal::Entropy;

    fn ring(seed: u64) -> Keyring {
        Keyring::generate(&Entropy::seeded(seed)).unwrap()
    }

    fn person(seed: u64, ring: &Keyring) -> Person {
        Person::new(PhoneNumber::from_digits(15_551_234_567).unwrap(), ring, &Entropy::seeded(seed)).unwrap()
    }

    proptest! {
        #[test]
        fn open_after_seal_is_identity_and_any_other_bit_opens_nothing(number: u64, bit in 0..LENGTH * 8) {
            let ring = ring(1);
            let ada = person(2, &ring);
            let token = OptOutToken::seal(PersonNumber::new(number), &ada, &ring);
            prop_assert_eq!(token.open(&ring), Some((PersonNumber::new(number), check(&ada))));
            let mut other = token;
            other.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(other.open(&ring), None);
        }

        #[test]
        fn nothing_else_opens(bytes: [u8; LENGTH]) {
            prop_assert_eq!(OptOutToken::new(bytes).open(&ring(1)), None);
        }
    }

    #[test]
    fn token_opens_after_a_rotation_and_with_no_other_keys() {
        let (ours, theirs) = (ring(1), ring(4));
        let token = OptOutToken::seal(PersonNumber::new(7), &person(2, &ours), &ours);
        assert!(token.open(&ours.rotated(&Entropy::seeded(3)).unwrap()).is_some());
        assert_eq!(token.open(&theirs), None);
    }

    /// Numbers that follow each other, or the same number after a restored backup, are told apart by nobody.
    #[test]
    fn tokens_show_neither_number_nor_order() {
        let ring = ring(1);
        let ada = person(2, &ring);
        let tokens: Vec<_> =
            (1..=200).map(|n| OptOutToken::seal(PersonNumber::new(n), &ada, &ring)).collect();
        let differ = |(one, two): (&OptOutToken, &OptOutToken)| {
            one.0.iter().zip(two.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
        };
        let bits: u32 = tokens.iter().zip(tokens.iter().skip(1)).map(differ).sum();
        assert!((80 * 199..112 * 199).contains(&bits), "half of the 192 bits change: {bits}");
        let again = OptOutToken::seal(PersonNumber::new(1), &person(3, &ring), &ring);
        assert_ne!(tokens.first(), Some(&again));
    }
}
