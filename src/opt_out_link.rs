//! Links by which people opt out with one click: an address of ours and a token that names one person.
//!
//! None expires. Whoever finds a text of ours years later may still end them, and somebody else who has the link can do no
//! more than that, which the person's START undoes. An erasure of the person ends their links.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dunlin_storage::OptOutToken;

/// Where links lead, below the public URL. Short, since texts are billed by length.
pub const PATH: &str = "/o";

/// What stands for a person's link in `DUNLIN_OPT_OUT_LINE`.
pub const PLACE: &str = "{opt_out_url}";

/// Bytes of a token.
const TOKEN_BYTES: usize = OptOutToken::new([0; 24]).as_bytes().len();

/// Makes links of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutLinks {
    public_url: Arc<str>,
}

impl OptOutLinks {
    /// Links below this address, which has no slash at its end.
    pub fn below(public_url: &str) -> Self {
        Self { public_url: public_url.into() }
    }

    /// The link with this token. All links of a deployment are of one length.
    pub fn with(&self, token: OptOutToken) -> String {
        self.ending(&shown(token))
    }

    /// The address that such an end makes a link.
    pub fn ending(&self, end: &str) -> String {
        format!("{}{PATH}/{end}", self.public_url)
    }
}

/// A token as links show it.
pub fn shown(token: OptOutToken) -> String {
    URL_SAFE_NO_PAD.encode(token.as_bytes())
}

/// As long as any token that is shown, for whoever is not met yet.
pub fn stand_in() -> String {
    shown(OptOutToken::new([0; TOKEN_BYTES]))
}

/// The token that stands in a path, whoever made it; `None` for what is none.
pub fn token(text: &str) -> Option<OptOutToken> {
    let mut bytes = [0; TOKEN_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == TOKEN_BYTES).then(|| OptOutToken::new(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn token_after_link_is_identity(bytes: [u8; TOKEN_BYTES]) {
            let link = OptOutLinks::below("https://sms.example.test").with(OptOutToken::new(bytes));
            let shown = link.strip_prefix("https://sms.example.test/o/").unwrap();
            prop_assert_eq!(shown.len(), 32);
            prop_assert_eq!(token(shown), Some(OptOutToken::new(bytes)));
        }

        #[test]
        fn what_is_no_token_is_none(text in "\\PC{0,60}") {
            prop_assert!(token(&text).is_none_or(|read| URL_SAFE_NO_PAD.encode(read.as_bytes()) == text));
        }
    }
}
