//! Backups of whole servers, and the vaults that they go to (`reference/storage-image-kms.md`,
//! section 4).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JobId, ServerId, Timestamp, VolumeId};

/// A vault as one look showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Its id.
    pub id: String,
    /// Its name; not unique.
    pub name: String,
    /// `available`, `lock`, `frozen`, `deleting`, `error` as the cloud writes it.
    pub status: String,
    /// It takes backups of servers, and not of disks or replicas.
    pub takes_servers: bool,
    /// Its size in GiB.
    pub size_gib: u64,
    /// What is used of it in MiB.
    pub used_mib: u64,
    /// The servers that may be backed up into it.
    pub servers: BTreeSet<ServerId>,
    /// Disks of these that are left out of their backups.
    pub left_out: BTreeSet<VolumeId>,
}

impl Vault {
    /// MiB that are left.
    #[must_use]
    pub fn free_mib(&self) -> u64 {
        (self.size_gib * 1_024).saturating_sub(self.used_mib)
    }
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupState {
    /// It is being made.
    UnderWay,
    /// It can be restored.
    Available,
    /// It cannot be restored, and never will be.
    Failed,
}

/// The backup of one server as a look showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// The request that it was made by.
    pub checkpoint: JobId,
    /// Its name: ours say which run asked for them.
    pub name: String,
    /// The server.
    pub server: ServerId,
    /// How far it is.
    pub state: BackupState,
    /// The system disk is in it, as far as the cloud says.
    pub has_system_disk: bool,
    /// When it was asked for.
    pub created: Option<Timestamp>,
}

/// A backup that there is already: a way back, for what was on the server then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WayBack {
    /// Id of the backup.
    pub id: String,
    /// When it was made.
    pub made: Timestamp,
}
