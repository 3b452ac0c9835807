//! What may happen to a text message: decisions as pure functions of state, command and time.
//!
//! Nothing here does I/O, reads a clock, draws randomness or knows a wire format. The same code
//! runs in the daemon and in offline replay, so what one decided the other can prove.
//!
//! Reading order: [`message`] (the life of a message), [`policy`] (the gate that it meets), [`consent`]
//! (whether a person agrees), [`user`] (what somebody prefers, and which number is theirs), [`verification`] (how that
//! is proven) within an [`allowance`], [`recurrence`] (what comes again and again), [`recovery`] (trying again together),
//! [`lane`] (the way to the provider), [`alarm`] (when failures repeat), [`rules`] (what decisions depend on), [`provider_error`] (what the provider's codes
//! mean), [`filtering`] (what carriers may filter), then the values: [`phone_number`], [`body`], [`segment`], [`id`], [`source`], [`timestamp`], [`zone`] (what the
//! clock shows where somebody is).

pub mod actor;
pub mod alarm;
pub mod allowance;
pub mod body;
pub mod consent;
pub mod filtering;
pub mod folded;
pub mod id;
pub mod kind;
pub mod lane;
pub mod message;
pub mod phone_number;
pub mod policy;
pub mod provider_error;
pub mod recovery;
pub mod recurrence;
pub mod rules;
pub mod segment;
pub mod source;
pub mod template;
pub mod timestamp;
pub mod user;
pub mod verification;
pub mod what_if;
pub mod zone;
