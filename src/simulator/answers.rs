//! Refusals by script: a fault file says which operation is answered with which of the cloud's codes,
//! how often, and whether the deed is done all the same.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::codes::{self, Code};
use super::error::{ApiError, Shape};
use super::faults::{Again, Fate, Hears};
use super::world::World;

/// Every name that requests are counted under, and that an answer can be scripted for.
#[rustfmt::skip]
pub(super) const OPERATIONS: [&str; 46] = [
    "batch", "catalog", "change_os", "check_token", "create_checkpoint", "create_snapshot",
    "issue_token", "list_backup_operations", "list_backups", "list_block_devices",
    "list_domains", "list_images", "list_interfaces", "list_key_pairs",
    "list_keys", "list_projects", "list_servers", "list_servers_by_tag", "list_snapshots",
    "list_tags", "list_traces", "list_vaults", "list_volumes", "reinstall", "server_action",
    "show_agency", "show_backup", "show_backup_operation", "show_checkpoint", "show_credential",
    "show_image", "show_job", "show_key", "show_key_pair", "show_limits", "show_password",
    "show_quota", "show_server", "show_snapshot", "show_vault", "show_volume", "start", "stop",
    "unknown", "versions", "*",
];

/// A code of the cloud's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KnownCode(&'static Code);

impl KnownCode {
    /// As the cloud writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name
    }
}

impl TryFrom<String> for KnownCode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        codes::find(&text).map(Self).ok_or_else(|| {
            let near = nearest(&text, codes::all().map(|it| it.name));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("`{text}` is none of the cloud's codes{hint}")
        })
    }
}

impl From<KnownCode> for String {
    fn from(code: KnownCode) -> Self {
        code.as_str().to_owned()
    }
}

impl JsonSchema for KnownCode {
    fn schema_name() -> Cow<'static, str> {
        "KnownCode".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = codes::all().map(|code| code.name).collect();
        json_schema!({"type": "string", "enum": names})
    }
}

/// The nearest of the names, if any is near at all.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|name| (strsim::damerau_levenshtein(text, name), name));
    let near = scored.filter(|(distance, name)| *distance <= name.len() / 3);
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The shapes of errors (`errors-and-limits.md`, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerShape {
    /// E1: `{"error":{"code","message"}}`.
    Service,
    /// E1 with `details`.
    Detailed,
    /// E2: `{"error_code","error_msg","request_id"}`.
    Gateway,
    /// E3: `{"error":{"error_code","error_msg"}}`.
    Kms,
    /// E4: `{"error":{"code":401,"message","title"}}`; says only the status.
    Keystone,
    /// E5: `{"itemNotFound":{"message","code"}}`; says only the status.
    Native,
    /// E5 as EVS spells it: `{"badrequest":{…}}`.
    NativeEvs,
    /// E6: E1 with `internalError`.
    Batch,
    /// E7: `{"code","message"}`.
    Flat,
    /// E8: `{"errorCode","errorMsg"}`.
    Camel,
    /// E9: a page instead of JSON.
    Html,
    /// E9: nothing at all.
    Empty,
}

impl AnswerShape {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Service,
        Self::Detailed,
        Self::Gateway,
        Self::Kms,
        Self::Keystone,
        Self::Native,
        Self::NativeEvs,
        Self::Batch,
        Self::Flat,
        Self::Camel,
        Self::Html,
        Self::Empty,
    ];

    fn shape(self) -> Shape {
        match self {
            Self::Service => Shape::Service,
            Self::Detailed => Shape::Detailed,
            Self::Gateway => Shape::Gateway,
            Self::Kms => Shape::Kms,
            Self::Keystone => Shape::Keystone,
            Self::Native => Shape::Native,
            Self::NativeEvs => Shape::NativeEvs,
            Self::Batch => Shape::Batch,
            Self::Flat => Shape::Flat,
            Self::Camel => Shape::Camel,
            Self::Html => Shape::Html,
            Self::Empty => Shape::Empty,
        }
    }
}

/// One scripted refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedAnswer {
    /// The operation as `/_refleet/stats` counts it, such as `reinstall`; `*`: every one.
    #[schemars(extend("enum" = OPERATIONS.as_slice()))]
    pub operation: String,
    /// The code; none: an answer without a code.
    pub code: Option<KnownCode>,
    /// The HTTP status; none: the usual one of the code, else 500.
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// The shape; none: that of the code's service, else a page.
    pub shape: Option<AnswerShape>,
    /// The sentence; none: the usual one.
    pub message: Option<String>,
    /// How often, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
    /// At most so many times; none: without end.
    pub times: Option<u32>,
    /// So many requests are let through first.
    pub skip: u32,
    /// What was asked for is done before it is refused.
    pub after_deed: bool,
}

impl Default for ScriptedAnswer {
    fn default() -> Self {
        Self {
            operation: "*".to_owned(),
            code: None,
            status: None,
            shape: None,
            message: None,
            probability: 1.0,
            times: None,
            skip: 0,
            after_deed: false,
        }
    }
}

impl ScriptedAnswer {
    fn error(&self) -> ApiError {
        let known = self.code.map(|code| code.0);
        let shape = known.map_or(Shape::Html, |code| code.shape());
        let message: Cow<'static, str> = match &self.message {
            Some(message) => message.clone().into(),
            None => known.map_or("Internal Server Error", |code| code.message).into(),
        };
        let status = self.status.or(known.map(|code| code.status)).unwrap_or(500);
        let error = ApiError::new(status, known.map_or("", |code| code.name), message);
        error.shaped(self.shape.map_or(shape, AnswerShape::shape))
    }
}

/// How far a script has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    met: u32,
    given: u32,
}

impl World {
    /// What the script says to a request; `None`: it says nothing.
    pub(super) fn scripted(&mut self, operation: &str) -> Option<Fate> {
        self.script.resize(self.faults.answers.len(), Progress::default());
        for (answer, progress) in self.faults.answers.iter().zip(&mut self.script) {
            if answer.operation != operation && answer.operation != "*" {
                continue;
            }
            progress.met = progress.met.saturating_add(1);
            let over = answer.times.is_some_and(|times| progress.given >= times);
            if over || progress.met <= answer.skip || !self.luck.chance(answer.probability) {
                continue;
            }
            progress.given += 1;
            return Some(Fate {
                deed: answer.after_deed,
                hears: Hears::Instead(answer.error()),
                again: Again::Never,
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Faults;
    use super::super::trial::{self, calm};
    use crate::domain::{Action, FaultClass, Millis, StopMode};

    #[test]
    fn a_script_skips_refuses_so_many_times_and_then_is_silent() {
        let mut world = trial::world("servers: [{ count: 1 }]", calm());
        let text = "answers: [{ operation: stop, code: Ecs.0319, skip: 1, times: 2 }]";
        world.set_faults(Faults::from_yaml(text).expect("faults"));
        let server = trial::ids(&world).remove(0);
        let stop = trial::stop_of(&server, StopMode::Hard);
        let show = Action::ShowServer { server };
        let told: Vec<_> = [10, 20, 30, 40]
            .map(|at| trial::answer(&mut world, at, &stop).err())
            .into_iter()
            .collect();
        assert_eq!(told, [None, Some("Ecs.0319".into()), Some("Ecs.0319".into()), None]);
        assert!(trial::answer(&mut world, 50, &show).is_ok());
    }

    #[test]
    fn a_refusal_after_the_deed_is_one_in_name_only() {
        let mut world = trial::world("servers: [{ status: SHUTOFF }]", calm());
        let text = "answers: [{ operation: reinstall, code: Ecs.1002, after_deed: true }]";
        world.set_faults(Faults::from_yaml(text).expect("faults"));
        let server = trial::ids(&world).remove(0);
        let wipe = trial::reinstall_of(&world, &server);
        let told = world.serve(Millis(0), &wipe).reply.expect("an answer");
        assert_eq!(told.map_err(|fault| fault.class), Err(FaultClass::Lost));
        assert_eq!(world.reinstalls(&server).accepted, 1);
    }

    #[test]
    fn a_code_that_is_none_is_refused_with_the_nearest() {
        let error = Faults::from_yaml("answers: [{ code: Ecs.0O21 }]").unwrap_err().to_string();
        assert!(error.contains("did you mean `Ecs.0021`"), "{error}");
        let error = Faults::from_yaml("answers: [{ operation: reinstal }]").unwrap_err();
        assert!(error.to_string().contains("did you mean `reinstall`"), "{error}");
    }
}
