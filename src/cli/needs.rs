//! What a run needs beside its cloud: secrets, files and programs. They are looked for before it
//! begins and before it is taken over, since a server that is off must not wait for a file that is not
//! there. Start with [`Needs::of`].

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use crate::domain::{Login, Phase, PinnedFile, SecretRef, SecretSource};
use crate::plan::{Plan, Target};
use crate::playbook::{Check, Program};
use crate::report::Fold;

use super::failure::Failure;
use super::secrets::{Places, pinned};

/// What the servers of a plan need that are still to come.
#[derive(Default)]
pub(super) struct Needs<'p> {
    /// Passwords, each with who needs it.
    pub(super) secrets: BTreeMap<&'p SecretRef, String>,
    /// User data.
    pub(super) files: BTreeSet<&'p PinnedFile>,
    /// Key pairs that belong to the user who made the plan, by name.
    pub(super) key_pairs: BTreeSet<&'p str>,
    /// Programs of the playbook's own steps; none in a rehearsal.
    programs: Vec<&'p Program>,
    /// The folders that those are started in.
    folders: BTreeSet<&'p str>,
    /// Checks; none in a rehearsal.
    checks: Vec<&'p Check>,
    /// Files of the plan, programs of checks among them.
    pins: &'p [PinnedFile],
    /// How a run that was begun can be ended without them.
    way_out: Option<String>,
}

impl<'p> Needs<'p> {
    /// What every server of the plan needs. Programs are needed only where hooks are `real`.
    pub(super) fn of(plan: &'p Plan, real: bool) -> Self {
        let mut needs = Self { pins: &plan.files, ..Self::default() };
        for target in plan.targets.values() {
            needs.add(plan, target, Phase::Pending);
        }
        if real { needs } else { needs.without_programs() }
    }

    /// What a run that was begun still needs, by what came of its servers so far. One that only comes to
    /// its end sends no reinstall any more, and goes without.
    pub(super) fn rest_of(plan: &'p Plan, real: bool, fold: &Fold) -> Self {
        let mut needs = Self { pins: &plan.files, ..Self::default() };
        if fold.cause.is_some() {
            return needs;
        }
        for (id, target) in &plan.targets {
            let phase = fold.servers.get(id).map_or(Phase::Pending, |server| server.phase);
            needs.add(plan, target, phase);
        }
        needs.way_out = fold.outline.as_ref().map(|outline| {
            let run = &outline.run;
            format!(
                "; or end the run without it: `refleet stop {run}`, then `refleet resume {run}`"
            )
        });
        if real { needs } else { needs.without_programs() }
    }

    fn without_programs(self) -> Self {
        Self { programs: Vec::new(), folders: BTreeSet::new(), checks: Vec::new(), ..self }
    }

    fn add(&mut self, plan: &'p Plan, target: &'p Target, phase: Phase) {
        let is_wiped = match phase {
            Phase::Ended(_) => return,
            Phase::Settling | Phase::Verifying => true,
            Phase::Pending
            | Phase::BackingUp
            | Phase::Stopping
            | Phase::Stopped
            | Phase::Validated
            | Phase::Reinstalling => false,
        };
        if !is_wiped {
            self.add_payload(plan, target);
        }
        let steps = plan
            .fleets
            .get(&target.fleet)
            .into_iter()
            .flat_map(crate::plan::PlannedFleet::own_steps);
        for (_, _, run) in steps {
            for program in std::iter::once(&run.run).chain(&run.undo) {
                if !self.programs.iter().any(|known| std::ptr::eq(*known, program)) {
                    self.programs.push(program);
                }
            }
            self.folders.insert(&run.cwd);
        }
        let treatment = plan.treatments.get(target.treatment as usize);
        for check in treatment.into_iter().flat_map(|treatment| &treatment.verify) {
            if !self.checks.iter().any(|known| std::ptr::eq(*known, check)) {
                self.checks.push(check);
            }
        }
    }

    /// What the reinstall itself carries.
    fn add_payload(&mut self, plan: &'p Plan, target: &'p Target) {
        match &target.reinstall.login {
            Login::Password(place) => {
                let needed_by = || format!("the admin_pass of fleet {}", target.fleet);
                self.secrets.entry(place).or_insert_with(needed_by);
            }
            Login::KeyPair { name, owner } if *owner == plan.cloud.user_id => {
                self.key_pairs.insert(name);
            }
            Login::KeyPair { .. } | Login::UserData | Login::Kept => {}
        }
        self.files.extend(&target.reinstall.user_data);
    }

    /// Programs, folders and keys that are not where they are looked for, a sentence each.
    pub(super) fn missing_programs(
        &self,
        places: &Places,
        variables: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        let base = &places.base;
        for folder in &self.folders {
            if !Path::new(".").join(base).join(folder).is_dir() {
                missing.push(format!("there is no folder {folder} to run a step in"));
            }
        }
        for program in &self.programs {
            let name = program.argv.first().map_or("", |name| name.as_str());
            match &program.file {
                Some(file) => missing.extend(pinned(base, file).err().map(|e| e.to_string())),
                None => missing.extend(not_found(name, variables)),
            }
        }
        for check in &self.checks {
            missing.extend(self.missing_for(check, places, variables));
        }
        missing.sort();
        missing.dedup();
        missing
    }

    /// What a check needs that is not there.
    fn missing_for(
        &self,
        check: &Check,
        places: &Places,
        variables: &BTreeMap<String, String>,
    ) -> Option<String> {
        match check {
            Check::Command { run, .. } => {
                let name = run.first()?.as_str();
                if name.contains("{{") {
                    None
                } else if name.contains('/') {
                    self.missing_file(name, places)
                } else {
                    not_found(name, variables)
                }
            }
            Check::Ssh(ssh) => {
                let path = ssh.key_file.as_deref()?;
                let file = match (path.strip_prefix("~/"), variables.get("HOME")) {
                    (Some(rest), Some(home)) => Path::new(home).join(rest),
                    _ => places.base.join(path),
                };
                let error = std::fs::File::open(file).err()?;
                Some(format!("cannot read key_file {path}: {error}"))
            }
            Check::Fresh
            | Check::Unchanged
            | Check::Tcp { .. }
            | Check::PasswordReady { .. }
            | Check::Http { .. }
            | Check::StableFor { .. } => None,
        }
    }

    /// Why the program of a check is not the one of the plan.
    fn missing_file(&self, name: &str, places: &Places) -> Option<String> {
        let path = plain(&places.folder.join(name));
        if let Some(file) = self.pins.iter().find(|file| plain(Path::new(&file.path)) == path) {
            return pinned(&places.base, file).err().map(|error| error.to_string());
        }
        let is_there = is_program(&places.commands().join(name));
        (!is_there).then(|| format!("there is no program {name} for the check"))
    }

    /// Secrets that only a program can tell.
    pub(super) fn commands(&self) -> impl Iterator<Item = &SecretRef> {
        let places = self.secrets.keys().copied();
        places.filter(|place| matches!(place.0, SecretSource::Command(_)))
    }

    /// Refuses if anything is missing.
    pub(super) fn refuse(&self, missing: &[String]) -> Result<(), Failure> {
        let what = match missing {
            [] => return Ok(()),
            [only] => vec![only.clone()],
            several => {
                let mut what = vec![format!("{} things are missing:", several.len())];
                what.extend(several.iter().map(|missing| format!("  {missing}")));
                what
            }
        };
        let way_out = self.way_out.as_deref().unwrap_or_default();
        let help = format!(
            "nothing was touched: the run needs it, so put it in place and try again{way_out}"
        );
        Err(Failure::refused_lines(&what, &[help]))
    }
}

/// Why a program that is named without a folder cannot be started. Where `PATH` says nothing plain,
/// nothing is known.
fn not_found(name: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let folders: Vec<_> = std::env::split_paths(variables.get("PATH")?).collect();
    let is_plain = folders.iter().all(|folder| folder.is_absolute());
    let is_there = folders.iter().any(|folder| is_program(&folder.join(name)));
    (is_plain && !is_there).then(|| format!("there is no program {name} in PATH"))
}

/// A path without the `.` in it that mean nothing.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
