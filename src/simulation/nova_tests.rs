//! Runs against a cloud with the manners of Nova: disks keep their ids, running servers are reinstalled
//! as they are, a stopped one is shown as running before it is done, and calls are on record at once.

use crate::domain::{Deed, Ending, Event, JobEnd, Millis, Record, Time};
use crate::fleet::Selector;
use crate::playbook::{HostEntry, Hosts, Playbook, Share, Size, Strategy};
use crate::simulator::{Faults, Knobs, WorldSpec};

use super::tests::{calm, clean, fleet, place, playbook, trace};
use super::{Rehearsal, Scenario, rehearse};

/// Twelve servers in three waves, reinstalled as they are if `skip`.
fn webs(skip: bool) -> Playbook {
    let strategy = Strategy {
        serial: vec![Size::Count(2), Size::Count(5)],
        max_unavailable: Size::Count(4),
        max_failures: 3,
        written: true,
        ..Strategy::default()
    };
    let mut fleet = fleet("web", "web-*", strategy);
    fleet.steps[0].stop.skip = skip;
    fleet.treatment.wait.settle = Millis(0);
    playbook(vec![fleet])
}

fn nova(servers: u32) -> WorldSpec {
    WorldSpec { knobs: Knobs::default().like_nova(), ..WorldSpec::healthy(servers) }
}

fn sent(rehearsal: &Rehearsal, wanted: Deed) -> usize {
    let is =
        |record: &&Record| matches!(&record.event, Event::Intended { deed, .. } if *deed == wanted);
    rehearsal.records.iter().filter(is).count()
}

#[test]
fn a_server_is_stopped_reinstalled_and_started_and_not_taken_for_done_before_it_is() {
    for number in 0..20 {
        let rehearsal = rehearse(calm(&webs(false), &nova(12), number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 12, "{}", trace(&rehearsal));
        let deeds = [Deed::Stop, Deed::Reinstall, Deed::Start].map(|deed| sent(&rehearsal, deed));
        assert_eq!(deeds, [12, 12, 12], "one request for each server: {}", trace(&rehearsal));
    }
}

#[test]
fn a_server_whose_stop_is_skipped_is_reinstalled_as_it_is() {
    for number in 0..20 {
        let rehearsal = rehearse(calm(&webs(true), &nova(12), number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 12, "{}", trace(&rehearsal));
        let deeds = [Deed::Stop, Deed::Reinstall, Deed::Start].map(|deed| sent(&rehearsal, deed));
        assert_eq!(deeds, [0, 12, 0], "{}", trace(&rehearsal));
    }
}

#[test]
fn the_laws_hold_under_faults_and_crashes_there_too() {
    for number in 0..150 {
        for skip in [false, true] {
            let rehearsal = rehearse(Scenario::draw(&webs(skip), &nova(12), None, number).unwrap());
            assert!(
                rehearsal.findings.is_empty(),
                "seed {number}, skip {skip}: {:?}\n{}",
                rehearsal.findings,
                trace(&rehearsal)
            );
        }
    }
}

/// The first attempt of every server fails behind its wipe, and so does the second.
#[test]
fn a_reinstall_that_fails_is_tried_once_more_and_its_disk_is_never_called_intact() {
    for skip in [false, true] {
        let mut scenario = calm(&webs(skip), &nova(12), 7);
        scenario.world.set_faults(Faults { job_failure: 1.0, ..Faults::default() });
        scenario.quiet_from = Time(u64::MAX);
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::NeedsSupport), 1, "{}", trace(&rehearsal));
        assert_eq!(sent(&rehearsal, Deed::Reinstall), 2, "{}", trace(&rehearsal));
        let intact = |record: &Record| {
            let Event::JobEnded { end: JobEnd::Failed { wiped, .. }, .. } = &record.event else {
                return false;
            };
            !wiped
        };
        assert!(!rehearsal.records.iter().any(intact), "{}", trace(&rehearsal));
    }
}

#[test]
fn a_cloud_that_stops_first_refuses_a_playbook_that_skips_the_stop() {
    let refused = Scenario::draw(&webs(true), &WorldSpec::healthy(12), None, 1);
    let why = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(why.contains("this cloud reinstalls stopped servers only"), "{why}");
}

/// Nova's records may be closed to a user. Then nothing tells whether somebody else has rebuilt a
/// server since the plan, so none is wiped.
#[test]
fn without_its_records_nothing_is_wiped() {
    for skip in [false, true] {
        let mut closed = nova(12);
        closed.knobs.trace_readable = false;
        let refused = Scenario::draw(&webs(skip), &closed, None, 1).err();
        let why = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(why.contains("a rebuild by somebody else would not be seen"), "{why}");
    }
}

/// Pages name the next, and the server that one begins behind may be gone when it is asked for.
#[test]
fn a_project_of_several_pages_is_read_to_its_end_page_behind_page() {
    let mut fleet = fleet("web", "web-*", Strategy { written: true, ..Strategy::default() });
    fleet.treatment.wait.settle = Millis(0);
    fleet.strategy.max_unavailable = Size::Count(80);
    fleet.strategy.serial = vec![Size::Share(Share(100))];
    (fleet.strategy.max_failures, fleet.strategy.canary) = (100, 0);
    let mut playbook = playbook(vec![fleet]);
    playbook.limits.reinstalls = 80;
    playbook.fleets["web"].hosts[0] = HostEntry::new(
        place(1),
        Hosts::Matching(Selector::try_new(None, Some("web-00*"), None, None).unwrap()),
    );
    for number in 0..3 {
        let rehearsal = rehearse(calm(&playbook, &nova(2_480), number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 99, "{}", trace(&rehearsal));
    }
}
