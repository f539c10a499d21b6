//! Disks, their snapshots and quota, and the vaults that are not there (`storage-image-kms.md`,
//! sections 1 to 4).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::snapshots::Snapshot;
use super::super::world::World;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use super::route::StorageCall;
use crate::domain::{Millis, QuotaLine, Volume, VolumeId};

/// Serves a call about disks.
pub(super) fn answer(
    world: &mut World,
    now: Millis,
    (request, call): (&Incoming, &StorageCall),
) -> Result<Outgoing, ApiError> {
    Ok(Outgoing::ok(&match call {
        StorageCall::Quota => quota(world, request),
        StorageCall::ListVolumes => list(world, request)?,
        StorageCall::ShowVolume(id) => {
            let missing =
                || ApiError::new(404, "EVS.5404", format!("Volume {id} could not be found."));
            let slot = world.disk_by_id.get(id).ok_or_else(missing)?;
            json!({"volume": volume(world, &world.disks[*slot])})
        }
        StorageCall::Snapshots => snapshots(world, now, request)?,
        StorageCall::ShowSnapshot(id) => {
            json!({"snapshot": snapshot(world, now, world.show_snapshot(id)?)})
        }
        StorageCall::CreateSnapshot => return create_snapshot(world, now, request),
        StorageCall::Vaults => json!({"vaults": [], "count": 0}),
        StorageCall::Backups => json!({"backups": [], "count": 0, "limit": 1_000, "offset": 0}),
    }))
}

/// Filters and pages; `offset` is an index.
fn snapshots(world: &World, now: Millis, request: &Incoming) -> Result<Value, ApiError> {
    let limit = request.number("limit", 1_000).map_err(bad)? as usize;
    let offset = request.number("offset", 0).map_err(bad)? as usize;
    let volume = request.query("volume_id").map(VolumeId::new);
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let mut found = world.snapshots(volume.as_ref());
    found.retain(|it| {
        wanted("id", &it.id) && wanted("name", &it.name) && wanted("status", it.status(now))
    });
    let page = found.iter().skip(offset).take(limit);
    let page: Vec<Value> = page.map(|it| snapshot(world, now, it)).collect();
    Ok(json!({"count": found.len(), "snapshots": page}))
}

fn create_snapshot(
    world: &mut World,
    now: Millis,
    request: &Incoming,
) -> Result<Outgoing, ApiError> {
    let body = request.json()?;
    let wanted = &body["snapshot"];
    let missing = || ApiError::new(400, "EVS.1008", "volume_id is missing.");
    let volume = VolumeId::from(wanted["volume_id"].as_str().ok_or_else(missing)?);
    let name = wanted["name"].as_str().unwrap_or_default();
    let made = world.create_snapshot(now, &volume, (name, wanted["description"].as_str()))?.clone();
    let body = json!({"snapshot": snapshot(world, now, &made)});
    Ok(Outgoing::raw(202, body.to_string()))
}

fn snapshot(world: &World, now: Millis, it: &Snapshot) -> Value {
    let status = it.status(now);
    json!({
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "status": status,
        "volume_id": it.volume.as_str(),
        "size": it.size_gib,
        "created_at": stamp(it.created, MICROS),
        "updated_at": stamp(it.created, MICROS),
        "metadata": {},
        "os-extended-snapshot-attributes:project_id": world.account().project_id,
        "os-extended-snapshot-attributes:progress":
            if status == "available" { "100%" } else { "0%" },
    })
}

fn bad(error: ApiError) -> ApiError {
    ApiError { code: "EVS.1008", ..error }
}

/// With `usage=True` what is used is said too; otherwise there are only limits.
fn quota(world: &World, request: &Incoming) -> Value {
    let shown = world.shown_quota();
    let usage = request.query("usage").is_some_and(|usage| usage.eq_ignore_ascii_case("true"));
    let line = |line: QuotaLine, reserved: u64| {
        let limit = line.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
        if usage {
            json!({"in_use": line.used - reserved, "limit": limit, "reserved": reserved})
        } else {
            json!(limit)
        }
    };
    let none = QuotaLine { limit: None, used: 0 };
    json!({"quota_set": {
        "id": world.account().project_id,
        "volumes": line(shown.volumes, world.reserved.0),
        "gigabytes": line(shown.gigabytes, world.reserved.1),
        "snapshots": line(QuotaLine { limit: None, used: world.snapshots(None).len() as u64 }, 0),
        "backups": line(none, 0),
        "backup_gigabytes": line(none, 0),
        "per_volume_gigabytes": line(none, 0),
    }})
}

fn list(world: &World, request: &Incoming) -> Result<Value, ApiError> {
    let limit = request.number("limit", 1_000).map_err(bad)?;
    let offset = request.number("offset", 0).map_err(bad)?;
    let Some(server) = request.query("server_id") else {
        let page = world.list_volumes(offset, limit).map_err(bad)?;
        let volumes: Vec<Value> = page.iter().map(|disk| volume(world, disk)).collect();
        return Ok(json!({"volumes": volumes, "count": world.disks.len()}));
    };
    let of = |disk: &&Volume| disk.server.as_ref().is_some_and(|id| id.as_str() == server);
    let disks: Vec<&Volume> = world.disks.iter().filter(of).collect();
    let page = disks.iter().skip(offset as usize).take(limit as usize);
    let volumes: Vec<Value> = page.map(|disk| volume(world, disk)).collect();
    Ok(json!({"volumes": volumes, "count": disks.len()}))
}

fn volume(world: &World, disk: &Volume) -> Value {
    let id = disk.id.as_str();
    let server = disk.server.as_ref().and_then(|id| world.server(id));
    let attachment = server.and_then(|it| it.volumes.iter().find(|have| have.id == disk.id));
    let attachments: Vec<Value> = match (server, attachment) {
        (Some(server), Some(attachment)) => vec![json!({"server_id": server.id.as_str(),
            "device": attachment.device, "attachment_id": id, "volume_id": id, "id": id,
            "attached_at": disk.created.map(|at| stamp(at, MICROS)), "host_name": null})],
        _ => Vec::new(),
    };
    let boot = attachment.is_some_and(|attachment| attachment.boot);
    let mut metadata = json!({"hw:passthrough": "false"});
    if let Some(key) = &disk.key {
        metadata["__system__encrypted"] = json!("1");
        metadata["__system__cmkid"] = json!(key);
    }
    json!({
        "id": id,
        "name": format!("volume-{}", &id[..id.len().min(8)]),
        "status": disk.status,
        "size": disk.size_gib,
        "volume_type": disk.kind,
        "bootable": boot.to_string(),
        "attachments": attachments,
        "metadata": metadata,
        "encrypted": disk.key.is_some(),
        "availability_zone": server.map(|server| server.az.as_str()),
        "created_at": disk.created.map(|at| stamp(at, MICROS)),
        "updated_at": disk.created.map(|at| stamp(at, MICROS)),
        "volume_image_metadata": server.filter(|_| boot).map(|server| {
            json!({"image_id": server.image.as_str(), "image_name": server.image_name})
        }),
        "snapshot_id": null,
        "source_volid": null,
        "multiattach": false,
        "description": null,
        "tags": {},
        "os-vol-tenant-attr:tenant_id": world.account().project_id,
    })
}
