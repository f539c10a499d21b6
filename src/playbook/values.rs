//! Every value that a server is treated by, as it would be written, with who decided it.
//!
//! Start with [`FleetSpec::values_for`]. Treatment and strategy are taken apart whole here, so that a
//! key that comes later cannot be forgotten.

use serde::Serialize;

use crate::domain::{Jitter, Place, RetryPolicies, RetryPolicy};

use super::model::{FleetSpec, Pause, Size, Spread, Strategy};
use super::spec::{
    Check, EncryptionSpec, ImageChoice, Leave, License, LoginSpec, ReinstallSpec, SshCheck,
    Treatment, UserData, Wait,
};
use super::written::Decided;

/// A value and who decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidedValue {
    /// Its key, as a dotted path.
    pub key: String,
    /// As it would be written.
    pub value: String,
    /// Who decided it.
    pub by: Decided,
}

impl FleetSpec {
    /// The values for a server that these overrides match (indices, ascending), and that this row of
    /// a file is about: what is done to it, then how its fleet goes.
    #[must_use]
    pub fn values_for(
        &self,
        matching: &[usize],
        row: Option<(usize, &Place)>,
    ) -> Vec<DecidedValue> {
        let written = treatment_values(&self.treatment_for(matching, None));
        let values = treatment_values(&self.treatment_for(matching, row.map(|(row, _)| row)));
        let mut decided = Vec::new();
        for (key, value) in values {
            let by = match row {
                Some((_, place)) if !written.contains(&(key.clone(), value.clone())) => {
                    Decided::Row(place.clone())
                }
                Some(_) | None => self.written.source(&key, matching),
            };
            decided.push(DecidedValue { key, value, by });
        }
        // Overrides change what is done to a server, never how its fleet goes.
        decided.extend(strategy_values(&self.strategy).into_iter().map(|(key, value)| {
            let by = self.written.source(&key, &[]);
            DecidedValue { key, value, by }
        }));
        decided
    }
}

fn treatment_values(treatment: &Treatment) -> Values {
    let Treatment { reinstall, backup, wait, retry, verify, start_back } = treatment;
    let Wait { settle, timeout } = wait;
    let mut values = reinstall_values(reinstall);
    let vault = backup.as_ref().map_or("none", |backup| &backup.vault);
    values.push(("backup.vault".to_owned(), vault.to_owned()));
    let timeout_of = backup.as_ref().map(|backup| backup.timeout.to_string());
    values.extend(timeout_of.map(|timeout| ("backup.timeout".to_owned(), timeout)));
    values.push(("wait.settle".to_owned(), settle.to_string()));
    values.push(("wait.timeout".to_owned(), timeout.to_string()));
    values.push(("verify".to_owned(), list(verify.iter().map(check))));
    values.push(("start_back".to_owned(), start_back.to_string()));
    values.extend(retry_values(retry));
    values
}

type Values = Vec<(String, String)>;

fn reinstall_values(spec: &ReinstallSpec) -> Values {
    let ReinstallSpec { image, login, user_data, license, encryption, leave, allow_v1 } = spec;
    let mut values = Values::new();
    let mut value = |key: &str, value: String| values.push((format!("reinstall.{key}"), value));
    value(
        "image",
        match image {
            ImageChoice::Current => "current".to_owned(),
            ImageChoice::Named(name) => name.clone(),
        },
    );
    match login {
        LoginSpec::ServerKey => value("key_name", "the server's own".to_owned()),
        LoginSpec::KeyPair { name, owner } => {
            value("key_name", name.clone());
            value(
                "key_owner",
                owner.as_ref().map_or("the acting user".to_owned(), ToString::to_string),
            );
        }
        LoginSpec::Password(secret) => value("admin_pass", secret.to_string()),
    }
    value("user_data", user_data.as_ref().map_or("none".to_owned(), file));
    let license = license.map(|license| match license {
        License::System => "system",
        License::Byol => "byol",
    });
    value("license", license.unwrap_or("not said").to_owned());
    value(
        "encryption",
        match encryption {
            EncryptionSpec::Keep => "keep".to_owned(),
            EncryptionSpec::None => "none".to_owned(),
            EncryptionSpec::KmsKey(key) => format!("kms_key {key}"),
        },
    );
    let leave = match leave {
        Leave::Running => "running",
        Leave::Stopped => "stopped",
        Leave::AsFound => "as_found",
    };
    value("leave", leave.to_owned());
    value("allow_v1", allow_v1.to_string());
    values
}

fn file(UserData { file, inserts }: &UserData) -> String {
    let template = if inserts.is_some() { "template, " } else { "" };
    format!("{} ({template}sha256 {:.12})", file.path, file.sha256)
}

fn retry_values(policies: &RetryPolicies) -> Values {
    let RetryPolicies { throttled, transient, busy, job_failed, verify_failed } = policies;
    let classes = [
        ("throttled", throttled),
        ("transient", transient),
        ("busy", busy),
        ("job_failed", job_failed),
        ("verify_failed", verify_failed),
    ];
    let values = classes.into_iter().flat_map(|(class, policy)| {
        let RetryPolicy { attempts, delay, backoff, max_delay, jitter } = policy;
        let jitter = match jitter {
            Jitter::None => "none",
            Jitter::Full => "full",
        };
        let values = [
            ("attempts", attempts.to_string()),
            ("delay", delay.to_string()),
            ("backoff", backoff.to_string()),
            ("max_delay", max_delay.to_string()),
            ("jitter", jitter.to_owned()),
        ];
        values.map(|(key, value)| (format!("retry.{class}.{key}"), value))
    });
    values.collect()
}

fn strategy_values(strategy: &Strategy) -> Values {
    let Strategy {
        canary,
        serial,
        max_unavailable,
        max_failures,
        strict_budget,
        bake_time,
        spread,
        pause,
        written: _,
    } = strategy;
    let spread = match spread {
        Spread::Any => "any",
        Spread::Az => "az",
        Spread::Zonal => "zonal",
    };
    let pause = match pause {
        Pause::Never => "never",
        Pause::AfterCanary => "after_canary",
        Pause::EachBatch => "each_batch",
    };
    let values = [
        ("canary", canary.to_string()),
        ("serial", list(serial.iter().copied().map(size))),
        ("max_unavailable", size(*max_unavailable)),
        ("max_failures", max_failures.to_string()),
        ("strict_budget", strict_budget.to_string()),
        ("bake_time", bake_time.to_string()),
        ("spread", spread.to_owned()),
        ("pause", pause.to_owned()),
    ];
    values.map(|(key, value)| (format!("strategy.{key}"), value)).to_vec()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn size(size: Size) -> String {
    match size {
        Size::Count(count) => count.to_string(),
        Size::Share(share) => format!("{}%", share.0),
    }
}

fn check(check: &Check) -> String {
    match check {
        Check::Fresh | Check::Unchanged => check.name().to_owned(),
        Check::Tcp { port, within } => format!("tcp: {{ port: {port}, within: {within} }}"),
        Check::PasswordReady { within } => format!("password_ready: {{ within: {within} }}"),
        Check::Http { url, status, within } => {
            format!("http: {{ url: {url}, status: {status}, within: {within} }}")
        }
        Check::Command { run, within } => {
            format!("command: {} within {within}", list(run.iter().map(ToString::to_string)))
        }
        Check::Ssh(ssh) => {
            let SshCheck { user, run, port, within, host_key, program, .. } = &**ssh;
            format!(
                "ssh: {{ user: {user}, run: {run}, port: {port}, within: {within}, host_key: {host_key}, program: {program} }}"
            )
        }
        Check::StableFor { time } => format!("stable_for: {time}"),
    }
}
