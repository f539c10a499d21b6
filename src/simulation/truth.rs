//! What the world's own record says of each server, folded up.

use std::collections::BTreeMap;

use crate::domain::{Millis, Server, ServerId};
use crate::simulator::{Asking, By, Entry, Meddling, What, World};

/// A reinstall that really began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wipe {
    /// The request that it came from.
    pub(super) asking: Asking,
    pub(super) began: Millis,
    /// The old system is gone.
    pub(super) wiped: bool,
    /// Whether it came to a good end; `None`: it is at work.
    pub(super) end: Option<bool>,
}

/// One server, as it really is.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub(super) struct Truth {
    pub(super) on: bool,
    /// What switched it off; `None`: it was off from the beginning.
    pub(super) off_by: Option<Asking>,
    /// When its power changed last.
    pub(super) power_since: Millis,
    tag: bool,
    lock: bool,
    /// It is protected, and since when.
    pub(super) guarded: Option<Millis>,
    pub(super) wipes: Vec<Wipe>,
    /// Somebody deleted it.
    pub(super) gone: bool,
    /// Somebody else is busy with it, without an end.
    pub(super) occupied: bool,
    /// When each of those who changed it did so last.
    pub(super) changed: BTreeMap<By, Millis>,
}

impl Truth {
    fn of(server: &Server) -> Self {
        let tag = server.tags.values("reinstall").any(|value| value == "never");
        let guarded = (tag || server.locked).then_some(Millis(0));
        let on = server.status == "ACTIVE";
        Self { on, tag, lock: server.locked, guarded, ..Self::default() }
    }

    /// Whether it is locked.
    pub(super) fn is_locked(&self) -> bool {
        self.lock
    }

    /// Reinstalls that this client asked for.
    pub(super) fn wipes_of(&self, client: u32) -> impl DoubleEndedIterator<Item = &Wipe> {
        self.wipes.iter().filter(move |wipe| wipe.asking.by == By::Client(client))
    }

    /// Whether this client switched it off, as far as it can know.
    pub(super) fn is_off_by(&self, client: u32) -> bool {
        let theirs = |asking: &Asking| asking.by == By::Client(client) && !asking.copy;
        !self.on && !self.gone && self.off_by.as_ref().is_some_and(theirs)
    }

    fn guard(&mut self, at: Millis) {
        let guarded = self.tag || self.lock;
        self.guarded = if guarded { self.guarded.or(Some(at)) } else { None };
    }

    fn note(&mut self, at: Millis, what: &What) {
        let of = |asking: &Asking, wipe: &&mut Wipe| wipe.asking == *asking && wipe.end.is_none();
        match what {
            What::Asked { asking, refused, .. } => {
                if refused.is_none() {
                    self.changed.insert(asking.by, at);
                }
            }
            What::Power { on, asking } => {
                self.on = *on;
                self.power_since = at;
                self.off_by = (!on).then_some(*asking);
            }
            What::WipeBegan(asking) => {
                self.off_by = (!self.on).then_some(*asking);
                let wipe = Wipe { asking: *asking, began: at, wiped: false, end: None };
                self.wipes.push(wipe);
            }
            What::Wiped(asking) => {
                let found = self.wipes.iter_mut().find(|it| of(asking, it));
                if let Some(wipe) = found {
                    wipe.wiped = true;
                }
            }
            What::WipeEnded(asking) | What::WipeFailed(asking) => {
                let found = self.wipes.iter_mut().find(|it| of(asking, it));
                let well = matches!(what, What::WipeEnded(_));
                if let Some(wipe) = found {
                    wipe.end = Some(well);
                }
            }
            What::Changed(meddling) => self.meddled(at, *meddling),
        }
    }

    fn meddled(&mut self, at: Millis, meddling: Meddling) {
        self.changed.insert(By::Colleague, at);
        match meddling {
            Meddling::Protect => self.tag = true,
            Meddling::Unprotect => self.tag = false,
            Meddling::Lock => self.lock = true,
            Meddling::Unlock => self.lock = false,
            Meddling::Delete => self.gone = true,
            Meddling::Occupy => self.occupied = true,
            Meddling::Rename
            | Meddling::Start
            | Meddling::Tag
            | Meddling::Stop
            | Meddling::Rebuild
            | Meddling::Snapshot
            | Meddling::ReplaceKeyPair
            | Meddling::ReplaceImage => {}
        }
        self.guard(at);
    }
}

/// All servers, as far as the record was read.
#[derive(Debug, Default)]
pub(super) struct Truths {
    servers: BTreeMap<ServerId, Truth>,
    read: usize,
}

impl Truths {
    /// The servers as they are when nothing was read of the record that is not true of them.
    pub(super) fn new(world: &World) -> Self {
        let servers = world.servers().map(|server| (server.id.clone(), Truth::of(server)));
        Self { servers: servers.collect(), read: world.history().len() }
    }

    pub(super) fn get(&self, server: &ServerId) -> Truth {
        self.servers.get(server).cloned().unwrap_or_default()
    }

    /// The same without a copy of it.
    pub(super) fn see(&self, server: &ServerId) -> Option<&Truth> {
        self.servers.get(server)
    }

    /// Reads one line more, and gives the server that was switched off by it.
    #[expect(clippy::option_option, reason = "no line, or a line that may switch a server off")]
    pub(super) fn read_one(&mut self, world: &World) -> Option<Option<(Millis, ServerId)>> {
        let Entry { at, server, what } = world.history().get(self.read)?;
        self.read += 1;
        self.servers.entry(server.clone()).or_default().note(*at, what);
        let off = matches!(what, What::Power { on: false, .. });
        Some(off.then(|| (*at, server.clone())))
    }
}
