//! Ansible's YAML inventories: groups with `hosts`, `children` and `vars`.
//!
//! Variables are how Ansible reaches a server; they mean nothing here and may be secret, so they are
//! neither read nor shown.

use super::super::problem::{Code, Problem};
use super::super::suggest::{self, shown};
use super::groups::Groups;
use crate::yaml::{Entry, FlawKind, Limits, Node, Span, Tree, Value};

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

/// Reads a text.
pub(super) fn read(text: &str) -> Yaml {
    let tree = Tree::read(text, LIMITS);
    let mut yaml = Yaml::default();
    let mut whole = true;
    // Tags such as `!vault` stand at variables; they change nothing of what is read here.
    for flaw in tree.flaws.iter().filter(|flaw| !matches!(flaw.kind, FlawKind::Tag { .. })) {
        whole = false;
        yaml.problems.push(
            Problem::error(Code::BadInventory, "the inventory is not sound YAML")
                .label(flaw.span, "here")
                .help("`ansible-inventory -i FILE --list` has to take it as well"),
        );
    }
    match tree.root.as_ref().map(|root| (root, root.entries())) {
        Some((_, Some(groups))) => groups.iter().for_each(|entry| yaml.group(entry)),
        // Nothing of it can be shown: who knows what is in it.
        None => yaml.hidden.push(Span::new(0, text.len())),
        Some((root, None)) if whole => yaml.wrong(root.span, "a map of groups"),
        Some((_, None)) => {}
    }
    yaml.problems.extend(yaml.groups.problems());
    yaml
}

impl Yaml {
    fn group(&mut self, entry: &Entry) {
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
                "hosts" => self.hosts(name, part),
                "children" => self.children(name, part),
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

    fn hosts(&mut self, group: &str, part: &Entry) {
        if is_nothing(&part.value) {
            return;
        }
        let Some(hosts) = part.value.entries() else {
            return self.wrong(part.key.span, "a map whose keys are hosts");
        };
        for host in hosts {
            hide(&host.value, &mut self.hidden);
            self.problems.extend(self.groups.expand(group, &host.key.text, host.key.span));
        }
    }

    fn children(&mut self, group: &str, part: &Entry) {
        if is_nothing(&part.value) {
            return;
        }
        let Some(children) = part.value.entries() else {
            return self.wrong(part.key.span, "a map of groups");
        };
        for child in children {
            self.groups.adopt(group, &child.key.text, child.key.span);
            self.group(child);
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

/// Every value below is hidden.
fn hide(node: &Node, hidden: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar(_) | Value::Broken => hidden.push(node.span),
        Value::Seq(items) => items.iter().for_each(|item| hide(item, hidden)),
        Value::Map(entries) => entries.iter().for_each(|entry| hide(&entry.value, hidden)),
    }
}
