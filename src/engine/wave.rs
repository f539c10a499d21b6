//! The look before a wave: what other people can take away while a run is under way is looked at
//! again before more servers are stopped, once for all of the wave (`seed-constraints.md`, C3, C4).
//!
//! It is not journaled: a resumed run looks again.

use crate::domain::{Ending, Millis, ServerId, Time};
use crate::plan::{Drift, Inventory, Survey, new_snapshots, recheck_image, recheck_key_pairs};

use super::core::{Draft, Engine};
use super::failure;
use super::pending::{Preflight, Scope};
use super::state::State;

/// A wave opens at most so long after its look.
const LOOKED: Millis = Millis::secs(60);

impl Engine {
    /// Whether the next wave of a fleet was looked at just now; if not, it will be.
    pub(super) fn is_wave_looked_at(&mut self, now: Time, fleet: usize) -> bool {
        let wave = self.facts.fleets[fleet].wave;
        if self.pending.looked[fleet]
            .is_some_and(|(seen, at)| seen == wave && now.since(at) <= LOOKED)
        {
            return true;
        }
        let waiting = self.waiting_in_wave(fleet);
        if waiting.is_empty() {
            return true;
        }
        if self.pending.preflight.is_none() {
            let mut survey = Survey::for_wave(&self.plan, waiting.iter());
            let (due, scope) = (survey.next(), Scope::Wave(fleet));
            let look = Preflight { survey, due, not_before: now, troubles: 0, scope };
            self.pending.preflight = Some(look);
        }
        false
    }

    /// Servers of the next wave that nothing was done to.
    fn waiting_in_wave(&self, fleet: usize) -> Vec<ServerId> {
        let wave = self.facts.fleets[fleet].wave;
        let planned = self.plan.fleets.get_index(fleet).and_then(|(_, it)| it.waves.get(wave));
        let servers = planned.into_iter().flat_map(|wave| &wave.servers);
        let waits = |server: &&ServerId| {
            let index = self.plan.targets.get_index_of(*server);
            index.is_some_and(|index| {
                let target = &self.facts.targets[index];
                target.ending.is_none() && matches!(target.state, State::Pending { .. })
            })
        };
        servers.filter(waits).cloned().collect()
    }

    /// Ends the servers of the wave that could not be reinstalled any more. What could not be read
    /// is left to the cloud's own answer.
    pub(super) fn end_wave_look(&mut self, draft: &mut Draft, fleet: usize, readable: bool) {
        let Some(look) = self.pending.preflight.take() else { return };
        self.pending.looked[fleet] = Some((self.facts.fleets[fleet].wave, draft.now.at));
        if self.facts.closing.is_some() || !readable {
            return;
        }
        let inventory = look.survey.into_inventory();
        let targets = self.waiting_in_wave(fleet);
        let targets = targets.iter().filter_map(|server| self.plan.targets.get(server));
        let reasons = recheck_key_pairs(&self.plan, &inventory, targets);
        if !reasons.is_empty() {
            return self.refuse_run(draft, reasons);
        }
        let full = self.is_quota_full(&inventory);
        for server in self.waiting_in_wave(fleet) {
            let target = &self.plan.targets[&server];
            let new: Vec<Drift> = new_snapshots(target, &inventory).collect();
            if !new.is_empty() {
                let failure = failure::drifted(&new, false);
                self.end(draft, server, Ending::Drifted, Some(failure));
                continue;
            }
            let image = self.plan.targets[&server].image();
            let why = recheck_image(&self.plan, &inventory, image);
            let full = || full.then(|| ("Ecs.0021", "the EVS quota has no room".to_owned()));
            if let Some((code, why)) = why.or_else(full) {
                let failure = failure::taken_away(code, &why);
                self.end(draft, server, Ending::Drifted, Some(failure));
            }
        }
    }

    /// Whether there is no room for another system disk, and none will come of our own reinstalls:
    /// each of those gives its old disk back.
    fn is_quota_full(&mut self, inventory: &Inventory) -> bool {
        let free = inventory.quota.as_ref().and_then(|quota| self.room(quota));
        self.pending.room = free.map(|free| free.saturating_add(self.facts.reinstalling));
        self.pending.room == Some(0)
    }
}
