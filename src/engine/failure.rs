//! The sentences of failures: what happened, and what the operator can do (`safety.md`, S18). Equal
//! trouble has equal words, so that the summary can group it.

use crate::domain::{
    CloudCode, CostClass, Deed, Failure, Fault, JobId, Millis, Remedy, StepEnd, advice,
};
use crate::plan::Drift;

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
    let again = matches!(fault.class.remedy(CostClass::Mutating), Remedy::Retry(_));
    let help = advice(&fault.code, fault.class);
    let help = if again {
        format!("the cloud refused it as often as `retry` allows: {help}")
    } else {
        help.to_owned()
    };
    let detail = match &fault.request_id {
        Some(id) => format!("{} (request {id})", fault.message),
        None => fault.message.clone(),
    };
    failure(&fault.code, format!("the cloud refused the {what}"), detail, &help)
}

/// A refusal in a line, with who can mend it.
pub(super) fn told(fault: &Fault) -> String {
    format!("{fault}; {}", advice(&fault.code, fault.class))
}

/// The server is not the one that the plan was made for. `stopped`: we had stopped it by then.
pub(super) fn drifted(differences: &[Drift], stopped: bool) -> Failure {
    let cause = format!("the server changed since the plan was made; {}", left_alone(stopped));
    let help = "check what changed, then make a new plan";
    failure("refleet.drifted", cause, in_words(differences), help)
}

/// What was done to a server that is left alone.
fn left_alone(stopped: bool) -> &'static str {
    if stopped { "it was not wiped" } else { "it was not touched" }
}

/// Differences, for people.
pub(super) fn in_words(differences: &[Drift]) -> String {
    let words: Vec<String> = differences.iter().map(Drift::to_string).collect();
    words.join("; ")
}

/// The cloud's records of what was done to a server cannot be read, and nothing else could tell
/// whether somebody replaced its system.
pub(super) fn records_unreadable(why: &str) -> Failure {
    failure(
        "refleet.records",
        "the records of what was done to the server cannot be read; it was not wiped",
        why,
        "allow this user to read the server's instance actions, then make a new plan",
    )
}

/// The server was busy at each attempt.
pub(super) fn not_taken(deed: Deed, why: &str) -> Failure {
    let left = match deed {
        Deed::Stop | Deed::ForceStop => "stopped",
        Deed::Reinstall | Deed::Start | Deed::Backup => "wiped",
    };
    failure(
        "refleet.busy",
        format!("the cloud refused the {deed} as often as `retry` allows; it was not {left}"),
        why,
        "find out what keeps the server busy, then make a new plan",
    )
}

/// The server changed between a reinstall that failed and the next one.
pub(super) fn half_done(why: &str) -> Failure {
    failure(
        "refleet.half_done",
        "a reinstall failed, and the server changed before the next attempt",
        why,
        "check its system disk, then make a new plan",
    )
}

/// What the server needs went away since the plan was made; it was not even stopped.
pub(super) fn taken_away(code: &str, why: &str) -> Failure {
    let help = match code {
        "Ecs.0021" => "delete disks, or have the quota raised, then plan again",
        _ => "the image's owner can share or mend it; else change the OS; then plan again",
    };
    failure(
        code,
        "something that it needs is gone since the plan was made; it was not stopped",
        why,
        help,
    )
}

/// The server was protected after the plan was made.
pub(super) fn protected(rule: &str, stopped: bool) -> Failure {
    failure(
        "refleet.protected",
        format!("the server is protected; {}", left_alone(stopped)),
        rule,
        "remove the protection if it is not wanted, then make a new plan",
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

/// The backup did not become one that can be restored; the server was not even stopped.
pub(super) fn backup_failed(backup: &str) -> Failure {
    failure(
        "refleet.backup",
        "its backup failed; it was not stopped",
        format!("backup {backup}"),
        "look at the backup's task in the console of CBR, then plan again",
    )
}

/// The backup can be restored, and does not hold what would be wiped.
pub(super) fn backup_without_system_disk(backup: &str) -> Failure {
    failure(
        "refleet.backup",
        "its backup leaves its system disk out; it was not stopped",
        format!("backup {backup}"),
        "take the disk into the vault's backups in the console of CBR, then plan again",
    )
}

/// It took too long until the backup could be restored.
pub(super) fn backup_too_slow(timeout: Millis) -> Failure {
    failure(
        "refleet.backup",
        format!(
            "its backup could not be restored after backup.timeout ({timeout}); it was not stopped"
        ),
        "",
        "look at the backup's task in the console of CBR; give it more time with `backup.timeout`",
    )
}

/// The reinstall job failed for the last time.
pub(super) fn needs_support(code: &str, reason: &str, attempts: u32) -> Failure {
    failure(
        code,
        format!("the reinstall failed {}", times(attempts)),
        reason,
        &with_mend(code, "`refleet support` collects what the cloud's support needs"),
    )
}

/// `once`, `twice`, `3 times`.
fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

/// The reinstall job failed, and the run was ending.
pub(super) fn not_tried_again(code: &str, reason: &str) -> Failure {
    failure(
        code,
        "the reinstall failed, and was not tried again because the run was ending",
        reason,
        &with_mend(code, "plan again for this server"),
    )
}

/// The reinstall that failed was found by looking, since the answer to ours never came.
pub(super) fn perhaps_anothers(code: &str, reason: &str) -> Failure {
    failure(
        code,
        "a reinstall of the server failed, and was not tried again: the cloud never confirmed that it \
         was this run's",
        reason,
        &with_mend(code, "find out whose it was, then plan again for this server"),
    )
}

/// What is to be done, and what the code says can be mended first.
fn with_mend(code: &str, then: &str) -> String {
    CloudCode::of(code).map_or_else(|| then.to_owned(), |known| format!("{}; {then}", known.mend))
}

/// Nobody can say whether the wipe happened.
/// `stuck`: who can do something about it in this cloud, and how.
/// `job`: the cloud took it, and its end was not seen.
pub(super) fn unknown(evidence: &[String], stuck: Option<&str>, job: Option<&JobId>) -> Failure {
    let look = "look at the server and the audit log; it is not touched again by itself";
    failure(
        "refleet.unknown",
        match job {
            Some(_) => "the cloud accepted the reinstall, and its end was not seen",
            None => "nobody can say whether the reinstall happened",
        },
        evidence.join("; "),
        &stuck.map_or_else(|| look.to_owned(), |stuck| format!("{look}; {stuck}")),
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

/// A step of the playbook's own failed.
pub(super) fn step_failed(step: &str, end: StepEnd, detail: &str, wiped: bool) -> Failure {
    let how = match end {
        StepEnd::Done | StepEnd::Failed => "failed",
        StepEnd::TimedOut => "took longer than its timeout, and was killed",
        StepEnd::NotStarted | StepEnd::Late => "could not be started",
    };
    let help = if wiped {
        "the server is reinstalled; look at what the step says, and finish by hand what it should \
         have done"
    } else {
        "the server was not wiped; mend what the step says, then plan it again"
    };
    failure(&format!("step:{step}"), format!("the step `{step}` {how}"), detail, help)
}

/// A step that must not be run twice was interrupted.
pub(super) fn step_unknown(step: &str) -> Failure {
    failure(
        &format!("step:{step}"),
        format!("the step `{step}` was interrupted, and must not be run twice (`once`)"),
        "",
        "look at how far it came, and finish it by hand; nothing more is done to the server",
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
