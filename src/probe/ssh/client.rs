//! One look over SSH, by whichever program is asked to.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{HostKey, Millis, ProbeReport, SshLogin, SshProgram};

use super::{own, system};

/// To connect and to show a host key never takes longer.
pub(super) const TO_CONNECT: Millis = Millis::secs(10);

/// What a look over SSH has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Ssh<'s> {
    /// Where paths of keys are seen from, and programs are started.
    pub folder: &'s Path,
    /// The environment of programs; `HOME` is where the usual keys are.
    pub variables: &'s BTreeMap<String, String>,
    /// The socket of an agent that holds keys.
    pub agent: Option<&'s str>,
}

impl Ssh<'_> {
    /// The fingerprint of the host key there. Nobody is logged in.
    pub async fn host_key(
        &self,
        program: SshProgram,
        addr: &str,
        port: u16,
    ) -> Result<String, String> {
        match program {
            SshProgram::Refleet => own::host_key(addr, port).await,
            SshProgram::Ssh => system::host_key(self, addr, port).await,
        }
    }

    /// Whether a command ends with 0 on a server with a host key that it may have.
    pub async fn look(
        &self,
        login: &SshLogin,
        run: &str,
        host_key: &HostKey,
        patience: Millis,
    ) -> ProbeReport {
        let looked = match login.program {
            SshProgram::Refleet => own::look(self, login, run, host_key, patience).await,
            SshProgram::Ssh => system::look(self, login, run, host_key, patience).await,
        };
        looked.unwrap_or_else(ProbeReport::failed)
    }
}
