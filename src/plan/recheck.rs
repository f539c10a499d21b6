//! Is the world still the one that the plan was made for? Asked before the first stop for all
//! servers, and for each one again right before its wipe.

use std::fmt;

use indexmap::IndexMap;

use crate::domain::{
    Address, AgencyState, Encryption, ImageId, KeyState, Server, ServerId, Tags, Timestamp, Vault,
    VolumeId, count, list_some, tag_matches,
};

use super::{CheckedPlan, Fingerprint, Inventory, Plan, PlannedBackup, Target, Unread};

/// The tag that keeps a server from ever being reinstalled.
pub(super) const NEVER: &str = "reinstall=never";

/// How a server differs from what its plan found. What follows from a difference is decided by the
/// variant; its words are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "every field is what was, what is, or a name")]
pub enum Drift {
    /// The cloud does not know it any more.
    Gone,
    /// Another name.
    Name { was: String, is: String },
    /// Another availability zone.
    Zone { was: String, is: String },
    /// Another image.
    Image { was: ImageId, is: ImageId },
    /// Another key pair.
    KeyPair { was: Option<String>, is: Option<String> },
    /// Another system disk; `None`: it has none.
    SystemDisk { was: VolumeId, is: Option<VolumeId> },
    /// Other tags.
    Tags { was: String, is: String },
    /// Other data disks.
    DataDisks { was: Vec<VolumeId>, is: Vec<VolumeId> },
    /// Other addresses.
    Addresses { was: String, is: String },
    /// The cloud is doing something to it.
    Task(String),
    /// Its power is not as it was.
    Status { was: &'static str, is: String },
    /// We stopped it, and it is not off any more.
    NotOff { is: String },
    /// It is frozen.
    Frozen,
    /// The cloud says that it was changed, and nothing that is compared shows how.
    Updated { was: Option<Timestamp>, is: Option<Timestamp> },
    /// Its system disk is not in use.
    DiskStatus { disk: VolumeId, is: String },
    /// Its system disk has a snapshot that the plan does not know, and that a reinstall would delete.
    Snapshot { name: String, id: String },
    /// Its system was replaced by somebody else: an action of the cloud's own records.
    Replaced { action: String, request: String },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
        let moment =
            |at: &Option<Timestamp>| at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        match self {
            Self::Gone => f.write_str("the server is gone"),
            Self::Name { was, is } => write!(f, "name was {was}, is {is}"),
            Self::Zone { was, is } => write!(f, "availability zone was {was}, is {is}"),
            Self::Image { was, is } => write!(f, "image was {was}, is {is}"),
            Self::KeyPair { was, is } => write!(f, "key pair was {}, is {}", key(was), key(is)),
            Self::SystemDisk { was, is } => {
                write!(
                    f,
                    "system disk was {was}, is {}",
                    is.as_ref().map_or("detached", VolumeId::as_str)
                )
            }
            Self::Tags { was, is } => write!(f, "tags were {was}, are {is}"),
            Self::DataDisks { was, is } => write!(f, "data disks were {was:?}, are {is:?}"),
            Self::Addresses { was, is } => write!(f, "addresses were {was}, are {is}"),
            Self::Task(task) => write!(f, "a task is running on it: {task}"),
            Self::Status { was, is } => write!(f, "status was {was}, is {is}"),
            Self::NotOff { is } => write!(f, "it was stopped, and is {is} now"),
            Self::Frozen => f.write_str("it is frozen"),
            Self::Updated { was, is } => {
                write!(f, "last change was {}, is {}", moment(was), moment(is))
            }
            Self::DiskStatus { disk, is } => {
                write!(f, "system disk {disk} is `{is}`, not `in-use`")
            }
            Self::Snapshot { name, id } => {
                write!(f, "its system disk has a new snapshot {name} ({id})")
            }
            Self::Replaced { action, request } => {
                write!(f, "somebody else replaced its system since the plan: {action} ({request})")
            }
        }
    }
}

/// What a last look before the run found. All empty: the plan holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recheck {
    /// Servers that are no longer what they were, and how they differ.
    pub drifted: Vec<(ServerId, Vec<Drift>)>,
    /// Servers that somebody protected since, and how.
    pub protected: Vec<(ServerId, Protection)>,
    /// What would make the cloud refuse: the run does not begin.
    pub refused: Vec<String>,
}

impl Recheck {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.drifted.is_empty() && self.protected.is_empty() && self.refused.is_empty()
    }
}

/// A protection that a server carries itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The tag `reinstall=never`.
    Tag,
    /// Locked by somebody.
    Lock,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tag => "tag reinstall=never",
            Self::Lock => "locked; refleet never unlocks",
        })
    }
}

/// How a server protects itself, if it does. No playbook can overrule it.
#[must_use]
pub fn protection(server: &Server) -> Option<Protection> {
    if tag_matches(&server.tags, NEVER) {
        Some(Protection::Tag)
    } else if server.locked {
        Some(Protection::Lock)
    } else {
        None
    }
}

/// Compares everything that the plan rests on with what was read just now.
#[must_use]
pub fn recheck(plan: &CheckedPlan, inventory: &Inventory) -> Recheck {
    let servers: IndexMap<&ServerId, &Server> =
        inventory.servers.iter().map(|server| (&server.id, server)).collect();
    let mut recheck = Recheck::default();
    for (id, target) in &plan.targets {
        let Some(server) = servers.get(id) else {
            recheck.drifted.push((id.clone(), vec![Drift::Gone]));
            continue;
        };
        if let Some(protection) = protection(server) {
            recheck.protected.push((id.clone(), protection));
            continue;
        }
        let mut found = differences(&target.found, server);
        found.extend(changes_by_others(&target.found, server));
        unusable_disk(target, inventory, &mut found);
        found.extend(new_snapshots(target, inventory));
        if !found.is_empty() {
            recheck.drifted.push((id.clone(), found));
        }
    }
    refused(plan, inventory, &mut recheck.refused);
    recheck
}

/// What counts only until we touch a server ourselves: its power, its tasks, its last change. That
/// moment tells of changes that show in nothing else, so it is only asked where nothing else differs.
#[must_use]
pub fn changes_by_others(was: &Fingerprint, is: &Server) -> Vec<Drift> {
    let mut found: Vec<Drift> = is.task_state.clone().map(Drift::Task).into_iter().collect();
    let running = is.status == "ACTIVE";
    if running != was.running || !matches!(is.status.as_str(), "ACTIVE" | "SHUTOFF") {
        let before = if was.running { "ACTIVE" } else { "SHUTOFF" };
        found.push(Drift::Status { was: before, is: is.status.clone() });
    }
    if is.frozen {
        found.push(Drift::Frozen);
    }
    if found.is_empty() && is.updated != was.updated {
        found.push(Drift::Updated { was: was.updated, is: is.updated });
    }
    found
}

fn unusable_disk(target: &Target, inventory: &Inventory, found: &mut Vec<Drift>) {
    if let Some(volume) = inventory.volumes.get(&target.found.system_volume)
        && volume.status != "in-use"
    {
        let (disk, is) = (volume.id.clone(), volume.status.clone());
        found.push(Drift::DiskStatus { disk, is });
    }
}

/// Somebody who made a snapshot since then may take it for a way back; it would be deleted.
pub fn new_snapshots<'i>(
    target: &'i Target,
    inventory: &'i Inventory,
) -> impl Iterator<Item = Drift> + 'i {
    let disk = &target.found.system_volume;
    let mine = inventory.snapshots.iter().filter(move |snapshot| snapshot.volume == *disk);
    let new = mine.filter(|snapshot| !target.snapshots.contains_key(&snapshot.id));
    new.map(|new| Drift::Snapshot { name: new.name.clone(), id: new.id.clone() })
}

/// How a server differs from what the plan found; empty, and without a single allocation, if it does
/// not. What our own stop changes is not compared: this is the last look before the wipe
/// (`safety.md`, S13).
#[must_use]
pub fn differences(was: &Fingerprint, is: &Server) -> Vec<Drift> {
    let mut found = Vec::new();
    if was.name != is.name {
        found.push(Drift::Name { was: was.name.clone(), is: is.name.clone() });
    }
    if was.az != is.az {
        found.push(Drift::Zone { was: was.az.clone(), is: is.az.clone() });
    }
    if was.image != is.image {
        found.push(Drift::Image { was: was.image.clone(), is: is.image.clone() });
    }
    if was.key_name != is.key_name {
        found.push(Drift::KeyPair { was: was.key_name.clone(), is: is.key_name.clone() });
    }
    if is.system_volume() != Some(&was.system_volume) {
        let now = is.system_volume().cloned();
        found.push(Drift::SystemDisk { was: was.system_volume.clone(), is: now });
    }
    if was.tags != is.tags {
        found.push(Drift::Tags { was: tags(&was.tags), is: tags(&is.tags) });
    }
    let kept = is.volumes.iter().filter(|volume| !volume.boot).map(|volume| &volume.id);
    if !same_items(&was.data_volumes, &kept) {
        let now = is.data_volumes().cloned().collect();
        found.push(Drift::DataDisks { was: was.data_volumes.clone(), is: now });
    }
    if !same_items(&was.addresses, &is.addresses.iter()) {
        let (before, now) = (addresses(&was.addresses), addresses(&is.addresses));
        found.push(Drift::Addresses { was: before, is: now });
    }
    found
}

fn tags(tags: &Tags) -> String {
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tags.join(" ")
}

fn addresses(addresses: &[Address]) -> String {
    let parts: Vec<String> =
        addresses.iter().map(|address| format!("{} {}", address.addr, address.mac)).collect();
    parts.join(", ")
}

/// Whether both hold the same, in whatever order; `sorted` has nothing twice.
fn same_items<'a, T: Ord + 'a>(
    sorted: &[T],
    items: &(impl Iterator<Item = &'a T> + Clone),
) -> bool {
    items.clone().count() == sorted.len()
        && items.clone().all(|item| sorted.binary_search(item).is_ok())
        && sorted.iter().all(|known| items.clone().any(|item| item == known))
}

/// Why an image of the plan cannot be installed any more, with the code that the cloud would give.
#[must_use]
pub fn recheck_image(
    plan: &CheckedPlan,
    inventory: &Inventory,
    id: &ImageId,
) -> Option<(&'static str, String)> {
    let name = plan.images.get(id).map_or("", |note| note.name.as_str());
    match inventory.images.get(id).and_then(Option::as_ref) {
        Some(image) if image.status == "active" && image.registered => None,
        Some(image) => {
            let status = &image.status;
            let why =
                format!("image {name} ({id}) is `{status}` and not usable: its owner can mend it");
            Some(("Ecs.0032", why))
        }
        None => {
            let why = format!("image {name} ({id}) is gone, or no longer shared with you");
            Some(("Ecs.0031", why))
        }
    }
}

/// Images, key pairs, KMS keys, agency, quota: shared by many servers, so that one of them gone
/// stops the run before it begins.
fn refused(plan: &CheckedPlan, inventory: &Inventory, refused: &mut Vec<String>) {
    let images = plan.images.keys().filter_map(|id| recheck_image(plan, inventory, id));
    refused.extend(images.map(|(code, why)| format!("{code}: {why}")));
    refused.extend(recheck_key_pairs(plan, inventory, plan.targets.values()));
    let mut keys: IndexMap<&str, usize> = IndexMap::new();
    for target in plan.targets.values() {
        if let Encryption::Key(key) = &target.reinstall.encryption {
            *keys.entry(key).or_default() += 1;
        }
    }
    refuse_keys(&keys, inventory, refused);
    refuse_vaults(plan, inventory, refused);
    refuse_quota(plan, inventory, refused);
}

/// Why the key pairs of these servers cannot be installed any more, as far as the acting user sees
/// them: those of others are only named.
#[must_use]
pub fn recheck_key_pairs<'t>(
    plan: &Plan,
    inventory: &Inventory,
    targets: impl Iterator<Item = &'t Target>,
) -> Vec<String> {
    let mut names: IndexMap<&str, usize> = IndexMap::new();
    for name in targets.filter_map(|target| target.own_key_pair(plan)) {
        *names.entry(name).or_default() += 1;
    }
    let why = |(name, n)| {
        let found = inventory.key_pairs.get(name).and_then(Option::as_ref);
        let why = super::recheck_key_pair(plan, name, found);
        why.map(|why| format!("{why} ({})", count(n, "server")))
    };
    names.into_iter().filter_map(why).collect()
}

fn refuse_keys(keys: &IndexMap<&str, usize>, inventory: &Inventory, refused: &mut Vec<String>) {
    let hidden = inventory.unread.contains(&Unread::Keys);
    for (id, n) in keys {
        let usable = inventory.key(id).map(|key| key.state == KeyState::Enabled);
        if !usable.unwrap_or(hidden) {
            let servers = count(*n, "server");
            refused.push(format!(
                "EVS.2040: KMS key {id} is gone or not enabled ({servers}): a KMS administrator \
                 can enable it"
            ));
        }
    }
    if !keys.is_empty() && inventory.agency == Some(AgencyState::Missing) {
        refused.push(
            "Ecs.0025: the agency EVSAccessKMS is missing: a user with Security Administrator \
             rights creates it once"
                .to_owned(),
        );
    }
}

/// Vaults that went, were shut or filled up since, and servers or their system disks that were taken
/// out of them.
fn refuse_vaults(plan: &CheckedPlan, inventory: &Inventory, refused: &mut Vec<String>) {
    if inventory.unread.contains(&Unread::Vaults) {
        return;
    }
    let backups: IndexMap<&str, &PlannedBackup> = plan
        .treatments
        .iter()
        .filter_map(|treatment| treatment.backup.as_ref())
        .map(|backup| (backup.vault.as_str(), backup))
        .collect();
    for (id, backup) in backups {
        let Some(vault) = inventory.vaults.iter().find(|vault| vault.id == id) else {
            refused.push(format!("N2: vault {} ({id}) is gone", backup.name));
            continue;
        };
        refused.extend(super::vault::shut(vault).map(|(code, why)| format!("{code}: {why}")));
        refuse_left_out(plan, vault, refused);
    }
}

fn refuse_left_out(plan: &CheckedPlan, vault: &Vault, refused: &mut Vec<String>) {
    let backed_up = plan.targets.iter().filter(|(_, target)| {
        let treatment = plan.treatments.get(target.treatment as usize);
        let asked = treatment.and_then(|treatment| treatment.backup.as_ref());
        asked.is_some_and(|asked| asked.vault == vault.id)
    });
    let (mut out, mut diskless) = (Vec::new(), Vec::new());
    for (server, target) in backed_up {
        if !vault.servers.contains(server) {
            out.push(target.found.name.as_str());
        } else if vault.left_out.contains(&target.found.system_volume) {
            diskless.push(target.found.name.as_str());
        }
    }
    if !out.is_empty() {
        refused.push(format!(
            "BackupService.0001: {} no longer associated with vault {}: {}",
            count(out.len(), "server"),
            vault.name,
            list_some(&out, 5)
        ));
    }
    if !diskless.is_empty() {
        refused.push(format!(
            "N2: vault {} leaves the system disks of {} out: {}",
            vault.name,
            count(diskless.len(), "server"),
            list_some(&diskless, 5)
        ));
    }
}

fn refuse_quota(plan: &CheckedPlan, inventory: &Inventory, refused: &mut Vec<String>) {
    match super::room::Room::of(inventory.quota.as_ref(), plan.targets.values()) {
        Err(refusal) => refused.push(format!("{}: {}", refusal.code, refusal.message)),
        Ok(room) if room.is_below(plan.limits.reinstalls) => refused.push(
            "Ecs.0021: the EVS quota has less room than when the plan was made: plan again"
                .to_owned(),
        ),
        Ok(_) => {}
    }
}
