//! What is done to a server, as a playbook says it: the reinstall, what comes before and after it, and
//! the steps around it. Start with [`Treatment`].

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Millis, PinnedFile, Place, RetryPolicies, SecretRef, SshProgram, StopMode, Template, UserId,
};

/// What is done to a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    /// The reinstall.
    pub reinstall: ReinstallSpec,
    /// A backup of each server before it is stopped.
    pub backup: Option<BackupSpec>,
    /// Waits around it.
    pub wait: Wait,
    /// Retries by class of error.
    pub retry: RetryPolicies,
    /// Checks after it, in order.
    pub verify: Vec<Check>,
    /// A server that we stopped and did not wipe is started when the run ends.
    pub start_back: bool,
}

impl Default for Treatment {
    fn default() -> Self {
        Self {
            reinstall: ReinstallSpec::default(),
            backup: None,
            wait: Wait::default(),
            retry: RetryPolicies::default(),
            verify: vec![Check::Fresh, Check::Unchanged],
            start_back: true,
        }
    }
}

/// The key `reinstall`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReinstallSpec {
    /// What is installed.
    pub image: ImageChoice,
    /// Login afterwards.
    pub login: LoginSpec,
    /// User data for the first boot.
    pub user_data: Option<UserData>,
    /// Licence, for images whose OS is billed.
    pub license: Option<License>,
    /// Encryption of the new system disk.
    pub encryption: EncryptionSpec,
    /// Power state afterwards.
    pub leave: Leave,
    /// The v1 call may be used where it is not documented (OTC).
    pub allow_v1: bool,
}

/// The key `user_data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// The file.
    pub file: PinnedFile,
    /// What is inserted into its text; `None`: it is sent byte for byte.
    pub inserts: Option<Inserts>,
}

impl UserData {
    /// A file that is sent as it is.
    #[must_use]
    pub fn as_it_is(file: PinnedFile) -> Self {
        Self { file, inserts: None }
    }
}

/// What the text of a template inserts. The text itself may hold secrets, so it is no part of this:
/// it is read anew right before it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserts {
    /// Bytes of the text that are not inserts.
    pub bytes: usize,
    /// The names, and how often each stands there.
    pub names: BTreeMap<String, usize>,
    /// Values that do not differ from server to server: variables and `matrix.X`.
    pub values: BTreeMap<String, String>,
}

/// The key `backup`: the server is stopped only once its backup can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSpec {
    /// The vault, by name or id.
    pub vault: String,
    /// The longest that a backup may take.
    pub timeout: Millis,
}

/// What is installed, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageChoice {
    /// The image that the server has.
    #[default]
    Current,
    /// An image by name or id; where the server has another one, its OS is changed.
    Named(String),
}

/// Login afterwards, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoginSpec {
    /// Nothing written: the server's own key pair; with user data and no key pair, the user data.
    #[default]
    ServerKey,
    /// `key_name` and `key_owner`.
    KeyPair {
        /// Name of the key pair.
        name: String,
        /// User id of its owner; the acting user where it is not written.
        owner: Option<UserId>,
    },
    /// `admin_pass`.
    Password(SecretRef),
}

/// Licence of a billed OS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum License {
    /// From the cloud.
    System,
    /// Your own.
    Byol,
}

/// Encryption of the new system disk, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EncryptionSpec {
    /// As the old disk: its key is sent again.
    #[default]
    Keep,
    /// A plain disk, said on purpose.
    None,
    /// This KMS key, by alias (such as `evs/default`) or id.
    KmsKey(String),
}

/// Power state after the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// On.
    #[default]
    Running,
    /// Off.
    Stopped,
    /// As the plan found it.
    AsFound,
}

/// Waits around a reinstall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// After the job succeeded: only reads touch the server until then.
    pub settle: Millis,
    /// The longest that a stop, a job or a start may take.
    pub timeout: Millis,
}

impl Default for Wait {
    fn default() -> Self {
        Self { settle: Millis::mins(3), timeout: Millis::mins(30) }
    }
}

/// One check after the reinstall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A new system disk with the right image, key and encryption.
    Fresh,
    /// Addresses, MACs and data disks are those of before.
    Unchanged,
    /// A port accepts connections.
    Tcp {
        /// The port.
        port: u16,
        /// It may take so long.
        within: Millis,
    },
    /// The new password of a Windows server can be fetched.
    PasswordReady {
        /// It may take so long.
        within: Millis,
    },
    /// An address answers a GET with that status.
    Http {
        /// The address.
        url: Template,
        /// The status.
        status: u16,
        /// It may take so long.
        within: Millis,
    },
    /// A program ends with 0.
    Command {
        /// The program and its arguments.
        run: Vec<Template>,
        /// It may take so long.
        within: Millis,
    },
    /// A command, run over SSH, ends with 0.
    Ssh(Box<SshCheck>),
    /// All checks before this one pass, and the looks from outside among them go on passing for so
    /// long without a break.
    StableFor {
        /// So long.
        time: Millis,
    },
}

/// A command that is run over SSH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshCheck {
    /// Who logs in.
    pub user: Template,
    /// The command, for the server's own shell.
    pub run: Template,
    /// The port.
    pub port: u16,
    /// It may take so long.
    pub within: Millis,
    /// The file of the private key; `None`: whatever the agent and the usual files offer.
    pub key_file: Option<String>,
    /// Which host key the server may have.
    pub host_key: HostKeyRule,
    /// Who logs in.
    pub program: SshProgram,
}

/// Which host key a server may have after its reinstall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyRule {
    /// Another than before, if that could be seen.
    #[default]
    Changed,
    /// Any: the image carries its key.
    Any,
    /// The one with this fingerprint.
    Is(Template),
}

impl fmt::Display for HostKeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("changed"),
            Self::Any => f.write_str("any"),
            Self::Is(wanted) => wanted.fmt(f),
        }
    }
}

impl Check {
    /// As it is written in a playbook.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Unchanged => "unchanged",
            Self::Tcp { .. } => "tcp",
            Self::PasswordReady { .. } => "password_ready",
            Self::Http { .. } => "http",
            Self::Command { .. } => "command",
            Self::Ssh(_) => "ssh",
            Self::StableFor { .. } => "stable_for",
        }
    }

    /// Whether it looks at the server from outside of the cloud's API.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        match self {
            Self::Tcp { .. } | Self::Http { .. } | Self::Command { .. } | Self::Ssh(_) => true,
            Self::Fresh | Self::Unchanged | Self::PasswordReady { .. } | Self::StableFor { .. } => {
                false
            }
        }
    }

    /// How long it may take; `None`: it is decided by one look at the server.
    #[must_use]
    pub fn within(&self) -> Option<Millis> {
        match self {
            Self::Tcp { within, .. }
            | Self::Http { within, .. }
            | Self::Command { within, .. }
            | Self::PasswordReady { within } => Some(*within),
            Self::Ssh(ssh) => Some(ssh.within),
            Self::Fresh | Self::Unchanged | Self::StableFor { .. } => None,
        }
    }

    /// Its texts that differ from server to server.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Http { url, .. } => vec![url],
            Self::Command { run, .. } => run.iter().collect(),
            Self::Ssh(ssh) => match &ssh.host_key {
                HostKeyRule::Is(wanted) => vec![&ssh.user, &ssh.run, wanted],
                HostKeyRule::Changed | HostKeyRule::Any => vec![&ssh.user, &ssh.run],
            },
            Self::Fresh
            | Self::Unchanged
            | Self::Tcp { .. }
            | Self::PasswordReady { .. }
            | Self::StableFor { .. } => Vec::new(),
        }
    }
}

/// A word of `steps`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepWord {
    /// Stop the server.
    Stop,
    /// Compare it with its plan.
    Validate,
    /// Wipe and reinstall.
    Reinstall,
    /// Watch the job, then let the guest settle.
    Wait,
    /// Check the result.
    Verify,
    /// Run a program of the playbook's own.
    Run,
}

impl StepWord {
    /// The words that every server goes through, in the only order that they can be in.
    pub const ALL: [Self; 5] =
        [Self::Stop, Self::Validate, Self::Reinstall, Self::Wait, Self::Verify];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Validate => "validate",
            Self::Reinstall => "reinstall",
            Self::Wait => "wait",
            Self::Verify => "verify",
            Self::Run => "run",
        }
    }
}

/// One entry of `steps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// What it does.
    pub word: StepWord,
    /// Its id; the word where none is written.
    pub id: String,
    /// Ids of steps of the same fleet that come first: on top of the order of the list, or, at a
    /// `run`, instead of it.
    pub after: Vec<(String, Place)>,
    /// How the stop is made; only at `stop`.
    pub stop: StopSpec,
    /// What is run; only at `run`.
    pub run: Option<Box<RunSpec>>,
    /// Where it is written; `None`: by default.
    pub place: Option<Place>,
}

/// A step of the playbook's own: a program that is run for each server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSpec {
    /// What is run.
    pub run: Program,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Program>,
    /// Either is killed after so long.
    pub timeout: Millis,
    /// The folder that both run in.
    pub cwd: String,
    /// What both find in their environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Interrupted, it is not run again: a person has to look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

/// A program and its arguments. No shell reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// The program, the same for every server, and its arguments.
    pub argv: Vec<Template>,
    /// The program's file, if it is named by its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PinnedFile>,
}

impl Program {
    /// As people read it: words with spaces in quotes.
    #[must_use]
    pub fn shown(&self) -> String {
        let quoted = |word: &Template| {
            let word = word.as_str();
            let plain = !word.is_empty() && !word.contains(char::is_whitespace);
            if plain { word.to_owned() } else { format!("{word:?}") }
        };
        self.argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

impl RunSpec {
    /// Every text that is filled in for each server.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let undo = self.undo.iter().flat_map(|program| &program.argv);
        self.run.argv.iter().chain(undo).chain(self.env.values())
    }
}

impl StepSpec {
    /// A step that nobody wrote.
    #[must_use]
    pub fn by_default(word: StepWord) -> Self {
        Self {
            word,
            id: word.as_str().to_owned(),
            after: Vec::new(),
            stop: StopSpec::default(),
            run: None,
            place: None,
        }
    }
}

/// How a stop is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopSpec {
    /// How.
    pub mode: StopMode,
    /// The power is cut after so long.
    pub force_after: Option<Millis>,
    /// There is none: the server is reinstalled as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip: bool,
}
