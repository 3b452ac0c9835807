//! The SQL of the seed, every statement as it is written there, with the answers that it must give.

use serde_json::json;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, FIRST, done, one, rows};

const QUEUE: &str = "
SELECT queue_sms_message(
  p_user_id := 'user-uuid',
  p_phone_number := '+15551234567',
  p_message := 'Your task is due soon!',
  p_priority := 'high',
  p_scheduled_for := NOW() + INTERVAL '1 hour'
);";
const DAILY_VOLUME: &str = "
SELECT
  DATE(created_at) as date,
  COUNT(*) as total_messages,
  COUNT(*) FILTER (WHERE status = 'delivered') as delivered,
  COUNT(*) FILTER (WHERE status = 'failed') as failed
FROM sms_messages
WHERE created_at >= NOW() - INTERVAL '30 days'
GROUP BY DATE(created_at)";
const TEMPLATE_USAGE: &str = "
SELECT
  t.name,
  t.usage_count,
  COUNT(m.id) as messages_sent
FROM sms_templates t
LEFT JOIN sms_messages m ON m.template_id = t.id
GROUP BY t.id";
const ENGAGEMENT: &str = "
SELECT
  COUNT(DISTINCT user_id) as active_users,
  AVG(daily_sms_count) as avg_daily_messages
FROM user_sms_preferences
WHERE opted_out = false";
const RECENT_FAILURES: &str = "
SELECT * FROM sms_messages
WHERE status = 'failed'
AND created_at > NOW() - INTERVAL '1 hour'";
const QUEUE_STATUS: &str = "
SELECT * FROM queue_jobs
WHERE job_type = 'send_sms'
AND status IN ('pending', 'processing')";
const PREFERENCES: &str = "
SELECT * FROM user_sms_preferences
WHERE user_id = 'user-uuid'";

#[tokio::test]
async fn every_statement_of_the_seed_runs_as_written_and_answers_right() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    done(&service, "insert into sms_templates (template_key, name, message_template) values ('welcome', 'Welcome', 'Hi')").await;

    service.batch_execute(&QUEUE.replace("user-uuid", ADA)).await.unwrap();
    let waiting = rows(&service, QUEUE_STATUS).await;
    assert_eq!((waiting.len(), &waiting[0]["status"]), (1, &json!("pending")));

    // It is claimed an hour ahead; until its time comes its job waits, and then it fails.
    let daemon = database.daemon(FIRST).await;
    let claimed = daemon.claim(10).await;
    assert_eq!((claimed.len(), &claimed[0]["priority"]), (1, &json!("high")));
    daemon.acknowledge(&claimed).await;
    assert_eq!(rows(&service, QUEUE_STATUS).await.len(), 1);
    let states = json!([
        {"id": claimed[0]["id"], "version": 1, "status": "failed", "state": "failed", "attempt_count": 1, "finished": true,
         "reason": "30006", "twilio_error_code": 30006, "twilio_error_message": "Landline or unreachable carrier"},
        {"id": "eeeeeeee-0000-4000-8000-000000000001", "version": 2, "status": "delivered", "state": "delivered",
         "attempt_count": 1, "finished": true, "born": {"user_id": BOB, "phone_number": "+15551230002",
         "message_content": "Hi", "template_key": "welcome", "created_at": "2026-11-29T10:00:00Z"}},
    ]);
    let today = states
        .to_string()
        .replace("2026-11-29T10:00:00Z", one(&service, "select now()").await.as_str().unwrap());
    assert_eq!(daemon.push(serde_json::from_str(&today).unwrap()).await["applied"], 2);
    let usage = format!(
        r#"'{{"usage": [{{"user_id": "{BOB}", "version": 3, "daily_sms_count": 3, "daily_count_reset_at": "2026-11-30T05:00:00Z"}}]}}'"#
    );
    assert_eq!(daemon.call("push", &usage).await["others_applied"], 1);

    assert_eq!(rows(&service, QUEUE_STATUS).await, Vec::<serde_json::Value>::new());
    let volume = rows(&service, DAILY_VOLUME).await;
    assert_eq!(
        (&volume[0]["total_messages"], &volume[0]["delivered"], &volume[0]["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(
        rows(&service, TEMPLATE_USAGE).await,
        [json!({"name": "Welcome", "usage_count": 1, "messages_sent": 1})]
    );
    let engagement = &rows(&service, ENGAGEMENT).await[0];
    assert_eq!(
        (&engagement["active_users"], engagement["avg_daily_messages"].as_f64()),
        (&json!(2), Some(1.5))
    );
    let failures = rows(&service, RECENT_FAILURES).await;
    assert_eq!((failures.len(), &failures[0]["twilio_error_code"]), (1, &json!(30006)));
    assert_eq!(rows(&service, &PREFERENCES.replace("user-uuid", ADA)).await.len(), 1);

    // The figures tell the same.
    let figures = &rows(&service, "select * from get_sms_daily_metrics(current_date, current_date)").await[0];
    assert_eq!(
        (&figures["scheduled_count"], &figures["delivered_count"], &figures["failed_count"]),
        (&json!(2), &json!(1), &json!(1))
    );
    for _ in 0..2 {
        done(&service, "select record_sms_metric(current_date, null, null, 'llm_cost_usd', 0.25)").await;
    }
    let cost = "select llm_cost_usd::float8 from get_sms_daily_metrics(current_date, current_date)";
    assert_eq!(one(&service, cost).await, json!(0.5), "the same figure twice is one row that grows");
    let stats = &rows(&service, "select * from get_sms_notification_stats()").await[0];
    assert_eq!((&stats["total_users_with_phone"], &stats["users_phone_verified"]), (&json!(2), &json!(1)));
}
