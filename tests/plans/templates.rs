//! Templates of user data: what is inserted is frozen for each server, and who lacks it is blocked.

use std::collections::BTreeMap;

use refleet::domain::{Address, AddressKind, MAX_USER_DATA, PinnedFile, ServerId};
use refleet::plan::{Inventory, Plan, check, explain};
use refleet::playbook::{Inserts, UserData};

use crate::world::{drawn, fleet, inventory, playbook, web_and_db};

/// User data whose text is so long and inserts these names; those without `host.` are values of the playbook.
fn template(bytes: usize, names: &[(&str, usize)]) -> UserData {
    let file = PinnedFile { path: "init.yaml".to_owned(), sha256: "ab".repeat(32) };
    let names: BTreeMap<String, usize> =
        names.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect();
    let own = names.keys().filter(|name| !name.starts_with("host."));
    let values = own.map(|name| (name.clone(), "2026.10".to_owned())).collect();
    UserData { file, inserts: Some(Inserts { bytes, names, values }) }
}

fn planned(user_data: UserData, change: impl FnOnce(&mut Inventory)) -> Plan {
    let mut world = inventory(web_and_db(2, 0));
    change(&mut world);
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.reinstall.user_data = Some(user_data);
    drawn(&playbook(vec![web]), &world).unwrap()
}

fn everything() -> UserData {
    let host = ["host.az", "host.id", "host.ip", "host.name", "host.tag.role"];
    let names: Vec<(&str, usize)> = host.into_iter().chain(["release"]).map(|n| (n, 1)).collect();
    template(10, &names)
}

fn frozen(plan: &Plan, id: &str) -> Vec<(String, String)> {
    plan.targets[id].reinstall.inserts.clone().unwrap().into_iter().collect()
}

#[test]
fn what_a_template_inserts_is_frozen_for_each_server() {
    let plan = planned(everything(), |world| {
        // Sorted before the address of the server itself, and not its own.
        let floating = Address {
            addr: "1.2.3.4".to_owned(),
            kind: AddressKind::Floating,
            ..world.servers[0].addresses[0].clone()
        };
        world.servers[0].addresses.push(floating);
    });
    let pairs =
        |pairs: [(&str, &str); 6]| pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    let first = [
        ("host.az", "eu-de-02"),
        ("host.id", "s-0001"),
        ("host.ip", "10.0.0.1"),
        ("host.name", "web-01"),
        ("host.tag.role", "web"),
        ("release", "2026.10"),
    ];
    let second = [
        ("host.az", "eu-de-03"),
        ("host.id", "s-0002"),
        ("host.ip", "10.0.0.2"),
        ("host.name", "web-02"),
        ("host.tag.role", "web"),
        ("release", "2026.10"),
    ];
    assert_eq!(frozen(&plan, "s-0001"), pairs(first));
    assert_eq!(frozen(&plan, "s-0002"), pairs(second));
    let text = explain(&plan);
    assert_eq!(text.matches("user data init.yaml (template)\n").count(), 2, "{text}");
    check(plan).unwrap();
}

#[test]
fn a_server_without_a_value_is_blocked_and_the_others_are_planned() {
    let names = [("host.ip", 1), ("host.name", 1), ("host.tag.site", 2)];
    let plan = planned(template(10, &names), |world| {
        world.servers[0].addresses.clear();
        world.servers[1].tags.insert("site", "fra");
    });
    assert!(!plan.is_runnable());
    let [blocked] = plan.blocked.as_slice() else { panic!("{:?}", plan.blocked) };
    assert_eq!((blocked.id.as_str(), blocked.code.as_str()), ("s-0001", "refleet.insert"));
    assert_eq!(blocked.cause, "it has no host.ip, host.tag.site, which init.yaml inserts");
    assert!(plan.targets.keys().eq([&ServerId::from("s-0002")]), "the other is planned");
}

#[test]
fn user_data_that_grows_too_large_blocks_its_server() {
    let long = "n".repeat(40);
    let room = MAX_USER_DATA - 2 * 40;
    let name_of_the_first =
        |world: &mut Inventory| world.servers[0].name = format!("web-{}", &long[4..]);
    let fits = planned(template(room, &[("host.name", 2)]), name_of_the_first);
    assert!(fits.blocked.is_empty(), "{:?}", fits.blocked);
    let plan = planned(template(room + 1, &[("host.name", 2)]), name_of_the_first);
    let [blocked] = plan.blocked.as_slice() else { panic!("{:?}", plan.blocked) };
    assert_eq!((blocked.id.as_str(), blocked.code.as_str()), ("s-0001", "refleet.file"));
    assert!(
        blocked.cause.contains("has 32769 bytes, and the cloud takes 32768"),
        "{}",
        blocked.cause
    );
}

#[test]
fn a_plan_without_templates_is_named_and_written_as_before() {
    let mut user_data = everything();
    user_data.inserts = None;
    let plan = planned(user_data, |_| ());
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("inserts"), "{text}");
    assert!(serde_json::from_str::<Plan>(&text).unwrap().verify_id());
}

#[test]
fn an_insert_that_somebody_changed_is_noticed() {
    let plan = planned(everything(), |_| ());
    assert!(plan.verify_id());
    let text = serde_json::to_string(&plan).unwrap();
    let edited = text.replace("\"host.name\":\"web-01\"", "\"host.name\":\"web-99\"");
    assert_ne!(text, edited);
    let edited: Plan = serde_json::from_str(&edited).unwrap();
    assert!(!edited.verify_id());
    let rules = |violations: Vec<refleet::plan::Violation>| -> Vec<&str> {
        violations.iter().map(|violation| violation.rule).collect()
    };
    assert_eq!(
        rules(check(edited.clone()).unwrap_err()),
        ["named by its content", "a template is filled in with values of its server"]
    );
    // Sealed anew, it is still not what the server is.
    assert_eq!(
        rules(check(edited.seal().unwrap()).unwrap_err()),
        ["a template is filled in with values of its server"]
    );
}

#[test]
fn the_checker_wants_every_insert_of_a_template_and_no_other() {
    let broken = |change: fn(&mut refleet::domain::ReinstallRequest)| -> Vec<&str> {
        let mut plan = planned(everything(), |_| ());
        change(&mut plan.targets["s-0002"].reinstall);
        let violations = check(plan.seal().unwrap()).unwrap_err();
        violations.iter().map(|violation| violation.rule).collect()
    };
    let own = "a template is filled in with values of its server";
    assert_eq!(broken(|it| it.user_data = None), ["inserts have a template"]);
    assert_eq!(
        broken(|it| drop(it.inserts.as_mut().unwrap().remove("host.ip"))),
        ["a template is filled in whole"]
    );
    assert_eq!(
        broken(|it| it.inserts.as_mut().unwrap().get_mut("host.tag.role").unwrap().push('x')),
        [own]
    );
    assert_eq!(
        broken(|it| {
            let inserts = it.inserts.as_mut().unwrap();
            let value = inserts.remove("release").unwrap();
            inserts.insert("host.r".to_owned(), value);
        }),
        [own, "a template is filled in whole"]
    );
}
