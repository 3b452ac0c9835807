//! `dunlin doctor`: is everything in place, and if not, what to do.

mod provider;
mod store;
mod supabase;

use clap::Args;
use serde_json::json;

use crate::cli::exit::{Ended, Exit};
use crate::cli::output::{Form, Output, Tone};
use crate::config::Config;
use crate::config::account::Destination;
use crate::config::environment::Environment;
use crate::config::resolve::Values;

/// Check that everything the daemon needs is in place.
///
/// Looks at the settings, the data directory, the store or the running daemon, and, with
/// credentials, asks the provider who we are and the Supabase project whether it lets us in. Sends nothing and changes nothing.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Ask neither the provider nor Supabase
    #[arg(long)]
    offline: bool,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// In place.
    Good,
    /// Works, but you should know.
    Note,
    /// Does not work.
    Bad,
}

/// One check: what was looked at, how it went, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    about: &'static str,
    verdict: Verdict,
    words: String,
    remedy: String,
}

impl Check {
    fn good(about: &'static str, words: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Good, words: words.into(), remedy: String::new() }
    }

    fn note(about: &'static str, words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Note, words: words.into(), remedy: remedy.into() }
    }

    fn bad(about: &'static str, words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Bad, words: words.into(), remedy: remedy.into() }
    }

    fn write(&self, output: Output) -> std::io::Result<()> {
        let (word, tone) = match self.verdict {
            Verdict::Good => ("ok", Tone::Good),
            Verdict::Note => ("note", Tone::Strong),
            Verdict::Bad => ("bad", Tone::Bad),
        };
        if output.form() == Form::Json {
            return output.json(&json!({
                "about": self.about, "verdict": word, "words": self.words, "remedy": self.remedy,
            }));
        }
        output.line(format_args!(
            "{} {:13} {}",
            output.paint(tone, &format!("{word:4}")),
            self.about,
            self.words
        ))?;
        if !self.remedy.is_empty() {
            output.line(format_args!("{:18} -> {}", "", self.remedy))?;
        }
        Ok(())
    }
}

impl Doctor {
    pub(super) async fn run(self, output: Output) -> Ended {
        let values = Values::resolve(&[], &Environment::of_process());
        let config = match Config::read(&values) {
            Ok(config) => config,
            Err(problems) => {
                for problem in &problems.0 {
                    let remedy = "`dunlin config show --origin --explain` shows where each value comes from";
                    Check::bad("settings", problem.what.clone(), remedy).write(output)?;
                }
                return Ok(Exit::Configuration);
            }
        };
        let mut checks = vec![settings(&config)];
        checks.extend(reachable(&config));
        checks.push(store::directory(&config.data));
        checks.push(store::store(&config).await);
        match &config.destination {
            Destination::Sandbox => {}
            Destination::Live(_) if self.offline => {
                checks.push(Check::note("provider", "not asked", "leave out --offline to ask"));
            }
            Destination::Live(account) => checks.extend(provider::ask(account).await),
        }
        match &config.supabase {
            None => {}
            Some(_) if self.offline => {
                checks.push(Check::note("supabase", "not asked", "leave out --offline to ask"));
            }
            Some(project) => checks.extend(supabase::ask(project).await),
        }
        for check in &checks {
            check.write(output)?;
        }
        let bad = checks.iter().filter(|check| check.verdict == Verdict::Bad).count();
        Ok(if bad == 0 { Exit::Success } else { Exit::Failure })
    }
}

fn settings(config: &Config) -> Check {
    match config.destination {
        Destination::Live(_) => Check::good("settings", "complete; texts go out for real"),
        Destination::Sandbox => Check::note(
            "settings",
            "no credentials: texts go to the sandbox and nobody receives them",
            "set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_MESSAGING_SERVICE_SID to send for real",
        ),
    }
}

/// Whether the provider can reach us with its callbacks.
fn reachable(config: &Config) -> Option<Check> {
    if matches!(config.destination, Destination::Sandbox) {
        return None;
    }
    let remedy = "set DUNLIN_PUBLIC_URL to the https address that leads to this daemon";
    Some(match &config.public_url {
        None => Check::note(
            "callbacks",
            "no public URL: the provider can't report, so fates are asked for later (DUNLIN_POLL_AFTER)",
            remedy,
        ),
        Some(url) if url.starts_with("http://") => Check::note(
            "callbacks",
            format!("{url} is on this machine: only a carrier here can report"),
            remedy,
        ),
        Some(url) => Check::good("callbacks", format!("signatures are checked against {url}")),
    })
}
