//! What is wrong with a template before anybody uses it, and how long its texts can get.

use std::collections::BTreeSet;

use crate::segment::segments;
use crate::template::expression::allowed;
use crate::template::render::{LANGUAGE, fill, told};
use crate::template::value::INTEGER_MAX;
use crate::template::{
    Content, LENGTH_MAX, LOCALES_MAX, Locale, RenderError, SOURCE_BYTES_MAX, VARIABLES_MAX, Value, Values,
    Variable, VariableKind,
};
use crate::timestamp::Timestamp;
use crate::zone::Zone;

/// Longest name and longest description, in bytes.
const NAME_BYTES_MAX: usize = 100;
const DESCRIPTION_BYTES_MAX: usize = 500;

/// Most variables that may be left out, or are true or false, for which every combination is tried.
const COMBINED_MAX: usize = 6;

/// An instant that takes as many characters as any.
const SAMPLE_INSTANT: Timestamp = Timestamp::from_millis(1_798_113_600_000);

/// Something that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer: `/text`, `/locales/da`, `/variables/name`.
    pub pointer: String,
    /// What, and what to do.
    pub why: String,
}

/// How long one text of a template can get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its language; `None` for everybody else's.
    pub locale: Option<Locale>,
    /// Most characters, with every value as long as it may be.
    pub length: usize,
    /// Billed parts of that, when the values keep to the GSM-7 alphabet.
    pub segments: usize,
    /// Billed parts of that, when the values don't.
    pub segments_unicode: usize,
    /// Whether the longest text is over the template's limit, so that some values will be refused.
    pub may_exceed: bool,
}

/// What a template shall say, with nothing wrong in it. Only [`CheckedContent::new`] makes one, and only one can be written: so
/// whoever decides, and must not be kept waiting, need not look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedContent(Content);

impl CheckedContent {
    /// Looks for everything that is wrong, which takes as long as filling every text some hundred times.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(content: Content) -> Result<Self, Vec<Fault>> {
        check(&content)?;
        Ok(Self(content))
    }

    /// What it says.
    pub fn get(&self) -> &Content {
        &self.0
    }
}

/// Looks for everything that is wrong; measures every text. The longest text is looked for among those in which every value
/// is as long as it may be, with everything that may be left out there and not there.
///
/// # Errors
/// Everything that is wrong.
pub fn check(content: &Content) -> Result<Vec<Measure>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, why: String| faults.push(Fault { pointer: pointer.to_owned(), why });
    if content.name.trim().is_empty() || content.name.len() > NAME_BYTES_MAX {
        fault("/name", format!("expected a name of 1 to {NAME_BYTES_MAX} bytes"));
    }
    if content.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        fault("/description", format!("expected at most {DESCRIPTION_BYTES_MAX} bytes"));
    }
    if !(1..=LENGTH_MAX).contains(&content.length_max) {
        fault("/max_length", format!("expected 1 to {LENGTH_MAX} characters"));
    }
    if content.locales.len() > LOCALES_MAX {
        fault("/locales", format!("expected at most {LOCALES_MAX}"));
    }
    if content.variables.len() > VARIABLES_MAX {
        fault("/variables", format!("expected at most {VARIABLES_MAX}"));
    }
    for (name, variable) in &content.variables {
        if let Some(why) = wrong(variable) {
            fault(&format!("/variables/{name}"), why);
        }
    }
    let mut measures = Vec::new();
    // What is counted below grows with what was just refused.
    if faults.is_empty() {
        for (locale, source) in content.texts() {
            let pointer = locale.map_or_else(|| "/text".to_owned(), |locale| format!("/locales/{locale}"));
            match text(content, locale, source) {
                Ok(measure) => measures.push(measure),
                Err(why) => faults.push(Fault { pointer, why }),
            }
        }
    }
    if faults.is_empty() { Ok(measures) } else { Err(faults) }
}

fn wrong(variable: &Variable) -> Option<String> {
    let fits = match (variable.kind, &variable.default) {
        (_, None)
        | (VariableKind::Integer, Some(Value::Integer(_)))
        | (VariableKind::Number, Some(Value::Number(_)))
        | (VariableKind::Boolean, Some(Value::Boolean(_))) => true,
        (VariableKind::String, Some(Value::String(text))) => {
            text.chars().count() <= usize::from(variable.length_max)
        }
        (VariableKind::Instant, Some(_)) => return Some("an instant has no default".to_owned()),
        (_, Some(_)) => false,
    };
    if !fits {
        return Some("its default does not fit it".to_owned());
    }
    let has_length = variable.kind != VariableKind::String || (1..=LENGTH_MAX).contains(&variable.length_max);
    (!has_length).then(|| format!("max_length: expected 1 to {LENGTH_MAX} characters"))
}

fn text(content: &Content, locale: Option<&Locale>, source: &str) -> Result<Measure, String> {
    if source.trim().is_empty() {
        return Err("it is blank".to_owned());
    }
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("it has {} bytes; expected at most {SOURCE_BYTES_MAX}", source.len()));
    }
    allowed(source).map_err(|forbidden| forbidden.to_string())?;
    let template = LANGUAGE.template_from_str(source).map_err(|error| told(&error).to_string())?;
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    let unknown: Vec<&str> =
        used.iter().map(String::as_str).filter(|name| !content.variables.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(format!("it uses what /variables does not declare: {}", unknown.join(", ")));
    }
    let told = |error: RenderError| error.to_string();
    let latin = longest(content, locale, source, 'M').map_err(told)?;
    let unicode = longest(content, locale, source, '\u{416}').map_err(told)?;
    let length = latin.chars().count().max(unicode.chars().count());
    Ok(Measure {
        locale: locale.cloned(),
        length,
        segments: segments(&latin).len(),
        segments_unicode: segments(&unicode).len(),
        may_exceed: length > usize::from(content.length_max),
    })
}

/// The longest of the texts that come of the longest values, with words of this letter.
fn longest(
    content: &Content,
    locale: Option<&Locale>,
    source: &str,
    letter: char,
) -> Result<String, RenderError> {
    let is_open = |variable: &Variable| {
        variable.kind == VariableKind::Boolean || (!variable.is_required && variable.default.is_none())
    };
    let open: Vec<_> = content.variables.iter().filter(|(_, variable)| is_open(variable)).collect();
    let combined = open.len().min(COMBINED_MAX);
    let mut longest = String::new();
    for choice in 0_u32..1 << combined {
        let mut values = Values::new();
        for (name, variable) in &content.variables {
            let place = open.iter().position(|(open, _)| *open == name);
            let is_on = place.is_none_or(|place| place >= combined || choice >> place & 1 == 0);
            if let Some(value) = sample(variable, is_on, letter) {
                values.insert(name.clone(), value);
            }
        }
        let text = fill(content, locale, source, &values, Some(Zone::UTC))?;
        if text.chars().count() > longest.chars().count() {
            longest = text;
        }
    }
    Ok(longest)
}

fn sample(variable: &Variable, is_on: bool, letter: char) -> Option<Value> {
    match variable.kind {
        VariableKind::Boolean => Some(Value::Boolean(is_on)),
        _ if !is_on => None,
        VariableKind::String => {
            Some(Value::String(std::iter::repeat_n(letter, usize::from(variable.length_max)).collect()))
        }
        VariableKind::Integer => Some(Value::Integer(INTEGER_MAX.saturating_neg())),
        // Ten digits, the point, and six after it: a number of more is not read in a text.
        VariableKind::Number => Some(Value::Number(-1_234_567_890_123_456)),
        VariableKind::Instant => Some(Value::Instant(SAMPLE_INSTANT)),
    }
}
