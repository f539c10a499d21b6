//! What a world counts about its client.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Deed, Millis, ServerId};

/// Requests so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    /// All of them.
    pub total: u64,
    /// Those that flow control refused.
    pub throttled: u64,
    /// By operation.
    pub by_operation: BTreeMap<&'static str, u64>,
    /// Requests that the simulator does not know, as `METHOD /path`; the first hundred kinds.
    pub unknown: BTreeMap<String, u64>,
}

/// Reinstalls of one server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReinstallCount {
    /// Requests that the cloud took.
    pub accepted: u32,
    /// Jobs that succeeded.
    pub completed: u32,
    /// Jobs that failed.
    pub failed: u32,
}

/// Something that a careful client never does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Simulated milliseconds since the world began.
    pub at: Millis,
    /// `temporary_server`, `during_injection` or `second_reinstall`.
    pub kind: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// The server.
    pub server: ServerId,
}

/// A mutating request that the cloud took, server by server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeedSeen {
    /// Simulated time since the world began.
    pub at: Millis,
    /// What.
    pub kind: Deed,
    /// To which server.
    pub server: ServerId,
}

/// All that is counted; the body of `GET /_refleet/stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests.
    pub requests: RequestCount,
    /// Reinstalls, for every server of the world.
    pub reinstalls: BTreeMap<ServerId, ReinstallCount>,
    /// What a careful client never does.
    pub violations: Vec<Violation>,
    /// The most reinstalls in flight at once.
    pub peak_in_flight: usize,
}
