//! From the command line to an exit code. Start with [`main`].

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::domain::Steering;
use crate::journal::{Store, Upgrade};

use super::args::{Cli, Command, Globals};
use super::commands;
use super::environment::Environment;
use super::exit::Exit;
use super::failure::Failure;
use super::probes::Hooks;
use super::ui::Ui;
use super::{args, panic};

/// What every command is given.
#[derive(Debug)]
pub(super) struct App {
    pub(super) globals: Globals,
    pub(super) environment: Environment,
    pub(super) ui: Ui,
    pub(super) hooks: Hooks,
}

impl App {
    /// The state file: named, or the usual one.
    pub(super) fn state_file(&self) -> Result<PathBuf, Failure> {
        let named = self.globals.state.clone();
        named.or_else(|| self.environment.state_file()).ok_or_else(|| {
            Failure::refused("there is no home directory to keep the state in", "give --state FILE")
        })
    }

    /// The state, to write to it; it is made if there is none.
    pub(super) fn state(&self) -> Result<Store, Failure> {
        let path = self.state_file()?;
        Ok(self.tell_upgrade(&path, Store::open(&path)?))
    }

    /// The state that is there, to write to it.
    pub(super) fn existing_state(&self) -> Result<Store, Failure> {
        let path = self.state_file()?;
        Ok(self.tell_upgrade(&path, Store::open_existing(&path)?))
    }

    /// The state, to look things up in it.
    pub(super) fn look(&self) -> Result<Store, Failure> {
        Ok(Store::open_to_look(&self.state_file()?)?)
    }

    fn tell_upgrade(&self, path: &Path, store: Store) -> Store {
        if let Some(Upgrade { from, to }) = store.upgraded() {
            self.ui.say(format_args!(
                "the state file {} was brought from format {from} to {to}; an older refleet cannot \
                 read it any more",
                path.display()
            ));
        }
        store
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { globals, command } = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let environment = Environment::read();
    let ui = Ui::new(&globals, &environment);
    let app = App { globals, environment, ui, hooks: command.hooks() };
    panic::install();
    guarded(|| run(&app, &command)).into()
}

/// A mistake of ours is a code of its own; the hook has said the rest.
fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Bug)
}

fn run(app: &App, command: &Command) -> Exit {
    let outcome = Runtime::new()
        .map_err(|source| Failure::System { what: "start the runtime", source })
        .and_then(|runtime| {
            let outcome = runtime.block_on(dispatch(app, command));
            // A lookup of a name that hangs must not hold the program.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|failure| {
        app.ui.failure(&failure);
        failure.exit()
    })
}

async fn dispatch(app: &App, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => commands::init(app, args).await,
        Command::Validate(args) => commands::validate(app, args),
        Command::Plan(args) => commands::plan(app, args).await,
        Command::Apply(args) => Box::pin(commands::apply(app, args)).await,
        Command::Resume(args) => Box::pin(commands::resume(app, args)).await,
        Command::Pause(args) => commands::steer(app, args, Steering::Pause).await,
        Command::Stop(args) => commands::steer(app, args, Steering::Stop).await,
        Command::Approve(args) => commands::steer(app, args, Steering::Approve).await,
        Command::Watch(args) => commands::watch(app, args).await,
        Command::Abandon(args) => commands::abandon(app, args).await,
        Command::Retry(args) => Box::pin(commands::retry(app, args)).await,
        Command::Runs(args) => commands::runs(app, args).await,
        Command::Status(args) => commands::status(app, args).await,
        Command::Report(args) => commands::report(app, args).await,
        Command::Support(args) => commands::support(app, args).await,
        Command::Simulate(args) => commands::simulate(app, args),
        Command::Simulator(args) => commands::simulator(app, args).await,
        Command::Schema(args) => commands::schema(app, args),
        Command::Completions(args) => commands::completions(app, args),
        Command::Man => commands::man(app),
        Command::Explain(args) => commands::explain(app, args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_of_ours_is_a_code_of_its_own() {
        assert_eq!(guarded(|| Exit::Failures), Exit::Failures);
        let bug = guarded(|| panic!("on purpose"));
        assert_eq!((bug, bug as u8), (Exit::Bug, 70));
    }
}
