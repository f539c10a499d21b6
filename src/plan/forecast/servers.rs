//! One server on its way: what it waits for, and what a look at it leads to.

use crate::domain::{Millis, StopMode, Time};
use crate::playbook::Check;

use super::super::PlannedTreatment;
use super::course::Course;

/// A guest shuts down in 15 to 25 s, power is cut in 3 to 7 s, a reinstall takes 60 to 120 s, a change
/// of OS up to 240 s, and a new Windows password can be fetched 5 to 10 minutes after it.
const SOFT_STOP: (u64, u64) = (15_000, 25_000);
const HARD_STOP: (u64, u64) = (3_000, 7_000);
const REINSTALL: (u64, u64) = (60_000, 120_000);
const CHANGE_OF_OS: (u64, u64) = (60_000, 240_000);
/// How long a backup takes is not documented, and grows with the data; this is the simulated cloud's.
const BACKUP: (u64, u64) = (60_000, 180_000);
const PASSWORD: (u64, u64) = (300_000, 600_000);
/// After a reinstall, keys and passwords are injected; then the server answers.
const INJECTION: Millis = Millis::secs(90);

/// The first look after a request was taken, and the slowest rhythm of the ones after it.
const FIRST_LOOK: Millis = Millis::secs(3);
const SLOWEST_LOOK: Millis = Millis::secs(15);
const SLOWEST_JOB_LOOK: Millis = Millis::secs(60);
const SLOWEST_BACKUP_LOOK: Millis = Millis::secs(60);
/// While nothing is learnt, a job is looked at early; then when most were done; and where a sweep
/// tells of many, only long after.
pub(super) const FIRST_WATCH: Millis = Millis::secs(5);
const USUAL_REINSTALL: Millis = Millis::secs(75);
/// Jobs whose lengths are remembered.
const REMEMBERED: usize = 64;
/// Between two tries of a check from outside.
const PROBE_EVERY: Millis = Millis::secs(5);
const PASSWORD_EVERY: Millis = Millis::secs(30);

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    /// To be backed up before its stop.
    Backup,
    BackupAsked,
    BackingUp,
    /// To be stopped; one that is off is looked at first.
    Stop,
    /// The request to stop it is not answered.
    StopAsked,
    Stopping,
    /// Off, until it has a slot and was compared with its plan.
    Stopped,
    Compared,
    WipeAsked,
    Wiping,
    Settling,
    Verifying,
    /// To be left off.
    Leave,
    LeaveAsked,
    Leaving,
    Ended,
}

/// A check from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It costs no request.
    Port,
    Password,
    /// Those before it have to hold for so long.
    Stable(Millis),
}

/// A treatment, as far as it takes time or requests.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub(super) struct Kind {
    backup: bool,
    skips_stop: bool,
    pub(super) hard: bool,
    force_after: Option<Millis>,
    settle: Millis,
    fresh: bool,
    probes: Vec<Probe>,
}

impl Kind {
    pub(super) fn of(treatment: &PlannedTreatment) -> Self {
        let probe = |check: &Check| match check {
            Check::Tcp { .. } | Check::Http { .. } | Check::Command { .. } | Check::Ssh(_) => {
                Some(Probe::Port)
            }
            Check::PasswordReady { .. } => Some(Probe::Password),
            Check::StableFor { time } => Some(Probe::Stable(*time)),
            Check::Fresh | Check::Unchanged => None,
        };
        Self {
            backup: treatment.backup.is_some(),
            skips_stop: treatment.stop.skip,
            hard: treatment.stop.mode == StopMode::Hard,
            force_after: treatment.stop.force_after,
            settle: treatment.wait.settle,
            fresh: treatment.verify.contains(&Check::Fresh),
            probes: treatment.verify.iter().filter_map(probe).collect(),
        }
    }
}

/// One server.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub(super) struct Server {
    pub(super) stage: Stage,
    /// Since when it is there; of a request, when it was sent.
    pub(super) since: Time,
    /// When what the cloud does to it is done.
    pub(super) ends: Time,
    /// When it is up again after its reinstall.
    pub(super) up: Time,
    pub(super) fleet: usize,
    pub(super) kind: usize,
    pub(super) zone: usize,
    /// It gets another image.
    pub(super) changes_os: bool,
    pub(super) running: bool,
    pub(super) leave_running: bool,
    /// Its new disk is looked at in a list of all.
    pub(super) encrypted: bool,
    pub(super) look_at: Option<Time>,
    pub(super) job_at: Option<Time>,
    pub(super) backup_at: Option<Time>,
    pub(super) force_at: Option<Time>,
    pub(super) probe_at: Option<Time>,
    pub(super) looks: u32,
    pub(super) asking: bool,
    /// A sweep is to show it.
    pub(super) awaited: bool,
    pub(super) asking_job: bool,
    pub(super) granted: bool,
    pub(super) forced: bool,
    /// Its disk was found as asked for.
    disk_seen: bool,
    probed: usize,
    /// It is in some set of what is ready.
    pub(super) is_ready: bool,
}

impl Server {
    pub(super) fn pending(fleet: usize, kind: usize) -> Self {
        Self {
            stage: Stage::Pending,
            since: Time(0),
            ends: Time(0),
            up: Time(0),
            fleet,
            kind,
            zone: 0,
            changes_os: false,
            running: true,
            leave_running: true,
            encrypted: false,
            look_at: None,
            job_at: None,
            backup_at: None,
            force_at: None,
            probe_at: None,
            looks: 0,
            asking: false,
            awaited: false,
            asking_job: false,
            granted: false,
            forced: false,
            disk_seen: false,
            probed: 0,
            is_ready: false,
        }
    }
}

impl Course<'_> {
    /// A server goes on; what was known or asked about it is forgotten.
    pub(super) fn enter(&mut self, target: usize, stage: Stage) {
        if std::mem::take(&mut self.servers[target].is_ready) {
            self.ready.remove(target);
        }
        let server = &mut self.servers[target];
        server.stage = stage;
        server.since = self.now;
        (server.look_at, server.job_at, server.force_at, server.probe_at) =
            (None, None, None, None);
        server.backup_at = None;
        (server.looks, server.asking, server.asking_job, server.awaited) = (0, false, false, false);
    }

    /// It is begun with.
    pub(super) fn start(&mut self, target: usize) {
        self.active.insert(target);
        self.queued += 1;
        self.zones[self.servers[target].zone].queued += 1;
        self.fleets[self.servers[target].fleet].in_flight += 1;
        if self.kinds[self.servers[target].kind].backup {
            self.enter(target, Stage::Backup);
            self.look_at(target, self.now);
        } else {
            self.begin_stop(target);
        }
    }

    fn begin_stop(&mut self, target: usize) {
        if self.kinds[self.servers[target].kind].skips_stop {
            return self.is_off(target);
        }
        self.enter(target, Stage::Stop);
        self.look_at(target, self.now);
    }

    /// A look that the next change rests on has passed.
    fn cleared(&mut self, target: usize, asked: Time) {
        self.servers[target].look_at = None;
        self.servers[target].since = asked;
        if self.servers[target].stage == Stage::Backup {
            self.servers[target].is_ready = true;
            self.ready.backup.insert(target);
        } else {
            self.wants_stop(target);
        }
    }

    fn wants_stop(&mut self, target: usize) {
        let hard = self.kinds[self.servers[target].kind].hard;
        self.servers[target].is_ready = true;
        let set = if hard { &mut self.ready.force } else { &mut self.ready.stop };
        set.insert(target);
    }

    pub(super) fn look_at(&mut self, target: usize, at: Time) {
        self.servers[target].look_at = Some(at);
        self.due_at(target, at);
    }

    fn job_at(&mut self, target: usize, at: Time) {
        self.servers[target].job_at = Some(at);
        self.due_at(target, at);
    }

    fn look_again(&mut self, target: usize) {
        let server = &mut self.servers[target];
        server.looks += 1;
        let wait = Millis(1_000 << server.looks.min(4)).min(SLOWEST_LOOK);
        self.look_at(target, self.now + wait);
    }

    /// What a server waited for has come.
    pub(super) fn due(&mut self, target: usize) {
        let now = self.now;
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let server = &mut self.servers[target];
        if due(server.look_at) && !server.asking {
            server.is_ready |= self.ready.look.insert(target);
        }
        if due(server.job_at) && !server.asking_job {
            server.is_ready |= self.ready.job.insert(target);
        }
        if due(server.backup_at) && !server.asking {
            server.is_ready |= self.ready.backups.insert(target);
        }
        // Cutting the power rests on a look of its own.
        if due(server.force_at) && !server.asking {
            server.is_ready |= self.ready.look.insert(target);
        }
        if due(server.probe_at) {
            match self.kinds[server.kind].probes.get(server.probed) {
                Some(Probe::Port | Probe::Stable(_)) => self.probe(target),
                Some(Probe::Password) => {
                    server.is_ready |= self.ready.password.insert(target);
                }
                None => {}
            }
        }
    }

    /// The cloud has taken its backup.
    pub(super) fn backup_taken(&mut self, target: usize) {
        self.enter(target, Stage::BackingUp);
        self.backup_at(target, self.now + FIRST_LOOK);
    }

    fn backup_at(&mut self, target: usize, at: Time) {
        self.servers[target].backup_at = Some(at);
        self.due_at(target, at);
    }

    /// A list of its backups, asked for then.
    pub(super) fn backups_seen(&mut self, target: usize, asked: Time) {
        let server = &mut self.servers[target];
        if server.ends <= asked {
            return self.begin_stop(target);
        }
        server.looks += 1;
        let wait = Millis::secs(5 << server.looks.min(4)).min(SLOWEST_BACKUP_LOOK);
        self.backup_at(target, self.now + wait);
    }

    /// The cloud has taken a stop of it.
    pub(super) fn stop_taken(&mut self, target: usize) {
        let (sent, forced) = (self.servers[target].since, self.servers[target].forced);
        let leaving = self.servers[target].stage == Stage::LeaveAsked;
        self.enter(target, if leaving { Stage::Leaving } else { Stage::Stopping });
        self.servers[target].since = sent;
        self.look_at(target, self.now + FIRST_LOOK);
        let force_after = self.kinds[self.servers[target].kind].force_after;
        if let Some(after) = force_after.filter(|_| !leaving && !forced) {
            self.servers[target].force_at = Some(sent + after);
            self.due_at(target, sent + after);
        }
    }

    /// The cloud has taken its wipe.
    pub(super) fn wipe_taken(&mut self, target: usize, few: bool) {
        let sent = self.servers[target].since;
        self.enter(target, Stage::Wiping);
        self.servers[target].since = sent;
        let learnt = self.usual();
        let usual = if few {
            learnt.unwrap_or(FIRST_WATCH).max(FIRST_LOOK)
        } else {
            Millis(2 * learnt.unwrap_or_default().max(USUAL_REINSTALL).0)
        };
        self.job_at(target, (sent + usual).max(self.now));
    }

    /// Nine of ten were done within it, of late.
    fn usual(&self) -> Option<Millis> {
        let mut took: Vec<Millis> = self.took.iter().copied().collect();
        took.sort_unstable();
        took.get((took.len() * 9 / 10).min(took.len().saturating_sub(1))).copied()
    }

    /// A look at the server, asked for then.
    pub(super) fn seen(&mut self, target: usize, asked: Time) {
        let server = &self.servers[target];
        let (since, done) = (server.since, server.ends <= asked);
        match server.stage {
            Stage::Stop if !server.running => self.is_off(target),
            Stage::Backup | Stage::Stop | Stage::Leave => self.cleared(target, asked),
            Stage::Stopping | Stage::Leaving if asked < since => {}
            Stage::Stopping if done => self.is_off(target),
            Stage::Leaving if done => self.end(target),
            Stage::Stopping if server.force_at.is_some_and(|at| at <= asked) => {
                self.servers[target].force_at = None;
                self.servers[target].is_ready = true;
                self.ready.force.insert(target);
            }
            Stage::Stopping | Stage::Leaving => self.look_again(target),
            Stage::Stopped if server.granted && asked >= since => self.compared(target, asked),
            Stage::Compared if asked > since => self.compared_again(target, asked),
            Stage::Wiping if done && asked >= since => self.job_at(target, asked),
            Stage::Settling if asked >= server.ends => {
                self.enter(target, Stage::Verifying);
                self.look_at(target, self.now);
            }
            Stage::Verifying if asked >= since => {
                self.servers[target].look_at = None;
                self.servers[target].disk_seen = false;
                let server = &mut self.servers[target];
                if server.encrypted && self.kinds[server.kind].fresh {
                    server.is_ready |= self.ready.disks.insert(target);
                } else {
                    server.disk_seen = true;
                }
                self.finish(target);
            }
            Stage::Pending
            | Stage::BackupAsked
            | Stage::BackingUp
            | Stage::StopAsked
            | Stage::Stopped
            | Stage::Compared
            | Stage::WipeAsked
            | Stage::Wiping
            | Stage::Settling
            | Stage::Verifying
            | Stage::LeaveAsked
            | Stage::Ended => {}
        }
    }

    fn is_off(&mut self, target: usize) {
        self.enter(target, Stage::Stopped);
        self.waiting.insert(target);
    }

    fn compared(&mut self, target: usize, asked: Time) {
        self.queued -= 1;
        self.zones[self.servers[target].zone].queued -= 1;
        self.granted -= 1;
        self.reinstalling += 1;
        self.compared_again(target, asked);
    }

    fn compared_again(&mut self, target: usize, asked: Time) {
        self.enter(target, Stage::Compared);
        self.servers[target].since = asked;
        self.servers[target].granted = false;
        self.servers[target].is_ready = true;
        self.ready.wipe.insert(target);
    }

    /// A look at its job, asked for then.
    pub(super) fn job_seen(&mut self, target: usize, asked: Time) {
        let Server { stage, since, ends, looks, .. } = self.servers[target];
        if stage != Stage::Wiping {
            return;
        }
        if ends <= asked {
            if self.took.len() == REMEMBERED {
                self.took.pop_front();
            }
            self.took.push_back(self.now.since(since));
            self.reinstalling -= 1;
            self.zones[self.servers[target].zone].wiping -= 1;
            self.enter(target, Stage::Settling);
            let until = self.now + self.kinds[self.servers[target].kind].settle;
            self.servers[target].ends = until;
            self.look_at(target, until);
        } else {
            self.servers[target].looks = looks + 1;
            let wait = Millis(2_500 << (looks + 1).min(4)).min(SLOWEST_JOB_LOOK);
            self.job_at(target, self.now + wait);
        }
    }

    /// A list of all disks, for a server that waited for it.
    pub(super) fn disk_listed(&mut self, target: usize) {
        if self.servers[target].stage == Stage::Verifying {
            self.servers[target].disk_seen = true;
            self.finish(target);
        }
    }

    /// A check from outside is answered, asked for then.
    pub(super) fn probed(&mut self, target: usize, asked: Time) {
        let Server { stage, kind, probed, .. } = self.servers[target];
        let Some(probe) = self.kinds[kind].probes.get(probed).filter(|_| stage == Stage::Verifying)
        else {
            return;
        };
        let up = self.servers[target].up;
        let (ready_at, every) = match probe {
            Probe::Port => (up + INJECTION, PROBE_EVERY),
            Probe::Password => (up + drawn(PASSWORD, target), PASSWORD_EVERY),
            Probe::Stable(_) => (Time(0), PROBE_EVERY),
        };
        if asked >= ready_at {
            self.servers[target].probed += 1;
            self.finish(target);
        } else {
            self.probe_at(target, self.now + every);
        }
    }

    fn probe_at(&mut self, target: usize, at: Time) {
        self.servers[target].probe_at = Some(at);
        self.due_at(target, at);
    }

    /// Ends a server whose checks all passed.
    fn finish(&mut self, target: usize) {
        let server = &self.servers[target];
        if let Some(probe) = self.kinds[server.kind].probes.get(server.probed) {
            let held = match probe {
                Probe::Port | Probe::Password => Millis(0),
                Probe::Stable(time) => *time,
            };
            if server.probe_at.is_none() {
                self.probe_at(target, self.now + held);
            }
        } else if server.disk_seen && server.leave_running {
            self.end(target);
        } else if server.disk_seen {
            self.enter(target, Stage::Leave);
            self.look_at(target, self.now);
        }
    }

    fn end(&mut self, target: usize) {
        self.enter(target, Stage::Ended);
        self.active.remove(&target);
        self.left -= 1;
        let fleet = &mut self.fleets[self.servers[target].fleet];
        fleet.in_flight -= 1;
        fleet.unended -= 1;
        fleet.verified += 1;
        fleet.ends = self.now;
    }
}

/// How long a stop of it takes.
pub(super) fn stop_length(target: usize, hard: bool) -> Millis {
    drawn(if hard { HARD_STOP } else { SOFT_STOP }, target)
}

/// How long its backup takes.
pub(super) fn backup_length(target: usize) -> Millis {
    drawn(BACKUP, target)
}

/// How long its reinstall takes.
pub(super) fn wipe_length(target: usize, changes_os: bool) -> Millis {
    drawn(if changes_os { CHANGE_OF_OS } else { REINSTALL }, target)
}

/// A length of that range for a server: spread evenly over them, and the same each time.
fn drawn((least, most): (u64, u64), target: usize) -> Millis {
    let spread = (target as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Millis(least + (((most - least) * spread) >> 32))
}
