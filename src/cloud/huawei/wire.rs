//! Answers as the cloud writes them, and what they mean in our words.
//!
//! Start with [`Server`]. Each type reads the fields that we decide by and no other; each
//! `From`/`into_domain` beside it is the only place that knows how the cloud spells a thing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::lenient::{Text, object_or_default, or_default};
use crate::domain::{
    self, Address, AddressKind, Attachment, ImageId, JobId, JobStatus, KeyState, PasswordLook,
    QuotaLine, ServerId, SubJob, Timestamp, UserId, VolumeId,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Servers {
    pub(super) count: Text,
    #[serde(deserialize_with = "or_default")]
    pub(super) servers: Vec<Server>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneServer {
    #[serde(deserialize_with = "or_default")]
    pub(super) server: Server,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    id: Text,
    name: Text,
    status: Text,
    #[serde(rename = "OS-EXT-STS:task_state")]
    task_state: Text,
    locked: Text,
    #[serde(deserialize_with = "object_or_default")]
    fault: ServerFault,
    #[serde(deserialize_with = "object_or_default")]
    image: Id,
    key_name: Text,
    user_id: Text,
    #[serde(deserialize_with = "object_or_default")]
    flavor: Flavor,
    #[serde(rename = "OS-EXT-AZ:availability_zone")]
    az: Text,
    #[serde(deserialize_with = "or_default")]
    tags: Vec<Tag>,
    #[serde(deserialize_with = "or_default")]
    metadata: ServerMetadata,
    #[serde(rename = "os-extended-volumes:volumes_attached", deserialize_with = "or_default")]
    volumes: Vec<AttachedVolume>,
    #[serde(deserialize_with = "or_default")]
    addresses: BTreeMap<String, Vec<ServerAddress>>,
    created: Text,
    updated: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Id {
    id: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flavor {
    id: Text,
    ram: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerFault {
    message: Text,
    code: Text,
}

/// `key=value`, or an object as other calls have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tag {
    Pair { key: Text, value: Text },
    Line(Text),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerMetadata {
    #[serde(rename = "metering.image_id")]
    image_id: Text,
    image_name: Text,
    os_type: Text,
    #[serde(rename = "EcmResStatus")]
    resource_status: Text,
    virtual_env_type: Text,
    charging_mode: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AttachedVolume {
    id: Text,
    device: Text,
    #[serde(rename = "bootIndex", alias = "boot_index")]
    boot_index: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerAddress {
    addr: Text,
    #[serde(rename = "OS-EXT-IPS:type")]
    kind: Text,
    #[serde(rename = "OS-EXT-IPS-MAC:mac_addr")]
    mac: Text,
    #[serde(rename = "OS-EXT-IPS:port_id")]
    port: Text,
}

impl Server {
    /// The server in our words; `None` without an id, or without a status to decide by.
    pub(super) fn into_domain(self) -> Option<domain::Server> {
        let image = self.metadata.image_id.some().or(self.image.id.some());
        let mut addresses: Vec<Address> =
            self.addresses.into_values().flatten().map(ServerAddress::into_domain).collect();
        addresses.sort();
        Some(domain::Server {
            id: ServerId::new(self.id.some()?),
            name: self.name.or_empty(),
            status: self.status.some()?,
            task_state: self.task_state.some(),
            locked: self.locked.is_yes(),
            frozen: self.metadata.resource_status.as_str() == "freeze",
            fault: self.fault.message.some().or(self.fault.code.some()),
            image: ImageId::new(image.unwrap_or_default()),
            image_name: self.metadata.image_name.some(),
            key_name: self.key_name.some(),
            user: UserId::new(self.user_id.or_empty()),
            ram_mib: self.flavor.ram.number().and_then(|n| u64::try_from(n).ok()),
            flavor: self.flavor.id.or_empty(),
            az: self.az.or_empty(),
            tags: self.tags.into_iter().filter_map(Tag::into_pair).collect(),
            os_type: self.metadata.os_type.some(),
            from_iso: self.metadata.virtual_env_type.as_str() == "IsoImage",
            prepaid: self.metadata.charging_mode.as_str() == "1",
            local_disk_gib: None,
            volumes: self.volumes.into_iter().filter_map(AttachedVolume::into_domain).collect(),
            addresses,
            created: self.created.moment(),
            updated: self.updated.moment(),
        })
    }
}

impl Tag {
    fn into_pair(self) -> Option<(String, String)> {
        match self {
            Self::Pair { key, value } => Some((key.some()?, value.or_empty())),
            Self::Line(line) => {
                let line = line.some()?;
                let (key, value) = line.split_once('=').unwrap_or((&line, ""));
                Some((key.to_owned(), value.to_owned()))
            }
        }
    }
}

impl AttachedVolume {
    fn into_domain(self) -> Option<Attachment> {
        Some(Attachment {
            id: VolumeId::new(self.id.some()?),
            device: self.device.or_empty(),
            boot: self.boot_index.number() == Some(0),
        })
    }
}

impl ServerAddress {
    fn into_domain(self) -> Address {
        let floating = self.kind.as_str().eq_ignore_ascii_case("floating");
        Address {
            addr: self.addr.or_empty(),
            mac: self.mac.or_empty(),
            port: self.port.or_empty(),
            kind: if floating { AddressKind::Floating } else { AddressKind::Fixed },
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Accepted {
    pub(super) job_id: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    #[serde(rename = "job_id")]
    id: Text,
    status: Text,
    error_code: Text,
    fail_reason: Text,
    #[serde(deserialize_with = "or_default")]
    entities: Entities,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entities {
    server_id: Text,
    errorcode_message: Text,
    #[serde(deserialize_with = "or_default")]
    sub_jobs: Vec<Job>,
}

impl Job {
    /// The job in our words; `None` without a status that is known.
    pub(super) fn into_domain(self, asked: &JobId) -> Option<domain::Job> {
        let parts = self.entities.sub_jobs.into_iter().filter_map(Self::into_part).collect();
        Some(domain::Job {
            id: self.id.some().map_or_else(|| asked.clone(), JobId::new),
            status: job_status(self.status.as_str())?,
            error_code: self.error_code.some(),
            fail_reason: self.fail_reason.some().or(self.entities.errorcode_message.some()),
            parts,
        })
    }

    fn into_part(self) -> Option<SubJob> {
        Some(SubJob {
            server: ServerId::new(self.entities.server_id.some()?),
            status: job_status(self.status.as_str())?,
            error_code: self.error_code.some(),
            fail_reason: self.fail_reason.some().or(self.entities.errorcode_message.some()),
        })
    }
}

fn job_status(text: &str) -> Option<JobStatus> {
    Some(match text {
        "INIT" => JobStatus::Init,
        "RUNNING" => JobStatus::Running,
        "SUCCESS" => JobStatus::Success,
        "FAIL" => JobStatus::Fail,
        _ => return None,
    })
}

#[derive(Deserialize)]
pub(super) struct Volumes {
    #[serde(deserialize_with = "or_default")]
    pub(super) volumes: Vec<Volume>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Volume {
    id: Text,
    size: Text,
    status: Text,
    #[serde(rename = "volume_type")]
    kind: Text,
    encrypted: Text,
    created_at: Text,
    #[serde(deserialize_with = "or_default")]
    metadata: VolumeMetadata,
    #[serde(deserialize_with = "or_default")]
    attachments: Vec<VolumeAttachment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VolumeMetadata {
    #[serde(rename = "__system__encrypted")]
    encrypted: Text,
    #[serde(rename = "__system__cmkid")]
    key: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VolumeAttachment {
    server_id: Text,
}

impl Volume {
    pub(super) fn into_domain(self) -> Option<domain::Volume> {
        // The flag beside the metadata is documented as unreliable: it only ever adds (section 2).
        let encrypted = self.metadata.encrypted.is_yes()
            || (!self.metadata.encrypted.is_some() && self.encrypted.is_yes());
        let server = self.attachments.into_iter().find_map(|attached| attached.server_id.some());
        Some(domain::Volume {
            id: VolumeId::new(self.id.some()?),
            size_gib: self.size.number().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            status: self.status.or_empty(),
            kind: self.kind.or_empty(),
            key: encrypted.then(|| self.metadata.key.or_empty()),
            server: server.map(ServerId::new),
            created: self.created_at.moment(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Snapshots {
    #[serde(deserialize_with = "or_default")]
    pub(super) snapshots: Vec<Snapshot>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    id: Text,
    name: Text,
    volume_id: Text,
    status: Text,
}

impl Snapshot {
    pub(super) fn into_domain(self) -> Option<domain::Snapshot> {
        Some(domain::Snapshot {
            id: self.id.some()?,
            name: self.name.or_empty(),
            volume: VolumeId::new(self.volume_id.some()?),
            status: self.status.or_empty(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct QuotaSet {
    quota_set: BTreeMap<String, QuotaValue>,
}

/// With `usage` an object, without it a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum QuotaValue {
    Line {
        #[serde(default)]
        limit: Text,
        #[serde(default)]
        in_use: Text,
        #[serde(default)]
        reserved: Text,
    },
    Limit(Text),
}

impl QuotaValue {
    fn line(&self) -> Option<QuotaLine> {
        let count = |text: &Text| text.number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let (limit, used) = match self {
            Self::Line { limit, in_use, reserved } => {
                (limit, count(in_use).saturating_add(count(reserved)))
            }
            Self::Limit(limit) => (limit, 0),
        };
        // Below nothing is no limit; no number at all is not a quota.
        Some(QuotaLine { limit: u64::try_from(limit.number()?).ok(), used })
    }
}

impl QuotaSet {
    pub(super) fn into_domain(self) -> Option<domain::Quota> {
        let line = |name: &str| self.quota_set.get(name).and_then(QuotaValue::line);
        let kinds = self.quota_set.keys().filter_map(|name| name.strip_prefix("volumes_"));
        let by_kind = kinds
            .filter_map(|kind| {
                let (number, size) =
                    (line(&format!("volumes_{kind}"))?, line(&format!("gigabytes_{kind}"))?);
                Some((kind.to_owned(), (number, size)))
            })
            .collect();
        Some(domain::Quota { volumes: line("volumes")?, gigabytes: line("gigabytes")?, by_kind })
    }
}

#[derive(Deserialize)]
pub(super) struct Images {
    #[serde(deserialize_with = "or_default")]
    pub(super) images: Vec<Image>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Image {
    id: Text,
    name: Text,
    status: Text,
    #[serde(rename = "__imagetype")]
    kind: Text,
    #[serde(rename = "__isregistered")]
    registered: Text,
    #[serde(rename = "__os_type")]
    os_type: Text,
    #[serde(rename = "__platform")]
    platform: Text,
    #[serde(rename = "__os_version")]
    os_version: Text,
    #[serde(rename = "__support_fc_inject")]
    no_cloud_init: Text,
    #[serde(rename = "__whole_image")]
    whole_server: Text,
    #[serde(rename = "__backup_id")]
    backup: Text,
    #[serde(rename = "__account_code")]
    account_code: Text,
    #[serde(rename = "__system__cmkid")]
    key: Text,
    min_disk: Text,
    min_ram: Text,
    virtual_env_type: Text,
}

impl Image {
    pub(super) fn is(&self, id: &ImageId) -> bool {
        self.id.as_str() == id.as_str()
    }

    pub(super) fn into_domain(self) -> Option<domain::Image> {
        Some(domain::Image {
            id: ImageId::new(self.id.some()?),
            name: self.name.or_empty(),
            status: self.status.or_empty(),
            kind: self.kind.or_empty(),
            registered: self.registered.is_yes(),
            os_type: self.os_type.or_empty(),
            platform: self.platform.or_empty(),
            os_version: self.os_version.or_empty(),
            // The name says the opposite of what it means (section 5).
            cloud_init: !self.no_cloud_init.is_yes(),
            whole_server: self.whole_server.is_yes(),
            backup: self.backup.some(),
            charged: self.account_code.is_some(),
            key: self.key.some(),
            min_disk_gib: self.min_disk.number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            min_ram_mib: self.min_ram.number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            made_for: self.virtual_env_type.some(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct OneKeyPair {
    pub(super) keypair: KeyPair,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyPair {
    name: Text,
    fingerprint: Text,
    user_id: Text,
}

impl KeyPair {
    pub(super) fn into_domain(self) -> Option<domain::KeyPair> {
        Some(domain::KeyPair {
            name: self.name.some()?,
            fingerprint: self.fingerprint.or_empty(),
            user: self.user_id.some().map(UserId::new),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct OneKey {
    pub(super) key_info: OneOrMany,
}

/// Typed as an array, shown as an object (section 7).
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    Many(Vec<Key>),
    One(Key),
}

impl OneOrMany {
    pub(super) fn first(self) -> Option<Key> {
        match self {
            Self::One(key) => Some(key),
            Self::Many(keys) => keys.into_iter().next(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Keys {
    #[serde(deserialize_with = "or_default")]
    pub(super) key_details: Vec<Key>,
    #[serde(default)]
    pub(super) truncated: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Key {
    #[serde(rename = "key_id")]
    id: Text,
    #[serde(rename = "key_alias")]
    alias: Text,
    #[serde(rename = "key_state")]
    state: Text,
}

impl Key {
    pub(super) fn into_domain(self) -> Option<domain::KmsKey> {
        let state = match self.state.as_str() {
            "1" => KeyState::PendingActivation,
            "2" => KeyState::Enabled,
            "4" => KeyState::PendingDeletion,
            "5" => KeyState::PendingImport,
            // A state that nobody documented is none in which a key can be used.
            _ => KeyState::Disabled,
        };
        Some(domain::KmsKey { id: self.id.some()?, alias: self.alias.or_empty(), state })
    }
}

#[derive(Deserialize)]
pub(super) struct Agencies {
    #[serde(deserialize_with = "or_default")]
    pub(super) agencies: Vec<Agency>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Agency {
    pub(super) id: Text,
    pub(super) name: Text,
}

#[derive(Deserialize)]
pub(super) struct Roles {
    #[serde(deserialize_with = "or_default")]
    pub(super) roles: Vec<Role>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Role {
    name: Text,
    display_name: Text,
}

impl Role {
    /// What people call it; both names may be there.
    pub(super) fn name(self) -> Option<String> {
        match (self.display_name.some(), self.name.some()) {
            (Some(shown), Some(name)) => Some(format!("{shown} ({name})")),
            (shown, name) => shown.or(name),
        }
    }
}

/// Read for whether there is one, and for nothing else: the ciphertext ends here.
#[derive(Deserialize)]
pub(super) struct OnePassword {
    password: Text,
}

impl OnePassword {
    pub(super) fn look(self) -> PasswordLook {
        if self.password.is_some() { PasswordLook::There } else { PasswordLook::NotYet }
    }
}

#[derive(Deserialize)]
pub(super) struct Traces {
    #[serde(deserialize_with = "or_default")]
    pub(super) traces: Vec<Trace>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Trace {
    #[serde(rename = "trace_name")]
    name: Text,
    resource_id: Text,
    code: Text,
    time: Text,
    #[serde(deserialize_with = "or_default")]
    response: TraceResponse,
}

/// The answer that was given back then, as an object or as text with JSON in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum TraceResponse {
    Read(Accepted),
    Text(Text),
}

impl Default for TraceResponse {
    fn default() -> Self {
        Self::Text(Text::default())
    }
}

impl TraceResponse {
    fn job(self) -> Option<JobId> {
        let accepted = match self {
            Self::Read(accepted) => accepted,
            Self::Text(text) => serde_json::from_str(text.as_str()).ok()?,
        };
        accepted.job_id.some().map(JobId::new)
    }
}

impl Trace {
    /// The trace in our words, if it tells of a wipe: a reinstall or a change of OS.
    pub(super) fn into_domain(self) -> Option<domain::Trace> {
        let wipes = ["reinstallOs", "changeOs"];
        if !wipes.iter().any(|name| self.name.as_str().starts_with(name)) {
            return None;
        }
        let time = self.time.number().map(Timestamp).or_else(|| self.time.moment())?;
        Some(domain::Trace {
            name: self.name.or_empty(),
            server: ServerId::new(self.resource_id.some()?),
            time,
            code: self.code.number().and_then(|code| u16::try_from(code).ok()).unwrap_or(0),
            job: self.response.job(),
        })
    }
}
