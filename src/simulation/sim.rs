//! One seed from beginning to end: hand each run its next input, serve its commands from the world,
//! sometimes kill the process and replay, and let others live in the same cloud.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{
    Action, Answer, Asker, CallId, CloseCause, Command, CostClass, Counts, Event, Fault,
    FaultClass, Millis, Moment, PauseCause, Record, Reply, Request, ServerId, Steering, StepCall,
    StepEnd, StepReport, Time, Timestamp,
};
use crate::engine::{Engine, Input, Turn};
use crate::simulator::{Meddling, Mishap, Served, World};

use super::checkers::{Checker, Finding, Watch};
use super::claims::Claims;
use super::doctor::Doctor;
use super::laws::{Laws, Sending};
use super::people::FIRST;
use super::points::Point;
use super::process::Process;
use super::scenario::Scenario;

/// A run that is not over after so long will never be.
const TOO_LONG: Time = Time(14 * 24 * 3_600_000);

/// So often people resume a run that pauses for the same reason again, before they stop it.
const PATIENCE: usize = 30;

/// So many turns for each planned server without an end are a loop.
const TOO_MANY_TURNS: u64 = 10_000;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The seed.
    pub seed: u64,
    /// Why the run ended.
    pub cause: Option<CloseCause>,
    /// What came of the servers.
    pub counts: Counts,
    /// How long it took, in simulated time.
    pub duration: Millis,
    /// Requests to the cloud.
    pub requests: u64,
    /// Requests that were not let in.
    pub locked_out: u64,
    /// Turns of the engine.
    pub turns: u64,
    /// How often the process died.
    pub crashes: u32,
    /// How often the run was paused.
    pub pauses: u32,
    /// What the checkers found; the first finding ends the seed.
    pub findings: Vec<Finding>,
    /// The records, for a trace.
    pub records: Vec<Record>,
    /// The same of the second run, if there was one.
    pub others: Vec<Record>,
    /// The commands of each turn, and which of them change something: for every point.
    pub(super) sent: Vec<Vec<bool>>,
}

/// What happens next.
#[derive(Debug)]
enum Happening {
    /// Somebody begins a run.
    Begin { run: usize },
    /// An answer arrives at the process that asked.
    Reply { run: usize, life: u32, call: CallId, reply: Reply },
    /// The process asked to be woken.
    Wake { run: usize, life: u32 },
    /// A request leaves late.
    Send { run: usize, life: u32, command: Box<Command> },
    /// The process dies.
    Crash { run: usize },
    /// Somebody starts it again.
    Restart { run: usize },
    /// Somebody presses Ctrl-C.
    Stop { run: usize },
    /// Somebody leaves a word in another shell.
    Ask { run: usize, steering: Steering },
    /// Somebody gives up a server that the dead process was at.
    GiveUp { run: usize, life: u32 },
    /// The process looks for such words.
    Listen { run: usize, life: u32 },
    /// Somebody else does something to a server.
    Meddle(ServerId, Meddling),
    /// Nothing goes wrong any more.
    Quiet,
}

pub(super) struct Sim {
    pub(super) scenario: Scenario,
    pub(super) runs: Vec<Process>,
    pub(super) claims: Claims,
    /// What is judged by the world's own record; `None`: nothing is.
    laws: Option<Laws>,
    queue: BTreeMap<(Time, u64), Happening>,
    number: u64,
    pub(super) now: Time,
    turns: u64,
    locked_out: u64,
    /// Answers of the first run that were counted for its point.
    answers: u32,
    sent: Vec<Vec<bool>>,
    rng: ChaCha8Rng,
    prepare: fn(&mut Engine),
    pub(super) doctor: Option<Box<dyn Doctor>>,
    /// Only this checker counts; `None`: all do.
    only: Option<Checker>,
}

/// Runs one scenario to its end, under every checker.
#[must_use]
pub fn rehearse(scenario: Scenario) -> Rehearsal {
    rehearse_with(scenario, |_| ())
}

/// The same with an engine that is prepared first: broken on purpose, in tests.
pub(super) fn rehearse_with(scenario: Scenario, prepare: fn(&mut Engine)) -> Rehearsal {
    let mut sim = Sim::new(scenario, prepare);
    sim.run();
    sim.rehearsal().0
}

/// The same, and the cloud as it is afterwards.
#[cfg(test)]
pub(crate) fn rehearse_and_keep(scenario: Scenario) -> (Rehearsal, World) {
    let mut sim = Sim::new(scenario, |_| ());
    sim.run();
    sim.rehearsal()
}

/// The same under one checker alone: whether it sees by itself what it is for.
#[cfg(test)]
pub(super) fn rehearse_under(
    scenario: Scenario,
    prepare: fn(&mut Engine),
    only: Checker,
) -> Rehearsal {
    let mut sim = Sim::new(scenario, prepare);
    sim.only = Some(only);
    sim.run();
    sim.rehearsal().0
}

/// The same with a client that is broken from outside.
#[cfg(test)]
pub(super) fn rehearse_doctored(
    scenario: Scenario,
    doctor: Box<dyn Doctor>,
    only: Checker,
) -> Rehearsal {
    let mut sim = Sim::new(scenario, |_| ());
    sim.doctor = Some(doctor);
    sim.only = Some(only);
    sim.run();
    sim.rehearsal().0
}

impl Sim {
    fn new(scenario: Scenario, prepare: fn(&mut Engine)) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(scenario.seed ^ 0x5eed);
        let first = Process::new(&scenario, &scenario.plan, 0);
        let mut sim = Self {
            runs: vec![first],
            claims: Claims::default(),
            laws: scenario.inhabited.then(|| Laws::new(&scenario)),
            queue: BTreeMap::new(),
            number: 0,
            now: Time(0),
            turns: 0,
            locked_out: 0,
            answers: 0,
            sent: Vec::new(),
            rng,
            prepare,
            doctor: None,
            only: None,
            scenario,
        };
        let run = FIRST;
        for at in sim.scenario.crashes.clone() {
            sim.at(at, Happening::Crash { run });
        }
        if let Some(at) = sim.scenario.stop_at {
            sim.at(at, Happening::Stop { run });
        }
        if let Some(at) = sim.scenario.pause_at {
            sim.at(at, Happening::Ask { run, steering: Steering::Pause });
        }
        for (at, server, meddling) in sim.scenario.meddlings.clone() {
            sim.at(at, Happening::Meddle(server, meddling));
        }
        let quiet = sim.scenario.quiet_from;
        sim.at(quiet, Happening::Quiet);
        sim.expect_second();
        sim
    }

    /// Somebody else begins a run over the same servers.
    fn expect_second(&mut self) {
        let Some(second) = self.scenario.second.clone() else { return };
        let run = self.runs.len();
        let process = Process::new(&self.scenario, &self.scenario.plan, 1);
        self.runs.push(process);
        if let Some(begins) = second.begins {
            self.at(begins, Happening::Begin { run });
        }
        for at in second.crashes {
            self.at(at, Happening::Crash { run });
        }
        if let Some(at) = second.pause_at {
            self.at(at, Happening::Ask { run, steering: Steering::Pause });
        }
    }

    fn run(&mut self) {
        self.begin(FIRST);
        let most_turns = TOO_MANY_TURNS * (self.scenario.plan.targets.len() as u64 + 1);
        while !self.is_over() {
            let Some(((at, _), happening)) = self.queue.pop_first() else {
                self.stuck("nothing is in flight, nobody waits, and the run is not over");
                return;
            };
            self.now = self.now.max(at);
            self.turns += 1;
            if self.now > TOO_LONG || self.turns > most_turns {
                self.stuck("the run does not come to its end");
                return;
            }
            self.judge_world();
            self.happen(happening);
        }
        if self.findings().next().is_none() {
            for process in &mut self.runs {
                if !process.journal.is_empty() && !process.dropped {
                    process.watchers.end(&self.scenario, &process.journal);
                }
            }
        }
    }

    fn stuck(&mut self, detail: &str) {
        self.runs[FIRST].watchers.stuck(detail);
    }

    /// What the checkers found.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_runs = self.runs.iter().flat_map(|process| &process.watchers.findings);
        let all = of_runs.chain(self.laws.iter().flat_map(Laws::findings));
        all.filter(|finding| self.only.is_none_or(|only| only == finding.checker))
    }

    fn is_over(&self) -> bool {
        self.findings().next().is_some() || self.runs.iter().all(Process::is_over)
    }

    /// The world's record is read up to now.
    fn judge_world(&mut self) {
        let Some(laws) = &mut self.laws else { return };
        self.scenario.world.pass(Millis(self.scenario.begins.0 + self.now.0));
        laws.read(&self.scenario.world, self.now);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Begin { run } => self.begin(run),
            Happening::Reply { run, life, call, reply } if life == self.runs[run].life => {
                self.replied(run, call, reply);
            }
            Happening::Wake { run, life } if life == self.runs[run].life => {
                if self.runs[run].wake_at.is_some_and(|at| at <= self.now) {
                    self.runs[run].wake_at = None;
                    self.turn(run, Input::Woke);
                }
            }
            Happening::Send { run, life, command } if life == self.runs[run].life => {
                self.send_now(run, *command);
            }
            Happening::Listen { run, life } if life == self.runs[run].life => {
                for request in self.runs[run].left() {
                    self.turn(run, Input::Asked(request));
                }
            }
            Happening::GiveUp { run, life } if life == self.runs[run].life => self.give_up(run),
            Happening::Reply { .. }
            | Happening::Wake { .. }
            | Happening::Send { .. }
            | Happening::Listen { .. }
            | Happening::GiveUp { .. } => {}
            Happening::Ask { run, steering } => self.ask(run, steering),
            Happening::Crash { run } => self.die(run),
            Happening::Restart { run } => self.restart(run),
            // Nobody hears it while the process is down.
            Happening::Stop { run } => self.turn(run, Input::Interrupted),
            Happening::Meddle(server, meddling) => self.meddle(&server, meddling),
            Happening::Quiet => self.scenario.world.faults_off(),
        }
    }

    fn meddle(&mut self, server: &ServerId, meddling: Meddling) {
        let at = Millis(self.scenario.begins.0 + self.now.0);
        self.scenario.world.meddle(at, server, meddling);
        let shown = self.now + self.scenario.world.longest_lag();
        for process in &mut self.runs {
            process.watchers.meddled(&self.scenario, server, shown);
        }
    }

    fn replied(&mut self, run: usize, call: CallId, reply: Reply) {
        let process = &mut self.runs[run];
        if let Err(fault) = &reply {
            process.watchers.heard(fault);
        }
        process.watchers.saw(self.now, call, &reply);
        if let Some((asked, action)) = process.asked.remove(&call)
            && let Some(laws) = &mut self.laws
        {
            laws.answered(run, (asked, &action), &reply);
        }
        self.turn(run, Input::Replied { call, reply });
    }

    /// A word is written down, and the process reads it within a second.
    fn ask(&mut self, run: usize, steering: Steering) {
        let at = self.moment().wall;
        let process = &mut self.runs[run];
        let number = process.requests.len() as u64 + 1;
        let seen = process.journal.len() as u64;
        let by = Asker { name: "ann".to_owned(), at, number, seen };
        process.requests.push(Request { steering, by });
        let life = process.life;
        let wait = Millis(self.rng.random_range(0..1_000));
        self.at(self.now + wait, Happening::Listen { run, life });
    }

    /// One turn, whole: records durable, then commands out.
    pub(super) fn turn(&mut self, run: usize, input: Input) {
        let moment = self.moment();
        let process = &mut self.runs[run];
        let Some(engine) = &mut process.engine else { return };
        let turn = engine.handle(moment, input);
        process.turns += 1;
        let number = process.turns;
        if run == FIRST {
            let changes = turn.commands.iter().map(|it| !it.action.is_repeatable());
            self.sent.push(changes.collect());
        }
        let deadly = self.scenario.point.filter(|_| run == FIRST).and_then(Point::crash);
        let deadly = deadly.filter(|(turn, _)| *turn == number).map(|(_, sent)| sent);
        let sent = deadly.unwrap_or(turn.commands.len());
        self.carry_out(run, turn, sent);
        if deadly.is_some() || self.runs[run].engine.as_ref().is_some_and(Engine::is_paused) {
            self.go_down(run);
        }
    }

    pub(super) fn carry_out(&mut self, run: usize, turn: Turn, sent: usize) {
        let Turn { records, commands, wake_at } = turn;
        let respected = self.doctor.as_ref().is_none_or(|doctor| doctor.respects_claims());
        if respected && self.scenario.shares_claims(run) && !self.claims.cover(run, &records) {
            return self.go_down(run);
        }
        self.append(run, records);
        for command in commands.into_iter().take(sent) {
            let changes = self.runs[run].changes;
            self.send(run, command);
            let after = self.runs[run].changes;
            let deadly = run == FIRST && self.scenario.deadly_changes.contains(&after);
            if after > changes && deadly {
                return self.go_down(run);
            }
        }
        let (now, process) = (self.now, &mut self.runs[run]);
        if let Some(at) = wake_at {
            let at = at.max(now);
            if process.wake_at.is_none_or(|before| at < before || before <= now) {
                process.wake_at = Some(at);
                let life = process.life;
                self.at(at, Happening::Wake { run, life });
            }
        } else {
            process.wake_at = None;
        }
    }

    pub(super) fn append(&mut self, run: usize, mut records: Vec<Record>) {
        for record in &records {
            self.people_hear(run, &record.event);
        }
        let over = records.iter().any(|it| matches!(it.event, Event::RunEnded { .. }));
        let process = &mut self.runs[run];
        process.journal.extend(records.iter().cloned());
        if let Some(doctor) = &self.doctor {
            doctor.told(&mut records);
        }
        let watch = Watch { scenario: &self.scenario, now: self.now };
        process.watchers.appended(&watch, &records, process.engine.as_ref());
        if let Some(laws) = &mut self.laws {
            laws.read(&self.scenario.world, self.now);
            laws.appended(run, (self.now, &records));
        }
        if over {
            self.claims.release(run, &self.runs[run].journal);
            self.second_is_over(run);
        }
    }

    /// What waits for an approval gets one, sooner or later.
    fn people_hear(&mut self, run: usize, event: &Event) {
        if let Event::Steered { by: Some(by), .. } = event {
            let heard = &mut self.runs[run].heard;
            *heard = by.number.max(*heard);
        }
        let alike = matches!(event, Event::Pausing { cause } if cause.needs_approval());
        if alike || matches!(event, Event::Held { .. }) {
            let wait = Millis(self.rng.random_range(0..self.scenario.approved_within.0));
            let steering = Steering::Approve;
            self.at(self.now + wait, Happening::Ask { run, steering });
        }
        if let Event::Paused { cause } = event
            && self.is_hopeless(run, cause)
        {
            self.at(self.now, Happening::Ask { run, steering: Steering::Stop });
        }
    }

    /// Whether people have resumed this run often enough, and what it pauses for is never mended.
    fn is_hopeless(&self, run: usize, cause: &PauseCause) -> bool {
        let lasting =
            matches!(cause, PauseCause::Precondition { .. } | PauseCause::PlacesTaken { .. });
        let pauses = self.runs[run].journal.iter();
        let alike =
            pauses.filter(|it| matches!(&it.event, Event::Paused { cause: it } if it == cause));
        lasting && alike.count() >= PATIENCE
    }

    fn send(&mut self, run: usize, command: Command) {
        self.runs[run].changes += u32::from(!command.action.is_repeatable());
        let delay = self.doctor.as_ref().map_or(Millis(0), |it| it.delay(&command.action));
        if delay > Millis(0) {
            let (life, command) = (self.runs[run].life, Box::new(command));
            return self.at(self.now + delay, Happening::Send { run, life, command });
        }
        self.send_now(run, command);
    }

    fn send_now(&mut self, run: usize, command: Command) {
        let Command { call, action, .. } = command;
        if let Some(reply) = self.doctor.as_mut().and_then(|doctor| doctor.instead(&action)) {
            let life = self.runs[run].life;
            return self.at(self.now + Millis(100), Happening::Reply { run, life, call, reply });
        }
        let watch = Watch { scenario: &self.scenario, now: self.now };
        let process = &mut self.runs[run];
        process.watchers.sending(&watch, &action);
        process.watchers.looking(call, &action);
        if let Some(laws) = &mut self.laws {
            laws.read(&self.scenario.world, self.now);
            let sending = Sending { run, at: self.now, action: &action };
            laws.sending(&sending, &self.runs, &self.scenario);
        }
        let served = self.served(run, &action);
        if let Some(laws) = &mut self.laws {
            laws.sent(run, call, self.scenario.world.asking());
        }
        let mut reply = served.reply.unwrap_or_else(|| Err(lost(action.is_repeatable())));
        if let Some(doctor) = &mut self.doctor {
            doctor.answer(&action, &mut reply);
        }
        let watch = Watch { scenario: &self.scenario, now: self.now };
        let process = &mut self.runs[run];
        process.watchers.served(&watch, &action);
        process.asked.insert(call, (self.now, action));
        let life = process.life;
        self.at(self.now + served.after, Happening::Reply { run, life, call, reply });
    }

    /// What the world makes of a request.
    fn served(&mut self, run: usize, action: &Action) -> Served {
        let at = Millis(self.scenario.begins.0 + self.now.0);
        let Scenario { locked_out_from, let_in_from, .. } = self.scenario;
        let locked_out =
            locked_out_from.is_some_and(|from| (from..let_in_from).contains(&self.now));
        if locked_out && action.cost_class() != CostClass::Free {
            self.locked_out += 1;
            return Served { reply: Some(Err(not_let_in())), after: Millis(100) };
        }
        if let Action::Run { call, .. } = action {
            return self.step(call);
        }
        let client = self.runs[run].client;
        let struck = if run == FIRST { self.struck(action) } else { None };
        let mut served = self.scenario.world.serve_for(client, at, action);
        if let Some(mishap) = struck.filter(|_| action.is_repeatable()) {
            served.reply = match mishap {
                Mishap::Twice => served.reply,
                Mishap::Lost => None,
                Mishap::Unavailable => Some(Err(unavailable())),
            };
        }
        served
    }

    /// What becomes of the answer to this request by order, if it is the one that was meant.
    fn struck(&mut self, action: &Action) -> Option<Mishap> {
        if matches!(action, Action::Probe { .. }) {
            return None;
        }
        self.answers += 1;
        let (number, mishap) = self.scenario.point.and_then(Point::answer)?;
        if number != self.answers {
            return None;
        }
        if !action.is_repeatable() {
            self.scenario.world.strike(mishap);
        }
        Some(mishap)
    }

    /// A program of the playbook: nobody's world knows what it does, so the seed draws it.
    fn step(&mut self, call: &StepCall) -> Served {
        let takes = self.rng.random_range(0..=call.timeout.0);
        let troubled = self.scenario.troubled_steps && self.now < self.scenario.quiet_from;
        let (end, after) = match self.rng.random_range(0..40) {
            0 if troubled => (StepEnd::Failed, takes),
            1 if troubled => (StepEnd::TimedOut, call.timeout.0),
            2 if troubled => (StepEnd::NotStarted, 0),
            _ => (StepEnd::Done, takes),
        };
        let report = StepReport { end, detail: "drawn".to_owned() };
        Served { reply: Some(Ok(Answer::Ran(report))), after: Millis(after) }
    }

    pub(super) fn moment(&self) -> Moment {
        let world = Millis(self.scenario.begins.0 + self.now.0);
        let wall = self.scenario.world.wall(world) + self.scenario.clock_ahead;
        let steps = self.scenario.clock_steps.iter().filter(|(at, _)| *at <= self.now);
        let steps: i64 = steps.map(|(_, step)| *step).sum();
        Moment { at: self.now, wall: Timestamp(wall.0 + steps) }
    }

    fn at(&mut self, at: Time, happening: Happening) {
        self.number += 1;
        self.queue.insert((at, self.number), happening);
    }

    pub(super) fn restart_at(&mut self, run: usize, at: Time) {
        self.at(at, Happening::Restart { run });
    }

    pub(super) fn begin_at(&mut self, run: usize, at: Time) {
        self.at(at, Happening::Begin { run });
    }

    pub(super) fn give_up_now(&mut self, run: usize) {
        let life = self.runs[run].life;
        self.at(self.now, Happening::GiveUp { run, life });
    }

    pub(super) fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    pub(super) fn prepare(&self, engine: &mut Engine) {
        (self.prepare)(engine);
    }

    /// A later run has a plan of its own.
    pub(super) fn replanned(&mut self, run: usize) {
        if let Some(laws) = &mut self.laws {
            laws.replanned(run, &self.runs[run].plan, self.now);
        }
    }

    pub(super) fn forget(&mut self, run: usize) {
        if let Some(laws) = &mut self.laws {
            laws.died(run);
        }
    }

    fn rehearsal(mut self) -> (Rehearsal, World) {
        let findings: Vec<Finding> = self.findings().cloned().collect();
        let others = self.runs.drain(1..).flat_map(|process| process.journal).collect();
        let Some(first) = self.runs.pop() else { unreachable!("there is a first run") };
        let last = first.journal.last().map(|record| &record.event);
        let (cause, counts) = match last {
            Some(Event::RunEnded { cause, counts }) => (Some(cause.clone()), counts.clone()),
            _ => (None, Counts::default()),
        };
        let pauses =
            first.journal.iter().filter(|record| matches!(record.event, Event::Paused { .. }));
        let pauses = u32::try_from(pauses.count()).unwrap_or(u32::MAX);
        let rehearsal = Rehearsal {
            seed: self.scenario.seed,
            cause,
            counts,
            duration: self.now.since(Time(0)),
            requests: self.scenario.world.stats().requests.total,
            locked_out: self.locked_out,
            turns: self.turns,
            crashes: first.life.saturating_sub(pauses),
            pauses,
            findings,
            records: first.journal,
            others,
            sent: self.sent,
        };
        (rehearsal, self.scenario.world)
    }
}

/// The credentials are no longer accepted.
fn not_let_in() -> Fault {
    Fault {
        class: FaultClass::Unauthorised,
        code: "HTTP 401".to_owned(),
        message: "the credentials are not accepted".to_owned(),
        request_id: None,
        retry_after: None,
    }
}

/// An answer that never comes: the client gives up.
fn lost(repeatable: bool) -> Fault {
    Fault {
        class: if repeatable { FaultClass::Transient } else { FaultClass::Lost },
        code: "timeout".to_owned(),
        message: "no answer came".to_owned(),
        request_id: None,
        retry_after: None,
    }
}

/// A read that was answered with 503.
fn unavailable() -> Fault {
    Fault {
        class: FaultClass::Transient,
        code: "HTTP 503".to_owned(),
        message: "Service unavailable".to_owned(),
        request_id: None,
        retry_after: Some(Millis::secs(2)),
    }
}
