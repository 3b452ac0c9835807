//! Names of things: who a message is to the world, inside the file, and to the provider.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A message's public name: a UUID, chosen by the caller or made (version 7) on acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes, in network order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a message id; expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct MessageIdError(String);

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_not_a_uuid| MessageIdError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A message's name inside the file: sequential from 1, so that keys append instead of scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(u64);

impl MessageNumber {
    /// The number `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A user's number inside one store, sequential from 1: whom the caller's product knows by a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserNumber(u64);

impl UserNumber {
    /// The user with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A recipient's number inside one store, sequential from 1. It says nothing about who that is: the
/// phone number stands sealed beside it, and is gone once the person is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonNumber(u64);

impl PersonNumber {
    /// The person with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// One call asking the provider to send; counted from 1. `Attempt::NONE` is "not tried yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(u32);

impl Attempt {
    /// No attempt was made yet.
    pub const NONE: Self = Self(0);

    /// The attempt with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The provider's name for a message: `SM` or `MM` and 32 hexadecimal digits, kept as given.
///
/// Source: Twilio OpenAPI `twilio_api_v2010`, pattern `^(SM|MM)[0-9a-fA-F]{32}$`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderSid([u8; 34]);

/// The text is not a message SID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a message SID; expected SM or MM and 32 hexadecimal digits")]
pub struct ProviderSidError(String);

impl ProviderSid {
    /// The SID's text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The SID's 34 ASCII bytes.
    pub const fn as_bytes(&self) -> &[u8; 34] {
        &self.0
    }
}

impl FromStr for ProviderSid {
    type Err = ProviderSidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ProviderSidError(text.chars().take(64).collect());
        let bytes: [u8; 34] = text.as_bytes().try_into().map_err(|_wrong_length| refuse())?;
        let (prefix, digits) = bytes.split_at(2);
        let well_formed = (prefix == b"SM" || prefix == b"MM") && digits.iter().all(u8::is_ascii_hexdigit);
        if well_formed { Ok(Self(bytes)) } else { Err(refuse()) }
    }
}

impl fmt::Display for ProviderSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ProviderSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sid_keeps_its_text_and_refuses_anything_else() {
        let text = "SM0123456789abcdefABCDEF0123456789";
        assert_eq!(text.parse::<ProviderSid>().unwrap().as_str(), text);
        for wrong in ["", "SM", "XX0123456789abcdefABCDEF0123456789", "SM0123456789abcdefABCDEF012345678g"] {
            assert!(wrong.parse::<ProviderSid>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn message_id_round_trips_through_its_text() {
        let id = MessageId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        assert!("42".parse::<MessageId>().is_err());
    }
}
