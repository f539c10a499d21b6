//! Looks around a wipe: the comparison right before it, and its job after it.

use crate::domain::{
    Before, Deed, Ending, Event, Job, JobEnd, JobId, JobStatus, Millis, Seen, Server, Time, Trace,
    Verdict,
};
use crate::plan::{Drift, changes_by_others, differences};

use super::core::{Draft, Engine};
use super::doubt::is_at_rest;
use super::failure;
use super::look::Sighting;
use super::pending::FailedJob;
use super::retry::{delay, mix};
use super::state::{Sent, State};
use super::wants::FENCE;

/// After so long, a look at a server whose job failed shows what has become of its disk.
const SHOWN_BY: Millis = Millis::secs(30);

/// Looks at a job grow apart up to this.
const SLOWEST_JOB_LOOK: Millis = Millis::secs(60);

impl Engine {
    /// The fence right before the wipe: is it still the server that the plan was made for?
    pub(super) fn compare(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        if self.leaves_before_comparison(draft, index, server) {
            return;
        }
        // Whatever is being done to it is not over: what it comes to is compared then.
        if !is_at_rest(server) {
            self.pending.looks[index].busy_with.clone_from(&server.task_state);
            return self.look_again(draft.now.at, index);
        }
        let again = self.facts.targets[index].failed_jobs > 0;
        if again && server.system_volume().is_none() {
            let failure = failure::needs_support("Ecs.0105", "the server has no system disk", 1);
            return self.end(draft, server.id.clone(), Ending::NeedsSupport, Some(failure));
        }
        let found = self.differences_before_wipe(index, server);
        if !found.is_empty() {
            return self.fell_out(draft, index, &found);
        }
        let (disk, updated) = (server.system_volume().cloned(), server.updated);
        let before = disk.map(|disk| Before { disk, updated, replaced_by: Vec::new() });
        self.pending.looks[index].compared = before.map(|before| (asked, before));
        self.finish_comparison(draft, index);
    }

    /// A wipe that shows up late, and a protection, come before any comparison: whether one was there.
    fn leaves_before_comparison(
        &mut self,
        draft: &mut Draft,
        index: usize,
        server: &Server,
    ) -> bool {
        if self.facts.targets[index].doubted && self.shows_a_late_wipe(index, server) {
            self.late_after_all(draft, index, None);
            return true;
        }
        let Some(rule) = self.protection_of(server) else { return false };
        if self.facts.targets[index].wiped {
            self.half_done(draft, index, &rule.to_string());
        } else {
            let failure = self.protected(index, rule);
            self.end(draft, server.id.clone(), Ending::Protected, Some(failure));
        }
        true
    }

    /// The look that a step rests on whose server is off and has its wipe still ahead.
    pub(super) fn clear_while_off(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        if self.leaves_before_comparison(draft, index, server) {
            return;
        }
        if !is_at_rest(server) {
            if let Some(task) = self.busy_too_long(draft.now.at, index, server) {
                return self.fell_out(draft, index, &[task]);
            }
            return self.clear_later(draft.now.at, index);
        }
        let found = self.differences_before_wipe(index, server);
        if !found.is_empty() {
            return self.fell_out(draft, index, &found);
        }
        self.note_cleared(index, asked, server);
    }

    /// How a server at rest differs from what it should be right before its wipe.
    fn differences_before_wipe(&self, index: usize, server: &Server) -> Vec<Drift> {
        let (target, facts) = (&self.plan.targets[index], &self.facts.targets[index]);
        let mut found = differences(&target.found, server);
        if facts.failed_jobs > 0 {
            let as_left = self.is_as_left(index, server);
            found.retain(|difference| match difference {
                // The first attempt may have replaced the disk: that is no drift. Somebody else's new
                // one is, and a disk there must be.
                Drift::SystemDisk { .. } => !as_left,
                // A cloud may show the new image from the request on, whatever came of it.
                Drift::Image { is, .. } => is != target.image(),
                Drift::Gone
                | Drift::Name { .. }
                | Drift::Zone { .. }
                | Drift::KeyPair { .. }
                | Drift::Tags { .. }
                | Drift::DataDisks { .. }
                | Drift::Addresses { .. }
                | Drift::Task(_)
                | Drift::Status { .. }
                | Drift::NotOff { .. }
                | Drift::Frozen
                | Drift::Updated { .. }
                | Drift::DiskStatus { .. }
                | Drift::Snapshot { .. }
                | Drift::Replaced { .. } => true,
            });
        }
        if !found.is_empty() {
            return found;
        }
        let first = facts.failed_jobs == 0 && !facts.doubted && !facts.begun;
        if self.skips_stop(index) && first {
            return changes_by_others(&target.found, server);
        }
        let failed = facts.failed_jobs > 0 && server.status == "ERROR";
        let ready = server.is_stopped() || self.skips_stop(index) && server.is_running();
        if !ready && !failed {
            found.push(Drift::NotOff { is: server.status.clone() });
        }
        found
    }

    fn fell_out(&mut self, draft: &mut Draft, index: usize, found: &[Drift]) {
        if self.facts.targets[index].wiped {
            return self.half_done(draft, index, &failure::in_words(found));
        }
        let failure = self.drifted(index, found);
        let server = self.server_id(index);
        self.end(draft, server, Ending::Drifted, Some(failure));
    }

    /// Whether the records of the cloud have to be read before a wipe: its disks cannot tell.
    pub(super) fn needs_records(&self) -> bool {
        self.plan.cloud.features.tells_by_records()
    }

    /// Whether they were read just now.
    pub(super) fn has_records(&self, index: usize, now: Time) -> bool {
        let read = self.pending.looks[index].records.as_ref();
        read.is_some_and(|(asked, _)| now.since(*asked) <= FENCE)
    }

    /// Whether the server itself passed just now, so that only the records are waited for.
    pub(super) fn has_compared(&self, index: usize, now: Time) -> bool {
        let compared = self.pending.looks[index].compared.as_ref();
        compared.is_some_and(|(asked, _)| now.since(*asked) <= FENCE)
    }

    /// The records of the cloud, read before a wipe: a request that replaced the system, is not ours,
    /// and was not there when the plan was made is somebody else's.
    pub(super) fn records_before_wipe(
        &mut self,
        draft: &mut Draft,
        index: usize,
        (asked, traces): (Time, &[Trace]),
    ) {
        let stranger = traces.iter().find(|trace| !self.is_known(index, trace));
        if let Some(stranger) = stranger {
            let (action, job) = (stranger.name.clone(), stranger.job.clone());
            if self.facts.targets[index].doubted {
                return self.late_after_all(draft, index, job);
            }
            let request = job.map_or_else(|| "unknown request".to_owned(), |job| job.to_string());
            return self.fell_out(draft, index, &[Drift::Replaced { action, request }]);
        }
        let requests = traces.iter().filter_map(|trace| trace.job.clone()).collect();
        self.look_later(index, |look| {
            look.records = Some((asked, requests));
            look.trace_at = None;
        });
        self.finish_comparison(draft, index);
    }

    /// Whether a request that replaced the system was there when the plan was made, or was ours.
    fn is_known(&self, index: usize, trace: &Trace) -> bool {
        let target = &self.plan.targets[index];
        match (&target.replaced_by, &trace.job) {
            (Some(known), Some(job)) => {
                known.contains(job) || self.facts.targets[index].failed_ids.contains(job)
            }
            // A plan of before does not say what there was: only the clock is left to ask.
            (None, job) => {
                let ours = &self.facts.targets[index].failed_ids;
                trace.time <= self.plan.made || job.as_ref().is_some_and(|job| ours.contains(job))
            }
            (Some(_), None) => false,
        }
    }

    /// The records cannot be read.
    pub(super) fn no_records_before_wipe(&mut self, draft: &mut Draft, index: usize, why: &str) {
        if self.facts.targets[index].wiped {
            return self.half_done(draft, index, why);
        }
        let server = self.server_id(index);
        self.end(draft, server, Ending::Failed, Some(failure::records_unreadable(why)));
    }

    /// Server and records passed: the wipe may rest on the older of the two looks.
    fn finish_comparison(&mut self, draft: &mut Draft, index: usize) {
        let now = draft.now.at;
        let Some((asked, before)) = self.pending.looks[index].compared.clone() else { return };
        let (seen, before) = if !self.needs_records() {
            (asked, before)
        } else if let Some((read, requests)) = self.pending.looks[index].records.clone()
            && self.has_records(index, now)
        {
            (asked.min(read), Before { replaced_by: requests, ..before })
        } else {
            return self.look_later(index, |look| look.trace_at = Some(now));
        };
        if now.since(seen) > FENCE {
            return self.look_later(index, |look| look.server_at = Some(now));
        }
        let servers = vec![self.server_id(index)];
        let records = self.pending.looks[index].records.clone();
        self.record(draft, Event::Validated { servers, seen });
        let look = &mut self.pending.looks[index];
        look.compared = Some((asked, before));
        look.records = records;
    }

    /// Whether a wipe that counts as one that did not happen shows after all. It may be a stranger's:
    /// nobody can tell the two apart by a disk, and neither may be wiped again.
    fn shows_a_late_wipe(&self, index: usize, server: &Server) -> bool {
        let disk = &self.before(index).disk;
        !disk.is_local() && server.system_volume().is_some_and(|now| now != disk)
    }

    /// A wipe that counted as one that did not happen was only late: it is watched like any other.
    fn late_after_all(&mut self, draft: &mut Draft, index: usize, job: Option<JobId>) {
        let (server, deed) = (self.server_id(index), Deed::Reinstall);
        let evidence =
            vec!["its system was replaced after the reinstall had been looked for".to_owned()];
        let verdict = job.map_or(Verdict::AtWork, |job| Verdict::Happened { job: Some(job) });
        let retry_at = None;
        self.record(draft, Event::Resolved { server, deed, verdict, evidence, retry_at });
    }

    /// Whether it is reinstalled as it is.
    pub(super) fn skips_stop(&self, index: usize) -> bool {
        self.treatment(index).stop.skip
    }

    /// Whether the system disk is the one that the failed attempt left behind, as far as the journal
    /// says. Where the disk was away then, any may have come since.
    fn is_as_left(&self, index: usize, server: &Server) -> bool {
        let left = self.facts.targets[index].left.as_ref();
        left.is_none_or(|disk| server.system_volume() == Some(disk))
    }

    /// Its first reinstall failed after the wipe, and it changed before the second: nobody can call
    /// that left alone.
    fn half_done(&mut self, draft: &mut Draft, index: usize, why: &str) {
        let server = self.server_id(index);
        self.end(draft, server, Ending::Failed, Some(failure::half_done(why)));
    }

    pub(super) fn seen_wiping(
        &mut self,
        draft: &mut Draft,
        index: usize,
        sighting: Sighting<'_>,
        sent: &Sent,
    ) {
        let Sighting { server, asked } = sighting;
        if asked < sent.since() {
            return;
        }
        let old = &self.plan.targets[index].found.system_volume;
        let keeps_disk = self.plan.cloud.features.keeps_disk;
        match sent {
            Sent::Submitting { .. } => {}
            Sent::Running { job: Some(_), .. } => {
                let failed = self.pending.looks[index].failed_job.clone();
                if let Some(failed) = failed.filter(|failed| asked >= failed.seen) {
                    // The old disk in its place proves that nothing was wiped. Anything else may
                    // be a look that came too early, so it counts only after a while.
                    let same = server.system_volume() == Some(old) && is_at_rest(server);
                    // A disk that keeps its id proves nothing, however long one looks at it.
                    let intact = same && !keeps_disk;
                    if same || asked.since(failed.seen) >= SHOWN_BY {
                        self.job_failed(draft, index, failed, (server, !intact));
                    } else {
                        self.look_again(draft.now.at, index);
                    }
                } else if keeps_disk && is_at_rest(server)
                    || server.is_running() && server.system_volume().is_some_and(|new| new != old)
                {
                    self.look_later(index, |look| look.job_at = Some(asked));
                }
            }
            Sent::InDoubt { .. } | Sent::Running { job: None, .. } => {
                self.seen_in_doubt(draft, index, sighting);
            }
        }
    }

    pub(super) fn job_seen(&mut self, draft: &mut Draft, index: usize, job: &Job) {
        let State::Reinstalling(Sent::Running { job: Some(id), since }) =
            &self.facts.targets[index].state
        else {
            return;
        };
        if *id != job.id {
            return;
        }
        let (id, since, now) = (id.clone(), *since, draft.now.at);
        let part = job.parts.iter().find(|part| part.status == JobStatus::Fail);
        match job.status {
            JobStatus::Init | JobStatus::Running => self.look_later(index, |look| {
                look.job_looks += 1;
                let wait = Millis::secs(5 * (1 << look.job_looks.min(4)) / 2);
                look.job_at = Some(now + wait.min(SLOWEST_JOB_LOOK));
            }),
            JobStatus::Success => {
                let server = self.server_id(index);
                let settle_until = now + self.treatment(index).wait.settle;
                let end = JobEnd::Succeeded { settle_until };
                let took = now.since(since);
                self.record(draft, Event::JobEnded { server, job: Some(id), end, took });
            }
            JobStatus::Fail => {
                let code = job.error_code.clone().or(part.and_then(|part| part.error_code.clone()));
                let reason =
                    job.fail_reason.clone().or(part.and_then(|part| part.fail_reason.clone()));
                let failed = FailedJob {
                    job: Some(id),
                    code: code.unwrap_or_else(|| "FAIL".to_owned()),
                    reason,
                    seen: now,
                };
                self.look_later(index, |look| {
                    look.failed_job = Some(failed);
                    look.server_at = Some(now);
                });
            }
        }
    }

    /// A job failed, and a look after it showed the server, and whether it was wiped.
    fn job_failed(
        &mut self,
        draft: &mut Draft,
        index: usize,
        failed: FailedJob,
        (shown, wiped): (&Server, bool),
    ) {
        let server = self.server_id(index);
        let policy = &self.treatment(index).retry.job_failed;
        let attempts = self.facts.targets[index].failed_jobs + 1;
        let closing = self.facts.closing.is_some();
        let draw = mix(self.seed, index, u64::from(attempts));
        let wait = delay(policy, attempts, draw, None);
        let found = self.facts.targets[index].found;
        let again = attempts < policy.attempts && !closing && !found;
        let retry_at = again.then(|| draft.now.at + wait);
        let since = self.facts.targets[index].state.sent().map_or(draft.now.at, Sent::since);
        let FailedJob { job, code, reason, .. } = failed;
        // Nova says at the server what went wrong, and not always in its records.
        let reason = reason.or_else(|| shown.fault.clone());
        let reason = reason.unwrap_or_else(|| "the cloud gives no reason".to_owned());
        let failure = if found {
            (Ending::Failed, failure::perhaps_anothers(&code, &reason))
        } else if attempts >= policy.attempts {
            (Ending::NeedsSupport, failure::needs_support(&code, &reason, attempts))
        } else {
            (Ending::Failed, failure::not_tried_again(&code, &reason))
        };
        let took = draft.now.at.since(since);
        let seen = Some(Box::new(Seen::from(shown)));
        let end = JobEnd::Failed { code, reason, wiped, retry_at, seen };
        self.record(draft, Event::JobEnded { server: server.clone(), job, end, took });
        if !again {
            self.end(draft, server, failure.0, Some(failure.1));
        }
    }
}
