//! `include`: fleets, defaults and guards of other files.
//!
//! Start with [`gather`]. An included file is read like a playbook, with its own `vars`, and its paths
//! are seen from its own folder. It can make guards stricter and never looser.

use std::path::{Component, Path};
use std::sync::Arc;

use super::insert::{self, Expanded, Whole};
use super::lower::{Desk, Seat};
use super::matrix::Parts;
use super::parse::{LIMITS, check_parts, syntax};
use super::problem::{Code, Problem};
use super::source::{MAX_PLAYBOOK_BYTES, Source};
use super::treatment::text;
use super::{check, mask};
use crate::yaml::{Node, Tree};

/// Files in files in files.
const DEEPEST: usize = 8;

/// Files in all.
const MOST: usize = 64;

/// One file with its inserts made.
pub(super) struct Sheet {
    /// Where it stands.
    pub(super) seat: Seat,
    /// What it says.
    pub(super) root: Node,
    /// The parts of its matrices.
    pub(super) parts: Parts,
}

/// The files that a playbook includes, what is included first; each file once, whoever names it again.
pub(super) fn gather(desk: &mut Desk<'_>, root: &Node) -> Vec<Sheet> {
    let mut gathering = Gathering { way: Vec::new(), seen: Vec::new(), sheets: Vec::new() };
    gathering.below(desk, root);
    gathering.sheets
}

struct Gathering {
    /// The files that name each other down to this one.
    way: Vec<String>,
    seen: Vec<String>,
    sheets: Vec<Sheet>,
}

impl Gathering {
    fn below(&mut self, desk: &mut Desk<'_>, root: &Node) {
        for node in root.get("include").and_then(Node::items).unwrap_or_default() {
            let Some(written) = text(node) else { continue };
            let path = plain(&desk.seen_from_playbook(written));
            if self.way.contains(&path) || desk.is_playbook(&path) {
                let way: Vec<&str> =
                    self.way.iter().map(String::as_str).chain([path.as_str()]).collect();
                let message = format!("files include each other: {}", way.join(" → "));
                desk.report(
                    Problem::error(Code::IncludeCircle, message)
                        .label(node.span, "comes back here")
                        .help("take out one of the two `include`"),
                );
            } else if self.way.len() >= DEEPEST || self.seen.len() >= MOST {
                desk.report(
                    Problem::error(
                        Code::TooManyIncludes,
                        format!("files {DEEPEST} deep, or more than {MOST} of them"),
                    )
                    .label(node.span, "one too many")
                    .help("who reviews this has to read all of them: put some together"),
                );
                return;
            } else if !self.seen.contains(&path) {
                self.seen.push(path.clone());
                self.file(desk, node, path);
            }
        }
    }

    fn file(&mut self, desk: &mut Desk<'_>, node: &Node, path: String) {
        let Some(named) = desk.read(node) else { return };
        let Some(source) = source(desk, node, &named.file.path, &named.bytes) else { return };
        let seat = desk.sit(Seat::new(source, &named.path));
        if let Some((root, parts)) = read(desk) {
            self.way.push(path);
            self.below(desk, &root);
            self.way.pop();
            self.sheets.push(Sheet { seat: desk.seat.clone(), root, parts });
        }
        desk.sit(seat);
    }
}

fn source(desk: &mut Desk<'_>, node: &Node, name: &str, bytes: &[u8]) -> Option<Source> {
    let (code, message, help) = match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= MAX_PLAYBOOK_BYTES => return Some(Source::new(name, text)),
        Ok(_) => (
            Code::TooLarge,
            format!("`{name}` has more than 4 MB"),
            "put long lists of servers into a file of their own, and name it with `file:`",
        ),
        Err(_) => (Code::NotUtf8, format!("`{name}` is not UTF-8"), "save the file as UTF-8"),
    };
    desk.report(Problem::error(code, message).label(node.span, "included here").help(help));
    None
}

/// Reads the text that the desk sits at.
fn read(desk: &mut Desk<'_>) -> Option<(Node, Parts)> {
    let source = desk.seat.source.clone();
    let tree = Tree::read(&source.text, LIMITS);
    let secrets = mask::hidden(tree.root.as_ref(), &source.text);
    desk.hidden.push((source.clone(), secrets));
    for flaw in &tree.flaws {
        desk.report(syntax(flaw, &source.text));
    }
    let whole = if tree.flaws.is_empty() { Whole::Yes } else { Whole::No };
    let root = tree.root.filter(|root| root.entries().is_some_and(|entries| !entries.is_empty()));
    let Some(root) = root else {
        if whole == Whole::Yes {
            let message = format!("there is nothing to include in `{}`", source.name);
            desk.report(
                Problem::error(Code::Empty, message)
                    .help("it has `version: 1`, and some of `guards`, `defaults` and `fleets`"),
            );
        }
        return None;
    };
    let Expanded { root, parts, vars, unused, problems } =
        insert::expand(&root, &source.text, whole);
    desk.learn(vars, unused);
    let unfit = check::check_included(&root, &source.text, whole);
    for problem in problems.into_iter().chain(unfit) {
        desk.report(problem);
    }
    check_parts(desk, &root, &parts, whole);
    Some((root, parts))
}

/// A path without `.` and `..` in the middle, so that one file has one name.
fn plain(path: &str) -> String {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(parts.last(), Some(Component::Normal(_))) => {
                parts.pop();
            }
            Component::ParentDir
            | Component::Normal(_)
            | Component::RootDir
            | Component::Prefix(_) => parts.push(part),
        }
    }
    parts.iter().collect::<std::path::PathBuf>().to_string_lossy().into_owned()
}

/// A fleet that another file has as well.
pub(super) fn twice(
    desk: &mut Desk<'_>,
    name: &Arc<str>,
    at: crate::yaml::Span,
    first: &crate::domain::Place,
) {
    if *first.file == *desk.seat.source.name {
        return;
    }
    desk.report(
        Problem::error(Code::DuplicateFleet, format!("the fleet `{name}` is in two files"))
            .label(at, format!("also at {first}"))
            .help("rename one of them; one would otherwise replace the other without a word"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_name() {
        for (path, name) in [("a/./b", "a/b"), ("a/../b", "b"), ("../b", "../b"), ("/a/../b", "/b")]
        {
            assert_eq!(plain(path), name);
        }
    }
}
