//! A journal that is forgotten with its process: for tests and for the simulation.

use std::sync::{Mutex, PoisonError};

use crate::domain::{Event, Record, Request};

use super::{Error, Journal};

/// Keeps records in memory, and can be told to break.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Record>,
    room: Option<usize>,
    /// Requests, each from when so many records are there.
    requests: Vec<(usize, Request)>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A stand-in for a full disk: no record fits after the first `room`.
    #[must_use]
    pub fn full_after(room: usize) -> Self {
        Self { state: Mutex::new(State { room: Some(room), ..State::default() }) }
    }

    /// Leaves a word for the run, as from another shell, once so many records are there.
    pub fn leave(&self, after: usize, request: Request) {
        self.lock().requests.push((after, request));
    }

    /// What was appended so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// Appends without waiting: here nothing is waited for.
    pub fn push(&self, records: Vec<Record>) -> Result<(), Error> {
        let mut state = self.lock();
        if state.room.is_some_and(|room| state.records.len() + records.len() > room) {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Err(Error::Sqlite(rusqlite::Error::SqliteFailure(full, None)));
        }
        state.records.extend(records);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    async fn append(&self, records: Vec<Record>) -> Result<(), Error> {
        self.push(records)
    }

    async fn asked(&self) -> Result<Vec<Request>, Error> {
        let state = self.lock();
        let told = |number: u64| {
            state.records.iter().any(|record| {
                matches!(&record.event, Event::Steered { by: Some(by), .. } if by.number == number)
            })
        };
        let open = state
            .requests
            .iter()
            .filter(|(after, request)| *after <= state.records.len() && !told(request.by.number));
        Ok(open.map(|(_, request)| request.clone()).collect())
    }
}
