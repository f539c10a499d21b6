//! How many turns a second the engine alone makes: one run over 10,000 servers of the simulated
//! world, in simulated time, with only the engine's own calls on the clock.
//!
//! `cargo bench --bench engine -- [SERVERS [AWAY_AT_ONCE]]`; a turn that takes in a page of a sweep
//! takes in 1,000 servers, so both ways of looking are worth a figure: `10000 10000` and `10000 50`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a bench may break, and its figures are for people"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use refleet::domain::{CallId, Millis, Moment, Reply, RunId, Time};
use refleet::engine::{Engine, Input, Start, Turn};
use refleet::plan::Consent;
use refleet::playbook::{NoFiles, Source, parse};
use refleet::simulation::Scenario;
use refleet::simulator::{Faults, WorldSpec};

const PLAYBOOK: &str = "
version: 1
cloud: simulator
fleets:
  web:
    hosts: [{ name: web-* }]
    strategy: { canary: 1, serial: [100%], max_unavailable: AWAY, max_failures: 1000, strict_budget: false }
limits: { api: { rate: 1000/s, burst: 500 }, reinstalls: 1000, stop_batch: 1000 }
";

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn timed(engine: &mut Engine, now: Moment, input: Input, spent: &mut Duration) -> Turn {
    let begin = Instant::now();
    let turn = engine.handle(now, input);
    *spent += begin.elapsed();
    turn
}

#[expect(clippy::print_stdout, reason = "a bench reports")]
fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse().ok());
    let servers: u32 = numbers.next().unwrap_or(10_000);
    let away: u32 = numbers.next().unwrap_or(servers);
    let source = Source::new("bench.yaml", PLAYBOOK.replace("AWAY", &away.to_string()));
    let playbook = parse(&source, &NoFiles).playbook.expect("a sound playbook");
    let none = Faults::default();
    let scenario = Scenario::draw(&playbook, &WorldSpec::healthy(servers), Some(&none), 1)
        .expect("a plan for every server");
    let Scenario { plan, mut world, begins, .. } = scenario;
    let consent = Consent::try_new(&plan, plan.targets.len()).expect("the right number");
    let start = Start { run: RunId::from("bench"), seed: 1 };
    let (mut engine, _) = Engine::new(Arc::clone(&plan), &consent, start, Moment::default());
    let mut queue: BTreeMap<(Time, u64), (CallId, Reply)> = BTreeMap::new();
    let (mut number, mut now) = (0_u64, Time(0));
    let (mut turns, mut records, mut requests) = (0_u64, 1_u64, 0_u64);
    let (mut spent, mut longest) = (Duration::ZERO, Duration::ZERO);
    let mut input = Input::Begin;
    loop {
        let moment = Moment { at: now, wall: world.wall(Millis(begins.0 + now.0)) };
        let before = spent;
        let turn = timed(&mut engine, moment, input, &mut spent);
        longest = longest.max(spent.saturating_sub(before));
        turns += 1;
        records += turn.records.len() as u64;
        for command in turn.commands {
            requests += 1;
            let served = world.serve(Millis(begins.0 + now.0), &command.action);
            let reply = served.reply.expect("no answer is lost");
            number += 1;
            queue.insert((now + served.after, number), (command.call, reply));
        }
        let wake_at = turn.wake_at.map(|at| at.max(now));
        let answered_at = queue.first_key_value().map(|((at, _), _)| *at);
        (now, input) = match (wake_at, answered_at) {
            (Some(at), answered) if answered.is_none_or(|answered| at < answered) => {
                (at, Input::Woke)
            }
            (_, Some(at)) => {
                let (_, (call, reply)) = queue.pop_first().expect("it was there");
                (at, Input::Replied { call, reply })
            }
            (_, None) if engine.is_finished() => break,
            (_, None) => panic!("nothing is in flight, and nobody waits"),
        };
    }
    let each = turns as f64 / spent.as_secs_f64();
    println!("{servers} servers: {turns} turns, {records} records, {requests} requests");
    println!("engine alone: {:.2} s, {each:.0} turns a second", spent.as_secs_f64());
    println!("longest turn: {:.1} ms", longest.as_secs_f64() * 1_000.0);
    println!("requests: {:?}", world.stats().requests.by_operation);
    println!("simulated time: {}", now.since(Time(0)));
}
