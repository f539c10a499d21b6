//! From an action to the bytes that ask for it.
//!
//! Start with [`request`]. A rebuild says what is to change and nothing else: what it leaves out Nova
//! keeps, the name, the metadata, the key pair and the user data of the server among it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::super::fault;
use super::super::keystone::{Draft, Payload, invalid, segment};
use super::places::Places;
use super::version::Microversion;
use crate::domain::{
    Action, Answer, Encryption, Fault, FaultClass, JobId, Login, Page, ReinstallRequest, ServerId,
    StopMode,
};

/// Most user data that Nova takes, in base64.
const MAX_USER_DATA: usize = 65_535;

/// Images of one name on a page: more than anybody has.
const IMAGES: &str = "100";

/// Actions of one server on a page, the newest first: more than are begun while one of ours is
/// looked for, by far.
const ACTIONS: &str = "200";

/// How an action is done here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// By that request.
    Send(Draft),
    /// Not at all: the answer is known.
    Known(Answer),
}

/// How `action` is done. A fault here means that nothing is sent.
pub fn request(
    action: &Action,
    at: &Places,
    version: Microversion,
    payload: &Payload,
) -> Result<Step, Fault> {
    let nova = |mut draft: Draft| {
        draft.headers.push(version.header());
        Ok(Step::Send(draft))
    };
    match action {
        // Nova knows one way to stop: the guest is asked, and after a while the power is cut.
        Action::Stop { servers, mode: StopMode::Soft | StopMode::Hard } => {
            nova(act(at, only(servers)?, &json!({"os-stop": null})))
        }
        Action::Start { servers } => nova(act(at, only(servers)?, &json!({"os-start": null}))),
        Action::Reinstall { server, request } => {
            nova(act(at, server, &json!({"rebuild": rebuild(request, payload)?})))
        }
        Action::ListServers { page, limit } => nova(list(at, page, *limit)?),
        Action::ShowServer { server } => nova(Draft::get(&at.compute, path_of(server), &[])),
        Action::ShowJob { job } => {
            let (server, request) = parts(job)?;
            let path = format!("{}/os-instance-actions/{}", path_of(&server), segment(request));
            nova(Draft::get(&at.compute, path, &[]))
        }
        // No `changes-since`: it compares nova-api's clock with one of another service.
        Action::ListTraces { server, since: _ } => {
            let path = format!("{}/os-instance-actions", path_of(server));
            let query: &[(&str, &str)] =
                if version.pages_actions() { &[("limit", ACTIONS)] } else { &[] };
            nova(Draft::get(&at.compute, path, query))
        }
        Action::ShowKeyPair { name } => {
            nova(Draft::get(&at.compute, format!("/v2.1/os-keypairs/{}", segment(name)), &[]))
        }
        Action::ShowImage { .. }
        | Action::FindImages { .. }
        | Action::ListVolumes { .. }
        | Action::ListSnapshots { .. }
        | Action::ListVaults { .. }
        | Action::ListBackups { .. }
        | Action::ShowQuota
        | Action::Backup { .. }
        | Action::ShowKey { .. }
        | Action::ListKeys
        | Action::ShowAgency
        | Action::ListAgencyRoles { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. } => beside_nova(action, at),
    }
}

/// What is asked of other services, or of none.
fn beside_nova(action: &Action, at: &Places) -> Result<Step, Fault> {
    match action {
        Action::ShowImage { image } => {
            let path = format!("/v2/images/{}", segment(image.as_str()));
            Ok(Step::Send(Draft::get(&at.image, path, &[])))
        }
        Action::FindImages { name } => {
            let query = [("name", name.as_str()), ("limit", IMAGES)];
            Ok(Step::Send(Draft::get(&at.image, "/v2/images".to_owned(), &query)))
        }
        Action::ListVolumes { offset, limit } => Ok(match &at.volumes {
            Some(volumes) => {
                let path = format!("/v3/{}/volumes/detail", segment(&at.project_id));
                let (limit, offset) = (limit.to_string(), offset.to_string());
                let query = [("limit", limit.as_str()), ("offset", offset.as_str())];
                Step::Send(Draft::get(volumes, path, &query))
            }
            None => Step::Known(Answer::Volumes(Vec::new())),
        }),
        // A rebuild deletes no volume, so no snapshot of one keeps it from being done.
        Action::ListSnapshots { .. } => Ok(Step::Known(Answer::Snapshots(Vec::new()))),
        Action::ListVaults { .. } | Action::ListBackups { .. } => {
            Err(nothing("no vaults for backups"))
        }
        Action::ShowQuota => Err(nothing("no quota of disks that a rebuild would count in")),
        Action::Backup { .. } => Err(lacks("no vaults for backups")),
        Action::ShowKey { .. } | Action::ListKeys => Err(nothing("no KMS")),
        Action::ShowAgency | Action::ListAgencyRoles { .. } => Err(nothing("no agencies")),
        Action::ShowPassword { .. } => Err(lacks("no password that is fetched")),
        Action::Stop { .. }
        | Action::Start { .. }
        | Action::Reinstall { .. }
        | Action::ListServers { .. }
        | Action::ShowServer { .. }
        | Action::ShowJob { .. }
        | Action::ListTraces { .. }
        | Action::ShowKeyPair { .. }
        | Action::Probe { .. }
        | Action::Run { .. } => Err(lacks("no such request")),
    }
}

fn path_of(server: &ServerId) -> String {
    format!("/v2.1/servers/{}", segment(server.as_str()))
}

fn act(at: &Places, server: &ServerId, body: &Value) -> Draft {
    Draft::post(&at.compute, format!("{}/action", path_of(server)), body)
}

fn list(at: &Places, page: &Page, limit: u32) -> Result<Draft, Fault> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    match page {
        Page::Number(1) => {}
        Page::After(server) => query.push(("marker", server.as_str())),
        Page::Number(_) => return Err(lacks("no pages with numbers")),
    }
    Ok(Draft::get(&at.compute, "/v2.1/servers/detail".to_owned(), &query))
}

fn only(servers: &[ServerId]) -> Result<&ServerId, Fault> {
    match servers {
        [server] => Ok(server),
        _ => Err(lacks("no request for several servers at once")),
    }
}

/// A job is what Nova did to one server for one request: both names together find it.
pub(super) fn parts(job: &JobId) -> Result<(ServerId, &str), Fault> {
    match job.as_str().split_once('/') {
        Some((server, request)) if !server.is_empty() && !request.is_empty() => {
            Ok((ServerId::from(server), request))
        }
        _ => Err(lacks("no job of that name")),
    }
}

/// The body of a rebuild. What is wrong with it is said before it is sent.
fn rebuild(request: &ReinstallRequest, payload: &Payload) -> Result<Value, Fault> {
    let mut body = Map::new();
    let Some(image) = &request.image else {
        return Err(lacks("no reinstall that leaves the image open"));
    };
    body.insert("imageRef".to_owned(), json!(image.as_str()));
    match &request.login {
        // The pair is looked up among those of whoever asks: there is no owner to name.
        Login::KeyPair { name, .. } => {
            body.insert("key_name".to_owned(), json!(name));
        }
        Login::Password(_) => {
            let password = payload
                .password
                .as_ref()
                .ok_or_else(|| invalid("refleet.secret", "the password was not read".to_owned()))?;
            body.insert("adminPass".to_owned(), json!(password.expose_secret()));
        }
        Login::UserData if request.user_data.is_none() => {
            return Err(invalid("refleet.request", "nobody could log in afterwards".to_owned()));
        }
        Login::UserData | Login::Kept => {}
    }
    if let Some(file) = &request.user_data {
        let user_data = payload
            .user_data
            .as_deref()
            .ok_or_else(|| invalid("refleet.file", format!("{} was not read", file.path)))?;
        let user_data = STANDARD.encode(user_data);
        if user_data.len() > MAX_USER_DATA {
            let message = format!("{} is larger than Nova takes: 48 KiB", file.path);
            return Err(invalid("refleet.file", message));
        }
        body.insert("user_data".to_owned(), json!(user_data));
    }
    if request.byol {
        return Err(lacks("no licences"));
    }
    match &request.encryption {
        Encryption::None => {}
        Encryption::Key(_) => return Err(lacks("no keys for system disks")),
    }
    Ok(Value::Object(body))
}

fn lacks(what: &str) -> Fault {
    invalid("refleet.request", format!("this cloud has {what}"))
}

fn nothing(what: &str) -> Fault {
    fault::ours(FaultClass::NotFound, "refleet.request", format!("this cloud has {what}"))
}
