//! The table of `docs/in-doubt.md`, row by row, and whether it is safe: in every world that could show
//! what is seen.

use crate::domain::{Attachment, ImageId, ServerId, UserId, VolumeId};

use super::*;

const DOC: &str = include_str!("../../docs/in-doubt.md");
const TESTS: [&str; 2] =
    [include_str!("doubt_tests.rs"), include_str!("../simulation/doubt_tests.rs")];

/// "Not found" counts from here.
const FROM: Time = Time(100);
const EARLY: Time = Time(99);
const LATE: Time = Time(100);

const BEFORE: Timestamp = Timestamp(1_000);
const SINCE: Timestamp = Timestamp(2_000);

fn server(disk: Option<&str>, status: &str, task: Option<&str>, updated: Timestamp) -> Server {
    let boot = |id: &str| Attachment { id: id.into(), device: "/dev/vda".to_owned(), boot: true };
    Server {
        id: ServerId::from("a"),
        name: "a".to_owned(),
        status: status.to_owned(),
        task_state: task.map(str::to_owned),
        locked: false,
        frozen: false,
        fault: None,
        image: ImageId::from("i"),
        image_name: None,
        key_name: None,
        user: UserId::from("u"),
        flavor: String::new(),
        ram_mib: None,
        az: String::new(),
        tags: crate::domain::Tags::new(),
        os_type: None,
        from_iso: false,
        prepaid: false,
        local_disk_gib: None,
        volumes: disk.map(boot).into_iter().collect(),
        addresses: Vec::new(),
        created: None,
        updated: Some(updated),
    }
}

fn before(disk: &str) -> Before {
    Before { disk: VolumeId::from(disk), updated: Some(BEFORE), replaced_by: Vec::new() }
}

fn sight(server: &Server) -> Sight {
    Sight::of(server, &before("old"), false)
}

fn untouched() -> Server {
    server(Some("old"), "SHUTOFF", None, BEFORE)
}

fn job() -> JobId {
    JobId::from("j")
}

fn trace(time: i64, code: u16, job: Option<&str>) -> Trace {
    let name = "reinstallOsV2".to_owned();
    let job = job.map(JobId::from);
    Trace { name, server: ServerId::from("a"), time: Timestamp(time), code, job }
}

/// Every value that the audit log can have for us, at every time.
fn logs() -> Vec<Option<(Time, Traced)>> {
    let said = [
        Traced::Taken(Some(job())),
        Traced::Taken(None),
        Traced::Refused(400),
        Traced::Absent,
        Traced::Unreadable("no right".to_owned()),
    ];
    let at = |time| said.clone().map(|said| Some((time, said)));
    [None].into_iter().chain(at(EARLY)).chain(at(LATE)).collect()
}

/// Every value that a look at the server can have, at every time.
fn sights() -> Vec<Option<(Time, Sight)>> {
    let all = [Sight::Untouched, Sight::Changed, Sight::AtWork, Sight::Done];
    let at = |time| all.map(|sight| Some((time, sight)));
    [None].into_iter().chain(at(EARLY)).chain(at(LATE)).collect()
}

/// A look and an answer of the log at the earliest time, and what is to come of it.
fn check(server: &Server, said: Traced, wanted: &Weighed) {
    let seen = Some((LATE, sight(server)));
    assert_eq!(weigh(seen, Some(&(LATE, said)), FROM), *wanted);
}

#[test]
fn a_call_in_the_log_with_its_job_is_watched_by_its_job() {
    for seen in sights() {
        for asked in [EARLY, LATE] {
            let said = Traced::Taken(Some(job()));
            let wanted = Weighed::Happened(Some(job()));
            assert_eq!(weigh(seen, Some(&(asked, said)), FROM), wanted, "{seen:?}");
        }
    }
}

#[test]
fn a_new_disk_on_a_running_server_is_a_reinstall_that_is_done() {
    let done = server(Some("new"), "ACTIVE", None, SINCE);
    check(&done, Traced::Absent, &Weighed::Finished);
    check(&done, Traced::Taken(None), &Weighed::Finished);
    assert_eq!(weigh(Some((EARLY, sight(&done))), None, FROM), Weighed::Finished);
    // The second wipe of a server: what is new to the plan is old to this wipe.
    assert_ne!(Sight::of(&done, &before("new"), false), Sight::Done);
}

#[test]
fn a_server_at_work_is_watched_whatever_the_log_says() {
    for at_work in [
        server(Some("old"), "ACTIVE", Some("rebuilding"), BEFORE),
        server(Some("old"), "REBUILD", None, BEFORE),
        server(None, "SHUTOFF", None, BEFORE),
        server(Some("new"), "SHUTOFF", None, SINCE),
        server(Some("new"), "ACTIVE", Some("spawning"), SINCE),
    ] {
        check(&at_work, Traced::Absent, &Weighed::AtWork);
        check(&at_work, Traced::Refused(400), &Weighed::AtWork);
        assert_eq!(weigh(Some((EARLY, sight(&at_work))), None, FROM), Weighed::AtWork);
    }
}

#[test]
fn a_call_in_the_log_without_a_job_leaves_the_server_as_witness() {
    check(&untouched(), Traced::Taken(None), &Weighed::Happened(None));
    let said = Some((EARLY, Traced::Taken(None)));
    assert_eq!(weigh(None, said.as_ref(), FROM), Weighed::Happened(None));
}

#[test]
fn a_refused_call_and_an_untouched_server_may_be_sent_again() {
    check(&untouched(), Traced::Refused(501), &Weighed::DidNot);
    // After a first wipe that failed, its server may be in `ERROR`.
    check(&server(Some("old"), "ERROR", None, BEFORE), Traced::Refused(501), &Weighed::DidNot);
}

#[test]
fn no_call_in_the_log_and_an_untouched_server_may_be_sent_again() {
    check(&untouched(), Traced::Absent, &Weighed::DidNot);
    let second = server(Some("new"), "SHUTOFF", None, BEFORE);
    let seen = Some((LATE, Sight::of(&second, &before("new"), false)));
    assert_eq!(weigh(seen, Some(&(LATE, Traced::Absent)), FROM), Weighed::DidNot);
}

#[test]
fn without_a_log_an_untouched_server_may_be_sent_again() {
    check(&untouched(), Traced::Unreadable("no right".to_owned()), &Weighed::DidNot);
}

#[test]
fn the_old_disk_alone_proves_nothing() {
    let changed = server(Some("old"), "SHUTOFF", None, SINCE);
    let runs = server(Some("old"), "ACTIVE", None, BEFORE);
    let silent = Server { updated: None, ..untouched() };
    for changed in [changed, runs, silent] {
        check(&changed, Traced::Absent, &Weighed::Wait);
        check(&changed, Traced::Refused(400), &Weighed::Wait);
    }
    // A journal of an older version does not say how the server was.
    let unknown = Before { updated: None, ..before("old") };
    assert_eq!(Sight::of(&untouched(), &unknown, false), Sight::Changed);
}

#[test]
fn nothing_counts_before_its_time() {
    let (early, late) = (Some((EARLY, Sight::Untouched)), Some((LATE, Sight::Untouched)));
    let absent = |at| Some((at, Traced::Absent));
    for (seen, said) in [
        (early, absent(LATE)),
        (late, absent(EARLY)),
        (late, None),
        (None, absent(LATE)),
        (None, None),
    ] {
        assert_eq!(weigh(seen, said.as_ref(), FROM), Weighed::Wait, "{seen:?} {said:?}");
    }
}

#[test]
fn the_log_is_read_from_the_last_change_before_the_wipe() {
    let since = Timestamp(100);
    let read = |traces: &[Trace]| read_log(traces, since, &[]);
    assert_eq!(read(&[]), Traced::Absent);
    assert_eq!(read(&[trace(99, 200, Some("earlier"))]), Traced::Absent);
    assert_eq!(read(&[trace(100, 200, Some("j"))]), Traced::Taken(Some(job())));
    assert_eq!(read(&[trace(200, 501, None), trace(150, 200, None)]), Traced::Taken(None));
    assert_eq!(read(&[trace(200, 501, None), trace(150, 400, None)]), Traced::Refused(501));
    assert_eq!(
        read(&[trace(200, 200, None), trace(150, 200, Some("j"))]),
        Traced::Taken(Some(job()))
    );
}

#[test]
fn the_job_of_an_earlier_attempt_is_not_taken_for_that_of_the_one_in_doubt() {
    let failed = [JobId::from("first")];
    let read = |traces: &[Trace]| read_log(traces, Timestamp(100), &failed);
    let first = trace(100, 200, Some("first"));
    assert_eq!(read(std::slice::from_ref(&first)), Traced::Absent);
    assert_eq!(read(&[first, trace(200, 200, Some("j"))]), Traced::Taken(Some(job())));
}

/// A row of a table of the document.
struct Row {
    cells: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let is_row = |line: &&str| {
        let number = line.strip_prefix("| ").and_then(|rest| rest.get(1..2));
        line.starts_with(['|']) && number.is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))
    };
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    DOC.lines().filter(is_row).map(|line| Row { cells: cells(line) }).collect()
}

impl Row {
    fn name(&self) -> &'static str {
        self.cells[0]
    }

    fn fits(&self, seen: Option<(Time, Sight)>, said: Option<&(Time, Traced)>) -> bool {
        let log = match (self.cells[1], said) {
            ("any", _)
            | ("taken, with its job", Some((_, Traced::Taken(Some(_)))))
            | ("taken, without a job", Some((_, Traced::Taken(None)))) => true,
            ("refused, late", Some((at, Traced::Refused(_))))
            | ("no such call, late", Some((at, Traced::Absent)))
            | ("cannot be read, late", Some((at, Traced::Unreadable(_)))) => *at >= FROM,
            _ => false,
        };
        let server = match (self.cells[2], seen) {
            ("any", _)
            | ("new disk, running", Some((_, Sight::Done)))
            | ("at work", Some((_, Sight::AtWork)))
            | ("changed", Some((_, Sight::Changed))) => true,
            ("untouched, late", Some((at, Sight::Untouched))) => at >= FROM,
            _ => false,
        };
        log && server
    }

    fn then(&self) -> Weighed {
        match self.cells[3] {
            "watch the job" => Weighed::Happened(Some(job())),
            "watch the server" => Weighed::Happened(None),
            "watch whoever is at work" => Weighed::AtWork,
            "done" => Weighed::Finished,
            "send again" => Weighed::DidNot,
            "wait" => Weighed::Wait,
            other => panic!("row {}: {other}", self.name()),
        }
    }
}

#[test]
fn the_document_says_what_is_done() {
    let all = rows();
    let table: Vec<&Row> = all.iter().filter(|row| row.name().starts_with('A')).collect();
    let mut used = std::collections::BTreeSet::new();
    for seen in sights() {
        for said in logs() {
            let row = table.iter().find(|row| row.fits(seen, said.as_ref())).unwrap();
            used.insert(row.name());
            let weighed = weigh(seen, said.as_ref(), FROM);
            assert_eq!(weighed, row.then(), "row {}: {seen:?}, {said:?}", row.name());
        }
    }
    assert_eq!(used.len(), table.len(), "a row that nothing fits: {used:?}");
    assert_eq!(table.len(), 9);
}

#[test]
fn each_row_of_the_document_has_its_test() {
    let all = rows();
    assert_eq!(all.len(), 22, "a table of the document is not read");
    for row in all {
        let test = row.cells.last().unwrap().trim_matches('`');
        let head = format!("#[test]\nfn {test}() {{");
        assert!(TESTS.iter().any(|tests| tests.contains(&head)), "row {}: {test}", row.name());
    }
}

/// What became of the call, in a world that is only thought of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    NeverArrived,
    Refused,
    Begun,
    Detached,
    Swapped,
    DoneAndStarted,
    DoneAndLeftOff,
    FailedBeforeSwap,
    FailedAfterSwap,
}

/// How such a world shows itself.
#[derive(Clone, Copy, Debug)]
struct Shows {
    status: &'static str,
    task: Option<&'static str>,
    failed_status: &'static str,
    keeps_disk_id: bool,
    updated: bool,
}

/// What the audit log of such a world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Off,
    Unreadable,
    WithJobs,
    WithoutJobs,
}

impl Fate {
    const ALL: [Self; 9] = [
        Self::NeverArrived,
        Self::Refused,
        Self::Begun,
        Self::Detached,
        Self::Swapped,
        Self::DoneAndStarted,
        Self::DoneAndLeftOff,
        Self::FailedBeforeSwap,
        Self::FailedAfterSwap,
    ];

    fn is_taken(self) -> bool {
        !matches!(self, Self::NeverArrived | Self::Refused)
    }

    /// The server in that world, which was off with the disk `before`.
    fn server(self, before: &str, shows: Shows) -> Server {
        let new = if shows.keeps_disk_id { before } else { "new" };
        let (disk, status, task) = match self {
            Self::NeverArrived | Self::Refused => (Some(before), "SHUTOFF", None),
            Self::Begun => (Some(before), shows.status, shows.task),
            Self::Detached => (None, shows.status, shows.task),
            Self::Swapped => (Some(new), shows.status, shows.task),
            Self::DoneAndStarted => (Some(new), "ACTIVE", None),
            Self::DoneAndLeftOff => (Some(new), "SHUTOFF", None),
            Self::FailedBeforeSwap => (Some(before), shows.failed_status, None),
            Self::FailedAfterSwap => (Some(new), shows.failed_status, None),
        };
        let updated = if self.is_taken() { SINCE } else { BEFORE };
        let server = server(disk, status, task, updated);
        Server { updated: server.updated.filter(|_| shows.updated), ..server }
    }

    /// What the log says when it is asked at that time: before its time a call may be missing.
    fn said(self, log: Log, is_shown: bool) -> Traced {
        let traces = match self {
            Self::NeverArrived => Vec::new(),
            Self::Refused => vec![trace(2_000, 400, None)],
            Self::Begun
            | Self::Detached
            | Self::Swapped
            | Self::DoneAndStarted
            | Self::DoneAndLeftOff
            | Self::FailedBeforeSwap
            | Self::FailedAfterSwap => {
                vec![trace(2_000, 200, (log == Log::WithJobs).then_some("j"))]
            }
        };
        match log {
            Log::Unreadable => Traced::Unreadable(String::new()),
            Log::Off => Traced::Absent,
            Log::WithJobs | Log::WithoutJobs if !is_shown => Traced::Absent,
            Log::WithJobs | Log::WithoutJobs => read_log(&traces, BEFORE, &[]),
        }
    }
}

fn all_shows() -> Vec<Shows> {
    let mut all = Vec::new();
    for status in ["SHUTOFF", "REBUILD", "ACTIVE", "UNKNOWN", "BUILD"] {
        for task in [None, Some("rebuilding")] {
            for failed_status in ["SHUTOFF", "ERROR"] {
                for (keeps_disk_id, updated) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    all.push(Shows { status, task, failed_status, keeps_disk_id, updated });
                }
            }
        }
    }
    all
}

/// Every answer that this world could give to looks at these times.
fn evidence(fate: Fate, shows: Shows, log: Log, disk: &str) -> Vec<(bool, Weighed)> {
    let before = Before { updated: Some(BEFORE).filter(|_| shows.updated), ..before(disk) };
    let now = fate.server(disk, shows);
    let stale = Fate::NeverArrived.server(disk, shows);
    let mut all = Vec::new();
    // Whether the server is shown as it is; before its time an older look may be shown.
    for (looked, seen) in
        [(None, &now), (Some(EARLY), &stale), (Some(EARLY), &now), (Some(LATE), &now)]
    {
        for (asked, is_shown) in
            [(None, false), (Some(EARLY), false), (Some(EARLY), true), (Some(LATE), true)]
        {
            let sight = looked.map(|at| (at, Sight::of(seen, &before, false)));
            let said = asked.map(|at| (at, fate.said(log, is_shown)));
            let all_known = looked == Some(LATE) && asked == Some(LATE);
            all.push((all_known, weigh(sight, said.as_ref(), FROM)));
        }
    }
    all
}

#[test]
fn s3_in_no_world_is_a_call_that_was_taken_sent_again() {
    let mut walked = 0;
    for fate in Fate::ALL {
        for shows in all_shows() {
            for log in [Log::Off, Log::Unreadable, Log::WithJobs, Log::WithoutJobs] {
                // The first wipe of a server, and the one after a first that failed with a new disk.
                for disk in ["old", "failed"] {
                    for (all_known, weighed) in evidence(fate, shows, log, disk) {
                        walked += 1;
                        judge(fate, shows, log, (all_known, &weighed));
                    }
                }
            }
        }
    }
    assert_eq!(walked, 9 * 80 * 4 * 2 * 16);
}

fn judge(fate: Fate, shows: Shows, log: Log, (all_known, weighed): (bool, &Weighed)) {
    let world = format!("{fate:?} {shows:?} {log:?}: {weighed:?}");
    // A server that is shown at rest while it is worked on is named in the document.
    let looks_done = fate == Fate::Swapped && shows.status == "ACTIVE" && shows.task.is_none();
    match weighed {
        Weighed::DidNot => assert!(!fate.is_taken(), "{world}"),
        Weighed::Happened(_) => assert!(fate.is_taken(), "{world}"),
        Weighed::Finished => assert!(fate == Fate::DoneAndStarted || looks_done, "{world}"),
        Weighed::AtWork | Weighed::Wait => {}
    }
    if all_known && !fate.is_taken() && shows.updated {
        assert_eq!(*weighed, Weighed::DidNot, "{world}: nothing is learnt by waiting");
    }
    if all_known && fate.is_taken() && log == Log::WithJobs {
        assert_eq!(*weighed, Weighed::Happened(Some(job())), "{world}");
    }
}
