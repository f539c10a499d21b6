//! What is known of a run: the fold of its records, and nothing else.
//!
//! [`Facts::apply`] is the only way in which facts change, live and in replay alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Before, CallId, CloseCause, Counts, Deed, Ending, Event, FaultClass, FleetName, JobEnd, JobId,
    LeftOff, Millis, Outline, PauseCause, Record, ServerId, Steering, Time, Timestamp, Verdict,
    VolumeId,
};
use crate::plan::CheckedPlan;

use super::own::Own;
use super::state::{Sent, State};

/// A record that cannot follow the ones before it: not a journal of ours, or not of this plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} cannot follow the ones before it: {detail}")]
pub struct IllegalEvent {
    /// Its number.
    pub seq: u64,
    /// Why not.
    pub detail: String,
}

/// How long finished jobs took: so many of the newest are remembered. Enough for a quantile that
/// follows the cloud's mood, few enough to sort at every look.
const REMEMBERED_JOBS: usize = 64;

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// What the first record said.
    pub(crate) outline: Option<Box<Outline>>,
    /// Number of the last record.
    pub(crate) seq: u64,
    /// Time of the last record.
    pub(crate) last: Time,
    /// The number that the next request will have.
    pub(crate) next_call: u64,
    /// The preflight passed; with room for so many reinstalls at once.
    #[expect(clippy::option_option, reason = "not passed yet, or passed without a limit")]
    pub(crate) preflight: Option<Option<u32>>,
    /// Nothing new starts, for this reason.
    pub(crate) closing: Option<CloseCause>,
    /// It waits for a person, for this reason.
    pub(crate) paused: Option<PauseCause>,
    /// Nothing new starts until it has paused; since that record.
    pub(crate) pausing: Option<(u64, PauseCause)>,
    /// The last record that said it is paused: an older request to pause is settled.
    pub(crate) last_pause: u64,
    /// The last record that somebody saw who approved: what waited by then goes on.
    pub(crate) approved: u64,
    /// The last request from another shell that was taken.
    pub(crate) heard: u64,
    /// Servers that failed, by code and cause, each with the record that says so.
    pub(crate) alike: BTreeMap<(String, String), Vec<(u64, usize)>>,
    /// The run ended.
    pub(crate) ended: bool,
    /// Requests a minute, after a cut.
    pub(crate) per_minute: Option<u32>,
    /// How long finished jobs took, oldest first.
    pub(crate) took: Vec<Millis>,
    /// Servers in the order of the plan.
    pub(crate) targets: Vec<TargetFacts>,
    /// Fleets in the order of the plan.
    pub(crate) fleets: Vec<FleetFacts>,
    /// Servers stopped or being stopped, not yet being wiped.
    pub(crate) queued: u32,
    /// Slots for reinstalls that are taken.
    pub(crate) reinstalling: u32,
    /// The same two sums for each availability zone.
    pub(crate) zones: Vec<ZoneFacts>,
    /// Programs of the playbook that run.
    pub(crate) running: u32,
}

/// What is known of one availability zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ZoneFacts {
    /// Servers stopped or being stopped, not yet being wiped.
    pub(crate) queued: u32,
    /// Slots for reinstalls that are taken.
    pub(crate) reinstalling: u32,
}

/// What is known of one server.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of them a yes or no")]
pub(crate) struct TargetFacts {
    /// Where it is.
    pub(crate) state: State,
    /// How it ended.
    pub(crate) ending: Option<Ending>,
    /// Its fleet, by index.
    pub(crate) fleet: usize,
    /// Its availability zone, by index.
    pub(crate) zone: usize,
    /// The backup that its plan asks for can be restored.
    pub(crate) backed_up: bool,
    /// Something was asked for it: a program of the playbook's, a backup, its stop. A pause waits for
    /// its end, since what is half done stays so while nobody watches.
    pub(crate) begun: bool,
    /// We stopped it, or perhaps did.
    pub(crate) touched: bool,
    /// The last stop that was sent to it cut the power: nothing stronger is left.
    pub(crate) forced: bool,
    /// Its system disk was wiped, or perhaps was.
    pub(crate) wiped: bool,
    /// The same, as it was before the last wipe was sent.
    pub(crate) wiped_before: bool,
    /// Starting it back came to its end.
    pub(crate) returned: bool,
    /// Reinstall jobs that failed.
    pub(crate) failed_jobs: u32,
    /// Their ids, where the cloud named them.
    pub(crate) failed_ids: Vec<JobId>,
    /// The system disk as it was seen after the last of them; `None`: it was away, or the journal is
    /// too old to say.
    pub(crate) left: Option<VolumeId>,
    /// Rounds of checks that failed.
    pub(crate) failed_checks: u32,
    /// How often the request that is due was put off, by class of retry policy.
    pub(crate) put_off: PutOffs,
    /// When the last reinstall was sent, as the world counts.
    pub(crate) sent_wall: Timestamp,
    /// The server as it was right before that; `None`: none was sent, or the journal is too old.
    pub(crate) before: Option<Before>,
    /// The job of that reinstall, once the cloud does not know it any more.
    pub(crate) forgotten: Option<JobId>,
    /// Its host key before it was stopped.
    pub(crate) host_key: OldHostKey,
    /// The steps of its fleet, as far as they are the playbook's own; empty where none is.
    pub(crate) own: Vec<Own>,
    /// It was to be started back, and was not.
    pub(crate) stranded: bool,
    /// It stays off because its playbook says so, and keeps its place.
    pub(crate) kept_off: bool,
    /// A wipe that was sent counts as one that did not happen: it may still have been late.
    pub(crate) doubted: bool,
    /// How the cloud refused the wipe that is in doubt, if it did.
    pub(crate) refused_as: Option<FaultClass>,
    /// The reinstall that is watched was found by looking, not named by the answer to ours: it may be
    /// somebody else's.
    pub(crate) found: bool,
    /// Somebody gave it back: nothing more is done to it.
    pub(crate) given_up: bool,
}

/// The host key of a server before it was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum OldHostKey {
    /// Nobody looked yet.
    #[default]
    Unasked,
    /// It could not be seen.
    Unseen,
    /// Its fingerprint.
    Seen(String),
}

/// How often a request was put off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PutOffs {
    /// By flow control.
    pub(crate) throttled: u32,
    /// Because the service was unwell.
    pub(crate) transient: u32,
    /// Because the server was busy.
    pub(crate) busy: u32,
}

/// What is known of one fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FleetFacts {
    /// The wave that is open, or that will be next.
    pub(crate) wave: usize,
    /// Whether it is open.
    pub(crate) open: bool,
    /// The next wave opens then, at the earliest.
    pub(crate) next_at: Time,
    /// The next wave waits for an approval; since that record.
    pub(crate) held: Option<u64>,
    /// Servers that hold a rollout slot.
    pub(crate) in_flight: u32,
    /// Servers that ended.
    pub(crate) ended: u32,
    /// Servers that ended verified.
    pub(crate) verified: u32,
    /// Servers that count against the budget.
    pub(crate) failed: u32,
    /// Servers that ended, are off because of us and keep their place until they run.
    pub(crate) away: u32,
    /// Servers of later waves that took the place of a canary.
    pub(crate) stand_ins: Vec<usize>,
}

impl Facts {
    /// Nothing is known yet.
    #[expect(clippy::too_many_lines, reason = "a list, with a line for each fact")]
    pub(crate) fn new(plan: &CheckedPlan) -> Self {
        let names: BTreeSet<&str> =
            plan.targets.values().map(|target| target.found.az.as_str()).collect();
        let zones: BTreeMap<&str, usize> =
            names.into_iter().enumerate().map(|(index, name)| (name, index)).collect();
        let own = |fleet: &FleetName| match plan.fleets.get(fleet) {
            Some(fleet) if fleet.own_steps().next().is_some() => {
                vec![Own::default(); fleet.steps.len()]
            }
            Some(_) | None => Vec::new(),
        };
        let targets = plan.targets.values().map(|target| TargetFacts {
            state: State::Pending { not_before: Time(0) },
            ending: None,
            fleet: plan.fleets.get_index_of(&target.fleet).unwrap_or_default(),
            zone: zones.get(target.found.az.as_str()).copied().unwrap_or_default(),
            backed_up: false,
            begun: false,
            touched: false,
            forced: false,
            wiped: false,
            wiped_before: false,
            returned: false,
            failed_jobs: 0,
            failed_ids: Vec::new(),
            left: None,
            failed_checks: 0,
            put_off: PutOffs::default(),
            sent_wall: Timestamp::default(),
            before: None,
            forgotten: None,
            host_key: OldHostKey::Unasked,
            own: own(&target.fleet),
            stranded: false,
            kept_off: false,
            doubted: false,
            refused_as: None,
            found: false,
            given_up: false,
        });
        let fleets = plan.fleets.values().map(|_| FleetFacts {
            wave: 0,
            open: false,
            next_at: Time(0),
            held: None,
            in_flight: 0,
            ended: 0,
            verified: 0,
            failed: 0,
            away: 0,
            stand_ins: Vec::new(),
        });
        Self {
            outline: None,
            seq: 0,
            last: Time(0),
            next_call: 1,
            preflight: None,
            closing: None,
            paused: None,
            pausing: None,
            last_pause: 0,
            approved: 0,
            heard: 0,
            alike: BTreeMap::new(),
            ended: false,
            per_minute: None,
            took: Vec::new(),
            targets: targets.collect(),
            fleets: fleets.collect(),
            queued: 0,
            reinstalling: 0,
            zones: vec![ZoneFacts::default(); zones.len()],
            running: 0,
        }
    }

    /// Takes in one record. On an error nothing is to be done with these facts any more.
    pub(crate) fn apply(
        &mut self,
        plan: &CheckedPlan,
        record: &Record,
    ) -> Result<(), IllegalEvent> {
        let illegal = |detail: String| IllegalEvent { seq: record.seq, detail };
        if record.seq != self.seq + 1 {
            return Err(illegal(format!("it should be number {}", self.seq + 1)));
        }
        if record.at < self.last {
            return Err(illegal(format!("it is older than {}", self.last)));
        }
        if self.ended {
            return Err(illegal("the run had ended".to_owned()));
        }
        let may_follow_a_pause = matches!(record.event, Event::Resumed | Event::Abandoned { .. });
        if self.paused.is_some() && !may_follow_a_pause {
            return Err(illegal("the run was paused, and nobody resumed it".to_owned()));
        }
        if self.outline.is_none() != matches!(record.event, Event::RunStarted { .. }) {
            return Err(illegal("a run starts once, and first".to_owned()));
        }
        self.seq = record.seq;
        self.last = record.at;
        self.apply_to_run(plan, record).map_err(illegal)?;
        self.apply_to_targets(plan, record).map_err(illegal)
    }

    #[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
    fn apply_to_run(&mut self, plan: &CheckedPlan, record: &Record) -> Result<(), String> {
        match &record.event {
            Event::RunStarted { outline } => {
                if outline.plan != plan.id {
                    return Err(format!("it is a run of plan {}", outline.plan));
                }
                self.outline = Some(outline.clone());
            }
            Event::PreflightPassed { room } => self.preflight = Some(*room),
            Event::WaveOpened { fleet, wave } => {
                let facts = self.fleet_mut(plan, fleet)?;
                if facts.open || facts.wave != *wave as usize {
                    return Err(format!("wave {wave} of {fleet} is not the next"));
                }
                facts.open = true;
                facts.held = None;
            }
            Event::WaveClosed { fleet, next_at, .. } => {
                let facts = self.fleet_mut(plan, fleet)?;
                facts.open = false;
                facts.wave += 1;
                facts.next_at = *next_at;
            }
            Event::CanaryReplaced { fleet, by, .. } => {
                let by = plan.targets.get_index_of(by);
                let by = by.ok_or_else(|| "the new canary is not in the plan".to_owned())?;
                self.fleet_mut(plan, fleet)?.stand_ins.push(by);
            }
            Event::Intended { call, .. } => self.next_call = self.next_call.max(call.0 + 1),
            Event::JobEnded { end: JobEnd::Succeeded { .. }, took, .. } => self.remember(*took),
            Event::RateCut { per_minute } => self.per_minute = Some(*per_minute),
            Event::Held { fleet, .. } => self.fleet_mut(plan, fleet)?.held = Some(record.seq),
            Event::Steered { steering, by: Some(by) } => {
                self.heard = self.heard.max(by.number);
                if *steering == Steering::Approve {
                    self.approve(by.seen);
                }
            }
            Event::Pausing { cause } => self.pausing = Some((record.seq, cause.clone())),
            Event::Closing { cause } => {
                self.closing = Some(cause.clone());
                self.pausing = None;
            }
            Event::Paused { cause } => {
                self.paused = Some(cause.clone());
                self.last_pause = record.seq;
            }
            Event::RunEnded { .. } => self.ended = true,
            Event::Resumed => self.unpause(),
            Event::Accepted { .. }
            | Event::PreflightRefused { .. }
            | Event::Started { .. }
            | Event::PutOff { .. }
            | Event::Refused { .. }
            | Event::Lost { .. }
            | Event::Resolved { .. }
            | Event::BackedUp { .. }
            | Event::Stopped { .. }
            | Event::StopSkipped { .. }
            | Event::Validated { .. }
            | Event::JobEnded { end: JobEnd::Failed { .. }, .. }
            | Event::Settled { .. }
            | Event::HostKeySeen { .. }
            | Event::Probed { .. }
            | Event::CheckFailed { .. }
            | Event::StepsLeft { .. }
            | Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }
            | Event::Passed { .. }
            | Event::Ended { .. }
            | Event::StartedBack { .. }
            | Event::NotStartedBack { .. }
            | Event::Yielded { .. }
            | Event::Abandoned { .. }
            | Event::Steered { by: None, .. } => {}
        }
        Ok(())
    }

    fn remember(&mut self, took: Millis) {
        if self.took.len() == REMEMBERED_JOBS {
            self.took.remove(0);
        }
        self.took.push(took);
    }

    /// What had begun to wait by that record goes on.
    fn approve(&mut self, seen: u64) {
        self.approved = self.approved.max(seen);
        let lifted = self
            .pausing
            .as_ref()
            .is_some_and(|(since, cause)| *since <= seen && cause.needs_approval());
        if lifted {
            self.pausing = None;
        }
    }

    /// Whoever resumes a run that was paused wants it to go on, as far as nobody has to approve of
    /// that. One that died on its way to a pause is still on its way.
    fn unpause(&mut self) {
        let was_paused = self.paused.take().is_some();
        let settled = self.pausing.as_ref().is_some_and(|(_, cause)| !cause.needs_approval());
        if was_paused && settled {
            self.pausing = None;
        }
    }

    fn apply_to_targets(&mut self, plan: &CheckedPlan, record: &Record) -> Result<(), String> {
        if matches!(record.event, Event::Resumed) {
            for index in 0..self.targets.len() {
                self.apply_to_target(plan, index, record)?;
            }
            return Ok(());
        }
        for server in servers_of(&record.event) {
            let index = plan
                .targets
                .get_index_of(server)
                .ok_or_else(|| format!("server {server} is not in the plan"))?;
            self.apply_to_target(plan, index, record)
                .map_err(|detail| format!("server {server}: {detail}"))?;
        }
        Ok(())
    }

    fn apply_to_target(
        &mut self,
        plan: &CheckedPlan,
        index: usize,
        record: &Record,
    ) -> Result<(), String> {
        let target = &mut self.targets[index];
        let (ran, was_away) = (target.running(), target.keeps_place());
        target.apply_to_own(plan, record)?;
        self.running = self.running + target.running() - ran;
        let before = target.state.clone();
        let after = before
            .after(&record.event, record.at)
            .ok_or_else(|| format!("{before:?} does not go with {:?}", record.event))?;
        target.note(record);
        target.state = after;
        self.recount(index, &before, record)?;
        let target = &self.targets[index];
        let fleet = &mut self.fleets[target.fleet];
        shift(&mut fleet.away, was_away, target.keeps_place());
        Ok(())
    }

    /// Keeps the sums that the scheduler reads, in one place.
    fn recount(&mut self, index: usize, before: &State, record: &Record) -> Result<(), String> {
        let target = &mut self.targets[index];
        let fleet = &mut self.fleets[target.fleet];
        let zone = &mut self.zones[target.zone];
        shift(&mut fleet.in_flight, before.is_in_flight(), target.state.is_in_flight());
        for queued in [&mut self.queued, &mut zone.queued] {
            shift(queued, before.is_queued(), target.state.is_queued());
        }
        for reinstalling in [&mut self.reinstalling, &mut zone.reinstalling] {
            shift(reinstalling, before.holds_reinstall(), target.state.holds_reinstall());
        }
        // A server that should run and does not is a failure, whatever it ended as.
        if let Event::NotStartedBack { why, .. } = &record.event
            && why.is_failure()
            && !target.ending.is_some_and(Ending::is_failure)
        {
            fleet.failed += 1;
        }
        let ending = if let Event::Ended { ending, .. } = &record.event {
            *ending
        } else if matches!(record.event, Event::Abandoned { .. }) && target.ending.is_none() {
            Ending::Unknown
        } else if matches!(record.event, Event::Yielded { .. }) && target.ending.is_none() {
            Ending::Drifted
        } else {
            return Ok(());
        };
        if target.ending.is_some() {
            return Err("it had ended".to_owned());
        }
        target.ending = Some(ending);
        fleet.ended += 1;
        fleet.verified += u32::from(ending == Ending::Verified);
        fleet.failed += u32::from(ending.is_failure());
        // Many that fall out alike after their stop are not about the servers either.
        let fell_out = target.touched && !target.wiped && ending != Ending::Verified;
        if let Event::Ended { failure: Some(failure), .. } = &record.event
            && (ending.is_failure() || fell_out)
        {
            let kind = (failure.code.clone(), failure.cause.clone());
            self.alike.entry(kind).or_default().push((record.seq, index));
        }
        Ok(())
    }

    fn fleet_mut(
        &mut self,
        plan: &CheckedPlan,
        fleet: &FleetName,
    ) -> Result<&mut FleetFacts, String> {
        let index =
            plan.fleets.get_index_of(fleet).ok_or_else(|| format!("no fleet is named {fleet}"))?;
        Ok(&mut self.fleets[index])
    }

    /// The number of the next request.
    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.next_call)
    }

    /// How many servers ended how. At the end of a run nothing is in flight.
    pub(crate) fn counts(&self) -> Counts {
        let mut ended = BTreeMap::new();
        for ending in self.targets.iter().filter_map(|target| target.ending) {
            *ended.entry(ending).or_insert(0) += 1;
        }
        let pending = self.targets.iter().filter(|target| target.ending.is_none()).count();
        Counts { ended, in_flight: 0, pending: u32::try_from(pending).unwrap_or(u32::MAX) }
    }

    /// How long reinstalls took of late: nine of ten were done within it.
    pub(crate) fn usual_duration(&self) -> Option<Millis> {
        let mut took = self.took.clone();
        took.sort_unstable();
        took.get((took.len() * 9 / 10).min(took.len().saturating_sub(1))).copied()
    }
}

impl TargetFacts {
    /// Whether we took it from its users and owe it back: stopped by us, not wiped, nothing open.
    pub(crate) fn is_owed_back(&self) -> bool {
        self.touched
            && !self.wiped
            && !self.returned
            && self.ending != Some(Ending::Verified)
            && self.ending != Some(Ending::Unknown)
    }

    /// Whether it ended without a failure, is off because of us, and so keeps its place among those
    /// that may be unavailable. One that failed counts against the budget instead.
    pub(crate) fn keeps_place(&self) -> bool {
        self.ending.is_some_and(|ending| !ending.is_failure())
            && !self.given_up
            && (self.is_owed_back() || self.kept_off)
    }

    /// What a record says of this server beside its state.
    #[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
    fn note(&mut self, record: &Record) {
        match &record.event {
            Event::Intended { deed, before, .. } => {
                self.refused_as = None;
                self.found = false;
                match deed {
                    Deed::Stop | Deed::ForceStop => {
                        self.begun = true;
                        self.touched = true;
                        self.forced = *deed == Deed::ForceStop;
                    }
                    Deed::Reinstall => self.note_wipe(record.wall, before.as_ref()),
                    Deed::Backup => self.begun = true,
                    Deed::Start => {}
                }
            }
            Event::StepStarted { .. } => self.begun = true,
            Event::BackedUp { .. } => {
                self.put_off = PutOffs::default();
                self.backed_up = true;
            }
            Event::Stopped { .. } | Event::StopSkipped { .. } | Event::Settled { .. } => {
                self.put_off = PutOffs::default();
            }
            Event::PutOff { class, deed, .. } => {
                self.count_put_off(*class);
                self.note_not_done(*deed);
            }
            Event::Resolved {
                deed: Deed::Reinstall,
                verdict: verdict @ (Verdict::Happened { .. } | Verdict::AtWork),
                ..
            } => {
                self.wiped = true;
                self.found = true;
                self.refused_as = None;
                if verdict.job().is_none()
                    && let State::Reinstalling(Sent::Running { job: Some(job), .. }) = &self.state
                {
                    self.forgotten = Some(job.clone());
                }
            }
            Event::Refused { deed, .. }
            | Event::Resolved { deed, verdict: Verdict::DidNot, .. } => {
                if matches!(record.event, Event::Resolved { .. }) {
                    let class = self.refused_as.take().unwrap_or(FaultClass::Transient);
                    self.count_put_off(class);
                    self.doubted |= *deed == Deed::Reinstall;
                }
                self.note_not_done(*deed);
            }
            Event::JobEnded { end, job, .. } => {
                self.put_off = PutOffs::default();
                self.note_job(end, job.as_ref());
            }
            Event::CheckFailed { .. } => self.failed_checks += 1,
            Event::HostKeySeen { fingerprint, .. } => {
                self.host_key = fingerprint.clone().map_or(OldHostKey::Unseen, OldHostKey::Seen);
            }
            Event::StartedBack { .. } => self.returned = true,
            Event::NotStartedBack { why, .. } => {
                self.returned = true;
                self.stranded = true;
                self.kept_off = *why == LeftOff::AsPlanned;
            }
            // Whoever resumes a run may have started what its playbook left off.
            Event::Resumed if self.kept_off => {
                self.returned = false;
                self.kept_off = false;
            }
            Event::Lost { refused_as, .. } => self.refused_as = *refused_as,
            Event::Abandoned { .. } | Event::Yielded { .. } => {
                self.returned = true;
                self.given_up = true;
            }
            Event::RunStarted { .. }
            | Event::Resumed
            | Event::PreflightPassed { .. }
            | Event::PreflightRefused { .. }
            | Event::WaveOpened { .. }
            | Event::WaveClosed { .. }
            | Event::Started { .. }
            | Event::Accepted { .. }
            | Event::Resolved { .. }
            | Event::Validated { .. }
            | Event::Probed { .. }
            | Event::StepsLeft { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }
            | Event::Passed { .. }
            | Event::Ended { .. }
            | Event::CanaryReplaced { .. }
            | Event::RateCut { .. }
            | Event::Held { .. }
            | Event::Steered { .. }
            | Event::Closing { .. }
            | Event::Pausing { .. }
            | Event::Paused { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn note_wipe(&mut self, wall: Timestamp, before: Option<&Before>) {
        self.wiped_before = self.wiped;
        self.wiped = true;
        self.sent_wall = wall;
        self.before = before.cloned();
        self.forgotten = None;
    }

    fn note_job(&mut self, end: &JobEnd, job: Option<&JobId>) {
        if let JobEnd::Failed { wiped, seen, .. } = end {
            self.failed_jobs += 1;
            self.failed_ids.extend(job.cloned());
            self.left = seen.as_ref().and_then(|seen| seen.system_volume.clone());
            self.wiped = *wiped;
        }
    }

    /// A request that was not done did not wipe.
    fn note_not_done(&mut self, deed: Deed) {
        match deed {
            Deed::Reinstall => self.wiped = self.wiped_before,
            Deed::ForceStop => self.forced = false,
            Deed::Stop | Deed::Start | Deed::Backup => {}
        }
    }

    fn count_put_off(&mut self, class: FaultClass) {
        match class {
            FaultClass::Throttled => self.put_off.throttled += 1,
            FaultClass::Busy | FaultClass::State => self.put_off.busy += 1,
            // Put off only because we were shut out, or late: that says nothing about the request.
            FaultClass::Unauthorised | FaultClass::Forbidden | FaultClass::Late => {}
            FaultClass::Transient
            | FaultClass::Lost
            | FaultClass::NotFound
            | FaultClass::Quota
            | FaultClass::Invalid => self.put_off.transient += 1,
        }
    }
}

fn shift(sum: &mut u32, before: bool, after: bool) {
    match (before, after) {
        (false, true) => *sum += 1,
        (true, false) => *sum -= 1,
        (true, true) | (false, false) => {}
    }
}

/// The servers whose state an event may change.
pub(crate) fn servers_of(event: &Event) -> &[ServerId] {
    match event {
        Event::Started { servers }
        | Event::Intended { servers, .. }
        | Event::Accepted { servers, .. }
        | Event::PutOff { servers, .. }
        | Event::Refused { servers, .. }
        | Event::Lost { servers, .. }
        | Event::Stopped { servers }
        | Event::StopSkipped { servers }
        | Event::Validated { servers, .. }
        | Event::Settled { servers }
        | Event::StepsLeft { servers, .. }
        | Event::Passed { servers }
        | Event::StartedBack { servers } => servers,
        Event::Resolved { server, .. }
        | Event::BackedUp { server, .. }
        | Event::JobEnded { server, .. }
        | Event::HostKeySeen { server, .. }
        | Event::Probed { server, .. }
        | Event::CheckFailed { server, .. }
        | Event::Ended { server, .. }
        | Event::Abandoned { server, .. }
        | Event::StepStarted { server, .. }
        | Event::StepEnded { server, .. }
        | Event::NotUndone { server, .. }
        | Event::Yielded { server, .. }
        | Event::NotStartedBack { server, .. } => std::slice::from_ref(server),
        Event::RunStarted { .. }
        | Event::Resumed
        | Event::PreflightPassed { .. }
        | Event::PreflightRefused { .. }
        | Event::WaveOpened { .. }
        | Event::WaveClosed { .. }
        | Event::CanaryReplaced { .. }
        | Event::RateCut { .. }
        | Event::Held { .. }
        | Event::Steered { .. }
        | Event::Closing { .. }
        | Event::Pausing { .. }
        | Event::Paused { .. }
        | Event::RunEnded { .. } => &[],
    }
}
