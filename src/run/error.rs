//! Why the shell gives up. Each message completes "failed to …".

use crate::domain::Fault;
use crate::journal;

/// Why a run was left before its end. The journal is whole in each case.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal cannot be written, or is not ours any more, so nothing more may be sent.
    #[error("{0}; nothing more was sent")]
    Journal(#[from] journal::Error),
    /// Somebody asked twice to stop.
    #[error("finish: interrupted twice; what is in flight is looked up by `resume`")]
    Interrupted,
    /// Nothing is in flight, nothing is due, and the run has not ended: a mistake of ours.
    #[error("go on: the run waits for nothing; this is a bug of refleet")]
    Stuck,
}

/// Why the cloud could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The cloud refused, or was unwell for too long.
    #[error("{what}: {fault}")]
    Fault {
        /// What was read, such as `list servers`.
        what: String,
        /// The last answer.
        fault: Fault,
    },
    /// The answer makes no sense.
    #[error("{what}: {reason}")]
    Answer {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing is left to read and something is missing: a mistake of ours.
    #[error("read the cloud: the survey waits for nothing; this is a bug of refleet")]
    Stuck,
}
