//! A reinstall whose answer was lost: what the evidence says. The table is written down, with its
//! reasons, in `docs/in-doubt.md`; a test reads it there and compares it with [`weigh`].
//!
//! Sending again after [`Weighed::DidNot`] cannot wipe twice: without `mode` the cloud refuses while
//! a job runs, and refuses a server that a finished reinstall has started (`ecs.md`, section 11).

use crate::domain::{
    Before, Deed, Ending, Event, JobEnd, JobId, Millis, Server, ServerId, Time, Timestamp, Trace,
    Verdict,
};

use super::core::{Draft, Engine};
use super::failure;
use super::look::Sighting;
use super::pending::Traced;
use super::state::{DOUBT_GRACE, Sent, State};

/// Clocks may differ by so much before the cloud refuses a signature (`auth.md`, section 3.1).
const CLOCK_SKEW: Millis = Millis::mins(15);

/// Clocks of the cloud's own services may differ by so much.
const CLOUD_SKEW: Millis = Millis::mins(1);

/// After an attempt that failed, only so much is allowed for: its own line in the log, which may not
/// name its job, must not be taken for the next one's. The disk tells as well there.
const SKEW_AFTER_FAILURE: Millis = Millis::secs(5);

/// What a look at the server says of a reinstall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// At rest with the power and the system disk of before, and not changed since.
    Untouched,
    /// At rest with the system disk of before, and something changed it since.
    Changed,
    /// A task is set, the system disk is away, or a new one is there and it does not run.
    AtWork,
    /// A new system disk, and it runs.
    Done,
}

/// What is to be thought of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weighed {
    Happened(Option<JobId>),
    AtWork,
    Finished,
    DidNot,
    Wait,
}

impl Sight {
    /// What `server` says, compared with how it was right before.
    ///
    /// That a reinstall gives the disk a new id is inferred, not documented (`ecs.md`, section 3). So
    /// the old id alone proves nothing: the server must not have been changed at all. `may_run`: it
    /// was running before.
    pub(super) fn of(server: &Server, before: &Before, may_run: bool) -> Self {
        let Some(disk) = server.system_volume() else { return Self::AtWork };
        if *disk != before.disk {
            return if server.is_running() { Self::Done } else { Self::AtWork };
        }
        if !is_at_rest(server) {
            return Self::AtWork;
        }
        let off = server.is_stopped() || server.status == "ERROR";
        let unchanged = before.updated.is_some() && server.updated == before.updated;
        if (off || may_run) && unchanged { Self::Untouched } else { Self::Changed }
    }
}

/// No task is set, and the status is not one of a task that is shown as a status only.
pub(super) fn is_at_rest(server: &Server) -> bool {
    server.task_state.is_none() && server.status != "REBUILD"
}

/// What the audit log says of a call that was made after `since`.
/// Jobs of earlier attempts that failed are not those of this one.
pub(super) fn read_log(traces: &[Trace], since: Timestamp, failed: &[JobId]) -> Traced {
    let earlier = |trace: &Trace| trace.job.as_ref().is_some_and(|job| failed.contains(job));
    let ours = || traces.iter().filter(|trace| trace.time >= since && !earlier(trace));
    let taken: Vec<&Trace> = ours().filter(|trace| trace.code < 400).collect();
    if let Some(with_job) = taken.iter().find(|trace| trace.job.is_some()).or(taken.first()) {
        return Traced::Taken(with_job.job.clone());
    }
    ours().next().map_or(Traced::Absent, |refused| Traced::Refused(refused.code))
}

/// The table. `counts_from`: "not found" counts only in answers to what was asked since.
pub(super) fn weigh(
    sight: Option<(Time, Sight)>,
    traced: Option<&(Time, Traced)>,
    counts_from: Time,
) -> Weighed {
    let absent = match traced {
        Some((_, Traced::Taken(Some(job)))) => return Weighed::Happened(Some(job.clone())),
        Some((_, Traced::Taken(None))) => None,
        Some((asked, Traced::Absent | Traced::Unreadable(_) | Traced::Refused(_))) => Some(*asked),
        None => Some(Time(0)),
    };
    match (sight, absent) {
        (Some((_, Sight::Done)), _) => Weighed::Finished,
        (_, None) => Weighed::Happened(None),
        (Some((_, Sight::AtWork)), Some(_)) => Weighed::AtWork,
        (Some((looked, Sight::Untouched)), Some(asked))
            if looked >= counts_from && asked >= counts_from =>
        {
            Weighed::DidNot
        }
        (Some((_, Sight::Untouched | Sight::Changed)) | None, Some(_)) => Weighed::Wait,
    }
}

impl Engine {
    /// A look at a server whose wipe is in doubt, or runs under a job that nobody knows.
    pub(super) fn seen_in_doubt(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        let sight = Sight::of(server, &self.before(index), self.skips_stop(index));
        self.pending.looks[index].sight = Some((asked, sight));
        self.look_again(draft.now.at, index);
        self.judge(draft, index);
    }

    /// An answer of the audit log.
    pub(super) fn note_traced(
        &mut self,
        draft: &mut Draft,
        index: usize,
        asked: Time,
        traced: Traced,
    ) {
        let again = draft.now.at + crate::domain::Millis::secs(10);
        self.look_later(index, |look| {
            look.traced = Some((asked, traced));
            look.trace_at = Some(again);
        });
        self.judge(draft, index);
    }

    /// What these lines say of the wipe that is in doubt.
    pub(super) fn read_log(&self, index: usize, traces: &[Trace]) -> Traced {
        let facts = &self.facts.targets[index];
        if !self.needs_records() {
            return read_log(traces, self.traces_since(index), &facts.failed_ids);
        }
        // Requests have ids: no clock is asked. Those that were there before are known.
        let before = self.before(index).replaced_by;
        let planned = self.plan.targets[index].replaced_by.iter().flatten();
        let known: Vec<JobId> =
            before.iter().chain(planned).chain(&facts.failed_ids).cloned().collect();
        read_log(traces, Timestamp(i64::MIN), &known)
    }

    /// The server as it was right before its wipe. Where the journal is too old to say, only the disk
    /// of the plan is known.
    pub(super) fn before(&self, index: usize) -> Before {
        self.facts.targets[index].before.clone().unwrap_or_else(|| Before {
            disk: self.plan.targets[index].found.system_volume.clone(),
            updated: None,
            replaced_by: Vec::new(),
        })
    }

    /// Where the audit log is searched from. The last change of the server before its wipe is a
    /// moment of the cloud's own clock, and after every earlier reinstall of it. Where it is not
    /// known, our clock may be ahead of the cloud's; then a call that failed must not be taken for
    /// the one after it.
    pub(super) fn traces_since(&self, index: usize) -> Timestamp {
        let target = &self.facts.targets[index];
        let changed = target.before.as_ref().and_then(|before| before.updated);
        let (from, skew) = match changed {
            Some(changed) if target.failed_jobs == 0 => (changed, CLOUD_SKEW),
            Some(changed) => (changed, SKEW_AFTER_FAILURE),
            None if target.failed_jobs == 0 => (target.sent_wall, CLOCK_SKEW),
            None => (target.sent_wall, Millis(0)),
        };
        Timestamp(from.0.saturating_sub_unsigned(skew.0))
    }

    /// The cloud does not know the job of a wipe that it took: from here on the server is watched.
    pub(super) fn job_forgotten(&mut self, draft: &mut Draft, index: usize, asked: Time) -> bool {
        let State::Reinstalling(Sent::Running { job: Some(job), since }) =
            &self.facts.targets[index].state
        else {
            return false;
        };
        // A job may be late to be shown.
        if asked < *since + DOUBT_GRACE {
            return false;
        }
        let evidence = vec![format!("the cloud does not know job {job} any more")];
        let (server, verdict) = (self.server_id(index), Verdict::Happened { job: None });
        let (deed, retry_at) = (Deed::Reinstall, None);
        self.record(draft, Event::Resolved { server, deed, verdict, evidence, retry_at });
        true
    }

    /// What the audit log said, without the job that the cloud forgot: there is nothing to ask it for.
    fn askable(&self, index: usize, traced: Option<&(Time, Traced)>) -> Option<(Time, Traced)> {
        let forgotten = self.facts.targets[index].forgotten.as_ref();
        traced.map(|(asked, said)| match said {
            Traced::Taken(Some(job)) if Some(job) == forgotten => (*asked, Traced::Taken(None)),
            Traced::Taken(_) | Traced::Absent | Traced::Refused(_) | Traced::Unreadable(_) => {
                (*asked, said.clone())
            }
        })
    }

    fn judge(&mut self, draft: &mut Draft, index: usize) {
        let State::Reinstalling(sent) = &self.facts.targets[index].state else { return };
        let (known, since) = match sent {
            Sent::InDoubt { since, look_at } => (None, (*since, *look_at)),
            Sent::Running { job: None, since } => (Some(()), (*since, *since + DOUBT_GRACE)),
            Sent::Submitting { .. } | Sent::Running { job: Some(_), .. } => return,
        };
        let look = &self.pending.looks[index];
        let traced = self.askable(index, look.traced.as_ref());
        let weighed = weigh(look.sight, traced.as_ref(), since.1);
        let evidence = vec![in_words(look.sight.map(|(_, sight)| sight), look.traced.as_ref())];
        let server = self.server_id(index);
        match weighed {
            Weighed::Happened(None) | Weighed::AtWork if known.is_some() => {}
            Weighed::Happened(job) => {
                self.is_watched(draft, server, Verdict::Happened { job }, evidence);
            }
            Weighed::AtWork => self.is_watched(draft, server, Verdict::AtWork, evidence),
            Weighed::Finished => {
                if known.is_none() {
                    let verdict = Verdict::Happened { job: None };
                    self.is_watched(draft, server.clone(), verdict, evidence);
                }
                let now = draft.now.at;
                let settle_until = now + self.treatment(index).wait.settle;
                let end = JobEnd::Succeeded { settle_until };
                let took = now.since(since.0);
                self.record(draft, Event::JobEnded { server, job: None, end, took });
            }
            // A server that was seen at work is not sent a second wipe: it may still be at it.
            Weighed::DidNot if known.is_none() => {
                self.did_not_happen(draft, index, evidence);
            }
            Weighed::DidNot | Weighed::Wait => {}
        }
    }
}

impl Engine {
    /// From here on its wipe is watched, and never sent again.
    fn is_watched(
        &mut self,
        draft: &mut Draft,
        server: ServerId,
        verdict: Verdict,
        evidence: Vec<String>,
    ) {
        let (deed, retry_at) = (Deed::Reinstall, None);
        self.record(draft, Event::Resolved { server, deed, verdict, evidence, retry_at });
    }

    /// A wipe in doubt did not happen. One that the cloud had refused is sent again as the policy for
    /// such refusals says, if at all.
    fn did_not_happen(&mut self, draft: &mut Draft, index: usize, evidence: Vec<String>) {
        let (server, deed, verdict) = (self.server_id(index), Deed::Reinstall, Verdict::DidNot);
        let refused = self.facts.targets[index].refused_as;
        let retry_at = refused.map(|class| self.again_after(draft.now.at, index, class));
        let why = evidence.join("; ");
        let event = Event::Resolved {
            server: server.clone(),
            deed,
            verdict,
            evidence,
            retry_at: retry_at.flatten(),
        };
        self.record(draft, event);
        if retry_at == Some(None) {
            let failure = failure::not_taken(deed, &why);
            self.end(draft, server, Ending::Failed, Some(failure));
        }
    }
}

/// The evidence for a person.
pub(super) fn in_words(sight: Option<Sight>, traced: Option<&(Time, Traced)>) -> String {
    let server = match sight {
        None => "the server was not seen yet",
        Some(Sight::Untouched) => "it is off with the old system disk, unchanged since before",
        Some(Sight::Changed) => {
            "the old system disk is in place, but the server runs or was changed since"
        }
        Some(Sight::AtWork) => {
            "the server is being worked on, or was left off with a new system disk"
        }
        Some(Sight::Done) => "a new system disk is in place and the server runs",
    };
    let log = match traced {
        None => "the audit log was not read yet".to_owned(),
        Some((_, Traced::Absent)) => "the audit log has no such call".to_owned(),
        Some((_, Traced::Taken(Some(job)))) => format!("the audit log has the call and job {job}"),
        Some((_, Traced::Taken(None))) => "the audit log has the call, without a job".to_owned(),
        Some((_, Traced::Refused(code))) => {
            format!("the audit log has the call, refused with {code}")
        }
        Some((_, Traced::Unreadable(why))) => format!("the audit log cannot be read ({why})"),
    };
    format!("{server}; {log}")
}

#[cfg(test)]
#[path = "doubt_tests.rs"]
mod tests;
