//! One entry of clouds.yaml: how it is written, and what it comes to. Start with [`Entry::config`].
//!
//! What is set and would lead elsewhere if it were overlooked is refused by name; what makes no
//! difference here is ignored, as by other tools.

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::config::{
    ApplicationCredential, CloudConfig, ConfigError, Credentials, NameOrId, Overrides, Provider,
    Sources, incomplete,
};
use super::http::{Access, Trust};
use super::lenient::or_default;
use super::profile;
use super::proxy::Proxies;

/// A scalar exactly as it is written: an id of digits with one `e` must not become a number.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Setting(Option<String>);

/// Only whether there is one: it may be a password.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() { "set" } else { "unset" })
    }
}

impl Setting {
    pub(super) fn of(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }

    pub(super) fn some(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    pub(super) fn is_some(&self) -> bool {
        !self.as_str().is_empty()
    }

    pub(super) fn is_yes(&self) -> bool {
        self.as_str() == "1" || self.as_str().eq_ignore_ascii_case("true")
    }

    pub(super) fn is_no(&self) -> bool {
        self.as_str() == "0" || self.as_str().eq_ignore_ascii_case("false")
    }
}

/// Fields that are all texts, and one laid over another wherever the other says something.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident),* $(,)? } $({ $($inner:ident: $kind:ty),* })?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        pub(super) struct $name {
            $($(#[$meta])* pub(super) $field: Setting,)*
            $($(#[serde(deserialize_with = "or_default")] pub(super) $inner: $kind,)*)?
        }
        impl $name {
            pub(super) fn lay_over(&mut self, over: Self) {
                $(if over.$field.is_some() { self.$field = over.$field; })*
                $($(self.$inner.lay_over(over.$inner);)*)?
            }
        }
    };
}

settings! {
    /// An entry of clouds.yaml; what is not listed is ignored.
    Entry {
        #[serde(alias = "region-name")] region_name,
        verify, cacert, cert, key, profile,
        #[serde(alias = "auth-type")] auth_type,
        interface,
        #[serde(alias = "endpoint-type")] endpoint_type,
        identity_api_version,
        /// The old word for `profile`.
        cloud,
        #[serde(alias = "ak")] access_key,
        #[serde(alias = "sk")] secret_key,
        security_token,
        #[serde(alias = "compute_endpoint_override")] ecs_endpoint_override,
        #[serde(
            alias = "volume_endpoint_override",
            alias = "volumev3_endpoint_override",
            alias = "block_storage_endpoint_override"
        )]
        evs_endpoint_override,
        #[serde(alias = "image_endpoint_override")] ims_endpoint_override,
        kms_endpoint_override, cts_endpoint_override, cbr_endpoint_override,
        /// What belongs to `auth` is taken beside it too, and wins there, as openstacksdk has it.
        #[serde(alias = "auth-url")] auth_url,
        #[serde(alias = "user-name", alias = "user_name")] username,
        #[serde(alias = "user-id")] user_id,
        password, passcode, token,
        #[serde(alias = "project-name")] project_name,
        #[serde(alias = "project-id")] project_id,
        #[serde(alias = "tenant-name")] tenant_name,
        #[serde(alias = "tenant-id")] tenant_id,
        #[serde(alias = "user-domain-name")] user_domain_name,
        #[serde(alias = "user-domain-id")] user_domain_id,
        #[serde(alias = "project-domain-name")] project_domain_name,
        #[serde(alias = "project-domain-id")] project_domain_id,
        #[serde(alias = "domain-name")] domain_name,
        #[serde(alias = "domain-id")] domain_id,
        #[serde(alias = "default-domain")] default_domain,
        #[serde(alias = "application-credential-id")] application_credential_id,
        #[serde(alias = "application-credential-name")] application_credential_name,
        #[serde(alias = "application-credential-secret")] application_credential_secret,
    } { auth: Login, x_refleet: Extra, regions: Regions }
}

settings! {
    Login {
        #[serde(alias = "auth-url")] auth_url,
        #[serde(alias = "user-name", alias = "user_name")] username,
        #[serde(alias = "user-id")] user_id,
        password, passcode, token,
        #[serde(alias = "project-name")] project_name,
        #[serde(alias = "project-id")] project_id,
        #[serde(alias = "tenant-name")] tenant_name,
        #[serde(alias = "tenant-id")] tenant_id,
        #[serde(alias = "user-domain-name")] user_domain_name,
        #[serde(alias = "user-domain-id")] user_domain_id,
        #[serde(alias = "project-domain-name")] project_domain_name,
        #[serde(alias = "project-domain-id")] project_domain_id,
        #[serde(alias = "domain-name")] domain_name,
        #[serde(alias = "domain-id")] domain_id,
        #[serde(alias = "default-domain")] default_domain,
        target_agency_name,
        #[serde(alias = "application-credential-id")] application_credential_id,
        #[serde(alias = "application-credential-name")] application_credential_name,
        #[serde(alias = "application-credential-secret")] application_credential_secret,
        #[serde(alias = "access_key")] ak,
        #[serde(alias = "secret_key")] sk,
        security_token,
    }
}

settings! {
    /// What is ours.
    Extra { simulated, provider }
}

/// The regions that an entry is for, each with values of its own if there are any.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Regions(Vec<Region>);

#[derive(Clone, Debug, Default)]
struct Region {
    name: String,
    values: Option<Box<Entry>>,
}

impl Regions {
    fn lay_over(&mut self, over: Self) {
        if !over.0.is_empty() {
            *self = over;
        }
    }

    fn names(&self) -> String {
        self.0.iter().map(|region| region.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// `eu-de`, or `{ name: eu-de, values: { … } }`: read as it stands, so that ids stay texts.
impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrMap)
    }
}

struct NameOrMap;

impl<'de> Visitor<'de> for NameOrMap {
    type Value = Region;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a region, or a map with name and values")
    }

    fn visit_str<E>(self, name: &str) -> Result<Region, E> {
        Ok(Region { name: name.to_owned(), values: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Region, A::Error> {
        let mut region = Region::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => region.name = map.next_value::<Setting>()?.some().unwrap_or_default(),
                "values" => region.values = map.next_value::<Option<Box<Entry>>>()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(region)
    }
}

/// What the playbook asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The region.
    pub(super) region: Option<&'a str>,
    /// The family of the cloud.
    pub(super) provider: Option<Provider>,
}

impl Login {
    /// The old words for a project count where the new ones are not there.
    fn in_new_words(&mut self) {
        for (new, old) in [
            (&mut self.project_name, &mut self.tenant_name),
            (&mut self.project_id, &mut self.tenant_id),
        ] {
            let old = std::mem::take(old);
            if !new.is_some() {
                *new = old;
            }
        }
    }
}

impl Entry {
    /// What is written beside `auth`, and in old words, comes to where it belongs.
    pub(super) fn settle(mut self) -> Self {
        let take = std::mem::take::<Setting>;
        let mut beside = Login {
            auth_url: take(&mut self.auth_url),
            username: take(&mut self.username),
            user_id: take(&mut self.user_id),
            password: take(&mut self.password),
            passcode: take(&mut self.passcode),
            token: take(&mut self.token),
            project_name: take(&mut self.project_name),
            project_id: take(&mut self.project_id),
            tenant_name: take(&mut self.tenant_name),
            tenant_id: take(&mut self.tenant_id),
            user_domain_name: take(&mut self.user_domain_name),
            user_domain_id: take(&mut self.user_domain_id),
            project_domain_name: take(&mut self.project_domain_name),
            project_domain_id: take(&mut self.project_domain_id),
            domain_name: take(&mut self.domain_name),
            domain_id: take(&mut self.domain_id),
            default_domain: take(&mut self.default_domain),
            application_credential_id: take(&mut self.application_credential_id),
            application_credential_name: take(&mut self.application_credential_name),
            application_credential_secret: take(&mut self.application_credential_secret),
            ..Login::default()
        };
        beside.in_new_words();
        self.auth.in_new_words();
        self.auth.lay_over(beside);
        if !self.profile.is_some() {
            self.profile = std::mem::take(&mut self.cloud);
        }
        self
    }

    /// What the entry comes to.
    pub(super) fn config(
        mut self,
        name: &str,
        source: &str,
        asked: Asked<'_>,
        sources: &Sources<'_>,
    ) -> Result<CloudConfig, ConfigError> {
        let incomplete = |what: String| incomplete(name, source, what);
        let region = self.in_region(asked.region).map_err(incomplete)?;
        self.refuse_what_is_not_done().map_err(incomplete)?;
        let told = self.told_provider(asked.provider).map_err(incomplete)?;
        let auth_url = self.address(region.as_deref(), told).map_err(incomplete)?;
        let access = self.access(&auth_url, sources)?;
        let keys = Keys {
            access: self.auth.ak.clone().some().or(self.access_key.some()),
            secret: self.auth.sk.clone().some().or(self.secret_key.some()),
            token: self.auth.security_token.clone().some().or(self.security_token.some()),
        };
        let interface = self.interface.some().or(self.endpoint_type.some());
        let interface = interface.unwrap_or_else(|| "public".to_owned());
        let (profile, domains) = (self.profile, Domains::of(&self.auth));
        let credentials = credentials(self.auth.clone(), keys, &self.auth_type)
            .map_err(|what| incomplete(what.to_owned()))?;
        let provider = told.or_else(|| found_provider(profile.as_str(), &auth_url, &credentials));
        refuse_foreign(provider, &credentials).map_err(incomplete)?;
        Ok(CloudConfig {
            name: name.to_owned(),
            provider,
            source: source.to_owned(),
            auth_url,
            user_id: self.auth.user_id.clone().some(),
            project_id: self.auth.project_id.clone().some(),
            project_name: self.auth.project_name.clone().some(),
            project_domain: domains.of_project(provider),
            credentials,
            region,
            endpoints: Overrides {
                ecs: self.ecs_endpoint_override.some(),
                evs: self.evs_endpoint_override.some(),
                ims: self.ims_endpoint_override.some(),
                kms: self.kms_endpoint_override.some(),
                cts: self.cts_endpoint_override.some(),
                cbr: self.cbr_endpoint_override.some(),
            },
            interface: interface.trim_end_matches("URL").to_owned(),
            simulated: self.x_refleet.simulated.is_yes(),
            access,
        })
    }

    /// The region: the entry's own, the playbook's, or the only one there is. Its values are laid
    /// over the entry. Of several, nobody here chooses one.
    fn in_region(&mut self, asked: Option<&str>) -> Result<Option<String>, String> {
        let regions = std::mem::take(&mut self.regions);
        let asked = self.region_name.clone().some().or_else(|| asked.map(str::to_owned));
        if let Some(several) = asked.as_deref().filter(|region| region.contains(',')) {
            return Err(format!(
                "region_name is {several:?}, which is several regions: list them under regions, \
                 and set region in the playbook"
            ));
        }
        let names = regions.names();
        let one = match (&asked, regions.0.len()) {
            (_, 0) => return Ok(asked),
            (None, 1) => regions.0.into_iter().next(),
            (None, _) => {
                return Err(format!("it is for the regions {names}: set region in the playbook"));
            }
            (Some(asked), _) => regions.0.into_iter().find(|one| one.name == *asked),
        };
        let Some(one) = one else {
            let asked = asked.unwrap_or_default();
            return Err(format!("region {asked} is not among its regions: {names}"));
        };
        if let Some(values) = one.values {
            self.lay_over(values.settle());
        }
        Ok(Some(one.name))
    }

    /// What would lead elsewhere if it were overlooked.
    fn refuse_what_is_not_done(&self) -> Result<(), String> {
        let kind = self.auth_type.as_str();
        if !KINDS.contains(&kind) {
            return Err(format!(
                "auth_type {kind} is not known: it is v3password, v3applicationcredential, v3token \
                 or aksk, or left out"
            ));
        }
        if self.auth.target_agency_name.is_some() {
            return Err(
                "target_agency_name is not known: fetch temporary keys of the agency, and \
                        set ak, sk and security_token"
                    .to_owned(),
            );
        }
        if self.identity_api_version.as_str().starts_with('2') {
            return Err("identity_api_version is 2, and only 3 is spoken".to_owned());
        }
        Ok(())
    }

    /// The family, where clouds.yaml or the playbook says it.
    fn told_provider(&self, asked: Option<Provider>) -> Result<Option<Provider>, String> {
        let told = match self.x_refleet.provider.as_str() {
            "" => return Ok(asked),
            "otc" => Provider::Otc,
            "huaweicloud" | "huawei" => Provider::Huawei,
            "openstack" => Provider::OpenStack,
            other => {
                return Err(format!(
                    "x_refleet.provider {other} is not known: it is otc, huaweicloud or openstack"
                ));
            }
        };
        match asked {
            Some(asked) if asked != told => Err(format!(
                "x_refleet.provider is {}, and the playbook is for {}",
                called(told),
                called(asked)
            )),
            _ => Ok(Some(told)),
        }
    }

    fn address(&self, region: Option<&str>, provider: Option<Provider>) -> Result<String, String> {
        let auth = &self.auth;
        let of_huawei = provider != Some(Provider::OpenStack)
            && !auth.application_credential_id.is_some()
            && !auth.application_credential_name.is_some();
        let url = match (auth.auth_url.as_str(), region) {
            ("", _) if !of_huawei => return Err("auth_url is not set".to_owned()),
            ("", Some(region)) => return self.known_address(region),
            ("", None) if self.profile.is_some() => {
                return Err(
                    "it needs a region: set region_name, or region in the playbook".to_owned()
                );
            }
            ("", None) => return Err("neither auth_url nor a region is set".to_owned()),
            (url, Some(region)) => url.replace(profile::REGION, region),
            (url, None) => url.to_owned(),
        };
        if url.contains(profile::REGION) {
            return Err(
                "auth_url needs a region: set region_name, or region in the playbook".to_owned()
            );
        }
        Ok(url)
    }

    /// Where to log in, of an entry that names a region only. What is not in the table is asked for:
    /// an address that is put together may be another company's.
    fn known_address(&self, region: &str) -> Result<String, String> {
        let profile = self.profile.as_str();
        let cloud = if profile::is_built_in(profile) { profile } else { profile::HUAWEI };
        profile::iam_of(cloud, region).ok_or_else(|| match profile::profile_with(region) {
            Some(other) => format!(
                "auth_url is not set, and {region} is no region of {cloud}: set auth_url, or \
                 profile: {other}"
            ),
            None => format!(
                "auth_url is not set, and where to log in for region {region} of {cloud} is not known: \
                 set auth_url"
            ),
        })
    }

    fn access(&self, auth_url: &str, sources: &Sources<'_>) -> Result<Access, ConfigError> {
        let read = |file: &Setting, by: &'static str| match file.clone().some() {
            None => Ok(None),
            // The certificate itself, as secrets of Kubernetes hand it out.
            Some(pem) if pem.contains("-----BEGIN ") => Ok(Some(pem)),
            Some(file) => match (sources.read)(&at_home(&file, sources)) {
                Some(pem) => Ok(Some(pem)),
                None => Err(ConfigError::NoFile { file, by }),
            },
        };
        let proxies = Proxies::of(sources.variables)?;
        if auth_url.starts_with("http://") {
            return Ok(Access { proxies, ..Access::direct(Trust::PlainHttp) });
        }
        let trust = match (self.verify.is_no(), read(&self.cacert, "cacert")?) {
            (true, _) => Trust::Anything,
            (false, None) => Trust::Platform,
            (false, Some(pem)) => Trust::PlatformAnd(pem.into_bytes()),
        };
        // The key may be in the same file.
        let own = (read(&self.cert, "cert")?, read(&self.key, "key")?);
        let certificate = match own {
            (Some(cert), key) => Some(format!("{cert}\n{}", key.unwrap_or_default()).into()),
            (None, _) => None,
        };
        Ok(Access { trust, certificate, proxies })
    }
}

/// `~/` is the home folder.
fn at_home(file: &str, sources: &Sources<'_>) -> String {
    match (file.strip_prefix("~/"), sources.variables.get("HOME")) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        (_, _) => file.to_owned(),
    }
}

/// How `auth_type` may be written.
const KINDS: [&str; 10] = [
    "password",
    "v3password",
    "token",
    "v3token",
    "applicationcredential",
    "v3applicationcredential",
    "aksk",
    "v3aksk",
    "null",
    "",
];

/// As people write it.
fn called(provider: Provider) -> &'static str {
    match provider {
        Provider::Otc => "otc",
        Provider::Huawei => "huaweicloud",
        Provider::OpenStack => "openstack",
    }
}

/// The family, where something is only known in one of them.
fn found_provider(profile: &str, auth_url: &str, credentials: &Credentials) -> Option<Provider> {
    if profile.starts_with("otc") || auth_url.contains(".otc.t-systems.com") {
        return Some(Provider::Otc);
    }
    let of_huawei = auth_url.contains("myhuaweicloud");
    match credentials {
        Credentials::Application { .. } if !of_huawei => Some(Provider::OpenStack),
        Credentials::Keys { .. } => Some(Provider::Huawei),
        Credentials::Application { .. } | Credentials::Password { .. } | Credentials::Token(_) => {
            of_huawei.then_some(Provider::Huawei)
        }
    }
}

/// Credentials that the family does not know: a login with them would only be refused in worse words.
fn refuse_foreign(provider: Option<Provider>, credentials: &Credentials) -> Result<(), String> {
    let (what, instead) = match (provider, credentials) {
        (Some(Provider::OpenStack), Credentials::Keys { .. }) => {
            ("ak and sk", "a password or an application credential")
        }
        (Some(Provider::Otc | Provider::Huawei), Credentials::Application { .. }) => {
            ("application credentials", "a password, or ak and sk")
        }
        (_, Credentials::Password { passcode: Some(_), .. })
            if provider == Some(Provider::OpenStack) =>
        {
            ("a passcode", "an application credential")
        }
        _ => return Ok(()),
    };
    Err(format!("there are {what}, which this kind of cloud does not take: use {instead}"))
}

/// Which domains names belong to.
struct Domains {
    project: Option<NameOrId>,
    user: Option<NameOrId>,
}

impl Domains {
    fn of(auth: &Login) -> Self {
        let either = |id: &Setting, name: &Setting| {
            let id = id.clone().some().map(NameOrId::Id);
            id.or_else(|| name.clone().some().map(NameOrId::Name))
        };
        let user = either(&auth.user_domain_id, &auth.user_domain_name)
            .or_else(|| either(&auth.domain_id, &auth.domain_name))
            .or_else(|| auth.default_domain.clone().some().map(NameOrId::Name));
        let project = either(&auth.project_domain_id, &auth.project_domain_name);
        Self { project, user }
    }

    /// The domain to send with a project's name. IAM finds the project of whoever logs in without
    /// being told, Keystone finds none.
    fn of_project(self, provider: Option<Provider>) -> Option<NameOrId> {
        match provider {
            Some(Provider::Otc | Provider::Huawei) => self.project,
            Some(Provider::OpenStack) | None => self.project.or(self.user),
        }
    }
}

struct Keys {
    access: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

/// Keys before an application credential before a token before a password, unless `auth_type` says
/// which is meant.
fn credentials(auth: Login, keys: Keys, kind: &Setting) -> Result<Credentials, &'static str> {
    let kind = kind.as_str();
    let said = |end: &str| kind.ends_with(end);
    let any = !said("password") && !said("token") && !said("applicationcredential");
    if any {
        match (keys.access, keys.secret) {
            (Some(access), Some(secret)) => {
                return Ok(Credentials::Keys {
                    access,
                    secret: secret.into(),
                    security_token: keys.token.map(Into::into),
                });
            }
            (Some(_), None) => return Err("there is an access key without its secret key"),
            (None, Some(_)) => return Err("there is a secret key without its access key"),
            (None, None) => {}
        }
    }
    let has_application =
        auth.application_credential_id.is_some() || auth.application_credential_name.is_some();
    if said("applicationcredential") || (any && has_application) {
        return application(auth);
    }
    if let (false, Some(token)) = (said("password"), auth.token.clone().some()) {
        return Ok(Credentials::Token(token.into()));
    }
    password(auth)
}

/// An application credential; one that goes by its name is one of a user's.
fn application(auth: Login) -> Result<Credentials, &'static str> {
    let domain = Domains::of(&auth).user;
    let secret = auth
        .application_credential_secret
        .some()
        .ok_or("there is no application_credential_secret")?;
    let id = auth.application_credential_id.some();
    let name = auth.application_credential_name.some();
    let credential = match (id, name) {
        (Some(id), _) => ApplicationCredential::Id(id),
        (None, Some(name)) => {
            let user = match (auth.user_id.some(), auth.username.some()) {
                (Some(id), _) => NameOrId::Id(id),
                (None, Some(user)) => NameOrId::Name(user),
                (None, None) => {
                    return Err("there is an application_credential_name, but no username: use \
                                application_credential_id, or say whose it is");
                }
            };
            if domain.is_none() && matches!(user, NameOrId::Name(_)) {
                return Err("there is a username, but no user_domain_name");
            }
            ApplicationCredential::Named { name, user, domain }
        }
        (None, None) => return Err("there is no application_credential_id"),
    };
    Ok(Credentials::Application { credential, secret: secret.into() })
}

/// A user's name and password.
fn password(auth: Login) -> Result<Credentials, &'static str> {
    let domain = Domains::of(&auth).user;
    let password = auth
        .password
        .some()
        .ok_or("there are no credentials: neither a password, nor ak and sk, nor a token")?;
    let user = match (auth.user_id.some(), auth.username.some()) {
        (Some(id), _) => NameOrId::Id(id),
        (None, Some(name)) => NameOrId::Name(name),
        (None, None) => return Err("there is a password, but no username"),
    };
    let passcode = auth.passcode.some().map(SecretString::from);
    if passcode.is_some() && matches!(user, NameOrId::Name(_)) {
        return Err("there is a passcode, but no user_id: a login with a passcode needs it");
    }
    if domain.is_none() && matches!(user, NameOrId::Name(_)) {
        return Err("there is a username, but no user_domain_name: it is the account's name");
    }
    Ok(Credentials::Password { user, domain, password: password.into(), passcode })
}
