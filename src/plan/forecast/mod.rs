//! What a run will take: a forecast, never a promise.
//!
//! [`forecast`] lets the plan run its course in small, with the rules by which the engine paces a
//! run and with lengths as the cloud's documents give them (`errors-and-limits.md`, section 6): what
//! waits for what, what is looked at how often, which request stands in line. Nothing fails there.
//! How far off it is, a test measures (`simulation/forecast_tests.rs`). [`bounds`] holds what is no
//! guess: the peak is never exceeded.

mod bounds;
mod bucket;
mod course;
mod reading;
mod requests;
mod servers;

pub(super) use bounds::forecast;
