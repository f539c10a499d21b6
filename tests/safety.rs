//! The rules S1 to S20 of the safety design, and the rows of the review with other people in the cloud:
//! each has tests that are named for it, and `docs/safety.md` names them all.

#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]
#![expect(clippy::unwrap_used, reason = "helpers of a test, outside of `mod tests`")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows that there have to be: a letter, and how many.
const ROWS: [(char, usize); 5] = [('S', 20), ('W', 7), ('P', 4), ('B', 8), ('M', 6)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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

/// The row that a test is named for, if it is.
fn row_of(name: &str) -> Option<String> {
    let (head, rest) = name.split_once('_')?;
    let letter = head.chars().next().filter(|letter| "swpbmr".contains(*letter))?;
    let number: usize = head[1..].parse().ok()?;
    (!rest.is_empty()).then(|| format!("{}{number}", letter.to_ascii_uppercase()))
}

/// Tests of a source that are run.
fn tests_of(source: &str) -> Vec<String> {
    let (mut found, mut marked, mut ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if line.starts_with("#[ignore") {
            ignored = true;
        } else if marked && !line.starts_with('#') && !line.starts_with("//") {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            found.extend(name.filter(|_| !ignored).map(|(name, _)| name.to_owned()));
            (marked, ignored) = (false, false);
        }
    }
    found
}

fn all_tests() -> BTreeSet<String> {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    sources(&root().join("tests"), &mut paths);
    paths.iter().flat_map(|path| tests_of(&fs::read_to_string(path).unwrap())).collect()
}

/// The rows of `docs/safety.md`, and the tests that each names. A line may stand for several.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/safety.md")).unwrap();
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let tests = cells[2].split('`').skip(1).step_by(2).map(str::to_owned);
        let tests: BTreeSet<String> = tests.collect();
        for row in cells[0].split(", ") {
            let row = row.replace("rule ", "R");
            rows.entry(row).or_default().extend(tests.iter().cloned());
        }
    }
    rows
}

#[test]
fn every_row_is_there_and_names_a_test() {
    let table = table();
    let wanted = ROWS.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| (letter, n)));
    let rows: Vec<String> = wanted.map(|(letter, n)| format!("{letter}{n}")).collect();
    let bare: Vec<_> =
        rows.iter().filter(|row| table.get(*row).is_none_or(BTreeSet::is_empty)).collect();
    assert!(bare.is_empty(), "rows of docs/safety.md without a test: {bare:?}");
}

#[test]
fn the_table_names_every_test_that_is_named_for_a_row_and_none_that_is_not_run() {
    let (table, there) = (table(), all_tests());
    let untold: Vec<&String> = there
        .iter()
        .filter(|test| {
            let row = row_of(test);
            row.is_some_and(|row| table.get(&row).is_none_or(|tests| !tests.contains(*test)))
        })
        .collect();
    assert!(untold.is_empty(), "not in their row of docs/safety.md: {untold:#?}");
    let missing: BTreeSet<&String> =
        table.values().flatten().filter(|test| !there.contains(*test)).collect();
    assert!(missing.is_empty(), "in docs/safety.md, and no test that is run: {missing:#?}");
}

#[test]
fn tests_are_told_from_what_only_looks_like_one() {
    let source = "fn s1_plain() {}\n#[test]\n#[ignore]\nfn s2_left() {}\n#[tokio::test]\n// why\n\
                  async fn s3_right() {}\n#[test]\nfn steps_of_s4() {}\n#[test]\nfn w10_x() {}";
    assert_eq!(tests_of(source), ["s3_right", "steps_of_s4", "w10_x"]);
    let rows: Vec<_> = tests_of(source).iter().map(|test| row_of(test)).collect();
    assert_eq!(rows, [Some("S3".to_owned()), None, Some("W10".to_owned())]);
}
