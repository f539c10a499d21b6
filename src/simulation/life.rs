//! How processes begin, die and are started again, and who may go on with what.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::RngExt;

use crate::domain::{Event, Millis, Record, RunId, ServerId};
use crate::engine::{Engine, Input, Start};
use crate::journal::{OpenIntent, open_intents};
use crate::plan::{CheckedPlan, Consent};

use super::claims::may_touch;
use super::people::FIRST;
use super::process::Process;
use super::scenario::plan_for;
use super::sim::Sim;

impl Sim {
    /// The plan that the engine of a run goes by.
    fn plan_of(&self, run: usize) -> Arc<CheckedPlan> {
        let plan = &self.runs[run].plan;
        let doctored = self.doctor.as_ref().and_then(|doctor| doctor.plan(plan));
        doctored.map_or_else(|| Arc::clone(plan), Arc::new)
    }

    /// Whether this run may do what it wants to these servers, and claims them.
    fn claim(&mut self, run: usize, wanted: &BTreeSet<ServerId>) -> bool {
        let respected = self.doctor.as_ref().is_none_or(|doctor| doctor.respects_claims());
        let bound = respected && self.scenario.shares_claims(run);
        !bound || self.claims.take(&self.runs, run, wanted).is_ok()
    }

    /// Claims what a run that is taken over may still touch, and gives what other runs hold of it.
    fn claim_again(&mut self, run: usize) -> Vec<(ServerId, RunId)> {
        let respected = self.doctor.as_ref().is_none_or(|doctor| doctor.respects_claims());
        if !respected || !self.scenario.shares_claims(run) {
            return Vec::new();
        }
        let wanted = may_touch(&self.runs[run]);
        self.claims.take_over(&self.runs, run, &wanted)
    }

    pub(super) fn begin(&mut self, run: usize) {
        if run != FIRST && !self.draw_second(run) {
            self.runs[run].dropped = true;
            return self.second_is_over(run);
        }
        let wanted: BTreeSet<ServerId> = self.runs[run].plan.targets.keys().cloned().collect();
        if !self.claim(run, &wanted) {
            self.runs[run].dropped = true;
            return self.second_is_over(run);
        }
        let plan = self.plan_of(run);
        let Ok(consent) = Consent::try_new(&plan, plan.targets.len()) else {
            return self.runs[run].watchers.stuck("the plan cannot be consented to");
        };
        let start = Start { run: name_of(run), seed: self.scenario.seed };
        let (mut engine, first) = Engine::new(plan, &consent, start, self.moment());
        self.prepare(&mut engine);
        self.runs[run].engine = Some(engine);
        self.append(run, vec![first]);
        self.turn(run, Input::Begin);
    }

    /// The plan of a later run, where it is drawn when that begins; whether there is one.
    fn draw_second(&mut self, run: usize) -> bool {
        let Some(playbook) = self.scenario.second.as_ref().and_then(|it| it.playbook.clone())
        else {
            return true;
        };
        let mut world = self.scenario.world.clone();
        world.faults_off();
        let now = Millis(self.scenario.begins.0 + self.now.0);
        let Ok((plan, _)) = plan_for(&playbook, world, now) else { return false };
        let client = self.runs[run].client;
        self.runs[run] = Process::new(&self.scenario, &Arc::new(plan), client);
        self.replanned(run);
        true
    }

    /// The process dies: in between turns, or in the middle of one, before or after its records
    /// were durable, before or after some of its commands were sent.
    pub(super) fn die(&mut self, run: usize) {
        let life = self.runs[run].life;
        let Some(mut engine) = self.runs[run].engine.take() else { return };
        if engine.is_finished() {
            self.runs[run].engine = Some(engine);
            return;
        }
        if self.rng().random_bool(0.7) {
            let turn = engine.handle(self.moment(), Input::Woke);
            if self.rng().random_bool(0.7) {
                let sent = self.rng().random_range(0..=turn.commands.len());
                self.runs[run].engine = Some(engine);
                self.carry_out(run, turn, sent);
            }
        }
        if self.runs[run].life == life {
            self.go_down(run);
        }
    }

    /// The process is gone, and with it all that was in flight to it.
    pub(super) fn go_down(&mut self, run: usize) {
        let process = &mut self.runs[run];
        let paused = process.engine.take().is_some_and(|engine| engine.is_paused());
        process.life += 1;
        process.wake_at = None;
        process.asked.clear();
        process.watchers.forget();
        self.forget(run);
        let longest = self.scenario.longest_down.0;
        let down = Millis(self.rng().random_range(0..longest));
        let again = self.now + down;
        let again = if paused { again.max(self.scenario.let_in_from) } else { again };
        if self.scenario.gives_up && self.rng().random_bool(0.3) {
            self.give_up_now(run);
        }
        let waits = self.scenario.second.as_ref().is_some_and(|it| it.begins.is_none());
        if run == FIRST && waits && !self.runs[FIRST + 1].is_over() {
            // Somebody else's run comes first, and this one is resumed after it.
            return self.begin_at(FIRST + 1, self.now);
        }
        self.restart_at(run, again);
    }

    /// The run that waited for another to be over is resumed.
    pub(super) fn second_is_over(&mut self, run: usize) {
        let waits = self.scenario.second.as_ref().is_some_and(|it| it.begins.is_none());
        if run == FIRST && waits && self.runs[FIRST + 1].journal.is_empty() {
            // The first one never died.
            self.runs[FIRST + 1].dropped = true;
        }
        if run != FIRST && waits && self.runs[FIRST].engine.is_none() {
            self.restart_at(FIRST, self.now + Millis::secs(1));
        }
    }

    /// One server that something is open on, and that has not ended.
    pub(super) fn give_up(&mut self, run: usize) {
        let process = &self.runs[run];
        let going = |what: &OpenIntent| *what != OpenIntent::Unknown;
        let open = open_intents(&process.journal)
            .into_iter()
            .find(|(server, open)| open.iter().all(going) && !process.watchers.has_ended(server));
        let (Some((server, open)), Some(last)) = (open, process.journal.last()) else { return };
        let open = open.iter().map(OpenIntent::to_string).collect();
        self.claims.give_up(&server);
        let event = Event::Abandoned { server, by: "ann".to_owned(), open };
        let (seq, at) = (last.seq + 1, last.at.max(self.now));
        let wall = self.moment().wall;
        self.append(run, vec![Record { seq, at, wall, event }]);
    }

    pub(super) fn restart(&mut self, run: usize) {
        if self.runs[run].engine.is_some() || self.runs[run].dropped {
            return;
        }
        let yielded = self.claim_again(run);
        let plan = self.plan_of(run);
        let mut engine = match Engine::replay(plan, &self.runs[run].journal) {
            Ok(engine) => engine,
            Err(error) => return self.runs[run].watchers.replay_failed(&error.to_string()),
        };
        self.prepare(&mut engine);
        self.now = self.now.max(engine.last_time());
        self.runs[run].engine = Some(engine);
        let left = self.runs[run].left();
        self.turn(run, Input::Resumed { left, yielded });
    }
}

/// The name of a run.
pub(super) fn name_of(run: usize) -> RunId {
    RunId::from(if run == FIRST { "rehearsal" } else { "another" })
}
