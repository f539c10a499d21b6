//! `refleet plan`: what would be done. Reads the cloud and changes nothing.

use std::path::Path;

use crate::domain::count;
use crate::plan::{self, CheckedPlan};

use super::super::app::App;
use super::super::args::{PlanArgs, PlanFormat};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{connection, drawing, files, playbooks};

/// Draws the plan, shows it, and saves it if that is asked for.
pub(in crate::cli) async fn plan(app: &App, args: &PlanArgs) -> Result<Exit, Failure> {
    let playbook = playbooks::require(&app.ui, &args.playbook)?;
    let connection = connection::of_playbook(app, &playbook).await?;
    let narrowing = drawing::narrowing(&args.narrowing);
    let plan = drawing::draw(&playbook, &narrowing, &connection).await?;
    match args.format {
        PlanFormat::Text => app.ui.result(&plan::explain(&plan))?,
        PlanFormat::Json => app.ui.json(&*plan)?,
        PlanFormat::Dot => app.ui.result(&plan::dot(&plan))?,
        PlanFormat::Mermaid => app.ui.result(&plan::mermaid(&plan))?,
    }
    if let Some(out) = &args.out {
        save(app, &plan, out)?;
    }
    Ok(match (plan.blocked.is_empty(), plan.targets.is_empty()) {
        (false, _) => Exit::Refused,
        (true, false) if args.detailed_exitcode => Exit::Changes,
        (true, _) => Exit::Done,
    })
}

/// Writes a plan for `apply`.
pub(super) fn save(app: &App, plan: &CheckedPlan, out: &Path) -> Result<(), Failure> {
    files::write_private(out, &serde_json::to_vec(&**plan)?)?;
    let servers = count(plan.targets.len(), "server");
    app.ui.note(format_args!(
        "plan {:.12} for {servers} saved; until {}: refleet apply {}",
        plan.id.as_str(),
        plan.expires,
        out.display()
    ));
    Ok(())
}
