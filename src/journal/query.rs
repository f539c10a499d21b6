//! What can be read back: runs in short, and one run in full.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use crate::domain::{
    CloseCause, Counts, Event, FORMAT, PauseCause, PlanId, Record, RunId, ServerId, Time, Timestamp,
};

use super::Error;
use super::writer::integer;

/// A run in a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// Its plan.
    pub plan: PlanId,
    /// The playbook's name.
    pub name: String,
    /// The cloud's name in the playbook.
    pub cloud: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last written to.
    pub last: Timestamp,
    /// Why it ended and what came of its servers; `None`: it has not ended.
    pub end: Option<(CloseCause, Counts)>,
    /// What it waits for; `None`: it does not wait for a person.
    pub paused: Option<PauseCause>,
    /// The process that drives it, while it lives.
    pub alive: Option<u32>,
}

/// A run with all that is needed to go on with it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its id.
    pub run: RunId,
    /// Its plan, as it was handed in.
    pub plan_json: String,
    /// When it began.
    pub created: Timestamp,
    /// Version of its records.
    pub format: u32,
    /// All of them.
    pub records: Vec<Record>,
}

/// A run as its row says, and whether it lives is not said there.
pub(super) struct RunRow {
    pub(super) summary: RunSummary,
    pub(super) owner: (u32, Timestamp),
}

const RUN: &str = "SELECT run.id, run.plan, run.name, run.cloud, run.created, owner_pid,
        owner_since, event.wall_ms, iif(event.kind IN ('run_ended', 'paused'), event.json, NULL), event.seq
    FROM run JOIN event ON event.run = run.id
        AND event.seq = (SELECT max(seq) FROM event WHERE event.run = run.id AND kind <> 'abandoned')";

/// All runs, the oldest first.
pub(super) fn runs(connection: &Connection) -> Result<Vec<RunRow>, Error> {
    let mut select = connection.prepare_cached(&format!("{RUN} ORDER BY run.created, run.id"))?;
    let rows = select.query_map([], |row| Ok(run_row(row)))?;
    rows.map(|row| row?).collect()
}

/// One run.
pub(super) fn run(connection: &Connection, run: &RunId) -> Result<RunRow, Error> {
    let mut select = connection.prepare_cached(&format!("{RUN} WHERE run.id = ?1"))?;
    let row = select.query_row([run.as_str()], |row| Ok(run_row(row))).optional()?;
    row.ok_or_else(|| no_such(run))?
}

fn run_row(row: &Row<'_>) -> Result<RunRow, Error> {
    let text = |column| row.get::<_, String>(column);
    let run = RunId::from(text(0)?);
    let last = row.get::<_, Option<String>>(8)?;
    let last = last.map(|json| event(&run, row.get(9)?, &json)).transpose()?;
    let (end, paused) = if let Some(Event::RunEnded { cause, counts }) = last {
        (Some((cause, counts)), None)
    } else if let Some(Event::Paused { cause }) = last {
        (None, Some(cause))
    } else {
        (None, None)
    };
    let summary = RunSummary {
        run,
        plan: PlanId::from(text(1)?),
        name: text(2)?,
        cloud: text(3)?,
        created: Timestamp(row.get(4)?),
        last: Timestamp(row.get(7)?),
        end,
        paused,
        alive: None,
    };
    Ok(RunRow { summary, owner: (row.get(5)?, Timestamp(row.get(6)?)) })
}

/// The servers that a run has claims on.
pub(super) fn held(connection: &Connection, run: &RunId) -> Result<BTreeSet<ServerId>, Error> {
    let mut select = connection.prepare_cached("SELECT server FROM claim WHERE run = ?1")?;
    let rows = select.query_map([run.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|row| Ok(ServerId::from(row?))).collect()
}

/// The records of a run after that number, in their order.
pub(super) fn records(
    connection: &Connection,
    run: &RunId,
    after: u64,
) -> Result<Vec<Record>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT seq, at_ms, wall_ms, json FROM event WHERE run = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = select.query((run.as_str(), integer(after)))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let json = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        records.push(Record {
            seq: seq.unsigned_abs(),
            at: Time(at.unsigned_abs()),
            wall: Timestamp(row.get(2)?),
            event: event(run, seq, json)?,
        });
    }
    Ok(records)
}

/// One record of a run.
pub(super) fn record(connection: &Connection, run: &RunId, seq: i64) -> Result<Record, Error> {
    let mut select = connection
        .prepare_cached("SELECT at_ms, wall_ms, json FROM event WHERE run = ?1 AND seq = ?2")?;
    let (at, wall, json): (i64, i64, String) =
        select.query_row((run.as_str(), seq), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (number, at, wall) = (seq.unsigned_abs(), Time(at.unsigned_abs()), Timestamp(wall));
    Ok(Record { seq: number, at, wall, event: event(run, seq, &json)? })
}

/// A run in full.
pub(super) fn stored(connection: &Connection, run: &RunId) -> Result<StoredRun, Error> {
    let row = connection
        .query_row(
            "SELECT plan_json, created, format FROM run WHERE id = ?1",
            [run.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (plan_json, created, format) = row.ok_or_else(|| no_such(run))?;
    if !(1..=FORMAT).contains(&format) {
        return Err(Error::UnknownRunFormat { run: run.clone(), found: format, known: FORMAT });
    }
    let records = records(connection, run, 0)?;
    Ok(StoredRun { run: run.clone(), plan_json, created: Timestamp(created), format, records })
}

fn no_such(run: &RunId) -> Error {
    Error::NoSuchRun { wanted: run.to_string(), runs: Vec::new() }
}

fn event(run: &RunId, seq: i64, json: &str) -> Result<Event, Error> {
    serde_json::from_str(json).map_err(|source| Error::Record {
        run: run.clone(),
        seq: seq.unsigned_abs(),
        source,
    })
}
