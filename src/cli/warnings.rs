//! Advice about what a text says, one sentence each.

use serde_json::Value;

/// What an answer of the daemon warns of.
pub(super) fn of(told: &Value) -> impl Iterator<Item = String> {
    let all = told.get("warnings").and_then(Value::as_array).into_iter().flatten();
    all.map(|warning| {
        let text = |name: &str| warning.get(name).and_then(Value::as_str).unwrap_or_default();
        format!("carriers may filter it for {:?}: {} ({})", text("found"), text("advice"), text("source"))
    })
}
