//! The deterministic simulation: the engine against the simulated cloud, in simulated time, under
//! faults, crashes and restarts that are drawn from one seed.
//!
//! Start with [`rehearse`]: one playbook, one seed, one whole run. [`Checker`]s watch every turn
//! and know nothing of the engine's inside. The same seed always gives the same run, so a seed is
//! all that a failure needs to be seen again.
//!
//! No thread, no socket, no clock: a day of a run takes a moment.

mod checkers;
#[cfg(test)]
mod constraints;
#[cfg(test)]
mod doubt_tests;
mod fit;
#[cfg(test)]
mod forecast_tests;
mod gates;
#[cfg(test)]
mod nova_tests;
#[cfg(test)]
mod probe_tests;
#[cfg(test)]
mod safety_tests;
mod scenario;
mod sim;
#[cfg(test)]
mod steering_tests;
#[cfg(test)]
mod step_tests;
mod steps;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod variety;

pub use checkers::{Checker, Finding};
pub use fit::fit;
pub use scenario::{Scenario, ScenarioError};
#[cfg(test)]
pub(crate) use sim::rehearse_and_keep;
pub use sim::{Rehearsal, rehearse};
pub use tally::Tally;
