//! What tests of a world have in common: calm worlds, and one action after the other.

use super::{Faults, Knobs, Span, World, WorldSpec};
use crate::domain::{
    Action, Answer, Encryption, InstallCall, JobId, JobStatus, Login, Millis, ReinstallRequest,
    ServerId, StopMode, UserId,
};

/// Knobs without chance: a soft stop takes 20 s, a hard one 5, a start 15, a reinstall 100.
pub(super) fn calm() -> Knobs {
    Knobs {
        stop_soft: Span::exactly(20.0),
        stop_hard: Span::exactly(5.0),
        start: Span::exactly(15.0),
        reinstall: Span::exactly(100.0),
        trace_visible: Span::exactly(4.0),
        ..Knobs::default()
    }
}

/// The world of that file, with those knobs.
pub(super) fn world(text: &str, knobs: Knobs) -> World {
    let spec = WorldSpec::from_yaml(text).expect(text);
    World::new(&WorldSpec { knobs, ..spec }, Faults::default(), 1)
}

/// Its servers.
pub(super) fn ids(world: &World) -> Vec<ServerId> {
    world.servers().map(|server| server.id.clone()).collect()
}

/// The answer to an action, or the code of its refusal.
pub(super) fn answer(world: &mut World, seconds: u64, action: &Action) -> Result<Answer, String> {
    let served = world.serve(Millis::secs(seconds), action);
    served.reply.expect("an answer").map_err(|fault| fault.code)
}

/// A reinstall with the user's own key pair.
pub(super) fn reinstall_of(world: &World, server: &ServerId) -> Action {
    let account = world.account();
    let login = Login::KeyPair {
        name: account.key_name.clone(),
        owner: UserId::new(account.user_id.clone()),
    };
    let encryption = Encryption::None;
    let (call, user_data, byol) = (InstallCall::V2, None, false);
    let (image, inserts) = (None, None);
    let request = ReinstallRequest { call, image, login, user_data, inserts, byol, encryption };
    Action::Reinstall { server: server.clone(), request: Box::new(request) }
}

/// The job of an action that is taken.
pub(super) fn job(world: &mut World, seconds: u64, action: &Action) -> JobId {
    match answer(world, seconds, action) {
        Ok(Answer::Accepted { job, .. }) => job,
        other => panic!("not accepted: {other:?}"),
    }
}

/// The status of a job.
pub(super) fn status(world: &mut World, seconds: u64, job: &JobId) -> JobStatus {
    match answer(world, seconds, &Action::ShowJob { job: job.clone() }) {
        Ok(Answer::Job(job)) => job.status,
        other => panic!("no job: {other:?}"),
    }
}

/// A stop of one server.
pub(super) fn stop_of(server: &ServerId, mode: StopMode) -> Action {
    Action::Stop { servers: vec![server.clone()], mode }
}

/// Status and task of the server as `ShowServer` says.
pub(super) fn shown(
    world: &mut World,
    seconds: u64,
    server: &ServerId,
) -> (String, Option<String>) {
    match answer(world, seconds, &Action::ShowServer { server: server.clone() }) {
        Ok(Answer::Server(server)) => (server.status, server.task_state),
        other => panic!("no server: {other:?}"),
    }
}
