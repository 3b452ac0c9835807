//! Every message and every event of one, for property tests.

use std::time::Duration;

use dunlin_workflows::body::Encoding;
use dunlin_workflows::id::{Attempt, PersonNumber, UserNumber};
use dunlin_workflows::kind::KindName;
use dunlin_workflows::message::{self, CUSTODIES, Counts, Custody, Message, State, Terms, Verdict};
use dunlin_workflows::policy::Ban;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::Toggle;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::strategy::{at, attempt, day, failure, hold, how, id, on_unknown, priority, sid, status, via};
use super::strategy_of_templates::version;
use crate::journal::JournalSeq;
use crate::projection::Projection;

fn custody() -> impl Strategy<Value = Custody> {
    select(CUSTODIES.map(|(custody, _)| custody).to_vec())
}

fn terms() -> impl Strategy<Value = Terms> {
    let who = (id(), any::<u64>().prop_map(PersonNumber::new), option::of(id()));
    let how = (priority(), option::of(at()), option::of(at()), on_unknown());
    let judged = (select(vec![Encoding::Gsm7, Encoding::Ucs2]), any::<u16>());
    let extra = ((owner(), kind()), (version(), any::<bool>(), any::<bool>()));
    (who, how, judged, extra).prop_map(
        |((id, person, retry_of), (priority, scheduled_for, expires_at, on_unknown), judged, extra)| {
            let (encoding, segments) = judged;
            let ((user, kind), (template, may_bypass, is_claimed)) = extra;
            Terms {
                id,
                person,
                priority,
                scheduled_for,
                expires_at,
                on_unknown,
                retry_of,
                encoding,
                segments,
                user,
                kind,
                template,
                may_bypass,
                is_claimed,
            }
        },
    )
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let counts = select(vec![Counts::Yes, Counts::No]);
    prop_oneof![
        (hold(), at(), counts).prop_map(|(hold, until, counts)| Verdict::RetryAt { hold, until, counts }),
        Just(Verdict::Failed),
    ]
}

fn ban() -> impl Strategy<Value = Ban> {
    prop_oneof![
        (at(), how()).prop_map(|(since, how)| Ban::OptedOut { since, how }),
        select(Toggle::all().collect::<Vec<_>>()).prop_map(|toggle| Ban::ToggledOff { toggle }),
        Just(Ban::NotVerified),
        Just(Ban::Country),
        any::<u16>().prop_map(|limit| Ban::DailyLimit { limit }),
        at().prop_map(|since| Ban::Duplicate { since }),
    ]
}

fn owner() -> impl Strategy<Value = Option<UserNumber>> {
    option::of(any::<u64>().prop_map(UserNumber::new))
}

fn kind() -> impl Strategy<Value = Option<KindName>> {
    option::of("[a-z0-9_]{1,20}".prop_map(|name| name.parse().unwrap()))
}

/// Every event of a message.
pub(crate) fn message_event() -> impl Strategy<Value = message::Event> {
    use message::Event as E;
    prop_oneof![
        terms().prop_map(|terms| E::Accepted { terms: Box::new(terms) }),
        (hold(), at()).prop_map(|(hold, until)| E::Held { hold, until }),
        Just(E::BecameDue),
        (attempt(), option::of(day())).prop_map(|(attempt, counted)| E::AttemptStarted { attempt, counted }),
        (attempt(), at(), option::of(day())).prop_map(|(attempt, started_at, counted)| {
            E::AttemptSuspected { attempt, started_at, counted }
        }),
        select(vec![E::Relinquished, E::Reclaimed]),
        hold().prop_map(|hold| E::Bypassed { hold }),
        (attempt(), sid(), status(), via()).prop_map(|(attempt, sid, status, via)| E::Submitted {
            attempt,
            sid,
            status,
            via
        }),
        (attempt(), failure(), verdict()).prop_map(|(attempt, failure, verdict)| E::AttemptFailed {
            attempt,
            failure,
            verdict
        }),
        (attempt(), "\\PC{0,40}")
            .prop_map(|(attempt, detail)| E::OutcomeLost { attempt, detail: detail.into() }),
        (attempt(), any::<u8>()).prop_map(|(attempt, lookups)| E::LookupFoundNothing { attempt, lookups }),
        (status(), option::of(failure()), via()).prop_map(|(status, failure, via)| E::StatusReported {
            status,
            failure,
            via
        }),
        any::<u8>().prop_map(|polls| E::Polled { polls }),
        option::of(at()).prop_map(|scheduled_for| E::Rescheduled { scheduled_for }),
        Just(E::Canceled),
        Just(E::Expired),
        ban().prop_map(|ban| E::Suppressed { ban }),
        Just(E::GivenUp),
        Just(E::Unconfirmed),
        id().prop_map(|id| E::RetriedAs { id }),
        "[!-~]{1,60}".prop_map(|reason| E::Remarked { reason: reason.parse().unwrap() }),
        (sid(), status()).prop_map(|(sid, status)| E::Contradicted { sid, status }),
    ]
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Accepted),
        (hold(), at()).prop_map(|(hold, until)| State::Held { hold, until }),
        at().prop_map(|since| State::Due { since }),
        at().prop_map(|since| State::Submitting { since }),
        (at(), at(), any::<u8>()).prop_map(|(started_at, since, lookups)| State::Unknown {
            started_at,
            since,
            lookups
        }),
        (status(), at(), any::<u8>()).prop_map(|(status, since, polls)| State::Submitted {
            status,
            since,
            polls
        }),
        (at(), any::<u8>()).prop_map(|(submitted_at, polls)| State::Sent { submitted_at, polls }),
        status().prop_map(|status| State::Unconfirmed { status }),
        ban().prop_map(|ban| State::Suppressed { ban }),
        select(vec![
            State::Delivered,
            State::Undelivered,
            State::Failed,
            State::Canceled,
            State::Expired,
            State::Relinquished
        ]),
    ]
}

/// Every row of a message.
pub(crate) fn projection() -> impl Strategy<Value = Projection> {
    let person = any::<u64>().prop_map(PersonNumber::new);
    let about = (owner(), kind(), version(), any::<bool>(), custody());
    let fixed = (person, priority(), any::<u16>(), on_unknown(), at(), about);
    let times = (option::of(at()), option::of(at()), at(), option::of(at()));
    let sending = (attempt(), any::<u32>(), option::of(sid()), option::of(failure()), option::of(id()));
    (fixed, times, sending, state(), any::<[u64; 2]>()).prop_map(|(fixed, times, sending, state, seqs)| {
        let (person, priority, segments, on_unknown, accepted_at, about) = fixed;
        let (user, kind, template, may_bypass, custody) = about;
        let (scheduled_for, expires_at, changed_at, timer) = times;
        let (attempt, counted, sid, failure, retried_as) = sending;
        let message = Message {
            person,
            priority,
            segments,
            user,
            kind,
            template,
            may_bypass,
            custody,
            on_unknown,
            accepted_at,
            scheduled_for,
            expires_at,
            attempt,
            counted,
            sid,
            failure,
            retried_as,
            changed_at,
            state,
        };
        let [accepted_seq, last_seq] = seqs.map(JournalSeq::new);
        Projection { message, accepted_seq, last_seq, timer }
    })
}

/// Every row of a message that goes straight to its recipient, in a house of ordinary size.
pub(crate) fn plain_projection() -> impl Strategy<Value = Projection> {
    let at = || (0_i64..4_000_000_000_000).prop_map(Timestamp::from_millis);
    let states = prop_oneof![
        hold().prop_map(|hold| State::Held { hold, until: Timestamp::MAX }),
        (hold(), at()).prop_map(|(hold, until)| State::Held { hold, until }),
        at().prop_map(|since| State::Due { since }),
        at().prop_map(|since| State::Submitting { since }),
        (status(), at(), any::<u8>()).prop_map(|(status, since, polls)| State::Submitted {
            status,
            since,
            polls
        }),
        (at(), any::<u8>()).prop_map(|(submitted_at, polls)| State::Sent { submitted_at, polls }),
        Just(State::Delivered),
    ];
    let sid = option::of(
        ("SM|MM", "[0-9a-f]{32}").prop_map(|(kind, digits)| format!("{kind}{digits}").parse().unwrap()),
    );
    let numbers = (1_u32.., option::of(1_u32..), any::<[u8; 3]>(), priority(), on_unknown());
    let times = (
        at(),
        any::<u32>(),
        option::of(at().prop_map(|at| at.plus(Duration::from_millis(1)))),
        option::of(at()),
    );
    let places = (0_u64..1 << 47, any::<u32>(), kind());
    (numbers, times, places, sid, states).prop_map(|(numbers, times, places, sid, state)| {
        let (person, user, [segments, attempt, counted], priority, on_unknown) = numbers;
        let (accepted_at, changed_after, timer, scheduled_for) = times;
        let (accepted_seq, last_after, kind) = places;
        let message = Message {
            person: PersonNumber::new(u64::from(person)),
            priority,
            segments: u16::from(segments),
            user: user.map(|user| UserNumber::new(u64::from(user))),
            kind,
            template: None,
            may_bypass: false,
            custody: Custody::Own,
            on_unknown,
            accepted_at,
            scheduled_for,
            expires_at: None,
            attempt: Attempt::new(u32::from(attempt)),
            counted: u32::from(counted),
            sid,
            failure: None,
            retried_as: None,
            changed_at: accepted_at.plus(Duration::from_millis(u64::from(changed_after))),
            state,
        };
        let last_seq = JournalSeq::new(accepted_seq.saturating_add(u64::from(last_after)));
        Projection { message, accepted_seq: JournalSeq::new(accepted_seq), last_seq, timer }
    })
}
