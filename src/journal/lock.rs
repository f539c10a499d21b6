//! Who lives: a lock of the kernel for each run, which ends with its process however that dies.
//!
//! Start with [`Locks`]. Lock files stay behind, empty: to delete one that another process has just
//! opened would give a run two owners. A file system whose locks do not work is refused.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::RunId;

use super::Error;
use super::place::{Access, Watched};

/// Others hold a lock for a moment when they look whether a run lives; so one refusal is not enough.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The locks of one state file.
#[derive(Clone, Debug)]
pub(super) enum Locks {
    /// Files in this directory.
    Files(PathBuf, Access),
    /// For a store in memory: nobody else can see it.
    Memory(Arc<Mutex<BTreeSet<RunId>>>),
}

/// Held as long as the run is driven by us.
#[derive(Debug)]
pub(super) enum RunLock {
    File { _held: File, watched: Watched },
    Memory { held: Arc<Mutex<BTreeSet<RunId>>>, run: RunId },
}

impl RunLock {
    /// Whether others still see it: a lock on a file that was removed keeps nobody out.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::File { watched, .. } => watched.check(),
            Self::Memory { .. } => Ok(()),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Self::Memory { held, run } = self {
            held.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        }
    }
}

impl Locks {
    /// Locks that nobody else can see.
    pub(super) fn in_memory() -> Self {
        Self::Memory(Arc::new(Mutex::new(BTreeSet::new())))
    }

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
        let Self::Files(folder, _) = self else { return Ok(self.try_take(run)?.is_none()) };
        if !folder.join(format!("{run}.lock")).exists() {
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
            Self::Files(folder, access) => {
                access.folder_of_locks(folder)?;
                lock(&folder.join(format!("{run}.lock")), *access)
            }
        }
    }
}

/// The lock on a file. It is believed only if it keeps out a second one, taken the way another
/// process would: some network disks grant every lock, and then a dead run and a living one look the
/// same.
fn lock(path: &Path, access: Access) -> Result<Option<RunLock>, Error> {
    let trouble = |source| Error::Files { path: path.to_owned(), source };
    let file = access.lock_file(path).map_err(trouble)?;
    if !try_lock(path, &file)? {
        return Ok(None);
    }
    let watched = Watched::opened(path, &file).map_err(trouble)?;
    let second = access.lock_file(path).map_err(trouble)?;
    if Watched::opened(path, &second).map_err(trouble)? != watched {
        // Somebody put another file in its place just now.
        return Ok(None);
    }
    if try_lock(path, &second)? {
        let why = "a lock does not keep out a second one".to_owned();
        return Err(Error::NoLocks { path: path.to_owned(), why });
    }
    Ok(Some(RunLock::File { _held: file, watched }))
}

fn try_lock(path: &Path, file: &File) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => {
            Err(Error::NoLocks { path: path.to_owned(), why: source.to_string() })
        }
    }
}
