//! The one thread that touches the file, and its group commit.
//!
//! Start with [`Writer::append`]: what waits together goes to the disk together, so many servers
//! cost few syncs, and nobody goes on before what it said is durable.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::domain::{Event, Record, RunId};

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
    ends: bool,
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
        Ok(Self { run: run.clone(), rows, heard: heard.collect(), ends })
    }

    pub(super) fn write(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
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
    for append in group {
        let result =
            if together { Ok(()) } else { write_all(connection, std::iter::once(&append.batch)) };
        // The asker may have gone away; its records are kept all the same.
        append.answer.send(result).ok();
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
