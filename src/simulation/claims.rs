//! The claims of one state file, as the journal keeps them: who may touch which server.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Ending, Event, Record, ServerId};
use crate::journal::open_intents;

use super::process::Process;

/// Which run of the state file holds which server. Runs are known by their numbers.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<ServerId, usize>);

impl Claims {
    /// Claims all that a run begins or goes on with, or nothing: one that another run holds, which
    /// lives or has not let go of it, is given back.
    pub(super) fn take(
        &mut self,
        runs: &[Process],
        run: usize,
        wanted: &BTreeSet<ServerId>,
    ) -> Result<(), ServerId> {
        let held = |server: &&ServerId| {
            let holder = self.0.get(*server).copied().filter(|holder| *holder != run);
            holder.is_some_and(|holder| {
                let other = &runs[holder];
                other.is_alive() || open_intents(&other.journal).contains_key(*server)
            })
        };
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

/// The servers that a run which is taken over still has to do with.
pub(super) fn not_ended(process: &Process) -> BTreeSet<ServerId> {
    let mut servers: BTreeSet<ServerId> = process.plan.targets.keys().cloned().collect();
    for record in &process.journal {
        if let Event::Ended { server, .. } | Event::Abandoned { server, .. } = &record.event {
            servers.remove(server);
        }
    }
    servers
}
