//! The claims of one state file, as the journal keeps them: who may touch which server.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Ending, Event, Record, RunId, ServerId};
use crate::journal::open_intents;

use super::life::name_of;
use super::process::Process;

/// Which run of the state file holds which server. Runs are known by their numbers.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<ServerId, usize>);

impl Claims {
    /// The run that holds a server and is not this one: it lives, or has not let go of it.
    fn holder(&self, runs: &[Process], run: usize, server: &ServerId) -> Option<usize> {
        let holder = self.0.get(server).copied().filter(|holder| *holder != run)?;
        let other = &runs[holder];
        let holds = other.is_alive() || open_intents(&other.journal).contains_key(server);
        holds.then_some(holder)
    }

    /// Claims what a run goes on with, and gives what others hold of it.
    pub(super) fn take_over(
        &mut self,
        runs: &[Process],
        run: usize,
        wanted: &BTreeSet<ServerId>,
    ) -> Vec<(ServerId, RunId)> {
        let mut held = Vec::new();
        for server in wanted {
            match self.holder(runs, run, server) {
                Some(other) => held.push((server.clone(), name_of(other))),
                None => _ = self.0.insert(server.clone(), run),
            }
        }
        held
    }

    /// Claims all that a run begins with, or nothing: then one that another run holds is given back.
    pub(super) fn take(
        &mut self,
        runs: &[Process],
        run: usize,
        wanted: &BTreeSet<ServerId>,
    ) -> Result<(), ServerId> {
        let held = |server: &&ServerId| self.holder(runs, run, server).is_some();
        if let Some(server) = wanted.iter().find(held) {
            return Err(server.clone());
        }
        self.0.extend(wanted.iter().map(|server| (server.clone(), run)));
        Ok(())
    }

    /// Whether this run holds all that these records are about to do something to.
    pub(super) fn cover(&self, run: usize, records: &[Record]) -> bool {
        let intended = records.iter().filter_map(|record| {
            let Event::Intended { servers, .. } = &record.event else { return None };
            Some(servers)
        });
        intended.flatten().all(|server| self.0.get(server) == Some(&run))
    }

    /// With the end of a run its claims go, except on servers that ended `unknown`.
    pub(super) fn release(&mut self, run: usize, journal: &[Record]) {
        let unknown: BTreeSet<&ServerId> = journal
            .iter()
            .filter_map(|record| {
                let Event::Ended { server, ending: Ending::Unknown, .. } = &record.event else {
                    return None;
                };
                Some(server)
            })
            .collect();
        self.0.retain(|server, holder| *holder != run || unknown.contains(server));
    }

    /// A person gave a server back.
    pub(super) fn give_up(&mut self, server: &ServerId) {
        self.0.remove(server);
    }
}

/// The servers that a run which is taken over may still touch: all that have not ended, and those that
/// it may have to start back or whose steps it may have to take back.
pub(super) fn may_touch(process: &Process) -> BTreeSet<ServerId> {
    let mut servers: BTreeSet<ServerId> = process.plan.targets.keys().cloned().collect();
    let mut begun = BTreeSet::new();
    for record in &process.journal {
        if let Event::Intended { servers, .. } = &record.event {
            begun.extend(servers.iter().cloned());
        } else if let Event::StepStarted { server, .. } = &record.event {
            begun.insert(server.clone());
        } else if let Event::Abandoned { server, .. }
        | Event::Yielded { server, .. }
        | Event::Ended { server, ending: Ending::Verified, .. } = &record.event
        {
            servers.remove(server);
        } else if let Event::Ended { server, .. } = &record.event
            && !begun.contains(server)
        {
            servers.remove(server);
        }
    }
    servers
}
