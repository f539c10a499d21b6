//! Lists that other programs print: `ansible-inventory --list`, `openstack server list -f json` (and
//! `yaml`), what the compute service answers, and plain arrays of names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::super::problem::{Code, Problem};
use super::groups::Groups;
use super::read::{Listing, Listings};
use crate::yaml::{Entry, Node, Span};

/// What a text in JSON is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What `terraform show -json` prints, or another file of Terraform.
    Terraform,
    /// What `ansible-inventory --list` prints: hosts of a group are an array.
    Groups,
    /// An inventory as it is written in YAML.
    Yaml,
    /// An array of servers.
    Servers,
    /// Something else.
    Other,
    /// No JSON, with its line and column.
    Broken(usize, usize),
}

type Map<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// What a text in JSON is, by its first keys.
pub(super) fn kind(text: &str) -> Kind {
    if text.trim_start().starts_with('[') {
        return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Kind::Servers,
            Err(error) => Kind::Broken(error.line(), error.column()),
        };
    }
    let map: Map<'_> = match serde_json::from_str(text) {
        Ok(map) => map,
        Err(error) => return Kind::Broken(error.line(), error.column()),
    };
    let array = |raw: &&RawValue| raw.get().trim_start().starts_with('[');
    if map.contains_key("_meta") {
        return Kind::Groups;
    }
    let terraform =
        ["values", "planned_values", "format_version", "terraform_version", "lineage", "modules"];
    if terraform.iter().any(|key| map.contains_key(*key)) {
        return Kind::Terraform;
    }
    if map.get("servers").is_some_and(array) {
        return Kind::Servers;
    }
    if map.contains_key("plugin") {
        return Kind::Yaml;
    }
    let groups: Vec<Map<'_>> =
        map.values().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let has = |key: &str| groups.iter().any(|group| group.contains_key(key));
    let lists = |key: &str| groups.iter().any(|group| group.get(key).is_some_and(array));
    if lists("hosts") || lists("children") {
        Kind::Groups
    } else if has("hosts") || has("children") || has("vars") {
        Kind::Yaml
    } else if map.contains_key("resources") {
        Kind::Terraform
    } else {
        Kind::Other
    }
}

/// The groups of what `ansible-inventory --list` prints. Names are whole there: nothing is a range.
pub(super) fn groups(root: &Node, problems: &mut Vec<Problem>) -> Groups {
    let mut groups = Groups::default();
    for Entry { key, value } in root.entries().unwrap_or_default() {
        let name = &*key.text;
        if name == "_meta" {
            continue;
        }
        groups.define(name);
        // A script may print the hosts of a group alone.
        let hosts = if value.items().is_some() { Some(value) } else { value.get("hosts") };
        for host in hosts.map(names).unwrap_or_default() {
            match host {
                Ok((name_of, span)) => groups.add(name, Listing::new(&name_of, span)),
                Err(span) => problems.push(no_name(span)),
            }
        }
        for child in value.get("children").map(names).unwrap_or_default() {
            match child {
                // A group of nobody is not printed on its own.
                Ok((child, span)) => {
                    groups.define(&child);
                    groups.adopt(name, &child, span);
                }
                Err(span) => problems.push(no_name(span)),
            }
        }
    }
    groups
}

/// The texts of an array, or the keys of a map, each with its place.
fn names(node: &Node) -> Vec<Result<(String, Span), Span>> {
    if let Some(entries) = node.entries() {
        let key = |entry: &Entry| Ok((entry.key.text.to_string(), entry.key.span));
        return entries.iter().map(key).collect();
    }
    let name = |item: &Node| match item.scalar() {
        Some(scalar) if !scalar.text.is_empty() => Ok((scalar.text.to_string(), item.span)),
        Some(_) | None => Err(item.span),
    };
    node.items().unwrap_or_default().iter().map(name).collect()
}

fn no_name(span: Span) -> Problem {
    Problem::error(Code::BadInventory, "something that is no name, where a name should be")
        .label(span, "not a name")
        .help("write the file again with `ansible-inventory -i FILE --list > hosts.json`")
}

/// The servers of an array: names, or maps with `ID` and `Name`, in any case.
pub(super) fn servers(root: &Node) -> Listings {
    let mut found = Listings::default();
    let items = root.get("servers").unwrap_or(root).items().unwrap_or_default();
    for item in items {
        let cell = |wanted: &str| {
            let mut entries = item.entries().unwrap_or_default().iter();
            let entry = entries.find(|entry| entry.key.text.eq_ignore_ascii_case(wanted))?;
            let scalar = entry.value.scalar().filter(|_| !entry.value.is_null())?;
            (!scalar.text.is_empty()).then(|| (scalar.text.to_string(), entry.value.span))
        };
        let plain = item.scalar().filter(|scalar| !scalar.text.is_empty() && !item.is_null());
        let whole = plain.map(|scalar| (scalar.text.to_string(), item.span));
        let (id, name) = (cell("id"), cell("name"));
        let Some((text, span)) = whole.or_else(|| id.clone().or_else(|| name.clone())) else {
            found.problems.push(
                Problem::error(Code::BadInventory, "a server of the list has neither id nor name")
                    .label(Span { end: item.span.start, ..item.span }, "this one")
                    .help("write the list with `openstack server list -f json -c ID -c Name`, or one id or name a line"),
            );
            continue;
        };
        let mut listing = Listing::new(&text, span);
        listing.named = id.and(name).map(|(name, _)| name);
        found.hosts.push(listing);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_in_json_is() {
        for (text, want) in [
            ("{\"values\": {}}", Kind::Terraform),
            ("{\"version\": 4, \"resources\": []}", Kind::Terraform),
            ("{\"version\": 3, \"modules\": []}", Kind::Terraform),
            ("{\"_meta\": {}, \"web\": {\"hosts\": []}}", Kind::Groups),
            ("{\"all\": {\"children\": [\"web\"]}}", Kind::Groups),
            ("{\"all\": {\"hosts\": {\"a\": null}}}", Kind::Yaml),
            ("[\"a\"]", Kind::Servers),
            ("{\"servers\": []}", Kind::Servers),
            ("{}", Kind::Other),
            ("{\n ", Kind::Broken(2, 1)),
        ] {
            assert_eq!(kind(text), want, "{text}");
        }
    }
}
