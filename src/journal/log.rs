//! The log of one run, held by the process that drives it.

use std::future::Future;
use std::sync::Arc;

use rusqlite::Connection;

use crate::domain::{Record, Request, RunId};

use super::Error;
use super::request;
use super::writer::{Batch, Owner, Writer};

/// Where a run is written down.
pub trait Journal: Send + Sync {
    /// Appends records in their order; all or none. They are durable when this returns `Ok`, and
    /// no request may go out before that. An error means that this process may not drive the run
    /// any longer.
    fn append(&self, records: Vec<Record>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Words from other shells that no record tells of yet, the oldest first. An error means the
    /// same as for `append`.
    fn asked(&self) -> impl Future<Output = Result<Vec<Request>, Error>> + Send;
}

/// One run of a state file. As long as this lives, the run counts as driven by this process.
#[derive(Debug)]
pub struct RunLog {
    run: RunId,
    writer: Arc<Writer>,
    owner: Arc<Owner>,
}

impl RunLog {
    pub(super) fn new(run: RunId, writer: Arc<Writer>, owner: Owner) -> Self {
        Self { run, writer, owner: Arc::new(owner) }
    }

    /// Why records are refused, files aside.
    #[cfg(test)]
    pub(super) async fn owner_error(&self, records: Vec<Record>) -> String {
        let owner = Owner {
            lock: super::lock::Locks::in_memory().take(&self.run).unwrap().unwrap(),
            epoch: self.owner.epoch,
            claims: true,
            file: None,
        };
        let batch = Batch::new(&self.run, &records).unwrap().by(Arc::new(owner));
        self.writer.append(batch).await.unwrap_err().to_string()
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }
}

impl Journal for RunLog {
    /// With the end of the run its claims go, in the same transaction, except on servers that
    /// ended `unknown`.
    async fn append(&self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = Batch::new(&self.run, &records)?.by(Arc::clone(&self.owner));
        self.writer.append(batch).await
    }

    async fn asked(&self) -> Result<Vec<Request>, Error> {
        let (run, owner) = (self.run.clone(), Arc::clone(&self.owner));
        let task = move |connection: &mut Connection| {
            owner.check_files()?;
            request::open(connection, &run)
        };
        self.writer.task(task).await
    }
}
