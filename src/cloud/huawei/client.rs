//! The client: logs in, then makes one attempt at each action it is given.
//!
//! Start with [`HuaweiCloud::connect`]. How it gets in is in `door`, how each request proves who
//! sends it in `session`.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::super::config::{CloudConfig, Provider};
use super::super::http::Transport;
use super::super::{Cloud, Sent};
use super::connect_error::ConnectError;
use super::door::Door;
use super::endpoints::{Base, Endpoints, Family};
use super::line::Line;
use super::request::{Draft, Payload, Site, invalid, request};
use super::session::Session;
use crate::domain::{
    Action, AgencyState, Answer, Fault, FaultClass, Features, Login, Millis, PinnedFile,
    ReinstallRequest, Reply, SecretRef, SecretSource, Template, Timestamp, UserId,
};

/// A wipe leaves within this time of being asked for, or not at all: it was compared with its plan
/// right before (`safety.md`, S13).
const WIPE_WITHIN: Millis = Millis::secs(5);

/// The clock of the world: signatures carry the time.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Reads what is sent and nowhere kept. Its errors must name no secret.
pub trait Secrets: Send + Sync {
    /// The secret that the reference points at.
    fn secret(&self, place: &SecretRef) -> Result<SecretString, String>;
    /// The content of the file, if it still has the hash it was pinned with.
    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String>;
}

/// Where we are, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The family of the cloud.
    pub provider: Provider,
    /// The region.
    pub region: String,
    /// Id of the project.
    pub project_id: String,
    /// Name of the project.
    pub project_name: String,
    /// Id of the acting user: owner of the key pairs it can see.
    pub user_id: UserId,
    /// Name of the acting user, or the end of its access key.
    pub user_name: String,
    /// What the cloud's calls can do.
    pub features: Features,
}

/// A cloud of this family, logged in.
pub struct HuaweiCloud {
    site: Site,
    identity: Identity,
    session: Session,
    line: Line,
    secrets: Arc<dyn Secrets>,
}

impl HuaweiCloud {
    /// Logs in, or checks the keys by looking their project up. Everything secret that is sent from
    /// now on is known to `sent`.
    pub async fn connect(
        config: CloudConfig,
        transport: Arc<dyn Transport>,
        secrets: Arc<dyn Secrets>,
        clock: WallClock,
        sent: Sent,
    ) -> Result<Self, ConnectError> {
        config.tell(&sent);
        let Some(iam) = Base::parse(&config.auth_url) else {
            return Err(ConnectError::Address { url: config.auth_url, setting: "auth_url" });
        };
        if let Some((setting, url)) = Endpoints::bad_override(&config.endpoints) {
            return Err(ConnectError::Address { url: url.to_owned(), setting });
        }
        let line = Line::new(transport, clock, sent);
        let entered = Door { iam: &iam, config: &config, line: &line }.enter().await?;
        let endpoints = Endpoints::find(&config, &iam, &entered.region, &entered.catalog);
        Ok(Self {
            identity: Identity {
                provider: config.provider,
                region: entered.region,
                project_id: entered.project.id.clone(),
                project_name: entered.project.name,
                user_id: UserId::new(entered.user.id),
                user_name: entered.user.name,
                features: Features::default(),
            },
            site: Site {
                family: Family::of(config.provider),
                endpoints,
                project_id: entered.project.id,
                domain_id: entered.domain_id,
            },
            session: entered.session,
            line,
            secrets,
        })
    }

    /// Where we are, and who.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Learns what another process sent with these requests, as far as it is still where it was: a
    /// job that it began may quote it to this one. Commands are not run for that.
    pub fn expect_quotes_of<'r>(&self, requests: impl IntoIterator<Item = &'r ReinstallRequest>) {
        let (mut places, mut files) = (BTreeSet::new(), BTreeSet::new());
        for request in requests {
            match &request.login {
                Login::Password(SecretRef(SecretSource::Command(_)))
                | Login::KeyPair { .. }
                | Login::UserData
                | Login::Kept => {}
                Login::Password(place) => _ = places.insert(place),
            }
            files.extend(request.user_data.iter().map(|file| (file, request.inserts.is_some())));
        }
        let sent = self.line.sent();
        let passwords = places.into_iter().filter_map(|place| self.secrets.secret(place).ok());
        passwords.for_each(|password| sent.learn(password.expose_secret()));
        for (file, is_template) in files {
            let Ok(data) = self.secrets.file(file) else { continue };
            if !is_template {
                sent.learn_user_data(&data);
            } else if let Ok(text) = String::from_utf8(data) {
                sent.learn_template(&Template::new(text));
            }
        }
    }

    async fn attempt(&self, action: &Action) -> Reply {
        let asked = self.line.now();
        let payload = self.payload(action)?;
        let draft = request(action, &self.site, &payload, self.line.now())?;
        let wipes = matches!(action, Action::Reinstall { .. });
        let draft = Draft { send_by: wipes.then_some(asked + WIPE_WITHIN), ..draft };
        let exchanged = self.session.exchange(action.cost_class(), draft, &self.line).await;
        let of_agency = matches!(action, Action::ShowAgency | Action::ListAgencyRoles { .. });
        let response = match exchanged {
            Err(fault) if of_agency && is_no_permission(&fault) => return Ok(not_shown(action)),
            other => other?,
        };
        super::answer(action, &response)
    }

    /// Reads secrets and files right before they are sent.
    fn payload(&self, action: &Action) -> Result<Payload, Fault> {
        let Action::Reinstall { request, .. } = action else { return Ok(Payload::default()) };
        let password = match &request.login {
            Login::Password(place) => Some(self.secrets.secret(place)),
            Login::KeyPair { .. } | Login::UserData | Login::Kept => None,
        };
        let user_data = request.user_data.as_ref().map(|file| self.user_data(file, request));
        let payload = Payload {
            password: password.transpose().map_err(|why| invalid("refleet.secret", why))?,
            user_data: user_data.transpose().map_err(|why| invalid("refleet.file", why))?,
        };
        let sent = self.line.sent();
        payload.password.iter().for_each(|password| sent.learn(password.expose_secret()));
        Ok(payload)
    }

    /// The file as it is, or with what the plan has for this server; from now on it is known as
    /// sent. What the file says is never part of an error.
    fn user_data(&self, file: &PinnedFile, request: &ReinstallRequest) -> Result<Vec<u8>, String> {
        let bytes = self.secrets.file(file)?;
        let Some(inserts) = &request.inserts else {
            self.line.sent().learn_user_data(&bytes);
            return Ok(bytes);
        };
        let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", file.path))?;
        let template = Template::new(text);
        self.line.sent().learn_template(&template);
        let filled = template.fill_with(|name| inserts.get(name).map(String::as_str));
        filled
            .map(String::into_bytes)
            .map_err(|_| format!("{} inserts something that the plan has no value for", file.path))
    }
}

impl Cloud for HuaweiCloud {
    async fn call(&self, action: Action) -> Reply {
        let reply = self.attempt(&action).await;
        self.line.sent().without_in_reply(reply)
    }
}

/// What is known of the agency by somebody who may not look.
fn not_shown(action: &Action) -> Answer {
    if matches!(action, Action::ShowAgency) {
        Answer::Agency { state: AgencyState::Unknown, id: None }
    } else {
        Answer::AgencyRoles(None)
    }
}

/// "You may not ask that" is an answer to a question about agencies.
fn is_no_permission(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Unauthorised | FaultClass::Forbidden | FaultClass::Invalid)
}
