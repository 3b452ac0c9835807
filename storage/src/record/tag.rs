//! The numbers that stand for words in persisted bytes. Added to, never changed, never reused.

use dunlin_workflows::body::Encoding;
use dunlin_workflows::consent::{Finding, How};
use dunlin_workflows::message::{Counts, Custody, Hold, OnUnknown, Priority, ProviderStatus, StateName, Via};
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::recurrence::{End, Missed, Skip};
use dunlin_workflows::source::Source;
use dunlin_workflows::template::{OnLong, VariableKind};
use dunlin_workflows::user::Toggle;
use dunlin_workflows::verification;

use super::RecordError;

/// A closed set of words, each with a number of its own in persisted bytes. Zero is never a word.
pub(crate) trait Tagged: Copy + Sized {
    /// What the word says, for error messages.
    const WHAT: &'static str;

    /// The word's number.
    fn tag(self) -> u8;

    /// The word with this number, if this version knows it.
    fn from_tag(tag: u8) -> Option<Self>;
}

/// The word with this number.
pub(crate) fn word<T: Tagged>(tag: u8) -> Result<T, RecordError> {
    T::from_tag(tag).ok_or(RecordError::UnknownTag { what: T::WHAT, tag })
}

macro_rules! tags {
    ($type:ty, $what:literal, { $($variant:ident = $tag:literal),+ $(,)? }) => {
        impl Tagged for $type {
            const WHAT: &'static str = $what;

            fn tag(self) -> u8 {
                match self {
                    $(Self::$variant => $tag,)+
                }
            }

            fn from_tag(tag: u8) -> Option<Self> {
                match tag {
                    $($tag => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

tags!(Source, "source", {
    Api = 1,
    Webhook = 2,
    Timer = 3,
    Dispatcher = 4,
    Lookup = 5,
    Recovery = 6,
    Cli = 7,
    Import = 8,
    Sync = 9,
    Link = 10,
});

tags!(Priority, "priority", { Urgent = 1, High = 2, Normal = 3, Low = 4 });

tags!(OnUnknown, "policy for unknown outcomes", { Hold = 1, Resend = 2 });

tags!(Custody, "custody", { Own = 1, Claimed = 2, Elsewhere = 3 });

tags!(Encoding, "encoding", { Gsm7 = 1, Ucs2 = 2 });

tags!(Hold, "hold", {
    Scheduled = 1,
    Backoff = 2,
    ProviderLane = 3,
    SendingDisabled = 4,
    OutcomeUnknown = 5,
    QuietHours = 6,
    LegalHours = 7,
    DailyLimit = 8,
    RateLimit = 9,
    ZoneUnknown = 10,
    KindUnknown = 11,
    GlobalRate = 12,
    SenderRate = 13,
    CountryRate = 14,
    FraudVelocity = 15,
    Claim = 16,
    PreferencesUnreadable = 17,
    LowPriorityHours = 18,
});

tags!(Toggle, "toggle", {
    TaskReminders = 1,
    DailyBrief = 2,
    UrgentAlerts = 3,
    EventReminders = 4,
    MorningKickoff = 5,
    EveningRecap = 6,
});

tags!(Via, "way of learning", { Response = 1, Callback = 2, Lookup = 3, Poll = 4 });

tags!(Counts, "count of an attempt", { Yes = 1, No = 2 });

tags!(ProviderStatus, "provider status", {
    Accepted = 1,
    Scheduled = 2,
    Queued = 3,
    Sending = 4,
    Sent = 5,
    Delivered = 6,
    Undelivered = 7,
    Failed = 8,
    Canceled = 9,
    Read = 10,
    PartiallyDelivered = 11,
});

tags!(FailureClass, "failure class", {
    Transient = 1,
    Ambiguous = 2,
    Rate = 3,
    Configuration = 4,
    Recipient = 5,
    Content = 6,
    OptedOut = 7,
    Webhook = 8,
    Verification = 9,
});

tags!(StateName, "state", {
    Accepted = 1,
    Held = 2,
    Due = 3,
    Submitting = 4,
    Unknown = 5,
    Submitted = 6,
    Sent = 7,
    Delivered = 8,
    Undelivered = 9,
    Failed = 10,
    Canceled = 11,
    Expired = 12,
    Unconfirmed = 13,
    Suppressed = 14,
    Relinquished = 15,
});

tags!(VariableKind, "kind of a variable", { String = 1, Integer = 2, Number = 3, Boolean = 4, Instant = 5 });

tags!(OnLong, "what becomes of long words", { Refuse = 1, Shorten = 2 });

tags!(Missed, "policy for missed ticks", { Once = 1, Skip = 2 });

tags!(Skip, "reason for no text", { Late = 1, NoNumber = 2, Refused = 3, Restored = 4, NotFilled = 5 });

tags!(End, "end of a recurrence", { Over = 1, Erased = 2 });

tags!(How, "way of knowing consent", {
    Keyword = 1,
    Provider = 2,
    Refusal = 3,
    Words = 4,
    Command = 5,
    Memory = 6,
    Link = 7,
});

tags!(Finding, "finding of a review", { OptOut = 1, NotOne = 2 });

tags!(verification::Via, "way of a code", { Message = 1, Service = 2, Notice = 3 });

tags!(verification::Refusal, "why no code was sent", { Unreachable = 1, Blocked = 2, Limited = 3, Unavailable = 4 });

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the words of one kind, and that the format page prints them with their numbers.
    fn every<T: Tagged + PartialEq + std::fmt::Debug>(count: usize) {
        let known: Vec<T> = (0..=u8::MAX).filter_map(T::from_tag).collect();
        assert_eq!(known.len(), count, "{}", T::WHAT);
        assert!(known.iter().all(|word| T::from_tag(word.tag()) == Some(*word)), "{}", T::WHAT);
        assert!(T::from_tag(0).is_none(), "{}: zero is never a word", T::WHAT);
        let words: Vec<String> =
            known.iter().map(|word| format!("{} `{}`", word.tag(), snake(&format!("{word:?}")))).collect();
        let line = format!("| {} | {} |", T::WHAT, words.join(", "));
        assert!(include_str!("../../FORMAT.md").contains(&line), "{line}");
    }

    /// `TwoWords` as `two_words`.
    fn snake(name: &str) -> String {
        let mut snake = String::new();
        for (index, letter) in name.chars().enumerate() {
            if letter.is_ascii_uppercase() && index > 0 {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    }

    #[test]
    fn every_word_has_one_number_and_reads_back_from_it() {
        every::<Source>(10);
        every::<Priority>(4);
        every::<OnUnknown>(2);
        every::<Encoding>(2);
        every::<Hold>(18);
        every::<Custody>(3);
        every::<Toggle>(6);
        every::<Via>(4);
        every::<Counts>(2);
        every::<ProviderStatus>(11);
        every::<FailureClass>(FailureClass::ALL.len());
        every::<StateName>(15);
        every::<How>(7);
        every::<Finding>(2);
        every::<verification::Via>(3);
        every::<verification::Refusal>(4);
    }
}
