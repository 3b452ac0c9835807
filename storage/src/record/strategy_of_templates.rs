//! Every value that a record about a template can hold, for property tests.

use std::collections::BTreeMap;

use dunlin_workflows::message::TemplateVersion;
use dunlin_workflows::template::{
    Content, Event, OnLong, Published, Template, VARIABLE_KINDS, Value, Variable, VariableKind,
};
use dunlin_workflows::timestamp::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn variable() -> impl Strategy<Value = Variable> {
    let default = option::of(("\\PC{0,9}", any::<i64>(), any::<bool>()));
    let on_long = select(vec![OnLong::Refuse, OnLong::Shorten]);
    (select(VARIABLE_KINDS.to_vec()), any::<bool>(), default, any::<u16>(), on_long).prop_map(
        |((kind, _), is_required, default, length_max, on_long)| {
            let default = default.map(|(text, number, truth)| match kind {
                VariableKind::String => Value::String(text),
                VariableKind::Integer => Value::Integer(number),
                VariableKind::Number => Value::Number(i128::from(number).saturating_mul(1000)),
                VariableKind::Boolean => Value::Boolean(truth),
                VariableKind::Instant => Value::Instant(Timestamp::from_millis(number)),
            });
            Variable { kind, is_required, default, length_max, on_long }
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let locales = btree_map(select(vec!["da", "pt-BR", "es-419"]), "\\PC{1,20}", 0..3);
    let variables = btree_map("[a-h][a-z0-9_]{2,10}x", variable(), 0..4);
    let words = ("\\PC{1,20}", option::of("\\PC{0,20}"), "\\PC{1,40}");
    (words, locales, variables, any::<u16>(), any::<bool>()).prop_map(
        |((name, description, text), locales, variables, length_max, may_bypass)| Content {
            name: name.into(),
            description: description.map(Into::into),
            text: text.into(),
            locales: locales.into_iter().map(|(it, text)| (it.parse().unwrap(), text.into())).collect(),
            variables: variables
                .into_iter()
                .map(|(name, variable)| (name.parse().unwrap(), variable))
                .collect::<BTreeMap<_, _>>(),
            length_max,
            may_bypass,
        },
    )
}

fn published() -> impl Strategy<Value = Published> {
    (any::<u32>(), content()).prop_map(|(version, content)| Published { version, content })
}

/// The version that rendered a message, if one did.
pub(crate) fn version() -> impl Strategy<Value = Option<TemplateVersion>> {
    option::of((any::<u64>(), any::<u32>()).prop_map(|(number, version)| TemplateVersion { number, version }))
}

/// Every event of a template.
pub(crate) fn template_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        ("[a-z0-9_]{1,20}", content())
            .prop_map(|(key, draft)| Event::Created { key: key.parse().unwrap(), draft: Box::new(draft) }),
        content().prop_map(|draft| Event::Drafted { draft: Box::new(draft) }),
        (published(), any::<u64>())
            .prop_map(|(published, at)| Event::Published { published: Box::new(published), at }),
        published().prop_map(|published| Event::RolledBack { published: Box::new(published) }),
        "[!-~]{1,60}".prop_map(|reason| Event::Remarked { reason: reason.parse().unwrap() }),
        select(vec![Event::DraftDiscarded, Event::Deactivated, Event::Activated]),
    ]
}

/// What is known of a template.
pub(crate) fn template() -> impl Strategy<Value = Template> {
    let contents = (option::of(content()), option::of(published()), vec(any::<u64>(), 0..5));
    ("[a-z0-9_]{1,20}", contents, any::<bool>(), any::<u64>(), at(), at()).prop_map(
        |(key, (draft, published, versions), is_active, revision, created_at, changed_at)| Template {
            key: key.parse().unwrap(),
            draft,
            published,
            versions,
            is_active,
            revision,
            created_at,
            changed_at,
        },
    )
}
