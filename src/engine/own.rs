//! How far the playbook's own steps are with one server, as facts. What they lead to is `steps`.

use crate::domain::{Ahead, Event, Record, StepEnd};
use crate::plan::CheckedPlan;
use crate::playbook::StepWord;

use super::facts::TargetFacts;
use super::state::{Purpose, State};

/// One of the playbook's own steps, for one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// Where it is.
    pub(crate) at: At,
    /// How often it was begun.
    pub(crate) attempts: u32,
    /// It was begun when the server was stopped already: it is taken back before that starts again.
    pub(crate) late: bool,
    /// How often taking it back was begun.
    pub(crate) undos: u32,
}

/// Where a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum At {
    /// Not begun.
    #[default]
    Open,
    /// Its program runs.
    Running,
    /// Its program ran when the process died: nobody knows how far it came.
    Interrupted,
    /// Its program ended well.
    Done,
    /// It did not.
    Failed(StepEnd, String),
    /// It is being taken back.
    Undoing,
    /// It was being taken back when the process died.
    UndoInterrupted,
    /// It was taken back.
    Undone,
    /// It could not be taken back.
    NotUndone,
}

impl At {
    /// Whether it left something that has to be taken back.
    pub(crate) fn is_left(&self) -> bool {
        match self {
            Self::Interrupted | Self::Done | Self::Failed(..) | Self::UndoInterrupted => true,
            Self::Open | Self::Running | Self::Undoing | Self::Undone | Self::NotUndone => false,
        }
    }

    /// Whether a program runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Running | Self::Undoing)
    }
}

impl Own {
    /// Its program is started. `None`, here as below: that cannot happen where it is.
    fn started(&self, attempt: u32, undo: bool, late: bool) -> Option<Self> {
        if undo {
            let fits = self.at.is_left() && attempt == self.undos + 1;
            return fits.then_some(Self { at: At::Undoing, undos: attempt, ..*self });
        }
        let fits = matches!(self.at, At::Open | At::Interrupted) && attempt == self.attempts + 1;
        fits.then_some(Self { at: At::Running, attempts: attempt, late, ..*self })
    }

    fn ended(&self, end: StepEnd, detail: &str, undo: bool) -> Option<Self> {
        if end == StepEnd::Late {
            // As if it had not been begun, so that it counts as no attempt.
            let attempts = self.attempts.checked_sub(1)?;
            let fits = self.at == At::Running && !undo;
            return fits.then_some(Self { at: At::Open, attempts, ..*self });
        }
        let done = end == StepEnd::Done;
        let (before, at) = match (undo, done) {
            (false, true) => (At::Running, At::Done),
            (false, false) => (At::Running, At::Failed(end, detail.to_owned())),
            (true, true) => (At::Undoing, At::Undone),
            (true, false) => (At::Undoing, At::NotUndone),
        };
        (self.at == before).then_some(Self { at, ..*self })
    }

    fn not_undone(&self) -> Option<Self> {
        self.at.is_left().then_some(Self { at: At::NotUndone, ..*self })
    }

    /// What a process that takes a run over makes of it.
    fn resumed(&mut self) {
        match self.at {
            At::Running => self.at = At::Interrupted,
            At::Undoing => self.at = At::UndoInterrupted,
            At::Open
            | At::Interrupted
            | At::Done
            | At::Failed(..)
            | At::UndoInterrupted
            | At::Undone
            | At::NotUndone => {}
        }
    }
}

impl TargetFacts {
    /// What a record says of the playbook's own steps.
    pub(super) fn apply_to_own(
        &mut self,
        plan: &CheckedPlan,
        record: &Record,
    ) -> Result<(), String> {
        if let Event::Resumed = &record.event {
            self.own.iter_mut().for_each(Own::resumed);
        } else if let Event::StepStarted { step, attempt, undo, .. } = &record.event {
            let late = is_past(&self.state, StepWord::Stop);
            self.change(plan, (step, *undo), |own| own.started(*attempt, *undo, late))?;
        } else if let Event::StepEnded { step, end, detail, undo, .. } = &record.event {
            self.change(plan, (step, *undo), |own| own.ended(*end, detail, *undo))?;
        } else if let Event::NotUndone { step, .. } = &record.event {
            self.change(plan, (step, true), Own::not_undone)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        plan: &CheckedPlan,
        (step, undo): (&str, bool),
        change: impl FnOnce(&Own) -> Option<Own>,
    ) -> Result<(), String> {
        if undo && self.wiped {
            return Err(format!("step {step} of a wiped server is not taken back"));
        }
        let number = plan.fleets.get_index(self.fleet).and_then(|(_, fleet)| fleet.step(step));
        let own = number.and_then(|number| self.own.get_mut(number));
        let own = own.ok_or_else(|| format!("its fleet has no step {step} of its own"))?;
        *own = change(own).ok_or_else(|| format!("step {step} is {:?}", own.at))?;
        Ok(())
    }

    /// Programs that run for it.
    pub(super) fn running(&self) -> u32 {
        let running = self.own.iter().filter(|own| own.at.is_running()).count();
        u32::try_from(running).unwrap_or(u32::MAX)
    }
}

/// Whether a server is past that word.
pub(super) fn is_past(state: &State, word: StepWord) -> bool {
    let reached = match state {
        State::Pending { .. }
        | State::Backup(_)
        | State::Power(Purpose::Stop | Purpose::Return, _)
        | State::Ended => None,
        State::Stopped { .. } | State::Validated { .. } | State::Reinstalling(_) => {
            Some(StepWord::Stop)
        }
        State::Settling { .. } | State::Power(Purpose::Boot, _) => Some(StepWord::Reinstall),
        State::StepsLeft(Ahead::Checks) | State::Verifying { .. } => Some(StepWord::Wait),
        State::StepsLeft(Ahead::End) | State::Power(Purpose::Leave, _) => Some(StepWord::Verify),
    };
    reached.is_some_and(|reached| word <= reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b6_a_step_that_was_late_was_never_begun() {
        let begun = Own::default().started(1, false, true).unwrap();
        let late = begun.ended(StepEnd::Late, "", false).unwrap();
        assert_eq!((late.at.clone(), late.attempts), (At::Open, 0));
        assert!(late.started(1, false, true).is_some(), "it begins again, and nothing is counted");
        assert_eq!(late.ended(StepEnd::Late, "", false), None);
    }
}
