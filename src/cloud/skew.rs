//! Whether a refused signature is the fault of this machine's clock.
//!
//! Start with [`of_answer`]: every answer carries the time of whoever gave it, so a 401 can be
//! explained instead of guessed at (`auth.md`, section 3.1).

use std::fmt;

use bytes::Bytes;
use http::Response;
use http::header::DATE;

use super::sign::MAX_SKEW;
use crate::domain::{Millis, Timestamp};

/// An answer is on its way for a while, and its date is of whole seconds.
const TOLERANCE: Millis = Millis::secs(30);

/// How far this machine's clock is from the cloud's: more than the gateway allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skew {
    /// We are late.
    Behind(Millis),
    /// We are early.
    Ahead(Millis),
}

/// The skew that explains a refusal, if there is one.
pub(super) fn of_answer(response: &Response<Bytes>, now: Timestamp) -> Option<Skew> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let theirs = Timestamp(theirs.as_millisecond());
    // `since` of a moment that is not yet there is nothing.
    let (behind, ahead) = (theirs.since(now), now.since(theirs));
    let too_much = |by: Millis| by.0 + TOLERANCE.0 > MAX_SKEW.0;
    if too_much(behind) {
        Some(Skew::Behind(behind))
    } else if too_much(ahead) {
        Some(Skew::Ahead(ahead))
    } else {
        None
    }
}

/// `this machine's clock is 17 min behind the cloud's; the gateway allows 15 min`.
impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, where_to) = match self {
            Self::Behind(by) => (by, "behind"),
            Self::Ahead(by) => (by, "ahead of"),
        };
        let minutes = |span: Millis| span.0.div_ceil(60_000);
        write!(
            f,
            "this machine's clock is {} min {where_to} the cloud's; the gateway allows {} min",
            minutes(*by),
            minutes(MAX_SKEW)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02 03:04:05 UTC.
    const NOON: Timestamp = Timestamp(1_767_323_045_000);

    fn told(date: &str, now: Timestamp) -> Option<String> {
        let answer = Response::builder().header("Date", date).body(Bytes::new()).unwrap();
        of_answer(&answer, now).map(|skew| skew.to_string())
    }

    #[test]
    fn the_date_of_an_answer_tells_how_wrong_the_clock_is() {
        let date = "Fri, 02 Jan 2026 03:04:05 GMT";
        let at = |minutes: i64| Timestamp(NOON.0 + minutes * 60_000);
        let said = |way: &str| {
            Some(format!("this machine's clock is {way} the cloud's; the gateway allows 15 min"))
        };
        assert_eq!(told(date, at(-17)), said("17 min behind"));
        assert_eq!(told(date, at(90)), said("90 min ahead of"));
        assert_eq!(told(date, at(-15)), said("15 min behind"), "the answer took a moment");
        for fine in [-14, 0, 14] {
            assert_eq!(told(date, at(fine)), None, "{fine}");
        }
        assert_eq!(told("yesterday", at(90)), None);
        let without = Response::new(Bytes::new());
        assert_eq!(of_answer(&without, at(90)), None);
    }
}
