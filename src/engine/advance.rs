//! What happens by itself: waves open and close, servers start, slots are granted, runs end.

use crate::domain::{CloseCause, Ending, Event, FleetName, ServerId, Time};
use crate::playbook::StepWord;

use super::core::{Draft, Engine};
use super::facts::ZoneFacts;
use super::failure;
use super::state::{Power, Purpose, Sent, State};

impl Engine {
    /// Moves the run on as far as it goes by itself.
    pub(super) fn advance(&mut self, draft: &mut Draft) {
        if self.facts.preflight.is_none() && self.facts.closing.is_none() {
            return self.pause_if_drained(draft);
        }
        self.advance_steps(draft);
        if self.facts.closing.is_none() {
            self.close_if_due(draft);
        }
        if self.facts.closing.is_none() {
            self.suspect(draft);
            self.advance_fleets(draft);
            self.advance_steps(draft);
            self.close_if_due(draft);
        }
        self.advance_steps(draft);
        while !self.pending.to_return.is_empty() {
            self.give_back(draft);
            self.advance_steps(draft);
        }
        if self.facts.closing.is_none() {
            self.pause_if_drained(draft);
        }
        if self.facts.closing.is_some() {
            self.end_if_at_rest(draft);
        } else {
            self.skip_stops(draft);
            self.grant_slots(draft.now.at);
        }
    }

    /// A spent budget, a failed canary or nothing left to do ends the run.
    fn close_if_due(&mut self, draft: &mut Draft) {
        let cause = (0..self.facts.fleets.len()).find_map(|fleet| self.cause_to_close(fleet));
        let cause = cause.or_else(|| {
            let ended: u32 = self.facts.fleets.iter().map(|fleet| fleet.ended).sum();
            (ended as usize == self.facts.targets.len()).then_some(CloseCause::Done)
        });
        if let Some(cause) = cause {
            self.record(draft, Event::Closing { cause });
        }
    }

    fn cause_to_close(&self, fleet: usize) -> Option<CloseCause> {
        let facts = &self.facts.fleets[fleet];
        let (name, planned) = self.plan.fleets.get_index(fleet)?;
        if facts.failed == 0 {
            return None;
        }
        let failed_canary = self
            .canaries(fleet)
            .into_iter()
            .find(|index| self.facts.targets[*index].ending.is_some_and(Ending::is_failure));
        if let Some(index) = failed_canary {
            let server = self.server_id(index);
            return Some(CloseCause::CanaryFailed { fleet: name.clone(), server });
        }
        (facts.failed > self.budget(planned.pace.max_failures))
            .then(|| CloseCause::BudgetSpent { fleet: name.clone() })
    }

    /// Fleets are in the order they are written, which need not be the order they depend on each
    /// other in: what one of them comes to may be what an earlier one waits for.
    fn advance_fleets(&mut self, draft: &mut Draft) {
        loop {
            let before = self.facts.seq;
            for fleet in 0..self.facts.fleets.len() {
                self.advance_fleet(draft, fleet);
            }
            if self.facts.seq == before {
                return;
            }
        }
    }

    fn advance_fleet(&mut self, draft: &mut Draft, fleet: usize) {
        let Some((name, planned)) = self.plan.fleets.get_index(fleet) else { return };
        let (name, waves, bake_time) = (name.clone(), planned.waves.len(), planned.pace.bake_time);
        while self.facts.fleets[fleet].wave < waves {
            let wave = u32::try_from(self.facts.fleets[fleet].wave).unwrap_or(u32::MAX);
            if !self.facts.fleets[fleet].open {
                if !self.may_open(draft, fleet, &name) {
                    return;
                }
                self.record(draft, Event::WaveOpened { fleet: name.clone(), wave });
            }
            if self.replace_canary(draft, fleet, &name) {
                continue;
            }
            self.start_servers(draft, fleet);
            if !self.pending.unended[fleet].is_empty() {
                return;
            }
            let next_at = draft.now.at + bake_time;
            self.record(draft, Event::WaveClosed { fleet: name.clone(), wave, next_at });
            self.hold(draft, fleet, wave);
        }
    }

    /// Whether the next wave of a fleet may open; a fleet that never can is skipped here.
    fn may_open(&mut self, draft: &mut Draft, fleet: usize, name: &FleetName) -> bool {
        if self.facts.fleets[fleet].next_at > draft.now.at
            || self.is_looking_again()
            || self.facts.pausing.is_some()
            || self.is_held(fleet)
        {
            return false;
        }
        let Some(planned) = self.plan.fleets.get(name) else { return false };
        for need in planned.needs.clone() {
            let Some(first) = self.plan.fleets.get_index_of(&need.fleet) else { return false };
            let facts = &self.facts.fleets[first];
            let size: usize = self.plan.fleets[first].waves.iter().map(|w| w.servers.len()).sum();
            let lost = facts.ended - facts.verified;
            #[cfg(test)]
            if self.is_broken_by(super::Flaw::NeedsIgnored) {
                continue;
            }
            if facts.verified >= need.verified {
                continue;
            }
            if size < (lost + need.verified) as usize {
                self.skip_fleet(draft, fleet, need.fleet.as_str(), need.verified);
            }
            return false;
        }
        self.is_wave_looked_at(draft.now.at, fleet)
    }

    fn skip_fleet(&mut self, draft: &mut Draft, fleet: usize, because: &str, wanted: u32) {
        let Some((_, planned)) = self.plan.fleets.get_index(fleet) else { return };
        let servers: Vec<ServerId> =
            planned.waves.iter().flat_map(|wave| wave.servers.iter().cloned()).collect();
        for server in servers {
            let ended = self.plan.targets.get_index_of(&server);
            if ended.is_some_and(|index| self.facts.targets[index].ending.is_some()) {
                continue;
            }
            let failure = Some(failure::skipped(because, wanted));
            let warnings = Vec::new();
            self.record(draft, Event::Ended { server, ending: Ending::Skipped, failure, warnings });
        }
    }

    /// Starts as many servers of the open wave as slots, budget and the queue for wipes allow.
    fn start_servers(&mut self, draft: &mut Draft, fleet: usize) {
        if self.is_looking_again() {
            return;
        }
        let Some((_, planned)) = self.plan.fleets.get_index(fleet) else { return };
        let facts = &self.facts.fleets[fleet];
        let mut slots = self.places(fleet);
        if planned.pace.strict_budget {
            let room = self.budget(planned.pace.max_failures).saturating_add(1);
            slots = slots.min(room.saturating_sub(facts.failed + facts.in_flight));
        }
        // A server that waits for its wipe waits switched off. So no more are stopped than can be
        // wiped soon: the queue is never longer than the number of wipes in flight may be.
        // One that waits for a retry holds up nobody: its wait is not over soon.
        let now = draft.now.at;
        let retrying = self.retrying(now);
        let queued = self.facts.queued - u32::try_from(retrying.len()).unwrap_or(u32::MAX);
        slots = slots.min(self.reinstall_slots().saturating_sub(queued));
        let mut zones = self.zone_room(|zone| zone.queued);
        for zone in retrying {
            zones[zone] = zones[zone].saturating_add(1);
        }
        let servers: Vec<ServerId> = self.pending.startable[fleet]
            .iter()
            .filter(|index| self.may_start(**index, now) && self.may_begin(**index))
            .filter(|index| take_one(&mut zones[self.facts.targets[**index].zone]))
            .take(slots as usize)
            .filter_map(|index| self.plan.targets.get_index(*index).map(|(id, _)| id.clone()))
            .collect();
        if !servers.is_empty() {
            self.record(draft, Event::Started { servers });
        }
    }

    /// Places among the unavailable that are free.
    pub(super) fn places(&self, fleet: usize) -> u32 {
        let facts = &self.facts.fleets[fleet];
        let most = self.plan.fleets[fleet].pace.max_unavailable;
        most.saturating_sub(facts.in_flight + facts.away)
    }

    /// The zones of stopped servers that wait for their next attempt.
    fn retrying(&self, now: Time) -> Vec<usize> {
        let waits = |index: &&usize| {
            let state = &self.facts.targets[**index].state;
            matches!(state, State::Stopped { not_before, .. } if *not_before > now)
        };
        let waiting = self.pending.waiting.iter().filter(waits);
        waiting.map(|index| self.facts.targets[*index].zone).collect()
    }

    /// The servers of the canary wave, if it is open: those of the plan, and those that took the place
    /// of one that proved nothing.
    fn canaries(&self, fleet: usize) -> Vec<usize> {
        #[cfg(test)]
        if self.is_broken_by(super::Flaw::CanaryIgnored) {
            return Vec::new();
        }
        let facts = &self.facts.fleets[fleet];
        let wave = self.plan.fleets[fleet].waves.get(facts.wave).filter(|wave| wave.canary);
        let planned = wave.into_iter().flat_map(|wave| &wave.servers);
        let planned = planned.filter_map(|server| self.plan.targets.get_index_of(server));
        let mut canaries: Vec<usize> = planned.collect();
        if wave.is_some() {
            canaries.extend(&facts.stand_ins);
        }
        canaries
    }

    /// A canary that drifted or was protected says nothing about the image: the next server of the
    /// fleet takes its place. Whether one did.
    fn replace_canary(&mut self, draft: &mut Draft, fleet: usize, name: &FleetName) -> bool {
        let canaries = self.canaries(fleet);
        let mut fallen = canaries.iter().filter(|index| {
            let ending = self.facts.targets[**index].ending;
            ending.is_some_and(|it| it != Ending::Verified && !it.is_failure())
        });
        let Some(fallen) = fallen.nth(self.facts.fleets[fleet].stand_ins.len()).copied() else {
            return false;
        };
        let waves = &self.plan.fleets[fleet].waves;
        let later = waves.iter().flat_map(|wave| &wave.servers);
        let mut later = later.filter_map(|server| self.plan.targets.get_index_of(server));
        let next = later
            .find(|index| self.facts.targets[*index].ending.is_none() && !canaries.contains(index));
        let Some(next) = next else { return false };
        let (fleet, server, by) = (name.clone(), self.server_id(fallen), self.server_id(next));
        self.record(draft, Event::CanaryReplaced { fleet, server, by });
        true
    }

    fn may_start(&self, index: usize, now: Time) -> bool {
        matches!(self.facts.targets[index].state, State::Pending { not_before } if not_before <= now)
    }

    /// The failures that a fleet may have.
    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        reason = "the same call as in tests, where the engine may be broken"
    )]
    fn budget(&self, max_failures: u32) -> u32 {
        max_failures
    }

    /// The failures that a fleet may have; in an engine that is broken on purpose, any number.
    #[cfg(test)]
    fn budget(&self, max_failures: u32) -> u32 {
        if self.is_broken_by(super::Flaw::BudgetIgnored) { u32::MAX } else { max_failures }
    }

    /// Reinstalls that may be in flight at once in one zone.
    fn per_az(&self) -> u32 {
        #[cfg(test)]
        if self.ignores_zones() {
            return u32::MAX;
        }
        self.plan.limits.per_az.unwrap_or(u32::MAX)
    }

    fn may_be_wiped(&self, index: usize, now: Time) -> bool {
        matches!(self.facts.targets[index].state, State::Stopped { not_before, .. } if not_before <= now)
            && self.is_open(index, StepWord::Validate)
            && self.is_open(index, StepWord::Reinstall)
    }

    /// Reinstalls that may be in flight at once: the playbook's limit, and what the quota has room for.
    pub(super) fn reinstall_slots(&self) -> u32 {
        let room = self.pending.room.or(self.facts.preflight.flatten()).unwrap_or(u32::MAX);
        self.plan.limits.reinstalls.min(room).max(1)
    }

    /// Servers that are reinstalled as they are, once nothing comes before that any more.
    fn skip_stops(&mut self, draft: &mut Draft) {
        let servers: Vec<ServerId> = self
            .pending
            .skipping
            .iter()
            .filter(|index| self.stop_is_next(**index) && !self.wants_host_key(**index))
            .map(|index| self.server_id(*index))
            .collect();
        if !servers.is_empty() {
            self.record(draft, Event::StopSkipped { servers });
        }
    }

    /// Gives free slots for reinstalls to servers that are off and wait.
    fn grant_slots(&mut self, now: Time) {
        let free =
            self.reinstall_slots().saturating_sub(self.facts.reinstalling + self.pending.granted);
        if free == 0 || self.pending.waiting.is_empty() {
            return;
        }
        let mut zones = self.zone_room(|zone| zone.reinstalling);
        for (zone, granted) in &self.pending.granted_in {
            zones[*zone] = zones[*zone].saturating_sub(*granted);
        }
        let next: Vec<(usize, usize)> = self
            .pending
            .waiting
            .iter()
            .map(|index| (*index, self.facts.targets[*index].zone))
            .filter(|(index, _)| self.may_be_wiped(*index, now))
            .filter(|(_, zone)| take_one(&mut zones[*zone]))
            .take(free as usize)
            .collect();
        for place in next {
            self.pending.grant(place, now);
        }
    }

    /// What each zone still has room for, where it has so many already.
    fn zone_room(&self, taken: impl Fn(&ZoneFacts) -> u32) -> Vec<u32> {
        let most = self.per_az();
        self.facts.zones.iter().map(|zone| most.saturating_sub(taken(zone))).collect()
    }

    /// Servers that were stopped and not wiped go back to their users: each at its own end, and at the
    /// end of the run all that it finds under way.
    fn give_back(&mut self, draft: &mut Draft) {
        let candidates: Vec<usize> =
            std::mem::take(&mut self.pending.to_return).into_iter().collect();
        let mut idle = Vec::new();
        for index in candidates {
            let target = &self.facts.targets[index];
            // A backup goes on without us.
            let limbo = matches!(
                target.state,
                State::Power(Purpose::Stop, Power::Due(_))
                    | State::Backup(Sent::InDoubt { .. } | Sent::Running { .. })
                    | State::Stopped { .. }
                    | State::Validated { .. }
            );
            let Some((server, _)) = self.plan.targets.get_index(index) else { continue };
            // Thought about again when its program ends, or when a step is taken back.
            if target.running() > 0 || self.has_late_undo(index) {
                continue;
            }
            if limbo && target.failed_jobs > 0 {
                let failure = Some(failure::not_tried_again("refleet.ending", ""));
                let server = server.clone();
                self.end(draft, server, Ending::Failed, failure);
                continue;
            }
            // Also where it is left off if it is: only a look can tell whether a stop that was put off
            // or refused, or whose answer was lost, has taken it from its users.
            if target.is_owed_back() {
                self.pending.owe(index, draft.now.at);
            } else if limbo {
                idle.push(server.clone());
            }
        }
        if !idle.is_empty() {
            self.record(draft, Event::StartedBack { servers: idle });
        }
    }

    fn end_if_at_rest(&mut self, draft: &mut Draft) {
        let busy = self.facts.fleets.iter().any(|fleet| fleet.in_flight > 0);
        let waiting = !self.pending.stepping.is_empty() || !self.pending.to_run.is_empty();
        let steps = self.facts.running > 0 || waiting;
        if busy || steps || !self.pending.owed.is_empty() || !self.pending.to_return.is_empty() {
            return;
        }
        let cause = self.facts.closing.clone().unwrap_or(CloseCause::Done);
        let counts = self.facts.counts();
        self.record(draft, Event::RunEnded { cause, counts });
    }
}

/// Takes one of what is left, if there is one.
fn take_one(left: &mut u32) -> bool {
    let there = *left > 0;
    *left = left.saturating_sub(1);
    there
}
