//! Claims about verifications that would hurt somebody if they did not hold.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::id::{PersonNumber, UserNumber};
use crate::timestamp::Timestamp;

const ADA: Option<UserNumber> = Some(UserNumber::new(1));
const EVE: Option<UserNumber> = Some(UserNumber::new(2));
const RIGHT: CodeDigest = CodeDigest::from_bytes([1; 16]);
const WRONG: CodeDigest = CodeDigest::from_bytes([2; 16]);

fn sid() -> VerificationSid {
    "VE0123456789abcdef0123456789abcdef".parse().unwrap()
}

/// A verification, a clock and the rules.
struct Stand {
    now: Timestamp,
    state: Verification,
    is_taken: bool,
}

impl Stand {
    fn new() -> Self {
        Self { now: Timestamp::from_millis(1_000_000), state: Verification::default(), is_taken: false }
    }

    fn tell(&mut self, command: Command) -> Result<Option<Outcome>, Rejection> {
        let rules = Rules::default();
        let context = Context { now: self.now, rules: &rules, is_taken: self.is_taken };
        let events = decide(&self.state, &command, &context)?;
        for event in &events {
            self.state.apply(event, self.now);
        }
        Ok(events.last().and_then(Event::outcome))
    }

    fn start(&mut self, user: Option<UserNumber>, via: Via) -> Result<Option<Outcome>, Rejection> {
        let digest = (via == Via::Message).then_some(RIGHT);
        self.tell(Command::Start { person: PersonNumber::new(7), user, via, digest })
    }

    fn check(&mut self, user: Option<UserNumber>, digest: CodeDigest) -> Result<Option<Outcome>, Rejection> {
        self.tell(Command::Check { user, digest })
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    /// Waits for the timer, and wakes.
    fn wake(&mut self) -> Option<Outcome> {
        self.now = timer(&self.state).unwrap().max(self.now);
        self.tell(Command::Wake).unwrap()
    }
}

#[test]
fn sixth_code_is_not_looked_at_even_if_it_is_the_right_one() {
    let mut stand = Stand::new();
    assert_eq!(stand.start(ADA, Via::Message), Ok(Some(Outcome::Sent)));
    for _ in 0..5 {
        assert_eq!(stand.check(ADA, WRONG), Ok(Some(Outcome::Incorrect)));
    }
    assert_eq!(stand.check(ADA, RIGHT), Err(Rejection::Spent));
}

#[test]
fn asking_for_another_code_buys_no_more_guesses() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Message).unwrap();
    for _ in 0..4 {
        stand.check(ADA, WRONG).unwrap();
    }
    stand.wait(31);
    stand.start(ADA, Via::Message).unwrap();
    stand.check(ADA, WRONG).unwrap();
    assert_eq!(stand.check(ADA, RIGHT), Err(Rejection::Spent));
}

#[test]
fn right_code_counts_until_its_last_moment_and_not_at_its_end() {
    for (seconds, wanted) in [(599, Ok(Some(Outcome::Approved))), (600, Err(Rejection::Expired))] {
        let mut stand = Stand::new();
        stand.start(ADA, Via::Message).unwrap();
        stand.wait(seconds);
        assert_eq!(stand.check(ADA, RIGHT), wanted);
    }
}

#[test]
fn another_code_is_sent_after_30_seconds_then_60_then_120_and_120_again() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Message).unwrap();
    for wait in [30, 60, 120, 120] {
        let until = stand.now.plus(Duration::from_secs(wait));
        assert_eq!(stand.start(ADA, Via::Message), Err(Rejection::CoolingDown { until }));
        stand.wait(wait);
        assert_eq!(stand.start(ADA, Via::Message), Ok(Some(Outcome::Sent)));
    }
}

#[test]
fn of_two_users_only_the_one_who_asked_last_can_prove_the_number() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Message).unwrap();
    stand.wait(31);
    stand.start(EVE, Via::Message).unwrap();
    assert_eq!(stand.check(ADA, RIGHT), Err(Rejection::Expired));
    assert_eq!(stand.check(EVE, RIGHT), Ok(Some(Outcome::Approved)));
    assert_eq!(stand.check(EVE, RIGHT), Ok(None), "who asks again is told the same");
}

#[test]
fn number_of_another_user_looks_like_any_other_and_no_code_is_right() {
    let mut stand = Stand { is_taken: true, ..Stand::new() };
    assert_eq!(stand.start(EVE, Via::Message), Ok(Some(Outcome::Sent)));
    assert_eq!(stand.state.via, Via::Notice);
    for _ in 0..5 {
        assert_eq!(stand.check(EVE, RIGHT), Ok(Some(Outcome::Incorrect)));
    }
    assert_eq!(stand.check(EVE, RIGHT), Err(Rejection::Spent));

    // Proven by somebody else after the code was sent.
    let mut stand = Stand::new();
    stand.start(EVE, Via::Message).unwrap();
    stand.is_taken = true;
    assert_eq!(stand.check(EVE, RIGHT), Ok(Some(Outcome::Incorrect)));
    assert_eq!(stand.check(EVE, RIGHT), Ok(Some(Outcome::Incorrect)));
}

#[test]
fn lost_answer_about_the_right_code_is_found_and_never_called_a_wrong_code() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Service).unwrap();
    stand.tell(Command::Sent(Sent::Taken { sid: sid() })).unwrap();
    stand.check(ADA, RIGHT).unwrap();
    // The process ends here: nobody says that the answer is lost.
    assert_eq!(stand.wake(), None);
    assert_eq!((stand.wake(), next(&stand.state)), (None, Next::LookUp));
    assert_eq!(stand.check(ADA, RIGHT), Err(Rejection::Unanswered));
    assert_eq!(stand.tell(Command::Looked(Looked::Unavailable)), Ok(None));
    stand.wake();
    assert_eq!(stand.tell(Command::Looked(Looked::Approved)), Ok(Some(Outcome::Approved)));
}

#[test]
fn what_the_service_knows_no_more_is_expired_and_trouble_is_neither_wrong_nor_counted() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Service).unwrap();
    stand.tell(Command::Sent(Sent::Taken { sid: sid() })).unwrap();
    for _ in 0..9 {
        stand.check(ADA, RIGHT).unwrap();
        assert_eq!(
            stand.tell(Command::Checked { digest: RIGHT, checked: Checked::Unavailable }),
            Ok(Some(Outcome::Unavailable))
        );
    }
    stand.check(ADA, RIGHT).unwrap();
    assert_eq!(
        stand.tell(Command::Checked { digest: RIGHT, checked: Checked::Gone }),
        Ok(Some(Outcome::Expired))
    );
    assert_eq!(stand.check(ADA, RIGHT), Err(Rejection::Expired));
}

#[test]
fn lost_request_for_a_code_is_repeated_once_and_its_code_still_counts() {
    let mut stand = Stand::new();
    stand.start(ADA, Via::Service).unwrap();
    assert_eq!(stand.tell(Command::Sent(Sent::Lost)), Ok(None));
    assert_eq!(next(&stand.state), Next::Send);
    assert_eq!(stand.tell(Command::Sent(Sent::Lost)), Ok(Some(Outcome::Unavailable)));
    assert_eq!(next(&stand.state), Next::Nothing);
    assert_eq!(stand.check(ADA, RIGHT), Ok(None));
    assert_eq!(
        stand.tell(Command::Checked { digest: RIGHT, checked: Checked::Right }),
        Ok(Some(Outcome::Approved))
    );
}

fn command() -> impl Strategy<Value = Command> {
    let user = prop_oneof![Just(ADA), Just(EVE), Just(None)];
    let via = prop_oneof![Just(Via::Message), Just(Via::Service)];
    prop_oneof![
        (user.clone(), via).prop_map(|(user, via)| {
            let digest = (via == Via::Message).then_some(RIGHT);
            Command::Start { person: PersonNumber::new(7), user, via, digest }
        }),
        prop_oneof![
            Just(Sent::Taken { sid: sid() }),
            Just(Sent::Lost),
            Just(Sent::Refused { refusal: Refusal::Limited })
        ]
        .prop_map(Command::Sent),
        (user, prop_oneof![Just(RIGHT), Just(WRONG)])
            .prop_map(|(user, digest)| Command::Check { user, digest }),
        prop_oneof![
            Just(Checked::Wrong),
            Just(Checked::Gone),
            Just(Checked::Lost),
            Just(Checked::Unavailable)
        ]
        .prop_map(|checked| Command::Checked { digest: RIGHT, checked }),
        prop_oneof![Just(Looked::Pending), Just(Looked::Gone), Just(Looked::Unavailable)]
            .prop_map(Command::Looked),
        Just(Command::Wake),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no more than five wrong codes are looked at, only a right one
    /// proves, and whatever is unanswered or pending has a timer that ends it.
    #[test]
    fn guesses_are_bounded_and_everything_ends(steps in prop::collection::vec((command(), 0_u64..200), 0..60)) {
        let mut stand = Stand::new();
        let mut was_right = false;
        for (command, seconds) in steps {
            stand.wait(seconds);
            let given = if let Command::Check { digest, .. } = command { Some(digest) } else { None };
            let right = given == Some(RIGHT) && stand.state.digest == given;
            let told = stand.tell(command);
            was_right |= told == Ok(Some(Outcome::Approved));
            if told == Ok(Some(Outcome::Approved)) {
                prop_assert!(right, "{command:?} approved");
            }
            prop_assert!(stand.state.checks <= 5);
        }
        prop_assert!(was_right || stand.state.standing != Standing::Approved);
        for _ in 0..100 {
            if timer(&stand.state).is_none() {
                break;
            }
            stand.wake();
        }
        prop_assert_eq!(timer(&stand.state), None);
        prop_assert!(!stand.state.standing.awaits_answer());
    }
}
