//! Who is asking: tokens and signatures, really checked (`auth.md`, sections 2 and 3).

use std::collections::BTreeMap;

use super::super::account::Account;
use super::super::dice::Dice;
use super::super::error::{ApiError, Shape};
use super::message::Incoming;
use crate::cloud::sign::{self, Arrived, SignatureError};
use crate::domain::{Millis, Timestamp};

/// Failed signatures in a row before the access key is locked, and for how long.
const LOCK: (u32, Millis) = (5, Millis::mins(5));

/// What a token or a signature may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The project.
    Project,
    /// The domain, or nothing at all.
    Domain,
}

/// A token that was issued.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// When it was.
    pub(super) issued: Timestamp,
    /// When it ends.
    pub(super) expires: Timestamp,
    /// What for.
    pub(super) scope: Scope,
}

/// Tokens and the lock of the access key.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    tokens: BTreeMap<String, Token>,
    dice: Dice,
    failures: u32,
    locked_until: Option<Timestamp>,
    lock: Millis,
    /// How long a token lives.
    life: Millis,
}

impl Gate {
    /// Nobody was let in yet. The lock of an access key is a duration, so `speed` divides it; the
    /// life of a token is not.
    pub(super) fn new(seed: u64, life: Millis, lock: impl Fn(Millis) -> Millis) -> Self {
        let (tokens, dice) = (BTreeMap::new(), Dice::new(seed, 2));
        Self { tokens, dice, failures: 0, locked_until: None, lock: lock(LOCK.1), life }
    }

    /// A new token.
    pub(super) fn issue(&mut self, now: Timestamp, scope: Scope) -> (String, Token) {
        let text = format!("SIM{}{}", self.dice.hex(), self.dice.hex());
        let token = Token { issued: now, expires: now + self.life, scope };
        self.tokens.insert(text.clone(), token.clone());
        (text, token)
    }

    /// A token that is still good.
    pub(super) fn token(&self, text: &str, now: Timestamp) -> Result<&Token, ApiError> {
        let token = self.tokens.get(text).filter(|token| now < token.expires);
        token.ok_or_else(|| denied("APIGW.0307", "The token must be updated."))
    }

    /// Who is asking, and for what.
    pub(super) fn check(
        &mut self,
        request: &Incoming,
        account: &Account,
        now: Timestamp,
    ) -> Result<Scope, ApiError> {
        if let Some(text) = request.header("x-auth-token") {
            return self.token(text, now).map(|token| token.scope);
        }
        if self.locked_until.is_some_and(|until| now < until) {
            return Err(denied("APIGW.0301", "The access key is locked for some minutes."));
        }
        match check_signature(request, account, now) {
            Ok(()) => {
                self.failures = 0;
                Ok(Scope::Project)
            }
            Err(error) => {
                self.count_failure(now, &error);
                let code = if error == SignatureError::Skew { "APIGW.0303" } else { "APIGW.0301" };
                Err(ApiError::new(401, code, format!("Incorrect IAM authentication: {error}."))
                    .shaped(Shape::Gateway))
            }
        }
    }

    fn count_failure(&mut self, now: Timestamp, error: &SignatureError) {
        if *error == SignatureError::Missing {
            return;
        }
        self.failures += 1;
        if self.failures > LOCK.0 {
            self.failures = 0;
            self.locked_until = Some(now + self.lock);
        }
    }
}

fn check_signature(
    request: &Incoming,
    account: &Account,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let arrived = Arrived {
        method: &request.method,
        target: &request.target,
        headers: &request.headers,
        body: &request.body,
    };
    if sign::access_key(&request.headers)? != account.access_key {
        return Err(SignatureError::Mismatch);
    }
    sign::check(&arrived, &account.secret_key, now)
}

fn denied(code: &'static str, message: &'static str) -> ApiError {
    ApiError::new(401, code, message).shaped(Shape::Gateway)
}
