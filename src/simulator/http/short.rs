//! The v1.1 list of servers: pages by the last id, fields by short names (`ecs.md`, section 2.2).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::world::World;
use super::detail::Detail;
use super::filter::Filter;
use super::front::Front;
use super::message::{Incoming, Outgoing};
use super::servers::NETWORK;
use crate::domain::{Millis, Server};

/// Serves a page of it.
pub(super) fn list(front: &Front, now: Millis, request: &Incoming) -> Result<Outgoing, ApiError> {
    let bad = |what: &str| ApiError::new(400, "Ecs.0005", format!("The {what} is invalid."));
    let limit = request.number("limit", 10)?;
    if !(1..=100).contains(&limit) {
        return Err(bad("limit"));
    }
    let (filter, world) = (Filter::of(request), &front.world);
    let mut rest = world.listed(now).filter(|server| filter.passes(server)).peekable();
    if let Some(marker) = request.query("marker")
        && !rest.by_ref().any(|server| server.id.as_str() == marker)
    {
        return Err(bad("marker"));
    }
    let page: Vec<&Server> = rest.by_ref().take(limit as usize).collect();
    let mut links = Vec::new();
    if let (Some(last), true) = (page.last(), rest.peek().is_some()) {
        let (root, project, id) = (&front.root, &front.account().project_id, &last.id);
        let href = format!("{root}/v1.1/{project}/cloudservers/detail?limit={limit}&marker={id}");
        links.push(json!({"rel": "next", "href": href}));
    }
    let servers: Vec<Value> = page.iter().map(|server| written(world, server)).collect();
    let request_id = front.request_id();
    Ok(Outgoing::ok(&json!({"servers": servers, "servers_links": links, "request_id": request_id})))
}

fn written(world: &World, server: &Server) -> Value {
    let mut long = Detail::of(world, server, server.created).value();
    let names = [
        ("OS-EXT-STS:vm_state", "vm_state"),
        ("OS-EXT-STS:task_state", "task_state"),
        ("OS-EXT-STS:power_state", "power_state"),
        ("OS-EXT-AZ:availability_zone", "availability_zone"),
        ("OS-EXT-SRV-ATTR:root_device_name", "root_device_name"),
        ("OS-SRV-USG:launched_at", "launched_at"),
    ];
    let kept = [
        "id",
        "name",
        "status",
        "tenant_id",
        "user_id",
        "created",
        "updated",
        "description",
        "key_name",
        "locked",
        "metadata",
        "tags",
        "security_groups",
        "image",
        "fault",
    ];
    let mut body = json!({"in_recycle_bin": false, "enterprise_project_id": "0"});
    for (from, to) in kept.iter().map(|name| (*name, *name)).chain(names) {
        body[to] = long[from].take();
    }
    let size = super::super::sizes::size(&server.flavor);
    body["flavor"] = json!({"id": server.flavor, "name": server.flavor, "disk": 0,
        "vcpus": size.vcpus, "ram": size.ram_mib});
    body["addresses"] = long["addresses"].take();
    for port in body["addresses"][NETWORK].as_array_mut().into_iter().flatten() {
        port["version"] = json!(4);
    }
    body["volumes_attached"] = long["os-extended-volumes:volumes_attached"].take();
    for (disk, have) in
        body["volumes_attached"].as_array_mut().into_iter().flatten().zip(&server.volumes)
    {
        disk["delete_on_termination"] = json!(have.boot);
        let slot = world.disk_by_id.get(&have.id).map(|slot| &world.disks[*slot]);
        disk["size"] = json!(slot.map(|disk| disk.size_gib));
    }
    body
}
