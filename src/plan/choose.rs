//! The playbook's fleets put as questions to `fleet`, and what is done to each server they have.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::domain::Server;
use crate::fleet::{Chosen, Entry, Exclusion, Line, Refusal, Rules, Selection, Wanted, select};
use crate::playbook::{Exclude, FleetSpec, HostEntry, HostLine, Hosts, Playbook, Treatment};

use super::Narrowing;

/// The servers of every fleet, narrowed.
pub(super) fn choose<'s>(
    playbook: &Playbook,
    narrowing: &Narrowing,
    servers: &'s [Server],
) -> Result<Vec<Selection<'s>>, Vec<Refusal>> {
    let rules: Vec<Rules<'_>> = playbook.fleets.values().map(rules).collect();
    let mut selections = select(&rules, servers)?;
    narrowing.apply(playbook, &mut selections)?;
    Ok(selections)
}

/// What a fleet asks for.
pub(super) fn rules(fleet: &FleetSpec) -> Rules<'_> {
    Rules {
        fleet: &fleet.name,
        place: &fleet.place,
        hosts: fleet.hosts.iter().map(entry).collect(),
        exclude: fleet.exclude.iter().map(exclusion).collect(),
        expect: fleet.expect.as_ref().map(|(count, place)| (*count, place)),
    }
}

fn entry(entry: &HostEntry) -> Entry<'_> {
    let wanted = match &entry.hosts {
        Hosts::Matching(selector) => Wanted::Matching(selector),
        Hosts::Listed { path, lines } => {
            Wanted::Listed { path, lines: lines.iter().map(line).collect() }
        }
    };
    let must_match = entry.must_match.as_ref().map(|(selector, place)| (selector, place));
    Entry { place: &entry.place, wanted, must_match }
}

fn line(line: &HostLine) -> Line<'_> {
    Line { text: &line.text, named: line.named.as_deref(), row: line.row, place: &line.place }
}

fn exclusion(exclude: &Exclude) -> Exclusion<'_> {
    Exclusion { place: &exclude.place, selector: &exclude.selector, allow_none: exclude.allow_none }
}

/// The treatments of a fleet, each made once: servers that match the same overrides and have the
/// same row share one.
pub(super) struct Treatments<'p> {
    fleet: &'p FleetSpec,
    made: IndexMap<(Vec<usize>, Option<usize>), Treatment>,
}

impl<'p> Treatments<'p> {
    pub(super) fn new(fleet: &'p FleetSpec) -> Self {
        Self { fleet, made: IndexMap::new() }
    }

    /// Overrides that some server matched, by number.
    pub(super) fn reached(&self) -> BTreeSet<usize> {
        self.made.keys().flat_map(|(matching, _)| matching).copied().collect()
    }

    /// The treatment of a server, and its number within the fleet.
    pub(super) fn of(&mut self, chosen: &Chosen<'_>) -> (usize, &Treatment) {
        let overrides = self.fleet.overrides.iter().enumerate();
        let matching: Vec<usize> = overrides
            .filter(|(_, (selector, _))| selector.matches(chosen.server))
            .map(|(index, _)| index)
            .collect();
        let fleet = self.fleet;
        let entry = self.made.entry((matching, chosen.row));
        let number = entry.index();
        let treatment =
            entry.or_insert_with_key(|(matching, row)| fleet.treatment_for(matching, *row));
        (number, treatment)
    }
}
