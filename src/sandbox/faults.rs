//! What may go wrong on purpose: drawn from a seed, so that a run can be had again.

use std::sync::Mutex;
use std::time::Duration;

/// Faults that the carrier injects, each with its probability from 0 to 1, and its delays.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    probabilities: [f64; NAMES.len()],
    /// Time before a creation is answered.
    pub latency: Duration,
    /// Time between the steps of a message's way to the handset.
    pub callback_latency: Duration,
    /// How long a message is missing from list and fetch.
    pub late_list: Duration,
    /// How long a timeout hangs.
    pub hang: Duration,
    /// `Retry-After` of a 429, in whole seconds.
    pub retry_after: Duration,
    /// Seed of the draws.
    pub seed: u64,
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// 429 with `Retry-After`; not taken.
    Rate429,
    /// 500; not taken.
    Error500,
    /// The connection breaks; not taken.
    ResetBefore,
    /// Taken, and never answered.
    TimeoutAfterAccept,
    /// Taken, and the connection breaks.
    ResetAfterAccept,
    /// Taken, and answered with 500.
    Error500AfterAccept,
    /// The first callback comes before the answer.
    CallbackEarly,
    /// A callback comes twice.
    CallbackDuplicate,
    /// Callbacks come in the wrong order.
    CallbackReorder,
    /// A callback never comes.
    CallbackLost,
}

const NAMES: [(Fault, &str); 10] = [
    (Fault::Rate429, "rate_429"),
    (Fault::Error500, "error_500"),
    (Fault::ResetBefore, "reset_before"),
    (Fault::TimeoutAfterAccept, "timeout_after_accept"),
    (Fault::ResetAfterAccept, "reset_after_accept"),
    (Fault::Error500AfterAccept, "error_500_after_accept"),
    (Fault::CallbackEarly, "callback_early"),
    (Fault::CallbackDuplicate, "callback_duplicate"),
    (Fault::CallbackReorder, "callback_reorder"),
    (Fault::CallbackLost, "callback_lost"),
];
const DELAYS: [&str; 5] = ["latency", "callback_latency", "late_list", "hang", "retry_after"];

/// The text does not describe faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// A name that is none of ours.
    #[error("\"{0}\" is not a fault; known are {known}", known = known())]
    Unknown(String),
    /// A value of the wrong kind.
    #[error("{name}=\"{value}\" is not {expected}")]
    Value {
        /// Which fault.
        name: String,
        /// What was given.
        value: String,
        /// What is wanted.
        expected: &'static str,
    },
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            probabilities: [0.0; NAMES.len()],
            latency: Duration::ZERO,
            callback_latency: Duration::ZERO,
            late_list: Duration::ZERO,
            hang: Duration::from_mins(1),
            retry_after: Duration::from_secs(1),
            seed: 1,
        }
    }
}

impl Faults {
    /// Reads `name=value` pairs separated by commas: probabilities from 0 to 1, delays such as
    /// `50ms`, and `seed=N`.
    ///
    /// # Errors
    /// [`FaultsError`], which lists what is known.
    pub fn parse(spec: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for pair in spec.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = |expected| FaultsError::Value { name: name.into(), value: value.into(), expected };
            let at = NAMES.iter().position(|(_, known)| *known == name);
            if let Some(probability) = at.and_then(|at| faults.probabilities.get_mut(at)) {
                let given: f64 = value.parse().map_err(|_not_a_number| wrong("a probability from 0 to 1"))?;
                if !(0.0..=1.0).contains(&given) {
                    return Err(wrong("a probability from 0 to 1"));
                }
                *probability = given;
                continue;
            }
            if name == "seed" {
                faults.seed = value.parse().map_err(|_not_a_number| wrong("a whole number"))?;
                continue;
            }
            let delay = match name {
                "latency" => &mut faults.latency,
                "callback_latency" => &mut faults.callback_latency,
                "late_list" => &mut faults.late_list,
                "hang" => &mut faults.hang,
                "retry_after" => &mut faults.retry_after,
                unknown => return Err(FaultsError::Unknown(unknown.into())),
            };
            *delay =
                humantime::parse_duration(value).map_err(|_not_a_delay| wrong("a delay such as 50ms"))?;
        }
        Ok(faults)
    }

    fn probability(&self, fault: Fault) -> f64 {
        NAMES.iter().zip(self.probabilities).find(|((named, _), _)| *named == fault).map_or(0.0, |(_, p)| p)
    }
}

fn known() -> String {
    let faults = NAMES.iter().map(|(_, name)| *name);
    faults.chain(DELAYS).chain(["seed"]).collect::<Vec<_>>().join(", ")
}

/// Draws faults, in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Dice {
    faults: Faults,
    draws: Mutex<fastrand::Rng>,
}

impl Dice {
    pub(super) fn new(faults: Faults) -> Self {
        let draws = Mutex::new(fastrand::Rng::with_seed(faults.seed));
        Self { faults, draws }
    }

    /// Whether this fault happens now.
    pub(super) fn falls(&self, fault: Fault) -> bool {
        let probability = self.faults.probability(fault);
        if probability <= 0.0 {
            return false;
        }
        let mut draws = self.draws.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        draws.f64() < probability
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_reads_as_written_and_unknown_names_list_the_known() {
        let faults = Faults::parse("rate_429=0.5, latency=20ms,seed=7").unwrap();
        assert!((faults.probability(Fault::Rate429) - 0.5).abs() < f64::EPSILON);
        assert_eq!((faults.latency, faults.seed), (Duration::from_millis(20), 7));
        let error = Faults::parse("rate_430=0.5").unwrap_err().to_string();
        assert!(error.contains("rate_430") && error.contains("callback_lost") && error.contains("late_list"));
        for wrong in ["rate_429=2", "rate_429=", "latency=fast", "seed=x"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let draw = || {
            let dice = Dice::new(Faults::parse("callback_lost=0.3,seed=9").unwrap());
            (0..64).map(|_| dice.falls(Fault::CallbackLost)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }
}
