//! The six functions with types, either way: the same bodies, the same answers.

use std::time::Duration;

use dunlin_sync::transport::{Function, acknowledge, heartbeat, park, pull, push, troubles};
use dunlin_sync::wire::{
    Batch, Born, Change, ChangedRow, ConsentRow, EngineState, Heartbeat, Instant, MessageRow, Parking, Pull,
    SmsStatus, UsageRow, VerificationRow,
};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, FIRST, done, one};
use crate::way::{PATIENT, Way};

const NAMED: &str = "eeeeeeee-0000-4000-8000-000000000001";

pub(crate) fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

pub(crate) fn alive() -> Heartbeat {
    Heartbeat { name: "first".into(), version: "1".into(), lease: Some(Duration::from_secs(30)) }
}

#[tokio::test]
async fn six_functions_answer_with_types_either_way() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let service = database.role("service_role").await;
        let ask = format!(
            "select queue_sms_message('{ADA}', '+15551230001', 'Text ' || n, 'urgent', now() + interval '1 h', '{{\"a\": [1]}}', 'key ' || n)
             from generate_series(1, 3) n"
        );
        done(&service, &ask).await;
        let reached = way.reach(&database, PATIENT).await;
        let there = &reached.database;

        let standing = heartbeat(there, id(FIRST), &alive()).await.unwrap();
        assert_eq!((standing.contract, standing.waiting, standing.lapsed), (1, 3, false), "{way:?}");
        let lease = standing.lease_until.unwrap().timestamp().since(standing.server_time.timestamp());
        assert_eq!(lease, Duration::from_secs(30), "{way:?}");
        assert_eq!((standing.daemons.len(), standing.daemons[0].name.as_str()), (1, "first"));

        let for_good = heartbeat(there, id(FIRST), &Heartbeat { lease: None, ..alive() }).await.unwrap();
        assert_eq!((for_good.lease_until, for_good.lapsed), (None, false), "{way:?}");

        let pulled = pull(there, id(FIRST), &Pull::default()).await.unwrap();
        assert!(pulled.reset && !pulled.more, "{pulled:?}");
        let claims: Vec<_> = pulled.requests.iter().map(|one| one.as_ref().unwrap().claim()).collect();
        let first = pulled.requests[0].as_ref().unwrap();
        assert_eq!(
            (claims.len(), first.user_id, first.metadata.clone()),
            (3, id(ADA), Some(json!({"a": [1]})))
        );
        let whose = pulled.changes.iter().filter_map(|change| {
            let Ok(Change::Preferences(user, ChangedRow::Now(row))) = change else { return None };
            Some((*user, row.phone_verified))
        });
        assert_eq!(whose.collect::<Vec<_>>(), [(id(ADA), Some(true)), (id(BOB), Some(false))]);

        let acknowledged = acknowledge(there, id(FIRST), &claims[..2]).await.unwrap();
        assert_eq!((acknowledged.accepted.len(), acknowledged.lost.len()), (2, 0), "{way:?}");
        let parking = Parking::claimed(claims[2], "odd", "it's \"odd\"");
        assert_eq!(park(there, id(FIRST), std::slice::from_ref(&parking)).await.unwrap(), 1);
        assert_eq!(park(there, id(FIRST), &[parking]).await.unwrap(), 0, "it is parked already");

        let pushed = push(there, id(FIRST), &batch(claims[0].id)).await.unwrap();
        assert_eq!((pushed.applied, pushed.others_applied), (2, 3), "{way:?}: {pushed:?}");
        assert_eq!(pushed.rejected.len(), 1, "the proven number is another's: {pushed:?}");
        let again = push(there, id(FIRST), &batch(claims[0].id)).await.unwrap();
        assert_eq!((again.applied, again.stale.len()), (0, 2), "{way:?}");

        let next = Pull { cursor: Some(pulled.cursor), claims: 0, ..Pull::default() };
        let changes = pull(there, id(FIRST), &next).await.unwrap();
        assert!(!changes.reset && changes.requests.is_empty());
        let parked = changes.changes.iter().filter_map(|change| {
            let Ok(Change::Parked(_, ChangedRow::Now(row))) = change else { return None };
            Some((row.row_id, row.reason.clone()))
        });
        let expected = (id(&claims[2].id.to_string()), "odd".to_owned());
        assert_eq!(parked.collect::<Vec<_>>(), std::slice::from_ref(&expected));
        done(&service, "update sms_messages set status = 'sent' where status = 'delivered'").await;
        let found = troubles(there, 10).await.unwrap();
        assert_eq!((found.parked.len(), found.parked[0].detail.as_str()), (1, "it's \"odd\""));
        let conflict = &found.conflicts[0];
        assert_eq!(
            (conflict.name.as_str(), conflict.theirs.as_deref(), conflict.times),
            ("status", Some("sent"), 1)
        );
    }
}

/// A text that was claimed, one that was born in the engine, and whatever else can be told.
fn batch(claimed: dunlin_workflows::id::MessageId) -> Batch {
    let at = Instant::At(Timestamp::from_millis(1_795_946_400_000));
    let mut delivered = MessageRow::new(claimed, 7, SmsStatus::Delivered, EngineState::Delivered);
    (delivered.sent_at, delivered.delivered_at, delivered.attempt_count) = (Some(at), Some(at), 1);
    let mut born = MessageRow::new(NAMED.parse().unwrap(), 8, SmsStatus::Scheduled, EngineState::Held);
    born.born = Some(Box::new(Born {
        user_id: id(ADA),
        phone_number: "+15551230001".into(),
        message_content: "Born in the engine".into(),
        template_key: None,
        template_vars: None,
        priority: "low",
        scheduled_for: Some(Instant::Never),
        metadata: Some(json!({"b": null})),
        created_at: at,
    }));
    let verification = |user, version, number: &str| VerificationRow {
        user_id: id(user),
        version,
        phone_number: Some(number.into()),
        phone_verified: true,
        phone_verified_at: Some(at),
    };
    Batch {
        messages: vec![delivered, born],
        consents: vec![ConsentRow {
            phone_number: "+15551230009".into(),
            user_id: None,
            version: 9,
            opted_out: true,
            at,
            reason: Some("STOP".into()),
        }],
        verifications: vec![verification(ADA, 10, "+15551230003"), verification(BOB, 11, "+15551230003")],
        usage: vec![UsageRow { user_id: id(ADA), version: 12, daily_sms_count: 3, daily_count_reset_at: at }],
    }
}

#[tokio::test]
async fn signatures_that_grants_name_are_the_databases() {
    let cluster = Cluster::start().await;
    let owner = cluster.migrated().await.owner().await;
    for function in Function::ALL {
        for signature in [function.signature(), function.inner_signature()] {
            let names = function.parameters().iter().map(|(name, _)| *name).collect::<Vec<_>>();
            let found = format!(
                "select to_jsonb(proargnames) from pg_proc where oid = to_regprocedure('{signature}')"
            );
            assert_eq!(one(&owner, &found).await, json!(names), "{signature}");
        }
    }
}

#[tokio::test]
async fn row_that_cannot_be_read_spoils_neither_requests_nor_changes() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let owner = database.owner().await;
        let insert = format!(
            "insert into sms_messages (user_id, phone_number, message_content, status, scheduled_for, created_at)
             select '{ADA}', 'no number', 'Text ' || n, 'queued', now(), case n when 2 then '0044-03-15 BC' else now() end
             from generate_series(1, 3) n"
        );
        done(&owner, &insert).await;
        let templates = "insert into sms_templates (template_key, name, message_template, created_at)
            values ('old', 'o', 'o', '0044-03-15 BC'), ('new', 'n', 'n', now())";
        done(&owner, templates).await;
        let reached = way.reach(&database, PATIENT).await;
        let there = &reached.database;
        heartbeat(there, id(FIRST), &alive()).await.unwrap();
        let pulled = pull(there, id(FIRST), &Pull::default()).await.unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = pulled.requests.into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad.len()), (2, 1), "{way:?}");
        let unreadable = bad[0].as_ref().unwrap_err();
        assert_eq!(unreadable.why.name, "created_at");
        let unread = pulled.changes.iter().filter_map(|change| change.as_ref().err()).collect::<Vec<_>>();
        assert_eq!(
            (unread.len(), unread[0].kind.as_str(), unread[0].why.name),
            (1, "template", "created_at")
        );
        assert_eq!(pulled.changes.len(), 4, "two users and two templates");

        // It is still known well enough to be put out of the way with the reason.
        let claim = unreadable.claim().unwrap();
        let parking = Parking::claimed(claim, "not_understood", unreadable.why.to_string());
        assert_eq!(park(there, id(FIRST), &[parking]).await.unwrap(), 1);
        let reason = one(&owner, "select status_reason from sms_messages where status = 'failed'").await;
        assert_eq!(reason, "not_understood: created_at: expected an instant or null, found other text");
    }
}
