//! The world's own record: what really happened to each server, who asked for it, and what was
//! answered.
//!
//! Start with [`World::history`]. Nothing of it can be seen through the cloud's calls: it is for
//! those who judge a client.

use super::error::{ApiError, Shape};
use super::faults::{Again, Fate, Hears};
use super::machine::{Machine, TaskKind};
use super::stats::ReinstallCount;
use super::world::World;
use crate::domain::{Deed, Millis, ServerId};

/// Who is behind something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// A client of the cloud's calls, by number.
    Client(u32),
    /// Somebody else, with tools of their own.
    Colleague,
}

/// A request, as it left its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The sender.
    pub by: By,
    /// Numbers requests; a repeat has the number of the request that it came from.
    pub number: u64,
    /// A gateway sent it again, or delivered it late.
    pub copy: bool,
}

impl Default for Asking {
    fn default() -> Self {
        Self { by: By::Client(0), number: 0, copy: false }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A request that changes something arrived.
    Asked {
        /// The request.
        asking: Asking,
        /// What it asked for.
        deed: Deed,
        /// The code of the refusal; `None`: it was taken.
        refused: Option<&'static str>,
    },
    /// The server runs from now on, or no longer does.
    Power {
        /// Whether it runs.
        on: bool,
        /// The request that is behind it.
        asking: Asking,
    },
    /// Its system disk is being replaced.
    WipeBegan(Asking),
    /// Its old system is gone.
    Wiped(Asking),
    /// The reinstall came to a good end.
    WipeEnded(Asking),
    /// The reinstall failed.
    WipeFailed(Asking),
    /// Somebody else changed it.
    Changed(super::Meddling),
}

/// What becomes of one request that changes something, by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It is carried out, and no answer comes.
    Lost,
    /// It is carried out, and the answer is 503.
    Unavailable,
    /// A gateway sends it twice, and the answer is that to the second one.
    Twice,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lost, Self::Unavailable, Self::Twice];

    /// What becomes of the request.
    pub(super) fn fate(self) -> Fate {
        let again = if self == Self::Twice { Again::AtOnce } else { Again::Never };
        let hears = match self {
            Self::Lost => Hears::Nothing,
            Self::Twice => Hears::Answer,
            Self::Unavailable => {
                let error = ApiError::new(503, "", "Service unavailable").shaped(Shape::Html);
                Hears::Instead(ApiError { retry_after: Some(Millis::secs(2)), ..error })
            }
        };
        Fate { deed: true, hears, again }
    }
}

/// Something that happened to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Simulated time since the world began.
    pub at: Millis,
    /// The server.
    pub server: ServerId,
    /// What.
    pub what: What,
}

impl World {
    /// All that happened, the oldest first.
    #[must_use]
    pub fn history(&self) -> &[Entry] {
        &self.history
    }

    /// The request that came last.
    #[must_use]
    pub fn asking(&self) -> Asking {
        self.asking
    }

    /// Lets simulated time go on to that moment.
    pub fn pass(&mut self, now: Millis) {
        self.advance(now);
    }

    /// Whether whoever asks can learn who reinstalled a server, by its disk or by the log.
    #[must_use]
    pub fn log_tells(&self) -> bool {
        self.knobs.new_volume_id || self.knobs.traces && self.knobs.trace_readable
    }

    /// Changes what goes wrong.
    pub fn with_faults(&mut self, change: impl FnOnce(&mut super::Faults)) {
        change(&mut self.faults);
    }

    /// That happens to the next request that changes something, whatever else goes wrong.
    pub fn strike(&mut self, mishap: Mishap) {
        self.struck = Some(mishap);
    }

    /// Reinstalls in flight that this client asked for, in that zone or anywhere.
    #[must_use]
    pub fn in_flight_of(&self, client: u32, az: Option<&str>) -> usize {
        let wiping = |machine: &&Machine| {
            let mine = machine.task.as_ref().is_some_and(|task| {
                let Asking { by, copy, .. } = task.asking;
                matches!(task.kind, TaskKind::Reinstall(_)) && by == By::Client(client) && !copy
            });
            mine && az.is_none_or(|az| machine.server.az == az)
        };
        self.machines.iter().filter(wiping).count()
    }

    /// Reinstalls of a server that this client asked for.
    #[must_use]
    pub fn reinstalls_by(&self, client: u32, id: &ServerId) -> ReinstallCount {
        let machine = self.by_id.get(id).and_then(|index| self.machines.get(*index));
        machine.map(|machine| machine.count(By::Client(client))).unwrap_or_default()
    }

    /// Whether anybody but this client reinstalled a server.
    #[must_use]
    pub fn is_wiped_by_others(&self, client: u32, id: &ServerId) -> bool {
        let of_others = |what: &What| matches!(what, What::WipeBegan(asking) if asking.by != By::Client(client));
        self.history().iter().any(|entry| entry.server == *id && of_others(&entry.what))
    }

    /// The next request is this client's.
    pub(super) fn asked_by(&mut self, by: By) {
        self.next_request += 1;
        self.asking = Asking { by, number: self.next_request, copy: false };
    }

    /// Writes down something that happened to a server.
    pub(super) fn write_down(&mut self, at: Millis, server: &ServerId, what: What) {
        self.history.push(Entry { at, server: server.clone(), what });
    }

    /// Writes down a request and what it was answered with.
    pub(super) fn write_request(
        &mut self,
        at: Millis,
        (deed, server): (Deed, &ServerId),
        refused: Option<&'static str>,
    ) {
        let asking = self.asking;
        self.write_down(at, server, What::Asked { asking, deed, refused });
    }

    /// The server runs from now on, or no longer does.
    pub(super) fn power_is(&mut self, at: Millis, index: usize, (on, asking): (bool, Asking)) {
        let machine = &mut self.machines[index];
        if machine.on != on {
            machine.on = on;
            let server = machine.server.id.clone();
            self.write_down(at, &server, What::Power { on, asking });
        }
    }
}

impl Machine {
    /// Reinstalls that were asked for by that one.
    pub(super) fn count(&self, by: By) -> ReinstallCount {
        let found = self.counts.iter().find(|(of, _)| *of == by);
        found.map(|(_, count)| *count).unwrap_or_default()
    }

    /// The same, to be counted on.
    pub(super) fn counted(&mut self, by: By) -> &mut ReinstallCount {
        let at = self.counts.iter().position(|(of, _)| *of == by).unwrap_or_else(|| {
            self.counts.push((by, ReinstallCount::default()));
            self.counts.len() - 1
        });
        &mut self.counts[at].1
    }

    /// Reinstalls that clients of the cloud's calls asked for.
    pub(super) fn count_of_clients(&self) -> ReinstallCount {
        let clients = self.counts.iter().filter(|(by, _)| *by != By::Colleague);
        clients.fold(ReinstallCount::default(), |sum, (_, count)| ReinstallCount {
            accepted: sum.accepted + count.accepted,
            completed: sum.completed + count.completed,
            failed: sum.failed + count.failed,
        })
    }

    /// Reinstalls that came to a good end, whoever asked for them.
    pub(super) fn installed(&self) -> u32 {
        self.counts.iter().map(|(_, count)| count.completed).sum()
    }
}
