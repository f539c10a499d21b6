//! The lines of the cloud's page "Reinstalling the OS" that only a run can know of, both sides of
//! each: a world that behaves, and one whose answers are changed on their way.
//!
//! `docs/seed-constraints.md` names every test here. There are no crashes: those are for the laws.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]
#![expect(clippy::similar_names, reason = "what a server is served with")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::domain::{
    Action, Answer, Asker, Backup, BackupState, Deed, Ending, Event, Failure, Fault, FaultClass,
    JobStatus, Millis, Moment, Origin, PasswordLook, Place, ProbeReport, Record, Reply, Request,
    RunId, Server, ServerId, Steering, Time,
};
use crate::engine::{Engine, Input, Start};
use crate::fleet::Selector;
use crate::plan::Consent;
use crate::playbook::{
    BackupSpec, Check, FleetSpec, Guards, HostEntry, Hosts, Limits, Playbook, Share, Size, Strategy,
};
use crate::simulator::{Faults, Served, ServerGroup, VaultSpec, World, WorldSpec};

use super::Scenario;

fn place() -> Place {
    Place { file: "test.yaml".into(), line: 1 }
}

/// All servers `web-*` at once, with as many failures as there may be.
pub(super) fn playbook() -> Playbook {
    let selector = Selector::try_new(None, Some("web-*"), None, None).unwrap();
    let hosts = vec![HostEntry::new(place(), Hosts::Matching(selector))];
    let mut fleet = FleetSpec::new("web".into(), place(), hosts);
    fleet.strategy = Strategy {
        canary: 0,
        serial: vec![Size::Share(Share(100))],
        max_unavailable: Size::Share(Share(100)),
        max_failures: 99,
        strict_budget: false,
        written: true,
        ..Strategy::default()
    };
    Playbook {
        name: "test".to_owned(),
        cloud: "simulator".to_owned(),
        cloud_place: place(),
        provider: None,
        region: None,
        guards: Guards::default(),
        limits: Limits::default(),
        fleets: IndexMap::from([(fleet.name.clone(), fleet)]),
        simulator: None,
        files: Vec::new(),
        origin: Origin::default(),
    }
}

/// What came of a run.
pub(super) struct Told {
    world: World,
    pub(super) sent: Vec<(Time, Action)>,
    pub(super) records: Vec<Record>,
}

impl Told {
    pub(super) fn endings(&self) -> BTreeMap<&ServerId, (Ending, Option<&Failure>)> {
        let ended = self.records.iter().filter_map(|record| match &record.event {
            Event::Ended { server, ending, failure, .. } => {
                Some((server, (*ending, failure.as_ref())))
            }
            _ => None,
        });
        ended.collect()
    }

    /// The only ending that there is, and why.
    #[track_caller]
    pub(super) fn all_ended(&self, wanted: Ending) -> Option<&Failure> {
        let endings = self.endings();
        assert!(!endings.is_empty(), "nothing ended");
        let first = endings.values().next().unwrap().1;
        for (server, (ending, failure)) in &endings {
            assert_eq!(*ending, wanted, "{server}: {failure:?}");
        }
        first
    }

    fn sent(&self, wanted: fn(&Action) -> bool) -> usize {
        self.sent.iter().filter(|(_, action)| wanted(action)).count()
    }

    fn wipes(&self) -> usize {
        self.sent(|action| matches!(action, Action::Reinstall { .. }))
    }
}

fn is_stop(action: &Action) -> bool {
    matches!(action, Action::Stop { .. })
}

/// So many healthy servers, in a cloud that this seed draws.
fn healthy(servers: u32, seed: u64) -> Scenario {
    scenario(&playbook(), &WorldSpec::healthy(servers), seed)
}

pub(super) fn scenario(playbook: &Playbook, spec: &WorldSpec, seed: u64) -> Scenario {
    let drawn = Scenario::draw(playbook, spec, Some(&Faults::default()), seed).unwrap();
    Scenario { pause_at: None, ..drawn }
}

/// Runs to the end, or to a pause, and lets `serve` stand between the engine and the world.
pub(super) fn run(
    scenario: Scenario,
    mut serve: impl FnMut(&mut World, Millis, &Action) -> Served,
) -> Told {
    let Scenario { plan, mut world, begins, seed, pause_at, .. } = scenario;
    let consent = Consent::try_new(&plan, plan.targets.len()).unwrap();
    let start = Start { run: RunId::from("trial"), seed };
    let begun = Moment { at: Time(0), wall: world.wall(begins) };
    let (mut engine, first) = Engine::new(Arc::clone(&plan), &consent, start, begun);
    let (mut records, mut sent) = (vec![first], Vec::new());
    let mut queue: BTreeMap<(Time, u64), Input> = BTreeMap::new();
    if let Some(at) = pause_at {
        let by = Asker { name: "ann".to_owned(), at: begun.wall, number: 1, seen: 1 };
        queue.insert((at, 0), Input::Asked(Request { steering: Steering::Pause, by }));
    }
    let (mut number, mut input, mut now) = (0, Input::Begin, Time(0));
    loop {
        let wall = world.wall(Millis(begins.0 + now.0));
        let turn = engine.handle(Moment { at: now, wall }, input);
        records.extend(turn.records);
        for command in turn.commands {
            let served = serve(&mut world, Millis(begins.0 + now.0), &command.action);
            let reply = served.reply.unwrap_or_else(|| Err(fault(FaultClass::Lost, "timeout")));
            sent.push((now, command.action));
            number += 1;
            let replied = Input::Replied { call: command.call, reply };
            queue.insert((now + served.after, number), replied);
        }
        if let Some(at) = turn.wake_at {
            number += 1;
            queue.insert((at.max(now), number), Input::Woke);
        }
        if engine.is_finished() || engine.is_paused() {
            return Told { world, sent, records };
        }
        let ((at, _), next) = queue.pop_first().expect("the run is not over and nobody waits");
        assert!(number < 200_000, "the run does not come to its end");
        now = now.max(at);
        input = next;
    }
}

pub(super) fn fault(class: FaultClass, code: &str) -> Fault {
    let (code, message) = (code.to_owned(), "said the cloud".to_owned());
    Fault { class, code, message, request_id: Some("req-7".to_owned()), retry_after: None }
}

pub(super) fn at_once(reply: Reply) -> Served {
    Served { reply: Some(reply), after: Millis(50) }
}

/// Changes every server that an answer shows.
fn each_server(served: &mut Served, mut change: impl FnMut(&mut Server)) {
    match &mut served.reply {
        Some(Ok(Answer::Servers { servers, .. })) => servers.iter_mut().for_each(change),
        Some(Ok(Answer::Server(server))) => change(server),
        Some(_) | None => {}
    }
}

/// A run in which every server looks changed once it was reinstalled.
fn changed_after_the_wipe(seed: u64, change: fn(&mut Server)) -> Told {
    run(healthy(2, seed), |world, at, action| {
        let mut served = world.serve(at, action);
        each_server(&mut served, |server| {
            if world.reinstalls(&server.id).completed > 0 {
                change(server);
            }
        });
        served
    })
}

/// A run in which so many reinstall jobs fail, after the disk was swapped or before.
fn failing_jobs(seed: u64, failures: usize) -> Told {
    let mut scenario = healthy(1, seed);
    scenario.world.set_faults(Faults { job_failure: 1.0, ..Faults::default() });
    let mut failed = BTreeSet::new();
    run(scenario, |world, at, action| {
        let served = world.serve(at, action);
        if let Some(Ok(Answer::Job(job))) = &served.reply
            && job.status == JobStatus::Fail
            && failed.insert(job.id.clone())
            && failed.len() == failures
        {
            world.faults_off();
        }
        served
    })
}

// C3, C4 — before each wave

/// Two servers, one after the other; `answer` changes what a look shows once the first is wiped.
fn two_waves(seed: u64, answer: fn(&mut Answer)) -> Told {
    let mut playbook = playbook();
    let strategy = &mut playbook.fleets["web"].strategy;
    strategy.serial = vec![Size::Count(1)];
    run(scenario(&playbook, &WorldSpec::healthy(2), seed), |world, at, action| {
        let mut served = world.serve(at, action);
        let wiped = world.stats().reinstalls.values().any(|count| count.completed > 0);
        if let (true, Some(Ok(seen))) = (wiped, &mut served.reply) {
            answer(seen);
        }
        served
    })
}

#[track_caller]
fn second_wave_is_left_alone(told: &Told, code: &str, help: &str) {
    let endings: Vec<_> = told.endings().into_values().collect();
    let drifted: Vec<_> = endings.iter().filter(|(it, _)| *it == Ending::Drifted).collect();
    let [(_, Some(failure))] = drifted.as_slice() else { panic!("{endings:?}") };
    assert_eq!(failure.code, code);
    assert!(failure.help.contains(help), "{failure:?}");
    assert_eq!((told.wipes(), told.sent(is_stop)), (1, 1), "the second was not even stopped");
}

#[test]
fn c3_c4_each_wave_is_looked_at_once_and_goes_on_while_all_is_there() {
    for seed in 0..10 {
        let told = two_waves(seed, |_| ());
        told.all_ended(Ending::Verified);
        assert_eq!(told.sent(|action| matches!(action, Action::ShowQuota)), 2);
        assert_eq!(told.sent(|action| matches!(action, Action::ShowImage { .. })), 2);
    }
}

#[test]
fn c3_a_quota_that_is_gone_before_a_wave_leaves_its_servers_running() {
    let told = two_waves(3, |answer| {
        if let Answer::Quota(quota) = answer {
            quota.volumes.limit = Some(quota.volumes.used);
        }
    });
    second_wave_is_left_alone(&told, "Ecs.0021", "have the quota raised");
}

#[test]
fn c4_an_image_that_is_gone_before_a_wave_leaves_its_servers_running() {
    let told = two_waves(3, |answer| {
        if let Answer::Image(image) = answer {
            *image = None;
        }
    });
    second_wave_is_left_alone(&told, "Ecs.0031", "the image's owner");
}

// C1, C2 — right before the wipe

#[test]
fn c1_each_server_is_seen_stopped_and_at_rest_right_before_its_wipe() {
    for seed in 0..10 {
        let told = run(healthy(3, seed), World::serve);
        told.all_ended(Ending::Verified);
        assert_eq!(told.wipes(), 3);
    }
}

#[test]
fn c1_a_server_that_somebody_starts_after_our_stop_is_not_wiped() {
    for seed in 0..10 {
        let mut off = false;
        let told = run(healthy(1, seed), |world, at, action| {
            let mut served = world.serve(at, action);
            each_server(&mut served, |server| {
                if off {
                    "ACTIVE".clone_into(&mut server.status);
                    server.task_state = None;
                }
                off |= server.is_stopped();
            });
            served
        });
        let failure = told.all_ended(Ending::Drifted).unwrap();
        assert!(failure.detail.contains("it was stopped, and is ACTIVE now"), "{failure:?}");
        assert_eq!(told.wipes(), 0);
    }
}

#[test]
fn c2_a_system_disk_that_is_gone_right_before_the_wipe_keeps_it_from_being_sent() {
    for seed in 0..10 {
        let told = run(healthy(1, seed), |world, at, action| {
            let mut served = world.serve(at, action);
            each_server(&mut served, |server| {
                if server.is_stopped() {
                    server.volumes.retain(|volume| !volume.boot);
                }
            });
            served
        });
        let failure = told.all_ended(Ending::Drifted).unwrap();
        assert!(failure.detail.contains("detached"), "{failure:?}");
        assert_eq!(told.wipes(), 0);
    }
}

// X7 — the right to do it

#[test]
fn x7_a_right_that_is_missing_at_submit_ends_the_server_unwiped_and_back_on() {
    for seed in 0..10 {
        let told = run(healthy(1, seed), |world, at, action| match action {
            Action::Reinstall { .. } => at_once(Err(fault(FaultClass::Forbidden, "Pdp.0001"))),
            _ => world.serve(at, action),
        });
        let failure = told.all_ended(Ending::Failed).unwrap();
        assert_eq!(failure.code, "Pdp.0001");
        assert!(failure.help.contains("IAM administrator"), "{}", failure.help);
        assert!(failure.detail.contains("req-7"), "{}", failure.detail);
        assert_eq!(told.wipes(), 1, "a right does not come by asking again");
        let server = told.world.servers().find(|server| server.name == "web-0001").unwrap();
        assert!(server.is_running(), "it is started back");
    }
}

// N1, N3 — what stays

#[test]
fn n1_n3_addresses_macs_ports_and_data_disks_that_stay_are_verified() {
    for seed in 0..10 {
        let told = run(healthy(2, seed), World::serve);
        told.all_ended(Ending::Verified);
        for server in told.world.servers().filter(|server| server.name.starts_with("web-")) {
            assert!(!server.addresses.is_empty());
            assert_eq!(server.data_volumes().count(), 1);
        }
    }
}

#[test]
fn n1_an_address_a_mac_or_a_port_that_changed_fails_the_check_unchanged() {
    let changes: [fn(&mut Server); 3] = [
        |server| server.addresses[0].addr = "10.9.9.9".to_owned(),
        |server| server.addresses[0].mac = "fa:16:3e:ff:ff:ff".to_owned(),
        |server| server.addresses[0].port = "another".to_owned(),
    ];
    for change in changes {
        let told = changed_after_the_wipe(3, change);
        let failure = told.all_ended(Ending::Failed).unwrap();
        assert_eq!(failure.code, "verify.unchanged");
        assert!(failure.detail.contains("addresses or MACs"), "{}", failure.detail);
    }
}

#[test]
fn n3_a_data_disk_that_is_gone_fails_the_check_unchanged() {
    let told = changed_after_the_wipe(3, |server| server.volumes.retain(|volume| volume.boot));
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert_eq!(failure.code, "verify.unchanged");
    assert!(failure.detail.contains("data disks"), "{}", failure.detail);
}

// N4 — nothing but looks while the guest is being set up

#[test]
fn n4_nothing_but_looks_touches_a_server_in_its_settle_time() {
    for seed in 0..20 {
        let told = run(healthy(2, seed), World::serve);
        let mut settled = 0;
        for record in &told.records {
            let Event::JobEnded {
                server,
                end: crate::domain::JobEnd::Succeeded { settle_until },
                ..
            } = &record.event
            else {
                continue;
            };
            settled += 1;
            assert_eq!(*settle_until, record.at + Millis::mins(3), "the default of `wait.settle`");
            let meanwhile =
                told.sent.iter().filter(|(at, _)| *at >= record.at && at < settle_until);
            for (at, action) in meanwhile {
                let touches = match action {
                    Action::Stop { servers, .. } | Action::Start { servers } => {
                        servers.contains(server)
                    }
                    Action::Reinstall { server: wiped, .. } => wiped == server,
                    _ => false,
                };
                assert!(!touches, "seed {seed}: {action:?} at {at}");
            }
        }
        assert_eq!(settled, 2);
        assert!(told.world.violations().is_empty(), "{:?}", told.world.violations());
    }
}

// N5, N6 — the way in afterwards

/// A run of Windows or Linux servers with one more check.
fn checked(seed: u64, check: Check, password: Option<&Reply>) -> Told {
    let mut playbook = playbook();
    playbook.fleets["web"].treatment.verify.push(check);
    let spec = super::fit(&playbook, seed);
    run(scenario(&playbook, &spec, seed), |world, at, action| match (action, password) {
        (Action::ShowPassword { .. }, Some(reply)) => at_once(reply.clone()),
        (Action::Probe { .. }, Some(_)) => {
            let detail = "connection refused".to_owned();
            at_once(Ok(Answer::Probe(ProbeReport::Failed { detail })))
        }
        _ => world.serve(at, action),
    })
}

fn asks_for_passwords(action: &Action) -> bool {
    matches!(action, Action::ShowPassword { .. })
}

#[test]
fn n5_a_port_that_opens_after_a_while_is_verified_and_one_that_stays_shut_is_not() {
    let ssh = Check::Tcp { port: 22, within: Millis::mins(10) };
    checked(1, ssh.clone(), None).all_ended(Ending::Verified);
    let told = checked(1, ssh, Some(&Ok(Answer::Password(PasswordLook::NotYet))));
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert_eq!(failure.code, "verify.tcp");
    assert!(failure.help.contains("the server is reinstalled"), "{}", failure.help);
}

#[test]
fn n6_a_windows_server_is_verified_once_its_password_can_be_fetched() {
    for seed in 0..10 {
        let ready = Check::PasswordReady { within: Millis::mins(15) };
        let told = checked(seed, ready, None);
        told.all_ended(Ending::Verified);
        let servers = told.endings().len();
        let looks = told.sent(asks_for_passwords);
        assert!((servers..=servers * 32).contains(&looks), "{looks} looks for {servers} servers");
    }
}

#[test]
fn n6_a_password_that_does_not_come_or_may_not_be_seen_fails_the_check_in_time() {
    let ready = Check::PasswordReady { within: Millis::mins(15) };
    let told = checked(2, ready.clone(), Some(&Ok(Answer::Password(PasswordLook::NotYet))));
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert_eq!(failure.code, "verify.password_ready");
    assert!(failure.detail.contains("no password to fetch yet"), "{failure:?}");
    let told = checked(2, ready, Some(&Err(fault(FaultClass::Forbidden, "Pdp.0001"))));
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert!(failure.detail.contains("Pdp.0001"), "{failure:?}");
}

// N7 — the new system disk is encrypted as asked

fn vault(seed: u64, change: fn(&mut crate::domain::Volume)) -> Told {
    let mut spec = WorldSpec::healthy(0);
    spec.servers = vec![ServerGroup {
        count: 2,
        name: "web-####".to_owned(),
        encrypted: Some("evs/default".to_owned()),
        ..ServerGroup::default()
    }];
    run(scenario(&playbook(), &spec, seed), |world, at, action| {
        let mut served = world.serve(at, action);
        if let Some(Ok(Answer::Volumes(volumes))) = &mut served.reply {
            let wiped = |volume: &crate::domain::Volume| {
                let server = volume.server.as_ref();
                server.is_some_and(|server| world.reinstalls(server).completed > 0)
            };
            volumes.iter_mut().filter(|volume| wiped(volume)).for_each(change);
        }
        served
    })
}

#[test]
fn n7_a_new_system_disk_with_the_key_that_was_asked_for_is_verified() {
    for seed in 0..10 {
        vault(seed, |_| ()).all_ended(Ending::Verified);
    }
}

#[test]
fn n7_a_new_system_disk_with_no_key_or_another_fails_the_check_fresh() {
    let changes: [fn(&mut crate::domain::Volume); 2] =
        [|volume| volume.key = None, |volume| volume.key = Some("another".to_owned())];
    for change in changes {
        let told = vault(3, change);
        let failure = told.all_ended(Ending::Failed).unwrap();
        assert_eq!(failure.code, "verify.fresh");
        assert!(failure.detail.contains("the system disk has KMS key"), "{}", failure.detail);
    }
}

// N8 — the job is the authority

#[test]
fn n8_a_server_waits_for_the_end_of_its_job_whatever_it_shows_itself() {
    for seed in 0..10 {
        let mut held: BTreeMap<String, u32> = BTreeMap::new();
        let told = run(healthy(1, seed), |world, at, action| {
            let mut served = world.serve(at, action);
            if let (Action::ShowJob { job: id }, Some(Ok(Answer::Job(job)))) =
                (action, &mut served.reply)
                && job.status == JobStatus::Success
            {
                let looks = held.entry(id.to_string()).or_default();
                *looks += 1;
                if *looks < 4 {
                    job.status = JobStatus::Running;
                }
            }
            served
        });
        told.all_ended(Ending::Verified);
        assert!(told.sent(|action| matches!(action, Action::ShowJob { .. })) >= 4);
    }
}

#[test]
fn n8_a_job_that_never_ends_is_given_up_after_the_timeout() {
    let told = run(healthy(1, 4), |world, at, action| {
        let mut served = world.serve(at, action);
        if let (Action::ShowJob { .. }, Some(Ok(Answer::Job(job)))) = (action, &mut served.reply) {
            job.status = JobStatus::Running;
        }
        served
    });
    let (ending, failure) = *told.endings().values().next().unwrap();
    assert!(matches!(ending, Ending::Failed | Ending::Unknown), "{ending}");
    assert!(!failure.unwrap().help.is_empty());
}

// N9 — the temporary server

#[test]
fn n9_the_temporary_server_is_never_named_in_a_request() {
    for seed in 0..20 {
        let told = run(healthy(3, seed), World::serve);
        told.all_ended(Ending::Verified);
        let ours: Vec<&ServerId> = told.endings().keys().copied().collect();
        for (_, action) in &told.sent {
            let named: Vec<&ServerId> = match action {
                Action::Stop { servers, .. } | Action::Start { servers } => {
                    servers.iter().collect()
                }
                Action::Reinstall { server, .. } | Action::ShowServer { server } => vec![server],
                _ => Vec::new(),
            };
            assert!(named.iter().all(|server| ours.contains(server)), "{action:?}");
        }
        assert!(told.world.violations().is_empty(), "{:?}", told.world.violations());
    }
}

// N10, N11 — once more, then support

#[test]
fn n10_after_one_failure_everything_is_looked_at_again_and_it_is_tried_once_more() {
    for seed in 0..10 {
        let told = failing_jobs(seed, 1);
        told.all_ended(Ending::Verified);
        assert_eq!(told.wipes(), 2);
        let looks: Vec<&str> = told.records.iter().filter_map(|r| step(&r.event)).collect();
        assert_eq!(looks, ["validated", "sent", "failed", "validated", "sent"]);
    }
}

fn step(event: &Event) -> Option<&'static str> {
    match event {
        Event::Validated { .. } => Some("validated"),
        Event::Intended { deed: Deed::Reinstall, .. } => Some("sent"),
        Event::JobEnded { end: crate::domain::JobEnd::Failed { .. }, .. } => Some("failed"),
        _ => None,
    }
}

#[test]
fn n11_after_two_failures_a_server_needs_support_and_says_what_support_needs() {
    for seed in 0..10 {
        let told = failing_jobs(seed, 9);
        let failure = told.all_ended(Ending::NeedsSupport).unwrap();
        assert!(!failure.code.is_empty());
        assert!(failure.cause.contains("twice"), "{}", failure.cause);
        assert!(!failure.detail.is_empty(), "the cloud's own reason: {failure:?}");
        assert!(failure.help.contains("cloud's support"), "{}", failure.help);
        assert_eq!(told.wipes(), 2, "never a third");
        let jobs: Vec<_> = told
            .records
            .iter()
            .filter_map(|record| match &record.event {
                Event::JobEnded { job, .. } => job.clone(),
                _ => None,
            })
            .collect();
        assert_eq!(jobs.len(), 2, "both job ids are in the journal");
    }
}

// N2 — the way back

/// So many servers that are backed up before they are stopped.
pub(super) fn backing_up(servers: u32) -> Scenario {
    let mut playbook = playbook();
    let backup = BackupSpec { vault: "daily".to_owned(), timeout: Millis::mins(60) };
    playbook.fleets["web"].treatment.backup = Some(backup);
    let mut spec = WorldSpec::healthy(servers);
    spec.vaults.push(VaultSpec { name: "daily".to_owned(), ..VaultSpec::default() });
    scenario(&playbook, &spec, 1)
}

/// The same; `change` has a hand in each list of backups.
fn backed_up(servers: u32, mut change: impl FnMut(&mut Vec<Backup>)) -> Told {
    run(backing_up(servers), |world, at, action| {
        let mut served = world.serve(at, action);
        if let Some(Ok(Answer::Backups(backups))) = &mut served.reply {
            change(backups);
        }
        served
    })
}

#[test]
fn n2_a_backup_that_leaves_the_system_disk_out_is_no_way_back() {
    let told = backed_up(2, |backups| {
        for backup in backups {
            backup.has_system_disk = false;
        }
    });
    let failure = told.all_ended(Ending::Failed).unwrap();
    assert_eq!(failure.code, "refleet.backup");
    assert!(failure.cause.contains("leaves its system disk out"), "{failure:?}");
    assert_eq!((told.sent(is_stop), told.wipes()), (0, 0), "not even stopped");
    backed_up(2, |_| ()).all_ended(Ending::Verified);
}

#[test]
fn n2_the_backup_of_another_server_is_never_taken_for_a_lost_one() {
    let mut asked = 0;
    let told = run(backing_up(2), |world, at, action| match action {
        Action::Backup { .. } => {
            asked += 1;
            let lost = asked == 2;
            if lost {
                Served { reply: None, after: Millis::secs(30) }
            } else {
                world.serve(at, action)
            }
        }
        // A list that is not narrowed to the server that was asked for.
        Action::ListBackups { offset, limit, .. } => {
            let all = Action::ListBackups { server: None, offset: *offset, limit: *limit };
            world.serve(at, &all)
        }
        _ => world.serve(at, action),
    });
    told.all_ended(Ending::Verified);
    let backups = told.records.iter().filter_map(|record| match &record.event {
        Event::BackedUp { backup, .. } => Some(backup),
        _ => None,
    });
    assert_eq!(backups.collect::<BTreeSet<_>>().len(), 2, "each has one of its own");
}

#[test]
fn n2_a_backup_without_a_checkpoint_is_nobodys() {
    let told = run(backing_up(1), |world, at, action| {
        let mut served = world.serve(at, action);
        if let Action::Backup { .. } = action {
            // It arrives, and its answer does not.
            return Served { reply: None, after: Millis::secs(30) };
        }
        if let Some(Ok(Answer::Backups(backups))) = &mut served.reply {
            let mut old = backups.clone();
            for backup in &mut old {
                "of yesterday".clone_into(&mut backup.name);
            }
            for backup in backups.iter_mut() {
                backup.state = BackupState::UnderWay;
            }
            backups.splice(0..0, old);
            for backup in backups {
                backup.checkpoint = "".into();
            }
        }
        served
    });
    assert_eq!(told.all_ended(Ending::Failed).unwrap().code, "refleet.backup");
    assert_eq!((told.sent(is_stop), told.wipes()), (0, 0));
}

// N2 (what the run does) — nothing is stopped that is not going to be wiped

#[test]
fn an_image_that_went_before_the_run_refuses_it_before_the_first_stop() {
    let told = run(healthy(2, 1), |world, at, action| match action {
        Action::ShowImage { .. } => at_once(Ok(Answer::Image(None))),
        _ => world.serve(at, action),
    });
    assert_eq!(told.sent(is_stop), 0);
    assert_eq!(told.wipes(), 0);
    let refused = told.records.iter().find_map(|record| match &record.event {
        Event::PreflightRefused { reasons } => reasons.first().cloned(),
        _ => None,
    });
    assert!(refused.unwrap().starts_with("Ecs.0031"));
}
