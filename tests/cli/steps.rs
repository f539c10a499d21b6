//! The playbook's own steps, as real programs beside a simulated cloud.

use std::process::Command;

use crate::harness::{Bench, Simulator};

/// Writes down what it was started as, with what and in which environment.
const NOTE: &str = "#!/bin/sh\n\
    echo \"$REFLEET_STEP $REFLEET_ATTEMPT $* ${SITE-no site} ${OS_PASSWORD-no password}\" >> log\n";

fn program(bench: &Bench, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    bench.file(name, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path(name), mode).unwrap();
}

/// One server after another, without a canary; what is tried once is not tried again.
fn playbook(bench: &Bench, steps: &[&str]) {
    let steps: String = steps.iter().map(|step| format!("      - {step}\n")).collect();
    bench.file(
        "p.yaml",
        format!(
            "version: 1\nname: test\ncloud: sim\nfleets:\n  web:\n    hosts: [{{ tag: role=web }}]\n    \
             strategy: {{ canary: 0 }}\n    wait: {{ settle: 100ms }}\n    steps:\n{steps}"
        ),
    );
}

fn log(bench: &Bench) -> Vec<String> {
    let text = std::fs::read_to_string(bench.path("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const RUN: [&str; 5] = ["apply", "p.yaml", "--confirm", "1", "--real-hooks"];

#[test]
fn steps_run_in_their_order_and_see_no_credentials() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    program(&bench, "note.sh", NOTE);
    playbook(
        &bench,
        &[
            "{ run: [./note.sh, '{{ host.name }} {{ host.az }}'], id: drain, env: { SITE: '{{ host.tag.role }}' } }",
            "stop",
            "{ run: [./note.sh, $HOME], id: copy }",
            "validate",
            "reinstall",
            "wait",
            "verify",
            "{ run: [./note.sh], id: undrain }",
        ],
    );
    let output = bench.command(&RUN).env("OS_PASSWORD", "hunter2").output().unwrap();
    let ended = crate::harness::Ended::from(output).with_code(0);
    assert_eq!(ended.last_line(), "1 verified");
    assert_eq!(
        log(&bench),
        [
            "drain 1 web-0001 eu-de-01 web no password",
            "copy 1 $HOME no site no password",
            "undrain 1  no site no password",
        ],
    );
    assert!(ended.stderr.contains("Cannot be known before the run"), "{}", ended.stderr);
    assert!(ended.stderr.contains("runs ./note.sh"), "{}", ended.stderr);
    cloud.saw_a_careful_client(1);
}

#[test]
fn a_rehearsal_runs_no_program_unless_it_is_asked_to() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    program(&bench, "note.sh", NOTE);
    let steps =
        ["{ run: [./note.sh], id: drain }", "stop", "validate", "reinstall", "wait", "verify"];
    playbook(&bench, &steps);
    let ended = bench.run(&RUN[..4]).with_code(0).saying("a rehearsal does not run them");
    assert_eq!(ended.last_line(), "1 verified");
    assert_eq!(log(&bench), [""; 0]);
    cloud.saw_a_careful_client(1);
}

#[test]
fn what_takes_too_long_is_killed_and_its_server_is_spared_and_put_back() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    program(&bench, "note.sh", NOTE);
    playbook(
        &bench,
        &[
            "{ run: [./note.sh], id: drain, undo: [./note.sh, undo] }",
            "stop",
            "{ run: [sh, -c, 'echo working; exec sleep 1000'], id: slow, timeout: 200ms, undo: [./note.sh, undo] }",
            "validate",
            "reinstall",
            "wait",
            "verify",
        ],
    );
    let ended = bench.run(&[&RUN[..], &["--events", "events"]].concat()).with_code(4);
    assert!(
        ended.stdout.contains("step:slow: the step `slow` took longer than its timeout"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("Steps that were undone"), "{}", ended.stdout);
    assert_eq!(
        log(&bench),
        [
            "drain 1  no site no password",
            "slow 1 undo no site no password",
            "drain 1 undo no site no password",
        ],
    );
    // What came after the stop, the stop, what came before it.
    let events = std::fs::read_to_string(bench.path("events")).unwrap();
    let at = |words: &[&str]| {
        events.lines().position(|line| words.iter().all(|word| line.contains(word))).unwrap()
    };
    let late = at(&["step_ended", "slow", "\"undo\":true"]);
    let back = at(&["started_back"]);
    let early = at(&["step_started", "drain", "\"undo\":true"]);
    assert!(late < back && back < early, "{events}");
    cloud.saw_a_careful_client(0);
}

#[test]
fn a_failed_undo_is_told_and_a_wiped_server_is_not_undone() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "2", "--speed", "1000"]);
    program(&bench, "note.sh", NOTE);
    playbook(
        &bench,
        &[
            "{ run: [./note.sh], id: drain, undo: [sh, -c, 'echo no such pool >&2; exit 3'] }",
            "{ run: [sh, -c, 'test $0 != web-0002', '{{ host.name }}'], id: check }",
            "stop",
            "validate",
            "reinstall",
            "wait",
            "verify",
        ],
    );
    let ended = bench.run(&["apply", "p.yaml", "--confirm", "2", "--real-hooks"]).with_code(4);
    assert_eq!(ended.last_line(), "1 verified, 1 failed");
    let told = "the undo of step `drain` failed: exit status: 3: no such pool";
    assert_eq!(ended.stdout.matches(told).count(), 1, "{}", ended.stdout);
    cloud.saw_a_careful_client(1);
}

#[test]
fn a_program_that_changed_since_the_plan_is_drift() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    program(&bench, "note.sh", NOTE);
    let steps =
        ["{ run: [./note.sh], id: drain }", "stop", "validate", "reinstall", "wait", "verify"];
    playbook(&bench, &steps);
    bench.run(&["plan", "p.yaml", "--out", "p.plan"]).with_code(0);
    program(&bench, "note.sh", "#!/bin/sh\nrm -rf /\n");
    let refused = bench.run(&["apply", "p.plan", "--confirm", "1", "--real-hooks"]).with_code(1);
    refused.saying("note.sh has changed since the plan was made");
    assert_eq!(log(&bench), [""; 0]);
    cloud.saw_a_careful_client(0);
}

/// A program that says that it runs, and then waits for ever.
fn waiting(bench: &Bench, once: bool) {
    assert!(Command::new("mkfifo").arg(bench.path("never")).status().unwrap().success());
    let text = format!("{NOTE}[ $REFLEET_ATTEMPT = 1 ] && read x < never\nexit 0\n");
    program(bench, "wait.sh", &text);
    let first = format!("{{ run: [./wait.sh], id: drain, once: {once} }}");
    playbook(bench, &[&first, "stop", "validate", "reinstall", "wait", "verify"]);
}

/// Kills the run while its first step runs; what that left behind ends too.
fn killed(bench: &Bench) {
    let mut run = bench.start(&RUN);
    run.until(&["step_started"]);
    // The program has begun once it has written its line.
    let begun = || log(bench).len() == 1;
    while !begun() {
        std::thread::yield_now();
    }
    run.signal("KILL");
    assert_eq!(run.code(), None);
    std::fs::write(bench.path("never"), "\n").unwrap();
}

#[test]
fn a_step_that_a_crash_interrupted_is_run_again() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    waiting(&bench, false);
    killed(&bench);
    let ended = bench.run(&["resume", "--real-hooks"]).with_code(0);
    assert_eq!(ended.last_line(), "1 verified");
    let lines = ["drain 1  no site no password", "drain 2  no site no password"];
    assert_eq!(log(&bench), lines);
    cloud.saw_a_careful_client(1);
}

#[test]
fn a_step_that_must_not_be_run_twice_leaves_its_server_to_a_person() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1", "--speed", "1000"]);
    waiting(&bench, true);
    killed(&bench);
    let ended = bench.run(&["resume", "--real-hooks"]).with_code(4);
    assert_eq!(ended.last_line(), "1 unknown");
    assert!(ended.stdout.contains("must not be run twice"), "{}", ended.stdout);
    assert_eq!(log(&bench), ["drain 1  no site no password"]);
    cloud.saw_a_careful_client(0);
}
