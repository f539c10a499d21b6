//! Speaking to people and programs: results on stdout, everything else on stderr.
//!
//! Start with [`Ui`]. It decides about colour and about who can be asked, once.

use std::fmt::{self, Display};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use console::style;
use serde::Serialize;

use crate::domain::{Shown, printable, shown_json};

use super::args::{Globals, When};
use super::diagnostic::Drawn;
use super::environment::Environment;
use super::failure::Failure;

/// Where the program speaks.
#[derive(Clone, Debug)]
pub(super) struct Ui {
    loudness: Loudness,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Errors only.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// The same, and progress as lines that stay.
    Verbose,
}

impl Ui {
    /// Decides about colour, for the whole process.
    pub(super) fn new(globals: &Globals, environment: &Environment) -> Self {
        let wanted = match globals.color {
            When::Auto => None,
            When::Always => Some(true),
            When::Never => Some(false),
        };
        let plain = environment.variable("NO_COLOR").is_some() || environment.is_dumb();
        let colour = |terminal: bool| wanted.unwrap_or(terminal && !plain);
        console::set_colors_enabled(colour(io::stdout().is_terminal()));
        console::set_colors_enabled_stderr(colour(io::stderr().is_terminal()));
        let loudness = match (globals.quiet, globals.verbose) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::Verbose,
            (false, false) => Loudness::Normal,
        };
        Self { loudness }
    }

    /// How much is said on stderr.
    pub(super) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// A result for people, of lines that are ours: text that ends in a line break, or nothing.
    pub(super) fn result(&self, text: &str) -> Result<(), Failure> {
        self.data(&printable(text))
    }

    /// A result for programs, as it is.
    #[expect(clippy::unused_self, reason = "only who has a `Ui` may speak")]
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| {
            if text.is_empty() || text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") }
        });
        written.and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// A result for programs: the same value, in characters that steer no terminal.
    pub(super) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        self.data(&shown_json(&serde_json::to_string_pretty(value)?))
    }

    /// Something that a person wants to know, on one line.
    pub(super) fn note(&self, text: impl Display) {
        if self.loudness != Loudness::Quiet {
            self.say(text);
        }
    }

    /// The same, of several lines that are ours.
    pub(super) fn note_lines(&self, text: &str) {
        if self.loudness != Loudness::Quiet {
            self.say_lines(text);
        }
    }

    /// Something that a person must know, on one line.
    pub(super) fn say(&self, text: impl Display) {
        self.write(format_args!("{}", Shown(text)));
    }

    /// The same, of several lines that are ours.
    pub(super) fn say_lines(&self, text: &str) {
        self.write(format_args!("{}", printable(text)));
    }

    /// Problems as [`super::diagnostic`] draws them, with its colours.
    pub(super) fn drawn(&self, text: &Drawn) {
        self.write(format_args!("{text}"));
    }

    #[expect(clippy::unused_self, reason = "only who has a `Ui` may speak")]
    fn write(&self, text: fmt::Arguments<'_>) {
        // Where nobody hears us, there is nothing to do about it.
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Why a command gave up.
    pub(super) fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if let Failure::Refusals(refusals) = failure {
            for refusal in refusals {
                self.error(&Shown(refusal).to_string(), Some(&refusal.help));
            }
        } else {
            self.error(&failure.told(), failure.help());
        }
    }

    /// What went wrong, of lines that are ours, and what can be done.
    fn error(&self, what: &str, help: Option<&str>) {
        let what = printable(what);
        self.write(format_args!("{} {what}", style("error:").for_stderr().red().bold()));
        if let Some(help) = help {
            let help = printable(help);
            self.write(format_args!("{}  {help}", style("help:").for_stderr().cyan()));
        }
    }

    /// Whether there is a person to ask.
    #[expect(clippy::unused_self, reason = "only who has a `Ui` may ask")]
    pub(super) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a person for a line.
    #[expect(clippy::unused_self, reason = "only who has a `Ui` may ask")]
    pub(super) fn ask(&self, question: impl Display) -> Result<String, Failure> {
        let trouble = |source| Failure::System { what: "ask on the terminal", source };
        let mut stderr = io::stderr().lock();
        write!(stderr, "{} ", Shown(question)).and_then(|()| stderr.flush()).map_err(trouble)?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(trouble)?;
        Ok(line.trim().to_owned())
    }
}
