//! The codes of the cloud: what each means, and who can mend it.
//!
//! Start with [`CloudCode::of`]. The rows are in `code_table.rs` and nowhere else: the cloud's client
//! classifies by them, the engine and the plan take their help from them, `refleet explain CODE`
//! shows one and `docs/errors.md` all of them. The facts are those of the tables in
//! `errors-and-limits.md` and `storage-image-kms.md`; the words are ours. Messages of the cloud are
//! no contract, so nothing is decided by them.

use std::fmt;

use super::code_table::CODES;
use super::{CostClass, FaultClass, Millis, RetryPolicies, RetryPolicy};

/// What a code says, before it is known what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The same whatever was asked for.
    Is(FaultClass),
    /// A request that changes something was perhaps done; one that reads can be repeated.
    PerhapsDone,
    /// No more than the HTTP status that it came with.
    ByStatus,
}

/// One code of the cloud.
#[derive(Clone, Copy, Debug)]
pub struct CloudCode {
    /// As the cloud writes it; the gateway's with `APIGW.`.
    pub code: &'static str,
    /// What it says of the request.
    pub meaning: Meaning,
    /// Not sent again before that, whatever `retry` says: the code itself asks for it.
    pub wait: Option<Millis>,
    /// What happened, in our words.
    pub title: &'static str,
    /// Who can mend it, and how.
    pub mend: &'static str,
}

impl CloudCode {
    /// The row of a code. `APIG.` and `APIGW.` are two names of one gateway.
    #[must_use]
    pub fn of(code: &str) -> Option<&'static Self> {
        let gateway = code.strip_prefix("APIG.").map(|number| format!("APIGW.{number}"));
        let code = gateway.as_deref().unwrap_or(code);
        CODES.iter().find(|known| known.code == code)
    }

    /// Every row, in the order of the services.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        CODES.iter()
    }
}

/// What the operator is told about an error: by its code if the code is known, by its class else.
#[must_use]
pub fn advice(code: &str, class: FaultClass) -> &'static str {
    CloudCode::of(code).map_or_else(|| class.advice(), |known| known.mend)
}

/// Which of the playbook's `retry` policies applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryKind {
    /// `retry.throttled`.
    Throttled,
    /// `retry.transient`.
    Transient,
    /// `retry.busy`.
    Busy,
}

impl RetryPolicies {
    /// The policy of that kind.
    #[must_use]
    pub fn of(&self, kind: RetryKind) -> &RetryPolicy {
        match kind {
            RetryKind::Throttled => &self.throttled,
            RetryKind::Transient => &self.transient,
            RetryKind::Busy => &self.busy,
        }
    }
}

/// What is done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same request goes out again, after a wait; a server is looked at before it is wiped.
    Retry(RetryKind),
    /// It was perhaps done: looked up first, and sent again only if it was not.
    LookFirst,
    /// Nothing, until somebody has mended what is wrong.
    Never,
}

impl FaultClass {
    /// What is done about an error of this class after a request of that cost
    /// (`errors-and-limits.md`, section 4). A refused sign-in is not answered with another one here:
    /// a token is renewed by the session, once, and keys that fail five times are locked.
    #[must_use]
    pub fn remedy(self, cost: CostClass) -> Remedy {
        let changes = cost == CostClass::Mutating;
        match self {
            Self::Throttled => Remedy::Retry(RetryKind::Throttled),
            Self::Busy => Remedy::Retry(RetryKind::Busy),
            Self::State if changes => Remedy::Retry(RetryKind::Busy),
            Self::Lost if changes => Remedy::LookFirst,
            // The engine does not count one that was late.
            Self::Transient | Self::Lost | Self::Late => Remedy::Retry(RetryKind::Transient),
            Self::State
            | Self::Unauthorised
            | Self::Forbidden
            | Self::NotFound
            | Self::Quota
            | Self::Invalid => Remedy::Never,
        }
    }

    /// Every class that an answer of a cloud can have, from what passes by itself to what does not.
    pub const ALL: [Self; 10] = [
        Self::Throttled,
        Self::Transient,
        Self::Busy,
        Self::State,
        Self::Lost,
        Self::Unauthorised,
        Self::Forbidden,
        Self::NotFound,
        Self::Quota,
        Self::Invalid,
    ];

    /// What it says of the request.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Throttled => "not done: flow control",
            Self::Transient => "not done: the service or the way to it is unwell",
            Self::Busy => "not done: another command runs on the server",
            Self::State => "not done: the server's state does not allow it",
            Self::Lost => "perhaps done",
            Self::Unauthorised => "not done: who we are was not accepted",
            Self::Forbidden => "not done: we may not do this",
            Self::NotFound => "not done: no such thing",
            Self::Quota => "not done: a quota is used up",
            Self::Invalid => "not done, and never will be like this",
            Self::Late => "not sent: the server has to be looked at again first",
        }
    }

    /// What the operator is told where the code is not known.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Throttled => {
                "the cloud limits how often it may be asked: lower `limits.rate`, or try again later"
            }
            Self::Transient => "the cloud or the way to it is unwell: try again later",
            Self::Late => "the disk of the state file or the login is slow: look why",
            Self::Busy => "something else is being done to the server: try again when it is over",
            Self::State => "look at the server in the console, then plan again",
            Self::Lost => "look at the server and at the audit log before anything else",
            Self::Unauthorised => "check the credentials of this cloud",
            Self::Forbidden => {
                "ask the project's IAM administrator for the right to do this, then plan again"
            }
            Self::NotFound => "look whether it was deleted, then plan again",
            Self::Quota => "free or raise the quota, then plan again",
            Self::Invalid => "correct what the cloud's message names, then plan again",
        }
    }
}

/// As it is written in events.
impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Busy => "busy",
            Self::State => "state",
            Self::Lost => "lost",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
            Self::Late => "late",
        })
    }
}

/// What is done, for the middle of a sentence.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Retry(RetryKind::Throttled) => "sent again, as `retry.throttled` says",
            Self::Retry(RetryKind::Transient) => "sent again, as `retry.transient` says",
            Self::Retry(RetryKind::Busy) => "sent again, as `retry.busy` says",
            Self::LookFirst => "looked up, and sent again only if it was not done",
            Self::Never => "not sent again",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_refusal_of_who_we_are_is_told_from_one_of_what_was_asked_for() {
        let check = |code: &str, class, expected| {
            let (code, message) = (code.to_owned(), String::new());
            let fault =
                crate::domain::Fault { class, code, message, request_id: None, retry_after: None };
            assert_eq!(fault.shuts_out(), expected, "{fault}");
        };
        check("HTTP 401", FaultClass::Unauthorised, true);
        for code in ["APIGW.0310", "APIGW.0802", "APIG.0802"] {
            check(code, FaultClass::Forbidden, true);
        }
        for code in ["HTTP 403", "APIGW.0302", "Pdp.0001"] {
            check(code, FaultClass::Forbidden, false);
        }
        check("APIGW.0308", FaultClass::Throttled, false);
    }

    #[test]
    fn codes_are_unique() {
        let unique: BTreeSet<_> = CloudCode::all().map(|known| known.code).collect();
        assert_eq!(unique.len(), CODES.len());
    }

    #[test]
    fn the_gateway_has_two_names() {
        let told = |code| CloudCode::of(code).map(|known| known.code);
        assert_eq!(told("APIG.0308"), Some("APIGW.0308"));
        assert_eq!(told("APIGW.0308"), Some("APIGW.0308"));
        assert_eq!(told("APIGX.0308"), None);
    }

    #[test]
    fn every_row_says_who_can_mend_it_in_one_line() {
        for CloudCode { code, title, mend, .. } in CloudCode::all() {
            for text in [title, mend] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{code}: {text}");
                assert!(!text.contains(['\n', '|']) && !text.contains("  "), "{code}: {text}");
            }
        }
    }

    #[test]
    fn a_class_is_shown_as_it_is_written() {
        for class in FaultClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.to_string());
        }
        assert_eq!(BTreeSet::from(FaultClass::ALL).len(), FaultClass::ALL.len());
    }

    #[test]
    fn what_is_not_known_by_its_code_is_told_by_its_class() {
        assert!(advice("Ecs.0314", FaultClass::Invalid).contains("key_owner"));
        assert_eq!(advice("Ecs.9999", FaultClass::Quota), FaultClass::Quota.advice());
    }
}
