//! Servers, as v1 writes them (`ecs.md`, sections 2, 4, 8 and 9).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::world::World;
use super::filter::Filter;
use super::front::Front;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use super::route::ServerCall;
use super::{flavors, short, tags};
use crate::domain::{Address, AddressKind, Attachment, Millis, Server, ServerId, Timestamp};

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
        None => detail(&front.world, front.world.show_server(now, id)?, None).to_string(),
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
                body.push_str(&detail(&front.world, helper, None).to_string());
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
        let text = detail(&front.world, server, Some(machine.launched)).to_string();
        *slot = Some((version, text));
    }
    slot.as_ref().map_or("{}", |(_, text)| text)
}

/// `OS-EXT-STS:vm_state` and `power_state` of a status.
fn state_of(status: &str) -> (&'static str, u8) {
    match status {
        "ACTIVE" | "REBOOT" | "HARD_REBOOT" | "REBUILD" => ("active", 1),
        "BUILD" => ("building", 0),
        "ERROR" => ("error", 4),
        _ => ("stopped", 4),
    }
}

/// A server of the v1 interface.
pub(super) fn detail(world: &World, server: &Server, launched: Option<Timestamp>) -> Value {
    let (vm_state, power_state) = state_of(&server.status);
    let size = flavors::size(&server.flavor);
    let volumes: Vec<Value> = server
        .volumes
        .iter()
        .enumerate()
        .map(|(n, volume)| {
            let index = if volume.boot { 0 } else { n.max(1) };
            json!({"id": volume.id.as_str(), "device": volume.device,
                "bootIndex": index.to_string(), "delete_on_termination": volume.boot.to_string()})
        })
        .collect();
    let tags: Vec<String> = server.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let second = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
    let mut body = json!({
        "id": server.id.as_str(),
        "name": server.name,
        "status": server.status,
        "tenant_id": world.account().project_id,
        "user_id": server.user.as_str(),
        "created": second(server.created),
        "updated": second(server.updated),
        "OS-EXT-STS:vm_state": vm_state,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:power_state": power_state,
        "OS-SRV-USG:launched_at": launched.map(|moment| stamp(moment, MICROS)),
        "OS-EXT-AZ:availability_zone": server.az,
        "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
        "OS-EXT-SRV-ATTR:hostname": server.name,
        "OS-EXT-SRV-ATTR:user_data": null,
        "OS-DCF:diskConfig": "MANUAL",
        "os-extended-volumes:volumes_attached": volumes,
        "addresses": {NETWORK: server.addresses.iter().map(address).collect::<Vec<_>>()},
        "flavor": {"id": server.flavor, "name": server.flavor, "disk": "0",
            "vcpus": size.vcpus.to_string(), "ram": size.ram_mib.to_string()},
        "image": {"id": server.image.as_str()},
        "metadata": metadata(world, server),
        "tags": tags,
        "sys_tags": [{"key": "_sys_enterprise_project_id", "value": "0"}],
        "security_groups": [{"id": "d1e2f3a4-0000-4000-8000-000000000001", "name": "default"}],
        "host_status": "UP",
        "locked": server.locked,
        "config_drive": "",
        "description": "",
        "hostId": "",
        "accessIPv4": "",
        "accessIPv6": "",
    });
    if let Some(key) = &server.key_name {
        body["key_name"] = json!(key);
    }
    body["fault"] = match &server.fault {
        Some(message) => json!({"message": message, "code": 500, "details": "",
            "created": second(server.updated)}),
        None => Value::Null,
    };
    body
}

fn address(address: &Address) -> Value {
    let kind = match address.kind {
        AddressKind::Fixed => "fixed",
        AddressKind::Floating => "floating",
    };
    json!({"version": "4", "addr": address.addr, "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": address.mac, "OS-EXT-IPS:port_id": address.port})
}

fn metadata(world: &World, server: &Server) -> Value {
    let image = world.show_image(&server.image);
    let mut metadata = json!({
        "metering.image_id": server.image.as_str(),
        "metering.imagetype": image.map_or("gold", |image| image.kind.as_str()),
        "metering.resourcespeccode": format!("{}.linux", server.flavor),
        "metering.resourcetype": "1",
        "metering.order_id": "",
        "metering.product_id": "",
        "os_bit": "64",
        "vpc_id": NETWORK,
        "charging_mode": if server.prepaid { "1" } else { "0" },
        "cascaded.instance_extrainfo": "pcibridge:2",
    });
    let optional = [
        ("os_type", server.os_type.clone()),
        ("image_name", server.image_name.clone()),
        ("EcmResStatus", server.frozen.then(|| "freeze".to_owned())),
        ("virtual_env_type", server.from_iso.then(|| "IsoImage".to_owned())),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            metadata[key] = json!(value);
        }
    }
    metadata
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
