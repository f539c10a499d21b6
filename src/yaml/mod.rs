//! YAML to values, safely: the only place that knows the YAML crate.
//!
//! Start with [`from_str`] for files of ours and of the cloud's tools, and with [`Tree`] where every
//! value must know its place in the text.
//!
//! Duplicate keys are refused, alias bombs and bottomless nesting end early, and YAML 1.1 surprises
//! (`no`, `010`, `1_000`) stay what they look like. This room never opens a file.

mod build;
mod tree;
mod typed;

pub use tree::{Entry, Flaw, FlawKind, Key, Limits, Node, Scalar, Span, Tree, Value};
pub use typed::{Error, MAX_BYTES, from_str, from_str_seeded};
