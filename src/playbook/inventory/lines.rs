//! One id or name a line; `#` begins a comment.

use super::super::problem::{Code, Problem};
use super::read::{Listing, Listings};
use crate::yaml::Span;

/// Reads the lines.
pub(super) fn read(text: &str) -> Listings {
    let mut found = Listings::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.split(" #").next().unwrap_or(line).trim();
        let begin = start + (line.len() - line.trim_start().len());
        start += line.len();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let span = Span::new(begin, begin + content.len());
        let Some((format, mend)) = other_format(content) else {
            found.hosts.push(Listing::new(content, span));
            continue;
        };
        // What follows the first word may be a password of another tool.
        let word = content.split([' ', '\t', ',', ';', '=']).next().unwrap_or_default().len();
        found.hidden.push(Span::new(begin + word, begin + content.len()));
        if found.problems.is_empty() {
            found.problems.push(
                Problem::error(Code::BadInventory, "a line is more than an id or a name")
                    .label(Span::new(begin, begin + word), format!("looks like {format}"))
                    .help(mend),
            );
        }
    }
    found.hidden.retain(|span| span.start < span.end);
    found
}

/// What a line looks like that is neither an id nor a name.
fn other_format(text: &str) -> Option<(&'static str, &'static str)> {
    let range = text.contains('[') && text.contains(':') && text.contains(']');
    if text.starts_with("resource \"") {
        return Some((
            "what `terraform show` prints for people",
            "write the file with `terraform show -json > servers.json`",
        ));
    }
    if text.starts_with('[') || text.contains('=') || range {
        Some((
            "an Ansible inventory",
            "name the file `….ini` if it is one; else one id or name a line",
        ))
    } else if text.contains([',', ';', '\t']) {
        Some(("CSV", "name the file `….csv` if it is CSV; else one id or name a line"))
    } else if text.starts_with("- ") || text.ends_with(':') {
        Some((
            "YAML",
            "name the file `….yaml` if it is an Ansible inventory; else one id or name a line",
        ))
    } else {
        None
    }
}
