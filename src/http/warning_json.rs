//! Advice about what a text says, as JSON.

use dunlin_workflows::filtering::{Warning, warnings};
use dunlin_workflows::template::{Content, Locale, literal};
use serde_json::{Value, json};

/// What in a text may get it filtered by a carrier. Nothing is refused for it.
pub(super) fn of_text(text: &str) -> Value {
    warnings(text).iter().map(|warning| told(warning, None)).collect()
}

/// The same of what a template says whatever it is filled with, in each of its languages.
pub(super) fn of_content(content: &Content) -> Value {
    let texts = content.texts().map(|(locale, source)| (locale, warnings(&literal(source))));
    texts
        .flat_map(|(locale, found)| found.iter().map(|warning| told(warning, locale)).collect::<Vec<_>>())
        .collect()
}

fn told(warning: &Warning, locale: Option<&Locale>) -> Value {
    let mut told = json!({
        "code": warning.risk.as_str(),
        "found": warning.found,
        "advice": warning.risk.advice(),
        "source": warning.source,
    });
    if let (Some(locale), Some(fields)) = (locale, told.as_object_mut()) {
        fields.insert("locale".to_owned(), json!(locale.as_str()));
    }
    told
}
