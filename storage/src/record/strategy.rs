//! Every value that a record can hold, for property tests.

use dunlin_workflows::actor::Reason;
use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::allowance::{self, Allowance, REMEMBERED};
use dunlin_workflows::consent::{self, Consent, Finding, HOWS, How, Review, Standing};
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, PersonNumber, ProviderSid, UserNumber};
use dunlin_workflows::lane::Lane;
use dunlin_workflows::message::{
    Cause, Failure, HOLDS, Hold, OnUnknown, PROVIDER_STATUSES, Priority, ProviderStatus, Via,
};
use dunlin_workflows::policy::Usage;
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::source::{SOURCES, Source};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{self, OwnNumber, Preferences, Toggles, User};
use dunlin_workflows::verification::{self, CodeDigest, REFUSALS, VIAS, Verification, VerificationSid};
use dunlin_workflows::zone::{Hours, LocalDay, LocalTime};
use dunlin_workflows::{lane, message};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::actor::ActorNumber;
use crate::consent::ConsentProjection;
use crate::instance::InstanceEvent;
use crate::journal::{JournalSeq, LaneNumber};
use crate::projection::LaneProjection;
use crate::record::strategy_of_messages::message_event;
use crate::record::strategy_of_recurrences::recurrence_event;
use crate::record::strategy_of_templates::template_event;
use crate::record::{Event, PersonEvent, Record};
use crate::said::{Said, TextV1};
use crate::usage::Lately;

pub(super) fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

pub(super) fn id() -> impl Strategy<Value = MessageId> {
    any::<[u8; 16]>().prop_map(MessageId::from_bytes)
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    any::<u32>().prop_map(Attempt::new)
}

pub(super) fn sid() -> impl Strategy<Value = ProviderSid> {
    "(SM|MM)[0-9a-fA-F]{32}".prop_map(|text| text.parse().unwrap())
}

pub(super) fn hold() -> impl Strategy<Value = Hold> {
    select(HOLDS.map(|(hold, _)| hold).to_vec())
}

pub(super) fn status() -> impl Strategy<Value = ProviderStatus> {
    select(PROVIDER_STATUSES.map(|(status, _, _)| status).to_vec())
}

fn class() -> impl Strategy<Value = FailureClass> {
    select(FailureClass::ALL.to_vec())
}

fn source() -> impl Strategy<Value = Source> {
    select(SOURCES.map(|(source, _)| source).to_vec())
}

pub(super) fn via() -> impl Strategy<Value = Via> {
    select(vec![Via::Response, Via::Callback, Via::Lookup, Via::Poll])
}

pub(super) fn priority() -> impl Strategy<Value = Priority> {
    select(vec![Priority::Urgent, Priority::High, Priority::Normal, Priority::Low])
}

pub(super) fn on_unknown() -> impl Strategy<Value = OnUnknown> {
    select(vec![OnUnknown::Hold, OnUnknown::Resend])
}

pub(super) fn failure() -> impl Strategy<Value = Failure> {
    let code = option::of(any::<u32>());
    let cause = prop_oneof![
        (any::<u16>(), code.clone()).prop_map(|(http_status, code)| Cause::Refused { http_status, code }),
        code.prop_map(|code| Cause::Reported { code }),
        Just(Cause::NotConnected),
        Just(Cause::OutcomeUnknown),
    ];
    (cause, class(), "\\PC{0,40}").prop_map(|(cause, class, detail)| Failure {
        cause,
        class,
        detail: detail.into(),
    })
}

pub(super) fn how() -> impl Strategy<Value = How> {
    select(HOWS.map(|(how, _)| how).to_vec())
}

pub(super) fn day() -> impl Strategy<Value = LocalDay> {
    any::<i32>().prop_map(LocalDay::from_days)
}

/// All that may have been sent to a person lately.
pub(crate) fn lately() -> impl Strategy<Value = Lately> {
    let texts = prop::collection::vec(any::<TextV1>(), 0..=64);
    (prop::collection::vec((day(), at()), 0..20), texts).prop_map(|(counted, texts)| {
        let mut usage = Usage::default();
        for (day, at) in counted {
            usage.count(day, at);
        }
        Lately { usage, said: Said::of(texts).unwrap(), is_changed: false }
    })
}

fn reason() -> impl Strategy<Value = Option<Reason>> {
    option::of("[!-~]{1,60}".prop_map(|reason| reason.parse().unwrap()))
}

/// Every event of a person.
pub(crate) fn person_event() -> impl Strategy<Value = PersonEvent> {
    use consent::Event as E;
    let stated = || (at(), how(), option::of(sid()), reason());
    prop_oneof![
        reason().prop_map(|reason| PersonEvent::Erased { reason }),
        stated().prop_map(|(since, how, text, reason)| PersonEvent::Consent(E::OptedOut {
            since,
            how,
            text,
            reason
        })),
        stated().prop_map(|(since, how, text, reason)| PersonEvent::Consent(E::OptedIn {
            since,
            how,
            text,
            reason
        })),
        sid().prop_map(|text| PersonEvent::Consent(E::HelpAsked { text })),
        (sid(), at()).prop_map(|(text, since)| PersonEvent::Consent(E::OptOutSuspected { text, since })),
        (sid(), select(vec![Finding::OptOut, Finding::NotOne]), reason()).prop_map(
            |(text, finding, reason)| PersonEvent::Consent(E::ReviewResolved { text, finding, reason })
        ),
    ]
}

/// Every row about a person's consent.
pub(crate) fn consent_projection() -> impl Strategy<Value = ConsentProjection> {
    let standing = || {
        prop_oneof![
            Just(Standing::Unknown),
            (at(), how()).prop_map(|(since, how)| Standing::OptedIn { since, how }),
            (at(), how()).prop_map(|(since, how)| Standing::OptedOut { since, how }),
        ]
    };
    let review = (sid(), standing()).prop_map(|(text, before)| Review { text, before });
    (standing(), option::of(review), any::<u64>()).prop_map(|(standing, review, seq)| ConsentProjection {
        consent: Consent { standing, review },
        last_seq: JournalSeq::new(seq),
    })
}

/// Every event of a lane.
pub(crate) fn lane_event() -> impl Strategy<Value = lane::Event> {
    prop_oneof![
        (at(), failure()).prop_map(|(until, failure)| lane::Event::Cooled { until, failure }),
        Just(lane::Event::Warmed),
        alarm().prop_map(|alarm| lane::Event::FailuresRepeated(Box::new(alarm))),
        alarm().prop_map(|alarm| lane::Event::FailuresEnded(Box::new(alarm))),
    ]
}

fn alarm() -> impl Strategy<Value = Alarm> {
    (failure(), any::<u32>(), at()).prop_map(|(failure, count, since)| Alarm { failure, count, since })
}

fn local_time() -> impl Strategy<Value = LocalTime> {
    (0_u16..1440).prop_map(|minute| LocalTime::from_minute(minute).unwrap())
}

fn preferences() -> impl Strategy<Value = Preferences> {
    let zone = select(vec!["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]);
    let quiet = (local_time(), local_time()).prop_map(|(start, end)| Hours { start, end });
    let bits = (0_u16..64).prop_map(|bits| Toggles::from_bits(bits).unwrap());
    let limit = option::of(any::<u16>());
    (bits, option::of(quiet), limit, option::of(zone), any::<u16>(), local_time()).prop_map(
        |(toggles, quiet_hours, daily_limit, zone, lead_minutes, kickoff_time)| Preferences {
            toggles,
            quiet_hours,
            daily_limit,
            zone: zone.map(|zone| zone.parse().unwrap()),
            lead_minutes,
            kickoff_time,
        },
    )
}

fn user_event() -> impl Strategy<Value = InstanceEvent> {
    use user::Event as E;
    let person = || any::<u64>().prop_map(PersonNumber::new);
    prop_oneof![
        Just(E::Met),
        preferences().prop_map(|preferences| E::PreferencesChanged { preferences }),
        Just(E::PreferencesUnreadable),
        option::of(person()).prop_map(|person| E::NumberChanged { person }),
        person().prop_map(|person| E::NumberVerified { person }),
        "[!-~]{1,60}".prop_map(|reason| E::Remarked { reason: reason.parse().unwrap() }),
        reason().prop_map(|reason| E::Erased { reason }),
    ]
    .prop_map(InstanceEvent::User)
    .boxed()
    .prop_union(recurrence_event().prop_map(InstanceEvent::Recurrence).boxed())
    .or(template_event().prop_map(InstanceEvent::Template).boxed())
}

fn verification_sid() -> impl Strategy<Value = VerificationSid> {
    "VE[0-9a-fA-F]{32}".prop_map(|text| text.parse().unwrap())
}

fn digest() -> impl Strategy<Value = CodeDigest> {
    any::<[u8; 16]>().prop_map(CodeDigest::from_bytes)
}

fn verification_event() -> impl Strategy<Value = InstanceEvent> {
    use verification::Event as E;
    let person = any::<u64>().prop_map(PersonNumber::new);
    let user = option::of(any::<u64>().prop_map(UserNumber::new));
    let via = select(VIAS.map(|(via, _)| via).to_vec());
    let bare = vec![
        E::Approved,
        E::Preempted,
        E::ChecksSpent,
        E::CheckFailed,
        E::CheckLost,
        E::LookupStarted,
        E::Expired,
    ];
    prop_oneof![
        (person, user, via, at(), option::of(digest())).prop_map(
            |(person, user, via, expires_at, digest)| {
                E::Started { person, user, via, expires_at, digest }
            }
        ),
        verification_sid().prop_map(|sid| E::CodeSent { sid }),
        select(REFUSALS.to_vec()).prop_map(|(refusal, _)| E::SendRefused { refusal }),
        any::<bool>().prop_map(|again| E::SendLost { again }),
        digest().prop_map(|digest| E::CheckStarted { digest }),
        any::<bool>().prop_map(|is_last| E::CodeRefused { is_last }),
        select(bare),
    ]
    .prop_map(InstanceEvent::Verification)
}

/// Every event of an instance.
pub(crate) fn instance_event() -> impl Strategy<Value = InstanceEvent> {
    let taken = at().prop_map(|keep_from| InstanceEvent::Allowance(allowance::Event::Taken { keep_from }));
    prop_oneof![user_event(), verification_event(), taken]
}

/// What is known of a verification.
pub(crate) fn verification() -> impl Strategy<Value = Verification> {
    let standing = prop_oneof![
        select(vec![
            verification::Standing::Nothing,
            verification::Standing::Pending,
            verification::Standing::Approved,
            verification::Standing::Expired,
            verification::Standing::Spent,
        ]),
        (at(), any::<u8>()).prop_map(|(since, lost)| verification::Standing::Starting { since, lost }),
        at().prop_map(|since| verification::Standing::Checking { since }),
        (at(), any::<u8>()).prop_map(|(since, lookups)| verification::Standing::Doubtful { since, lookups }),
        select(REFUSALS.to_vec()).prop_map(|(refusal, _)| verification::Standing::Failed { refusal }),
    ];
    let who = (option::of(any::<u64>()), option::of(any::<u64>()), select(VIAS.to_vec()));
    let code = (option::of(verification_sid()), option::of(digest()));
    (who, at(), at(), any::<[u8; 2]>(), code, standing).prop_map(
        |((person, user, (via, _)), expires_at, sent_at, [sends, checks], (sid, digest), standing)| {
            Verification {
                person: person.map(PersonNumber::new),
                user: user.map(UserNumber::new),
                via,
                expires_at,
                sent_at,
                sends,
                checks,
                sid,
                digest,
                standing,
            }
        },
    )
}

/// What is known of an allowance.
pub(crate) fn allowance() -> impl Strategy<Value = Allowance> {
    prop::collection::vec(at(), 0..REMEMBERED).prop_map(|taken| Allowance { taken })
}

/// What is known of a user.
pub(crate) fn user() -> impl Strategy<Value = User> {
    let number = (any::<u64>().prop_map(PersonNumber::new), option::of(at()))
        .prop_map(|(person, verified_at)| OwnNumber { person, verified_at });
    (option::of(preferences()), any::<u64>(), option::of(number), any::<(bool, bool)>()).prop_map(
        |(preferences, version, number, (is_unreadable, is_erased))| User {
            preferences,
            version,
            number,
            is_unreadable,
            is_erased,
        },
    )
}

/// Every record.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let event = prop_oneof![
        8 => (any::<u64>(), message_event())
            .prop_map(|(number, event)| Event::Message { number: MessageNumber::new(number), event }),
        2 => (any::<u64>(), person_event())
            .prop_map(|(person, event)| Event::Person { person: PersonNumber::new(person), event }),
        2 => (any::<u64>(), instance_event()).prop_map(|(number, event)| Event::Instance { number, event }),
        1 => (any::<u64>(), lane_event())
            .prop_map(|(lane, event)| Event::Lane { lane: LaneNumber::new(lane), event }),
    ];
    let sealed = prop::collection::vec(any::<u8>(), 0..80);
    (1_u64.., any::<u64>(), at(), (source(), any::<u32>()), event, sealed).prop_map(
        |(seq, previous, at, (source, actor), event, sealed)| {
            let writes = match &event {
                Event::Message { event, .. } => matches!(event, message::Event::Accepted { .. }),
                Event::Person { event: PersonEvent::Consent(event), .. } => {
                    !matches!(event, consent::Event::ReviewResolved { .. })
                }
                Event::Instance { .. } => true,
                Event::Person { .. } | Event::Lane { .. } => false,
            };
            let previous = previous.checked_rem(seq).unwrap_or(0);
            Record {
                seq: JournalSeq::new(seq),
                previous: (previous > 0).then_some(JournalSeq::new(previous)),
                at,
                source,
                actor: ActorNumber::new(actor),
                event,
                sealed: if writes { sealed } else { Vec::new() },
            }
        },
    )
}

/// Every row of a lane.
pub(crate) fn lane_projection() -> impl Strategy<Value = LaneProjection> {
    let alarms = proptest::collection::vec(alarm(), 0..3);
    (at(), any::<u32>(), option::of(failure()), alarms, any::<u64>()).prop_map(
        |(cool_until, streak, failure, alarms, seq)| LaneProjection {
            lane: Lane { cool_until, streak, failure, alarms },
            last_seq: JournalSeq::new(seq),
        },
    )
}
