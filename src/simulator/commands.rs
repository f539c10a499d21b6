//! What changes something: stop, start, reinstall, change the OS.

use super::dice::Dice;
use super::error::ApiError;
use super::history::{Asking, By, What};
use super::jobs::{Failing, JobKind, Part, TheJob};
use super::knobs::{BusyCode, IdleCall, Span, millis};
use super::machine::{Machine, NewSystem, Task, TaskKind};
use super::tasks::{Event, Step, add};
use super::world::World;
use crate::domain::{Deed, ImageId, InstallCall, JobId, Millis, ServerId, StopMode, Trace};

/// A reinstall as the cloud understands it.
#[derive(Clone, Debug)]
pub(super) struct Wipe {
    /// Which form of the call.
    pub(super) call: InstallCall,
    /// Name and owner of the key pair.
    pub(super) key_pair: Option<(String, String)>,
    /// A password is set.
    pub(super) password: bool,
    /// User data is sent.
    pub(super) user_data: bool,
    /// The user brings the licence.
    pub(super) byol: bool,
    /// Another image than the server has: its OS is changed.
    pub(super) new_image: Option<ImageId>,
    /// KMS key of the new system disk.
    pub(super) disk_key: Option<String>,
    /// The server may run: it is stopped as part of the job.
    pub(super) stop_first: StopFirst,
}

/// Whether the cloud stops a running server before it reinstalls it (`mode: withStopServer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopFirst {
    /// It does.
    Yes,
    /// A running server is refused.
    No,
}

impl World {
    /// Stops servers.
    pub(super) fn stop(
        &mut self,
        now: Millis,
        ids: &[ServerId],
        mode: StopMode,
    ) -> Result<JobId, ApiError> {
        let (kind, span) = match mode {
            StopMode::Soft => (TaskKind::SoftStop, self.knobs.stop_soft),
            StopMode::Hard => (TaskKind::HardStop, self.knobs.stop_hard),
        };
        self.power(
            now,
            ids,
            &Power { job: JobKind::Stop, deed: Some(Deed::stop(mode)), kind, span },
        )
    }

    /// Starts servers.
    pub(super) fn start(&mut self, now: Millis, ids: &[ServerId]) -> Result<JobId, ApiError> {
        let (job, deed, kind) = (JobKind::Start, Some(Deed::Start), TaskKind::Start);
        self.power(now, ids, &Power { job, deed, kind, span: self.knobs.start })
    }

    /// Changes the power of servers.
    pub(super) fn power(
        &mut self,
        now: Millis,
        ids: &[ServerId],
        power: &Power,
    ) -> Result<JobId, ApiError> {
        let outcome = self.power_now(now, ids, power);
        if let (Some(deed), Err(error)) = (power.deed, &outcome) {
            for id in ids {
                self.write_request(now, (deed, id), Some(error.code));
            }
        }
        outcome
    }

    fn power_now(
        &mut self,
        now: Millis,
        ids: &[ServerId],
        power: &Power,
    ) -> Result<JobId, ApiError> {
        if ids.is_empty() {
            return Err(ApiError::new(400, "Ecs.0005", "The request names no server."));
        }
        if ids.len() > 1_000 {
            return Err(ApiError::new(400, "Ecs.0118", "The batch names too many servers."));
        }
        let known = |id: &ServerId| self.by_id.contains_key(id) || self.is_helper_now(id);
        if !ids.iter().all(known) {
            return Err(ApiError::no_server());
        }
        let operation = power.operation();
        let verdicts: Vec<_> = ids
            .iter()
            .map(|id| {
                self.watch(now, operation, id);
                self.power_verdict(id, power)
            })
            .collect();
        if verdicts.iter().all(Result::is_err)
            && let Some(Err(failing)) = verdicts.first()
        {
            return Err(ApiError::coded(failing.code));
        }
        let job = self.new_job(now, power.job, ids);
        for (part, (id, verdict)) in ids.iter().zip(verdicts).enumerate() {
            let place = (job, part);
            match verdict {
                Ok(Some(index)) => self.begin_power(now, index, (place, power)),
                Ok(None) => self.end_parts(now, &[place], Ok(())),
                Err(failing) => self.end_parts(now, &[place], Err(failing)),
            }
            if let Some(deed) = power.deed {
                self.write_request(now, (deed, id), verdict.err().map(|failing| failing.code));
            }
            if let (Ok(_), Some(deed)) = (verdict, power.deed) {
                self.done(now, deed, id);
            }
        }
        Ok(self.jobs[job].id.clone())
    }

    /// Whether the server takes it; `None`: there is nothing to do.
    fn power_verdict(&self, id: &ServerId, power: &Power) -> Result<Option<usize>, Failing> {
        let Some(index) = self.by_id.get(id).copied() else { return Ok(None) };
        let machine = &self.machines[index];
        if machine.server.locked {
            return Err(Failing::coded("Ecs.0605"));
        }
        if machine.server.frozen {
            return Err(Failing::coded("Ecs.0030"));
        }
        let hurries = |task: &Task| {
            matches!((&task.kind, &power.kind), (TaskKind::SoftStop, TaskKind::HardStop))
        };
        if machine.task.as_ref().is_some_and(|task| !hurries(task)) {
            return Err(self.busy());
        }
        if let TaskKind::Reboot(_) = power.kind {
            let runs = machine.server.status == "ACTIVE";
            return if runs { Ok(Some(index)) } else { Err(Failing::coded("Ecs.0100")) };
        }
        let wanted = if power.job == JobKind::Start { "ACTIVE" } else { "SHUTOFF" };
        if machine.server.status == wanted && machine.task.is_none() {
            return match self.knobs.idle_call {
                IdleCall::Succeeds => Ok(None),
                IdleCall::Fails => Err(Failing::coded("Ecs.0100")),
            };
        }
        Ok(Some(index))
    }

    fn begin_power(&mut self, now: Millis, index: usize, (place, power): (Place, &Power)) {
        let mut length = self.dice.length(power.span);
        if matches!(power.kind, TaskKind::SoftStop) && self.luck.chance(self.faults.slow_stop) {
            length = Millis(length.0 * (20 + self.luck.below(80) as u64));
        }
        if let (TaskKind::SoftStop, Some(limit)) = (&power.kind, self.knobs.soft_falls_back) {
            length = length.min(millis(limit));
        }
        let mut parts = vec![place];
        if let Some(earlier) = self.machines[index].task.take() {
            parts.extend(earlier.parts);
        }
        let (number, asking) = (self.number(), self.asking);
        let task = Task { number, parts, kind: power.kind.clone(), asking };
        let event = Event { machine: index, task: task.number, step: Step::PowerChanged };
        self.machines[index].task = Some(task);
        let server = self.change(now, index);
        let (status, state) = power.meanwhile();
        server.task_state = Some(state.to_owned());
        if let Some(status) = status {
            status.clone_into(&mut server.status);
        }
        self.plan(add(now, length), event);
    }

    /// Wipes the system disk of a server and installs its image anew.
    pub(super) fn reinstall(
        &mut self,
        now: Millis,
        id: &ServerId,
        wipe: &Wipe,
    ) -> Result<JobId, ApiError> {
        let outcome = self.reinstall_now(now, id, wipe);
        self.note_trace(now, id, (wipe, &outcome));
        outcome
    }

    /// The same without a line in the audit log.
    pub(super) fn reinstall_now(
        &mut self,
        now: Millis,
        id: &ServerId,
        wipe: &Wipe,
    ) -> Result<JobId, ApiError> {
        let outcome = self.try_reinstall(now, id, wipe);
        let refused = outcome.as_ref().err().map(|error| error.code);
        self.write_request(now, (Deed::Reinstall, id), refused);
        outcome
    }

    fn try_reinstall(
        &mut self,
        now: Millis,
        id: &ServerId,
        wipe: &Wipe,
    ) -> Result<JobId, ApiError> {
        self.watch(now, "reinstall", id);
        let Some(index) = self.by_id.get(id).copied() else {
            let helper = self.is_helper_now(id);
            return Err(if helper { ApiError::coded("Ecs.0100") } else { ApiError::no_server() });
        };
        let fitting = self.check_wipe(index, wipe)?;
        let machine = &self.machines[index];
        let on = machine.server.status == "ACTIVE" || machine.last_failed;
        let runs_on = self.knobs.reinstalls_running && on;
        let Asking { by, copy, .. } = self.asking;
        let again = machine.count(by).accepted > 0 && !machine.last_failed;
        if again && !copy && by != By::Colleague {
            self.violated(now, "second_reinstall", ("reinstall", id));
        }
        let system = NewSystem {
            key_name: wipe.key_pair.as_ref().map(|(name, _)| name.clone()),
            disk_key: fitting.image.key.clone().or_else(|| wipe.disk_key.clone()),
            gib: fitting.gib,
            image: wipe.new_image.is_some().then_some(fitting.image),
            helper: None,
            reserved_gib: if self.knobs.reinstall_reserves { fitting.gib } else { 0 },
            holds_quota: true,
            runs_on,
        };
        let kind = if system.image.is_some() { JobKind::ChangeOs } else { JobKind::Reinstall };
        let job = self.new_job(now, kind, std::slice::from_ref(id));
        self.begin_reinstall(now, index, ((job, 0), system));
        self.write_down(now, id, What::WipeBegan(self.asking));
        if by != By::Colleague {
            self.done(now, Deed::Reinstall, id);
        }
        Ok(self.jobs[job].id.clone())
    }

    fn begin_reinstall(&mut self, now: Millis, index: usize, (place, system): (Place, NewSystem)) {
        self.reserved.0 += u64::from(self.knobs.reinstall_reserves);
        self.reserved.1 += system.reserved_gib;
        self.in_flight += 1;
        self.counters.peak_in_flight = self.counters.peak_in_flight.max(self.in_flight);
        let number = self.number();
        let span = if system.image.is_some() { self.knobs.change_os } else { self.knobs.reinstall };
        let kind = TaskKind::Reinstall(Box::new(system));
        let asking = self.asking;
        let machine = &mut self.machines[index];
        machine.counted(asking.by).accepted += 1;
        machine.injecting_until = None;
        machine.task = Some(Task { number, parts: vec![place], kind, asking });
        let runs = machine.server.status == "ACTIVE" && !self.knobs.reinstalls_running;
        let at = |step| Event { machine: index, task: number, step };
        let begin = if runs {
            self.change(now, index).task_state = Some("powering-off".to_owned());
            let stopped = self.after(now, self.knobs.stop_soft);
            self.plan(stopped, at(Step::StoppedFirst));
            stopped
        } else {
            let shown = (self.knobs.reinstall_status.clone(), self.knobs.reinstall_task.clone());
            let server = self.change(now, index);
            server.status = shown.0;
            server.task_state = Some(shown.1);
            self.power_is(now, index, (false, asking));
            now
        };
        let length = self.reinstall_length(span);
        let mut rates = FailureRates::from(&self.faults);
        if self.faults.first_failures > 0 {
            self.faults.first_failures -= 1;
            rates.0 = 1.0;
        }
        for (share, step) in course(&mut self.luck, &rates) {
            self.plan(add(begin, Millis(length.0 * share / 100)), at(step));
        }
    }

    fn reinstall_length(&mut self, span: Span) -> Millis {
        let length = self.dice.length(span);
        let slow = self.luck.chance(self.faults.slow_job);
        if slow { Millis(length.0 * (3 + self.luck.below(8) as u64)) } else { length }
    }

    /// Counts what a careful client never does.
    fn watch(&mut self, now: Millis, operation: &'static str, id: &ServerId) {
        if self.helper_ids.contains(id) {
            self.violated(now, "temporary_server", (operation, id));
        }
        let machine = self.by_id.get(id).map(|index| &self.machines[*index]);
        let Asking { by, copy, .. } = self.asking;
        let mine =
            |machine: &Machine| machine.is_injecting(now) && machine.installed_by == Some(by);
        if machine.is_some_and(mine) && !copy && by != By::Colleague {
            self.violated(now, "during_injection", (operation, id));
        }
    }

    fn is_helper_now(&self, id: &ServerId) -> bool {
        self.helper_ids.contains(id) && self.helpers.iter().any(|helper| helper.id == *id)
    }

    /// What a busy server says.
    pub(super) fn busy(&self) -> Failing {
        Failing::coded(match self.knobs.busy_code {
            BusyCode::CommandRunning => "Ecs.0603",
            BusyCode::WrongState => "Ecs.0100",
            BusyCode::Locked => "Ecs.0605",
        })
    }

    fn new_job(&mut self, now: Millis, kind: JobKind, ids: &[ServerId]) -> usize {
        let index = self.jobs.len();
        let id = JobId::new(format!("ff80{}", &self.dice.hex()[..28]));
        let parts = ids
            .iter()
            .map(|server| {
                let id = JobId::new(format!("ff80{}", &self.dice.hex()[..28]));
                Part { id, server: server.clone(), end: None }
            })
            .collect();
        let visible = self.after(now, self.knobs.job_visible);
        let runs = self.after(now, Span(0.2, 2.0));
        self.job_by_id.insert(id.clone(), index);
        self.jobs.push(TheJob { id, kind, visible, begin: now, runs, parts, open: ids.len() });
        index
    }

    fn note_trace(
        &mut self,
        now: Millis,
        id: &ServerId,
        (wipe, outcome): (&Wipe, &Result<JobId, ApiError>),
    ) {
        if !self.knobs.traces {
            return;
        }
        let name = match (wipe.call, &wipe.new_image) {
            (_, Some(_)) => "changeOs",
            (InstallCall::V2, None) => "reinstallOsV2",
            (InstallCall::V1, None) => "reinstallOs",
        };
        let (code, job) = match outcome {
            Ok(job) => (200, self.knobs.trace_holds_job.then(|| job.clone())),
            Err(error) => (error.status, None),
        };
        let (name, time) = (name.to_owned(), self.log_clock(now));
        let trace = Trace { name, server: id.clone(), time, code, job };
        let visible = self.after(now, self.knobs.trace_visible);
        self.traces.entry(id.clone()).or_default().push((visible, trace));
    }
}

/// A job and the part of it.
type Place = (usize, usize);

/// A change of power.
pub(super) struct Power {
    /// Its job.
    pub(super) job: JobKind,
    /// What it counts as; nothing that we send.
    pub(super) deed: Option<Deed>,
    /// What runs on the servers.
    pub(super) kind: TaskKind,
    /// How long.
    pub(super) span: Span,
}

/// How often reinstalls fail: before and after the disk is swapped.
struct FailureRates(f64, f64);

impl From<&super::Faults> for FailureRates {
    fn from(faults: &super::Faults) -> Self {
        Self(faults.job_failure, faults.job_failure_after_swap)
    }
}

/// The steps of one reinstall, each with its moment in percent of the whole length.
fn course(luck: &mut Dice, rates: &FailureRates) -> Vec<(u64, Step)> {
    if luck.chance(rates.0) {
        return vec![(20, Step::Detached), (50, Step::Broken)];
    }
    if luck.chance(rates.1) {
        return vec![(20, Step::Detached), (60, Step::Swapped), (90, Step::Broken)];
    }
    vec![(20, Step::Detached), (60, Step::Swapped), (100, Step::Reinstalled)]
}

#[cfg(test)]
mod tests {
    use super::super::trial::{answer, calm, ids, job, reinstall_of, shown, status, stop_of};
    use super::super::{Faults, Knobs, Span, WorldSpec};
    use super::*;
    use crate::domain::{Action, Answer, JobStatus, More, Page};

    fn world(spec: WorldSpec, faults: Faults) -> World {
        World::new(&WorldSpec { knobs: calm(), ..spec }, faults, 1)
    }

    #[test]
    fn a_stopping_server_is_active_until_it_is_not() {
        let mut world = world(WorldSpec::healthy(1), Faults::default());
        let server = ids(&world).remove(0);
        let stop = job(&mut world, 0, &stop_of(&server, StopMode::Soft));
        let stopping = ("ACTIVE".to_owned(), Some("powering-off".to_owned()));
        assert_eq!(shown(&mut world, 19, &server), stopping);
        assert_eq!(status(&mut world, 19, &stop), JobStatus::Running);
        assert_eq!(shown(&mut world, 20, &server), ("SHUTOFF".to_owned(), None));
        assert_eq!(status(&mut world, 20, &stop), JobStatus::Success);
        let start = job(&mut world, 30, &Action::Start { servers: vec![server.clone()] });
        let starting = ("SHUTOFF".to_owned(), Some("powering-on".to_owned()));
        assert_eq!(shown(&mut world, 40, &server), starting);
        assert_eq!(shown(&mut world, 45, &server), ("ACTIVE".to_owned(), None));
        assert_eq!(status(&mut world, 45, &start), JobStatus::Success);
    }

    #[test]
    fn a_reinstall_swaps_the_system_disk_and_keeps_the_rest() {
        let mut world = world(WorldSpec::healthy(2), Faults::default());
        let server = ids(&world).remove(0);
        let before = world.server(&server).expect("there").clone();
        job(&mut world, 0, &stop_of(&server, StopMode::Hard));
        let wipe = reinstall_of(&world, &server);
        let wiping = job(&mut world, 10, &wipe);
        assert_eq!(status(&mut world, 10, &wiping), JobStatus::Init);
        let busy = ("SHUTOFF".to_owned(), Some("rebuilding".to_owned()));
        assert_eq!(shown(&mut world, 40, &server), busy);
        assert_eq!(world.server(&server).and_then(|it| it.system_volume()), None);
        let list = Action::ListServers { page: Page::FIRST, limit: 10 };
        let total = |world: &mut World, at| match answer(world, at, &list) {
            Ok(Answer::Servers { more: More::Total(total), servers }) => (total, servers.len()),
            other => panic!("no list: {other:?}"),
        };
        assert_eq!(total(&mut world, 40), (3, 3), "the temporary server is in the list");
        assert_eq!(status(&mut world, 109, &wiping), JobStatus::Running);
        assert_eq!(status(&mut world, 110, &wiping), JobStatus::Success);
        assert_eq!(total(&mut world, 110), (2, 2));
        let after = world.server(&server).expect("there").clone();
        assert!(after.is_running());
        assert_ne!(after.system_volume(), before.system_volume());
        assert_eq!(after.addresses, before.addresses);
        assert!(after.data_volumes().eq(before.data_volumes()));
        let count = world.reinstalls(&server);
        assert_eq!((count.accepted, count.completed, count.failed), (1, 1, 0));
        assert!(world.violations().is_empty());
    }

    #[test]
    fn what_a_careful_client_never_does_is_counted_and_served() {
        let mut world = world(WorldSpec::healthy(1), Faults::default());
        let server = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &server);
        job(&mut world, 0, &stop_of(&server, StopMode::Hard));
        job(&mut world, 10, &wipe);
        world.advance(Millis::secs(50));
        let helper = world.helpers[0].id.clone();
        job(&mut world, 50, &stop_of(&helper, StopMode::Hard));
        job(&mut world, 120, &stop_of(&server, StopMode::Hard));
        job(&mut world, 220, &wipe);
        let kinds: Vec<_> = world.violations().iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["temporary_server", "during_injection", "second_reinstall"]);
    }

    #[test]
    fn a_failed_reinstall_may_be_repeated_without_a_violation() {
        let all = Faults { job_failure: 1.0, ..Faults::default() };
        let mut world = world(WorldSpec::healthy(1), all);
        let server = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &server);
        job(&mut world, 0, &stop_of(&server, StopMode::Hard));
        let first = job(&mut world, 10, &wipe);
        assert_eq!(status(&mut world, 110, &first), JobStatus::Fail);
        world.faults_off();
        let second = job(&mut world, 200, &wipe);
        assert_eq!(status(&mut world, 300, &second), JobStatus::Success);
        let count = world.reinstalls(&server);
        assert_eq!((count.accepted, count.completed, count.failed), (2, 1, 1));
        assert!(world.violations().is_empty());
    }

    /// The code that a reinstall of a stopped server is refused with, in a world of that group.
    fn refused(group: &str, top: &str) -> Result<Answer, String> {
        let stopped = if group.starts_with("status") { "" } else { "status: SHUTOFF, " };
        let text = format!("servers: [{{ {stopped}{group}{} name: a }}]\n{top}", comma(group));
        let spec = WorldSpec::from_yaml(&text).expect(&text);
        let mut world = World::new(&spec, Faults::default(), 1);
        let server = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &server);
        answer(&mut world, 0, &wipe)
    }

    fn comma(text: &str) -> &str {
        if text.is_empty() { "" } else { "," }
    }

    #[test]
    fn a_reinstall_is_refused_for_the_documented_reasons() {
        let image = "images: [{ name: Standard_Ubuntu_24.04_latest, ";
        let cases = [
            ("locked: true", String::new(), "Ecs.0605"),
            ("frozen: true", String::new(), "Ecs.0030"),
            ("status: ACTIVE", String::new(), "Ecs.0100"),
            ("status: ERROR", String::new(), "Ecs.0100"),
            ("system_gib: 0", String::new(), "Ecs.0105"),
            ("system_status: backing-up", String::new(), "Ecs.0073"),
            ("", format!("{image} gone: true }}]"), "Ecs.0031"),
            ("", format!("{image} status: queued }}]"), "Ecs.0032"),
            ("", format!("{image} cloud_init: false }}]"), "Ecs.0007"),
            ("", format!("{image} encrypted: evs/default }}]\nagency: missing"), "Ecs.0025"),
            (
                "",
                format!("{image} encrypted: evs/default }}]\nkeys: [{{ state: disabled }}]"),
                "Ecs.0912",
            ),
            ("flavor: d2.xlarge.8", String::new(), "Ecs.0005"),
            ("", format!("{image} registered: false }}]"), "Ecs.0032"),
            ("", format!("{image} whole_server: true, backup_state: gone }}]"), "Ecs.0034"),
            ("", format!("{image} whole_server: true, backup_state: preparing }}]"), "Ecs.0048"),
            ("prepaid: true", format!("{image} kind: market }}]"), "Ecs.0510"),
            ("", "quota: { servers: 1 }\nknobs: { helper_counts: true }".to_owned(), "Ecs.0001"),
            ("from_iso: true", "knobs: { iso_refused: true }".to_owned(), "Ecs.0007"),
            ("", "quota: { volumes: 2 }".to_owned(), "Ecs.0021"),
            ("", "quota: { gigabytes: 179 }".to_owned(), "Ecs.0021"),
        ];
        for (group, top, code) in cases {
            assert_eq!(refused(group, &top), Err(code.to_owned()), "{group} {top}");
        }
        assert!(refused("", "quota: { volumes: 3, gigabytes: 180 }").is_ok());
        assert!(refused("from_iso: true", "").is_ok(), "not documented, so a knob");
    }

    #[test]
    fn a_busy_server_refuses_and_a_hard_stop_overtakes_a_soft_one() {
        let mut world = world(WorldSpec::healthy(1), Faults::default());
        let server = ids(&world).remove(0);
        let start = Action::Start { servers: vec![server.clone()] };
        let soft = job(&mut world, 0, &stop_of(&server, StopMode::Soft));
        assert_eq!(answer(&mut world, 1, &start), Err("Ecs.0603".to_owned()));
        let hard = job(&mut world, 2, &stop_of(&server, StopMode::Hard));
        assert_eq!(shown(&mut world, 7, &server), ("SHUTOFF".to_owned(), None));
        assert_eq!(status(&mut world, 7, &soft), JobStatus::Success);
        assert_eq!(status(&mut world, 7, &hard), JobStatus::Success);
        let wipe = reinstall_of(&world, &server);
        job(&mut world, 10, &wipe);
        for action in [wipe, start, stop_of(&server, StopMode::Hard)] {
            assert_eq!(answer(&mut world, 11, &action), Err("Ecs.0603".to_owned()));
        }
    }

    #[test]
    fn a_batch_is_judged_server_by_server_and_names_only_servers_that_exist() {
        let text = "servers: [{ name: a }, { name: b, locked: true }]";
        let mut world = world(WorldSpec::from_yaml(text).expect("a world"), Faults::default());
        let servers = ids(&world);
        let mode = StopMode::Hard;
        let both = job(&mut world, 0, &Action::Stop { servers: servers.clone(), mode });
        let Ok(Answer::Job(seen)) = answer(&mut world, 10, &Action::ShowJob { job: both }) else {
            panic!("no job");
        };
        assert_eq!(seen.status, JobStatus::Fail);
        let codes: Vec<_> = seen.parts.iter().map(|part| part.error_code.as_deref()).collect();
        assert_eq!(codes, [None, Some("Ecs.0605")]);
        let unknown = vec![servers[0].clone(), ServerId::from("nobody")];
        let unknown = Action::Stop { servers: unknown, mode };
        assert_eq!(answer(&mut world, 20, &unknown), Err("Ecs.0114".to_owned()));
        let deeds: Vec<_> = world.deeds().iter().map(|it| (it.kind, it.server.clone())).collect();
        assert_eq!(deeds, [(Deed::ForceStop, servers[0].clone())]);
    }

    #[test]
    fn a_failure_after_the_swap_leaves_a_new_disk() {
        for (faults, same_disk) in [
            (Faults { job_failure: 1.0, ..Faults::default() }, true),
            (Faults { job_failure_after_swap: 1.0, ..Faults::default() }, false),
        ] {
            let mut world = world(WorldSpec::healthy(1), faults);
            let server = ids(&world).remove(0);
            let before = world.server(&server).and_then(|it| it.system_volume()).cloned();
            job(&mut world, 0, &stop_of(&server, StopMode::Hard));
            let wipe = reinstall_of(&world, &server);
            let wiping = job(&mut world, 10, &wipe);
            assert_eq!(status(&mut world, 110, &wiping), JobStatus::Fail);
            let after = world.server(&server).and_then(|it| it.system_volume()).cloned();
            assert!(after.is_some());
            assert_eq!(after == before, same_disk);
            assert_eq!(world.reserved, (0, 0), "the quota is given back");
            assert_eq!(world.in_flight(), (0, 1));
        }
    }

    #[test]
    fn looks_may_be_late_but_not_for_ever() {
        let knobs = Knobs { server_lag: Span::exactly(5.0), ..calm() };
        let spec = WorldSpec { knobs, ..WorldSpec::healthy(1) };
        let mut world = World::new(&spec, Faults::default(), 1);
        let server = ids(&world).remove(0);
        job(&mut world, 0, &stop_of(&server, StopMode::Hard));
        assert_eq!(shown(&mut world, 4, &server), ("ACTIVE".to_owned(), None), "still as before");
        let stopping = ("ACTIVE".to_owned(), Some("powering-off".to_owned()));
        assert_eq!(shown(&mut world, 9, &server), stopping);
        assert_eq!(shown(&mut world, 10, &server), ("SHUTOFF".to_owned(), None));
    }

    #[test]
    fn the_audit_log_is_late_and_holds_refused_calls_too() {
        let mut world = world(WorldSpec::healthy(1), Faults::default());
        let server = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &server);
        assert_eq!(answer(&mut world, 0, &wipe), Err("Ecs.0100".to_owned()));
        let since = world.wall(Millis(0));
        let look = Action::ListTraces { server: server.clone(), since };
        assert_eq!(answer(&mut world, 3, &look), Ok(Answer::Traces(Vec::new())));
        let Ok(Answer::Traces(traces)) = answer(&mut world, 4, &look) else { panic!("no log") };
        let (code, job) = (traces[0].code, traces[0].job.clone());
        assert_eq!((traces.len(), code, job), (1, 400, None));
    }

    #[test]
    fn the_same_seed_is_the_same_world_and_the_same_trouble() {
        let trail = |seed: u64| {
            let faults = Faults::named("chaos").expect("a name");
            let mut world = World::new(&WorldSpec::healthy(5), faults, seed);
            let servers = ids(&world);
            let list = Action::ListServers { page: Page::FIRST, limit: 1_000 };
            let mut trail = Vec::new();
            for (second, server) in (0..200).zip(servers.iter().cycle()) {
                let wipe = reinstall_of(&world, server);
                for action in [stop_of(server, StopMode::Soft), wipe, list.clone()] {
                    trail.push(format!("{:?}", world.serve(Millis::secs(second * 7), &action)));
                }
            }
            trail
        };
        assert!(trail(4) == trail(4));
        assert!(trail(4) != trail(5));
    }
}
