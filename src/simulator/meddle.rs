//! Other people: what somebody else does to a server while a run is under way.

use super::world::World;
use crate::domain::{Millis, ServerId};

/// What somebody else does to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    /// The tag that protects it is put on.
    Protect,
    /// It is locked.
    Lock,
    /// It gets another name.
    Rename,
    /// It is started, if it is off and at rest, and has a system that can start.
    Start,
    /// It is deleted.
    Delete,
    /// A task of the operator's is shown on it from now on, without an end.
    Occupy,
}

impl Meddling {
    /// The task that is shown on a server which somebody else is busy with.
    pub const TASK: &'static str = "migrating";

    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Protect, Self::Lock, Self::Rename, Self::Start, Self::Delete, Self::Occupy];
}

impl World {
    /// Somebody else does that to a server at that moment; nothing, if it is not there.
    pub fn meddle(&mut self, now: Millis, id: &ServerId, meddling: Meddling) {
        self.advance(now);
        let Some(index) = self.by_id.get(id).copied() else { return };
        let at_rest = self.machines[index].task.is_none();
        match meddling {
            Meddling::Protect => {
                let tags = &mut self.change(now, index).tags;
                tags.insert("reinstall", "never");
            }
            Meddling::Lock => self.change(now, index).locked = true,
            Meddling::Rename => self.change(now, index).name.push_str("-renamed"),
            Meddling::Start => {
                let machine = &self.machines[index];
                if at_rest && machine.server.is_stopped() && !machine.last_failed {
                    "ACTIVE".clone_into(&mut self.change(now, index).status);
                }
            }
            Meddling::Delete => {
                self.machines[index].gone = true;
                self.by_id.remove(id);
            }
            Meddling::Occupy => {
                if at_rest {
                    self.change(now, index).task_state = Some(Meddling::TASK.to_owned());
                }
            }
        }
    }
}
