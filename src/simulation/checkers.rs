//! Checkers: each watches a whole run for one property, from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    Action, Answer, CallId, Deed, Ending, Event, Fault, FleetName, Millis, ProbeReport, ProbeSpec,
    Record, Reply, ServerId, Time, Verdict,
};
use crate::engine::Engine;
use crate::plan::{CheckedPlan, Need, protection};
use crate::playbook::Check;
use crate::simulator::Meddling;

use super::gates::Gates;
use super::scenario::Scenario;
use super::steps::StepWatch;

/// The properties, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// A wipe is never sent again while an earlier one may still be at work or has been done.
    Once,
    /// Never more in flight than the plan allows.
    Bounds,
    /// Never a start that the failure budget does not allow.
    Budget,
    /// With a strict budget never more failures than the one that spends it.
    StrictBudget,
    /// Once a canary failed, nothing of the run is wiped (`safety.md`, S7).
    Canary,
    /// Nothing of a fleet is begun, stopped or wiped before so many of those that it waits for are
    /// verified.
    DependsOn,
    /// Nothing that is protected or locked is named in any request, as soon as that can be known
    /// (`safety.md`, S12).
    Protected,
    /// Canary first, wave after wave.
    Order,
    /// Nothing outside the plan is ever named in a request.
    Untouched,
    /// The fold of the journal is what the engine knows.
    Replay,
    /// A wipe follows a look at the server by at most ten seconds (`safety.md`, S13).
    Fence,
    /// Nothing is wiped before the backup that was asked for can be restored.
    BackedUp,
    /// What was stopped and not wiped runs again at the end (`safety.md`, S19).
    GivenBack,
    /// What is called verified was reinstalled.
    Honest,
    /// What is called verified passed every check from outside after its wipe, and held as long as
    /// it had to.
    Seen,
    /// Who is shut out sends nothing more, and no server is given up for it.
    ShutOut,
    /// Nothing goes past a gate without an approval, and nothing begins in a run that is to pause.
    Gated,
    /// Nothing that a careful client never does.
    Careful,
    /// The playbook's own steps: none before what it comes after, none twice that must not be, and
    /// what waits for them waits.
    Steps,
    /// Steps of servers that were not wiped are taken back, the last one first.
    TakenBack,
    /// Never more servers off because of a run than the plan lets be away, by the world's record.
    Away,
    /// Whoever pauses or ends leaves nobody off, by the world's record.
    NothingLeftOff,
    /// Before as many canaries are verified as were asked for, no more servers are in hand than that.
    CanaryProved,
    /// No server is touched by two runs at once.
    OneHand,
    /// What a run says of its servers is true, by the world's record.
    TrueWords,
    /// What takes a server away or wipes it rests on a look that is fresh and showed it unchanged.
    NoSurprise,
    /// The run comes to its end.
    Progress,
}

/// Up to so many servers the fold is compared after every turn.
const COMPARED_WHOLE: u64 = 50;

/// A property that does not hold.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub checker: Checker,
    /// When.
    pub at: Time,
    /// What was seen.
    pub detail: String,
}

/// What a checker may see at a moment.
pub(super) struct Watch<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) now: Time,
}

/// All checkers, with what they remember between turns.
pub(super) struct Watchers {
    pub(super) findings: Vec<Finding>,
    plan: Arc<CheckedPlan>,
    /// The run's number among the clients of the cloud.
    client: u32,
    /// Others live in the cloud: what the laws judge better is left to them.
    inhabited: bool,
    /// The fold that is compared with the engine's.
    shadow: Option<Engine>,
    fleets: BTreeMap<FleetName, FleetWatch>,
    validated: BTreeMap<ServerId, Time>,
    touched: BTreeSet<ServerId>,
    endings: BTreeMap<ServerId, Ending>,
    not_given_back: BTreeSet<ServerId>,
    /// Servers that a person gave up: another run may be at them.
    given_up: BTreeSet<ServerId>,
    /// Wipes that the cloud took and that have not failed, when they were last counted.
    open_wipes: BTreeMap<ServerId, u32>,
    /// Servers of the plan that are protected or locked, and since when.
    protected: BTreeMap<ServerId, Time>,
    /// The canary that failed first.
    lost_canary: Option<ServerId>,
    /// What looks from outside saw last, for each server and each thing that was looked at.
    seen: BTreeMap<ServerId, Vec<(ProbeSpec, Sight)>>,
    /// Looks from outside that are under way.
    looking: BTreeMap<CallId, (ServerId, ProbeSpec)>,
    /// The code with which this process was shut out.
    shut_out: Option<String>,
    /// Every such code that any process heard.
    shut_out_by: BTreeSet<String>,
    gates: Gates,
    /// The playbook's own steps.
    steps: StepWatch,
    appends: u64,
    now: Time,
}

#[derive(Debug, Default)]
struct FleetWatch {
    in_flight: BTreeSet<ServerId>,
    failed: u32,
    verified: u32,
    wave: u32,
    /// Servers of later waves that took the place of a canary.
    stand_ins: BTreeSet<ServerId>,
}

impl Watchers {
    pub(super) fn new(scenario: &Scenario, plan: &Arc<CheckedPlan>, client: u32) -> Self {
        let plan = Arc::clone(plan);
        let fleets = plan.fleets.keys().map(|name| (name.clone(), FleetWatch::default()));
        let mut watchers = Self {
            findings: Vec::new(),
            shadow: Engine::replay(Arc::clone(&plan), []).ok(),
            fleets: fleets.collect(),
            validated: BTreeMap::new(),
            touched: BTreeSet::new(),
            endings: BTreeMap::new(),
            not_given_back: BTreeSet::new(),
            given_up: BTreeSet::new(),
            open_wipes: BTreeMap::new(),
            protected: BTreeMap::new(),
            lost_canary: None,
            seen: BTreeMap::new(),
            looking: BTreeMap::new(),
            shut_out: None,
            shut_out_by: BTreeSet::new(),
            gates: Gates::new(&plan),
            steps: StepWatch::new(Arc::clone(&plan), client),
            appends: 0,
            now: Time(0),
            client,
            inhabited: scenario.inhabited,
            plan: Arc::clone(&plan),
        };
        for server in plan.targets.keys() {
            watchers.meddled(scenario, server, Time(0));
        }
        watchers
    }

    /// Somebody else did something to a server, and looks show it from `shown` on.
    pub(super) fn meddled(&mut self, scenario: &Scenario, server: &ServerId, shown: Time) {
        if scenario.world.server(server).and_then(protection).is_some() {
            self.protected.entry(server.clone()).or_insert(shown);
        }
    }

    fn find(&mut self, checker: Checker, detail: impl Into<String>) {
        let judged = [Checker::Once, Checker::Protected, Checker::GivenBack];
        if self.inhabited && judged.contains(&checker) {
            return;
        }
        self.findings.push(Finding { checker, at: self.now, detail: detail.into() });
    }

    fn findings_of(&mut self, found: Vec<(Checker, String)>) {
        for (checker, detail) in found {
            self.find(checker, detail);
        }
    }

    pub(super) fn stuck(&mut self, detail: &str) {
        self.find(Checker::Progress, detail);
    }

    pub(super) fn replay_failed(&mut self, detail: &str) {
        self.find(Checker::Replay, detail);
    }

    /// Records were made durable.
    pub(super) fn appended(
        &mut self,
        watch: &Watch<'_>,
        records: &[Record],
        engine: Option<&Engine>,
    ) {
        self.now = watch.now;
        for record in records {
            if let Some(shadow) = &mut self.shadow
                && let Err(error) = shadow.follow(record)
            {
                self.find(Checker::Replay, error.to_string());
            }
            self.note(record);
            let found = self.steps.note(record);
            self.findings_of(found);
        }
        self.appends += 1;
        // Comparing costs a look at every server: in a large fleet not after each turn.
        let due = self.appends.is_multiple_of(1 + self.plan.targets.len() as u64 / COMPARED_WHOLE);
        let differs = match (engine, &self.shadow) {
            (Some(engine), Some(shadow)) => due && !engine.knows_the_same(shadow),
            (None, _) | (_, None) => false,
        };
        if differs {
            self.find(Checker::Replay, "the engine knows something else than its journal");
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
    fn note(&mut self, record: &Record) {
        if let Some(detail) = self.gates.note(record) {
            self.find(Checker::Gated, detail);
        }
        match &record.event {
            Event::Started { servers } => {
                for server in servers {
                    self.started(server);
                }
            }
            Event::WaveOpened { fleet, wave } => self.wave_opened(fleet, *wave),
            Event::CanaryReplaced { fleet, by, .. } => {
                if let Some(fleet) = self.fleets.get_mut(fleet) {
                    fleet.stand_ins.insert(by.clone());
                }
            }
            Event::Intended { deed: Deed::Stop | Deed::ForceStop, servers, .. } => {
                self.touched.extend(servers.iter().cloned());
            }
            Event::PutOff { deed, servers, .. } | Event::Refused { deed, servers, .. }
                if matches!(deed, Deed::Backup | Deed::Stop | Deed::ForceStop) =>
            {
                self.all_left_flight(servers);
            }
            Event::StartedBack { servers } => self.all_left_flight(servers),
            Event::Resolved { server, deed: Deed::Backup, verdict: Verdict::DidNot, .. }
            | Event::Resolved {
                server,
                deed: Deed::Stop | Deed::ForceStop,
                verdict: Verdict::DidNot,
                retry_at: Some(_),
                ..
            } => self.left_flight(server),
            Event::Validated { servers, seen } => {
                for server in servers {
                    self.validated.insert(server.clone(), *seen);
                }
            }
            Event::Ended { server, ending: Ending::Verified, .. } => {
                self.was_seen(server, record.at);
                self.ended(server, Ending::Verified);
            }
            Event::Ended { server, ending, failure, .. } => {
                if let Some(failure) = failure
                    && self.shut_out_by.contains(&failure.code)
                {
                    let detail = format!("{server} is {ending} for {}", failure.code);
                    self.find(Checker::ShutOut, detail);
                }
                self.ended(server, *ending);
            }
            Event::Abandoned { server, .. } => {
                self.given_up.insert(server.clone());
                self.ended(server, Ending::Unknown);
            }
            Event::Yielded { server, .. } => {
                self.given_up.insert(server.clone());
                self.left_flight(server);
                if !self.has_ended(server) {
                    self.ended(server, Ending::Drifted);
                }
            }
            Event::NotStartedBack { server, .. } => {
                self.not_given_back.insert(server.clone());
                self.left_flight(server);
            }
            Event::RunStarted { .. }
            | Event::Resumed
            | Event::PreflightPassed { .. }
            | Event::PreflightRefused { .. }
            | Event::WaveClosed { .. }
            | Event::Intended { .. }
            | Event::Accepted { .. }
            | Event::PutOff { .. }
            | Event::Refused { .. }
            | Event::Lost { .. }
            | Event::Resolved { .. }
            | Event::BackedUp { .. }
            | Event::Stopped { .. }
            | Event::StopSkipped { .. }
            | Event::JobEnded { .. }
            | Event::Settled { .. }
            | Event::HostKeySeen { .. }
            | Event::Probed { .. }
            | Event::CheckFailed { .. }
            | Event::StepsLeft { .. }
            | Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }
            | Event::Passed { .. }
            | Event::RateCut { .. }
            | Event::Held { .. }
            | Event::Steered { .. }
            | Event::Closing { .. }
            | Event::Pausing { .. }
            | Event::Paused { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn fleet_of(&self, server: &ServerId) -> Option<FleetName> {
        self.plan.targets.get(server).map(|target| target.fleet.clone())
    }

    fn started(&mut self, server: &ServerId) {
        let Some(name) = self.fleet_of(server) else {
            return self.find(Checker::Untouched, format!("{server} is not in the plan"));
        };
        self.not_before_its_turn(&name, server);
        let pace = self.plan.fleets[&name].pace.clone();
        let Some(fleet) = self.fleets.get_mut(&name) else { return };
        fleet.in_flight.insert(server.clone());
        let flying = u32::try_from(fleet.in_flight.len()).unwrap_or(u32::MAX);
        let (failed, wave) = (fleet.failed, fleet.wave);
        if flying > pace.max_unavailable {
            self.find(Checker::Bounds, format!("{flying} of {name} are away at once"));
        }
        if failed > pace.max_failures {
            self.find(Checker::Budget, format!("{server} starts after {failed} failures"));
        }
        if pace.strict_budget && failed + flying > pace.max_failures + 1 {
            self.find(
                Checker::Budget,
                format!("{failed} failed, {flying} in flight: one too many"),
            );
        }
        if let Some(canary) = &self.lost_canary {
            let detail = format!("{server} starts after canary {canary} failed");
            self.find(Checker::Canary, detail);
        }
        let waves = &self.plan.fleets[&name].waves;
        let planned = waves.get(wave as usize).is_some_and(|wave| wave.servers.contains(server));
        if !planned && !self.is_stand_in(&name, server) {
            self.find(Checker::Order, format!("{server} is not in the open wave of {name}"));
        }
    }

    fn is_canary(&self, name: &FleetName, server: &ServerId) -> bool {
        let waves = &self.plan.fleets[name].waves;
        waves.iter().any(|wave| wave.canary && wave.servers.contains(server))
            || self.is_stand_in(name, server)
    }

    fn is_stand_in(&self, name: &FleetName, server: &ServerId) -> bool {
        self.fleets.get(name).is_some_and(|fleet| fleet.stand_ins.contains(server))
    }

    /// The servers that its fleet waits for are verified, as many as were asked for.
    fn not_before_its_turn(&mut self, name: &FleetName, server: &ServerId) {
        for need in self.plan.fleets[name].needs.clone() {
            let verified = self.fleets.get(&need.fleet).map_or(0, |fleet| fleet.verified);
            if verified < need.verified {
                let Need { fleet, verified: wanted } = need;
                let detail = format!("{server} of {name} with {verified} of {wanted} of {fleet}");
                self.find(Checker::DependsOn, detail);
            }
        }
    }

    fn wave_opened(&mut self, name: &FleetName, wave: u32) {
        let before = self.plan.fleets[name].waves.iter().take(wave as usize);
        let open = before
            .flat_map(|wave| &wave.servers)
            .find(|server| !self.endings.contains_key(*server))
            .cloned();
        if let Some(server) = open {
            self.find(Checker::Order, format!("wave {wave} of {name} opens before {server} ended"));
        }
        if let Some(fleet) = self.fleets.get_mut(name) {
            fleet.wave = wave;
        }
    }

    /// Whether a server ended, as far as the records tell.
    pub(super) fn has_ended(&self, server: &ServerId) -> bool {
        self.endings.contains_key(server)
    }

    fn all_left_flight(&mut self, servers: &[ServerId]) {
        for server in servers {
            self.left_flight(server);
        }
    }

    fn left_flight(&mut self, server: &ServerId) {
        if let Some(name) = self.fleet_of(server)
            && let Some(fleet) = self.fleets.get_mut(&name)
        {
            fleet.in_flight.remove(server);
        }
    }

    fn ended(&mut self, server: &ServerId, ending: Ending) {
        self.endings.insert(server.clone(), ending);
        self.left_flight(server);
        let Some(name) = self.fleet_of(server) else { return };
        if ending.is_failure() && self.lost_canary.is_none() && self.is_canary(&name, server) {
            self.lost_canary = Some(server.clone());
        }
        let pace = self.plan.fleets[&name].pace.clone();
        let Some(fleet) = self.fleets.get_mut(&name) else { return };
        fleet.verified += u32::from(ending == Ending::Verified);
        fleet.failed += u32::from(ending.is_failure());
        let failed = fleet.failed;
        let most = if pace.strict_budget {
            pace.max_failures + 1
        } else {
            pace.max_failures + pace.max_unavailable
        };
        if failed > most {
            let checker = if pace.strict_budget { Checker::StrictBudget } else { Checker::Budget };
            self.find(checker, format!("{failed} of {name} failed, at most {most} may"));
        }
    }

    /// A look from outside is sent.
    pub(super) fn looking(&mut self, call: CallId, action: &Action) {
        if let Action::Probe { server, spec } = action {
            self.looking.insert(call, (server.clone(), spec.clone()));
        } else if let Action::Reinstall { server, .. } = action {
            self.seen.remove(server);
        }
    }

    /// A process heard what a look from outside saw.
    pub(super) fn saw(&mut self, now: Time, call: CallId, reply: &Reply) {
        let (Some((server, spec)), Ok(Answer::Probe(report))) = (self.looking.remove(&call), reply)
        else {
            return;
        };
        let passed = matches!(report, ProbeReport::Passed { .. });
        let seen = self.seen.entry(server).or_default();
        let before = seen.iter().position(|(other, _)| is_same_look(other, &spec));
        let before = before.map(|at| seen.swap_remove(at).1);
        let since = match before {
            Some(Sight { passed: true, since, .. }) if passed => since,
            Some(_) | None => now,
        };
        seen.push((spec, Sight { passed, since, last: now }));
    }

    /// The server is called verified: every check from outside was made, and held where it had to.
    fn was_seen(&mut self, server: &ServerId, at: Time) {
        let Some(target) = self.plan.targets.get(server) else { return };
        let checks = self.plan.treatments[target.treatment as usize].verify.clone();
        let seen = self.seen.get(server).cloned().unwrap_or_default();
        for (number, check) in checks.iter().enumerate() {
            if let Check::StableFor { time } = check {
                let mut held = checks[..number].iter().filter(|check| check.is_from_outside());
                let short = held.find(|check| {
                    sight_of(check, &seen).is_none_or(|sight| sight.last.since(sight.since) < *time)
                });
                if let Some(short) = short {
                    let detail = format!("{server}: {} did not hold for {time}", short.name());
                    self.find(Checker::Seen, detail);
                }
            } else if check.is_from_outside() && !sight_of(check, &seen).is_some_and(|s| s.passed) {
                self.find(
                    Checker::Seen,
                    format!("{server}: {} did not pass at {at}", check.name()),
                );
            }
        }
    }

    /// A process heard a refusal.
    pub(super) fn heard(&mut self, fault: &Fault) {
        if fault.shuts_out() {
            self.shut_out = Some(fault.code.clone());
            self.shut_out_by.insert(fault.code.clone());
        }
    }

    /// The process is gone: the next one knows nothing of what this one heard.
    pub(super) fn forget(&mut self) {
        self.shut_out = None;
    }

    /// A request goes out.
    pub(super) fn sending(&mut self, watch: &Watch<'_>, action: &Action) {
        self.now = watch.now;
        if let Some(code) = &self.shut_out {
            let detail = format!("{action:?} is sent after {code} was heard");
            self.find(Checker::ShutOut, detail);
        }
        let named: Vec<ServerId> = match action {
            Action::Stop { servers, .. } | Action::Start { servers } => servers.clone(),
            Action::Reinstall { server, .. }
            | Action::Backup { server, .. }
            | Action::ListBackups { server: Some(server), .. }
            | Action::ShowServer { server }
            | Action::ListTraces { server, .. }
            | Action::ShowPassword { server }
            | Action::Run { server, .. }
            | Action::Probe { server, .. } => vec![server.clone()],
            Action::ListServers { .. }
            | Action::ShowJob { .. }
            | Action::ListVolumes { .. }
            | Action::ListSnapshots { .. }
            | Action::ListVaults { .. }
            | Action::ListBackups { server: None, .. }
            | Action::ListAgencyRoles { .. }
            | Action::ShowQuota
            | Action::ShowImage { .. }
            | Action::FindImages { .. }
            | Action::ShowKeyPair { .. }
            | Action::ShowKey { .. }
            | Action::ListKeys
            | Action::ShowAgency => Vec::new(),
        };
        if let Some(server) = named.iter().find(|server| !self.plan.targets.contains_key(*server)) {
            self.find(Checker::Untouched, format!("{server} is not in the plan"));
        }
        let given_up = named.iter().find(|server| self.given_up.contains(*server));
        if let Some(server) = given_up.filter(|_| !action.is_repeatable()) {
            self.find(Checker::Untouched, format!("{server} was given up: {action:?}"));
        }
        let found = self.steps.sending(&watch.scenario.world, action);
        self.findings_of(found);
        self.protected_is_left_alone(action, &named);
        let (Action::Reinstall { .. } | Action::Stop { .. }) = action else { return };
        for server in &named {
            if let Some(name) = self.fleet_of(server) {
                self.not_before_its_turn(&name, server);
            }
        }
        let Action::Reinstall { server, .. } = action else { return };
        self.is_backed_up(watch, server);
        if let Some(canary) = &self.lost_canary {
            let detail = format!("{server} is wiped after canary {canary} failed");
            self.find(Checker::Canary, detail);
        }
        let seen = self.validated.get(server).copied();
        if seen.is_none_or(|seen| watch.now.since(seen) > Millis::secs(10)) {
            self.find(Checker::Fence, format!("{server} is wiped {seen:?} after its last look"));
        }
        let count = watch.scenario.world.reinstalls_by(self.client, server);
        let open = count.accepted - count.failed;
        if open > 0 {
            self.find(Checker::Once, format!("a second wipe of {server} is sent"));
        }
        self.open_wipes.insert(server.clone(), open);
    }

    /// A server that was protected or locked before the run is in no request. One that became so
    /// later is not wiped, unless that came after the last look before its wipe: nobody can know.
    fn protected_is_left_alone(&mut self, action: &Action, named: &[ServerId]) {
        for server in named {
            let Some(since) = self.protected.get(server).copied() else { continue };
            let seen = self.validated.get(server).copied();
            let wiped = matches!(action, Action::Reinstall { .. });
            if since == Time(0) || (wiped && seen.is_some_and(|seen| since <= seen)) {
                let detail = format!("{server} is protected since {since}: {action:?}");
                self.find(Checker::Protected, detail);
            }
        }
    }

    fn is_backed_up(&mut self, watch: &Watch<'_>, server: &ServerId) {
        let target = self.plan.targets.get(server);
        let treatment = target.and_then(|it| self.plan.treatments.get(it.treatment as usize));
        let Some(backup) = treatment.and_then(|treatment| treatment.backup.as_ref()) else {
            return;
        };
        let (world, begins) = (&watch.scenario.world, watch.scenario.begins);
        let now = Millis(begins.0 + watch.now.0);
        if !world.is_backed_up(now, server, (&backup.vault, begins)) {
            self.find(Checker::BackedUp, format!("{server} is wiped without its backup"));
        }
    }

    /// The world served a request.
    pub(super) fn served(&mut self, watch: &Watch<'_>, action: &Action) {
        if let Action::Reinstall { server, .. } = action {
            self.bounds_of_zone(watch, server);
            let world = &watch.scenario.world;
            let in_flight = if self.inhabited {
                world.in_flight_of(self.client, None)
            } else {
                world.in_flight().0
            };
            // One that nobody can say anything about holds no slot, and may still be at work.
            let unknown = self.endings.values().filter(|ending| **ending == Ending::Unknown);
            let most = self.plan.limits.reinstalls as usize + unknown.count();
            if in_flight > most {
                self.find(Checker::Bounds, format!("{in_flight} wipes in flight, {most} allowed"));
            }
        }
        // A late request of ours may come behind the one that took its place.
        let ours = |kind: &str| !self.inhabited || kind != "second_reinstall";
        let mut violations = watch.scenario.world.violations().iter();
        if let Some(violation) = violations.find(|violation| ours(violation.kind)) {
            self.find(Checker::Careful, format!("{violation:?}"));
        }
    }

    /// No zone has more wipes in flight than the plan lets it have.
    fn bounds_of_zone(&mut self, watch: &Watch<'_>, server: &ServerId) {
        let plan = Arc::clone(&self.plan);
        let Some(most) = plan.limits.per_az else { return };
        let Some(az) = plan.targets.get(server).map(|target| &target.found.az) else { return };
        let unknown = self.endings.iter().filter(|(id, ending)| {
            **ending == Ending::Unknown && plan.targets[*id].found.az == *az
        });
        let (in_flight, most) = (
            watch.scenario.world.in_flight_of(self.client, Some(az)),
            most as usize + unknown.count(),
        );
        if in_flight > most {
            let detail = format!("{in_flight} wipes in flight in {az}, {most} allowed");
            self.find(Checker::Bounds, detail);
        }
    }

    /// The run is over.
    pub(super) fn end(&mut self, scenario: &Scenario, journal: &[Record]) {
        match Engine::replay(Arc::clone(&self.plan), journal) {
            Ok(engine) if engine.is_finished() => {}
            Ok(_) => self.find(Checker::Replay, "the replayed run is not over"),
            Err(error) => self.find(Checker::Replay, error.to_string()),
        }
        let left = self.steps.end(&scenario.world);
        self.findings_of(left);
        let plan = Arc::clone(&self.plan);
        for (id, target) in &plan.targets {
            let Some(server) = scenario.world.server(id) else { continue };
            let count = scenario.world.reinstalls_by(self.client, id);
            let ending = self.endings.get(id).copied();
            // What others put there is judged by *TrueWords*.
            let verified = ending == Some(Ending::Verified)
                && !scenario.world.is_wiped_by_others(self.client, id);
            if verified && count.completed == 0 {
                self.find(Checker::Honest, format!("{id} is called verified, and was not wiped"));
            }
            if verified && server.image != *target.image() {
                let detail = format!("{id} is called verified with image {}", server.image);
                self.find(Checker::Honest, detail);
            }
            // A disk that keeps its id does not show whether a failed attempt has touched it.
            let shown = count.failed == 0 || !plan.cloud.features.keeps_disk;
            let owed = self.touched.contains(id)
                && count.completed == 0
                && shown
                && server.system_volume() == Some(&target.found.system_volume)
                && ending != Some(Ending::Unknown)
                && !self.not_given_back.contains(id);
            let occupied = server.task_state.as_deref() == Some(Meddling::TASK);
            if owed && !server.is_running() && !occupied {
                self.find(Checker::GivenBack, format!("{id} ({ending:?}) is {}", server.status));
            }
        }
    }
}

/// What looks from outside saw of one thing.
#[derive(Clone, Copy, Debug)]
struct Sight {
    passed: bool,
    /// Since when it was always seen like that.
    since: Time,
    /// When it was seen last.
    last: Time,
}

/// Whether two looks look at the same, the second time or the third.
fn is_same_look(one: &ProbeSpec, other: &ProbeSpec) -> bool {
    match (one, other) {
        (ProbeSpec::Command { words, .. }, ProbeSpec::Command { words: others, .. }) => {
            words == others
        }
        _ => one == other,
    }
}

fn sight_of(check: &Check, seen: &[(ProbeSpec, Sight)]) -> Option<Sight> {
    let is_of = |spec: &ProbeSpec| match (check, spec) {
        (Check::Tcp { port, .. }, ProbeSpec::Tcp { port: seen, .. }) => port == seen,
        (Check::Http { .. }, ProbeSpec::Http { .. })
        | (Check::Command { .. }, ProbeSpec::Command { .. })
        | (Check::Ssh(_), ProbeSpec::Ssh { .. }) => true,
        _ => false,
    };
    seen.iter().find(|(spec, _)| is_of(spec)).map(|(_, sight)| *sight)
}
