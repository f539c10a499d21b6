//! What was sent and must not come back: passwords, user data, tokens, keys, signatures.
//!
//! Start with [`Sent::without`]. A cloud, or a proxy before it, may quote what it was sent, and its
//! sentences are kept: in a journal, in a report, on a screen (`safety.md`, S16). So the values
//! themselves are looked for, in every spelling that a quote has, before a sentence is cut to its
//! length. Nothing is guessed at: what this process did not send is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

use super::fault::one_line;
use super::sign;
use crate::domain::{Answer, Fault, Job, Reply, Server, SubJob, Template};

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// Of what is at least so long, a part of that length is a secret too: sentences are cut, and of user
/// data a line is quoted. What is shorter is looked for as a whole.
const RUN: usize = 16;
/// Half of a run, so that a whole block lies in each run.
const BLOCK: usize = RUN / 2;
/// A block that comes again and again, as spaces do, is remembered at its first places.
const MOST_PLACES: usize = 8;
/// From this length on a value is taken out wherever it stands; a shorter one may be a part of a
/// word or of an id, and the shortest a word of its own.
const ANYWHERE: usize = 8;
/// From this length on a value is taken out where it is a word, below only where it stands in quotes.
const WORD: usize = 4;

/// Headers that are secrets as they are.
const SECRET_HEADERS: [&str; 3] = ["x-auth-token", "x-subject-token", "x-security-token"];

/// Everything secret that was sent so far; clones know the same.
#[derive(Clone, Default)]
pub struct Sent {
    known: Arc<RwLock<Known>>,
    /// The signature of one request that changes nothing: there are too many to remember.
    own: Option<String>,
}

/// Nothing of what it knows.
impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent")
    }
}

impl Sent {
    /// Remembers a secret.
    pub fn learn(&self, secret: &str) {
        self.learn_bytes(secret.as_bytes());
    }

    /// Remembers user data, which is sent in base64, and each of its short lines.
    pub fn learn_user_data(&self, data: &[u8]) {
        self.learn_bytes(data);
        self.learn_bytes(STANDARD.encode(data).as_bytes());
        let text = String::from_utf8_lossy(data);
        // Longer lines are runs of the whole; comments are for people.
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let lines = lines.filter(|line| (ANYWHERE..RUN).contains(&line.len()));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.short.extend(lines.map(str::to_owned));
    }

    /// Remembers what a template says around its inserts: that is the same for every server, and a
    /// hundred thousand filled ones would be too many to remember. What is inserted is no secret.
    pub fn learn_template(&self, template: &Template) {
        // Something has to stand between the pieces that is in none of them.
        let pieces = template.fill_with(|_| Some("\0")).unwrap_or_default();
        pieces.split('\0').for_each(|piece| self.learn_user_data(piece.as_bytes()));
    }

    fn learn_bytes(&self, secret: &[u8]) {
        if secret.is_empty() || self.read().values.contains(secret) {
            return;
        }
        self.known.write().unwrap_or_else(PoisonError::into_inner).add(secret);
    }

    /// Remembers what proves who sends a request. The answer knows it too, from then on.
    pub(super) fn of_request(&self, request: &Request<Bytes>) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok());
        SECRET_HEADERS.iter().filter_map(|name| header(name)).for_each(|token| self.learn(token));
        let signature = header("authorization").and_then(|text| text.rsplit_once("Signature="));
        let signature = signature.map(|(_, signature)| signature.to_owned());
        // The job that a change begins may quote it much later.
        if let Some(signature) = signature.as_ref().filter(|_| request.method() != Method::GET) {
            self.learn(signature);
        }
        Self { known: Arc::clone(&self.known), own: signature }
    }

    /// What was sent before that answer came; nothing for an answer that nobody sent for.
    pub(super) fn before(response: &Response<Bytes>) -> Self {
        response.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without anything secret that was sent.
    #[must_use]
    pub fn without(&self, text: &str) -> String {
        self.redacted(&self.read(), text)
    }

    /// The same, or nothing if somebody learns right now: for who must not wait.
    #[must_use]
    pub fn at_once_without(&self, text: &str) -> Option<String> {
        match self.known.try_read() {
            Ok(known) => Some(self.redacted(&known, text)),
            Err(TryLockError::Poisoned(known)) => Some(self.redacted(&known.into_inner(), text)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn redacted(&self, known: &Known, text: &str) -> String {
        let mut found = known.find(text);
        if let Some(own) = &self.own {
            found.extend(Known::of(own).find(text));
        }
        replaced(text, found)
    }

    /// Every text of a JSON value without anything secret that was sent.
    pub(super) fn without_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.without(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.without_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.without_in(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A fault in whose words nothing secret is left.
    pub(super) fn without_in_fault(&self, fault: Fault) -> Fault {
        Fault {
            code: self.without(&fault.code),
            message: self.without(&fault.message),
            request_id: fault.request_id.map(|id| self.without(&id)),
            ..fault
        }
    }

    /// A reply of which what is for people, and kept, holds nothing secret. Names and ids are what the
    /// cloud says they are: a server must not be another because its name is somebody's password.
    pub(super) fn without_in_reply(&self, reply: Reply) -> Reply {
        match reply {
            Ok(Answer::Job(job)) => Ok(Answer::Job(self.without_in_job(job))),
            Ok(Answer::Server(server)) => Ok(Answer::Server(Box::new(self.of_server(*server)))),
            Ok(Answer::Servers { more, servers }) => {
                let servers = servers.into_iter().map(|server| self.of_server(server)).collect();
                Ok(Answer::Servers { more, servers })
            }
            Ok(Answer::Accepted { job, request_id }) => {
                let request_id = request_id.map(|id| self.without(&id));
                Ok(Answer::Accepted { job, request_id })
            }
            Ok(
                answer @ (Answer::Volumes(_)
                | Answer::Snapshots(_)
                | Answer::Vaults(_)
                | Answer::Backups(_)
                | Answer::Quota(_)
                | Answer::Image(_)
                | Answer::Images(_)
                | Answer::KeyPair(_)
                | Answer::Key(_)
                | Answer::Keys(_)
                | Answer::Agency { .. }
                | Answer::AgencyRoles(_)
                | Answer::Password(_)
                | Answer::Traces(_)
                | Answer::Probe(_)
                | Answer::Ran(_)),
            ) => Ok(answer),
            Err(fault) => Err(self.without_in_fault(fault)),
        }
    }

    fn of_server(&self, server: Server) -> Server {
        Server { fault: server.fault.map(|text| one_line(&self.without(&text))), ..server }
    }

    fn without_in_job(&self, job: Job) -> Job {
        // Taken out first: what is spread over lines is not found on one.
        let text = |text: Option<String>| text.map(|text| one_line(&self.without(&text)));
        let part = |part: SubJob| SubJob {
            error_code: text(part.error_code),
            fail_reason: text(part.fail_reason),
            ..part
        };
        Job {
            error_code: text(job.error_code),
            fail_reason: text(job.fail_reason),
            parts: job.parts.into_iter().map(part).collect(),
            ..job
        }
    }
}

/// Secrets in all of their spellings.
#[derive(Default)]
struct Known {
    /// As they were learnt.
    values: BTreeSet<Vec<u8>>,
    /// Spellings shorter than a run.
    short: BTreeSet<String>,
    /// The others …
    long: Vec<Vec<u8>>,
    /// … and where in them each block is: which, and from where.
    blocks: BTreeMap<[u8; BLOCK], Vec<(usize, usize)>>,
}

impl Known {
    fn of(secret: &str) -> Self {
        let mut known = Self::default();
        known.add(secret.as_bytes());
        known
    }

    fn add(&mut self, secret: &[u8]) {
        // Somebody else may have learnt it at the same time.
        if !self.values.insert(secret.to_vec()) {
            return;
        }
        for spelling in spellings(secret) {
            match String::from_utf8(spelling) {
                Ok(text) if text.len() < RUN => _ = self.short.insert(text),
                Ok(text) => self.add_long(text.into_bytes()),
                Err(error) => self.add_long(error.into_bytes()),
            }
        }
    }

    fn add_long(&mut self, spelling: Vec<u8>) {
        for at in (0..=spelling.len().saturating_sub(BLOCK)).step_by(BLOCK) {
            let Some(block) = spelling[at..].first_chunk() else { continue };
            let places = self.blocks.entry(*block).or_default();
            if places.len() < MOST_PLACES {
                places.push((self.long.len(), at));
            }
        }
        self.long.push(spelling);
    }

    /// Where something secret is in the text.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = self.runs(text.as_bytes());
        for secret in &self.short {
            let at = text.match_indices(secret.as_str()).map(|(at, _)| at..at + secret.len());
            found.extend(at.filter(|place| stands_alone(text, place)));
        }
        found
    }

    fn runs(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if self.blocks.is_empty() {
            return found;
        }
        for (at, window) in text.windows(BLOCK).enumerate() {
            // In a run that was found already.
            if found.last().is_some_and(|run| at + BLOCK <= run.end) {
                continue;
            }
            let Some(places) = window.first_chunk().and_then(|block| self.blocks.get(block)) else {
                continue;
            };
            let runs =
                places.iter().map(|(which, from)| common((text, at), (&self.long[*which], *from)));
            found.extend(runs.filter(|run| run.len() >= RUN).max_by_key(Range::len));
        }
        found
    }
}

/// The run around `at` in which the text is what the secret is around `from`.
fn common((text, at): (&[u8], usize), (secret, from): (&[u8], usize)) -> Range<usize> {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let before = text[..at].iter().rev().zip(secret[..from].iter().rev()).take_while(same).count();
    let behind = text[at..].iter().zip(&secret[from..]).take_while(same).count();
    at - before..at + behind
}

/// Whether a short value is there by itself, and not a part of something else.
fn stands_alone(text: &str, place: &Range<usize>) -> bool {
    let before = text[..place.start].chars().next_back();
    let behind = text[place.end..].chars().next();
    let is_quote = |c: Option<char>| c.is_some_and(|c| "\"'`".contains(c));
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match place.len() {
        ANYWHERE.. => true,
        WORD.. => !is_word(before) && !is_word(behind),
        // A quote in a quote ends with a backslash.
        _ => is_quote(before) && (is_quote(behind) || behind == Some('\\')),
    }
}

fn replaced(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|place| (place.start, place.end));
    let mut kept = String::with_capacity(text.len());
    let mut end = 0;
    for place in found {
        // A run may begin or end within a character: its bytes are those of a similar one.
        let start = (0..=place.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let stop = (place.end..text.len()).find(|at| text.is_char_boundary(*at));
        if start >= end {
            kept.push_str(&text[end..start]);
            // Two that touch are one.
            if start > end || end == 0 {
                kept.push_str(REDACTED);
            }
        }
        end = end.max(stop.unwrap_or(text.len()));
    }
    kept.push_str(&text[end..]);
    kept
}

/// A secret as a quote may spell it: as it is, escaped for JSON (twice where a quote is quoted) or a
/// page, in an address, and in base64, alone or in the middle of something.
fn spellings(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::from([secret.to_vec()]);
    if let Ok(text) = std::str::from_utf8(secret) {
        let escaped = json(text);
        let texts =
            [ascii(&escaped), escaped.replace('/', "\\/"), json(&escaped), page(text), escaped];
        all.extend(texts.map(String::into_bytes));
    }
    let address = sign::escape(secret);
    let form = address.replace("%20", "+");
    all.extend([lower_case(&address), address, form].map(String::into_bytes));
    for shift in 0..3 {
        let inside = base64_inside(secret, shift);
        // A few letters are in every text.
        if inside.len() >= ANYWHERE {
            all.insert(inside.replace('+', "-").replace('/', "_").into_bytes());
            all.insert(inside.into_bytes());
        }
    }
    all
}

fn json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Letters beyond ASCII as `\u00e9`.
fn ascii(text: &str) -> String {
    let mut units = [0; 2];
    let mut escaped = |c: char| match c {
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    text.chars().map(&mut escaped).collect()
}

/// As HTML has it.
fn page(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

/// `%2f` for `%2F`; the other letters stay.
fn lower_case(address: &str) -> String {
    let mut pieces = address.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| {
        let (digits, rest) = piece.split_at(piece.len().min(2));
        all + "%" + &digits.to_ascii_lowercase() + rest
    })
}

/// What all of base64 has in common in which the secret begins `shift` bytes behind a group of three.
fn base64_inside(secret: &[u8], shift: usize) -> String {
    let group = [&[0; 2][..shift], secret].concat();
    let encoded = STANDARD_NO_PAD.encode(&group);
    // Letters that hold bits of what stands before or behind.
    let (before, behind) = ([0, 2, 3][shift], usize::from(group.len() % 3 != 0));
    encoded.get(before..encoded.len() - behind).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(secrets: &[&str]) -> Sent {
        let sent = Sent::default();
        for secret in secrets {
            sent.learn(secret);
        }
        sent
    }

    #[test]
    fn a_secret_is_taken_out_in_every_spelling() {
        let secret = "Pä\"ss/w&rd <1>+\\";
        let sent = knowing(&[secret]);
        let body = serde_json::json!({"adminpass": secret}).to_string();
        let twice = serde_json::json!({"message": body}).to_string();
        let texts = [
            format!("the password {secret} is weak"),
            body.clone(),
            twice,
            body.replace('ä', "\\u00e4"),
            body.replace('/', "\\/"),
            format!("GET /x?password={}", sign::escape(secret.as_bytes())),
            format!("x={}", sign::escape(secret.as_bytes()).replace("%20", "+")),
            format!("x={}", lower_case(&sign::escape(secret.as_bytes()))),
            format!("<p>{}</p>", page(secret)),
            format!("basic {}", STANDARD.encode(secret)),
            format!("basic {}", STANDARD.encode(format!("u:{secret}"))),
            format!("basic {}", STANDARD.encode(format!("us:{secret}!"))),
            format!("basic {}", STANDARD.encode(&body).replace('+', "-").replace('/', "_")),
        ];
        for text in texts {
            let kept = sent.without(&text);
            assert!(kept.contains(REDACTED), "{text}: {kept}");
            for part in ["ss/w", "ss\\/w", "ss%2", "rd", "w&", "cmQ"] {
                assert!(
                    !kept.contains(part) || part == "rd" && kept.contains("password"),
                    "{kept}"
                );
            }
        }
    }

    #[test]
    fn what_is_left_is_the_sentence() {
        let sent = knowing(&["Sesame1!", "tokentokentokentoken"]);
        let check = |text: &str, kept: &str| assert_eq!(sent.without(text), kept);
        check("Sesame1! is too weak", "[redacted] is too weak");
        check("Sesame1!Sesame1! x", "[redacted] x");
        check("(tokentokentokentoken), Sesame1!", "([redacted]), [redacted]");
        check("the token has ended", "the token has ended");
        check("", "");
        assert_eq!(Sent::default().without("Sesame1!"), "Sesame1!");
    }

    #[test]
    fn a_short_value_does_not_destroy_every_sentence() {
        let sent = knowing(&["a", "hush", "123456", ""]);
        let check = |text: &str, kept: &str| assert_eq!(sent.without(text), kept);
        check("a hushed id 0123456f", "a hushed id 0123456f");
        check("it is hush.", "it is [redacted].");
        check("passcode=123456, 123456", "passcode=[redacted], [redacted]");
        check(r#"{"password":"a"}"#, r#"{"password":"[redacted]"}"#);
        check(r#"\"a\" and "hush""#, r#"\"[redacted]\" and "[redacted]""#);
    }

    #[test]
    fn of_a_template_what_stands_around_its_inserts_is_secret() {
        let sent = Sent::default();
        let template = Template::new(
            "host: {{ host.name }}\npw: Sesame-1{{ host.id }}\nkey: 0123456789abcdef\n",
        );
        sent.learn_template(&template);
        let filled = template.fill_with(|name| Some(if name == "host.id" { "id" } else { "web" }));
        let filled = filled.unwrap();
        let check = |text: &str| {
            let kept = sent.without(text);
            for secret in ["Sesame", "6789", "U2VzYW1l", "Njc4O"] {
                assert!(!kept.contains(secret), "{kept}");
            }
        };
        check(&format!("bad user data: {filled}"));
        check(&serde_json::json!({ "user_data": filled }).to_string());
        check(&format!("bad: {}", STANDARD.encode(&filled)));
        check("bad: pw: Sesame-1id");
    }

    #[test]
    fn a_part_of_something_long_is_a_secret_too() {
        let sent = Sent::default();
        let data = "#cloud-config\nchpasswd: { list: 'root:Sesame-of-the-cave' }\nruncmd:\n - x\n  pw: abcdef\n";
        sent.learn_user_data(data.as_bytes());
        let check = |text: &str, kept: &str| assert_eq!(sent.without(text), kept);
        check("line 2: root:Sesame-of-the-cave", "line 2: [redacted]");
        check("cut at Sesame-of-the-ca", "cut at [redacted]");
        check("bad: pw: abcdef", "bad: [redacted]");
        check("it must begin with #cloud-config", "it must begin with #cloud-config");
        let encoded = STANDARD.encode(data);
        for (from, to) in [(0, 40), (7, 31), (20, encoded.len()), (33, 49)] {
            check(&format!("x {} y", &encoded[from..to]), "x [redacted] y");
        }
        let whole = serde_json::json!({"metadata": {"user_data": encoded}}).to_string();
        assert_eq!(sent.without(&whole), r#"{"metadata":{"user_data":"[redacted]"}}"#);
        check(&encoded[3..15], &encoded[3..15]);
        // Bytes that are no text are no reason to fail.
        sent.learn_user_data(&[0xff, 0xc3, 0x28, 7, 8, 9, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        check("ä\u{fffd}", "ä\u{fffd}");
    }

    #[test]
    fn a_run_that_ends_within_a_character_takes_the_whole_of_it() {
        let sent = knowing(&["0123456789abcdefé"]);
        assert_eq!(sent.without("0123456789abcdefè!"), "[redacted]!");
    }

    #[test]
    fn repeated_blocks_are_found_and_cost_little() {
        let sent = knowing(&[&"-".repeat(50_000)]);
        let text = format!("{} x", "-".repeat(5_000));
        assert_eq!(sent.without(&text), "[redacted] x");
    }

    fn signed(method: Method, signature: &str) -> Request<Bytes> {
        let proof = format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature={signature}");
        Request::builder()
            .method(method)
            .header("Authorization", proof)
            .header("X-Auth-Token", "MIIT-token-of-mine")
            .body(Bytes::new())
            .expect("a request")
    }

    #[test]
    fn what_proves_a_request_is_known_to_its_answer_and_that_of_a_change_to_all() {
        let sent = Sent::default();
        let (look, change) = ("a1".repeat(32), "b2".repeat(32));
        let text = format!("{look} {change} MIIT-token-of-mine");
        let of_look = sent.of_request(&signed(Method::GET, &look));
        assert_eq!(of_look.without(&text), format!("[redacted] {change} [redacted]"));
        assert_eq!(sent.without(&look), look, "there are too many of them");
        drop(sent.of_request(&signed(Method::POST, &change)));
        assert_eq!(of_look.without(&text), "[redacted] [redacted] [redacted]");
        assert_eq!(sent.without(&change), REDACTED);
        assert_eq!(format!("{sent:?}"), "Sent");
    }
}
