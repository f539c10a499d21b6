//! What an input means: events, and new knowledge that is not journaled.

use crate::domain::{
    Answer, CallId, CostClass, Deed, Ending, Event, Failure, Fault, FaultClass, LeftOff, Millis,
    Remedy, Reply, RetryKind, ServerId, Steering, Time, Verdict,
};
use crate::plan::PlannedTreatment;

use super::core::{Draft, Engine};
use super::failure;
use super::pending::{Purpose, Scope, SeenPower};
use super::retry::{delay, mix};
use super::state::{self, DOUBT_GRACE, POWER_GRACE, Sent, State};
use super::turn::Input;

/// A change that was sent.
struct Change {
    call: CallId,
    deed: Deed,
    servers: Vec<ServerId>,
}

impl Engine {
    /// Takes one input in.
    pub(super) fn react(&mut self, draft: &mut Draft, input: Input) {
        match input {
            Input::Begin => self.begin_preflight(draft, Scope::Run),
            Input::Resumed { left, yielded } => {
                #[cfg(test)]
                let forgotten = self.forget_what_was_sent(draft);
                self.record(draft, Event::Resumed);
                #[cfg(test)]
                self.trust_blindly(draft, Deed::Reinstall, forgotten);
                for (server, to) in yielded {
                    self.record(draft, Event::Yielded { server, to });
                }
                for request in left {
                    self.asked(draft, request);
                }
                if self.facts.preflight.is_none() && self.facts.closing.is_none() {
                    self.begin_preflight(draft, Scope::Run);
                } else {
                    self.begin_preflight_again(draft);
                }
            }
            Input::Woke => {}
            Input::Replied { call, reply } => self.replied(draft, call, reply),
            Input::Interrupted => self.steer(draft, Steering::Stop, None),
            Input::Asked(request) => self.asked(draft, request),
        }
    }

    fn replied(&mut self, draft: &mut Draft, call: CallId, reply: Reply) {
        let Some(call_made) = self.pending.calls.remove(&call) else { return };
        match &reply {
            Err(fault) if fault.class == FaultClass::Throttled => {
                let cut = self.pending.bucket.cut(draft.now.at, fault.retry_after);
                if let Some(per_minute) = cut {
                    self.record(draft, Event::RateCut { per_minute });
                }
            }
            Ok(_) => self.pending.bucket.let_through(),
            Err(_) => {}
        }
        if let Err(fault) = &reply
            && fault.shuts_out()
            && self.facts.preflight.is_some()
        {
            return self.shut_out(draft, call, call_made.purpose, fault);
        }
        match call_made.purpose {
            Purpose::Change { deed, servers } => {
                self.change_replied(draft, Change { call, deed, servers }, reply);
            }
            Purpose::Survey(action) => self.survey_replied(draft, &action, reply),
            Purpose::Own { target, step, undo } => {
                self.step_replied(draft, (target, step), undo, reply);
            }
            purpose @ (Purpose::Sweep { .. }
            | Purpose::Look(_)
            | Purpose::Job(_)
            | Purpose::Traces(_)
            | Purpose::Backups(_)
            | Purpose::Volumes { .. }
            | Purpose::Probe { .. }) => {
                self.read_replied(draft, &purpose, call_made.asked, reply);
            }
        }
    }

    fn change_replied(&mut self, draft: &mut Draft, change: Change, reply: Reply) {
        match reply {
            Ok(Answer::Accepted { job, request_id }) => {
                let Change { call, deed, servers } = change;
                self.record(draft, Event::Accepted { call, deed, servers, job, request_id });
            }
            Ok(_) => {
                let detail = "the answer was not one to this request".to_owned();
                self.lose(draft, change, detail, None);
            }
            Err(fault) => self.change_failed(draft, change, &fault),
        }
    }

    fn lose(
        &mut self,
        draft: &mut Draft,
        change: Change,
        detail: String,
        request_id: Option<String>,
    ) {
        let Change { call, deed, servers } = change;
        let look_at = match deed {
            Deed::Reinstall | Deed::Backup => draft.now.at + DOUBT_GRACE,
            Deed::Stop | Deed::ForceStop | Deed::Start => draft.now.at + POWER_GRACE,
        };
        #[cfg(test)]
        if self.flaw == Some(super::Flaw::ResendAfterLoss) {
            let retry_at = draft.now.at;
            let class = FaultClass::Transient;
            let again = servers.clone();
            let event = Event::PutOff { call, deed, servers, class, detail, retry_at, request_id };
            self.record(draft, event);
            return self.trust_blindly(draft, deed, again);
        }
        let refused_as = None;
        self.record(
            draft,
            Event::Lost { call, deed, servers, detail, look_at, refused_as, request_id },
        );
    }

    fn change_failed(&mut self, draft: &mut Draft, change: Change, fault: &Fault) {
        let (detail, request_id) = (fault.to_string(), fault.request_id.clone());
        if fault.class == FaultClass::Lost {
            return self.lose(draft, change, detail, request_id);
        }
        let Change { call, deed, servers } = change;
        // One server that the cloud does not take spoils a whole batch: send each alone.
        if servers.len() > 1 && is_about_one(fault.class) {
            for server in &servers {
                self.pending.single.extend(self.plan.targets.get_index_of(server));
            }
            let (class, retry_at) = (fault.class, draft.now.at);
            let event = Event::PutOff { call, deed, servers, class, detail, retry_at, request_id };
            return self.record(draft, event);
        }
        // A look had found the server at rest, so what it is busy with may be this very request: a
        // gateway that repeats one is answered so. It is looked up, and not sent again on a guess.
        if self.takes_away(deed, &servers) && may_be_a_repeat(fault.class) {
            let look_at = draft.now.at + POWER_GRACE;
            let refused_as = Some(fault.class);
            return self.record(
                draft,
                Event::Lost { call, deed, servers, detail, look_at, refused_as, request_id },
            );
        }
        let (mut later, mut never) = (Vec::new(), Vec::new());
        for server in servers {
            let index = self.plan.targets.get_index_of(&server).unwrap_or_default();
            match self.again_at(draft.now.at, index, fault) {
                Some(at) => later.push((at, server)),
                None => never.push(server),
            }
        }
        if let Some(retry_at) = later.iter().map(|(at, _)| *at).max() {
            let servers = later.into_iter().map(|(_, server)| server).collect();
            let (class, detail, request_id) = (fault.class, detail.clone(), request_id.clone());
            self.record(
                draft,
                Event::PutOff { call, deed, servers, class, detail, retry_at, request_id },
            );
        }
        if !never.is_empty() {
            let servers = never.clone();
            self.record(draft, Event::Refused { call, deed, servers, detail, request_id });
            for server in never {
                self.end_refused(draft, server, deed, fault);
            }
        }
    }

    /// Whether this request takes servers from their users, or wipes them.
    fn takes_away(&self, deed: Deed, servers: &[ServerId]) -> bool {
        let stops = |server: &ServerId| {
            let index = self.plan.targets.get_index_of(server);
            index.is_some_and(|index| {
                matches!(self.facts.targets[index].state, State::Power(state::Purpose::Stop, _))
            })
        };
        match deed {
            Deed::Reinstall => true,
            Deed::Stop | Deed::ForceStop => servers.iter().all(stops),
            Deed::Start | Deed::Backup => false,
        }
    }

    /// A request that is never sent again ends its server, or its start back.
    fn end_refused(&mut self, draft: &mut Draft, server: ServerId, deed: Deed, fault: &Fault) {
        let index = self.plan.targets.get_index_of(&server);
        let leaving = State::Power(state::Purpose::Leave, state::Power::Due(draft.now.at));
        let stops = matches!(deed, Deed::Stop | Deed::ForceStop);
        if stops && index.is_some_and(|index| self.pending.owed.contains(&index)) {
            // It may run on as if nothing had been sent: the next look says what it is owed.
        } else if index.is_some_and(|index| self.is_returning(index)) {
            let detail = failure::told(fault);
            self.record(draft, Event::NotStartedBack { server, detail, why: LeftOff::Failed });
        } else if index.is_some_and(|index| self.facts.targets[index].state == leaving) {
            // Every check had passed: that it stays on is odd, and no failure.
            let warnings = vec![format!(
                "it is left running: the stop was refused ({})",
                failure::told(fault)
            )];
            let (ending, failure) = (Ending::Verified, None);
            self.record(draft, Event::Ended { server, ending, failure, warnings });
        } else {
            let failure = failure::refused(&deed.to_string(), fault);
            self.end(draft, server, Ending::Failed, Some(failure));
        }
    }

    /// Whether what is being done to it is only to start it back.
    fn is_returning(&self, index: usize) -> bool {
        let target = &self.facts.targets[index];
        target.ending.is_some()
            || self.pending.owed.contains(&index)
            || matches!(target.state, State::Power(state::Purpose::Return, _))
    }

    /// When a refused request is sent again; `None`: never.
    fn again_at(&self, now: Time, index: usize, fault: &Fault) -> Option<Time> {
        self.again(now, index, (fault.class, fault.retry_after))
    }

    /// The same for one that was refused and then looked up.
    pub(super) fn again_after(&self, now: Time, index: usize, class: FaultClass) -> Option<Time> {
        self.again(now, index, (class, None))
    }

    fn again(
        &self,
        now: Time,
        index: usize,
        (class, retry_after): (FaultClass, Option<Millis>),
    ) -> Option<Time> {
        if class == FaultClass::Late {
            return Some(now);
        }
        let target = &self.facts.targets[index];
        let retry = &self.treatment(index).retry;
        let Remedy::Retry(kind) = class.remedy(CostClass::Mutating) else { return None };
        let policy = retry.of(kind);
        let before = match kind {
            RetryKind::Throttled => target.put_off.throttled,
            RetryKind::Transient => target.put_off.transient,
            RetryKind::Busy => target.put_off.busy,
        };
        let put_off = before + 1;
        let draw = mix(self.seed, index, u64::from(put_off) << 8 | class as u64);
        (put_off < policy.attempts).then(|| now + delay(policy, put_off, draw, retry_after))
    }

    /// Nobody can say what came of a request.
    pub(super) fn give_up(
        &mut self,
        draft: &mut Draft,
        index: usize,
        deed: Deed,
        evidence: Vec<String>,
    ) {
        let server = self.server_id(index);
        let stuck = self.plan.cloud.features.stuck.as_deref();
        let job = match &self.facts.targets[index].state {
            State::Reinstalling(Sent::Running { job, .. }) => job.as_ref(),
            State::Pending { .. }
            | State::Backup(_)
            | State::Power(..)
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. }
            | State::StepsLeft(_)
            | State::Ended => None,
        };
        let failure = failure::unknown(&evidence, stuck, job);
        let verdict = Verdict::Unknown;
        let retry_at = None;
        let event = Event::Resolved { server: server.clone(), deed, verdict, evidence, retry_at };
        self.record(draft, event);
        self.end(draft, server, Ending::Unknown, Some(failure));
    }

    pub(super) fn end(
        &mut self,
        draft: &mut Draft,
        server: ServerId,
        ending: Ending,
        failure: Option<Failure>,
    ) {
        let index = self.plan.targets.get_index_of(&server);
        let warnings = index.map(|index| std::mem::take(&mut self.pending.looks[index].warnings));
        let warnings = warnings.unwrap_or_default();
        self.record(draft, Event::Ended { server, ending, failure, warnings });
    }

    /// The server's power as a look showed it, for the states that wait for it.
    pub(super) fn note_power(&mut self, index: usize, power: Option<SeenPower>) {
        self.pending.looks[index].power = power;
        self.pending.dirty.insert(index);
    }

    pub(super) fn server_id(&self, index: usize) -> ServerId {
        self.plan.targets.get_index(index).map_or_else(|| ServerId::from(""), |(id, _)| id.clone())
    }

    pub(super) fn treatment(&self, index: usize) -> &PlannedTreatment {
        &self.plan.treatments[self.plan.targets[index].treatment as usize]
    }
}

/// Whether a refusal may follow a request that was taken.
fn may_be_a_repeat(class: FaultClass) -> bool {
    match class {
        FaultClass::Busy | FaultClass::State => true,
        FaultClass::Throttled
        | FaultClass::Transient
        | FaultClass::Lost
        | FaultClass::Unauthorised
        | FaultClass::Forbidden
        | FaultClass::NotFound
        | FaultClass::Quota
        | FaultClass::Invalid
        | FaultClass::Late => false,
    }
}

/// Whether the refusal of a batch may be about one of its servers only. Sent alone, each of them
/// hears what is about itself, and only that one uses its attempts up.
fn is_about_one(class: FaultClass) -> bool {
    match class {
        FaultClass::Throttled
        | FaultClass::Transient
        | FaultClass::Lost
        | FaultClass::Late
        | FaultClass::Unauthorised
        | FaultClass::Forbidden => false,
        FaultClass::Busy
        | FaultClass::State
        | FaultClass::NotFound
        | FaultClass::Quota
        | FaultClass::Invalid => true,
    }
}
