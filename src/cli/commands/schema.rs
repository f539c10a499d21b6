//! `refleet schema`: what playbooks, plans and events look like, for editors and programs.

use super::super::app::App;
use super::super::args::{SchemaArgs, SchemaOf};
use super::super::exit::Exit;
use super::super::failure::Failure;
use crate::{plan, playbook, report};

/// Prints one schema.
pub(in crate::cli) fn schema(app: &App, args: &SchemaArgs) -> Result<Exit, Failure> {
    app.ui.json(&match args.of {
        SchemaOf::Playbook => playbook::schema(),
        SchemaOf::Plan => plan::schema(),
        SchemaOf::Event => report::schema(),
    })?;
    Ok(Exit::Done)
}
