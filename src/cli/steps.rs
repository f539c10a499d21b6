//! Who runs the playbook's own steps: a process, or in a rehearsal nobody (`safety.md`, S20). Start
//! with [`real`].
//!
//! A program gets the variables of its step, and of ours only what is no secret. One that is a file
//! of the playbook is compared with the plan right before it is started.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::timeout;

use crate::domain::{Answer, ServerId, StepCall, StepEnd, StepReport};
use crate::probe::process::{self, End, Program};
use crate::run::{ProbeFuture, Runner};

use super::secrets::pinned;

/// Starts programs, seen from the folder that paths of a plan are seen from, with these variables.
pub(super) fn real(folder: &Path, variables: &BTreeMap<String, String>) -> Arc<dyn Runner> {
    Arc::new(Real { variables: process::passed_on(variables), folder: folder.to_owned() })
}

/// Runs nothing, and says that all is well.
pub(super) fn rehearsed() -> Arc<dyn Runner> {
    Arc::new(Rehearsed)
}

/// Starts programs.
struct Real {
    /// What each of them gets.
    variables: BTreeMap<String, String>,
    /// The folder that paths of a plan are seen from.
    folder: PathBuf,
}

impl Runner for Real {
    fn run(&self, _server: &ServerId, call: &StepCall) -> ProbeFuture {
        let (call, base) = (call.clone(), self.folder.clone());
        let mut variables = self.variables.clone();
        variables.extend(call.env.clone());
        Box::pin(async move { Ok(Answer::Ran(run(&call, base, variables).await)) })
    }
}

async fn run(call: &StepCall, base: PathBuf, variables: BTreeMap<String, String>) -> StepReport {
    let folder = base.join(&call.cwd);
    let not_started = |detail: String| StepReport { end: StepEnd::NotStarted, detail };
    if let Some(Err(error)) = call.file.as_ref().map(|file| pinned(&base, file)) {
        return not_started(error.to_string());
    }
    let program = Program { words: &call.argv, folder: &folder, variables: &variables };
    let patience = async {
        // The time-out is all that ends this.
        drop(timeout(call.timeout.to_std(), pending::<()>()).await);
    };
    let ran = match process::run(&program, patience).await {
        Ok(ran) => ran,
        Err(error) => return not_started(error.to_string()),
    };
    let said = ran.last_line();
    match ran.end {
        End::Killed => StepReport { end: StepEnd::TimedOut, detail: said.unwrap_or_default() },
        End::Exited(status) if status.success() => {
            StepReport { end: StepEnd::Done, detail: String::new() }
        }
        End::Exited(status) => {
            let said = said.map_or_else(String::new, |line| format!(": {line}"));
            StepReport { end: StepEnd::Failed, detail: format!("{status}{said}") }
        }
    }
}

struct Rehearsed;

impl Runner for Rehearsed {
    fn run(&self, _server: &ServerId, _call: &StepCall) -> ProbeFuture {
        let detail = "a rehearsal: not run".to_owned();
        let report = StepReport { end: StepEnd::Done, detail };
        Box::pin(async { Ok(Answer::Ran(report)) })
    }
}
