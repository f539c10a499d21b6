//! The printed plan is a true forecast: random playbooks over random worlds are planned and then
//! rehearsed without faults, and what the plan said is held against what the simulated cloud saw.
//!
//! Start with [`the_printed_plan_is_a_true_forecast`]. [`draw`] makes the same playbook and world
//! of the same seed; a failure names its seed.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{
    Deed, Ending, Event, FleetName, Millis, Record, Server, ServerId, StopMode, Template,
};
use crate::fleet::Selector;
use crate::plan::CheckedPlan;
use crate::playbook::{
    ApiLimit, BackupSpec, Check, DependsOn, EncryptionSpec, Exclude, FleetSpec, Leave, Limits,
    Pause, Playbook, Share, Size, Spread, StopSpec, Strategy,
};
use crate::simulator::{ServerGroup, ServerStatus, VaultSpec, World, WorldSpec};

use super::Scenario;
use super::sim::rehearse_and_keep;
use super::tests::{fleet, place, playbook};

/// How many playbooks.
const SEEDS: std::ops::Range<u64> = 0..200;

/// A forecast is off by so many percent: 95 of 100, and all of them.
struct Within(f64, f64);

const REQUESTS: Within = Within(10.0, 18.0);
/// So many requests are nothing to plan by.
const FEW: u64 = 3;
/// Where one reinstall waits for the other, all of them are looked at when the first ones were done,
/// and nobody knows before which rhythm that gives: after 80 s or after 120 s, which is half as long
/// again.
const DURATION: Within = Within(20.0, 65.0);

struct Drawing(ChaCha8Rng);

impl Drawing {
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.random_range(0..of.len())]
    }

    fn size(&mut self) -> Size {
        if self.0.random_bool(0.4) {
            Size::Count(self.one_of(&[1, 2, 5, 20]))
        } else {
            Size::Share(Share(self.one_of(&[10, 25, 34, 50, 100])))
        }
    }

    fn strategy(&mut self) -> Strategy {
        let waves = self.0.random_range(1..4);
        Strategy {
            canary: self.one_of(&[0, 0, 1, 1, 3]),
            serial: (0..waves).map(|_| self.size()).collect(),
            max_unavailable: self.size(),
            max_failures: self.one_of(&[0, 1, 3, 10, 100]),
            strict_budget: self.0.random_bool(0.4),
            bake_time: Millis::secs(self.one_of(&[0, 0, 20, 300])),
            spread: self.one_of(&[Spread::Any, Spread::Az, Spread::Zonal]),
            pause: Pause::Never,
            written: true,
        }
    }

    /// `NAME-*`, without those whose names end in 7, which there may be none of.
    fn fleet(&mut self, name: &str) -> FleetSpec {
        let mut fleet = fleet(name, &format!("{name}-*"), self.strategy());
        if self.0.random_bool(0.3) {
            let selector = Selector::try_new(None, Some("*7"), None, None).unwrap();
            fleet.exclude.push(Exclude { place: place(3), selector, allow_none: true });
        }
        fleet.treatment.wait.settle = Millis::secs(self.one_of(&[100, 180, 600]));
        let tcp = |port| Check::Tcp { port, within: Millis::mins(10) };
        let mut checks = vec![Check::Fresh, Check::Unchanged, tcp(22), tcp(443)];
        checks.shuffle(&mut self.0);
        let kept = self.0.random_range(1..=checks.len());
        checks.truncate(kept);
        fleet.treatment.verify = checks;
        fleet.treatment.reinstall.leave =
            self.one_of(&[Leave::Running, Leave::Running, Leave::Stopped, Leave::AsFound]);
        if self.0.random_bool(0.2) {
            let key = EncryptionSpec::KmsKey("evs/default".to_owned());
            fleet.treatment.reinstall.encryption = key;
        }
        fleet.steps[0].stop = StopSpec {
            mode: self.one_of(&[StopMode::Soft, StopMode::Soft, StopMode::Hard]),
            force_after: self.one_of(&[None, None, Some(Millis::secs(20))]),
            skip: false,
        };
        fleet
    }

    /// Up to four fleets in any order, some of which wait for others.
    fn fleets(&mut self) -> Vec<FleetSpec> {
        let mut names = ["a", "b", "c", "d"];
        names.shuffle(&mut self.0);
        let count = self.0.random_range(1..5);
        let mut fleets: Vec<FleetSpec> = names[..count].iter().map(|n| self.fleet(n)).collect();
        for (later, fleet) in fleets.iter_mut().enumerate() {
            for earlier in &names[..later] {
                if self.0.random_bool(0.4) {
                    let verified = Share(self.one_of(&[0, 30, 80, 100]));
                    let first = DependsOn { fleet: (*earlier).into(), verified, place: place(9) };
                    fleet.depends_on.push(first);
                }
            }
        }
        fleets.shuffle(&mut self.0);
        fleets
    }

    fn limits(&mut self) -> Limits {
        Limits {
            api: ApiLimit {
                per_minute: self.one_of(&[60, 300, 600, 6_000]),
                burst: self.one_of(&[1, 10, 100]),
            },
            reinstalls: self.one_of(&[1, 2, 5, 10, 30]),
            per_az: self.one_of(&[None, None, None, Some(1), Some(3)]),
            stop_batch: self.one_of(&[1, 3, 50]),
        }
    }

    /// Servers that are alike; of each fleet there are up to three such groups.
    fn group(&mut self, name: &str, count: u32) -> ServerGroup {
        let off = self.0.random_bool(0.15);
        let zones = ["eu-de-01", "eu-de-02", "eu-de-03"];
        let zones = &zones[..self.0.random_range(1..=3)];
        ServerGroup {
            count,
            name: format!("{name}-####"),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            floating: self.0.random_bool(0.3),
            status: if off { ServerStatus::Shutoff } else { ServerStatus::Active },
            encrypted: self.0.random_bool(0.3).then(|| "evs/default".to_owned()),
            data_gib: vec![100; self.0.random_range(0..3)],
            ..ServerGroup::default()
        }
    }

    /// Up to three hundred servers, some of which a rule keeps out, and some that nobody selects.
    fn world(&mut self, playbook: &Playbook) -> WorldSpec {
        let bystanders = self.one_of(&[0, 3, 40]);
        let mut spec = WorldSpec::healthy(bystanders);
        (spec.quota.volumes, spec.quota.gigabytes) = (None, None);
        for name in playbook.fleets.keys() {
            let count = self.one_of(&[1, 2, 3, 5, 8, 13, 21, 60]);
            let group = self.group(name.as_str(), count);
            spec.servers.push(group);
            let locked = self.0.random_bool(0.2);
            let tagged = self.0.random_bool(0.2);
            if locked {
                let group = self.group(&format!("{name}-locked"), 2);
                spec.servers.push(ServerGroup { locked, ..group });
            }
            if tagged {
                let group = self.group(&format!("{name}-never"), 1);
                let tags = BTreeMap::from([("reinstall".to_owned(), "never".to_owned())]);
                spec.servers.push(ServerGroup { tags, ..group });
            }
        }
        spec
    }
}

/// What that seed makes: a plan, and a world without faults.
fn draw(seed: u64) -> Scenario {
    let mut drawing = Drawing(ChaCha8Rng::seed_from_u64(seed ^ 0xf0ca_57ed));
    let fleets = drawing.fleets();
    let limits = drawing.limits();
    let mut playbook = playbook(fleets);
    playbook.limits = limits;
    let mut world = drawing.world(&playbook);
    // From a stream of its own: what was drawn before stays as it was.
    let mut later = Drawing(ChaCha8Rng::seed_from_u64(seed ^ 0x0bac_a0b5));
    for fleet in playbook.fleets.values_mut() {
        let treatment = &mut fleet.treatment;
        if later.0.random_bool(0.3) {
            let (vault, timeout) = ("daily".to_owned(), Millis::mins(240));
            treatment.backup = Some(BackupSpec { vault, timeout });
        }
        if later.0.random_bool(0.2) {
            let url = Template::new("http://{{ host.ip }}/");
            let within = Millis::mins(10);
            treatment.verify.push(Check::Http { url, status: 200, within });
            treatment.verify.push(Check::StableFor { time: Millis::secs(60) });
        }
    }
    if playbook.fleets.values().any(|fleet| fleet.treatment.backup.is_some()) {
        let name = "daily".to_owned();
        world.vaults.push(VaultSpec { name, size_gib: 1_000_000, ..VaultSpec::default() });
    }
    Scenario::calm(&playbook, &world, seed).unwrap()
}

/// A run that is over, and the cloud before and after it.
struct Seen {
    plan: std::sync::Arc<CheckedPlan>,
    records: Vec<Record>,
    before: BTreeMap<ServerId, Server>,
    after: World,
    requests: u64,
}

fn run(seed: u64) -> Seen {
    let scenario = draw(seed);
    let plan = std::sync::Arc::clone(&scenario.plan);
    let before = scenario.world.servers().map(|server| (server.id.clone(), server.clone()));
    let before = before.collect();
    let read_before = scenario.world.stats().requests.total;
    let (rehearsal, after) = rehearse_and_keep(scenario);
    assert!(rehearsal.findings.is_empty(), "seed {seed}: {:?}", rehearsal.findings);
    let verified = rehearsal.counts.of(Ending::Verified) as usize;
    assert_eq!(verified, plan.targets.len(), "seed {seed}");
    let requests = after.stats().requests.total - read_before;
    Seen { plan, records: rehearsal.records, before, after, requests }
}

impl Seen {
    /// Servers away, at most, as the run's own records say.
    fn peak(&self) -> u32 {
        let (mut away, mut most) = (0_u32, 0);
        for record in &self.records {
            if let Event::Started { servers } = &record.event {
                away += u32::try_from(servers.len()).unwrap();
            } else if let Event::Ended { .. } = &record.event {
                away -= 1;
            }
            most = most.max(away);
        }
        most
    }

    /// From the first stop to the last check.
    fn duration(&self) -> Millis {
        let begun = self.records.iter().find(|r| matches!(r.event, Event::Intended { .. }));
        let ended = self.records.iter().rfind(|r| matches!(r.event, Event::Ended { .. }));
        ended.unwrap().at.since(begun.unwrap().at)
    }

    /// Servers of a fleet in the order in which they were begun.
    fn started(&self, fleet: &FleetName) -> Vec<&ServerId> {
        let started = self.records.iter().filter_map(|record| {
            let Event::Started { servers } = &record.event else { return None };
            Some(servers)
        });
        started.flatten().filter(|id| self.plan.targets[*id].fleet == *fleet).collect()
    }

    /// Waves one after another, each server once, in the order of the plan; no wipe of a wave
    /// before all of the wave before it.
    fn goes_in_waves(&self, seed: u64) {
        for (name, fleet) in &self.plan.fleets {
            let planned: Vec<&ServerId> =
                fleet.waves.iter().flat_map(|wave| &wave.servers).collect();
            // A zone that is full lets the others go first.
            if self.plan.limits.per_az.is_none() {
                assert_eq!(self.started(name), planned, "seed {seed}: order of {name}");
            }
            let wave_of = |id: &ServerId| fleet.waves.iter().position(|w| w.servers.contains(id));
            let wipes = self.after.deeds().iter().filter(|deed| deed.kind == Deed::Reinstall);
            let waves: Vec<usize> = wipes.filter_map(|deed| wave_of(&deed.server)).collect();
            assert_eq!(waves.len(), planned.len(), "seed {seed}: each of {name} once");
            assert!(waves.is_sorted(), "seed {seed}: waves of {name} {waves:?}");
        }
    }

    /// What was to be wiped is gone, what was to be kept is there, and nothing else was touched.
    fn wipes_what_it_says(&self, seed: u64) {
        for (id, target) in &self.plan.targets {
            let server = self.after.server(id).unwrap();
            assert_ne!(server.system_volume(), Some(&target.wiped.id), "seed {seed}: {id}");
            let kept: BTreeSet<_> = target.kept.iter().map(|disk| &disk.id).collect();
            let there: BTreeSet<_> = server.data_volumes().collect();
            assert_eq!(there, kept, "seed {seed}: {id}");
            assert_eq!(self.after.reinstalls(id).accepted, 1, "seed {seed}: {id}");
            assert!(server.is_running() == target.leave_running, "seed {seed}: {id}");
        }
        for left_out in &self.plan.left_out {
            let id = &left_out.id;
            assert!(!self.plan.targets.contains_key(id), "seed {seed}: {id} is left out");
        }
        let others = self.before.iter().filter(|(id, _)| !self.plan.targets.contains_key(*id));
        for (id, before) in others {
            assert_eq!(self.after.server(id), Some(before), "seed {seed}: {id} is not ours");
            assert_eq!(self.after.reinstalls(id).accepted, 0, "seed {seed}: {id}");
        }
    }

    /// Bounds that the plan prints.
    fn stays_within(&self, seed: u64) {
        let (peak, most) = (self.peak(), self.plan.forecast.peak);
        assert!(peak <= most, "seed {seed}: {peak} away, forecast {most}");
        let (_, wipes) = self.after.in_flight();
        let most = self.plan.limits.reinstalls as usize;
        assert!(wipes <= most, "seed {seed}: {wipes} reinstalls in flight, limit {most}");
    }
}

/// How far a forecast is off, in percent of what was seen.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn off(said: u64, seen: u64) -> f64 {
    (said as f64 - seen as f64) * 100.0 / seen as f64
}

/// Says how far off the forecasts are; gives the seeds that are too far off.
fn judge(what: &str, within: &Within, off: &IndexMap<u64, f64>) -> Vec<(u64, String)> {
    let mut sizes: Vec<f64> = off.values().map(|off| off.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
    println!(
        "{what}: off by {:.1} % in the middle, p95 {:.1} % ({} % allowed), at most {:.1} % ({} % \
         allowed)",
        at(50),
        at(95),
        within.0,
        at(100),
        within.1
    );
    assert!(at(95) <= within.0, "{what}: too many are too far off");
    let far = off.iter().filter(|(_, off)| off.abs() > within.1);
    far.map(|(seed, off)| (*seed, format!("{what} {off:+.1} %"))).collect()
}

#[test]
fn the_printed_plan_is_a_true_forecast() {
    let (mut requests, mut duration) = (IndexMap::new(), IndexMap::new());
    let mut servers = 0;
    for seed in SEEDS {
        let seen = run(seed);
        seen.goes_in_waves(seed);
        seen.wipes_what_it_says(seed);
        seen.stays_within(seed);
        let said = &seen.plan.forecast;
        servers += seen.plan.targets.len();
        // One look more or less is a twentieth of a run with one server.
        let close = said.requests.abs_diff(seen.requests) <= FEW;
        requests.insert(seed, if close { 0.0 } else { off(said.requests, seen.requests) });
        duration.insert(seed, off(said.duration.0, seen.duration().0));
    }
    println!("{} playbooks, {servers} servers", requests.len());
    let mut far = judge("requests", &REQUESTS, &requests);
    far.extend(judge("duration", &DURATION, &duration));
    assert!(far.is_empty(), "seeds that are too far off: {far:#?}");
}
