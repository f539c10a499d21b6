//! Requests to the outside and what comes back. One action is one request.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgencyState, Backup, CallId, Image, ImageId, Job, JobId, KeyPair, KmsKey, Millis, PasswordLook,
    Quota, RunId, SecretRef, Server, ServerId, Snapshot, Time, Timestamp, Trace, UserId, Vault,
    Volume,
};

/// How a server is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// The guest is asked to shut down.
    #[default]
    Soft,
    /// The power is cut.
    Hard,
}

/// Which form of the call an image needs, for a reinstall and for a change of OS alike
/// (`reference/ecs.md`, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallCall {
    /// `/v2/…`: the image has cloud-init.
    V2,
    /// `/v1/…`: it has not. Not documented for OTC.
    V1,
}

/// How people get into the server afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// A key pair, and the user who owns it: both are sent.
    KeyPair {
        /// Its name.
        name: String,
        /// The owner: a key pair is visible to nobody else.
        owner: UserId,
    },
    /// A password, read from where it is kept right before it is sent.
    Password(SecretRef),
    /// Whatever the user data sets up.
    UserData,
    /// As it was: the cloud keeps key pair and user data of the server.
    Kept,
}

/// Encryption of the new system disk. Leaving it out of the request removes it, so it is always said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// A plain disk.
    None,
    /// Encrypted with the KMS key of that id.
    Key(String),
}

/// A file whose content belongs to the plan: by path, and by hash so that a change is noticed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PinnedFile {
    /// Where it is, seen from the directory that refleet was started in.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// Most bytes of user data, before base64 (`ecs.md`, section 10).
pub const MAX_USER_DATA: usize = 32 * 1024;

/// What a reinstall is asked to do, with nothing left to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReinstallRequest {
    /// Which form of the call.
    pub call: InstallCall,
    /// Another image than the server has: its OS is changed. `None`: it is reinstalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// Login afterwards.
    pub login: Login,
    /// User data for the first boot.
    pub user_data: Option<PinnedFile>,
    /// The user data is a template: what is inserted, by name. `None`: it is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inserts: Option<BTreeMap<String, String>>,
    /// Bring your own licence.
    pub byol: bool,
    /// Encryption of the new system disk.
    pub encryption: Encryption,
}

/// A look at a server from outside the cloud's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeSpec {
    /// Something accepts connections there.
    Tcp {
        /// The address.
        addr: String,
        /// The port.
        port: u16,
    },
    /// That address answers a GET with that status.
    Http {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// That program ends with 0.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// The run that asks, for its environment.
        run: RunId,
        /// Which look it is, counted from 1, for its environment.
        attempt: u32,
        /// It may take so long.
        patience: Millis,
    },
    /// The host key of whatever speaks SSH there: seen without logging in.
    HostKey {
        /// The address.
        addr: String,
        /// The port.
        port: u16,
        /// Who looks.
        program: SshProgram,
    },
    /// That command, run over SSH, ends with 0.
    Ssh {
        /// Where and as whom.
        login: SshLogin,
        /// The command, for the server's own shell.
        run: String,
        /// Which host key the server may have.
        host_key: HostKey,
        /// It may take so long.
        patience: Millis,
    },
}

/// Where a look logs in, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshLogin {
    /// The address.
    pub addr: String,
    /// The port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The file of the private key; `None`: whatever the agent and the usual files offer.
    pub key_file: Option<String>,
    /// Who logs in.
    pub program: SshProgram,
}

/// Who speaks SSH with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SshProgram {
    /// refleet itself.
    Refleet,
    /// The `ssh` of this machine.
    Ssh,
}

impl SshProgram {
    /// Whether this refleet was built with an SSH client of its own.
    pub const HAS_OWN: bool = cfg!(feature = "ssh");

    /// Who speaks where nobody says who.
    #[must_use]
    pub fn usual() -> Self {
        if Self::HAS_OWN { Self::Refleet } else { Self::Ssh }
    }
}

impl fmt::Display for SshProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refleet => "refleet",
            Self::Ssh => "ssh",
        })
    }
}

/// Which host key a server may have after its reinstall, by fingerprint (`SHA256:…`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKey {
    /// Any.
    Any,
    /// Another than this one, which the server had before.
    Not(String),
    /// This one.
    Is(String),
}

impl HostKey {
    /// Why that key is refused; `None`: it is not.
    #[must_use]
    pub fn refuses(&self, seen: &str) -> Option<String> {
        match self {
            Self::Not(before) if before == seen => Some(format!(
                "the host key is {seen}, as before the reinstall: this is the old system, or its image carries the key"
            )),
            Self::Is(wanted) if wanted != seen => {
                Some(format!("the host key is {seen}, not {wanted}: somebody else answers"))
            }
            Self::Any | Self::Not(_) | Self::Is(_) => None,
        }
    }
}

impl ProbeSpec {
    /// What a look comes to that saw all well, at a server with that host key: for those who answer in
    /// the place of servers.
    #[must_use]
    pub fn seen_with(&self, fingerprint: &str) -> ProbeReport {
        match self {
            Self::HostKey { .. } => ProbeReport::seen(fingerprint),
            Self::Ssh { host_key, .. } => match host_key.refuses(fingerprint) {
                Some(detail) => ProbeReport::failed(detail),
                None => ProbeReport::seen(format!("host key {fingerprint}")),
            },
            Self::Tcp { .. } | Self::Http { .. } | Self::Command { .. } => ProbeReport::passed(),
        }
    }
}

/// What a probe saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeReport {
    /// As wanted.
    Passed {
        /// What was seen, for the journal; `None`: no more than that.
        evidence: Option<String>,
        /// What was odd all the same.
        warning: Option<String>,
    },
    /// Not, or not yet.
    Failed {
        /// Why, in words.
        detail: String,
    },
}

impl ProbeReport {
    /// As wanted, and that is all there is to say.
    #[must_use]
    pub fn passed() -> Self {
        Self::Passed { evidence: None, warning: None }
    }

    /// As wanted, and what was seen.
    #[must_use]
    pub fn seen(evidence: impl Into<String>) -> Self {
        Self::Passed { evidence: Some(evidence.into()), warning: None }
    }

    /// Not as wanted.
    #[must_use]
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::Failed { detail: detail.into() }
    }
}

/// A program of the playbook that is run for one server, with nothing left to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCall {
    /// The step's id.
    pub step: String,
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// The program's file, where it is one of the playbook's: it must still be the one of the plan.
    pub file: Option<PinnedFile>,
    /// The folder that it runs in.
    pub cwd: String,
    /// What it finds in its environment, apart from the little that it has of ours.
    pub env: BTreeMap<String, String>,
    /// It is killed after so long.
    pub timeout: Millis,
    /// Whether it takes the step back.
    pub undo: bool,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// The program ended well.
    Done,
    /// It ended badly, or somebody killed it.
    Failed,
    /// It took too long, and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted,
    /// It was not started, by us: the look at its server grew old meanwhile. It begins again after
    /// the next one.
    Late,
}

/// What came of running a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// How it ended.
    pub end: StepEnd,
    /// What it said last, or why it did not run; may be empty.
    pub detail: String,
}

/// A page of the list of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// By number, counted from 1.
    Number(u32),
    /// What comes behind that server, where pages have no numbers.
    After(ServerId),
}

impl Page {
    /// The first, by whatever name the others go.
    pub const FIRST: Self = Self::Number(1);
}

/// What comes after a page of the list of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum More {
    /// Pages have numbers, and there are so many servers in all.
    Total(u32),
    /// What comes behind that server.
    After(ServerId),
    /// Nothing: it was the last.
    Nothing,
}

/// One request to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop up to 1,000 servers.
    Stop {
        /// Which.
        servers: Vec<ServerId>,
        /// How.
        mode: StopMode,
    },
    /// Start up to 1,000 servers.
    Start {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// Back one server up.
    Backup {
        /// Which.
        server: ServerId,
        /// Id of the vault.
        vault: String,
        /// Name of the backup.
        name: String,
    },
    /// Wipe the system disk of one server and install an image: its own anew, or another.
    Reinstall {
        /// Which.
        server: ServerId,
        /// How.
        request: Box<ReinstallRequest>,
    },
    /// One page of all servers of the project.
    ListServers {
        /// Which.
        page: Page,
        /// Servers on a page, at most 1,000.
        limit: u32,
    },
    /// One server.
    ShowServer {
        /// Which.
        server: ServerId,
    },
    /// One job.
    ShowJob {
        /// Which.
        job: JobId,
    },
    /// One page of all volumes of the project.
    ListVolumes {
        /// Volumes to skip: an index here, not a page.
        offset: u32,
        /// Volumes on a page, at most 1,000.
        limit: u32,
    },
    /// One page of all snapshots of the project's volumes: those of a system disk go with it.
    ListSnapshots {
        /// Snapshots to skip: an index, as for volumes.
        offset: u32,
        /// Snapshots on a page, at most 1,000.
        limit: u32,
    },
    /// One page of the vaults for backups of servers.
    ListVaults {
        /// Vaults to skip: an index.
        offset: u32,
        /// Vaults on a page, at most 1,000.
        limit: u32,
    },
    /// One page of backups of servers, the newest first.
    ListBackups {
        /// Those of one server; `None`: of all.
        server: Option<ServerId>,
        /// Backups to skip: an index.
        offset: u32,
        /// Backups on a page, at most 1,000.
        limit: u32,
    },
    /// The EVS quota with its use.
    ShowQuota,
    /// One image.
    ShowImage {
        /// Which.
        image: ImageId,
    },
    /// The images of that name: names are not unique.
    FindImages {
        /// The whole name.
        name: String,
    },
    /// One key pair, as the acting user sees it.
    ShowKeyPair {
        /// Its name.
        name: String,
    },
    /// One KMS key, by id.
    ShowKey {
        /// Its id.
        key: String,
    },
    /// All KMS keys: to find one by its alias.
    ListKeys,
    /// Whether EVS may use KMS: is the agency there?
    ShowAgency,
    /// What that agency may do in the project.
    ListAgencyRoles {
        /// Its id.
        agency: String,
    },
    /// Whether the password of a Windows server can be fetched. The password itself is never read.
    ShowPassword {
        /// Which.
        server: ServerId,
    },
    /// Reinstall calls for one server in the audit log.
    ListTraces {
        /// Which server.
        server: ServerId,
        /// Not before.
        since: Timestamp,
    },
    /// A look from outside the cloud's API.
    Probe {
        /// Which server it is about.
        server: ServerId,
        /// What to look at.
        spec: ProbeSpec,
    },
    /// A step of the playbook's own.
    Run {
        /// Which server it is for.
        server: ServerId,
        /// What is run.
        call: Box<StepCall>,
    },
}

/// What a request costs at the rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostClass {
    /// Changes something: goes first when tokens are short.
    Mutating,
    /// Changes nothing.
    Reading,
    /// Does not go to the cloud's API at all.
    Free,
}

impl Action {
    /// Its class at the rate limiter.
    #[must_use]
    pub fn cost_class(&self) -> CostClass {
        match self {
            Self::Stop { .. }
            | Self::Start { .. }
            | Self::Backup { .. }
            | Self::Reinstall { .. } => CostClass::Mutating,
            Self::Probe { .. } | Self::Run { .. } => CostClass::Free,
            Self::ListServers { .. }
            | Self::ShowServer { .. }
            | Self::ShowJob { .. }
            | Self::ListVolumes { .. }
            | Self::ListSnapshots { .. }
            | Self::ListVaults { .. }
            | Self::ListBackups { .. }
            | Self::ShowQuota
            | Self::ShowImage { .. }
            | Self::FindImages { .. }
            | Self::ShowKeyPair { .. }
            | Self::ShowKey { .. }
            | Self::ListKeys
            | Self::ShowAgency
            | Self::ListAgencyRoles { .. }
            | Self::ShowPassword { .. }
            | Self::ListTraces { .. } => CostClass::Reading,
        }
    }

    /// Whether a request whose answer was lost may simply be sent again. Decided once, here: what
    /// changes nothing may; what changes something is looked up first (`errors-and-limits.md`,
    /// section 4). What somebody's program changes, only its author knows.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.cost_class() != CostClass::Mutating && !matches!(self, Self::Run { .. })
    }
}

/// An action on its way out, under the number that its answer will come back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The number.
    pub call: CallId,
    /// The request.
    pub action: Action,
    /// It rests on a look that is too old after this moment: then it is not sent, and answered so.
    /// `None`: it may be sent at any time.
    pub send_by: Option<Time>,
}

/// A good answer. Which one belongs to which action is written at the variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `Stop`, `Start`, `Backup`, `Reinstall`: taken, and this job does it; a backup's is its
    /// checkpoint.
    Accepted {
        /// The job.
        job: JobId,
        /// The cloud's id of the request, for its support.
        request_id: Option<String>,
    },
    /// `ListServers`.
    Servers {
        /// What comes after them.
        more: More,
        /// Those of this page.
        servers: Vec<Server>,
    },
    /// `ShowServer`.
    Server(Box<Server>),
    /// `ShowJob`.
    Job(Job),
    /// `ListVolumes`; a page that is not full is the last.
    Volumes(Vec<Volume>),
    /// `ListSnapshots`; a page that is not full is the last.
    Snapshots(Vec<Snapshot>),
    /// `ListVaults`; a page that is not full is the last.
    Vaults(Vec<Vault>),
    /// `ListBackups`; a page that is not full is the last.
    Backups(Vec<Backup>),
    /// `ShowQuota`.
    Quota(Quota),
    /// `ShowImage`; `None`: deleted, or no longer shared with us.
    Image(Option<Box<Image>>),
    /// `FindImages`.
    Images(Vec<Image>),
    /// `ShowKeyPair`; `None`: the acting user cannot see it.
    KeyPair(Option<KeyPair>),
    /// `ShowKey`; `None`: there is no such key.
    Key(Option<KmsKey>),
    /// `ListKeys`.
    Keys(Vec<KmsKey>),
    /// `ShowAgency`.
    Agency {
        /// Whether it is there.
        state: AgencyState,
        /// Its id, to ask for its roles.
        id: Option<String>,
    },
    /// `ListAgencyRoles`: their names; `None`: we are not allowed to look.
    AgencyRoles(Option<Vec<String>>),
    /// `ShowPassword`.
    Password(PasswordLook),
    /// `ListTraces`, newest first.
    Traces(Vec<Trace>),
    /// `Probe`.
    Probe(ProbeReport),
    /// `Run`.
    Ran(StepReport),
}

/// What kind of trouble an answer means: by error code first, by HTTP status second
/// (`errors-and-limits.md`, sections 3 and 4).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// Not done: flow control. Come back later, and slower.
    Throttled,
    /// Not done: the service or the way to it is unwell. Come back later.
    Transient,
    /// Not done: another command runs on the server. Come back in a minute.
    Busy,
    /// Not done: the server's state does not allow it. Look at the server, then decide.
    State,
    /// Perhaps done: the dangerous one. Look before anything else.
    Lost,
    /// Not done: who we are was not accepted.
    Unauthorised,
    /// Not done: we may not do this.
    Forbidden,
    /// Not done: no such thing.
    NotFound,
    /// Not done: a quota is used up.
    Quota,
    /// Not done, and never will be like this.
    Invalid,
    /// Not sent, by us: the look that the request rests on grew old while it waited for the disk or
    /// for a token. It costs no retry.
    Late,
}

/// A bad answer, or none, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub class: FaultClass,
    /// The cloud's code such as `Ecs.0100`, else `HTTP 502`, `timeout`, `connect` …
    pub code: String,
    /// The cloud's sentence, or ours; never a secret.
    pub message: String,
    /// The cloud's request id, for its support.
    pub request_id: Option<String>,
    /// When to come back, if the answer said so.
    pub retry_after: Option<Millis>,
}

impl Fault {
    /// Whether it is about who we are and not about what was asked for: then every other request
    /// would hear the same until a person mends it.
    #[must_use]
    pub fn shuts_out(&self) -> bool {
        let known = super::CloudCode::of(&self.code).map(|known| known.code);
        self.class == FaultClass::Unauthorised || matches!(known, Some("APIGW.0310" | "APIGW.0802"))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What one request came to.
pub type Reply = Result<Answer, Fault>;
