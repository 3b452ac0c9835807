//! Bytes read as choices, so that any input is a sequence of steps, and a readable one a readable sequence.
//!
//! A choice among words is a letter of an alphabet: its own letter chooses a word, any other byte one by
//! its remainder. A number is one byte, digits count from zero. A length of time is two bytes: how many,
//! and of what (`i` milliseconds, `s`, `m`, `h`, `d`ays, `y`ears). An absent one is `-`.

use std::time::Duration;

use dunlin_workflows::body::Encoding;
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber, ProviderSid};
use dunlin_workflows::message::{
    Cause, Failure, HOLDS, Hold, OnUnknown, PRIORITIES, PROVIDER_STATUSES, ProviderStatus, Report, Terms, Via,
};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::LocalDay;

/// The instant that times on the tape are counted from.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What is left of an input.
#[derive(Debug)]
pub struct Tape<'a>(pub &'a [u8]);

impl Tape<'_> {
    /// The next byte; zero at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing stands here; then it is passed over.
    pub fn is_absent(&mut self) -> bool {
        let absent = self.is_over() || self.0.starts_with(b"-");
        if absent {
            self.byte();
        }
        absent
    }

    /// Whether this byte stands here; then it is passed over.
    pub fn is_next(&mut self, byte: u8) -> bool {
        let is_next = self.0.first() == Some(&byte);
        if is_next {
            self.byte();
        }
        is_next
    }

    /// A letter of `alphabet`.
    pub fn letter(&mut self, alphabet: &[u8]) -> u8 {
        let byte = self.byte();
        if alphabet.contains(&byte) { byte } else { alphabet[usize::from(byte) % alphabet.len()] }
    }

    /// One of `words`, by a digit.
    pub fn pick<T: Copy>(&mut self, words: &[T]) -> T {
        words[usize::from(self.number()) % words.len()]
    }

    /// A number from 0 to 255; digits are themselves.
    pub fn number(&mut self) -> u8 {
        let byte = self.byte();
        if byte.is_ascii_digit() { byte - b'0' } else { byte }
    }

    /// A length of time.
    pub fn duration(&mut self) -> Duration {
        let count = u64::from(self.number());
        match self.letter(b"ismhdy") {
            b'i' => Duration::from_millis(count),
            b's' => Duration::from_secs(count),
            b'm' => Duration::from_mins(count),
            b'h' => Duration::from_hours(count),
            b'd' => Duration::from_hours(count * 24),
            _ => Duration::from_hours(count * 24 * 365),
        }
    }

    /// An instant at or after [`START`], before it when the length begins with `<`; or none.
    pub fn instant(&mut self) -> Option<Timestamp> {
        if self.is_absent() {
            return None;
        }
        let before = self.0.starts_with(b"<");
        if before {
            self.byte();
        }
        let distance = self.duration();
        Some(if before { START.minus(distance) } else { START.plus(distance) })
    }

    /// A name of the provider's for a message: one of a few.
    pub fn sid(&mut self) -> ProviderSid {
        let letter = char::from(self.letter(b"abc"));
        format!("SM{}", letter.to_string().repeat(32)).parse().expect("a SID by its pattern")
    }

    /// A name of a message: one of a few.
    pub fn id(&mut self) -> MessageId {
        MessageId::from_bytes([self.byte(); 16])
    }

    /// An attempt at most nine before `newest` or one after it.
    pub fn attempt(&mut self, newest: Attempt) -> Attempt {
        match self.letter(b"0123456789+") {
            b'+' => newest.next(),
            digit => Attempt::new(newest.get().saturating_sub(u32::from(digit - b'0'))),
        }
    }

    /// A word of the provider's.
    pub fn status(&mut self) -> ProviderStatus {
        self.pick(&PROVIDER_STATUSES).0
    }

    /// How something was learned.
    pub fn via(&mut self) -> Via {
        self.pick(&[Via::Response, Via::Callback, Via::Lookup, Via::Poll])
    }

    /// What a message may wait for.
    pub fn hold(&mut self) -> Hold {
        self.pick(&HOLDS).0
    }

    /// An error code of the provider, or none.
    pub fn code(&mut self) -> Option<u32> {
        const CODES: [u32; 12] =
            [99, 20003, 20429, 21211, 21610, 21611, 30001, 30002, 30003, 30005, 30008, 63018];
        if self.is_absent() { None } else { Some(self.pick(&CODES)) }
    }

    /// What the provider says of one message.
    pub fn report(&mut self) -> Report {
        Report { sid: self.sid(), status: self.status(), code: self.code(), via: self.via() }
    }

    /// What happened to an attempt.
    pub fn cause(&mut self) -> Cause {
        match self.letter(b"rcnu") {
            b'r' => {
                let http_status = self.pick(&[400, 401, 403, 404, 409, 429, 451, 499]);
                Cause::Refused { http_status, code: self.code() }
            }
            b'c' => Cause::Reported { code: self.code() },
            b'n' => Cause::NotConnected,
            _ => Cause::OutcomeUnknown,
        }
    }

    /// Why an attempt came to nothing.
    pub fn failure(&mut self) -> Failure {
        Failure::classified(self.cause(), "it came to nothing").0
    }

    /// What decisions need of a wish; its times are the tape's.
    pub fn terms(&mut self) -> Terms {
        Terms {
            id: MessageId::from_bytes([1; 16]),
            person: PersonNumber::new(u64::from(self.byte())),
            priority: self.pick(&PRIORITIES).0,
            scheduled_for: self.instant(),
            expires_at: self.instant(),
            on_unknown: self.pick(&[OnUnknown::Hold, OnUnknown::Resend]),
            retry_of: None,
            encoding: Encoding::Gsm7,
            segments: 1,
            user: None,
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        }
    }

    /// A local day.
    pub fn day(&mut self) -> LocalDay {
        LocalDay::from_days(i32::from(self.byte()))
    }

    /// How a body may have been encoded.
    pub fn encoding(&mut self) -> Encoding {
        self.pick(&[Encoding::Gsm7, Encoding::Ucs2])
    }
}
