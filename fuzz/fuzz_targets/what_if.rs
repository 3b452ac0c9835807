//! Feeds `bodies/what_if.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::what_if::what_if(input));
