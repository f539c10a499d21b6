//! The playbook's own steps: when their programs are started, what waits for them, and how they are
//! taken back.
//!
//! Level-triggered like everything else: what is due follows from the facts alone. A step is due
//! once everything that it comes after is done; the moves of the engine itself wait for the steps
//! that come before them. A step that failed ends its server at the next moment at which nothing is
//! on its way; until then nothing more is taken from its users.
//!
//! When a run ends, the steps of servers that were not wiped are taken back, the last one first. The
//! start of the server is the undoing of its stop, so it stands among them in that order: what began
//! before the stop, wherever it is written, is taken back once the server runs again.

use std::collections::BTreeMap;

use crate::domain::{
    Action, Ahead, Ending, Event, Failure, MissingValue, Reply, StepCall, StepEnd, StepReport, Time,
};
use crate::domain::{Answer, Fault, FaultClass};
use crate::plan::Step;
use crate::playbook::{Program, RunSpec, StepWord};

use super::core::{Draft, Engine};
use super::failure;
use super::own::{At, is_past};
use super::pending::{Purpose, SeenPower};
use super::state::{Power, Purpose as For, State};

/// Programs that run at once: more would be a storm on the machine that we run on. In tests so few
/// that they are waited for.
const AT_ONCE: u32 = if cfg!(test) { 4 } else { 64 };

/// Taking back a step.
enum Undo {
    /// Now.
    Due(usize),
    /// Never, for this reason.
    Never(usize, &'static str),
}

impl Engine {
    /// Moves the playbook's own steps on as far as they go.
    pub(super) fn advance_steps(&mut self, draft: &mut Draft) {
        while let Some(index) = self.next_stepping() {
            self.advance_steps_of(draft, index);
        }
    }

    /// A server whose steps are to be thought about. Those that only want to start a program come
    /// last, and as there are places: a failure must not wait behind them until it is told.
    fn next_stepping(&mut self) -> Option<usize> {
        let pending = &mut self.pending;
        let has_place = self.facts.running < AT_ONCE;
        pending
            .stepping
            .pop_first()
            .or_else(|| if has_place { pending.to_run.pop_first() } else { None })
    }

    fn advance_steps_of(&mut self, draft: &mut Draft, index: usize) {
        if let Some((ending, failure)) = self.step_trouble(index) {
            let server = self.server_id(index);
            return self.end(draft, server, ending, Some(failure));
        }
        if self.leave_gate(draft, index) {
            return;
        }
        if let Some(step) = self.due_step(index) {
            if self.step_waits_for_look(index, draft.now.at) {
                self.pending.dirty.insert(index);
                return;
            }
            return self.start_in_turn(draft, (index, step), false);
        }
        match self.due_undo(index) {
            Some(Undo::Due(step)) => self.start_in_turn(draft, (index, step), true),
            Some(Undo::Never(step, why)) => {
                let (server, step) = (self.server_id(index), self.steps(index)[step].id.clone());
                self.record(draft, Event::NotUndone { server, step, detail: why.to_owned() });
            }
            None => {}
        }
    }

    /// Starts a program, or lets its server wait until there is a place for it.
    fn start_in_turn(&mut self, draft: &mut Draft, step: (usize, usize), undo: bool) {
        if self.facts.running < AT_ONCE {
            self.start_step(draft, step, undo);
        } else {
            self.pending.to_run.insert(step.0);
        }
    }

    /// The steps of a server's fleet.
    fn steps(&self, index: usize) -> &[Step] {
        let fleet = self.facts.targets[index].fleet;
        self.plan.fleets.get_index(fleet).map_or(&[], |(_, fleet)| &fleet.steps)
    }

    /// Whether the playbook's own steps let this move of the engine through.
    pub(super) fn is_open(&self, index: usize, word: StepWord) -> bool {
        let own = &self.facts.targets[index].own;
        #[cfg(test)]
        if self.flaw == Some(super::Flaw::StepsIgnored) {
            return true;
        }
        // Another branch may still run, so it has not ended yet; what cannot be taken back has to wait.
        let takes = matches!(word, StepWord::Stop | StepWord::Validate | StepWord::Reinstall);
        if takes && self.has_trouble(index) {
            return false;
        }
        let steps = self.steps(index);
        let step = steps.iter().find(|step| step.word == word && !own.is_empty());
        let is_done = |id: &String| {
            let number = steps.iter().position(|step| step.id == *id);
            number.is_none_or(|number| steps[number].run.is_none() || own[number].at == At::Done)
        };
        step.is_none_or(|step| step.after.iter().all(is_done))
    }

    /// Whether every step of the playbook's own is done.
    pub(super) fn all_steps_done(&self, index: usize) -> bool {
        let own = self.facts.targets[index].own.iter().zip(self.steps(index));
        own.filter(|(_, step)| step.run.is_some()).all(|(own, _)| own.at == At::Done)
    }

    /// Whether a step that others come after is done.
    fn is_satisfied(&self, index: usize, id: &str) -> bool {
        let target = &self.facts.targets[index];
        let Some(number) = self.steps(index).iter().position(|step| step.id == id) else {
            return false;
        };
        let step = &self.steps(index)[number];
        if step.run.is_some() {
            target.own[number].at == At::Done
        } else {
            is_past(&target.state, step.word)
        }
    }

    /// A step whose program can be started.
    fn due_step(&self, index: usize) -> Option<usize> {
        let target = &self.facts.targets[index];
        let begun = target.state.is_in_flight();
        // When a run ends, only servers that are wiped already go on to their end.
        let goes_on = self.facts.closing.is_none() || is_past(&target.state, StepWord::Reinstall);
        if !begun || !goes_on || self.has_trouble(index) {
            return None;
        }
        self.own_steps(index).find(|number| {
            let after = &self.steps(index)[*number].after;
            matches!(target.own[*number].at, At::Open | At::Interrupted)
                && after.iter().all(|id| self.is_satisfied(index, id))
        })
    }

    /// Whether a step before the wipe is due, and the look that it rests on has still to be made.
    pub(super) fn step_waits_for_look(&self, index: usize, now: Time) -> bool {
        let target = &self.facts.targets[index];
        !target.own.is_empty()
            && target.running() == 0
            && !is_past(&target.state, StepWord::Reinstall)
            && !matches!(target.state, State::Reinstalling(_))
            && self.due_step(index).is_some()
            && self.cleared(index, now).is_none()
    }

    /// Whether a step failed, or was interrupted and must not be run again: its server only ends.
    fn has_trouble(&self, index: usize) -> bool {
        let target = &self.facts.targets[index];
        self.own_steps(index).any(|number| {
            matches!(target.own[number].at, At::Failed(..)) || self.is_lost(index, number)
        })
    }

    fn own_steps(&self, index: usize) -> impl DoubleEndedIterator<Item = usize> {
        let own = 0..self.facts.targets[index].own.len();
        own.filter(move |number| self.steps(index)[*number].run.is_some())
    }

    /// Whether a step was interrupted that must not be run again.
    fn is_lost(&self, index: usize, number: usize) -> bool {
        #[cfg(test)]
        if self.flaw == Some(super::Flaw::OnceForgotten) {
            return false;
        }
        let once = self.steps(index)[number].run.as_ref().is_some_and(|run| run.once);
        once && self.facts.targets[index].own[number].at == At::Interrupted
    }

    /// How a server ends that one of its steps has failed, once it can.
    fn step_trouble(&self, index: usize) -> Option<(Ending, Failure)> {
        let target = &self.facts.targets[index];
        let may_end = match &target.state {
            State::Pending { .. }
            | State::Power(For::Stop, Power::Due(_))
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::StepsLeft(_) => true,
            State::Settling { .. } => !self.is_open(index, StepWord::Wait),
            State::Backup(_)
            | State::Power(..)
            | State::Reinstalling(_)
            | State::Verifying { .. }
            | State::Ended => false,
        };
        if !may_end || target.running() > 0 {
            return None;
        }
        self.own_steps(index).find_map(|number| {
            let step = &self.steps(index)[number].id;
            match &target.own[number].at {
                At::Failed(end, detail) => {
                    let wiped = is_past(&target.state, StepWord::Reinstall);
                    let failure = failure::step_failed(step, *end, detail, wiped);
                    Some((Ending::Failed, failure))
                }
                At::Interrupted if self.is_lost(index, number) => {
                    Some((Ending::Unknown, failure::step_unknown(step)))
                }
                At::Open
                | At::Running
                | At::Interrupted
                | At::Done
                | At::Undoing
                | At::UndoInterrupted
                | At::Undone
                | At::NotUndone => None,
            }
        })
    }

    /// Moves a server on that waited for steps alone; whether it did.
    fn leave_gate(&mut self, draft: &mut Draft, index: usize) -> bool {
        match &self.facts.targets[index].state {
            State::StepsLeft(Ahead::Checks) if self.is_open(index, StepWord::Verify) => {
                let servers = vec![self.server_id(index)];
                self.record(draft, Event::Settled { servers });
                true
            }
            State::StepsLeft(Ahead::End) if self.all_steps_done(index) => {
                self.end_checked(draft, index)
            }
            State::StepsLeft(_)
            | State::Pending { .. }
            | State::Backup(_)
            | State::Power(..)
            | State::Stopped { .. }
            | State::Validated { .. }
            | State::Reinstalling(_)
            | State::Settling { .. }
            | State::Verifying { .. }
            | State::Ended => false,
        }
    }

    /// A server that passed every check, and whose steps are done, comes to its end, or is stopped
    /// where the playbook wants it off; whether it is known which.
    pub(super) fn end_checked(&mut self, draft: &mut Draft, index: usize) -> bool {
        let server = self.server_id(index);
        let power = self.pending.looks[index].power;
        if self.plan.targets[index].leave_running || power == Some(SeenPower::Off) {
            self.end(draft, server, Ending::Verified, None);
        } else if power == Some(SeenPower::On) {
            self.record(draft, Event::Passed { servers: vec![server] });
        } else {
            return false;
        }
        true
    }

    /// What is to be taken back next, when a run ends.
    fn due_undo(&self, index: usize) -> Option<Undo> {
        let number = self.next_undo(index)?;
        let target = &self.facts.targets[index];
        if target.own[number].late {
            return Some(Undo::Due(number));
        }
        // The stop comes before it in this order. One that was put off before its stop does not begin
        // again.
        let at_rest = matches!(target.state, State::Pending { .. } | State::Ended);
        if !at_rest || target.is_owed_back() {
            return None;
        }
        Some(if target.stranded && target.touched {
            Undo::Never(number, "the server was not started back")
        } else {
            Undo::Due(number)
        })
    }

    /// Whether something is to be taken back before a server is started back.
    pub(super) fn has_late_undo(&self, index: usize) -> bool {
        self.next_undo(index).is_some_and(|number| self.facts.targets[index].own[number].late)
    }

    /// The last step that is left behind on a server that was not wiped.
    fn next_undo(&self, index: usize) -> Option<usize> {
        let target = &self.facts.targets[index];
        let spared = !target.wiped
            && !target.given_up
            && !matches!(target.ending, Some(Ending::Verified | Ending::Unknown))
            && target.state.sent().is_none();
        let over = self.facts.closing.is_some() || target.ending.is_some();
        if !over || !spared || target.running() > 0 {
            return None;
        }
        #[cfg(test)]
        if self.flaw == Some(super::Flaw::UndoForgotten) {
            return None;
        }
        let left = self.own_steps(index).filter(|number| {
            let undo = self.steps(index)[*number].run.as_ref().is_some_and(|it| it.undo.is_some());
            undo && target.own[*number].at.is_left()
        });
        left.max_by_key(|number| (target.own[*number].late, *number))
    }

    fn start_step(&mut self, draft: &mut Draft, (index, number): (usize, usize), undo: bool) {
        let (server, step) = (self.server_id(index), self.steps(index)[number].id.clone());
        let own = &self.facts.targets[index].own[number];
        let attempt = 1 + if undo { own.undos } else { own.attempts };
        let event =
            Event::StepStarted { server: server.clone(), step: step.clone(), attempt, undo };
        self.record(draft, event);
        match self.step_call(index, number, (attempt, undo)) {
            Ok(call) => {
                let purpose = Purpose::Own { target: index, step: number, undo };
                let wiped = is_past(&self.facts.targets[index].state, StepWord::Reinstall);
                let guarded = !undo && !wiped;
                let send_by = self.send_by(index, draft.now.at).filter(|_| guarded);
                self.send(draft, purpose, Action::Run { server, call: Box::new(call) });
                if let Some(command) = draft.turn.commands.last_mut() {
                    command.send_by = send_by;
                }
            }
            // The plan was checked for this; whoever reads the journal sees it all the same.
            Err(missing) => {
                let (end, detail) = (StepEnd::NotStarted, missing.to_string());
                let event = Event::StepEnded { server, step, attempt, undo, end, detail };
                self.record(draft, event);
            }
        }
    }

    fn step_call(
        &self,
        index: usize,
        number: usize,
        (attempt, undo): (u32, bool),
    ) -> Result<StepCall, MissingValue> {
        let step = &self.steps(index)[number];
        let nothing = || MissingValue::new(step.id.clone());
        let spec: &RunSpec = step.run.as_deref().ok_or_else(nothing)?;
        let program: &Program =
            if undo { spec.undo.as_ref().ok_or_else(nothing)? } else { &spec.run };
        let (id, target) = self.plan.targets.get_index(index).ok_or_else(nothing)?;
        let host = target.found.host(id);
        let argv: Result<Vec<String>, _> = program.argv.iter().map(|it| it.fill(&host)).collect();
        let env = spec.env.iter().map(|(key, value)| Ok((key.clone(), value.fill(&host)?)));
        let mut env = env.collect::<Result<BTreeMap<String, String>, _>>()?;
        let run = self.facts.outline.as_ref().map_or("", |outline| outline.run.as_str());
        env.extend([
            ("REFLEET_RUN".to_owned(), run.to_owned()),
            ("REFLEET_SERVER".to_owned(), id.to_string()),
            ("REFLEET_STEP".to_owned(), step.id.clone()),
            ("REFLEET_ATTEMPT".to_owned(), attempt.to_string()),
        ]);
        Ok(StepCall {
            step: step.id.clone(),
            argv: argv?,
            file: program.file.clone(),
            cwd: spec.cwd.clone(),
            env,
            timeout: spec.timeout,
            undo,
        })
    }

    /// A program ended, or whoever started it broke.
    pub(super) fn step_replied(
        &mut self,
        draft: &mut Draft,
        (index, number): (usize, usize),
        undo: bool,
        reply: Reply,
    ) {
        let StepReport { end, detail } = match reply {
            Ok(Answer::Ran(report)) => report,
            Ok(_) => broken("the answer was not one to this request".to_owned()),
            Err(fault) if fault.class == FaultClass::Late => {
                StepReport { end: StepEnd::Late, detail: fault.message }
            }
            Err(fault) => broken(Fault::to_string(&fault)),
        };
        let own = &self.facts.targets[index].own[number];
        let attempt = if undo { own.undos } else { own.attempts };
        let (server, step) = (self.server_id(index), self.steps(index)[number].id.clone());
        self.record(draft, Event::StepEnded { server, step, attempt, undo, end, detail });
    }
}

fn broken(detail: String) -> StepReport {
    StepReport { end: StepEnd::Failed, detail }
}
