//! Which servers: selectors, and the frozen list that they give.
//!
//! Start with [`Selector`], then [`select`]: rules of fleets and the servers that the cloud showed
//! go in, the chosen servers come out, each with the line that chose it.
//!
//! This room never asks a cloud: it is handed the servers. No value in it means "all": a selector
//! without a condition cannot be made (`safety.md`, S1).

mod demand;
mod directory;
mod membership;
mod pattern;
mod refusal;
mod select;
mod selector;

pub use membership::Membership;
pub use pattern::{Pattern, PatternError};
pub use refusal::{Refusal, did_you_mean};
pub use select::{Chosen, Entry, Excluded, Exclusion, Line, Rules, Selection, Wanted, select};
pub use selector::{Selector, SelectorError};
