//! Which commit a file is from, whether it was changed since, and what it was. Start with
//! [`describe`].
//!
//! git is only asked; where there is none, or the file is in no work tree, the answer is "not in
//! git". The words it is started with are fixed but for a file's name and a commit's hash, and
//! nothing of a playbook's text is among them. It starts no hook, asks no network, and looks at the
//! work tree around the file, whatever the environment says.

use std::ffi::{OsStr, OsString};
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
    let Some((folder, name)) = parts(path) else { return Standing::default() };
    let word = OsStr::new;
    let commit = text(folder, &[word("rev-parse"), word("--verify"), word("HEAD")]);
    let Some(commit) = commit else { return Standing::default() };
    let status = [
        "status",
        "--porcelain",
        "--ignored",
        "--untracked-files=all",
        "--ignore-submodules=all",
        "--",
    ];
    let changes = text(folder, &[&status.map(word)[..], &[name]].concat());
    Standing {
        commit: Some(commit.trim().to_owned()),
        // An answer that did not come is not a "no".
        dirty: Some(changes.is_none_or(|changes| !changes.trim().is_empty())),
    }
}

/// What a file was in a commit, if git still has that.
pub(super) fn file_at(path: &Path, commit: &str) -> Option<Vec<u8>> {
    // It may come from a file that somebody wrote: only a hash is handed on.
    let hash = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (folder, name) = parts(path).filter(|_| hash)?;
    let mut object = OsString::from(format!("{commit}:./"));
    object.push(name);
    git(folder, &[OsStr::new("cat-file"), OsStr::new("blob"), &object])
}

fn parts(path: &Path) -> Option<(&Path, &OsStr)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Some((folder.unwrap_or_else(|| Path::new(".")), path.file_name()?))
}

fn text(folder: &Path, words: &[&OsStr]) -> Option<String> {
    git(folder, words).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Settings of git that would start something or ask somebody.
const HARMLESS: &[&str] =
    &["core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never"];

/// Variables that would point git at another work tree: a hook of git sets them.
const ELSEWHERE: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// What git prints, if it can.
#[expect(clippy::disallowed_methods, reason = "git is asked here")]
fn git(folder: &Path, words: &[&OsStr]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    for setting in HARMLESS {
        command.args(["-c", setting]);
    }
    for variable in ELSEWHERE {
        command.env_remove(variable);
    }
    let output = command
        // A part of the history that is not here stays away, and nobody is asked for a password.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        // No lock is left behind, and the name of the file means that file.
        .args(["--no-optional-locks", "--literal-pathspecs"])
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
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
        let commit = clean.commit.unwrap();
        assert_eq!(file_at(&path, &commit).as_deref(), Some(&b"version: 1\n"[..]));
        assert_eq!(file_at(&new, &commit), None);
        for odd in ["HEAD", "", "--help", "0123456789012345678901234567890123456789"] {
            assert_eq!(file_at(&path, odd), None, "{odd}");
        }
    }

    #[test]
    fn git_starts_nothing_that_the_work_tree_names() {
        if Command::new("git").arg("--version").output().is_err() {
            return; // a machine without git: nothing can be started
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yaml");
        std::fs::write(&path, "version: 1\n").unwrap();
        run(folder.path(), "init -q");
        run(folder.path(), "add web.yaml");
        run(folder.path(), "commit -q -m one");
        let trap = folder.path().join("trap");
        std::fs::write(&trap, "#!/bin/sh\ntouch \"$(dirname \"$0\")/sprung\"\n").unwrap();
        let executable =
            <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(&trap, executable).unwrap();
        for setting in ["core.fsmonitor", "core.pager", "core.sshCommand"] {
            run(folder.path(), &format!("config {setting} {}", trap.display()));
        }
        let hooks = folder.path().join(".git/hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::copy(&trap, hooks.join("post-index-change")).unwrap();
        let standing = describe(&path);
        assert!(standing.commit.is_some());
        file_at(&path, &standing.commit.unwrap());
        assert!(!folder.path().join("sprung").exists() && !hooks.join("sprung").exists());
    }
}
