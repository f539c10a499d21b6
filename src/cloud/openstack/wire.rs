//! Answers of Nova and Cinder as they write them, and what they mean in our words.
//!
//! Start with [`Server`]. Each type reads the fields that we decide by and no other.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::lenient::{Text, object_or_default, or_default};
use crate::domain::{
    self, Address, AddressKind, Attachment, ImageId, ServerId, Tags, UserId, VolumeId,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Servers {
    #[serde(deserialize_with = "or_default")]
    pub(super) servers: Vec<Server>,
    #[serde(deserialize_with = "or_default")]
    servers_links: Vec<Link>,
}

impl Servers {
    /// Whether another page follows.
    pub(super) fn has_next(&self) -> bool {
        self.servers_links.iter().any(|link| link.rel.as_str() == "next")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link {
    rel: Text,
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
    /// An empty text for a server that boots from a volume.
    #[serde(deserialize_with = "object_or_default")]
    image: Id,
    key_name: Text,
    user_id: Text,
    #[serde(deserialize_with = "object_or_default")]
    flavor: Flavor,
    #[serde(rename = "OS-EXT-AZ:availability_zone")]
    az: Text,
    #[serde(deserialize_with = "or_default")]
    tags: Vec<Text>,
    #[serde(deserialize_with = "or_default")]
    metadata: BTreeMap<String, Text>,
    /// For administrators.
    #[serde(rename = "OS-EXT-SRV-ATTR:root_device_name")]
    root_device: Text,
    #[serde(rename = "os-extended-volumes:volumes_attached", deserialize_with = "or_default")]
    volumes: Vec<Id>,
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

/// As it was when the server was made, since 2.47; before, its id.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Flavor {
    id: Text,
    original_name: Text,
    ram: Text,
    disk: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerFault {
    message: Text,
    code: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerAddress {
    addr: Text,
    #[serde(rename = "OS-EXT-IPS:type")]
    kind: Text,
    #[serde(rename = "OS-EXT-IPS-MAC:mac_addr")]
    mac: Text,
}

impl Server {
    /// The server in our words; `None` without an id, or without a status to decide by. One of a cell
    /// that is down is a stub with the status `UNKNOWN`, and a server like any other.
    pub(super) fn into_domain(self) -> Option<domain::Server> {
        let image = self.image.id.some();
        let mut addresses: Vec<Address> =
            self.addresses.into_values().flatten().map(ServerAddress::into_domain).collect();
        addresses.sort();
        let id = self.id.some()?;
        let status = self.status.some()?;
        // Who was not told about disks, as of a stub, does not take the first for the system's.
        let volumes = volumes(image.is_some(), self.root_device, self.volumes);
        Some(domain::Server {
            id: ServerId::new(id),
            name: self.name.or_empty(),
            status,
            task_state: self.task_state.some(),
            locked: self.locked.is_yes(),
            frozen: false,
            fault: self.fault.message.some().or(self.fault.code.some()),
            image: ImageId::new(image.unwrap_or_default()),
            image_name: None,
            key_name: self.key_name.some(),
            user: UserId::new(self.user_id.or_empty()),
            ram_mib: self.flavor.ram.number().and_then(|n| u64::try_from(n).ok()),
            flavor: self.flavor.original_name.some().or(self.flavor.id.some()).unwrap_or_default(),
            az: self.az.or_empty(),
            tags: tags(self.metadata, self.tags),
            os_type: None,
            from_iso: false,
            prepaid: false,
            local_disk_gib: self.flavor.disk.number().and_then(|n| u64::try_from(n).ok()),
            volumes,
            addresses,
            created: self.created.moment(),
            updated: self.updated.moment(),
        })
    }
}

/// Metadata are pairs, tags are words: `web`, or `role=web`. Nova keeps them apart, and lets a key
/// stand in several words, so what one of them says takes nothing away from another.
fn tags(metadata: BTreeMap<String, Text>, words: Vec<Text>) -> Tags {
    let pairs = metadata.into_iter().map(|(key, value)| (key, value.or_empty()));
    let words = words.into_iter().filter_map(Text::some).map(|word| match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (word, String::new()),
    });
    pairs.chain(words).collect()
}

/// The system disk is one of the host where there is an image, and else the first volume.
fn volumes(has_image: bool, root_device: Text, attached: Vec<Id>) -> Vec<Attachment> {
    let device = root_device.or_empty();
    let of = |id: VolumeId, boot: bool| {
        let device = if boot { device.clone() } else { String::new() };
        Attachment { id, device, boot }
    };
    let local = has_image.then(|| of(VolumeId::new(VolumeId::LOCAL), true));
    let ids = attached.into_iter().filter_map(|volume| volume.id.some());
    let attached = ids.enumerate().map(|(at, id)| of(VolumeId::new(id), !has_image && at == 0));
    local.into_iter().chain(attached).collect()
}

impl ServerAddress {
    fn into_domain(self) -> Address {
        let floating = self.kind.as_str().eq_ignore_ascii_case("floating");
        Address {
            addr: self.addr.or_empty(),
            mac: self.mac.or_empty(),
            port: String::new(),
            kind: if floating { AddressKind::Floating } else { AddressKind::Fixed },
        }
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
    attachments: Vec<VolumeAttachment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VolumeAttachment {
    server_id: Text,
}

impl Volume {
    pub(super) fn into_domain(self) -> Option<domain::Volume> {
        let server = self.attachments.into_iter().find_map(|attached| attached.server_id.some());
        Some(domain::Volume {
            id: VolumeId::new(self.id.some()?),
            size_gib: self.size.number().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            status: self.status.or_empty(),
            kind: self.kind.or_empty(),
            // The type of the volume has the key, and nobody but an administrator sees it.
            key: self.encrypted.is_yes().then(String::new),
            server: server.map(ServerId::new),
            created: self.created_at.moment(),
        })
    }
}
