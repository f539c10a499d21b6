//! Vaults, checkpoints and backups as the cloud writes them (`storage-image-kms.md`, section 4).

use serde::Deserialize;

use super::super::fault;
use super::super::lenient::{Text, object_or_default, or_default};
use crate::domain::{self, BackupState, Fault, FaultClass, JobId, ServerId, VolumeId};

#[derive(Deserialize)]
pub(super) struct Vaults {
    #[serde(deserialize_with = "or_default")]
    pub(super) vaults: Vec<Vault>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Vault {
    id: Text,
    name: Text,
    #[serde(deserialize_with = "or_default")]
    billing: Billing,
    #[serde(deserialize_with = "or_default")]
    resources: Vec<Resource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Billing {
    status: Text,
    /// GiB.
    size: Text,
    /// MiB.
    used: Text,
    object_type: Text,
    protect_type: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    id: Text,
    #[serde(deserialize_with = "object_or_default")]
    extra_info: ExtraInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraInfo {
    #[serde(deserialize_with = "or_default")]
    exclude_volumes: Vec<Text>,
}

impl Vault {
    pub(super) fn into_domain(self) -> Option<domain::Vault> {
        let count = |text: &Text| text.number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let fits = |text: &Text, wanted| !text.is_some() || text.as_str() == wanted;
        let billing = self.billing;
        let left_out =
            self.resources.iter().flat_map(|resource| &resource.extra_info.exclude_volumes);
        Some(domain::Vault {
            id: self.id.some()?,
            name: self.name.or_empty(),
            takes_servers: fits(&billing.object_type, "server")
                && fits(&billing.protect_type, "backup"),
            size_gib: count(&billing.size),
            used_mib: count(&billing.used),
            status: billing.status.or_empty(),
            left_out: left_out.map(|disk| VolumeId::from(disk.as_str())).collect(),
            servers: self.resources.iter().map(|it| ServerId::from(it.id.as_str())).collect(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct OneCheckpoint {
    pub(super) checkpoint: Checkpoint,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Checkpoint {
    id: Text,
    #[serde(deserialize_with = "or_default")]
    vault: CheckpointVault,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckpointVault {
    #[serde(deserialize_with = "or_default")]
    skipped_resources: Vec<Skipped>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Skipped {
    pub(super) id: Text,
    code: Text,
    reason: Text,
}

impl Checkpoint {
    /// Its id, and what it does not back up.
    pub(super) fn into_parts(self) -> Option<(String, Vec<Skipped>)> {
        Some((self.id.some()?, self.vault.skipped_resources))
    }
}

impl Skipped {
    pub(super) fn into_fault(self) -> Fault {
        let code = self.code.some().unwrap_or_else(|| "refleet.skipped".to_owned());
        let reason = self.reason.some().unwrap_or_else(|| "the cloud gives no reason".to_owned());
        fault::ours(FaultClass::Busy, &code, format!("the backup skips the server: {reason}"))
    }
}

#[derive(Deserialize)]
pub(super) struct Backups {
    #[serde(deserialize_with = "or_default")]
    pub(super) backups: Vec<Backup>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Backup {
    id: Text,
    checkpoint_id: Text,
    name: Text,
    resource_id: Text,
    status: Text,
    created_at: Text,
    #[serde(deserialize_with = "object_or_default")]
    extend_info: ExtendInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtendInfo {
    contain_system_disk: Text,
}

impl Backup {
    pub(super) fn into_domain(self) -> Option<domain::Backup> {
        let has = &self.extend_info.contain_system_disk;
        Some(domain::Backup {
            id: self.id.some()?,
            checkpoint: JobId::new(self.checkpoint_id.or_empty()),
            name: self.name.or_empty(),
            server: ServerId::new(self.resource_id.some()?),
            state: state(self.status.as_str()),
            has_system_disk: !has.is_some() || has.is_yes(),
            created: self.created_at.moment(),
        })
    }
}

/// One that is being restored is there; one that is being deleted will not be.
fn state(status: &str) -> BackupState {
    match status {
        "available" | "restoring" | "waiting_restore" => BackupState::Available,
        "error" | "deleting" | "waiting_delete" => BackupState::Failed,
        _ => BackupState::UnderWay,
    }
}
