//! Feeds `bodies/inbound.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dunlin_fuzz::inbound::inbound(input));
