//! Files that list servers: one id or name a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Place;
use crate::yaml::{MAX_BYTES, Node, Span};

use super::lower::Desk;
use super::model::HostLine;
use super::problem::{Code, Problem};
use super::source::Source;
use super::suggest::shown;

/// More problems of one file are not worth telling one by one.
const MAX_PROBLEMS: usize = 10;

/// Reads the lines of an inventory; `None` if it is refused.
pub(super) fn read(
    desk: &mut Desk<'_>,
    named: &Node,
    path: &str,
    bytes: Vec<u8>,
) -> Option<Vec<HostLine>> {
    if bytes.len() > MAX_BYTES {
        desk.report(
            Problem::error(Code::TooLarge, format!("`{path}` has more than 64 MB"))
                .label(named.span, "named here")
                .help("that is more than 300,000 servers: split the file, and the playbook"),
        );
        return None;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        desk.report(
            Problem::error(Code::NotUtf8, format!("`{path}` is not UTF-8"))
                .label(named.span, "named here")
                .help("save the file as UTF-8"),
        );
        return None;
    };
    let source = Source::new(path, text);
    let (lines, problems) = lines(&source);
    let refused = !problems.is_empty();
    problems.into_iter().take(MAX_PROBLEMS).for_each(|problem| desk.report_elsewhere(problem));
    if lines.is_empty() && !refused {
        desk.report(
            Problem::error(Code::EmptyInventory, format!("`{path}` lists no server"))
                .label(named.span, "named here")
                .help("one id or name a line; lines that begin with `#` are comments"),
        );
        return None;
    }
    (!refused).then_some(lines)
}

fn lines(source: &Source) -> (Vec<HostLine>, Vec<Problem>) {
    let file: Arc<str> = Arc::from(source.name.as_str());
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let mut start = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        let text = line.split(" #").next().unwrap_or(line).trim();
        let begin = start + (line.len() - line.trim_start().len());
        start += line.len();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let span = Span::new(begin, begin + text.len());
        if let Some(problem) = bad_line(text, span) {
            problems.push(problem.found_in(source));
        } else if let Some(first) = seen.insert(text, span) {
            problems.push(
                Problem::error(Code::ListedTwice, format!("{} is listed twice", shown(text)))
                    .label(span, "again")
                    .label(first, "first here")
                    .help("remove one of the lines")
                    .found_in(source),
            );
        } else {
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            lines.push(HostLine {
                text: text.to_owned(),
                place: Place { file: Arc::clone(&file), line },
            });
        }
    }
    (lines, problems)
}

fn bad_line(text: &str, span: Span) -> Option<Problem> {
    let end = span.end.min(span.start.saturating_add(80));
    let span = Span { end, ..span };
    let later = |what: &str| {
        Problem::error(
            Code::NotBuilt,
            format!("inventories in {what} are not in this version of refleet"),
        )
        .label(span, format!("looks like {what}"))
        .help("one id or name a line, and nothing else")
    };
    if text.starts_with('[') || text.contains('=') {
        return Some(later("the INI format"));
    }
    if text.contains([',', ';', '\t']) {
        return Some(later("the CSV format"));
    }
    if text.starts_with("- ") || text.ends_with(':') {
        return Some(later("the YAML format"));
    }
    text.contains(['*', '?', '{']).then(|| {
        Problem::error(
            Code::PatternInInventory,
            format!("{} is a pattern, not a server", shown(text)),
        )
        .label(span, "a file lists servers one by one")
        .help("select by pattern in the playbook: `hosts: [{ name: … }]`")
    })
}
