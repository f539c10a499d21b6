//! Rules of `safety.md` that only a whole run can show, each test named for its rule.

use std::collections::BTreeSet;

use crate::domain::{CloseCause, Deed, Ending, Event, Millis, ServerId, Steering, Time};
use crate::playbook::{Playbook, Share, Size, Strategy};
use crate::simulator::{Faults, Meddling, ServerGroup, World, WorldSpec};

use super::sim::rehearse_and_keep;
use super::tests::{clean, fleet, playbook, trace};
use super::{Rehearsal, Scenario};

fn all_at_once() -> Strategy {
    Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Share(Share(100)),
        max_failures: 100,
        strict_budget: false,
        written: true,
        ..Strategy::default()
    }
}

fn one_fleet(glob: &str) -> Playbook {
    playbook(vec![fleet("web", glob, all_at_once())])
}

/// Records of changes of these kinds that are sent after the run was told to stop.
fn sent_after_the_stop(rehearsal: &Rehearsal, deeds: &[Deed]) -> usize {
    let told = |event: &Event| matches!(event, Event::Steered { steering: Steering::Stop, .. });
    let after = rehearsal.records.iter().skip_while(|record| !told(&record.event));
    let sent = after.filter(|record| {
        let Event::Intended { deed, .. } = &record.event else { return false };
        deeds.contains(deed)
    });
    sent.count()
}

fn wiped(world: &World) -> BTreeSet<ServerId> {
    let wipes = world.deeds().iter().filter(|deed| deed.kind == Deed::Reinstall);
    wipes.map(|deed| deed.server.clone()).collect()
}

#[test]
fn s2_a_server_that_comes_to_match_later_is_never_touched() {
    let mut spec = WorldSpec::healthy(0);
    for (count, name) in [(3, "old-##-renamed"), (2, "spare-##")] {
        spec.servers.push(ServerGroup { count, name: name.to_owned(), ..Default::default() });
    }
    for at in [0, 30_000, 200_000] {
        let mut scenario = Scenario::calm(&one_fleet("*-renamed"), &spec, at).unwrap();
        let planned: BTreeSet<ServerId> = scenario.plan.targets.keys().cloned().collect();
        let spare: Vec<ServerId> = scenario.world.servers().map(|s| s.id.clone()).collect();
        for id in spare.into_iter().filter(|id| !planned.contains(id)) {
            scenario.meddlings.push((Time(at), id, Meddling::Rename));
        }
        let (rehearsal, world) = rehearse_and_keep(scenario);
        clean(&rehearsal);
        let matching = world.servers().filter(|server| server.name.ends_with("-renamed"));
        assert_eq!(matching.count(), 5, "they match now");
        assert_eq!(wiped(&world), planned);
    }
}

#[test]
fn s6_after_a_stop_nothing_new_is_begun() {
    let begun = [Deed::Stop, Deed::ForceStop, Deed::Reinstall];
    let mut stopped = 0;
    for number in 0..30 {
        let mut scenario =
            Scenario::calm(&one_fleet("web-*"), &WorldSpec::healthy(30), number).unwrap();
        scenario.stop_at = Some(Time(number * 8_000));
        let (rehearsal, _) = rehearse_and_keep(scenario);
        clean(&rehearsal);
        let after = sent_after_the_stop(&rehearsal, &begun);
        assert_eq!(after, 0, "seed {number}\n{}", trace(&rehearsal));
        stopped += u32::from(rehearsal.cause == Some(CloseCause::Stopped));
    }
    assert!(stopped > 20, "only {stopped} were stopped");
}

#[test]
fn s17_a_server_that_waits_for_a_retry_leaves_its_slot_to_others() {
    let mut playbook = one_fleet("web-*");
    playbook.limits.reinstalls = 1;
    let retry = &mut playbook.fleets["web"].treatment.retry.job_failed;
    (retry.attempts, retry.delay, retry.max_delay) = (3, Millis::mins(10), Millis::mins(10));
    retry.backoff = 1.0;
    retry.jitter = crate::domain::Jitter::None;
    let mut scenario = Scenario::calm(&playbook, &WorldSpec::healthy(3), 1).unwrap();
    scenario.world.set_faults(Faults { job_failure: 1.0, ..Faults::default() });
    scenario.quiet_from = Time(5 * 60_000);
    let (rehearsal, world) = rehearse_and_keep(scenario);
    clean(&rehearsal);
    assert_eq!(rehearsal.counts.of(Ending::Verified), 3, "{}", trace(&rehearsal));
    let wipes: Vec<&ServerId> = world
        .deeds()
        .iter()
        .filter(|deed| deed.kind == Deed::Reinstall)
        .map(|deed| &deed.server)
        .collect();
    assert_ne!(wipes[0], wipes[1], "the first waits, and another goes on: {wipes:?}");
}

#[test]
fn s19_what_was_stopped_and_not_wiped_runs_again_when_the_run_ends() {
    let mut given_back = 0;
    for number in 0..30 {
        let mut playbook = one_fleet("web-*");
        playbook.limits.reinstalls = 4;
        let mut scenario = Scenario::calm(&playbook, &WorldSpec::healthy(12), number).unwrap();
        scenario.stop_at = Some(Time(2_000 + number * 4_000));
        let plan = std::sync::Arc::clone(&scenario.plan);
        let (rehearsal, world) = rehearse_and_keep(scenario);
        clean(&rehearsal);
        for id in plan.targets.keys() {
            let stopped = world.deeds().iter().any(|deed| deed.server == *id);
            let server = world.server(id).unwrap();
            assert!(server.is_running(), "seed {number}: {id} is {}", server.status);
            given_back += u32::from(stopped && !wiped(&world).contains(id));
        }
    }
    assert!(given_back > 20, "only {given_back} were stopped and not wiped");
}
