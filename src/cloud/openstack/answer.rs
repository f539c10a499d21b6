//! From what came back to what it means.
//!
//! Start with [`answer`]. The answer to a rebuild carries the new password of the server in its body,
//! so the body of an accepted change is never read: all that is wanted of it is in a header.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::super::fault;
use super::super::keystone::{self, all, missing, present};
use super::fault::of_answer;
use super::{job, request, wire, wire_image};
use crate::domain::{
    Action, Answer, CostClass, Fault, FaultClass, ImageId, JobId, More, Reply, ServerId,
};

/// What `response` says to `action`.
pub fn answer(action: &Action, response: &Response<Bytes>) -> Reply {
    match action {
        Action::Stop { servers, .. } | Action::Start { servers } => {
            servers.iter().next().map_or_else(
                || Err(of_answer(CostClass::Mutating, response)),
                |server| accepted(server, response),
            )
        }
        Action::Reinstall { server, .. } => accepted(server, response),
        Action::ListServers { .. } => listed(response),
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
        Action::ListTraces { server, since: _ } => traces(server, response),
        Action::ShowImage { image } => shown_image(image, response),
        Action::FindImages { name } => found_images(name, response),
        Action::ShowKeyPair { .. } => {
            let shown = present(read::<wire::OneKeyPair>(response))?;
            Ok(Answer::KeyPair(shown.and_then(|one| one.keypair.into_domain())))
        }
        Action::ListVolumes { .. } => {
            let page: wire::Volumes = read(response)?;
            all(page.volumes, wire::Volume::into_domain, "a volume without an id")
                .map(Answer::Volumes)
        }
        Action::Backup { .. }
        | Action::ListSnapshots { .. }
        | Action::ListVaults { .. }
        | Action::ListBackups { .. }
        | Action::ShowQuota
        | Action::ShowKey { .. }
        | Action::ListKeys
        | Action::ShowAgency
        | Action::ListAgencyRoles { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. } => Err(of_answer(action.cost_class(), response)),
    }
}

/// The body of a good answer to a request that changes nothing.
fn read<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, Fault> {
    if response.status() != StatusCode::OK {
        return Err(of_answer(CostClass::Reading, response));
    }
    keystone::read(response)
}

/// Accepted is a 202 that names its request: by that name the server's actions tell how it ended.
fn accepted(server: &ServerId, response: &Response<Bytes>) -> Reply {
    if !response.status().is_success() {
        return Err(of_answer(CostClass::Mutating, response));
    }
    let named = ["x-compute-request-id", "x-openstack-request-id"];
    let request = named.iter().find_map(|name| response.headers().get(*name)?.to_str().ok());
    match request.filter(|request| !request.is_empty() && !request.contains('/')) {
        Some(request) => Ok(Answer::Accepted {
            job: job::job(server, request),
            request_id: Some(request.to_owned()),
        }),
        None => Err(fault::unreadable(CostClass::Mutating, "no header x-openstack-request-id")),
    }
}

fn listed(response: &Response<Bytes>) -> Reply {
    let page: wire::Servers = read(response)?;
    let has_next = page.has_next();
    let servers = all(page.servers, wire::Server::into_domain, "a server without an id")?;
    let more = match (has_next, servers.last()) {
        (false, _) => More::Nothing,
        (true, Some(last)) => More::After(last.id.clone()),
        (true, None) => return Err(missing("an empty page that is not the last")),
    };
    Ok(Answer::Servers { more, servers })
}

fn shown_job(job: &JobId, response: &Response<Bytes>) -> Reply {
    let shown: job::OneAction = read(response)?;
    let (_, request) = request::parts(job)?;
    let shown = shown.action.into_job(job, request);
    shown.map(Answer::Job).ok_or_else(|| missing("another action than the one asked for"))
}

/// Every action that replaced the system, in the order in which Nova lists them: the newest first.
/// They are told apart by their requests. Their times are of nova-api's clock, which nobody has
/// compared with any other, so none is left out by its time.
fn traces(server: &ServerId, response: &Response<Bytes>) -> Reply {
    let list: job::Actions = read(response)?;
    let traces = list.actions.into_iter().filter_map(|action| action.into_trace(server));
    Ok(Answer::Traces(traces.collect()))
}

fn shown_image(image: &ImageId, response: &Response<Bytes>) -> Reply {
    let Some(shown) = present(read::<wire_image::Image>(response))? else {
        return Ok(Answer::Image(None));
    };
    let shown = shown.into_domain().ok_or_else(|| missing("no image"))?;
    if shown.id == *image {
        Ok(Answer::Image(Some(Box::new(shown))))
    } else {
        Err(missing("another image than the one asked for"))
    }
}

/// The filter is exact by its documents; what it lets through is looked at all the same.
fn found_images(name: &str, response: &Response<Bytes>) -> Reply {
    let list: wire_image::Images = read(response)?;
    if list.next.is_some() {
        let message = format!("there are more than a hundred images {name:?}: name one by its id");
        return Err(fault::ours(FaultClass::Invalid, "refleet.images", message));
    }
    let images = all(list.images, wire_image::Image::into_domain, "an image without an id")?;
    Ok(Answer::Images(images.into_iter().filter(|image| image.name == name).collect()))
}
