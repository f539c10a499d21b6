//! Others in the cloud, every point of one run, and clients that are broken from outside: each law
//! sees what it is for.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Action, Answer, Fault, FaultClass, JobId, Millis, Reply, Server, ServerId, Template, Time,
};
use crate::plan::{CheckedPlan, Plan, Wave, check};
use crate::playbook::{
    FleetSpec, Playbook, Program, RunSpec, Share, Size, StepSpec, StepWord, Strategy,
};
use crate::simulator::{Knobs, WorldSpec};

use super::checkers::Checker;
use super::doctor::Doctor;
use super::people::Second;
use super::points::every_point;
use super::sim::{rehearse, rehearse_doctored, rehearse_under};
use super::tests::{fleet, playbook};
use super::{Point, Rehearsal, Scenario};

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
    let run = Some(Box::new(run));
    let step = StepSpec { id: "drain".to_owned(), run, ..StepSpec::by_default(StepWord::Run) };
    fleet.steps.insert(0, step);
    fleet
}

/// A canary and waves of two, with a step of the playbook's own.
fn small() -> Playbook {
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

/// All in one wave, two away at most.
fn wide() -> Playbook {
    let strategy = Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Count(2),
        max_failures: 5,
        strict_budget: false,
        written: true,
        ..Strategy::default()
    };
    playbook(vec![fleet("web", "web-*", strategy)])
}

fn nova(servers: u32) -> WorldSpec {
    WorldSpec { knobs: Knobs::default().like_nova(), ..WorldSpec::healthy(servers) }
}

fn both(servers: u32) -> [(&'static str, WorldSpec); 2] {
    [("huawei", WorldSpec::healthy(servers)), ("nova", nova(servers))]
}

fn drawn(playbook: &Playbook, spec: &WorldSpec, seed: u64) -> Scenario {
    Scenario::draw_with_people(playbook, spec, None, seed).unwrap()
}

/// Takes an answer that leaves everything open for a refusal, and does not find what came of it in
/// the log.
struct TakesLossForRefusal;

impl Doctor for TakesLossForRefusal {
    fn answer(&mut self, action: &Action, reply: &mut Reply) {
        match reply {
            Err(fault) if fault.class == FaultClass::Lost => {
                if let Action::Reinstall { .. } = action {
                    *fault = Fault { class: FaultClass::Throttled, ..fault.clone() };
                }
            }
            Ok(Answer::Traces(traces)) => traces.clear(),
            _ => {}
        }
    }
}

/// Changes each server that a look shows.
fn each_shown(reply: &mut Reply, change: impl Fn(&mut Server)) {
    if let Ok(Answer::Server(server)) = reply {
        change(server);
    } else if let Ok(Answer::Servers { servers, .. }) = reply {
        servers.iter_mut().for_each(change);
    }
}

/// Does not see how servers are protected.
struct Blind;

impl Doctor for Blind {
    fn answer(&mut self, _: &Action, reply: &mut Reply) {
        each_shown(reply, |server| {
            server.locked = false;
            let kept = server.tags.iter().filter(|(key, _)| *key != "reinstall");
            let kept = kept.map(|(key, value)| (key.to_owned(), value.to_owned()));
            server.tags = kept.collect();
        });
    }
}

/// Goes by a plan that was changed behind its back.
struct OtherPlan(fn(&mut Plan));

impl Doctor for OtherPlan {
    fn plan(&self, true_one: &CheckedPlan) -> Option<CheckedPlan> {
        let mut plan: Plan = (**true_one).clone();
        (self.0)(&mut plan);
        let sealed = plan.seal().unwrap();
        Some(check(sealed).unwrap())
    }
}

/// Believes that a server is started once that was asked for, and asks nobody.
#[derive(Default)]
struct StartsNobody(BTreeSet<ServerId>);

impl Doctor for StartsNobody {
    fn instead(&mut self, action: &Action) -> Option<Reply> {
        let Action::Start { servers } = action else { return None };
        self.0.extend(servers.iter().cloned());
        Some(Ok(Answer::Accepted { job: JobId::from("made-up"), request_id: None }))
    }

    fn answer(&mut self, _: &Action, reply: &mut Reply) {
        each_shown(reply, |server| {
            if self.0.contains(&server.id) {
                "ACTIVE".clone_into(&mut server.status);
                server.task_state = None;
            }
        });
    }
}

/// Does not look who else holds a server.
struct Claimless;

impl Doctor for Claimless {
    fn respects_claims(&self) -> bool {
        false
    }
}

/// Lets what it sends lie about.
struct Slow;

impl Doctor for Slow {
    fn delay(&self, action: &Action) -> Millis {
        let slow = matches!(action, Action::Stop { .. } | Action::Reinstall { .. });
        if slow { Millis::secs(12) } else { Millis(0) }
    }
}

/// Whether this law alone sees the broken client within 200 seeds, and sees nothing without it.
fn sees(
    checker: Checker,
    scenario: impl Fn(u64) -> Scenario,
    doctor: impl Fn() -> Box<dyn Doctor>,
) {
    let broken = (0..200)
        .find(|seed| !rehearse_doctored(scenario(*seed), doctor(), checker).findings.is_empty());
    assert!(broken.is_some(), "{checker:?} does not see it");
    let falsely =
        (0..50).find(|seed| !rehearse_under(scenario(*seed), |_| (), checker).findings.is_empty());
    assert_eq!(falsely, None, "{checker:?} finds something where nothing is: the seed");
}

#[test]
fn a_client_that_takes_a_lost_answer_for_a_refusal_wipes_twice_and_says_what_is_not_true() {
    let scenario = |seed| drawn(&small(), &nova(6), seed);
    sees(Checker::Once, scenario, || Box::new(TakesLossForRefusal));
    sees(Checker::TrueWords, scenario, || Box::new(TakesLossForRefusal));
}

#[test]
fn a_client_that_is_blind_to_protection_is_seen() {
    let scenario = |seed| drawn(&wide(), &WorldSpec::healthy(8), seed);
    sees(Checker::Protected, scenario, || Box::new(Blind));
}

#[test]
fn a_run_that_takes_more_servers_away_than_it_may_is_seen() {
    let scenario = |seed| drawn(&wide(), &WorldSpec::healthy(8), seed);
    let all_at_once: fn(&mut Plan) =
        |plan| plan.fleets.values_mut().for_each(|fleet| fleet.pace.max_unavailable = 8);
    sees(Checker::Away, scenario, || Box::new(OtherPlan(all_at_once)));
}

#[test]
fn a_client_that_starts_nobody_back_is_seen() {
    let scenario = |seed| drawn(&wide(), &WorldSpec::healthy(8), seed);
    sees(Checker::NothingLeftOff, scenario, || Box::<StartsNobody>::default());
}

#[test]
fn a_run_without_its_canary_is_seen() {
    let scenario = |seed| drawn(&small(), &WorldSpec::healthy(6), seed);
    let no_canary: fn(&mut Plan) = |plan| {
        for fleet in plan.fleets.values_mut() {
            let all = fleet.waves.iter().flat_map(|wave| wave.servers.clone()).collect();
            fleet.waves = vec![Wave { canary: false, servers: all }];
            fleet.pace.canary = 0;
        }
    };
    sees(Checker::CanaryProved, scenario, || Box::new(OtherPlan(no_canary)));
}

#[test]
fn two_runs_that_do_not_look_at_each_others_claims_are_seen() {
    let scenario = |seed| {
        let mut scenario = drawn(&small(), &nova(6), seed);
        scenario.second = Some(Second {
            begins: Some(Time(5_000 + seed * 1_000)),
            shares_claims: true,
            playbook: None,
            crashes: Vec::new(),
            pause_at: None,
        });
        scenario
    };
    sees(Checker::OneHand, scenario, || Box::new(Claimless));
}

#[test]
fn a_client_that_lets_its_requests_lie_about_is_seen() {
    let scenario = |seed| drawn(&small(), &WorldSpec::healthy(6), seed);
    sees(Checker::NoSurprise, scenario, || Box::new(Slow));
}

/// What came of many seeds or points: how often each law found something, and the first time.
#[derive(Default)]
struct Found(BTreeMap<Checker, (u32, String)>);

impl Found {
    fn add(&mut self, what: &str, rehearsal: &Rehearsal) {
        if let Some(finding) = rehearsal.findings.first() {
            let (count, first) = self.0.entry(finding.checker).or_default();
            *count += 1;
            if *count == 1 {
                let last = |records: &[crate::domain::Record]| -> String {
                    let lines = records.iter().skip(1).rev().take(25).rev();
                    lines.map(|it| format!("  {} {:?}\n", it.at, it.event)).collect()
                };
                let (one, other) = (last(&rehearsal.records), last(&rehearsal.others));
                *first = format!("{what}: {finding:?}\n{one}  --\n{other}");
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
fn whatever_others_do_the_laws_hold() {
    for playbook in [small(), wide()] {
        for (name, spec) in both(6) {
            let mut found = Found::default();
            for seed in 0..150 {
                found.add(&format!("{name} {seed}"), &rehearse(drawn(&playbook, &spec, seed)));
            }
            found.tell();
            assert!(found.0.is_empty(), "{name}");
        }
    }
}

/// Every point of the small run, by both families.
#[test]
fn every_point_holds() {
    for (name, spec) in both(3) {
        let mut found = Found::default();
        let add = |point: Option<Point>, rehearsal: &Rehearsal| {
            found.add(&format!("{point:?}"), rehearsal);
        };
        let points = every_point(&small(), &spec, add).unwrap();
        found.tell();
        assert!(found.0.is_empty());
        assert!(points > 300, "{name}: {points} points");
    }
}
