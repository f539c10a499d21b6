//! From what came back to what it means.
//!
//! Start with [`answer`]. A yes without the thing that was asked for is no yes: an accepted change
//! names its job, and without one nobody can say whether it was accepted (`errors-and-limits.md`,
//! section 2).

use bytes::Bytes;
use http::{Response, StatusCode};

use super::super::fault;
use super::super::keystone::{all, missing, present, read};
use super::{wire, wire_backup};
use crate::domain::{
    Action, AgencyState, Answer, CostClass, Fault, FaultClass, ImageId, JobId, More, Reply,
    ServerId,
};

/// What `response` says to `action`.
pub fn answer(action: &Action, response: &Response<Bytes>) -> Reply {
    match action {
        Action::Stop { .. } | Action::Start { .. } | Action::Reinstall { .. } => {
            accepted(action, response)
        }
        Action::Backup { server, .. } => backup_taken(server, response),
        Action::ListServers { .. } => {
            let page: wire::Servers = read(response)?;
            let total = page.count.number().and_then(|n| u32::try_from(n).ok());
            Ok(Answer::Servers {
                more: More::Total(total.ok_or_else(|| missing("no count of servers"))?),
                servers: all(page.servers, wire::Server::into_domain, "a server without an id")?,
            })
        }
        Action::ShowServer { server } => {
            let shown: wire::OneServer = read(response)?;
            let shown = shown.server.into_domain().ok_or_else(|| missing("no server"))?;
            if shown.id == *server {
                Ok(Answer::Server(Box::new(shown)))
            } else {
                Err(missing("another server than the one asked for"))
            }
        }
        Action::ShowJob { job } => shown_job(job, response),
        Action::ListVolumes { .. } => {
            let page: wire::Volumes = read(response)?;
            all(page.volumes, wire::Volume::into_domain, "a volume without an id")
                .map(Answer::Volumes)
        }
        Action::ListSnapshots { .. } => {
            let page: wire::Snapshots = read(response)?;
            all(page.snapshots, wire::Snapshot::into_domain, "a snapshot without an id or a disk")
                .map(Answer::Snapshots)
        }
        Action::ListVaults { .. } => {
            let page: wire_backup::Vaults = read(response)?;
            all(page.vaults, wire_backup::Vault::into_domain, "a vault without an id")
                .map(Answer::Vaults)
        }
        Action::ListBackups { .. } => {
            let page: wire_backup::Backups = read(response)?;
            all(
                page.backups,
                wire_backup::Backup::into_domain,
                "a backup without an id or a server",
            )
            .map(Answer::Backups)
        }
        Action::ShowQuota => {
            let quota: wire::QuotaSet = read(response)?;
            quota.into_domain().map(Answer::Quota).ok_or_else(|| missing("no quota"))
        }
        Action::ShowImage { image } => shown_image(image, response),
        Action::FindImages { name } => found_images(name, response),
        Action::ShowKeyPair { .. }
        | Action::ShowKey { .. }
        | Action::ListKeys
        | Action::ShowAgency
        | Action::ListAgencyRoles { .. }
        | Action::ShowPassword { .. }
        | Action::ListTraces { .. } => beside_servers(action, response),
        Action::Probe { .. } | Action::Run { .. } => {
            Err(fault::of_answer(CostClass::Free, response))
        }
    }
}

/// What can be absent without that being a fault.
fn beside_servers(action: &Action, response: &Response<Bytes>) -> Reply {
    match action {
        Action::ShowKeyPair { .. } => {
            let shown = present(read::<wire::OneKeyPair>(response))?;
            Ok(Answer::KeyPair(shown.and_then(|one| one.keypair.into_domain())))
        }
        Action::ShowKey { .. } => {
            let shown = present(read::<wire::OneKey>(response))?;
            let key = shown.and_then(|one| one.key_info.first());
            Ok(Answer::Key(key.and_then(wire::Key::into_domain)))
        }
        Action::ListKeys => {
            let list: wire::Keys = read(response)?;
            if list.truncated.is_yes() {
                let message = "there are more KMS keys than one page holds: name the key by its id";
                return Err(fault::ours(FaultClass::Invalid, "refleet.keys", message.to_owned()));
            }
            all(list.key_details, wire::Key::into_domain, "a key without an id").map(Answer::Keys)
        }
        Action::ShowAgency => agency(response),
        Action::ListAgencyRoles { .. } => agency_roles(response),
        Action::ShowPassword { .. } => {
            let shown: wire::OnePassword = read(response)?;
            Ok(Answer::Password(shown.look()))
        }
        Action::ListTraces { .. } => {
            let list: wire::Traces = read(response)?;
            let mut traces: Vec<_> =
                list.traces.into_iter().filter_map(wire::Trace::into_domain).collect();
            traces.sort_by_key(|trace| std::cmp::Reverse(trace.time));
            Ok(Answer::Traces(traces))
        }
        Action::Stop { .. }
        | Action::Start { .. }
        | Action::Backup { .. }
        | Action::Reinstall { .. }
        | Action::ListVaults { .. }
        | Action::ListBackups { .. }
        | Action::ListServers { .. }
        | Action::ShowServer { .. }
        | Action::ShowJob { .. }
        | Action::ListVolumes { .. }
        | Action::ListSnapshots { .. }
        | Action::ShowQuota
        | Action::ShowImage { .. }
        | Action::FindImages { .. }
        | Action::Probe { .. }
        | Action::Run { .. } => Err(fault::of_answer(action.cost_class(), response)),
    }
}

fn accepted(action: &Action, response: &Response<Bytes>) -> Reply {
    if !response.status().is_success() {
        return Err(fault::of_answer(CostClass::Mutating, response));
    }
    let accepted: Option<wire::Accepted> = serde_json::from_slice(response.body()).ok();
    if let Some(job) = accepted.and_then(|accepted| accepted.job_id.some()) {
        let request_id = fault::request_id(response.headers());
        return Ok(Answer::Accepted { job: JobId::new(job), request_id });
    }
    let mut fault = fault::of_answer(CostClass::Mutating, response);
    let throttled = fault.class == FaultClass::Throttled;
    // A reinstall is also documented as "202: accepted, delayed because the system is busy", so
    // for it alone a yes without a job is never taken for a refusal (`ecs.md`, section 6.1).
    if !throttled || matches!(action, Action::Reinstall { .. }) {
        fault.class = FaultClass::Lost;
    }
    Err(fault)
}

/// A server can be skipped in an answer that is a success (`errors-and-limits.md`, section 2): then
/// nothing was done, mostly since something else is being done to it.
fn backup_taken(server: &ServerId, response: &Response<Bytes>) -> Reply {
    if !response.status().is_success() {
        return Err(fault::of_answer(CostClass::Mutating, response));
    }
    let made: Option<wire_backup::OneCheckpoint> = serde_json::from_slice(response.body()).ok();
    let Some((checkpoint, skipped)) = made.and_then(|made| made.checkpoint.into_parts()) else {
        let mut fault = fault::of_answer(CostClass::Mutating, response);
        fault.class = FaultClass::Lost;
        return Err(fault);
    };
    let request_id = fault::request_id(response.headers());
    match skipped.into_iter().find(|skipped| skipped.id.as_str() == server.as_str()) {
        Some(skipped) => Err(Fault { request_id, ..skipped.into_fault() }),
        None => Ok(Answer::Accepted { job: JobId::new(checkpoint), request_id }),
    }
}

fn shown_job(job: &JobId, response: &Response<Bytes>) -> Reply {
    let shown: wire::Job = read(response)?;
    match shown.into_domain(job) {
        Some(shown) => Ok(Answer::Job(shown)),
        // A query that failed can say so with a 200 (`errors-and-limits.md`, section 1, E7).
        None => Err(fault::of_answer(CostClass::Reading, response)),
    }
}

fn shown_image(image: &ImageId, response: &Response<Bytes>) -> Reply {
    let list = present(read::<wire::Images>(response))?;
    let found = list.and_then(|list| list.images.into_iter().find(|one| one.is(image)));
    Ok(Answer::Image(found.and_then(wire::Image::into_domain).map(Box::new)))
}

/// The filter is exact by its documents; what it lets through is looked at all the same.
fn found_images(name: &str, response: &Response<Bytes>) -> Reply {
    let list = present(read::<wire::Images>(response))?;
    let images = list.map(|list| list.images).unwrap_or_default();
    let images = all(images, wire::Image::into_domain, "an image without an id")?;
    Ok(Answer::Images(images.into_iter().filter(|image| image.name == name).collect()))
}

/// Most operators may not look, and that is not a "no" (`storage-image-kms.md`, section 8).
fn may_not_look(response: &Response<Bytes>) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND]
        .contains(&response.status())
}

fn agency(response: &Response<Bytes>) -> Reply {
    if may_not_look(response) {
        return Ok(Answer::Agency { state: AgencyState::Unknown, id: None });
    }
    let list: wire::Agencies = read(response)?;
    let found = list.agencies.into_iter().find(|agency| agency.name.as_str() == "EVSAccessKMS");
    let state = if found.is_some() { AgencyState::Granted } else { AgencyState::Missing };
    Ok(Answer::Agency { state, id: found.and_then(|agency| agency.id.some()) })
}

fn agency_roles(response: &Response<Bytes>) -> Reply {
    if may_not_look(response) {
        return Ok(Answer::AgencyRoles(None));
    }
    let list: wire::Roles = read(response)?;
    let names = list.roles.into_iter().filter_map(wire::Role::name).collect();
    Ok(Answer::AgencyRoles(Some(names)))
}
