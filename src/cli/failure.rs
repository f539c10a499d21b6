//! Why a command gave up before it had a result. Start with [`Failure`].
//!
//! What a run came to is a result and not here. Each variant says what to do about it, if anything
//! can be said, and with which code the program leaves.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use crate::cloud::NetError;
use crate::cloud::config::ConfigError;
use crate::cloud::huawei::ConnectError;
use crate::domain::{Fault, FaultClass, Shown, advice, count, shown};
use crate::engine::IllegalEvent;
use crate::run::{RunError, SurveyError};
use crate::{journal, plan, report};

use super::exit::Exit;

/// Why a command gave up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A playbook has problems; they were shown.
    #[error("{}", count(*.0, "problem"))]
    Problems(usize),
    /// A rule says no.
    #[error("{what}")]
    Refused { what: String, help: String },
    /// The state file, or what is in it.
    #[error("failed to {0}")]
    Journal(#[from] journal::Error),
    /// A file cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file cannot be written.
    #[error("failed to write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file is not what it should be.
    #[error("failed to use {}: {why}", path.display())]
    Unusable { path: PathBuf, why: String },
    /// The cloud is not configured.
    #[error("failed to {0}")]
    Config(#[from] ConfigError),
    /// The cloud does not let us in.
    #[error("failed to {0}")]
    Connect(#[from] ConnectError),
    /// The network cannot be used at all.
    #[error("failed to prepare the network: {0}")]
    Network(#[from] NetError),
    /// The cloud cannot be read.
    #[error("failed to {0}")]
    Survey(#[from] SurveyError),
    /// No plan can be made: rules that say no.
    #[error("{}", count(.0.len(), "refusal"))]
    Refusals(Vec<plan::Refusal>),
    /// A plan breaks its own rules: somebody edited its file, or a mistake of ours.
    #[error("the plan is not sound:{}", lines(.0))]
    Unsound(Vec<plan::Violation>),
    /// A run was left before its end.
    #[error("failed to {0}")]
    Run(#[from] RunError),
    /// The journal does not tell of a run of this plan.
    #[error("failed to replay the journal: {0}")]
    Replay(#[from] IllegalEvent),
    /// Nobody reads our results any more, as in `refleet runs | head -1`.
    #[error("failed to write to stdout: {0}")]
    Output(io::Error),
    /// Something of the operating system that a command needs.
    #[error("failed to {what}: {source}")]
    System { what: &'static str, source: io::Error },
    /// A report cannot be made.
    #[error("failed to {0}")]
    Report(#[from] report::Error),
    /// A value of ours does not turn into JSON.
    #[error("failed to write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// A refusal and what can be done, a line each: names in them make no lines of their own.
    pub(super) fn refused(what: impl Display, help: impl Display) -> Self {
        Self::Refused { what: Shown(what).to_string(), help: Shown(help).to_string() }
    }

    /// A refusal of several lines.
    pub(super) fn refused_lines(what: &[String], help: &[String]) -> Self {
        let joined =
            |lines: &[String]| lines.iter().map(|line| shown(line)).collect::<Vec<_>>().join("\n");
        Self::Refused { what: joined(what), help: joined(help) }
    }

    /// What it says, in lines that are ours.
    pub(super) fn told(&self) -> String {
        match self {
            // Made of lines where they come from.
            Self::Refused { .. } | Self::Unsound(_) => self.to_string(),
            Self::Problems(_)
            | Self::Refusals(_)
            | Self::Journal(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Unusable { .. }
            | Self::Config(_)
            | Self::Connect(_)
            | Self::Network(_)
            | Self::Survey(_)
            | Self::Run(_)
            | Self::Replay(_)
            | Self::Output(_)
            | Self::System { .. }
            | Self::Report(_)
            | Self::Json(_) => Shown(self).to_string(),
        }
    }

    /// What can be done.
    pub(super) fn help(&self) -> Option<&str> {
        match self {
            Self::Refused { help, .. } => Some(help),
            Self::Journal(journal::Error::PlanUsed { .. }) => {
                Some("make a new plan, and look at what it would wipe: it selects anew")
            }
            Self::Journal(journal::Error::NoSuchRun { .. } | journal::Error::Ambiguous { .. }) => {
                Some("`refleet runs` lists them with what they are about")
            }
            Self::Journal(journal::Error::Claimed(_)) => Some(
                "nothing was touched: wait for that run, or resume it if it was interrupted; or leave \
                 its servers out with --limit or --fleet",
            ),
            Self::Journal(journal::Error::RunAlive { .. }) => Some(
                "look at it with `refleet status`; `refleet pause` or `refleet stop` steers it",
            ),
            Self::Journal(journal::Error::Damaged { .. }) => Some(
                "if a process has it open by another name (a bind mount, a copy of its folder), use \
                 that name; else bring it back from a copy, with the -wal file beside it. Begin no run \
                 on its servers with another state file: only this one knows who holds them",
            ),
            Self::Journal(
                journal::Error::NotADatabase { .. }
                | journal::Error::Foreign { .. }
                | journal::Error::Open { .. }
                | journal::Error::Files { .. },
            ) => Some("name a state file that you may write, with --state FILE or REFLEET_STATE"),
            Self::Journal(journal::Error::Unusable { mend, .. }) => Some(mend),
            Self::Journal(journal::Error::NoLocks { .. }) => {
                Some("keep the state file on a disk of this machine: --state FILE or REFLEET_STATE")
            }
            Self::Journal(
                journal::Error::UnknownFormat { .. } | journal::Error::UnknownRunFormat { .. },
            ) => Some("use the refleet that wrote it, or a newer one"),
            Self::Run(RunError::Journal(error)) => Some(after_loss(error)),
            Self::Config(_) => Some(
                "clouds.yaml is looked for in this folder, ~/.config/openstack and /etc/openstack; \
                 --cloud NAME takes another entry",
            ),
            Self::Survey(SurveyError::Fault { fault, .. }) => {
                Some(advice(&fault.code, fault.class))
            }
            Self::Connect(
                ConnectError::Refused { fault, .. } | ConnectError::Unauthorised { fault, .. },
            ) => Some(after_login(fault)),
            Self::Unsound(_) => {
                Some("make a new plan; if it is no better, this is a bug of refleet")
            }
            Self::Problems(_)
            | Self::Refusals(_)
            | Self::Connect(_)
            | Self::Network(_)
            | Self::Survey(_)
            | Self::Run(_)
            | Self::Replay(_)
            | Self::Journal(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Unusable { .. }
            | Self::Output(_)
            | Self::System { .. }
            | Self::Report(_)
            | Self::Json(_) => None,
        }
    }

    /// The code to leave with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Problems(_)
            | Self::Refused { .. }
            | Self::Refusals(_)
            | Self::Unsound(_)
            | Self::Journal(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Unusable { .. }
            | Self::Config(_)
            | Self::Connect(_)
            | Self::Network(_)
            | Self::Survey(_)
            | Self::Output(_)
            | Self::System { .. } => Exit::Refused,
            Self::Run(RunError::Interrupted) => Exit::Interrupted,
            Self::Run(RunError::Journal(_)) => Exit::StateLost,
            Self::Run(RunError::Stuck) | Self::Replay(_) | Self::Report(_) | Self::Json(_) => {
                Exit::Bug
            }
        }
    }

    /// Whether anything is left to be said.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What to do about a login that failed. What is not found there is no server: it is Keystone itself.
fn after_login(fault: &Fault) -> &'static str {
    if fault.class == FaultClass::NotFound {
        "check the path of auth_url (OS_AUTH_URL): it is the address of Keystone or IAM, and usually \
         ends in /v3"
    } else {
        advice(&fault.code, fault.class)
    }
}

/// What can be done once a run could not own or write its state any more.
fn after_loss(error: &journal::Error) -> &'static str {
    match error {
        journal::Error::Superseded { .. } => {
            "that process goes on with the run: `refleet status` shows it"
        }
        journal::Error::ClaimLost { .. } => {
            "`refleet resume` goes on with the servers that the run still has"
        }
        journal::Error::Replaced { .. } => {
            "bring the file back to its place, with what was beside it, then `refleet resume`; begin no \
             run on these servers before: only that file knows who holds them"
        }
        journal::Error::Open { .. }
        | journal::Error::Files { .. }
        | journal::Error::Unusable { .. }
        | journal::Error::NoLocks { .. }
        | journal::Error::NotADatabase { .. }
        | journal::Error::Damaged { .. }
        | journal::Error::Foreign { .. }
        | journal::Error::UnknownFormat { .. }
        | journal::Error::UnknownRunFormat { .. }
        | journal::Error::Sqlite(_)
        | journal::Error::Record { .. }
        | journal::Error::Sequence { .. }
        | journal::Error::RunOver { .. }
        | journal::Error::PlanUsed { .. }
        | journal::Error::Claimed(_)
        | journal::Error::RunAlive { .. }
        | journal::Error::RunExists { .. }
        | journal::Error::NoSuchRun { .. }
        | journal::Error::Ambiguous { .. }
        | journal::Error::NotHeld { .. }
        | journal::Error::Closed => {
            "see to the state file (is its disk full?), then `refleet resume`: it looks first at what \
             was in flight"
        }
    }
}

/// Each on a line of its own.
fn lines<T: Display>(items: &[T]) -> String {
    match items {
        [only] => format!(" {}", Shown(only)),
        _ => items.iter().map(|item| format!("\n  {}", Shown(item))).collect(),
    }
}
