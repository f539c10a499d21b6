//! Which servers a run has not let go of: what it sent, or may have sent, and saw no end of.
//!
//! Start with [`open_intents`]. It decides whether a dead run's claim on a server is free
//! (`safety.md`, S15), so in doubt it says "open".

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{CallId, Deed, Ending, Event, JobEnd, Record, ServerId, Verdict};

/// Something that may still be happening to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenIntent {
    /// Written down; whether it was sent nobody knows.
    Intended(Deed),
    /// Taken by the cloud, and its end was not seen.
    Accepted(Deed),
    /// Sent, and the answer was lost.
    InDoubt(Deed),
    /// The server ended `unknown`: a person has to look.
    Unknown,
    /// It was stopped, and neither wiped nor started again: the run owes it a start.
    Owed,
}

impl fmt::Display for OpenIntent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intended(deed) => write!(f, "{deed} perhaps sent"),
            Self::Accepted(deed) => write!(f, "{deed} begun"),
            Self::InDoubt(deed) => write!(f, "{deed} in doubt"),
            Self::Unknown => f.write_str("ended unknown"),
            Self::Owed => f.write_str("stopped, and not started again"),
        }
    }
}

/// What is open on each server after these records; a server with nothing open is absent.
#[must_use]
pub fn open_intents<'r>(
    records: impl IntoIterator<Item = &'r Record>,
) -> BTreeMap<ServerId, Vec<OpenIntent>> {
    let mut open = Open::default();
    for record in records {
        open.apply(&record.event);
    }
    open.servers.retain(|_, server| server.unknown || !server.deeds.is_empty());
    open.servers.into_iter().map(|(id, server)| (id, server.list())).collect()
}

/// How far a request came.
#[derive(Clone, Copy)]
enum Reach {
    Intended,
    Accepted,
    Lost,
}

#[derive(Default)]
struct OpenServer {
    deeds: BTreeMap<CallId, (Deed, Reach)>,
    unknown: bool,
}

impl OpenServer {
    fn close(&mut self, ended: &[Deed]) {
        self.deeds.retain(|_, (deed, _)| !ended.contains(deed));
    }

    fn list(&self) -> Vec<OpenIntent> {
        let deeds = self.deeds.values().map(|(deed, reach)| match reach {
            Reach::Intended => OpenIntent::Intended(*deed),
            Reach::Accepted => OpenIntent::Accepted(*deed),
            Reach::Lost => OpenIntent::InDoubt(*deed),
        });
        deeds.chain(self.unknown.then_some(OpenIntent::Unknown)).collect()
    }
}

#[derive(Default)]
struct Open {
    servers: BTreeMap<ServerId, OpenServer>,
}

const STOPS: [Deed; 2] = [Deed::Stop, Deed::ForceStop];

impl Open {
    fn set(&mut self, servers: &[ServerId], call: CallId, value: (Deed, Reach)) {
        for server in servers {
            self.servers.entry(server.clone()).or_default().deeds.insert(call, value);
        }
    }

    fn close(&mut self, servers: &[ServerId], ended: &[Deed]) {
        for server in servers {
            if let Some(open) = self.servers.get_mut(server) {
                open.close(ended);
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            // A backup does no harm, whoever claims the server while it is made.
            Event::Intended { deed: Deed::Backup, .. }
            | Event::Accepted { deed: Deed::Backup, .. }
            | Event::Lost { deed: Deed::Backup, .. }
            | Event::Resolved { deed: Deed::Backup, .. }
            | Event::BackedUp { .. } => {}
            Event::Intended { call, deed, servers, .. } => {
                self.set(servers, *call, (*deed, Reach::Intended));
            }
            Event::Accepted { call, deed, servers, .. } => {
                self.set(servers, *call, (*deed, Reach::Accepted));
            }
            Event::Lost { call, deed, servers, .. } => {
                self.set(servers, *call, (*deed, Reach::Lost));
            }
            Event::PutOff { call, servers, .. } | Event::Refused { call, servers, .. } => {
                for server in servers {
                    self.servers.entry(server.clone()).or_default().deeds.remove(call);
                }
            }
            Event::Resolved { server, deed, verdict, .. } => self.resolve(server, *deed, verdict),
            Event::Stopped { servers } | Event::StopSkipped { servers } => {
                self.close(servers, &STOPS);
            }
            // A successful job is not the end: the guest is being set up, and only reads may
            // touch it until it has settled.
            Event::JobEnded { server, end: JobEnd::Failed { .. }, .. } => {
                self.close(std::slice::from_ref(server), &[Deed::Reinstall]);
            }
            Event::Settled { servers } => self.close(servers, &[Deed::Reinstall, Deed::Start]),
            Event::StartedBack { servers } => self.close(servers, &[Deed::Start]),
            Event::NotStartedBack { server, .. } => {
                self.close(std::slice::from_ref(server), &[Deed::Start]);
            }
            Event::Ended { server, ending, .. } => {
                let open = self.servers.entry(server.clone()).or_default();
                open.deeds.clear();
                open.unknown = *ending == Ending::Unknown;
            }
            // A person said that whatever was open is theirs to look at.
            Event::Abandoned { server, .. } | Event::Yielded { server, .. } => {
                self.servers.remove(server);
            }
            Event::JobEnded { .. }
            | Event::RunStarted { .. }
            | Event::Resumed
            | Event::PreflightPassed { .. }
            | Event::Passed { .. }
            | Event::PreflightRefused { .. }
            | Event::WaveOpened { .. }
            | Event::CanaryReplaced { .. }
            | Event::WaveClosed { .. }
            | Event::Started { .. }
            | Event::Validated { .. }
            | Event::HostKeySeen { .. }
            | Event::Probed { .. }
            | Event::CheckFailed { .. }
            | Event::StepsLeft { .. }
            | Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }
            | Event::RateCut { .. }
            | Event::Held { .. }
            | Event::Steered { .. }
            | Event::Closing { .. }
            | Event::Pausing { .. }
            | Event::Paused { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn resolve(&mut self, server: &ServerId, deed: Deed, verdict: &Verdict) {
        let Some(open) = self.servers.get_mut(server) else { return };
        let of_deed = open.deeds.values_mut().filter(|(open, _)| *open == deed);
        match verdict {
            Verdict::Happened { .. } | Verdict::AtWork => {
                of_deed.for_each(|(_, reach)| *reach = Reach::Accepted);
            }
            Verdict::DidNot => open.close(&[deed]),
            Verdict::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{FaultClass, JobId, Millis, Time, Timestamp};

    use super::*;

    fn servers() -> Vec<ServerId> {
        vec!["a".into()]
    }

    fn intended(deed: Deed) -> Event {
        Event::Intended { call: CallId(1), deed, servers: servers(), before: None }
    }

    fn accepted(deed: Deed) -> Event {
        let (call, job, request_id) = (CallId(1), JobId::from("j"), None);
        Event::Accepted { call, deed, servers: servers(), job, request_id }
    }

    fn lost(deed: Deed) -> Event {
        let (call, detail, look_at) = (CallId(1), "timeout".to_owned(), Time(9));
        Event::Lost {
            call,
            deed,
            servers: servers(),
            detail,
            look_at,
            request_id: None,
            refused_as: None,
        }
    }

    fn resolved(deed: Deed, verdict: Verdict) -> Event {
        Event::Resolved { server: "a".into(), deed, verdict, evidence: Vec::new(), retry_at: None }
    }

    fn job_ended(end: JobEnd) -> Event {
        Event::JobEnded { server: "a".into(), job: None, end, took: Millis(1) }
    }

    fn ended(ending: Ending) -> Event {
        Event::Ended { server: "a".into(), ending, failure: None, warnings: Vec::new() }
    }

    fn check(events: &[Event], want: &[OpenIntent]) {
        let record = |event| Record { seq: 1, at: Time(0), wall: Timestamp(0), event };
        let records: Vec<Record> = events.iter().cloned().map(record).collect();
        let open = open_intents(&records).remove("a").unwrap_or_default();
        assert_eq!(open, want, "{events:?}");
    }

    #[test]
    fn what_was_sent_is_open_until_its_end_is_seen() {
        use Deed::{ForceStop, Reinstall, Start, Stop};
        use OpenIntent as Open;
        check(&[], &[]);
        check(&[intended(Stop)], &[Open::Intended(Stop)]);
        check(&[intended(Stop), accepted(Stop)], &[Open::Accepted(Stop)]);
        check(&[intended(Stop), lost(Stop)], &[Open::InDoubt(Stop)]);
        check(&[accepted(ForceStop), Event::Stopped { servers: servers() }], &[]);
        check(
            &[accepted(Reinstall), Event::Stopped { servers: servers() }],
            &[Open::Accepted(Reinstall)],
        );
        check(&[accepted(Start), Event::StartedBack { servers: servers() }], &[]);
        check(&[accepted(Start), Event::Settled { servers: servers() }], &[]);
    }

    #[test]
    fn a_refusal_closes_only_the_call_that_was_refused() {
        let put_off = |call| Event::PutOff {
            call: CallId(call),
            deed: Deed::Stop,
            servers: servers(),
            class: FaultClass::Throttled,
            detail: String::new(),
            retry_at: Time(9),
            request_id: None,
        };
        check(&[intended(Deed::Stop), put_off(1)], &[]);
        check(&[intended(Deed::Stop), put_off(2)], &[OpenIntent::Intended(Deed::Stop)]);
    }

    #[test]
    fn a_doubt_is_open_until_it_is_known_that_nothing_happened() {
        let doubt = [intended(Deed::Reinstall), lost(Deed::Reinstall)];
        let with = |verdict| [doubt.to_vec(), vec![resolved(Deed::Reinstall, verdict)]].concat();
        check(&with(Verdict::DidNot), &[]);
        check(&with(Verdict::Happened { job: None }), &[OpenIntent::Accepted(Deed::Reinstall)]);
        check(&with(Verdict::Unknown), &[OpenIntent::InDoubt(Deed::Reinstall)]);
        check(
            &[with(Verdict::Unknown), vec![ended(Ending::Unknown)]].concat(),
            &[OpenIntent::Unknown],
        );
    }

    #[test]
    fn a_reinstall_is_open_until_the_guest_has_settled() {
        let good = JobEnd::Succeeded { settle_until: Time(9) };
        let bad = JobEnd::Failed {
            code: String::new(),
            reason: String::new(),
            wiped: true,
            retry_at: None,
            seen: None,
        };
        let open = [OpenIntent::Accepted(Deed::Reinstall)];
        let settled = Event::Settled { servers: servers() };
        check(&[accepted(Deed::Reinstall), job_ended(good.clone())], &open);
        check(&[accepted(Deed::Reinstall), job_ended(good), settled], &[]);
        check(&[accepted(Deed::Reinstall), job_ended(bad)], &[]);
        check(&[accepted(Deed::Reinstall), ended(Ending::Verified)], &[]);
    }
}
