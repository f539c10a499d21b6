//! Where Nova, Glance and Cinder are.
//!
//! Start with [`Places::find`]: what the user says wins over the catalog. A service that is not where
//! it was looked for is told with the places that it has.

use super::super::config::{CloudConfig, Overrides};
use super::super::keystone::{Base, ConnectError, Service, catalog};

/// Names of the service for servers.
const COMPUTE: &[&str] = &["compute"];
/// Names of the service for images.
const IMAGE: &[&str] = &["image"];
/// Names of the service for volumes, as it was called in the course of time.
const VOLUMES: &[&str] = &["block-storage", "volumev3", "block-store", "volume"];

/// The services that we talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Servers, their actions, key pairs: Nova.
    pub compute: Base,
    /// Images: Glance.
    pub image: Base,
    /// Volumes: Cinder, where there is one.
    pub volumes: Option<Base>,
    /// The project, for the paths of Cinder.
    pub project_id: String,
}

impl Places {
    /// The region, and where its services are.
    pub(super) fn find(
        config: &CloudConfig,
        iam: &Base,
        project_id: &str,
        catalog: &[Service],
    ) -> Result<(String, Self), ConnectError> {
        let Overrides { ecs, evs, ims, .. } = &config.endpoints;
        let region = region(config, catalog, ecs.is_some())?;
        let told = |told: &Option<String>| told.as_deref().and_then(Base::parse);
        let found =
            |kinds: &[&str]| catalog::find(catalog, kinds, (&region, &config.interface), iam);
        let absent = |kinds: &[&'static str], setting| ConnectError::NoService {
            service: kinds.first().copied().unwrap_or_default(),
            region: region.clone(),
            interface: config.interface.clone(),
            there: catalog::places(catalog, kinds),
            setting,
        };
        let compute = told(ecs).or_else(|| found(COMPUTE));
        let image = told(ims).or_else(|| found(IMAGE));
        let places = Self {
            compute: compute.ok_or_else(|| absent(COMPUTE, "compute_endpoint_override"))?,
            image: image.ok_or_else(|| absent(IMAGE, "image_endpoint_override"))?,
            volumes: told(evs).or_else(|| found(VOLUMES)),
            project_id: project_id.to_owned(),
        };
        Ok((region, places))
    }
}

/// The region that is configured, else the only one that there is.
fn region(
    config: &CloudConfig,
    catalog: &[Service],
    is_told_where: bool,
) -> Result<String, ConnectError> {
    if let Some(region) = &config.region {
        return Ok(region.clone());
    }
    let regions = catalog::regions(catalog, COMPUTE);
    match (&regions[..], is_told_where) {
        ([only], _) => Ok(only.clone()),
        ([], _) | (_, true) => Ok(String::new()),
        (_, false) => Err(ConnectError::NoRegion { regions }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::config::Credentials;
    use crate::cloud::http::{Access, Trust};

    fn config(region: Option<&str>, interface: &str, endpoints: Overrides) -> CloudConfig {
        CloudConfig {
            name: "c".to_owned(),
            provider: None,
            source: String::new(),
            auth_url: String::new(),
            credentials: Credentials::Token("t".into()),
            user_id: None,
            project_id: None,
            project_name: None,
            project_domain: None,
            region: region.map(str::to_owned),
            endpoints,
            interface: interface.to_owned(),
            simulated: false,
            access: Access::direct(Trust::Platform),
        }
    }

    fn catalog(json: &str) -> Vec<Service> {
        serde_json::from_str(json).expect("a catalog")
    }

    const TWO_REGIONS: &str = r#"[
        {"type": "compute", "endpoints": [
            {"interface": "public", "region": "one", "url": "https://one/compute/v2.1/0123"},
            {"interface": "internal", "region": "one", "url": "https://inside/v2.1"},
            {"interface": "public", "region": "two", "url": "https://two:8774/v2.1"}]},
        {"type": "image", "endpoints": [
            {"interface": "public", "region": "one", "url": "https://one/image/"},
            {"interface": "internal", "region": "one", "url": "https://inside:9292/v2"},
            {"interface": "public", "region": "two", "url": "https://two:9292"}]},
        {"type": "volumev3", "endpoints": [
            {"interface": "public", "region": "two", "url": "https://two:8776/v3/0123"}]}]"#;

    fn places(config: &CloudConfig) -> Result<(String, Places), String> {
        let iam = Base::parse("https://keystone/v3").expect("an address");
        Places::find(config, &iam, "p", &catalog(TWO_REGIONS)).map_err(|error| error.to_string())
    }

    #[test]
    fn services_are_found_by_region_and_interface_with_what_stands_before_the_version() {
        let roots = |config: CloudConfig| {
            let (region, found) = places(&config).expect("they are there");
            let volumes = found.volumes.map(|base| base.root).unwrap_or_default();
            [region, found.compute.root, found.image.root, volumes].join(" ")
        };
        let none = Overrides::default;
        assert_eq!(
            roots(config(Some("one"), "public", none())),
            "one https://one/compute https://one/image "
        );
        assert_eq!(
            roots(config(Some("one"), "internal", none())),
            "one https://inside https://inside:9292 "
        );
        assert_eq!(
            roots(config(Some("two"), "public", none())),
            "two https://two:8774 https://two:9292 https://two:8776"
        );
        let told = Overrides { ecs: Some("https://mine/nova/v2.1".to_owned()), ..none() };
        assert_eq!(
            roots(config(Some("one"), "public", told)),
            "one https://mine/nova https://one/image "
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_the_places_that_there_are() {
        let none = Overrides::default;
        let wrong = places(&config(Some("three"), "public", none())).expect_err("no such region");
        assert_eq!(
            wrong,
            "find the service compute in region three, interface public: the catalog has internal in \
             one, public in one, public in two; set region_name, interface or \
             compute_endpoint_override"
        );
        let wrong =
            places(&config(Some("two"), "internal", none())).expect_err("no such interface");
        assert!(wrong.contains("in region two, interface internal"), "{wrong}");
        let which = places(&config(None, "public", none())).expect_err("which region");
        assert_eq!(which, "choose a region: set region_name; the catalog has one, two");
        let told = Overrides { ecs: Some("https://mine/v2.1".to_owned()), ..none() };
        let image = places(&config(Some("three"), "public", told)).expect_err("no images");
        assert!(image.contains("find the service image"), "{image}");
    }
}
