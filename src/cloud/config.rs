//! Which cloud, and who we are there: `clouds.yaml`, `secure.yaml` and environment variables.
//!
//! Start with [`load`]. It is pure: variables come in as a map, files through a function, so that
//! nothing here touches the machine (`auth.md`, section 7). Secrets are [`SecretString`]s from the
//! moment they are read, and no error names one.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::Sent;
use super::config_entry::{Asked, Entry, Login, Setting};
use super::credentials_file;
use super::http::Access;
use super::lenient::or_default;
use super::profile::{self, Profiles};
use super::proxy::ProxyError;
pub use crate::domain::Provider;
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
    /// An application credential: good for the project that it was made for.
    Application {
        /// Which.
        credential: ApplicationCredential,
        /// Its secret.
        secret: SecretString,
    },
    /// A token that somebody else fetched; it cannot be renewed.
    Token(SecretString),
}

/// Which application credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationCredential {
    /// By id.
    Id(String),
    /// By name: one of a user's.
    Named {
        /// Its name.
        name: String,
        /// The user.
        user: NameOrId,
        /// The domain that the user belongs to; an id of a user needs none.
        domain: Option<NameOrId>,
    },
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
    /// Cloud Backup and Recovery.
    pub cbr: Option<String>,
}

/// A cloud to connect to.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// Its name in the playbook.
    pub name: String,
    /// Its family; `None`: nothing says it, so it is found out from the catalog.
    pub provider: Option<Provider>,
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
    /// The domain that the project's name is one of, where it is to be said.
    pub project_domain: Option<NameOrId>,
    /// The region, where it is configured.
    pub region: Option<String>,
    /// Service addresses that win over all others.
    pub endpoints: Overrides,
    /// Which addresses of the catalog are meant: `public`, `internal`, `admin`.
    pub interface: String,
    /// A rehearsal: nothing real is touched (`x_refleet: { simulated: true }`).
    pub simulated: bool,
    /// How the network is reached.
    pub access: Access,
}

impl CloudConfig {
    /// Tells everything secret that it holds.
    pub(super) fn tell(&self, sent: &Sent) {
        let (main, others) = match &self.credentials {
            Credentials::Password { password, passcode, .. } => {
                (password, [passcode.as_ref(), None])
            }
            Credentials::Application { secret, .. } => (secret, [None, None]),
            Credentials::Token(token) => (token, [None, None]),
            Credentials::Keys { access, secret, security_token } => {
                sent.learn(access);
                (secret, [security_token.as_ref(), None])
            }
        };
        let others = others.into_iter().chain([self.access.certificate.as_ref()]).flatten();
        std::iter::once(main).chain(others).for_each(|secret| sent.learn(secret.expose_secret()));
        self.access.proxies.tell(sent);
    }
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
    /// The credentials file of Huawei's SDK is not what it should be.
    #[error("read {file}: {error}")]
    Credentials {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        error: credentials_file::BadLine,
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
        what: String,
    },
}

/// Finds the cloud `name`; `region`, if the playbook says one, is used where nothing else is said, and
/// so is `provider`, before anything is guessed.
pub fn load(
    name: &str,
    region: Option<&str>,
    provider: Option<Provider>,
    sources: &Sources<'_>,
) -> Result<CloudConfig, ConfigError> {
    let asked = Asked { region, provider };
    let found = find_file(name, sources)?;
    if let Some(file) = &found
        && file.names.iter().any(|have| have == name)
    {
        let source = &file.path;
        let incomplete = |what| incomplete(name, source, what);
        let Some(entry) = file.entry.clone() else {
            return Err(incomplete(EMPTY.to_owned()));
        };
        let entry = entry.settle();
        let under = profiles(file, &entry, sources)?;
        let entry = profile::laid_under(entry, &under).map_err(incomplete)?;
        return entry.config(name, source, asked, sources);
    }
    let names: Vec<&String> = found.iter().flat_map(|file| &file.names).collect();
    let similar = closest(name, &names);
    if similar.is_none() && describes_a_cloud(sources.variables) {
        let found = environment(sources.variables).config(name, "the environment", asked, sources);
        let is_empty = |name: &&str| sources.variables.get(*name).is_some_and(String::is_empty);
        return found.map_err(|error| match SECRETS.into_iter().find(is_empty) {
            Some(empty) => incomplete(name, "the environment", format!("{empty} is empty")),
            None => error,
        });
    }
    if similar.is_none()
        && !is_set(sources.variables, "OS_CLOUD")
        && let Some((path, entry)) = credentials_of_sdk(sources)?
    {
        return entry.config(name, &path, asked, sources);
    }
    Err(ConfigError::Unknown {
        name: name.to_owned(),
        searched: searched(found.as_ref(), sources),
        similar,
    })
}

/// Variables that prove who we are: one that is empty is a script that went wrong.
const SECRETS: [&str; 3] = ["OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_SECRET_KEY"];

/// What is said of an entry of which there is nothing but its name.
const EMPTY: &str = "the entry is empty: its settings belong below its name, indented further";

/// A clouds.yaml with its secure.yaml laid over it.
struct Found {
    path: String,
    /// The entries that there are.
    names: Vec<String>,
    /// The one that was asked for, unless it is empty.
    entry: Option<Entry>,
}

pub(super) fn incomplete(name: &str, source: &str, what: String) -> ConfigError {
    ConfigError::Incomplete { name: name.to_owned(), source_name: source.to_owned(), what }
}

pub(super) fn is_set(variables: &BTreeMap<String, String>, name: &str) -> bool {
    variables.get(name).is_some_and(|value| !value.is_empty())
}

/// The profiles that an entry can choose from: `clouds-public.yaml` beside its file, then along the
/// usual places, then those that we know.
fn profiles(file: &Found, entry: &Entry, sources: &Sources<'_>) -> Result<Profiles, ConfigError> {
    let mut known = profile::built_in();
    if !entry.profile.is_some() {
        return Ok(known);
    }
    let beside = sibling(&file.path, "clouds-public.yaml");
    // A working folder, perhaps somebody else's repository, must not say where a password goes.
    let usual = usual_places(sources).into_iter().filter(|path| path.contains('/'));
    let along = usual.map(|path| sibling(&path, "clouds-public.yaml"));
    let first = std::iter::once(beside).chain(along).find_map(|p| Some(((sources.read)(&p)?, p)));
    if let Some((text, path)) = first {
        known.extend(parse::<profile::File>(&path, &text)?.profiles());
    }
    Ok(known)
}

fn credentials_of_sdk(sources: &Sources<'_>) -> Result<Option<(String, Entry)>, ConfigError> {
    const VARIABLE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
    let named = sources.variables.get(VARIABLE).filter(|path| !path.is_empty());
    let home = sources.variables.get("HOME").filter(|home| !home.is_empty());
    let usual = home.map(|home| format!("{home}/.huaweicloud/credentials"));
    let Some(path) = named.cloned().or(usual) else { return Ok(None) };
    let Some(text) = (sources.read)(&path) else {
        return match named {
            Some(_) => Err(ConfigError::NoFile { file: path, by: VARIABLE }),
            None => Ok(None),
        };
    };
    let read = credentials_file::read(&text);
    let entry = read.map_err(|error| ConfigError::Credentials { file: path.clone(), error })?;
    Ok(Some((path, entry)))
}

/// The file of that name in the same folder.
fn sibling(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

fn find_file(cloud: &str, sources: &Sources<'_>) -> Result<Option<Found>, ConfigError> {
    let pointed = sources.variables.get("OS_CLIENT_CONFIG_FILE").filter(|path| !path.is_empty());
    let named = sources
        .clouds_file
        .map(|path| (path, "the command line"))
        .or(pointed.map(|path| (path.as_str(), "OS_CLIENT_CONFIG_FILE")));
    if let Some((file, by)) = named {
        let text = (sources.read)(file)
            .ok_or_else(|| ConfigError::NoFile { file: file.to_owned(), by })?;
        return read_file(cloud, file, &text, sources).map(Some);
    }
    for path in usual_places(sources) {
        if let Some(text) = (sources.read)(&path) {
            return read_file(cloud, &path, &text, sources).map(Some);
        }
    }
    Ok(None)
}

fn usual_places(sources: &Sources<'_>) -> Vec<String> {
    let home = sources.variables.get("HOME").filter(|home| !home.is_empty());
    let mut folders = vec![String::new()];
    folders.extend(home.map(|home| format!("{home}/.config/openstack/")));
    folders.push("/etc/openstack/".to_owned());
    let files = |folder: String| ENDINGS.map(|ending| format!("{folder}clouds.{ending}"));
    folders.into_iter().flat_map(files).collect()
}

/// How these files may end, as openstacksdk has it. JSON is YAML.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

fn read_file(
    cloud: &str,
    path: &str,
    text: &str,
    sources: &Sources<'_>,
) -> Result<Found, ConfigError> {
    let read = |path: &str, text: &str| {
        if let Ok(all) = yaml::from_str::<WholeFile>(text) {
            let mut clouds = all.clouds;
            let entry = clouds.get_mut(cloud).and_then(Option::take);
            return Ok((clouds.into_keys().collect(), entry));
        }
        let read = yaml::from_str_seeded(text, File { cloud });
        read.map_err(|error| ConfigError::Yaml { file: path.to_owned(), error })
    };
    let (names, mut entry) = read(path, text)?;
    let secure = ENDINGS.iter().map(|ending| sibling(path, &format!("secure.{ending}")));
    if let Some((path, text)) =
        secure.into_iter().find_map(|p| Some((p.clone(), (sources.read)(&p)?)))
        && let (_, Some(over)) = read(&path, &text)?
    {
        let under = entry.get_or_insert_default();
        *under = under.clone().settle();
        under.lay_over(over.settle());
    }
    Ok(Found { path: path.to_owned(), names, entry })
}

fn parse<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, ConfigError> {
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
        Some(file) if file.names.is_empty() => format!("{} has no clouds", file.path),
        Some(file) => format!("{} has {}", file.path, file.names.join(", ")),
        None => {
            // One ending stands for all of a folder.
            let usual: Vec<String> =
                usual_places(sources).into_iter().step_by(ENDINGS.len()).collect();
            format!("there is no {}", usual.join(", no "))
        }
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
    let set = |name: &str| is_set(variables, name);
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
            user_domain_id: first(&[
                "OS_USER_DOMAIN_ID",
                "OS_DOMAIN_ID",
                "OS_DEFAULT_DOMAIN_ID",
                "HUAWEICLOUD_SDK_DOMAIN_ID",
            ]),
            project_domain_name: first(&["OS_PROJECT_DOMAIN_NAME"]),
            project_domain_id: first(&["OS_PROJECT_DOMAIN_ID", "OS_DEFAULT_DOMAIN_ID"]),
            default_domain: first(&["OS_DEFAULT_DOMAIN"]),
            application_credential_id: first(&["OS_APPLICATION_CREDENTIAL_ID"]),
            application_credential_name: first(&["OS_APPLICATION_CREDENTIAL_NAME"]),
            application_credential_secret: first(&["OS_APPLICATION_CREDENTIAL_SECRET"]),
            ak: first(&["OS_ACCESS_KEY", "HUAWEICLOUD_SDK_AK"]),
            sk: first(&["OS_SECRET_KEY", "HUAWEICLOUD_SDK_SK"]),
            security_token: first(&["OS_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"]),
            ..Login::default()
        },
        region_name: first(&["OS_REGION_NAME", "OS_REGION"]),
        auth_type: first(&["OS_AUTH_TYPE"]),
        interface: first(&["OS_INTERFACE", "OS_ENDPOINT_TYPE"]),
        cacert: first(&["OS_CACERT"]),
        cert: first(&["OS_CERT"]),
        key: first(&["OS_KEY"]),
        verify: if insecure { Setting::of("false") } else { Setting::default() },
        ..Entry::default()
    }
}

/// A clouds.yaml in which every entry can be read.
#[derive(Deserialize)]
struct WholeFile {
    #[serde(default, deserialize_with = "or_default")]
    clouds: BTreeMap<String, Option<Entry>>,
}

/// A clouds.yaml, of which one entry is wanted: an odd neighbour of it is let be.
#[derive(Clone, Copy)]
struct File<'n> {
    cloud: &'n str,
}

/// The names of all entries, and the one that was asked for.
type Entries = (Vec<String>, Option<Entry>);

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with clouds")
    }

    fn visit_none<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_unit<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Entries::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "clouds" {
                entries = map.next_value_seed(Clouds(self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(entries)
    }
}

/// The value of `clouds`.
struct Clouds<'n>(File<'n>);

impl<'de> DeserializeSeed<'de> for Clouds<'_> {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Clouds<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of clouds by name")
    }

    fn visit_none<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_unit<E>(self) -> Result<Entries, E> {
        Ok(Entries::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let (mut names, mut entry) = Entries::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0.cloud {
                entry = map.next_value::<Option<Entry>>()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            names.push(name);
        }
        Ok((names, entry))
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
