//! Laws of recurrences: each time on the wall comes once, and a stale one not at all.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test may end by panicking, and an overflow fails it"
)]

use std::time::Duration;

use chrono::{DateTime, Datelike, TimeZone, Timelike};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::recurrence::{
    Changes, Command, Context, Cron, CronError, Due, End, Event, Grace, Missed, Outcome, Plan, Recipient,
    Recurrence, RecurrenceId, Rejection, Skip, Standing, decide, due,
};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::{Wall, Zone};
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() + ms)
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn plan(cron: &str) -> Plan {
    Plan::new(cron.parse().unwrap())
}

/// A recurrence, and the messages that came of it: when, and for which time on the wall.
struct Life {
    recurrence: Option<Recurrence>,
    zone: Option<Zone>,
    texts: Vec<(Timestamp, Wall)>,
}

impl Life {
    fn begin(plan: Plan, zone: Option<Zone>, now: Timestamp) -> Result<Self, Rejection> {
        let mut life = Self { recurrence: None, zone, texts: Vec::new() };
        let id = RecurrenceId::from_bytes([7; 16]);
        let recipient = Recipient::User { user: UserNumber::new(3), slot: 0 };
        life.tell(&Command::Create { id, recipient, plan }, now)?;
        Ok(life)
    }

    fn tell(&mut self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let context = Context { now, zone: self.zone, position: 5, reason: None };
        let events = decide(self.recurrence.as_ref(), command, &context)?;
        for event in &events {
            event.apply_to(&mut self.recurrence, now);
        }
        Ok(events)
    }

    fn known(&self) -> &Recurrence {
        self.recurrence.as_ref().unwrap()
    }

    fn timer(&self) -> Option<Timestamp> {
        self.known().timer()
    }

    /// As the engine does it.
    fn wake(&mut self, now: Timestamp) {
        let ticked = match due(self.known(), self.zone, now) {
            Due::Not => None,
            Due::TooLate(wall) => Some((wall, Outcome::Skipped(Skip::Late))),
            Due::Now(tick) => {
                assert!(
                    tick.at <= now && now.since(tick.at) <= self.known().plan.grace.get(),
                    "{tick:?} at {now:?}"
                );
                self.texts.push((now, tick.wall));
                Some((tick.wall, Outcome::Texted(self.known().id.message(tick.wall))))
            }
        };
        self.tell(&Command::Wake { ticked }, now).unwrap();
    }

    /// Wakes it at every timer until `end`, each time `late`.
    fn live(&mut self, end: Timestamp, late: i64) {
        while let Some(timer) = self.timer().filter(|timer| *timer < end) {
            self.wake(later(timer, late));
        }
    }

    fn walls(&self) -> Vec<String> {
        self.texts.iter().map(|(_, wall)| wall.to_string()).collect()
    }
}

#[test]
fn skipped_morning_comes_with_the_end_of_the_gap_and_a_repeated_one_comes_once() {
    let new_york = Some(zone("America/New_York"));
    let mut spring = Life::begin(plan("30 2 * * *"), new_york, at("2026-03-07T12:00:00Z")).unwrap();
    spring.live(at("2026-03-10T00:00:00Z"), 0);
    assert_eq!(spring.texts.first().unwrap().0, at("2026-03-08T07:00:00Z"));
    assert_eq!(spring.walls(), ["2026-03-08T02:30", "2026-03-09T02:30"]);
    let mut autumn = Life::begin(plan("30 1 * * *"), new_york, at("2026-10-31T12:00:00Z")).unwrap();
    autumn.live(at("2026-11-03T00:00:00Z"), 0);
    assert_eq!(autumn.texts.first().unwrap().0, at("2026-11-01T05:30:00Z"));
    assert_eq!(autumn.walls(), ["2026-11-01T01:30", "2026-11-02T01:30"]);
    // A quarter of an hour that is skipped comes together with its neighbours, as one text.
    let mut often = Life::begin(plan("*/15 * * * *"), new_york, at("2026-03-08T06:50:00Z")).unwrap();
    often.live(at("2026-03-08T07:20:00Z"), 0);
    assert_eq!(
        often.texts.iter().map(|(now, _)| *now).collect::<Vec<_>>(),
        [at("2026-03-08T07:00:00Z"), at("2026-03-08T07:15:00Z"),]
    );
}

#[test]
fn week_without_the_daemon_is_texted_once_or_not_at_all() {
    let begun = at("2026-06-01T00:00:00Z");
    let down = |cron: &str, missed: Missed, back: &str| {
        let plan = Plan { missed, ..plan(cron) };
        let mut life = Life::begin(plan, Some(Zone::UTC), begun).unwrap();
        life.wake(at(back));
        assert!(life.timer().unwrap() > at(back), "what comes next is still to come");
        (life.walls(), life.known().skipped)
    };
    assert_eq!(down("0 8 * * *", Missed::Once, "2026-06-08T08:40:00Z"), (vec!["2026-06-08T08:00".into()], 0));
    assert_eq!(down("0 8 * * *", Missed::Once, "2026-06-08T09:01:00Z"), (vec![], 1));
    assert_eq!(down("0 8 * * *", Missed::Skip, "2026-06-08T08:40:00Z"), (vec![], 1));
    assert_eq!(down("* * * * *", Missed::Once, "2026-06-08T08:40:30Z"), (vec!["2026-06-08T08:40".into()], 0));
}

#[test]
fn morning_follows_whoever_travels_and_no_morning_comes_twice() {
    let (new_york, tokyo) = (Some(zone("America/New_York")), Some(zone("Asia/Tokyo")));
    let mut life = Life::begin(plan("0 8 * * *"), new_york, at("2026-06-01T00:00:00Z")).unwrap();
    life.live(at("2026-06-01T13:00:00Z"), 0);
    // West over the ocean after breakfast: the next morning there is the day after.
    life.zone = Some(zone("Pacific/Honolulu"));
    life.wake(at("2026-06-01T13:30:00Z"));
    assert_eq!(life.timer(), Some(at("2026-06-02T18:00:00Z")));
    // East, where that morning is twenty minutes old: it is made up for at once, once.
    life.zone = tokyo;
    life.wake(at("2026-06-01T23:20:00Z"));
    assert_eq!(life.walls(), ["2026-06-01T08:00", "2026-06-02T08:00"]);
    assert_eq!(life.timer(), Some(at("2026-06-02T23:00:00Z")));
    // Who says no more where they are stays where they were.
    life.zone = None;
    life.wake(at("2026-06-02T23:00:00Z"));
    assert_eq!(life.walls().last().unwrap(), "2026-06-03T08:00");
    // A plan with a zone of its own does not travel.
    let fixed = Plan { zone: Some(Zone::UTC), ..plan("0 8 * * *") };
    let life = Life::begin(fixed, tokyo, at("2026-06-01T00:00:00Z")).unwrap();
    assert_eq!(life.timer(), Some(at("2026-06-01T08:00:00Z")));
}

#[test]
fn what_is_paused_stays_silent_and_goes_on_without_a_backlog() {
    let mut life = Life::begin(plan("0 8 * * *"), Some(Zone::UTC), at("2026-06-01T00:00:00Z")).unwrap();
    life.tell(&Command::Pause, at("2026-06-01T01:00:00Z")).unwrap();
    assert_eq!(life.timer(), None);
    life.wake(at("2026-06-01T08:00:00Z"));
    life.tell(&Command::Resume, at("2026-06-05T08:10:00Z")).unwrap();
    assert_eq!(life.timer(), Some(at("2026-06-06T08:00:00Z")));
    assert_eq!(life.walls(), Vec::<String>::new());
    let nowhere = Context { now: at("2026-06-06T00:00:00Z"), zone: None, position: 9, reason: None };
    life.tell(&Command::Pause, nowhere.now).unwrap();
    assert_eq!(decide(life.recurrence.as_ref(), &Command::Resume, &nowhere), Err(Rejection::NoZone));
}

#[test]
fn it_begins_and_ends_when_it_should_and_then_stays_over() {
    let limited = Plan {
        starts_at: Some(at("2026-06-03T08:00:00Z")),
        ends_at: Some(at("2026-06-05T08:00:00Z")),
        ..plan("0 8 * * *")
    };
    let mut life = Life::begin(limited.clone(), Some(Zone::UTC), at("2026-06-01T00:00:00Z")).unwrap();
    life.live(at("2026-07-01T00:00:00Z"), 5);
    assert_eq!(life.walls(), ["2026-06-03T08:00", "2026-06-04T08:00"]);
    assert_eq!(life.known().standing, Standing::Ended(End::Over));
    let refused = life.tell(&Command::Resume, at("2026-07-01T00:00:00Z")).unwrap_err();
    assert_eq!(refused, Rejection::Over { standing: "ended" });
    let late = Life::begin(limited, Some(Zone::UTC), at("2026-06-05T07:59:00Z")).map(|_| ()).unwrap_err();
    assert!(matches!(late, Rejection::NothingComes { .. }), "{late:?}");
    let nowhere = Life::begin(plan("0 8 * * *"), None, at("2026-06-01T00:00:00Z")).map(|_| ()).unwrap_err();
    assert_eq!(nowhere, Rejection::NoZone);
}

#[test]
fn change_keeps_what_it_does_not_name_and_moves_the_next_tick() {
    let mut life = Life::begin(plan("0 8 * * *"), Some(Zone::UTC), at("2026-06-01T00:00:00Z")).unwrap();
    let changes = Box::new(Changes { cron: Some("0 9 * * *".parse().unwrap()), ..Changes::default() });
    let same_text = Command::Change { changes: changes.clone(), new_text: false };
    life.tell(&same_text, at("2026-06-01T01:00:00Z")).unwrap();
    assert_eq!((life.known().text_at, life.timer()), (5, Some(at("2026-06-01T09:00:00Z"))));
    assert_eq!(life.tell(&same_text, at("2026-06-01T02:00:00Z")).unwrap(), []);
    let reason = "they asked for it".parse().unwrap();
    let now = at("2026-06-01T03:00:00Z");
    let because = Context { now, zone: life.zone, position: 40, reason: Some(&reason) };
    let new_text = Command::Change { changes: Box::default(), new_text: true };
    let events = decide(life.recurrence.as_ref(), &new_text, &because).unwrap();
    let Some(Event::Changed { text_at, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(*text_at, 41, "the reason stands in front");
}

#[test]
fn slots_are_one_users_and_free_once_nothing_comes() {
    let last = Recipient::User { user: UserNumber::new(1), slot: 63 };
    let next = Recipient::User { user: UserNumber::new(2), slot: 0 };
    assert_ne!(last.claim(), next.claim());
    assert_eq!(Recipient::Person(PersonNumber::new(1)).claim(), None);
    let mut life = Life::begin(plan("0 8 * * *"), Some(Zone::UTC), at("2026-06-01T00:00:00Z")).unwrap();
    assert!(life.known().claim().is_some());
    life.tell(&Command::Delete, at("2026-06-01T01:00:00Z")).unwrap();
    assert_eq!((life.known().claim(), life.timer()), (None, None));
}

#[test]
fn expressions_mean_what_crontab_says_or_are_refused_with_the_reason() {
    let next = |cron: &str| {
        let cron: Cron = cron.parse().unwrap();
        let monday = Wall::from_millis(at("2026-06-01T12:00:00Z").as_millis());
        cron.after(monday).take(2).map(|wall| wall.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(next("0 8 * * 1-5"), ["2026-06-02T08:00", "2026-06-03T08:00"]);
    assert_eq!(next("0 8 * * 0"), next("0 8 * * 7"));
    assert_eq!(next("0 8 * * 7"), ["2026-06-07T08:00", "2026-06-14T08:00"]);
    assert_eq!(next("0 8 * * FRI-SUN"), ["2026-06-05T08:00", "2026-06-06T08:00"]);
    assert_eq!(next("0 8 * * sat,1"), ["2026-06-06T08:00", "2026-06-08T08:00"]);
    assert_eq!(next("0 8 * * */3"), ["2026-06-03T08:00", "2026-06-06T08:00"]);
    assert_eq!(next(" @daily "), ["2026-06-02T00:00", "2026-06-03T00:00"]);
    assert_eq!(next("0 8 29 2 *"), ["2028-02-29T08:00", "2032-02-29T08:00"]);
    let refused = |cron: &str| cron.parse::<Cron>().unwrap_err();
    assert_eq!(refused("0 0 8 * * *"), CronError::Fields { fields: 6 });
    assert_eq!(refused("0 8 13 * 5"), CronError::BothDays);
    assert_eq!(refused("0 8 30 2 *"), CronError::Never { text: "0 8 30 2 *".into() });
    for weekdays in ["8", "5-2", "MON-", "1/0", "1-5/x", ",", "+1"] {
        assert!(matches!(refused(&format!("0 8 * * {weekdays}")), CronError::Weekdays { .. }), "{weekdays}");
    }
    for wrong in ["60 8 * * *", "0 24 * * *", "x 8 * * *", "0 8 0 * *", "0 8 * 13 *", "-1 8 * * *"] {
        assert!(matches!(refused(wrong), CronError::Refused { .. }), "{wrong}");
    }
}

/// Expressions, and what they mean in words of our own.
type Meaning = fn(&chrono::NaiveDateTime) -> bool;
const KNOWN: [(&str, Meaning); 5] = [
    ("0 8 * * *", |wall| (wall.hour(), wall.minute()) == (8, 0)),
    ("30 2 * * *", |wall| (wall.hour(), wall.minute()) == (2, 30)),
    ("*/20 0-3 * * *", |wall| wall.hour() < 4 && wall.minute() % 20 == 0),
    ("0 0 * * 1-5", |wall| (wall.hour(), wall.minute()) == (0, 0) && wall.weekday().number_from_monday() < 6),
    ("15 1 1,15 * *", |wall| (wall.hour(), wall.minute()) == (1, 15) && matches!(wall.day(), 1 | 15)),
];

/// The minutes at which a time that fits was shown, or skipped, for the first time: by a walk of every minute.
fn walked(tz: chrono_tz::Tz, fits: Meaning, from: i64, until: i64) -> Vec<i64> {
    let wall = |at: i64| {
        tz.from_utc_datetime(&DateTime::from_timestamp_millis(at).unwrap().naive_utc()).naive_local()
    };
    let mut high = wall(from);
    let mut found = Vec::new();
    for at in (from + MINUTE..until).step_by(usize::try_from(MINUTE).unwrap()) {
        let mut fits_now = false;
        while high < wall(at) {
            high += chrono::TimeDelta::minutes(1);
            fits_now |= fits(&high);
        }
        if fits_now {
            found.push(at);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_tick_comes_at_the_minute_that_a_slow_walk_finds(
        tz in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        known in prop::sample::select(&KNOWN[..]),
        // Around the changes of the clock of 2026, mostly.
        start in prop::sample::select(vec!["2026-03-05", "2026-03-27", "2026-04-03", "2026-09-25", "2026-10-30"]),
    ) {
        let from = at(&format!("{start}T00:00:00Z"));
        let until = later(from, 5 * DAY);
        let mut life = Life::begin(plan(known.0), Some(zone(tz.name())), from).unwrap();
        life.live(until, 0);
        let texts: Vec<i64> = life.texts.iter().map(|(now, _)| now.as_millis()).collect();
        prop_assert_eq!(texts, walked(tz, known.1, from.as_millis(), until.as_millis()));
    }

    #[test]
    fn no_time_comes_twice_and_none_stale_whatever_happens(
        known in prop::sample::select(&KNOWN[..]),
        steps in prop::collection::vec((0_i64..3 * DAY, prop::sample::select(vec![
            "UTC", "America/New_York", "Asia/Tokyo", "Pacific/Honolulu", "Pacific/Kiritimati", "Australia/Lord_Howe",
        ]), any::<bool>()), 1..40),
    ) {
        let mut now = at("2026-03-01T00:00:00Z");
        let mut life = Life::begin(plan(known.0), Some(Zone::UTC), now).unwrap();
        for (step, name, punctual) in steps {
            life.zone = Some(zone(name));
            let timer = life.timer().unwrap();
            now = if punctual { timer.max(now) } else { later(now, step) };
            life.wake(now);
            prop_assert!(life.timer().unwrap() > now, "it would be woken again at once");
        }
        let walls: Vec<Wall> = life.texts.iter().map(|(_, wall)| *wall).collect();
        prop_assert!(walls.windows(2).all(|pair| matches!(pair, [a, b] if a < b)), "{walls:?}");
        let (first, again) = (life.known().id.message(Wall::from_millis(0)), life.known().id.message(Wall::from_millis(0)));
        prop_assert_eq!(first, again);
        prop_assert_ne!(first, life.known().id.message(Wall::from_millis(MINUTE)));
    }
}

#[test]
fn grace_has_bounds() {
    for seconds in [0, 59, 86_401] {
        assert!(Grace::new(Duration::from_secs(seconds)).is_err(), "{seconds}");
    }
    assert!(Grace::new(Duration::from_mins(1)).is_ok() && Grace::new(Duration::from_hours(24)).is_ok());
}
