//! The way in: from a configuration to a session, a user, a project and the catalog.
//!
//! Start with [`Door::enter`]. A project that is not there is told with the projects that there are
//! (`auth.md`, section 5).

use bytes::Bytes;
use http::Response;
use secrecy::SecretString;

use super::super::config::{CloudConfig, Credentials, NameOrId};
use super::base::Base;
use super::catalog::Service;
use super::connect_error::{ConnectError, Visible};
use super::draft::Draft;
use super::identity::{self, Holder, Thing, TokenScope, User};
use super::line::Line;
use super::session::Session;
use crate::domain::{CostClass, Fault, FaultClass};

const PASSWORD_NOTE: &str =
    "; look at username, password and user_domain_name, and at the project's name or id";
const PASSCODE_NOTE: &str =
    "; look at user_id and password, and take a new OS_PASSCODE: each is good for one login";
const APPLICATION_NOTE: &str = "; look at application_credential_id and its secret: it may have \
     expired, or have been deleted with its user";
const TOKEN_NOTE: &str = "; the token has expired, or was never one of this cloud";

/// The way in.
pub(in crate::cloud) struct Door<'a> {
    pub(in crate::cloud) iam: &'a Base,
    pub(in crate::cloud) config: &'a CloudConfig,
    pub(in crate::cloud) line: &'a Line,
    /// The project that is meant where none is said.
    pub(in crate::cloud) main_project: Option<&'a str>,
}

/// We are in.
pub(in crate::cloud) struct Entered {
    pub(in crate::cloud) session: Session,
    pub(in crate::cloud) user: Thing,
    pub(in crate::cloud) project: Thing,
    pub(in crate::cloud) domain_id: Option<String>,
    pub(in crate::cloud) catalog: Vec<Service>,
}

impl Door<'_> {
    /// Logs in, with whatever gets a token.
    pub(in crate::cloud) async fn enter(&self) -> Result<Entered, ConnectError> {
        match self.config.credentials.clone() {
            Credentials::Password { user, domain, password, passcode } => {
                self.with_password(User::Password { who: user, domain, password, passcode }).await
            }
            Credentials::Application { credential, secret } => {
                self.with_application(User::Application { credential, secret }).await
            }
            Credentials::Token(token) => self.with_token(token).await,
            Credentials::Keys { .. } => Err(ConnectError::Keys),
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
        let domain = match &wanted {
            NameOrId::Name(_) => self.config.project_domain.clone(),
            NameOrId::Id(_) => None,
        };
        let scope = TokenScope::Project { project: wanted.clone(), domain };
        match Session::log_in(self.iam, user.clone(), scope, self.line).await {
            Ok((session, holder)) => self.entered("token", session, holder).await,
            Err(fault) if is_about_project(&fault) => {
                let (NameOrId::Name(wanted) | NameOrId::Id(wanted)) = wanted;
                let there = self.visible_without_project(user).await.unwrap_or(Visible::Unknown);
                Err(ConnectError::UnknownProject { wanted, there })
            }
            Err(fault) => Err(self.refused("get a token", note, fault)),
        }
    }

    /// The project is the one that the credential was made for: none is asked for.
    async fn with_application(&self, user: User) -> Result<Entered, ConnectError> {
        let (session, holder) = Session::log_in(self.iam, user, TokenScope::Nothing, self.line)
            .await
            .map_err(|fault| self.refused("get a token", APPLICATION_NOTE, fault))?;
        self.entered("application credential", session, holder).await
    }

    async fn with_token(&self, token: SecretString) -> Result<Entered, ConnectError> {
        let (session, holder) = Session::with_token(self.iam, token, self.line)
            .await
            .map_err(|fault| self.refused("look at the token", TOKEN_NOTE, fault))?;
        self.entered("token", session, holder).await
    }

    async fn entered(
        &self,
        what: &'static str,
        session: Session,
        holder: Holder,
    ) -> Result<Entered, ConnectError> {
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
            return Err(ConnectError::OtherProject { what, project: project.name, wanted });
        }
        Ok(Entered {
            session,
            user: holder.user,
            project,
            domain_id: holder.domain_id,
            catalog: holder.catalog,
        })
    }

    /// Sends a question of the way in, and reads what comes back.
    pub(in crate::cloud) async fn ask<T>(
        &self,
        session: &Session,
        draft: Draft,
        read: fn(&Response<Bytes>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        read(&session.exchange(CostClass::Reading, draft, self.line).await?)
    }

    /// By id if there is one, by name else.
    pub(in crate::cloud) fn wanted_project(&self) -> Option<NameOrId> {
        let id = self.config.project_id.clone().map(NameOrId::Id);
        let name = self.config.project_name.as_deref().or(self.main_project).map(str::to_owned);
        id.or(name.map(NameOrId::Name))
    }

    /// The projects that there are, as far as that can be asked.
    pub(in crate::cloud) async fn visible(&self, session: &Session) -> Visible {
        self.asked_for_visible(session).await.unwrap_or(Visible::Unknown)
    }

    pub(in crate::cloud) async fn asked_for_visible(
        &self,
        session: &Session,
    ) -> Result<Visible, Fault> {
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

    /// What it means that a step of the way in failed.
    pub(in crate::cloud) fn refused(
        &self,
        step: &'static str,
        note: &'static str,
        fault: Fault,
    ) -> ConnectError {
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
