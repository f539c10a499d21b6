//! Laws that are judged by the world's own record and by what reached a client, not by the engine's
//! books: who was wiped how often, who was off because of whom, and whether what a run says is true.
//!
//! Start with [`Laws`]. Records of a run are read for two things only: what it claims, and which
//! servers it counts as failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    Action, Answer, CallId, Deed, Ending, Event, FleetName, Millis, Record, Reply, Server,
    ServerId, Time,
};
use crate::journal::open_intents;
use crate::plan::CheckedPlan;
use crate::simulator::{Asking, By, World};

use super::checkers::{Checker, Finding};
use super::process::Process;
use super::scenario::Scenario;
use super::sights::Sight;
use super::truth::{Truth, Truths, Wipe};

/// A look may be so old when a request that rests on it is sent.
const FRESH: Millis = Millis::secs(10);

/// A request that leaves.
pub(super) struct Sending<'a> {
    pub(super) run: usize,
    pub(super) at: Time,
    pub(super) action: &'a Action,
}

/// What is remembered of one run.
pub(super) struct Seen {
    pub(super) plan: Arc<CheckedPlan>,
    /// When its plan was drawn.
    made: Millis,
    /// The youngest look at each server that reached the process that lives.
    looks: BTreeMap<ServerId, Sight>,
    /// When something was first sent to a server, apart from programs.
    touched: BTreeMap<ServerId, Millis>,
    /// Servers that something was intended for, by the process that lives.
    intended: BTreeSet<ServerId>,
    pub(super) endings: BTreeMap<ServerId, Ending>,
    /// Servers that could not be started back, as the run says.
    pub(super) not_back: BTreeSet<ServerId>,
    /// Servers that another run took, or a person gave up.
    pub(super) let_go: BTreeSet<ServerId>,
    /// Numbers of the reinstalls that were sent, as the world counts requests.
    pub(super) sent: BTreeMap<CallId, u64>,
    /// The last reinstall that was sent to a server.
    pub(super) last_wipe: BTreeMap<ServerId, CallId>,
    pub(super) over: bool,
}

/// All laws, with what they remember.
pub(super) struct Laws {
    findings: Vec<Finding>,
    begins: Millis,
    /// The server of the world is shown so late.
    pub(super) lag: Millis,
    /// The cloud shows who reinstalled a server whose disk keeps its id.
    log_tells: bool,
    pub(super) truths: Truths,
    pub(super) runs: Vec<Seen>,
    pub(super) now: Time,
}

impl Seen {
    fn new(plan: &Arc<CheckedPlan>, made: Millis) -> Self {
        Self {
            plan: Arc::clone(plan),
            made,
            looks: BTreeMap::new(),
            touched: BTreeMap::new(),
            intended: BTreeSet::new(),
            endings: BTreeMap::new(),
            not_back: BTreeSet::new(),
            let_go: BTreeSet::new(),
            sent: BTreeMap::new(),
            last_wipe: BTreeMap::new(),
            over: false,
        }
    }

    /// Whether a failure is counted for it: it holds no place.
    fn has_failed(&self, server: &ServerId) -> bool {
        self.endings.get(server).is_some_and(|ending| ending.is_failure())
    }

    fn starts_back(&self, server: &ServerId) -> bool {
        let target = self.plan.targets.get(server);
        let treatment = target.and_then(|it| self.plan.treatments.get(it.treatment as usize));
        treatment.is_none_or(|treatment| treatment.start_back)
    }

    /// Whether it is off because the playbook wants it off.
    fn is_left_off(&self, server: &ServerId) -> bool {
        let target = self.plan.targets.get(server);
        self.endings.get(server) == Some(&Ending::Verified)
            && target.is_some_and(|target| !target.leave_running)
    }
}

impl Laws {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let keeps_disk = scenario.plan.cloud.features.keeps_disk;
        let mut laws = Self {
            findings: Vec::new(),
            begins: scenario.begins,
            lag: scenario.world.longest_lag(),
            log_tells: !keeps_disk || scenario.log_tells,
            truths: Truths::new(&scenario.world),
            runs: Vec::new(),
            now: Time(0),
        };
        laws.runs.push(Seen::new(&scenario.plan, Millis(0)));
        if scenario.second.is_some() {
            laws.runs.push(Seen::new(&scenario.plan, Millis(0)));
        }
        laws
    }

    /// A later run has a plan of its own, which was drawn just now.
    pub(super) fn replanned(&mut self, run: usize, plan: &Arc<CheckedPlan>, now: Time) {
        self.runs[run] = Seen::new(plan, self.world_time(now));
    }

    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn find(&mut self, checker: Checker, detail: impl Into<String>) {
        self.findings.push(Finding { checker, at: self.now, detail: detail.into() });
    }

    fn world_time(&self, at: Time) -> Millis {
        Millis(self.begins.0 + at.0)
    }

    /// Whether something that came true then had to be in every look that rule 1 allows.
    pub(super) fn was_visible(&self, since: Millis) -> bool {
        since.0 + self.lag.0 + FRESH.0 <= self.world_time(self.now).0
    }

    /// The process that drove the run is gone, with what it had seen.
    pub(super) fn died(&mut self, run: usize) {
        let now = self.now;
        let seen = &mut self.runs[run];
        seen.looks.clear();
        // Whoever goes on cannot know whether what was written down was sent.
        for server in std::mem::take(&mut seen.intended) {
            seen.touched.entry(server).or_insert(Millis(self.begins.0 + now.0));
        }
    }

    /// Reads the world's record as far as it goes.
    pub(super) fn read(&mut self, world: &World, now: Time) {
        self.now = now;
        while let Some(off) = self.truths.read_one(world) {
            if let Some((_, server)) = off {
                self.count_away(&server);
            }
        }
    }

    /// *Away*: never more servers of a fleet off because of a run than the plan lets be away, those
    /// aside that count as failures.
    fn count_away(&mut self, server: &ServerId) {
        let truth = self.truths.get(server);
        for run in 0..self.runs.len() {
            let client = client(run);
            if !truth.is_off_by(client) {
                continue;
            }
            let seen = &self.runs[run];
            let Some(name) = seen.plan.targets.get(server).map(|it| it.fleet.clone()) else {
                continue;
            };
            let most = seen.plan.fleets[&name].pace.max_unavailable as usize;
            let away = self.away(run, &name);
            if away.len() > most {
                let detail = format!("run {run}: {away:?} of {name} are off, {most} may be");
                self.find(Checker::Away, detail);
            }
        }
    }

    /// Servers of a fleet that are off because of a run.
    fn away(&self, run: usize, name: &FleetName) -> Vec<ServerId> {
        let seen = &self.runs[run];
        let of_fleet = seen.plan.targets.iter().filter(|(_, target)| target.fleet == *name);
        let off = of_fleet.map(|(server, _)| server).filter(|server| {
            let given_up = seen.not_back.contains(*server);
            self.truths.see(server).is_some_and(|it| it.is_off_by(client(run)))
                && !seen.has_failed(server)
                && !seen.is_left_off(server)
                && !seen.let_go.contains(*server)
                && !given_up
        });
        off.cloned().collect()
    }

    /// *`NothingLeftOff`*: whoever goes away leaves nobody off.
    pub(super) fn goes_away(&mut self, run: usize, how: &str) {
        let seen = &self.runs[run];
        let left = seen.plan.targets.keys().find(|server| {
            let Some(truth) = self.truths.see(server) else { return false };
            truth.is_off_by(client(run))
                && !truth.is_locked()
                && !truth.occupied
                && !seen.has_failed(server)
                && !seen.is_left_off(server)
                && !seen.let_go.contains(*server)
                && !seen.not_back.contains(*server)
                && seen.starts_back(server)
                && !self.is_anothers(run, server)
        });
        if let Some(server) = left {
            let ending = seen.endings.get(server);
            let detail = format!("run {run} {how}, and {server} ({ending:?}) is off");
            self.find(Checker::NothingLeftOff, detail);
        }
    }

    /// Whether another run had to do with a server since.
    fn is_anothers(&self, run: usize, server: &ServerId) -> bool {
        let mine = self.runs[run].touched.get(server);
        let others = self.runs.iter().enumerate().filter(|(other, _)| *other != run);
        others.filter_map(|(_, seen)| seen.touched.get(server)).any(|at| Some(at) > mine)
    }

    /// An answer reached the process that asked.
    pub(super) fn answered(&mut self, run: usize, (asked, _): (Time, &Action), reply: &Reply) {
        if let Ok(Answer::Server(server)) = reply {
            self.saw(run, asked, server);
        } else if let Ok(Answer::Servers { servers, .. }) = reply {
            for server in servers {
                self.saw(run, asked, server);
            }
        }
    }

    fn saw(&mut self, run: usize, asked: Time, server: &Server) {
        let seen = &mut self.runs[run];
        let Some(target) = seen.plan.targets.get(&server.id) else { return };
        if seen.looks.get(&server.id).is_none_or(|sight| sight.asked <= asked) {
            let sight = Sight::of(asked, &target.found, server);
            seen.looks.insert(server.id.clone(), sight);
        }
    }

    /// Whether this run sent something to a server, or may have.
    pub(super) fn has_touched(&self, run: usize, server: &ServerId) -> bool {
        self.runs[run].touched.contains_key(server)
    }

    /// Reinstalls of a server, by whoever, since this run began with it. One of somebody else that
    /// falls inside the age of a look cannot be told from our own.
    pub(super) fn wipes_meanwhile(
        &self,
        run: usize,
        server: &ServerId,
    ) -> impl Iterator<Item = &Wipe> {
        let since = self.runs[run].touched.get(server).copied().unwrap_or(Millis(u64::MAX));
        let truth = self.truths.see(server);
        let wipes = truth.into_iter().flat_map(|truth| &truth.wipes);
        wipes.filter(move |wipe| wipe.began.0 + FRESH.0 >= since.0)
    }

    /// Whether a fresh look of this run showed the server at rest with that power.
    pub(super) fn is_shown(&self, run: usize, server: &ServerId, on: bool) -> bool {
        let sight = self.runs[run].looks.get(server);
        sight.is_some_and(|it| it.on == Some(on) && self.now.since(it.asked) <= FRESH)
    }

    /// A request leaves.
    pub(super) fn sending(
        &mut self,
        sending: &Sending<'_>,
        processes: &[Process],
        scenario: &Scenario,
    ) {
        self.now = sending.at;
        let one = std::slice::from_ref;
        let (servers, deed) = if let Action::Stop { servers, mode } = sending.action {
            (&servers[..], Some(Deed::stop(*mode)))
        } else if let Action::Start { servers } = sending.action {
            (&servers[..], Some(Deed::Start))
        } else if let Action::Backup { server, .. } = sending.action {
            (one(server), Some(Deed::Backup))
        } else if let Action::Reinstall { server, .. } = sending.action {
            (one(server), Some(Deed::Reinstall))
        } else if let Action::Run { server, call } = sending.action
            && !call.undo
        {
            (one(server), None)
        } else {
            return;
        };
        for server in servers {
            self.touches(sending, (server, deed), (processes, scenario));
        }
    }

    fn touches(
        &mut self,
        sending: &Sending<'_>,
        (server, deed): (&ServerId, Option<Deed>),
        (processes, scenario): (&[Process], &Scenario),
    ) {
        let run = sending.run;
        let truth = self.truths.get(server);
        let reinstalled = self.wipes_meanwhile(run, server).any(|wipe| wipe.end == Some(true));
        let gives_back = deed == Some(Deed::Start) || reinstalled;
        if deed == Some(Deed::Reinstall) {
            self.once(run, server, &truth);
        }
        if !gives_back || deed == Some(Deed::Reinstall) {
            self.no_surprise(run, server, deed, &truth);
            self.unprotected(run, (server, deed), &truth);
            self.canary_proved(run, (server, deed));
            if !scenario.shares_claims(run) {
                self.own_hand(run, server, &truth);
            }
        }
        if scenario.shares_claims(run) {
            self.one_hand(run, server, processes);
        }
        // A step of the playbook's own is a touch too: what it changes is known to nobody here.
        let now = self.world_time(sending.at);
        self.runs[run].touched.entry(server.clone()).or_insert(now);
    }

    /// The request has got its number.
    pub(super) fn sent(&mut self, run: usize, call: CallId, asking: Asking) {
        self.runs[run].sent.insert(call, asking.number);
    }

    /// *Once*: no wipe while one of ours may be at work or was done, and none for a plan that is older
    /// than what somebody else put there and could be seen.
    fn once(&mut self, run: usize, server: &ServerId, truth: &Truth) {
        let open = truth.wipes_of(client(run)).find(|wipe| {
            wipe.end != Some(false) && (!wipe.asking.copy || self.was_visible(wipe.began))
        });
        if let Some(Wipe { began, .. }) = open {
            let detail = format!("run {run}: a second wipe of {server} is sent, one began {began}");
            self.find(Checker::Once, detail);
        }
        let seen = &self.runs[run];
        let first = seen.touched.get(server).copied().unwrap_or(Millis(u64::MAX));
        let others = truth.wipes.iter().find(|wipe| {
            let foreign = wipe.asking.by != By::Client(client(run)) && wipe.began > seen.made;
            let shows = wipe.wiped || wipe.end.is_none();
            let leaves_a_trace = self.log_tells || wipe.began < first || wipe.end.is_none();
            foreign && shows && leaves_a_trace && self.was_visible(wipe.began)
        });
        if let Some(Wipe { asking, began, .. }) = others {
            let by = asking.by;
            let detail = format!("run {run}: {server} is wiped, which {by:?} reinstalled {began}");
            self.find(Checker::Once, detail);
        }
    }

    /// *`NoSurprise`*: what takes a server away rests on a look that was fresh and showed it unchanged.
    fn no_surprise(&mut self, run: usize, server: &ServerId, deed: Option<Deed>, truth: &Truth) {
        let what = deed.map_or_else(|| "a step".to_owned(), |deed| deed.to_string());
        let seen = &self.runs[run];
        let wipes = deed == Some(Deed::Reinstall);
        let begun = truth.wipes_of(client(run)).next().is_some();
        let wrong = match seen.looks.get(server) {
            None => Some("without a look".to_owned()),
            Some(sight) if self.now.since(sight.asked) > FRESH => {
                Some(format!("after a look {} old", self.now.since(sight.asked)))
            }
            Some(sight) => sight
                .forbids(seen.touched.contains_key(server), begun, wipes)
                .map(|what| format!("though a look had shown that {what} differs")),
        };
        if let Some(wrong) = wrong {
            let detail = format!("run {run}: {what} is sent to {server} {wrong}");
            self.find(Checker::NoSurprise, detail);
        }
    }

    /// *Protected*: nothing that takes a server away is sent to one that the youngest look had to show
    /// as protected.
    fn unprotected(
        &mut self,
        run: usize,
        (server, deed): (&ServerId, Option<Deed>),
        truth: &Truth,
    ) {
        let shown = self.runs[run].looks.get(server).is_some_and(|sight| sight.protected);
        let certain = truth.guarded.is_some_and(|since| self.was_visible(since));
        if shown || certain {
            let since = truth.guarded;
            let detail = format!("run {run}: {deed:?} is sent to {server}, protected {since:?}");
            self.find(Checker::Protected, detail);
        }
    }

    /// *`CanaryProved`*: as long as too few canaries are verified, no more servers are in hand than there
    /// are canaries.
    fn canary_proved(&mut self, run: usize, (server, deed): (&ServerId, Option<Deed>)) {
        let seen = &self.runs[run];
        let Some(name) = seen.plan.targets.get(server).map(|target| target.fleet.clone()) else {
            return;
        };
        let waves = &seen.plan.fleets[&name].waves;
        let canaries = waves.iter().filter(|wave| wave.canary).map(|wave| wave.servers.len());
        let asked: usize = canaries.sum();
        let of_fleet = |id: &ServerId| seen.plan.targets.get(id).is_some_and(|it| it.fleet == name);
        let verified = seen.endings.iter().filter(|(_, ending)| **ending == Ending::Verified);
        let verified = verified.filter(|(id, _)| of_fleet(id)).count();
        if asked == 0 || verified >= asked {
            return;
        }
        let mut in_hand: BTreeSet<&ServerId> =
            seen.touched.keys().filter(|id| of_fleet(id)).collect();
        in_hand.retain(|id| !seen.endings.contains_key(*id) && !seen.let_go.contains(*id));
        in_hand.insert(server);
        if in_hand.len() > asked {
            let detail = format!(
                "run {run}: {deed:?} is sent to {server} with {verified} of {asked} canaries verified \
                 and {} in hand",
                in_hand.len()
            );
            self.find(Checker::CanaryProved, detail);
        }
    }

    /// *`OneHand`* among runs of one state file: nobody touches what another has in hand.
    fn one_hand(&mut self, run: usize, server: &ServerId, processes: &[Process]) {
        let others = self.runs.iter().enumerate().filter(|(other, _)| *other != run);
        let holder = others.into_iter().find(|(other, seen)| {
            let process = &processes[*other];
            let off = self.truths.get(server).is_off_by(client(*other));
            let done = seen.endings.contains_key(server) && !off;
            let in_hand = seen.touched.contains_key(server)
                && !done
                && !seen.over
                && !seen.let_go.contains(server);
            in_hand && (process.is_alive() || open_intents(&process.journal).contains_key(server))
        });
        if let Some((other, _)) = holder {
            let detail = format!("run {run} touches {server}, which run {other} has in hand");
            self.find(Checker::OneHand, detail);
        }
    }

    /// *`OneHand`* among runs of different state files: only inside the age of a look.
    fn own_hand(&mut self, run: usize, server: &ServerId, truth: &Truth) {
        let seen = &self.runs[run];
        if seen.touched.contains_key(server) {
            return;
        }
        let others = truth.changed.iter().find(|(by, at)| {
            let other = matches!(by, By::Client(other) if *other != client(run));
            other && **at > seen.made && self.was_visible(**at)
        });
        if let Some((by, at)) = others {
            let detail = format!("run {run} begins with {server}, which {by:?} changed {at}");
            self.find(Checker::OneHand, detail);
        }
    }

    /// Records were made durable.
    pub(super) fn appended(&mut self, run: usize, (now, records): (Time, &[Record])) {
        self.now = now;
        for record in records {
            if let Event::Intended { servers, .. } = &record.event {
                self.runs[run].intended.extend(servers.iter().cloned());
            } else if let Event::StepStarted { server, .. } = &record.event {
                self.runs[run].intended.insert(server.clone());
            }
            self.judge(run, &record.event);
        }
    }
}

/// The number of a run among the clients of the cloud.
pub(super) fn client(run: usize) -> u32 {
    u32::try_from(run).unwrap_or(u32::MAX)
}
