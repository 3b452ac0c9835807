//! No text panics the number parser, and a number that it takes reads back as itself.
#![no_main]

use dunlin_workflows::phone_number::PhoneNumber;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(number) = PhoneNumber::parse(text, "US".parse().ok()) {
        assert_eq!(PhoneNumber::parse(&number.to_string(), None).as_ref(), Ok(&number));
    }
});
