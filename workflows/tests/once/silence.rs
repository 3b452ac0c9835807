//! A provider that never tells what became of a text: asked a few times, then settled; late word still counts.

use dunlin_workflows::message::{
    Command, Context, Event, Lease, Message, Next, ProviderStatus, PublicStatus, Report, State, StateName,
    Via, decide, next, timer,
};
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::samples::{NEWEST, T, own_sid, samples, sid};

fn with_provider() -> Vec<Message> {
    let is_open = |name: StateName| name == StateName::Submitted || name == StateName::Sent;
    samples().into_iter().map(|(_, message)| message).filter(|m| is_open(m.state.name())).collect()
}

fn ask(message: &mut Message, command: &Command, rules: &Rules, now: Timestamp) -> Vec<Event> {
    let events = decide(
        message,
        command,
        &Context { now, rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    )
    .unwrap();
    for event in &events {
        message.apply(event, now).unwrap();
    }
    events
}

/// The message after every question stayed unanswered, and when that was.
fn after_silence(mut message: Message, rules: &Rules) -> (Message, Timestamp) {
    let mut now = T;
    while let Next::Poll { at, .. } = next(&message, rules) {
        assert!(at > now, "each question is later than the one before");
        assert_eq!(timer(&message, rules), Some(at));
        now = at;
        ask(&mut message, &Command::Poll { answer: None }, rules, now);
    }
    (message, now)
}

#[test]
fn text_of_which_nothing_is_ever_heard_settles_with_the_last_question() {
    let rules = Rules::default();
    for message in with_provider() {
        let said = message.public_status();
        let (settled, now) = after_silence(message, &rules);
        assert_eq!(settled.state.name(), StateName::Unconfirmed);
        assert_eq!(settled.public_status(), said, "what callers see stays the provider's last word");
        assert_eq!(now, T.plus(*rules.polls.last().unwrap()));
        assert_eq!((next(&settled, &rules), timer(&settled, &rules)), (Next::Nothing, None));
    }
}

#[test]
fn late_word_moves_a_settled_text_and_sends_nothing_again() {
    let rules = Rules::default();
    let late = [
        (ProviderStatus::Sent, None, StateName::Unconfirmed, PublicStatus::Sent),
        (ProviderStatus::Delivered, None, StateName::Delivered, PublicStatus::Delivered),
        // Queue overflow: sent again when it is told in time.
        (ProviderStatus::Failed, Some(30001), StateName::Failed, PublicStatus::Failed),
    ];
    for message in with_provider() {
        for (status, code, state, shown) in late {
            let (mut settled, now) = after_silence(message.clone(), &rules);
            let report = Report { sid: own_sid(), status, code, via: Via::Callback };
            ask(&mut settled, &Command::Report { attempt: Some(NEWEST), report }, &rules, now);
            assert_eq!((settled.state.name(), settled.public_status()), (state, shown));
            assert_eq!(next(&settled, &rules), Next::Nothing);
        }
    }
}

#[test]
fn answer_that_crosses_the_last_question_is_still_heard() {
    let rules = Rules::default();
    let (mut settled, now) = after_silence(with_provider().remove(0), &rules);
    let said = |sid| Report { sid, status: ProviderStatus::Delivered, code: None, via: Via::Poll };
    ask(&mut settled, &Command::Poll { answer: Some(said(own_sid())) }, &rules, now);
    assert_eq!(settled.state, State::Delivered);
    let events = ask(&mut settled, &Command::Poll { answer: Some(said(sid(99))) }, &rules, now);
    assert_eq!(events, []);
}

#[test]
fn rules_with_fewer_questions_settle_what_was_asked_more_often() {
    let mut rules = Rules::default();
    for message in with_provider() {
        let mut asked = message;
        ask(&mut asked, &Command::Poll { answer: None }, &rules, T);
        rules.polls.truncate(1);
        assert!(timer(&asked, &rules).is_some_and(|at| at <= T), "it is woken at once");
        ask(&mut asked, &Command::Wake, &rules, T);
        assert_eq!(asked.state.name(), StateName::Unconfirmed);
        rules = Rules::default();
    }
}
