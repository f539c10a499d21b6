//! From a configuration to a cloud, of whatever family it turns out to be.
//!
//! Start with [`connect`]. The family is what the configuration says; where it says nothing, the
//! catalog does, which comes with the login.

use std::sync::Arc;

use super::config::{CloudConfig, Provider};
use super::http::Transport;
use super::huawei::HuaweiCloud;
use super::keystone::{ConnectError, Gate, Identity, Secrets, Service, WallClock};
use super::openstack::OpenStackCloud;
use super::{Cloud, Sent};
use crate::domain::{Action, ReinstallRequest, Reply};

/// A cloud of one of the families, logged in.
pub enum AnyCloud {
    /// Open Telekom Cloud or Huawei Cloud.
    Huawei(Box<HuaweiCloud>),
    /// Any other with Nova.
    OpenStack(Box<OpenStackCloud>),
}

/// Logs in. Everything secret that is sent from now on is known to `sent`.
pub async fn connect(
    config: CloudConfig,
    transport: Arc<dyn Transport>,
    secrets: Arc<dyn Secrets>,
    clock: WallClock,
    sent: Sent,
) -> Result<AnyCloud, ConnectError> {
    let gate = Gate::open(config, transport, clock, sent)?;
    let entered = HuaweiCloud::enter(&gate).await?;
    let provider = match gate.config.provider {
        Some(told) => told,
        None => by_catalog(&entered.catalog)?,
    };
    Ok(match provider {
        Provider::Otc | Provider::Huawei => {
            AnyCloud::Huawei(Box::new(HuaweiCloud::with(gate, entered, secrets).await?))
        }
        Provider::OpenStack => {
            AnyCloud::OpenStack(Box::new(OpenStackCloud::with(gate, entered, secrets).await?))
        }
    })
}

/// Huawei's family has servers of its own beside Nova's; who has only Nova's is of the other.
fn by_catalog(catalog: &[Service]) -> Result<Provider, ConnectError> {
    let has = |kind: &str| catalog.iter().any(|service| service.kind.as_str() == kind);
    if has("ecs") {
        return Ok(Provider::Huawei);
    }
    if has("compute") {
        return Ok(Provider::OpenStack);
    }
    let mut services: Vec<String> =
        catalog.iter().map(|service| service.kind.as_str().to_owned()).collect();
    services.sort();
    services.dedup();
    Err(ConnectError::NoServers { services })
}

impl AnyCloud {
    /// Where we are, and who.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Huawei(cloud) => cloud.identity(),
            Self::OpenStack(cloud) => cloud.identity(),
        }
    }

    /// Learns what another process sent with these requests, as far as it is still where it was: a
    /// job that it began may quote it to this one. Commands are not run for that.
    pub fn expect_quotes_of<'r>(&self, requests: impl IntoIterator<Item = &'r ReinstallRequest>) {
        match self {
            Self::Huawei(cloud) => cloud.expect_quotes_of(requests),
            Self::OpenStack(cloud) => cloud.expect_quotes_of(requests),
        }
    }
}

impl Cloud for AnyCloud {
    async fn call(&self, action: Action) -> Reply {
        match self {
            Self::Huawei(cloud) => cloud.call(action).await,
            Self::OpenStack(cloud) => cloud.call(action).await,
        }
    }
}
