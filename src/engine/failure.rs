//! The sentences of failures: what happened, and what the operator can do (`safety.md`, S18). Equal
//! trouble has equal words, so that the summary can group it.

use crate::domain::{Failure, Fault, FaultClass, Millis};

fn failure(code: &str, cause: impl Into<String>, detail: impl Into<String>, help: &str) -> Failure {
    Failure {
        code: code.to_owned(),
        cause: cause.into(),
        detail: detail.into(),
        help: help.to_owned(),
    }
}

/// The cloud refused a request for good.
pub(super) fn refused(what: &str, fault: &Fault) -> Failure {
    let help = match fault.class {
        FaultClass::Unauthorised => "check the credentials of this cloud, then plan again",
        FaultClass::Forbidden => "ask for the right to do this in the project, then plan again",
        FaultClass::NotFound => "look whether it was deleted, then plan again",
        FaultClass::Quota => "free or raise the quota, then plan again",
        FaultClass::State => "look at the server in the console, then plan again",
        FaultClass::Throttled | FaultClass::Transient | FaultClass::Busy => {
            "the cloud refused it as often as `retry` allows; try again later"
        }
        FaultClass::Lost | FaultClass::Invalid => {
            "correct what the cloud's message names, then plan again"
        }
    };
    let detail = match &fault.request_id {
        Some(id) => format!("{} (request {id})", fault.message),
        None => fault.message.clone(),
    };
    failure(&fault.code, format!("the cloud refused the {what}"), detail, help)
}

/// The server is not the one that the plan was made for.
pub(super) fn drifted(differences: &[String]) -> Failure {
    failure(
        "refleet.drifted",
        "the server changed since the plan was made; it was not wiped",
        differences.join("; "),
        "look at what changed, then plan again",
    )
}

/// The server changed between a reinstall that failed and the next one.
pub(super) fn half_done(why: &str) -> Failure {
    failure(
        "refleet.half_done",
        "a reinstall failed, and the server changed before it could be tried again",
        why,
        "its old system disk may be gone: look at it, then plan it again",
    )
}

/// What the server needs went away since the plan was made; it was not even stopped.
pub(super) fn taken_away(code: &str, why: &str) -> Failure {
    let help = match code {
        "Ecs.0021" => "delete disks, or have the quota raised, then plan again",
        _ => "the image's owner can share or mend it; else change the OS; then plan again",
    };
    failure(code, "what it needs went away before its wave; it was not touched", why, help)
}

/// The server was protected after the plan was made.
pub(super) fn protected(rule: &str) -> Failure {
    failure(
        "refleet.protected",
        "the server is protected; it was not wiped",
        rule,
        "take the protection away if it is not meant, then plan again",
    )
}

/// A fleet that comes first cannot get there any more.
pub(super) fn skipped(fleet: &str, wanted: u32) -> Failure {
    failure(
        "refleet.skipped",
        format!("fleet {fleet} cannot reach {wanted} verified any more"),
        "",
        "mend that fleet, then plan again",
    )
}

/// Something took longer than `wait.timeout`.
pub(super) fn timed_out(what: &str, timeout: Millis) -> Failure {
    failure(
        "refleet.timeout",
        format!("the {what} did not end within wait.timeout ({timeout})"),
        "",
        "look at the server in the console; stops of more than 30 minutes are for the cloud's support",
    )
}

/// The reinstall job failed for the last time.
pub(super) fn needs_support(code: &str, reason: &str, attempts: u32) -> Failure {
    failure(
        code,
        format!("the reinstall failed {attempts} times"),
        reason,
        "contact the cloud's support with the server id and the job ids; the system disk may be gone",
    )
}

/// The reinstall job failed, and the run was ending.
pub(super) fn not_tried_again(code: &str, reason: &str) -> Failure {
    failure(
        code,
        "the reinstall failed, and was not tried again because the run was ending",
        reason,
        "plan again for this server",
    )
}

/// Nobody can say whether the wipe happened.
pub(super) fn unknown(evidence: &[String]) -> Failure {
    failure(
        "refleet.unknown",
        "nobody can say whether the reinstall happened",
        evidence.join("; "),
        "look at the server and the audit log; it is not touched again by itself",
    )
}

/// A check failed for the last time.
pub(super) fn check_failed(check: &str, detail: &str) -> Failure {
    failure(
        &format!("verify.{check}"),
        format!("the check `{check}` failed"),
        detail,
        "the server is reinstalled; look at it, then mend it or plan it again",
    )
}

/// The server is gone.
pub(super) fn gone() -> Failure {
    failure(
        "refleet.gone",
        "the cloud does not know the server any more",
        "",
        "look whether somebody deleted it",
    )
}
