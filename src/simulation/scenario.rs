//! What one seed draws: how the cloud behaves, what goes wrong, and when the process dies.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{Action, Fault, FaultClass, Millis, ServerId, Time};
use crate::fleet::Refusal;
use crate::plan::{
    CheckedPlan, CloudIdentity, Narrowing, Plan, Provider, Survey, Violation, check, draw,
};
use crate::playbook::Playbook;
use crate::simulator::{Faults, Knobs, Meddling, World, WorldSpec};

use super::people::Second;
use super::points::Point;

/// Faults end after so long, so that every run can come to its end: the last phase of a seed is
/// there to see that it does.
const TROUBLED: Millis = Millis::mins(45);

/// One seed, drawn.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The plan that is run.
    pub plan: Arc<CheckedPlan>,
    /// The cloud, as the plan was drawn from it, with its faults on.
    pub world: World,
    /// Simulated time of the world when the run begins.
    pub begins: Millis,
    /// The process dies at these moments of the run.
    pub crashes: Vec<Time>,
    /// It also dies right after it has sent the change of these numbers, before an answer comes.
    pub deadly_changes: Vec<u32>,
    /// Our wall clock is ahead of the cloud's by so much.
    pub clock_ahead: Millis,
    /// Somebody presses Ctrl-C.
    pub stop_at: Option<Time>,
    /// Somebody asks for a pause in another shell.
    pub pause_at: Option<Time>,
    /// Whatever waits for an approval gets it within this time.
    pub approved_within: Millis,
    /// While the process is down, somebody may give a server up that it was at.
    pub gives_up: bool,
    /// A process that died is started again within this time.
    pub longest_down: Millis,
    /// From then on the cloud does not accept who we are.
    pub locked_out_from: Option<Time>,
    /// From then on it does again, and whoever resumes a paused run does so then.
    pub let_in_from: Time,
    /// What other people do meanwhile.
    pub meddlings: Vec<(Time, ServerId, Meddling)>,
    /// Programs of the playbook may fail.
    pub troubled_steps: bool,
    /// Nothing goes wrong after that.
    pub quiet_from: Time,
    /// Others live in the cloud, and laws are judged by the world's own record.
    pub inhabited: bool,
    /// The cloud tells who reinstalled a server whose disk keeps its id.
    pub log_tells: bool,
    /// Our wall clock is set by so many milliseconds at these moments.
    pub clock_steps: Vec<(Time, i64)>,
    /// Somebody else's run over the same servers.
    pub second: Option<Second>,
    /// The one thing that goes wrong, by order.
    pub point: Option<Point>,
}

/// Why a playbook cannot be rehearsed.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The plan is refused.
    #[error("the plan is refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// The plan holds servers that the cloud would refuse.
    #[error("{} would be refused by the cloud, for example {} ({})", crate::domain::count(*.0, "server"), .1, .2)]
    Blocked(usize, String, String),
    /// The plan breaks its own rules: our mistake.
    #[error("the plan is unsound: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsound(Vec<Violation>),
}

impl Scenario {
    /// What `seed` makes of this playbook and this world. With `faults`, those; without, the seed
    /// draws its own mix.
    pub fn draw(
        playbook: &Playbook,
        spec: &WorldSpec,
        faults: Option<&Faults>,
        seed: u64,
    ) -> Result<Self, ScenarioError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = Knobs::draw(&mut rng);
        let knobs = if spec.knobs.reinstalls_running {
            let Knobs { trace_readable, clocks, .. } = spec.knobs;
            Knobs { trace_readable, clocks, ..drawn.like_nova() }
        } else {
            Knobs { clocks: spec.knobs.clocks, ..drawn }
        };
        let spec = WorldSpec { knobs, ..spec.clone() };
        let calm = Self::calm(playbook, &spec, seed)?;
        let faults = faults.cloned().unwrap_or_else(|| Faults::draw(&mut rng));
        let deaths = if rng.random_bool(0.6) { rng.random_range(1..=5) } else { 0 };
        let mut crashes: Vec<Time> =
            (0..deaths).map(|_| Time(rng.random_range(0..1_200_000))).collect();
        crashes.sort_unstable();
        let deadly = if rng.random_bool(0.5) { rng.random_range(1..=4) } else { 0 };
        let deadly_changes = (0..deadly).map(|_| rng.random_range(1..40)).collect();
        let ahead = rng.random_bool(0.3);
        let clock_ahead = Millis(if ahead { rng.random_range(0..600_000) } else { 0 });
        let stop_at = rng.random_bool(0.1).then(|| Time(rng.random_range(0..1_200_000)));
        let locked_out = rng.random_bool(0.15).then(|| {
            let from = Time(rng.random_range(0..900_000));
            (from, from + Millis(rng.random_range(0..7_200_000)))
        });
        // Drawn from a stream of their own: what was drawn before them stays as it was.
        let mut people = ChaCha8Rng::seed_from_u64(seed ^ 0x00a5_ced0);
        let pause_at = people.random_bool(0.1).then(|| Time(people.random_range(0..1_200_000)));
        let approved_within = Millis::mins(people.random_range(1..60));
        let troubled_steps =
            calm.plan.fleets.values().any(|fleet| fleet.own_steps().next().is_some())
                && rng.random_bool(0.7);
        let mut scenario = Self {
            crashes,
            deadly_changes,
            clock_ahead,
            stop_at,
            pause_at,
            approved_within,
            troubled_steps,
            locked_out_from: locked_out.map(|(from, _)| from),
            let_in_from: locked_out.map_or(Time(0), |(_, until)| until),
            ..calm
        };
        scenario.world.set_faults(faults);
        Ok(scenario)
    }

    /// The same without anything that goes wrong, in a cloud whose knobs are as the world says.
    pub(super) fn calm(
        playbook: &Playbook,
        spec: &WorldSpec,
        seed: u64,
    ) -> Result<Self, ScenarioError> {
        let world = World::new(spec, Faults::default(), seed);
        let (plan, begins) = plan_for(playbook, world.clone(), Millis(0))?;
        Ok(Self {
            seed,
            plan: Arc::new(plan),
            world,
            begins,
            crashes: Vec::new(),
            deadly_changes: Vec::new(),
            clock_ahead: Millis(0),
            stop_at: None,
            pause_at: None,
            approved_within: Millis::mins(1),
            gives_up: false,
            longest_down: Millis::mins(3),
            locked_out_from: None,
            let_in_from: Time(0),
            meddlings: Vec::new(),
            troubled_steps: false,
            quiet_from: Time(0) + TROUBLED,
            inhabited: false,
            log_tells: true,
            clock_steps: Vec::new(),
            second: None,
            point: None,
        })
    }

    /// Somebody protects or locks some of the servers, half of the time after the plan was made and
    /// before the run begins, else while it is under way.
    #[cfg(test)]
    pub(super) fn protect_some(&mut self, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0007_a65e);
        for _ in 0..rng.random_range(0..3) {
            let index = rng.random_range(0..self.plan.targets.len());
            let Some((server, _)) = self.plan.targets.get_index(index) else { continue };
            let server = server.clone();
            let tag = rng.random_bool(0.5);
            let meddling = if tag { Meddling::Protect } else { Meddling::Lock };
            if rng.random_bool(0.5) {
                self.world.meddle(self.begins, &server, meddling);
                self.begins = Millis(self.begins.0 + self.world.longest_lag().0);
            } else {
                let at = Time(rng.random_range(0..900_000));
                self.meddlings.push((at, server, meddling));
            }
        }
    }
}

/// Plans against a world that behaves: trouble while planning is not what is rehearsed. It is a copy,
/// so that what is read for a plan changes nothing of what the seed draws for its run.
pub(super) fn plan_for(
    playbook: &Playbook,
    mut world: World,
    from: Millis,
) -> Result<(CheckedPlan, Millis), ScenarioError> {
    let narrowing = Narrowing::default();
    let identity = identity(playbook, &world);
    let mut survey = Survey::new(playbook, &narrowing).of_cloud(&identity.features);
    let mut now = from;
    while !survey.is_done() {
        for action in survey.next() {
            now = ask(&mut survey, &mut world, now, &action)?;
        }
    }
    let made = world.wall(now);
    let plan: Plan = draw(playbook, &identity, &survey.into_inventory(), &narrowing, made)
        .map_err(ScenarioError::Refused)?;
    if let Some(blocked) = plan.blocked.first() {
        let (name, cause) = (blocked.name.clone(), blocked.cause.clone());
        return Err(ScenarioError::Blocked(plan.blocked.len(), name, cause));
    }
    Ok((check(plan).map_err(ScenarioError::Unsound)?, now))
}

fn ask(
    survey: &mut Survey<'_>,
    world: &mut World,
    now: Millis,
    action: &Action,
) -> Result<Millis, ScenarioError> {
    let served = world.serve(now, action);
    let lost = Fault {
        class: FaultClass::Transient,
        code: "lost".to_owned(),
        message: "no answer".to_owned(),
        request_id: None,
        retry_after: None,
    };
    let taken = match served.reply.unwrap_or(Err(lost)) {
        Ok(answer) => survey.take(action, answer),
        Err(fault) => survey.fail(action, &fault),
    };
    taken.map_err(|refusal| ScenarioError::Refused(vec![refusal]))?;
    Ok(Millis(now.0 + served.after.0))
}

fn identity(playbook: &Playbook, world: &World) -> CloudIdentity {
    let account = world.account();
    CloudIdentity {
        name: playbook.cloud.clone(),
        provider: Provider::Huawei,
        auth_host: String::new(),
        region: account.region().to_owned(),
        project_id: account.project_id.clone(),
        project_name: account.project_name.clone(),
        user_id: account.user_id.as_str().into(),
        user_name: account.username.clone(),
        simulated: true,
        features: world.features(),
    }
}
