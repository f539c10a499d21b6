//! A name, or a pattern of names, with a bound on what it may cost.
//!
//! Whoever matches names starts here: the matcher behind it stops the program when it is given
//! more than it can take, and a pattern from a file must never be able to.

use globset::{Glob, GlobMatcher};

/// Bytes that a pattern may have. The names it is for are much shorter; a list of names belongs
/// into a file. What this lets through compiles, in well under a millisecond.
const LONGEST: usize = 512;

/// Alternatives within alternatives: nobody can read more.
const DEEPEST: usize = 8;

/// What a name is compared with.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// `None`: the text is no pattern but a name, of which a playbook may have thousands.
    glob: Option<GlobMatcher>,
}

/// Why a pattern could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Not a pattern.
    #[error("the pattern is malformed: {0}")]
    Malformed(String),
    /// More than it may have.
    #[error("the pattern has {0} bytes, and {LONGEST} is the most")]
    TooLong(usize),
    /// Deeper than it may be.
    #[error("the pattern has braces in braces in braces: {DEEPEST} levels is the most")]
    TooDeep,
}

impl Pattern {
    /// A pattern: `*` is any text, `?` any character, `[ab]` and `{a,b}` one of these.
    pub fn try_new(text: &str) -> Result<Self, PatternError> {
        if text.len() > LONGEST {
            return Err(PatternError::TooLong(text.len()));
        }
        if text.matches('{').count() > DEEPEST && depth(text) > DEEPEST {
            return Err(PatternError::TooDeep);
        }
        let glob = if Self::is_name(text) {
            None
        } else {
            let glob = Glob::new(text)
                .map_err(|error| PatternError::Malformed(error.kind().to_string()))?;
            Some(glob.compile_matcher())
        };
        Ok(Self { text: text.to_owned(), glob })
    }

    /// Whether a text is a name and no pattern: such a one costs nothing to make.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        !text.contains(['*', '?', '[', ']', '{', '}', '\\'])
    }

    /// Whether that name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.glob.as_ref().map_or_else(|| self.text == name, |glob| glob.is_match(name))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one name that it means, if it is no pattern at all.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.glob.is_none().then_some(self.text.as_str())
    }
}

/// How deep braces stand in braces.
fn depth(text: &str) -> usize {
    let (mut deepest, mut open) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_means_itself_and_a_pattern_what_it_says() {
        let check = |text: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::try_new(text).unwrap().matches(name), expected, "{text} {name}");
        };
        check("web-01", "web-01", true);
        check("web-01", "web-011", false);
        check("web.01", "web-01", false);
        check("", "", true);
        check("web-*", "web-01", true);
        check("web-?", "web-01", false);
        check("{web,db}-[0-9]*", "db-17/a", true);
        check("a\\*", "a*", true);
        check("a\\*", "ab", false);
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = Pattern::try_new(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&"*a".repeat(300), "600 bytes");
        check(&format!("{}b{}", "{a,".repeat(100), "}".repeat(100)), "levels");
        check("web-[", "malformed");
        Pattern::try_new(&format!("{}b{}", "{a,".repeat(8), "}".repeat(8))).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_pattern_stops_the_program(
            part in prop_oneof!["[a*?{},\\[\\]!^\\\\ä-]{0,16}", Just("[!\u{0}-\u{10ffff}]".to_owned())],
        ) {
            let long = part.repeat(LONGEST / part.len().max(1));
            let made = Pattern::try_new(&long).is_ok_and(|pattern| pattern.matches("web-01"));
            prop_assert!(!made || !long.is_empty());
        }
    }
}
