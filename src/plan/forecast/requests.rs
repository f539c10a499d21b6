//! What is asked for when: changes before reads, batches of stops, looks that share a sweep.

use std::collections::{BTreeSet, VecDeque};

use crate::domain::{Millis, Time};

use super::course::{Course, Happening};
use super::servers::{FIRST_WATCH, Stage, backup_length, stop_length, wipe_length};

/// A wipe is sent at most so long after the comparison.
const FENCE: Millis = Millis::secs(10);
/// Between two sweeps, for each page.
const SWEEP_GAP: Millis = Millis::secs(1);
/// With so many servers in flight, looks share a sweep.
const SWEPT_FROM: u32 = 60;
/// While tokens are short, one read goes out after so many changes.
const CHANGES_PER_READ: u32 = 4;
/// A sweep that only watches reinstalls is worth its pages if it stands for so many looks a page.
const WATCHED_PER_PAGE: u32 = 3;

/// A request on its way.
#[derive(Debug)]
pub(super) enum Request {
    Stop(Vec<usize>),
    Backup(usize),
    Backups(usize),
    Wipe(usize),
    Survey,
    Sweep(u32),
    Look(usize),
    Job(usize),
    Disks,
    Probe(usize),
}

/// Servers that want something now, by what they want.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) stop: BTreeSet<usize>,
    pub(super) force: BTreeSet<usize>,
    pub(super) backup: BTreeSet<usize>,
    pub(super) backups: BTreeSet<usize>,
    pub(super) wipe: BTreeSet<usize>,
    pub(super) look: BTreeSet<usize>,
    pub(super) job: BTreeSet<usize>,
    pub(super) password: BTreeSet<usize>,
    pub(super) disks: BTreeSet<usize>,
}

impl Ready {
    pub(super) fn remove(&mut self, target: usize) {
        for set in [
            &mut self.stop,
            &mut self.force,
            &mut self.backup,
            &mut self.backups,
            &mut self.wipe,
            &mut self.look,
            &mut self.job,
            &mut self.password,
            &mut self.disks,
        ] {
            set.remove(&target);
        }
    }

    fn has_change(&self) -> bool {
        [&self.stop, &self.force, &self.backup, &self.wipe].iter().any(|set| !set.is_empty())
    }
}

/// A reading in stages: the preflight, or the look before a wave of that fleet.
#[derive(Debug)]
struct Survey {
    fleet: Option<usize>,
    due: u32,
    open: u32,
    later: VecDeque<u32>,
}

/// Reads of more than one server.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) preflight_passed: bool,
    survey: Option<Survey>,
    sweep: Option<Sweep>,
    swept_at: Option<Time>,
    watch_at: Time,
    watches: u64,
    disks: Option<DiskRead>,
    since_read: u32,
    answers: u64,
}

#[derive(Debug)]
struct Sweep {
    pages: Vec<u32>,
    asking: u32,
    counted: bool,
}

/// A read of all disks, page by page.
#[derive(Debug, Default)]
struct DiskRead {
    waiting: BTreeSet<usize>,
    read: u32,
    asking: bool,
}

enum Read {
    Survey,
    SweepPage,
    StartSweep,
    Look(usize),
    Job(usize),
    Backups(usize),
    Password(usize),
    Disks,
}

impl Course<'_> {
    pub(super) fn begin_preflight(&mut self) {
        let mut later: VecDeque<u32> = self.reading.preflight.iter().copied().collect();
        let due = later.pop_front().unwrap_or(0);
        self.reads.survey = Some(Survey { fleet: None, due, open: 0, later });
    }

    /// One look at a time; another fleet's waits.
    pub(super) fn begin_wave_look(&mut self, fleet: usize, requests: u32) {
        if self.reads.survey.is_none() {
            let later = VecDeque::new();
            self.reads.survey = Some(Survey { fleet: Some(fleet), due: requests, open: 0, later });
        }
    }

    /// Sends what is ready, as far as tokens go.
    pub(super) fn issue(&mut self) {
        loop {
            let change = self.change_ready();
            let read = self.next_read();
            if !change && read.is_none() {
                break;
            }
            if !self.bucket.take(self.now) {
                if self.is_wipe_too_late() && self.bucket.take_ahead(self.now) {
                    self.send_wipe();
                    continue;
                }
                let next = self.bucket.next_at(self.now);
                self.starved = Millis(self.starved.0 + next.since(self.now).0);
                break;
            }
            match read {
                Some(read) if !change || self.reads.since_read >= CHANGES_PER_READ => {
                    self.reads.since_read = 0;
                    self.send_read(&read);
                }
                Some(_) | None => {
                    self.reads.since_read += 1;
                    self.send_change();
                }
            }
        }
        if let Some(at) = self.requests_wake_at() {
            self.wake(at.max(self.now + Millis(1)));
        }
    }

    fn change_ready(&mut self) -> bool {
        while let Some(target) = self.ready.wipe.first().copied() {
            if self.now.since(self.servers[target].since) <= FENCE {
                break;
            }
            self.ready.wipe.remove(&target);
            self.look_at(target, self.now);
        }
        self.look_again_at_the_old();
        self.ready.has_change()
    }

    /// A stop or a backup rests on a look that is as young.
    fn look_again_at_the_old(&mut self) {
        let ready = &self.ready;
        let guarded = ready.stop.iter().chain(&ready.force).chain(&ready.backup).copied();
        let is_old = |target: &usize| {
            let server = &self.servers[*target];
            let waits = matches!(server.stage, Stage::Stop | Stage::Leave | Stage::Backup);
            waits && self.now.since(server.since) > FENCE
        };
        let old: Vec<usize> = guarded.filter(is_old).collect();
        for target in old {
            self.ready.remove(target);
            self.look_at(target, self.now);
        }
    }

    fn is_wipe_too_late(&self) -> bool {
        let next = self.ready.wipe.first();
        next.is_some_and(|target| {
            self.bucket.next_at(self.now) > self.servers[*target].since + FENCE
        })
    }

    fn send_change(&mut self) {
        if !self.ready.force.is_empty() {
            self.send_stop(true);
        } else if !self.ready.stop.is_empty() {
            self.send_stop(false);
        } else if !self.ready.wipe.is_empty() {
            self.send_wipe();
        } else {
            self.send_backup();
        }
    }

    fn send_stop(&mut self, hard: bool) {
        let set = if hard { &self.ready.force } else { &self.ready.stop };
        let most = self.plan.limits.stop_batch.max(1) as usize;
        let batch: Vec<usize> = set.iter().copied().take(most).collect();
        for target in batch.iter().copied() {
            let before = &self.servers[target];
            let done = self.now + stop_length(target, hard);
            let stopping = before.stage == Stage::Stopping;
            let ends = if stopping { before.ends.min(done) } else { done };
            let leaving = before.stage == Stage::Leave;
            self.enter(target, if leaving { Stage::LeaveAsked } else { Stage::StopAsked });
            self.servers[target].ends = ends;
            self.servers[target].forced = hard;
        }
        self.begin();
        self.send(Request::Stop(batch));
    }

    fn send_wipe(&mut self) {
        let Some(target) = self.ready.wipe.first().copied() else { return };
        self.enter(target, Stage::WipeAsked);
        self.servers[target].ends = self.now + wipe_length(target, self.servers[target].changes_os);
        self.servers[target].up = self.servers[target].ends;
        self.begin();
        self.send(Request::Wipe(target));
    }

    fn send_backup(&mut self) {
        let Some(target) = self.ready.backup.first().copied() else { return };
        self.enter(target, Stage::BackupAsked);
        self.servers[target].ends = self.now + backup_length(target);
        self.begin();
        self.send(Request::Backup(target));
    }

    fn next_read(&self) -> Option<Read> {
        if self.reads.survey.as_ref().is_some_and(|survey| survey.due > 0) {
            return Some(Read::Survey);
        }
        if self.reads.sweep.as_ref().is_some_and(|sweep| !sweep.pages.is_empty()) {
            return Some(Read::SweepPage);
        }
        let looks = super::reading::count(self.ready.look.len());
        let few = looks <= self.pages() && self.in_flight() < SWEPT_FROM;
        if let Some(target) = self.ready.look.first().filter(|_| few) {
            return Some(Read::Look(*target));
        }
        if (looks > 0 || self.watch_due()) && self.sweep_at() <= self.now {
            return Some(Read::StartSweep);
        }
        if let Some(target) = self.ready.job.first() {
            return Some(Read::Job(*target));
        }
        if let Some(target) = self.ready.backups.first() {
            return Some(Read::Backups(*target));
        }
        if let Some(target) = self.ready.password.first() {
            return Some(Read::Password(*target));
        }
        self.wants_disks().then_some(Read::Disks)
    }

    fn wants_disks(&self) -> bool {
        match &self.reads.disks {
            Some(read) => !read.asking,
            None => !self.ready.disks.is_empty(),
        }
    }

    fn is_watching(&self) -> bool {
        self.reinstalling > WATCHED_PER_PAGE * self.pages()
    }

    fn watch_due(&self) -> bool {
        self.is_watching() && self.reads.watch_at <= self.now
    }

    fn sweep_at(&self) -> Time {
        match (&self.reads.sweep, self.reads.swept_at) {
            (Some(_), _) => Time(u64::MAX),
            (None, Some(at)) => at + Millis(SWEEP_GAP.0 * u64::from(self.pages())),
            (None, None) => Time(0),
        }
    }

    fn requests_wake_at(&self) -> Option<Time> {
        let token = self.bucket.next_at(self.now);
        let reads = &self.reads;
        let survey = reads.survey.as_ref().is_some_and(|survey| survey.due > 0);
        let pages = reads.sweep.as_ref().is_some_and(|sweep| !sweep.pages.is_empty());
        let single = [&self.ready.job, &self.ready.backups, &self.ready.password];
        let single = single.iter().any(|set| !set.is_empty());
        let now = self.ready.has_change() || survey || pages || single || self.wants_disks();
        let sweep = token.max(self.sweep_at());
        let idle = reads.sweep.is_none();
        [
            now.then_some(token),
            (idle && !self.ready.look.is_empty()).then_some(sweep),
            (idle && self.is_watching()).then(|| sweep.max(reads.watch_at)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn send_read(&mut self, read: &Read) {
        let request = match read {
            Read::Survey => {
                if let Some(survey) = &mut self.reads.survey {
                    survey.due -= 1;
                    survey.open += 1;
                }
                Request::Survey
            }
            Read::StartSweep => {
                self.start_sweep();
                return self.send_read(&Read::SweepPage);
            }
            Read::SweepPage => {
                let Some(sweep) = &mut self.reads.sweep else { return };
                let Some(page) = sweep.pages.pop() else { return };
                sweep.asking += 1;
                Request::Sweep(page)
            }
            Read::Look(target) => {
                self.ready.look.remove(target);
                self.servers[*target].asking = true;
                Request::Look(*target)
            }
            Read::Job(target) => {
                self.ready.job.remove(target);
                self.servers[*target].asking_job = true;
                Request::Job(*target)
            }
            Read::Backups(target) => {
                self.ready.backups.remove(target);
                self.servers[*target].asking = true;
                Request::Backups(*target)
            }
            Read::Password(target) => {
                self.ready.password.remove(target);
                self.servers[*target].probe_at = None;
                Request::Probe(*target)
            }
            Read::Disks => {
                let read = self.reads.disks.get_or_insert_default();
                if read.read == 0 {
                    read.waiting.append(&mut self.ready.disks);
                }
                read.asking = true;
                Request::Disks
            }
        };
        self.send(request);
    }

    fn start_sweep(&mut self) {
        for target in std::mem::take(&mut self.ready.look) {
            self.servers[target].asking = true;
            self.servers[target].awaited = true;
        }
        let reads = &mut self.reads;
        reads.sweep = Some(Sweep { pages: vec![1], asking: 0, counted: false });
        reads.swept_at = Some(self.now);
        reads.watches += 1;
        reads.watch_at = self.now + Millis::secs(5 + 5 * reads.watches.min(5));
    }

    fn send(&mut self, request: Request) {
        self.requests += 1;
        let after = self.latency();
        self.at(self.now + after, Happening::Answered(request, self.now));
    }

    /// A look from outside: no request to the cloud.
    pub(super) fn probe(&mut self, target: usize) {
        self.servers[target].probe_at = None;
        let after = self.latency();
        self.at(self.now + after, Happening::Answered(Request::Probe(target), self.now));
    }

    /// Answers take 20 to 200 ms, each another time.
    fn latency(&mut self) -> Millis {
        self.reads.answers += 1;
        Millis(20 + self.reads.answers * 67 % 181)
    }

    pub(super) fn answered(&mut self, request: Request, asked: Time) {
        match request {
            Request::Stop(batch) => {
                for target in batch {
                    self.stop_taken(target);
                }
            }
            Request::Backup(target) => self.backup_taken(target),
            Request::Backups(target) => {
                self.servers[target].asking = false;
                self.backups_seen(target, asked);
            }
            Request::Wipe(target) => {
                let few = self.reinstalling <= WATCHED_PER_PAGE * self.pages();
                self.wipe_taken(target, few);
                let reads = &mut self.reads;
                reads.watch_at = reads.watch_at.min(self.now + FIRST_WATCH).max(self.now);
                reads.watches = 0;
            }
            Request::Survey => self.survey_answered(),
            Request::Sweep(page) => self.sweep_answered(page, asked),
            Request::Look(target) => {
                self.servers[target].asking = false;
                self.seen(target, asked);
            }
            Request::Job(target) => {
                self.servers[target].asking_job = false;
                self.job_seen(target, asked);
            }
            Request::Disks => self.disks_answered(),
            Request::Probe(target) => self.probed(target, asked),
        }
    }

    fn survey_answered(&mut self) {
        let Some(survey) = &mut self.reads.survey else { return };
        survey.open -= 1;
        while survey.due == 0 && survey.open == 0 {
            if let Some(next) = survey.later.pop_front() {
                survey.due = next;
                continue;
            }
            let fleet = survey.fleet;
            self.reads.survey = None;
            if let Some(fleet) = fleet {
                self.fleets[fleet].looked = Some((self.wave_of(fleet), self.now));
            } else {
                self.reads.preflight_passed = true;
                for fleet in &mut self.fleets {
                    fleet.looked = Some((0, self.now));
                }
            }
            return;
        }
    }

    fn sweep_answered(&mut self, page: u32, asked: Time) {
        let pages = self.pages();
        let Some(sweep) = &mut self.reads.sweep else { return };
        sweep.asking -= 1;
        if page == 1 && !sweep.counted {
            sweep.counted = true;
            sweep.pages.extend(2..=pages);
        }
        let on_page = |target: &usize| self.reading.page_of(*target) == page;
        let shown: Vec<usize> = self.active.iter().copied().filter(on_page).collect();
        for target in shown {
            let server = &mut self.servers[target];
            if std::mem::take(&mut server.awaited) {
                server.asking = false;
            }
            self.seen(target, asked);
        }
        if self.reads.sweep.as_ref().is_some_and(|it| it.asking == 0 && it.pages.is_empty()) {
            self.reads.sweep = None;
        }
    }

    fn disks_answered(&mut self) {
        let Some(read) = &mut self.reads.disks else { return };
        read.asking = false;
        read.read += 1;
        if read.read < self.reading.disk_pages {
            return;
        }
        let waiting = self.reads.disks.take().map(|read| read.waiting);
        for target in waiting.unwrap_or_default() {
            self.disk_listed(target);
        }
    }
}
