//! A user who is shut out in the middle of a run.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const SERVERS: &str = "6";

#[test]
fn a_run_that_is_shut_out_pauses_and_resume_verifies_every_server() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", SERVERS, "--speed", "200"]);
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let mut run = bench.start(&["apply", "p.yaml", "--confirm", SERVERS]);
    run.until(&["accepted", "reinstall"]);
    cloud.breaks("answers: [{ operation: \"*\", code: APIGW.0301 }]");
    assert_eq!(run.code(), Some(5), "paused");

    let status = bench.run(&["status"]).with_code(0).stdout;
    assert!(status.contains("paused: locked out"), "{status}");
    assert!(!status.contains("failed"), "{status}");
    assert!(bench.run(&["runs"]).with_code(0).stdout.contains("paused: locked out"));
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    let id = runs[0]["run"].as_str().unwrap();
    let report = bench.run(&["report", id]).with_code(0).stdout;
    for words in ["locked out (APIGW.0301", "check the credentials of this cloud", "refleet resume"]
    {
        assert!(report.contains(words), "`{words}` is not in\n{report}");
    }
    let report = bench.run(&["report", id, "--format", "json"]).with_code(0).json();
    assert_eq!(report["paused"]["locked_out"]["code"], "APIGW.0301", "{report}");
    assert_eq!(report["groups"].as_array().unwrap().len(), 0, "{report}");

    // Nobody lets us in yet: the run stays as it is.
    bench.run(&["resume"]).with_code(1);
    assert!(bench.run(&["runs"]).with_code(0).stdout.contains("paused: locked out"));

    cloud.breaks("answers: []");
    let ended = bench.run(&["resume"]).with_code(0);
    assert_eq!(ended.last_line(), "6 verified");
    cloud.saw_a_careful_client(6);
}
