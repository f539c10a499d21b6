//! What is known of one server, from the records alone: whether it runs, what became of its system
//! disk and by which job, and when that was last seen.
//!
//! Start with [`Standing::apply`]. Every sentence, column and list about the power or the disk of a
//! server is made from this value, so no two of them can disagree. It claims no more than a record
//! says: between a request and a look at what came of it, the power is unknown and the disk perhaps
//! wiped.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    Ahead, Deed, Event, JobEnd, JobId, Record, RunId, Seen, ServerId, Timestamp, Verdict,
};

/// Whether a server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// As it was before the run: nothing of ours changed it.
    #[default]
    AsFound,
    /// Running again after we had stopped it.
    Running,
    /// Off, and we stopped it.
    Off,
    /// As the playbook wants it after a reinstall: running, or left off.
    AsPlanned,
    /// Taken away by us, and not seen running since.
    Unknown,
}

/// What became of its system disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// As it was before the run.
    #[default]
    NotWiped,
    /// A reinstall was sent, and nothing shows that the old system is still there.
    PerhapsWiped,
    /// A reinstall succeeded.
    Wiped,
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotWiped => "not wiped",
            Self::PerhapsWiped => "perhaps wiped",
            Self::Wiped => "wiped",
        })
    }
}

/// What is known of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Standing {
    /// Whether it runs.
    pub power: Power,
    /// When we took it from its users, while it is not known to run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// What became of its system disk.
    pub disk: Disk,
    /// When the reinstall was accepted that wiped it, or perhaps did; when it was sent, where the
    /// answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wiped_at: Option<Timestamp>,
    /// The job of that reinstall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Whether that job had not ended when it was last looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub job_open: bool,
    /// The cloud's id of the request that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The last record that rests on a look at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// The run that holds it now: what that one did to it is in its own report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yielded_to: Option<RunId>,
    /// A stop of ours was sent, and not refused: if it is off, that is our doing.
    #[serde(skip)]
    asked_off: bool,
    /// It passed its checks, and the playbook wants it off.
    #[serde(skip)]
    leaves: bool,
    /// How it came to run again.
    #[serde(skip)]
    back: Back,
    /// As it was before the request that is open.
    #[serde(skip)]
    before: Option<Box<Self>>,
}

/// How a server came to run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Back {
    /// It was not away.
    #[default]
    NeverOff,
    /// A start of ours was accepted.
    Started,
    /// Somebody else started it.
    ByOthers,
}

impl Standing {
    /// What a record that concerns this server says of it.
    pub(super) fn apply(&mut self, record: &Record) {
        let wall = record.wall;
        match &record.event {
            Event::Intended { deed, .. } => self.sent(*deed, wall),
            Event::Accepted { deed, job, request_id, .. } => {
                self.accepted(*deed, Some(job), request_id.as_ref(), wall);
            }
            Event::PutOff { deed, .. } | Event::Refused { deed, .. } => self.not_done(*deed),
            Event::Resolved { deed, verdict, .. } => {
                self.last_seen = Some(wall);
                self.resolved(*deed, verdict, wall);
            }
            Event::Stopped { .. } => self.seen_off(wall),
            Event::Validated { .. } | Event::Probed { .. } => self.last_seen = Some(wall),
            Event::JobEnded { end, job, .. } => self.job_ended(end, job.as_ref(), wall),
            Event::Settled { .. } | Event::StepsLeft { before: Ahead::Checks, .. } => {
                self.runs(Power::AsPlanned, wall);
            }
            Event::Passed { .. } => self.leaves = true,
            Event::StartedBack { .. } => self.started_back(wall),
            Event::Yielded { to, .. } => self.yielded_to = Some(to.clone()),
            Event::RunStarted { .. }
            | Event::Resumed
            | Event::PreflightPassed { .. }
            | Event::PreflightRefused { .. }
            | Event::WaveOpened { .. }
            | Event::WaveClosed { .. }
            | Event::Held { .. }
            | Event::Started { .. }
            | Event::Lost { .. }
            | Event::BackedUp { .. }
            | Event::StopSkipped { .. }
            | Event::HostKeySeen { .. }
            | Event::CheckFailed { .. }
            | Event::StepsLeft { before: Ahead::End, .. }
            | Event::StepStarted { .. }
            | Event::StepEnded { .. }
            | Event::NotUndone { .. }
            | Event::Ended { .. }
            | Event::NotStartedBack { .. }
            | Event::CanaryReplaced { .. }
            | Event::RateCut { .. }
            | Event::Steered { .. }
            | Event::Pausing { .. }
            | Event::Abandoned { .. }
            | Event::Closing { .. }
            | Event::Paused { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    /// Whether we took it from its users, and it is not known to run again. Not while it is left off
    /// because its playbook says so.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self.power {
            Power::Off | Power::Unknown => !self.leaves,
            Power::AsFound | Power::Running | Power::AsPlanned => false,
        }
    }

    /// How it came to run again.
    pub(super) fn back(&self) -> Back {
        self.back
    }

    /// Whether it was seen off after a stop of ours, and not running since.
    pub(super) fn is_off(&self) -> bool {
        self.power == Power::Off
    }

    fn sent(&mut self, deed: Deed, wall: Timestamp) {
        match deed {
            Deed::Stop | Deed::ForceStop => {
                self.remember();
                self.asked_off = true;
                self.away(wall);
            }
            Deed::Reinstall => {
                self.remember();
                self.disk = Disk::PerhapsWiped;
                (self.wiped_at, self.job, self.request_id) = (Some(wall), None, None);
                self.job_open = false;
                self.away(wall);
                // A reinstall starts the server when it is done.
                self.power = Power::Unknown;
            }
            Deed::Start => self.remember(),
            Deed::Backup => {}
        }
    }

    /// Keeps how it was before a request, but for what only the next look can know.
    fn remember(&mut self) {
        self.before = None;
        self.before = Some(Box::new(self.clone()));
    }

    /// From here on it is not known to run, for as long as nobody has seen it off.
    fn away(&mut self, wall: Timestamp) {
        if self.power != Power::Off {
            self.power = Power::Unknown;
            self.down_since = self.down_since.or(Some(wall));
        }
    }

    fn accepted(
        &mut self,
        deed: Deed,
        job: Option<&JobId>,
        request_id: Option<&String>,
        wall: Timestamp,
    ) {
        match deed {
            Deed::Reinstall => {
                self.disk = Disk::PerhapsWiped;
                self.wiped_at = Some(wall);
                self.job = job.cloned();
                self.job_open = true;
                self.request_id = request_id.cloned();
            }
            Deed::Start => self.back = Back::Started,
            Deed::Stop | Deed::ForceStop | Deed::Backup => {}
        }
    }

    /// The cloud refused a request: as before it.
    fn not_done(&mut self, deed: Deed) {
        if deed != Deed::Backup
            && let Some(before) = self.before.take()
        {
            *self = Self { last_seen: self.last_seen, ..*before };
        }
    }

    fn resolved(&mut self, deed: Deed, verdict: &Verdict, wall: Timestamp) {
        match (verdict, deed) {
            (Verdict::Happened { .. } | Verdict::AtWork, Deed::Reinstall) => {
                let (at, known) = (self.wiped_at.unwrap_or(wall), self.job.take());
                self.accepted(deed, verdict.job().or(known.as_ref()), None, at);
                // A job that the cloud does not know cannot be asked whether it ended.
                self.job_open = verdict.job().is_some();
            }
            (Verdict::Happened { .. } | Verdict::AtWork, _) => {
                self.accepted(deed, None, None, wall);
            }
            // A request may still be late: if it goes off after all, that is our doing.
            (Verdict::DidNot, Deed::Stop | Deed::ForceStop) => {
                self.not_done(deed);
                self.asked_off = true;
            }
            (Verdict::DidNot, _) => self.not_done(deed),
            (Verdict::Unknown, _) => {}
        }
    }

    fn seen_off(&mut self, wall: Timestamp) {
        self.last_seen = Some(wall);
        if self.asked_off {
            self.power = Power::Off;
            self.down_since = Some(wall);
            self.back = Back::NeverOff;
        }
    }

    fn job_ended(&mut self, end: &JobEnd, job: Option<&JobId>, wall: Timestamp) {
        self.job_open = false;
        self.job = job.cloned().or_else(|| self.job.take());
        match end {
            JobEnd::Succeeded { .. } => {
                self.disk = Disk::Wiped;
                self.power = Power::Unknown;
            }
            JobEnd::Failed { wiped, seen, .. } => {
                self.disk = if *wiped { Disk::PerhapsWiped } else { Disk::NotWiped };
                if !wiped {
                    (self.wiped_at, self.job, self.request_id) = (None, None, None);
                }
                if let Some(seen) = seen {
                    self.seen_after(seen, wall);
                }
            }
        }
    }

    fn seen_after(&mut self, seen: &Seen, wall: Timestamp) {
        self.last_seen = Some(wall);
        match seen.status.as_str() {
            "ACTIVE" => self.runs(Power::Running, wall),
            "SHUTOFF" if self.asked_off => self.power = Power::Off,
            // It was off when the run found it, and is so again.
            "SHUTOFF" => self.power = Power::AsFound,
            _ => self.power = Power::Unknown,
        }
        if !self.is_down() {
            self.down_since = None;
        }
    }

    fn runs(&mut self, power: Power, wall: Timestamp) {
        (self.power, self.down_since, self.last_seen) = (power, None, Some(wall));
    }

    fn started_back(&mut self, wall: Timestamp) {
        match self.power {
            Power::Off if self.back != Back::Started => self.back = Back::ByOthers,
            Power::Off | Power::Unknown | Power::Running | Power::AsPlanned | Power::AsFound => {}
        }
        if self.power != Power::AsFound {
            self.runs(Power::Running, wall);
        }
    }

    /// Whether it runs and what became of its disk, in a few words: `running, not wiped`.
    #[must_use]
    pub fn words(&self) -> String {
        let disk = match (self.disk, &self.job) {
            (Disk::NotWiped, _) => Disk::NotWiped.to_string(),
            (disk, Some(job)) if self.job_open => {
                format!("{disk}: job {job} had not ended when it was last looked at")
            }
            (disk, Some(job)) => format!("{disk} by job {job}"),
            (disk, None) => disk.to_string(),
        };
        let power = match self.power {
            Power::AsFound | Power::AsPlanned => return disk,
            Power::Running => "running".to_owned(),
            Power::Off if self.leaves => "left off".to_owned(),
            Power::Off => since("off", self.down_since),
            Power::Unknown => since("not seen running", self.down_since),
        };
        format!("{power}, {disk}")
    }
}

/// The servers that an event is about.
pub(super) fn servers_of(event: &Event) -> &[ServerId] {
    match event {
        Event::Started { servers }
        | Event::Intended { servers, .. }
        | Event::Accepted { servers, .. }
        | Event::PutOff { servers, .. }
        | Event::Refused { servers, .. }
        | Event::Lost { servers, .. }
        | Event::Stopped { servers }
        | Event::StopSkipped { servers }
        | Event::Validated { servers, .. }
        | Event::Settled { servers }
        | Event::StepsLeft { servers, .. }
        | Event::Passed { servers }
        | Event::StartedBack { servers } => servers,
        Event::Resolved { server, .. }
        | Event::BackedUp { server, .. }
        | Event::JobEnded { server, .. }
        | Event::HostKeySeen { server, .. }
        | Event::Probed { server, .. }
        | Event::CheckFailed { server, .. }
        | Event::Ended { server, .. }
        | Event::Abandoned { server, .. }
        | Event::StepStarted { server, .. }
        | Event::StepEnded { server, .. }
        | Event::NotUndone { server, .. }
        | Event::Yielded { server, .. }
        | Event::NotStartedBack { server, .. } => std::slice::from_ref(server),
        Event::RunStarted { .. }
        | Event::Resumed
        | Event::PreflightPassed { .. }
        | Event::PreflightRefused { .. }
        | Event::WaveOpened { .. }
        | Event::WaveClosed { .. }
        | Event::CanaryReplaced { .. }
        | Event::RateCut { .. }
        | Event::Held { .. }
        | Event::Steered { .. }
        | Event::Closing { .. }
        | Event::Pausing { .. }
        | Event::Paused { .. }
        | Event::RunEnded { .. } => &[],
    }
}

fn since(what: &str, at: Option<Timestamp>) -> String {
    at.map_or_else(|| what.to_owned(), |at| format!("{what} since {at}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What is known of `a` after these events, a second apart.
    fn after(events: &[Value]) -> Standing {
        let mut standing = Standing::default();
        for (seq, event) in (1..).zip(events) {
            let record = json!({
                "seq": seq, "at": seq * 1_000, "wall": seq * 1_000, "event": event,
            });
            standing.apply(&serde_json::from_value(record).unwrap());
        }
        standing
    }

    fn intended(deed: &str) -> Value {
        json!({"event": "intended", "call": 1, "deed": deed, "servers": ["a"]})
    }

    fn accepted(deed: &str, job: &str) -> Value {
        json!({"event": "accepted", "call": 1, "deed": deed, "servers": ["a"], "job": job})
    }

    fn servers(event: &str) -> Value {
        json!({"event": event, "servers": ["a"], "seen": 1})
    }

    fn resolved(deed: &str, verdict: &Value) -> Value {
        json!({"event": "resolved", "server": "a", "deed": deed, "verdict": verdict, "evidence": []})
    }

    fn failed(wiped: bool, status: &str) -> Value {
        let seen =
            json!({"status": status, "task_state": null, "fault": null, "system_volume": null});
        json!({"event": "job_ended", "server": "a", "job": "j", "took": 1, "end": {"failed":
            {"code": "c", "reason": "r", "wiped": wiped, "retry_at": null, "seen": seen}}})
    }

    fn stopped() -> Vec<Value> {
        vec![intended("stop"), accepted("stop", "s"), servers("stopped")]
    }

    fn with(more: &[Value]) -> Standing {
        after(&[stopped(), more.to_vec()].concat())
    }

    #[test]
    fn nothing_is_claimed_of_a_server_that_nothing_was_done_to() {
        let standing = after(&[servers("started"), servers("validated")]);
        assert_eq!((standing.is_down(), standing.words()), (false, "not wiped".to_owned()));
        let found_off = after(&[servers("stopped")]);
        assert_eq!((found_off.power, found_off.is_down()), (Power::AsFound, false));
        let let_go = after(&[servers("started_back")]);
        assert_eq!((let_go.power, let_go.back()), (Power::AsFound, Back::NeverOff));
    }

    #[test]
    fn a_stop_takes_it_away_and_a_start_gives_it_back() {
        let asked = after(&[intended("stop")]);
        assert_eq!((asked.power, asked.is_down()), (Power::Unknown, true), "perhaps off");
        let off = with(&[]);
        assert_eq!((off.power, off.down_since), (Power::Off, Some(Timestamp(3_000))));
        assert_eq!(off.words(), "off since 1970-01-01T00:00:03Z, not wiped");
        let start = [intended("start"), accepted("start", "j"), servers("started_back")];
        let back = with(&start);
        assert_eq!((back.power, back.back()), (Power::Running, Back::Started));
        assert_eq!((back.down_since, back.words()), (None, "running, not wiped".to_owned()));
        let others = with(&[servers("started_back")]);
        assert_eq!((others.power, others.back()), (Power::Running, Back::ByOthers));
    }

    #[test]
    fn a_stop_that_was_refused_took_nothing_away() {
        let refused = json!({"event": "refused", "call": 1, "deed": "stop", "servers": ["a"], "detail": "no"});
        let standing = after(&[intended("stop"), refused]);
        assert_eq!((standing.power, standing.is_down()), (Power::AsFound, false));
        let did_not = after(&[intended("stop"), resolved("stop", &json!("did_not"))]);
        assert!(!did_not.is_down());
        let late =
            after(&[intended("stop"), resolved("stop", &json!("did_not")), servers("stopped")]);
        assert!(late.is_down(), "a late stop is ours");
    }

    #[test]
    fn a_disk_is_wiped_only_once_a_reinstall_succeeded() {
        let wipe = [intended("reinstall"), accepted("reinstall", "j")];
        let open = with(&wipe);
        assert_eq!((open.disk, open.job_open), (Disk::PerhapsWiped, true));
        let words = "not seen running since 1970-01-01T00:00:03Z, perhaps wiped: job j had not ended \
                     when it was last looked at";
        assert_eq!(open.words(), words);
        let end = json!({"event": "job_ended", "server": "a", "job": "j", "took": 1,
            "end": {"succeeded": {"settle_until": 9_000}}});
        let done = with(&[&wipe[..], &[end]].concat());
        assert_eq!((done.disk, done.wiped_at), (Disk::Wiped, Some(Timestamp(5_000))));
        assert!(done.is_down(), "not seen running yet");
        let untouched = with(&[&wipe[..], &[failed(false, "SHUTOFF")]].concat());
        assert_eq!((untouched.disk, untouched.wiped_at), (Disk::NotWiped, None));
        assert_eq!(untouched.words(), "off since 1970-01-01T00:00:03Z, not wiped");
        let half = with(&[&wipe[..], &[failed(true, "ERROR")]].concat());
        assert_eq!((half.disk, half.power), (Disk::PerhapsWiped, Power::Unknown));
        assert_eq!(
            half.words(),
            "not seen running since 1970-01-01T00:00:03Z, perhaps wiped by job j"
        );
    }

    #[test]
    fn a_second_attempt_that_was_put_off_leaves_what_the_first_one_left() {
        let put_off = json!({"event": "put_off", "call": 1, "deed": "reinstall", "servers": ["a"],
            "class": "busy", "detail": "d", "retry_at": 1});
        let wipe = [intended("reinstall"), accepted("reinstall", "j")];
        let again = [intended("reinstall"), put_off];
        let perhaps = with(&[&wipe[..], &[failed(true, "SHUTOFF")], &again].concat());
        assert_eq!(
            (perhaps.disk, perhaps.job.as_ref().unwrap().as_str()),
            (Disk::PerhapsWiped, "j")
        );
        let not = with(&[&wipe[..], &[failed(false, "SHUTOFF")], &again].concat());
        assert_eq!(not.disk, Disk::NotWiped);
    }

    #[test]
    fn a_lost_answer_is_perhaps_until_it_is_looked_up() {
        let sent = intended("reinstall");
        assert_eq!(with(std::slice::from_ref(&sent)).disk, Disk::PerhapsWiped);
        let unknown = with(&[sent.clone(), resolved("reinstall", &json!("unknown"))]);
        assert_eq!((unknown.disk, unknown.job_open), (Disk::PerhapsWiped, false));
        let not = with(&[sent.clone(), resolved("reinstall", &json!("did_not"))]);
        assert_eq!((not.disk, not.power), (Disk::NotWiped, Power::Off));
        let found = json!({"happened": {"job": "k"}});
        let found = with(&[sent, resolved("reinstall", &found)]);
        assert_eq!((found.disk, found.job_open), (Disk::PerhapsWiped, true));
        assert_eq!(found.job.unwrap().as_str(), "k");
    }

    #[test]
    fn a_server_that_its_playbook_leaves_off_is_not_down() {
        let end = json!({"event": "job_ended", "server": "a", "job": "j", "took": 1,
            "end": {"succeeded": {"settle_until": 9_000}}});
        let wipe = [intended("reinstall"), accepted("reinstall", "j"), end, servers("settled")];
        let checked = with(&wipe);
        assert_eq!((checked.power, checked.is_down()), (Power::AsPlanned, false));
        let leave = [servers("passed"), intended("stop"), accepted("stop", "s")];
        let left = with(&[&wipe[..], &leave].concat());
        assert!(!left.is_down(), "{left:?}");
    }

    #[test]
    fn a_server_that_is_rebuilt_while_it_runs_is_away_meanwhile() {
        let wipe = [servers("stop_skipped"), intended("reinstall"), accepted("reinstall", "j")];
        let away = after(&wipe);
        assert!(away.is_down(), "{away:?}");
        let back = after(&[&wipe[..], &[failed(true, "ACTIVE")]].concat());
        assert_eq!((back.power, back.is_down()), (Power::Running, false));
    }
}
