//! Every point of one small run, without any drawing: a crash after every turn and between any two
//! requests of a turn, resumed by itself and after somebody else's run; every answer lost, or
//! answered 503, and every change sent twice.
//!
//! Start with [`every_point`].

use crate::domain::Millis;
use crate::playbook::Playbook;
use crate::simulator::{Faults, Mishap, WorldSpec};

use super::people::Second;
use super::scenario::{Scenario, ScenarioError};
use super::sim::{Rehearsal, rehearse};

/// The one thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The process dies in that turn, with so many of its requests sent.
    Crash {
        /// The turn, counted from 1.
        turn: u64,
        /// Its requests that were sent.
        sent: usize,
        /// Somebody else's run over the same servers comes first, and then it is resumed.
        foreign: bool,
    },
    /// That becomes of one request.
    Answer {
        /// Which, counted from 1.
        number: u32,
        /// What.
        mishap: Mishap,
    },
}

impl Point {
    /// The turn of a crash, and the requests sent in it.
    pub(super) fn crash(self) -> Option<(u64, usize)> {
        match self {
            Self::Crash { turn, sent, .. } => Some((turn, sent)),
            Self::Answer { .. } => None,
        }
    }

    /// The answer that something becomes of.
    pub(super) fn answer(self) -> Option<(u32, Mishap)> {
        match self {
            Self::Answer { number, mishap } => Some((number, mishap)),
            Self::Crash { .. } => None,
        }
    }
}

/// The run that every point is a point of: the first reinstall fails, nothing else goes wrong.
fn plain(playbook: &Playbook, spec: &WorldSpec) -> Result<Scenario, ScenarioError> {
    let mut scenario = Scenario::calm(playbook, spec, 1)?;
    scenario.world.set_faults(Faults { first_failures: 1, ..Faults::default() });
    scenario.inhabited = true;
    scenario.log_tells = scenario.world.log_tells();
    scenario.longest_down = Millis::secs(20);
    Ok(scenario)
}

/// The points of the run of this playbook.
fn points(whole: &Rehearsal) -> Vec<Point> {
    let mut points = Vec::new();
    for foreign in [false, true] {
        for (turn, sent) in (1..).zip(&whole.sent) {
            points.extend((0..=sent.len()).map(|sent| Point::Crash { turn, sent, foreign }));
        }
    }
    for (number, changes) in (1..).zip(whole.sent.iter().flatten()) {
        let fitting = Mishap::ALL.into_iter().filter(|it| *changes || *it != Mishap::Twice);
        points.extend(fitting.map(|mishap| Point::Answer { number, mishap }));
    }
    points
}

/// Rehearses the playbook once for each of its points, and hands each rehearsal over.
pub fn every_point(
    playbook: &Playbook,
    spec: &WorldSpec,
    mut each: impl FnMut(Option<Point>, &Rehearsal),
) -> Result<usize, ScenarioError> {
    let whole = rehearse(plain(playbook, spec)?);
    each(None, &whole);
    let points = points(&whole);
    for point in &points {
        let mut scenario = plain(playbook, spec)?;
        scenario.point = Some(*point);
        if let Point::Crash { foreign: true, .. } = point {
            scenario.second = Some(Second {
                begins: None,
                shares_claims: true,
                playbook: Some(Box::new(playbook.clone())),
                crashes: Vec::new(),
                pause_at: None,
            });
        }
        each(Some(*point), &rehearse(scenario));
    }
    Ok(points.len())
}
