//! A file that an entry of `hosts` names, from bytes to servers with their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::check;
use super::super::lower::{Desk, Named, Seat};
use super::super::merge::Patch;
use super::super::model::HostLine;
use super::super::problem::{Code, Problem};
use super::super::source::{Lines, Source};
use super::super::suggest::{self, shown};
use super::super::treatment::patch;
use super::format::Format;
use super::groups::{Groups, NoChoice};
use super::{ansible_ini, ansible_yaml, columns, encoding, foreign, lines, terraform};
use crate::yaml::{MAX_BYTES, Node, Span};

/// More problems of one file are not worth telling one by one.
pub(super) const MAX_PROBLEMS: usize = 10;

/// Servers that one file may list.
pub(super) const MOST_HOSTS: usize = 300_000;

/// A server that a file lists.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// Its id or its name.
    pub(super) text: String,
    pub(super) span: Span,
    /// Its name, where `text` is its id and the file says both.
    pub(super) named: Option<String>,
    /// What the file changes for it: an index into [`Listings::rows`].
    pub(super) row: Option<usize>,
}

impl Listing {
    pub(super) fn new(text: &str, span: Span) -> Self {
        Self { text: text.to_owned(), span, named: None, row: None }
    }
}

/// What a reader found.
#[derive(Default)]
pub(super) struct Listings {
    pub(super) hosts: Vec<Listing>,
    /// Overrides, as trees; of a CSV file only.
    pub(super) rows: Vec<Node>,
    pub(super) problems: Vec<Problem>,
    /// What is wrong with the entry of the playbook that names the file.
    pub(super) entry: Option<Problem>,
    /// What is never shown.
    pub(super) hidden: Vec<Span>,
    /// What was let be, to be told at the entry of the playbook.
    pub(super) notes: Vec<String>,
}

/// What an entry of `hosts` says about its file.
#[derive(Clone, Copy)]
pub(in super::super) struct Wanted<'n> {
    /// The value of `file`.
    pub(in super::super) file: &'n Node,
    /// The value of `group`.
    pub(in super::super) group: Option<&'n Node>,
}

/// Reads a file; `None` if it is refused. What rows change is added to `rows`, where the lines find
/// it by index.
pub(in super::super) fn read(
    desk: &mut Desk<'_>,
    wanted: Wanted<'_>,
    named: &Named,
    rows: &mut Vec<Patch>,
) -> Option<Vec<HostLine>> {
    let source = Source::new(named.file.path.as_str(), text(desk, wanted.file, named)?);
    let format = Format::of(&named.path, &source.text);
    let Listings { hosts, rows: trees, mut problems, entry, hidden, notes } =
        listings(&source, format, wanted);
    let mut refused = entry.is_some();
    if let Some(problem) = entry {
        desk.report(problem);
    }
    for note in notes {
        let problem = Problem::warning(Code::BadInventory, format!("`{}`: {note}", source.name));
        desk.report(problem.label(wanted.file.span, "named here"));
    }
    if problems.is_empty() {
        problems.extend(bad_hosts(&hosts));
    }
    refused |= !problems.is_empty();
    desk.hidden.push((source.clone(), hidden));
    for problem in problems.into_iter().take(MAX_PROBLEMS) {
        desk.report_elsewhere(problem.found_in(&source));
    }
    if refused || hosts.is_empty() {
        if !refused {
            nothing(desk, wanted, &named.file.path);
        }
        return None;
    }
    let first = rows.len();
    let seat = Seat::new(source.clone(), &named.path).named_by(&desk.seat);
    rows.extend(patches(desk, seat, &trees)?);
    let places = Lines::of(&source);
    let line = |host: Listing| HostLine {
        place: places.place(host.span),
        text: host.text,
        named: host.named,
        row: host.row.map(|row| first + row),
    };
    Some(hosts.into_iter().map(line).collect())
}

fn text(desk: &mut Desk<'_>, node: &Node, named: &Named) -> Option<String> {
    let path = &named.file.path;
    let (code, message, help) = if named.bytes.len() > MAX_BYTES {
        (
            Code::TooLarge,
            format!("`{path}` has more than 64 MB"),
            "that is more than 300,000 servers: split the file, and the playbook",
        )
    } else {
        match encoding::text(&named.bytes) {
            Ok(text) => return Some(text),
            Err(unread) => (Code::NotUtf8, format!("`{path}` {}", unread.why), unread.help),
        }
    };
    desk.report(Problem::error(code, message).label(node.span, "named here").help(help));
    None
}

fn listings(source: &Source, format: Format, wanted: Wanted<'_>) -> Listings {
    match format {
        Format::Lines => without_groups(lines::read(&source.text), wanted),
        Format::Csv => without_groups(columns::read(&source.text), wanted),
        Format::Ini => {
            let ini = ansible_ini::read(&source.text);
            chosen(ini.groups, wanted, ini.problems, ini.hidden)
        }
        Format::Yaml => yaml(source, wanted),
        Format::Json => json(source, wanted),
        Format::Toml => unread(
            wanted,
            format!("`{}` is an inventory in TOML, which is not read", source.name),
            "write one that is: `ansible-inventory -i FILE --list -y > hosts.yaml`",
        ),
        Format::Table => unread(
            wanted,
            format!("`{}` is a table for people to read", source.name),
            "write a list: `openstack server list -f csv -c ID -c Name > servers.csv`",
        ),
    }
}

/// An inventory of Ansible, or a list of servers as the `openstack` client writes it.
fn yaml(source: &Source, wanted: Wanted<'_>) -> Listings {
    let text = &source.text;
    let (root, problems) = ansible_yaml::tree(text);
    let Some(root) = root.filter(|_| problems.is_empty()) else {
        // Nothing of it can be shown: who knows what is in it.
        let hidden = ansible_yaml::every_line(text);
        return Listings { problems, hidden, ..Listings::default() };
    };
    let items = root.items().or_else(|| root.get("servers")?.items());
    if items.is_some_and(|items| items.iter().all(|item| item.items().is_none())) {
        let mut found = foreign::servers(&root);
        found.hidden = ansible_yaml::every_line(text);
        return without_groups(found, wanted);
    }
    let yaml = ansible_yaml::read(text, &root);
    chosen(yaml.groups, wanted, yaml.problems, yaml.hidden)
}

fn json(source: &Source, wanted: Wanted<'_>) -> Listings {
    let name = &source.name;
    match foreign::kind(&source.text) {
        foreign::Kind::Terraform => from_terraform(source, wanted),
        foreign::Kind::Yaml | foreign::Kind::Servers => yaml(source, wanted),
        foreign::Kind::Groups => {
            let hidden = ansible_yaml::every_line(&source.text);
            let (root, mut problems) = ansible_yaml::tree(&source.text);
            let Some(root) = root.filter(|_| problems.is_empty()) else {
                return Listings { problems, hidden, ..Listings::default() };
            };
            let groups = foreign::groups(&root, &mut problems);
            problems.extend(groups.problems());
            chosen(groups, wanted, problems, hidden)
        }
        foreign::Kind::Broken(line, column) => unread(
            wanted,
            format!("`{name}`: line {line}, column {column}: not JSON"),
            "write the file again: `terraform show -json`, `ansible-inventory -i FILE --list` or `openstack server list -f json`",
        ),
        foreign::Kind::Other => unread(
            wanted,
            format!("`{name}` is JSON that lists no servers"),
            "read is what these print: `terraform show -json`, `ansible-inventory -i FILE --list` and `openstack server list -f json`",
        ),
    }
}

fn from_terraform(source: &Source, wanted: Wanted<'_>) -> Listings {
    let state = match terraform::read(&source.text) {
        Ok(state) => state,
        Err(refused) => {
            return unread(wanted, format!("`{}`: {}", source.name, refused.why), refused.help);
        }
    };
    let said = wanted.group.and_then(super::super::treatment::text);
    let about = |address: &str| match said {
        None | Some("all") => true,
        Some(said) => terraform::is_within(said, address),
    };
    let notes: Vec<String> = state
        .notes
        .into_iter()
        .filter(|(address, _)| about(address))
        .map(|(_, note)| note)
        .take(MAX_PROBLEMS)
        .collect();
    let mut found = match said.filter(|said| said.contains('[')) {
        None => chosen(state.groups, wanted, Vec::new(), Vec::new()),
        Some(said) => {
            let mut found = Listings::default();
            let mine = |(address, _): &&(String, Listing)| terraform::is_within(said, address);
            found.hosts =
                state.instances.iter().filter(mine).map(|(_, host)| host.clone()).collect();
            if found.hosts.is_empty() && notes.is_empty() {
                let known: Vec<&str> =
                    state.instances.iter().map(|(address, _)| address.as_str()).take(10).collect();
                let help = format!("addresses with their keys: {}", suggest::list(&known));
                found = unread(wanted, format!("no server has the address {}", shown(said)), help);
            }
            found
        }
    };
    found.notes = notes;
    found
}

/// A file that is not read at all, and what to do instead.
fn unread(wanted: Wanted<'_>, message: String, help: impl Into<String>) -> Listings {
    let problem = Problem::error(Code::BadInventory, message)
        .label(wanted.file.span, "named here")
        .help(help);
    Listings { entry: Some(problem), ..Listings::default() }
}

fn chosen(
    groups: Groups,
    wanted: Wanted<'_>,
    problems: Vec<Problem>,
    hidden: Vec<Span>,
) -> Listings {
    let mut found = Listings { problems, hidden, ..Listings::default() };
    if found.problems.is_empty() {
        match groups.choose(wanted.group.and_then(super::super::treatment::text)) {
            Ok(hosts) => found.hosts = hosts,
            Err(NoChoice { code, message, help }) => {
                let place = wanted.group.unwrap_or(wanted.file).span;
                let problem =
                    Problem::error(code, message).label(place, "which servers?").help(help);
                found.entry = Some(problem);
            }
        }
    }
    found
}

fn without_groups(mut found: Listings, wanted: Wanted<'_>) -> Listings {
    let said = wanted.group.and_then(super::super::treatment::text);
    found.entry = wanted.group.map(|group| {
        let help = if said == Some("all") {
            "leave `group: all` out: every server of such a file is meant"
        } else {
            "if the file is an inventory of Ansible, name it `….ini`; else make a file with the servers of that group alone"
        };
        Problem::error(Code::LonelyGroup, "a `group`, and the file is a list without groups")
            .label(group.span, "a group of what?")
            .label(wanted.file.span, "read as a plain list of servers")
            .help(help)
    });
    found
}

fn nothing(desk: &mut Desk<'_>, wanted: Wanted<'_>, path: &str) {
    let group = wanted.group.and_then(super::super::treatment::text);
    let (message, place, help) = match group {
        Some(group) if group != "all" => (
            format!("the group {} of `{path}` has no server", shown(group)),
            wanted.group.unwrap_or(wanted.file).span,
            "nothing selected is an error: choose another group, or take the entry out",
        ),
        Some(_) | None => (
            format!("`{path}` lists no server"),
            wanted.file.span,
            "nothing selected is an error; one id or name a line is the simplest list",
        ),
    };
    desk.report(
        Problem::error(Code::EmptyInventory, message).label(place, "named here").help(help),
    );
}

/// Patterns, blanks and repetitions: none of them is a server.
fn bad_hosts(hosts: &[Listing]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    if let Some(host) = hosts.get(MOST_HOSTS) {
        problems.push(
            Problem::error(Code::TooLarge, "more than 300,000 servers in one file")
                .label(clip(host.span), "one too many")
                .help("split the file, and the playbook"),
        );
        return problems;
    }
    for host in hosts {
        if host.text.contains(['*', '?', '{']) {
            problems.push(
                Problem::error(
                    Code::PatternInInventory,
                    format!("{} is a pattern, not a server", shown(&host.text)),
                )
                .label(clip(host.span), "a file lists servers one by one")
                .help("select by pattern in the playbook: `hosts: [{ name: … }]`"),
            );
        } else if let Some(first) = seen.insert(&host.text, host.span) {
            problems.push(
                Problem::error(Code::ListedTwice, format!("{} is listed twice", shown(&host.text)))
                    .label(clip(host.span), "again")
                    .label(clip(first), "first here")
                    .help("remove one of the lines"),
            );
        }
    }
    problems
}

/// A place that fits on a screen.
fn clip(span: Span) -> Span {
    Span { end: span.end.min(span.start.saturating_add(80)), ..span }
}

/// Reads what rows change as if it stood in a playbook; `None` if any of it is refused.
fn patches(desk: &mut Desk<'_>, seat: Seat, trees: &[Node]) -> Option<Vec<Patch>> {
    let text = Arc::clone(&seat.source.text);
    let playbook = desk.sit(seat);
    let before = desk.problems.len();
    let mut made = Vec::new();
    for tree in trees {
        for problem in check::check_override(tree, &text) {
            desk.report(problem);
        }
        made.push(patch(desk, tree));
        if desk.problems.len() >= before + MAX_PROBLEMS {
            break;
        }
    }
    desk.sit(playbook);
    (desk.problems.len() == before).then_some(made)
}
