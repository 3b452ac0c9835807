//! Claims about allowances.

use std::time::Duration;

use super::*;
use crate::timestamp::Timestamp;

fn take(allowance: &mut Allowance, subject: Subject, now: Timestamp) -> Result<(), Rejection> {
    let limits = Rules::default().limits(subject);
    let event = decide(allowance, subject, &limits, now)?;
    allowance.apply(&event, now);
    Ok(())
}

#[test]
fn a_number_gets_five_codes_an_hour_and_twenty_a_day() {
    let (mut allowance, start) = (Allowance::default(), Timestamp::from_millis(1_000_000_000));
    let mut sent = 0;
    let mut now = start;
    while now < start.plus(Duration::from_hours(24)) {
        sent += u32::from(take(&mut allowance, Subject::Number, now).is_ok());
        let hour_ago = now.minus(Duration::from_hours(1));
        assert!(allowance.taken.iter().filter(|at| **at > hour_ago).count() <= 5);
        now = now.plus(Duration::from_mins(1));
    }
    assert_eq!(sent, 20);
}

#[test]
fn the_wait_that_is_told_is_the_wait_that_helps() {
    let (mut allowance, now) = (Allowance::default(), Timestamp::from_millis(1_000_000_000));
    for second in 0..5 {
        take(&mut allowance, Subject::User, now.plus(Duration::from_secs(second))).unwrap();
    }
    let Err(Rejection::Exhausted { until, .. }) =
        take(&mut allowance, Subject::User, now.plus(Duration::from_secs(9)))
    else {
        panic!("the sixth is taken")
    };
    assert_eq!(until, now.plus(Duration::from_hours(1)));
    assert!(take(&mut allowance.clone(), Subject::User, until.minus(Duration::from_millis(1))).is_err());
    assert!(take(&mut allowance, Subject::User, until).is_ok());
}

#[test]
fn whoever_asks_again_and_again_takes_no_more_room() {
    let (mut allowance, mut now) = (Allowance::default(), Timestamp::EPOCH);
    for _ in 0..1000 {
        allowance.apply(&Event::Taken { keep_from: Timestamp::EPOCH }, now);
        now = now.plus(Duration::from_millis(1));
    }
    assert_eq!(allowance.taken.len(), REMEMBERED);
}
