//! The rooms, in the order of their layers. The map follows.
//!
#![doc = include_str!("../ARCHITECTURE.md")]

pub mod cloud;
pub mod domain;
pub mod engine;
pub mod fleet;
pub mod journal;
pub mod plan;
pub mod playbook;
pub mod probe;
pub mod report;
pub mod run;
pub mod simulation;
pub mod simulator;
pub mod yaml;
