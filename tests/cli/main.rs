//! The binary from outside: what it prints, where, and with which code it leaves.
//!
//! Start with `harness::Bench`: a folder with a state file of its own, in which the binary is run
//! with a clean environment; `harness::Simulator` is a cloud for it.

#![expect(clippy::disallowed_methods, reason = "these tests run the binary and read its files")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of `mod tests`")]

mod apply;
mod basics;
mod crash;
mod harness;
mod hostile;
mod images;
mod look;
mod prepare;
mod probes;
mod reports;
mod secrets;
mod shut_out;
mod state_lost;
mod steering;
mod steps;
mod support;
mod templates;
mod tokens;
mod worlds;
