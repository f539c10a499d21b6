//! Small helpers for sentences, in one place so that plural forms agree everywhere.

use std::fmt::Display;

use super::Tags;

/// `1 server`, `2 servers`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The first `shown` of a list, and how many more there are.
#[must_use]
pub fn list_some<T: Display>(items: &[T], shown: usize) -> String {
    let mut text = items.iter().take(shown).map(T::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > shown {
        text.push_str(&format!(" and {} more", items.len() - shown));
    }
    text
}

/// Whether any of `tags` says `key=value`; a `wanted` without `=` asks for the key with any value.
#[must_use]
pub fn tag_matches(tags: &Tags, wanted: &str) -> bool {
    tags.match_any(wanted)
}
