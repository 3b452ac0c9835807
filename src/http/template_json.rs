//! Templates as JSON: what callers give, and what they get.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_workflows::template::{
    Content, LENGTH_DEFAULT, LENGTH_MAX, Locale, Measure, OnLong, Template, VARIABLE_KINDS, Variable,
    VariableKind, VariableName, check,
};
use serde_json::{Map, Value, json};

use crate::engine::script::given;
use crate::http::field_errors::FieldErrors;
use crate::http::{instant, problem::Problem, warning_json};
use crate::timeline::instance_fields::of_content;

const FIELDS: [&str; 7] =
    ["name", "description", "text", "locales", "variables", "max_length", "may_be_urgent"];
const VARIABLE_FIELDS: [&str; 5] = ["type", "required", "default", "max_length", "on_long"];

/// What a body says that a template shall say.
///
/// # Errors
/// Everything that is wrong, with its pointers.
pub(super) fn content(object: &Map<String, Value>) -> Result<Content, Problem> {
    let mut wrong = FieldErrors::under("");
    wrong.unknown(object, &FIELDS);
    let mut text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Arc::<str>::from(text.as_str())),
        Some(_) => {
            wrong.add(name, "invalid", "expected a string".to_owned());
            None
        }
    };
    let (name, description, source) = (text("name"), text("description"), text("text"));
    for (field, given) in [("name", &name), ("text", &source)] {
        if given.is_none() {
            wrong.add(field, "required", format!("{field} is required"));
        }
    }
    let locales = locales(object.get("locales"), &mut wrong);
    let variables = variables(object.get("variables"), &mut wrong);
    let length_max = length(object.get("max_length"), LENGTH_DEFAULT);
    if length_max.is_none() {
        wrong.add("max_length", "invalid", format!("expected a whole number from 1 to {LENGTH_MAX}"));
    }
    let may_bypass = truth(object.get("may_be_urgent"), false);
    if may_bypass.is_none() {
        wrong.add("may_be_urgent", "invalid", "expected true or false".to_owned());
    }
    wrong.none()?;
    Ok(Content {
        name: name.unwrap_or_default(),
        description,
        text: source.unwrap_or_default(),
        locales,
        variables,
        length_max: length_max.unwrap_or(LENGTH_DEFAULT),
        may_bypass: may_bypass.unwrap_or_default(),
    })
}

fn length(given: Option<&Value>, default: u16) -> Option<u16> {
    match given {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_u64().and_then(|length| u16::try_from(length).ok()),
    }
}

fn truth(given: Option<&Value>, default: bool) -> Option<bool> {
    match given {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_bool(),
    }
}

fn locales(given: Option<&Value>, wrong: &mut FieldErrors<'_>) -> BTreeMap<Locale, Arc<str>> {
    let mut locales = BTreeMap::new();
    match given {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, text) in given {
                match (name.parse::<Locale>(), text.as_str()) {
                    (Ok(locale), Some(text)) => {
                        locales.insert(locale, text.into());
                    }
                    (Err(error), _) => wrong.add_at(&["locales", name], "invalid", error.to_string()),
                    (Ok(_), None) => {
                        wrong.add_at(&["locales", name], "invalid", "expected a string".to_owned());
                    }
                }
            }
        }
        Some(_) => wrong.add("locales", "invalid", "expected an object of texts by locale".to_owned()),
    }
    locales
}

fn variables(given: Option<&Value>, wrong: &mut FieldErrors<'_>) -> BTreeMap<VariableName, Variable> {
    let mut variables = BTreeMap::new();
    match given {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, fields) in given {
                let read = (|| {
                    let parsed = name.parse::<VariableName>().map_err(|error| error.to_string())?;
                    Ok::<_, String>((parsed, variable(fields)?))
                })();
                match read {
                    Ok((name, variable)) => {
                        variables.insert(name, variable);
                    }
                    Err(why) => wrong.add_at(&["variables", name], "invalid", why),
                }
            }
        }
        Some(_) => wrong.add("variables", "invalid", "expected an object of variables by name".to_owned()),
    }
    variables
}

/// One variable: a word for its type, or an object.
fn variable(told: &Value) -> Result<Variable, String> {
    let empty = Map::new();
    let (word, fields) = match told {
        Value::String(word) => (Some(word.as_str()), &empty),
        Value::Object(fields) => (fields.get("type").and_then(Value::as_str), fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err("expected a type such as \"string\", or an object".to_owned());
        }
    };
    if let Some(unknown) = fields.keys().find(|field| !VARIABLE_FIELDS.contains(&field.as_str())) {
        let shown: String = unknown.chars().take(64).collect();
        return Err(format!("there is no field \"{shown}\"; known: {}", VARIABLE_FIELDS.join(", ")));
    }
    let kind = match (word, fields.get("type")) {
        (Some(word), _) => VARIABLE_KINDS.into_iter().find(|(_, known)| *known == word).map(|(kind, _)| kind),
        (None, None) => Some(VariableKind::String),
        (None, Some(_)) => None,
    };
    let types = VARIABLE_KINDS.map(|(_, word)| word).join(", ");
    let kind = kind.ok_or_else(|| format!("type: expected one of {types}"))?;
    let on_long = match fields.get("on_long").map(Value::as_str) {
        None => OnLong::Refuse,
        Some(Some("refuse")) => OnLong::Refuse,
        Some(Some("shorten")) => OnLong::Shorten,
        Some(_) => return Err("on_long: expected refuse or shorten".to_owned()),
    };
    let length_max = length(fields.get("max_length"), Variable::LENGTH_DEFAULT);
    let length_max = length_max.ok_or_else(|| format!("max_length: expected 1 to {LENGTH_MAX}"))?;
    let default = fields.get("default").filter(|value| !value.is_null());
    let is_required = truth(fields.get("required"), default.is_none());
    let is_required = is_required.ok_or_else(|| "required: expected true or false".to_owned())?;
    let mut variable = Variable { kind, is_required, default: None, length_max, on_long };
    if let Some(default) = default {
        let read = given(default).ok_or_else(|| "default: expected a value".to_owned())?;
        variable.default = Some(variable.read(read).map_err(|error| format!("default: {error}"))?);
    }
    Ok(variable)
}

/// What is known of a template.
pub(super) fn told(template: &Template) -> Value {
    let status = match (&template.published, template.is_active) {
        (_, false) => "inactive",
        (None, true) => "draft",
        (Some(_), true) => "published",
    };
    json!({
        "key": template.key.as_str(),
        "status": status,
        "revision": template.revision,
        "version": template.published.as_ref().map(|published| published.version),
        "newest_version": template.newest(),
        "published": template.published.as_ref().map(|published| said(&published.content)),
        "draft": template.draft.as_ref().map(said),
        "created_at": instant::format(template.created_at),
        "updated_at": instant::format(template.changed_at),
    })
}

/// What a version says, and how long its texts can get.
pub(super) fn said(content: &Content) -> Value {
    let mut fields = of_content(content);
    let measures = check(content).unwrap_or_default();
    fields.insert("worst_case".to_owned(), measures.iter().map(measured).collect());
    fields.insert("warnings".to_owned(), warning_json::of_content(content));
    Value::Object(fields)
}

fn measured(measure: &Measure) -> Value {
    json!({
        "locale": measure.locale.as_ref().map(Locale::as_str),
        "length": measure.length,
        "segments": measure.segments,
        "segments_unicode": measure.segments_unicode,
        "may_exceed_max_length": measure.may_exceed,
    })
}
