//! The preflight: every precondition of every server is read once more before the first stop.

use crate::domain::{
    Action, CloseCause, CostClass, Ending, Event, Fault, Jitter, Millis, PauseCause, Quota, Remedy,
    Reply, RetryPolicy, ServerId,
};
use crate::plan::{Survey, recheck};

use super::core::{Draft, Engine};
use super::failure;
use super::pending::{Preflight, Scope};
use super::retry::{delay, mix};
use super::state::State;

/// Reads of the preflight are tried again so often in a row before the run gives up untouched.
const TROUBLES: u32 = 30;

impl Engine {
    pub(super) fn begin_preflight(&mut self, draft: &mut Draft, scope: Scope) {
        let wanted = |index: &usize| scope == Scope::Run || self.is_not_begun(*index);
        let targets = (0..self.facts.targets.len()).filter(wanted);
        let mut survey = Survey::for_part(&self.plan, targets.map(|index| self.server_id(index)));
        let due = survey.next();
        let not_before = draft.now.at;
        self.pending.preflight = Some(Preflight { survey, due, not_before, troubles: 0, scope });
    }

    /// A run that is taken over looks again at all that it has not begun: nobody knows what other
    /// people did meanwhile. What it had begun is watched at once.
    pub(super) fn begin_preflight_again(&mut self, draft: &mut Draft) {
        let waits = (0..self.facts.targets.len()).any(|index| self.is_not_begun(index));
        if waits && self.facts.closing.is_none() && self.facts.pausing.is_none() {
            self.begin_preflight(draft, Scope::Resumed);
        }
    }

    /// Whether nothing new may start yet, since a resumed run still looks at what it has not begun.
    pub(super) fn is_looking_again(&self) -> bool {
        self.pending.preflight.as_ref().is_some_and(|it| it.scope == Scope::Resumed)
    }

    fn is_not_begun(&self, index: usize) -> bool {
        let target = &self.facts.targets[index];
        target.ending.is_none() && !target.begun && matches!(target.state, State::Pending { .. })
    }

    pub(super) fn survey_replied(&mut self, draft: &mut Draft, action: &Action, reply: Reply) {
        let Some(preflight) = &mut self.pending.preflight else { return };
        let taken = match reply {
            Ok(answer) => {
                preflight.troubles = 0;
                preflight.survey.take(action, answer)
            }
            Err(fault) if may_repeat(&fault) && preflight.troubles < TROUBLES => {
                preflight.troubles += 1;
                let draw = mix(self.seed, 0, u64::from(preflight.troubles));
                let wait = delay(&read_policy(), preflight.troubles, draw, fault.retry_after);
                preflight.not_before = preflight.not_before.max(draft.now.at + wait);
                preflight.due.push(action.clone());
                return;
            }
            Err(fault) => preflight.survey.fail(action, &fault),
        };
        if let Scope::Wave(fleet) = preflight.scope {
            let readable = taken.is_ok();
            preflight.due.extend(preflight.survey.next());
            if !readable || preflight.survey.is_done() {
                self.end_wave_look(draft, fleet, readable);
            }
        } else if let Err(refusal) = taken {
            self.refuse_run(draft, vec![refusal.to_string()]);
        } else {
            preflight.due.extend(preflight.survey.next());
            if preflight.survey.is_done() {
                self.end_preflight(draft);
            }
        }
    }

    fn end_preflight(&mut self, draft: &mut Draft) {
        let Some(preflight) = self.pending.preflight.take() else { return };
        let begins = preflight.scope == Scope::Run;
        let inventory = preflight.survey.into_inventory();
        let found = recheck(&self.plan, &inventory);
        #[cfg(test)]
        let found = self.blind_to_protection(found);
        if found.refused.is_empty() {
            let room = inventory.quota.as_ref().and_then(|quota| self.room(quota));
            self.pending.total = u32::try_from(inventory.servers.len()).unwrap_or(u32::MAX);
            self.pending.looked.fill(Some((0, draft.now.at)));
            self.record(draft, Event::PreflightPassed { room });
        } else {
            self.refuse_run(draft, found.refused);
            if begins {
                return;
            }
        }
        let left = |it: &Self, server: &ServerId| {
            it.plan.targets.get_index_of(server).is_some_and(|index| it.is_not_begun(index))
        };
        for (server, rule) in found.protected {
            if left(self, &server) {
                let failure = failure::protected(&rule.to_string(), false);
                self.end(draft, server, Ending::Protected, Some(failure));
            }
        }
        for (server, differences) in found.drifted {
            if left(self, &server) {
                let failure = failure::drifted(&differences, false);
                self.end(draft, server, Ending::Drifted, Some(failure));
            }
        }
    }

    /// New system disks that the quota has room for: each wipe needs one while the old one is still
    /// there (`storage-image-kms.md`, section 1).
    pub(super) fn room(&self, quota: &Quota) -> Option<u32> {
        let largest =
            self.plan.targets.values().map(crate::plan::Target::new_size).max().unwrap_or(1).max(1);
        let kinds = self.plan.targets.values().map(|target| &target.wiped.kind);
        let kinds: std::collections::BTreeSet<&String> = kinds.collect();
        let by_kind = kinds.into_iter().filter_map(|kind| quota.by_kind.get(kind));
        let lines = by_kind.map(|(number, size)| (*number, *size));
        lines
            .chain([(quota.volumes, quota.gigabytes)])
            .flat_map(|(number, size)| [number.free(), size.free().map(|free| free / largest)])
            .flatten()
            .min()
            .map(|room| u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// A precondition does not hold: the run ends, and nothing was touched. One that began pauses
    /// instead, until somebody has mended it.
    pub(super) fn refuse_run(&mut self, draft: &mut Draft, reasons: Vec<String>) {
        self.pending.preflight = None;
        if self.facts.preflight.is_some() {
            if self.facts.pausing.is_none() {
                let cause = PauseCause::Precondition { reasons };
                self.record(draft, Event::Pausing { cause });
            }
            return;
        }
        self.record(draft, Event::PreflightRefused { reasons });
        self.record(draft, Event::Closing { cause: CloseCause::Refused });
    }
}

/// Whether asking again may help.
pub(super) fn may_repeat(fault: &Fault) -> bool {
    matches!(fault.class.remedy(CostClass::Reading), Remedy::Retry(_))
}

/// Waits after a read that failed: reads are cheap to repeat, and never given up on for long.
pub(super) fn read_policy() -> RetryPolicy {
    RetryPolicy {
        attempts: TROUBLES,
        delay: Millis::secs(1),
        backoff: 2.0,
        max_delay: Millis::secs(30),
        jitter: Jitter::Full,
    }
}
