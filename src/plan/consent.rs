//! Proof that a person said yes to this plan.

use crate::domain::PlanId;

use super::CheckedPlan;

/// Somebody typed how many servers this plan wipes. Nothing can be run without it.
#[derive(Clone, Debug)]
pub struct Consent {
    plan: PlanId,
}

/// The number that was typed is not the number of servers in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan wipes {planned}, but {typed} was confirmed")]
pub struct WrongCount {
    /// Servers in the plan.
    pub planned: usize,
    /// What was typed.
    pub typed: usize,
}

impl Consent {
    /// Consent to `plan` by typing how many servers it wipes.
    pub fn try_new(plan: &CheckedPlan, typed: usize) -> Result<Self, WrongCount> {
        let planned = plan.targets.len();
        if typed == planned {
            Ok(Self { plan: plan.id.clone() })
        } else {
            Err(WrongCount { planned, typed })
        }
    }

    /// The plan that was consented to.
    #[must_use]
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }
}
