//! What is in a simulated cloud: the file of `--world`, read and checked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flaw::{self, FileFlaws};
use super::knobs::Knobs;
use super::meddle::Visit;
use super::possible;
use crate::domain::{AgencyState, KeyState};

/// A whole world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSpec {
    /// Servers, group by group.
    pub servers: Vec<ServerGroup>,
    /// Images.
    pub images: Vec<ImageSpec>,
    /// Key pairs on top of the user's own one.
    pub key_pairs: Vec<KeyPairSpec>,
    /// KMS keys.
    pub keys: Vec<KeySpec>,
    /// Vaults for backups.
    pub vaults: Vec<VaultSpec>,
    /// EVS quota.
    pub quota: QuotaSpec,
    /// Whether EVS may use KMS; `unknown`: it may, but the user must not look.
    pub agency: AgencyState,
    /// Behaviour.
    pub knobs: Knobs,
    /// What other people do, and when.
    pub people: Vec<Visit>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            images: vec![ImageSpec::default()],
            key_pairs: Vec::new(),
            keys: vec![KeySpec::default()],
            vaults: Vec::new(),
            quota: QuotaSpec::default(),
            agency: AgencyState::Granted,
            knobs: Knobs::default(),
            people: Vec::new(),
        }
    }
}

/// Servers that are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct ServerGroup {
    /// How many.
    pub count: u32,
    /// Their name; a run of `#` is the number, counted from 1, filled up with zeros.
    pub name: String,
    /// Ids of the first of them; the others get ids from the seed.
    pub ids: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Zones, in turn.
    pub zones: Vec<String>,
    /// Name or id of their image.
    pub image: String,
    /// Their key pair; none: the user's own one. An empty text: no key pair.
    pub key: Option<String>,
    /// Id of the user who made them; none: the acting user.
    pub user: Option<String>,
    /// Flavor.
    pub flavor: String,
    /// `Linux` or `Windows`.
    pub os_type: String,
    /// Power state at the beginning.
    pub status: ServerStatus,
    /// Locked.
    pub locked: bool,
    /// Frozen.
    pub frozen: bool,
    /// Made from an ISO image.
    pub from_iso: bool,
    /// Paid by the month or the year.
    pub prepaid: bool,
    /// An elastic address each.
    pub floating: bool,
    /// Size of the system disk in GiB; 0: no system disk.
    pub system_gib: u64,
    /// Sizes of the data disks in GiB.
    pub data_gib: Vec<u64>,
    /// Snapshots of the system disk.
    pub system_snapshots: u32,
    /// Snapshots of each data disk.
    pub data_snapshots: u32,
    /// Type of the disks.
    pub disk_type: String,
    /// Status of the system disk.
    pub system_status: String,
    /// Id or alias of the KMS key of the system disk; none: plain.
    pub encrypted: Option<String>,
}

impl Default for ServerGroup {
    fn default() -> Self {
        Self {
            count: 1,
            name: "server-####".to_owned(),
            ids: Vec::new(),
            tags: BTreeMap::new(),
            zones: vec!["eu-de-01".to_owned(), "eu-de-02".to_owned(), "eu-de-03".to_owned()],
            image: ImageSpec::default().name,
            key: None,
            user: None,
            flavor: "s3.large.2".to_owned(),
            os_type: "Linux".to_owned(),
            status: ServerStatus::Active,
            locked: false,
            frozen: false,
            from_iso: false,
            prepaid: false,
            floating: false,
            system_gib: 40,
            data_gib: vec![100],
            system_snapshots: 0,
            data_snapshots: 0,
            disk_type: "SSD".to_owned(),
            system_status: "in-use".to_owned(),
            encrypted: None,
        }
    }
}

/// Status of a server when the world begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServerStatus {
    /// Running.
    #[default]
    Active,
    /// Stopped.
    Shutoff,
    /// Broken.
    Error,
}

impl ServerStatus {
    /// As the cloud writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Shutoff => "SHUTOFF",
            Self::Error => "ERROR",
        }
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct ImageSpec {
    /// Its id; none: from the seed.
    pub id: Option<String>,
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
    /// `Ubuntu`, `SUSE`, `Red Hat` …
    pub platform: String,
    /// Free text.
    pub os_version: String,
    /// Credentials are injected by cloud-init.
    pub cloud_init: bool,
    /// A full-ECS image.
    pub whole_server: bool,
    /// Id of the backup that a full-ECS image rests on; none: an id of its own.
    pub backup: Option<String>,
    /// What has become of that backup.
    pub backup_state: BackupState,
    /// The image carries a charge of its own (`__account_code`).
    pub charged: bool,
    /// Deleted, or no longer shared: servers still name it.
    pub gone: bool,
    /// Id or alias of the KMS key of an encrypted image.
    pub encrypted: Option<String>,
    /// GiB that a disk must have for it.
    pub min_disk_gib: u64,
    /// MiB of memory that a server must have for it.
    pub min_ram_mib: u64,
}

impl Default for ImageSpec {
    fn default() -> Self {
        Self {
            id: None,
            name: "Standard_Ubuntu_24.04_latest".to_owned(),
            status: "active".to_owned(),
            kind: "gold".to_owned(),
            registered: true,
            os_type: "Linux".to_owned(),
            platform: "Ubuntu".to_owned(),
            os_version: "Ubuntu 24.04 server 64bit".to_owned(),
            cloud_init: true,
            whole_server: false,
            backup: None,
            backup_state: BackupState::Ready,
            charged: false,
            gone: false,
            encrypted: None,
            min_disk_gib: 4,
            min_ram_mib: 0,
        }
    }
}

/// What has become of the backup behind a full-ECS image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// It can be used.
    #[default]
    Ready,
    /// It cannot be used yet.
    Preparing,
    /// It is gone.
    Gone,
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPairSpec {
    /// Its name.
    pub name: String,
    /// Id of its owner; none: the acting user. Others cannot see it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// A KMS key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeySpec {
    /// Its id; none: from the seed.
    pub id: Option<String>,
    /// Its alias.
    pub alias: String,
    /// Its state.
    pub state: KeyState,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self { id: None, alias: "evs/default".to_owned(), state: KeyState::Enabled }
    }
}

/// A vault for backups of servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSpec {
    /// Its id; none: from the seed.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its size in GiB.
    pub size_gib: u64,
    /// What is used of it in GiB.
    pub used_gib: u64,
    /// `available`, `lock`, `frozen`, `deleting`, `error`.
    pub status: String,
    /// Names or ids of the servers that are backed up into it; `web-*` is every server whose name
    /// begins so, and `*` is all.
    pub servers: Vec<String>,
}

impl Default for VaultSpec {
    fn default() -> Self {
        Self {
            id: None,
            name: "vault-0001".to_owned(),
            size_gib: 10_000,
            used_gib: 0,
            status: "available".to_owned(),
            servers: vec!["*".to_owned()],
        }
    }
}

/// Limits of disks; what is used is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaSpec {
    /// Number of disks; none: no limit.
    pub volumes: Option<u64>,
    /// Their size together in GiB; none: no limit.
    pub gigabytes: Option<u64>,
    /// Number of servers; none: no limit. It matters only with the knob `helper_counts`.
    pub servers: Option<u64>,
}

impl WorldSpec {
    /// `n` healthy Linux servers `web-0001…` (`product.md`, section 8).
    #[must_use]
    pub fn healthy(n: u32) -> Self {
        let group = ServerGroup {
            count: n,
            name: "web-####".to_owned(),
            tags: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
            ..ServerGroup::default()
        };
        let quota = QuotaSpec {
            volumes: Some(u64::from(n) * 4 + 100),
            gigabytes: Some(u64::from(n) * 1_000 + 10_000),
            servers: None,
        };
        Self { servers: vec![group], quota, ..Self::default() }
    }

    /// Reads and checks a world file.
    pub fn from_yaml(text: &str) -> Result<Self, FileFlaws> {
        flaw::read(text, possible::impossibilities)
    }

    /// Whether a world that was made without a file can be; else the first reason why not.
    pub fn check(&self) -> Result<(), String> {
        let first = possible::impossibilities(self).into_iter().next();
        first.map_or(Ok(()), |it| Err(format!("{}: {}", it.path, it.message)))
    }
}

impl ImageSpec {
    /// Whether that is its name or id.
    pub(super) fn is(&self, text: &str) -> bool {
        self.name == text || self.id.as_deref() == Some(text)
    }
}

impl KeySpec {
    /// Whether that is its alias or id.
    pub(super) fn is(&self, text: &str) -> bool {
        self.alias == text || self.id.as_deref() == Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Span;
    use super::*;

    #[test]
    fn a_world_that_cannot_be_is_refused_with_its_reason() {
        let cases = [
            ("servers: [{ image: other }]", "names the image `other`"),
            ("servers: [{ encrypted: mine }]", "names the KMS key `mine`"),
            ("servers: [{ ids: [a, b] }]", "more ids than servers"),
            ("servers: [{ ids: [a] }, { ids: [a] }]", "the id `a` is given twice"),
            ("servers: [{ zones: [] }]", "at least one zone"),
            ("servers: [{ count: 100001 }]", "too large"),
            ("knobs: { reinstall: [9, 1] }", "`reinstall` goes from 9 to 1"),
            ("knobs: { token_life: 0 }", "`token_life` cannot be `0`"),
            ("servers: [{ colour: red }]", "colour"),
        ];
        for (text, reason) in cases {
            let error = WorldSpec::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_world_says_what_differs_from_a_healthy_one() {
        let text = "servers:\n  - { count: 2, name: 'db-##', tags: { role: db }, locked: true }\n\
                    knobs: { reinstall: [1, 2], busy_code: wrong_state }\nagency: missing\n";
        let spec = WorldSpec::from_yaml(text).unwrap();
        assert_eq!((spec.servers[0].count, spec.servers[0].system_gib), (2, 40));
        assert_eq!(spec.knobs.reinstall, Span(1.0, 2.0));
        let world = super::super::World::new(&spec, super::super::Faults::default(), 1);
        let names: Vec<_> = world.servers().map(|server| server.name.clone()).collect();
        assert_eq!(names, ["db-01", "db-02"]);
    }
}
