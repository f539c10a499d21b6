//! `refleet report RUN`: what came of a run, from the journal alone, for any run ever made.

use crate::domain::shown_json;
use crate::report::{self, Summary};

use super::super::app::App;
use super::super::args::{ReportArgs, ReportFormat};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::files;

/// Prints the report, or writes it to a file.
pub(in crate::cli) async fn report(app: &App, args: &ReportArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let run = store.find(&args.run).await?;
    let records = store.records(&run.run).await?;
    let text = match args.format {
        ReportFormat::Text => Summary::of(&records).to_report(),
        ReportFormat::Json => {
            let text = serde_json::to_string_pretty(&Summary::of(&records))?;
            format!("{}\n", shown_json(&text))
        }
        ReportFormat::Junit => report::junit(&records)?,
        ReportFormat::Markdown => report::markdown(&records),
        ReportFormat::Html => report::html(&records)?,
    };
    match &args.out {
        Some(path) => files::write_private(path, text.as_bytes())?,
        None => app.ui.data(&text)?,
    }
    Ok(Exit::Done)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
