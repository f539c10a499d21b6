//! A playbook and what was read of its cloud become a plan.

use std::collections::BTreeMap;

use indexmap::{IndexMap, IndexSet};

use crate::domain::{
    FleetName, Image, ImageId, Login, Place, PlanId, Server, ServerId, Timestamp, count,
};
use crate::fleet::{Chosen, Excluded, Refusal, Selection};
use crate::playbook::{DependsOn, FleetSpec, Playbook, StepWord, StopSpec, Treatment};

use super::choose::{Treatments, choose};
use super::graph::{self, StepOrder};
use super::judge::{Judge, Judged, Notes, Obstacle, holes};
use super::room::Room;
use super::waves::{pace, waves};
use super::{
    Blocked, CloudIdentity, Forecast, ImageNote, Inventory, KeyPairPin, LeftOut, Narrowing, Need,
    OutOf, PLAN_FORMAT, Plan, PlannedBackup, PlannedFleet, PlannedTreatment, Step, Target, Unread,
    Wave, protection,
};

/// A fleet with more servers needs a strategy that somebody wrote (`safety.md`, section 2).
const UNWRITTEN_STRATEGY_UP_TO: usize = 50;

/// Draws the plan of this part of a playbook, or says everything that is in the way.
///
/// Servers that the cloud would refuse do not stop the drawing: they are in [`Plan::blocked`].
pub fn draw(
    playbook: &Playbook,
    cloud: &CloudIdentity,
    inventory: &Inventory,
    narrowing: &Narrowing,
    made: Timestamp,
) -> Result<Plan, Vec<Refusal>> {
    let steps = graph::order(playbook);
    let selections = choose(playbook, narrowing, &inventory.servers);
    let (steps, selections) = match (steps, selections) {
        (Ok(steps), Ok(selections)) => (steps, selections),
        (steps, selections) => {
            let refusals = steps.err().into_iter().chain(selections.err()).flatten();
            return Err(refusals.collect());
        }
    };
    let mut draft = Draft::new(playbook, cloud, inventory);
    for selection in selections {
        draft.add(selection);
    }
    draft.finish(&steps, narrowing, made)
}

/// A plan that is being drawn.
struct Draft<'a> {
    playbook: &'a Playbook,
    inventory: &'a Inventory,
    judge: Judge<'a>,
    /// Servers of each fleet, in the order in which they will go.
    fleets: IndexMap<FleetName, Vec<ServerId>>,
    treatments: Vec<PlannedTreatment>,
    targets: IndexMap<ServerId, Target>,
    images: IndexMap<ImageId, ImageNote>,
    key_pairs: IndexMap<String, KeyPairPin>,
    left_out: Vec<LeftOut>,
    /// Whether an override matched some server. Copies of one fleet share it.
    overrides: BTreeMap<(Place, String), bool>,
    blocked: Vec<Blocked>,
    refusals: Vec<Refusal>,
}

impl<'a> Draft<'a> {
    fn new(playbook: &'a Playbook, cloud: &'a CloudIdentity, inventory: &'a Inventory) -> Self {
        Self {
            playbook,
            inventory,
            judge: Judge { cloud, inventory, notes: Notes::new() },
            fleets: IndexMap::new(),
            treatments: Vec::new(),
            targets: IndexMap::new(),
            images: IndexMap::new(),
            key_pairs: IndexMap::new(),
            left_out: Vec::new(),
            overrides: BTreeMap::new(),
            blocked: Vec::new(),
            refusals: Vec::new(),
        }
    }

    fn add(&mut self, selection: Selection<'_>) {
        let Some(fleet) = self.playbook.fleets.get(&selection.fleet) else { return };
        let excluded = selection.excluded.into_iter();
        self.left_out.extend(excluded.map(|excluded| left_out_by_exclusion(fleet, excluded)));
        let mut treatments = Treatments::new(fleet);
        let mut numbers: Vec<Option<u32>> = Vec::new();
        let mut planned = Vec::new();
        let (mut blocked, mut bare) = (0, 0);
        for chosen in selection.chosen {
            if let Some(left_out) = self.guarded(fleet, chosen.server) {
                self.left_out.push(left_out);
                continue;
            }
            let (number, treatment) = treatments.of(&chosen);
            bare += usize::from(treatment.backup.is_none());
            if numbers.len() <= number {
                numbers.push(None);
            }
            let index = *numbers[number].get_or_insert_with(|| self.treatment(fleet, treatment));
            if self.target(fleet, chosen, (index, treatment), &mut planned).is_none() {
                blocked += 1;
            }
        }
        let reached = treatments.reached();
        for (number, (selector, place)) in fleet.overrides.iter().enumerate() {
            let matches = self.overrides.entry((place.clone(), selector.to_string())).or_default();
            *matches |= reached.contains(&number);
        }
        self.judge_fleet(fleet, planned.len() + blocked);
        self.judge_backups(fleet, bare);
        self.fleets.insert(fleet.name.clone(), planned);
    }
    /// The rule that keeps a server out, whatever selects it (`safety.md`, S12).
    fn guarded(&self, fleet: &FleetSpec, server: &Server) -> Option<LeftOut> {
        let protected = &self.playbook.guards.protected;
        let guard = protected.iter().find(|(selector, _)| selector.matches(server));
        let (rule, place) = match (guard, protection(server)) {
            (Some((selector, place)), _) => {
                (format!("guards.protected: {selector}"), Some(place.clone()))
            }
            (None, Some(protection)) => (protection.to_string(), None),
            (None, None) => (format!("guards.not_self: {}", self.is_here(server)?), None),
        };
        let (id, name) = (server.id.clone(), server.name.clone());
        Some(LeftOut { id, name, fleet: fleet.name.clone(), out_of: OutOf::Plan, rule, place })
    }

    /// Why a server is the machine that this runs on. A simulated cloud has no such server, whatever
    /// its names and addresses.
    fn is_here(&self, server: &Server) -> Option<String> {
        let asked = self.playbook.guards.not_self && !self.judge.cloud.simulated;
        let is = || self.inventory.here.is(&server.id, &server.name, &server.addresses);
        asked.then(is).flatten()
    }

    /// The index of a treatment in the plan; equal ones share one.
    fn treatment(&mut self, fleet: &FleetSpec, treatment: &Treatment) -> u32 {
        let stop = fleet.steps.iter().find(|step| step.word == StepWord::Stop);
        let planned = PlannedTreatment {
            stop: stop.map_or_else(StopSpec::default, |step| step.stop),
            wait: treatment.wait,
            retry: treatment.retry.clone(),
            verify: treatment.verify.clone(),
            start_back: treatment.start_back,
            backup: self.backup(treatment),
        };
        let known = self.treatments.iter().position(|known| *known == planned);
        let index = known.unwrap_or_else(|| {
            self.treatments.push(planned);
            self.treatments.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The backup before the stop. One that cannot be taken blocks its servers.
    fn backup(&self, treatment: &Treatment) -> Option<PlannedBackup> {
        let spec = treatment.backup.as_ref()?;
        PlannedBackup::find(self.inventory, spec).ok()
    }

    /// Plans a server, or blocks it; `None`: blocked.
    fn target(
        &mut self,
        fleet: &FleetSpec,
        chosen: Chosen<'_>,
        (index, treatment): (u32, &Treatment),
        planned: &mut Vec<ServerId>,
    ) -> Option<()> {
        let server = chosen.server;
        let mut more = holes(&fleet.steps, server);
        more.extend(self.judge.stop(&fleet.steps));
        more.extend(hidden_records(&self.judge, server));
        let judged = with_holes(self.judge.judge(server, treatment), more);
        match judged {
            Ok(judged) => {
                self.note_image(judged.image);
                self.pin_key_pair(&judged.reinstall.login);
                let target = Target {
                    fleet: fleet.name.clone(),
                    treatment: index,
                    found: judged.found,
                    reinstall: judged.reinstall,
                    image_before: judged.image_before,
                    grows_to: judged.grows_to,
                    leave_running: judged.leave_running,
                    because: (chosen.because, chosen.place),
                    wiped: judged.wiped,
                    snapshots: judged.snapshots,
                    kept: judged.kept,
                    way_back: self.inventory.backups.get(&server.id).cloned(),
                    replaced_by: self.inventory.replaced_by.get(&server.id).cloned(),
                };
                planned.push(server.id.clone());
                self.targets.insert(server.id.clone(), target);
                Some(())
            }
            Err(obstacles) => {
                self.blocked.extend(obstacles.into_iter().map(|obstacle| Blocked {
                    id: server.id.clone(),
                    name: server.name.clone(),
                    fleet: fleet.name.clone(),
                    code: obstacle.code.to_owned(),
                    cause: obstacle.cause,
                    help: obstacle.help,
                }));
                None
            }
        }
    }

    fn note_image(&mut self, image: &Image) {
        if self.images.contains_key(&image.id) {
            return;
        }
        let note = ImageNote {
            name: image.name.clone(),
            kind: image.kind.clone(),
            os_type: image.os_type.clone(),
            cloud_init: image.cloud_init,
        };
        self.images.insert(image.id.clone(), note);
    }

    /// Which key a name stands for, and whose it is. Of a key pair of another user nothing can be seen.
    fn pin_key_pair(&mut self, login: &Login) {
        let Login::KeyPair { name, owner } = login else { return };
        if *owner != self.judge.cloud.user_id || self.key_pairs.contains_key(name) {
            return;
        }
        if let Some(Some(pair)) = self.inventory.key_pairs.get(name) {
            let fingerprint = pair.fingerprint.clone();
            let owner = pair.user.clone().unwrap_or_else(|| owner.clone());
            self.key_pairs.insert(name.clone(), KeyPairPin { fingerprint, owner });
        }
    }

    /// What a fleet as a whole must not be: empty, or large without a strategy.
    fn judge_fleet(&mut self, fleet: &FleetSpec, servers: usize) {
        if servers == 0 {
            let message = format!(
                "fleet `{}` ends empty: every server that it selects is protected or locked",
                fleet.name
            );
            let help = "take the fleet out, or see the list of rules with a narrower plan";
            self.refusals.push(Refusal::new("nothing_selected", message, help).at(&fleet.place));
        }
        if servers > UNWRITTEN_STRATEGY_UP_TO && !fleet.strategy.written {
            let message =
                format!("fleet `{}` has {} and no strategy", fleet.name, count(servers, "server"));
            let help = format!(
                "write `strategy:` for a fleet above {UNWRITTEN_STRATEGY_UP_TO} servers; \
                 `strategy: {{ canary: 1, serial: [10%, 25%, 50%] }}` is a good start"
            );
            self.refusals.push(Refusal::new("strategy_needed", message, help).at(&fleet.place));
        }
    }

    /// `guards.require.backup`: nobody is wiped without a way back.
    fn judge_backups(&mut self, fleet: &FleetSpec, bare: usize) {
        if let Some(guard) = self.playbook.guards.backup.as_ref().filter(|_| bare > 0) {
            let message = format!(
                "{} of fleet `{}` would be wiped without a backup, and guards.require.backup asks \
                 for one (the fleet is at {})",
                count(bare, "server"),
                fleet.name,
                fleet.place
            );
            let help = "write `backup: { vault: NAME }` for the fleet or in `defaults`";
            self.refusals.push(Refusal::new("backup_needed", message, help).at(guard));
        }
    }

    fn finish(
        mut self,
        steps: &StepOrder,
        narrowing: &Narrowing,
        made: Timestamp,
    ) -> Result<Plan, Vec<Refusal>> {
        self.judge_whole();
        let room = Room::of(self.inventory.quota.as_ref(), self.targets.values());
        let mut room = room.map_err(|refusal| self.refusals.push(refusal)).unwrap_or_default();
        if !self.refusals.is_empty() {
            return Err(self.refusals);
        }
        let mut limits = self.playbook.limits.clone();
        room.tighten(&mut limits);
        limits.stop_batch = limits.stop_batch.min(self.judge.cloud.features.batch);
        let fleets = self.planned_fleets(steps);
        self.in_order_of(&fleets);
        let warnings = self.warnings(&room, narrowing, &fleets);
        let plan = Plan {
            format: PLAN_FORMAT,
            id: PlanId::new(""),
            made,
            expires: made + self.playbook.guards.plan_ttl,
            name: self.playbook.name.clone(),
            cloud: self.judge.cloud.clone(),
            origin: self.playbook.origin.clone(),
            files: self.playbook.files.clone(),
            not_self: self.playbook.guards.not_self,
            limits,
            fleets,
            treatments: self.treatments,
            targets: self.targets,
            images: self.images,
            key_pairs: self.key_pairs,
            left_out: self.left_out,
            blocked: self.blocked,
            warnings,
            forecast: Forecast::default(),
            folder: None,
        };
        let forecast = super::forecast::forecast(&plan, self.inventory, &room);
        Plan { forecast, ..plan }.seal().map_err(|error| {
            let message = format!("the plan cannot be written down: {error}");
            vec![Refusal::new("unwritable_plan", message, "please report it")]
        })
    }

    /// Brings the targets into the order of the waves, where zones take turns.
    fn in_order_of(&mut self, fleets: &IndexMap<FleetName, PlannedFleet>) {
        if fleets.values().all(|fleet| fleet.pace.spread.is_any()) {
            return;
        }
        let waves = fleets.values().flat_map(|fleet| &fleet.waves);
        let order: IndexSet<&ServerId> = waves.flat_map(|wave| &wave.servers).collect();
        self.targets.sort_by(|a, _, b, _| order.get_index_of(a).cmp(&order.get_index_of(b)));
    }

    fn judge_whole(&mut self) {
        let servers = self.fleets.values().map(Vec::len).sum::<usize>() + self.blocked_servers();
        if let Some((most, place)) = &self.playbook.guards.max_hosts
            && servers > *most as usize
        {
            let message =
                format!("{} would be wiped, but max_hosts is {most}", count(servers, "server"));
            let help = "narrow the selection, or raise the guard if all of them are meant";
            self.refusals.push(Refusal::new("too_many_hosts", message, help).at(place));
        }
        self.judge_share(servers);
        if self.targets.is_empty() && self.refusals.is_empty() {
            self.refusals.extend(all_blocked(&self.blocked));
        }
    }

    /// `max_share` is of every server that can be seen, whatever the playbook selects; rounded down.
    fn judge_share(&mut self, servers: usize) {
        let visible = self.inventory.servers.len();
        if let Some((share, place)) = &self.playbook.guards.max_share
            && servers > share.of_down(visible)
        {
            let message = format!(
                "{} would be wiped, but max_share lets {} of the {visible} in the project ({}%)",
                count(servers, "server"),
                share.of_down(visible),
                share.0
            );
            let help = "narrow the selection, or raise the guard if so many are meant";
            self.refusals.push(Refusal::new("too_large_a_share", message, help).at(place));
        }
    }

    /// Images that no server of the project has yet: nobody knows how they do here.
    fn new_images(&self) -> Vec<String> {
        let running: IndexSet<&ImageId> =
            self.inventory.servers.iter().map(|server| &server.image).collect();
        let new = self.images.iter().filter(|(id, _)| !running.contains(id));
        new.map(|(id, note)| {
            format!(
                "image {} ({id}) runs on no server of this project yet: a canary shows how it does",
                note.name
            )
        })
        .collect()
    }

    /// Vaults with less room than the disks that are backed up into them. Backups grow with what is
    /// on the disks and with what changed, so that is no obstacle.
    fn small_vaults(&self) -> Vec<String> {
        let mut sizes: IndexMap<&str, u64> = IndexMap::new();
        for target in self.targets.values() {
            let treatment = self.treatments.get(target.treatment as usize);
            let Some(backup) = treatment.and_then(|it| it.backup.as_ref()) else { continue };
            let disks = target.kept.iter().chain([&target.wiped]);
            *sizes.entry(&backup.vault).or_default() += disks.map(|it| it.size_gib).sum::<u64>();
        }
        let vaults = self.inventory.vaults.iter();
        let small = vaults.filter_map(|vault| {
            let (free, needed) = (vault.free_mib() / 1_024, *sizes.get(vault.id.as_str())?);
            (free < needed).then(|| {
                format!(
                    "vault {} has {free} GiB left, and the disks to be backed up into it are {needed} \
                     GiB: it may become full, and servers would fail before they are stopped",
                    vault.name
                )
            })
        });
        small.collect()
    }

    fn blocked_servers(&self) -> usize {
        let ids: IndexSet<&ServerId> = self.blocked.iter().map(|b| &b.id).collect();
        ids.len()
    }

    fn planned_fleets(&self, steps: &StepOrder) -> IndexMap<FleetName, PlannedFleet> {
        let planned = self.fleets.iter().filter_map(|(name, servers)| {
            let spec = self.playbook.fleets.get(name)?;
            let needs = spec.depends_on.iter().filter_map(|need| self.need(need)).collect();
            let steps: Vec<Step> = steps.get(name).cloned().unwrap_or_default();
            let pace = pace(&spec.strategy, servers.len());
            let waves = waves(&spec.strategy, servers, |id| {
                self.targets.get(id).map_or("", |target| target.found.az.as_str())
            });
            Some((name.clone(), PlannedFleet { waves, needs, pace, steps }))
        });
        planned.collect()
    }

    /// `verified: N%` of the fleet's planned servers, rounded up. A fleet that this part of the
    /// playbook leaves out cannot be waited for.
    fn need(&self, depends_on: &DependsOn) -> Option<Need> {
        let servers = self.fleets.get(&depends_on.fleet)?.len();
        let verified = u32::try_from(depends_on.verified.of_up(servers)).unwrap_or(u32::MAX);
        Some(Need { fleet: depends_on.fleet.clone(), verified })
    }

    fn warnings(
        &self,
        room: &Room,
        narrowing: &Narrowing,
        fleets: &IndexMap<FleetName, PlannedFleet>,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        if !narrowing.is_whole() {
            warnings.push("narrowed by --fleet or --limit: this is a part of the playbook".into());
        }
        for (name, fleet) in fleets {
            let spec = self.playbook.fleets.get(name);
            let needs = spec.map_or(&[][..], |spec| &spec.depends_on);
            for need in needs.iter().filter(|need| !fleets.contains_key(&need.fleet)) {
                warnings.push(format!(
                    "fleet `{name}` depends on fleet `{}`, which is not in this plan: it will not \
                     be waited for",
                    need.fleet
                ));
            }
            if let [wave] = fleet.waves.as_slice()
                && !wave.canary
                && wave.servers.len() > 1
            {
                warnings.push(format!(
                    "all {} of fleet `{name}` are in one wave without a canary",
                    count(wave.servers.len(), "server")
                ));
            }
        }
        if narrowing.is_whole() {
            let idle = self.overrides.iter().filter(|(_, matches)| !**matches);
            warnings.extend(idle.map(|((place, selector), _)| {
                format!("{place}: the override for {selector} matches no server of this plan")
            }));
        }
        warnings.extend(self.inventory.unread.iter().map(|unread| unread.warning().to_owned()));
        warnings.extend(room.warning());
        warnings.extend(lost_snapshots(&self.targets));
        warnings.extend(self.new_images());
        warnings.extend(self.small_vaults());
        warnings.extend(zones_at_once(&self.targets, fleets));
        let notes = self.judge.notes.iter();
        warnings.extend(notes.map(|(text, n)| format!("{text} ({})", count(*n, "server"))));
        warnings
    }
}

/// Fleets that take servers of every zone they have in one wave, without having asked zones to take
/// turns: what is wrong with an image is then wrong everywhere at once (`safety.md`, S10).
fn zones_at_once(
    targets: &IndexMap<ServerId, Target>,
    fleets: &IndexMap<FleetName, PlannedFleet>,
) -> Vec<String> {
    let zones = |ids: &mut dyn Iterator<Item = &ServerId>| -> IndexSet<&str> {
        ids.filter_map(|id| targets.get(id)).map(|target| target.found.az.as_str()).collect()
    };
    let warned = fleets.iter().filter_map(|(name, fleet)| {
        let all = zones(&mut fleet.waves.iter().flat_map(|wave| &wave.servers));
        let at_once = |wave: &Wave| zones(&mut wave.servers.iter()).len() == all.len();
        let wave = fleet.waves.iter().position(at_once)?;
        (all.len() > 1 && fleet.pace.spread.is_any()).then(|| {
            format!(
                "wave {} of fleet `{name}` has servers of all {} zones at once; \
                 `strategy.spread: zonal` takes one zone after another",
                wave + 1,
                all.len()
            )
        })
    });
    warned.collect()
}

/// What is wrong with a server, apart from what the cloud would refuse, too.
fn with_holes(
    judged: Result<Judged, Vec<Obstacle>>,
    holes: Vec<Obstacle>,
) -> Result<Judged, Vec<Obstacle>> {
    match judged {
        Ok(judged) if holes.is_empty() => Ok(judged),
        judged => Err(judged.err().into_iter().flatten().chain(holes).collect()),
    }
}

/// Snapshots that go with their system disks (`storage-image-kms.md`, section 3).
fn lost_snapshots(targets: &IndexMap<ServerId, Target>) -> Option<String> {
    let losing: Vec<&Target> =
        targets.values().filter(|target| !target.snapshots.is_empty()).collect();
    let all: usize = losing.iter().map(|target| target.snapshots.len()).sum();
    let names = |target: &&Target| {
        let names: Vec<&String> = target.snapshots.values().collect();
        format!("{} ({})", target.found.name, crate::domain::list_some(&names, 3))
    };
    let servers: Vec<String> = losing.iter().map(names).collect();
    (all > 0).then(|| {
        format!(
            "{} of system disks will be deleted, as a reinstall always does, and cannot be a way \
             back: {}",
            count(all, "snapshot"),
            crate::domain::list_some(&servers, 5)
        )
    })
}

fn left_out_by_exclusion(fleet: &FleetSpec, excluded: Excluded<'_>) -> LeftOut {
    LeftOut {
        id: excluded.server.id.clone(),
        name: excluded.server.name.clone(),
        fleet: fleet.name.clone(),
        out_of: OutOf::Fleet,
        rule: format!("exclude: {}", excluded.rule),
        place: Some(excluded.place),
    }
}

/// A plan without a single server left is no plan: why, once for each cause.
fn all_blocked(blocked: &[Blocked]) -> Vec<Refusal> {
    let mut causes: IndexMap<&str, (&Blocked, Vec<&str>)> = IndexMap::new();
    for server in blocked {
        causes.entry(&server.cause).or_insert((server, Vec::new())).1.push(&server.name);
    }
    let refusals = causes.into_values().map(|(blocked, names)| {
        let names = crate::domain::list_some(&names, 5);
        let message = format!("{} ({names}): {}", blocked.code, blocked.cause);
        Refusal::new("all_blocked", message, blocked.help.clone())
    });
    refusals.collect()
}

/// Where disks cannot tell that somebody else replaced a system, the cloud's records have to.
fn hidden_records(judge: &Judge<'_>, server: &Server) -> Option<Obstacle> {
    let wanted = judge.cloud.features.tells_by_records();
    let hidden = judge.inventory.unread.contains(&Unread::Records)
        && !judge.inventory.replaced_by.contains_key(&server.id);
    (wanted && hidden).then(|| Obstacle {
        code: "refleet.records",
        cause: "the records of what was done to it cannot be read, so a rebuild by somebody else \
                would not be seen"
            .to_owned(),
        help: "allow this user to list the server's instance actions".to_owned(),
    })
}
