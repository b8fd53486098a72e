//! What commands print: text for people, coloured on a terminal only, or JSON for programs.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

use super::exit::Exit;

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
    colour: bool,
}

/// What a piece of text means, and so its colour.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    /// In order.
    Good,
    /// Wrong.
    Bad,
    /// Worth a look.
    Doubtful,
    /// Of less importance.
    Faint,
    /// Of more importance.
    Strong,
}

impl Output {
    /// Standard output. `NO_COLOR` (no-color.org) keeps it plain.
    #[expect(
        clippy::disallowed_methods,
        reason = "NO_COLOR is a custom among programs, not a setting of this one"
    )]
    pub(super) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: wanted && io::stdout().is_terminal() }
    }

    /// Whether a program reads this.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints one line. That the reader is gone, as in `hearken … | head`, is no error.
    #[expect(clippy::unused_self, reason = "whatever is printed goes through an `Output`")]
    pub(super) fn line(self, text: impl Display) {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    /// Prints data as JSON.
    pub(super) fn json(self, data: &impl Serialize) -> Exit {
        match serde_json::to_string_pretty(data) {
            Ok(text) => {
                self.line(text);
                Exit::Ok
            }
            Err(error) => {
                self.error(&error.into());
                Exit::Problems
            }
        }
    }

    /// Says on standard error why the command failed.
    pub(super) fn error(self, error: &anyhow::Error) {
        let label = if self.colour && io::stderr().is_terminal() {
            self.paint(Tone::Bad, "error:")
        } else {
            "error:".to_owned()
        };
        let _ = writeln!(io::stderr().lock(), "{label} {error:#}");
    }

    /// `text` in the colour of its meaning.
    pub(super) fn paint(self, tone: Tone, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Doubtful => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A check mark or a cross.
    pub(super) fn mark(self, fine: bool) -> String {
        if fine { self.paint(Tone::Good, "✓") } else { self.paint(Tone::Bad, "✗") }
    }
}
