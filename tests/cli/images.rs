//! Over HTTP: another image than the servers have, and a backup before they are stopped.

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

/// Four servers, of which those that match may be backed up.
fn vaulted(bench: &Bench, takes: &str, words: &[&str]) -> Simulator {
    let world = format!(
        "servers: [{{ count: 4, name: 'web-##', tags: {{ role: web }} }}]\n\
         vaults: [{{ name: daily, id: vault-1, servers: ['{takes}'] }}]\n"
    );
    let world = bench.file("world.yaml", world);
    Simulator::start(bench, &[&["--world", world, "--speed", "1000"], words].concat())
}

fn backing_up(bench: &Bench) -> String {
    let text = playbook("cloud: sim", AT_ONCE);
    let guard = "guards: { require: { backup: true } }\n";
    bench.file("p.yaml", format!("{text}    backup: {{ vault: daily }}\n{guard}")).to_owned()
}

#[test]
fn servers_are_backed_up_and_then_wiped() {
    let bench = Bench::new();
    let cloud = vaulted(&bench, "web-*", &[]);
    let playbook = backing_up(&bench);
    let plan = bench.run(&["plan", &playbook]).with_code(0).stdout;
    assert!(plan.contains("a backup into vault daily (vault-1) is taken first"), "{plan}");
    let ended = bench.run(&["apply", &playbook, "--confirm", "4", "--events", "events"]);
    assert_eq!(ended.with_code(0).last_line(), "4 verified");
    cloud.saw_a_careful_client(4);
    let requests = &cloud.stats()["requests"]["by_operation"];
    assert_eq!((&requests["create_checkpoint"], &requests["reinstall"]), (&4.into(), &4.into()));
    let events = std::fs::read_to_string(bench.path("events")).unwrap();
    let at = |words: &str| events.find(words).unwrap_or_else(|| panic!("no {words}"));
    assert!(at("backed_up") < at("\"deed\":\"reinstall\""), "{events}");
    // What was taken is the way back of whoever comes next.
    let again = bench.run(&["plan", &playbook]).with_code(0).stdout;
    assert!(again.contains("the last one is 0 hours old"), "{again}");
}

#[test]
fn a_backup_that_fails_leaves_its_server_running() {
    let bench = Bench::new();
    let cloud = vaulted(&bench, "*", &[]);
    cloud.breaks("{\"backup_failure\": 1.0}");
    let playbook = backing_up(&bench);
    let ended = bench.run(&["apply", &playbook, "--confirm", "4"]).with_code(3);
    assert_eq!(ended.last_line(), "4 failed");
    assert!(ended.stdout.contains("its backup failed; it was not stopped"), "{}", ended.stdout);
    cloud.saw_a_careful_client(0);
    assert!(cloud.stats()["requests"]["by_operation"]["stop"].is_null(), "{}", cloud.stats());
}

#[test]
fn servers_that_cannot_be_backed_up_are_refused_before_anything_is_touched() {
    let bench = Bench::new();
    let cloud = vaulted(&bench, "web-01", &[]);
    let playbook = backing_up(&bench);
    bench
        .run(&["apply", &playbook, "--confirm", "4"])
        .with_code(1)
        .saying("not associated with vault daily (vault-1)");
    let bare = playbook_without_backup(&bench);
    bench.run(&["plan", &bare]).with_code(1).saying("guards.require.backup");
    cloud.saw_a_careful_client(0);
}

fn playbook_without_backup(bench: &Bench) -> String {
    let text = playbook("cloud: sim", AT_ONCE);
    bench.file("bare.yaml", format!("{text}guards: {{ require: {{ backup: true }} }}\n")).to_owned()
}
