//! Looks over SSH, by the `ssh` of this machine: with its agent, its settings and its jump hosts.
//!
//! Start with [`look`]. What is trusted is decided here and not by the files of the user: the host key
//! is seen first, without logging in; what it may be is the caller's to say; and then nobody but its
//! owner is talked to. `known_hosts` is neither read nor written. Nobody is asked for a password.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::domain::{HostKey, Millis, ProbeReport, SshLogin};

use crate::probe::process::{self, End, Program, Ran};

use super::client::{Ssh, TO_CONNECT};
use super::ended::{Ended, judge};

/// What ssh itself ends with when it could not do what it was asked for.
const NOT_REACHED: i32 = 255;

/// The host keys of one look: a file that nobody else can write.
struct Known {
    _folder: TempDir,
    file: PathBuf,
}

/// The fingerprint of the host key there. Nobody is logged in.
pub(super) async fn host_key(ssh: &Ssh<'_>, addr: &str, port: u16) -> Result<String, String> {
    meet(ssh, &Known::nobody()?, addr, port).await
}

/// Whether a command ends with 0 on a server with a host key that it may have; `Err`: it was not run.
pub(super) async fn look(
    ssh: &Ssh<'_>,
    login: &SshLogin,
    command: &str,
    host_key: &HostKey,
    patience: Millis,
) -> Result<ProbeReport, String> {
    let known = Known::nobody()?;
    let fingerprint = meet(ssh, &known, &login.addr, login.port).await?;
    if let Some(refused) = host_key.refuses(&fingerprint) {
        return Err(refused);
    }
    let mut words = known.words("yes", login.port);
    if let Some(key) = &login.key_file {
        words.extend(["-i", key, "-o", "IdentitiesOnly=yes"].map(str::to_owned));
    }
    words.extend(["-l", &login.user, "--", &login.addr, command].map(str::to_owned));
    let ran = run(ssh, &words, patience).await?;
    Ok(judge(&ended(&ran), ran.last_line(), command, &fingerprint, patience))
}

/// Connects and hangs up, to learn a host key.
async fn meet(ssh: &Ssh<'_>, known: &Known, addr: &str, port: u16) -> Result<String, String> {
    let mut words = known.words("accept-new", port);
    words.extend(["-o", "PreferredAuthentications=none", "--", addr, "true"].map(str::to_owned));
    let ran = run(ssh, &words, TO_CONNECT).await?;
    known.fingerprint().ok_or_else(|| {
        let said = ran.last_line().unwrap_or_else(|| "nothing was said".to_owned());
        format!("no host key was seen: {said}")
    })
}

async fn run(ssh: &Ssh<'_>, words: &[String], patience: Millis) -> Result<Ran, String> {
    let mut variables = ssh.variables.clone();
    variables.extend(ssh.agent.map(|at| ("SSH_AUTH_SOCK".to_owned(), at.to_owned())));
    let program = Program { words, folder: ssh.folder, variables: &variables };
    let over = async { drop(timeout(patience.to_std(), pending::<()>()).await) };
    process::run(&program, over).await.map_err(|error| error.to_string())
}

fn ended(ran: &Ran) -> Ended {
    let status = match ran.end {
        End::Killed => return Ended::Late,
        End::Exited(status) => status,
    };
    match status.code() {
        Some(NOT_REACHED) => Ended::NotReached,
        Some(code) => Ended::Status(i64::from(code)),
        None => Ended::Otherwise(status.to_string()),
    }
}

impl Known {
    fn nobody() -> Result<Self, String> {
        let told = |error: io::Error| format!("no place for a host key: {error}");
        let folder = tempfile::Builder::new().prefix("refleet-").tempdir().map_err(told)?;
        let file = folder.path().join("known_hosts");
        Ok(Self { _folder: folder, file })
    }

    /// The words of every call of ssh.
    fn words(&self, checking: &str, port: u16) -> Vec<String> {
        let options = [
            "BatchMode=yes".to_owned(),
            format!("StrictHostKeyChecking={checking}"),
            format!("UserKnownHostsFile={}", self.file.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "HashKnownHosts=no".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "CheckHostIP=no".to_owned(),
            "VerifyHostKeyDNS=no".to_owned(),
            "PasswordAuthentication=no".to_owned(),
            "KbdInteractiveAuthentication=no".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ForwardX11=no".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "PermitLocalCommand=no".to_owned(),
            "ControlMaster=no".to_owned(),
            "ControlPath=none".to_owned(),
            format!("ConnectTimeout={}", TO_CONNECT.0 / 1_000),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut words = ["ssh".to_owned(), "-T".to_owned()].to_vec();
        words.extend(["-p".to_owned(), port.to_string()]);
        for option in options {
            words.extend(["-o".to_owned(), option]);
        }
        words
    }

    /// The fingerprint of the key that was met, as ssh shows it.
    fn fingerprint(&self) -> Option<String> {
        fingerprint(&read(&self.file)?)
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of our own, which ssh has just written")]
fn read(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

/// The fingerprint in a line `HOST KIND KEY` of `known_hosts`.
fn fingerprint(line: &str) -> Option<String> {
    let key = STANDARD.decode(line.split_whitespace().nth(2)?).ok()?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::SshProgram;

    /// A key, and its fingerprint as `ssh-keygen -l` shows it.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ4VEYH3SBpKyQv8u9P9yZ3jQyQvJSHX1nEJ1w2nC2cB";

    fn shown() -> String {
        fingerprint(&format!("host ssh-ed25519 {KEY}")).expect("a fingerprint")
    }

    /// An `ssh` that keeps the key that it meets where it is told to, says what it was asked, and ends
    /// as the command that it should run does.
    const SSH: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> asked
for word; do
    case "$word" in
        UserKnownHostsFile=*) file=${word#*=} ;;
        StrictHostKeyChecking=accept-new) new=1 ;;
    esac
    last=$word
done
if [ -n "$new" ]; then
    [ -e away ] && { echo "connect to host: refused" >&2; exit 255; }
    echo "host ssh-ed25519 KEY" > "$file"
    exit 255
fi
[ -s "$file" ] || { echo "Host key verification failed." >&2; exit 255; }
eval "$last"
"#;

    struct Bench {
        folder: TempDir,
        variables: BTreeMap<String, String>,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "files for the test")]
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("ssh");
            std::fs::write(&path, SSH.replace("KEY", KEY)).expect("a script");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a program");
            let places = format!("{}:/usr/bin:/bin", folder.path().display());
            Self { folder, variables: BTreeMap::from([("PATH".to_owned(), places)]) }
        }

        fn ssh(&self) -> Ssh<'_> {
            let (folder, variables) = (self.folder.path(), &self.variables);
            Ssh { folder, variables, agent: Some("/run/agent") }
        }

        async fn look(&self, run: &str, host_key: HostKey) -> ProbeReport {
            let login = SshLogin {
                addr: "10.0.0.7".to_owned(),
                port: 2222,
                user: "-oProxyCommand=id".to_owned(),
                key_file: Some("keys/ops".to_owned()),
                program: SshProgram::Ssh,
            };
            self.ssh().look(&login, run, &host_key, Millis::mins(1)).await
        }

        #[expect(clippy::disallowed_methods, reason = "a file of the test")]
        fn asked(&self) -> Vec<String> {
            let asked = std::fs::read_to_string(self.folder.path().join("asked"));
            asked.unwrap_or_default().lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_fingerprint_is_shown_as_ssh_shows_it() {
        // ssh-keygen -lf says the same of this line.
        let line =
            "h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        assert_eq!(
            fingerprint(line).as_deref(),
            Some("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU")
        );
        assert_eq!(fingerprint("h ssh-ed25519"), None);
        assert_eq!(fingerprint("h ssh-ed25519 ???"), None);
    }

    #[tokio::test]
    async fn a_command_that_ends_with_0_passes_and_the_host_key_is_the_evidence() {
        let bench = Bench::new();
        let report = bench.look("true", HostKey::Any).await;
        assert_eq!(report, ProbeReport::seen(format!("host key {}", shown())));
        let asked = bench.asked();
        assert_eq!(asked.len(), 2, "once for the key, once for the command: {asked:?}");
        assert!(asked[0].contains("PreferredAuthentications=none -- 10.0.0.7 true"), "{asked:?}");
        assert!(!asked[0].contains("keys/ops"), "nobody logs in to see a key: {asked:?}");
        for words in [
            "-p 2222",
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "PasswordAuthentication=no",
            "-i keys/ops -o IdentitiesOnly=yes -l -oProxyCommand=id -- 10.0.0.7 true",
        ] {
            assert!(asked[1].contains(words), "{words} is not in {}", asked[1]);
        }
    }

    #[tokio::test]
    async fn a_host_key_that_is_refused_is_not_logged_in_to() {
        let check = async |host_key: HostKey, words: &str| {
            let bench = Bench::new();
            let ProbeReport::Failed { detail } = bench.look("true", host_key).await else {
                unreachable!("it has to be refused")
            };
            assert!(detail.contains(words), "{detail}");
            assert_eq!(bench.asked().len(), 1);
        };
        check(HostKey::Not(shown()), "as before the reinstall").await;
        check(HostKey::Is("SHA256:other".to_owned()), "somebody else answers").await;
        let bench = Bench::new();
        for good in [HostKey::Is(shown()), HostKey::Not("SHA256:other".to_owned())] {
            let report = bench.look("true", good).await;
            assert!(matches!(report, ProbeReport::Passed { .. }), "{report:?}");
        }
    }

    #[tokio::test]
    async fn how_a_command_ended_is_told() {
        let bench = Bench::new();
        let check = async |run: &str, detail: &str| {
            assert_eq!(bench.look(run, HostKey::Any).await, ProbeReport::failed(detail));
        };
        check("echo why >&2; exit 3", "exit status: 3: why").await;
        check("echo 'Permission denied' >&2; exit 255", "ssh failed: Permission denied").await;
        check("exit 2", "exit status: 2").await;
    }

    #[tokio::test]
    async fn cloud_init_that_is_degraded_passes_with_a_warning() {
        let bench = Bench::new();
        let path = bench.folder.path().join("cloud-init");
        std::os::unix::fs::symlink("/bin/false", &path).expect("a link");
        let failed = bench.look("cloud-init status --wait", HostKey::Any).await;
        assert_eq!(failed, ProbeReport::failed("exit status: 1"));
        std::fs::remove_file(&path).expect("gone");
        degraded(&path);
        let passed = bench.look("cloud-init status --wait", HostKey::Any).await;
        let warning = Some("cloud-init is done and degraded: status: done".to_owned());
        let evidence = Some(format!("host key {}", shown()));
        assert_eq!(passed, ProbeReport::Passed { evidence, warning });
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test")]
    fn degraded(path: &Path) {
        std::fs::write(path, "#!/bin/sh\necho 'status: done'\nexit 2\n").expect("a script");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a program");
    }

    #[tokio::test]
    async fn a_server_that_is_away_has_no_host_key() {
        let bench = Bench::new();
        drop(std::fs::File::create(bench.folder.path().join("away")).expect("a mark"));
        let seen = bench.ssh().host_key(SshProgram::Ssh, "10.0.0.7", 22).await;
        assert_eq!(seen, Err("no host key was seen: connect to host: refused".to_owned()));
    }
}
