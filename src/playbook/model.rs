//! What a playbook says, checked, with defaults merged in and nothing left to look up but servers.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{FleetName, Millis, Origin, PinnedFile, Place, Provider};
use crate::fleet::Selector;

use super::merge::Patch;
use super::spec::{StepSpec, StepWord, Treatment};
use super::written::Written;

/// A checked playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Its name; the file's stem where it says none.
    pub name: String,
    /// An entry of `clouds.yaml`, or `simulator`.
    pub cloud: String,
    /// Where `cloud` is written.
    pub cloud_place: Place,
    /// The family of that cloud, where it says one.
    pub provider: Option<Provider>,
    /// The region, where it says one.
    pub region: Option<String>,
    /// Safety.
    pub guards: Guards,
    /// Limits of a whole run.
    pub limits: Limits,
    /// Fleets in the order they are written.
    pub fleets: IndexMap<FleetName, FleetSpec>,
    /// What the built-in cloud is like, with `cloud: simulator`.
    pub simulator: Option<SimulatorSpec>,
    /// Every file that the playbook names, with the hash of what was read.
    pub files: Vec<PinnedFile>,
    /// Path, hash and git commit of the playbook. Whoever read the file fills in the commit.
    pub origin: Origin,
}

/// Safety rules of a playbook.
#[derive(Clone, Debug)]
pub struct Guards {
    /// The most servers that a plan may hold, and where that is written.
    pub max_hosts: Option<(u32, Place)>,
    /// The most of all servers that can be seen in the project, and where that is written.
    pub max_share: Option<(Share, Place)>,
    /// The machine that refleet runs on is left out.
    pub not_self: bool,
    /// Only a saved plan may be applied, however small, and where that is written.
    pub saved_plan: Option<Place>,
    /// Every server has to be backed up before it is wiped, and where that is written.
    pub backup: Option<Place>,
    /// A plan is true for so long at most: what it was drawn from is older with every hour.
    pub plan_ttl: Millis,
    /// Never these, whatever selects them. The tag `reinstall=never` is always honoured on top.
    pub protected: Vec<(Selector, Place)>,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            max_hosts: None,
            max_share: None,
            not_self: true,
            saved_plan: None,
            backup: None,
            plan_ttl: Millis::mins(24 * 60),
            protected: Vec::new(),
        }
    }
}

/// Limits of a whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Requests to the cloud.
    pub api: ApiLimit,
    /// Reinstalls in flight.
    pub reinstalls: u32,
    /// The same in one availability zone; `None`: as many as in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_az: Option<u32>,
    /// Servers in one stop or start request.
    pub stop_batch: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let api = ApiLimit { per_minute: 300, burst: 10 };
        Self { api, reinstalls: 10, per_az: None, stop_batch: 50 }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiLimit {
    /// Requests a minute in the long run.
    pub per_minute: u32,
    /// Requests at once.
    pub burst: u32,
}

/// A set of servers with one treatment.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    /// Its name; of a part of a matrix, with its values: `web[eu-de-01]`.
    pub name: FleetName,
    /// Its name as it is written: every part of a matrix has the same.
    pub family: FleetName,
    /// Where it is written.
    pub place: Place,
    /// Entries; a server is in if any of them has it. Never empty.
    pub hosts: Vec<HostEntry>,
    /// Entries; a server that any of them has is out.
    pub exclude: Vec<Exclude>,
    /// The selection must have exactly so many, and where that is written.
    pub expect: Option<(u32, Place)>,
    /// Fleets that come first.
    pub depends_on: Vec<DependsOn>,
    /// How fast, how much at once.
    pub strategy: Strategy,
    /// What is done to each server, before overrides.
    pub treatment: Treatment,
    /// Steps in the order they are written; `stop, validate, reinstall, wait, verify` by default.
    pub steps: Vec<StepSpec>,
    /// Which servers get another treatment; what it changes is asked with
    /// [`FleetSpec::treatment_for`].
    pub overrides: Vec<(Selector, Place)>,
    /// Where its values are written.
    pub written: Written,
    /// What `defaults` and the fleet say together, still as a layer.
    pub(super) base: Patch,
    /// What each override changes; as long as `overrides`.
    pub(super) patches: Vec<Patch>,
    /// What rows of files change.
    pub(super) rows: Vec<Patch>,
}

impl FleetSpec {
    /// A fleet that says nothing but its hosts: everything else is as by default.
    #[must_use]
    pub fn new(name: FleetName, place: Place, hosts: Vec<HostEntry>) -> Self {
        Self {
            family: name.clone(),
            name,
            place,
            hosts,
            exclude: Vec::new(),
            expect: None,
            depends_on: Vec::new(),
            strategy: Strategy::default(),
            treatment: Treatment::default(),
            steps: StepWord::ALL.map(StepSpec::by_default).to_vec(),
            overrides: Vec::new(),
            written: Written::default(),
            base: Patch::default(),
            patches: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// How many different rows of overrides its files have.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The treatment of a server that these overrides match (indices into `overrides`, ascending)
    /// and that this row of a file is about: keys of a later override win, and those of the row, which
    /// is about this server alone, win over all.
    #[must_use]
    pub fn treatment_for(&self, matching: &[usize], row: Option<usize>) -> Treatment {
        if matching.is_empty() && row.is_none() {
            return self.treatment.clone();
        }
        let patches = matching.iter().filter_map(|index| self.patches.get(*index));
        let patches = patches.chain(row.and_then(|row| self.rows.get(row)));
        patches.fold(self.base.clone(), |layer, patch| layer.merged(patch.clone())).into_treatment()
    }
}

/// One entry of `hosts`.
#[derive(Clone, Debug)]
pub struct HostEntry {
    /// Where it is written.
    pub place: Place,
    /// What it selects.
    pub hosts: Hosts,
    /// What each of its servers has to be, and where that is written (`safety.md`, S11).
    pub must_match: Option<(Selector, Place)>,
}

impl HostEntry {
    /// An entry that asks for nothing more.
    #[must_use]
    pub fn new(place: Place, hosts: Hosts) -> Self {
        Self { place, hosts, must_match: None }
    }
}

/// What an entry of `hosts` selects.
#[derive(Clone, Debug)]
pub enum Hosts {
    /// Servers that match.
    Matching(Selector),
    /// Servers that a file lists.
    Listed {
        /// The file, and the group of it.
        path: String,
        /// Its servers, in its order.
        lines: Vec<HostLine>,
    },
}

/// One server of an inventory file.
#[derive(Clone, Debug)]
pub struct HostLine {
    /// A server's id or its name.
    pub text: String,
    /// Its name, where `text` is its id and the file says both: they have to agree.
    pub named: Option<String>,
    /// What the file changes for it, by index: see [`FleetSpec::treatment_for`].
    pub row: Option<usize>,
    /// Where it is written.
    pub place: Place,
}

/// One entry of `exclude`.
#[derive(Clone, Debug)]
pub struct Exclude {
    /// Where it is written.
    pub place: Place,
    /// What it takes out.
    pub selector: Selector,
    /// It may match nothing; otherwise that is an error, since a misspelt exclusion widens.
    pub allow_none: bool,
}

/// A fleet that comes first.
#[derive(Clone, Debug)]
pub struct DependsOn {
    /// Which.
    pub fleet: FleetName,
    /// How much of it must be verified, in percent; 100 unless it says otherwise.
    pub verified: Share,
    /// Where it is written.
    pub place: Place,
}

/// A share in percent, 0 to 100.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Share(pub u32);

impl Share {
    /// That share of `n`, rounded up.
    #[must_use]
    pub fn of_up(self, n: usize) -> usize {
        (n * self.0 as usize).div_ceil(100)
    }

    /// That share of `n`, rounded down.
    #[must_use]
    pub fn of_down(self, n: usize) -> usize {
        n * self.0 as usize / 100
    }
}

/// A number of servers, or a share of the fleet's planned servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many.
    Count(u32),
    /// So much of it.
    Share(Share),
}

/// How availability zones take turns (`safety.md`, S10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Zones are not looked at.
    #[default]
    Any,
    /// Round robin: neighbours are of different zones.
    Az,
    /// One zone after another: no wave holds two.
    Zonal,
}

impl Spread {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// After which waves a fleet waits for an approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// None.
    #[default]
    Never,
    /// The canary.
    AfterCanary,
    /// Each but the last.
    EachBatch,
}

impl Pause {
    /// Whether it never waits.
    #[must_use]
    pub fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// How fast, how much at once, and when to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Servers that go first, as a wave of their own.
    pub canary: u32,
    /// Sizes of the waves after it; the last repeats. Never empty; shares round up.
    pub serial: Vec<Size>,
    /// Servers away at once; a share rounds down, at least 1.
    pub max_unavailable: Size,
    /// Failures that the fleet may have.
    pub max_failures: u32,
    /// Servers in flight count against the budget.
    pub strict_budget: bool,
    /// After a wave, before the next.
    pub bake_time: Millis,
    /// After which waves it waits for an approval.
    pub pause: Pause,
    /// How availability zones take turns.
    pub spread: Spread,
    /// Whether the playbook says anything about strategy: fleets above 50 servers must.
    pub written: bool,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            canary: 1,
            serial: vec![Size::Count(1)],
            max_unavailable: Size::Count(1),
            max_failures: 0,
            strict_budget: true,
            bake_time: Millis(0),
            pause: Pause::default(),
            spread: Spread::default(),
            written: false,
        }
    }
}

/// The key `simulator`.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorSpec {
    /// So many healthy servers.
    pub servers: Option<u32>,
    /// Or this world file.
    pub world: Option<PinnedFile>,
    /// Durations are divided by it, and the client's waits with them.
    pub speed: f64,
    /// Faults by name (`none`, `throttled`, `flaky`, `chaos`) or by file.
    pub faults: String,
    /// What everything random is drawn from.
    pub seed: u64,
}
