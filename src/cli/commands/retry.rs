//! `refleet retry RUN`: a new plan of what failed in a run or never began, from the playbook as it is
//! now. Guards, canary and budget hold as in any other plan, and a person confirms it.

use std::collections::BTreeSet;

use crate::domain::{Ending, Phase, Record, ServerId, count, list_some};
use crate::plan::{self, CheckedPlan, Narrowing};
use crate::report::{Fold, ServerState};

use super::super::app::App;
use super::super::args::RetryArgs;
use super::super::connection::{self, BUILT_IN};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{drawing, playbooks, saved};
use super::{apply, plan as saving};

/// Plans again, shows it, and saves it or asks and runs it.
pub(in crate::cli) async fn retry(app: &App, args: &RetryArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let run = store.find(&args.run).await?;
    if run.end.is_none() {
        return Err(Failure::refused(
            format!("run {} has not ended", run.run),
            format!(
                "`refleet resume {id}` goes on with it; `refleet stop {id}` ends it",
                id = run.run
            ),
        ));
    }
    if run.cloud == BUILT_IN {
        return Err(Failure::refused(
            format!("run {} was on the built-in cloud, which ended with its process", run.run),
            "apply the playbook again",
        ));
    }
    let stored = store.load(&run.run).await?;
    let before = saved::of_run(&run.run, &stored.plan_json)?;
    let again = Again::of(&stored.records, &store.held(&run.run).await?);
    again.tell(app);
    if again.servers.is_empty() {
        return Err(Failure::refused(
            format!("there is nothing to try again in run {}", run.run),
            format!("`refleet report {}` says what came of its servers", run.run),
        ));
    }
    let path = playbooks::path_of(&before, &app.environment.folder);
    let playbook = playbooks::require(&app.ui, &path)?;
    if playbook.origin.sha256 != before.origin.sha256 {
        app.ui.say(format_args!(
            "{} has changed since run {}: the plan is of the playbook as it is now",
            before.origin.path, run.run
        ));
    }
    let connection = connection::of_plan(app, &before).await?;
    let narrowing = Narrowing { ids: Some(again.servers.clone()), ..Narrowing::default() };
    let plan = drawing::draw(&playbook, &narrowing, &connection).await?;
    again.tell_missing(app, &plan);
    let save = format!("refleet retry {} --out FILE", run.run);
    if let Some(out) = &args.out {
        app.ui.result(&plan::explain(&plan))?;
        saving::save(app, &plan, out)?;
        return Ok(if plan.blocked.is_empty() { Exit::Done } else { Exit::Refused });
    }
    if let Some(place) = &playbook.guards.saved_plan {
        let why = format!("{place}: guards.require.saved_plan forbids it");
        return Err(apply::unsaved(why, &save));
    }
    apply::refuse_large(&plan, &save)?;
    apply::confirm_and_run(app, plan, args.confirm, &connection).await
}

/// What is tried again of a run, and what not.
struct Again {
    servers: BTreeSet<ServerId>,
    /// Servers that a person has to look at first, by how they ended.
    left: Vec<(Ending, String)>,
}

impl Again {
    fn of(records: &[Record], held: &BTreeSet<ServerId>) -> Self {
        let mut again = Self { servers: BTreeSet::new(), left: Vec::new() };
        for server in Fold::of(records).servers.into_values() {
            again.sort_in(&server, held.contains(&server.id));
        }
        again
    }

    fn sort_in(&mut self, server: &ServerState, held: bool) {
        let ending = match server.phase {
            Phase::Ended(ending) => ending,
            // The run has ended: whatever did not end with it was given back untouched.
            Phase::Pending
            | Phase::BackingUp
            | Phase::Stopping
            | Phase::Stopped
            | Phase::Validated
            | Phase::Reinstalling
            | Phase::Settling
            | Phase::Verifying => {
                self.servers.insert(server.id.clone());
                return;
            }
        };
        match ending {
            Ending::Failed | Ending::NeedsSupport | Ending::Skipped => {
                self.servers.insert(server.id.clone());
            }
            // Given up by a person, who has looked at it.
            Ending::Unknown if !held => {
                self.servers.insert(server.id.clone());
            }
            Ending::Unknown | Ending::Drifted | Ending::Protected => {
                self.left.push((ending, server.name.clone()));
            }
            Ending::Verified => {}
        }
    }

    fn tell(&self, app: &App) {
        for ending in Ending::ALL {
            let of = self.left.iter().filter(|(other, _)| *other == ending);
            let names: Vec<&String> = of.map(|(_, name)| name).collect();
            if !names.is_empty() {
                let who = count(names.len(), "server");
                let unknown = ending == Ending::Unknown;
                let then = if unknown { "`refleet abandon`" } else { "plan it with --limit" };
                app.ui.note(format_args!(
                    "left out, {who} {ending}: {}; look first, then {then}",
                    list_some(&names, 5)
                ));
            }
        }
    }

    /// Who is not in the new plan though the run had it.
    fn tell_missing(&self, app: &App, plan: &CheckedPlan) {
        let blocked = |id: &ServerId| plan.blocked.iter().any(|blocked| blocked.id == *id);
        let named = |id: &ServerId| plan.left_out.iter().any(|left_out| left_out.id == *id);
        let missing: Vec<&ServerId> = self
            .servers
            .iter()
            .filter(|id| !plan.targets.contains_key(*id) && !blocked(id) && !named(id))
            .collect();
        if !missing.is_empty() {
            app.ui.say(format_args!(
                "{} of the run {} not selected by the playbook any more: {}",
                count(missing.len(), "server"),
                if missing.len() == 1 { "is" } else { "are" },
                list_some(&missing, 5)
            ));
        }
    }
}
