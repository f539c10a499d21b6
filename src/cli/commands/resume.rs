//! `refleet resume`: goes on with a run that was left before its end.

use std::sync::Arc;

use crate::domain::{PauseCause, Record, RunId, Steering, count, list_some};
use crate::engine::{Engine, Input};
use crate::journal::{Elsewhere, RunSummary, Store, TakenOver};
use crate::plan::{self, Plan};
use crate::report::Fold;
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::ResumeArgs;
use super::super::connection::{self, BUILT_IN, Connection};
use super::super::driving::{self, Drive};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::needs::Needs;
use super::super::{key_pairs, machine, same_cloud, saved};

/// Takes the run over and drives it on; one that has ended is only shown.
pub(in crate::cli) async fn resume(app: &App, args: &ResumeArgs) -> Result<Exit, Failure> {
    let store = app.existing_state()?;
    let chosen = choose(&store, args.run.as_deref()).await?;
    if chosen.end.is_some() {
        return driving::conclude(app, &store, &chosen.run).await;
    }
    if chosen.cloud == BUILT_IN {
        return Err(Failure::refused(
            format!("run {} was on the built-in cloud, which ended with its process", chosen.run),
            "start `refleet simulator` on its own to rehearse a crash",
        ));
    }
    if let Some(exit) = still_waits(app, &store, &chosen).await? {
        return Ok(exit);
    }
    go_on(app, &store, &chosen.run).await
}

/// A run that waits for an approval stays as it is, untouched, until somebody approves of it or asks
/// it to end.
async fn still_waits(app: &App, store: &Store, run: &RunSummary) -> Result<Option<Exit>, Failure> {
    if run.alive.is_some() || !run.paused.as_ref().is_some_and(PauseCause::needs_approval) {
        return Ok(None);
    }
    let (records, left) = (store.records(&run.run).await?, store.left(&run.run).await?);
    let fold = Fold::of(&records);
    let goes_on = left.iter().any(|request| match request.steering {
        Steering::Stop => true,
        Steering::Approve => fold.is_let_go_by(request.by.seen),
        Steering::Pause => false,
    });
    if goes_on {
        return Ok(None);
    }
    for what in fold.waits() {
        app.ui.say(format_args!("waits for an approval: {what}"));
    }
    driving::conclude(app, store, &run.run).await.map(Some)
}

async fn go_on(app: &App, store: &Store, run: &RunId) -> Result<Exit, Failure> {
    let before = store.load(run).await?;
    let plan = saved::of_run(run, &before.plan_json)?;
    let plan = Arc::new(plan::check(plan).map_err(Failure::Unsound)?);
    let connection = connection::of_plan(app, &plan).await?;
    machine::refuse_self(&plan, &machine::read(), connection.identity.simulated)?;
    prepare(app, store, &plan, &before.records, &connection).await?;
    connection.cloud.expect_quotes_of(plan.targets.values().map(|target| &target.reinstall));
    let reporters = driving::reporters(app)?;
    let now = RealClock::wall();
    app.ui.note(format_args!("the plan of the run is {} old", now.since(plan.made)));
    let TakenOver { log, stored, left, yielded, elsewhere } = store.take_over(run, now).await?;
    tell_elsewhere(app, &Fold::of(&stored.records), &elsewhere);
    let engine = Engine::replay(plan, &stored.records)?;
    let clock = connection.clock(engine.last_time());
    let (connection, past) = (&connection, &stored.records);
    let drive = Drive { store, connection, log, clock, past, reporters };
    drive.drive(app, engine, Input::Resumed { left, yielded }).await
}

/// Fetches and compares what the rest of the run needs, before anything of it is touched. A run that
/// only comes to its end goes without.
async fn prepare(
    app: &App,
    store: &Store,
    plan: &Plan,
    records: &[Record],
    connection: &Connection,
) -> Result<(), Failure> {
    let fold = Fold::of(records);
    let run = fold.outline.as_ref().map(|outline| &outline.run);
    let left = match run {
        Some(run) => store.left(run).await?,
        None => Vec::new(),
    };
    let needs = if left.iter().any(|request| request.steering == Steering::Stop) {
        Needs::default()
    } else {
        Needs::rest_of(plan, connection.is_hooked, &fold)
    };
    let other = same_cloud::refuse_another_user(&plan.cloud, &needs, &connection.identity)?;
    if let Some(other) = &other {
        app.ui.note(other);
    }
    key_pairs::refuse_others(app, plan, &needs, connection).await?;
    connection.secrets.fetch_all(&needs)
}

/// Says what other runs did to servers of this one since it was left.
fn tell_elsewhere(app: &App, fold: &Fold, elsewhere: &[Elsewhere]) {
    for Elsewhere { run, deed, servers, last } in elsewhere {
        let names: Vec<String> = servers.iter().map(|server| fold.name_of(server)).collect();
        app.ui.say(format_args!(
            "meanwhile run {run} sent a {deed} to {}, last at {last}: {}",
            count(names.len(), "server"),
            list_some(&names, 10)
        ));
    }
}

/// The named run; else the only one that has not ended; else the newest.
async fn choose(store: &Store, wanted: Option<&str>) -> Result<RunSummary, Failure> {
    if let Some(wanted) = wanted {
        return Ok(store.find(wanted).await?);
    }
    let mut open = store.unfinished().await?;
    open.retain(|run| run.cloud != BUILT_IN);
    if open.len() > 1 {
        let runs: Vec<&RunId> = open.iter().map(|run| &run.run).collect();
        return Err(Failure::refused(
            format!("{} runs have not ended", open.len()),
            format!("name one: {}", list_some(&runs, 10)),
        ));
    }
    match open.pop() {
        Some(run) => Ok(run),
        None => super::status::newest(store).await,
    }
}
