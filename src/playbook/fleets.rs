//! Fleets: hosts, exclusions, dependencies and overrides.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::domain::FleetName;
use crate::fleet::{Pattern, Selector};
use crate::yaml::{Entry, Node, Span};

pub(super) use super::model::FleetSpec;

use super::include::{self, Sheet};
use super::insert::Matrix;
use super::inventory;
use super::lower::Desk;
use super::matrix::Part;
use super::merge::{Patch, StrategyPatch};
use super::model::{DependsOn, Exclude, HostEntry, Hosts, Pause, Share};
use super::problem::{Code, Problem};
use super::treatment::{number, one_or_many, patch, strategy, text};
use super::written::{Layer, Written as Source};
use super::{scalars, steps, suggest};

/// Where an entry of a list begins, so that a label has something to point at.
pub(super) fn begin(node: &Node) -> Span {
    node.entries().and_then(<[Entry]>::first).map_or(node.span, |entry| entry.key.span)
}

/// The fleets of all files, those of the included first. Their defaults are one: what is included
/// first, the playbook last, so that it wins.
pub(super) fn fleets(
    desk: &mut Desk<'_>,
    included: &[Sheet],
    own: &Sheet,
) -> IndexMap<FleetName, FleetSpec> {
    let sheets = || included.iter().chain([own]);
    let (mut treatment, mut pace) = (Patch::default(), StrategyPatch::default());
    let mut written = Layer::default();
    for sheet in sheets() {
        if let Some(node) = sheet.root.get("defaults") {
            let seat = desk.sit(sheet.seat.clone());
            treatment = treatment.merged(patch(desk, node));
            pace = pace.merged(strategy(node));
            written = written.under(Layer::of(desk, node));
            desk.sit(seat);
        }
    }
    let names = Names {
        written: sheets().flat_map(entries).map(|entry| &*entry.key.text).collect(),
        parts: sheets()
            .flat_map(|sheet| &sheet.parts)
            .map(|(name, parts)| (&**name, parts.as_slice()))
            .collect(),
    };
    let mut fleets: IndexMap<FleetName, FleetSpec> = IndexMap::new();
    for sheet in sheets() {
        let seat = desk.sit(sheet.seat.clone());
        for entry in entries(sheet).iter().filter(|entry| entry.value.entries().is_some()) {
            let same = |had: &&FleetSpec| had.family.as_str() == &*entry.key.text;
            if let Some(first) = fleets.values().find(same) {
                // Within one file that is a key that stands twice, which was told.
                include::twice(desk, &entry.key.text, entry.key.span, &first.place);
                continue;
            }
            for mut fleet in family(desk, entry, &names, (&treatment, &pace), sheet) {
                fleet.written.defaults.clone_from(&written);
                fleets.insert(fleet.name.clone(), fleet);
            }
        }
        desk.sit(seat);
    }
    if let (true, Some(entry)) = (fleets.is_empty(), own.root.entry("include")) {
        desk.report(
            Problem::error(
                Code::NoFleets,
                "neither the playbook nor a file that it includes has a fleet",
            )
            .label(entry.key.span, "nothing in these")
            .help("a fleet is a name with `hosts`: `web: { hosts: [{ tag: role=web }] }`"),
        );
    }
    fleets
}

fn entries(sheet: &Sheet) -> &[Entry] {
    sheet.root.get("fleets").and_then(Node::entries).unwrap_or_default()
}

/// A fleet as it is written: itself, or every part of its matrix.
fn family(
    desk: &mut Desk<'_>,
    entry: &Entry,
    names: &Names<'_>,
    (treatment, pace): (&Patch, &StrategyPatch),
    sheet: &Sheet,
) -> Vec<FleetSpec> {
    let parts = sheet.parts.get(&entry.key.text).into_iter().flatten();
    let mut parts: Vec<_> =
        parts.map(|part| (Arc::clone(&part.name), &part.node, part.values.clone())).collect();
    if parts.is_empty() {
        let broken = entry.value.get("matrix").map_or(Matrix::None, |_| Matrix::Broken);
        parts.push((Arc::clone(&entry.key.text), &entry.value, broken));
    }
    let mut made: Vec<FleetSpec> = Vec::new();
    for (name, node, matrix) in parts {
        desk.matrix = matrix;
        let part = Written { entry, name: FleetName::new(name), node };
        let mut fleet = fleet(desk, part, names, (treatment.clone(), pace.clone()));
        lonely_owner(desk, &fleet, (node, entry.key.span), sheet.root.get("defaults"));
        pause_without_canary(desk, &fleet, (node, entry.key.span), sheet.root.get("defaults"));
        let before = made.last().map(|before| before.name.clone());
        fleet.depends_on.extend(before.map(|before| after(desk, entry, before)));
        made.push(fleet);
    }
    desk.matrix = Matrix::None;
    made
}

/// One part of a matrix waits for all of the one before: what went wrong in one zone does not go on
/// in the next.
fn after(desk: &Desk<'_>, entry: &Entry, before: FleetName) -> DependsOn {
    let place = entry.value.entry("matrix").map_or(entry.key.span, |matrix| matrix.key.span);
    DependsOn { fleet: before, verified: Share(100), place: desk.place(place) }
}

/// A fleet as it goes: the whole of what is written, or one part of its matrix.
struct Written<'n> {
    entry: &'n Entry,
    name: FleetName,
    node: &'n Node,
}

/// Names that `depends_on` may have.
struct Names<'n> {
    written: Vec<&'n str>,
    parts: BTreeMap<&'n str, &'n [Part]>,
}

impl<'n> Names<'n> {
    /// The fleets that a name means: itself, or every part of it.
    fn meant(&self, name: &str) -> Vec<&'n str> {
        let parts = || self.parts.values().copied().flatten().map(|part| &*part.name);
        if let Some(parts) = self.parts.get(name) {
            return parts.iter().map(|part| &*part.name).collect();
        }
        let written = self.written.iter().copied();
        written.chain(parts()).filter(|known| *known == name).take(1).collect()
    }
}

fn fleet(
    desk: &mut Desk<'_>,
    Written { entry, name, node }: Written<'_>,
    names: &Names<'_>,
    (defaults, pace): (Patch, StrategyPatch),
) -> FleetSpec {
    let base = defaults.merged(patch(desk, node));
    let overrides = overrides(desk, node);
    let layers = overrides.iter().map(|(_, _, layer)| layer.clone()).collect();
    let (overrides, patches) =
        overrides.into_iter().map(|(matching, patch, _)| (matching, patch)).unzip();
    let written = Source { fleet: Layer::of(desk, node), overrides: layers, ..Source::default() };
    let items = |key| node.get(key).and_then(Node::items).unwrap_or_default();
    let mut rows = Vec::new();
    let hosts = items("hosts").iter().filter_map(|item| host(desk, item, &mut rows)).collect();
    let exclude = items("exclude").iter().filter_map(|item| exclude(desk, item)).collect();
    let expect = node
        .entry("expect")
        .and_then(|entry| Some((number(&entry.value)?, desk.place(entry.key.span))));
    let fleet = FleetSpec {
        name,
        family: FleetName::new(&*entry.key.text),
        place: desk.place(entry.key.span),
        hosts,
        exclude,
        expect,
        depends_on: depends_on(desk, entry, node, names),
        strategy: pace.merged(strategy(node)).into_strategy(),
        treatment: base.clone().into_treatment(),
        steps: steps::steps(desk, node.get("steps")),
        overrides,
        written,
        base,
        patches,
        rows,
    };
    every_name(desk, node, &fleet);
    fleet
}

/// Patterns that a playbook may have. Each is compared with the name of every server: a thousand of
/// them with 100,000 names are seconds already. Names without a pattern do not count.
const MOST_PATTERNS: usize = 1_000;

/// Whether there may be one more pattern; the first one too many is told. Asked before a pattern
/// is compiled: that is what costs.
fn affordable(desk: &mut Desk<'_>, node: &Node, name: Option<&str>) -> bool {
    if name.is_none_or(Pattern::is_name) {
        return true;
    }
    desk.patterns += 1;
    if desk.patterns == MOST_PATTERNS + 1 {
        let message = format!("more than {MOST_PATTERNS} patterns of names");
        desk.report(
            Problem::error(Code::TooManyPatterns, message)
                .label(node.span, "one too many")
                .help("select by tag, or list the names in a file: `- file: hosts.txt`"),
        );
    }
    desk.patterns <= MOST_PATTERNS
}

/// The conditions of an entry; `None` if they make no selector, which is told here or was before.
pub(super) fn selector(desk: &mut Desk<'_>, node: &Node) -> Option<Selector> {
    let condition = |key| node.get(key).and_then(text);
    let (id, name) = (condition("id"), condition("name"));
    if !affordable(desk, node, name) {
        return None;
    }
    match Selector::try_new(id, name, condition("tag"), condition("az")) {
        Ok(selector) => Some(selector),
        Err(error) => {
            if let (Some(pattern), Some(name)) = (node.get("name"), name) {
                desk.report(
                    Problem::error(Code::BadGlob, format!("{}: {error}", suggest::shown(name)))
                        .label(pattern.span, "not a pattern")
                        .help("`*` is any text, `?` any character, `[ab]` one of these, `{a,b}` one of these texts; put `[` before and `]` after a sign that is meant as itself"),
                );
            }
            None
        }
    }
}

fn host(desk: &mut Desk<'_>, node: &Node, rows: &mut Vec<Patch>) -> Option<HostEntry> {
    let place = desk.place(begin(node));
    let must_match = node
        .entry("must_match")
        .and_then(|entry| Some((selector(desk, &entry.value)?, desk.place(entry.key.span))));
    let Some(file) = node.entry("file") else {
        lonely_group(desk, node);
        let selector = selector(desk, node)?;
        return Some(HostEntry { place, hosts: Hosts::Matching(selector), must_match });
    };
    let others = node.entries().unwrap_or_default();
    let condition = ["id", "name", "tag", "az"];
    if let Some(other) = others.iter().find(|entry| condition.contains(&&*entry.key.text)) {
        desk.report(
            Problem::error(
                Code::FileAndConditions,
                "a file and a condition in one entry of `hosts`",
            )
            .label(other.key.span, "a condition")
            .label(file.key.span, "a file that lists the servers")
            .help("make two entries of it, take servers of the file out with `exclude`, or demand it of all with `must_match`"),
        );
        return None;
    }
    let named = desk.read(&file.value)?;
    let group = node.get("group");
    let wanted = inventory::Wanted { file: &file.value, group };
    let lines = inventory::read(desk, wanted, &named, rows)?;
    let path = match group.and_then(text) {
        Some(group) => format!("{}, group {group}", named.file.path),
        None => named.file.path,
    };
    Some(HostEntry { place, hosts: Hosts::Listed { path, lines }, must_match })
}

/// A group of what?
fn lonely_group(desk: &mut Desk<'_>, node: &Node) {
    let Some(group) = node.entry("group") else { return };
    // Without a condition as well the entry was refused as empty.
    if node.entries().is_some_and(|entries| entries.len() > 1) {
        desk.report(
            Problem::error(Code::LonelyGroup, "a `group` without a `file`")
                .label(group.key.span, "a group of what?")
                .help("groups are those of an Ansible inventory: add `file`, or remove `group`"),
        );
    }
}

fn exclude(desk: &mut Desk<'_>, node: &Node) -> Option<Exclude> {
    let allow_none = node.get("allow_none").and_then(|node| scalars::flag(text(node)?));
    Some(Exclude {
        place: desk.place(begin(node)),
        selector: selector(desk, node)?,
        allow_none: allow_none.unwrap_or(false),
    })
}

fn depends_on(
    desk: &mut Desk<'_>,
    fleet: &Entry,
    node: &Node,
    names: &Names<'_>,
) -> Vec<DependsOn> {
    let Some(node) = node.get("depends_on") else { return Vec::new() };
    let mut found: Vec<(DependsOn, Span)> = Vec::new();
    for item in one_or_many(node) {
        let target = item.get("fleet").unwrap_or(item);
        let Some(name) = text(target) else { continue };
        let verified = item.get("verified").and_then(|node| scalars::share(text(node)?));
        let meant = names.meant(name);
        let own = names.parts.get(&*fleet.key.text);
        let itself = own.is_some_and(|parts| parts.iter().any(|part| &*part.name == name));
        if itself || name == &*fleet.key.text {
            desk.report(
                Problem::error(
                    Code::DependsOnItself,
                    format!("the fleet `{name}` waits for itself"),
                )
                .label(target.span, "itself")
                .help("waves of one fleet are made with `strategy.serial`; parts of a matrix go one after another anyway"),
            );
        } else if meant.is_empty() {
            desk.report(
                Problem::error(
                    Code::UnknownFleet,
                    format!("there is no fleet {}", suggest::shown(name)),
                )
                .label(target.span, "no fleet has this name")
                .help(suggest::help(name, &names.written, "fleets")),
            );
        } else if let Some((_, first)) =
            found.iter().find(|(had, _)| meant.contains(&had.fleet.as_str()))
        {
            desk.report(
                Problem::error(
                    Code::DependsTwice,
                    format!("`{name}` is named twice in `depends_on`"),
                )
                .label(target.span, "again")
                .label(*first, "first here")
                .help("keep one of them"),
            );
        } else {
            let place = desk.place(target.span);
            let verified = verified.unwrap_or(Share(100));
            let needed =
                |fleet: &str| DependsOn { fleet: fleet.into(), verified, place: place.clone() };
            found.extend(meant.into_iter().map(|fleet| (needed(fleet), target.span)));
        }
    }
    found.into_iter().map(|(needed, _)| needed).collect()
}

type Override = ((Selector, crate::domain::Place), Patch, Layer);

fn overrides(desk: &mut Desk<'_>, fleet: &Node) -> Vec<Override> {
    let items = fleet.get("overrides").and_then(Node::items).unwrap_or_default();
    let mut found = Vec::new();
    for item in items {
        let Some(matching) = item.entry("match") else { continue };
        if item.entries().is_some_and(|entries| entries.len() == 1) {
            desk.report(
                Problem::warning(Code::EmptyOverride, "this override changes nothing")
                    .label(matching.key.span, "matches servers, and leaves them as they are")
                    .help("add what differs (`reinstall`, `wait`, `retry`, `verify`, `start_back`), or remove it"),
            );
        }
        let patch = patch(desk, item);
        if let Some(selector) = selector(desk, &matching.value) {
            let layer = Layer::of(desk, item);
            found.push(((selector, desk.place(matching.key.span)), patch, layer, item));
        }
    }
    for (number, ((selector, _), _, layer, item)) in found.iter().enumerate() {
        let later = &found[number + 1..];
        let later =
            later.iter().filter(|((wider, _), _, _, item)| wider.covers(selector) && !adds(item));
        let later: Vec<&Layer> = later.map(|(_, _, layer, _)| layer).collect();
        let says_something = item.entries().is_some_and(|entries| entries.len() > 1);
        if let Some(matching) =
            item.entry("match").filter(|_| says_something && layer.is_undone_by(&later))
        {
            desk.report(
                Problem::warning(Code::UnreachableOverride, "later overrides undo all of this one")
                    .label(matching.key.span, "never has a say")
                    .help("the last match wins: move it behind those that match more servers, or remove it"),
            );
        }
    }
    found.into_iter().map(|(matching, patch, layer, _)| (matching, patch, layer)).collect()
}

/// Whether it keeps the checks that others said, and adds to them.
fn adds(item: &Node) -> bool {
    let checks = item.get("verify").and_then(Node::items).unwrap_or_default();
    checks.iter().any(|check| check.scalar().is_some_and(|it| &*it.text == "defaults"))
}

/// A key's owner says nothing without a key.
fn lonely_owner(
    desk: &mut Desk<'_>,
    fleet: &FleetSpec,
    (node, key): (&Node, Span),
    defaults: Option<&Node>,
) {
    let login = &fleet.base.reinstall;
    if login.key_owner.value().is_none() || login.key_name.value().is_some() {
        return;
    }
    let owner =
        |layer: &Node| layer.get("reinstall")?.entry("key_owner").map(|entry| entry.key.span);
    // The owner may be of another file.
    let span = owner(node).or_else(|| owner(defaults?)).unwrap_or(key);
    let message = format!("fleet `{}` has a `key_owner` and no `key_name`", fleet.name);
    desk.report(
        Problem::error(Code::LonelyOwner, message)
            .label(span, "the owner of which key pair?")
            .help("add `key_name`, or remove `key_owner`: without both the server's own key pair is used"),
    );
}

/// A fleet that is to pause after its canary, and has none, would never pause.
fn pause_without_canary(
    desk: &mut Desk<'_>,
    fleet: &FleetSpec,
    (node, key): (&Node, Span),
    defaults: Option<&Node>,
) {
    if fleet.strategy.pause != Pause::AfterCanary || fleet.strategy.canary > 0 {
        return;
    }
    let pause = |layer: &Node| layer.get("strategy")?.entry("pause").map(|entry| entry.key.span);
    // It may be of another file.
    let span = pause(node).or_else(|| pause(defaults?)).unwrap_or(key);
    let message = format!("fleet `{}` pauses after a canary that it does not have", fleet.name);
    desk.report(
        Problem::error(Code::PauseWithoutCanary, message)
            .label(span, "nothing would ever wait here")
            .help("give it a `canary` of 1 or more, or write `pause: each_batch`"),
    );
}

/// `name: "*"` is every server of the project; a count beside it shows that this is meant.
fn every_name(desk: &mut Desk<'_>, node: &Node, fleet: &FleetSpec) {
    if fleet.expect.is_some() {
        return;
    }
    for item in node.get("hosts").and_then(Node::items).unwrap_or_default() {
        let only = item.entries().is_some_and(|entries| entries.len() == 1);
        let Some(name) = item.entry("name").filter(|_| only) else { continue };
        let stars = text(&name.value).is_some_and(|text| text.bytes().all(|byte| byte == b'*'));
        if stars {
            let message = format!("fleet `{}` selects every server of the project", fleet.name);
            desk.report(
                Problem::warning(Code::EveryServer, message)
                    .label(name.value.span, "matches every name")
                    .help("narrow it with a tag or a longer pattern; if it is meant, `expect: N` says so"),
            );
        }
    }
}
