//! The lines of the cloud's page "Reinstalling the OS" that a plan can know of, both sides of each:
//! what is in order is planned, and what is not is blocked with who can mend it and how.
//!
//! `docs/seed-constraints.md` names every test here.

use refleet::domain::{
    AgencyState, Encryption, Image, InstallCall, KeyState, Login, Millis, PinnedFile, QuotaLine,
    ReinstallRequest, SecretRef, SecretSource,
};
use refleet::plan::{
    Blocked, Inventory, Narrowing, Plan, Provider, Refusal, check, draw, explain, recheck,
};
use refleet::playbook::{
    Check, EncryptionSpec, ImageChoice, License, LoginSpec, ReinstallSpec, UserData,
};

use crate::world::{
    MADE, cloud, drawn, fleet, image, inventory, key_pair, kms_key, playbook, snapshot, web_and_db,
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
    says(&detached, "Ecs.0105", "no system disk attached", "temporary server");
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

// C5 — a full-ECS image

fn whole(world: &mut Inventory, backup: Option<&str>) {
    set_image(world, |image| {
        image.whole_server = true;
        image.backup = backup.map(str::to_owned);
    });
}

#[test]
fn c5_with_a_full_ecs_image_the_system_disk_can_be_encrypted_and_need_not_be() {
    let plain = taken(|world, _| whole(world, Some("b-1")));
    assert_eq!(plain.encryption, Encryption::None);
    let sealed = taken(|world, spec| {
        whole(world, Some("b-1"));
        world.keys.push(kms_key(KEY, "ours"));
        spec.encryption = EncryptionSpec::KmsKey(KEY.to_owned());
    });
    assert_eq!(sealed.encryption, Encryption::Key(KEY.to_owned()));
}

#[test]
fn c5_a_full_ecs_image_without_its_backup_blocks_its_servers() {
    let bare = blocked(|world, _| whole(world, None));
    says(&bare, "Ecs.0034", "whose backup is missing", "the image's owner has to make it anew");
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
fn c6_an_agency_without_a_role_for_kms_is_a_warning_that_says_who_grants_it() {
    let plan = plan_on(Provider::Huawei, |world, _| {
        encrypted(world);
        world.agency = Some(AgencyState::Powerless);
    })
    .unwrap();
    assert!(plan.is_runnable(), "it may inherit one, which cannot be seen here");
    let said = |text: &String| text.contains("no role for KMS") && text.contains("has to grant it");
    assert!(plan.warnings.iter().any(said), "{:?}", plan.warnings);
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
    let charged = taken(|world, spec| {
        billed(world, "EulerOS");
        world.images["img-other"].as_mut().unwrap().charged = true;
        spec.license = Some(License::System);
    });
    assert!(!charged.byol);
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
    let charged = blocked(|w, _| set_image(w, |image| image.charged = true));
    says(&charged, "C8", "licence costs money", "or `byol` (your own)");
    let idle = refused(|_, spec| spec.license = Some(License::Byol));
    assert_eq!(idle.code, "all_blocked");
    assert!(idle.message.starts_with("C8"), "{}", idle.message);
    assert!(idle.help.contains("take `reinstall.license` out"), "{}", idle.help);
}

// C9 — a reinstall uses the image of the server; another one is a change of OS

/// An image that no server has, of the given name.
fn offer(world: &mut Inventory, spec: &mut ReinstallSpec, change: impl FnOnce(&mut Image)) {
    let mut other = image("img-debian");
    "Debian 12".clone_into(&mut other.name);
    change(&mut other);
    world.named_images.insert("Debian 12".to_owned(), vec![other]);
    spec.image = ImageChoice::Named("Debian 12".to_owned());
}

#[test]
fn c9_the_current_image_is_reinstalled_and_another_is_a_change_of_os() {
    assert_eq!(taken(|_, _| ()).image, None);
    let debian = taken(|world, spec| {
        offer(world, spec, |_| ());
        // What the server had may be gone: it is not needed any more.
        world.images.clear();
    });
    assert_eq!(debian.image, Some("img-debian".into()));
    let same = taken(|world, spec| offer(world, spec, |other| other.id = "img-ubuntu".into()));
    assert_eq!(same.image, None, "the server has that image already");
    let id = "c71b64e7-4767-4406-afde-2ab2a2c0b4a2";
    let by_id = taken(|world, spec| {
        world.images.insert(id.into(), Some(image(id)));
        spec.image = ImageChoice::Named(id.to_owned());
    });
    assert_eq!(by_id.image, Some(id.into()));
}

#[test]
fn c9_a_change_of_os_goes_by_what_the_new_image_is() {
    let (v1, byol) = (
        taken(|world, spec| offer(world, spec, |other| other.cloud_init = false)),
        taken(|world, spec| {
            offer(world, spec, |other| "Oracle Linux".clone_into(&mut other.platform));
            spec.license = Some(License::Byol);
        }),
    );
    assert_eq!((v1.call, byol.byol), (InstallCall::V1, true));
    let plan = plan_on(Provider::Huawei, |world, spec| {
        offer(world, spec, |other| {
            other.min_disk_gib = 60;
            "Windows".clone_into(&mut other.os_type);
        });
    });
    let plan = plan.unwrap();
    assert_eq!(plan.targets["s-0001"].grows_to, Some(60));
    for said in ["the OS changes from Linux to Windows", "runs on no server of this project yet"] {
        assert!(plan.warnings.iter().any(|warning| warning.contains(said)), "{:?}", plan.warnings);
    }
    let text = explain(&plan);
    for said in [
        "2 servers will be reinstalled with another image: a change of OS",
        "image ubuntu-24.04 (img-ubuntu) → Debian 12 (img-debian): a change of OS",
        "(40 GiB SSD) → a new one of 60 GiB, as its image needs",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    check(plan).unwrap();
}

#[test]
fn c9_an_image_that_is_missing_or_ambiguous_or_unfit_blocks_its_servers() {
    let nothing_planned = |change: fn(&mut Inventory, &mut ReinstallSpec)| {
        let refusal = refused(change);
        (refusal.message, refusal.help)
    };
    let (missing, _) = nothing_planned(|_, spec| {
        spec.image = ImageChoice::Named("Debian 12".to_owned());
    });
    assert!(missing.contains("Ecs.0031") && missing.contains("no image Debian 12"), "{missing}");
    let (several, help) = nothing_planned(|world, spec| {
        offer(world, spec, |_| ());
        world.named_images["Debian 12"].push(image("img-debian-2"));
    });
    assert!(
        several.contains("2 images are named Debian 12: img-debian, img-debian-2"),
        "{several}"
    );
    assert!(help.contains("write the id"), "{help}");
    let (queued, _) = nothing_planned(|world, spec| {
        offer(world, spec, |other| "queued".clone_into(&mut other.status));
    });
    assert!(queued.contains("Ecs.0032"), "{queued}");
    let (data, _) = nothing_planned(|world, spec| {
        offer(world, spec, |other| other.made_for = Some("DataImage".to_owned()));
    });
    assert!(data.contains("`DataImage`"), "{data}");
    let (memory, help) = nothing_planned(|world, spec| {
        offer(world, spec, |other| other.min_ram_mib = 8_192);
    });
    assert!(
        memory.contains("needs 8192 MiB of memory, and flavor s3.large.2 has 4096"),
        "{memory}"
    );
    assert!(help.contains("resize"), "{help}");
    let paid = blocked(|world, spec| {
        offer(world, spec, |other| other.charged = true);
        spec.license = Some(License::System);
        world.servers[0].prepaid = true;
    });
    says(&paid, "Ecs.0510", "paid by the month or year", "refleet buys nothing");
}

#[test]
fn c9_the_new_image_is_what_is_looked_at_before_the_run() {
    let (mut world, mut web) = (inventory(web_and_db(2, 0)), fleet("web", 4, &["web-*"]));
    offer(&mut world, &mut web.treatment.reinstall, |_| ());
    let plan = check(drawn(&playbook(vec![web]), &world).unwrap()).unwrap();
    world.images.clear();
    world.images.insert("img-debian".into(), Some(image("img-debian")));
    assert!(recheck(&plan, &world).is_clean());
    world.images["img-debian"].as_mut().unwrap().status = "deleted".to_owned();
    let refused = recheck(&plan, &world).refused;
    assert!(refused[0].contains("Ecs.0032") && refused[0].contains("Debian 12"), "{refused:?}");
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

// X4 — not a bare metal server

#[test]
fn x4_a_virtual_server_is_planned() {
    taken(|world, _| {
        let tags = &mut world.servers[0].tags;
        tags.insert("__type_virtual", "");
    });
}

#[test]
fn x4_a_bare_metal_server_is_blocked_if_a_list_ever_shows_one() {
    let metal = blocked(|world, _| {
        let tags = &mut world.servers[0].tags;
        tags.insert("__type_baremetal", "");
    });
    says(&metal, "X4", "bare metal", "take it out with `exclude`");
}

// X9 — snapshots of the system disk go with it

#[test]
fn x9_snapshots_of_data_disks_stay_and_are_not_spoken_of() {
    let plan = plan_on(Provider::Huawei, |world, _| {
        world.snapshots = vec![snapshot(1, "v-0001-data")];
    })
    .unwrap();
    assert!(!explain(&plan).contains("snapshot before"));
    assert!(plan.warnings.iter().all(|text| !text.contains("snapshot")), "{:?}", plan.warnings);
}

#[test]
fn x9_snapshots_of_a_system_disk_are_counted_and_named_before_they_are_lost() {
    let plan = plan_on(Provider::Huawei, |world, _| {
        world.snapshots =
            vec![snapshot(1, "v-0001-sys"), snapshot(2, "v-0001-sys"), snapshot(3, "v-0002-sys")];
    })
    .unwrap();
    let warning = plan.warnings.iter().find(|text| text.contains("snapshot")).unwrap();
    assert!(warning.starts_with("3 snapshots of system disks will be deleted"), "{warning}");
    assert!(warning.contains("web-01 (before-1, before-2), web-02 (before-3)"), "{warning}");
    let text = explain(&plan);
    assert!(text.contains("with 2 snapshots: before-1, before-2"), "{text}");
    assert!(plan.is_runnable(), "it is the operator's to decide");
}

#[test]
fn x9_a_snapshot_that_was_made_after_the_plan_keeps_its_server_out() {
    let mut world = inventory(web_and_db(2, 0));
    world.snapshots = vec![snapshot(1, "v-0001-sys")];
    let plan = check(drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap()).unwrap();
    assert!(recheck(&plan, &world).is_clean(), "those of the plan are known");
    world.snapshots.push(snapshot(2, "v-0002-sys"));
    let found = recheck(&plan, &world);
    assert_eq!(found.drifted.len(), 1);
    assert_eq!(found.drifted[0].0.as_str(), "s-0002");
    assert!(
        found.drifted[0].1[0].to_string().contains("new snapshot before-2 (snap-0002)"),
        "{found:?}"
    );
}

// X10 — billing and the market

fn on_the_market(world: &mut Inventory) {
    set_image(world, |image| image.kind = "market".to_owned());
}

#[test]
fn x10_a_market_image_or_a_monthly_bill_alone_is_planned() {
    taken(|world, _| on_the_market(world));
    taken(|world, _| world.servers[0].prepaid = true);
}

#[test]
fn x10_a_market_image_on_a_server_paid_by_the_month_is_blocked() {
    let tied = blocked(|world, _| {
        on_the_market(world);
        world.servers[0].prepaid = true;
    });
    says(&tied, "Ecs.0510", "paid by the month or year", "change its billing or its OS");
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
        spec.user_data = Some(UserData::as_it_is(PinnedFile { path, sha256 }));
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

// N6 — the password of a Windows server

fn fetching(os_type: &str, login: LoginSpec) -> Plan {
    let mut world = inventory(web_and_db(2, 0));
    set_image(&mut world, |image| image.os_type = os_type.to_owned());
    for server in &mut world.servers {
        server.image = "img-other".into();
    }
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.verify.push(Check::PasswordReady { within: Millis::mins(15) });
    web.treatment.reinstall.login = login;
    let dbs = fleet("db", 9, &["db-*"]);
    world.servers.extend(web_and_db(2, 1).split_off(2));
    world.volumes.extend(inventory(web_and_db(2, 1)).volumes.split_off(4));
    drawn(&playbook(vec![web, dbs]), &world).unwrap()
}

#[test]
fn n6_the_password_of_a_windows_server_with_a_key_pair_is_waited_for() {
    let plan = fetching("Windows", LoginSpec::ServerKey);
    assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
    assert!(explain(&plan).contains("password_ready within 15m"));
}

#[test]
fn n6_a_password_that_can_never_be_fetched_blocks_its_servers() {
    let linux = fetching("Linux", LoginSpec::ServerKey);
    assert_eq!(linux.blocked.len(), 2);
    says(&linux.blocked[0], "N6", "no Windows", "take `password_ready` out");
    let secret = SecretRef(SecretSource::Env("PASS".to_owned()));
    let by_password = fetching("Windows", LoginSpec::Password(secret));
    says(&by_password.blocked[0], "N6", "without a key pair", "write `reinstall.key_name`");
}
