//! What holds for every template, and what becomes of values that do not fit.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::timestamp::Timestamp;
use crate::zone::Zone;

fn content(text: &str, variables: &[(&str, Variable)]) -> Content {
    let variables = variables.iter().map(|(name, variable)| (name.parse().unwrap(), variable.clone()));
    Content {
        name: "Test".into(),
        description: None,
        text: text.into(),
        locales: BTreeMap::new(),
        variables: variables.collect(),
        length_max: LENGTH_DEFAULT,
        may_bypass: false,
    }
}

fn rendered(content: &Content, given: &[(&str, Given<'_>)]) -> Result<String, RenderError> {
    let values = values(content, given.iter().copied()).unwrap();
    render(content, None, &values, Some(Zone::UTC)).map(|rendered| rendered.body.as_str().to_owned())
}

fn faults(text: &str, variables: &[(&str, Variable)]) -> String {
    let faults = check(&content(text, variables)).unwrap_err();
    faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.why)).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_built_in_template_can_be_used_and_fits_one_segment() {
    for built_in in BUILT_IN {
        let content = built_in.content();
        let measures = check(&content).unwrap_or_else(|faults| panic!("{}: {faults:?}", built_in.key));
        assert!(built_in.key.parse::<TemplateKey>().is_ok());
        for measure in measures {
            assert!(!measure.may_exceed && measure.segments == 1, "{}: {measure:?}", built_in.key);
        }
    }
}

#[test]
fn a_value_that_is_left_out_or_zero_is_never_shown_as_nothing() {
    let task = BUILT_IN.iter().find(|it| it.key == "task_reminder").unwrap().content();
    let missing = values(&task, [("task_name", Given::String("Report"))]).unwrap_err();
    assert_eq!(missing, [WrongValue { name: "due_time".to_owned(), error: ValueError::Missing }]);
    let two = [("task_name", Given::String("Report")), ("due_time", Given::String("at 5"))];
    assert_eq!(rendered(&task, &two).unwrap(), "Reminder: Report is due at 5.");
    let brief = BUILT_IN.iter().find(|it| it.key == "notif_brief_completed").unwrap().content();
    let none = [("brief_date", Given::String("Monday")), ("task_count", Given::Integer(0))];
    assert_eq!(rendered(&brief, &none).unwrap(), "Your brief for Monday is done: 0 tasks.");
    let careless = Variable { is_required: false, ..Variable::words(20) };
    assert!(faults("Hello {{ name }}", &[("name", careless)]).contains("left out"));
}

#[test]
fn values_can_not_bring_a_template_of_their_own_or_turn_the_text() {
    let greeting = content("Hello {{ name }}!", &[("name", Variable::words(40))]);
    let text = |given| rendered(&greeting, &[("name", Given::String(given))]).unwrap();
    assert_eq!(text("{{ name }}{% if %}"), "Hello {{ name }}{% if %}!");
    assert_eq!(text("a\u{202e}b\nc\t \u{7}d\u{2066}"), "Hello ab c d!");
    assert_eq!(text("<b>&"), "Hello <b>&!");
}

#[test]
fn long_words_are_cut_between_graphemes_or_refused_as_the_template_says() {
    let cut = content("{{ name }}", &[("name", Variable::words(10))]);
    assert_eq!(rendered(&cut, &[("name", Given::String("A long name"))]).unwrap(), "A long...");
    let family = "ab\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}cdefgh";
    assert_eq!(
        rendered(&cut, &[("name", Given::String(family))]).unwrap(),
        "ab\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}..."
    );
    let strict = Variable { on_long: OnLong::Refuse, ..Variable::words(3) };
    let refused = values(&content("{{ name }}", &[("name", strict)]), [("name", Given::String("long"))]);
    assert_eq!(refused.unwrap_err()[0].error, ValueError::TooLong { length: 4, max: 3 });
}

#[test]
fn an_instant_is_shown_on_the_recipients_clock_and_never_on_a_guessed_one() {
    let mut due =
        content("Due {{ at }}, {{ at|clock(\"%H.%M\") }}", &[("at", Variable::of(VariableKind::Instant))]);
    due.locales.insert("da".parse().unwrap(), "Frist {{ at }}".into());
    assert_eq!(check(&due).unwrap()[0].length, "Due 24 Dec 12:00, 12.00".len());
    let read = values(&due, [("at", Given::String("2026-12-24T13:00:00+00:00"))]).unwrap();
    let zone = "America/New_York".parse().unwrap();
    let shown = |locale: Option<&str>, zone| {
        let locale = locale.map(|text| text.parse::<Locale>().unwrap());
        render(&due, locale.as_ref(), &read, zone).map(|it| it.body.as_str().to_owned())
    };
    assert_eq!(shown(None, Some(zone)).unwrap(), "Due 24 Dec 08:00, 08.00");
    assert_eq!(shown(Some("da-DK"), Some(zone)).unwrap(), "Frist 2026-12-24 08:00");
    assert_eq!(shown(Some("en-US"), Some(zone)).unwrap(), "Due 24 Dec 08:00, 08.00");
    assert!(matches!(shown(None, None), Err(RenderError::ZoneUnknown { .. })));
}

#[test]
fn what_is_wrong_with_a_template_is_said_when_it_is_written() {
    assert!(faults("Hello {{ name }}", &[]).contains("does not declare: name"));
    assert!(faults("{{ name|nonsense }}", &[("name", Variable::words(5))]).contains("nonsense"));
    assert!(faults("{% for i in name %}x{% endfor %}", &[("name", Variable::words(5))]).contains("\"for\""));
    assert!(faults("{%- set a = name %}{{ a }}", &[("name", Variable::words(5))]).contains("\"set\""));
    assert!(faults("{{ '}}' * 9 }}", &[]).contains("multiply"));
    assert!(faults("{{ name", &[("name", Variable::words(5))]).contains("not closed"));
    assert!(faults("{% if name %}x", &[("name", Variable::words(5))]).contains("/text"));
    assert!(faults("  ", &[]).contains("blank"));
    let default = Variable { default: Some(Value::String("too long".into())), ..Variable::words(3) };
    assert!(faults("{{ name }}", &[("name", default)]).contains("/variables/name"));
}

#[test]
fn worst_case_counts_the_branch_that_is_longer_and_the_dearer_alphabet() {
    let note = Variable { is_required: false, ..Variable::words(100) };
    let measure =
        &check(&content("{% if note %}{{ note }}{{ note }}{% else %}none{% endif %}", &[("note", note)]))
            .unwrap()[0];
    assert_eq!((measure.length, measure.segments, measure.segments_unicode), (200, 2, 3));
    assert!(measure.may_exceed);
}

#[test]
fn numbers_are_shown_as_people_write_them() {
    let sum =
        content("{{ sum }}{% if sum > 3 %} many{% endif %}", &[("sum", Variable::of(VariableKind::Number))]);
    let shown = |given| rendered(&sum, &[("sum", given)]).unwrap();
    assert_eq!(shown(Given::Number(0.1)), "0.1");
    assert_eq!(shown(Given::Number(-2.50)), "-2.5");
    assert_eq!(shown(Given::Integer(7)), "7 many");
    assert!(values(&sum, [("sum", Given::Number(f64::NAN))]).is_err());
    assert!(values(&sum, [("sum", Given::Number(1e300))]).is_err());
}

fn told(template: &mut Option<Template>, command: &Command) -> Result<usize, Rejection> {
    let key = "greeting".parse().unwrap();
    let events =
        decide(template.as_ref(), command, &Context { key: &key, seen: None, position: 9, reason: None })?;
    for event in &events {
        event.apply_to(template, Timestamp::from_millis(7));
    }
    Ok(events.len())
}

#[test]
fn a_version_is_used_when_published_and_again_when_rolled_back_to() {
    let (first, second) = (content("One", &[]), content("Two", &[]));
    let checked = |content: &Content| Box::new(CheckedContent::new(content.clone()).unwrap());
    let draft = |content: &Content| Command::Draft { content: checked(content) };
    let publish = |content: &Content| Command::Publish { draft: checked(content) };
    let mut known = None;
    assert!(matches!(told(&mut known, &publish(&first)), Err(Rejection::NotFound(_))));
    told(&mut known, &draft(&first)).unwrap();
    assert_eq!(known.as_ref().unwrap().usable(), None);
    let revision = known.as_ref().unwrap().revision;
    let another = told(&mut known, &publish(&second));
    assert_eq!(another, Err(Rejection::Changed { revision }), "only what was checked is published");
    told(&mut known, &publish(&first)).unwrap();
    told(&mut known, &draft(&second)).unwrap();
    assert_eq!(&*known.as_ref().unwrap().usable().unwrap().content.text, "One");
    told(&mut known, &publish(&second)).unwrap();
    assert_eq!(&*known.as_ref().unwrap().usable().unwrap().content.text, "Two");
    assert!(matches!(told(&mut known, &publish(&second)), Err(Rejection::NoDraft(_))));
    let back = |version| Command::RollBack { version, content: checked(&first) };
    assert!(matches!(told(&mut known, &back(3)), Err(Rejection::NoVersion { newest: 2, .. })));
    told(&mut known, &back(1)).unwrap();
    let used = known.as_ref().unwrap().usable().unwrap();
    assert_eq!((used.version, &*used.content.text), (1, "One"));
    told(&mut known, &Command::Deactivate).unwrap();
    assert_eq!(known.as_ref().unwrap().usable(), None);
    assert_eq!(told(&mut known, &Command::Deactivate), Ok(0));
    let key = "greeting".parse().unwrap();
    let late = Context { key: &key, seen: Some(1), position: 9, reason: None };
    let refused = decide(known.as_ref(), &Command::Activate, &late);
    assert_eq!(refused, Err(Rejection::Changed { revision: known.unwrap().revision }));
}

proptest! {
    /// Whatever is written and whatever is given: an answer, never a panic, and never a longer text than allowed.
    #[test]
    fn rendering_anything_ends_and_keeps_to_the_limit(
        text in "([a-z {}%|\"'*#.~()=]|\\{\\{ a \\}\\}|\\{% if b %\\}|\\{% endif %\\}|\\PC){0,40}",
        a in "\\PC{0,80}",
        b in any::<bool>(),
    ) {
        let written = content(&text, &[("a", Variable::words(30)), ("b", Variable::of(VariableKind::Boolean))]);
        if let Ok(measures) = check(&written) {
            let given = [("a", Given::String(&a)), ("b", Given::Boolean(b))];
            let values = values(&written, given).unwrap();
            if let Ok(done) = render(&written, None, &values, None) {
                let length = done.body.as_str().chars().count();
                prop_assert!(length <= usize::from(LENGTH_DEFAULT));
                prop_assert!(length <= measures[0].length, "{length} > {:?}", measures[0]);
            }
        }
    }
}
