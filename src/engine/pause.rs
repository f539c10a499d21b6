//! A run whose user is shut out in the middle: the keys are locked, the password was changed, the token
//! was revoked, the project or the user was disabled.
//!
//! Nothing that is sent after the first such answer could succeed, and each signed request that fails
//! brings the lock of an access key nearer (`auth.md`). So nothing more is sent, not even what starts
//! servers back: what is in flight is let answer, and then the run pauses. It is resumed as after a
//! crash.

use crate::domain::{CallId, Event, Fault, PauseCause, advice};

use super::core::{Draft, Engine};
use super::pending::Purpose;

impl Engine {
    /// The cloud does not accept us any more. The request was not done, and that counts as no attempt
    /// of its servers. A read is simply forgotten: whoever resumes the run asks again.
    pub(super) fn shut_out(
        &mut self,
        draft: &mut Draft,
        call: CallId,
        purpose: Purpose,
        fault: &Fault,
    ) {
        self.pending.shut_out.get_or_insert_with(|| PauseCause::LockedOut {
            code: fault.code.clone(),
            detail: fault.message.clone(),
            help: advice(&fault.code, fault.class).to_owned(),
        });
        #[cfg(test)]
        if self.flaw == Some(super::Flaw::KnocksOn) {
            self.pending.shut_out = None;
        }
        let Purpose::Change { deed, servers } = purpose else { return };
        let (class, detail, retry_at) = (fault.class, fault.to_string(), draft.now.at);
        let request_id = fault.request_id.clone();
        self.record(
            draft,
            Event::PutOff { call, deed, servers, class, detail, retry_at, request_id },
        );
    }

    /// Pauses a run that is shut out, once every answer came.
    pub(super) fn pause_if_at_rest(&mut self, draft: &mut Draft) {
        if self.pending.calls.is_empty()
            && let Some(cause) = self.pending.shut_out.clone()
        {
            self.record(draft, Event::Paused { cause });
        }
    }
}
