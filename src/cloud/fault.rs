//! What a bad answer means: by the cloud's code first, by HTTP status second.
//!
//! Start with [`of_answer`]; [`of_net`] does the same where no answer came. The table is
//! `errors-and-limits.md`, sections 1 to 4, and where it leaves open whether a request was done,
//! the reading here is that it perhaps was: then somebody looks before it is sent again.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::NetError;
use crate::domain::{CostClass, Fault, FaultClass, Millis};

/// No announced wait is honoured for longer: windows are announced whole, not by what is left.
const MAX_HINT: Millis = Millis::secs(60);
const MAX_MESSAGE: usize = 300;

/// Classifies an answer that is not the wanted one.
#[must_use]
pub fn of_answer(cost: CostClass, response: &Response<Bytes>) -> Fault {
    let status = response.status();
    let body = ErrorBody::read(response.body());
    let named = body.code.as_deref().and_then(|code| by_code(code, status));
    let unsure = named.unwrap_or_else(|| by_status(status, response.headers()));
    let class = unsure.class(cost);
    let retry_after = header_wait(response.headers())
        .or_else(|| body.message.as_deref().and_then(window))
        .map(|wait| wait.min(MAX_HINT));
    Fault {
        class,
        code: body.code.unwrap_or_else(|| format!("HTTP {}", status.as_u16())),
        message: body.message.unwrap_or_else(|| {
            status.canonical_reason().unwrap_or("an answer without words").to_owned()
        }),
        request_id: request_id(response.headers()).or(body.request_id),
        retry_after,
    }
}

/// Classifies the lack of an answer.
#[must_use]
pub fn of_net(cost: CostClass, error: &NetError) -> Fault {
    let (code, meaning) = match error {
        NetError::Connect(_) => ("connect", Meaning::Is(FaultClass::Transient)),
        NetError::Timeout => ("timeout", Meaning::PerhapsDone),
        NetError::Reset(_) => ("reset", Meaning::PerhapsDone),
        NetError::Other(_) => ("network", Meaning::PerhapsDone),
    };
    ours(meaning.class(cost), code, error.to_string())
}

/// An answer that says yes, but not what was done: nobody can say whether it was.
#[must_use]
pub fn unreadable(cost: CostClass, what: impl std::fmt::Display) -> Fault {
    ours(Meaning::PerhapsDone.class(cost), "unreadable", format!("the answer has {what}"))
}

/// A fault in our own words.
#[must_use]
pub fn ours(class: FaultClass, code: &str, message: String) -> Fault {
    Fault { class, code: code.to_owned(), message, request_id: None, retry_after: None }
}

/// What a code or a status says, before it is known what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The same whatever was asked for.
    Is(FaultClass),
    /// A request that changes something was perhaps done; one that reads can be repeated.
    PerhapsDone,
}

impl Meaning {
    fn class(self, cost: CostClass) -> FaultClass {
        match (self, cost) {
            (Self::Is(class), _) => class,
            (Self::PerhapsDone, CostClass::Mutating) => FaultClass::Lost,
            (Self::PerhapsDone, CostClass::Reading | CostClass::Free) => FaultClass::Transient,
        }
    }
}

fn by_code(code: &str, status: StatusCode) -> Option<Meaning> {
    let (family, number) = code.split_once('.')?;
    match family {
        "APIGW" | "APIG" => gateway(number, status),
        "Common" => common(number),
        "Ecs" => ecs(number),
        "EVS" => evs(number),
        "KMS" => (number == "0205").then_some(Meaning::Is(FaultClass::NotFound)),
        "Pdp" => (number == "0001").then_some(Meaning::Is(FaultClass::Forbidden)),
        _ => None,
    }
}

/// Gateway and authentication. Its internal errors do not say whether the request went on.
fn gateway(number: &str, status: StatusCode) -> Option<Meaning> {
    Some(match number {
        "0201" if status.is_server_error() => Meaning::PerhapsDone,
        "0101" | "0201" | "0602" => Meaning::Is(FaultClass::Invalid),
        "0202" | "0203" | "0601" | "0605" | "0606" | "0608" => Meaning::PerhapsDone,
        "0305" | "0306" if status == StatusCode::FORBIDDEN => Meaning::Is(FaultClass::Forbidden),
        "0301" | "0303" | "0305" | "0306" | "0307" => Meaning::Is(FaultClass::Unauthorised),
        "0302" | "0310" | "0802" => Meaning::Is(FaultClass::Forbidden),
        "0308" => Meaning::Is(FaultClass::Throttled),
        // Nobody there to hand it to, or nobody to check the credentials: it did not go on.
        "0610" | "0613" => Meaning::Is(FaultClass::Transient),
        _ => return None,
    })
}

fn common(number: &str) -> Option<Meaning> {
    Some(match number {
        "0001" | "0020" | "0022" | "0999" => Meaning::PerhapsDone,
        "0002" | "0018" => Meaning::Is(FaultClass::Invalid),
        "0011" => Meaning::Is(FaultClass::NotFound),
        "0013" => Meaning::Is(FaultClass::Unauthorised),
        "0021" | "0025" | "0026" => Meaning::Is(FaultClass::Transient),
        "0024" | "1503" => Meaning::Is(FaultClass::Throttled),
        _ => return None,
    })
}

fn ecs(number: &str) -> Option<Meaning> {
    Some(match number {
        "0114" | "0614" => Meaning::Is(FaultClass::NotFound),
        "0100" | "0101" | "0102" | "0226" => Meaning::Is(FaultClass::State),
        "0603" | "0073" => Meaning::Is(FaultClass::Busy),
        "0001" | "0021" => Meaning::Is(FaultClass::Quota),
        "0003" | "0066" | "0067" | "0068" | "0069" | "0070" | "0071" | "0110" => {
            Meaning::Is(FaultClass::Forbidden)
        }
        // Refused before anything began, by something that passes.
        "0004" | "0048" | "0301" | "0303" | "0304" | "0306" | "0311" | "0319" => {
            Meaning::Is(FaultClass::Transient)
        }
        // Requests that are wrong, and servers, images and keys that must be mended first.
        "0000" | "0005" | "0007" | "0011" | "0023" | "0025" | "0030" | "0031" | "0032" | "0034"
        | "0046" | "0058" | "0074" | "0075" | "0090" | "0105" | "0118" | "0119" | "0120"
        | "0122" | "0123" | "0124" | "0314" | "0510" | "0605" | "0611" | "0912" => {
            Meaning::Is(FaultClass::Invalid)
        }
        // The task was begun, or a service below did not answer: who knows how far it came.
        "0002" | "0202" | "0204" | "0208" | "0217" | "0219" | "0401" | "0402" | "0403" | "0501"
        | "0503" | "1000" | "1001" | "1002" | "1100" | "1200" | "1201" | "1300" => {
            Meaning::PerhapsDone
        }
        _ => return None,
    })
}

fn evs(number: &str) -> Option<Meaning> {
    Some(match number {
        "1034" | "1042" | "5413" => Meaning::Is(FaultClass::Quota),
        "5404" => Meaning::Is(FaultClass::NotFound),
        "2130" => Meaning::Is(FaultClass::Busy),
        "2040" | "2055" | "2143" => Meaning::Is(FaultClass::Invalid),
        _ => return None,
    })
}

fn by_status(status: StatusCode, headers: &HeaderMap) -> Meaning {
    match status.as_u16() {
        401 => Meaning::Is(FaultClass::Unauthorised),
        403 => Meaning::Is(FaultClass::Forbidden),
        404 => Meaning::Is(FaultClass::NotFound),
        409 => Meaning::Is(FaultClass::State),
        429 => Meaning::Is(FaultClass::Throttled),
        // Come back later is a refusal; unavailable without a word about it may come from behind.
        413 | 503 if header_wait(headers).is_some() => Meaning::Is(FaultClass::Throttled),
        408 | 500..=599 => Meaning::PerhapsDone,
        300..=499 => Meaning::Is(FaultClass::Invalid),
        // A yes without what it was asked for.
        _ => Meaning::PerhapsDone,
    }
}

/// Code, sentence and request id, in any of the shapes of section 1.
#[derive(Debug, Default, PartialEq, Eq)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(body) else {
            return Self { message: plain_text(body), ..Self::default() };
        };
        let request_id = map.get("request_id").and_then(Value::as_str).map(str::to_owned);
        let (code, message) = find(&map).unwrap_or_default();
        Self { code, message, request_id }
    }
}

type Pair = (Option<String>, Option<String>);

/// The pair at this level, else the first one below.
fn find(map: &Map<String, Value>) -> Option<Pair> {
    const PAIRS: [(&str, &str); 3] =
        [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")];
    let here = PAIRS.iter().find(|(code, message)| {
        map.get(*message).is_some_and(Value::is_string) || map.get(*code).is_some_and(scalar)
    });
    match here {
        Some((code, message)) => Some((
            map.get(*code).and_then(Value::as_str).and_then(service_code),
            map.get(*message).and_then(Value::as_str).and_then(sentence),
        )),
        None => map.values().filter_map(Value::as_object).find_map(find),
    }
}

fn scalar(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// A bare number is an HTTP status once more: the status itself says it better.
fn service_code(code: &str) -> Option<String> {
    let number = code.chars().all(|c| c.is_ascii_digit());
    (!number).then(|| code.chars().filter(|c| !c.is_control()).take(64).collect())
}

/// A sentence for one line. It is the cloud's, so nothing is believed about it.
fn sentence(text: &str) -> Option<String> {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line: String =
        line.join(" ").chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    (!line.is_empty()).then_some(line)
}

/// What a proxy says, unless it says it in HTML.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_start();
    if text.starts_with('<') { None } else { sentence(text) }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
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

    /// Every code of `errors-and-limits.md`, section 3, with what it means to a change and to a look.
    #[test]
    fn every_documented_code_has_its_class() {
        use FaultClass::{
            Busy, Forbidden, Invalid, Lost, NotFound, Quota, State, Throttled, Transient,
            Unauthorised,
        };
        let same = |class| (class, class);
        let doubt = (Lost, Transient);
        let table: &[(u16, &str, &str, (FaultClass, FaultClass))] = &[
            (404, "APIGW", "0101", same(Invalid)),
            (400, "APIGW", "0201", same(Invalid)),
            (413, "APIGW", "0201", same(Invalid)),
            (494, "APIG", "0201", same(Invalid)),
            (502, "APIGW", "0201", doubt),
            (504, "APIG", "0201", doubt),
            (502, "APIGW", "0202", doubt),
            (504, "APIGW", "0203", doubt),
            (401, "APIGW", "0301 0303 0305 0307", same(Unauthorised)),
            (401, "APIG", "0301 0303 0305 0307", same(Unauthorised)),
            (403, "APIGW", "0302 0306 0310 0802", same(Forbidden)),
            (429, "APIGW", "0308", same(Throttled)),
            (429, "APIG", "0308", same(Throttled)),
            (500, "APIGW", "0601 0605 0606 0608", doubt),
            (400, "APIGW", "0602", same(Invalid)),
            (502, "APIGW", "0610", same(Transient)),
            (503, "APIGW", "0613", same(Transient)),
            (500, "Common", "0001", doubt),
            (400, "Common", "0002 0018", same(Invalid)),
            (400, "Common", "0011", same(NotFound)),
            (401, "Common", "0013", same(Unauthorised)),
            (400, "Common", "0020 0022 0999", doubt),
            (400, "Common", "0021 0025 0026", same(Transient)),
            (202, "Common", "0024", same(Throttled)),
            (429, "Common", "1503", same(Throttled)),
            (503, "Common", "1503", same(Throttled)),
            (403, "Pdp", "0001", same(Forbidden)),
            (400, "Ecs", "0000 0005 0023 0118 0122 0123 0124 0611", same(Invalid)),
            (400, "Ecs", "0002 1000 1001 1002 1100 1200 1201 1300", doubt),
            (403, "Ecs", "0003 0066 0067 0068 0069 0070 0071 0110", same(Forbidden)),
            (400, "Ecs", "0004", same(Transient)),
            (404, "Ecs", "0114 0614", same(NotFound)),
            (400, "Ecs", "0100 0101 0102 0226", same(State)),
            (501, "Ecs", "0603", same(Busy)),
            (400, "Ecs", "0073", same(Busy)),
            (400, "Ecs", "0605 0030 0105", same(Invalid)),
            (400, "Ecs", "0001 0021", same(Quota)),
            (400, "Ecs", "0031 0032 0034 0007 0046 0058 0074 0075 0090 0011", same(Invalid)),
            (400, "Ecs", "0314 0025 0912 0119 0120 0510", same(Invalid)),
            (400, "Ecs", "0048 0301 0303 0304 0306 0311 0319", same(Transient)),
            (400, "Ecs", "0202 0204 0219 0208 0217 0401 0402 0403 0501 0503", doubt),
            (413, "EVS", "1034 1042 5413", same(Quota)),
            (404, "EVS", "5404", same(NotFound)),
            (400, "EVS", "2055 2143 2040", same(Invalid)),
            (400, "EVS", "2130", same(Busy)),
        ];
        for (status, family, numbers, wanted) in table {
            for number in numbers.split(' ') {
                let answer = coded(*status, &format!("{family}.{number}"));
                let got = (of_answer(Mutating, &answer).class, of_answer(Reading, &answer).class);
                assert_eq!(got, *wanted, "{status} {family}.{number}");
            }
        }
    }

    #[test]
    fn a_code_counts_more_than_the_status_it_comes_with() {
        assert_eq!(of_answer(Mutating, &coded(500, "Ecs.0100")).class, FaultClass::State);
        assert_eq!(of_answer(Mutating, &coded(200, "Ecs.0114")).class, FaultClass::NotFound);
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        let check = |status, mutating, reading| {
            for answer in [response(status, ""), coded(status, "Ecs.9999")] {
                assert_eq!(of_answer(Mutating, &answer).class, mutating, "{status}");
                assert_eq!(of_answer(Reading, &answer).class, reading, "{status}");
            }
        };
        for (status, class) in [
            (301, FaultClass::Invalid),
            (400, FaultClass::Invalid),
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
            let read = ErrorBody::read(body.as_bytes());
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
    fn a_service_that_says_when_to_come_back_has_refused() {
        let mut answer = response(503, "");
        answer.headers_mut().insert("retry-after", "5".parse().expect("a value"));
        assert_eq!(of_answer(Mutating, &answer).class, FaultClass::Throttled);
    }

    #[test]
    fn a_long_message_is_cut_and_kept_on_one_line() {
        let body = format!("{}\u{7}\n{}", "a ".repeat(200), "b".repeat(5_000));
        let fault = of_answer(Reading, &response(500, &body));
        assert_eq!(fault.message.chars().count(), MAX_MESSAGE);
        assert!(!fault.message.contains(char::is_control));
    }
}
