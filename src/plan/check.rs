//! The checker: re-derives the invariants from the finished plan, without trusting the planner.

use indexmap::{IndexMap, IndexSet};

use crate::domain::{
    Encryption, Feature, Features, FleetName, HostValue, InstallCall, Login, ReinstallRequest,
    ServerId, tag_matches,
};
use crate::playbook::{Check, Program, Spread, StepWord};

use super::{CloudIdentity, OutOf, PLAN_FORMAT, Plan, PlannedFleet, Provider, Step, Target, graph};

/// A plan that the checker found sound. Only this can be run.
#[derive(Clone, Debug)]
pub struct CheckedPlan(Plan);

impl std::ops::Deref for CheckedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

impl CheckedPlan {
    /// The same plan, as it goes into the journal of a run that was begun in that folder.
    #[must_use]
    pub fn begun_in(self, folder: Option<String>) -> Self {
        Self(Plan { folder, ..self.0 })
    }
}

/// An invariant that a plan breaks: our mistake, or a plan file that somebody edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The invariant.
    pub rule: &'static str,
    /// Where it does not hold.
    pub detail: String,
}

/// Lets a plan through only if every invariant holds.
pub fn check(plan: Plan) -> Result<CheckedPlan, Vec<Violation>> {
    let mut checker = Checker { plan: &plan, violations: Vec::new() };
    checker.whole();
    checker.targets();
    checker.inserts();
    checker.treatments();
    checker.nobody_left_out_is_in();
    checker.waves();
    for (name, fleet) in &plan.fleets {
        checker.fleet(name, fleet);
    }
    checker.needs();
    let violations = checker.violations;
    if violations.is_empty() { Ok(CheckedPlan(plan)) } else { Err(violations) }
}

struct Checker<'p> {
    plan: &'p Plan,
    violations: Vec<Violation>,
}

impl Checker<'_> {
    fn broken(&mut self, rule: &'static str, detail: String) {
        self.violations.push(Violation { rule, detail });
    }

    fn whole(&mut self) {
        let plan = self.plan;
        if plan.format != PLAN_FORMAT {
            self.broken("known format", format!("format {} is not {PLAN_FORMAT}", plan.format));
        }
        if !plan.verify_id() {
            self.broken(
                "named by its content",
                format!("id {} is not the hash of the rest: somebody edited it", plan.id),
            );
        }
        if plan.made >= plan.expires {
            self.broken("a time to live", format!("made {}, expires {}", plan.made, plan.expires));
        }
        if plan.targets.is_empty() {
            self.broken("nothing is empty", "the plan has no server".to_owned());
        }
        let limits = &plan.limits;
        let usable = limits.reinstalls > 0
            && limits.per_az != Some(0)
            && limits.stop_batch > 0
            && limits.stop_batch <= 1_000
            && limits.api.per_minute > 0
            && limits.api.burst > 0;
        if !usable {
            self.broken("limits that let something through", format!("{limits:?}"));
        }
    }

    fn targets(&mut self) {
        let plan = self.plan;
        for (id, target) in &plan.targets {
            let known = plan.fleets.contains_key(&target.fleet);
            if !known {
                self.broken(
                    "a target has a fleet",
                    format!("server {id} is of fleet `{}`", target.fleet),
                );
            }
            let treated = (target.treatment as usize) < plan.treatments.len();
            if !treated {
                self.broken(
                    "a target has a treatment",
                    format!("server {id} has treatment {}", target.treatment),
                );
            }
            let noted = plan.images.contains_key(target.image());
            if !noted {
                self.broken(
                    "a target has an image",
                    format!("server {id} gets image {}", target.image()),
                );
            }
            let named = target.reinstall.image.as_ref();
            let changes = plan.cloud.features.names_image == named.is_some()
                || named.is_some_and(|image| *image != target.found.image);
            let grows = target
                .grows_to
                .is_none_or(|gib| gib > target.wiped.size_gib && target.changes_os());
            if !(changes && grows) {
                self.broken(
                    "a change of OS changes the image",
                    format!("server {id} has image {} already", target.found.image),
                );
            }
            let wiped = target.wiped.id == target.found.system_volume
                && target.kept.iter().all(|disk| disk.id != target.wiped.id)
                && target.kept.len() == target.found.data_volumes.len()
                && target.kept.iter().all(|disk| target.found.data_volumes.contains(&disk.id));
            if !wiped {
                self.broken(
                    "the system disk is wiped, the others are kept",
                    format!("server {id} wipes {}", target.wiped.id),
                );
            }
            if !unprotected(target) {
                self.broken(
                    "no protected server",
                    format!("server {id} is locked or tagged reinstall=never"),
                );
            }
            let checks = plan.treatments.get(target.treatment as usize).map(|it| &it.verify);
            let mut missing = checks.into_iter().flatten().flat_map(Check::templates);
            let host = target.found.host(id);
            if let Some(missing) = missing.find_map(|text| text.fill(&host).err()) {
                self.broken("checks can be made", format!("server {id}: {missing}"));
            }
            let skips =
                plan.treatments.get(target.treatment as usize).is_some_and(|it| it.stop.skip);
            let odd = odd_request(&target.reinstall, &plan.cloud)
                .or_else(|| odd_here(&target.reinstall, &plan.cloud.features, skips));
            if let Some(odd) = odd {
                self.broken("a request that the cloud takes", format!("server {id}: {odd}"));
            }
        }
    }

    /// What templates insert is of the server itself, and everything that their text names.
    fn inserts(&mut self) {
        let plan = self.plan;
        let mut names: IndexMap<&str, Vec<&String>> = IndexMap::new();
        for (id, target) in &plan.targets {
            let request = &target.reinstall;
            let Some(inserts) = &request.inserts else { continue };
            let own = inserts.iter().all(|(name, value)| match HostValue::named(name) {
                Some(wanted) => wanted.of(&target.found.host(id)) == Some(value.as_str()),
                None => !name.starts_with("host."),
            });
            if !own {
                self.broken(
                    "a template is filled in with values of its server",
                    format!("server {id} gets {inserts:?}"),
                );
            }
            let Some(file) = &request.user_data else {
                self.broken("inserts have a template", format!("server {id} has no user data"));
                continue;
            };
            // The text is the same for all of them, so what it inserts has the same names.
            let here: Vec<&String> = inserts.keys().collect();
            let there = names.entry(file.sha256.as_str()).or_insert_with(|| here.clone());
            if *there != here {
                self.broken(
                    "a template is filled in whole",
                    format!("server {id} gets {here:?}, others {there:?}"),
                );
            }
        }
    }

    fn treatments(&mut self) {
        for backup in self.plan.treatments.iter().filter_map(|treatment| treatment.backup.as_ref())
        {
            let usable = !backup.vault.is_empty() && backup.timeout > crate::domain::Millis(0);
            if !usable {
                self.broken("a backup has a vault and time", format!("{backup:?}"));
            }
        }
    }

    fn nobody_left_out_is_in(&mut self) {
        let plan = self.plan;
        for left_out in &plan.left_out {
            let Some(target) = plan.targets.get(&left_out.id) else { continue };
            let elsewhere = left_out.out_of == OutOf::Fleet && target.fleet != left_out.fleet;
            if !elsewhere {
                self.broken(
                    "nobody left out is in",
                    format!("server {} is left out by `{}`", left_out.id, left_out.rule),
                );
            }
        }
        for blocked in &plan.blocked {
            let absent = !plan.targets.contains_key(&blocked.id);
            if !absent {
                self.broken(
                    "nobody blocked is in",
                    format!("server {} is blocked: {}", blocked.id, blocked.cause),
                );
            }
        }
    }

    /// Every target is in exactly one wave, of its own fleet.
    fn waves(&mut self) {
        let plan = self.plan;
        let mut seen: IndexSet<&ServerId> = IndexSet::new();
        for (name, fleet) in &plan.fleets {
            for id in fleet.waves.iter().flat_map(|wave| &wave.servers) {
                let first = seen.insert(id);
                if !first {
                    self.broken("one wave for each target", format!("server {id} is in two waves"));
                }
                let of_fleet = plan.targets.get(id).is_some_and(|target| target.fleet == *name);
                if !of_fleet {
                    self.broken(
                        "waves hold targets of their fleet",
                        format!("server {id} is in a wave of fleet `{name}`"),
                    );
                }
            }
        }
        for id in plan.targets.keys() {
            if !seen.contains(id) {
                self.broken("one wave for each target", format!("server {id} is in no wave"));
            }
        }
    }

    fn fleet(&mut self, name: &FleetName, fleet: &PlannedFleet) {
        let plan = self.plan;
        let excused = plan.blocked.iter().any(|blocked| blocked.fleet == *name);
        let full = fleet.waves.iter().all(|wave| !wave.servers.is_empty());
        if !full || (fleet.waves.is_empty() && !excused) {
            self.broken("nothing is empty", format!("fleet `{name}` has no wave or an empty one"));
        }
        let canary = fleet.waves.first().filter(|wave| wave.canary);
        let canary = canary.map_or(0, |wave| wave.servers.len());
        let as_wanted = canary == self.first_zone(fleet).min(fleet.pace.canary as usize);
        if !as_wanted {
            self.broken(
                "the canary is as large as it should be",
                format!("fleet `{name}` has a canary of {canary}, not {}", fleet.pace.canary),
            );
        }
        let canary_first = fleet.waves.iter().skip(1).all(|wave| !wave.canary);
        if !canary_first {
            self.broken(
                "the canary goes first",
                format!("fleet `{name}` has a canary after other waves"),
            );
        }
        self.zones(name, fleet);
        if fleet.pace.max_unavailable == 0 {
            self.broken("somebody may be away", format!("fleet `{name}` has max_unavailable 0"));
        }
        self.steps(name, fleet);
        self.own_steps(name, fleet);
    }

    /// The servers that the canary may be of: where zones take turns, those of the first zone.
    fn first_zone(&self, fleet: &PlannedFleet) -> usize {
        let zone_of = |id: &ServerId| self.plan.targets.get(id).map(|target| &target.found.az);
        let servers = || fleet.waves.iter().flat_map(|wave| &wave.servers);
        let first = servers().next().and_then(zone_of);
        match fleet.pace.spread {
            Spread::Zonal => servers().take_while(|id| zone_of(id) == first).count(),
            Spread::Any | Spread::Az => servers().count(),
        }
    }

    /// Zone after zone: no wave holds two, and none comes back.
    fn zones(&mut self, name: &FleetName, fleet: &PlannedFleet) {
        if fleet.pace.spread != Spread::Zonal {
            return;
        }
        let plan = self.plan;
        let mut seen: IndexSet<&str> = IndexSet::new();
        for wave in &fleet.waves {
            let targets = wave.servers.iter().filter_map(|id| plan.targets.get(id));
            let zones: IndexSet<&str> = targets.map(|target| target.found.az.as_str()).collect();
            let came_back =
                zones.iter().any(|zone| seen.contains(zone) && seen.last() != Some(zone));
            if zones.len() > 1 || came_back {
                self.broken(
                    "one zone after another",
                    format!("fleet `{name}` mixes its zones: {zones:?}"),
                );
            }
            seen.extend(zones);
        }
    }

    fn steps(&mut self, name: &FleetName, fleet: &PlannedFleet) {
        let all: Vec<StepWord> = fleet.steps.iter().map(|step| step.word).collect();
        let words: Vec<StepWord> =
            all.iter().copied().filter(|word| *word != StepWord::Run).collect();
        let complete = words.is_sorted()
            && [StepWord::Stop, StepWord::Validate, StepWord::Reinstall, StepWord::Wait]
                .iter()
                .all(|needed| words.iter().filter(|word| *word == needed).count() == 1);
        if !complete {
            let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
            let detail = format!("fleet `{name}` has {}", words.join(", "));
            self.broken("every step once, in the only order", detail);
        }
        let last_look = graph::validate_is_last_look(&all);
        if !last_look {
            self.broken(
                "validate stands directly before reinstall",
                format!("fleet `{name}` reinstalls without a last look"),
            );
        }
        let mut before: IndexSet<&str> = IndexSet::new();
        for step in &fleet.steps {
            let sorted = step.after.iter().all(|id| before.contains(id.as_str()));
            if !sorted {
                self.broken(
                    "steps are sorted",
                    format!("step `{}` of fleet `{name}` waits for a later one", step.id),
                );
            }
            let unique = before.insert(&step.id);
            if !unique {
                self.broken(
                    "step ids are unique",
                    format!("fleet `{name}` has two steps `{}`", step.id),
                );
            }
        }
    }

    /// The playbook's own steps: each says what it runs, none comes between the last look and the
    /// wipe, and every text of it can be filled in for every server.
    fn own_steps(&mut self, name: &FleetName, fleet: &PlannedFleet) {
        let plan = self.plan;
        for step in &fleet.steps {
            let waits_for_own =
                step.after.iter().any(|id| fleet.own_steps().any(|(_, own, _)| own.id == *id));
            let after_look = step.word == StepWord::Run
                && step.after.iter().any(|id| {
                    fleet.word(StepWord::Validate).is_some_and(|at| fleet.steps[at].id == *id)
                });
            if after_look || (step.word == StepWord::Reinstall && waits_for_own) {
                self.broken(
                    "validate stands directly before reinstall",
                    format!("step `{}` of fleet `{name}` comes between", step.id),
                );
            }
            if let Some(odd) = odd_step(plan, step) {
                self.broken(
                    "a step says what it runs",
                    format!("step `{}` of fleet `{name}`: {odd}", step.id),
                );
            }
        }
        for (id, target) in plan.targets.iter().filter(|(_, target)| target.fleet == *name) {
            let host = target.found.host(id);
            let templates = || fleet.own_steps().flat_map(|(_, _, run)| run.templates());
            if let Some(missing) = templates().find_map(|text| text.fill(&host).err()) {
                self.broken("steps can be filled in", format!("server {id}: {missing}"));
            }
        }
    }

    fn needs(&mut self) {
        let plan = self.plan;
        let sizes: IndexMap<&FleetName, usize> = plan
            .fleets
            .iter()
            .map(|(name, fleet)| (name, fleet.waves.iter().map(|wave| wave.servers.len()).sum()))
            .collect();
        let mut edges = Vec::new();
        for (name, fleet) in &plan.fleets {
            for need in &fleet.needs {
                let reachable =
                    sizes.get(&need.fleet).is_some_and(|size| need.verified as usize <= *size);
                if !reachable {
                    self.broken(
                        "needs can be met",
                        format!("fleet `{name}` needs {} of fleet `{}`", need.verified, need.fleet),
                    );
                }
                edges.push((need.fleet.as_str(), name.as_str()));
            }
        }
        if !graph::is_acyclic(edges) {
            self.broken(
                "no fleet waits for itself",
                "the needs of the fleets form a cycle".to_owned(),
            );
        }
    }
}

/// What a server carries itself is looked at again here, since it must hold whatever drew the plan.
fn unprotected(target: &Target) -> bool {
    !target.found.locked && !tag_matches(&target.found.tags, "reinstall=never")
}

/// What is wrong with a step, if anything is.
fn odd_step(plan: &Plan, step: &Step) -> Option<&'static str> {
    let Some(run) = &step.run else {
        return (step.word == StepWord::Run).then_some("it runs nothing");
    };
    let pinned = |program: &Program| {
        let path = program.argv.first().is_some_and(|name| name.as_str().contains('/'));
        match &program.file {
            Some(file) => path && plan.files.contains(file),
            None => !path,
        }
    };
    let mut programs = std::iter::once(&run.run).chain(&run.undo);
    if step.word != StepWord::Run {
        Some("it is a step of the loop, and runs a program")
    } else if run.timeout.0 == 0 {
        Some("it may run for no time")
    } else if programs.clone().any(|program| program.argv.is_empty()) {
        Some("a program without a name")
    } else if programs.all(pinned) {
        None
    } else {
        Some("a program that is not pinned")
    }
}

/// What is wrong with a request to a cloud that can do no more than this.
fn odd_here(
    request: &ReinstallRequest,
    features: &Features,
    skips_stop: bool,
) -> Option<&'static str> {
    let lacks = |feature| features.lack(feature).is_some();
    let encrypts = request.encryption != Encryption::None;
    let key_pair = matches!(request.login, Login::KeyPair { .. });
    if skips_stop && !features.reinstalls_running {
        Some("a running server, and the cloud wants it stopped")
    } else if request.login == Login::Kept && !features.keeps_login {
        Some("no way in, and the cloud keeps none")
    } else if features.names_image && request.image.is_none() {
        Some("no image, and the cloud wants it named")
    } else if request.byol && lacks(Feature::License)
        || encrypts && lacks(Feature::Encryption)
        || key_pair && lacks(Feature::KeyPair)
        || request.user_data.is_some() && lacks(Feature::UserData)
    {
        Some("something that the cloud cannot do")
    } else {
        None
    }
}

/// What is wrong with a request, if anything is.
fn odd_request(request: &ReinstallRequest, cloud: &CloudIdentity) -> Option<&'static str> {
    match (&request.login, request.call, cloud.provider) {
        (Login::KeyPair { name, owner }, _, _) if name.is_empty() || owner.as_str().is_empty() => {
            Some("a key pair needs a name and an owner")
        }
        (Login::KeyPair { owner, .. }, _, Provider::OpenStack) if *owner != cloud.user_id => {
            Some("Nova installs a key pair of the acting user only")
        }
        (Login::Password(_), _, Provider::Otc) => Some("admin_pass is not documented here"),
        (Login::UserData, _, _) if request.user_data.is_none() => {
            Some("login by user data without user data")
        }
        (_, InstallCall::V1, _) if request.user_data.is_some() => {
            Some("the v1 call carries no user data")
        }
        _ => None,
    }
}
