//! What a run will probably take: a forecast by a simple model, never a promise.
//!
//! A wave takes a stop, a job, the settle time, a minute of checks and what its limits make wait
//! in line; fleets that wait for each other add up, others run side by side. Only the peak is more
//! than a guess: [`peak`] is never exceeded while nothing fails.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::domain::{FleetName, Millis};

use super::room::Room;
use super::{Forecast, Plan, PlannedFleet};

/// A guest takes about so long to shut down.
const STOP: Millis = Millis::secs(30);
/// A reinstall job takes about so long; measured in each run anew.
const JOB: Millis = Millis::secs(90);
/// The checks of one server.
const CHECKS: Millis = Millis::secs(30);
/// While something is awaited, the whole project is listed about so often.
const SWEEP_EVERY: Millis = Millis::secs(30);
/// Before each wave but the first, the quota and, mostly, one image are looked at.
const LOOKS: u64 = 2;
/// Servers on a page of that list.
const PAGE: u64 = 1_000;

pub(super) fn forecast(plan: &Plan, room: &Room) -> Forecast {
    let mut ends: IndexMap<&FleetName, u64> = IndexMap::new();
    // A fleet begins when those that it needs are done; each may be written before them.
    for _ in 0..plan.fleets.len() {
        for (name, fleet) in &plan.fleets {
            let begin = fleet.needs.iter().filter_map(|need| ends.get(&need.fleet)).copied();
            ends.insert(name, begin.max().unwrap_or(0) + length(plan, fleet));
        }
    }
    let duration = Millis(ends.values().copied().max().unwrap_or(0));
    let servers = plan.targets.len() as u64;
    let stops =
        plan.fleets.values().flat_map(|fleet| &fleet.waves).map(|wave| {
            (wave.servers.len() as u64).div_ceil(u64::from(plan.limits.stop_batch.max(1)))
        });
    let sweeps = duration.0.div_ceil(SWEEP_EVERY.0) * servers.div_ceil(PAGE);
    let later = plan.fleets.values().map(|fleet| fleet.waves.len().saturating_sub(1) as u64);
    let requests = 2 * servers + stops.sum::<u64>() + sweeps + LOOKS * later.sum::<u64>();
    let by_rate = Millis(requests * 60_000 / u64::from(plan.limits.api.per_minute.max(1)));
    let binds = binds(plan, room, by_rate > duration);
    Forecast { requests, duration: duration.max(by_rate), binds, peak: peak(plan) }
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

fn length(plan: &Plan, fleet: &PlannedFleet) -> u64 {
    let first = fleet.waves.first().and_then(|wave| wave.servers.first());
    let treatment = first
        .and_then(|id| plan.targets.get(id))
        .and_then(|target| plan.treatments.get(target.treatment as usize));
    let settle = treatment.map_or(0, |treatment| treatment.wait.settle.0);
    let one = STOP.0 + JOB.0 + settle + CHECKS.0;
    let most = plan.limits.reinstalls.min(in_all_zones(plan, fleet).unwrap_or(u32::MAX));
    let abreast = u64::from(away(fleet).min(most).max(1));
    let waves = fleet.waves.iter().map(|wave| (wave.servers.len() as u64).div_ceil(abreast) * one);
    let baking = fleet.waves.len().saturating_sub(1) as u64 * fleet.pace.bake_time.0;
    waves.sum::<u64>() + baking
}

/// Reinstalls of the fleet in flight, where `limits.per_az` says how many one zone may have.
fn in_all_zones(plan: &Plan, fleet: &PlannedFleet) -> Option<u32> {
    let most = plan.limits.per_az?;
    let servers = fleet.waves.iter().flat_map(|wave| &wave.servers);
    let targets = servers.filter_map(|id| plan.targets.get(id));
    let zones: BTreeSet<&str> = targets.map(|target| target.found.az.as_str()).collect();
    Some(most.saturating_mul(u32::try_from(zones.len()).unwrap_or(u32::MAX)))
}

/// The limit that makes the run as long as it is: that of the longest fleet.
fn binds(plan: &Plan, room: &Room, by_rate: bool) -> String {
    if by_rate {
        return format!("limits.api: {} requests a minute", plan.limits.api.per_minute);
    }
    let Some((name, fleet)) = plan.fleets.iter().max_by_key(|(_, fleet)| length(plan, fleet))
    else {
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
