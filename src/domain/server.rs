//! What a cloud tells us about its things, reduced to what we decide by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HostFacts, ImageId, JobId, ServerId, Tags, Timestamp, UserId, VolumeId};

/// A server as one look showed it (`reference/ecs.md`, sections 3, 4 and 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct Server {
    /// Its id: the only thing that we ever address it by.
    pub id: ServerId,
    /// Its name; not unique.
    pub name: String,
    /// `ACTIVE`, `SHUTOFF`, `ERROR`, `REBUILD` … as the cloud writes it.
    pub status: String,
    /// What is being done to it just now; `None` is the only "nothing".
    pub task_state: Option<String>,
    /// Locked by somebody: refuses everything, and we never unlock.
    pub locked: bool,
    /// Frozen by the operator of the cloud (`EcmResStatus`).
    pub frozen: bool,
    /// What went wrong last, if the cloud says so.
    pub fault: Option<String>,
    /// The image that a reinstall would use (`metering.image_id`, else `image.id`).
    pub image: ImageId,
    /// Name of that image, where the server's metadata has it.
    pub image_name: Option<String>,
    /// The key pair in use.
    pub key_name: Option<String>,
    /// Who made the server.
    pub user: UserId,
    /// Flavor id, such as `s3.large.2`.
    pub flavor: String,
    /// Memory in MiB, where the cloud says it.
    pub ram_mib: Option<u64>,
    /// Availability zone.
    pub az: String,
    /// Tags, from everywhere that the cloud keeps them.
    pub tags: Tags,
    /// `Linux` or `Windows`, where known.
    pub os_type: Option<String>,
    /// Created from an ISO image: a reinstall is not documented for it.
    pub from_iso: bool,
    /// Paid by the month or the year (`charging_mode`): markets tie such servers to their image.
    pub prepaid: bool,
    /// GiB of a system disk that is no volume, where the cloud says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_disk_gib: Option<u64>,
    /// Disks, the system disk among them unless it is detached right now.
    pub volumes: Vec<Attachment>,
    /// Addresses, sorted.
    pub addresses: Vec<Address>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub updated: Option<Timestamp>,
}

impl Server {
    /// The system disk, unless it is detached right now.
    #[must_use]
    pub fn system_volume(&self) -> Option<&VolumeId> {
        self.volumes.iter().find(|volume| volume.boot).map(|volume| &volume.id)
    }

    /// What templates are filled in with.
    #[must_use]
    pub fn host(&self) -> HostFacts<'_> {
        HostFacts {
            id: &self.id,
            name: &self.name,
            az: &self.az,
            addresses: &self.addresses,
            tags: &self.tags,
        }
    }

    /// The disks that a reinstall keeps.
    pub fn data_volumes(&self) -> impl Iterator<Item = &VolumeId> {
        self.volumes.iter().filter(|volume| !volume.boot).map(|volume| &volume.id)
    }

    /// Stopped and at rest. A server that is starting shows `SHUTOFF` too, so the task counts.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.status == "SHUTOFF" && self.task_state.is_none()
    }

    /// Running and at rest. A server that is stopping shows `ACTIVE` too, so the task counts.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == "ACTIVE" && self.task_state.is_none()
    }
}

/// A disk at a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// The disk.
    pub id: VolumeId,
    /// `/dev/vda` and so on.
    pub device: String,
    /// Whether the server boots from it: the system disk.
    pub boot: bool,
}

/// Whether an address belongs to the port or was bound to it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Of the port itself.
    Fixed,
    /// Elastic address bound to it.
    Floating,
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The address.
    pub addr: String,
    /// MAC of its port.
    pub mac: String,
    /// The port.
    pub port: String,
    /// Of the port, or bound to it.
    pub kind: AddressKind,
}

/// A disk as EVS shows it (`reference/storage-image-kms.md`, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// Its size in GiB.
    pub size_gib: u64,
    /// `in-use`, `available`, `backing-up` … as the cloud writes it.
    pub status: String,
    /// `SSD`, `SAS` …
    pub kind: String,
    /// The KMS key it is encrypted with; `None` is a plain disk.
    pub key: Option<String>,
    /// The server it is attached to.
    pub server: Option<ServerId>,
    /// When it was made: tells an old system disk from a new one.
    pub created: Option<Timestamp>,
}

/// A snapshot of a disk (`reference/storage-image-kms.md`, section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The disk that it is of.
    pub volume: VolumeId,
    /// `available`, `creating` … as the cloud writes it.
    pub status: String,
}

/// Whether the password of a Windows server can be fetched; what it is, nobody here wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLook {
    /// There is one.
    There,
    /// Not yet.
    NotYet,
}

/// An image (`reference/storage-image-kms.md`, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// `active`, `queued` …
    pub status: String,
    /// `gold`, `private`, `shared`, `market`.
    pub kind: String,
    /// Registered and usable.
    pub registered: bool,
    /// `Linux`, `Windows`, `Other`.
    pub os_type: String,
    /// `Ubuntu`, `SUSE`, `Red Hat`, `Oracle Linux` …
    pub platform: String,
    /// Free text, tells SLES from openSUSE.
    pub os_version: String,
    /// Whether credentials are injected by cloud-init: selects the v2 call, else v1.
    pub cloud_init: bool,
    /// A full-ECS image.
    pub whole_server: bool,
    /// The backup that a full-ECS image rests on.
    pub backup: Option<String>,
    /// The image carries a charge of its own (`__account_code`, Huawei Cloud).
    pub charged: bool,
    /// The KMS key an encrypted image carries.
    pub key: Option<String>,
    /// GiB that a disk must have for it.
    pub min_disk_gib: u64,
    /// MiB of memory that a server must have for it.
    pub min_ram_mib: u64,
    /// What it is made for (`virtual_env_type`): `FusionCompute` is a system disk of a server.
    pub made_for: Option<String>,
}

/// State of a task of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Taken, not begun.
    Init,
    /// Begun.
    Running,
    /// Done.
    Success,
    /// Failed; nothing will come after it.
    Fail,
}

/// A task of the cloud as a query showed it (`reference/ecs.md`, section 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Where it is.
    pub status: JobStatus,
    /// Why it failed: the cloud's code.
    pub error_code: Option<String>,
    /// Why it failed: the cloud's sentence.
    pub fail_reason: Option<String>,
    /// One part for each server of a batch; often empty for a single server.
    pub parts: Vec<SubJob>,
}

/// The part of a batch that concerns one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubJob {
    /// The server.
    pub server: ServerId,
    /// Where the part is.
    pub status: JobStatus,
    /// Why it failed: the cloud's code.
    pub error_code: Option<String>,
    /// Why it failed: the cloud's sentence.
    pub fail_reason: Option<String>,
}

/// One line of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaLine {
    /// The most there may be; `None` is no limit.
    pub limit: Option<u64>,
    /// In use or reserved.
    pub used: u64,
}

impl QuotaLine {
    /// What is left; `None` is no limit.
    #[must_use]
    pub fn free(self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }
}

/// The EVS quota (`reference/storage-image-kms.md`, section 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// Number of disks.
    pub volumes: QuotaLine,
    /// Their size together.
    pub gigabytes: QuotaLine,
    /// The same for each disk type that has limits of its own: number, size.
    pub by_kind: BTreeMap<String, (QuotaLine, QuotaLine)>,
}

/// A key pair that the acting user can see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPair {
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its owner, where the cloud says so.
    pub user: Option<UserId>,
}

/// State of a KMS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Waiting to be activated.
    PendingActivation,
    /// The only state in which it can be used.
    Enabled,
    /// Switched off.
    Disabled,
    /// Will be deleted.
    PendingDeletion,
    /// Waiting for its material.
    PendingImport,
}

/// A KMS key (`reference/storage-image-kms.md`, section 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KmsKey {
    /// Its id.
    pub id: String,
    /// Its alias, such as `evs/default`.
    pub alias: String,
    /// Whether it can be used.
    pub state: KeyState,
}

/// Whether EVS may use KMS keys: the agency `EVSAccessKMS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgencyState {
    /// It is there.
    Granted,
    /// It is there, and no role for KMS was seen in the project. It may be inherited.
    Powerless,
    /// It is not there.
    Missing,
    /// We are not allowed to look; not a "no".
    Unknown,
}

/// One line of the cloud's audit log (`reference/storage-image-kms.md`, section 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// `reinstallOsV2`, `reinstallOs`, `changeOs` …
    pub name: String,
    /// The server.
    pub server: ServerId,
    /// When the call was made.
    pub time: Timestamp,
    /// The HTTP status that the call was answered with.
    pub code: u16,
    /// The job that the answer named, where the log keeps answers.
    pub job: Option<JobId>,
}
