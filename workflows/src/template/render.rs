//! Rendering: a text with variables and their values in, the body of a message out.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use thiserror::Error as ThisError;

use crate::body::{Body, BodyError};
use crate::template::moment::{Moment, clock};
use crate::template::value::shorten;
use crate::template::{Content, Locale, Value, Values, VariableName};
use crate::zone::Zone;

/// Most steps that rendering one text may take: a hundred times what a long one needs.
const STEPS_MAX: u64 = 20_000;

/// A rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered<'a> {
    /// The body.
    pub body: Body,
    /// The language of the text that was used; `None` for the one for everybody else.
    pub locale: Option<&'a Locale>,
}

/// Why a text can't be rendered.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum RenderError {
    /// Where the recipient is decides what their clock shows, and nobody knows.
    #[error(
        "{name} is an instant, and nobody knows what the clock shows where the recipient is; set the user's timezone or DUNLIN_DEFAULT_TIME_ZONE"
    )]
    ZoneUnknown {
        /// The variable.
        name: VariableName,
    },
    /// The text is longer than its template allows.
    #[error("the text has {length} characters with these values; the template allows {max}")]
    TooLong {
        /// Its length.
        length: usize,
        /// Most allowed.
        max: u16,
    },
    /// Something that is written in the template.
    #[error("line {line} of the template: {why}")]
    Template {
        /// In which line.
        line: usize,
        /// What.
        why: String,
    },
    /// What came out is no body.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// What every text is rendered with. Nothing in it reads a file, loops, or makes one value out of many.
pub(super) static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut language = Environment::empty();
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    language.set_fuel(Some(STEPS_MAX));
    language.set_recursion_limit(32);
    language.set_formatter(show);
    language.add_filter("clock", |value: &minijinja::Value, format: &str| clock(value, format));
    language.add_filter("upper", |text: &str| text.to_uppercase());
    language.add_filter("lower", |text: &str| text.to_lowercase());
    language.add_filter("shorten", |text: &str, max: usize| {
        if text.chars().count() > max { shorten(text, max) } else { text.to_owned() }
    });
    language
});

/// Shows a value. What was left out shows nothing by mistake, so it is an error here: a text asks first if it is there.
fn show(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &minijinja::Value) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        let why = "it shows a value that was left out; ask for it first: {% if name %}{{ name }}{% endif %}";
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    match value.is_number().then(|| f64::try_from(value.clone())) {
        Some(Ok(number)) if !value.is_integer() => {
            let shown = format!("{number:.6}");
            write!(out, "{}", shown.trim_end_matches('0').trim_end_matches('.')).map_err(Error::from)
        }
        Some(_) | None => write!(out, "{value}").map_err(Error::from),
    }
}

/// Renders the text for a locale with these values, for somebody in this zone.
///
/// # Errors
/// A [`RenderError`].
pub fn render<'c>(
    content: &'c Content,
    locale: Option<&Locale>,
    values: &Values,
    zone: Option<Zone>,
) -> Result<Rendered<'c>, RenderError> {
    let (locale, source) = content.text(locale);
    let text = fill(content, locale, source, values, zone)?;
    let length = text.chars().count();
    if length > usize::from(content.length_max) {
        return Err(RenderError::TooLong { length, max: content.length_max });
    }
    Ok(Rendered { body: Body::parse(text)?, locale })
}

/// The text with its values, however long.
pub(super) fn fill(
    content: &Content,
    locale: Option<&Locale>,
    source: &str,
    values: &Values,
    zone: Option<Zone>,
) -> Result<String, RenderError> {
    let is_english = locale.is_none_or(Locale::is_english);
    let mut context = BTreeMap::new();
    for name in content.variables.keys() {
        let value = match values.get(name) {
            Some(Value::Instant(at)) => {
                let zone = zone.ok_or_else(|| RenderError::ZoneUnknown { name: name.clone() })?;
                let moment = Moment::new(*at, zone, is_english).ok_or_else(|| RenderError::Template {
                    line: 1,
                    why: format!("{name} is beyond the years of the calendar"),
                })?;
                minijinja::Value::from_object(moment)
            }
            Some(Value::String(text)) => minijinja::Value::from(text.as_str()),
            Some(Value::Integer(number)) => minijinja::Value::from(*number),
            Some(Value::Number(millionths)) => {
                minijinja::Value::from(decimal(*millionths).parse::<f64>().ok())
            }
            Some(Value::Boolean(value)) => minijinja::Value::from(*value),
            None => minijinja::Value::from(()),
        };
        context.insert(Arc::<str>::from(name.as_str()), value);
    }
    let template = LANGUAGE.template_from_str(source).map_err(|error| told(&error))?;
    template.render(minijinja::Value::from_object(context)).map_err(|error| told(&error))
}

/// Millionths with a point.
pub fn decimal(millionths: i128) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let digits = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", digits / 1_000_000, digits % 1_000_000)
}

/// What the language says is wrong, without what its own words are of no use for.
pub(super) fn told(error: &Error) -> RenderError {
    let why = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "rendering it takes too long".to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    RenderError::Template { line: error.line().unwrap_or(1), why }
}
