//! `refleet apply`: shows what will be done, asks, and does it.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{Moment, RunId, ServerId, Time, count};
use crate::engine::{Engine, Input, Start};
use crate::journal::{NewRun, Store};
use crate::plan::{self, CheckedPlan, Consent};
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::ApplyArgs;
use super::super::connection::{self, BUILT_IN, Connection};
use super::super::driving::{self, Drive};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::needs::Needs;
use super::super::saved::{self, Saved};
use super::super::{drawing, drift, machine, playbooks, same_cloud};

/// The most servers that may be wiped without a plan that somebody could look at first
/// (`safety.md`, section 2).
const WITHOUT_A_SAVED_PLAN: usize = 10;

/// Applies a playbook or a saved plan.
pub(in crate::cli) async fn apply(app: &App, args: &ApplyArgs) -> Result<Exit, Failure> {
    let (plan, connection) = match saved::read(&args.subject)? {
        Some(saved) => planned_before(app, args, saved).await?,
        None => planned_now(app, args).await?,
    };
    confirm_and_run(app, plan, args.confirm, &connection).await
}

/// Shows a plan, asks, and runs it.
pub(super) async fn confirm_and_run(
    app: &App,
    plan: CheckedPlan,
    confirm: Option<usize>,
    connection: &Connection,
) -> Result<Exit, Failure> {
    app.ui.note_lines(&plan::explain(&plan));
    refuse_blocked(&plan)?;
    let needs = Needs::of(&plan, connection.is_hooked);
    needs.refuse(&connection.secrets.missing(&needs))?;
    let consent = consent(app, &plan, confirm)?;
    connection.secrets.fetch_all(&needs)?;
    drop(needs);
    let plan = plan.begun_in(connection.base.to_str().map(str::to_owned));
    let store = app.state()?;
    run(app, &store, plan, &consent, connection).await
}

/// A plan that is drawn now, from a playbook.
async fn planned_now(app: &App, args: &ApplyArgs) -> Result<(CheckedPlan, Connection), Failure> {
    let playbook = playbooks::require(&app.ui, &args.subject)?;
    if let Some(place) = &playbook.guards.saved_plan {
        let why = format!("{place}: guards.require.saved_plan forbids it");
        return Err(unsaved(why, &save_and_apply(args)));
    }
    let connection = connection::of_playbook(app, &playbook).await?;
    let narrowing = drawing::narrowing(&args.narrowing);
    let plan = drawing::draw(&playbook, &narrowing, &connection).await?;
    refuse_large(&plan, &save_and_apply(args))?;
    Ok((plan, connection))
}

fn save_and_apply(args: &ApplyArgs) -> String {
    format!("refleet plan {} --out FILE", args.subject.display())
}

/// Many servers need a plan that somebody could look at; `save` is how to get one.
pub(super) fn refuse_large(plan: &CheckedPlan, save: &str) -> Result<(), Failure> {
    let servers = plan.targets.len();
    // The world of the built-in cloud ends with this process: there is nothing to look at before.
    if servers <= WITHOUT_A_SAVED_PLAN || plan.cloud.name == BUILT_IN {
        return Ok(());
    }
    let many = count(servers, "server");
    Err(unsaved(format!("{many} would be wiped, and more than 10 need a saved plan"), save))
}

pub(super) fn unsaved(why: String, save: &str) -> Failure {
    Failure::refused(why, format!("look at the plan first: {save}; then: refleet apply FILE"))
}

/// A plan that was saved: still young, for this cloud, and with the files it was made with.
async fn planned_before(
    app: &App,
    args: &ApplyArgs,
    saved: Saved,
) -> Result<(CheckedPlan, Connection), Failure> {
    if !drawing::narrowing(&args.narrowing).is_whole() {
        return Err(Failure::refused(
            "a saved plan is applied whole",
            "narrow it when it is made: refleet plan PLAYBOOK --limit … --out FILE",
        ));
    }
    let plan = saved.checked(RealClock::wall())?.begun_in(None);
    drift::refuse(&plan)?;
    same_cloud::refuse_unpinned(&plan)?;
    let connection = connection::of_plan(app, &plan).await?;
    let there = &connection.identity;
    machine::refuse_self(&plan, &machine::read(), there.simulated)?;
    let needs = Needs::of(&plan, connection.is_hooked);
    let other = same_cloud::refuse_another_user(&plan.cloud, &needs, there)?;
    if let Some(other) = &other {
        app.ui.note(other);
    }
    drop(needs);
    Ok((plan, connection))
}

fn refuse_blocked(plan: &CheckedPlan) -> Result<(), Failure> {
    if plan.is_runnable() {
        return Ok(());
    }
    let blocked = plan.blocked.len();
    let what = match blocked {
        0 => "the plan has no servers".to_owned(),
        _ => format!("{} would be refused by the cloud", count(blocked, "server")),
    };
    Err(Failure::refused(what, "the plan above says which, why, and who can mend it"))
}

/// A person says yes by typing how many servers will be wiped.
fn consent(app: &App, plan: &CheckedPlan, confirm: Option<usize>) -> Result<Consent, Failure> {
    let typed = match confirm {
        Some(number) => number,
        None if app.ui.can_ask() => {
            let answer = app.ui.ask("How many servers will be wiped? Type the number to go on:")?;
            answer.parse().map_err(|_| {
                Failure::refused("that is not a number, so nothing was done", "type it in digits")
            })?
        }
        None => {
            return Err(Failure::refused(
                "there is no terminal to ask on",
                "give --confirm N, with the number of servers that will be wiped",
            ));
        }
    };
    Consent::try_new(plan, typed).map_err(|wrong| {
        Failure::refused(format!("{wrong}; nothing was done"), "look at the plan again")
    })
}

/// Begins the run, and drives it to its end.
async fn run(
    app: &App,
    store: &Store,
    plan: CheckedPlan,
    consent: &Consent,
    connection: &Connection,
) -> Result<Exit, Failure> {
    let reporters = driving::reporters(app)?;
    let id = Uuid::now_v7();
    let run = RunId::from(id.to_string());
    let (plan, created) = (Arc::new(plan), RealClock::wall());
    let start = Start { run: run.clone(), seed: seed(id) };
    let now = Moment { at: Time(0), wall: created };
    let (engine, first) = Engine::new(Arc::clone(&plan), consent, start, now);
    let past = [first.clone()];
    let new = NewRun {
        run,
        plan: plan.id.clone(),
        plan_json: serde_json::to_string(&**plan)?,
        name: plan.name.clone(),
        cloud: plan.cloud.name.clone(),
        created,
        servers: claimed(&plan),
        first,
    };
    let log = store.begin(new).await?;
    let clock = connection.clock(Time(0));
    let drive = Drive { store, connection, log, clock, past: &past, reporters };
    drive.drive(app, engine, Input::Begin).await
}

/// Servers that no other run of the state file may touch. Those of the built-in cloud are nobody
/// else's: each process has a world of its own, with the same ids.
fn claimed(plan: &CheckedPlan) -> Vec<ServerId> {
    if plan.cloud.name == BUILT_IN { Vec::new() } else { plan.targets.keys().cloned().collect() }
}

/// The random half of a run's id.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn seed(id: Uuid) -> u64 {
    id.as_u128() as u64
}
