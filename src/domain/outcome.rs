//! Where a server is in its run, and how it ended.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a server ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Reinstalled, and every check passed.
    Verified,
    /// Did not get there.
    Failed,
    /// No longer the server that the plan was made for: left alone.
    Drifted,
    /// Not begun, because something that it depends on did not get there.
    Skipped,
    /// Protected on the server itself since the plan was made: left alone.
    Protected,
    /// Nobody can say whether the wipe happened. Needs a person.
    Unknown,
    /// The reinstall failed twice: the cloud's support is next.
    NeedsSupport,
}

impl Ending {
    /// Every ending, in the order in which summaries show them.
    pub const ALL: [Self; 7] = [
        Self::Verified,
        Self::Failed,
        Self::NeedsSupport,
        Self::Unknown,
        Self::Drifted,
        Self::Protected,
        Self::Skipped,
    ];

    /// Whether it counts against the failure budget (`product.md`, section 3, "Counting").
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::Unknown | Self::NeedsSupport => true,
            Self::Verified | Self::Drifted | Self::Skipped | Self::Protected => false,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Drifted => "drifted",
            Self::Skipped => "skipped",
            Self::Protected => "protected",
            Self::Unknown => "unknown",
            Self::NeedsSupport => "needs_support",
        })
    }
}

/// Where a server is, as people see it (`product.md`, section 5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not begun, or started back untouched.
    Pending,
    /// It is being backed up, and runs on meanwhile.
    BackingUp,
    /// A stop was sent.
    Stopping,
    /// It is off.
    Stopped,
    /// Compared with its plan: the next request wipes it.
    Validated,
    /// The wipe was sent.
    Reinstalling,
    /// The job is done, the guest is being set up; nothing but reads touches it.
    Settling,
    /// Being checked.
    Verifying,
    /// Ended.
    Ended(Ending),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::BackingUp => "backing_up",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Validated => "validated",
            Self::Reinstalling => "reinstalling",
            Self::Settling => "settling",
            Self::Verifying => "verifying",
            Self::Ended(ending) => return ending.fmt(f),
        })
    }
}

/// Why a server did not get there, and what can be done (`safety.md`, S18).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The cloud's code or ours; equal codes are one group in the summary.
    pub code: String,
    /// What happened, the same words for every server of a group.
    pub cause: String,
    /// What is special about this server; may be empty.
    pub detail: String,
    /// What the operator can do.
    pub help: String,
}

/// How many servers ended how, and how many did not end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// By ending; an ending that no server had is absent.
    pub ended: BTreeMap<Ending, u32>,
    /// Begun and not ended; none once a run has ended.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub in_flight: u32,
    /// Not begun, or started back untouched.
    pub pending: u32,
}

/// Not written down: records of runs that ended stay what they were before there was this number.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none_of_them(in_flight: &u32) -> bool {
    *in_flight == 0
}

impl Counts {
    /// Servers with that ending.
    #[must_use]
    pub fn of(&self, ending: Ending) -> u32 {
        self.ended.get(&ending).copied().unwrap_or(0)
    }

    /// Servers that count against the budget.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.ended.iter().filter(|(ending, _)| ending.is_failure()).map(|(_, n)| n).sum()
    }
}

/// `7 verified, 1 failed`: the last line of a run; `6 in flight, 2 pending` while it goes on.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Ending::ALL
            .iter()
            .filter_map(|ending| self.ended.get(ending).map(|n| format!("{n} {ending}")))
            .collect();
        if self.in_flight > 0 {
            parts.push(format!("{} in flight", self.in_flight));
        }
        if self.pending > 0 {
            parts.push(format!("{} pending", self.pending));
        }
        if parts.is_empty() {
            parts.push("nothing to do".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}
