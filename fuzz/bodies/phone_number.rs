//! Telephone numbers as people write them.
//!
//! Input: the code of the region that numbers without a country belong to, a line break, and the number.

use dunlin_workflows::phone_number::{PhoneNumber, PhoneNumberError, Region};

/// A number that is taken is E.164, reads back as itself, and is never shown whole by mistake.
pub fn phone_number(input: &[u8]) {
    judge(input, PhoneNumber::parse);
}

/// Judges a reader of numbers by one input.
pub fn judge(input: &[u8], parse: impl Fn(&str, Option<Region>) -> Result<PhoneNumber, PhoneNumberError>) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (region, text) = text.split_once('\n').unwrap_or(("", text));
    let region = region.parse::<Region>().ok();
    let masked = match parse(text, region) {
        Ok(number) => {
            let written = number.to_string();
            assert!(is_e164(&written), "{text:?} was taken as {written}");
            assert_eq!(parse(&written, None).as_ref(), Ok(&number), "{text:?} is not possible when written");
            assert_eq!(parse(&written, region).as_ref(), Ok(&number), "the region changes {written}");
            assert_eq!(PhoneNumber::from_digits(number.digits()), Some(number));
            assert!(!is_e164(text) || text == written, "{text} lost digits: {written}");
            assert_eq!(format!("{number:?}"), number.masked());
            number.masked()
        }
        Err(PhoneNumberError::Empty) => String::new(),
        Err(PhoneNumberError::TextTooLong { bytes }) => {
            assert_eq!(bytes, text.len());
            String::new()
        }
        Err(PhoneNumberError::NoCountry { masked }) => {
            assert_eq!(region, None, "a region was given");
            masked
        }
        Err(
            PhoneNumberError::NotANumber { masked }
            | PhoneNumberError::Impossible { masked }
            | PhoneNumberError::NotInRegion { masked, .. },
        ) => masked,
    };
    let shown = masked.chars().filter(char::is_ascii_digit).count();
    assert!(shown <= 4, "{text:?} is shown as {masked}");
}

/// A plus sign and 7 to 15 digits, the first of them not zero.
fn is_e164(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next() == Some('+')
        && letters.clone().next() != Some('0')
        && (7..=15).contains(&letters.clone().count())
        && letters.all(|c| c.is_ascii_digit())
}
