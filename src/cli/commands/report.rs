//! `refleet report RUN`: what came of a run, from the journal alone, for any run ever made.

use crate::journal::Store;
use crate::report::Summary;

use super::super::app::App;
use super::super::args::{Format, ReportArgs};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::files;

/// Prints the report, or writes it to a file.
pub(in crate::cli) async fn report(app: &App, args: &ReportArgs) -> Result<Exit, Failure> {
    let store = Store::open_existing(&app.state_file()?)?;
    let run = store.find(&args.run).await?;
    let summary = Summary::of(&store.records(&run.run).await?);
    let text = match args.format {
        Format::Text => summary.to_report(),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&summary)?),
    };
    match &args.out {
        Some(path) => files::write_private(path, text.as_bytes())?,
        None => app.ui.result(&text)?,
    }
    Ok(Exit::Done)
}
