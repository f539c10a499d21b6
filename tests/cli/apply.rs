//! Runs: what is refused before anything is touched, and what each end is called.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

fn built_in(faults: &str) -> String {
    format!("cloud: simulator\nsimulator: {{ servers: 4, speed: 1000, faults: {faults} }}")
}

#[test]
fn a_whole_run_can_be_looked_at_afterwards() {
    let bench = Bench::new();
    let playbook = bench.file("p.yaml", playbook(&built_in("none"), AT_ONCE));
    let ended = bench.run(&["apply", playbook, "--confirm", "4", "--events", "events"]);
    let ended = ended.with_code(0);
    assert_eq!(ended.last_line(), "4 verified", "{}", ended.stdout);
    assert!(ended.stderr.contains("ERASED"), "what is wiped is said before: {}", ended.stderr);

    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    let run = runs[0]["run"].as_str().unwrap();
    assert!(bench.run(&["runs"]).with_code(0).stdout.contains("4 verified"));
    let status = bench.run(&["status"]).with_code(0).stdout;
    assert_eq!(status.matches("web-000").count(), 4, "{status}");
    let report = bench.run(&["report", run]).with_code(0);
    assert_eq!(report.last_line(), "4 verified");
    let json = bench.run(&["report", run, "--format", "json"]).with_code(0).json();
    assert_eq!(json["counts"]["ended"]["verified"], 4, "{json}");
    let events = std::fs::read_to_string(bench.path("events")).unwrap();
    assert!(events.lines().next().unwrap().contains("run_started"), "{events}");
    assert!(events.lines().last().unwrap().contains("run_ended"), "{events}");
    let shown = bench.run(&["resume"]).with_code(0);
    assert_eq!(shown.last_line(), "4 verified", "nothing to go on with: the newest is shown");
}

#[test]
fn s4_nobody_is_asked_without_a_terminal_and_a_wrong_number_is_refused() {
    let bench = Bench::new();
    let playbook = bench.file("p.yaml", playbook(&built_in("none"), AT_ONCE));
    bench.run(&["apply", playbook]).with_code(1).saying("--confirm N");
    let wrong = bench.run(&["apply", playbook, "--confirm", "3"]).with_code(1);
    wrong.saying("the plan wipes 4, but 3 was confirmed");
    assert!(!bench.path("state.db").exists());
}

#[test]
fn events_that_cannot_be_written_use_no_plan_and_begin_no_run() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "4", "--speed", "1000"]);
    let playbook = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    let apply = ["apply", "p.plan", "--confirm", "4", "--events"];
    let refused = bench.run(&[&apply[..], &["none/events"]].concat()).with_code(1);
    refused.saying("failed to write none/events");
    assert_eq!(bench.run(&["runs"]).with_code(0).stdout, "");
    cloud.saw_a_careful_client(0);
    let ended = bench.run(&[&apply[..], &["-"]].concat()).with_code(0).saying("4 verified");
    for line in ended.stdout.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "no event: {line}");
    }
}

#[test]
fn a_plan_of_another_format_says_so() {
    let bench = Bench::new();
    let plan = bench.file("p.plan", "{\"format\": 9}");
    let refused = bench.run(&["apply", plan, "--confirm", "1"]).with_code(1);
    refused.saying("its format is 9, this refleet knows 1: make a new plan");
    let torn = bench.file("torn.plan", "{\"format\": 1");
    bench.run(&["apply", torn, "--confirm", "1"]).with_code(1).saying("no plan of this refleet");
}

#[test]
fn s14_more_than_ten_servers_need_a_saved_plan_that_is_used_once() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "11", "--speed", "1000"]);
    let playbook = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    bench.run(&["apply", playbook, "--confirm", "11"]).with_code(1).saying("saved plan");
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    cloud.saw_a_careful_client(0);
    let ended = bench.run(&["apply", "p.plan", "--confirm", "11"]).with_code(0);
    assert_eq!(ended.last_line(), "11 verified");
    cloud.saw_a_careful_client(11);
    bench.run(&["apply", "p.plan", "--confirm", "11"]).with_code(1).saying("a plan is used once");
    cloud.saw_a_careful_client(11);
}

#[test]
fn a_guard_may_ask_for_a_saved_plan_however_small() {
    let bench = Bench::new();
    let text = playbook(&built_in("none"), AT_ONCE);
    let text = format!("{text}guards: {{ require: {{ saved_plan: true }} }}\n");
    let playbook = bench.file("p.yaml", text);
    let refused = bench.run(&["apply", playbook, "--confirm", "4"]).with_code(1);
    refused
        .saying("p.yaml:")
        .saying("guards.require.saved_plan")
        .saying("refleet plan p.yaml --out");
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    let ended = bench.run(&["apply", "p.plan", "--confirm", "4"]).with_code(0);
    assert_eq!(ended.last_line(), "4 verified");
}

#[test]
fn a_plan_that_somebody_changed_is_refused() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "2"]);
    bench.file("user-data", "#cloud-config\n");
    let text = playbook("cloud: sim", AT_ONCE);
    let text = format!("{text}    reinstall: {{ user_data: {{ file: user-data }} }}\n");
    let playbook = bench.file("p.yaml", text);
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    let plan = std::fs::read_to_string(bench.path("p.plan")).unwrap();
    let edited = bench.file("edited.plan", plan.replace("web-0001", "web-9999"));
    bench
        .run(&["apply", edited, "--confirm", "2"])
        .with_code(1)
        .saying("changed after it was saved");
    bench.file("user-data", "#cloud-config\nruncmd: [reboot]\n");
    let changed = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    changed.saying("user-data has changed since the plan was made");
    cloud.saw_a_careful_client(0);
}

#[test]
fn a_plan_is_for_one_project() {
    let bench = Bench::new();
    let playbook = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let here = Simulator::start(&bench, &["--servers", "2"]);
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    drop(here);
    let elsewhere = Simulator::start(&bench, &["--servers", "2", "--seed", "7"]);
    let ended = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    ended.saying("the plan was made for another cloud").saying("project: was ");
    elsewhere.saw_a_careful_client(0);
}

#[test]
fn failures_inside_the_budget_are_3_and_a_spent_budget_is_4() {
    let bench = Bench::new();
    bench.file("broken.yaml", "job_failure: 1.0\n");
    let check = |strategy: &str, code: i32, last_line: &str| {
        let playbook = bench.file("p.yaml", playbook(&built_in("broken.yaml"), strategy));
        let ended = bench.run(&["apply", playbook, "--confirm", "4"]).with_code(code);
        assert_eq!(ended.last_line(), last_line, "{}", ended.stdout);
    };
    check(AT_ONCE, 3, "4 needs_support");
    check("{ canary: 1 }", 4, "1 needs_support, 3 pending");
    check("{ canary: 0, max_failures: 1 }", 4, "2 needs_support, 2 pending");
}
