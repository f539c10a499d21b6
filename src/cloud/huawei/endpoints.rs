//! Where the services of a cloud are.
//!
//! Start with [`Endpoints::find`]: what the user says wins over the catalog, and that over the
//! pattern of host names (`auth.md`, section 6).

use serde::Deserialize;

use super::super::config::{CloudConfig, Overrides, Provider};
use super::super::lenient::{Text, or_default};

/// Which of the two: they document different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Open Telekom Cloud.
    Otc,
    /// Huawei Cloud, and everything that speaks like it.
    Huawei,
}

impl Family {
    /// Whatever is not said to be Open Telekom Cloud is taken for Huawei Cloud.
    pub(super) fn of(provider: Provider) -> Self {
        if provider == Provider::Otc { Self::Otc } else { Self::Huawei }
    }
}

/// The root of a service: paths with version and project are put behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// `https://host:port`, without the port if it is the usual one, and a prefix if there is one.
    pub(super) root: String,
    host_at: usize,
    prefix_at: usize,
}

impl Base {
    /// Reads an address; version and project behind the host are left away.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri: http::Uri = url.trim().parse().ok()?;
        let (scheme, host) = (uri.scheme_str()?, uri.host()?);
        let usual = matches!(
            (scheme, uri.port_u16()),
            (_, None) | ("https", Some(443)) | ("http", Some(80))
        );
        let port = uri.port_u16().filter(|_| !usual).map(|port| format!(":{port}"));
        let prefix: String = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .take_while(|part| !is_version(part))
            .map(|part| format!("/{part}"))
            .collect();
        let start = format!("{scheme}://");
        let authority = format!("{start}{host}{}", port.unwrap_or_default());
        (scheme == "https" || scheme == "http").then(|| Self {
            root: format!("{authority}{prefix}"),
            host_at: start.len(),
            prefix_at: authority.len(),
        })
    }

    /// Host, and port if it is not the usual one.
    pub(super) fn host(&self) -> &str {
        &self.root[self.host_at..self.prefix_at]
    }

    /// What stands before every path.
    pub(super) fn prefix(&self) -> &str {
        &self.root[self.prefix_at..]
    }

    fn is_encrypted(&self) -> bool {
        self.root.starts_with("https:")
    }
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The services that we talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Identity.
    pub(super) iam: Base,
    /// Servers, jobs, key pairs.
    pub(super) ecs: Base,
    /// Volumes and their quota.
    pub(super) evs: Base,
    /// Images.
    pub(super) ims: Base,
    /// Keys.
    pub(super) kms: Base,
    /// The audit log.
    pub(super) cts: Base,
    /// Backups.
    pub(super) cbr: Base,
}

impl Endpoints {
    /// One address for everything.
    #[must_use]
    pub fn single(base: &Base) -> Self {
        let at = || base.clone();
        Self { iam: at(), ecs: at(), evs: at(), ims: at(), kms: at(), cts: at(), cbr: at() }
    }

    /// The first override that is no address, with its key: it must not be overlooked.
    pub(super) fn bad_override(told: &Overrides) -> Option<(&'static str, &str)> {
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

    /// What the user says, else the catalog, else the pattern of host names.
    pub(super) fn find(
        config: &CloudConfig,
        iam: &Base,
        region: &str,
        catalog: &[Service],
    ) -> Self {
        let told = &config.endpoints;
        let place = |told: &Option<String>, kinds: &[&str], label: &str| {
            let told = told.as_deref().and_then(Base::parse);
            told.or_else(|| from_catalog(catalog, kinds, (region, &config.interface), iam))
                .unwrap_or_else(|| guess(iam, Family::of(config.provider), label, region))
        };
        Self {
            iam: iam.clone(),
            ecs: place(&told.ecs, &["ecs", "compute"], "ecs"),
            evs: place(&told.evs, &["volumev3", "volumev2", "evs", "volume"], "evs"),
            ims: place(&told.ims, &["image"], "ims"),
            kms: place(&told.kms, &["kmsv1", "kms"], "kms"),
            cts: place(&told.cts, &["ctsv3", "cts"], "cts"),
            cbr: place(&told.cbr, &["cbr"], "cbr"),
        }
    }
}

/// First match of the right kind, region and interface. Secrets never leave an encrypted cloud for
/// an address in the clear.
fn from_catalog(
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

/// `iam.<rest>`, or `iam-pub.<rest>` in Switzerland, becomes `<label>.<rest>`; Huawei's IAM without a region gets one; a host that has
/// no such name serves everything itself.
fn guess(iam: &Base, family: Family, label: &str, region: &str) -> Base {
    let guessed =
        iam.host().strip_prefix("iam.").or_else(|| iam.host().strip_prefix("iam-pub.")).and_then(
            |rest| {
                let rest = match family {
                    Family::Huawei if rest == "myhuaweicloud.com" => format!("{region}.{rest}"),
                    Family::Huawei | Family::Otc => rest.to_owned(),
                };
                Base::parse(&format!("{}{label}.{rest}", &iam.root[..iam.host_at]))
            },
        );
    guessed.unwrap_or_else(|| iam.clone())
}

/// A service of the catalog.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    #[serde(rename = "type")]
    kind: Text,
    #[serde(deserialize_with = "or_default")]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    interface: Text,
    region: Text,
    region_id: Text,
    url: Text,
}

impl Endpoint {
    /// Global services carry no region, or `*`.
    fn is_in(&self, region: &str) -> bool {
        let own = if self.region_id.is_some() { &self.region_id } else { &self.region };
        matches!(own.as_str(), "" | "*") || own.as_str() == region
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::config::Credentials;
    use crate::cloud::http::{Access, Trust};

    fn config(provider: Provider, endpoints: Overrides) -> CloudConfig {
        CloudConfig {
            name: "c".to_owned(),
            provider,
            source: String::new(),
            auth_url: String::new(),
            credentials: Credentials::Token("t".into()),
            user_id: None,
            project_id: None,
            project_name: None,
            region: None,
            endpoints,
            interface: "public".to_owned(),
            simulated: false,
            access: Access::direct(Trust::Platform),
        }
    }

    fn base(url: &str) -> Base {
        Base::parse(url).expect("an address")
    }

    fn catalog(json: &str) -> Vec<Service> {
        serde_json::from_str(json).expect("a catalog")
    }

    #[test]
    fn version_project_and_usual_port_are_left_away() {
        let check = |url: &str, root: &str, host: &str| {
            let base = base(url);
            assert_eq!((base.root.as_str(), base.host()), (root, host), "{url}");
        };
        check(
            "https://iam.eu-de.otc.t-systems.com:443/v3",
            "https://iam.eu-de.otc.t-systems.com",
            "iam.eu-de.otc.t-systems.com",
        );
        check("http://127.0.0.1:4000", "http://127.0.0.1:4000", "127.0.0.1:4000");
        check("http://127.0.0.1:80/", "http://127.0.0.1", "127.0.0.1");
        check("https://h/ims/v2/x", "https://h/ims", "h");
        check("https://h/v2.1/0123", "https://h", "h");
        check("https://h:8443/vault/v1/0123", "https://h:8443/vault", "h:8443");
        assert_eq!(base("https://h/ims/v2").prefix(), "/ims");
        for bad in ["", "iam.eu-de", "ftp://h/", "https://", "/v3"] {
            assert_eq!(Base::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_follow_the_pattern_of_their_cloud() {
        let check = |provider, iam: &str, region: &str, kms: &str| {
            let config = config(provider, Overrides::default());
            let found = Endpoints::find(&config, &base(iam), region, &[]);
            assert_eq!(found.kms.root, kms, "{iam}");
        };
        check(
            Provider::Otc,
            "https://iam.eu-de.otc.t-systems.com:443/v3",
            "eu-de",
            "https://kms.eu-de.otc.t-systems.com",
        );
        check(
            Provider::Otc,
            "https://iam.eu-nl.otc.t-systems.com/v3",
            "eu-nl",
            "https://kms.eu-nl.otc.t-systems.com",
        );
        check(
            Provider::Otc,
            "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3",
            "eu-ch2",
            "https://kms.eu-ch2.sc.otc.t-systems.com",
        );
        check(
            Provider::Huawei,
            "https://iam.cn-north-4.myhuaweicloud.com",
            "cn-north-4",
            "https://kms.cn-north-4.myhuaweicloud.com",
        );
        check(
            Provider::Huawei,
            "https://iam.myhuaweicloud.com/v3",
            "eu-west-101",
            "https://kms.eu-west-101.myhuaweicloud.com",
        );
        check(Provider::Huawei, "http://127.0.0.1:4000/v3", "eu-de", "http://127.0.0.1:4000");
    }

    #[test]
    fn the_catalog_is_searched_by_type_interface_and_region() {
        let services = catalog(
            r#"[{"type":"ecs","endpoints":[
                {"interface":"admin","region":"eu-de","url":"https://admin/v1/p"},
                {"interface":"public","region":"eu-nl","url":"https://nl/v1/p"},
                {"interface":"public","region_id":"eu-de","region":"x","url":"https://de/v1/p"}]},
              {"type":"image","endpoints":[{"interface":"public","region":"*","url":"https://global"}]},
              {"type":"kms","endpoints":null},
              {"type":"cts","endpoints":[{"interface":"public","region":"eu-de","url":"http://clear"}]}]"#,
        );
        let evs = Some("https://mine:9000/v2".to_owned());
        let config = config(Provider::Otc, Overrides { evs, ..Overrides::default() });
        let iam = base("https://iam.eu-de.otc.t-systems.com/v3");
        let found = Endpoints::find(&config, &iam, "eu-de", &services);
        assert_eq!(found.ecs.root, "https://de");
        assert_eq!(found.ims.root, "https://global");
        assert_eq!(found.evs.root, "https://mine:9000");
        assert_eq!(found.kms.root, "https://kms.eu-de.otc.t-systems.com");
        // A token is not sent in the clear because a catalog says so.
        assert_eq!(found.cts.root, "https://cts.eu-de.otc.t-systems.com");
    }

    #[test]
    fn the_interface_is_the_one_that_is_asked_for() {
        let services = catalog(
            r#"[{"type":"ecs","endpoints":[
                {"interface":"public","region":"eu-de","url":"https://outside"},
                {"interface":"internal","region":"eu-de","url":"https://inside"}]}]"#,
        );
        let iam = base("https://iam.eu-de.otc.t-systems.com/v3");
        let config = config(Provider::Otc, Overrides::default());
        let inside = CloudConfig { interface: "internal".to_owned(), ..config.clone() };
        let root = |config| Endpoints::find(config, &iam, "eu-de", &services).ecs.root;
        assert_eq!(
            (root(&config), root(&inside)),
            ("https://outside".into(), "https://inside".into())
        );
    }

    #[test]
    fn an_override_that_is_no_address_is_found_with_its_key() {
        let good = Some("https://h/v1".to_owned());
        let told = Overrides { ecs: good.clone(), kms: good, ..Overrides::default() };
        assert_eq!(Endpoints::bad_override(&told), None);
        let told = Overrides { ims: Some("ims.test".to_owned()), ..told };
        assert_eq!(Endpoints::bad_override(&told), Some(("ims_endpoint_override", "ims.test")));
    }
}
