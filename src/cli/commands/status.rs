//! `refleet status`: where each server of a run is, from the journal alone.

use crate::domain::Lines;
use crate::journal::{RunSummary, Store};
use crate::report::Status;

use super::super::app::App;
use super::super::args::{Format, StatusArgs};
use super::super::exit::Exit;
use super::super::failure::Failure;

/// Shows one run: the named one, or the newest.
pub(in crate::cli) async fn status(app: &App, args: &StatusArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let run = match &args.run {
        Some(run) => store.find(run).await?,
        None => newest(&store).await?,
    };
    let status = Status::of(&store.records(&run.run).await?);
    match args.format {
        Format::Json => app.ui.json(&status)?,
        Format::Text => {
            let mut text = Lines::new();
            text.line(format_args!("run {}: {}", run.run, super::runs::state(&run)));
            app.ui.result(&(text.into_text() + &status.to_text()))?;
        }
    }
    Ok(Exit::Done)
}

/// The newest run, or a refusal.
pub(super) async fn newest(store: &Store) -> Result<RunSummary, Failure> {
    let newest = store.runs().await?.pop();
    newest.ok_or_else(|| {
        Failure::refused("there are no runs in this state file", "`refleet apply` begins one")
    })
}
