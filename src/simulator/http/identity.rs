//! Identity: tokens, projects, the catalog (`auth.md`, sections 2 and 5; `storage-image-kms.md`,
//! section 8).

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::direct::AGENCY;
use super::super::error::{ApiError, Shape};
use super::auth::{Scope, Token};
use super::front::{Front, Now};
use super::message::{Incoming, MICROS_UTC, Outgoing, stamp};
use super::route::IdentityCall;
use crate::domain::AgencyState;

/// Serves a call of Identity.
pub(super) fn answer(
    front: &mut Front,
    now: Now,
    (request, call): (&Incoming, &IdentityCall),
) -> Result<Outgoing, ApiError> {
    let account = front.account();
    Ok(match call {
        IdentityCall::Root => Outgoing::ok(&json!({"simulator": "refleet"})),
        IdentityCall::IdentityVersion => {
            Outgoing::ok(&json!({"version": {"id": "v3.14", "status": "stable",
            "updated": "2020-04-07T00:00:00Z", "links": [link(front, "v3")],
            "media-types": [{"base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json"}]}}))
        }
        IdentityCall::ComputeVersion => {
            Outgoing::ok(&json!({"version": {"id": "v2.1", "status": "CURRENT",
            "version": "", "min_version": "", "updated": "2013-07-23T11:33:21Z",
            "links": [link(front, "v2.1")]}}))
        }
        IdentityCall::IssueToken => return issue(front, now, request),
        IdentityCall::CheckToken => return check(front, now, request),
        IdentityCall::Catalog => Outgoing::ok(&json!({"catalog": catalog(front), "links": {}})),
        IdentityCall::Projects => Outgoing::ok(&projects(account, request)),
        IdentityCall::Domains => Outgoing::ok(&json!({"domains": [{"id": account.domain_id,
            "name": account.domain_name, "enabled": true, "description": "", "links": {}}],
            "links": {}})),
        IdentityCall::Credential(key) if *key == account.access_key => {
            Outgoing::ok(&json!({"credential": {"access": key, "user_id": account.user_id,
                "status": "active", "description": "", "last_use_time": "",
                "create_time": "2025-01-01T00:00:00.000000Z"}}))
        }
        IdentityCall::Credential(_) => return Err(keystone(404, "Could not find credential.")),
        IdentityCall::Agencies => return agencies(front),
        IdentityCall::AgencyRoles(agency) => return agency_roles(front, agency),
    })
}

fn link(front: &Front, path: &str) -> Value {
    json!({"rel": "self", "href": format!("{}/{path}/", front.root)})
}

fn keystone(status: u16, message: &'static str) -> ApiError {
    ApiError::new(status, "", message).shaped(Shape::Keystone)
}

fn issue(front: &mut Front, now: Now, request: &Incoming) -> Result<Outgoing, ApiError> {
    let body = request.json().map_err(|_| keystone(400, "The request body is not JSON."))?;
    let account = front.account().clone();
    let user = &body["auth"]["identity"]["password"]["user"];
    let domain = &user["domain"];
    let known = user["password"] == account.password.as_str()
        && (user["name"] == account.username.as_str() || user["id"] == account.user_id.as_str())
        && (user["id"].is_string()
            || domain["name"] == account.domain_name.as_str()
            || domain["id"] == account.domain_id.as_str());
    if !known {
        return Err(keystone(401, "The username or password is wrong."));
    }
    let scope = scope(&body["auth"]["scope"], &account)?;
    let (text, token) = front.gate.issue(now.wall, scope);
    let with_catalog = request.query("nocatalog").is_none_or(|value| value.is_empty());
    let body = json!({"token": token_body(front, &token, with_catalog)});
    let mut answer = Outgoing::raw(201, body.to_string());
    answer.headers.push(("X-Subject-Token", text));
    Ok(answer)
}

fn scope(wanted: &Value, account: &Account) -> Result<Scope, ApiError> {
    let project = &wanted["project"];
    if project.is_object() {
        let ours = project["id"] == account.project_id.as_str()
            || (project["id"].is_null() && project["name"] == account.project_name.as_str());
        return if ours { Ok(Scope::Project) } else { Err(keystone(401, "No such project.")) };
    }
    let domain = &wanted["domain"];
    let ours = domain.is_null()
        || domain["id"] == account.domain_id.as_str()
        || domain["name"] == account.domain_name.as_str();
    if ours { Ok(Scope::Domain) } else { Err(keystone(401, "No such domain.")) }
}

fn check(front: &Front, now: Now, request: &Incoming) -> Result<Outgoing, ApiError> {
    let text = request.header("x-subject-token").unwrap_or_default();
    let token = front.gate.token(text, now.wall);
    let token = token.map_err(|_| keystone(404, "Could not find token."))?;
    Ok(Outgoing::ok(&json!({"token": token_body(front, token, true)})))
}

fn token_body(front: &Front, token: &Token, with_catalog: bool) -> Value {
    let account = front.account();
    let domain = json!({"id": account.domain_id, "name": account.domain_name});
    let mut body = json!({
        "methods": ["password"],
        "issued_at": stamp(token.issued, MICROS_UTC),
        "expires_at": stamp(token.expires, MICROS_UTC),
        "user": {"id": account.user_id, "name": account.username, "domain": domain,
            "password_expires_at": ""},
        "roles": [{"id": "0", "name": "te_admin"}],
    });
    match token.scope {
        Scope::Project => {
            body["project"] = json!({"id": account.project_id, "name": account.project_name,
                "domain": domain});
        }
        Scope::Domain => body["domain"] = domain,
    }
    body["catalog"] = if with_catalog { catalog(front) } else { json!([]) };
    body
}

/// Every service is here. Where a real endpoint holds version and project, so does this.
fn catalog(front: &Front) -> Value {
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

fn projects(account: &Account, request: &Incoming) -> Value {
    let wanted = request.query("name").is_none_or(|name| name == account.project_name);
    let project = json!({"id": account.project_id, "name": account.project_name,
        "domain_id": account.domain_id, "parent_id": account.domain_id, "enabled": true,
        "is_domain": false, "description": "", "links": {}});
    let found = if wanted { vec![project] } else { Vec::new() };
    json!({"projects": found, "links": {"next": null, "previous": null, "self": ""}})
}

fn agencies(front: &Front) -> Result<Outgoing, ApiError> {
    let account = front.account();
    let agency = json!({"id": AGENCY, "name": "EVSAccessKMS",
        "domain_id": account.domain_id, "trust_domain_id": "op_svc_evs_id",
        "trust_domain_name": "op_svc_evs", "duration": "FOREVER", "expire_time": null,
        "create_time": "2025-01-01T00:00:00.000000", "description": ""});
    match front.world.agency {
        AgencyState::Granted | AgencyState::Powerless => {
            Ok(Outgoing::ok(&json!({"agencies": [agency]})))
        }
        AgencyState::Missing => Ok(Outgoing::ok(&json!({"agencies": []}))),
        AgencyState::Unknown => Err(keystone(403, "You are not authorized.")),
    }
}

fn agency_roles(front: &Front, agency: &str) -> Result<Outgoing, ApiError> {
    match front.world.agency {
        AgencyState::Granted | AgencyState::Powerless if agency == AGENCY => {
            let roles = front.world.agency_roles();
            let role = |name: &String| {
                json!({"id": "r-kms", "name": "kms_adm", "display_name": name,
                "type": "AX", "catalog": "KMS", "description": "", "links": {}, "policy": {}})
            };
            let roles: Vec<Value> = roles.iter().map(role).collect();
            Ok(Outgoing::ok(&json!({"roles": roles, "links": {}})))
        }
        AgencyState::Granted | AgencyState::Powerless | AgencyState::Missing => {
            Err(keystone(404, "Could not find agency."))
        }
        AgencyState::Unknown => Err(keystone(403, "You are not authorized.")),
    }
}
