//! From the checked tree to a [`Playbook`].
//!
//! Start with [`lower`]. It goes on after a problem, with a value left out, so that the rest of the
//! file is looked at too; whether there is a playbook in the end is decided by the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::domain::{FleetName, Origin, PinnedFile, Place, Provider};
use crate::yaml::{Node, Span};

use super::include::Sheet;
use super::insert::{Matrix, Vars};
use super::model::{ApiLimit, Guards, Limits, Playbook, SimulatorSpec};
use super::problem::{Code, Problem};
use super::scalars;
use super::source::{Files, Lines, Source, sha256};
use super::treatment::{number, owned, text};
use super::{fleets, guards};

/// What lowering works with: the text, the files, and the list of problems.
pub(super) struct Desk<'a> {
    /// The text that is being read just now.
    pub(super) seat: Seat,
    /// The playbook's folder, seen from where refleet was started.
    root: PathBuf,
    /// The playbook's name in it.
    name: String,
    files: &'a dyn Files,
    /// Files by their path seen from the playbook, so that each is read once.
    read: BTreeMap<String, Arc<[u8]>>,
    pinned: IndexMap<String, PinnedFile>,
    /// Patterns of names so far: each costs time for every server, and memory.
    pub(super) patterns: usize,
    pub(super) problems: Vec<Problem>,
    /// Of every text that was read: what its pictures must not show.
    pub(super) hidden: Vec<(Source, Vec<Span>)>,
    /// The matrix of the fleet that is being read just now.
    pub(super) matrix: Matrix,
    /// Variables and keys of matrices that their own texts never insert: a template still may.
    unused: Vec<Problem>,
    /// What templates insert: the file, and where in it the name is written.
    used: BTreeSet<(Arc<str>, Span)>,
}

/// A text that is being read, and where it stands.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) source: Source,
    lines: Lines,
    /// Its folder, seen from the playbook's.
    folder: PathBuf,
    /// What templates that it names can insert.
    vars: Arc<(Arc<str>, Vars)>,
}

impl Seat {
    /// The place of a text: `path` is seen from the playbook's folder.
    pub(super) fn new(source: Source, path: &str) -> Self {
        let folder = Path::new(path).parent().unwrap_or(Path::new("")).to_owned();
        let vars = Arc::new((Arc::from(source.name.as_str()), Vars::new()));
        Self { lines: Lines::of(&source), source, folder, vars }
    }

    /// The place of a text that has no variables of its own, such as a list of servers: it has those
    /// of the text that names it.
    pub(super) fn named_by(self, other: &Self) -> Self {
        Self { vars: Arc::clone(&other.vars), ..self }
    }

    /// The variables.
    pub(super) fn vars(&self) -> &Vars {
        &self.vars.1
    }
}

/// A file that was read.
pub(super) struct Named {
    /// As plans name it: seen from where refleet was started.
    pub(super) file: PinnedFile,
    /// Seen from the playbook's folder.
    pub(super) path: String,
    pub(super) bytes: Arc<[u8]>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(source: &Source, files: &'a dyn Files) -> Self {
        let root = Path::new(&source.name).parent().unwrap_or(Path::new("")).to_owned();
        Self {
            seat: Seat::new(source.clone(), ""),
            root,
            name: Path::new(&source.name)
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            files,
            read: BTreeMap::new(),
            pinned: IndexMap::new(),
            patterns: 0,
            problems: Vec::new(),
            hidden: Vec::new(),
            matrix: Matrix::None,
            unused: Vec::new(),
            used: BTreeSet::new(),
        }
    }

    /// Takes note of the variables of the text that is being read, and of what it never inserts.
    pub(super) fn learn(&mut self, vars: Vars, unused: Vec<Problem>) {
        let source = &self.seat.source;
        self.unused.extend(unused.into_iter().map(|problem| problem.found_in(source)));
        self.seat.vars = Arc::new((Arc::from(source.name.as_str()), vars));
    }

    /// A template inserts what has its name there.
    pub(super) fn uses(&mut self, key: Span) {
        self.used.insert((Arc::clone(&self.seat.vars.0), key));
    }

    /// A template that cannot be read may have been meant to insert any of them.
    pub(super) fn may_use_all(&mut self) {
        let vars = Arc::clone(&self.seat.vars);
        let matrix = match self.matrix.clone() {
            Matrix::Values(values) => values,
            Matrix::None | Matrix::Broken => Vars::new(),
        };
        for var in vars.1.values().chain(matrix.values()) {
            self.uses(var.key);
        }
    }

    /// What neither its own text nor a template inserts.
    pub(super) fn tell_unused(&mut self) {
        for problem in std::mem::take(&mut self.unused) {
            let key = problem.labels.first().map_or(Span::default(), |(span, _)| *span);
            if !self.used.contains(&(Arc::from(problem.source.name.as_str()), key)) {
                self.report_elsewhere(problem);
            }
        }
    }

    /// Reads on in another text; gives back the one before.
    pub(super) fn sit(&mut self, seat: Seat) -> Seat {
        std::mem::replace(&mut self.seat, seat)
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem.found_in(&self.seat.source));
    }

    pub(super) fn report_elsewhere(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn place(&self, span: Span) -> Place {
        self.seat.lines.place(span)
    }

    /// Reads a file that the text names, and pins its hash.
    pub(super) fn read(&mut self, node: &Node) -> Option<Named> {
        self.read_path(node, &owned(node)?)
    }

    /// The same for a path that is not read as it is written.
    fn read_path(&mut self, node: &Node, written: &str) -> Option<Named> {
        let path = self.seat.folder.join(written).to_string_lossy().into_owned();
        let bytes = match self.bytes(&path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let help = if reason.contains("is a directory") {
                    "name one of its files; of an inventory folder of Ansible one file is made with `ansible-inventory -i FOLDER --list -y > hosts.yaml`"
                } else {
                    "relative paths are seen from the folder of the file that names them"
                };
                let message = format!("the file `{written}` cannot be read: {reason}");
                self.report(
                    Problem::error(Code::FileUnreadable, message)
                        .label(node.span, "named here")
                        .help(help),
                );
                return None;
            }
        };
        let seen = self.root.join(&path).to_string_lossy().into_owned();
        let file = self.pinned.entry(path.clone());
        let file = file.or_insert_with(|| PinnedFile { path: seen, sha256: sha256(&bytes) });
        Some(Named { file: file.clone(), path, bytes })
    }

    fn bytes(&mut self, path: &str) -> Result<Arc<[u8]>, String> {
        if let Some(bytes) = self.read.get(path) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = self.files.read(path)?.into();
        self.read.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(bytes)
    }

    /// A path of the text, seen from the playbook's folder.
    pub(super) fn seen_from_playbook(&self, path: &str) -> String {
        self.seat.folder.join(path).to_string_lossy().into_owned()
    }

    /// Whether a path, seen from the playbook's folder, is the playbook itself.
    pub(super) fn is_playbook(&self, path: &str) -> bool {
        self.name == path
    }

    /// A path of the text, seen from where refleet was started.
    pub(super) fn seen_from_here(&self, path: &str) -> String {
        self.root.join(&self.seat.folder).join(path).to_string_lossy().into_owned()
    }

    /// Pins the hash of a file whose content is not looked at here.
    pub(super) fn pin(&mut self, node: &Node) -> Option<PinnedFile> {
        self.read(node).map(|named| named.file)
    }

    /// The same for a path that is not read as it is written.
    pub(super) fn pin_path(&mut self, node: &Node, path: &str) -> Option<PinnedFile> {
        self.read_path(node, path).map(|named| named.file)
    }
}

/// Reads the tree; problems are left at the desk.
pub(super) fn lower(desk: &mut Desk<'_>, own: &Sheet, included: &[Sheet]) -> Option<Playbook> {
    let root = &own.root;
    let cloud = root.entry("cloud");
    let cloud_name = cloud.and_then(|entry| owned(&entry.value)).unwrap_or_default();
    let written = guards::read(desk, root);
    let mut others = Vec::new();
    for sheet in included {
        let playbook = desk.sit(sheet.seat.clone());
        let guards = guards::read(desk, &sheet.root);
        guards::refuse_switches(desk, &guards);
        others.push(guards);
        desk.sit(playbook);
    }
    let guards = guards::merged(desk, others, written);
    let limits = limits(root.get("limits"));
    let fleets = fleets::fleets(desk, included, own);
    let simulator = simulator(desk, root, &cloud_name);
    most_hosts(desk, &guards, &fleets, root);
    Some(Playbook {
        name: root.get("name").and_then(owned).unwrap_or_else(|| stem(&desk.seat.source.name)),
        cloud: cloud_name,
        cloud_place: desk.place(cloud?.key.span),
        provider: root.get("provider").and_then(text).and_then(Provider::named),
        region: root.get("region").and_then(owned),
        guards,
        limits,
        fleets,
        simulator,
        files: std::mem::take(&mut desk.pinned).into_values().collect(),
        origin: Origin {
            path: desk.seat.source.name.clone(),
            sha256: desk.seat.source.sha256(),
            commit: None,
            dirty: None,
            files: Vec::new(),
        },
    })
}

/// A file's name without folder and ending.
fn stem(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.split_once('.')
        .map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem })
        .to_owned()
}

fn limits(node: Option<&Node>) -> Limits {
    let built_in = Limits::default();
    let Some(node) = node else { return built_in };
    let api = node.get("api");
    let rate = api.and_then(|api| scalars::rate(text(api.get("rate")?)?));
    Limits {
        api: ApiLimit {
            per_minute: rate.unwrap_or(built_in.api.per_minute),
            burst: api.and_then(|api| number(api.get("burst")?)).unwrap_or(built_in.api.burst),
        },
        reinstalls: node.get("reinstalls").and_then(number).unwrap_or(built_in.reinstalls),
        per_az: node.get("per_az").and_then(number),
        stop_batch: node.get("stop_batch").and_then(number).unwrap_or(built_in.stop_batch),
    }
}

fn simulator(desk: &mut Desk<'_>, root: &Node, cloud: &str) -> Option<SimulatorSpec> {
    let entry = root.entry("simulator")?;
    let node = &entry.value;
    if cloud != "simulator" && !cloud.is_empty() {
        let message = format!("`simulator` is not used with `cloud: {cloud}`");
        desk.report(
            Problem::warning(Code::SimulatorUnused, message)
                .label(entry.key.span, "this has no effect")
                .help("write `cloud: simulator` to rehearse, or remove `simulator`"),
        );
    }
    let mut world = node.get("world");
    if let (Some(servers), Some(file)) = (node.entry("servers"), node.entry("world")) {
        desk.report(
            Problem::error(
                Code::TwoWorlds,
                "the simulated cloud has `servers` and `world` at once",
            )
            .label(file.key.span, "a file that describes the servers")
            .label(servers.key.span, "a number of healthy servers")
            .help("keep one of them"),
        );
        world = None;
    }
    Some(SimulatorSpec {
        servers: node.get("servers").and_then(number),
        world: world.and_then(|node| desk.pin(node)),
        speed: node.get("speed").and_then(|node| scalars::number(text(node)?)).unwrap_or(60.0),
        faults: faults(desk, node),
        seed: node.get("seed").and_then(|node| scalars::whole(text(node)?)).unwrap_or(0),
    })
}

/// The names of built-in faults.
const FAULTS: &[&str] = &["none", "throttled", "flaky", "chaos"];

fn faults(desk: &mut Desk<'_>, node: &Node) -> String {
    let Some((node, name)) = node.get("faults").and_then(|node| Some((node, text(node)?))) else {
        return "none".to_owned();
    };
    if FAULTS.contains(&name) {
        return name.to_owned();
    }
    if name.contains(['.', '/']) {
        return desk.pin(node).map_or_else(String::new, |file| file.path);
    }
    desk.report(
        Problem::error(Code::UnknownWord, format!("there are no faults named `{name}`"))
            .label(node.span, "neither a name nor a file")
            .help(super::suggest::help(name, FAULTS, "it can be")),
    );
    name.to_owned()
}

/// Fleets that must have more servers than a plan may hold can never be planned.
fn most_hosts(
    desk: &mut Desk<'_>,
    guards: &Guards,
    fleets: &IndexMap<FleetName, fleets::FleetSpec>,
    root: &Node,
) {
    let Some((most, _)) = guards.max_hosts else { return };
    let expected: u64 =
        fleets.values().filter_map(|fleet| fleet.expect.as_ref()).map(|(n, _)| u64::from(*n)).sum();
    let guard = root.get("guards").and_then(|node| node.entry("max_hosts"));
    if let (true, Some(guard)) = (expected > u64::from(most), guard) {
        let message = format!("the fleets expect {expected} servers, and a plan may hold {most}");
        desk.report(
            Problem::error(Code::ExpectTooMany, message)
                .label(guard.value.span, "the most that a plan may hold")
                .help("raise `max_hosts` if so many servers are meant, or correct `expect`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_without_a_name_is_named_after_its_file() {
        for (path, name) in
            [("a/web.yaml", "web"), ("web", "web"), (".yaml", ".yaml"), ("a\\b.yml", "b")]
        {
            assert_eq!(stem(path), name);
        }
    }
}
