//! What we ask IAM, and what it says: tokens, projects, the catalog, the owner of a key.
//!
//! Start with [`token_request`] and [`read_token`] (`auth.md`, sections 2 and 5). Pure, like the
//! requests of the other services.

use bytes::Bytes;
use http::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::config::NameOrId;
use super::super::fault;
use super::super::lenient::{Text, or_default};
use super::answer::read;
use super::endpoints::{Base, Service};
use super::request::{Draft, Scope, segment};
use crate::domain::{CostClass, Fault, Timestamp};

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenScope {
    /// One project: nearly everything.
    Project(NameOrId),
    /// The whole account: agencies.
    Account(NameOrId),
    /// None, so that a user who named a project that is not there can be told which ones are.
    Nothing,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) who: NameOrId,
    pub(super) domain: Option<NameOrId>,
    pub(super) password: SecretString,
    /// Of a virtual MFA device.
    pub(super) passcode: Option<SecretString>,
}

impl User {
    /// Whether the same login works a second time: a passcode is spent by its first use.
    pub(super) fn can_come_again(&self) -> bool {
        self.passcode.is_none()
    }
}

/// `POST /v3/auth/tokens`.
pub(super) fn token_request(iam: &Base, user: &User, scope: &TokenScope) -> Draft {
    let mut wire = named(&user.who);
    wire.insert("password".to_owned(), json!(user.password.expose_secret()));
    if let Some(domain) = &user.domain {
        wire.insert("domain".to_owned(), Value::Object(named(domain)));
    }
    let mut identity = json!({"methods": ["password"], "password": {"user": wire}});
    if let Some(passcode) = &user.passcode {
        identity["methods"] = json!(["password", "totp"]);
        let mut device = named(&user.who);
        device.insert("passcode".to_owned(), json!(passcode.expose_secret()));
        identity["totp"] = json!({"user": device});
    }
    let mut body = json!({"auth": {"identity": identity}});
    match scope {
        TokenScope::Project(project) => body["auth"]["scope"] = json!({"project": named(project)}),
        TokenScope::Account(domain) => body["auth"]["scope"] = json!({"domain": named(domain)}),
        TokenScope::Nothing => {}
    }
    Draft::post(iam, "/v3/auth/tokens".to_owned(), &body).scoped(Scope::Nobody)
}

fn named(thing: &NameOrId) -> Map<String, Value> {
    let (key, value) = match thing {
        NameOrId::Name(name) => ("name", name),
        NameOrId::Id(id) => ("id", id),
    };
    Map::from_iter([(key.to_owned(), json!(value))])
}

/// What a token says about its holder.
#[derive(Debug, Default)]
pub(super) struct Holder {
    pub(super) user: Thing,
    pub(super) domain_id: Option<String>,
    pub(super) project: Option<Thing>,
    pub(super) catalog: Vec<Service>,
    /// By the cloud's clock.
    pub(super) issued: Option<Timestamp>,
    /// By the cloud's clock.
    pub(super) expires: Option<Timestamp>,
}

/// A thing with an id and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct TokenBody {
    token: TokenWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenWire {
    issued_at: Text,
    expires_at: Text,
    #[serde(deserialize_with = "or_default")]
    user: UserWire,
    project: Option<ThingWire>,
    #[serde(deserialize_with = "or_default")]
    catalog: Vec<Service>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UserWire {
    id: Text,
    name: Text,
    #[serde(deserialize_with = "or_default")]
    domain: ThingWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ThingWire {
    id: Text,
    name: Text,
}

/// What the answer to a token request, or to a question about a token, says.
pub(super) fn read_token(response: &Response<Bytes>) -> Result<Holder, Fault> {
    let TokenBody { token } = read(response)?;
    let project = token
        .project
        .map(|project| Thing { id: project.id.or_empty(), name: project.name.or_empty() });
    Ok(Holder {
        user: Thing { id: token.user.id.or_empty(), name: token.user.name.or_empty() },
        domain_id: token.user.domain.id.some(),
        project: project.filter(|project| !project.id.is_empty()),
        catalog: token.catalog,
        issued: token.issued_at.moment(),
        expires: token.expires_at.moment(),
    })
}

/// The token itself: it comes in a header.
pub(super) fn token_text(response: &Response<Bytes>) -> Result<SecretString, Fault> {
    let text = response.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.into()),
        None => Err(fault::unreadable(CostClass::Reading, "no header X-Subject-Token")),
    }
}

/// `GET /v3/auth/tokens`: what a token that somebody else fetched is worth.
pub(super) fn token_question(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/tokens".to_owned(), &[]).scoped(Scope::Nobody)
}

/// A project of `GET /v3/projects`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain_id: Option<String>,
}

#[derive(Deserialize)]
struct ProjectsBody {
    #[serde(deserialize_with = "or_default")]
    projects: Vec<ProjectWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProjectWire {
    id: Text,
    name: Text,
    domain_id: Text,
}

/// `GET /v3/projects`, of one name or all.
pub(super) fn projects_request(iam: &Base, name: Option<&str>) -> Draft {
    let query: Vec<(&str, &str)> = name.iter().map(|name| ("name", *name)).collect();
    Draft::get(iam, "/v3/projects".to_owned(), &query).scoped(Scope::Nobody)
}

/// `GET /v3/auth/projects`: those that whoever asks may use.
pub(super) fn own_projects_request(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/projects".to_owned(), &[]).scoped(Scope::Nobody)
}

pub(super) fn read_projects(response: &Response<Bytes>) -> Result<Vec<Project>, Fault> {
    let body: ProjectsBody = read(response)?;
    let projects = body.projects.into_iter().map(|project| Project {
        id: project.id.or_empty(),
        name: project.name.or_empty(),
        domain_id: project.domain_id.some(),
    });
    Ok(projects.collect())
}

#[derive(Deserialize)]
struct CatalogBody {
    #[serde(deserialize_with = "or_default")]
    catalog: Vec<Service>,
}

/// `GET /v3/auth/catalog`.
pub(super) fn catalog_request(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/catalog".to_owned(), &[])
}

pub(super) fn read_catalog(response: &Response<Bytes>) -> Result<Vec<Service>, Fault> {
    read::<CatalogBody>(response).map(|body| body.catalog)
}

#[derive(Deserialize)]
struct CredentialBody {
    credential: CredentialWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CredentialWire {
    user_id: Text,
}

/// `GET /v3.0/OS-CREDENTIAL/credentials/{access}`: whose key it is.
pub(super) fn owner_request(iam: &Base, access: &str) -> Draft {
    let path = format!("/v3.0/OS-CREDENTIAL/credentials/{}", segment(access));
    Draft::get(iam, path, &[]).scoped(Scope::Account)
}

pub(super) fn read_owner(response: &Response<Bytes>) -> Result<Option<String>, Fault> {
    read::<CredentialBody>(response).map(|body| body.credential.user_id.some())
}
