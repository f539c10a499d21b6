//! A change of OS over HTTP: another image than the servers have.

use crate::harness::{AT_ONCE, Bench, Simulator, playbook};

const WORLD: &str = "servers: [{ count: 4, name: 'web-##', tags: { role: web } }]\n\
                     images: [{ }, { name: Debian 12, id: img-debian, min_disk_gib: 50 },\n  \
                     { name: Twin, id: twin-1 }, { name: Twin, id: twin-2 }]\n";

fn changing(bench: &Bench, image: &str) -> String {
    let text = playbook("cloud: sim", AT_ONCE);
    let text = format!("{text}    reinstall: {{ image: {image} }}\n");
    bench.file("p.yaml", text).to_owned()
}

#[test]
fn servers_get_another_image_and_are_verified_with_it() {
    let bench = Bench::new();
    let world = bench.file("world.yaml", WORLD);
    let cloud = Simulator::start(&bench, &["--world", world, "--speed", "1000"]);
    let playbook = changing(&bench, "Debian 12");
    let plan = bench.run(&["plan", &playbook]).with_code(0).stdout;
    assert!(plan.contains("→ Debian 12 (img-debian): a change of OS"), "{plan}");
    assert!(plan.contains("→ a new one of 50 GiB"), "{plan}");
    let ended = bench.run(&["apply", &playbook, "--confirm", "4"]).with_code(0);
    assert_eq!(ended.last_line(), "4 verified", "{}", ended.stdout);
    cloud.saw_a_careful_client(4);
    let requests = &cloud.stats()["requests"]["by_operation"];
    assert_eq!((&requests["change_os"], &requests["reinstall"]), (&4.into(), &().into()));
    // Now they have it: the same playbook is a reinstall.
    let again = bench.run(&["plan", &playbook]).with_code(0).stdout;
    assert!(again.contains("Debian 12 (img-debian) → the same"), "{again}");
}

#[test]
fn an_image_that_could_be_either_of_two_is_not_guessed() {
    let bench = Bench::new();
    let world = bench.file("world.yaml", WORLD);
    let cloud = Simulator::start(&bench, &["--world", world, "--speed", "1000"]);
    let playbook = changing(&bench, "Twin");
    bench
        .run(&["apply", &playbook, "--confirm", "4"])
        .with_code(1)
        .saying("2 images are named Twin: twin-1, twin-2")
        .saying("write the id");
    cloud.saw_a_careful_client(0);
}
