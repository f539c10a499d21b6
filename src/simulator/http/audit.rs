//! The audit log (`storage-image-kms.md`, section 6).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::world::World;
use super::front::Now;
use super::message::{Incoming, Outgoing};
use crate::domain::{Millis, ServerId, Timestamp, Trace};

/// Serves a query of the audit log. Without `from` and `to` it is about the last hour.
pub(super) fn answer(world: &World, now: Now, request: &Incoming) -> Result<Outgoing, ApiError> {
    let bad = |_| ApiError::new(400, "CTS.0013", "The query is invalid.").shaped(Shape::Gateway);
    let moment = |key: &str, otherwise: i64| -> Result<Timestamp, ApiError> {
        let text = request.query(key);
        text.map_or(Ok(otherwise), |text| text.parse().map_err(bad)).map(Timestamp)
    };
    world.check_log()?;
    let hour_ago = now.wall.0.saturating_sub(3_600_000);
    let (from, to) = (moment("from", hour_ago)?, moment("to", i64::MAX)?);
    let limit = request.number("limit", 10)?.min(200) as usize;
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let servers: Vec<ServerId> = match request.query("resource_id") {
        Some(id) => vec![ServerId::new(id)],
        None => world.traces.keys().cloned().collect(),
    };
    let mut found: Vec<&Trace> = servers
        .iter()
        .flat_map(|server| world.list_traces(now.at, server, from))
        .filter(|trace| trace.time <= to && wanted("trace_name", &trace.name))
        .filter(|_| wanted("service_type", "ECS") && wanted("resource_type", "ecs"))
        .collect();
    found.sort_by_key(|trace| std::cmp::Reverse(trace.time));
    found.truncate(limit);
    let traces: Vec<Value> = found.iter().map(|trace| written(world, trace)).collect();
    Ok(Outgoing::ok(&json!({"traces": traces,
        "meta_data": {"count": traces.len(), "marker": ""}})))
}

fn written(world: &World, trace: &Trace) -> Value {
    let account = world.account();
    let name = world.server(&trace.server).map_or("", |server| server.name.as_str());
    let response = trace.job.as_ref().map(|job| json!({"job_id": job.as_str()}).to_string());
    let version = if trace.name == "reinstallOs" { "1.0" } else { "2.0" };
    let time = Timestamp(trace.time.0);
    json!({
        "trace_id": format!("{:x}-{}", time.0, trace.server),
        "trace_name": trace.name,
        "trace_rating": if trace.code < 300 { "normal" } else { "warning" },
        "trace_type": "ApiCall",
        "service_type": "ECS",
        "resource_type": "ecs",
        "resource_id": trace.server.as_str(),
        "resource_name": name,
        "code": trace.code.to_string(),
        "request": "",
        "response": response.unwrap_or_default(),
        "time": time.0,
        "record_time": (time + Millis(1)).0,
        "user": {"id": account.user_id, "name": account.username,
            "domain": {"id": account.domain_id, "name": account.domain_name}},
        "api_version": version,
        "source_ip": "127.0.0.1",
        "project_id": account.project_id,
    })
}
