//! The facts of a run. The journal is a list of these, and the state of a run is their fold.
//!
//! Adding a field needs a default; changing what one means needs a new [`FORMAT`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CallId, Counts, Ending, Failure, FaultClass, FleetName, JobId, Millis, PlanId, RunId, Server,
    ServerId, StepEnd, StopMode, Time, Timestamp, VolumeId,
};

/// Version of the events below; a journal says which one it is written in.
pub const FORMAT: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Counted from 1 within the run, without gaps.
    pub seq: u64,
    /// When, as the run counts: milliseconds since it began.
    pub at: Time,
    /// When, as the world counts: milliseconds since 1970 (for people; nothing is decided by it).
    pub wall: Timestamp,
    /// What.
    pub event: Event,
}

/// What a mutating request does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Asks guests to shut down.
    Stop,
    /// Cuts the power.
    ForceStop,
    /// Starts servers.
    Start,
    /// Backs one server up.
    Backup,
    /// Wipes and reinstalls one server.
    Reinstall,
}

impl Deed {
    /// The deed of a stop of that mode.
    #[must_use]
    pub fn stop(mode: StopMode) -> Self {
        match mode {
            StopMode::Soft => Self::Stop,
            StopMode::Hard => Self::ForceStop,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stop => "stop",
            Self::ForceStop => "forced stop",
            Self::Start => "start",
            Self::Backup => "backup",
            Self::Reinstall => "reinstall",
        })
    }
}

/// Where the playbook of a run came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Its path, as it was given.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// The git commit that the work tree was at; `None`: not in git.
    pub commit: Option<String>,
    /// Whether the playbook differed from that commit; `None`: not in git.
    pub dirty: Option<bool>,
    /// The files that it names. Older journals and plans lack them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileOrigin>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path, Standing(self.commit.as_deref(), self.dirty))
    }
}

/// Where a file came from that a playbook names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileOrigin {
    /// Its path, seen from where refleet was started.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// The git commit that its work tree was at; `None`: not in git.
    pub commit: Option<String>,
    /// Whether it differed from that commit; `None`: not in git.
    pub dirty: Option<bool>,
}

impl fmt::Display for FileOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = Standing(self.commit.as_deref(), self.dirty);
        write!(f, "{} (sha256 {:.12}, {standing})", self.path, self.sha256)
    }
}

/// How a file stands in git, in words.
struct Standing<'o>(Option<&'o str>, Option<bool>);

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(Some(commit), Some(true)) => write!(f, "commit {commit:.12}, changed since"),
            Self(Some(commit), _) => write!(f, "commit {commit:.12}"),
            Self(None, _) => f.write_str("not in git"),
        }
    }
}

/// What reporters need to know of the plan: they know no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
    /// Version of the events that follow.
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan: PlanId,
    /// The playbook's name.
    pub name: String,
    /// The cloud's name in the playbook.
    pub cloud: String,
    /// The region.
    pub region: String,
    /// The project's name and id, for people.
    pub project: String,
    /// A rehearsal: nothing real is touched.
    pub simulated: bool,
    /// Where the playbook came from.
    pub origin: Origin,
    /// What jitter is drawn from.
    pub seed: u64,
    /// The fleets in the order of the playbook.
    pub fleets: Vec<FleetOutline>,
}

/// A fleet, for reporters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetOutline {
    /// Its name.
    pub name: FleetName,
    /// Its servers, wave by wave.
    pub waves: Vec<Vec<TargetOutline>>,
}

/// A server, for reporters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetOutline {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
}

/// A server as a look showed it right before a wipe was sent: what a lost answer is looked up
/// against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Its system disk.
    pub disk: VolumeId,
    /// When it was last changed, as the cloud counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// Requests that had replaced its system by then, where the cloud keeps records beside the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced_by: Vec<JobId>,
}

/// What a look after a lost answer came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was done, or is being done; by that job, where that could be learnt.
    Happened {
        /// The job.
        job: Option<JobId>,
    },
    /// Something works on the server. It may be this request or somebody else's, so it is watched,
    /// and never sent again.
    AtWork,
    /// It was not done: it may be sent again.
    DidNot,
    /// Nobody can say. A person has to look.
    Unknown,
}

impl Verdict {
    /// The job that did it, where that could be learnt.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        if let Self::Happened { job } = self { job.as_ref() } else { None }
    }
}

/// A server as a look showed it, as far as the cloud's support asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// `ACTIVE`, `SHUTOFF`, `ERROR` … as the cloud writes it.
    pub status: String,
    /// What was being done to it.
    pub task_state: Option<String>,
    /// What the cloud says went wrong.
    pub fault: Option<String>,
    /// Its system disk; `None`: it had none.
    pub system_volume: Option<VolumeId>,
}

impl From<&Server> for Seen {
    fn from(server: &Server) -> Self {
        Self {
            status: server.status.clone(),
            task_state: server.task_state.clone(),
            fault: server.fault.clone(),
            system_volume: server.system_volume().cloned(),
        }
    }
}

/// How a reinstall job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// Done. The guest is being set up until that moment: only reads until then.
    Succeeded {
        /// End of the settle time.
        settle_until: Time,
    },
    /// Failed.
    Failed {
        /// The cloud's code.
        code: String,
        /// The cloud's sentence.
        reason: String,
        /// `false` only if the old system disk was seen in its place afterwards.
        wiped: bool,
        /// When the next attempt may come; `None`: there is none.
        retry_at: Option<Time>,
        /// The server as the look after it showed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Box<Seen>>,
    },
}

/// What is ahead of a server that waits for steps of the playbook's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ahead {
    /// Its checks: it has settled.
    Checks,
    /// Its end: it passed every check.
    End,
}

/// A word from outside to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// Start nothing new, watch what is in flight to its end, then end the run.
    Stop,
    /// Start nothing new, watch what is in flight to its end, then pause the run.
    Pause,
    /// Let go on what waits for a person's approval.
    Approve,
}

impl fmt::Display for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Approve => "approve",
        })
    }
}

/// Who steered a run from another shell, and what they knew of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asker {
    /// The name of the user of that machine.
    pub name: String,
    /// When they asked.
    pub at: Timestamp,
    /// Number of the request within the run, from 1: it is told once.
    pub number: u64,
    /// The last record that was there when they asked. An approval is for what had happened by then.
    pub seen: u64,
}

/// A word that somebody left for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub steering: Steering,
    /// Who.
    pub by: Asker,
}

/// A fleet between two waves, where it waits for an approval.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// The fleet.
    pub fleet: FleetName,
    /// The wave that closed, counted from 0.
    pub wave: u32,
}

/// Why a run ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// Every server ended.
    Done,
    /// More failures than the fleet's budget allows.
    BudgetSpent {
        /// The fleet.
        fleet: FleetName,
    },
    /// A canary failed.
    CanaryFailed {
        /// The fleet.
        fleet: FleetName,
        /// The canary.
        server: ServerId,
    },
    /// Somebody asked for it.
    Stopped,
    /// The preflight refused: nothing was touched.
    Refused,
}

/// Why a run pauses: it has not ended, and goes on when it is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// The cloud does not accept us any more: whatever was sent next would be refused, and signed
    /// requests that fail lock an access key (`auth.md`).
    LockedOut {
        /// The cloud's code.
        code: String,
        /// The cloud's sentence.
        detail: String,
        /// Who can mend it, and how.
        help: String,
    },
    /// Somebody asked for it.
    Asked {
        /// Who.
        by: String,
    },
    /// Fleets wait between two waves, and nothing else can go on.
    Approval {
        /// Where.
        gates: Vec<Gate>,
    },
    /// Servers of several zones failed alike: it is not the servers.
    SharedCause {
        /// The code of their failures.
        code: String,
        /// What happened to them.
        cause: String,
        /// Which.
        servers: Vec<ServerId>,
        /// The zones that they are in.
        zones: Vec<String>,
    },
    /// Servers that stay off (`start_back: false`) hold every place of `max_unavailable`, and nothing
    /// is in progress.
    PlacesTaken {
        /// The servers that hold the places.
        servers: Vec<ServerId>,
    },
    /// Something that many servers need is not there any more, or is not the same.
    Precondition {
        /// Each with what is missing and who can mend it.
        reasons: Vec<String>,
    },
}

impl PauseCause {
    /// Whether the run goes on only after somebody has approved of it.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        match self {
            Self::Approval { .. } | Self::SharedCause { .. } => true,
            Self::LockedOut { .. }
            | Self::Asked { .. }
            | Self::PlacesTaken { .. }
            | Self::Precondition { .. } => false,
        }
    }
}

/// Why a server that we stopped and did not wipe was not started back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOff {
    /// The playbook says `start_back: false`.
    AsPlanned,
    /// The start was refused for good, or did not work as often as `retry` allows.
    #[default]
    Failed,
    /// Somebody locked the server. refleet never unlocks.
    Locked,
    /// Somebody else took the server over: deleted it, or changed its power after us.
    TakenOver,
}

impl LeftOff {
    /// The value that journals of before stand for.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_failed(&self) -> bool {
        *self == Self::Failed
    }

    /// Whether it counts against the failure budget: a server is down that should not be.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::Locked => true,
            Self::AsPlanned | Self::TakenOver => false,
        }
    }
}

/// One fact of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began. Always the first event, and the only one of its kind.
    RunStarted {
        /// What it is about.
        outline: Box<Outline>,
    },
    /// A process took the run over. Every intent without an answer is in doubt from here on.
    Resumed,
    /// Every precondition of every server was looked at, and the run may touch servers.
    PreflightPassed {
        /// Reinstalls that the disk quota has room for at once; `None`: no limit.
        #[serde(default)]
        room: Option<u32>,
    },
    /// A precondition does not hold. The run ends; nothing was touched.
    PreflightRefused {
        /// Each with what is missing and who can mend it.
        reasons: Vec<String>,
    },
    /// The servers of a wave may start.
    WaveOpened {
        /// The fleet.
        fleet: FleetName,
        /// Counted from 0.
        wave: u32,
    },
    /// Every server of a wave ended.
    WaveClosed {
        /// The fleet.
        fleet: FleetName,
        /// Counted from 0.
        wave: u32,
        /// The next wave opens then: bake time.
        next_at: Time,
    },
    /// The next wave of a fleet waits until somebody approves of it.
    Held {
        /// The fleet.
        fleet: FleetName,
        /// The wave that closed, counted from 0.
        wave: u32,
    },
    /// Servers took their rollout slots.
    Started {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// Intent: durable before the request is sent.
    Intended {
        /// The request.
        call: CallId,
        /// What it does.
        deed: Deed,
        /// To which servers.
        servers: Vec<ServerId>,
        /// A reinstall: the server as it was right before it. Older journals lack it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Before>,
    },
    /// The cloud took the request.
    Accepted {
        /// The request.
        call: CallId,
        /// What it does.
        deed: Deed,
        /// To which servers.
        servers: Vec<ServerId>,
        /// What to ask for its progress.
        job: JobId,
        /// The cloud's id of the request, for its support.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// The cloud refused the request for now. Nothing was done; it will be sent again.
    PutOff {
        /// The request.
        call: CallId,
        /// What it would have done.
        deed: Deed,
        /// To which servers.
        servers: Vec<ServerId>,
        /// The class of the trouble, which chose the retry policy.
        class: FaultClass,
        /// The cloud's code and sentence.
        detail: String,
        /// Not before.
        retry_at: Time,
        /// The cloud's id of the request, for its support.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// The cloud refused the request. Nothing was done, and it is not sent again like this.
    Refused {
        /// The request.
        call: CallId,
        /// What it would have done.
        deed: Deed,
        /// To which servers.
        servers: Vec<ServerId>,
        /// The cloud's code and sentence.
        detail: String,
        /// The cloud's id of the request, for its support.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// The request was sent and its answer did not come: in doubt.
    Lost {
        /// The request.
        call: CallId,
        /// What it does, if it arrived.
        deed: Deed,
        /// To which servers.
        servers: Vec<ServerId>,
        /// What happened to the answer.
        detail: String,
        /// "Not found" counts only from then on: the cloud may be slow to show what it took.
        look_at: Time,
        /// The cloud said no, in a way that may also follow a request that it took: a repeat by a
        /// gateway is answered so. `None`: no answer came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused_as: Option<FaultClass>,
        /// The cloud's id of the request, for its support.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// A doubt ended.
    Resolved {
        /// The server.
        server: ServerId,
        /// What was in doubt.
        deed: Deed,
        /// What came of it.
        verdict: Verdict,
        /// What was seen, and what could not be.
        evidence: Vec<String>,
        /// It was not done: not to be sent again before. `None`: at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Time>,
    },
    /// The backup that the playbook asks for can be restored: the server may be stopped.
    BackedUp {
        /// The server.
        server: ServerId,
        /// Id of the backup.
        backup: String,
        /// Since the request was sent.
        took: Millis,
    },
    /// Servers are off, seen by a look.
    Stopped {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// Servers are not stopped: their playbook says so, and their cloud reinstalls them as they are.
    StopSkipped {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// Servers were compared with their plan by a look that was asked for at `seen`, after their
    /// stop was confirmed. A reinstall is sent at most 10 s after it (`safety.md`, S13).
    Validated {
        /// Which.
        servers: Vec<ServerId>,
        /// When the look was asked for.
        seen: Time,
    },
    /// A reinstall came to its end.
    JobEnded {
        /// The server.
        server: ServerId,
        /// The job; `None` where its id was lost and the server itself is the witness.
        job: Option<JobId>,
        /// How.
        end: JobEnd,
        /// Since the request was sent: what later looks are timed by.
        took: Millis,
    },
    /// The settle time is over and the server is as it should be left for the checks.
    Settled {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// The host key of a server, seen before it is stopped: afterwards it has to be another.
    HostKeySeen {
        /// The server.
        server: ServerId,
        /// Its fingerprint; `None`: it could not be seen.
        fingerprint: Option<String>,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A check from outside passed. Evidence, from which nothing follows: a resumed run makes every
    /// check again.
    Probed {
        /// The server.
        server: ServerId,
        /// `tcp`, `http`, `ssh` …
        check: String,
        /// What was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
        /// What was odd all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// A check failed and will be made again.
    CheckFailed {
        /// The server.
        server: ServerId,
        /// `fresh`, `unchanged`, `tcp` …
        check: String,
        /// What was seen.
        detail: String,
        /// Not before.
        retry_at: Time,
    },
    /// Servers have come so far that only steps of the playbook's own stand before what is next.
    StepsLeft {
        /// Which.
        servers: Vec<ServerId>,
        /// Before what.
        before: Ahead,
    },
    /// A step of the playbook's own begins, or is taken back: durable before its program is started.
    StepStarted {
        /// The server.
        server: ServerId,
        /// The step's id.
        step: String,
        /// Counted from 1: above that, an earlier one was interrupted.
        attempt: u32,
        /// Whether it is taken back.
        undo: bool,
    },
    /// Its program ended.
    StepEnded {
        /// The server.
        server: ServerId,
        /// The step's id.
        step: String,
        /// Which attempt.
        attempt: u32,
        /// Whether it was taken back.
        undo: bool,
        /// How.
        end: StepEnd,
        /// What the program said last, or why it did not run; may be empty.
        detail: String,
    },
    /// A step that had begun is not taken back, though it should be.
    NotUndone {
        /// The server.
        server: ServerId,
        /// The step's id.
        step: String,
        /// Why.
        detail: String,
    },
    /// Servers passed every check; what is left to do is to stop them, since the playbook wants
    /// them left off.
    Passed {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// A server ended.
    Ended {
        /// The server.
        server: ServerId,
        /// How.
        ending: Ending,
        /// Why, unless all is well.
        failure: Option<Failure>,
        /// What was odd, though all is well.
        warnings: Vec<String>,
    },
    /// A server that we stopped and did not wipe runs again (`safety.md`, S19).
    StartedBack {
        /// Which.
        servers: Vec<ServerId>,
    },
    /// A server that we stopped and did not wipe was not started back.
    NotStartedBack {
        /// The server.
        server: ServerId,
        /// Why, for people.
        detail: String,
        /// Why, for the run: what it means for the budget. Older journals lack it.
        #[serde(default, skip_serializing_if = "LeftOff::is_failed")]
        why: LeftOff,
    },
    /// Another run holds the server: this run does nothing more to it.
    Yielded {
        /// The server.
        server: ServerId,
        /// The run that holds it.
        to: RunId,
    },
    /// A canary ended without a verdict about the image (drifted, protected), so the next server of
    /// the fleet takes its place in the canary wave.
    CanaryReplaced {
        /// The fleet.
        fleet: FleetName,
        /// The canary that proved nothing.
        server: ServerId,
        /// The server that becomes a canary.
        by: ServerId,
    },
    /// The cloud throttled: fewer requests from here on.
    RateCut {
        /// Requests a minute.
        per_minute: u32,
    },
    /// Somebody steered the run.
    Steered {
        /// The word.
        steering: Steering,
        /// Who, from another shell; `None`: whoever sits at the run's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Asker>,
    },
    /// Nothing new starts from here on; what was begun comes to its end, and then the run pauses.
    Pausing {
        /// Why.
        cause: PauseCause,
    },
    /// A server whose end nobody saw was given up by a person, while no process drove the run. It
    /// ended `unknown`, and the run does not touch it again.
    Abandoned {
        /// The server.
        server: ServerId,
        /// Who gave it up.
        by: String,
        /// What was open, a few words each.
        open: Vec<String>,
    },
    /// Nothing new starts from here on.
    Closing {
        /// Why.
        cause: CloseCause,
    },
    /// The run waits for a person, with nothing in flight to it. Every server stays as it is, and
    /// claims with an open intent hold. Only `Resumed` may follow, and `Abandoned`.
    Paused {
        /// Why.
        cause: PauseCause,
    },
    /// The run ended. Always the last event.
    RunEnded {
        /// Why.
        cause: CloseCause,
        /// What came of the servers.
        counts: Counts,
    },
}
