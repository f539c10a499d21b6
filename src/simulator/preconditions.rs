//! What must hold before a system disk is wiped, and the code of what does not (`ecs.md`, section 6;
//! `seed-constraints.md`).

use super::answers::KnownCode;
use super::commands::{StopFirst, Wipe};
use super::error::ApiError;
use super::knobs::AdminPassword;
use super::spec::BackupState;
use super::world::World;
use crate::domain::{AgencyState, Image, InstallCall, KeyState, Server};

/// Flavors that cannot be reinstalled (`ecs.md`, section 6.1).
const WITHOUT: [&str; 2] = ["d2.", "h2."];

/// What a wipe will put in place.
pub(super) struct Fitting {
    /// The image.
    pub(super) image: Image,
    /// The size of the new system disk in GiB.
    pub(super) gib: u64,
}

impl World {
    /// Whether the server can be reinstalled like this, and with what.
    pub(super) fn check_wipe(&self, index: usize, wipe: &Wipe) -> Result<Fitting, ApiError> {
        let machine = &self.machines[index];
        let server = &machine.server;
        let refuse = |code| Err(ApiError::coded(code));
        if server.locked {
            return refuse("Ecs.0605");
        }
        if server.frozen {
            return refuse("Ecs.0030");
        }
        if machine.task.is_some() {
            return refuse(self.busy().code);
        }
        let may_run = (wipe.stop_first == StopFirst::Yes || self.knobs.reinstalls_running)
            && server.status == "ACTIVE";
        let failed = machine.last_failed && server.status != "ACTIVE";
        if !(server.status == "SHUTOFF" || may_run || failed) {
            return refuse("Ecs.0100");
        }
        let Some(slot) = machine.system else { return refuse("Ecs.0105") };
        let disk = &self.disks[slot];
        if disk.status != "in-use" {
            let backing_up = disk.status == "backing-up";
            return refuse(if backing_up { "Ecs.0073" } else { "Ecs.0101" });
        }
        let image = wipe.new_image.as_ref().unwrap_or(&server.image);
        let image = self.images.get(image).ok_or_else(|| ApiError::coded("Ecs.0031"))?;
        self.check_image(server, image, wipe)?;
        self.check_login(wipe)?;
        self.check_encryption(image.key.as_ref(), wipe.disk_key.as_ref())?;
        let least = if wipe.new_image.is_some() { image.min_disk_gib } else { 0 };
        let gib = disk.size_gib.max(least);
        self.check_quota(gib)?;
        let most = self.knobs.reinstalls_at_once;
        if most.is_some_and(|most| self.in_flight >= most as usize) {
            return refuse("Common.0024");
        }
        Ok(Fitting { image: image.clone(), gib })
    }

    fn check_login(&self, wipe: &Wipe) -> Result<(), ApiError> {
        let bad = |text: &'static str| Err(ApiError::new(400, "Ecs.0005", text));
        if wipe.password && self.knobs.admin_password == AdminPassword::Refused {
            return bad("adminpass is not supported.");
        }
        match (&wipe.key_pair, wipe.password) {
            (Some(_), true) => bad("adminpass and keyname must not both be set."),
            (None, false) if !wipe.user_data => bad("adminpass, keyname or user_data must be set."),
            (Some((name, owner)), false) => {
                let same = |pair: &crate::domain::KeyPair| {
                    pair.name == *name
                        && pair.user.as_ref().is_some_and(|user| user.as_str() == owner)
                };
                if self.key_pairs.iter().any(same) {
                    Ok(())
                } else {
                    Err(ApiError::coded("Ecs.0314"))
                }
            }
            (None, _) => Ok(()),
        }
    }

    fn check_encryption(
        &self,
        image: Option<&String>,
        asked: Option<&String>,
    ) -> Result<(), ApiError> {
        let Some(key) = image.or(asked) else { return Ok(()) };
        if matches!(self.agency, AgencyState::Missing | AgencyState::Powerless) {
            return Err(ApiError::coded("Ecs.0025"));
        }
        let usable = |it: &crate::domain::KmsKey| it.id == *key && it.state == KeyState::Enabled;
        if self.keys.iter().any(usable) {
            return Ok(());
        }
        let of_image = self.knobs.image_key_code.filter(|_| image.is_some());
        Err(ApiError::coded(of_image.map_or("Ecs.0912", KnownCode::as_str)))
    }

    fn check_quota(&self, gib: u64) -> Result<(), ApiError> {
        let servers = self.machines.len() + self.helpers.len();
        let full = self.quota.servers.is_some_and(|limit| servers as u64 >= limit);
        if self.knobs.helper_counts && full {
            return Err(ApiError::coded("Ecs.0001"));
        }
        let quota = self.shown_quota();
        let short = |free: Option<u64>, needed: u64| free.is_some_and(|free| free < needed);
        if short(quota.volumes.free(), 1) || short(quota.gigabytes.free(), gib) {
            return Err(ApiError::coded("Ecs.0021"));
        }
        Ok(())
    }

    fn check_image(&self, server: &Server, image: &Image, wipe: &Wipe) -> Result<(), ApiError> {
        let refuse = |code| Err(ApiError::coded(code));
        if WITHOUT.iter().any(|begin| server.flavor.starts_with(begin)) {
            return refuse(self.knobs.flavor_code.map_or("Ecs.0005", KnownCode::as_str));
        }
        if server.from_iso && (self.knobs.iso_refused || wipe.new_image.is_some()) {
            return refuse("Ecs.0007");
        }
        if image.status != "active" || !image.registered {
            return refuse("Ecs.0032");
        }
        match self.image_backups.get(&image.id) {
            Some(BackupState::Gone) => return refuse("Ecs.0034"),
            Some(BackupState::Preparing) => return refuse("Ecs.0048"),
            Some(BackupState::Ready) | None => {}
        }
        if server.prepaid && image.kind == "market" {
            return refuse("Ecs.0510");
        }
        if wipe.byol && !self.knobs.byol {
            return refuse("Ecs.0090");
        }
        let small = server.ram_mib.is_some_and(|ram| ram < image.min_ram_mib);
        if wipe.new_image.is_some() && small {
            return refuse("Ecs.0007");
        }
        let fits = match wipe.call {
            InstallCall::V2 => image.cloud_init,
            InstallCall::V1 => !image.cloud_init,
        };
        if fits { Ok(()) } else { refuse("Ecs.0007") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::knobs::Knobs;
    use super::super::trial::{answer, calm, ids, job, reinstall_of, status, world};
    use super::super::{Faults, WorldSpec};
    use crate::domain::{Action, Answer, JobStatus, Login, ReinstallRequest, UserId};

    /// The code that a changed request is refused with, in a stopped world of those knobs.
    fn refused(knobs: &str, change: fn(&mut ReinstallRequest)) -> Option<String> {
        let text = format!("knobs: {{ {knobs} }}");
        let knobs = WorldSpec::from_yaml(&text).expect(&text).knobs;
        let mut world = world("servers: [{ status: SHUTOFF }]", knobs);
        let server = ids(&world).remove(0);
        let Action::Reinstall { server, mut request } = reinstall_of(&world, &server) else {
            panic!("no reinstall")
        };
        change(&mut request);
        answer(&mut world, 0, &Action::Reinstall { server, request }).err()
    }

    #[test]
    fn a_licence_is_refused_where_the_region_takes_none() {
        let byol = |request: &mut ReinstallRequest| request.byol = true;
        assert_eq!(refused("", byol), None);
        assert_eq!(refused("byol: false", byol).as_deref(), Some("Ecs.0090"));
        assert_eq!(refused("byol: false", |_| ()), None);
    }

    #[test]
    fn a_key_pair_is_one_of_its_owner_or_none_at_all() {
        let foreign = |request: &mut ReinstallRequest| {
            if let Login::KeyPair { owner, .. } = &mut request.login {
                *owner = UserId::new("somebody-else");
            }
        };
        let unknown = |request: &mut ReinstallRequest| {
            if let Login::KeyPair { name, .. } = &mut request.login {
                "nobody-made-it".clone_into(name);
            }
        };
        assert_eq!(refused("", foreign).as_deref(), Some("Ecs.0314"));
        assert_eq!(refused("", unknown).as_deref(), Some("Ecs.0314"));
    }

    #[test]
    fn knobs_say_which_code_a_flavor_and_the_key_of_an_image_are_refused_with() {
        let image = "images: [{ name: Standard_Ubuntu_24.04_latest, encrypted: evs/default }]\n\
                     keys: [{ state: disabled }]";
        let cases = [
            ("flavor: h2.3xlarge.10", "", "", "Ecs.0005"),
            ("flavor: d2.xlarge.8", "", "flavor_code: Ecs.0202", "Ecs.0202"),
            ("count: 1", image, "image_key_code: EVS.2040", "EVS.2040"),
        ];
        for (group, top, knobs, code) in cases {
            let text =
                format!("servers: [{{ status: SHUTOFF, {group} }}]\nknobs: {{ {knobs} }}\n{top}");
            let knobs = WorldSpec::from_yaml(&text).expect(&text).knobs;
            let mut world = world(&text, knobs);
            let server = ids(&world).remove(0);
            let wipe = reinstall_of(&world, &server);
            assert_eq!(answer(&mut world, 0, &wipe), Err(code.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_limit_of_reinstalls_at_once_counts_those_in_flight() {
        let knobs = Knobs { reinstalls_at_once: Some(1), ..calm() };
        let mut world = world("servers: [{ count: 2, status: SHUTOFF }]", knobs);
        let [one, other] = ids(&world).try_into().expect("two");
        let first = reinstall_of(&world, &one);
        let second = reinstall_of(&world, &other);
        job(&mut world, 0, &first);
        assert_eq!(answer(&mut world, 1, &second), Err("Common.0024".to_owned()));
        assert!(answer(&mut world, 200, &second).is_ok(), "the first has ended");
    }

    #[test]
    fn a_failing_job_ends_with_one_of_the_codes_that_were_asked_for() {
        let mut world = world("servers: [{ status: SHUTOFF }]", calm());
        let text = "job_failure: 1.0\njob_codes: [Ecs.0219]";
        world.set_faults(Faults::from_yaml(text).expect(text));
        let server = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &server);
        let wiping = job(&mut world, 0, &wipe);
        assert_eq!(status(&mut world, 200, &wiping), JobStatus::Fail);
        let Ok(Answer::Job(seen)) = answer(&mut world, 200, &Action::ShowJob { job: wiping })
        else {
            panic!("no job")
        };
        assert_eq!(seen.error_code.as_deref(), Some("Ecs.0219"));
    }
}
