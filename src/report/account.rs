//! What a run did to each server, and when: for people who must prove it afterwards.
//!
//! Start with [`accounts`]. One line for each server of the plan, also for those that nothing was
//! done to.

use indexmap::IndexMap;

use crate::domain::{
    Deed, Event, Failure, FleetName, JobId, Millis, Phase, Record, ServerId, Time, Timestamp,
    Verdict,
};

use super::Fold;
use super::standing::Standing;

/// What a run did to one server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    pub(super) id: ServerId,
    pub(super) name: String,
    pub(super) fleet: FleetName,
    /// Counted from 1.
    pub(super) wave: usize,
    pub(super) phase: Phase,
    /// When it was seen off for the first time.
    pub(super) stopped: Option<Timestamp>,
    /// When the cloud accepted each reinstall, or was found to have accepted it, with the job where it
    /// is known. Whether one of them wiped anything is in `standing`.
    pub(super) wipes: Vec<(Timestamp, Option<JobId>)>,
    /// When it ended.
    pub(super) ended: Option<Timestamp>,
    /// From its slot to its end.
    pub(super) took: Option<Millis>,
    pub(super) failure: Option<Failure>,
    /// Whether it runs, and what became of its disk.
    pub(super) standing: Standing,
    started: Option<Time>,
}

/// The accounts of all servers, in the order of the plan.
pub(super) fn accounts(records: &[Record], fold: &Fold) -> Vec<Account> {
    let mut accounts = blank(fold);
    for record in records {
        apply(&mut accounts, record);
    }
    for account in accounts.values_mut() {
        if let Some(server) = fold.servers.get(&account.id) {
            account.phase = server.phase;
            account.failure.clone_from(&server.failure);
            account.standing.clone_from(&server.standing);
        }
    }
    accounts.into_values().collect()
}

fn blank(fold: &Fold) -> IndexMap<ServerId, Account> {
    let fleets = fold.outline.iter().flat_map(|outline| &outline.fleets);
    let servers = fleets.flat_map(|fleet| {
        fleet.waves.iter().zip(1..).flat_map(move |(wave, number)| {
            wave.iter().map(move |target| {
                let account = Account {
                    id: target.id.clone(),
                    name: target.name.clone(),
                    fleet: fleet.name.clone(),
                    wave: number,
                    phase: Phase::Pending,
                    stopped: None,
                    wipes: Vec::new(),
                    ended: None,
                    took: None,
                    failure: None,
                    standing: Standing::default(),
                    started: None,
                };
                (target.id.clone(), account)
            })
        })
    });
    servers.collect()
}

fn apply(accounts: &mut IndexMap<ServerId, Account>, record: &Record) {
    let mut each = |servers: &[ServerId], change: &dyn Fn(&mut Account)| {
        for server in servers {
            if let Some(account) = accounts.get_mut(server) {
                change(account);
            }
        }
    };
    if let Event::Started { servers } = &record.event {
        each(servers, &|account| account.started = account.started.or(Some(record.at)));
    } else if let Event::Stopped { servers } = &record.event {
        each(servers, &|account| account.stopped = account.stopped.or(Some(record.wall)));
    } else if let Event::Accepted { deed: Deed::Reinstall, servers, job, .. } = &record.event {
        each(servers, &|account| account.wipes.push((record.wall, Some(job.clone()))));
    } else if let Event::Resolved { server, deed: Deed::Reinstall, verdict, .. } = &record.event
        && let Verdict::Happened { .. } | Verdict::AtWork = verdict
    {
        each(std::slice::from_ref(server), &|account| {
            account.wipes.push((record.wall, verdict.job().cloned()));
        });
    } else if let Event::CanaryReplaced { server, by, .. } = &record.event {
        let wave = accounts.get(server).map_or(1, |account| account.wave);
        if let Some(account) = accounts.get_mut(by) {
            account.wave = wave;
        }
    } else if let Event::Ended { server, .. } = &record.event {
        each(std::slice::from_ref(server), &|account| {
            account.ended = Some(record.wall);
            account.took = account.started.map(|started| record.at.since(started));
        });
    }
}
