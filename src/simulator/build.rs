//! Puts into a world what its spec says.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::password::Password;
use super::sizes::size;
use super::spec::{ImageSpec, ServerGroup, ServerStatus, WorldSpec};
use super::world::World;
use crate::domain::{
    Address, AddressKind, Attachment, Image, ImageId, KeyPair, KmsKey, Millis, Server, ServerId,
    Timestamp, UserId, Volume, VolumeId,
};

/// Servers were made 30 days before the world began.
const AGE_MS: i64 = 30 * 24 * 3_600 * 1_000;

impl World {
    /// Puts everything in.
    pub(super) fn populate(&mut self, spec: &WorldSpec) {
        for key in &spec.keys {
            let id = key.id.clone().unwrap_or_else(|| self.dice.uuid());
            self.keys.push(KmsKey { id, alias: key.alias.clone(), state: key.state });
        }
        self.add_key_pairs(spec);
        let mut image_ids = BTreeMap::new();
        for image in &spec.images {
            let id = ImageId::new(image.id.clone().unwrap_or_else(|| self.dice.uuid()));
            image_ids.insert(image.name.as_str(), id.clone());
            image_ids.insert(image.id.as_deref().unwrap_or(&image.name), id.clone());
            if image.whole_server {
                self.image_backups.insert(id.clone(), image.backup_state);
            }
            if !image.gone {
                let made = self.image_of(&id, image);
                self.images.insert(id, made);
            }
        }
        for group in &spec.servers {
            let unknown = ImageId::from(group.image.as_str());
            let image = image_ids.get(group.image.as_str()).unwrap_or(&unknown);
            for n in 0..group.count {
                self.add_server(group, image, n);
            }
        }
        for vault in &spec.vaults {
            self.add_vault(vault);
        }
        self.expect_visits(&spec.people);
    }

    fn add_key_pairs(&mut self, spec: &WorldSpec) {
        let own = [(self.account.key_name.clone(), None)];
        let others = spec.key_pairs.iter().map(|pair| (pair.name.clone(), pair.owner.clone()));
        for (name, owner) in own.into_iter().chain(others) {
            let user = UserId::new(owner.unwrap_or_else(|| self.account.user_id.clone()));
            let digits = self.dice.hex();
            let pairs: Vec<&str> = (0..16).map(|at| &digits[at * 2..at * 2 + 2]).collect();
            self.key_pairs.push(KeyPair { name, fingerprint: pairs.join(":"), user: Some(user) });
        }
    }

    /// The id of the KMS key of that id or alias.
    fn key_id(&self, text: &str) -> String {
        let found = self.keys.iter().find(|key| key.id == text || key.alias == text);
        found.map_or(text, |key| &key.id).to_owned()
    }

    fn image_of(&self, id: &ImageId, spec: &ImageSpec) -> Image {
        Image {
            id: id.clone(),
            name: spec.name.clone(),
            status: spec.status.clone(),
            kind: spec.kind.clone(),
            registered: spec.registered,
            os_type: spec.os_type.clone(),
            platform: spec.platform.clone(),
            os_version: spec.os_version.clone(),
            cloud_init: spec.cloud_init,
            whole_server: spec.whole_server,
            backup: spec
                .whole_server
                .then(|| spec.backup.clone().unwrap_or_else(|| id.to_string())),
            charged: spec.charged,
            key: spec.encrypted.as_deref().map(|key| self.key_id(key)),
            min_disk_gib: spec.min_disk_gib,
            min_ram_mib: spec.min_ram_mib,
            made_for: Some("FusionCompute".to_owned()),
        }
    }

    fn add_server(&mut self, group: &ServerGroup, image: &ImageId, n: u32) {
        let index = self.machines.len();
        let listed = group.ids.get(n as usize).cloned();
        let id = ServerId::new(listed.unwrap_or_else(|| self.dice.uuid()));
        let created = Timestamp(self.wall(Millis(0)).0 - AGE_MS);
        let zone = n as usize % group.zones.len().max(1);
        let mut machine = Machine {
            server: Server {
                id: id.clone(),
                name: numbered(&group.name, n + 1),
                status: group.status.as_str().to_owned(),
                task_state: None,
                locked: group.locked,
                frozen: group.frozen,
                fault: None,
                image: image.clone(),
                image_name: self.images.get(image).map(|image| image.name.clone()),
                key_name: self.key_name(group),
                user: UserId::new(
                    group.user.clone().unwrap_or_else(|| self.account.user_id.clone()),
                ),
                flavor: group.flavor.clone(),
                ram_mib: Some(size(&group.flavor).ram_mib),
                az: group.zones.get(zone).cloned().unwrap_or_default(),
                tags: group.tags.clone().into_iter().collect(),
                os_type: Some(group.os_type.clone()),
                from_iso: group.from_iso,
                prepaid: group.prepaid,
                local_disk_gib: None,
                volumes: Vec::new(),
                addresses: self.addresses(index, group),
                created: Some(created),
                updated: Some(created),
            },
            version: 0,
            stale: None,
            system: None,
            data: Vec::new(),
            task: None,
            injecting_until: None,
            serves_from: Millis(0),
            password: Password::Stored,
            gone: false,
            last_failed: false,
            counts: Vec::new(),
            on: group.status == ServerStatus::Active,
            installed_by: None,
            launched: created,
        };
        self.add_disks(group, &mut machine, created);
        self.by_id.insert(id, index);
        self.machines.push(machine);
    }

    fn key_name(&self, group: &ServerGroup) -> Option<String> {
        let name = group.key.clone().unwrap_or_else(|| self.account.key_name.clone());
        Some(name).filter(|name| !name.is_empty())
    }

    fn add_disks(&mut self, group: &ServerGroup, machine: &mut Machine, created: Timestamp) {
        if group.system_gib > 0 {
            let disk = self.disk(group, &machine.server.id, (group.system_gib, created));
            let key = group.encrypted.as_deref().map(|key| self.key_id(key));
            let disk = Volume { status: group.system_status.clone(), key, ..disk };
            self.add_snapshots(&disk, group.system_snapshots);
            machine.server.volumes.push(attached(&disk, 0));
            machine.system = Some(self.add_disk(disk));
        }
        for (n, gib) in group.data_gib.iter().enumerate() {
            let disk = self.disk(group, &machine.server.id, (*gib, created));
            self.add_snapshots(&disk, group.data_snapshots);
            machine.server.volumes.push(attached(&disk, n + 1));
            machine.data.push(self.add_disk(disk));
        }
    }

    fn disk(
        &mut self,
        group: &ServerGroup,
        server: &ServerId,
        (size_gib, created): (u64, Timestamp),
    ) -> Volume {
        Volume {
            id: VolumeId::new(self.dice.uuid()),
            size_gib,
            status: "in-use".to_owned(),
            kind: group.disk_type.clone(),
            key: None,
            server: Some(server.clone()),
            created: Some(created),
        }
    }

    fn add_disk(&mut self, disk: Volume) -> usize {
        let slot = self.disks.len();
        self.used_gib += disk.size_gib;
        self.disk_by_id.insert(disk.id.clone(), slot);
        self.disks.push(disk);
        slot
    }

    fn addresses(&mut self, index: usize, group: &ServerGroup) -> Vec<Address> {
        let n = index + 10;
        let (a, b, c) = (n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
        let port = self.dice.uuid();
        let mac = format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}");
        let address =
            |addr: String, kind| Address { addr, mac: mac.clone(), port: port.clone(), kind };
        let mut all = vec![address(format!("10.{a}.{b}.{c}"), AddressKind::Fixed)];
        if group.floating {
            all.push(address(format!("198.{}.{b}.{c}", 18 + (a & 1)), AddressKind::Floating));
        }
        all.sort();
        all
    }
}

/// `/dev/vda` is the system disk, `/dev/vdb` the first data disk.
fn attached(disk: &Volume, n: usize) -> Attachment {
    let letter = char::from(b'a' + u8::try_from(n % 26).unwrap_or(0));
    Attachment { id: disk.id.clone(), device: format!("/dev/vd{letter}"), boot: n == 0 }
}

/// The name with its run of `#` replaced by the number.
fn numbered(pattern: &str, n: u32) -> String {
    let width = pattern.chars().filter(|c| *c == '#').count();
    let run = "#".repeat(width);
    if width == 0 { pattern.to_owned() } else { pattern.replacen(&run, &format!("{n:0width$}"), 1) }
}
