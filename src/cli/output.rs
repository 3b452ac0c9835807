//! Where commands write: data to the standard output, talk to the standard error output.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use indicatif::ProgressBar;
use serde::Serialize;

/// In which form data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs: one JSON document per line.
    Json,
}

/// Where commands write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    form: Form,
    color: bool,
}

/// Colors with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

impl Output {
    /// Writes in `form`; in color only to a terminal, and never when `NO_COLOR` is set
    /// (<https://no-color.org>, read 2026-11-24).
    pub(super) fn new(form: Form) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { form, color: wanted && form == Form::Text && io::stdout().is_terminal() }
    }

    /// The form of data.
    pub(super) fn form(self) -> Form {
        self.form
    }

    /// One line of text.
    ///
    /// # Errors
    /// When the output can't be written.
    #[expect(clippy::unused_self, reason = "commands write through an output, never past it")]
    pub(super) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// One JSON document on a line of its own.
    ///
    /// # Errors
    /// When the output can't be written.
    pub(super) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// One line of talk. Lost when nobody listens.
    #[expect(clippy::unused_self, reason = "commands write through an output, never past it")]
    pub(super) fn talk(self, text: impl Display) {
        // Talk is a courtesy: a closed standard error output must not end a command.
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// A bar for work of this length; hidden where nobody watches.
    pub(super) fn progress(self, length: u64) -> ProgressBar {
        let watched = self.form == Form::Text && io::stderr().is_terminal();
        if watched { ProgressBar::new(length) } else { ProgressBar::hidden() }
    }

    /// `text` in a color, where colors are wanted.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
