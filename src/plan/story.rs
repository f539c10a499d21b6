//! Why one server is in a plan or not, by which lines, and where each of its values comes from.
//!
//! Start with [`story`]. Every rule that concerns the server is told, also those that another one
//! makes superfluous: whoever takes one rule away must know what is left.

use serde::Serialize;

use crate::domain::{FleetName, Place, Server, ServerId, Timestamp, count, tag_matches};
use crate::fleet::Membership;
use crate::playbook::{DecidedValue, FleetSpec, Playbook};

use super::choose::rules;
use super::recheck::{NEVER, Protection};
use super::{Blocked, CloudIdentity, Inventory, Narrowing, Plan, draw};

/// What a playbook means for one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Its availability zone.
    pub az: String,
    /// Its tags, as `key=value`.
    pub tags: Vec<String>,
    /// What becomes of it.
    pub standing: Standing,
    /// Fleets whose `hosts` have it.
    pub fleets: Vec<FleetStory>,
    /// Rules that keep it out of every fleet.
    pub guards: Vec<Rule>,
}

/// A rule that concerns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// As it is written.
    pub rule: String,
    /// Where; `None`: it always holds.
    pub place: Option<Place>,
}

/// A fleet whose `hosts` have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetStory {
    /// Its name.
    pub fleet: FleetName,
    /// Entries of `hosts` that have it.
    pub entries: Vec<Rule>,
    /// Entries of `exclude` that take it out.
    pub exclusions: Vec<Rule>,
    /// Overrides that match it; the last one wins.
    pub overrides: Vec<Rule>,
    /// What it would be treated by.
    pub values: Vec<DecidedValue>,
}

/// What becomes of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It will be wiped.
    Planned {
        /// In this fleet.
        fleet: FleetName,
        /// In its wave of that number, counted from 1.
        wave: usize,
        /// Of so many.
        waves: usize,
        /// It is of the canary.
        canary: bool,
        /// What comes first.
        after: Vec<String>,
    },
    /// The cloud would refuse it.
    Blocked(Vec<Blocked>),
    /// A rule leaves it out.
    LeftOut,
    /// No entry of any fleet has it.
    NotSelected,
    /// The playbook gives no plan at all, for these reasons.
    NoPlan(Vec<String>),
}

/// Tells the story of a server of this inventory.
#[must_use]
pub fn story(
    playbook: &Playbook,
    cloud: &CloudIdentity,
    inventory: &Inventory,
    server: &Server,
    made: Timestamp,
) -> Story {
    let fleets: Vec<FleetStory> =
        playbook.fleets.values().filter_map(|fleet| of_fleet(fleet, server)).collect();
    let guards = guards(playbook, cloud, inventory, server);
    let standing = match draw(playbook, cloud, inventory, &Narrowing::default(), made) {
        Ok(plan) => standing(&plan, &server.id, !fleets.is_empty()),
        Err(_) if fleets.is_empty() => Standing::NotSelected,
        Err(_) if !guards.is_empty() || fleets.iter().all(|it| !it.exclusions.is_empty()) => {
            Standing::LeftOut
        }
        Err(refusals) => Standing::NoPlan(refusals.iter().map(ToString::to_string).collect()),
    };
    Story {
        id: server.id.clone(),
        name: server.name.clone(),
        az: server.az.clone(),
        tags: server.tags.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        standing,
        fleets,
        guards,
    }
}

fn of_fleet(fleet: &FleetSpec, server: &Server) -> Option<FleetStory> {
    let membership = Membership::of(&rules(fleet), server);
    if membership.entries.is_empty() {
        return None;
    }
    let Membership { entries, exclusions, row } = membership;
    let row = row.as_ref().map(|(row, place)| (*row, place));
    let written = |found: Vec<(String, Place)>| {
        let rules = found.into_iter().map(|(rule, place)| Rule { rule, place: Some(place) });
        rules.collect()
    };
    let matching: Vec<usize> = (0..fleet.overrides.len())
        .filter(|index| fleet.overrides[*index].0.matches(server))
        .collect();
    let overrides = matching.iter().map(|index| &fleet.overrides[*index]);
    let overrides = overrides.map(|(selector, place)| (selector.to_string(), place.clone()));
    Some(FleetStory {
        fleet: fleet.name.clone(),
        entries: written(entries),
        exclusions: written(exclusions),
        overrides: written(overrides.collect()),
        values: fleet.values_for(&matching, row),
    })
}

/// Every rule that keeps the server out, whatever selects it (`safety.md`, S12).
fn guards(
    playbook: &Playbook,
    cloud: &CloudIdentity,
    inventory: &Inventory,
    server: &Server,
) -> Vec<Rule> {
    let protected = playbook.guards.protected.iter();
    let protected = protected.filter(|(selector, _)| selector.matches(server));
    let mut guards: Vec<Rule> = protected
        .map(|(selector, place)| Rule {
            rule: format!("guards.protected: {selector}"),
            place: Some(place.clone()),
        })
        .collect();
    let mut always = |rule: String| guards.push(Rule { rule, place: None });
    if tag_matches(&server.tags, NEVER) {
        always(Protection::Tag.to_string());
    }
    if server.locked {
        always(Protection::Lock.to_string());
    }
    if playbook.guards.not_self
        && !cloud.simulated
        && let Some(why) = inventory.here.is(&server.id, &server.name, &server.addresses)
    {
        always(format!("guards.not_self: {why}"));
    }
    guards
}

fn standing(plan: &Plan, id: &ServerId, selected: bool) -> Standing {
    if let Some(target) = plan.targets.get(id)
        && let Some(fleet) = plan.fleets.get(&target.fleet)
    {
        let found = fleet.waves.iter().position(|wave| wave.servers.contains(id)).unwrap_or(0);
        let mut after: Vec<String> = fleet
            .needs
            .iter()
            .map(|need| format!("{} of fleet {} verified", need.verified, need.fleet))
            .collect();
        if found > 0 {
            after.push(format!("{} of its own fleet", count(found, "wave")));
        }
        return Standing::Planned {
            fleet: target.fleet.clone(),
            wave: found + 1,
            waves: fleet.waves.len(),
            canary: fleet.waves.get(found).is_some_and(|wave| wave.canary),
            after,
        };
    }
    let blocked: Vec<Blocked> = plan.blocked.iter().filter(|it| it.id == *id).cloned().collect();
    match (blocked.is_empty(), selected) {
        (false, _) => Standing::Blocked(blocked),
        (true, true) => Standing::LeftOut,
        (true, false) => Standing::NotSelected,
    }
}
