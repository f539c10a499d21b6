//! A process that dies, and one that is asked to stop.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const SERVERS: &str = "4";

fn cloud(bench: &Bench) -> Simulator {
    let cloud = Simulator::start(bench, &["--servers", SERVERS, "--speed", "200"]);
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    cloud
}

#[test]
fn a_killed_run_goes_on_and_wipes_nothing_twice() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    bench.run(&["plan", "p.yaml", "--out", "other.plan"]).with_code(0);
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    run.signal("KILL");
    assert_eq!(run.code(), None, "killed");
    assert!(bench.run(&["runs"]).with_code(0).stdout.contains("interrupted"));
    let other = bench.run(&["apply", "other.plan", "--confirm", SERVERS]).with_code(1);
    other.saying("is held by run");
    let ended = bench.run(&["resume"]).with_code(0);
    assert_eq!(ended.last_line(), "4 verified");
    cloud.saw_a_careful_client(4);
}

#[test]
fn a_second_interrupt_leaves_at_once_and_the_run_goes_on_later() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    run.signal("INT");
    run.until(&["steered"]);
    run.signal("INT");
    assert_eq!(run.code(), Some(130));
    let ended = bench.run(&["resume"]);
    assert!(ended.stdout.contains("verified"), "{}{}", ended.stdout, ended.stderr);
    cloud.saw_a_careful_client(4);
}

#[test]
fn a_run_on_the_built_in_cloud_cannot_be_resumed() {
    let bench = Bench::new();
    let built_in = "cloud: simulator\nsimulator: { servers: 4, speed: 1 }";
    bench.file("p.yaml", playbook(built_in, AT_ONCE));
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["run_started"]);
    run.signal("KILL");
    run.code();
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    let id = runs[0]["run"].as_str().unwrap();
    bench.run(&["resume", id]).with_code(1).saying("ended with its process");
}
