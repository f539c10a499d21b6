//! Tags: of one server, of all, and servers by their tags (`ecs.md`, sections 2.3 and 10).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::world::World;
use super::message::Outgoing;
use crate::domain::{Millis, Server};

/// Tags of a server.
pub(super) fn listed(server: &Server) -> Vec<Value> {
    server.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Every key with all its values.
pub(super) fn of_project(world: &World, now: Millis) -> Outgoing {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in world.listed(now).flat_map(|server| server.tags.iter()) {
        all.entry(key).or_default().insert(value);
    }
    let tags = all.iter().map(|(key, values)| json!({"key": key, "values": values}));
    Outgoing::ok(&json!({"tags": tags.collect::<Vec<_>>()}))
}

/// By tag: here `offset` is an index.
pub(super) fn servers(world: &World, now: Millis, body: &Value) -> Outgoing {
    let number = |key: &str, otherwise: usize| {
        let text = body[key].as_str().and_then(|text| text.parse().ok());
        text.or_else(|| body[key].as_u64().and_then(|n| usize::try_from(n).ok()))
            .unwrap_or(otherwise)
    };
    let one = |server: &Server, tag: &Value| {
        let key = tag["key"].as_str().unwrap_or_default();
        let values = tag["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        server.tags.values(key).any(|have| values.is_empty() || values.iter().any(|v| v == have))
    };
    let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    let (tags, not_tags) = (list("tags"), list("not_tags"));
    let named = |server: &Server| {
        list("matches").iter().all(|wanted| {
            let value = wanted["value"].as_str().unwrap_or_default();
            wanted["key"] == "resource_name" && server.name.contains(value)
        })
    };
    let found: Vec<&Server> = world
        .listed(now)
        .filter(|server| tags.iter().all(|tag| one(server, tag)))
        .filter(|server| named(server))
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
                "resource_detail": null, "tags": listed(server)})
        })
        .collect();
    Outgoing::ok(&json!({"resources": resources, "total_count": total}))
}
