//! A run in the forms of other programs, and a plan whose files are no longer what they were.

use std::process::{Command, Stdio};

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const BUILT_IN: &str = "cloud: simulator\nsimulator: { servers: 2, speed: 1000 }";

fn newest(bench: &Bench) -> String {
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    runs.as_array().unwrap().last().unwrap()["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_is_reported_in_every_form_from_its_journal() {
    let bench = Bench::new();
    bench.file("init.yaml", "#cloud-config\n");
    let text = playbook(BUILT_IN, AT_ONCE) + "    reinstall: { user_data: { file: init.yaml } }\n";
    let playbook = bench.file("p.yaml", text);
    bench.run(&["apply", playbook, "--confirm", "2"]).with_code(0);
    let run = newest(&bench);
    for (format, words) in [
        ("text", "file      init.yaml (sha256 "),
        ("json", "\"outline\""),
        ("junit", "<testsuite name=\"web\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"0\">"),
        ("markdown", "**2 verified**"),
        ("html", "<p class=\"counts good\">2 verified</p>"),
    ] {
        let shown = bench.run(&["report", &run, "--format", format]).with_code(0).stdout;
        assert!(shown.contains(words), "{words} is not in\n{shown}");
        bench.run(&["report", &run, "--format", format, "--out", "report"]).with_code(0);
        assert_eq!(std::fs::read_to_string(bench.path("report")).unwrap(), shown, "{format}");
    }
}

/// A work tree of git with everything of the bench in it; `false`: this machine has no git.
fn committed(bench: &Bench, files: &[&str]) -> bool {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(identity).args(words).current_dir(bench.path(""));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    if git(&["init", "-q"]).is_err() {
        return false;
    }
    for words in [[&["add"][..], files].concat(), vec!["commit", "-q", "-m", "one"]] {
        assert!(git(&words).unwrap().success(), "git {words:?}");
    }
    true
}

#[test]
fn s14_a_plan_is_refused_after_a_change_of_its_files_with_the_difference_shown() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "2", "--speed", "1000"]);
    bench.file("init.yaml", "#cloud-config\npassword: hunter2-old\n");
    bench.file("hosts.txt", "web-0001\nweb-0002\n");
    let text = playbook("cloud: sim", AT_ONCE).replace("tag: role=web", "file: hosts.txt")
        + "    reinstall: { user_data: { file: init.yaml } }\n";
    let playbook = bench.file("p.yaml", &text);
    if !committed(&bench, &["p.yaml", "init.yaml", "hosts.txt"]) {
        return;
    }
    let planned = bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0).stdout;
    for file in ["p.yaml (commit ", "init.yaml (sha256 ", "hosts.txt (sha256 "] {
        assert!(planned.contains(file), "{file} is not in\n{planned}");
    }
    assert_eq!(planned.matches(", commit ").count(), 2, "each file has its commit\n{planned}");
    bench.file("init.yaml", "#cloud-config\npassword: hunter2-new\n");
    bench.file("hosts.txt", "web-0001\n");
    bench.file("p.yaml", text.replace("100ms", "5m") + "    verify: [fresh]\n");
    let refused = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    let refused = refused
        .saying("p.yaml has changed since the plan was made\n  was p.yaml (sha256 ")
        .saying("\n  -    wait: { settle: 100ms }\n  +    wait: { settle: 5m }\n")
        .saying("\n  -web-0002\n")
        .saying("init.yaml has changed since the plan was made")
        .saying("its lines are not shown: they may hold secrets")
        .saying(", changed since)")
        .saying("help:");
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    // A secret that somebody wrote into the playbook is not shown either.
    bench.file("hosts.txt", "web-0001\nweb-0002\n");
    bench.file("init.yaml", "#cloud-config\npassword: hunter2-old\n");
    bench.file("p.yaml", text.replace("user_data: {", "admin_pass: hunter2-inline, user_data: {"));
    let refused = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    let refused = refused.saying("+    reinstall: { admin_pass: …, user_data: {");
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    std::fs::remove_file(bench.path("p.yaml")).unwrap();
    let gone = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    gone.saying("p.yaml was read for the plan, and cannot be now");
    // As it was, it is applied.
    bench.file("p.yaml", &text);
    cloud.saw_a_careful_client(0);
    bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(0);
}

#[test]
fn outside_of_git_a_change_is_named_by_its_hashes() {
    let bench = Bench::new();
    let text = playbook(BUILT_IN, AT_ONCE);
    let playbook = bench.file("p.yaml", &text);
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    bench.file("p.yaml", text + "# more\n");
    let refused = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    refused.saying(", not in git)").saying("its old lines are not known: no commit has them");
}

#[test]
fn two_plans_are_compared_and_the_exit_code_says_whether_they_differ() {
    let bench = Bench::new();
    let text = playbook(BUILT_IN, AT_ONCE);
    let playbook = bench.file("p.yaml", &text);
    bench.run(&["plan", playbook, "--out", "old.plan"]).with_code(0);
    let compare = ["plan", playbook, "--diff", "old.plan", "--detailed-exitcode"];
    let same = bench.run(&compare).with_code(0);
    assert!(same.stdout.ends_with("\nNothing changed.\n"), "{}", same.stdout);
    bench.file("p.yaml", text.replace("100ms", "5m"));
    let changed = bench.run(&compare).with_code(2).stdout;
    let server = "\nWiped as before, in another way\n  2 servers: web-0001 (";
    assert!(changed.contains(server), "{changed}");
    assert!(changed.contains("\n    wait.settle: 100ms → 5m\n"), "{changed}");
    let json = bench.run(&[&compare[..], &["--format", "json"]].concat()).with_code(2).json();
    assert_eq!(json["servers"].as_object().unwrap().len(), 2, "{json}");
    bench.run(&["plan", playbook, "--diff", "p.yaml"]).with_code(1).saying("is no saved plan");
    bench.run(&[&compare[..], &["--format", "dot"]].concat()).with_code(1).saying("no picture");
}

#[test]
fn a_server_is_explained_by_its_playbook_and_by_a_run() {
    let bench = Bench::new();
    let text = playbook(BUILT_IN, AT_ONCE) + "    exclude: [{ name: web-0002 }]\n";
    let playbook = bench.file("p.yaml", &text);
    let told = bench.run(&["explain", "web-0001", "--playbook", playbook]).with_code(0).stdout;
    for words in [
        "It will be wiped: fleet web, wave 1 of 1.\n",
        "selected by  tag: role=web [p.yaml:7]\n",
        "wait.settle",
        "fleet at p.yaml:9",
        "built in",
    ] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    let out = ["explain", "web-0002", "--playbook", playbook, "--format", "json"];
    let json = bench.run(&out).with_code(0).json();
    assert_eq!(json["playbook"]["standing"], "left_out", "{json}");
    bench.run(&["apply", playbook, "--confirm", "1"]).with_code(0);
    let run = newest(&bench);
    let told = bench.run(&["explain", "web-0001", "--run", &run]).with_code(0).stdout;
    assert!(told.contains("of fleet web is verified, since "), "{told}");
    bench.run(&["explain", "web-0002", "--run", &run]).with_code(1).saying("has no server with");
    let unknown = ["explain", "web-0009", "--playbook", playbook];
    bench.run(&unknown).with_code(1).saying("did you mean `web-000");
    bench.run(&["explain", "web-0001"]).with_code(1).saying("--playbook FILE or --run RUN");
}

#[test]
fn a_first_playbook_is_proposed_from_the_live_project() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "4"]);
    let init = ["init", "--cloud", "sim", "--out", "first.yaml"];
    bench.run(&init).with_code(0).saying("a proposal for 4 servers written to first.yaml");
    let text = std::fs::read_to_string(bench.path("first.yaml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
    assert!(text.contains("    expect: 4\n    hosts:\n      - tag: role=web\n"), "{text}");
    assert_eq!(bench.run(&["validate", "first.yaml"]).with_code(0).stderr, "");
    let planned = bench.run(&["plan", "first.yaml", "--detailed-exitcode"]).with_code(2).stdout;
    assert!(planned.contains("Fleet web: 4 to reinstall"), "{planned}");
    bench.run(&init).with_code(1).saying("first.yaml is there already");
    assert_eq!(std::fs::read_to_string(bench.path("first.yaml")).unwrap(), text);
    let shown = bench.run(&["init", "--cloud", "sim"]).with_code(0).stdout;
    assert!(shown.contains("version: 1\n"), "{shown}");
    bench.run(&["init"]).with_code(1).saying("--cloud NAME");
    bench.run(&["init", "--cloud", "simulator"]).with_code(1).saying("refleet simulator --clouds");
    cloud.saw_a_careful_client(0);
}
