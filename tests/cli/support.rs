//! A server whose reinstall failed twice, and what is written for the cloud's support.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::{AT_ONCE, Bench, playbook};

/// What an archive holds, by name.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.username().unwrap(), Some(""), "nobody's name is sent away");
        let name = entry.path().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

/// The only archive in the folder.
fn archive(bench: &Bench) -> std::path::PathBuf {
    let files = bench.path("").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut archives: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "gz")).collect();
    assert_eq!(archives.len(), 1, "{archives:?}");
    archives.remove(0)
}

/// A text with its ids and times by number, in the order in which they come.
fn normalised(text: &str) -> String {
    let mut known: Vec<&str> = Vec::new();
    let is_id = |word: &str| {
        let hex = word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let time = word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
        let length = word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit());
        (hex && word.len() >= 32) || time || length
    };
    let is_edge = |c: char| !(c.is_ascii_alphanumeric() || "-:".contains(c));
    let number = |known: &mut Vec<&str>, word| {
        known.iter().position(|other| *other == word).unwrap_or(known.len())
    };
    text.split_inclusive(is_edge)
        .map(|piece| {
            let word = piece.trim_end_matches(is_edge);
            if !is_id(word) {
                return piece.to_owned();
            }
            let edge = &piece[word.len()..];
            if word.ends_with('Z') || word.ends_with('s') {
                return format!("<time>{edge}");
            }
            let n = number(&mut known, word);
            if n == known.len() {
                known.push(word);
            }
            format!("<id {n}>{edge}")
        })
        .collect()
}

/// A run on a cloud where every reinstall fails after the old disk is gone.
fn failed_run(bench: &Bench) -> String {
    bench.file("broken.yaml", "job_failure_after_swap: 1.0\n");
    let cloud = "cloud: simulator\nsimulator: { servers: 2, speed: 1000, faults: broken.yaml }";
    let playbook = bench.file("p.yaml", playbook(cloud, AT_ONCE));
    let ended = bench.run(&["apply", playbook, "--confirm", "2"]).with_code(3);
    assert_eq!(ended.last_line(), "2 needs_support", "{}", ended.stdout);
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    runs[0]["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_that_failed_twice_is_written_up_for_the_support() {
    let bench = Bench::new();
    let run = failed_run(&bench);
    let ended = bench.run(&["support", &run, "web-0001"]).with_code(0);
    let path = archive(&bench);
    let ended = ended.saying(path.file_name().unwrap().to_str().unwrap());
    let files = unpacked(&path);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["events.jsonl", "request.txt", "server.json"]);
    assert_eq!(files["request.txt"], ended.stdout);
    assert!(!files["events.jsonl"].contains("web-0002"), "another server's");
    let server: Value = serde_json::from_str(&files["server.json"]).unwrap();
    let old = server["before"]["system_volume"].as_str().unwrap();
    assert_ne!(server["after"]["system_volume"], old);
    insta::assert_snapshot!(normalised(&ended.stdout));
    // The ids of both attempts, as the journal has them.
    let events = files["events.jsonl"].lines().map(|line| serde_json::from_str(line).unwrap());
    let wipes: Vec<Value> = events
        .map(|record: Value| record["event"].clone())
        .filter(|event| event["event"] == "accepted" && event["deed"] == "reinstall")
        .collect();
    assert_eq!(wipes.len(), 2, "{wipes:?}");
    for wipe in &wipes {
        for id in [&wipe["job"], &wipe["request_id"]] {
            let id = id.as_str().unwrap();
            assert!(ended.stdout.contains(id) && files["server.json"].contains(id), "{id}");
        }
    }
}
