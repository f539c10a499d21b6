//! Disks, their snapshots and their quota (`storage-image-kms.md`, sections 1 to 3).

use std::collections::{BTreeMap, BTreeSet};

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
        StorageCall::Limits => limits(world),
        StorageCall::Types => {
            let all = world.disks.iter().map(|disk| disk.kind.as_str()).collect::<BTreeSet<_>>();
            let types = all.iter().enumerate().map(|(n, kind)| {
                json!({"id": format!("{n:032x}"), "name": kind, "description": null,
                    "qos_specs_id": null, "is_public": true,
                    "extra_specs": {"volume_backend_name": kind}})
            });
            json!({"volume_types": types.collect::<Vec<_>>()})
        }
        StorageCall::DeleteSnapshot(id) => {
            world.delete_snapshot(id)?;
            return Ok(Outgoing::raw(202, String::new()));
        }
        StorageCall::Snapshots => snapshots(world, now, request)?,
        StorageCall::ShowSnapshot(id) => {
            json!({"snapshot": snapshot(world, now, world.show_snapshot(id)?)})
        }
        StorageCall::CreateSnapshot => return create_snapshot(world, now, request),
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
    let mut body = json!({"quota_set": {
        "id": world.account().project_id,
        "volumes": line(shown.volumes, world.reserved.0),
        "gigabytes": line(shown.gigabytes, world.reserved.1),
        "snapshots": line(QuotaLine { limit: None, used: world.snapshots(None).len() as u64 }, 0),
        "backups": line(none, 0),
        "backup_gigabytes": line(none, 0),
        "per_volume_gigabytes": line(none, 0),
    }});
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for disk in &world.disks {
        let used = kinds.entry(&disk.kind).or_default();
        *used = (used.0 + 1, used.1 + disk.size_gib);
    }
    for (kind, (count, gib)) in kinds {
        let lines = [("volumes", count), ("gigabytes", gib), ("snapshots", 0)];
        for (what, used) in lines {
            let key = format!("{what}_{kind}");
            body["quota_set"][key] = line(QuotaLine { limit: None, used }, 0);
        }
    }
    body
}

/// What the list can be asked by.
const KEYS: [&str; 8] =
    ["server_id", "id", "ids", "name", "status", "availability_zone", "marker", "metadata"];

/// Filters and pages: `offset` is an index, `marker` the last id of the page before.
fn list(world: &World, request: &Incoming) -> Result<Value, ApiError> {
    let limit = request.number("limit", 1_000).map_err(bad)?;
    let offset = request.number("offset", 0).map_err(bad)?;
    if KEYS.iter().all(|key| request.query(key).is_none()) {
        let page = world.list_volumes(offset, limit).map_err(bad)?;
        let volumes: Vec<Value> = page.iter().map(|disk| volume(world, disk)).collect();
        return Ok(json!({"volumes": volumes, "count": world.disks.len()}));
    }
    let disks: Vec<&Volume> =
        world.disks.iter().filter(|disk| wanted(world, request, disk)).collect();
    let from = match request.query("marker") {
        Some(marker) => {
            let missing = || ApiError::new(400, "EVS.1008", "The marker is invalid.");
            disks.iter().position(|it| it.id.as_str() == marker).ok_or_else(missing)? + 1
        }
        None => offset as usize,
    };
    let page = disks.iter().skip(from).take(limit as usize);
    let volumes: Vec<Value> = page.map(|disk| volume(world, disk)).collect();
    Ok(json!({"volumes": volumes, "count": disks.len()}))
}

/// `ids` is a list in the form of a text: `['…', '…']`.
fn wanted(world: &World, request: &Incoming, disk: &Volume) -> bool {
    let same = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let server = disk.server.as_ref();
    let zone = server.and_then(|id| world.server(id)).map_or("", |server| server.az.as_str());
    let among = request.query("ids").is_none_or(|ids| ids.contains(disk.id.as_str()));
    let named = request.query("name").is_none_or(|name| name_of(disk) == name);
    same("server_id", server.map_or("", |id| id.as_str()))
        && same("id", disk.id.as_str())
        && same("status", &disk.status)
        && same("availability_zone", zone)
        && among
        && named
}

fn name_of(disk: &Volume) -> String {
    let id = disk.id.as_str();
    format!("volume-{}", id.get(..8).unwrap_or(id))
}

/// The same numbers as the quota's, as native Cinder tells them.
fn limits(world: &World) -> Value {
    let shown = world.shown_quota();
    let limit = |line: QuotaLine| line.limit.and_then(|it| i64::try_from(it).ok()).unwrap_or(-1);
    json!({"limits": {"rate": [], "absolute": {
        "maxTotalVolumes": limit(shown.volumes),
        "totalVolumesUsed": shown.volumes.used,
        "maxTotalVolumeGigabytes": limit(shown.gigabytes),
        "totalGigabytesUsed": shown.gigabytes.used,
        "maxTotalSnapshots": -1,
        "totalSnapshotsUsed": world.snapshots(None).len(),
        "maxTotalBackups": -1,
        "totalBackupsUsed": 0,
        "maxTotalBackupGigabytes": -1,
        "totalBackupGigabytesUsed": 0,
    }}})
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
        "name": name_of(disk),
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
