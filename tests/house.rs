//! The rules of the house, kept by a machine: who may import whom, where outside crates may be
//! used, and what every file owes its reader.
//!
//! Start with [`LAW`]. Each rule is one test; a failure says what was found, why the rule is there
//! and how to mend it. An exception needs a line in a table here, with its reason.

#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test, outside of `mod tests`")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in the order of their layers, with the rooms that each may import. No room may name one
/// that comes after it, so there are no cycles.
const LAW: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("yaml", &["domain"]),
    ("fleet", &["domain"]),
    ("playbook", &["domain", "fleet", "yaml"]),
    ("plan", &["domain", "fleet", "playbook"]),
    ("engine", &["domain", "playbook", "plan"]),
    ("journal", &["domain"]),
    ("report", &["domain"]),
    ("cloud", &["domain", "yaml"]),
    ("probe", &["domain"]),
    ("simulator", &["domain", "yaml", "cloud"]),
    ("run", &["domain", "playbook", "plan", "engine", "journal", "report", "cloud", "probe"]),
    ("simulation", &["domain", "fleet", "playbook", "plan", "engine", "journal", "simulator"]),
    (
        "cli",
        &[
            "domain",
            "yaml",
            "fleet",
            "playbook",
            "plan",
            "engine",
            "journal",
            "report",
            "cloud",
            "probe",
            "simulator",
            "run",
            "simulation",
        ],
    ),
];

/// Imports that break the law all the same: file, imported room, reason.
const LAWFUL_BREACHES: &[(&str, &str, &str)] = &[];

/// Outside crates that may be named in few places only, so that each can be replaced there.
const LOCAL_CRATES: &[(&str, &[&str])] = &[
    ("axum", &["simulator/http"]),
    ("clap", &["cli/args"]),
    ("clap_complete", &["cli/args"]),
    ("clap_mangen", &["cli/args"]),
    ("csv_core", &["playbook/inventory/csv"]),
    ("flate2", &["cli/archive"]),
    ("gethostname", &["cli/machine"]),
    ("if_addrs", &["cli/machine"]),
    ("indicatif", &["report/terminal"]),
    ("minijinja", &["report/html", "report/error"]),
    ("miette", &["cli/diagnostic", "playbook/problem", "playbook/source"]),
    ("petgraph", &["plan/graph"]),
    ("quick_junit", &["report/junit"]),
    ("reqwest", &["cloud/http"]),
    ("rusqlite", &["journal/"]),
    ("rustix", &["probe/process", "run/clock", "journal/place"]),
    ("russh", &["probe/ssh/"]),
    ("serde_yaml", &["yaml/"]),
    ("similar", &["cli/difference"]),
    ("tar", &["cli/archive"]),
    ("whoami", &["cli/machine"]),
];

/// Rooms that decide and never act: no runtime, no sockets, no files, no processes.
const PURE_ROOMS: &[&str] =
    &["domain", "yaml", "fleet", "playbook", "plan", "engine", "report", "simulation"];

/// What a pure room never names.
const IMPURE_PATHS: &[&str] = &["tokio::", "std::fs", "std::net", "std::env", "std::process"];

/// Places in pure rooms that act all the same: file, path, reason.
const IMPURE_BREACHES: &[(&str, &str, &str)] = &[];

/// Doors that hold more than a doc and re-exports: file, reason.
const DOORS_WITH_LOGIC: &[(&str, &str)] = &[];

/// Longer files are two stories in one.
const MAX_LINES: usize = 800;

// ---------------------------------------------------------------------------------------------
// The rules
// ---------------------------------------------------------------------------------------------

#[test]
fn the_law_itself_has_no_cycle() {
    let mut above = BTreeSet::new();
    for (room, imports) in LAW {
        for import in *imports {
            assert!(
                above.contains(import),
                "`{room}` may import `{import}`, which is not below it"
            );
        }
        above.insert(*room);
    }
}

#[test]
fn every_room_imports_only_what_the_law_allows() {
    let law: BTreeMap<&str, &[&str]> = LAW.iter().copied().collect();
    let mut findings = Vec::new();
    for file in sources() {
        let Some(room) = file.room() else { continue };
        let allowed = law.get(room).copied().unwrap_or(&[]);
        for (line, import) in imports(&file.code) {
            let lawful = import == room || allowed.contains(&import.as_str());
            let known = law.contains_key(import.as_str());
            if known && !lawful && !excepted(LAWFUL_BREACHES, &file.path, &import) {
                findings.push(format!("src/{}:{line}: `{room}` imports `{import}`", file.path));
            }
        }
    }
    demand(
        &findings,
        "data flows one way; a room that reaches up or sideways can no longer be read, tested or \
         replaced alone",
        "move the shared type down to `domain`, hand the value in as an argument, or let the room \
         above join the two; a true exception goes into LAWFUL_BREACHES with its reason",
    );
}

#[test]
fn no_relative_path_leaves_its_room() {
    let mut findings = Vec::new();
    for file in sources() {
        let Some(depth) = file.depth() else { continue };
        for (line, supers, in_tests) in super_chains(&file.code) {
            if supers >= depth + usize::from(in_tests) {
                findings.push(format!("src/{}:{line}: {supers} times `super::`", file.path));
            }
        }
    }
    demand(
        &findings,
        "the law is read from `crate::` paths; a chain of `super::` that climbs out of its room \
         would get around it",
        "write the path from `crate::`",
    );
}

#[test]
fn outside_crates_stay_in_their_places() {
    let mut findings = Vec::new();
    for file in sources() {
        for (name, places) in LOCAL_CRATES {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for line in lines_naming(&file.code, name) {
                findings.push(format!(
                    "src/{}:{line}: `{name}` is at home in {}",
                    file.path,
                    places.join(", ")
                ));
            }
        }
    }
    demand(
        &findings,
        "a crate that is named in one place can be replaced in one place",
        "ask that place for a type of ours instead",
    );
}

#[test]
fn pure_rooms_do_nothing_but_decide() {
    let mut findings = Vec::new();
    for file in sources() {
        if !file.room().is_some_and(|room| PURE_ROOMS.contains(&room)) {
            continue;
        }
        for path in IMPURE_PATHS {
            for (number, line) in numbered(before_tests(&file.code)) {
                if line.contains(path) && !excepted(IMPURE_BREACHES, &file.path, path) {
                    findings.push(format!("src/{}:{number}: `{path}`", file.path));
                }
            }
        }
    }
    demand(
        &findings,
        "what decides is simulated thousands of times a minute under one seed; that needs every \
         clock, file, socket and process outside",
        "take the value as an argument and let `cli`, `run` or `probe` fetch it",
    );
}

#[test]
fn the_rooms_are_those_of_the_law_and_of_the_map() {
    let built: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let lawful: BTreeSet<String> = LAW.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(built, lawful, "folders of src/ (left) and rooms of LAW (right) differ");
    let mapped = rooms_of_the_map(&read("ARCHITECTURE.md"));
    assert_eq!(built, mapped, "folders of src/ (left) and the code map of ARCHITECTURE.md differ");
}

#[test]
fn architecture_shows_the_law_as_it_is() {
    let text = read("ARCHITECTURE.md");
    let missing: Vec<String> = LAW
        .iter()
        .map(|(room, imports)| law_row(room, imports))
        .filter(|row| !text.lines().any(|line| line == row))
        .collect();
    demand(
        &missing,
        "readers trust the table in ARCHITECTURE.md",
        "put these rows into its section \"Import law\"",
    );
}

#[test]
fn every_file_begins_with_its_story() {
    let findings: Vec<String> = rust_files(&["src", "tests"])
        .into_iter()
        .filter(|path| !read(path).starts_with("//! "))
        .collect();
    demand(
        &findings,
        "a reader opens a file without knowing why it is there",
        "begin it with `//!`: what it is for, the first type to read, what it never does",
    );
}

#[test]
fn no_file_is_longer_than_a_story() {
    let findings: Vec<String> = rust_files(&["src", "tests", "benches"])
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    demand(
        &findings,
        &format!("a file over {MAX_LINES} lines holds more than one story"),
        "cut it where the story changes",
    );
}

#[test]
fn doors_hold_no_logic() {
    let findings: Vec<String> = sources()
        .into_iter()
        .filter(|file| file.path.ends_with("mod.rs") && has_function_body(&file.code))
        .filter(|file| !DOORS_WITH_LOGIC.iter().any(|(door, _)| *door == file.path))
        .map(|file| format!("src/{}", file.path))
        .collect();
    demand(
        &findings,
        "a door says what is behind it; what happens there has a file with a name",
        "move the function into a file of the room and re-export it",
    );
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let markers = ["TODO", "FIXME", "XXX"];
    let mut findings = Vec::new();
    for path in rust_files(&["src"]) {
        for (number, line) in numbered(&read(&path)) {
            if markers.iter().any(|marker| line.contains(marker)) {
                findings.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    demand(
        &findings,
        "a promise in a comment is kept by nobody",
        "do it, name it under \"Not built yet\" in README.md, or open an issue",
    );
}

#[test]
fn every_workflow_says_what_it_is_for() {
    let folder = root().join("workflows");
    let readme = read("README.md");
    let mut findings = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let explained = first_comment(&fs::read_to_string(&path).unwrap()).is_some();
        if !explained && !readme.contains(&name) {
            findings.push(format!("workflows/{name}"));
        }
    }
    demand(
        &findings,
        "people start from a sample; they must see which one is theirs",
        "begin the file with a comment that says whom it is for, or name it in README.md",
    );
}

#[test]
fn the_readme_holds_the_commands_that_ci_runs() {
    let readme = read("README.md");
    let ci = read(".ci/run");
    for (marker, program) in [("main-job", "cargo run"), ("test", "cargo test")] {
        let command = command_of(&readme, marker).unwrap_or_else(|| {
            panic!("README.md has no command behind <!-- command: {marker} -->")
        });
        assert!(command.starts_with(program), "README's {marker} command is `{command}`");
        assert!(
            ci.contains(&format!("readme_command {marker}")),
            ".ci/run does not take its {marker} command from README.md: both would drift apart"
        );
    }
}

#[test]
fn the_changelog_has_unreleased_on_top() {
    let text = read("CHANGELOG.md");
    let first = text.lines().find(|line| line.starts_with("## "));
    assert_eq!(first, Some("## Unreleased"), "what users get next is on top of CHANGELOG.md");
}

#[test]
fn every_exception_is_still_needed() {
    let sources = sources();
    let code_of = |path: &str| sources.iter().find(|file| file.path == path).map(|file| &file.code);
    for (path, import, reason) in LAWFUL_BREACHES {
        let used = code_of(path).is_some_and(|code| imports(code).iter().any(|(_, i)| i == import));
        assert!(used, "{path} no longer imports {import}: take its line ({reason}) out");
    }
    for (path, what, reason) in IMPURE_BREACHES {
        let used = code_of(path).is_some_and(|code| code.contains(what));
        assert!(used, "{path} no longer names {what}: take its line ({reason}) out");
    }
    for (path, reason) in DOORS_WITH_LOGIC {
        let used = code_of(path).is_some_and(|code| has_function_body(code));
        assert!(used, "{path} is a plain door now: take its line ({reason}) out");
    }
}

// ---------------------------------------------------------------------------------------------
// Reading the source
// ---------------------------------------------------------------------------------------------

/// A file of `src/`, with its comments and texts blanked out.
struct Source {
    /// From `src/` on.
    path: String,
    code: String,
}

impl Source {
    /// The room that the file is in; `lib.rs` and `main.rs` are in none.
    fn room(&self) -> Option<&str> {
        self.path.split_once('/').map(|(room, _)| room)
    }

    /// How many modules deep the file is: 1 for the door of a room.
    fn depth(&self) -> Option<usize> {
        self.room()?;
        let depth = self.path.split('/').count();
        Some(if self.path.ends_with("/mod.rs") { depth - 1 } else { depth })
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources() -> Vec<Source> {
    rust_files(&["src"])
        .into_iter()
        .map(|path| Source {
            code: code_only(&read(&path)),
            path: path.strip_prefix("src/").unwrap().to_owned(),
        })
        .collect()
}

/// All `.rs` files under these folders, in order.
fn rust_files(folders: &[&str]) -> Vec<String> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_at(text: &str) -> &str {
    text.split(|c: char| !is_word(c)).next().unwrap_or("")
}

/// The text with comments and literals turned to blanks; lines stay where they are.
fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let blind = blind_length(rest, out.chars().next_back());
        let (taken, after) = rest.split_at(if blind == 0 { c.len_utf8() } else { blind });
        if blind == 0 {
            out.push(c);
        } else {
            out.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out
}

/// How many bytes of `text` are a comment or a literal that begins right here.
fn blind_length(text: &str, before: Option<char>) -> usize {
    let end_of = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return end_of(2, "*/");
    }
    if text.starts_with('r') && !before.is_some_and(is_word) {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        if text[1 + hashes..].starts_with('"') {
            return end_of(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    match text.chars().next() {
        Some('"') => quoted_length(text, '"'),
        Some('\'') if text[1..].starts_with('\\') => quoted_length(text, '\''),
        Some('\'') if text.chars().nth(2) == Some('\'') => {
            text.char_indices().nth(3).map_or(text.len(), |(at, _)| at)
        }
        _ => 0,
    }
}

/// The length of a quoted literal with escapes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The code above a file's tests, which may read fixtures.
fn before_tests(code: &str) -> &str {
    code.split("#[cfg(test)]").next().unwrap_or(code)
}

/// The rooms that `crate::…` paths name, each with its line.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        let path = &code[at + "crate::".len()..];
        match path.strip_prefix('{') {
            Some(group) => {
                found.extend(heads_of_group(group).into_iter().map(|head| (line, head)));
            }
            None => found.push((line, word_at(path).to_owned())),
        }
    }
    found
}

/// First words of the members of a `{…}` group, whose opening brace was taken.
fn heads_of_group(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut members = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            c if depth == 0 => members.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    members
        .iter()
        .map(|member| word_at(member.trim()).to_owned())
        .filter(|head| !head.is_empty())
        .collect()
}

/// Chains of `super::`: line, length, and whether it is below the file's `#[cfg(test)]`.
fn super_chains(code: &str) -> Vec<(usize, usize, bool)> {
    let tests_from = code.find("#[cfg(test)]").unwrap_or(code.len());
    let mut found = Vec::new();
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let mut length = 0;
        let mut rest = &code[at..];
        while let Some(after) = rest.strip_prefix("super::") {
            length += 1;
            rest = after;
        }
        found.push((1 + code[..at].matches('\n').count(), length, at > tests_from));
    }
    found
}

/// Lines that name an outside crate: `name::…`, `use name;`, `#[name(…)]`.
fn lines_naming(code: &str, name: &str) -> Vec<usize> {
    let names = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = &line[at + name.len()..];
            let whole = !before.is_some_and(is_word) && !after.starts_with(is_word);
            let inner = line[..at].ends_with("::") && !line[..at].ends_with(" ::");
            let attribute = line[..at].trim_end().ends_with("#[");
            whole && !inner && (after.starts_with("::") || attribute || is_plain_use(line, name))
        })
    };
    numbered(code).filter(|(_, line)| names(line)).map(|(number, _)| number).collect()
}

fn is_plain_use(line: &str, name: &str) -> bool {
    let line = line.trim().trim_end_matches(';');
    line == format!("use {name}") || line.starts_with(&format!("use {name} as "))
}

/// Whether any function in the code has a body.
fn has_function_body(code: &str) -> bool {
    code.match_indices("fn ").any(|(at, _)| {
        let starts_word = !code[..at].chars().next_back().is_some_and(is_word);
        let end = code[at..].find(['{', ';']).map(|end| code.as_bytes()[at + end]);
        starts_word && end == Some(b'{')
    })
}

// ---------------------------------------------------------------------------------------------
// Reading the documents
// ---------------------------------------------------------------------------------------------

/// A row of the law as ARCHITECTURE.md shows it.
fn law_row(room: &str, imports: &[&str]) -> String {
    let all_below = LAW.iter().take_while(|(other, _)| *other != room).count();
    let imports = match imports.len() {
        0 => "nothing of ours".to_owned(),
        n if n == all_below && n > 3 => "everything".to_owned(),
        _ => imports.iter().map(|import| format!("`{import}`")).collect::<Vec<_>>().join(", "),
    };
    format!("| `{room}` | {imports} |")
}

/// Rooms in the first column of the section "Code map".
fn rooms_of_the_map(text: &str) -> BTreeSet<String> {
    text.lines()
        .skip_while(|line| *line != "## Code map")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(room, _)| room.to_owned())
        .collect()
}

/// The first sentence of a comment before the first key; a line for editors does not count.
fn first_comment(yaml: &str) -> Option<&str> {
    yaml.lines()
        .take_while(|line| line.starts_with('#') || line.trim().is_empty())
        .map(|line| line.trim_start_matches('#').trim())
        .find(|line| !line.is_empty() && !line.starts_with("yaml-language-server"))
}

/// The first line of the code block behind `<!-- command: NAME -->`.
fn command_of<'a>(readme: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = readme.split_once(&format!("<!-- command: {name} -->"))?;
    after.lines().skip_while(|line| !line.starts_with("```")).nth(1)
}

/// Whether a table of exceptions has this one.
fn excepted(table: &[(&str, &str, &str)], path: &str, what: &str) -> bool {
    table.iter().any(|(file, exception, _)| *file == path && *exception == what)
}

/// Fails with the findings, the reason of the rule and the mend.
#[track_caller]
fn demand(findings: &[String], why: &str, mend: &str) {
    assert!(
        findings.is_empty(),
        "\n\nfound:\n  {}\nwhy:  {why}\nmend: {mend}\n",
        findings.join("\n  ")
    );
}

// ---------------------------------------------------------------------------------------------
// The reader itself is tested: a law that sees nothing is always kept
// ---------------------------------------------------------------------------------------------

#[test]
fn imports_are_seen_in_every_form() {
    let check = |code: &str, expected: &[(usize, &str)]| {
        let found = imports(&code_only(code));
        let expected: Vec<_> =
            expected.iter().map(|(line, room)| (*line, (*room).into())).collect();
        assert_eq!(found, expected, "{code}");
    };
    check("use crate::plan::Plan;", &[(1, "plan")]);
    check("\nuse crate::{plan::{A, B}, run, self as us};", &[(2, "plan"), (2, "run"), (2, "self")]);
    check("fn f() { crate::run::go(\"crate::cli\"); }", &[(1, "run")]);
    check("pub(crate) use crate::journal as j;", &[(1, "journal")]);
    check("// crate::plan\n/// [`crate::plan`]\n/* crate::plan */", &[]);
    check("let a = r#\"use crate::plan;\"#; let b = 'x'; let c: &'static str;", &[]);
    check("let quote = '\"'; use crate::run;", &[(1, "run")]);
    check("let quote = '\\''; use crate::run;", &[(1, "run")]);
    check("my_crate::plan::x", &[]);
}

#[test]
fn chains_of_super_are_measured() {
    let code = "use super::a;\nuse super::super::b;\n#[cfg(test)]\nmod t { use super::super::c; }";
    assert_eq!(super_chains(code), [(1, 1, false), (2, 2, false), (4, 2, true)]);
}

#[test]
fn crates_are_seen_in_every_form() {
    let check = |code: &str, expected: bool| {
        assert_eq!(!lines_naming(&code_only(code), "clap").is_empty(), expected, "{code}");
    };
    check("use clap::Parser;", true);
    check("#[derive(clap::Args)]", true);
    check("    #[clap(long)]", true);
    check("use clap;", true);
    check("use clap as c;", true);
    check("let x = ::clap::Command::new(name);", true);
    check("overclap::x()", false);
    check("clapper::x()", false);
    check("let clap = 1;", false);
    check("crate::clap::x()", false);
    check("// clap::Parser", false);
}

#[test]
fn bodies_are_told_from_declarations() {
    let check = |code: &str, expected: bool| {
        assert_eq!(has_function_body(&code_only(code)), expected, "{code}");
    };
    check("mod a;\npub use a::f;", false);
    check("pub trait T { fn call(&self, a: A) -> impl F<O = R> + Send; }", false);
    check("pub trait T { fn call(&self) -> u8 { 1 } }", true);
    check("pub(crate) fn f<T>(t: T) -> T where T: X { t }", true);
    check("/// fn f() {}\nmod a;", false);
}
