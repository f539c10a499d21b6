//! Where the services of a cloud are.
//!
//! Start with [`Endpoints::find`]: what the user says wins over the catalog, and that over the
//! pattern of host names (`auth.md`, section 6).

use super::super::config::{CloudConfig, Provider};
use super::super::keystone::{Base, Service, catalog};

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

    /// What the user says, else the catalog, else the pattern of host names.
    pub(super) fn find(
        config: &CloudConfig,
        iam: &Base,
        region: &str,
        catalog: &[Service],
    ) -> Self {
        let told = &config.endpoints;
        let family = Family::of(config.provider.unwrap_or(Provider::Huawei));
        let place = |told: &Option<String>, kinds: &[&str], label: &str| {
            let told = told.as_deref().and_then(Base::parse);
            told.or_else(|| catalog::find(catalog, kinds, (region, &config.interface), iam))
                .unwrap_or_else(|| guess(iam, family, label, region))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::config::{Credentials, Overrides};
    use crate::cloud::http::{Access, Trust};

    fn config(provider: Provider, endpoints: Overrides) -> CloudConfig {
        CloudConfig {
            name: "c".to_owned(),
            provider: Some(provider),
            source: String::new(),
            auth_url: String::new(),
            credentials: Credentials::Token("t".into()),
            user_id: None,
            project_id: None,
            project_name: None,
            region: None,
            project_domain: None,
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
}
