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

/// An `ssh` that shows a host key, and logs in where the file of the key is there.
const SSH: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
        -i) key=$2 ;;
        UserKnownHostsFile=*) file=${1#*=} ;;
        StrictHostKeyChecking=accept-new) new=1 ;;
    esac
    shift
done
if [ -n "$new" ]; then
    echo "host ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl" > "$file"
    exit 255
fi
[ -f "$key" ] || { echo "no key at $key" >&2; exit 255; }
"#;

#[test]
fn the_ssh_of_this_machine_finds_a_key_beside_the_playbook() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("ops")).unwrap();
    bench.file("ops/key", "not read by refleet");
    bench.file("ssh", SSH);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("ssh"), mode).unwrap();
    let cloud = "cloud: simulator\nsimulator: { servers: 1, speed: 1000 }";
    let check =
        "{ user: ops, run: 'true', program: ssh, key_file: key, host_key: any, within: 0s }";
    let playbook = playbook(cloud, AT_ONCE) + &format!("    verify: [{{ ssh: {check} }}]\n");
    let playbook = bench.file("ops/p.yaml", playbook);
    let places = format!("{}:/usr/bin:/bin", bench.path("").display());
    let mut apply = bench.command(&["apply", playbook, "--confirm", "1", "--real-hooks"]);
    let ended = apply.env("PATH", places).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("by ssh"), "the plan says who logs in");
}
