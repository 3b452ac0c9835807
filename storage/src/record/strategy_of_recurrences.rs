//! Every value that a record about a recurrence can hold, for property tests.

use std::time::Duration;

use dunlin_workflows::id::{MessageId, PersonNumber, UserNumber};
use dunlin_workflows::message::PRIORITIES;
use dunlin_workflows::recurrence::{
    Armed, End, Event, Grace, MISSED, Outcome, Plan, Recipient, Recurrence, RecurrenceId, SKIPS, Standing,
    Tick,
};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::{Wall, Zone};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn zone() -> impl Strategy<Value = Zone> {
    select(vec!["UTC", "America/New_York", "Asia/Kathmandu"]).prop_map(|name| name.parse().unwrap())
}

fn recipient() -> impl Strategy<Value = Recipient> {
    prop_oneof![
        (any::<u64>(), any::<u8>())
            .prop_map(|(user, slot)| Recipient::User { user: UserNumber::new(user), slot }),
        any::<u64>().prop_map(|person| Recipient::Person(PersonNumber::new(person))),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let cron = select(vec!["0 8 * * *", "*/15 9-17 * * 1-5"]).prop_map(|cron| cron.parse().unwrap());
    let grace = (60_u64..=86_400).prop_map(|seconds| Grace::new(Duration::from_secs(seconds)).unwrap());
    let missed = select(MISSED.map(|(missed, _)| missed).to_vec());
    let priority = select(PRIORITIES.map(|(priority, _)| priority).to_vec());
    let kind = option::of("[a-z0-9_]{1,64}".prop_map(|name| name.parse().unwrap()));
    let template = option::of("[a-z0-9_]{1,64}".prop_map(|key| key.parse().unwrap()));
    let about = (kind, template);
    (cron, option::of(zone()), option::of(at()), option::of(at()), missed, grace, priority, about).prop_map(
        |(cron, zone, starts_at, ends_at, missed, grace, priority, (kind, template))| Plan {
            cron,
            zone,
            starts_at,
            ends_at,
            missed,
            grace,
            priority,
            kind,
            template,
        },
    )
}

fn armed() -> impl Strategy<Value = Armed> {
    (any::<i64>(), at(), zone())
        .prop_map(|(wall, at, zone)| Armed { tick: Tick { wall: Wall::from_millis(wall), at }, zone })
}

fn end() -> impl Strategy<Value = End> {
    select(vec![End::Over, End::Erased])
}

fn ticked() -> impl Strategy<Value = (Wall, Outcome)> {
    let outcome = prop_oneof![
        any::<[u8; 16]>().prop_map(|id| Outcome::Texted(MessageId::from_bytes(id))),
        select(SKIPS.map(|(skip, _)| skip).to_vec()).prop_map(Outcome::Skipped),
    ];
    (any::<i64>().prop_map(Wall::from_millis), outcome)
}

/// Every event of a recurrence.
pub(crate) fn recurrence_event() -> impl Strategy<Value = Event> {
    use Event as E;
    let id = any::<[u8; 16]>().prop_map(RecurrenceId::from_bytes);
    prop_oneof![
        (id, recipient(), plan(), any::<u64>()).prop_map(|(id, recipient, plan, text_at)| E::Created {
            id,
            recipient,
            plan,
            text_at
        }),
        (plan(), any::<u64>()).prop_map(|(plan, text_at)| E::Changed { plan, text_at }),
        armed().prop_map(E::Armed),
        ticked().prop_map(|(wall, outcome)| E::Ticked { wall, outcome }),
        Just(E::Paused),
        Just(E::Resumed),
        end().prop_map(E::Ended),
        Just(E::Deleted),
        "[!-~]{1,60}".prop_map(|reason| E::Remarked { reason: reason.parse().unwrap() }),
    ]
}

/// What is known of a recurrence.
pub(crate) fn recurrence() -> impl Strategy<Value = Recurrence> {
    let standing = prop_oneof![
        armed().prop_map(Standing::Active),
        Just(Standing::Paused),
        end().prop_map(Standing::Ended),
        Just(Standing::Deleted),
    ];
    let id = any::<[u8; 16]>().prop_map(RecurrenceId::from_bytes);
    let counts = (any::<u64>(), any::<u64>(), any::<u64>());
    (id, recipient(), plan(), standing, option::of(ticked()), counts, at()).prop_map(
        |(id, recipient, plan, standing, last, (text_at, texted, skipped), created_at)| Recurrence {
            id,
            recipient,
            plan,
            text_at,
            standing,
            last,
            texted,
            skipped,
            created_at,
        },
    )
}
