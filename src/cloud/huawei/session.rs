//! Who we are, request by request: a token that is renewed once when it dies, or a signature.
//!
//! Start with [`Session::authorise`]. However many requests find their token dead at once, one of
//! them fetches a new one and the others wait for it. A login that was refused is not tried again:
//! the account would be locked.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::super::fault;
use super::super::http::Transport;
use super::super::sign::{self, Outgoing};
use super::endpoints::Base;
use super::identity::{self, Holder, Project, TokenScope, User};
use super::request::{Draft, Scope};
use crate::domain::{CostClass, Fault, FaultClass, Timestamp};

/// How requests prove who sends them.
pub(super) enum Session {
    /// A token of ours, which can be renewed.
    Password(Box<Tokens>),
    /// A token of somebody else.
    Fixed(SecretString),
    /// A key pair.
    Keys(AccessKeys),
}

/// A key pair, and what it acts on.
pub(super) struct AccessKeys {
    pub(super) access: String,
    pub(super) secret: SecretString,
    pub(super) security_token: Option<SecretString>,
    pub(super) project_id: Option<String>,
    pub(super) domain_id: Option<String>,
}

/// Which of the tokens of a session a request was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

struct Held {
    text: SecretString,
    generation: Generation,
}

/// The present token, and how to get the next.
pub(super) struct Tokens {
    iam: Base,
    user: User,
    scope: TokenScope,
    held: RwLock<Arc<Held>>,
    renewal: Mutex<Renewal>,
    tried: std::sync::atomic::AtomicU64,
}

/// What became of the last try to renew.
#[derive(Default)]
struct Renewal {
    failed: Option<Fault>,
}

impl Session {
    /// Logs in with a password.
    pub(super) async fn log_in(
        iam: &Base,
        user: User,
        scope: TokenScope,
        transport: &dyn Transport,
    ) -> Result<(Self, Holder), Fault> {
        let (text, holder) = fetch(iam, &user, &scope, transport).await?;
        let held = Arc::new(Held { text, generation: Generation(0) });
        let tokens = Tokens {
            iam: iam.clone(),
            user,
            scope,
            held: RwLock::new(held),
            renewal: Mutex::new(Renewal::default()),
            tried: std::sync::atomic::AtomicU64::new(0),
        };
        Ok((Self::Password(Box::new(tokens)), holder))
    }

    /// The draft as a request that is ready to go.
    pub(super) fn authorise(
        &self,
        draft: Draft,
        now: Timestamp,
    ) -> Result<(Request<Bytes>, Generation), Fault> {
        match self {
            Self::Password(tokens) => {
                let held = tokens.held();
                Ok((with_token(draft, &held.text)?, held.generation))
            }
            Self::Fixed(text) => Ok((with_token(draft, text)?, Generation(0))),
            Self::Keys(keys) => Ok((keys.sign(draft, now)?, Generation(0))),
        }
    }

    /// A new token in place of the one of that generation. `None`: there is no way to get one.
    pub(super) async fn renew(
        &self,
        dead: Generation,
        transport: &dyn Transport,
    ) -> Option<Result<(), Fault>> {
        match self {
            Self::Password(tokens) => Some(tokens.renew(dead, transport).await),
            Self::Fixed(_) | Self::Keys(_) => None,
        }
    }

    /// The same session, acting on that project; a token does so by itself.
    pub(super) fn acting_on(self, project: &Project) -> Self {
        match self {
            Self::Keys(keys) => Self::Keys(AccessKeys {
                project_id: Some(project.id.clone()),
                domain_id: project.domain_id.clone(),
                ..keys
            }),
            Self::Password(_) | Self::Fixed(_) => self,
        }
    }

    /// A request of the whole account: with a password, one with a token of that scope.
    pub(super) async fn authorise_for_account(
        &self,
        draft: Draft,
        domain_id: &str,
        transport: &dyn Transport,
    ) -> Option<Result<Request<Bytes>, Fault>> {
        let Self::Password(tokens) = self else { return None };
        let scope = TokenScope::Account(super::super::config::NameOrId::Id(domain_id.to_owned()));
        let token = fetch(&tokens.iam, &tokens.user, &scope, transport).await;
        Some(token.and_then(|(text, _)| with_token(draft, &text)))
    }
}

impl Tokens {
    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn renew(&self, dead: Generation, transport: &dyn Transport) -> Result<(), Fault> {
        use std::sync::atomic::Ordering::SeqCst;

        let tried_before = self.tried.load(SeqCst);
        let mut renewal = self.renewal.lock().await;
        if self.held().generation != dead {
            return Ok(());
        }
        if let Some(fault) = &renewal.failed {
            // Somebody tried while we waited, or was refused for good.
            let tried_meanwhile = self.tried.load(SeqCst) != tried_before;
            if tried_meanwhile || fault.class == FaultClass::Unauthorised {
                return Err(fault.clone());
            }
        }
        self.tried.fetch_add(1, SeqCst);
        match fetch(&self.iam, &self.user, &self.scope, transport).await {
            Ok((text, _)) => {
                let held = Arc::new(Held { text, generation: Generation(dead.0 + 1) });
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
                renewal.failed = None;
                Ok(())
            }
            Err(fault) => {
                renewal.failed = Some(fault.clone());
                Err(fault)
            }
        }
    }
}

async fn fetch(
    iam: &Base,
    user: &User,
    scope: &TokenScope,
    transport: &dyn Transport,
) -> Result<(SecretString, Holder), Fault> {
    let draft = identity::token_request(iam, user, scope);
    let headers = plain_headers(&draft);
    let response = exchange(draft.into_http(&headers)?, transport).await?;
    let holder = identity::read_token(&response)
        .map_err(|fault| without(fault, user.password.expose_secret()))?;
    Ok((identity::token_text(&response)?, holder))
}

/// Sends a request that changes nothing.
pub(super) async fn exchange(
    request: Request<Bytes>,
    transport: &dyn Transport,
) -> Result<Response<Bytes>, Fault> {
    transport.send(request).await.map_err(|error| fault::of_net(CostClass::Reading, &error))
}

/// The fault without a secret, should the cloud have repeated it.
pub(super) fn without(mut fault: Fault, secret: &str) -> Fault {
    if !secret.is_empty() && fault.message.contains(secret) {
        fault.message = fault.message.replace(secret, "***");
    }
    fault
}

fn plain_headers(draft: &Draft) -> Vec<(String, String)> {
    vec![
        ("Host".to_owned(), draft.base.host().to_owned()),
        ("Content-Type".to_owned(), draft.content_type().to_owned()),
    ]
}

fn with_token(draft: Draft, token: &SecretString) -> Result<Request<Bytes>, Fault> {
    let mut headers = plain_headers(&draft);
    headers.push(("X-Auth-Token".to_owned(), token.expose_secret().to_owned()));
    draft.into_http(&headers)
}

/// The question what `token` is worth, asked with itself.
pub(super) fn about_token(iam: &Base, token: &SecretString) -> Result<Request<Bytes>, Fault> {
    let draft = identity::token_question(iam);
    let mut headers = plain_headers(&draft);
    headers.push(("X-Auth-Token".to_owned(), token.expose_secret().to_owned()));
    headers.push(("X-Subject-Token".to_owned(), token.expose_secret().to_owned()));
    draft.into_http(&headers)
}

impl AccessKeys {
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
