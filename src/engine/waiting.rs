//! What a server waits for, in words: for people who ask why nothing happens to it.
//!
//! Start with [`Engine::waits_for`]. It reads what the journal says and decides nothing.

use crate::domain::{ServerId, Time, count};
use crate::plan::PlannedFleet;

use super::core::Engine;
use super::state::{Power, Purpose, Sent, State};

impl Engine {
    /// What this server waits for, the nearest thing first; empty: nothing, or it is not of this run.
    #[must_use]
    pub fn waits_for(&self, server: &ServerId) -> Vec<String> {
        let Some(index) = self.plan.targets.get_index_of(server) else { return Vec::new() };
        if self.facts.ended || self.facts.targets[index].ending.is_some() {
            return Vec::new();
        }
        let mut told = Vec::new();
        if self.facts.paused.is_some() {
            told.push("a person: the run is paused".to_owned());
        }
        let now = self.facts.last;
        match &self.facts.targets[index].state {
            State::Pending { not_before } => {
                self.waits_to_begin(server, index, *not_before, &mut told);
            }
            State::Power(Purpose::Stop, Power::Due(at)) if self.wants_backup(index) => {
                told.push(format!("its backup to be asked for{}", not_before(*at, now)));
            }
            State::Backup(_) => told.push("its backup, which comes before its stop".to_owned()),
            State::Power(purpose, Power::Due(at)) => {
                let deed = purpose.deed();
                told.push(format!("its {deed} to be sent{}", not_before(*at, now)));
            }
            State::Power(purpose, Power::Sent(sent)) => told.push(on_its_way(*purpose, sent)),
            State::Stopped { not_before: at, .. } => {
                told.push(format!("its last look before the wipe{}", not_before(*at, now)));
                if self.reinstall_slots() == 0 {
                    let most = self.plan.limits.reinstalls;
                    told.push(format!("one of the {most} places for reinstalls in flight"));
                }
            }
            State::Validated { .. } => told.push("its reinstall to be sent".to_owned()),
            State::Reinstalling(sent) => told.push(wiping(sent)),
            State::Settling { until } => {
                told.push(format!("its first boot, which is left alone until {until}"));
            }
            State::Verifying { not_before: at, .. } => {
                told.push(format!("its checks{}", not_before(*at, now)));
            }
            State::StepsLeft(_) => told.push("steps of the playbook's own".to_owned()),
            State::Ended => told.push("the end of the run: it was given back".to_owned()),
        }
        told
    }

    fn waits_to_begin(
        &self,
        server: &ServerId,
        index: usize,
        may_start: Time,
        told: &mut Vec<String>,
    ) {
        if self.facts.closing.is_some() {
            told.push("nothing: the run is about to end, and it will not begin".to_owned());
            return;
        }
        if self.facts.preflight.is_none() {
            told.push("the preflight, which looks at every server first".to_owned());
            return;
        }
        let fleet = self.facts.targets[index].fleet;
        let Some((name, planned)) = self.plan.fleets.get_index(fleet) else { return };
        self.waits_for_fleets(planned, told);
        let facts = &self.facts.fleets[fleet];
        let wave = planned.waves.iter().position(|wave| wave.servers.contains(server)).unwrap_or(0);
        if facts.next_at > self.facts.last {
            told.push(format!("the bake time of fleet {name}, until {}", facts.next_at));
        }
        if wave > facts.wave {
            let ahead = wave - facts.wave;
            let (number, of) = (wave + 1, planned.waves.len());
            let ahead = count(ahead, "wave");
            told.push(format!("its wave, {number} of {of}: {ahead} of fleet {name} first"));
        } else if !facts.open {
            told.push(format!("its wave, {} of {}, to be opened", wave + 1, planned.waves.len()));
        } else if may_start > self.facts.last {
            told.push(format!("its next attempt, not before {may_start}"));
        } else {
            told.push(format!(
                "a place in the rollout: {} of fleet {name} are away, {} failed; at most {} may be \
                 away and {} may fail",
                facts.in_flight,
                facts.failed,
                planned.pace.max_unavailable,
                planned.pace.max_failures
            ));
        }
    }

    fn waits_for_fleets(&self, planned: &PlannedFleet, told: &mut Vec<String>) {
        for need in &planned.needs {
            let Some(index) = self.plan.fleets.get_index_of(&need.fleet) else { continue };
            let verified = self.facts.fleets[index].verified;
            if verified < need.verified {
                let (fleet, wanted) = (&need.fleet, need.verified);
                told.push(format!("fleet {fleet}: {verified} of {wanted} are verified so far"));
            }
        }
    }
}

fn not_before(at: Time, now: Time) -> String {
    if at > now { format!(", not before {at}") } else { String::new() }
}

fn on_its_way(purpose: Purpose, sent: &Sent) -> String {
    let deed = purpose.deed();
    match sent {
        Sent::Submitting { since, .. } => format!("the answer to its {deed}, sent at {since}"),
        Sent::InDoubt { look_at, .. } => {
            format!(
                "a look at what became of its {deed}: the answer was lost; it counts from {look_at}"
            )
        }
        Sent::Running { since, .. } => format!("its {deed}, which the cloud took at {since}"),
    }
}

fn wiping(sent: &Sent) -> String {
    match sent {
        Sent::Submitting { since, .. } => format!("the answer to its reinstall, sent at {since}"),
        Sent::InDoubt { look_at, .. } => format!(
            "a look at what became of its reinstall: the answer was lost; \"not found\" counts \
             from {look_at}"
        ),
        Sent::Running { job: Some(job), since } => {
            format!("job {job} of the cloud, which took its reinstall at {since}")
        }
        Sent::Running { job: None, since } => format!("its reinstall, under way since {since}"),
    }
}
