//! What holds for every record and row, whatever is in it.

use bincode::config::legacy;
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::{ProviderStatus, Report, Suspicion, Via};
use dunlin_workflows::policy::{Flow, Rate};
use dunlin_workflows::timestamp::Timestamp;
use proptest::prelude::*;

use super::accepted::{AcceptedV2, AcceptedV3, AcceptedV4, AcceptedV5};
use super::codec::{put, take};
use super::envelope::put_bytes;
use super::header::Header;
use super::lane::{AlarmV1, CooledV1};
use super::message::{
    AttemptFailedV1, AttemptStartedV1, AttemptStartedV2, AttemptSuspectedV1, BypassedV1, ContradictedV1,
    EmptyV1, HeldV1, LookupFoundNothingV1, OutcomeLostV1, PolledV1, RemarkedV1, RescheduledV1, RetriedAsV1,
    StatusReportedV1, SubmittedV1, SuppressedV1,
};
use super::person::{ErasedV1, HelpAskedV1, ResolvedV1, StatedV1, SuspectedV1};
use super::row::{
    IdempotencyRowV1, LaneRowV1, LaneRowV2, MessageRowV2, MessageRowV3, MessageRowV4, MessageRowV5,
    OrphanRowV1,
};
use super::short_row::{MessageRowV6, MessageRowV7};
use super::strategy::{allowance, consent_projection, lane_projection, lately, record, user, verification};
use super::strategy_of_messages::{plain_projection, projection};
use super::strategy_of_recurrences::recurrence;
use super::strategy_of_templates;
use super::{Record, RecordError};
use crate::claim::{Claim, ClaimRowV1};
use crate::consent::{ConsentProjection, ConsentRowV1};
use crate::flow::FlowRowV1;
use crate::instance::allowance::{AllowanceV1, TakenV1};
use crate::instance::recurrence::{
    ArmedV1, ChangedV1, ChangedV2, CreatedV1, CreatedV2, EndedV1, RecurrenceV1, RecurrenceV2,
    RemarkedV1 as WhyV1, TickedV1,
};
use crate::instance::template;
use crate::instance::user::{NumberV1, PreferencesV1, ReasonV1, UserV1};
use crate::instance::verification::{CheckStartedV1, CodeSentV1, CodeStartedV1, VerificationV1, WordV1};
use crate::instance::{
    Allowances, INSTANCE_KINDS, Recurrences, Templates, Users, Verifications, Workflow as _,
};
use crate::journal::{JournalSeq, LaneNumber};
use crate::projection::{LaneProjection, Projection};
use crate::usage::{Lately, UsageRowV1, UsageRowV2};

/// Whether bincode's legacy configuration reads `payload` as the same value and writes the same bytes.
fn agrees<T>(payload: &[u8]) -> bool
where
    T: bincode::Encode + bincode::Decode<()> + PartialEq,
    T: wincode::SchemaReadOwned<super::codec::Layout, Dst = T>,
{
    let ours: T = take(payload).unwrap();
    let (theirs, read): (T, usize) = bincode::decode_from_slice(payload, legacy()).unwrap();
    let written = bincode::encode_to_vec(&ours, legacy()).unwrap();
    ours == theirs && read == payload.len() && written == payload
}

fn payload_agrees(header: Header, payload: &[u8]) -> bool {
    let Header { kind, record_type, type_version, .. } = header;
    match (kind, record_type) {
        (1, 1) if type_version == 5 => agrees::<AcceptedV5>(payload),
        (1, 1) if type_version == 4 => agrees::<AcceptedV4>(payload),
        (1, 1) if type_version == 3 => agrees::<AcceptedV3>(payload),
        (1, 4) if type_version == 2 => agrees::<AttemptStartedV2>(payload),
        (1, 20) => agrees::<BypassedV1>(payload),
        (1, 21) => agrees::<AttemptSuspectedV1>(payload),
        (1, 1) => agrees::<AcceptedV2>(payload),
        (1, 2) => agrees::<HeldV1>(payload),
        (1, 4) => agrees::<AttemptStartedV1>(payload),
        (1, 5) => agrees::<SubmittedV1>(payload),
        (1, 6) => agrees::<AttemptFailedV1>(payload),
        (1, 7) => agrees::<OutcomeLostV1>(payload),
        (1, 8) => agrees::<LookupFoundNothingV1>(payload),
        (1, 9) => agrees::<StatusReportedV1>(payload),
        (1, 10) => agrees::<PolledV1>(payload),
        (1, 11) => agrees::<RescheduledV1>(payload),
        (1, 15) => agrees::<RetriedAsV1>(payload),
        (1, 16) => agrees::<ContradictedV1>(payload),
        (1, 18) => agrees::<RemarkedV1>(payload),
        (1, 19) => agrees::<SuppressedV1>(payload),
        (2, 1) => agrees::<CooledV1>(payload),
        (2, 3 | 4) => agrees::<AlarmV1>(payload),
        (3, 1) => agrees::<ErasedV1>(payload),
        (3, 2 | 3) => agrees::<StatedV1>(payload),
        (3, 4) => agrees::<HelpAskedV1>(payload),
        (3, 5) => agrees::<SuspectedV1>(payload),
        (3, 6) => agrees::<ResolvedV1>(payload),
        (4.., _) => instance_agrees(kind, record_type, type_version, payload),
        (1, 3 | 12 | 13 | 14 | 17 | 22 | 23) | (2, 2) => payload.is_empty() && agrees::<EmptyV1>(payload),
        (kind, record_type) => panic!("no form for kind {kind}, type {record_type}"),
    }
}

/// What is sealed stands in front, as a vector would.
fn instance_agrees(kind: u8, record_type: u8, type_version: u8, payload: &[u8]) -> bool {
    let (sealed, form) = super::take_sealed(payload).unwrap();
    let (front, _) = payload.split_at(payload.len().checked_sub(form.len()).unwrap());
    let mut written = Vec::new();
    put(&sealed, &mut written).unwrap();
    let same = match (kind, record_type) {
        (4, 1 | 7) => form.is_empty() && agrees::<EmptyV1>(form),
        (4, 2) => agrees::<PreferencesV1>(form),
        (4, 3 | 4) => agrees::<NumberV1>(form),
        (4, 5 | 6) => agrees::<ReasonV1>(form),
        (5, 1) => agrees::<template::CreatedV1>(form),
        (5, 2) => agrees::<template::DraftedV1>(form),
        (5, 4) => agrees::<template::PublishedV1>(form),
        (5, 5) => agrees::<template::RolledBackV1>(form),
        (5, 8) => agrees::<template::RemarkedV1>(form),
        (5, 3 | 6 | 7) => form.is_empty() && agrees::<EmptyV1>(form),
        (6, 1) if type_version == 2 => agrees::<CreatedV2>(form),
        (6, 2) if type_version == 2 => agrees::<ChangedV2>(form),
        (6, 1) => agrees::<CreatedV1>(form),
        (6, 2) => agrees::<ChangedV1>(form),
        (6, 3) => agrees::<ArmedV1>(form),
        (6, 4) => agrees::<TickedV1>(form),
        (6, 7) => agrees::<EndedV1>(form),
        (6, 9) => agrees::<WhyV1>(form),
        (6, 5 | 6 | 8) => form.is_empty() && agrees::<EmptyV1>(form),
        (7, 1) => agrees::<CodeStartedV1>(form),
        (7, 2) => agrees::<CodeSentV1>(form),
        (7, 3 | 4 | 6) => agrees::<WordV1>(form),
        (7, 5) => agrees::<CheckStartedV1>(form),
        (7, 7..=13) => form.is_empty() && agrees::<EmptyV1>(form),
        (8, 1) => agrees::<TakenV1>(form),
        (kind, record_type) => panic!("no form for kind {kind}, type {record_type}"),
    };
    same && agrees::<Vec<u8>>(front) && front == written
}

/// The bytes of a record of this type and version with this payload, checksum right.
fn forged(record_type: u8, type_version: u8, payload: &[u8]) -> Vec<u8> {
    let header =
        Header { kind: 1, record_type, type_version, source: 1, at_ms: 0, number: 1, previous: 0, actor: 0 };
    let mut bytes = Vec::new();
    header.put(1, payload, &mut bytes).unwrap();
    bytes
}

#[test]
fn payload_that_ends_within_what_is_sealed_is_not_taken_for_a_record_cut_short() {
    let promises = [4_u64.to_le_bytes().as_slice(), b"abc"].concat();
    for payload in [b"".as_slice(), b"short", &promises, &u64::MAX.to_le_bytes()] {
        let refused = super::take_sealed(payload);
        assert!(matches!(refused, Err(RecordError::Payload { .. })), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn every_record_reads_back_as_itself(record in record()) {
        let bytes = record.encode().unwrap();
        prop_assert_eq!(Record::decode(record.seq, &bytes).unwrap(), record);
    }

    #[test]
    fn every_payload_is_bincode_legacy_byte_for_byte(record in record()) {
        let bytes = record.encode().unwrap();
        let (header, payload) = Header::take(record.seq.get(), &bytes).unwrap();
        prop_assert!(payload_agrees(header, payload));
    }

    #[test]
    fn every_message_row_reads_back_as_itself(row in projection(), number: u64) {
        let bytes = row.put(MessageNumber::new(number)).unwrap();
        prop_assert!(bytes.len() <= 400, "{}", bytes.len());
        prop_assert_eq!(Projection::take(number, &bytes).unwrap(), row);
        match bytes[0] {
            2 => prop_assert!(agrees::<MessageRowV2>(&bytes[5..])),
            3 => prop_assert!(agrees::<MessageRowV3>(&bytes[5..])),
            4 => prop_assert!(agrees::<MessageRowV4>(&bytes[5..])),
            5 => prop_assert!(agrees::<MessageRowV5>(&bytes[5..])),
            6 => prop_assert!(agrees::<MessageRowV6>(&bytes[5..])),
            _seventh => prop_assert!(agrees::<MessageRowV7>(&bytes[5..])),
        }
    }

    #[test]
    fn row_of_a_text_on_its_way_to_delivery_is_short_and_keeps_its_length(row in plain_projection(), number: u64) {
        let bytes = row.put(MessageNumber::new(number)).unwrap();
        prop_assert_eq!(Projection::take(number, &bytes).unwrap(), row.clone());
        let is_plain = row.message.kind.is_none() && row.message.scheduled_for.is_none();
        if is_plain {
            prop_assert_eq!((bytes[0], bytes.len()), (6, 69));
            prop_assert!(agrees::<MessageRowV6>(&bytes[5..]));
        } else {
            prop_assert_eq!(bytes[0], 7);
            prop_assert!(agrees::<MessageRowV7>(&bytes[5..]));
        }
    }

    #[test]
    fn short_row_reads_as_what_it_says_or_not_at_all(bytes in prop::collection::vec(any::<u8>(), 64)) {
        for state in [2, 3, 4, 6, 7, 8] {
            let mut bytes = bytes.clone();
            (bytes[8], bytes[39]) = (bytes[8] & 0x17, state);
            let row = put_bytes("messages", &7_u64.to_le_bytes(), 6, &bytes);
            if let Ok(read) = Projection::take(7, &row) {
                prop_assert_eq!(read.put(MessageNumber::new(7)).unwrap(), row);
            }
        }
    }

    #[test]
    fn every_lane_row_reads_back_as_itself(row in lane_projection(), number: u64) {
        let bytes = row.put(LaneNumber::new(number)).unwrap();
        prop_assert_eq!(LaneProjection::take(number, &bytes).unwrap(), row);
        match bytes[0] {
            1 => prop_assert!(agrees::<LaneRowV1>(&bytes[5..])),
            _second => prop_assert!(agrees::<LaneRowV2>(&bytes[5..])),
        }
    }

    #[test]
    fn every_consent_row_reads_back_as_itself(row in consent_projection(), number: u64) {
        let bytes = row.put(PersonNumber::new(number)).unwrap();
        prop_assert_eq!(ConsentProjection::take(number, &bytes).unwrap(), row);
        prop_assert!(agrees::<ConsentRowV1>(&bytes[5..]));
    }

    #[test]
    fn all_that_was_sent_lately_reads_back_as_itself(lately in lately(), number: u64) {
        let person = PersonNumber::new(number);
        match crate::usage::put(person, &lately).unwrap() {
            None => prop_assert_eq!(lately, Lately::default()),
            Some(bytes) => {
                prop_assert_eq!(crate::usage::take(person, &bytes).unwrap(), lately);
                match bytes[0] {
                    1 => prop_assert!(agrees::<UsageRowV1>(&bytes[5..])),
                    _second => prop_assert!(agrees::<UsageRowV2>(&bytes[5..])),
                }
            }
        }
    }

    #[test]
    fn every_flow_reads_back_as_itself(went in prop::collection::vec(0_i64..9_000_000, 0..90), hash: [u8; 16]) {
        let mut flow = Flow::default();
        let rate = Rate { per_minute: Some(1), per_hour: None, per_day: Some(1) };
        for ms in went {
            flow.count(Timestamp::from_millis(ms), rate);
        }
        flow.line_up(Timestamp::from_millis(9_000_000), Timestamp::from_millis(1), rate);
        let bytes = crate::flow::put(&hash, &flow).unwrap();
        prop_assert_eq!(crate::flow::take(&hash, &bytes).unwrap(), flow);
        prop_assert!(agrees::<FlowRowV1>(&bytes[5..]));
    }

    #[test]
    fn every_user_reads_back_as_themselves(user in user()) {
        let mut bytes = Vec::new();
        let version = Users::put_state(&user, &mut bytes).unwrap();
        prop_assert_eq!(Users::take_state(version, &bytes).unwrap(), user);
        prop_assert_eq!(version == 2, user.is_unreadable, "what others mean is the first form");
        prop_assert!(Users::take_state(3, &bytes).is_err());
        prop_assert!(agrees::<UserV1>(&bytes));
    }

    #[test]
    fn every_verification_reads_back_as_itself(verification in verification()) {
        let mut bytes = Vec::new();
        let version = Verifications::put_state(&verification, &mut bytes).unwrap();
        prop_assert_eq!(Verifications::take_state(version, &bytes).unwrap(), verification);
        prop_assert!(agrees::<VerificationV1>(&bytes));
    }

    #[test]
    fn every_allowance_reads_back_as_itself(allowance in allowance()) {
        let mut bytes = Vec::new();
        let version = Allowances::put_state(&allowance, &mut bytes).unwrap();
        prop_assert_eq!(Allowances::take_state(version, &bytes).unwrap(), allowance);
        prop_assert!(agrees::<AllowanceV1>(&bytes));
    }

    #[test]
    fn every_recurrence_reads_back_as_itself(recurrence in recurrence()) {
        let says_more = recurrence.plan.kind.is_some() || recurrence.plan.template.is_some();
        let state = Some(recurrence);
        let mut bytes = Vec::new();
        let version = Recurrences::put_state(&state, &mut bytes).unwrap();
        prop_assert_eq!(Recurrences::take_state(version, &bytes).unwrap(), state);
        prop_assert_eq!(version == 2, says_more, "what was written before kinds is the first form");
        match version {
            1 => prop_assert!(agrees::<RecurrenceV1>(&bytes)),
            _second => prop_assert!(agrees::<RecurrenceV2>(&bytes)),
        }
    }

    #[test]
    fn every_template_reads_back_as_itself(template in strategy_of_templates::template()) {
        let state = Some(template);
        let mut bytes = Vec::new();
        let version = Templates::put_state(&state, &mut bytes).unwrap();
        prop_assert_eq!(Templates::take_state(version, &bytes).unwrap(), state);
        prop_assert!(agrees::<template::TemplateV1>(&bytes));
    }

    #[test]
    fn small_rows_are_bincode_legacy_too(status: u8, code: Option<u32>, at_ms: i64, number: u64, hash: [u8; 16]) {
        let mut bytes = Vec::new();
        put(&OrphanRowV1 { status, code, at_ms }, &mut bytes).unwrap();
        prop_assert!(agrees::<OrphanRowV1>(&bytes));
        bytes.clear();
        let row = IdempotencyRowV1 { fingerprint: hash, first: number, count: 3, at_ms };
        put(&row, &mut bytes).unwrap();
        prop_assert!(agrees::<IdempotencyRowV1>(&bytes));
    }

    #[test]
    fn every_claim_reads_back_as_itself(token: [u8; 16], since: Option<i64>, code: Option<u32>, named: bool, number: u64) {
        let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
        let known = named.then_some(Report { sid, status: ProviderStatus::Sent, code, via: Via::Lookup });
        let since = since.map(Timestamp::from_millis);
        let claim = Claim { token, suspicion: since.map(|since| Suspicion { since, known }) };
        let number = MessageNumber::new(number);
        let bytes = crate::claim::put(number, &claim).unwrap();
        prop_assert_eq!(crate::claim::take(number, &bytes).unwrap(), claim);
        prop_assert!(agrees::<ClaimRowV1>(&bytes[5..]));
    }

    #[test]
    fn random_bytes_are_refused_and_never_panic(bytes: Vec<u8>, seq: u64) {
        prop_assert!(Record::decode(JournalSeq::new(seq), &bytes).is_err());
        prop_assert!(Projection::take(seq, &bytes).is_err());
    }

    #[test]
    fn random_payload_with_a_right_checksum_never_panics(
        record_type in 0_u8..25,
        payload in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..200),
    ) {
        let bytes = forged(record_type, 1, &payload);
        if let Ok(record) = Record::decode(JournalSeq::new(1), &bytes) {
            prop_assert_eq!(record.encode().unwrap(), bytes, "what reads, reads as exactly one thing");
        }
    }

    #[test]
    fn every_single_bit_flip_of_a_record_is_detected(record in record(), place: proptest::sample::Index, bit in 0_u32..8) {
        let mut bytes = record.encode().unwrap();
        let length = bytes.len();
        bytes[place.index(length)] ^= 1_u8 << bit;
        prop_assert!(Record::decode(record.seq, &bytes).is_err());
    }
}

#[test]
fn format_page_names_every_record_type() {
    let page = include_str!("../../FORMAT.md");
    for (number, name) in super::MESSAGE_RECORD_TYPES {
        assert!(page.contains(&format!("| 1 | {number} | `{name}` | ")), "{name}");
    }
    for kind in INSTANCE_KINDS {
        for (number, name) in kind.record_types() {
            assert!(page.contains(&format!("| {} | {number} | `{name}` | ", kind.number())), "{name}");
        }
    }
    for (number, name) in super::PERSON_RECORD_TYPES {
        assert!(page.contains(&format!("| 3 | {number} | `{name}` | ")), "{name}");
    }
}

#[test]
fn types_and_versions_of_the_future_are_refused_with_the_remedy() {
    for (record_type, version) in [(200, 1), (0, 1), (3, 2), (3, 0), (1, 6), (4, 3), (21, 2)] {
        let error = Record::decode(JournalSeq::new(1), &forged(record_type, version, &[])).unwrap_err();
        assert!(error.to_string().ends_with("written by a newer dunlin: upgrade"), "{error}");
    }
}

#[test]
fn values_that_their_types_forbid_are_refused_even_with_a_right_checksum() {
    let mut good = Vec::new();
    put(
        &SubmittedV1 { attempt: 1, sid: *b"SM0123456789abcdef0123456789abcdef", status: 3, via: 1 },
        &mut good,
    )
    .unwrap();
    assert!(Record::decode(JournalSeq::new(1), &forged(5, 1, &good)).is_ok());
    let mut wrong_sid = good.clone();
    wrong_sid[4] = b'X';
    let error = Record::decode(JournalSeq::new(1), &forged(5, 1, &wrong_sid)).unwrap_err();
    assert_eq!(error, RecordError::Value { what: "provider SID" });
    let mut wrong_status = good;
    wrong_status[38] = 200;
    let error = Record::decode(JournalSeq::new(1), &forged(5, 1, &wrong_status)).unwrap_err();
    assert_eq!(error, RecordError::UnknownTag { what: "provider status", tag: 200 });
}
