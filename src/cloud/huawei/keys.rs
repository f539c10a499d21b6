//! Access keys: a key pair that signs every request (`auth.md`, section 3). Start with [`AccessKeys`].

use bytes::Bytes;
use http::Request;
use secrecy::{ExposeSecret, SecretString};

use super::super::keystone::identity::Project;
use super::super::keystone::{Draft, Scope, Signer, plain_headers};
use super::super::sign::{self, Outgoing};
use super::super::skew;
use crate::domain::{Fault, Timestamp};

/// A key pair, and what it acts on.
#[derive(Clone)]
pub(super) struct AccessKeys {
    pub(super) access: String,
    pub(super) secret: SecretString,
    pub(super) security_token: Option<SecretString>,
    pub(super) project_id: Option<String>,
    pub(super) domain_id: Option<String>,
}

impl AccessKeys {
    /// The same keys, acting on that project.
    pub(super) fn acting_on(self, project: &Project) -> Self {
        Self { project_id: Some(project.id.clone()), domain_id: project.domain_id.clone(), ..self }
    }
}

impl Signer for AccessKeys {
    fn explain(&self, fault: Fault, clock: Option<skew::Skew>) -> Fault {
        let said = fault.message.trim_end_matches('.');
        let message = match (clock, &self.security_token) {
            (Some(skew), _) => format!("{skew} ({said})"),
            (None, Some(_)) => format!(
                "{said}; these keys are temporary, they end after 15 minutes to 24 hours: fetch new \
                 ones with their security token"
            ),
            (None, None) => said.to_owned(),
        };
        Fault { message, ..fault }
    }

    fn sign(&self, draft: Draft, now: Timestamp) -> Result<Request<Bytes>, Fault> {
        let mut headers = plain_headers(&draft);
        let acts_on = match draft.scope {
            Scope::Project => self.project_id.as_ref().map(|id| ("X-Project-Id", id)),
            Scope::Account => self.domain_id.as_ref().map(|id| ("X-Domain-Id", id)),
            Scope::Nobody => None,
        };
        headers.extend(acts_on.map(|(name, id)| (name.to_owned(), id.clone())));
        if let Some(token) = &self.security_token {
            headers.push(("X-Security-Token".to_owned(), token.expose_secret().to_owned()));
        }
        let path = draft.full_path();
        let request = Outgoing {
            method: draft.method.as_str(),
            host: draft.base.host(),
            path: &path,
            query: &draft.query,
            headers: &headers,
            body: &draft.body,
        };
        let signed = sign::sign(&request, &self.access, self.secret.expose_secret(), now);
        draft.into_http(&signed.headers)
    }
}
