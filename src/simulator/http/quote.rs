//! A cloud, or a proxy before it, that quotes what it was sent.
//!
//! Start with [`Quotes::refusal`]. A refusal then holds the whole request, headers and body, in its
//! sentence and at times in its code; a job that fails holds the request that began it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::dice::Dice;
use super::super::error::ApiError;
use super::message::{Incoming, Outgoing};
use crate::domain::JobId;

/// What was quoted, or will be when a job fails. Its chance is a stream of its own: a world in which
/// requests are quoted is otherwise the world without.
#[derive(Clone, Debug)]
pub(super) struct Quotes {
    dice: Dice,
    jobs: BTreeMap<JobId, String>,
}

/// A refusal with a quote: where it has no code of its own, only its sentence quotes.
pub(super) struct Quoting {
    pub(super) error: ApiError,
    /// Put behind the code.
    pub(super) in_code: Option<String>,
}

impl Quotes {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, 9), jobs: BTreeMap::new() }
    }

    /// A refusal of that request, which quotes it with that probability.
    pub(super) fn refusal(&mut self, share: f64, request: &Incoming, error: ApiError) -> Quoting {
        if !self.dice.chance(share) {
            return Quoting { error, in_code: None };
        }
        // Clients cut long sentences: what is at the end of one way round is heard in the other.
        let (headers, body) = (headers(request), body(request));
        let quote = if self.dice.chance(0.5) {
            format!("{headers} {body}")
        } else {
            format!("{body} {headers}")
        };
        let in_code = self.dice.chance(0.5).then(|| quote.clone());
        let message = format!("{} {} {} {quote}", error.message, request.method, request.target);
        Quoting { error: ApiError { message: message.into(), ..error }, in_code }
    }

    /// Remembers the request that began a job, for the reason with which it may fail.
    pub(super) fn remember(&mut self, share: f64, request: &Incoming, answer: &Outgoing) {
        if !self.dice.chance(share) {
            return;
        }
        let answered: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if let Some(job) = answered["job_id"].as_str() {
            let quote = format!("{} {}", body(request), headers(request));
            self.jobs.insert(JobId::from(job), quote);
        }
    }

    /// What the reason of that job quotes.
    pub(super) fn of_job(&self, job: &JobId) -> Option<&str> {
        self.jobs.get(job).map(String::as_str)
    }
}

fn headers(request: &Incoming) -> String {
    let lines = request.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join("\r\n")
}

fn body(request: &Incoming) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}
