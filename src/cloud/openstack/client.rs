//! The client: makes one attempt at each action it is given.
//!
//! Start with [`OpenStackCloud`]; how it gets in is `keystone`'s.

use std::sync::Arc;

use super::super::config::{CloudConfig, Provider};
use super::super::http::Transport;
use super::super::keystone::{
    ConnectError, Draft, Entered, Gate, Identity, Line, Payload, Secrets, Session, WIPE_WITHIN,
    WallClock, expect_quotes_of, payload,
};
use super::super::{Cloud, Sent};
use super::places::Places;
use super::request::{Step, request};
use super::version::{Microversion, Versions};
use super::{answer, of_answer};
use crate::domain::{Action, CostClass, FaultClass, ReinstallRequest, Reply, UserId};

/// A cloud with Nova, logged in.
pub struct OpenStackCloud {
    places: Places,
    version: Microversion,
    identity: Identity,
    session: Session,
    line: Line,
    secrets: Arc<dyn Secrets>,
}

impl OpenStackCloud {
    /// Logs in. Everything secret that is sent from now on is known to `sent`.
    pub async fn connect(
        config: CloudConfig,
        transport: Arc<dyn Transport>,
        secrets: Arc<dyn Secrets>,
        clock: WallClock,
        sent: Sent,
    ) -> Result<Self, ConnectError> {
        let gate = Gate::open(config, transport, clock, sent)?;
        let entered = gate.door(None).enter().await?;
        Self::with(gate, entered, secrets).await
    }

    /// The cloud behind a door that we are through.
    pub(in crate::cloud) async fn with(
        gate: Gate,
        entered: Entered,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, ConnectError> {
        let Gate { config, iam, line } = gate;
        let Entered { session, user, project, domain_id: _, catalog } = entered;
        let (region, places) = Places::find(&config, &iam, &project.id, &catalog)?;
        let version = negotiate(&places, &session, &line).await?;
        let identity = Identity {
            provider: Provider::OpenStack,
            region,
            project_id: project.id,
            project_name: project.name,
            user_id: UserId::new(user.id),
            user_name: user.name,
            features: version.features(),
        };
        Ok(Self { places, version, identity, session, line, secrets })
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
        let payload: Payload = payload(action, &*self.secrets, self.line.sent())?;
        let draft = match request(action, &self.places, self.version, &payload)? {
            Step::Send(draft) => draft,
            Step::Known(known) => return Ok(known),
        };
        let wipes = matches!(action, Action::Reinstall { .. });
        let draft = Draft { send_by: wipes.then_some(asked + WIPE_WITHIN), ..draft };
        let response = self.session.exchange(action.cost_class(), draft, &self.line).await?;
        answer(action, &response)
    }
}

impl Cloud for OpenStackCloud {
    async fn call(&self, action: Action) -> Reply {
        let reply = self.attempt(&action).await;
        self.line.sent().without_in_reply(reply)
    }
}

/// The microversion to speak with this Nova.
async fn negotiate(
    places: &Places,
    session: &Session,
    line: &Line,
) -> Result<Microversion, ConnectError> {
    let host = places.compute.host().to_owned();
    let draft = Versions::request(&places.compute);
    let step = "read the versions of Nova";
    let refused = |host: &str, fault| ConnectError::Refused {
        step,
        host: host.to_owned(),
        fault: Box::new(fault),
    };
    let response = session
        .exchange(CostClass::Reading, draft, line)
        .await
        .map_err(|fault| refused(&host, fault))?;
    let versions = match Versions::read(&response) {
        Ok(versions) => versions,
        Err(fault) if fault.class == FaultClass::NotFound => {
            let why = "it has no API 2.1, the only one that is spoken".to_owned();
            return Err(ConnectError::TooOld { host, why });
        }
        Err(_) if !response.status().is_success() => {
            return Err(refused(&host, of_answer(CostClass::Reading, &response)));
        }
        Err(fault) => return Err(refused(&host, fault)),
    };
    versions.choose().map_err(|why| ConnectError::TooOld { host, why })
}
