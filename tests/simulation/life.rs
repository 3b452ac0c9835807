//! The life of one message as the judge sees it: event by event, each against what may follow.

use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{Cause, Event, Failure, Hold, OnUnknown, ProviderStatus, Verdict};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::carrier::Carrier;

/// When something became durable, by true time and by the engine's wall clock, and who asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now_ms: u64,
    pub(crate) at: Timestamp,
    pub(crate) source: Source,
    /// How far the engine's wall clock was ahead of the provider's.
    pub(crate) off_ms: i64,
    /// Since then the engine ran, and neither it nor its clock was disturbed.
    pub(crate) quiet_since_ms: u64,
    /// Whether any attempt ever started while the engine's clock was wrong.
    pub(crate) clock_was_off: bool,
}

impl Moment {
    /// Whether the engine's clock is wrong now.
    pub(crate) fn clock_is_off(&self) -> bool {
        self.off_ms.unsigned_abs() > SKEW_MS
    }
}

/// Timers fire this soon when the engine is awake.
const LATE_MS: u64 = 1000;

/// Clocks this close together are the same clock.
const SKEW_MS: u64 = 600_000;

/// To whom, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) to: u64,
    pub(crate) body: String,
}

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    InFlight,
    Lost {
        since_ms: u64,
        lookups: u8,
    },
    /// Every search was in vain, and a person must decide.
    Parked,
    With {
        sid: ProviderSid,
    },
    /// It came to nothing; excused when it may have been taken all the same, and somebody knew.
    Failed {
        excused: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) id: MessageId,
    /// What was asked for: the journal does not tell the recipient and the text.
    pub(crate) asked: Asked,
    pub(crate) tries: Vec<Try>,
    pub(crate) ended: Option<&'static str>,
    scheduled_for: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    on_unknown: OnUnknown,
    pub(crate) held: Option<(Hold, Timestamp)>,
    pub(crate) rank: u8,
    unconfirmed: bool,
    /// Whether the clock was wrong when the newest attempt started.
    clock_was_off: bool,
}

fn must(holds: bool, how: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(how()) }
}

fn is_person(source: Source) -> bool {
    source == Source::Api || source == Source::Cli
}

impl Life {
    pub(crate) fn begin(
        event: &Event,
        asked: impl FnOnce(MessageId) -> Option<Asked>,
    ) -> Result<Self, String> {
        let Event::Accepted { terms } = event else {
            return Err(format!("begins with {event:?}"));
        };
        Ok(Self {
            id: terms.id,
            asked: asked(terms.id).ok_or("nobody wished for it")?,
            tries: Vec::new(),
            ended: None,
            scheduled_for: terms.scheduled_for,
            expires_at: terms.expires_at,
            on_unknown: terms.on_unknown,
            held: None,
            rank: 0,
            unconfirmed: false,
            clock_was_off: false,
        })
    }

    pub(crate) fn newest(&self) -> Option<&Try> {
        self.tries.last()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.ended.is_some() || self.unconfirmed
    }

    /// Whether an attempt may still arrive, or has.
    fn is_committed(&self) -> bool {
        match self.newest() {
            Some(Try::InFlight | Try::Lost { .. } | Try::Parked | Try::With { .. }) => true,
            Some(Try::Failed { .. }) | None => false,
        }
    }

    fn set(&mut self, to: Try) {
        if let Some(newest) = self.tries.last_mut() {
            *newest = to;
        }
    }

    pub(crate) fn hear(
        &mut self,
        number: MessageNumber,
        event: &Event,
        moment: Moment,
        rules: &Rules,
        carrier: &Carrier,
    ) -> Result<(), String> {
        let over = self.ended.is_some();
        let epilogue =
            matches!(event, Event::RetriedAs { .. } | Event::Contradicted { .. } | Event::Remarked { .. });
        must(!over || epilogue, || format!("{event:?} after the end ({:?})", self.ended))?;
        match event {
            Event::Accepted { .. } => Err("accepted twice".into()),
            Event::Rescheduled { scheduled_for } => {
                must(!self.is_committed(), || format!("rescheduled while {:?}", self.newest()))?;
                self.scheduled_for = *scheduled_for;
                self.held = None;
                Ok(())
            }
            Event::Held { hold, until } => self.hold(*hold, *until, rules),
            Event::BecameDue => self.become_due(moment),
            Event::AttemptStarted { attempt, .. } => self.start(attempt.get(), moment),
            Event::AttemptSuspected { attempt, .. } => self.suspect(attempt.get(), moment),
            Event::Relinquished | Event::Reclaimed => Err("nobody else could have it".into()),
            Event::OutcomeLost { .. } => {
                must(self.newest() == Some(&Try::InFlight), || format!("lost while {:?}", self.newest()))?;
                self.set(Try::Lost { since_ms: moment.now_ms, lookups: 0 });
                Ok(())
            }
            Event::LookupFoundNothing { lookups, .. } => self.search(*lookups, moment, rules),
            Event::AttemptFailed { attempt, failure, verdict } => {
                let taken = carrier.taken.iter().any(|t| t.number == number && t.attempt == *attempt);
                self.fail(failure, *verdict, taken, rules)
            }
            Event::Submitted { attempt, sid, status, .. } => {
                let taken = carrier.of(*sid).ok_or_else(|| format!("{sid} does not exist"))?;
                // A search may find an earlier attempt of the same text: the person has it, whichever it
                // was. Where the clock was wrong it can't tell texts apart that are alike.
                let ours = taken.number == number && taken.attempt <= *attempt;
                must(ours || moment.clock_was_off, || {
                    format!("{sid} is {}/{}", taken.number.get(), taken.attempt.get())
                })?;
                self.held = None;
                self.rank = status.rank();
                self.set(Try::With { sid: *sid });
                Ok(())
            }
            Event::StatusReported { status, .. } => self.climb(number, *status, carrier),
            Event::Polled { .. } => must(self.is_committed(), || "asked about nothing".into()),
            Event::Unconfirmed => {
                self.unconfirmed = true;
                must(matches!(self.newest(), Some(Try::With { .. })), || "unconfirmed, never sent".into())
            }
            Event::Canceled => {
                self.ended = Some("canceled");
                must(!self.is_committed(), || format!("canceled while {:?}", self.newest()))
            }
            Event::Expired => {
                self.ended = Some("expired");
                must(self.expires_at.is_some_and(|at| at <= moment.at), || "expired early".into())?;
                must(!self.is_committed(), || format!("expired while {:?}", self.newest()))
            }
            Event::Suppressed { .. } => {
                self.ended = Some("suppressed");
                must(!self.is_committed(), || format!("suppressed while {:?}", self.newest()))
            }
            Event::GivenUp => {
                self.ended = Some("failed");
                let waited = matches!(self.held, Some((Hold::OutcomeUnknown, until)) if until <= moment.at);
                must(waited, || format!("given up while {:?}", self.held))
            }
            Event::Remarked { .. } | Event::Bypassed { .. } => Ok(()),
            Event::RetriedAs { .. } => must(over, || "retried as another before its end".into()),
            Event::Contradicted { .. } => must(!self.tries.is_empty(), || "contradicted, never sent".into()),
        }
    }

    fn hold(&mut self, hold: Hold, until: Timestamp, rules: &Rules) -> Result<(), String> {
        self.held = Some((hold, until));
        if hold != Hold::OutcomeUnknown {
            return must(!self.is_committed(), || format!("held while {:?}", self.newest()));
        }
        let all = matches!(self.newest(), Some(Try::Lost { lookups, .. }) if usize::from(*lookups) >= rules.lookups.len());
        must(all, || format!("left to a person while {:?}", self.newest()))?;
        self.set(Try::Parked);
        Ok(())
    }

    fn become_due(&mut self, moment: Moment) -> Result<(), String> {
        let person = is_person(moment.source);
        match self.held.take() {
            Some((Hold::OutcomeUnknown, _)) => {
                must(person, || format!("{:?} sent an unknown outcome again", moment.source))?;
                self.set(Try::Failed { excused: true });
            }
            Some((
                Hold::Scheduled
                | Hold::Backoff
                | Hold::ProviderLane
                | Hold::GlobalRate
                | Hold::SenderRate
                | Hold::CountryRate
                | Hold::FraudVelocity,
                until,
            )) => {
                must(person || until <= moment.at, || format!("due at {:?}, not at {until:?}", moment.at))?;
                let late = moment.at.since(until).as_millis();
                let awake = u128::from(moment.now_ms.saturating_sub(moment.quiet_since_ms)) > late;
                let punctual = person || !awake || late <= u128::from(LATE_MS);
                must(punctual, || format!("due {late} ms late"))?;
            }
            // Whoever is held for something about them may change it at any time.
            Some((
                Hold::SendingDisabled
                | Hold::QuietHours
                | Hold::LegalHours
                | Hold::LowPriorityHours
                | Hold::DailyLimit
                | Hold::RateLimit
                | Hold::ZoneUnknown
                | Hold::KindUnknown
                | Hold::PreferencesUnreadable
                | Hold::Claim,
                _,
            ))
            | None => {}
        }
        must(!self.is_committed(), || format!("due while {:?}", self.newest()))
    }

    fn start(&mut self, attempt: u32, moment: Moment) -> Result<(), String> {
        must(usize::try_from(attempt) == Ok(self.tries.len() + 1), || {
            format!("attempt {attempt} comes next")
        })?;
        must(self.held.is_none(), || format!("started while held {:?}", self.held))?;
        must(!self.is_committed(), || format!("started while {:?}", self.newest()))?;
        let early = self.scheduled_for.is_some_and(|at| moment.at < at);
        must(!early, || format!("sent at {:?}, not at {:?}", moment.at, self.scheduled_for))?;
        let late = self.expires_at.is_some_and(|at| moment.at >= at);
        must(!late, || format!("sent at {:?}, too late for {:?}", moment.at, self.expires_at))?;
        self.tries.push(Try::InFlight);
        self.clock_was_off = moment.clock_is_off();
        self.rank = 0;
        Ok(())
    }

    /// Somebody else may have sent it: that is searched for like an answer that was lost.
    fn suspect(&mut self, attempt: u32, moment: Moment) -> Result<(), String> {
        must(usize::try_from(attempt) == Ok(self.tries.len() + 1), || {
            format!("attempt {attempt} comes next")
        })?;
        let waits = matches!(self.held.take(), Some((Hold::Claim, _)));
        let searched = matches!(self.newest(), Some(Try::Lost { .. }));
        must(waits || searched, || format!("suspected while {:?}", self.newest()))?;
        self.set(Try::Failed { excused: true });
        self.tries.push(Try::Lost { since_ms: moment.now_ms, lookups: 0 });
        Ok(())
    }

    fn search(&mut self, lookups: u8, moment: Moment, rules: &Rules) -> Result<(), String> {
        let Some(Try::Lost { since_ms, lookups: before }) = self.newest().copied() else {
            return Err(format!("searched for while {:?}", self.newest()));
        };
        must(lookups == before + 1, || format!("search {lookups} after {before}"))?;
        let wait =
            rules.lookups.get(usize::from(before)).or(rules.lookups.last()).copied().unwrap_or_default();
        let waited = moment.now_ms - since_ms;
        must(u128::from(waited) >= wait.as_millis(), || format!("search {lookups} after {waited} ms"))?;
        self.set(Try::Lost { since_ms, lookups });
        Ok(())
    }

    fn fail(
        &mut self,
        failure: &Failure,
        verdict: Verdict,
        taken: bool,
        rules: &Rules,
    ) -> Result<(), String> {
        let excused = match failure.cause {
            Cause::Refused { .. } | Cause::NotConnected => {
                must(!taken, || format!("taken for refused: {failure:?}"))?;
                false
            }
            Cause::Reported { .. } => {
                must(matches!(self.newest(), Some(Try::With { .. })), || "reported, never sent".into())?;
                true
            }
            Cause::OutcomeUnknown => {
                let all = matches!(self.newest(), Some(Try::Lost { lookups, .. }) if usize::from(*lookups) >= rules.lookups.len());
                must(all && self.on_unknown == OnUnknown::Resend, || {
                    format!("given up while {:?}", self.newest())
                })?;
                // Nobody decided. With waits this long the provider's list has shown it, unless our own
                // clock was wrong: then its times are not where we search.
                self.clock_was_off
            }
        };
        self.set(Try::Failed { excused });
        match verdict {
            Verdict::RetryAt { hold, until, .. } => self.held = Some((hold, until)),
            Verdict::Failed => self.ended = Some("failed"),
        }
        Ok(())
    }

    fn climb(
        &mut self,
        number: MessageNumber,
        status: ProviderStatus,
        carrier: &Carrier,
    ) -> Result<(), String> {
        let known = self.newest().copied();
        let ours =
            carrier.taken.iter().filter(|t| t.number == number || known == Some(Try::With { sid: t.sid }));
        let said = ours.flat_map(|taken| &taken.said).any(|(said, _)| *said == status);
        must(said, || format!("nobody said {status}"))?;
        must(status.rank() > self.rank, || format!("{status} after rank {}", self.rank))?;
        self.rank = status.rank();
        self.ended = match status {
            ProviderStatus::Delivered | ProviderStatus::Read => Some("delivered"),
            ProviderStatus::Undelivered => Some("undelivered"),
            ProviderStatus::Failed => Some("failed"),
            ProviderStatus::Canceled => Some("canceled"),
            ProviderStatus::Accepted
            | ProviderStatus::Scheduled
            | ProviderStatus::Queued
            | ProviderStatus::Sending
            | ProviderStatus::Sent
            | ProviderStatus::PartiallyDelivered => None,
        };
        Ok(())
    }
}
