//! Words for a run from other shells, and who said them.
//!
//! Start with [`Store::leave`]. A request is taken by the record that tells of it, in one transaction with
//! it; so it is told once, wherever a process dies.

use rusqlite::{Connection, Row, TransactionBehavior};

use crate::domain::{Asker, Request, RunId, ServerId, Steering, Timestamp};

use super::writer::integer;
use super::{Error, Store, query};

/// A word that was left for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// It.
    pub request: Request,
    /// It was there already, and nobody has taken it yet.
    pub again: bool,
}

/// What a request is called in the file.
const WORDS: [Steering; 3] = [Steering::Stop, Steering::Pause, Steering::Approve];

/// A word that somebody wants to leave.
#[derive(Clone, Debug)]
pub struct Word {
    /// What.
    pub steering: Steering,
    /// Who.
    pub name: String,
    /// Now.
    pub at: Timestamp,
    /// The last record that they saw.
    pub seen: u64,
}

impl Store {
    /// Leaves a word for a run that has not ended. The same word is not left twice while nobody has
    /// taken it.
    pub async fn leave(&self, run: &RunId, word: Word) -> Result<Left, Error> {
        let run = run.clone();
        self.writer.task(move |connection| leave(connection, &run, word)).await
    }

    /// Words for a run that nobody has taken, the oldest first.
    pub async fn left(&self, run: &RunId) -> Result<Vec<Request>, Error> {
        let run = run.clone();
        self.writer.task(move |connection| open(connection, &run)).await
    }
}

fn leave(connection: &mut Connection, run: &RunId, word: Word) -> Result<Left, Error> {
    let Word { steering, name, at, seen } = word;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if query::run(&transaction, run)?.summary.end.is_some() {
        return Err(Error::RunOver { run: run.clone() });
    }
    // An approval is for what its giver saw, so one of before does not stand for one of now.
    let same = |left: &Request| {
        left.steering == steering && (steering != Steering::Approve || left.by.seen >= seen)
    };
    if let Some(request) = open(&transaction, run)?.into_iter().find(same) {
        return Ok(Left { request, again: true });
    }
    let number = next(&transaction, run)?;
    transaction.execute(
        "INSERT INTO request (run, number, word, who, asked, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (run.as_str(), integer(number), steering.to_string(), &name, at.0, integer(seen)),
    )?;
    transaction.commit()?;
    let by = Asker { name, at, number, seen };
    Ok(Left { request: Request { steering, by }, again: false })
}

/// The number of the next request.
fn next(connection: &Connection, run: &RunId) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM request WHERE run = ?1";
    let number: i64 = connection.query_row(sql, [run.as_str()], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// Words that nobody has taken, the oldest first. A file of before there were such has none.
pub(super) fn open(connection: &Connection, run: &RunId) -> Result<Vec<Request>, Error> {
    if !connection.table_exists(None, "request")? {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare_cached(
        "SELECT word, who, asked, number, seen FROM request
         WHERE run = ?1 AND taken IS NULL ORDER BY number",
    )?;
    let rows = select.query_map([run.as_str()], |row| Ok(request(row)))?;
    let requests = rows.map(|row| Ok(row??)).collect::<Result<Vec<Option<Request>>, Error>>()?;
    Ok(requests.into_iter().flatten().collect())
}

/// A word of a newer refleet is none of ours: whoever knows it takes it.
fn request(row: &Row<'_>) -> rusqlite::Result<Option<Request>> {
    let word: String = row.get(0)?;
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let (at, number, seen) = (Timestamp(row.get(2)?), number(3)?, number(4)?);
    let by = Asker { name: row.get(1)?, at, number, seen };
    let steering = WORDS.into_iter().find(|known| known.to_string() == word);
    Ok(steering.map(|steering| Request { steering, by }))
}

/// Notes who gave a server up, and when.
pub(super) fn note_abandoned(
    connection: &Connection,
    run: &RunId,
    server: &ServerId,
    (name, at, seen): (&str, Timestamp, u64),
) -> Result<(), Error> {
    let number = next(connection, run)?;
    connection.execute(
        "INSERT INTO request (run, number, word, server, who, asked, seen, taken)
         VALUES (?1, ?2, 'abandon', ?3, ?4, ?5, ?6, ?6)",
        (run.as_str(), integer(number), server.as_str(), name, at.0, integer(seen)),
    )?;
    Ok(())
}

/// A record tells of that request.
pub(super) fn take(connection: &Connection, run: &str, number: u64, seq: u64) -> Result<(), Error> {
    let mut update = connection.prepare_cached(
        "UPDATE request SET taken = ?3 WHERE run = ?1 AND number = ?2 AND taken IS NULL",
    )?;
    update.execute((run, integer(number), integer(seq)))?;
    Ok(())
}
