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
    let users_indexed = reader.users_indexed()?;
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
        if folded.state.is_named() {
            expected.users = expected.users.saturating_add(u64::from(*kind == InstanceKind::User));
            // The names of the newest users are in memory.
            let is_gathered = *kind == InstanceKind::User && UserNumber::new(*number) > users_indexed;
            expected.named = expected.named.saturating_add(u64::from(!is_gathered));
        }
    }
    let instances = u64::try_from(fold.instances.len()).unwrap_or(u64::MAX);
    count(report, "instances", instances, &rows)?;
    count(report, "instance_timers", expected.timers, &timers)?;
    count(report, "instance_claims", expected.claims, &claims)?;
    count(report, "instance_names", expected.named, &reader.open(table::INSTANCE_NAMES)?)?;
    count(report, "user_keys", expected.users, &reader.open(table::USER_KEYS)?)?;
    Ok(())
}

/// What the tables should hold.
#[derive(Default)]
struct Expected {
    timers: u64,
    claims: u64,
    named: u64,
    users: u64,
}
