//! What `terraform show -json` prints: the servers of a state, by id.
//!
//! A state holds passwords and user data in plain text, so nothing of it is ever shown; its
//! problems point at the line of the playbook that names it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::groups::Groups;
use super::read::Listing;
use crate::yaml::Span;

/// The resources that are servers.
const SERVERS: [&str; 4] = [
    "opentelekomcloud_compute_instance_v2",
    "opentelekomcloud_ecs_instance_v1",
    "huaweicloud_compute_instance",
    "openstack_compute_instance_v2",
];

#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    values: Option<Values<'a>>,
    planned_values: Option<serde::de::IgnoredAny>,
    /// A state itself has them here.
    resources: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    root_module: Option<Module<'a>>,
}

#[derive(Deserialize)]
struct Module<'a> {
    #[serde(borrow, default)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    resources: Vec<Resource<'a>>,
    #[serde(borrow, default)]
    child_modules: Vec<Module<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    values: Option<Instance<'a>>,
}

#[derive(Deserialize)]
struct Instance<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// Reads a text: its servers, grouped by resource and module. Else what is wrong with it.
pub(super) fn read(text: &str) -> Result<Groups, String> {
    let shown: Shown<'_> = serde_json::from_str(text).map_err(|error| {
        // The sentence of the parser may quote a value.
        format!("line {}, column {}: not what terraform prints", error.line(), error.column())
    })?;
    let Some(values) = shown.values else {
        return Err(match (shown.resources, shown.planned_values) {
            (Some(_), _) => "this is the state itself, not what terraform prints of it",
            (None, Some(_)) => "this is a plan of terraform, whose servers may not exist",
            (None, None) => "it has no `values`",
        }
        .to_owned());
    };
    let mut groups = Groups::default();
    if let Some(module) = values.root_module {
        add(&mut groups, text, module)?;
    }
    Ok(groups)
}

fn add(groups: &mut Groups, text: &str, module: Module<'_>) -> Result<(), String> {
    let parent = module.address.as_deref().map(without_keys);
    if let Some(parent) = &parent {
        groups.define(parent);
    }
    for resource in module.resources {
        if resource.mode != "managed" || !SERVERS.contains(&&*resource.kind) {
            continue;
        }
        let id = resource.values.and_then(|values| values.id);
        let Some((id, raw)) =
            id.and_then(|raw| Some((serde_json::from_str::<String>(raw.get()).ok()?, raw)))
        else {
            return Err(format!("{} has no id", resource.address));
        };
        let group = without_keys(&resource.address);
        let at = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        groups.add(&group, Listing::new(&id, Span::new(at, at + raw.get().len())));
        if let Some(parent) = &parent {
            groups.adopt(parent, &group, Span::default());
        }
    }
    for child in module.child_modules {
        if let (Some(parent), Some(address)) = (&parent, child.address.as_deref()) {
            groups.adopt(parent, &without_keys(address), Span::default());
        }
        add(groups, text, child)?;
    }
    Ok(())
}

/// An address without the keys of `count` and `for_each`: `web[0]` and `web["a"]` are `web`.
fn without_keys(address: &str) -> String {
    let mut out = String::new();
    let mut rest = address;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let quoted = rest[open..].starts_with("[\"");
        let end = if quoted {
            rest[open + 2..].find("\"]").map(|at| at + 2 + 2)
        } else {
            rest[open..].find(']').map(|at| at + 1)
        };
        rest = end.map_or("", |end| &rest[open + end..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_count_and_for_each_are_no_part_of_a_group() {
        for (address, group) in [
            ("a.b", "a.b"),
            ("a.b[0]", "a.b"),
            ("module.x[\"k]y\"].a.b[12]", "module.x.a.b"),
            ("a.b[", "a.b"),
        ] {
            assert_eq!(without_keys(address), group);
        }
    }
}
