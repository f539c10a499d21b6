//! A run that is steered from another shell.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const SERVERS: &str = "4";
const GATED: &str = "{ canary: 1, serial: [100%], max_unavailable: 100%, pause: after_canary }";

fn cloud(bench: &Bench, strategy: &str) -> Simulator {
    let cloud = Simulator::start(bench, &["--servers", SERVERS, "--speed", "200"]);
    bench.file("p.yaml", playbook("cloud: sim", strategy));
    cloud
}

fn only_run(bench: &Bench) -> String {
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    runs[0]["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_gate_is_approved_from_another_shell_and_resume_goes_on_past_it() {
    let bench = Bench::new();
    let cloud = cloud(&bench, GATED);
    let plan = bench.run(&["plan", "p.yaml"]).with_code(0);
    assert!(plan.stdout.contains("pauses after the canary, until `refleet approve`"));
    let run = bench.run(&["apply", "p.yaml", "--confirm", SERVERS]).with_code(5);
    run.saying("waiting for an approval: fleet web after wave 1 of 2");
    cloud.saw_a_careful_client(1);
    let id = only_run(&bench);
    let runs = bench.run(&["runs"]).with_code(0).stdout;
    assert!(runs.contains("paused: waits for an approval"), "{runs}");
    let status = bench.run(&["status"]).with_code(0).stdout;
    assert!(status.contains("waits for an approval: fleet web after wave 1 of 2"), "{status}");

    // Without an approval nothing is touched, not even the journal.
    let before = bench.run(&["report", &id, "--format", "json"]).json();
    bench.run(&["resume"]).with_code(5).saying("waits for an approval: fleet web after wave 1");
    assert_eq!(bench.run(&["report", &id, "--format", "json"]).json(), before);

    let approved = bench.run(&["approve", &id]).with_code(0);
    approved.saying("approved: fleet web after wave 1 of 2").saying("refleet resume");
    let again = bench.run(&["approve", &id]).with_code(0);
    again.saying("asked at");
    assert_eq!(bench.run(&["resume"]).with_code(0).last_line(), "4 verified");
    cloud.saw_a_careful_client(4);
    bench.run(&["approve", &id]).with_code(1).saying("has ended: 4 verified");
}

#[test]
fn a_pause_from_another_shell_drains_the_run_and_resume_goes_on() {
    let bench = Bench::new();
    let cloud = cloud(&bench, "{ canary: 1, serial: [1] }");
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    let id = only_run(&bench);
    bench.run(&["approve", &id]).with_code(1).saying("waits for no approval");
    bench.run(&["pause", &id]).with_code(0).saying("reads it within a second (process ");
    run.until(&["steered", "\"pause\"", "\"name\""]);
    bench.run(&["pause", &id]).with_code(0);
    assert_eq!(run.code(), Some(5));
    bench.run(&["pause", &id]).with_code(0).saying("is paused already");
    let status = bench.run(&["status", "--format", "json"]).with_code(0).json();
    let flying = status["servers"].as_array().unwrap().iter();
    let phases: Vec<String> = flying.map(|server| server["phase"].to_string()).collect();
    assert!(
        phases.iter().all(|phase| phase == "\"pending\"" || phase.contains("verified")),
        "{phases:?}"
    );
    assert!(phases.iter().any(|phase| phase == "\"pending\""), "{phases:?}");
    assert_eq!(bench.run(&["resume"]).with_code(0).last_line(), "4 verified");
    cloud.saw_a_careful_client(4);
}

#[test]
fn a_stop_from_another_shell_is_a_first_interrupt() {
    let bench = Bench::new();
    let _cloud = cloud(&bench, "{ canary: 1, serial: [1] }");
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    let id = only_run(&bench);
    bench.run(&["stop", &id]).with_code(0).saying("reads it within a second");
    run.until(&["closing", "stopped"]);
    assert_eq!(run.code(), Some(130));
    bench.run(&["stop", &id]).with_code(1).saying("there is nothing to stop");
}

#[test]
fn a_word_to_a_run_without_a_process_is_taken_when_it_is_resumed() {
    let bench = Bench::new();
    let cloud = cloud(&bench, AT_ONCE);
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    run.signal("KILL");
    assert_eq!(run.code(), None, "killed");
    let id = only_run(&bench);
    bench.run(&["stop", &id]).with_code(0).saying("no process drives run");
    let ended = bench.run(&["resume"]).with_code(130);
    assert!(ended.stdout.contains("stopped on request"), "{}", ended.stdout);
    let stats = cloud.stats();
    assert_eq!(stats["violations"].as_array().unwrap().len(), 0, "{stats}");
}

#[test]
fn a_wrong_run_is_told_which_there_are() {
    let bench = Bench::new();
    let _cloud = cloud(&bench, AT_ONCE);
    bench.run(&["pause", "nope"]).with_code(1).saying("there is none in this state file");
    bench.run(&["apply", "p.yaml", "--confirm", SERVERS]).with_code(0);
    let id = only_run(&bench);
    bench.run(&["stop", "nope"]).with_code(1).saying(&format!("which has {id}"));
}

/// A playbook whose servers are not tried twice.
fn impatient() -> String {
    format!("{}    retry: {{ job_failed: {{ attempts: 1 }} }}\n", playbook("cloud: sim", AT_ONCE))
}

#[test]
fn what_failed_is_planned_again_from_the_playbook_as_it_is_now() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", SERVERS, "--speed", "200"]);
    bench.file("p.yaml", impatient());
    cloud.breaks("job_failure: 1.0");
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["run_started"]);
    let id = only_run(&bench);
    bench.run(&["retry", &id, "--confirm", SERVERS]).with_code(1).saying("has not ended");
    assert_eq!(run.code(), Some(3));

    cloud.breaks("job_failure: 0.0");
    bench.run(&["retry", &id]).with_code(1).saying("there is no terminal to ask on");
    bench.run(&["retry", &id, "--confirm", "3"]).with_code(1).saying("nothing was done");
    bench.run(&["retry", &id, "--out", "again.plan"]).with_code(0);
    bench.file("p.yaml", format!("# Another time.\n{}", impatient()));
    let again = bench.run(&["retry", &id, "--confirm", SERVERS]).with_code(0);
    assert_eq!(again.last_line(), "4 verified");
    again.saying("p.yaml has changed since run");

    // The new run left nothing to try again.
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    let newest = runs[1]["run"].as_str().unwrap();
    bench.run(&["retry", newest, "--confirm", "0"]).with_code(1).saying("nothing to try again");
}

/// The name of a server whose wipe is on its way.
fn wiping(bench: &Bench) -> String {
    let status = bench.run(&["status", "--format", "json"]).with_code(0).json();
    let mut servers = status["servers"].as_array().unwrap().iter();
    let server = servers.find(|server| server["phase"] == "reinstalling").unwrap();
    server["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_in_doubt_is_given_up_by_name_and_its_run_leaves_it_alone() {
    let bench = Bench::new();
    let cloud = cloud(&bench, AT_ONCE);
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    let (id, name) = (only_run(&bench), wiping(&bench));
    let give_up = |confirm: &str| bench.run(&["abandon", &id, &name, "--confirm", confirm]);
    give_up(&name).with_code(1).saying("still looks after");
    run.signal("KILL");
    assert_eq!(run.code(), None, "killed");
    bench.run(&["abandon", &id, &name]).with_code(1).saying("there is no terminal to ask on");
    give_up("web").with_code(1).saying("is not its name");
    bench.run(&["abandon", &id, "nobody"]).with_code(1).saying("has no server");
    give_up(&name).with_code(0).saying("reinstall").saying("is given up");
    give_up(&name).with_code(1).saying("its claim is free anyway");

    let ended = bench.run(&["resume"]).with_code(3);
    assert_eq!(ended.last_line(), "3 verified, 1 unknown");
    assert!(ended.stdout.contains("refleet.abandoned"), "{}", ended.stdout);
    cloud.saw_a_careful_client(4);
    // Somebody has looked at it, so it may be tried again.
    let again = bench.run(&["retry", &id, "--confirm", "1"]).with_code(0);
    assert_eq!(again.last_line(), "1 verified");
}

#[test]
fn a_run_is_watched_from_another_shell_to_its_end() {
    let bench = Bench::new();
    let _cloud = cloud(&bench, AT_ONCE);
    bench.run(&["watch"]).with_code(1).saying("there are no runs");
    bench.run(&["plan", "p.yaml", "--out", "other.plan"]).with_code(0);
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["run_started"]);
    let id = only_run(&bench);
    // Nobody else takes its servers meanwhile.
    let other = bench.run(&["apply", "other.plan", "--confirm", SERVERS]).with_code(1);
    other.saying(&format!("is held by run {id}")).saying("running, process");

    let watched = bench.run(&["watch", "--format", "json"]).with_code(0);
    let lines: Vec<&str> = watched.stdout.lines().collect();
    assert!(lines[0].contains("run_started") && lines[lines.len() - 1].contains("run_ended"));
    assert_eq!(run.code(), Some(0));
    let after = bench.run(&["watch", &id]).with_code(0);
    assert_eq!(after.stdout, "4 verified\n");
}
