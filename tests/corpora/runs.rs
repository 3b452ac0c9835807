//! Every body over its corpus, and over bytes that were changed or made up from a seed.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::bodies::{TARGETS, Target};
use crate::corpus;

/// Longest input that is made up, in bytes.
const BYTES_MAX: usize = 1024;
/// Inputs for each body, of either kind, unless told otherwise.
const CASES: u32 = 300;

/// One input; `Debug` writes it as a byte string.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

#[test]
fn every_body_holds_for_every_file_of_its_corpus() {
    let mut broken = Vec::new();
    for (target, body) in TARGETS {
        for (name, bytes) in corpus::of(target) {
            if catch_unwind(AssertUnwindSafe(|| body(&bytes))).is_err() {
                broken.push(format!("{target}/{name}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken by {broken:?}; what was asserted is told above");
}

#[test]
fn every_body_holds_for_every_beginning_of_every_file() {
    for (target, body) in TARGETS {
        for (_, bytes) in corpus::of(target) {
            let step = bytes.len() / 32 + 1;
            (0..bytes.len()).step_by(step).for_each(|length| body(&bytes[..length]));
        }
    }
}

#[test]
fn every_body_holds_for_changed_files() {
    for_every_body(|files| {
        let place = any::<prop::sample::Index>;
        let change = (0_u8..6, place(), place(), any::<u8>());
        let changes = prop::collection::vec(change, 1..6);
        (place(), place(), changes).prop_map(move |(file, other, changes)| {
            let mut bytes = file.get(&files).1.clone();
            for (kind, at, length, byte) in changes {
                alter(&mut bytes, kind, at, length, byte, &other.get(&files).1);
            }
            bytes
        })
    });
}

#[test]
fn every_body_holds_for_bytes_out_of_nowhere() {
    for_every_body(|_files| {
        let letters = prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\0\n\r\"%&'+,-./09:;=?@[]{}\\\xff ".to_vec()),
            32_u8..127,
        ];
        prop_oneof![
            2 => prop::collection::vec(letters, 0..BYTES_MAX),
            1 => "\\PC{0,200}".prop_map(String::into_bytes),
        ]
    });
}

/// Changes bytes as a fuzzer does: sets, adds, removes, repeats, cuts off, or goes on with another file.
fn alter(
    bytes: &mut Vec<u8>,
    kind: u8,
    at: prop::sample::Index,
    length: prop::sample::Index,
    byte: u8,
    other: &[u8],
) {
    let from = at.index(bytes.len() + 1);
    let to = from + length.index(bytes.len() - from + 1);
    match kind {
        0 if from < bytes.len() => bytes[from] = byte,
        1 => bytes.insert(from, byte),
        2 => drop(bytes.drain(from..to)),
        3 => {
            let again = bytes[from..to].to_vec();
            bytes.splice(from..from, again);
        }
        4 => bytes.truncate(from),
        _ => {
            bytes.truncate(from);
            bytes.extend_from_slice(&other[length.index(other.len() + 1)..]);
        }
    }
    bytes.truncate(2 * BYTES_MAX);
}

/// Runs every body over inputs that `strategy` makes of its corpus. A failure is made smaller, and told
/// with its bytes and the seed.
fn for_every_body<S>(strategy: impl Fn(Vec<(String, Vec<u8>)>) -> S)
where
    S: Strategy<Value = Vec<u8>>,
{
    let seed = number("DUNLIN_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cases = number("DUNLIN_CORPORA_CASES").and_then(|cases| cases.try_into().ok()).unwrap_or(CASES);
    for (target, body) in TARGETS {
        if let Err(why) = run(seed, cases, strategy(corpus::of(target)), body) {
            panic!("{target}, with DUNLIN_SEED={seed}: {why}");
        }
    }
}

fn run(seed: u64, cases: u32, strategy: impl Strategy<Value = Vec<u8>>, body: Target) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let tried = TestRunner::new_with_rng(config, rng).run(&strategy.prop_map(Input), |input| {
        body(&input.0);
        Ok(())
    });
    tried.map_err(|error| error.to_string())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_body_that_fails_is_told_with_its_smallest_input() {
    let fails: Target = |input| assert!(!input.contains(&b'!'), "no shouting");
    let why = run(7, 2000, prop::collection::vec(any::<u8>(), 0..64), fails).unwrap_err();
    assert!(why.contains("no shouting") && why.contains("b\"!\""), "{why}");
}
