//! `dunlin demo`: a few hundred texts, a carrier that misbehaves, a daemon killed in the middle, and
//! the account of what became of every text.

mod cast;
mod process;
mod stage;
mod summary;
mod verdict;

use clap::Args;
use dunlin_workflows::timestamp::Timestamp;

use crate::cli::demo::stage::Stage;
use crate::cli::demo::verdict::Verdict;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output, Tone};
use crate::clock::{Clock as _, SystemClock};
use crate::shutdown::Shutdown;

/// See a few hundred texts survive a crash.
///
/// Starts a carrier that loses answers, refuses at random and reports twice or out of order, and a
/// daemon that sends through it; kills the daemon in the middle as `kill -9` does, starts it again,
/// and then compares what became of every text with what the carrier saw. Nobody receives anything,
/// nothing is left behind, and your credentials are not used.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many texts
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(20..=5000))]
    texts: u16,
    /// Seed of what goes wrong; the same seed misbehaves the same way
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

impl Demo {
    pub(super) async fn run(self, output: Output) -> Ended {
        let mut shutdown = Shutdown::listen()?;
        tokio::select! {
            ended = self.play(output) => ended,
            // What is played is dropped here: its processes are killed, its files removed.
            () = shutdown.asked() => Err(Failure::new(Exit::Failure, "interrupted")),
        }
    }

    async fn play(&self, output: Output) -> Ended {
        let clock = SystemClock::start();
        let now: Timestamp = clock.wall();
        let texts = cast::texts(self.texts.into(), now);
        let step = |words: &str| output.talk(output.paint(Tone::Strong, words));

        step("1. Starting a carrier that misbehaves, and the daemon");
        let mut stage = Stage::set(self.seed, output).await?;
        step(&format!("2. Handing over {} texts; the daemon is killed (SIGKILL) in the middle", texts.len()));
        let accepted = stage.accept_through_a_crash(&texts).await?;
        step("3. Waiting until every text has a fate");
        stage.wait_for_fates(&accepted).await?;
        stage.decide_for_a_person(&accepted).await?;
        let fates = stage.fates(&accepted).await?;
        let ledger = stage.ledger().await?;
        let verdict = Verdict::of(&fates, &ledger);
        if output.form() == Form::Text {
            step("4. Four lives");
            summary::lives(output, stage.client(), &fates).await?;
        }
        let stopped_well = stage.strike().await?;
        match output.form() {
            Form::Json => output.json(&verdict)?,
            Form::Text => summary::write(output, &verdict, stopped_well)?,
        }
        Ok(if verdict.kept() && stopped_well { Exit::Success } else { Exit::Failure })
    }
}
