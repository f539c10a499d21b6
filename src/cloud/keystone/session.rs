//! Who we are, request by request: a token that is renewed when it ends, or a signature.
//!
//! Start with [`Session::exchange`]. The only request that is ever sent twice is one that was
//! refused for its token: it was certainly not done. Once the cloud has refused us for good,
//! nothing more is sent: after five failed signatures in a row it locks an access key for everybody
//! who uses it (`auth.md`, section 3.1).

use std::sync::OnceLock;

use bytes::Bytes;
use http::{Request, Response};
use secrecy::{ExposeSecret, SecretString};

use super::super::config::NameOrId;
use super::super::fault;
use super::super::skew;
use super::base::Base;
use super::draft::{Draft, Scope};
use super::identity::{self, Holder, TokenScope, User};
use super::line::Line;
use super::tokens::{self, Next, Tokens, plain_headers, with_token};
use crate::domain::{CostClass, Fault, FaultClass, Timestamp};

/// A login, and whether it still opens anything.
pub(in crate::cloud) struct Session {
    way: Way,
    ended: OnceLock<Fault>,
}

/// How requests prove who sends them.
enum Way {
    /// Tokens of ours, which can be renewed.
    Login(Box<Logins>),
    /// A token of somebody else.
    Fixed(Fixed),
    /// A signature on each.
    Signed(Box<dyn Signer>),
}

/// One login for each scope.
struct Logins {
    project: Tokens,
    /// For agencies; `None` where a second login is not possible.
    account: Option<Tokens>,
}

/// A token that cannot be renewed.
struct Fixed {
    text: SecretString,
    expires: Option<Timestamp>,
}

/// Somebody who signs every request.
pub(in crate::cloud) trait Signer: Send + Sync {
    /// The draft as a request that is signed now.
    fn sign(&self, draft: Draft, now: Timestamp) -> Result<Request<Bytes>, Fault>;
    /// What a refusal says, with the reason where we know it.
    fn explain(&self, fault: Fault, clock: Option<skew::Skew>) -> Fault;
}

impl Session {
    fn of(way: Way) -> Self {
        Self { way, ended: OnceLock::new() }
    }

    /// Logs in.
    pub(in crate::cloud) async fn log_in(
        iam: &Base,
        user: User,
        scope: TokenScope,
        line: &Line,
    ) -> Result<(Self, Holder), Fault> {
        let project = Tokens::none_yet(iam, user.clone(), scope);
        let holder = project.log_in(line).await?;
        let domain = holder.domain_id.clone().filter(|_| user.has_account());
        let account = domain
            .map(|domain| Tokens::none_yet(iam, user, TokenScope::Account(NameOrId::Id(domain))));
        Ok((Self::of(Way::Login(Box::new(Logins { project, account }))), holder))
    }

    /// A token that somebody else fetched, and what it is worth.
    pub(in crate::cloud) async fn with_token(
        iam: &Base,
        text: SecretString,
        line: &Line,
    ) -> Result<(Self, Holder), Fault> {
        let response = line.deliver(CostClass::Reading, about_token(iam, &text)?).await?;
        let holder = identity::read_token(&response)?;
        let expires = holder.expires;
        Ok((Self::of(Way::Fixed(Fixed { text, expires })), holder))
    }

    /// Somebody who signs, and whom nobody has looked at yet.
    pub(in crate::cloud) fn signing(signer: impl Signer + 'static) -> Self {
        Self::of(Way::Signed(Box::new(signer)))
    }

    /// Sends, and once more with a new token if the first was refused for its token alone.
    pub(in crate::cloud) async fn exchange(
        &self,
        cost: CostClass,
        draft: Draft,
        line: &Line,
    ) -> Result<Response<Bytes>, Fault> {
        if let Some(fault) = self.ended.get() {
            return Err(fault.clone());
        }
        let of_account = draft.scope == Scope::Account;
        match &self.way {
            Way::Login(logins) => {
                let account = logins.account.as_ref().filter(|_| of_account);
                let tokens = account.unwrap_or(&logins.project);
                renewing(tokens, cost, draft, line).await.map_err(|trouble| match trouble {
                    Trouble::Line(fault) => fault,
                    Trouble::Login(fault) if account.is_some() => fault,
                    // What IAM says is no answer to the request, which was certainly not done.
                    Trouble::Login(fault) if tokens::is_final(&fault) => {
                        self.end(Fault { class: FaultClass::Unauthorised, ..fault })
                    }
                    Trouble::Login(fault) if fault.class == FaultClass::Throttled => fault,
                    Trouble::Login(fault) => Fault { class: FaultClass::Transient, ..fault },
                })
            }
            Way::Fixed(token) => {
                line.in_time(&draft)?;
                let request = with_token(draft, &token.text)?;
                self.last_try(line.deliver(cost, request).await?, |fault| token.explain(fault))
            }
            Way::Signed(signer) => {
                line.in_time(&draft)?;
                let response = line.deliver(cost, signer.sign(draft, line.now())?).await?;
                if of_account && !is_of_gateway(&response) {
                    // Not the keys: IAM itself does not let every user ask everything.
                    return Ok(response);
                }
                let clock = skew::of_answer(&response, line.now());
                self.last_try(response, |fault| signer.explain(fault, clock))
            }
        }
    }

    /// The answer, unless it says that we are not let in: then it is the last one.
    fn last_try(
        &self,
        response: Response<Bytes>,
        explain: impl FnOnce(Fault) -> Fault,
    ) -> Result<Response<Bytes>, Fault> {
        if is_refused(&response) {
            let fault = fault::of_answer(CostClass::Reading, &response);
            return Err(self.end(explain(fault)));
        }
        Ok(response)
    }

    /// From now on everybody gets the fault that came first, and nothing is sent.
    fn end(&self, fault: Fault) -> Fault {
        self.ended.get_or_init(|| fault).clone()
    }
}

/// Where it went wrong.
enum Trouble {
    /// No token, so the request was not sent, or was refused.
    Login(Fault),
    /// The request itself.
    Line(Fault),
}

async fn renewing(
    tokens: &Tokens,
    cost: CostClass,
    draft: Draft,
    line: &Line,
) -> Result<Response<Bytes>, Trouble> {
    let held = tokens.current(line).await.map_err(Trouble::Login)?;
    let response = attempt(&held, cost, draft.clone(), line).await?;
    if !is_refused(&response) {
        return Ok(response);
    }
    match tokens.replace(&held, line).await.map_err(Trouble::Login)? {
        Next::Token(next) => attempt(&next, cost, draft, line).await,
        Next::Nothing => Ok(response),
    }
}

async fn attempt(
    held: &tokens::Held,
    cost: CostClass,
    draft: Draft,
    line: &Line,
) -> Result<Response<Bytes>, Trouble> {
    line.in_time(&draft).map_err(Trouble::Line)?;
    let request = held.carry(draft).map_err(Trouble::Line)?;
    let response = line.deliver(cost, request).await.map_err(Trouble::Line)?;
    if response.status().is_success() {
        held.was_accepted();
    }
    Ok(response)
}

/// Refused at the door, so certainly not done.
fn is_refused(response: &Response<Bytes>) -> bool {
    response.status().is_client_error()
        && fault::of_answer(CostClass::Reading, response).class == FaultClass::Unauthorised
}

/// Whether the gateway refused, which looks at signatures, and not the service behind it.
fn is_of_gateway(response: &Response<Bytes>) -> bool {
    fault::of_answer(CostClass::Reading, response).code.starts_with("APIG")
}

/// The question what `token` is worth, asked with itself.
fn about_token(iam: &Base, token: &SecretString) -> Result<Request<Bytes>, Fault> {
    let draft = identity::token_question(iam);
    let mut headers = plain_headers(&draft);
    headers.push(("X-Auth-Token".to_owned(), token.expose_secret().to_owned()));
    headers.push(("X-Subject-Token".to_owned(), token.expose_secret().to_owned()));
    draft.into_http(&headers)
}

impl Fixed {
    fn explain(&self, fault: Fault) -> Fault {
        let ended = self.expires.map(|at| format!(", which was good until {at}"));
        let message = format!(
            "{}; the token was given from outside{}, so it cannot be renewed: give a new one, or a \
             password or access keys, and resume",
            fault.message.trim_end_matches('.'),
            ended.unwrap_or_default()
        );
        Fault { message, ..fault }
    }
}
