//! A run from its engine to its exit code: what `apply` and `resume` have in common.
//!
//! Start with [`Drive::drive`].

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Record, RunId};
use crate::engine::{Engine, Input};
use crate::journal::{RunLog, Store};
use crate::report::{self, JsonLines, Plain, Reporter, Reporters, Summary, Terminal};
use crate::run::{self, Driver, Ended, RealClock, RunError};

use super::app::App;
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::files;
use super::ui::Loudness;

/// A run that is ready to be driven.
pub(super) struct Drive<'a> {
    /// Where its journal is, for the report afterwards.
    pub(super) store: &'a Store,
    /// Its cloud.
    pub(super) connection: &'a Connection,
    /// Its journal, held by us.
    pub(super) log: RunLog,
    /// Its clock.
    pub(super) clock: RealClock,
    /// What was written down before: nothing for a new run but its first record.
    pub(super) past: &'a [Record],
    /// Who is told what happens, as [`reporters`] gives them.
    pub(super) reporters: Reporters,
}

impl Drive<'_> {
    /// Drives it; then says what came of it, from its journal.
    pub(super) async fn drive(
        self,
        app: &App,
        engine: Engine,
        first: Input,
    ) -> Result<Exit, Failure> {
        let run = self.log.run().clone();
        super::panic::drives(&run);
        let witness = Witness::default();
        let mut reporters = self.reporters.with("witness", witness.clone());
        match first {
            Input::Begin => reporters.tell(self.past),
            Input::Resumed { .. }
            | Input::Woke
            | Input::Replied { .. }
            | Input::Interrupted
            | Input::Asked(_) => {
                reporters.catch_up(self.past);
            }
        }
        let cloud = Arc::clone(&self.connection.cloud);
        let outside = self.connection.outside.clone();
        let driver = Driver::new(engine, self.log, self.clock, cloud, outside)
            .telling(reporters)
            .heeding(run::ctrl_c());
        match driver.run(first).await {
            Ok(Ended { reporter_failures }) => {
                for failure in &reporter_failures {
                    app.ui.say(failure);
                }
                // Servers may have been touched: what cannot be read now is no refusal any more.
                conclude(app, self.store, &run).await.map_err(|failure| {
                    if let Failure::Journal(error) = failure {
                        RunError::Journal(error).into()
                    } else {
                        failure
                    }
                })
            }
            Err(error) => {
                go_on(app, &run, &error, &witness.records());
                Err(error.into())
            }
        }
    }
}

/// Says what came of a run, and gives the code that it is left with: the same one whether or not
/// anybody reads what is said.
pub(super) async fn conclude(app: &App, store: &Store, run: &RunId) -> Result<Exit, Failure> {
    let summary = Summary::of(&store.records(run).await?);
    if let Some(why) = &summary.paused_text {
        app.ui.say(format_args!("run {run} is paused, {why}"));
    }
    if events_are_the_result(app) {
        // Programs read stdout: there is nothing but events on it.
        app.ui.note_lines(summary.to_text().trim_end());
    } else if let Err(failure) = app.ui.result(&summary.to_text()) {
        app.ui.say(format_args!("warning: {failure}; `refleet report {run}` shows the result"));
    }
    Ok(Exit::of(&summary))
}

/// Says how to go on with a run that was left, and which servers are down: the state file may not be
/// there any more to be asked.
fn go_on(app: &App, run: &RunId, error: &RunError, records: &[Record]) {
    match error {
        RunError::Interrupted | RunError::Journal(_) | RunError::Stuck => {
            let down = Summary::of(records).down_text();
            if !down.is_empty() {
                app.ui.say_lines(down.trim_end());
            }
            app.ui.say(format_args!("run {run} has not ended: refleet resume {run}"));
        }
    }
}

/// Keeps what was told, for when the state file cannot be read any more.
#[derive(Clone, Debug, Default)]
struct Witness(Arc<Mutex<Vec<Record>>>);

impl Witness {
    fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, records: &[Record]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(records);
    }
}

impl Reporter for Witness {
    fn catch_up(&mut self, records: &[Record]) {
        self.add(records);
    }

    fn tell(&mut self, records: &[Record]) -> Result<(), report::Error> {
        self.add(records);
        Ok(())
    }
}

fn events_are_the_result(app: &App) -> bool {
    app.globals.events.as_deref() == Some(Path::new("-"))
}

/// Who is told what happens: people on stderr, programs through `--events`. Made before a run begins
/// or is taken over: a file that cannot be written must not use up the plan.
pub(super) fn reporters(app: &App) -> Result<Reporters, Failure> {
    let stderr = std::io::stderr();
    let reporters = match app.ui.loudness() {
        Loudness::Quiet => Reporters::new(),
        Loudness::Normal if stderr.is_terminal() && !app.environment.is_dumb() => {
            Reporters::new().with("progress", Terminal::stderr())
        }
        Loudness::Normal | Loudness::Verbose => {
            Reporters::new().with("progress", Plain::new(stderr))
        }
    };
    Ok(match &app.globals.events {
        None => reporters,
        Some(_) if events_are_the_result(app) => {
            reporters.with("events", JsonLines::new(std::io::stdout()))
        }
        Some(path) => {
            let trouble = |source| Failure::Write { path: path.clone(), source };
            let file = files::append_private(path).map_err(trouble)?;
            reporters.with("events", JsonLines::new(file))
        }
    })
}
