//! Flavors, as their names tell them, and what all servers use together (`ecs.md`, section 10).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::sizes::{Size, size};
use super::super::world::World;
use super::message::Incoming;
use crate::domain::Millis;

/// Flavors that servers have, in their order.
pub(super) fn used(world: &World, now: Millis) -> BTreeSet<&str> {
    world.listed(now).map(|server| server.flavor.as_str()).collect()
}

/// The v1 list of flavors.
pub(super) fn listed(world: &World, now: Millis, request: &Incoming) -> Value {
    let wanted = request.query("flavor_id");
    let flavors = used(world, now);
    let found = flavors.iter().filter(|it| wanted.as_ref().is_none_or(|id| id == **it));
    let found: Vec<Value> = found.map(|id| flavor(id)).collect();
    json!({"flavors": found})
}

fn flavor(id: &str) -> Value {
    let Size { vcpus, ram_mib } = size(id);
    json!({"id": id, "name": id, "vcpus": vcpus.to_string(), "ram": ram_mib, "disk": "0",
        "swap": "", "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false,
        "rxtx_factor": 1.0, "os-flavor-access:is_public": true, "links": [],
        "os_extra_specs": {"ecs:performancetype": "normal", "cond:operation:status": "normal"}})
}

/// A flavor of native Nova: numbers where v1 has text.
pub(super) fn native(id: &str) -> Value {
    let Size { vcpus, ram_mib } = size(id);
    json!({"id": id, "name": id, "vcpus": vcpus, "ram": ram_mib, "disk": 0, "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "rxtx_factor": 1.0,
        "os-flavor-access:is_public": true, "links": []})
}

/// What may be used, and what is.
pub(super) fn limits(world: &World, now: Millis) -> Value {
    let sizes: Vec<Size> = world.listed(now).map(|server| size(&server.flavor)).collect();
    json!({
        "maxTotalInstances": 100_000,
        "totalInstancesUsed": sizes.len(),
        "maxTotalCores": 1_000_000,
        "totalCoresUsed": sizes.iter().map(|it| it.vcpus).sum::<u64>(),
        "maxTotalRAMSize": 8_000_000_000_u64,
        "totalRAMUsed": sizes.iter().map(|it| it.ram_mib).sum::<u64>(),
        "maxTotalKeypairs": 100,
        "maxServerGroups": 10,
        "maxServerGroupMembers": 16,
        "totalServerGroupsUsed": 0,
        "maxServerMeta": 128,
        "maxImageMeta": 128,
        "maxSecurityGroups": -1,
        "maxSecurityGroupRules": -1,
        "totalSecurityGroupsUsed": 1,
        "maxTotalFloatingIps": -1,
        "totalFloatingIpsUsed": 0,
        "maxPersonality": 5,
        "maxPersonalitySize": 10_240,
    })
}
