//! The service that makes codes, sends them and checks them. It keeps one verification for a number, and its answers
//! may be lost, before or after it did what it was asked.

use std::collections::BTreeMap;

use dunlin::engine::ask::Ask;
use dunlin::engine::provider::Answer;
use dunlin::engine::verify_service::{VerifyQuestion, VerifyService};
use dunlin_workflows::verification::{Checked, Command, Looked, Refusal, Sent, VerificationSid};

use crate::world::World;

/// How long a code counts, and how many wrong ones are looked at.
const LIFETIME_MS: u64 = 600_000;
const CHECKS_MAX: u8 = 5;
/// How long the client waits for an answer.
const TIMEOUT_MS: u64 = 8_000;

/// What the engine is told to use; the wire takes its questions.
#[derive(Debug)]
pub(crate) struct Absent;

impl VerifyService for Absent {
    fn ask(&self, _: VerifyQuestion) -> Answer<'_, Command> {
        Box::pin(std::future::pending())
    }
}

/// One verification.
#[derive(Debug)]
struct Known {
    sid: VerificationSid,
    code: String,
    since_ms: u64,
    checks: u8,
    is_approved: bool,
}

/// Everything that the service knows.
#[derive(Debug, Default)]
pub(crate) struct Service {
    known: Vec<Known>,
    /// The newest of each number.
    newest: BTreeMap<u64, usize>,
    /// Each code that was found to be the right one, and whose number it proved.
    pub(crate) approved: Vec<(u64, String)>,
}

impl Service {
    fn open(&mut self, to: u64, sid: Option<VerificationSid>, now_ms: u64) -> Option<&mut Known> {
        let newest = self.newest.get(&to)?;
        let counts = |known: &&mut Known| !known.is_approved && now_ms < known.since_ms + LIFETIME_MS;
        let is_named = |known: &&mut Known| sid.is_none_or(|sid| sid == known.sid);
        self.known.get_mut(*newest).filter(counts).filter(is_named)
    }

    /// While a code counts, the same one is sent again.
    fn send(&mut self, to: u64, now_ms: u64) -> VerificationSid {
        if let Some(known) = self.open(to, None, now_ms) {
            return known.sid;
        }
        let n = self.known.len();
        let sid: VerificationSid = format!("VE{n:032x}").parse().unwrap();
        let code = format!("{:06}", (n + 1) * 7919 % 1_000_000);
        self.known.push(Known { sid, code, since_ms: now_ms, checks: 0, is_approved: false });
        self.newest.insert(to, n);
        sid
    }

    fn check(&mut self, to: u64, sid: Option<VerificationSid>, code: &str, now_ms: u64) -> Checked {
        let Some(known) = self.open(to, sid, now_ms) else { return Checked::Gone };
        if known.checks >= CHECKS_MAX {
            return Checked::Spent;
        }
        if known.code != code {
            known.checks += 1;
            return Checked::Wrong;
        }
        known.is_approved = true;
        self.approved.push((to, code.to_owned()));
        Checked::Right
    }

    fn look(&self, sid: VerificationSid, now_ms: u64) -> Looked {
        match self.known.iter().find(|known| known.sid == sid) {
            Some(known) if known.is_approved => Looked::Approved,
            Some(known) if now_ms >= known.since_ms + LIFETIME_MS => Looked::Gone,
            Some(known) if known.checks >= CHECKS_MAX => Looked::Spent,
            Some(_) => Looked::Pending,
            None => Looked::Gone,
        }
    }

    /// What whoever holds the phone reads.
    pub(crate) fn code(&self, to: u64) -> Option<String> {
        self.newest.get(&to).and_then(|n| self.known.get(*n)).map(|known| known.code.clone())
    }
}

impl World {
    /// The service is asked. It may do what it is asked and be unheard.
    pub(crate) fn serve(&mut self, number: u64, question: &VerifyQuestion) {
        if let Err(how) = self.oracle.proofs.asks(number, question) {
            self.oracle.breach(format!("verification {number}: {how}"));
        }
        let (is_lost, is_refused) = (self.chance(self.plan.codes.lost), self.chance(self.plan.codes.refused));
        let is_done = !is_lost || self.rng.bool();
        let now = self.now();
        let service = &mut self.carrier.service;
        let command = match question {
            VerifyQuestion::Send { .. } if is_refused => {
                let refusals = [Refusal::Unreachable, Refusal::Limited, Refusal::Unavailable];
                let refusal = self.rng.choice(refusals).unwrap_or(Refusal::Unavailable);
                Command::Sent(Sent::Refused { refusal })
            }
            VerifyQuestion::Send { to } => {
                let sid = is_done.then(|| service.send(to.digits(), now)).filter(|_| !is_lost);
                Command::Sent(sid.map_or(Sent::Lost, |sid| Sent::Taken { sid }))
            }
            VerifyQuestion::Check { digest, .. } if is_refused => {
                Command::Checked { digest: *digest, checked: Checked::Unavailable }
            }
            VerifyQuestion::Check { to, sid, code, digest } => {
                let checked = is_done.then(|| service.check(to.digits(), *sid, code.as_str(), now));
                let checked = checked.filter(|_| !is_lost).unwrap_or(Checked::Lost);
                Command::Checked { digest: *digest, checked }
            }
            VerifyQuestion::Look { .. } if is_lost || is_refused => Command::Looked(Looked::Unavailable),
            VerifyQuestion::Look { sid } => Command::Looked(service.look(*sid, now)),
        };
        self.say(|| format!("   service, about {number}: {command:?}"));
        let wait = if is_lost { TIMEOUT_MS } else { self.rng.u64(20..2000) };
        self.answer_after(wait, Ask::VerifyAnswered { number, command });
    }
}
