//! Servers, as v1 writes them (`ecs.md`, sections 2, 4, 8 and 9).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::world::World;
use super::detail::Detail;
use super::filter::Filter;
use super::front::Front;
use super::message::{Incoming, Outgoing};
use super::route::ServerCall;
use super::{flavors, short, tags};
use crate::domain::{AddressKind, Attachment, Millis, Server, ServerId};

/// The VPC that every server is in.
pub(super) const NETWORK: &str = "5e1f0c3a-7d52-4f6b-8c1e-0d9a4b2c6e71";

/// Serves a call about servers.
pub(super) fn answer(
    front: &mut Front,
    now: Millis,
    (request, call): (&Incoming, &ServerCall),
) -> Result<Outgoing, ApiError> {
    let world = &front.world;
    Ok(match call {
        ServerCall::ListServers => return list(front, now, request),
        ServerCall::ShowServer(id) => return show(front, now, id),
        ServerCall::BlockDevices(id) => {
            Outgoing::ok(&block_devices(world, world.show_server(now, id)?))
        }
        ServerCall::Interfaces(id) => Outgoing::ok(&interfaces(world.show_server(now, id)?)),
        ServerCall::Tags(id) => {
            Outgoing::ok(&json!({"tags": tags::listed(world.show_server(now, id)?)}))
        }
        ServerCall::Password(id) => {
            Outgoing::ok(&json!({"password": world.server_password(now, id)?}))
        }
        ServerCall::Limits => Outgoing::ok(&json!({"absolute": flavors::limits(world, now)})),
        ServerCall::Flavors => Outgoing::ok(&flavors::listed(world, now, request)),
        ServerCall::ByTag => tags::servers(world, now, &request.json()?),
        ServerCall::AllTags => tags::of_project(world, now),
        ServerCall::ShortServers => return short::list(front, now, request),
        ServerCall::BlockDevice(id, volume) => {
            let devices = block_devices(world, world.show_server(now, id)?);
            let mut found = devices["volumeAttachments"].as_array().into_iter().flatten();
            let found = found.find(|it| it["volumeId"] == volume.as_str());
            let missing = || ApiError::new(404, "Ecs.0114", "The disk is not attached.");
            Outgoing::ok(&json!({"volumeAttachment": found.ok_or_else(missing)?}))
        }
        ServerCall::Attachments(id) => Outgoing::ok(&attachments(world.show_server(now, id)?)),
        ServerCall::ResetFlag(id) => Outgoing::ok(&reset_flag(world, world.show_server(now, id)?)),
    })
}

fn show(front: &mut Front, now: Millis, id: &ServerId) -> Result<Outgoing, ApiError> {
    let body = match front.world.by_id.get(id).copied() {
        Some(index) => written(front, now, index).to_owned(),
        None => Detail::of(&front.world, front.world.show_server(now, id)?, None).text(),
    };
    Ok(Outgoing::raw(200, format!("{{\"server\":{body}}}")))
}

/// Where a server of a list is: among the temporary ones, or among the others.
#[derive(Clone, Copy)]
enum Row {
    Helper(usize),
    Machine(usize),
}

fn list(front: &mut Front, now: Millis, request: &Incoming) -> Result<Outgoing, ApiError> {
    let limit = request.number("limit", 25)?;
    if !(1..=1_000).contains(&limit) {
        return Err(ApiError::new(400, "Ecs.0005", "The parameter limit is invalid."));
    }
    let page = request.number("offset", 1)?.max(1) as usize;
    let filter = Filter::of(request);
    let world = &front.world;
    let helpers = (0..world.helpers.len()).rev().map(Row::Helper);
    let rows: Vec<Row> = helpers
        .chain((0..world.machines.len()).map(Row::Machine))
        .filter(|row| filter.passes(server_at(world, now, *row)))
        .collect();
    let skip = match request.query("marker") {
        None => (page - 1).saturating_mul(limit as usize),
        Some(last) => {
            let is_last = |row: &Row| server_at(world, now, *row).id.as_str() == last;
            let bad = || ApiError::new(400, "Ecs.0005", "The parameter marker is invalid.");
            rows.iter().position(is_last).ok_or_else(bad)? + 1
        }
    };
    let unknown = filter.unknown(|id| world.show_server(now, id).is_ok());
    let mut body = format!("{{\"count\":{},\"servers\":[", rows.len() + unknown.len());
    let page: Vec<Row> = rows.into_iter().skip(skip).take(limit as usize).collect();
    let mut items = 0;
    for row in page {
        next(&mut body, &mut items);
        match row {
            Row::Machine(index) => body.push_str(written(front, now, index)),
            Row::Helper(index) => {
                let helper = &front.world.helpers[index];
                body.push_str(&Detail::of(&front.world, helper, None).text());
            }
        }
    }
    for id in unknown {
        next(&mut body, &mut items);
        let fault = json!({"code": 404, "message": format!("Instance {id} could not be found.")});
        body.push_str(&json!({"id": id, "fault": fault}).to_string());
    }
    body.push_str("]}");
    Ok(Outgoing::raw(200, body))
}

/// Puts a comma before every item but the first.
fn next(body: &mut String, items: &mut usize) {
    if *items > 0 {
        body.push(',');
    }
    *items += 1;
}

fn server_at(world: &World, now: Millis, row: Row) -> &Server {
    match row {
        Row::Helper(index) => &world.helpers[index],
        Row::Machine(index) => world.machines[index].seen(now),
    }
}

/// The server as text, written down once for every version of it: a list of 1,000 is then only
/// copied together.
fn written(front: &mut Front, now: Millis, index: usize) -> &str {
    let machine = &front.world.machines[index];
    let (version, server) = machine.seen_as(now);
    if front.written.len() <= index {
        front.written.resize(front.world.machines.len(), None);
    }
    let slot = &mut front.written[index];
    if slot.as_ref().is_none_or(|(have, _)| *have != version) {
        let text = Detail::of(&front.world, server, Some(machine.launched)).text();
        *slot = Some((version, text));
    }
    slot.as_ref().map_or("{}", |(_, text)| text)
}

/// `OS-EXT-STS:vm_state` and `power_state` of a status.
pub(super) fn state_of(status: &str) -> (&'static str, u8) {
    match status {
        "ACTIVE" | "REBOOT" | "HARD_REBOOT" | "REBUILD" => ("active", 1),
        "BUILD" => ("building", 0),
        "ERROR" => ("error", 4),
        _ => ("stopped", 4),
    }
}

fn block_devices(world: &World, server: &Server) -> Value {
    let attachments: Vec<Value> = server
        .volumes
        .iter()
        .enumerate()
        .map(|(n, volume)| {
            let disk = world.disk_by_id.get(&volume.id).map(|slot| &world.disks[*slot]);
            json!({"serverId": server.id.as_str(), "volumeId": volume.id.as_str(),
                "id": volume.id.as_str(), "size": disk.map_or(0, |disk| disk.size_gib),
                "device": volume.device, "pciAddress": format!("0000:02:{:02x}.0", n + 1),
                "bootIndex": if volume.boot { 0 } else { n.max(1) }, "bus": "virtio"})
        })
        .collect();
    json!({"volumeAttachments": attachments,
        "attachableQuantity": {"free_scsi": 23, "free_blk": 22, "free_disk": 23}})
}

fn attachments(server: &Server) -> Value {
    let attachment = |volume: &Attachment| {
        json!({"id": volume.id.as_str(), "volumeId": volume.id.as_str(),
            "serverId": server.id.as_str(), "device": volume.device})
    };
    json!({"volumeAttachments": server.volumes.iter().map(attachment).collect::<Vec<_>>()})
}

/// Whether a new password can be set from outside: the image has the means for it.
fn reset_flag(world: &World, server: &Server) -> Value {
    let can = world.show_image(&server.image).is_some_and(|image| image.cloud_init);
    json!({"resetpwd_flag": if can { "True" } else { "False" }})
}

fn interfaces(server: &Server) -> Value {
    let fixed = server.addresses.iter().filter(|it| it.kind == AddressKind::Fixed);
    let ports: Vec<Value> = fixed
        .map(|it| {
            json!({"port_state": "ACTIVE", "net_id": NETWORK, "port_id": it.port,
                "mac_addr": it.mac, "delete_on_termination": false,
                "fixed_ips": [{"subnet_id": NETWORK, "ip_address": it.addr}]})
        })
        .collect();
    json!({"interfaceAttachments": ports,
        "attachableQuantity": {"free_nic": 11, "free_efi_nic": 0}})
}
