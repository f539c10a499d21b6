//! The front for simulated time: our own actions in, our own answers out, nothing on a wire.

use super::codes::{self, Means};
use super::commands::{StopFirst, Wipe};
use super::error::ApiError;
use super::faults::{Again, Hears};
use super::history::{Asking, By};
use super::jobs::TheJob;
use super::looks::Outside;
use super::tasks::{Event, Step, add};
use super::vaults::{Backup as TheBackup, BackupOrder, Vault as TheVault};
use super::world::World;
use crate::domain::{
    Action, AgencyState, Answer, Backup, BackupState, Deed, Encryption, Fault, FaultClass, Job,
    JobId, JobStatus, Login, Millis, More, Page, PasswordLook, ProbeReport, ReinstallRequest,
    Reply, ServerId, Snapshot, SubJob, Vault,
};

/// Id of the agency through which EVS uses KMS.
pub(super) const AGENCY: &str = "0a6e0000000000000000000000000001";

/// How a request was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The answer; `None`: it is lost, and whoever asked gives up.
    pub reply: Option<Reply>,
    /// So long after the request.
    pub after: Millis,
}

impl World {
    /// Serves one action at that simulated time. Times must not run backwards.
    pub fn serve(&mut self, now: Millis, action: &Action) -> Served {
        self.serve_for(0, now, action)
    }

    /// The same for the client of that number.
    pub fn serve_for(&mut self, client: u32, now: Millis, action: &Action) -> Served {
        if let Action::Probe { server, spec } = action {
            self.advance(now);
            let seen = self.look_from_outside(now, server, Outside::of(spec));
            let report = match seen {
                Ok(()) => spec.seen_with(&self.host_key(server)),
                Err(detail) => ProbeReport::failed(detail),
            };
            let after = self.dice.length(self.knobs.latency);
            return Served { reply: Some(Ok(Answer::Probe(report))), after };
        }
        let mutating = !action.is_repeatable();
        self.count(now, operation(action));
        let fate = self.fate(now, operation(action), mutating);
        self.asked_by(By::Client(client));
        let mut outcome = fate.deed.then(|| self.carry_out(now, action));
        match fate.again {
            Again::Never => {}
            Again::AtOnce => {
                self.asking.copy = true;
                outcome = Some(self.carry_out(now, action));
            }
            Again::After(wait) => self.hold_back(now, action, wait),
        }
        let mut after = self.dice.length(self.knobs.latency);
        let reply = match (fate.hears, outcome) {
            (Hears::Answer, Some(outcome)) => {
                Some(outcome.map_err(|error| fault(&error, mutating)))
            }
            (Hears::Instead(error), _) => Some(Err(fault(&error, mutating))),
            (Hears::Nothing, _) => {
                after = self.dice.length(self.knobs.timeout);
                None
            }
            (Hears::Answer | Hears::Cut, _) => None,
        };
        Served { reply, after }
    }

    /// A gateway delivers a request late.
    fn hold_back(&mut self, now: Millis, action: &Action, wait: Millis) {
        let task = self.held_back.len() as u64;
        self.held_back.push((Asking { copy: true, ..self.asking }, action.clone()));
        self.plan(add(now, wait), Event { machine: 0, task, step: Step::Delivered });
    }

    /// A request arrives that a gateway held back. Nobody waits for its answer.
    pub(super) fn delivered(&mut self, at: Millis, number: usize) {
        let Some((asking, action)) = self.held_back.get(number).cloned() else { return };
        let now = std::mem::replace(&mut self.asking, asking);
        let _nobody_hears = self.carry_out(at, &action);
        self.asking = now;
    }

    fn carry_out(&mut self, now: Millis, action: &Action) -> Result<Answer, ApiError> {
        match action {
            Action::Stop { servers, mode } => self.stop(now, servers, *mode).map(accepted),
            Action::Start { servers } => self.start(now, servers).map(accepted),
            Action::Backup { server, vault, name } => self.back_up(now, server, (vault, name)),
            Action::Reinstall { server, request } => {
                self.reinstall(now, server, &wipe(request)).map(accepted)
            }
            Action::Probe { .. }
            | Action::Run { .. }
            | Action::ListServers { .. }
            | Action::ShowServer { .. }
            | Action::ShowJob { .. }
            | Action::ListVolumes { .. }
            | Action::ListSnapshots { .. }
            | Action::ListVaults { .. }
            | Action::ListBackups { .. }
            | Action::ShowQuota
            | Action::ShowImage { .. }
            | Action::FindImages { .. }
            | Action::ShowKeyPair { .. }
            | Action::ShowKey { .. }
            | Action::ListKeys
            | Action::ShowAgency
            | Action::ListAgencyRoles { .. }
            | Action::ShowPassword { .. }
            | Action::ListTraces { .. } => self.look(now, action),
        }
    }

    fn look(&self, now: Millis, action: &Action) -> Result<Answer, ApiError> {
        Ok(match action {
            Action::ListServers { page, limit } => {
                if self.knobs.reinstalls_running {
                    return self.list_servers_behind(now, page, *limit);
                }
                let Page::Number(page) = page else {
                    return Err(ApiError::new(400, "Ecs.0005", "Pages have numbers here."));
                };
                let (total, servers) = self.list_servers(now, *page, *limit)?;
                let more = More::Total(u32::try_from(total).unwrap_or(u32::MAX));
                Answer::Servers { more, servers: servers.cloned().collect() }
            }
            Action::ShowServer { server } => {
                Answer::Server(Box::new(self.show_server(now, server)?.clone()))
            }
            Action::ShowJob { job } => {
                let job = self.show_job(now, job)?;
                Answer::Job(self.shown_job(now, job))
            }
            Action::ListVolumes { offset, limit } => {
                Answer::Volumes(self.list_volumes(*offset, *limit)?.to_vec())
            }
            Action::ShowQuota => Answer::Quota(self.shown_quota()),
            Action::ShowImage { image } => {
                Answer::Image(self.show_image(image).cloned().map(Box::new))
            }
            Action::FindImages { name } => {
                let named = self.images.values().filter(|image| image.name == *name);
                Answer::Images(named.cloned().collect())
            }
            Action::ShowKeyPair { name } => Answer::KeyPair(self.show_key_pair(name).cloned()),
            Action::ShowKey { key } => Answer::Key(self.show_key(key).ok().cloned()),
            Action::ListKeys => Answer::Keys(self.keys.clone()),
            Action::ListSnapshots { offset, limit } => {
                Answer::Snapshots(self.shown_snapshots(now, *offset, *limit))
            }
            Action::ListVaults { offset, limit } => {
                Answer::Vaults(page(self.vaults.iter().map(shown_vault), *offset, *limit))
            }
            Action::ListBackups { server, offset, limit } => {
                let all = self.backups.iter().rev();
                let wanted = all.filter(|it| server.as_ref().is_none_or(|id| it.server == *id));
                let shown = wanted.map(|backup| self.shown_backup(now, backup));
                Answer::Backups(page(shown, *offset, *limit))
            }
            Action::ShowAgency => self.shown_agency(),
            Action::ListAgencyRoles { .. } => Answer::AgencyRoles(Some(self.agency_roles())),
            Action::ShowPassword { server } => {
                let none = self.server_password(now, server)?.is_empty();
                Answer::Password(if none { PasswordLook::NotYet } else { PasswordLook::There })
            }
            Action::ListTraces { server, since } => {
                self.check_log()?;
                Answer::Traces(self.list_traces(now, server, *since).cloned().collect())
            }
            Action::Probe { .. }
            | Action::Run { .. }
            | Action::Stop { .. }
            | Action::Start { .. }
            | Action::Backup { .. }
            | Action::Reinstall { .. } => {
                return Err(ApiError::new(400, "Ecs.0000", "This is not a look."));
            }
        })
    }

    fn shown_snapshots(&self, now: Millis, offset: u32, limit: u32) -> Vec<Snapshot> {
        let page = self.snapshots(None).into_iter().skip(offset as usize).take(limit as usize);
        page.map(|it| Snapshot {
            id: it.id.clone(),
            name: it.name.clone(),
            volume: it.volume.clone(),
            status: it.status(now).to_owned(),
        })
        .collect()
    }

    /// What is skipped was not done, in an answer that is a success otherwise.
    fn back_up(
        &mut self,
        now: Millis,
        server: &ServerId,
        (vault, name): (&str, &str),
    ) -> Result<Answer, ApiError> {
        let (servers, description) = (Some(vec![server.clone()]), String::new());
        let (vault, name) = (vault.to_owned(), name.to_owned());
        let order = BackupOrder { vault, name, description, servers };
        let made = self.create_checkpoint(now, &order);
        let outcome = match made {
            Ok(made) if made.skipped.is_empty() => Ok(accepted(JobId::new(made.id.clone()))),
            Ok(_) => Err(ApiError::coded("Ecs.0603")),
            Err(error) => Err(error),
        };
        let refused = outcome.as_ref().err().map(|error| error.code);
        self.write_request(now, (Deed::Backup, server), refused);
        outcome
    }

    fn shown_backup(&self, now: Millis, backup: &TheBackup) -> Backup {
        let checkpoint = &self.checkpoints[backup.checkpoint];
        Backup {
            id: backup.id.clone(),
            checkpoint: JobId::new(checkpoint.id.clone()),
            name: checkpoint.name.clone(),
            server: backup.server.clone(),
            state: match backup.status(now) {
                "available" => BackupState::Available,
                "error" => BackupState::Failed,
                _ => BackupState::UnderWay,
            },
            has_system_disk: backup.disks.iter().any(|disk| disk.system),
            created: Some(checkpoint.created),
        }
    }

    fn shown_agency(&self) -> Answer {
        let (state, there) = match self.agency {
            AgencyState::Granted | AgencyState::Powerless => (AgencyState::Granted, true),
            state @ (AgencyState::Missing | AgencyState::Unknown) => (state, false),
        };
        Answer::Agency { state, id: there.then(|| AGENCY.to_owned()) }
    }

    /// What the agency may do in the project, by name.
    pub(super) fn agency_roles(&self) -> Vec<String> {
        match self.agency {
            AgencyState::Granted => vec!["KMS Administrator".to_owned()],
            AgencyState::Powerless | AgencyState::Missing | AgencyState::Unknown => Vec::new(),
        }
    }

    fn shown_job(&self, now: Millis, job: &TheJob) -> Job {
        let status = self.job_status(now, job);
        let failing = job.failing().filter(|_| status == JobStatus::Fail);
        let parts = if self.shows_parts(job) { job.parts.as_slice() } else { &[] };
        let part = |part: &super::jobs::Part| SubJob {
            server: part.server.clone(),
            status: part.status(now >= job.runs),
            error_code: part.failing().map(|failing| failing.code.to_owned()),
            fail_reason: part.failing().map(|failing| failing.reason.to_owned()),
        };
        Job {
            id: job.id.clone(),
            status,
            error_code: failing.map(|failing| failing.code.to_owned()),
            fail_reason: failing.map(|failing| failing.reason.to_owned()),
            parts: parts.iter().map(part).collect(),
        }
    }
}

fn shown_vault(vault: &TheVault) -> Vault {
    Vault {
        id: vault.id.clone(),
        name: vault.name.clone(),
        status: vault.status.clone(),
        takes_servers: true,
        size_gib: vault.size_gib,
        used_mib: vault.used_mib,
        servers: vault.resources.clone(),
        left_out: std::collections::BTreeSet::new(),
    }
}

fn page<T>(all: impl Iterator<Item = T>, offset: u32, limit: u32) -> Vec<T> {
    all.skip(offset as usize).take(limit as usize).collect()
}

/// The request as the cloud understands it.
fn wipe(request: &ReinstallRequest) -> Wipe {
    let key_pair = match &request.login {
        Login::KeyPair { name, owner } => Some((name.clone(), owner.as_str().to_owned())),
        Login::Password(_) | Login::UserData | Login::Kept => None,
    };
    Wipe {
        call: request.call,
        key_pair,
        password: matches!(request.login, Login::Password(_)),
        user_data: request.user_data.is_some(),
        byol: request.byol,
        new_image: request.image.clone(),
        disk_key: match &request.encryption {
            Encryption::None => None,
            Encryption::Key(key) => Some(key.clone()),
        },
        stop_first: StopFirst::No,
    }
}

/// The name that requests are counted under.
fn operation(action: &Action) -> &'static str {
    match action {
        Action::Stop { .. } => "stop",
        Action::Start { .. } => "start",
        Action::Backup { .. } => "create_checkpoint",
        Action::ListVaults { .. } => "list_vaults",
        Action::ListBackups { .. } => "list_backups",
        Action::Reinstall { request, .. } if request.image.is_some() => "change_os",
        Action::Reinstall { .. } => "reinstall",
        Action::ListServers { .. } => "list_servers",
        Action::ShowServer { .. } => "show_server",
        Action::ShowJob { .. } => "show_job",
        Action::ListVolumes { .. } => "list_volumes",
        Action::ListSnapshots { .. } => "list_snapshots",
        Action::ShowQuota => "show_quota",
        Action::ShowImage { .. } | Action::FindImages { .. } => "show_image",
        Action::ShowKeyPair { .. } => "show_key_pair",
        Action::ShowKey { .. } => "show_key",
        Action::ListKeys => "list_keys",
        Action::ShowAgency => "show_agency",
        Action::ListAgencyRoles { .. } => "list_agency_roles",
        Action::ShowPassword { .. } => "show_password",
        Action::ListTraces { .. } => "list_traces",
        Action::Probe { .. } => "probe",
        Action::Run { .. } => "run",
    }
}

/// The refusal in the words of the engine. Written from the error tables on its own, so that the
/// client's classifier is not tested against itself.
fn fault(error: &ApiError, mutating: bool) -> Fault {
    let code = if error.code.is_empty() {
        format!("HTTP {}", error.status)
    } else {
        error.code.to_owned()
    };
    Fault {
        class: class(error, mutating),
        code,
        message: error.message.clone().into_owned(),
        request_id: None,
        retry_after: error.retry_after,
    }
}

/// The direct front numbers no requests.
fn accepted(job: JobId) -> Answer {
    Answer::Accepted { job, request_id: None }
}

/// What the tables say of the code, else the status.
fn class(error: &ApiError, mutating: bool) -> FaultClass {
    let perhaps = if mutating { FaultClass::Lost } else { FaultClass::Transient };
    match (codes::find(error.code).map(|code| code.means), error.status) {
        // Refused, says the table, but look again before it is sent again.
        (_, 202) if mutating => FaultClass::Lost,
        (Some(Means::Not(class)), _) => class,
        (Some(Means::Perhaps), _) | (None, 200..=299 | 408 | 500..) => perhaps,
        (None, 401) => FaultClass::Unauthorised,
        (None, 403) => FaultClass::Forbidden,
        (None, 404) => FaultClass::NotFound,
        (None, 409) => FaultClass::State,
        (None, 429) => FaultClass::Throttled,
        (None, _) => FaultClass::Invalid,
    }
}
