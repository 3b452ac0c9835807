//! Templates: texts with variables, written once, used again and again.
//!
//! ```text
//!   draft ---- publish ----> version n, used from now on
//!     ^                         |
//!     +---- somebody writes ----+---- roll back ----> an older version, used from now on
//! ```
//!
//! A version never changes. A message names the version that rendered it, and its body is rendered when it is accepted, so
//! that what is wrong with its values is said to whoever gave them.
//!
//! Reading order: [`Content`], [`Variable`], [`check`], [`render`], [`Template`], [`Command`], [`decide`], [`Event`].

mod apply;
mod built_in;
mod check;
mod command;
mod content;
mod decide;
mod event;
mod expression;
mod key;
mod literal;
mod locale;
mod moment;
mod render;
mod state;
#[cfg(test)]
mod tests;
mod value;
mod variable;

pub use built_in::{BUILT_IN, BuiltIn};
pub use check::{CheckedContent, Fault, Measure, check};
pub use command::{Command, Context, Rejection};
pub use content::{Content, LENGTH_DEFAULT, LENGTH_MAX, LOCALES_MAX, SOURCE_BYTES_MAX, VARIABLES_MAX};
pub use decide::decide;
pub use event::Event;
pub use key::{TemplateKey, TemplateKeyError};
pub use literal::literal;
pub use locale::{Locale, LocaleError};
pub use moment::on_the_clock;
pub use render::{RenderError, Rendered, decimal, render};
pub use state::{Published, Template, VERSIONS_MAX};
pub use value::{Given, Value, ValueError, Values, WrongValue, values};
pub use variable::{OnLong, VARIABLE_KINDS, Variable, VariableKind, VariableName, VariableNameError};
