//! Requests in flight. Each is a task of its own, and each comes back with a reply, even if its
//! task breaks.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use crate::cloud::Cloud;
use crate::domain::{
    Action, CallId, Command, Fault, FaultClass, ProbeSpec, Reply, ServerId, StepCall,
};

/// Something that is under way.
pub type ProbeFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Looks at servers from outside the cloud's API. In a rehearsal it is the simulated world that
/// answers (`safety.md`, S20), which is why it is handed in.
pub trait Prober: Send + Sync {
    /// One look.
    fn probe(&self, server: &ServerId, spec: &ProbeSpec) -> ProbeFuture;
}

/// Runs the playbook's own steps. In a rehearsal nobody does (`safety.md`, S20).
pub trait Runner: Send + Sync {
    /// One program, from its start to its end. Dropped, it is killed.
    fn run(&self, server: &ServerId, call: &StepCall) -> ProbeFuture;
}

/// What a run does outside of the cloud's API, handed in.
#[derive(Clone)]
pub struct Outside {
    /// Who looks at servers.
    pub prober: Arc<dyn Prober>,
    /// Who runs the playbook's own steps.
    pub runner: Arc<dyn Runner>,
}

/// The most replies that are handled before their records go to the disk together.
const TOGETHER: usize = 1_024;

pub(super) struct Calls<C> {
    cloud: Arc<C>,
    outside: Outside,
    tasks: JoinSet<Reply>,
    asked: BTreeMap<Id, Asked>,
}

struct Asked {
    call: CallId,
    repeatable: bool,
}

impl<C: Cloud + 'static> Calls<C> {
    pub(super) fn new(cloud: Arc<C>, outside: Outside) -> Self {
        Self { cloud, outside, tasks: JoinSet::new(), asked: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn start(&mut self, command: Command) {
        let asked = Asked { call: command.call, repeatable: command.action.is_repeatable() };
        let task = if let Action::Probe { server, spec } = &command.action {
            self.tasks.spawn(self.outside.prober.probe(server, spec))
        } else if let Action::Run { server, call } = &command.action {
            self.tasks.spawn(self.outside.runner.run(server, call))
        } else {
            let cloud = Arc::clone(&self.cloud);
            self.tasks.spawn(async move { cloud.call(command.action).await })
        };
        self.asked.insert(task.id(), asked);
    }

    /// Answers a request without sending it.
    pub(super) fn refuse(&mut self, command: &Command, fault: Fault) {
        let asked = Asked { call: command.call, repeatable: true };
        let task = self.tasks.spawn(async { Err(fault) });
        self.asked.insert(task.id(), asked);
    }

    /// The next replies: at least one, and whatever else is there already. Never comes back while
    /// nothing is in flight.
    pub(super) async fn next(&mut self) -> Vec<(CallId, Reply)> {
        let mut replies = Vec::new();
        match self.tasks.join_next_with_id().await {
            Some(end) => replies.extend(self.reply(end)),
            None => std::future::pending().await,
        }
        while replies.len() < TOGETHER {
            match self.tasks.try_join_next_with_id() {
                Some(end) => replies.extend(self.reply(end)),
                None => break,
            }
        }
        replies
    }

    fn reply(&mut self, end: Result<(Id, Reply), JoinError>) -> Option<(CallId, Reply)> {
        let (id, reply) = match end {
            Ok((id, reply)) => (id, Some(reply)),
            Err(broken) => (broken.id(), None),
        };
        let asked = self.asked.remove(&id)?;
        Some((asked.call, reply.unwrap_or_else(|| Err(broken(asked.repeatable)))))
    }
}

/// How far a request came whose task broke, nobody knows.
fn broken(repeatable: bool) -> Fault {
    Fault {
        class: if repeatable { FaultClass::Transient } else { FaultClass::Lost },
        code: "panic".to_owned(),
        message: "refleet broke while it waited for the answer; this is a bug".to_owned(),
        request_id: None,
        retry_after: None,
    }
}
