//! What reports say of servers, held against the cloud that they are of.

use crate::domain::{Deed, Event, Record, ServerId, VolumeId};
use crate::playbook::{self, NoFiles, Playbook, Source};
use crate::report::{Disk, Power, ServerState, Status, Summary};
use crate::simulation::{Rehearsal, Scenario, fit, rehearse_and_keep};
use crate::simulator::{Faults, World};

const QUICKSTART: &str = include_str!("../../../workflows/quickstart.yaml");
const OPENSTACK: &str = include_str!("../../../workflows/openstack-rebuild.yaml");

fn read(text: &str) -> Playbook {
    playbook::parse(&Source::new("p.yaml", text), &NoFiles).playbook.unwrap()
}

/// Trouble of every kind, as far as it concerns what is claimed of a server.
fn trouble() -> Faults {
    Faults {
        error_502: 0.03,
        error_503: 0.03,
        lost_before: 0.05,
        lost_after: 0.05,
        busy: 0.05,
        job_failure: 0.25,
        job_failure_after_swap: 0.15,
        ..Faults::default()
    }
}

/// The system disk right before the first wipe that was sent.
fn disk_before(records: &[Record], id: &ServerId) -> Option<VolumeId> {
    records.iter().find_map(|record| {
        if let Event::Intended { deed: Deed::Reinstall, servers, before, .. } = &record.event
            && servers.contains(id)
        {
            before.as_ref().map(|before| before.disk.clone())
        } else {
            None
        }
    })
}

/// What is claimed of a server and is not so.
fn untrue(server: &ServerState, rehearsal: &Rehearsal, world: &World) -> Option<String> {
    let there = world.server(&server.id)?;
    let wipes = world.reinstalls(&server.id);
    let standing = &server.standing;
    let power = match standing.power {
        Power::Running => there.is_running(),
        Power::Off => there.is_stopped(),
        Power::AsFound | Power::AsPlanned | Power::Unknown => true,
    };
    let same_disk = disk_before(&rehearsal.records, &server.id)
        .is_none_or(|disk| there.system_volume() == Some(&disk));
    let disk = match standing.disk {
        Disk::NotWiped => wipes.completed == 0 && same_disk,
        Disk::PerhapsWiped => true,
        Disk::Wiped => wipes.completed > 0,
    };
    let job = !standing.job_open || wipes.accepted > 0;
    (!(power && disk && job))
        .then(|| format!("{} is {} with {wipes:?}: {}", server.id, there.status, standing.words()))
}

fn claims_are_true(text: &str, faults: &Faults, seeds: u64) {
    let playbook = read(text);
    let world = fit(&playbook, 0);
    for seed in 0..seeds {
        let scenario = Scenario::draw(&playbook, &world, Some(faults), seed).unwrap();
        let (rehearsal, world) = rehearse_and_keep(scenario);
        let status = Status::of(&rehearsal.records);
        let wrong: Vec<String> =
            status.servers.iter().filter_map(|it| untrue(it, &rehearsal, &world)).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        let text = Summary::of(&rehearsal.records).to_report();
        for server in &status.servers {
            let line = format!("  {} ({}): ", server.name, server.id);
            let down = text.lines().skip_while(|line| !line.starts_with("Down now"));
            let down = down.take_while(|line| !line.is_empty()).any(|it| it.starts_with(&line));
            assert_eq!(down, server.standing.is_down(), "seed {seed}: {}\n{text}", server.id);
        }
    }
}

#[test]
fn m4_what_a_report_claims_of_a_server_is_so() {
    claims_are_true(QUICKSTART, &trouble(), 120);
}

#[test]
fn m4_what_a_report_claims_is_so_where_a_disk_keeps_its_id() {
    claims_are_true(OPENSTACK, &trouble(), 120);
}

#[test]
fn m4_every_server_of_a_calm_run_was_wiped_and_none_is_down() {
    let playbook = read(QUICKSTART);
    let scenario =
        Scenario::draw(&playbook, &fit(&playbook, 0), Some(&Faults::default()), 1).unwrap();
    let (rehearsal, _) = rehearse_and_keep(scenario);
    let summary = Summary::of(&rehearsal.records);
    assert!(!summary.finished || summary.down.is_empty(), "{:?}", summary.down);
}
