//! Feeds `bodies/import.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::import::import(input));
