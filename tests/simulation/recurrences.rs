//! A text that recurs, with the power going at every operation of the disk, also while clocks are changed: each time
//! comes once.

use std::sync::Arc;
use std::time::Duration;

use dunlin::clock::Clock;
use dunlin::engine::EngineConfig;
use dunlin::engine::ask::{Ask, RecurrenceAsk, UserAsk};
use dunlin::engine::courier::Effects;
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::provider::{Search, Submission};
use dunlin::engine::script::Script;
use dunlin::engine::stepper::Stepper;
use dunlin::engine::verifications::Verifying;
use dunlin_storage::{InstanceKind, Recurrences, Store, recovery};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::Addressee;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::recurrence::{Outcome, Plan, Recurrence, RecurrenceId};
use dunlin_workflows::rules::{Rules, Sending};
use dunlin_workflows::source::Source;
use dunlin_workflows::user::Changes;
use dunlin_workflows::zone::Wall;
use tokio::sync::oneshot;

use crate::clock::{BEGIN_MS, Time};
use crate::disk::{Disk, Loss, mixed};
use crate::machine::{NEW_STORE, options};
use crate::zones::{self, Place};

const ID: RecurrenceId = RecurrenceId::from_bytes([3; 16]);
const MINUTE_MS: u64 = 60_000;
/// How long everything lasts: some ticks of a recurrence that comes every half hour.
const MINUTES: u64 = 120;

/// Where and when a recurrence lives, and the minutes after the beginning at which it comes.
struct Case {
    name: &'static str,
    zone: &'static str,
    /// What UTC shows at the beginning, in milliseconds.
    begin_ms: i64,
    comes: &'static [i64],
}

/// Times that a clock skips come together, with the end of the gap; those that it shows twice come once.
const CASES: [Case; 6] = [
    // 16:51:40.
    Case { name: "no change", zone: "Asia/Kathmandu", begin_ms: BEGIN_MS, comes: &[8, 38, 68, 98] },
    // 2027-03-14T06:10Z: 01:10, and 50 minutes later 02:00 is 03:00.
    Case {
        name: "an hour is skipped",
        zone: "America/New_York",
        begin_ms: 1_805_007_600_000 - 50 * 60_000,
        comes: &[20, 50, 80, 110],
    },
    // 2026-11-01T05:10Z: 01:10, and 50 minutes later 02:00 is 01:00.
    Case {
        name: "an hour comes twice",
        zone: "America/New_York",
        begin_ms: 1_793_512_800_000 - 50 * 60_000,
        comes: &[20, 110],
    },
    // 2026-10-03T14:40Z: 01:10, and 50 minutes later 02:00 is 02:30.
    Case {
        name: "half an hour is skipped",
        zone: "Australia/Lord_Howe",
        begin_ms: 1_791_041_400_000 - 50 * 60_000,
        comes: &[20, 50, 80, 110],
    },
    // 2027-03-14T04:10Z: 23:10, and 50 minutes later midnight is 01:00.
    Case {
        name: "midnight is skipped",
        zone: "America/Havana",
        begin_ms: 1_805_000_400_000 - 50 * 60_000,
        comes: &[20, 50, 80, 110],
    },
    // 2026-11-01T04:10Z: 00:10, and 50 minutes later 01:00 is midnight.
    Case {
        name: "midnight comes twice",
        zone: "America/Havana",
        begin_ms: 1_793_509_200_000 - 50 * 60_000,
        comes: &[20, 110],
    },
];

/// Nothing leaves: sending is switched off.
#[derive(Debug)]
struct Nobody;

impl Effects for Nobody {
    fn submit(&self, _: Submission) {}
    fn keep(&self, _: Submission) {}
    fn find(&self, _: MessageNumber, _: Attempt, _: Search) {}
    fn fetch(&self, _: MessageNumber, _: ProviderSid) {}
}

fn config() -> EngineConfig {
    EngineConfig {
        rules: Rules { sending: Sending::Disabled, ..Rules::default() },
        limits: DispatchLimits { concurrency: 1, segments_per_second: None },
        queue_bytes_max: 1 << 20,
        timer_horizon: Duration::from_mins(1),
        idempotency_retention: Duration::from_hours(1),
        orphan_retention: Duration::from_hours(1),
        questions_max: 1,
        lease: LeaseHandle::unlimited(),
        seed: 1,
        verifying: Verifying::default(),
    }
}

fn asks(case: &Case) -> Vec<Ask> {
    let user: dunlin_workflows::message::UserId = "u-1".parse().unwrap();
    let origin = || Origin::from(Source::Api);
    let changes = Changes { zone: Some(Some(case.zone.parse().unwrap())), ..Changes::default() };
    let number = Some(PhoneNumber::parse("+15551234567", None).ok());
    let change = UserAsk::Change { changes: Box::new(changes), number, is_proven: false, seen: None };
    let create = RecurrenceAsk::Create {
        id: ID,
        to: Addressee::User(user.clone()),
        plan: Box::new(Plan::new("*/30 * * * *".parse().unwrap())),
        script: Script::Text(dunlin_workflows::body::Body::parse("Good morning").unwrap()),
    };
    vec![
        Ask::User { id: user, ask: change, origin: origin(), reply: oneshot::channel().0 },
        Ask::Recurrence { ask: create, origin: origin(), reply: oneshot::channel().0 },
    ]
}

impl Case {
    /// The first minute after the beginning at which the wall shows this, or something later.
    fn comes_at(&self, wall: Wall) -> i64 {
        let shown = wall.as_millis() / zones::MINUTE_MS;
        let place = Place::named(self.zone).unwrap();
        let at_ms = place.next(self.begin_ms, |minute| minute >= shown).unwrap();
        (at_ms - self.begin_ms) / zones::MINUTE_MS
    }
}

/// How it ended: what is known, for which times there is a message, and how much was written.
struct Ended {
    known: Recurrence,
    /// Minutes after the beginning, newest first.
    texted: Vec<i64>,
    changes: u64,
}

/// Lives on a disk that dies once, at this operation. A caller who heard nothing asks again.
fn live(case: &Case, dies_after: Option<u64>) -> Ended {
    let (disk, time) = (Disk::with(NEW_STORE.clone()), Arc::new(Time::from(case.begin_ms)));
    if let Some(after) = dies_after {
        disk.die_after(after);
    }
    let mut texted = Vec::new();
    let mut boot = 0;
    loop {
        boot += 1;
        assert!(boot < 4, "it dies once");
        time.process_starts();
        let clock: Arc<dyn Clock> = Arc::clone(&time) as Arc<dyn Clock>;
        let began = clock.wall();
        if let Ok((store, _)) = Store::open_with_backend(disk.clone(), &options(began, boot)) {
            let store = Arc::new(store);
            let mut stepper =
                Stepper::recover(Arc::clone(&store), clock, config(), Box::new(Nobody)).unwrap();
            let mut alive = stepper.begin().is_ok();
            let mut inbox = asks(case);
            while alive && time.now() < MINUTES * MINUTE_MS {
                alive = stepper.turn(&mut inbox).is_ok();
                time.advance(time.now() + 2 * MINUTE_MS);
            }
            if alive {
                let reader = store.reader().unwrap();
                let number =
                    reader.instance_named(InstanceKind::Recurrence, &ID.to_string()).unwrap().unwrap();
                let known = reader.instance::<Recurrences>(number).unwrap().flatten().unwrap();
                for record in reader.instance_history::<Recurrences>(number, 1000).unwrap() {
                    if let dunlin_workflows::recurrence::Event::Ticked {
                        wall,
                        outcome: Outcome::Texted(id),
                    } = record.event
                    {
                        assert_eq!(id, ID.message(wall));
                        assert!(reader.number_of_id(id).unwrap().is_some(), "{wall} has no message");
                        texted.push(case.comes_at(wall));
                    }
                }
                let report = recovery::verify(&reader, None, |_, _| {}).unwrap();
                assert_eq!(report.first.len(), 0, "{:?}", report.first);
                return Ended { known, texted, changes: disk.changes() };
            }
        }
        disk.switch_off();
        disk.switch_on(Loss::Torn(mixed(5, dies_after.unwrap_or(0))));
        // It takes a while until somebody starts it again.
        time.advance(time.now() + MINUTE_MS);
    }
}

#[test]
fn tick_and_its_message_are_one_wherever_the_power_goes() {
    for case in &CASES {
        let calm = live(case, None);
        assert!(calm.texted.iter().rev().eq(case.comes), "{}: {:?}", case.name, calm.texted);
        // Where a clock is changed, at every third.
        let apart = if case.begin_ms == BEGIN_MS { 1 } else { 3 };
        for dies_after in (1..calm.changes).step_by(apart) {
            let ended = live(case, Some(dies_after));
            let told = format!("{}, dies after {dies_after}: {:?}", case.name, ended.texted);
            let messages = u64::try_from(ended.texted.len()).unwrap();
            assert_eq!((ended.known.texted, ended.known.skipped), (messages, 0), "{told}");
            // Times before it was created, because its creation was lost, do not come; all others do, once.
            let late = case.comes.len() - ended.texted.len();
            assert!(late <= 1 && ended.texted.iter().rev().eq(&case.comes[late..]), "{told}");
        }
    }
}
