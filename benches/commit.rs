//! Commits of the store by themselves: accepted texts per second at 1, 16 and 256 texts per commit.
//!
//! `cargo bench --bench commit`. The file lies in the current directory: its disk is what is measured.
#![expect(clippy::expect_used, reason = "a benchmark may end at the first surprise")]

use std::cell::Cell;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use dunlin_storage::{BatchError, Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{self, Context, Lease, Message, OnUnknown, Priority, Request};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

fn main() {
    divan::main();
}

#[divan::bench(args = [1_u64, 16, 256])]
fn accepts(bencher: Bencher<'_, '_>, batch: u64) {
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let options = OpenOptions {
        now: NOW,
        cache_bytes: 32 * 1024 * 1024,
        callback_key: [7; 32],
        keys: Arc::new(Keyring::generate(&Entropy::system()).expect("keys")),
        entropy: Entropy::system(),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    let (store, _) = Store::open(&dir.path().join("bench.redb"), &options).expect("a store");
    let next = Cell::new(0_u64);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let first = next.replace(next.get().saturating_add(batch));
        store.commit(|all| (first..next.get()).try_for_each(|number| accept(all, number))).expect("a commit");
    });
}

fn accept(batch: &mut dunlin_storage::Batch<'_>, number: u64) -> Result<(), BatchError> {
    let rules = Rules::default();
    let asked = request(number);
    let person = batch.person(asked.to)?;
    let events = message::accept(
        asked.terms(person, None),
        &Context { now: NOW, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    )
    .expect("sendable");
    let (first, rest) = events.split_first().expect("two events");
    let mut message = Message::begin(first, NOW).expect("a beginning");
    for event in rest {
        message.apply(event, NOW).expect("a legal event");
    }
    let timer = message::timer(&message, &rules);
    batch.create(NOW, Source::Api, &asked, &events, &message, timer).map(drop)
}

fn request(number: u64) -> Request {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Request {
        id: MessageId::from_bytes(id),
        to: PhoneNumber::from_digits(15_550_000_000_u64.saturating_add(number)).expect("a number"),
        body: Body::parse(
            "Your order 0000000 is on its way and arrives tomorrow before noon. Reply STOP to end.",
        )
        .expect("a body"),
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
