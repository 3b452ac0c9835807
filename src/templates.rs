//! The templates that every deployment starts with, put into the store when they are not there.

use dunlin_storage::{InstanceKind, Store};
use dunlin_workflows::source::Source;
use dunlin_workflows::template::{BUILT_IN, CheckedContent, Rejection};

use crate::engine::Engine;
use crate::engine::ask::{AskError, TemplateAsk, TemplateWish};

/// Lets there be every built-in template whose key nobody ever wrote. What was changed or switched off since stays so.
///
/// # Errors
/// [`AskError`] when the engine can't take them now; the next start tries again.
pub async fn begin(engine: &Engine, store: &Store) -> Result<(), AskError> {
    for built_in in BUILT_IN {
        let there =
            store.reader().and_then(|reader| reader.instance_named(InstanceKind::Template, built_in.key));
        if !matches!(there, Ok(None)) {
            continue;
        }
        let Ok(key) = built_in.key.parse() else { continue };
        let content = CheckedContent::new(built_in.content()).map_err(Rejection::Faulty)?;
        let what = TemplateWish::Begin(Box::new(content));
        engine.template(TemplateAsk { key, what, seen: None }, Source::Recovery).await?;
    }
    Ok(())
}
