//! The course of a run in small: servers, waves and the moments at which something happens.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use indexmap::IndexSet;

use crate::domain::{Encryption, Millis, Time};

use super::super::{Inventory, Plan};
use super::bucket::Bucket;
use super::reading::{Reading, look_before};
use super::requests::{Reads, Ready, Request};
use super::servers::{Kind, Server};

/// What it came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) requests: u64,
    /// From the first stop to the last check.
    pub(super) duration: Millis,
    /// How long something waited for a token.
    pub(super) starved: Millis,
    /// The fleet that ended last.
    pub(super) last: usize,
}

/// A moment at which something happens.
#[derive(Debug)]
pub(super) struct Moment {
    at: Time,
    number: u64,
    what: Happening,
}

/// What happens then.
#[derive(Debug)]
pub(super) enum Happening {
    /// A server waited for that moment.
    Due(usize),
    /// A request is answered that was sent then.
    Answered(Request, Time),
    /// There may be a token, or a wave may open.
    Wake,
}

/// An availability zone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Zone {
    /// Servers that are off, or being stopped, before their wipe.
    pub(super) queued: u32,
    /// Slots for reinstalls that are granted or in use.
    pub(super) wiping: u32,
}

/// A fleet on its way.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    /// Its waves, by the numbers of their servers.
    waves: Vec<Vec<usize>>,
    wave: usize,
    open: bool,
    next_at: Time,
    /// Servers of the open wave that are not begun with, by zone.
    startable: Vec<VecDeque<usize>>,
    /// The wave that was looked at last, and when.
    pub(super) looked: Option<(usize, Time)>,
    pub(super) unended: usize,
    pub(super) in_flight: u32,
    pub(super) verified: u32,
    pub(super) ends: Time,
}

/// A wave opens at most so long after its look.
const LOOKED: Millis = Millis::secs(60);

/// A run in small.
#[derive(Debug)]
pub(super) struct Course<'p> {
    pub(super) plan: &'p Plan,
    pub(super) reading: Reading,
    pub(super) kinds: Vec<Kind>,
    pub(super) servers: Vec<Server>,
    pub(super) fleets: Vec<Fleet>,
    /// Servers that are neither pending nor done.
    pub(super) active: BTreeSet<usize>,
    agenda: BinaryHeap<Moment>,
    number: u64,
    pub(super) now: Time,
    wake_at: Option<Time>,
    pub(super) bucket: Bucket,
    pub(super) ready: Ready,
    pub(super) reads: Reads,
    /// Servers that are off, or being stopped, before their wipe.
    pub(super) queued: u32,
    /// Slots for reinstalls that are granted, and those in use.
    pub(super) granted: u32,
    pub(super) reinstalling: u32,
    pub(super) waiting: BTreeSet<usize>,
    pub(super) zones: Vec<Zone>,
    /// How long jobs took, of late.
    pub(super) took: VecDeque<Millis>,
    pub(super) left: usize,
    pub(super) begun: Option<Time>,
    pub(super) requests: u64,
    pub(super) starved: Millis,
}

impl<'p> Course<'p> {
    pub(super) fn new(plan: &'p Plan, inventory: &Inventory) -> Self {
        let mut servers = Vec::with_capacity(plan.targets.len());
        let mut zones: IndexSet<&str> = IndexSet::new();
        for target in plan.targets.values() {
            let fleet = plan.fleets.get_index_of(&target.fleet).unwrap_or_default();
            let mut server = Server::pending(fleet, target.treatment as usize);
            (server.zone, _) = zones.insert_full(&target.found.az);
            server.changes_os = target.changes_os();
            server.running = target.found.running;
            server.leave_running = target.leave_running;
            server.encrypted = target.reinstall.encryption != Encryption::None;
            servers.push(server);
        }
        let fleets = plan.fleets.values().map(|fleet| {
            let numbers = |servers: &[crate::domain::ServerId]| {
                servers.iter().filter_map(|id| plan.targets.get_index_of(id)).collect()
            };
            let waves = fleet.waves.iter().map(|wave| numbers(&wave.servers)).collect();
            Fleet { waves, ..Fleet::default() }
        });
        Self {
            reading: Reading::of(plan, inventory),
            kinds: plan.treatments.iter().map(Kind::of).collect(),
            left: servers.len(),
            servers,
            fleets: fleets.collect(),
            active: BTreeSet::new(),
            agenda: BinaryHeap::new(),
            number: 0,
            now: Time(0),
            wake_at: None,
            bucket: Bucket::full(plan.limits.api),
            ready: Ready::default(),
            reads: Reads::default(),
            queued: 0,
            granted: 0,
            reinstalling: 0,
            waiting: BTreeSet::new(),
            zones: vec![Zone::default(); zones.len()],
            took: VecDeque::new(),
            begun: None,
            requests: 0,
            starved: Millis(0),
            plan,
        }
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Outcome {
        self.begin_preflight();
        self.issue();
        while self.left > 0 {
            let Some(Moment { at, what, .. }) = self.agenda.pop() else { break };
            self.now = self.now.max(at);
            self.happen(what);
            while let Some(Moment { what: Happening::Due(target), .. }) =
                self.agenda.peek().filter(|next| next.at <= self.now)
            {
                let target = *target;
                self.agenda.pop();
                self.due(target);
            }
            if self.reads.preflight_passed {
                self.advance();
            }
            self.issue();
        }
        let last = (0..self.fleets.len()).max_by_key(|fleet| self.fleets[*fleet].ends);
        Outcome {
            requests: self.requests,
            duration: self.now.since(self.begun.unwrap_or(self.now)),
            starved: self.starved,
            last: last.unwrap_or_default(),
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Due(target) => self.due(target),
            Happening::Answered(request, asked) => self.answered(request, asked),
            Happening::Wake => {
                if self.wake_at.is_some_and(|at| at <= self.now) {
                    self.wake_at = None;
                }
            }
        }
    }

    pub(super) fn at(&mut self, at: Time, what: Happening) {
        self.number += 1;
        self.agenda.push(Moment { at, number: self.number, what });
    }

    /// A server is thought about again then.
    pub(super) fn due_at(&mut self, target: usize, at: Time) {
        if at <= self.now {
            self.due(target);
        } else {
            self.at(at, Happening::Due(target));
        }
    }

    pub(super) fn wake(&mut self, at: Time) {
        if self.wake_at.is_none_or(|before| at < before) {
            self.wake_at = Some(at);
            self.at(at, Happening::Wake);
        }
    }

    /// What happens by itself: waves open and close, servers start, slots are granted.
    fn advance(&mut self) {
        loop {
            let before = self.number_of_waves_done();
            for fleet in 0..self.fleets.len() {
                self.advance_fleet(fleet);
            }
            if self.number_of_waves_done() == before {
                break;
            }
        }
        let slots = self.plan.limits.reinstalls.max(1);
        let most = self.per_az();
        while self.reinstalling + self.granted < slots {
            let zone = |target: &&usize| self.servers[**target].zone;
            let mut waiting = self.waiting.iter();
            let next = waiting.find(|target| self.zones[zone(target)].wiping < most).copied();
            let Some(target) = next else { break };
            self.waiting.remove(&target);
            self.granted += 1;
            self.zones[self.servers[target].zone].wiping += 1;
            self.servers[target].granted = true;
            self.look_at(target, self.now);
        }
    }

    fn number_of_waves_done(&self) -> usize {
        self.fleets.iter().map(|fleet| fleet.wave).sum()
    }

    fn advance_fleet(&mut self, number: usize) {
        while self.fleets[number].wave < self.fleets[number].waves.len() {
            if !self.fleets[number].open && !self.may_open(number) {
                return;
            }
            let fleet = &mut self.fleets[number];
            if !fleet.open {
                fleet.open = true;
                fleet.unended = fleet.waves[fleet.wave].len();
                fleet.startable = vec![VecDeque::new(); self.zones.len()];
                for target in &fleet.waves[fleet.wave] {
                    fleet.startable[self.servers[*target].zone].push_back(*target);
                }
            }
            self.start_servers(number);
            let fleet = &mut self.fleets[number];
            if fleet.unended > 0 {
                return;
            }
            fleet.open = false;
            fleet.wave += 1;
            let bake_time = self.plan.fleets.get_index(number).map(|(_, it)| it.pace.bake_time);
            fleet.next_at = self.now + bake_time.unwrap_or_default();
            if fleet.next_at > self.now {
                let next_at = fleet.next_at;
                self.at(next_at, Happening::Wake);
            }
        }
    }

    fn may_open(&mut self, number: usize) -> bool {
        let fleet = &self.fleets[number];
        let Some((_, planned)) = self.plan.fleets.get_index(number) else { return false };
        let reached = |need: &super::super::Need| {
            let first = self.plan.fleets.get_index_of(&need.fleet);
            first.is_none_or(|first| self.fleets[first].verified >= need.verified)
        };
        if fleet.next_at > self.now || !planned.needs.iter().all(reached) {
            return false;
        }
        let looked = fleet
            .looked
            .is_some_and(|(wave, at)| wave == fleet.wave && self.now.since(at) <= LOOKED);
        if !looked {
            let requests = look_before(self.plan, &planned.waves[fleet.wave]);
            self.begin_wave_look(number, requests);
        }
        looked
    }

    /// The wave that a fleet is at.
    pub(super) fn wave_of(&self, fleet: usize) -> usize {
        self.fleets[fleet].wave
    }

    fn start_servers(&mut self, number: usize) {
        let Some((_, planned)) = self.plan.fleets.get_index(number) else { return };
        let fleet = &self.fleets[number];
        let most = self.per_az();
        let mut slots = planned.pace.max_unavailable.saturating_sub(fleet.in_flight);
        if planned.pace.strict_budget {
            let room = planned.pace.max_failures.saturating_add(1);
            slots = slots.min(room.saturating_sub(fleet.in_flight));
        }
        slots = slots.min(self.plan.limits.reinstalls.max(1).saturating_sub(self.queued));
        for _ in 0..slots {
            let fleet = &mut self.fleets[number];
            let zones = fleet.startable.iter().enumerate();
            let open = zones.filter(|(zone, _)| self.zones[*zone].queued < most);
            let next = open.filter_map(|(zone, targets)| Some((*targets.front()?, zone))).min();
            let Some((target, zone)) = next else { break };
            fleet.startable[zone].pop_front();
            self.start(target);
        }
    }

    /// Reinstalls that may be in flight at once in one zone.
    fn per_az(&self) -> u32 {
        self.plan.limits.per_az.unwrap_or(u32::MAX)
    }

    /// Servers away for our sake, over all fleets.
    pub(super) fn in_flight(&self) -> u32 {
        self.fleets.iter().map(|fleet| fleet.in_flight).sum()
    }

    /// Pages of a list of all servers.
    pub(super) fn pages(&self) -> u32 {
        self.reading.pages
    }

    /// Marks the first change of the run.
    pub(super) fn begin(&mut self) {
        self.begun.get_or_insert(self.now);
    }
}

impl Ord for Moment {
    /// The earliest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}
