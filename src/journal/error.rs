//! What can go wrong with a state file. Each message completes "failed to …".

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::domain::{PlanId, RunId, ServerId, Timestamp, list_some};

use super::OpenIntent;

/// A server that another run holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldClaim {
    /// The server.
    pub server: ServerId,
    /// The run that holds it.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
    /// The process that drives that run, while it lives.
    pub alive: Option<u32>,
    /// What that run sent to the server, or may have sent, and saw no end of.
    pub open: Vec<OpenIntent>,
}

impl fmt::Display for HeldClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held by run {} since {}", self.server, self.run, self.since)?;
        match self.alive {
            Some(pid) => write!(f, " (running, process {pid})"),
            None => write!(
                f,
                " (not running, but with open ends: {}; only `refleet resume` or `refleet abandon` ends this)",
                list_some(&self.open, 3)
            ),
        }
    }
}

/// Who has a server that a run lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// The process that drives it, or drove it last.
    pub pid: u32,
    /// Since when it has the server.
    pub since: Timestamp,
}

/// Trouble with the state file, or a refusal that it demands.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or made.
    #[error("open the state file {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The directory of the file or of its locks cannot be made, or a lock cannot be used.
    #[error("use {}: {source}", path.display())]
    Files {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be relied on.
    #[error("use the state file {}: {why}", path.display())]
    Unusable {
        /// The file, or what lies beside it.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What can be done.
        mend: String,
    },
    /// Locks on the file system of the state file do not work, so nobody can tell who lives.
    #[error(
        "use the state file: the file system of {} has no working locks ({why})",
        path.display()
    )]
    NoLocks {
        /// The file of the lock.
        path: PathBuf,
        /// What was seen.
        why: String,
    },
    /// A file that a run works with is not there any more.
    #[error("go on: {} is not the file that the run began with: {why}", path.display())]
    Replaced {
        /// The state file, or the file of the run's lock.
        path: PathBuf,
        /// What became of it.
        why: String,
    },
    /// Another process took the run over.
    #[error("go on with run {run}: process {pid} took it over at {since}")]
    Superseded {
        /// The run.
        run: RunId,
        /// The process that took it over.
        pid: u32,
        /// When.
        since: Timestamp,
    },
    /// The run has no claim on a server that it wants to touch.
    #[error("touch {server}: run {run} does not hold it any more{}", holder_text(holder.as_deref()))]
    ClaimLost {
        /// The run.
        run: RunId,
        /// The server.
        server: ServerId,
        /// Who has it now; `None`: nobody.
        holder: Option<Box<Holder>>,
    },
    /// The file is no `SQLite` file.
    #[error("open the state file {}: it is not a state file of refleet (and no SQLite file)", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file was cut or is broken: what it knew of claims is not known any more.
    #[error("open the state file {}: it is damaged ({why}); nothing in it was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file belongs to another program.
    #[error("open the state file {}: it is an SQLite file of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file has a format that we do not know.
    #[error(
        "open the state file {}: its format is {found}, and this refleet knows 1 to {known}",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// `SQLite` could not do it.
    #[error("use the state file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored record cannot be read, or a record cannot be written down.
    #[error("read record {seq} of run {run}: {source}")]
    Record {
        /// The run.
        run: RunId,
        /// The record.
        seq: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// A run is written in a format that we do not know.
    #[error("read run {run}: its format is {found}, and this refleet knows 1 to {known}")]
    UnknownRunFormat {
        /// The run.
        run: RunId,
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// Records came in the wrong order: a mistake of ours.
    #[error("append record {found} to run {run}: record {expected} is next")]
    Sequence {
        /// The run.
        run: RunId,
        /// The number that is next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The run ended: nothing is appended to it.
    #[error("append to run {run}: it has ended")]
    RunOver {
        /// The run.
        run: RunId,
    },
    /// The plan was used.
    #[error("use plan {plan:.12}: run {run} used it on {since}, and a plan is used once")]
    PlanUsed {
        /// The plan.
        plan: PlanId,
        /// The run that used it.
        run: RunId,
        /// When.
        since: Timestamp,
    },
    /// Other runs hold some of the servers.
    #[error("claim the servers of the run: {}", by_run(.0))]
    Claimed(Vec<HeldClaim>),
    /// A process drives the run.
    #[error("take over run {run}: process {pid} drives it since {since}")]
    RunAlive {
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
        /// Since when.
        since: Timestamp,
    },
    /// A run of that id is there already.
    #[error("begin run {run}: there is a run of that id")]
    RunExists {
        /// The run.
        run: RunId,
    },
    /// No run has that id, or an id that begins so.
    #[error("find run {wanted}: there is none in this state file{}", those(runs))]
    NoSuchRun {
        /// What was looked for.
        wanted: String,
        /// The runs that are there.
        runs: Vec<RunId>,
    },
    /// Several runs have ids that begin so.
    #[error("find run {wanted}: several runs begin so: {}", list_some(runs, 5))]
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// The runs.
        runs: Vec<RunId>,
    },
    /// The run does not hold that server, or not any longer than its process lives.
    #[error(
        "abandon {server} of run {run}: nothing of the run is open on it, so its claim is free anyway"
    )]
    NotHeld {
        /// The run.
        run: RunId,
        /// The server.
        server: ServerId,
    },
    /// The thread that writes is gone.
    #[error("use the state file: its writer has stopped")]
    Closed,
}

/// Every run that holds some of them is named, however many those are.
fn by_run(held: &[HeldClaim]) -> String {
    let mut runs: BTreeMap<&RunId, Vec<&HeldClaim>> = BTreeMap::new();
    for claim in held {
        runs.entry(&claim.run).or_default().push(claim);
    }
    let told = runs.into_values().filter_map(|claims| {
        let (first, rest) = claims.split_first()?;
        let rest: Vec<&ServerId> = rest.iter().map(|claim| &claim.server).collect();
        Some(match rest[..] {
            [] => first.to_string(),
            _ => format!("{first}, and so are {}", list_some(&rest, 4)),
        })
    });
    told.collect::<Vec<_>>().join("; ")
}

fn holder_text(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { run, pid, since }) => {
            format!("; run {run} (process {pid}) has it since {since}")
        }
        None => String::new(),
    }
}

/// Which runs there are instead.
fn those(runs: &[RunId]) -> String {
    if runs.is_empty() { String::new() } else { format!(", which has {}", list_some(runs, 5)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_that_holds_a_server_is_named() {
        let claim = |n: u32, run: &str| HeldClaim {
            server: format!("s{n}").as_str().into(),
            run: run.into(),
            since: Timestamp(0),
            alive: Some(7),
            open: Vec::new(),
        };
        let mut held: Vec<HeldClaim> = (1..9).map(|n| claim(n, "one")).collect();
        held.push(claim(9, "two"));
        let text = Error::Claimed(held).to_string();
        assert!(text.contains("s1 is held by run one"), "{text}");
        assert!(
            text.contains("and so are s2, s3, s4, s5 and 3 more; s9 is held by run two"),
            "{text}"
        );
    }
}
