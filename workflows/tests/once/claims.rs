//! What several daemons may claim: nothing releases it but the database's word, and what somebody else may have sent
//! is looked up first.

use std::time::Duration;

use dunlin_workflows::consent::{How, Standing};
use dunlin_workflows::id::{Attempt, PersonNumber};
use dunlin_workflows::message::{
    Command, Context, Custody, Event, Hold, Lease, Message, Next, OnUnknown, ProviderStatus, Rejection,
    Report, Request, State, Suspicion, Via, accept, decide, next, timer,
};
use dunlin_workflows::policy::Recipient;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::samples::{EXPIRY_S, at, id, lost, own_sid, taken, too_many, wish};

const OUT: Standing = Standing::OptedOut { since: Timestamp::EPOCH, how: How::Keyword };
const WAITS: State = State::Held { hold: Hold::Claim, until: Timestamp::MAX };
const CONFIRM: Command = Command::Confirm { suspicion: None };

/// A claimed text on its way.
struct Life {
    message: Message,
    rules: Rules,
    standing: Standing,
    lease: Lease,
}

impl Life {
    fn of(request: &Request) -> Self {
        let request = Request { is_claimed: true, ..request.clone() };
        let rules = Rules::default();
        let recipient = Recipient::standing(OUT);
        let context =
            Context { now: at(0), rules: &rules, recipient: &recipient, lease: Lease::Lapsed, jitter: 0 };
        let events = accept(request.terms(PersonNumber::new(1), None), &context).unwrap();
        let mut message = Message::begin(&events[0], at(0)).unwrap();
        message.apply(&events[1], at(0)).unwrap();
        Self { message, rules, standing: Standing::Unknown, lease: Lease::InForce }
    }

    fn ask(&mut self, command: &Command, seconds: u64) -> Result<Vec<Event>, Rejection> {
        let recipient = Recipient::standing(self.standing);
        let context = Context {
            now: at(seconds),
            rules: &self.rules,
            recipient: &recipient,
            lease: self.lease,
            jitter: 0,
        };
        let events = decide(&self.message, command, &context)?;
        for event in &events {
            self.message.apply(event, at(seconds)).unwrap();
        }
        Ok(events)
    }

    fn confirmed(request: &Request) -> Self {
        let mut life = Self::of(request);
        life.ask(&CONFIRM, 0).unwrap();
        assert_eq!(life.message.state.name().as_str(), "due");
        life
    }

    fn conclude(&mut self, outcome: dunlin_workflows::message::Outcome, seconds: u64) -> Vec<Event> {
        let attempt = self.message.attempt;
        self.ask(&Command::Conclude { attempt, outcome }, seconds).unwrap()
    }

    fn search_in_vain(&mut self) {
        for seconds in [30, 120, 600] {
            let attempt = self.message.attempt;
            self.ask(&Command::Resolve { attempt, found: None }, seconds).unwrap();
        }
    }
}

fn suspicion(known: Option<Report>) -> Command {
    Command::Confirm { suspicion: Some(Suspicion { since: at(0).minus(Duration::from_mins(9)), known }) }
}

#[test]
fn claimed_text_waits_whatever_comes_until_it_is_confirmed() {
    for standing in [Standing::Unknown, OUT] {
        let mut life = Life::of(&Request { expires_at: Some(at(EXPIRY_S)), ..wish() });
        life.standing = standing;
        assert_eq!(life.message.state, WAITS, "an opt-out says nothing of what was sent before");
        assert_eq!(timer(&life.message, &life.rules), Some(at(EXPIRY_S)));
        let later = Command::Reschedule { scheduled_for: Some(at(60)) };
        let now = Command::Reschedule { scheduled_for: None };
        for command in
            [Command::Wake, Command::Begin, later, now, Command::Reconsider, Command::Reclaim, Command::Lose]
        {
            drop(life.ask(&command, 100));
            assert_eq!(life.message.state, WAITS, "{command:?}");
        }
        assert_eq!(life.ask(&Command::Retry { id: id(9) }, 100), Err(Rejection::NotConfirmed));
        let mut canceled = Life { message: life.message.clone(), ..Life::of(&wish()) };
        assert_eq!(canceled.ask(&Command::Cancel, 100), Ok(vec![Event::Canceled]));
        let mut expired = Life { message: life.message.clone(), ..Life::of(&wish()) };
        assert_eq!(expired.ask(&Command::Wake, EXPIRY_S), Ok(vec![Event::Expired]));
        life.ask(&CONFIRM, 100).unwrap();
        let is_out = standing.is_out();
        assert_eq!(life.message.state.name().as_str(), if is_out { "suppressed" } else { "due" });
    }
}

#[test]
fn confirmed_text_keeps_the_time_that_it_was_given_while_it_waited() {
    let mut life = Life::of(&wish());
    life.ask(&Command::Reschedule { scheduled_for: Some(at(60)) }, 1).unwrap();
    life.ask(&CONFIRM, 2).unwrap();
    assert_eq!(life.message.state, State::Held { hold: Hold::Scheduled, until: at(60) });
}

#[test]
fn nothing_claimed_begins_while_the_lease_is_lapsed() {
    let mut life = Life::confirmed(&wish());
    life.lease = Lease::Lapsed;
    assert_eq!(
        life.ask(&Command::Begin, 1),
        Ok(vec![Event::Held { hold: Hold::Claim, until: Timestamp::MAX }])
    );
    life.lease = Lease::InForce;
    assert!(life.ask(&Command::Begin, 2).is_err(), "the lease alone releases nothing");
    life.ask(&CONFIRM, 3).unwrap();
    life.ask(&Command::Begin, 3).unwrap();
    assert_eq!(life.message.attempt, Attempt::new(1));
}

#[test]
fn what_may_have_been_sent_is_searched_for_before_anything_else_happens_to_it() {
    for on_unknown in [OnUnknown::Hold, OnUnknown::Resend] {
        let mut life = Life::of(&Request { on_unknown, ..wish() });
        life.standing = OUT;
        life.ask(&suspicion(None), 0).unwrap();
        let State::Unknown { started_at, since, lookups: 0 } = life.message.state else {
            panic!("{:?}", life.message.state)
        };
        assert_eq!((started_at, since), (at(0).minus(Duration::from_mins(9)), at(0)));
        for command in
            [Command::Begin, Command::Wake, CONFIRM, Command::Reclaim, Command::Retry { id: id(9) }]
        {
            drop(life.ask(&command, 1));
            assert_eq!(life.message.state.name().as_str(), "unknown", "{command:?}");
        }
        life.search_in_vain();
        let held = match life.message.state {
            State::Held { hold, .. } => hold,
            other => panic!("{other:?}"),
        };
        assert_eq!(held == Hold::Backoff, on_unknown == OnUnknown::Resend);
        life.ask(&Command::Wake, 601).unwrap();
        assert_eq!(life.message.attempt, Attempt::new(1), "to somebody who opted out nothing follows");
    }
}

#[test]
fn name_that_somebody_left_is_followed_and_not_searched_for() {
    let known = |status| Report { sid: own_sid(), status, code: None, via: Via::Lookup };
    let mut life = Life::of(&wish());
    life.ask(&suspicion(Some(known(ProviderStatus::Sent))), 0).unwrap();
    assert!(matches!(next(&life.message, &life.rules), Next::Poll { .. }));
    assert_eq!(life.message.sid, Some(own_sid()));
    let mut arrived = Life::of(&wish());
    arrived.ask(&suspicion(Some(known(ProviderStatus::Delivered))), 0).unwrap();
    assert_eq!(arrived.message.state, State::Delivered);
}

#[test]
fn relinquished_text_is_not_sent_until_it_is_claimed_again_and_confirmed() {
    let mut life = Life::confirmed(&wish());
    life.ask(&Command::Relinquish, 1).unwrap();
    assert_eq!(life.message.state, State::Relinquished);
    assert_eq!(next(&life.message, &life.rules), Next::Nothing);
    for command in
        [Command::Cancel, Command::Reschedule { scheduled_for: None }, Command::Retry { id: id(9) }]
    {
        assert_eq!(life.ask(&command, 2), Err(Rejection::Elsewhere), "{command:?}");
    }
    for command in [CONFIRM, suspicion(None), Command::Wake, Command::Reconsider, Command::Relinquish] {
        assert_eq!(life.ask(&command, 2), Ok(vec![]), "{command:?}");
    }
    assert!(life.ask(&Command::Begin, 2).is_err());
    life.ask(&Command::Reclaim, 3).unwrap();
    assert_eq!(life.message.state, WAITS);
    life.ask(&CONFIRM, 4).unwrap();
    assert!(life.ask(&Command::Begin, 5).is_ok());
}

#[test]
fn claim_of_a_text_that_waits_takes_the_confirmation_before_it_back() {
    for begin in [false, true] {
        let mut life = Life::confirmed(&wish());
        if begin {
            life.ask(&Command::Begin, 1).unwrap();
            life.conclude(too_many(), 2);
        }
        life.ask(&Command::Reclaim, 3).unwrap();
        assert_eq!(life.message.state, WAITS);
    }
}

#[test]
fn attempt_under_way_is_followed_to_its_end_and_none_follows_it() {
    let mut life = Life::confirmed(&wish());
    life.ask(&Command::Begin, 1).unwrap();
    life.ask(&Command::Relinquish, 2).unwrap();
    assert!(matches!(life.message.state, State::Submitting { .. }), "it may be on the wire");
    let mut refused = Life { message: life.message.clone(), ..Life::of(&wish()) };
    refused.conclude(too_many(), 3);
    assert_eq!(refused.message.state, State::Relinquished);
    let mut sent = Life { message: life.message.clone(), ..Life::of(&wish()) };
    sent.conclude(taken(own_sid(), ProviderStatus::Queued), 3);
    assert!(matches!(sent.message.state, State::Submitted { .. }));
    life.conclude(lost(), 3);
    life.search_in_vain();
    assert_eq!((life.message.state, life.message.custody), (State::Relinquished, Custody::Elsewhere));
    // Late word of it still counts.
    let said = Report { sid: own_sid(), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    let heard = Command::Report { attempt: Some(Attempt::new(1)), report: said };
    let mut late = Life { message: life.message.clone(), ..Life::of(&wish()) };
    late.ask(&heard, 700).unwrap();
    assert_eq!(late.message.state, State::Delivered);
}

#[test]
fn doubt_of_ours_outlives_the_time_that_somebody_else_had_it() {
    let mut life = Life::confirmed(&wish());
    life.ask(&Command::Begin, 1).unwrap();
    life.conclude(lost(), 2);
    life.search_in_vain();
    for command in [Command::Relinquish, Command::Reclaim, CONFIRM] {
        life.ask(&command, 700).unwrap();
    }
    assert!(
        matches!(next(&life.message, &life.rules), Next::LookUp { attempt, .. } if attempt == Attempt::new(2))
    );
}
