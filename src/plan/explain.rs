//! The plan as text, in the order in which a careful reader needs it (`product.md`, section 4).

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::domain::{FleetName, Lines, Place, ServerId, count, list_some};

use crate::playbook::{Pause, Spread};

use super::lines::{server, thousands, treatment};
use super::{Blocked, LeftOut, Plan, PlannedFleet, Provider, Target};

/// Servers of a fleet that are shown one by one; the rest is a number. All are in the JSON.
const SHOWN: usize = 20;

/// Names in one line.
const NAMES: usize = 8;

/// The whole plan for people.
#[must_use]
pub fn explain(plan: &Plan) -> String {
    let mut text = Lines::new();
    head(plan, &mut text);
    damage(plan, &mut text);
    for (name, planned) in &plan.fleets {
        fleet(plan, name, planned, &mut text);
    }
    left_out(&plan.left_out, &mut text);
    unknown(plan, &mut text);
    limits(plan, &mut text);
    if !plan.warnings.is_empty() {
        text.line("Warnings");
        text.indented("  ", &plan.warnings);
        text.blank();
    }
    blocked(&plan.blocked, &mut text);
    text.into_text()
}

fn head(plan: &Plan, text: &mut Lines) {
    let cloud = &plan.cloud;
    let family = match cloud.provider {
        Provider::Otc => "Open Telekom Cloud",
        Provider::Huawei => "Huawei Cloud",
        Provider::OpenStack => "OpenStack",
    };
    let rehearsal = if cloud.simulated { ", simulated: nothing real is touched" } else { "" };
    text.line(format_args!("Plan {:.12} of {}, from {}", plan.id, plan.name, plan.origin));
    text.line(format_args!("Made {}, to be used before {}", plan.made, plan.expires));
    text.blank();
    text.line(format_args!("Cloud    {} ({family}){rehearsal}", cloud.name));
    text.line(format_args!("Region   {}", cloud.region));
    text.line(format_args!("Project  {} ({})", cloud.project_name, cloud.project_id));
    text.line(format_args!("User     {} ({})", cloud.user_name, cloud.user_id));
    for file in &plan.files {
        let known = plan.origin.files.iter().find(|known| known.path == file.path);
        match known.filter(|known| known.sha256 == file.sha256) {
            Some(known) => text.line(format_args!("File     {known}")),
            None => text.line(format_args!("File     {} (sha256 {:.12})", file.path, file.sha256)),
        }
    }
    text.blank();
}

fn damage(plan: &Plan, text: &mut Lines) {
    let servers = thousands(plan.targets.len() as u64);
    let noun = if plan.targets.len() == 1 { "server" } else { "servers" };
    let gib: u64 = plan.targets.values().map(|target| target.wiped.size_gib).sum();
    let changed = plan.targets.values().filter(|it| it.changes_os()).count();
    let image = match changed {
        0 => " with the image that they have now".to_owned(),
        all if all == plan.targets.len() => " with another image: a change of OS".to_owned(),
        some => format!(
            ", {} of them with another image (a change of OS), the others with the one they have",
            thousands(some as u64)
        ),
    };
    text.line(format_args!("{servers} {noun} will be reinstalled{image}."));
    // A disk of the host has no snapshots that could go with it.
    let volumes = plan.targets.values().any(|target| !target.found.system_volume.is_local());
    text.line(format_args!(
        "ERASED: the whole system disk of each ({} GiB in all){}.",
        thousands(gib),
        if volumes { ", and its EVS snapshots" } else { "" }
    ));
    text.line("KEPT:   data disks, addresses and MACs, ids, names, tags.");
    text.line(way_back(plan));
    text.blank();
}

fn way_back(plan: &Plan) -> String {
    let asked = |target: &&Target| {
        let treatment = plan.treatments.get(target.treatment as usize);
        treatment.is_some_and(|treatment| treatment.backup.is_some())
    };
    let all = plan.targets.len();
    match plan.targets.values().filter(asked).count() {
        0 => "NO WAY BACK: no backup is taken.".to_owned(),
        some if some < all => format!(
            "NO WAY BACK for {} of them: no backup is taken; the others are backed up first.",
            thousands((all - some) as u64)
        ),
        _ => "BACKED UP: each server, before it is stopped; without its backup none is wiped."
            .to_owned(),
    }
}

fn fleet(plan: &Plan, name: &FleetName, fleet: &PlannedFleet, text: &mut Lines) {
    let ids: Vec<&ServerId> = fleet.waves.iter().flat_map(|wave| &wave.servers).collect();
    let servers = thousands(ids.len() as u64);
    text.line(format_args!("Fleet {name}: {servers} to reinstall"));
    for need in &fleet.needs {
        text.line(format_args!("  after  {} of fleet {} verified", need.verified, need.fleet));
    }
    text.line(format_args!("  waves  {}", waves(fleet)));
    let pace = &fleet.pace;
    let strict =
        if pace.strict_budget { "in flight counts too" } else { "only what failed counts" };
    text.line(format_args!(
        "  pace   at most {} away at once, {} may fail ({strict}), bake time {}",
        pace.max_unavailable, pace.max_failures, pace.bake_time
    ));
    match pace.pause {
        Pause::Never => {}
        Pause::AfterCanary => text.line("  pauses after the canary, until `refleet approve`"),
        Pause::EachBatch => text.line("  pauses after each wave, until `refleet approve`"),
    }
    match pace.spread {
        Spread::Any => {}
        Spread::Az => text.line("  spread over the zones, round robin"),
        Spread::Zonal => text.line("  spread one zone after another"),
    }
    let steps: Vec<&str> = fleet.steps.iter().map(|step| step.id.as_str()).collect();
    text.line(format_args!("  steps  {}", steps.join(" → ")));
    let mut treated: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for target in ids.iter().filter_map(|id| plan.targets.get(*id)) {
        treated.entry(target.treatment).or_default().push(&target.found.name);
    }
    for (index, names) in &treated {
        let Some(planned) = plan.treatments.get(*index as usize) else { continue };
        if treated.len() > 1 {
            text.line(format_args!("  for    {}:", list_some(names, NAMES)));
        }
        text.indented("  ", treatment(planned));
    }
    for (id, target) in ids.iter().take(SHOWN).filter_map(|id| plan.targets.get_key_value(*id)) {
        text.indented("  ", server(plan, id, target));
    }
    if ids.len() > SHOWN {
        let more = thousands((ids.len() - SHOWN) as u64);
        text.line(format_args!("  … and {more} more (all in --format json)"));
    }
    text.blank();
}

/// `1 (canary), 2, then 3 × 5`: waves of one size are counted, not listed.
fn waves(fleet: &PlannedFleet) -> String {
    let mut runs: Vec<(bool, usize, usize)> = Vec::new();
    for wave in &fleet.waves {
        match runs.last_mut() {
            Some((canary, size, times))
                if *size == wave.servers.len() && *canary == wave.canary =>
            {
                *times += 1;
            }
            _ => runs.push((wave.canary, wave.servers.len(), 1)),
        }
    }
    let parts: Vec<String> = runs
        .into_iter()
        .map(|(canary, size, times)| {
            let times =
                if times > 1 { format!("{} × ", thousands(times as u64)) } else { String::new() };
            let canary = if canary { " (canary)" } else { "" };
            format!("{times}{}{canary}", thousands(size as u64))
        })
        .collect();
    if parts.is_empty() {
        "none: every server is blocked".to_owned()
    } else {
        parts.join(", then ")
    }
}

fn left_out(left_out: &[LeftOut], text: &mut Lines) {
    let mut rules: IndexMap<(&FleetName, &str, String), Vec<String>> = IndexMap::new();
    for server in left_out {
        let place = server.place.as_ref().map_or_else(|| "always".to_owned(), Place::to_string);
        let rule = (&server.fleet, server.rule.as_str(), place);
        rules.entry(rule).or_default().push(format!("{} ({})", server.name, server.id));
    }
    if rules.is_empty() {
        return;
    }
    text.line("Left out");
    for ((fleet, rule, place), servers) in rules {
        let servers_out = count(servers.len(), "server");
        text.line(format_args!("  {servers_out} of fleet {fleet} by {rule} [{place}]"));
        text.line(format_args!("    {}", list_some(&servers, NAMES)));
    }
    text.blank();
}

/// What nobody can know before the run: what programs do.
fn unknown(plan: &Plan, text: &mut Lines) {
    let mut lines = Vec::new();
    for (name, fleet) in &plan.fleets {
        for (_, step, run) in fleet.own_steps() {
            let place = step.place.as_ref().map_or_else(String::new, |it| format!(" [{it}]"));
            let after = step.after.join(", ");
            let after = if after.is_empty() { String::new() } else { format!(" after {after}") };
            let once = if run.once { ", never run twice" } else { "" };
            lines.push(format!("  step {} of fleet {name}{after}{place}", step.id));
            lines.push(format!(
                "    runs {} (in {}, up to {}{once})",
                run.run.shown(),
                run.cwd,
                run.timeout
            ));
            lines.push(match &run.undo {
                Some(undo) => format!("    undo {}", undo.shown()),
                None => "    undo none".to_owned(),
            });
        }
    }
    if lines.is_empty() {
        return;
    }
    let rehearsed = if plan.cloud.simulated { "; a rehearsal does not run them" } else { "" };
    text.line(format_args!("Cannot be known before the run: what these programs do{rehearsed}"));
    for line in &lines {
        text.line(line);
    }
    text.blank();
}

fn limits(plan: &Plan, text: &mut Lines) {
    let (limits, forecast) = (&plan.limits, &plan.forecast);
    text.line("Limits");
    let zone = limits.per_az.map_or_else(String::new, |most| format!(", {most} in one zone"));
    text.line(format_args!(
        "  API {} requests a minute, burst {}; {} reinstalls in flight{zone}; {} servers in one stop",
        limits.api.per_minute, limits.api.burst, limits.reinstalls, limits.stop_batch
    ));
    text.line(format_args!("  what binds: {}", forecast.binds));
    text.line(format_args!(
        "  forecast, if nothing fails: about {} requests, {}, at most {} away at once",
        thousands(forecast.requests),
        forecast.duration,
        forecast.peak
    ));
    text.blank();
}

fn blocked(blocked: &[Blocked], text: &mut Lines) {
    let mut causes: IndexMap<(&str, &str, &str), Vec<String>> = IndexMap::new();
    for server in blocked {
        let cause = (server.code.as_str(), server.cause.as_str(), server.help.as_str());
        causes.entry(cause).or_default().push(format!("{} ({})", server.name, server.id));
    }
    if causes.is_empty() {
        return;
    }
    text.line("BLOCKED: the cloud would refuse these, so this plan cannot be applied");
    for ((code, cause, help), servers) in causes {
        text.line(format_args!("  {code}: {cause}"));
        text.line(format_args!(
            "    {}: {}",
            count(servers.len(), "server"),
            list_some(&servers, NAMES)
        ));
        text.line(format_args!("    {help}"));
    }
    text.blank();
}
