//! One seed from beginning to end: hand the engine its next input, serve its commands from the
//! world, sometimes kill the process and replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{
    Action, Answer, Asker, CallId, CloseCause, Command, CostClass, Counts, Event, Fault,
    FaultClass, Millis, Moment, Record, Reply, Request, RunId, ServerId, Steering, StepCall,
    StepEnd, StepReport, Time,
};
use crate::engine::{Engine, Input, Start, Turn};
use crate::journal::{OpenIntent, open_intents};
use crate::plan::Consent;
use crate::simulator::{Meddling, Served, World};

#[cfg(test)]
use super::checkers::Checker;
use super::checkers::{Finding, Watch, Watchers};
use super::scenario::Scenario;

/// A run that is not over after so long will never be.
const TOO_LONG: Time = Time(14 * 24 * 3_600_000);

/// So many turns without an end are a loop.
const TOO_MANY_TURNS: u64 = 20_000_000;

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
}

/// What happens next.
#[derive(Debug)]
enum Happening {
    /// An answer arrives at the process that asked.
    Reply { life: u32, call: CallId, reply: Reply },
    /// The process asked to be woken.
    Wake { life: u32 },
    /// The process dies.
    Crash,
    /// Somebody starts it again.
    Restart,
    /// Somebody presses Ctrl-C.
    Stop,
    /// Somebody leaves a word in another shell.
    Ask(Steering),
    /// Somebody gives up a server that the dead process was at.
    GiveUp { life: u32 },
    /// The process looks for such words.
    Listen { life: u32 },
    /// Somebody else does something to a server.
    Meddle(ServerId, Meddling),
    /// Nothing goes wrong any more.
    Quiet,
}

struct Sim {
    scenario: Scenario,
    engine: Option<Engine>,
    journal: Vec<Record>,
    requests: Vec<Request>,
    /// The last of them that a record tells of.
    heard: u64,
    queue: BTreeMap<(Time, u64), Happening>,
    number: u64,
    now: Time,
    life: u32,
    turns: u64,
    changes: u32,
    locked_out: u64,
    rng: ChaCha8Rng,
    watchers: Watchers,
    wake_at: Option<Time>,
    prepare: fn(&mut Engine),
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
    sim.watchers.only(Some(only));
    sim.run();
    sim.rehearsal().0
}

impl Sim {
    fn new(scenario: Scenario, prepare: fn(&mut Engine)) -> Self {
        let watchers = Watchers::new(&scenario);
        let rng = ChaCha8Rng::seed_from_u64(scenario.seed ^ 0x5eed);
        let mut sim = Self {
            engine: None,
            journal: Vec::new(),
            requests: Vec::new(),
            heard: 0,
            queue: BTreeMap::new(),
            number: 0,
            now: Time(0),
            life: 0,
            turns: 0,
            changes: 0,
            locked_out: 0,
            rng,
            watchers,
            wake_at: None,
            prepare,
            scenario,
        };
        let crashes = sim.scenario.crashes.clone();
        for at in crashes {
            sim.at(at, Happening::Crash);
        }
        if let Some(at) = sim.scenario.stop_at {
            sim.at(at, Happening::Stop);
        }
        if let Some(at) = sim.scenario.pause_at {
            sim.at(at, Happening::Ask(Steering::Pause));
        }
        for (at, server, meddling) in sim.scenario.meddlings.clone() {
            sim.at(at, Happening::Meddle(server, meddling));
        }
        let quiet = sim.scenario.quiet_from;
        sim.at(quiet, Happening::Quiet);
        sim
    }

    fn run(&mut self) {
        self.begin();
        while !self.is_over() {
            let Some(((at, _), happening)) = self.queue.pop_first() else {
                self.watchers.stuck("nothing is in flight, nobody waits, and the run is not over");
                return;
            };
            self.now = self.now.max(at);
            self.turns += 1;
            if self.now > TOO_LONG || self.turns > TOO_MANY_TURNS {
                self.watchers.stuck("the run does not come to its end");
                return;
            }
            self.happen(happening);
        }
        if self.watchers.findings.is_empty() {
            self.watchers.end(&self.scenario, &self.journal);
        }
    }

    fn is_over(&self) -> bool {
        !self.watchers.findings.is_empty() || self.engine.as_ref().is_some_and(Engine::is_finished)
    }

    fn begin(&mut self) {
        let plan = Arc::clone(&self.scenario.plan);
        let Ok(consent) = Consent::try_new(&plan, plan.targets.len()) else {
            return self.watchers.stuck("the plan cannot be consented to");
        };
        let start = Start { run: RunId::from("rehearsal"), seed: self.scenario.seed };
        let (mut engine, first) = Engine::new(plan, &consent, start, self.moment());
        (self.prepare)(&mut engine);
        self.engine = Some(engine);
        self.append(vec![first]);
        self.turn(Input::Begin);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Reply { life, call, reply } if life == self.life => {
                if let Err(fault) = &reply {
                    self.watchers.heard(fault);
                }
                self.watchers.saw(self.now, call, &reply);
                self.turn(Input::Replied { call, reply });
            }
            Happening::Wake { life } if life == self.life => {
                if self.wake_at.is_some_and(|at| at <= self.now) {
                    self.wake_at = None;
                    self.turn(Input::Woke);
                }
            }
            Happening::Listen { life } if life == self.life => {
                for request in self.left() {
                    self.turn(Input::Asked(request));
                }
            }
            Happening::GiveUp { life } if life == self.life => self.give_up(),
            Happening::Reply { .. }
            | Happening::Wake { .. }
            | Happening::Listen { .. }
            | Happening::GiveUp { .. } => {}
            Happening::Ask(steering) => self.ask(steering),
            Happening::Crash => self.die(),
            Happening::Restart => self.restart(),
            // Nobody hears it while the process is down.
            Happening::Stop => self.turn(Input::Interrupted),
            Happening::Meddle(server, meddling) => {
                let at = Millis(self.scenario.begins.0 + self.now.0);
                self.scenario.world.meddle(at, &server, meddling);
                let shown = self.now + self.scenario.world.longest_lag();
                self.watchers.meddled(&self.scenario, &server, shown);
            }
            Happening::Quiet => self.scenario.world.faults_off(),
        }
    }

    /// A word is written down, and the process reads it within a second.
    fn ask(&mut self, steering: Steering) {
        let (at, number) = (self.moment().wall, self.requests.len() as u64 + 1);
        let by = Asker { name: "ann".to_owned(), at, number, seen: self.journal.len() as u64 };
        self.requests.push(Request { steering, by });
        let (life, wait) = (self.life, Millis(self.rng.random_range(0..1_000)));
        self.at(self.now + wait, Happening::Listen { life });
    }

    /// Words that no record tells of.
    fn left(&self) -> Vec<Request> {
        let open = self.requests.iter().filter(|request| request.by.number > self.heard);
        open.cloned().collect()
    }

    /// One turn, whole: records durable, then commands out.
    fn turn(&mut self, input: Input) {
        let moment = self.moment();
        let Some(engine) = &mut self.engine else { return };
        let turn = engine.handle(moment, input);
        let sent = turn.commands.len();
        self.carry_out(turn, sent);
        if self.engine.as_ref().is_some_and(Engine::is_paused) {
            self.go_down();
        }
    }

    fn carry_out(&mut self, turn: Turn, sent: usize) {
        let Turn { records, commands, wake_at } = turn;
        self.append(records);
        for command in commands.into_iter().take(sent) {
            let changes = self.changes;
            self.send(command);
            if self.changes > changes && self.scenario.deadly_changes.contains(&self.changes) {
                return self.go_down();
            }
        }
        if let Some(at) = wake_at {
            let at = at.max(self.now);
            if self.wake_at.is_none_or(|before| at < before || before <= self.now) {
                self.wake_at = Some(at);
                let life = self.life;
                self.at(at, Happening::Wake { life });
            }
        } else {
            self.wake_at = None;
        }
    }

    fn append(&mut self, records: Vec<Record>) {
        let watch = Watch { scenario: &self.scenario, now: self.now };
        self.watchers.appended(&watch, &records, self.engine.as_ref());
        for record in &records {
            self.people_hear(&record.event);
        }
        self.journal.extend(records);
    }

    /// What waits for an approval gets one, sooner or later.
    fn people_hear(&mut self, event: &Event) {
        if let Event::Steered { by: Some(by), .. } = event {
            self.heard = self.heard.max(by.number);
        }
        let alike = matches!(event, Event::Pausing { cause } if cause.needs_approval());
        if alike || matches!(event, Event::Held { .. }) {
            let wait = Millis(self.rng.random_range(0..self.scenario.approved_within.0));
            self.at(self.now + wait, Happening::Ask(Steering::Approve));
        }
    }

    fn send(&mut self, command: Command) {
        let Command { call, action, .. } = command;
        self.changes += u32::from(!action.is_repeatable());
        let watch = Watch { scenario: &self.scenario, now: self.now };
        self.watchers.sending(&watch, &action);
        self.watchers.looking(call, &action);
        let at = Millis(self.scenario.begins.0 + self.now.0);
        let Scenario { locked_out_from, let_in_from, .. } = self.scenario;
        let locked_out =
            locked_out_from.is_some_and(|from| (from..let_in_from).contains(&self.now));
        let served = if locked_out && action.cost_class() != CostClass::Free {
            Served { reply: Some(Err(not_let_in())), after: Millis(100) }
        } else if let Action::Run { call, .. } = &action {
            self.step(call)
        } else {
            self.scenario.world.serve(at, &action)
        };
        self.locked_out += u64::from(locked_out);
        let reply = served.reply.unwrap_or_else(|| Err(lost(action.is_repeatable())));
        let life = self.life;
        self.at(self.now + served.after, Happening::Reply { life, call, reply });
        let watch = Watch { scenario: &self.scenario, now: self.now };
        self.watchers.served(&watch, &action);
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

    /// The process dies: in between turns, or in the middle of one, before or after its records
    /// were durable, before or after some of its commands were sent.
    fn die(&mut self) {
        let life = self.life;
        let Some(mut engine) = self.engine.take() else { return };
        if self.rng.random_bool(0.7) {
            let turn = engine.handle(self.moment(), Input::Woke);
            if self.rng.random_bool(0.7) {
                let sent = self.rng.random_range(0..=turn.commands.len());
                self.engine = Some(engine);
                self.carry_out(turn, sent);
            }
        }
        if self.life == life {
            self.go_down();
        }
    }

    /// The process is gone, and with it all that was in flight to it.
    fn go_down(&mut self) {
        let paused = self.engine.take().is_some_and(|engine| engine.is_paused());
        self.life += 1;
        self.wake_at = None;
        self.watchers.forget();
        let down = Millis(self.rng.random_range(0..self.scenario.longest_down.0));
        let again = self.now + down;
        let again = if paused { again.max(self.scenario.let_in_from) } else { again };
        if self.scenario.gives_up && self.rng.random_bool(0.3) {
            let life = self.life;
            self.at(self.now, Happening::GiveUp { life });
        }
        self.at(again, Happening::Restart);
    }

    /// One server that something is open on, and that has not ended.
    fn give_up(&mut self) {
        let going = |what: &OpenIntent| *what != OpenIntent::Unknown;
        let open = open_intents(&self.journal)
            .into_iter()
            .find(|(server, open)| open.iter().all(going) && !self.watchers.has_ended(server));
        let (Some((server, open)), Some(last)) = (open, self.journal.last()) else { return };
        let open = open.iter().map(OpenIntent::to_string).collect();
        let event = Event::Abandoned { server, by: "ann".to_owned(), open };
        let (seq, at) = (last.seq + 1, last.at.max(self.now));
        let wall = self.moment().wall;
        self.append(vec![Record { seq, at, wall, event }]);
    }

    fn restart(&mut self) {
        if self.engine.is_some() {
            return;
        }
        let mut engine = match Engine::replay(Arc::clone(&self.scenario.plan), &self.journal) {
            Ok(engine) => engine,
            Err(error) => return self.watchers.replay_failed(&error.to_string()),
        };
        (self.prepare)(&mut engine);
        self.now = self.now.max(engine.last_time());
        self.engine = Some(engine);
        let left = self.left();
        self.turn(Input::Resumed { left, yielded: Vec::new() });
    }

    fn at(&mut self, at: Time, happening: Happening) {
        self.number += 1;
        self.queue.insert((at, self.number), happening);
    }

    fn moment(&self) -> Moment {
        let world = Millis(self.scenario.begins.0 + self.now.0);
        Moment { at: self.now, wall: self.scenario.world.wall(world) + self.scenario.clock_ahead }
    }

    fn rehearsal(self) -> (Rehearsal, World) {
        let last = self.journal.last().map(|record| &record.event);
        let (cause, counts) = match last {
            Some(Event::RunEnded { cause, counts }) => (Some(cause.clone()), counts.clone()),
            _ => (None, Counts::default()),
        };
        let pauses =
            self.journal.iter().filter(|record| matches!(record.event, Event::Paused { .. }));
        let pauses = u32::try_from(pauses.count()).unwrap_or(u32::MAX);
        let rehearsal = Rehearsal {
            seed: self.scenario.seed,
            cause,
            counts,
            duration: self.now.since(Time(0)),
            requests: self.scenario.world.stats().requests.total,
            locked_out: self.locked_out,
            turns: self.turns,
            crashes: self.life.saturating_sub(pauses),
            pauses,
            findings: self.watchers.findings,
            records: self.journal,
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
