//! The keys that refleet's own SSH client logs in with.
//!
//! Start with [`Keys::gather`]. They are those of the agent and the usual files, or one file. What is
//! wrong with a file is said in words of ours: nothing of its content is ever in them. A key behind a
//! passphrase is used where the agent holds it; nobody is asked for one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{self, HashAlg, PrivateKey, PublicKey};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::domain::count;

use super::client::{Ssh, TO_CONNECT};

/// Files of `~/.ssh` that are looked for where none is named.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What helps where one of these keys would be another program's.
const ELSE: &str = "ssh-add it, or let the ssh of this machine log in: `program: ssh`";

/// Who signs with the keys that it holds.
pub(super) type Agent = AgentClient<UnixStream>;

/// The keys to log in with, in the order in which they are tried.
pub(super) struct Keys {
    /// Who signs, where a key is of the agent.
    pub(super) agent: Option<Agent>,
    /// The keys.
    pub(super) offers: Vec<Offer>,
    /// What was there and could not be used.
    pub(super) remarks: Vec<String>,
}

/// A key to log in with.
pub(super) enum Offer {
    /// The agent holds it.
    Agent(PublicKey),
    /// It was read from there.
    File(String, Arc<PrivateKey>),
}

impl Offer {
    pub(super) fn is_rsa(&self) -> bool {
        match self {
            Self::Agent(key) => key.algorithm().is_rsa(),
            Self::File(_, key) => key.algorithm().is_rsa(),
        }
    }
}

/// What a file of a key holds.
enum Held {
    Key(Arc<PrivateKey>),
    /// Behind a passphrase; whose it is can be read all the same, in OpenSSH's own format.
    Locked(Option<PublicKey>),
}

impl Keys {
    /// The key of that file; without one, those of the agent and the usual files.
    pub(super) async fn gather(ssh: &Ssh<'_>, key_file: Option<&str>) -> Result<Self, String> {
        let mut found = Self { agent: None, offers: Vec::new(), remarks: Vec::new() };
        let held = found.ask_agent(ssh.agent).await;
        match key_file {
            Some(path) => found.add_named(ssh, path, &held).await?,
            None => found.add_usual(ssh, held).await,
        }
        if found.offers.is_empty() {
            let else_way =
                "name a `key_file`, or let the ssh of this machine log in: `program: ssh`";
            let remarks = listed(&found.remarks);
            return Err(format!("there is no key to log in with{remarks}; {else_way}"));
        }
        Ok(found)
    }

    /// What is offered, in words: `2 keys of the agent, /home/ops/.ssh/id_rsa`.
    pub(super) fn named(&self) -> String {
        let of_agent = self.offers.iter().filter(|offer| matches!(offer, Offer::Agent(_))).count();
        let agent = (of_agent > 0).then(|| format!("{} of the agent", count(of_agent, "key")));
        let files = self.offers.iter().filter_map(|offer| match offer {
            Offer::Agent(_) => None,
            Offer::File(path, _) => Some(path.clone()),
        });
        agent.into_iter().chain(files).collect::<Vec<_>>().join(", ")
    }

    /// The keys that the agent holds.
    async fn ask_agent(&mut self, socket: Option<&str>) -> Vec<PublicKey> {
        let Some(socket) = socket.filter(|path| !path.is_empty()) else {
            self.remarks.push("there is no agent".to_owned());
            return Vec::new();
        };
        let asked = async {
            let mut agent = Agent::connect_uds(socket).await?;
            let identities = agent.request_identities().await?;
            Ok::<_, keys::Error>((agent, identities))
        };
        let Ok(Ok((agent, identities))) = timeout(TO_CONNECT.to_std(), asked).await else {
            self.remarks.push("the agent does not answer".to_owned());
            return Vec::new();
        };
        self.agent = Some(agent);
        let all = identities.len();
        let keys: Vec<PublicKey> = identities.into_iter().filter_map(plain_key).collect();
        match (keys.len(), all - keys.len()) {
            (0, 0) => self.remarks.push("the agent holds no key".to_owned()),
            (_, 0) => {}
            (_, _) => self.remarks.push("certificates of the agent are not used".to_owned()),
        }
        keys
    }

    async fn add_named(
        &mut self,
        ssh: &Ssh<'_>,
        path: &str,
        held: &[PublicKey],
    ) -> Result<(), String> {
        self.remarks.clear();
        match read(&located(ssh, path)).await.map_err(|why| format!("key_file {path}: {why}"))? {
            Held::Key(key) => self.offers.push(Offer::File(path.to_owned(), key)),
            Held::Locked(Some(of)) if held.iter().any(|key| key.key_data() == of.key_data()) => {
                self.offers.push(Offer::Agent(of));
            }
            Held::Locked(_) => {
                return Err(format!(
                    "key_file {path} has a passphrase, and the agent does not hold it: {ELSE}"
                ));
            }
        }
        Ok(())
    }

    async fn add_usual(&mut self, ssh: &Ssh<'_>, held: Vec<PublicKey>) {
        let known: BTreeSet<String> = held.iter().map(fingerprint).collect();
        self.offers.extend(held.into_iter().map(Offer::Agent));
        let Some(home) = ssh.variables.get("HOME") else { return };
        for name in USUAL {
            let path = Path::new(home).join(".ssh").join(name);
            if !path.is_file() {
                continue;
            }
            let shown = path.display().to_string();
            match read(&path).await {
                Ok(Held::Key(key)) if known.contains(&fingerprint(key.public_key())) => {}
                Ok(Held::Key(key)) => self.offers.push(Offer::File(shown, key)),
                Ok(Held::Locked(Some(of))) if known.contains(&fingerprint(&of)) => {}
                Ok(Held::Locked(_)) => {
                    self.remarks.push(format!("{shown} has a passphrase: {ELSE}"));
                }
                Err(why) => self.remarks.push(format!("{shown}: {why}")),
            }
        }
    }
}

/// Behind a sentence: what was there and could not be used.
pub(super) fn listed(remarks: &[String]) -> String {
    remarks.iter().map(|remark| format!("; {remark}")).collect()
}

fn plain_key(identity: AgentIdentity) -> Option<PublicKey> {
    match identity {
        AgentIdentity::PublicKey { key, .. } => Some(key),
        AgentIdentity::Certificate { .. } => None,
    }
}

/// As ssh shows it: `SHA256:…`.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Where a file of a key is: `~` is the user's home, as ssh sees it.
fn located(ssh: &Ssh<'_>, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), ssh.variables.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        (_, _) => ssh.folder.join(path),
    }
}

/// Reads a private key. Why it cannot be read is said without a word of what the file holds.
async fn read(path: &Path) -> Result<Held, String> {
    let text = tokio::fs::read_to_string(path).await.map_err(|error| error.kind().to_string())?;
    let text = SecretString::from(text);
    match keys::decode_secret_key(text.expose_secret(), None) {
        Ok(key) => Ok(Held::Key(Arc::new(key))),
        Err(keys::Error::KeyIsEncrypted) => {
            let locked = PrivateKey::from_openssh(text.expose_secret()).ok();
            Ok(Held::Locked(locked.map(|key| key.public_key().clone())))
        }
        Err(_) if text.expose_secret().contains("ENCRYPTED") => Ok(Held::Locked(None)),
        Err(_) => Err("no private key in a format that is known here".to_owned()),
    }
}
