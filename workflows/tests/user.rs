//! What holds for every user, whatever is asked about them.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Changes, Command, Event, Preferences, Rejection, Toggle, User, decide};
use dunlin_workflows::zone::LocalTime;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_435_200_000);

fn time(minute: u16) -> LocalTime {
    LocalTime::from_minute(minute).unwrap()
}

fn person(n: u64) -> PersonNumber {
    PersonNumber::new(n)
}

/// What a command makes of a user.
fn told(user: Option<User>, command: Command) -> Result<User, Rejection> {
    let mut after = user.unwrap_or_default();
    for event in decide(user.as_ref(), &command, None)? {
        after.apply(&event, NOW);
    }
    Ok(after)
}

fn change() -> impl Strategy<Value = Changes> {
    let toggles = prop::array::uniform6(prop::option::of(any::<bool>()));
    let end = || prop::option::of(prop::option::of((0_u16..1440).prop_map(time)));
    (toggles, end(), end(), prop::option::of(prop::option::of(0_u16..50))).prop_map(
        |(toggles, quiet_start, quiet_end, daily_limit)| Changes {
            toggles,
            quiet_start,
            quiet_end,
            daily_limit,
            ..Changes::default()
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let seen = || prop::option::weighted(0.3, 0_u64..6);
    prop_oneof![
        Just(Command::Misread),
        (change(), seen()).prop_map(|(changes, seen)| Command::Prefer { changes, seen }),
        (prop::option::of((1_u64..4).prop_map(person)), seen())
            .prop_map(|(person, seen)| Command::Number { person, seen }),
        (1_u64..4, any::<bool>()).prop_map(|(n, is_taken)| Command::Verify { person: person(n), is_taken }),
        Just(Command::Erase),
    ]
}

proptest! {
    /// Whatever is asked in whatever order: the same thing twice says nothing new, a version only grows, nobody
    /// has a number that another user has proven, only preferences that can be read end that they can't be, and whoever
    /// is erased stays so.
    #[test]
    fn user_keeps_the_laws(commands in prop::collection::vec(command(), 1..20)) {
        let mut user = None::<User>;
        for command in commands {
            let before = user;
            match decide(before.as_ref(), &command, None) {
                Ok(events) => {
                    let is_first = before.is_none() && !events.is_empty();
                    prop_assert_eq!(is_first, events.contains(&Event::Met));
                    let after = told(before, command).unwrap();
                    prop_assert!(after.version >= before.unwrap_or_default().version);
                    let takes = matches!(command, Command::Verify { is_taken: true, .. });
                    prop_assert!(!takes);
                    let was = before.is_some_and(|user| user.is_unreadable);
                    let now = match command {
                        Command::Misread => true,
                        Command::Prefer { .. } | Command::Erase => false,
                        Command::Number { .. } | Command::Verify { .. } => was,
                    };
                    prop_assert_eq!(after.is_unreadable, now);
                    prop_assert!(was == now || command == Command::Erase || after.version > before.unwrap_or_default().version);
                    if let Ok(again) = decide(Some(&after), &command, None) {
                        prop_assert!(again.is_empty(), "{:?} says {:?} again", command, again);
                    }
                    user = if events.is_empty() { before } else { Some(after) };
                }
                Err(rejection) => {
                    prop_assert!(!before.is_some_and(|user| user.is_erased) || rejection == Rejection::Erased);
                }
            }
        }
    }
}

#[test]
fn changing_the_number_takes_the_proof_away_and_naming_it_again_does_not() {
    let proven = told(None, Command::Verify { person: person(1), is_taken: false }).unwrap();
    assert_eq!(proven.verified(), Some(person(1)));
    let same = told(Some(proven), Command::Number { person: Some(person(1)), seen: None }).unwrap();
    assert_eq!(same, proven);
    let other = told(Some(proven), Command::Number { person: Some(person(2)), seen: None }).unwrap();
    assert_eq!((other.verified(), other.number.map(|number| number.person)), (None, Some(person(2))));
    let none = told(Some(proven), Command::Number { person: None, seen: None }).unwrap();
    assert_eq!(none.number, None);
}

#[test]
fn change_of_what_somebody_else_changed_meanwhile_is_refused() {
    let user = told(None, Command::Prefer { changes: Changes::default(), seen: Some(0) }).unwrap();
    assert_eq!(user.version, 1);
    let late = Command::Prefer { changes: Changes::default(), seen: Some(0) };
    assert_eq!(told(Some(user), late), Err(Rejection::Changed { version: 1 }));
    let late = Command::Number { person: Some(person(1)), seen: Some(0) };
    assert_eq!(told(Some(user), late), Err(Rejection::Changed { version: 1 }));
}

#[test]
fn the_same_preferences_said_again_are_news_after_some_that_nobody_understood() {
    let same = Command::Prefer { changes: Changes::default(), seen: None };
    let user = told(None, same).unwrap();
    let unreadable = told(Some(user), Command::Misread).unwrap();
    assert!(unreadable.is_unreadable && unreadable.preferences == user.preferences);
    let stale = Command::Prefer { changes: Changes::default(), seen: Some(user.version) };
    assert_eq!(told(Some(unreadable), stale), Err(Rejection::Changed { version: unreadable.version }));
    let mended = decide(Some(&unreadable), &same, None).unwrap();
    assert!(matches!(mended.as_slice(), [Event::PreferencesChanged { .. }]), "{mended:?}");
    assert!(!told(Some(unreadable), same).unwrap().is_unreadable);
}

#[test]
fn quiet_hours_have_both_ends_or_none() {
    let without = Preferences { quiet_hours: None, ..Preferences::default() };
    let start = Changes { quiet_start: Some(Some(time(60))), ..Changes::default() };
    assert_eq!(start.of(&without), Err(Rejection::HalfQuiet));
    assert_eq!(start.of(&Preferences::default()).unwrap().quiet_hours.unwrap().start, time(60));
    let clear = Changes { quiet_end: Some(None), ..Changes::default() };
    assert_eq!(clear.of(&Preferences::default()).unwrap().quiet_hours, None);
    let torn = Changes { quiet_start: Some(Some(time(60))), quiet_end: Some(None), ..Changes::default() };
    assert_eq!(torn.of(&Preferences::default()), Err(Rejection::HalfQuiet));
}

#[test]
fn every_toggle_stands_for_itself() {
    for (at, toggle) in Toggle::all().enumerate() {
        assert_eq!(Toggle::parse(toggle.as_str()), Some(toggle));
        for is_on in [true, false] {
            let mut changes = Changes::default();
            *changes.toggles.get_mut(at).unwrap() = Some(is_on);
            let before = Preferences::default();
            let after = changes.of(&before).unwrap();
            for other in Toggle::all() {
                let expected = if other == toggle { is_on } else { before.toggles.has(other) };
                assert_eq!(after.toggles.has(other), expected);
            }
        }
    }
}
