//! A program of the user's, run to its end or ended with everything that it started.
//!
//! Start with [`run`]. There is no shell, nothing to read on stdin, no variable but those that are
//! handed in, and a process group of its own, so that whoever runs out of patience ends what the
//! program started too. What it does is for its author to say: nothing here is undone.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What a program sees of our own environment: how to find programs, who it is, and in which words
/// to speak. Credentials are in other variables, and stay here (`safety.md`, S16).
pub const PASSED_ON: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TZ"];

/// Of each stream its end is kept: people look at the last lines.
const KEPT: usize = 16 * 1024;

/// A program that has ended may have left another behind that still holds its stdout.
pub(super) const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// A program to run.
#[derive(Clone, Copy, Debug)]
pub struct Program<'p> {
    /// Itself and its arguments; a name without `/` is looked for in `PATH`.
    pub words: &'p [String],
    /// Where it is started, and where a relative path of it is seen from.
    pub folder: &'p Path,
    /// Its whole environment.
    pub variables: &'p BTreeMap<String, String>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// By us: patience was over, and its process group was killed.
    Killed,
}

/// A program that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// The end of what it wrote to stdout.
    pub stdout: Tail,
    /// The end of what it wrote to stderr.
    pub stderr: Tail,
}

impl Ran {
    /// Whether it ended by itself, with 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self.end {
            End::Exited(status) => status.success(),
            End::Killed => false,
        }
    }

    /// The last line that says something: of stderr, or else of stdout.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        self.stderr.last_line().or_else(|| self.stdout.last_line())
    }
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {program}: {source}")]
pub struct StartError {
    /// The program.
    pub program: String,
    /// Why.
    pub source: io::Error,
}

/// The end of what a program wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let from = self.bytes.len().saturating_sub(KEPT);
        String::from_utf8_lossy(&self.bytes[from..]).into_owned()
    }

    /// The last line that is not blank, without signs that would steer a terminal.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let text = self.text();
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(plain(line))
    }
}

/// What somebody else wrote, without signs that would steer a terminal, and no longer than a line.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The variables of `ours` that a program may see.
#[must_use]
pub fn passed_on(ours: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = |name: &str| Some((name.to_owned(), ours.get(name)?.clone()));
    PASSED_ON.into_iter().filter_map(kept).collect()
}

/// Runs a program until it ends, or until `patience` does: then its process group is killed. So it is
/// when this future is dropped.
pub async fn run(
    program: &Program<'_>,
    patience: impl Future<Output = ()>,
) -> Result<Ran, StartError> {
    let mut child = start(program)?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
    let streams = (child.stdout.take(), child.stderr.take());
    let end = {
        let mut patience = pin!(patience);
        let mut reading = pin!(async {
            tokio::join!(drain(streams.0, &mut stdout), drain(streams.1, &mut stderr));
        });
        let mut is_read = false;
        let exited = loop {
            tokio::select! {
                exited = child.wait() => break Some(exited),
                () = &mut reading, if !is_read => is_read = true,
                () = &mut patience => break None,
            }
        };
        let end = if let Some(Ok(status)) = exited {
            End::Exited(status)
        } else {
            // Or the kernel does not say how it ended: what is left of it is not left running.
            group.kill();
            drop(child.wait().await);
            End::Killed
        };
        group.forget();
        if !is_read {
            drop(timeout(LEFT_BEHIND, reading).await);
        }
        end
    };
    Ok(Ran { end, stdout, stderr })
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts programs of the user's")]
fn start(program: &Program<'_>) -> Result<Child, StartError> {
    let (name, arguments) = program
        .words
        .split_first()
        .map_or((String::new(), [].as_slice()), |(name, arguments)| (name.clone(), arguments));
    let started = located(&name, program.folder).and_then(|path| {
        Command::new(path)
            .args(arguments)
            .current_dir(program.folder)
            .env_clear()
            .envs(program.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    });
    started.map_err(|source| StartError { program: name, source })
}

/// A path is seen from the folder; a name is left for `PATH`.
fn located(name: &str, folder: &Path) -> io::Result<PathBuf> {
    if name.contains('/') {
        std::path::absolute(folder.join(name))
    } else {
        Ok(PathBuf::from(name))
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>, into: &mut Tail) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        into.push(&buffer[..read]);
    }
}

/// A process group, killed when it is dropped. Its leader must not have been waited for, since its
/// number may be another's afterwards: then it is forgotten.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // An error says that it is gone already: just as good.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills the process group that a child of ours leads: the child, and all that it started there.
pub fn kill_group(leader: u32) {
    Group(i32::try_from(leader).ok().and_then(Pid::from_raw)).kill();
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    fn words(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn variables() -> BTreeMap<String, String> {
        BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())])
    }

    async fn ran(script: &str, patience: impl Future<Output = ()>) -> Ran {
        let (words, variables) = (words(script), variables());
        let program = Program { words: &words, folder: Path::new("/"), variables: &variables };
        run(&program, patience).await.expect("sh starts")
    }

    #[tokio::test]
    async fn how_it_ended_and_what_it_wrote_is_told() {
        let good = ran("echo out; echo one >&2; echo two >&2; echo >&2", pending()).await;
        assert!(good.is_success(), "{good:?}");
        assert_eq!(good.stdout.text(), "out\n");
        assert_eq!(good.last_line().as_deref(), Some("two"));
        let bad = ran("echo why; exit 7", pending()).await;
        assert!(!bad.is_success(), "{bad:?}");
        let End::Exited(status) = bad.end else { unreachable!("{bad:?}") };
        assert_eq!((status.code(), bad.last_line().as_deref()), (Some(7), Some("why")));
    }

    #[tokio::test]
    async fn it_sees_no_variable_that_was_not_handed_in_and_nothing_on_stdin() {
        let ran = ran("env; cat", pending()).await;
        let text = ran.stdout.text();
        let mut names: Vec<&str> =
            text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.sort_unstable();
        // `PWD`, `OLDPWD`, `SHLVL` and `_` are made by the shell.
        names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
        assert_eq!(names, ["PATH"], "{text}");
    }

    #[test]
    fn credentials_are_not_passed_on() {
        let ours = ["PATH", "TZ", "OS_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"];
        let ours = ours.map(|name| (name.to_owned(), "x".to_owned()));
        let names: Vec<String> = passed_on(&BTreeMap::from(ours)).into_keys().collect();
        assert_eq!(names, ["PATH", "TZ"]);
    }

    #[tokio::test]
    async fn words_are_handed_over_without_a_shell() {
        let words = ["printf", "%s|", "$HOME; id", "a b"].map(str::to_owned);
        let variables = variables();
        let program = Program { words: &words, folder: Path::new("/"), variables: &variables };
        let ran = run(&program, pending()).await.unwrap();
        assert_eq!(ran.stdout.text(), "$HOME; id|a b|");
    }

    #[tokio::test]
    async fn a_path_is_seen_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/bin/pwd", folder.path().join("where")).unwrap();
        let (words, variables) = (["./where".to_owned()], variables());
        let program = Program { words: &words, folder: folder.path(), variables: &variables };
        let ran = run(&program, pending()).await.unwrap();
        assert_eq!(Path::new(ran.stdout.text().trim()), folder.path().canonicalize().unwrap());
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_named() {
        let (words, variables) = (["no-such-program-here".to_owned()], variables());
        let program = Program { words: &words, folder: Path::new("/"), variables: &variables };
        let error = run(&program, pending()).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot start no-such-program-here: No such file"), "{error}");
    }

    #[tokio::test]
    async fn of_much_that_is_written_the_end_is_kept() {
        let ran = ran("head -c 300000 /dev/zero | tr '\\0' x; echo end", pending()).await;
        assert_eq!(ran.stdout.text().len(), KEPT);
        assert!(ran.stdout.text().ends_with("xend\n"));
        assert!(ran.stdout.bytes.len() <= 2 * KEPT);
    }

    #[test]
    fn a_line_that_is_shown_steers_no_terminal() {
        let mut tail = Tail::default();
        tail.push(b"first\n\x1b[31mred\x07\n\n");
        assert_eq!(tail.last_line().as_deref(), Some("[31mred"));
    }

    /// A folder with two FIFOs: the script holds `held` open, says so in it, and waits for ever.
    fn waiting(folder: &Path) -> Vec<String> {
        for name in ["held", "never"] {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(
                rustix::fs::CWD,
                folder.join(name),
                rustix::fs::FileType::Fifo,
                mode,
                0,
            )
            .expect("a FIFO");
        }
        words("(exec 3>held; echo started >&3; read x <never) & wait")
    }

    #[tokio::test]
    async fn patience_over_everything_that_was_started_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (words, variables) = (waiting(folder.path()), variables());
        let program = Program { words: &words, folder: folder.path(), variables: &variables };
        let held = folder.path().join("held");
        let (kept, started) = tokio::sync::oneshot::channel();
        // Patience ends when the inner process, which is not the one that was started, says it runs.
        let patience = async {
            let mut held = BufReader::new(tokio::fs::File::open(held).await.unwrap());
            let mut line = String::new();
            held.read_line(&mut line).await.unwrap();
            drop(kept.send((held, line)));
        };
        let ran = run(&program, patience).await.unwrap();
        assert_eq!(ran.end, End::Killed);
        let (mut held, line) = started.await.unwrap();
        assert_eq!(line, "started\n");
        // Ends only when nobody holds it any more: the inner process is gone too.
        assert_eq!(held.read_line(&mut String::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn who_is_no_longer_waited_for_is_killed_too() {
        let folder = tempfile::tempdir().unwrap();
        let (words, variables) = (waiting(folder.path()), variables());
        let held = folder.path().join("held");
        let root = folder.path().to_owned();
        let task = tokio::spawn(async move {
            let program = Program { words: &words, folder: &root, variables: &variables };
            run(&program, pending()).await
        });
        let mut held = BufReader::new(tokio::fs::File::open(held).await.unwrap());
        held.read_line(&mut String::new()).await.unwrap();
        task.abort();
        assert_eq!(held.read_line(&mut String::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_stdout_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut words, variables) = (waiting(folder.path()), variables());
        words[2] =
            "(exec 3>held; echo started >&3; read x <never) & read x <held; echo done".into();
        let program = Program { words: &words, folder: folder.path(), variables: &variables };
        let ran = run(&program, pending()).await.unwrap();
        assert!(ran.is_success(), "{ran:?}");
        assert_eq!(ran.stdout.text(), "done\n");
        // The daemon waits for this.
        drop(tokio::fs::OpenOptions::new().write(true).open(folder.path().join("never")).await);
    }
}
