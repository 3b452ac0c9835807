//! What a recurrence says: a text, or values for a template that is filled when it comes.

use dunlin_workflows::body::Body;
use dunlin_workflows::template::{self, Given, Locale, Template};
use dunlin_workflows::zone::Zone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a recurrence says.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// The same text every time.
    Text(Body),
    /// Values for the template that its plan names.
    Values(Values),
}

/// Values for a template, as callers give them: what fits is decided by the version that is used when they are needed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Values {
    /// By the names of its variables.
    #[serde(default)]
    pub vars: Map<String, Value>,
    /// The language that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl Script {
    /// As it is kept, sealed.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(body) => body.as_str().as_bytes().to_vec(),
            // A map with text keys is always JSON.
            Self::Values(values) => serde_json::to_vec(values).unwrap_or_default(),
        }
    }

    /// What was kept; `None` when it can't be read.
    pub fn read(bytes: &[u8], is_filled: bool) -> Option<Self> {
        if is_filled {
            return serde_json::from_slice(bytes).ok().map(Self::Values);
        }
        let text = std::str::from_utf8(bytes).ok()?;
        Body::parse(text).ok().map(Self::Text)
    }
}

impl Values {
    /// The template with these values, for somebody in this zone; or why there is none.
    pub(super) fn fill(&self, template: &Template, zone: Option<Zone>) -> Result<Filled, String> {
        let used = template.usable().ok_or_else(|| "the template is not in use".to_owned())?;
        let given = self.vars.iter().filter_map(|(name, value)| Some((name.as_str(), given(value)?)));
        let values = template::values(&used.content, given).map_err(|wrong| {
            let told: Vec<String> = wrong.iter().map(|it| format!("{}: {}", it.name, it.error)).collect();
            told.join("; ")
        })?;
        let locale = self.locale.as_deref().and_then(|locale| locale.parse::<Locale>().ok());
        let rendered = template::render(&used.content, locale.as_ref(), &values, zone);
        let body = rendered.map_err(|error| error.to_string())?.body;
        Ok(Filled { body, version: used.version, may_bypass: used.content.may_bypass })
    }
}

/// A template that was filled.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) body: Body,
    pub(super) version: u32,
    /// Whether an urgent one may pass quiet hours.
    pub(super) may_bypass: bool,
}

/// A value of a variable as JSON says it; `None` when it is null, an array or an object.
pub fn given(value: &Value) -> Option<Given<'_>> {
    match value {
        Value::String(text) => Some(Given::String(text)),
        Value::Bool(value) => Some(Given::Boolean(*value)),
        Value::Number(number) => {
            number.as_i64().map(Given::Integer).or_else(|| number.as_f64().map(Given::Number))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
