//! No form panics the callback parser.
#![no_main]

use dunlin::twilio::callback::StatusCallback;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|form: &[u8]| {
    drop(StatusCallback::parse(form));
});
