//! What reporters know of a run: the fold of its records, as far as people see it.
//!
//! Start with [`Fold::apply`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::lines::{back_text, not_back_text, reason_text, step_end_text, step_text, yielded_text};
use super::standing::{Standing, servers_of};
use crate::domain::{
    CloseCause, Counts, Deed, Ending, Event, Failure, FleetName, Gate, JobEnd, Outline, PauseCause,
    Phase, Record, ServerId, Steering, StepEnd, Time, Timestamp, Verdict,
};

/// What a look after a lost answer came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Doubt {
    /// What was in doubt.
    pub deed: Deed,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, and what could not be.
    pub evidence: Vec<String>,
}

/// A server of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServerState {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Its fleet.
    pub fleet: FleetName,
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Time,
    /// What it waits for, if that is not plain from where it is.
    pub note: Option<String>,
    /// Why it did not get there.
    pub failure: Option<Failure>,
    /// What was odd.
    pub warnings: Vec<String>,
    /// Lost answers that were looked up.
    pub doubts: Vec<Doubt>,
    /// Whether it runs, and what became of its disk.
    pub standing: Standing,
    /// Steps of the playbook's own that were taken back, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<String>,
    /// Where it was before it was stopped: there it goes back to if the stop is refused.
    #[serde(skip)]
    before_stop: Phase,
}

impl ServerState {
    /// Something was odd; once is enough.
    fn warn(&mut self, warning: &str) {
        if !self.warnings.iter().any(|known| known == warning) {
            self.warnings.push(warning.to_owned());
        }
    }

    fn go(&mut self, phase: Phase, at: Time) {
        self.note = None;
        if self.phase != phase {
            self.phase = phase;
            self.since = at;
        }
    }

    fn resolve(&mut self, doubt: Doubt, at: Time) {
        if doubt.verdict == Verdict::DidNot {
            match doubt.deed {
                Deed::Reinstall => self.go(Phase::Stopped, at),
                Deed::Backup => self.go(Phase::Pending, at),
                Deed::Stop | Deed::ForceStop | Deed::Start => {}
            }
        }
        self.note = None;
        self.doubts.push(doubt);
    }

    fn end_job(&mut self, end: &JobEnd, at: Time) {
        match end {
            JobEnd::Succeeded { .. } => self.go(Phase::Settling, at),
            JobEnd::Failed { code, reason, retry_at, seen, .. } => {
                if retry_at.is_some() {
                    self.go(Phase::Stopped, at);
                }
                let why = reason_text(reason, seen.as_deref());
                self.note = Some(format!("the reinstall job failed ({code}: {why})"));
            }
        }
    }

    /// A step that failed is told with the server's end; an undo that failed, nowhere else.
    fn end_step(&mut self, (step, undo): (&str, bool), end: StepEnd, detail: &str) {
        self.note = None;
        if undo && end == StepEnd::Done {
            self.undone.push(step.to_owned());
        } else if undo {
            let how = step_end_text(end, detail);
            self.warnings.push(format!("{} {how}", step_text(step, undo)));
        }
    }

    /// Begun and not ended.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.ending().is_none() && self.phase != Phase::Pending
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        if let Phase::Ended(ending) = self.phase { Some(ending) } else { None }
    }
}

/// A run, as its records tell it.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    /// What the run is about; `None` before its first record.
    pub outline: Option<Outline>,
    /// Its servers in the order of the plan.
    pub servers: IndexMap<ServerId, ServerState>,
    /// When it began.
    pub began: Timestamp,
    /// Number of the last record.
    pub seq: u64,
    /// The moment of the last record, as the run counts.
    pub at: Time,
    /// The same, as the world counts.
    pub last: Timestamp,
    /// Why it ends or ended.
    pub cause: Option<CloseCause>,
    /// What it waits for a person for.
    pub paused: Option<PauseCause>,
    /// Nothing new starts until it has paused; since that record.
    pub pausing: Option<(u64, PauseCause)>,
    /// Fleets whose next wave waits for an approval, each with the wave that closed; since that record.
    pub held: IndexMap<FleetName, (u64, u32)>,
    /// What came of its servers, once it ended.
    pub ended: Option<Counts>,
    /// Why the preflight refused.
    pub refusals: Vec<String>,
    /// Whether anything was sent or started that changes something.
    pub touched: bool,
}

impl Fold {
    /// The fold of these records.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut fold = Self::default();
        for record in records {
            fold.apply(record);
        }
        fold
    }

    /// One more record.
    #[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
    pub fn apply(&mut self, record: &Record) {
        self.seq = record.seq;
        self.at = record.at;
        self.last = record.wall;
        self.touched |= matches!(&record.event, Event::Intended { .. } | Event::StepStarted { .. });
        for server in servers_of(&record.event) {
            self.one(server, |server, _| server.standing.apply(record));
        }
        match &record.event {
            Event::RunStarted { outline } => self.start(outline, record.wall),
            Event::PreflightRefused { reasons } => self.refusals.clone_from(reasons),
            Event::Closing { cause } => self.close(cause),
            Event::Pausing { cause } => self.pausing = Some((record.seq, cause.clone())),
            Event::Paused { cause } => self.paused = Some(cause.clone()),
            Event::Resumed => self.unpause(),
            Event::Held { fleet, wave } => {
                self.held.insert(fleet.clone(), (record.seq, *wave));
            }
            Event::WaveOpened { fleet, .. } => {
                self.held.shift_remove(fleet);
            }
            Event::Steered { steering: Steering::Approve, by: Some(by) } => self.approve(by.seen),
            Event::Abandoned { server, by, open } => self.abandon(server, by, open),
            Event::RunEnded { cause, counts } => {
                self.cause = Some(cause.clone());
                self.ended = Some(counts.clone());
            }
            Event::Intended { deed, servers, .. } | Event::Accepted { deed, servers, .. } => {
                self.sent(*deed, servers);
            }
            Event::PutOff { deed, servers, detail, .. }
            | Event::Refused { deed, servers, detail, .. } => {
                self.not_done(*deed, servers, detail);
            }
            Event::Lost { deed, servers, detail, .. } => {
                let note = format!("the answer to the {deed} was lost ({detail}); checking");
                self.each(servers, |server, _| server.note = Some(note.clone()));
            }
            Event::Stopped { servers } | Event::StopSkipped { servers } => {
                self.go(servers, Phase::Stopped);
            }
            Event::Validated { servers, .. } => self.go(servers, Phase::Validated),
            Event::Settled { servers } | Event::StepsLeft { servers, .. } => {
                self.go(servers, Phase::Verifying);
            }
            Event::StartedBack { servers } => self.started_back(servers),
            Event::PreflightPassed { .. }
            | Event::WaveClosed { .. }
            | Event::CanaryReplaced { .. }
            | Event::Started { .. }
            | Event::BackedUp { .. }
            | Event::HostKeySeen { .. }
            | Event::Passed { .. }
            | Event::RateCut { .. }
            | Event::Steered { .. } => {}
            Event::Resolved { server, deed, verdict, evidence, .. } => {
                let (verdict, evidence) = (verdict.clone(), evidence.clone());
                self.one(server, |server, at| {
                    server.resolve(Doubt { deed: *deed, verdict, evidence }, at);
                });
            }
            Event::JobEnded { server, end, .. } => {
                self.one(server, |server, at| server.end_job(end, at));
            }
            Event::Probed { server, warning, .. } => self.probed(server, warning.as_deref()),
            Event::CheckFailed { server, check, detail, .. } => self.one(server, |server, _| {
                server.note = Some(format!("check `{check}`: {detail}"));
            }),
            Event::Ended { server, ending, failure, warnings } => self.one(server, |server, at| {
                server.go(Phase::Ended(*ending), at);
                server.failure.clone_from(failure);
                server.warnings.extend(warnings.iter().cloned());
            }),
            event @ (Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }) => self.step(event),
            Event::Yielded { server, to } => self.one(server, |server, at| {
                if server.ending().is_none() {
                    server.go(Phase::Ended(Ending::Drifted), at);
                }
                server.note = None;
                server.warn(&yielded_text(to));
            }),
            Event::NotStartedBack { server, detail, why } => self.one(server, |server, _| {
                server.note = None;
                server.warn(&not_back_text(&server.standing, *why, detail));
            }),
        }
    }

    /// A check passed, and something was odd all the same.
    fn probed(&mut self, server: &ServerId, warning: Option<&str>) {
        if let Some(warning) = warning {
            self.one(server, |server, _| server.warn(warning));
        }
    }

    fn close(&mut self, cause: &CloseCause) {
        self.cause = Some(cause.clone());
        self.pausing = None;
        self.held.clear();
    }

    /// What becomes of the playbook's own steps.
    fn step(&mut self, event: &Event) {
        if let Event::StepStarted { server, step, undo, .. } = event {
            self.one(server, |server, at| {
                if server.phase == Phase::Pending && !undo {
                    server.go(Phase::Stopping, at);
                }
                server.note = Some(format!("{} runs", step_text(step, *undo)));
            });
        } else if let Event::StepEnded { server, step, undo, end, detail, .. } = event {
            self.one(server, |server, _| server.end_step((step, *undo), *end, detail));
        } else if let Event::NotUndone { server, step, detail } = event {
            self.one(server, |server, _| {
                server.warnings.push(format!("the step `{step}` is not taken back: {detail}"));
            });
        }
    }

    /// What had begun to wait by that record goes on.
    fn approve(&mut self, seen: u64) {
        self.held.retain(|_, (since, _)| *since > seen);
        self.pausing =
            self.pausing.take().filter(|(since, cause)| *since > seen || !cause.needs_approval());
    }

    /// One that died on its way to a pause is still on its way.
    fn unpause(&mut self) {
        let was_paused = self.paused.take().is_some();
        self.pausing =
            self.pausing.take().filter(|(_, cause)| !was_paused || cause.needs_approval());
    }

    fn abandon(&mut self, server: &ServerId, by: &str, open: &[String]) {
        let open = open.join(", ");
        self.one(server, |server, at| {
            if server.ending().is_some() {
                server.warnings.push(format!("given up by {by}: {open}"));
                return;
            }
            server.go(Phase::Ended(Ending::Unknown), at);
            server.failure = Some(Failure {
                code: "refleet.abandoned".to_owned(),
                cause: "it was given up while something was open on it".to_owned(),
                detail: format!("{open}; by {by}"),
                help: "look at the server, then plan it again".to_owned(),
            });
        });
    }

    /// Whether an approval by somebody who had seen that record lets something go on.
    #[must_use]
    pub fn is_let_go_by(&self, seen: u64) -> bool {
        self.held.values().any(|(since, _)| *since <= seen)
            || self
                .pausing
                .as_ref()
                .is_some_and(|(since, cause)| cause.needs_approval() && *since <= seen)
    }

    /// What waits for an approval, a few words each.
    #[must_use]
    pub fn waits(&self) -> Vec<String> {
        let shared = self.pausing.iter().filter(|(_, cause)| cause.needs_approval());
        let shared = shared.map(|(_, cause)| super::lines::pause_text(self, cause));
        let held = self.held.iter().map(|(fleet, (_, wave))| {
            super::lines::gate_text(self, &Gate { fleet: fleet.clone(), wave: *wave })
        });
        shared.chain(held).collect()
    }

    fn start(&mut self, outline: &Outline, wall: Timestamp) {
        self.began = wall;
        for fleet in &outline.fleets {
            for target in fleet.waves.iter().flatten() {
                let state = ServerState {
                    id: target.id.clone(),
                    name: target.name.clone(),
                    fleet: fleet.name.clone(),
                    phase: Phase::Pending,
                    since: self.at,
                    note: None,
                    failure: None,
                    warnings: Vec::new(),
                    doubts: Vec::new(),
                    standing: Standing::default(),
                    undone: Vec::new(),
                    before_stop: Phase::Pending,
                };
                self.servers.insert(target.id.clone(), state);
            }
        }
        self.outline = Some(outline.clone());
    }

    fn sent(&mut self, deed: Deed, servers: &[ServerId]) {
        match deed {
            Deed::Stop | Deed::ForceStop => {
                self.each(servers, |server, _| {
                    if server.phase != Phase::Stopping {
                        server.before_stop = server.phase;
                    }
                });
                self.go(servers, Phase::Stopping);
            }
            Deed::Backup => self.go(servers, Phase::BackingUp),
            Deed::Reinstall => self.go(servers, Phase::Reinstalling),
            // A start leaves a server where it is: it comes before the checks or after the end.
            Deed::Start => self.each(servers, |server, _| {
                server.note = Some("being started".to_owned());
            }),
        }
    }

    fn not_done(&mut self, deed: Deed, servers: &[ServerId], detail: &str) {
        self.each(servers, |server, at| {
            let back = match deed {
                Deed::Reinstall => Phase::Stopped,
                Deed::Backup => Phase::Pending,
                Deed::Stop | Deed::ForceStop => server.before_stop,
                Deed::Start => server.phase,
            };
            if server.ending().is_none() {
                server.go(back, at);
            }
            server.note = Some(format!("the {deed} was refused ({detail})"));
        });
    }

    fn started_back(&mut self, servers: &[ServerId]) {
        self.each(servers, |server, at| {
            if server.ending().is_none() {
                server.go(Phase::Pending, at);
            }
            server.note = Some(back_text(&server.standing));
        });
    }

    fn go(&mut self, servers: &[ServerId], phase: Phase) {
        self.each(servers, |server, at| {
            if server.ending().is_none() {
                server.go(phase, at);
            }
        });
    }

    fn each(&mut self, servers: &[ServerId], mut change: impl FnMut(&mut ServerState, Time)) {
        for server in servers {
            self.one(server, &mut change);
        }
    }

    fn one(&mut self, server: &ServerId, change: impl FnOnce(&mut ServerState, Time)) {
        let at = self.at;
        if let Some(server) = self.servers.get_mut(server) {
            change(server, at);
        }
    }

    /// What is known of a server; of one that is not in the run, nothing.
    pub(super) fn standing(&self, server: &ServerId) -> &Standing {
        static NOTHING: LazyLock<Standing> = LazyLock::new(Standing::default);
        self.servers.get(server).map_or(&NOTHING, |state| &state.standing)
    }

    /// Servers that we took from their users, and that are not known to run again.
    pub(super) fn down(&self) -> impl Iterator<Item = &ServerState> {
        self.servers.values().filter(|server| server.standing.is_down())
    }

    /// A server's name, or its id where it has none.
    #[must_use]
    pub fn name_of(&self, server: &ServerId) -> String {
        match self.servers.get(server) {
            Some(state) if !state.name.is_empty() => state.name.clone(),
            _ => server.to_string(),
        }
    }

    /// How many servers ended how, are on the way, or did not begin.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.ended.clone().unwrap_or_else(|| counts(self.servers.values()))
    }

    /// How many servers are where, the begun and the ended.
    #[must_use]
    pub fn phases(&self) -> BTreeMap<Phase, u32> {
        phases(self.servers.values())
    }
}

/// How many of these ended how, are on the way, or did not begin.
pub(super) fn counts<'s>(servers: impl IntoIterator<Item = &'s ServerState>) -> Counts {
    let mut counts = Counts::default();
    for server in servers {
        match server.ending() {
            Some(ending) => *counts.ended.entry(ending).or_default() += 1,
            None if server.is_in_flight() => counts.in_flight += 1,
            None => counts.pending += 1,
        }
    }
    counts
}

/// How many of these are where.
pub(super) fn phases<'s>(
    servers: impl IntoIterator<Item = &'s ServerState>,
) -> BTreeMap<Phase, u32> {
    let mut phases = BTreeMap::new();
    for server in servers {
        *phases.entry(server.phase).or_default() += 1;
    }
    phases
}
