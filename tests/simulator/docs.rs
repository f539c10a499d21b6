//! `docs/simulator.md` against what the program reads: every key has a row, every row a key, and the
//! defaults and the column "Drawn" are true.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests, outside of `mod tests`")]

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use refleet::simulator::{
    Faults, ImageSpec, KeySpec, Knobs, ScriptedAnswer, ServerGroup, VaultSpec, WorldSpec,
};

const DOC: &str = include_str!("../../docs/simulator.md");

/// Headings, and the place in a file that the table below each is about.
const TABLES: [(&str, &str); 11] = [
    ("### At the top", ""),
    ("### Groups of servers: `servers[]`", "servers[]."),
    ("### Images: `images[]`", "images[]."),
    ("### Key pairs: `key_pairs[]`", "key_pairs[]."),
    ("### KMS keys: `keys[]`", "keys[]."),
    ("### Vaults: `vaults[]`", "vaults[]."),
    ("### Limits of disks: `quota`", "quota."),
    ("### Other people: `people[]`", "people[]."),
    ("### Knobs: `knobs`", "knobs."),
    ("### A counted limit: `limit`", "limit."),
    ("### Scripted answers: `answers[]`", "answers[]."),
];

/// The rows below a heading, by the path of their key.
fn rows(heading: &str, place: &str) -> BTreeMap<String, Vec<String>> {
    let heading = format!("\n{heading}\n");
    let (_, behind) = DOC.split_once(&heading).unwrap_or_else(|| panic!("no heading {heading}"));
    let section = behind.split("\n#").next().unwrap_or_default();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|cells| (format!("{place}{}", cells[0].trim_matches('`')), cells)).collect()
}

/// Every key below a schema, with its path; maps with free keys and single values end there.
fn keys(root: &Value, at: &Value, place: &str, found: &mut BTreeSet<String>) {
    let at = match at["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => at,
    };
    if let Some(items) = at.get("items") {
        keys(root, items, &format!("{place}[]"), found);
    }
    for one in at["anyOf"].as_array().into_iter().flatten() {
        keys(root, one, place, found);
    }
    let between = if place.is_empty() { "" } else { "." };
    for (key, below) in at["properties"].as_object().into_iter().flatten() {
        let path = format!("{place}{between}{key}");
        keys(root, below, &path, found);
        found.insert(path);
    }
}

fn keys_of(schema: schemars::Schema) -> BTreeSet<String> {
    let (root, mut found) = (Value::from(schema), BTreeSet::new());
    keys(&root, &root, "", &mut found);
    // Told by the tables of what is in it.
    found.remove("knobs.job_types");
    found.remove("knobs.clocks");
    found
}

fn documented(of: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<String>> {
    TABLES.into_iter().filter(|(_, place)| of(place)).flat_map(|(h, p)| rows(h, p)).collect()
}

fn of_faults(place: &str) -> bool {
    matches!(place, "limit." | "answers[].")
}

fn world_rows() -> BTreeMap<String, Vec<String>> {
    documented(|place| !of_faults(place))
}

fn fault_rows() -> BTreeMap<String, Vec<String>> {
    let mut all = documented(of_faults);
    all.extend(rows("## Faults", ""));
    all
}

#[test]
fn every_key_of_world_and_fault_files_has_a_row_and_every_row_a_key() {
    for (schema, rows) in [
        (schemars::schema_for!(WorldSpec), world_rows()),
        (schemars::schema_for!(Faults), fault_rows()),
    ] {
        let (have, want): (BTreeSet<_>, _) = (rows.keys().cloned().collect(), keys_of(schema));
        let missing: Vec<_> = want.difference(&have).collect();
        let surplus: Vec<_> = have.difference(&want).collect();
        assert!(missing.is_empty(), "keys without a row in docs/simulator.md: {missing:?}");
        assert!(surplus.is_empty(), "rows of docs/simulator.md without a key: {surplus:?}");
        for (path, cells) in rows {
            assert!(cells[2].trim_end_matches('|').len() > 3, "{path} says nothing");
        }
    }
}

#[test]
fn every_default_that_is_told_is_the_one_that_is_used() {
    let mut defaults = vec![
        ("servers[].", json(&ServerGroup::default())),
        ("images[].", json(&ImageSpec::default())),
        ("keys[].", json(&KeySpec::default())),
        ("vaults[].", json(&VaultSpec::default())),
        ("answers[].", json(&ScriptedAnswer::default())),
    ];
    let (world, faults) = (json(&WorldSpec::default()), json(&Faults::default()));
    defaults.push(("knobs.", world["knobs"].clone()));
    defaults.push(("quota.", world["quota"].clone()));
    defaults.push(("", faults));
    for (path, cells) in world_rows().into_iter().chain(fault_rows()) {
        let found = defaults.iter().find_map(|(place, defaults)| {
            let rest =
                path.strip_prefix(place).filter(|_| !place.is_empty() || !path.contains('.'))?;
            defaults.pointer(&format!("/{}", rest.replace('.', "/")))
        });
        let Some(used) = found else { continue };
        let told = cells[1].trim_matches('`');
        let told: Value = serde_json::from_str(told).unwrap_or_else(|_| Value::from(told));
        assert!(same(&told, used), "{path}: docs/simulator.md tells {told}, and it is {used}");
    }
}

/// 60 and 60.0 are one number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
        }
        _ => one == other || one.as_f64().is_some_and(|it| other.as_f64() == Some(it)),
    }
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("JSON")
}

/// Paths of single values that differ.
fn differing(one: &Value, other: &Value, place: &str, found: &mut BTreeSet<String>) {
    match (one.as_object(), other.as_object()) {
        (Some(one), Some(other)) => {
            for (key, value) in one {
                let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                differing(value, &other[key], &path, found);
            }
        }
        _ if one != other => _ = found.insert(place.to_owned()),
        _ => {}
    }
}

fn drawn(of: impl Fn(&mut ChaCha8Rng) -> Value, default: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for seed in 0..400 {
        differing(&of(&mut ChaCha8Rng::seed_from_u64(seed)), default, "", &mut found);
    }
    found
}

#[test]
fn what_is_told_to_be_drawn_is_drawn_and_nothing_else() {
    let knobs = drawn(|rng| json(&Knobs::draw(rng)), &json(&Knobs::default()));
    let faults = drawn(|rng| json(&Faults::draw(rng)), &json(&Faults::default()));
    for (rows, place, column, drawn) in
        [(world_rows(), "knobs.", 4, knobs), (rows("## Faults", ""), "", 3, faults)]
    {
        for (path, cells) in rows.iter().filter(|(path, _)| path.starts_with(place)) {
            let told = cells[column].trim_end_matches('|').trim();
            let key = path.trim_start_matches(place);
            let is = if drawn.contains(key) { "yes" } else { "no" };
            assert!(told.starts_with(is), "{path}: drawn is {is}, and told is `{told}`");
        }
    }
}
