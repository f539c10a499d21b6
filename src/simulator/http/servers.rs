//! Servers, as v1 and native Nova write them (`ecs.md`, sections 2, 4, 8 and 9).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::world::World;
use super::front::Front;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use super::route::ServerCall;
use crate::domain::{Address, AddressKind, Millis, Server, ServerId, Timestamp, tag_matches};

/// The VPC that every server is in.
const NETWORK: &str = "5e1f0c3a-7d52-4f6b-8c1e-0d9a4b2c6e71";

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
            Outgoing::ok(&json!({"tags": tag_list(world.show_server(now, id)?)}))
        }
        ServerCall::Password(id) => {
            Outgoing::ok(&json!({"password": world.server_password(now, id)?}))
        }
        ServerCall::Limits => Outgoing::ok(&json!({"absolute": {"maxTotalInstances": 100_000,
            "totalInstancesUsed": world.listed_total(), "maxTotalCores": 1_000_000,
            "totalCoresUsed": world.listed_total() * 2}})),
        ServerCall::ByTag => by_tag(world, now, &request.json()?),
        ServerCall::NativeServers => return native_list(front, now, request),
        ServerCall::NativeServer(id) => {
            let missing = |error: ApiError| error.shaped(Shape::Native);
            let server = world.show_server(now, id).map_err(missing)?;
            Outgoing::ok(&json!({"server": native(world, server)}))
        }
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
    let skip = (page - 1).saturating_mul(limit as usize);
    let mut body = format!("{{\"count\":{},\"servers\":[", rows.len());
    for (n, row) in rows.iter().skip(skip).take(limit as usize).enumerate() {
        if n > 0 {
            body.push(',');
        }
        match row {
            Row::Machine(index) => body.push_str(written(front, now, *index)),
            Row::Helper(index) => {
                let helper = &front.world.helpers[*index];
                body.push_str(&detail(&front.world, helper, None).to_string());
            }
        }
    }
    body.push_str("]}");
    Ok(Outgoing::raw(200, body))
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

/// Filters of the v1 list.
struct Filter {
    name: Option<String>,
    status: Option<String>,
    flavor: Option<String>,
    ip: Option<String>,
    tags: Option<String>,
    not_tags: Option<String>,
    ids: Option<Vec<String>>,
}

impl Filter {
    fn of(request: &Incoming) -> Self {
        let ids = request.query("server_id");
        Self {
            name: request.query("name"),
            status: request.query("status"),
            flavor: request.query("flavor"),
            ip: request.query("ip").or_else(|| request.query("ip_eq")),
            tags: request.query("tags"),
            not_tags: request.query("not-tags"),
            ids: ids.map(|ids| ids.split(',').map(str::to_owned).collect()),
        }
    }

    fn passes(&self, server: &Server) -> bool {
        if let Some(ids) = &self.ids {
            return ids.iter().any(|id| id == server.id.as_str());
        }
        let tagged = |wanted: &String| tag_matches(&server.tags, wanted);
        let ip = |wanted: &String| server.addresses.iter().any(|it| it.addr.contains(wanted));
        self.name.as_ref().is_none_or(|name| fuzzy(&server.name, name))
            && self.status.as_ref().is_none_or(|status| server.status == *status)
            && self.flavor.as_ref().is_none_or(|flavor| server.flavor == *flavor)
            && self.ip.as_ref().is_none_or(ip)
            && self.tags.as_ref().is_none_or(tagged)
            && !self.not_tags.as_ref().is_some_and(tagged)
    }
}

/// Whether `pattern` occurs in `name`; a dot stands for any character.
fn fuzzy(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) =
        (name.chars().collect(), pattern.chars().collect());
    if pattern.is_empty() {
        return true;
    }
    let same = |(have, want): (&char, &char)| want == &'.' || have == want;
    name.windows(pattern.len()).any(|window| window.iter().zip(&pattern).all(same))
}

/// `OS-EXT-STS:vm_state` and `power_state` of a status.
fn state_of(status: &str) -> (&'static str, u8) {
    match status {
        "ACTIVE" => ("active", 1),
        "BUILD" => ("building", 0),
        "ERROR" => ("error", 4),
        _ => ("stopped", 4),
    }
}

/// A server of the v1 interface.
fn detail(world: &World, server: &Server, launched: Option<Timestamp>) -> Value {
    let (vm_state, power_state) = state_of(&server.status);
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
        "flavor": {"id": server.flavor, "name": server.flavor, "disk": "0", "vcpus": "2",
            "ram": "4096"},
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

fn tag_list(server: &Server) -> Vec<Value> {
    server.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
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

/// By tag: here `offset` is an index.
fn by_tag(world: &World, now: Millis, body: &Value) -> Outgoing {
    let number = |key: &str, otherwise: usize| {
        let text = body[key].as_str().and_then(|text| text.parse().ok());
        text.or_else(|| body[key].as_u64().and_then(|n| usize::try_from(n).ok()))
            .unwrap_or(otherwise)
    };
    let one = |server: &Server, tag: &Value| {
        let have = tag["key"].as_str().and_then(|key| server.tags.get(key));
        let values = tag["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        have.is_some_and(|have| values.is_empty() || values.iter().any(|v| v == have.as_str()))
    };
    let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    let (tags, not_tags) = (list("tags"), list("not_tags"));
    let found: Vec<&Server> = world
        .listed(now)
        .filter(|server| tags.iter().all(|tag| one(server, tag)))
        .filter(|server| !not_tags.iter().any(|tag| one(server, tag)))
        .collect();
    let total = found.len();
    if body["action"] == "count" {
        return Outgoing::ok(&json!({"total_count": total}));
    }
    let page = found.iter().skip(number("offset", 0)).take(number("limit", 1_000));
    let resources: Vec<Value> = page
        .map(|server| {
            json!({"resource_id": server.id.as_str(), "resource_name": server.name,
                "resource_detail": null, "tags": tag_list(server)})
        })
        .collect();
    Outgoing::ok(&json!({"resources": resources, "total_count": total}))
}

/// Native list: pages by the last id.
fn native_list(front: &Front, now: Millis, request: &Incoming) -> Result<Outgoing, ApiError> {
    let limit = request.number("limit", 1_000)?.clamp(1, 1_000) as usize;
    let filter = Filter::of(request);
    let world = &front.world;
    let mut rest = world.listed(now).filter(|server| filter.passes(server)).peekable();
    if let Some(marker) = request.query("marker") {
        let found = rest.by_ref().any(|server| server.id.as_str() == marker);
        if !found {
            let message = format!("marker [{marker}] not found");
            return Err(ApiError::new(400, "", message).shaped(Shape::Native));
        }
    }
    let page: Vec<&Server> = rest.by_ref().take(limit).collect();
    let mut body = json!({"servers": page.iter().map(|it| native(world, it)).collect::<Vec<_>>()});
    if let (Some(last), true) = (page.last(), rest.peek().is_some()) {
        let (root, project) = (&front.root, &front.account().project_id);
        let id = &last.id;
        let href = format!("{root}/v2.1/{project}/servers/detail?limit={limit}&marker={id}");
        body["servers_links"] = json!([{"rel": "next", "href": href}]);
    }
    Ok(Outgoing::ok(&body))
}

/// A server of native Nova: numbers where v1 has text, and fewer fields.
fn native(world: &World, server: &Server) -> Value {
    let mut body = detail(world, server, server.created);
    if let Some(fields) = body.as_object_mut() {
        for key in ["host_status", "tags", "sys_tags", "locked", "description"] {
            fields.shift_remove(key);
        }
    }
    let volumes = server.volumes.iter().map(|volume| json!({"id": volume.id.as_str()}));
    body["os-extended-volumes:volumes_attached"] = volumes.collect();
    body["flavor"] = json!({"id": server.flavor, "links": []});
    body["links"] = json!([]);
    if let Some(ports) = body["addresses"][NETWORK].as_array_mut() {
        for port in ports {
            port["version"] = json!(4);
        }
    }
    body
}
