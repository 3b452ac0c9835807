//! After a restore, whatever may have been sent since is looked up before anything else happens to it.

use dunlin_workflows::message::{Event, Hold, Next, State, StateName, doubt, next};
use dunlin_workflows::rules::Rules;

use crate::samples::{at, samples};

#[test]
fn text_that_may_have_been_sent_since_is_looked_up_and_no_other_is_touched() {
    let rules = Rules::default();
    let late = at(10_000_000);
    for (name, before) in samples() {
        let waits = matches!(before.state.name(), StateName::Accepted | StateName::Held | StateName::Due);
        let for_a_person = matches!(before.state, State::Held { hold: Hold::OutcomeUnknown, .. });
        let Some((started, lost)) = doubt(&before, "restored", late) else {
            assert!(!waits || for_a_person, "{name} would be sent blindly");
            continue;
        };
        assert!(waits && !for_a_person, "{name}");
        let mut after = before.clone();
        for event in started.iter().chain([&lost]) {
            after.apply(event, late).unwrap();
        }
        assert!(matches!(next(&after, &rules), Next::LookUp { .. }), "{name}");
        assert_eq!(after.attempt, before.attempt.next(), "{name}");
        assert!(matches!(lost, Event::OutcomeLost { .. }));
    }
}

#[test]
fn text_whose_time_is_still_to_come_stays_scheduled() {
    for (name, message) in samples() {
        if let State::Held { hold: Hold::Scheduled, until } = message.state {
            let before = until.minus(std::time::Duration::from_millis(1));
            assert_eq!(doubt(&message, "restored", before), None, "{name}");
        }
    }
}
