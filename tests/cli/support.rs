//! A server whose reinstall failed twice, and what is written for the cloud's support.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::{AT_ONCE, Bench, playbook};

const BROKEN: &str =
    "cloud: simulator\nsimulator: { servers: 2, speed: 1000, faults: broken.yaml }";

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

/// A text with its ids and times by number, in the order in which they come. A line that is told
/// again and again is told once: how often a server is compared while tokens are short is the clock's.
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
    let pieces: String = text
        .split_inclusive(is_edge)
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
        .collect();
    let mut lines: Vec<&str> = pieces.lines().collect();
    lines.dedup_by(|again, line| again == line && !line.is_empty());
    lines.join("\n")
}

/// A run on a cloud where every reinstall fails after the old disk is gone.
fn failed_run(bench: &Bench) -> String {
    bench.file("broken.yaml", "job_failure_after_swap: 1.0\n");
    let playbook = bench.file("p.yaml", playbook(BROKEN, AT_ONCE));
    let ended = bench.run(&["apply", playbook, "--confirm", "2"]).with_code(3);
    assert_eq!(ended.last_line(), "2 needs_support", "{}", ended.stdout);
    newest(bench)
}

fn newest(bench: &Bench) -> String {
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    runs.as_array().unwrap().last().unwrap()["run"].as_str().unwrap().to_owned()
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

/// Changes what the journal tells, as a cloud with other answers would have.
fn rewrite(bench: &Bench, from: &str, to: &str) {
    let journal = rusqlite::Connection::open(bench.path("state.db")).unwrap();
    let sql = "UPDATE event SET json = replace(json, ?1, ?2)";
    journal.execute(sql, (from, to)).unwrap();
    let found: i64 = journal
        .query_row("SELECT count(*) FROM event WHERE instr(json, ?1)", [to], |row| row.get(0))
        .unwrap();
    assert!(found > 0 || to.is_empty(), "nothing says `{to}`");
}

const SECRETS: &[&str] = &[
    "hunter2-of-env",
    "hunter2-of-cloud",
    "hunter2-of-user-data",
    "hunter2-in-url",
    "gAAAAABk3vYqZmFrZVRva2VuVGhhdElzTG9uZw",
    "/home/ops",
    "planted-file",
    "PLANTED_PASSWORD",
];

/// What a cloud could answer a failed reinstall with, as it stands in the JSON of the journal.
const ANSWERS: &[&str] = &[
    r#"Failed {\"adminPass\": \"hunter2-of-cloud\"}"#,
    r"bad #cloud-config\nchpasswd: hunter2-of-user-data",
    r"no https://ops:hunter2-in-url@proxy.example and gAAAAABk3vYqZmFrZVRva2VuVGhhdElzTG9uZw",
    r"cannot read /home/ops/planted-file.yaml",
    r"environment variable PLANTED_PASSWORD=hunter2-of-env",
];

#[test]
fn s16_no_secret_gets_into_the_archive_or_onto_the_screen() {
    for reinstall in ["admin_pass: { env: PLANTED_PASSWORD }", "user_data: { file: planted-file }"]
    {
        let bench = Bench::new();
        bench.file("planted-file", "#cloud-config\nchpasswd: hunter2-of-user-data\n");
        bench.file("broken.yaml", "job_failure_after_swap: 1.0\n");
        let text = playbook(BROKEN, AT_ONCE) + &format!("    reinstall: {{ {reinstall} }}\n");
        let playbook = bench.file("p.yaml", text);
        let mut apply = bench.command(&["apply", playbook, "--confirm", "2"]);
        let output = apply.env("PLANTED_PASSWORD", "hunter2-of-env").output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        check_support(&bench, "Ecs.0226: the reinstall failed");
        for answer in ANSWERS {
            rewrite(&bench, "to start the ECS.", &format!("to start the ECS. {answer}"));
            check_support(&bench, "[redacted]");
            rewrite(&bench, &format!(" {answer}"), "");
        }
    }
}

/// Demands these words in the text, and a secret nowhere.
#[track_caller]
fn check_support(bench: &Bench, words: &str) {
    let name = "case.tgz";
    let ended = bench.run(&["support", &newest(bench), "web-0001", "--out", name]).with_code(0);
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    let mut shown = vec![ended.stdout, ended.stderr];
    shown.extend(unpacked(&bench.path(name)).into_values());
    for secret in SECRETS {
        assert!(shown.iter().all(|text| !text.contains(secret)), "{secret} in {shown:#?}");
    }
    std::fs::remove_file(bench.path(name)).unwrap();
}

#[test]
fn the_same_case_is_the_same_bytes_and_nothing_is_overwritten() {
    let bench = Bench::new();
    let run = failed_run(&bench);
    for name in ["one.tgz", "two.tgz"] {
        bench.run(&["support", &run[..13], "web-0002", "--out", name]).with_code(0).saying(name);
    }
    let read = |name| std::fs::read(bench.path(name)).unwrap();
    let before = read("one.tgz");
    assert!(before == read("two.tgz"));
    let refused = bench.run(&["support", &run, "web-0001", "--out", "one.tgz"]).with_code(1);
    let refused = refused.saying("error: one.tgz is there already").saying("--out");
    assert_eq!(refused.stdout, "");
    assert!(before == read("one.tgz"), "left as it was");
}

#[test]
fn who_is_meant_must_be_plain() {
    let bench = Bench::new();
    bench.run(&["support", "0199", "web-0001"]).with_code(1).saying("`refleet runs` lists");
    let run = failed_run(&bench);
    let unknown = bench.run(&["support", &run, "web-9"]).with_code(1);
    unknown.saying("has no server with the id or name `web-9`").saying("refleet status");
    rewrite(&bench, r#""name":"web-0002""#, r#""name":"web-0001""#);
    let several = bench.run(&["support", &run, "web-0001"]).with_code(1);
    let several = several.saying("2 servers of run").saying("name one by its id: ");
    let id = several.stderr.rsplit([' ', ',']).next().unwrap().trim();
    bench.run(&["support", &run, id]).with_code(0).saying("written to support-");
    bench.run(&["support", &run, ""]).with_code(64);
}

#[test]
fn a_server_that_needs_no_support_is_written_up_too_and_says_so() {
    let bench = Bench::new();
    let cloud = "cloud: simulator\nsimulator: { servers: 1, speed: 1000 }";
    let playbook = bench.file("p.yaml", playbook(cloud, AT_ONCE));
    bench.run(&["apply", playbook, "--confirm", "1"]).with_code(0);
    let ended = bench.run(&["support", &newest(&bench), "web-0001"]).with_code(0);
    let ended = ended.saying("web-0001 is verified, not needs_support");
    assert!(ended.stdout.contains("No reinstall of this server's OS failed."), "{}", ended.stdout);
    archive(&bench);
}
