//! `refleet simulate`: the user's own plan, rehearsed in simulated time under trouble drawn from
//! seeds. No account, no network, nothing real is touched.

use crate::domain::Record;
use crate::playbook::Playbook;
use crate::simulation::{
    Point, Rehearsal, Scenario, ScenarioError, Tally, every_point, fit, rehearse,
};
use crate::simulator::{Faults, WorldSpec};

use super::super::app::App;
use super::super::args::SimulateArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::ui::Ui;
use super::super::worlds::Asked;
use super::super::{playbooks, worlds};

/// Rehearses the playbook once for each seed, and says what the checkers found.
pub(in crate::cli) fn simulate(app: &App, args: &SimulateArgs) -> Result<Exit, Failure> {
    let playbook = playbooks::require(&app.ui, &args.playbook)?;
    let world = world_for(&app.ui, &playbook)?;
    if args.every_point {
        return points(app, &playbook, &world);
    }
    let faults =
        args.faults.as_deref().map(|name| worlds::faults_named(&app.ui, name)).transpose()?;
    let seeds = args.from..args.from.saturating_add(args.seeds);
    let mut tally = Tally::default();
    for seed in seeds {
        let rehearsal = one(&playbook, &world, faults.as_ref(), (seed, args.people))?;
        if args.trace {
            trace(app, &rehearsal)?;
        }
        tally.add(&rehearsal);
    }
    app.ui.result(&tally.to_string())?;
    Ok(if tally.is_clean() { Exit::Done } else { Exit::Bug })
}

/// The world that the playbook asks for, or one that is fitted to it, whatever its cloud.
fn world_for(ui: &Ui, playbook: &Playbook) -> Result<WorldSpec, Failure> {
    let written = playbook.simulator.as_ref();
    let seed = written.map_or(0, |written| written.seed);
    Asked::by_playbook(ui, written, || Ok(fit(playbook, seed))).map(|asked| asked.spec)
}

fn one(
    playbook: &Playbook,
    world: &WorldSpec,
    faults: Option<&Faults>,
    (seed, people): (u64, bool),
) -> Result<Rehearsal, Failure> {
    let drawn = if people {
        Scenario::draw_with_people(playbook, world, faults, seed)
    } else {
        Scenario::draw_usual(playbook, world, faults, seed)
    };
    Ok(rehearse(drawn.map_err(|error| refused(&error))?))
}

fn refused(error: &ScenarioError) -> Failure {
    Failure::refused(error.to_string(), "mend the playbook or the world, then rehearse again")
}

/// Rehearses the playbook once for every point of its plain run.
fn points(app: &App, playbook: &Playbook, world: &WorldSpec) -> Result<Exit, Failure> {
    let (mut tally, mut found) = (Tally::default(), Vec::new());
    let each = |point: Option<Point>, rehearsal: &Rehearsal| {
        tally.add(rehearsal);
        if let (Some(point), Some(finding)) = (point, rehearsal.findings.first()) {
            found.push(format!("{point:?}: {:?}\n", finding.checker));
        }
    };
    let points = every_point(playbook, world, each).map_err(|error| refused(&error))?;
    found.truncate(20);
    app.ui.result(&format!("{points} points\n{}{tally}", found.concat()))?;
    Ok(if tally.is_clean() { Exit::Done } else { Exit::Bug })
}

/// Every record of a rehearsal, one line each: for eyes, and for whoever is sent a seed.
fn trace(app: &App, rehearsal: &Rehearsal) -> Result<(), Failure> {
    let lines = |records: &[Record]| -> String {
        let line = |record: &Record| format!("{} {:?}\n", record.at, record.event);
        records.iter().skip(1).map(line).collect()
    };
    let Rehearsal { seed, records, others, .. } = rehearsal;
    app.ui.result(&format!("seed {seed}\n{}", lines(records)))?;
    if others.is_empty() {
        return Ok(());
    }
    app.ui.result(&format!("seed {seed}, the other run\n{}", lines(others)))
}
