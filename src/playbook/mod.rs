//! Text to a typed model, with every problem at once.
//!
//! Start with [`parse`], which gives a [`Playbook`]: what the user wrote, checked and merged with
//! the defaults. A text goes through five stations: a tree in which everything knows its place,
//! inserts, the check against the grammar, lowering with inheritance, and the masking of secrets
//! in whatever is said about it.
//!
//! This room never opens a file: it is handed the text, and a [`Files`] that reads what the text
//! names. It knows nothing of servers that exist.

mod check;
mod checks;
mod codes;
mod complaint;
mod fleets;
mod grammar;
mod guards;
mod include;
mod insert;
mod inventory;
mod lower;
mod mask;
mod matrix;
mod merge;
mod model;
mod parse;
mod paths;
mod problem;
mod run;
mod scalars;
mod schema;
mod shape;
mod source;
mod spec;
mod steps;
mod suggest;
#[cfg(test)]
mod tests;
mod treatment;
mod user_data;
#[cfg(test)]
mod user_data_tests;
mod values;
mod written;

pub use codes::{Explanation, Nature, codes, explain};
pub use mask::masked;
pub use model::{
    ApiLimit, DependsOn, Exclude, FleetSpec, Guards, HostEntry, HostLine, Hosts, Limits, Pause,
    Playbook, Share, SimulatorSpec, Size, Spread, Strategy,
};
pub use parse::{Parsed, parse};
pub use problem::{Problem, ProblemView, Problems, Severity};
pub use schema::schema;
pub use source::{Files, MAX_PLAYBOOK_BYTES, NoFiles, Source};
pub use spec::{
    BackupSpec, Check, EncryptionSpec, HostKeyRule, ImageChoice, Inserts, Leave, License,
    LoginSpec, Program, ReinstallSpec, RunSpec, SshCheck, StepSpec, StepWord, StopSpec, Treatment,
    UserData, Wait,
};
pub use values::DecidedValue;
pub use written::{Decided, Written};
