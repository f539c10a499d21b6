//! How a simulated cloud behaves where the real one's documents are silent, or give only a range.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::KnownCode;
use crate::domain::{Features, Millis};

/// A range of seconds, written as `[60, 120]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Span(pub f64, pub f64);

impl Span {
    /// Always exactly so long.
    #[must_use]
    pub const fn exactly(seconds: f64) -> Self {
        Self(seconds, seconds)
    }

    /// Its lower end.
    #[must_use]
    pub fn least(self) -> Millis {
        millis(self.0)
    }

    /// Its upper end.
    #[must_use]
    pub fn most(self) -> Millis {
        millis(self.1)
    }

    /// Whether it is a range of lengths at all.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0.is_finite() && self.1.is_finite() && self.0 >= 0.0 && self.0 <= self.1
    }
}

/// Seconds as milliseconds; what is not a length is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and a length is never negative"
)]
pub(super) fn millis(seconds: f64) -> Millis {
    Millis((seconds * 1_000.0).round() as u64)
}

/// What a server says that is asked for something while a command runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusyCode {
    /// `Ecs.0603` with status 501.
    CommandRunning,
    /// `Ecs.0100`.
    WrongState,
    /// `Ecs.0605`.
    Locked,
}

/// What comes of stopping a stopped server, or starting a running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdleCall {
    /// Nothing is done, successfully.
    Succeeds,
    /// Its part of the job fails with `Ecs.0100`.
    Fails,
}

/// The status of a batch in which some parts failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixedBatch {
    /// `FAIL`.
    Fails,
    /// `SUCCESS`.
    Succeeds,
}

/// What becomes of a password in a reinstall (`ecs.md`, section 6.1: OTC does not list it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminPassword {
    /// It is set.
    Taken,
    /// `Ecs.0005`.
    Refused,
}

/// The HTTP status of a task that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// 200.
    Ok,
    /// 202.
    Accepted,
}

/// How the gateway spells its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayPrefix {
    /// `APIGW.0308`, as Huawei Cloud.
    Apigw,
    /// `APIG.0308`, as the reference of OTC.
    Apig,
}

/// What `job_type` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobTypes {
    /// Of a stop.
    pub stop: String,
    /// Of a start.
    pub start: String,
    /// Of a reboot.
    pub reboot: String,
    /// Of a reinstall.
    pub reinstall: String,
    /// Of a change of the OS.
    pub change_os: String,
}

impl Default for JobTypes {
    fn default() -> Self {
        Self {
            stop: "stopServer".to_owned(),
            start: "startServer".to_owned(),
            reinstall: "reinstallOs".to_owned(),
            change_os: "changeOs".to_owned(),
            reboot: "rebootServer".to_owned(),
        }
    }
}

/// The knobs. Every length is simulated time, but for the life of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each of them a yes or no")]
pub struct Knobs {
    /// A guest shuts down.
    pub stop_soft: Span,
    /// The power is cut.
    pub stop_hard: Span,
    /// A server starts.
    pub start: Span,
    /// A reinstall.
    pub reinstall: Span,
    /// A change of the OS.
    pub change_os: Span,
    /// Password or key are injected after a reinstall.
    pub injection: Span,
    /// A Windows password can be fetched, counted from the start behind a reinstall.
    pub password: Span,
    /// What a server is there for answers: counted from when its key or password is there.
    pub service: Span,
    /// The share of looks from outside at it that fail although it answers.
    pub service_fails: f64,
    /// Images carry the host key of SSH: a reinstalled server has the one that it had.
    pub host_key_stays: bool,
    /// A snapshot of a disk is made.
    pub snapshot: Span,
    /// A backup of a server.
    pub backup: Span,
    /// A request is answered.
    pub latency: Span,
    /// A client waits for an answer that is lost before it gives up.
    pub timeout: Span,
    /// A job cannot be queried yet.
    pub job_visible: Span,
    /// A call is not in the audit log yet.
    pub trace_visible: Span,
    /// A look at a server shows what it was so long ago.
    pub server_lag: Span,
    /// The acting user may read the audit log; else 403.
    pub trace_readable: bool,
    /// The audit log names the job that the call was answered with.
    pub trace_holds_job: bool,
    /// Name of the temporary server; `{name}` is the name of the server that is reinstalled.
    pub helper_name: String,
    /// The temporary server carries the tags of the server that is reinstalled.
    pub helper_copies_tags: bool,
    /// Status shown during a reinstall.
    pub reinstall_status: String,
    /// Task state shown during a reinstall.
    pub reinstall_task: String,
    /// Status shown after a failed reinstall.
    pub failed_status: String,
    /// A server that is busy says this.
    pub busy_code: BusyCode,
    /// Stopping a stopped server, starting a running one.
    pub idle_call: IdleCall,
    /// Status of a batch of which a part failed.
    pub mixed_batch: MixedBatch,
    /// Jobs of a single server have a sub-job too.
    pub single_job_parts: bool,
    /// A running server can be reinstalled too; each is left as it was, on or off, as by Nova.
    pub reinstalls_running: bool,
    /// The server is started at the end of a reinstall.
    pub starts_after_reinstall: bool,
    /// Until the new Windows password is there, the old one is still shown.
    pub password_stays: bool,
    /// What `job_type` says.
    pub job_types: JobTypes,
    /// A job that ended can be queried for so many seconds, then it is `Common.0011`; none: for ever.
    pub job_retention: Option<f64>,
    /// The HTTP status of a task that is taken.
    pub task_status: TaskStatus,
    /// A soft stop cuts the power after so many seconds; none: it never does.
    pub soft_falls_back: Option<f64>,
    /// The system disk is missing from the server while it is replaced.
    pub boot_volume_missing: bool,
    /// The new system disk has an id of its own.
    pub new_volume_id: bool,
    /// The server's `key_name` is the new key pair after a reinstall.
    pub key_name_changes: bool,
    /// There is an audit log at all: CTS may be off.
    pub traces: bool,
    /// The region takes licences that users bring; else `Ecs.0090`.
    pub byol: bool,
    /// A password in a reinstall.
    pub admin_password: AdminPassword,
    /// Servers made from an ISO image cannot be reinstalled: `Ecs.0007`.
    pub iso_refused: bool,
    /// What D2 and H2 flavors are refused with; none: `Ecs.0005`.
    pub flavor_code: Option<KnownCode>,
    /// What an encrypted image without a usable key is refused with; none: `Ecs.0912`.
    pub image_key_code: Option<KnownCode>,
    /// The temporary server counts against the quota of servers.
    pub helper_counts: bool,
    /// A reinstall in flight holds back a disk of the EVS quota.
    pub reinstall_reserves: bool,
    /// At most so many reinstalls at once in the project, then `Common.0024`; none: no limit.
    pub reinstalls_at_once: Option<u32>,
    /// How the gateway spells its codes.
    pub gateway_prefix: GatewayPrefix,
    /// Throttling answers carry `Retry-After`.
    pub retry_after: bool,
    /// A token lives so many seconds of the wall clock: no speed divides them (`auth.md`,
    /// section 2).
    #[schemars(range(min = 1))]
    pub token_life: u32,
    /// Clocks of the cloud that differ from its own time.
    pub clocks: Clocks,
}

/// How far clocks of the cloud are ahead of its time, in seconds; below 0: behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clocks {
    /// The clock that dates calls in the audit log.
    pub log: f64,
    /// The clock that dates changes of servers.
    pub servers: f64,
    /// From so many simulated seconds on, `step` is added to the clock of the audit log.
    pub steps_at: f64,
    /// What is added then.
    pub step: f64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            stop_soft: Span(15.0, 25.0),
            stop_hard: Span(3.0, 7.0),
            start: Span(10.0, 20.0),
            reinstall: Span(60.0, 120.0),
            change_os: Span(60.0, 240.0),
            injection: Span::exactly(90.0),
            password: Span(300.0, 600.0),
            service: Span::exactly(0.0),
            service_fails: 0.0,
            host_key_stays: false,
            snapshot: Span(2.0, 10.0),
            backup: Span(60.0, 180.0),
            latency: Span(0.02, 0.2),
            timeout: Span::exactly(60.0),
            job_visible: Span::exactly(0.0),
            trace_visible: Span(1.0, 5.0),
            server_lag: Span::exactly(0.0),
            trace_readable: true,
            trace_holds_job: true,
            helper_name: "temp-{name}".to_owned(),
            helper_copies_tags: false,
            reinstall_status: "SHUTOFF".to_owned(),
            reinstall_task: "rebuilding".to_owned(),
            failed_status: "SHUTOFF".to_owned(),
            busy_code: BusyCode::CommandRunning,
            idle_call: IdleCall::Succeeds,
            mixed_batch: MixedBatch::Fails,
            single_job_parts: false,
            reinstalls_running: false,
            starts_after_reinstall: true,
            password_stays: false,
            job_types: JobTypes::default(),
            job_retention: None,
            task_status: TaskStatus::Ok,
            soft_falls_back: None,
            boot_volume_missing: true,
            new_volume_id: true,
            key_name_changes: true,
            traces: true,
            byol: true,
            admin_password: AdminPassword::Taken,
            iso_refused: false,
            flavor_code: None,
            image_key_code: None,
            helper_counts: false,
            reinstall_reserves: true,
            reinstalls_at_once: None,
            gateway_prefix: GatewayPrefix::Apigw,
            retry_after: false,
            token_life: 24 * 3_600,
            clocks: Clocks::default(),
        }
    }
}

impl Knobs {
    /// Knobs drawn for one simulated run: each seed meets another cloud.
    #[must_use]
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut flip = |probability: f64| rng.random_bool(probability);
        let mut knobs = Self {
            job_visible: if flip(0.3) { Span(0.0, 3.0) } else { Span::exactly(0.0) },
            trace_visible: if flip(0.5) { Span(1.0, 30.0) } else { Span(0.0, 5.0) },
            server_lag: if flip(0.3) { Span(0.0, 5.0) } else { Span::exactly(0.0) },
            trace_holds_job: flip(0.5),
            helper_copies_tags: flip(0.5),
            busy_code: if flip(0.5) { BusyCode::CommandRunning } else { BusyCode::WrongState },
            idle_call: if flip(0.8) { IdleCall::Succeeds } else { IdleCall::Fails },
            mixed_batch: if flip(0.5) { MixedBatch::Fails } else { MixedBatch::Succeeds },
            single_job_parts: flip(0.3),
            starts_after_reinstall: flip(0.8),
            retry_after: flip(0.5),
            ..Self::default()
        };
        if flip(0.3) {
            "{name}".clone_into(&mut knobs.helper_name);
        }
        let shown = ["SHUTOFF", "REBUILD", "ACTIVE", "UNKNOWN", "BUILD"];
        shown[rng.random_range(0..shown.len())].clone_into(&mut knobs.reinstall_status);
        knobs.reinstall = Span(60.0, rng.random_range(90.0..240.0));
        knobs.draw_more(rng.clone());
        knobs
    }

    /// The manners of Nova where they are others: a disk that keeps its id, a record of each call at once,
    /// nothing that is set up behind the reinstall.
    #[must_use]
    pub fn like_nova(self) -> Self {
        Self {
            reinstalls_running: true,
            starts_after_reinstall: false,
            new_volume_id: false,
            boot_volume_missing: false,
            traces: true,
            trace_visible: Span::exactly(0.0),
            trace_holds_job: true,
            injection: Span::exactly(0.0),
            reinstall: Span(2.0, 60.0),
            server_lag: Span::exactly(0.0),
            reinstall_status: "REBUILD".to_owned(),
            failed_status: "ERROR".to_owned(),
            ..self
        }
    }

    /// What the calls of a cloud with these manners can do.
    pub(super) fn features(&self) -> Features {
        if !self.reinstalls_running {
            return Features::default();
        }
        Features {
            batch: 1,
            keeps_disk: !self.new_volume_id,
            reinstalls_running: true,
            immediate_log: self.traces && self.trace_holds_job && self.trace_visible.most().0 == 0,
            ..Features::default()
        }
    }

    /// The rest is drawn from a stream of its own, so that what is drawn behind the knobs stays the
    /// same for the same seed.
    fn draw_more(&mut self, mut rng: ChaCha8Rng) {
        rng.set_stream(rng.get_stream() + 1);
        let mut flip = |probability: f64| rng.random_bool(probability);
        if flip(0.3) {
            self.job_types = JobTypes {
                stop: String::new(),
                start: "batchStart".to_owned(),
                reinstall: "stopServer".to_owned(),
                change_os: String::new(),
                reboot: String::new(),
            };
        }
        // Not `job_retention`: a run that is resumed the next morning ends with servers unknown.
        self.soft_falls_back = flip(0.3).then_some(120.0);
        self.boot_volume_missing = flip(0.7);
        self.key_name_changes = flip(0.8);
        self.traces = flip(0.8);
        self.password_stays = flip(0.3);
        self.reinstall_reserves = flip(0.8);
        if flip(0.2) {
            self.busy_code = BusyCode::Locked;
        }
        if flip(0.5) {
            self.service = Span(0.0, 240.0);
        }
        if flip(0.4) {
            self.service_fails = 0.05;
        }
    }
}
