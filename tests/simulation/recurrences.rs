//! A text that recurs, with the power going at every operation of the disk: each time comes once.

use std::sync::Arc;
use std::time::Duration;

use dunlin::clock::Clock;
use dunlin::engine::EngineConfig;
use dunlin::engine::ask::{Ask, RecurrenceAsk, UserAsk};
use dunlin::engine::courier::Effects;
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::provider::{Search, Submission};
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

use crate::clock::Time;
use crate::disk::{Disk, Loss, mixed};
use crate::machine::{NEW_STORE, options};

const ID: RecurrenceId = RecurrenceId::from_bytes([3; 16]);
const MINUTE_MS: u64 = 60_000;
/// How long everything lasts: three ticks of a recurrence that comes every half hour.
const MINUTES: u64 = 100;

/// Nothing leaves: sending is switched off.
#[derive(Debug)]
struct Nobody;

impl Effects for Nobody {
    fn submit(&self, _: Submission) {}
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
        seed: 1,
        verifying: Verifying::default(),
    }
}

fn asks() -> Vec<Ask> {
    let user: dunlin_workflows::message::UserId = "u-1".parse().unwrap();
    let origin = || Origin::from(Source::Api);
    let changes = Changes { zone: Some(Some("Asia/Kolkata".parse().unwrap())), ..Changes::default() };
    let number = Some(PhoneNumber::parse("+15551234567", None).ok());
    let change = UserAsk::Change { changes: Box::new(changes), number, seen: None };
    let create = RecurrenceAsk::Create {
        id: ID,
        to: Addressee::User(user.clone()),
        plan: Box::new(Plan::new("*/30 * * * *".parse().unwrap())),
        body: dunlin_workflows::body::Body::parse("Good morning").unwrap(),
    };
    vec![
        Ask::User { id: user, ask: change, origin: origin(), reply: oneshot::channel().0 },
        Ask::Recurrence { ask: create, origin: origin(), reply: oneshot::channel().0 },
    ]
}

/// How it ended: what is known, for which times there is a message, and how much was written.
struct Ended {
    known: Recurrence,
    texted: Vec<Wall>,
    changes: u64,
}

/// Lives on a disk that dies once, at this operation. A caller who heard nothing asks again.
fn live(dies_after: Option<u64>) -> Ended {
    let (disk, time) = (Disk::with(NEW_STORE.clone()), Arc::new(Time::default()));
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
            let mut inbox = asks();
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
                        texted.push(wall);
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
    let calm = live(None);
    assert!(calm.texted.len() >= 3, "{:?}", calm.texted);
    for dies_after in 1..calm.changes {
        let ended = live(Some(dies_after));
        let messages = u64::try_from(ended.texted.len()).unwrap();
        assert_eq!((ended.known.texted, ended.known.skipped), (messages, 0), "dies after {dies_after}");
        // Times before it was created, because its creation was lost, do not come; all others do, once.
        assert!(ended.texted.len() + 1 >= calm.texted.len(), "{dies_after}: {:?}", ended.texted);
        assert!(ended.texted.windows(2).all(|pair| pair[0] > pair[1]), "newest first, none twice");
    }
}
