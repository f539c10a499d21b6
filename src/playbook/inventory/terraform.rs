//! What `terraform show -json` prints: the servers of a state, by id.
//!
//! A state holds passwords and user data in plain text, so nothing of it is ever shown; its
//! problems point at the line of the playbook that names it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::groups::Groups;
use super::read::Listing;
use crate::yaml::Span;

/// The providers whose servers these clouds have, by the names of today and of before.
const PROVIDERS: [&str; 6] =
    ["opentelekomcloud", "huaweicloud", "flexibleengine", "sbercloud", "g42cloud", "openstack"];

/// What these providers call a server, or did.
const SERVERS: [&str; 4] =
    ["compute_instance", "compute_instance_v2", "ecs_instance", "ecs_instance_v1"];

#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    values: Option<Values<'a>>,
    planned_values: Option<IgnoredAny>,
    format_version: Option<IgnoredAny>,
    /// A state itself has these here: of now, and up to 0.11.
    resources: Option<IgnoredAny>,
    modules: Option<IgnoredAny>,
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
    /// An object that a replacement left behind.
    #[serde(borrow, default)]
    deposed_key: Option<Cow<'a, str>>,
    #[serde(default)]
    tainted: bool,
    #[serde(borrow)]
    values: Option<Instance<'a>>,
}

#[derive(Deserialize)]
struct Instance<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// Servers by their addresses.
#[derive(Default)]
pub(super) struct State {
    pub(super) groups: Groups,
    /// Each server with its whole address, keys included.
    pub(super) instances: Vec<(String, Listing)>,
    /// What is to be said of an address, if it is chosen.
    pub(super) notes: Vec<(String, String)>,
}

/// Why a text is refused, and what to do.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) help: &'static str,
}

const SHOW: &str = "write the file with `terraform show -json > servers.json`";

impl Refused {
    fn new(why: impl Into<String>, help: &'static str) -> Self {
        Self { why: why.into(), help }
    }
}

/// Reads a text: its servers, grouped by resource and module. Else what is wrong with it.
pub(super) fn read(text: &str) -> Result<State, Refused> {
    let shown: Shown<'_> = serde_json::from_str(text).map_err(|error| {
        // The sentence of the parser may quote a value.
        let place = format!("line {}, column {}", error.line(), error.column());
        Refused::new(format!("{place}: not what terraform prints"), SHOW)
    })?;
    let Some(values) = shown.values else { return Err(without_values(&shown)) };
    let mut state = State::default();
    if let Some(module) = values.root_module {
        add(&mut state, text, module)?;
    }
    if state.instances.is_empty() && !state.notes.is_empty() {
        let notes: Vec<&str> = state.notes.iter().map(|(_, note)| note.as_str()).take(10).collect();
        return Err(Refused::new(
            format!("it has no server that can be taken: {}", notes.join("; ")),
            "make the servers with `terraform apply` and write the file again, or list their ids in a file, one a line",
        ));
    }
    Ok(state)
}

fn without_values(shown: &Shown<'_>) -> Refused {
    if shown.planned_values.is_some() {
        return Refused::new(
            "this is a plan of terraform, whose servers may not exist",
            "apply the plan, and write the file with `terraform show -json > servers.json`",
        );
    }
    if shown.modules.is_some() {
        return Refused::new(
            "this is the state itself, of terraform 0.11 or older",
            "write the ids, one a line: `jq -r '.modules[].resources[] | select(.type | test(\"_(compute|ecs)_instance\")) | .primary.id' FILE > servers.txt`",
        );
    }
    if shown.resources.is_some() {
        return Refused::new("this is the state itself, not what terraform prints of it", SHOW);
    }
    if shown.format_version.is_some() {
        return Refused::new(
            "the state that terraform printed is empty",
            "run `terraform show -json > servers.json` in the folder and workspace of the servers",
        );
    }
    Refused::new("it has no `values`", SHOW)
}

fn add(state: &mut State, text: &str, module: Module<'_>) -> Result<(), Refused> {
    let parent = module.address.as_deref().map(without_keys);
    if let Some(parent) = &parent {
        state.groups.define(parent);
    }
    for resource in module.resources {
        if resource.mode != "managed" {
            continue;
        }
        if !is_server(&resource.kind) {
            if seems_server(&resource.kind) {
                let note = format!("the type of {} is not known, left out", resource.address);
                state.notes.push((resource.address.into_owned(), note));
            }
            continue;
        }
        let group = without_keys(&resource.address);
        state.groups.define(&group);
        if let Some(parent) = &parent {
            state.groups.adopt(parent, &group, Span::default());
        }
        take(state, text, &group, resource)?;
    }
    for child in module.child_modules {
        if let (Some(parent), Some(address)) = (&parent, child.address.as_deref()) {
            state.groups.define(&without_keys(address));
            state.groups.adopt(parent, &without_keys(address), Span::default());
        }
        add(state, text, child)?;
    }
    Ok(())
}

/// One object of a server.
fn take(state: &mut State, text: &str, group: &str, resource: Resource<'_>) -> Result<(), Refused> {
    let address = resource.address.into_owned();
    if let Some(key) = resource.deposed_key {
        let note = format!(
            "{address} has a deposed object ({key}), which a replacement left behind: left out"
        );
        state.notes.push((address, note));
        return Ok(());
    }
    let raw = resource.values.and_then(|values| values.id).filter(|raw| raw.get() != "null");
    let Some(raw) = raw else {
        let note = format!("{address} is not made yet: it has no id, left out");
        state.notes.push((address, note));
        return Ok(());
    };
    let id = serde_json::from_str::<String>(raw.get()).ok().filter(|id| !id.is_empty());
    let Some(id) = id else {
        return Err(Refused::new(format!("the id of {address} is no text"), SHOW));
    };
    if resource.tainted {
        let note = format!("{address} is tainted: the next `terraform apply` replaces it");
        state.notes.push((address.clone(), note));
    }
    let at = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let listing = Listing::new(&id, Span::new(at, at + raw.get().len()));
    state.groups.add(group, listing.clone());
    state.instances.push((address, listing));
    Ok(())
}

fn is_server(kind: &str) -> bool {
    let provider = PROVIDERS.iter().find_map(|name| kind.strip_prefix(name)?.strip_prefix('_'));
    provider.is_some_and(|name| SERVERS.contains(&name))
}

/// Whether a resource of another kind is likely a server as well, such as `aws_instance`.
fn seems_server(kind: &str) -> bool {
    let mut words: Vec<&str> = kind.split('_').collect();
    if words.last().is_some_and(|word| matches!(*word, "v1" | "v2" | "v3")) {
        words.pop();
    }
    match words.as_slice() {
        [.., "virtual", "machine"] | [_, "instance" | "server" | "droplet" | "vm"] => true,
        [.., before, "instance" | "server"] => {
            matches!(*before, "compute" | "ecs" | "bms" | "instance")
        }
        _ => false,
    }
}

/// The parts of an address: `module.x["a.b"].t.n[0]` is `module`, `x["a.b"]`, `t` and `n[0]`.
fn parts(address: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, sign) in address.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' if !quoted => {
                parts.push(&address[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&address[from..]);
    parts
}

/// Whether a server is meant by an address, which may be that of a module, and may leave keys out.
pub(super) fn is_within(wanted: &str, address: &str) -> bool {
    let (wanted, parts) = (parts(wanted), parts(address));
    let same = |(wanted, part): (&&str, &&str)| {
        wanted == part || (!wanted.contains('[') && part.split('[').next() == Some(wanted))
    };
    // Half a module or a resource is none.
    let whole = wanted.len() % 2 == 0;
    whole && wanted.len() <= parts.len() && wanted.iter().zip(&parts).all(same)
}

/// An address without the keys of `count` and `for_each`: `web[0]` and `web["a"]` are `web`.
fn without_keys(address: &str) -> String {
    let plain = |part: &&str| part.split('[').next().unwrap_or_default().to_owned();
    parts(address).iter().map(plain).collect::<Vec<_>>().join(".")
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
            ("module.x[\"k.y\\\".[\"].a.b[12]", "module.x.a.b"),
            ("a.b[", "a.b"),
        ] {
            assert_eq!(without_keys(address), group);
        }
    }

    #[test]
    fn an_address_takes_what_is_below_it() {
        let server = "module.x[\"eu.1\"].module.y[0].t.n[\"a b\"]";
        for wanted in [
            server,
            "module.x[\"eu.1\"]",
            "module.x",
            "module.x.module.y[0]",
            "module.x[\"eu.1\"].module.y.t.n",
        ] {
            assert!(is_within(wanted, server), "{wanted}");
        }
        for wanted in ["module.x[\"eu\"]", "module.x[0]", "module", "module.xx", "t.n"] {
            assert!(!is_within(wanted, server), "{wanted}");
        }
    }

    #[test]
    fn types_are_known_by_their_provider_and_others_are_named() {
        for kind in [
            "huaweicloud_compute_instance",
            "huaweicloud_ecs_instance_v1",
            "flexibleengine_compute_instance_v2",
            "openstack_compute_instance_v2",
        ] {
            assert!(is_server(kind), "{kind}");
        }
        for kind in [
            "aws_instance",
            "google_compute_instance",
            "hcloud_server",
            "azurerm_linux_virtual_machine",
            "huaweicloud_bms_instance",
            "ecl_compute_instance_v2",
        ] {
            assert!(!is_server(kind) && seems_server(kind), "{kind}");
        }
        for kind in
            ["huaweicloud_rds_instance", "huaweicloud_vpc", "openstack_compute_servergroup_v2"]
        {
            assert!(!is_server(kind) && !seems_server(kind), "{kind}");
        }
    }
}
