//! What each server calls for in the state it is in: level-triggered, so that a resumed run needs
//! no special code. What has just happened plays no part.

use crate::domain::{Ahead, Deed, Millis, Time};
use crate::playbook::StepWord;

use super::core::{Draft, Engine};
use super::pending::{BySweep, Look, SeenPower};
use super::state::{Power, Purpose, Sent, State};

/// A wipe is sent at most so long after the look that compared the server with its plan
/// (`safety.md`, S13).
pub(super) const FENCE: Millis = Millis::secs(10);

/// What a server wants, each with the moment from which on it wants it.
#[derive(Clone, Debug, Default)]
struct Wants {
    change: Option<(Deed, Time)>,
    server: Option<Time>,
    job: Option<Time>,
    trace: Option<Time>,
    backup: Option<Time>,
    probe: Option<Time>,
    volumes: bool,
    /// Nothing, but it has to be thought about again then.
    again: Option<Time>,
}

impl Engine {
    /// Brings the sets of what is ready in line with the servers that changed.
    pub(super) fn refresh(&mut self, now: Time) {
        while let Some(index) = self.pending.dirty.pop_first() {
            let mut wants = self.wants(index, now);
            if self.step_waits_for_look(index, now) && wants.server.is_none_or(|at| at > now) {
                wants.server = Some(self.pending.looks[index].clear_at.unwrap_or(now));
            }
            let patience = self.patience(index, now);
            wants.again = wants.again.filter(|at| *at > now).into_iter().chain(patience).min();
            self.register(index, now, &wants);
        }
    }

    fn register(&mut self, index: usize, now: Time, wants: &Wants) {
        let pending = &mut self.pending;
        if std::mem::take(&mut pending.looks[index].is_ready) {
            pending.ready.remove(index);
        }
        let asking = pending.looks[index].asking;
        let mut timer = wants.again;
        let mut due = |at: Option<Time>, busy: bool| match at {
            Some(at) if at <= now => !busy,
            Some(at) => {
                timer = Some(timer.map_or(at, |timer| timer.min(at)));
                false
            }
            None => false,
        };
        let ready = &mut pending.ready;
        let mut is_ready = wants.volumes;
        if due(wants.server, asking.server) {
            is_ready = true;
            ready.look.insert(index);
            if pending.looks[index].by_sweep == BySweep::Missed {
                ready.alone.insert(index);
            }
        }
        if due(wants.job, asking.job) {
            is_ready |= ready.job.insert(index);
        }
        if due(wants.trace, asking.trace) {
            is_ready |= ready.trace.insert(index);
        }
        if due(wants.backup, asking.backup) {
            is_ready |= ready.backups.insert(index);
        }
        if due(wants.probe, asking.probe) {
            is_ready |= ready.probe.insert(index);
        }
        if wants.volumes {
            ready.volumes.insert(index);
        }
        if let Some((deed, at)) = wants.change
            && due(Some(at), false)
        {
            is_ready |= match deed {
                Deed::Stop => ready.stop.insert(index),
                Deed::ForceStop => ready.force_stop.insert(index),
                Deed::Start => ready.start.insert(index),
                Deed::Backup => ready.backup.insert(index),
                Deed::Reinstall => ready.reinstall.insert(index),
            };
        }
        pending.looks[index].is_ready = is_ready;
        pending.set_timer(index, timer);
    }

    fn wants(&self, index: usize, now: Time) -> Wants {
        let look = &self.pending.looks[index];
        let closing = self.facts.closing.is_some();
        let target = &self.facts.targets[index];
        if self.pending.owed.contains(&index) {
            return self.wants_back(index, look, now);
        }
        match &target.state {
            State::Pending { not_before } => Wants { again: Some(*not_before), ..Wants::default() },
            State::Power(Purpose::Stop, Power::Due(at))
                if !closing && self.wants_backup(index) && self.is_open(index, StepWord::Stop) =>
            {
                if self.cleared(index, now).is_some() {
                    self.touches(index, (Deed::Backup, *at), now)
                } else {
                    Wants { server: look.server_at.map(|due| due.max(*at)), ..Wants::default() }
                }
            }
            State::Backup(Sent::InDoubt { .. } | Sent::Running { .. }) if !closing => {
                Wants { backup: look.backup_at, ..Wants::default() }
            }
            State::Power(Purpose::Stop, Power::Due(at)) if !closing && self.stop_is_next(index) => {
                self.wants_stop(index, look, (*at, now))
            }
            State::Power(_, Power::Sent(sent)) => self.wants_power(index, look, sent, now),
            State::Power(Purpose::Leave, Power::Due(at)) => {
                if self.cleared_power(index, now) == Some(SeenPower::On) {
                    self.touches(index, (self.stop_deed(index), *at), now)
                } else {
                    Wants { server: look.server_at.map(|due| due.max(*at)), ..Wants::default() }
                }
            }
            State::Stopped { not_before, .. } if !closing => Wants {
                server: (look.granted && !self.has_compared(index, now))
                    .then_some(look.server_at.unwrap_or(*not_before)),
                trace: self.wants_records(index, look, now),
                again: Some(*not_before),
                ..Wants::default()
            },
            State::Validated { seen } if !closing && self.is_open(index, StepWord::Reinstall) => {
                self.wants_wipe(index, look, (*seen, now))
            }
            State::Reinstalling(sent) => Self::wants_watch(look, sent),
            State::Settling { until } if self.is_open(index, StepWord::Wait) => {
                self.wants_settled(index, look, (*until, now))
            }
            State::StepsLeft(Ahead::End) if self.all_steps_done(index) => {
                Wants { server: look.server_at, ..Wants::default() }
            }
            State::Verifying { .. } => Wants {
                server: look.server_at,
                probe: look.probe_at,
                volumes: look.wants_volumes,
                ..Wants::default()
            },
            State::Power(_, Power::Due(_))
            | State::Backup(_)
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Settling { .. }
            | State::StepsLeft(_)
            | State::Ended => Wants::default(),
        }
    }

    /// Whether it has to be backed up before it is stopped.
    pub(super) fn wants_backup(&self, index: usize) -> bool {
        #[cfg(test)]
        if self.skips_backups() {
            return false;
        }
        self.treatment(index).backup.is_some() && !self.facts.targets[index].backed_up
    }

    /// Whether nothing comes before its stop any more: no backup, and no step of the playbook's own.
    pub(super) fn stop_is_next(&self, index: usize) -> bool {
        !self.wants_backup(index) && self.is_open(index, StepWord::Stop)
    }

    /// A change that rests on the look that cleared the server, for as long as that is young enough.
    fn touches(&self, index: usize, change: (Deed, Time), now: Time) -> Wants {
        let again = self.send_by(index, now).map(|by| by + Millis(1));
        Wants { change: Some(change), again, ..Wants::default() }
    }

    fn wants_stop(&self, index: usize, look: &Look, (at, now): (Time, Time)) -> Wants {
        match self.cleared_power(index, now) {
            // What stopping a stopped server does is not documented: look first.
            None | Some(SeenPower::Off) => {
                Wants { server: look.server_at.map(|due| due.max(at)), ..Wants::default() }
            }
            Some(SeenPower::On) if self.wants_host_key(index) => {
                Wants { probe: Some(look.probe_at.unwrap_or(at).max(at)), ..Wants::default() }
            }
            Some(SeenPower::On) if self.treatment(index).stop.skip => Wants::default(),
            Some(SeenPower::On) => self.touches(index, (self.stop_deed(index), at), now),
        }
    }

    /// The records of the cloud, where a wipe needs them and they were not read just now. They are
    /// read beside the look at the server and not after it: on a slow cloud one would grow old while
    /// the other is waited for.
    fn wants_records(&self, index: usize, look: &Look, now: Time) -> Option<Time> {
        let wanted = look.granted && self.needs_records() && !self.has_records(index, now);
        wanted.then(|| look.trace_at.unwrap_or(now))
    }

    fn stop_deed(&self, index: usize) -> Deed {
        Deed::stop(self.treatment(index).stop.mode)
    }

    fn wants_power(&self, index: usize, look: &Look, sent: &Sent, now: Time) -> Wants {
        let force = self.treatment(index).stop.force_after.map(|after| sent.since() + after);
        let is_due = self.is_force_due(index, now);
        match sent {
            Sent::Submitting { .. } => Wants::default(),
            Sent::Running { .. } if is_due && self.cleared(index, now).is_some() => {
                Wants { server: look.server_at, ..self.touches(index, (Deed::ForceStop, now), now) }
            }
            Sent::Running { .. } if is_due => {
                let retry = look.clear_at.unwrap_or(now);
                Wants { server: look.server_at.map(|at| at.min(retry)), ..Wants::default() }
            }
            Sent::InDoubt { .. } => Wants { server: look.server_at, ..Wants::default() },
            Sent::Running { .. } => {
                let again = force.filter(|at| *at > now);
                Wants { server: look.server_at, again, ..Wants::default() }
            }
        }
    }

    fn wants_wipe(&self, index: usize, look: &Look, (seen, now): (Time, Time)) -> Wants {
        if now.since(seen) <= FENCE {
            return self.touches(index, (Deed::Reinstall, seen), now);
        }
        let trace = (self.needs_records() && !self.has_records(index, now))
            .then(|| look.trace_at.unwrap_or(now));
        Wants { server: look.server_at, trace, ..Wants::default() }
    }

    fn wants_watch(look: &Look, sent: &Sent) -> Wants {
        match sent {
            Sent::Submitting { .. } => Wants::default(),
            Sent::Running { job: Some(_), .. } if look.failed_job.is_none() => {
                Wants { job: look.job_at, ..Wants::default() }
            }
            Sent::Running { job: Some(_), .. } => {
                Wants { server: look.server_at, ..Wants::default() }
            }
            Sent::InDoubt { .. } | Sent::Running { job: None, .. } => {
                Wants { server: look.server_at, trace: look.trace_at, ..Wants::default() }
            }
        }
    }

    fn wants_settled(&self, index: usize, look: &Look, (until, now): (Time, Time)) -> Wants {
        if self.cleared_power(index, now) == Some(SeenPower::Off) {
            self.touches(index, (Deed::Start, until), now)
        } else {
            Wants { server: look.server_at, ..Wants::default() }
        }
    }

    /// A server that is owed to its users: look, then start it, if the playbook wants that.
    fn wants_back(&self, index: usize, look: &Look, now: Time) -> Wants {
        let due = match &self.facts.targets[index].state {
            State::Power(Purpose::Return, Power::Due(at)) => *at,
            State::Power(_, Power::Sent(sent)) => return self.wants_power(index, look, sent, now),
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(_, Power::Due(_))
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. }
            | State::StepsLeft(_)
            | State::Ended => Time(0),
        };
        if self.cleared_power(index, now) == Some(SeenPower::Off)
            && self.treatment(index).start_back
        {
            self.touches(index, (Deed::Start, due), now)
        } else {
            Wants { server: look.server_at.map(|at| at.max(due)), ..Wants::default() }
        }
    }

    /// Timers that have come: what waited too long ends, the rest is thought about again.
    pub(super) fn fire_timers(&mut self, draft: &mut Draft) {
        let now = draft.now.at;
        while let Some((at, index)) = self.pending.timers.first().copied() {
            if at > now {
                break;
            }
            self.pending.timers.pop_first();
            self.pending.looks[index].timer = None;
            self.pending.dirty.insert(index);
            self.expire(draft, index);
        }
    }

    /// When there is something to do again.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        let pending = &self.pending;
        let timer = pending.timers.first().map(|(at, _)| *at);
        let waves = (0..self.facts.fleets.len()).filter_map(|fleet| {
            let facts = &self.facts.fleets[fleet];
            (self.facts.closing.is_none() && !facts.open && facts.next_at > now)
                .then_some(facts.next_at)
        });
        let finished = self.is_finished();
        timer
            .into_iter()
            .chain(waves)
            .chain(self.requests_wake_at(now))
            .min()
            .filter(|_| !finished)
            .map(|at| at.max(now + Millis(1)))
    }
}
