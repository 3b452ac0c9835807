//! `dunlin completions`: what shells need to complete our commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Arguments;
use crate::cli::exit::{Ended, Exit};
use crate::cli::output::Output;

/// Write completions for a shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, output: Output) -> Ended {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "dunlin", &mut script);
        output.line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Success)
    }
}
