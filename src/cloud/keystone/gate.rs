//! What everybody needs before logging in: an address that is one, a line, and what must stay secret.
//!
//! Start with [`Gate::open`].

use std::sync::Arc;

use super::super::Sent;
use super::super::config::{CloudConfig, Overrides};
use super::super::http::Transport;
use super::base::Base;
use super::connect_error::ConnectError;
use super::door::Door;
use super::line::{Line, WallClock};

/// A cloud that can be asked, and that we have not logged in to.
pub(in crate::cloud) struct Gate {
    pub(in crate::cloud) config: CloudConfig,
    pub(in crate::cloud) iam: Base,
    pub(in crate::cloud) line: Line,
}

impl Gate {
    /// Refuses addresses that are none. Everything secret that is sent from now on is known to
    /// `sent`.
    pub(in crate::cloud) fn open(
        config: CloudConfig,
        transport: Arc<dyn Transport>,
        clock: WallClock,
        sent: Sent,
    ) -> Result<Self, ConnectError> {
        config.tell(&sent);
        let Some(iam) = Base::parse(&config.auth_url) else {
            return Err(ConnectError::Address { url: config.auth_url, setting: "auth_url" });
        };
        if let Some((setting, url)) = bad_override(&config.endpoints) {
            return Err(ConnectError::Address { url: url.to_owned(), setting });
        }
        Ok(Self { config, iam, line: Line::new(transport, clock, sent) })
    }

    /// The way in; `main_project` is meant where none is said.
    pub(in crate::cloud) fn door<'a>(&'a self, main_project: Option<&'a str>) -> Door<'a> {
        Door { iam: &self.iam, config: &self.config, line: &self.line, main_project }
    }
}

/// The first override that is no address, with its key: it must not be overlooked.
fn bad_override(told: &Overrides) -> Option<(&'static str, &str)> {
    let Overrides { ecs, evs, ims, kms, cts, cbr } = told;
    let named = [
        ("ecs_endpoint_override", ecs),
        ("evs_endpoint_override", evs),
        ("ims_endpoint_override", ims),
        ("kms_endpoint_override", kms),
        ("cts_endpoint_override", cts),
        ("cbr_endpoint_override", cbr),
    ];
    let told = named.into_iter().filter_map(|(key, url)| Some((key, url.as_deref()?)));
    told.into_iter().find(|(_, url)| Base::parse(url).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_that_is_no_address_is_found_with_its_key() {
        let good = Some("https://h/v1".to_owned());
        let told = Overrides { ecs: good.clone(), kms: good, ..Overrides::default() };
        assert_eq!(bad_override(&told), None);
        let told = Overrides { ims: Some("ims.test".to_owned()), ..told };
        assert_eq!(bad_override(&told), Some(("ims_endpoint_override", "ims.test")));
    }
}
