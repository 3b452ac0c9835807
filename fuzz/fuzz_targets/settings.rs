//! Feeds `bodies/settings.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::settings::settings(input));
