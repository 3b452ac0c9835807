//! A daemon and a database, both for real: what is asked there happens here, and what happens here is told there.

use serde_json::json;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, done, one, rows};
use crate::stage::{Stage, queue, until, until_answer, until_row};
use crate::way::Way;

#[tokio::test]
async fn text_that_sql_asks_for_is_sent_once_within_a_second_and_its_row_tells_its_life() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let daemon = stage.daemon("one", &route.variables());
        let first = queue(&service, "Before it listened", "").await;
        until_row(&service, &first, |row| row["status"] == "delivered").await;

        let asked = std::time::Instant::now();
        let id = queue(&service, "Your task is due soon!", ", 'high'").await;
        until_row(&service, &id, |row| row["sent_at"].is_string()).await;
        let took = asked.elapsed();
        let row = until_row(&service, &id, |row| row["status"] == "delivered").await;
        assert_eq!(
            (&row["engine_state"], &row["attempt_count"], &row["twilio_status"]),
            (&json!("delivered"), &json!(1), &json!("delivered")),
            "{row:#}"
        );
        assert!(
            row["twilio_sid"].as_str().unwrap().starts_with("SM") && row["delivered_at"].is_string(),
            "{row:#}"
        );
        // The poll would come after half a minute.
        assert!(took.as_secs() < 5, "LISTEN did not wake it: {took:?}");
        assert_eq!(stage.taken().await.get("Your task is due soon!"), Some(&1));
        let job = format!(
            "select j.status::text from queue_jobs j join sms_messages m on m.queue_job_id = j.id or j.metadata ->> 'message_id' = m.id::text where m.id = '{id}'"
        );
        until_answer(&service, &job, &json!("completed")).await;
        let counted = format!("select daily_sms_count from user_sms_preferences where user_id = '{ADA}'");
        until_answer(&service, &counted, &json!(2)).await;
        until_answer(&service, "select count(*) from dunlin.requests", &json!(0)).await;

        let (code, told) = daemon.ask(&["sync", "status"]).await;
        assert_eq!(code, 0, "{told}");
        let metrics = reqwest::get(format!("{}/metrics", daemon.url)).await.unwrap().text().await.unwrap();
        for line in [
            "dunlin_supabase_texts_taken_total 2\n",
            "dunlin_supabase_records_behind 0\n",
            "dunlin_messages{state=\"delivered\"} 2\n",
        ] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }
        assert!(told.contains("2 texts taken") && told.contains("0 records of the journal to go"), "{told}");
    }
}

#[tokio::test]
async fn what_people_prefer_there_decides_here_and_an_opt_out_stops_what_waits() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let ada = database.person(ADA).await;
        let _daemon = stage.daemon("one", &route.variables());

        // Quiet around the clock, but for one minute that is not now.
        let quiet = "update user_sms_preferences set timezone = 'UTC',
        quiet_hours_start = date_trunc('minute', localtime - interval '2 hours'),
        quiet_hours_end = date_trunc('minute', localtime + interval '2 hours')";
        done(&ada, quiet).await;
        let held = queue(&service, "At night", "").await;
        let row = until_row(&service, &held, |row| row["engine_state"] == "held").await;
        assert!(row["status_reason"].as_str().unwrap().contains("quiet hours"), "{row:#}");
        assert_eq!(
            (&row["status"], row["next_retry_at"].is_string()),
            (&json!("scheduled"), true),
            "{row:#}"
        );

        // Nobody is left in peace by accident: when the hours change, so does what waits.
        done(&ada, "update user_sms_preferences set quiet_hours_start = null, quiet_hours_end = null").await;
        until_row(&service, &held, |row| row["status"] == "delivered").await;

        let later = queue(&service, "Tomorrow", ", 'normal', now() + interval '1 day'").await;
        until_row(&service, &later, |row| row["engine_state"] == "held").await;
        done(&ada, "update user_sms_preferences set opted_out = true").await;
        let row = until_row(&service, &later, |row| row["status"] == "cancelled").await;
        assert_eq!(row["engine_state"], "suppressed", "{row:#}");
        assert!(row["status_reason"].as_str().unwrap().contains("opted out"), "{row:#}");
        assert_eq!(stage.taken().await.get("Tomorrow"), None);
    }
}

#[tokio::test]
async fn preferences_that_nobody_understands_hold_every_text_until_somebody_mends_them() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let ada = database.person(ADA).await;
        let daemon = stage.daemon("one", &route.variables());
        let none = "quiet_hours_start = null, quiet_hours_end = null";
        done(&ada, &format!("update user_sms_preferences set timezone = 'UTC', {none}")).await;
        let sent = queue(&service, "At any hour", "").await;
        until_row(&service, &sent, |row| row["status"] == "delivered").await;

        // They forbid this very hour, on a clock that nobody knows. What they said before must not count.
        let quiet = "quiet_hours_start = date_trunc('minute', localtime - interval '2 hours'),
        quiet_hours_end = date_trunc('minute', localtime + interval '2 hours')";
        done(&ada, &format!("update user_sms_preferences set timezone = 'Mars/Olympus', {quiet}")).await;
        let parked = "select count(*) from dunlin.parked where resolved_at is null";
        until_answer(&service, parked, &json!(1)).await;
        let id = queue(&service, "At night", "").await;
        let says = |words: &'static str| {
            move |row: &serde_json::Value| {
                row["status_reason"].as_str().is_some_and(|why| why.contains(words))
            }
        };
        let unreadable = "nobody understands what the recipient prefers";
        let row = until_row(&service, &id, says(unreadable)).await;
        assert_eq!((&row["engine_state"], &row["status"]), (&json!("held"), &json!("scheduled")), "{row:#}");
        let (code, told) = daemon.ask(&["explain", &id]).await;
        assert!(code == 0 && told.contains("preferences_unreadable") && told.contains("mends"), "{told}");

        // Mended, the hours that they meant hold it; a half of them is nothing again, and what waits hears of it.
        done(&ada, "update user_sms_preferences set timezone = 'UTC'").await;
        until_row(&service, &id, says("quiet hours")).await;
        done(&ada, "update user_sms_preferences set quiet_hours_end = null").await;
        until_row(&service, &id, says(unreadable)).await;
        assert_eq!(stage.taken().await.get("At night"), None);

        done(&ada, &format!("update user_sms_preferences set {none}")).await;
        until_row(&service, &id, |row| row["status"] == "delivered").await;
        until_answer(&service, parked, &json!(0)).await;
        assert_eq!(stage.taken().await.get("At night"), Some(&1));
    }
}

#[tokio::test]
async fn text_that_waits_here_is_withdrawn_or_given_another_time_there() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let ada = database.person(ADA).await;
        let _daemon = stage.daemon("one", &route.variables());
        let mut waiting = Vec::new();
        for name in ["Canceled", "Deleted", "Sooner", "Of the job"] {
            let id = queue(&service, name, ", 'normal', now() + interval '1 day'").await;
            until_row(&service, &id, |row| row["engine_state"] == "held").await;
            waiting.push(id);
        }
        one(&ada, &format!("select cancel_sms_message('{}')", waiting[0])).await;
        done(&service, &format!("delete from sms_messages where id = '{}'", waiting[1])).await;
        done(&service, &format!("update sms_messages set scheduled_for = now() where id = '{}'", waiting[2]))
            .await;
        let job = format!(
            "update queue_jobs set status = 'cancelled' where metadata ->> 'message_id' = '{}'",
            waiting[3]
        );
        done(&service, &job).await;
        until_row(&service, &waiting[2], |row| row["status"] == "delivered").await;
        for id in [&waiting[0], &waiting[3]] {
            let row = until_row(&service, id, |row| row["status"] == "cancelled").await;
            assert_eq!(row["engine_state"], "canceled", "{row:#}");
        }
        assert_eq!(
            rows(&service, &format!("select from sms_messages where id = '{}'", waiting[1])).await.len(),
            0
        );
        assert_eq!(stage.taken().await.keys().collect::<Vec<_>>(), ["Sooner"]);
    }
}

#[tokio::test]
async fn row_that_says_nothing_is_parked_on_both_sides_and_keeps_nothing_back() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let insert = |number: &str, words: &str, metadata: &str| {
            format!(
                "insert into sms_messages (user_id, phone_number, message_content, status, metadata)
            values ('{ADA}', '{number}', {words}, 'queued', '{metadata}') returning id"
            )
        };
        let mut bad = Vec::new();
        for (number, words, metadata) in [
            ("not a number", "'x'", "{}"),
            ("+15551230001", "repeat('x', 1601)", "{}"),
            ("+15551230001", "'x'", r#"{"on_unknown": "guess"}"#),
        ] {
            let inserted = service.query_one(&insert(number, words, metadata), &[]).await.unwrap();
            bad.push(inserted.get::<_, uuid::Uuid>(0).to_string());
        }
        let good = queue(&service, "Good", "").await;
        done(&service, "insert into sms_templates (template_key, name, message_template) values ('open', 'Open', 'Hi {{ name')").await;
        let daemon = stage.daemon("one", &route.variables());
        until_row(&service, &good, |row| row["status"] == "delivered").await;
        for (id, why) in bad.iter().zip(["phone_number", "message_content", "metadata"]) {
            let row = until_row(&service, id, |row| row["status"] == "failed").await;
            assert!(row["status_reason"].as_str().unwrap().starts_with(why), "{row:#}");
        }
        until_answer(&service, "select count(*) from dunlin.parked where resolved_at is null", &json!(4))
            .await;
        let (code, told) = daemon.ask(&["sync", "pull"]).await;
        assert_eq!(code, 0, "{told}");

        // Mended, it goes; the template is heard as well.
        done(
            &service,
            &format!("update sms_messages set phone_number = '+15551230001' where id = '{}'", bad[0]),
        )
        .await;
        until_row(&service, &bad[0], |row| row["status"] == "delivered").await;
        done(&service, "update sms_templates set message_template = 'Hi {{ name }}', template_vars = '{\"name\": \"string\"}'").await;
        until_answer(&service, "select count(*) from dunlin.parked where resolved_at is null", &json!(2))
            .await;
        until("the template is not here", || async {
            let (code, told) = daemon.ask(&["templates", "show", "open", "--json"]).await;
            code == 0 && told.contains("Hi {{ name }}")
        })
        .await;
    }
}

#[tokio::test]
async fn text_that_began_here_and_what_people_said_here_are_told_there() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let daemon = stage.daemon("one", &route.variables());
        until("nothing was heard", || async {
            let (code, _) = daemon.ask(&["preferences", "show", ADA]).await;
            code == 0
        })
        .await;
        let (code, sent) = daemon.ask(&["send", "+15551230001", "Born here", "--user", ADA, "--json"]).await;
        assert_eq!(code, 0, "{sent}");
        let sent: serde_json::Value = serde_json::from_str(sent.trim()).unwrap();
        let row = until_row(&service, sent["id"].as_str().unwrap(), |row| row["status"] == "delivered").await;
        assert_eq!((&row["user_id"], &row["message_content"]), (&json!(ADA), &json!("Born here")));

        let (code, told) = daemon.ask(&["consent", "opt-out", "+15551230002"]).await;
        assert_eq!(code, 0, "{told}");
        let is_out = format!("select opted_out from user_sms_preferences where user_id = '{BOB}'");
        until_answer(&service, &is_out, &json!(true)).await;
        let (code, told) =
            daemon.ask(&["consent", "opt-in", "+15551230002", "--reason", "asked by mail"]).await;
        assert_eq!(code, 0, "{told}");
        until_answer(&service, &is_out, &json!(false)).await;
    }
}

#[tokio::test]
async fn number_that_is_proven_here_is_proven_there_until_people_name_another_one() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let daemon = stage.daemon("one", &route.variables());
        // Bob has a number that nobody has proven: nothing goes to it.
        let ask = |words: &str| format!("select queue_sms_message('{BOB}', '+15551230002', '{words}')");
        let refused = one(&service, &ask("Too early")).await;
        let row = until_row(&service, refused.as_str().unwrap(), |row| row["status"] == "cancelled").await;
        assert!(row["status_reason"].as_str().unwrap().contains("proven"), "{row:#}");

        let (code, told) = daemon.ask(&["verify-number", "+15551230002", "--user", BOB]).await;
        assert_eq!(code, 0, "{told}");
        until("no code is texted", || async { stage.taken().await.len() == 1 }).await;
        let (texted, _) = stage.taken().await.pop_first().unwrap();
        let mut numbers = texted.split(|letter: char| !letter.is_ascii_digit());
        let digits = numbers.find(|part| part.len() == 6).unwrap().to_owned();
        let check = ["verify-number", "+15551230002", "--user", BOB, "--code", &digits];
        let (code, told) = daemon.ask(&check).await;
        assert_eq!(code, 0, "{told}");
        let proven = format!("select phone_verified from user_sms_preferences where user_id = '{BOB}'");
        until_answer(&service, &proven, &json!(true)).await;
        let sent = one(&service, &ask("Now")).await;
        until_row(&service, sent.as_str().unwrap(), |row| row["status"] == "delivered").await;

        let bob = database.person(BOB).await;
        done(&bob, "update user_sms_preferences set phone_number = '+15551230009'").await;
        assert_eq!(one(&service, &proven).await, json!(false));
        let ask = format!("select queue_sms_message('{BOB}', '+15551230009', 'To the new one')");
        let refused = one(&service, &ask).await;
        until_row(&service, refused.as_str().unwrap(), |row| row["status"] == "cancelled").await;
        assert_eq!(
            one(&service, &proven).await,
            json!(false),
            "what was proven is told of the number that was"
        );
    }
}
