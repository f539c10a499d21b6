//! Vaults, checkpoints, backups and what was done with them (`storage-image-kms.md`, section 4).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::machine::Machine;
use super::super::vaults::{Backup, BackupOrder, Checkpoint, DiskBackup, Vault};
use super::super::world::World;
use super::message::{Incoming, MICROS, Outgoing, stamp};
use crate::domain::{Millis, ServerId};

/// A call about vaults and backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VaultCall {
    /// Vaults.
    Vaults,
    /// One vault.
    Vault(String),
    /// Back servers up.
    CreateCheckpoint,
    /// One checkpoint.
    Checkpoint(String),
    /// Backups.
    Backups,
    /// One backup.
    Backup(String),
    /// What was done.
    Operations,
    /// One thing that was done.
    Operation(String),
}

impl VaultCall {
    /// The call of a request.
    pub(super) fn route((method, version, rest): (&str, &str, &[&str])) -> Option<Self> {
        let own = |id: &str| id.to_owned();
        Some(match (method, version, rest) {
            ("GET", "v3", ["vaults"]) => Self::Vaults,
            ("GET", "v3", ["vaults", id]) => Self::Vault(own(id)),
            ("POST", "v3", ["checkpoints"]) => Self::CreateCheckpoint,
            ("GET", "v3", ["checkpoints", id]) => Self::Checkpoint(own(id)),
            ("GET", "v3", ["backups"]) => Self::Backups,
            ("GET", "v3", ["backups", id]) => Self::Backup(own(id)),
            ("GET", "v3", ["operation-logs"]) => Self::Operations,
            ("GET", "v3", ["operation-logs", id]) => Self::Operation(own(id)),
            _ => return None,
        })
    }

    /// The name that it is counted under.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Vaults => "list_vaults",
            Self::Vault(_) => "show_vault",
            Self::CreateCheckpoint => "create_checkpoint",
            Self::Checkpoint(_) => "show_checkpoint",
            Self::Backups => "list_backups",
            Self::Backup(_) => "show_backup",
            Self::Operations => "list_backup_operations",
            Self::Operation(_) => "show_backup_operation",
        }
    }
}

/// Serves a call about vaults and backups.
pub(super) fn answer(
    world: &mut World,
    now: Millis,
    (request, call): (&Incoming, &VaultCall),
) -> Result<Outgoing, ApiError> {
    Ok(Outgoing::ok(&match call {
        VaultCall::Vaults => vaults(world, request)?,
        VaultCall::Vault(id) => json!({"vault": vault(world, world.show_vault(id)?)}),
        VaultCall::CreateCheckpoint => {
            let order = order(request)?;
            let made = world.create_checkpoint(now, &order)?.clone();
            json!({"checkpoint": checkpoint(world, now, &made)})
        }
        VaultCall::Checkpoint(id) => {
            json!({"checkpoint": checkpoint(world, now, world.show_checkpoint(id)?)})
        }
        VaultCall::Backups => backups(world, now, request)?,
        VaultCall::Backup(id) => json!({"backup": backup(world, now, world.show_backup(id)?)}),
        VaultCall::Operations => operations(world, now, request)?,
        VaultCall::Operation(id) => {
            json!({"operation_log": operation(world, now, world.show_backup(id)?)})
        }
    }))
}

fn invalid(message: &'static str) -> ApiError {
    ApiError::new(400, "BackupService.0003", message).shaped(Shape::Gateway)
}

/// A page of what was found, with what all lists say; `offset` is an index here.
fn page(request: &Incoming, key: &str, found: Vec<Value>) -> Result<Value, ApiError> {
    let bad = |_| invalid("limit or offset is invalid.");
    let limit = request.number("limit", 1_000).map_err(bad)?;
    let offset = request.number("offset", 0).map_err(bad)?;
    if limit > 1_000 {
        return Err(invalid("limit must not be above 1000."));
    }
    let count = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset as usize).take(limit as usize).collect();
    Ok(json!({key: page, "count": count, "limit": limit, "offset": offset}))
}

fn vaults(world: &World, request: &Incoming) -> Result<Value, ApiError> {
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let servers: Option<Vec<ServerId>> =
        request.query("resource_ids").map(|ids| ids.split(',').map(ServerId::from).collect());
    let holds = |vault: &Vault| {
        servers.as_ref().is_none_or(|ids| ids.iter().any(|id| vault.resources.contains(id)))
    };
    let found = world
        .vaults
        .iter()
        .filter(|vault| wanted("id", &vault.id) && wanted("name", &vault.name))
        .filter(|vault| wanted("status", &vault.status) && holds(vault))
        .filter(|_| wanted("object_type", "server") && wanted("protect_type", "backup"));
    page(request, "vaults", found.map(|it| vault(world, it)).collect())
}

fn vault(world: &World, vault: &Vault) -> Value {
    let resources: Vec<Value> = vault.resources.iter().map(|id| resource(world, id)).collect();
    json!({
        "id": vault.id,
        "name": vault.name,
        "description": "",
        "project_id": world.account().project_id,
        "provider_id": PROVIDER,
        "resources": resources,
        "billing": {
            "allocated": 0,
            "charging_mode": "post_paid",
            "cloud_type": "public",
            "consistent_level": "crash_consistent",
            "object_type": "server",
            "protect_type": "backup",
            "size": vault.size_gib,
            "spec_code": "vault.backup.server.normal",
            "status": vault.status,
            "used": vault.used_mib,
        },
        "tags": [],
        "enterprise_project_id": "0",
        "auto_bind": false,
        "auto_expand": false,
        "user_id": world.account().user_id,
        "created_at": stamp(world.wall(Millis(0)), MICROS),
    })
}

/// Servers are the only thing that is backed up here.
const KIND: &str = "OS::Nova::Server";
/// The id of the provider for servers, the same everywhere.
const PROVIDER: &str = "0daac4c5-6707-4851-97ba-169e36266b66";

fn resource(world: &World, id: &ServerId) -> Value {
    let server = world.server(id);
    let done = world.backups.iter().filter(|backup| backup.server == *id && !backup.fails);
    let (count, size) = done.fold((0, 0), |(n, gib), backup| (n + 1, gib + backup.size_gib()));
    json!({
        "id": id.as_str(),
        "name": server.map(|server| server.name.as_str()),
        "type": KIND,
        "protect_status": "available",
        "size": server.map_or(0, |server| size_of(world, &server.id)),
        "backup_size": size,
        "backup_count": count,
    })
}

/// GiB of all disks of a server.
fn size_of(world: &World, id: &ServerId) -> u64 {
    let machine = world.by_id.get(id).map(|index| &world.machines[*index]);
    let slots = machine.into_iter().flat_map(Machine::disks);
    slots.map(|slot| world.disks[slot].size_gib).sum()
}

fn order(request: &Incoming) -> Result<BackupOrder, ApiError> {
    let body = request.json().map_err(|_| invalid("The request body is not JSON."))?;
    let wanted = &body["checkpoint"];
    let vault = wanted["vault_id"].as_str().ok_or_else(|| invalid("vault_id is missing."))?;
    let parameters = &wanted["parameters"];
    let name = parameters["name"].as_str().unwrap_or("checkpoint");
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(invalid("name must be 1 to 64 letters, digits, _ or -."));
    }
    let of_details = |it: &Value| it["id"].as_str().map(ServerId::from);
    let of_ids = |it: &Value| it.as_str().map(ServerId::from);
    let list = |key: &str, id: &dyn Fn(&Value) -> Option<ServerId>| {
        let ids: Option<Vec<ServerId>> =
            parameters[key].as_array().map(|all| all.iter().filter_map(id).collect());
        ids.filter(|ids| !ids.is_empty())
    };
    let servers = list("resources", &of_ids).or_else(|| list("resource_details", &of_details));
    let description = parameters["description"].as_str().unwrap_or_default();
    let (vault, name) = (vault.to_owned(), name.to_owned());
    Ok(BackupOrder { vault, name, description: description.to_owned(), servers })
}

/// Sizes are texts here, other than in a vault.
fn checkpoint(world: &World, now: Millis, checkpoint: &Checkpoint) -> Value {
    let vault = &world.vaults[checkpoint.vault];
    let name = |id: &ServerId| world.server(id).map(|server| server.name.clone());
    let resources: Vec<Value> = checkpoint
        .backups
        .iter()
        .map(|index| &world.backups[*index])
        .map(|backup| {
            json!({"id": backup.server.as_str(), "name": backup.server_name, "type": KIND,
                "protect_status": backup.status(now),
                "resource_size": backup.size_gib().to_string(), "extra_info": "{}",
                "backup_size": "0", "backup_count": "0"})
        })
        .collect();
    let skipped: Vec<Value> = checkpoint
        .skipped
        .iter()
        .map(|(id, reason)| {
            json!({"id": id.as_str(), "name": name(id), "type": KIND,
                "code": "BackupService.0001", "reason": reason})
        })
        .collect();
    json!({
        "id": checkpoint.id,
        "project_id": world.account().project_id,
        "status": world.checkpoint_status(now, checkpoint),
        "created_at": stamp(checkpoint.created, MICROS),
        "vault": {"id": vault.id, "name": vault.name, "resources": resources,
            "skipped_resources": skipped},
        "extra_info": {"name": checkpoint.name, "description": checkpoint.description,
            "retention_duration": -1},
    })
}

fn backups(world: &World, now: Millis, request: &Incoming) -> Result<Value, ApiError> {
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let found = world.backups.iter().rev().filter(|backup| {
        let checkpoint = &world.checkpoints[backup.checkpoint];
        wanted("checkpoint_id", &checkpoint.id)
            && wanted("vault_id", &world.vaults[checkpoint.vault].id)
            && wanted("resource_id", backup.server.as_str())
            && wanted("resource_name", &backup.server_name)
            && wanted("status", backup.status(now))
            && wanted("name", &checkpoint.name)
    });
    page(request, "backups", found.map(|it| backup(world, now, it)).collect())
}

fn backup(world: &World, now: Millis, backup: &Backup) -> Value {
    let children: Vec<Value> =
        backup.disks.iter().map(|disk| disk_backup(world, now, (backup, disk))).collect();
    let mut body = common(world, now, backup);
    body["id"] = json!(backup.id);
    body["resource_id"] = json!(backup.server.as_str());
    body["resource_name"] = json!(backup.server_name);
    body["resource_type"] = json!(KIND);
    body["resource_size"] = json!(backup.size_gib());
    body["parent_id"] = Value::Null;
    body["extend_info"] = json!({"auto_trigger": false, "supported_restore_mode": "na",
        "support_lld": false, "contain_system_disk": backup.disks.iter().any(|disk| disk.system)});
    body["children"] = json!(children);
    body
}

fn disk_backup(world: &World, now: Millis, (backup, disk): (&Backup, &DiskBackup)) -> Value {
    let mut body = common(world, now, backup);
    body["id"] = json!(disk.id);
    body["resource_id"] = json!(disk.volume.as_str());
    body["resource_name"] = json!(disk.volume.as_str());
    body["resource_type"] = json!("OS::Cinder::Volume");
    body["resource_size"] = json!(disk.size_gib);
    body["parent_id"] = json!(backup.id);
    body["extend_info"] = json!({"auto_trigger": false, "bootable": disk.system,
        "system_disk": disk.system, "encrypted": false, "supported_restore_mode": "backup"});
    body["children"] = json!([]);
    body
}

/// What the backup of a server and those of its disks have in common.
fn common(world: &World, now: Millis, backup: &Backup) -> Value {
    let checkpoint = &world.checkpoints[backup.checkpoint];
    let ended = stamp(world.wall(backup.span.1), MICROS);
    let begun = stamp(checkpoint.created, MICROS);
    json!({
        "checkpoint_id": checkpoint.id,
        "vault_id": world.vaults[checkpoint.vault].id,
        "name": checkpoint.name,
        "description": checkpoint.description,
        "status": backup.status(now),
        "image_type": "backup",
        "project_id": world.account().project_id,
        "provider_id": PROVIDER,
        "resource_az": backup.zone,
        "created_at": begun,
        "protected_at": if now < backup.span.1 { &begun } else { &ended },
        "updated_at": if now < backup.span.1 { &begun } else { &ended },
        "expired_at": null,
        "replication_records": [],
        "enterprise_project_id": "0",
        "incremental": true,
    })
}

fn operations(world: &World, now: Millis, request: &Incoming) -> Result<Value, ApiError> {
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let found = world.backups.iter().rev().filter(|backup| {
        let vault = &world.vaults[world.checkpoints[backup.checkpoint].vault];
        wanted("resource_id", backup.server.as_str())
            && wanted("vault_id", &vault.id)
            && wanted("status", outcome(backup, now))
            && wanted("operation_type", "backup")
    });
    let done: Vec<Value> = found.map(|it| operation(world, now, it)).collect();
    let skipped = world.checkpoints.iter().rev().flat_map(|checkpoint| {
        checkpoint.skipped.iter().map(move |(id, reason)| (checkpoint, id, *reason))
    });
    let skipped = skipped
        .filter(|(_, id, _)| wanted("resource_id", id.as_str()) && wanted("status", "skipped"))
        .map(|skipped| skipped_operation(world, skipped));
    page(request, "operation_logs", done.into_iter().chain(skipped).collect())
}

fn outcome(backup: &Backup, now: Millis) -> &'static str {
    match backup.status(now) {
        "protecting" => "running",
        "available" => "success",
        _ => "failed",
    }
}

fn operation(world: &World, now: Millis, backup: &Backup) -> Value {
    let checkpoint = &world.checkpoints[backup.checkpoint];
    let vault = &world.vaults[checkpoint.vault];
    let begun = stamp(checkpoint.created, MICROS);
    let ended = (now >= backup.span.1).then(|| stamp(world.wall(backup.span.1), MICROS));
    let failed = outcome(backup, now) == "failed";
    let error = json!({"code": "BackupService.1200", "message": "The backup failed."});
    json!({
        "id": backup.id,
        "checkpoint_id": checkpoint.id,
        "created_at": begun,
        "started_at": begun,
        "updated_at": ended.as_ref().unwrap_or(&begun),
        "ended_at": ended,
        "error_info": if failed { error } else { json!({"code": "", "message": ""}) },
        "extra_info": {
            "common": {"progress": backup.progress(now), "request_id": backup.id,
                "task_id": backup.id},
            "resource": {"id": backup.server.as_str(), "name": backup.server_name, "type": KIND},
            "backup": {"backup_id": backup.id, "backup_name": checkpoint.name,
                "incremental": "true"},
        },
        "operation_type": "backup",
        "project_id": world.account().project_id,
        "provider_id": PROVIDER,
        "status": outcome(backup, now),
        "vault_id": vault.id,
        "vault_name": vault.name,
    })
}

fn skipped_operation(
    world: &World,
    (checkpoint, id, reason): (&Checkpoint, &ServerId, &str),
) -> Value {
    let vault = &world.vaults[checkpoint.vault];
    let at = stamp(checkpoint.created, MICROS);
    json!({
        "id": format!("{}-{id}", checkpoint.id),
        "checkpoint_id": checkpoint.id,
        "created_at": at,
        "started_at": at,
        "updated_at": at,
        "ended_at": at,
        "error_info": {"code": "BackupService.0001", "message": reason},
        "extra_info": {"resource": {"id": id.as_str(), "type": KIND}},
        "operation_type": "backup",
        "project_id": world.account().project_id,
        "provider_id": PROVIDER,
        "status": "skipped",
        "vault_id": vault.id,
        "vault_name": vault.name,
    })
}
