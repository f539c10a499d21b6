//! What a reinstall carries that nobody keeps: the password and the user data.
//!
//! Start with [`payload`]. Secrets and files are read right before they are sent, and from then on
//! [`Sent`] knows them.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

use super::super::Sent;
use super::draft::invalid;
use crate::domain::{
    Action, Fault, Login, Millis, PinnedFile, ReinstallRequest, SecretRef, SecretSource, Template,
};

/// A wipe leaves within this time of being asked for, or not at all: it was compared with its plan
/// right before (`safety.md`, S13).
pub(in crate::cloud) const WIPE_WITHIN: Millis = Millis::secs(5);

/// Reads what is sent and nowhere kept. Its errors must name no secret.
pub trait Secrets: Send + Sync {
    /// The secret that the reference points at.
    fn secret(&self, place: &SecretRef) -> Result<SecretString, String>;
    /// The content of the file, if it still has the hash it was pinned with.
    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String>;
}

/// What is read right before a reinstall is sent, and nowhere kept. User data may hold secrets too,
/// so none of it can be printed.
#[derive(Default)]
pub struct Payload {
    /// The password, for [`Login::Password`].
    pub password: Option<SecretString>,
    /// The user data.
    pub user_data: Option<Vec<u8>>,
}

/// Reads secrets and files right before they are sent.
pub(in crate::cloud) fn payload(
    action: &Action,
    secrets: &dyn Secrets,
    sent: &Sent,
) -> Result<Payload, Fault> {
    let Action::Reinstall { request, .. } = action else { return Ok(Payload::default()) };
    let password = match &request.login {
        Login::Password(place) => Some(secrets.secret(place)),
        Login::KeyPair { .. } | Login::UserData | Login::Kept => None,
    };
    let user_data = request.user_data.as_ref().map(|file| user_data(file, request, secrets, sent));
    let payload = Payload {
        password: password.transpose().map_err(|why| invalid("refleet.secret", why))?,
        user_data: user_data.transpose().map_err(|why| invalid("refleet.file", why))?,
    };
    payload.password.iter().for_each(|password| sent.learn(password.expose_secret()));
    Ok(payload)
}

/// The file as it is, or with what the plan has for this server; from now on it is known as
/// sent. What the file says is never part of an error.
fn user_data(
    file: &PinnedFile,
    request: &ReinstallRequest,
    secrets: &dyn Secrets,
    sent: &Sent,
) -> Result<Vec<u8>, String> {
    let bytes = secrets.file(file)?;
    let Some(inserts) = &request.inserts else {
        sent.learn_user_data(&bytes);
        return Ok(bytes);
    };
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", file.path))?;
    let template = Template::new(text);
    sent.learn_template(&template);
    let filled = template.fill_with(|name| inserts.get(name).map(String::as_str));
    filled
        .map(String::into_bytes)
        .map_err(|_| format!("{} inserts something that the plan has no value for", file.path))
}

/// Learns what another process sent with these requests, as far as it is still where it was: a job
/// that it began may quote it to this one. Commands are not run for that.
pub(in crate::cloud) fn expect_quotes_of<'r>(
    requests: impl IntoIterator<Item = &'r ReinstallRequest>,
    secrets: &dyn Secrets,
    sent: &Sent,
) {
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
    let passwords = places.into_iter().filter_map(|place| secrets.secret(place).ok());
    passwords.for_each(|password| sent.learn(password.expose_secret()));
    for (file, is_template) in files {
        let Ok(data) = secrets.file(file) else { continue };
        if !is_template {
            sent.learn_user_data(&data);
        } else if let Ok(text) = String::from_utf8(data) {
            sent.learn_template(&Template::new(text));
        }
    }
}
