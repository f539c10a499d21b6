//! What a command tells the shell that started it. Start with [`Exit`].
//!
//! Scripts and CI jobs branch on these numbers, so they never change their meaning.

use std::process::ExitCode;

use crate::domain::{CloseCause, Counts, Ending};
use crate::report::Summary;

/// How a command ended (`product.md`, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, all verified; or there was nothing to do.
    Done = 0,
    /// This command sent nothing that changes anything: a bad playbook, a refusal, credentials, a claim
    /// of another run.
    Refused = 1,
    /// Only `plan --detailed-exitcode`: there is something to do.
    Changes = 2,
    /// The run finished inside its failure budget, and a planned server is not verified.
    Failures = 3,
    /// The failure budget was spent, a canary failed, or a fleet was skipped because one before it did
    /// not get there.
    BudgetSpent = 4,
    /// The run waits for a person; `refleet resume` goes on.
    Paused = 5,
    /// Wrong use of the command line.
    Usage = 64,
    /// A mistake of ours. The journal is whole.
    Bug = 70,
    /// The run could no longer own or write its state, so nothing more was sent.
    StateLost = 74,
    /// Left before the end. The journal is whole.
    Interrupted = 130,
}

impl Exit {
    /// The only place where what came of a run becomes a number.
    pub(super) fn of(summary: &Summary) -> Self {
        if summary.paused.is_some() {
            return Self::Paused;
        }
        let cause = summary.cause.as_ref().filter(|_| summary.finished);
        match cause {
            None | Some(CloseCause::Stopped) => Self::Interrupted,
            // A preflight that refuses when the run is resumed leaves servers that were begun before.
            Some(CloseCause::Refused) if !summary.touched => Self::Refused,
            Some(CloseCause::BudgetSpent { .. } | CloseCause::CanaryFailed { .. }) => {
                Self::BudgetSpent
            }
            Some(CloseCause::Done | CloseCause::Refused) => Self::of_counts(&summary.counts),
        }
    }

    /// The code of a run that came to its own end.
    fn of_counts(counts: &Counts) -> Self {
        let not_verified = |ending: &Ending| *ending != Ending::Verified;
        if counts.of(Ending::Skipped) > 0 {
            Self::BudgetSpent
        } else if counts.pending + counts.in_flight > 0
            || Ending::ALL.iter().filter(|ending| not_verified(ending)).any(|e| counts.of(*e) > 0)
        {
            Self::Failures
        } else {
            Self::Done
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{FleetName, PauseCause, ServerId};

    use super::*;

    #[test]
    fn what_came_of_a_run_becomes_one_number() {
        use Ending::{Drifted, Failed, NeedsSupport, Protected, Skipped, Unknown, Verified};
        let fleet = FleetName::from("web");
        let canary = CloseCause::CanaryFailed { fleet: fleet.clone(), server: ServerId::from("s") };
        let spent = CloseCause::BudgetSpent { fleet };
        let check = |cause: &CloseCause, endings: &[Ending], pending: u32, expected: Exit| {
            let ended = endings.iter().map(|ending| (*ending, 1)).collect();
            let mut summary = Summary::of(&[]);
            summary.cause = Some(cause.clone());
            summary.counts = Counts { ended, in_flight: 0, pending };
            assert_eq!(Exit::of(&summary), Exit::Interrupted, "not finished");
            summary.finished = true;
            assert_eq!(Exit::of(&summary), expected, "{cause:?} {endings:?}");
        };
        check(&CloseCause::Done, &[Verified], 0, Exit::Done);
        check(&CloseCause::Done, &[], 0, Exit::Done);
        for ending in [Failed, NeedsSupport, Unknown, Drifted, Protected] {
            check(&CloseCause::Done, &[Verified, ending], 0, Exit::Failures);
        }
        check(&CloseCause::Done, &[Verified], 1, Exit::Failures);
        check(&CloseCause::Done, &[Verified, Failed, Skipped], 0, Exit::BudgetSpent);
        check(&spent, &[Verified, Failed], 3, Exit::BudgetSpent);
        check(&canary, &[Failed], 3, Exit::BudgetSpent);
        check(&CloseCause::Stopped, &[Verified], 3, Exit::Interrupted);
        check(&CloseCause::Refused, &[], 3, Exit::Refused);
    }

    #[test]
    fn a_run_that_waits_for_a_person_was_not_interrupted() {
        let text = String::new;
        let cause = PauseCause::LockedOut { code: text(), detail: text(), help: text() };
        let mut summary = Summary::of(&[]);
        summary.paused = Some(cause);
        assert_eq!(Exit::of(&summary), Exit::Paused);
    }

    #[test]
    fn a_refusal_after_servers_were_touched_does_not_say_that_nothing_was() {
        let mut summary = Summary::of(&[]);
        (summary.cause, summary.finished) = (Some(CloseCause::Refused), true);
        summary.counts = Counts { pending: 2, ..Counts::default() };
        assert_eq!(Exit::of(&summary), Exit::Refused);
        summary.touched = true;
        assert_eq!(Exit::of(&summary), Exit::Failures);
    }

    #[test]
    fn a_run_without_an_end_was_interrupted() {
        assert_eq!(Exit::of(&Summary::of(&[])), Exit::Interrupted);
    }
}
