//! The durable log of runs, and the claims on servers.
//!
//! Start with [`Store`]: one `SQLite` file with every run ever made from it. [`Store::begin`] gives a
//! [`RunLog`], and [`Journal::append`] on it returns when the records would survive a power cut. The
//! event table is the truth; whatever else is stored follows from it or says who may write.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), refleet::journal::Error> {
//! use refleet::journal::Store;
//!
//! let store = Store::in_memory()?;
//! assert!(store.runs().await?.is_empty());
//! # Ok(()) }
//! ```
//!
//! People steer a run from other shells through the same file: [`Store::leave`] writes a word down, and
//! [`Journal::asked`] hands it to whoever drives the run, now or later.
//!
//! This room never decides what a run does next, never reads a clock, and never changes or forgets
//! a record. `run` appends to it, `cli` looks runs up in it, `simulation` uses [`MemoryJournal`].

mod abandon;
mod claim;
mod error;
mod lock;
mod log;
mod memory;
mod place;
#[cfg(test)]
mod place_tests;
mod query;
mod request;
mod schema;
#[cfg(test)]
mod steering_tests;
mod store;
mod takeover;
mod touch;
mod writer;

pub use claim::{OpenIntent, open_intents};
pub use error::{Error, HeldClaim, Holder};
pub use log::{Journal, RunLog};
pub use memory::MemoryJournal;
pub use query::{RunSummary, StoredRun};
pub use request::{Left, Word};
pub use schema::Upgrade;
pub use store::{NewRun, Store};
pub use takeover::{Elsewhere, TakenOver};
pub use touch::kept;
