//! One request from its arrival to its answer, without any socket.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::account::Account;
use super::super::error::{ApiError, Shape};
use super::super::faults::{Again, Fate, Hears};
use super::super::history::{Asking, By};
use super::super::tasks::add;
use super::super::world::World;
use super::super::{Faults, WorldSpec};
use super::auth::{Gate, Scope};
use super::message::{Incoming, Outgoing, refused};
use super::native::{self, ActionLine};
use super::quote::Quotes;
use super::route::{Call, PowerCall, Realm, route};
use super::server::{Clock, Options};
use super::{audit, control, identity, images, jobs, keys, power, servers, storage, vaults};
use crate::domain::{Millis, ServerId, Timestamp};

/// How much of an answer gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// All of it.
    Whole,
    /// Nothing: the connection ends.
    Nothing,
    /// Its beginning.
    Cut,
}

/// The moment of a request in both ways of counting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Simulated time.
    pub(super) at: Millis,
    /// The wall clock.
    pub(super) wall: Timestamp,
}

/// A world behind a port.
pub(super) struct Front {
    pub(super) world: World,
    pub(super) gate: Gate,
    /// Servers that were written down before, by their place in the world and their version.
    pub(super) written: Vec<Option<(u64, String)>>,
    /// Where this is: what the catalog points at.
    pub(super) root: String,
    pub(super) speed: f64,
    spec: WorldSpec,
    faults: Faults,
    seed: u64,
    clock: Clock,
    begin: Timestamp,
    requests: u64,
    /// What was done to servers, as native Nova tells it; oldest first.
    pub(super) actions: BTreeMap<ServerId, Vec<ActionLine>>,
    quotes: Quotes,
    /// Requests that a gateway holds back, and until when.
    held_back: Vec<(Millis, Asking, Incoming)>,
}

impl Front {
    /// A front of a new world, whose time begins now.
    pub(super) fn new(spec: WorldSpec, options: Options, root: String) -> Self {
        let Options { speed, seed, faults, clock } = options;
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        let begin = clock();
        let world = World::new(&spec, faults.clone(), seed).beginning(begin, speed);
        let life = Millis::secs(u64::from(spec.knobs.token_life));
        let gate = Gate::new(seed, life, |length| divided(length, speed));
        let (written, actions) = (Vec::new(), BTreeMap::new());
        let quotes = Quotes::new(seed);
        Self {
            world,
            gate,
            written,
            root,
            speed,
            spec,
            faults,
            seed,
            clock,
            begin,
            requests: 0,
            actions,
            quotes,
            held_back: Vec::new(),
        }
    }

    /// Starts over.
    pub(super) fn reset(&mut self) {
        let (spec, root) = (self.spec.clone(), self.root.clone());
        let faults = self.faults.clone();
        let clock = Clock::clone(&self.clock);
        *self =
            Self::new(spec, Options { speed: self.speed, seed: self.seed, faults, clock }, root);
    }

    /// The id of the request that is being served.
    pub(super) fn request_id(&self) -> String {
        format!("{:032x}", self.requests)
    }

    /// Who the user is.
    pub(super) fn account(&self) -> &Account {
        self.world.account()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates; a simulator does not run for ages"
    )]
    fn now(&self) -> Now {
        let wall = (self.clock)();
        let at = Millis((wall.since(self.begin).0 as f64 * self.speed) as u64);
        Now { at, wall }
    }

    /// Serves a request.
    pub(super) fn handle(&mut self, request: &Incoming) -> (Outgoing, Sent) {
        let now = self.now();
        self.deliver(now);
        let segments = request.segments();
        if segments.first().is_some_and(|first| first == "_refleet") {
            self.world.advance(now.at);
            return (control::answer(self, now, request, &segments), Sent::Whole);
        }
        self.requests += 1;
        let request_id = self.request_id();
        let (outcome, sent) = self.served(now, request, &segments);
        let mut answer = outcome.unwrap_or_else(|error| {
            let error = self.world.spelled(error);
            let quoting = self.quotes.refusal(self.world.faults.quotes, request, error);
            refused(&quoting, &request_id, self.speed)
        });
        answer.headers.push(("X-Request-Id", request_id));
        (answer, sent)
    }

    /// Requests arrive that a gateway held back. Nobody waits for their answers.
    fn deliver(&mut self, now: Now) {
        while let Some(at) = self.held_back.iter().position(|(due, ..)| *due <= now.at) {
            let (_, asking, request) = self.held_back.remove(at);
            self.world.advance(now.at);
            self.world.asking = asking;
            if let Some((call, _)) = route(&request.method, &request.segments()) {
                let _nobody_hears = self.carry_out(now, &request, &call);
            }
        }
    }

    fn served(
        &mut self,
        now: Now,
        request: &Incoming,
        segments: &[String],
    ) -> (Result<Outgoing, ApiError>, Sent) {
        let Some((call, project)) = route(&request.method, segments) else {
            let path = request.target.split('?').next().unwrap_or_default();
            self.world.count_unknown(now.at, &request.method, path);
            let message = "The API does not exist or has not been published in the environment";
            let error = ApiError::new(404, "APIGW.0101", message).shaped(Shape::Gateway);
            return (Err(error), Sent::Whole);
        };
        let operation = power::operation(&call, request);
        self.world.count(now.at, operation);
        if let Err(error) = self.let_in(now, request, (&call, project.as_deref())) {
            return (Err(error), Sent::Whole);
        }
        let fate = match call.realm() {
            Realm::Public | Realm::Identity => {
                let unharmed = Fate { deed: true, hears: Hears::Answer, again: Again::Never };
                self.world.scripted(operation).unwrap_or(unharmed)
            }
            Realm::Reading => self.world.fate(now.at, operation, false),
            Realm::Mutating => self.world.fate(now.at, operation, true),
        };
        self.world.asked_by(By::Client(0));
        let mut outcome = if fate.deed {
            self.carry_out(now, request, &call)
        } else {
            Ok(Outgoing::ok(&Value::Null))
        };
        match fate.again {
            Again::Never => {}
            Again::AtOnce => {
                self.world.asking.copy = true;
                outcome = self.carry_out(now, request, &call);
            }
            Again::After(wait) => {
                let asking = Asking { copy: true, ..self.world.asking };
                self.held_back.push((add(now.at, wait), asking, request.clone()));
            }
        }
        match fate.hears {
            Hears::Answer => (outcome, Sent::Whole),
            Hears::Instead(error) => (Err(error), Sent::Whole),
            Hears::Nothing => (outcome, Sent::Nothing),
            Hears::Cut => (outcome, Sent::Cut),
        }
    }

    fn let_in(
        &mut self,
        now: Now,
        request: &Incoming,
        (call, project): (&Call, Option<&str>),
    ) -> Result<(), ApiError> {
        if call.realm() == Realm::Public {
            return Ok(());
        }
        let scope = self.gate.check(request, self.world.account(), now.wall)?;
        let own = project.is_none_or(|project| project == self.account().project_id);
        let enough = scope == Scope::Project || call.realm() == Realm::Identity;
        if own && enough {
            return Ok(());
        }
        let message = "The project ID in the URL does not match that of the token.";
        Err(ApiError::new(400, "Ecs.0023", message))
    }

    fn carry_out(
        &mut self,
        now: Now,
        request: &Incoming,
        call: &Call,
    ) -> Result<Outgoing, ApiError> {
        match call {
            Call::Identity(call) => identity::answer(self, now, (request, call)),
            Call::Servers(call) => servers::answer(self, now.at, (request, call)),
            Call::Native(call) => native::answer(self, now.at, (request, call)),
            Call::Power(call) => {
                let answer = power::answer(&mut self.world, now.at, (request, call))?;
                self.note(now, request, call);
                self.quotes.remember(self.world.faults.quotes, request, &answer);
                Ok(answer)
            }
            Call::ShowJob(id) => jobs::answer(&self.world, now.at, id, self.quotes.of_job(id)),
            Call::Storage(call) => storage::answer(&mut self.world, now.at, (request, call)),
            Call::Vaults(call) => vaults::answer(&mut self.world, now.at, (request, call)),
            Call::Images(call) => images::answer(&self.world, request, call),
            Call::Keys(call) => keys::answer(&mut self.world, now.at, (request, call)),
            Call::Traces => audit::answer(&self.world, now, request),
        }
    }

    /// Writes down what was done to servers.
    fn note(&mut self, now: Now, request: &Incoming, call: &PowerCall) {
        let body = request.json().unwrap_or_default();
        let Some(line) = ActionLine::of(call, &body, now.wall) else { return };
        let line = line.under(self.request_id());
        for id in power::servers(call, &body) {
            self.actions.entry(id).or_default().push(line.clone());
        }
    }
}

/// A duration in real time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates"
)]
fn divided(length: Millis, speed: f64) -> Millis {
    Millis((length.0 as f64 / speed) as u64)
}
