//! `{{ name }}`: puts values of `vars` into texts. Values and nothing else: no code, no loops.
//!
//! `{{ host.… }}` stays as it is written: it is filled in for each server, where the grammar lets it
//! stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::matrix::{self, Part, Parts};
use super::problem::{Code, Problem};
use super::scalars::is_env_name;
use super::suggest;
use crate::domain::HostValue;
use crate::yaml::{Entry, Node, Scalar, Span, Value};

/// Whether everything of a text is in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// It is.
    Yes,
    /// Something could not be read.
    No,
}

/// A tree with everything inserted.
pub(super) struct Expanded {
    /// The tree; of a fleet with a matrix, the first part.
    pub(super) root: Node,
    /// All parts of the fleets that have a matrix.
    pub(super) parts: Parts,
    /// The variables: templates insert them as well.
    pub(super) vars: Vars,
    /// What is wrong with variables and keys of matrices that the text never inserts, if no template
    /// does either.
    pub(super) unused: Vec<Problem>,
    /// What went wrong on the way.
    pub(super) problems: Vec<Problem>,
}

/// The tree with everything inserted, and what went wrong on the way.
///
/// `whole` is whether the text is flawless as YAML; an insert may be missing from the tree otherwise.
pub(super) fn expand(root: &Node, text: &str, whole: Whole) -> Expanded {
    let mut inserter = Inserter {
        text,
        whole,
        vars: BTreeMap::new(),
        used: BTreeSet::new(),
        matrix: Matrix::None,
        matrix_used: BTreeSet::new(),
        parts: Parts::new(),
        unused: Vec::new(),
        problems: Vec::new(),
    };
    inserter.learn(root.get("vars"));
    // Most playbooks insert nothing, and need no second tree.
    let plain = !text.contains("{{") && !text.contains("matrix");
    let expanded = if plain { root.clone() } else { inserter.below_vars(root) };
    // An insert that could not be read may have been meant for any of them.
    if whole == Whole::Yes && inserter.problems.is_empty() {
        inserter.unused();
    }
    let Inserter { vars, parts, unused, problems, .. } = inserter;
    Expanded { root: expanded, parts, vars, unused, problems }
}

struct Inserter<'t> {
    text: &'t str,
    whole: Whole,
    vars: Vars,
    used: BTreeSet<Arc<str>>,
    /// The values of the part that is made just now.
    matrix: Matrix,
    /// Keys of the matrix of this fleet that something inserts.
    matrix_used: BTreeSet<Arc<str>>,
    parts: Parts,
    unused: Vec<Problem>,
    problems: Vec<Problem>,
}

/// What `{{ matrix.… }}` stands for.
#[derive(Clone, Debug, Default)]
pub(super) enum Matrix {
    /// There is none here.
    #[default]
    None,
    /// There is one, and it cannot be used, which is told elsewhere.
    Broken,
    /// These values.
    Values(Vars),
}

/// Values by their names.
pub(super) type Vars = BTreeMap<Arc<str>, Var>;

/// A value that can be inserted.
#[derive(Clone, Debug)]
pub(super) struct Var {
    /// Where its name is written.
    pub(super) key: Span,
    /// `None` where the value is not usable, which is told elsewhere.
    pub(super) value: Option<Scalar>,
}

impl Inserter<'_> {
    fn learn(&mut self, vars: Option<&Node>) {
        for entry in vars.and_then(Node::entries).unwrap_or_default() {
            let node = &entry.value;
            let mut value = node.scalar().filter(|_| !node.is_null() && !node.is_blank()).cloned();
            if let Some(at) = value.as_ref().and_then(|scalar| scalar.text.find("{{")) {
                let inner = value.take().map(|scalar| scalar.text[at..].to_owned());
                let message =
                    format!("the variable `{}` is made of other variables", entry.key.text);
                self.problems.push(
                    Problem::error(Code::InsertInVars, message)
                        .label(
                            place(self.text, node, inner.as_deref().unwrap_or_default()),
                            "not read here",
                        )
                        .help("write the value out; inserts work everywhere below `vars`"),
                );
            }
            self.vars.insert(Arc::clone(&entry.key.text), Var { key: entry.key.span, value });
        }
    }

    /// Everything but `vars` itself.
    fn below_vars(&mut self, root: &Node) -> Node {
        let expand = |entry: &Entry| match &*entry.key.text {
            "vars" => entry.clone(),
            "fleets" => Entry { key: entry.key.clone(), value: self.fleets(&entry.value) },
            _ => Entry { key: entry.key.clone(), value: self.node(&entry.value) },
        };
        let entries = root.entries().unwrap_or_default().iter().map(expand).collect();
        Node { span: root.span, value: Value::Map(Arc::new(entries)) }
    }

    fn fleets(&mut self, node: &Node) -> Node {
        let Some(entries) = node.entries() else { return self.node(node) };
        let entries = entries.iter().map(|entry| match entry.value.entry("matrix") {
            Some(matrix) => self.matrix(entry, matrix),
            None => Entry { key: entry.key.clone(), value: self.node(&entry.value) },
        });
        Node { span: node.span, value: Value::Map(Arc::new(entries.collect())) }
    }

    /// Makes the parts of a fleet; gives back the first.
    fn matrix(&mut self, fleet: &Entry, matrix: &Entry) -> Entry {
        let key = fleet.key.clone();
        // Values of `vars` may stand in the matrix itself.
        let inserted = Entry { key: matrix.key.clone(), value: self.node(&matrix.value) };
        let only =
            Node { span: fleet.value.span, value: Value::Map(Arc::new(vec![inserted.clone()])) };
        let only = Entry { key: key.clone(), value: only };
        let combinations = matrix::combinations(&only, &mut self.problems);
        self.matrix_used.clear();
        let mut parts = Vec::new();
        let usable = !combinations.is_empty();
        for (name, values) in combinations {
            self.matrix = Matrix::Values(values);
            parts.push(Part { name, node: self.node(&fleet.value), values: self.matrix.clone() });
        }
        if !usable {
            self.matrix = Matrix::Broken;
        }
        let first = parts.first().map(|part| part.node.clone());
        let value = first.unwrap_or_else(|| self.node(&fleet.value));
        self.matrix = Matrix::None;
        let keys = inserted.value.entries().unwrap_or_default();
        let unused = keys.iter().filter(|key| !self.matrix_used.contains(&key.key.text));
        if usable && self.whole == Whole::Yes {
            self.unused.extend(unused.map(|key| matrix::unused(fleet, key)));
        }
        if usable {
            self.parts.insert(Arc::clone(&key.text), parts);
        }
        Entry { key, value }
    }

    fn node(&mut self, node: &Node) -> Node {
        let value = match &node.value {
            Value::Scalar(scalar) if scalar.text.contains("{{") => {
                self.scalar(node, scalar).map_or(Value::Broken, Value::Scalar)
            }
            Value::Scalar(_) | Value::Broken => return node.clone(),
            Value::Seq(items) => {
                Value::Seq(Arc::new(items.iter().map(|item| self.node(item)).collect()))
            }
            Value::Map(entries) => {
                let expand = |entry: &Entry| Entry {
                    key: entry.key.clone(),
                    value: self.node(&entry.value),
                };
                Value::Map(Arc::new(entries.iter().map(expand).collect()))
            }
        };
        Node { span: node.span, value }
    }

    /// The scalar with its inserts; `None` if one of them cannot be made.
    fn scalar(&mut self, node: &Node, scalar: &Scalar) -> Option<Scalar> {
        let mut out = String::new();
        let mut whole = true;
        let mut plain = scalar.plain;
        let mut rest = &*scalar.text;
        while let Some(open) = rest.find("{{") {
            out.push_str(&rest[..open]);
            let Some(length) = rest[open..].find("}}").map(|at| at + 2) else {
                let place = place(self.text, node, &rest[open..]);
                self.problems.push(
                    Problem::error(Code::BadInsert, "this insert is never closed")
                        .label(place, "`}}` is missing")
                        .help("write it as `{{ name }}`"),
                );
                return None;
            };
            let insert = &rest[open..open + length];
            match self.lookup(node, insert) {
                Some(Found::Host) => out.push_str(insert),
                Some(Found::Var(value)) => {
                    out.push_str(&value.text);
                    if insert.len() == scalar.text.len() {
                        // `"{{ n }}"` is what `n` is: a number stays a number.
                        plain = value.plain;
                    }
                }
                None => whole = false,
            }
            rest = &rest[open + length..];
        }
        out.push_str(rest);
        whole.then(|| Scalar { text: Arc::from(out), plain })
    }

    fn lookup(&mut self, node: &Node, insert: &str) -> Option<Found> {
        let name = name(insert);
        let place = place(self.text, node, insert);
        if let Some(var) = self.vars.get(name) {
            self.used.insert(Arc::from(name));
            return var.value.clone().map(Found::Var);
        }
        if HostValue::named(name).is_some() {
            return Some(Found::Host);
        }
        if let Some(key) = name.strip_prefix("matrix.") {
            match &self.matrix {
                Matrix::Values(values) if values.contains_key(key) => {
                    self.matrix_used.insert(Arc::from(key));
                    return values.get(key)?.value.clone().map(Found::Var);
                }
                Matrix::Broken => return None,
                Matrix::Values(values) => {
                    let known: Vec<&str> = values.keys().map(|key| &**key).collect();
                    let message = format!("the matrix has no `{key}`");
                    let problem = Problem::error(Code::UnknownVariable, message)
                        .label(place, "not in `matrix`")
                        .help(suggest::help(key, &known, "there are"));
                    self.problems.push(problem);
                    return None;
                }
                Matrix::None => {}
            }
        }
        let root = name.split('.').next().unwrap_or_default();
        let problem = if root == "host" {
            Problem::error(Code::UnknownHostValue, format!("there is no value `{name}`"))
                .label(place, "no server has it")
                .help(suggest::help(name, &HostValue::NAMES, "there are"))
        } else if root == "matrix" {
            Problem::error(Code::NotAvailableHere, format!("`{name}` is not available here"))
                .label(place, "there is no `matrix`")
                .help("`matrix.KEY` is a value of the `matrix` of the fleet that it stands in")
        } else if is_env_name(name) {
            let known: Vec<&str> = self.vars.keys().map(|key| &**key).collect();
            let help = if known.is_empty() {
                format!("define it: `vars: {{ {name}: … }}`")
            } else {
                suggest::help(name, &known, "there are")
            };
            Problem::error(Code::UnknownVariable, format!("there is no variable `{name}`"))
                .label(place, "not in `vars`")
                .help(help)
        } else {
            Problem::error(Code::BadInsert, format!("`{insert}` is not the name of a variable"))
                .label(place, "only a name can stand here")
                .help("inserts are values and nothing else: no filters, no conditions, no code")
        };
        self.problems.push(problem);
        None
    }

    fn unused(&mut self) {
        for (name, var) in &self.vars {
            if !self.used.contains(name) {
                self.unused.push(
                    Problem::warning(
                        Code::UnusedVariable,
                        format!("the variable `{name}` is never used"),
                    )
                    .label(var.key, "defined here")
                    .help(format!("insert it as `{{{{ {name} }}}}`, or remove it")),
                );
            }
        }
    }
}

/// What an insert stands for.
enum Found {
    /// The value of a variable.
    Var(Scalar),
    /// A value of a server: filled in later.
    Host,
}

/// The name in an insert.
pub(super) fn name(insert: &str) -> &str {
    insert.trim_start_matches("{{").trim_end_matches("}}").trim()
}

/// The first insert of a text, from `{{` to `}}`.
pub(super) fn first(text: &str) -> &str {
    let from = text.find("{{").unwrap_or(0);
    let to = text[from..].find("}}").map_or(text.len(), |at| from + at + 2);
    &text[from..to]
}

/// Where an insert stands inside a scalar; the scalar, if that cannot be told.
pub(super) fn place(text: &str, node: &Node, insert: &str) -> Span {
    let raw = text.get(node.span.range()).unwrap_or_default();
    raw.find(insert).filter(|_| !insert.is_empty()).map_or(node.span, |at| {
        let start = node.span.start as usize + at;
        Span::new(start, start + insert.len())
    })
}
