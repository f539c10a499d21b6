//! Checks that cannot be read from a look at the server: those from outside of the cloud's API, the
//! password of a Windows server, and `stable_for`, which makes those before it again and again.
//!
//! They are made one after another, in the order of `verify`. Nothing of it is a fact of the run: a
//! resumed run makes every check anew.

use crate::domain::{
    Action, AddressKind, Event, HostFacts, HostKey, Millis, MissingValue, ProbeReport, ProbeSpec,
    SshLogin, Template, Time,
};
use crate::playbook::{Check, HostKeyRule, SshCheck};

use super::core::{Draft, Engine};
use super::facts::OldHostKey;
use super::state::{Power, Purpose, State};

/// Between two tries of a check from outside.
pub(super) const PROBE_EVERY: Millis = Millis::secs(5);

/// A program may take so long, however short its `within`.
const ONE_LOOK: Millis = Millis::secs(10);

/// Stands for the look at the host key before a server is stopped, where a number of `verify` would.
pub(super) const HOST_KEY: usize = usize::MAX;

/// A check that has to hold for a while: all before it passed, and those from outside among them
/// are made again in rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// Since when they hold.
    pub(super) since: Time,
    /// When this round began: what it sees is at least as new.
    pub(super) round: Time,
    /// Checks before this one were made in this round.
    pub(super) made: usize,
}

impl Engine {
    /// The check that is due next and needs a request of its own.
    pub(super) fn next_probe(&self, index: usize) -> Option<(usize, Action)> {
        if let State::Power(Purpose::Stop, Power::Due(_)) = self.facts.targets[index].state {
            return self.host_key_look(index).map(|action| (HOST_KEY, action));
        }
        let look = &self.pending.looks[index];
        let mut open = self.treatment(index).verify.iter().enumerate();
        open.find_map(|(number, check)| match check {
            _ if look.passed.contains(&number) => None,
            Check::Fresh | Check::Unchanged => None,
            Check::PasswordReady { .. } => {
                let server = self.server_id(index);
                Some(Some((number, Action::ShowPassword { server })))
            }
            Check::Tcp { .. } | Check::Http { .. } | Check::Command { .. } | Check::Ssh(_) => {
                Some(self.probe(index, number).map(|action| (number, action)))
            }
            // What stands behind it waits, whether or not there is something to make again.
            Check::StableFor { .. } => Some(look.holding.and_then(|holding| {
                let again = self.made_again(index, number).find(|again| *again >= holding.made)?;
                Some((again, self.probe(index, again)?))
            })),
        })?
    }

    /// The checks that `stable_for` makes again.
    fn made_again(&self, index: usize, number: usize) -> impl Iterator<Item = usize> {
        let before = self.treatment(index).verify.iter().enumerate().take(number);
        before.filter(|(_, check)| check.is_from_outside()).map(|(number, _)| number)
    }

    /// The first check that has not passed, if it is one that has to hold for a while and all before
    /// it passed.
    fn to_hold(&self, index: usize) -> Option<(usize, Millis)> {
        let passed = &self.pending.looks[index].passed;
        let mut open = self.treatment(index).verify.iter().enumerate();
        match open.find(|(number, _)| !passed.contains(number))? {
            (number, Check::StableFor { time }) => Some((number, *time)),
            (
                _,
                Check::Fresh
                | Check::Unchanged
                | Check::Tcp { .. }
                | Check::Http { .. }
                | Check::Command { .. }
                | Check::Ssh(_)
                | Check::PasswordReady { .. },
            ) => None,
        }
    }

    /// Where checks have to hold: begins the time, begins the next round, or ends the time.
    pub(super) fn hold_checks(&mut self, now: Time, index: usize) {
        while let Some((number, time)) = self.to_hold(index) {
            let alone = self.made_again(index, number).next().is_none();
            let Some(holding) = self.pending.looks[index].holding else {
                let round = now + PROBE_EVERY.min(time);
                let holding = Holding { since: now, round, made: 0 };
                return self.begin_round(index, holding, alone.then_some(now + time));
            };
            let over = holding.since + time;
            if self.made_again(index, number).any(|again| again >= holding.made) {
                return;
            }
            let seen = if alone { now } else { holding.round };
            if seen < over {
                let round = (now + PROBE_EVERY).min(over.max(now));
                let holding = Holding { round, made: 0, ..holding };
                return self.begin_round(index, holding, alone.then_some(over));
            }
            let look = &mut self.pending.looks[index];
            look.holding = None;
            look.passed.insert(number);
        }
    }

    /// Where nothing looks from outside, the server itself is looked at when the time is over.
    fn begin_round(&mut self, index: usize, holding: Holding, alone: Option<Time>) {
        self.look_later(index, |look| {
            look.holding = Some(holding);
            match alone {
                Some(over) => look.server_at = Some(over),
                None => look.probe_at = Some(holding.round),
            }
        });
    }

    /// One of the checks that have to hold passed again; says whether it was one.
    pub(super) fn held(&mut self, index: usize, check: usize) -> bool {
        let look = &mut self.pending.looks[index];
        let again = look.passed.contains(&check);
        if again && let Some(holding) = &mut look.holding {
            holding.made = check + 1;
        }
        again
    }

    /// A check did not pass: whatever held until now does not any more.
    pub(super) fn broke(&mut self, index: usize, check: usize) -> bool {
        let look = &mut self.pending.looks[index];
        look.holding = None;
        look.passed.remove(&check)
    }

    /// A look from outside, as the check wants it.
    fn probe(&self, index: usize, number: usize) -> Option<Action> {
        let server = self.server_id(index);
        let host = self.plan.targets[index].found.host(&server);
        let spec = match &self.treatment(index).verify[number] {
            Check::Tcp { port, .. } => ProbeSpec::Tcp { addr: self.address(index), port: *port },
            Check::Http { url, status, .. } => {
                ProbeSpec::Http { url: url.fill(&host).ok()?, status: *status }
            }
            Check::Command { run, within } => {
                let words: Result<Vec<String>, MissingValue> =
                    run.iter().map(|word| word.fill(&host)).collect();
                let attempt = self.pending.looks[index].tries.get(&number).copied();
                ProbeSpec::Command {
                    words: words.ok()?,
                    run: self.facts.outline.as_ref()?.run.clone(),
                    attempt: attempt.unwrap_or_default() + 1,
                    patience: (*within).max(ONE_LOOK),
                }
            }
            Check::Ssh(ssh) => self.ssh(index, ssh, &host)?,
            Check::Fresh
            | Check::Unchanged
            | Check::PasswordReady { .. }
            | Check::StableFor { .. } => return None,
        };
        Some(Action::Probe { server, spec })
    }

    fn ssh(&self, index: usize, ssh: &SshCheck, host: &HostFacts<'_>) -> Option<ProbeSpec> {
        let fill = |text: &Template| text.fill(host).ok();
        Some(ProbeSpec::Ssh {
            login: SshLogin {
                addr: self.address(index),
                port: ssh.port,
                user: fill(&ssh.user)?,
                key_file: ssh.key_file.clone(),
                program: ssh.program,
            },
            run: fill(&ssh.run)?,
            host_key: match &ssh.host_key {
                HostKeyRule::Changed => match &self.facts.targets[index].host_key {
                    OldHostKey::Seen(before) => HostKey::Not(before.clone()),
                    OldHostKey::Unasked | OldHostKey::Unseen => HostKey::Any,
                },
                HostKeyRule::Any => HostKey::Any,
                HostKeyRule::Is(wanted) => HostKey::Is(fill(wanted)?),
            },
            patience: ssh.within.max(ONE_LOOK),
        })
    }

    /// Whether the host key of a server is to be seen before its stop: a check over SSH will want to
    /// know that it is another afterwards.
    pub(super) fn wants_host_key(&self, index: usize) -> bool {
        self.facts.targets[index].host_key == OldHostKey::Unasked
            && self.wanting_host_key(index).is_some()
    }

    /// The check that will want to know it: it is the same program that looks before and afterwards,
    /// so that both prefer the same of a server's keys.
    fn wanting_host_key(&self, index: usize) -> Option<&SshCheck> {
        self.treatment(index).verify.iter().find_map(|check| match check {
            Check::Ssh(ssh) if ssh.host_key == HostKeyRule::Changed => Some(&**ssh),
            Check::Ssh(_)
            | Check::Fresh
            | Check::Unchanged
            | Check::Tcp { .. }
            | Check::Http { .. }
            | Check::Command { .. }
            | Check::PasswordReady { .. }
            | Check::StableFor { .. } => None,
        })
    }

    fn host_key_look(&self, index: usize) -> Option<Action> {
        let ssh = self.wanting_host_key(index).filter(|_| self.wants_host_key(index))?;
        let (addr, port, program) = (self.address(index), ssh.port, ssh.program);
        let spec = ProbeSpec::HostKey { addr, port, program };
        Some(Action::Probe { server: self.server_id(index), spec })
    }

    /// The host key of a server was seen before its stop, or could not be: it is stopped all the same.
    pub(super) fn host_key_seen(&mut self, draft: &mut Draft, index: usize, report: ProbeReport) {
        let server = self.server_id(index);
        let (fingerprint, detail) = match report {
            ProbeReport::Passed { evidence, .. } => (evidence, None),
            ProbeReport::Failed { detail } => (None, Some(detail)),
        };
        self.record(draft, Event::HostKeySeen { server, fingerprint, detail });
        self.pending.dirty.insert(index);
    }

    /// Where a server is looked at: at the address that can be reached from elsewhere, if it has one.
    fn address(&self, index: usize) -> String {
        let addresses = &self.plan.targets[index].found.addresses;
        let floating = addresses.iter().find(|at| at.kind == AddressKind::Floating);
        floating.or(addresses.first()).map_or_else(String::new, |at| at.addr.clone())
    }
}
