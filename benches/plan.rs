//! How long a plan for 100,000 servers takes from a listing in memory, and how much memory:
//! `cargo bench --bench plan`. The budget is 2 s and 500 MB, the listing included.

use std::time::Instant;

use refleet::domain::{Address, AddressKind, Server};
use refleet::plan::{check, differences, explain, recheck};
use refleet::playbook::{Share, Size, Strategy};

#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "made for the tests, which use more of it"
)]
#[path = "../tests/plans/world.rs"]
mod world;

const SERVERS: usize = 100_000;

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
#[expect(clippy::print_stdout, reason = "a bench says what it measured")]
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on may stop")]
fn main() {
    let mut began = Instant::now();
    let mut lap = |what: &str| {
        println!("{what:<12} {:>6} ms, peak {} MB", began.elapsed().as_millis(), peak_megabytes());
        began = Instant::now();
    };
    let servers: Vec<Server> = (1..=SERVERS).map(server).collect();
    let inventory = world::inventory(servers);
    let mut web = world::fleet("web", 4, &["web-0*", "web-*"]);
    web.strategy = Strategy {
        serial: vec![Size::Share(Share(10)), Size::Share(Share(25))],
        written: true,
        ..Strategy::default()
    };
    let playbook = world::playbook(vec![web]);
    lap("listing");
    let plan = world::drawn(&playbook, &inventory).unwrap();
    lap("draw");
    let plan = check(plan).unwrap();
    lap("check");
    let clean = recheck(&plan, &inventory).is_clean();
    lap("recheck");
    let equal = inventory.servers.iter().zip(plan.targets.values());
    let equal = equal.filter(|(is, target)| differences(&target.found, is).is_empty()).count();
    lap("differences");
    let lines = explain(&plan).lines().count();
    lap("explain");
    println!("{} targets, {equal} equal, clean: {clean}, {lines} lines", plan.targets.len());
}

/// A server as projects have them: ids as long as UUIDs, five tags, a second address.
fn server(number: usize) -> Server {
    let uuid = |kind: u8| format!("{number:08x}-3d5a-4b0a-9a51-{kind:02x}2d3e4f5a6b");
    let mut server = world::server(number, &format!("web-{number:06}"));
    server.id = uuid(0).into();
    for (volume, kind) in server.volumes.iter_mut().zip(1..) {
        volume.id = uuid(kind).into();
    }
    for (key, value) in
        [("stage", "prod"), ("owner", "team-web"), ("cost", "4711"), ("backup", "daily")]
    {
        server.tags.insert(key.to_owned(), value.to_owned());
    }
    server.addresses.push(Address {
        addr: format!("80.158.{}.{}", number / 250, number % 250),
        mac: server.addresses.first().map(|fixed| fixed.mac.clone()).unwrap_or_default(),
        port: uuid(8),
        kind: AddressKind::Floating,
    });
    server
}

/// The most memory that the process ever had, as Linux says; 0 elsewhere.
#[expect(clippy::disallowed_methods, reason = "the kernel's figures are in a file")]
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1_024
}
