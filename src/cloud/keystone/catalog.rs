//! The catalog that comes with a token: which services there are, and where.
//!
//! Start with [`find`].

use serde::Deserialize;

use super::super::lenient::{Text, or_default};
use super::base::Base;

/// First match of the right kind, region and interface. Secrets never leave an encrypted cloud for
/// an address in the clear.
pub(in crate::cloud) fn find(
    catalog: &[Service],
    kinds: &[&str],
    (region, interface): (&str, &str),
    iam: &Base,
) -> Option<Base> {
    kinds.iter().find_map(|kind| {
        catalog
            .iter()
            .filter(|service| service.kind.as_str() == *kind)
            .flat_map(|service| &service.endpoints)
            .filter(|endpoint| endpoint.interface.as_str() == interface)
            .filter(|endpoint| region.is_empty() || endpoint.is_in(region))
            .filter_map(|endpoint| Base::parse(endpoint.url.as_str()))
            .find(|base| base.is_encrypted() || !iam.is_encrypted())
    })
}

/// A service of the catalog.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cloud) struct Service {
    #[serde(rename = "type")]
    pub(in crate::cloud) kind: Text,
    #[serde(deserialize_with = "or_default")]
    pub(in crate::cloud) endpoints: Vec<Endpoint>,
}

/// One address of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cloud) struct Endpoint {
    pub(in crate::cloud) interface: Text,
    region: Text,
    region_id: Text,
    pub(in crate::cloud) url: Text,
}

impl Endpoint {
    /// Global services carry no region, or `*`.
    fn is_in(&self, region: &str) -> bool {
        matches!(self.own_region(), "" | "*") || self.own_region() == region
    }

    fn own_region(&self) -> &str {
        let own = if self.region_id.is_some() { &self.region_id } else { &self.region };
        own.as_str()
    }
}

/// The regions that have a service of these kinds, sorted.
pub(in crate::cloud) fn regions(catalog: &[Service], kinds: &[&str]) -> Vec<String> {
    sorted(of_kinds(catalog, kinds).map(|endpoint| endpoint.own_region().to_owned()))
}

/// Where a service of these kinds is: `public in RegionOne`, sorted.
pub(in crate::cloud) fn places(catalog: &[Service], kinds: &[&str]) -> Vec<String> {
    let place = |endpoint: &Endpoint| {
        let clear = if endpoint.url.as_str().starts_with("http:") { ", unencrypted" } else { "" };
        format!("{} in {}{clear}", endpoint.interface.as_str(), endpoint.own_region())
    };
    sorted(of_kinds(catalog, kinds).map(place))
}

fn of_kinds<'a>(
    catalog: &'a [Service],
    kinds: &'a [&str],
) -> impl Iterator<Item = &'a Endpoint> + 'a {
    let wanted = |service: &&Service| kinds.contains(&service.kind.as_str());
    catalog.iter().filter(wanted).flat_map(|service| &service.endpoints)
}

fn sorted(things: impl Iterator<Item = String>) -> Vec<String> {
    let mut things: Vec<String> = things.filter(|thing| !thing.is_empty()).collect();
    things.sort();
    things.dedup();
    things
}
