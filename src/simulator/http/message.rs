//! A request as it arrived, and an answer before it is sent.

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::quote::Quoting;
use crate::domain::{Millis, Timestamp};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    /// `GET`, `POST` …
    pub(super) method: String,
    /// Path and query as they stood in the request line.
    pub(super) target: String,
    /// Headers.
    pub(super) headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub(super) body: Vec<u8>,
}

impl Incoming {
    /// A header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Path segments, unescaped; a slash at the end does not count.
    pub(super) fn segments(&self) -> Vec<String> {
        let path = self.target.split('?').next().unwrap_or_default();
        path.split('/').filter(|part| !part.is_empty()).map(unescape).collect()
    }

    /// A value of the query.
    pub(super) fn query(&self, key: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut found = pairs.filter(|(name, _)| unescape(name) == key);
        found.next().map(|(_, value)| unescape(&value.replace('+', " ")))
    }

    /// A whole number of the query.
    pub(super) fn number(&self, key: &str, otherwise: u32) -> Result<u32, ApiError> {
        let bad = || ApiError::new(400, "Ecs.0005", format!("The parameter {key} is invalid."));
        self.query(key).map_or(Ok(otherwise), |text| text.parse().map_err(|_| bad()))
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| ApiError::new(400, "Ecs.0000", "The request body is not JSON."))
    }
}

fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// HTTP status.
    pub(super) status: u16,
    /// Headers on top of the usual ones.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Body.
    pub(super) body: String,
}

impl Outgoing {
    /// 200 with that body.
    pub(super) fn ok(body: &Value) -> Self {
        Self::raw(200, body.to_string())
    }

    /// That status with that body, which is JSON already.
    pub(super) fn raw(status: u16, body: String) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Self { status, headers, body }
    }
}

/// A refusal as the cloud writes it. Waits are announced in real seconds, at least one.
pub(super) fn refused(quoting: &Quoting, request_id: &str, speed: f64) -> Outgoing {
    let Quoting { error, in_code } = quoting;
    let mut message = error.message.clone().into_owned();
    let code = match in_code {
        Some(quote) if !error.code.is_empty() => format!("{} {quote}", error.code),
        Some(_) | None => error.code.to_owned(),
    };
    if let Some((limit, window)) = error.window {
        let seconds = real_seconds(window, speed);
        let (time, unit) =
            if seconds.is_multiple_of(60) { (seconds / 60, "minute") } else { (seconds, "second") };
        message.push_str(&format!(",limit:{limit},time:{time} {unit}"));
    }
    let body = match error.shape {
        Shape::Service => json!({"error": {"code": code, "message": message}}),
        Shape::Gateway => {
            json!({"error_code": code, "error_msg": message, "request_id": request_id})
        }
        Shape::Kms => json!({"error": {"error_code": code, "error_msg": message}}),
        Shape::Keystone => {
            json!({"error": {"code": error.status, "message": message, "title": title(error.status)}})
        }
        Shape::Native => {
            json!({native(error.status): {"message": message, "code": error.status.to_string()}})
        }
        Shape::Detailed => json!({"error": {"code": code, "message": message,
            "details": [{"code": code, "message": message}]}}),
        Shape::NativeEvs => {
            json!({"badrequest": {"message": message, "code": error.status.to_string()}})
        }
        Shape::Batch => json!({"error": {"code": code, "message": message},
            "internalError": [{"id": "", "error_code": code, "error_message": message}]}),
        Shape::Flat => json!({"code": code, "message": message}),
        Shape::Camel => json!({"errorCode": code, "errorMsg": message}),
        Shape::Html | Shape::Empty => Value::Null,
    };
    let mut answer = Outgoing::raw(error.status, body.to_string());
    if error.shape == Shape::Html {
        let text = format!("{} {message}", error.status);
        answer.headers = vec![("Content-Type", "text/html".to_owned())];
        answer.body = format!("<html><head><title>{text}</title></head><body>{text}</body></html>");
    }
    if error.shape == Shape::Empty {
        (answer.headers, answer.body) = (Vec::new(), String::new());
    }
    if let Some(wait) = error.retry_after {
        answer.headers.push(("Retry-After", real_seconds(wait, speed).to_string()));
    }
    answer
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Error",
    }
}

fn native(status: u16) -> &'static str {
    match status {
        403 => "forbidden",
        404 => "itemNotFound",
        409 => "conflictingRequest",
        400 => "badRequest",
        _ => "computeFault",
    }
}

/// Simulated time as whole real seconds, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates; windows are short"
)]
pub(super) fn real_seconds(length: Millis, speed: f64) -> u64 {
    ((length.0 as f64 / 1_000.0 / speed).ceil() as u64).max(1)
}

/// A moment in that format of `strftime`.
pub(super) fn stamp(moment: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map(|moment| moment.strftime(format).to_string())
        .unwrap_or_default()
}

/// `2026-01-02T03:04:05.123Z`, as jobs have it.
pub(super) const MILLIS: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";
/// `2026-01-02T03:04:05.123456Z`, as tokens have it.
pub(super) const MICROS_UTC: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
/// `2026-01-02T03:04:05.123456`, as disks have it: no zone.
pub(super) const MICROS: &str = "%Y-%m-%dT%H:%M:%S%.6f";
