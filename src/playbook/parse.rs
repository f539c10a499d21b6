//! The way of a text: tree, secrets, inserts, structure, meaning.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::yaml::{Flaw, FlawKind, Limits, Node, Span, Tree};

use super::include::Sheet;
use super::insert::{Expanded, Whole};
use super::lower::{self, Desk};
use super::matrix::Parts;
use super::model::Playbook;
use super::problem::{Code, Problem, Severity};
use super::source::{Files, Source};
use super::{check, include, insert, mask, suggest};

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The playbook; `None` if any problem is an error.
    pub playbook: Option<Playbook>,
    /// All problems, in the order of the text.
    pub problems: Vec<Problem>,
}

/// What a playbook may cost.
pub(super) const LIMITS: Limits = Limits { nodes: 300_000, depth: 64, scalar: 1024 * 1024 };

/// More problems of one file are not worth telling one by one.
pub(super) const MAX_PROBLEMS: usize = 100;

/// Reads a playbook, and every problem it has.
#[must_use]
pub fn parse(source: &Source, files: &dyn Files) -> Parsed {
    let tree = Tree::read(&source.text, LIMITS);
    let secrets = mask::hidden(tree.root.as_ref(), &source.text);
    let mut desk = Desk::new(source, files);
    tree.flaws.iter().for_each(|flaw| desk.report(syntax(flaw, &source.text)));
    let whole = if tree.flaws.is_empty() { Whole::Yes } else { Whole::No };
    let playbook = tree.root.as_ref().and_then(|root| playbook(&mut desk, root, whole));
    if tree.root.is_none() && tree.flaws.is_empty() {
        desk.report(empty(&desk.seat.source.name));
    }
    let mut problems = desk.problems;
    // The playbook first, then what it names, each in the order of its text.
    problems.sort_by(|a, b| order(source, a).cmp(&order(source, b)));
    // What is wrong with a fleet is wrong with each part of its matrix.
    let mut told = BTreeSet::new();
    problems.retain(|problem| {
        let labels = problem.labels.clone();
        told.insert((problem.code(), problem.source.name.clone(), labels, problem.message.clone()))
    });
    problems.truncate(MAX_PROBLEMS);
    let texts = desk.hidden.into_iter().chain([(source.clone(), secrets)]);
    texts.for_each(|(source, hidden)| mask::apply(&source, hidden, &mut problems));
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    Parsed { playbook: playbook.filter(|_| !refused), problems }
}

fn order<'p>(playbook: &Source, problem: &'p Problem) -> (bool, &'p str, Option<Span>) {
    let name = problem.source.name.as_str();
    (name != playbook.name, name, problem.labels.first().map(|(span, _)| *span))
}

fn playbook(desk: &mut Desk<'_>, root: &Node, whole: Whole) -> Option<Playbook> {
    let Some(entries) = root.entries() else {
        // A text or a list; a flaw may have told already what became of the map.
        if whole == Whole::Yes {
            desk.report(
                empty(&desk.seat.source.name)
                    .label(Span { end: root.span.start, ..root.span }, "not a map of keys"),
            );
        }
        return None;
    };
    if entries.is_empty() && whole == Whole::Yes {
        desk.report(empty(&desk.seat.source.name));
        return None;
    }
    let text = Arc::clone(&desk.seat.source.text);
    let Expanded { root, parts, vars, unused, problems } = insert::expand(root, &text, whole);
    for problem in problems.into_iter().chain(check::check(&root, &text, whole)) {
        desk.report(problem);
    }
    check_parts(desk, &root, &parts, whole);
    desk.learn(vars, unused);
    let included = include::gather(desk, &root);
    let own = Sheet { seat: desk.seat.clone(), root, parts };
    let playbook = lower::lower(desk, &own, &included);
    desk.tell_unused();
    playbook
}

/// The first part of a matrix was checked in its place; an inserted value may fit in one part and not in
/// another.
pub(super) fn check_parts(desk: &mut Desk<'_>, root: &Node, parts: &Parts, whole: Whole) {
    let text = Arc::clone(&desk.seat.source.text);
    for entry in root.get("fleets").and_then(Node::entries).unwrap_or_default() {
        for part in parts.get(&entry.key.text).into_iter().flatten().skip(1) {
            for problem in check::check_fleet(entry, &part.node, &text, whole) {
                desk.report(problem);
            }
        }
    }
}

fn empty(file: &str) -> Problem {
    Problem::error(Code::Empty, format!("there is no playbook in `{file}`"))
        .help("the smallest has `version: 1`, `cloud: …` and `fleets: …`; `refleet explain empty` shows one")
}

/// What the tree found wrong, in the words of a playbook.
pub(super) fn syntax(flaw: &Flaw, text: &str) -> Problem {
    let at = flaw.span;
    match &flaw.kind {
        FlawKind::Syntax { message } => trap(at, text).unwrap_or_else(|| {
            Problem::error(Code::Syntax, format!("this is not YAML: {message}"))
                .label(at, "read up to here")
                .help("look at the indentation, and at quotes and brackets that are not closed, here and in the lines before")
        }),
        FlawKind::UnknownAlias { name, anchors: 0 } => unquoted_glob(at, &format!("*{name}")),
        FlawKind::UnknownAlias { name, .. } => {
            Problem::error(Code::UnknownAlias, format!("there is no anchor `&{name}` before this"))
                .label(at, "stands for nothing")
                .help(format!("an anchor is written further up, as `&{name}`; a pattern has to be quoted: `\"*{name}\"`"))
        }
        FlawKind::DuplicateKey { name, first } => {
            Problem::error(Code::DuplicateKey, format!("the key {} stands twice", suggest::shown(name)))
                .label(at, "again here")
                .label(*first, "first here")
                .help("keep one of them; the other would be lost without a word")
        }
        FlawKind::UnquotedInsert => unquoted_insert(at, text.get(at.range()).unwrap_or_default()),
        FlawKind::ComplexKey => Problem::error(Code::ComplexKey, "a key is a list or a map")
            .label(at, "a word belongs here")
            .help("keys are words; if this is meant as a text, quote it"),
        FlawKind::Tag { name } => {
            Problem::error(Code::Tag, format!("tags such as `{name}` are not read"))
                .label(at, "has a tag")
                .help("write the value itself; files are named with keys such as `file`")
        }
        FlawKind::BadMerge => Problem::error(Code::BadMerge, "`<<` merges maps, and this is none")
            .label(at, "not a map")
            .help("mark a map with `&name`, and merge it with `<<: *name`"),
        FlawKind::SeveralDocuments => {
            Problem::error(Code::SeveralDocuments, "a second playbook begins here")
                .label(at, "another document")
                .help("one file, one playbook: split the file")
        }
        FlawKind::TooDeep => Problem::error(Code::TooDeep, "nested more than 64 levels deep")
            .label(at, "the 65th level")
            .help("no playbook needs that; perhaps brackets are not closed, or aliases hold aliases"),
        FlawKind::TooManyNodes => Problem::error(Code::TooManyNodes, "more than 300,000 values")
            .label(at, "the limit is reached here")
            .help("an alias counts as what it stands for; long lists of servers belong into a `file:`"),
        FlawKind::LongScalar { bytes } => {
            let size = bytes / (1024 * 1024);
            Problem::error(Code::TooLarge, format!("a text of {size} MB, and a text may have 1 MB"))
                .label(at, "begins here")
                .help("what is so long belongs into a file of its own")
        }
    }
}

/// The two traps of YAML that stop its parser: told as what they are.
fn trap(at: Span, text: &str) -> Option<Problem> {
    let start = text[..floor(text, at.start)].rfind('\n').map_or(0, |at| at + 1);
    // A parser may notice only at the beginning of the next line.
    let before = text[..start].trim_end().rfind('\n').map_or(0, |at| at + 1);
    [start, before].into_iter().find_map(|from| {
        let line = text[from..].lines().next().unwrap_or_default();
        let value = value_of(line)?;
        let begin = from + (line.len() - value.len());
        let value = value.trim_end();
        let span = Span::new(begin, begin + value.len());
        if value.starts_with("{{") {
            return Some(unquoted_insert(span, value));
        }
        let glob = value.split([' ', ',', '}', ']']).next().unwrap_or_default();
        glob.starts_with('*').then(|| unquoted_glob(Span::new(begin, begin + glob.len()), glob))
    })
}

/// What stands behind the first colon or dash of a line.
fn value_of(line: &str) -> Option<&str> {
    let at = line.find(": ").or_else(|| line.find("- "))?;
    Some(line[at + 2..].trim_start())
}

fn floor(text: &str, at: u32) -> usize {
    let mut at = (at as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn unquoted_glob(span: Span, glob: &str) -> Problem {
    Problem::error(Code::UnquotedGlob, format!("`{glob}` is an alias to YAML, not a pattern"))
        .label(span, "quote it")
        .help(format!("write `\"{glob}\"`"))
}

fn unquoted_insert(span: Span, value: &str) -> Problem {
    Problem::error(Code::UnquotedInsert, "an insert at the beginning of a value has to be quoted")
        .label(span, "a map in a map to YAML")
        .help(format!("quote it: `\"{value}\"`"))
}
