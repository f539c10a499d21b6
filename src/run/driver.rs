//! The loop: the only place that awaits for a run.
//!
//! Start with [`Driver::run`]. Whatever the engine decided is durable before anything acts on it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cloud::Cloud;
use crate::domain::{
    Action, CallId, Command, Fault, FaultClass, Millis, Moment, Record, Reply, Time,
};
use crate::engine::{Engine, Input, Turn};
use crate::journal::Journal;
use crate::report::Reporters;

use super::calls::Calls;
use super::{Clock, Outside, RunError, Signal};

/// Who decides: the engine, or a script in a test.
pub trait Decider: Send {
    /// What this input leads to.
    fn handle(&mut self, now: Moment, input: Input) -> Turn;
    /// Whether the run has ended or waits for a person: there is nothing more to drive.
    fn is_finished(&self) -> bool;
}

impl Decider for Engine {
    fn handle(&mut self, now: Moment, input: Input) -> Turn {
        Self::handle(self, now, input)
    }

    fn is_finished(&self) -> bool {
        Self::is_finished(self) || self.is_paused()
    }
}

/// A run that came to its end, or to a pause.
#[derive(Debug)]
pub struct Ended {
    /// Reporters that failed meanwhile, a sentence each.
    pub reporter_failures: Vec<String>,
}

/// Drives one run.
pub struct Driver<D, C, J, K> {
    decider: D,
    calls: Calls<C>,
    journal: J,
    clock: K,
    reporters: Reporters,
    signals: mpsc::Receiver<Signal>,
    asked: Asked,
    /// When the journal is next looked through for words from other shells.
    ask_at: Time,
}

/// A wipe whose look has no end of its own was decided on one that is 10 s old at most; this much
/// may come on top.
const LATE: Millis = Millis::secs(2);

/// Words from other shells are read so often.
const LISTENS: Millis = Millis(500);

/// What was asked of this run by signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// An orderly end, because the terminal is gone.
    ByHangup,
    /// An orderly end, by somebody who can ask again.
    ByInterrupt,
}

/// What the loop goes on with.
enum Next {
    Inputs(Vec<Input>),
    Leave,
}

impl<D: Decider, C: Cloud + 'static, J: Journal, K: Clock> Driver<D, C, J, K> {
    /// All that a run needs from the world. Reporters are added with [`Driver::telling`] and
    /// signals with [`Driver::heeding`].
    #[must_use]
    pub fn new(decider: D, journal: J, clock: K, cloud: Arc<C>, outside: Outside) -> Self {
        let (_, nobody) = mpsc::channel(1);
        Self {
            decider,
            calls: Calls::new(cloud, outside),
            journal,
            clock,
            reporters: Reporters::new(),
            signals: nobody,
            asked: Asked::Nothing,
            ask_at: Time(0),
        }
    }

    /// The same, telling these reporters.
    #[must_use]
    pub fn telling(self, reporters: Reporters) -> Self {
        Self { reporters, ..self }
    }

    /// The same, heeding these signals.
    #[must_use]
    pub fn heeding(self, signals: mpsc::Receiver<Signal>) -> Self {
        Self { signals, ..self }
    }

    /// Drives the run to its end: `first` is `Begin`, or `Resumed` after a replay.
    pub async fn run(mut self, first: Input) -> Result<Ended, RunError> {
        let result = self.drive(first).await;
        let reporter_failures = self.reporters.finish();
        result.map(|()| Ended { reporter_failures })
    }

    async fn drive(&mut self, first: Input) -> Result<(), RunError> {
        let mut inputs = vec![first];
        loop {
            let (decided, began) = (self.clock.now().at, self.clock.elapsed());
            let turn = self.decide(inputs);
            if !turn.records.is_empty() {
                self.append(turn.records).await?;
            }
            let now = self.clock.now();
            self.reporters.tick(now);
            let took = Millis(self.clock.elapsed().0.saturating_sub(began.0));
            for command in turn.commands {
                self.send(command, decided, took);
            }
            if self.decider.is_finished() {
                return Ok(());
            }
            inputs = match self.next(turn.wake_at).await? {
                Next::Inputs(inputs) => inputs,
                Next::Leave => return Err(RunError::Interrupted),
            };
        }
    }

    /// A disk that stalls must not let a request go out on an old look (`safety.md`, S13): it is
    /// answered as not sent, and the engine looks again. The time on the disk counts as it is, also
    /// where a rehearsal goes faster than the world.
    fn send(&mut self, command: Command, decided: Time, took: Millis) {
        let wipes = matches!(command.action, Action::Reinstall { .. });
        let send_by = command.send_by.or(wipes.then_some(decided + LATE));
        if send_by.is_some_and(|send_by| decided + took > send_by) {
            let fault = Fault {
                class: FaultClass::Late,
                code: "late".to_owned(),
                message: format!("not sent: writing the journal took {took}"),
                request_id: None,
                retry_after: None,
            };
            self.calls.refuse(&command, fault);
        } else {
            self.calls.start(command);
        }
    }

    /// What came in together is decided one by one and becomes durable together.
    fn decide(&mut self, inputs: Vec<Input>) -> Turn {
        let mut all = Turn::default();
        for input in inputs {
            let turn = self.decider.handle(self.clock.now(), input);
            all.records.extend(turn.records);
            all.commands.extend(turn.commands);
            all.wake_at = turn.wake_at;
            if self.decider.is_finished() {
                break;
            }
        }
        all
    }

    async fn append(&mut self, records: Vec<Record>) -> Result<(), RunError> {
        let told = records.clone();
        self.journal.append(records).await?;
        self.reporters.tell(&told);
        Ok(())
    }

    async fn next(&mut self, wake_at: Option<Time>) -> Result<Next, RunError> {
        if wake_at.is_none() && self.calls.is_empty() {
            return Err(RunError::Stuck);
        }
        loop {
            let asked = self.asked().await?;
            if !asked.is_empty() {
                return Ok(Next::Inputs(asked));
            }
            if let Some(next) = self.wait(wake_at).await {
                return Ok(next);
            }
        }
    }

    /// Words from other shells, twice a second; nobody needs to know of them for the rest.
    async fn asked(&mut self) -> Result<Vec<Input>, RunError> {
        let now = self.clock.now().at;
        if now < self.ask_at {
            return Ok(Vec::new());
        }
        self.ask_at = now + LISTENS;
        Ok(self.journal.asked().await?.into_iter().map(Input::Asked).collect())
    }

    /// Waits for whatever comes first; `None`: it is time to listen again.
    async fn wait(&mut self, wake_at: Option<Time>) -> Option<Next> {
        let woken = wake_at.filter(|at| *at <= self.ask_at);
        let wake = self.clock.sleep_until(woken.unwrap_or(self.ask_at));
        let replies = tokio::select! {
            biased;
            Some(signal) = self.signals.recv() => return self.signalled(signal),
            replies = self.calls.next() => replies,
            () = wake => return woken.map(|_| Next::Inputs(vec![Input::Woke])),
        };
        Some(self.heard(replies, wake_at))
    }

    /// The first word asks for an orderly end, and only a second interrupt for an immediate one.
    fn signalled(&mut self, signal: Signal) -> Option<Next> {
        let before = self.asked;
        match (before, signal) {
            (Asked::ByInterrupt, Signal::Interrupt) => return Some(Next::Leave),
            (_, Signal::Interrupt) => self.asked = Asked::ByInterrupt,
            (Asked::Nothing, Signal::Hangup) => self.asked = Asked::ByHangup,
            (Asked::ByHangup | Asked::ByInterrupt, Signal::Hangup) => {}
        }
        let first = before == Asked::Nothing;
        first.then(|| Next::Inputs(vec![Input::Interrupted]))
    }

    fn heard(&self, mut replies: Vec<(CallId, Reply)>, wake_at: Option<Time>) -> Next {
        // Who is shut out sends nothing more: that is heard before what came in with it is acted on.
        replies.sort_by_key(|(_, reply)| !reply.as_ref().is_err_and(Fault::shuts_out));
        let mut inputs: Vec<Input> =
            replies.into_iter().map(|(call, reply)| Input::Replied { call, reply }).collect();
        // Replies that never stop coming must not hold back what is due.
        if wake_at.is_some_and(|at| at <= self.clock.now().at) {
            inputs.push(Input::Woke);
        }
        Next::Inputs(inputs)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};
    use std::sync::{Mutex, PoisonError};

    use crate::domain::{
        Answer, Asker, Encryption, Event, InstallCall, JobId, Login, ProbeReport, ProbeSpec,
        ReinstallRequest, Request, ServerId, Steering, StepCall, StepEnd, StepReport, StopMode,
        Timestamp,
    };
    use crate::journal::{self, MemoryJournal};
    use crate::report::{self, Reporter};
    use crate::run::{ProbeFuture, Prober, RealClock, Runner};

    use super::*;

    /// What happened, in its order, whoever did it.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        fn add(&self, note: impl Into<String>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note.into());
        }

        fn all(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    /// Answers each input with the next turn of its list; finished when there is none left.
    struct Script {
        turns: VecDeque<Turn>,
        notes: Notes,
    }

    impl Decider for Script {
        fn handle(&mut self, _now: Moment, input: Input) -> Turn {
            self.notes.add(match &input {
                Input::Replied { call, reply: Ok(_) } => format!("good reply to {call}"),
                Input::Replied { call, reply: Err(fault) } => {
                    format!("{:?} reply to {call}: {}", fault.class, fault.code)
                }
                Input::Asked(request) => {
                    format!("asked to {} by {}", request.steering, request.by.name)
                }
                Input::Begin | Input::Resumed { .. } | Input::Woke | Input::Interrupted => {
                    format!("{input:?}")
                }
            });
            self.turns.pop_front().unwrap_or_default()
        }

        fn is_finished(&self) -> bool {
            self.turns.is_empty()
        }
    }

    /// Takes a while, as a disk does, and is as full as it is told to be.
    struct SlowJournal {
        inner: MemoryJournal,
        takes: Millis,
        notes: Notes,
        clock: Arc<TestClock>,
    }

    impl Journal for SlowJournal {
        async fn append(&self, records: Vec<Record>) -> Result<(), journal::Error> {
            self.clock.pass(self.takes);
            tokio::task::yield_now().await;
            let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
            self.inner.append(records).await?;
            self.notes.add(format!("durable {seqs:?}"));
            Ok(())
        }

        async fn asked(&self) -> Result<Vec<Request>, journal::Error> {
            self.inner.asked().await
        }
    }

    /// Goes forward when somebody waits, and when it is told to.
    #[derive(Default)]
    struct TestClock(Mutex<u64>);

    impl TestClock {
        fn pass(&self, length: Millis) {
            *self.0.lock().unwrap() += length.0;
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Moment {
            let now = *self.0.lock().unwrap();
            Moment { at: Time(now), wall: Timestamp(i64::try_from(now).unwrap()) }
        }

        fn elapsed(&self) -> Millis {
            Millis(*self.0.lock().unwrap())
        }

        async fn sleep_until(&self, at: Time) {
            tokio::task::yield_now().await;
            let mut now = self.0.lock().unwrap();
            *now = at.0.max(*now);
        }
    }

    struct World {
        notes: Notes,
    }

    impl Cloud for World {
        async fn call(&self, action: Action) -> Reply {
            if action == hang() {
                std::future::pending::<()>().await;
            }
            assert!(!matches!(action, Action::Start { .. } | Action::ShowQuota), "on purpose");
            self.notes.add(format!("sent {:?}", action.cost_class()));
            Ok(Answer::Accepted { job: JobId::from("job"), request_id: None })
        }
    }

    impl Prober for World {
        fn probe(&self, server: &ServerId, _: &ProbeSpec) -> ProbeFuture {
            self.notes.add(format!("probed {server}"));
            Box::pin(async { Ok(Answer::Probe(ProbeReport::passed())) })
        }
    }

    impl Runner for World {
        fn run(&self, server: &ServerId, call: &StepCall) -> ProbeFuture {
            self.notes.add(format!("ran {} for {server}", call.step));
            let report = StepReport { end: StepEnd::Done, detail: String::new() };
            Box::pin(async { Ok(Answer::Ran(report)) })
        }
    }

    fn outside(notes: &Notes) -> Outside {
        let world = Arc::new(World { notes: notes.clone() });
        Outside { prober: Arc::<World>::clone(&world), runner: world }
    }

    struct Screen {
        notes: Notes,
        works: Result<(), &'static str>,
    }

    impl Reporter for Screen {
        fn tell(&mut self, records: &[Record]) -> Result<(), report::Error> {
            self.works.map_err(std::io::Error::other)?;
            self.notes.add(format!("told {}", records.len()));
            Ok(())
        }
    }

    struct Setup {
        turns: Vec<Turn>,
        journal: MemoryJournal,
        takes: Millis,
        signals: Vec<Signal>,
        screen: Result<(), &'static str>,
    }

    impl Setup {
        fn new(turns: Vec<Turn>) -> Self {
            let journal = MemoryJournal::new();
            Self { turns, journal, takes: Millis(1), signals: Vec::new(), screen: Ok(()) }
        }

        async fn run(self) -> (Result<Ended, RunError>, Vec<String>) {
            let (notes, clock) = (Notes::default(), Arc::new(TestClock::default()));
            let script = Script { turns: self.turns.into(), notes: notes.clone() };
            let journal = SlowJournal {
                inner: self.journal,
                takes: self.takes,
                notes: notes.clone(),
                clock: Arc::clone(&clock),
            };
            let world = Arc::new(World { notes: notes.clone() });
            let outside = outside(&notes);
            let screen = Screen { notes: notes.clone(), works: self.screen };
            let (sender, signals) = mpsc::channel(8);
            for signal in self.signals {
                sender.send(signal).await.unwrap();
            }
            let driver = Driver::new(script, journal, clock, world, outside)
                .telling(Reporters::new().with("screen", screen))
                .heeding(signals);
            (driver.run(Input::Begin).await, notes.all())
        }
    }

    fn turn(seqs: &[u64], actions: Vec<Action>) -> Turn {
        let record = |seq: &u64| Record {
            seq: *seq,
            at: Time(0),
            wall: Timestamp(0),
            event: Event::Resumed,
        };
        let command = |(n, action)| Command { call: CallId(n), action, send_by: None };
        Turn {
            records: seqs.iter().map(record).collect(),
            commands: (1..).zip(actions).map(command).collect(),
            wake_at: None,
        }
    }

    fn stop() -> Action {
        Action::Stop { servers: vec!["a".into()], mode: StopMode::Soft }
    }

    fn hang() -> Action {
        Action::Stop { servers: Vec::new(), mode: StopMode::Soft }
    }

    fn wipe() -> Action {
        let request = Box::new(ReinstallRequest {
            call: InstallCall::V2,
            image: None,
            login: Login::UserData,
            user_data: None,
            inserts: None,
            byol: false,
            encryption: Encryption::None,
        });
        Action::Reinstall { server: "a".into(), request }
    }

    #[tokio::test]
    async fn a_request_goes_out_only_after_its_intent_is_durable_and_its_reply_comes_back() {
        let (result, notes) =
            Setup::new(vec![turn(&[1, 2], vec![stop()]), turn(&[3], vec![])]).run().await;
        assert!(result.unwrap().reporter_failures.is_empty());
        assert_eq!(
            notes,
            [
                "Begin",
                "durable [1, 2]",
                "told 2",
                "sent Mutating",
                "good reply to call 1",
                "durable [3]",
                "told 1"
            ]
        );
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_written_stops_the_run_before_the_request() {
        let setup =
            Setup::new(vec![turn(&[1], vec![stop()]), turn(&[2], vec![]), turn(&[], vec![])]);
        let (result, notes) = Setup { journal: MemoryJournal::full_after(0), ..setup }.run().await;
        assert!(matches!(result, Err(RunError::Journal(_))));
        assert_eq!(notes, ["Begin"]);
    }

    #[tokio::test]
    async fn a_journal_that_breaks_later_abandons_what_is_in_flight() {
        let turns = vec![
            turn(&[1], vec![hang(), stop()]),
            turn(&[2], vec![stop()]),
            turn(&[3], vec![]),
            turn(&[], vec![]),
        ];
        let setup = Setup { journal: MemoryJournal::full_after(1), ..Setup::new(turns) };
        let (result, notes) = setup.run().await;
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with("; nothing more was sent"), "{error}");
        assert_eq!(
            notes,
            ["Begin", "durable [1]", "told 1", "sent Mutating", "good reply to call 2"]
        );
    }

    #[tokio::test]
    async fn replies_do_not_hold_back_what_is_due() {
        let first = Turn { wake_at: Some(Time(0)), ..turn(&[], vec![stop()]) };
        let setup = Setup::new(vec![first, turn(&[], vec![]), turn(&[], vec![])]);
        let (result, notes) = setup.run().await;
        assert!(result.is_ok());
        assert_eq!(notes, ["Begin", "sent Mutating", "good reply to call 1", "Woke"]);
    }

    #[tokio::test]
    async fn replies_that_are_there_together_become_durable_together() {
        let turns = vec![
            turn(&[1], vec![stop(), stop(), stop()]),
            turn(&[2], vec![]),
            turn(&[3], vec![]),
            turn(&[4], vec![]),
        ];
        let (result, notes) = Setup::new(turns).run().await;
        assert!(result.is_ok());
        assert_eq!(notes.iter().filter(|note| note.starts_with("durable")).count(), 2, "{notes:?}");
        assert!(notes.contains(&"durable [2, 3, 4]".to_owned()), "{notes:?}");
    }

    #[tokio::test]
    async fn the_first_interrupt_asks_and_the_second_leaves_what_is_in_flight() {
        let setup =
            Setup::new(vec![turn(&[1], vec![hang()]), turn(&[2], vec![]), turn(&[3], vec![])]);
        let signals = vec![Signal::Interrupt; 2];
        let (result, notes) = Setup { signals, ..setup }.run().await;
        assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
        assert_eq!(
            notes,
            ["Begin", "durable [1]", "told 1", "Interrupted", "durable [2]", "told 1"]
        );
    }

    #[tokio::test]
    async fn b4_a_hangup_asks_for_an_orderly_end_and_never_for_an_immediate_one() {
        use Signal::{Hangup, Interrupt};
        for (signals, leaves) in [
            (vec![Hangup], false),
            (vec![Hangup, Hangup], false),
            (vec![Interrupt, Hangup], false),
            (vec![Hangup, Interrupt], false),
            (vec![Hangup, Interrupt, Interrupt], true),
        ] {
            let wakes = |seq| Turn { wake_at: Some(Time(9_000)), ..turn(&[seq], vec![]) };
            let setup = Setup::new(vec![wakes(1), wakes(2), turn(&[3], vec![])]);
            let (result, notes) = Setup { signals: signals.clone(), ..setup }.run().await;
            assert_eq!(matches!(result, Err(RunError::Interrupted)), leaves, "{signals:?}");
            let asked = notes.iter().filter(|note| *note == "Interrupted").count();
            assert_eq!(asked, 1, "{signals:?}: {notes:?}");
        }
    }

    #[tokio::test]
    async fn a_reporter_that_fails_stops_nothing_and_is_named_at_the_end() {
        let setup = Setup::new(vec![turn(&[1], vec![stop()]), turn(&[2], vec![])]);
        let (result, notes) = Setup { screen: Err("gone"), ..setup }.run().await;
        assert_eq!(result.unwrap().reporter_failures, ["screen: failed to write the report: gone"]);
        assert!(notes.contains(&"durable [2]".to_owned()), "{notes:?}");
    }

    #[tokio::test]
    async fn the_engine_is_woken_when_it_asked_to_be() {
        let first = Turn { wake_at: Some(Time(500)), ..turn(&[], vec![]) };
        let (result, notes) = Setup::new(vec![first, turn(&[1], vec![])]).run().await;
        assert!(result.is_ok());
        assert_eq!(notes, ["Begin", "Woke", "durable [1]", "told 1"]);
    }

    #[tokio::test]
    async fn words_from_other_shells_are_heard_within_a_second_and_once() {
        let by = Asker { name: "ann".to_owned(), at: Timestamp(0), number: 1, seen: 1 };
        let request = Request { steering: Steering::Pause, by: by.clone() };
        let journal = MemoryJournal::new();
        journal.leave(1, request);
        let steered = Event::Steered { steering: Steering::Pause, by: Some(by) };
        let mut told = turn(&[2], vec![]);
        told.records[0].event = steered;
        told.wake_at = Some(Time(60_000));
        let first = Turn { wake_at: Some(Time(60_000)), ..turn(&[1], vec![]) };
        let setup = Setup { journal, ..Setup::new(vec![first, told, turn(&[], vec![])]) };
        let (result, notes) = setup.run().await;
        assert!(result.is_ok());
        let heard = [
            "Begin",
            "durable [1]",
            "told 1",
            "asked to pause by ann",
            "durable [2]",
            "told 1",
            "Woke",
        ];
        assert_eq!(notes, heard);
    }

    #[tokio::test]
    async fn a_run_that_waits_for_nothing_is_a_bug_and_not_a_hang() {
        let (result, _) = Setup::new(vec![turn(&[], vec![]), turn(&[], vec![])]).run().await;
        assert!(matches!(result, Err(RunError::Stuck)));
    }

    #[tokio::test]
    async fn probes_go_to_the_prober() {
        let spec = ProbeSpec::Tcp { addr: "192.0.2.1".to_owned(), port: 22 };
        let probe = Action::Probe { server: "a".into(), spec };
        let (result, notes) =
            Setup::new(vec![turn(&[], vec![probe]), turn(&[], vec![])]).run().await;
        assert!(result.is_ok());
        assert_eq!(notes, ["Begin", "probed a", "good reply to call 1"]);
    }

    #[tokio::test]
    async fn steps_go_to_the_runner() {
        let call = StepCall {
            step: "drain".to_owned(),
            argv: vec!["drain".to_owned()],
            file: None,
            cwd: ".".to_owned(),
            env: BTreeMap::new(),
            timeout: Millis::mins(1),
            undo: false,
        };
        let step = Action::Run { server: "a".into(), call: Box::new(call) };
        let (result, notes) =
            Setup::new(vec![turn(&[], vec![step]), turn(&[], vec![])]).run().await;
        assert!(result.is_ok());
        assert_eq!(notes, ["Begin", "ran drain for a", "good reply to call 1"]);
    }

    #[tokio::test]
    async fn a_call_that_breaks_is_in_doubt_if_it_may_have_changed_something() {
        let start = Action::Start { servers: vec!["a".into()] };
        for (action, want) in [(start, "Lost"), (Action::ShowQuota, "Transient")] {
            let (_, notes) =
                Setup::new(vec![turn(&[], vec![action]), turn(&[], vec![])]).run().await;
            assert_eq!(notes[1], format!("{want} reply to call 1: panic"));
        }
    }

    #[tokio::test]
    async fn a_wipe_that_waited_for_a_slow_disk_is_not_sent() {
        for (takes, want) in [(1_000, "sent Mutating"), (9_000, "Late reply to call 1: late")] {
            let setup = Setup::new(vec![turn(&[1], vec![wipe()]), turn(&[], vec![])]);
            let (_, notes) = Setup { takes: Millis(takes), ..setup }.run().await;
            assert_eq!(notes[3], want);
        }
    }

    #[tokio::test]
    async fn b6_what_rests_on_a_look_is_not_sent_after_its_time_and_anything_else_is() {
        for (send_by, want) in [
            (Some(Time(8_999)), "Late reply to call 1: late"),
            (Some(Time(9_000)), "sent Mutating"),
            (None, "sent Mutating"),
        ] {
            let mut first = turn(&[1], vec![stop()]);
            first.commands[0].send_by = send_by;
            let setup = Setup::new(vec![first, turn(&[], vec![])]);
            let (_, notes) = Setup { takes: Millis(9_000), ..setup }.run().await;
            assert_eq!(notes[3], want, "{send_by:?}");
        }
    }

    #[test]
    fn the_real_parts_fit_together() {
        fn is_send<T: Send>(_: T) {}
        let notes = Notes::default();
        let script = Script { turns: VecDeque::new(), notes: notes.clone() };
        let clock = RealClock::start(Time(0), 1);
        let world = Arc::new(World { notes: notes.clone() });
        let outside = outside(&notes);
        let driver = Driver::new(script, MemoryJournal::new(), clock, world, outside);
        is_send(driver.run(Input::Begin));
    }
}
