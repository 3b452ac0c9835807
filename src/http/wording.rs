//! What a text says: its own body, or a template with its values.

use std::fmt;

use dunlin_workflows::body::Body;
use dunlin_workflows::kind::Kind;
use dunlin_workflows::message::{TemplateVersion, UserId};
use dunlin_workflows::template::{
    self, Content, Locale, RenderError, Rendered, Template, TemplateKey, ValueError, Values,
};
use dunlin_workflows::zone::Zone;
use serde_json::{Map, Value};

use crate::engine::script::given;
use crate::http::field_errors::FieldErrors;
use crate::http::problem::Problem;

/// Where templates are, and what must be known of whoever reads one.
pub trait Shelf: fmt::Debug + Sync {
    /// A template by its key, with its number inside the store; `None` when there is none.
    ///
    /// # Errors
    /// The store can't be read.
    fn template(&self, key: &TemplateKey) -> Result<Option<(u64, Template)>, Problem>;

    /// Where a user is, or everybody of whom nothing is said; `None` when nobody knows.
    ///
    /// # Errors
    /// The store can't be read.
    fn zone(&self, user: Option<&UserId>) -> Result<Option<Zone>, Problem>;
}

/// What somebody says that a text shall say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) body: Option<&'a str>,
    pub(super) template: Option<&'a str>,
    /// Values, as the JSON of an object.
    pub(super) vars: Option<&'a str>,
    pub(super) locale: Option<&'a str>,
    /// What holds for its kind, which may name a template.
    pub(super) kind: Option<&'a Kind>,
    pub(super) user_id: Option<&'a UserId>,
}

/// What a text says.
#[derive(Debug)]
pub(super) struct Wording {
    pub(super) body: Body,
    /// The version that rendered it.
    pub(super) template: Option<TemplateVersion>,
    /// Whether its template lets an urgent one pass quiet hours.
    pub(super) may_bypass: bool,
}

impl Asked<'_> {
    /// What the text says; nothing when a field is wrong.
    ///
    /// # Errors
    /// The store can't be read.
    pub(super) fn wording(
        &self,
        shelf: &dyn Shelf,
        wrong: &mut FieldErrors<'_>,
    ) -> Result<Option<Wording>, Problem> {
        let own = self.body.is_some();
        let of_kind = self.kind.and_then(|kind| kind.template.as_deref()).filter(|_| !own);
        let Some(key) = self.template.or(of_kind) else {
            for (name, given) in [("vars", self.vars), ("locale", self.locale)] {
                if given.is_some() {
                    wrong.add(name, "invalid", format!("{name} goes with a template, and none is named"));
                }
            }
            let body = wrong.required("body", self.body, Body::parse);
            return Ok(body.map(|body| Wording { body, template: None, may_bypass: false }));
        };
        if own {
            wrong.add("template", "invalid", "say either body or template".to_owned());
            return Ok(None);
        }
        let key = wrong.parse("template", Some(key), str::parse::<TemplateKey>);
        let locale = wrong.parse("locale", self.locale, str::parse::<Locale>);
        let vars = self.vars.map(serde_json::from_str::<Map<String, Value>>);
        let vars = match vars.transpose() {
            Ok(vars) => vars.unwrap_or_default(),
            Err(_no_object) => {
                wrong.add("vars", "invalid", "expected an object of values".to_owned());
                return Ok(None);
            }
        };
        let Some(key) = key else { return Ok(None) };
        let found = shelf.template(&key)?;
        let Some((number, known)) = found else {
            wrong.add("template", "template_not_found", format!("there is no template \"{key}\""));
            return Ok(None);
        };
        let Some(used) = known.usable() else {
            let why = if known.is_active { "has no published version" } else { "is switched off" };
            wrong.add("template", "template_inactive", format!("template \"{key}\" {why}"));
            return Ok(None);
        };
        let zone = shelf.zone(self.user_id)?;
        let rendered = rendered(&used.content, locale.as_ref(), &vars, zone, wrong);
        Ok(rendered.map(|rendered| Wording {
            body: rendered.body,
            template: Some(TemplateVersion { number, version: used.version }),
            may_bypass: used.content.may_bypass,
        }))
    }
}

/// A template with these values; nothing when one is wrong.
pub(super) fn rendered<'c>(
    content: &'c Content,
    locale: Option<&Locale>,
    vars: &Map<String, Value>,
    zone: Option<Zone>,
    wrong: &mut FieldErrors<'_>,
) -> Option<Rendered<'c>> {
    let values = values(content, vars, wrong)?;
    let rendered = template::render(content, locale, &values, zone);
    rendered.map_err(|error| wrong.add("vars", code(&error), error.to_string())).ok()
}

fn code(error: &RenderError) -> &'static str {
    match error {
        RenderError::ZoneUnknown { .. } => "timezone_unknown",
        RenderError::TooLong { .. } => "template_too_long",
        RenderError::Template { .. } | RenderError::Body(_) => "invalid",
    }
}

/// Values as JSON says them; nothing when one is wrong.
fn values(content: &Content, vars: &Map<String, Value>, wrong: &mut FieldErrors<'_>) -> Option<Values> {
    let mut read = Vec::with_capacity(vars.len());
    let mut is_fine = true;
    for (name, value) in vars {
        match given(value) {
            Some(value) => read.push((name.as_str(), value)),
            // Null is nothing.
            None if value.is_null() => {}
            None => {
                is_fine = false;
                let why = "expected a string, a number, true or false".to_owned();
                wrong.add_at(&["vars", name], "invalid", why);
            }
        }
    }
    match template::values(content, read) {
        Ok(values) => is_fine.then_some(values),
        Err(found) => {
            for found in found {
                let code = match &found.error {
                    ValueError::Unknown { .. } => "unknown",
                    ValueError::Missing => "template_variable_missing",
                    ValueError::TooLong { .. } => "too_long",
                    ValueError::Kind { .. } | ValueError::TooLarge => "invalid",
                };
                wrong.add_at(&["vars", &found.name], code, found.error.to_string());
            }
            None
        }
    }
}
