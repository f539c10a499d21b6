//! World and fault files that are wrong: every problem at once, drawn with its place, cause and mend.

use crate::harness::Bench;

#[test]
fn a_world_with_problems_is_drawn_like_a_playbook() {
    let bench = Bench::new();
    let world = bench.file(
        "world.yaml",
        "servers:\n  - { cuont: 3, name: 'web-##' }\n  - name: db-1\n    status: RUNNING\n\
         knobs:\n  busy_code: comand_running\n  stop_soft: 20\n  token_life: 0\n",
    );
    let ended = bench.run(&["simulator", "--world", world]).with_code(1);
    assert_eq!(ended.stdout, "");
    insta::assert_snapshot!("form", ended.stderr);
}

#[test]
fn what_the_parts_of_a_world_say_of_each_other_is_checked_too() {
    let bench = Bench::new();
    let world = bench.file(
        "world.yaml",
        "servers:\n  - { name: 'web-##', image: ubunto }\n  - { count: 1, ids: [a, b] }\n\
         images:\n  - name: ubuntu\n    encrypted: evs/mine\nknobs: { reinstall: [9, 1] }\n",
    );
    let playbook = bench.file(
        "play.yaml",
        "version: 1\ncloud: simulator\nsimulator: { world: world.yaml }\nfleets:\n  web:\n    \
         hosts: [{ name: web-* }]\n    reinstall: { key_name: sim-key }\n",
    );
    let ended = bench.run(&["simulator", "--world", world]).with_code(1);
    insta::assert_snapshot!("possible", ended.stderr);
    bench.run(&["plan", playbook]).with_code(1).saying("did you mean `ubuntu`?");
    bench
        .run(&["simulate", playbook, "--seeds", "1"])
        .with_code(1)
        .saying("did you mean `ubuntu`?");
}

#[test]
fn faults_with_problems_are_drawn_too() {
    let bench = Bench::new();
    let faults = bench.file(
        "faults.yaml",
        "cut: 1.5\nlost_aftr: 0.1\nanswers:\n  - { operation: reinstal, code: Ecs.0O21 }\n",
    );
    let ended = bench.run(&["simulator", "--faults", faults]).with_code(1);
    insta::assert_snapshot!("faults", ended.stderr);
    let faults = bench.file("broken.yaml", "cut: [0.5\n");
    bench.run(&["simulator", "--faults", faults]).with_code(1).saying("this is not YAML");
}
