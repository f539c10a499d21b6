//! The words of the house: ids, time, servers, actions, replies, events and outcomes.
//!
//! Start with [`Event`]: a run *is* the list of its events, and every other type here is what an
//! event, a request or an answer is made of.
//!
//! This room has no behaviour beyond its own values. It never reads a clock, a file or a socket,
//! and it imports nothing of ours. Every other room speaks in these words, so that the engine, the
//! journal, the reporters and the clouds share a language without knowing each other.

mod action;
mod backup;
mod code;
mod code_table;
mod event;
mod features;
mod id;
mod outcome;
mod place;
mod retry;
mod secret;
mod server;
mod shown;
mod spelling;
mod tags;
mod template;
mod time;
mod words;

pub use action::{
    Action, Answer, Command, CostClass, Encryption, Fault, FaultClass, HostKey, InstallCall, Login,
    MAX_USER_DATA, More, Page, PinnedFile, ProbeReport, ProbeSpec, ReinstallRequest, Reply,
    SshLogin, SshProgram, StepCall, StepEnd, StepReport, StopMode,
};
pub use backup::{Backup, BackupState, Vault, WayBack};
pub use code::{CloudCode, Meaning, Remedy, RetryKind, advice};
pub use event::{
    Ahead, Asker, Before, CloseCause, Deed, Event, FORMAT, FileOrigin, FleetOutline, Gate, JobEnd,
    LeftOff, Origin, Outline, PauseCause, Record, Request, Seen, Steering, TargetOutline, Verdict,
};
pub use features::{Feature, Features, Provider};
pub use id::{CallId, FleetName, ImageId, JobId, PlanId, RunId, ServerId, UserId, VolumeId};
pub use outcome::{Counts, Ending, Failure, Phase};
pub use place::Place;
pub use retry::{Jitter, RetryPolicies, RetryPolicy};
pub use secret::{SecretRef, SecretSource};
pub use server::{
    Address, AddressKind, AgencyState, Attachment, Image, Job, JobStatus, KeyPair, KeyState,
    KmsKey, PasswordLook, Quota, QuotaLine, Server, Snapshot, SubJob, Trace, Volume,
};
pub use shown::{Lines, Shown, json as shown_json, printable, shown, steers};
pub use spelling::{composed, is_same_text};
pub use tags::Tags;
pub use template::{HostFacts, HostValue, Insert, MissingValue, Template};
pub use time::{Millis, Moment, Time, Timestamp};
pub use words::{count, list_some, tag_matches};
