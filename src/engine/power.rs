//! Looks at servers that are being stopped or started, and what they mean.

use crate::domain::{Ahead, Ending, Event, LeftOff, Verdict};
use crate::playbook::{Check, StepWord};

use super::core::{Draft, Engine};
use super::failure;
use super::look::Sighting;
use super::state::{self, DOUBT_GRACE, Power, Sent, State};

impl Engine {
    /// A server that is owed to its users.
    pub(super) fn seen_owed(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        // What was asked before this state began may show how it was before.
        if asked < self.pending.looks[index].since {
            return;
        }
        if server.is_running() {
            let servers = vec![server.id.clone()];
            self.record(draft, Event::StartedBack { servers });
        } else if server.is_stopped() && !self.treatment(index).start_back {
            let (server, detail) =
                (server.id.clone(), "the playbook says `start_back: false`".to_owned());
            self.record(draft, Event::NotStartedBack { server, detail, why: LeftOff::AsPlanned });
        } else if server.is_stopped() && server.locked {
            let (server, why) = (server.id.clone(), LeftOff::Locked);
            let detail = "somebody locked it, and refleet never unlocks a server".to_owned();
            self.record(draft, Event::NotStartedBack { server, detail, why });
        } else if server.is_stopped() {
            self.note_cleared(index, asked, server);
        } else {
            self.look_again(draft.now.at, index);
        }
    }

    pub(super) fn seen_power(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
        (purpose, power): (state::Purpose, &Power),
    ) {
        let wants_off = matches!(purpose, state::Purpose::Stop | state::Purpose::Leave);
        let there = if wants_off { server.is_stopped() } else { server.is_running() };
        let still = if wants_off { server.is_running() } else { server.is_stopped() };
        let sent = match power {
            // Being off is no stop of ours before what comes first is done: it is looked at again then.
            Power::Due(_) if purpose == state::Purpose::Stop => {
                return self.seen_before_stop(draft, index, Sighting { server, asked });
            }
            Power::Due(_) if purpose == state::Purpose::Leave && still => {
                return self.seen_before_leaving(draft, index, Sighting { server, asked });
            }
            Power::Due(_) if there => return self.power_reached(draft, index, purpose),
            Power::Due(_) => return self.look_again(draft.now.at, index),
            Power::Sent(sent) => sent,
        };
        if asked < sent.since() || matches!(sent, Sent::Submitting { .. }) {
            return;
        }
        let shown_by = match sent {
            Sent::InDoubt { look_at, .. } => *look_at,
            Sent::Submitting { since, .. } | Sent::Running { since, .. } => *since + DOUBT_GRACE,
        };
        let now = draft.now.at;
        if !there && (self.is_force_due(index, now) || self.step_waits_for_look(index, now)) {
            self.clear_under_way(now, index, Sighting { server, asked });
        }
        if there {
            self.power_reached(draft, index, purpose);
        } else if still && asked >= shown_by {
            let (server, deed) = (server.id.clone(), purpose.deed());
            let evidence = vec![format!(
                "{} without a task {} after it was sent",
                if wants_off { "running" } else { "off" },
                asked.since(sent.since())
            )];
            let verdict = Verdict::DidNot;
            let refused = self.facts.targets[index].refused_as;
            let retry_at = refused.map(|class| self.again_after(now, index, class));
            let attempts = self.treatment(index).retry.transient.attempts;
            let why = evidence.join("; ");
            let event = Event::Resolved {
                server: server.clone(),
                deed,
                verdict,
                evidence,
                retry_at: retry_at.flatten(),
            };
            self.record(draft, event);
            if retry_at == Some(None) {
                let failure = failure::not_taken(deed, &why);
                self.end(draft, server, Ending::Failed, Some(failure));
            } else if self.facts.targets[index].put_off.transient >= attempts {
                self.power_failed(draft, index, purpose);
            }
        } else {
            self.look_again(draft.now.at, index);
        }
    }

    /// The look that a stop rests on.
    fn seen_before_stop(&mut self, draft: &mut Draft, index: usize, sighting: Sighting<'_>) {
        if !self.clear_to_begin(draft, index, sighting) {
            return;
        }
        if sighting.server.is_stopped() && self.stop_is_next(index) {
            // Being off is no stop of ours before what comes first is done.
            let servers = vec![sighting.server.id.clone()];
            self.record(draft, Event::Stopped { servers });
        } else if !sighting.server.is_running() && !sighting.server.is_stopped() {
            self.clear_later(draft.now.at, index);
            self.look_again(draft.now.at, index);
        }
    }

    /// The look that the last stop rests on, of a server whose playbook wants it left off.
    fn seen_before_leaving(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        if let Some(rule) = self.protection_of(server) {
            let warnings = vec![format!("it is left running: it is protected now ({rule})")];
            let (server, ending, failure) = (server.id.clone(), Ending::Verified, None);
            return self.record(draft, Event::Ended { server, ending, failure, warnings });
        }
        self.note_cleared(index, asked, server);
    }

    fn power_reached(&mut self, draft: &mut Draft, index: usize, purpose: state::Purpose) {
        let server = self.server_id(index);
        let servers = vec![server.clone()];
        match purpose {
            state::Purpose::Stop => self.record(draft, Event::Stopped { servers }),
            state::Purpose::Boot => self.settled(draft, index),
            state::Purpose::Return => self.record(draft, Event::StartedBack { servers }),
            state::Purpose::Leave => self.end(draft, server, Ending::Verified, None),
        }
    }

    fn power_failed(&mut self, draft: &mut Draft, index: usize, purpose: state::Purpose) {
        let server = self.server_id(index);
        match purpose {
            state::Purpose::Return => {
                let detail =
                    "the cloud took the start again and again, and did not start it".to_owned();
                self.record(draft, Event::NotStartedBack { server, detail, why: LeftOff::Failed });
            }
            state::Purpose::Stop | state::Purpose::Boot | state::Purpose::Leave => {
                let what = purpose.deed().to_string();
                let timeout = self.treatment(index).wait.timeout;
                self.end(draft, server, Ending::Failed, Some(failure::timed_out(&what, timeout)));
            }
        }
    }

    pub(super) fn seen_settled(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        // Whichever check is the next one: one of those behind it may need the server on.
        let mut checks = self.treatment(index).verify.iter();
        let needs_it_on = checks
            .any(|check| check.is_from_outside() || matches!(check, Check::PasswordReady { .. }));
        let off_is_well = !self.plan.targets[index].leave_running && !needs_it_on;
        if server.is_running() || (server.is_stopped() && off_is_well) {
            self.settled(draft, index);
        } else if server.is_stopped() {
            self.note_cleared(index, asked, server);
        } else {
            self.look_again(draft.now.at, index);
        }
    }

    /// A server is ready for its checks; steps of the playbook may come before them.
    fn settled(&mut self, draft: &mut Draft, index: usize) {
        let servers = vec![self.server_id(index)];
        let event = if self.is_open(index, StepWord::Verify) {
            Event::Settled { servers }
        } else {
            Event::StepsLeft { servers, before: Ahead::Checks }
        };
        self.record(draft, event);
    }

    pub(super) fn is_power_running(&self, index: usize) -> bool {
        matches!(self.facts.targets[index].state, State::Power(_, Power::Sent(_)))
    }
}
