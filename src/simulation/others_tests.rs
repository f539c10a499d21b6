//! What other people do between a plan and a wipe, one deed at a time: each test is a row of the review
//! that found it (`docs/safety.md`).

use std::collections::BTreeSet;

use crate::domain::{
    Action, Deed, Ending, Event, Fault, FaultClass, Millis, PauseCause, Record, Reply, ServerId,
    Time, Verdict,
};
use crate::playbook::{Pause, Playbook, Share, Size, Strategy};
use crate::simulator::{Knobs, Meddling, WorldSpec};

use super::checkers::Checker;
use super::doctor::Doctor;
use super::sim::rehearse_doctored;
use super::tests::{calm, clean, fleet, playbook, trace};
use super::{Rehearsal, Scenario, rehearse};

/// After the canary was stopped, and before it can be off: a guest takes 15 s at least.
const STOPPING: Time = Time(5_000);

/// While the canary is reinstalled.
const REINSTALLING: Time = Time(60_000);

/// A canary, then one server after another.
fn one_by_one() -> Playbook {
    let strategy = Strategy {
        canary: 1,
        serial: vec![Size::Count(1)],
        max_unavailable: Size::Count(1),
        written: true,
        ..Strategy::default()
    };
    playbook(vec![fleet("web", "web-*", strategy)])
}

fn scenario(playbook: &Playbook, spec: &WorldSpec) -> (Scenario, Vec<ServerId>) {
    let scenario = calm(playbook, spec, 7);
    let fleet = &scenario.plan.fleets["web"];
    let servers = fleet.waves.iter().flat_map(|wave| wave.servers.clone()).collect();
    (scenario, servers)
}

fn nova(servers: u32) -> WorldSpec {
    WorldSpec { knobs: Knobs::default().like_nova(), ..WorldSpec::healthy(servers) }
}

fn intended(rehearsal: &Rehearsal, wanted: Deed, server: &ServerId) -> usize {
    let is = |record: &&Record| {
        matches!(&record.event, Event::Intended { deed, servers, .. }
            if *deed == wanted && servers.contains(server))
    };
    rehearsal.records.iter().filter(is).count()
}

fn ending(rehearsal: &Rehearsal, of: &ServerId) -> Option<Ending> {
    rehearsal.records.iter().find_map(|record| {
        if let Event::Ended { server, ending, .. } = &record.event
            && server == of
        {
            return Some(*ending);
        }
        None
    })
}

fn at(rehearsal: &Rehearsal, is: impl Fn(&Event) -> bool) -> Option<usize> {
    rehearsal.records.iter().position(|record| is(&record.event))
}

/// P1: seven servers were tagged meanwhile and stopped one after another.
#[test]
fn p1_who_is_changed_after_the_preflight_is_not_stopped() {
    for deed in [Meddling::Protect, Meddling::Lock, Meddling::Rename, Meddling::Tag, Meddling::Stop]
    {
        for spec in [WorldSpec::healthy(6), nova(6)] {
            let (mut scenario, servers) = scenario(&one_by_one(), &spec);
            for server in &servers[1..] {
                scenario.meddlings.push((REINSTALLING, server.clone(), deed));
            }
            let rehearsal = rehearse(scenario);
            clean(&rehearsal);
            assert_eq!(ending(&rehearsal, &servers[0]), Some(Ending::Verified), "{deed:?}");
            for server in &servers[1..] {
                let sent = [Deed::Stop, Deed::Reinstall, Deed::Start]
                    .map(|deed| intended(&rehearsal, deed, server));
                assert_eq!(sent, [0, 0, 0], "{deed:?}: {}", trace(&rehearsal));
                let ended = ending(&rehearsal, server);
                let protects = matches!(deed, Meddling::Protect | Meddling::Lock);
                let wanted = if protects { Ending::Protected } else { Ending::Drifted };
                assert_eq!(ended, Some(wanted), "{deed:?}");
            }
        }
    }
}

/// P1, P3: a server that falls out after our stop runs again before the next one is stopped.
#[test]
fn p3_who_falls_out_after_its_stop_is_started_at_once_and_keeps_its_place() {
    for deed in [Meddling::Protect, Meddling::Rename, Meddling::Tag] {
        let mut strategy = one_by_one();
        strategy.fleets["web"].strategy.canary = 0;
        let (mut scenario, servers) = scenario(&strategy, &WorldSpec::healthy(4));
        scenario.meddlings.push((STOPPING, servers[0].clone(), deed));
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(intended(&rehearsal, Deed::Reinstall, &servers[0]), 0, "{deed:?}");
        let back = at(
            &rehearsal,
            |event| matches!(event, Event::StartedBack { servers: back } if back.contains(&servers[0])),
        );
        let next = at(&rehearsal, |event| {
            matches!(event, Event::Intended { deed: Deed::Stop, servers: sent, .. }
                if !sent.contains(&servers[0]))
        });
        assert!(back.is_some() && back < next, "{deed:?}: {}", trace(&rehearsal));
        assert_eq!(rehearsal.counts.of(Ending::Verified), 3, "{deed:?}");
    }
}

/// W6: five servers at once got a broken image, since the canary had drifted.
#[test]
fn w6_a_canary_that_falls_out_is_replaced_before_the_next_wave_opens() {
    let mut wide = one_by_one();
    wide.fleets["web"].strategy.serial = vec![Size::Count(5)];
    wide.fleets["web"].strategy.max_unavailable = Size::Count(5);
    let (mut scenario, servers) = scenario(&wide, &WorldSpec::healthy(6));
    scenario.meddlings.push((STOPPING, servers[0].clone(), Meddling::Tag));
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    let replaced = at(&rehearsal, |event| {
        matches!(event, Event::CanaryReplaced { server, by, .. }
            if *server == servers[0] && *by == servers[1])
    });
    let proven = at(&rehearsal, |event| {
        matches!(event, Event::Ended { server, ending: Ending::Verified, .. }
            if *server == servers[1])
    });
    let next = at(&rehearsal, |event| matches!(event, Event::WaveOpened { wave: 1, .. }));
    assert!(replaced.is_some() && replaced < proven && proven < next, "{}", trace(&rehearsal));
    assert_eq!(rehearsal.counts.of(Ending::Verified), 5);
}

/// W1: a run that is paused after its canary, and a colleague who rebuilds the next server meanwhile.
#[test]
fn w1_what_somebody_reinstalled_while_a_run_was_paused_is_not_wiped_again() {
    for spec in [WorldSpec::healthy(3), nova(3)] {
        let mut paused = one_by_one();
        paused.fleets["web"].strategy.pause = Pause::AfterCanary;
        let (mut scenario, servers) = scenario(&paused, &spec);
        scenario.approved_within = Millis::mins(40);
        scenario.meddlings.push((REINSTALLING, servers[1].clone(), Meddling::Rebuild));
        scenario.meddlings.push((REINSTALLING, servers[1].clone(), Meddling::Stop));
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert!(rehearsal.pauses > 0, "{}", trace(&rehearsal));
        let sent =
            [Deed::Stop, Deed::Reinstall].map(|deed| intended(&rehearsal, deed, &servers[1]));
        assert_eq!(sent, [0, 0], "{}", trace(&rehearsal));
        assert_eq!(ending(&rehearsal, &servers[1]), Some(Ending::Drifted));
        assert_eq!(ending(&rehearsal, &servers[2]), Some(Ending::Verified));
    }
}

/// W2: where a disk keeps its id, a rebuild between our stop and our wipe is in the records alone.
#[test]
fn w2_a_rebuild_that_only_the_records_show_is_seen_before_the_wipe() {
    for skip in [false, true] {
        let mut one = one_by_one();
        one.fleets["web"].steps[0].stop.skip = skip;
        one.fleets["web"].strategy.canary = 0;
        let (mut scenario, servers) = scenario(&one, &nova(2));
        // The second server is stopped when the first is done; its rebuild comes before that.
        scenario.meddlings.push((REINSTALLING, servers[1].clone(), Meddling::Rebuild));
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(intended(&rehearsal, Deed::Reinstall, &servers[1]), 0, "skip {skip}");
        assert_eq!(ending(&rehearsal, &servers[1]), Some(Ending::Drifted), "skip {skip}");
    }
}

/// How many servers a record sends a stop to.
fn stops(event: &Event) -> usize {
    if let Event::Intended { deed: Deed::Stop, servers, .. } = event { servers.len() } else { 0 }
}

/// Whoever is reinstalled first is busy for whoever asks.
#[derive(Default)]
struct BusyTwice(BTreeSet<ServerId>);

impl Doctor for BusyTwice {
    fn instead(&mut self, action: &Action) -> Option<Reply> {
        let Action::Reinstall { server, .. } = action else { return None };
        if self.0.len() == 2 || !self.0.insert(server.clone()) {
            return None;
        }
        let (code, message) = ("Ecs.0603".to_owned(), "Another command is running.".to_owned());
        let class = FaultClass::Busy;
        Some(Err(Fault { class, code, message, request_id: None, retry_after: None }))
    }
}

/// B7: with two reinstalls at once, two servers that wait for a retry left all others idle.
#[test]
fn b7_servers_that_wait_for_a_retry_do_not_hold_the_next_stop() {
    let mut all = one_by_one();
    all.fleets["web"].strategy = Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Share(Share(100)),
        max_failures: 5,
        strict_budget: false,
        written: true,
        ..Strategy::default()
    };
    all.limits.reinstalls = 2;
    let (scenario, _) = scenario(&all, &WorldSpec::healthy(7));
    let rehearsal = rehearse_doctored(scenario, Box::<BusyTwice>::default(), Checker::Once);
    clean(&rehearsal);
    // Both wait for a minute. Meanwhile two others are wiped, and two more are stopped.
    let waits = |event: &Event| {
        matches!(event, Event::Resolved { deed: Deed::Reinstall, verdict: Verdict::DidNot, .. })
    };
    let waiting: Vec<Time> =
        rehearsal.records.iter().filter(|it| waits(&it.event)).map(|it| it.at).collect();
    assert_eq!(waiting.len(), 2);
    let before_the_retry = waiting[0] + Millis::secs(55);
    let stopped = rehearsal.records.iter().filter(|it| it.at < before_the_retry);
    let stopped: usize = stopped.map(|it| stops(&it.event)).sum();
    assert_eq!(stopped, 6, "{}", trace(&rehearsal));
    assert_eq!(rehearsal.counts.of(Ending::Verified), 7, "{}", trace(&rehearsal));
}

/// M2: a key pair that another key took the name of, between two waves.
#[test]
fn m2_a_key_that_changed_under_its_name_is_installed_on_nobody_more() {
    for spec in [WorldSpec::healthy(3), nova(3)] {
        let (mut scenario, servers) = scenario(&one_by_one(), &spec);
        scenario.meddlings.push((REINSTALLING, servers[2].clone(), Meddling::ReplaceKeyPair));
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(ending(&rehearsal, &servers[0]), Some(Ending::Verified));
        for server in &servers[1..] {
            assert_eq!(intended(&rehearsal, Deed::Stop, server), 0, "{}", trace(&rehearsal));
        }
        let paused = at(&rehearsal, |event| {
            matches!(event, Event::Paused { cause: PauseCause::Precondition { reasons } }
                if reasons.iter().any(|reason| reason.contains("is another key")))
        });
        assert!(paused.is_some(), "{}", trace(&rehearsal));
    }
}

/// B8: a snapshot made after the preflight would have been lost without a word.
#[test]
fn b8_a_snapshot_made_before_a_wave_keeps_its_server_out() {
    let (mut scenario, servers) = scenario(&one_by_one(), &WorldSpec::healthy(3));
    scenario.meddlings.push((REINSTALLING, servers[2].clone(), Meddling::Snapshot));
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    assert_eq!(intended(&rehearsal, Deed::Stop, &servers[2]), 0, "{}", trace(&rehearsal));
    assert_eq!(ending(&rehearsal, &servers[2]), Some(Ending::Drifted));
    assert_eq!(rehearsal.counts.of(Ending::Verified), 2);
}

/// Rule 6: `start_back: false` keeps its place, and a run that has none left pauses and names who has it.
#[test]
fn r6_servers_that_stay_off_keep_their_places_and_the_run_pauses() {
    let mut stays = one_by_one();
    stays.fleets["web"].treatment.start_back = false;
    stays.fleets["web"].strategy.canary = 0;
    let (mut scenario, servers) = scenario(&stays, &WorldSpec::healthy(3));
    scenario.meddlings.push((STOPPING, servers[0].clone(), Meddling::Tag));
    // Somebody starts it later, and the run goes on.
    scenario.meddlings.push((Time(40 * 60_000), servers[0].clone(), Meddling::Start));
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    let paused = at(&rehearsal, |event| {
        matches!(event, Event::Paused { cause: PauseCause::PlacesTaken { servers: held } }
            if *held == [servers[0].clone()])
    });
    let next = at(&rehearsal, |event| {
        matches!(event, Event::Intended { deed: Deed::Stop, servers: sent, .. }
            if !sent.contains(&servers[0]))
    });
    assert!(paused.is_some() && paused < next, "{}", trace(&rehearsal));
    assert_eq!(rehearsal.counts.of(Ending::Verified), 2, "{}", trace(&rehearsal));
}
