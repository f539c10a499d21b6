//! Saved plans: read back, and refused unless they are whole and young. Whether their files are still
//! what they were is asked in `drift`.
//!
//! Start with [`read`].

use std::path::{Path, PathBuf};

use crate::domain::{RunId, Timestamp};
use crate::plan::{self, CheckedPlan, PLAN_FORMAT, Plan};

use super::failure::Failure;
use super::files;

/// The largest plan that is read: one for 100,000 servers has some hundred megabytes.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// A plan from a file, as it is written there.
pub(super) struct Saved {
    path: PathBuf,
    plan: Plan,
}

/// Reads a saved plan; `None` if the file is something else, such as a playbook. A plan is JSON,
/// and no playbook of ours begins with a brace.
pub(super) fn read(path: &Path) -> Result<Option<Saved>, Failure> {
    let trouble = |source| Failure::Read { path: path.to_owned(), source };
    let bytes = files::read_up_to(path, MAX_BYTES).map_err(trouble)?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(None);
    }
    let unusable = |why| Failure::Unusable { path: path.to_owned(), why };
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|error| unusable(other_format(&bytes).unwrap_or_else(|| no_plan(&error))))?;
    if plan.format != PLAN_FORMAT {
        return Err(unusable(unknown_format(plan.format)));
    }
    Ok(Some(Saved { path: path.to_owned(), plan }))
}

/// The plan of a run, as the journal has it.
pub(super) fn of_run(run: &RunId, json: &str) -> Result<Plan, Failure> {
    let unusable = |why: String| {
        Failure::refused(
            format!("the plan of run {run} cannot be used: {why}"),
            "use the refleet that began the run, or a newer one",
        )
    };
    let plan: Plan = serde_json::from_str(json).map_err(|error| {
        unusable(other_format(json.as_bytes()).unwrap_or_else(|| no_plan(&error)))
    })?;
    if plan.format != PLAN_FORMAT {
        return Err(unusable(unknown_format(plan.format)));
    }
    Ok(plan)
}

fn no_plan(error: &serde_json::Error) -> String {
    format!("it is no plan of this refleet: {error}")
}

fn unknown_format(format: u32) -> String {
    format!(
        "its format is {format}, this refleet knows {PLAN_FORMAT}: make a new plan with this refleet"
    )
}

/// The reason why a plan of another format does not even look like one of ours.
fn other_format(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Any {
        format: u32,
    }
    let Any { format } = serde_json::from_slice(bytes).ok()?;
    (format != PLAN_FORMAT).then(|| unknown_format(format))
}

impl Saved {
    /// The plan, if nobody changed it; however old it is.
    pub(super) fn unchanged(self) -> Result<Plan, Failure> {
        if self.plan.verify_id() {
            return Ok(self.plan);
        }
        let why = "it was changed after it was saved: make a new one".to_owned();
        Err(Failure::Unusable { path: self.path, why })
    }

    /// The plan, if nobody changed it and it has not expired.
    pub(super) fn checked(self, now: Timestamp) -> Result<CheckedPlan, Failure> {
        let plan = self.unchanged()?;
        if now > plan.expires {
            return Err(Failure::refused(
                format!("the plan expired at {}", plan.expires),
                "make a new one: what it was made from is no longer known to be true",
            ));
        }
        plan::check(plan).map_err(Failure::Unsound)
    }
}
