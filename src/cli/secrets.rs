//! Secrets, fetched from where a playbook says they are. Start with [`Secrets`].
//!
//! A value that is fetched here is handed to the one request that needs it and kept nowhere. No
//! error says more about it than where it was looked for (`safety.md`, S16).

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::cloud::{Sent, huawei};
use crate::domain::{PinnedFile, SecretRef, SecretSource};

use super::files;

/// Where secrets are fetched from.
#[derive(Clone)]
pub(super) struct Secrets {
    variables: BTreeMap<String, String>,
    /// Where commands are started.
    folder: PathBuf,
}

/// Without the variables: credentials are among them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("folder", &self.folder).finish_non_exhaustive()
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
        // A command may ask a password store, and take seconds: other tasks go on meanwhile.
        tokio::task::block_in_place(|| self.fetch(place)).map_err(|error| error.to_string())
    }

    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String> {
        Self::pinned(file).map_err(|error| error.to_string())
    }
}

impl Secrets {
    /// Fetches from these variables; commands are started in `folder`. Files are seen from where
    /// refleet was started, as plans name them.
    pub(super) fn new(variables: BTreeMap<String, String>, folder: PathBuf) -> Self {
        Self { variables, folder }
    }

    /// Fetches one secret: the variable, or the first line.
    pub(super) fn fetch(&self, secret: &SecretRef) -> Result<SecretString, SecretError> {
        let text = match &secret.0 {
            SecretSource::Env(name) => {
                self.variables.get(name).cloned().ok_or_else(|| SecretError::Unset(name.clone()))?
            }
            SecretSource::File(path) => Self::read(path)?,
            SecretSource::Command(words) => self.run(words)?,
        };
        match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
            Some(line) => Ok(SecretString::from(line)),
            None => Err(SecretError::Empty(secret.clone())),
        }
    }

    /// The content of a file, if it is still what the plan was made with.
    pub(super) fn pinned(file: &PinnedFile) -> Result<Vec<u8>, PinError> {
        let path = PathBuf::from(&file.path);
        let read = files::read_bytes(&path);
        let bytes = read.map_err(|source| PinError::File { path: path.clone(), source })?;
        if hex::encode(Sha256::digest(&bytes)) == file.sha256 {
            Ok(bytes)
        } else {
            Err(PinError::Changed { path })
        }
    }

    #[expect(clippy::disallowed_methods, reason = "secrets come in here")]
    fn read(path: &str) -> Result<String, SecretError> {
        std::fs::read_to_string(path)
            .map_err(|source| SecretError::File { path: path.to_owned(), source })
    }

    /// Runs the words as they are, without a shell. What the command says on stderr is shown once it
    /// has ended: nobody knows before what of it is the secret.
    #[expect(clippy::disallowed_methods, reason = "secrets come in here")]
    fn run(&self, words: &[String]) -> Result<String, SecretError> {
        let (program, arguments) =
            words.split_first().map_or((String::new(), [].as_slice()), |(p, a)| (p.clone(), a));
        let output = Command::new(&program)
            .args(arguments)
            // A playbook that is named without a folder is in this one, and `` is none at all.
            .current_dir(Path::new(".").join(&self.folder))
            .stdin(Stdio::null())
            .output()
            .map_err(|source| SecretError::Start { program: program.clone(), source })?;
        let told = said(&output.stdout, &output.stderr);
        // Where nobody hears us, there is nothing to do about it.
        drop(std::io::stderr().lock().write_all(told.as_bytes()));
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(SecretError::Failed { program, status: output.status })
        }
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

    #[expect(clippy::disallowed_methods, reason = "a file for the test")]
    fn fetch(source: SecretSource) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret  \nsecond line\n").unwrap();
        let variables = BTreeMap::from([("PASS".to_owned(), "from-env".to_owned())]);
        let secrets = Secrets::new(variables, folder.path().to_owned());
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
        let shown = format!("{:?}", Secrets::new(variables, PathBuf::from("here")));
        assert!(shown.contains("here") && !shown.contains("Sesame"), "{shown}");
    }

    #[test]
    fn a_command_of_a_playbook_in_this_folder_is_started_here() {
        let secrets = Secrets::new(BTreeMap::new(), PathBuf::new());
        let command = SecretSource::Command(vec!["ls".to_owned(), "Cargo.toml".to_owned()]);
        let fetched = secrets.fetch(&SecretRef(command)).expect("it starts");
        assert_eq!(fetched.expose_secret(), "Cargo.toml");
    }

    #[test]
    fn a_shell_is_never_asked() {
        let words = vec!["echo".to_owned(), "$HOME; id".to_owned()];
        assert_eq!(fetch(SecretSource::Command(words)), Ok("$HOME; id".to_owned()));
    }
}
