//! Commands that only look: validate, plan, explain, schema, simulator.

use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const BUILT_IN: &str = "cloud: simulator\nsimulator: { servers: 4, speed: 1000 }";

#[test]
fn all_problems_are_shown_with_their_places() {
    let bench = Bench::new();
    let good = bench.file("good.yaml", playbook(BUILT_IN, AT_ONCE));
    let bad = bench.file("bad.yaml", "version: 1\ncloud: sim\nflets: {}\nname: *\n");
    assert_eq!(bench.run(&["validate", good]).with_code(0).stdout, "good.yaml: ok\n");
    let ended = bench.run(&["validate", good, bad]).with_code(1).saying("bad.yaml:");
    assert_eq!(ended.stdout, "good.yaml: ok\n");
    let json = bench.run(&["validate", bad, "--format", "json"]).with_code(1).json();
    let problem = &json.as_array().unwrap()[0];
    assert_eq!(problem["file"], "bad.yaml");
    assert!(problem["line"].as_u64().unwrap() > 0, "{json}");
    let code = problem["code"].as_str().unwrap();
    let explained = bench.run(&["explain", code]).with_code(0);
    assert!(explained.stdout.starts_with(&format!("{code}: ")), "{}", explained.stdout);
}

#[test]
fn a_file_that_is_not_there_is_said_by_name() {
    let ended = Bench::new().run(&["validate", "none.yaml"]).with_code(1);
    ended.saying("error: failed to read none.yaml: No such file");
    let bench = Bench::new();
    let good = bench.file("good.yaml", playbook(BUILT_IN, AT_ONCE));
    let ended = bench.run(&["validate", "none.yaml", good]).with_code(1);
    assert_eq!(ended.stdout, "good.yaml: ok\n", "the others are checked all the same");
}

#[test]
fn a_code_that_is_not_known_comes_with_those_that_are() {
    Bench::new().run(&["explain", "nonsense"]).with_code(1).saying("playbook::unknown_key");
}

#[test]
fn a_code_of_the_cloud_is_explained_and_all_are_listed() {
    let bench = Bench::new();
    let told = bench.run(&["explain", "Ecs.0021"]).with_code(0).stdout;
    assert!(told.starts_with("Ecs.0021: the quota of disks is used up\n"), "{told}");
    let all = bench.run(&["explain", "errors"]).with_code(0).stdout;
    assert!(all.contains("| `Ecs.0021` |") && all.contains("| `KMS.0209` |"), "{all}");
    let json = |word| bench.run(&["explain", word, "--format", "json"]).with_code(0).json();
    assert_eq!(json("Ecs.0021")["title"], "the quota of disks is used up");
    assert!(json("errors").as_array().unwrap().len() > 20);
    assert_eq!(json("unknown_key")["code"], "playbook::unknown_key");
}

#[test]
fn every_schema_is_a_schema() {
    let bench = Bench::new();
    for of in ["playbook", "plan", "event"] {
        let schema = bench.run(&["schema", of]).with_code(0).json();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{of}");
    }
}

#[test]
fn a_plan_is_shown_in_every_form_and_changes_nothing() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "4"]);
    let playbook = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let check = |form: &str, begins: &str| {
        let ended = bench.run(&["plan", playbook, "--format", form]).with_code(0);
        assert!(ended.stdout.starts_with(begins), "{form}: {}", ended.stdout);
    };
    check("text", "Plan ");
    check("json", "{\n");
    check("dot", "digraph");
    check("mermaid", "flowchart");
    let json = bench.run(&["plan", playbook, "--format", "json"]).with_code(0).json();
    let schema = bench.run(&["schema", "plan"]).with_code(0).json();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    bench.run(&["plan", playbook, "--detailed-exitcode"]).with_code(2);
    let one = bench.run(&["plan", playbook, "--limit", "web-0002", "--format", "json"]);
    assert_eq!(one.with_code(0).json()["targets"].as_object().unwrap().len(), 1);
    bench.run(&["plan", playbook, "--limit", "db-*"]).with_code(1).saying("matches no");
    bench.run(&["plan", playbook, "--fleet", "wob"]).with_code(1).saying("did you mean `web`?");
    cloud.saw_a_careful_client(0);
    assert!(!bench.path("state.db").exists(), "a plan needs no journal");
}

#[test]
fn a_saved_plan_is_private() {
    let bench = Bench::new();
    let _cloud = Simulator::start(&bench, &["--servers", "4"]);
    let playbook = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0).saying("refleet apply p.plan");
    let mode = bench.path("p.plan").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn wrong_credentials_and_unknown_clouds_touch_nothing() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "2"]);
    let text = std::fs::read_to_string(bench.path("clouds.yaml")).unwrap();
    bench.file("clouds.yaml", text.replace(cloud.field("password"), "wrong"));
    let known = bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let ended = bench.run(&["plan", known]).with_code(1).saying("401");
    assert!(!ended.stderr.contains("wrong\n"), "{}", ended.stderr);
    let unknown = bench.file("u.yaml", playbook("cloud: simm", AT_ONCE));
    bench.run(&["plan", unknown]).with_code(1).saying("did you mean \"sim\"?");
}

#[test]
fn the_simulator_ends_when_it_is_asked_to() {
    let bench = Bench::new();
    let cloud = Simulator::start(&bench, &["--servers", "1"]);
    assert_eq!(cloud.field("clouds_file"), "clouds.yaml");
    assert_eq!(cloud.end(), Some(0));
}

#[test]
fn a_simulator_that_cannot_be_is_refused() {
    let bench = Bench::new();
    bench.run(&["simulator", "--faults", "bad luck"]).with_code(1).saying("chaos");
    bench.run(&["simulator", "--speed", "0"]).with_code(1).saying("above 0");
    bench.run(&["simulator", "--world", "none.yaml"]).with_code(1).saying("none.yaml");
}
