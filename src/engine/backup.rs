//! The backup before the stop: asked for once, looked up where its answer was lost, and waited for.
//!
//! Backups of a run have a name of their own. So a list of one server's backups says whether a request
//! for it arrived, and another one is never asked for on a guess. A backup does no harm, so what nobody can
//! say of one ends its server before anything was done to it.

use crate::domain::{Action, Backup, BackupState, Deed, Ending, Event, Millis, Time, Verdict};

use super::core::{Draft, Engine};
use super::failure;
use super::state::{Sent, State};

/// Looks at a backup grow apart up to this: it takes minutes to hours.
const SLOWEST_LOOK: Millis = Millis::secs(60);

/// A backup that was taken is shown by then; one that is not there after it is gone.
const SHOWN_BY: Millis = Millis::mins(5);

impl Engine {
    /// The request for the backup of a server.
    pub(super) fn backup_of(&self, index: usize) -> Action {
        let asked = self.treatment(index).backup.as_ref();
        let vault = asked.map(|backup| backup.vault.clone()).unwrap_or_default();
        Action::Backup { server: self.server_id(index), vault, name: self.backup_name() }
    }

    /// The name of this run's backups: 1 to 64 letters, digits, `_` or `-`.
    fn backup_name(&self) -> String {
        let run = self.facts.outline.as_ref().map_or("", |outline| outline.run.as_str());
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        format!("refleet-{run}").chars().map(plain).take(64).collect()
    }

    /// A list of the backups of a server that is being backed up.
    pub(super) fn backups_seen(
        &mut self,
        draft: &mut Draft,
        index: usize,
        asked: Time,
        backups: &[Backup],
    ) {
        let State::Backup(sent) = &self.facts.targets[index].state else { return };
        if asked < sent.since() {
            return;
        }
        // All servers of a run share the name of their backups, and a cloud that does not say what a
        // backup was made by says the same of each: neither may stand for another's.
        let server = self.server_id(index);
        let mut own = backups
            .iter()
            .filter(|backup| backup.server == server && !backup.checkpoint.as_str().is_empty());
        match sent.clone() {
            Sent::Submitting { .. } => {}
            Sent::InDoubt { look_at, .. } => {
                let name = self.backup_name();
                let ours = own.find(|backup| backup.name == name);
                self.backup_in_doubt(draft, index, ours, asked >= look_at);
            }
            Sent::Running { job, since } => {
                let ours = own.find(|it| Some(&it.checkpoint) == job.as_ref());
                self.backup_under_way(draft, index, ours, (asked, since));
            }
        }
    }

    fn backup_in_doubt(
        &mut self,
        draft: &mut Draft,
        index: usize,
        ours: Option<&Backup>,
        late: bool,
    ) {
        let (server, deed) = (self.server_id(index), Deed::Backup);
        let (verdict, evidence) = match ours {
            Some(backup) => (
                Verdict::Happened { job: Some(backup.checkpoint.clone()) },
                format!("backup {} of this run is in the list", backup.id),
            ),
            None if late => {
                (Verdict::DidNot, "no backup of this run is in the list of its backups".to_owned())
            }
            None => return self.look_at_backup_again(draft.now.at, index),
        };
        let did_not = verdict == Verdict::DidNot;
        let evidence = vec![evidence];
        let attempts = self.treatment(index).retry.transient.attempts;
        let retry_at = None;
        let event = Event::Resolved { server: server.clone(), deed, verdict, evidence, retry_at };
        self.record(draft, event);
        if did_not && self.facts.targets[index].put_off.transient >= attempts {
            let failure = failure::backup_failed("of which every answer was lost");
            self.end(draft, server, Ending::Failed, Some(failure));
        }
    }

    fn backup_under_way(
        &mut self,
        draft: &mut Draft,
        index: usize,
        ours: Option<&Backup>,
        (asked, since): (Time, Time),
    ) {
        let server = self.server_id(index);
        let state = ours.map(|backup| (backup.state, backup.id.clone()));
        let whole = ours.is_some_and(|backup| backup.has_system_disk);
        match state {
            // The disk that will be wiped is not in it: there would be no way back.
            Some((BackupState::Available, backup)) if !whole => {
                let failure = failure::backup_without_system_disk(&backup);
                self.end(draft, server, Ending::Failed, Some(failure));
            }
            Some((BackupState::Available, backup)) => {
                let took = draft.now.at.since(since);
                self.record(draft, Event::BackedUp { server, backup, took });
            }
            Some((BackupState::Failed, backup)) => {
                let failure = failure::backup_failed(&backup);
                self.end(draft, server, Ending::Failed, Some(failure));
            }
            None if asked.since(since) >= SHOWN_BY => {
                let failure = failure::backup_failed("that is not in the list of backups");
                self.end(draft, server, Ending::Failed, Some(failure));
            }
            Some((BackupState::UnderWay, _)) | None => {
                self.look_at_backup_again(draft.now.at, index);
            }
        }
    }

    fn look_at_backup_again(&mut self, now: Time, index: usize) {
        self.look_later(index, |look| {
            look.looks += 1;
            let wait = Millis::secs(5 << look.looks.min(4));
            look.backup_at = Some(now + wait.min(SLOWEST_LOOK));
        });
    }
}
