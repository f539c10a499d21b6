//! Playbook and fleet to an immutable plan: everything that will be done, with no choice left open.
//!
//! Start with [`Plan`]. A [`Survey`] says what to read of the cloud and gives an [`Inventory`];
//! [`draw`] makes the plan; only a [`CheckedPlan`] can be run, and only [`check`] makes one;
//! [`recheck`] and [`differences`] say whether it still holds; [`difference`] what another plan changes.
//!
//! This room asks nobody anything: no cloud, no clock, no file. It decides no moment either: what
//! may start when is the engine's.

mod check;
mod choose;
mod consent;
mod diagram;
mod diff;
mod diff_text;
mod draw;
mod explain;
mod forecast;
mod graph;
mod inserts;
mod inventory;
mod judge;
mod key_pins;
mod lines;
mod machine;
mod model;
mod narrowing;
mod propose;
mod recheck;
mod room;
mod schema;
mod seal;
mod story;
mod story_text;
mod survey;
mod vault;
mod wants;
mod waves;

pub use crate::domain::Provider;
pub use crate::fleet::Refusal;
pub use check::{CheckedPlan, Violation, check};
pub use consent::{Consent, WrongCount};
pub use diagram::{dot, mermaid};
pub use diff::{Change, Concern, Difference, ServerChange, difference};
pub use draw::draw;
pub use explain::explain;
pub use inventory::{Inventory, Unread};
pub use key_pins::recheck_key_pair;
pub use machine::Machine;
pub use model::{
    Blocked, CloudIdentity, Disk, Fingerprint, Forecast, ImageNote, KeyPairPin, LeftOut, Need,
    OutOf, PLAN_FORMAT, Pace, Plan, PlannedBackup, PlannedFleet, PlannedTreatment, Step, Target,
    Wave,
};
pub use narrowing::Narrowing;
pub use propose::propose;
pub use recheck::{
    Drift, Protection, Recheck, changes_by_others, differences, new_snapshots, protection, recheck,
    recheck_image, recheck_key_pairs,
};
pub use schema::schema;
pub use story::{FleetStory, Rule, Standing, Story, story};
pub use survey::Survey;
