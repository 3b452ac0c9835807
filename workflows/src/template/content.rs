//! What a version of a template says.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::template::{Locale, Variable, VariableName};

/// Longest source of a text with variables, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4000;

/// Most variables of a template.
pub const VARIABLES_MAX: usize = 20;

/// Most locales besides the text for everybody else.
pub const LOCALES_MAX: usize = 20;

/// Most characters of a rendered text, when a template does not say.
pub const LENGTH_DEFAULT: u16 = 160;

/// Most characters of a rendered text that a template may allow.
pub const LENGTH_MAX: u16 = 1600;

/// What a version of a template says. Nothing in it is about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What people call it.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// The text for everybody who has none in their own language.
    pub text: Arc<str>,
    /// The same in other languages.
    pub locales: BTreeMap<Locale, Arc<str>>,
    /// What may stand between braces.
    pub variables: BTreeMap<VariableName, Variable>,
    /// Most characters of the rendered text.
    pub length_max: u16,
    /// Whether an urgent text of it may pass quiet hours, if its recipient wants urgent alerts.
    pub may_bypass: bool,
}

impl Content {
    /// The text for a locale: its own, that of its language, that for everybody else.
    pub fn text(&self, locale: Option<&Locale>) -> (Option<&Locale>, &str) {
        let own = locale.and_then(|locale| self.locales.get_key_value(locale));
        let language = || locale.and_then(Locale::language).and_then(|it| self.locales.get_key_value(&it));
        own.or_else(language).map_or((None, &*self.text), |(locale, text)| (Some(locale), &**text))
    }

    /// Every text, that for everybody else first.
    pub fn texts(&self) -> impl Iterator<Item = (Option<&Locale>, &str)> {
        let others = self.locales.iter().map(|(locale, text)| (Some(locale), &**text));
        std::iter::once((None, &*self.text)).chain(others)
    }
}
