//! What was read of a cloud: the only thing that plans are drawn from.

use indexmap::IndexMap;

use crate::domain::{
    AgencyState, Image, ImageId, JobId, KeyPair, KmsKey, Quota, Server, ServerId, Snapshot, Vault,
    Volume, VolumeId, WayBack,
};

use super::Machine;

/// What was read of a cloud. [`Survey`](super::Survey) makes one; tests write one down.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Every server that can be seen, each once.
    pub servers: Vec<Server>,
    /// The disks of the servers in question.
    pub volumes: IndexMap<VolumeId, Volume>,
    /// Snapshots of their system disks: a reinstall deletes them with the disk.
    pub snapshots: Vec<Snapshot>,
    /// Vaults for backups of servers; empty: nobody needed to know.
    pub vaults: Vec<Vault>,
    /// The newest backup of each server that can be restored.
    pub backups: IndexMap<ServerId, WayBack>,
    /// Images by id, their own ones among them; `None`: deleted, or no longer shared with us.
    pub images: IndexMap<ImageId, Option<Image>>,
    /// Images that a playbook names, by that name: there may be none, and there may be several.
    pub named_images: IndexMap<String, Vec<Image>>,
    /// The key pairs in question; `None`: the acting user cannot see it.
    pub key_pairs: IndexMap<String, Option<KeyPair>>,
    /// The KMS keys in question, and perhaps others.
    pub keys: Vec<KmsKey>,
    /// The EVS quota; `None`: we may not read it.
    pub quota: Option<Quota>,
    /// Whether EVS may use KMS; `None`: nobody needed to know.
    pub agency: Option<AgencyState>,
    /// The requests that replaced the system of each server, where the cloud keeps records of them
    /// beside the server.
    pub replaced_by: IndexMap<ServerId, Vec<JobId>>,
    /// What could not be read though it was asked for, in sentences. Not a "no", but worth a line.
    pub unread: Vec<Unread>,
    /// The machine that this runs on.
    pub here: Machine,
}

/// Something that we were not allowed to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The EVS quota.
    Quota,
    /// KMS keys.
    Keys,
    /// Snapshots of disks.
    Snapshots,
    /// Vaults for backups.
    Vaults,
    /// Backups of servers.
    Backups,
    /// The records of what was done to a server.
    Records,
    /// The listing changed under our hands, several times.
    SomeServers,
}

impl Unread {
    /// What that means for the plan.
    #[must_use]
    pub fn warning(self) -> &'static str {
        match self {
            Self::Quota => {
                "the EVS quota could not be read (not allowed): whether there is room for the new \
                 system disks is not known"
            }
            Self::Keys => {
                "KMS keys could not be read (not allowed): whether they are enabled is not known"
            }
            Self::Snapshots => {
                "snapshots of disks could not be listed (not allowed): those of the system disks \
                 will be deleted unseen"
            }
            Self::Vaults => {
                "vaults could not be listed (not allowed): whether the backups can be taken is not \
                 known"
            }
            Self::Backups => {
                "backups of servers could not be listed: whether there is a way back already is \
                 not known"
            }
            Self::Records => {
                "the records of what was done to a server could not be read (not allowed): a rebuild \
                 by somebody else would not be seen, so servers whose disks cannot tell will not be \
                 wiped"
            }
            Self::SomeServers => {
                "the list of servers changed while it was read: servers made or deleted just now \
                 may be missing"
            }
        }
    }
}

impl Inventory {
    /// The KMS key of that id or alias.
    #[must_use]
    pub fn key(&self, id_or_alias: &str) -> Option<&KmsKey> {
        let alias = id_or_alias.strip_prefix("alias/").unwrap_or(id_or_alias);
        self.keys.iter().find(|key| key.id == id_or_alias || key.alias == alias)
    }
}
