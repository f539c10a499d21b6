//! How two texts differ, line by line. Start with [`between`].
//!
//! This is the only place that compares texts.

use similar::TextDiff;

use crate::domain::steers;

/// Lines shown around a change.
const AROUND: usize = 2;

/// The longest difference that is shown; whoever needs more looks with git.
const MOST_LINES: usize = 120;

/// The longest line that is shown.
const LONGEST: usize = 160;

/// The lines that differ, as `diff -u` shows them; none if the texts are the same.
pub(super) fn between(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    let text = unified.context_radius(AROUND).to_string();
    let mut lines: Vec<String> = text.lines().take(MOST_LINES).map(plain).collect();
    let more = text.lines().count().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(format!("… and {more} more lines"));
    }
    lines
}

/// A line that a terminal shows as it is, and no longer than anybody reads.
fn plain(line: &str) -> String {
    let mut shown: String = line
        .chars()
        .take(LONGEST)
        .map(|c| if steers(c) && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    if line.chars().count() > LONGEST {
        shown.push('…');
    }
    shown.replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        let old = "a\nb\nc\nd\ne\nf\n";
        let lines = between(old, &old.replace("c\n", "C\u{1b}[2J\n"));
        let shown = ["@@ -1,5 +1,5 @@", " a", " b", "-c", "+C\u{fffd}[2J", " d", " e"];
        assert_eq!(lines, shown);
        assert!(between(old, old).is_empty());
    }

    #[test]
    fn a_long_difference_is_cut_and_counted() {
        let new: String = (0..500).map(|n| format!("{n}{}\n", "x".repeat(300))).collect();
        let lines = between("", &new);
        assert_eq!(lines.len(), MOST_LINES + 1);
        assert_eq!(lines.last().map(String::as_str), Some("… and 381 more lines"));
        assert!(lines.iter().all(|line| line.chars().count() <= LONGEST + 1));
    }
}
