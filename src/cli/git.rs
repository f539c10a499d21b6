//! Which commit a playbook is from, and whether it was changed since. Start with [`describe`].
//!
//! git is only asked; where there is none, or the file is in no work tree, the answer is "not in
//! git". The words it is started with are fixed, and nothing of the playbook's text is among them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a file stands in git.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The commit that the work tree is at.
    pub(super) commit: Option<String>,
    /// Whether the file differs from it; a file that git does not know differs.
    pub(super) dirty: Option<bool>,
}

/// Asks git about a file.
pub(super) fn describe(path: &Path) -> Standing {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let Some(name) = path.file_name() else { return Standing::default() };
    let word = OsStr::new;
    let commit = git(folder, &[word("rev-parse"), word("--verify"), word("HEAD")]);
    let Some(commit) = commit else { return Standing::default() };
    let status = ["status", "--porcelain", "--ignored", "--untracked-files=all", "--"].map(word);
    let changes = git(folder, &[&status[..], &[name]].concat());
    Standing {
        commit: Some(commit.trim().to_owned()),
        // An answer that did not come is not a "no".
        dirty: Some(changes.is_none_or(|changes| !changes.trim().is_empty())),
    }
}

/// What git prints, if it can.
#[expect(clippy::disallowed_methods, reason = "git is asked here")]
fn git(folder: &Path, words: &[&OsStr]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        // No lock is left behind, no program that the work tree names is started, and the name of
        // the file means that file.
        .args(["--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false"])
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "work trees for the tests")]
mod tests {
    use super::*;

    fn run(folder: &Path, line: &str) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let status = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(identity)
            .args(line.split(' '))
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "git {line}");
    }

    #[test]
    fn outside_of_git_nothing_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yaml");
        std::fs::write(&path, "version: 1\n").unwrap();
        assert_eq!(describe(&path), Standing::default());
    }

    #[test]
    fn a_playbook_is_clean_changed_or_unknown_to_git() {
        if Command::new("git").arg("--version").output().is_err() {
            return; // a machine without git: the other test is what it sees
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web*.yaml");
        std::fs::write(&path, "version: 1\n").unwrap();
        std::fs::write(folder.path().join("web-2.yaml"), "").unwrap();
        run(folder.path(), "init -q");
        run(folder.path(), "add web*.yaml");
        run(folder.path(), "commit -q -m one");
        let clean = describe(&path);
        assert_eq!(clean.commit.as_ref().map(String::len), Some(40));
        assert_eq!(clean.dirty, Some(false));
        std::fs::write(&path, "version: 2\n").unwrap();
        assert_eq!(describe(&path).dirty, Some(true));
        let new = folder.path().join("new.yaml");
        std::fs::write(&new, "").unwrap();
        assert_eq!(describe(&new).dirty, Some(true));
    }
}
