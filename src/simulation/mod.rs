//! The deterministic simulation: the engine against the simulated cloud, in simulated time, under
//! faults, crashes and restarts that are drawn from one seed.
//!
//! Start with [`rehearse`]: one playbook, one seed, one whole run. [`Checker`]s watch every turn
//! and know nothing of the engine's inside. The same seed always gives the same run, so a seed is
//! all that a failure needs to be seen again.
//!
//! No thread, no socket, no clock: a day of a run takes a moment.

mod checkers;
mod claims;
#[cfg(test)]
mod constraints;
mod doctor;
#[cfg(test)]
mod doubt_tests;
mod fit;
#[cfg(test)]
mod forecast_tests;
mod gates;
mod laws;
mod life;
#[cfg(test)]
mod nova_tests;
#[cfg(test)]
mod others_tests;
mod people;
#[cfg(test)]
mod people_tests;
mod points;
#[cfg(test)]
mod probe_tests;
mod process;
#[cfg(test)]
mod safety_tests;
mod scenario;
mod sights;
mod sim;
#[cfg(test)]
mod steering_tests;
#[cfg(test)]
mod step_tests;
mod steps;
mod tally;
#[cfg(test)]
mod tests;
mod truth;
#[cfg(test)]
mod variety;
mod words;

pub use checkers::{Checker, Finding};
pub use fit::fit;
pub use people::Second;
pub use points::{Point, every_point};
pub use scenario::{Scenario, ScenarioError};
#[cfg(test)]
pub(crate) use sim::rehearse_and_keep;
pub use sim::{Rehearsal, rehearse};
pub use tally::Tally;
