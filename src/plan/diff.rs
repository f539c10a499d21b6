//! What changed between two plans, for example of two commits of a playbook.
//!
//! Start with [`difference`]. Each plan becomes a [`Sheet`]: names of values and the values as text,
//! for the plan, each fleet and each server. Sheets are compared value by value, so a field that a
//! plan gains is compared without a word here. The moments at which plans were made are no change.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::domain::{FleetName, Millis, PlanId, ServerId, Timestamp};

use super::{Plan, PlannedFleet, Target};

/// What changed between two plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The plan of before.
    pub old: PlanId,
    /// The plan of now.
    pub new: PlanId,
    /// What is of the plan as a whole.
    pub plan: Vec<Change>,
    /// What is of fleets; one that is new or gone changes in everything.
    pub fleets: IndexMap<FleetName, Vec<Change>>,
    /// What is of servers, those of the new plan first.
    pub servers: IndexMap<ServerId, ServerChange>,
    /// Warnings that came.
    pub new_warnings: Vec<String>,
    /// Warnings that went.
    pub old_warnings: Vec<String>,
}

/// A value that is another now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Change {
    /// Its name: the path of the field in the plan.
    pub what: String,
    /// What it was; `None`: it was not there.
    pub old: Option<String>,
    /// What it is; `None`: it is gone.
    pub new: Option<String>,
}

/// How much a server is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// It is wiped, and was not before.
    Added,
    /// It is no longer wiped.
    Removed,
    /// It is wiped as before, in another way.
    Changed,
    /// It is not wiped, as before, for another reason.
    LeftAlone,
}

/// What is another of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerChange {
    /// Its name.
    pub name: String,
    /// How much it is concerned.
    pub concern: Concern,
    /// What is another.
    pub changes: Vec<Change>,
}

impl Difference {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty()
            && self.fleets.is_empty()
            && self.servers.is_empty()
            && self.new_warnings.is_empty()
            && self.old_warnings.is_empty()
    }
}

/// What changed from one plan to another.
#[must_use]
pub fn difference(old: &Plan, new: &Plan) -> Difference {
    let (before, now) = (Sheet::of(old), Sheet::of(new));
    let blank = Values::new();
    let names: BTreeSet<&FleetName> = before.fleets.keys().chain(now.fleets.keys()).collect();
    let fleets = names.into_iter().map(|name| {
        let values = |sheet: &'_ Sheet| sheet.fleets.get(name).cloned().unwrap_or_default();
        (name.clone(), changes(&values(&before), &values(&now)))
    });
    let fresh = |these: &Plan, those: &Plan| {
        let those: BTreeSet<&String> = those.warnings.iter().collect();
        these.warnings.iter().filter(|text| !those.contains(text)).cloned().collect()
    };
    Difference {
        old: old.id.clone(),
        new: new.id.clone(),
        plan: changes(&before.plan, &now.plan),
        fleets: fleets.filter(|(_, changes)| !changes.is_empty()).collect(),
        servers: servers(&before, &now, &blank),
        new_warnings: fresh(new, old),
        old_warnings: fresh(old, new),
    }
}

fn servers(before: &Sheet, now: &Sheet, blank: &Values) -> IndexMap<ServerId, ServerChange> {
    let gone = before.servers.keys().filter(|id| !now.servers.contains_key(*id));
    let mut found = IndexMap::new();
    for id in now.servers.keys().chain(gone) {
        let (was, is) = (before.servers.get(id), now.servers.get(id));
        let wiped = |row: Option<&Row>| row.is_some_and(|row| row.wiped);
        let concern = match (wiped(was), wiped(is)) {
            (false, true) => Concern::Added,
            (true, false) => Concern::Removed,
            (true, true) => Concern::Changed,
            (false, false) => Concern::LeftAlone,
        };
        let values =
            |row: Option<&Row>| row.map_or_else(|| blank.clone(), |row| row.values.clone());
        let mut changes = changes(&values(was), &values(is));
        if matches!(concern, Concern::Added | Concern::Removed) {
            // That it is wiped, or no longer, says it all; its values would only be noise.
            changes.retain(|change| change.what == STANDING);
        }
        let name = is.or(was).map_or_else(String::new, |row| row.name.clone());
        if !changes.is_empty() {
            found.insert(id.clone(), ServerChange { name, concern, changes });
        }
    }
    found
}

/// Values by their names.
type Values = BTreeMap<String, String>;

/// The value that says what becomes of a server.
const STANDING: &str = "server";

/// A plan as names and values.
struct Sheet {
    plan: Values,
    fleets: IndexMap<FleetName, Values>,
    servers: IndexMap<ServerId, Row>,
}

struct Row {
    name: String,
    wiped: bool,
    values: Values,
}

impl Sheet {
    fn of(plan: &Plan) -> Self {
        let mut servers: IndexMap<ServerId, Row> = IndexMap::new();
        for (fleet, planned) in &plan.fleets {
            for (wave, number) in planned.waves.iter().zip(1..) {
                let canary = if wave.canary { " (canary)" } else { "" };
                for (id, target) in
                    wave.servers.iter().filter_map(|id| plan.targets.get_key_value(id))
                {
                    let row = row(plan, fleet, target, &format!("{number}{canary}"));
                    servers.insert(id.clone(), row);
                }
            }
        }
        for blocked in &plan.blocked {
            let what = format!("blocked, {}: {}", blocked.code, blocked.cause);
            stand(&mut servers, &blocked.id, &blocked.name, &what);
        }
        for out in &plan.left_out {
            let what = format!("left out of fleet {} by {}", out.fleet, out.rule);
            stand(&mut servers, &out.id, &out.name, &what);
        }
        let fleets = plan.fleets.iter().map(|(name, fleet)| (name.clone(), of_fleet(fleet)));
        Self { plan: of_plan(plan), fleets: fleets.collect(), servers }
    }
}

/// Notes what becomes of a server that is not wiped; one that is wiped after all is left as it is.
fn stand(servers: &mut IndexMap<ServerId, Row>, id: &ServerId, name: &str, what: &str) {
    let row = servers.entry(id.clone()).or_insert_with(|| Row {
        name: name.to_owned(),
        wiped: false,
        values: Values::new(),
    });
    if row.wiped {
        return;
    }
    let standing = row.values.entry(STANDING.to_owned()).or_default();
    if !standing.is_empty() {
        standing.push_str("; ");
    }
    standing.push_str(what);
}

fn row(plan: &Plan, fleet: &FleetName, target: &Target, wave: &str) -> Row {
    let mut values = flat("", target);
    values.remove("treatment");
    values.remove("fleet");
    // The line of the selector moves with every line above it.
    values.insert("selected by".to_owned(), target.because.0.clone());
    values.remove("because");
    values.insert("wave".to_owned(), wave.to_owned());
    if let Some(treatment) = plan.treatments.get(target.treatment as usize) {
        values.append(&mut flat("", treatment));
    }
    values.insert(STANDING.to_owned(), format!("wiped in fleet {fleet}"));
    Row { name: target.found.name.clone(), wiped: true, values }
}

fn of_fleet(fleet: &PlannedFleet) -> Values {
    let mut values = flat("", fleet);
    let sizes: Vec<String> =
        fleet.waves.iter().map(|wave| wave.servers.len().to_string()).collect();
    values.insert("waves".to_owned(), sizes.join(", "));
    // Where a step is written moves with every line above it.
    let steps: Vec<&str> = fleet.steps.iter().map(|step| step.id.as_str()).collect();
    values.insert("steps".to_owned(), steps.join(", "));
    values
}

/// What is of the plan as a whole. Taken apart whole, so that a new field cannot be forgotten.
fn of_plan(plan: &Plan) -> Values {
    let Plan {
        format,
        id: _,
        made: _,
        expires: _,
        name,
        cloud,
        origin,
        files,
        not_self,
        limits,
        fleets: _,
        treatments: _,
        targets: _,
        images,
        key_pairs,
        left_out: _,
        blocked: _,
        warnings: _,
        forecast,
        folder: _,
    } = plan;
    let mut values = flat("cloud", cloud);
    values.append(&mut flat("limits", limits));
    values.append(&mut flat("images", images));
    values.append(&mut flat("key_pairs", key_pairs));
    values.append(&mut flat("forecast", forecast));
    values.insert("format".to_owned(), format.to_string());
    values.insert("name".to_owned(), name.clone());
    values.insert("not_self".to_owned(), not_self.to_string());
    values.insert("playbook".to_owned(), format!("{origin}, sha256 {:.12}", origin.sha256));
    for file in files {
        let known = origin.files.iter().find(|known| known.path == file.path);
        let text = known.map_or_else(|| format!("sha256 {:.12}", file.sha256), ToString::to_string);
        values.insert(format!("file {}", file.path), text);
    }
    values
}

/// What differs, in the order of the names.
fn changes(old: &Values, new: &Values) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().map(|name| Change {
        what: name.clone(),
        old: old.get(name).cloned(),
        new: new.get(name).cloned(),
    });
    changes.filter(|change| change.old != change.new).collect()
}

/// The fields of a value under their paths.
fn flat<T: Serialize>(path: &str, value: &T) -> Values {
    let mut values = Values::new();
    // Parts of a plan are JSON already; one that is not would be said to be blank on both sides.
    fields(path, &serde_json::to_value(value).unwrap_or(Value::Null), &mut values);
    values
}

fn fields(path: &str, value: &Value, values: &mut Values) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(&path, value, values);
            }
        }
        // What is not there is not said: old plans lack what new ones may say.
        Value::Null => {}
        Value::Object(_)
        | Value::Array(_)
        | Value::String(_)
        | Value::Number(_)
        | Value::Bool(_) => {
            values.insert(path.to_owned(), text(path, value));
        }
    }
}

/// A value for people: lengths and moments of time as they are written everywhere.
fn text(path: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            items.iter().map(|item| text(path, item)).collect::<Vec<_>>().join(", ")
        }
        Value::Object(object) => {
            let fields = object.iter().map(|(key, value)| format!("{key} {}", text(key, value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        Value::Number(number) => {
            let key = path.rsplit('.').next().unwrap_or(path);
            match number.as_u64() {
                Some(length) if LENGTHS.contains(&key) => Millis(length).to_string(),
                _ => match number.as_i64() {
                    Some(moment) if MOMENTS.contains(&key) => Timestamp(moment).to_string(),
                    _ => number.to_string(),
                },
            }
        }
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "none".to_owned(),
    }
}

/// Keys of lengths of time, which a plan holds in milliseconds.
const LENGTHS: &[&str] = &[
    "bake_time",
    "delay",
    "duration",
    "every",
    "force_after",
    "for",
    "max_delay",
    "settle",
    "stable_for",
    "timeout",
    "within",
];

/// Keys of moments, which a plan holds in milliseconds since 1970.
const MOMENTS: &[&str] = &["created", "updated"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `new` is, from `old` and the changes alone.
    fn applied(mut old: Values, changes: &[Change]) -> Values {
        for change in changes {
            assert_eq!(old.get(&change.what), change.old.as_ref());
            match &change.new {
                Some(new) => old.insert(change.what.clone(), new.clone()),
                None => old.remove(&change.what),
            };
        }
        old
    }

    proptest! {
        #[test]
        fn changes_lead_from_the_old_values_to_the_new_ones(
            old in prop::collection::btree_map("[a-d]", "[xy]{0,2}", 0..4),
            new in prop::collection::btree_map("[a-d]", "[xy]{0,2}", 0..4),
        ) {
            let forth = changes(&old, &new);
            prop_assert_eq!(applied(old.clone(), &forth), new.clone());
            prop_assert_eq!(applied(new.clone(), &changes(&new, &old)), old.clone());
            prop_assert!(changes(&old, &old).is_empty());
            prop_assert_eq!(forth.is_empty(), old == new);
        }
    }

    #[test]
    fn a_value_is_read_as_people_write_it() {
        let value = serde_json::json!({
            "wait": { "settle": 180_000 }, "verify": ["fresh", { "tcp": { "port": 22 } }],
            "kept": [], "key": null, "found": { "created": 0 }, "on": true,
        });
        let values = flat("", &value);
        let shown: Vec<String> =
            values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            [
                "found.created=1970-01-01T00:00:00Z",
                "kept=none",
                "on=true",
                "verify=fresh, tcp port 22",
                "wait.settle=3m"
            ]
        );
    }
}
