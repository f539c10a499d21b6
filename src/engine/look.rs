//! What looks show: answers to reads, unfolded into one observation a server.

use crate::domain::{
    Answer, Deed, Ending, Event, Fault, FaultClass, LeftOff, Millis, More, Page, Reply, Server,
    Time,
};
use crate::playbook::StepWord;

use super::core::{Draft, Engine};
use super::failure;
use super::issue::PAGE;
use super::pending::{BySweep, Purpose, SeenPower, Traced};
use super::preflight::{may_repeat, read_policy};
use super::retry::{delay, mix};
use super::state::{self, State};

/// Looks at a stop or a start grow apart up to this.
const SLOWEST_LOOK: Millis = Millis::secs(15);

/// One look at one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'s> {
    /// What it showed.
    pub(super) server: &'s Server,
    /// When it was asked for: what it shows is at least as new.
    pub(super) asked: Time,
}

impl Engine {
    /// An answer to a read.
    pub(super) fn read_replied(
        &mut self,
        draft: &mut Draft,
        purpose: &Purpose,
        asked: Time,
        reply: Reply,
    ) {
        self.clear_asking(purpose);
        if reply.is_ok() {
            self.pending.read_troubles = 0;
        }
        match (purpose, reply) {
            (Purpose::Sweep { .. }, Ok(Answer::Servers { more, servers })) => {
                self.sweep_page(draft, more, asked, &servers);
            }
            (Purpose::Look(index), Ok(Answer::Server(server))) => {
                self.seen(draft, *index, Sighting { server: &server, asked });
            }
            (Purpose::Look(index), Err(fault)) if fault.class == FaultClass::NotFound => {
                self.not_found(draft, *index);
            }
            (Purpose::Job(index), Ok(Answer::Job(job))) => self.job_seen(draft, *index, &job),
            (Purpose::Job(index), Err(fault))
                if fault.class == FaultClass::NotFound
                    && self.job_forgotten(draft, *index, asked) => {}
            (Purpose::Traces(index), Ok(Answer::Traces(traces))) => {
                if self.is_before_wipe(*index) {
                    self.records_before_wipe(draft, *index, (asked, &traces));
                } else {
                    let said = self.read_log(*index, &traces);
                    self.note_traced(draft, *index, asked, said);
                }
            }
            (Purpose::Backups(index), Ok(Answer::Backups(backups))) => {
                self.backups_seen(draft, *index, asked, &backups);
            }
            (Purpose::Volumes { offset }, Ok(Answer::Volumes(volumes))) => {
                self.volumes_page(draft, *offset, volumes);
            }
            (Purpose::Probe { target, check }, Ok(Answer::Probe(report))) => {
                self.probed(draft, *target, *check, report);
            }
            (Purpose::Probe { target, check }, Ok(Answer::Password(seen))) => {
                self.password_seen(draft, (*target, *check), Ok(seen));
            }
            (Purpose::Probe { target, check }, Err(fault)) if !may_repeat(&fault) => {
                self.password_seen(draft, (*target, *check), Err(&fault));
            }
            (Purpose::Traces(index), Err(fault))
                if fault.class == FaultClass::Forbidden && self.is_before_wipe(*index) =>
            {
                self.no_records_before_wipe(draft, *index, &fault.to_string());
            }
            (Purpose::Traces(index), Err(fault)) if fault.class == FaultClass::Forbidden => {
                let traced = Traced::Unreadable(fault.to_string());
                self.note_traced(draft, *index, asked, traced);
            }
            (purpose, Err(fault)) => self.read_failed(draft.now.at, purpose, &fault),
            (purpose, Ok(_)) => {
                let fault = Fault {
                    class: FaultClass::Transient,
                    code: "refleet.answer".to_owned(),
                    message: "the answer was not one to this request".to_owned(),
                    request_id: None,
                    retry_after: None,
                };
                self.read_failed(draft.now.at, purpose, &fault);
            }
        }
    }

    fn is_before_wipe(&self, index: usize) -> bool {
        matches!(self.facts.targets[index].state, State::Stopped { .. } | State::Validated { .. })
    }

    fn clear_asking(&mut self, purpose: &Purpose) {
        let (index, clear): (usize, fn(&mut super::pending::Asking)) = match purpose {
            Purpose::Look(index) => (*index, |asking| asking.server = false),
            Purpose::Job(index) => (*index, |asking| asking.job = false),
            Purpose::Traces(index) => (*index, |asking| asking.trace = false),
            Purpose::Backups(index) => (*index, |asking| asking.backup = false),
            Purpose::Probe { target, .. } => (*target, |asking| asking.probe = false),
            Purpose::Sweep { .. }
            | Purpose::Volumes { .. }
            | Purpose::Survey(_)
            | Purpose::Own { .. }
            | Purpose::Change { .. } => return,
        };
        clear(&mut self.pending.looks[index].asking);
        self.pending.dirty.insert(index);
    }

    /// A read failed: all reads pause a little, then it is asked again.
    fn read_failed(&mut self, now: Time, purpose: &Purpose, fault: &Fault) {
        self.pending.read_troubles = (self.pending.read_troubles + 1).min(16);
        let troubles = self.pending.read_troubles;
        let draw = mix(self.seed, troubles as usize, now.0);
        let again = now + delay(&read_policy(), troubles, draw, fault.retry_after).max(Millis(200));
        self.pending.reads_at = self.pending.reads_at.max(again.min(now + Millis::secs(5)));
        match purpose {
            Purpose::Sweep { page } => {
                if let Some(sweep) = &mut self.pending.sweep {
                    sweep.asking = sweep.asking.saturating_sub(1);
                    // The server that the page begins behind may be gone: begin again.
                    let lost = matches!(page, Page::After(_)) && !may_repeat(fault);
                    if lost {
                        sweep.shown = 0;
                    }
                    sweep.pages.push(if lost { Page::FIRST } else { page.clone() });
                }
            }
            Purpose::Volumes { offset } => {
                if let Some(read) = &mut self.pending.volumes {
                    read.next = Some(*offset);
                }
            }
            Purpose::Look(index) => self.look_later(*index, |look| look.server_at = Some(again)),
            Purpose::Job(index) => self.look_later(*index, |look| look.job_at = Some(again)),
            Purpose::Traces(index) => self.look_later(*index, |look| look.trace_at = Some(again)),
            Purpose::Backups(index) => self.look_later(*index, |look| look.backup_at = Some(again)),
            Purpose::Probe { target, .. } => {
                self.look_later(*target, |look| look.probe_at = Some(again));
            }
            Purpose::Survey(_) | Purpose::Own { .. } | Purpose::Change { .. } => {}
        }
    }

    pub(super) fn look_later(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut super::pending::Look),
    ) {
        change(&mut self.pending.looks[index]);
        self.pending.dirty.insert(index);
    }

    fn sweep_page(&mut self, draft: &mut Draft, more: More, asked: Time, servers: &[Server]) {
        self.count_page(more, servers.len());
        for server in servers {
            let Some(index) = self.plan.targets.get_index_of(&server.id) else { continue };
            if self.pending.looks[index].by_sweep == BySweep::Awaited {
                self.look_later(index, |look| {
                    look.asking.server = false;
                    look.by_sweep = BySweep::Idle;
                });
            }
            // Most of a large project waits or is done: that costs no more than this.
            let idle =
                matches!(self.facts.targets[index].state, State::Pending { .. } | State::Ended);
            if !idle || self.pending.owed.contains(&index) {
                self.seen(draft, index, Sighting { server, asked });
            }
        }
        self.end_sweep();
    }

    /// Which pages are still to come.
    fn count_page(&mut self, more: More, servers: usize) {
        let Some(sweep) = &mut self.pending.sweep else { return };
        sweep.asking = sweep.asking.saturating_sub(1);
        sweep.shown = sweep.shown.saturating_add(u32::try_from(servers).unwrap_or(u32::MAX));
        self.pending.total = match more {
            More::Total(total) => total,
            // So many at least.
            More::After(_) => self.pending.total.max(sweep.shown.saturating_add(1)),
            More::Nothing => sweep.shown,
        };
        match more {
            More::Total(total) if !sweep.counted => {
                sweep.counted = true;
                sweep.pages.extend((2..=total.div_ceil(PAGE)).map(Page::Number));
            }
            More::After(server) => sweep.pages.push(Page::After(server)),
            More::Total(_) | More::Nothing => {}
        }
    }

    /// Servers that no page showed are asked for alone: pages shift, and servers go.
    fn end_sweep(&mut self) {
        if self.pending.sweep.as_ref().is_some_and(|s| s.asking == 0 && s.pages.is_empty())
            && let Some(sweep) = self.pending.sweep.take()
        {
            let looks = &self.pending.looks;
            let missing: Vec<usize> = sweep
                .wanted
                .into_iter()
                .filter(|index| looks[*index].by_sweep == BySweep::Awaited)
                .collect();
            for index in missing {
                self.look_later(index, |look| {
                    look.asking.server = false;
                    look.by_sweep = BySweep::Missed;
                });
            }
        }
    }

    /// One look at one server.
    pub(super) fn seen(&mut self, draft: &mut Draft, index: usize, sighting: Sighting<'_>) {
        let by_sweep = &mut self.pending.looks[index].by_sweep;
        if *by_sweep == BySweep::Missed {
            *by_sweep = BySweep::Idle;
        }
        self.pending.looks[index].answered = Some(draft.now.at);
        if self.pending.owed.contains(&index) && !self.is_power_running(index) {
            return self.seen_owed(draft, index, sighting);
        }
        let asked = sighting.asked;
        match self.facts.targets[index].state.clone() {
            State::Power(purpose, power) => {
                self.seen_power(draft, index, sighting, (purpose, &power));
            }
            State::Stopped { since, not_before } => {
                if self.pending.looks[index].granted && asked >= since.max(not_before) {
                    self.compare(draft, index, sighting);
                } else if self.step_waits_for_look(index, draft.now.at) {
                    self.clear_while_off(draft, index, sighting);
                }
            }
            State::Backup(_) if self.step_waits_for_look(index, draft.now.at) => {
                self.clear_under_way(draft.now.at, index, sighting);
            }
            State::Validated { seen } => {
                if asked > seen && self.facts.closing.is_none() {
                    self.compare(draft, index, sighting);
                }
            }
            State::Reinstalling(sent) => self.seen_wiping(draft, index, sighting, &sent),
            State::Settling { until } if asked >= until && self.is_open(index, StepWord::Wait) => {
                self.seen_settled(draft, index, sighting);
            }
            State::Verifying { not_before, .. } if asked >= not_before => {
                self.verify(draft, index, sighting.server);
            }
            State::StepsLeft(_) => self.seen_with_steps_left(draft, index, sighting),
            State::Settling { .. }
            | State::Backup(_)
            | State::Verifying { .. }
            | State::Pending { .. }
            | State::Ended => {}
        }
    }

    /// A server that waits for steps alone; how it is left off matters at its end.
    fn seen_with_steps_left(
        &mut self,
        draft: &mut Draft,
        index: usize,
        Sighting { server, asked }: Sighting<'_>,
    ) {
        if asked < self.pending.looks[index].since {
            return;
        }
        let power = if server.is_stopped() { SeenPower::Off } else { SeenPower::On };
        self.note_power(index, Some(power));
        if self.all_steps_done(index) {
            self.end_checked(draft, index);
        }
    }

    /// The server is not there any more.
    fn not_found(&mut self, draft: &mut Draft, index: usize) {
        let server = self.server_id(index);
        let target = &self.facts.targets[index];
        if target.state.is_submitting() {
            return;
        }
        if self.pending.owed.contains(&index) {
            let detail = "the cloud does not know it any more".to_owned();
            return self
                .record(draft, Event::NotStartedBack { server, detail, why: LeftOff::Failed });
        }
        match &target.state {
            State::Reinstalling(_) => {
                let evidence = vec!["the cloud does not know the server any more".to_owned()];
                self.give_up(draft, index, Deed::Reinstall, evidence);
            }
            State::Pending { .. } | State::Ended => {}
            State::Power(state::Purpose::Stop, _)
            | State::Backup(_)
            | State::Stopped { .. }
            | State::Validated { .. }
                if !target.wiped =>
            {
                self.end(draft, server, Ending::Drifted, Some(failure::gone()));
            }
            State::Stopped { .. }
            | State::Backup(_)
            | State::Validated { .. }
            | State::Power(_, _)
            | State::Settling { .. }
            | State::StepsLeft(_)
            | State::Verifying { .. } => {
                self.end(draft, server, Ending::Failed, Some(failure::gone()));
            }
        }
    }

    /// Nothing new: look again, a little later each time.
    pub(super) fn look_again(&mut self, now: Time, index: usize) {
        self.look_later(index, |look| {
            look.looks += 1;
            let wait = 2_000 * (1 << look.looks.min(4)) / 2;
            look.server_at = Some(now + Millis(wait).min(SLOWEST_LOOK));
        });
    }
}
