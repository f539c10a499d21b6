//! Tokens of one scope: the present one, and how to get the next.
//!
//! Start with [`Tokens::current`]. However many requests want a new token at once, one of them
//! fetches it: shortly before the old one ends, while the others go on with that, and once it has
//! ended or was refused, while the others wait. A login that was refused is not tried again: the
//! account would be locked (`auth.md`, section 2).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::Request;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard};

use super::super::fault;
use super::base::Base;
use super::draft::Draft;
use super::identity::{self, Holder, TokenScope, User};
use super::line::Line;
use crate::domain::{CostClass, Fault, FaultClass, Millis, Timestamp};

/// How long before its end a token is renewed, at most …
const EARLY: Millis = Millis::mins(5);
/// … and as a part of its life.
const EARLY_PART: u64 = 20;

/// The present token of one scope, and how to get the next.
pub(in crate::cloud) struct Tokens {
    iam: Base,
    user: User,
    scope: TokenScope,
    held: RwLock<Option<Arc<Held>>>,
    renewal: Mutex<Renewal>,
    tried: AtomicU64,
}

/// A token.
pub(in crate::cloud) struct Held {
    text: SecretString,
    life: Option<Life>,
    /// It was fetched because the one before was refused.
    is_second_try: bool,
    accepted: AtomicBool,
}

/// When a token ends, by our own clock: that of the cloud may be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    renew_from: Timestamp,
    ends: Timestamp,
}

impl Life {
    fn of(asked: Timestamp, holder: &Holder) -> Option<Self> {
        let (issued, expires) = holder.issued.zip(holder.expires)?;
        let length = expires.since(issued);
        let early = EARLY.min(Millis(length.0 / EARLY_PART));
        let renew_from = asked + Millis(length.0 - early.0);
        Some(Self { renew_from, ends: asked + length })
    }
}

impl Held {
    /// Somebody let us in with it.
    pub(in crate::cloud) fn was_accepted(&self) {
        self.accepted.store(true, SeqCst);
    }

    /// The draft as a request that carries this token.
    pub(in crate::cloud) fn carry(&self, draft: Draft) -> Result<Request<Bytes>, Fault> {
        with_token(draft, &self.text)
    }

    fn ends_by(&self, now: Timestamp) -> bool {
        self.life.is_some_and(|life| life.ends <= now)
    }

    fn ends_soon(&self, now: Timestamp) -> bool {
        self.life.is_some_and(|life| life.renew_from <= now)
    }
}

/// What became of the last try to renew.
#[derive(Default)]
struct Renewal {
    failed: Option<Fault>,
    /// No early renewal before: the last one failed, and the old token is still good.
    hold_off: Option<Timestamp>,
}

/// What a refused token is replaced by.
pub(in crate::cloud) enum Next {
    /// A token that is another one.
    Token(Arc<Held>),
    /// Nothing: a token that was just fetched was refused as well, so it is not for its age.
    Nothing,
}

impl Tokens {
    /// None yet: the first request fetches one.
    pub(in crate::cloud) fn none_yet(iam: &Base, user: User, scope: TokenScope) -> Self {
        Self {
            iam: iam.clone(),
            user,
            scope,
            held: RwLock::default(),
            renewal: Mutex::default(),
            tried: AtomicU64::new(0),
        }
    }

    /// Logs in, with what the cloud says about who we are.
    pub(in crate::cloud) async fn log_in(&self, line: &Line) -> Result<Holder, Fault> {
        let mut renewal = self.renewal.lock().await;
        self.fetch(&mut renewal, line, false).await
    }

    /// The token to send a request with.
    pub(in crate::cloud) async fn current(&self, line: &Line) -> Result<Arc<Held>, Fault> {
        let now = line.now();
        match self.held() {
            None => self.after(None, line).await,
            Some(held) if held.ends_by(now) => self.after(Some(&held), line).await,
            Some(held) if held.ends_soon(now) && self.user.can_come_again() => {
                Ok(self.early(held, line).await)
            }
            Some(held) => Ok(held),
        }
    }

    /// A token in place of one that was refused.
    pub(in crate::cloud) async fn replace(
        &self,
        dead: &Arc<Held>,
        line: &Line,
    ) -> Result<Next, Fault> {
        let present = self.held().is_some_and(|held| Arc::ptr_eq(&held, dead));
        if present && dead.is_second_try && !dead.accepted.load(SeqCst) {
            return Ok(Next::Nothing);
        }
        self.after(Some(dead), line).await.map(Next::Token)
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token that comes after `dead`, which is fetched unless somebody else has done so.
    async fn after(&self, dead: Option<&Arc<Held>>, line: &Line) -> Result<Arc<Held>, Fault> {
        let tried_before = self.tried.load(SeqCst);
        let mut renewal = self.renewal.lock().await;
        let present = self.held();
        match (present, dead) {
            (Some(present), None) => return Ok(present),
            (Some(present), Some(dead)) if !Arc::ptr_eq(&present, dead) => return Ok(present),
            (Some(_) | None, _) => {}
        }
        if let Some(fault) = &renewal.failed {
            // Somebody tried while we waited, or was refused for good.
            let tried_meanwhile = self.tried.load(SeqCst) != tried_before;
            if tried_meanwhile || is_final(fault) {
                return Err(fault.clone());
            }
        }
        let was_refused = dead.is_some_and(|dead| !dead.ends_by(line.now()));
        self.fetch(&mut renewal, line, was_refused).await?;
        self.held().ok_or_else(|| fault::unreadable(CostClass::Reading, "no token"))
    }

    /// Renews a token that is still good, unless somebody does so already. Where it cannot be
    /// renewed now, the old one is used to its end.
    async fn early(&self, held: Arc<Held>, line: &Line) -> Arc<Held> {
        let Ok(mut renewal) = self.renewal.try_lock() else { return held };
        let present = self.held();
        if let Some(present) = present.filter(|present| !Arc::ptr_eq(present, &held)) {
            return present;
        }
        let now = line.now();
        let held_off = renewal.hold_off.is_some_and(|until| now < until);
        if held_off || renewal.failed.as_ref().is_some_and(is_final) {
            return held;
        }
        if self.fetch(&mut renewal, line, false).await.is_ok() {
            return self.held().unwrap_or(held);
        }
        let left = held.life.map_or(Millis(0), |life| life.ends.since(now));
        renewal.hold_off = Some(now + Millis(left.0 / 2));
        held
    }

    async fn fetch(
        &self,
        renewal: &mut MutexGuard<'_, Renewal>,
        line: &Line,
        is_second_try: bool,
    ) -> Result<Holder, Fault> {
        let is_first = self.tried.fetch_add(1, SeqCst) == 0;
        let fetched = if is_first || self.user.can_come_again() {
            self.ask(line, is_second_try).await
        } else {
            Err(passcode_spent())
        };
        match fetched {
            Ok((held, holder)) => {
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(held));
                **renewal = Renewal::default();
                Ok(holder)
            }
            Err(fault) => {
                renewal.failed = Some(fault.clone());
                Err(fault)
            }
        }
    }

    async fn ask(&self, line: &Line, is_second_try: bool) -> Result<(Held, Holder), Fault> {
        let draft = identity::token_request(&self.iam, &self.user, &self.scope);
        let headers = plain_headers(&draft);
        let asked = line.now();
        let response = line.deliver(CostClass::Reading, draft.into_http(&headers)?).await?;
        let holder = identity::read_token(&response).map_err(refusal)?;
        let held = Held {
            text: identity::token_text(&response)?,
            life: Life::of(asked, &holder),
            is_second_try,
            accepted: AtomicBool::new(false),
        };
        Ok((held, holder))
    }
}

/// An application credential that was deleted is a 404 of Keystone's: about who we are all the same.
fn refusal(fault: Fault) -> Fault {
    let is_gone = fault.class == FaultClass::NotFound
        && fault.message.to_ascii_lowercase().contains("application credential");
    if is_gone { Fault { class: FaultClass::Unauthorised, ..fault } } else { fault }
}

/// No further try can mend it, and each could lock the account.
pub(in crate::cloud) fn is_final(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Unauthorised | FaultClass::Forbidden)
}

fn passcode_spent() -> Fault {
    let message = "the token has ended, and a passcode gets one token only: start again with a new \
                   OS_PASSCODE, or with access keys for a run that outlives a token";
    fault::ours(FaultClass::Unauthorised, "refleet.passcode", message.to_owned())
}

/// What every request says.
pub(in crate::cloud) fn plain_headers(draft: &Draft) -> Vec<(String, String)> {
    let mut headers = vec![
        ("Host".to_owned(), draft.base.host().to_owned()),
        ("Content-Type".to_owned(), draft.content_type().to_owned()),
    ];
    headers.extend(draft.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    headers
}

/// The draft as a request that carries this token.
pub(in crate::cloud) fn with_token(
    draft: Draft,
    token: &SecretString,
) -> Result<Request<Bytes>, Fault> {
    let mut headers = plain_headers(&draft);
    headers.push(("X-Auth-Token".to_owned(), token.expose_secret().to_owned()));
    draft.into_http(&headers)
}
