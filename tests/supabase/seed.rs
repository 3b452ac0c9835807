//! The SQL of the seed, every statement as it is written there, with a daemon that does what it asks.

use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, done, one, rows};
use crate::house::House;
use crate::stage::{until_answer, until_row};

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
async fn every_statement_of_the_seed_does_what_it_says_while_the_daemon_runs() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let house = House::beside(&database).await;
    let template = "eeeeeeee-0000-4000-8000-000000000002";
    let insert = format!(
        "insert into sms_templates (id, template_key, name, message_template) values ('{template}', 'welcome', 'Welcome', 'Hi')"
    );
    done(&service, &insert).await;

    // In an hour: taken at once, told at once, sent when its time comes.
    let id = one(&service, QUEUE.trim().trim_end_matches(';').replace("user-uuid", ADA).as_str()).await;
    let id = id.as_str().unwrap();
    let row = until_row(&service, id, |row| row["engine_state"] == "held").await;
    assert_eq!((&row["status"], &row["priority"]), (&json!("scheduled"), &json!("high")));
    let waiting = rows(&service, QUEUE_STATUS).await;
    assert_eq!((waiting.len(), &waiting[0]["status"]), (1, &json!("pending")));
    assert_eq!(house.taken().await, []);
    house.let_pass(Duration::from_mins(61));
    let row = until_row(&service, id, |row| row["status"] == "delivered").await;
    assert!(row["sent_at"].as_str().unwrap() > row["scheduled_for"].as_str().unwrap(), "{row:#}");
    assert_eq!(house.taken().await, [("+15551234567".to_owned(), "Your task is due soon!".to_owned())]);
    until_answer(&service, &format!("select count(*) from ({QUEUE_STATUS}) q"), &json!(0)).await;

    // One that fails, and one that names a template.
    let failing = format!("select queue_sms_message('{BOB}', '+15005550001', 'To nobody', 'urgent')");
    let failing = one(&service, &failing).await;
    let row = until_row(&service, failing.as_str().unwrap(), |row| row["status"] == "failed").await;
    assert_eq!((&row["twilio_error_code"], &row["attempt_count"]), (&json!(21211), &json!(1)), "{row:#}");
    let named = "eeeeeeee-0000-4000-8000-000000000003";
    let insert = format!(
        "insert into sms_messages (id, user_id, phone_number, message_content, template_id, status)
         values ('{named}', '{BOB}', '+15551230002', 'Hi', '{template}', 'pending')"
    );
    done(&service, &insert).await;
    until_row(&service, named, |row| row["status"] == "delivered").await;

    let volume = rows(&service, DAILY_VOLUME).await;
    let sum = |name: &str| volume.iter().map(|day| day[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("total_messages"), sum("delivered"), sum("failed")), (3, 2, 1));
    let used = json!({"name": "Welcome", "usage_count": 1, "messages_sent": 1});
    assert!(rows(&service, TEMPLATE_USAGE).await.contains(&used));
    let engagement = &rows(&service, ENGAGEMENT).await[0];
    assert_eq!(engagement["active_users"], json!(2));
    let failures = rows(&service, RECENT_FAILURES).await;
    assert_eq!((failures.len(), &failures[0]["twilio_error_code"]), (1, &json!(21211)));
    assert_eq!(rows(&service, &PREFERENCES.replace("user-uuid", ADA)).await.len(), 1);

    // The figures tell the same.
    let figures = "select sum(scheduled_count)::int as scheduled, sum(delivered_count)::int as delivered, sum(failed_count)::int as failed
        from get_sms_daily_metrics(current_date - 1, current_date + 1)";
    assert_eq!(rows(&service, figures).await, [json!({"scheduled": 3, "delivered": 2, "failed": 1})]);
    for _ in 0..2 {
        done(&service, "select record_sms_metric(current_date, null, null, 'llm_cost_usd', 0.25)").await;
    }
    let cost = "select llm_cost_usd::float8 from get_sms_daily_metrics(current_date, current_date)";
    assert_eq!(one(&service, cost).await, json!(0.5), "the same figure twice is one row that grows");
    let stats = &rows(&service, "select * from get_sms_notification_stats()").await[0];
    assert_eq!((&stats["total_users_with_phone"], &stats["users_phone_verified"]), (&json!(2), &json!(1)));
}
