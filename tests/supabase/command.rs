//! `dunlin migrate` as people use it.

use std::process::Command;

use dunlin_sync::migration::MIGRATIONS;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{Database, done, one};

/// Runs the program against a database: exit code, and everything that it wrote.
fn migrate(database: &Database, arguments: &[&str]) -> (i32, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .arg("migrate")
        .args(arguments)
        .env_clear()
        .env("SUPABASE_DB_URL", database.url())
        .output()
        .unwrap();
    let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("s3cret"), "the password is shown: {text}");
    (ended.status.code().unwrap_or(-1), text)
}

#[tokio::test]
async fn plan_changes_nothing_and_apply_does_what_it_says_once() {
    let cluster = Cluster::start().await;
    let database = cluster.project(include_str!("sql/seed_shape.sql")).await;
    let owner = database.owner().await;
    let (code, plan) = migrate(&database, &["plan"]);
    assert_eq!(code, 0, "{plan}");
    for told in [
        "20261129020100_dunlin_words  pending",
        "type sms_status gets sending, undelivered, scheduled, cancelled",
        "sms_messages is adopted; it gets template_vars, scheduled_for",
        "user_sms_preferences gets row level security",
        "sms_metrics is made",
    ] {
        assert!(plan.contains(told), "{told:?} is not in:\n{plan}");
    }
    assert_eq!(one(&owner, "select to_regnamespace('dunlin') is null").await, json!(true));
    assert_eq!(migrate(&database, &["status"]).0, 1);

    let (code, applied) = migrate(&database, &["apply"]);
    assert_eq!((code, applied.matches("applied  2026").count()), (0, MIGRATIONS.len()), "{applied}");
    assert_eq!(migrate(&database, &["status"]).0, 0);
    let (code, again) = migrate(&database, &["apply"]);
    assert_eq!((code, again.matches("applied  2026").count()), (0, 0), "{again}");

    done(&owner, "update dunlin.migrations set checksum = 'other' where name = 'dunlin_push'").await;
    let (code, drifted) = migrate(&database, &["apply"]);
    assert_eq!(code, 4);
    assert!(drifted.contains("20261129020700_dunlin_push was applied in another form"), "{drifted}");
}

#[tokio::test]
async fn what_the_supabase_cli_applied_is_not_applied_again() {
    let cluster = Cluster::start().await;
    let database = cluster.project("create schema supabase_migrations").await;
    let owner = database.owner().await;
    // As the CLI writes it down. Source: https://github.com/supabase/cli, pkg/migration/history.go (read 2026-11-29).
    owner
        .batch_execute(
            "create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
            insert into supabase_migrations.schema_migrations (version, name)
            values ('20261129020100', 'dunlin_words'), ('20250101000000', 'theirs')",
        )
        .await
        .unwrap();
    let (_, status) = migrate(&database, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["migrations"][0]["standing"], "applied by the Supabase CLI");
    assert_eq!(status["migrations"][1]["standing"], "pending");
    assert_eq!(status["unknown"], json!([]));
}

#[test]
fn address_that_is_missing_or_wrong_is_named_without_its_password() {
    let run = |url: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.args(["migrate", "plan"]).env_clear().envs(url.map(|url| ("SUPABASE_DB_URL", url)));
        let ended = command.output().unwrap();
        (ended.status.code().unwrap_or(-1), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, told) = run(None);
    assert!(code == 78 && told.contains("SUPABASE_DB_URL is not set"), "{code}: {told}");
    let (code, told) = run(Some("mysql://u:s3cret@h/d"));
    assert!(code == 78 && !told.contains("s3cret"), "{code}: {told}");
    let (code, told) = run(Some("postgresql://u:s3cret@127.0.0.1:1/d"));
    assert!(
        code == 69 && told.contains("postgresql://u@127.0.0.1:1/d") && !told.contains("s3cret"),
        "{code}: {told}"
    );
}
