//! Giving a server back that a run has not let go of: only a person may say so.
//!
//! Start with [`Store::abandon`]. It never touches the cloud; what the server came to is for that
//! person to find out.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::domain::{Event, Record, RunId, ServerId, Timestamp};

use super::lock::Locks;
use super::writer::Batch;
use super::{Error, OpenIntent, Store, kept, query, request, takeover};

impl Store {
    /// Gives a server back on which something of the run is open, and gives what that was. While no
    /// process drives the run: a run that has not ended is told of it by a record, and leaves the
    /// server alone when it is resumed.
    pub async fn abandon(
        &self,
        run: &RunId,
        server: &ServerId,
        name: &str,
        now: Timestamp,
    ) -> Result<Vec<OpenIntent>, Error> {
        let (locks, run, server) = (self.locks.clone(), run.clone(), server.clone());
        let by = (name.to_owned(), now);
        let task =
            move |connection: &mut Connection| abandon(connection, &locks, (&run, &server), &by);
        self.writer.task(task).await
    }
}

fn abandon(
    connection: &mut Connection,
    locks: &Locks,
    (run, server): (&RunId, &ServerId),
    by: &(String, Timestamp),
) -> Result<Vec<OpenIntent>, Error> {
    let (pid, since) = query::run(connection, run)?.owner;
    let alive = || Error::RunAlive { run: run.clone(), pid, since };
    // Held to the end, so that nobody resumes the run meanwhile.
    let _lock = locks.take(run)?.ok_or_else(alive)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let records = query::records(&transaction, run, 0)?;
    let free = || Error::NotHeld { run: run.clone(), server: server.clone() };
    let open = kept(&records).remove(server).ok_or_else(free)?;
    let sql = "DELETE FROM claim WHERE run = ?1 AND server = ?2";
    if transaction.execute(sql, (run.as_str(), server.as_str()))? == 0 {
        return Err(free());
    }
    let last = records.last().map_or(0, |record| record.seq);
    request::note_abandoned(&transaction, run, server, (&by.0, by.1, last))?;
    if !records.iter().any(|record| matches!(record.event, Event::RunEnded { .. })) {
        tell(&transaction, run, &records, (server, &open, by))?;
    }
    // Whoever drove the run before, and perhaps still does somewhere, is told by this.
    takeover::own(&transaction, run, by.1)?;
    transaction.commit()?;
    Ok(open)
}

/// Writes it into the journal of a run that may go on.
fn tell(
    transaction: &Transaction<'_>,
    run: &RunId,
    records: &[Record],
    (server, open, (name, wall)): (&ServerId, &[OpenIntent], &(String, Timestamp)),
) -> Result<(), Error> {
    let Some(last) = records.last() else { return Ok(()) };
    let event = Event::Abandoned {
        server: server.clone(),
        by: name.clone(),
        open: open.iter().map(OpenIntent::to_string).collect(),
    };
    // A run's time stands still while nobody drives it.
    let record = Record { seq: last.seq + 1, at: last.at, wall: *wall, event };
    Batch::new(run, &[record])?.write(transaction)
}
