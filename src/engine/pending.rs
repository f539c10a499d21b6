//! What the engine has in the air: requests, looks, timers, tokens. All of it may be forgotten at
//! any time; a resumed run begins with none of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Action, Before, CallId, Deed, FleetName, JobId, Millis, Page, PauseCause, ServerId, Time,
    Volume, VolumeId,
};
use crate::plan::{CheckedPlan, Survey};

use super::bucket::Bucket;
use super::doubt::Sight;
use super::facts::Facts;
use super::issue::{PAGE, WATCHED_PER_PAGE};
use super::outside::Holding;
use super::state::{Power, Sent, State};

/// Reads are numbered from here: far above every number that is journaled.
const FIRST_READ: u64 = 1 << 48;

/// The first look after a request was taken. A stop takes some seconds at best.
pub(super) const FIRST_LOOK: Millis = Millis::secs(3);

/// The first sweep after a reinstall was taken, if a sweep is cheaper than asking for each job.
const FIRST_WATCH: Millis = Millis::secs(5);

/// A reinstall takes one to two minutes, says the cloud (`errors-and-limits.md`, section 6).
const USUAL_REINSTALL: Millis = Millis::secs(75);

/// What a request in flight was sent for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// A change, to these servers.
    Change { deed: Deed, servers: Vec<ServerId> },
    /// A read of the preflight.
    Survey(Action),
    /// One page of a sweep.
    Sweep { page: Page },
    /// A look at one server.
    Look(usize),
    /// A look at a job.
    Job(usize),
    /// A look into the audit log.
    Traces(usize),
    /// A look at the backups of one server.
    Backups(usize),
    /// One page of volumes.
    Volumes { offset: u32 },
    /// A probe.
    Probe { target: usize, check: usize },
    /// A program of the playbook.
    Own { target: usize, step: usize, undo: bool },
}

/// A request in flight.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What for.
    pub(super) purpose: Purpose,
    /// When it was sent: what it shows is at least as new.
    pub(super) asked: Time,
}

/// What is known, or being asked, about one server; forgotten when its state changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// When its timer goes off; `None`: it waits for nothing.
    pub(super) timer: Option<Time>,
    /// Since when this state is watched by this process.
    pub(super) since: Time,
    /// It waited too long; last looks are made since then.
    pub(super) overdue: Option<Time>,
    /// The next look at the server itself.
    pub(super) server_at: Option<Time>,
    /// The next look at its job.
    pub(super) job_at: Option<Time>,
    /// The next look into the audit log.
    pub(super) trace_at: Option<Time>,
    /// The next look at its backups.
    pub(super) backup_at: Option<Time>,
    /// The next check from outside.
    pub(super) probe_at: Option<Time>,
    /// It waits for a list of volumes.
    pub(super) wants_volumes: bool,
    /// Looks in flight.
    pub(super) asking: Asking,
    /// Looks that showed nothing new: the next comes later.
    pub(super) looks: u32,
    /// Looks at the job that showed nothing new.
    pub(super) job_looks: u32,
    /// It has one of the slots for reinstalls.
    pub(super) granted: bool,
    /// What the comparison right before its wipe saw, and when that look was sent.
    pub(super) compared: Option<(Time, Before)>,
    /// What the records of the cloud say before a wipe, and when they were asked for: the requests
    /// that had replaced its system, none of them a stranger's.
    pub(super) records: Option<(Time, Vec<JobId>)>,
    /// The last look that its next touch may rest on: when it was sent, and the power that it showed.
    pub(super) cleared: Option<(Time, SeenPower)>,
    /// What the last look said of the power of a server that only waits for steps or checks.
    pub(super) power: Option<SeenPower>,
    /// After a look that did not clear it: the next one not before.
    pub(super) clear_at: Option<Time>,
    /// The task that keeps it from being stopped.
    pub(super) busy_with: Option<String>,
    /// When the last look at it was answered.
    pub(super) answered: Option<Time>,
    /// The job failed; whether the disk was wiped is being looked at.
    pub(super) failed_job: Option<FailedJob>,
    /// What a look said of a wipe in doubt, and when it was asked for.
    pub(super) sight: Option<(Time, Sight)>,
    /// What the audit log said, and when it was asked.
    pub(super) traced: Option<(Time, Traced)>,
    /// Checks that passed, by index.
    pub(super) passed: BTreeSet<usize>,
    /// Checks that have to hold for a while.
    pub(super) holding: Option<Holding>,
    /// How often each check from outside was made.
    pub(super) tries: BTreeMap<usize, u32>,
    /// The checks' own evidence: the new system disk, once seen.
    pub(super) volume: Option<VolumeId>,
    /// Lists of volumes in which that disk was missing.
    pub(super) unlisted: u32,
    /// What was odd.
    pub(super) warnings: Vec<String>,
    /// It is in some of the sets of what is ready.
    pub(super) is_ready: bool,
    /// What sweeps have to do with it.
    pub(super) by_sweep: BySweep,
}

/// What sweeps have to do with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BySweep {
    /// Nothing just now.
    #[default]
    Idle,
    /// It wants to be seen by the one that is under way, and was not yet.
    Awaited,
    /// One did not show it: ask for it alone.
    Missed,
}

/// Looks in flight.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent requests, each in flight or not")]
pub(super) struct Asking {
    pub(super) server: bool,
    pub(super) job: bool,
    pub(super) trace: bool,
    pub(super) backup: bool,
    pub(super) probe: bool,
}

/// What a look said of a server's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenPower {
    On,
    Off,
}

/// A reinstall job that failed.
#[derive(Clone, Debug)]
pub(super) struct FailedJob {
    pub(super) job: Option<JobId>,
    pub(super) code: String,
    pub(super) reason: Option<String>,
    pub(super) seen: Time,
}

/// What the audit log said of a reinstall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Traced {
    /// No such call.
    Absent,
    /// The call, and the job that its answer named.
    Taken(Option<JobId>),
    /// The call, and that it was refused with this HTTP status.
    Refused(u16),
    /// The log cannot be read.
    Unreadable(String),
}

/// A look at all servers of the project, page by page.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    /// Pages that are still to be asked for.
    pub(super) pages: Vec<Page>,
    /// Servers on the pages so far.
    pub(super) shown: u32,
    /// Pages in flight.
    pub(super) asking: u32,
    /// Servers that want to be seen.
    pub(super) wanted: Vec<usize>,
    /// The total is known, and with it the number of pages.
    pub(super) counted: bool,
}

/// A read of all volumes, page by page.
#[derive(Clone, Debug, Default)]
pub(super) struct VolumeRead {
    /// Volumes so far.
    pub(super) found: BTreeMap<VolumeId, Volume>,
    /// Servers that wait for it.
    pub(super) waiting: BTreeSet<usize>,
    /// The next page; `None` while one is in flight.
    pub(super) next: Option<u32>,
}

/// Servers that want something now, by what they want. Kept up to date server by server, so that
/// nothing is scanned.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    pub(super) stop: BTreeSet<usize>,
    pub(super) force_stop: BTreeSet<usize>,
    pub(super) start: BTreeSet<usize>,
    pub(super) backup: BTreeSet<usize>,
    pub(super) reinstall: BTreeSet<usize>,
    /// Those whose backups are to be looked at.
    pub(super) backups: BTreeSet<usize>,
    pub(super) look: BTreeSet<usize>,
    /// Those of `look` that a sweep did not show.
    pub(super) alone: BTreeSet<usize>,
    pub(super) job: BTreeSet<usize>,
    pub(super) trace: BTreeSet<usize>,
    pub(super) probe: BTreeSet<usize>,
    pub(super) volumes: BTreeSet<usize>,
}

impl Ready {
    /// Whether somebody wants a change.
    pub(super) fn has_change(&self) -> bool {
        let sets = [&self.stop, &self.force_stop, &self.start, &self.backup, &self.reinstall];
        sets.iter().any(|set| !set.is_empty())
    }

    /// Those that want this change.
    pub(super) fn of(&self, deed: Deed) -> &BTreeSet<usize> {
        match deed {
            Deed::ForceStop => &self.force_stop,
            Deed::Stop => &self.stop,
            Deed::Start => &self.start,
            Deed::Backup => &self.backup,
            Deed::Reinstall => &self.reinstall,
        }
    }

    /// Forgets what one server wanted.
    pub(super) fn remove(&mut self, target: usize) {
        for set in [
            &mut self.stop,
            &mut self.force_stop,
            &mut self.start,
            &mut self.backup,
            &mut self.reinstall,
            &mut self.backups,
            &mut self.look,
            &mut self.alone,
            &mut self.job,
            &mut self.trace,
            &mut self.probe,
            &mut self.volumes,
        ] {
            set.remove(&target);
        }
    }
}

/// The preflight of a run.
#[derive(Debug)]
pub(super) struct Preflight {
    /// What to read, and what was read.
    pub(super) survey: Survey<'static>,
    /// Reads that are due.
    pub(super) due: Vec<Action>,
    /// After trouble: not before.
    pub(super) not_before: Time,
    /// Troubles in a row.
    pub(super) troubles: u32,
    /// What it is for.
    pub(super) scope: Scope,
}

/// What a preflight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole plan, before the first stop.
    Run,
    /// What a resumed run has not begun.
    Resumed,
    /// The next wave of that fleet.
    Wave(usize),
}

/// Everything in the air.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) calls: BTreeMap<CallId, Call>,
    /// Reads have numbers of their own, above all that are journaled.
    pub(super) next_read: u64,
    pub(super) bucket: Bucket,
    pub(super) looks: Vec<Look>,
    pub(super) ready: Ready,
    pub(super) timers: BTreeSet<(Time, usize)>,
    pub(super) dirty: BTreeSet<usize>,
    /// Servers that may start, by fleet; not before then.
    pub(super) startable: Vec<BTreeSet<usize>>,
    /// The cloud does not accept us any more: nothing is sent, and the run pauses for this reason
    /// once nothing is in flight.
    pub(super) shut_out: Option<PauseCause>,
    /// Servers of a fleet's open wave that have not ended.
    pub(super) unended: Vec<BTreeSet<usize>>,
    /// Stopped servers that wait for a slot.
    pub(super) waiting: BTreeSet<usize>,
    /// Servers that are to be stopped next, and whose playbook skips that.
    pub(super) skipping: BTreeSet<usize>,
    /// Slots that are granted, and not yet held by a state.
    pub(super) granted: u32,
    /// The same for each availability zone.
    pub(super) granted_in: BTreeMap<usize, u32>,
    pub(super) sweep: Option<Sweep>,
    pub(super) swept_at: Option<Time>,
    /// Servers of the project, when it was last counted.
    pub(super) total: u32,
    /// While reinstalls run: the next sweep that tells of them all.
    pub(super) watch_at: Time,
    pub(super) watches: u32,
    pub(super) volumes: Option<VolumeRead>,
    pub(super) preflight: Option<Preflight>,
    /// The wave of each fleet that was looked at last, and when.
    pub(super) looked: Vec<Option<(usize, Time)>>,
    /// Reinstalls that the quota had room for at that look.
    pub(super) room: Option<u32>,
    /// After trouble with reads: not before.
    pub(super) reads_at: Time,
    pub(super) read_troubles: u32,
    /// Mutating requests since the last read, while tokens are short.
    pub(super) since_read: u32,
    /// Servers whose batch was refused: sent alone.
    pub(super) single: BTreeSet<usize>,
    /// Servers that are owed a start back, or that are being started back.
    pub(super) owed: BTreeSet<usize>,
    /// Servers that ended, or that the end of the run finds under way: to be asked what they are owed.
    pub(super) to_return: BTreeSet<usize>,
    /// Servers whose own steps are to be thought about.
    pub(super) stepping: BTreeSet<usize>,
    /// Servers that a program is to be started for, once fewer of them run.
    pub(super) to_run: BTreeSet<usize>,
}

impl Pending {
    /// Nothing in the air, and a full bucket.
    pub(super) fn new(plan: &CheckedPlan) -> Self {
        let fleets = plan.fleets.len();
        Self {
            calls: BTreeMap::new(),
            next_read: FIRST_READ,
            bucket: Bucket::full(plan.limits.api),
            looks: vec![Look::default(); plan.targets.len()],
            ready: Ready::default(),
            timers: BTreeSet::new(),
            dirty: BTreeSet::new(),
            startable: vec![BTreeSet::new(); fleets],
            shut_out: None,
            unended: vec![BTreeSet::new(); fleets],
            waiting: BTreeSet::new(),
            skipping: BTreeSet::new(),
            granted: 0,
            granted_in: BTreeMap::new(),
            sweep: None,
            swept_at: None,
            total: u32::try_from(plan.targets.len()).unwrap_or(u32::MAX),
            watch_at: Time(0),
            watches: 0,
            volumes: None,
            preflight: None,
            looked: vec![None; fleets],
            room: None,
            reads_at: Time(0),
            read_troubles: 0,
            since_read: 0,
            single: BTreeSet::new(),
            owed: BTreeSet::new(),
            to_return: BTreeSet::new(),
            stepping: BTreeSet::new(),
            to_run: BTreeSet::new(),
        }
    }

    /// What follows from the facts of a run that is taken over.
    pub(super) fn rebuild(plan: &CheckedPlan, facts: &Facts) -> Self {
        let mut pending = Self::new(plan);
        pending.bucket = Bucket::empty(plan.limits.api, facts.per_minute, facts.last);
        for (name, fleet) in plan.fleets.keys().zip(&facts.fleets).filter(|(_, fleet)| fleet.open) {
            let wave = u32::try_from(fleet.wave).unwrap_or(u32::MAX);
            pending.open_wave(plan, facts, name, wave);
            for index in &fleet.stand_ins {
                pending.join_wave(facts, *index);
            }
        }
        for index in 0..facts.targets.len() {
            pending.target_changed(plan, facts, index, facts.last);
        }
        if facts.closing.is_some() {
            pending.begin_closing(facts);
        }
        pending
    }

    /// The servers of a wave may start.
    pub(super) fn open_wave(
        &mut self,
        plan: &CheckedPlan,
        facts: &Facts,
        fleet: &FleetName,
        wave: u32,
    ) {
        let Some((at, _, planned)) = plan.fleets.get_full(fleet) else { return };
        let Some(wave) = planned.waves.get(wave as usize) else { return };
        debug_assert!(at < self.unended.len(), "every fleet has a set");
        for index in wave.servers.iter().filter_map(|server| plan.targets.get_index_of(server)) {
            self.join_wave(facts, index);
        }
    }

    /// A server belongs to the open wave of its fleet.
    pub(super) fn join_wave(&mut self, facts: &Facts, index: usize) {
        let target = &facts.targets[index];
        if target.ending.is_none() {
            self.unended[target.fleet].insert(index);
            if matches!(target.state, State::Pending { .. }) {
                self.startable[target.fleet].insert(index);
                self.dirty.insert(index);
            }
        }
    }

    /// Nothing new starts: what was taken is given back.
    pub(super) fn begin_closing(&mut self, facts: &Facts) {
        for set in &mut self.startable {
            set.clear();
        }
        for (index, target) in facts.targets.iter().enumerate() {
            self.looks[index].power = None;
            if target.state.is_in_flight() || target.is_owed_back() {
                self.to_return.insert(index);
                self.dirty.insert(index);
            }
            if !target.own.is_empty() {
                self.stepping.insert(index);
            }
        }
    }

    /// A server's state changed: what was known or asked about it is forgotten.
    pub(super) fn target_changed(
        &mut self,
        plan: &CheckedPlan,
        facts: &Facts,
        index: usize,
        at: Time,
    ) {
        let target = &facts.targets[index];
        let old = std::mem::take(&mut self.looks[index]);
        if let Some(timer) = old.timer {
            self.timers.remove(&(timer, index));
        }
        if old.granted {
            self.granted -= 1;
            *self.granted_in.entry(target.zone).or_default() -= 1;
        }
        let look = &mut self.looks[index];
        look.since = at;
        look.is_ready = old.is_ready;
        match &target.state {
            State::StepsLeft(_) => {
                look.power = old.power;
                look.warnings = old.warnings;
            }
            State::Ended => look.warnings = Vec::new(),
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(_, _)
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. } => {}
        }
        // Where many run at once, a sweep tells which of them are done; a look at the job is then
        // only for those that it never tells of, since they failed. Where few run, the job is
        // looked at when it should be done, and early while nothing is learnt.
        let few = facts.reinstalling <= WATCHED_PER_PAGE * self.total.div_ceil(PAGE).max(1);
        let usual = match (few, facts.usual_duration()) {
            (true, learnt) => learnt.unwrap_or(FIRST_WATCH),
            (false, learnt) => Millis(2 * learnt.unwrap_or_default().max(USUAL_REINSTALL).0),
        };
        look.schedule(&target.state, at, usual);
        self.index(plan, facts, index);
        self.dirty.insert(index);
    }

    /// A step of the playbook's own began or ended: what waited for it has waited long enough.
    pub(super) fn step_changed(
        &mut self,
        plan: &CheckedPlan,
        facts: &Facts,
        index: usize,
        at: Time,
    ) {
        let look = &mut self.looks[index];
        look.since = look.since.max(at);
        look.overdue = None;
        self.index(plan, facts, index);
        self.dirty.insert(index);
    }

    fn index(&mut self, plan: &CheckedPlan, facts: &Facts, index: usize) {
        let target = &facts.targets[index];
        if !target.own.is_empty() {
            self.stepping.insert(index);
        }
        let fleet = target.fleet;
        if target.ending.is_some() {
            self.unended[fleet].remove(&index);
        }
        let startable = matches!(target.state, State::Pending { .. })
            && facts.closing.is_none()
            && self.unended[fleet].contains(&index);
        put(&mut self.startable[fleet], index, startable);
        put(&mut self.waiting, index, matches!(target.state, State::Stopped { .. }));
        let stops_next = target.state.is_stop_due() && facts.closing.is_none();
        put(&mut self.skipping, index, stops_next && plan.stop_of(index).skip);
        let ends = facts.closing.is_some() || target.ending.is_some();
        let open =
            target.is_owed_back() || (facts.closing.is_some() && target.state.is_in_flight());
        put(&mut self.to_return, index, ends && open && !self.owed.contains(&index));
        if !ends || !target.is_owed_back() {
            self.owed.remove(&index);
        }
        if matches!(target.state, State::Reinstalling(Sent::Running { .. })) {
            self.watch_at = self.watch_at.min(facts.last + FIRST_WATCH).max(facts.last);
            self.watches = 0;
        }
        debug_assert!(fleet < plan.fleets.len(), "every server has a fleet");
    }

    /// A server is thought about again then.
    pub(super) fn set_timer(&mut self, index: usize, timer: Option<Time>) {
        let before = std::mem::replace(&mut self.looks[index].timer, timer);
        if before == timer {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&(before, index));
        }
        if let Some(timer) = timer {
            self.timers.insert((timer, index));
        }
    }

    /// Gives a slot for a reinstall to a server that is off.
    pub(super) fn grant(&mut self, (index, zone): (usize, usize), now: Time) {
        self.waiting.remove(&index);
        *self.granted_in.entry(zone).or_default() += 1;
        self.looks[index].granted = true;
        self.looks[index].since = now;
        self.looks[index].trace_at = Some(now);
        self.granted += 1;
        self.dirty.insert(index);
    }

    /// A server is owed a start back from now on.
    pub(super) fn owe(&mut self, index: usize, now: Time) {
        self.owed.insert(index);
        self.looks[index].overdue = None;
        if now > self.looks[index].since {
            self.looks[index].since = now;
        }
        self.dirty.insert(index);
    }

    /// The number of the next read.
    pub(super) fn next_read(&mut self) -> CallId {
        self.next_read += 1;
        CallId(self.next_read)
    }
}

impl Look {
    /// When to look first, in a state that has just begun.
    fn schedule(&mut self, state: &State, at: Time, usual: Millis) {
        match state {
            State::Power(_, Power::Sent(Sent::Running { .. } | Sent::InDoubt { .. })) => {
                self.server_at = Some(at + FIRST_LOOK);
            }
            State::Reinstalling(Sent::InDoubt { .. } | Sent::Running { job: None, .. }) => {
                self.server_at = Some(at + FIRST_LOOK);
                self.trace_at = Some(at + FIRST_LOOK);
            }
            State::Reinstalling(Sent::Running { job: Some(_), since }) => {
                let usual = usual.max(FIRST_LOOK);
                self.job_at = Some((*since + usual).max(at));
            }
            State::Backup(Sent::InDoubt { .. } | Sent::Running { .. }) => {
                self.backup_at = Some(at + FIRST_LOOK);
            }
            State::Settling { until } => self.server_at = Some(*until),
            State::Verifying { not_before, .. } => self.server_at = Some(*not_before),
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(_, _)
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Reinstalling(_)
            | State::StepsLeft(_)
            | State::Ended => self.server_at = Some(at),
        }
    }
}

fn put(set: &mut BTreeSet<usize>, index: usize, wanted: bool) {
    if wanted {
        set.insert(index);
    } else {
        set.remove(&index);
    }
}
