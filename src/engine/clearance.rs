//! The look that a touch rests on: nothing takes a server away from its users unless a look at it, at
//! most [`FENCE`] old, has passed the whole comparison with its plan.
//!
//! Other people live in the same cloud. They tag, lock, rename, start, stop and rebuild servers at any
//! moment, also between the preflight and the turn of a server. So a stop, a forced stop, a backup and
//! a step of the playbook's own that comes before the wipe wait for such a look; the wipe itself has
//! one of its own (`wipe`). A look that grew old meanwhile is made again, which costs no retry.

use crate::domain::{Ending, Millis, Server, Time};
use crate::plan::{Drift, Protection, changes_by_others, differences, protection};

use super::core::{Draft, Engine};
use super::doubt::is_at_rest;
use super::failure;
use super::look::Sighting;
use super::pending::SeenPower;
use super::state::{Power, Purpose, Sent, State};
use super::wants::FENCE;

/// Between two looks that should clear a server, after one that did not.
const CLEAR_AGAIN: Millis = Millis::secs(10);

impl Engine {
    /// When the look was sent that the next touch of this server rests on, if it is young enough.
    pub(super) fn cleared(&self, index: usize, now: Time) -> Option<(Time, Option<SeenPower>)> {
        let seen = match self.facts.targets[index].state {
            State::Validated { seen } => (seen, None),
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(..)
            | State::Stopped { .. }
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. }
            | State::StepsLeft(_)
            | State::Ended => {
                let (seen, power) = self.pending.looks[index].cleared?;
                (seen, Some(power))
            }
        };
        (now.since(seen.0) <= FENCE).then_some(seen)
    }

    /// The power that a look showed which is young enough to send a stop or a start on.
    pub(super) fn cleared_power(&self, index: usize, now: Time) -> Option<SeenPower> {
        self.cleared(index, now).and_then(|(_, power)| power)
    }

    /// Until when a touch of this server may be sent.
    pub(super) fn send_by(&self, index: usize, now: Time) -> Option<Time> {
        self.cleared(index, now).map(|(seen, _)| seen + FENCE)
    }

    /// How the server protects itself, if it does.
    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        reason = "the same call as in tests, where the engine may be broken"
    )]
    pub(super) fn protection_of(&self, server: &Server) -> Option<Protection> {
        protection(server)
    }

    /// How the server protects itself; an engine that is broken on purpose does not look.
    #[cfg(test)]
    pub(super) fn protection_of(&self, server: &Server) -> Option<Protection> {
        protection(server).filter(|_| !self.is_broken_by(super::Flaw::ProtectionIgnored))
    }

    /// A look at a server that is to be stopped, backed up, or given to a step before that. One that
    /// does not pass ends untouched, or is given back where its stop had been put off.
    pub(super) fn clear_to_begin(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) -> bool {
        let id = server.id.clone();
        if let Some(rule) = self.protection_of(server) {
            let failure = self.protected(index, rule);
            self.end(draft, id, Ending::Protected, Some(failure));
            return false;
        }
        let mut found = differences(&self.plan.targets[index].found, server);
        if found.is_empty() && !is_at_rest(server) {
            found.extend(self.busy_too_long(draft.now.at, index, server));
        }
        if found.is_empty() && !is_at_rest(server) {
            self.pending.looks[index].busy_with.clone_from(&server.task_state);
            self.clear_later(draft.now.at, index);
            self.look_again(draft.now.at, index);
            return false;
        }
        if found.is_empty() && !self.facts.targets[index].begun {
            found = changes_by_others(&self.plan.targets[index].found, server);
        }
        if !found.is_empty() {
            let failure = self.drifted(index, &found);
            self.end(draft, id, Ending::Drifted, Some(failure));
            return false;
        }
        self.note_cleared(index, asked, server);
        true
    }

    /// A look at a server that is being stopped or backed up, and that something more is due for. One
    /// that does not pass is not touched again; what is under way comes to its end first.
    pub(super) fn clear_under_way(
        &mut self,
        now: Time,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        let passes = self.protection_of(server).is_none()
            && differences(&self.plan.targets[index].found, server).is_empty();
        if passes {
            self.note_cleared(index, asked, server);
        } else {
            self.clear_later(now, index);
        }
    }

    /// The task that keeps a server waiting, once it has for as long as `wait.timeout`.
    pub(super) fn busy_too_long(&self, now: Time, index: usize, server: &Server) -> Option<Drift> {
        let since = self.pending.looks[index].since;
        let patience = self.treatment(index).wait.timeout;
        let task = server.task_state.clone().unwrap_or_else(|| server.status.clone());
        (now.since(since) >= patience).then_some(Drift::Task(task))
    }

    /// The look did not clear the server: what waits for one asks again a little later.
    pub(super) fn clear_later(&mut self, now: Time, index: usize) {
        self.look_later(index, |look| {
            look.cleared = None;
            look.clear_at = Some(now + CLEAR_AGAIN);
        });
    }

    /// A server that is given back is only asked whether it is off and at rest: what somebody changed
    /// meanwhile does not keep a server off that we switched off.
    pub(super) fn note_cleared(&mut self, index: usize, asked: Time, server: &Server) {
        let power = if server.is_running() { SeenPower::On } else { SeenPower::Off };
        let look = &mut self.pending.looks[index];
        look.cleared = Some((asked, power));
        look.clear_at = None;
        look.busy_with = None;
        if !self.facts.targets[index].own.is_empty() {
            self.pending.stepping.insert(index);
        }
        self.pending.dirty.insert(index);
    }

    /// Whether a soft stop took so long that the power is to be cut.
    pub(super) fn is_force_due(&self, index: usize, now: Time) -> bool {
        let target = &self.facts.targets[index];
        let State::Power(Purpose::Stop, Power::Sent(Sent::Running { since, .. })) = &target.state
        else {
            return false;
        };
        let force = self.treatment(index).stop.force_after.map(|after| *since + after);
        !target.forced && force.is_some_and(|at| at <= now)
    }

    /// Why a server is left alone that somebody protected.
    pub(super) fn protected(&self, index: usize, rule: Protection) -> crate::domain::Failure {
        failure::protected(&rule.to_string(), self.facts.targets[index].touched)
    }

    /// Why a server is left alone that is not the one of the plan any more.
    pub(super) fn drifted(&self, index: usize, found: &[Drift]) -> crate::domain::Failure {
        failure::drifted(found, self.facts.targets[index].touched)
    }
}
