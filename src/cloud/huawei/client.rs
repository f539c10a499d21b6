//! The client: logs in, then makes one attempt at each action it is given.
//!
//! Start with [`HuaweiCloud::connect`]. The only request that is ever sent twice is one that was
//! refused because its token had died: it was certainly not done.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::super::Cloud;
use super::super::config::{CloudConfig, Credentials, NameOrId, Provider};
use super::super::fault;
use super::super::http::Transport;
use super::endpoints::{Base, Endpoints, Service};
use super::identity::{self, Project, Thing, TokenScope, User};
use super::request::{Draft, Payload, Site, invalid, request};
use super::session::{self, AccessKeys, Session};
use crate::domain::{
    Action, AgencyState, Answer, CostClass, Fault, FaultClass, Login, PinnedFile, Reply, SecretRef,
    Timestamp, UserId,
};

/// The clock of the world: signatures carry the time.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Reads what is sent and nowhere kept. Its errors must name no secret.
pub trait Secrets: Send + Sync {
    /// The secret that the reference points at.
    fn secret(&self, place: &SecretRef) -> Result<SecretString, String>;
    /// The content of the file, if it still has the hash it was pinned with.
    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String>;
}

/// Where we are, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The family of the cloud.
    pub provider: Provider,
    /// The region.
    pub region: String,
    /// Id of the project.
    pub project_id: String,
    /// Name of the project.
    pub project_name: String,
    /// Id of the acting user: owner of the key pairs it can see.
    pub user_id: UserId,
    /// Name of the acting user, or its access key.
    pub user_name: String,
}

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address of IAM is no address.
    #[error("use {url:?} as auth_url: it is not an http or https address")]
    Address {
        /// What is configured.
        url: String,
    },
    /// The cloud does not accept who we say we are.
    #[error("log in at {host}: {}{note}", with_status(fault))]
    Unauthorised {
        /// IAM's host.
        host: String,
        /// What it says.
        fault: Box<Fault>,
        /// What else is worth knowing.
        note: &'static str,
    },
    /// The cloud does not answer, or not with what was asked for.
    #[error("{step} at {host}: {fault}")]
    Refused {
        /// What we were doing.
        step: &'static str,
        /// IAM's host.
        host: String,
        /// What it says.
        fault: Box<Fault>,
    },
    /// Nothing says which project is meant.
    #[error("choose a project: neither project_name, nor project_id, nor a region is set")]
    NoProject,
    /// No project, or more than one.
    #[error("find project {wanted:?}: {found} projects of that name are visible")]
    Project {
        /// Name or id.
        wanted: String,
        /// How many there are.
        found: usize,
    },
    /// With keys, the user must be looked up or told.
    #[error(
        "learn whose access key it is ({fault}); set auth.user_id: reinstalls with a key pair name its owner"
    )]
    NoUser {
        /// What IAM says.
        fault: Box<Fault>,
    },
}

const KEYS_NOTE: &str = "; more than five failures in a row lock an access key for 5 minutes, so look at ak, sk and this machine's clock before the next try";
const PASSWORD_NOTE: &str =
    "; look at username, password and user_domain_name, and at the project's name or id";
const PROJECT_NOTE: &str = "; look at project_name and project_id";
const TOKEN_NOTE: &str = "; the token has expired, or was never one of this cloud";

/// A fault of which the status is always told, and told once; notes follow without a full stop.
fn with_status(fault: &Fault) -> String {
    let status = if fault.code.starts_with("HTTP ") { "" } else { "HTTP 401: " };
    format!("{status}{fault}").trim_end_matches('.').to_owned()
}

/// A cloud of this family, logged in.
pub struct HuaweiCloud {
    site: Site,
    identity: Identity,
    session: Session,
    transport: Arc<dyn Transport>,
    secrets: Arc<dyn Secrets>,
    clock: WallClock,
}

impl HuaweiCloud {
    /// Logs in, or checks the keys by looking their project up.
    pub async fn connect(
        config: CloudConfig,
        transport: Arc<dyn Transport>,
        secrets: Arc<dyn Secrets>,
        clock: WallClock,
    ) -> Result<Self, ConnectError> {
        let Some(iam) = Base::parse(&config.auth_url) else {
            return Err(ConnectError::Address { url: config.auth_url });
        };
        let door =
            Door { iam, config, transport: Arc::clone(&transport), clock: Arc::clone(&clock) };
        let entered = match door.config.credentials.clone() {
            Credentials::Password { user, domain, password } => {
                door.with_password(User { who: user, domain, password }).await?
            }
            Credentials::Token(token) => door.with_token(token).await?,
            Credentials::Keys { access, secret, security_token } => {
                let (project_id, domain_id) = (None, None);
                let keys = AccessKeys { access, secret, security_token, project_id, domain_id };
                door.with_keys(keys).await?
            }
        };
        let (config, iam) = (door.config, door.iam);
        let region = config.region.clone().unwrap_or_else(|| region_of(&entered.project.name));
        let endpoints = Endpoints::find(&config, &iam, &region, &entered.catalog);
        Ok(Self {
            identity: Identity {
                provider: config.provider,
                region,
                project_id: entered.project.id.clone(),
                project_name: entered.project.name,
                user_id: UserId::new(entered.user.id),
                user_name: entered.user.name,
            },
            site: Site {
                provider: config.provider,
                endpoints,
                project_id: entered.project.id,
                domain_id: entered.domain_id,
            },
            session: entered.session,
            transport,
            secrets,
            clock,
        })
    }

    /// Where we are, and who.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn attempt(&self, action: &Action) -> Reply {
        let payload = self.payload(action)?;
        let draft = request(action, &self.site, &payload, (self.clock)())?;
        let response = match action {
            Action::ShowAgency | Action::ListAgencyRoles { .. } => {
                match self.ask_for_account(draft).await {
                    Ok(response) => response,
                    Err(fault) if is_no_permission(&fault) => return Ok(not_shown(action)),
                    Err(fault) => return Err(fault),
                }
            }
            Action::Stop { .. }
            | Action::Start { .. }
            | Action::Reinstall { .. }
            | Action::ListServers { .. }
            | Action::ShowServer { .. }
            | Action::ShowJob { .. }
            | Action::ListVolumes { .. }
            | Action::ListSnapshots { .. }
            | Action::ShowPassword { .. }
            | Action::ShowQuota
            | Action::ShowImage { .. }
            | Action::ShowKeyPair { .. }
            | Action::ShowKey { .. }
            | Action::ListKeys
            | Action::ListTraces { .. }
            | Action::Probe { .. } => self.exchange(action.cost_class(), draft).await?,
        };
        super::answer(action, &response).map_err(|fault| match &payload.password {
            Some(password) => session::without(fault, password.expose_secret()),
            None => fault,
        })
    }

    /// Sends, and once more with a new token if the first was refused for its token alone.
    async fn exchange(&self, cost: CostClass, draft: Draft) -> Result<Response<Bytes>, Fault> {
        let (first, used) = self.session.authorise(draft.clone(), (self.clock)())?;
        let response = self.send(cost, first).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        match self.session.renew(used, &*self.transport).await {
            None => Ok(response),
            Some(renewed) => {
                renewed?;
                let (again, _) = self.session.authorise(draft, (self.clock)())?;
                self.send(cost, again).await
            }
        }
    }

    async fn ask_for_account(&self, draft: Draft) -> Result<Response<Bytes>, Fault> {
        let domain = self.site.domain_id.as_deref().unwrap_or("");
        let of_account =
            self.session.authorise_for_account(draft.clone(), domain, &*self.transport).await;
        match of_account {
            Some(request) => self.send(CostClass::Reading, request?).await,
            None => self.exchange(CostClass::Reading, draft).await,
        }
    }

    async fn send(
        &self,
        cost: CostClass,
        request: http::Request<Bytes>,
    ) -> Result<Response<Bytes>, Fault> {
        self.transport.send(request).await.map_err(|error| fault::of_net(cost, &error))
    }

    /// Reads secrets and files right before they are sent.
    fn payload(&self, action: &Action) -> Result<Payload, Fault> {
        let Action::Reinstall { request, .. } = action else { return Ok(Payload::default()) };
        let password = match &request.login {
            Login::Password(place) => Some(self.secrets.secret(place)),
            Login::KeyPair { .. } | Login::UserData => None,
        };
        let user_data = request.user_data.as_ref().map(|file| self.secrets.file(file));
        Ok(Payload {
            password: password.transpose().map_err(|why| invalid("refleet.secret", why))?,
            user_data: user_data.transpose().map_err(|why| invalid("refleet.file", why))?,
        })
    }
}

impl Cloud for HuaweiCloud {
    async fn call(&self, action: Action) -> Reply {
        self.attempt(&action).await
    }
}

/// What is known of the agency by somebody who may not look.
fn not_shown(action: &Action) -> Answer {
    if matches!(action, Action::ShowAgency) {
        Answer::Agency { state: AgencyState::Unknown, id: None }
    } else {
        Answer::AgencyRoles(None)
    }
}

/// "You may not ask that" is an answer to a question about agencies.
fn is_no_permission(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Unauthorised | FaultClass::Forbidden | FaultClass::Invalid)
}

/// The region's main project carries its name, others begin with it (`auth.md`, section 5).
fn region_of(project: &str) -> String {
    project.split('_').next().unwrap_or(project).to_owned()
}

/// The way in.
struct Door {
    iam: Base,
    config: CloudConfig,
    transport: Arc<dyn Transport>,
    clock: WallClock,
}

/// We are in.
struct Entered {
    session: Session,
    user: Thing,
    project: Thing,
    domain_id: Option<String>,
    catalog: Vec<Service>,
}

impl Door {
    async fn with_password(&self, user: User) -> Result<Entered, ConnectError> {
        let scope = TokenScope::Project(self.wanted_project()?);
        let (session, holder) =
            Session::log_in(&self.iam, user, scope, &*self.transport).await.map_err(|fault| {
                // The status is the same for both: only the sentence says which it is.
                let project = fault.message.to_ascii_lowercase().contains("project");
                let note = if project { PROJECT_NOTE } else { PASSWORD_NOTE };
                self.refused("get a token", note, fault)
            })?;
        self.entered(session, holder)
    }

    async fn with_token(&self, token: SecretString) -> Result<Entered, ConnectError> {
        let ask = async {
            let request = session::about_token(&self.iam, &token)?;
            identity::read_token(&session::exchange(request, &*self.transport).await?)
        };
        let holder =
            ask.await.map_err(|fault| self.refused("look at the token", TOKEN_NOTE, fault))?;
        self.entered(Session::Fixed(token), holder)
    }

    fn entered(&self, session: Session, holder: identity::Holder) -> Result<Entered, ConnectError> {
        let project = holder.project.ok_or(ConnectError::NoProject)?;
        let other = self.config.project_id.as_ref().filter(|wanted| **wanted != project.id);
        if let Some(wanted) = other {
            return Err(ConnectError::Project { wanted: wanted.clone(), found: 0 });
        }
        Ok(Entered {
            session,
            user: holder.user,
            project,
            domain_id: holder.domain_id,
            catalog: holder.catalog,
        })
    }

    async fn with_keys(&self, keys: AccessKeys) -> Result<Entered, ConnectError> {
        let access = keys.access.clone();
        let keys = Session::Keys(keys);
        let wanted = self.wanted_project()?;
        let name = self.config.project_name.as_deref().or(match &wanted {
            NameOrId::Name(name) => Some(name),
            NameOrId::Id(_) => None,
        });
        let projects = self
            .ask(&keys, identity::projects_request(&self.iam, name), identity::read_projects)
            .await
            .map_err(|fault| self.refused("look the project up", KEYS_NOTE, fault))?;
        let project = only(projects, &wanted)?;
        let session = keys.acting_on(&project);
        let catalog = self
            .ask(&session, identity::catalog_request(&self.iam), identity::read_catalog)
            .await
            .unwrap_or_default();
        let owner = self
            .ask(&session, identity::owner_request(&self.iam, &access), identity::read_owner)
            .await;
        let user_id = match (self.config.user_id.clone(), owner) {
            (Some(told), _) | (None, Ok(Some(told))) => told,
            (None, Ok(None)) => {
                let fault = fault::unreadable(CostClass::Reading, "no user_id");
                return Err(ConnectError::NoUser { fault: Box::new(fault) });
            }
            (None, Err(fault)) => {
                return Err(ConnectError::NoUser { fault: Box::new(fault) });
            }
        };
        Ok(Entered {
            session,
            user: Thing { id: user_id, name: access },
            domain_id: project.domain_id,
            project: Thing { id: project.id, name: project.name },
            catalog,
        })
    }

    async fn ask<T>(
        &self,
        session: &Session,
        draft: Draft,
        read: fn(&Response<Bytes>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (request, _) = session.authorise(draft, (self.clock)())?;
        read(&session::exchange(request, &*self.transport).await?)
    }

    /// By id if there is one, by name else; the region's main project if nothing is said.
    fn wanted_project(&self) -> Result<NameOrId, ConnectError> {
        let config = &self.config;
        let id = config.project_id.clone().map(NameOrId::Id);
        let name = config.project_name.clone().or_else(|| config.region.clone());
        id.or(name.map(NameOrId::Name)).ok_or(ConnectError::NoProject)
    }

    fn refused(&self, step: &'static str, note: &'static str, fault: Fault) -> ConnectError {
        let (host, fault) = (self.iam.host().to_owned(), Box::new(fault));
        if fault.class == FaultClass::Unauthorised {
            ConnectError::Unauthorised { host, fault, note }
        } else {
            ConnectError::Refused { step, host, fault }
        }
    }
}

/// The one project that is meant; none and several are both wrong.
fn only(projects: Vec<Project>, wanted: &NameOrId) -> Result<Project, ConnectError> {
    let mut found: Vec<Project> = projects
        .into_iter()
        .filter(|project| match wanted {
            NameOrId::Name(name) => project.name == *name,
            NameOrId::Id(id) => project.id == *id,
        })
        .collect();
    match (found.pop(), found.len()) {
        (Some(project), 0) => Ok(project),
        (last, more) => {
            let (NameOrId::Name(wanted) | NameOrId::Id(wanted)) = wanted;
            let found = more + usize::from(last.is_some());
            Err(ConnectError::Project { wanted: wanted.clone(), found })
        }
    }
}
