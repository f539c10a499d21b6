//! The one thread that touches the file, and its group commit.
//!
//! Start with [`Writer::append`]: what waits together goes to the disk together, so many servers
//! cost few syncs, and nobody goes on before what it said is durable.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::domain::{Event, Record, RunId, ServerId, Timestamp};

use super::error::Holder;
use super::lock::RunLock;
use super::place::Watched;
use super::takeover::holder_of;
use super::{Error, request};

/// The most messages in one transaction: bounds what a failed commit has to try again one by one.
const GROUP: usize = 1_024;

type Task = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Append(Append),
    Task(Task),
}

struct Append {
    batch: Batch,
    answer: oneshot::Sender<Result<(), Error>>,
}

/// Records of one run on their way to the disk, already written out: that work is not the thread's.
pub(super) struct Batch {
    run: RunId,
    rows: Vec<Row>,
    /// Requests that these records tell of, each with its record.
    heard: Vec<(u64, u64)>,
    /// Servers that a request goes to, or a program runs for, once these records are durable.
    touched: BTreeSet<ServerId>,
    ends: bool,
    /// The process that drives the run; `None`: they are not that process's.
    owner: Option<Arc<Owner>>,
}

/// The right of this process to drive a run. A lock of the kernel says who lives, on this machine; the
/// number says who owns the run now, wherever its last owner may still be.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) lock: RunLock,
    pub(super) epoch: i64,
    /// Whether the run claims its servers.
    pub(super) claims: bool,
    /// The state file; `None`: it is in memory.
    pub(super) file: Option<Watched>,
}

impl Owner {
    /// Whether others still find what we write and hold.
    pub(super) fn check_files(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), Watched::check)?;
        self.lock.check()
    }

    fn check(
        &self,
        transaction: &Transaction<'_>,
        run: &RunId,
        touched: &BTreeSet<ServerId>,
    ) -> Result<(), Error> {
        self.check_files()?;
        let mut select = transaction
            .prepare_cached("SELECT owner_epoch, owner_pid, owner_since FROM run WHERE id = ?1")?;
        let (epoch, pid, since): (i64, u32, i64) =
            select.query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if epoch != self.epoch {
            return Err(Error::Superseded { run: run.clone(), pid, since: Timestamp(since) });
        }
        for server in touched.iter().filter(|_| self.claims) {
            let holder = holder_of(transaction, server)?;
            if holder.as_ref().is_none_or(|(holder, ..)| holder != run) {
                let holder = holder.map(|(run, since, pid)| Box::new(Holder { run, pid, since }));
                return Err(Error::ClaimLost { run: run.clone(), server: server.clone(), holder });
            }
        }
        Ok(())
    }
}

/// The servers that are touched because of a record.
fn touched(event: &Event) -> &[ServerId] {
    if let Event::Intended { servers, .. } = event {
        servers
    } else if let Event::StepStarted { server, .. } = event {
        std::slice::from_ref(server)
    } else {
        &[]
    }
}

struct Row {
    seq: u64,
    at: u64,
    wall: i64,
    json: String,
}

impl Batch {
    pub(super) fn new(run: &RunId, records: &[Record]) -> Result<Self, Error> {
        let row =
            |record: &Record| {
                let json = serde_json::to_string(&record.event).map_err(|source| {
                    Error::Record { run: run.clone(), seq: record.seq, source }
                })?;
                Ok(Row { seq: record.seq, at: record.at.0, wall: record.wall.0, json })
            };
        let rows = records.iter().map(row).collect::<Result<_, Error>>()?;
        let ends = records.iter().any(|record| matches!(record.event, Event::RunEnded { .. }));
        let heard = records.iter().filter_map(|record| {
            let Event::Steered { by: Some(by), .. } = &record.event else { return None };
            Some((by.number, record.seq))
        });
        let touched = records.iter().flat_map(|record| touched(&record.event)).cloned().collect();
        let (run, heard) = (run.clone(), heard.collect());
        Ok(Self { run, rows, heard, touched, ends, owner: None })
    }

    /// The same, written by the process that drives the run, as long as it may.
    pub(super) fn by(self, owner: Arc<Owner>) -> Self {
        Self { owner: Some(owner), ..self }
    }

    pub(super) fn write(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if let Some(owner) = &self.owner {
            owner.check(transaction, &self.run, &self.touched)?;
        }
        self.check_place(transaction)?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO event (run, seq, at_ms, wall_ms, json) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for row in &self.rows {
            let (seq, at) = (integer(row.seq), integer(row.at));
            insert.execute((self.run.as_str(), seq, at, row.wall, &row.json))?;
        }
        for (number, seq) in &self.heard {
            request::take(transaction, self.run.as_str(), *number, *seq)?;
        }
        if self.ends { release(transaction, &self.run) } else { Ok(()) }
    }

    /// Records follow each other without gaps, and none follows the end.
    fn check_place(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let mut last = transaction.prepare_cached(
            "SELECT seq, kind = 'run_ended' FROM event WHERE run = ?1 ORDER BY seq DESC LIMIT 1",
        )?;
        let mut rows = last.query([self.run.as_str()])?;
        let (last, over): (i64, bool) = match rows.next()? {
            Some(row) => (row.get(0)?, row.get(1)?),
            None => (0, false),
        };
        if over && !self.rows.is_empty() {
            return Err(Error::RunOver { run: self.run.clone() });
        }
        let expected = u64::try_from(last).unwrap_or(0) + 1;
        match self.rows.iter().zip(expected..).find(|(row, expected)| row.seq != *expected) {
            Some((row, expected)) => {
                Err(Error::Sequence { run: self.run.clone(), expected, found: row.seq })
            }
            None => Ok(()),
        }
    }
}

/// A run that ended lets go of its servers, except those of which nobody can say whether they were
/// wiped: an in-doubt intent holds its claim (`safety.md`, S15).
fn release(transaction: &Transaction<'_>, run: &RunId) -> Result<(), Error> {
    transaction.execute(
        "DELETE FROM claim WHERE run = ?1 AND server NOT IN (
             SELECT server FROM event
             WHERE run = ?1 AND kind = 'ended' AND json ->> '$.ending' = 'unknown')",
        [run.as_str()],
    )?;
    Ok(())
}

/// `SQLite`'s integers are signed; no counter of ours comes near the end of them.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way to the thread. The file is closed when the last holder is gone.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Arc<Self>, Error> {
        let (sender, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || work(connection, &inbox))
            .map_err(|source| Error::Files {
                path: "a thread for the state file".into(),
                source,
            })?;
        Ok(Arc::new(Self { sender: Some(sender), thread: Some(thread) }))
    }

    /// Appends records; they are durable when this returns `Ok`.
    pub(super) async fn append(&self, batch: Batch) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Append(Append { batch, answer }))?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Runs something else with the connection, in its turn.
    pub(super) async fn task<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Task(Box::new(move |connection| {
            // The asker may have gone away; then nobody needs the answer.
            answer.send(task(connection)).ok();
        })))?;
        answered.await.map_err(|_| Error::Closed)?
    }

    fn send(&self, message: Message) -> Result<(), Error> {
        let sender = self.sender.as_ref().ok_or(Error::Closed)?;
        sender.send(message).map_err(|_| Error::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was answered to whoever waited for it.
            thread.join().ok();
        }
    }
}

fn work(mut connection: Connection, inbox: &Receiver<Message>) {
    while let Ok(first) = inbox.recv() {
        let mut group = Vec::new();
        for message in std::iter::once(first).chain(inbox.try_iter()).take(GROUP) {
            match message {
                Message::Append(append) => group.push(append),
                Message::Task(task) => {
                    commit(&mut connection, std::mem::take(&mut group));
                    task(&mut connection);
                }
            }
        }
        commit(&mut connection, group);
    }
}

/// One transaction for all; if it fails, one for each, so that a bad batch harms nobody else.
fn commit(connection: &mut Connection, group: Vec<Append>) {
    if group.is_empty() {
        return;
    }
    let together = write_all(connection, group.iter().map(|append| &append.batch)).is_ok();
    for Append { batch, answer } in group {
        let result = if together { Ok(()) } else { write_all(connection, std::iter::once(&batch)) };
        // Whoever hears of it may let go of the run at once.
        drop(batch);
        // The asker may have gone away; its records are kept all the same.
        answer.send(result).ok();
    }
}

fn write_all<'b>(
    connection: &mut Connection,
    batches: impl Iterator<Item = &'b Batch>,
) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for batch in batches {
        batch.write(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}
