//! The log of one run, held by the process that drives it.

use std::future::Future;
use std::sync::Arc;

use crate::domain::{Record, Request, RunId};

use super::Error;
use super::lock::RunLock;
use super::request;
use super::writer::{Batch, Writer};

/// Where a run is written down.
pub trait Journal: Send + Sync {
    /// Appends records in their order; all or none. They are durable when this returns `Ok`, and
    /// no request may go out before that.
    fn append(&self, records: Vec<Record>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Words from other shells that no record tells of yet, the oldest first.
    fn asked(&self) -> impl Future<Output = Result<Vec<Request>, Error>> + Send;
}

/// One run of a state file. As long as this lives, the run counts as driven by this process.
#[derive(Debug)]
pub struct RunLog {
    run: RunId,
    writer: Arc<Writer>,
    _lock: RunLock,
}

impl RunLog {
    pub(super) fn new(run: RunId, writer: Arc<Writer>, lock: RunLock) -> Self {
        Self { run, writer, _lock: lock }
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
        self.writer.append(Batch::new(&self.run, &records)?).await
    }

    async fn asked(&self) -> Result<Vec<Request>, Error> {
        let run = self.run.clone();
        self.writer.task(move |connection| request::open(connection, &run)).await
    }
}
