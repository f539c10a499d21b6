//! One server: what will be done to it, or everything that the cloud would refuse.
//!
//! The codes are those that the cloud answers with where it has one, else a line of
//! `seed-constraints.md` (C…, X…).

use indexmap::IndexMap;

use crate::domain::{
    Address, AgencyState, Encryption, FaultClass, Feature, HostFacts, Image, ImageId, InstallCall,
    KeyState, KmsKey, Login, ReinstallRequest, Server, VolumeId, advice, list_some,
};
use crate::playbook::{
    Check, EncryptionSpec, ImageChoice, Leave, License, LoginSpec, ReinstallSpec, StepSpec,
    Treatment,
};

use super::wants::is_image_id;
use super::{CloudIdentity, Disk, Fingerprint, Inventory, Provider, Unread, inserts, vault};

/// Something that the cloud would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) code: &'static str,
    pub(super) cause: String,
    pub(super) help: String,
}

/// What becomes of one server, apart from its fleet.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) found: Fingerprint,
    pub(super) reinstall: ReinstallRequest,
    /// What is installed.
    pub(super) image: &'a Image,
    pub(super) image_before: Option<String>,
    pub(super) grows_to: Option<u64>,
    pub(super) leave_running: bool,
    pub(super) wiped: Disk,
    /// Snapshots of the system disk: id and name.
    pub(super) snapshots: IndexMap<String, String>,
    pub(super) kept: Vec<Disk>,
}

/// What is worth a second look, each with the number of servers that it is about.
pub(super) type Notes = IndexMap<String, usize>;

/// Whoever judges servers: what was read, and who acts.
pub(super) struct Judge<'a> {
    pub(super) cloud: &'a CloudIdentity,
    pub(super) inventory: &'a Inventory,
    pub(super) notes: Notes,
}

/// What an image is made for that a server boots from (`storage-image-kms.md`, section 5).
const SYSTEM_DISK: &str = "FusionCompute";

/// The tag that the cloud itself puts on bare metal servers (`ecs.md`, section 2).
const BARE_METAL: &str = "__type_baremetal";

pub(super) type Finding<T> = Result<T, Obstacle>;

pub(super) fn obstacle<T>(
    code: &'static str,
    cause: impl Into<String>,
    help: impl Into<String>,
) -> Finding<T> {
    Err(Obstacle { code, cause: cause.into(), help: help.into() })
}

/// Keeps the good part of a finding, and the bad one too.
fn keep<T>(finding: Finding<T>, obstacles: &mut Vec<Obstacle>) -> Option<T> {
    finding.map_err(|found| obstacles.push(found)).ok()
}

impl<'a> Judge<'a> {
    /// Looks at everything, and stops at nothing: all that is wrong with a server comes at once.
    pub(super) fn judge(
        &mut self,
        server: &Server,
        treatment: &Treatment,
    ) -> Result<Judged<'a>, Vec<Obstacle>> {
        let mut wrong = Vec::new();
        for look in [at_rest, not_frozen, not_bare_metal, from_image, flavor] {
            keep(look(server), &mut wrong);
        }
        if let Some(backup) = &treatment.backup {
            let can = self.can(Feature::Backup, "`backup`");
            let takes = can.and_then(|()| vault::takes(self.inventory, backup, server));
            keep(takes, &mut wrong);
        }
        let disk = keep(self.system_disk(server), &mut wrong);
        let spec = &treatment.reinstall;
        let image = keep(self.image(server, &spec.image), &mut wrong);
        keep(image.map_or(Ok(()), |image| market(server, image)), &mut wrong);
        let changed = image.filter(|image| image.id != server.image);
        keep(changed.map_or(Ok(()), |image| self.other_image(server, image)), &mut wrong);
        let sized = disk.as_ref().zip(image);
        keep(sized.map_or(Ok(()), |(disk, image)| self.disk_holds(disk, image)), &mut wrong);
        let request = image.and_then(|image| self.request(server, spec, image, &mut wrong));
        let named = if self.cloud.features.names_image { image } else { changed };
        let login = request.as_ref().map(|request| &request.login);
        let comes = self.can_fetch_password(treatment);
        keep(comes.and_then(|()| password_comes(treatment, image, login)), &mut wrong);
        keep(checks_can_be_made(treatment, server), &mut wrong);
        let old = disk.as_ref().map(|disk| disk.key.as_deref());
        let sealed = image.and_then(|image| image.key.as_deref());
        let encryption = old.and_then(|old| keep(self.encryption(old, sealed, spec), &mut wrong));
        match (disk, image.zip(request), encryption) {
            (Some(disk), Some((image, request)), Some(encryption)) if wrong.is_empty() => {
                Ok(Judged {
                    found: fingerprint(server, disk.id.clone()),
                    reinstall: ReinstallRequest {
                        image: named.map(|image| image.id.clone()),
                        encryption,
                        ..request
                    },
                    image,
                    image_before: changed.and_then(|_| self.name_of_image(server)),
                    grows_to: changed
                        .map(|image| image.min_disk_gib)
                        .filter(|needed| *needed > disk.size_gib),
                    leave_running: leave_running(spec.leave, server),
                    snapshots: self.snapshots(&disk.id),
                    wiped: disk,
                    kept: server.data_volumes().map(|id| self.disk(id)).collect(),
                })
            }
            _ => Err(wrong),
        }
    }

    /// What a playbook asks for and this cloud cannot do.
    fn can(&self, feature: Feature, asked: &str) -> Finding<()> {
        match self.cloud.features.lack(feature) {
            None => Ok(()),
            Some(why) => obstacle(
                "refleet.feature",
                format!("{asked} cannot be done here: {why}"),
                format!("take {asked} out of the playbook for this server"),
            ),
        }
    }

    /// C2: attached, and nothing is being done to it.
    fn system_disk(&self, server: &Server) -> Finding<Disk> {
        let Some(id) = server.system_volume() else {
            let help = advice("Ecs.0105", FaultClass::Invalid);
            return obstacle("Ecs.0105", "it has no system disk attached", help);
        };
        if id.is_local() {
            let size_gib = server.local_disk_gib.unwrap_or(0);
            return Ok(Disk { id: id.clone(), size_gib, kind: "local".to_owned(), key: None });
        }
        if let Some(why) = self.cloud.features.lack(Feature::SystemVolume) {
            let help = "take it out with `exclude`, or make it anew";
            return obstacle("refleet.feature", format!("it boots from a volume: {why}"), help);
        }
        let Some(volume) = self.inventory.volumes.get(id) else {
            let cause = format!("its system disk {id} is not in the list of disks");
            return obstacle("Ecs.0101", cause, "look at the disk in the console, then plan again");
        };
        match volume.status.as_str() {
            "in-use" => Ok(self.disk(id)),
            "backing-up" => obstacle(
                "Ecs.0073",
                "its system disk is being backed up",
                "wait for the backup to end, then plan again",
            ),
            status => obstacle(
                "Ecs.0101",
                format!("its system disk is `{status}`, not `in-use`"),
                "bring the disk in order, then plan again",
            ),
        }
    }

    fn disk(&self, id: &VolumeId) -> Disk {
        match self.inventory.volumes.get(id) {
            Some(volume) => Disk {
                id: id.clone(),
                size_gib: volume.size_gib,
                kind: volume.kind.clone(),
                key: volume.key.clone(),
            },
            None => Disk { id: id.clone(), size_gib: 0, kind: "unknown".to_owned(), key: None },
        }
    }

    /// X9: a reinstall deletes the snapshots of the system disk, so they are no way back.
    fn snapshots(&self, disk: &VolumeId) -> IndexMap<String, String> {
        let mine = self.inventory.snapshots.iter().filter(|snapshot| snapshot.volume == *disk);
        mine.map(|snapshot| (snapshot.id.clone(), snapshot.name.clone())).collect()
    }

    /// C4: still there, still shared with us, and usable.
    fn image(&self, server: &Server, choice: &ImageChoice) -> Finding<&'a Image> {
        let image = match choice {
            ImageChoice::Current => self.current_image(server)?,
            ImageChoice::Named(name) => self.named_image(name)?,
        };
        if image.status != "active" {
            let cause = format!("its image {} is `{}`, not `active`", image.name, image.status);
            return obstacle("Ecs.0032", cause, "wait until the image is active, then plan again");
        }
        if !image.registered {
            let cause = format!("its image {} is not registered", image.name);
            return obstacle("Ecs.0032", cause, "the image's owner has to register it");
        }
        if image.whole_server && image.backup.is_none() {
            return obstacle(
                "Ecs.0034",
                format!("its image {} is a full-ECS image whose backup is missing", image.name),
                "the image's owner has to make it anew from a backup that is still there; else \
                 change the OS",
            );
        }
        Ok(image)
    }

    fn current_image(&self, server: &Server) -> Finding<&'a Image> {
        let name = server.image_name.as_deref().unwrap_or("unnamed");
        let found = self.inventory.images.get(&server.image).and_then(Option::as_ref);
        found.map_or_else(
            || {
                obstacle(
                    "Ecs.0031",
                    format!(
                        "its image {} ({name}) is gone, or no longer shared with you",
                        server.image
                    ),
                    "the image's owner can share it again; else name another with \
                     `reinstall.image`: a change of OS",
                )
            },
            Ok,
        )
    }

    /// The one image of that name or id: which of several is meant, nobody here guesses.
    fn named_image(&self, name: &str) -> Finding<&'a Image> {
        let found: Vec<&Image> = if is_image_id(name) {
            self.inventory.images.get(name).into_iter().flatten().collect()
        } else {
            self.inventory.named_images.get(name).into_iter().flatten().collect()
        };
        match found.as_slice() {
            [image] => Ok(image),
            [] => obstacle(
                "Ecs.0031",
                format!("there is no image {name}, or it is not shared with you"),
                "correct its name in `reinstall.image`; names of images are case-sensitive",
            ),
            several => {
                let ids: Vec<&ImageId> = several.iter().map(|image| &image.id).collect();
                obstacle(
                    "C9",
                    format!("{} images are named {name}: {}", ids.len(), list_some(&ids, 8)),
                    "write the id of the one that is meant in `reinstall.image`",
                )
            }
        }
    }

    /// What an image must be that the server has not run yet (`ecs.md`, section 6.3).
    fn other_image(&mut self, server: &Server, image: &Image) -> Finding<()> {
        if let Some(made_for) = image.made_for.as_ref().filter(|made_for| *made_for != SYSTEM_DISK)
        {
            return obstacle(
                "Ecs.0007",
                format!("image {} is a `{made_for}`, not a system disk of a server", image.name),
                "name another image with `reinstall.image`",
            );
        }
        if server.ram_mib.is_some_and(|ram| ram < image.min_ram_mib) {
            return obstacle(
                "Ecs.0007",
                format!(
                    "image {} needs {} MiB of memory, and flavor {} has {}",
                    image.name,
                    image.min_ram_mib,
                    server.flavor,
                    server.ram_mib.unwrap_or_default()
                ),
                "name another image with `reinstall.image`, or resize the server first",
            );
        }
        if server.prepaid && image.charged {
            return obstacle(
                "Ecs.0510",
                format!("it is paid by the month or year, and image {} costs extra", image.name),
                "change its OS in the console, where the order can be paid; refleet buys nothing",
            );
        }
        let os = server.os_type.as_deref().filter(|os| !os.eq_ignore_ascii_case(&image.os_type));
        if let Some(os) = os {
            self.note(format!("the OS changes from {os} to {}", image.os_type));
        }
        Ok(())
    }

    /// The request without its encryption.
    fn request(
        &mut self,
        server: &Server,
        spec: &ReinstallSpec,
        image: &Image,
        wrong: &mut Vec<Obstacle>,
    ) -> Option<ReinstallRequest> {
        let call = if image.cloud_init { InstallCall::V2 } else { InstallCall::V1 };
        keep(self.call(call, spec, image), wrong);
        let login = keep(self.login(server, spec), wrong);
        let byol = keep(self.byol(spec, image), wrong);
        let login = login?;
        let user_data = spec.user_data.as_ref();
        keep(
            user_data.map_or(Ok(()), |_| self.can(Feature::UserData, "`reinstall.user_data`")),
            wrong,
        );
        keep(self.login_fits(&login, call, user_data.is_some(), image), wrong);
        let addresses = sorted_addresses(server);
        let inserts = keep(inserts::frozen(user_data, &host(server, &addresses)), wrong);
        Some(ReinstallRequest {
            call,
            image: None,
            login,
            user_data: user_data.map(|user_data| user_data.file.clone()),
            inserts: inserts?,
            byol: byol?,
            encryption: Encryption::None,
        })
    }

    /// X5: which form of the call, and whether it is documented here.
    fn call(&self, call: InstallCall, spec: &ReinstallSpec, image: &Image) -> Finding<()> {
        match (call, self.cloud.provider) {
            (InstallCall::V1, Provider::Otc) if !spec.allow_v1 => obstacle(
                "X5",
                format!(
                    "its image {} has no cloud-init, and the call for such images is not \
                     documented on this cloud",
                    image.name
                ),
                "use an image with cloud-init, or insist with `reinstall.allow_v1: true`",
            ),
            (InstallCall::V1 | InstallCall::V2, _) => Ok(()),
        }
    }

    /// C10: one way in, and it works.
    fn login(&mut self, server: &Server, spec: &ReinstallSpec) -> Finding<Login> {
        let me = &self.cloud.user_id;
        match (&spec.login, &server.key_name) {
            (LoginSpec::Password(secret), _) => {
                self.can(Feature::AdminPass, "`reinstall.admin_pass`")?;
                Ok(Login::Password(secret.clone()))
            }
            (LoginSpec::ServerKey, _)
                if spec.user_data.is_none() && self.cloud.features.keeps_login =>
            {
                Ok(Login::Kept)
            }
            (LoginSpec::KeyPair { name, owner }, _) => {
                self.can(Feature::KeyPair, "`reinstall.key_name`")?;
                let owner = owner.as_ref().unwrap_or(me).clone();
                if owner == *me {
                    self.visible(name)?;
                } else {
                    self.note(super::key_pins::of_another(self.cloud, name, &owner)?);
                }
                Ok(Login::KeyPair { name: name.clone(), owner })
            }
            // Its key pair may be somebody else's here, and it stays anyhow.
            (LoginSpec::ServerKey, Some(_)) if self.cloud.features.keeps_login => {
                Ok(Login::UserData)
            }
            (LoginSpec::ServerKey, Some(name)) => {
                self.visible(name)?;
                Ok(Login::KeyPair { name: name.clone(), owner: me.clone() })
            }
            (LoginSpec::ServerKey, None) if spec.user_data.is_some() => Ok(Login::UserData),
            (LoginSpec::ServerKey, None) => obstacle(
                "C10",
                "it has no key pair, and the playbook names no key, password or user data",
                "write `reinstall.key_name`: otherwise nobody could log in afterwards",
            ),
        }
    }

    fn visible(&self, name: &str) -> Finding<()> {
        if matches!(self.inventory.key_pairs.get(name), Some(Some(_))) {
            return Ok(());
        }
        obstacle(
            "Ecs.0314",
            format!("user {} cannot see key pair {name}", self.cloud.user_name),
            "a key pair is visible to its owner alone: name one of your own with \
             `reinstall.key_name`, or its owner's user id with `reinstall.key_owner`",
        )
    }

    /// Whether this way in goes with this call and this image (`ecs.md`, section 6).
    fn login_fits(
        &mut self,
        login: &Login,
        call: InstallCall,
        user_data: bool,
        image: &Image,
    ) -> Finding<()> {
        let windows = image.os_type.eq_ignore_ascii_case("windows");
        if call == InstallCall::V1 && user_data {
            return obstacle(
                "X5",
                format!("its image {} has no cloud-init: user data cannot be sent", image.name),
                "take `user_data` out for this server, or use an image with cloud-init",
            );
        }
        match login {
            Login::Password(_) if self.cloud.provider == Provider::Otc => obstacle(
                "C10",
                "`admin_pass` is not documented for a reinstall on this cloud",
                "use `reinstall.key_name`; on Linux a password can be set with user data",
            ),
            Login::Password(_) if !windows && user_data => obstacle(
                "C10",
                "with user data, `admin_pass` has no effect on Linux",
                "set the password with the user data, or use `reinstall.key_name`",
            ),
            Login::KeyPair { .. } if windows && call == InstallCall::V1 => obstacle(
                "C10",
                "Windows without Cloudbase-Init takes a password only, not a key pair",
                "use `reinstall.admin_pass`",
            ),
            Login::UserData if windows => {
                self.note(
                    "Windows servers will be reinstalled with user data alone: no password can be \
                     fetched for them without a key pair"
                        .to_owned(),
                );
                Ok(())
            }
            Login::KeyPair { .. } | Login::Password(_) | Login::UserData | Login::Kept => Ok(()),
        }
    }

    /// C6, C7, X8: silence never removes encryption. `old` is the key of the old disk, `sealed`
    /// that of the image: an encrypted image always gives an encrypted disk
    /// (`storage-image-kms.md`, section 5).
    fn encryption(
        &mut self,
        old: Option<&str>,
        sealed: Option<&str>,
        spec: &ReinstallSpec,
    ) -> Finding<Encryption> {
        if let EncryptionSpec::KmsKey(_) = spec.encryption {
            self.can(Feature::Encryption, "`reinstall.encryption`")?;
        }
        let wanted = match (&spec.encryption, old.or(sealed)) {
            (EncryptionSpec::Keep, None) => return Ok(Encryption::None),
            (EncryptionSpec::None, _) if sealed.is_some() => {
                return obstacle(
                    "X8",
                    "its image is encrypted, so its new system disk will be too",
                    "take `encryption: none` out for this server",
                );
            }
            (EncryptionSpec::None, old) => {
                if old.is_some() {
                    self.note(
                        "`encryption: none`: the new system disk will not be encrypted, though \
                         the old one is"
                            .to_owned(),
                    );
                }
                return Ok(Encryption::None);
            }
            (EncryptionSpec::Keep, Some(key)) => key,
            (EncryptionSpec::KmsKey(key), _) => key,
        };
        let id = self.usable_key(wanted)?;
        match self.inventory.agency {
            Some(AgencyState::Granted) => {}
            Some(AgencyState::Powerless) => self.note(
                "the agency EVSAccessKMS has no role for KMS that can be seen in this project; if \
                 it inherits none either, the cloud answers Ecs.0025, and a user with Security \
                 Administrator rights has to grant it"
                    .to_owned(),
            ),
            Some(AgencyState::Missing) => {
                return obstacle(
                    "Ecs.0025",
                    "EVS may not use KMS keys: the agency EVSAccessKMS is missing",
                    "a user with Security Administrator rights creates it once for the project \
                     (console: \"Create Xrole\"); refleet never does",
                );
            }
            Some(AgencyState::Unknown) | None => self.note(
                "whether EVS may use KMS keys (agency EVSAccessKMS) could not be seen: not \
                 allowed to look"
                    .to_owned(),
            ),
        }
        Ok(Encryption::Key(id))
    }

    fn usable_key(&mut self, wanted: &str) -> Finding<String> {
        if let Some(KmsKey { id, state, alias }) = self.inventory.key(wanted) {
            return match state {
                KeyState::Enabled => Ok(id.clone()),
                KeyState::PendingActivation
                | KeyState::Disabled
                | KeyState::PendingDeletion
                | KeyState::PendingImport => obstacle(
                    "EVS.2040",
                    format!("KMS key {alias} ({id}) is not enabled: {}", key_state(*state)),
                    "a KMS administrator can enable it; or name another with \
                     `encryption: { kms_key: … }`",
                ),
            };
        }
        let hidden = self.inventory.unread.contains(&Unread::Keys);
        if hidden && super::survey::is_key_id(wanted) {
            // An id can be sent unseen; the warning about unread keys is already there.
            return Ok(wanted.to_owned());
        }
        let cause = if hidden {
            format!("KMS key {wanted} could not be looked up: not allowed to read KMS keys")
        } else {
            format!("there is no KMS key {wanted}")
        };
        let help = "create it (evs/default appears with the first encrypted disk), correct its \
                    name, or grant the acting user the right to read KMS keys";
        obstacle("Ecs.0912", cause, help)
    }

    /// A server that is not stopped can be reinstalled in some clouds only.
    pub(super) fn stop(&self, steps: &[StepSpec]) -> Option<Obstacle> {
        let skips = steps.iter().any(|step| step.stop.skip);
        (skips && !self.cloud.features.reinstalls_running).then(|| Obstacle {
            code: "refleet.feature",
            cause: "`stop: skip` cannot be done here: this cloud reinstalls stopped servers only"
                .to_owned(),
            help: "take `skip` out of the step `stop`".to_owned(),
        })
    }

    /// Where the disk stays the one that it is, the image has to fit on it.
    fn disk_holds(&self, disk: &Disk, image: &Image) -> Finding<()> {
        let fits = disk.size_gib == 0 || image.min_disk_gib <= disk.size_gib;
        if fits || !self.cloud.features.keeps_disk {
            return Ok(());
        }
        let (needed, has) = (image.min_disk_gib, disk.size_gib);
        obstacle(
            "refleet.feature",
            format!("image {} needs {needed} GiB, and its disk stays at {has}", image.name),
            "name another image with `reinstall.image`, or resize the server first",
        )
    }

    /// The name of the image that a server has, where somebody says it.
    fn name_of_image(&self, server: &Server) -> Option<String> {
        let shown = || self.inventory.images.get(&server.image)?.as_ref().map(|it| it.name.clone());
        server.image_name.clone().or_else(shown)
    }

    fn can_fetch_password(&self, treatment: &Treatment) -> Finding<()> {
        let asked = |check: &Check| matches!(check, Check::PasswordReady { .. });
        if treatment.verify.iter().any(asked) {
            return self.can(Feature::FetchedPassword, "`verify: password_ready`");
        }
        Ok(())
    }

    fn byol(&self, spec: &ReinstallSpec, image: &Image) -> Finding<bool> {
        if spec.license.is_some() {
            self.can(Feature::License, "`reinstall.license`")?;
        }
        byol(spec, image)
    }

    fn note(&mut self, text: String) {
        *self.notes.entry(text).or_insert(0) += 1;
    }
}

/// What the steps of its fleet want inserted and the server does not have.
pub(super) fn holes(steps: &[StepSpec], server: &Server) -> Vec<Obstacle> {
    let host = server.host();
    let runs = steps.iter().filter_map(|step| Some((step, step.run.as_ref()?)));
    let missing = runs.filter_map(|(step, run)| {
        let missing = run.templates().find_map(|template| template.fill(&host).err())?;
        Some(Obstacle {
            code: "refleet.insert",
            cause: format!("step `{}` cannot be filled in: {missing}", step.id),
            help: "give the server what is missing, or take the insert out of the step".to_owned(),
        })
    });
    missing.collect()
}

/// Nothing runs on it, and it is on or off. Every other state is somebody's business.
fn at_rest(server: &Server) -> Finding<()> {
    if let Some(task) = &server.task_state {
        let cause = format!("a task is running on it: {task}");
        return obstacle("Ecs.0603", cause, "wait for the task to end, then plan again");
    }
    match server.status.as_str() {
        "ACTIVE" | "SHUTOFF" => Ok(()),
        status => {
            let fault = server.fault.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
            obstacle(
                "Ecs.0100",
                format!("its status is {status}{fault}"),
                "bring it to ACTIVE or SHUTOFF, or take it out with `exclude`",
            )
        }
    }
}

/// X2.
fn not_frozen(server: &Server) -> Finding<()> {
    if !server.frozen {
        return Ok(());
    }
    let help = "the cloud's operator froze it, for example over an unpaid bill: ask there";
    obstacle("Ecs.0030", "it is frozen", help)
}

/// X4: a bare metal server has a reinstall of its own, in another service.
fn not_bare_metal(server: &Server) -> Finding<()> {
    if !server.tags.has_key(BARE_METAL) {
        return Ok(());
    }
    let help = "take it out with `exclude`; the Bare Metal Server console reinstalls it";
    obstacle("X4", "it is a bare metal server", help)
}

/// X10: the market binds a server that is paid by the month or the year to its image's licence.
fn market(server: &Server, image: &Image) -> Finding<()> {
    if !server.prepaid || image.kind != "market" {
        return Ok(());
    }
    obstacle(
        "Ecs.0510",
        format!("it is paid by the month or year, and its image {} is of the market", image.name),
        "take it out with `exclude`; whoever pays for it can change its billing or its OS in the \
         console",
    )
}

/// A reinstall is not documented for servers made from an ISO image.
fn from_image(server: &Server) -> Finding<()> {
    if !server.from_iso {
        return Ok(());
    }
    let help = "take it out with `exclude`; it can be made anew from a normal image";
    obstacle("Ecs.0007", "it was made from an ISO image", help)
}

/// X3: disk-intensive flavors of the second generation have no reinstall.
fn flavor(server: &Server) -> Finding<()> {
    match server.flavor.split('.').next() {
        Some("d2" | "h2") => obstacle(
            "X3",
            format!("flavor {} does not support a reinstall", server.flavor),
            "take it out with `exclude`",
        ),
        Some(_) | None => Ok(()),
    }
}

/// C8: said where it costs money, and only there.
fn byol(spec: &ReinstallSpec, image: &Image) -> Finding<bool> {
    match (is_billed(image), spec.license) {
        (true, Some(License::Byol)) => Ok(true),
        (true, Some(License::System)) | (false, None) => Ok(false),
        (true, None) => obstacle(
            "C8",
            format!("its image {} is {}, whose licence costs money", image.name, image.platform),
            "write `reinstall.license: system` (billed by the cloud) or `byol` (your own)",
        ),
        (false, Some(_)) => obstacle(
            "C8",
            format!("`license` means nothing for its image {} ({})", image.name, image.platform),
            "take `reinstall.license` out for this server",
        ),
    }
}

/// SLES, Oracle Linux, RHEL: the platform tells, and for SUSE the version that it is not openSUSE.
/// On Huawei Cloud the image says it itself, with a charge of its own.
fn is_billed(image: &Image) -> bool {
    if image.charged {
        return true;
    }
    match image.platform.as_str() {
        "Oracle Linux" | "Red Hat" => true,
        "SUSE" => !image.os_version.to_ascii_lowercase().contains("opensuse"),
        _ => false,
    }
}

/// N6: only Windows has a password to fetch, and only for whoever has the private key.
fn password_comes(
    treatment: &Treatment,
    image: Option<&Image>,
    login: Option<&Login>,
) -> Finding<()> {
    let asked = treatment.verify.iter().any(|check| matches!(check, Check::PasswordReady { .. }));
    let (true, Some(image)) = (asked, image) else { return Ok(()) };
    if !image.os_type.eq_ignore_ascii_case("windows") {
        return obstacle(
            "N6",
            format!("its image {} is no Windows: there will be no password to fetch", image.name),
            "take `password_ready` out of `verify` for this server; on Linux, log in with the key, \
             and check with `tcp`",
        );
    }
    match login {
        Some(Login::Password(_) | Login::UserData | Login::Kept) => obstacle(
            "N6",
            "without a key pair there is no password to fetch: it is encrypted for that key",
            "write `reinstall.key_name`, or take `password_ready` out of `verify` for this server",
        ),
        Some(Login::KeyPair { .. }) | None => Ok(()),
    }
}

/// What its checks insert of it is there.
fn checks_can_be_made(treatment: &Treatment, server: &Server) -> Finding<()> {
    let mut addresses = server.addresses.clone();
    addresses.sort_unstable();
    let Server { id, name, az, tags, .. } = server;
    let host = HostFacts { id, name, az, addresses: &addresses, tags };
    for check in &treatment.verify {
        for template in check.templates() {
            if let Err(missing) = template.fill(&host) {
                return obstacle(
                    "refleet.insert",
                    format!("{missing}, which its check `{}` inserts: {template}", check.name()),
                    "give it the tag or the address, or give it other checks with `overrides`",
                );
            }
        }
    }
    Ok(())
}

fn key_state(state: KeyState) -> &'static str {
    match state {
        KeyState::Enabled => "enabled",
        KeyState::PendingActivation => "waiting to be activated",
        KeyState::Disabled => "disabled",
        KeyState::PendingDeletion => "scheduled for deletion",
        KeyState::PendingImport => "waiting for its material",
    }
}

fn leave_running(leave: Leave, server: &Server) -> bool {
    match leave {
        Leave::Running => true,
        Leave::Stopped => false,
        Leave::AsFound => server.status == "ACTIVE",
    }
}

fn sorted_addresses(server: &Server) -> Vec<Address> {
    let mut addresses = server.addresses.clone();
    addresses.sort_unstable();
    addresses
}

/// What templates are filled in with: the same as of its fingerprint.
fn host<'a>(server: &'a Server, addresses: &'a [Address]) -> HostFacts<'a> {
    HostFacts { id: &server.id, name: &server.name, az: &server.az, addresses, tags: &server.tags }
}

fn fingerprint(server: &Server, system_volume: VolumeId) -> Fingerprint {
    let mut data_volumes: Vec<VolumeId> = server.data_volumes().cloned().collect();
    data_volumes.sort_unstable();
    Fingerprint {
        name: server.name.clone(),
        tags: server.tags.clone(),
        az: server.az.clone(),
        image: server.image.clone(),
        key_name: server.key_name.clone(),
        system_volume,
        data_volumes,
        addresses: sorted_addresses(server),
        locked: server.locked,
        running: server.status == "ACTIVE",
        created: server.created,
        updated: server.updated,
    }
}
