//! A saved plan is applied only while its playbook, and every file that the playbook names, is what
//! it was made from (`safety.md`, S14). Start with [`refuse`].
//!
//! What differs is shown: the hashes and commits always; the lines where git still has the old
//! text, and only of files that the plan quotes lines of: the playbook, and lists of servers. User
//! data and scripts may hold secrets, so they are named and not shown.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::domain::{FileOrigin, Place};
use crate::plan::Plan;
use crate::playbook;

use super::failure::Failure;
use super::{difference, files, git};

/// Refuses if anything that the plan was made from is another now; all of it at once.
pub(super) fn refuse(plan: &Plan) -> Result<(), Failure> {
    let quoted = quoted(plan);
    let told: Vec<String> = sources(plan)
        .iter()
        .flat_map(|file| drifted(file, quoted.contains(file.path.as_str())))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    let help = "make a new plan from the files as they are now, and look at it; `refleet plan \
                PLAYBOOK --diff OLD` shows what it changes";
    Err(Failure::refused_lines(&told, &[help.to_owned()]))
}

/// The playbook and what it names, each with where it stood in git, as far as the plan knows.
fn sources(plan: &Plan) -> Vec<FileOrigin> {
    let origin = &plan.origin;
    let mut sources = vec![FileOrigin {
        path: origin.path.clone(),
        sha256: origin.sha256.clone(),
        commit: origin.commit.clone(),
        dirty: origin.dirty,
    }];
    sources.extend(plan.files.iter().map(|pinned| {
        let known = origin.files.iter().find(|known| known.path == pinned.path);
        known.filter(|known| known.sha256 == pinned.sha256).cloned().unwrap_or_else(|| FileOrigin {
            path: pinned.path.clone(),
            sha256: pinned.sha256.clone(),
            commit: None,
            dirty: None,
        })
    }));
    sources
}

/// Files of which the plan itself quotes lines; they can be read by whoever reads the plan.
fn quoted(plan: &Plan) -> BTreeSet<&str> {
    let because = plan.targets.values().map(|target| &target.because.1);
    let rules = plan.left_out.iter().filter_map(|left_out| left_out.place.as_ref());
    let steps = plan.fleets.values().flat_map(|fleet| &fleet.steps);
    let places = because.chain(rules).chain(steps.filter_map(|step| step.place.as_ref()));
    let files = places.map(|place: &Place| &*place.file);
    files.chain([plan.origin.path.as_str()]).collect()
}

/// What to say of a file that is another now, line by line; nothing if it is the same.
fn drifted(was: &FileOrigin, quoted: bool) -> Vec<String> {
    let path = Path::new(&was.path);
    let bytes = match files::read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            return vec![format!("{} was read for the plan, and cannot be now: {error}", was.path)];
        }
    };
    let sha256 = hex::encode(Sha256::digest(&bytes));
    if sha256 == was.sha256 {
        return Vec::new();
    }
    let git::Standing { commit, dirty } = git::describe(path);
    let is = FileOrigin { path: was.path.clone(), sha256, commit, dirty };
    let mut told = vec![
        format!("{} has changed since the plan was made", was.path),
        format!("  was {was}"),
        format!("  is  {is}"),
    ];
    let differing = if quoted {
        lines(was, path, &bytes)
    } else {
        vec!["its lines are not shown: they may hold secrets".to_owned()]
    };
    told.extend(differing.iter().map(|line| format!("  {line}")));
    told
}

/// The lines that differ, if the old text can be had; without what may be secrets.
fn lines(was: &FileOrigin, path: &Path, is: &[u8]) -> Vec<String> {
    let before = was.commit.as_deref().and_then(|commit| git::file_at(path, commit));
    let before = before.filter(|bytes| hex::encode(Sha256::digest(bytes)) == was.sha256);
    let Some(before) = before else {
        return vec!["its old lines are not known: no commit has them".to_owned()];
    };
    let masked = |bytes: &[u8]| playbook::masked(&String::from_utf8_lossy(bytes));
    let lines = difference::between(&masked(&before), &masked(is));
    if lines.is_empty() {
        return vec!["the lines that differ are not shown: they may hold secrets".to_owned()];
    }
    lines
}
