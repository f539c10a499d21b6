//! Steps of a playbook's own that go wrong: what is not begun any more, and how what was is taken
//! back. Programs are scripted here; `variety` draws them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::domain::{
    Action, Answer, Deed, Ending, Event, FaultClass, LeftOff, Millis, StepCall, StepEnd,
    StepReport, Template, Time,
};
use crate::playbook::{DependsOn, Playbook, Program, RunSpec, Share, StepSpec, StepWord, Strategy};
use crate::simulator::{Served, WorldSpec};

use super::constraints::{Told, fault, playbook, run, scenario};
use super::tests::{clean, fleet, place, trace};
use super::{Scenario, rehearse};

/// A step that can be taken back; with `after` it is a branch.
pub(super) fn step(id: &str, after: &[&str]) -> StepSpec {
    let program = |word: &str| Program { argv: vec![Template::new(word)], file: None };
    let run = RunSpec {
        run: program("do"),
        undo: Some(program("undo")),
        timeout: Millis::mins(60),
        cwd: ".".to_owned(),
        env: BTreeMap::new(),
        once: false,
    };
    let place = place(3);
    StepSpec {
        id: id.to_owned(),
        after: after.iter().map(|id| ((*id).to_owned(), place.clone())).collect(),
        run: Some(Box::new(run)),
        ..StepSpec::by_default(StepWord::Run)
    }
}

/// The loop behind these steps.
fn after_steps(steps: Vec<StepSpec>) -> Playbook {
    let mut playbook = playbook();
    playbook.fleets["web"].steps.splice(0..0, steps);
    playbook
}

/// A run of so many servers whose programs end as `ends` says.
fn scripted(
    playbook: &Playbook,
    servers: u32,
    ends: impl Fn(&StepCall) -> (StepEnd, Millis),
) -> Told {
    run(scenario(playbook, &WorldSpec::healthy(servers), 1), |world, at, action| {
        let Action::Run { call, .. } = action else { return world.serve(at, action) };
        ran(ends(call))
    })
}

fn ran((end, after): (StepEnd, Millis)) -> Served {
    let report = StepReport { end, detail: "said the program".to_owned() };
    Served { reply: Some(Ok(Answer::Ran(report))), after }
}

/// Requests of the kinds that take a server away, and programs, in the order they were sent.
fn done(told: &Told) -> Vec<String> {
    let words = told.sent.iter().filter_map(|(_, action)| {
        if let Action::Run { call, .. } = action {
            return Some(format!("{}{}", if call.undo { "undo " } else { "" }, call.step));
        }
        let deed = [
            (matches!(action, Action::Stop { .. }), "stop"),
            (matches!(action, Action::Start { .. }), "start"),
            (matches!(action, Action::Reinstall { .. }), "reinstall"),
        ];
        deed.iter().find(|(is, _)| *is).map(|(_, word)| (*word).to_owned())
    });
    words.collect()
}

#[test]
fn a_step_that_failed_keeps_its_server_from_being_stopped_while_another_branch_runs_on() {
    let branches = [step("export", &["drain"]), step("slow", &["drain"]), step("fence", &[])];
    let steps = [vec![step("drain", &[])], branches.to_vec()].concat();
    let told = scripted(&after_steps(steps), 1, |call| match call.step.as_str() {
        "export" if !call.undo => (StepEnd::Failed, Millis::secs(1)),
        "slow" if !call.undo => (StepEnd::Done, Millis::mins(30)),
        _ => (StepEnd::Done, Millis::secs(10)),
    });
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert_eq!(failure.code, "step:export");
    let undone = ["undo fence", "undo slow", "undo export", "undo drain"];
    assert_eq!(done(&told), [&["drain", "export", "slow", "fence"][..], &undone].concat());
}

#[test]
fn a_step_that_failed_keeps_its_server_from_being_wiped_while_another_branch_runs_on() {
    for fails_after in (0..60).map(Millis::secs) {
        let branches =
            vec![step("drain", &[]), step("export", &["drain"]), step("slow", &["drain"])];
        let told = scripted(&after_steps(branches), 1, |call| match call.step.as_str() {
            "export" if !call.undo => (StepEnd::Failed, fails_after),
            "slow" if !call.undo => (StepEnd::Done, Millis::mins(30)),
            _ => (StepEnd::Done, Millis::secs(1)),
        });
        let failed = told.records.iter().position(|record| {
            matches!(record.event, Event::StepEnded { end: StepEnd::Failed, .. })
        });
        let after = &told.records[failed.expect("a step that failed")..];
        let wiped = after
            .iter()
            .find(|record| matches!(record.event, Event::Intended { deed: Deed::Reinstall, .. }));
        assert!(wiped.is_none(), "{fails_after}: {wiped:?}");
    }
}

#[test]
fn a_step_that_was_interrupted_and_must_not_run_twice_keeps_its_server_from_being_wiped() {
    let mut lost = 0;
    for number in 0..20 {
        let mut export = step("export", &["drain"]);
        export.run.as_mut().unwrap().once = true;
        let branches = vec![step("drain", &[]), export, step("slow", &["drain"])];
        let mut playbook = after_steps(branches);
        let drain = playbook.fleets["web"].steps[0].run.as_mut().unwrap();
        drain.timeout = Millis::secs(1);
        let mut scenario = Scenario::calm(&playbook, &WorldSpec::healthy(1), number).unwrap();
        scenario.crashes = vec![Time(2_000)];
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 0, "{}", trace(&rehearsal));
        lost += rehearsal.counts.of(Ending::Unknown);
    }
    assert!(lost > 10, "{lost} of 20 servers have a step that nobody knows the end of");
}

/// `late` is written first, so it comes first wherever servers are taken in their order; but it begins
/// once a server of `early` is verified.
fn late_and_early() -> Playbook {
    let all = Strategy { max_failures: 0, ..playbook().fleets["web"].strategy.clone() };
    let mut late = fleet("late", "web-00{1,2}*", all.clone());
    late.depends_on =
        vec![DependsOn { fleet: "early".into(), verified: Share(25), place: place(9) }];
    let mut fleets = [late, fleet("early", "web-000{1,2,3,4}", all)];
    for fleet in &mut fleets {
        fleet.steps.push(step("register", &[]));
    }
    let mut playbook = super::tests::playbook(fleets.to_vec());
    playbook.limits.reinstalls = 2;
    playbook
}

#[test]
fn a_step_that_failed_spends_the_budget_at_once_however_many_programs_wait_for_their_turn() {
    let started = Cell::new(0);
    let told = scripted(&late_and_early(), 29, |_| {
        started.set(started.get() + 1);
        match started.get() {
            1 => (StepEnd::Done, Millis::secs(10)),
            4 => (StepEnd::Failed, Millis::mins(15)),
            _ => (StepEnd::Done, Millis::mins(60)),
        }
    });
    let at = |wanted: fn(&Event) -> bool| {
        let found = told.records.iter().find(|record| wanted(&record.event));
        found.expect("it happened").at
    };
    let failed = at(|event| matches!(event, Event::StepEnded { end: StepEnd::Failed, .. }));
    assert_eq!(failed, at(|event| matches!(event, Event::Closing { .. })));
    let wipes = told.sent.iter().filter(|(_, it)| matches!(it, Action::Reinstall { .. }));
    let late = wipes.filter(|(at, _)| *at >= failed).count();
    assert_eq!(late, 0, "wipes after the budget was spent");
    let starts = |event: &Event| matches!(event, Event::StepStarted { .. });
    let waited = told.records.iter().filter(|record| starts(&record.event) && record.at > failed);
    assert!(waited.count() > 4, "programs waited, and were started one after another");
}

/// The step of one server fails while the stop of the other is on its way, and then the stop is
/// refused: what was done, from then on.
fn stop_refused_while_the_run_ends(start_back: bool) -> (Told, Vec<String>) {
    let mut playbook = after_steps(vec![step("drain", &[])]);
    playbook.fleets["web"].strategy.max_failures = 0;
    playbook.fleets["web"].treatment.start_back = start_back;
    let mut failing = None;
    let scenario = scenario(&playbook, &WorldSpec::healthy(2), 1);
    let told = run(scenario, |world, at, action| {
        if let Action::Run { server, call } = action {
            let fails = failing.get_or_insert_with(|| server.clone()) == server && !call.undo;
            let end = if fails { StepEnd::Failed } else { StepEnd::Done };
            ran((end, Millis::secs(if fails { 5 } else { 1 })))
        } else if let Action::Stop { .. } = action {
            let refused = Err(fault(FaultClass::Invalid, "Ecs.0005"));
            Served { reply: Some(refused), after: Millis::secs(20) }
        } else {
            world.serve(at, action)
        }
    });
    let words = done(&told);
    (told, words)
}

#[test]
fn a_server_whose_stop_is_refused_while_the_run_ends_is_seen_running_and_its_steps_are_undone() {
    for start_back in [true, false] {
        let (told, words) = stop_refused_while_the_run_ends(start_back);
        assert_eq!(words, ["drain", "drain", "stop", "undo drain", "undo drain"], "{start_back}");
        let off = told.records.iter().find(|record| {
            matches!(record.event, Event::NotStartedBack { .. } | Event::NotUndone { .. })
        });
        assert_eq!(off.map(|record| &record.event), None, "{start_back}");
    }
}

/// One server is stopped, and its wipe refused.
fn refused_wipe(playbook: &Playbook) -> Told {
    run(scenario(playbook, &WorldSpec::healthy(1), 1), |world, at, action| {
        if let Action::Run { .. } = action {
            ran((StepEnd::Done, Millis::secs(1)))
        } else if let Action::Reinstall { .. } = action {
            let refused = Err(fault(FaultClass::Forbidden, "Pdp.0001"));
            Served { reply: Some(refused), after: Millis::secs(10) }
        } else {
            world.serve(at, action)
        }
    })
}

#[test]
fn a_server_that_a_look_shows_off_is_left_off_where_the_playbook_says_so() {
    let mut playbook = after_steps(vec![step("drain", &[])]);
    playbook.fleets["web"].treatment.start_back = false;
    let told = refused_wipe(&playbook);
    told.all_ended(Ending::Failed);
    assert_eq!(done(&told), ["drain", "stop", "reinstall"]);
    let off = |event: &Event| match event {
        Event::NotStartedBack { why, .. } => *why == LeftOff::AsPlanned,
        Event::NotUndone { detail, .. } => detail.contains("not started back"),
        _ => false,
    };
    assert_eq!(told.records.iter().filter(|record| off(&record.event)).count(), 2);
}

#[test]
fn what_began_before_the_stop_is_undone_after_the_start_wherever_it_is_written() {
    let mut playbook = after_steps(vec![step("drain", &[])]);
    playbook.fleets["web"].steps.push(step("export", &["drain"]));
    let told = refused_wipe(&playbook);
    told.all_ended(Ending::Failed);
    let began = ["drain", "export", "stop", "reinstall"];
    assert_eq!(done(&told), [&began[..], &["start", "undo export", "undo drain"]].concat());
}

#[test]
fn what_began_after_the_stop_is_undone_before_the_start() {
    let mut playbook = after_steps(vec![step("drain", &[])]);
    playbook.fleets["web"].steps.push(step("detach", &["stop"]));
    let told = refused_wipe(&playbook);
    told.all_ended(Ending::Failed);
    let began = ["drain", "stop", "detach", "reinstall"];
    assert_eq!(done(&told), [&began[..], &["undo detach", "start", "undo drain"]].concat());
}
