//! What people and machines see, from events alone.
//!
//! Start with [`Reporter`]: it is told every record once, after the record is durable, and keeps a
//! [`Fold`] of its own. After a run, [`Summary`] and [`Status`] say the same from the journal, and
//! [`junit`], [`markdown`] and [`html`] bring it into the forms of other programs.
//!
//! ```
//! use refleet::report::Summary;
//!
//! let line = r#"{"seq":1,"at":0,"wall":0,"event":{"event":"preflight_refused","reasons":["no key"]}}"#;
//! let record = serde_json::from_str(line)?;
//! assert!(Summary::of(&[record]).to_text().contains("  no key\n"));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! This room knows no engine, no plan and no cloud, writes only into what it is handed, and can
//! fail without harm: a run never stops because nobody can watch it.

mod account;
mod error;
mod fanout;
mod fold;
mod html;
mod jsonl;
mod junit;
mod letter;
mod lines;
mod markdown;
mod page;
mod plain;
mod redact;
mod reporter;
mod schema;
mod standing;
mod status;
mod summary;
mod support;
mod terminal;
mod text;
mod tried;

pub use error::Error;
pub use fanout::Reporters;
pub use fold::{Doubt, Fold, ServerState};
pub use html::html;
pub use jsonl::JsonLines;
pub use junit::junit;
pub use markdown::markdown;
pub use plain::Plain;
pub use reporter::Reporter;
pub use schema::schema;
pub use standing::{Disk, Power, Standing};
pub use status::Status;
pub use summary::{Down, FailureGroup, FleetSummary, Named, Summary};
pub use support::{After, AsPlanned, FailedJob, Meant, Support, find as find_server};
pub use terminal::Terminal;
pub use tried::{Chapter, Step};
