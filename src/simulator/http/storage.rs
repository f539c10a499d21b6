//! Disks, their quota, and the vaults and snapshots that are not there (`storage-image-kms.md`,
//! sections 1 to 4).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::world::World;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use super::route::StorageCall;
use crate::domain::{QuotaLine, Volume};

/// Serves a call about disks.
pub(super) fn answer(
    world: &World,
    request: &Incoming,
    call: &StorageCall,
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
        StorageCall::Snapshots => json!({"snapshots": []}),
        StorageCall::Vaults => json!({"vaults": [], "count": 0}),
        StorageCall::Backups => json!({"backups": [], "count": 0, "limit": 1_000, "offset": 0}),
    }))
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
        "snapshots": line(none, 0),
        "backups": line(none, 0),
        "backup_gigabytes": line(none, 0),
        "per_volume_gigabytes": line(none, 0),
    }})
}

fn list(world: &World, request: &Incoming) -> Result<Value, ApiError> {
    let bad = |error: ApiError| ApiError { code: "EVS.1008", ..error };
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
