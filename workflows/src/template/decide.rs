//! Decisions: what is known of a template and what is asked in, events out.

use crate::template::{
    CheckedContent, Command, Content, Context, Event, Published, Rejection, Template, VERSIONS_MAX,
};

/// Decides what something that is asked makes of a template; `None` when there was none. Nothing new makes no event.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(
    template: Option<&Template>,
    command: &Command,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let revision = template.map_or(0, |template| template.revision);
    if context.seen.is_some_and(|seen| seen != revision) {
        return Err(Rejection::Changed { revision });
    }
    let known = || template.ok_or_else(|| Rejection::NotFound(context.key.clone()));
    let mut events = match command {
        Command::Draft { content } => draft(template, content.get(), context),
        Command::Begin { .. } if template.is_some() => vec![],
        Command::Begin { content } => begin(content.get(), context),
        Command::Discard => known()?.draft.iter().map(|_| Event::DraftDiscarded).collect(),
        Command::Publish { draft } => publish(known()?, draft, context)?,
        Command::RollBack { version, content } => roll_back(known()?, *version, content)?,
        Command::Deactivate if known()?.is_active => vec![Event::Deactivated],
        Command::Activate if !known()?.is_active => vec![Event::Activated],
        Command::Deactivate | Command::Activate => vec![],
    };
    if let Some(reason) = context.reason.filter(|_| !events.is_empty()) {
        // Nothing can be said of a template before it is there.
        let after_creation = usize::from(matches!(events.first(), Some(Event::Created { .. })));
        events.insert(after_creation, Event::Remarked { reason: reason.clone() });
    }
    Ok(events)
}

fn draft(template: Option<&Template>, content: &Content, context: &Context<'_>) -> Vec<Event> {
    let draft = Box::new(content.clone());
    let Some(template) = template else {
        return vec![Event::Created { key: context.key.clone(), draft }];
    };
    let is_news = template.draft.as_ref() != Some(content);
    // What is used already need not be published again.
    let is_used = template.published.as_ref().is_some_and(|published| published.content == *content);
    match (is_used, &template.draft) {
        (true, Some(_)) => vec![Event::DraftDiscarded],
        (true, None) => vec![],
        (false, _) if is_news => vec![Event::Drafted { draft }],
        (false, _) => vec![],
    }
}

fn begin(content: &Content, context: &Context<'_>) -> Vec<Event> {
    let published = Published { version: 1, content: content.clone() };
    vec![
        Event::Created { key: context.key.clone(), draft: Box::new(content.clone()) },
        Event::Published { published: Box::new(published), at: place(context).saturating_add(1) },
    ]
}

/// Position of the first record that is not the reason.
fn place(context: &Context<'_>) -> u64 {
    context.position.saturating_add(u64::from(context.reason.is_some()))
}

fn publish(
    template: &Template,
    checked: &CheckedContent,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let Some(draft) = &template.draft else { return Err(Rejection::NoDraft(template.key.clone())) };
    if template.versions.len() >= VERSIONS_MAX {
        return Err(Rejection::TooMany(template.key.clone()));
    }
    // The language may have become stricter since a draft was written, so it is checked again; not another one.
    if draft != checked.get() {
        return Err(Rejection::Changed { revision: template.revision });
    }
    let published = Published { version: template.newest().saturating_add(1), content: draft.clone() };
    Ok(vec![Event::Published { published: Box::new(published), at: place(context) }])
}

fn roll_back(template: &Template, version: u32, content: &CheckedContent) -> Result<Vec<Event>, Rejection> {
    if template.version_at(version).is_none() {
        let (key, newest) = (template.key.clone(), template.newest());
        return Err(Rejection::NoVersion { key, version, newest });
    }
    if template.published.as_ref().is_some_and(|published| published.version == version) {
        return Ok(vec![]);
    }
    let published = Published { version, content: content.get().clone() };
    Ok(vec![Event::RolledBack { published: Box::new(published) }])
}
