//! Who lives: a lock of the kernel for each run, which ends with its process however that dies.
//!
//! Start with [`Locks`]. Lock files stay behind, empty: to delete one that another process has just
//! opened would give a run two owners. Do not put a state file on a network disk without locks.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::RunId;

use super::Error;

/// Others hold a lock for a moment when they look whether a run lives; so one refusal is not enough.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The locks of one state file.
#[derive(Clone, Debug)]
pub(super) enum Locks {
    /// Files in this directory.
    Files(PathBuf),
    /// For a store in memory: nobody else can see it.
    Memory(Arc<Mutex<BTreeSet<RunId>>>),
}

/// Held as long as the run is driven by us.
#[derive(Debug)]
pub(super) enum RunLock {
    File { _held: File },
    Memory { held: Arc<Mutex<BTreeSet<RunId>>>, run: RunId },
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Self::Memory { held, run } = self {
            held.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        }
    }
}

impl Locks {
    /// The lock of a run, or `None` while another holds it.
    pub(super) fn take(&self, run: &RunId) -> Result<Option<RunLock>, Error> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(BETWEEN_TRIES);
            }
            if let Some(lock) = self.try_take(run)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// Whether a process drives the run.
    pub(super) fn is_alive(&self, run: &RunId) -> Result<bool, Error> {
        let Self::Files(dir) = self else { return Ok(self.try_take(run)?.is_none()) };
        if !dir.join(format!("{run}.lock")).exists() {
            return Ok(false);
        }
        Ok(self.try_take(run)?.is_none())
    }

    fn try_take(&self, run: &RunId) -> Result<Option<RunLock>, Error> {
        match self {
            Self::Memory(held) => {
                let is_new =
                    held.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone());
                Ok(is_new.then(|| RunLock::Memory { held: Arc::clone(held), run: run.clone() }))
            }
            Self::Files(dir) => {
                let path = dir.join(format!("{run}.lock"));
                let trouble = |source| Error::Files { path: path.clone(), source };
                fs::create_dir_all(dir).map_err(trouble)?;
                let mut options = OpenOptions::new();
                let file = options.create(true).truncate(false).write(true).open(&path);
                let file = file.map_err(trouble)?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(RunLock::File { _held: file })),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(source)) => Err(trouble(source)),
                }
            }
        }
    }
}
