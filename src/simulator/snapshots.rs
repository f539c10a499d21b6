//! Snapshots of disks. Those of a system disk go with it when it is replaced, those of data disks
//! stay (`storage-image-kms.md`, section 3): that is why a snapshot is no backup before a reinstall.

use super::error::ApiError;
use super::world::World;
use crate::domain::{Millis, Timestamp, Volume, VolumeId};

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Its id.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Free text.
    pub(super) description: Option<String>,
    /// The disk it was made of.
    pub(super) volume: VolumeId,
    /// The disk's size in GiB.
    pub(super) size_gib: u64,
    /// When it was asked for.
    pub(super) created: Timestamp,
    /// From when on it can be used.
    pub(super) available: Millis,
}

impl Snapshot {
    /// Its status at that moment.
    pub(super) fn status(&self, now: Millis) -> &'static str {
        if now < self.available { "creating" } else { "available" }
    }
}

impl World {
    /// Snapshots of one disk, or of all; those of a disk are in the order in which they were made.
    pub(super) fn snapshots(&self, volume: Option<&VolumeId>) -> Vec<&Snapshot> {
        match volume {
            Some(volume) => self.snapshots.get(volume).into_iter().flatten().collect(),
            None => self.snapshots.values().flatten().collect(),
        }
    }

    /// One snapshot.
    pub(super) fn show_snapshot(&self, id: &str) -> Result<&Snapshot, ApiError> {
        let found = self.snapshots.values().flatten().find(|snapshot| snapshot.id == id);
        let missing =
            || ApiError::new(404, "EVS.5404", format!("Snapshot {id} could not be found."));
        found.ok_or_else(missing)
    }

    /// Makes a snapshot of a disk.
    pub(super) fn create_snapshot(
        &mut self,
        now: Millis,
        volume: &VolumeId,
        (name, description): (&str, Option<&str>),
    ) -> Result<&Snapshot, ApiError> {
        let missing =
            || ApiError::new(404, "EVS.5404", format!("Volume {volume} could not be found."));
        let slot = *self.disk_by_id.get(volume).ok_or_else(missing)?;
        let available = self.after(now, self.knobs.snapshot);
        let snapshot = Snapshot {
            id: self.dice.uuid(),
            name: name.to_owned(),
            description: description.map(str::to_owned),
            volume: volume.clone(),
            size_gib: self.disks[slot].size_gib,
            created: self.wall(now),
            available,
        };
        let all = self.snapshots.entry(volume.clone()).or_default();
        all.push(snapshot);
        Ok(&all[all.len() - 1])
    }

    /// Puts in `count` snapshots that a disk has when the world begins.
    pub(super) fn add_snapshots(&mut self, disk: &Volume, count: u32) {
        for n in 1..=count {
            let snapshot = Snapshot {
                id: self.dice.uuid(),
                name: format!("snapshot-{n:04}"),
                description: None,
                volume: disk.id.clone(),
                size_gib: disk.size_gib,
                created: disk.created.unwrap_or_default(),
                available: Millis(0),
            };
            self.snapshots.entry(disk.id.clone()).or_default().push(snapshot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{self, calm};
    use super::*;
    use crate::domain::StopMode;

    #[test]
    fn a_reinstall_takes_the_snapshots_of_the_system_disk_and_of_no_other() {
        let text = "servers: [{ count: 2, system_snapshots: 2, data_snapshots: 1 }]";
        let mut world = trial::world(text, calm());
        let server = trial::ids(&world).remove(0);
        let volumes = |world: &World| -> Vec<VolumeId> {
            let server = world.server(&server).expect("there");
            server.volumes.iter().map(|volume| volume.id.clone()).collect()
        };
        let count = |world: &World, disk: &VolumeId| world.snapshots(Some(disk)).len();
        let before = volumes(&world);
        assert_eq!((count(&world, &before[0]), count(&world, &before[1])), (2, 1));
        trial::job(&mut world, 0, &trial::stop_of(&server, StopMode::Hard));
        let made = world.create_snapshot(Millis::secs(9), &before[0], ("late", None));
        let made = made.expect("a snapshot").clone();
        assert_eq!(made.status(Millis::secs(9)), "creating");
        let wipe = trial::reinstall_of(&world, &server);
        trial::job(&mut world, 10, &wipe);
        world.advance(Millis::secs(69));
        assert_eq!(count(&world, &before[0]), 3, "the old disk is still there");
        world.advance(Millis::secs(70));
        let after = volumes(&world);
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1], after[1]);
        assert_eq!(count(&world, &before[0]) + count(&world, &after[0]), 0);
        assert_eq!(count(&world, &after[1]), 1);
        assert_eq!(world.snapshots(None).len(), 4, "those of the other server stay");
        assert_eq!(world.show_snapshot(&made.id).map_err(|error| error.code), Err("EVS.5404"));
    }
}
