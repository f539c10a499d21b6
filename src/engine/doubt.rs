//! A reinstall whose answer was lost: what the evidence says, row by row.
//!
//! | The audit log | The server | Then |
//! |---|---|---|
//! | has the call and its job | any | it happened: watch the job |
//! | any | new system disk, running, at rest | it happened, and it is done |
//! | any | at work, or without its system disk, or with a new one | it happened: watch the server |
//! | has the call, not its job | any | it happened: watch the server |
//! | refused the call, has none, or cannot be read, after the grace time | old disk, at rest, after the grace time | it did not happen: it may be sent again |
//! | anything else | | wait, up to `wait.timeout`; then nobody can say |
//!
//! Sending again in the last but one row cannot wipe twice: without `mode` the cloud refuses while
//! a job runs, and refuses a server that a finished reinstall has started (`ecs.md`, section 11).

use crate::domain::{Deed, Event, JobEnd, JobId, Server, Time, Verdict, VolumeId};

use super::core::{Draft, Engine};
use super::look::Sighting;
use super::pending::Traced;
use super::state::{DOUBT_GRACE, Sent, State};

/// What a look at the server says of a reinstall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The old system disk, and nothing is being done to it.
    Untouched,
    /// A task is set, the system disk is away, or a new one is there already.
    AtWork,
    /// A new system disk, and it runs.
    Done,
}

/// What is to be thought of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weighed {
    Happened(Option<JobId>),
    Finished,
    DidNot,
    Wait,
}

impl Sight {
    pub(super) fn of(server: &Server, old: &VolumeId) -> Self {
        let at_rest = server.task_state.is_none() && server.status != "REBUILD";
        match server.system_volume() {
            Some(disk) if disk == old && at_rest => Self::Untouched,
            Some(disk) if disk != old && server.is_running() => Self::Done,
            Some(_) | None => Self::AtWork,
        }
    }
}

/// The table above. `counts_from`: "not found" counts only in answers to what was asked since.
pub(super) fn weigh(
    sight: Option<(Time, Sight)>,
    traced: Option<&(Time, Traced)>,
    counts_from: Time,
) -> Weighed {
    let absent = match traced {
        Some((_, Traced::Taken(Some(job)))) => return Weighed::Happened(Some(job.clone())),
        Some((_, Traced::Taken(None))) => None,
        Some((asked, Traced::Absent | Traced::Unreadable(_) | Traced::Refused(_))) => Some(*asked),
        None => Some(Time(0)),
    };
    match (sight, absent) {
        (Some((_, Sight::Done)), _) => Weighed::Finished,
        (Some((_, Sight::AtWork)), _) | (_, None) => Weighed::Happened(None),
        (Some((looked, Sight::Untouched)), Some(asked))
            if looked >= counts_from && asked >= counts_from =>
        {
            Weighed::DidNot
        }
        (Some((_, Sight::Untouched)) | None, Some(_)) => Weighed::Wait,
    }
}

impl Engine {
    /// A look at a server whose wipe is in doubt, or runs under a job that nobody knows.
    pub(super) fn seen_in_doubt(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        let old = &self.plan.targets[index].found.system_volume;
        let sight = Sight::of(server, old);
        self.pending.looks[index].sight = Some((asked, sight));
        self.look_again(draft.now.at, index);
        self.judge(draft, index);
    }

    /// An answer of the audit log.
    pub(super) fn note_traced(
        &mut self,
        draft: &mut Draft,
        index: usize,
        asked: Time,
        traced: Traced,
    ) {
        let again = draft.now.at + crate::domain::Millis::secs(10);
        self.look_later(index, |look| {
            look.traced = Some((asked, traced));
            look.trace_at = Some(again);
        });
        self.judge(draft, index);
    }

    fn judge(&mut self, draft: &mut Draft, index: usize) {
        let State::Reinstalling(sent) = &self.facts.targets[index].state else { return };
        let (known, since) = match sent {
            Sent::InDoubt { since, look_at } => (None, (*since, *look_at)),
            Sent::Running { job: None, since } => (Some(()), (*since, *since + DOUBT_GRACE)),
            Sent::Submitting { .. } | Sent::Running { job: Some(_), .. } => return,
        };
        let look = &self.pending.looks[index];
        let weighed = weigh(look.sight, look.traced.as_ref(), since.1);
        let evidence = vec![in_words(look.sight.map(|(_, sight)| sight), look.traced.as_ref())];
        let server = self.server_id(index);
        let deed = Deed::Reinstall;
        match weighed {
            Weighed::Happened(None) if known.is_some() => {}
            Weighed::Happened(job) => {
                let verdict = Verdict::Happened { job };
                self.record(draft, Event::Resolved { server, deed, verdict, evidence });
            }
            Weighed::Finished => {
                if known.is_none() {
                    let verdict = Verdict::Happened { job: None };
                    let server = server.clone();
                    self.record(draft, Event::Resolved { server, deed, verdict, evidence });
                }
                let now = draft.now.at;
                let settle_until = now + self.treatment(index).wait.settle;
                let end = JobEnd::Succeeded { settle_until };
                let took = now.since(since.0);
                self.record(draft, Event::JobEnded { server, job: None, end, took });
            }
            // A server that was seen at work is not sent a second wipe: it may still be at it.
            Weighed::DidNot if known.is_none() => {
                let verdict = Verdict::DidNot;
                self.record(draft, Event::Resolved { server, deed, verdict, evidence });
            }
            Weighed::DidNot | Weighed::Wait => {}
        }
    }
}

/// The evidence for a person.
pub(super) fn in_words(sight: Option<Sight>, traced: Option<&(Time, Traced)>) -> String {
    let server = match sight {
        None => "the server was not seen yet",
        Some(Sight::Untouched) => "the old system disk is in place and nothing is being done to it",
        Some(Sight::AtWork) => {
            "the server is being worked on, or was left off with a new system disk"
        }
        Some(Sight::Done) => "a new system disk is in place and the server runs",
    };
    let log = match traced {
        None => "the audit log was not read yet".to_owned(),
        Some((_, Traced::Absent)) => "the audit log has no such call".to_owned(),
        Some((_, Traced::Taken(Some(job)))) => format!("the audit log has the call and job {job}"),
        Some((_, Traced::Taken(None))) => "the audit log has the call, without a job".to_owned(),
        Some((_, Traced::Refused(code))) => {
            format!("the audit log has the call, refused with {code}")
        }
        Some((_, Traced::Unreadable(why))) => format!("the audit log cannot be read ({why})"),
    };
    format!("{server}; {log}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let from = Time(100);
        let taken = |job: Option<&str>| Traced::Taken(job.map(JobId::from));
        let rows = [
            (None, early(taken(Some("j"))), Weighed::Happened(Some("j".into()))),
            (late(Sight::Untouched), early(taken(Some("j"))), Weighed::Happened(Some("j".into()))),
            (early(Sight::Done), None, Weighed::Finished),
            (early(Sight::Done), late(Traced::Absent), Weighed::Finished),
            (early(Sight::AtWork), None, Weighed::Happened(None)),
            (early(Sight::AtWork), late(Traced::Absent), Weighed::Happened(None)),
            (late(Sight::Untouched), early(taken(None)), Weighed::Happened(None)),
            (late(Sight::Untouched), late(Traced::Absent), Weighed::DidNot),
            (late(Sight::Untouched), late(Traced::Refused(400)), Weighed::DidNot),
            (late(Sight::Untouched), late(Traced::Unreadable(String::new())), Weighed::DidNot),
            (early(Sight::Untouched), late(Traced::Absent), Weighed::Wait),
            (late(Sight::Untouched), early(Traced::Absent), Weighed::Wait),
            (late(Sight::Untouched), None, Weighed::Wait),
            (None, late(Traced::Absent), Weighed::Wait),
            (None, None, Weighed::Wait),
        ];
        for (sight, traced, expected) in rows {
            assert_eq!(weigh(sight, traced.as_ref(), from), expected, "{sight:?} {traced:?}");
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the table has it")]
    fn early<T>(what: T) -> Option<(Time, T)> {
        Some((Time(99), what))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the table has it")]
    fn late<T>(what: T) -> Option<(Time, T)> {
        Some((Time(100), what))
    }
}
