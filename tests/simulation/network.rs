//! What happens between the engine and the provider: submissions, searches, questions, callbacks.

use std::time::Duration;

use dunlin::clock::Clock as _;
use dunlin::engine::ask::Ask;
use dunlin::engine::courier::{kept, polled, searched, submitted};
use dunlin::engine::provider::{FetchOutcome, FindOutcome, Submission, SubmitOutcome};
use dunlin_workflows::message::{ProviderStatus, Report, Via};
use tokio::sync::oneshot;

use crate::carrier::Call;
use crate::people::Reply;
use crate::plan::{Defect, FATES, Fate};
use crate::world::{Happening, World};

/// How long the client waits for an answer.
const TIMEOUT_MS: u64 = 15_000;
const HOUR_MS: u64 = 3_600_000;

/// How final words on a text that was not delivered read.
const UNDELIVERED: [u32; 4] = [30003, 30005, 30006, 30008];
const FAILED: [u32; 2] = [30001, 30007];

impl World {
    pub(crate) fn carry(&mut self, call: Call) {
        match call {
            Call::Submit(submission) => self.submit(&submission),
            Call::Keep(submission) => self.answer(kept(&submission)),
            Call::Verify(number, question) => self.serve(number, &question),
            Call::Find(number, attempt, search) => {
                let now = self.now();
                self.oracle.search_left(number, attempt, now, &self.rules);
                let outcome = if self.chance(self.plan.odds.search_fails) {
                    FindOutcome::Unavailable { detail: "HTTP 503".into() }
                } else {
                    FindOutcome::Matches(self.carrier.find(&search, now))
                };
                self.say(|| format!("   search for {}: {outcome:?}", number.get()));
                self.answer(searched(number, attempt, outcome));
            }
            Call::Fetch(number, sid) => {
                let outcome = if self.chance(self.plan.odds.search_fails) {
                    FetchOutcome::Unavailable { detail: "HTTP 503".into() }
                } else {
                    self.carrier
                        .of(sid)
                        .map_or(FetchOutcome::NotFound, |t| FetchOutcome::Found(t.candidate()))
                };
                self.say(|| format!("   question about {}: {outcome:?}", number.get()));
                self.answer(polled(number, outcome));
            }
        }
    }

    fn answer(&mut self, ask: Ask) {
        let wait = self.rng.u64(20..2000);
        self.answer_after(wait, ask);
    }

    pub(crate) fn answer_after(&mut self, wait: u64, ask: Ask) {
        let boot = self.boot;
        self.after(wait, Happening::Answer { boot, ask: Box::new(ask) });
    }

    fn fate(&mut self) -> Fate {
        let n = self.submissions;
        self.submissions += 1;
        if let Some(fate) = self.plan.fates.get(n) {
            return *fate;
        }
        for (n, fate) in FATES.into_iter().enumerate() {
            if self.chance(self.plan.odds.fates[n]) {
                return fate;
            }
        }
        Fate::Take
    }

    fn submit(&mut self, submission: &Submission) {
        let now = self.now();
        let wall = self.time.wall();
        self.oracle.submission_left(submission, wall);
        let fate = self.fate();
        let (number, attempt) = (submission.message, submission.attempt);
        self.say(|| format!("   submission {}/{}: {fate:?}", number.get(), attempt.get()));
        let brief = self.rng.u64(20..1500);
        let take = |world: &mut Self, after: u64, answers: bool| {
            let submission = Box::new(submission.clone());
            world.at(now + after, Happening::Take { submission, answers });
        };
        let unknown = |detail: &str| SubmitOutcome::Unknown { detail: detail.into() };
        let (after, outcome) = match fate {
            // Answered where it is taken.
            Fate::Take => {
                take(self, brief, true);
                return;
            }
            Fate::TakeSlowly => {
                take(self, 10, true);
                return;
            }
            Fate::TimeoutBefore => (TIMEOUT_MS, unknown("no answer in time")),
            Fate::TimeoutAfter => {
                take(self, brief, false);
                (TIMEOUT_MS, unknown("no answer in time"))
            }
            Fate::LateTake => {
                let late = self.rng.u64(1..60_000);
                take(self, TIMEOUT_MS + late, false);
                (TIMEOUT_MS, unknown("no answer in time"))
            }
            Fate::ServerErrorTaken | Fate::ServerErrorUntaken => {
                if fate == Fate::ServerErrorTaken {
                    take(self, brief, false);
                }
                let outcome = if self.plan.defect == Some(Defect::ServerErrorIsUnsent) {
                    SubmitOutcome::NotSent { detail: "HTTP 500".into() }
                } else {
                    unknown("HTTP 500")
                };
                (brief, outcome)
            }
            Fate::Unconnected => (brief, SubmitOutcome::NotSent { detail: "connection refused".into() }),
            Fate::TooMany => {
                let wait = self.rng.bool().then(|| Duration::from_secs(self.rng.u64(1..60)));
                (brief, refused(429, 20429, wait))
            }
            Fate::BadNumber => (brief, refused(400, 21211, None)),
            Fate::OptedOut => (brief, refused(400, 21610, None)),
            Fate::Unauthorized => (brief, refused(401, 20003, None)),
        };
        self.answer_after(after, submitted(number, attempt, outcome));
    }

    /// The provider takes a submission: from now on it is a text that somebody will read.
    pub(crate) fn take(&mut self, submission: &Submission, answers: bool) {
        let lag = if self.is_calm { 0 } else { self.rng.u64(0..=self.plan.odds.list_lag_ms) };
        let (now, wall) = (self.now(), self.time.true_wall());
        let (number, attempt) = (submission.message, submission.attempt);
        let taken = self.carrier.take(submission, now, wall, lag);
        let sid = self.carrier.taken[taken].sid;
        self.say(|| format!("   taken {}/{} as {sid}", number.get(), attempt.get()));
        self.oracle.taken(taken, &self.carrier);
        if answers {
            let outcome = SubmitOutcome::Accepted { sid, status: ProviderStatus::Queued };
            // Callbacks may come before the answer.
            let wait = if self.rng.bool() { self.rng.u64(5..50) } else { self.rng.u64(50..10_000) };
            self.answer_after(wait, submitted(number, attempt, outcome));
        }
        self.announce(taken, (ProviderStatus::Queued, None));
        let course = self.course();
        self.proceed(taken, course);
    }

    /// What will become of a text, with the wait before each word.
    fn course(&mut self) -> Vec<(u64, ProviderStatus, Option<u32>)> {
        let mut course = Vec::new();
        if self.rng.bool() {
            course.push((self.rng.u64(5..2000), ProviderStatus::Sending, None));
        }
        if self.chance(self.plan.odds.failed) {
            let code = self.rng.choice(FAILED);
            course.push((self.rng.u64(5..5000), ProviderStatus::Failed, code));
            return course;
        }
        course.push((self.rng.u64(5..5000), ProviderStatus::Sent, None));
        let wait =
            if self.rng.u32(0..4) == 0 { self.rng.u64(0..2 * HOUR_MS) } else { self.rng.u64(10..20_000) };
        if self.chance(self.plan.odds.unreported) {
            return course;
        }
        if self.chance(self.plan.odds.undelivered) {
            course.push((wait, ProviderStatus::Undelivered, self.rng.choice(UNDELIVERED)));
        } else {
            course.push((wait, ProviderStatus::Delivered, None));
        }
        course
    }

    /// The next word follows in its time.
    fn proceed(&mut self, taken: usize, rest: Vec<(u64, ProviderStatus, Option<u32>)>) {
        if let Some((wait, _, _)) = rest.first() {
            self.after(*wait, Happening::Says { taken, rest });
        }
    }

    pub(crate) fn says(&mut self, taken: usize, mut rest: Vec<(u64, ProviderStatus, Option<u32>)>) {
        let (_, status, code) = rest.remove(0);
        self.carrier.taken[taken].said.push((status, code));
        self.announce(taken, (status, code));
        self.proceed(taken, rest);
    }

    /// Calls back about a word: now or hours later, once, twice or never.
    fn announce(&mut self, taken: usize, said: (ProviderStatus, Option<u32>)) {
        let copies = 1 + u32::from(self.chance(self.plan.odds.callback_doubled));
        for _ in 0..copies {
            if self.chance(self.plan.odds.callback_lost) {
                continue;
            }
            let wait = if self.chance(self.plan.odds.callback_late) {
                self.rng.u64(60_000..6 * HOUR_MS)
            } else {
                self.rng.u64(5..3000)
            };
            let named = !self.chance(self.plan.odds.callback_untokened);
            self.after(wait, Happening::Callback { taken, said, named, tries: 0 });
        }
    }

    pub(crate) fn call_back(
        &mut self,
        taken: usize,
        said: (ProviderStatus, Option<u32>),
        named: bool,
        tries: u32,
    ) {
        if self.process.is_none() || self.is_frozen() {
            // Nobody answers; the provider tries once more at most.
            if tries == 0 {
                let wait = self.rng.u64(10_000..60_000);
                self.after(wait, Happening::Callback { taken, said, named, tries: 1 });
            }
            return;
        }
        let of = &self.carrier.taken[taken];
        let report = Report { sid: of.sid, status: said.0, code: said.1, via: Via::Callback };
        let whose = named.then_some((of.number, of.attempt));
        self.say(|| format!("   callback {report:?} {whose:?}"));
        let (reply, answer) = oneshot::channel();
        self.people.waiting.push(Reply::Heard { taken, status: said.0, named, answer });
        self.ask(Ask::Callback { named: whose, report, reply });
    }
}

fn refused(http_status: u16, code: u32, retry_after: Option<Duration>) -> SubmitOutcome {
    SubmitOutcome::Refused {
        http_status,
        code: Some(code),
        detail: format!("HTTP {http_status}"),
        retry_after,
    }
}
