//! Advice about filters: what is found, what is left alone, and that any text is read without harm.

use proptest::prelude::*;

use super::*;
use crate::template::{BUILT_IN, literal};

fn found(text: &str) -> Vec<(&'static str, String)> {
    warnings(text).into_iter().map(|warning| (warning.risk.as_str(), warning.found)).collect()
}

fn one(risk: &'static str, what: &str) -> Vec<(&'static str, String)> {
    vec![(risk, what.to_owned())]
}

#[test]
fn tables_are_sorted_without_repeats_and_every_row_names_its_source() {
    assert!(SHORTENERS.is_sorted_by(|(one, _), (two, _)| one < two));
    assert!(TERMS.is_sorted_by(|(one, ..), (two, ..)| one < two));
    for (term, _, source) in TERMS {
        assert_eq!(folded(term), term, "is compared as it is folded");
        assert!(source.starts_with("https://"), "{term}");
        assert!(
            RISKS
                .iter()
                .any(|(risk, _)| !risk.advice().is_empty() && found(term).iter().any(|(_, it)| it == term))
        );
    }
}

#[test]
fn shared_shorteners_are_found_where_a_host_stands() {
    for text in [
        "See bit.ly/3xYz",
        "HTTPS://BIT.LY/3xYz",
        "(www.bit.ly)",
        "bit.ly.",
        "\u{ff42}\u{ff49}\u{ff54}.ly/x",
        "a:bit.ly?x",
    ] {
        assert_eq!(found(text), one("public_shortener", "bit.ly"), "{text}");
    }
    for text in [
        "rabbit.ly/x",
        "go.bit.ly/x",
        "bit.lyon",
        "bit.ly.example.com",
        "me@bit.ly",
        "bit-ly",
        "a-bit.ly",
        "bit.ly-x",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn words_are_found_whole_and_in_any_case() {
    assert_eq!(found("Ask about Payday-Loans today"), one("forbidden_topic", "payday loans"));
    assert_eq!(found("CBD-infused tea"), one("forbidden_topic", "cbd"));
    assert_eq!(found("You are a WINNER"), one("promotional_words", "winner"));
    assert_eq!(found("\u{ff26}\u{ff32}\u{ff25}\u{ff25} pie"), one("promotional_words", "free"), "full width");
    for text in ["Freedom of Freetown", "The casinoesque alcoholic", "debt and collection", "offered"] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn shouting_is_found_and_keywords_and_abbreviations_are_left_alone() {
    assert_eq!(found("BOOK WITH US, 2 DAYS left"), one("all_capitals", "BOOK WITH US DAYS"));
    assert_eq!(found("\u{41a}\u{423}\u{41f}\u{418}\u{422}\u{415} \u{42d}\u{422}\u{41e} \u{421}\u{415}\u{419}\u{427}\u{410}\u{421}").len(), 1);
    assert_eq!(found("Hurry?!! up"), one("repeated_punctuation", "?!!"));
    assert_eq!(found("Hurry\u{203c}\u{ff01} up"), one("repeated_punctuation", "!!!"));
    for text in [
        "Reply STOP or HELP",
        "Fly JFK LAX CPH",
        "URGENT: pay rent",
        "Really?! Yes!!",
        "A B C D E F G H I J K L",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn built_in_templates_are_advised_against_nothing() {
    for built_in in BUILT_IN {
        for (_, source) in built_in.content().texts() {
            assert_eq!(warnings(&literal(source)), [], "{source}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_is_found_is_there_once(text in "\\PC{0,400}") {
        let all = warnings(&text);
        for (at, warning) in all.iter().enumerate() {
            prop_assert!(!warning.found.is_empty() && warning.found.chars().count() <= SHOWN);
            prop_assert!(!all[..at].contains(warning));
        }
    }

    #[test]
    fn what_stands_around_a_word_does_not_hide_it(
        n in 0..TERMS.len(), before in "[ .,:;(\\n]{0,5}", after in "[ .,:;)\\n]{0,5}", upper: bool,
    ) {
        let (term, risk, _) = TERMS[n];
        let said = if upper { term.to_uppercase() } else { term.to_owned() };
        let text = format!("hello{before} {said} {after}there");
        prop_assert!(warnings(&text).iter().any(|warning| warning.found == term && warning.risk == risk), "{}", text);
    }

    #[test]
    fn what_was_said_quietly_stays_quiet(text in "[a-z ,.]{0,200}") {
        prop_assert!(warnings(&text).iter().all(|it| !matches!(it.risk, Risk::AllCapitals | Risk::RepeatedPunctuation)));
    }
}
