//! A cloud that is not there: servers, disks, jobs and trouble, drawn from a seed.
//!
//! Start with [`World`]: a state machine without a clock and without input or output. Every call is
//! handed the simulated time, and everything random comes from the seed. [`WorldSpec`] says what is
//! in it, [`Knobs`] how it behaves where the cloud's documents are silent, [`Faults`] what goes
//! wrong. [`World::serve`] answers our own actions in simulated time.
//!
//! The world never refuses what a careful client would not do if the cloud takes it: it counts it.

mod account;
mod answers;
mod build;
mod codes;
mod commands;
mod dice;
mod direct;
mod error;
mod faults;
mod flaw;
mod form;
mod history;
pub mod http;
mod jobs;
mod knobs;
mod looks;
mod machine;
mod meddle;
mod password;
mod possible;
mod preconditions;
mod reboot;
mod sizes;
mod snapshots;
mod spec;
mod stats;
mod tasks;
#[cfg(test)]
mod trial;
mod vaults;
mod world;

pub use account::{Account, clouds_yaml, first_line};
pub use answers::{AnswerShape, KnownCode, ScriptedAnswer};
pub use direct::Served;
pub use faults::{Faults, RateLimit};
pub use flaw::{FileFlaw, FileFlaws};
pub use history::{Asking, By, Entry, Mishap, What};
pub use knobs::{
    AdminPassword, BusyCode, Clocks, GatewayPrefix, IdleCall, JobTypes, Knobs, MixedBatch, Span,
    TaskStatus,
};
pub use meddle::{Meddling, Visit};
pub use spec::{
    BackupState, ImageSpec, KeyPairSpec, KeySpec, QuotaSpec, ServerGroup, ServerStatus, VaultSpec,
    WorldSpec,
};
pub use stats::{DeedSeen, ReinstallCount, RequestCount, Stats, Violation};
pub use world::{EPOCH, World};
