//! One refleet process after another that drives one run: what dies with it, and what does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Action, CallId, Record, Request, Time};
use crate::engine::Engine;
use crate::plan::CheckedPlan;

use super::checkers::Watchers;
use super::scenario::Scenario;

/// A run, and whoever drives it.
pub(super) struct Process {
    /// Its number among the clients of the cloud.
    pub(super) client: u32,
    pub(super) plan: Arc<CheckedPlan>,
    /// The process that lives; `None`: none does.
    pub(super) engine: Option<Engine>,
    pub(super) journal: Vec<Record>,
    /// Words that were left for it.
    pub(super) requests: Vec<Request>,
    /// The last of them that a record tells of.
    pub(super) heard: u64,
    /// Numbers processes: what was in flight to an earlier one is gone.
    pub(super) life: u32,
    pub(super) wake_at: Option<Time>,
    /// Changes that it has sent.
    pub(super) changes: u32,
    /// Turns of its engine.
    pub(super) turns: u64,
    pub(super) watchers: Watchers,
    /// What is asked of the world just now, and when it was sent.
    pub(super) asked: BTreeMap<CallId, (Time, Action)>,
    /// It was not let begin, or nobody goes on with it.
    pub(super) dropped: bool,
}

impl Process {
    pub(super) fn new(scenario: &Scenario, plan: &Arc<CheckedPlan>, client: u32) -> Self {
        Self {
            client,
            plan: Arc::clone(plan),
            engine: None,
            journal: Vec::new(),
            requests: Vec::new(),
            heard: 0,
            life: 0,
            wake_at: None,
            changes: 0,
            turns: 0,
            watchers: Watchers::new(scenario, plan, client),
            asked: BTreeMap::new(),
            dropped: false,
        }
    }

    /// Whether nothing more comes of it.
    pub(super) fn is_over(&self) -> bool {
        self.dropped || self.engine.as_ref().is_some_and(Engine::is_finished)
    }

    /// Whether a process drives it.
    pub(super) fn is_alive(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| !engine.is_finished())
    }

    /// Words that no record tells of.
    pub(super) fn left(&self) -> Vec<Request> {
        let open = self.requests.iter().filter(|request| request.by.number > self.heard);
        open.cloned().collect()
    }
}
