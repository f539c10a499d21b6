//! Records as lines for people, shared by whoever shows a run while it goes.

use indexmap::IndexMap;

use crate::domain::{
    Asker, CloseCause, Deed, Ending, Event, Failure, FleetName, Gate, JobEnd, LeftOff, Outline,
    PauseCause, Phase, Record, RunId, Seen, ServerId, Steering, StepEnd, Verdict, count, list_some,
    shown,
};

use super::Fold;
use super::fold::phases;
use super::standing::{Back, Power, Standing};
use Weight::{Detail, Notice};

/// How much somebody wants to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Shown where there is nothing but lines.
    Detail,
    /// Shown always.
    Notice,
}

/// What a journal says where the cloud named no reason of a job.
const NO_REASON: &str = "the cloud gives no reason";
const TAKEN_OVER: &str = "resuming; checking requests whose outcome is unknown";
const STOPPING: &str = "stopping: nothing new starts; servers in progress are finished";

/// What a record says to people, if anything, on one line; `fold` has it already.
pub(super) fn line(fold: &Fold, record: &Record) -> Option<(Weight, String)> {
    let (weight, text) = told(fold, record)?;
    Some((weight, shown(&text).into_owned()))
}

#[expect(clippy::too_many_lines, reason = "a table, with a line for each event")]
fn told(fold: &Fold, record: &Record) -> Option<(Weight, String)> {
    let (weight, text) = match &record.event {
        Event::RunStarted { outline } => (Notice, start_text(fold, outline)),
        Event::Resumed => (Notice, TAKEN_OVER.to_owned()),
        Event::PreflightPassed { .. } => (Detail, "preflight passed".to_owned()),
        Event::PreflightRefused { reasons } => (Notice, refused_text(reasons)),
        Event::WaveOpened { .. } | Event::WaveClosed { .. } | Event::Held { .. } => {
            return pace_line(fold, record);
        }
        Event::Probed { .. } | Event::CheckFailed { .. } => return check_line(fold, record),
        Event::Steered { steering, by } => (Notice, steered_text(*steering, by.as_ref())),
        Event::Pausing { cause } => (Notice, pausing_line(fold, cause)),
        Event::Lost { deed, servers, detail, .. } => {
            (Notice, lost_text(fold, *deed, servers, detail))
        }
        Event::Refused { deed, servers, detail, .. } => {
            (Notice, format!("{}: the {deed} was refused: {detail}", names(fold, servers)))
        }
        Event::Resolved { server, deed, verdict, evidence, .. } => {
            let verdict = verdict_text(fold.standing(server), *deed, verdict);
            (Notice, format!("{}: {verdict}: {}", fold.name_of(server), list_some(evidence, 5)))
        }
        Event::BackedUp { server, backup, took } => {
            (Detail, format!("{}: backed up after {took} ({backup})", fold.name_of(server)))
        }
        Event::JobEnded {
            server,
            end: JobEnd::Failed { code, reason, retry_at, seen, .. },
            ..
        } => {
            let why = reason_text(reason, seen.as_deref());
            let then = retry_at.map_or(String::new(), |at| format!("; next attempt at {at}"));
            (Notice, job_text(fold, server, &format!("{code}: {why}{then}")))
        }
        event @ (Event::StepStarted { .. } | Event::StepEnded { .. } | Event::NotUndone { .. }) => {
            step_line(fold, event)?
        }
        Event::Ended { server, ending, failure, .. } => {
            ended_line(&fold.name_of(server), *ending, failure.as_ref())
        }
        Event::StartedBack { servers } => (Detail, back_line(fold, servers)),
        Event::Yielded { server, to } => {
            (Notice, format!("{}: {}", fold.name_of(server), yielded_text(to)))
        }
        Event::CanaryReplaced { fleet, server, by } => {
            let (server, by) = (fold.name_of(server), fold.name_of(by));
            (Notice, format!("fleet {fleet}: canary {server} proved nothing; {by} takes its place"))
        }
        Event::NotStartedBack { server, detail, why } => {
            let why = not_back_text(fold.standing(server), *why, detail);
            (Notice, format!("{}: {why}", fold.name_of(server)))
        }
        Event::RateCut { per_minute } => {
            (Notice, format!("the cloud throttles: now at most {per_minute} requests a minute"))
        }
        Event::Abandoned { server, by, open } => {
            (Notice, format!("{}: given up by {by}: {}", fold.name_of(server), list_some(open, 5)))
        }
        Event::Closing { cause } if *cause != CloseCause::Done => {
            (Notice, format!("the run ends: {}; nothing new starts", cause_text(fold, cause)))
        }
        Event::Paused { cause } => (Notice, paused_line(fold, cause)),
        Event::RunEnded { cause, .. } => {
            (Detail, format!("run ended: {}", cause_text(fold, cause)))
        }
        Event::Closing { .. }
        | Event::JobEnded { .. }
        | Event::PutOff { .. }
        | Event::Started { .. }
        | Event::Intended { .. }
        | Event::Accepted { .. }
        | Event::Stopped { .. }
        | Event::StopSkipped { .. }
        | Event::Validated { .. }
        | Event::Settled { .. }
        | Event::HostKeySeen { .. }
        | Event::StepsLeft { .. }
        | Event::Passed { .. } => return None,
    };
    Some((weight, text))
}

/// What checks came to.
fn check_line(fold: &Fold, record: &Record) -> Option<(Weight, String)> {
    if let Event::Probed { server, check, evidence, .. } = &record.event {
        let passed = probed_text(check, evidence.as_deref());
        Some((Detail, format!("{}: {passed}", fold.name_of(server))))
    } else if let Event::CheckFailed { server, check, detail, .. } = &record.event {
        Some((Detail, format!("{}: check `{check}`: {detail}", fold.name_of(server))))
    } else {
        None
    }
}

/// Servers that run: those that came to it alike are told together.
fn back_line(fold: &Fold, servers: &[ServerId]) -> String {
    let mut alike: IndexMap<String, Vec<ServerId>> = IndexMap::new();
    for server in servers {
        alike.entry(back_text(fold.standing(server))).or_default().push(server.clone());
    }
    let parts = alike.iter().map(|(text, servers)| format!("{}: {text}", names(fold, servers)));
    parts.collect::<Vec<_>>().join("; ")
}

/// What a record says that calls a server back: not every one of them was ever away.
pub(super) fn back_text(standing: &Standing) -> String {
    let disk = standing.disk;
    match (standing.power, standing.back()) {
        (Power::AsFound, _) => "left as it was; nothing was changed".to_owned(),
        (_, Back::Started) => format!("started again, {disk}"),
        (_, Back::ByOthers) => format!("running again (started by somebody else), {disk}"),
        (_, Back::NeverOff) => format!("still running, {disk}"),
    }
}

/// What a record says that a server was not started again.
pub(super) fn not_back_text(standing: &Standing, why: LeftOff, detail: &str) -> String {
    let where_it_is = match (why, standing.power) {
        (LeftOff::AsPlanned, Power::Off) => "left off",
        (LeftOff::Locked, Power::Off) => "still off, and not started because it is locked",
        (LeftOff::Failed, Power::Off) => "still off, and could not be started again",
        (LeftOff::TakenOver, _) => "not started, because somebody else took it over",
        (_, Power::Unknown) => "not seen running again",
        (_, Power::AsFound | Power::Running | Power::AsPlanned) => "not started by refleet",
    };
    format!("{where_it_is}: {detail}")
}

/// What a record says of a server that another run holds.
pub(super) fn yielded_text(to: &RunId) -> String {
    format!("left alone: run {to} took the server over")
}

/// What the cloud said of a job that failed. Some clouds say it of the server only.
pub(super) fn reason_text(reason: &str, seen: Option<&Seen>) -> String {
    match seen.and_then(|seen| seen.fault.as_deref()).filter(|fault| !reason.contains(*fault)) {
        Some(fault) if reason == NO_REASON => fault.to_owned(),
        Some(fault) => format!("{reason}; the server's fault: {fault}"),
        None => reason.to_owned(),
    }
}

fn ended_line(name: &str, ending: Ending, failure: Option<&Failure>) -> (Weight, String) {
    match failure {
        None => (Detail, format!("{name}: {ending}")),
        Some(failure) => (Notice, format!("{name}: {ending}: {}", failure_text(failure))),
    }
}

/// How the fleets get on.
fn pace_line(fold: &Fold, record: &Record) -> Option<(Weight, String)> {
    if let Event::WaveOpened { fleet, wave } = &record.event {
        Some((Detail, wave_text(fold, fleet, *wave)))
    } else if let Event::WaveClosed { fleet, wave, next_at } = &record.event {
        let baking = *next_at > record.at;
        let then = if baking { format!(", baking until {next_at}") } else { String::new() };
        Some((Detail, format!("{fleet}: wave {} closed{then}", wave + 1)))
    } else if let Event::Held { fleet, wave } = &record.event {
        let gate = gate_text(fold, &Gate { fleet: fleet.clone(), wave: *wave });
        Some((Notice, format!("{gate}: waits for an approval")))
    } else {
        None
    }
}

fn refused_text(reasons: &[String]) -> String {
    format!("nothing was touched, the preflight refused: {}", list_some(reasons, 5))
}

fn lost_text(fold: &Fold, deed: Deed, servers: &[ServerId], detail: &str) -> String {
    let names = names(fold, servers);
    format!("{names}: the answer to the {deed} was lost ({detail}); checking whether it happened")
}

fn job_text(fold: &Fold, server: &ServerId, why: &str) -> String {
    format!("{}: the reinstall job failed: {why}", fold.name_of(server))
}

/// What becomes of the playbook's own steps.
fn step_line(fold: &Fold, event: &Event) -> Option<(Weight, String)> {
    if let Event::StepStarted { server, step, undo, .. } = event {
        Some((Detail, format!("{}: {} begins", fold.name_of(server), step_text(step, *undo))))
    } else if let Event::StepEnded { server, step, undo, end, detail, .. } = event {
        let weight = if *end == StepEnd::Done { Detail } else { Notice };
        let (name, what) = (fold.name_of(server), step_text(step, *undo));
        Some((weight, format!("{name}: {what} {}", step_end_text(*end, detail))))
    } else if let Event::NotUndone { server, step, detail } = event {
        let what = format!("the step `{step}` is not taken back");
        Some((Notice, format!("{}: {what}: {detail}", fold.name_of(server))))
    } else {
        None
    }
}

fn start_text(fold: &Fold, outline: &Outline) -> String {
    let plan = outline.plan.as_str();
    let servers = count(fold.servers.len(), "server");
    let rehearsal = if outline.simulated { " (a rehearsal)" } else { "" };
    format!("run {} of plan {plan:.12}: {servers} on {}{rehearsal}", outline.run, outline.cloud)
}

fn wave_text(fold: &Fold, fleet: &FleetName, wave: u32) -> String {
    let mut fleets = fold.outline.iter().flat_map(|outline| &outline.fleets);
    let waves = fleets.find(|known| known.name == *fleet).map_or(&[][..], |known| &known.waves);
    let size = waves.get(wave as usize).map_or(0, Vec::len);
    let (number, of) = (wave + 1, waves.len());
    format!("{fleet}: wave {number} of {of} opened, {}", count(size, "server"))
}

fn names(fold: &Fold, servers: &[ServerId]) -> String {
    let names: Vec<String> = servers.iter().map(|server| fold.name_of(server)).collect();
    list_some(&names, 3)
}

/// A check from outside that passed, and what it saw.
pub(super) fn probed_text(check: &str, evidence: Option<&str>) -> String {
    let seen = evidence.map_or_else(String::new, |seen| format!(": {seen}"));
    format!("check `{check}` passed{seen}")
}

/// A step of the playbook's own, or taking it back.
pub(super) fn step_text(step: &str, undo: bool) -> String {
    if undo { format!("the undo of step `{step}`") } else { format!("the step `{step}`") }
}

/// How a step ended, with what its program said last.
pub(super) fn step_end_text(end: StepEnd, detail: &str) -> String {
    let how = match end {
        StepEnd::Done => return "is done".to_owned(),
        StepEnd::Failed => "failed",
        StepEnd::TimedOut => "took too long, and was killed",
        StepEnd::NotStarted => "could not be started",
        StepEnd::Late => "was not started yet",
    };
    if detail.is_empty() { how.to_owned() } else { format!("{how}: {detail}") }
}

/// What a look at a request came to.
pub(super) fn verdict_text(standing: &Standing, deed: Deed, verdict: &Verdict) -> String {
    match (verdict, &standing.job) {
        (Verdict::Happened { job: Some(job) }, _) => format!("the {deed} happened (job {job})"),
        (Verdict::Happened { job: None }, _) => format!("the {deed} happened"),
        (Verdict::AtWork, _) => format!(
            "something is working on the server, and the {deed} is not sent again until that has ended"
        ),
        (Verdict::DidNot, _) => format!("there is no sign of the {deed}, so it may be sent again"),
        (Verdict::Unknown, Some(job)) if deed == Deed::Reinstall && standing.job_open => format!(
            "job {job} of the reinstall was accepted and had not ended when it was last looked at; \
             check it"
        ),
        (Verdict::Unknown, _) => {
            format!("whether the {deed} happened is unknown; check the server")
        }
    }
}

/// A failure in one line, with what can be done.
fn failure_text(failure: &Failure) -> String {
    let mut text = format!("{}: {}", failure.code, failure.cause);
    for (before, more) in [(" (", &failure.detail), ("; ", &failure.help)] {
        if !more.is_empty() {
            text.push_str(before);
            text.push_str(more);
            text.push_str(if before == " (" { ")" } else { "" });
        }
    }
    text
}

/// Why a run ends, in words.
pub(super) fn cause_text(fold: &Fold, cause: &CloseCause) -> String {
    match cause {
        CloseCause::Done => "done".to_owned(),
        CloseCause::BudgetSpent { fleet } => {
            format!("the failure budget of fleet {fleet} is spent")
        }
        CloseCause::CanaryFailed { fleet, server } => {
            format!("canary {} of fleet {fleet} failed", fold.name_of(server))
        }
        CloseCause::Stopped => "stopped on request".to_owned(),
        CloseCause::Refused => "refused before anything was touched".to_owned(),
    }
}

fn steered_text(steering: Steering, by: Option<&Asker>) -> String {
    let who = by.map_or(String::new(), |by| format!("{} asked at {}: ", by.name, by.at));
    match steering {
        Steering::Stop => format!("{who}{STOPPING}"),
        Steering::Pause => format!("{who}pause"),
        Steering::Approve => format!("{who}approved"),
    }
}

fn pausing_line(fold: &Fold, cause: &PauseCause) -> String {
    let then = "nothing new starts; servers in progress are finished";
    format!("pausing, {}; {then}", pause_text(fold, cause))
}

fn paused_line(fold: &Fold, cause: &PauseCause) -> String {
    let then = "nothing more is sent, every server stays as it is";
    format!("the run is paused, {}; {then}", pause_text(fold, cause))
}

/// What a run waits for, in words.
pub(super) fn pause_text(fold: &Fold, cause: &PauseCause) -> String {
    match cause {
        PauseCause::LockedOut { code, detail, .. } => format!("locked out ({code}: {detail})"),
        PauseCause::Asked { by } => format!("as {by} asked"),
        PauseCause::Approval { gates } => {
            let gates: Vec<String> = gates.iter().map(|gate| gate_text(fold, gate)).collect();
            format!("waiting for an approval: {}", list_some(&gates, 5))
        }
        PauseCause::SharedCause { code, cause, servers, zones } => format!(
            "{} of {} failed alike ({code}: {cause}): {}",
            count(servers.len(), "server"),
            count(zones.len(), "zone"),
            names(fold, servers)
        ),
        PauseCause::PlacesTaken { servers } => format!(
            "{} left off hold every place of `max_unavailable`: {}",
            count(servers.len(), "server"),
            names(fold, servers)
        ),
        PauseCause::Precondition { reasons } => {
            format!("a precondition no longer holds: {}", list_some(reasons, 5))
        }
    }
}

/// What to do about a run that is paused.
pub(super) fn pause_help(cause: &PauseCause, run: &str) -> String {
    let resume = format!("refleet resume {run}");
    let resume = resume.trim_end();
    match cause {
        PauseCause::LockedOut { help, .. } => format!("{help}; then `{resume}` continues the run"),
        PauseCause::Asked { .. } => format!("`{resume}` continues the run"),
        PauseCause::Approval { .. } => {
            format!(
                "`refleet approve {run}`, then `{resume}` continues; `refleet stop {run}` ends the run"
            )
        }
        PauseCause::PlacesTaken { .. } => format!(
            "start these servers in the console, then `{resume}`; `refleet stop {run}` ends the run"
        ),
        PauseCause::Precondition { .. } => {
            format!("fix what is named, then `{resume}`; `refleet stop {run}` ends the run")
        }
        PauseCause::SharedCause { .. } => format!(
            "check what the servers have in common; `refleet approve {run}`, then `{resume}` \
             continues; `refleet stop {run}` ends the run"
        ),
    }
}

/// Where a fleet waits.
pub(super) fn gate_text(fold: &Fold, gate: &Gate) -> String {
    let mut fleets = fold.outline.iter().flat_map(|outline| &outline.fleets);
    let known = fleets.find(|known| known.name == gate.fleet);
    let waves = known.map_or(0, |known| known.waves.len());
    format!("fleet {} after wave {} of {waves}", gate.fleet, gate.wave + 1)
}

/// `12 verified, 3 reinstalling, 45 pending`: the furthest first.
pub(super) fn phases_text<'s>(servers: impl IntoIterator<Item = &'s super::ServerState>) -> String {
    let phases = phases(servers);
    let (ended, begun): (Vec<_>, Vec<_>) =
        phases.iter().partition(|(phase, _)| matches!(phase, Phase::Ended(_)));
    let parts = ended.into_iter().chain(begun.into_iter().rev());
    parts.map(|(phase, n)| format!("{n} {phase}")).collect::<Vec<_>>().join(", ")
}
