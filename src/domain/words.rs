//! Small helpers for sentences, in one place so that plural forms agree everywhere.

use std::collections::BTreeMap;
use std::fmt::Display;

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

/// Whether `tags` hold the tag `key=value`; a `wanted` without `=` asks for the key with any value.
#[must_use]
pub fn tag_matches(tags: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => tags.get(key).is_some_and(|have| have == value),
        None => tags.contains_key(wanted),
    }
}
