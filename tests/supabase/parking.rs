//! Rows that can't be understood: parked with their reason where people look, out of everybody's way, and back when mended.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, FIRST, SECOND, done, literal, one, rows};

#[tokio::test]
async fn text_that_is_not_understood_is_parked_blocks_nothing_and_comes_back_when_mended() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let insert = |number: &str| {
        format!(
            "insert into sms_messages (user_id, phone_number, message_content, priority) values ('{ADA}', '{number}', 'Hello', 'urgent') returning id"
        )
    };
    let bad = service.query_one(&insert("call me"), &[]).await.unwrap().get::<_, uuid::Uuid>(0).to_string();
    done(&service, &format!("select add_queue_job('{ADA}', 'send_sms', '{{\"message_id\": \"{bad}\"}}')"))
        .await;
    done(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Good')")).await;
    let daemon = database.daemon(FIRST).await;
    let other = database.daemon(SECOND).await;
    let (_, cursor) = other.changes(None, 500).await;
    let claimed = daemon.claim(10).await;
    assert_eq!(claimed.len(), 2);
    let rows_to_park = json!([{"id": bad, "claim": claimed[0]["claim"], "reason": "phone_number", "detail": "is not a phone number"}]);
    assert_eq!(daemon.call("park", &literal(&rows_to_park)).await["parked"], 1);
    assert_eq!(daemon.call("park", &literal(&rows_to_park)).await["parked"], 0);
    assert_eq!(daemon.acknowledge(&claimed[1..]).await["lost"], json!([]));

    let told = format!(
        "select m.status || '/' || m.status_reason || '/' || j.status || '/' || j.error_message
        from sms_messages m join queue_jobs j on j.id = m.queue_job_id where m.id = '{bad}'"
    );
    let why = "phone_number: is not a phone number";
    assert_eq!(one(&service, &told).await, format!("failed/{why}/failed/{why}"));
    let (changes, _) = other.changes(Some(&cursor), 500).await;
    assert_eq!((&changes[0]["kind"], &changes[0]["row"]["row_id"]), (&json!("parked"), &json!(bad)));
    let troubles = one(&service, "select dunlin_troubles()").await;
    assert_eq!(troubles["parked"][0]["reason"], "phone_number");
    assert_eq!(daemon.claim(10).await, Vec::<Value>::new());

    done(&service, &format!("update sms_messages set phone_number = '+15551230001' where id = '{bad}'"))
        .await;
    let mended = daemon.claim(10).await;
    assert_eq!((mended.len(), &mended[0]["phone_number"]), (1, &json!("+15551230001")));
    assert_eq!(one(&service, "select dunlin_troubles()").await["parked"], json!([]));
}

#[tokio::test]
async fn job_names_a_text_or_holds_one_or_is_parked_and_its_insert_never_fails() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let text = one(&service, &format!("select queue_sms_message('{BOB}', '+15551230002', 'Bob''s')")).await;
    for (payload, reason) in [
        (json!({}), Some("no_text")),
        (json!({"message_id": "7"}), Some("no_text")),
        (json!({"message_id": text}), Some("wrong_user")),
        (json!({"phone_number": "+15551230001", "message": "x", "priority": "soon"}), Some("not_understood")),
        (json!({"phone_number": "+15551230001", "message": "In the job", "priority": "high"}), None),
    ] {
        let add = format!("select add_queue_job('{ADA}', 'send_sms', {})", literal(&payload));
        let job = one(&service, &add).await;
        let parked = format!("select reason from dunlin.parked where row_id = '{}'", job.as_str().unwrap());
        let told: Vec<_> = rows(&service, &parked).await.iter().map(|row| row["reason"].clone()).collect();
        assert_eq!(told, reason.map(|reason| json!(reason)).into_iter().collect::<Vec<_>>(), "{payload}");
    }
    let claimed = database.daemon(FIRST).await.claim(10).await;
    let texts: Vec<_> = claimed.iter().map(|one| (&one["message_content"], &one["user_id"])).collect();
    assert_eq!(texts, [(&json!("In the job"), &json!(ADA)), (&json!("Bob's"), &json!(BOB))]);
}

#[tokio::test]
async fn text_that_nobody_took_while_it_was_worth_sending_is_told_and_not_sent() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let old = format!(
        "insert into sms_messages (user_id, phone_number, message_content, created_at) values ('{ADA}', '+15551230001', 'Old', now() - interval '2 days')"
    );
    done(&service, &old).await;
    let daemon = database.daemon(FIRST).await;
    assert_eq!(daemon.claim(10).await, Vec::<Value>::new());
    let told = one(&service, "select status || '/' || status_reason from sms_messages").await;
    assert!(told.as_str().unwrap().starts_with("failed/too_old: it was due at 20"), "{told}");
    // Somebody wants it all the same.
    done(&service, "update sms_messages set status = 'queued'").await;
    assert_eq!(daemon.claim(10).await.len(), 1);
}
