//! Fourteen short lives, written down instead of drawn, for crashing at every operation of the disk.

use std::time::Duration;

use dunlin::engine::dispatcher::DispatchLimits;
use dunlin_workflows::message::{OnUnknown, Priority};
use dunlin_workflows::rules::{RetryRules, Rules};

use crate::clock::BEGIN_MS;
use crate::plan::{Act, Blow, Fate, Odds, Plan, Texted, Wished};
use crate::proofs::{Codes, Proving};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

/// Who gets the first text.
const FIRST: u64 = 15_550_000_001;

/// A life and what is special about it.
pub(crate) struct Short {
    pub(crate) name: &'static str,
    fates: &'static [Fate],
    acts: &'static [(u64, Act)],
    scheduled_in: Option<u64>,
    expires_in: Option<u64>,
    on_unknown: OnUnknown,
    /// What the recipient texts back.
    texts: &'static [Texted],
    /// Two more texts, one of them the same to the same person.
    company: bool,
    silent: bool,
    /// Two users prove the recipient's number: with codes of ours, or of a service.
    codes: Option<By>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Text,
    Service,
}

const PLAIN: Short = Short {
    name: "taken and delivered",
    fates: &[Fate::Take],
    acts: &[],
    texts: &[],
    scheduled_in: None,
    expires_in: None,
    on_unknown: OnUnknown::Hold,
    company: false,
    silent: false,
    codes: None,
};

pub(crate) const LIVES: [Short; 14] = [
    PLAIN,
    Short { name: "three at once, two of them alike", company: true, fates: &[Fate::TakeSlowly], ..PLAIN },
    Short {
        name: "scheduled, then put off",
        scheduled_in: Some(20 * SECOND),
        acts: &[(10 * SECOND, Act::Reschedule(Some(40 * SECOND)))],
        ..PLAIN
    },
    Short {
        name: "canceled in time",
        scheduled_in: Some(MINUTE),
        acts: &[(20 * SECOND, Act::Cancel)],
        ..PLAIN
    },
    Short {
        name: "put off until its deadline",
        scheduled_in: Some(20 * SECOND),
        expires_in: Some(MINUTE),
        acts: &[(10 * SECOND, Act::Reschedule(Some(45 * SECOND)))],
        fates: &[Fate::Unconnected, Fate::Unconnected],
        ..PLAIN
    },
    Short {
        name: "stopped before its time, and agreed again",
        scheduled_in: Some(20 * SECOND),
        texts: &[
            Texted { at: 20_990, from: FIRST, words: "STOP" },
            Texted { at: 30_000, from: FIRST, words: "START" },
        ],
        company: true,
        ..PLAIN
    },
    Short { name: "lost and found", fates: &[Fate::LateTake], company: true, ..PLAIN },
    Short {
        name: "lost, never taken, sent again",
        fates: &[Fate::TimeoutBefore, Fate::Take],
        on_unknown: OnUnknown::Resend,
        ..PLAIN
    },
    Short {
        name: "lost, never taken, and stopped before it was sent again",
        fates: &[Fate::TimeoutBefore, Fate::Take],
        on_unknown: OnUnknown::Resend,
        texts: &[Texted { at: 25 * SECOND, from: FIRST, words: "STOP" }],
        ..PLAIN
    },
    Short {
        name: "lost, held for a person",
        fates: &[Fate::ServerErrorUntaken],
        acts: &[(13 * MINUTE, Act::Retry)],
        ..PLAIN
    },
    Short {
        name: "refused by a busy lane, then for good",
        fates: &[Fate::TooMany, Fate::Unauthorized, Fate::BadNumber],
        acts: &[(10 * MINUTE, Act::Retry)],
        ..PLAIN
    },
    Short { name: "taken, and nobody calls back", fates: &[Fate::Take], silent: true, ..PLAIN },
    Short { name: "two prove a number with codes of ours", codes: Some(By::Text), ..PLAIN },
    Short { name: "two prove a number with codes of a service", codes: Some(By::Service), ..PLAIN },
];

/// A text is taken after its client gave up, and may be sent again; meanwhile the clock jumps back.
/// The search must not take the loss for earlier than the start.
pub(crate) fn clock_jumps_back() -> Plan {
    let life = Short { fates: &[Fate::LateTake], on_unknown: OnUnknown::Resend, silent: true, ..PLAIN };
    let jump = (5 * SECOND, Blow::Jump(-3_600_000));
    Plan { blows: vec![jump], ..life.plan(None, 1) }
}

impl Short {
    /// This life, with the power going at the so many-th change of the disk, and again after that
    /// many more when the engine has started anew.
    pub(crate) fn plan(&self, crash_at: Option<u64>, seed: u64) -> Plan {
        let first = Wished {
            at: SECOND,
            to: FIRST,
            body: "Your table is ready.".into(),
            keyed: true,
            batched: self.company,
            priority: Priority::Normal,
            on_unknown: self.on_unknown,
            scheduled_in: self.scheduled_in,
            expires_in: self.expires_in,
            acts: self.acts.to_vec(),
        };
        let mut wishes = vec![first.clone()];
        if self.company {
            wishes.push(Wished { at: 1001, acts: Vec::new(), ..first.clone() });
            wishes.push(Wished { at: 1500, to: 15_550_000_002, acts: Vec::new(), ..first });
        }
        let minutes = |list: &[u64]| list.iter().map(|n| Duration::from_mins(*n)).collect::<Vec<_>>();
        let rules = Rules {
            retry: RetryRules { attempts_max: 3, ..Rules::default().retry },
            unknown_hold: Duration::from_hours(1),
            polls: minutes(&[10, 60]),
            ..Rules::default()
        };
        let callback_lost = if self.silent { 1000 } else { 0 };
        Plan {
            seed,
            wishes,
            texts: self.texts.to_vec(),
            begin_ms: BEGIN_MS,
            users: Vec::new(),
            codes: self.codes.map_or_else(Codes::default, race),
            blows: crash_at.map(|n| (0, Blow::PowerLoss(n))).into_iter().collect(),
            odds: Odds { callback_lost, unreported: callback_lost, ..Odds::default() },
            fates: self.fates.to_vec(),
            calm_at: 20 * MINUTE,
            rules: vec![rules],
            limits: DispatchLimits { concurrency: 2, segments_per_second: None },
            horizon: Duration::from_mins(1),
            defect: None,
            people_decide: true,
            crash_again: seed.is_multiple_of(2).then_some(1 + seed / 2 % 40),
        }
    }
}

/// Somebody mistypes the code once; meanwhile another user asks for the same number.
fn race(by: By) -> Codes {
    let first = Proving { at: 2 * SECOND, to: FIRST, is_rival: false, slips: 1 };
    let second = Proving { at: 80 * SECOND, is_rival: true, slips: 0, ..first };
    Codes { by_service: by == By::Service, wanted: vec![first, second], ..Codes::default() }
}
