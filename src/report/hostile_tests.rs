//! Every text of a run whose names and sentences somebody chose in order to steer a terminal.

use proptest::prelude::*;
use serde_json::Value;

use crate::domain::{Moment, Record, ServerId, Time, Timestamp, steers};
use crate::report::{Fold, Plain, Reporter, Status, Summary, Support, html, junit, markdown};

/// Fields whose texts come from outside; what is not here is a word of ours.
const OUTSIDE: &[&str] = &[
    "name",
    "fleet",
    "detail",
    "reason",
    "help",
    "evidence",
    "warnings",
    "code",
    "open",
    "by",
    "path",
    "commit",
    "project",
    "region",
    "cloud",
    "check",
    "step",
    "backup",
    "fingerprint",
    "warning",
    "job",
    "request_id",
    "zones",
    "reasons",
    "status",
    "fault",
    "task_state",
    "system_volume",
    "disk",
    "run",
    "plan",
];

/// Fields with the ids of servers.
const IDS: &[&str] = &["id", "server", "servers"];

/// The records with `payload` behind every text from outside; the same text is the same everywhere.
fn hostile(stream: &str, payload: &str, ids: bool) -> Vec<Record> {
    let mutated = stream.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        mutate(&mut record, payload, (false, ids));
        serde_json::from_value(record).unwrap()
    });
    mutated.collect()
}

fn mutate(value: &mut Value, payload: &str, (outside, ids): (bool, bool)) {
    match value {
        Value::String(text) if outside => text.push_str(payload),
        Value::Array(items) => {
            for item in items {
                mutate(item, payload, (outside, ids));
            }
        }
        Value::Object(fields) => {
            let failure = fields.contains_key("help") || fields.contains_key("zones");
            for (key, field) in fields {
                let outside = OUTSIDE.contains(&key.as_str()) || failure && key == "cause";
                let id = IDS.contains(&key.as_str());
                mutate(field, payload, (outside || ids && id, ids));
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every text that is made from the records of a stream with this payload.
fn texts(stream: &str, payload: &str) -> Vec<(&'static str, String)> {
    let records = &hostile(stream, payload, true);
    let summary = Summary::of(records);
    let mut out = Vec::new();
    let mut plain = Plain::new(&mut out);
    plain.tell(records).unwrap();
    plain.tick(Moment { at: Time(1), wall: Timestamp(1) }).unwrap();
    // What leaves the house is scrubbed first, and an odd id does not survive that.
    let named = hostile(stream, payload, false);
    let servers: Vec<ServerId> = Fold::of(&named).servers.keys().cloned().collect();
    let letters = servers
        .iter()
        .map(|server| ("letter", Support::of(&named, server, None).unwrap().unwrap().letter()));
    let mut texts = vec![
        ("text", summary.to_text()),
        ("report", summary.to_report()),
        ("status", Status::of(records).to_text()),
        ("markdown", markdown(records)),
        ("html", html(records).unwrap()),
        ("junit", junit(records).unwrap()),
    ];
    texts.extend(letters);
    texts.push(("plain", String::from_utf8(out).unwrap()));
    texts
}

const STREAMS: [&str; 2] = [
    include_str!("../../tests/journals/v1/all-kinds.jsonl"),
    include_str!("../../tests/journals/v1/chaos.jsonl"),
];

#[test]
fn m1_no_name_makes_a_line_or_steers_a_terminal() {
    let payload = "\u{1b}[2J\rMADE-UP\nMADE-UP \u{9b}31m\u{202e}\u{2028}MADE-UP\t\u{2066}x";
    for stream in STREAMS {
        for (name, text) in texts(stream, payload) {
            let odd: Vec<char> = text.chars().filter(|c| *c != '\n' && steers(*c)).collect();
            assert!(odd.is_empty(), "{name}: {odd:?} in {text}");
            let made_up = text.lines().find(|line| line.trim_start().starts_with("MADE-UP"));
            assert_eq!(made_up, None, "{name}");
        }
    }
}

#[test]
fn m1_escapes_leave_as_many_lines_as_plain_names() {
    for stream in STREAMS {
        let lines = |payload: &str| {
            let texts = texts(stream, payload);
            texts.iter().map(|(name, text)| (*name, text.lines().count())).collect::<Vec<_>>()
        };
        assert_eq!(lines("\nx\r\n\u{2029}\u{85}"), lines("x"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn m1_no_text_has_a_control_character_whatever_the_names_are(
        payload in "[\\PC\\pC]{0,12}",
        stream in 0..STREAMS.len(),
    ) {
        for (name, text) in texts(STREAMS[stream], &payload) {
            prop_assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{}: {}", name, text);
        }
    }
}
