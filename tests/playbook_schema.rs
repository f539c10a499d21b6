//! The schema of playbooks: the stored one is the generated one, and an independent validator agrees
//! with the parser about the samples and the examples.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;

use refleet::playbook::{Files, Severity, Source, codes, explain, parse, schema};

/// The folder of a playbook on this disk.
struct Folder<'a>(&'a Path);

impl Files for Folder<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        read(&self.0.join(path)).map(String::into_bytes)
    }
}

#[expect(clippy::disallowed_methods, reason = "tests read their own files")]
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn as_json(text: &str) -> serde_json::Value {
    refleet::yaml::from_str(text).unwrap()
}

#[test]
fn the_stored_schema_is_the_generated_one() {
    let path = root().join("schemas/playbook.v1.json");
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let stored = read(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "schemas/playbook.v1.json is not what the grammar says; write it anew with\n  \
         cargo run -- schema playbook > schemas/playbook.v1.json"
    );
}

#[test]
fn samples_are_clean_and_valid() {
    let validator = validator();
    let mut samples = 0;
    for entry in root().join("workflows").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        samples += 1;
        let text = read(&path).unwrap();
        let parsed = parse(
            &Source::new(path.to_string_lossy(), text.as_str()),
            &Folder(path.parent().unwrap()),
        );
        assert!(parsed.problems.is_empty(), "{}: {:#?}", path.display(), parsed.problems);
        let errors: Vec<String> =
            validator.iter_errors(&as_json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    assert!(samples >= 4, "only {samples} samples");
}

#[test]
fn what_the_parser_takes_is_valid() {
    let validator = validator();
    for code in codes() {
        let Some(mended) = explain(code).unwrap().mended else { continue };
        // Merged keys are an affair of YAML; the validator does not know them.
        if mended.contains("<<") {
            continue;
        }
        let errors: Vec<String> =
            validator.iter_errors(&as_json(mended)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{code}: {errors:?}");
    }
}

/// What is wrong in its shape is wrong for an editor too (except a blank, which is null to JSON).
#[test]
fn what_the_parser_refuses_for_its_shape_is_invalid() {
    let validator = validator();
    let shape = [
        "unknown_key",
        "not_built",
        "missing_key",
        "wrong_type",
        "null_here",
        "unknown_word",
        "not_a_flag",
        "bad_duration",
        "bad_rate",
        "bad_share",
        "bad_number",
        "bad_tag",
        "bad_name",
        "version",
        "not_one",
        "empty_list",
        "no_hosts",
        "empty_selector",
        "inline_secret",
    ];
    for code in shape {
        let bad = explain(code).unwrap().bad.unwrap();
        let parsed = parse(&Source::new("p.yaml", bad), &refleet::playbook::NoFiles);
        let refused = parsed.problems.iter().any(|problem| problem.severity == Severity::Error);
        assert!(refused, "{code}: {parsed:?}");
        assert!(!validator.is_valid(&as_json(bad)), "{code}");
    }
}
