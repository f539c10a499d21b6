//! What was tried with one server, step by step, cut into attempts. Start with [`tried`].

use serde::{Serialize, Serializer};

use crate::domain::{
    Deed, Event, JobEnd, JobId, Millis, PauseCause, Record, Seen, Timestamp, Verdict,
};

use super::lines::{
    back_text, not_back_text, probed_text, reason_text, step_end_text, step_text, verdict_text,
    yielded_text,
};
use super::standing::{Standing, servers_of};

/// Something that was done or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    #[serde(serialize_with = "utc")]
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// The job that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The cloud's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Steps that belong together: what came before the first reinstall, or one attempt at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// Counted from 1; 0 is what came before the first.
    pub attempt: u32,
    /// In the order in which they were written down.
    pub steps: Vec<Step>,
}

/// What these records of one server tell. An attempt ends with its job: a reinstall that was put
/// off and sent again is still the same one.
pub(super) fn tried(records: &[Record]) -> Vec<Chapter> {
    let mut chapters = vec![Chapter::default()];
    let mut next = 1;
    let mut standing = Standing::default();
    for record in records {
        if !servers_of(&record.event).is_empty() {
            standing.apply(record);
        }
        let attempt = chapters.last().map_or(0, |chapter| chapter.attempt);
        let wipe = matches!(&record.event, Event::Intended { deed: Deed::Reinstall, .. });
        if wipe && attempt < next {
            chapters.push(Chapter { attempt: next, steps: Vec::new() });
        }
        if matches!(&record.event, Event::JobEnded { .. }) {
            next += 1;
        }
        if let Some(chapter) = chapters.last_mut() {
            chapter.steps.extend(step(record, &standing).into_iter().chain(looked(record)));
        }
    }
    chapters.retain(|chapter| !chapter.steps.is_empty());
    chapters
}

fn step(record: &Record, standing: &Standing) -> Option<Step> {
    let what = text(&record.event, standing)?;
    let (job, request_id) = ids(&record.event);
    Some(Step { at: record.wall, what, job: job.cloned(), request_id: request_id.cloned() })
}

/// The job and the request that an event names.
fn ids(event: &Event) -> (Option<&JobId>, Option<&String>) {
    if let Event::Accepted { job, request_id, .. } = event {
        (Some(job), request_id.as_ref())
    } else if let Event::PutOff { request_id, .. }
    | Event::Refused { request_id, .. }
    | Event::Lost { request_id, .. } = event
    {
        (None, request_id.as_ref())
    } else if let Event::Resolved { verdict: Verdict::Happened { job }, .. }
    | Event::JobEnded { job, .. } = event
    {
        (job.as_ref(), None)
    } else {
        (None, None)
    }
}

/// An event in words, without its ids; `None`: it is nothing that was tried.
#[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
fn text(event: &Event, standing: &Standing) -> Option<String> {
    let text = match event {
        Event::Resumed => "refleet went on after an interruption".to_owned(),
        Event::Paused { cause: PauseCause::LockedOut { code, detail, .. } } => {
            format!("refleet was locked out, and paused: {code}: {detail}")
        }
        Event::Abandoned { open, .. } => format!("given up by hand: {}", open.join(", ")),
        Event::Intended { deed, before: Some(before), .. } => {
            format!("{deed}: sent to the server with system disk {}", before.disk)
        }
        Event::Intended { deed, before: None, .. } => format!("{deed}: sent"),
        Event::Accepted { deed, .. } => format!("{deed}: accepted"),
        Event::PutOff { deed, detail, .. } => format!("{deed}: refused for now: {detail}"),
        Event::Refused { deed, detail, .. } => format!("{deed}: refused: {detail}"),
        Event::Lost { deed, detail, .. } => format!("{deed}: its answer was lost: {detail}"),
        Event::Resolved { deed, verdict, evidence, .. } => {
            // The job is told beside it.
            let verdict = match verdict {
                Verdict::Happened { .. } => format!("the {deed} happened"),
                Verdict::AtWork | Verdict::DidNot | Verdict::Unknown => {
                    verdict_text(standing, *deed, verdict)
                }
            };
            format!("looked up: {verdict}: {}", evidence.join("; "))
        }
        Event::BackedUp { backup, took, .. } => format!("backed up after {took}: backup {backup}"),
        Event::Stopped { .. } => "seen stopped".to_owned(),
        Event::StopSkipped { .. } => "not stopped: the playbook skips it".to_owned(),
        Event::Validated { .. } => "compared with its plan: still the same server".to_owned(),
        Event::JobEnded { end, took, .. } => end_text(end, *took),
        Event::Settled { .. } => "its first boot was waited for".to_owned(),
        Event::HostKeySeen { fingerprint: Some(seen), .. } => format!("its host key was {seen}"),
        Event::HostKeySeen { fingerprint: None, detail, .. } => {
            let why = detail.as_deref().unwrap_or("no reason was told");
            format!("its host key could not be seen: {why}")
        }
        Event::Probed { check, evidence, .. } => probed_text(check, evidence.as_deref()),
        Event::StepsLeft { .. } => "waited for steps of the playbook's own".to_owned(),
        Event::StepStarted { step, attempt, undo, .. } => {
            format!("{}: started (attempt {attempt})", step_text(step, *undo))
        }
        Event::StepEnded { step, undo, end, detail, .. } => {
            format!("{}: {}", step_text(step, *undo), step_end_text(*end, detail))
        }
        Event::NotUndone { step, detail, .. } => {
            format!("the step `{step}` is not taken back: {detail}")
        }
        Event::CheckFailed { check, detail, .. } => format!("check `{check}` failed: {detail}"),
        Event::Passed { .. } => "every check passed".to_owned(),
        Event::Ended { ending, .. } => format!("ended: {ending}"),
        Event::StartedBack { .. } => back_text(standing),
        Event::Yielded { to, .. } => yielded_text(to),
        Event::NotStartedBack { detail, why, .. } => not_back_text(standing, *why, detail),
        Event::RunStarted { .. }
        | Event::PreflightPassed { .. }
        | Event::PreflightRefused { .. }
        | Event::WaveOpened { .. }
        | Event::WaveClosed { .. }
        | Event::CanaryReplaced { .. }
        | Event::Started { .. }
        | Event::RateCut { .. }
        | Event::Held { .. }
        | Event::Steered { .. }
        | Event::Pausing { .. }
        | Event::Paused {
            cause:
                PauseCause::Asked { .. }
                | PauseCause::Approval { .. }
                | PauseCause::SharedCause { .. }
                | PauseCause::PlacesTaken { .. }
                | PauseCause::Precondition { .. },
        }
        | Event::Closing { .. }
        | Event::RunEnded { .. } => return None,
    };
    Some(text)
}

fn end_text(end: &JobEnd, took: Millis) -> String {
    match end {
        JobEnd::Succeeded { .. } => format!("reinstall: job done after {took}"),
        JobEnd::Failed { code, reason, seen, .. } => {
            let why = reason_text(reason, seen.as_deref());
            format!("reinstall: job failed after {took} with {code}: {why}")
        }
    }
}

/// What a look after a failed job showed is a step of its own.
fn looked(record: &Record) -> Option<Step> {
    let Event::JobEnded { end: JobEnd::Failed { seen: Some(seen), .. }, .. } = &record.event else {
        return None;
    };
    let what = format!("seen afterwards: {}", seen_text(seen));
    Some(Step { at: record.wall, what, job: None, request_id: None })
}

/// A server as it was seen, in a line.
pub(super) fn seen_text(seen: &Seen) -> String {
    let task = seen.task_state.as_deref().map(|task| format!(" ({task})")).unwrap_or_default();
    let disk = match &seen.system_volume {
        Some(volume) => format!("system disk {volume}"),
        None => "no system disk".to_owned(),
    };
    let fault = seen.fault.as_deref().map(|fault| format!(", fault: {fault}")).unwrap_or_default();
    format!("{}{task} with {disk}{fault}", seen.status)
}

/// A moment as the text for people has it, for programs too: to the second, in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn utc<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts and how many steps each has.
    fn attempts(events: &[&str]) -> Vec<(u32, usize)> {
        let records: Vec<Record> = events
            .iter()
            .map(|event| {
                let line = format!(r#"{{"seq":1,"at":0,"wall":0,"event":{event}}}"#);
                serde_json::from_str(&line).unwrap()
            })
            .collect();
        tried(&records).iter().map(|chapter| (chapter.attempt, chapter.steps.len())).collect()
    }

    #[test]
    fn an_attempt_ends_with_its_job_and_not_with_a_refusal() {
        let stop = r#"{"event":"intended","call":1,"deed":"stop","servers":["a"]}"#;
        let wipe = r#"{"event":"intended","call":2,"deed":"reinstall","servers":["a"]}"#;
        let put_off = r#"{"event":"put_off","call":2,"deed":"reinstall","servers":["a"],
            "class":"throttled","detail":"APIGW.0308: slow down","retry_at":1}"#;
        let failed = r#"{"event":"job_ended","server":"a","job":"j","took":1,
            "end":{"failed":{"code":"Ecs.1","reason":"r","wiped":true,"retry_at":null}}}"#;
        assert_eq!(attempts(&[]), []);
        assert_eq!(attempts(&[stop]), [(0, 1)]);
        assert_eq!(attempts(&[stop, wipe, put_off, wipe, failed]), [(0, 1), (1, 4)]);
        assert_eq!(attempts(&[wipe, failed, stop, wipe, failed]), [(1, 3), (2, 2)]);
    }
}
