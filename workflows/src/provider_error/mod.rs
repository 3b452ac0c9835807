//! What the provider's error codes mean, and what may be done about them.

mod table;

use std::fmt;
use std::time::Duration;

pub use table::PROVIDER_ERRORS;

/// One code of the provider, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderError {
    /// The provider's number, as in `https://www.twilio.com/docs/api/errors/21610`.
    pub code: u32,
    /// Whose problem it is.
    pub class: FailureClass,
    /// Whether and when the message may be tried again.
    pub retry: Retry,
    /// What happened, in one plain sentence.
    pub cause: &'static str,
    /// What the operator does now, in one plain sentence.
    pub remedy: &'static str,
}

/// Whose problem a failure is; stable words, for records and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// Our account, sender or settings: other messages fail the same way until someone repairs them.
    Configuration,
    /// This number cannot take a message; no other is affected.
    Recipient,
    /// This message, or this way of asking, is refused; sent again unchanged it is refused again.
    /// Also the class of a refusal with an unknown code.
    Content,
    /// The person, or the law, says no. The number belongs on the opt-out list at once.
    OptedOut,
    /// Too much, too fast.
    Rate,
    /// The carrier or the provider stumbled; later it may work. Also the class of a failure that is
    /// reported later with an unknown code.
    Transient,
    /// Nobody can say whether it was sent.
    Ambiguous,
    /// About calls of the provider to us, or of people to us; no outbound message failed.
    Webhook,
    /// About proving a number with a code.
    Verification,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Configuration,
        Self::Recipient,
        Self::Content,
        Self::OptedOut,
        Self::Rate,
        Self::Transient,
        Self::Ambiguous,
        Self::Webhook,
        Self::Verification,
    ];

    /// The class in `snake_case`, as records and answers spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Recipient => "recipient",
            Self::Content => "content",
            Self::OptedOut => "opted_out",
            Self::Rate => "rate",
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Webhook => "webhook",
            Self::Verification => "verification",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be tried after a failure. Delays are the least to wait; the caller adds backoff and jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not again.
    Never,
    /// Nothing was sent, and nothing else of this lane would be: the whole lane pauses, then the same
    /// message is submitted again. Bounded by the message's own expiry.
    LaneCooldown {
        /// How long the lane rests at least.
        after: Duration,
    },
    /// Nothing was sent, but other messages of the lane may go: only this one waits for a new attempt.
    Unsent {
        /// How long to wait at least.
        after: Duration,
        /// Attempts allowed altogether, the first included.
        max_tries: u32,
    },
    /// It was sent on and not delivered. Sending it once more may reach a person twice, so it is done
    /// only when the caller asked for it.
    MaybeLater {
        /// How long to wait at least.
        after: Duration,
        /// Attempts allowed altogether, the first included.
        max_tries: u32,
    },
    /// It may have been sent: look it up at the provider, never send it blindly.
    Lookup,
}

/// What is known of `code`; `None` when it is not in [`PROVIDER_ERRORS`].
pub fn find(code: u32) -> Option<&'static ProviderError> {
    let at = PROVIDER_ERRORS.binary_search_by_key(&code, |error| error.code).ok()?;
    PROVIDER_ERRORS.get(at)
}

/// Sorts a failed submit, or a failure reported later, by what the provider said of it.
///
/// The code decides when it is known. Else the HTTP status of the answer to a submit does, if there was
/// one: 4xx means that nothing was created, 408 excepted; every other status, 2xx and 3xx with an
/// unreadable answer included, leaves open whether the message exists. A later report (no HTTP status)
/// with an unknown code is final. Codes are added and split over the years, so this is the usual path
/// for new ones.
pub fn classify(code: Option<u32>, http_status: Option<u16>) -> (FailureClass, Retry) {
    if let Some(known) = code.and_then(find) {
        return (known.class, known.retry);
    }
    match http_status {
        Some(401 | 403 | 404) => (FailureClass::Configuration, table::LANE_5_MIN),
        Some(429) => (FailureClass::Rate, table::LANE_1_S),
        Some(400..=407 | 409..=499) => (FailureClass::Content, Retry::Never),
        None => (FailureClass::Transient, Retry::Never),
        Some(_) => (FailureClass::Ambiguous, Retry::Lookup),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes we promise to explain, typed from the provider's dictionary by topic, not from the table.
    const PROMISED: &[&[u32]] = &[
        &[20003, 20005, 20006, 20010, 20403, 20008, 20404, 21408, 21212, 21601, 21606, 21607, 21659, 21657],
        &[21603, 21608, 21609, 21654, 21655, 21656, 21701, 21703, 21704, 21705, 21712, 30002, 30018, 30024],
        &[30032, 30033, 30034, 30037, 30035, 63001, 63007, 63008, 63020, 63112],
        &[21211, 21214, 21217, 21265, 21266, 21401, 21604, 21612, 21614, 21635, 30004, 30005, 30006, 30011],
        &[63003, 63024, 60205],
        &[21602, 21605, 21617, 21618, 21619, 21620, 21623, 11751, 12300, 30007, 30019, 63005, 63006, 63013],
        &[63021, 63016, 63019, 63027, 63028, 63030, 63034, 63040, 63041, 63042, 63049],
        &[35111, 35114, 35115, 35117, 35118],
        &[21610, 63014, 63033, 30640, 30610],
        &[20429, 21611, 30001, 14107, 30017, 30022, 30023, 30027, 63017, 63018, 63038, 35125],
        &[60202, 60203, 60207, 60212],
        &[30003, 30008, 30020, 30021, 30036, 30500, 63009, 63010, 63012, 63036, 30410, 30450, 30453],
        &[20500, 20503],
        &[30009, 30038, 30039, 11200, 11205, 11206, 11210, 11237, 11750, 12100, 12200, 15003],
        &[60200, 60201, 60204, 60206, 60208, 60209, 60210, 60211, 60217, 60220, 60221, 60223, 60228, 60238],
        &[60410, 60413, 60605],
    ];

    #[test]
    fn every_promised_code_is_explained_and_no_other() {
        let mut promised: Vec<u32> = PROMISED.concat();
        promised.sort_unstable();
        let explained: Vec<u32> = PROVIDER_ERRORS.iter().map(|error| error.code).collect();
        assert_eq!(explained, promised, "the table is sorted, and holds each code once");
        for error in PROVIDER_ERRORS {
            assert_eq!(find(error.code), Some(error));
        }
        assert_eq!(find(99999), None);
    }

    #[test]
    fn every_class_is_used_and_has_its_own_word() {
        for class in FailureClass::ALL {
            assert!(PROVIDER_ERRORS.iter().any(|error| error.class == class), "{class}");
            assert_eq!(FailureClass::ALL.iter().filter(|other| other.as_str() == class.as_str()).count(), 1);
        }
    }

    #[test]
    fn what_may_have_been_sent_is_looked_up_and_never_sent_blindly() {
        for error in PROVIDER_ERRORS {
            assert_eq!(
                error.class == FailureClass::Ambiguous,
                error.retry == Retry::Lookup,
                "{}",
                error.code
            );
        }
        for status in [100, 200, 201, 302, 307, 408, 500, 502, 503, 504, 599] {
            assert_eq!(classify(None, Some(status)), (FailureClass::Ambiguous, Retry::Lookup), "{status}");
            assert_eq!(classify(Some(99999), Some(status)).1, Retry::Lookup, "{status}");
        }
    }

    #[test]
    fn people_and_content_are_never_retried() {
        use FailureClass::{Content, OptedOut, Recipient, Verification, Webhook};
        for error in PROVIDER_ERRORS {
            if [Content, OptedOut, Recipient, Verification, Webhook].contains(&error.class) {
                assert_eq!(error.retry, Retry::Never, "{}", error.code);
            }
        }
    }

    #[test]
    fn status_decides_when_the_code_is_unknown() {
        assert_eq!(classify(Some(21610), Some(400)), (FailureClass::OptedOut, Retry::Never));
        assert_eq!(classify(Some(20429), Some(500)).0, FailureClass::Rate, "a known code comes first");
        for status in [401, 403, 404] {
            assert_eq!(classify(None, Some(status)).0, FailureClass::Configuration, "{status}");
        }
        assert_eq!(classify(None, Some(429)).0, FailureClass::Rate);
        for status in [400, 405, 409, 422, 499] {
            assert_eq!(classify(Some(1), Some(status)), (FailureClass::Content, Retry::Never), "{status}");
        }
        assert_eq!(classify(Some(39999), None), (FailureClass::Transient, Retry::Never));
        assert_eq!(classify(None, None), (FailureClass::Transient, Retry::Never));
    }

    #[test]
    fn every_cause_and_remedy_is_one_plain_sentence() {
        for error in PROVIDER_ERRORS {
            for text in [error.cause, error.remedy] {
                let plain = (5..=120).contains(&text.len()) && text.is_ascii() && !text.ends_with('.');
                assert!(
                    plain && text.starts_with(|first: char| !first.is_ascii_lowercase()),
                    "{}",
                    error.code
                );
            }
        }
    }
}
