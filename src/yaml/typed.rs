//! Text to a typed value, for files whose author is a program or an administrator.

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_yaml::{MessageFormatter, UserMessageFormatter};

/// The largest file that is read at all: about 300,000 servers, one a line, with room.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A file that could not be read as what it should be.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// Counted from 1; 0 if the place is not known.
    pub line: u64,
    /// Counted from 1; 0 if the place is not known.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

/// Reads `text` into a typed value.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| located(&error))
}

/// The same with a seed: where what is wanted is only known when it is read.
pub fn from_str_seeded<V>(
    text: &str,
    seed: impl for<'de> DeserializeSeed<'de, Value = V>,
) -> Result<V, Error> {
    let read = |deserializer: serde_yaml::Deserializer<'_, '_>| seed.deserialize(deserializer);
    serde_yaml::with_deserializer_from_str_with_options(text, options(), read)
        .map_err(|error| located(&error))
}

fn located(error: &serde_yaml::Error) -> Error {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    Error { line, column, message: words(error) }
}

/// What is wrong, for a person who wrote YAML and no Rust. No value is quoted: it may be a password,
/// and one that begins with `!` is a tag.
#[expect(clippy::wildcard_enum_match_arm, reason = "of the YAML crate, and it may grow")]
fn words(error: &serde_yaml::Error) -> String {
    use serde_yaml::Error as Wrong;
    match error {
        Wrong::NullIntoString { .. } => "there is nothing where a text should be".to_owned(),
        Wrong::Unexpected { expected: "mapping start", .. } => {
            "there should be a map, as in `key: value`".to_owned()
        }
        Wrong::Unexpected { expected: "string scalar", .. } => "there should be a text".to_owned(),
        Wrong::UnsupportedTag { .. } | Wrong::TaggedStructFieldName { .. } => {
            "a text that begins with `!` has to be in quotes".to_owned()
        }
        Wrong::SerdeInvalidType { expected, .. } | Wrong::SerdeInvalidValue { expected, .. } => {
            format!("there should be {expected}")
        }
        _ => UserMessageFormatter.format_message(error).into_owned(),
    }
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        duplicate_keys: serde_yaml::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_yaml::budget! {
            max_nodes: 5_000_000,
            max_events: 10_000_000,
            max_depth: 64,
            max_merge_keys: 200_000,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: 2_000_000 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn yaml_1_1_surprises_stay_what_they_look_like() {
        let value: Value = from_str("a: no\nb: 010\nc: 1_000\nd: true\ne: 5").unwrap();
        assert_eq!(value, json!({"a": "no", "b": "010", "c": "1_000", "d": true, "e": 5}));
    }

    #[test]
    fn a_duplicate_key_is_refused_with_its_line() {
        let error = from_str::<Value>("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.line, 3);
    }

    #[test]
    fn what_is_wrong_is_said_once_and_without_words_of_rust() {
        type Clouds =
            std::collections::BTreeMap<String, std::collections::BTreeMap<String, String>>;
        let check = |text: &str, wanted: &str| {
            assert_eq!(from_str::<Clouds>(text).unwrap_err().to_string(), wanted, "{text}");
        };
        let map = "there should be a map, as in `key: value`";
        check("clouds: x", &format!("line 1, column 9: {map}"));
        check("clouds: {a: [b]}", "line 1, column 13: there should be a text");
        check(
            "clouds: {password: !hunter2 x}",
            "line 1, column 29: a text that begins with `!` has to be in quotes",
        );
        check("~: {a: b}", "line 1, column 1: there is nothing where a text should be");
        check("clouds:\n  a:\n", "line 2, column 4: there is nothing where a text should be");
        check(
            "a: {b: c}\na: {}",
            "line 2, column 1: duplicate mapping key `a` is not allowed here",
        );
    }
}
