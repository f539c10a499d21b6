//! `refleet completions` and `refleet man`: what shells and `man` know of the command line.

use super::super::app::App;
use super::super::args::{self, CompletionsArgs};
use super::super::exit::Exit;
use super::super::failure::Failure;

/// Prints the completions of a shell.
pub(in crate::cli) fn completions(app: &App, args: &CompletionsArgs) -> Result<Exit, Failure> {
    app.ui.data(&String::from_utf8_lossy(&args::completions(args.shell)))?;
    Ok(Exit::Done)
}

/// Prints the manual page.
pub(in crate::cli) fn man(app: &App) -> Result<Exit, Failure> {
    app.ui.data(&String::from_utf8_lossy(&args::manual().map_err(Failure::Output)?))?;
    Ok(Exit::Done)
}
