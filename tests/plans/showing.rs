//! The plan as people and machines see it.

use std::collections::BTreeSet;

use refleet::domain::{Millis, PinnedFile};
use refleet::plan::{Plan, Provider, check, dot, draw, explain, mermaid, schema};
use refleet::playbook::{
    Check, DependsOn, EncryptionSpec, Exclude, LoginSpec, Playbook, Share, Size, Strategy, UserData,
};

use crate::world::{
    MADE, cloud, drawn, fleet, inventory, key_pair, kms_key, line, named, playbook, server,
    web_and_db,
};

const KEY: &str = "83cd0466-e727-4d9c-b35d-f84bb474a37f";

/// Two fleets with something of everything: kept and new keys, a canary, somebody left out by each
/// rule, somebody blocked.
fn mixed() -> Plan {
    let mut world = inventory(web_and_db(6, 1));
    world.servers[2].locked = true;
    world.servers[3].tags.insert("reinstall", "never");
    world.servers[4].status = "ERROR".to_owned();
    world.servers[1].status = "SHUTOFF".to_owned();
    world.volumes["v-0001-sys"].key = Some(KEY.to_owned());
    world.volumes["v-0007-sys"].size_gib = 1_200;
    world.keys.push(kms_key(KEY, "shop"));
    world.key_pairs.insert("ops-2026".to_owned(), Some(key_pair("ops-2026")));
    draw(
        &mixed_playbook(),
        &cloud(Provider::Otc),
        &world,
        &refleet::plan::Narrowing::default(),
        MADE,
    )
    .unwrap()
}

fn mixed_playbook() -> Playbook {
    let db = fleet("db", 4, &["db-*"]);
    let mut web = fleet("web", 9, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(80), place: line(10) }];
    web.exclude = vec![Exclude { place: line(13), selector: named("web-06"), allow_none: false }];
    web.treatment.verify.push(Check::Tcp { port: 22, within: Millis::mins(10) });
    web.treatment.reinstall.login = LoginSpec::KeyPair { name: "ops-2026".to_owned(), owner: None };
    let init = PinnedFile { path: "init.yaml".to_owned(), sha256: "ab".repeat(32) };
    web.treatment.reinstall.user_data = Some(UserData::as_it_is(init));
    web.strategy = Strategy {
        serial: vec![Size::Share(Share(50))],
        max_unavailable: Size::Share(Share(50)),
        max_failures: 1,
        written: true,
        ..Strategy::default()
    };
    let mut playbook = playbook(vec![db, web]);
    playbook.files = vec![PinnedFile { path: "init.yaml".to_owned(), sha256: "ab".repeat(32) }];
    playbook
}

/// The id changes with every field that a plan gains; the texts below should not.
fn without_id(plan: &Plan, text: &str) -> String {
    text.replace(&plan.id.as_str()[..12], "<plan id>")
}

#[test]
fn s8_a_plan_says_what_is_wiped_kept_left_out_and_blocked() {
    let plan = mixed();
    check(plan.clone()).unwrap();
    assert!(!plan.is_runnable(), "somebody is blocked");
    insta::assert_snapshot!("text", without_id(&plan, &explain(&plan)));
}

#[test]
fn a_plan_is_drawn_for_graphviz() {
    insta::assert_snapshot!("dot", dot(&mixed()));
}

#[test]
fn a_plan_is_drawn_for_mermaid() {
    insta::assert_snapshot!("mermaid", mermaid(&mixed()));
}

#[test]
fn a_large_plan_is_shown_in_part_and_counted_in_full() {
    let servers = (1..=3_000).map(|n| server(n, &format!("web-{n:04}"))).collect();
    let mut web = fleet("web", 4, &["web-*"]);
    web.strategy = Strategy {
        serial: vec![Size::Count(1), Size::Count(100)],
        written: true,
        ..Strategy::default()
    };
    let plan = drawn(&playbook(vec![web]), &inventory(servers)).unwrap();
    let text = explain(&plan);
    assert!(text.lines().count() < 180, "{} lines", text.lines().count());
    assert!(text.contains("… and 2,980 more (all in --format json)"));
    assert!(text.contains("waves  1 (canary), then 1, then 29 × 100, then 98"));
    for picture in [dot(&plan), mermaid(&plan)] {
        assert!(picture.lines().count() < 60);
        assert!(picture.contains("… and 88 more") && picture.contains("… and 20 more waves"));
    }
}

/// Names that would be syntax if they were not escaped.
fn hostile() -> Plan {
    let mut world = inventory(web_and_db(2, 1));
    world.servers[0].name = "web-\"]; end; x[\"`<b>\\\n} -> {".to_owned();
    world.servers[1].name = "web-end #quot; %% &amp;".to_owned();
    let mut web = fleet("subgraph \"end\"", 9, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(100), place: line(10) }];
    drawn(&playbook(vec![fleet("db", 4, &["db-*"]), web]), &world).unwrap()
}

#[test]
fn dot_has_balanced_braces_and_every_end_of_an_edge() {
    for plan in [mixed(), hostile()] {
        let text = dot(&plan);
        let (mut opened, mut closed) = (0, 0);
        let (mut declared, mut ends) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines().map(str::trim) {
            let bare = without_strings(line);
            opened += bare.matches('{').count();
            closed += bare.matches('}').count();
            assert!(opened >= closed && bare.matches('"').count() == 0, "{line}");
            if let Some((from, to)) = bare.split_once(" -> ") {
                ends.insert(from.to_owned());
                ends.insert(to.split([' ', ';']).next().unwrap().to_owned());
            } else if let Some((node, _)) = bare.split_once(" [") {
                declared.insert(node.to_owned());
            }
        }
        assert_eq!(opened, closed);
        assert!(ends.len() > 4 && ends.is_subset(&declared), "{ends:?} of {declared:?}");
    }
}

/// The line with every quoted string taken out.
fn without_strings(line: &str) -> String {
    let (mut bare, mut inside, mut escaped) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '\\' if inside && !escaped => escaped = true,
            '"' if !escaped => inside = !inside,
            c => {
                escaped = false;
                if !inside {
                    bare.push(c);
                }
            }
        }
    }
    assert!(!inside, "an open string in {line}");
    bare
}

#[test]
fn mermaid_has_closed_subgraphs_and_every_end_of_an_edge() {
    for plan in [mixed(), hostile()] {
        let text = mermaid(&plan);
        let (mut open, mut declared, mut ends) = (0, BTreeSet::new(), BTreeSet::new());
        let mut lines = text.lines().map(str::trim);
        assert_eq!(lines.next(), Some("flowchart LR"));
        for line in lines {
            let bare = without_strings(line);
            if bare.starts_with("subgraph ") {
                open += 1;
            } else if bare == "end" {
                open -= 1;
            } else if bare.contains("-->") {
                let parts: Vec<&str> = bare.split_whitespace().collect();
                ends.insert(parts[0].to_owned());
                ends.insert(parts[parts.len() - 1].to_owned());
            } else {
                let node = bare.trim_end_matches(['[', ']', '(', ')']);
                assert!(node.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
                declared.insert(node.to_owned());
            }
        }
        assert_eq!(open, 0);
        assert!(ends.len() > 4 && ends.is_subset(&declared), "{ends:?} of {declared:?}");
    }
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_types() {
    let written = include_str!("../../schemas/plan.v1.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    assert!(written == made, "write it anew: refleet schema plan > schemas/plan.v1.json");
}

#[test]
fn a_plan_file_is_valid_against_its_schema_and_a_wrong_one_is_not() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for plan in [mixed(), hostile()] {
        let mut json = serde_json::to_value(&plan).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        json["targets"]["s-0001"]["treatment"] = "first".into();
        assert!(!validator.is_valid(&json));
    }
}

#[test]
fn an_explained_plan_names_no_secret_and_every_new_key() {
    let mut world = inventory(web_and_db(1, 0));
    world.keys.push(kms_key(KEY, "shop"));
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.reinstall.encryption = EncryptionSpec::KmsKey("shop".to_owned());
    let plan = drawn(&playbook(vec![web]), &world).unwrap();
    assert!(explain(&plan).contains(&format!("encryption none → KMS key {KEY}")));
}
