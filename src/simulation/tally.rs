//! Many seeds, summed up for a person.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{CloseCause, Ending, Millis};

use super::checkers::Finding;
use super::sim::Rehearsal;

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    seeds: u64,
    crashes: u64,
    pauses: u64,
    turns: u64,
    durations: Vec<Millis>,
    requests: u64,
    servers: u64,
    endings: BTreeMap<Ending, u64>,
    pending: u64,
    causes: BTreeMap<&'static str, u64>,
    findings: Vec<(u64, Finding)>,
}

impl Tally {
    /// Adds one seed.
    pub fn add(&mut self, rehearsal: &Rehearsal) {
        self.seeds += 1;
        self.crashes += u64::from(rehearsal.crashes);
        self.pauses += u64::from(rehearsal.pauses);
        self.turns += rehearsal.turns;
        self.durations.push(rehearsal.duration);
        self.requests += rehearsal.requests;
        for (ending, n) in &rehearsal.counts.ended {
            *self.endings.entry(*ending).or_default() += u64::from(*n);
            self.servers += u64::from(*n);
        }
        self.pending += u64::from(rehearsal.counts.pending);
        self.servers += u64::from(rehearsal.counts.pending);
        *self.causes.entry(cause_in_words(rehearsal.cause.as_ref())).or_default() += 1;
        let findings = rehearsal.findings.iter().cloned();
        self.findings.extend(findings.map(|finding| (rehearsal.seed, finding)));
    }

    /// Whether no checker found anything.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// What the checkers found, with the seed.
    #[must_use]
    pub fn findings(&self) -> &[(u64, Finding)] {
        &self.findings
    }

    /// Turns of the engine, over all seeds.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    fn quantile(&self, percent: usize) -> Millis {
        let mut durations = self.durations.clone();
        durations.sort_unstable();
        let last = durations.len().saturating_sub(1);
        durations.get(last * percent / 100).copied().unwrap_or_default()
    }
}

fn cause_in_words(cause: Option<&CloseCause>) -> &'static str {
    match cause {
        Some(CloseCause::Done) => "every server ended",
        Some(CloseCause::BudgetSpent { .. }) => "the failure budget was spent",
        Some(CloseCause::CanaryFailed { .. }) => "the canary failed",
        Some(CloseCause::Stopped) => "somebody stopped it",
        Some(CloseCause::Refused) => "the preflight refused",
        None => "it did not end",
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds, {} crashes, {} pauses, {} turns of the engine",
            self.seeds, self.crashes, self.pauses, self.turns
        )?;
        for (cause, n) in &self.causes {
            writeln!(f, "  {n:>6} runs ended because {cause}")?;
        }
        for (ending, n) in &self.endings {
            writeln!(f, "  {n:>6} servers {ending}")?;
        }
        if self.pending > 0 {
            writeln!(f, "  {:>6} servers pending", self.pending)?;
        }
        writeln!(
            f,
            "  duration: half within {}, 95 of 100 within {}, all within {}",
            self.quantile(50),
            self.quantile(95),
            self.quantile(100)
        )?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = self.requests as f64 / self.servers.max(1) as f64;
        writeln!(f, "  requests: {each:.1} a server")?;
        for (seed, finding) in self.findings.iter().take(20) {
            let Finding { checker, at, detail } = finding;
            writeln!(f, "seed {seed}: {checker:?} at {at}: {detail}")?;
        }
        if self.is_clean() {
            write!(f, "clean: no checker found anything")
        } else {
            write!(
                f,
                "{} findings: this is a mistake in refleet, please report the seeds",
                self.findings.len()
            )
        }
    }
}
