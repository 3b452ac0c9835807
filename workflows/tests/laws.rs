//! Laws of the message machine: true for every life that commands and time can make.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may end by panicking"
)]

use std::time::Duration;

use dunlin_workflows::body::Body;
use dunlin_workflows::consent::{How, Standing};
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber, ProviderSid};
use dunlin_workflows::message::{
    Cause, Command, Context, Custody, Event, Hold, Lease, Message, Milestone, Next, OnUnknown, Outcome,
    PROVIDER_STATUSES, Priority, ProviderStatus, Report, Request, State, Suspicion, Via, accept, decide,
    next, timer,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{Recipient, STRANGER};
use dunlin_workflows::rules::{Redeliver, Rules, Sending};
use dunlin_workflows::timestamp::Timestamp;
use proptest::prelude::*;

/// Somebody who opted out.
const OUT: Standing = Standing::OptedOut { since: Timestamp::from_millis(START), how: How::Keyword };

const START: i64 = 1_800_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1000)
}

fn sid(letter: char) -> ProviderSid {
    format!("SM{}", letter.to_string().repeat(32)).parse().unwrap()
}

fn request(scheduled: Option<i64>, expires: Option<i64>, on_unknown: OnUnknown) -> Request {
    Request {
        id: MessageId::from_bytes([1; 16]),
        to: PhoneNumber::parse("+15551234567", None).unwrap(),
        body: Body::parse("hello").unwrap(),
        priority: Priority::Normal,
        scheduled_for: scheduled.map(at),
        expires_at: expires.map(at),
        on_unknown,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    }
}

fn rules() -> Rules {
    Rules { lookups: vec![Duration::from_secs(30), Duration::from_mins(2)], ..Rules::default() }
}

/// A life as it goes: the message, everything that happened, and the clock.
#[derive(Clone)]
struct Life {
    message: Message,
    events: Vec<(Event, Timestamp)>,
    now: i64,
    rules: Rules,
    standing: Standing,
    lease: Lease,
    /// Whether the shared database said that it is ours, since it was claimed.
    is_confirmed: bool,
}

impl Life {
    fn begin(request: &Request, rules: Rules) -> Self {
        let events = accept(
            request.terms(PersonNumber::new(1), None),
            &Context { now: at(0), rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
        )
        .unwrap();
        let mut message = Message::begin(&events[0], at(0)).unwrap();
        for event in &events[1..] {
            message.apply(event, at(0)).unwrap();
        }
        let events = events.into_iter().map(|event| (event, at(0))).collect();
        let (standing, lease) = (Standing::Unknown, Lease::InForce);
        Self { message, events, now: 0, rules, standing, lease, is_confirmed: false }
    }

    /// Carries out a command and checks every law that can be seen at one step.
    fn ask(&mut self, command: &Command, jitter: u32) {
        let before = self.message.clone();
        let now = at(self.now);
        let recipient = Recipient::standing(self.standing);
        let context = Context { now, rules: &self.rules, recipient: &recipient, lease: self.lease, jitter };
        let Ok(events) = decide(&before, command, &context) else { return };
        let explicit_retry = matches!(command, Command::Retry { .. });
        for event in events {
            let (from, told) = (self.message.state, Milestone::of(&self.message));
            self.message
                .apply(&event, now)
                .unwrap_or_else(|illegal| panic!("{illegal}: {command:?} {from:?}"));
            let reached = Milestone::of(&self.message).filter(|now| told != Some(*now));
            assert!(
                reached.is_none() || Milestone::may_follow(&event),
                "no milestone is overlooked: {event:?}"
            );
            if let Event::AttemptStarted { attempt, .. } = event {
                assert_eq!(attempt, before.attempt.next(), "attempts count up by one");
                assert!(!self.standing.is_out(), "nothing is sent to somebody who opted out");
                assert!(
                    before.expires_at.is_none_or(|expires| now < expires),
                    "nothing is sent after its deadline"
                );
                assert!(before.scheduled_for.is_none_or(|scheduled| scheduled <= now), "nor before its time");
                assert!(matches!(from, State::Due { .. }));
                if before.custody != Custody::Own {
                    assert_eq!(before.custody, Custody::Claimed, "nothing is sent that another daemon has");
                    assert!(self.is_confirmed, "a claimed text is never sent before it is confirmed");
                    assert_eq!(
                        self.lease,
                        Lease::InForce,
                        "nothing claimed begins while the lease is lapsed"
                    );
                }
            }
            let confirms = matches!(command, Command::Confirm { .. }) && before.is_unconfirmed();
            let waits = self.message.is_unconfirmed() || self.message.state == State::Relinquished;
            self.is_confirmed = (self.is_confirmed || confirms) && !waits;
            let in_doubt = matches!(from, State::Submitting { .. } | State::Unknown { .. })
                || matches!(from, State::Held { hold: Hold::OutcomeUnknown, .. });
            if in_doubt && matches!(self.message.state, State::Due { .. }) {
                assert!(
                    explicit_retry,
                    "an attempt in doubt is followed by another only if a person says so"
                );
            }
            if let (State::Unknown { lookups, .. }, State::Held { hold: Hold::Backoff, .. }) =
                (from, self.message.state)
                && matches!(command, Command::Resolve { .. })
            {
                assert_eq!(before.on_unknown, OnUnknown::Resend);
                assert_eq!(usize::from(lookups), self.rules.lookups.len(), "every lookup comes first");
            }
            self.events.push((event, now));
        }
        if before.state.name().is_final() {
            assert_eq!(before.state, self.message.state, "final states stay");
        }
        self.check();
    }

    fn check(&self) {
        let awake = match next(&self.message, &self.rules) {
            Next::Dispatch | Next::Answer { .. } | Next::LookUp { .. } => true,
            Next::Wake { .. } | Next::Poll { .. } => {
                timer(&self.message, &self.rules).is_some()
                    || self.switched_off()
                    || self.message.is_unconfirmed()
            }
            Next::Nothing => self.message.state.name().is_settled(),
        };
        assert!(awake, "nobody wakes {:?}", self.message.state);
        let (first, rest) = self.events.split_first().unwrap();
        let mut folded = Message::begin(&first.0, first.1).unwrap();
        for (event, when) in rest {
            folded.apply(event, *when).unwrap();
        }
        assert_eq!(folded, self.message, "the fold of the events is the message");
    }

    /// Held for a switch: only a restart with another configuration moves it.
    fn switched_off(&self) -> bool {
        matches!(self.message.state, State::Held { hold: Hold::SendingDisabled, .. })
    }
}

fn a_status() -> impl Strategy<Value = ProviderStatus> {
    (0..PROVIDER_STATUSES.len()).prop_map(|n| PROVIDER_STATUSES[n].0)
}

fn a_code() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        Just(None),
        Just(Some(30001)),
        Just(Some(30003)),
        Just(Some(30005)),
        Just(Some(21610)),
        Just(Some(99))
    ]
}

fn a_report() -> impl Strategy<Value = Report> {
    (prop_oneof![4 => Just('a'), 1 => Just('b')], a_status(), a_code())
        .prop_map(|(letter, status, code)| Report { sid: sid(letter), status, code, via: Via::Callback })
}

fn a_suspicion() -> impl Strategy<Value = Suspicion> {
    (0_i64..1000, prop::option::of(a_report()))
        .prop_map(|(since, known)| Suspicion { since: at(since), known })
}

fn an_outcome() -> impl Strategy<Value = Outcome> {
    let refused = |cause| Outcome::Refused { cause, detail: "no".into(), retry_after: None };
    prop_oneof![
        3 => a_status().prop_map(|status| Outcome::Taken { sid: sid('a'), status }),
        2 => Just(Outcome::Lost { detail: "timeout".into() }),
        1 => Just(refused(Cause::NotConnected)),
        3 => (prop_oneof![Just(400_u16), Just(401), Just(429), Just(500)], prop_oneof![Just(None), Just(Some(21211)), Just(Some(20003)), Just(Some(21611))])
            .prop_map(move |(http_status, code)| refused(Cause::Refused { http_status, code })),
    ]
}

/// A command as the engine, the provider or a person may give it; attempts are near the newest.
#[derive(Debug, Clone)]
enum Step {
    Ask(Command),
    Conclude(u32, Outcome),
    Resolve(u32, Option<Report>),
    Report(Option<u32>, Report),
    Pass(i64),
    Sending(Sending),
    Standing(Standing),
    Lease(Lease),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ask(Command::Wake)),
        5 => Just(Step::Ask(Command::Begin)),
        1 => Just(Step::Ask(Command::Lose)),
        1 => Just(Step::Ask(Command::Cancel)),
        1 => Just(Step::Ask(Command::Retry { id: MessageId::from_bytes([2; 16]) })),
        1 => prop::option::of(0_i64..4000).prop_map(|s| Step::Ask(Command::Reschedule { scheduled_for: s.map(at) })),
        2 => prop::option::of(a_report()).prop_map(|answer| Step::Ask(Command::Poll { answer })),
        5 => (0_u32..2, an_outcome()).prop_map(|(back, outcome)| Step::Conclude(back, outcome)),
        3 => (0_u32..2, prop::option::of(a_report())).prop_map(|(back, found)| Step::Resolve(back, found)),
        5 => (prop::option::of(0_u32..2), a_report()).prop_map(|(back, report)| Step::Report(back, report)),
        5 => prop_oneof![0_i64..5, 0_i64..600, 0_i64..100_000].prop_map(Step::Pass),
        1 => prop_oneof![Just(Step::Sending(Sending::Enabled)), Just(Step::Sending(Sending::Disabled))],
        1 => prop_oneof![Just(Step::Standing(Standing::Unknown)), Just(Step::Standing(OUT))],
        1 => Just(Step::Ask(Command::Reconsider)),
        3 => prop::option::of(a_suspicion()).prop_map(|suspicion| Step::Ask(Command::Confirm { suspicion })),
        1 => Just(Step::Ask(Command::Relinquish)),
        2 => Just(Step::Ask(Command::Reclaim)),
        1 => prop_oneof![Just(Step::Lease(Lease::InForce)), Just(Step::Lease(Lease::Lapsed))],
    ]
}

fn named(message: &Message, back: u32) -> Attempt {
    Attempt::new(message.attempt.get().saturating_sub(back))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn every_life_keeps_every_law(
        scheduled in prop::option::of(0_i64..1000),
        lasts in prop::option::of(1_i64..100_000),
        resend: bool,
        redeliver: bool,
        is_claimed: bool,
        steps in prop::collection::vec((a_step(), any::<u32>()), 0..60),
    ) {
        let on_unknown = if resend { OnUnknown::Resend } else { OnUnknown::Hold };
        let expires = lasts.map(|lasts| scheduled.unwrap_or(0) + lasts);
        let mut rules = rules();
        rules.retry.redeliver = if redeliver { Redeliver::On } else { Redeliver::Off };
        let request = Request { is_claimed, ..request(scheduled, expires, on_unknown) };
        let mut life = Life::begin(&request, rules);
        for (step, jitter) in steps {
            match step {
                Step::Ask(command) => life.ask(&command, jitter),
                Step::Conclude(back, outcome) => {
                    let attempt = named(&life.message, back);
                    life.ask(&Command::Conclude { attempt, outcome }, jitter);
                }
                Step::Resolve(back, found) => {
                    let attempt = named(&life.message, back);
                    life.ask(&Command::Resolve { attempt, found }, jitter);
                }
                Step::Report(back, report) => {
                    let attempt = back.map(|back| named(&life.message, back));
                    life.ask(&Command::Report { attempt, report }, jitter);
                }
                Step::Pass(seconds) => life.now += seconds,
                Step::Sending(sending) => life.rules.sending = sending,
                Step::Standing(standing) => life.standing = standing,
                Step::Lease(lease) => life.lease = lease,
            }
        }
    }

    /// Callbacks may come in any order and any number of times.
    #[test]
    fn shuffled_and_repeated_callbacks_end_the_same(order in prop::collection::vec(0_usize..4, 4..16), ends_well: bool) {
        let last = if ends_well { ProviderStatus::Delivered } else { ProviderStatus::Undelivered };
        let told = [ProviderStatus::Queued, ProviderStatus::Sending, ProviderStatus::Sent, last];
        let mut life = submitted();
        for which in order.into_iter().chain(0..4) {
            let report = Report { sid: sid('a'), status: told[which], code: Some(30005), via: Via::Callback };
            life.ask(&Command::Report { attempt: Some(Attempt::new(1)), report }, 0);
        }
        prop_assert_eq!(life.message.state, if ends_well { State::Delivered } else { State::Undelivered });
    }

    #[test]
    fn backoff_grows_to_its_cap_and_stays_within_bounds(jitter: u32, base_ms in 1_u64..100_000, cap_ms in 1_u64..10_000_000) {
        let mut retry = Rules::default().retry;
        retry.base = Duration::from_millis(base_ms);
        retry.cap = Duration::from_millis(cap_ms);
        let mut before = Duration::ZERO;
        for failed in 1..40 {
            let delay = retry.backoff(failed, jitter);
            prop_assert!(delay >= before && delay <= retry.cap, "{delay:?}");
            prop_assert!(delay >= retry.base.min(retry.cap) / 2);
            before = delay;
        }
    }
}

fn submitted() -> Life {
    let mut life = Life::begin(&request(None, None, OnUnknown::Hold), rules());
    life.ask(&Command::Begin, 0);
    let outcome = Outcome::Taken { sid: sid('a'), status: ProviderStatus::Queued };
    life.ask(&Command::Conclude { attempt: Attempt::new(1), outcome }, 0);
    life
}

#[test]
fn late_sent_callback_does_not_undo_delivered() {
    let mut life = submitted();
    for status in [ProviderStatus::Delivered, ProviderStatus::Sent, ProviderStatus::Queued] {
        let report = Report { sid: sid('a'), status, code: None, via: Via::Callback };
        life.ask(&Command::Report { attempt: Some(Attempt::new(1)), report }, 0);
    }
    assert_eq!(life.message.state, State::Delivered);
}

#[test]
fn cancel_wins_before_the_attempt_and_loses_after_it() {
    let mut before = Life::begin(&request(None, None, OnUnknown::Hold), rules());
    before.ask(&Command::Cancel, 0);
    before.ask(&Command::Begin, 0);
    assert_eq!((before.message.state, before.message.attempt), (State::Canceled, Attempt::NONE));
    let mut after = Life::begin(&request(None, None, OnUnknown::Hold), rules());
    after.ask(&Command::Begin, 0);
    let context =
        Context { now: at(0), rules: &after.rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
    assert!(decide(&after.message, &Command::Cancel, &context).is_err());
}

#[test]
fn a_callback_faster_than_the_answer_is_believed_and_the_answer_then_says_nothing_new() {
    let mut life = Life::begin(&request(None, None, OnUnknown::Hold), rules());
    life.ask(&Command::Begin, 0);
    let report = Report { sid: sid('a'), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    life.ask(&Command::Report { attempt: Some(Attempt::new(1)), report }, 0);
    let known = life.events.len();
    let outcome = Outcome::Taken { sid: sid('a'), status: ProviderStatus::Queued };
    life.ask(&Command::Conclude { attempt: Attempt::new(1), outcome }, 0);
    assert_eq!((life.message.state, life.events.len()), (State::Delivered, known));
}

/// Every way to put four commands after an acceptance, over the alphabet that could send twice.
#[test]
fn no_four_commands_submit_twice_what_may_have_been_taken() {
    let conclude = |outcome| Command::Conclude { attempt: Attempt::new(1), outcome };
    let alphabet = [
        Command::Begin,
        Command::Wake,
        Command::Lose,
        Command::Cancel,
        Command::Poll { answer: None },
        Command::Resolve { attempt: Attempt::new(1), found: None },
        conclude(Outcome::Lost { detail: "timeout".into() }),
        conclude(Outcome::Taken { sid: sid('a'), status: ProviderStatus::Queued }),
    ];
    let mut lives = vec![Life::begin(&request(None, None, OnUnknown::Hold), rules())];
    for _ in 0..5 {
        let longer = lives.iter().flat_map(|life| {
            alphabet.iter().map(|command| {
                let mut life = life.clone();
                life.now += 60;
                life.ask(command, 0);
                life
            })
        });
        lives = longer.collect();
        for life in &lives {
            let started =
                life.events.iter().filter(|(event, _)| matches!(event, Event::AttemptStarted { .. })).count();
            assert!(started <= 1, "{:?}", life.events);
        }
    }
}
