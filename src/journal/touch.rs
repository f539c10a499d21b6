//! What a run owes to its servers, and which of them it may still touch.
//!
//! Start with [`may_touch`]: those a run claims when it is taken over. [`kept`] says which of them no
//! other run may have meanwhile, though no process drives this one.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Deed, Ending, Event, JobEnd, Record, ServerId, StepEnd, Verdict};

use super::{OpenIntent, open_intents};

/// What a run that nobody drives keeps from others, by server: what is open on it, and that it owes
/// the server a start. A server with nothing of that is absent.
#[must_use]
pub fn kept<'r>(
    records: impl IntoIterator<Item = &'r Record> + Clone,
) -> BTreeMap<ServerId, Vec<OpenIntent>> {
    let mut kept = open_intents(records.clone());
    for (server, touch) in fold(records) {
        if touch.is_off && touch.is_owed() && !kept.contains_key(&server) {
            kept.insert(server, vec![OpenIntent::Owed]);
        }
    }
    kept
}

/// The servers that a run may still touch: those that have not ended, those it has to start again,
/// and those with steps of the playbook to take back.
pub(super) fn may_touch(records: &[Record]) -> BTreeSet<ServerId> {
    let touches = fold(records).into_iter();
    touches.filter(|(_, touch)| touch.may_be_touched()).map(|(server, _)| server).collect()
}

/// What one run did to one server, as far as it may have to be undone.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of them a yes or no")]
struct Touch {
    /// A stop was sent, whatever came of it.
    stopped: bool,
    /// It is off because of us, or perhaps is.
    is_off: bool,
    /// Its disk was wiped, or perhaps was.
    wiped: bool,
    /// The same, before the last wipe was sent.
    wiped_before: bool,
    /// Starting it back came to its end.
    returned: bool,
    /// Steps of the playbook that began and were not taken back.
    begun: BTreeSet<String>,
    ending: Option<Ending>,
    /// The run left it to somebody else.
    gone: bool,
}

impl Touch {
    fn is_over(&self) -> bool {
        matches!(self.ending, Some(Ending::Verified | Ending::Unknown))
    }

    fn is_owed(&self) -> bool {
        self.stopped && !self.wiped && !self.returned && !self.gone && !self.is_over()
    }

    fn may_be_touched(&self) -> bool {
        let undo = !self.begun.is_empty() && !self.wiped && !self.is_over();
        !self.gone && (self.ending.is_none() || self.is_owed() || undo)
    }

    fn apply(&mut self, event: &Event) {
        if let Event::Intended { deed, .. } = event {
            match deed {
                Deed::Stop | Deed::ForceStop => (self.stopped, self.is_off) = (true, true),
                Deed::Reinstall => (self.wiped_before, self.wiped) = (self.wiped, true),
                Deed::Start | Deed::Backup => {}
            }
        } else if let Event::PutOff { deed, .. }
        | Event::Refused { deed, .. }
        | Event::Resolved { deed, verdict: Verdict::DidNot, .. } = event
        {
            match deed {
                Deed::Reinstall => self.wiped = self.wiped_before,
                // A forced stop follows one that was taken.
                Deed::Stop => self.is_off = false,
                Deed::ForceStop | Deed::Start | Deed::Backup => {}
            }
        } else if let Event::JobEnded { end: JobEnd::Failed { wiped, .. }, .. } = event {
            self.wiped = *wiped;
        } else if let Event::StartedBack { .. } | Event::NotStartedBack { .. } = event {
            self.returned = true;
        } else if let Event::Ended { ending, .. } = event {
            self.ending = Some(*ending);
        } else if let Event::Abandoned { .. } | Event::Yielded { .. } = event {
            self.gone = true;
        } else if let Event::StepStarted { step, undo: false, .. } = event {
            self.begun.insert(step.clone());
        } else if let Event::StepEnded { step, end: StepEnd::Late, .. } = event {
            self.begun.remove(step);
        } else if let Event::StepEnded { step, undo: true, .. } | Event::NotUndone { step, .. } =
            event
        {
            self.begun.remove(step);
        }
    }
}

fn fold<'r>(records: impl IntoIterator<Item = &'r Record>) -> BTreeMap<ServerId, Touch> {
    let mut touches: BTreeMap<ServerId, Touch> = BTreeMap::new();
    for record in records {
        if let Event::RunStarted { outline } = &record.event {
            let targets = outline.fleets.iter().flat_map(|fleet| fleet.waves.iter().flatten());
            touches.extend(targets.map(|target| (target.id.clone(), Touch::default())));
        }
        for server in servers_of(&record.event) {
            if let Some(touch) = touches.get_mut(server) {
                touch.apply(&record.event);
            }
        }
    }
    touches
}

/// The servers of the events above.
fn servers_of(event: &Event) -> &[ServerId] {
    if let Event::Intended { servers, .. }
    | Event::PutOff { servers, .. }
    | Event::Refused { servers, .. }
    | Event::StartedBack { servers } = event
    {
        servers
    } else if let Event::Resolved { server, .. }
    | Event::JobEnded { server, .. }
    | Event::NotStartedBack { server, .. }
    | Event::Ended { server, .. }
    | Event::Abandoned { server, .. }
    | Event::Yielded { server, .. }
    | Event::StepStarted { server, .. }
    | Event::StepEnded { server, .. }
    | Event::NotUndone { server, .. } = event
    {
        std::slice::from_ref(server)
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{CallId, FaultClass, LeftOff, Millis, Time};
    use crate::journal::store::tests::{ended, intended, new_run, record};

    use super::*;

    fn records(events: Vec<Event>) -> Vec<Record> {
        let first = new_run("run-1", &["a"]).first;
        let rest = (2..).zip(events).map(|(seq, event)| record(seq, event));
        std::iter::once(first).chain(rest).collect()
    }

    fn check(events: Vec<Event>, touches: bool, keeps: bool) {
        let records = records(events);
        assert_eq!(may_touch(&records).contains("a"), touches, "{records:?}");
        assert_eq!(kept(&records).contains_key("a"), keeps, "{records:?}");
    }

    fn stopped() -> Vec<Event> {
        vec![intended(Deed::Stop, &["a"]), Event::Stopped { servers: vec!["a".into()] }]
    }

    fn wiped(wiped: bool) -> Event {
        let (code, reason) = (String::new(), String::new());
        let end = JobEnd::Failed { code, reason, wiped, retry_at: None, seen: None };
        Event::JobEnded { server: "a".into(), job: None, end, took: Millis(1) }
    }

    #[test]
    fn a_server_that_was_stopped_and_not_wiped_is_kept_until_it_was_started_back() {
        let after = |more: Vec<Event>| [stopped(), more].concat();
        check(vec![], true, false);
        check(stopped(), true, true);
        check(after(vec![ended("a", Ending::Drifted)]), true, true);
        check(after(vec![ended("a", Ending::Failed)]), true, true);
        check(after(vec![ended("a", Ending::Unknown)]), false, true);
        let back = Event::StartedBack { servers: vec!["a".into()] };
        check(after(vec![ended("a", Ending::Drifted), back]), false, false);
        let (server, detail, why) = ("a".into(), String::new(), LeftOff::Failed);
        let not = Event::NotStartedBack { server, detail, why };
        check(after(vec![ended("a", Ending::Drifted), not]), false, false);
    }

    #[test]
    fn a_server_that_was_wiped_is_not_owed_a_start() {
        let wipe = || intended(Deed::Reinstall, &["a"]);
        let after = |more: Vec<Event>| [stopped(), vec![wipe()], more].concat();
        check(after(vec![ended("a", Ending::Verified)]), false, false);
        check(after(vec![wiped(true), ended("a", Ending::Failed)]), false, false);
        check(after(vec![wiped(false), ended("a", Ending::Failed)]), true, true);
    }

    #[test]
    fn a_stop_that_was_refused_leaves_nothing_to_keep() {
        let put_off = Event::PutOff {
            call: CallId(1),
            deed: Deed::Stop,
            servers: vec!["a".into()],
            class: FaultClass::Throttled,
            detail: String::new(),
            retry_at: Time(9),
            request_id: None,
        };
        check(vec![intended(Deed::Stop, &["a"]), put_off], true, false);
    }

    #[test]
    fn a_step_that_began_is_the_runs_to_take_back() {
        let (server, step) = (|| "a".into(), || "drain".to_owned());
        let began = Event::StepStarted { server: server(), step: step(), attempt: 1, undo: false };
        let undone = Event::StepEnded {
            server: server(),
            step: step(),
            attempt: 1,
            undo: true,
            end: StepEnd::Done,
            detail: String::new(),
        };
        let drifted = || ended("a", Ending::Drifted);
        check(vec![began.clone(), drifted()], true, false);
        check(vec![began, drifted(), undone], false, false);
        check(vec![drifted()], false, false);
    }

    #[test]
    fn a_server_that_was_given_up_is_never_touched_again() {
        let given_up = Event::Abandoned { server: "a".into(), by: String::new(), open: Vec::new() };
        check([stopped(), vec![given_up]].concat(), false, false);
        let yielded = Event::Yielded { server: "a".into(), to: "run-2".into() };
        check([stopped(), vec![yielded]].concat(), false, false);
    }
}
