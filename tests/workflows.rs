//! The samples that people start from: each validates, is planned against a world that fits it, and
//! is rehearsed under a few seeds with crashes and faults.
//!
//! Whether they fit the JSON Schema is checked in `playbook_schema.rs`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use std::path::{Path, PathBuf};

use refleet::playbook::{Files, Parsed, Playbook, Source, parse};
use refleet::simulation::{Scenario, Tally, fit, rehearse};
use refleet::simulator::Faults;

/// Enough for each sample to meet crashes, faults and a Ctrl-C; `refleet simulate` has the thousands.
const SEEDS: u64 = 12;

/// The folder of a playbook on this disk.
struct Folder<'a>(&'a Path);

impl Files for Folder<'_> {
    #[expect(clippy::disallowed_methods, reason = "tests read their own files")]
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
}

/// Every sample, by its path.
fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    samples.sort();
    samples
}

fn read(path: &Path) -> Playbook {
    let folder = Folder(path.parent().unwrap());
    let bytes = folder.read(path.file_name().unwrap().to_str().unwrap()).unwrap();
    let source = Source::new(path.to_string_lossy(), String::from_utf8(bytes).unwrap());
    let Parsed { playbook, problems } = parse(&source, &folder);
    playbook.unwrap_or_else(|| panic!("{}: {problems:#?}", path.display()))
}

/// The plan of a sample for a world that fits it.
fn planned(playbook: &Playbook, seed: u64) -> Scenario {
    let world = fit(playbook, 0);
    Scenario::draw(playbook, &world, None, seed)
        .unwrap_or_else(|error| panic!("{}: {error}", playbook.name))
}

#[test]
fn there_are_samples_to_start_from() {
    let names: Vec<String> = samples().iter().map(|path| read(path).name).collect();
    for wanted in ["canary-web-tier", "encrypted-kms", "quickstart", "windows-byol"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not among {names:?}");
    }
}

#[test]
fn every_sample_plans_servers_for_each_of_its_fleets() {
    for path in samples() {
        let playbook = read(&path);
        let plan = planned(&playbook, 0).plan;
        assert!(plan.is_runnable(), "{}: {:?}", path.display(), plan.blocked);
        for fleet in playbook.fleets.values() {
            let targets = plan.targets.values().filter(|target| target.fleet == fleet.name);
            let targets = targets.count();
            assert!(targets > 0, "{}: fleet {}", path.display(), fleet.name);
            if let Some((expected, _)) = fleet.expect {
                assert_eq!(targets, expected as usize, "{}: fleet {}", path.display(), fleet.name);
            }
        }
    }
}

#[test]
fn every_sample_is_verified_where_nothing_goes_wrong() {
    for path in samples() {
        let playbook = read(&path);
        let calm = Scenario {
            crashes: Vec::new(),
            deadly_changes: Vec::new(),
            stop_at: None,
            ..Scenario::draw(&playbook, &fit(&playbook, 0), Some(&Faults::default()), 1).unwrap()
        };
        let servers = calm.plan.targets.len();
        let rehearsal = rehearse(calm);
        assert!(rehearsal.findings.is_empty(), "{}: {:?}", path.display(), rehearsal.findings);
        let counts = rehearsal.counts.to_string();
        assert_eq!(counts, format!("{servers} verified"), "{}", path.display());
    }
}

#[test]
fn every_sample_survives_trouble() {
    for path in samples() {
        let playbook = read(&path);
        let mut tally = Tally::default();
        for seed in 0..SEEDS {
            tally.add(&rehearse(planned(&playbook, seed)));
        }
        assert!(tally.is_clean(), "{}:\n{tally}", path.display());
    }
}
