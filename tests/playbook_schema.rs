//! The schema of playbooks: the stored one is the generated one, and an independent validator agrees
//! with the parser about the samples and the examples.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::path::{Path, PathBuf};

use refleet::playbook::{Files, Nature, Source, codes, explain, parse, schema};

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

/// Every sample, by its path.
fn samples() -> Vec<PathBuf> {
    let files = root().join("workflows").read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
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
    let samples = samples();
    for path in &samples {
        let text = read(path).unwrap();
        let parsed = parse(
            &Source::new(path.to_string_lossy(), text.as_str()),
            &Folder(path.parent().unwrap()),
        );
        assert!(parsed.problems.is_empty(), "{}: {:#?}", path.display(), parsed.problems);
        let errors: Vec<String> =
            validator.iter_errors(&as_json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    assert!(samples.len() >= 4, "only {} samples", samples.len());
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

/// What is wrong in its shape is wrong for an editor too, and only that: which codes those are, each
/// code says for itself.
#[test]
fn what_the_parser_refuses_for_its_shape_is_invalid_and_nothing_else() {
    let validator = validator();
    let mut refused = 0;
    for code in codes() {
        let explanation = explain(code).unwrap();
        let Some(bad) = explanation.bad else {
            assert_ne!(explanation.nature, Nature::Shape, "{code} has no example");
            continue;
        };
        match explanation.nature {
            Nature::Text => {}
            Nature::Shape => {
                assert!(!validator.is_valid(&as_json(bad)), "{code} is taken by the schema");
                refused += 1;
            }
            Nature::Sense => {
                let says = "say that it is one of shape: the schema refuses it";
                assert!(validator.is_valid(&as_json(bad)), "{code}: {says}");
            }
        }
    }
    assert!(refused >= 19, "only {refused} are wrong in their shape");
}

/// The first line of a sample tells editors where its schema is.
#[test]
fn samples_carry_the_modeline() {
    for path in samples() {
        let text = read(&path).unwrap();
        let modeline = "# yaml-language-server: $schema=";
        let schema = text.lines().next().and_then(|line| line.strip_prefix(modeline));
        let schema = schema.map(|relative| path.parent().unwrap().join(relative));
        let found = schema.and_then(|schema| schema.canonicalize().ok());
        let stored = root().join("schemas/playbook.v1.json").canonicalize().unwrap();
        assert_eq!(found, Some(stored), "{}", path.display());
    }
}
