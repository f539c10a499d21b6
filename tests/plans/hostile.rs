//! Plans of a project in which somebody named things in order to steer whoever reads the plan.

use proptest::prelude::{ProptestConfig, proptest};
use proptest::{prop_assert, prop_assert_eq};
use refleet::domain::steers;
use refleet::plan::{
    CloudIdentity, Inventory, Narrowing, Plan, Provider, difference, dot, draw, explain, mermaid,
    propose, story,
};
use refleet::playbook::{LoginSpec, Playbook};

use crate::world::{
    MADE, cloud, fleet, image, inventory, key_pair, playbook, server, snapshot, web_and_db,
};

const PAYLOAD: &str = "\u{1b}[2J\rMADE-UP\nMADE-UP \u{9b}31m\u{202e}\u{2028}MADE-UP\t\u{2066}x";

/// A project with `payload` in every name that somebody chose.
fn project(payload: &str) -> Inventory {
    let with = |text: &str| format!("{text}{payload}");
    let mut servers = web_and_db(5, 1);
    for server in &mut servers {
        server.name.push_str(payload);
        server.az.push_str(payload);
        server.key_name = Some(with("ops"));
        server.image_name = Some(with("ubuntu"));
        server.tags.insert(with("k"), with("v"));
    }
    servers[1].locked = true;
    servers[2].status = with("ERROR");
    servers[3].tags.insert("reinstall".to_owned(), "never".to_owned());
    let mut world = inventory(servers);
    let mut odd = image("img-ubuntu");
    (odd.name, odd.os_version) = (with("ubuntu"), with("24.04"));
    world.images = [("img-ubuntu".into(), Some(odd))].into_iter().collect();
    world.key_pairs = [(with("ops"), Some(key_pair(&with("ops"))))].into_iter().collect();
    let mut lost = snapshot(1, "v-0001-sys");
    lost.name = with("before");
    world.snapshots = vec![lost];
    world.volumes["v-0001-sys"].kind = with("SSD");
    world
}

fn by(payload: &str) -> CloudIdentity {
    let mut cloud = cloud(Provider::Huawei);
    for text in [&mut cloud.project_name, &mut cloud.user_name, &mut cloud.name] {
        text.push_str(payload);
    }
    cloud
}

fn written(payload: &str) -> Playbook {
    let mut web = fleet("web", 9, &["web-*"]);
    let name = format!("ops{payload}");
    web.treatment.reinstall.login = LoginSpec::KeyPair { name, owner: None };
    let mut playbook = playbook(vec![fleet("db", 4, &["db-*"]), web]);
    playbook.name.push_str(payload);
    playbook.origin.path.push_str(payload);
    playbook
}

fn plan(payload: &str, world: &Inventory) -> Plan {
    draw(&written(payload), &by(payload), world, &Narrowing::default(), MADE).unwrap()
}

/// Every text that is made from a plan or a project.
fn texts(payload: &str) -> Vec<(&'static str, String)> {
    let world = project(payload);
    let new = plan(payload, &world);
    let mut fewer = project(payload);
    fewer.servers[0].image = "img-ubuntu".into();
    fewer.servers.remove(4);
    fewer.servers[0].tags.clear();
    let old = plan(payload, &fewer);
    let mut texts = vec![
        ("plan", explain(&new)),
        ("difference", difference(&old, &new).to_string()),
        ("dot", dot(&new)),
        ("mermaid", mermaid(&new)),
        ("proposal", propose(&by(payload), &world, MADE)),
    ];
    texts.extend(world.servers.iter().map(|server| {
        ("story", story(&written(payload), &by(payload), &world, server, MADE).to_string())
    }));
    texts
}

#[test]
fn m1_no_name_makes_a_line_of_a_plan_or_steers_a_terminal() {
    for (name, text) in texts(PAYLOAD) {
        let odd: Vec<char> = text.chars().filter(|c| *c != '\n' && steers(*c)).collect();
        assert!(odd.is_empty(), "{name}: {odd:?} in {text}");
        let made_up = text.lines().find(|line| line.trim_start().starts_with("MADE-UP"));
        assert_eq!(made_up, None, "{name}");
    }
    let text = explain(&plan(PAYLOAD, &project(PAYLOAD)));
    assert!(text.contains("web-01\\u{1b}[2J\\u{d}MADE-UP\\u{a}MADE-UP "), "{text}");
}

#[test]
fn m1_a_plan_has_as_many_lines_as_with_plain_names() {
    let lines = |payload: &str| {
        texts(payload).iter().map(|(name, text)| (*name, text.lines().count())).collect::<Vec<_>>()
    };
    assert_eq!(lines("\nx\r\n\u{2029}\u{85}"), lines("x"));
}

#[test]
fn m1_a_name_that_is_harmless_stays_as_it_is() {
    let mut world = inventory(vec![server(1, "größe-日本-👍")]);
    world.key_pairs = [("ops".to_owned(), Some(key_pair("ops")))].into_iter().collect();
    let plan = draw(
        &playbook(vec![fleet("web", 4, &["*"])]),
        &cloud(Provider::Huawei),
        &world,
        &Narrowing::default(),
        MADE,
    );
    assert!(explain(&plan.unwrap()).contains("  größe-日本-👍 (s-0001)"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn m1_no_text_of_a_plan_has_a_control_character(payload in "[\\PC\\pC]{0,8}") {
        for (name, text) in texts(&payload) {
            let odd: Vec<char> = text.chars().filter(|c| *c != '\n' && steers(*c)).collect();
            prop_assert_eq!(odd, Vec::<char>::new(), "{}", name);
        }
        prop_assert!(!texts(&payload).is_empty());
    }
}
