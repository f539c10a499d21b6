//! Every key of a playbook, in one table: what may stand where.
//!
//! Start with [`PLAYBOOK`]. The check of a text, its "did you mean" and the JSON Schema all read
//! this table, so that they cannot disagree.

use super::shape::{Key, Rule, Shape, Table, inherited, key, needed};

const COUNT: Shape = Shape::Whole(1, u32::MAX as u64);
const COUNT_OR_NONE: Shape = Shape::Whole(0, u32::MAX as u64);

const VERSION_KEY: Key =
    needed("version", Shape::Whole(1, 1), "Version of the playbook language: 1.");
const VARS_KEY: Key =
    key("vars", Shape::Named(&Shape::Plain), "Values that `{{ name }}` inserts into any text.");
const GUARDS_KEY: Key = key("guards", Shape::Map(&GUARDS), "Safety rules.");
const DEFAULTS_KEY: Key =
    key("defaults", Shape::Map(&DEFAULTS), "What every fleet inherits, key by key.");
const INCLUDE_KEY: Key = key(
    "include",
    Shape::Some(&Shape::Text),
    "Files whose fleets, defaults and guards belong to this one; guards can only get stricter.",
);

/// The whole file.
pub(super) static PLAYBOOK: Table = Table {
    name: "playbook",
    what: "a playbook",
    rule: Rule::Any,
    keys: &[
        VERSION_KEY,
        key("name", Shape::Text, "Name of the playbook; the file's name where it is missing."),
        needed(
            "cloud",
            Shape::Text,
            "An entry of clouds.yaml, or `simulator`: the cloud inside refleet.",
        ),
        key(
            "provider",
            Shape::Word(&["otc", "huaweicloud", "openstack"]),
            "The family of the cloud; found out from its catalog where nobody says it.",
        ),
        key("region", Shape::Id, "The region, where the cloud's entry does not say it."),
        VARS_KEY,
        INCLUDE_KEY,
        GUARDS_KEY,
        key("limits", Shape::Map(&LIMITS), "Limits of the whole run."),
        DEFAULTS_KEY,
        needed(
            "fleets",
            Shape::Named(&Shape::Map(&FLEET)),
            "Sets of servers, each with one treatment.",
        ),
        key(
            "simulator",
            Shape::Map(&SIMULATOR),
            "What the built-in cloud is like, with `cloud: simulator`.",
        ),
    ],
};

/// A file that a playbook includes.
pub(super) static INCLUDED: Table = Table {
    name: "included",
    what: "a file that is included",
    rule: Rule::Any,
    keys: &[
        VERSION_KEY,
        VARS_KEY,
        INCLUDE_KEY,
        GUARDS_KEY,
        DEFAULTS_KEY,
        key(
            "fleets",
            Shape::Named(&Shape::Map(&FLEET)),
            "Sets of servers, each with one treatment.",
        ),
    ],
};

static GUARDS: Table = Table {
    name: "guards",
    what: "`guards`",
    rule: Rule::Any,
    keys: &[
        key("max_hosts", COUNT, "The most servers that a plan may hold."),
        key(
            "max_share",
            Shape::Share,
            "The most of all servers that can be seen in the project; rounded down.",
        ),
        key(
            "not_self",
            Shape::Flag,
            "Whether the machine that refleet runs on is left out; default true.",
        ),
        key("require", Shape::Map(&REQUIRE), "What has to be there before anything is wiped."),
        key("plan_ttl", Shape::Duration, "A saved plan may be applied for so long; default 24h."),
        key(
            "protected",
            Shape::List(&Shape::Map(&SELECTOR)),
            "Servers that are never touched. The tag `reinstall=never` is always honoured on top.",
        ),
    ],
};

static REQUIRE: Table = Table {
    name: "require",
    what: "`require`",
    rule: Rule::Any,
    keys: &[
        key(
            "saved_plan",
            Shape::Flag,
            "Only a plan that was saved first may be applied, however small it is.",
        ),
        key("backup", Shape::Flag, "Every server has to be backed up before it is wiped."),
    ],
};

static LIMITS: Table = Table {
    name: "limits",
    what: "`limits`",
    rule: Rule::Any,
    keys: &[
        key(
            "api",
            Shape::Map(&API),
            "Requests to the cloud; 5/s with a burst of 10 where it is missing.",
        ),
        key("reinstalls", COUNT, "Reinstalls in flight at once; default 10."),
        key(
            "per_az",
            COUNT,
            "Reinstalls in flight at once in one availability zone; default: any.",
        ),
        key(
            "stop_batch",
            Shape::Whole(1, 1000),
            "Servers in one stop or start request; default 50.",
        ),
    ],
};

static API: Table = Table {
    name: "api",
    what: "`api`",
    rule: Rule::Any,
    keys: &[
        key("rate", Shape::Rate, "Requests in the long run, such as 10/s or 300/m."),
        key("burst", COUNT, "Requests at once."),
    ],
};

pub(super) static DEFAULTS: Table = Table {
    name: "defaults",
    what: "`defaults`",
    rule: Rule::Any,
    keys: &[
        REINSTALL_KEY,
        BACKUP_KEY,
        STRATEGY_KEY,
        WAIT_KEY,
        RETRY_KEY,
        VERIFY_KEY,
        START_BACK_KEY,
    ],
};

pub(super) static FLEET: Table = Table {
    name: "fleet",
    what: "a fleet",
    rule: Rule::Any,
    keys: &[
        needed(
            "hosts",
            Shape::Some(&Shape::Map(&HOST)),
            "Which servers. Keys of one entry must all hold; a server is in if any entry has it.",
        ),
        key(
            "matrix",
            Shape::Named(&Shape::Some(&Shape::Plain)),
            "Lists of values: a fleet of its own for each combination, one after another. `{{ matrix.KEY }}` inserts.",
        ),
        key("exclude", Shape::List(&Shape::Map(&EXCLUDE)), "Servers that are taken out again."),
        key("expect", COUNT, "The selection must have exactly so many servers."),
        key("depends_on", Shape::OneOrMany(&Shape::TextOr(&DEPENDS_ON)), "Fleets that come first."),
        key(
            "overrides",
            Shape::List(&Shape::Map(&OVERRIDE)),
            "Another treatment for some servers; later ones win.",
        ),
        REINSTALL_KEY,
        BACKUP_KEY,
        STRATEGY_KEY,
        WAIT_KEY,
        RETRY_KEY,
        VERIFY_KEY,
        START_BACK_KEY,
        key(
            "steps",
            Shape::Some(&Shape::WordOr(STEP_WORDS, &STEP)),
            "What is done to each server; default: stop, validate, reinstall, wait, verify.",
        ),
    ],
};

const REINSTALL_KEY: Key =
    inherited("reinstall", Shape::Map(&REINSTALL), "How servers are reinstalled.");
const BACKUP_KEY: Key = inherited(
    "backup",
    Shape::Map(&BACKUP),
    "A CBR backup of each server before it is stopped; without it there is no way back.",
);
const STRATEGY_KEY: Key =
    inherited("strategy", Shape::Map(&STRATEGY), "How fast, how much at once, when to stop.");
const WAIT_KEY: Key = inherited("wait", Shape::Map(&WAIT), "Waits around the reinstall.");
const RETRY_KEY: Key =
    inherited("retry", Shape::Map(&RETRY), "What is tried again, by class of error.");
const VERIFY_KEY: Key = inherited(
    "verify",
    Shape::Some(&ONE_CHECK),
    "Checks after the reinstall, in order; `defaults` stands for the inherited list.",
);
const START_BACK_KEY: Key = inherited(
    "start_back",
    Shape::Flag,
    "Whether a server that was stopped and not wiped is started when the run ends; default true.",
);

static SELECTOR: Table = Table {
    name: "selector",
    what: "a selector",
    rule: Rule::SomeCondition,
    keys: &[ID_KEY, NAME_KEY, TAG_KEY, AZ_KEY],
};

static HOST: Table = Table {
    name: "host",
    what: "an entry of `hosts`",
    rule: Rule::SomeCondition,
    keys: &[
        ID_KEY,
        NAME_KEY,
        TAG_KEY,
        AZ_KEY,
        key(
            "file",
            Shape::Text,
            "A file that lists servers: one id or name a line, CSV, an Ansible inventory, or what `terraform show -json` prints.",
        ),
        key("group", Shape::Text, "Which group of the file; `all` is every server of it."),
        key(
            "must_match",
            Shape::Map(&MUST_MATCH),
            "What every server of this entry has to be; otherwise the plan is refused.",
        ),
    ],
};

static MUST_MATCH: Table = Table {
    name: "must_match",
    what: "`must_match`",
    rule: Rule::SomeCondition,
    keys: &[NAME_KEY, TAG_KEY, AZ_KEY],
};

/// Keys of an entry that are no condition on servers.
pub(super) const NO_CONDITIONS: &[&str] = &["allow_none", "group", "must_match"];

static EXCLUDE: Table = Table {
    name: "exclude",
    what: "an entry of `exclude`",
    rule: Rule::SomeCondition,
    keys: &[
        ID_KEY,
        NAME_KEY,
        TAG_KEY,
        AZ_KEY,
        key("allow_none", Shape::Flag, "It may match nothing; otherwise that is an error."),
    ],
};

const ID_KEY: Key = key("id", Shape::Id, "A server's id.");
const NAME_KEY: Key =
    key("name", Shape::Text, "A server's name; `*`, `?` and `[abc]` match as in a shell.");
const TAG_KEY: Key = key("tag", Shape::Tag, "A tag as key=value; the key alone matches any value.");
const AZ_KEY: Key = key("az", Shape::Id, "An availability zone.");

static DEPENDS_ON: Table = Table {
    name: "depends_on",
    what: "an entry of `depends_on`",
    rule: Rule::Any,
    keys: &[
        needed("fleet", Shape::Text, "The fleet that comes first."),
        key("verified", Shape::Share, "How much of it must be verified; default 100%."),
    ],
};

pub(super) static OVERRIDE: Table = Table {
    name: "override",
    what: "an entry of `overrides`",
    rule: Rule::Any,
    keys: &[
        needed("match", Shape::Map(&SELECTOR), "Which servers of the fleet."),
        REINSTALL_KEY,
        BACKUP_KEY,
        WAIT_KEY,
        RETRY_KEY,
        VERIFY_KEY,
        START_BACK_KEY,
    ],
};

static REINSTALL: Table = Table {
    name: "reinstall",
    what: "`reinstall`",
    rule: Rule::Any,
    keys: &[
        inherited(
            "image",
            Shape::Text,
            "The image: `current` (default), or the name or id of one; another than the current one \
             is a change of OS.",
        ),
        inherited("key_name", Shape::Id, "The key pair to log in with afterwards."),
        inherited(
            "key_owner",
            Shape::Id,
            "User id of the key pair's owner; default: the acting user.",
        ),
        inherited(
            "admin_pass",
            Shape::Map(&SECRET),
            "Where the password is kept; never the password itself.",
        ),
        inherited("user_data", Shape::Map(&USER_DATA), "User data for the first boot."),
        inherited(
            "license",
            Shape::Word(&["system", "byol"]),
            "Licence of an operating system that is billed.",
        ),
        inherited(
            "encryption",
            Shape::WordOr(&["keep", "none"], &ENCRYPTION),
            "Encryption of the new system disk; default: keep.",
        ),
        inherited(
            "leave",
            Shape::Word(&["running", "stopped", "as_found"]),
            "Power state afterwards; default: running.",
        ),
        inherited(
            "allow_v1",
            Shape::Flag,
            "Allows the call for images without cloud-init where it is not documented.",
        ),
    ],
};

static BACKUP: Table = Table {
    name: "backup",
    what: "`backup`",
    rule: Rule::Any,
    keys: &[
        needed(
            "vault",
            Shape::Text,
            "Name or id of the vault; the servers have to be associated with it.",
        ),
        key("wait", Shape::Flag, "Whether the backup is waited for before the stop; always true."),
        inherited("timeout", Shape::Duration, "The longest that a backup may take; default 4h."),
    ],
};

static SECRET: Table = Table {
    name: "secret",
    what: "`admin_pass`",
    rule: Rule::OneOf,
    keys: &[
        key("env", Shape::EnvName, "The environment variable that holds it."),
        key("file", Shape::Text, "The file whose first line it is."),
        key(
            "command",
            Shape::Some(&Shape::Text),
            "The command that prints it, as a list of words.",
        ),
    ],
};

static USER_DATA: Table = Table {
    name: "user_data",
    what: "`user_data`",
    rule: Rule::Any,
    keys: &[
        needed("file", Shape::Text, "The file, seen from the playbook."),
        key(
            "template",
            Shape::Flag,
            "Whether `{{ host.name }}`, `{{ X }}` and their kin in it are filled in for each server; default false.",
        ),
    ],
};

static ENCRYPTION: Table = Table {
    name: "encryption",
    what: "`encryption`",
    rule: Rule::Any,
    keys: &[needed("kms_key", Shape::Id, "Alias (such as evs/default) or id of a KMS key.")],
};

static STRATEGY: Table = Table {
    name: "strategy",
    what: "`strategy`",
    rule: Rule::Any,
    keys: &[
        inherited(
            "canary",
            COUNT_OR_NONE,
            "Servers that go first, as a wave of their own; default 1.",
        ),
        inherited(
            "serial",
            Shape::OneOrMany(&Shape::Size),
            "Sizes of the waves; the last repeats; default 1.",
        ),
        inherited("max_unavailable", Shape::Size, "Servers away at once; default 1."),
        inherited("max_failures", COUNT_OR_NONE, "Failures that the fleet may have; default 0."),
        inherited(
            "strict_budget",
            Shape::Flag,
            "Servers in flight count against the budget; default true.",
        ),
        inherited("bake_time", Shape::Duration, "After a wave, before the next; default 0s."),
        inherited(
            "pause",
            Shape::Word(&["never", "after_canary", "each_batch"]),
            "After which waves the fleet waits until `refleet approve`: none (default), the canary, or each.",
        ),
        inherited(
            "spread",
            Shape::Word(&["any", "az", "zonal"]),
            "How availability zones take turns: not at all (default), round robin, or one after another.",
        ),
    ],
};

static WAIT: Table = Table {
    name: "wait",
    what: "`wait`",
    rule: Rule::Any,
    keys: &[
        inherited(
            "settle",
            Shape::Duration,
            "After the reinstall: only reads touch the server; default 3m.",
        ),
        inherited(
            "timeout",
            Shape::Duration,
            "The longest that a stop, a reinstall or a start may take; default 30m.",
        ),
    ],
};

static RETRY: Table = Table {
    name: "retry",
    what: "`retry`",
    rule: Rule::Any,
    keys: &[
        inherited("throttled", Shape::Map(&POLICY), "Refused by flow control."),
        inherited("transient", Shape::Map(&POLICY), "The service is unwell, or the way to it."),
        inherited("busy", Shape::Map(&POLICY), "Another task runs on the server."),
        inherited("job_failed", Shape::Map(&POLICY), "The reinstall itself failed."),
        inherited("verify_failed", Shape::Map(&POLICY), "A check after the reinstall failed."),
    ],
};

static POLICY: Table = Table {
    name: "policy",
    what: "a retry policy",
    rule: Rule::Any,
    keys: &[
        inherited("attempts", Shape::Whole(1, 1000), "Attempts in all, the first one included."),
        inherited("delay", Shape::Duration, "The wait before the second attempt."),
        inherited("backoff", Shape::Above(0.0), "What each further wait is multiplied with."),
        inherited("max_delay", Shape::Duration, "No wait is longer."),
        inherited(
            "jitter",
            Shape::Word(&["none", "full"]),
            "Whether waits are drawn at random below their bound.",
        ),
    ],
};

/// Words of `verify`.
const VERIFY_WORDS: &[&str] = &["defaults", "fresh", "unchanged"];

static ONE_CHECK: Shape = Shape::WordOr(VERIFY_WORDS, &CHECK);

static CHECK: Table = Table {
    name: "check",
    what: "an entry of `verify`",
    rule: Rule::OneOf,
    keys: &[
        key("tcp", Shape::Map(&TCP), "A port accepts connections."),
        key(
            "password_ready",
            Shape::Map(&PASSWORD_READY),
            "Windows with a key pair: the new password can be fetched.",
        ),
        key("http", Shape::Map(&HTTP), "An address answers a GET with a certain status."),
        key(
            "command",
            Shape::SomeOr(&Shape::Template, &COMMAND),
            "A program ends with 0: a list of words, without a shell.",
        ),
        key("ssh", Shape::Map(&SSH), "A command, run over SSH, ends with 0."),
        key(
            "stable_for",
            Shape::Duration,
            "All checks before this one pass, and go on passing for so long without a break.",
        ),
    ],
};

static SSH: Table = Table {
    name: "ssh",
    what: "`ssh`",
    rule: Rule::Any,
    keys: &[
        needed("user", Shape::Template, "Who logs in; never with a password."),
        needed("run", Shape::Template, "The command, for the server's own shell: it ends with 0."),
        key("port", Shape::Whole(1, 65535), "The port; default 22."),
        key("within", Shape::Duration, "It may take so long; default 10m."),
        key(
            "key_file",
            Shape::Text,
            "The file of the private key, seen from the playbook; default: what the agent and ~/.ssh offer.",
        ),
        key(
            "host_key",
            Shape::Template,
            "changed: another than before (default); any; or its fingerprint, SHA256:….",
        ),
        key(
            "program",
            Shape::Word(&["refleet", "ssh"]),
            "Who logs in: refleet itself (default), or ssh: the program, with its settings.",
        ),
    ],
};

static HTTP: Table = Table {
    name: "http",
    what: "`http`",
    rule: Rule::Any,
    keys: &[
        needed("url", Shape::Template, "The address, http:// or https://."),
        key("status", Shape::Whole(100, 599), "The status of the answer; default 200."),
        key("within", Shape::Duration, "It may take so long; default 10m."),
    ],
};

static COMMAND: Table = Table {
    name: "command",
    what: "`command`",
    rule: Rule::Any,
    keys: &[
        needed("run", Shape::Some(&Shape::Template), "The program and its arguments."),
        key("within", Shape::Duration, "It may take so long; default 10m."),
    ],
};

static PASSWORD_READY: Table = Table {
    name: "password_ready",
    what: "`password_ready`",
    rule: Rule::Any,
    keys: &[key("within", Shape::Duration, "It may take so long; default 15m.")],
};

static TCP: Table = Table {
    name: "tcp",
    what: "`tcp`",
    rule: Rule::Any,
    keys: &[
        needed("port", Shape::Whole(1, 65535), "The port."),
        key("within", Shape::Duration, "It may take so long; default 10m."),
    ],
};

/// Words of `steps`.
pub(super) const STEP_WORDS: &[&str] = &["stop", "validate", "reinstall", "wait", "verify"];

/// What a step of `steps` can be, written as a map.
pub(super) const STEP_ACTIONS: &[&str] =
    &["stop", "validate", "reinstall", "wait", "verify", "run"];

static STEP: Table = Table {
    name: "step",
    what: "a step",
    rule: Rule::OneAction,
    keys: &[
        key(
            "stop",
            Shape::WordOr(&["skip"], &STOP),
            "Stops the server, in this way; skip: it is reinstalled as it is, where the cloud allows that.",
        ),
        key("validate", Shape::Map(&PLAIN_STEP), "Compares the server with its plan."),
        key("reinstall", Shape::Map(&PLAIN_STEP), "Wipes and reinstalls it."),
        key("wait", Shape::Map(&PLAIN_STEP), "Watches the job, then lets the guest settle."),
        key("verify", Shape::Map(&PLAIN_STEP), "Checks the result."),
        key(
            "run",
            Shape::Some(&Shape::Template),
            "Runs a program for the server: its name and its arguments; no shell reads them.",
        ),
        key("undo", Shape::Some(&Shape::Template), "What takes a `run` back, as a program again."),
        key("timeout", Shape::Duration, "Of a `run`: it is killed after so long; default 10m."),
        key("env", Shape::Named(&Shape::Template), "Of a `run`: what it finds in its environment."),
        key("cwd", Shape::Text, "Of a `run`: the folder it runs in, seen from the playbook's."),
        key(
            "once",
            Shape::Flag,
            "Of a `run`: if it is interrupted, the server is `unknown`, and it is not run again.",
        ),
        key("id", Shape::Id, "The step's name, for `after`; its word where it is missing."),
        key(
            "after",
            Shape::OneOrMany(&Shape::Id),
            "Steps of this fleet that come first: on top of the list's order; a `run` waits for nothing else.",
        ),
    ],
};

static PLAIN_STEP: Table =
    Table { name: "plain_step", what: "this step", rule: Rule::Any, keys: &[] };

static STOP: Table = Table {
    name: "stop",
    what: "`stop`",
    rule: Rule::Any,
    keys: &[
        key(
            "mode",
            Shape::Word(&["soft", "hard"]),
            "soft asks the guest (default), hard cuts the power.",
        ),
        key("force_after", Shape::Duration, "The power is cut after so long."),
    ],
};

static SIMULATOR: Table = Table {
    name: "simulator",
    what: "`simulator`",
    rule: Rule::Any,
    keys: &[
        key("servers", COUNT, "So many healthy servers."),
        key("world", Shape::Text, "Or a file that describes the servers."),
        key("speed", Shape::Above(0.0), "Durations are divided by it; default 60."),
        key("faults", Shape::Text, "none (default), throttled, flaky, chaos, or a file."),
        key("seed", Shape::Whole(0, u64::MAX), "What everything random is drawn from."),
    ],
};

/// Where a key is at home that somebody wrote elsewhere: one level too high or too low mostly.
pub(super) fn home_of(name: &str) -> Option<&'static str> {
    let homes: [(&str, &Table); 8] = [
        ("strategy", &STRATEGY),
        ("reinstall", &REINSTALL),
        ("wait", &WAIT),
        ("guards", &GUARDS),
        ("limits", &LIMITS),
        ("retry", &RETRY),
        ("simulator", &SIMULATOR),
        ("a fleet", &FLEET),
    ];
    homes
        .into_iter()
        .find(|(_, table)| table.keys.iter().any(|key| key.name == name))
        .map(|(home, _)| home)
}
