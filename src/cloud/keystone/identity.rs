//! What we ask IAM, and what it says: tokens, projects, the catalog, the owner of a key.
//!
//! Start with [`token_request`] and [`read_token`] (`auth.md`, sections 2 and 5). Pure, like the
//! requests of the other services.

use bytes::Bytes;
use http::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::config::{ApplicationCredential, NameOrId};
use super::super::fault;
use super::super::lenient::{Text, or_default};
use super::base::Base;
use super::catalog::Service;
use super::draft::{Draft, Scope};
use super::read::read;
use crate::domain::{CostClass, Fault, Timestamp};

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cloud) enum TokenScope {
    /// One project: nearly everything. A name is one of a domain, where that is said.
    Project { project: NameOrId, domain: Option<NameOrId> },
    /// The whole account: agencies.
    Account(NameOrId),
    /// None that is said: an application credential has one of its own, and a user who named a
    /// project that is not there can be told which ones are.
    Nothing,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub(in crate::cloud) enum User {
    /// A user, with a password.
    Password {
        who: NameOrId,
        domain: Option<NameOrId>,
        password: SecretString,
        /// Of a virtual MFA device.
        passcode: Option<SecretString>,
    },
    /// Whoever made the credential, for the project that it was made for.
    Application { credential: ApplicationCredential, secret: SecretString },
}

impl User {
    /// Whether the same login works a second time: a passcode is spent by its first use.
    pub(in crate::cloud) fn can_come_again(&self) -> bool {
        match self {
            Self::Password { passcode, .. } => passcode.is_none(),
            Self::Application { .. } => true,
        }
    }

    /// Whether a token of the whole account can be had as well.
    pub(in crate::cloud) fn has_account(&self) -> bool {
        match self {
            Self::Password { passcode, .. } => passcode.is_none(),
            Self::Application { .. } => false,
        }
    }

    /// `auth.identity` of a token request.
    fn identity(&self) -> Value {
        match self {
            Self::Password { who, domain, password, passcode } => {
                let mut user = within(who, domain.as_ref());
                user.insert("password".to_owned(), json!(password.expose_secret()));
                let mut identity = json!({"methods": ["password"], "password": {"user": user}});
                if let Some(passcode) = passcode {
                    identity["methods"] = json!(["password", "totp"]);
                    let mut device = named(who);
                    device.insert("passcode".to_owned(), json!(passcode.expose_secret()));
                    identity["totp"] = json!({"user": device});
                }
                identity
            }
            Self::Application { credential, secret } => {
                let mut wire = match credential {
                    ApplicationCredential::Id(id) => named(&NameOrId::Id(id.clone())),
                    ApplicationCredential::Named { name, user, domain } => {
                        let mut wire = named(&NameOrId::Name(name.clone()));
                        let user = within(user, domain.as_ref());
                        wire.insert("user".to_owned(), Value::Object(user));
                        wire
                    }
                };
                wire.insert("secret".to_owned(), json!(secret.expose_secret()));
                json!({"methods": ["application_credential"], "application_credential": wire})
            }
        }
    }
}

/// `POST /v3/auth/tokens`.
pub(in crate::cloud) fn token_request(iam: &Base, user: &User, scope: &TokenScope) -> Draft {
    let mut body = json!({"auth": {"identity": user.identity()}});
    match scope {
        TokenScope::Project { project, domain } => {
            body["auth"]["scope"] = json!({"project": within(project, domain.as_ref())});
        }
        TokenScope::Account(domain) => body["auth"]["scope"] = json!({"domain": named(domain)}),
        TokenScope::Nothing => {}
    }
    Draft::post(iam, "/v3/auth/tokens".to_owned(), &body).scoped(Scope::Nobody)
}

/// A thing, and the domain that its name is one of.
fn within(thing: &NameOrId, domain: Option<&NameOrId>) -> Map<String, Value> {
    let mut wire = named(thing);
    if let Some(domain) = domain {
        wire.insert("domain".to_owned(), Value::Object(named(domain)));
    }
    wire
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
pub(in crate::cloud) struct Holder {
    pub(in crate::cloud) user: Thing,
    pub(in crate::cloud) domain_id: Option<String>,
    pub(in crate::cloud) project: Option<Thing>,
    pub(in crate::cloud) catalog: Vec<Service>,
    /// By the cloud's clock.
    pub(in crate::cloud) issued: Option<Timestamp>,
    /// By the cloud's clock.
    pub(in crate::cloud) expires: Option<Timestamp>,
}

/// A thing with an id and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cloud) struct Thing {
    pub(in crate::cloud) id: String,
    pub(in crate::cloud) name: String,
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
pub(in crate::cloud) fn read_token(response: &Response<Bytes>) -> Result<Holder, Fault> {
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
pub(in crate::cloud) fn token_text(response: &Response<Bytes>) -> Result<SecretString, Fault> {
    let text = response.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.into()),
        None => Err(fault::unreadable(CostClass::Reading, "no header X-Subject-Token")),
    }
}

/// `GET /v3/auth/tokens`: what a token that somebody else fetched is worth.
pub(in crate::cloud) fn token_question(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/tokens".to_owned(), &[]).scoped(Scope::Nobody)
}

/// A project of `GET /v3/projects`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cloud) struct Project {
    pub(in crate::cloud) id: String,
    pub(in crate::cloud) name: String,
    pub(in crate::cloud) domain_id: Option<String>,
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

/// `GET /v3/auth/projects`: those that whoever asks may use.
pub(in crate::cloud) fn own_projects_request(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/projects".to_owned(), &[]).scoped(Scope::Nobody)
}

pub(in crate::cloud) fn read_projects(response: &Response<Bytes>) -> Result<Vec<Project>, Fault> {
    let body: ProjectsBody = read(response)?;
    let projects = body.projects.into_iter().map(|project| Project {
        id: project.id.or_empty(),
        name: project.name.or_empty(),
        domain_id: project.domain_id.some(),
    });
    Ok(projects.collect())
}
