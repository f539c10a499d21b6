//! What holds for every command: codes, streams, the state file.

use crate::harness::Bench;

#[test]
fn wrong_use_is_64_and_explains_itself() {
    let ended = Bench::new().run(&["frobnicate"]).with_code(64);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("Usage: refleet"), "{}", ended.stderr);
}

#[test]
fn help_and_version_are_results() {
    let bench = Bench::new();
    let version = bench.run(&["--version"]).with_code(0);
    assert_eq!(version.stdout, concat!("refleet ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = bench.run(&["--help"]).with_code(0);
    assert!(help.stdout.contains("runs"), "{}", help.stdout);
    assert_eq!(help.stderr, "");
}

#[test]
fn shells_and_man_know_every_command() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(&["completions", shell]).with_code(0).stdout;
        for command in ["validate", "apply", "resume", "simulate"] {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    let page = bench.run(&["man"]).with_code(0).stdout;
    assert!(page.contains(".TH refleet"), "{page}");
    assert!(page.contains("\\-\\-confirm"), "options of the commands are in it");
    bench.run(&["completions", "cmd.exe"]).with_code(64);
}

#[test]
fn no_runs_print_nothing_and_make_no_file() {
    let bench = Bench::new();
    let ended = bench.run(&["runs"]).with_code(0);
    assert_eq!(ended.stdout, "");
    assert_eq!(bench.run(&["runs", "--format", "json"]).with_code(0).stdout, "[]\n");
    assert!(!bench.path("state.db").exists());
}

#[test]
fn a_reader_that_leaves_early_is_no_trouble() {
    use std::process::Stdio;
    let bench = Bench::new();
    let mut child = bench.command(&["schema", "plan"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_run_needs_a_name_that_is_one() {
    let bench = Bench::new();
    bench.run(&["report", ""]).with_code(64);
    bench.run(&["status", "none"]).with_code(1).saying("failed to find run none");
    bench.run(&["resume"]).with_code(1).saying("there are no runs in this state file");
}

#[test]
fn the_state_file_of_somebody_else_is_left_alone() {
    let bench = Bench::new();
    bench.file("state.db", "this is a letter to my aunt, and no state file at all");
    let ended = bench.run(&["runs"]).with_code(1);
    assert!(ended.stderr.contains("not a state file of refleet"), "{}", ended.stderr);
    let kept = std::fs::read(bench.path("state.db")).unwrap();
    assert!(kept.starts_with(b"this is a letter"));
}

#[test]
fn certificates_that_are_not_verified_are_warned_about_once_however_quiet() {
    let bench = Bench::new();
    let clouds = |verify: &str| {
        format!(
            "clouds: {{c: {{verify: {verify}, region_name: eu-de, auth: {{auth_url: \
             'https://127.0.0.1:1/v3', user_id: u, password: hush}}}}}}"
        )
    };
    let playbook = include_str!("../../workflows/quickstart.yaml");
    bench.file("p.yaml", playbook);
    for (verify, warnings) in [("false", 1), ("true", 0)] {
        bench.file("clouds.yaml", clouds(verify));
        let ended = bench.run(&["plan", "p.yaml", "--cloud", "c", "--quiet"]);
        let said = ended.stderr.matches("certificates are not verified").count();
        assert_eq!(said, warnings, "{}", ended.stderr);
        assert!(ended.stderr.contains("127.0.0.1:1"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
    }
}
