//! The command line: arguments, files, environment, diagnostics, exit codes.
//!
//! Start with [`main`]; then read `commands`, where each command is a file that reads from top to
//! bottom.
//!
//! This room joins all others and holds no rule about servers itself. It is the only one that reads
//! the environment, reads and writes files that users name, and asks people.

mod app;
mod archive;
mod args;
mod codes;
mod commands;
mod connection;
mod diagnostic;
mod difference;
mod drawing;
mod drift;
mod driving;
mod environment;
mod exit;
mod failure;
mod files;
mod git;
mod key_pairs;
mod machine;
mod needs;
mod panic;
mod playbooks;
mod probes;
mod same_cloud;
mod saved;
mod secrets;
mod simulated;
mod steps;
mod table;
mod ui;
mod worlds;

pub use app::main;
