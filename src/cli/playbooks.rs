//! Playbooks and the files that they name, from disk to a checked model. Start with [`require`].

use std::path::{Path, PathBuf};

use crate::domain::{FileOrigin, PinnedFile};
use crate::plan::Plan;
use crate::playbook::{self, Files, Parsed, Playbook, Source};

use super::failure::Failure;
use super::ui::Ui;
use super::{diagnostic, files, git};

/// Reads a playbook and shows every problem of it; gives it only if nothing stops us.
pub(super) fn require(ui: &Ui, path: &Path) -> Result<Playbook, Failure> {
    let Parsed { playbook, problems } = read(path)?;
    if !problems.is_empty() {
        ui.drawn(&diagnostic::render(&problems));
    }
    playbook.ok_or(Failure::Problems(problems.len()))
}

/// Reads a playbook, checks it and says where it and the files that it names stand in git.
pub(super) fn read(path: &Path) -> Result<Parsed, Failure> {
    let trouble = |source| Failure::Read { path: path.to_owned(), source };
    let bytes = files::read_bytes(path).map_err(trouble)?;
    let source = match Source::from_bytes(path.to_string_lossy(), bytes) {
        Ok(source) => source,
        Err(problem) => return Ok(Parsed { playbook: None, problems: vec![problem] }),
    };
    let mut parsed = playbook::parse(&source, &Folder(folder_of(path)));
    if let Some(playbook) = &mut parsed.playbook {
        let git::Standing { commit, dirty } = git::describe(path);
        playbook.origin.commit = commit;
        playbook.origin.dirty = dirty;
        playbook.origin.files = playbook.files.iter().map(standing).collect();
    }
    Ok(parsed)
}

fn standing(file: &PinnedFile) -> FileOrigin {
    let git::Standing { commit, dirty } = git::describe(Path::new(&file.path));
    FileOrigin { path: file.path.clone(), sha256: file.sha256.clone(), commit, dirty }
}

/// The folder that paths in a playbook are seen from, and that its programs are started in: never an
/// empty path, which is no folder to start anything in.
pub(super) fn folder_of(playbook: &Path) -> PathBuf {
    let folder = playbook.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The folder that the paths of a plan are seen from: the one that its run was begun in, as long as the
/// playbook's folder is there; else `here`.
pub(super) fn base_of(plan: &Plan, here: &Path) -> PathBuf {
    let folder = folder_of(Path::new(&plan.origin.path));
    let begun = plan.folder.as_deref().map(Path::new);
    begun.filter(|begun| begun.join(folder).is_dir()).unwrap_or(here).to_owned()
}

/// Where the playbook of a run is: by its path as it was given, if it is seen from `here`.
pub(super) fn path_of(plan: &Plan, here: &Path) -> PathBuf {
    let (base, path) = (base_of(plan, here), PathBuf::from(&plan.origin.path));
    let there = base.join(&path);
    if base == here || !there.is_file() { path } else { there }
}

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        files::read_bytes(&self.0.join(path)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_without_a_folder_is_in_this_one() {
        let check =
            |path: &str, folder: &str| assert_eq!(folder_of(Path::new(path)), Path::new(folder));
        check("web.yaml", ".");
        check("ops/web.yaml", "ops");
        check("/web.yaml", "/");
    }
}
