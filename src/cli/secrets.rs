//! Secrets, fetched from where a playbook says they are. Start with [`Secrets`].
//!
//! A run fetches what it needs before it begins ([`Secrets::fetch_all`]), and keeps it until it ends:
//! a server that is off must not wait for a file that is gone or a store that is sealed. No error says
//! more about a value than where it was looked for (`safety.md`, S16).

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::cloud::{Sent, huawei};
use crate::domain::{PinnedFile, SecretRef, SecretSource, printable};
use crate::probe::process::kill_group;

use super::failure::Failure;
use super::files;
use super::needs::Needs;

/// A command that has not ended after so long is killed, with all that it started.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program said is there soon after it has ended.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// Where the paths of a plan and its commands are seen from.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The folder that paths of a plan are seen from: where refleet was started, or where the run was
    /// begun that it resumes.
    pub(super) base: PathBuf,
    /// The playbook's folder, seen from there: commands are started in it.
    pub(super) folder: PathBuf,
}

impl Places {
    /// The folder that commands are started in. Never an empty path, which is no folder.
    pub(super) fn commands(&self) -> PathBuf {
        Path::new(".").join(&self.base).join(&self.folder)
    }
}

/// Where secrets are fetched from, and those that were.
pub(super) struct Secrets {
    variables: BTreeMap<String, String>,
    places: Places,
    patience: Duration,
    kept: Mutex<Kept>,
}

/// What was fetched for the run.
#[derive(Default)]
struct Kept {
    secrets: BTreeMap<SecretRef, SecretString>,
    files: BTreeMap<PinnedFile, Vec<u8>>,
}

/// Without the variables and what was fetched: credentials are among them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("places", &self.places).finish_non_exhaustive()
    }
}

/// A secret that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read secret file {path}: {source}")]
    File { path: String, source: std::io::Error },
    /// The command cannot be started.
    #[error("cannot start secret command {program}: {source}")]
    Start { program: String, source: std::io::Error },
    /// The command did not end.
    #[error("secret command {program} did not end within {} s, and was killed", within.as_secs())]
    TooSlow { program: String, within: Duration },
    /// The command failed.
    #[error("secret command {program} ended with {status}")]
    Failed { program: String, status: std::process::ExitStatus },
    /// There was nothing in the first line.
    #[error("the first line of {0} is empty")]
    Empty(SecretRef),
}

/// A file of a plan that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PinError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// It is another than the plan was made with.
    #[error("{} has changed since the plan was made", path.display())]
    Changed { path: PathBuf },
}

impl huawei::Secrets for Secrets {
    fn secret(&self, place: &SecretRef) -> Result<SecretString, String> {
        if let Some(kept) = self.kept().secrets.get(place) {
            return Ok(kept.clone());
        }
        // A command may ask a password store, and take seconds: other tasks go on meanwhile.
        tokio::task::block_in_place(|| self.fetch(place)).map_err(|error| error.to_string())
    }

    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String> {
        if let Some(kept) = self.kept().files.get(file) {
            return Ok(kept.clone());
        }
        pinned(&self.places.base, file).map_err(|error| error.to_string())
    }
}

/// The content of a file, seen from that folder, if it is still what the plan was made with.
pub(super) fn pinned(base: &Path, file: &PinnedFile) -> Result<Vec<u8>, PinError> {
    let path = PathBuf::from(&file.path);
    let read = files::read_bytes(&base.join(&path));
    let bytes = read.map_err(|source| PinError::File { path: path.clone(), source })?;
    if hex::encode(Sha256::digest(&bytes)) == file.sha256 {
        Ok(bytes)
    } else {
        Err(PinError::Changed { path })
    }
}

impl Secrets {
    /// Fetches from these variables and places.
    pub(super) fn new(variables: BTreeMap<String, String>, places: Places) -> Self {
        Self { variables, places, patience: PATIENCE, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known to be missing of what a run needs, a sentence each. Nothing is started for that:
    /// whether a command gives its secret shows when the run begins.
    pub(super) fn missing(&self, needs: &Needs<'_>) -> Vec<String> {
        let mut missing = Vec::new();
        for (place, what) in &needs.secrets {
            let is_command = matches!(place.0, SecretSource::Command(_));
            if let Some(Err(error)) = (!is_command).then(|| self.fetch(place)) {
                missing.push(format!("{error} ({what})"));
            }
        }
        for file in &needs.files {
            missing.extend(pinned(&self.places.base, file).err().map(|error| error.to_string()));
        }
        missing.extend(needs.missing_programs(&self.places, &self.variables));
        missing
    }

    /// Fetches everything that a run needs, commands included, and keeps it for the run; refuses if
    /// anything is missing.
    pub(super) fn fetch_all(&self, needs: &Needs<'_>) -> Result<(), Failure> {
        let mut missing = self.missing(needs);
        // Without the rest there is no run, and nobody has to unlock a store for it.
        if missing.is_empty() {
            for (place, what) in &needs.secrets {
                match tokio::task::block_in_place(|| self.fetch(place)) {
                    Ok(secret) => drop(self.kept().secrets.insert((*place).clone(), secret)),
                    Err(error) => missing.push(format!("{error} ({what})")),
                }
            }
            for file in &needs.files {
                match pinned(&self.places.base, file) {
                    Ok(bytes) => drop(self.kept().files.insert((*file).clone(), bytes)),
                    Err(error) => missing.push(error.to_string()),
                }
            }
        }
        needs.refuse(&missing)
    }

    /// Fetches one secret: the variable, or the first line.
    pub(super) fn fetch(&self, secret: &SecretRef) -> Result<SecretString, SecretError> {
        let text = match &secret.0 {
            SecretSource::Env(name) => {
                let value = self.variables.get(name).filter(|value| !value.is_empty());
                value.cloned().ok_or_else(|| SecretError::Unset(name.clone()))?
            }
            SecretSource::File(path) => self.read(path)?,
            SecretSource::Command(words) => self.run(words)?,
        };
        match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
            Some(line) => Ok(SecretString::from(line)),
            None => Err(SecretError::Empty(secret.clone())),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "secrets come in here")]
    fn read(&self, path: &str) -> Result<String, SecretError> {
        std::fs::read_to_string(self.places.base.join(path))
            .map_err(|source| SecretError::File { path: path.to_owned(), source })
    }

    /// Runs the words as they are, without a shell. What the command says on stderr is shown once it
    /// has ended: nobody knows before what of it is the secret.
    #[expect(clippy::disallowed_methods, reason = "secrets come in here")]
    fn run(&self, words: &[String]) -> Result<String, SecretError> {
        let (program, arguments) =
            words.split_first().map_or((String::new(), [].as_slice()), |(p, a)| (p.clone(), a));
        let failed = |source| SecretError::Start { program: program.clone(), source };
        let mut child = Command::new(&program)
            .args(arguments)
            .current_dir(self.places.commands())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that all that it started can be ended with it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let group = child.id();
        let (stdout, stderr) = (Reading::of(child.stdout.take()), Reading::of(child.stderr.take()));
        let (ended, status) = mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait()));
        let Ok(status) = status.recv_timeout(self.patience) else {
            // It may have ended just now: then nobody is left to be killed.
            kill_group(group);
            return Err(SecretError::TooSlow { program, within: self.patience });
        };
        let status = status.map_err(failed)?;
        let (stdout, stderr) = (stdout.finish(), stderr.finish());
        let told = said(&stdout, &stderr);
        // Where nobody hears us, there is nothing to do about it.
        drop(std::io::stderr().lock().write_all(printable(&told).as_bytes()));
        if status.success() {
            Ok(String::from_utf8_lossy(&stdout).into_owned())
        } else {
            Err(SecretError::Failed { program, status })
        }
    }
}

/// What a program writes, read while it runs.
struct Reading {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Reading {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let (ended, end) = mpsc::channel();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let (Some(mut stream), mut piece) = (stream, [0; 4096]) else { return };
            while let Ok(n @ 1..) = stream.read(&mut piece) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..n]);
            }
            drop(ended);
        });
        Self { bytes, end }
    }

    /// All of it, once the program has ended. One that it left behind may hold the stream open, and is not
    /// waited for.
    fn finish(self) -> Vec<u8> {
        let _ = self.end.recv_timeout(LEFT_BEHIND);
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a secret command said on stderr, without what it said on stdout.
fn said(stdout: &[u8], stderr: &[u8]) -> String {
    let sent = Sent::default();
    String::from_utf8_lossy(stdout).lines().for_each(|line| sent.learn(line.trim()));
    sent.without(&String::from_utf8_lossy(stderr))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// Commands are started in that folder, and paths are seen from here.
    fn places(folder: &Path) -> Places {
        Places { base: PathBuf::new(), folder: folder.to_owned() }
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test")]
    fn fetch(source: SecretSource) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret  \nsecond line\n").unwrap();
        let variables = BTreeMap::from([("PASS".to_owned(), "from-env".to_owned())]);
        let secrets = Secrets::new(variables, places(folder.path()));
        let fetched = secrets.fetch(&SecretRef(source));
        fetched.map(|s| s.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_the_variable_or_the_first_line() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let check = |source: SecretSource, expected: Result<&str, &str>| {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(fetch(source.clone()), expected, "{source:?}");
        };
        check(SecretSource::Env("PASS".into()), Ok("from-env"));
        check(SecretSource::Env("NONE".into()), Err("environment variable NONE is not set"));
        check(
            SecretSource::File("none".into()),
            Err("cannot read secret file none: No such file or directory (os error 2)"),
        );
        check(SecretSource::Command(words("cat secret")), Ok("s3cret"));
        check(
            SecretSource::Command(words("false")),
            Err("secret command false ended with exit status: 1"),
        );
        check(
            SecretSource::Command(words("no-such-program-here x")),
            Err(
                "cannot start secret command no-such-program-here: No such file or directory (os error 2)",
            ),
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "files for the test")]
    fn a_secret_file_is_read_to_the_end_of_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("secret"), "s3cret  \nsecond line\n").unwrap();
        std::fs::write(path("blank"), "\ns3cret\n").unwrap();
        assert_eq!(fetch(SecretSource::File(path("secret"))), Ok("s3cret".to_owned()));
        let blank = format!("the first line of file {} is empty", path("blank"));
        assert_eq!(fetch(SecretSource::File(path("blank"))), Err(blank));
    }

    #[test]
    fn s16_what_a_secret_command_says_is_shown_without_its_secret() {
        let told =
            said(b"Sesame-1!\nuser: ops\n", b"opening the store\ngot Sesame-1!, user: ops\n");
        assert_eq!(told, "opening the store\ngot [redacted], [redacted]\n");
        assert_eq!(said(b"", b"no such entry\n"), "no such entry\n");
        let variables = BTreeMap::from([("OS_PASSWORD".to_owned(), "Sesame-1!".to_owned())]);
        let shown = format!("{:?}", Secrets::new(variables, places(Path::new("here"))));
        assert!(shown.contains("here") && !shown.contains("Sesame"), "{shown}");
    }

    #[test]
    fn a_command_of_a_playbook_in_this_folder_is_started_here() {
        let secrets = Secrets::new(BTreeMap::new(), places(Path::new("")));
        let command = SecretSource::Command(vec!["ls".to_owned(), "Cargo.toml".to_owned()]);
        let fetched = secrets.fetch(&SecretRef(command)).expect("it starts");
        assert_eq!(fetched.expose_secret(), "Cargo.toml");
    }

    #[test]
    fn b6_a_command_that_does_not_end_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut secrets = Secrets::new(BTreeMap::new(), places(folder.path()));
        secrets.patience = Duration::from_millis(200);
        let script = "sleep 1000 & echo $! >child; echo s3cret; wait";
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let error = secrets.fetch(&SecretRef(SecretSource::Command(words))).unwrap_err();
        assert_eq!(error.to_string(), "secret command sh did not end within 0 s, and was killed");
        let child = files::read_text(&folder.path().join("child")).unwrap();
        // It is a zombie until somebody reaps it, or gone.
        let stat = format!("/proc/{}/stat", child.trim());
        let state = || files::read_text(Path::new(&stat));
        while state().is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn b6_a_program_that_a_command_left_behind_is_not_waited_for() {
        let words = ["sh", "-c", "echo s3cret; sleep 20 &"].map(str::to_owned).to_vec();
        assert_eq!(fetch(SecretSource::Command(words)), Ok("s3cret".to_owned()));
    }

    #[test]
    fn a_shell_is_never_asked() {
        let words = vec!["echo".to_owned(), "$HOME; id".to_owned()];
        assert_eq!(fetch(SecretSource::Command(words)), Ok("$HOME; id".to_owned()));
    }
}
