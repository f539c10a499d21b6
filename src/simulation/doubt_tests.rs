//! Lost answers, lost jobs and late ones, each on purpose: the rows of `docs/in-doubt.md` that need a
//! whole run.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{
    Action, Answer, CallId, Deed, Ending, Event, Fault, FaultClass, JobEnd, JobStatus, Millis,
    Moment, Record, Reply, RunId, Server, Time, Verdict, VolumeId,
};
use crate::engine::{Engine, Input, Start};
use crate::plan::Consent;
use crate::playbook::BackupSpec;
use crate::simulator::{Faults, Served, VaultSpec, World, WorldSpec};

use super::Scenario;
use super::tests::{fleet, playbook};

/// Serves one request, or not.
type Serve<'f> = &'f mut dyn FnMut(&mut World, Millis, &Action) -> Served;

/// A run over one server of a cloud that is served by hand.
fn run(seed: u64, faults: &Faults, serve: Serve<'_>) -> Vec<Record> {
    run_with(None, (seed, faults), serve)
}

/// The same, backed up before it is stopped.
fn run_with(
    backup: Option<BackupSpec>,
    (seed, faults): (u64, &Faults),
    serve: Serve<'_>,
) -> Vec<Record> {
    let strategy = crate::playbook::Strategy { written: true, ..Default::default() };
    let mut web = fleet("web", "web-*", strategy);
    web.treatment.backup = backup;
    let vaults = vec![VaultSpec { name: "v".to_owned(), ..VaultSpec::default() }];
    let spec = WorldSpec { vaults, ..WorldSpec::healthy(1) };
    let scenario = Scenario::draw(&playbook(vec![web]), &spec, Some(faults), seed).unwrap();
    let Scenario { plan, mut world, begins, .. } = scenario;
    let consent = Consent::try_new(&plan, 1).unwrap();
    let start = Start { run: RunId::from("run"), seed };
    let moment = |world: &World, at: Time| Moment { at, wall: world.wall(Millis(begins.0 + at.0)) };
    let (mut engine, first) =
        Engine::new(Arc::clone(&plan), &consent, start, moment(&world, Time(0)));
    let mut journal = vec![first];
    let mut queue: BTreeMap<(Time, CallId), Reply> = BTreeMap::new();
    let (mut now, mut input) = (Time(0), Input::Begin);
    loop {
        let turn = engine.handle(moment(&world, now), input);
        journal.extend(turn.records);
        for command in turn.commands {
            let served = serve(&mut world, Millis(begins.0 + now.0), &command.action);
            let reply = served.reply.unwrap_or_else(|| Err(fault(FaultClass::Lost, "timeout")));
            queue.insert((now + served.after, command.call), reply);
        }
        if engine.is_finished() {
            return journal;
        }
        let answered = queue.first_key_value().map(|((at, _), _)| *at);
        let wake = turn.wake_at.filter(|at| answered.is_none_or(|answered| *at < answered));
        (now, input) = if let Some(at) = wake {
            (at.max(now), Input::Woke)
        } else {
            let ((at, call), reply) = queue.pop_first().unwrap();
            (at.max(now), Input::Replied { call, reply })
        };
    }
}

fn fault(class: FaultClass, code: &str) -> Fault {
    let (code, message) = (code.to_owned(), String::new());
    Fault { class, code, message, request_id: None, retry_after: None }
}

/// The answer never comes; the client gives up after that time.
fn lost(after: Millis) -> Served {
    Served { reply: None, after }
}

fn job_unknown() -> Served {
    let fault = fault(FaultClass::NotFound, "Common.0011");
    Served { reply: Some(Err(fault)), after: Millis(100) }
}

fn sent(records: &[Record], wanted: Deed) -> usize {
    let is =
        |record: &&Record| matches!(&record.event, Event::Intended { deed, .. } if *deed == wanted);
    records.iter().filter(is).count()
}

fn verdicts(records: &[Record]) -> Vec<Verdict> {
    let verdict = |record: &Record| match &record.event {
        Event::Resolved { verdict, .. } => Some(verdict.clone()),
        _ => None,
    };
    records.iter().filter_map(verdict).collect()
}

fn job_end(records: &[Record]) -> (bool, JobEnd) {
    let end = |record: &Record| match &record.event {
        Event::JobEnded { job, end, .. } => Some((job.is_some(), end.clone())),
        _ => None,
    };
    records.iter().find_map(end).unwrap()
}

fn ending(records: &[Record]) -> Ending {
    let end = |record: &Record| match &record.event {
        Event::Ended { ending, .. } => Some(*ending),
        _ => None,
    };
    records.iter().find_map(end).unwrap()
}

/// Every server of an answer, changed.
fn shown(mut served: Served, change: impl Fn(&mut Server)) -> Served {
    match &mut served.reply {
        Some(Ok(Answer::Server(one))) => change(one),
        Some(Ok(Answer::Servers { servers, .. })) => servers.iter_mut().for_each(change),
        _ => {}
    }
    served
}

/// The same in a cloud that starts every server behind a reinstall, whatever this world does.
fn started(world: &mut World, now: Millis, action: &Action) -> Served {
    let served = world.serve(now, action);
    let done: Vec<_> = world.servers().map(|server| server.id.clone()).collect();
    let done: Vec<_> = done.into_iter().filter(|id| world.reinstalls(id).completed > 0).collect();
    shown(served, |server| {
        if server.is_stopped() && done.contains(&server.id) {
            "ACTIVE".clone_into(&mut server.status);
        }
    })
}

#[test]
fn a_job_that_succeeded_ends_the_wait() {
    let records = run(1, &Faults::default(), &mut |world, now, action| world.serve(now, action));
    assert!(matches!(job_end(&records), (true, JobEnd::Succeeded { .. })));
    assert_eq!(verdicts(&records), []);
}

#[test]
fn a_failed_job_that_left_the_old_disk_has_not_wiped() {
    let faults = Faults { job_failure: 1.0, ..Faults::default() };
    let records = run(1, &faults, &mut |world, now, action| world.serve(now, action));
    assert!(matches!(job_end(&records), (true, JobEnd::Failed { wiped: false, .. })));
}

#[test]
fn a_failed_job_that_took_the_disk_has_wiped() {
    let faults = Faults { job_failure_after_swap: 1.0, ..Faults::default() };
    let records = run(1, &faults, &mut |world, now, action| world.serve(now, action));
    assert!(matches!(job_end(&records), (true, JobEnd::Failed { wiped: true, .. })));
}

#[test]
fn a_job_that_is_shown_late_is_asked_for_again() {
    for seed in 0..10 {
        let mut taken = None;
        let records = run(seed, &Faults::default(), &mut |world, now, action| {
            if let Action::Reinstall { .. } = action {
                taken = Some(now);
            }
            let early = taken.is_some_and(|taken| now.0 < taken.0 + 50_000);
            match action {
                Action::ShowJob { .. } if early => job_unknown(),
                _ => world.serve(now, action),
            }
        });
        assert!(matches!(job_end(&records), (true, JobEnd::Succeeded { .. })), "seed {seed}");
        assert_eq!(verdicts(&records), [], "seed {seed}");
    }
}

#[test]
fn a_job_that_the_cloud_forgot_leaves_the_server_as_witness() {
    for seed in 0..20 {
        let records = run(seed, &Faults::default(), &mut |world, now, action| match action {
            Action::ShowJob { .. } => job_unknown(),
            // Whatever else this world does after a reinstall, this one starts the server.
            _ => started(world, now, action),
        });
        assert_eq!(verdicts(&records), [Verdict::Happened { job: None }], "seed {seed}");
        let (has_job, end) = job_end(&records);
        assert!(!has_job && matches!(end, JobEnd::Succeeded { .. }), "seed {seed}");
        assert_eq!(ending(&records), Ending::Verified, "seed {seed}");
        assert_eq!(sent(&records, Deed::Reinstall), 1, "seed {seed}");
    }
}

#[test]
fn a_forgotten_job_on_a_server_that_was_left_off_is_unknown() {
    for seed in 0..10 {
        let mut taken = false;
        let records = run(seed, &Faults::default(), &mut |world, now, action| {
            taken |= matches!(action, Action::Reinstall { .. });
            match action {
                Action::ShowJob { .. } => job_unknown(),
                _ if taken => shown(world.serve(now, action), |server| {
                    "SHUTOFF".clone_into(&mut server.status);
                }),
                _ => world.serve(now, action),
            }
        });
        let verdicts = verdicts(&records);
        assert_eq!(verdicts, [Verdict::Happened { job: None }, Verdict::Unknown], "seed {seed}");
        assert_eq!(ending(&records), Ending::Unknown, "seed {seed}");
        assert_eq!(sent(&records, Deed::Reinstall), 1, "seed {seed}");
    }
}

#[test]
fn a_second_wipe_whose_answer_is_lost_is_decided_like_the_first() {
    for arrives in [false, true] {
        for seed in 0..10 {
            let mut wipes = 0;
            let faults = Faults { job_failure_after_swap: 1.0, ..Faults::default() };
            let records = run(seed, &faults, &mut |world, now, action| {
                if let Action::Reinstall { .. } = action {
                    wipes += 1;
                    if wipes == 2 {
                        world.set_faults(Faults::default());
                        if arrives {
                            drop(world.serve(now, action));
                        }
                        return lost(Millis::secs(60));
                    }
                }
                if wipes > 1 { started(world, now, action) } else { world.serve(now, action) }
            });
            let what = format!("seed {seed}, arrives: {arrives}");
            assert_eq!(ending(&records), Ending::Verified, "{what}");
            assert_eq!(sent(&records, Deed::Reinstall), if arrives { 2 } else { 3 }, "{what}");
            let did_not = verdicts(&records).contains(&Verdict::DidNot);
            assert_eq!(did_not, !arrives, "{what}");
        }
    }
}

#[test]
fn a_server_that_somebody_else_reinstalled_between_two_attempts_is_not_wiped_again() {
    for seed in 0..10 {
        let faults = Faults { job_failure_after_swap: 1.0, ..Faults::default() };
        let mut failed = None;
        let records = run(seed, &faults, &mut |world, now, action| {
            let served = world.serve(now, action);
            if let Some(Ok(Answer::Job(job))) = &served.reply
                && job.status == JobStatus::Fail
            {
                failed.get_or_insert(now);
            }
            // The look after the failure shows what it left; what comes later is not ours.
            if failed.is_none_or(|at| now.0 < at.0 + 45_000) {
                return served;
            }
            shown(served, |server| {
                let boot = server.volumes.iter_mut().filter(|volume| volume.boot);
                boot.for_each(|volume| volume.id = VolumeId::from("somebody-elses"));
            })
        });
        assert_eq!(sent(&records, Deed::Reinstall), 1, "seed {seed}");
        assert_eq!(ending(&records), Ending::Failed, "seed {seed}");
    }
}

/// A run in which the first request of that kind is lost: served or not, after that time.
fn losing(seed: u64, wanted: Deed, serves: Lost, after: Millis) -> Vec<Record> {
    let mut done = false;
    let (vault, timeout) = ("v".to_owned(), Millis::mins(60));
    let backup = (wanted == Deed::Backup).then_some(BackupSpec { vault, timeout });
    run_with(backup, (seed, &Faults::default()), &mut |world, now, action| {
        let deed = match action {
            Action::Stop { mode, .. } => Some(Deed::stop(*mode)),
            Action::Start { .. } => Some(Deed::Start),
            Action::Backup { .. } => Some(Deed::Backup),
            _ => None,
        };
        if deed != Some(wanted) || std::mem::replace(&mut done, true) {
            done |= deed == Some(wanted);
            return world.serve(now, action);
        }
        if serves == Lost::OnItsWayBack {
            drop(world.serve(now, action));
        }
        lost(after)
    })
}

/// Where a request was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    OnItsWay,
    OnItsWayBack,
}

#[test]
fn a_lost_stop_that_worked_is_seen() {
    let records = losing(1, Deed::Stop, Lost::OnItsWayBack, Millis::secs(60));
    assert_eq!((sent(&records, Deed::Stop), verdicts(&records)), (1, Vec::new()));
    assert_eq!(ending(&records), Ending::Verified);
}

#[test]
fn a_lost_stop_that_did_not_arrive_is_sent_again() {
    let records = losing(1, Deed::Stop, Lost::OnItsWay, Millis::secs(60));
    assert_eq!((sent(&records, Deed::Stop), verdicts(&records)), (2, vec![Verdict::DidNot]));
    assert_eq!(ending(&records), Ending::Verified);
}

#[test]
fn a_lost_stop_that_is_under_way_is_waited_for() {
    let mut waited = 0;
    for seed in 0..10 {
        let records = losing(seed, Deed::Stop, Lost::OnItsWayBack, Millis(1));
        assert_eq!((sent(&records, Deed::Stop), verdicts(&records)), (1, Vec::new()));
        let when = |wanted: fn(&Event) -> bool| {
            records.iter().find(|record| wanted(&record.event)).unwrap().at
        };
        let lost_at = when(|event| matches!(event, Event::Lost { .. }));
        let stopped_at = when(|event| matches!(event, Event::Stopped { .. }));
        waited += u32::from(stopped_at.since(lost_at) > Millis::secs(15));
    }
    assert!(waited > 0, "no stop was looked at after its time while it was under way");
}

/// Runs in which a server is started because the cloud left it off.
fn starting(serves: Lost) -> Vec<Vec<Record>> {
    let runs = (0..40).map(|seed| losing(seed, Deed::Start, serves, Millis::secs(60)));
    let runs: Vec<Vec<Record>> = runs.filter(|records| sent(records, Deed::Start) > 0).collect();
    assert!(!runs.is_empty(), "no world leaves a server off");
    runs
}

#[test]
fn a_lost_start_that_worked_is_seen() {
    for records in starting(Lost::OnItsWayBack) {
        assert_eq!((sent(&records, Deed::Start), verdicts(&records)), (1, Vec::new()));
        assert_eq!(ending(&records), Ending::Verified);
    }
}

#[test]
fn a_lost_start_that_did_not_arrive_is_sent_again() {
    for records in starting(Lost::OnItsWay) {
        assert_eq!((sent(&records, Deed::Start), verdicts(&records)), (2, vec![Verdict::DidNot]));
        assert_eq!(ending(&records), Ending::Verified);
    }
}

#[test]
fn a_lost_backup_that_arrived_is_found_by_its_name() {
    for seed in 0..10 {
        let records = losing(seed, Deed::Backup, Lost::OnItsWayBack, Millis::secs(30));
        let [Verdict::Happened { job: Some(_) }] = verdicts(&records)[..] else {
            panic!("{:?}", verdicts(&records))
        };
        assert_eq!((sent(&records, Deed::Backup), ending(&records)), (1, Ending::Verified));
    }
}

#[test]
fn a_lost_backup_that_did_not_arrive_is_asked_for_again_after_its_time() {
    for seed in 0..10 {
        let records = losing(seed, Deed::Backup, Lost::OnItsWay, Millis::secs(30));
        assert_eq!(verdicts(&records), [Verdict::DidNot]);
        assert_eq!((sent(&records, Deed::Backup), ending(&records)), (2, Ending::Verified));
        let at = |wanted: fn(&Event) -> bool| {
            records.iter().find(|record| wanted(&record.event)).unwrap().at
        };
        let lost_at = at(|event| matches!(event, Event::Lost { .. }));
        let decided = at(|event| matches!(event, Event::Resolved { .. }));
        assert!(decided.since(lost_at) >= Millis::secs(60), "the list may be late");
    }
}
