//! One layer of a treatment or a strategy, read from the tree.
//!
//! Everything here was checked against the grammar. A value that does not fit was told already and
//! is left out, so that the other problems of the file still come to light.

use crate::domain::{Jitter, SecretRef, SecretSource, StopMode};
use crate::yaml::{Node, Scalar, Value};

use super::checks;
use super::lower::Desk;
use super::merge::{
    BackupPatch, Field, Patch, PolicyPatch, ReinstallPatch, RetryPatch, StrategyPatch,
};
use super::model::{Pause, Spread};
use super::problem::{Code, Problem};
use super::spec::{EncryptionSpec, ImageChoice, Leave, License, StopSpec};
use super::{scalars, user_data};

/// The text of a scalar that says something.
pub(super) fn text(node: &Node) -> Option<&str> {
    let scalar: Option<&Scalar> = node.scalar();
    scalar.filter(|_| !node.is_null() && !node.is_blank()).map(|scalar| &*scalar.text)
}

/// A text of its own.
pub(super) fn owned(node: &Node) -> Option<String> {
    text(node).map(str::to_owned)
}

/// A number of servers, attempts and so on.
pub(super) fn number(node: &Node) -> Option<u32> {
    u32::try_from(scalars::whole(text(node)?)?).ok()
}

/// One item, or the items of a list.
pub(super) fn one_or_many(node: &Node) -> &[Node] {
    match &node.value {
        Value::Seq(items) => items,
        Value::Scalar(_) | Value::Map(_) | Value::Broken => std::slice::from_ref(node),
    }
}

/// A key of a map that can be inherited. `None` is a map that is not written at all.
fn field<T>(map: Option<&Node>, key: &str, read: impl FnOnce(&Node) -> Option<T>) -> Field<T> {
    match map {
        None => Field::Absent,
        Some(map) if map.is_null() => Field::Null,
        Some(map) => match map.get(key) {
            None => Field::Absent,
            Some(node) if node.is_null() => Field::Null,
            Some(node) => read(node).map_or(Field::Absent, Field::Value),
        },
    }
}

/// Reads the keys of a treatment in a fleet, in `defaults` or in an override.
pub(super) fn patch(desk: &mut Desk<'_>, layer: &Node) -> Patch {
    let wait = layer.get("wait");
    Patch {
        reinstall: reinstall(desk, layer.get("reinstall")),
        backup: backup(desk, layer.get("backup")),
        settle: field(wait, "settle", |node| scalars::duration(text(node)?)),
        timeout: field(wait, "timeout", |node| scalars::duration(text(node)?)),
        retry: retry(layer.get("retry")),
        verify: field(Some(layer), "verify", |node| {
            Some(node.items()?.iter().filter_map(|item| checks::check(desk, item)).collect())
        }),
        start_back: field(Some(layer), "start_back", |node| scalars::flag(text(node)?)),
    }
}

fn reinstall(desk: &mut Desk<'_>, map: Option<&Node>) -> ReinstallPatch {
    two_logins(desk, map);
    ReinstallPatch {
        image: field(map, "image", |node| match text(node)? {
            "current" => Some(ImageChoice::Current),
            name => Some(ImageChoice::Named(name.to_owned())),
        }),
        key_name: field(map, "key_name", owned),
        key_owner: field(map, "key_owner", |node| Some(text(node)?.into())),
        admin_pass: field(map, "admin_pass", |node| secret(desk, node)),
        user_data: field(map, "user_data", |node| user_data::read(desk, node)),
        license: field(map, "license", |node| match text(node)? {
            "system" => Some(License::System),
            "byol" => Some(License::Byol),
            _ => None,
        }),
        encryption: field(map, "encryption", |node| match text(node) {
            Some("keep") => Some(EncryptionSpec::Keep),
            Some("none") => Some(EncryptionSpec::None),
            _ => Some(EncryptionSpec::KmsKey(owned(node.get("kms_key")?)?)),
        }),
        leave: field(map, "leave", |node| match text(node)? {
            "running" => Some(Leave::Running),
            "stopped" => Some(Leave::Stopped),
            "as_found" => Some(Leave::AsFound),
            _ => None,
        }),
        allow_v1: field(map, "allow_v1", |node| scalars::flag(text(node)?)),
    }
}

fn backup(desk: &mut Desk<'_>, map: Option<&Node>) -> BackupPatch {
    let wait = map.and_then(|map| map.entry("wait"));
    if let Some(entry) = wait.filter(|it| text(&it.value).and_then(scalars::flag) == Some(false)) {
        desk.report(
            Problem::error(Code::NoWait, "a backup that is not waited for is no way back")
                .label(entry.key.span, "the wipe always waits until the backup can be restored")
                .help(
                    "remove it, or write `wait: true`; to wipe without a backup, remove `backup`",
                ),
        );
    }
    BackupPatch {
        vault: field(map, "vault", owned),
        timeout: field(map, "timeout", |node| scalars::duration(text(node)?)),
    }
}

fn two_logins(desk: &mut Desk<'_>, map: Option<&Node>) {
    let entry = |key| map?.entry(key).filter(|entry| !entry.value.is_null());
    if let (Some(key), Some(pass)) = (entry("key_name"), entry("admin_pass")) {
        desk.report(
            Problem::error(Code::TwoLogins, "a key pair and a password at once")
                .label(pass.key.span, "a password")
                .label(key.key.span, "a key pair")
                .help("keep one: the cloud takes one way to log in and would ignore the other"),
        );
    }
}

fn secret(desk: &Desk<'_>, node: &Node) -> Option<SecretRef> {
    let source = if let Some(name) = node.get("env") {
        SecretSource::Env(owned(name)?)
    } else if let Some(path) = node.get("file") {
        SecretSource::File(desk.seen_from_here(text(path)?))
    } else {
        SecretSource::Command(node.get("command")?.items()?.iter().filter_map(owned).collect())
    };
    Some(SecretRef(source))
}

fn retry(map: Option<&Node>) -> RetryPatch {
    let class = |key| match map {
        None => PolicyPatch::default(),
        Some(map) if map.is_null() => PolicyPatch::null(),
        Some(map) => policy(map.get(key)),
    };
    RetryPatch {
        throttled: class("throttled"),
        transient: class("transient"),
        busy: class("busy"),
        job_failed: class("job_failed"),
        verify_failed: class("verify_failed"),
    }
}

fn policy(map: Option<&Node>) -> PolicyPatch {
    PolicyPatch {
        attempts: field(map, "attempts", number),
        delay: field(map, "delay", |node| scalars::duration(text(node)?)),
        backoff: field(map, "backoff", |node| scalars::number(text(node)?)),
        max_delay: field(map, "max_delay", |node| scalars::duration(text(node)?)),
        jitter: field(map, "jitter", |node| match text(node)? {
            "none" => Some(Jitter::None),
            "full" => Some(Jitter::Full),
            _ => None,
        }),
    }
}

/// Reads the key `strategy` of a fleet or of `defaults`.
pub(super) fn strategy(layer: &Node) -> StrategyPatch {
    let map = layer.get("strategy");
    StrategyPatch {
        canary: field(map, "canary", number),
        serial: field(map, "serial", |node| {
            let sizes = one_or_many(node).iter().map(|item| scalars::size(text(item)?));
            sizes.collect::<Option<Vec<_>>>().filter(|sizes| !sizes.is_empty())
        }),
        max_unavailable: field(map, "max_unavailable", |node| scalars::size(text(node)?)),
        max_failures: field(map, "max_failures", number),
        strict_budget: field(map, "strict_budget", |node| scalars::flag(text(node)?)),
        bake_time: field(map, "bake_time", |node| scalars::duration(text(node)?)),
        pause: field(map, "pause", |node| match text(node)? {
            "never" => Some(Pause::Never),
            "after_canary" => Some(Pause::AfterCanary),
            "each_batch" => Some(Pause::EachBatch),
            _ => None,
        }),
        spread: field(map, "spread", |node| match text(node)? {
            "any" => Some(Spread::Any),
            "az" => Some(Spread::Az),
            "zonal" => Some(Spread::Zonal),
            _ => None,
        }),
        written: match map {
            None => Field::Absent,
            Some(map) => Field::Value(map.entries().is_some_and(|entries| !entries.is_empty())),
        },
    }
}

/// Reads how a stop is made.
pub(super) fn stop(node: &Node) -> StopSpec {
    let hard = node.get("mode").and_then(text) == Some("hard");
    StopSpec {
        skip: text(node) == Some("skip"),
        mode: if hard { StopMode::Hard } else { StopMode::Soft },
        force_after: node.get("force_after").and_then(|node| scalars::duration(text(node)?)),
    }
}
