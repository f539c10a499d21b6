//! The shell: the loop, the clock, signals, calls.
//!
//! Start with [`Driver`]: it hands the engine its inputs and carries out what comes back, in this
//! order and no other: make the records durable, tell the reporters, send the requests.
//!
//! This room decides nothing about servers. It alone reads clocks and waits ([`RealClock`]), and it
//! never sends a request whose intent is not in the journal. `cli` calls it.

mod calls;
mod clock;
mod driver;
mod error;
mod signals;
mod survey;

pub use calls::{Outside, ProbeFuture, Prober, Runner};
pub use clock::{Clock, RealClock};
pub use driver::{Decider, Driver, Ended};
pub use error::{RunError, SurveyError};
pub use signals::{Signal, ctrl_c};
pub use survey::{Reads, survey};
