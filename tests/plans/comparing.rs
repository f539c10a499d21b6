//! Whether the world is still the one that a plan was made for.

use refleet::domain::{AgencyState, KeyState, QuotaLine, Server, Timestamp};
use refleet::plan::{
    CheckedPlan, Drift, Inventory, Protection, Recheck, check, differences, protection, recheck,
};

use crate::world::{drawn, fleet, inventory, kms_key, playbook, web_and_db};

const KEY: &str = "83cd0466-e727-4d9c-b35d-f84bb474a37f";

fn planned() -> (CheckedPlan, Inventory) {
    let mut world = inventory(web_and_db(3, 0));
    world.volumes["v-0001-sys"].key = Some(KEY.to_owned());
    world.keys.push(kms_key(KEY, "ours"));
    let plan = drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap();
    (check(plan).unwrap(), world)
}

fn found(change: impl FnOnce(&mut Inventory)) -> Recheck {
    let (plan, mut world) = planned();
    assert!(recheck(&plan, &world).is_clean());
    change(&mut world);
    recheck(&plan, &world)
}

fn words(found: &[Drift]) -> Vec<String> {
    found.iter().map(Drift::to_string).collect()
}

#[test]
fn a_server_that_is_no_longer_what_it_was_has_drifted() {
    let check = |change: fn(&mut Server), expected: &str| {
        let found = found(|world| change(&mut world.servers[0]));
        let [(server, differences)] = &found.drifted[..] else { panic!("{found:?}") };
        assert_eq!((server.as_str(), words(differences)), ("s-0001", vec![expected.to_owned()]));
        assert!(found.protected.is_empty() && found.refused.is_empty(), "{found:?}");
    };
    check(|s| s.name = "other".to_owned(), "name was web-01, is other");
    check(|s| s.az = "eu-de-09".to_owned(), "availability zone was eu-de-02, is eu-de-09");
    check(|s| s.image = "img-new".into(), "image was img-ubuntu, is img-new");
    check(|s| s.key_name = None, "key pair was ops, is none");
    check(|s| s.volumes[0].id = "v-new".into(), "system disk was v-0001-sys, is v-new");
    check(|s| drop(s.volumes.remove(0)), "system disk was v-0001-sys, is detached");
    check(|s| drop(s.volumes.remove(1)), "data disks were [v-0001-data], are []");
    check(
        |s| s.addresses[0].mac = "fa:16:3e:ff:ff:ff".to_owned(),
        "addresses were 10.0.0.1 fa:16:3e:00:00:01, are 10.0.0.1 fa:16:3e:ff:ff:ff",
    );
    check(|s| s.tags.insert("a", "b"), "tags were role=web, are a=b role=web");
    check(|s| s.status = "SHUTOFF".to_owned(), "status was ACTIVE, is SHUTOFF");
    check(|s| s.status = "ERROR".to_owned(), "status was ACTIVE, is ERROR");
    check(|s| s.task_state = Some("rebooting".to_owned()), "a task is running on it: rebooting");
    check(|s| s.frozen = true, "it is frozen");
    check(
        |s| s.updated = Some(Timestamp(1_760_000_001_000)),
        "last change was 2025-10-09T08:53:20Z, is 2025-10-09T08:53:21Z",
    );
}

#[test]
fn a_server_that_is_gone_has_drifted_and_one_that_is_protected_now_is_left_alone() {
    let gone = found(|world| drop(world.servers.remove(1)));
    assert_eq!(gone.drifted, [("s-0002".into(), vec![Drift::Gone])]);
    let locked = found(|world| world.servers[1].locked = true);
    assert_eq!(locked.drifted, []);
    assert_eq!(locked.protected, [("s-0002".into(), Protection::Lock)]);
    let tagged = found(|world| {
        world.servers[1].tags.insert("reinstall", "never");
    });
    assert_eq!(tagged.protected, [("s-0002".into(), Protection::Tag)]);
}

#[test]
fn what_many_servers_share_is_looked_at_again_and_stops_the_run() {
    let check = |change: fn(&mut Inventory), expected: &str| {
        let found = found(change);
        assert_eq!(found.refused.len(), 1, "{found:?}");
        assert!(found.refused[0].starts_with(expected), "{found:?}");
        assert!(found.drifted.is_empty() && found.protected.is_empty());
    };
    check(|world| drop(world.images.insert("img-ubuntu".into(), None)), "Ecs.0031");
    check(
        |world| world.images["img-ubuntu"].as_mut().unwrap().status = "killed".to_owned(),
        "Ecs.0032",
    );
    check(|world| drop(world.key_pairs.insert("ops".to_owned(), None)), "Ecs.0314");
    // The key behind a name can change, and on Nova each user has names of their own.
    check(
        |world| world.key_pairs["ops"].as_mut().unwrap().fingerprint = "cc:dd".to_owned(),
        "key pair ops is another key than in the plan: its fingerprint was aa:bb, is cc:dd",
    );
    check(
        |world| world.key_pairs["ops"].as_mut().unwrap().user = Some("u-2".into()),
        "key pair ops belonged to user u-1, and belongs to user u-2 now",
    );
    check(|world| world.keys[1].state = KeyState::PendingDeletion, "EVS.2040");
    check(|world| world.keys.clear(), "EVS.2040");
    check(|world| world.agency = Some(AgencyState::Missing), "Ecs.0025");
    check(
        |world| {
            world.quota.as_mut().unwrap().volumes = QuotaLine { limit: Some(12), used: 12 };
        },
        "Ecs.0021",
    );
    check(
        |world| {
            world.quota.as_mut().unwrap().volumes = QuotaLine { limit: Some(12), used: 10 };
        },
        "Ecs.0021",
    );
}

#[test]
fn right_before_the_wipe_our_own_stop_is_no_difference() {
    let (plan, world) = planned();
    let was = &plan.targets["s-0001"].found;
    let mut server = world.servers[0].clone();
    server.status = "SHUTOFF".to_owned();
    server.updated = Some(Timestamp(1_777_000_000_000));
    server.addresses.reverse();
    server.volumes.reverse();
    let same = differences(was, &server);
    assert_eq!((same.len(), same.capacity()), (0, 0), "equal costs nothing");
    assert_eq!(protection(&server), None);
    server.volumes[1].id = "v-new".into();
    server.name = "new".to_owned();
    assert_eq!(
        words(&differences(was, &server)),
        ["name was web-01, is new", "system disk was v-0001-sys, is v-new",]
    );
}

#[test]
fn a_disk_that_appears_twice_does_not_hide_one_that_is_missing() {
    let mut world = inventory(web_and_db(1, 0));
    let mut more = world.servers[0].volumes[1].clone();
    more.id = "v-0001-more".into();
    world.servers[0].volumes.push(more);
    let plan = drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap();
    let mut server = world.servers[0].clone();
    server.volumes[2] = server.volumes[1].clone();
    let found = differences(&plan.targets["s-0001"].found, &server);
    assert_eq!(
        words(&found),
        ["data disks were [v-0001-data, v-0001-more], are [v-0001-data, v-0001-data]"]
    );
}
