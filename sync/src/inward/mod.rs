//! From rows to what the engine understands. What can't be understood is said, with the row's name for it and the
//! remedy, and never guessed.

mod preferences;
mod request;
mod template;
mod unfit;

pub use preferences::{Preferred, preferences};
pub use request::{Reading, request};
pub use template::{Wording, template};
pub use unfit::Unfit;
