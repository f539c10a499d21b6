//! Who may touch a server: claims, and the takeover of a run whose process died.
//!
//! Start with [`Store::take_over`]. A server that another run has is no reason to leave the rest of a
//! run undone: it is named, and the engine drops it by a record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::domain::{Deed, Event, Record, Request, RunId, ServerId, Timestamp};

use super::lock::{Locks, RunLock};
use super::query::{self, StoredRun};
use super::touch::{kept, may_touch};
use super::writer::Owner;
use super::{Error, HeldClaim, OpenIntent, RunLog, Store, request};

/// A run that was taken over.
#[derive(Debug)]
pub struct TakenOver {
    /// Its log, held by us.
    pub log: RunLog,
    /// All that was written before.
    pub stored: StoredRun,
    /// Words that were left for it meanwhile.
    pub left: Vec<Request>,
    /// Servers that it still had to do with and that another run has, or reinstalled meanwhile:
    /// they are not touched any more.
    pub yielded: Vec<(ServerId, RunId)>,
    /// What other runs of this state file did to its servers since it was left.
    pub elsewhere: Vec<Elsewhere>,
}

/// What another run sent to servers of a run that was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The other run.
    pub run: RunId,
    /// What it sent.
    pub deed: Deed,
    /// To which.
    pub servers: BTreeSet<ServerId>,
    /// When it last did.
    pub last: Timestamp,
}

impl Store {
    /// Takes a run over from a process that died, straight away, with all that it wrote. The
    /// records come from before: the first new one is for the engine to make.
    pub async fn take_over(&self, run: &RunId, now: Timestamp) -> Result<TakenOver, Error> {
        let (locks, wanted) = (self.locks.clone(), run.clone());
        let task = move |connection: &mut Connection| take_over(connection, &locks, &wanted, now);
        let Taken { lock, epoch, stored, left, yielded, elsewhere } =
            self.writer.task(task).await?;
        let owner = Owner { lock, epoch, claims: true, file: self.file.clone() };
        let log = RunLog::new(run.clone(), Arc::clone(&self.writer), owner);
        Ok(TakenOver { log, stored, left, yielded, elsewhere })
    }
}

struct Taken {
    lock: RunLock,
    epoch: i64,
    stored: StoredRun,
    left: Vec<Request>,
    yielded: Vec<(ServerId, RunId)>,
    elsewhere: Vec<Elsewhere>,
}

fn take_over(
    connection: &mut Connection,
    locks: &Locks,
    run: &RunId,
    now: Timestamp,
) -> Result<Taken, Error> {
    let (pid, since) = query::run(connection, run)?.owner;
    let lock = locks.take(run)?.ok_or_else(|| Error::RunAlive { run: run.clone(), pid, since })?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Its owner may have ended it between the first look and the lock.
    if query::run(&transaction, run)?.summary.end.is_some() {
        return Err(Error::RunOver { run: run.clone() });
    }
    let stored = query::stored(&transaction, run)?;
    let others = Others::look(&transaction, locks, run, may_touch(&stored.records))?;
    others.claim_the_rest(&transaction, run, now)?;
    let epoch = own(&transaction, run, now)?;
    let left = request::open(&transaction, run)?;
    transaction.commit()?;
    let (yielded, elsewhere) = (others.yielded.into_iter().collect(), others.elsewhere);
    Ok(Taken { lock, epoch, stored, left, yielded, elsewhere })
}

/// Makes this process the owner of a run: whoever owned it before is refused from now on, also if
/// it still lives somewhere.
pub(super) fn own(
    transaction: &Transaction<'_>,
    run: &RunId,
    now: Timestamp,
) -> Result<i64, Error> {
    let sql = "UPDATE run SET owner_pid = ?2, owner_since = ?3, owner_epoch = owner_epoch + 1
               WHERE id = ?1 RETURNING owner_epoch";
    let owner = (run.as_str(), std::process::id(), now.0);
    Ok(transaction.query_row(sql, owner, |row| row.get(0))?)
}

/// What other runs have, and did, of the servers of one that is taken over.
struct Others {
    wanted: BTreeSet<ServerId>,
    yielded: BTreeMap<ServerId, RunId>,
    elsewhere: Vec<Elsewhere>,
}

impl Others {
    fn look(
        transaction: &Transaction<'_>,
        locks: &Locks,
        run: &RunId,
        wanted: BTreeSet<ServerId>,
    ) -> Result<Self, Error> {
        let mut others = Self { wanted, yielded: BTreeMap::new(), elsewhere: Vec::new() };
        let mut holders = Holders::new(locks);
        let mut lost = BTreeSet::new();
        for server in &others.wanted {
            // A run lets go of its claims only when it ends. One that is gone was taken by another
            // run in between, whatever the clocks say of who was first.
            let holder = holder_of(transaction, server)?;
            if holder.as_ref().is_some_and(|(holder, ..)| holder == run) {
                continue;
            }
            lost.insert(server.clone());
            if let Some((holder, ..)) = holder
                && holders.get(transaction, &holder)?.holds(server)
            {
                others.yielded.insert(server.clone(), holder);
            }
        }
        if !lost.is_empty() {
            others.look_at_deeds(transaction, run, &lost)?;
        }
        Ok(others)
    }

    /// What was sent to these servers by runs that had them after this one. Who wiped a server has
    /// it: what came of it is that run's to say.
    fn look_at_deeds(
        &mut self,
        transaction: &Transaction<'_>,
        run: &RunId,
        lost: &BTreeSet<ServerId>,
    ) -> Result<(), Error> {
        let mut all: BTreeMap<(RunId, Deed), Elsewhere> = BTreeMap::new();
        for (other, record) in deeds_of_others(transaction, run)? {
            let Event::Intended { deed, servers, .. } = &record.event else { continue };
            for server in servers.iter().filter(|server| lost.contains(*server)) {
                let entry = all.entry((other.clone(), *deed)).or_insert_with(|| Elsewhere {
                    run: other.clone(),
                    deed: *deed,
                    servers: BTreeSet::new(),
                    last: record.wall,
                });
                entry.servers.insert(server.clone());
                entry.last = entry.last.max(record.wall);
                if *deed == Deed::Reinstall {
                    self.yielded.entry(server.clone()).or_insert_with(|| other.clone());
                }
            }
        }
        self.elsewhere = all.into_values().collect();
        Ok(())
    }

    fn claim_the_rest(
        &self,
        transaction: &Transaction<'_>,
        run: &RunId,
        now: Timestamp,
    ) -> Result<(), Error> {
        for server in self.wanted.iter().filter(|server| !self.yielded.contains_key(*server)) {
            take(transaction, server, run, now)?;
        }
        Ok(())
    }
}

/// The intents of other runs that may be younger than this run's claims: of those that began after
/// it, and of older ones that went on after it began.
fn deeds_of_others(
    transaction: &Transaction<'_>,
    run: &RunId,
) -> Result<Vec<(RunId, Record)>, Error> {
    let mut select = transaction.prepare(
        "SELECT event.run, event.seq FROM event
         JOIN run ON run.id = event.run JOIN run AS this ON this.id = ?1
         WHERE event.run <> ?1 AND event.kind = 'intended'
           AND (run.rowid > this.rowid OR event.wall_ms > this.created)
         ORDER BY event.wall_ms DESC",
    )?;
    let rows = select.query_map([run.as_str()], |row| {
        Ok((RunId::from(row.get::<_, String>(0)?), row.get::<_, i64>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (other, seq) = row?;
        found.push((other.clone(), query::record(transaction, &other, seq)?));
    }
    Ok(found)
}

/// Claims servers for a new run: all, or an error that names each that is held.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    locks: &Locks,
    run: &RunId,
    servers: &[ServerId],
    now: Timestamp,
) -> Result<(), Error> {
    let mut holders = Holders::new(locks);
    let mut held = Vec::new();
    for server in servers {
        let holder = holder_of(transaction, server)?.filter(|(holder, ..)| holder != run);
        if let Some((holder, since, pid)) = holder {
            let by = holders.get(transaction, &holder)?;
            if by.holds(server) {
                held.push(HeldClaim {
                    server: server.clone(),
                    run: holder,
                    since,
                    alive: by.alive.then_some(pid),
                    open: by.kept.get(server).cloned().unwrap_or_default(),
                });
                continue;
            }
        }
        take(transaction, server, run, now)?;
    }
    if held.is_empty() { Ok(()) } else { Err(Error::Claimed(held)) }
}

/// The run that has a server, since when, and the process that drives it or drove it last.
pub(super) fn holder_of(
    transaction: &Transaction<'_>,
    server: &ServerId,
) -> Result<Option<(RunId, Timestamp, u32)>, Error> {
    let mut select = transaction.prepare_cached(
        "SELECT claim.run, since, owner_pid FROM claim JOIN run ON run.id = claim.run
         WHERE server = ?1",
    )?;
    let row = select.query_row([server.as_str()], |row| {
        Ok((RunId::from(row.get::<_, String>(0)?), Timestamp(row.get(1)?), row.get(2)?))
    });
    Ok(row.optional()?)
}

fn take(
    transaction: &Transaction<'_>,
    server: &ServerId,
    run: &RunId,
    now: Timestamp,
) -> Result<(), Error> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO claim (server, run, since) VALUES (?1, ?2, ?3)
         ON CONFLICT (server) DO UPDATE SET run = excluded.run, since = excluded.since
         WHERE run <> excluded.run",
    )?;
    insert.execute((server.as_str(), run.as_str(), now.0))?;
    Ok(())
}

/// Other runs that have claims, each looked at once.
struct Holders<'l> {
    locks: &'l Locks,
    known: BTreeMap<RunId, Holder>,
}

/// Another run that has a claim.
struct Holder {
    alive: bool,
    kept: BTreeMap<ServerId, Vec<OpenIntent>>,
}

impl<'l> Holders<'l> {
    fn new(locks: &'l Locks) -> Self {
        Self { locks, known: BTreeMap::new() }
    }

    fn get(&mut self, transaction: &Transaction<'_>, run: &RunId) -> Result<&Holder, Error> {
        if !self.known.contains_key(run) {
            let kept = kept(&query::records(transaction, run, 0)?);
            let holder = Holder { alive: self.locks.is_alive(run)?, kept };
            self.known.insert(run.clone(), holder);
        }
        Ok(&self.known[run])
    }
}

impl Holder {
    fn holds(&self, server: &ServerId) -> bool {
        self.alive || self.kept.contains_key(server)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Ending;
    use crate::journal::Journal as _;
    use crate::journal::store::tests::{NOW, ended, intended, new_run, record, run_ended, wipe};

    use super::*;

    async fn begin(store: &Store, run: &str, servers: &[&str]) -> RunLog {
        store.begin(new_run(run, servers)).await.unwrap()
    }

    async fn take(store: &Store, run: &str) -> TakenOver {
        store.take_over(&run.into(), NOW).await.unwrap()
    }

    fn yielded(taken: &TakenOver) -> Vec<(&str, &str)> {
        taken.yielded.iter().map(|(server, run)| (server.as_str(), run.as_str())).collect()
    }

    async fn append(log: &RunLog, from: u64, events: Vec<Event>) -> Result<(), Error> {
        log.append((from..).zip(events).map(|(seq, event)| record(seq, event)).collect()).await
    }

    #[tokio::test]
    async fn p4_a_server_that_a_living_run_has_is_left_to_it_and_the_others_go_on() {
        let store = Store::in_memory().unwrap();
        drop(begin(&store, "run-1", &["a", "b"]).await);
        let _other = begin(&store, "run-2", &["b"]).await;
        let taken = take(&store, "run-1").await;
        assert_eq!(yielded(&taken), [("b", "run-2")]);
        append(&taken.log, 2, vec![wipe(&["a"])]).await.unwrap();
        let error = append(&taken.log, 3, vec![wipe(&["b"])]).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("touch b: run run-1 does not hold it any more; run run-2"),
            "{text}"
        );
        assert_eq!(store.records(&"run-1".into()).await.unwrap().len(), 2, "nothing was written");
    }

    #[tokio::test]
    async fn p4_a_run_of_which_others_have_every_server_is_taken_over_all_the_same() {
        let store = Store::in_memory().unwrap();
        drop(begin(&store, "run-1", &["a", "b"]).await);
        let _other = begin(&store, "run-2", &["a", "b"]).await;
        let taken = take(&store, "run-1").await;
        assert_eq!(yielded(&taken), [("a", "run-2"), ("b", "run-2")]);
        append(&taken.log, 2, vec![Event::Resumed, run_ended()]).await.unwrap();
    }

    #[tokio::test]
    async fn p4_a_server_that_is_owed_a_start_is_kept_for_the_run_that_stopped_it() {
        let store = Store::in_memory().unwrap();
        let log = begin(&store, "run-1", &["a", "b"]).await;
        let stopped = Event::Stopped { servers: vec!["a".into()] };
        let events = vec![intended(Deed::Stop, &["a"]), stopped, ended("a", Ending::Drifted)];
        append(&log, 2, events).await.unwrap();
        drop(log);
        let error = store.begin(new_run("run-2", &["a"])).await.unwrap_err().to_string();
        let want = "a is held by run run-1 since 2026-";
        assert!(error.contains(want), "{error}");
        assert!(error.contains("open ends: stopped, and not started again"), "{error}");

        // What ended is claimed too, since it is to be started back.
        let taken = take(&store, "run-1").await;
        assert_eq!(yielded(&taken), []);
        append(&taken.log, 5, vec![intended(Deed::Start, &["a"])]).await.unwrap();
        drop(taken);

        // A person may say that nobody has to start it.
        store.abandon(&"run-1".into(), &"a".into(), "ann", NOW).await.unwrap();
        assert!(store.begin(new_run("run-3", &["a"])).await.is_ok());
    }

    #[tokio::test]
    async fn w1_a_server_that_another_run_wiped_and_let_go_is_not_taken_back() {
        let store = Store::in_memory().unwrap();
        drop(begin(&store, "run-1", &["a", "b", "c"]).await);
        let other = begin(&store, "run-2", &["b", "c"]).await;
        let events = vec![
            intended(Deed::Stop, &["b"]),
            wipe(&["b"]),
            ended("b", Ending::Verified),
            ended("c", Ending::Drifted),
            run_ended(),
        ];
        append(&other, 2, events).await.unwrap();
        drop(other);
        let taken = take(&store, "run-1").await;
        assert_eq!(yielded(&taken), [("b", "run-2")]);
        let told: Vec<_> =
            taken.elsewhere.iter().map(|one| (one.deed, one.servers.len())).collect();
        assert_eq!(told, [(Deed::Stop, 1), (Deed::Reinstall, 1)]);
        append(&taken.log, 2, vec![wipe(&["a", "c"])]).await.unwrap();
    }

    #[tokio::test]
    async fn w1_what_others_did_before_this_run_began_is_no_reason_to_leave_a_server() {
        let store = Store::in_memory().unwrap();
        let other = begin(&store, "run-0", &["a"]).await;
        append(&other, 2, vec![wipe(&["a"]), ended("a", Ending::Verified), run_ended()])
            .await
            .unwrap();
        drop(begin(&store, "run-1", &["a"]).await);
        // Another run takes it, does nothing, and lets it go.
        let other = begin(&store, "run-2", &["a"]).await;
        append(&other, 2, vec![run_ended()]).await.unwrap();
        let taken = take(&store, "run-1").await;
        assert_eq!(yielded(&taken), [], "by the order of their beginnings, not by the clock");
    }

    #[tokio::test]
    async fn r3_an_owner_of_before_writes_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let one = Store::open(&path).unwrap();
        let log = begin(&one, "run-1", &["a"]).await;
        // Somebody removes the lock, so that another process takes the run over.
        std::fs::remove_dir_all(dir.path().join("state.locks")).unwrap();
        let other = Store::open(&path).unwrap();
        let taken = take(&other, "run-1").await;
        let error = log.owner_error(vec![record(2, wipe(&["a"]))]).await;
        assert!(error.contains("go on with run run-1: process"), "{error}");
        append(&taken.log, 2, vec![wipe(&["a"])]).await.unwrap();
    }

    #[tokio::test]
    async fn r3_no_step_begins_on_a_server_that_another_run_has() {
        let store = Store::in_memory().unwrap();
        let log = begin(&store, "run-1", &["a"]).await;
        store
            .with_connection(|connection| {
                connection.execute("DELETE FROM claim WHERE server = 'a'", [])
            })
            .await;
        let (server, step) = ("a".into(), "drain".to_owned());
        let step = Event::StepStarted { server, step, attempt: 1, undo: false };
        let error = append(&log, 2, vec![step]).await.unwrap_err();
        assert!(matches!(&error, Error::ClaimLost { holder: None, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_run_without_claims_touches_what_is_its_own() {
        let store = Store::in_memory().unwrap();
        let mut new = new_run("run-1", &["a"]);
        new.servers.clear();
        let log = store.begin(new).await.unwrap();
        append(&log, 2, vec![wipe(&["a"])]).await.unwrap();
    }
}
