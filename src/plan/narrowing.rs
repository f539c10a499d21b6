//! A part of a playbook: some of its fleets, some of their servers. Never more than the whole.

use std::collections::BTreeSet;

use crate::domain::{FleetName, Server, ServerId, count};
use crate::fleet::{Pattern, Refusal, Selection, did_you_mean};
use crate::playbook::Playbook;

/// Which part of a playbook is planned. The default is the whole.
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// These fleets; empty: no narrowing by fleet.
    pub fleets: Vec<FleetName>,
    /// Servers that any of these has, by glob of the name or by id; empty: no narrowing by server.
    pub limits: Vec<String>,
    /// These servers and no other; `None`: no narrowing by id. Who is not selected any more is no
    /// mistake: the list is not typed, it comes from an earlier run.
    pub ids: Option<BTreeSet<ServerId>>,
}

impl Narrowing {
    /// Whether anything is narrowed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.fleets.is_empty() && self.limits.is_empty() && self.ids.is_none()
    }

    /// Takes out of `selections` what this does not let through. Every word must let something
    /// through: one that does not is a mistake in typing.
    pub(super) fn apply(
        &self,
        playbook: &Playbook,
        selections: &mut Vec<Selection<'_>>,
    ) -> Result<(), Vec<Refusal>> {
        let mut refusals = self.refuse_unknown_fleets(playbook);
        if !self.fleets.is_empty() {
            selections.retain(|selection| {
                self.fleets.iter().any(|fleet| is_meant(playbook, fleet, &selection.fleet))
            });
        }
        if let Some(ids) = &self.ids {
            for selection in &mut *selections {
                selection.chosen.retain(|chosen| ids.contains(&chosen.server.id));
                selection.excluded.retain(|excluded| ids.contains(&excluded.server.id));
            }
            selections.retain(|selection| !selection.chosen.is_empty());
            if selections.is_empty() {
                refusals.push(Refusal::new(
                    "nothing_selected",
                    "the playbook selects none of these servers any more",
                    "apply it as it is, or bring back what selected them",
                ));
            }
        }
        let mut patterns = self.patterns(&mut refusals);
        if !refusals.is_empty() {
            return Err(refusals);
        }
        if !patterns.is_empty() {
            for selection in &mut *selections {
                selection.chosen.retain(|chosen| lets_through(&mut patterns, chosen.server));
                selection
                    .excluded
                    .retain(|excluded| patterns.iter().any(|pattern| pattern.has(excluded.server)));
            }
            selections.retain(|selection| !selection.chosen.is_empty());
        }
        refusals.extend(patterns.iter().filter(|pattern| pattern.hits == 0).map(|pattern| {
            Refusal::new(
                "limit_matches_nothing",
                format!("`--limit {}` matches no selected server", pattern.text),
                "it narrows what the playbook selects, and never widens it",
            )
        }));
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    fn refuse_unknown_fleets(&self, playbook: &Playbook) -> Vec<Refusal> {
        let known =
            |fleet: &FleetName| playbook.fleets.keys().any(|name| is_meant(playbook, fleet, name));
        let unknown = self.fleets.iter().filter(|fleet| !known(fleet));
        unknown
            .map(|fleet| {
                let known = playbook.fleets.keys().map(FleetName::as_str);
                let help = did_you_mean(fleet.as_str(), known).map_or_else(
                    || format!("the playbook has {}", count(playbook.fleets.len(), "fleet")),
                    |known| format!("did you mean `{known}`?"),
                );
                Refusal::new("unknown_fleet", format!("there is no fleet `{fleet}`"), help)
            })
            .collect()
    }

    fn patterns(&self, refusals: &mut Vec<Refusal>) -> Vec<Limit<'_>> {
        let mut patterns = Vec::new();
        for text in &self.limits {
            match Pattern::try_new(text) {
                Ok(names) if !text.is_empty() => patterns.push(Limit { text, names, hits: 0 }),
                Ok(_) => refusals.push(Refusal::new(
                    "limit_matches_nothing",
                    "an empty `--limit` matches nothing",
                    "write a name, a pattern or an id",
                )),
                Err(error) => refusals.push(Refusal::new(
                    "malformed_limit",
                    format!("`--limit {text}` cannot be used: {error}"),
                    "write a name, a pattern such as `web-*`, or an id",
                )),
            }
        }
        patterns
    }
}

/// Whether a fleet is the one of that name, or a part of it.
fn is_meant(playbook: &Playbook, wanted: &FleetName, fleet: &FleetName) -> bool {
    let family = playbook.fleets.get(fleet).map(|spec| &spec.family);
    wanted == fleet || family == Some(wanted)
}

struct Limit<'n> {
    text: &'n str,
    names: Pattern,
    hits: usize,
}

impl Limit<'_> {
    fn has(&self, server: &Server) -> bool {
        server.id.as_str() == self.text || self.names.matches(&server.name)
    }
}

/// Every pattern is asked, so that each one's hits are counted.
fn lets_through(patterns: &mut [Limit<'_>], server: &Server) -> bool {
    let mut through = false;
    for pattern in patterns {
        if pattern.has(server) {
            pattern.hits += 1;
            through = true;
        }
    }
    through
}
