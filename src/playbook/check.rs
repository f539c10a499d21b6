//! A tree against the grammar: every problem of structure, at once.
//!
//! What passes here can be lowered without asking again whether a key exists or a duration is one.

use super::complaint::Complaint;
use super::insert::{self, Whole};
use super::mask::sounds_secret;
use super::parse::MAX_PROBLEMS;
use super::problem::{Code, Problem};
use super::shape::{Key, Needed, Null, Rule, Shape, Table};
use super::suggest::{self, shown};
use super::{complaint, grammar};
use crate::yaml::{Entry, Node, Span, Value};

/// All problems of structure of a tree.
pub(super) fn check(root: &Node, text: &str, whole: Whole) -> Vec<Problem> {
    let mut checker = Checker { text, whole, problems: Vec::new() };
    let at = At { key: "playbook", span: root.span, null: Null::Refused };
    checker.value(Shape::Map(&grammar::PLAYBOOK), root, at);
    checker.problems
}

/// The same of a file that a playbook includes.
pub(super) fn check_included(root: &Node, text: &str, whole: Whole) -> Vec<Problem> {
    let mut checker = Checker { text, whole, problems: Vec::new() };
    let at = At { key: "included", span: root.span, null: Null::Refused };
    checker.value(Shape::Map(&grammar::INCLUDED), root, at);
    checker.problems
}

/// The same of a fleet alone: one part of a matrix.
pub(super) fn check_fleet(fleet: &Entry, node: &Node, text: &str, whole: Whole) -> Vec<Problem> {
    let mut checker = Checker { text, whole, problems: Vec::new() };
    let at = At { key: &fleet.key.text, span: fleet.key.span, null: Null::Refused };
    checker.value(Shape::Map(&grammar::FLEET), node, at);
    checker.problems
}

/// The same of a tree that is an override without its `match`.
pub(super) fn check_override(root: &Node, text: &str) -> Vec<Problem> {
    let mut checker = Checker { text, whole: Whole::Yes, problems: Vec::new() };
    for entry in root.entries().unwrap_or_default() {
        let name = &*entry.key.text;
        if let Some(key) = grammar::OVERRIDE.keys.iter().find(|key| key.name == name) {
            let at = At { key: name, span: entry.key.span, null: key.null };
            checker.value(key.shape, &entry.value, at);
        }
    }
    checker.problems
}

/// The key that a value stands behind.
#[derive(Clone, Copy)]
struct At<'a> {
    key: &'a str,
    span: Span,
    null: Null,
}

struct Checker<'t> {
    text: &'t str,
    whole: Whole,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// A hostile file must not make us look for the nearest word a million times.
    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn value(&mut self, shape: Shape, node: &Node, at: At<'_>) {
        if matches!(node.value, Value::Broken) || self.is_full() {
            return;
        }
        if node.is_null() {
            if at.null == Null::Refused {
                self.report(
                    Problem::error(Code::NullHere, format!("`{}` cannot be null", at.key))
                        .label(node.span, "nothing is inherited here")
                        .help("`null` removes an inherited value; give a value, or remove the key"),
                );
            }
            return;
        }
        if node.is_blank() {
            self.blank(at);
            return;
        }
        if self.differs_from_server_to_server(shape, node) {
            return;
        }
        match shape {
            Shape::Map(table) => self.map(table, node, at),
            Shape::WordOr(words, table) => self.word_or(words, table, node, at),
            Shape::TextOr(table) => {
                if node.entries().is_some() {
                    self.map(table, node, at);
                } else {
                    self.scalar(Shape::Text, node, at);
                }
            }
            Shape::Named(shape) => self.named(*shape, node, at),
            Shape::List(item) => self.list(*item, node, at),
            Shape::SomeOr(_, table) if node.entries().is_some() => self.map(table, node, at),
            Shape::Some(item) | Shape::SomeOr(item, _) => {
                self.some(node, at);
                self.list(*item, node, at);
            }
            Shape::OneOrMany(item) if node.items().is_some() => {
                self.some(node, at);
                self.list(*item, node, at);
            }
            Shape::OneOrMany(item) => self.value(*item, node, At { null: Null::Refused, ..at }),
            Shape::Text
            | Shape::Template
            | Shape::Id
            | Shape::EnvName
            | Shape::Tag
            | Shape::Whole(..)
            | Shape::Above(_)
            | Shape::Flag
            | Shape::Duration
            | Shape::Rate
            | Shape::Share
            | Shape::Size
            | Shape::Plain
            | Shape::Word(_) => self.scalar(shape, node, at),
        }
    }

    /// Whether `{{ host.… }}` stands where every server has the same: the only inserts that are left
    /// by now.
    fn differs_from_server_to_server(&mut self, shape: Shape, node: &Node) -> bool {
        let inserts = node.scalar().filter(|scalar| scalar.text.contains("{{"));
        let Some(scalar) = inserts.filter(|_| !is_template(shape)) else { return false };
        let insert = insert::first(&scalar.text);
        self.report(
            Problem::error(
                Code::NotAvailableHere,
                format!("`{}` is not available here", insert::name(insert)),
            )
            .label(insert::place(self.text, node, insert), "differs from server to server")
            .help("values of a server can be inserted into `run`, `undo` and `env` of a step; here, only values of `vars`"),
        );
        true
    }

    fn blank(&mut self, at: At<'_>) {
        let removes = match at.null {
            Null::Removes => "; `null` removes an inherited value",
            Null::Refused => "",
        };
        self.report(
            Problem::error(Code::Blank, format!("`{}` is blank", at.key))
                .label(at.span, "no value")
                .help(format!("give it a value, or remove the key{removes}")),
        );
    }

    fn map(&mut self, table: &'static Table, node: &Node, at: At<'_>) {
        let Some(entries) = node.entries() else {
            if table.name == "secret" {
                self.inline_secret(at);
            } else {
                self.wrong_type("a map of keys", node, at);
            }
            return;
        };
        for entry in entries {
            let name = &*entry.key.text;
            match table.keys.iter().find(|key| key.name == name) {
                Some(key) => {
                    let at = At { key: name, span: entry.key.span, null: key.null };
                    self.value(key.shape, &entry.value, at);
                }
                None => self.unknown_key(table, entry),
            }
        }
        for key in table.keys.iter().filter(|key| key.needed == Needed::Yes) {
            // The fleets may all be in files that are included.
            let elsewhere = key.name == "fleets" && node.get("include").is_some();
            if node.get(key.name).is_none() && !elsewhere {
                self.missing(table, key, entries, at);
            }
        }
        self.rule(table, node, entries, at);
    }

    fn missing(&mut self, table: &Table, key: &Key, entries: &[Entry], at: At<'_>) {
        let (owner, place) = match table.name {
            "playbook" | "included" => {
                ("the playbook".to_owned(), entries.first().map_or(at.span, |e| e.key.span))
            }
            _ => (format!("`{}`", at.key), at.span),
        };
        self.report(
            Problem::error(Code::MissingKey, format!("{owner} has no `{}`", key.name))
                .label(place, format!("`{}` is missing", key.name))
                .help(format!("add `{}`: {}", key.name, first_lower(key.doc))),
        );
    }

    fn rule(&mut self, table: &'static Table, node: &Node, entries: &[Entry], at: At<'_>) {
        // Keys that are not known were told already; whatever they mean, they are a choice.
        let chosen: Vec<&Entry> =
            entries.iter().filter(|entry| is_choice(table, &entry.key.text)).collect();
        let place = entries.first().map_or(node.span, |entry| entry.key.span);
        match table.rule {
            Rule::Any => {}
            Rule::SomeCondition => {
                if chosen.is_empty() {
                    self.report(
                        Problem::error(
                            Code::EmptySelector,
                            format!("{} has no condition", table.what),
                        )
                        .label(
                            if entries.is_empty() { at.span } else { place },
                            "this would mean every server",
                        )
                        .help("say which servers: `id`, `name`, `tag` or `az`"),
                    );
                }
            }
            Rule::OneOf | Rule::OneAction => match chosen.as_slice() {
                [] => {
                    let words: Vec<&str> = choices(table);
                    let place = if entries.is_empty() { at.span } else { place };
                    self.report(
                        Problem::error(Code::NotOne, format!("{} says nothing to do", table.what))
                            .label(place, "one of its keys is needed")
                            .help(format!("one of {}", suggest::list(&words))),
                    );
                }
                [_] => {}
                [first, second, ..] => self.report(
                    Problem::error(
                        Code::NotOne,
                        format!(
                            "{} is `{}` and `{}` at once",
                            table.what, first.key.text, second.key.text
                        ),
                    )
                    .label(second.key.span, "the second")
                    .label(first.key.span, "the first")
                    .help("one of them per entry: make two of it"),
                ),
            },
        }
    }

    fn unknown_key(&mut self, table: &Table, entry: &Entry) {
        if self.is_full() {
            return;
        }
        let name = &*entry.key.text;
        let known: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
        let help = match (suggest::closest(name, known.iter().copied()), grammar::home_of(name)) {
            _ if table.name == "included"
                && grammar::PLAYBOOK.keys.iter().any(|key| key.name == name) =>
            {
                format!("`{name}` is a key of the playbook that includes this file")
            }
            (Some(word), _) => format!("did you mean `{word}`?"),
            (None, Some(home)) => format!("`{name}` is a key of `{home}`"),
            (None, None) if known.is_empty() => {
                format!("write it without keys: `{{}}`, for {}", table.what)
            }
            (None, None) => format!("its keys: {}", suggest::list(&known)),
        };
        self.report(
            Problem::error(
                Code::UnknownKey,
                format!("unknown key {} in {}", shown(name), table.what),
            )
            .label(entry.key.span, format!("not a key of {}", table.what))
            .help(help),
        );
    }

    fn inline_secret(&mut self, at: At<'_>) {
        self.report(
            Problem::error(Code::InlineSecret, "a password is written into the playbook")
                .label(at.span, "its value is not shown here, and must not be in a file that is kept")
                .help("say where it is kept: `admin_pass: { env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ARGUMENT] }`. Take the written one for known to others: change it"),
        );
    }

    fn named(&mut self, shape: Shape, node: &Node, at: At<'_>) {
        let Some(entries) = node.entries() else {
            self.wrong_type("a map of names", node, at);
            return;
        };
        if entries.is_empty() && at.key == "fleets" && self.whole == Whole::Yes {
            self.report(
                Problem::error(Code::NoFleets, "the playbook has no fleet")
                    .label(at.span, "nothing in it")
                    .help("a fleet is a name with `hosts`: `web: { hosts: [{ tag: role=web }] }`"),
            );
        }
        for entry in entries {
            let name = &*entry.key.text;
            if !is_fitting_name(name) {
                self.report(
                    Problem::error(Code::BadName, format!("{} cannot be a name", shown(name)))
                        .label(entry.key.span, "letters, digits, `_`, `-` and `.` only")
                        .help("names appear in commands and reports, so they have no spaces and no signs"),
                );
            }
            self.value(
                shape,
                &entry.value,
                At { key: name, span: entry.key.span, null: Null::Refused },
            );
        }
    }

    fn list(&mut self, item: Shape, node: &Node, at: At<'_>) {
        let Some(items) = node.items() else {
            self.wrong_type("a list", node, at);
            return;
        };
        for node in items {
            let place = node.entries().and_then(<[Entry]>::first).map_or(node.span, |e| e.key.span);
            self.value(item, node, At { key: at.key, span: place, null: Null::Refused });
        }
    }

    /// A list that must not be empty.
    fn some(&mut self, node: &Node, at: At<'_>) {
        if node.items().is_none_or(|items| !items.is_empty()) {
            return;
        }
        let problem = if at.key == "hosts" {
            Problem::error(Code::NoHosts, "`hosts` selects nothing")
                .help("an empty list never means all: name servers by `id`, `name`, `tag`, `az` or `file`")
        } else {
            Problem::error(Code::EmptyList, format!("`{}` is an empty list", at.key)).help(match at
                .null
            {
                Null::Removes => {
                    "give it an item, or remove the key; `null` goes back to the built-in default"
                }
                Null::Refused => "give it an item, or remove the key",
            })
        };
        self.report(problem.label(at.span, "nothing in it"));
    }

    fn word_or(
        &mut self,
        words: &'static [&'static str],
        table: &'static Table,
        node: &Node,
        at: At<'_>,
    ) {
        if node.entries().is_some() {
            return self.map(table, node, at);
        }
        let Some(scalar) = node.scalar() else {
            return self.wrong_type("a word or a map", node, at);
        };
        if words.contains(&&*scalar.text) {
            return;
        }
        let maps = choices(table);
        if maps.contains(&&*scalar.text) {
            return self.report(
                Problem::error(
                    Code::WrongType,
                    format!("`{}` needs more than its name", scalar.text),
                )
                .label(node.span, "a word here")
                .help(match &*scalar.text {
                    "run" => "write what is run: `- run: [PROGRAM, ARGUMENT]`".to_owned(),
                    word => format!("write it as a map: `{word}: {{ … }}`"),
                }),
            );
        }
        let known: Vec<&str> = words.iter().chain(&maps).copied().collect();
        self.complain(complaint::word(at.key, &scalar.text, &known), node);
    }

    fn scalar(&mut self, shape: Shape, node: &Node, at: At<'_>) {
        let Some(scalar) = node.scalar() else {
            return self.wrong_type(complaint::wanted(shape), node, at);
        };
        if let Some(complaint) = complaint::complaint(shape, at.key, scalar) {
            self.complain(complaint, node);
        }
    }

    fn complain(&mut self, complaint: Complaint, node: &Node) {
        let Complaint { code, message, label, help } = complaint;
        self.report(Problem::error(code, message).label(clip(node.span), label).help(help));
    }

    fn wrong_type(&mut self, wanted: &str, node: &Node, at: At<'_>) {
        let (found, place) = match &node.value {
            // User data, written where its file belongs.
            Value::Scalar(_) if sounds_secret(&at.key.to_lowercase()) => {
                ("a text".to_owned(), clip(node.span))
            }
            Value::Scalar(scalar) => (shown(&scalar.text), clip(node.span)),
            Value::Seq(_) => ("a list".to_owned(), at.span),
            Value::Map(_) => ("a map".to_owned(), at.span),
            Value::Broken => return,
        };
        let help = match (wanted, &node.value) {
            ("a list", Value::Map(_)) => {
                "put `- ` before its first key: a list of one item".to_owned()
            }
            ("a list", Value::Scalar(scalar)) => {
                format!("put it in brackets: [{}]", shown(&scalar.text))
            }
            _ => format!("write {wanted} behind `{}:`", at.key),
        };
        self.report(
            Problem::error(Code::WrongType, format!("`{}` is {wanted}, not {found}", at.key))
                .label(place, format!("{found} here"))
                .help(help),
        );
    }
}

/// A description as the second half of a sentence.
fn first_lower(doc: &str) -> String {
    let mut chars = doc.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Whether a key of such a map is one of its choices, or at least not known to be none.
fn is_choice(table: &Table, name: &str) -> bool {
    match table.rule {
        Rule::Any | Rule::OneOf => true,
        Rule::SomeCondition => !grammar::NO_CONDITIONS.contains(&name),
        Rule::OneAction => {
            grammar::STEP_ACTIONS.contains(&name) || !table.keys.iter().any(|key| key.name == name)
        }
    }
}

/// Whether values of a server may stand there, or what stands there was told of already: an insert
/// in `vars`.
fn is_template(shape: Shape) -> bool {
    match shape {
        Shape::Template | Shape::Plain => true,
        Shape::OneOrMany(item) => is_template(*item),
        Shape::Text
        | Shape::Id
        | Shape::EnvName
        | Shape::Tag
        | Shape::Whole(..)
        | Shape::Above(_)
        | Shape::Flag
        | Shape::Duration
        | Shape::Rate
        | Shape::Share
        | Shape::Size
        | Shape::Word(_)
        | Shape::Map(_)
        | Shape::WordOr(..)
        | Shape::TextOr(_)
        | Shape::SomeOr(..)
        | Shape::Named(_)
        | Shape::List(_)
        | Shape::Some(_) => false,
    }
}

fn choices(table: &'static Table) -> Vec<&'static str> {
    table.keys.iter().map(|key| key.name).filter(|name| is_choice(table, name)).collect()
}

pub(super) fn is_fitting_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with(['-', '.'])
}

/// A place that fits on a screen.
fn clip(span: Span) -> Span {
    Span { start: span.start, end: span.end.min(span.start.saturating_add(80)) }
}
