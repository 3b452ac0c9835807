//! Journals that no daemon wrote: any events in any order through the fold.
//!
//! Input: a [`Tape`] of events, each a letter and what it takes; see [`event`].

use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::consent::How;
use dunlin_workflows::id::Attempt;
use dunlin_workflows::lane::{self, Lane};
use dunlin_workflows::message::{Counts, Event, IllegalEvent, Message, Terms, Verdict};
use dunlin_workflows::policy::Ban;
use dunlin_workflows::timestamp::Timestamp;

use super::tape::{START, Tape};

/// The fold is total and says the same twice; an event that can't have happened changes nothing.
pub fn fold(input: &[u8]) {
    judge(input, Message::begin, Message::apply);
    let mut tape = Tape(input);
    let (mut lane, mut again) = (Lane::default(), Lane::default());
    while !tape.is_over() {
        let event = lane_event(&mut tape);
        let before = lane.streak;
        lane.apply(&event);
        again.apply(&event);
        assert!([0, before, before.saturating_add(1)].contains(&lane.streak));
        assert_eq!(lane.failure.is_some(), lane.streak > 0, "a lane cools for a reason");
    }
    assert_eq!(lane, again);
}

/// Judges a fold by one journal.
pub fn judge(
    input: &[u8],
    begin: impl Fn(&Event, Timestamp) -> Result<Message, IllegalEvent>,
    apply: impl Fn(&mut Message, &Event, Timestamp) -> Result<(), IllegalEvent>,
) {
    let mut tape = Tape(input);
    let mut at = START;
    let mut message: Option<Message> = None;
    let mut legal: Vec<(Event, Timestamp)> = Vec::new();
    while !tape.is_over() {
        at = at.plus(tape.duration());
        let newest = message.as_ref().map_or(Attempt::NONE, |message| message.attempt);
        let event = event(&mut tape, newest);
        let folded = match &mut message {
            None => begin(&event, at).map(|begun| message = Some(begun)),
            Some(message) => step(message, &event, at, &apply),
        };
        match folded {
            Ok(()) => legal.push((event, at)),
            Err(illegal) => assert_eq!(illegal.event, event.name()),
        }
    }
    let mut again: Option<Message> = None;
    for (event, at) in &legal {
        let folded = match &mut again {
            None => begin(event, *at).map(|begun| again = Some(begun)),
            Some(message) => apply(message, event, *at),
        };
        assert_eq!(folded, Ok(()), "{} was legal the first time", event.name());
    }
    assert_eq!(again, message, "the fold of what was legal is the message");
}

fn step(
    message: &mut Message,
    event: &Event,
    at: Timestamp,
    apply: impl Fn(&mut Message, &Event, Timestamp) -> Result<(), IllegalEvent>,
) -> Result<(), IllegalEvent> {
    let before = message.clone();
    let folded = apply(message, event, at);
    let name = before.state.name();
    if let Err(illegal) = folded {
        assert_eq!(*message, before, "{} can't happen and changed something", event.name());
        assert_eq!(illegal.state, Some(name));
        return Err(illegal);
    }
    assert!(!name.is_final() || message.state == before.state, "{name:?} is final, {}", event.name());
    assert_eq!(message.changed_at, at);
    let asked = (message.person, message.accepted_at, message.expires_at, message.segments);
    assert_eq!(asked, (before.person, before.accepted_at, before.expires_at, before.segments));
    let started = message.attempt.get() - before.attempt.get();
    assert_eq!(
        started,
        u32::from(matches!(event, Event::AttemptStarted { .. } | Event::AttemptSuspected { .. })),
        "attempts count up"
    );
    assert!(message.counted <= message.attempt.get(), "more attempts count than there were");
    assert!(message.sid.is_none() || message.attempt != Attempt::NONE, "a name for nothing");
    Ok(())
}

/// The event that the tape has next, about an attempt near `newest`.
pub fn event(tape: &mut Tape<'_>, newest: Attempt) -> Event {
    match tape.letter(b"ahdsSflnrputcegRxkyobAqvw") {
        b'a' => {
            let terms = tape.terms();
            let (encoding, segments) = (tape.encoding(), u16::from(tape.number()));
            Event::Accepted { terms: Box::new(Terms { encoding, segments, ..terms }) }
        }
        b'A' => Event::Accepted { terms: Box::new(Terms { is_claimed: true, ..tape.terms() }) },
        b'q' => {
            let (attempt, started_at) = (tape.attempt(newest), tape.instant().unwrap_or(START));
            Event::AttemptSuspected { attempt, started_at, counted: None }
        }
        b'v' => Event::Relinquished,
        b'w' => Event::Reclaimed,
        b'h' => Event::Held { hold: tape.hold(), until: tape.instant().unwrap_or(Timestamp::MAX) },
        b'd' => Event::BecameDue,
        b's' => Event::AttemptStarted { attempt: tape.attempt(newest), counted: None },
        b'o' => Event::AttemptStarted { attempt: tape.attempt(newest), counted: Some(tape.day()) },
        b'b' => Event::Bypassed { hold: tape.hold() },
        b'S' => Event::Submitted {
            attempt: tape.attempt(newest),
            sid: tape.sid(),
            status: tape.status(),
            via: tape.via(),
        },
        b'f' => Event::AttemptFailed {
            attempt: tape.attempt(newest),
            failure: tape.failure(),
            verdict: verdict(tape),
        },
        b'l' => Event::OutcomeLost { attempt: tape.attempt(newest), detail: "no answer in time".into() },
        b'n' => Event::LookupFoundNothing { attempt: tape.attempt(newest), lookups: tape.number() },
        b'r' => Event::StatusReported {
            status: tape.status(),
            failure: (!tape.is_absent()).then(|| tape.failure()),
            via: tape.via(),
        },
        b'p' => Event::Polled { polls: tape.number() },
        b'u' => Event::Unconfirmed,
        b't' => Event::Rescheduled { scheduled_for: tape.instant() },
        b'c' => Event::Canceled,
        b'e' => Event::Expired,
        b'g' => Event::GivenUp,
        b'k' => Event::Remarked { reason: "asked by mail".parse().expect("a reason") },
        b'x' => Event::Contradicted { sid: tape.sid(), status: tape.status() },
        b'y' => Event::Suppressed { ban: Ban::OptedOut { since: START, how: How::Keyword } },
        _retried => Event::RetriedAs { id: tape.id() },
    }
}

fn verdict(tape: &mut Tape<'_>) -> Verdict {
    if tape.is_absent() {
        return Verdict::Failed;
    }
    Verdict::RetryAt {
        hold: tape.hold(),
        until: tape.instant().unwrap_or(Timestamp::MAX),
        counts: tape.pick(&[Counts::Yes, Counts::No]),
    }
}

fn lane_event(tape: &mut Tape<'_>) -> lane::Event {
    let alarm = |tape: &mut Tape<'_>| {
        let since = tape.instant().unwrap_or(Timestamp::EPOCH);
        Box::new(Alarm { failure: tape.failure(), count: 5, since })
    };
    match tape.letter(b"cwre") {
        b'c' => {
            lane::Event::Cooled { until: tape.instant().unwrap_or(Timestamp::MAX), failure: tape.failure() }
        }
        b'r' => lane::Event::FailuresRepeated(alarm(tape)),
        b'e' => lane::Event::FailuresEnded(alarm(tape)),
        _ => lane::Event::Warmed,
    }
}
