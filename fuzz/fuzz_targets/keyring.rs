//! Feeds `bodies/keyring.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::keyring::keyring(input));
