//! What an event makes of a template. Total.

use crate::template::{Event, Template};
use crate::timestamp::Timestamp;

impl Event {
    /// Folds this event into what is known; `at` is when it happened. Until there is a template, only its creation
    /// says anything.
    pub fn apply_to(&self, template: &mut Option<Template>, at: Timestamp) {
        if let Self::Created { key, draft } = self {
            *template = Some(Template {
                key: key.clone(),
                draft: Some(draft.as_ref().clone()),
                published: None,
                versions: Vec::new(),
                is_active: true,
                revision: 1,
                created_at: at,
                changed_at: at,
            });
        } else if let Some(template) = template
            && !matches!(self, Self::Remarked { .. })
        {
            template.apply(self);
            template.revision = template.revision.saturating_add(1);
            template.changed_at = at;
        }
    }
}

impl Template {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { .. } | Event::Remarked { .. } => {}
            Event::Drafted { draft } => self.draft = Some(draft.as_ref().clone()),
            Event::DraftDiscarded => self.draft = None,
            Event::Published { published, at } => {
                self.draft = None;
                self.versions.push(*at);
                self.published = Some(published.as_ref().clone());
            }
            Event::RolledBack { published } => self.published = Some(published.as_ref().clone()),
            Event::Deactivated => self.is_active = false,
            Event::Activated => self.is_active = true,
        }
    }
}
