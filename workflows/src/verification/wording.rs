//! What the texts say that prove a number.

use std::time::Duration;

use crate::body::{Body, BodyError};
use crate::verification::Code;

/// What the texts say that prove a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// Whose code it is, such as the product's name.
    pub brand: Option<String>,
    /// The web site that the code is for: telephones fill it in there and nowhere else.
    pub site: Option<String>,
}

impl Wording {
    /// The text with a code that counts for so long; when that is not ours to say, it does not. The last line binds it to the site.
    ///
    /// Source: <https://wicg.github.io/sms-one-time-codes/>, read 2026-11-24.
    ///
    /// # Errors
    /// A brand so long that the text is no message.
    pub fn code(&self, code: &Code, lifetime: Option<Duration>) -> Result<Body, BodyError> {
        let code = code.as_str();
        let of_whom = self.brand.as_ref().map_or_else(String::new, |brand| format!("{brand} "));
        let counts = lifetime.map_or_else(String::new, |lifetime| {
            format!(" It counts for {} min.", lifetime.as_secs().div_ceil(60))
        });
        let bound = self.site.as_ref().map_or_else(String::new, |site| format!("\n\n@{site} #{code}"));
        let text = format!(
            "{code} is your {of_whom}verification code. Nobody of ours will ask you for it.{counts}{bound}"
        );
        Body::parse(text)
    }

    /// The text to the holder of a number that another user has proven.
    ///
    /// # Errors
    /// A brand so long that the text is no message.
    pub fn notice(&self) -> Result<Body, BodyError> {
        let of_whom = self.brand.as_ref().map_or_else(String::new, |brand| format!("{brand}: "));
        Body::parse(format!(
            "{of_whom}Somebody asked to use this number with another account. It belongs to an account already. If it was you, remove it there first; else there is nothing to do."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_one_segment_and_its_last_line_binds_it_to_the_site() {
        let wording = Wording { brand: Some("Example".to_owned()), site: Some("example.com".to_owned()) };
        let body = wording.code(&Code::of_random(123_456), Some(Duration::from_mins(10))).unwrap();
        assert!(body.as_str().starts_with("123456 is your Example verification code."));
        assert_eq!(body.as_str().lines().last(), Some("@example.com #123456"));
        assert_eq!(body.segment_count(), 1);
        assert!(!wording.notice().unwrap().as_str().contains("123456"));
    }
}
