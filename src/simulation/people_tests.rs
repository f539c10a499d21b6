//! Others in the cloud, every point of one run, and clients that are broken from outside: each law
//! sees what it is for.

use std::collections::BTreeMap;

use crate::domain::{Millis, Template};
use crate::playbook::{FleetSpec, Playbook, Program, RunSpec, Size, StepSpec, StepWord, Strategy};
use crate::simulator::{Knobs, WorldSpec};

use super::checkers::Checker;
use super::points::every_point;
use super::tests::{fleet, playbook, trace};
use super::{Scenario, rehearse};

/// A step of the playbook's own with a way back, before the stop.
fn with_a_step(mut fleet: FleetSpec) -> FleetSpec {
    let program = |name: &str| Program { argv: vec![Template::new(name)], file: None };
    let run = RunSpec {
        run: program("drain"),
        undo: Some(program("undrain")),
        timeout: Millis::secs(5),
        cwd: ".".to_owned(),
        env: BTreeMap::new(),
        once: false,
    };
    let step = StepSpec {
        id: "drain".to_owned(),
        run: Some(Box::new(run)),
        ..StepSpec::by_default(StepWord::Run)
    };
    fleet.steps.insert(0, step);
    fleet
}

/// A canary and a wave of two, with a step of the playbook's own.
pub(super) fn small() -> Playbook {
    let strategy = Strategy {
        canary: 1,
        serial: vec![Size::Count(2)],
        max_unavailable: Size::Count(2),
        max_failures: 1,
        written: true,
        ..Strategy::default()
    };
    playbook(vec![with_a_step(fleet("web", "web-*", strategy))])
}

pub(super) fn nova(servers: u32) -> WorldSpec {
    WorldSpec { knobs: Knobs::default().like_nova(), ..WorldSpec::healthy(servers) }
}

/// What came of many seeds or points: how often each checker found something, and the first time.
#[derive(Default)]
struct Found(BTreeMap<Checker, (u32, String)>);

impl Found {
    fn add(&mut self, what: &str, rehearsal: &super::Rehearsal) {
        if let Some(finding) = rehearsal.findings.first() {
            let entry = self.0.entry(finding.checker).or_default();
            entry.0 += 1;
            if entry.0 == 1 {
                entry.1 = format!("{what}: {finding:?}\n{}", trace(rehearsal));
            }
        }
    }

    fn tell(&self) {
        for (checker, (count, first)) in &self.0 {
            println!("== {checker:?}: {count}, first {first}");
        }
    }
}

#[test]
#[ignore = "a hunt by hand"]
fn hunt_people() {
    let from = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (first, count) = (from("FROM", 0), from("SEEDS", 300));
    for (name, spec) in [("huawei", WorldSpec::healthy(6)), ("nova", nova(6))] {
        let mut found = Found::default();
        for seed in first..first + count {
            let scenario = Scenario::draw_with_people(&small(), &spec, None, seed).unwrap();
            let rehearsal = rehearse(scenario);
            found.add(&format!("seed {seed}"), &rehearsal);
        }
        println!("#### {name}");
        found.tell();
    }
}

#[test]
#[ignore = "a hunt by hand"]
fn hunt_points() {
    for (name, spec) in [("huawei", WorldSpec::healthy(3)), ("nova", nova(3))] {
        let mut found = Found::default();
        let add = |point: Option<super::Point>, rehearsal: &super::Rehearsal| {
            found.add(&format!("{point:?}"), rehearsal);
        };
        let points = every_point(&small(), &spec, add).unwrap();
        println!("#### {name}: {points} points");
        found.tell();
    }
}
