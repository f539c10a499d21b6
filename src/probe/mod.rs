//! Looks at a server from outside the cloud's API.
//!
//! Start with [`tcp`]: one look, and what it saw. Nothing here decides how often or how long to
//! look; a look that takes longer than it may is a look that failed. Programs of the user's are run
//! by [`process`], whatever for.

mod look;
pub mod process;
pub mod ssh;

pub use look::{command, tcp};
