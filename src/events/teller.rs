//! The loop that tells: reads the journal ahead, keeps several events on the wire, and notes how far all of it is told.

use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::{JournalSeq, ReadError};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::clock::Clock;
use crate::engine::ask::AskError;
use crate::engine::duty::{Away, Duty, OnDuty};
use crate::events::notice::{Notice, Notices};
use crate::events::receiver::{Receiver, Refusal};
use crate::events::standing::{Standing, Stuck};
use crate::events::window::Window;

/// How often the journal is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is noted how far everything is told: what was told since is told again after a crash.
const NOTE_EVERY_MS: u64 = 250;
/// Wait after the store or the engine was of no use.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a look at the journal came to nothing.
#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error("no engine is on duty")]
    Away(Away),
    #[error("the journal can't be read: {0}")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Engine(#[from] AskError),
    #[error("reading the journal ended in an error of ours: {0}")]
    Task(#[from] JoinError),
}

impl TellError {
    /// Whether the process is stopping.
    fn is_the_end(&self) -> bool {
        matches!(self, Self::Away(Away::Stopping | Away::Failed) | Self::Engine(AskError::Stopping))
    }
}

/// What came of one request.
type Answer = (JournalSeq, Result<(), Refusal>);

/// Tells the journal.
#[derive(Debug)]
pub(super) struct Teller {
    duty: Arc<Duty>,
    clock: Arc<dyn Clock>,
    receiver: Receiver,
    standing: Arc<Standing>,
    window: Window<Arc<Notice>>,
    flights: JoinSet<Answer>,
    noted: JournalSeq,
    noted_ms: u64,
    /// Whether it is known where to go on.
    has_begun: bool,
}

impl Teller {
    pub(super) fn new(
        duty: Arc<Duty>,
        clock: Arc<dyn Clock>,
        receiver: Receiver,
        standing: Arc<Standing>,
    ) -> Self {
        let window = Window::new(JournalSeq::START);
        let (flights, noted) = (JoinSet::new(), JournalSeq::START);
        Self { duty, clock, receiver, standing, window, flights, noted, noted_ms: 0, has_begun: false }
    }

    /// Tells until `stopping` says so, or the engine is gone for good.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let round = if self.has_begun { self.round().await } else { self.begin().await };
            let wait = match round {
                Ok(wait) => wait,
                Err(error) if error.is_the_end() => break,
                Err(error) => {
                    self.trouble(&error.to_string());
                    PAUSE
                }
            };
            tokio::select! {
                // The sender going away means the same as its word.
                _stop = stopping.wait_for(|stop| *stop) => break,
                Some(answer) = self.flights.join_next() => self.hear(answer),
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(answer) = self.flights.try_join_next() {
                self.hear(answer);
            }
        }
        while let Some(answer) = self.flights.join_next().await {
            self.hear(answer);
        }
        self.noted_ms = 0;
        if let Ok(on_duty) = self.duty.now() {
            // What is not noted is told again.
            drop(self.note(&on_duty, u64::MAX).await);
        }
    }

    /// Finds where to go on. The first time that is the journal's end, and durable before anything is told.
    async fn begin(&mut self) -> Result<Duration, TellError> {
        let on_duty = self.duty.now().map_err(TellError::Away)?;
        let told = on_duty.store.reader()?.told()?;
        let from = if let Some(told) = told {
            told
        } else {
            let end = on_duty.store.reader()?.last_seq()?;
            on_duty.engine.note_told(end).await?;
            end
        };
        (self.window, self.noted, self.has_begun) = (Window::new(from), from, true);
        tracing::info!(from = from.get(), "events are told from here on");
        Ok(Duration::ZERO)
    }

    /// Reads, sends and notes what there is to. Answers how long nothing more is due.
    async fn round(&mut self) -> Result<Duration, TellError> {
        let on_duty = self.duty.now().map_err(TellError::Away)?;
        let more = self.fill(&on_duty).await?;
        let now_ms = self.clock.monotonic_ms();
        while let Some((seq, notice)) = self.window.next(now_ms) {
            let receiver = self.receiver.clone();
            self.flights.spawn(async move { (seq, receiver.tell(&notice).await) });
        }
        self.note(&on_duty, now_ms).await?;
        self.publish();
        if more {
            return Ok(Duration::ZERO);
        }
        let due = self.window.next_due_ms().map(|at| Duration::from_millis(at.saturating_sub(now_ms)));
        // With everything on the wire that may be, an answer comes first.
        let due = due.filter(|due| !due.is_zero());
        Ok(due.map_or(LOOK, |due| due.min(LOOK)))
    }

    /// Reads on, if there is room and something to read. Answers whether there is more that fits.
    async fn fill(&mut self, on_duty: &OnDuty) -> Result<bool, TellError> {
        let (room, after) = (self.window.room(), self.window.read_to());
        if room == 0 || on_duty.engine.progress().read().last_seq <= after.get() {
            return Ok(false);
        }
        let store = Arc::clone(&on_duty.store);
        let reading = move || Notices::read(&store.reader()?, after, room);
        let read: Notices = tokio::task::spawn_blocking(reading).await??;
        for (seq, about, notice) in read.found {
            self.window.push(seq, about, Arc::new(notice));
        }
        self.window.read_up_to(read.until);
        Ok(read.is_full && self.window.room() > 0)
    }

    /// Makes durable how far everything is told, now and then.
    async fn note(&mut self, on_duty: &OnDuty, now_ms: u64) -> Result<(), TellError> {
        let told = self.window.told_to();
        if told > self.noted && now_ms.saturating_sub(self.noted_ms) >= NOTE_EVERY_MS {
            self.noted_ms = now_ms;
            match on_duty.engine.note_told(told).await {
                Ok(()) => self.noted = told,
                // Later is early enough.
                Err(AskError::Busy { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Hears what came of one request.
    fn hear(&mut self, answer: Result<Answer, JoinError>) {
        let Ok((seq, answer)) = answer else {
            // It is not known which: everything that is not noted is told again.
            tracing::error!("telling an event ended in an error of ours; it is told again");
            (self.flights, self.has_begun) = (JoinSet::new(), false);
            return;
        };
        match answer {
            Ok(()) => {
                self.window.told(seq);
                self.standing.tell(|told| told.taken = told.taken.saturating_add(1));
            }
            Err(refusal) => {
                let now_ms = self.clock.monotonic_ms();
                self.window.refused(seq, refusal.scope(), refusal.retry_after(), now_ms);
                self.standing.tell(|told| told.refused = told.refused.saturating_add(1));
                self.trouble(&refusal.to_string());
            }
        }
    }

    /// Says once what is wrong, until it is something else.
    fn trouble(&self, words: &str) {
        self.standing.tell(|told| {
            if told.error.as_deref() != Some(words) {
                tracing::warn!(
                    error = words,
                    "events are not taken; none is lost, and they are told again and again"
                );
                told.error = Some(words.to_owned());
            }
        });
    }

    fn publish(&self) {
        let stuck = self.window.troubled().map(|(notice, refusals)| Stuck {
            id: notice.id.clone(),
            kind: notice.kind.clone(),
            refusals,
        });
        self.standing.tell(|told| {
            (told.told_to, told.waiting) = (self.window.told_to(), self.window.len());
            if stuck.is_none() && told.error.take().is_some() {
                tracing::info!("events are taken again");
            }
            told.stuck = stuck;
        });
    }
}
