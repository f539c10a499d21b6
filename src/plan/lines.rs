//! The lines of one server and of one treatment: old → new for every option.

use crate::domain::{
    Encryption, InstallCall, Jitter, Login, Millis, RetryPolicy, ServerId, StopMode, Template,
    Timestamp, count, list_some,
};
use crate::playbook::{Check, SshCheck};

use super::{Disk, Plan, PlannedBackup, PlannedTreatment, Target};

/// Disks and addresses in one line.
const SHOWN: usize = 6;

/// `12,345`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

/// What will be done to one server.
pub(super) fn server(plan: &Plan, id: &ServerId, target: &Target) -> Vec<String> {
    let (found, request) = (&target.found, &target.reinstall);
    let tags: Vec<String> =
        found.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let tags = if tags.is_empty() { "no tags".to_owned() } else { tags.join(" ") };
    let age = found.created.map_or_else(String::new, |created| age(plan.made, created));
    let call = match request.call {
        InstallCall::V2 => "",
        InstallCall::V1 => "; v1 call: no cloud-init",
    };
    let on_off = |on| if on { "on" } else { "off" };
    let (because, place) = &target.because;
    let old_login =
        found.key_name.as_ref().map_or("none".to_owned(), |key| format!("key pair {key}"));
    let user_data = request.user_data.as_ref().map_or("none", |file| file.path.as_str());
    let template = if request.inserts.is_some() { " (template)" } else { "" };
    let licence = if request.byol { "byol" } else { "of the image" };
    vec![
        format!("{} ({id}) {}{age} · {tags} · by {because} [{place}]", found.name, found.az),
        format!("  image {}{call} · licence {licence}", image(plan, target)),
        format!(
            "  login {old_login} → {} · user data {user_data}{template}",
            login(&request.login)
        ),
        format!(
            "  encryption {} → {} · power {} → {}",
            old_key(target.wiped.key.as_deref()),
            new_key(&request.encryption),
            on_off(found.running),
            on_off(target.leave_running)
        ),
        format!("  wiped {}{}{}", disk(&target.wiped), grows(target), snapshots(target)),
        format!("  kept  {} · {}", disks(&target.kept), addresses(target)),
        format!("  back  {}", way_back(plan, target)),
    ]
}

/// How what is wiped could be had again.
fn way_back(plan: &Plan, target: &Target) -> String {
    let treatment = plan.treatments.get(target.treatment as usize);
    let asked = treatment.and_then(|treatment| treatment.backup.as_ref());
    let newest = target.way_back.as_ref().map(|it| old(plan.made, it.made));
    match (asked, newest) {
        (Some(backup), newest) => {
            let newest = newest.map_or_else(String::new, |old| format!(" · the last one is {old}"));
            format!("a backup into vault {} ({}) is taken first{newest}", backup.name, backup.vault)
        }
        (None, Some(old)) => {
            format!("the last backup is {old}; what changed since then is lost")
        }
        (None, None) => "*no way back*".to_owned(),
    }
}

/// What it has, and what it gets: name and id of both.
fn image(plan: &Plan, target: &Target) -> String {
    let name = |id| plan.images.get(id).map_or("?", |image| image.name.as_str());
    let old = &target.found.image;
    let old_name = target.image_before.as_deref().unwrap_or_else(|| name(old));
    let new = target.image();
    if target.changes_os() {
        format!("{old_name} ({old}) → {} ({new}): a change of OS", name(new))
    } else {
        format!("{old_name} ({old}) → the same")
    }
}

fn grows(target: &Target) -> String {
    target.grows_to.map_or_else(String::new, |gib| {
        format!(" → a new one of {} GiB, as its image needs", thousands(gib))
    })
}

/// How old a server is when the plan is made: in days, or in hours where that says more.
fn age(made: Timestamp, created: Timestamp) -> String {
    format!(" · {}", old(made, created))
}

fn old(made: Timestamp, created: Timestamp) -> String {
    let hours = made.since(created).0 / Millis::mins(60).0;
    let (n, noun) = if hours < 48 { (hours, "hour") } else { (hours / 24, "day") };
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural} old", thousands(n))
}

fn login(login: &Login) -> String {
    match login {
        Login::KeyPair { name, owner } => format!("key pair {name} of user {owner}"),
        Login::Password(secret) => format!("password from {secret}"),
        Login::UserData => "what the user data sets up".to_owned(),
        Login::Kept => "as it was: its key pair and its user data stay".to_owned(),
    }
}

fn old_key(key: Option<&str>) -> String {
    key.map_or_else(|| "none".to_owned(), |key| format!("KMS key {key}"))
}

fn new_key(encryption: &Encryption) -> String {
    match encryption {
        Encryption::None => "none".to_owned(),
        Encryption::Key(key) => format!("KMS key {key}"),
    }
}

fn disk(disk: &Disk) -> String {
    let encrypted = if disk.key.is_some() { ", encrypted" } else { "" };
    format!("{} ({} GiB {}{encrypted})", disk.id, thousands(disk.size_gib), disk.kind)
}

fn snapshots(target: &Target) -> String {
    if target.snapshots.is_empty() {
        return String::new();
    }
    let names: Vec<&String> = target.snapshots.values().collect();
    format!(" · with {}: {}", count(names.len(), "snapshot"), list_some(&names, SHOWN))
}

fn disks(kept: &[Disk]) -> String {
    if kept.is_empty() {
        return "no data disk".to_owned();
    }
    list_some(&kept.iter().map(disk).collect::<Vec<_>>(), SHOWN)
}

fn addresses(target: &Target) -> String {
    let parts: Vec<String> = target
        .found
        .addresses
        .iter()
        .map(|address| format!("{} {}", address.addr, address.mac))
        .collect();
    if parts.is_empty() { "no address".to_owned() } else { list_some(&parts, SHOWN) }
}

/// Every value that the run goes by, whoever set it (`safety.md`, S9).
pub(super) fn treatment(treatment: &PlannedTreatment) -> Vec<String> {
    let mode = match treatment.stop.mode {
        StopMode::Soft => "soft",
        StopMode::Hard => "hard",
    };
    let force = treatment
        .stop
        .force_after
        .map_or_else(|| "never forced".to_owned(), |after| format!("forced after {after}"));
    let verify: Vec<String> = treatment.verify.iter().map(check).collect();
    let back = if treatment.start_back { "started back" } else { "left off" };
    let retry = &treatment.retry;
    let backup = treatment.backup.as_ref().map(|backup| {
        let PlannedBackup { vault, name, timeout } = backup;
        format!("backup into vault {name} ({vault}) before the stop, within {timeout}")
    });
    let lines = vec![
        format!(
            "each   stop {mode}, {force}; settle {}, timeout {}; {back} if stopped but not wiped",
            treatment.wait.settle, treatment.wait.timeout
        ),
        format!(
            "verify {}",
            if verify.is_empty() { "nothing".to_owned() } else { verify.join(", ") }
        ),
        format!(
            "retry  throttled {}; transient {}; busy {}; job_failed {}; verify_failed {}",
            policy(&retry.throttled),
            policy(&retry.transient),
            policy(&retry.busy),
            policy(&retry.job_failed),
            policy(&retry.verify_failed)
        ),
    ];
    backup.into_iter().chain(lines).collect()
}

fn check(check: &Check) -> String {
    match check {
        Check::Fresh => "fresh".to_owned(),
        Check::Unchanged => "unchanged".to_owned(),
        Check::Tcp { port, within } => format!("tcp {port} within {within}"),
        Check::PasswordReady { within } => format!("password_ready within {within}"),
        Check::Http { url, status, within } => format!("http {url} → {status} within {within}"),
        Check::Command { run, within } => {
            let words: Vec<&str> = run.iter().map(Template::as_str).collect();
            format!("command [{}] within {within}", words.join(", "))
        }
        Check::Ssh(ssh) => {
            let SshCheck { user, run, port, within, host_key, program, .. } = &**ssh;
            format!(
                "ssh {user} port {port} `{run}` within {within}, host key {host_key}, by {program}"
            )
        }
        Check::StableFor { time } => format!("stable_for {time}"),
    }
}

/// `30× 2s…1m`: attempts in all, and the waits between them.
fn policy(policy: &RetryPolicy) -> String {
    if policy.attempts <= 1 {
        return "never".to_owned();
    }
    let longest: Millis = policy.max_delay.max(policy.delay);
    let grows = policy.backoff > 1.0 && longest > policy.delay;
    let waits =
        if grows { format!("{}…{longest}", policy.delay) } else { policy.delay.to_string() };
    let jitter = match policy.jitter {
        Jitter::Full => "≤",
        Jitter::None => "",
    };
    format!("{}× {jitter}{waits}", policy.attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_readable() {
        let check = |n, expected| assert_eq!(thousands(n), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(9_980, "9,980");
        check(1_234_567, "1,234,567");
    }

    #[test]
    fn a_young_server_is_as_old_as_its_hours() {
        let check = |hours: u64, expected| {
            let created = Timestamp(1_000);
            assert_eq!(age(created + Millis::mins(60 * hours), created), expected);
        };
        check(0, " · 0 hours old");
        check(1, " · 1 hour old");
        check(47, " · 47 hours old");
        check(48, " · 2 days old");
        check(24_000, " · 1,000 days old");
        assert_eq!(age(Timestamp(0), Timestamp(1)), " · 0 hours old", "clocks may differ");
    }
}
