//! Which commit a file is from, whether it was changed since, and what it was. Start with
//! [`describe`].
//!
//! git is only asked; where there is none, or the file is in no work tree, the answer is "not in
//! git". The words it is started with are fixed but for a file's name and a commit's hash, and
//! nothing of a playbook's text is among them. It asks no network, and looks at the work tree around
//! the file, whatever the environment says.
//!
//! A checkout may be somebody else's, and its settings can name programs: hooks, filters, monitors.
//! So only commands are used that read objects as they are stored, and none that compares the work
//! tree; and git sees nothing of our environment, where credentials are. Whose checkout may be read
//! at all is git's to say (`safe.directory`).

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use super::files;

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
    let Some((folder, _)) = parts(path) else { return Standing::default() };
    let commit = text(folder, &["rev-parse", "--verify", "HEAD"].map(OsStr::new));
    let Some(commit) = commit else { return Standing::default() };
    let commit = commit.trim().to_owned();
    // As it is stored: what a filter would make of the file is not asked for.
    let stored = file_at(path, &commit);
    let is_same = stored.is_some_and(|stored| files::read_bytes(path).is_ok_and(|is| is == stored));
    Standing { commit: Some(commit), dirty: Some(!is_same) }
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

/// All that git sees of our environment: where it is, where its user's settings are, and who started
/// us as somebody else, by which it knows whose checkouts it may read.
const PASSED_ON: &[&str] = &["PATH", "HOME", "XDG_CONFIG_HOME", "SUDO_UID"];

/// What git prints, if it can.
#[expect(clippy::disallowed_methods, reason = "git is asked here")]
fn git(folder: &Path, words: &[&OsStr]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    for setting in HARMLESS {
        command.args(["-c", setting]);
    }
    command.env_clear();
    for variable in PASSED_ON {
        command.envs(std::env::var_os(variable).map(|value| (variable, value)));
    }
    let output = command
        // An object is what its commit says, whatever was put in its place here.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        // A part of the history that is not here stays away, and nobody is asked for a password.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        // No lock is left behind.
        .arg("--no-optional-locks")
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
        for setting in [
            "core.fsmonitor",
            "core.pager",
            "core.sshCommand",
            "diff.external",
            "filter.x.clean",
            "filter.x.smudge",
            "filter.x.process",
            "diff.x.textconv",
            "diff.x.command",
        ] {
            run(folder.path(), &format!("config {setting} {}", trap.display()));
        }
        std::fs::write(folder.path().join(".gitattributes"), "* filter=x diff=x\n").unwrap();
        // Of the same length and another time: whoever compares has to look into it.
        std::fs::write(&path, "version: 2\n").unwrap();
        let hooks = folder.path().join(".git/hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::copy(&trap, hooks.join("post-index-change")).unwrap();
        let standing = describe(&path);
        assert_eq!(standing.dirty, Some(true));
        file_at(&path, &standing.commit.unwrap());
        assert!(!folder.path().join("sprung").exists() && !hooks.join("sprung").exists());
    }
}
