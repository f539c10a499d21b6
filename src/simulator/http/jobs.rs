//! Jobs (`ecs.md`, section 7).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::jobs::{Failing, TheJob};
use super::super::world::World;
use super::message::{MILLIS, Outgoing, stamp};
use crate::domain::{JobId, JobStatus, Millis};

/// Serves a job query; `quote` is put behind the reason of a failure.
pub(super) fn answer(
    world: &World,
    now: Millis,
    id: &JobId,
    quote: Option<&str>,
) -> Result<Outgoing, ApiError> {
    let job = world.show_job(now, id)?;
    let status = world.job_status(now, job);
    let failing = job.failing().filter(|_| status == JobStatus::Fail);
    let line = Line { id: &job.id, status, end: job.ended(), failing, quote };
    let mut body = line.written(world, job);
    body["entities"] = entities(world, now, job, quote);
    Ok(Outgoing::ok(&body))
}

/// What a job and its parts have in common.
struct Line<'a> {
    id: &'a JobId,
    status: JobStatus,
    end: Option<Millis>,
    failing: Option<Failing>,
    quote: Option<&'a str>,
}

impl Line<'_> {
    /// While it runs, `end_time` is an empty text, and there is no `error_code` at all.
    fn written(&self, world: &World, job: &TheJob) -> Value {
        let time = |at: Millis| stamp(world.wall(at), MILLIS);
        let ended = matches!(self.status, JobStatus::Success | JobStatus::Fail);
        let end = self.end.filter(|_| ended).map(time).unwrap_or_default();
        let mut body = json!({
            "job_id": self.id.as_str(),
            "job_type": job.kind.as_str(&world.knobs.job_types),
            "status": text(self.status),
            "begin_time": time(job.begin),
            "end_time": end,
        });
        if ended {
            body["error_code"] = json!(self.failing.map(|failing| failing.code));
            body["fail_reason"] = json!(self.failing.map(|failing| reason(failing, self.quote)));
        }
        body
    }
}

fn reason(failing: Failing, quote: Option<&str>) -> String {
    quote.map_or_else(|| failing.reason.to_owned(), |quote| format!("{} {quote}", failing.reason))
}

fn entities(world: &World, now: Millis, job: &TheJob, quote: Option<&str>) -> Value {
    if !world.shows_parts(job) {
        return job
            .parts
            .first()
            .map_or(json!({}), |part| json!({"server_id": part.server.as_str()}));
    }
    let running = now >= job.runs;
    let parts: Vec<Value> = job
        .parts
        .iter()
        .map(|part| {
            let end = part.end.as_ref().map(|(at, _)| *at);
            let failing = part.failing();
            let line = Line { id: &part.id, status: part.status(running), end, failing, quote };
            let mut body = line.written(world, job);
            body["entities"] = json!({"server_id": part.server.as_str()});
            if let Some(failing) = failing {
                body["entities"]["errorcode_message"] = json!(reason(failing, quote));
            }
            body
        })
        .collect();
    json!({"sub_jobs_total": parts.len(), "sub_jobs": parts})
}

fn text(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Init => "INIT",
        JobStatus::Running => "RUNNING",
        JobStatus::Success => "SUCCESS",
        JobStatus::Fail => "FAIL",
    }
}
