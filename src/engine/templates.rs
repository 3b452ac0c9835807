//! Templates within a turn.

use dunlin_storage::{InstanceEvent, InstanceKind, JournalSeq, Templates, Told, record};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::template::{
    self, CheckedContent, Command, Content, Context, Event, Rejection, Template, TemplateKey,
};

use crate::engine::turn::{Turn, TurnError};

/// What somebody asks about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateAsk {
    /// What it is, or will be, called.
    pub key: TemplateKey,
    /// What to do.
    pub what: TemplateWish,
    /// The revision that the caller has seen; any when `None`.
    pub seen: Option<u64>,
}

/// What to do with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateWish {
    /// Write what will be its next version.
    Draft(Box<CheckedContent>),
    /// Let there be one that says this, unless there is one of the key.
    Begin(Box<CheckedContent>),
    /// Throw the draft away.
    Discard,
    /// Use the draft from now on, if it is still this one.
    Publish(Box<CheckedContent>),
    /// Use this older version again, which says this.
    RollBack(u32, Box<CheckedContent>),
    /// Let nobody use it.
    Deactivate,
    /// Let it be used again.
    Activate,
}

impl Turn<'_, '_> {
    /// Carries out what somebody asks about a template; gives what is known of it then.
    pub(super) fn asked_of_template(
        &mut self,
        ask: &TemplateAsk,
        origin: &Origin,
    ) -> Result<Template, TurnError> {
        let TemplateAsk { key, what, seen } = ask;
        let number = self.batch.instance_named(InstanceKind::Template, key.as_str())?;
        let mut known =
            number.map(|number| self.batch.instance::<Templates>(number)).transpose()?.flatten().flatten();
        let command = match what {
            TemplateWish::Draft(content) => Command::Draft { content: content.clone() },
            TemplateWish::Begin(content) => Command::Begin { content: content.clone() },
            TemplateWish::Discard => Command::Discard,
            TemplateWish::Publish(draft) => Command::Publish { draft: draft.clone() },
            TemplateWish::RollBack(version, content) => {
                let known = known.as_ref().ok_or_else(|| Rejection::NotFound(key.clone()))?;
                // Versions never change, so only a caller that read another template differs.
                if self.content_of(known, *version)? != *content.get() {
                    return Err(Rejection::Changed { revision: known.revision }.into());
                }
                Command::RollBack { version: *version, content: content.clone() }
            }
            TemplateWish::Deactivate => Command::Deactivate,
            TemplateWish::Activate => Command::Activate,
        };
        let position = self.batch.last_seq().next().get();
        let context = Context { key, seen: *seen, position, reason: origin.reason.as_ref() };
        let events = template::decide(known.as_ref(), &command, &context)?;
        if !events.is_empty() {
            let by = self.by(origin)?;
            let is_new = number.is_none();
            let number = match number {
                Some(number) => number,
                None => self.batch.next_instance(InstanceKind::Template)?,
            };
            for event in &events {
                event.apply_to(&mut known, self.now);
                let told = Told::<Templates> { at: self.now, by, event, after: &known, secret: None };
                self.batch.record_instance(number, &told)?;
            }
            if is_new {
                self.batch.name_instance(InstanceKind::Template, key.as_str(), number)?;
            }
        }
        known.ok_or_else(|| Rejection::NotFound(key.clone()).into())
    }

    /// What a version says.
    fn content_of(&mut self, known: &Template, version: u32) -> Result<Content, TurnError> {
        let (key, newest) = (known.key.clone(), known.newest());
        let missing = Rejection::NoVersion { key, version, newest };
        let Some(at) = known.version_at(version) else { return Err(missing.into()) };
        match self.batch.record_at(JournalSeq::new(at))?.event {
            record::Event::Instance {
                event: InstanceEvent::Template(Event::Published { published, .. }),
                ..
            } => Ok(published.content),
            record::Event::Instance { .. }
            | record::Event::Message { .. }
            | record::Event::Lane { .. }
            | record::Event::Person { .. } => Err(missing.into()),
        }
    }
}
