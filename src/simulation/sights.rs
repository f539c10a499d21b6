//! What a client has seen of a server, from the answers that reached it: compared with its plan by
//! the checkers themselves.

use std::collections::BTreeSet;

use crate::domain::{Server, Time};
use crate::plan::{Fingerprint, protection};

/// One look at one server that reached a client.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// When it was asked for.
    pub(super) asked: Time,
    /// Somebody protects it.
    pub(super) protected: bool,
    /// What tells it from the server of the plan, apart from what follows.
    identity: Option<&'static str>,
    /// The same for what a reinstall of ours changes.
    system: Option<&'static str>,
    /// The same for what a stop of ours changes.
    state: Option<&'static str>,
    /// Something runs on it.
    task: bool,
    /// It is at rest, with this power.
    pub(super) on: Option<bool>,
}

impl Sight {
    pub(super) fn of(asked: Time, was: &Fingerprint, is: &Server) -> Self {
        let data: BTreeSet<_> = is.data_volumes().collect();
        let addresses: BTreeSet<_> = is.addresses.iter().collect();
        let first = |all: &[(bool, &'static str)]| {
            all.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
        };
        let identity = first(&[
            (was.name != is.name, "its name"),
            (was.az != is.az, "its zone"),
            (was.tags != is.tags, "its tags"),
            (was.data_volumes.iter().collect::<BTreeSet<_>>() != data, "its data disks"),
            (was.addresses.iter().collect::<BTreeSet<_>>() != addresses, "its addresses"),
        ]);
        let system = first(&[
            (is.system_volume() != Some(&was.system_volume), "its system disk"),
            (was.image != is.image, "its image"),
            (was.key_name != is.key_name, "its key pair"),
        ]);
        let state = first(&[
            (is.task_state.is_some(), "a task"),
            (was.running != (is.status == "ACTIVE"), "its power"),
            (was.updated != is.updated, "the moment of its last change"),
        ]);
        let task = is.task_state.is_some();
        let on = is.is_running().then_some(true).or(is.is_stopped().then_some(false));
        Self { asked, protected: protection(is).is_some(), identity, system, state, task, on }
    }

    /// What forbids a request that takes the server away or wipes it.
    pub(super) fn forbids(&self, touched: bool, reinstalled: bool, wipes: bool) -> Option<&str> {
        let system = self.system.filter(|_| !reinstalled);
        let state = self.state.filter(|_| !touched);
        let task = (wipes && self.task).then_some("a task");
        self.identity.or(system).or(state).or(task)
    }
}
