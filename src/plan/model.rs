//! The plan as data.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Address, Features, FleetName, HostFacts, ImageId, JobId, Login, Millis, Origin, PinnedFile,
    Place, PlanId, Provider, ReinstallRequest, RetryPolicies, ServerId, Tags, Timestamp, UserId,
    VolumeId, WayBack,
};
use crate::playbook::{Check, Limits, Pause, RunSpec, Spread, StepWord, StopSpec, Wait};

/// Version of the plan file.
pub const PLAN_FORMAT: u32 = 1;

/// Everything that will be done. Immutable, and named by its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Version of this file.
    pub format: u32,
    /// SHA-256 of the plan without this field, in hex.
    pub id: PlanId,
    /// When the cloud was read for it.
    pub made: Timestamp,
    /// Not to be used after.
    pub expires: Timestamp,
    /// The playbook's name.
    pub name: String,
    /// The cloud, and who acts there.
    pub cloud: CloudIdentity,
    /// Where the playbook came from.
    pub origin: Origin,
    /// Files that the playbook names; a change of one is drift.
    pub files: Vec<PinnedFile>,
    /// Whether it is refused on a machine that is one of its targets.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub not_self: bool,
    /// Limits of the whole run.
    pub limits: Limits,
    /// Fleets in the order of the playbook.
    pub fleets: IndexMap<FleetName, PlannedFleet>,
    /// Treatments; targets name them by index, so that a plan for 100,000 servers stays small.
    pub treatments: Vec<PlannedTreatment>,
    /// Servers in the order of their fleets and waves.
    pub targets: IndexMap<ServerId, Target>,
    /// Images that will be installed.
    pub images: IndexMap<ImageId, ImageNote>,
    /// Key pairs of the acting user that will be installed, by name: the key behind a name can change.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub key_pairs: IndexMap<String, KeyPairPin>,
    /// Servers that a selector had and that a rule left out.
    pub left_out: Vec<LeftOut>,
    /// Servers that would be refused; as long as there is one, `apply` refuses.
    pub blocked: Vec<Blocked>,
    /// What is worth a second look.
    pub warnings: Vec<String>,
    /// What it will take.
    pub forecast: Forecast,
    /// The folder that its relative paths are seen from, once a run of it has begun: known to the
    /// journal, and no part of what the plan is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// Which key was behind the name of a key pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPairPin {
    /// The fingerprint of its public key, as the cloud gives it.
    pub fingerprint: String,
    /// The user it belongs to.
    pub owner: UserId,
}

impl Plan {
    /// How the server of that index is stopped.
    pub(crate) fn stop_of(&self, index: usize) -> StopSpec {
        let treatment = self.targets.get_index(index).map(|(_, target)| target.treatment);
        let planned = treatment.and_then(|number| self.treatments.get(number as usize));
        planned.map_or_else(StopSpec::default, |planned| planned.stop)
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// A cloud, and who acts there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CloudIdentity {
    /// Its name in the playbook.
    pub name: String,
    /// Its family.
    pub provider: Provider,
    /// Where one logs in, as `scheme://host:port`; empty: inside the process, or not known to an older
    /// refleet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub auth_host: String,
    /// The region.
    pub region: String,
    /// Id of the project.
    pub project_id: String,
    /// Name of the project.
    pub project_name: String,
    /// Id of the acting user: owner of the key pairs it can see.
    pub user_id: UserId,
    /// Name of the acting user, or its access key id.
    pub user_name: String,
    /// A rehearsal: nothing real is touched.
    pub simulated: bool,
    /// What its calls can do.
    #[serde(default, skip_serializing_if = "Features::are_usual")]
    pub features: Features,
}

/// A fleet of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedFleet {
    /// Servers that may start together, one wave after another.
    pub waves: Vec<Wave>,
    /// Fleets that come first.
    pub needs: Vec<Need>,
    /// How fast.
    pub pace: Pace,
    /// Steps of each server in topological order.
    pub steps: Vec<Step>,
}

impl PlannedFleet {
    /// The steps of the playbook's own, each with its number among all of them.
    #[must_use]
    pub fn own_steps(&self) -> impl DoubleEndedIterator<Item = (usize, &Step, &RunSpec)> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(number, step)| Some((number, step, step.run.as_deref()?)))
    }

    /// The number of a step among all of them.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    /// Where a step of the loop stands among all of them.
    #[must_use]
    pub fn word(&self, word: StepWord) -> Option<usize> {
        self.steps.iter().position(|step| step.word == word)
    }
}

/// Servers of a fleet that may start together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wave {
    /// If one of these fails, the run ends.
    pub canary: bool,
    /// Which.
    pub servers: Vec<ServerId>,
}

/// So many servers of another fleet come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The fleet.
    pub fleet: FleetName,
    /// Servers of it that must be verified.
    pub verified: u32,
}

/// How fast a fleet goes, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pace {
    /// Servers away at once.
    pub max_unavailable: u32,
    /// Failures that the fleet may have.
    pub max_failures: u32,
    /// A server starts only while failed + in flight ≤ `max_failures` + 1 still holds after it.
    pub strict_budget: bool,
    /// After a wave, before the next.
    pub bake_time: Millis,
    /// Servers of the canary, if the fleet has as many.
    pub canary: u32,
    /// After which waves it waits for an approval.
    #[serde(default, skip_serializing_if = "Pause::is_never")]
    pub pause: Pause,
    /// How availability zones take turns.
    #[serde(default, skip_serializing_if = "Spread::is_any")]
    pub spread: Spread,
}

/// A step of each server of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its id within the fleet.
    pub id: String,
    /// What it does.
    pub word: StepWord,
    /// Ids of the steps that come first.
    pub after: Vec<String>,
    /// What is run; only at `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<RunSpec>>,
    /// Where it is written; `None`: by default.
    pub place: Option<Place>,
}

/// What is done to a server, apart from the request itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedTreatment {
    /// How it is stopped.
    pub stop: StopSpec,
    /// Waits.
    pub wait: Wait,
    /// Retries by class of error.
    pub retry: RetryPolicies,
    /// Checks, in order.
    pub verify: Vec<Check>,
    /// Started when the run ends, if stopped by us and not wiped.
    pub start_back: bool,
    /// Backed up before it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<PlannedBackup>,
}

/// A backup before the stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedBackup {
    /// Id of the vault.
    pub vault: String,
    /// Its name.
    pub name: String,
    /// The longest that it may take.
    pub timeout: Millis,
}

/// One server and what is to be done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its fleet.
    pub fleet: FleetName,
    /// Index into [`Plan::treatments`].
    pub treatment: u32,
    /// What it was when the plan was made; compared again right before the wipe.
    pub found: Fingerprint,
    /// The request that will be sent.
    pub reinstall: ReinstallRequest,
    /// The name of the image that it has, where another is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_before: Option<String>,
    /// The size of the new system disk in GiB, where the image needs a larger one than the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grows_to: Option<u64>,
    /// Whether it is left on afterwards.
    pub leave_running: bool,
    /// The selector that has it, and where that is written.
    pub because: (String, Place),
    /// The system disk: wiped.
    pub wiped: Disk,
    /// Its snapshots, by id: deleted with it.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub snapshots: IndexMap<String, String>,
    /// The data disks: kept.
    pub kept: Vec<Disk>,
    /// The newest backup that there was when the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
    /// Requests that had replaced its system before the plan was made, as the cloud's own records
    /// name them. Any other is somebody else's. `None`: the cloud keeps no such records and the disk
    /// tells, or the plan is of an older refleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Vec<JobId>>,
}

impl Target {
    /// The image that it has afterwards.
    #[must_use]
    pub fn image(&self) -> &ImageId {
        self.reinstall.image.as_ref().unwrap_or(&self.found.image)
    }

    /// Whether it gets another image than it has.
    #[must_use]
    pub fn changes_os(&self) -> bool {
        *self.image() != self.found.image
    }

    /// The key pair that it gets, where that belongs to the user who reinstalls it.
    #[must_use]
    pub fn own_key_pair(&self, plan: &Plan) -> Option<&str> {
        match &self.reinstall.login {
            Login::KeyPair { name, owner } if *owner == plan.cloud.user_id => Some(name),
            Login::KeyPair { .. } | Login::Password(_) | Login::UserData | Login::Kept => None,
        }
    }

    /// GiB of the new system disk.
    #[must_use]
    pub fn new_size(&self) -> u64 {
        self.grows_to.unwrap_or(self.wiped.size_gib)
    }
}

/// A disk, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    /// Its id.
    pub id: VolumeId,
    /// Its size in GiB.
    pub size_gib: u64,
    /// `SSD`, `SAS` …
    pub kind: String,
    /// Its KMS key; `None` is a plain disk.
    pub key: Option<String>,
}

/// What tells a server from another that has taken its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// Name.
    pub name: String,
    /// Tags; one that has several values has them as a list.
    pub tags: Tags,
    /// Availability zone.
    pub az: String,
    /// Image.
    pub image: ImageId,
    /// Key pair in use.
    pub key_name: Option<String>,
    /// System disk.
    pub system_volume: VolumeId,
    /// Data disks, sorted.
    pub data_volumes: Vec<VolumeId>,
    /// Addresses and MACs, sorted.
    pub addresses: Vec<Address>,
    /// Locked by somebody.
    pub locked: bool,
    /// It was running.
    pub running: bool,
    /// When it was made: for people, who know an old server from a new one.
    pub created: Option<Timestamp>,
    /// When it was last changed. Our own stop changes it, so it counts only before that.
    pub updated: Option<Timestamp>,
}

impl Fingerprint {
    /// What templates are filled in with.
    #[must_use]
    pub fn host<'a>(&'a self, id: &'a ServerId) -> HostFacts<'a> {
        HostFacts {
            id,
            name: &self.name,
            az: &self.az,
            addresses: &self.addresses,
            tags: &self.tags,
        }
    }
}

/// An image that will be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageNote {
    /// Its name.
    pub name: String,
    /// `gold`, `private`, `shared`, `market`.
    pub kind: String,
    /// `Linux`, `Windows`.
    pub os_type: String,
    /// Whether it has cloud-init.
    pub cloud_init: bool,
}

/// How far a rule reaches that leaves a server out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutOf {
    /// A fleet's own `exclude`: another fleet may have the server.
    Fleet,
    /// A guard, a lock or the tag `reinstall=never`: no fleet may.
    Plan,
}

/// A server that a selector had and that a rule left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// The fleet that would have had it.
    pub fleet: FleetName,
    /// What the rule keeps it out of.
    pub out_of: OutOf,
    /// The rule that keeps it out.
    pub rule: String,
    /// Where the rule is written; `None`: a rule that always holds.
    pub place: Option<Place>,
}

/// A server that the cloud would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// The fleet that has it.
    pub fleet: FleetName,
    /// The code that the cloud would answer with, a line of `seed-constraints.md`, or one of our own
    /// (`refleet.…`).
    pub code: String,
    /// What is wrong.
    pub cause: String,
    /// Who can mend it, and how.
    pub help: String,
}

/// What a run will take if nothing goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Requests to the cloud.
    pub requests: u64,
    /// From the first stop to the last check.
    pub duration: Millis,
    /// Which limit binds: a sentence.
    pub binds: String,
    /// The most servers away at once, over all fleets that may be open together.
    pub peak: u32,
}
