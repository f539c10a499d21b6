//! The table `docs/seed-constraints.md`: every line of the page is there once, and every test that
//! it names exists and is run.

#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]
#![expect(clippy::unwrap_used, reason = "helpers of a test, outside of `mod tests`")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A line of the table.
struct Row {
    id: String,
    cells: Vec<String>,
    good: Vec<String>,
    bad: Vec<String>,
}

/// The lines of the page: constraints, what the API implies on top, and notes.
fn ids() -> Vec<String> {
    let of = |letter: char, last: usize| (1..=last).map(move |n| format!("{letter}{n}"));
    of('C', 10).chain(of('X', 10)).chain(of('N', 12)).collect()
}

fn rows(table: &str) -> Vec<Row> {
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let rows = lines.map(|line| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells.len(), 7, "seven columns: {line}");
        let (id, good, bad) = (cells[0].clone(), quoted(&cells[5]), quoted(&cells[6]));
        Row { id, cells, good, bad }
    });
    rows.collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn table() -> Vec<Row> {
    rows(&fs::read_to_string(root().join("docs/seed-constraints.md")).unwrap())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Test functions of a source, each with whether it is ignored.
fn tests(source: &str) -> Vec<(String, bool)> {
    let (mut found, mut marked, mut ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if line.starts_with("#[ignore") {
            ignored = true;
        } else if marked && !line.starts_with('#') && !line.starts_with("//") {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            found.extend(name.map(|(name, _)| (name.to_owned(), ignored)));
            (marked, ignored) = (false, false);
        }
    }
    found
}

fn all_tests() -> BTreeMap<String, bool> {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    sources(&root().join("tests"), &mut paths);
    paths.iter().flat_map(|path| tests(&fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_line_of_the_page_is_there_once_and_in_order() {
    let found: Vec<String> = table().into_iter().map(|row| row.id).collect();
    assert_eq!(found, ids());
}

#[test]
fn every_line_says_what_is_checked_where_when_and_what_is_told() {
    for row in table() {
        for cell in &row.cells {
            assert!(!cell.is_empty() && *cell != "–", "{} has an empty cell", row.id);
        }
    }
}

#[test]
fn both_sides_of_every_line_are_tests_that_exist_and_are_run() {
    let tests = all_tests();
    for row in table() {
        for (side, names) in [("good", &row.good), ("bad", &row.bad)] {
            assert!(!names.is_empty(), "{} has no test of its {side} side", row.id);
            for name in names {
                match tests.get(name) {
                    Some(false) => {}
                    Some(true) => panic!("{name} of {} is ignored", row.id),
                    None => panic!("{name} of {} is not there", row.id),
                }
            }
        }
    }
}

#[test]
fn every_test_that_is_named_after_a_line_stands_in_its_row() {
    let named: BTreeSet<(String, String)> = table()
        .into_iter()
        .flat_map(|row| {
            let tests: Vec<String> = row.good.into_iter().chain(row.bad).collect();
            tests.into_iter().map(move |test| (row.id.to_lowercase(), test))
        })
        .collect();
    let ids: BTreeSet<String> = ids().iter().map(|id| id.to_lowercase()).collect();
    for test in all_tests().into_keys() {
        for id in test.split('_').take_while(|word| ids.contains(*word)) {
            let row = (id.to_owned(), test.clone());
            assert!(named.contains(&row), "{test} is not in the row of {}", id.to_uppercase());
        }
    }
}

#[test]
fn tests_are_told_from_what_only_looks_like_one() {
    let source = "fn plain() {}\n#[test]\n#[ignore]\nfn left() {}\n#[tokio::test(flavor = \"x\")]\n\
                  // why\nasync fn right() {}\n#[cfg(test)]\nfn helper() {}";
    assert_eq!(tests(source), [("left".to_owned(), true), ("right".to_owned(), false)]);
}
