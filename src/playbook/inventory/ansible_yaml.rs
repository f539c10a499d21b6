//! Ansible's YAML inventories: groups with `hosts`, `children` and `vars`.
//!
//! Variables are how Ansible reaches a server; they mean nothing here and may be secret, so they are
//! neither read nor shown.

use super::super::problem::{Code, Problem};
use super::super::suggest::{self, shown};
use super::groups::Groups;
use crate::yaml::{Entry, Flaw, FlawKind, Limits, Node, Span, Tree, Value};

/// What a text holds.
#[derive(Default)]
pub(super) struct Yaml {
    pub(super) groups: Groups,
    pub(super) problems: Vec<Problem>,
    /// Variables: never shown.
    pub(super) hidden: Vec<Span>,
}

/// What an inventory may cost: it may list more servers than a playbook.
const LIMITS: Limits = Limits { nodes: 3_000_000, depth: 64, scalar: 1024 * 1024 };

/// A text as a tree, as Ansible reads it, and what is wrong with it. Values are hidden by the reader.
pub(super) fn tree(text: &str) -> (Option<Node>, Vec<Problem>) {
    let tree = Tree::read_theirs(text, LIMITS);
    let problems: Vec<Problem> = tree.flaws.iter().take(1).map(broken).collect();
    (tree.root, problems)
}

/// What the parser found, where it found it. Its sentences quote no values.
fn broken(flaw: &Flaw) -> Problem {
    let (why, help) = match &flaw.kind {
        FlawKind::Syntax { message } => (
            message.as_str(),
            "look at the colons, quotes and indentation of this line and of the one before: a text with `: ` in it needs quotes",
        ),
        FlawKind::UnknownAlias { .. } => {
            ("an alias (`*name`) without an anchor (`&name`) before it", "quote a text with `*`")
        }
        FlawKind::DuplicateKey { .. } => ("a key stands twice", "keep one of them"),
        FlawKind::UnquotedInsert => ("an insert without quotes", "write `\"{{ … }}\"`"),
        FlawKind::ComplexKey => ("a key is a list or a map", "quote it if it is meant as a text"),
        FlawKind::Tag { .. } => ("a tag", "write the value without its tag"),
        FlawKind::BadMerge => ("`<<` merges something that is no map", "merge a map: `<<: *name`"),
        FlawKind::SeveralDocuments => {
            ("a second document begins", "put each document into a file of its own")
        }
        FlawKind::TooDeep => ("more than 64 levels", "close the brackets that are still open"),
        FlawKind::TooManyNodes => ("more than 3,000,000 values", "split the file"),
        FlawKind::LongScalar { .. } => ("a text of more than 1 MB", "take it out of the file"),
    };
    Problem::error(Code::BadInventory, format!("the inventory cannot be read as YAML: {why}"))
        .label(Span { end: flaw.span.start, ..flaw.span }, "here")
        .help(help)
}

/// Every line of a text: nothing of it can be shown, and each problem keeps its line.
pub(super) fn every_line(text: &str) -> Vec<Span> {
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        let begin = start + (line.len() - line.trim_start().len());
        if !content.is_empty() {
            hidden.push(Span::new(begin, begin + content.len()));
        }
        start += line.len();
    }
    hidden
}

/// Reads the groups of a text whose tree this is.
pub(super) fn read(text: &str, root: &Node) -> Yaml {
    let mut yaml = Yaml::default();
    let Some(groups) = root.entries() else {
        yaml.hidden = every_line(text);
        yaml.wrong(root.span, "a map of groups");
        return yaml;
    };
    if let Some(plugin) = root.entry("plugin").filter(|entry| entry.value.scalar().is_some()) {
        yaml.hidden = every_line(text);
        yaml.problems.push(
            Problem::error(
                Code::BadInventory,
                "the file configures a plugin of Ansible, and lists no servers itself",
            )
            .label(plugin.key.span, "a plugin")
            .help("let Ansible write the list: `ansible-inventory -i FILE --list -y > hosts.yaml`, and name `hosts.yaml`"),
        );
        return yaml;
    }
    for entry in groups {
        yaml.group(text, entry);
    }
    yaml.problems.extend(yaml.groups.problems());
    yaml
}

impl Yaml {
    fn group(&mut self, text: &str, entry: &Entry) {
        let name = &*entry.key.text;
        self.groups.define(name);
        if is_nothing(&entry.value) {
            return;
        }
        let Some(parts) = entry.value.entries() else {
            return self.wrong(entry.key.span, "a map of `hosts`, `children` and `vars`");
        };
        for part in parts {
            match &*part.key.text {
                "hosts" => self.hosts(text, name, part),
                "children" => self.children(text, name, part),
                "vars" => hide(&part.value, &mut self.hidden),
                other => {
                    hide(&part.value, &mut self.hidden);
                    self.problems.push(
                        Problem::error(
                            Code::BadInventory,
                            format!("unknown key {} in a group of an inventory", shown(other)),
                        )
                        .label(part.key.span, "not a key of a group")
                        .help(suggest::help(
                            other,
                            &["hosts", "children", "vars"],
                            "its keys",
                        )),
                    );
                }
            }
        }
    }

    fn hosts(&mut self, text: &str, group: &str, part: &Entry) {
        if is_nothing(&part.value) {
            return;
        }
        // One host alone may be written as a text.
        if let Some(host) = part.value.scalar() {
            let problem = self.groups.expand(group, &host.text, part.value.span);
            self.problems.extend(problem);
            return;
        }
        let Some(hosts) = part.value.entries() else {
            return self.wrong(part.key.span, "a map whose keys are hosts");
        };
        for host in hosts {
            hide(&host.value, &mut self.hidden);
            if host.value.entries().is_none() && !is_nothing(&host.value) {
                self.wrong(host.key.span, "a map of variables, or nothing, behind a host");
                continue;
            }
            let written = text.get(host.key.span.range()).unwrap_or_default();
            if is_no_text(written) {
                self.problems.push(
                    Problem::error(
                        Code::BadInventory,
                        format!("the host {} is no text to YAML", shown(&host.key.text)),
                    )
                    .label(host.key.span, "a number or a word with a meaning")
                    .help(format!("put quotes around it: `\"{}\":`", host.key.text)),
                );
                continue;
            }
            self.problems.extend(self.groups.expand(group, &host.key.text, host.key.span));
        }
    }

    fn children(&mut self, text: &str, group: &str, part: &Entry) {
        if is_nothing(&part.value) {
            return;
        }
        if let Some(child) = part.value.scalar() {
            self.groups.define(&child.text);
            self.groups.adopt(group, &child.text, part.value.span);
            return;
        }
        let Some(children) = part.value.entries() else {
            return self.wrong(part.key.span, "a map of groups");
        };
        for child in children {
            self.groups.adopt(group, &child.key.text, child.key.span);
            self.group(text, child);
        }
    }

    fn wrong(&mut self, span: Span, wanted: &str) {
        self.problems.push(
            Problem::error(Code::BadInventory, format!("there should be {wanted}"))
                .label(Span { end: span.end.min(span.start + 80), ..span }, "something else here")
                .help("as in `all: { children: { web: { hosts: { web-01: } } } }`"),
        );
    }
}

fn is_nothing(node: &Node) -> bool {
    node.is_null() || node.scalar().is_some_and(|scalar| scalar.plain && scalar.text.is_empty())
}

/// Whether a key is a number, a truth or nothing to YAML, which Ansible refuses as a host.
fn is_no_text(written: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "null", "~"];
    let lower = written.to_ascii_lowercase();
    let number = written.parse::<f64>().is_ok() && written.contains(|c: char| c.is_ascii_digit());
    number || WORDS.contains(&lower.as_str())
}

/// Every value below is hidden.
fn hide(node: &Node, hidden: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar(_) | Value::Broken => hidden.push(node.span),
        Value::Seq(items) => items.iter().for_each(|item| hide(item, hidden)),
        Value::Map(entries) => entries.iter().for_each(|entry| hide(&entry.value, hidden)),
    }
}
