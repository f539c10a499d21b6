//! A living run whose state file goes away under it, and one whose terminal does.

use std::process::Command;

use crate::harness::{AT_ONCE, Bench, Simulator, Underway, playbook};

const SERVERS: &str = "3";

fn cloud(bench: &Bench) -> Simulator {
    let cloud = Simulator::start(bench, &["--servers", SERVERS, "--speed", "30"]);
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    cloud
}

/// A run that has its servers off.
fn with_servers_off(bench: &Bench) -> Underway {
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "stop"]);
    run
}

/// Reinstalls that the cloud took.
fn wiped(cloud: &Simulator) -> usize {
    let stats = cloud.stats();
    let counts = stats["reinstalls"].as_object().unwrap();
    counts.values().filter(|count| count["accepted"] != 0).count()
}

/// The run can write no more: it ends, sends nothing, and says which servers are down.
fn ends_when(bench: &Bench, happens: impl FnOnce()) {
    let cloud = cloud(bench);
    let run = with_servers_off(bench);
    happens();
    assert_eq!(run.code(), Some(74), "{}", bench.said());
    let said = bench.said();
    for server in ["web-0001", "web-0002", "web-0003"] {
        assert!(said.contains(server), "{server} is not named:\n{said}");
    }
    assert_eq!(wiped(&cloud), 0, "{said}");
}

#[test]
fn b3_a_state_file_that_is_removed_ends_its_run() {
    let bench = Bench::new();
    ends_when(&bench, || std::fs::remove_file(bench.path("state.db")).unwrap());
}

#[test]
fn b3_a_state_file_that_is_replaced_ends_its_run() {
    let bench = Bench::new();
    ends_when(&bench, || {
        std::fs::copy(bench.path("state.db"), bench.path("copy.db")).unwrap();
        std::fs::rename(bench.path("copy.db"), bench.path("state.db")).unwrap();
    });
}

#[test]
fn b3_locks_that_are_removed_end_their_run() {
    let bench = Bench::new();
    ends_when(&bench, || {
        for entry in std::fs::read_dir(bench.path("")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.to_string_lossy().contains("state.db") {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
    });
}

#[test]
fn b4_a_terminal_that_goes_away_twice_ends_a_run_in_order() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let run = with_servers_off(&bench);
    run.signal("HUP");
    run.signal("HUP");
    assert_eq!(run.code(), Some(130), "{}", bench.said());
    let ended = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    assert_eq!(ended[0]["end"][0], "stopped", "{ended}");
    assert_eq!(cloud.stats()["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn b4_a_run_under_nohup_goes_on() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let run = bench.command(&["apply", "p.yaml", "--confirm", SERVERS, "--events", "-", "--quiet"]);
    let mut nohup = Command::new("nohup");
    nohup.arg(run.get_program()).args(run.get_args()).env_clear();
    nohup.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    nohup.current_dir(bench.path(""));
    let mut run = bench.underway(nohup);
    run.until(&["accepted", "stop"]);
    run.signal("HUP");
    assert_eq!(run.code(), Some(0), "{}", bench.said());
    cloud.saw_a_careful_client(3);
}
