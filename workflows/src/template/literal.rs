//! What a template says whatever it is filled with.

/// Stands for a tag: a character that belongs to no word.
const GAP: char = '\u{fffc}';

/// How tags begin and end.
const TAGS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// A template's text with one character in the place of each tag. A tag that does not end takes the rest with it.
pub fn literal(source: &str) -> String {
    let (mut said, mut rest) = (String::with_capacity(source.len()), source);
    loop {
        let begins = TAGS.iter().filter_map(|(open, close)| Some((rest.find(open)?, open, close)));
        let Some((at, open, close)) = begins.min() else {
            said.push_str(rest);
            return said;
        };
        let (before, tag) = rest.split_at(at);
        said.push_str(before);
        said.push(GAP);
        let inside = tag.strip_prefix(*open).unwrap_or_default();
        rest = inside.split_once(close).map_or("", |(_, after)| after);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_leave_a_gap_and_nothing_of_themselves() {
        for (source, said) in [
            ("Hi {{ name }}, see bit.ly/{{ id|default(\"FREE\") }}!", "Hi \u{fffc}, see bit.ly/\u{fffc}!"),
            ("{% if a %}A{% else %}B{%- endif %}{# free #}.", "\u{fffc}A\u{fffc}B\u{fffc}\u{fffc}."),
            ("plain { text }", "plain { text }"),
            ("cut {{ off", "cut \u{fffc}"),
            ("", ""),
        ] {
            assert_eq!(literal(source), said, "{source}");
        }
    }

    proptest! {
        #[test]
        fn text_without_braces_is_what_it_says(source in "[^{}%#]{0,80}") {
            prop_assert_eq!(literal(&source), source);
        }

        #[test]
        fn any_source_is_read(source in "[{}%# a-c]{0,60}") {
            prop_assert!(literal(&source).len() <= source.len().saturating_add(1));
        }
    }
}
