//! Native Nova and Cinder, as far as openstacksdk and the `openstack` command need them (`ecs.md`,
//! sections 2.2, 6.4 and 10).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::world::World;
use super::detail::Detail;
use super::filter::Filter;
use super::flavors;
use super::front::Front;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use super::route::{PowerCall, Request};
use super::servers::NETWORK;
use crate::domain::{Millis, Server, ServerId, Timestamp};

/// What native services are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NativeCall {
    /// Servers with all they have.
    Servers,
    /// Names of servers.
    ServerNames,
    /// One server.
    Server(ServerId),
    /// What was done to a server.
    Actions(ServerId),
    /// One of these.
    Action(ServerId, String),
    /// Disks of a server.
    Attachments(ServerId),
    /// Flavors.
    Flavors,
    /// One flavor.
    Flavor(String),
    /// Zones.
    Zones,
    /// What may be used, and what is.
    Limits,
}

/// What was done to a server.
#[derive(Clone, Debug)]
pub(super) struct ActionLine {
    name: &'static str,
    at: Timestamp,
    request: String,
}

impl ActionLine {
    /// A line for a call that was taken; `None`: it leaves none.
    pub(super) fn of(call: &PowerCall, body: &Value, at: Timestamp) -> Option<Self> {
        let has = |key: &str| body.get(key).is_some();
        let name = match call {
            PowerCall::Reinstall(..) | PowerCall::ChangeOs(..) => "rebuild",
            PowerCall::Batch | PowerCall::NativeAction(_) => {
                let names = [
                    ("os-stop", "stop"),
                    ("os-start", "start"),
                    ("reboot", "reboot"),
                    ("rebuild", "rebuild"),
                ];
                names.into_iter().find(|(key, _)| has(key))?.1
            }
        };
        Some(Self { name, at, request: String::new() })
    }

    /// The same under the id of the request.
    pub(super) fn under(self, request: String) -> Self {
        Self { request, ..self }
    }
}

impl NativeCall {
    /// The call of a request.
    pub(super) fn route(request: Request<'_>) -> Option<Self> {
        let ("GET", "v2.1" | "v2", path) = request else { return None };
        let of = |id: &str| ServerId::from(id);
        Some(match path {
            ["servers", "detail"] => Self::Servers,
            ["servers"] => Self::ServerNames,
            ["servers", id] => Self::Server(of(id)),
            ["servers", id, "os-instance-actions"] => Self::Actions(of(id)),
            ["servers", id, "os-instance-actions", action] => {
                Self::Action(of(id), (*action).to_owned())
            }
            ["servers", id, "os-volume_attachments"] => Self::Attachments(of(id)),
            ["flavors"] | ["flavors", "detail"] => Self::Flavors,
            ["flavors", id] => Self::Flavor((*id).to_owned()),
            ["os-availability-zone"] | ["os-availability-zone", "detail"] => Self::Zones,
            ["limits"] if request.1 == "v2.1" => Self::Limits,
            _ => return None,
        })
    }

    /// The name that it is counted under.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Servers | Self::ServerNames => "list_servers",
            Self::Server(_) => "show_server",
            Self::Actions(_) | Self::Action(..) => "list_actions",
            Self::Attachments(_) => "list_block_devices",
            Self::Flavors | Self::Flavor(_) => "list_flavors",
            Self::Zones => "list_zones",
            Self::Limits => "show_limits",
        }
    }
}

/// Serves a call of native Nova.
pub(super) fn answer(
    front: &Front,
    now: Millis,
    (request, call): (&Incoming, &NativeCall),
) -> Result<Outgoing, ApiError> {
    let world = &front.world;
    let show = |id: &ServerId| world.show_server(now, id).map_err(|_| missing("Instance", id));
    Ok(Outgoing::ok(&match call {
        NativeCall::Servers => list(front, now, (request, written))?,
        NativeCall::ServerNames => list(front, now, (request, named))?,
        NativeCall::Server(id) => json!({"server": written(world, show(id)?)}),
        NativeCall::Actions(id) => json!({"instanceActions": actions(front, show(id)?)}),
        NativeCall::Action(id, wanted) => {
            let actions = actions(front, show(id)?);
            let found = actions.iter().find(|it| it["request_id"] == wanted.as_str());
            let mut found = found.ok_or_else(|| missing("Action", wanted))?.clone();
            found["events"] = json!([]);
            json!({"instanceAction": found})
        }
        NativeCall::Attachments(id) => {
            let disks = show(id)?.volumes.iter().map(|disk| {
                json!({"id": disk.id.as_str(), "volumeId": disk.id.as_str(),
                    "serverId": id.as_str(), "device": disk.device})
            });
            json!({"volumeAttachments": disks.collect::<Vec<_>>()})
        }
        NativeCall::Flavors => {
            let all = flavors::used(world, now);
            json!({"flavors": all.iter().map(|id| flavors::native(id)).collect::<Vec<_>>()})
        }
        NativeCall::Flavor(id) if flavors::used(world, now).contains(id.as_str()) => {
            json!({"flavor": flavors::native(id)})
        }
        NativeCall::Flavor(id) => return Err(missing("Flavor", id)),
        NativeCall::Zones => zones(world, now),
        NativeCall::Limits => {
            json!({"limits": {"rate": [], "absolute": flavors::limits(world, now)}})
        }
    }))
}

fn missing(what: &str, id: impl std::fmt::Display) -> ApiError {
    ApiError::new(404, "", format!("{what} {id} could not be found.")).shaped(Shape::Native)
}

fn zones(world: &World, now: Millis) -> Value {
    let mut zones: Vec<&str> = world.listed(now).map(|server| server.az.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    let zones = zones
        .iter()
        .map(|zone| json!({"zoneName": zone, "zoneState": {"available": true}, "hosts": null}));
    json!({"availabilityZoneInfo": zones.collect::<Vec<_>>()})
}

/// The newest first; the last line is how the server was made.
fn actions(front: &Front, server: &Server) -> Vec<Value> {
    let account = front.account();
    let done = front.actions.get(&server.id).into_iter().flatten().rev();
    let line = |name: &str, at: Option<Timestamp>, request: &str| {
        json!({"action": name, "instance_uuid": server.id.as_str(), "message": null,
            "project_id": account.project_id, "user_id": account.user_id,
            "request_id": format!("req-{request}"),
            "start_time": at.map(|at| stamp(at, MICROS))})
    };
    let mut lines: Vec<Value> = done.map(|it| line(it.name, Some(it.at), &it.request)).collect();
    lines.push(line("create", server.created, server.id.as_str()));
    lines
}

/// A page of servers, each of them written down by `write`; pages by the last id.
fn list(
    front: &Front,
    now: Millis,
    (request, write): (&Incoming, fn(&World, &Server) -> Value),
) -> Result<Value, ApiError> {
    let refuse = |status, text: String| ApiError::new(status, "", text).shaped(Shape::Native);
    let limit = request.number("limit", 25).map_err(|error| error.shaped(Shape::Native))?;
    if limit > 1_000 {
        return Err(refuse(403, "limit is above the maximum of 1000".to_owned()));
    }
    let (filter, world) = (Filter::of(request), &front.world);
    let mut rest = world.listed(now).filter(|server| filter.passes(server)).peekable();
    if let Some(marker) = request.query("marker")
        && !rest.by_ref().any(|server| server.id.as_str() == marker)
    {
        return Err(refuse(400, format!("marker [{marker}] not found")));
    }
    let page: Vec<&Server> = rest.by_ref().take(limit.max(1) as usize).collect();
    let mut body = json!({"servers": page.iter().map(|it| write(world, it)).collect::<Vec<_>>()});
    if let (Some(last), true) = (page.last(), rest.peek().is_some()) {
        let href = format!("{}{}", front.root, next_page(request, last.id.as_str()));
        body["servers_links"] = json!([{"rel": "next", "href": href}]);
    }
    Ok(body)
}

/// The same request, from another marker on.
fn next_page(request: &Incoming, marker: &str) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("marker="));
    let marker = format!("marker={marker}");
    let pairs: Vec<&str> = kept.chain([marker.as_str()]).collect();
    format!("{path}?{}", pairs.join("&"))
}

fn named(_: &World, server: &Server) -> Value {
    json!({"id": server.id.as_str(), "name": server.name, "links": []})
}

/// A server of native Nova: numbers where v1 has text, and fewer fields.
pub(super) fn written(world: &World, server: &Server) -> Value {
    let mut body = Detail::of(world, server, server.created).value();
    if let Some(fields) = body.as_object_mut() {
        for key in ["host_status", "tags", "sys_tags", "locked", "description"] {
            fields.shift_remove(key);
        }
        if server.fault.is_none() {
            fields.shift_remove("fault");
        }
    }
    let volumes = server.volumes.iter().map(|volume| json!({"id": volume.id.as_str()}));
    body["os-extended-volumes:volumes_attached"] = volumes.collect();
    body["flavor"] = json!({"id": server.flavor, "links": []});
    body["image"]["links"] = json!([]);
    body["links"] = json!([]);
    if let Some(ports) = body["addresses"][NETWORK].as_array_mut() {
        for port in ports {
            port["version"] = json!(4);
        }
    }
    body
}
