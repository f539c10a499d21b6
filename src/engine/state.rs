//! Where one server is: the states, and the one transition table for live runs and for replay.
//!
//! Nothing here looks at a clock or at another server.

use crate::domain::{Ahead, CallId, Deed, Event, JobEnd, JobId, Millis, Time, Verdict};

/// "Not found" counts only so long after a request: the cloud may be slow to show what it took.
/// Neither the delay of the audit log nor that of a list is documented; a minute is ten times what
/// clients of this cloud wait between two looks (`ecs.md`, sections 7 and 11).
pub(crate) const DOUBT_GRACE: Millis = Millis::secs(60);

/// The same for a stop or a start: a second one does no harm, so a shorter wait is enough.
pub(crate) const POWER_GRACE: Millis = Millis::secs(15);

/// A mutating request on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Journaled, sent or about to be, not answered.
    Submitting {
        /// The request.
        call: CallId,
        /// Since when.
        since: Time,
    },
    /// Sent, and the answer will never come: look before anything else.
    InDoubt {
        /// When it was sent.
        since: Time,
        /// "Not found" counts from then on.
        look_at: Time,
    },
    /// The cloud is at it.
    Running {
        /// What to ask; `None` where only the server itself can be asked.
        job: Option<JobId>,
        /// When it was sent.
        since: Time,
    },
}

impl Sent {
    /// When the request was sent.
    pub(crate) fn since(&self) -> Time {
        match self {
            Self::Submitting { since, .. }
            | Self::InDoubt { since, .. }
            | Self::Running { since, .. } => *since,
        }
    }
}

/// What a change of power is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Stop before the wipe.
    Stop,
    /// Start after the settle time, where the cloud left the server off.
    Boot,
    /// Stop after the checks, where the playbook wants the server left off.
    Leave,
    /// Start back a server that was not wiped.
    Return,
}

impl Purpose {
    /// What is done for it.
    pub(crate) fn deed(self) -> Deed {
        match self {
            Self::Stop | Self::Leave => Deed::Stop,
            Self::Boot | Self::Return => Deed::Start,
        }
    }
}

/// A change of power: waiting to be sent, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// To be sent, not before then.
    Due(Time),
    /// On its way.
    Sent(Sent),
}

/// Where one server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not begun, or put off before anything was done to it.
    Pending {
        /// Not to be started before.
        not_before: Time,
    },
    /// It is being backed up; it runs on, and its stop comes after.
    Backup(Sent),
    /// Its power is being changed.
    Power(Purpose, Power),
    /// It is off, seen by a look, or its playbook wants it reinstalled as it is.
    Stopped {
        /// Since when.
        since: Time,
        /// Not to be wiped before.
        not_before: Time,
    },
    /// It was compared with its plan by a look asked for at `seen`.
    Validated {
        /// When.
        seen: Time,
    },
    /// The wipe is on its way.
    Reinstalling(Sent),
    /// Only reads until then.
    Settling {
        /// End of the settle time.
        until: Time,
    },
    /// Being checked.
    Verifying {
        /// Since when.
        since: Time,
        /// Not to be checked (again) before.
        not_before: Time,
    },
    /// Only steps of the playbook's own stand before what is next.
    StepsLeft(Ahead),
    /// Nothing more is done to it, apart from starting it back.
    Ended,
}

impl State {
    /// Away from its users because of us, or about to be: holds a rollout slot.
    pub(crate) fn is_in_flight(&self) -> bool {
        match self {
            Self::Pending { .. } | Self::Ended | Self::Power(Purpose::Return, _) => false,
            Self::Backup(_)
            | Self::Power(Purpose::Stop | Purpose::Boot | Purpose::Leave, _)
            | Self::Stopped { .. }
            | Self::Validated { .. }
            | Self::Reinstalling(_)
            | Self::Settling { .. }
            | Self::Verifying { .. }
            | Self::StepsLeft(_) => true,
        }
    }

    /// Stopped, being stopped or backed up for it, and not yet on its way to being wiped.
    pub(crate) fn is_queued(&self) -> bool {
        matches!(self, Self::Backup(_) | Self::Power(Purpose::Stop, _) | Self::Stopped { .. })
    }

    /// Holds one of the slots for reinstalls in flight.
    pub(crate) fn holds_reinstall(&self) -> bool {
        matches!(self, Self::Validated { .. } | Self::Reinstalling(_))
    }

    /// To be stopped, and nothing was sent yet.
    pub(crate) fn is_stop_due(&self) -> bool {
        matches!(self, Self::Power(Purpose::Stop, Power::Due(_)))
    }

    /// The request that is on its way, if there is one.
    pub(crate) fn sent(&self) -> Option<&Sent> {
        match self {
            Self::Power(_, Power::Sent(sent)) | Self::Reinstalling(sent) | Self::Backup(sent) => {
                Some(sent)
            }
            Self::Power(_, Power::Due(_))
            | Self::Pending { .. }
            | Self::Stopped { .. }
            | Self::Validated { .. }
            | Self::Settling { .. }
            | Self::Verifying { .. }
            | Self::StepsLeft(_)
            | Self::Ended => None,
        }
    }

    /// Where a change of power goes back to when its request was not done.
    fn power_again(purpose: Purpose, at: Time) -> Self {
        match purpose {
            Purpose::Stop | Purpose::Leave | Purpose::Return => {
                Self::Power(purpose, Power::Due(at))
            }
            Purpose::Boot => Self::Settling { until: at },
        }
    }

    /// The transition table: what `event`, recorded at `at`, makes of this state. `None`: no such
    /// event can happen in this state, so the journal is not one of ours.
    #[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
    pub(crate) fn after(&self, event: &Event, at: Time) -> Option<Self> {
        Some(match event {
            Event::Started { .. } => {
                let Self::Pending { .. } = self else { return None };
                Self::Power(Purpose::Stop, Power::Due(at))
            }
            Event::Intended { call, deed, .. } => self.after_intent(*call, *deed, at)?,
            Event::Accepted { job, .. } => self.with_sent(|sent| match sent {
                Sent::Submitting { since, .. } => {
                    Some(Sent::Running { job: Some(job.clone()), since: *since })
                }
                Sent::InDoubt { .. } | Sent::Running { .. } => None,
            })?,
            Event::PutOff { retry_at, .. } => self.after_not_done(*retry_at)?,
            Event::Refused { .. } => self.after_not_done(at)?,
            Event::Lost { look_at, .. } => self.in_doubt(*look_at)?,
            // A comparison does not outlive the process that made it: nobody knows for how long
            // nobody looked.
            Event::Resumed if matches!(self, Self::Validated { .. }) => {
                Self::Stopped { since: at, not_before: at }
            }
            Event::Resumed => {
                let slow = matches!(self, Self::Reinstalling(_) | Self::Backup(_));
                let grace = if slow { DOUBT_GRACE } else { POWER_GRACE };
                self.in_doubt(at + grace).unwrap_or_else(|| self.clone())
            }
            Event::Resolved { deed, verdict, retry_at, .. } => {
                self.after_verdict(*deed, verdict, (at, retry_at.unwrap_or(at)))?
            }
            Event::BackedUp { .. } => {
                let Self::Backup(Sent::Running { .. }) = self else { return None };
                Self::Power(Purpose::Stop, Power::Due(at))
            }
            Event::StopSkipped { .. } => {
                let Self::Power(Purpose::Stop, Power::Due(_)) = self else { return None };
                Self::Stopped { since: at, not_before: at }
            }
            Event::Stopped { .. } => {
                let Self::Power(Purpose::Stop, _) = self else { return None };
                Self::Stopped { since: at, not_before: at }
            }
            Event::Validated { seen, .. } => {
                let (Self::Stopped { .. } | Self::Validated { .. }) = self else { return None };
                Self::Validated { seen: *seen }
            }
            Event::JobEnded { end, .. } => self.after_job(end, at)?,
            Event::Settled { .. } => self.settled(at)?,
            Event::Probed { .. } => {
                let Self::Verifying { .. } = self else { return None };
                self.clone()
            }
            Event::CheckFailed { retry_at, .. } => {
                let Self::Verifying { .. } = self else { return None };
                Self::Verifying { since: *retry_at, not_before: *retry_at }
            }
            Event::Passed { .. } => {
                let (Self::Verifying { .. } | Self::StepsLeft(Ahead::End)) = self else {
                    return None;
                };
                Self::Power(Purpose::Leave, Power::Due(at))
            }
            Event::StepsLeft { before, .. } => self.steps_left(*before)?,
            Event::StepStarted { undo: false, .. } if !self.is_in_flight() => return None,
            Event::StepStarted { .. } | Event::StepEnded { .. } | Event::NotUndone { .. } => {
                self.clone()
            }
            // An answer that is still to come has to find its server where it left it.
            Event::Ended { .. } | Event::Yielded { .. } if self.is_submitting() => return None,
            // Whoever waited for an answer is dead: only somebody who saw what was open may end it.
            Event::Ended { .. } | Event::Abandoned { .. } | Event::Yielded { .. } => Self::Ended,
            Event::StartedBack { .. } | Event::NotStartedBack { .. } => {
                if self.is_settled_for_return() { Self::Ended } else { return None }
            }
            Event::RunStarted { .. }
            | Event::PreflightPassed { .. }
            | Event::PreflightRefused { .. }
            | Event::WaveOpened { .. }
            | Event::WaveClosed { .. }
            | Event::CanaryReplaced { .. }
            | Event::HostKeySeen { .. }
            | Event::RateCut { .. }
            | Event::Held { .. }
            | Event::Steered { .. }
            | Event::Closing { .. }
            | Event::Pausing { .. }
            | Event::Paused { .. }
            | Event::RunEnded { .. } => self.clone(),
        })
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_submitting(&self) -> bool {
        matches!(self.sent(), Some(Sent::Submitting { .. }))
    }

    /// Whether a start back may end here: nothing else is on its way.
    fn is_settled_for_return(&self) -> bool {
        !matches!(
            self,
            Self::Reinstalling(_)
                | Self::Settling { .. }
                | Self::Verifying { .. }
                | Self::StepsLeft(_)
        ) && !self.is_submitting()
    }

    fn settled(&self, at: Time) -> Option<Self> {
        let fits = matches!(
            self,
            Self::Settling { .. } | Self::Power(Purpose::Boot, _) | Self::StepsLeft(Ahead::Checks)
        );
        fits.then_some(Self::Verifying { since: at, not_before: at })
    }

    fn steps_left(&self, before: Ahead) -> Option<Self> {
        match (before, self) {
            (Ahead::Checks, Self::Settling { .. } | Self::Power(Purpose::Boot, _))
            | (Ahead::End, Self::Verifying { .. }) => Some(Self::StepsLeft(before)),
            (Ahead::Checks | Ahead::End, _) => None,
        }
    }

    fn after_intent(&self, call: CallId, deed: Deed, at: Time) -> Option<Self> {
        let sent = Sent::Submitting { call, since: at };
        match (deed, self) {
            (
                Deed::Stop | Deed::ForceStop,
                Self::Power(
                    purpose @ (Purpose::Stop | Purpose::Leave),
                    Power::Due(_) | Power::Sent(Sent::Running { .. }),
                ),
            ) => Some(Self::Power(*purpose, Power::Sent(sent))),
            (Deed::Start, Self::Settling { .. }) => {
                Some(Self::Power(Purpose::Boot, Power::Sent(sent)))
            }
            (
                Deed::Start,
                Self::Stopped { .. }
                | Self::Validated { .. }
                | Self::Pending { .. }
                | Self::Ended
                | Self::Power(Purpose::Stop | Purpose::Return, Power::Due(_)),
            ) => Some(Self::Power(Purpose::Return, Power::Sent(sent))),
            (Deed::Backup, Self::Power(Purpose::Stop, Power::Due(_))) => Some(Self::Backup(sent)),
            (Deed::Reinstall, Self::Validated { .. }) => Some(Self::Reinstalling(sent)),
            (Deed::Stop | Deed::ForceStop | Deed::Start | Deed::Backup | Deed::Reinstall, _) => {
                None
            }
        }
    }

    fn with_sent(&self, change: impl FnOnce(&Sent) -> Option<Sent>) -> Option<Self> {
        let sent = change(self.sent()?)?;
        Some(match self {
            Self::Power(purpose, _) => Self::Power(*purpose, Power::Sent(sent)),
            Self::Backup(_) => Self::Backup(sent),
            Self::Pending { .. }
            | Self::Stopped { .. }
            | Self::Validated { .. }
            | Self::Reinstalling(_)
            | Self::Settling { .. }
            | Self::Verifying { .. }
            | Self::StepsLeft(_)
            | Self::Ended => Self::Reinstalling(sent),
        })
    }

    fn in_doubt(&self, look_at: Time) -> Option<Self> {
        self.with_sent(|sent| match sent {
            Sent::Submitting { since, .. } => Some(Sent::InDoubt { since: *since, look_at }),
            Sent::InDoubt { .. } | Sent::Running { .. } => None,
        })
    }

    fn after_not_done(&self, again: Time) -> Option<Self> {
        let Some(Sent::Submitting { since, .. }) = self.sent() else { return None };
        Some(match self {
            Self::Power(Purpose::Stop, _) | Self::Backup(_) => Self::Pending { not_before: again },
            Self::Power(purpose, _) => Self::power_again(*purpose, again),
            Self::Pending { .. }
            | Self::Stopped { .. }
            | Self::Validated { .. }
            | Self::Reinstalling(_)
            | Self::Settling { .. }
            | Self::Verifying { .. }
            | Self::StepsLeft(_)
            | Self::Ended => Self::Stopped { since: *since, not_before: again },
        })
    }

    fn after_verdict(
        &self,
        deed: Deed,
        verdict: &Verdict,
        (at, again): (Time, Time),
    ) -> Option<Self> {
        match verdict {
            // It counted as one that did not happen, and was only late.
            Verdict::Happened { .. } | Verdict::AtWork
                if deed == Deed::Reinstall
                    && matches!(self, Self::Stopped { .. } | Self::Validated { .. }) =>
            {
                let job = verdict.job().cloned();
                Some(Self::Reinstalling(Sent::Running { job, since: at }))
            }
            Verdict::Happened { .. } | Verdict::AtWork => self.with_sent(|sent| match sent {
                Sent::InDoubt { since, .. } | Sent::Running { since, .. } => {
                    Some(Sent::Running { job: verdict.job().cloned(), since: *since })
                }
                Sent::Submitting { .. } => None,
            }),
            Verdict::DidNot if self.is_submitting() => None,
            Verdict::DidNot => self.sent().map(|_| match self {
                // It was refused, and runs: until its next attempt it holds no place.
                Self::Power(Purpose::Stop, _) if again > at => Self::Pending { not_before: again },
                Self::Power(purpose, _) => Self::power_again(*purpose, at),
                Self::Backup(_) => Self::Pending { not_before: at },
                Self::Pending { .. }
                | Self::Stopped { .. }
                | Self::Validated { .. }
                | Self::Reinstalling(_)
                | Self::Settling { .. }
                | Self::Verifying { .. }
                | Self::StepsLeft(_)
                | Self::Ended => Self::Stopped { since: at, not_before: again },
            }),
            Verdict::Unknown => self.sent().map(|_| self.clone()),
        }
    }

    fn after_job(&self, end: &JobEnd, at: Time) -> Option<Self> {
        let Self::Reinstalling(Sent::Running { .. }) = self else { return None };
        Some(match end {
            JobEnd::Succeeded { settle_until } => Self::Settling { until: *settle_until },
            JobEnd::Failed { retry_at, .. } => {
                Self::Stopped { since: at, not_before: retry_at.unwrap_or(at) }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ending, FaultClass, ServerId};

    const AT: Time = Time(500);
    const SINCE: Time = Time(100);

    fn servers() -> Vec<ServerId> {
        vec![ServerId::from("a")]
    }

    fn submitting() -> Sent {
        Sent::Submitting { call: CallId(7), since: SINCE }
    }

    fn in_doubt() -> Sent {
        Sent::InDoubt { since: SINCE, look_at: Time(900) }
    }

    fn running(job: Option<&str>) -> Sent {
        Sent::Running { job: job.map(JobId::from), since: SINCE }
    }

    fn intent(deed: Deed) -> Event {
        Event::Intended { call: CallId(7), deed, servers: servers(), before: None }
    }

    fn put_off(deed: Deed) -> Event {
        let (class, detail) = (FaultClass::Busy, String::new());
        let (call, retry_at, request_id) = (CallId(7), Time(800), None);
        Event::PutOff { call, deed, servers: servers(), class, detail, retry_at, request_id }
    }

    fn resolved(verdict: Verdict) -> Event {
        let (server, deed) = (ServerId::from("a"), Deed::Reinstall);
        Event::Resolved { server, deed, verdict, evidence: Vec::new(), retry_at: None }
    }

    fn ended() -> Event {
        let (server, ending) = (ServerId::from("a"), Ending::Failed);
        Event::Ended { server, ending, failure: None, warnings: Vec::new() }
    }

    fn started_back() -> Event {
        Event::StartedBack { servers: servers() }
    }

    #[test]
    fn s13_a_wipe_is_intended_only_right_after_a_comparison() {
        let at = |state: State| state.after(&intent(Deed::Reinstall), AT);
        let sent = Sent::Submitting { call: CallId(7), since: AT };
        assert_eq!(at(State::Validated { seen: SINCE }), Some(State::Reinstalling(sent)));
        for state in [
            State::Pending { not_before: SINCE },
            State::Stopped { since: SINCE, not_before: SINCE },
            State::Power(Purpose::Stop, Power::Sent(running(None))),
            State::Reinstalling(submitting()),
            State::Reinstalling(in_doubt()),
            State::Reinstalling(running(None)),
            State::Settling { until: AT },
            State::Verifying { since: AT, not_before: AT },
            State::Ended,
        ] {
            assert_eq!(at(state.clone()), None, "{state:?}");
        }
    }

    #[test]
    fn what_a_resumed_run_makes_of_every_state() {
        let doubt = Sent::InDoubt { since: SINCE, look_at: AT + DOUBT_GRACE };
        let stopped = State::Stopped { since: AT, not_before: AT };
        let rows = [
            (State::Reinstalling(submitting()), State::Reinstalling(doubt)),
            (
                State::Power(Purpose::Stop, Power::Sent(submitting())),
                State::Power(
                    Purpose::Stop,
                    Power::Sent(Sent::InDoubt { since: SINCE, look_at: AT + POWER_GRACE }),
                ),
            ),
            (State::Validated { seen: SINCE }, stopped),
        ];
        for (before, after) in rows {
            assert_eq!(before.after(&Event::Resumed, AT), Some(after), "{before:?}");
        }
        for same in [
            State::Pending { not_before: SINCE },
            State::Reinstalling(in_doubt()),
            State::Reinstalling(running(Some("j"))),
            State::Settling { until: SINCE },
            State::Ended,
        ] {
            assert_eq!(same.after(&Event::Resumed, AT), Some(same.clone()));
        }
    }

    #[test]
    fn only_a_doubt_or_a_running_wipe_can_turn_out_not_to_have_happened() {
        let did_not = |state: State| state.after(&resolved(Verdict::DidNot), AT);
        let stopped = Some(State::Stopped { since: AT, not_before: AT });
        assert_eq!(did_not(State::Reinstalling(in_doubt())), stopped);
        assert_eq!(did_not(State::Reinstalling(running(None))), stopped);
        assert_eq!(did_not(State::Reinstalling(submitting())), None);
        assert_eq!(did_not(State::Settling { until: AT }), None);
    }

    #[test]
    fn nothing_ends_while_an_answer_is_still_to_come() {
        for state in [
            State::Reinstalling(submitting()),
            State::Power(Purpose::Stop, Power::Sent(submitting())),
            State::Power(Purpose::Return, Power::Sent(submitting())),
        ] {
            assert_eq!(state.after(&ended(), AT), None, "{state:?}");
            assert_eq!(state.after(&started_back(), AT), None, "{state:?}");
        }
        let known = State::Power(Purpose::Return, Power::Sent(running(Some("j"))));
        assert_eq!(known.after(&started_back(), AT), Some(State::Ended));
    }

    #[test]
    fn what_was_put_off_goes_back_to_where_it_can_be_sent_from() {
        let again = |state: State, deed| state.after(&put_off(deed), AT);
        let power = |purpose| State::Power(purpose, Power::Sent(submitting()));
        let due = |purpose| Some(State::Power(purpose, Power::Due(Time(800))));
        let pending = Some(State::Pending { not_before: Time(800) });
        assert_eq!(again(power(Purpose::Stop), Deed::Stop), pending);
        assert_eq!(again(power(Purpose::Leave), Deed::Stop), due(Purpose::Leave));
        assert_eq!(again(power(Purpose::Return), Deed::Start), due(Purpose::Return));
        let settling = Some(State::Settling { until: Time(800) });
        assert_eq!(again(power(Purpose::Boot), Deed::Start), settling);
        let stopped = Some(State::Stopped { since: SINCE, not_before: Time(800) });
        assert_eq!(again(State::Reinstalling(submitting()), Deed::Reinstall), stopped);
        assert_eq!(again(State::Reinstalling(running(None)), Deed::Reinstall), None);
    }
}
