//! Are the key pairs of a run still those of its plan? Asked before it is taken over; a run that begins
//! asks in its preflight. Start with [`refuse_others`].

use std::sync::Arc;

use tokio::time::timeout;

use crate::domain::{Action, Answer, Fault, FaultClass, KeyPair, Millis, Time};
use crate::plan::{self, Plan};
use crate::run::{self, Reads};

use super::app::App;
use super::connection::Connection;
use super::failure::Failure;
use super::needs::Needs;

/// What is in flight waits for no longer: the preflight of the run asks again.
const PATIENCE: Millis = Millis::secs(10);

/// Refuses if a key pair that is still needed is gone, another key, or another user's.
pub(super) async fn refuse_others(
    app: &App,
    plan: &Plan,
    needs: &Needs<'_>,
    connection: &Connection,
) -> Result<(), Failure> {
    let due = needs.key_pairs.iter().map(|name| Action::ShowKeyPair { name: (*name).to_owned() });
    let mut reading =
        Reading { due: due.collect(), wanted: needs.key_pairs.len(), ..Reading::default() };
    let clock = Arc::new(connection.clock(Time(0)));
    let survey = run::survey(&connection.cloud, &clock, &mut reading);
    if !matches!(timeout(PATIENCE.to_std(), survey).await, Ok(Ok(()))) {
        app.ui.say(
            "warning: key pairs cannot be looked at now; the run looks again before it goes on",
        );
    }
    let others = reading.seen.iter();
    let others =
        others.filter_map(|(name, found)| plan::recheck_key_pair(plan, name, found.as_ref()));
    needs.refuse(&others.collect::<Vec<_>>())
}

/// Key pairs, asked by the shell.
#[derive(Default)]
struct Reading {
    due: Vec<Action>,
    wanted: usize,
    seen: Vec<(String, Option<KeyPair>)>,
}

impl Reads for Reading {
    fn next(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.due)
    }

    fn take(&mut self, action: &Action, answer: Answer) -> Result<(), String> {
        match (action, answer) {
            (Action::ShowKeyPair { name }, Answer::KeyPair(found)) => {
                self.seen.push((name.clone(), found));
                Ok(())
            }
            _ => Err("another answer than was asked for".to_owned()),
        }
    }

    fn fail(&mut self, action: &Action, fault: Fault) -> Result<(), Fault> {
        if let Action::ShowKeyPair { name } = action
            && fault.class == FaultClass::NotFound
        {
            self.seen.push((name.clone(), None));
            return Ok(());
        }
        Err(fault)
    }

    fn is_done(&self) -> bool {
        self.seen.len() == self.wanted
    }
}
