//! Ways in which the engine is broken on purpose, to see that the checkers of the simulation see it.
//! Only in tests.

use crate::domain::{Deed, Event, FaultClass, ServerId};
use crate::plan::Recheck;
use crate::playbook::Check;

use super::core::{Draft, Engine};
use super::state::{Power, Sent, State};

/// A way in which the engine is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A lost answer is taken for a refusal: the request is sent again without a look.
    ResendAfterLoss,
    /// A resumed run takes requests that were not answered for requests that were not sent.
    ResumeWithoutDoubt,
    /// The failure budget is not looked at.
    BudgetIgnored,
    /// `limits.per_az` is not looked at.
    ZonesIgnored,
    /// Nobody is backed up, whatever the plan says.
    BackupsSkipped,
    /// Who is shut out goes on knocking.
    KnocksOn,
    /// A canary is a server like any other.
    CanaryIgnored,
    /// Fleets do not wait for each other.
    NeedsIgnored,
    /// Tags and locks that came after the plan are not looked at.
    ProtectionIgnored,
    /// No wave waits for an approval.
    GatesForgotten,
    /// Checks from outside are believed to pass without being made.
    BelievesUnseen,
    /// What has to hold for a while is not looked at again.
    LooksAway,
    /// What the playbook's own steps come before does not wait for them.
    StepsIgnored,
    /// A step that must not be run twice is run again after a crash.
    OnceForgotten,
    /// Steps of servers that were not wiped are not taken back.
    UndoForgotten,
}

impl Engine {
    /// What a careless engine would do after a crash: take what was not answered for not sent. Gives
    /// the servers whose wipes it forgot.
    pub(super) fn forget_what_was_sent(&mut self, draft: &mut Draft) -> Vec<ServerId> {
        let mut forgotten = Vec::new();
        if self.flaw != Some(Flaw::ResumeWithoutDoubt) {
            return forgotten;
        }
        for index in 0..self.facts.targets.len() {
            let (deed, sent) = match &self.facts.targets[index].state {
                State::Power(purpose, Power::Sent(sent)) => (purpose.deed(), sent),
                State::Reinstalling(sent) => (Deed::Reinstall, sent),
                State::Backup(sent) => (Deed::Backup, sent),
                State::Power(_, Power::Due(_))
                | State::Pending { .. }
                | State::Stopped { .. }
                | State::Validated { .. }
                | State::Settling { .. }
                | State::Verifying { .. }
                | State::StepsLeft(_)
                | State::Ended => continue,
            };
            let Sent::Submitting { call, .. } = sent else { continue };
            let (call, servers) = (*call, vec![self.server_id(index)]);
            if deed == Deed::Reinstall {
                forgotten.extend(servers.iter().cloned());
            }
            let (class, retry_at) = (FaultClass::Transient, draft.now.at);
            let detail = "forgotten".to_owned();
            let event =
                Event::PutOff { call, deed, servers, class, detail, retry_at, request_id: None };
            self.record(draft, event);
        }
        forgotten
    }

    /// A careless engine takes a protected server for one that may be wiped.
    pub(super) fn blind_to_protection(&self, found: Recheck) -> Recheck {
        if self.is_broken_by(Flaw::ProtectionIgnored) {
            return Recheck { protected: Vec::new(), ..found };
        }
        found
    }

    /// A careless engine does not look before it sends again either: the look alone would save it.
    pub(super) fn trust_blindly(&mut self, draft: &mut Draft, deed: Deed, servers: Vec<ServerId>) {
        if deed == Deed::Reinstall && !servers.is_empty() {
            self.record(draft, Event::Validated { servers, seen: draft.now.at });
        }
    }

    /// A careless engine takes checks for passed that it has not made, or not made again.
    pub(super) fn believe(&mut self, index: usize) {
        let checks = self.treatment(index).verify.iter().enumerate();
        let believed: Vec<usize> = checks
            .filter(|(_, check)| {
                let unseen = self.flaw == Some(Flaw::BelievesUnseen) && check.is_from_outside();
                let held = matches!(check, Check::StableFor { .. });
                unseen || (held && self.flaw == Some(Flaw::LooksAway))
            })
            .map(|(number, _)| number)
            .collect();
        self.pending.looks[index].passed.extend(believed);
    }
}
