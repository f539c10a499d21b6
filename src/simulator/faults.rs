//! What goes wrong in a simulated cloud, and how often.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::{KnownCode, ScriptedAnswer};
use super::dice::Dice;
use super::error::{ApiError, Shape};
use super::flaw::{self, FileFlaws};
use crate::domain::Millis;

/// A real limit: so many requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in a window.
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// Length of the window in simulated seconds.
    #[schemars(range(min = 1))]
    pub seconds: u32,
}

/// Probabilities from 0 to 1, one for each kind of trouble, and refusals by script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = probabilities)]
pub struct Faults {
    /// 429 by the gateway, with the window in its text.
    pub throttled_gateway: f64,
    /// `Common.1503`, with 429 or 503.
    pub throttled_service: f64,
    /// 202 with `Common.0024` and no job.
    pub throttled_accepted: f64,
    /// A limit that is really counted, on top.
    pub limit: Option<RateLimit>,
    /// 500, before or after the deed.
    pub error_500: f64,
    /// 502 with a page instead of JSON, before or after the deed.
    pub error_502: f64,
    /// 503, before the deed.
    pub error_503: f64,
    /// 504, before or after the deed.
    pub error_504: f64,
    /// 501 with `Ecs.0603` although nothing runs; only for what changes something.
    pub busy: f64,
    /// The request never arrives, and no answer comes.
    pub lost_before: f64,
    /// The request is carried out, and no answer comes.
    pub lost_after: f64,
    /// The connection is cut; nobody can say whether before or after the deed.
    pub cut: f64,
    /// 503 after the deed, half of the time with `Retry-After`; only for what changes something.
    pub error_503_after: f64,
    /// 409 after the deed, as if something else had been under way; only for what changes something.
    pub conflict_after: f64,
    /// A gateway sends the request twice, and what comes back is the answer to the second one; only
    /// for what changes something.
    pub repeated: f64,
    /// A gateway gives up on the request, and delivers it all the same up to 90 s later; only for what
    /// changes something.
    pub late: f64,
    /// A job takes three to ten times as long.
    pub slow_job: f64,
    /// A reinstall job fails before the old system disk is gone.
    pub job_failure: f64,
    /// So many reinstall jobs fail before the old system disk is gone, the first ones.
    pub first_failures: u32,
    /// A reinstall job fails after it.
    pub job_failure_after_swap: f64,
    /// A soft stop takes 20 to 100 times as long.
    pub slow_stop: f64,
    /// A server is skipped by a backup that is taken all the same.
    pub backup_skipped: f64,
    /// A backup fails in the end.
    pub backup_failure: f64,
    /// A refused request, or the reason of a failed job, quotes all that was sent: headers and body.
    pub quotes: f64,
    /// Codes that failing reinstall jobs end with, one of them each time; none: by where it failed.
    pub job_codes: Vec<KnownCode>,
    /// Refusals by script; the first that fits is given.
    pub answers: Vec<ScriptedAnswer>,
}

/// Every number of faults is a probability.
fn probabilities(schema: &mut Schema) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for one in properties.into_iter().flat_map(|it| it.values_mut()) {
        if one["type"] == "number" {
            one["minimum"] = 0.into();
            one["maximum"] = 1.into();
        }
    }
}

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// Whether it is carried out.
    pub(super) deed: bool,
    /// What the client hears.
    pub(super) hears: Hears,
    /// Whether a gateway sends it again.
    pub(super) again: Again,
}

/// Whether a gateway sends a request again, which nobody asked it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It does not.
    Never,
    /// It does, and the client hears the second answer.
    AtOnce,
    /// It delivers it so much later.
    After(Millis),
}

/// What the client hears of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    /// The answer.
    Answer,
    /// Something else.
    Instead(ApiError),
    /// Nothing, until it gives up.
    Nothing,
    /// The connection is cut.
    Cut,
}

impl Faults {
    /// The faults of that name: `none`, `throttled`, `flaky` or `chaos`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::default()),
            "throttled" => Some(Self {
                throttled_gateway: 0.10,
                throttled_service: 0.05,
                throttled_accepted: 0.03,
                limit: Some(RateLimit { requests: 200, seconds: 60 }),
                ..Self::default()
            }),
            "flaky" => Some(Self {
                error_500: 0.01,
                error_502: 0.02,
                error_503: 0.02,
                error_504: 0.01,
                busy: 0.02,
                lost_after: 0.01,
                cut: 0.01,
                slow_stop: 0.03,
                ..Self::default()
            }),
            "chaos" => Some(Self::all(0.03)),
            _ => None,
        }
    }

    /// Every kind with the same probability; no counted limit.
    fn all(p: f64) -> Self {
        Self {
            throttled_gateway: p,
            throttled_service: p,
            throttled_accepted: p,
            limit: None,
            error_500: p,
            error_502: p,
            error_503: p,
            error_504: p,
            busy: p,
            lost_before: p,
            lost_after: p,
            cut: p,
            slow_job: p,
            job_failure: p,
            job_failure_after_swap: p,
            slow_stop: p,
            ..Self::default()
        }
    }

    /// Reads and checks a file of faults. Its schema says all there is to check.
    pub fn from_yaml(text: &str) -> Result<Self, FileFlaws> {
        flaw::read(text, |_| Vec::new())
    }

    /// A mix for one simulated run: each kind is off in most seeds, and heavy in some, so that
    /// kinds meet alone and in company (swarm testing).
    #[must_use]
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        let heaviness = [0.02, 0.05, 0.15][rng.random_range(0..3)];
        let mut rate =
            || if rng.random_bool(0.35) { rng.random_range(0.0..heaviness) } else { 0.0 };
        let mut faults = Self {
            throttled_gateway: rate(),
            throttled_service: rate(),
            throttled_accepted: rate(),
            limit: None,
            error_500: rate(),
            error_502: rate(),
            error_503: rate(),
            error_504: rate(),
            busy: rate(),
            lost_before: rate(),
            lost_after: rate(),
            cut: rate(),
            slow_job: rate(),
            job_failure: rate(),
            job_failure_after_swap: rate(),
            slow_stop: rate(),
            ..Self::default()
        };
        if rng.random_bool(0.1) {
            faults.limit = Some(RateLimit { requests: rng.random_range(30..300), seconds: 60 });
        }
        faults
    }

    /// The same of what gateways do, of a stream of its own: what else is drawn stays as it was.
    pub fn draw_gateways(&mut self, rng: &mut ChaCha8Rng) {
        let heaviness = [0.02, 0.05, 0.15][rng.random_range(0..3)];
        let mut rate =
            || if rng.random_bool(0.35) { rng.random_range(0.0..heaviness) } else { 0.0 };
        self.error_503_after = rate();
        self.conflict_after = rate();
        self.repeated = rate();
        self.late = rate();
    }

    /// What becomes of a request; the counted limit is not asked here.
    pub(super) fn fate(&self, dice: &mut Dice, request: Request) -> Fate {
        let again = Again::Never;
        let refused = |error| Fate { deed: false, hears: Hears::Instead(error), again };
        let wait = request.retry_after.then_some(Millis::secs(30));
        if dice.chance(self.throttled_gateway) {
            return refused(ApiError::throttled(200, Millis::mins(1), wait));
        }
        if dice.chance(self.throttled_service) {
            let status = if dice.chance(0.5) { 429 } else { 503 };
            let message = "The flow control threshold of the API has been reached.";
            let error = ApiError::new(status, "Common.1503", message);
            return refused(ApiError { retry_after: wait, ..error });
        }
        if request.mutating && dice.chance(self.throttled_accepted) {
            return refused(ApiError::new(202, "Common.0024", "Too many concurrent requests."));
        }
        if request.mutating && dice.chance(self.busy) {
            let message = "Another command is running. Try again in 1 minute.";
            return refused(ApiError::new(501, "Ecs.0603", message));
        }
        if dice.chance(self.error_503) {
            return refused(ApiError::new(503, "", "Service unavailable").shaped(Shape::Html));
        }
        let unclear = self.unclear(dice);
        let meant = |dice: &mut Dice| self.meant_well(dice).filter(|_| request.mutating);
        let plain = Fate { deed: true, hears: Hears::Answer, again };
        unclear.or_else(|| meant(dice)).unwrap_or(plain)
    }

    /// What gateways do to requests that change something.
    fn meant_well(&self, dice: &mut Dice) -> Option<Fate> {
        let after = |error| Fate { deed: true, hears: Hears::Instead(error), again: Again::Never };
        if dice.chance(self.error_503_after) {
            let error = ApiError::new(503, "", "Service unavailable").shaped(Shape::Html);
            let retry_after = dice.chance(0.5).then_some(Millis::secs(30));
            return Some(after(ApiError { retry_after, ..error }));
        }
        if dice.chance(self.conflict_after) {
            let message = "Cannot do that while the instance is in another task_state.";
            return Some(after(ApiError::new(409, "", message)));
        }
        if dice.chance(self.repeated) {
            return Some(Fate { deed: true, hears: Hears::Answer, again: Again::AtOnce });
        }
        dice.chance(self.late).then(|| {
            let error = ApiError::new(504, "", "Gateway Timeout").shaped(Shape::Html);
            let hears = if dice.chance(0.5) { Hears::Instead(error) } else { Hears::Nothing };
            let wait = Millis(1_000 + dice.below(89_000) as u64);
            Fate { deed: false, hears, again: Again::After(wait) }
        })
    }

    /// The kinds that leave open whether the deed was done.
    fn unclear(&self, dice: &mut Dice) -> Option<Fate> {
        let again = Again::Never;
        let gateway = |code, message| ApiError::new(504, code, message).shaped(Shape::Gateway);
        let kinds = [
            (self.error_500, ApiError::new(500, "Common.0001", "System error.")),
            (self.error_502, ApiError::new(502, "", "Bad Gateway").shaped(Shape::Html)),
            (self.error_504, gateway("APIGW.0203", "Backend timeout.")),
        ];
        for (rate, error) in kinds {
            if dice.chance(rate) {
                return Some(Fate { deed: dice.chance(0.5), hears: Hears::Instead(error), again });
            }
        }
        if dice.chance(self.lost_before) {
            return Some(Fate { deed: false, hears: Hears::Nothing, again });
        }
        if dice.chance(self.lost_after) {
            return Some(Fate { deed: true, hears: Hears::Nothing, again });
        }
        dice.chance(self.cut).then(|| Fate { deed: dice.chance(0.5), hears: Hears::Cut, again })
    }
}

/// What faults need to know of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Whether it changes something.
    pub(super) mutating: bool,
    /// Whether throttling answers say when to come back.
    pub(super) retry_after: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_checked() {
        assert_eq!(Faults::named("none"), Some(Faults::default()));
        assert!(Faults::named("nonsense").is_none());
        let read =
            Faults::from_yaml("job_failure: 1.0\nlimit: { requests: 5, seconds: 1 }").unwrap();
        assert!(read.job_failure > 0.99);
        let cases = [
            ("cut: 1.5", "a number from 0 to 1"),
            ("limit: { requests: 0, seconds: 1 }", "a whole number from 1 up"),
            ("jobfailure: 1", "jobfailure"),
        ];
        for (text, reason) in cases {
            let error = Faults::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn every_kind_comes_about_as_often_as_it_should() {
        let chaos = Faults::named("chaos").unwrap();
        let mut dice = Dice::new(1, 1);
        let request = Request { mutating: true, retry_after: false };
        let fates: Vec<Fate> = (0..20_000).map(|_| chaos.fate(&mut dice, request)).collect();
        let share = |wanted: &dyn Fn(&Fate) -> bool| {
            u32::try_from(fates.iter().filter(|fate| wanted(fate)).count()).unwrap() / 20
        };
        let instead = |code: &'static str| move |fate: &Fate| matches!(&fate.hears, Hears::Instead(error) if error.code == code);
        // Per mille; later kinds only meet what earlier ones let through.
        assert!((25..=35).contains(&share(&instead("APIGW.0308"))));
        assert!((22..=35).contains(&share(&instead("Common.0024"))));
        assert!((18..=33).contains(&share(&|fate| fate.hears == Hears::Cut)));
        assert!((40..=60).contains(&share(&|fate| fate.hears == Hears::Nothing)));
        assert!(share(&|fate| fate.hears == Hears::Answer) > 650);
    }

    #[test]
    fn what_changes_nothing_is_never_busy() {
        let busy = Faults { busy: 1.0, throttled_accepted: 1.0, ..Faults::default() };
        let request = Request { mutating: false, retry_after: false };
        let fate = busy.fate(&mut Dice::new(1, 1), request);
        assert_eq!(fate, Fate { deed: true, hears: Hears::Answer, again: Again::Never });
    }
}
