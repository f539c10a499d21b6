//! Looks over SSH: a command is run on a server with the host key that it may have.
//!
//! Start with [`Ssh::look`]. Two programs can speak: refleet itself (`own`, with its `keys`), where the
//! feature `ssh` is built in, and the `ssh` of this machine (`system`). What a host key may be and what
//! the end of a command means is the same for both. Neither of them reads or writes `known_hosts`, and
//! nobody is asked for a password.

mod client;
mod ended;
#[cfg(feature = "ssh")]
mod keys;
#[cfg(feature = "ssh")]
mod own;
#[cfg(not(feature = "ssh"))]
#[path = "absent.rs"]
mod own;
#[cfg(test)]
mod server_tests;
mod system;

pub use client::Ssh;
