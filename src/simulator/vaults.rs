//! Vaults and the backups of whole servers in them (`storage-image-kms.md`, section 4).
//!
//! While a server is backed up its disks are `backing-up`, and a reinstall is refused. What cannot be
//! backed up is skipped, and the answer is a success all the same.

use std::collections::BTreeSet;

use super::error::{ApiError, Shape};
use super::spec::{ServerGroup, VaultSpec};
use super::tasks::{Event, Step};
use super::world::World;
use crate::domain::{Millis, Server, ServerId, Timestamp, VolumeId};

/// MiB in a GiB: sizes are in GiB, what is used in MiB.
const MIB: u64 = 1_024;

/// A vault.
#[derive(Clone, Debug)]
pub(super) struct Vault {
    /// Its id.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Its size in GiB.
    pub(super) size_gib: u64,
    /// What is used of it in MiB.
    pub(super) used_mib: u64,
    /// `available`, `lock`, `frozen`, `deleting`, `error`.
    pub(super) status: String,
    /// The servers that may be backed up into it.
    pub(super) resources: BTreeSet<ServerId>,
}

/// A request for backups, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    /// Its id.
    pub(super) id: String,
    /// Its vault: an index.
    pub(super) vault: usize,
    /// Name of the backups.
    pub(super) name: String,
    /// Free text.
    pub(super) description: String,
    /// When it was asked for.
    pub(super) created: Timestamp,
    /// Its backups: indices.
    pub(super) backups: Vec<usize>,
    /// What was not backed up, and why.
    pub(super) skipped: Vec<(ServerId, &'static str)>,
}

/// The backup of one server.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    /// Its id.
    pub(super) id: String,
    /// Its checkpoint: an index.
    pub(super) checkpoint: usize,
    /// The server.
    pub(super) server: ServerId,
    /// Its name when it was backed up.
    pub(super) server_name: String,
    /// Its zone.
    pub(super) zone: String,
    /// Begin and end in simulated time.
    pub(super) span: (Millis, Millis),
    /// It will not succeed.
    pub(super) fails: bool,
    /// The disks.
    pub(super) disks: Vec<DiskBackup>,
}

/// The part of a backup that concerns one disk.
#[derive(Clone, Debug)]
pub(super) struct DiskBackup {
    /// Its id: what a restore needs.
    pub(super) id: String,
    /// The disk.
    pub(super) volume: VolumeId,
    /// Its size in GiB.
    pub(super) size_gib: u64,
    /// It is the system disk.
    pub(super) system: bool,
}

impl Backup {
    /// Its status at that moment.
    pub(super) fn status(&self, now: Millis) -> &'static str {
        match (now < self.span.1, self.fails) {
            (true, _) => "protecting",
            (false, true) => "error",
            (false, false) => "available",
        }
    }

    /// Percent of it that are through.
    pub(super) fn progress(&self, now: Millis) -> u64 {
        let (begin, end) = self.span;
        let (done, all) = (now.0.saturating_sub(begin.0), end.0.saturating_sub(begin.0));
        (done * 100).checked_div(all).unwrap_or(100).min(100)
    }

    /// Size of its disks in GiB.
    pub(super) fn size_gib(&self) -> u64 {
        self.disks.iter().map(|disk| disk.size_gib).sum()
    }
}

/// A request for a checkpoint.
#[derive(Clone, Debug)]
pub(super) struct BackupOrder {
    /// The vault.
    pub(super) vault: String,
    /// Name of the backups.
    pub(super) name: String,
    /// Free text.
    pub(super) description: String,
    /// Which servers; none: all of the vault.
    pub(super) servers: Option<Vec<ServerId>>,
}

impl World {
    /// Puts in a vault.
    pub(super) fn add_vault(&mut self, spec: &VaultSpec) {
        let named = |server: &&Server| spec.takes(&server.name, server.id.as_str());
        let resources = self.servers().filter(named).map(|server| server.id.clone()).collect();
        let id = spec.id.clone().unwrap_or_else(|| self.dice.uuid());
        self.vaults.push(Vault {
            id,
            name: spec.name.clone(),
            size_gib: spec.size_gib,
            used_mib: spec.used_gib * MIB,
            status: spec.status.clone(),
            resources,
        });
    }

    /// One vault.
    pub(super) fn show_vault(&self, id: &str) -> Result<&Vault, ApiError> {
        let missing = || backup_error(404, "BackupService.6001", "The vault does not exist.");
        self.vaults.iter().find(|vault| vault.id == id).ok_or_else(missing)
    }

    /// One checkpoint.
    pub(super) fn show_checkpoint(&self, id: &str) -> Result<&Checkpoint, ApiError> {
        let missing = || backup_error(404, "BackupService.6101", "The checkpoint does not exist.");
        self.checkpoints.iter().find(|it| it.id == id).ok_or_else(missing)
    }

    /// Its status at that moment.
    pub(super) fn checkpoint_status(&self, now: Millis, checkpoint: &Checkpoint) -> &'static str {
        let statuses = || checkpoint.backups.iter().map(|index| self.backups[*index].status(now));
        if statuses().any(|status| status == "protecting") {
            return "protecting";
        }
        if statuses().any(|status| status == "error") { "error" } else { "available" }
    }

    /// One backup.
    pub(super) fn show_backup(&self, id: &str) -> Result<&Backup, ApiError> {
        let missing = || backup_error(404, "BackupService.6201", "The backup does not exist.");
        self.backups.iter().find(|backup| backup.id == id).ok_or_else(missing)
    }

    /// Backs servers up, as far as they can be.
    pub(super) fn create_checkpoint(
        &mut self,
        now: Millis,
        order: &BackupOrder,
    ) -> Result<&Checkpoint, ApiError> {
        let missing = || backup_error(400, "BackupService.6001", "The vault does not exist.");
        let found = self.vaults.iter().position(|vault| vault.id == order.vault);
        let vault = found.ok_or_else(missing)?;
        let servers = self.check_order(vault, order)?;
        let index = self.checkpoints.len();
        let mut checkpoint = Checkpoint {
            id: self.dice.uuid(),
            vault,
            name: order.name.clone(),
            description: order.description.clone(),
            created: self.wall(now),
            backups: Vec::new(),
            skipped: Vec::new(),
        };
        for server in servers {
            match self.why_skipped(vault, &server) {
                Some(reason) => checkpoint.skipped.push((server, reason)),
                None => checkpoint.backups.push(self.begin_backup(now, &server, index)),
            }
        }
        self.checkpoints.push(checkpoint);
        Ok(&self.checkpoints[index])
    }

    /// The servers of an order that the vault takes at all.
    fn check_order(&self, vault: usize, order: &BackupOrder) -> Result<Vec<ServerId>, ApiError> {
        let vault = &self.vaults[vault];
        let all = || vault.resources.iter().cloned().collect();
        let servers: Vec<ServerId> = order.servers.clone().unwrap_or_else(all);
        if !servers.iter().any(|server| vault.resources.contains(server)) {
            let message = "There is no resource to back up.";
            return Err(backup_error(400, "BackupService.0001", message));
        }
        if vault.status != "available" {
            let message = "The vault status does not allow this operation.";
            return Err(backup_error(400, "BackupService.6113", message));
        }
        if vault.used_mib >= vault.size_gib * MIB {
            return Err(backup_error(400, "BackupService.6114", "The vault is full."));
        }
        Ok(servers)
    }

    fn why_skipped(&mut self, vault: usize, server: &ServerId) -> Option<&'static str> {
        if !self.vaults[vault].resources.contains(server) {
            return Some("The resource is not associated with the vault.");
        }
        if self.luck.chance(self.faults.backup_skipped) {
            return Some("The resource cannot be backed up now.");
        }
        let Some(index) = self.by_id.get(server) else {
            return Some("The resource does not exist.");
        };
        let machine = &self.machines[*index];
        let stable = matches!(machine.server.status.as_str(), "ACTIVE" | "SHUTOFF");
        if !stable || machine.task.is_some() {
            return Some("The server status does not allow a backup.");
        }
        let free = machine.disks().all(|slot| self.disks[slot].status == "in-use");
        (!free).then_some("A disk status does not allow a backup.")
    }

    fn begin_backup(&mut self, now: Millis, server: &ServerId, checkpoint: usize) -> usize {
        let backup = self.backups.len();
        let end = self.after(now, self.knobs.backup);
        let machine = self.by_id[server];
        let (system, zone, name) = {
            let machine = &self.machines[machine];
            (machine.system, machine.server.az.clone(), machine.server.name.clone())
        };
        let slots: Vec<usize> = self.machines[machine].disks().collect();
        let mut disks = Vec::new();
        for slot in slots {
            let id = self.dice.uuid();
            let disk = &mut self.disks[slot];
            "backing-up".clone_into(&mut disk.status);
            let (volume, size_gib) = (disk.id.clone(), disk.size_gib);
            disks.push(DiskBackup { id, volume, size_gib, system: Some(slot) == system });
        }
        let fails = self.luck.chance(self.faults.backup_failure);
        self.backups.push(Backup {
            id: self.dice.uuid(),
            checkpoint,
            server: server.clone(),
            server_name: name,
            zone,
            span: (now, end),
            fails,
            disks,
        });
        self.plan(end, Event { machine, task: backup as u64, step: Step::BackedUp });
        backup
    }

    /// A backup is through: its disks are free again, and the vault is fuller.
    pub(super) fn backed_up(&mut self, machine: usize, backup: usize) {
        let slots: Vec<usize> = self.machines[machine].disks().collect();
        for slot in slots {
            let disk = &mut self.disks[slot];
            if disk.status == "backing-up" {
                "in-use".clone_into(&mut disk.status);
            }
        }
        let backup = &self.backups[backup];
        if !backup.fails {
            let vault = self.checkpoints[backup.checkpoint].vault;
            self.vaults[vault].used_mib += backup.size_gib() * MIB;
        }
    }
}

/// A refusal of the backup service.
fn backup_error(status: u16, code: &'static str, message: &'static str) -> ApiError {
    ApiError::new(status, code, message).shaped(Shape::Gateway)
}

impl VaultSpec {
    /// Whether a server of that name and id may be backed up into it.
    pub(super) fn takes(&self, name: &str, id: &str) -> bool {
        self.servers.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == pattern || id == pattern,
        })
    }

    /// Whether something in that group may be meant by one of its names.
    pub(super) fn means(pattern: &str, group: &ServerGroup) -> bool {
        let fixed = group.name.split('#').next().unwrap_or_default();
        let begin = pattern.strip_suffix('*').unwrap_or(pattern);
        let common = fixed.len().min(begin.len());
        group.ids.iter().any(|id| id == pattern)
            || fixed.as_bytes()[..common] == begin.as_bytes()[..common]
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{self, calm};
    use super::super::{Faults, Knobs, Span};
    use super::*;
    use crate::domain::StopMode;

    const TEXT: &str = "servers: [{ count: 2, name: web-# }, { name: db-1, status: ERROR }]\n\
                        vaults: [{ name: v, id: v1, size_gib: 200, servers: ['web-*', db-1] }]";

    fn world() -> World {
        trial::world(TEXT, Knobs { backup: Span::exactly(60.0), ..calm() })
    }

    fn order(servers: Option<Vec<ServerId>>) -> BackupOrder {
        let (name, description) = ("pre-reinstall".to_owned(), String::new());
        BackupOrder { vault: "v1".to_owned(), name, description, servers }
    }

    fn refused(world: &mut World, order: &BackupOrder) -> Option<&'static str> {
        world.create_checkpoint(Millis(0), order).err().map(|error| error.code)
    }

    #[test]
    fn a_server_is_not_reinstalled_while_it_is_backed_up() {
        let mut world = world();
        let server = trial::ids(&world).remove(0);
        trial::job(&mut world, 0, &trial::stop_of(&server, StopMode::Hard));
        world.advance(Millis::secs(10));
        let order = order(Some(vec![server.clone()]));
        let made = world.create_checkpoint(Millis::secs(10), &order).expect("taken").clone();
        let status = |world: &World, at| world.checkpoint_status(Millis::secs(at), &made);
        assert_eq!((made.backups.len(), made.skipped.len()), (1, 0));
        let wipe = trial::reinstall_of(&world, &server);
        assert_eq!(trial::answer(&mut world, 69, &wipe), Err("Ecs.0073".to_owned()));
        assert_eq!(status(&world, 69), "protecting");
        assert_eq!(world.backups[0].progress(Millis::secs(40)), 50);
        trial::job(&mut world, 70, &wipe);
        assert_eq!(status(&world, 70), "available");
        assert_eq!(world.vaults[0].used_mib, 140 * MIB);
        assert!(world.backups[0].disks[0].system && !world.backups[0].disks[1].system);
    }

    #[test]
    fn what_cannot_be_backed_up_is_skipped_in_an_answer_that_looks_well() {
        let mut world = world();
        let ids = trial::ids(&world);
        let taken = world.create_checkpoint(Millis(0), &order(None)).expect("taken").clone();
        assert_eq!(taken.backups.len(), 2);
        assert_eq!(taken.skipped[0].0, ids[2], "a broken server");
        let again = world.create_checkpoint(Millis(0), &order(None)).expect("taken").clone();
        assert_eq!((again.backups.len(), again.skipped.len()), (0, 3), "backed up just now");
    }

    #[test]
    fn vaults_refuse_by_state_by_size_and_for_want_of_servers() {
        let mut world = world();
        let nobody = order(Some(vec![ServerId::from("nobody")]));
        assert_eq!(refused(&mut world, &nobody), Some("BackupService.0001"));
        "frozen".clone_into(&mut world.vaults[0].status);
        assert_eq!(refused(&mut world, &order(None)), Some("BackupService.6113"));
        "available".clone_into(&mut world.vaults[0].status);
        world.vaults[0].used_mib = 200 * MIB;
        assert_eq!(refused(&mut world, &order(None)), Some("BackupService.6114"));
    }

    #[test]
    fn a_backup_may_fail_and_then_it_takes_no_room() {
        let mut world = world();
        world.set_faults(Faults { backup_failure: 1.0, ..Faults::default() });
        let made = world.create_checkpoint(Millis(0), &order(None)).expect("taken").clone();
        world.advance(Millis::secs(60));
        assert_eq!(world.checkpoint_status(Millis::secs(60), &made), "error");
        assert_eq!(world.vaults[0].used_mib, 0);
        assert!(world.disks.iter().all(|disk| disk.status == "in-use"));
    }
}
