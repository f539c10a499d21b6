//! What a cloud's calls can do, as far as plans and runs depend on it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which family of clouds: they document different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Open Telekom Cloud: no `admin_pass`, v1 reinstall undocumented.
    Otc,
    /// Huawei Cloud, and everything that speaks like it.
    Huawei,
    /// Any other cloud with Nova.
    #[serde(rename = "openstack")]
    OpenStack,
}

impl Provider {
    /// By the name that playbooks and clouds.yaml call it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "otc" => Some(Self::Otc),
            "huaweicloud" => Some(Self::Huawei),
            "openstack" => Some(Self::OpenStack),
            _ => None,
        }
    }
}

/// Something that a playbook may ask for and that not every cloud can do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Another key pair than the server has.
    KeyPair,
    /// User data.
    UserData,
    /// A password that the playbook names.
    AdminPass,
    /// A licence that is brought along or rented.
    License,
    /// A system disk encrypted with a KMS key.
    Encryption,
    /// Backups in a vault.
    Backup,
    /// A server that boots from a volume.
    SystemVolume,
    /// A password that the cloud makes and that can be fetched.
    FetchedPassword,
}

/// What a cloud's calls can do. Frozen in the plan, so that a run goes by what was planned with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks, each of them a yes or no")]
pub struct Features {
    /// Servers that one stop or start may name.
    pub batch: u32,
    /// A reinstall leaves the system disk its id: a new one is then no sign of it, and only the job says
    /// how it ended.
    pub keeps_disk: bool,
    /// A server that runs may be reinstalled: it need not be stopped first.
    pub reinstalls_running: bool,
    /// Every reinstall has to name its image, also where it stays the same.
    pub names_image: bool,
    /// A reinstall that names no way in leaves the key pair and the user data of the server as they are.
    pub keeps_login: bool,
    /// The records that say who asked for what are kept beside the server, and show a call at once.
    pub immediate_log: bool,
    /// Who can do something about a reinstall that never ends, and how.
    pub stuck: Option<String>,
    /// What it cannot do, with the reason as the end of a sentence.
    pub lacks: BTreeMap<Feature, String>,
}

/// Those of Open Telekom Cloud and Huawei Cloud (`ecs.md`, sections 5 and 6).
impl Default for Features {
    fn default() -> Self {
        Self {
            batch: 1_000,
            keeps_disk: false,
            reinstalls_running: false,
            names_image: false,
            keeps_login: false,
            immediate_log: false,
            stuck: None,
            lacks: BTreeMap::new(),
        }
    }
}

impl Features {
    /// Whether they are the usual ones, which a plan need not name.
    #[must_use]
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether only the records of what was done to a server can tell that its system was replaced:
    /// its disk keeps its id.
    #[must_use]
    pub fn tells_by_records(&self) -> bool {
        self.keeps_disk && self.immediate_log
    }

    /// Why the cloud cannot do that; `None`: it can.
    #[must_use]
    pub fn lack(&self, feature: Feature) -> Option<&str> {
        self.lacks.get(&feature).map(String::as_str)
    }
}
