//! One server of a simulated cloud, with what only the cloud knows of it.

use super::history::{Asking, By};
use super::password::Password;
use super::stats::ReinstallCount;
use crate::domain::{Millis, Server, Timestamp};

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// As it is.
    pub(super) server: Server,
    /// Counts its changes: the same number is the same server.
    pub(super) version: u64,
    /// As looks still show it.
    pub(super) stale: Option<Box<Stale>>,
    /// Its system disk: an index into the world's disks.
    pub(super) system: Option<usize>,
    /// Its data disks.
    pub(super) data: Vec<usize>,
    /// What runs on it.
    pub(super) task: Option<Task>,
    /// Until when password or key are injected.
    pub(super) injecting_until: Option<Millis>,
    /// From when on what it is there for answers.
    pub(super) serves_from: Millis,
    /// When its password can be fetched.
    pub(super) password: Password,
    /// Somebody deleted it.
    pub(super) gone: bool,
    /// Its last reinstall failed.
    pub(super) last_failed: bool,
    /// Reinstalls so far, by who asked for them.
    pub(super) counts: Vec<(By, ReinstallCount)>,
    /// Whether it runs, whatever is shown.
    pub(super) on: bool,
    /// Who reinstalled it last.
    pub(super) installed_by: Option<By>,
    /// When it was started last.
    pub(super) launched: Timestamp,
}

impl Machine {
    /// As a look at that moment shows it.
    pub(super) fn seen(&self, now: Millis) -> &Server {
        self.seen_as(now).1
    }

    /// As a look at that moment shows it, with the number of that version.
    pub(super) fn seen_as(&self, now: Millis) -> (u64, &Server) {
        match &self.stale {
            Some(stale) if now < stale.until => (stale.version, &stale.server),
            _ => (self.version, &self.server),
        }
    }

    /// Its disks: indices into the world's, the system disk first.
    pub(super) fn disks(&self) -> impl Iterator<Item = usize> {
        self.system.iter().chain(&self.data).copied()
    }

    /// Whether somebody can log in: running, and nothing is injected any more.
    pub(super) fn is_ready(&self, now: Millis) -> bool {
        self.server.is_running() && !self.is_injecting(now)
    }

    /// Whether password or key are being injected.
    pub(super) fn is_injecting(&self, now: Millis) -> bool {
        self.injecting_until.is_some_and(|until| now < until)
    }
}

/// A server as it was.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    /// Until when looks show it.
    pub(super) until: Millis,
    /// Its version.
    pub(super) version: u64,
    /// The server.
    pub(super) server: Server,
}

/// Something that runs on a server.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Number of the task; events of an older one are void.
    pub(super) number: u64,
    /// The jobs that it ends, and the part of each.
    pub(super) parts: Vec<(usize, usize)>,
    /// What it is.
    pub(super) kind: TaskKind,
    /// Who asked for it.
    pub(super) asking: Asking,
}

/// What runs on a server.
#[derive(Clone, Debug)]
pub(super) enum TaskKind {
    /// The guest shuts down.
    SoftStop,
    /// The power is being cut.
    HardStop,
    /// It starts.
    Start,
    /// It stops and starts.
    Reboot(crate::domain::StopMode),
    /// It is reinstalled.
    Reinstall(Box<NewSystem>),
}

/// What a reinstall puts in place.
#[derive(Clone, Debug)]
pub(super) struct NewSystem {
    /// Key pair afterwards.
    pub(super) key_name: Option<String>,
    /// The image, if it is another one.
    pub(super) image: Option<crate::domain::Image>,
    /// Size of the new system disk in GiB.
    pub(super) gib: u64,
    /// KMS key of the new system disk.
    pub(super) disk_key: Option<String>,
    /// The temporary server, once it is there.
    pub(super) helper: Option<crate::domain::ServerId>,
    /// Size that the quota holds back.
    pub(super) reserved_gib: u64,
    /// Still held back.
    pub(super) holds_quota: bool,
    /// It was not stopped, and runs again afterwards.
    pub(super) runs_on: bool,
}
