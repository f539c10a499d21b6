//! Inheritance: built-in values, `defaults`, the fleet, its overrides; keys of a later layer win.
//!
//! Each key of a layer is one of absent, null or a value. Layers are merged first, and read as a
//! [`Treatment`] only at the end, so that a key owner from `defaults` still belongs to a key name of
//! the fleet.

use crate::domain::{Jitter, Millis, RetryPolicies, RetryPolicy, SecretRef, UserId};

use super::model::{Pause, Size, Spread, Strategy};
use super::spec::{
    BackupSpec, Check, EncryptionSpec, ImageChoice, Leave, License, LoginSpec, ReinstallSpec,
    Treatment, UserData, Wait,
};

/// A key of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Field<T> {
    /// Not written: the layer below decides.
    #[default]
    Absent,
    /// `null`: the layers below are forgotten.
    Null,
    /// Written.
    Value(T),
}

impl<T> Field<T> {
    pub(super) fn value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    fn merge(&mut self, over: Self) {
        if !matches!(over, Self::Absent) {
            *self = over;
        }
    }

    fn or(self, default: T) -> T {
        if let Self::Value(value) = self { value } else { default }
    }

    fn into_option(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

/// One layer of a treatment.
#[derive(Clone, Debug, Default)]
pub(super) struct Patch {
    pub(super) reinstall: ReinstallPatch,
    pub(super) backup: BackupPatch,
    pub(super) settle: Field<Millis>,
    pub(super) timeout: Field<Millis>,
    pub(super) retry: RetryPatch,
    pub(super) verify: Field<Vec<CheckItem>>,
    pub(super) start_back: Field<bool>,
}

/// One layer of `reinstall`.
#[derive(Clone, Debug, Default)]
pub(super) struct ReinstallPatch {
    pub(super) image: Field<ImageChoice>,
    pub(super) key_name: Field<String>,
    pub(super) key_owner: Field<UserId>,
    pub(super) admin_pass: Field<SecretRef>,
    pub(super) user_data: Field<UserData>,
    pub(super) license: Field<License>,
    pub(super) encryption: Field<EncryptionSpec>,
    pub(super) leave: Field<Leave>,
    pub(super) allow_v1: Field<bool>,
}

/// One layer of `backup`.
#[derive(Clone, Debug, Default)]
pub(super) struct BackupPatch {
    pub(super) vault: Field<String>,
    pub(super) timeout: Field<Millis>,
}

/// A backup of a large server may take hours, the first one of it more than any later one.
const BACKUP_TIMEOUT: Millis = Millis::mins(4 * 60);

impl BackupPatch {
    fn merge(&mut self, over: Self) {
        self.vault.merge(over.vault);
        self.timeout.merge(over.timeout);
    }

    fn into_spec(self) -> Option<BackupSpec> {
        let timeout = self.timeout.or(BACKUP_TIMEOUT);
        self.vault.into_option().map(|vault| BackupSpec { vault, timeout })
    }
}

/// One layer of `retry`.
#[derive(Clone, Debug, Default)]
pub(super) struct RetryPatch {
    pub(super) throttled: PolicyPatch,
    pub(super) transient: PolicyPatch,
    pub(super) busy: PolicyPatch,
    pub(super) job_failed: PolicyPatch,
    pub(super) verify_failed: PolicyPatch,
}

/// One layer of a retry policy.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyPatch {
    pub(super) attempts: Field<u32>,
    pub(super) delay: Field<Millis>,
    pub(super) backoff: Field<f64>,
    pub(super) max_delay: Field<Millis>,
    pub(super) jitter: Field<Jitter>,
}

/// An item of `verify`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CheckItem {
    /// `defaults`: the list of the layer below.
    Inherited,
    /// A check.
    Check(Check),
}

impl Patch {
    /// This layer with another on top of it.
    pub(super) fn merged(mut self, over: Self) -> Self {
        self.reinstall.merge(over.reinstall);
        self.backup.merge(over.backup);
        self.settle.merge(over.settle);
        self.timeout.merge(over.timeout);
        self.retry.merge(over.retry);
        if let Field::Value(items) = over.verify {
            let inherited = std::mem::take(&mut self.verify).or(vec![CheckItem::Inherited]);
            let spliced = items.into_iter().flat_map(|item| match item {
                CheckItem::Inherited => inherited.clone(),
                CheckItem::Check(check) => vec![CheckItem::Check(check)],
            });
            self.verify = Field::Value(spliced.collect());
        } else {
            self.verify.merge(over.verify);
        }
        self.start_back.merge(over.start_back);
        self
    }

    /// The layers as one treatment; what no layer says is built in.
    pub(super) fn into_treatment(self) -> Treatment {
        let built_in = Treatment::default();
        let checks = self.verify.or(vec![CheckItem::Inherited]).into_iter();
        let verify = checks.flat_map(|item| match item {
            CheckItem::Inherited => built_in.verify.clone(),
            CheckItem::Check(check) => vec![check],
        });
        let wait = Wait::default();
        Treatment {
            reinstall: self.reinstall.into_spec(),
            backup: self.backup.into_spec(),
            wait: Wait {
                settle: self.settle.or(wait.settle),
                timeout: self.timeout.or(wait.timeout),
            },
            retry: self.retry.into_policies(),
            verify: verify.collect(),
            start_back: self.start_back.or(built_in.start_back),
        }
    }
}

impl ReinstallPatch {
    fn merge(&mut self, over: Self) {
        // A layer that chooses one way to log in takes the other away from the layers below.
        if over.admin_pass.value().is_some() {
            self.key_name = Field::Absent;
            self.key_owner = Field::Absent;
        }
        if over.key_name.value().is_some() {
            self.admin_pass = Field::Absent;
        }
        self.image.merge(over.image);
        self.key_name.merge(over.key_name);
        self.key_owner.merge(over.key_owner);
        self.admin_pass.merge(over.admin_pass);
        self.user_data.merge(over.user_data);
        self.license.merge(over.license);
        self.encryption.merge(over.encryption);
        self.leave.merge(over.leave);
        self.allow_v1.merge(over.allow_v1);
    }

    fn into_spec(self) -> ReinstallSpec {
        let login = match (self.admin_pass.into_option(), self.key_name.into_option()) {
            (Some(secret), _) => LoginSpec::Password(secret),
            (None, Some(name)) => LoginSpec::KeyPair { name, owner: self.key_owner.into_option() },
            (None, None) => LoginSpec::ServerKey,
        };
        ReinstallSpec {
            image: self.image.or(ImageChoice::Current),
            login,
            user_data: self.user_data.into_option(),
            license: self.license.into_option(),
            encryption: self.encryption.or(EncryptionSpec::Keep),
            leave: self.leave.or(Leave::default()),
            allow_v1: self.allow_v1.or(false),
        }
    }
}

impl RetryPatch {
    fn merge(&mut self, over: Self) {
        self.throttled.merge(over.throttled);
        self.transient.merge(over.transient);
        self.busy.merge(over.busy);
        self.job_failed.merge(over.job_failed);
        self.verify_failed.merge(over.verify_failed);
    }

    fn into_policies(self) -> RetryPolicies {
        let built_in = RetryPolicies::default();
        RetryPolicies {
            throttled: self.throttled.into_policy(&built_in.throttled),
            transient: self.transient.into_policy(&built_in.transient),
            busy: self.busy.into_policy(&built_in.busy),
            job_failed: self.job_failed.into_policy(&built_in.job_failed),
            verify_failed: self.verify_failed.into_policy(&built_in.verify_failed),
        }
    }
}

impl PolicyPatch {
    /// A layer that forgets everything below.
    pub(super) fn null() -> Self {
        Self {
            attempts: Field::Null,
            delay: Field::Null,
            backoff: Field::Null,
            max_delay: Field::Null,
            jitter: Field::Null,
        }
    }

    fn merge(&mut self, over: Self) {
        self.attempts.merge(over.attempts);
        self.delay.merge(over.delay);
        self.backoff.merge(over.backoff);
        self.max_delay.merge(over.max_delay);
        self.jitter.merge(over.jitter);
    }

    fn into_policy(self, built_in: &RetryPolicy) -> RetryPolicy {
        let max_written = self.max_delay.value().is_some();
        let delay = self.delay.or(built_in.delay);
        let max_delay = self.max_delay.or(built_in.max_delay);
        RetryPolicy {
            attempts: self.attempts.or(built_in.attempts),
            delay,
            backoff: self.backoff.or(built_in.backoff),
            // A delay that somebody wrote is meant, also where it is above the built-in cap.
            max_delay: if max_written { max_delay } else { max_delay.max(delay) },
            jitter: self.jitter.or(built_in.jitter),
        }
    }
}

/// One layer of `strategy`.
#[derive(Clone, Debug, Default)]
pub(super) struct StrategyPatch {
    pub(super) canary: Field<u32>,
    pub(super) serial: Field<Vec<Size>>,
    pub(super) max_unavailable: Field<Size>,
    pub(super) max_failures: Field<u32>,
    pub(super) strict_budget: Field<bool>,
    pub(super) bake_time: Field<Millis>,
    pub(super) pause: Field<Pause>,
    pub(super) spread: Field<Spread>,
    pub(super) written: Field<bool>,
}

impl StrategyPatch {
    pub(super) fn merged(mut self, over: Self) -> Self {
        self.canary.merge(over.canary);
        self.serial.merge(over.serial);
        self.max_unavailable.merge(over.max_unavailable);
        self.max_failures.merge(over.max_failures);
        self.strict_budget.merge(over.strict_budget);
        self.bake_time.merge(over.bake_time);
        self.pause.merge(over.pause);
        self.spread.merge(over.spread);
        self.written.merge(over.written);
        self
    }

    pub(super) fn into_strategy(self) -> Strategy {
        let built_in = Strategy::default();
        Strategy {
            canary: self.canary.or(built_in.canary),
            serial: self.serial.or(built_in.serial),
            max_unavailable: self.max_unavailable.or(built_in.max_unavailable),
            max_failures: self.max_failures.or(built_in.max_failures),
            strict_budget: self.strict_budget.or(built_in.strict_budget),
            bake_time: self.bake_time.or(built_in.bake_time),
            pause: self.pause.or(built_in.pause),
            spread: self.spread.or(built_in.spread),
            written: self.written.or(false),
        }
    }
}
