//! People who prove numbers, two of them the same one; and the judge of that: a number is proven by whoever gave the
//! code that was right then, once, and for one user at a time.

use std::collections::{BTreeMap, BTreeSet};

use dunlin::engine::ask::{Ask, AskError};
use dunlin::engine::verifications::{CodeWish, Verified, VerifyAsk};
use dunlin::engine::verify_service::VerifyQuestion;
use dunlin_workflows::id::{MessageId, PersonNumber, UserNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::verification::{Code, Event, Outcome, Via, Wording};
use fastrand::Rng;
use tokio::sync::oneshot;

use crate::life::Asked;
use crate::people::Reply;
use crate::plan::Wished;
use crate::service::Service;
use crate::users::{rival_id, user_id};
use crate::world::{Happening, World};

/// How often somebody tries before they give up.
const TRIES_MAX: u32 = 12;
const HOUR_MS: i64 = 3_600_000;
/// Most codes to a number in an hour and in a day, most wrong ones that are looked at, and most requests to send one.
const HOURLY: usize = 5;
const DAILY: usize = 20;
const WRONG_MAX: u32 = 5;
const SENDS_MAX: u32 = 2;

/// How codes go out in a world, and who wants some.
#[derive(Debug, Clone, Default)]
pub(crate) struct Codes {
    /// Whether a service sends and checks them.
    pub(crate) by_service: bool,
    /// Parts in a thousand of its answers.
    pub(crate) lost: u32,
    pub(crate) refused: u32,
    pub(crate) wanted: Vec<Proving>,
}

/// Somebody wants to prove a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proving {
    pub(crate) at: u64,
    pub(crate) to: u64,
    pub(crate) is_rival: bool,
    /// How many wrong codes they give first.
    pub(crate) slips: u32,
}

/// Who proves the numbers of the recipients of these wishes: in half of the worlds nobody.
pub(crate) fn codes(seed: u64, wishes: &[Wished], span: u64) -> Codes {
    let mut rng = Rng::with_seed(seed ^ 0xc0de_5eed);
    if rng.bool() {
        return Codes::default();
    }
    let mut wanted = Vec::new();
    for _ in 0..rng.u32(1..=4) {
        let (Some(wish), at) = (rng.choice(wishes), rng.u64(0..span)) else { break };
        let slips = if rng.bool() { 0 } else { rng.u32(1..=6) };
        let one = Proving { at, to: wish.to, is_rival: false, slips };
        wanted.push(one);
        if rng.bool() {
            // The other one asks about when the first has the code.
            let at = (at + rng.u64(0..150_000)).min(span);
            wanted.push(Proving { at, is_rival: true, slips: 0, ..one });
        }
    }
    let (lost, refused) = if rng.bool() { (0, 0) } else { (rng.u32(0..500), rng.u32(0..300)) };
    Codes { by_service: rng.bool(), lost, refused, wanted }
}

/// What an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Start,
    Check(PersonNumber, UserNumber),
}

/// What the service is asked, or what was lost and is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Awaited {
    #[default]
    Nothing,
    Send,
    /// And whether it was asked.
    Check(bool),
    Look,
}

/// One verification as the journal tells it.
#[derive(Debug, Default)]
struct Proof {
    person: Option<PersonNumber>,
    user: Option<UserNumber>,
    via: Via,
    expires_at: Timestamp,
    awaited: Awaited,
    sends: u32,
    wrong: u32,
    starts: Vec<i64>,
}

/// What the judge knows of codes.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    /// Texts with codes that were asked for: to whom, and which code it would be.
    wished: BTreeMap<MessageId, (u64, Code)>,
    /// How the newest one goes out.
    via: Via,
    known: BTreeMap<u64, Proof>,
    /// The code in the newest text to each, until it has proven something.
    texted: BTreeMap<PersonNumber, Code>,
    /// Who gave which code.
    given: BTreeSet<(PersonNumber, UserNumber, String)>,
    numbers: BTreeMap<PersonNumber, u64>,
    /// Which of the service's approvals have proven something.
    used: BTreeSet<usize>,
    approved: BTreeSet<(PersonNumber, UserNumber)>,
}

fn must(holds: bool, how: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(how.to_owned()) }
}

impl Proofs {
    /// Names of texts that may be made.
    pub(crate) fn names(&self) -> impl Iterator<Item = &MessageId> {
        self.wished.keys()
    }

    /// A text was accepted: what it says when it is one of ours.
    pub(crate) fn begun(&mut self, id: MessageId, person: PersonNumber) -> Option<Asked> {
        let (to, code) = self.wished.get(&id).cloned()?;
        let wording = Wording::default();
        let lifetime = std::time::Duration::from_mins(10);
        let body = match self.via {
            Via::Notice => wording.notice(),
            Via::Message | Via::Service => wording.code(&code, Some(lifetime)),
        };
        if self.via == Via::Message {
            self.texted.insert(person, code);
        }
        Some(Asked { to, body: body.unwrap().as_str().to_owned() })
    }

    /// The journal tells of a verification.
    pub(crate) fn told(
        &mut self,
        number: u64,
        event: &Event,
        at: Timestamp,
        service: &Service,
    ) -> Result<(), String> {
        let proof = self.known.entry(number).or_default();
        match event {
            Event::Started { person, user, via, expires_at, .. } => {
                must(proof.awaited == Awaited::Nothing, "started while the service is asked")?;
                (proof.person, proof.user, proof.via) = (Some(*person), *user, *via);
                (proof.expires_at, proof.sends, proof.wrong) = (*expires_at, 0, 0);
                proof.awaited = if *via == Via::Service { Awaited::Send } else { Awaited::Nothing };
                self.via = *via;
                return proof.counts(at.as_millis());
            }
            Event::SendLost { again: true } => proof.awaited = Awaited::Send,
            Event::CheckStarted { .. } => proof.awaited = Awaited::Check(false),
            Event::CheckLost | Event::LookupStarted => proof.awaited = Awaited::Look,
            Event::CodeRefused { .. } => {
                proof.wrong += 1;
                proof.awaited = Awaited::Nothing;
                return must(proof.wrong <= WRONG_MAX, "another wrong code was looked at");
            }
            Event::Approved => {
                proof.awaited = Awaited::Nothing;
                return self.approves(number, at, service);
            }
            Event::CodeSent { .. }
            | Event::SendRefused { .. }
            | Event::SendLost { again: false }
            | Event::Preempted
            | Event::ChecksSpent
            | Event::CheckFailed
            | Event::Expired => proof.awaited = Awaited::Nothing,
        }
        Ok(())
    }

    /// A number is proven: by the code that was right then, which proves nothing again.
    fn approves(&mut self, number: u64, at: Timestamp, service: &Service) -> Result<(), String> {
        let proof = &self.known[&number];
        let (Some(person), Some(user)) = (proof.person, proof.user) else {
            return Err("nobody is proven to have nothing".into());
        };
        let gave = |code: &str| self.given.contains(&(person, user, code.to_owned()));
        match proof.via {
            Via::Message => {
                must(at < proof.expires_at, "a code counted for too long")?;
                let code = self.texted.remove(&person).ok_or("a code proved a number twice")?;
                must(gave(code.as_str()), "proven by whoever did not know the code")?;
            }
            Via::Service => {
                let to = self.numbers.get(&person).ok_or("proven, and nobody gave a code")?;
                let mut approvals = service.approved.iter().enumerate();
                let fits =
                    approvals.find(|(n, (whose, code))| whose == to && gave(code) && !self.used.contains(n));
                self.used.insert(fits.ok_or("proven, and the service did not say so")?.0);
            }
            Via::Notice => return Err("proven without a code".into()),
        }
        self.approved.insert((person, user));
        Ok(())
    }

    /// The service is asked: what is asked is durable, and asked as often as it may be.
    pub(crate) fn asks(&mut self, number: u64, question: &VerifyQuestion) -> Result<(), String> {
        let proof = self.known.get_mut(&number).ok_or("the service is asked about nothing")?;
        match (question, proof.awaited) {
            (VerifyQuestion::Send { .. }, Awaited::Send) => {
                proof.sends += 1;
                must(proof.sends <= SENDS_MAX, "a code was asked for again and again")
            }
            (VerifyQuestion::Check { .. }, Awaited::Check(false)) => {
                proof.awaited = Awaited::Check(true);
                Ok(())
            }
            (VerifyQuestion::Look { .. }, Awaited::Look) => Ok(()),
            (question, awaited) => Err(format!("{question:?} while {awaited:?}")),
        }
    }

    /// Whether nothing is left to be learned.
    pub(crate) fn is_settled(&self) -> bool {
        self.known.values().all(|proof| proof.awaited == Awaited::Nothing)
    }
}

impl Proof {
    /// A code is asked for. By a clock that was set back nobody can tell what happened within an hour.
    fn counts(&mut self, at: i64) -> Result<(), String> {
        if self.starts.last().is_some_and(|last| at < *last) {
            self.starts.clear();
        }
        self.starts.push(at);
        let within = |ms: i64| self.starts.iter().filter(|start| **start > at - ms).count();
        must(within(HOUR_MS) <= HOURLY && within(24 * HOUR_MS) <= DAILY, "too many codes")
    }
}

impl World {
    fn prover(&self, n: usize) -> (u64, dunlin_workflows::message::UserId) {
        let Proving { to, is_rival, .. } = self.plan.codes.wanted[n];
        let name = if is_rival { rival_id(to) } else { user_id(to) };
        (to, name.parse().unwrap())
    }

    fn later(&mut self, n: usize, tries: u32, gives: bool) {
        if tries < TRIES_MAX {
            let (wait, tries) = (self.rng.u64(10_000..150_000), tries + 1);
            self.after(wait, Happening::Prove { n, tries, gives });
        }
    }

    /// Somebody asks for a code, or gives the one that they read.
    pub(crate) fn prove(&mut self, n: usize, tries: u32, gives: bool) {
        if self.process.is_none() || self.is_frozen() {
            return self.later(n, tries, gives);
        }
        let (to, user) = self.prover(n);
        if gives { self.give(n, tries, to, user) } else { self.want(n, tries, to, user) }
    }

    fn want(&mut self, n: usize, tries: u32, to: u64, user: dunlin_workflows::message::UserId) {
        let (message, code) = (self.people.name(), Code::of_random(self.rng.u64(..)));
        self.oracle.proofs.wished.insert(message, (to, code.clone()));
        self.say(|| format!("{user:?} wants a code for {to}"));
        let to = PhoneNumber::from_digits(to).unwrap();
        let wish = CodeWish { to, user: Some(user), address: None, code, message };
        self.verify(n, tries, Step::Start, VerifyAsk::Start(wish));
    }

    fn give(&mut self, n: usize, tries: u32, to: u64, user: dunlin_workflows::message::UserId) {
        let reader = self.process.as_ref().unwrap().store.reader().unwrap();
        let person = reader.person_of(PhoneNumber::from_digits(to).unwrap()).unwrap();
        let number = reader.user_of(&user).unwrap();
        drop(reader);
        let code = if self.plan.codes.by_service {
            self.carrier.service.code(to)
        } else {
            self.carrier.code(to).map(str::to_owned)
        };
        let (Some(person), Some(number), Some(code)) = (person, number, code) else {
            return self.later(n, tries, true);
        };
        let slips = tries <= self.plan.codes.wanted[n].slips;
        let code: Code = if slips && code != "000000" { "000000".parse() } else { code.parse() }.unwrap();
        self.say(|| format!("{user:?} gives {} for {to}", code.as_str()));
        self.oracle.proofs.numbers.insert(person, to);
        self.oracle.proofs.given.insert((person, number, code.as_str().to_owned()));
        self.verify(
            n,
            tries,
            Step::Check(person, number),
            VerifyAsk::Check { person, user: Some(user), code },
        );
    }

    fn verify(&mut self, n: usize, tries: u32, step: Step, ask: VerifyAsk) {
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Verified { n, tries, step, answer });
        self.ask(Ask::Verify { ask, origin: Source::Api.into(), reply });
    }

    /// The engine answered, or is gone.
    pub(crate) fn verified(
        &mut self,
        n: usize,
        tries: u32,
        step: Step,
        answer: Option<Result<Verified, AskError>>,
    ) {
        let gives = step != Step::Start;
        self.say(|| {
            format!("  prover {n} hears {:?}", answer.as_ref().map(|a| a.as_ref().map(|v| v.outcome)))
        });
        match answer {
            None => self.later(n, tries, gives),
            Some(Ok(told)) => match (step, told.outcome) {
                (Step::Start, Outcome::Sent) => self.later(n, tries, true),
                (Step::Check(person, user), Outcome::Approved) => {
                    if !self.oracle.proofs.approved.contains(&(person, user)) {
                        self.oracle.breach(format!("prover {n} was told what the journal does not know"));
                    }
                    let (_, user) = self.prover(n);
                    self.forget_proof(user.as_str());
                }
                (_, Outcome::Incorrect | Outcome::Unavailable) => self.later(n, tries, gives),
                (_, _) => self.later(n, tries, false),
            },
            Some(Err(
                AskError::Verification(_)
                | AskError::Allowance(_)
                | AskError::Crowded { .. }
                | AskError::SendingDisabled,
            )) => {
                self.later(n, tries, false);
            }
            Some(Err(AskError::Forbidden(_))) => {}
            Some(Err(other)) => self.oracle.breach(format!("prover {n} got {other:?}")),
        }
    }
}
