//! The preflight: every precondition of every server is read once more before the first stop.

use crate::domain::{
    Action, CloseCause, CostClass, Ending, Event, Fault, Jitter, Millis, Quota, Remedy, Reply,
    RetryPolicy,
};
use crate::plan::{Inventory, Survey, recheck};

use super::core::{Draft, Engine};
use super::failure;
use super::pending::{Preflight, SeenPower};
use super::retry::{delay, mix};

/// Reads of the preflight are tried again so often in a row before the run gives up untouched.
const TROUBLES: u32 = 30;

impl Engine {
    pub(super) fn begin_preflight(&mut self, draft: &mut Draft) {
        let mut survey = Survey::for_plan(&self.plan);
        let due = survey.next();
        let not_before = draft.now.at;
        let fleet = None;
        self.pending.preflight = Some(Preflight { survey, due, not_before, troubles: 0, fleet });
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
        if let Some(fleet) = preflight.fleet {
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
        let inventory = preflight.survey.into_inventory();
        let found = recheck(&self.plan, &inventory);
        #[cfg(test)]
        let found = self.blind_to_protection(found);
        if !found.refused.is_empty() {
            return self.refuse_run(draft, found.refused);
        }
        let room = inventory.quota.as_ref().and_then(|quota| self.room(quota));
        self.pending.total = u32::try_from(inventory.servers.len()).unwrap_or(u32::MAX);
        self.note_first_sight(&inventory);
        self.pending.looked.fill(Some((0, draft.now.at)));
        self.record(draft, Event::PreflightPassed { room });
        for (server, rule) in found.protected {
            self.end(draft, server, Ending::Protected, Some(failure::protected(&rule)));
        }
        for (server, differences) in found.drifted {
            self.end(draft, server, Ending::Drifted, Some(failure::drifted(&differences)));
        }
    }

    fn note_first_sight(&mut self, inventory: &Inventory) {
        for server in &inventory.servers {
            if let Some(index) = self.plan.targets.get_index_of(&server.id) {
                let power = server.is_running().then_some(SeenPower::On);
                self.note_power(index, power);
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

    /// A precondition does not hold: the run ends, and nothing was touched.
    fn refuse_run(&mut self, draft: &mut Draft, reasons: Vec<String>) {
        self.pending.preflight = None;
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
