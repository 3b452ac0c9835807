//! Whoever uses the engine: people who wish, repeat until they are answered, change their minds, and
//! decide what waits for them.

use dunlin::engine::ask::{Again, Ask, AskError, Claim, Receipt, Retried, Target, Wish};
use dunlin::engine::verifications::Verified;
use dunlin_workflows::actor::Origin;
use dunlin_workflows::body::Body;
use dunlin_workflows::consent::{self, Consent};
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::{Command, ProviderStatus, Request, State, StateName};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::User;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::life::Asked;
use crate::plan::{Act, Defect, Plan, Wished};
use crate::proofs::Step;
use crate::users::{about, user_id};
use crate::world::{Happening, World};

type Answer<T> = oneshot::Receiver<T>;

/// An answer that somebody waits for.
#[derive(Debug)]
pub(crate) enum Reply {
    Accepted(Vec<usize>, Answer<Vec<Result<Receipt, AskError>>>),
    Done(usize, Act, Answer<Result<State, AskError>>),
    Retried(Answer<Result<Retried, AskError>>),
    Heard { taken: usize, status: ProviderStatus, named: bool, answer: Answer<()> },
    Replied { n: usize, tries: u32, answer: Answer<consent::Reply> },
    Consented(Answer<Result<Consent, AskError>>),
    Preferred(usize, Answer<Result<User, AskError>>),
    Verified { n: usize, tries: u32, step: Step, answer: Answer<Result<Verified, AskError>> },
}

/// What one wish has come to, as its caller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) wished: Wished,
    /// Every name that a try was given; only one of them may be a message.
    pub(crate) names: Vec<MessageId>,
    /// The name in the answer.
    pub(crate) told: Option<MessageId>,
    pub(crate) canceled: bool,
    is_over: bool,
    begun: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct People {
    pub(crate) callers: Vec<Caller>,
    pub(crate) waiting: Vec<Reply>,
    /// Names of messages that try others again.
    pub(crate) retries: Vec<MessageId>,
    names: u128,
}

impl People {
    pub(crate) fn new(plan: &Plan) -> Self {
        let callers = plan.wishes.iter().map(|wished| Caller {
            wished: wished.clone(),
            names: Vec::new(),
            told: None,
            canceled: false,
            is_over: false,
            begun: None,
        });
        Self { callers: callers.collect(), waiting: Vec::new(), retries: Vec::new(), names: 0 }
    }

    /// Whether everybody knows where they are.
    pub(crate) fn is_answered(&self) -> bool {
        self.waiting.is_empty() && self.callers.iter().all(|caller| caller.is_over)
    }

    pub(crate) fn name(&mut self) -> MessageId {
        self.names += 1;
        MessageId::from_bytes(self.names.to_be_bytes())
    }
}

impl World {
    /// Wishes for the first time, or again with the same key.
    pub(crate) fn wish(&mut self, n: usize) {
        let caller = &self.people.callers[n];
        let first = caller.names.is_empty();
        if !first && !caller.wished.keyed {
            return;
        }
        if self.process.is_none() {
            self.unanswered(n);
            return;
        }
        // Some ask for two texts in one request.
        let pair = first
            && caller.wished.batched
            && self.people.callers.get(n + 1).is_some_and(|c| c.names.is_empty());
        let asking: Vec<usize> = if pair { vec![n, n + 1] } else { vec![n] };
        let wishes = asking.iter().map(|n| self.wording(*n)).collect();
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Accepted(asking, answer));
        self.ask(Ask::Accept { wishes, origin: Source::Api.into(), reply });
    }

    /// A wish as it is sent, with a new name.
    fn wording(&mut self, n: usize) -> Wish {
        let id = self.people.name();
        let wall = self.time.true_wall();
        let caller = &mut self.people.callers[n];
        let begun = *caller.begun.get_or_insert(wall);
        let at = |wait: Option<u64>| {
            wait.map(|ms| Timestamp::from_millis(begun.as_millis() + i64::try_from(ms).unwrap()))
        };
        caller.names.push(id);
        let (kind, names_user) = about(self.plan.seed, n);
        let wished = &caller.wished;
        let request = Request {
            id,
            to: PhoneNumber::from_digits(wished.to).unwrap(),
            body: Body::parse(wished.body.clone()).unwrap(),
            priority: wished.priority,
            scheduled_for: at(wished.scheduled_in),
            expires_at: at(wished.expires_in),
            on_unknown: wished.on_unknown,
            user_id: names_user.then(|| user_id(wished.to).parse().unwrap()),
            metadata: None,
            retry_of: None,
            kind: kind.map(|kind| kind.parse().unwrap()),
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        let asked = Asked { to: wished.to, body: wished.body.clone() };
        self.oracle.asked(id, asked);
        let key = u128::try_from(n).unwrap().to_be_bytes();
        let claim = wished.keyed.then_some(Claim { key, fingerprint: key });
        self.say(|| format!("wish {n} as {id}"));
        Wish { request: request.into(), claim }
    }

    /// Nobody answered. Who has a key asks again; who has none may have been heard or not.
    fn unanswered(&mut self, n: usize) {
        let caller = &mut self.people.callers[n];
        if caller.told.is_some() {
            return;
        }
        if caller.wished.keyed || caller.names.is_empty() {
            let wait = self.rng.u64(500..30_000);
            self.after(wait, Happening::Wish(n));
        } else {
            caller.is_over = true;
        }
    }

    pub(crate) fn act(&mut self, n: usize, act: Act) {
        let Some(id) = self.people.callers[n].told else { return };
        if self.process.is_none() {
            return;
        }
        let target = Target::Id(id);
        match act {
            Act::Repeat if self.people.callers[n].wished.keyed => self.wish(n),
            Act::Repeat => {}
            Act::Retry => self.retry(target),
            Act::Cancel => self.command(n, act, Command::Cancel),
            Act::Reschedule(wait) => {
                let wall = self.time.true_wall();
                let to = wait.map(|ms| Timestamp::from_millis(wall.as_millis() + i64::try_from(ms).unwrap()));
                self.command(n, act, Command::Reschedule { scheduled_for: to });
            }
        }
    }

    fn command(&mut self, n: usize, act: Act, command: Command) {
        let Some(id) = self.people.callers[n].told else { return };
        self.say(|| format!("{command:?} {n}"));
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Done(n, act, answer));
        let (actor, reason) = ("api:3f2a/ada".parse().ok(), "asked by mail".parse().ok());
        let origin = Origin { source: Source::Api, actor, reason };
        self.ask(Ask::Command { target: Target::Id(id), command, origin, reply });
    }

    fn retry(&mut self, target: Target) {
        let id = self.people.name();
        self.people.retries.push(id);
        self.oracle.asked_again(id, target);
        self.say(|| format!("retry {target:?} as {id}"));
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Retried(answer));
        let again = Again { target, id, scheduled_for: None, expires_at: None };
        self.ask(Ask::Retry { again, origin: Source::Api.into(), reply });
    }

    /// People look after what waits for them, and come again in an hour.
    pub(crate) fn look(&mut self) {
        let Some(process) = &self.process else { return };
        let reader = process.store.reader().unwrap();
        let held = reader.numbers_in(StateName::Held, MessageNumber::new(0), 100).unwrap();
        let parked: Vec<_> = held
            .into_iter()
            .filter(|number| reader.message(*number).unwrap().is_some_and(|row| row.message.is_parked()))
            .collect();
        drop(reader);
        for number in parked {
            if self.rng.bool() {
                self.retry(Target::Number(number));
            }
        }
        self.read_reviews();
        if !self.oracle.is_settled() {
            self.after(3_600_000, Happening::Look);
        }
    }

    /// The process is gone: whoever waited learns that nobody answers.
    pub(crate) fn hear_answers(&mut self) {
        for reply in std::mem::take(&mut self.people.waiting) {
            if let Some(reply) = self.hear_answer(reply) {
                self.people.waiting.push(reply);
            }
        }
    }

    /// Takes in one answer, or gives it back while it is not there.
    fn hear_answer(&mut self, reply: Reply) -> Option<Reply> {
        match reply {
            Reply::Accepted(asking, mut answer) => match answer.try_recv() {
                Ok(receipts) => {
                    for (n, receipt) in asking.into_iter().zip(receipts) {
                        self.told(n, receipt);
                    }
                }
                Err(TryRecvError::Closed) => asking.into_iter().for_each(|n| self.unanswered(n)),
                Err(TryRecvError::Empty) => return Some(Reply::Accepted(asking, answer)),
            },
            Reply::Done(n, act, mut answer) => match answer.try_recv() {
                Ok(Ok(state)) => self.done(n, act, state),
                Ok(Err(no)) => self.say(|| format!("  no to {act:?} {n}: {no}")),
                Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => return Some(Reply::Done(n, act, answer)),
            },
            Reply::Retried(mut answer) => match answer.try_recv() {
                Ok(Ok(Retried::As(receipt))) => self.oracle.acknowledged(receipt.id),
                Ok(Ok(Retried::Same(_)) | Err(_)) | Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => return Some(Reply::Retried(answer)),
            },
            Reply::Replied { n, tries, mut answer } => match answer.try_recv() {
                Ok(_reply) => self.text_answered(n, tries),
                Err(TryRecvError::Closed) => self.text_again(n, tries),
                Err(TryRecvError::Empty) => return Some(Reply::Replied { n, tries, answer }),
            },
            Reply::Consented(mut answer) => match answer.try_recv() {
                Ok(_consent) => {}
                Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => return Some(Reply::Consented(answer)),
            },
            Reply::Preferred(n, mut answer) => match answer.try_recv() {
                Ok(Ok(_) | Err(AskError::User(_))) => self.preferred(n),
                Ok(Err(other)) => self.oracle.breach(format!("user {n} got {other:?}")),
                Err(TryRecvError::Closed) => self.prefer_again(n),
                Err(TryRecvError::Empty) => return Some(Reply::Preferred(n, answer)),
            },
            Reply::Verified { n, tries, step, mut answer } => match answer.try_recv() {
                Ok(told) => self.verified(n, tries, step, Some(told)),
                Err(TryRecvError::Closed) => self.verified(n, tries, step, None),
                Err(TryRecvError::Empty) => return Some(Reply::Verified { n, tries, step, answer }),
            },
            Reply::Heard { taken, status, named, mut answer } => match answer.try_recv() {
                Ok(()) => {
                    let of = &mut self.carrier.taken[taken];
                    of.heard.push(status);
                    let (number, attempt) = (of.number, of.attempt);
                    if named {
                        self.oracle.heard(number, attempt);
                    }
                }
                Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => return Some(Reply::Heard { taken, status, named, answer }),
            },
        }
        None
    }

    fn told(&mut self, n: usize, receipt: Result<Receipt, AskError>) {
        if self.chance(self.plan.odds.answer_lost) {
            self.unanswered(n);
            return;
        }
        let caller = &mut self.people.callers[n];
        caller.is_over = true;
        match receipt {
            Ok(receipt) => {
                let id = receipt.id;
                let other = caller.told.replace(id).filter(|other| *other != id);
                self.oracle.acknowledged(id);
                if let Some(other) = other {
                    self.oracle.breach(format!("wish {n} was told {other}, then {id}"));
                }
            }
            Err(AskError::Rejected(no)) => {
                let told = caller.told;
                self.say(|| format!("  no to wish {n}: {no}"));
                if told.is_some() {
                    self.oracle.breach(format!("wish {n} was accepted, then refused: {no}"));
                }
            }
            Err(other) => self.oracle.breach(format!("wish {n} got {other:?}")),
        }
    }

    fn done(&mut self, n: usize, act: Act, state: State) {
        match act {
            Act::Cancel => {
                self.people.callers[n].canceled = true;
                if state.name() != StateName::Canceled {
                    self.oracle.breach(format!("cancel of {n} answered {state:?}"));
                }
            }
            Act::Reschedule(_) if self.plan.defect == Some(Defect::RearmedTimerDropped) => self.drop_timer(n),
            Act::Reschedule(_) | Act::Retry | Act::Repeat => {}
        }
    }

    /// The planted bug: what was rescheduled is written once more, without its timer.
    fn drop_timer(&mut self, n: usize) {
        let (Some(process), Some(id)) = (&self.process, self.people.callers[n].told) else { return };
        let wall = dunlin::clock::Clock::wall(&*self.time);
        let dropped = process.store.commit(|batch| {
            let Some(number) = batch.number_of_id(id)? else { return Ok(()) };
            let Some(message) = batch.load(number)?.map(|row| row.message.clone()) else { return Ok(()) };
            let State::Held { hold, until } = message.state else { return Ok(()) };
            let events = [dunlin_workflows::message::Event::Held { hold, until }];
            batch.record(number, wall, Source::Api, &events, &message, None)
        });
        if let Err(error) = dropped {
            self.say(|| format!("the bug could not be planted: {error}"));
        } else {
            self.observe(true);
        }
    }
}
