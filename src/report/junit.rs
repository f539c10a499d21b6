//! A run as JUnit XML, for the pages of CI systems: a suite for each fleet, a case for each server.
//!
//! Start with [`junit`]. A server that failed, needs support or is unknown is a failure; one that is
//! under way in a run that did not end is an error; one that was left alone, and one that was not
//! begun, is skipped, with the reason.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::domain::{Ending, Failure, Phase, Record, Shown, printable, shown};

use super::account::{Account, accounts};
use super::{Error, Fold, Summary};

/// The run that these are the records of, as JUnit XML.
pub fn junit(records: &[Record]) -> Result<String, Error> {
    let fold = Fold::of(records);
    let summary = Summary::from(&fold);
    let name = summary.outline.as_ref().map_or("refleet", |outline| outline.name.as_str());
    let mut report = Report::new(&*shown(name));
    // Read back from the text for people: its type belongs to another crate.
    report.timestamp = summary.began.to_string().parse().ok();
    report.set_time(summary.duration.to_std());
    report.add_test_suite(run(&summary));
    for fleet in summary.fleets.keys() {
        let mut suite = TestSuite::new(&*shown(fleet.as_str()));
        for account in accounts(records, &fold).iter().filter(|account| account.fleet == *fleet) {
            suite.add_test_case(case(account));
        }
        report.add_test_suite(suite);
    }
    let mut text = report.to_string().map_err(|error| Error::Junit(error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(printable(&text).into_owned())
}

/// The run as a whole: a preflight that refused, or a run that did not end, is not silent.
fn run(summary: &Summary) -> TestSuite {
    let mut suite = TestSuite::new("run");
    for (name, value) in summary.facts() {
        suite.add_property((name.as_str(), &*shown(&value)));
    }
    let mut status = TestCaseStatus::success();
    if !summary.refusals.is_empty() {
        status = failed(NonSuccessKind::Failure, "refused", &summary.refusals.join("; "));
    }
    suite.add_test_case(TestCase::new("preflight", status));
    let ends = match (summary.finished, summary.cause_text.as_deref()) {
        (false, _) => failed(NonSuccessKind::Error, "not_ended", "the run has not ended"),
        (true, Some("done") | None) => TestCaseStatus::success(),
        (true, Some(_)) if !summary.refusals.is_empty() => TestCaseStatus::skipped(),
        (true, Some(cause)) => failed(NonSuccessKind::Failure, "ended_early", cause),
    };
    suite.add_test_case(TestCase::new("run to the end", ends));
    suite
}

fn case(account: &Account) -> TestCase {
    let mut status = status(account);
    if let Some(failure) = &account.failure {
        tell(&mut status, failure);
    }
    let mut case =
        TestCase::new(Shown(format_args!("{} ({})", account.name, account.id)).to_string(), status);
    case.set_classname(&*shown(account.fleet.as_str()));
    if let Some(took) = account.took {
        case.set_time(took.to_std());
    }
    case.add_property(("standing", &*shown(&account.standing.words())));
    let jobs = account.wipes.iter().filter_map(|(_, job)| job.as_ref());
    for job in jobs {
        case.add_property(("job", &*shown(job.as_str())));
    }
    case
}

fn status(account: &Account) -> TestCaseStatus {
    match account.phase {
        Phase::Ended(Ending::Verified) => TestCaseStatus::success(),
        Phase::Ended(ending @ (Ending::Failed | Ending::NeedsSupport | Ending::Unknown)) => {
            failed(NonSuccessKind::Failure, &ending.to_string(), &ending.to_string())
        }
        Phase::Ended(Ending::Drifted | Ending::Protected | Ending::Skipped) | Phase::Pending => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(account.phase.to_string());
            status
        }
        phase @ (Phase::BackingUp
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Validated
        | Phase::Reinstalling
        | Phase::Settling
        | Phase::Verifying) => failed(
            NonSuccessKind::Error,
            "not_ended",
            &format!("{phase} when the run was last seen"),
        ),
    }
}

fn failed(kind: NonSuccessKind, code: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(code);
    status.set_message(&*shown(message));
    status
}

/// What happened, and what the operator can do.
fn tell(status: &mut TestCaseStatus, failure: &Failure) {
    status.set_type(&*shown(&failure.code));
    status.set_message(&*shown(&failure.cause));
    let told = [("", &failure.detail), ("what you can do: ", &failure.help)];
    let told = told.into_iter().filter(|(_, text)| !text.is_empty());
    let told: Vec<String> = told.map(|(before, text)| format!("{before}{}", shown(text))).collect();
    status.set_description(told.join("\n"));
}
