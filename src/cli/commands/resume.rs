//! `refleet resume`: goes on with a run that was left before its end.

use std::sync::Arc;

use crate::domain::{RunId, list_some};
use crate::engine::{Engine, Input};
use crate::journal::{RunSummary, Store};
use crate::plan::{self, Plan};
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::ResumeArgs;
use super::super::connection::{self, BUILT_IN};
use super::super::driving::{self, Drive};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::machine;

/// Takes the run over and drives it on; one that has ended is only shown.
pub(in crate::cli) async fn resume(app: &App, args: &ResumeArgs) -> Result<Exit, Failure> {
    let store = Store::open_existing(&app.state_file()?)?;
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
    go_on(app, &store, &chosen.run).await
}

async fn go_on(app: &App, store: &Store, run: &RunId) -> Result<Exit, Failure> {
    let plan: Plan = serde_json::from_str(&store.load(run).await?.plan_json)?;
    let plan = Arc::new(plan::check(plan).map_err(Failure::Unsound)?);
    machine::refuse_self(&plan, &machine::read())?;
    let connection = connection::of_plan(app, &plan).await?;
    let reporters = driving::reporters(app)?;
    let (log, stored) = store.take_over(run, RealClock::wall()).await?;
    let engine = Engine::replay(plan, &stored.records)?;
    let clock = connection.clock(stored.created, engine.last_time());
    let drive =
        Drive { store, connection: &connection, log, clock, past: &stored.records, reporters };
    drive.drive(app, engine, Input::Resumed).await
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
