//! Jobs of a simulated cloud and their parts.

use super::codes;
use super::knobs::JobTypes;
use crate::domain::{JobId, JobStatus, Millis, ServerId};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobKind {
    /// Stops servers.
    Stop,
    /// Starts servers.
    Start,
    /// Stops servers and starts them.
    Reboot,
    /// Reinstalls a server.
    Reinstall,
    /// Changes the OS of a server.
    ChangeOs,
}

impl JobKind {
    /// As `job_type` says it; not documented (`product.md`, section 8).
    pub(super) fn as_str(self, types: &JobTypes) -> &str {
        match self {
            Self::Stop => &types.stop,
            Self::Start => &types.start,
            Self::Reboot => &types.reboot,
            Self::Reinstall => &types.reinstall,
            Self::ChangeOs => &types.change_os,
        }
    }
}

/// A job.
#[derive(Clone, Debug)]
pub(super) struct TheJob {
    /// Its id.
    pub(super) id: JobId,
    /// What it does.
    pub(super) kind: JobKind,
    /// It cannot be queried before.
    pub(super) visible: Millis,
    /// When it was taken.
    pub(super) begin: Millis,
    /// When it begins to run.
    pub(super) runs: Millis,
    /// Its parts; never empty.
    pub(super) parts: Vec<Part>,
    /// Parts that have not ended.
    pub(super) open: usize,
}

/// The part of a job that concerns one server.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its id.
    pub(super) id: JobId,
    /// The server.
    pub(super) server: ServerId,
    /// When and how it ended.
    pub(super) end: Option<(Millis, Result<(), Failing>)>,
}

/// Why a part failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failing {
    /// The cloud's code.
    pub(super) code: &'static str,
    /// The cloud's sentence.
    pub(super) reason: &'static str,
}

impl Failing {
    /// The failure of that code.
    pub(super) fn coded(code: &'static str) -> Self {
        let reason = codes::find(code).map_or("", |it| it.message);
        Self { code, reason }
    }
}

impl Part {
    /// Its status at that moment.
    pub(super) fn status(&self, running: bool) -> JobStatus {
        match &self.end {
            Some((_, Ok(()))) => JobStatus::Success,
            Some((_, Err(_))) => JobStatus::Fail,
            None if running => JobStatus::Running,
            None => JobStatus::Init,
        }
    }

    /// Why it failed, if it did.
    pub(super) fn failing(&self) -> Option<Failing> {
        self.end.as_ref().and_then(|(_, end)| end.err())
    }
}

impl TheJob {
    /// The first failure among its parts.
    pub(super) fn failing(&self) -> Option<Failing> {
        self.parts.iter().find_map(Part::failing)
    }

    /// When the last part ended; `None`: not all have.
    pub(super) fn ended(&self) -> Option<Millis> {
        if self.open > 0 {
            return None;
        }
        self.parts.iter().filter_map(|part| part.end.as_ref().map(|(at, _)| *at)).max()
    }
}
