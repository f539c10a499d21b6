//! The world itself: its state, its clock that others wind, and its counters.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::account::Account;
use super::answers::Progress;
use super::codes;
use super::dice::Dice;
use super::error::ApiError;
use super::faults::{Again, Fate, Faults, Hears, Request};
use super::history::{Asking, Entry, Mishap};
use super::jobs::TheJob;
use super::knobs::{Clocks, GatewayPrefix, Knobs, millis};
use super::machine::Machine;
use super::meddle::Meddling;
use super::snapshots::Snapshot;
use super::spec::{BackupState, QuotaSpec, WorldSpec};
use super::stats::{DeedSeen, ReinstallCount, Stats, Violation};
use super::tasks::Event;
use super::vaults::{Backup, Checkpoint, Vault};
use crate::domain::{
    Action, AgencyState, Deed, Features, Image, ImageId, JobId, KeyPair, KmsKey, Millis, Server,
    ServerId, Timestamp, Trace, Volume, VolumeId,
};

/// When every simulated world begins, unless it is told otherwise: 2026-01-01T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// A simulated cloud.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) account: Account,
    pub(super) knobs: Knobs,
    pub(super) faults: Faults,
    /// Ids and lengths.
    pub(super) dice: Dice,
    /// Trouble.
    pub(super) luck: Dice,
    /// What is seen from outside: a stream of its own, so that checks change nothing else.
    pub(super) chance: Dice,
    pub(super) machines: Vec<Machine>,
    pub(super) by_id: BTreeMap<ServerId, usize>,
    /// Temporary servers that are there now, the newest last.
    pub(super) helpers: Vec<Server>,
    /// Every temporary server there ever was.
    pub(super) helper_ids: BTreeSet<ServerId>,
    pub(super) disks: Vec<Volume>,
    pub(super) disk_by_id: BTreeMap<VolumeId, usize>,
    /// Snapshots of disks, the oldest first.
    pub(super) snapshots: BTreeMap<VolumeId, Vec<Snapshot>>,
    pub(super) vaults: Vec<Vault>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) backups: Vec<Backup>,
    pub(super) images: BTreeMap<ImageId, Image>,
    /// What has become of the backups behind full-ECS images.
    pub(super) image_backups: BTreeMap<ImageId, BackupState>,
    pub(super) key_pairs: Vec<KeyPair>,
    pub(super) keys: Vec<KmsKey>,
    pub(super) quota: QuotaSpec,
    pub(super) used_gib: u64,
    /// Disks and GiB that reinstalls in flight hold back.
    pub(super) reserved: (u64, u64),
    pub(super) agency: AgencyState,
    pub(super) jobs: Vec<TheJob>,
    pub(super) job_by_id: BTreeMap<JobId, usize>,
    /// The audit log: when a line can be seen, and the line; oldest first.
    pub(super) traces: BTreeMap<ServerId, Vec<(Millis, Trace)>>,
    pub(super) events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    /// Numbers tasks and events.
    pub(super) next_number: u64,
    pub(super) in_flight: usize,
    pub(super) counters: Stats,
    pub(super) deeds: Vec<DeedSeen>,
    /// What really happened.
    pub(super) history: Vec<Entry>,
    /// The request that came last.
    pub(super) asking: Asking,
    /// Numbers requests.
    pub(super) next_request: u64,
    /// Requests that a gateway holds back.
    pub(super) held_back: Vec<(Asking, Action)>,
    /// What becomes of the next request that changes something.
    pub(super) struck: Option<Mishap>,
    /// What somebody else will do.
    pub(super) people: Vec<Meddling>,
    /// How far the scripted answers have come.
    pub(super) script: Vec<Progress>,
    /// The counted limit: where its window began, and requests since.
    window: (Millis, u32),
    epoch: Timestamp,
    speed: f64,
}

impl World {
    /// The world of that spec; everything random comes from the seed.
    #[must_use]
    pub fn new(spec: &WorldSpec, faults: Faults, seed: u64) -> Self {
        let account = Account::from_seed(seed);
        let mut world = Self {
            account,
            knobs: spec.knobs.clone(),
            faults,
            dice: Dice::new(seed, 0),
            luck: Dice::new(seed, 1),
            chance: Dice::new(seed, 3),
            machines: Vec::new(),
            by_id: BTreeMap::new(),
            helpers: Vec::new(),
            helper_ids: BTreeSet::new(),
            disks: Vec::new(),
            disk_by_id: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            vaults: Vec::new(),
            checkpoints: Vec::new(),
            backups: Vec::new(),
            images: BTreeMap::new(),
            image_backups: BTreeMap::new(),
            key_pairs: Vec::new(),
            keys: Vec::new(),
            quota: spec.quota,
            used_gib: 0,
            reserved: (0, 0),
            agency: spec.agency,
            jobs: Vec::new(),
            job_by_id: BTreeMap::new(),
            traces: BTreeMap::new(),
            events: BinaryHeap::new(),
            next_number: 0,
            in_flight: 0,
            counters: Stats::default(),
            deeds: Vec::new(),
            history: Vec::new(),
            asking: Asking::default(),
            next_request: 0,
            held_back: Vec::new(),
            struck: None,
            people: Vec::new(),
            script: Vec::new(),
            window: (Millis(0), 0),
            epoch: EPOCH,
            speed: 1.0,
        };
        world.populate(spec);
        world
    }

    /// The same world with its time beginning at that moment, and running that much faster than
    /// wall clocks do.
    #[must_use]
    pub fn beginning(self, epoch: Timestamp, speed: f64) -> Self {
        Self { epoch, speed, ..self }
    }

    /// The wall clock at that simulated time.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates; simulated times are far below 2^53 ms"
    )]
    pub fn wall(&self, at: Millis) -> Timestamp {
        self.epoch + Millis((at.0 as f64 / self.speed) as u64)
    }

    /// The clock that dates calls in the audit log, at that simulated time.
    pub(super) fn log_clock(&self, at: Millis) -> Timestamp {
        let Clocks { log, steps_at, step, .. } = self.knobs.clocks;
        let step = if at >= millis(steps_at) { step } else { 0.0 };
        set_by(self.wall(at), log + step)
    }

    /// The clock that dates changes of servers.
    pub(super) fn server_clock(&self, at: Millis) -> Timestamp {
        set_by(self.wall(at), self.knobs.clocks.servers)
    }

    /// Who the user is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What the calls of this cloud can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.knobs.features()
    }

    /// Everything that was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let servers = self.machines.iter();
        let reinstalls =
            servers.map(|machine| (machine.server.id.clone(), machine.count_of_clients()));
        Stats { reinstalls: reinstalls.collect(), ..self.counters.clone() }
    }

    /// A server as it really is, whatever looks show; not a temporary one.
    #[must_use]
    pub fn server(&self, id: &ServerId) -> Option<&Server> {
        self.by_id.get(id).and_then(|index| self.machines.get(*index)).map(|it| &it.server)
    }

    /// All servers as they really are, without temporary ones.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.machines.iter().map(|machine| &machine.server)
    }

    /// Reinstalls of a server so far.
    #[must_use]
    pub fn reinstalls(&self, id: &ServerId) -> ReinstallCount {
        let machine = self.by_id.get(id).and_then(|index| self.machines.get(*index));
        machine.map(Machine::count_of_clients).unwrap_or_default()
    }

    /// What a careful client never does, as it was seen so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.counters.violations
    }

    /// Mutating requests that were taken, server by server, oldest first.
    #[must_use]
    pub fn deeds(&self) -> &[DeedSeen] {
        &self.deeds
    }

    /// How late looks may show a change.
    #[must_use]
    pub fn longest_lag(&self) -> Millis {
        self.knobs.server_lag.most()
    }

    /// Reinstalls in flight, and the most there were at once.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        (self.in_flight, self.counters.peak_in_flight)
    }

    /// Whether a server has a backup in that vault that was asked for since then and can be restored.
    #[must_use]
    pub fn is_backed_up(
        &self,
        now: Millis,
        server: &ServerId,
        (vault, since): (&str, Millis),
    ) -> bool {
        self.backups.iter().any(|backup| {
            backup.server == *server
                && self.vaults[self.checkpoints[backup.checkpoint].vault].id == vault
                && backup.span.0 >= since
                && backup.status(now) == "available"
        })
    }

    /// From now on nothing goes wrong any more: whoever waits must now get there.
    pub fn faults_off(&mut self) {
        self.faults = Faults::default();
    }

    /// From now on this goes wrong.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.script.clear();
    }

    /// Counts a request. The world is advanced to `now`.
    pub(super) fn count(&mut self, now: Millis, operation: &'static str) {
        self.advance(now);
        self.counters.requests.total += 1;
        *self.counters.requests.by_operation.entry(operation).or_default() += 1;
    }

    /// Counts a request that is not known here.
    pub(super) fn count_unknown(&mut self, now: Millis, method: &str, path: &str) {
        self.count(now, "unknown");
        let seen = &mut self.counters.requests.unknown;
        let kind = format!("{method} {path}");
        if seen.len() < 100 || seen.contains_key(&kind) {
            *seen.entry(kind).or_default() += 1;
        }
    }

    /// Draws what becomes of a request.
    pub(super) fn fate(&mut self, now: Millis, operation: &str, mutating: bool) -> Fate {
        let fate = if let Some(mishap) = self.struck.take_if(|_| mutating) {
            mishap.fate()
        } else if let Some(scripted) = self.scripted(operation) {
            scripted
        } else if let Some(error) = self.over_limit(now) {
            Fate { deed: false, hears: Hears::Instead(error), again: Again::Never }
        } else {
            let retry_after = self.knobs.retry_after;
            self.faults.fate(&mut self.luck, Request { mutating, retry_after })
        };
        if let Hears::Instead(error) = &fate.hears
            && matches!(error.code, "APIGW.0308" | "APIG.0308" | "Common.1503" | "Common.0024")
        {
            self.counters.requests.throttled += 1;
        }
        fate
    }

    /// The refusal as this cloud's gateway spells it.
    pub(super) fn spelled(&self, error: ApiError) -> ApiError {
        let number = error.code.strip_prefix("APIGW.");
        let otc = number.filter(|_| self.knobs.gateway_prefix == GatewayPrefix::Apig);
        match otc.and_then(|number| codes::find(&format!("APIG.{number}"))) {
            Some(code) => ApiError { code: code.name, ..error },
            None => error,
        }
    }

    fn over_limit(&mut self, now: Millis) -> Option<ApiError> {
        let limit = self.faults.limit?;
        let length = Millis::secs(u64::from(limit.seconds));
        if now.0 >= self.window.0.0 + length.0 {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        if self.window.1 <= limit.requests {
            return None;
        }
        let rest = Millis((self.window.0.0 + length.0).saturating_sub(now.0));
        let retry_after = self.knobs.retry_after.then_some(rest);
        Some(ApiError::throttled(limit.requests, length, retry_after))
    }

    /// Notes something that a careful client never does.
    pub(super) fn violated(
        &mut self,
        at: Millis,
        kind: &'static str,
        (operation, server): (&'static str, &ServerId),
    ) {
        let server = server.clone();
        self.counters.violations.push(Violation { at, kind, operation, server });
    }

    /// Notes a mutating request that was taken.
    pub(super) fn done(&mut self, at: Millis, kind: Deed, server: &ServerId) {
        self.deeds.push(DeedSeen { at, kind, server: server.clone() });
    }

    /// A number that was not used before.
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

/// A clock that is so many seconds ahead.
#[expect(clippy::cast_possible_truncation, reason = "clocks differ by minutes")]
fn set_by(at: Timestamp, seconds: f64) -> Timestamp {
    Timestamp(at.0 + (seconds * 1_000.0) as i64)
}
