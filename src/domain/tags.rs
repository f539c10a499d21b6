//! Tags of a server: a key may carry several values, and none of them outvotes another.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_same_text;

/// The tags of a server, sorted by key and value.
///
/// A cloud may keep them in more than one place, such as Nova's tags and its metadata, and the same
/// key may stand in both with different values. What protects a server must hold if any of them
/// says so, so every value is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "BTreeMap<String, Values>", into = "BTreeMap<String, Values>")]
pub struct Tags(Vec<(String, String)>);

/// The values of one key. A single one is written as a text, as it was before there could be several.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Values {
    /// The only value; empty for a tag without one.
    One(String),
    /// Several values, sorted.
    Several(Vec<String>),
}

impl Tags {
    /// No tags.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a value to a key. Other values of the key stay.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let pair = (key.into(), value.into());
        if let Err(at) = self.0.binary_search(&pair) {
            self.0.insert(at, pair);
        }
    }

    /// Gives a key this value and no other.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.retain(|(have, _)| have != key);
        self.insert(key, value);
    }

    /// Takes all tags away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each pair of key and value, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// All values of a key, sorted; empty for a tag without a value.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let start = self.0.partition_point(|(have, _)| have.as_str() < key);
        let end = self.0.partition_point(|(have, _)| have.as_str() <= key);
        self.0[start..end].iter().map(|(_, value)| value.as_str())
    }

    /// Whether the key is there, with any value or none.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// The value of a key that has one value only. The bare key beside a value counts for nothing.
    #[must_use]
    pub fn only(&self, key: &str) -> Option<&str> {
        let mut said = self.values(key).filter(|value| !value.is_empty());
        match (said.next(), said.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => None,
            (None, _) => self.values(key).next(),
        }
    }

    /// Whether any tag says `key=value`; a `wanted` without `=` asks for the key with any value.
    #[must_use]
    pub fn match_any(&self, wanted: &str) -> bool {
        let (key, value) = split(wanted);
        self.spelt_like(key).any(|have| value.is_none_or(|value| is_same_text(have, value)))
    }

    /// Whether a tag says `key=value`, and none gives the key another value.
    #[must_use]
    pub fn agree_on(&self, wanted: &str) -> bool {
        let (key, value) = split(wanted);
        let others = value.is_some_and(|value| {
            self.spelt_like(key).any(|have| !have.is_empty() && !is_same_text(have, value))
        });
        self.match_any(wanted) && !others
    }

    /// All values of a key, however that is spelt in Unicode.
    fn spelt_like(&self, key: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(have, _)| is_same_text(have, key));
        pairs.map(|(_, value)| value.as_str())
    }
}

/// The key and the value of `key=value`; of a bare `key`, no value.
fn split(wanted: &str) -> (&str, Option<&str>) {
    wanted.split_once('=').map_or((wanted, None), |(key, value)| (key, Some(value)))
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        let mut pairs: Vec<(String, String)> = pairs.collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs)
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Tags {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Tags {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl From<BTreeMap<String, Values>> for Tags {
    fn from(keys: BTreeMap<String, Values>) -> Self {
        let mut tags = Self::new();
        for (key, values) in keys {
            match values {
                Values::One(value) => tags.insert(key, value),
                Values::Several(values) => {
                    tags.extend(values.into_iter().map(|value| (key.clone(), value)));
                }
            }
        }
        tags
    }
}

impl From<Tags> for BTreeMap<String, Values> {
    fn from(tags: Tags) -> Self {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in tags.0 {
            keys.entry(key).or_default().push(value);
        }
        let values = |mut values: Vec<String>| match (values.pop(), values.is_empty()) {
            (Some(only), true) => Values::One(only),
            (last, _) => {
                values.extend(last);
                Values::Several(values)
            }
        };
        keys.into_iter().map(|(key, all)| (key, values(all))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outvoted() -> Tags {
        Tags::from([("reinstall", "ok"), ("role", "web"), ("reinstall", "never"), ("role", "")])
    }

    #[test]
    fn no_value_of_a_key_hides_another() {
        let tags = outvoted();
        for (wanted, any, agreed) in [
            ("reinstall=never", true, false),
            ("reinstall=ok", true, false),
            ("reinstall=yes", false, false),
            ("reinstall", true, true),
            ("role=web", true, true),
            ("role=", true, false),
            ("rol", false, false),
            ("rolex", false, false),
            ("", false, false),
        ] {
            assert_eq!(tags.match_any(wanted), any, "{wanted}");
            assert_eq!(tags.agree_on(wanted), agreed, "{wanted}");
        }
        let mut doubled = tags.clone();
        doubled.insert("reinstall", "never");
        assert_eq!(doubled, tags);
    }

    #[test]
    fn a_key_with_two_values_has_no_value_to_insert() {
        let tags = outvoted();
        assert_eq!(tags.only("reinstall"), None);
        assert_eq!(tags.only("role"), Some("web"));
        assert_eq!(tags.only("site"), None);
        assert_eq!(Tags::from([("spare", "")]).only("spare"), Some(""));
    }

    #[test]
    fn single_values_are_written_as_they_always_were() {
        let check = |json: &str, tags: &Tags| {
            assert_eq!(serde_json::to_string(tags).expect("it is written"), json);
            assert_eq!(&serde_json::from_str::<Tags>(json).expect("it is read"), tags);
        };
        check("{}", &Tags::new());
        check(r#"{"a":"b","c":""}"#, &Tags::from([("c", ""), ("a", "b")]));
        check(r#"{"reinstall":["never","ok"],"role":["","web"]}"#, &outvoted());
    }
}
