//! What goes into the engine and what comes out: this is the whole surface.

use crate::domain::{CallId, Command, Record, Reply, Request, RunId, ServerId, Time};

/// Everything that can happen to a run. Closed on purpose: this list *is* the concurrency model.
#[derive(Clone, Debug)]
pub enum Input {
    /// The run begins.
    Begin,
    /// The journal was replayed; nothing is in flight.
    Resumed {
        /// Requests that were left from other shells meanwhile.
        left: Vec<Request>,
        /// Servers that other runs hold now, and which.
        yielded: Vec<(ServerId, RunId)>,
    },
    /// `wake_at` has come.
    Woke,
    /// A request came back.
    Replied {
        /// Which.
        call: CallId,
        /// With what.
        reply: Reply,
    },
    /// Somebody at the run's own shell wants it to stop.
    Interrupted,
    /// Somebody steers the run from another shell.
    Asked(Request),
}

/// What one input led to. The shell does these in this order.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// 1. Make durable, 2. tell the reporters.
    pub records: Vec<Record>,
    /// 3. Carry out.
    pub commands: Vec<Command>,
    /// 4. Wait no longer than this.
    pub wake_at: Option<Time>,
}
