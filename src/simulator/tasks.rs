//! What happens by itself as time goes on: stops, starts and reinstalls run to their end.

use std::cmp::Reverse;

use super::history::What;
use super::jobs::Failing;
use super::knobs::Span;
use super::machine::{Stale, TaskKind};
use super::password::Password;
use super::world::World;
use crate::domain::{Attachment, Millis, Server, ServerId, Timestamp, Volume, VolumeId};

/// Something that will happen to a server, unless its task was replaced meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// The server.
    pub(super) machine: usize,
    /// The task it belongs to.
    pub(super) task: u64,
    /// What happens.
    pub(super) step: Step,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A stop or a start is through.
    PowerChanged,
    /// A server that is stopped as part of its reinstall has stopped.
    StoppedFirst,
    /// The system disk is taken away, and a temporary server appears.
    Detached,
    /// The new system disk is in, the old one is gone.
    Swapped,
    /// The reinstall is through.
    Reinstalled,
    /// The reinstall has failed.
    Broken,
    /// A backup is through; its number is in the place of the task's.
    BackedUp,
    /// Somebody else does something to it; the number of what is in the place of the task's.
    Visited,
    /// A request arrives that a gateway held back; its number is in the place of the task's.
    Delivered,
}

impl World {
    /// Lets everything happen that is due by `now`. Time never runs backwards.
    pub(super) fn advance(&mut self, now: Millis) {
        while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
            if at > now {
                break;
            }
            let _due = self.events.pop();
            self.happen(at, event);
        }
    }

    /// Puts an event into the future.
    pub(super) fn plan(&mut self, at: Millis, event: Event) {
        let number = self.number();
        self.events.push(Reverse((at, number, event)));
    }

    fn happen(&mut self, at: Millis, event: Event) {
        let number = usize::try_from(event.task).unwrap_or(usize::MAX);
        match event.step {
            Step::BackedUp => return self.backed_up(event.machine, number),
            Step::Visited => return self.visited(at, event.machine, number),
            Step::Delivered => return self.delivered(at, number),
            Step::PowerChanged
            | Step::StoppedFirst
            | Step::Detached
            | Step::Swapped
            | Step::Reinstalled
            | Step::Broken => {}
        }
        let current = self.machines[event.machine].task.as_ref();
        if current.is_none_or(|task| task.number != event.task) {
            return;
        }
        match event.step {
            Step::PowerChanged => self.power_changed(at, event.machine),
            Step::StoppedFirst => self.stopped_first(at, event.machine),
            Step::Detached => self.detached(at, event.machine),
            Step::Swapped => self.swapped(at, event.machine),
            Step::Reinstalled => self.reinstalled(at, event.machine),
            Step::Broken => self.broken(at, event.machine),
            Step::BackedUp | Step::Visited | Step::Delivered => {}
        }
    }

    /// The server, about to be changed at that moment: looks may show the old one for a while.
    pub(super) fn change(&mut self, at: Millis, index: usize) -> &mut Server {
        let wall = self.server_clock(at);
        let lagging = self.knobs.server_lag.most().0 > 0;
        let lag = if lagging { self.dice.length(self.knobs.server_lag) } else { Millis(0) };
        let machine = &mut self.machines[index];
        if machine.stale.as_ref().is_none_or(|stale| stale.until <= at) {
            let (until, version) = (add(at, lag), machine.version);
            let old = || Box::new(Stale { until, version, server: machine.server.clone() });
            machine.stale = (lag.0 > 0).then(old);
        }
        machine.version += 1;
        machine.server.updated = Some(wall);
        &mut machine.server
    }

    fn power_changed(&mut self, at: Millis, index: usize) {
        let Some(task) = self.machines[index].task.take() else { return };
        let wall = self.wall(at);
        let status = match task.kind {
            TaskKind::SoftStop | TaskKind::HardStop => "SHUTOFF",
            TaskKind::Start | TaskKind::Reboot(_) => {
                self.machines[index].launched = wall;
                "ACTIVE"
            }
            TaskKind::Reinstall(_) => return,
        };
        let server = self.change(at, index);
        status.clone_into(&mut server.status);
        server.task_state = None;
        self.power_is(at, index, (status == "ACTIVE", task.asking));
        if status == "ACTIVE" && self.machines[index].password == Password::AwaitsStart {
            self.password_begins(at, index);
        }
        self.end_parts(at, &task.parts, Ok(()));
    }

    fn stopped_first(&mut self, at: Millis, index: usize) {
        let (status, task) =
            (self.knobs.reinstall_status.clone(), self.knobs.reinstall_task.clone());
        let server = self.change(at, index);
        server.status = status;
        server.task_state = Some(task);
        if let Some(asking) = self.machines[index].task.as_ref().map(|task| task.asking) {
            self.power_is(at, index, (false, asking));
        }
    }

    fn detached(&mut self, at: Millis, index: usize) {
        if self.knobs.boot_volume_missing {
            self.change(at, index).volumes.retain(|volume| !volume.boot);
        }
        let helper = self.helper_of(at, index);
        let id = helper.id.clone();
        self.helper_ids.insert(id.clone());
        self.helpers.push(helper);
        if let Some(task) = &mut self.machines[index].task
            && let TaskKind::Reinstall(system) = &mut task.kind
        {
            system.helper = Some(id);
        }
    }

    fn helper_of(&mut self, at: Millis, index: usize) -> Server {
        let wall = self.wall(at);
        let mut helper = self.machines[index].server.clone();
        helper.id = ServerId::new(self.dice.uuid());
        helper.name = self.knobs.helper_name.replace("{name}", &helper.name);
        "ACTIVE".clone_into(&mut helper.status);
        helper.task_state = None;
        helper.volumes = Vec::new();
        helper.addresses = Vec::new();
        helper.created = Some(wall);
        helper.updated = Some(wall);
        if !self.knobs.helper_copies_tags {
            helper.tags.clear();
        }
        helper
    }

    fn swapped(&mut self, at: Millis, index: usize) {
        let Some(slot) = self.machines[index].system else { return };
        let new = VolumeId::new(self.dice.uuid());
        let id = if self.knobs.new_volume_id { new } else { self.disks[slot].id.clone() };
        let wall = self.wall(at);
        let mut released = 0;
        let disk = &mut self.disks[slot];
        self.disk_by_id.remove(&disk.id);
        self.snapshots.remove(&disk.id);
        if let Some(task) = &mut self.machines[index].task
            && let TaskKind::Reinstall(system) = &mut task.kind
        {
            *disk = renewed(disk, &id, wall);
            disk.key.clone_from(&system.disk_key);
            self.used_gib += system.gib.saturating_sub(disk.size_gib);
            disk.size_gib = disk.size_gib.max(system.gib);
            if system.holds_quota {
                system.holds_quota = false;
                released = system.reserved_gib;
                self.reserved.0 -= u64::from(self.knobs.reinstall_reserves);
            }
        }
        self.reserved.1 -= released;
        self.disk_by_id.insert(id.clone(), slot);
        if let Some(asking) = self.machines[index].task.as_ref().map(|task| task.asking) {
            let server = self.machines[index].server.id.clone();
            self.write_down(at, &server, What::Wiped(asking));
        }
        let boot = Attachment { id, device: "/dev/vda".to_owned(), boot: true };
        let volumes = &mut self.change(at, index).volumes;
        volumes.retain(|volume| !volume.boot);
        volumes.insert(0, boot);
        self.show_as_done(at, index);
    }

    /// A server that was off is shown as running and at rest before its reinstall is through, as in
    /// Nova; there for a moment, here for as long as it may be.
    fn show_as_done(&mut self, at: Millis, index: usize) {
        let task = self.machines[index].task.as_ref();
        let off = task.is_some_and(|task| match &task.kind {
            TaskKind::Reinstall(system) => !system.runs_on,
            TaskKind::SoftStop | TaskKind::HardStop | TaskKind::Start | TaskKind::Reboot(_) => {
                false
            }
        });
        if self.knobs.reinstalls_running && off {
            let server = self.change(at, index);
            "ACTIVE".clone_into(&mut server.status);
            server.task_state = None;
        }
    }

    fn reinstalled(&mut self, at: Millis, index: usize) {
        let Some(task) = self.machines[index].task.take() else { return };
        let TaskKind::Reinstall(system) = task.kind else { return };
        let starts = self.knobs.starts_after_reinstall || system.runs_on;
        let key_name_changes = self.knobs.key_name_changes;
        let until = add(at, self.dice.length(self.knobs.injection));
        let wall = self.wall(at);
        let server = self.change(at, index);
        (if starts { "ACTIVE" } else { "SHUTOFF" }).clone_into(&mut server.status);
        server.task_state = None;
        server.fault = None;
        if key_name_changes {
            server.key_name = system.key_name;
        }
        if let Some(image) = system.image {
            server.image = image.id;
            server.image_name = Some(image.name);
            server.os_type = Some(image.os_type);
        }
        let machine = &mut self.machines[index];
        machine.injecting_until = Some(until);
        machine.serves_from = add(until, self.chance.length(self.knobs.service));
        machine.password = Password::AwaitsStart;
        machine.last_failed = false;
        machine.launched = wall;
        machine.counted(task.asking.by).completed += 1;
        machine.installed_by = Some(task.asking.by);
        let id = machine.server.id.clone();
        self.write_down(at, &id, What::WipeEnded(task.asking));
        self.power_is(at, index, (starts, task.asking));
        if starts {
            self.password_begins(at, index);
        }
        self.in_flight -= 1;
        self.drop_helper(system.helper.as_ref());
        self.end_parts(at, &task.parts, Ok(()));
    }

    fn broken(&mut self, at: Millis, index: usize) {
        let Some(task) = self.machines[index].task.take() else { return };
        let TaskKind::Reinstall(system) = task.kind else { return };
        if system.holds_quota {
            self.reserved.0 -= u64::from(self.knobs.reinstall_reserves);
            self.reserved.1 -= system.reserved_gib;
        }
        let usual = if system.holds_quota { "Ecs.0202" } else { "Ecs.0226" };
        let drawn = self.luck.below(self.faults.job_codes.len());
        let code = self.faults.job_codes.get(drawn).map_or(usual, |code| code.as_str());
        let failing = Failing::coded(code);
        let status = self.knobs.failed_status.clone();
        let old = self.machines[index].system.map(|slot| self.disks[slot].id.clone());
        let server = self.change(at, index);
        server.status = status;
        server.task_state = None;
        if let Some(id) = old
            && server.system_volume().is_none()
        {
            let boot = Attachment { id, device: "/dev/vda".to_owned(), boot: true };
            server.volumes.insert(0, boot);
        }
        let machine = &mut self.machines[index];
        machine.last_failed = true;
        machine.counted(task.asking.by).failed += 1;
        let id = machine.server.id.clone();
        self.write_down(at, &id, What::WipeFailed(task.asking));
        self.power_is(at, index, (false, task.asking));
        self.in_flight -= 1;
        self.drop_helper(system.helper.as_ref());
        self.end_parts(at, &task.parts, Err(failing));
    }

    fn drop_helper(&mut self, id: Option<&ServerId>) {
        // The oldest usually goes first, so this looks at few of them.
        if let Some(at) = self.helpers.iter().position(|helper| Some(&helper.id) == id) {
            self.helpers.remove(at);
        }
    }

    /// Ends parts of jobs.
    pub(super) fn end_parts(
        &mut self,
        at: Millis,
        parts: &[(usize, usize)],
        end: Result<(), Failing>,
    ) {
        for (job, part) in parts {
            let job = &mut self.jobs[*job];
            let part = &mut job.parts[*part];
            if part.end.is_none() {
                part.end = Some((at, end));
                job.open -= 1;
            }
        }
    }

    /// A length from now on.
    pub(super) fn after(&mut self, now: Millis, span: Span) -> Millis {
        add(now, self.dice.length(span))
    }
}

/// A new system disk in place of the old one.
fn renewed(old: &Volume, id: &VolumeId, created: Timestamp) -> Volume {
    Volume {
        id: id.clone(),
        created: Some(created),
        status: "in-use".to_owned(),
        key: None,
        ..old.clone()
    }
}

/// That much later.
pub(super) fn add(at: Millis, length: Millis) -> Millis {
    Millis(at.0.saturating_add(length.0))
}
