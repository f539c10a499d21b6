//! How long is waited, and what becomes of a server for which that was not enough.
//!
//! Nobody is given up unseen. When the time is over, looks are made for a while longer, and only
//! what they do not end is given up: a machine that slept over night, or a run that is resumed the
//! next morning, finds every deadline passed and every server where it should be.

use crate::domain::{Deed, Ending, Event, LeftOff, Millis, Time};
use crate::plan::Drift;
use crate::playbook::{Check, StepWord};

use super::core::{Draft, Engine};
use super::doubt::in_words;
use super::failure;
use super::state::{Power, Purpose, Sent, State};

/// When the time is over, looks are made for so much longer. More than the grace of a doubt.
const LAST_LOOKS: Millis = Millis::mins(3);

impl Engine {
    /// Until when the state that a server is in may last; `None`: for ever.
    fn deadline(&self, index: usize) -> Option<Time> {
        let look = &self.pending.looks[index];
        let target = &self.facts.targets[index];
        let wait = &self.treatment(index).wait;
        if self.waits_for_steps(index) {
            return None;
        }
        let from = match (&target.state, target.state.sent()) {
            (_, Some(Sent::Submitting { .. })) => return None,
            (State::Backup(sent), _) => return Some(sent.since() + self.backup_timeout(index)),
            (_, Some(sent)) => sent.since(),
            (State::Power(_, Power::Due(at)), None) => look.since.max(*at),
            _ if self.pending.owed.contains(&index) => look.since,
            (State::Settling { until }, None) => look.since.max(*until),
            (State::Verifying { since, .. }, None) => *since + self.longest_check(index),
            (State::Stopped { .. }, None) if !look.granted => return None,
            (State::Stopped { .. } | State::Validated { .. }, None) => look.since,
            (
                State::Pending { .. }
                | State::Ended
                | State::Power(..)
                | State::Reinstalling(_)
                | State::StepsLeft(_),
                None,
            ) => return None,
        };
        Some(from + wait.timeout)
    }

    fn backup_timeout(&self, index: usize) -> Millis {
        self.treatment(index).backup.as_ref().map_or(Millis(0), |backup| backup.timeout)
    }

    /// Whether a step of the playbook's own stands in the way: it has a timeout of its own.
    fn waits_for_steps(&self, index: usize) -> bool {
        let word = match &self.facts.targets[index].state {
            State::Power(Purpose::Stop, Power::Due(_)) => StepWord::Stop,
            State::Stopped { .. } | State::Validated { .. } => StepWord::Reinstall,
            State::Settling { .. } => StepWord::Wait,
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(..)
            | State::Reinstalling(_)
            | State::Verifying { .. }
            | State::StepsLeft(_)
            | State::Ended => return false,
        };
        !self.pending.owed.contains(&index) && !self.is_open(index, word)
    }

    /// When a server has to be thought about for having waited too long.
    pub(super) fn patience(&self, index: usize, now: Time) -> Option<Time> {
        let ends = match self.pending.looks[index].overdue {
            Some(at) => at + LAST_LOOKS,
            None => self.deadline(index)?,
        };
        Some(ends.max(now + Millis(1)))
    }

    fn longest_check(&self, index: usize) -> Millis {
        let checks = &self.treatment(index).verify;
        let longest = checks.iter().filter_map(Check::within).max().unwrap_or_default();
        let held = checks.iter().filter_map(|check| match check {
            Check::StableFor { time } => Some(time.0),
            Check::Fresh
            | Check::Unchanged
            | Check::Tcp { .. }
            | Check::Http { .. }
            | Check::Command { .. }
            | Check::Ssh(_)
            | Check::PasswordReady { .. } => None,
        });
        Millis(longest.0 + held.sum::<u64>())
    }

    /// What waited too long is looked at once more, and then ends.
    pub(super) fn expire(&mut self, draft: &mut Draft, index: usize) {
        let now = draft.now.at;
        if self.deadline(index).is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.pending.looks[index].overdue {
            None => self.look_later(index, |look| {
                look.overdue = Some(now);
                look.server_at = look.server_at.map(|_| now);
                look.job_at = look.job_at.map(|_| now);
                look.trace_at = look.trace_at.map(|_| now);
                look.backup_at = look.backup_at.map(|_| now);
            }),
            Some(at) if now < at + LAST_LOOKS => {}
            Some(_) => self.give_up_waiting(draft, index),
        }
    }

    fn give_up_waiting(&mut self, draft: &mut Draft, index: usize) {
        let server = self.server_id(index);
        let timeout = self.treatment(index).wait.timeout;
        let sent = self.facts.targets[index].state.sent().is_some();
        if !sent && self.was_not_answered(draft.now.at, index) {
            // Nobody answers: that says nothing about the server. It is waited for.
            return self.look_later(index, |look| {
                look.since = draft.now.at;
                look.overdue = None;
            });
        }
        let what = match &self.facts.targets[index].state {
            State::Power(Purpose::Return, _) => return self.not_back(draft, index, timeout),
            _ if !sent && self.pending.owed.contains(&index) => {
                return self.not_back(draft, index, timeout);
            }
            State::Reinstalling(sent) => {
                let look = &self.pending.looks[index];
                let seen = in_words(look.sight.map(|(_, sight)| sight), look.traced.as_ref());
                let waited = draft.now.at.since(sent.since());
                let evidence = vec![doubt_in_words(sent), seen, format!("waited {waited}")];
                return self.give_up(draft, index, Deed::Reinstall, evidence);
            }
            State::Backup(_) => {
                let failure = failure::backup_too_slow(self.backup_timeout(index));
                return self.end(draft, server, Ending::Failed, Some(failure));
            }
            State::Power(Purpose::Leave, _) => {
                let warning = format!("it did not stop within {timeout}, and is left running");
                let (ending, failure, warnings) = (Ending::Verified, None, vec![warning]);
                return self.record(draft, Event::Ended { server, ending, failure, warnings });
            }
            State::Power(Purpose::Stop, Power::Due(_)) if !self.facts.targets[index].touched => {
                let task = self.pending.looks[index].busy_with.clone().unwrap_or_default();
                let failure = self.drifted(index, &[Drift::Task(task)]);
                return self.end(draft, server, Ending::Drifted, Some(failure));
            }
            State::Power(Purpose::Stop, _) => "stop",
            State::Power(Purpose::Boot, _) => "start",
            State::Settling { .. } => "start after the settle time",
            State::Verifying { .. } => "checks",
            State::Stopped { .. } | State::Validated { .. } => "comparison before the wipe",
            State::Pending { .. } | State::StepsLeft(_) | State::Ended => return,
        };
        self.end(draft, server, Ending::Failed, Some(failure::timed_out(what, timeout)));
    }

    /// Whether no look at a server that is waited for was answered of late.
    fn was_not_answered(&self, now: Time, index: usize) -> bool {
        let waits_for_looks = match &self.facts.targets[index].state {
            State::Power(_, Power::Due(_)) | State::Stopped { .. } | State::Validated { .. } => {
                true
            }
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(..)
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. }
            | State::StepsLeft(_)
            | State::Ended => self.pending.owed.contains(&index),
        };
        let answered = self.pending.looks[index].answered;
        waits_for_looks && answered.is_none_or(|at| now.since(at) >= LAST_LOOKS)
    }

    fn not_back(&mut self, draft: &mut Draft, index: usize, timeout: Millis) {
        let server = self.server_id(index);
        let detail = format!("it was not seen running within {timeout}");
        self.record(draft, Event::NotStartedBack { server, detail, why: LeftOff::Failed });
    }
}

/// What is known of a request that is given up on.
fn doubt_in_words(sent: &Sent) -> String {
    match sent {
        Sent::Submitting { .. } | Sent::InDoubt { .. } => {
            "missing: whether the request arrived; neither its answer nor a trace of it was seen"
                .to_owned()
        }
        Sent::Running { job: Some(job), .. } => format!("missing: the end of job {job}"),
        Sent::Running { job: None, .. } => {
            "missing: the job id; the request arrived, and no end of it was seen".to_owned()
        }
    }
}
