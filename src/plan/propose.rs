//! A first playbook for the servers that a project has.
//!
//! Start with [`propose`]. It is a proposal and careful with it: fleets are made of servers that carry
//! the same role tag or whose names count up, each says how many servers it expects, and a server
//! that stands alone is named in a comment and left out. Names come from the cloud, so each is
//! quoted, or cleaned where it stands in a comment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ImageId, Server, Timestamp, count, list_some, shown, shown_json, tag_matches};
use crate::fleet::Selector;

use super::recheck::{NEVER, protection};
use super::{CloudIdentity, Inventory};

/// Tags that people sort servers by, the first that is there wins.
const ROLES: &[&str] =
    &["role", "tier", "component", "service", "app", "application", "group", "cluster"];

/// Parts of names of servers that others are reached or run through: better asked about once more.
const DELICATE: &[&str] =
    &["bastion", "jump", "gateway", "vpn", "nat-", "dns", "ldap", "vault", "backup", "runner"];

/// Fleets above that need a strategy that somebody wrote.
const NEEDS_STRATEGY: usize = 50;

/// Servers and keys in one comment.
const SHOWN: usize = 8;

/// A fleet that is proposed.
struct Proposed<'s> {
    name: String,
    selector: Selector,
    /// The line in `hosts`.
    written: String,
    servers: Vec<&'s Server>,
}

/// The text of a playbook for the servers of this inventory.
#[must_use]
pub fn propose(cloud: &CloudIdentity, inventory: &Inventory, made: Timestamp) -> String {
    let servers = &inventory.servers;
    let (fleets, alone) = fleets(servers);
    let mut text = head(cloud, servers.len(), made);
    guards(&mut text, &fleets, servers);
    defaults(&mut text, &fleets, inventory);
    text.push_str("\nfleets:\n");
    for fleet in &fleets {
        write_fleet(&mut text, fleet, inventory);
    }
    if fleets.is_empty() {
        text.push_str(
            "  # No servers carry the same tag or count up in their names: name them yourself.\n  \
             first:\n    hosts:\n      - name: name-of-a-server\n",
        );
    }
    if !alone.is_empty() {
        text.push_str(&format!("\n# In no fleet, since nothing groups them: {}\n", names(&alone)));
    }
    text
}

fn head(cloud: &CloudIdentity, servers: usize, made: Timestamp) -> String {
    let (project, region) = (comment(&cloud.project_name), comment(&cloud.region));
    format!(
        "# yaml-language-server: $schema=./playbook.v1.json\n\
         # (`refleet schema playbook > playbook.v1.json` writes what your editor completes by)\n#\n\
         # A proposal for the {} of project {project} in {region}, as they were at {made}.\n\
         # Nothing is certain about it: read every line, then see what it would do:\n#\n\
         #     refleet validate FILE\n#     refleet plan FILE\n\
         version: 1\nname: {}\ncloud: {}\n",
        count(servers, "server"),
        quoted(&word(&cloud.project_name).unwrap_or_else(|| "first".to_owned())),
        quoted(&cloud.name),
    )
}

fn guards(text: &mut String, fleets: &[Proposed<'_>], servers: &[Server]) {
    let all: usize = fleets.iter().map(|fleet| fleet.servers.len()).sum();
    let most = all.max(1);
    text.push_str(&format!("\nguards:\n  max_hosts: {most}  # as many as the fleets have today\n"));
    let delicate: Vec<&Server> = servers
        .iter()
        .filter(|server| protection(server).is_none() && is_delicate(&server.name))
        .collect();
    if !delicate.is_empty() {
        text.push_str(
            "  protected:  # never these, whatever selects them: their names sound delicate\n",
        );
    }
    for server in delicate {
        let (id, name) = (quoted(server.id.as_str()), comment(&server.name));
        text.push_str(&format!("    - id: {id}  # {name}\n"));
    }
    let never: Vec<&Server> =
        servers.iter().filter(|server| tag_matches(&server.tags, NEVER)).collect();
    let locked: Vec<&Server> = servers.iter().filter(|server| server.locked).collect();
    for (why, servers) in [("tagged reinstall=never", never), ("locked", locked)] {
        if !servers.is_empty() {
            text.push_str(&format!("  # always left alone, {why}: {}\n", names(&servers)));
        }
    }
}

fn is_delicate(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    DELICATE.iter().any(|part| name.contains(part))
}

fn defaults(text: &mut String, fleets: &[Proposed<'_>], inventory: &Inventory) {
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    let mut without = 0;
    for server in fleets.iter().flat_map(|fleet| &fleet.servers) {
        match &server.key_name {
            Some(name) => *keys.entry(name).or_default() += 1,
            None => without += 1,
        }
    }
    text.push_str("\ndefaults:\n  reinstall:\n");
    text.push_str("    # Each server keeps its own key pair unless you name one. In use today:\n");
    for (name, servers) in keys {
        let visible = matches!(inventory.key_pairs.get(name), Some(Some(_)));
        let seen = if visible { "" } else { "; not visible to you: `key_owner` names its owner" };
        let (name, servers) = (quoted(name), count(servers, "server"));
        text.push_str(&format!("    # key_name: {name}  # {servers}{seen}\n"));
    }
    if without > 0 {
        let servers = count(without, "server");
        text.push_str(&format!("    # (none)  # {servers}: these need a key_name, or user_data\n"));
    }
    text.push_str("    leave: running\n");
}

fn write_fleet(text: &mut String, fleet: &Proposed<'_>, inventory: &Inventory) {
    let size = fleet.servers.len();
    text.push_str(&format!("  {}:\n    expect: {size}\n", fleet.name));
    text.push_str(&format!("    hosts:\n      - {}\n", fleet.written));
    if size > NEEDS_STRATEGY {
        text.push_str(
            "    strategy:  # one at a time is slow: see max_unavailable, max_failures\n      \
             canary: 1\n      serial: [10%, 25%, 50%]\n",
        );
    }
    let mut images: BTreeMap<&ImageId, usize> = BTreeMap::new();
    for server in &fleet.servers {
        *images.entry(&server.image).or_default() += 1;
    }
    for (id, servers) in images {
        let known = inventory.images.get(id).and_then(Option::as_ref);
        let name = known.map_or("an image that is gone or not visible", |image| &image.name);
        let servers = count(servers, "server");
        text.push_str(&format!(
            "    # image today: {} ({}), {servers}\n",
            comment(name),
            comment(id.as_str())
        ));
    }
}

/// The fleets, and the servers that no fleet has.
fn fleets(servers: &[Server]) -> (Vec<Proposed<'_>>, Vec<&Server>) {
    let mut rest: Vec<&Server> = servers.iter().filter(|server| may_be_wiped(server)).collect();
    let mut fleets: Vec<Proposed<'_>> = Vec::new();
    let candidates = by_role(&rest).into_iter().chain(by_name(&rest));
    for (name, selector, written) in candidates {
        let matching: Vec<&Server> =
            servers.iter().filter(|server| selector.matches(server)).collect();
        let fresh = |server: &&&Server| rest.iter().any(|it| it.id == server.id);
        // Each server is in one fleet: an entry that also has servers of another is none.
        let taken =
            matching.iter().any(|server| fleets.iter().any(|fleet| fleet.selector.matches(server)));
        let twins = has_twins(&matching) && selector.name().is_some();
        if taken || twins || matching.iter().filter(fresh).count() < 2 {
            continue;
        }
        rest.retain(|server| !selector.matches(server));
        let name = unused(name, &fleets);
        fleets.push(Proposed { name, selector, written, servers: matching });
    }
    (fleets, rest)
}

/// Whether a proposal may have it at all: bare metal and delicate servers are for people to add.
fn may_be_wiped(server: &Server) -> bool {
    protection(server).is_none()
        && !server.frozen
        && !is_delicate(&server.name)
        && !server.tags.has_key("__type_baremetal")
}

fn has_twins(servers: &[&Server]) -> bool {
    let mut names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

type Candidate = (String, Selector, String);

/// One candidate for each value of the tag that people sort these servers by.
fn by_role(servers: &[&Server]) -> Vec<Candidate> {
    let Some(key) = ROLES.iter().find(|key| {
        servers.iter().any(|server| server.tags.values(key).any(|value| !value.is_empty()))
    }) else {
        return Vec::new();
    };
    let values: BTreeSet<&str> =
        servers.iter().flat_map(|server| server.tags.values(key)).collect();
    let candidates = values.into_iter().filter_map(|value| {
        let tag = format!("{key}={value}");
        let selector = Selector::try_new(None, None, Some(&tag), None).ok()?;
        let plain = writable(&tag) && !value.contains(char::is_whitespace);
        plain.then(|| Some((word(value)?, selector, format!("tag: {}", quoted(&tag)))))?
    });
    candidates.collect()
}

/// One candidate for each stem of names that count up: `web-0001`, `web-0002` … are `web-*`.
fn by_name(servers: &[&Server]) -> Vec<Candidate> {
    let mut stems: BTreeSet<&str> = BTreeSet::new();
    for server in servers {
        let stem = server.name.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() < server.name.len() && stem.chars().any(char::is_alphanumeric) {
            stems.insert(stem);
        }
    }
    let candidates = stems.into_iter().filter_map(|stem| {
        let plain = stem.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let pattern = format!("{stem}*");
        let selector = Selector::try_new(None, Some(&pattern), None, None).ok()?;
        plain.then(|| Some((word(stem)?, selector, format!("name: {}", quoted(&pattern)))))?
    });
    candidates.collect()
}

/// A name that no fleet has yet.
fn unused(name: String, fleets: &[Proposed<'_>]) -> String {
    let is_taken = |name: &str| fleets.iter().any(|fleet| fleet.name == name);
    if !is_taken(&name) {
        return name;
    }
    let mut numbered = (2..).map(|n: u32| format!("{name}-{n}"));
    numbered.find(|name| !is_taken(name)).unwrap_or(name)
}

/// A text as the name of a fleet; `None`: nothing is left of it.
fn word(text: &str) -> Option<String> {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let plain = plain.trim_matches(['-', '_']);
    let begins = plain.starts_with(|c: char| c.is_ascii_alphabetic());
    (!plain.is_empty()).then(|| if begins { plain.to_owned() } else { format!("fleet-{plain}") })
}

/// Whether a text means itself where a playbook has it: inserts would be looked up.
fn writable(text: &str) -> bool {
    !text.contains("{{") && !text.chars().any(char::is_control)
}

/// A text in double quotes, which YAML reads as JSON does; plain where nothing can be mistaken.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_=".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        shown_json(&serde_json::Value::from(text).to_string()).into_owned()
    }
}

/// A text that stays in its comment.
fn comment(text: &str) -> Cow<'_, str> {
    shown(text)
}

fn names(servers: &[&Server]) -> String {
    let names: Vec<String> = servers
        .iter()
        .map(|server| comment(&format!("{} ({})", server.name, server.id)).into_owned())
        .collect();
    list_some(&names, SHOWN)
}
