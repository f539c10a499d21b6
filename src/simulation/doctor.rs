//! A client that is broken on purpose, from outside: its plan, its answers, its requests and its
//! claims are doctored, and the engine stays as it is shipped.

use crate::domain::{Action, Millis, Record, Reply};
use crate::plan::CheckedPlan;

/// What is wrong with a client. Without a word, nothing is.
pub(super) trait Doctor {
    /// The plan that the engine goes by, while the checkers go by the true one.
    fn plan(&self, _true_one: &CheckedPlan) -> Option<CheckedPlan> {
        None
    }

    /// An answer that is made up, to a request that never reaches the cloud.
    fn instead(&mut self, _action: &Action) -> Option<Reply> {
        None
    }

    /// What the engine hears in the place of an answer.
    fn answer(&mut self, _action: &Action, _reply: &mut Reply) {}

    /// How long a request lies about before it is sent.
    fn delay(&self, _action: &Action) -> Millis {
        Millis(0)
    }

    /// Whether claims on servers are respected.
    fn respects_claims(&self) -> bool {
        true
    }

    /// What people are told in the place of these records.
    fn told(&self, _records: &mut Vec<Record>) {}
}
