//! What leaves the house: the records of one server, without the others and without secrets.
//!
//! Start with [`about`]. Journals hold no secrets of ours, and what was sent is taken out of what the
//! cloud quotes; but a process knows only what it sent itself. So every text is looked through, and
//! one that may show a secret is cut: a sentence too short can be asked for, a password that was sent
//! cannot be taken back.

use serde_json::Value;

use crate::domain::{Event, Outline, PauseCause, Record, ServerId};

use super::Error;

/// What stands where something was.
pub(super) const REDACTED: &str = "[redacted]";

/// The records that concern this server, with no other server in them, and scrubbed.
pub(super) fn about(records: &[Record], server: &ServerId) -> Result<Vec<Record>, Error> {
    let ended = |record: &Record| matches!(&record.event, Event::Ended { server: other, .. } if other == server);
    let end = records.iter().position(ended).unwrap_or(records.len());
    let concerns = |(n, record): &(usize, &Record)| *n < end || !is_of_the_run(record);
    let told = records.iter().enumerate().filter(concerns);
    told.filter_map(|(_, record)| narrowed(record, server)).map(scrubbed).collect()
}

/// Whether it explains a gap in the story of every server that is on its way then.
fn is_of_the_run(record: &Record) -> bool {
    matches!(record.event, Event::Resumed | Event::Paused { cause: PauseCause::LockedOut { .. } })
}

fn narrowed(record: &Record, server: &ServerId) -> Option<Record> {
    let mut record = record.clone();
    let concerns = match &mut record.event {
        Event::RunStarted { outline } => {
            narrow(outline, server);
            true
        }
        // Explain why an answer was never read, and why nothing was done for a while.
        Event::Resumed | Event::Paused { cause: PauseCause::LockedOut { .. } } => true,
        // Who it was is nobody's business elsewhere.
        Event::Abandoned { server: other, by, .. } => {
            by.clear();
            other == server
        }
        Event::Started { servers }
        | Event::Intended { servers, .. }
        | Event::Accepted { servers, .. }
        | Event::PutOff { servers, .. }
        | Event::Refused { servers, .. }
        | Event::Lost { servers, .. }
        | Event::Stopped { servers }
        | Event::StopSkipped { servers }
        | Event::Validated { servers, .. }
        | Event::Settled { servers }
        | Event::StepsLeft { servers, .. }
        | Event::Passed { servers }
        | Event::StartedBack { servers } => {
            servers.retain(|other| other == server);
            !servers.is_empty()
        }
        Event::Resolved { server: other, .. }
        | Event::BackedUp { server: other, .. }
        | Event::JobEnded { server: other, .. }
        | Event::HostKeySeen { server: other, .. }
        | Event::Probed { server: other, .. }
        | Event::CheckFailed { server: other, .. }
        | Event::Ended { server: other, .. }
        | Event::StepStarted { server: other, .. }
        | Event::StepEnded { server: other, .. }
        | Event::NotUndone { server: other, .. }
        | Event::Yielded { server: other, .. }
        | Event::NotStartedBack { server: other, .. } => other == server,
        Event::PreflightPassed { .. }
        | Event::PreflightRefused { .. }
        | Event::WaveOpened { .. }
        | Event::WaveClosed { .. }
        | Event::CanaryReplaced { .. }
        | Event::RateCut { .. }
        | Event::Held { .. }
        | Event::Steered { .. }
        | Event::Pausing { .. }
        | Event::Paused {
            cause:
                PauseCause::Asked { .. }
                | PauseCause::Approval { .. }
                | PauseCause::SharedCause { .. }
                | PauseCause::PlacesTaken { .. }
                | PauseCause::Precondition { .. },
        }
        | Event::Closing { .. }
        | Event::RunEnded { .. } => false,
    };
    concerns.then_some(record)
}

/// Only this server's fleet, and nothing of where the playbook lies.
fn narrow(outline: &mut Outline, server: &ServerId) {
    for wave in outline.fleets.iter_mut().flat_map(|fleet| &mut fleet.waves) {
        wave.retain(|target| target.id == *server);
    }
    for fleet in &mut outline.fleets {
        fleet.waves.retain(|wave| !wave.is_empty());
    }
    outline.fleets.retain(|fleet| !fleet.waves.is_empty());
    let path = &mut outline.origin.path;
    *path = path.rsplit('/').next().unwrap_or_default().to_owned();
    outline.origin.files.clear();
}

/// Goes over every text of a record, so that a field that comes later is not forgotten.
fn scrubbed(record: Record) -> Result<Record, Error> {
    let mut value = serde_json::to_value(record)?;
    walk(&mut value);
    Ok(serde_json::from_value(value)?)
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => *text = scrub(text),
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Object(fields) => fields.values_mut().for_each(walk),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Words that are followed by a secret.
const TELLTALES: &[&str] = &[
    "password",
    "passwd",
    "adminpass",
    "admin_pass",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "user_data",
    "userdata",
    "user-data",
    "user data",
    "signature",
    "authorization",
    "bearer",
    "private_key",
    "private key",
    "credential",
    "cookie",
    "access_key",
    "accesskey",
    "access key",
    "api_key",
    "apikey",
    "api key",
];

/// What user data, key files and our own words for where a secret is begin with.
const BEGINNINGS: &[&str] =
    &["#cloud-config", "#!/", "-----begin", "content-type: multipart", "environment variable "];

/// A text without what may be a secret, and on one line.
pub(super) fn scrub(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let kept = match cut_at(&text) {
        Some(at) => format!("{}{REDACTED}", &text[..at]),
        None => text,
    };
    let is_separator = |c: char| c.is_whitespace() || "\"'`()<>[]{},;".contains(c);
    kept.split_inclusive(is_separator)
        .map(|piece| {
            let word = piece.trim_end_matches(is_separator);
            if hides_something(word) {
                format!("{REDACTED}{}", &piece[word.len()..])
            } else {
                piece.to_owned()
            }
        })
        .collect()
}

/// From where on nothing is kept.
fn cut_at(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let begun = BEGINNINGS.iter().filter_map(|beginning| lower.find(beginning));
    let told = TELLTALES.iter().filter_map(|word| {
        let ends = lower.match_indices(word).map(|(at, word)| at + word.len());
        ends.filter_map(|end| value_behind(&lower, end)).min()
    });
    begun.chain(told).min()
}

/// Where the value begins that seems to follow a telltale word which ends there.
fn value_behind(lower: &str, end: usize) -> Option<usize> {
    let rest = &lower[end..];
    let tail = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
    let end = lower.len() - tail.len();
    let next = tail.trim_start();
    let assigned = next.starts_with([':', '=', '"', '\'', '`']);
    let place = next.starts_with("file ") || next.starts_with("command ");
    let valued =
        next.split_whitespace().take(2).any(|word| word.contains(|c: char| c.is_ascii_digit()));
    (assigned || place || valued).then_some(end).map(|end| {
        end + tail.find(|c: char| !c.is_whitespace() && !":=\"'`".contains(c)).unwrap_or(tail.len())
    })
}

/// A word that is a path of this machine, a token, or an address with a login in it.
fn hides_something(word: &str) -> bool {
    let login = word.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    login || word.split([':', '=']).any(is_path) || word.split([':', '=', '.']).any(is_token)
}

/// A path of a file; not one of a device or of the cloud's API, nor the rest of an address.
fn is_path(word: &str) -> bool {
    let api =
        word.strip_prefix("/v").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let address = word.starts_with("//") && !word.starts_with("///");
    let harmless = api || address || word.starts_with("/dev/") || word == "/";
    !harmless && ["/", "~/", "./", "../"].iter().any(|start| word.starts_with(start))
}

/// Long, and of more kinds of characters than an id has: ids are hexadecimal, here and there with
/// dashes.
fn is_token(word: &str) -> bool {
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    word.len() >= 32
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/_-".contains(c))
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_telltale_word_is_cut() {
        let check = |text: &str, expected: &str| assert_eq!(scrub(text), expected);
        check("Ecs.0005: adminPass: hunter2, and more", "Ecs.0005: adminPass: [redacted]");
        check(r#"bad {"adminpass": "hunter2"}"#, r#"bad {"adminpass": "[redacted]"#);
        check("the password hunter2 is weak", "the password [redacted]");
        check("the password is hunter2", "the password [redacted]");
        check("the password is too weak", "the password is too weak");
        check("from environment variable OPS_PW", "from [redacted]");
        check("X-Auth-Token=abc", "X-Auth-Token=[redacted]");
        check("cannot read secret file x: gone", "cannot read secret [redacted]");
        check("userdata #cloud-config\nusers: []", "userdata [redacted]");
        check("-----BEGIN RSA PRIVATE KEY-----\nabc", "[redacted]");
        check("no key in /home/ops/keys/id", "no key in [redacted]");
        check("no file:///var/lib/ops", "no [redacted]");
        check("no such file: ./ops.txt", "no such file: [redacted]");
        check("https://ops:pw@cloud.example/v1", "[redacted]");
        check("seen gAAAAABk3vYqZmFrZVRva2VuVGhhdElzTG9uZw==, twice", "seen [redacted], twice");
    }

    #[test]
    fn ids_and_sentences_stay_as_they_are() {
        for text in [
            "Ecs.0105: the system disk could not be attached",
            "job ff8080814dbd65d7014dbe0d84db0013 of 4b1d7a3e-7a43-4f0e-9f0a-0123456789ab",
            "3fa9c1d2e4b5a697887766554433221100ffeeddccbbaa998877665544332211",
            "POST /v2.1/0a1b2c/cloudservers/srv/reinstallos at /dev/vda",
            "the token has ended",
            "web-token-01",
            "see https://ecs.eu-de.otc.t-systems.com/v1/0a1b at 10:20:30",
            "key pair ops-2026 is not visible to the acting user",
        ] {
            assert_eq!(scrub(text), text);
        }
    }
}
