//! One entry of clouds.yaml: how it is written, and what it comes to. Start with [`Entry::config`].
//!
//! What is set and would lead elsewhere if it were overlooked is refused by name; what makes no
//! difference here is ignored, as by other tools.

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::config::{
    CloudConfig, ConfigError, Credentials, NameOrId, Overrides, Provider, Sources, incomplete,
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
        region_name, verify, cacert, cert, key, profile, auth_type, interface, endpoint_type,
        identity_api_version,
        #[serde(alias = "ak")] access_key,
        #[serde(alias = "sk")] secret_key,
        security_token,
        #[serde(alias = "compute_endpoint_override")] ecs_endpoint_override,
        #[serde(alias = "volume_endpoint_override")] evs_endpoint_override,
        #[serde(alias = "image_endpoint_override")] ims_endpoint_override,
        kms_endpoint_override, cts_endpoint_override, cbr_endpoint_override,
    } { auth: Login, x_refleet: Extra, regions: Regions }
}

settings! {
    Login {
        auth_url, username, user_id, password, passcode, token, project_name, project_id,
        user_domain_name, user_domain_id, domain_name, domain_id, default_domain, target_agency_name,
        #[serde(alias = "access_key")] ak,
        #[serde(alias = "secret_key")] sk,
        security_token,
    }
}

settings! {
    /// What is ours.
    Extra { simulated }
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

impl Entry {
    /// What the entry comes to. `region` is the playbook's.
    pub(super) fn config(
        mut self,
        name: &str,
        source: &str,
        region: Option<&str>,
        sources: &Sources<'_>,
    ) -> Result<CloudConfig, ConfigError> {
        let incomplete = |what: String| incomplete(name, source, what);
        let region = self.in_region(region).map_err(incomplete)?;
        self.refuse_what_is_not_done().map_err(incomplete)?;
        let auth_url = self.address(region.as_deref()).map_err(incomplete)?;
        let access = self.access(&auth_url, sources)?;
        let otc =
            self.profile.as_str().starts_with("otc") || auth_url.contains(".otc.t-systems.com");
        let keys = Keys {
            access: self.auth.ak.clone().some().or(self.access_key.some()),
            secret: self.auth.sk.clone().some().or(self.secret_key.some()),
            token: self.auth.security_token.clone().some().or(self.security_token.some()),
        };
        let interface = self.interface.some().or(self.endpoint_type.some());
        let interface = interface.unwrap_or_else(|| "public".to_owned());
        Ok(CloudConfig {
            name: name.to_owned(),
            provider: if otc { Provider::Otc } else { Provider::Huawei },
            source: source.to_owned(),
            auth_url,
            user_id: self.auth.user_id.clone().some(),
            project_id: self.auth.project_id.clone().some(),
            project_name: self.auth.project_name.clone().some(),
            credentials: credentials(self.auth, keys, &self.auth_type)
                .map_err(|what| incomplete(what.to_owned()))?,
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
            self.lay_over(*values);
        }
        Ok(Some(one.name))
    }

    /// What would lead elsewhere if it were overlooked.
    fn refuse_what_is_not_done(&self) -> Result<(), String> {
        let kind = self.auth_type.as_str();
        let known = ["password", "v3password", "token", "v3token", "aksk", "v3aksk", "null", ""];
        if !known.contains(&kind) {
            return Err(format!(
                "auth_type {kind} is not known: it is v3password, v3token or aksk, or left out"
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

    fn address(&self, region: Option<&str>) -> Result<String, String> {
        let url = match (self.auth.auth_url.as_str(), region) {
            ("", Some(region)) => format!("https://iam.{region}.myhuaweicloud.com/v3"),
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

    fn access(&self, auth_url: &str, sources: &Sources<'_>) -> Result<Access, ConfigError> {
        let read = |file: &Setting, by: &'static str| match file.clone().some() {
            None => Ok(None),
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

struct Keys {
    access: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

/// Keys before a token before a password, unless `auth_type` says which is meant.
fn credentials(auth: Login, keys: Keys, kind: &Setting) -> Result<Credentials, &'static str> {
    let (password_meant, token_meant) =
        (kind.as_str().ends_with("password"), kind.as_str().ends_with("token"));
    if !password_meant && !token_meant {
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
    if let (false, Some(token)) = (password_meant, auth.token.some()) {
        return Ok(Credentials::Token(token.into()));
    }
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
    let domain_id = auth.user_domain_id.some().or(auth.domain_id.some());
    let domain_name = auth.user_domain_name.some().or(auth.domain_name.some());
    let domain_name = domain_name.or(auth.default_domain.some());
    let domain = domain_id.map(NameOrId::Id).or(domain_name.map(NameOrId::Name));
    if domain.is_none() && matches!(user, NameOrId::Name(_)) {
        return Err("there is a username, but no user_domain_name: it is the account's name");
    }
    Ok(Credentials::Password { user, domain, password: password.into(), passcode })
}
