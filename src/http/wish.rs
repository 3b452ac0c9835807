//! A wish as callers write it: parsed once, and everything that is wrong with it told at once.

use std::borrow::Cow;

use dunlin_workflows::id::MessageId;
use dunlin_workflows::kind::{KindName, KindNameError, Kinds};
use dunlin_workflows::message::{Addressee, Metadata, Priority, Request, UserId};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::http::field_errors::{FieldErrors, object};
use crate::http::instant;
use crate::http::problem::{Code, Problem};
use crate::http::wording::{Asked, Shelf};

/// Fields that a wish may have.
const FIELDS: [&str; 13] = [
    "id",
    "to",
    "body",
    "template",
    "vars",
    "locale",
    "kind",
    "priority",
    "scheduled_for",
    "expires_at",
    "on_unknown",
    "user_id",
    "metadata",
];

/// What a wish is read with.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Name of the message, should the wish give none.
    pub fresh: MessageId,
    /// Where numbers without a country code belong.
    pub region: Option<Region>,
    /// What holds for each kind.
    pub kinds: &'a Kinds,
    /// The wall clock.
    pub now: Timestamp,
    /// Where templates are.
    pub shelf: &'a dyn Shelf,
    /// Whether whoever asks may let an urgent text pass quiet hours.
    pub may_mark_urgent: bool,
}

/// The fields of a wish, still as text. Strings are borrowed from the body where they hold no escapes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    body: Option<Text<'a>>,
    #[serde(borrow)]
    template: Option<Text<'a>>,
    #[serde(borrow)]
    vars: Option<&'a RawValue>,
    #[serde(borrow)]
    locale: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    priority: Option<Text<'a>>,
    #[serde(borrow)]
    scheduled_for: Option<Text<'a>>,
    #[serde(borrow)]
    expires_at: Option<Text<'a>>,
    #[serde(borrow)]
    on_unknown: Option<Text<'a>>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn as_str(&self) -> &str {
        &self.0
    }
}

/// The kind with this name, which must be one.
pub(super) fn known_kind(kinds: &Kinds, name: &str) -> Result<KindName, String> {
    let kind: KindName = name.parse().map_err(|error: KindNameError| error.to_string())?;
    if kinds.get(Some(&kind)).is_some() {
        return Ok(kind);
    }
    let known: Vec<&str> = kinds.iter().map(|(name, _)| name.as_str()).collect();
    Err(format!("there is no such kind; known: {}", known.join(", ")))
}

/// Reads one wish.
///
/// # Errors
/// A [`Problem`] that names every field that is wrong, with its JSON pointer under `prefix`.
pub fn read(json: &[u8], reading: Reading<'_>, prefix: &str) -> Result<Request<Addressee>, Problem> {
    let mut wrong = FieldErrors::under(prefix);
    // An array of ten would do for serde, but is no object.
    let is_object = json.trim_ascii_start().starts_with(b"{");
    let request = match serde_json::from_slice::<Fields<'_>>(json) {
        Ok(fields) if is_object => build(&fields, reading, &mut wrong)?,
        Ok(_) | Err(_) => salvage(json, reading, &mut wrong)?,
    };
    wrong.none()?;
    request.ok_or_else(|| Problem::new(Code::InvalidJson, "the body names a field twice"))
}

/// The request; `None` when a field is wrong.
fn build(
    fields: &Fields<'_>,
    reading: Reading<'_>,
    wrong: &mut FieldErrors<'_>,
) -> Result<Option<Request<Addressee>>, Problem> {
    let id = wrong.parse("id", fields.id.as_ref().map(Text::as_str), str::parse::<MessageId>);
    let user_id: Option<UserId> =
        wrong.parse("user_id", fields.user_id.as_ref().map(Text::as_str), str::parse);
    if fields.to.is_none() && fields.user_id.is_none() {
        wrong.add("to", "required", "say who gets it: to, or user_id for the user's own number".to_owned());
    }
    let to = fields.to.as_ref().map(Text::as_str);
    let to = match wrong.parse("to", to, |to| PhoneNumber::parse(to, reading.region)) {
        Some(number) => Some(Addressee::Number(number)),
        None => user_id.clone().map(Addressee::User),
    };
    let priority = wrong.parse("priority", fields.priority.as_ref().map(Text::as_str), str::parse);
    let scheduled_for =
        wrong.parse("scheduled_for", fields.scheduled_for.as_ref().map(Text::as_str), instant::read);
    let expires_at = wrong.parse("expires_at", fields.expires_at.as_ref().map(Text::as_str), instant::read);
    let on_unknown = wrong.parse("on_unknown", fields.on_unknown.as_ref().map(Text::as_str), str::parse);
    let kind =
        wrong.parse("kind", fields.kind.as_ref().map(Text::as_str), |name| known_kind(reading.kinds, name));
    let metadata = fields.metadata.map(RawValue::get);
    if metadata.is_some_and(|json| !json.starts_with('{')) {
        wrong.add("metadata", "invalid", "expected an object".to_owned());
    }
    let metadata = wrong.parse("metadata", metadata, Metadata::new);
    let told = reading.kinds.get(kind.as_ref());
    let asked = Asked {
        body: fields.body.as_ref().map(Text::as_str),
        template: fields.template.as_ref().map(Text::as_str),
        vars: fields.vars.map(RawValue::get),
        locale: fields.locale.as_ref().map(Text::as_str),
        kind: told.filter(|_| kind.is_some()),
        user_id: user_id.as_ref(),
    };
    let wording = asked.wording(reading.shelf, wrong)?;
    let priority = priority.or(told.map(|kind| kind.priority)).unwrap_or_default();
    // What a kind says of time holds from the time that the text is for.
    let stale = told.and_then(|kind| kind.expires_after);
    let stale = stale.map(|after| scheduled_for.unwrap_or(reading.now).max(reading.now).plus(after));
    let (Some(to), Some(wording)) = (to, wording) else { return Ok(None) };
    let may_bypass = priority == Priority::Urgent && (wording.may_bypass || reading.may_mark_urgent);
    Ok(Some(Request {
        id: id.unwrap_or(reading.fresh),
        to,
        body: wording.body,
        priority,
        scheduled_for,
        expires_at: expires_at.or(stale),
        on_unknown: on_unknown.unwrap_or_default(),
        user_id,
        metadata,
        retry_of: None,
        kind,
        template: wording.template,
        may_bypass,
        is_claimed: false,
    }))
}

/// Reads what does not have the shape of a wish, the slow way: notes unknown fields and fields of the
/// wrong kind, then reads the others. There is never a request.
fn salvage(
    json: &[u8],
    reading: Reading<'_>,
    wrong: &mut FieldErrors<'_>,
) -> Result<Option<Request<Addressee>>, Problem> {
    let mut object = object(json)?;
    wrong.unknown(&object, &FIELDS);
    let metadata = object.remove("metadata").and_then(|metadata| to_raw_value(&metadata).ok());
    let vars = object.remove("vars").and_then(|vars| to_raw_value(&vars).ok());
    let mut fields = Fields::default();
    for (name, value) in &object {
        let field = match name.as_str() {
            "id" => &mut fields.id,
            "to" => &mut fields.to,
            "body" => &mut fields.body,
            "template" => &mut fields.template,
            "locale" => &mut fields.locale,
            "kind" => &mut fields.kind,
            "priority" => &mut fields.priority,
            "scheduled_for" => &mut fields.scheduled_for,
            "expires_at" => &mut fields.expires_at,
            "on_unknown" => &mut fields.on_unknown,
            "user_id" => &mut fields.user_id,
            _unknown => continue,
        };
        match value {
            Value::Null => {}
            Value::String(text) => *field = Some(Text(Cow::Borrowed(text))),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                wrong.add(name, "invalid", "expected a string".to_owned());
            }
        }
    }
    fields.metadata = metadata.as_deref().filter(|metadata| metadata.get() != "null");
    fields.vars = vars.as_deref().filter(|vars| vars.get() != "null");
    build(&fields, reading, wrong)?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use dunlin_workflows::template::{BUILT_IN, Published, Template, TemplateKey};
    use dunlin_workflows::zone::Zone;

    use super::*;

    /// The built-in templates, as a store holds them.
    #[derive(Debug)]
    struct BuiltIns;

    impl Shelf for BuiltIns {
        fn template(&self, key: &TemplateKey) -> Result<Option<(u64, Template)>, Problem> {
            let found = BUILT_IN.iter().zip(1..).find(|(built_in, _)| built_in.key == key.as_str());
            Ok(found.map(|(built_in, number)| {
                let at = Timestamp::from_millis(0);
                let published = Published { version: 1, content: built_in.content() };
                let template = Template {
                    key: key.clone(),
                    draft: None,
                    published: Some(published),
                    versions: vec![1],
                    is_active: key.as_str() != "welcome_sms",
                    revision: 2,
                    created_at: at,
                    changed_at: at,
                };
                (number, template)
            }))
        }

        fn zone(&self, _user: Option<&UserId>) -> Result<Option<Zone>, Problem> {
            Ok(None)
        }
    }

    fn check(json: &str) -> Result<Request<Addressee>, Value> {
        let kinds = Kinds::default();
        let now = Timestamp::from_millis(1_795_435_200_000);
        let fresh = MessageId::from_bytes([1; 16]);
        let may_mark_urgent = false;
        let reading = Reading { fresh, region: None, kinds: &kinds, now, shelf: &BuiltIns, may_mark_urgent };
        read(json.as_bytes(), reading, "").map_err(|problem| problem.to_json())
    }

    #[test]
    fn a_wish_reads_with_defaults() {
        let request = check(r#"{"to":"+4512345678","body":"hi \"there\"","user_id":null}"#).unwrap();
        assert_eq!(request.body.as_str(), "hi \"there\"");
        assert_eq!((request.id, request.user_id), (MessageId::from_bytes([1; 16]), None));
    }

    #[test]
    fn who_names_no_number_means_that_of_the_user() {
        let to = |json: &str| check(json).unwrap().to;
        assert_eq!(to(r#"{"user_id":"ada","body":"hi"}"#), Addressee::User("ada".parse().unwrap()));
        let number = PhoneNumber::parse("+4512345678", None).unwrap();
        assert_eq!(to(r#"{"to":"+4512345678","user_id":"ada","body":"hi"}"#), Addressee::Number(number));
        assert_eq!(wrong(r#"{"to":"12","user_id":"ada","body":"hi"}"#), named(&[("/to", "invalid")]));
        assert_eq!(wrong(r#"{"user_id":"","body":"hi"}"#), named(&[("/user_id", "invalid")]));
        assert_eq!(wrong(r#"{"body":"hi"}"#), named(&[("/to", "required")]));
    }

    #[test]
    fn kind_says_priority_and_deadline_that_a_wish_leaves_out() {
        let request = check(r#"{"to":"+4512345678","body":"hi","kind":"urgent_alert"}"#).unwrap();
        assert_eq!(request.priority, Priority::Urgent);
        let day = std::time::Duration::from_hours(24);
        assert_eq!(request.expires_at, Some(Timestamp::from_millis(1_795_435_200_000).plus(day)));
        let own = r#"{"to":"+4512345678","body":"hi","kind":"task_reminder","priority":"high"}"#;
        assert_eq!(check(own).unwrap().priority, Priority::High);
        let unknown = check(r#"{"to":"+4512345678","body":"hi","kind":"sale"}"#).unwrap_err();
        assert!(unknown["errors"][0]["detail"].as_str().unwrap().contains("task_reminder"), "{unknown}");
    }

    #[test]
    fn template_of_a_wish_or_of_its_kind_is_rendered_and_pinned() {
        let vars = r#""vars":{"task_name":"Report","due_time":"at 5","task_context":null}"#;
        let named = check(&format!(r#"{{"to":"+4512345678","template":"task_reminder",{vars}}}"#)).unwrap();
        let by_kind = check(&format!(r#"{{"to":"+4512345678","kind":"task_reminder",{vars}}}"#)).unwrap();
        for request in [named, by_kind] {
            assert_eq!(request.body.as_str(), "Reminder: Report is due at 5.");
            assert_eq!(request.template.map(|template| template.version), Some(1));
        }
        let own = check(r#"{"to":"+4512345678","kind":"task_reminder","body":"Mine"}"#).unwrap();
        assert_eq!((own.body.as_str(), own.template), ("Mine", None));
    }

    #[test]
    fn urgent_passes_quiet_hours_only_where_template_or_key_may_say_so() {
        let urgent = |key: &str| {
            let vars = r#"{"task_name":"x","due_date":"now","due_time":"now"}"#.replace(
                if key == "urgent_task" { r#","due_time":"now""# } else { r#","due_date":"now""# },
                "",
            );
            let json =
                format!(r#"{{"to":"+4512345678","template":"{key}","priority":"urgent","vars":{vars}}}"#);
            check(&json).unwrap().may_bypass
        };
        assert!(urgent("urgent_task"));
        assert!(!urgent("task_reminder"));
        let calm =
            r#"{"to":"+4512345678","template":"urgent_task","vars":{"task_name":"x","due_date":"now"}}"#;
        assert!(!check(calm).unwrap().may_bypass, "nothing urgent, nothing to pass");
    }

    #[test]
    fn what_a_template_lacks_is_said_before_anything_is_accepted() {
        assert_eq!(
            wrong(
                r#"{"to":"+4512345678","template":"task_reminder","vars":{"task_name":[],"colour":"red"}}"#
            ),
            named(&[
                ("/vars/task_name", "invalid"),
                ("/vars/colour", "unknown"),
                ("/vars/due_time", "template_variable_missing"),
            ])
        );
        assert_eq!(
            wrong(r#"{"to":"+4512345678","template":"nothing"}"#),
            named(&[("/template", "template_not_found")])
        );
        assert_eq!(
            wrong(r#"{"to":"+4512345678","template":"welcome_sms"}"#),
            named(&[("/template", "template_inactive")])
        );
        assert_eq!(
            wrong(r#"{"to":"+4512345678","template":"task_reminder","body":"x"}"#),
            named(&[("/template", "invalid")])
        );
        assert_eq!(wrong(r#"{"to":"+4512345678","body":"x","vars":{}}"#), named(&[("/vars", "invalid")]));
    }

    /// The pointers and codes of everything that is wrong.
    fn wrong(json: &str) -> Vec<(String, String)> {
        let problem = check(json).unwrap_err();
        assert_eq!(problem["code"], "invalid_request", "{problem}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
    }

    fn named(errors: &[(&str, &str)]) -> Vec<(String, String)> {
        errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let values = r#"{"to":"12","priority":"asap","scheduled_for":"tomorrow","metadata":[1]}"#;
        assert_eq!(
            wrong(values),
            named(&[
                ("/to", "invalid"),
                ("/priority", "invalid"),
                ("/scheduled_for", "invalid"),
                ("/metadata", "invalid"),
                ("/body", "required"),
            ])
        );
        let shapes = r#"{"to":5,"priority":"asap","colour":"red","metadata":7,"id":null}"#;
        assert_eq!(
            wrong(shapes),
            named(&[
                ("/colour", "unknown"),
                ("/to", "invalid"),
                ("/priority", "invalid"),
                ("/metadata", "invalid"),
                ("/body", "required"),
            ])
        );
    }

    #[test]
    fn unknown_field_names_its_pointer() {
        let json = r#"{"to":"+4512345678","body":"x","send_at/x~y":"now"}"#;
        assert_eq!(wrong(json), named(&[("/send_at~1x~0y", "unknown")]));
    }

    #[test]
    fn what_is_not_one_object_is_not_read() {
        let array = r#"[null,"+4512345678","x",null,null,null,null,null,null,null,null,null,null]"#;
        let twice = r#"{"to":"+4512345678","to":"+4512345679","body":"x"}"#;
        let half_a_pair = r#"{"to":"\ud800"}"#;
        for json in ["", "{", "[]", "null", "{}{}", half_a_pair, array, twice] {
            assert_eq!(check(json).unwrap_err()["code"], "invalid_json", "{json}");
        }
    }
}
