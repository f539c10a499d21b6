//! The client: logs in, then makes one attempt at each action it is given.
//!
//! Start with [`HuaweiCloud::connect`]. How it gets in, and how each request proves who sends it, is
//! `keystone`'s; access keys are in `key_door` and `keys`.

use std::sync::Arc;

use super::super::config::{CloudConfig, Credentials, Provider};
use super::super::http::Transport;
use super::super::keystone::{
    ConnectError, Draft, Entered, Gate, Identity, Line, Secrets, Session, WIPE_WITHIN, WallClock,
    expect_quotes_of, payload,
};
use super::super::{Cloud, Sent};
use super::endpoints::{Endpoints, Family};
use super::key_door;
use super::keys::AccessKeys;
use super::region;
use super::request::{Site, request};
use crate::domain::{
    Action, AgencyState, Answer, Fault, FaultClass, Features, ReinstallRequest, Reply, UserId,
};

/// A cloud of this family, logged in.
pub struct HuaweiCloud {
    site: Site,
    identity: Identity,
    session: Session,
    line: Line,
    secrets: Arc<dyn Secrets>,
}

impl HuaweiCloud {
    /// Logs in, or checks the keys by looking their project up. Everything secret that is sent from
    /// now on is known to `sent`.
    pub async fn connect(
        config: CloudConfig,
        transport: Arc<dyn Transport>,
        secrets: Arc<dyn Secrets>,
        clock: WallClock,
        sent: Sent,
    ) -> Result<Self, ConnectError> {
        let gate = Gate::open(config, transport, clock, sent)?;
        let entered = Self::enter(&gate).await?;
        Self::with(gate, entered, secrets).await
    }

    /// The way in that the credentials are for.
    pub(in crate::cloud) async fn enter(gate: &Gate) -> Result<Entered, ConnectError> {
        let door = gate.door(region::main_project(&gate.config));
        let Credentials::Keys { access, secret, security_token } = gate.config.credentials.clone()
        else {
            return door.enter().await;
        };
        let (project_id, domain_id) = (None, None);
        let keys = AccessKeys { access, secret, security_token, project_id, domain_id };
        key_door::enter(&door, keys).await
    }

    /// The cloud behind a door that we are through.
    pub(in crate::cloud) async fn with(
        gate: Gate,
        entered: Entered,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, ConnectError> {
        let region = match region::of(&gate.config, &entered.project.name) {
            Ok(region) => region,
            Err(its) => return Err(elsewhere(&gate, entered, its).await),
        };
        let Gate { config, iam, line } = gate;
        let provider = config.provider.unwrap_or(Provider::Huawei);
        let endpoints = Endpoints::find(&config, &iam, &region, &entered.catalog);
        Ok(Self {
            identity: Identity {
                provider,
                region,
                project_id: entered.project.id.clone(),
                project_name: entered.project.name,
                user_id: UserId::new(entered.user.id),
                user_name: entered.user.name,
                features: Features::default(),
            },
            site: Site {
                family: Family::of(provider),
                endpoints,
                project_id: entered.project.id,
                domain_id: entered.domain_id,
            },
            session: entered.session,
            line,
            secrets,
        })
    }

    /// Where we are, and who.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Learns what another process sent with these requests, as far as it is still where it was: a
    /// job that it began may quote it to this one. Commands are not run for that.
    pub fn expect_quotes_of<'r>(&self, requests: impl IntoIterator<Item = &'r ReinstallRequest>) {
        expect_quotes_of(requests, &*self.secrets, self.line.sent());
    }

    async fn attempt(&self, action: &Action) -> Reply {
        let asked = self.line.now();
        let payload = payload(action, &*self.secrets, self.line.sent())?;
        let draft = request(action, &self.site, &payload, self.line.now())?;
        let wipes = matches!(action, Action::Reinstall { .. });
        let draft = Draft { send_by: wipes.then_some(asked + WIPE_WITHIN), ..draft };
        let exchanged = self.session.exchange(action.cost_class(), draft, &self.line).await;
        let of_agency = matches!(action, Action::ShowAgency | Action::ListAgencyRoles { .. });
        let response = match exchanged {
            Err(fault) if of_agency && is_no_permission(&fault) => return Ok(not_shown(action)),
            other => other?,
        };
        super::answer(action, &response)
    }
}

impl Cloud for HuaweiCloud {
    async fn call(&self, action: Action) -> Reply {
        let reply = self.attempt(&action).await;
        self.line.sent().without_in_reply(reply)
    }
}

/// The project is one of another region than the one that is configured.
async fn elsewhere(gate: &Gate, entered: Entered, its: String) -> ConnectError {
    ConnectError::OtherRegion {
        project: entered.project.name,
        its,
        region: gate.config.region.clone().unwrap_or_default(),
        there: gate.door(None).visible(&entered.session).await,
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
