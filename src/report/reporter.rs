//! Whoever wants to know what happens while it does.

use crate::domain::{Moment, Record};

use super::Error;

/// Is told what happened.
pub trait Reporter: Send {
    /// Records of before, when a run is taken over: to know them, not to show them again.
    fn catch_up(&mut self, records: &[Record]) {
        let _ = records;
    }

    /// New records, each once and in their order.
    fn tell(&mut self, records: &[Record]) -> Result<(), Error>;

    /// Time has passed.
    fn tick(&mut self, now: Moment) -> Result<(), Error> {
        let _ = now;
        Ok(())
    }

    /// The process leaves the run, which may not have ended.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
