//! Wishes as callers of the API write them, one or a batch.

use dunlin::http::batch::rows;
use dunlin::http::problem::Problem;
use dunlin::http::wish::{Reading, read};
use dunlin::http::wording::Shelf;
use dunlin_workflows::id::MessageId;
use dunlin_workflows::kind::{KindName, Kinds};
use dunlin_workflows::message::{Addressee, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::template::{Template, TemplateKey};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::Zone;
use serde_json::{Map, Value};

/// Fields that a wish may have.
const FIELDS: [&str; 13] = [
    "id",
    "to",
    "body",
    "kind",
    "priority",
    "scheduled_for",
    "expires_at",
    "on_unknown",
    "user_id",
    "metadata",
    "template",
    "vars",
    "locale",
];

/// Nobody wrote a template.
#[derive(Debug)]
struct Empty;

impl Shelf for Empty {
    fn template(&self, _key: &TemplateKey) -> Result<Option<(u64, Template)>, Problem> {
        Ok(None)
    }

    fn zone(&self, _user: Option<&UserId>) -> Result<Option<Zone>, Problem> {
        Ok(None)
    }
}

/// The wall clock of whoever reads.
const NOW: Timestamp = Timestamp::from_millis(1_795_435_200_000);

/// A wish that is taken says what stands there, and one that is not is told every field that is wrong.
pub fn wish(input: &[u8]) {
    judge(input, read);
    match rows(input) {
        Ok(rows) => {
            assert!((1..=1000).contains(&rows.len()), "{} rows", rows.len());
            for row in rows {
                judge(row.get().as_bytes(), read);
            }
        }
        Err(problem) => explained(&problem, ""),
    }
}

/// Judges a reader of wishes by one body.
pub fn judge(json: &[u8], read: impl Fn(&[u8], Reading<'_>, &str) -> Result<Request<Addressee>, Problem>) {
    let kinds = Kinds::default();
    let fresh = MessageId::from_bytes([7; 16]);
    let region = "US".parse().ok();
    let reading = Reading { fresh, region, kinds: &kinds, now: NOW, shelf: &Empty, may_mark_urgent: false };
    let request = match read(json, reading, "/messages/0") {
        Ok(request) => request,
        Err(problem) => return explained(&problem, "/messages/0"),
    };
    let Ok(there) = serde_json::from_slice::<Map<String, Value>>(json) else {
        // Notes are kept as they come, also where numbers or nesting go beyond what is read here.
        return assert!(request.metadata.is_some(), "a wish was read from no object");
    };
    let text = |name: &str| there.get(name).and_then(Value::as_str);
    assert!(there.keys().all(|name| FIELDS.contains(&name.as_str())), "a field was ignored");
    assert_eq!(Some(request.body.as_str()), text("body"));
    let to = match text("to") {
        Some(to) => Addressee::Number(PhoneNumber::parse(to, reading.region).expect("a number")),
        None => Addressee::User(text("user_id").and_then(|user| user.parse().ok()).expect("a recipient")),
    };
    assert_eq!(to, request.to);
    assert_eq!(request.id, text("id").map_or(reading.fresh, |id| id.parse().expect("an id")));
    assert_eq!(request.kind.as_ref().map(KindName::as_str), text("kind"));
    let kind = kinds.get(request.kind.as_ref()).expect("a kind that is known");
    assert_eq!(request.priority.as_str(), text("priority").unwrap_or(kind.priority.as_str()));
    assert_eq!(request.on_unknown.as_str(), text("on_unknown").unwrap_or("hold"));
    assert_eq!(request.user_id.as_ref().map(UserId::as_str), text("user_id"));
    assert_eq!(request.scheduled_for.is_some(), text("scheduled_for").is_some());
    assert_eq!(request.expires_at.is_some(), text("expires_at").is_some() || kind.expires_after.is_some());
    let kept =
        request.metadata.as_ref().map(|notes| serde_json::from_str::<Value>(notes.as_str()).expect("JSON"));
    assert_eq!(kept.as_ref(), there.get("metadata").filter(|notes| !notes.is_null()));
    let written = serde_json::to_vec(&there).expect("JSON");
    let again = read(&written, reading, "").expect("it was taken before");
    assert_eq!(Request { metadata: None, ..again }, Request { metadata: None, ..request });
}

/// A problem has a code that callers may test, and names fields only under where it looked.
fn explained(problem: &Problem, prefix: &str) {
    let told = problem.to_json();
    let code = told.get("code").and_then(Value::as_str).unwrap_or_default();
    let errors = told.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    assert!(matches!(code, "invalid_json" | "invalid_request"), "{told}");
    assert_eq!(code == "invalid_request", !errors.is_empty(), "{told}");
    let mut pointers: Vec<&str> =
        errors.iter().filter_map(|error| error.get("pointer").and_then(Value::as_str)).collect();
    assert!(pointers.iter().all(|pointer| pointer.starts_with(&format!("{prefix}/"))), "{told}");
    pointers.sort_unstable();
    pointers.dedup();
    assert_eq!(pointers.len(), errors.len(), "a field is told twice: {told}");
}
