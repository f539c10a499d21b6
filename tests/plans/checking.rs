//! The checker lets every drawn plan through, and no broken one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use refleet::domain::{Login, Millis, ServerId, Template, Timestamp};
use refleet::plan::{Blocked, OutOf, Plan, PlannedBackup, Step, check};
use refleet::playbook::{
    DependsOn, Exclude, Program, RunSpec, Share, Size, StepWord, Strategy as Rollout,
};

use crate::world::{drawn, fleet, inventory, line, named, playbook, web_and_db};

/// A plan of two fleets, one of which waits for the other, with somebody left out.
fn sound() -> Plan {
    let mut web = fleet("web", 9, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(100), place: line(10) }];
    web.exclude = vec![Exclude { place: line(12), selector: named("web-04"), allow_none: false }];
    let playbook = playbook(vec![fleet("db", 4, &["db-*"]), web]);
    drawn(&playbook, &inventory(web_and_db(4, 2))).unwrap()
}

/// A rule, and a change that breaks it.
type Mutation = (&'static str, fn(&mut Plan));

const MUTATIONS: &[Mutation] = &[
    ("known format", |plan| plan.format = 2),
    ("a time to live", |plan| plan.expires = plan.made),
    ("nothing is empty", |plan| {
        plan.targets.clear();
        plan.fleets.clear();
        plan.left_out.clear();
    }),
    ("nothing is empty", |plan| plan.fleets["web"].waves[1].servers.clear()),
    ("nothing is empty", |plan| plan.fleets["db"].waves.clear()),
    ("limits that let something through", |plan| plan.limits.reinstalls = 0),
    ("limits that let something through", |plan| plan.limits.stop_batch = 1_001),
    ("limits that let something through", |plan| plan.limits.per_az = Some(0)),
    ("limits that let something through", |plan| plan.limits.api.per_minute = 0),
    ("a target has a fleet", |plan| plan.targets["s-0001"].fleet = "nowhere".into()),
    ("a target has a treatment", |plan| plan.targets["s-0001"].treatment = 7),
    ("a target has an image", |plan| plan.images.clear()),
    ("a change of OS changes the image", |plan| {
        let target = &mut plan.targets["s-0001"];
        target.reinstall.image = Some(target.found.image.clone());
    }),
    ("a change of OS changes the image", |plan| plan.targets["s-0001"].grows_to = Some(99)),
    ("a backup has a vault and time", |plan| {
        let (vault, name, timeout) = (String::new(), "daily".to_owned(), Millis::mins(60));
        plan.treatments[0].backup = Some(PlannedBackup { vault, name, timeout });
    }),
    ("the system disk is wiped, the others are kept", |plan| {
        let target = &mut plan.targets["s-0001"];
        target.wiped = target.kept[0].clone();
    }),
    ("the system disk is wiped, the others are kept", |plan| {
        plan.targets["s-0001"].kept.clear();
    }),
    ("no protected server", |plan| plan.targets["s-0001"].found.locked = true),
    ("no protected server", |plan| {
        let tags = &mut plan.targets["s-0001"].found.tags;
        tags.insert("reinstall", "never");
    }),
    ("a request that the cloud takes", |plan| {
        plan.targets["s-0001"].reinstall.login = Login::UserData;
    }),
    ("a request that the cloud takes", |plan| {
        let owner = "".into();
        plan.targets["s-0001"].reinstall.login = Login::KeyPair { name: "ops".into(), owner };
    }),
    ("nobody left out is in", |plan| {
        let id = ServerId::from("s-0004");
        let target = plan.targets["s-0003"].clone();
        plan.targets.insert(id.clone(), target);
        plan.fleets["web"].waves[2].servers.push(id);
    }),
    ("nobody left out is in", |plan| {
        // Out of the whole plan, though the fleet that has it is another.
        let mut left_out = plan.left_out[0].clone();
        left_out.id = "s-0001".into();
        left_out.fleet = "db".into();
        left_out.out_of = OutOf::Plan;
        plan.left_out.push(left_out);
    }),
    ("nobody blocked is in", |plan| {
        plan.blocked.push(Blocked {
            id: "s-0001".into(),
            name: "web-01".to_owned(),
            fleet: "web".into(),
            code: "Ecs.0100".to_owned(),
            cause: String::new(),
            help: String::new(),
        });
    }),
    ("one wave for each target", |plan| {
        plan.fleets["web"].waves[1].servers.push("s-0001".into());
    }),
    ("one wave for each target", |plan| drop(plan.fleets["web"].waves.pop())),
    ("waves hold targets of their fleet", |plan| {
        let wave = plan.fleets["db"].waves.pop().unwrap();
        plan.fleets["web"].waves.push(wave);
    }),
    ("waves hold targets of their fleet", |plan| {
        plan.fleets["web"].waves[1].servers.push("s-9999".into());
    }),
    ("the canary goes first", |plan| plan.fleets["web"].waves.reverse()),
    ("the canary is as large as it should be", |plan| plan.fleets["web"].waves[0].canary = false),
    ("the canary is as large as it should be", |plan| {
        let more = plan.fleets["web"].waves.remove(1).servers;
        plan.fleets["web"].waves[0].servers.extend(more);
    }),
    ("the canary goes first", |plan| plan.fleets["web"].waves[1].canary = true),
    ("somebody may be away", |plan| plan.fleets["web"].pace.max_unavailable = 0),
    ("every step once, in the only order", |plan| drop(plan.fleets["web"].steps.remove(1))),
    ("every step once, in the only order", |plan| {
        let again = plan.fleets["web"].steps[2].clone();
        plan.fleets["web"].steps.push(again);
    }),
    ("validate stands directly before reinstall", |plan| {
        plan.fleets["web"].steps.swap(0, 1);
    }),
    ("steps are sorted", |plan| {
        plan.fleets["web"].steps[0].after.push("verify".to_owned());
    }),
    ("step ids are unique", |plan| plan.fleets["web"].steps[1].id = "stop".to_owned()),
    ("validate stands directly before reinstall", |plan| {
        plan.fleets["web"].steps.insert(2, own("own", &["stop"]));
    }),
    ("validate stands directly before reinstall", |plan| {
        plan.fleets["web"].steps.push(own("own", &["validate"]));
    }),
    ("validate stands directly before reinstall", |plan| {
        plan.fleets["web"].steps.insert(1, own("own", &["stop"]));
        plan.fleets["web"].steps[3].after.push("own".to_owned());
    }),
    ("a step says what it runs", |plan| {
        plan.fleets["web"].steps.push(Step { run: None, ..own("own", &["wait"]) });
    }),
    ("a step says what it runs", |plan| {
        plan.fleets["web"].steps[0].run = own("own", &[]).run;
    }),
    ("a step says what it runs", |plan| {
        let mut step = own("own", &["wait"]);
        step.run.as_mut().unwrap().run.argv[0] = Template::new("./unpinned.sh");
        plan.fleets["web"].steps.push(step);
    }),
    ("steps can be filled in", |plan| {
        let mut step = own("own", &["wait"]);
        step.run.as_mut().unwrap().run.argv.push(Template::new("{{ host.tag.none }}"));
        plan.fleets["web"].steps.push(step);
    }),
    ("needs can be met", |plan| plan.fleets["web"].needs[0].verified = 3),
    ("needs can be met", |plan| plan.fleets["web"].needs[0].fleet = "gone".into()),
    ("no fleet waits for itself", |plan| {
        let mut back = plan.fleets["web"].needs[0].clone();
        back.fleet = "web".into();
        plan.fleets["db"].needs.push(back);
    }),
];

/// A step of the playbook's own.
fn own(id: &str, after: &[&str]) -> Step {
    let run = RunSpec {
        run: Program { argv: vec![Template::new("drain")], file: None },
        undo: None,
        timeout: Millis::mins(1),
        cwd: ".".to_owned(),
        env: BTreeMap::new(),
        once: false,
    };
    Step {
        id: id.to_owned(),
        word: StepWord::Run,
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        run: Some(Box::new(run)),
        place: None,
    }
}

#[test]
fn a_step_of_the_playbooks_own_is_sound_where_it_may_stand() {
    let mut plan = sound();
    plan.fleets["web"].steps.insert(1, own("copy", &["stop"]));
    plan.fleets["web"].steps[2].after.push("copy".to_owned());
    plan.fleets["web"].steps.push(own("notify", &["reinstall"]));
    check(plan.seal().unwrap()).unwrap();
}

#[test]
fn every_broken_plan_is_caught_by_the_rule_that_it_breaks() {
    check(sound()).unwrap();
    for (number, (rule, mutation)) in MUTATIONS.iter().enumerate() {
        let mut plan = sound();
        mutation(&mut plan);
        let violations = check(plan.seal().unwrap()).unwrap_err();
        assert!(
            violations.iter().any(|violation| violation.rule == *rule),
            "mutation {number} should break `{rule}`, and breaks {violations:?}"
        );
        assert!(
            violations.iter().all(|violation| violation.rule != "named by its content"),
            "it was sealed again"
        );
    }
}

#[test]
fn what_one_fleet_excludes_another_may_have() {
    let mut rest = fleet("rest", 9, &["web-*"]);
    rest.exclude = vec![Exclude { place: line(12), selector: named("web-01"), allow_none: false }];
    let playbook = playbook(vec![fleet("first", 4, &["web-01"]), rest]);
    let plan = check(drawn(&playbook, &inventory(web_and_db(3, 0))).unwrap()).unwrap();
    let fleets: Vec<&str> = plan.targets.values().map(|target| target.fleet.as_str()).collect();
    assert_eq!(fleets, ["first", "rest", "rest"]);
    assert_eq!(plan.left_out.len(), 1, "and it is still said that the other leaves it out");
}

#[test]
fn a_plan_that_was_edited_is_not_the_one_that_its_name_was_made_for() {
    let edits: [fn(&mut Plan); 4] = [
        |plan| plan.id = "0".repeat(64).as_str().into(),
        |plan| plan.made = Timestamp(plan.made.0 + 1),
        |plan| plan.warnings.clear(),
        |plan| plan.targets["s-0001"].because.0.push('x'),
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut plan = sound();
        plan.warnings.push("as sealed".to_owned());
        let mut plan = plan.seal().unwrap();
        assert!(plan.verify_id());
        edit(&mut plan);
        let violations = check(plan).unwrap_err();
        let rules: Vec<&str> = violations.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, ["named by its content"], "edit {number}");
    }
}

#[test]
fn a_plan_keeps_its_name_through_a_file() {
    let plan = sound();
    let text = serde_json::to_string_pretty(&plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan);
    assert!(read.verify_id());
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        (0_u32..9).prop_map(Size::Count),
        (0_u32..=100).prop_map(|share| Size::Share(Share(share))),
    ]
}

fn rollout() -> impl Strategy<Value = Rollout> {
    (0_u32..4, prop::collection::vec(size(), 1..4), size()).prop_map(
        |(canary, serial, max_unavailable)| Rollout {
            canary,
            serial,
            max_unavailable,
            written: true,
            ..Rollout::default()
        },
    )
}

/// What may be odd about a server, by number; most of them are in order.
fn oddities() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![6 => Just(0_u8), 4 => 1_u8..10], 2..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_that_is_drawn_holds(
        odd in oddities(),
        web_rollout in rollout(),
        db_rollout in rollout(),
        verified in 0_u32..=100,
    ) {
        let db = odd.len() / 3 + 1;
        let mut world = inventory(web_and_db(odd.len() - db + 1, db));
        for (server, odd) in world.servers.iter_mut().zip(&odd) {
            match odd {
                1 => server.locked = true,
                2 => server.tags.insert("reinstall", "never"),
                3 => server.status = "ERROR".to_owned(),
                4 => server.volumes.clear(),
                5 => server.key_name = None,
                6 => server.image = "img-gone".into(),
                7 => server.status = "SHUTOFF".to_owned(),
                8 => server.task_state = Some("rebooting".to_owned()),
                9 => server.volumes.reverse(),
                _ => {}
            }
        }
        let mut web = fleet("web", 9, &["web-*"]);
        web.strategy = web_rollout;
        let need = DependsOn { fleet: "db".into(), verified: Share(verified), place: line(10) };
        web.depends_on = vec![need];
        let mut dbs = fleet("db", 4, &["db-*"]);
        dbs.strategy = db_rollout;
        if let Ok(plan) = drawn(&playbook(vec![dbs, web]), &world) {
            let in_order = |n: &u8| matches!(n, 0 | 7 | 9);
            let sound = odd.iter().filter(|n| in_order(n)).count() + world.servers.len() - odd.len();
            prop_assert_eq!(plan.targets.len(), sound);
            let blocked = odd.iter().filter(|n| matches!(n, 3..=6 | 8)).count();
            prop_assert_eq!(plan.blocked.len(), blocked);
            prop_assert_eq!(plan.left_out.len(), odd.len() - blocked - odd.iter().filter(|n| in_order(n)).count());
            let checked = check(plan);
            prop_assert!(checked.is_ok(), "{:?}", checked.err());
        }
    }
}
