//! The service's name for a verification.

use std::fmt;
use std::str::FromStr;

/// The service's name for a verification: `VE` and 32 hexadecimal digits.
///
/// Source: Twilio OpenAPI `twilio_verify_v2`, pattern `^VE[0-9a-fA-F]{32}$`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerificationSid([u8; 34]);

/// The text is not a verification SID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a verification SID; expected VE and 32 hexadecimal digits")]
pub struct VerificationSidError(String);

impl VerificationSid {
    /// The SID's text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for VerificationSid {
    type Err = VerificationSidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || VerificationSidError(text.chars().take(64).collect());
        let bytes: [u8; 34] = text.as_bytes().try_into().map_err(|_wrong_length| refuse())?;
        let digits = bytes.strip_prefix(b"VE").ok_or_else(refuse)?;
        if digits.iter().all(u8::is_ascii_hexdigit) { Ok(Self(bytes)) } else { Err(refuse()) }
    }
}

impl fmt::Display for VerificationSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for VerificationSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
