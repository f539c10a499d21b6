//! `refleet simulate`: the user's own plan, rehearsed in simulated time under trouble drawn from
//! seeds. No account, no network, nothing real is touched.

use crate::playbook::Playbook;
use crate::simulation::{Rehearsal, Scenario, Tally, fit, rehearse};
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
    let faults =
        args.faults.as_deref().map(|name| worlds::faults_named(&app.ui, name)).transpose()?;
    let seeds = args.from..args.from.saturating_add(args.seeds);
    let mut tally = Tally::default();
    for seed in seeds {
        let rehearsal = one(&playbook, &world, faults.as_ref(), seed)?;
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
    seed: u64,
) -> Result<Rehearsal, Failure> {
    let scenario = Scenario::draw(playbook, world, faults, seed).map_err(|error| {
        Failure::refused(error.to_string(), "mend the playbook or the world, then rehearse again")
    })?;
    Ok(rehearse(scenario))
}

/// Every record of a rehearsal, one line each: for eyes, and for whoever is sent a seed.
fn trace(app: &App, rehearsal: &Rehearsal) -> Result<(), Failure> {
    let lines: Vec<String> = rehearsal
        .records
        .iter()
        .skip(1)
        .map(|record| format!("{} {:?}\n", record.at, record.event))
        .collect();
    app.ui.result(&format!("seed {}\n{}", rehearsal.seed, lines.concat()))
}
