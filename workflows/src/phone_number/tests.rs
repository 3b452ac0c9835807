//! What counts as a number, and what is refused.

use proptest::prelude::*;

use super::*;

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn read(raw: &str, default_region: Option<&str>) -> String {
    PhoneNumber::parse(raw, default_region.map(region))
        .map_or_else(|error| error.to_string(), |n| n.to_string())
}

#[test]
fn e164_digits_are_never_rewritten() {
    // The first three lose a digit in the `phonenumber` crate 0.3.10.
    for text in ["+78001234567", "+37080012345", "+3758011234567", "+390612345678", "+2901234", "+4512345678"]
    {
        for default in [None, Some("US"), Some("RU"), Some("LT")] {
            assert_eq!(read(text, default), text);
        }
    }
}

#[test]
fn numbers_people_test_with_are_accepted() {
    let magic = (0..10).map(|last| format!("+1500555000{last}"));
    for text in magic.chain(["+15551234567", "+15558675310", "+15017122661"].map(str::to_owned)) {
        assert_eq!(read(&text, None), text);
    }
}

#[test]
fn plus_wins_over_the_default_region() {
    assert_eq!(read("+45 12 34 56 78", Some("US")), "+4512345678");
    assert_eq!(read("\u{ff0b}\u{ff14}\u{ff15} 12-34-56-78", Some("US")), "+4512345678");
    assert_eq!(read("+44 (0)20 7946 0018", None), "+442079460018");
    assert_eq!(read("\u{202a}+1 (555) 123-4567\u{202c}", None), "+15551234567");
}

#[test]
fn national_number_needs_a_region_and_must_be_valid_there() {
    assert_eq!(read("020 7946 0018", Some("GB")), "+442079460018");
    assert_eq!(read("(201) 555-0123", Some("US")), "+12015550123");
    assert_eq!(read("0045 32 12 34 56", Some("GB")), "+4532123456");
    for text in ["020 7946 0018", "0045 32 12 34 56", "4532123456", "2015550123"] {
        assert!(matches!(PhoneNumber::parse(text, None), Err(PhoneNumberError::NoCountry { .. })), "{text}");
    }
    assert_eq!(
        read("(555) 123-4567", Some("US")),
        "\"(55*) ***-**67\" is not a number of US; check the digits, or start it with + and the country code"
    );
}

#[test]
fn impossible_numbers_are_refused() {
    // Too short, too long, a local number, unknown country code, a trunk 0 kept after the country code.
    for text in ["+1555123456", "+155512345678", "+12530000", "+9991234567", "+4402079460018"] {
        let refused = PhoneNumber::parse(text, Some(region("US")));
        assert!(matches!(refused, Err(PhoneNumberError::Impossible { .. })), "{text}: {refused:?}");
    }
}

#[test]
fn what_is_not_one_number_is_refused_rather_than_trimmed() {
    for text in [
        "+45 12 34 56 78 ext. 3",
        "+45 12 34 56 78;ext=3",
        "+4512345678,+4587654321",
        "+4512345678 +4587654321",
        "1-800-FLOWERS",
        "tel:+4512345678",
        "Anders Andersen",
        "+4512345678\u{bd}",
        "++4512345678",
        "+",
        "()",
        "45#12345678",
    ] {
        let refused = PhoneNumber::parse(text, Some(region("DK")));
        assert!(matches!(refused, Err(PhoneNumberError::NotANumber { .. })), "{text}: {refused:?}");
    }
    assert_eq!(PhoneNumber::parse(" \u{200e}", None), Err(PhoneNumberError::Empty));
    assert_eq!(PhoneNumber::parse(&"1".repeat(65), None), Err(PhoneNumberError::TextTooLong { bytes: 65 }));
}

#[test]
fn debug_and_errors_hide_the_middle_of_a_number() {
    let number = PhoneNumber::parse("+4512345678", None).unwrap();
    assert_eq!((format!("{number:?}"), number.masked()), ("+45******78".into(), "+45******78".into()));
    assert_eq!(PhoneNumber::from_digits(2_901_234).unwrap().masked(), "+29***34");
    assert_eq!(mask_text("Anna 123456"), "**** ******");
}

#[test]
fn digits_are_seven_to_fifteen() {
    for digits in [0, 999_999, 1_000_000_000_000_000, u64::MAX] {
        assert_eq!(PhoneNumber::from_digits(digits), None);
    }
    for digits in [1_000_000, 999_999_999_999_999] {
        assert_eq!(PhoneNumber::from_digits(digits).unwrap().digits(), digits);
    }
}

#[test]
fn neighbors_under_country_code_1_belong_to_the_same_region() {
    let number = |digits: u64| PhoneNumber::from_digits(digits).unwrap();
    let mut regions = std::collections::BTreeSet::new();
    // Every area code, and among its office codes others each time.
    for block in (1_000_000..2_000_000).step_by(97) {
        let first = number(block * 10_000);
        let region = first.region();
        for line in [1, 123, 4_567, 9_999] {
            let neighbor = number(block * 10_000 + line);
            assert_eq!(neighbor.neighborhood(), first);
            assert_eq!(neighbor.region(), region, "{}", neighbor.digits());
        }
        regions.extend(region);
    }
    assert!(regions.len() > 20, "{regions:?}");
    for alone in [4_512_345_678, 1_555_123_456, 155_512_345_678, 20_000_000_001] {
        assert_eq!(number(alone).neighborhood(), number(alone));
    }
}

proptest! {
    #[test]
    fn accepted_number_reads_back_as_itself(text in "[+]?[0-9 ()./-]{4,20}", default in "(US|GB|DK|IT|AR|MX|BR)") {
        if let Ok(number) = PhoneNumber::parse(&text, Some(region(&default))) {
            prop_assert_eq!(PhoneNumber::parse(&number.to_string(), None), Ok(number));
            prop_assert_eq!(PhoneNumber::from_digits(number.digits()), Some(number));
        }
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in "\\PC{0,24}", phoneish in "[+0-9;=:a-z\u{ff0b}\u{ff10} ]{0,24}") {
        for raw in [text, phoneish] {
            for default in [None, Some(region("US")), Some(region("IT"))] {
                let secret: String = raw.chars().filter(char::is_ascii_digit).collect();
                if let Err(error) = PhoneNumber::parse(&raw, default) {
                    prop_assert!(secret.len() < 5 || !error.to_string().contains(&secret));
                }
            }
        }
    }
}
