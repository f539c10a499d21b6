//! The forecast itself, and what of it is no guess.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::domain::{FleetName, Millis};

use super::super::room::Room;
use super::super::{Forecast, Inventory, Plan, PlannedFleet};
use super::course::{Course, Outcome};

/// What the run of a plan will take in this project, if nothing fails.
pub(in super::super) fn forecast(plan: &Plan, inventory: &Inventory, room: &Room) -> Forecast {
    let outcome = Course::new(plan, inventory).run();
    let binds = binds(plan, room, &outcome);
    let Outcome { requests, duration, .. } = outcome;
    let requests = requests + starts(plan);
    Forecast { requests, duration, binds, peak: peak(plan) }
}

/// Servers away at once, at most. Whatever fleets are open together, each of them is among those
/// that are not ordered against any of the others: the largest such sum cannot be exceeded.
/// `limits.reinstalls` does not lower it: a server that stops, settles or is checked is away too.
fn peak(plan: &Plan) -> u32 {
    let before: IndexMap<&FleetName, BTreeSet<&FleetName>> =
        plan.fleets.keys().map(|name| (name, done_before(plan, name))).collect();
    let apart = |one: &FleetName, other: &FleetName| {
        before[one].contains(other) || before[other].contains(one)
    };
    let together = |one: &FleetName| -> u32 {
        let open = plan.fleets.iter().filter(|(other, _)| !apart(one, other));
        open.fold(0, |sum, (_, fleet)| sum.saturating_add(away(fleet)))
    };
    plan.fleets.keys().map(together).max().unwrap_or(0)
}

/// Fleets of which every server is verified before this one begins: those that it needs whole, and
/// those that had to be done before any server of a fleet that it needs could begin.
fn done_before<'p>(plan: &'p Plan, fleet: &FleetName) -> BTreeSet<&'p FleetName> {
    let (mut done, mut begun) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&PlannedFleet> = plan.fleets.get(fleet).into_iter().collect();
    while let Some(fleet) = open.pop() {
        for need in fleet.needs.iter().filter(|need| need.verified > 0) {
            let Some((name, needed)) = plan.fleets.get_key_value(&need.fleet) else { continue };
            let servers: usize = needed.waves.iter().map(|wave| wave.servers.len()).sum();
            if need.verified as usize >= servers {
                done.insert(name);
            }
            if begun.insert(name) {
                open.push(needed);
            }
        }
    }
    done
}

/// Servers of the fleet that are away at once, at most.
fn away(fleet: &PlannedFleet) -> u32 {
    let widest = fleet.waves.iter().map(|wave| wave.servers.len()).max().unwrap_or(0);
    let widest = u32::try_from(widest).unwrap_or(u32::MAX);
    let budget =
        if fleet.pace.strict_budget { fleet.pace.max_failures.saturating_add(1) } else { u32::MAX };
    widest.min(fleet.pace.max_unavailable).min(budget)
}

/// Reinstalls of the fleet in flight, where `limits.per_az` says how many one zone may have.
fn in_all_zones(plan: &Plan, fleet: &PlannedFleet) -> Option<u32> {
    let most = plan.limits.per_az?;
    let servers = fleet.waves.iter().flat_map(|wave| &wave.servers);
    let targets = servers.filter_map(|id| plan.targets.get(id));
    let zones: BTreeSet<&str> = targets.map(|target| target.found.az.as_str()).collect();
    Some(most.saturating_mul(u32::try_from(zones.len()).unwrap_or(u32::MAX)))
}

/// The limit that makes the run as long as it is: the rate, if something waited for a token most of
/// the time, else the tightest one of the fleet that is done last.
fn binds(plan: &Plan, room: &Room, outcome: &Outcome) -> String {
    if outcome.starved > Millis(outcome.duration.0 / 2) {
        return format!("limits.api: {} requests a minute", plan.limits.api.per_minute);
    }
    let Some((name, fleet)) = plan.fleets.get_index(outcome.last) else {
        return "nothing".to_owned();
    };
    let widest = fleet.waves.iter().map(|wave| wave.servers.len()).max().unwrap_or(0) as u64;
    let budget = u64::from(fleet.pace.max_failures) + 1;
    let reinstalls = room.binding().map_or_else(
        || "limits.reinstalls".to_owned(),
        |line| format!("limits.reinstalls, lowered to the EVS quota `{line}`"),
    );
    let limits = [
        (widest, format!("strategy.serial of fleet `{name}`")),
        (u64::from(fleet.pace.max_unavailable), format!("max_unavailable of fleet `{name}`")),
        (
            if fleet.pace.strict_budget { budget } else { u64::MAX },
            format!("strict_budget with max_failures of fleet `{name}`"),
        ),
        (u64::from(plan.limits.reinstalls), reinstalls),
        (
            in_all_zones(plan, fleet).map_or(u64::MAX, u64::from),
            format!("limits.per_az with the zones of fleet `{name}`"),
        ),
    ];
    let tightest = limits.into_iter().min_by_key(|(limit, _)| *limit);
    tightest.map_or_else(String::new, |(limit, what)| format!("{what}: {limit} at once"))
}

/// Where a reinstall leaves off what was off, each server that was stopped for it is started.
fn starts(plan: &Plan) -> u64 {
    if !plan.cloud.features.reinstalls_running {
        return 0;
    }
    let started = (0..plan.targets.len())
        .filter(|index| plan.targets[*index].leave_running && !plan.stop_of(*index).skip);
    started.count() as u64
}
