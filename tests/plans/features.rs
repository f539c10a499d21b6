//! What a cloud can do and cannot: asked for all the same, it is refused with a sentence before anything
//! is touched.

use std::collections::BTreeMap;

use refleet::domain::{Feature, Features, Login, Provider, VolumeId};
use refleet::plan::{CloudIdentity, Inventory, Narrowing, Plan, check, draw, explain};
use refleet::playbook::{BackupSpec, Check, EncryptionSpec, FleetSpec, License, LoginSpec};

use crate::world::{MADE, cloud, fleet, inventory, playbook, web_and_db};

/// A cloud that rebuilds servers as they are and lacks nearly everything.
fn bare() -> CloudIdentity {
    let lacks = [
        Feature::KeyPair,
        Feature::UserData,
        Feature::AdminPass,
        Feature::License,
        Feature::Encryption,
        Feature::Backup,
        Feature::SystemVolume,
        Feature::FetchedPassword,
    ];
    let lacks: BTreeMap<Feature, String> =
        lacks.into_iter().map(|feature| (feature, format!("no {feature:?} here"))).collect();
    let features = Features {
        batch: 1,
        keeps_disk: true,
        reinstalls_running: true,
        names_image: true,
        keeps_login: true,
        immediate_log: true,
        lacks,
        ..Features::default()
    };
    CloudIdentity { features, ..cloud(Provider::OpenStack) }
}

/// Two servers whose system disk is one of their host.
fn local() -> Inventory {
    let mut world = inventory(web_and_db(2, 0));
    for server in &mut world.servers {
        server.volumes.truncate(1);
        server.volumes[0].id = VolumeId::LOCAL.into();
        server.local_disk_gib = Some(40);
    }
    world.volumes.clear();
    world.quota = None;
    world
}

fn planned(world: &Inventory, change: impl FnOnce(&mut FleetSpec)) -> Result<Plan, String> {
    let mut web = fleet("web", 4, &["web-*"]);
    change(&mut web);
    let drawn = draw(&playbook(vec![web]), &bare(), world, &Narrowing::default(), MADE);
    drawn.map_err(|refusals| {
        let told = refusals.iter().map(|refusal| format!("{}: {}", refusal.code, refusal.message));
        told.collect::<Vec<_>>().join("; ")
    })
}

#[test]
fn a_server_on_a_disk_of_its_host_is_planned_with_the_image_named_and_its_login_kept() {
    let plan = planned(&local(), |_| ()).unwrap();
    assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
    let target = &plan.targets[0];
    assert_eq!(target.reinstall.image.as_ref(), Some(&target.found.image), "also the same one");
    assert!(!target.changes_os());
    assert_eq!(target.reinstall.login, Login::Kept);
    assert_eq!((target.wiped.size_gib, target.wiped.kind.as_str()), (40, "local"));
    assert_eq!(plan.limits.stop_batch, 1, "one server a call");
    let text = explain(&check(plan).unwrap());
    assert!(text.contains("the same"), "{text}");
    assert!(text.contains("its key pair and its user data stay"), "{text}");
}

#[test]
fn what_the_cloud_lacks_is_refused_with_its_reason() {
    let check = |name: &str, change: fn(&mut FleetSpec)| {
        let told = planned(&local(), change).expect_err(name);
        assert!(told.contains(&format!("no {name} here")), "{name}: {told}");
        assert!(told.contains("cannot be done here"), "{name}: {told}");
    };
    check("KeyPair", |web| {
        let login = LoginSpec::KeyPair { name: "ops".to_owned(), owner: None };
        web.treatment.reinstall.login = login;
    });
    check("License", |web| web.treatment.reinstall.license = Some(License::Byol));
    check("Encryption", |web| {
        web.treatment.reinstall.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
    });
    check("Backup", |web| {
        let timeout = refleet::domain::Millis::mins(60);
        web.treatment.backup = Some(BackupSpec { vault: "daily".to_owned(), timeout });
    });
    check("FetchedPassword", |web| {
        let within = refleet::domain::Millis::mins(9);
        web.treatment.verify.push(Check::PasswordReady { within });
    });
}

#[test]
fn m2_nova_is_not_told_whose_a_key_pair_is_so_it_is_the_acting_users() {
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.reinstall.login =
        LoginSpec::KeyPair { name: "ops".to_owned(), owner: Some("u-9".into()) };
    let features = Features { lacks: BTreeMap::new(), ..bare().features };
    let able = CloudIdentity { features, ..bare() };
    let refusals = draw(&playbook(vec![web]), &able, &local(), &Narrowing::default(), MADE);
    let told = format!("{:?}", refusals.unwrap_err());
    assert!(told.contains("Nova would take that user's own key pair of this name"), "{told}");
}

#[test]
fn a_server_that_boots_from_a_volume_is_blocked_where_that_is_not_done() {
    let mut world = local();
    world.servers[1].volumes[0].id = "v-1".into();
    let plan = planned(&world, |_| ()).unwrap();
    let blocked = &plan.blocked[0];
    assert_eq!((blocked.id.as_str(), blocked.code.as_str()), ("s-0002", "refleet.feature"));
    assert!(blocked.cause.contains("boots from a volume: no SystemVolume here"), "{blocked:?}");
}

#[test]
fn a_stop_is_skipped_only_where_running_servers_are_reinstalled() {
    let skips = |web: &mut FleetSpec| web.steps[0].stop.skip = true;
    let plan = planned(&local(), skips).unwrap();
    assert!(plan.blocked.is_empty() && plan.treatments[0].stop.skip);
    let mut web = fleet("web", 4, &["web-*"]);
    skips(&mut web);
    let world = inventory(web_and_db(2, 0));
    let whole = Narrowing::default();
    let refused = draw(&playbook(vec![web]), &cloud(Provider::Huawei), &world, &whole, MADE);
    let told = refused.unwrap_err().iter().map(|it| it.message.clone()).collect::<String>();
    assert!(told.contains("`stop: skip` cannot be done here"), "{told}");
}

/// A plan that says it may do what its cloud cannot is no plan, whoever wrote it.
#[test]
fn the_checker_sees_a_plan_that_asks_for_what_its_cloud_lacks() {
    let good = planned(&local(), |web| web.steps[0].stop.skip = true).unwrap();
    assert!(check(good.clone()).is_ok());
    for change in [
        (|plan: &mut Plan| plan.cloud.features.reinstalls_running = false) as fn(&mut Plan),
        |plan| plan.cloud.features.keeps_login = false,
        |plan| plan.targets[0].reinstall.image = None,
        |plan| plan.targets[0].reinstall.byol = true,
    ] {
        let mut bad = good.clone();
        change(&mut bad);
        let broken = check(bad).unwrap_err();
        let told =
            broken.iter().any(|it| it.to_string().contains("a request that the cloud takes"));
        assert!(told, "{broken:?}");
    }
}

#[test]
fn an_image_that_is_too_large_for_a_disk_that_stays_is_refused() {
    let mut world = local();
    for image in world.images.values_mut().flatten() {
        image.min_disk_gib = 41;
    }
    let told = planned(&world, |_| ()).unwrap_err();
    assert!(told.contains("needs 41 GiB, and its disk stays at 40"), "{told}");
}
