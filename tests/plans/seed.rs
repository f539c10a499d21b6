//! The lines of the cloud's page "Reinstalling the OS" that a plan can know of, both sides of each:
//! what is in order is planned, and what is not is blocked with who can mend it and how.
//!
//! `docs/seed-constraints.md` names every test here.

use refleet::domain::{
    AgencyState, Encryption, Image, KeyState, Login, PinnedFile, QuotaLine, ReinstallRequest,
    SecretRef, SecretSource,
};
use refleet::plan::{
    Blocked, Inventory, Narrowing, Plan, Provider, Refusal, check, draw, explain, recheck,
};
use refleet::playbook::{EncryptionSpec, License, LoginSpec, ReinstallSpec};

use crate::world::{
    MADE, cloud, drawn, fleet, image, inventory, key_pair, kms_key, playbook, web_and_db,
};

const KEY: &str = "7a1c8f00-1111-4222-8333-944445555666";

/// The plan of two servers in a world that was changed, on that kind of cloud.
fn plan_on(
    provider: Provider,
    change: impl FnOnce(&mut Inventory, &mut ReinstallSpec),
) -> Result<Plan, Vec<Refusal>> {
    let mut world = inventory(web_and_db(2, 0));
    let mut web = fleet("web", 4, &["web-*"]);
    change(&mut world, &mut web.treatment.reinstall);
    draw(&playbook(vec![web]), &cloud(provider), &world, &Narrowing::default(), MADE)
}

/// What is sent for the first server, once the plan was checked.
#[track_caller]
fn taken(change: impl FnOnce(&mut Inventory, &mut ReinstallSpec)) -> ReinstallRequest {
    let plan = plan_on(Provider::Huawei, change).unwrap();
    assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
    check(plan).unwrap().targets["s-0001"].reinstall.clone()
}

/// Why the first server is blocked, and nothing else is.
#[track_caller]
fn blocked(change: impl FnOnce(&mut Inventory, &mut ReinstallSpec)) -> Blocked {
    blocked_on(Provider::Huawei, change)
}

#[track_caller]
fn blocked_on(
    provider: Provider,
    change: impl FnOnce(&mut Inventory, &mut ReinstallSpec),
) -> Blocked {
    let plan = plan_on(provider, change).unwrap();
    assert!(!plan.is_runnable(), "a plan with a blocked server is not applied");
    assert!(!plan.targets.contains_key("s-0001"));
    let [blocked] = plan.blocked.as_slice() else { panic!("{:?}", plan.blocked) };
    assert_eq!(blocked.id.as_str(), "s-0001");
    blocked.clone()
}

/// Why nothing can be planned at all.
#[track_caller]
fn refused(change: impl FnOnce(&mut Inventory, &mut ReinstallSpec)) -> Refusal {
    let mut refusals = plan_on(Provider::Huawei, change).unwrap_err();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refusals.remove(0)
}

/// The code, what is wrong, and who can mend it and how.
#[track_caller]
fn says(blocked: &Blocked, code: &str, cause: &str, help: &str) {
    assert_eq!(blocked.code, code);
    assert!(blocked.cause.contains(cause), "{:?} should say {cause:?}", blocked.cause);
    assert!(blocked.help.contains(help), "{:?} should say {help:?}", blocked.help);
}

/// Another image for the first server.
fn set_image(world: &mut Inventory, change: impl FnOnce(&mut Image)) {
    let mut other = image("img-other");
    change(&mut other);
    world.servers[0].image = "img-other".into();
    world.images.insert("img-other".into(), Some(other));
}

// C1 — the target is stopped

#[test]
fn c1_a_server_at_rest_is_planned_whether_it_runs_or_not() {
    for status in ["ACTIVE", "SHUTOFF"] {
        taken(|world, _| world.servers[0].status = status.to_owned());
    }
}

#[test]
fn c1_a_server_that_is_busy_or_broken_is_blocked_with_its_state() {
    let broken = blocked(|world, _| {
        world.servers[0].status = "ERROR".to_owned();
        world.servers[0].fault = Some("no valid host".to_owned());
    });
    says(&broken, "Ecs.0100", "ERROR (no valid host)", "bring it to ACTIVE or SHUTOFF");
    let busy = blocked(|world, _| {
        world.servers[0].status = "SHUTOFF".to_owned();
        world.servers[0].task_state = Some("powering-on".to_owned());
    });
    says(&busy, "Ecs.0603", "powering-on", "wait for the task to end");
}

// C2 — a system disk is attached

#[test]
fn c2_an_attached_system_disk_in_use_is_what_will_be_wiped() {
    let plan = plan_on(Provider::Huawei, |_, _| ()).unwrap();
    assert_eq!(plan.targets["s-0001"].wiped.id.as_str(), "v-0001-sys");
}

#[test]
fn c2_a_detached_or_broken_system_disk_blocks_its_server() {
    let detached = blocked(|w, _| w.servers[0].volumes.retain(|volume| !volume.boot));
    says(&detached, "Ecs.0105", "no system disk attached", "attach one");
    let broken = blocked(|w, _| w.volumes["v-0001-sys"].status = "error".to_owned());
    says(&broken, "Ecs.0101", "`error`", "bring the disk in order");
    let unlisted = blocked(|w, _| drop(w.volumes.shift_remove("v-0001-sys")));
    says(&unlisted, "Ecs.0101", "not in the list of disks", "look at the disk in the console");
}

// C3 — the EVS quota has room

fn free(limit: u64, used: u64) -> QuotaLine {
    QuotaLine { limit: Some(limit), used }
}

#[test]
fn c3_a_quota_with_room_or_without_a_limit_is_enough() {
    taken(|_, _| ());
    taken(|world, _| {
        let quota = world.quota.as_mut().unwrap();
        (quota.volumes, quota.gigabytes) = (free(5, 4), free(100, 60));
        quota.by_kind.insert("SSD".to_owned(), (free(1, 0), free(40, 0)));
        quota.by_kind.insert("SAS".to_owned(), (free(0, 0), free(0, 0)));
    });
}

#[test]
fn c3_a_quota_without_room_for_one_disk_refuses_the_plan_by_its_line() {
    let mend = "delete disks, or have the quota raised";
    let check = |line: &str, change: fn(&mut refleet::domain::Quota)| {
        let refusal = refused(|world, _| change(world.quota.as_mut().unwrap()));
        assert_eq!(refusal.code, "Ecs.0021");
        assert!(refusal.message.contains(&format!("`{line}`")), "{}", refusal.message);
        assert!(refusal.help.contains(mend), "{}", refusal.help);
    };
    check("volumes", |quota| quota.volumes = free(4, 4));
    check("gigabytes", |quota| quota.gigabytes = free(100, 61));
    check("volumes_SSD", |quota| {
        let any = QuotaLine { limit: None, used: 0 };
        quota.by_kind.insert("SSD".to_owned(), (free(2, 2), any));
    });
    check("gigabytes_SSD", |quota| {
        let any = QuotaLine { limit: None, used: 0 };
        quota.by_kind.insert("SSD".to_owned(), (any, free(39, 0)));
    });
}

// C4 — the image is still there

#[test]
fn c4_an_active_registered_image_of_any_kind_is_used() {
    for kind in ["gold", "private", "shared"] {
        taken(|world, _| set_image(world, |image| image.kind = kind.to_owned()));
    }
}

#[test]
fn c4_an_image_that_is_gone_or_not_usable_blocks_its_servers() {
    let gone = blocked(|w, _| w.servers[0].image = "img-gone".into());
    says(&gone, "Ecs.0031", "gone, or no longer shared", "the image's owner can share it again");
    let queued = blocked(|w, _| set_image(w, |image| image.status = "queued".to_owned()));
    says(&queued, "Ecs.0032", "`queued`", "wait until the image is active");
    let unregistered = blocked(|w, _| set_image(w, |image| image.registered = false));
    says(&unregistered, "Ecs.0032", "not registered", "the image's owner has to register it");
}

#[test]
fn c4_an_image_that_went_after_the_plan_stops_the_run_before_its_first_stop() {
    let world = inventory(web_and_db(2, 0));
    let plan = check(drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap()).unwrap();
    assert!(recheck(&plan, &world).is_clean());
    let mut gone = world.clone();
    gone.images.insert("img-ubuntu".into(), None);
    assert!(recheck(&plan, &gone).refused[0].starts_with("Ecs.0031"));
    let mut queued = world;
    queued.images.insert(
        "img-ubuntu".into(),
        Some(Image { status: "queued".to_owned(), ..image("img-ubuntu") }),
    );
    assert!(recheck(&plan, &queued).refused[0].starts_with("Ecs.0032"));
}

// C6, C7, N12 — the agency and the KMS key of an encrypted disk

fn encrypted(world: &mut Inventory) {
    world.volumes["v-0001-sys"].key = Some(KEY.to_owned());
    world.keys.push(kms_key(KEY, "ours"));
}

#[test]
fn c6_with_the_agency_an_encrypted_disk_is_planned() {
    let request = taken(|world, _| encrypted(world));
    assert_eq!(request.encryption, Encryption::Key(KEY.to_owned()));
}

#[test]
fn c6_n12_without_the_agency_it_is_said_who_creates_it() {
    let missing = blocked(|world, _| {
        encrypted(world);
        world.agency = Some(AgencyState::Missing);
    });
    let who = "a user with Security Administrator rights creates it once";
    says(&missing, "Ecs.0025", "EVSAccessKMS is missing", who);
    assert!(missing.help.contains("refleet never does"), "{}", missing.help);
}

#[test]
fn c6_an_agency_that_may_not_be_seen_is_a_warning_and_no_refusal() {
    let plan = plan_on(Provider::Huawei, |world, _| {
        encrypted(world);
        world.agency = Some(AgencyState::Unknown);
    })
    .unwrap();
    assert!(plan.is_runnable());
    assert!(plan.warnings.iter().any(|text| text.contains("EVSAccessKMS")), "{:?}", plan.warnings);
}

#[test]
fn c7_an_enabled_key_is_found_by_its_alias_and_sent_by_its_id() {
    let request = taken(|_, spec| {
        spec.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
    });
    let default = "0d0466b0-e727-4d9c-b35d-f84bb474a37f";
    assert_eq!(request.encryption, Encryption::Key(default.to_owned()));
}

#[test]
fn c7_a_key_that_is_missing_or_not_enabled_blocks_its_servers() {
    for state in [
        KeyState::PendingActivation,
        KeyState::Disabled,
        KeyState::PendingDeletion,
        KeyState::PendingImport,
    ] {
        let off = blocked(|world, _| {
            encrypted(world);
            world.keys[1].state = state;
        });
        says(&off, "EVS.2040", "not enabled", "a KMS administrator can enable it");
    }
    let missing = blocked(|w, _| w.volumes["v-0001-sys"].key = Some(KEY.to_owned()));
    says(&missing, "Ecs.0912", "there is no KMS key", "create it");
}

// C8 — a billed operating system: whose licence

fn billed(world: &mut Inventory, platform: &str) {
    for server in &mut world.servers {
        server.image = "img-other".into();
    }
    let platform = platform.to_owned();
    world.images.insert("img-other".into(), Some(Image { platform, ..image("img-other") }));
}

#[test]
fn c8_a_billed_system_with_its_licence_said_is_planned() {
    for platform in ["SUSE", "Oracle Linux", "Red Hat"] {
        for (license, byol) in [(License::System, false), (License::Byol, true)] {
            let request = taken(|world, spec| {
                billed(world, platform);
                spec.license = Some(license);
            });
            assert_eq!(request.byol, byol, "{platform}");
        }
    }
    let free = taken(|world, _| {
        billed(world, "SUSE");
        let image = world.images["img-other"].as_mut().unwrap();
        image.os_version = "openSUSE Leap 15.6 64bit".to_owned();
    });
    assert!(!free.byol, "openSUSE costs nothing");
}

#[test]
fn c8_a_licence_must_be_said_where_it_costs_money_and_only_there() {
    for platform in ["SUSE", "Oracle Linux", "Red Hat"] {
        let silent = blocked(|w, _| set_image(w, |image| image.platform = platform.to_owned()));
        says(&silent, "C8", platform, "write `reinstall.license: system`");
    }
    let idle = refused(|_, spec| spec.license = Some(License::Byol));
    assert_eq!(idle.code, "all_blocked");
    assert!(idle.message.starts_with("C8"), "{}", idle.message);
    assert!(idle.help.contains("take `reinstall.license` out"), "{}", idle.help);
}

// C10 — the way in afterwards

#[test]
fn c10_a_key_pair_of_the_acting_user_is_sent_with_its_owner() {
    let request = taken(|world, spec| {
        world.key_pairs.insert("ops-2026".to_owned(), Some(key_pair("ops-2026")));
        spec.login = LoginSpec::KeyPair { name: "ops-2026".to_owned(), owner: None };
    });
    let login = Login::KeyPair { name: "ops-2026".to_owned(), owner: "u-1".into() };
    assert_eq!(request.login, login, "the server's own key pair is replaced");
}

#[test]
fn c10_a_key_pair_that_nobody_sees_or_no_way_in_at_all_is_refused() {
    let hidden = blocked(|w, _| w.servers[0].key_name = Some("of-somebody".to_owned()));
    says(&hidden, "Ecs.0314", "cannot see key pair of-somebody", "name one of your own");
    let shut = blocked(|w, _| w.servers[0].key_name = None);
    says(&shut, "C10", "no key pair", "write `reinstall.key_name`");
    let refusals = plan_on(Provider::Otc, |_, spec| {
        spec.login = LoginSpec::Password(SecretRef(SecretSource::Env("PASS".to_owned())));
    })
    .unwrap_err();
    assert!(refusals[0].message.contains("not documented"), "{}", refusals[0].message);
}

// X1, X2, X3, X6 — the server and its disk as they are

#[test]
fn x1_a_server_that_is_not_locked_is_planned_and_a_locked_one_is_left_out() {
    let mut world = inventory(web_and_db(2, 0));
    world.servers[0].locked = true;
    let plan = drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap();
    assert!(plan.targets.contains_key("s-0002"));
    assert!(!plan.targets.contains_key("s-0001"));
    assert_eq!(plan.left_out[0].id.as_str(), "s-0001");
    assert_eq!(plan.left_out[0].rule, "locked; refleet never unlocks");
}

#[test]
fn x2_a_frozen_server_is_blocked_and_the_others_are_planned() {
    let frozen = blocked(|w, _| w.servers[0].frozen = true);
    says(&frozen, "Ecs.0030", "frozen", "the cloud's operator froze it");
    assert!(
        plan_on(Provider::Huawei, |w, _| w.servers[0].frozen = true)
            .unwrap()
            .targets
            .contains_key("s-0002")
    );
}

#[test]
fn x3_a_flavor_that_has_a_reinstall_is_planned() {
    for flavor in ["s3.large.2", "d3.2xlarge.8", "hc2.xlarge.4", "d21.large"] {
        taken(|w, _| w.servers[0].flavor = flavor.to_owned());
    }
}

#[test]
fn x3_flavors_of_d2_and_h2_are_blocked() {
    for flavor in ["d2.2xlarge.8", "h2.3xlarge"] {
        let blocked = blocked(|w, _| w.servers[0].flavor = flavor.to_owned());
        says(&blocked, "X3", flavor, "take it out with `exclude`");
    }
}

#[test]
fn x6_a_system_disk_that_is_being_backed_up_blocks_its_server() {
    let busy = blocked(|w, _| w.volumes["v-0001-sys"].status = "backing-up".to_owned());
    says(&busy, "Ecs.0073", "being backed up", "wait for the backup to end");
    taken(|w, _| w.volumes["v-0001-data"].status = "backing-up".to_owned());
}

// X5 — cloud-init decides the call

#[test]
fn x5_cloud_init_decides_which_call_is_sent() {
    use refleet::domain::InstallCall;
    assert_eq!(taken(|_, _| ()).call, InstallCall::V2);
    let request = taken(|w, _| set_image(w, |image| image.cloud_init = false));
    assert_eq!(request.call, InstallCall::V1, "Huawei Cloud documents it");
}

#[test]
fn x5_without_cloud_init_the_undocumented_call_is_refused_unless_the_user_insists() {
    let bare: fn(&mut Inventory, &mut ReinstallSpec) =
        |w, _| set_image(w, |image| image.cloud_init = false);
    let undocumented = blocked_on(Provider::Otc, bare);
    says(&undocumented, "X5", "no cloud-init", "insist with `reinstall.allow_v1: true`");
    let insisting = plan_on(Provider::Otc, |w, spec| {
        bare(w, spec);
        spec.allow_v1 = true;
    });
    assert!(insisting.unwrap().is_runnable());
    let user_data = blocked(|w, spec| {
        bare(w, spec);
        let (path, sha256) = ("init.yaml".to_owned(), "ab".repeat(32));
        spec.user_data = Some(PinnedFile { path, sha256 });
    });
    says(&user_data, "X5", "user data cannot be sent", "take `user_data` out");
}

// X8 — silence never removes encryption

#[test]
fn x8_the_key_of_an_encrypted_disk_is_sent_again_unless_the_playbook_says_none() {
    let kept = taken(|world, _| encrypted(world));
    assert_eq!(kept.encryption, Encryption::Key(KEY.to_owned()));
    let plan = plan_on(Provider::Huawei, |world, spec| {
        encrypted(world);
        spec.encryption = EncryptionSpec::None;
    })
    .unwrap();
    assert_eq!(plan.targets["s-0001"].reinstall.encryption, Encryption::None);
    let warned = plan.warnings.iter().any(|text| text.contains("will not be encrypted"));
    assert!(warned, "a loss of encryption is said: {:?}", plan.warnings);
}

#[test]
fn x8_an_encrypted_image_cannot_be_made_plain() {
    let sealed = blocked(|world, spec| {
        set_image(world, |image| image.key = Some(KEY.to_owned()));
        world.keys.push(kms_key(KEY, "ours"));
        spec.encryption = EncryptionSpec::None;
    });
    says(&sealed, "X8", "its image is encrypted", "take `encryption: none` out");
}

// N2 — what is lost

#[test]
fn n2_a_plan_without_a_backup_says_that_there_is_no_way_back() {
    let text = explain(&plan_on(Provider::Huawei, |_, _| ()).unwrap());
    assert!(text.contains("ERASED: the whole system disk of each (80 GiB in all)"), "{text}");
    assert!(text.contains("NO WAY BACK: no backup is taken."), "{text}");
}
