//! Which cloud, and who we are there: `clouds.yaml`, `secure.yaml` and environment variables.
//!
//! Start with [`load`]. It is pure: variables come in as a map, files through a function, so that
//! nothing here touches the machine (`auth.md`, section 7). Secrets are [`SecretString`]s from the
//! moment they are read, and no error names one.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use super::http::{Access, Trust};
use super::lenient::or_default;
use super::proxy::{Proxies, ProxyError};
use crate::yaml;

/// What the machine offers.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Environment variables.
    pub variables: &'a BTreeMap<String, String>,
    /// A clouds.yaml that was named explicitly; then no other is looked at.
    pub clouds_file: Option<&'a str>,
    /// The content of a file, if it is there.
    pub read: &'a dyn Fn(&str) -> Option<String>,
}

/// Which family of clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Open Telekom Cloud.
    Otc,
    /// Huawei Cloud, and everything that speaks like it.
    Huawei,
}

/// How we prove who we are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A user's name and password; a token is fetched with them, and renewed.
    Password {
        /// The user.
        user: NameOrId,
        /// The account that the user belongs to; an id of a user needs none.
        domain: Option<NameOrId>,
        /// The password.
        password: SecretString,
        /// Of a virtual MFA device; good for one login.
        passcode: Option<SecretString>,
    },
    /// A key pair that signs every request.
    Keys {
        /// The access key.
        access: String,
        /// The secret key.
        secret: SecretString,
        /// Sent along with temporary keys.
        security_token: Option<SecretString>,
    },
    /// A token that somebody else fetched; it cannot be renewed.
    Token(SecretString),
}

/// A thing of IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameOrId {
    /// By name.
    Name(String),
    /// By id.
    Id(String),
}

/// Service addresses that win over all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Elastic Cloud Server.
    pub ecs: Option<String>,
    /// Elastic Volume Service.
    pub evs: Option<String>,
    /// Image Management Service.
    pub ims: Option<String>,
    /// Key Management Service.
    pub kms: Option<String>,
    /// Cloud Trace Service.
    pub cts: Option<String>,
}

/// A cloud to connect to.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// Its name in the playbook.
    pub name: String,
    /// Its family.
    pub provider: Provider,
    /// Where all of this was found, for people.
    pub source: String,
    /// Address of IAM.
    pub auth_url: String,
    /// How we prove who we are.
    pub credentials: Credentials,
    /// The acting user's id, where it is configured.
    pub user_id: Option<String>,
    /// The project's id, where it is configured.
    pub project_id: Option<String>,
    /// The project's name, where it is configured.
    pub project_name: Option<String>,
    /// The region, where it is configured.
    pub region: Option<String>,
    /// Service addresses that win over all others.
    pub endpoints: Overrides,
    /// A rehearsal: nothing real is touched (`x_refleet: { simulated: true }`).
    pub simulated: bool,
    /// How the network is reached.
    pub access: Access,
}

/// A cloud that cannot be connected to as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file has the entry, and the environment does not describe a cloud.
    #[error(
        "find cloud {name:?}: {searched}{}",
        .similar.as_ref().map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
    )]
    Unknown {
        /// The cloud's name.
        name: String,
        /// What was looked at, in words.
        searched: String,
        /// An entry whose name is close.
        similar: Option<String>,
    },
    /// A file that was named cannot be read.
    #[error("read {file}, which {by} names")]
    NoFile {
        /// The file.
        file: String,
        /// What names it.
        by: &'static str,
    },
    /// A file is not what it should be.
    #[error("read {file}: {error}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        error: yaml::Error,
    },
    /// A proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Something is not said.
    #[error("use cloud {name:?} from {source_name}: {what}")]
    Incomplete {
        /// The cloud's name.
        name: String,
        /// Where its settings are.
        source_name: String,
        /// What is not said.
        what: &'static str,
    },
}

/// Finds the cloud `name`; `region`, if the playbook says one, is used where nothing else is said.
pub fn load(
    name: &str,
    region: Option<&str>,
    sources: &Sources<'_>,
) -> Result<CloudConfig, ConfigError> {
    let found = find_file(sources)?;
    let names: Vec<&String> = found.iter().flat_map(|file| file.clouds.keys()).collect();
    let entry = found.as_ref().and_then(|file| file.clouds.get(name)).and_then(Option::as_ref);
    if let (Some(file), Some(entry)) = (&found, entry) {
        return entry.clone().config(name, &file.path, region, sources);
    }
    let similar = closest(name, &names);
    if similar.is_none() && describes_a_cloud(sources.variables) {
        return environment(sources.variables).config(name, "the environment", region, sources);
    }
    Err(ConfigError::Unknown {
        name: name.to_owned(),
        searched: searched(found.as_ref(), sources),
        similar,
    })
}

/// A clouds.yaml with its secure.yaml laid over it.
struct Found {
    path: String,
    clouds: BTreeMap<String, Option<Entry>>,
}

fn find_file(sources: &Sources<'_>) -> Result<Option<Found>, ConfigError> {
    let pointed = sources.variables.get("OS_CLIENT_CONFIG_FILE").filter(|path| !path.is_empty());
    let named = sources
        .clouds_file
        .map(|path| (path, "the command line"))
        .or(pointed.map(|path| (path.as_str(), "OS_CLIENT_CONFIG_FILE")));
    if let Some((file, by)) = named {
        let text = (sources.read)(file)
            .ok_or_else(|| ConfigError::NoFile { file: file.to_owned(), by })?;
        return read_file(file, &text, sources).map(Some);
    }
    for path in usual_places(sources) {
        if let Some(text) = (sources.read)(&path) {
            return read_file(&path, &text, sources).map(Some);
        }
    }
    Ok(None)
}

fn usual_places(sources: &Sources<'_>) -> Vec<String> {
    let home = sources.variables.get("HOME").filter(|home| !home.is_empty());
    let mut places = vec!["clouds.yaml".to_owned()];
    places.extend(home.map(|home| format!("{home}/.config/openstack/clouds.yaml")));
    places.push("/etc/openstack/clouds.yaml".to_owned());
    places
}

fn read_file(path: &str, text: &str, sources: &Sources<'_>) -> Result<Found, ConfigError> {
    let mut file = parse(path, text)?;
    let secure = match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/secure.yaml"),
        None => "secure.yaml".to_owned(),
    };
    if let Some(text) = (sources.read)(&secure) {
        for (name, entry) in parse(&secure, &text)?.clouds {
            if let (Some(Some(under)), Some(over)) = (file.clouds.get_mut(&name), entry) {
                under.lay_over(over);
            }
        }
    }
    Ok(Found { path: path.to_owned(), clouds: file.clouds })
}

fn parse(path: &str, text: &str) -> Result<File, ConfigError> {
    yaml::from_str(text).map_err(|error| ConfigError::Yaml { file: path.to_owned(), error })
}

fn closest(name: &str, names: &[&String]) -> Option<String> {
    names
        .iter()
        .map(|have| (strsim::damerau_levenshtein(name, have), *have))
        .filter(|(distance, have)| *distance <= 1 + have.chars().count() / 4)
        .min()
        .map(|(_, have)| have.clone())
}

fn searched(found: Option<&Found>, sources: &Sources<'_>) -> String {
    let files = match found {
        Some(file) if file.clouds.is_empty() => format!("{} has no clouds", file.path),
        Some(file) => {
            let names: Vec<&str> = file.clouds.keys().map(String::as_str).collect();
            format!("{} has {}", file.path, names.join(", "))
        }
        None => format!("there is no {}", usual_places(sources).join(", no ")),
    };
    let environment = if sources.variables.contains_key("OS_CLOUD") {
        "OS_CLOUD is set, so other variables are not looked at"
    } else {
        "neither OS_AUTH_URL nor HUAWEICLOUD_SDK_AK is set"
    };
    format!("{files}, and {environment}")
}

/// Whether variables stand for a whole cloud. `OS_CLOUD` says that clouds.yaml is meant.
fn describes_a_cloud(variables: &BTreeMap<String, String>) -> bool {
    let set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    !set("OS_CLOUD") && (set("OS_AUTH_URL") || set("HUAWEICLOUD_SDK_AK"))
}

fn environment(variables: &BTreeMap<String, String>) -> Entry {
    let first = |names: &[&str]| {
        let value = names.iter().find_map(|name| variables.get(*name).filter(|v| !v.is_empty()));
        value.map_or_else(Setting::default, |value| Setting::of(value.as_str()))
    };
    let insecure = first(&["OS_INSECURE"]).is_yes();
    Entry {
        auth: Login {
            auth_url: first(&["OS_AUTH_URL"]),
            username: first(&["OS_USERNAME"]),
            user_id: first(&["OS_USER_ID"]),
            password: first(&["OS_PASSWORD"]),
            passcode: first(&["OS_PASSCODE"]),
            token: first(&["OS_TOKEN", "OS_AUTH_TOKEN"]),
            project_name: first(&["OS_PROJECT_NAME", "OS_TENANT_NAME"]),
            project_id: first(&["OS_PROJECT_ID", "OS_TENANT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"]),
            user_domain_name: first(&["OS_USER_DOMAIN_NAME", "OS_DOMAIN_NAME"]),
            user_domain_id: first(&["OS_USER_DOMAIN_ID", "HUAWEICLOUD_SDK_DOMAIN_ID"]),
            ak: first(&["OS_ACCESS_KEY", "HUAWEICLOUD_SDK_AK"]),
            sk: first(&["OS_SECRET_KEY", "HUAWEICLOUD_SDK_SK"]),
            security_token: first(&["OS_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"]),
            ..Login::default()
        },
        region_name: first(&["OS_REGION_NAME", "OS_REGION"]),
        cacert: first(&["OS_CACERT"]),
        verify: if insecure { Setting::of("false") } else { Setting::default() },
        ..Entry::default()
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default, deserialize_with = "or_default")]
    clouds: BTreeMap<String, Option<Entry>>,
}

/// A scalar exactly as it is written: an id of digits with one `e` must not become a number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Setting(Option<String>);

impl Setting {
    fn of(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }

    fn some(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }

    fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    fn is_some(&self) -> bool {
        !self.as_str().is_empty()
    }

    fn is_yes(&self) -> bool {
        self.as_str() == "1" || self.as_str().eq_ignore_ascii_case("true")
    }

    fn is_no(&self) -> bool {
        self.as_str() == "0" || self.as_str().eq_ignore_ascii_case("false")
    }
}

/// Fields that are all texts, and one laid over another wherever the other says something.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident),* $(,)? } $({ $($inner:ident: $kind:ty),* })?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        struct $name {
            $($(#[$meta])* $field: Setting,)*
            $($(#[serde(deserialize_with = "or_default")] $inner: $kind,)*)?
        }
        impl $name {
            fn lay_over(&mut self, over: Self) {
                $(if over.$field.is_some() { self.$field = over.$field; })*
                $($(self.$inner.lay_over(over.$inner);)*)?
            }
        }
    };
}

settings! {
    /// An entry of clouds.yaml; what is not listed is ignored.
    Entry {
        region_name, verify, cacert, profile, auth_type,
        #[serde(alias = "ak")] access_key,
        #[serde(alias = "sk")] secret_key,
        security_token,
        #[serde(alias = "compute_endpoint_override")] ecs_endpoint_override,
        #[serde(alias = "volume_endpoint_override")] evs_endpoint_override,
        #[serde(alias = "image_endpoint_override")] ims_endpoint_override,
        kms_endpoint_override, cts_endpoint_override,
    } { auth: Login, x_refleet: Extra }
}

settings! {
    Login {
        auth_url, username, user_id, password, passcode, token, project_name, project_id,
        user_domain_name, user_domain_id, domain_name, domain_id,
        #[serde(alias = "access_key")] ak,
        #[serde(alias = "secret_key")] sk,
        security_token,
    }
}

settings! {
    /// What is ours.
    Extra { simulated }
}

impl Entry {
    fn config(
        self,
        name: &str,
        source: &str,
        region: Option<&str>,
        sources: &Sources<'_>,
    ) -> Result<CloudConfig, ConfigError> {
        let incomplete = |what| ConfigError::Incomplete {
            name: name.to_owned(),
            source_name: source.to_owned(),
            what,
        };
        let region = self.region_name.some().or_else(|| region.map(str::to_owned));
        let auth_url = match (self.auth.auth_url.clone().some(), &region) {
            (Some(url), _) => url,
            (None, Some(region)) => format!("https://iam.{region}.myhuaweicloud.com/v3"),
            (None, None) => return Err(incomplete("neither auth_url nor a region is set")),
        };
        let otc = self.profile.as_str() == "otc" || auth_url.contains(".otc.t-systems.com");
        let trust = trust(&auth_url, &self.verify, self.cacert, sources)?;
        let keys = Keys {
            access: self.auth.ak.clone().some().or(self.access_key.some()),
            secret: self.auth.sk.clone().some().or(self.secret_key.some()),
            token: self.auth.security_token.clone().some().or(self.security_token.some()),
        };
        let (user_id, project_id) =
            (self.auth.user_id.clone().some(), self.auth.project_id.clone().some());
        let project_name = self.auth.project_name.clone().some();
        Ok(CloudConfig {
            name: name.to_owned(),
            provider: if otc { Provider::Otc } else { Provider::Huawei },
            source: source.to_owned(),
            auth_url,
            credentials: credentials(self.auth, keys, &self.auth_type).map_err(incomplete)?,
            user_id,
            project_id,
            project_name,
            region,
            endpoints: Overrides {
                ecs: self.ecs_endpoint_override.some(),
                evs: self.evs_endpoint_override.some(),
                ims: self.ims_endpoint_override.some(),
                kms: self.kms_endpoint_override.some(),
                cts: self.cts_endpoint_override.some(),
            },
            simulated: self.x_refleet.simulated.is_yes(),
            access: Access { trust, certificate: None, proxies: Proxies::of(sources.variables)? },
        })
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
    let domain = domain_id.map(NameOrId::Id).or(domain_name.map(NameOrId::Name));
    if domain.is_none() && matches!(user, NameOrId::Name(_)) {
        return Err("there is a username, but no user_domain_name: it is the account's name");
    }
    Ok(Credentials::Password { user, domain, password: password.into(), passcode })
}

fn trust(
    auth_url: &str,
    verify: &Setting,
    cacert: Setting,
    sources: &Sources<'_>,
) -> Result<Trust, ConfigError> {
    Ok(match cacert.some() {
        _ if auth_url.starts_with("http://") => Trust::PlainHttp,
        _ if verify.is_no() => Trust::Anything,
        None => Trust::Platform,
        Some(file) => match (sources.read)(&file) {
            Some(pem) => Trust::PlatformAnd(pem.into_bytes()),
            None => return Err(ConfigError::NoFile { file, by: "cacert" }),
        },
    })
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
