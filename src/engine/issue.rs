//! From wants to requests: folded into batches, paid for with tokens, changes before reads.

use crate::domain::{Action, CostClass, Deed, Event, Millis, Page, ServerId, StopMode, Time};

use super::core::{Draft, Engine};
use super::pending::{BySweep, Call, Purpose, Sweep, VolumeRead};
use super::state::State;

/// Servers on a page of a list: the most that the cloud gives (`errors-and-limits.md`, section 5).
pub(super) const PAGE: u32 = 1_000;

/// Two sweeps are at least so far apart for each page they have: what a second one would show is
/// hardly new, and a sweep of a large project is dear.
const SWEEP_GAP_PER_PAGE: Millis = Millis::secs(1);

/// With so many servers in flight, looks wait for each other and share a sweep. A server wants four
/// or five looks in the five minutes that it takes; sweeps cost a request a second, whatever the
/// size of the project. So this is where sweeps become the cheaper way.
const SWEPT_FROM: u32 = 60;

/// While tokens are short, one read goes out after so many changes: polls are never starved.
const CHANGES_PER_READ: u32 = 4;

/// A sweep that only watches reinstalls is worth its pages if it stands for so many looks a page.
pub(super) const WATCHED_PER_PAGE: u32 = 3;

/// A read that can be sent now.
enum Read {
    Survey,
    SweepPage,
    StartSweep,
    Look(usize),
    Job(usize),
    Trace(usize),
    Backups(usize),
    Password(usize),
    Volumes,
}

impl Engine {
    /// Sends what is ready, as far as tokens go.
    pub(super) fn issue(&mut self, draft: &mut Draft) {
        let now = draft.now.at;
        self.refresh(now);
        self.send_probes(draft);
        loop {
            self.refresh(now);
            let change = self.change_ready(now);
            let read = self.next_read(now);
            if !change && read.is_none() {
                break;
            }
            if !self.pending.bucket.take(now) {
                if change
                    && self.is_too_late_for_a_token(now)
                    && self.pending.bucket.take_ahead(now)
                {
                    let deed = self.next_deed();
                    self.send_change(draft, deed);
                    continue;
                }
                break;
            }
            match read {
                Some(read) if !change || self.pending.since_read >= CHANGES_PER_READ => {
                    self.pending.since_read = 0;
                    self.send_read(draft, &read);
                }
                Some(_) | None => {
                    self.pending.since_read += 1;
                    let deed = self.next_deed();
                    self.send_change(draft, deed);
                }
            }
        }
    }

    /// Whether a change can be sent. What rests on a look that grew too old meanwhile is looked at again
    /// first.
    fn change_ready(&mut self, now: Time) -> bool {
        while self.pending.ready.has_change() {
            let set = self.pending.ready.of(self.next_deed());
            let old: Vec<usize> = set
                .iter()
                .copied()
                .take_while(|index| self.cleared(*index, now).is_none())
                .collect();
            if old.is_empty() {
                return true;
            }
            self.pending.dirty.extend(old);
            self.refresh(now);
        }
        false
    }

    /// Whether the next token comes when the look that the next change rests on is too old for it.
    /// Where tokens are that rare, every change would wait for one until it had to be looked at again,
    /// and the look would take the token, for ever.
    fn is_too_late_for_a_token(&self, now: Time) -> bool {
        let next = self.pending.ready.of(self.next_deed()).first();
        let send_by = next.and_then(|index| self.send_by(*index, now));
        send_by.is_some_and(|by| self.pending.bucket.next_at(now) > by)
    }

    /// What is changed first.
    fn next_deed(&self) -> Deed {
        let ready = &self.pending.ready;
        if !ready.force_stop.is_empty() {
            Deed::ForceStop
        } else if !ready.stop.is_empty() {
            Deed::Stop
        } else if !ready.start.is_empty() {
            Deed::Start
        } else if !ready.reinstall.is_empty() {
            Deed::Reinstall
        } else {
            Deed::Backup
        }
    }

    fn send_change(&mut self, draft: &mut Draft, deed: Deed) {
        let now = draft.now.at;
        let set = self.pending.ready.of(deed);
        let most = match deed {
            Deed::Reinstall | Deed::Backup => 1,
            Deed::Stop | Deed::ForceStop | Deed::Start => self.plan.limits.stop_batch as usize,
        };
        let mut batch: Vec<usize> = set
            .iter()
            .copied()
            .filter(|index| most == 1 || !self.pending.single.contains(index))
            .filter(|index| self.cleared(*index, now).is_some())
            .take(most)
            .collect();
        if batch.is_empty() {
            batch.extend(set.first());
        }
        let servers: Vec<ServerId> = batch.iter().map(|index| self.server_id(*index)).collect();
        let call = self.facts.next_call();
        let action = self.action(deed, &servers, &batch);
        let wipes = deed == Deed::Reinstall;
        let compared = self.pending.looks[batch[0]].compared.clone().filter(|_| wipes);
        let before = compared.map(|(_, before)| before);
        let send_by = batch.iter().filter_map(|index| self.send_by(*index, now)).min();
        self.record(draft, Event::Intended { call, deed, servers: servers.clone(), before });
        let purpose = Purpose::Change { deed, servers };
        self.pending.calls.insert(call, Call { purpose, asked: draft.now.at });
        draft.turn.commands.push(crate::domain::Command { call, action, send_by });
    }

    fn action(&self, deed: Deed, servers: &[ServerId], batch: &[usize]) -> Action {
        let servers = servers.to_vec();
        match deed {
            Deed::Stop => Action::Stop { servers, mode: StopMode::Soft },
            Deed::ForceStop => Action::Stop { servers, mode: StopMode::Hard },
            Deed::Start => Action::Start { servers },
            Deed::Backup => self.backup_of(batch[0]),
            Deed::Reinstall => Action::Reinstall {
                server: self.server_id(batch[0]),
                request: Box::new(self.plan.targets[batch[0]].reinstall.clone()),
            },
        }
    }

    /// Pages of a list of all servers.
    pub(super) fn pages(&self) -> u32 {
        self.pending.total.div_ceil(PAGE).max(1)
    }

    fn next_read(&self, now: Time) -> Option<Read> {
        let pending = &self.pending;
        if let Some(preflight) = &pending.preflight
            && now >= preflight.not_before
            && !preflight.due.is_empty()
        {
            return Some(Read::Survey);
        }
        if now < pending.reads_at {
            return None;
        }
        if pending.sweep.as_ref().is_some_and(|sweep| !sweep.pages.is_empty()) {
            return Some(Read::SweepPage);
        }
        let looks = u32::try_from(pending.ready.look.len()).unwrap_or(u32::MAX);
        let in_flight: u32 = self.facts.fleets.iter().map(|fleet| fleet.in_flight).sum();
        let few = looks <= self.pages() && in_flight < SWEPT_FROM;
        let first = pending.ready.look.first().filter(|_| few);
        if let Some(index) = pending.ready.alone.first().or(first) {
            return Some(Read::Look(*index));
        }
        if (looks > 0 || self.watch_due(now)) && self.sweep_at() <= now {
            return Some(Read::StartSweep);
        }
        if let Some(index) = pending.ready.trace.first() {
            return Some(Read::Trace(*index));
        }
        if let Some(index) = pending.ready.job.first() {
            return Some(Read::Job(*index));
        }
        if let Some(index) = pending.ready.backups.first() {
            return Some(Read::Backups(*index));
        }
        // What is left of the probes costs a request: passwords.
        if let Some(index) = pending.ready.probe.first() {
            return Some(Read::Password(*index));
        }
        let idle = pending.volumes.as_ref().is_none_or(|read| read.next.is_some());
        let wanted = !pending.ready.volumes.is_empty() || pending.volumes.is_some();
        (idle && wanted).then_some(Read::Volumes)
    }

    fn watch_due(&self, now: Time) -> bool {
        self.is_watching() && self.pending.watch_at <= now
    }

    fn is_watching(&self) -> bool {
        self.facts.reinstalling > WATCHED_PER_PAGE * self.pages()
    }

    /// When the next sweep may begin; never while one is under way.
    fn sweep_at(&self) -> Time {
        match (&self.pending.sweep, self.pending.swept_at) {
            (Some(_), _) => Time(u64::MAX),
            (None, Some(at)) => at + Millis(SWEEP_GAP_PER_PAGE.0 * u64::from(self.pages())),
            (None, None) => Time(0),
        }
    }

    fn send_read(&mut self, draft: &mut Draft, read: &Read) {
        let now = draft.now.at;
        let (purpose, action) = match read {
            Read::Survey => {
                let Some(preflight) = &mut self.pending.preflight else { return };
                let Some(action) = preflight.due.pop() else { return };
                (Purpose::Survey(action.clone()), action)
            }
            Read::StartSweep => {
                self.start_sweep(now);
                return self.send_read(draft, &Read::SweepPage);
            }
            Read::SweepPage => {
                let Some(sweep) = &mut self.pending.sweep else { return };
                let Some(page) = sweep.pages.pop() else { return };
                sweep.asking += 1;
                (Purpose::Sweep { page: page.clone() }, Action::ListServers { page, limit: PAGE })
            }
            Read::Look(index) => {
                self.pending.looks[*index].asking.server = true;
                (Purpose::Look(*index), Action::ShowServer { server: self.server_id(*index) })
            }
            Read::Job(index) => {
                self.pending.looks[*index].asking.job = true;
                let State::Reinstalling(sent) = &self.facts.targets[*index].state else { return };
                let super::state::Sent::Running { job: Some(job), .. } = sent else { return };
                (Purpose::Job(*index), Action::ShowJob { job: job.clone() })
            }
            Read::Trace(index) => {
                self.pending.looks[*index].asking.trace = true;
                let since = self.traces_since(*index);
                let server = self.server_id(*index);
                (Purpose::Traces(*index), Action::ListTraces { server, since })
            }
            Read::Backups(index) => {
                self.pending.looks[*index].asking.backup = true;
                let server = Some(self.server_id(*index));
                let list = Action::ListBackups { server, offset: 0, limit: PAGE };
                (Purpose::Backups(*index), list)
            }
            Read::Password(index) => return self.send_probe(draft, *index),
            Read::Volumes => {
                let begins = VolumeRead { next: Some(0), ..VolumeRead::default() };
                let read = self.pending.volumes.get_or_insert(begins);
                // Only a read that begins now is as new as these servers want it; the others wait
                // for the next.
                if read.next == Some(0) {
                    for index in std::mem::take(&mut self.pending.ready.volumes) {
                        read.waiting.insert(index);
                        self.pending.looks[index].wants_volumes = false;
                    }
                }
                let Some(offset) = read.next.take() else { return };
                (Purpose::Volumes { offset }, Action::ListVolumes { offset, limit: PAGE })
            }
        };
        self.send(draft, purpose, action);
    }

    fn start_sweep(&mut self, now: Time) {
        let wanted: Vec<usize> = std::mem::take(&mut self.pending.ready.look).into_iter().collect();
        for index in &wanted {
            self.pending.looks[*index].asking.server = true;
            self.pending.looks[*index].by_sweep = BySweep::Awaited;
        }
        self.pending.sweep = Some(Sweep { pages: vec![Page::FIRST], wanted, ..Sweep::default() });
        self.pending.swept_at = Some(now);
        self.pending.watches += 1;
        let gap = Millis::secs(5 + 5 * u64::from(self.pending.watches.min(5)));
        self.pending.watch_at = now + gap;
    }

    pub(super) fn send(&mut self, draft: &mut Draft, purpose: Purpose, action: Action) {
        let call = self.pending.next_read();
        if let Some(index) = purpose.target() {
            self.pending.dirty.insert(index);
        }
        self.pending.calls.insert(call, Call { purpose, asked: draft.now.at });
        draft.turn.commands.push(crate::domain::Command { call, action, send_by: None });
    }

    /// Probes do not go to the cloud's API: they need no token.
    fn send_probes(&mut self, draft: &mut Draft) {
        let due: Vec<usize> = self.pending.ready.probe.iter().copied().collect();
        for index in due {
            match self.next_probe(index) {
                Some((_, action)) if action.cost_class() != CostClass::Free => {}
                Some(_) => self.send_probe(draft, index),
                // It waits for something else, which says when to look again.
                None => self.look_later(index, |look| look.probe_at = None),
            }
        }
    }

    fn send_probe(&mut self, draft: &mut Draft, index: usize) {
        self.pending.ready.probe.remove(&index);
        if let Some((check, action)) = self.next_probe(index) {
            self.pending.looks[index].asking.probe = true;
            *self.pending.looks[index].tries.entry(check).or_default() += 1;
            self.send(draft, Purpose::Probe { target: index, check }, action);
        }
    }

    /// When a request that is ready could be sent, for lack of a token or after trouble.
    pub(super) fn requests_wake_at(&self, now: Time) -> Option<Time> {
        let pending = &self.pending;
        let token = pending.bucket.next_at(now);
        let ready = &pending.ready;
        let change = ready.has_change();
        let survey = pending.preflight.as_ref().filter(|preflight| !preflight.due.is_empty());
        let sweep = pending.sweep.as_ref().is_some_and(|sweep| !sweep.pages.is_empty());
        let single = !(ready.job.is_empty()
            && ready.trace.is_empty()
            && ready.backups.is_empty()
            && ready.probe.is_empty()
            && ready.volumes.is_empty());
        let volumes = pending.volumes.as_ref().is_some_and(|read| read.next.is_some());
        let looks = !ready.look.is_empty() && pending.sweep.is_none();
        let watch = self.is_watching() && pending.sweep.is_none();
        [
            change.then_some(token),
            survey.map(|preflight| token.max(preflight.not_before)),
            (sweep || single || volumes).then(|| token.max(pending.reads_at)),
            looks.then(|| token.max(pending.reads_at).max(self.sweep_at())),
            watch.then(|| token.max(pending.reads_at).max(self.sweep_at()).max(pending.watch_at)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl Purpose {
    /// The one server that a read is about.
    fn target(&self) -> Option<usize> {
        match self {
            Self::Look(index) | Self::Job(index) | Self::Traces(index) | Self::Backups(index) => {
                Some(*index)
            }
            Self::Probe { target, .. } | Self::Own { target, .. } => Some(*target),
            Self::Change { .. } | Self::Survey(_) | Self::Sweep { .. } | Self::Volumes { .. } => {
                None
            }
        }
    }
}
