//! `GET /metrics`: what the daemon does, in the text format of Prometheus.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/> (read 2026-11-29).

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use dunlin_storage::LaneNumber;

use crate::http::problem::Problem;
use crate::http::{App, sync};

/// What the answer is.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`.
pub(super) async fn show(Extract(app): Extract<Arc<App>>) -> Result<Response, Problem> {
    let on_duty = app.on_duty()?;
    let turned = on_duty.engine.progress().read();
    let mut page = Page::default();
    page.family("dunlin_messages", "gauge", "Messages in the store by state, archived ones left out.");
    for (state, total) in on_duty.store.reader()?.totals()? {
        page.value("dunlin_messages", &format!("{{state=\"{}\"}}", state.as_str()), total);
    }
    page.single("dunlin_journal_records", "counter", "Newest position in the journal.", turned.last_seq);
    page.single("dunlin_commits_total", "counter", "Commits since the start.", turned.commits);
    page.single("dunlin_in_flight", "gauge", "Requests on the wire to the provider.", turned.in_flight);
    page.single("dunlin_due", "gauge", "Due messages without a slot.", turned.waiting);
    let oldest = seconds(turned.oldest_wait_ms);
    page.single("dunlin_oldest_due_seconds", "gauge", "How long the next of them has waited.", oldest);
    page.single("dunlin_unknown", "gauge", "Attempts whose outcome is being looked up.", turned.unknown);
    page.single(
        "dunlin_queue_bytes",
        "gauge",
        "Bytes of requests in front of the writer.",
        turned.queue_bytes,
    );
    page.family("dunlin_failures_repeating", "gauge", "Whether failures repeat, by reason: an alarm.");
    for alarm in on_duty.store.reader()?.lane(LaneNumber::FIRST)?.alarms {
        let labels = format!("{{code=\"{}\",class=\"{}\"}}", alarm.reason(), alarm.failure.class);
        page.value("dunlin_failures_repeating", &labels, 1);
    }
    supabase(&app, turned.last_seq, &mut page);
    events(&app, turned.last_seq, &mut page);
    Ok(([(CONTENT_TYPE, FORMAT)], page.0).into_response())
}

/// How far the project and we are apart.
fn supabase(app: &App, last_seq: u64, page: &mut Page) {
    let Some(supabase) = &app.edge.supabase else { return };
    let told = supabase.standing().told();
    if let Some(age) = sync::age(app, &told) {
        let name = "dunlin_supabase_last_contact_age_seconds";
        page.single(name, "gauge", "Since the project last answered.", age);
    }
    let behind = last_seq.saturating_sub(told.pushed_to.get());
    page.single(
        "dunlin_supabase_records_behind",
        "gauge",
        "Records that the project was not told of.",
        behind,
    );
    page.family(
        "dunlin_supabase_failing",
        "gauge",
        "Whether the newest round of a direction came to nothing.",
    );
    for (direction, error) in [("pull", &told.pull_error), ("push", &told.push_error)] {
        let failing = u8::from(error.is_some());
        page.value("dunlin_supabase_failing", &format!("{{direction=\"{direction}\"}}"), failing);
    }
    for (name, help, total) in [
        ("dunlin_supabase_texts_taken_total", "Texts that became this daemon's.", told.taken),
        ("dunlin_supabase_texts_lost_total", "Texts that another daemon got meanwhile.", told.lost),
        ("dunlin_supabase_changes_total", "Changes that were heard.", told.changes),
        ("dunlin_supabase_rows_parked_total", "Rows that could not be understood.", told.parked),
        ("dunlin_supabase_rows_pushed_total", "Rows that were told and changed something.", told.pushed),
        ("dunlin_supabase_rows_refused_total", "Rows that the project refused.", told.rejected),
    ] {
        page.single(name, "counter", help, total);
    }
    page.single("dunlin_supabase_texts_waiting", "gauge", "Texts that wait there for anybody.", told.waiting);
}

/// How far the product's own server is told.
fn events(app: &App, last_seq: u64, page: &mut Page) {
    let Some(events) = &app.edge.events else { return };
    let told = events.standing().told();
    let behind = last_seq.saturating_sub(told.told_to.get());
    page.single("dunlin_events_records_behind", "gauge", "Records that were not told yet.", behind);
    let failing = u8::from(told.error.is_some());
    page.single("dunlin_events_failing", "gauge", "Whether an event was refused and waits.", failing);
    page.single("dunlin_events_taken_total", "counter", "Events that were taken.", told.taken);
    page.single("dunlin_events_refused_total", "counter", "Requests that were not taken.", told.refused);
}

/// The answer, as far as it is written.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.value(name, "", value);
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.push_str(&line.to_string());
        self.0.push('\n');
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}
