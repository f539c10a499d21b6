//! The rules S1 to S20 of the safety design: each has tests that are named for it, and
//! `docs/safety.md` names them all.

#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]
#![expect(clippy::unwrap_used, reason = "helpers of a test, outside of `mod tests`")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How many rules there are.
const RULES: usize = 20;

/// A test of a rule: the number of the rule, and the test's name.
type Named = (usize, String);

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

/// The rule that a test is named for, if it is.
fn rule_of(name: &str) -> Option<usize> {
    let (number, rest) = name.strip_prefix('s')?.split_once('_')?;
    number.parse().ok().filter(|_| !rest.is_empty())
}

/// Tests of a source that are run and named for a rule.
fn named(source: &str) -> Vec<Named> {
    let (mut found, mut marked, mut ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if line.starts_with("#[ignore") {
            ignored = true;
        } else if marked && !line.starts_with('#') && !line.starts_with("//") {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            let rule = name.and_then(|(name, _)| Some((rule_of(name)?, name.to_owned())));
            found.extend(rule.filter(|_| !ignored));
            (marked, ignored) = (false, false);
        }
    }
    found
}

fn all_named() -> BTreeSet<Named> {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    sources(&root().join("tests"), &mut paths);
    paths.iter().flat_map(|path| named(&fs::read_to_string(path).unwrap())).collect()
}

/// The rows of `docs/safety.md`: rule, and the tests that it names.
fn table() -> BTreeMap<usize, Vec<String>> {
    let text = fs::read_to_string(root().join("docs/safety.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| S"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let tests = cells[2].split('`').skip(1).step_by(2).map(str::to_owned);
        (cells[0][1..].parse().unwrap(), tests.collect())
    })
    .collect()
}

#[test]
fn every_rule_has_a_test_that_is_named_for_it() {
    let tested: BTreeSet<usize> = all_named().into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(tested, (1..=RULES).collect());
}

#[test]
fn the_table_names_every_such_test_and_no_other() {
    let told = table().into_iter();
    let told = told.flat_map(|(rule, tests)| tests.into_iter().map(move |test| (rule, test)));
    let (told, there) = (told.collect::<BTreeSet<Named>>(), all_named());
    let untold: Vec<_> = there.difference(&told).collect();
    let missing: Vec<_> = told.difference(&there).collect();
    assert!(untold.is_empty(), "not in docs/safety.md: {untold:#?}");
    assert!(missing.is_empty(), "in docs/safety.md, and no test that is run: {missing:#?}");
}

#[test]
fn tests_are_told_from_what_only_looks_like_one() {
    let source = "fn s1_plain() {}\n#[test]\n#[ignore]\nfn s2_left() {}\n#[tokio::test]\n// why\n\
                  async fn s3_right() {}\n#[test]\nfn steps_of_s4() {}\n#[test]\nfn s10_x() {}";
    assert_eq!(named(source), [(3, "s3_right".to_owned()), (10, "s10_x".to_owned())]);
}
