//! The rooms, in the order of their layers. The map follows.
//!
#![doc = include_str!("../ARCHITECTURE.md")]

pub mod domain;

pub mod fleet;
pub mod playbook;
pub mod yaml;

pub mod plan;

pub mod cloud;
pub mod engine;
pub mod journal;
pub mod probe;
pub mod report;

pub mod simulator;

pub mod run;
pub mod simulation;

pub mod cli;
