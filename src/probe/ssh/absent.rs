//! What stands for the SSH client of refleet's own in a build without it. Playbooks that ask for it are
//! refused, and so are plans before a run: nothing of this is asked in a run.

use crate::domain::{HostKey, Millis, ProbeReport, SshLogin};

use super::client::Ssh;

const ABSENT: &str =
    "this refleet was built without an SSH client of its own: write `program: ssh`";

#[expect(clippy::unused_async, reason = "stands for one that waits")]
pub(super) async fn host_key(_: &str, _: u16) -> Result<String, String> {
    Err(ABSENT.to_owned())
}

#[expect(clippy::unused_async, reason = "stands for one that waits")]
pub(super) async fn look(
    _: &Ssh<'_>,
    _: &SshLogin,
    _: &str,
    _: &HostKey,
    _: Millis,
) -> Result<ProbeReport, String> {
    Err(ABSENT.to_owned())
}
