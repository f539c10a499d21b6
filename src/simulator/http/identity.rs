//! Identity: tokens, temporary keys, projects, agencies, and the versions of native services
//! (`auth.md`, sections 2, 4 and 5; `storage-image-kms.md`, section 8).

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::direct::AGENCY;
use super::super::error::{ApiError, Shape};
use super::auth::{Scope, Session, Token};
use super::catalog;
use super::front::{Front, Now};
use super::message::{Incoming, MICROS_UTC, Outgoing, stamp};
use super::route::Realm;
use crate::domain::{AgencyState, Millis};

/// Identity, and the versions of native services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IdentityCall {
    /// The root: versions of images, and of nothing else.
    Root,
    /// The version of Identity.
    IdentityVersion,
    /// The version of native Nova.
    ComputeVersion,
    /// A token for a password or another token.
    IssueToken,
    /// Is a token valid?
    CheckToken,
    /// Ends a token.
    RevokeToken,
    /// A temporary access key.
    Temporary,
    /// Services with where they are.
    Catalog,
    /// Services.
    Services,
    /// Where services are.
    Endpoints,
    /// Regions.
    Regions,
    /// Projects.
    Projects,
    /// One project.
    Project(String),
    /// The domain.
    Domains,
    /// Who owns an access key.
    Credential(String),
    /// Agencies.
    Agencies,
    /// What an agency may do.
    AgencyRoles(String),
    /// Whether an agency may do that.
    AgencyRole(String, String),
}

impl IdentityCall {
    /// The call of a request.
    pub(super) fn route(method: &str, path: &[&str]) -> Option<Self> {
        Some(match (method, path) {
            ("GET", []) => Self::Root,
            ("GET", ["v3"]) => Self::IdentityVersion,
            ("GET", ["v2.1"]) => Self::ComputeVersion,
            ("POST", ["v3", "auth", "tokens"]) => Self::IssueToken,
            ("GET" | "HEAD", ["v3", "auth", "tokens"]) => Self::CheckToken,
            ("DELETE", ["v3", "auth", "tokens"]) => Self::RevokeToken,
            ("POST", ["v3.0", "OS-CREDENTIAL", "securitytokens"]) => Self::Temporary,
            ("GET", ["v3", "auth", "catalog"]) => Self::Catalog,
            ("GET", ["v3", "services"]) => Self::Services,
            ("GET", ["v3", "endpoints"]) => Self::Endpoints,
            ("GET", ["v3", "regions"]) => Self::Regions,
            ("GET", ["v3", "projects"] | ["v3", "auth", "projects"]) => Self::Projects,
            ("GET", ["v3", "projects", id]) => Self::Project((*id).to_owned()),
            ("GET", ["v3", "auth", "domains"]) => Self::Domains,
            ("GET", ["v3.0", "OS-CREDENTIAL", "credentials", key]) => {
                Self::Credential((*key).to_owned())
            }
            (_, ["v3.0", "OS-AGENCY", rest @ ..]) => return Self::of_agencies(method, rest),
            _ => return None,
        })
    }

    fn of_agencies(method: &str, path: &[&str]) -> Option<Self> {
        Some(match (method, path) {
            ("GET", ["agencies"]) => Self::Agencies,
            ("GET", ["projects", _, "agencies", id, "roles"]) => {
                Self::AgencyRoles((*id).to_owned())
            }
            ("GET" | "HEAD", ["projects", _, "agencies", id, "roles", role]) => {
                Self::AgencyRole((*id).to_owned(), (*role).to_owned())
            }
            _ => return None,
        })
    }

    /// The name that it is counted under.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Root | Self::IdentityVersion | Self::ComputeVersion => "versions",
            Self::IssueToken => "issue_token",
            Self::CheckToken => "check_token",
            Self::RevokeToken => "revoke_token",
            Self::Temporary => "issue_temporary_key",
            Self::Catalog | Self::Services | Self::Endpoints | Self::Regions => "catalog",
            Self::Projects | Self::Project(_) => "list_projects",
            Self::Domains => "list_domains",
            Self::Credential(_) => "show_credential",
            Self::Agencies | Self::AgencyRoles(_) | Self::AgencyRole(..) => "show_agency",
        }
    }

    /// Who may call it.
    pub(super) fn realm(&self) -> Realm {
        match self {
            Self::Root | Self::IdentityVersion | Self::ComputeVersion | Self::IssueToken => {
                Realm::Public
            }
            Self::CheckToken
            | Self::RevokeToken
            | Self::Temporary
            | Self::Catalog
            | Self::Services
            | Self::Endpoints
            | Self::Regions
            | Self::Projects
            | Self::Project(_)
            | Self::Domains
            | Self::Credential(_)
            | Self::Agencies
            | Self::AgencyRoles(_)
            | Self::AgencyRole(..) => Realm::Identity,
        }
    }
}

/// Serves a call of Identity.
pub(super) fn answer(
    front: &mut Front,
    now: Now,
    (request, call): (&Incoming, &IdentityCall),
) -> Result<Outgoing, ApiError> {
    let account = front.account();
    Ok(match call {
        IdentityCall::Root => image_versions(front),
        IdentityCall::IdentityVersion => Outgoing::ok(&identity_version(front)),
        IdentityCall::ComputeVersion => Outgoing::ok(&compute_version(front)),
        IdentityCall::IssueToken => return issue(front, now, request),
        IdentityCall::CheckToken => return check(front, now, request),
        IdentityCall::RevokeToken => return revoke(front, request),
        IdentityCall::Temporary => return temporary(front, now, request),
        IdentityCall::Catalog => {
            Outgoing::ok(&json!({"catalog": catalog::catalog(front), "links": {}}))
        }
        IdentityCall::Services => Outgoing::ok(&catalog::services(front, request)),
        IdentityCall::Endpoints => Outgoing::ok(&catalog::endpoints(front, request)),
        IdentityCall::Regions => Outgoing::ok(&catalog::regions(front)),
        IdentityCall::Projects => Outgoing::ok(&projects(account, request)?),
        IdentityCall::Project(id) if *id == account.project_id => {
            Outgoing::ok(&json!({"project": project(account)}))
        }
        IdentityCall::Project(_) => return Err(keystone(404, "Could not find project.")),
        IdentityCall::Domains => Outgoing::ok(&json!({"domains": [{"id": account.domain_id,
            "name": account.domain_name, "enabled": true, "description": "", "links": {}}],
            "links": {}})),
        IdentityCall::Credential(key) if *key == account.access_key => {
            Outgoing::ok(&json!({"credential": {"access": key, "user_id": account.user_id,
                "status": "active", "description": "", "last_use_time": "",
                "create_time": "2025-01-01T00:00:00.000000Z"}}))
        }
        IdentityCall::Credential(_) => return Err(keystone(404, "Could not find credential.")),
        IdentityCall::Agencies => return agencies(front, request),
        IdentityCall::AgencyRoles(id) => return agency_roles(front, id, None),
        IdentityCall::AgencyRole(id, role) => return agency_roles(front, id, Some(role)),
    })
}

/// openstacksdk looks for versions of images at the URL of the catalog, which is the root.
fn image_versions(front: &Front) -> Outgoing {
    let link = json!({"rel": "self", "href": format!("{}/v2/", front.root)});
    let versions = json!({"versions": [{"id": "v2.7", "status": "CURRENT", "links": [link]}]});
    Outgoing::raw(300, versions.to_string())
}

fn identity_version(front: &Front) -> Value {
    json!({"version": {"id": "v3.14", "status": "stable",
        "updated": "2020-04-07T00:00:00Z", "links": [link(front, "v3")],
        "media-types": [{"base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json"}]}})
}

/// No microversions: what names one is asked for its shape of answers.
fn compute_version(front: &Front) -> Value {
    json!({"version": {"id": "v2.1", "status": "CURRENT",
        "version": "", "min_version": "", "updated": "2013-07-23T11:33:21Z",
        "links": [link(front, "v2.1")]}})
}

fn link(front: &Front, path: &str) -> Value {
    json!({"rel": "self", "href": format!("{}/{path}/", front.root)})
}

fn keystone(status: u16, message: &'static str) -> ApiError {
    ApiError::new(status, "", message).shaped(Shape::Keystone)
}

fn issue(front: &mut Front, now: Now, request: &Incoming) -> Result<Outgoing, ApiError> {
    let body = request.json().map_err(|_| keystone(400, "The request body is not JSON."))?;
    let identity = &body["auth"]["identity"];
    let methods = identity["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&str> = methods.iter().filter_map(Value::as_str).collect();
    match &named[..] {
        ["password"] => check_password(front.account(), identity)?,
        ["token"] => {
            let text = identity["token"]["id"].as_str().unwrap_or_default();
            let refused = |_| keystone(401, "The token is not valid.");
            let _good = front.gate.token(text, now.wall).map_err(refused)?;
        }
        ["password", "totp"] | ["totp", "password"] => {
            check_password(front.account(), identity)?;
            return Err(keystone(401, "The passcode is wrong: no MFA device is bound."));
        }
        ["assume_role"] => return Err(keystone(404, "Could not find agency.")),
        _ => return Err(keystone(400, "auth.identity.methods is missing or not supported.")),
    }
    let scope = scope(&body["auth"]["scope"], front.account())?;
    let (text, token) = front.gate.issue(now.wall, scope);
    let with_catalog = request.query("nocatalog").is_none_or(|value| value.is_empty());
    let body = json!({"token": token_body(front, &token, with_catalog)});
    let mut answer = Outgoing::raw(201, body.to_string());
    answer.headers.push(("X-Subject-Token", text));
    Ok(answer)
}

fn check_password(account: &Account, identity: &Value) -> Result<(), ApiError> {
    let user = &identity["password"]["user"];
    let domain = &user["domain"];
    let known = user["password"] == account.password.as_str()
        && (user["name"] == account.username.as_str() || user["id"] == account.user_id.as_str())
        && (user["id"].is_string()
            || domain["name"] == account.domain_name.as_str()
            || domain["id"] == account.domain_id.as_str());
    if known { Ok(()) } else { Err(keystone(401, "The username or password is wrong.")) }
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
    let with_catalog = request.query("nocatalog").is_none_or(|value| value.is_empty());
    let mut answer = Outgoing::ok(&json!({"token": token_body(front, token, with_catalog)}));
    answer.headers.push(("X-Subject-Token", text.to_owned()));
    Ok(answer)
}

fn revoke(front: &mut Front, request: &Incoming) -> Result<Outgoing, ApiError> {
    let text = request.header("x-subject-token").unwrap_or_default();
    if front.gate.revoke(text) {
        return Ok(Outgoing::raw(204, String::new()));
    }
    Err(keystone(404, "Could not find token."))
}

/// A temporary access key for a token: in the header, which wins, or in the body.
fn temporary(front: &mut Front, now: Now, request: &Incoming) -> Result<Outgoing, ApiError> {
    let body = request.json().map_err(|_| keystone(400, "The request body is not JSON."))?;
    let identity = &body["auth"]["identity"];
    let wanted = match identity["methods"][0].as_str() {
        Some("token") => &identity["token"],
        Some("assume_role") => return Err(keystone(404, "Could not find agency.")),
        Some(_) | None => return Err(keystone(400, "auth.identity.methods is not supported.")),
    };
    let text = request.header("x-auth-token").or(wanted["id"].as_str()).unwrap_or_default();
    let token = front.gate.token(text, now.wall);
    let scope = token.map_err(|_| keystone(401, "The token is not valid."))?.scope;
    let given = wanted.get("duration_seconds");
    let life = given.map_or(900, |given| given.as_u64().unwrap_or_default());
    if !(900..=86_400).contains(&life) {
        return Err(keystone(400, "duration_seconds must be between 900 and 86400."));
    }
    let Session { access, secret, token, expires, .. } =
        front.gate.lend(now.wall, Millis::secs(life), scope);
    let body = json!({"credential": {"access": access, "secret": secret, "securitytoken": token,
        "expires_at": stamp(expires, MICROS_UTC)}});
    Ok(Outgoing::raw(201, body.to_string()))
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
    body["catalog"] = if with_catalog { catalog::catalog(front) } else { json!([]) };
    body
}

fn project(account: &Account) -> Value {
    json!({"id": account.project_id, "name": account.project_name,
        "domain_id": account.domain_id, "parent_id": account.domain_id, "enabled": true,
        "is_domain": false, "description": "", "links": {}})
}

/// `page` and `per_page` come together or not at all.
fn projects(account: &Account, request: &Incoming) -> Result<Value, ApiError> {
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let number = |key: &str| match request.query(key).map(|text| text.parse::<usize>()) {
        None => Ok(None),
        Some(Ok(n @ 1..=5_000)) => Ok(Some(n)),
        Some(_) => Err(keystone(400, "page and per_page must be numbers from 1.")),
    };
    let skipped = match (number("page")?, number("per_page")?) {
        (None, None) => 0,
        (Some(page), Some(per_page)) => (page - 1) * per_page,
        _ => return Err(keystone(400, "page and per_page must be given together.")),
    };
    let found = wanted("name", &account.project_name)
        && wanted("domain_id", &account.domain_id)
        && wanted("parent_id", &account.domain_id)
        && wanted("enabled", "true")
        && wanted("is_domain", "false");
    let found: Vec<Value> = found.then(|| project(account)).into_iter().skip(skipped).collect();
    Ok(json!({"projects": found, "links": {"next": null, "previous": null, "self": ""}}))
}

/// Id of the one role of the agency that lets EVS use KMS.
const AGENCY_ROLE: &str = "0a6e0000000000000000000000000002";

fn agencies(front: &Front, request: &Incoming) -> Result<Outgoing, ApiError> {
    let account = front.account();
    let agency = json!({"id": AGENCY, "name": "EVSAccessKMS",
        "domain_id": account.domain_id, "trust_domain_id": "op_svc_evs_id",
        "trust_domain_name": "op_svc_evs", "duration": "FOREVER", "expire_time": null,
        "create_time": "2025-01-01T00:00:00.000000", "description": ""});
    let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let asked = wanted("name", "EVSAccessKMS") && wanted("domain_id", &account.domain_id);
    let there = granted(front)? && asked;
    let found: Vec<Value> = there.then_some(agency).into_iter().collect();
    Ok(Outgoing::ok(&json!({"agencies": found})))
}

/// Whether there is an agency for EVS; most users must not ask.
fn granted(front: &Front) -> Result<bool, ApiError> {
    match front.world.agency {
        AgencyState::Granted | AgencyState::Powerless => Ok(true),
        AgencyState::Missing => Ok(false),
        AgencyState::Unknown => Err(keystone(403, "You are not authorized.")),
    }
}

/// All roles of an agency, or whether it has that one.
fn agency_roles(front: &Front, id: &str, role: Option<&String>) -> Result<Outgoing, ApiError> {
    if !granted(front)? || id != AGENCY {
        return Err(keystone(404, "Could not find agency."));
    }
    let names = front.world.agency_roles();
    match role {
        Some(role) if role == AGENCY_ROLE && !names.is_empty() => {
            Ok(Outgoing::raw(204, String::new()))
        }
        Some(_) => Err(keystone(404, "Could not find role.")),
        None => {
            let roles: Vec<Value> = names.iter().map(|name| agency_role(name)).collect();
            Ok(Outgoing::ok(&json!({"roles": roles})))
        }
    }
}

fn agency_role(name: &str) -> Value {
    json!({"id": AGENCY_ROLE, "name": "kms_adm", "display_name": name, "type": "XA",
        "catalog": "KMS", "description": name, "domain_id": null, "flag": null, "links": {},
        "policy": {"Version": "1.0", "Depends": [],
            "Statement": [{"Effect": "Allow", "Action": ["KMS:*:*"]}]}})
}
