//! What Nova keeps beside a server of what was done to it: its instance actions, read as jobs and as
//! lines of a log.
//!
//! Start with [`Action::into_job`]. The action is recorded once the call was accepted, under the id of
//! its request, and its events tell how far it is. The server itself does not: one that is rebuilt
//! while it is stopped shows `ACTIVE` and no task for a moment before it is stopped again.

use serde::Deserialize;

use super::super::lenient::{Text, or_default};
use crate::domain::{self, JobId, JobStatus, ServerId, Timestamp};

/// What compute does for each action that we ask for: its end is the end of the work.
const WORK: [(&str, &str); 3] = [
    ("rebuild", "compute_rebuild_instance"),
    ("stop", "compute_stop_instance"),
    ("start", "compute_start_instance"),
];

/// The actions after which a server has another system. An evacuation makes it anew on another host,
/// from its image unless the hosts share their disks. What moves a server, or puts it on a shelf,
/// keeps its disk; a rescue boots another one and leaves the server's own as it is.
const REPLACING: [&str; 2] = ["rebuild", "evacuate"];

/// The status that every recorded call was answered with.
const ACCEPTED: u16 = 202;

#[derive(Deserialize)]
pub(super) struct OneAction {
    #[serde(rename = "instanceAction")]
    pub(super) action: Action,
}

#[derive(Deserialize)]
pub(super) struct Actions {
    #[serde(rename = "instanceActions", deserialize_with = "or_default")]
    pub(super) actions: Vec<Action>,
}

/// What was done for one request.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Action {
    #[serde(rename = "action")]
    what: Text,
    request_id: Text,
    start_time: Text,
    message: Text,
    #[serde(deserialize_with = "or_default")]
    events: Vec<Event>,
}

/// A part of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "event")]
    what: Text,
    finish_time: Text,
    result: Text,
    /// For people, since 2.84.
    details: Text,
    /// For administrators.
    traceback: Text,
}

impl Event {
    fn has_failed(&self) -> bool {
        self.result.as_str().eq_ignore_ascii_case("error")
    }

    fn is_done(&self) -> bool {
        self.finish_time.is_some() && self.result.as_str().eq_ignore_ascii_case("success")
    }

    /// What it says about its failure: the last line of a traceback is the exception itself.
    fn reason(&self) -> Option<String> {
        let mut lines = self.traceback.as_str().lines().map(str::trim);
        let last = lines.rfind(|line| !line.is_empty());
        self.details.clone().some().or_else(|| last.map(str::to_owned))
    }
}

impl Action {
    /// The action as the job that was asked for; `None`: it is one of another request.
    pub(super) fn into_job(self, asked: &JobId, request: &str) -> Option<domain::Job> {
        if self.request_id.as_str() != request {
            return None;
        }
        let status = self.status();
        let has_failed = status == JobStatus::Fail;
        // None is better than a guess: the server itself may have a fault that says why.
        let reason =
            || self.events.iter().filter(|event| event.has_failed()).find_map(Event::reason);
        Some(domain::Job {
            id: asked.clone(),
            status,
            error_code: has_failed.then(|| "Error".to_owned()),
            fail_reason: has_failed.then(reason).flatten(),
            parts: Vec::new(),
        })
    }

    /// Done is what compute has done, with everything that it began for it: the events come one after
    /// another, and those that are still to come are not there yet.
    fn status(&self) -> JobStatus {
        let has_failed = self.message.as_str().eq_ignore_ascii_case("error")
            || self.events.iter().any(Event::has_failed);
        if has_failed {
            return JobStatus::Fail;
        }
        let work = WORK.iter().find(|(action, _)| *action == self.what.as_str());
        let is_work = |event: &Event| work.is_some_and(|(_, work)| event.what.as_str() == *work);
        let is_done = self.events.iter().any(is_work) && self.events.iter().all(Event::is_done);
        match (is_done, self.events.is_empty()) {
            (true, _) => JobStatus::Success,
            (false, true) => JobStatus::Init,
            (false, false) => JobStatus::Running,
        }
    }

    /// The action as a line of the log, if it replaces the system. None of these is left out for
    /// something that it lacks: it would pass for a rebuild that never was.
    pub(super) fn into_trace(self, server: &ServerId) -> Option<domain::Trace> {
        if !REPLACING.contains(&self.what.as_str()) {
            return None;
        }
        Some(domain::Trace {
            time: self.start_time.moment().unwrap_or(Timestamp(0)),
            name: self.what.or_empty(),
            server: server.clone(),
            code: ACCEPTED,
            job: self.request_id.some().map(|request| job(server, &request)),
        })
    }
}

/// The name of a job: Nova finds an action by its server and the id of the request.
pub(super) fn job(server: &ServerId, request: &str) -> JobId {
    JobId::new(format!("{server}/{request}"))
}
