//! Fills a store with scheduled messages: the records and rows that accepting them over HTTP would
//! write, in transactions that hold thousands.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, Instant};

use dunlin_storage::{Batch, BatchError, CommitError, Entropy, NEWCOMERS_MAX, OpenOptions, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{self, Context, Lease, Message, OnUnknown, Priority, Request};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::bench::error::BenchError;
use crate::bench::stand::Stand;
use crate::bench::text;
use crate::clock::Clock;
use crate::id_source::{IdSource as _, SystemIds};
use crate::keys::KeySources;

/// Messages per transaction.
const BATCH: u32 = 10_000;
/// Page cache while filling, in bytes: this process is not what is measured.
const CACHE_BYTES: usize = 512 << 20;

/// One message to be scheduled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// The number of its recipient in the bench's book.
    pub(super) recipient: u32,
    /// When it is due.
    pub(super) due_at: Timestamp,
}

/// What was filled in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    /// The first message; the others follow without a gap.
    pub(super) first: MessageNumber,
    /// How long it took.
    pub(super) elapsed: Duration,
}

/// Schedules `count` messages in the store of measurement `name`, which no daemon may have open.
///
/// # Errors
/// [`BenchError`].
pub(super) async fn fill(
    stand: &Stand,
    clock: &dyn Clock,
    name: &str,
    count: u32,
    schedule: impl Fn(u32) -> Schedule,
) -> Result<Filled, BenchError> {
    let started = Instant::now();
    let store = open(stand, clock, name)?;
    let rules = Rules::default();
    let mut first = None;
    let mut next = 0;
    while next < count {
        let end = next.saturating_add(BATCH).min(count);
        let context = Context {
            now: clock.wall(),
            rules: &rules,
            recipient: &STRANGER,
            lease: Lease::InForce,
            jitter: 0,
        };
        let accepted = store.commit(|batch| {
            let first = batch.next_number()?;
            (next..end).try_for_each(|number| accept(batch, number, schedule(number), &context))?;
            Ok(first)
        });
        first = first.or(Some(accepted.map_err(|error: CommitError<Stopped>| broken(&error))?));
        next = end;
        // An interrupt is noticed between two transactions.
        tokio::task::yield_now().await;
    }
    store.close().map_err(|fault| broken(&fault))?;
    Ok(Filled { first: first.unwrap_or(MessageNumber::new(0)), elapsed: started.elapsed() })
}

/// Why a message could not be filled in.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Store(#[from] BatchError),
    #[error("reminder {0} was not accepted: {1}")]
    Refused(u32, String),
}

fn open(stand: &Stand, clock: &dyn Clock, name: &str) -> Result<Store, BenchError> {
    let data = stand.data(name);
    DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
    let path = stand.store(name);
    // The daemon looks for its keys at the same place.
    let sources = KeySources { given: None, credentials: None, data };
    let keys = sources.find_or_make(&path).map_err(|error| broken(&error))?;
    let options = OpenOptions {
        now: clock.wall(),
        cache_bytes: CACHE_BYTES,
        callback_key: SystemIds.secret(),
        keys: keys.ring,
        entropy: Entropy::system(),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    Ok(Store::open(&path, &options)?.0)
}

/// Accepts one message as the engine does.
fn accept(
    batch: &mut Batch<'_>,
    number: u32,
    schedule: Schedule,
    context: &Context<'_>,
) -> Result<(), Stopped> {
    let refused = |why: String| Stopped::Refused(number, why);
    let to = PhoneNumber::from_digits(text::recipient(schedule.recipient));
    let request = Request {
        id: SystemIds.message_id(),
        to: to.ok_or_else(|| refused("its recipient has no number".to_owned()))?,
        body: Body::parse(text::reminder(number)).map_err(|error| refused(error.to_string()))?,
        priority: Priority::Normal,
        scheduled_for: Some(schedule.due_at),
        expires_at: None,
        on_unknown: OnUnknown::Hold,
        user_id: format!("customer-{:07}", schedule.recipient).parse().ok(),
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    };
    let person = batch.person(request.to)?;
    let events =
        message::accept(request.terms(person, None), context).map_err(|no| refused(no.to_string()))?;
    let mut message = None::<Message>;
    for event in &events {
        match &mut message {
            None => message = Message::begin(event, context.now).ok(),
            Some(begun) => begun.apply(event, context.now).map_err(|error| refused(error.to_string()))?,
        }
    }
    let message = message.ok_or_else(|| refused("it begins with nothing".to_owned()))?;
    let timer = message::timer(&message, context.rules);
    batch.create(context.now, Source::Api, &request, &events, &message, timer)?;
    Ok(())
}

fn broken(error: &dyn std::error::Error) -> BenchError {
    BenchError::Broken(error.to_string())
}
