//! Templates of user data, from the playbook to the wipe.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const TEMPLATE: &str = "#cloud-config\nhostname: {{ host.name }}\n# hunter2 of {{ release }}\n";

fn with_template(cloud: &str) -> String {
    playbook(cloud, AT_ONCE)
        + "    reinstall: { user_data: { file: init.yaml, template: true } }\nvars: { release: r7 }\n"
}

#[test]
fn a_misspelt_insert_is_drawn_in_the_template_without_the_rest_of_it() {
    let bench = Bench::new();
    bench.file("init.yaml", TEMPLATE.replace("host.name", "host.nmae"));
    let playbook = bench.file("p.yaml", with_template("cloud: sim"));
    let ended = bench.run(&["validate", playbook]).with_code(1);
    insta::assert_snapshot!("misspelt", ended.stderr);
}

#[test]
fn inserts_are_in_the_plan_and_the_text_is_nowhere() {
    let bench = Bench::new();
    bench.file("init.yaml", TEMPLATE);
    let playbook = bench.file("p.yaml", with_template("cloud: sim"));
    let cloud = Simulator::start(&bench, &["--servers", "3", "--speed", "1000"]);
    let shown = bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    assert_eq!(
        shown.stdout.matches("user data init.yaml (template)").count(),
        3,
        "{}",
        shown.stdout
    );
    let plan = std::fs::read_to_string(bench.path("p.plan")).unwrap();
    let read: serde_json::Value = serde_json::from_str(&plan).unwrap();
    for target in read["targets"].as_object().unwrap().values() {
        let inserts = &target["reinstall"]["inserts"];
        assert_eq!(inserts["host.name"], target["found"]["name"]);
        assert_eq!(inserts["release"], "r7");
    }
    let edited = bench.file("edited.plan", plan.replacen("\"r7\"", "\"r8\"", 1));
    let refused = bench.run(&["apply", edited, "--confirm", "3"]).with_code(1);
    refused.saying("changed after it was saved");
    bench.file("init.yaml", TEMPLATE.replace("hunter2", "hunter3"));
    let refused = bench.run(&["apply", "p.plan", "--confirm", "3"]).with_code(1);
    refused.saying("init.yaml has changed since the plan was made");
    cloud.saw_a_careful_client(0);

    bench.file("init.yaml", TEMPLATE);
    let ended = bench.run(&["apply", "p.plan", "--confirm", "3", "--events", "events"]);
    let ended = ended.with_code(0);
    assert_eq!(ended.last_line(), "3 verified", "{}", ended.stderr);
    cloud.saw_a_careful_client(3);
    let kept = [plan.into_bytes()]
        .into_iter()
        .chain(["events", "state.db"].map(|name| std::fs::read(bench.path(name)).unwrap()));
    for bytes in kept.chain([ended.stdout.into_bytes(), ended.stderr.into_bytes()]) {
        assert!(!bytes.windows(7).any(|word| word == b"hunter2"));
    }
}

#[test]
fn a_server_without_the_tag_is_blocked_and_a_fitted_one_has_it() {
    let bench = Bench::new();
    bench.file("init.yaml", "site: {{ host.tag.site }} {{ release }}\n");
    let two = "cloud: simulator\nsimulator: { servers: 2, speed: 1000 }";
    let playbook = bench.file("p.yaml", with_template(two));
    let refused = bench.run(&["apply", playbook, "--confirm", "2"]).with_code(1);
    refused.saying("it has no host.tag.site, which init.yaml inserts");
    let playbook = bench.file("p.yaml", with_template("cloud: prod"));
    bench.run(&["simulate", playbook, "--seeds", "2"]).with_code(0);
}
