//! What is asserted about hostile input: one plain function per target, which ends quietly or panics.
//!
//! A fuzzer and `tests/corpora` run the same functions. None of them may panic for what the input is,
//! only for what the code under test makes of it. Where a slow oracle judges, the code under test is an
//! argument, so that the tests can hand in a wrong one and see it caught.

pub mod answer;
pub mod body;
pub mod callback;
pub mod fold;
pub mod import;
pub mod inbound;
pub mod instant;
pub mod keyring;
pub mod life;
pub mod phone_number;
pub mod record;
pub mod settings;
pub mod signature;
pub mod slow_form;
pub mod slow_hash;
pub mod slow_segments;
pub mod tape;
pub mod what_if;
pub mod wish;

/// What is done with one input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus and its binary too.
pub const TARGETS: [(&str, Target); 15] = [
    ("answer", answer::answer),
    ("body", body::body),
    ("callback", callback::callback),
    ("fold", fold::fold),
    ("import", import::import),
    ("inbound", inbound::inbound),
    ("instant", instant::instant),
    ("keyring", keyring::keyring),
    ("life", life::life),
    ("phone_number", phone_number::phone_number),
    ("record", record::record),
    ("settings", settings::settings),
    ("signature", signature::signature),
    ("what_if", what_if::what_if),
    ("wish", wish::wish),
];
