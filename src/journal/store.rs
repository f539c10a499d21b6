//! The state file as a whole: beginning a run, taking one over, looking runs up.
//!
//! Start with [`Store::begin`]. What makes two runs exclude each other happens in one transaction
//! each time: the mark of the plan, the claims and the run's first record.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::domain::{FORMAT, PlanId, Record, RunId, ServerId, Timestamp};

use super::lock::Locks;
use super::place::{self, Access, Watched};
use super::query::{self, RunRow, RunSummary, StoredRun};
use super::schema::{self, For, Upgrade};
use super::takeover::claim;
use super::writer::{Batch, Owner, Writer};
use super::{Error, RunLog};

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// Its plan, which nobody used before.
    pub plan: PlanId,
    /// The plan itself, for whoever takes the run over.
    pub plan_json: String,
    /// The playbook's name.
    pub name: String,
    /// The cloud's name in the playbook.
    pub cloud: String,
    /// Now.
    pub created: Timestamp,
    /// The servers that it claims.
    pub servers: Vec<ServerId>,
    /// The first record: `run_started`.
    pub first: Record,
}

/// A state file. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: Arc<Writer>,
    pub(super) locks: Locks,
    /// The file itself; `None`: it is in memory.
    pub(super) file: Option<Watched>,
    upgraded: Option<Upgrade>,
}

impl Store {
    /// Opens a state file to write to it, and makes it with its folder if there is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let trouble = |source| Error::Files { path: folder.to_owned(), source };
            place::make_folder(folder).map_err(trouble)?;
        }
        let path = place::resolve(path)?;
        let trouble = |source| Error::Files { path: path.clone(), source };
        place::make_file(&path).map_err(trouble)?;
        Self::with(&path, For::Making)
    }

    /// Opens a state file that is there, to write to it; one that is not there is one without runs.
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        Self::existing(path, For::Writing)
    }

    /// Opens a state file to look things up. It stays in the format that it is in, and nothing is
    /// written to it; one that is not there is one without runs.
    pub fn open_to_look(path: &Path) -> Result<Self, Error> {
        Self::existing(path, For::Looking)
    }

    /// A store that is forgotten with its last clone.
    pub fn in_memory() -> Result<Self, Error> {
        let writer = Writer::start(schema::in_memory()?)?;
        Ok(Self { writer, locks: Locks::in_memory(), file: None, upgraded: None })
    }

    /// Whether opening it changed its format, so that an older refleet cannot read it any more.
    #[must_use]
    pub fn upgraded(&self) -> Option<Upgrade> {
        self.upgraded
    }

    fn existing(path: &Path, purpose: For) -> Result<Self, Error> {
        if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        {
            return Self::in_memory();
        }
        let path = place::resolve(path)?;
        // Nobody has written to it yet.
        if path.metadata().is_ok_and(|found| found.is_file() && found.len() == 0)
            && !schema::has_log(&path)
        {
            place::check(&path)?;
            return Self::in_memory();
        }
        Self::with(&path, purpose)
    }

    fn with(path: &Path, purpose: For) -> Result<Self, Error> {
        let trouble = |source| Error::Files { path: path.to_owned(), source };
        place::check(path)?;
        let file = Watched::at(path).map_err(trouble)?;
        let (connection, upgraded) = schema::open(path, purpose)?;
        // `SQLite` opened what was there in between.
        file.check()?;
        let locks = Locks::Files(place::beside(path, ".locks"), Access::of(path));
        let writer = Writer::start(connection)?;
        Ok(Self { writer, locks, file: Some(file), upgraded })
    }

    /// Begins a run: marks its plan as used, claims all its servers and writes its first record, or
    /// none of it.
    pub async fn begin(&self, new: NewRun) -> Result<RunLog, Error> {
        let (locks, run) = (self.locks.clone(), new.run.clone());
        // A run on the built-in cloud claims nothing: that cloud is its own.
        let claims = !new.servers.is_empty();
        let task = move |connection: &mut Connection| {
            let lock = locks.take(&new.run)?;
            let lock = lock.ok_or_else(|| Error::RunExists { run: new.run.clone() })?;
            begin(connection, &locks, &new)?;
            Ok(lock)
        };
        let lock = self.writer.task(task).await?;
        let owner = Owner { lock, epoch: FIRST_OWNER, claims, file: self.file.clone() };
        Ok(RunLog::new(run, Arc::clone(&self.writer), owner))
    }

    /// All runs, the oldest first.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, Error> {
        let locks = self.locks.clone();
        let task = move |connection: &mut Connection| {
            query::runs(connection)?.into_iter().map(|row| with_life(row, &locks)).collect()
        };
        self.writer.task(task).await
    }

    /// The runs that have not ended, the oldest first.
    pub async fn unfinished(&self) -> Result<Vec<RunSummary>, Error> {
        let mut runs = self.runs().await?;
        runs.retain(|run| run.end.is_none());
        Ok(runs)
    }

    /// The run of that id, or the only one whose id begins so.
    pub async fn find(&self, wanted: &str) -> Result<RunSummary, Error> {
        let mut found = self.runs().await?;
        if let Some(exact) = found.iter().find(|run| run.run.as_str() == wanted) {
            return Ok(exact.clone());
        }
        let all: Vec<RunId> = found.iter().map(|run| run.run.clone()).collect();
        found.retain(|run| run.run.as_str().starts_with(wanted));
        let wanted = wanted.to_owned();
        if found.len() > 1 {
            let runs = found.into_iter().map(|run| run.run).collect();
            return Err(Error::Ambiguous { wanted, runs });
        }
        found.pop().ok_or(Error::NoSuchRun { wanted, runs: all })
    }

    /// The records of a run, in their order.
    pub async fn records(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        Ok(self.load(run).await?.records)
    }

    /// A run by its whole id: only this one is looked at.
    pub async fn look(&self, run: &RunId) -> Result<RunSummary, Error> {
        let (locks, run) = (self.locks.clone(), run.clone());
        let task =
            move |connection: &mut Connection| with_life(query::run(connection, &run)?, &locks);
        self.writer.task(task).await
    }

    /// The servers that a run holds.
    pub async fn held(&self, run: &RunId) -> Result<BTreeSet<ServerId>, Error> {
        let run = run.clone();
        self.writer.task(move |connection| query::held(connection, &run)).await
    }

    /// The records of a run after that number, in their order.
    pub async fn records_after(&self, run: &RunId, seq: u64) -> Result<Vec<Record>, Error> {
        let run = run.clone();
        self.writer.task(move |connection| query::records(connection, &run, seq)).await
    }

    /// A run in full, to look at: it is not taken over.
    pub async fn load(&self, run: &RunId) -> Result<StoredRun, Error> {
        let run = run.clone();
        self.writer.task(move |connection| query::stored(connection, &run)).await
    }

    #[cfg(test)]
    pub(super) async fn with_connection<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> T {
        self.writer.task(move |connection| Ok(task(connection)?)).await.unwrap()
    }
}

/// The number of the owner that began a run.
const FIRST_OWNER: i64 = 1;

fn with_life(row: RunRow, locks: &Locks) -> Result<RunSummary, Error> {
    let alive = row.summary.end.is_none() && locks.is_alive(&row.summary.run)?;
    Ok(RunSummary { alive: alive.then_some(row.owner.0), ..row.summary })
}

fn begin(connection: &mut Connection, locks: &Locks, new: &NewRun) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    refuse_used(&transaction, new)?;
    transaction.execute(
        "INSERT INTO run (id, plan, plan_json, name, cloud, created, format, owner_pid, owner_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6)",
        (
            new.run.as_str(),
            new.plan.as_str(),
            &new.plan_json,
            &new.name,
            &new.cloud,
            new.created.0,
            FORMAT,
            std::process::id(),
        ),
    )?;
    let used = (new.plan.as_str(), new.run.as_str());
    transaction.execute("INSERT INTO plan_used (plan, run) VALUES (?1, ?2)", used)?;
    claim(&transaction, locks, &new.run, &new.servers, new.created)?;
    Batch::new(&new.run, std::slice::from_ref(&new.first))?.write(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn refuse_used(transaction: &Transaction<'_>, new: &NewRun) -> Result<(), Error> {
    let sql = "SELECT run.id, run.created FROM plan_used JOIN run ON run.id = plan_used.run
               WHERE plan_used.plan = ?1";
    let used = transaction
        .query_row(sql, [new.plan.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    if let Some((run, since)) = used.optional()? {
        let (run, since) = (RunId::from(run), Timestamp(since));
        return Err(Error::PlanUsed { plan: new.plan.clone(), run, since });
    }
    let sql = "SELECT count(*) FROM run WHERE id = ?1";
    match transaction.query_row(sql, [new.run.as_str()], |row| row.get::<_, i64>(0))? {
        0 => Ok(()),
        _ => Err(Error::RunExists { run: new.run.clone() }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::domain::{
        CallId, CloseCause, Counts, Deed, Ending, Event, FleetName, FleetOutline, Outline,
        TargetOutline, Time,
    };
    use crate::journal::{HeldClaim, Journal, TakenOver};

    use super::*;

    pub(in crate::journal) const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn outline(run: &str, servers: &[&str]) -> Outline {
        let target = |id: &&str| TargetOutline { id: (*id).into(), name: format!("name of {id}") };
        Outline {
            format: FORMAT,
            run: run.into(),
            plan: format!("plan of {run}").into(),
            name: "web".to_owned(),
            cloud: "otc".to_owned(),
            region: "eu-de".to_owned(),
            project: "eu-de_web".to_owned(),
            simulated: false,
            origin: crate::domain::Origin::default(),
            seed: 7,
            fleets: vec![FleetOutline {
                name: FleetName::from("web"),
                waves: vec![servers.iter().map(target).collect()],
            }],
        }
    }

    pub(in crate::journal) fn record(seq: u64, event: Event) -> Record {
        Record { seq, at: Time(seq), wall: NOW, event }
    }

    pub(in crate::journal) fn new_run(run: &str, servers: &[&str]) -> NewRun {
        let outline = Box::new(outline(run, servers));
        NewRun {
            run: run.into(),
            plan: outline.plan.clone(),
            plan_json: format!("{{\"of\":\"{run}\"}}"),
            name: outline.name.clone(),
            cloud: outline.cloud.clone(),
            created: NOW,
            servers: servers.iter().map(|id| (*id).into()).collect(),
            first: record(1, Event::RunStarted { outline }),
        }
    }

    pub(in crate::journal) fn wipe(servers: &[&str]) -> Event {
        intended(Deed::Reinstall, servers)
    }

    pub(in crate::journal) fn intended(deed: Deed, servers: &[&str]) -> Event {
        let servers = servers.iter().map(|id| (*id).into()).collect();
        Event::Intended { call: CallId(1), deed, servers, before: None }
    }

    pub(in crate::journal) fn ended(server: &str, ending: Ending) -> Event {
        Event::Ended { server: server.into(), ending, failure: None, warnings: Vec::new() }
    }

    pub(in crate::journal) fn run_ended() -> Event {
        Event::RunEnded { cause: CloseCause::Done, counts: Counts::default() }
    }

    fn claims(error: &Error) -> Vec<(String, bool, usize)> {
        let Error::Claimed(held) = error else { panic!("not about claims: {error}") };
        let claim =
            |held: &HeldClaim| (held.server.to_string(), held.alive.is_some(), held.open.len());
        held.iter().map(claim).collect()
    }

    #[tokio::test]
    async fn records_come_back_as_they_were_appended_and_from_the_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/state.sqlite");
        let first = new_run("run-1", &["a"]).first;
        let rest = vec![record(2, wipe(&["a"])), record(3, Event::Resumed)];
        {
            let store = Store::open(&path).unwrap();
            let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
            log.append(rest.clone()).await.unwrap();
        }
        let store = Store::open_existing(&path).unwrap();
        let records = store.records(&"run-1".into()).await.unwrap();
        assert_eq!(records, [vec![first], rest].concat());
        let kinds = store
            .with_connection(|connection| {
                let mut select = connection.prepare("SELECT kind FROM event ORDER BY seq")?;
                let kinds = select.query_map([], |row| row.get::<_, String>(0))?;
                kinds.collect::<Result<Vec<_>, _>>()
            })
            .await;
        assert_eq!(kinds, ["run_started", "intended", "resumed"]);
    }

    #[tokio::test]
    async fn a_state_file_syncs_every_commit() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state")).unwrap();
        let pragma = |name: &'static str| {
            store.with_connection(move |connection| {
                connection
                    .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            })
        };
        assert_eq!(pragma("journal_mode").await, "wal".to_owned().into());
        assert_eq!(pragma("synchronous").await, 2.into());
    }

    #[tokio::test]
    async fn a_plan_is_used_once() {
        let store = Store::in_memory().unwrap();
        drop(store.begin(new_run("run-1", &["a"])).await.unwrap());
        let again = NewRun { plan: "plan of run-1".into(), ..new_run("run-2", &["b"]) };
        let error = store.begin(again).await.unwrap_err();
        assert!(
            matches!(&error, Error::PlanUsed { run, .. } if run.as_str() == "run-1"),
            "{error}"
        );
        assert_eq!(store.runs().await.unwrap().len(), 1, "nothing of the second is left");
    }

    #[tokio::test]
    async fn s15_a_living_run_holds_its_servers_and_the_other_leaves_no_trace() {
        let store = Store::in_memory().unwrap();
        let _log = store.begin(new_run("run-1", &["a", "b"])).await.unwrap();
        let error = store.begin(new_run("run-2", &["c", "b"])).await.unwrap_err();
        assert_eq!(claims(&error), [("b".to_owned(), true, 0)]);
        assert!(error.to_string().contains("b is held by run run-1 since 2026-"), "{error}");
        assert!(error.to_string().contains("process"), "{error}");
        assert!(store.begin(new_run("run-3", &["c"])).await.is_ok(), "c was not kept");
    }

    #[tokio::test]
    async fn s15_a_dead_run_frees_what_it_did_not_touch_and_holds_what_it_may_have_wiped() {
        let store = Store::in_memory().unwrap();
        let log = store.begin(new_run("run-1", &["a", "b"])).await.unwrap();
        log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
        drop(log);
        let error = store.begin(new_run("run-2", &["a"])).await.unwrap_err();
        assert_eq!(claims(&error), [("a".to_owned(), false, 1)]);
        assert!(error.to_string().contains("reinstall perhaps sent"), "{error}");
        assert!(store.begin(new_run("run-3", &["b"])).await.is_ok());
    }

    #[tokio::test]
    async fn a_run_that_ended_frees_its_servers_except_the_unknown_ones() {
        let store = Store::in_memory().unwrap();
        let log = store.begin(new_run("run-1", &["a", "b"])).await.unwrap();
        let events = [
            wipe(&["a"]),
            wipe(&["b"]),
            ended("a", Ending::Verified),
            ended("b", Ending::Unknown),
            run_ended(),
        ];
        log.append((2..).zip(events).map(|(seq, event)| record(seq, event)).collect())
            .await
            .unwrap();
        drop(log);
        let error = store.begin(new_run("run-2", &["a", "b"])).await.unwrap_err();
        assert_eq!(claims(&error), [("b".to_owned(), false, 1)]);

        store.abandon(&"run-1".into(), &"b".into(), "ann", NOW).await.unwrap();
        assert!(store.begin(new_run("run-3", &["a", "b"])).await.is_ok());
        let error = store.abandon(&"run-1".into(), &"b".into(), "ann", NOW).await.unwrap_err();
        assert!(matches!(error, Error::NotHeld { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_run_is_taken_over_only_when_its_owner_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let run = RunId::from("run-1");
        let one = Store::open(&path).unwrap();
        let log = one.begin(new_run("run-1", &["a"])).await.unwrap();
        let other = Store::open(&path).unwrap();
        let error = other.take_over(&run, NOW).await.unwrap_err();
        assert!(matches!(error, Error::RunAlive { .. }), "{error}");
        assert_eq!(other.find("run").await.unwrap().alive, Some(std::process::id()));

        log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
        drop(log);
        assert_eq!(other.find("run").await.unwrap().alive, None);
        let TakenOver { log, stored, .. } = other.take_over(&run, NOW).await.unwrap();
        assert_eq!(stored.plan_json, "{\"of\":\"run-1\"}");
        assert_eq!(stored.records.len(), 2);
        log.append(vec![record(3, Event::Resumed)]).await.unwrap();
        assert!(one.take_over(&run, NOW).await.is_err(), "it has an owner again");
    }

    #[tokio::test]
    async fn an_ended_run_takes_no_record_and_no_new_owner() {
        let store = Store::in_memory().unwrap();
        let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
        log.append(vec![record(2, run_ended())]).await.unwrap();
        let error = log.append(vec![record(3, Event::Resumed)]).await.unwrap_err();
        assert!(matches!(error, Error::RunOver { .. }), "{error}");
        drop(log);
        let error = store.take_over(&"run-1".into(), NOW).await.unwrap_err();
        assert!(matches!(error, Error::RunOver { .. }), "{error}");
        assert!(store.unfinished().await.unwrap().is_empty());
        let end = store.find("run-1").await.unwrap().end;
        assert_eq!(end, Some((CloseCause::Done, Counts::default())));
    }

    #[tokio::test]
    async fn records_with_a_gap_are_refused_whole() {
        let store = Store::in_memory().unwrap();
        let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
        let gap = vec![record(2, Event::Resumed), record(4, Event::Resumed)];
        let error = log.append(gap).await.unwrap_err();
        assert!(matches!(error, Error::Sequence { expected: 3, found: 4, .. }), "{error}");
        assert_eq!(store.records(&"run-1".into()).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_batch_that_cannot_be_written_harms_no_other_that_waits_with_it() {
        let store = Store::in_memory().unwrap();
        let good = store.begin(new_run("run-1", &["a"])).await.unwrap();
        let bad = store.begin(new_run("run-2", &["b"])).await.unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let hold = store.with_connection(move |_| Ok(wait.recv().is_ok()));
        let appends = async {
            tokio::join!(
                async { release.send(()).unwrap() },
                good.append(vec![record(2, Event::Resumed)]),
                bad.append(vec![record(9, Event::Resumed)]),
            )
        };
        let (_, ((), good, bad)) = tokio::join!(hold, appends);
        good.unwrap();
        assert!(matches!(bad, Err(Error::Sequence { .. })));
    }

    #[tokio::test]
    async fn a_full_disk_and_a_file_that_cannot_be_written_are_errors() {
        for (name, value) in [("max_page_count", 1), ("query_only", 1)] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("state")).unwrap();
            let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
            store
                .with_connection(move |connection| {
                    connection.pragma_update_and_check(None, name, value, |_| Ok(())).or(Ok(()))
                })
                .await;
            let ids: Vec<String> = (0..9_000).map(|n| format!("server-{n}")).collect();
            let servers = ids.iter().map(|id| id.as_str().into()).collect();
            let error = log.append(vec![record(2, Event::Started { servers })]).await.unwrap_err();
            assert!(matches!(error, Error::Sqlite(_)), "{name}: {error}");
        }
    }

    #[tokio::test]
    async fn files_that_are_not_ours_are_refused_and_left_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let check = |name: &str, make: &dyn Fn(&Path), want: &str| {
            let path = dir.path().join(name);
            make(&path);
            let before = std::fs::metadata(&path).unwrap().len();
            let error = Store::open(&path).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
        };
        let sql = |path: &Path, sql: &str| {
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
        };
        let text = |path: &Path| put(path, "no database\n".repeat(200).as_bytes());
        check("text", &text, "no SQLite file");
        check("foreign", &|path| sql(path, "CREATE TABLE t (x)"), "of another program");
        let newer = |path: &Path| {
            drop(Store::open(path).unwrap());
            sql(path, "PRAGMA user_version = 99");
        };
        check("newer", &newer, "its format is 99, and this refleet knows 1 to 3");
    }

    fn put(path: &Path, bytes: &[u8]) {
        let mut file = std::fs::File::create(path).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    }

    fn bytes_of(path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = std::fs::File::open(path).unwrap();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        bytes
    }

    /// A state file with a run that holds a server, whole: what was beside it is in it.
    async fn state_file(path: &Path) -> Vec<u8> {
        let store = Store::open(path).unwrap();
        let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
        log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
        drop(log);
        drop(store);
        bytes_of(path)
    }

    #[tokio::test]
    async fn a_state_file_that_was_cut_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let whole = state_file(&dir.path().join("whole")).await;
        for length in [1, 99, 100, 512, 3_000, 4_096, whole.len() / 2, whole.len() - 1] {
            let path = dir.path().join(format!("cut-{length}"));
            put(&path, &whole[..length]);
            for opened in [Store::open(&path), Store::open_existing(&path)] {
                let error = opened.expect_err(&format!("{length} bytes were taken")).to_string();
                assert!(error.contains("it is damaged"), "{length}: {error}");
                assert_eq!(bytes_of(&path), whole[..length], "{length}");
            }
        }
    }

    /// What a process leaves that was killed: a part of it is in the log beside the file.
    #[tokio::test]
    async fn a_state_file_that_was_cut_beside_its_log_gives_no_server_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("whole");
        let store = Store::open(&path).unwrap();
        let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
        log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
        let whole = bytes_of(&path);
        let beside = bytes_of(&dir.path().join("whole-wal"));
        for length in [0, 1, 100, 3_000, 4_096, whole.len() / 2, whole.len() - 1, whole.len()] {
            let path = dir.path().join(format!("cut-{length}"));
            put(&path, &whole[..length]);
            put(&dir.path().join(format!("cut-{length}-wal")), &beside);
            let taken = match Store::open(&path) {
                Ok(store) => store.begin(new_run("run-2", &["a"])).await.map(drop),
                Err(error) => Err(error),
            };
            taken.expect_err(&format!("{length} bytes of {} gave it away", whole.len()));
        }
    }

    #[tokio::test]
    async fn a_file_without_a_byte_is_set_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        put(&path, b"");
        assert!(state_file(&path).await.starts_with(b"SQLite format 3"));
    }

    #[test]
    fn a_state_file_that_many_make_at_once_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..5 {
            let path = dir.path().join(format!("state-{round}"));
            std::thread::scope(|scope| {
                let open = || Store::open(&path).map(drop);
                let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                for one in all {
                    one.join().unwrap().unwrap();
                }
            });
        }
    }

    #[tokio::test]
    async fn a_state_file_that_is_not_there_has_no_runs_and_is_not_made_by_looking() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert!(Store::open_existing(&path).unwrap().runs().await.unwrap().is_empty());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_run_is_found_by_what_only_its_id_begins_with() {
        let store = Store::in_memory().unwrap();
        for (run, server) in [("01", "a"), ("012", "b"), ("02", "c")] {
            drop(store.begin(new_run(run, &[server])).await.unwrap());
        }
        assert_eq!(store.find("02").await.unwrap().run.as_str(), "02");
        assert_eq!(store.find("01").await.unwrap().run.as_str(), "01", "exact goes first");
        assert!(
            matches!(store.find("0").await.unwrap_err(), Error::Ambiguous { runs, .. } if runs.len() == 3)
        );
        assert!(matches!(store.find("3").await.unwrap_err(), Error::NoSuchRun { .. }));
    }
}
