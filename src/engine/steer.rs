//! Words from outside, and what makes a run pause: somebody asked, a fleet waits for an approval, or
//! servers of several zones failed alike.
//!
//! A pause drains: nothing new starts, and what was begun comes to its end, so that no server lies
//! switched off while nobody watches. A fleet that waits for an approval holds nobody but itself and
//! who depends on it; the run pauses when nothing else can go on. An approval is for what its giver
//! could see: what began to wait later waits on.

use std::collections::BTreeSet;

use crate::domain::{Asker, CloseCause, Event, Gate, PauseCause, Request, ServerId, Steering};
use crate::playbook::Pause;

use super::core::{Draft, Engine};

/// So many failures alike are a coincidence.
const COINCIDENCE: usize = 1;

impl Engine {
    /// A word from another shell. Each is told once, however often it is handed in.
    pub(super) fn asked(&mut self, draft: &mut Draft, Request { steering, by }: Request) {
        if by.number > self.facts.heard {
            self.steer(draft, steering, Some(by));
        }
    }

    pub(super) fn steer(&mut self, draft: &mut Draft, steering: Steering, by: Option<Asker>) {
        self.record(draft, Event::Steered { steering, by: by.clone() });
        if self.facts.closing.is_some() {
            return;
        }
        match (steering, by) {
            (Steering::Stop, _) => {
                self.pending.preflight = None;
                self.record(draft, Event::Closing { cause: CloseCause::Stopped });
            }
            // A run that paused since then did what was asked for.
            (Steering::Pause, Some(by))
                if self.facts.pausing.is_none() && by.seen >= self.facts.last_pause =>
            {
                let cause = PauseCause::Asked { by: by.name };
                self.record(draft, Event::Pausing { cause });
            }
            (Steering::Pause | Steering::Approve, _) => {}
        }
    }

    /// A wave closed: the next one may have to wait for an approval. Behind the last one nothing
    /// does.
    pub(super) fn hold(&mut self, draft: &mut Draft, fleet: usize, wave: u32) {
        let Some((name, planned)) = self.plan.fleets.get_index(fleet) else { return };
        let closed = planned.waves.get(wave as usize);
        let gated = match planned.pace.pause {
            Pause::Never => false,
            Pause::AfterCanary => closed.is_some_and(|wave| wave.canary),
            Pause::EachBatch => true,
        };
        let later = planned.waves.iter().skip(wave as usize + 1).flat_map(|wave| &wave.servers);
        let mut later = later.filter_map(|server| self.plan.targets.get_index_of(server));
        let more = later.any(|index| self.facts.targets[index].ending.is_none());
        let name = name.clone();
        if gated && more && !self.forgets_gates() {
            self.record(draft, Event::Held { fleet: name, wave });
        }
    }

    /// Whether a fleet waits for an approval.
    pub(super) fn is_held(&self, fleet: usize) -> bool {
        self.facts.fleets[fleet].held.is_some_and(|since| since > self.facts.approved)
    }

    /// While the run is about to pause, only who was begun goes on.
    pub(super) fn may_begin(&self, index: usize) -> bool {
        self.facts.pausing.is_none() || self.facts.targets[index].begun
    }

    /// Failures alike in several zones are not about the servers: the run pauses while there is
    /// something left of its budget.
    pub(super) fn suspect(&mut self, draft: &mut Draft) {
        let known = self.facts.pausing.as_ref().is_some_and(|(_, cause)| cause.needs_approval());
        if known {
            return;
        }
        if let Some(cause) = self.shared_cause() {
            self.record(draft, Event::Pausing { cause });
        }
    }

    /// The first kind of failure that half of a budget went to, in two zones or more. A fixed number
    /// would pause every run of thousands for two bad servers. Whatever somebody approved of is not
    /// counted again.
    fn shared_cause(&self) -> Option<PauseCause> {
        self.facts.alike.iter().find_map(|((code, cause), failures)| {
            let first = failures.partition_point(|(seq, _)| *seq <= self.facts.approved);
            let failures = &failures[first..];
            let budgets = failures.iter().filter_map(|(_, index)| {
                let (_, fleet) = self.plan.fleets.get_index(self.facts.targets[*index].fleet)?;
                Some(fleet.pace.max_failures as usize)
            });
            let enough = budgets.min()?.div_ceil(2).max(COINCIDENCE + 1);
            if failures.len() < enough {
                return None;
            }
            let zones: BTreeSet<&str> = failures
                .iter()
                .map(|(_, index)| self.plan.targets[*index].found.az.as_str())
                .collect();
            (zones.len() > 1).then(|| PauseCause::SharedCause {
                code: code.clone(),
                cause: cause.clone(),
                servers: failures.iter().map(|(_, index)| self.server_id(*index)).collect(),
                zones: zones.into_iter().map(str::to_owned).collect(),
            })
        })
    }

    /// Pauses the run once everything that was begun has come to its end.
    pub(super) fn pause_if_drained(&mut self, draft: &mut Draft) {
        let busy = self.facts.fleets.iter().any(|fleet| fleet.in_flight > 0);
        let steps = self.facts.running > 0
            || !self.pending.stepping.is_empty()
            || !self.pending.to_run.is_empty();
        let owes = !self.pending.owed.is_empty() || !self.pending.to_return.is_empty();
        if busy || steps || owes || self.is_looking_again() {
            return;
        }
        if let Some((_, cause)) = &self.facts.pausing {
            let mut startable = self.pending.startable.iter().flatten();
            let drained = startable.all(|index| !self.facts.targets[*index].begun);
            let cause = cause.clone();
            if drained {
                self.record(draft, Event::Paused { cause });
            }
        } else if self.facts.preflight.is_some() && self.nothing_goes_on() {
            let gates = self.gates();
            self.record(draft, Event::Paused { cause: PauseCause::Approval { gates } });
        } else if let Some(servers) = self.holders_of_all_places() {
            self.record(draft, Event::Paused { cause: PauseCause::PlacesTaken { servers } });
        }
    }

    /// The servers that stay off and hold every place, where nothing else can go on.
    fn holders_of_all_places(&self) -> Option<Vec<ServerId>> {
        let blocked = |fleet: usize| {
            let waits = self.pending.startable[fleet].iter().next().is_some();
            waits && self.places(fleet) == 0
        };
        let fleets = 0..self.facts.fleets.len();
        let open = fleets.clone().filter(|fleet| self.facts.fleets[*fleet].open);
        let (some, all) = open.fold((false, true), |(some, all), fleet| {
            (some || blocked(fleet), all && blocked(fleet))
        });
        let goes_on = fleets.clone().any(|fleet| {
            let facts = &self.facts.fleets[fleet];
            let through = facts.wave >= self.plan.fleets[fleet].waves.len();
            !facts.open && !through && !self.is_held(fleet) && !self.lacks_others(fleet)
        });
        if !some || !all || goes_on {
            return None;
        }
        let targets = self.facts.targets.iter().enumerate();
        let holders = targets.filter(|(_, target)| target.keeps_place());
        Some(holders.map(|(index, _)| self.server_id(index)).collect())
    }

    /// Whether some fleet waits for an approval, and each of the others is through or waits for one
    /// that does.
    fn nothing_goes_on(&self) -> bool {
        let held = (0..self.facts.fleets.len()).any(|fleet| self.is_held(fleet));
        held && self.plan.fleets.values().zip(&self.facts.fleets).enumerate().all(
            |(fleet, (planned, facts))| {
                let through = facts.wave >= planned.waves.len();
                through || (!facts.open && (self.is_held(fleet) || self.lacks_others(fleet)))
            },
        )
    }

    /// Whether a fleet waits for others to get further.
    fn lacks_others(&self, fleet: usize) -> bool {
        let needs =
            self.plan.fleets.get_index(fleet).map_or(&[][..], |(_, planned)| &planned.needs);
        needs.iter().any(|need| {
            let first = self.plan.fleets.get_index_of(&need.fleet);
            first.is_some_and(|first| self.facts.fleets[first].verified < need.verified)
        })
    }

    fn gates(&self) -> Vec<Gate> {
        let held = (0..self.facts.fleets.len()).filter(|fleet| self.is_held(*fleet));
        held.filter_map(|fleet| {
            let (name, _) = self.plan.fleets.get_index(fleet)?;
            let closed = self.facts.fleets[fleet].wave.saturating_sub(1);
            Some(Gate { fleet: name.clone(), wave: u32::try_from(closed).unwrap_or(u32::MAX) })
        })
        .collect()
    }

    /// Whether it was broken on purpose in that way.
    #[cfg(test)]
    fn forgets_gates(&self) -> bool {
        self.flaw == Some(super::Flaw::GatesForgotten)
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        reason = "the same call as in tests, where the engine may be broken"
    )]
    fn forgets_gates(&self) -> bool {
        false
    }
}
