//! The keys of a deployment: master keys that wrap everything else, and the key of the phone index.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use aws_lc_rs::hmac;
use dunlin_workflows::phone_number::PhoneNumber;
use zeroize::Zeroizing;

use super::entropy::{Entropy, EntropyError};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// First line of a file of keys.
const HEADING: &str = "dunlin keys 1";

/// Most master keys in one keyring: the current one and those that rotations left.
const MASTERS_MAX: usize = 16;

/// Sends neighbours far apart and no two numbers to the same place: 2^128 divided by the golden ratio, odd.
const SCATTER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A secret key. Wiped when dropped, never printed.
#[derive(Clone)]
pub(crate) enum Key {
    /// Seals.
    Secret(Zeroizing<[u8; KEY_BYTES]>),
    /// Seals nothing, for stores that are [measured](crate::Store::measured). No text, row or option
    /// makes one, only [`Keyring::blank`].
    Blank,
}

impl Key {
    pub(crate) fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self::Secret(Zeroizing::new(bytes))
    }

    pub(crate) fn draw(entropy: &Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self::Secret(bytes))
    }

    /// A new key to be wrapped by this one.
    pub(crate) fn draw_wrapped(&self, entropy: &Entropy) -> Result<Self, EntropyError> {
        match self {
            Self::Secret(_) => Self::draw(entropy),
            Self::Blank => Ok(Self::Blank),
        }
    }

    /// The key with these bytes, which this one wrapped.
    pub(crate) fn unwrapped(&self, bytes: [u8; KEY_BYTES]) -> Self {
        match self {
            Self::Secret(_) => Self::new(bytes),
            Self::Blank => Self::Blank,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        match self {
            Self::Secret(bytes) => bytes,
            Self::Blank => &[0; KEY_BYTES],
        }
    }

    fn id(&self) -> KeyId {
        let digest = blake3::derive_key("dunlin key id", self.bytes());
        let [a, b, c, d, ..] = digest;
        KeyId(u32::from_be_bytes([a, b, c, d]))
    }
}

/// A key's public name: eight hexadecimal digits that follow from the key and do not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// The id with this number.
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number.
    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The keys of a deployment. The first master key wraps what is new; the others only unwrap what
/// was wrapped before a rotation. `Debug` shows ids.
#[derive(Clone)]
pub struct Keyring {
    current: (KeyId, Key),
    retired: Vec<(KeyId, Key)>,
    index: Key,
    blind: hmac::Key,
}

/// What tokens of opt-out links are made with. Follow from the index key.
pub(crate) struct OptOutKeys {
    /// Makes the tag of a name.
    pub(crate) tag: Zeroizing<[u8; KEY_BYTES]>,
    /// Hides the name.
    pub(crate) mask: Zeroizing<[u8; KEY_BYTES]>,
}

/// The text is not a keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// It is something else, or of a newer version.
    #[error("keys begin with the line \"{HEADING}\"; make some with `dunlin keys generate`")]
    Heading,
    /// A line is none of those that belong there.
    #[error("line {line} of the keys is neither `master ID HEX` nor `index HEX` with 64 hexadecimal digits")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// An id does not follow from its key: a digit was changed.
    #[error("line {line} of the keys: the key has the id {found}, not the one in front of it; copy it again")]
    WrongId {
        /// Counted from 1.
        line: usize,
        /// The id that follows from the key.
        found: KeyId,
    },
    /// A part is missing or there twice.
    #[error("keys hold one to {MASTERS_MAX} different master keys and exactly one index key")]
    Parts,
}

impl Keyring {
    /// New keys.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn generate(entropy: &Entropy) -> Result<Self, EntropyError> {
        Ok(Self::of(Key::draw(entropy)?, Vec::new(), Key::draw(entropy)?))
    }

    /// The same keys with a new master key in front.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn rotated(&self, entropy: &Entropy) -> Result<Self, EntropyError> {
        let mut retired = vec![self.current.clone()];
        retired.extend(self.retired.iter().cloned());
        retired.truncate(MASTERS_MAX.saturating_sub(1));
        Ok(Self::of(Key::draw(entropy)?, retired, self.index.clone()))
    }

    /// The same keys without the master keys that only unwrap.
    #[must_use]
    pub fn without_retired(&self) -> Self {
        Self { retired: Vec::new(), ..self.clone() }
    }

    /// Keys that seal nothing, for a store that is [measured](crate::Store::measured).
    pub(crate) fn blank() -> Self {
        Self::of(Key::Blank, Vec::new(), Key::Blank)
    }

    fn of(current: Key, retired: Vec<(KeyId, Key)>, index: Key) -> Self {
        let blind = hmac::Key::new(hmac::HMAC_SHA256, index.bytes());
        Self { current: (current.id(), current), retired, index, blind }
    }

    /// The id of the master key that wraps what is new.
    pub fn current(&self) -> KeyId {
        self.current.0
    }

    /// The ids of every master key, the current one first.
    pub fn masters(&self) -> Vec<KeyId> {
        std::iter::once(&self.current).chain(&self.retired).map(|(id, _)| *id).collect()
    }

    /// The id of the index key.
    pub fn index(&self) -> KeyId {
        self.index.id()
    }

    /// The master key that wraps what is new.
    pub(crate) fn wrapping(&self) -> (KeyId, &Key) {
        (self.current.0, &self.current.1)
    }

    /// The master key with this id.
    pub(crate) fn master(&self, id: KeyId) -> Option<&Key> {
        std::iter::once(&self.current)
            .chain(&self.retired)
            .find(|(known, _)| *known == id)
            .map(|(_, key)| key)
    }

    /// What a phone number is looked up by: nobody without the key can tell the number from it, nor
    /// try all numbers. A blank key scatters numbers and hides nothing, so that the index has the
    /// same work with them.
    pub(crate) fn blind(&self, number: PhoneNumber) -> [u8; 16] {
        if matches!(self.index, Key::Blank) {
            return u128::from(number.digits()).wrapping_mul(SCATTER).to_be_bytes();
        }
        let tag = hmac::sign(&self.blind, &number.digits().to_le_bytes());
        let mut hash = [0; 16];
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// What a name is looked up by: nobody without the key can tell the name from it, nor try names. `kind`
    /// keeps equal names of different things apart.
    pub(crate) fn blind_name(&self, kind: u8, name: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.blind);
        // Nine bytes in front, where a phone number has eight in all.
        context.update(b"instance");
        context.update(&[kind]);
        context.update(name.as_bytes());
        let mut hash = [0; 16];
        hash.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// What a stream is found by: `kind` and `name` say which.
    pub(crate) fn blind_stream(&self, kind: u8, name: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.blind);
        context.update(b"stream");
        context.update(&[kind]);
        context.update(name.as_bytes());
        let mut hash = [0; 16];
        hash.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    /// What tokens of opt-out links are made with.
    pub(crate) fn opt_out_keys(&self) -> OptOutKeys {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, self.index.bytes()));
        OptOutKeys { tag: derive("dunlin opt-out link tag"), mask: derive("dunlin opt-out link mask") }
    }

    /// The keys as text, for a file that only its owner may read.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{HEADING}\n"));
        let mut line = |head: &str, key: &Key| {
            text.push_str(head);
            text.push(' ');
            for byte in key.bytes() {
                // Writing to a string does not fail.
                let _written = write!(text, "{byte:02x}").is_ok();
            }
            text.push('\n');
        };
        for (id, key) in std::iter::once(&self.current).chain(&self.retired) {
            line(&format!("master {id}"), key);
        }
        line("index", &self.index);
        text
    }
}

impl FromStr for Keyring {
    type Err = KeyringError;

    /// Reads what [`Keyring::to_text`] wrote. Blank lines and lines that begin with `#` are skipped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at.saturating_add(1), line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().map(|(_, line)| line) != Some(HEADING) {
            return Err(KeyringError::Heading);
        }
        let (mut masters, mut index) = (Vec::<(KeyId, Key)>::new(), None);
        for (line, content) in lines {
            let words: Vec<&str> = content.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["master", id, hex] => {
                    let key = key(hex).ok_or(KeyringError::Line { line })?;
                    let found = key.id();
                    if found.to_string() != *id {
                        return Err(KeyringError::WrongId { line, found });
                    }
                    if masters.iter().any(|(known, _)| *known == found) {
                        return Err(KeyringError::Parts);
                    }
                    masters.push((found, key));
                }
                ["index", hex] if index.is_none() => {
                    index = Some(key(hex).ok_or(KeyringError::Line { line })?);
                }
                ["index", _] => return Err(KeyringError::Parts),
                _ => return Err(KeyringError::Line { line }),
            }
        }
        let index = index.ok_or(KeyringError::Parts)?;
        if masters.is_empty() || masters.len() > MASTERS_MAX {
            return Err(KeyringError::Parts);
        }
        let (_, current) = masters.remove(0);
        Ok(Self::of(current, masters, index))
    }
}

/// A key of 64 hexadecimal digits.
fn key(hex: &str) -> Option<Key> {
    let digits = hex.as_bytes();
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if digits.len() != KEY_BYTES.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Key::Secret(bytes))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring(")?;
        for id in self.masters() {
            write!(f, "{id} ")?;
        }
        write!(f, "index {})", self.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(seed: u64) -> Keyring {
        Keyring::generate(&Entropy::seeded(seed)).unwrap()
    }

    #[test]
    fn keys_read_back_from_their_text() {
        let rotated = ring(1).rotated(&Entropy::seeded(2)).unwrap();
        let text = rotated.to_text();
        let read: Keyring = format!("\n# ours\n{}", text.as_str()).parse().unwrap();
        assert_eq!(read.masters(), rotated.masters());
        assert_eq!((read.index(), read.masters().len()), (rotated.index(), 2));
        assert_eq!(read.without_retired().masters(), [rotated.current()]);
        assert_eq!(read.to_text().as_str(), text.as_str());
    }

    #[test]
    fn changed_digit_is_noticed_and_no_error_tells_a_key() {
        let text = ring(1).to_text();
        let master = text.lines().nth(1).unwrap();
        let secret = master.rsplit(' ').next().unwrap();
        let (start, end) = secret.split_at(16);
        let last = if secret.ends_with('0') { "1" } else { "0" };
        let changed = format!("{start}{}{last}", end.strip_suffix(|_: char| true).unwrap());
        for broken in [
            text.replace(secret, &changed),
            text.replace(secret, end),
            text.replace(HEADING, "dunlin keys 2"),
            text.replace("index", "indices"),
            format!("{}{master}\n", text.as_str()),
            text.replace(master, ""),
            String::new(),
        ] {
            let error = broken.parse::<Keyring>().unwrap_err().to_string();
            assert!(!error.contains(start), "{error}");
        }
        assert!(!format!("{:?}", ring(1)).contains(start));
    }

    #[test]
    fn blind_index_depends_on_number_and_key() {
        let number = |digits| PhoneNumber::from_digits(digits).unwrap();
        assert_eq!(ring(1).blind(number(15_551_234_567)), ring(1).blind(number(15_551_234_567)));
        assert_ne!(ring(1).blind(number(15_551_234_567)), ring(1).blind(number(15_551_234_568)));
        assert_ne!(ring(1).blind(number(15_551_234_567)), ring(2).blind(number(15_551_234_567)));
    }
}
