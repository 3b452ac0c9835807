//! A row of `sms_templates`, as a template.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_workflows::template::{
    CheckedContent, Content, Fault, LENGTH_DEFAULT, LENGTH_MAX, TemplateKey, Variable, VariableKind,
    VariableName,
};
use serde_json::{Map, Value};

use super::Unfit;
use crate::wire::TemplateRow;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// What it is called.
    pub key: TemplateKey,
    /// What it says.
    pub content: CheckedContent,
    /// Whether it may be used.
    pub is_active: bool,
}

/// What a row says. `template_vars` maps names to types, and `required_vars` lists those that must be given; words
/// may be as long as the whole text.
///
/// # Errors
/// [`Unfit`] names the column.
pub fn template(row: &TemplateRow) -> Result<Wording, Unfit> {
    let key: TemplateKey = row.template_key.parse().map_err(|error| Unfit::column("template_key", error))?;
    let length_max = match row.max_length {
        None => LENGTH_DEFAULT,
        Some(length) => {
            u16::try_from(length).ok().filter(|length| (1..=LENGTH_MAX).contains(length)).ok_or_else(
                || Unfit::column("max_length", format!("expected 1 to {LENGTH_MAX}, not {length}")),
            )?
        }
    };
    let content = Content {
        name: row.name.as_deref().unwrap_or(key.as_str()).into(),
        description: row.description.as_deref().filter(|text| !text.is_empty()).map(Arc::from),
        text: row.message_template.as_str().into(),
        locales: BTreeMap::new(),
        variables: variables(row, length_max)?,
        length_max,
        may_bypass: false,
    };
    let content = CheckedContent::new(content.clone())
        // Products list in required_vars what they remember; a value that is shown without being asked for is required.
        .or_else(|faults| CheckedContent::new(all_required(content)).map_err(|_the_same_or_worse| faults))
        .map_err(|faults| wrong(&faults))?;
    Ok(Wording { key, content, is_active: row.is_active.unwrap_or(true) })
}

fn all_required(mut content: Content) -> Content {
    for variable in content.variables.values_mut() {
        variable.is_required = true;
    }
    content
}

fn wrong(faults: &[Fault]) -> Unfit {
    let told: Vec<String> = faults.iter().map(|it| format!("{}: {}", it.pointer, it.why)).collect();
    Unfit { reason: "message_template", detail: told.join("; ") }
}

fn variables(row: &TemplateRow, length_max: u16) -> Result<BTreeMap<VariableName, Variable>, Unfit> {
    let empty = Map::new();
    let given = match &row.template_vars {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(given)) => given,
        Some(other) => {
            return Err(Unfit::column("template_vars", format!("expected an object, not {other}")));
        }
    };
    let required = match &row.required_vars {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(other) => return Err(Unfit::column("required_vars", format!("expected an array, not {other}"))),
    };
    let mut variables = BTreeMap::new();
    let names = given.keys().map(String::as_str).chain(required.iter().copied());
    for name in names {
        let parsed: VariableName = name.parse().map_err(|error| Unfit::column("template_vars", error))?;
        let word = match given.get(name) {
            Some(Value::String(word)) => word.as_str(),
            Some(other) => other.get("type").and_then(Value::as_str).unwrap_or("string"),
            None => "string",
        };
        let variable = match word {
            "string" | "text" => Variable::words(length_max),
            "number" => Variable::of(VariableKind::Number),
            "integer" => Variable::of(VariableKind::Integer),
            "boolean" => Variable::of(VariableKind::Boolean),
            other => {
                let why =
                    format!("{name} has the type \"{other}\"; expected string, number, integer or boolean");
                return Err(Unfit::column("template_vars", why));
            }
        };
        variables.insert(parsed, Variable { is_required: required.contains(&name), ..variable });
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(text: &str, vars: Value, required: Value) -> TemplateRow {
        TemplateRow {
            template_key: "task_reminder".to_owned(),
            name: Some("A task".to_owned()),
            description: None,
            message_template: text.to_owned(),
            template_vars: Some(vars),
            required_vars: Some(required),
            max_length: Some(160),
            is_active: None,
            created_at: None,
            updated_at: None,
        }
    }

    #[test]
    fn template_of_the_product_is_one_of_ours_or_says_why_not() {
        let vars = json!({"task_name": "string", "count": "number"});
        let said = template(&row("{{task_name}} ({{ count }})", vars.clone(), json!(["task_name"]))).unwrap();
        let required: Vec<bool> = said.content.get().variables.values().map(|it| it.is_required).collect();
        assert_eq!((said.key.as_str(), required, said.is_active), ("task_reminder", vec![true, true], true));
        for (text, vars, word) in [
            ("{{ other }}", vars.clone(), "other"),
            ("{{ task_name", vars.clone(), "/text"),
            ("x", json!({"when": "date"}), "date"),
            ("x", json!(["task_name"]), "expected an object"),
        ] {
            let unfit = template(&row(text, vars, json!([]))).unwrap_err();
            assert!(unfit.detail.contains(word), "{word}: {unfit}");
        }
    }
}
