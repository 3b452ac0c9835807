//! What a seed stands for: who wishes what, which faults are in the mix, and when blows fall.

use std::sync::Arc;
use std::time::Duration;

use dunlin::engine::EngineConfig;
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::verifications::Verifying;
use dunlin::engine::verify_service::VerifyService;
use dunlin_workflows::alarm::AlarmRules;
use dunlin_workflows::kind::Kinds;
use dunlin_workflows::message::{OnUnknown, Priority};
use dunlin_workflows::policy::Limits;
use dunlin_workflows::rules::{Redeliver, RetryRules, Rules, Sending};
use fastrand::Rng;

use crate::proofs::{Codes, codes};
use crate::service::Absent;
use crate::users::{Preferred, limits, preferred};
use crate::zones::begin;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A bug planted around the engine, to see that the judge notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A sync returns before anything is durable: answers and submissions leave early.
    EffectsBeforeCommit,
    /// A server error passes for "nothing was sent".
    ServerErrorIsUnsent,
    /// Waits for a lost outcome run on the wall clock.
    WaitsOnWallClock,
    /// A rescheduled message loses its timer.
    RearmedTimerDropped,
    /// Whoever opted out is forgotten where texts meet the gate.
    GateIsBlind,
    /// What a user prefers is forgotten where texts meet the gate.
    PreferencesForgotten,
    /// What was counted is forgotten at every start.
    CounterForgotten,
    /// Whose number it is, is forgotten once it is proven.
    ProofForgotten,
    /// What went lately to whom ever is forgotten at every start.
    FlowForgotten,
}

/// What the provider does with one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Take,
    /// Taken, and callbacks come before the answer.
    TakeSlowly,
    TimeoutBefore,
    TimeoutAfter,
    /// Taken up to a minute after the client gave up.
    LateTake,
    TooMany,
    ServerErrorTaken,
    ServerErrorUntaken,
    Unconnected,
    BadNumber,
    OptedOut,
    Unauthorized,
}

pub(crate) const FATES: [Fate; 11] = [
    Fate::TakeSlowly,
    Fate::TimeoutBefore,
    Fate::TimeoutAfter,
    Fate::LateTake,
    Fate::TooMany,
    Fate::ServerErrorTaken,
    Fate::ServerErrorUntaken,
    Fate::Unconnected,
    Fate::BadNumber,
    Fate::OptedOut,
    Fate::Unauthorized,
];

/// One text that somebody wants sent. Times count from the world's begin.
#[derive(Debug, Clone)]
pub(crate) struct Wished {
    pub(crate) at: u64,
    pub(crate) to: u64,
    pub(crate) body: String,
    pub(crate) keyed: bool,
    /// Whether the request holds the next wish as well.
    pub(crate) batched: bool,
    pub(crate) priority: Priority,
    pub(crate) on_unknown: OnUnknown,
    /// Since the wish.
    pub(crate) scheduled_in: Option<u64>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) acts: Vec<(u64, Act)>,
}

/// What a person does about a text, some time after the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Cancel,
    /// To so long from then, or to now.
    Reschedule(Option<u64>),
    Retry,
    /// Asks again with the same key.
    Repeat,
}

/// A text of a person to us.
#[derive(Debug, Clone)]
pub(crate) struct Texted {
    pub(crate) at: u64,
    pub(crate) from: u64,
    pub(crate) words: &'static str,
}

/// What happens to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The power goes at the so many-th change of the disk from now.
    PowerLoss(u64),
    Kill,
    Restart,
    SyncFails,
    DiskFull,
    Freeze(u64),
    Jump(i64),
}

/// Parts in a thousand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Odds {
    pub(crate) fates: [u32; FATES.len()],
    pub(crate) answer_lost: u32,
    pub(crate) callback_lost: u32,
    pub(crate) callback_doubled: u32,
    pub(crate) callback_late: u32,
    pub(crate) callback_untokened: u32,
    pub(crate) unreported: u32,
    pub(crate) undelivered: u32,
    pub(crate) failed: u32,
    pub(crate) search_fails: u32,
    pub(crate) dies_while_opening: u32,
    /// How long the provider's list may lag.
    pub(crate) list_lag_ms: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// What the wall clock shows when it begins.
    pub(crate) begin_ms: i64,
    pub(crate) wishes: Vec<Wished>,
    pub(crate) texts: Vec<Texted>,
    /// What is said about users.
    pub(crate) users: Vec<Preferred>,
    /// Who proves numbers, and how.
    pub(crate) codes: Codes,
    pub(crate) blows: Vec<(u64, Blow)>,
    pub(crate) odds: Odds,
    /// What becomes of the first submissions, before chance decides.
    pub(crate) fates: Vec<Fate>,
    /// Faults end here.
    pub(crate) calm_at: u64,
    /// The rules of each process in turn; the last stay.
    pub(crate) rules: Vec<Rules>,
    pub(crate) limits: DispatchLimits,
    pub(crate) horizon: Duration,
    pub(crate) defect: Option<Defect>,
    /// Whether people look after what waits for them.
    pub(crate) people_decide: bool,
    /// The change of the disk at which the power goes again after the first loss.
    pub(crate) crash_again: Option<u64>,
}

fn up_to(rng: &mut Rng, per_mille: u32) -> u32 {
    // Half of the seeds are without: few faults at a time reach states that all of them hide.
    if rng.bool() { 0 } else { rng.u32(1..=per_mille) }
}

fn maybe<T>(rng: &mut Rng, per_mille: u32, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (rng.u32(0..1000) < per_mille).then(|| draw(rng))
}

/// A length of time whose magnitude is drawn first.
fn length(rng: &mut Rng, most: u64) -> u64 {
    let top = rng.choice([2 * SECOND, MINUTE, 10 * MINUTE, 2 * HOUR, 12 * HOUR]).unwrap_or(MINUTE);
    rng.u64(1..=top.min(most).max(2))
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let span = rng.choice([3 * MINUTE, 20 * MINUTE, 2 * HOUR, 8 * HOUR]).unwrap_or(HOUR);
        let odds = odds(&mut rng);
        let (people, texts) = (rng.u64(1..=4), rng.u64(1..=3));
        let acting = up_to(&mut rng, 850);
        let wishes: Vec<Wished> =
            (0..rng.u64(2..=12)).map(|n| wished(&mut rng, n, span, people, texts, acting)).collect();
        let mut rules = vec![rules(&mut rng)];
        for _ in 0..rng.u32(0..3) {
            let next = changed(&mut rng, &rules[0]);
            rules.push(next);
        }
        // Whatever was switched off is switched on again in the end.
        rules.push(Rules { sending: Sending::Enabled, ..rules[0].clone() });
        let demanded = limits(seed);
        for rules in &mut rules {
            rules.limits = demanded.clone();
        }
        let concurrency = rng.usize(1..=4);
        let segments_per_second = rng.bool().then(|| rng.u32(1..=5));
        let blows = blows(&mut rng, span);
        let (begin_ms, change) = begin(seed, span);
        Self {
            seed,
            begin_ms,
            texts: texts_of(seed, &wishes, span),
            users: preferred(seed, &wishes, span, change),
            codes: codes(seed, &wishes, span),
            wishes,
            blows,
            odds,
            fates: Vec::new(),
            calm_at: span,
            rules,
            limits: DispatchLimits { concurrency, segments_per_second },
            horizon: Duration::from_millis(rng.choice([MINUTE, HOUR, 100 * HOUR]).unwrap_or(MINUTE)),
            defect: None,
            people_decide: rng.bool(),
            crash_again: None,
        }
    }

    /// What the engine is started with the so many-th time.
    pub(crate) fn config(&self, boot: u64, calm: bool) -> EngineConfig {
        let last = self.rules.len() - 1;
        let service: Arc<dyn VerifyService> = Arc::new(Absent);
        let which = if calm { last } else { usize::try_from(boot).unwrap_or(last).min(last) };
        EngineConfig {
            rules: self.rules[which].clone(),
            limits: self.limits,
            queue_bytes_max: 1 << 20,
            timer_horizon: self.horizon,
            // Longer than every jump of the clock together.
            idempotency_retention: Duration::from_hours(24 * 30),
            orphan_retention: Duration::from_hours(24 * 30),
            questions_max: 4,
            verifying: Verifying {
                service: self.codes.by_service.then_some(service),
                ..Verifying::default()
            },
            lease: LeaseHandle::unlimited(),
            seed: self.seed ^ boot,
        }
    }
}

fn odds(rng: &mut Rng) -> Odds {
    let mut fates = [0; FATES.len()];
    for odds in &mut fates {
        *odds = up_to(rng, 250);
    }
    Odds {
        fates,
        answer_lost: up_to(rng, 300),
        callback_lost: up_to(rng, 700),
        callback_doubled: up_to(rng, 400),
        callback_late: up_to(rng, 300),
        callback_untokened: up_to(rng, 1000),
        unreported: up_to(rng, 300),
        undelivered: up_to(rng, 300),
        failed: up_to(rng, 200),
        search_fails: up_to(rng, 300),
        dies_while_opening: up_to(rng, 400),
        list_lag_ms: if rng.bool() { 0 } else { rng.u64(0..=45 * SECOND) },
    }
}

fn wished(rng: &mut Rng, n: u64, span: u64, people: u64, texts: u64, acting: u32) -> Wished {
    let at = rng.u64(0..span);
    let scheduled_in = maybe(rng, 400, |rng| length(rng, span));
    let expires_in = maybe(rng, 300, |rng| scheduled_in.unwrap_or(0) + length(rng, 24 * HOUR));
    let mut acts = Vec::new();
    while let Some(after) = maybe(rng, acting, |rng| length(rng, span)) {
        // The closest race is with the timer that sends it.
        let race = scheduled_in.filter(|_| rng.bool()).map(|at| at.saturating_sub(20) + rng.u64(0..60));
        acts.push((race.unwrap_or(after), act(rng, span)));
    }
    Wished {
        at,
        to: 15_550_000_000 + rng.u64(0..people),
        body: format!("text {}", if rng.bool() { rng.u64(0..texts) } else { 100 + n }),
        keyed: rng.u32(0..10) > 0,
        batched: rng.u32(0..8) == 0,
        priority: rng
            .choice([Priority::Urgent, Priority::High, Priority::Normal, Priority::Low])
            .unwrap_or_default(),
        on_unknown: if rng.bool() { OnUnknown::Hold } else { OnUnknown::Resend },
        scheduled_in,
        expires_in,
        acts,
    }
}

/// What the recipients of these wishes text back: half of the worlds are without, so that most texts go.
fn texts_of(seed: u64, wishes: &[Wished], span: u64) -> Vec<Texted> {
    let mut rng = Rng::with_seed(seed ^ 0x7e87);
    let count = if rng.bool() { 0 } else { rng.u32(1..=5) };
    let mut texts: Vec<Texted> = Vec::new();
    for _ in 0..count {
        let Some(wish) = rng.choice(wishes) else { break };
        // The closest race is with the moment at which it is sent.
        let sent_at = (wish.at + wish.scheduled_in.unwrap_or(0)).saturating_sub(20) + rng.u64(0..60);
        let at = if rng.bool() { sent_at } else { rng.u64(0..span) };
        let words = ["STOP", "STOP", "START", "please stop", "HELP"];
        texts.push(Texted { at, from: wish.to, words: rng.choice(words).unwrap_or("STOP") });
    }
    texts
}

fn act(rng: &mut Rng, span: u64) -> Act {
    match rng.u32(0..4) {
        0 => Act::Cancel,
        1 => Act::Reschedule(rng.bool().then(|| length(rng, span))),
        2 => Act::Retry,
        _ => Act::Repeat,
    }
}

fn rules(rng: &mut Rng) -> Rules {
    let long = |list: &[u64]| list.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
    Rules {
        sending: Sending::Enabled,
        retry: RetryRules {
            base: Duration::from_secs(rng.u64(1..=10)),
            cap: Duration::from_mins(rng.u64(1..=60)),
            attempts_max: rng.u32(2..=5),
            redeliver: if rng.u32(0..4) == 0 { Redeliver::On } else { Redeliver::Off },
        },
        lookups: long(&[30 * SECOND, 2 * MINUTE, 10 * MINUTE]),
        unknown_hold: Duration::from_millis(rng.choice([HOUR, 24 * HOUR]).unwrap_or(HOUR)),
        polls: if rng.bool() {
            long(&[10 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR, 72 * HOUR])
        } else {
            long(&[MINUTE, 10 * MINUTE, HOUR])
        },
        limits: Limits::default(),
        kinds: Kinds::default(),
        alarm: AlarmRules::default(),
    }
}

/// The operator edits the configuration between two starts.
fn changed(rng: &mut Rng, rules: &Rules) -> Rules {
    let mut rules = rules.clone();
    match rng.u32(0..4) {
        0 => rules.sending = Sending::Disabled,
        1 => rules.polls.truncate(1),
        2 => rules.retry.attempts_max = rng.u32(1..=5),
        _ => rules.lookups.push(Duration::from_mins(20)),
    }
    rules
}

fn blows(rng: &mut Rng, span: u64) -> Vec<(u64, Blow)> {
    let mut blows = Vec::new();
    let at = |rng: &mut Rng| rng.u64(0..span);
    let often = |rng: &mut Rng, most: u32| if rng.bool() { 0 } else { rng.u32(1..=most) };
    for _ in 0..often(rng, 5) {
        blows.push((at(rng), Blow::PowerLoss(rng.u64(1..60))));
    }
    for _ in 0..often(rng, 3) {
        blows.push((at(rng), Blow::Kill));
    }
    for _ in 0..often(rng, 3) {
        blows.push((at(rng), Blow::Restart));
    }
    for _ in 0..often(rng, 2) {
        blows.push((at(rng), if rng.bool() { Blow::SyncFails } else { Blow::DiskFull }));
    }
    for _ in 0..often(rng, 2) {
        blows.push((at(rng), Blow::Freeze(rng.u64(SECOND..20 * MINUTE))));
    }
    for _ in 0..often(rng, 6) {
        let ms = i64::try_from(length(rng, 6 * HOUR)).unwrap_or(0);
        blows.push((at(rng), Blow::Jump(if rng.bool() { ms } else { -ms })));
    }
    blows
}
