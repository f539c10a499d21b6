//! Who else lives in the cloud of one seed: a colleague, gateways that mean well, clocks that differ,
//! and a second run over the same servers.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{Millis, Provider, ServerId, Time};
use crate::playbook::Playbook;
use crate::simulator::{Clocks, Faults, Knobs, Meddling, WorldSpec};

use super::scenario::{Scenario, ScenarioError};

/// The run that is rehearsed, among all of a seed.
pub(super) const FIRST: usize = 0;

/// Where what is drawn here begins: what else is drawn of the seed stays as it was.
const STREAM: u64 = 0x9e0_91e5;

/// A second run over the same servers.
#[derive(Clone, Debug)]
pub struct Second {
    /// When it begins; `None`: when the first one dies, which is resumed after it.
    pub begins: Option<Time>,
    /// Both have one state file.
    pub shares_claims: bool,
    /// What its plan is drawn from when it begins; `None`: both plans were drawn together.
    pub playbook: Option<Box<Playbook>>,
    /// Its process dies then.
    pub crashes: Vec<Time>,
    /// Somebody asks for its pause.
    pub pause_at: Option<Time>,
}

impl Scenario {
    /// What a seed is rehearsed with where nobody says otherwise: every other one has others in its
    /// cloud.
    pub fn draw_usual(
        playbook: &Playbook,
        spec: &WorldSpec,
        faults: Option<&Faults>,
        seed: u64,
    ) -> Result<Self, ScenarioError> {
        if seed % 2 == 1 {
            Self::draw_with_people(playbook, spec, faults, seed)
        } else {
            Self::draw(playbook, spec, faults, seed)
        }
    }

    /// The same as [`Scenario::draw`] with others in the cloud. Laws are judged by the world's own
    /// record.
    pub fn draw_with_people(
        playbook: &Playbook,
        spec: &WorldSpec,
        faults: Option<&Faults>,
        seed: u64,
    ) -> Result<Self, ScenarioError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ STREAM);
        let fixed = spec.clone();
        let clocks = clocks(&mut rng);
        let spec = |like_nova: bool| {
            let knobs = Knobs { clocks, ..fixed.knobs.clone() };
            let knobs = if like_nova { knobs.like_nova() } else { knobs };
            WorldSpec { knobs, ..fixed.clone() }
        };
        let tied = matches!(playbook.provider, Some(Provider::Otc | Provider::Huawei));
        let in_place = rng.random_bool(0.35) && !tied;
        let drawn = Self::draw(playbook, &spec(in_place), faults, seed);
        let mut scenario = match drawn {
            Ok(scenario) => scenario,
            Err(_) if in_place => Self::draw(playbook, &spec(false), faults, seed)?,
            Err(error) => return Err(error),
        };
        scenario.inhabited = true;
        scenario.log_tells = scenario.world.log_tells();
        if faults.is_none() {
            scenario.world.with_faults(|faults| faults.draw_gateways(&mut rng));
        }
        scenario.draw_clock(&mut rng);
        scenario.draw_colleague(&mut rng);
        scenario.draw_second(&mut rng, playbook);
        Ok(scenario)
    }

    /// Our own clock is not the cloud's, and is set right now and then.
    fn draw_clock(&mut self, rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.3) {
            let begin = rng.random_range(-60_000..60_000);
            self.clock_steps.push((Time(0), begin));
            for _ in 0..rng.random_range(0..3) {
                let at = Time(rng.random_range(0..1_200_000));
                self.clock_steps.push((at, rng.random_range(-60_000..60_000)));
            }
        }
    }

    fn draw_colleague(&mut self, rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.35) {
            return;
        }
        let all: Vec<ServerId> = self.plan.targets.keys().cloned().collect();
        for _ in 0..rng.random_range(1..5) {
            let at = Time(rng.random_range(0..900_000));
            let does = Meddling::EVERY[rng.random_range(0..Meddling::EVERY.len())];
            let mut who = all.clone();
            who.shuffle(rng);
            let in_bulk = rng.random_bool(0.4);
            let count = if in_bulk { rng.random_range(1..=all.len().min(50)) } else { 1 };
            who.truncate(count);
            for (n, server) in who.into_iter().enumerate() {
                let between = if in_bulk { Millis(n as u64 * 20) } else { Millis(0) };
                self.meddlings.push((at + between, server, does));
            }
        }
    }

    fn draw_second(&mut self, rng: &mut ChaCha8Rng, playbook: &Playbook) {
        if !rng.random_bool(0.35) {
            return;
        }
        let waits = rng.random_bool(0.3);
        let soon = rng.random_bool(0.4);
        let span = if soon { 30_000 } else { 900_000 };
        let begins = Time(rng.random_range(0..span));
        let fresh = rng.random_bool(0.4).then(|| Box::new(playbook.clone()));
        let crashes = if rng.random_bool(0.5) { rng.random_range(1..3) } else { 0 };
        let crashes = (0..crashes).map(|_| Time(rng.random_range(0..1_800_000))).collect();
        let pause_at = rng.random_bool(0.2).then(|| Time(rng.random_range(0..1_200_000)));
        self.second = Some(Second {
            begins: (!waits).then_some(begins),
            shares_claims: waits || rng.random_bool(0.5),
            playbook: fresh,
            crashes,
            pause_at,
        });
    }

    /// Whether this run's claims are respected by another.
    pub(super) fn shares_claims(&self, _run: usize) -> bool {
        self.second.as_ref().is_none_or(|second| second.shares_claims)
    }
}

/// Clocks of the cloud that differ by up to a minute, and one of them steps.
fn clocks(rng: &mut ChaCha8Rng) -> Clocks {
    if rng.random_bool(0.5) {
        return Clocks::default();
    }
    let mut seconds = || f64::from(rng.random_range(-30_i32..=30));
    let (log, servers, step) = (seconds(), seconds(), seconds());
    let steps_at = f64::from(rng.random_range(0_u32..1_200));
    Clocks { log, servers, steps_at, step }
}
