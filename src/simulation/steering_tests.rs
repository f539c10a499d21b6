//! Pauses, gates and approvals: what waits, what goes on meanwhile, and engines that forget it.

use std::collections::BTreeSet;

use crate::domain::{
    Action, Answer, CloseCause, Ending, Event, Fault, FaultClass, Millis, PauseCause, Record,
    StepEnd, StepReport, Time,
};
use crate::engine::{Engine, Flaw};
use crate::playbook::{BackupSpec, DependsOn, Pause, Playbook, Share, Size, Strategy};
use crate::simulator::{Faults, VaultSpec, WorldSpec};

use super::checkers::Checker;
use super::constraints::{Told, at_once, fault, run, scenario};
use super::sim::rehearse_with;
use super::step_tests::step;
use super::tests::{calm, clean, fleet, place, playbook, trace};
use super::{Rehearsal, Scenario, rehearse};

fn gated(pause: Pause) -> Strategy {
    Strategy {
        serial: vec![Size::Count(3)],
        max_unavailable: Size::Count(3),
        max_failures: 4,
        strict_budget: false,
        pause,
        written: true,
        ..Strategy::default()
    }
}

fn one_fleet(pause: Pause) -> Playbook {
    playbook(vec![fleet("web", "web-*", gated(pause))])
}

fn held(rehearsal: &Rehearsal) -> usize {
    rehearsal.records.iter().filter(|r| matches!(r.event, Event::Held { .. })).count()
}

fn paused(rehearsal: &Rehearsal) -> Vec<PauseCause> {
    let causes = rehearsal.records.iter().filter_map(|record| {
        let Event::Paused { cause } = &record.event else { return None };
        Some(cause.clone())
    });
    causes.collect()
}

/// Servers that were begun and had not ended.
fn away(records: &[Record]) -> usize {
    let mut away = BTreeSet::new();
    for record in records {
        if let Event::Intended { servers, .. } = &record.event {
            away.extend(servers);
        } else if let Event::Ended { server, .. } = &record.event {
            away.remove(server);
        }
    }
    away.len()
}

#[test]
fn a_fleet_waits_after_its_canary_or_after_each_wave_but_the_last() {
    for number in 0..20 {
        for (pause, gates) in [(Pause::Never, 0), (Pause::AfterCanary, 1), (Pause::EachBatch, 3)] {
            let rehearsal = rehearse(calm(&one_fleet(pause), &WorldSpec::healthy(10), number));
            clean(&rehearsal);
            assert_eq!(held(&rehearsal), gates, "{pause:?}\n{}", trace(&rehearsal));
            assert_eq!(rehearsal.counts.of(Ending::Verified), 10, "{}", trace(&rehearsal));
            let causes = paused(&rehearsal);
            assert!(causes.iter().all(PauseCause::needs_approval), "{causes:?}");
        }
    }
}

#[test]
fn a_gate_holds_its_own_fleet_and_who_waits_for_it_and_the_run_pauses_when_nothing_goes_on() {
    let slow = Strategy { canary: 0, serial: vec![Size::Count(1)], ..gated(Pause::Never) };
    let mut last = fleet("last", "web-000{8,9}", gated(Pause::Never));
    last.depends_on =
        vec![DependsOn { fleet: "first".into(), verified: Share(100), place: place(9) }];
    let first = fleet("first", "web-000{1,2,3,4}", gated(Pause::AfterCanary));
    let playbook = playbook(vec![last, first, fleet("other", "web-000{5,6,7}", slow)]);
    for number in 0..10 {
        let mut scenario = calm(&playbook, &WorldSpec::healthy(9), number);
        // Nobody approves before the others are through.
        scenario.approved_within = Millis::mins(600);
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 9, "{}", trace(&rehearsal));
        let records = &rehearsal.records;
        let pause = records.iter().position(|r| matches!(r.event, Event::Paused { .. }));
        let Some(pause) = pause else { continue };
        let verified = records[..pause]
            .iter()
            .filter(|record| matches!(record.event, Event::Ended { ending: Ending::Verified, .. }));
        assert_eq!(verified.count(), 4, "the canary and the other fleet\n{}", trace(&rehearsal));
    }
}

#[test]
fn a_run_that_is_asked_to_pause_finishes_what_it_began_and_goes_on_when_resumed() {
    let mut pauses = 0;
    for number in 0..60 {
        let mut scenario = calm(&one_fleet(Pause::Never), &WorldSpec::healthy(10), number);
        scenario.pause_at = Some(Time(number * 15_000));
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        pauses += rehearsal.pauses;
        assert_eq!(rehearsal.counts.of(Ending::Verified), 10, "{}", trace(&rehearsal));
        let records = &rehearsal.records;
        if let Some(pause) = records.iter().position(|r| matches!(r.event, Event::Paused { .. })) {
            assert_eq!(away(&records[..pause]), 0, "{}", trace(&rehearsal));
        }
    }
    assert!(pauses > 40, "{pauses} of 60 seeds paused");
}

/// Every job fails, in three zones, and half a dozen may.
fn all_fail(number: u64) -> Scenario {
    let strategy = Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Count(1),
        max_failures: 6,
        ..gated(Pause::Never)
    };
    let playbook = playbook(vec![fleet("web", "web-*", strategy)]);
    let mut scenario = calm(&playbook, &WorldSpec::healthy(12), number);
    scenario.world.set_faults(Faults { job_failure: 1.0, ..Faults::default() });
    scenario.quiet_from = Time(u64::MAX);
    scenario
}

#[test]
fn failures_alike_in_several_zones_pause_the_run_before_its_budget_is_spent() {
    for number in 0..10 {
        let rehearsal = rehearse(all_fail(number));
        clean(&rehearsal);
        let causes = paused(&rehearsal);
        let Some(PauseCause::SharedCause { servers, zones, .. }) = causes.first() else {
            panic!("{causes:?}\n{}", trace(&rehearsal));
        };
        assert!(zones.len() > 1 && servers.len() >= 3, "{causes:?}");
        assert!(servers.len() <= 6, "{causes:?}");
        // Approved of, it goes on until the budget is spent.
        assert!(matches!(rehearsal.cause, Some(CloseCause::BudgetSpent { .. })));
        assert_eq!(rehearsal.counts.failures(), 7, "{}", trace(&rehearsal));
    }
}

#[test]
fn failures_alike_in_one_zone_do_not_pause_the_run() {
    let whole = all_fail(1);
    let targets = || whole.plan.targets.values().map(|target| &target.found);
    let zone = targets().next().unwrap().az.clone();
    assert!(targets().any(|found| found.az != zone), "the world has several zones");
    let names: Vec<&str> =
        targets().filter(|found| found.az == zone).map(|found| found.name.as_str()).collect();
    assert!(names.len() > 3, "{names:?}");
    let strategy = Strategy { canary: 0, max_failures: 2, ..gated(Pause::Never) };
    let glob = format!("{{{}}}", names.join(","));
    let mut scenario =
        calm(&playbook(vec![fleet("web", &glob, strategy)]), &WorldSpec::healthy(12), 1);
    scenario.world.set_faults(Faults { job_failure: 1.0, ..Faults::default() });
    scenario.quiet_from = Time(u64::MAX);
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    assert_eq!(paused(&rehearsal), [], "{}", trace(&rehearsal));
    assert!(matches!(rehearsal.cause, Some(CloseCause::BudgetSpent { .. })));
}

#[test]
fn an_engine_that_forgets_gates_is_caught() {
    let flaw: fn(&mut Engine) = |engine| engine.break_with(Flaw::GatesForgotten);
    let rehearsal =
        rehearse_with(calm(&one_fleet(Pause::AfterCanary), &WorldSpec::healthy(6), 1), flaw);
    assert_eq!(rehearsal.findings.first().map(|f| f.checker), Some(Checker::Gated));
}

#[test]
fn the_laws_hold_under_faults_and_crashes_while_people_steer() {
    let mut pauses = 0;
    for number in 0..150 {
        let pause = [Pause::AfterCanary, Pause::EachBatch][usize::from(number % 2 == 0)];
        let mut scenario =
            Scenario::draw(&one_fleet(pause), &WorldSpec::healthy(10), None, number).unwrap();
        if number % 3 == 0 {
            scenario.pause_at = Some(Time(number * 9_000));
        }
        let rehearsal = rehearse(scenario);
        pauses += rehearsal.pauses;
        assert!(
            rehearsal.findings.is_empty(),
            "seed {number}: {:?}\n{}",
            rehearsal.findings,
            trace(&rehearsal)
        );
    }
    assert!(pauses > 100, "{pauses} pauses");
}

#[test]
fn a_server_that_was_given_up_is_left_alone_by_the_run_that_had_it() {
    let mut given_up = 0;
    for number in 0..60 {
        let mut scenario = calm(&one_fleet(Pause::Never), &WorldSpec::healthy(10), number);
        scenario.crashes = (1..8).map(|n| Time(n * 70_000 + number * 1_000)).collect();
        scenario.gives_up = true;
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        let records = rehearsal.records.iter();
        let abandoned = records.filter(|r| matches!(r.event, Event::Abandoned { .. })).count();
        let unknown = rehearsal.counts.of(Ending::Unknown);
        assert_eq!(unknown as usize, abandoned, "{}", trace(&rehearsal));
        given_up += abandoned;
    }
    assert!(given_up > 20, "{given_up} servers were given up");
}

/// A pause that comes while the first of two servers waits for another try of its first request: what
/// the run leaves behind when it is paused.
fn paused_while_put_off(change: fn(&mut Playbook), is_first: fn(&Action) -> bool) -> Told {
    let mut playbook = one_fleet(Pause::Never);
    let web = &mut playbook.fleets["web"];
    web.strategy = Strategy { canary: 0, serial: vec![Size::Count(1)], ..web.strategy.clone() };
    change(&mut playbook);
    let mut spec = WorldSpec::healthy(2);
    spec.vaults.push(VaultSpec { name: "daily".to_owned(), ..VaultSpec::default() });
    let mut scenario = scenario(&playbook, &spec, 1);
    scenario.pause_at = Some(Time(60_000));
    let mut put_off = false;
    run(scenario, |world, at, action| {
        if let Action::Run { .. } = action {
            let report = StepReport { end: StepEnd::Done, detail: String::new() };
            return at_once(Ok(Answer::Ran(report)));
        }
        if is_first(action) && !std::mem::replace(&mut put_off, true) {
            let busy = fault(FaultClass::Busy, "busy");
            return at_once(Err(Fault { retry_after: Some(Millis::mins(5)), ..busy }));
        }
        world.serve(at, action)
    })
}

#[track_caller]
fn came_to_its_end(told: &Told) {
    told.all_ended(Ending::Verified);
    assert_eq!(told.endings().len(), 1, "the second did not begin");
    let last = told.records.last().map(|record| &record.event);
    assert!(matches!(last, Some(Event::Paused { .. })), "{last:?}");
}

#[test]
fn a_server_whose_own_steps_began_comes_to_its_end_before_the_run_pauses() {
    let told = paused_while_put_off(
        |playbook| {
            let web = &mut playbook.fleets["web"];
            web.steps.insert(0, step("drain", &[]));
            web.treatment.backup = Some(daily());
        },
        |action| matches!(action, Action::Backup { .. }),
    );
    came_to_its_end(&told);
}

#[test]
fn a_server_whose_backup_was_asked_for_comes_to_its_end_before_the_run_pauses() {
    let told = paused_while_put_off(
        |playbook| playbook.fleets["web"].treatment.backup = Some(daily()),
        |action| matches!(action, Action::Backup { .. }),
    );
    came_to_its_end(&told);
}

fn daily() -> BackupSpec {
    BackupSpec { vault: "daily".to_owned(), timeout: Millis::mins(60) }
}
