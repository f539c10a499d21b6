//! Looks at a server from outside the cloud's API.
//!
//! Start with [`run`]: one look, and what it saw. Nothing here decides how often or how long to
//! look; a look that takes longer than it may is a look that failed.

mod look;
pub mod process;

pub use look::run;
