//! What is told of one server, and what is proposed for a project that has no playbook yet.

use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use refleet::domain::Server;
use refleet::plan::{Inventory, Narrowing, Provider, Standing, draw, propose, story};
use refleet::playbook::{NoFiles, Playbook, Source, parse};

use crate::world::{MADE, cloud, inventory, key_pair, server, web_and_db};

const TEXT: &str = "\
version: 1
cloud: prod
guards:
  protected:
    - name: web-04
defaults:
  reinstall: { key_name: ops }
  wait: { settle: 5m }
fleets:
  db:
    hosts: [{ name: db-* }]
  web:
    depends_on: [db]
    hosts:
      - tag: role=web
      - name: web-01
    exclude:
      - name: web-03
    wait: { settle: 7m }
    overrides:
      - match: { name: web-02 }
        reinstall: { key_name: null, leave: as_found }
";

fn read(text: &str) -> Playbook {
    let parsed = parse(&Source::new("p.yaml", text), &NoFiles);
    assert!(parsed.problems.is_empty(), "{:?}\n{text}", parsed.problems);
    parsed.playbook.unwrap()
}

fn told(world: &Inventory, n: usize) -> refleet::plan::Story {
    story(&read(TEXT), &cloud(Provider::Huawei), world, &world.servers[n], MADE)
}

#[test]
fn a_server_that_is_in_has_its_lines_and_its_values() {
    let world = inventory(web_and_db(5, 1));
    insta::assert_snapshot!("story", told(&world, 1).to_string());
}

#[test]
fn every_rule_that_keeps_a_server_out_is_told() {
    let mut world = inventory(web_and_db(5, 1));
    world.servers[3].locked = true;
    world.servers[3].tags.insert("reinstall", "never");
    let text = told(&world, 3).to_string();
    for rule in ["guards.protected: name: web-04 [p.yaml:5]", "never [always]", "locked; "] {
        assert!(text.contains(rule), "{rule} is not in\n{text}");
    }
    assert_eq!(told(&world, 3).standing, Standing::LeftOut);
    let excluded = told(&world, 2);
    assert_eq!(excluded.standing, Standing::LeftOut);
    assert!(excluded.to_string().contains("excluded by  name: web-03 [p.yaml:18]"), "{excluded}");
    world.servers[4].status = "ERROR".to_owned();
    let blocked = told(&world, 4).to_string();
    assert!(blocked.contains("the cloud would refuse it:\n  Ecs.0100: "), "{blocked}");
    world.servers.push(server(9, "cache-01"));
    world.servers.last_mut().unwrap().tags.clear();
    assert_eq!(told(&world, world.servers.len() - 1).standing, Standing::NotSelected);
}

#[test]
fn what_keeps_a_playbook_from_any_plan_is_told_too() {
    let mut world = inventory(web_and_db(5, 1));
    world.servers.retain(|server| server.name != "web-03");
    let text = told(&world, 1).to_string();
    assert!(text.contains("gives no plan:\n  p.yaml:18: the exclusion"), "{text}");
}

proptest! {
    #[test]
    fn what_is_told_of_a_server_is_what_the_plan_does(
        locked in any::<bool>(),
        broken in prop::option::of(0_usize..6),
    ) {
        let mut world = inventory(web_and_db(5, 1));
        world.servers[0].locked = locked;
        if let Some(broken) = broken {
            world.servers[broken].status = "ERROR".to_owned();
        }
        let (who, whole) = (cloud(Provider::Huawei), Narrowing::default());
        let Ok(plan) = draw(&read(TEXT), &who, &world, &whole, MADE) else { return Ok(()) };
        for (n, server) in world.servers.iter().enumerate() {
            let planned = matches!(told(&world, n).standing, Standing::Planned { .. });
            prop_assert_eq!(planned, plan.targets.contains_key(&server.id));
        }
    }
}

fn proposal(world: &Inventory) -> String {
    propose(&cloud(Provider::Huawei), world, MADE)
}

#[test]
fn a_proposal_names_fleets_keys_images_and_who_is_left_alone() {
    let mut servers = web_and_db(3, 2);
    servers[1].tags.insert("reinstall", "never");
    for (n, name) in ["app-1", "app-2", "bastion-1", "lonely"].into_iter().enumerate() {
        let mut other = server(20 + n, name);
        other.tags.clear();
        other.key_name = (n != 1).then(|| "old".to_owned());
        servers.push(other);
    }
    let mut world = inventory(servers);
    world.key_pairs.insert("old".to_owned(), None);
    let text = proposal(&world);
    read(&text);
    insta::assert_snapshot!("proposal", text);
}

#[test]
fn a_proposal_for_many_has_a_strategy_and_one_for_a_loner_a_place_to_fill_in() {
    let many = proposal(&inventory(web_and_db(60, 0)));
    assert!(many.contains("expect: 60") && many.contains("serial: [10%, 25%, 50%]"), "{many}");
    let world = inventory(web_and_db(60, 0));
    let (who, whole) = (cloud(Provider::Huawei), Narrowing::default());
    assert_eq!(draw(&read(&many), &who, &world, &whole, MADE).unwrap().targets.len(), 60);
    let mut loner = server(1, "loner");
    loner.tags.clear();
    let text = proposal(&inventory(vec![loner]));
    read(&text);
    assert!(text.contains("# In no fleet, since nothing groups them: loner (s-0001)"), "{text}");
}

/// A server with whatever names a cloud lets people give.
fn odd_server(n: usize, name: &str, role: Option<String>) -> Server {
    let mut server = server(n, name);
    server.tags = role.map(|role| ("role".to_owned(), role)).into_iter().collect();
    server
}

proptest! {
    #[test]
    fn a_proposal_is_always_a_playbook_that_gives_a_plan_of_what_it_says(
        names in prop::collection::vec(("[a-c#:*{} \n\"\u{2028}é-]{0,5}[0-9]{0,2}", prop::option::of("[wd{}:# \"*]{0,3}")), 1..9),
    ) {
        let servers = names.into_iter().enumerate().map(|(n, (name, role))| odd_server(n, &name, role));
        let mut world = inventory(servers.collect());
        world.key_pairs.insert("ops".to_owned(), Some(key_pair("ops")));
        let text = proposal(&world);
        let playbook = read(&text);
        let fleets = playbook.fleets.values().filter(|fleet| fleet.expect.is_some()).count();
        if fleets > 0 {
            let (who, whole) = (cloud(Provider::Huawei), Narrowing::default());
            let plan = draw(&playbook, &who, &world, &whole, MADE);
            prop_assert!(plan.is_ok(), "{:?}\n{text}", plan.err());
        }
    }
}

#[test]
fn an_override_that_matches_no_server_is_a_warning() {
    let warned = |world: &Inventory| {
        let plan = crate::world::drawn(&read(TEXT), world).unwrap();
        plan.warnings.iter().any(|it| {
            it == "p.yaml:21: the override for name: web-02 matches no server of this plan"
        })
    };
    assert!(!warned(&inventory(web_and_db(5, 1))));
    let mut world = inventory(web_and_db(5, 1));
    world.servers[1].locked = true;
    assert!(warned(&world), "the only one that it matches is left out");
}
