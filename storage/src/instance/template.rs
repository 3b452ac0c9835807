//! The persisted forms of what happens to a template, and of what is known of it.

use std::collections::BTreeMap;

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::template::{
    Content, Event, Published, Template, Value, Variable, VariableKind, VariableName,
};
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::{Workflow, wrapped};
use crate::record::RecordError;
use crate::record::codec::{put, take};
use crate::record::tag::{Tagged as _, word};

/// How templates are persisted.
#[derive(Debug, Clone, Copy)]
pub struct Templates;

/// What a template says, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ContentV1 {
    name: String,
    description: Option<String>,
    text: String,
    /// Locale and text, in the order of the locales.
    locales: Vec<(String, String)>,
    /// In the order of their names.
    variables: Vec<VariableV1>,
    length_max: u16,
    may_bypass: bool,
}

/// What may stand between braces, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct VariableV1 {
    name: String,
    kind: u8,
    is_required: bool,
    /// Words as they are, whole numbers in decimal, numbers as millionths in decimal, `true` or `false`.
    default: Option<String>,
    length_max: u16,
    on_long: u8,
}

/// `template::Event::Created`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CreatedV1 {
    key: String,
    draft: ContentV1,
}

/// `template::Event::Drafted`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct DraftedV1 {
    draft: ContentV1,
}

/// `template::Event::Published`, first form: the position is that of the record.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct PublishedV1 {
    version: u32,
    content: ContentV1,
    at: u64,
}

/// `template::Event::RolledBack`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct RolledBackV1 {
    version: u32,
    content: ContentV1,
}

/// `template::Event::Remarked`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct RemarkedV1 {
    reason: String,
}

/// What is known of a template, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct TemplateV1 {
    key: String,
    draft: Option<ContentV1>,
    published: Option<RolledBackV1>,
    versions: Vec<u64>,
    is_active: bool,
    revision: u64,
    created_at_ms: i64,
    changed_at_ms: i64,
}

fn wrong<T, E>(what: &'static str) -> impl FnOnce(E) -> Result<T, RecordError> {
    move |_error| Err(RecordError::Value { what })
}

impl VariableV1 {
    fn new(name: &VariableName, variable: &Variable) -> Self {
        let default = variable.default.as_ref().map(|value| match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Number(millionths) => millionths.to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::Instant(at) => at.as_millis().to_string(),
        });
        Self {
            name: name.as_str().to_owned(),
            kind: variable.kind.tag(),
            is_required: variable.is_required,
            default,
            length_max: variable.length_max,
            on_long: variable.on_long.tag(),
        }
    }

    fn take(self) -> Result<(VariableName, Variable), RecordError> {
        let kind: VariableKind = word(self.kind)?;
        let default = self.default.map(|text| match kind {
            VariableKind::String => Ok(Value::String(text)),
            VariableKind::Integer => text.parse().map(Value::Integer).or_else(wrong("default")),
            VariableKind::Number => text.parse().map(Value::Number).or_else(wrong("default")),
            VariableKind::Boolean => text.parse().map(Value::Boolean).or_else(wrong("default")),
            VariableKind::Instant => {
                let millis = text.parse().map(Timestamp::from_millis);
                millis.map(Value::Instant).or_else(wrong("default"))
            }
        });
        let variable = Variable {
            kind,
            is_required: self.is_required,
            default: default.transpose()?,
            length_max: self.length_max,
            on_long: word(self.on_long)?,
        };
        Ok((self.name.parse().or_else(wrong("name of a variable"))?, variable))
    }
}

impl From<&Content> for ContentV1 {
    fn from(content: &Content) -> Self {
        let locales = content.locales.iter();
        let variables = content.variables.iter();
        Self {
            name: content.name.to_string(),
            description: content.description.as_ref().map(ToString::to_string),
            text: content.text.to_string(),
            locales: locales.map(|(locale, text)| (locale.to_string(), text.to_string())).collect(),
            variables: variables.map(|(name, variable)| VariableV1::new(name, variable)).collect(),
            length_max: content.length_max,
            may_bypass: content.may_bypass,
        }
    }
}

impl TryFrom<ContentV1> for Content {
    type Error = RecordError;

    fn try_from(row: ContentV1) -> Result<Self, RecordError> {
        let mut locales = BTreeMap::new();
        for (locale, text) in row.locales {
            locales.insert(locale.parse().or_else(wrong("locale"))?, text.into());
        }
        Ok(Self {
            name: row.name.into(),
            description: row.description.map(Into::into),
            text: row.text.into(),
            locales,
            variables: row.variables.into_iter().map(VariableV1::take).collect::<Result<_, _>>()?,
            length_max: row.length_max,
            may_bypass: row.may_bypass,
        })
    }
}

impl From<&Published> for RolledBackV1 {
    fn from(published: &Published) -> Self {
        Self { version: published.version, content: (&published.content).into() }
    }
}

impl TryFrom<RolledBackV1> for Published {
    type Error = RecordError;

    fn try_from(row: RolledBackV1) -> Result<Self, RecordError> {
        Ok(Self { version: row.version, content: row.content.try_into()? })
    }
}

impl From<&Template> for TemplateV1 {
    fn from(state: &Template) -> Self {
        Self {
            key: state.key.to_string(),
            draft: state.draft.as_ref().map(ContentV1::from),
            published: state.published.as_ref().map(RolledBackV1::from),
            versions: state.versions.clone(),
            is_active: state.is_active,
            revision: state.revision,
            created_at_ms: state.created_at.as_millis(),
            changed_at_ms: state.changed_at.as_millis(),
        }
    }
}

impl TryFrom<TemplateV1> for Template {
    type Error = RecordError;

    fn try_from(row: TemplateV1) -> Result<Self, RecordError> {
        Ok(Self {
            key: row.key.parse().or_else(wrong("key of a template"))?,
            draft: row.draft.map(Content::try_from).transpose()?,
            published: row.published.map(Published::try_from).transpose()?,
            versions: row.versions,
            is_active: row.is_active,
            revision: row.revision,
            created_at: Timestamp::from_millis(row.created_at_ms),
            changed_at: Timestamp::from_millis(row.changed_at_ms),
        })
    }
}

impl Workflow for Templates {
    wrapped!(Template);

    type State = Option<Template>;
    type Event = Event;

    const RECORD_TYPES: &'static [(u8, &'static str)] = &[
        (1, "template_created"),
        (2, "template_drafted"),
        (3, "template_draft_discarded"),
        (4, "template_published"),
        (5, "template_rolled_back"),
        (6, "template_deactivated"),
        (7, "template_activated"),
        (8, "template_remarked"),
    ];

    fn apply(state: &mut Option<Template>, event: &Event, at: Timestamp) {
        event.apply_to(state, at);
    }

    fn timer(_state: &Option<Template>) -> Option<Timestamp> {
        None
    }

    fn is_named(state: &Option<Template>) -> bool {
        state.is_some()
    }

    fn claim(_state: &Option<Template>) -> Option<u64> {
        None
    }

    fn person(_event: &Event) -> Option<PersonNumber> {
        None
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
        let (record_type, written) = match event {
            Event::Created { key, draft } => {
                (1, put(&CreatedV1 { key: key.to_string(), draft: draft.as_ref().into() }, out))
            }
            Event::Drafted { draft } => (2, put(&DraftedV1 { draft: draft.as_ref().into() }, out)),
            Event::DraftDiscarded => (3, Ok(())),
            Event::Published { published, at } => {
                let (version, content) = (published.version, (&published.content).into());
                (4, put(&PublishedV1 { version, content, at: *at }, out))
            }
            Event::RolledBack { published } => (5, put(&RolledBackV1::from(published.as_ref()), out)),
            Event::Deactivated => (6, Ok(())),
            Event::Activated => (7, Ok(())),
            Event::Remarked { reason } => (8, put(&RemarkedV1 { reason: reason.as_str().to_owned() }, out)),
        };
        written.map(|()| (record_type, 1))
    }

    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
        let name = super::record_type(Self::RECORD_TYPES, record_type, "template record type")?;
        super::first_version(name, version)?;
        Ok(match record_type {
            1 => {
                let row: CreatedV1 = take(payload)?;
                let key = row.key.parse().or_else(wrong("key of a template"))?;
                Event::Created { key, draft: Box::new(row.draft.try_into()?) }
            }
            2 => Event::Drafted { draft: Box::new(take::<DraftedV1>(payload)?.draft.try_into()?) },
            4 => {
                let row: PublishedV1 = take(payload)?;
                let published = Published { version: row.version, content: row.content.try_into()? };
                Event::Published { published: Box::new(published), at: row.at }
            }
            5 => Event::RolledBack { published: Box::new(take::<RolledBackV1>(payload)?.try_into()?) },
            3 | 6 | 7 if !payload.is_empty() => {
                return Err(RecordError::Payload { why: format!("a {name} has no payload") });
            }
            3 => Event::DraftDiscarded,
            6 => Event::Deactivated,
            7 => Event::Activated,
            _remarked => {
                let reason = take::<RemarkedV1>(payload)?.reason.parse();
                Event::Remarked { reason: reason.or_else(wrong("reason"))? }
            }
        })
    }

    fn put_state(state: &Option<Template>, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        let Some(state) = state else {
            return Err(RecordError::Value { what: "template that was not created" });
        };
        put(&TemplateV1::from(state), out).map(|()| 1)
    }

    fn take_state(version: u8, bytes: &[u8]) -> Result<Option<Template>, RecordError> {
        super::first_version("template", version)?;
        Ok(Some(take::<TemplateV1>(bytes)?.try_into()?))
    }
}
