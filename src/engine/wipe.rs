//! Looks around a wipe: the comparison right before it, and its job after it.

use crate::domain::{Before, Ending, Event, Job, JobEnd, JobStatus, Millis, Seen, Server};
use crate::plan::{differences, protection};

use super::core::{Draft, Engine};
use super::doubt::is_at_rest;
use super::failure;
use super::look::Sighting;
use super::pending::FailedJob;
use super::retry::{delay, mix};
use super::state::{Sent, State};

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
        let wiped = self.facts.targets[index].wiped;
        let rule = protection(server);
        #[cfg(test)]
        let rule = rule.filter(|_| !self.is_broken_by(super::Flaw::ProtectionIgnored));
        if let Some(rule) = rule {
            if wiped {
                return self.half_done(draft, index, &rule.to_string());
            }
            let failure = failure::protected(&rule.to_string());
            return self.end(draft, server.id.clone(), Ending::Protected, Some(failure));
        }
        let target = &self.plan.targets[index];
        let again = self.facts.targets[index].failed_jobs > 0;
        let mut found = differences(&target.found, server);
        if again {
            // The first attempt may have replaced the disk: that is no drift. Somebody else's new one
            // is, and a disk there must be.
            if self.is_as_left(index, server) {
                found.retain(|difference| !difference.starts_with("system disk"));
            }
            // A cloud may show the new image from the request on, whatever came of it.
            if server.image == *target.image() {
                found.retain(|difference| !difference.starts_with("image "));
            }
            if server.system_volume().is_none() {
                let failure =
                    failure::needs_support("Ecs.0105", "the server has no system disk", 1);
                return self.end(draft, server.id.clone(), Ending::NeedsSupport, Some(failure));
            }
        }
        let failed = again && server.status == "ERROR" && server.task_state.is_none();
        let ready = server.is_stopped() || self.skips_stop(index) && server.is_running();
        if found.is_empty() && !ready && !failed && is_at_rest(server) {
            found.push(format!("it was stopped, and is {} now", server.status));
        }
        if !found.is_empty() && wiped {
            self.half_done(draft, index, &found.join("; "));
        } else if !found.is_empty() {
            let failure = failure::drifted(&found);
            self.end(draft, server.id.clone(), Ending::Drifted, Some(failure));
        } else if ready || failed {
            let servers = vec![server.id.clone()];
            self.record(draft, Event::Validated { servers, seen: asked });
            let (disk, updated) = (server.system_volume().cloned(), server.updated);
            self.pending.looks[index].before = disk.map(|disk| Before { disk, updated });
        } else {
            self.look_again(draft.now.at, index);
        }
    }

    /// Whether it is reinstalled as it is.
    fn skips_stop(&self, index: usize) -> bool {
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
                    reason: reason.unwrap_or_else(|| "the cloud gives no reason".to_owned()),
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
        let again = attempts < policy.attempts && !closing;
        let retry_at = again.then(|| draft.now.at + wait);
        let since = self.facts.targets[index].state.sent().map_or(draft.now.at, Sent::since);
        let FailedJob { job, code, reason, .. } = failed;
        let failure = if attempts >= policy.attempts {
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
