//! A name, or a pattern of names, with a bound on what it may cost.
//!
//! Whoever matches names starts here. A pattern is made of characters, and names are compared in one
//! Unicode spelling: `?` is one letter in every language. The matcher behind it is a regular
//! expression, which takes a time that grows with the name only.

use regex::{Regex, RegexBuilder};

use crate::domain::composed;

/// Bytes that a pattern may have. The names it is for are much shorter; a list of names belongs
/// into a file. What this lets through compiles, in well under a millisecond.
const LONGEST: usize = 512;

/// Bytes that a compiled pattern may take.
const LARGEST: usize = 1 << 20;

/// Alternatives within alternatives: nobody can read more.
const DEEPEST: usize = 8;

/// What a name is compared with.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// `None`: the text is no pattern but a name, of which a playbook may have thousands.
    glob: Option<Regex>,
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
        let glob = if Self::is_name(text) { None } else { Some(compiled(&composed(text))?) };
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
        let name = composed(name);
        self.glob.as_ref().map_or_else(|| composed(&self.text) == name, |glob| glob.is_match(&name))
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

/// The regular expression for a pattern.
fn compiled(text: &str) -> Result<Regex, PatternError> {
    let malformed = |why: &str| PatternError::Malformed(why.to_owned());
    let mut expression = String::from("^(?s:");
    let (mut chars, mut open) = (text.chars().peekable(), 0_usize);
    while let Some(c) = chars.next() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '{' => {
                open += 1;
                expression.push_str("(?:");
            }
            '}' if open == 0 => return Err(malformed("`}` closes nothing")),
            '}' => {
                open -= 1;
                expression.push(')');
            }
            ',' if open > 0 => expression.push('|'),
            '[' => class(&mut chars, &mut expression)?,
            '\\' => {
                let literal = chars.next().ok_or_else(|| malformed("`\\` ends it"))?;
                push_literal(&mut expression, literal);
            }
            literal => push_literal(&mut expression, literal),
        }
    }
    if open > 0 {
        return Err(malformed("`{` is not closed"));
    }
    expression.push_str(")$");
    let made = RegexBuilder::new(&expression).size_limit(LARGEST).build();
    made.map_err(|_| malformed("it is too large"))
}

/// One of these characters: what follows a `[`, up to its `]`.
fn class(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    expression: &mut String,
) -> Result<(), PatternError> {
    let malformed = |why: &str| PatternError::Malformed(why.to_owned());
    expression.push('[');
    if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
        expression.push('^');
    }
    let mut first = true;
    loop {
        let c = chars.next().ok_or_else(|| malformed("`[` is not closed"))?;
        // Right behind `[`, a `]` is one of the characters.
        if c == ']' && !first {
            break;
        }
        first = false;
        push_literal(expression, c);
        if chars.next_if_eq(&'-').is_some() {
            match chars.peek() {
                // At the end, a `-` is one of the characters.
                None | Some(']') => push_literal(expression, '-'),
                Some(last) if *last < c => {
                    return Err(malformed(&format!("`{c}-{last}` is no range")));
                }
                Some(last) => {
                    expression.push('-');
                    push_literal(expression, *last);
                    chars.next();
                }
            }
        }
    }
    expression.push(']');
    Ok(())
}

/// A character that stands for itself.
fn push_literal(expression: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        expression.push('\\');
    }
    expression.push(c);
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
        check("a.b", "axb", false);
        check("[]a]b", "]b", true);
        check("[a-]b", "-b", true);
        check("web-{1,2}", "web-,", false);
    }

    #[test]
    fn a_pattern_is_made_of_characters() {
        let check = |text: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::try_new(text).unwrap().matches(name), expected, "{text} {name}");
        };
        check("B?ro-*", "B\u{fc}ro-1", true);
        check("B?ro-*", "Bu\u{308}ro-1", true);
        check("srv?", "srv\u{1f680}", true);
        check("[\u{fc}]x", "\u{fc}x", true);
        check("[\u{e0}-\u{ff}]x", "\u{fc}x", true);
        check("[!x]ro", "\u{fc}ro", true);
        check("[!\u{fc}]ro", "\u{fc}ro", false);
        check("b\u{fc}ro", "bu\u{308}ro", true);
        check("bu\u{308}*", "b\u{fc}ro", true);
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
