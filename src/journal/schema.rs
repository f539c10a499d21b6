//! The tables of a state file, and how a file is opened without harming one that is not ours.
//!
//! Start with [`open`]. A file is looked at before the first write to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::Error;
use super::place::{Access, beside};

/// `rflt` in ASCII: marks a file as ours in its `SQLite` header.
const APPLICATION_ID: i64 = 0x7266_6c74;
/// Version of the tables; the events have a version of their own.
const VERSION: i64 = 3;
/// Other processes share the file, and each of their transactions is short.
const BUSY: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// `kind` and `server` follow from `json`, so they are computed and can never disagree with it.
const TABLES: &str = "
CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    plan        TEXT NOT NULL,
    plan_json   TEXT NOT NULL,
    name        TEXT NOT NULL,
    cloud       TEXT NOT NULL,
    created     INTEGER NOT NULL,
    format      INTEGER NOT NULL,
    owner_pid   INTEGER NOT NULL,
    owner_since INTEGER NOT NULL,
    owner_epoch INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE event (
    run     TEXT NOT NULL REFERENCES run (id),
    seq     INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    kind    TEXT GENERATED ALWAYS AS (json ->> '$.event') VIRTUAL,
    server  TEXT GENERATED ALWAYS AS (json ->> '$.server') VIRTUAL,
    json    TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE claim (
    server TEXT PRIMARY KEY,
    run    TEXT NOT NULL REFERENCES run (id),
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_by_run ON claim (run);
CREATE TABLE plan_used (
    plan TEXT PRIMARY KEY,
    run  TEXT NOT NULL REFERENCES run (id)
) STRICT, WITHOUT ROWID;
";

/// Words for a run from other shells; new in version 2. `seen` is the last record that was there when
/// it was asked, `taken` the one that says that it was heard. `server` is for `abandon` only.
const REQUESTS: &str = "
CREATE TABLE request (
    run    TEXT NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    word   TEXT NOT NULL,
    server TEXT,
    who    TEXT NOT NULL,
    asked  INTEGER NOT NULL,
    seen   INTEGER NOT NULL,
    taken  INTEGER,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
";

/// The number of a run's owner, which each takeover raises; new in version 3.
const OWNER_EPOCH: &str = "ALTER TABLE run ADD COLUMN owner_epoch INTEGER NOT NULL DEFAULT 1;";

/// What a state file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// To write to it; an empty one is set up.
    Making,
    /// To write to one that is there.
    Writing,
    /// To look things up: it stays in the format that it is in.
    Looking,
}

/// A state file that was brought to the format of this refleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The format that it had.
    pub from: i64,
    /// The format that it has.
    pub to: i64,
}

/// Opens a state file by its one path.
pub(super) fn open(path: &Path, purpose: For) -> Result<(Connection, Option<Upgrade>), Error> {
    let explain = |source| explain(path, source);
    // Made empty by somebody else: `SQLite` would throw its log away.
    if has_log(path) && bytes(path).is_ok_and(|bytes| bytes == 0) {
        let why = "it is empty, and its log beside it is not".to_owned();
        return Err(Error::Damaged { path: path.to_owned(), why });
    }
    // The path is whole, so a link that somebody has put there just now is not followed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags).map_err(explain)?;
    connection.busy_timeout(BUSY).map_err(explain)?;
    if look(&mut connection, path)? == Found::Nothing && purpose == For::Making {
        // Before WAL: so the file itself is empty or ours at any moment, and never half made.
        create(&mut connection).map_err(explain)?;
        // Two may have made it at once; the second finds the first one's work, or a newer one's.
        look(&mut connection, path)?;
    }
    let upgraded = match purpose {
        For::Making | For::Writing => {
            let upgraded = upgrade(&mut connection).map_err(explain)?;
            pace(&connection).map_err(explain)?;
            upgraded
        }
        For::Looking => {
            connection.pragma_update(None, "query_only", true).map_err(explain)?;
            None
        }
    };
    Access::of(path).open_log(path);
    Ok((connection, upgraded))
}

fn explain(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => Error::Damaged { path, why: source.to_string() },
        _ => Error::Open { path, source },
    }
}

/// The same tables in memory.
pub(super) fn in_memory() -> Result<Connection, Error> {
    let mut connection = Connection::open_in_memory()?;
    create(&mut connection)?;
    Ok(connection)
}

/// What a file has in it, if it is not somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The file has no byte: it may be set up.
    Nothing,
    /// Our tables.
    Ours,
}

/// Looks at the file without a change to it: one that was cut is never taken for an empty one, or
/// the claims in it would be forgotten, and a server be wiped by two runs. One transaction, so that nobody who makes the file at
/// this moment is half seen.
fn look(connection: &mut Connection, path: &Path) -> Result<Found, Error> {
    let explain = |source| explain(path, source);
    let looking = connection.transaction().map_err(explain)?;
    let tables: i64 = looking
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(explain)?;
    let number = |pragma: &str| looking.pragma_query_value(None, pragma, |row| row.get(0));
    let id: i64 = number("application_id").map_err(explain)?;
    let found: i64 = number("user_version").map_err(explain)?;
    let pages = number("page_count").map_err(explain)?;
    let wanted = pages * number("page_size").map_err(explain)?;
    let path = path.to_owned();
    let bytes = bytes(&path)?;
    match id {
        APPLICATION_ID if !(1..=VERSION).contains(&found) => {
            Err(Error::UnknownFormat { path, found, known: VERSION })
        }
        APPLICATION_ID if bytes < wanted && !has_log(&path) => {
            let why = format!("it has {bytes} bytes and should have {wanted}");
            Err(Error::Damaged { path, why })
        }
        APPLICATION_ID => Ok(Found::Ours),
        0 if tables == 0 && found == 0 && bytes == 0 => Ok(Found::Nothing),
        0 if tables == 0 && found == 0 => {
            Err(Error::Damaged { path, why: format!("its size is {bytes} without a table in it") })
        }
        _ => Err(Error::Foreign { path }),
    }
}

/// The size of a file. It is never opened beside `SQLite`: to close it again would free `SQLite`'s
/// locks on it.
fn bytes(path: &Path) -> Result<i64, Error> {
    let trouble = |source| Error::Files { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(trouble)?.len();
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

/// Whether what the file lacks may still be in the log beside it.
pub(super) fn has_log(path: &Path) -> bool {
    bytes(&beside(path, "-wal")).is_ok_and(|bytes| bytes > 0)
}

/// `FULL`: a commit is on the disk when it returns. `NORMAL` would lose the last intents with the
/// power.
fn pace(connection: &Connection) -> rusqlite::Result<()> {
    if !connection.is_readonly(rusqlite::MAIN_DB)? {
        use_log(connection)?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// To go over to WAL takes the whole file for a moment, and there `SQLite` does not wait for others
/// who open it at the same time.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = BUSY.as_millis() / BETWEEN_TRIES.as_millis();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if tries > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                tries -= 1;
                std::thread::sleep(BETWEEN_TRIES);
            }
            end => return end,
        }
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(REQUESTS)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

/// Gives a file of an older refleet what it lacks, in one transaction. Nothing that is in it is
/// changed.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<Option<Upgrade>> {
    let version = |of: &Connection| of.pragma_query_value(None, "user_version", |row| row.get(0));
    if version(connection)? == VERSION {
        return Ok(None);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Two may have found it old at once; the second finds the first one's work.
    let found: i64 = version(&transaction)?;
    if found < 2 {
        transaction.execute_batch(REQUESTS)?;
    }
    if found < 3 {
        transaction.execute_batch(OWNER_EPOCH)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok((found < VERSION).then_some(Upgrade { from: found, to: VERSION }))
}
