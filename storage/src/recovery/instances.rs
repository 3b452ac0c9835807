//! Verifying small workflows: every table about them says exactly what the records say.

use dunlin_workflows::id::UserNumber;
use dunlin_workflows::timestamp::Timestamp;

use super::fold::Fold;
use super::indexes::count;
use super::problem::{Problem, VerifyReport};
use crate::error::{Fault, ReadError};
use crate::instance::{InstanceKind, InstanceState, row_of};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::table;

/// An instance as its records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedInstance {
    /// The fold of its events.
    pub(crate) state: InstanceState,
    /// Position of its newest record.
    pub last_seq: JournalSeq,
}

/// Compares the tables with the records.
pub(super) fn check(reader: &Reader, fold: &Fold, report: &mut VerifyReport) -> Result<(), ReadError> {
    let rows = reader.open(table::INSTANCES)?;
    let timers = reader.open(table::INSTANCE_TIMERS)?;
    let claims = reader.open(table::INSTANCE_CLAIMS)?;
    let mut expected = Expected::default();
    for ((kind, number), folded) in &fold.instances {
        report.instances = report.instances.saturating_add(1);
        let differs = |table| Problem::DifferentInstance { table, kind: *kind, number: *number };
        let row = rows.get((kind.number(), *number)).map_err(Fault::from)?;
        let row = row.and_then(|bytes| row_of(*kind, *number, bytes.value()).ok());
        if row != Some((folded.state.clone(), folded.last_seq)) {
            report.add(differs("instances"));
        }
        if let Some(at) = folded.state.timer().map(Timestamp::as_millis) {
            expected.timers = expected.timers.saturating_add(1);
            if timers.get((at, kind.number(), *number)).map_err(Fault::from)?.is_none() {
                report.add(differs("instance_timers"));
            }
        }
        if let Some(claim) = folded.state.claim() {
            expected.claims = expected.claims.saturating_add(1);
            let claimant = claims.get((kind.number(), claim)).map_err(Fault::from)?;
            if claimant.is_none_or(|claimant| claimant.value() != *number) {
                report.add(differs("instance_claims"));
            }
        }
        if folded.state.is_named() && *kind != InstanceKind::User {
            expected.named = expected.named.saturating_add(1);
        }
    }
    let instances = u64::try_from(fold.instances.len()).unwrap_or(u64::MAX);
    count(report, "instances", instances, &rows)?;
    count(report, "instance_timers", expected.timers, &timers)?;
    count(report, "instance_claims", expected.claims, &claims)?;
    let users = check_users(reader, fold, report)?;
    let named = expected.named.saturating_add(users);
    count(report, "instance_names", named, &reader.open(table::INSTANCE_NAMES)?)?;
    Ok(())
}

/// Whoever a message names, or of whom something is known, has a key unless they were erased, and nobody has one after
/// that. Gives how many have their name in the index: those of the newest are in memory.
fn check_users(reader: &Reader, fold: &Fold, report: &mut VerifyReport) -> Result<u64, ReadError> {
    let keys = reader.open(table::USER_KEYS)?;
    let told_of = |user: u64| fold.instances.get(&(InstanceKind::User, user));
    let is_erased = |user: u64| told_of(user).is_some_and(|folded| !folded.state.is_named());
    let users = fold.instances.keys().filter(|(kind, _)| *kind == InstanceKind::User).map(|(_, user)| *user);
    for user in users.chain(fold.users.iter().map(|user| user.get())).filter(|user| !is_erased(*user)) {
        if keys.get(user).map_err(Fault::from)?.is_none() {
            report.add(Problem::DifferentInstance {
                table: "user_keys",
                kind: InstanceKind::User,
                number: user,
            });
        }
    }
    let (last, mut named) = (reader.users_indexed()?, 0_u64);
    for entry in keys.range::<u64>(..).map_err(Fault::from)? {
        let user = entry.map_err(Fault::from)?.0.value();
        if is_erased(user) {
            report.add(Problem::StrayEntry { table: "user_keys", key: user.to_string() });
        }
        named = named.saturating_add(u64::from(UserNumber::new(user) <= last));
    }
    Ok(named)
}

/// What the tables should hold.
#[derive(Default)]
struct Expected {
    timers: u64,
    claims: u64,
    named: u64,
}
