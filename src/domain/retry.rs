//! How often something is tried again, and how long the wait before it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// Whether the wait before a retry is drawn below its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Exactly the bound.
    None,
    /// Anything from nothing to the bound, so that many that failed together do not come back together.
    #[default]
    Full,
}

/// One class of error: how many attempts in all, and the wait between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; at least 1.
    pub attempts: u32,
    /// The bound of the first wait.
    pub delay: Millis,
    /// What each further wait is multiplied with.
    pub backoff: f64,
    /// No wait is longer.
    pub max_delay: Millis,
    /// How the wait is drawn.
    pub jitter: Jitter,
}

/// The policies by class of error (`product.md`, section 3, `retry`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetryPolicies {
    /// Refused by flow control.
    pub throttled: RetryPolicy,
    /// The service is unwell, or the way to it.
    pub transient: RetryPolicy,
    /// Another task runs on the server.
    pub busy: RetryPolicy,
    /// The reinstall job failed; afterwards the server needs support.
    pub job_failed: RetryPolicy,
    /// A check after the reinstall failed.
    pub verify_failed: RetryPolicy,
}

impl Default for RetryPolicies {
    fn default() -> Self {
        let policy = |attempts, delay, backoff, max_delay, jitter| RetryPolicy {
            attempts,
            delay: Millis::secs(delay),
            backoff,
            max_delay: Millis::secs(max_delay),
            jitter,
        };
        Self {
            throttled: policy(30, 2, 2.0, 60, Jitter::Full),
            transient: policy(6, 1, 2.0, 30, Jitter::Full),
            busy: policy(20, 60, 1.0, 60, Jitter::None),
            job_failed: policy(2, 60, 1.0, 60, Jitter::None),
            verify_failed: policy(1, 30, 1.0, 30, Jitter::None),
        }
    }
}
