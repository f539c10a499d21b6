//! Tokens that end in the middle of a run.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

/// Servers of the run.
const SERVERS: usize = 20;
/// Milliseconds after which a token of one second is renewed: a twentieth of its life early.
const RENEWED_AFTER: i64 = 950;

#[test]
fn a_token_that_ends_in_the_middle_of_a_run_is_renewed_once_however_many_wait_for_it() {
    let bench = Bench::new();
    bench.file(
        "world.yaml",
        format!(
            "servers: [{{ count: {SERVERS}, name: 'web-####', tags: {{ role: web }} }}]\n\
             knobs: {{ token_life: 1 }}\n"
        ),
    );
    bench.file("faults.yaml", "throttled_gateway: 0.05\nthrottled_service: 0.05\n");
    let words = ["--world", "world.yaml", "--faults", "faults.yaml", "--speed", "60"];
    let cloud = Simulator::start(&bench, &words);
    let cloud_and_limits =
        "cloud: sim\nlimits: { api: { rate: 100/s, burst: 10 }, reinstalls: 40 }";
    let playbook = bench.file("p.yaml", playbook(cloud_and_limits, AT_ONCE));
    bench.run(&["plan", playbook, "--out", "p.plan"]).with_code(0);
    let before = issued(&cloud);
    let count = SERVERS.to_string();
    let ended = bench.run(&["apply", "p.plan", "--confirm", &count, "--events", "events"]);
    ended.with_code(0);
    cloud.saw_a_careful_client(SERVERS);

    let events = std::fs::read_to_string(bench.path("events")).unwrap();
    let moments: Vec<i64> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["wall"].clone())
        .map(|wall| wall.as_i64().unwrap())
        .collect();
    let (first, last) = (moments[0], moments[moments.len() - 1]);
    let renewals = (last - first) / RENEWED_AFTER;
    let tokens = issued(&cloud) - before;
    // One to come in, and one more where the run's first record was not yet the first request.
    assert!((2..=renewals + 2).contains(&tokens), "{tokens} tokens in {} ms", last - first);
}

fn issued(cloud: &Simulator) -> i64 {
    cloud.stats()["requests"]["by_operation"]["issue_token"].as_i64().unwrap()
}
