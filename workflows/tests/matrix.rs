//! Every state against every command, as a table that people review: `snapshots/matrix__*.snap`.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "a test may end by panicking"
)]

use std::fmt::Write as _;
use std::time::Duration;

use dunlin_workflows::body::Body;
use dunlin_workflows::consent::{How, Standing};
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber, ProviderSid};
use dunlin_workflows::message::{
    Cause, Command, Context, Custody, Event, Hold, Lease, Message, OnUnknown, Outcome, PROVIDER_STATUSES,
    Priority, ProviderStatus, Report, Request, State, Suspicion, Verdict, Via, accept, decide,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::Ban;
use dunlin_workflows::policy::{Recipient, STRANGER};
use dunlin_workflows::rules::{Rules, Sending};
use dunlin_workflows::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn sid(letter: &str) -> ProviderSid {
    format!("SM{}", letter.repeat(32)).parse().unwrap()
}

/// A message whose first attempt was made and that expires in an hour.
fn message(state: State, on_unknown: OnUnknown) -> Message {
    let request = Request {
        id: MessageId::from_bytes([1; 16]),
        to: PhoneNumber::parse("+15551234567", None).unwrap(),
        body: Body::parse("hello").unwrap(),
        priority: Priority::Normal,
        scheduled_for: None,
        expires_at: Some(NOW.plus(Duration::from_hours(1))),
        on_unknown,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    };
    let rules = Rules::default();
    let events = accept(
        request.terms(PersonNumber::new(1), None),
        &Context { now: NOW, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    )
    .unwrap();
    let mut message = Message::begin(&events[0], NOW).unwrap();
    let unsent = match state {
        State::Accepted
        | State::Due { .. }
        | State::Held { hold: Hold::Scheduled | Hold::SendingDisabled, .. } => true,
        _tried => false,
    };
    message.state = state;
    if !unsent {
        message.attempt = Attempt::new(1);
        message.counted = 1;
        message.sid = Some(sid("a"));
    }
    if matches!(
        state,
        State::Submitting { .. } | State::Unknown { .. } | State::Held { hold: Hold::OutcomeUnknown, .. }
    ) {
        message.sid = None;
    }
    message
}

fn states() -> Vec<(String, Message)> {
    let later = NOW.plus(Duration::from_mins(10));
    let held = |hold, until| State::Held { hold, until };
    let unknown = |lookups| State::Unknown { started_at: NOW, since: NOW, lookups };
    let submitted = |status| State::Submitted { status, since: NOW, polls: 0 };
    let all = [
        ("accepted", State::Accepted),
        ("held scheduled, later", held(Hold::Scheduled, later)),
        ("held scheduled, now", held(Hold::Scheduled, NOW)),
        ("held backoff, later", held(Hold::Backoff, later)),
        ("held lane, now", held(Hold::ProviderLane, NOW)),
        ("held sending disabled", held(Hold::SendingDisabled, Timestamp::MAX)),
        ("held outcome unknown, later", held(Hold::OutcomeUnknown, later)),
        ("held outcome unknown, now", held(Hold::OutcomeUnknown, NOW)),
        ("due", State::Due { since: NOW }),
        ("submitting", State::Submitting { since: NOW }),
        ("unknown, no lookup", unknown(0)),
        ("unknown, last lookup", unknown(2)),
        ("submitted queued", submitted(ProviderStatus::Queued)),
        ("submitted sending", submitted(ProviderStatus::Sending)),
        ("sent", State::Sent { submitted_at: NOW, polls: 0 }),
        ("sent, one question left", State::Sent { submitted_at: NOW, polls: 4 }),
        ("sent, no question left", State::Sent { submitted_at: NOW, polls: 5 }),
        ("unconfirmed", State::Unconfirmed { status: ProviderStatus::Sent }),
        ("delivered", State::Delivered),
        ("undelivered", State::Undelivered),
        ("failed", State::Failed),
        ("canceled", State::Canceled),
        ("expired", State::Expired),
        ("suppressed", State::Suppressed { ban: Ban::OptedOut { since: NOW, how: How::Keyword } }),
    ];
    let mut states: Vec<_> =
        all.into_iter().map(|(name, state)| (name.to_owned(), message(state, OnUnknown::Hold))).collect();
    let theirs = |custody, state| Message { custody, ..message(state, OnUnknown::Hold) };
    let fresh = |message| Message { attempt: Attempt::NONE, counted: 0, sid: None, ..message };
    let claim = held(Hold::Claim, Timestamp::MAX);
    let more = [
        ("claimed, held claim", fresh(theirs(Custody::Claimed, claim))),
        ("claimed, held claim, tried", theirs(Custody::Claimed, claim)),
        ("claimed, held scheduled, now", theirs(Custody::Claimed, held(Hold::Scheduled, NOW))),
        ("claimed, held outcome unknown", theirs(Custody::Claimed, held(Hold::OutcomeUnknown, later))),
        ("claimed, due", theirs(Custody::Claimed, State::Due { since: NOW })),
        ("claimed, submitting", theirs(Custody::Claimed, State::Submitting { since: NOW })),
        ("claimed, unknown", theirs(Custody::Claimed, unknown(2))),
        ("claimed, submitted", theirs(Custody::Claimed, submitted(ProviderStatus::Queued))),
        ("claimed, delivered", theirs(Custody::Claimed, State::Delivered)),
        ("elsewhere, submitting", theirs(Custody::Elsewhere, State::Submitting { since: NOW })),
        ("elsewhere, unknown", theirs(Custody::Elsewhere, unknown(2))),
        ("elsewhere, submitted", theirs(Custody::Elsewhere, submitted(ProviderStatus::Queued))),
        ("relinquished", fresh(theirs(Custody::Elsewhere, State::Relinquished))),
    ];
    states.extend(more.map(|(name, message)| (name.to_owned(), message)));
    states.push(("unknown, last lookup, resend".to_owned(), message(unknown(2), OnUnknown::Resend)));
    states
}

fn commands() -> Vec<(String, Command)> {
    let attempt = Attempt::new(1);
    let conclude = |outcome| Command::Conclude { attempt, outcome };
    let taken = |letter| Outcome::Taken { sid: sid(letter), status: ProviderStatus::Queued };
    let refused = |cause| Outcome::Refused { cause, detail: "no".into(), retry_after: None };
    let answered = |http_status, code| refused(Cause::Refused { http_status, code });
    let report = |letter, status, code| Report { sid: sid(letter), status, code, via: Via::Callback };
    let mut commands = vec![
        ("wake".to_owned(), Command::Wake),
        ("begin".to_owned(), Command::Begin),
        ("conclude taken".to_owned(), conclude(taken("a"))),
        ("conclude taken, other sid".to_owned(), conclude(taken("b"))),
        ("conclude 400 21211".to_owned(), conclude(answered(400, Some(21211)))),
        ("conclude 400 21610".to_owned(), conclude(answered(400, Some(21610)))),
        ("conclude 400 21611".to_owned(), conclude(answered(400, Some(21611)))),
        ("conclude 401 20003".to_owned(), conclude(answered(401, Some(20003)))),
        ("conclude 429".to_owned(), conclude(answered(429, None))),
        ("conclude 500".to_owned(), conclude(answered(500, None))),
        ("conclude not connected".to_owned(), conclude(refused(Cause::NotConnected))),
        ("conclude lost".to_owned(), conclude(Outcome::Lost { detail: "timeout".into() })),
        (
            "conclude of another attempt".to_owned(),
            Command::Conclude { attempt: Attempt::new(9), outcome: taken("a") },
        ),
        ("lose".to_owned(), Command::Lose),
        (
            "resolve found".to_owned(),
            Command::Resolve { attempt, found: Some(report("a", ProviderStatus::Sent, None)) },
        ),
        ("resolve nothing".to_owned(), Command::Resolve { attempt, found: None }),
        ("poll unanswered".to_owned(), Command::Poll { answer: None }),
        (
            "poll delivered".to_owned(),
            Command::Poll { answer: Some(report("a", ProviderStatus::Delivered, None)) },
        ),
        ("cancel".to_owned(), Command::Cancel),
        ("reschedule at once".to_owned(), Command::Reschedule { scheduled_for: None }),
        (
            "reschedule later".to_owned(),
            Command::Reschedule { scheduled_for: Some(NOW.plus(Duration::from_mins(30))) },
        ),
        (
            "reschedule past expiry".to_owned(),
            Command::Reschedule { scheduled_for: Some(NOW.plus(Duration::from_hours(2))) },
        ),
        ("reconsider".to_owned(), Command::Reconsider),
        ("retry".to_owned(), Command::Retry { id: MessageId::from_bytes([2; 16]) }),
    ];
    commands.extend(claims());
    for (status, word, _) in PROVIDER_STATUSES {
        let report = report("a", status, None);
        commands.push((format!("report {word}"), Command::Report { attempt: Some(attempt), report }));
    }
    for (code, status) in [
        (30001, ProviderStatus::Failed),
        (30003, ProviderStatus::Undelivered),
        (30007, ProviderStatus::Undelivered),
    ] {
        let report = report("a", status, Some(code));
        commands
            .push((format!("report {status} {code}"), Command::Report { attempt: Some(attempt), report }));
    }
    let stray = |attempt, letter| Command::Report {
        attempt,
        report: report(letter, ProviderStatus::Delivered, None),
    };
    commands.push(("report delivered, other sid".to_owned(), stray(Some(attempt), "b")));
    commands.push(("report delivered, older attempt".to_owned(), stray(Some(Attempt::NONE), "c")));
    commands.push(("report delivered, by sid alone".to_owned(), stray(None, "a")));
    commands
}

/// What the shared database says.
fn claims() -> Vec<(String, Command)> {
    let said = Report { sid: sid("a"), status: ProviderStatus::Sent, code: None, via: Via::Lookup };
    let confirm = |known| {
        let since = NOW.minus(Duration::from_mins(5));
        Command::Confirm { suspicion: Some(Suspicion { since, known }) }
    };
    vec![
        ("confirm".to_owned(), Command::Confirm { suspicion: None }),
        ("confirm, perhaps sent".to_owned(), confirm(None)),
        ("confirm, sent as a".to_owned(), confirm(Some(said))),
        ("relinquish".to_owned(), Command::Relinquish),
        ("reclaim".to_owned(), Command::Reclaim),
    ]
}

/// What a decision came to, in a few words.
fn told(message: &Message, command: &Command, context: &Context<'_>) -> String {
    match decide(message, command, context) {
        Err(rejection) => format!("no: {rejection}"),
        Ok(events) if events.is_empty() => "-".to_owned(),
        Ok(events) => {
            let mut after = message.clone();
            for event in &events {
                after.apply(event, context.now).unwrap();
            }
            let names: Vec<String> = events.iter().map(named).collect();
            format!("{} => {}", names.join(" + "), after.state.name().as_str())
        }
    }
}

fn named(event: &Event) -> String {
    match event {
        Event::Held { hold, .. } => format!("held({})", hold.as_str()),
        Event::AttemptFailed { verdict: Verdict::Failed, failure, .. } => {
            format!("attempt_failed({})", failure.class.as_str())
        }
        Event::AttemptFailed { verdict: Verdict::RetryAt { hold, until, .. }, .. } => {
            format!("attempt_failed(again after {} s, {})", until.since(NOW).as_secs(), hold.as_str())
        }
        Event::Submitted { status, .. } | Event::StatusReported { status, .. } => {
            format!("{}({status})", event.name())
        }
        _plain => event.name().to_owned(),
    }
}

fn table(rules: &Rules, standing: Standing, now: Timestamp, commands: &[(String, Command)]) -> String {
    table_under(Lease::InForce, rules, standing, now, commands)
}

fn table_under(
    lease: Lease,
    rules: &Rules,
    standing: Standing,
    now: Timestamp,
    commands: &[(String, Command)],
) -> String {
    let mut table = String::new();
    for (state, message) in states() {
        writeln!(table, "{state}").unwrap();
        for (name, command) in commands {
            writeln!(
                table,
                "    {name:<34} {}",
                told(
                    &message,
                    command,
                    &Context { now, rules, recipient: &Recipient::standing(standing), lease, jitter: 0 }
                )
            )
            .unwrap();
        }
    }
    table
}

#[test]
fn every_state_against_every_command() {
    insta::assert_snapshot!("every_command", table(&Rules::default(), Standing::Unknown, NOW, &commands()));
}

/// The commands that look at the clock or the switch: after the deadline, and with sending off.
#[test]
fn past_the_deadline_and_with_sending_off() {
    let timed: Vec<_> = commands()
        .into_iter()
        .filter(|(name, _)| {
            ["wake", "begin", "reschedule at once", "resolve nothing", "confirm", "retry"]
                .contains(&name.as_str())
        })
        .collect();
    let expired = table(&Rules::default(), Standing::Unknown, NOW.plus(Duration::from_hours(1)), &timed);
    insta::assert_snapshot!("past_the_deadline", expired);
    let off = Rules { sending: Sending::Disabled, ..Rules::default() };
    insta::assert_snapshot!("sending_off", table(&off, Standing::Unknown, NOW, &timed));
}

/// The commands that meet the gate, of a message to somebody who opted out.
#[test]
fn to_somebody_who_opted_out() {
    let gated: Vec<_> = commands()
        .into_iter()
        .filter(|(name, _)| {
            let gated =
                ["wake", "begin", "reconsider", "reschedule at once", "resolve nothing", "confirm", "retry"];
            gated.contains(&name.as_str())
        })
        .collect();
    let standing = Standing::OptedOut { since: NOW, how: How::Keyword };
    insta::assert_snapshot!("opted_out", table(&Rules::default(), standing, NOW, &gated));
}

/// The only command that looks at the lease, once it is lapsed.
#[test]
fn after_the_lease_lapsed() {
    let begin = [("begin".to_owned(), Command::Begin)];
    let lapsed = table_under(Lease::Lapsed, &Rules::default(), Standing::Unknown, NOW, &begin);
    let held: Vec<_> = lapsed.lines().filter(|line| line.contains("=>")).map(str::trim).collect();
    let [own, claimed] = held[..] else { panic!("two are due: {held:?}") };
    assert_eq!(own, "begin                              attempt_started => submitting");
    assert_eq!(claimed, "begin                              held(claim) => held");
}
