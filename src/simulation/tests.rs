//! The four laws, and engines that are broken on purpose.

use indexmap::IndexMap;

use crate::domain::{CloseCause, Deed, Ending, Event, Millis, Origin, Place, Record};
use crate::engine::{Engine, Flaw};
use crate::fleet::Selector;
use crate::playbook::{
    BackupSpec, DependsOn, FleetSpec, Guards, HostEntry, Hosts, Limits, Playbook, Share, Size,
    Strategy,
};
use crate::simulator::{Faults, ServerGroup, ServerStatus, VaultSpec, WorldSpec};

use super::checkers::Checker;
use super::sim::{rehearse_under, rehearse_with};
use super::{Rehearsal, Scenario, rehearse};

pub(super) fn place(line: u32) -> Place {
    Place { file: "test.yaml".into(), line }
}

pub(super) fn fleet(name: &str, glob: &str, strategy: Strategy) -> FleetSpec {
    let selector = Selector::try_new(None, Some(glob), None, None).unwrap();
    let hosts = vec![HostEntry::new(place(1), Hosts::Matching(selector))];
    let mut fleet = FleetSpec::new(name.into(), place(1), hosts);
    fleet.strategy = strategy;
    fleet
}

pub(super) fn playbook(fleets: Vec<FleetSpec>) -> Playbook {
    Playbook {
        name: "test".to_owned(),
        cloud: "simulator".to_owned(),
        cloud_place: place(1),
        provider: None,
        region: None,
        guards: Guards::default(),
        limits: Limits::default(),
        fleets: fleets.into_iter().map(|f| (f.name.clone(), f)).collect::<IndexMap<_, _>>(),
        simulator: None,
        files: Vec::new(),
        origin: Origin::default(),
    }
}

/// `web-0001` … `web-0012`: a first fleet of three, and a second of nine that waits for it.
fn two_fleets() -> Playbook {
    let first = Strategy { max_failures: 1, written: true, ..Strategy::default() };
    let second = Strategy {
        serial: vec![Size::Count(2), Size::Share(Share(50))],
        max_unavailable: Size::Count(3),
        max_failures: 2,
        bake_time: Millis::secs(20),
        written: true,
        ..Strategy::default()
    };
    let mut web = fleet("web", "web-00{03,04,05,06,07,08,09,10,11,12}", second);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(60), place: place(9) }];
    playbook(vec![fleet("db", "web-000{1,2}", first), web])
}

fn seed(playbook: &Playbook, faults: Option<&Faults>, seed: u64) -> Rehearsal {
    rehearse(Scenario::draw(playbook, &WorldSpec::healthy(14), faults, seed).unwrap())
}

pub(super) fn trace(rehearsal: &Rehearsal) -> String {
    let lines = rehearsal.records.iter().rev().take(160).rev();
    lines.map(|r| format!("{} {:?}\n", r.at, r.event)).collect()
}

#[test]
fn without_faults_every_server_is_verified() {
    for number in 0..20 {
        let rehearsal = rehearse(calm(&two_fleets(), &WorldSpec::healthy(14), number));
        assert!(rehearsal.findings.is_empty(), "{:?}\n{}", rehearsal.findings, trace(&rehearsal));
        assert_eq!(rehearsal.counts.of(Ending::Verified), 12, "{}", trace(&rehearsal));
    }
}

#[test]
fn the_laws_hold_under_faults_and_crashes() {
    for number in 0..200 {
        let rehearsal = seed(&two_fleets(), None, number);
        assert!(
            rehearsal.findings.is_empty(),
            "seed {number}: {:?}\n{}",
            rehearsal.findings,
            trace(&rehearsal)
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (one, two) = (seed(&two_fleets(), None, 5), seed(&two_fleets(), None, 5));
    assert_eq!(one.records, two.records);
    assert_ne!(one.records, seed(&two_fleets(), None, 6).records);
}

/// The first checker that sees this flaw, within 200 seeds.
fn caught(flaw: fn(&mut Engine)) -> Option<Checker> {
    (0..200).find_map(|number| {
        let scenario =
            Scenario::draw(&two_fleets(), &WorldSpec::healthy(14), None, number).unwrap();
        rehearse_with(scenario, flaw).findings.first().map(|finding| finding.checker)
    })
}

#[test]
fn an_engine_that_resends_after_a_lost_answer_is_caught() {
    let found = caught(|engine| engine.break_with(Flaw::ResendAfterLoss));
    assert_eq!(found, Some(Checker::Once));
}

#[test]
fn an_engine_that_resumes_without_doubt_is_caught() {
    let found = caught(|engine| engine.break_with(Flaw::ResumeWithoutDoubt));
    assert_eq!(found, Some(Checker::Once));
}

/// Whether this checker alone sees the flaw, within 200 seeds in which somebody may protect or lock
/// servers before the run and during it; and that it sees nothing where there is no flaw.
fn sees(checker: Checker, flaw: Flaw, break_it: fn(&mut Engine)) {
    let found = |prepare: fn(&mut Engine), number| {
        let draw = || Scenario::draw(&two_fleets(), &WorldSpec::healthy(14), None, number).unwrap();
        let mut scenario = if flaw == Flaw::BudgetIgnored { failing(true, number) } else { draw() };
        scenario.protect_some(number);
        !rehearse_under(scenario, prepare, checker).findings.is_empty()
    };
    let seen = (0..200).find(|number| found(break_it, *number));
    assert!(seen.is_some(), "{checker:?} does not see {flaw:?}");
    let falsely = (0..100).find(|number| found(|_| (), *number));
    assert_eq!(falsely, None, "{checker:?} finds something where nothing is");
}

#[test]
fn an_engine_that_ignores_the_budget_is_caught() {
    let found = caught(|engine| engine.break_with(Flaw::BudgetIgnored));
    assert_eq!(found, Some(Checker::Budget));
}

#[test]
fn s7_a_failure_too_many_for_a_strict_budget_is_seen() {
    let flaw = Flaw::BudgetIgnored;
    sees(Checker::StrictBudget, flaw, |engine| engine.break_with(Flaw::BudgetIgnored));
}

#[test]
fn s7_a_wipe_after_a_failed_canary_is_seen() {
    let flaw = Flaw::CanaryIgnored;
    sees(Checker::Canary, flaw, |engine| engine.break_with(Flaw::CanaryIgnored));
}

#[test]
fn a_fleet_that_does_not_wait_for_enough_verified_servers_is_seen() {
    let flaw = Flaw::NeedsIgnored;
    sees(Checker::DependsOn, flaw, |engine| engine.break_with(Flaw::NeedsIgnored));
}

#[test]
fn s12_a_request_to_a_protected_server_is_seen() {
    let flaw = Flaw::ProtectionIgnored;
    sees(Checker::Protected, flaw, |engine| engine.break_with(Flaw::ProtectionIgnored));
}

#[test]
fn an_engine_that_goes_on_knocking_is_caught() {
    let found = caught(|engine| engine.break_with(Flaw::KnocksOn));
    assert_eq!(found, Some(Checker::ShutOut));
}

/// Twenty servers at once, ten away at most, two failures allowed, and every job fails.
fn all_jobs_fail(strict_budget: bool, number: u64) -> Rehearsal {
    rehearse(failing(strict_budget, number))
}

fn failing(strict_budget: bool, number: u64) -> Scenario {
    let strategy = Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Count(10),
        max_failures: 2,
        strict_budget,
        written: true,
        ..Strategy::default()
    };
    let playbook = playbook(vec![fleet("web", "web-*", strategy)]);
    let faults = Faults { job_failure: 1.0, ..Faults::default() };
    let mut scenario =
        Scenario::draw(&playbook, &WorldSpec::healthy(20), Some(&faults), number).unwrap();
    scenario.stop_at = None;
    scenario.quiet_from = crate::domain::Time(u64::MAX);
    scenario
}

#[test]
fn when_every_job_fails_a_strict_budget_is_never_passed() {
    for number in 0..40 {
        let rehearsal = all_jobs_fail(true, number);
        assert!(rehearsal.findings.is_empty(), "{:?}\n{}", rehearsal.findings, trace(&rehearsal));
        assert_eq!(rehearsal.counts.failures(), 3, "{}", trace(&rehearsal));
    }
}

#[test]
fn when_every_job_fails_a_loose_budget_is_passed_by_what_was_in_flight_at_most() {
    for number in 0..40 {
        let rehearsal = all_jobs_fail(false, number);
        assert!(rehearsal.findings.is_empty(), "{:?}\n{}", rehearsal.findings, trace(&rehearsal));
        assert!((3..=12).contains(&rehearsal.counts.failures()), "{}", trace(&rehearsal));
    }
}

/// A seed of its own without anything that goes wrong by itself.
pub(super) fn calm(playbook: &Playbook, spec: &WorldSpec, number: u64) -> Scenario {
    let mut scenario = Scenario::draw(playbook, spec, Some(&Faults::default()), number).unwrap();
    scenario.stop_at = None;
    scenario.pause_at = None;
    scenario.locked_out_from = None;
    scenario.crashes.clear();
    scenario.deadly_changes.clear();
    scenario
}

pub(super) fn clean(rehearsal: &Rehearsal) {
    assert!(rehearsal.findings.is_empty(), "{:?}\n{}", rehearsal.findings, trace(rehearsal));
}

fn all_at_once(max_failures: u32) -> Strategy {
    Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Share(Share(100)),
        max_failures,
        strict_budget: false,
        written: true,
        ..Strategy::default()
    }
}

/// Thirty servers in three zones, all of which may be wiped at once, but for that limit.
fn zones(per_az: Option<u32>, number: u64) -> Scenario {
    let mut playbook = playbook(vec![fleet("web", "web-*", all_at_once(100))]);
    playbook.limits = Limits { reinstalls: 100, per_az, ..playbook.limits };
    calm(&playbook, &WorldSpec::healthy(30), number)
}

#[test]
fn no_zone_has_more_wipes_in_flight_than_the_limit_for_one_zone() {
    for number in 0..20 {
        let rehearsal = rehearse(zones(Some(2), number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 30, "{}", trace(&rehearsal));
        let mut peak = (0, 0_usize);
        for record in &rehearsal.records {
            if matches!(record.event, Event::Intended { deed: Deed::Reinstall, .. }) {
                peak.0 += 1;
            } else if matches!(record.event, Event::JobEnded { .. }) {
                peak.0 -= 1;
            }
            peak.1 = peak.1.max(peak.0);
        }
        assert_eq!(peak.1, 6, "two in each of three zones");
    }
}

#[test]
fn an_engine_that_ignores_the_limit_for_one_zone_is_caught() {
    let broken = |engine: &mut Engine| engine.break_with(Flaw::ZonesIgnored);
    let found = rehearse_with(zones(Some(2), 1), broken).findings;
    assert_eq!(found.first().map(|finding| finding.checker), Some(Checker::Bounds));
    clean(&rehearse_with(zones(None, 1), broken));
}

/// Eight servers, all at once, each backed up before it is stopped.
fn backed_up(faults: &Faults, number: u64) -> Scenario {
    backed_up_in(WorldSpec::healthy(8), faults, number)
}

fn backed_up_in(spec: WorldSpec, faults: &Faults, number: u64) -> Scenario {
    let mut playbook = playbook(vec![fleet("web", "web-*", all_at_once(100))]);
    let timeout = Millis::mins(60);
    playbook.fleets["web"].treatment.backup = Some(BackupSpec { vault: "v".to_owned(), timeout });
    let vaults = vec![VaultSpec { name: "v".to_owned(), ..VaultSpec::default() }];
    let spec = WorldSpec { vaults, ..spec };
    let mut scenario = calm(&playbook, &spec, number);
    scenario.world.set_faults(faults.clone());
    scenario.quiet_from = crate::domain::Time(u64::MAX);
    scenario
}

#[test]
fn every_server_is_backed_up_before_it_is_stopped() {
    for number in 0..20 {
        let rehearsal = rehearse(backed_up(&Faults::default(), number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 8, "{}", trace(&rehearsal));
        let sent = |wanted: Deed| {
            let is = |record: &&Record| matches!(&record.event, Event::Intended { deed, .. } if *deed == wanted);
            rehearsal.records.iter().filter(is).count()
        };
        assert_eq!((sent(Deed::Backup), sent(Deed::Reinstall)), (8, 8), "each once");
    }
}

/// A server that is off need not be stopped. It is backed up all the same.
#[test]
fn a_server_that_is_off_already_is_backed_up_all_the_same() {
    let throttled = Faults { throttled_service: 0.5, ..Faults::default() };
    for number in 0..40 {
        let mut spec = WorldSpec::healthy(8);
        let off = ServerGroup { name: "web-off-#".to_owned(), ..spec.servers[0].clone() };
        spec.servers.push(ServerGroup { status: ServerStatus::Shutoff, ..off });
        let rehearsal = rehearse(backed_up_in(spec, &throttled, number));
        clean(&rehearsal);
        assert_eq!(rehearsal.counts.of(Ending::Verified), 16, "{}", trace(&rehearsal));
    }
}

#[test]
fn a_server_whose_backup_fails_is_not_even_stopped() {
    let faults = Faults { backup_failure: 1.0, ..Faults::default() };
    let rehearsal = rehearse(backed_up(&faults, 1));
    clean(&rehearsal);
    assert_eq!(rehearsal.counts.of(Ending::Failed), 8, "{}", trace(&rehearsal));
    let other = |record: &Record| matches!(&record.event, Event::Intended { deed, .. } if *deed != Deed::Backup);
    assert!(!rehearsal.records.iter().any(other), "{}", trace(&rehearsal));
}

#[test]
fn an_engine_that_skips_backups_is_caught() {
    let broken = |engine: &mut Engine| engine.break_with(Flaw::BackupsSkipped);
    let found = rehearse_with(backed_up(&Faults::default(), 1), broken).findings;
    assert_eq!(found.first().map(|finding| finding.checker), Some(Checker::BackedUp));
}

#[test]
fn a_run_that_is_stopped_during_backups_leaves_its_servers_running() {
    let mut scenario = backed_up(&Faults::default(), 1);
    scenario.stop_at = Some(crate::domain::Time(20_000));
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    assert_eq!(rehearsal.counts.pending, 8, "{}", trace(&rehearsal));
}

#[test]
fn a_run_that_is_resumed_the_next_morning_finds_every_server_where_it_should_be() {
    for number in 0..60 {
        let playbook = playbook(vec![fleet("web", "web-*", all_at_once(0))]);
        let mut scenario = calm(&playbook, &WorldSpec::healthy(8), number);
        // Once while they are stopped, wiped, settling or checked, as the seed has it.
        scenario.crashes = vec![crate::domain::Time(1_000 + number * 7_000)];
        scenario.longest_down = Millis::mins(14 * 60);
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(
            rehearsal.counts.of(Ending::Verified),
            8,
            "seed {number}\n{}",
            trace(&rehearsal)
        );
    }
}

#[test]
fn a_project_of_several_pages_with_encrypted_disks_is_read_to_its_end() {
    let playbook = playbook(vec![fleet("vault", "vault-*", all_at_once(0))]);
    let mut spec = WorldSpec::healthy(2_480);
    spec.servers.push(ServerGroup {
        count: 20,
        name: "vault-####".to_owned(),
        encrypted: Some("evs/default".to_owned()),
        ..ServerGroup::default()
    });
    for number in 0..4 {
        let rehearsal = rehearse(calm(&playbook, &spec, number));
        clean(&rehearsal);
        let verified = rehearsal.counts.of(Ending::Verified);
        assert_eq!(verified, 20, "seed {number}\n{}", trace(&rehearsal));
    }
}

#[test]
fn a_fleet_written_before_the_one_it_waits_for_is_skipped_with_it() {
    let waits = |name: &str, glob: &str, first: &str| {
        let mut fleet = fleet(name, glob, all_at_once(9));
        fleet.depends_on =
            vec![DependsOn { fleet: first.into(), verified: Share(100), place: place(9) }];
        fleet
    };
    let last = waits("last", "web-000{5,6}", "middle");
    let middle = waits("middle", "web-000{3,4}", "first");
    let playbook = playbook(vec![last, middle, fleet("first", "web-0001", all_at_once(9))]);
    let faults = Faults { job_failure: 1.0, ..Faults::default() };
    let mut scenario = calm(&playbook, &WorldSpec::healthy(6), 1);
    scenario.world.set_faults(faults);
    scenario.quiet_from = crate::domain::Time(u64::MAX);
    let rehearsal = rehearse(scenario);
    clean(&rehearsal);
    assert_eq!(rehearsal.counts.of(Ending::NeedsSupport), 1, "{}", trace(&rehearsal));
    assert_eq!(rehearsal.counts.of(Ending::Skipped), 4, "{}", trace(&rehearsal));
}

#[test]
fn a_user_who_is_shut_out_pauses_the_run_and_it_goes_on_when_resumed() {
    let playbook = playbook(vec![fleet("web", "web-*", all_at_once(100))]);
    for number in 0..30 {
        let from = crate::domain::Time(5_000 + number * 10_000);
        for away in [Millis::secs(5), Millis::mins(14 * 60)] {
            let mut scenario = calm(&playbook, &WorldSpec::healthy(40), number);
            (scenario.locked_out_from, scenario.let_in_from) = (Some(from), from + away);
            let rehearsal = rehearse(scenario);
            clean(&rehearsal);
            assert!(
                rehearsal.pauses > 0 || rehearsal.locked_out == 0,
                "seed {number}\n{}",
                trace(&rehearsal)
            );
            let verified = rehearsal.counts.of(Ending::Verified);
            assert_eq!(verified, 40, "seed {number}\n{}", trace(&rehearsal));
        }
    }
}

#[test]
fn a_user_who_is_shut_out_before_anything_is_touched_ends_the_run() {
    let playbook = playbook(vec![fleet("web", "web-*", all_at_once(100))]);
    for number in 0..10 {
        let mut scenario = calm(&playbook, &WorldSpec::healthy(4), number);
        let (from, until) = (crate::domain::Time(0), crate::domain::Time(u64::MAX));
        (scenario.locked_out_from, scenario.let_in_from) = (Some(from), until);
        let rehearsal = rehearse(scenario);
        clean(&rehearsal);
        assert_eq!(rehearsal.cause, Some(CloseCause::Refused), "{}", trace(&rehearsal));
        assert_eq!(rehearsal.counts.pending, 4, "{}", trace(&rehearsal));
    }
}
