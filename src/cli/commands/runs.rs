//! `refleet runs`: every run of the state file, the newest last.

use crate::domain::{Counts, PauseCause};
use crate::journal::RunSummary;

use super::super::app::App;
use super::super::args::{Format, RunsArgs};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::table;

/// Lists them; with none, nothing is printed.
pub(in crate::cli) async fn runs(app: &App, args: &RunsArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let runs = store.runs().await?;
    match args.format {
        Format::Json => app.ui.json(&runs)?,
        Format::Text if runs.is_empty() => app.ui.note("no runs yet"),
        Format::Text => app.ui.result(&listing(&runs))?,
    }
    Ok(Exit::Done)
}

fn listing(runs: &[RunSummary]) -> String {
    let rows = runs.iter().map(|run| {
        [
            run.run.to_string(),
            run.created.to_string(),
            run.name.clone(),
            run.cloud.clone(),
            state(run),
        ]
    });
    table::draw(["RUN", "BEGAN", "PLAYBOOK", "CLOUD", "STATE"], rows)
}

/// Where a run is, in a few words.
pub(in crate::cli) fn state(run: &RunSummary) -> String {
    match (&run.end, run.alive, &run.paused) {
        (Some((_, counts)), _, _) => Counts::to_string(counts),
        (None, Some(pid), _) => format!("running (process {pid})"),
        (None, None, Some(cause)) => format!("paused: {}", reason(cause)),
        (None, None, None) => "interrupted".to_owned(),
    }
}

fn reason(cause: &PauseCause) -> String {
    match cause {
        PauseCause::LockedOut { .. } => "locked out".to_owned(),
        PauseCause::Asked { by } => format!("as {by} asked"),
        PauseCause::Approval { .. } => "waits for an approval".to_owned(),
        PauseCause::PlacesTaken { .. } => "servers that are left off hold every place".to_owned(),
        PauseCause::Precondition { .. } => "a precondition no longer holds".to_owned(),
        PauseCause::SharedCause { .. } => "servers failed alike, waits for an approval".to_owned(),
    }
}
