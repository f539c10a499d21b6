//! The checker of pauses: what a person has to approve of waits until one has, and a run that is to
//! pause begins nothing. It reads the plan and the records, and not what the engine calls a gate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Deed, Event, FleetName, PauseCause, Record, ServerId, Steering};
use crate::plan::CheckedPlan;
use crate::playbook::Pause;

/// What it remembers of a run.
pub(super) struct Gates {
    plan: Arc<CheckedPlan>,
    /// The wave of each fleet that closed last, by the record that says so.
    closed: BTreeMap<FleetName, u64>,
    /// What the last approval had seen.
    approved: u64,
    /// The run is to pause, since that record; and whether only an approval lets it go on.
    pausing: Option<(u64, bool)>,
    paused: bool,
    begun: BTreeSet<ServerId>,
    ended: BTreeSet<ServerId>,
    /// Failures by code and cause, with their records.
    failures: BTreeMap<(String, String), Vec<(u64, ServerId)>>,
}

impl Gates {
    pub(super) fn new(plan: &Arc<CheckedPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            closed: BTreeMap::new(),
            approved: 0,
            pausing: None,
            paused: false,
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Takes in a record, and says what is wrong with it.
    pub(super) fn note(&mut self, record: &Record) -> Option<String> {
        let event = &record.event;
        if let Event::Started { servers } = event {
            return servers.iter().find_map(|server| self.started(server));
        } else if let Event::WaveOpened { fleet, wave } = event {
            return self.opened(fleet, *wave);
        } else if let Event::WaveClosed { fleet, .. } = event {
            self.closed.insert(fleet.clone(), record.seq);
        } else if let Event::Intended {
            deed: Deed::Stop | Deed::ForceStop | Deed::Backup,
            servers,
            ..
        } = event
        {
            self.begun.extend(servers.iter().cloned());
        } else if let Event::StepStarted { server, undo: false, .. } = event {
            self.begun.insert(server.clone());
        } else if let Event::Steered { steering: Steering::Approve, by: Some(by) } = event {
            self.approved = self.approved.max(by.seen);
            self.pausing = self.pausing.filter(|(since, hard)| !hard || *since > by.seen);
        } else if let Event::Pausing { cause } = event {
            self.pausing = Some((record.seq, matches!(cause, PauseCause::SharedCause { .. })));
        } else if let Event::Paused { cause } = event {
            self.paused = true;
            return self.half_done(cause);
        } else if let Event::Resumed = event {
            let settled = std::mem::take(&mut self.paused);
            self.pausing = self.pausing.filter(|(_, hard)| *hard || !settled);
        } else if let Event::Closing { .. } = event {
            self.pausing = None;
        } else if let Event::Abandoned { server, .. } = event {
            self.ended.insert(server.clone());
        } else if let Event::Ended { server, ending, failure, .. } = event {
            self.ended.insert(server.clone());
            if let Some(failure) = failure.as_ref().filter(|_| ending.is_failure()) {
                let kind = (failure.code.clone(), failure.cause.clone());
                self.failures.entry(kind).or_default().push((record.seq, server.clone()));
            }
        }
        None
    }

    /// A server that something was done to, and that waits while nobody watches. Who is shut out can
    /// bring none to its end.
    fn half_done(&self, cause: &PauseCause) -> Option<String> {
        let shut_out = matches!(cause, PauseCause::LockedOut { .. });
        let left = self.begun.iter().find(|server| !self.ended.contains(*server));
        let told = left.map(|server| format!("the run is paused, and {server} was begun"));
        told.filter(|_| !shut_out)
    }

    fn started(&self, server: &ServerId) -> Option<String> {
        if self.begun.contains(server) {
            return None;
        }
        if self.pausing.is_some() {
            return Some(format!("{server} begins while the run is to pause"));
        }
        self.failures.iter().find_map(|((code, _), all)| {
            let counted = || all.iter().filter(|(seq, _)| *seq > self.approved).map(|(_, id)| id);
            let zones: BTreeSet<&str> =
                counted().map(|id| self.plan.targets[id].found.az.as_str()).collect();
            let fleets = counted().map(|id| &self.plan.fleets[&self.plan.targets[id].fleet]);
            let least = fleets.map(|fleet| fleet.pace.max_failures as usize).min()?;
            let alike = counted().count();
            (zones.len() > 1 && alike >= least.div_ceil(2).max(2))
                .then(|| format!("{server} begins after {alike} servers failed with {code}"))
        })
    }

    fn opened(&self, name: &FleetName, wave: u32) -> Option<String> {
        if self.pausing.is_some() {
            return Some(format!("wave {wave} of {name} opens while the run is to pause"));
        }
        let fleet = &self.plan.fleets[name];
        let before = fleet.waves.get((wave as usize).checked_sub(1)?)?;
        let gated = match fleet.pace.pause {
            Pause::Never => false,
            Pause::AfterCanary => before.canary,
            Pause::EachBatch => true,
        };
        let mut later = fleet.waves[wave as usize..].iter().flat_map(|wave| &wave.servers);
        let something = later.any(|server| !self.ended.contains(server));
        let closed = self.closed.get(name).copied().unwrap_or_default();
        (gated && something && self.approved <= closed)
            .then(|| format!("wave {wave} of {name} opens before anybody approved of it"))
    }
}
