//! `refleet init`: a first playbook for what a project has. Reads the cloud and changes nothing.

use crate::domain::count;
use crate::plan::{self, Survey};
use crate::playbook::{self, NoFiles, Source};
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::InitArgs;
use super::super::connection::{self, BUILT_IN};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{diagnostic, drawing, files};

/// Writes the proposal, to stdout or to a file that is not there yet.
pub(in crate::cli) async fn init(app: &App, args: &InitArgs) -> Result<Exit, Failure> {
    let name = app.globals.cloud.as_deref().or_else(|| app.environment.variable("OS_CLOUD"));
    let name = match name {
        Some(BUILT_IN) => {
            return Err(Failure::refused(
                "the built-in cloud is made from a playbook, so there is nothing in it yet",
                "start `refleet simulator --clouds clouds.yaml`, then: refleet init --cloud sim",
            ));
        }
        Some(name) => name,
        None => {
            return Err(Failure::refused(
                "which cloud?",
                "--cloud NAME, an entry of clouds.yaml; docs/clouds.md says what else there is",
            ));
        }
    };
    let connection = connection::named(app, name).await?;
    let inventory = drawing::survey(Survey::for_proposal(), &connection).await?;
    if inventory.servers.is_empty() {
        return Err(Failure::refused(
            format!("there are no servers in project {}", connection.identity.project_name),
            "check the project and the region of the cloud's entry",
        ));
    }
    let text = plan::propose(&connection.identity, &inventory, RealClock::wall());
    let parsed = playbook::parse(&Source::new("proposal", text.as_str()), &NoFiles);
    if !parsed.problems.is_empty() {
        // Still of use to whoever mends it by hand.
        app.ui.drawn(&diagnostic::render(&parsed.problems));
    }
    let Some(out) = &args.out else {
        app.ui.data(&text)?;
        return Ok(Exit::Done);
    };
    files::write_fresh(out, text.as_bytes())?;
    let servers = count(inventory.servers.len(), "server");
    app.ui.note(format_args!(
        "a proposal for {servers} written to {path}; read it, then: refleet plan {path}",
        path = out.display()
    ));
    Ok(Exit::Done)
}
