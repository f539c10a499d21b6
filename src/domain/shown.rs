//! The one door that text from outside passes before people see it.
//!
//! Start with [`shown`]. Names, tags, faults, paths and the output of programs are whatever somebody
//! chose: an escape sequence in a name can erase a line of the plan, a line break can add one, and a
//! direction mark can turn one around. Text for people is built from [`Lines`], so a line break that
//! is not ours cannot become a line; whoever writes to a terminal or a file calls [`printable`] as
//! well, so a place that was forgotten cannot steer anything.
//!
//! Output for programs stays faithful: [`json`] only writes such characters as JSON escapes.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// Whether a character steers a terminal, turns text around, or is there without being seen.
///
/// These are the control characters, the format characters of Unicode, the two separators that
/// break lines, and the fillers that show nothing. The Arabic signs that go before numbers are
/// format characters too; they are seen, so they stay.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{13430}'..='\u{1345f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The text on one line, as it may be shown: what steers is escaped, such as `\u{1b}`. Shown twice, it
/// is the same.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// The same for a text of several lines that are ours already: its line breaks stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && steers(c))
}

fn escaped(text: &str, steers: fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON of the same value in which nothing steers a terminal. Its own layout may have line breaks.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let odd = |c: char| c != '\n' && steers(c);
    if !text.chars().any(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if odd(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing into a string cannot fail.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A value whose text is [`shown`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(
    /// The value, as it is.
    pub T,
);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Door(f), "{}", self.0)
    }
}

/// Writes what may be shown.
struct Door<W>(W);

impl<W: Write> Write for Door<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&shown(text))
    }
}

/// Text for people, made line by line. Whatever a line is made of, it stays one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(String);

impl Lines {
    /// No line yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more line, without the blanks at its end.
    pub fn line(&mut self, line: impl Display) {
        let start = self.0.len();
        // Writing into a string cannot fail.
        write!(Door(&mut self.0), "{line}").ok();
        let kept = self.0[start..].trim_end_matches(' ').len();
        self.0.truncate(start + kept);
        self.0.push('\n');
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Other lines, each behind `indent`.
    pub fn indented(&mut self, indent: &str, lines: impl IntoIterator<Item = impl Display>) {
        for line in lines {
            self.line(format_args!("{indent}{line}"));
        }
    }

    /// Lines that were made elsewhere.
    pub fn append(&mut self, lines: &Self) {
        self.0.push_str(&lines.0);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text; each of its lines ends in a line break.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_is_escaped_and_the_rest_stays() {
        for (text, want) in [
            ("web-1", "web-1"),
            ("größe 日本 👍 ❤\u{fe0f}", "größe 日本 👍 ❤\u{fe0f}"),
            ("\u{1b}[2Jx\u{7f}", "\\u{1b}[2Jx\\u{7f}"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            ("a\u{202e}b\u{2066}c\u{61c}", "a\\u{202e}b\\u{2066}c\\u{61c}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{feff}a\u{200b}b\u{e0041}", "\\u{feff}a\\u{200b}b\\u{e0041}"),
            (r"C:\u{1b}", r"C:\u{1b}"),
        ] {
            assert_eq!(shown(text), want);
            assert_eq!(Shown(text).to_string(), want);
        }
        assert_eq!(printable("a\nb\tc\r\n"), "a\nb\\u{9}c\\u{d}\n");
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut lines = Lines::new();
        lines.line(format_args!("{}: {}  ", "web\nMADE-UP", 3));
        lines.blank();
        lines.indented("  ", ["a", "b\r"]);
        assert_eq!(lines.into_text(), "web\\u{a}MADE-UP: 3\n\n  a\n  b\\u{d}\n");
    }

    #[test]
    fn json_is_the_same_value() {
        let value = serde_json::json!({"a\u{9b}": "x\u{202e}\u{1b}\n\u{e0041}\u{7f}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = json(&text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        assert!(safe.contains(r"\u009b") && safe.contains(r"\u202e"), "{safe}");
        assert!(!safe.chars().any(|c| c != '\n' && steers(c)), "{safe}");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_comes_through(text in any::<String>()) {
            let once = shown(&text).into_owned();
            prop_assert!(!once.chars().any(steers));
            prop_assert_eq!(shown(&once), once.as_str());
            prop_assert!(!printable(&text).chars().any(|c| c != '\n' && steers(c)));
            let mut lines = Lines::new();
            lines.line(&text);
            prop_assert_eq!(lines.into_text().matches('\n').count(), 1);
        }
    }
}
