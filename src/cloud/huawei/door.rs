//! The way in: from a configuration to a session, a user, a project and a region.
//!
//! Start with [`Door::enter`]. A project that is not there, is meant twice or belongs to another
//! region is told with the projects that there are (`auth.md`, section 5).

use bytes::Bytes;
use http::Response;
use secrecy::SecretString;

use super::super::config::{CloudConfig, Credentials, NameOrId};
use super::super::fault;
use super::connect_error::{ConnectError, Visible};
use super::endpoints::{Base, Service};
use super::identity::{self, Holder, Project, Thing, TokenScope, User};
use super::line::Line;
use super::region;
use super::request::Draft;
use super::session::{AccessKeys, Session};
use crate::domain::{CostClass, Fault, FaultClass};

const KEYS_NOTE: &str = "; more than five failures in a row lock an access key for 5 minutes, so look at ak, sk and this machine's clock before the next try";
const PASSWORD_NOTE: &str =
    "; look at username, password and user_domain_name, and at the project's name or id";
const PASSCODE_NOTE: &str =
    "; look at user_id and password, and take a new OS_PASSCODE: each is good for one login";
const TOKEN_NOTE: &str = "; the token has expired, or was never one of this cloud";

/// The way in.
pub(super) struct Door<'a> {
    pub(super) iam: &'a Base,
    pub(super) config: &'a CloudConfig,
    pub(super) line: &'a Line,
}

/// We are in.
pub(super) struct Entered {
    pub(super) session: Session,
    pub(super) user: Thing,
    pub(super) project: Thing,
    pub(super) region: String,
    pub(super) domain_id: Option<String>,
    pub(super) catalog: Vec<Service>,
}

impl Door<'_> {
    /// Logs in, or checks the keys by looking their project up.
    pub(super) async fn enter(&self) -> Result<Entered, ConnectError> {
        let entered = match self.config.credentials.clone() {
            Credentials::Password { user, domain, password, passcode } => {
                self.with_password(User { who: user, domain, password, passcode }).await?
            }
            Credentials::Token(token) => self.with_token(token).await?,
            Credentials::Keys { access, secret, security_token } => {
                let (project_id, domain_id) = (None, None);
                let keys = AccessKeys { access, secret, security_token, project_id, domain_id };
                self.with_keys(keys).await?
            }
        };
        let its = region::of_project(&entered.project.name);
        match (&self.config.region, its) {
            (Some(region), Some(its)) if *region != its => Err(ConnectError::OtherRegion {
                project: entered.project.name.clone(),
                its: its.to_owned(),
                region: region.clone(),
                there: self.visible(&entered.session).await,
            }),
            _ => Ok(entered),
        }
    }

    async fn with_password(&self, user: User) -> Result<Entered, ConnectError> {
        let note = if user.can_come_again() { PASSWORD_NOTE } else { PASSCODE_NOTE };
        let Some(wanted) = self.wanted_project() else {
            let there = self
                .visible_without_project(user)
                .await
                .map_err(|fault| self.refused("get a token", note, fault))?;
            return Err(ConnectError::NoProject { there });
        };
        let scope = TokenScope::Project(wanted.clone());
        match Session::log_in(self.iam, user.clone(), scope, self.line).await {
            Ok((session, holder)) => self.entered(session, holder).await,
            Err(fault) if is_about_project(&fault) => {
                let (NameOrId::Name(wanted) | NameOrId::Id(wanted)) = wanted;
                let there = self.visible_without_project(user).await.unwrap_or(Visible::Unknown);
                Err(ConnectError::UnknownProject { wanted, there })
            }
            Err(fault) => Err(self.refused("get a token", note, fault)),
        }
    }

    async fn with_token(&self, token: SecretString) -> Result<Entered, ConnectError> {
        let (session, holder) = Session::with_token(self.iam, token, self.line)
            .await
            .map_err(|fault| self.refused("look at the token", TOKEN_NOTE, fault))?;
        self.entered(session, holder).await
    }

    async fn entered(&self, session: Session, holder: Holder) -> Result<Entered, ConnectError> {
        let Some(project) = holder.project else {
            let there = self.visible(&session).await;
            return Err(ConnectError::NoProjectInToken { there });
        };
        let wanted = match (&self.config.project_id, &self.config.project_name) {
            (Some(id), _) => Some(id).filter(|id| **id != project.id),
            (None, Some(name)) => Some(name).filter(|name| **name != project.name),
            (None, None) => None,
        };
        if let Some(wanted) = wanted.cloned() {
            return Err(ConnectError::OtherProject { project: project.name, wanted });
        }
        Ok(Entered {
            session,
            user: holder.user,
            region: self.region(&project.name),
            project,
            domain_id: holder.domain_id,
            catalog: holder.catalog,
        })
    }

    async fn with_keys(&self, keys: AccessKeys) -> Result<Entered, ConnectError> {
        let access = keys.access.clone();
        let keys = Session::with_keys(keys);
        let Some(wanted) = self.wanted_project() else {
            let there = self.asked_for_visible(&keys).await;
            let there =
                there.map_err(|fault| self.refused("list the projects", KEYS_NOTE, fault))?;
            return Err(ConnectError::NoProject { there });
        };
        let name = self.config.project_name.as_deref().or(match &wanted {
            NameOrId::Name(name) => Some(name),
            NameOrId::Id(_) => None,
        });
        let projects = self
            .ask(&keys, identity::projects_request(self.iam, name), identity::read_projects)
            .await
            .map_err(|fault| self.refused("look the project up", KEYS_NOTE, fault))?;
        let project = self.only(&keys, projects, wanted).await?;
        let session = keys.acting_on(&project);
        let catalog = self
            .ask(&session, identity::catalog_request(self.iam), identity::read_catalog)
            .await
            .unwrap_or_default();
        let user_id = self.owner(&session, &access).await?;
        Ok(Entered {
            session,
            user: Thing { id: user_id, name: ending(&access) },
            region: self.region(&project.name),
            domain_id: project.domain_id,
            project: Thing { id: project.id, name: project.name },
            catalog,
        })
    }

    /// Whose key it is: reinstalls with a key pair name its owner.
    async fn owner(&self, session: &Session, access: &str) -> Result<String, ConnectError> {
        if let Some(told) = self.config.user_id.clone() {
            return Ok(told);
        }
        let request = identity::owner_request(self.iam, access);
        match self.ask(session, request, identity::read_owner).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) => {
                let fault = fault::unreadable(CostClass::Reading, "no user_id");
                Err(ConnectError::NoUser { fault: Box::new(fault) })
            }
            Err(fault) => Err(ConnectError::NoUser { fault: Box::new(fault) }),
        }
    }

    async fn ask<T>(
        &self,
        session: &Session,
        draft: Draft,
        read: fn(&Response<Bytes>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        read(&session.exchange(CostClass::Reading, draft, self.line).await?)
    }

    /// By id if there is one, by name else; the region's main project if nothing is said.
    fn wanted_project(&self) -> Option<NameOrId> {
        let id = self.config.project_id.clone().map(NameOrId::Id);
        let name = self.config.project_name.clone().or_else(|| self.config.region.clone());
        id.or(name.map(NameOrId::Name))
    }

    fn region(&self, project: &str) -> String {
        let guessed = || project.split('_').next().unwrap_or(project).to_owned();
        self.config.region.clone().unwrap_or_else(guessed)
    }

    /// The one project that is meant; none and several are both wrong.
    async fn only(
        &self,
        session: &Session,
        projects: Vec<Project>,
        wanted: NameOrId,
    ) -> Result<Project, ConnectError> {
        let is_meant = |project: &Project| match &wanted {
            NameOrId::Name(name) => project.name == *name,
            NameOrId::Id(id) => project.id == *id,
        };
        let mut found: Vec<Project> = projects.into_iter().filter(is_meant).collect();
        match (found.pop(), found.is_empty()) {
            (Some(project), true) => Ok(project),
            (Some(last), false) => {
                let mut ids: Vec<String> = found.into_iter().map(|project| project.id).collect();
                ids.push(last.id);
                ids.sort();
                Err(ConnectError::AmbiguousProject { wanted: text(wanted), ids })
            }
            (None, _) => {
                let there = self.visible(session).await;
                Err(ConnectError::UnknownProject { wanted: text(wanted), there })
            }
        }
    }

    async fn visible(&self, session: &Session) -> Visible {
        self.asked_for_visible(session).await.unwrap_or(Visible::Unknown)
    }

    async fn asked_for_visible(&self, session: &Session) -> Result<Visible, Fault> {
        let request = identity::own_projects_request(self.iam);
        let projects = self.ask(session, request, identity::read_projects).await?;
        let mut names: Vec<String> = projects.into_iter().map(|project| project.name).collect();
        names.sort();
        Ok(Visible::These(names))
    }

    /// With a login of its own: a token for a project that is not there is not given.
    async fn visible_without_project(&self, user: User) -> Result<Visible, Fault> {
        if !user.can_come_again() && self.wanted_project().is_some() {
            return Ok(Visible::Unknown);
        }
        let (session, _) = Session::log_in(self.iam, user, TokenScope::Nothing, self.line).await?;
        self.asked_for_visible(&session).await
    }

    fn refused(&self, step: &'static str, note: &'static str, fault: Fault) -> ConnectError {
        let (host, fault) = (self.iam.host().to_owned(), Box::new(fault));
        if fault.class == FaultClass::Unauthorised {
            let clock = fault.message.contains("this machine's clock");
            let note = if clock { "; set it before the next try" } else { note };
            ConnectError::Unauthorised { host, fault, note }
        } else {
            ConnectError::Refused { step, host, fault }
        }
    }
}

/// An access key as it may be shown: plans name the user that they were made by.
fn ending(access: &str) -> String {
    // Keys have twenty letters; of a shorter one the end says too much.
    let end = access.char_indices().rev().nth(3).filter(|(at, _)| *at >= 12);
    end.map_or_else(|| "access key".to_owned(), |(at, _)| format!("access key …{}", &access[at..]))
}

/// The status is the same for a wrong password: only the sentence says which it is. A wrong guess
/// costs one more login, so no other sign is taken, and what stands in quotes may be what we said.
fn is_about_project(fault: &Fault) -> bool {
    let refused = matches!(
        fault.class,
        FaultClass::Unauthorised
            | FaultClass::Forbidden
            | FaultClass::NotFound
            | FaultClass::Invalid
    );
    let message = fault.message.to_ascii_lowercase();
    refused && message.split('"').step_by(2).any(|said| said.contains("project"))
}

fn text(wanted: NameOrId) -> String {
    let (NameOrId::Name(text) | NameOrId::Id(text)) = wanted;
    text
}
