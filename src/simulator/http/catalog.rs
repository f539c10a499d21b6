//! Which services there are and where (`auth.md`, section 6).

use serde_json::{Value, json};

use super::front::Front;
use super::message::Incoming;

/// Every service is here. Where a real endpoint holds version and project, so does this.
pub(super) fn catalog(front: &Front) -> Value {
    let (root, project) = (&front.root, &front.account().project_id);
    let region = front.account().region();
    let services = [
        ("identity", "iam", format!("{root}/v3")),
        ("ecs", "ecs", format!("{root}/v1/{project}")),
        ("ecsv2", "ecsv2", format!("{root}/v2/{project}")),
        ("compute", "nova", format!("{root}/v2.1/{project}")),
        ("volume", "evs", format!("{root}/v2/{project}")),
        ("volumev2", "evsv2", format!("{root}/v2/{project}")),
        ("volumev3", "evsv3", format!("{root}/v3/{project}")),
        ("block-storage", "evs", format!("{root}/v3/{project}")),
        ("evs", "evs", format!("{root}/v2/{project}")),
        ("image", "ims", root.clone()),
        ("kms", "kms", format!("{root}/v1.0")),
        ("kmsv1", "kms", format!("{root}/v1.0")),
        ("cbr", "cbr", format!("{root}/v3/{project}")),
        ("cts", "cts", format!("{root}/v3/{project}")),
    ];
    services
        .iter()
        .enumerate()
        .map(|(n, (kind, name, url))| {
            let endpoint = json!({"id": format!("{n:032x}"), "interface": "public",
                "region": region, "region_id": region, "url": url});
            json!({"id": format!("{:032x}", n + 100), "name": name, "type": kind,
                "endpoints": [endpoint]})
        })
        .collect()
}

/// Services, without where they are.
pub(super) fn services(front: &Front, request: &Incoming) -> Value {
    let wanted = request.query("type");
    let services = catalog(front);
    let found =
        services.as_array().into_iter().flatten().filter(|service| {
            wanted.as_ref().is_none_or(|wanted| service["type"] == wanted.as_str())
        });
    let found = found.map(|service| {
        json!({"id": service["id"], "name": service["name"], "type": service["type"],
            "description": "", "enabled": true, "links": {}})
    });
    json!({"services": found.collect::<Vec<_>>(), "links": {}})
}

/// Where services are.
pub(super) fn endpoints(front: &Front, request: &Incoming) -> Value {
    let wanted = |key: &str, have: &Value| {
        request.query(key).is_none_or(|wanted| have.as_str() == Some(wanted.as_str()))
    };
    let services = catalog(front);
    let all = services.as_array().into_iter().flatten().flat_map(|service| {
        let endpoints = service["endpoints"].as_array().cloned().unwrap_or_default();
        endpoints.into_iter().map(|mut endpoint| {
            endpoint["service_id"] = service["id"].clone();
            endpoint["enabled"] = json!(true);
            endpoint["links"] = json!({});
            endpoint
        })
    });
    let found = all.filter(|endpoint| {
        wanted("interface", &endpoint["interface"]) && wanted("service_id", &endpoint["service_id"])
    });
    json!({"endpoints": found.collect::<Vec<_>>(), "links": {}})
}

/// The region.
pub(super) fn regions(front: &Front) -> Value {
    json!({"regions": [{"id": front.account().region(), "type": "public", "description": "",
        "parent_region_id": null, "links": {}}], "links": {}})
}
