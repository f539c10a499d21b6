//! What the end of a command on a server means, whichever program ran it there.

use crate::domain::{Millis, ProbeReport};

/// What `cloud-init status` ends with when it is done, and something that it can go on without
/// failed.
const DEGRADED: i64 = 2;

/// How a command on a server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With that status.
    Status(i64),
    /// In another way, such as by a signal.
    Otherwise(String),
    /// It was not run, or nobody knows how it ended: the connection failed.
    NotReached,
    /// Not at all, in the time that it had.
    Late,
}

/// What a command that ended like that came to; `said` is the last line that was heard.
pub(super) fn judge(
    ended: &Ended,
    said: Option<String>,
    run: &str,
    fingerprint: &str,
    patience: Millis,
) -> ProbeReport {
    let said = said.map_or_else(String::new, |line| format!(": {line}"));
    let evidence = Some(format!("host key {fingerprint}"));
    match ended {
        Ended::Status(0) => ProbeReport::Passed { evidence, warning: None },
        Ended::Status(DEGRADED) if asks_cloud_init(run) => ProbeReport::Passed {
            evidence,
            warning: Some(format!("cloud-init is done and degraded{said}")),
        },
        Ended::Status(status) => ProbeReport::failed(format!("exit status: {status}{said}")),
        Ended::Otherwise(how) => ProbeReport::failed(format!("{how}{said}")),
        Ended::NotReached => ProbeReport::failed(format!("ssh failed{said}")),
        Ended::Late => ProbeReport::failed(format!("not done within {patience}{said}")),
    }
}

/// Whether it is cloud-init that is asked, and by nothing else in the same breath.
fn asks_cloud_init(run: &str) -> bool {
    let run = run.trim().trim_start_matches("sudo ");
    run.starts_with("cloud-init status") && !run.contains(['|', '&', ';', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_told() {
        let check = |ended, run: &str, wanted: ProbeReport| {
            let said = Some("why".to_owned());
            assert_eq!(judge(&ended, said, run, "SHA256:x", Millis::mins(1)), wanted, "{run}");
        };
        let passed = |warning: Option<&str>| ProbeReport::Passed {
            evidence: Some("host key SHA256:x".to_owned()),
            warning: warning.map(str::to_owned),
        };
        let degraded = Some("cloud-init is done and degraded: why");
        check(Ended::Status(0), "true", passed(None));
        check(Ended::Status(2), "cloud-init status --wait", passed(degraded));
        check(Ended::Status(2), "sudo cloud-init status", passed(degraded));
        let failed = ProbeReport::failed("exit status: 2: why");
        check(Ended::Status(2), "cloud-init status --wait; exit 2", failed.clone());
        check(Ended::Status(2), "./cloud-init", failed);
        check(
            Ended::Otherwise("signal: KILL".to_owned()),
            "x",
            ProbeReport::failed("signal: KILL: why"),
        );
        check(Ended::NotReached, "x", ProbeReport::failed("ssh failed: why"));
        check(Ended::Late, "x", ProbeReport::failed("not done within 1m: why"));
    }
}
