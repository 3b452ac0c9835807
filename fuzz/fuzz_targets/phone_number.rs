//! Feeds `bodies/phone_number.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::phone_number::phone_number(input));
