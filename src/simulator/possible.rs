//! Whether a world can be: what its parts say of each other. Start with [`impossibilities`].

use std::collections::BTreeSet;

use super::flaw::Impossible;
use super::form::suggestion;
use super::knobs::{Knobs, Span};
use super::spec::{VaultSpec, WorldSpec};

/// The largest world.
const MOST_SERVERS: u64 = 100_000;

/// Everything that cannot be, in the order of a world file.
pub(super) fn impossibilities(spec: &WorldSpec) -> Vec<Impossible> {
    let mut found = Vec::new();
    size(spec, &mut found);
    groups(spec, &mut found);
    keys(spec, &mut found);
    vaults(spec, &mut found);
    ids(spec, &mut found);
    for (knob, span) in spec.knobs.spans().into_iter().filter(|(_, span)| !span.is_valid()) {
        let message = format!("`{knob}` goes from {} to {}", span.0, span.1);
        let help = "it is a range of seconds, the least first, such as [60, 120]";
        found.push(impossible(format!("knobs.{knob}"), message, help));
    }
    if !(0.0..=1.0).contains(&spec.knobs.service_fails) {
        let message = format!("`service_fails` is {}", spec.knobs.service_fails);
        let help = "it is a share from 0 to 1";
        found.push(impossible("knobs.service_fails".to_owned(), message, help));
    }
    found
}

fn impossible(path: String, message: String, help: impl Into<String>) -> Impossible {
    Impossible { path, message, help: help.into() }
}

fn size(spec: &WorldSpec, found: &mut Vec<Impossible>) {
    let total: u64 = spec.servers.iter().map(|group| u64::from(group.count)).sum();
    if total > MOST_SERVERS {
        let message = format!("a world of {total} servers is too large");
        let help = format!("at most {MOST_SERVERS}, all groups together");
        found.push(impossible("servers".to_owned(), message, help));
    }
}

fn groups(spec: &WorldSpec, found: &mut Vec<Impossible>) {
    let images: Vec<&str> = spec.images.iter().map(|image| image.name.as_str()).collect();
    for (index, group) in spec.servers.iter().enumerate() {
        let (path, name) = (|key: &str| format!("servers[{index}].{key}"), &group.name);
        if group.ids.len() > group.count as usize {
            let message = format!("group `{name}` lists more ids than servers");
            let help = format!("set `count` to {}, or take ids out", group.ids.len());
            found.push(impossible(path("ids"), message, help));
        }
        if group.zones.is_empty() {
            let message = format!("group `{name}` needs at least one zone");
            found.push(impossible(path("zones"), message, "name one, or leave the key out"));
        }
        if !spec.images.iter().any(|image| image.is(&group.image)) {
            let message = format!(
                "group `{name}` names the image `{}`, which is not under `images`",
                group.image
            );
            let help = suggestion(&group.image, &images, "there are");
            found.push(impossible(path("image"), message, help));
        }
    }
}

/// Keys of KMS that are named and not there.
fn keys(spec: &WorldSpec, found: &mut Vec<Impossible>) {
    let aliases: Vec<&str> = spec.keys.iter().map(|key| key.alias.as_str()).collect();
    let groups = spec.servers.iter().enumerate();
    let groups = groups.map(|(at, it)| (format!("servers[{at}]"), &it.name, &it.encrypted));
    let images = spec.images.iter().enumerate();
    let images = images.map(|(at, it)| (format!("images[{at}]"), &it.name, &it.encrypted));
    for (path, name, key) in groups.chain(images) {
        let Some(key) = key.as_ref().filter(|key| !spec.keys.iter().any(|it| it.is(key))) else {
            continue;
        };
        let message = format!("`{name}` names the KMS key `{key}`, which is not under `keys`");
        let help = suggestion(key, &aliases, "there are");
        found.push(impossible(format!("{path}.encrypted"), message, help));
    }
}

fn vaults(spec: &WorldSpec, found: &mut Vec<Impossible>) {
    for (index, vault) in spec.vaults.iter().enumerate() {
        for (at, server) in vault.servers.iter().enumerate() {
            if spec.servers.iter().any(|group| VaultSpec::means(server, group)) {
                continue;
            }
            let message =
                format!("vault `{}` names `{server}`, and no server is called so", vault.name);
            let help = "write the name of a server with its number, its id, or `web-*` for all \
                        whose name begins so";
            found.push(impossible(format!("vaults[{index}].servers[{at}]"), message, help));
        }
    }
}

/// Ids that two things have.
fn ids(spec: &WorldSpec, found: &mut Vec<Impossible>) {
    let mut seen = BTreeSet::new();
    let mut meet = |path: String, id: &str| {
        if !seen.insert(id.to_owned()) {
            let message = format!("the id `{id}` is given twice");
            found.push(impossible(path, message, "everything has an id of its own"));
        }
    };
    for (group, it) in spec.servers.iter().enumerate() {
        for (at, id) in it.ids.iter().enumerate() {
            meet(format!("servers[{group}].ids[{at}]"), id);
        }
    }
    let images = spec.images.iter().map(|it| ("images", &it.id)).enumerate();
    let keys = spec.keys.iter().map(|it| ("keys", &it.id)).enumerate();
    let vaults = spec.vaults.iter().map(|it| ("vaults", &it.id)).enumerate();
    for (at, (list, id)) in images.chain(keys).chain(vaults) {
        if let Some(id) = id {
            meet(format!("{list}[{at}].id"), id);
        }
    }
}

impl Knobs {
    /// Every knob that is a range.
    fn spans(&self) -> [(&'static str, Span); 15] {
        [
            ("stop_soft", self.stop_soft),
            ("stop_hard", self.stop_hard),
            ("start", self.start),
            ("reinstall", self.reinstall),
            ("change_os", self.change_os),
            ("injection", self.injection),
            ("password", self.password),
            ("service", self.service),
            ("snapshot", self.snapshot),
            ("backup", self.backup),
            ("latency", self.latency),
            ("timeout", self.timeout),
            ("job_visible", self.job_visible),
            ("trace_visible", self.trace_visible),
            ("server_lag", self.server_lag),
        ]
    }
}
