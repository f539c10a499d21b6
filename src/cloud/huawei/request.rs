//! From an action to the bytes that ask for it.
//!
//! Start with [`request`]. A [`Draft`] is a request before it is signed; the places, names and
//! types of its fields are those of `ecs.md` and `storage-image-kms.md`. A reinstall never carries
//! `mode`: with it, a second send after a lost answer could wipe the new system.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::super::fault;
use super::super::keystone::{Draft, Payload, Scope, invalid, segment};
use super::endpoints::{Endpoints, Family};
use crate::domain::{
    Action, Encryption, Fault, FaultClass, InstallCall, Login, MAX_USER_DATA, Millis, Page,
    ReinstallRequest, ServerId, StopMode, Timestamp,
};

/// Clocks may differ by so much before the cloud refuses a signature (`auth.md`, section 3.1).
const CLOCK_SKEW: Millis = Millis::mins(15);

/// Where requests of a project go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The family of the cloud.
    pub family: Family,
    /// Its services.
    pub endpoints: Endpoints,
    /// The project.
    pub project_id: String,
    /// The account that the project belongs to, where it is known.
    pub domain_id: Option<String>,
}

/// The request that asks for `action`. A fault here means that nothing is sent.
pub fn request(
    action: &Action,
    site: &Site,
    payload: &Payload,
    now: Timestamp,
) -> Result<Draft, Fault> {
    let (at, p) = (&site.endpoints, &site.project_id);
    let ecs = |rest: &str| format!("/v1/{p}/{rest}");
    Ok(match action {
        Action::Stop { servers, mode } => {
            let kind = match mode {
                StopMode::Soft => "SOFT",
                StopMode::Hard => "HARD",
            };
            let body = json!({"os-stop": {"servers": ids(servers), "type": kind}});
            Draft::post(&at.ecs, ecs("cloudservers/action"), &body)
        }
        Action::Start { servers } => {
            let body = json!({"os-start": {"servers": ids(servers)}});
            Draft::post(&at.ecs, ecs("cloudservers/action"), &body)
        }
        Action::Reinstall { server, request } => {
            let version = match request.call {
                InstallCall::V2 => "v2",
                InstallCall::V1 => "v1",
            };
            let call = if request.image.is_some() { "changeos" } else { "reinstallos" };
            let path = format!("/{version}/{p}/cloudservers/{}/{call}", segment(server.as_str()));
            Draft::post(&at.ecs, path, &reinstall(request, payload)?)
        }
        Action::Backup { .. } | Action::ListVaults { .. } | Action::ListBackups { .. } => {
            backups(action, site)?
        }
        Action::ListServers { page, limit } => list(site, page, *limit)?,
        Action::ShowServer { server } => {
            Draft::get(&at.ecs, ecs(&format!("cloudservers/{}", segment(server.as_str()))), &[])
        }
        Action::ShowJob { job } => {
            Draft::get(&at.ecs, ecs(&format!("jobs/{}", segment(job.as_str()))), &[])
        }
        Action::ShowKeyPair { name } => {
            Draft::get(&at.ecs, format!("/v2.1/{p}/os-keypairs/{}", segment(name)), &[])
        }
        Action::ShowPassword { server } => {
            let servers = match site.family {
                Family::Otc => format!("/v2.1/{p}/servers"),
                Family::Huawei => ecs("cloudservers"),
            };
            let server = segment(server.as_str());
            Draft::get(&at.ecs, format!("{servers}/{server}/os-server-password"), &[])
        }
        Action::ListVolumes { .. }
        | Action::ListSnapshots { .. }
        | Action::ShowQuota
        | Action::ShowImage { .. }
        | Action::FindImages { .. }
        | Action::ShowKey { .. }
        | Action::ListKeys
        | Action::ShowAgency
        | Action::ListAgencyRoles { .. }
        | Action::ListTraces { .. } => beside_servers(action, site, now)?,
        Action::Probe { .. } | Action::Run { .. } => {
            return Err(invalid(
                "refleet.request",
                "neither a probe nor a step is a request to the cloud".to_owned(),
            ));
        }
    })
}

/// Requests to the services beside ECS.
fn beside_servers(action: &Action, site: &Site, now: Timestamp) -> Result<Draft, Fault> {
    let (at, p) = (&site.endpoints, &site.project_id);
    Ok(match action {
        Action::ListVolumes { offset, limit } => {
            let kind = match site.family {
                Family::Otc => "os-vendor-volumes",
                Family::Huawei => "cloudvolumes",
            };
            let (limit, offset) = (limit.to_string(), offset.to_string());
            let query = [("limit", limit.as_str()), ("offset", offset.as_str())];
            Draft::get(&at.evs, format!("/v2/{p}/{kind}/detail"), &query)
        }
        Action::ListSnapshots { offset, limit } => {
            let (limit, offset) = (limit.to_string(), offset.to_string());
            let query = [("limit", limit.as_str()), ("offset", offset.as_str())];
            Draft::get(&at.evs, format!("/v2/{p}/cloudsnapshots/detail"), &query)
        }
        Action::ShowQuota => {
            let version = match site.family {
                Family::Otc => "v3",
                Family::Huawei => "v2",
            };
            Draft::get(&at.evs, format!("/{version}/{p}/os-quota-sets/{p}"), &[("usage", "True")])
        }
        Action::ShowImage { image } => {
            Draft::get(&at.ims, "/v2/cloudimages".to_owned(), &[("id", image.as_str())])
        }
        Action::FindImages { name } => {
            Draft::get(&at.ims, "/v2/cloudimages".to_owned(), &[("name", name)])
        }
        Action::ShowKey { key } => {
            Draft::post(&at.kms, format!("/v1.0/{p}/kms/describe-key"), &json!({"key_id": key}))
        }
        Action::ListKeys => {
            Draft::post(&at.kms, format!("/v1.0/{p}/kms/list-keys"), &json!({"limit": "1000"}))
        }
        Action::ShowAgency => agency(site)?,
        Action::ListAgencyRoles { agency } => {
            let path = format!("/v3.0/OS-AGENCY/projects/{p}/agencies/{}/roles", segment(agency));
            Draft::get(&at.iam, path, &[]).scoped(Scope::Account)
        }
        Action::ListTraces { server, since } => {
            // The log's clock may be ahead of ours: a call of just now must not fall behind the end.
            let (from, to) = (since.0.to_string(), (now + CLOCK_SKEW).0.to_string());
            let query = [
                ("trace_type", "system"),
                ("service_type", "ECS"),
                ("resource_type", "ecs"),
                ("resource_id", server.as_str()),
                ("from", &from),
                ("to", &to),
                ("limit", "200"),
            ];
            Draft::get(&at.cts, format!("/v3/{p}/traces"), &query)
        }
        Action::Stop { .. }
        | Action::Start { .. }
        | Action::Backup { .. }
        | Action::ListVaults { .. }
        | Action::ListBackups { .. }
        | Action::Reinstall { .. }
        | Action::ListServers { .. }
        | Action::ShowServer { .. }
        | Action::ShowJob { .. }
        | Action::ShowKeyPair { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. } => {
            return Err(invalid("refleet.request", "not a request to this service".to_owned()));
        }
    })
}

/// A page of the servers that can be reinstalled: those on bare metal cannot.
fn list(site: &Site, page: &Page, limit: u32) -> Result<Draft, Fault> {
    let page = match page {
        Page::Number(page) => page.to_string(),
        Page::After(_) => {
            return Err(invalid("refleet.request", "pages have numbers here".to_owned()));
        }
    };
    let limit = limit.to_string();
    let query =
        [("limit", limit.as_str()), ("offset", page.as_str()), ("not-tags", "__type_baremetal")];
    let path = format!("/v1/{}/cloudservers/detail", site.project_id);
    Ok(Draft::get(&site.endpoints.ecs, path, &query))
}

/// Requests to the service for backups (`storage-image-kms.md`, section 4).
fn backups(action: &Action, site: &Site) -> Result<Draft, Fault> {
    let (at, p) = (&site.endpoints, &site.project_id);
    if let Action::Backup { server, vault, name } = action {
        let parameters = json!({"name": name, "description": "before a reinstall, by refleet",
            "auto_trigger": false, "incremental": true, "resources": [server.as_str()]});
        let body = json!({"checkpoint": {"vault_id": vault, "parameters": parameters}});
        Ok(Draft::post(&at.cbr, format!("/v3/{p}/checkpoints"), &body))
    } else if let Action::ListVaults { offset, limit } = action {
        let (limit, offset) = (limit.to_string(), offset.to_string());
        let query =
            [("object_type", "server"), ("limit", limit.as_str()), ("offset", offset.as_str())];
        Ok(Draft::get(&at.cbr, format!("/v3/{p}/vaults"), &query))
    } else if let Action::ListBackups { server, offset, limit } = action {
        let (limit, offset) = (limit.to_string(), offset.to_string());
        let kind = ("resource_type", "OS::Nova::Server");
        let mut query = vec![kind, ("limit", limit.as_str()), ("offset", offset.as_str())];
        query.extend(server.as_ref().map(|server| ("resource_id", server.as_str())));
        Ok(Draft::get(&at.cbr, format!("/v3/{p}/backups"), &query))
    } else {
        Err(invalid("refleet.request", "not a request to this service".to_owned()))
    }
}

/// The agency is looked for in the account, by its name.
fn agency(site: &Site) -> Result<Draft, Fault> {
    let domain = site.domain_id.as_deref().ok_or_else(|| {
        fault::ours(
            FaultClass::Forbidden,
            "refleet.domain",
            "the id of the account is not known".to_owned(),
        )
    })?;
    let query = [("domain_id", domain), ("name", "EVSAccessKMS")];
    let path = "/v3.0/OS-AGENCY/agencies".to_owned();
    Ok(Draft::get(&site.endpoints.iam, path, &query).scoped(Scope::Account))
}

/// The body of a reinstall or a change of OS (`ecs.md`, sections 6.1 and 6.3). What is wrong with it is said before it is sent.
fn reinstall(request: &ReinstallRequest, payload: &Payload) -> Result<Value, Fault> {
    let mut body = Map::new();
    if let Some(image) = &request.image {
        body.insert("imageid".to_owned(), json!(image.as_str()));
    }
    match &request.login {
        Login::KeyPair { name, owner } => {
            body.insert("keyname".to_owned(), json!(name));
            body.insert("userid".to_owned(), json!(owner.as_str()));
        }
        Login::Password(_) => {
            let password = payload
                .password
                .as_ref()
                .ok_or_else(|| invalid("refleet.secret", "the password was not read".to_owned()))?;
            body.insert("adminpass".to_owned(), json!(password.expose_secret()));
        }
        Login::UserData if payload.user_data.is_none() => {
            return Err(invalid("refleet.request", "nobody could log in afterwards".to_owned()));
        }
        Login::UserData => {}
        Login::Kept => {
            let message = "a reinstall here has to name a way in".to_owned();
            return Err(invalid("refleet.request", message));
        }
    }
    let mut metadata = Map::new();
    if let Some(file) = &request.user_data {
        let user_data = payload
            .user_data
            .as_deref()
            .ok_or_else(|| invalid("refleet.file", format!("{} was not read", file.path)))?;
        if request.call == InstallCall::V1 {
            return Err(invalid(
                "refleet.request",
                "the image takes no user data: it has no cloud-init".to_owned(),
            ));
        }
        if user_data.len() > MAX_USER_DATA {
            let message = format!("{} is larger than 32 KiB", file.path);
            return Err(invalid("refleet.file", message));
        }
        metadata.insert("user_data".to_owned(), json!(STANDARD.encode(user_data)));
    }
    match &request.encryption {
        Encryption::None => {
            metadata.insert("__system__encrypted".to_owned(), json!("0"));
        }
        Encryption::Key(key) => {
            metadata.insert("__system__encrypted".to_owned(), json!("1"));
            metadata.insert("__system__cmkid".to_owned(), json!(key));
        }
    }
    if request.byol {
        metadata.insert("BYOL".to_owned(), json!("true"));
    }
    body.insert("metadata".to_owned(), Value::Object(metadata));
    let call = if request.image.is_some() { "os-change" } else { "os-reinstall" };
    Ok(json!({call: body}))
}

fn ids(servers: &[ServerId]) -> Vec<Value> {
    servers.iter().map(|server| json!({"id": server.as_str()})).collect()
}
