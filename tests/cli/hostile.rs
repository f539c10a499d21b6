//! What people read is true, and nothing that somebody named steers who reads it.

use std::collections::BTreeSet;

use refleet::domain::steers;

use crate::harness::{AT_ONCE, Bench, Ended, Simulator, playbook};

const SIM: &str = "cloud: sim";

/// Names as somebody would choose them in order to erase a line of a plan, or to add one.
const WORLD: &str = r#"
servers:
  - { name: "web-1\u001b]0;PWNED\u0007\u001b[2J\u001b[1;31mfake", tags: { role: web, k: "x\u001b[31m", "k\u009b2J": "v" } }
  - { name: "web-2\nMADE-UP: nothing will be wiped", tags: { role: web, other: "web\nMADE-UP: tag" } }
  - { name: "web-3\rMADE-UP: over the line", image: evil, tags: { role: web } }
  - { name: "web-4\u009b31mC1\u0085MADE-UP", tags: { role: web } }
  - { name: "web-5\u202Ednuora\u2028MADE-UP", tags: { role: web } }
  - { name: "web-6\u0008\u0008\u0008\u2066x\u200e\u061c", tags: { role: web } }
images:
  - {}
  - { name: "evil", os_version: "Ubuntu \u001b[8m 24" }
"#;

#[track_caller]
fn harmless(name: &str, text: &str) {
    let odd: BTreeSet<char> = text.chars().filter(|c| *c != '\n' && steers(*c)).collect();
    assert!(odd.is_empty(), "{name}: {odd:?} in {text}");
    let made_up = text.lines().find(|line| line.trim_start().starts_with("MADE-UP"));
    assert_eq!(made_up, None, "{name}");
}

/// Runs it, and demands that nothing that it says steers a terminal.
#[track_caller]
fn says_harmless(bench: &Bench, words: &[&str]) -> Ended {
    let ended = bench.run(words);
    harmless(&words.join(" "), &ended.stdout);
    harmless(&words.join(" "), &ended.stderr);
    ended
}

fn newest(bench: &Bench) -> String {
    let runs = bench.run(&["runs", "--format", "json"]).json();
    runs.as_array().unwrap().last().unwrap()["run"].as_str().unwrap().to_owned()
}

#[test]
fn m1_names_do_not_steer_the_terminal() {
    let bench = Bench::new();
    let world = bench.file("world.yaml", WORLD);
    let _cloud = Simulator::start(&bench, &["--world", world, "--speed", "1000"]);
    let text = playbook(SIM, AT_ONCE) + "    verify: [{ tcp: { port: 1, within: 1s } }]\n";
    let playbook = bench.file("p.yaml", text);
    for format in ["text", "json", "dot", "mermaid"] {
        says_harmless(&bench, &["plan", playbook, "--format", format]).with_code(0);
    }
    says_harmless(&bench, &["init", "--cloud", "sim"]).with_code(0);
    let planned = bench.run(&["plan", playbook, "--format", "json"]).json();
    let (server, _) = planned["targets"].as_object().unwrap().iter().next().unwrap();
    let applied = says_harmless(&bench, &["apply", playbook, "--confirm", "6", "--verbose"]);
    assert!(applied.stderr.contains("web-2\\u{a}MADE-UP"), "{}", applied.stderr);
    let run = newest(&bench);
    for format in ["text", "json", "junit", "markdown", "html"] {
        says_harmless(&bench, &["report", &run, "--format", format]).with_code(0);
    }
    says_harmless(&bench, &["status", &run]).with_code(0);
    says_harmless(&bench, &["runs"]).with_code(0);
    says_harmless(&bench, &["watch", &run]);
    says_harmless(&bench, &["support", &run, server]).with_code(0);
    says_harmless(&bench, &["explain", server, "--playbook", playbook, "--run", &run]).with_code(0);
    // Names in refusals: a guess at what was meant, and what a person typed.
    says_harmless(&bench, &["explain", "web-2", "--playbook", playbook]).with_code(1);
    says_harmless(&bench, &["explain", "x\n MADE-UP\u{1b}[2J", "--run", &run]).with_code(1);
    says_harmless(&bench, &["abandon", &run, server]).with_code(1);
}

#[test]
fn m1_json_is_faithful() {
    let bench = Bench::new();
    let world = bench.file("world.yaml", WORLD);
    let _cloud = Simulator::start(&bench, &["--world", world, "--speed", "1000"]);
    let playbook = bench.file("p.yaml", playbook(SIM, AT_ONCE));
    let plan = bench.run(&["plan", playbook, "--format", "json"]).json();
    let names: BTreeSet<&str> = plan["targets"]
        .as_object()
        .unwrap()
        .values()
        .map(|target| target["found"]["name"].as_str().unwrap())
        .collect();
    assert!(names.contains("web-4\u{9b}31mC1\u{85}MADE-UP"), "{names:?}");
    assert!(names.contains("web-2\nMADE-UP: nothing will be wiped"), "{names:?}");
}

#[test]
fn m1_a_playbook_does_not_steer_the_terminal() {
    let bench = Bench::new();
    let text = "version: 1\ncloud: sim\nname: \"a\\u001b[2J\\u202e\\nMADE-UP\"\nfl\u{202e}eets: 3 # \u{9b}2J\n";
    let playbook = bench.file("p.yaml", text);
    says_harmless(&bench, &["validate", playbook]).with_code(1);
    let odd = "no\u{1b}[2J\nMADE-UP.yaml";
    says_harmless(&bench, &["validate", odd]).with_code(1);
    bench.file(odd, "version: 1\ncloud: sim\nbogus: 1\n");
    says_harmless(&bench, &["validate", odd]).with_code(1);
    says_harmless(&bench, &["plan", odd]).with_code(1);
    let faults = bench.file("f.yaml", "bogus\u{202e}: \"\\u001b\"\n");
    says_harmless(&bench, &["simulate", playbook, "--faults", faults]);
}

#[test]
fn m4_a_report_does_not_say_wiped_of_a_server_that_was_not() {
    let bench = Bench::new();
    let faults = bench.file("faults.yaml", "job_failure: 1\n");
    let words = ["--servers", "1", "--speed", "1000", "--faults", faults];
    let _cloud = Simulator::start(&bench, &words);
    let text = playbook(SIM, AT_ONCE) + "    retry: { job_failed: { attempts: 1 } }\n";
    let playbook = bench.file("p.yaml", text);
    let applied = bench.run(&["apply", playbook, "--confirm", "1"]);
    assert!(applied.code != Some(0), "{applied:?}");
    let run = newest(&bench);
    let report =
        |format: &str| bench.run(&["report", &run, "--format", format]).with_code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["down"], serde_json::json!([]), "{json}");
    let standing = &json["groups"][0]["servers"][0]["standing"];
    assert_eq!(standing["power"], "running", "{json}");
    assert_eq!(standing["disk"], "not_wiped", "{json}");
    let text = report("text");
    assert!(text.contains("[running, not wiped]") && !text.contains("Down now"), "{text}");
    let markdown = report("markdown");
    let row = markdown.lines().find(|line| line.contains("| web-0001 |")).unwrap();
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    assert_eq!((cells[6], cells[7]), ("–", "no"), "down since, wiped: {row}");
    for text in [applied.stdout, text, markdown, report("html"), report("junit")] {
        assert!(!text.contains("disk may be gone"), "{text}");
    }
}

#[test]
fn m4_servers_that_are_down_are_listed_with_what_to_do() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "2", "--speed", "200"]);
    let text = playbook(SIM, AT_ONCE);
    let playbook = bench.file("p.yaml", text);
    let mut run = bench.start(&["apply", playbook, "--confirm", "2"]);
    run.until(&["\"stopped\""]);
    run.signal("KILL");
    run.code();
    drop(cloud);
    let id = newest(&bench);
    let status = bench.run(&["status", &id]).with_code(0).stdout;
    assert!(status.contains("Down now: "), "{status}");
    assert!(
        status.contains(" since ") && status.contains(&format!("refleet resume {id}")),
        "{status}"
    );
    let json = bench.run(&["status", &id, "--format", "json"]).with_code(0).json();
    assert!(!json["down"].as_array().unwrap().is_empty(), "{json}");
    for format in ["text", "markdown", "html"] {
        let text = bench.run(&["report", &id, "--format", format]).with_code(0).stdout;
        assert!(text.contains("Down now"), "{text}");
    }
    let junit = bench.run(&["report", &id, "--format", "junit"]).with_code(0).stdout;
    assert!(junit.contains("off since "), "{junit}");
}
