//! Which parts of a cloud a playbook or a plan rests on, apart from the servers themselves.

use indexmap::IndexSet;

use crate::domain::{Encryption, ImageId, Login, Server, ServerId, VolumeId};
use crate::fleet::Refusal;
use crate::playbook::{EncryptionSpec, ImageChoice, LoginSpec, Playbook, Treatment};

use super::choose::{Treatments, choose};
use super::{Narrowing, Plan};

/// Things to read, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    pub(super) volumes: IndexSet<VolumeId>,
    /// System disks: their snapshots go with them.
    pub(super) wiped: IndexSet<VolumeId>,
    pub(super) images: IndexSet<ImageId>,
    /// Images by name.
    pub(super) image_names: IndexSet<String>,
    pub(super) key_pairs: IndexSet<String>,
    /// KMS keys by id or alias.
    pub(super) keys: IndexSet<String>,
    /// The servers themselves: their newest backups are their way back.
    pub(super) servers: IndexSet<ServerId>,
    /// Somebody is to be backed up: vaults matter.
    pub(super) backups: bool,
    /// System disks whose KMS key is kept, whichever that is.
    pub(super) kept: IndexSet<VolumeId>,
}

impl Wants {
    /// What is needed to plan this part of a playbook.
    pub(super) fn of_playbook(
        playbook: &Playbook,
        narrowing: &Narrowing,
        servers: &[Server],
    ) -> Result<Self, Vec<Refusal>> {
        let mut wants = Self::default();
        for selection in choose(playbook, narrowing, servers)? {
            let Some(fleet) = playbook.fleets.get(&selection.fleet) else { continue };
            let mut treatments = Treatments::new(fleet);
            for chosen in selection.chosen {
                let (_, treatment) = treatments.of(&chosen);
                wants.add(chosen.server, treatment);
            }
        }
        Ok(wants)
    }

    /// What these servers are made of, as far as a first playbook names it.
    pub(super) fn of_servers(servers: &[Server]) -> Self {
        Self {
            images: servers.iter().map(|server| server.image.clone()).collect(),
            key_pairs: servers.iter().filter_map(|server| server.key_name.clone()).collect(),
            ..Self::default()
        }
    }

    /// What a finished plan rests on.
    pub(super) fn of_plan(plan: &Plan) -> Self {
        let mut wants = Self { images: plan.images.keys().cloned().collect(), ..Self::default() };
        wants.backups = plan.treatments.iter().any(|treatment| treatment.backup.is_some());
        for target in plan.targets.values() {
            if !target.found.system_volume.is_local() {
                wants.volumes.insert(target.found.system_volume.clone());
                wants.wiped.insert(target.found.system_volume.clone());
            }
            if let Login::KeyPair { name, owner } = &target.reinstall.login
                && *owner == plan.cloud.user_id
                && !wants.key_pairs.contains(name)
            {
                wants.key_pairs.insert(name.clone());
            }
            if let Encryption::Key(key) = &target.reinstall.encryption
                && !wants.keys.contains(key)
            {
                wants.keys.insert(key.clone());
            }
        }
        wants
    }

    fn image(&mut self, id: &ImageId) {
        if !self.images.contains(id) {
            self.images.insert(id.clone());
        }
    }

    fn add(&mut self, server: &Server, treatment: &Treatment) {
        self.servers.insert(server.id.clone());
        self.backups |= treatment.backup.is_some();
        let volumes = server.volumes.iter().map(|volume| &volume.id);
        self.volumes.extend(volumes.filter(|id| !id.is_local()).cloned());
        let system = server.system_volume().filter(|id| !id.is_local());
        self.wiped.extend(system.cloned());
        if server.image_name.is_none() && treatment.reinstall.image != ImageChoice::Current {
            // Its old image goes by an id alone, and people know names.
            self.image(&server.image);
        }
        match &treatment.reinstall.image {
            ImageChoice::Named(name) if !is_image_id(name) => {
                if !self.image_names.contains(name) {
                    self.image_names.insert(name.clone());
                }
            }
            ImageChoice::Named(id) => self.image(&ImageId::from(id.as_str())),
            ImageChoice::Current => self.image(&server.image),
        }
        let key_pair = match &treatment.reinstall.login {
            LoginSpec::ServerKey => server.key_name.as_ref(),
            LoginSpec::KeyPair { name, .. } => Some(name),
            LoginSpec::Password(_) => None,
        };
        if let Some(name) = key_pair.filter(|name| !self.key_pairs.contains(*name)) {
            self.key_pairs.insert(name.clone());
        }
        match &treatment.reinstall.encryption {
            EncryptionSpec::Keep => self.kept.extend(system.cloned()),
            EncryptionSpec::None => {}
            EncryptionSpec::KmsKey(key) => {
                self.keys.insert(key.clone());
            }
        }
    }
}

/// Ids of images are UUIDs; anything else is a name.
pub(super) fn is_image_id(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
