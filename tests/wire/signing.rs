//! Signatures, against vectors that another client made.
//!
//! The folder of the vectors can be changed with the variable `SIGNING_VECTORS`.

use std::path::PathBuf;

use refleet::cloud::sign::{self, Arrived, Outgoing, SignatureError};
use refleet::domain::Timestamp;
use serde_json::{Map, Value};

fn read(file: &str, list: &str) -> Vec<Value> {
    #[expect(clippy::disallowed_methods, reason = "a test may be pointed at other vectors")]
    let folder = std::env::var("SIGNING_VECTORS").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/signing"),
        PathBuf::from,
    );
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(folder.join(file)).expect("the file of vectors");
    let mut all: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let Value::Array(list) = all[list].take() else { panic!("{file} has no list {list}") };
    assert!(!list.is_empty(), "{file} is empty");
    list
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or("")
}

fn pairs(headers: &Map<String, Value>) -> Vec<(String, String)> {
    headers.iter().map(|(k, v)| (k.clone(), v.as_str().expect("a text").to_owned())).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A list means a repeated key.
fn query(case: &Value) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for pair in case["query"].as_array().expect("pairs") {
        let key = plain(&pair[0]);
        match pair[1].as_array() {
            Some(list) => query.extend(list.iter().map(|value| (key.clone(), plain(value)))),
            None => query.push((key, plain(&pair[1]))),
        }
    }
    query
}

fn clock(case: &Value, field: &str) -> Timestamp {
    sign::parse_date(text(case, field)).expect("a date")
}

/// What a client that was given a project, a domain or a security token sends along.
fn headers_in(case: &Value) -> Vec<(String, String)> {
    let mut headers = pairs(case["headers_in"].as_object().expect("headers"));
    let given = [
        ("X-Project-Id", "project_id"),
        ("X-Domain-Id", "domain_id"),
        ("X-Security-Token", "security_token"),
    ];
    for (header, field) in given {
        let sent = case["headers_out"].get(header).and(case[field].as_str());
        headers.extend(sent.map(|value| (header.to_owned(), value.to_owned())));
    }
    headers
}

#[test]
fn signing_makes_what_the_vectors_client_made() {
    for case in read("vectors.json", "vectors") {
        let name = text(&case, "name");
        let (query, headers) = (query(&case), headers_in(&case));
        let request = Outgoing {
            method: text(&case, "method"),
            host: text(&case, "host"),
            path: text(&case, "path"),
            query: &query,
            headers: &headers,
            body: text(&case, "body").as_bytes(),
        };
        let keys = (text(&case, "access_key"), text(&case, "secret_key"));
        let made = sign::sign(&request, keys.0, keys.1, clock(&case, "x_sdk_date"));

        assert_eq!(made.canonical_request, text(&case, "canonical_request"), "{name}");
        assert_eq!(made.string_to_sign, text(&case, "string_to_sign"), "{name}");
        assert_eq!(
            sign::signature(keys.1, &made.string_to_sign),
            text(&case, "signature"),
            "{name}"
        );
        let mut headers = made.headers;
        let mut wanted = pairs(case["headers_out"].as_object().expect("headers"));
        headers.sort();
        wanted.sort();
        assert_eq!(headers, wanted, "{name}");
    }
}

#[test]
fn signing_is_checked_from_what_arrives_alone() {
    for case in read("vectors.json", "vectors") {
        let name = text(&case, "name");
        let headers = pairs(case["headers_out"].as_object().expect("headers"));
        let arrived = Arrived {
            method: text(&case, "method"),
            target: text(&case, "wire_target"),
            headers: &headers,
            body: text(&case, "body").as_bytes(),
        };
        let now = clock(&case, "x_sdk_date");
        assert_eq!(sign::access_key(&headers), Ok(text(&case, "access_key")), "{name}");
        assert_eq!(sign::check(&arrived, text(&case, "secret_key"), now), Ok(()), "{name}");
        let other = format!("{}x", text(&case, "secret_key"));
        assert_eq!(sign::check(&arrived, &other, now), Err(SignatureError::Mismatch), "{name}");
    }
}

#[test]
fn signing_that_was_tampered_with_is_refused() {
    for case in read("negative.json", "cases") {
        let name = text(&case, "name");
        let headers = pairs(case["headers"].as_object().expect("headers"));
        let arrived = Arrived {
            method: text(&case, "method"),
            target: text(&case, "wire_target"),
            headers: &headers,
            body: text(&case, "body").as_bytes(),
        };
        let known = sign::access_key(&headers) == Ok(text(&case, "access_key"));
        let fits = sign::check(&arrived, text(&case, "secret_key"), clock(&case, "now")).is_ok();
        assert_eq!(known && fits, text(&case, "expect") == "accept", "{name}");
    }
}
