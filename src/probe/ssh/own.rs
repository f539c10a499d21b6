//! The SSH client of refleet's own: no program is started, and no file of the user's is read but keys.
//!
//! Start with [`look`]. The host key is decided on while the connection is made, so a server that is
//! refused never hears a user's name. Settings of ssh, jump hosts, certificates and passphrases are
//! not known here: for those there is the `ssh` of the machine.

use std::sync::{Arc, OnceLock};

use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect, Error, SshId};
use tokio::time::timeout;

use crate::domain::{HostKey, Millis, ProbeReport, SshLogin};
use crate::probe::process::{LEFT_BEHIND, Tail, plain};

use super::client::{Ssh, TO_CONNECT};
use super::ended::{Ended, judge};
use super::keys::{Agent, Keys, Offer, fingerprint, listed};

/// What is asked of a server's host key while the connection is made.
struct Gate {
    /// What it may be; `None`: it is only looked at.
    host_key: Option<HostKey>,
    /// What it is. The caller looks here, whatever becomes of the connection.
    seen: Arc<OnceLock<String>>,
}

impl Handler for Gate {
    type Error = Error;

    /// Called once the server has proved that the key is its own.
    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        let shown = fingerprint(&key.public_key());
        // The connection may be keyed anew later on: by the same server.
        let same = *self.seen.get_or_init(|| shown.clone()) == shown;
        Ok(same && self.host_key.as_ref().is_some_and(|may| may.refuses(&shown).is_none()))
    }
}

/// What a command wrote and how it ended, as far as it was heard.
#[derive(Default)]
struct Heard {
    stdout: Tail,
    stderr: Tail,
    ended: Option<Ended>,
}

impl Heard {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about windows and requests")]
    fn take(&mut self, message: ChannelMsg) {
        match message {
            ChannelMsg::Data { data } => self.stdout.push(&data),
            ChannelMsg::ExtendedData { data, .. } => self.stderr.push(&data),
            ChannelMsg::ExitStatus { exit_status } => {
                self.ended = Some(Ended::Status(i64::from(exit_status)));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                let how = plain(&format!("signal: {signal_name:?}"));
                self.ended = Some(Ended::Otherwise(how));
            }
            _ => {}
        }
    }

    fn last_line(&self) -> Option<String> {
        self.stderr.last_line().or_else(|| self.stdout.last_line())
    }
}

/// The fingerprint of the host key there. Nobody is logged in.
pub(super) async fn host_key(addr: &str, port: u16) -> Result<String, String> {
    let seen = Arc::new(OnceLock::new());
    let gate = Gate { host_key: None, seen: Arc::clone(&seen) };
    // It ends with the key refused, always.
    let met = connect(addr, port, gate, TO_CONNECT).await;
    seen.get().cloned().ok_or_else(|| unseen(met.err()))
}

/// Whether a command ends with 0 on a server with a host key that it may have; `Err`: it was not run.
pub(super) async fn look(
    ssh: &Ssh<'_>,
    login: &SshLogin,
    run: &str,
    host_key: &HostKey,
    patience: Millis,
) -> Result<ProbeReport, String> {
    let seen = Arc::new(OnceLock::new());
    let gate = Gate { host_key: Some(host_key.clone()), seen: Arc::clone(&seen) };
    let met = connect(&login.addr, login.port, gate, patience).await;
    let fingerprint = match seen.get() {
        Some(shown) => shown.clone(),
        None => return Err(unseen(met.err())),
    };
    if let Some(refused) = host_key.refuses(&fingerprint) {
        return Err(refused);
    }
    let mut session = met.map_err(|why| format!("ssh failed: {why}"))?;
    let mut heard = Heard::default();
    let done = timeout(patience.to_std(), async {
        log_in(&mut session, login, Keys::gather(ssh, login.key_file.as_deref()).await?).await?;
        execute(&session, run, &mut heard).await.map_err(|error| plain(&error.to_string()))
    })
    .await;
    let bye = session.disconnect(Disconnect::ByApplication, "", "");
    drop(timeout(LEFT_BEHIND, bye).await);
    let said = heard.last_line();
    let (ended, said) = match (heard.ended, done) {
        (Some(ended), _) => (ended, said),
        (None, Ok(Ok(()))) => (Ended::NotReached, said.or_else(|| Some(CUT_SHORT.to_owned()))),
        (None, Ok(Err(why))) => (Ended::NotReached, Some(why)),
        (None, Err(_)) => (Ended::Late, said),
    };
    Ok(judge(&ended, said, run, &fingerprint, patience))
}

/// What there is to say of a command of which nobody heard how it ended.
const CUT_SHORT: &str = "the connection ended before the command did";

/// Connects, and shows the host key to the gate.
async fn connect(
    addr: &str,
    port: u16,
    gate: Gate,
    patience: Millis,
) -> Result<Handle<Gate>, String> {
    let config = client::Config {
        client_id: SshId::Standard(concat!("SSH-2.0-refleet_", env!("CARGO_PKG_VERSION")).into()),
        // A session that is given up while it is keyed ends by itself.
        inactivity_timeout: Some(patience.to_std() + TO_CONNECT.to_std()),
        nodelay: true,
        ..client::Config::default()
    };
    let connecting = client::connect(Arc::new(config), (addr, port), gate);
    match timeout(TO_CONNECT.to_std(), connecting).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(plain(&error.to_string())),
        Err(_) => Err(format!("nothing was said within {TO_CONNECT}")),
    }
}

fn unseen(why: Option<String>) -> String {
    format!("no host key was seen: {}", why.unwrap_or_else(|| "none was shown".to_owned()))
}

/// Logs in with the first key that is taken.
async fn log_in(session: &mut Handle<Gate>, login: &SshLogin, keys: Keys) -> Result<(), String> {
    let named = keys.named();
    let hash = hash_of_rsa(session, &keys.offers).await;
    let Keys { mut agent, offers, mut remarks } = keys;
    for offer in offers {
        let (key, signed) = match offer {
            Offer::File(path, key) => {
                let key = PrivateKeyWithHashAlg::new(key, hash);
                (path, session.authenticate_publickey(&login.user, key).await.ok())
            }
            Offer::Agent(key) => {
                let shown = fingerprint(&key);
                (shown, by_agent(session, login, key, hash, agent.as_mut()).await)
            }
        };
        match signed {
            Some(AuthResult::Success) => return Ok(()),
            Some(AuthResult::Failure { partial_success: true, .. }) => {
                return Err(format!("{} needs more than a key to log in", login.user));
            }
            Some(AuthResult::Failure { .. }) => {}
            None => remarks.push(format!("nothing was signed with {key}")),
        }
        if session.is_closed() {
            remarks.push("the server hung up: name the key by `key_file`".to_owned());
            break;
        }
    }
    Err(format!("{} was refused with {named}{}", login.user, listed(&remarks)))
}

/// What RSA keys sign with; other keys do not ask. Never SHA-1.
async fn hash_of_rsa(session: &Handle<Gate>, offers: &[Offer]) -> Option<HashAlg> {
    if !offers.iter().any(Offer::is_rsa) {
        return None;
    }
    // Servers that do not say what they know are older than the newer of the two.
    let best = session.best_supported_rsa_hash().await.ok().flatten().flatten();
    Some(best.unwrap_or(HashAlg::Sha256))
}

/// Logs in with a key that the agent holds; `None`: it did not sign.
async fn by_agent(
    session: &mut Handle<Gate>,
    login: &SshLogin,
    key: PublicKey,
    hash: Option<HashAlg>,
    agent: Option<&mut Agent>,
) -> Option<AuthResult> {
    let hash = hash.filter(|_| key.algorithm().is_rsa());
    session.authenticate_publickey_with(&login.user, key, hash, agent?).await.ok()
}

/// Runs a command and hears it out.
async fn execute(session: &Handle<Gate>, run: &str, heard: &mut Heard) -> Result<(), Error> {
    let mut channel = session.channel_open_session().await?;
    channel.exec(true, run).await?;
    channel.eof().await?;
    loop {
        let next = match heard.ended {
            None => channel.wait().await,
            // What it left behind may hold its stdout for ever.
            Some(_) => timeout(LEFT_BEHIND, channel.wait()).await.unwrap_or(None),
        };
        let Some(message) = next else { return Ok(()) };
        if matches!(message, ChannelMsg::Failure) {
            return Err(Error::RequestDenied);
        }
        heard.take(message);
    }
}
