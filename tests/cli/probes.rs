//! Checks from outside: in a rehearsal the simulated cloud answers, and with `--real-hooks` the world.

use crate::harness::{AT_ONCE, Bench, playbook};

const SCRIPT: &str = "#!/bin/sh\necho $1 $REFLEET_STEP >> seen\necho \"[$OS_PASSWORD]\" >> seen\n";

fn checked(bench: &Bench) -> &'static str {
    let cloud = "cloud: simulator\nsimulator: { servers: 2, speed: 1000 }";
    let checks = "    verify:\n      - fresh\n      - command: [./ready.sh, \"{{ host.name }}\"]\n";
    bench.file("ready.sh", SCRIPT);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("ready.sh"), mode).unwrap();
    bench.file("p.yaml", playbook(cloud, AT_ONCE) + checks)
}

#[test]
fn s20_a_rehearsal_runs_no_program() {
    let bench = Bench::new();
    let playbook = checked(&bench);
    bench.run(&["apply", playbook, "--confirm", "2"]).with_code(0).saying("command [./ready.sh");
    assert!(!bench.path("seen").exists());
}

#[test]
fn with_real_hooks_a_rehearsal_runs_the_programs_of_its_checks() {
    let bench = Bench::new();
    let playbook = checked(&bench);
    let mut apply = bench.command(&["apply", playbook, "--confirm", "2", "--real-hooks"]);
    let ended = apply.env("OS_PASSWORD", "hush").output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let seen = std::fs::read_to_string(bench.path("seen")).unwrap();
    let mut lines: Vec<&str> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[]", "[]", "web-0001 verify", "web-0002 verify"]);
}

#[test]
fn a_program_that_says_no_fails_its_server_and_is_quoted() {
    let bench = Bench::new();
    let playbook = checked(&bench);
    let text = std::fs::read_to_string(bench.path(playbook)).unwrap();
    let check = "{ run: [./ready.sh], within: 0s }";
    bench.file("p.yaml", text.replace("[./ready.sh, \"{{ host.name }}\"]", check));
    bench.file("ready.sh", "#!/bin/sh\necho not today\nexit 4\n");
    let ended = bench.run(&["apply", playbook, "--confirm", "2", "--real-hooks"]).with_code(3);
    for words in ["the check `command` failed", "exit status: 4: not today"] {
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
}

#[test]
fn a_program_that_changed_since_the_plan_is_refused() {
    let bench = Bench::new();
    let playbook = checked(&bench);
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    bench.file("ready.sh", "#!/bin/sh\ntrue\n");
    bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1).saying("ready.sh");
}
