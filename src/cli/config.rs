//! `dunlin config show`: every setting, its value and where the value comes from.

use clap::Subcommand;
use serde_json::json;

use crate::cli::exit::{Ended, Exit};
use crate::cli::output::{Form, Output, Tone};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::resolve::Values;

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting; secrets are masked
    Show {
        /// Show where each value comes from
        #[arg(long)]
        origin: bool,
        /// Show what each setting means and how it is written
        #[arg(long)]
        explain: bool,
    },
}

impl ConfigCommand {
    pub(super) fn run(self, output: Output) -> Ended {
        let Self::Show { origin, explain } = self;
        let values = Values::resolve(&[], &Environment::of_process());
        let width = values.rows.iter().map(|row| row.setting.variable().len()).max().unwrap_or_default();
        for row in &values.rows {
            let setting = row.setting;
            if output.form() == Form::Json {
                output.json(&json!({
                    "variables": setting.variables,
                    "value": row.shown(),
                    "origin": row.origin.to_string(),
                    "form": setting.form,
                    "meaning": setting.meaning,
                }))?;
                continue;
            }
            let from = if origin { format!("  ({})", row.origin) } else { String::new() };
            output.line(format_args!(
                "{:width$}  {}{}",
                setting.variable(),
                row.shown(),
                output.paint(Tone::Dim, &from)
            ))?;
            if explain {
                output.line(format_args!("{:width$}  {}: {}", "", setting.form, setting.meaning))?;
            }
        }
        Config::read(&values)?;
        Ok(Exit::Success)
    }
}
