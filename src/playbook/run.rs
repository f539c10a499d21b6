//! `run`: a step of the playbook's own.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::domain::{Millis, Template};
use crate::yaml::{Entry, Node};

use super::insert;
use super::lower::Desk;
use super::mask::sounds_secret;
use super::problem::{Code, Problem};
use super::scalars;
use super::spec::{Program, RunSpec, StepWord};
use super::treatment::text;

/// How long a program may take where the step does not say.
const TIMEOUT: Millis = Millis::mins(10);

/// Keys that mean nothing at another step.
const ONLY_HERE: [&str; 5] = ["undo", "timeout", "env", "cwd", "once"];

/// What a step runs; `None`: it is a step of the loop.
pub(super) fn run(desk: &mut Desk<'_>, item: &Node, word: StepWord) -> Option<Box<RunSpec>> {
    let entries = item.entries()?;
    if word != StepWord::Run {
        let strangers = entries.iter().filter(|entry| ONLY_HERE.contains(&&*entry.key.text));
        strangers.for_each(|entry| stranger(desk, entry, word));
        return None;
    }
    let cwd = item.get("cwd").and_then(text).unwrap_or_default();
    let undo = item.get("undo").and_then(|node| program(desk, node, cwd));
    Some(Box::new(RunSpec {
        run: item.get("run").and_then(|node| program(desk, node, cwd))?,
        undo,
        timeout: item.get("timeout").map_or(Some(TIMEOUT), |node| timeout(desk, node))?,
        env: env(desk, item.get("env")),
        cwd: folder(desk, cwd),
        once: item.get("once").and_then(|node| scalars::flag(text(node)?)).unwrap_or(false),
    }))
}

fn stranger(desk: &mut Desk<'_>, entry: &Entry, word: StepWord) {
    let key = &entry.key.text;
    desk.report(
        Problem::error(Code::NotARun, format!("`{key}` has no meaning at `{}`", word.as_str()))
            .label(entry.key.span, "only beside `run`")
            .help("it belongs to a step that runs a program: `- { run: [PROGRAM], … }`"),
    );
}

fn timeout(desk: &mut Desk<'_>, node: &Node) -> Option<Millis> {
    let timeout = scalars::duration(text(node)?)?;
    if timeout == Millis(0) {
        desk.report(
            Problem::error(Code::BadDuration, "a program that may run for no time is never done")
                .label(node.span, "has to be above 0")
                .help("such as `timeout: 10m`"),
        );
    }
    Some(timeout)
}

/// The folder that programs run in, seen from where refleet was started.
fn folder(desk: &Desk<'_>, cwd: &str) -> String {
    let folder = plain(Path::new(&desk.seen_from_here(cwd)));
    if folder.is_empty() { ".".to_owned() } else { folder }
}

/// A path without the `.` in it that mean nothing.
fn plain(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// A program and its arguments. One that is named by its path is pinned: a change of it is drift.
fn program(desk: &mut Desk<'_>, node: &Node, cwd: &str) -> Option<Program> {
    let items = node.items()?;
    let argv: Vec<Template> =
        items.iter().filter_map(|item| text(item).map(Template::new)).collect();
    let (first, name) = (items.first()?, argv.first()?.as_str());
    if name.contains("{{") {
        let insert = insert::first(name);
        desk.report(
            Problem::error(
                Code::NotAvailableHere,
                format!("`{}` is not available here", insert::name(insert)),
            )
            .label(first.span, "names the program")
            .help(
                "the program is the same for every server; values of a server can be its arguments",
            ),
        );
        return None;
    }
    let is_path = name.contains('/');
    let path = plain(&Path::new(cwd).join(name));
    let file = if is_path { Some(desk.pin_path(first, &path)?) } else { None };
    Some(Program { argv, file })
}

fn env(desk: &mut Desk<'_>, node: Option<&Node>) -> BTreeMap<String, Template> {
    let mut env = BTreeMap::new();
    for entry in node.and_then(Node::entries).unwrap_or_default() {
        let name = &*entry.key.text;
        if !scalars::is_env_name(name) || name.starts_with("REFLEET_") {
            desk.report(
                Problem::error(
                    Code::BadName,
                    format!("`{name}` cannot be a variable of a program's environment"),
                )
                .label(entry.key.span, "letters, digits and `_`, and not REFLEET_…")
                .help("refleet sets REFLEET_RUN, REFLEET_SERVER, REFLEET_STEP and REFLEET_ATTEMPT itself"),
            );
        }
        if holds_secret(name) {
            desk.report(
                Problem::error(Code::InlineSecret, "a secret is written into the playbook")
                    .label(entry.key.span, "its value is not shown here, and must not be in a file that is kept")
                    .help("let the program read it from where it is kept. Take the written one for known to others: change it"),
            );
        }
        if let Some(value) = text(&entry.value) {
            env.insert(name.to_owned(), Template::new(value));
        }
    }
    env
}

/// Whether a variable of that name holds a secret, and not where one is kept.
fn holds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let place = ["_file", "_path", "_dir", "_name", "_id"];
    sounds_secret(&name) && !place.iter().any(|ending| name.ends_with(ending))
}
