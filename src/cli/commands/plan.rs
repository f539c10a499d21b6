//! `refleet plan`: what would be done. Reads the cloud and changes nothing.

use std::path::Path;

use crate::domain::count;
use crate::plan::{self, CheckedPlan};

use super::super::app::App;
use super::super::args::{PlanArgs, PlanFormat};
use super::super::connection::Connection;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::needs::Needs;
use super::super::{connection, drawing, files, playbooks, saved};

/// Draws the plan, shows it, and saves it if that is asked for.
pub(in crate::cli) async fn plan(app: &App, args: &PlanArgs) -> Result<Exit, Failure> {
    let playbook = playbooks::require(&app.ui, &args.playbook)?;
    let connection = connection::of_playbook(app, &playbook).await?;
    let narrowing = drawing::narrowing(&args.narrowing);
    let plan = drawing::draw(&playbook, &narrowing, &connection).await?;
    tell_missing(app, &plan, &connection);
    let changed = match &args.diff {
        Some(old) => compare(app, args, old, &plan)?,
        None => show(app, args.format, &plan).map(|()| !plan.targets.is_empty())?,
    };
    if let Some(out) = &args.out {
        save(app, &plan, out)?;
    }
    Ok(match (plan.blocked.is_empty(), changed) {
        (false, _) => Exit::Refused,
        (true, true) if args.detailed_exitcode => Exit::Changes,
        (true, _) => Exit::Done,
    })
}

/// What `apply` would refuse for, as far as it can be seen without starting anything. Whoever plans need
/// not be who applies, so it is no refusal here.
fn tell_missing(app: &App, plan: &CheckedPlan, connection: &Connection) {
    let needs = Needs::of(plan, connection.is_hooked);
    for missing in connection.secrets.missing(&needs) {
        app.ui.say(format_args!("warning: {missing}: `refleet apply` refuses without it"));
    }
    for command in needs.commands() {
        app.ui.note(format_args!(
            "note: {command} is not run for a plan; `refleet apply` runs it before anything is touched"
        ));
    }
}

fn show(app: &App, format: PlanFormat, plan: &CheckedPlan) -> Result<(), Failure> {
    match format {
        PlanFormat::Text => app.ui.result(&plan::explain(plan)),
        PlanFormat::Json => app.ui.json(&**plan),
        PlanFormat::Dot => app.ui.result(&plan::dot(plan)),
        PlanFormat::Mermaid => app.ui.result(&plan::mermaid(plan)),
    }
}

/// Shows what changed since a plan that was saved, however old that is; gives whether anything did.
fn compare(app: &App, args: &PlanArgs, old: &Path, new: &CheckedPlan) -> Result<bool, Failure> {
    let Some(saved) = saved::read(old)? else {
        return Err(Failure::refused(
            format!("{} is no saved plan", old.display()),
            "`refleet plan PLAYBOOK --out FILE` saves one",
        ));
    };
    let difference = plan::difference(&saved.unchanged()?, new);
    match args.format {
        PlanFormat::Text => app.ui.result(&difference.to_string())?,
        PlanFormat::Json => app.ui.json(&difference)?,
        PlanFormat::Dot | PlanFormat::Mermaid => {
            return Err(Failure::refused(
                "a difference of plans has no picture",
                "use --format text or json with --diff",
            ));
        }
    }
    Ok(!difference.is_empty())
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
