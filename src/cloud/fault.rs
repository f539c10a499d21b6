//! What a bad answer means: by the cloud's code first, by HTTP status second.
//!
//! Start with [`of_answer`]; [`of_net`] does the same where no answer came. The table is
//! `errors-and-limits.md`, sections 1 to 4. An answer to a request that changes something is a
//! refusal only if its code or status is known to mean "refused before anything was done". Every
//! other answer leaves that open: a gateway may give up after the cloud has done it, or send it
//! twice and pass on the answer to the second. What each code says is in the table of [`CloudCode`]. What was sent is taken out of the words first, before
//! anything is cut: half a password is one too many.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::{NetError, Sent};
use crate::domain::{CloudCode, CostClass, Fault, FaultClass, Meaning, Millis};

/// No announced wait is honoured for longer: windows are announced whole, not by what is left.
const MAX_HINT: Millis = Millis::secs(60);
const MAX_MESSAGE: usize = 300;
/// How an answer without a code of its own is named, before its status.
const BY_STATUS: &str = "HTTP ";

/// Classifies an answer that is not the wanted one.
#[must_use]
pub fn of_answer(cost: CostClass, response: &Response<Bytes>) -> Fault {
    let status = response.status();
    let sent = Sent::before(response);
    let body = ErrorBody::read(response.body(), &sent);
    let code = body.code.unwrap_or_else(|| format!("{BY_STATUS}{}", status.as_u16()));
    let class = class_of(cost, &code, status, response.headers());
    let retry_after = header_wait(response.headers())
        .or_else(|| body.message.as_deref().and_then(window))
        .map(|wait| wait.min(MAX_HINT))
        .max(CloudCode::of(&code).and_then(|known| known.wait));
    Fault {
        class,
        code,
        message: body.message.unwrap_or_else(|| {
            status.canonical_reason().unwrap_or("an answer without words").to_owned()
        }),
        request_id: request_id(response.headers()).map(|id| sent.without(&id)).or(body.request_id),
        retry_after,
    }
}

/// Classifies the lack of an answer.
#[must_use]
pub fn of_net(cost: CostClass, error: &NetError) -> Fault {
    let (code, class) = match error {
        NetError::Connect(_) => ("connect", FaultClass::Transient),
        NetError::Timeout => ("timeout", perhaps_done(cost)),
        NetError::Reset(_) => ("reset", perhaps_done(cost)),
        NetError::Other(_) => ("network", perhaps_done(cost)),
    };
    ours(class, code, error.to_string())
}

/// An answer that says yes, but not what was done: nobody can say whether it was.
#[must_use]
pub fn unreadable(cost: CostClass, what: impl std::fmt::Display) -> Fault {
    ours(perhaps_done(cost), "unreadable", format!("the answer has {what}"))
}

/// A fault in our own words.
#[must_use]
pub fn ours(class: FaultClass, code: &str, message: String) -> Fault {
    Fault { class, code: code.to_owned(), message, request_id: None, retry_after: None }
}

/// The class of a code that came with a status, in answer to a request of that cost: by the code if
/// it is known and says something, by the status else.
#[must_use]
pub fn class_of(
    cost: CostClass,
    code: &str,
    status: StatusCode,
    headers: &HeaderMap,
) -> FaultClass {
    match CloudCode::of(code).map(|known| known.meaning) {
        Some(Meaning::Is(class)) => class,
        Some(Meaning::PerhapsDone) => perhaps_done(cost),
        // A code that nobody listed may be a step of a task that has begun.
        None if status == StatusCode::BAD_REQUEST && is_listed_nowhere(cost, code) => {
            perhaps_done(cost)
        }
        Some(Meaning::ByStatus) | None => by_status(cost, status, headers),
    }
}

fn is_listed_nowhere(cost: CostClass, code: &str) -> bool {
    let of_a_task = code.starts_with("Ecs.") || code.starts_with("Common.");
    of_a_task || cost == CostClass::Mutating && !code.starts_with(BY_STATUS)
}

/// A request that changes something was perhaps done; one that reads can be repeated.
fn perhaps_done(cost: CostClass) -> FaultClass {
    match cost {
        CostClass::Mutating => FaultClass::Lost,
        CostClass::Reading | CostClass::Free => FaultClass::Transient,
    }
}

fn by_status(cost: CostClass, status: StatusCode, headers: &HeaderMap) -> FaultClass {
    match status.as_u16() {
        401 => FaultClass::Unauthorised,
        403 => FaultClass::Forbidden,
        404 => FaultClass::NotFound,
        409 => FaultClass::State,
        429 => FaultClass::Throttled,
        413 if header_wait(headers).is_some() => FaultClass::Throttled,
        // Whoever says when to come back need not be the one who knows whether it was done.
        503 if cost != CostClass::Mutating && header_wait(headers).is_some() => {
            FaultClass::Throttled
        }
        408 | 500..=599 => perhaps_done(cost),
        status if refuses(status) => FaultClass::Invalid,
        300..=499 if cost != CostClass::Mutating => FaultClass::Invalid,
        // A yes without what it was asked for, or a status that does not say whether it was done.
        _ => perhaps_done(cost),
    }
}

/// Whether a status means that the request was wrong as such, and so that nothing was done: it is
/// said by whoever reads a request, before it is handed on. The last is a gateway's own.
fn refuses(status: u16) -> bool {
    matches!(
        status,
        301 | 307 | 308 | 400 | 402 | 405..=407 | 411..=415 | 417 | 426 | 428 | 431 | 494
    )
}

/// The class of an answer that points elsewhere. Only some of these say that nothing was done here:
/// a "see other" is what a page answers after the deed.
#[must_use]
pub fn of_redirect(cost: CostClass, status: StatusCode) -> FaultClass {
    by_status(cost, status, &HeaderMap::new())
}

/// Code, sentence and request id, in any of the shapes of section 1.
#[derive(Debug, Default, PartialEq, Eq)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl ErrorBody {
    fn read(body: &[u8], sent: &Sent) -> Self {
        let mut value = serde_json::from_slice::<Value>(body).unwrap_or_default();
        sent.without_in(&mut value);
        let Value::Object(map) = value else {
            return Self { message: plain_text(body, sent), ..Self::default() };
        };
        let request_id = map.get("request_id").and_then(Value::as_str).map(str::to_owned);
        let (code, message) = find(&map).unwrap_or_default();
        Self { code, message, request_id }
    }
}

type Pair = (Option<String>, Option<String>);

/// The code and the sentence of this level, else those of the first level below that has a code.
/// Shapes differ in the names of both, and in how deep they lie (section 1).
fn find(map: &Map<String, Value>) -> Option<Pair> {
    const CODES: [&str; 3] = ["error_code", "errorCode", "code"];
    const MESSAGES: [&str; 4] = ["error_msg", "errorMsg", "error_message", "message"];
    let code = CODES.iter().filter_map(|name| map.get(*name)).find(|value| is_scalar(value));
    let message = MESSAGES.iter().find_map(|name| map.get(*name)?.as_str()).and_then(sentence);
    if let Some(code) = code {
        return Some((code.as_str().and_then(service_code), message));
    }
    // A sentence without a code is better than nothing, and a code further down better than that.
    let mut best = message.map(|message| (None, Some(message)));
    for found in map.values().flat_map(levels).filter_map(find) {
        if found.0.is_some() {
            return Some(found);
        }
        best = best.or(Some(found));
    }
    best
}

/// The objects in a value: itself, or the items of a list.
fn levels(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(map) => vec![map],
        Value::Array(items) => items.iter().filter_map(Value::as_object).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// A number, alone or before its words (`503 Service Unavailable`), is an HTTP status once more: the
/// status itself says it better.
fn service_code(code: &str) -> Option<String> {
    let first = code.split(' ').next().unwrap_or_default();
    let number = first.chars().all(|c| c.is_ascii_digit());
    (!number).then(|| code.chars().filter(|c| !c.is_control()).take(64).collect())
}

/// A sentence for one line. It is the cloud's, so nothing is believed about it. OpenStack's sentences
/// that were meant for a page break their lines as on one.
fn sentence(text: &str) -> Option<String> {
    let line: String = one_line(&text.replace("<br />", " ")).chars().take(MAX_MESSAGE).collect();
    (!line.is_empty()).then_some(line)
}

/// A text of the cloud as one line, without signs that would steer a terminal.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).collect()
}

/// What a proxy says, unless it says it in HTML.
fn plain_text(body: &[u8], sent: &Sent) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_start();
    if text.starts_with('<') { None } else { sentence(&sent.without(text)) }
}

/// The cloud's id of a request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "x-openstack-request-id", "x-compute-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok().map(str::to_owned))
}

fn header_wait(headers: &HeaderMap) -> Option<Millis> {
    let seconds: u64 =
        headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Millis(seconds.saturating_mul(1_000)))
}

/// The window that a throttling sentence names: `…,limit:200,time:5 minute`.
fn window(message: &str) -> Option<Millis> {
    let (_, rest) = message.split_once("limit:")?;
    let (_, time) = rest.split_once("time:")?;
    let digits: String = time.chars().take_while(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    let unit = time[digits.len()..].trim_start();
    let seconds = if unit.starts_with("minute") {
        60
    } else if unit.starts_with("second") {
        1
    } else {
        return None;
    };
    Some(Millis(number.saturating_mul(seconds * 1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CostClass::{Mutating, Reading};

    fn response(status: u16, body: &str) -> Response<Bytes> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Response::builder().status(status).body(body).expect("a response")
    }

    fn coded(status: u16, code: &str) -> Response<Bytes> {
        response(status, &format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#))
    }

    #[test]
    fn a_code_counts_more_than_the_status_it_comes_with() {
        assert_eq!(of_answer(Mutating, &coded(500, "Ecs.0100")).class, FaultClass::State);
        assert_eq!(of_answer(Mutating, &coded(200, "Ecs.0114")).class, FaultClass::NotFound);
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        let check = |status, mutating, reading| {
            for answer in [response(status, ""), coded(status, "New.9999")] {
                assert_eq!(of_answer(Mutating, &answer).class, mutating, "{status}");
                assert_eq!(of_answer(Reading, &answer).class, reading, "{status}");
            }
        };
        for (status, class) in [
            (301, FaultClass::Invalid),
            (307, FaultClass::Invalid),
            (407, FaultClass::Invalid),
            (415, FaultClass::Invalid),
            (401, FaultClass::Unauthorised),
            (403, FaultClass::Forbidden),
            (404, FaultClass::NotFound),
            (409, FaultClass::State),
            (413, FaultClass::Invalid),
            (429, FaultClass::Throttled),
        ] {
            check(status, class, class);
        }
        for status in [200, 202, 204, 408, 500, 501, 502, 503, 504] {
            check(status, FaultClass::Lost, FaultClass::Transient);
        }
        for status in [302, 303, 304, 410, 418, 421, 422, 423, 425, 451, 460, 499] {
            check(status, FaultClass::Lost, FaultClass::Invalid);
        }
    }

    #[test]
    fn a_code_that_nobody_listed_may_be_a_step_of_a_task_that_began() {
        assert_eq!(of_answer(Mutating, &response(400, "")).class, FaultClass::Invalid);
        for (code, reading) in
            [("Ecs.9999", FaultClass::Transient), ("New.9999", FaultClass::Invalid)]
        {
            assert_eq!(of_answer(Mutating, &coded(400, code)).class, FaultClass::Lost, "{code}");
            assert_eq!(of_answer(Reading, &coded(400, code)).class, reading, "{code}");
        }
        // Nova's codes repeat the status.
        assert_eq!(of_answer(Mutating, &coded(400, "400")).class, FaultClass::Invalid);
    }

    #[test]
    fn nothing_sent_is_transient_and_everything_else_is_in_doubt() {
        let check = |error: NetError, mutating, reading, code: &str| {
            assert_eq!(of_net(Mutating, &error).class, mutating, "{error}");
            assert_eq!(of_net(Reading, &error).class, reading, "{error}");
            assert_eq!(of_net(Reading, &error).code, code);
        };
        let (lost, transient) = (FaultClass::Lost, FaultClass::Transient);
        check(NetError::Connect("refused".to_owned()), transient, transient, "connect");
        check(NetError::Timeout, lost, transient, "timeout");
        check(NetError::Reset("closed".to_owned()), lost, transient, "reset");
        check(NetError::Other("odd".to_owned()), lost, transient, "network");
    }

    #[test]
    fn every_shape_of_an_error_body_is_understood() {
        let check = |body: &str, code: Option<&str>, message: Option<&str>| {
            let read = ErrorBody::read(body.as_bytes(), &Sent::default());
            assert_eq!((read.code.as_deref(), read.message.as_deref()), (code, message), "{body}");
        };
        check(
            r#"{"error":{"code":"Ecs.0005","message":"bad","details":[{"code":"x","message":"y"}]}}"#,
            Some("Ecs.0005"),
            Some("bad"),
        );
        check(
            r#"{"error_code":"APIGW.0301","error_msg":"no","request_id":"r"}"#,
            Some("APIGW.0301"),
            Some("no"),
        );
        check(
            r#"{"error":{"error_code":"KMS.0205","error_msg":"key"}}"#,
            Some("KMS.0205"),
            Some("key"),
        );
        check(
            r#"{"error":{"code":401,"message":"who?","title":"Unauthorized"}}"#,
            None,
            Some("who?"),
        );
        check(r#"{"badRequest":{"message":"bad","code":"400"}}"#, None, Some("bad"));
        check(
            r#"{"message":"Away.<br /><br />\nGone.\n\n","code":"503 Service Unavailable","title":"x"}"#,
            None,
            Some("Away. Gone."),
        );
        check(r#"{"itemNotFound":{"message":"gone","code":404}}"#, None, Some("gone"));
        check(
            r#"{"error":{"code":"Ecs.0611","message":"batch"},"internalError":[{"id":"1","error_code":"Ecs.0100","error_message":"m"}]}"#,
            Some("Ecs.0611"),
            Some("batch"),
        );
        check(r#"{"code":"Common.0011","message":"job"}"#, Some("Common.0011"), Some("job"));
        check(r#"{"errorCode":"IMG.0001","errorMsg":"img"}"#, Some("IMG.0001"), Some("img"));
        check(r#"{"error_code":"IAM.0011"}"#, Some("IAM.0011"), None);
        check("<html>502</html>", None, None);
        check("backend\n  down", None, Some("backend down"));
        check("", None, None);
        check("[]", None, Some("[]"));
    }

    #[test]
    fn a_deep_body_is_read_once_and_a_code_goes_before_a_sentence() {
        let deep = |inside: &str| {
            format!("{}{inside}{}", r#"{"message":"m","x":"#.repeat(60), "}".repeat(60))
        };
        let read = |inside: &str| ErrorBody::read(deep(inside).as_bytes(), &Sent::default());
        assert_eq!(read(r#"{"code":"Ecs.0100"}"#).code.as_deref(), Some("Ecs.0100"));
        assert_eq!(read("7"), ErrorBody { message: Some("m".to_owned()), ..ErrorBody::default() });
    }

    #[test]
    fn a_fault_without_a_code_is_named_by_its_status() {
        let fault = of_answer(Reading, &response(502, "<html>"));
        assert_eq!(fault.to_string(), "HTTP 502: Bad Gateway");
    }

    #[test]
    fn the_request_id_comes_from_header_or_body() {
        let mut answer = response(400, r#"{"error_code":"X.1","error_msg":"m","request_id":"b"}"#);
        assert_eq!(of_answer(Reading, &answer).request_id.as_deref(), Some("b"));
        answer.headers_mut().insert("x-request-id", "h".parse().expect("a value"));
        assert_eq!(of_answer(Reading, &answer).request_id.as_deref(), Some("h"));
    }

    #[test]
    fn an_announced_wait_is_kept_within_a_minute() {
        let throttled = |text: &str| {
            let body = format!(r#"{{"error_code":"APIGW.0308","error_msg":"{text}"}}"#);
            of_answer(Mutating, &response(429, &body)).retry_after
        };
        let seen =
            "The throttling threshold has been reached: policy user over ratelimit,limit:200,time:";
        assert_eq!(throttled(&format!("{seen}5 minute")), Some(Millis::secs(60)));
        assert_eq!(throttled(&format!("{seen}1 minute")), Some(Millis::secs(60)));
        assert_eq!(throttled(&format!("{seen}7 second")), Some(Millis::secs(7)));
        assert_eq!(throttled(&format!("{seen}7 fortnight")), None);
        assert_eq!(throttled("slow down"), None);

        let header = |text: &str| {
            let mut answer = coded(429, "Common.1503");
            answer.headers_mut().insert("retry-after", text.parse().expect("a value"));
            of_answer(Mutating, &answer).retry_after
        };
        assert_eq!(header("3"), Some(Millis::secs(3)));
        assert_eq!(header("86400"), Some(Millis::secs(60)));
        assert_eq!(header("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn a_wait_that_is_announced_does_not_say_that_nothing_was_done() {
        for (status, mutating, reading) in [
            (413, FaultClass::Throttled, FaultClass::Throttled),
            (429, FaultClass::Throttled, FaultClass::Throttled),
            (500, FaultClass::Lost, FaultClass::Transient),
            (502, FaultClass::Lost, FaultClass::Transient),
            (503, FaultClass::Lost, FaultClass::Throttled),
            (504, FaultClass::Lost, FaultClass::Transient),
        ] {
            let mut answer = response(status, "");
            answer.headers_mut().insert("retry-after", "5".parse().expect("a value"));
            assert_eq!(of_answer(Mutating, &answer).class, mutating, "{status}");
            assert_eq!(of_answer(Reading, &answer).class, reading, "{status}");
        }
        // One that is known to come from before the deed.
        assert_eq!(of_answer(Mutating, &coded(503, "Common.1503")).class, FaultClass::Throttled);
    }

    #[test]
    fn what_was_sent_is_taken_out_before_anything_is_cut_or_joined() {
        let sent = Sent::default();
        let (password, data) = ("Sesame-1!", "two short\nlines of\nuser data");
        sent.learn(password);
        sent.learn(data);
        let words = "x".repeat(MAX_MESSAGE - 4);
        for body in [
            serde_json::json!({"code": format!("{password}.1"), "message": format!("{words}{password}")}),
            serde_json::json!({"code": "Ecs.1", "message": data, "request_id": password}),
            serde_json::json!({"error": [{"code": format!("{}{password}", "c".repeat(60)), "message": "m"}]}),
        ] {
            let mut answer = response(400, &body.to_string());
            answer.extensions_mut().insert(sent.clone());
            let told = format!("{:?}", of_answer(Mutating, &answer));
            assert!(told.contains("[re"), "{told}");
            for part in ["Sesa", "short", "lines"] {
                assert!(!told.contains(part), "{told}");
            }
        }
        let mut page = response(502, &format!("{words} {password}"));
        page.headers_mut().insert("x-request-id", password.parse().expect("a value"));
        page.extensions_mut().insert(sent);
        let told = format!("{:?}", of_answer(Reading, &page));
        assert!(!told.contains("Sesa"), "{told}");
    }

    #[test]
    fn a_long_message_is_cut_and_kept_on_one_line() {
        let body = format!("{}\u{7}\n{}", "a ".repeat(200), "b".repeat(5_000));
        let fault = of_answer(Reading, &response(500, &body));
        assert_eq!(fault.message.chars().count(), MAX_MESSAGE);
        assert!(!fault.message.contains(char::is_control));
    }
}
