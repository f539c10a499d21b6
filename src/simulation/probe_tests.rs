//! The checks of `verify` that look from outside: what each needs to pass, and how long it has to hold.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

use crate::domain::{
    Action, Answer, Ending, Event, Failure, Millis, ProbeReport, ProbeSpec, SshProgram, Template,
    Time,
};
use crate::engine::Flaw;
use crate::playbook::{Check, EncryptionSpec, HostKeyRule, Playbook, SshCheck};
use crate::simulator::{Faults, Knobs, Served, Span, World, WorldSpec};

use super::constraints::{Told, at_once, playbook, run, scenario};
use super::sim::rehearse_with;
use super::{Checker, Scenario};

fn http(within: Millis) -> Check {
    let url = Template::new("http://{{ host.ip }}:8080/{{ host.name }}");
    Check::Http { url, status: 200, within }
}

fn command(within: Millis) -> Check {
    Check::Command { run: ["./ready", "{{ host.name }}"].map(Template::new).to_vec(), within }
}

fn checked(checks: &[Check]) -> Playbook {
    let mut playbook = playbook();
    playbook.fleets["web"].treatment.verify.extend(checks.iter().cloned());
    playbook
}

/// One server, and a script of what each look from outside sees, by the number of the look.
fn scripted(checks: &[Check], sees: impl Fn(usize, &ProbeSpec) -> bool) -> Told {
    let mut looks = 0;
    run(scenario(&checked(checks), &WorldSpec::healthy(1), 1), move |world, at, action| {
        let Action::Probe { spec, .. } = action else { return world.serve(at, action) };
        looks += 1;
        let report = if sees(looks, spec) {
            ProbeReport::seen("HTTP 200")
        } else {
            ProbeReport::failed("HTTP 503, not 200")
        };
        at_once(Ok(Answer::Probe(report)))
    })
}

/// When each look from outside was sent, in seconds after the first.
fn looks(told: &Told) -> Vec<u64> {
    let sent = told.sent.iter().filter(|(_, action)| matches!(action, Action::Probe { .. }));
    let at: Vec<Time> = sent.map(|(at, _)| *at).collect();
    at.iter().map(|time| time.since(at[0]).0 / 1_000).collect()
}

fn failure(told: &Told) -> &Failure {
    told.all_ended(Ending::Failed).expect("why it failed")
}

#[test]
fn what_is_inserted_is_filled_in_for_each_server() {
    let told = scripted(&[http(Millis::mins(1)), command(Millis::mins(1))], |_, spec| match spec {
        ProbeSpec::Http { url, status } => {
            assert_eq!(*status, 200);
            assert!(url.starts_with("http://10.") && url.ends_with(":8080/web-0001"), "{url}");
            true
        }
        ProbeSpec::Command { words, run, attempt, patience } => {
            assert_eq!(*words, ["./ready", "web-0001"]);
            assert_eq!((run.as_str(), *patience), ("trial", Millis::mins(1)));
            *attempt == 3
        }
        ProbeSpec::Tcp { .. } | ProbeSpec::HostKey { .. } | ProbeSpec::Ssh { .. } => false,
    });
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 0, 5, 10], "one after another, each until it passes");
    let evidence = told.records.iter().filter_map(|record| match &record.event {
        Event::Probed { check, evidence, .. } => Some((check.as_str(), evidence.as_deref())),
        _ => None,
    });
    let evidence: Vec<_> = evidence.collect();
    assert_eq!(evidence, [("http", Some("HTTP 200")), ("command", Some("HTTP 200"))]);
}

#[test]
fn a_check_that_does_not_pass_within_its_time_fails_its_server() {
    let told = scripted(&[http(Millis::secs(20))], |_, _| false);
    let failure = failure(&told);
    assert_eq!(
        (failure.code.as_str(), failure.detail.as_str()),
        ("verify.http", "HTTP 503, not 200")
    );
    assert!((4..=6).contains(&looks(&told).len()), "{:?}", looks(&told));
}

#[test]
fn what_has_to_hold_is_looked_at_until_it_held_for_so_long() {
    let stable = Check::StableFor { time: Millis::secs(12) };
    let told = scripted(&[http(Millis::mins(1)), stable], |_, _| true);
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 5, 10, 12], "and once more when the time is over");
}

/// The list that shows the new disk may come after everything else has been seen.
#[test]
fn what_has_to_hold_begins_to_once_the_disk_is_seen_however_late() {
    let mut playbook =
        checked(&[http(Millis::mins(1)), Check::StableFor { time: Millis::secs(5) }]);
    playbook.fleets["web"].treatment.reinstall.encryption =
        EncryptionSpec::KmsKey("evs/default".to_owned());
    let mut wiped = false;
    let told = run(scenario(&playbook, &WorldSpec::healthy(1), 1), move |world, at, action| {
        wiped |= matches!(action, Action::Reinstall { .. });
        let served = world.serve(at, action);
        let late = wiped && matches!(action, Action::ListVolumes { .. });
        if late { Served { after: Millis::secs(20), ..served } } else { served }
    });
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 25], "what passed is seen once more");
}

#[test]
fn a_break_begins_the_time_anew() {
    let stable = Check::StableFor { time: Millis::secs(12) };
    let told = scripted(&[http(Millis::mins(1)), stable], |look, _| look != 3);
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 5, 10, 15, 20, 25, 27]);
}

#[test]
fn what_breaks_when_its_time_is_over_fails_its_server() {
    let stable = Check::StableFor { time: Millis::mins(2) };
    let told = scripted(&[http(Millis::secs(30)), stable], |look, _| look < 10);
    let failure = failure(&told);
    assert_eq!(failure.code, "verify.http");
    assert_eq!(failure.detail, "it had passed, and broke: HTTP 503, not 200");
}

#[test]
fn every_check_from_outside_before_it_has_to_hold_and_none_behind_it() {
    let (stable, long) = (Check::StableFor { time: Millis::secs(5) }, Millis::mins(1));
    let tcp = Check::Tcp { port: 22, within: long };
    let told = scripted(&[http(long), tcp, stable, command(long)], |_, _| true);
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 0, 5, 5, 5]);
    let last = told.sent.iter().rev().find_map(|(_, action)| match action {
        Action::Probe { spec, .. } => Some(spec),
        _ => None,
    });
    assert!(matches!(last, Some(ProbeSpec::Command { .. })), "{last:?}");
}

#[test]
fn where_nothing_looks_from_outside_the_server_is_looked_at_when_the_time_is_over() {
    let took = |checks: &[Check]| {
        let told = scripted(checks, |_, _| false);
        told.all_ended(Ending::Verified);
        assert_eq!(looks(&told), [0_u64; 0]);
        told.records.last().map_or(Time(0), |record| record.at)
    };
    let (with, without) = (took(&[Check::StableFor { time: Millis::mins(5) }]), took(&[]));
    let longer = with.since(without);
    assert!(longer >= Millis::mins(5) && longer < Millis::mins(6), "{longer}");
}

#[test]
fn a_server_that_is_left_off_is_looked_at_before_it_is_stopped() {
    let stable = Check::StableFor { time: Millis::secs(10) };
    let mut playbook = checked(&[http(Millis::mins(1)), stable]);
    playbook.fleets["web"].treatment.reinstall.leave = crate::playbook::Leave::Stopped;
    let told = run(scenario(&playbook, &WorldSpec::healthy(1), 1), World::serve);
    told.all_ended(Ending::Verified);
    assert_eq!(looks(&told), [0, 5, 10]);
}

/// Where the cloud leaves a server off, whatever looks from outside needs it on: also behind a check
/// that has to hold first.
#[test]
fn a_server_that_the_cloud_leaves_off_is_started_for_a_check_that_stands_behind_stable_for() {
    let mut playbook =
        checked(&[Check::StableFor { time: Millis::secs(10) }, http(Millis::mins(1))]);
    playbook.fleets["web"].treatment.reinstall.leave = crate::playbook::Leave::Stopped;
    let knobs = Knobs { starts_after_reinstall: false, ..Knobs::default() };
    let spec = WorldSpec { knobs, ..WorldSpec::healthy(1) };
    let mut scenario = scenario(&playbook, &spec, 3);
    scenario.world = World::new(&spec, Faults::default(), 3);
    let told = run(scenario, World::serve);
    told.all_ended(Ending::Verified);
    assert!(told.sent.iter().any(|(_, action)| matches!(action, Action::Start { .. })));
}

/// Services that take two minutes to come up, and now and then do not answer.
fn wavering() -> WorldSpec {
    let knobs = Knobs { service: Span(60.0, 120.0), service_fails: 0.1, ..Knobs::default() };
    WorldSpec { knobs, ..WorldSpec::healthy(12) }
}

#[test]
fn a_service_that_comes_up_late_is_waited_for_in_the_simulated_cloud() {
    let checks = [http(Millis::mins(10)), Check::StableFor { time: Millis::secs(20) }];
    let mut scenario = scenario(&checked(&checks), &wavering(), 3);
    // The knobs of the seed are others: what is looked at here is the world's.
    scenario.world = World::new(&wavering(), Faults::default(), 3);
    let told = run(scenario, World::serve);
    told.all_ended(Ending::Verified);
    let failed = looks(&told).len();
    assert!(failed > 12 * 5, "{failed} looks");
}

/// The first checker that sees this flaw, within 100 seeds.
fn caught(flaw: fn(&mut crate::engine::Engine)) -> Option<Checker> {
    let checks = [http(Millis::mins(10)), Check::StableFor { time: Millis::secs(60) }];
    (0..100).find_map(|seed| {
        let scenario =
            Scenario::draw(&checked(&checks), &WorldSpec::healthy(6), None, seed).unwrap();
        rehearse_with(scenario, flaw).findings.first().map(|finding| finding.checker)
    })
}

#[test]
fn an_engine_that_believes_what_it_has_not_seen_is_caught() {
    assert_eq!(caught(|engine| engine.break_with(Flaw::BelievesUnseen)), Some(Checker::Seen));
}

#[test]
fn an_engine_that_looks_away_is_caught() {
    assert_eq!(caught(|engine| engine.break_with(Flaw::LooksAway)), Some(Checker::Seen));
}

#[test]
fn the_laws_hold_where_services_waver_and_processes_die() {
    let checks = [
        http(Millis::mins(10)),
        Check::StableFor { time: Millis::secs(30) },
        command(Millis::mins(4)),
    ];
    for seed in 0..100 {
        let scenario =
            Scenario::draw(&checked(&checks), &WorldSpec::healthy(8), None, seed).unwrap();
        let rehearsal = rehearse_with(scenario, |_| ());
        assert!(rehearsal.findings.is_empty(), "seed {seed}: {:?}", rehearsal.findings);
    }
}

fn ssh(host_key: HostKeyRule) -> Check {
    Check::Ssh(Box::new(SshCheck {
        user: Template::new("ubuntu"),
        run: Template::new("cloud-init status --wait"),
        port: 2222,
        within: Millis::mins(1),
        key_file: None,
        host_key,
        program: SshProgram::Refleet,
    }))
}

/// What was asked for over SSH, in order, and the stop among it.
fn over_ssh(told: &Told) -> Vec<String> {
    let words = told.sent.iter().filter_map(|(_, action)| match action {
        Action::Probe { spec: ProbeSpec::HostKey { port, .. }, .. } => Some(format!("key {port}")),
        Action::Probe { spec: ProbeSpec::Ssh { login, host_key, .. }, .. } => {
            Some(format!("{} {host_key:?}", login.user))
        }
        Action::Stop { .. } => Some("stop".to_owned()),
        _ => None,
    });
    words.collect()
}

#[test]
fn the_host_key_is_seen_before_the_stop_and_has_to_be_another_afterwards() {
    let told = scripted_world(ssh(HostKeyRule::Changed), false);
    told.all_ended(Ending::Verified);
    let seen = told.records.iter().find_map(|record| match &record.event {
        Event::HostKeySeen { fingerprint, .. } => fingerprint.clone(),
        _ => None,
    });
    let before = seen.expect("a key that was seen before");
    assert_eq!(over_ssh(&told), ["key 2222", "stop", &format!("ubuntu Not({before:?})")]);
}

#[test]
fn the_host_key_of_before_is_taken_for_the_old_system() {
    let told = scripted_world(ssh(HostKeyRule::Changed), true);
    let failure = failure(&told);
    assert_eq!(failure.code, "verify.ssh");
    assert!(failure.detail.contains("as before the reinstall"), "{}", failure.detail);
}

#[test]
fn where_images_carry_the_host_key_it_is_not_looked_at() {
    let told = scripted_world(ssh(HostKeyRule::Any), true);
    told.all_ended(Ending::Verified);
    assert_eq!(over_ssh(&told), ["stop", "ubuntu Any"]);
    let told = scripted_world(ssh(HostKeyRule::Is(Template::new("SHA256:{{ host.name }}"))), true);
    assert!(failure(&told).detail.contains("somebody else answers"));
}

#[test]
fn a_server_whose_host_key_cannot_be_seen_is_stopped_all_the_same() {
    let told = scripted(&[ssh(HostKeyRule::Changed)], |look, _| look > 1);
    told.all_ended(Ending::Verified);
    assert_eq!(over_ssh(&told), ["key 2222", "stop", "ubuntu Any"]);
}

/// One server in a cloud whose images carry the host key, or do not.
fn scripted_world(check: Check, host_key_stays: bool) -> Told {
    let knobs = Knobs { host_key_stays, ..Knobs::default() };
    let spec = WorldSpec { knobs, ..WorldSpec::healthy(1) };
    let mut scenario = scenario(&checked(&[check]), &spec, 3);
    scenario.world = World::new(&spec, Faults::default(), 3);
    run(scenario, World::serve)
}
