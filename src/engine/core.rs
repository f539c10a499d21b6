//! The engine itself: one input in, one turn out, and the one place where facts change.

use std::sync::Arc;

use crate::domain::{
    Event, FORMAT, FleetOutline, Moment, Outline, PlanId, Record, RunId, TargetOutline, Time,
};
use crate::plan::{CheckedPlan, Consent};

use super::facts::{Facts, IllegalEvent, servers_of};
use super::pending::Pending;
use super::turn::{Input, Turn};

/// What a run begins with, apart from its plan.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its id.
    pub run: RunId,
    /// What jitter is drawn from.
    pub seed: u64,
}

/// Decides everything of one run, and does nothing.
#[derive(Debug)]
pub struct Engine {
    pub(super) plan: Arc<CheckedPlan>,
    pub(super) facts: Facts,
    pub(super) pending: Pending,
    pub(super) seed: u64,
    #[cfg(test)]
    pub(super) flaw: Option<super::Flaw>,
}

/// A turn in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) now: Moment,
    pub(super) turn: Turn,
}

impl Engine {
    /// A new run, and its first record: it is made durable together with the claims on the servers,
    /// before [`Input::Begin`].
    ///
    /// # Panics
    ///
    /// If the consent is for another plan.
    #[must_use]
    pub fn new(
        plan: Arc<CheckedPlan>,
        consent: &Consent,
        start: Start,
        now: Moment,
    ) -> (Self, Record) {
        assert!(*consent.plan() == plan.id, "consent is for plan {}", consent.plan());
        let event = Event::RunStarted { outline: Box::new(outline(&plan, start)) };
        let record = Record { seq: 1, at: now.at, wall: now.wall, event };
        let mut engine = Self::unborn(plan);
        if let Err(error) = engine.facts.apply(&engine.plan, &record) {
            unreachable!("the first record of a run is always legal: {error}");
        }
        engine.seed = engine.facts.outline.as_ref().map_or(0, |outline| outline.seed);
        (engine, record)
    }

    /// The run that these records tell of. Nothing is in flight; say [`Input::Resumed`] next.
    pub fn replay<'r>(
        plan: Arc<CheckedPlan>,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Result<Self, IllegalEvent> {
        let mut engine = Self::unborn(plan);
        for record in records {
            engine.facts.apply(&engine.plan, record)?;
        }
        engine.seed = engine.facts.outline.as_ref().map_or(0, |outline| outline.seed);
        engine.pending = Pending::rebuild(&engine.plan, &engine.facts);
        Ok(engine)
    }

    /// Takes in a record that another engine made: the fold alone, with nothing in the air.
    pub fn follow(&mut self, record: &Record) -> Result<(), IllegalEvent> {
        self.facts.apply(&self.plan, record)
    }

    /// Breaks the engine on purpose.
    #[cfg(test)]
    pub(crate) fn break_with(&mut self, flaw: super::Flaw) {
        self.flaw = Some(flaw);
    }

    /// Whether it was broken on purpose in that way.
    #[cfg(test)]
    pub(super) fn is_broken_by(&self, flaw: super::Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The same for the limit of each zone.
    #[cfg(test)]
    pub(super) fn ignores_zones(&self) -> bool {
        self.flaw == Some(super::Flaw::ZonesIgnored)
    }

    /// The same for backups.
    #[cfg(test)]
    pub(super) fn skips_backups(&self) -> bool {
        self.flaw == Some(super::Flaw::BackupsSkipped)
    }

    fn unborn(plan: Arc<CheckedPlan>) -> Self {
        let facts = Facts::new(&plan);
        let pending = Pending::new(&plan);
        Self {
            plan,
            facts,
            pending,
            seed: 0,
            #[cfg(test)]
            flaw: None,
        }
    }

    /// Takes one input in. Do what the turn says, in its order.
    pub fn handle(&mut self, now: Moment, input: Input) -> Turn {
        let at = now.at.max(self.facts.last);
        let mut draft = Draft { now: Moment { at, ..now }, turn: Turn::default() };
        if self.is_finished() || (self.is_paused() && !matches!(input, Input::Resumed { .. })) {
            return draft.turn;
        }
        self.react(&mut draft, input);
        if self.pending.shut_out.is_some() {
            self.pause_if_at_rest(&mut draft);
            return draft.turn;
        }
        self.fire_timers(&mut draft);
        self.advance(&mut draft);
        if self.is_paused() {
            return draft.turn;
        }
        self.issue(&mut draft);
        draft.turn.wake_at = self.wake_at(at);
        draft.turn
    }

    /// Whether the run ended: nothing will come of further inputs.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.facts.ended
    }

    /// Whether the run waits for a person: nothing comes of further inputs but
    /// [`Input::Resumed`].
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.facts.paused.is_some()
    }

    /// When the last record was made: a resumed run's time goes on from there.
    #[must_use]
    pub fn last_time(&self) -> Time {
        self.facts.last
    }

    /// The plan of this run.
    #[must_use]
    pub fn plan_id(&self) -> &PlanId {
        &self.plan.id
    }

    /// Whether two engines know the same: what replay has to reach.
    #[must_use]
    pub fn knows_the_same(&self, other: &Self) -> bool {
        self.facts == other.facts
    }

    /// The only place where facts change.
    pub(super) fn record(&mut self, draft: &mut Draft, event: Event) {
        let Moment { at, wall } = draft.now;
        let record = Record { seq: self.facts.seq + 1, at, wall, event };
        if let Err(error) = self.facts.apply(&self.plan, &record) {
            unreachable!("the engine made an event that its own table refuses: {error}");
        }
        self.note_change(at, &record.event);
        draft.turn.records.push(record);
    }

    /// Brings what is in the air in line with what has just become a fact.
    fn note_change(&mut self, at: Time, event: &Event) {
        if let Event::Closing { .. } = event {
            self.pending.begin_closing(&self.facts);
        } else if let Event::WaveOpened { fleet, wave } = event {
            self.pending.open_wave(&self.plan, &self.facts, fleet, *wave);
        } else if let Event::CanaryReplaced { by, .. } = event {
            if let Some(index) = self.plan.targets.get_index_of(by) {
                self.pending.join_wave(&self.facts, index);
            }
        } else if let Event::Resumed = event {
            for index in 0..self.facts.targets.len() {
                self.pending.target_changed(&self.plan, &self.facts, index, at);
            }
        } else if let Event::StepStarted { server, .. }
        | Event::StepEnded { server, .. }
        | Event::NotUndone { server, .. } = event
        {
            if let Some(index) = self.plan.targets.get_index_of(server) {
                self.pending.step_changed(&self.plan, &self.facts, index, at);
            }
        } else if !matches!(event, Event::Probed { .. } | Event::HostKeySeen { .. }) {
            // Those are seen beside what is done: what is known of their servers stays.
            for server in servers_of(event) {
                if let Some(index) = self.plan.targets.get_index_of(server) {
                    self.pending.target_changed(&self.plan, &self.facts, index, at);
                }
            }
        }
    }
}

fn outline(plan: &CheckedPlan, start: Start) -> Outline {
    let fleets = plan.fleets.iter().map(|(name, fleet)| FleetOutline {
        name: name.clone(),
        waves: fleet
            .waves
            .iter()
            .map(|wave| {
                wave.servers
                    .iter()
                    .map(|id| TargetOutline {
                        id: id.clone(),
                        name: plan.targets.get(id).map_or(String::new(), |t| t.found.name.clone()),
                    })
                    .collect()
            })
            .collect(),
    });
    Outline {
        format: FORMAT,
        run: start.run,
        plan: plan.id.clone(),
        name: plan.name.clone(),
        cloud: plan.cloud.name.clone(),
        region: plan.cloud.region.clone(),
        project: format!("{} ({})", plan.cloud.project_name, plan.cloud.project_id),
        simulated: plan.cloud.simulated,
        origin: plan.origin.clone(),
        seed: start.seed,
        fleets: fleets.collect(),
    }
}
