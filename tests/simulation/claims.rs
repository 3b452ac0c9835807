//! What the engine answers when texts are claimed: words that changed, names that are taken, names that somebody left.

use std::sync::Arc;

use dunlin::clock::Clock;
use dunlin::engine::ask::{Again, Ask, AskError, Retried, SyncAsk, Target};
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::stepper::Stepper;
use dunlin::engine::sync::{Claimed, Standing};
use dunlin_storage::{Claim, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{
    Command, Custody, OnUnknown, Priority, ProviderStatus, Report, Request, State, StateName, Suspicion, Via,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::carrier::Wire;
use crate::clock::{BEGIN_MS, Time};
use crate::disk::Disk;
use crate::machine::{NEW_STORE, options};
use crate::sharing::config;

/// An engine on a disk of its own, of which everything is asked by hand.
struct House {
    stepper: Stepper,
    store: Arc<Store>,
}

impl House {
    fn new() -> Self {
        let time: Arc<dyn Clock> = Arc::new(Time::default());
        let (store, _) =
            Store::open_with_backend(Disk::with(NEW_STORE.clone()), &options(time.wall(), 7)).unwrap();
        let store = Arc::new(store);
        let config = config(1, LeaseHandle::unlimited());
        let mut stepper =
            Stepper::recover(Arc::clone(&store), time, config, Box::new(Wire::default())).unwrap();
        stepper.begin().unwrap();
        Self { stepper, store }
    }

    fn ask<T>(&mut self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> T {
        let (reply, mut answer) = oneshot::channel();
        self.stepper.turn(&mut vec![ask(reply)]).unwrap();
        answer.try_recv().unwrap()
    }

    fn claim(&mut self, request: &Request, suspicion: Option<Suspicion>) -> Result<Standing, AskError> {
        let claim = Claim { token: [1; 16], suspicion };
        let claims = vec![Claimed { request: request.clone().into(), claim }];
        self.ask(|reply| Ask::Sync(SyncAsk::Claim { claims, reply })).remove(0)
    }

    fn confirm(&mut self) -> State {
        let ids = vec![wish().id];
        self.ask(|reply| Ask::Sync(SyncAsk::Confirm { ids, reply })).remove(0).unwrap()
    }

    fn relinquish(&mut self) -> State {
        let ids = vec![wish().id];
        self.ask(|reply| Ask::Sync(SyncAsk::Relinquish { ids, reply })).remove(0).unwrap()
    }

    fn command(&mut self, command: Command) -> Result<State, AskError> {
        let (target, origin) = (Target::Id(wish().id), Source::Cli.into());
        self.ask(|reply| Ask::Command { target, command, origin, reply })
    }

    fn open_claims(&self) -> usize {
        self.store.reader().unwrap().open_claims(MessageNumber::new(0), 10).unwrap().len()
    }
}

fn wish() -> Request {
    Request {
        id: MessageId::from_bytes([9; 16]),
        to: PhoneNumber::parse("+15551234567", None).unwrap(),
        body: Body::parse("Your table is ready").unwrap(),
        priority: Priority::Normal,
        scheduled_for: None,
        expires_at: None,
        on_unknown: OnUnknown::Hold,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    }
}

fn sid() -> ProviderSid {
    format!("SM{}", "a".repeat(32)).parse().unwrap()
}

fn suspicion() -> Suspicion {
    let known = Report { sid: sid(), status: ProviderStatus::Queued, code: None, via: Via::Lookup };
    Suspicion { since: Timestamp::from_millis(BEGIN_MS - 60_000), known: Some(known) }
}

#[test]
fn repeat_of_a_claim_is_the_same_wish_and_one_with_other_words_is_let_go() {
    let mut house = House::new();
    assert!(house.claim(&wish(), None).unwrap().is_new);
    let again = house.claim(&wish(), None).unwrap();
    assert!(!again.is_new && house.store.reader().unwrap().message_count().unwrap() == 1);
    assert_eq!((house.confirm().name(), house.open_claims()), (StateName::Due, 0));
    let mut house = House::new();
    house.claim(&wish(), None).unwrap();
    assert_eq!(house.relinquish(), State::Relinquished);
    let later = Some(Timestamp::from_millis(BEGIN_MS + 60_000));
    house.claim(&Request { scheduled_for: later, ..wish() }, None).unwrap();
    assert_eq!(house.confirm().name(), StateName::Held, "its new time has not come");
    let other = Request { body: Body::parse("Your table is gone").unwrap(), ..wish() };
    assert_eq!(house.claim(&other, None), Err(AskError::Altered(wish().id)));
    assert_eq!(
        (house.confirm(), house.open_claims()),
        (State::Relinquished, 0),
        "old words are never sent for new"
    );
}

#[test]
fn text_of_our_own_is_not_taken_for_a_claimed_one() {
    let mut house = House::new();
    let wishes = vec![dunlin::engine::ask::Wish { request: wish().into(), claim: None }];
    house.ask(|reply| Ask::Accept { wishes, origin: Source::Api.into(), reply }).remove(0).unwrap();
    assert_eq!(house.claim(&wish(), None), Err(AskError::IdTaken(wish().id)));
    assert_ne!(house.relinquish(), State::Relinquished);
}

#[test]
fn claimed_text_that_is_tried_again_is_one_of_our_own() {
    let mut house = House::new();
    house.claim(&wish(), None).unwrap();
    house.command(Command::Cancel).unwrap();
    let id = MessageId::from_bytes([8; 16]);
    let again = Again { target: Target::Id(wish().id), id, scheduled_for: None, expires_at: None };
    let retried = house.ask(|reply| Ask::Retry { again, origin: Source::Cli.into(), reply }).unwrap();
    assert!(matches!(retried, Retried::As(receipt) if receipt.state.name() == StateName::Due));
    let reader = house.store.reader().unwrap();
    let row = reader.message(reader.number_of_id(id).unwrap().unwrap()).unwrap().unwrap();
    assert_eq!(row.message.custody, Custody::Own, "the database knows nothing of it");
    assert_eq!(house.open_claims(), 1, "the claim of the text before is still to be answered");
}

#[test]
fn callback_that_came_before_the_claim_is_heard_with_the_name_that_somebody_left() {
    let mut house = House::new();
    let report = Report { sid: sid(), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    house.ask(|reply| Ask::Callback { named: None, report, reply });
    house.claim(&wish(), Some(suspicion())).unwrap();
    house.confirm();
    let reader = house.store.reader().unwrap();
    let row = reader.message(reader.number_of_id(wish().id).unwrap().unwrap()).unwrap().unwrap();
    assert_eq!((row.message.state, row.message.sid), (State::Delivered, Some(sid())));
}

#[test]
fn name_that_another_text_of_ours_has_is_not_believed() {
    let mut house = House::new();
    house.claim(&Request { id: MessageId::from_bytes([7; 16]), ..wish() }, Some(suspicion())).unwrap();
    let ids = vec![MessageId::from_bytes([7; 16])];
    house.ask(|reply| Ask::Sync(SyncAsk::Confirm { ids, reply })).remove(0).unwrap();
    house.claim(&wish(), Some(suspicion())).unwrap();
    assert_eq!(house.confirm().name(), StateName::Unknown, "it is searched for");
}
