//! The checker of the playbook's own steps: from the records and from what is started, and from
//! nothing that the engine thinks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    Action, Ahead, Deed, Ending, Event, JobEnd, Record, ServerId, StepEnd, Verdict,
};
use crate::plan::{CheckedPlan, PlannedFleet, Step};
use crate::playbook::StepWord;
use crate::simulator::World;

use super::checkers::Checker;

/// What was seen of the steps of every server.
pub(super) struct StepWatch {
    plan: Arc<CheckedPlan>,
    /// The run's number among the clients of the cloud.
    client: u32,
    servers: BTreeMap<ServerId, Seen>,
}

/// What was seen of one server.
#[derive(Debug, Default)]
struct Seen {
    /// Steps of the loop, and of the playbook's own, that are done.
    done: BTreeSet<String>,
    /// Programs that were started, by step and without those that take a step back.
    started: BTreeMap<String, u32>,
    /// Steps that were started after the server was stopped.
    late: BTreeSet<String>,
    /// Programs of steps that were started, and have not ended.
    running: BTreeSet<String>,
    /// Steps that did not end well, or that must not be run again and were interrupted: nothing is
    /// taken from its users any more.
    trouble: BTreeSet<String>,
    /// Steps that were taken back, or of which it was said that they were not.
    undone: BTreeSet<String>,
    ending: Option<Ending>,
    /// A wipe was sent, and nothing says that it was not done.
    wiped: bool,
    /// Somebody gave it back.
    given_up: bool,
}

type Found = Vec<(Checker, String)>;

impl StepWatch {
    pub(super) fn new(plan: Arc<CheckedPlan>, client: u32) -> Self {
        Self { plan, client, servers: BTreeMap::new() }
    }

    fn fleet(&self, server: &ServerId) -> Option<&PlannedFleet> {
        self.plan.fleets.get(&self.plan.targets.get(server)?.fleet)
    }

    fn word_done(&mut self, servers: &[ServerId], word: StepWord) {
        for server in servers {
            let Some(fleet) = self.fleet(server) else { continue };
            let Some(id) = fleet.word(word).map(|at| fleet.steps[at].id.clone()) else { continue };
            self.servers.entry(server.clone()).or_default().done.insert(id);
        }
    }

    /// Whether a server may have been wiped, as far as the records say.
    fn note_wipe(&mut self, event: &Event) {
        let mut set = |servers: &[ServerId], wiped: bool| {
            for server in servers {
                self.servers.entry(server.clone()).or_default().wiped = wiped;
            }
        };
        if let Event::Intended { deed: Deed::Reinstall, servers, .. } = event {
            set(servers, true);
        } else if let Event::PutOff { deed: Deed::Reinstall, servers, .. }
        | Event::Refused { deed: Deed::Reinstall, servers, .. } = event
        {
            set(servers, false);
        } else if let Event::Resolved {
            server,
            deed: Deed::Reinstall,
            verdict: Verdict::DidNot,
            ..
        }
        | Event::JobEnded { server, end: JobEnd::Failed { wiped: false, .. }, .. } = event
        {
            set(std::slice::from_ref(server), false);
        }
    }

    /// Whether a step went wrong that nothing may be built on.
    fn note_trouble(&mut self, event: &Event) {
        if let Event::StepStarted { server, step, undo: false, .. } = event {
            let fleet = self.fleet(server);
            let stop = fleet.and_then(|it| Some(it.steps[it.word(StepWord::Stop)?].id.clone()));
            let seen = self.servers.entry(server.clone()).or_default();
            seen.running.insert(step.clone());
            if stop.is_some_and(|stop| seen.done.contains(&stop)) {
                seen.late.insert(step.clone());
            } else {
                seen.late.remove(step);
            }
        } else if let Event::StepEnded { server, step, undo: false, end, .. } = event {
            let seen = self.servers.entry(server.clone()).or_default();
            seen.running.remove(step);
            if *end != StepEnd::Done {
                seen.trouble.insert(step.clone());
            }
        } else if let Event::Resumed = event {
            let plan = Arc::clone(&self.plan);
            for (server, seen) in &mut self.servers {
                let fleet = plan.targets.get(server).and_then(|it| plan.fleets.get(&it.fleet));
                let once = |id: &String| {
                    let mut own = fleet.into_iter().flat_map(PlannedFleet::own_steps);
                    own.any(|(_, step, run)| step.id == *id && run.once)
                };
                seen.trouble.extend(std::mem::take(&mut seen.running).into_iter().filter(once));
            }
        }
    }

    /// A record was made durable.
    pub(super) fn note(&mut self, record: &Record) -> Found {
        self.note_wipe(&record.event);
        self.note_trouble(&record.event);
        if let Event::Stopped { servers } | Event::StopSkipped { servers } = &record.event {
            self.word_done(servers, StepWord::Stop);
        } else if let Event::JobEnded { server, end: JobEnd::Succeeded { .. }, .. } = &record.event
        {
            self.word_done(std::slice::from_ref(server), StepWord::Validate);
            self.word_done(std::slice::from_ref(server), StepWord::Reinstall);
        } else if let Event::Settled { servers }
        | Event::StepsLeft { servers, before: Ahead::Checks } = &record.event
        {
            self.word_done(servers, StepWord::Wait);
        } else if let Event::StepsLeft { servers, before: Ahead::End } = &record.event {
            self.word_done(servers, StepWord::Verify);
        } else if let Event::StepEnded { server, step, undo: false, end: StepEnd::Done, .. } =
            &record.event
        {
            self.servers.entry(server.clone()).or_default().done.insert(step.clone());
        } else if let Event::StepEnded { server, step, undo: true, .. }
        | Event::NotUndone { server, step, .. } = &record.event
        {
            self.servers.entry(server.clone()).or_default().undone.insert(step.clone());
        } else if let Event::Intended { deed: Deed::Stop, servers, .. } = &record.event {
            let found = |it| [self.waits(it, StepWord::Stop), self.is_spared(it, Deed::Stop)];
            return servers.iter().flat_map(found).flatten().collect();
        } else if let Event::Intended { deed: Deed::ForceStop, servers, .. } = &record.event {
            // It may be the end of a stop that was sent before something went wrong.
            return servers.iter().flat_map(|it| self.waits(it, StepWord::Stop)).collect();
        } else if let Event::Abandoned { server, .. } = &record.event {
            self.servers.entry(server.clone()).or_default().given_up = true;
        } else if let Event::Ended { server, ending, .. } = &record.event {
            return self.ended(server, *ending);
        }
        Vec::new()
    }

    fn ended(&mut self, server: &ServerId, ending: Ending) -> Found {
        let seen = self.servers.entry(server.clone()).or_default();
        seen.ending = Some(ending);
        let done = seen.done.clone();
        let Some(fleet) = self.fleet(server).filter(|_| ending == Ending::Verified) else {
            return Vec::new();
        };
        let open = fleet.own_steps().find(|(_, step, _)| !done.contains(&step.id));
        let open = open.map(|(_, step, _)| format!("{server} is verified without {}", step.id));
        open.map(|detail| (Checker::Steps, detail)).into_iter().collect()
    }

    fn done(&self, server: &ServerId) -> BTreeSet<String> {
        self.servers.get(server).map(|seen| seen.done.clone()).unwrap_or_default()
    }

    /// Whether a server is left alone after a step of its own went wrong.
    fn is_spared(&self, server: &ServerId, deed: Deed) -> Found {
        let trouble = self.servers.get(server).and_then(|seen| seen.trouble.first());
        let found = trouble.map(|step| format!("{server}: {deed} sent, and {step} went wrong"));
        found.map(|detail| (Checker::Steps, detail)).into_iter().collect()
    }

    /// Whether a move of the engine waited for the steps that come before it.
    fn waits(&self, server: &ServerId, word: StepWord) -> Found {
        let Some(fleet) = self.fleet(server) else { return Vec::new() };
        let Some(step) = fleet.word(word).map(|at| &fleet.steps[at]) else { return Vec::new() };
        let done = self.done(server);
        let own = |id: &&String| fleet.own_steps().any(|(_, step, _)| step.id == **id);
        let early = step.after.iter().filter(own).find(|id| !done.contains(*id));
        let early = early.map(|id| format!("{server}: {} before {id}", step.id));
        early.map(|detail| (Checker::Steps, detail)).into_iter().collect()
    }

    /// A request goes out, or a program is started.
    pub(super) fn sending(&mut self, world: &World, action: &Action) -> Found {
        if let Action::Reinstall { server, .. } = action {
            let mut found = self.waits(server, StepWord::Validate);
            found.extend(self.waits(server, StepWord::Reinstall));
            found.extend(self.is_spared(server, Deed::Reinstall));
            return found;
        }
        let Action::Run { server, call } = action else { return Vec::new() };
        let Some(fleet) = self.fleet(server) else { return Vec::new() };
        let Some(step) = fleet.step(&call.step).map(|at| fleet.steps[at].clone()) else {
            return vec![(Checker::Steps, format!("{server} has no step {}", call.step))];
        };
        if call.undo {
            self.taking_back(world, server, &step)
        } else {
            self.starting(server, &step)
        }
    }

    fn starting(&mut self, server: &ServerId, step: &Step) -> Found {
        let mut found = Vec::new();
        let done = self.done(server);
        if let Some(open) = step.after.iter().find(|id| !done.contains(*id)) {
            found.push((Checker::Steps, format!("{server}: {} before {open}", step.id)));
        }
        let seen = self.servers.entry(server.clone()).or_default();
        let times = seen.started.entry(step.id.clone()).or_default();
        *times += 1;
        if *times > 1 && step.run.as_ref().is_some_and(|run| run.once) {
            found.push((Checker::Steps, format!("{server}: {} runs again", step.id)));
        }
        found
    }

    fn taking_back(&self, world: &World, server: &ServerId, step: &Step) -> Found {
        let mut found = Vec::new();
        if world.reinstalls_by(self.client, server).completed > 0 {
            let detail = format!("{} of {server} is taken back, and it was wiped", step.id);
            found.push((Checker::TakenBack, detail));
        }
        let (Some(fleet), Some(seen)) = (self.fleet(server), self.servers.get(server)) else {
            return found;
        };
        let order = |step: &Step| (seen.late.contains(&step.id), fleet.step(&step.id));
        let later = fleet.own_steps().find(|(_, later, run)| {
            order(later) > order(step)
                && run.undo.is_some()
                && seen.started.contains_key(&later.id)
                && !seen.undone.contains(&later.id)
        });
        if let Some((_, later, _)) = later {
            let detail = format!("{} of {server} is taken back before {}", step.id, later.id);
            found.push((Checker::TakenBack, detail));
        }
        found
    }

    /// The run is over.
    pub(super) fn end(&self, world: &World) -> Found {
        let mut found = Vec::new();
        let done = |server: &ServerId| world.reinstalls_by(self.client, server).completed;
        for (server, seen) in &self.servers {
            let spared = !seen.wiped && !seen.given_up && done(server) == 0;
            let in_doubt = seen.ending == Some(Ending::Unknown);
            let Some(fleet) = self.fleet(server).filter(|_| spared && !in_doubt) else { continue };
            let left = fleet.own_steps().find(|(_, step, run)| {
                run.undo.is_some()
                    && seen.started.contains_key(&step.id)
                    && !seen.undone.contains(&step.id)
            });
            if let Some((_, step, _)) = left {
                found.push((Checker::TakenBack, format!("{} of {server} is left", step.id)));
            }
        }
        found
    }
}
