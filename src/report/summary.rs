//! What came of a run: from its records alone, so of any run ever made.
//!
//! Start with [`Summary::of`].

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    CloseCause, Counts, Ending, FleetName, Millis, Origin, Outline, PauseCause, Phase, Record,
    ServerId, Timestamp, Verdict,
};

use super::fold::{counts, phases};
use super::lines::verdict_text;
use super::standing::{Disk, Standing};
use super::{Fold, ServerState};

/// A server, and something about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// What about it; may be empty.
    pub detail: String,
    /// Whether it runs and what became of its disk, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// A server that we took from its users, and that is not known to run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Down {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether it was seen off. Else it is only not known to run.
    pub seen_off: bool,
    /// Where it is in its run.
    pub phase: Phase,
    /// What became of its system disk.
    pub disk: Disk,
    /// What the operator can do.
    pub help: String,
}

/// Servers that did not get there for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailureGroup {
    /// How they ended.
    pub ending: Ending,
    /// The cloud's code or ours.
    pub code: String,
    /// What happened.
    pub cause: String,
    /// What the operator can do.
    pub help: String,
    /// Which, in the order of the plan.
    pub servers: Vec<Named>,
}

/// A fleet in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FleetSummary {
    /// Its servers.
    pub servers: u32,
    /// How many ended how.
    pub counts: Counts,
    /// Begun and not ended.
    pub in_flight: u32,
}

/// A run and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// What it is about; `None`: it has no records.
    pub outline: Option<Outline>,
    /// When it began.
    pub began: Timestamp,
    /// When it was last written to.
    pub last: Timestamp,
    /// From the first record to the last, as the run counts.
    pub duration: Millis,
    /// Why it ended or is about to.
    pub cause: Option<CloseCause>,
    /// The same in words.
    pub cause_text: Option<String>,
    /// What it waits for a person for; `None`: it ended, or it is under way, or its process is gone.
    pub paused: Option<PauseCause>,
    /// The same in words.
    pub paused_text: Option<String>,
    /// Whether it ended; a run that did not can be resumed.
    pub finished: bool,
    /// How many servers ended how.
    pub counts: Counts,
    /// Begun and not ended, by where they are.
    pub in_flight: BTreeMap<String, u32>,
    /// Fleets in the order of the playbook.
    pub fleets: IndexMap<FleetName, FleetSummary>,
    /// Why servers did not get there, the worst first.
    pub groups: Vec<FailureGroup>,
    /// Servers that are down because of this run: taken away by us, and not known to run again.
    pub down: Vec<Down>,
    /// Lost answers of which nobody can say what came of them, with what was seen and what not.
    pub unknown: Vec<Named>,
    /// Lost answers that a look cleared up.
    pub cleared: Vec<Named>,
    /// What was odd.
    pub warnings: Vec<Named>,
    /// Servers that were not wiped, and whose own steps of the playbook were taken back: which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Named>,
    /// Why the preflight refused.
    pub refusals: Vec<String>,
    /// Whether anything was sent or started that changes something.
    #[serde(skip)]
    pub touched: bool,
}

impl Summary {
    /// What came of the run that these are the records of.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        Self::from(&Fold::of(records))
    }
}

impl From<&Fold> for Summary {
    fn from(fold: &Fold) -> Self {
        let in_flight =
            phases(fold.servers.values().filter(|server| server.is_in_flight())).into_iter();
        Self {
            outline: fold.outline.clone(),
            began: fold.began,
            last: fold.last,
            duration: Millis(fold.at.0),
            cause: fold.cause.clone(),
            cause_text: fold.cause.as_ref().map(|cause| super::lines::cause_text(fold, cause)),
            paused: fold.paused.clone(),
            paused_text: fold.paused.as_ref().map(|cause| super::lines::pause_text(fold, cause)),
            finished: fold.ended.is_some(),
            counts: fold.counts(),
            in_flight: in_flight.map(|(phase, n)| (phase.to_string(), n)).collect(),
            fleets: fleets(fold),
            groups: groups(fold),
            down: down(fold),
            unknown: doubts(fold, |verdict| *verdict == Verdict::Unknown),
            cleared: doubts(fold, |verdict| *verdict != Verdict::Unknown),
            warnings: warnings(fold),
            undone: undone(fold),
            refusals: fold.refusals.clone(),
            touched: fold.touched,
        }
    }
}

impl Summary {
    /// Where the playbook came from.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.outline.as_ref().map(|outline| &outline.origin)
    }
}

fn fleets(fold: &Fold) -> IndexMap<FleetName, FleetSummary> {
    let mut by_fleet: IndexMap<FleetName, Vec<&ServerState>> = IndexMap::new();
    for server in fold.servers.values() {
        by_fleet.entry(server.fleet.clone()).or_default().push(server);
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let summary = |servers: Vec<&ServerState>| FleetSummary {
        servers: number(servers.len()),
        in_flight: number(servers.iter().filter(|server| server.is_in_flight()).count()),
        counts: counts(servers),
    };
    by_fleet.into_iter().map(|(fleet, servers)| (fleet, summary(servers))).collect()
}

/// Equal failures are one group (`safety.md`, S18).
fn groups(fold: &Fold) -> Vec<FailureGroup> {
    let mut groups: IndexMap<(Ending, &str, &str), FailureGroup> = IndexMap::new();
    for server in fold.servers.values() {
        let Some(ending) = server.ending().filter(|ending| *ending != Ending::Verified) else {
            continue;
        };
        let failure = server.failure.as_ref();
        let text = |part: Option<&'_ String>| part.cloned().unwrap_or_default();
        let key = (
            ending,
            failure.map_or("", |failure| failure.code.as_str()),
            failure.map_or("", |failure| failure.cause.as_str()),
        );
        let group = groups.entry(key).or_insert_with(|| FailureGroup {
            ending,
            code: key.1.to_owned(),
            cause: key.2.to_owned(),
            help: text(failure.map(|failure| &failure.help)),
            servers: Vec::new(),
        });
        let detail = text(failure.map(|failure| &failure.detail));
        let standing = Some(server.standing.clone());
        group.servers.push(Named { standing, ..named(server, detail) });
    }
    let mut groups: Vec<FailureGroup> = groups.into_values().collect();
    let place = |ending| Ending::ALL.iter().position(|known| *known == ending);
    groups.sort_by_key(|group| (place(group.ending), std::cmp::Reverse(group.servers.len())));
    groups
}

fn doubts(fold: &Fold, wanted: fn(&Verdict) -> bool) -> Vec<Named> {
    let looks = fold.servers.values().flat_map(|server| {
        server.doubts.iter().filter(move |doubt| wanted(&doubt.verdict)).map(move |doubt| {
            let evidence = doubt.evidence.join("; ");
            let verdict = verdict_text(&server.standing, doubt.deed, &doubt.verdict);
            named(server, format!("{verdict}: {evidence}"))
        })
    });
    looks.collect()
}

fn warnings(fold: &Fold) -> Vec<Named> {
    let warnings = fold.servers.values().flat_map(|server| {
        server.warnings.iter().map(move |warning| named(server, warning.clone()))
    });
    warnings.collect()
}

fn undone(fold: &Fold) -> Vec<Named> {
    let undone = fold.servers.values().filter(|server| !server.undone.is_empty());
    undone.map(|server| named(server, server.undone.join(", "))).collect()
}

/// Servers that are down, in the order of the plan.
pub(super) fn down(fold: &Fold) -> Vec<Down> {
    let down = fold.down().map(|server| Down {
        id: server.id.clone(),
        name: server.name.clone(),
        since: server.standing.down_since,
        seen_off: server.standing.is_off(),
        phase: server.phase,
        disk: server.standing.disk,
        help: down_help(fold, server),
    });
    down.collect()
}

/// What can be done about a server that is down. A run that goes on looks after its own.
fn down_help(fold: &Fold, server: &ServerState) -> String {
    let run = fold.outline.as_ref().map_or("", |outline| outline.run.as_str());
    if let Some(other) = &server.standing.yielded_to {
        return format!("run {other} holds it now: `refleet status {other}`");
    }
    let ends = fold.ended.is_some() || matches!(server.ending(), Some(Ending::Unknown));
    match (ends, fold.paused.is_some(), server.standing.disk) {
        (false, true, _) => format!("`refleet resume {run}` continues the run"),
        (false, false, _) => {
            format!("the run is working on it; if its process is gone: `refleet resume {run}`")
        }
        (true, _, Disk::NotWiped) => "it was not wiped: start it in the console".to_owned(),
        (true, _, Disk::PerhapsWiped) => format!(
            "check the system disk before you start the server; `refleet support {run} SERVER` \
             collects what the cloud's support needs"
        ),
        (true, _, Disk::Wiped) => {
            "it was reinstalled: start it in the console, then check it".to_owned()
        }
    }
}

fn named(server: &ServerState, detail: String) -> Named {
    Named { id: server.id.clone(), name: server.name.clone(), detail, standing: None }
}
