//! The commands, one file each. Each makes a new value out of the ones before, line by line, and
//! ends in an exit code.

mod abandon;
mod apply;
mod completions;
mod explain;
mod explain_server;
mod init;
mod plan;
mod report;
mod resume;
mod retry;
mod runs;
mod schema;
mod simulate;
mod simulator;
mod status;
mod steer;
mod support;
mod validate;
mod watch;

pub(super) use abandon::abandon;
pub(super) use apply::apply;
pub(super) use completions::{completions, man};
pub(super) use explain::explain;
pub(super) use init::init;
pub(super) use plan::plan;
pub(super) use report::report;
pub(super) use resume::resume;
pub(super) use retry::retry;
pub(super) use runs::runs;
pub(super) use schema::schema;
pub(super) use simulate::simulate;
pub(super) use simulator::simulator;
pub(super) use status::status;
pub(super) use steer::steer;
pub(super) use support::support;
pub(super) use validate::validate;
pub(super) use watch::watch;
