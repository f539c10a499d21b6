//! From a playbook and its cloud to a plan that was checked. Start with [`draw`].

use std::sync::Arc;

use crate::domain::{Action, Answer, Fault, FleetName, Time};
use crate::plan::{self, CheckedPlan, Inventory, Narrowing, Survey};
use crate::playbook::Playbook;
use crate::run::{self, Reads, RealClock};

use super::args::NarrowingArgs;
use super::connection::Connection;
use super::failure::Failure;
use super::machine;

/// Reads what is needed of the cloud, draws the plan, and lets the checker look at it.
pub(super) async fn draw(
    playbook: &Playbook,
    narrowing: &Narrowing,
    connection: &Connection,
) -> Result<CheckedPlan, Failure> {
    let now = RealClock::wall();
    let inventory = read(playbook, narrowing, connection).await?;
    let plan = plan::draw(playbook, &connection.identity, &inventory, narrowing, now)
        .map_err(Failure::Refusals)?;
    plan::check(plan).map_err(Failure::Unsound)
}

/// Reads what is needed of the cloud to plan this part of the playbook.
pub(super) async fn read(
    playbook: &Playbook,
    narrowing: &Narrowing,
    connection: &Connection,
) -> Result<Inventory, Failure> {
    let inventory = survey(
        Survey::new(playbook, narrowing).of_cloud(&connection.identity.features),
        connection,
    )
    .await?;
    Ok(Inventory { here: machine::read(), ..inventory })
}

/// Reads what a survey asks for.
pub(super) async fn survey(
    survey: Survey<'_>,
    connection: &Connection,
) -> Result<Inventory, Failure> {
    let clock = Arc::new(connection.clock(Time(0)));
    let mut reading = Reading(survey);
    run::survey(&connection.cloud, &clock, &mut reading).await?;
    Ok(reading.0.into_inventory())
}

/// Which part of the playbook the command line means.
pub(super) fn narrowing(args: &NarrowingArgs) -> Narrowing {
    Narrowing {
        fleets: args.fleets.iter().map(|fleet| FleetName::from(fleet.as_str())).collect(),
        limits: args.limits.clone(),
        ids: None,
    }
}

/// What the plan wants to know, asked by the shell.
struct Reading<'p>(Survey<'p>);

impl Reads for Reading<'_> {
    fn next(&mut self) -> Vec<Action> {
        self.0.next()
    }

    fn take(&mut self, action: &Action, answer: Answer) -> Result<(), String> {
        self.0.take(action, answer).map_err(|refusal| refusal.to_string())
    }

    fn fail(&mut self, action: &Action, fault: Fault) -> Result<(), Fault> {
        self.0.fail(action, &fault).map_err(|_| fault)
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }
}
