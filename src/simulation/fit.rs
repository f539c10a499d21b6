//! A world fitted to a playbook: what it selects is there, so that it can be rehearsed without its
//! cloud (`product.md`, section 8).
//!
//! Start with [`fit`]. Servers are drafted for each entry of `hosts`, and every draft is checked
//! with the playbook's own selectors: it is selected by its entry, by no other fleet, and neither
//! excluded nor protected by accident. Where a playbook leaves no room for that, the draft is made
//! anyway, and planning says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::domain::{HostValue, ImageId, Provider, Server, ServerId, Tags, Template, UserId};
use crate::fleet::Selector;
use crate::playbook::{
    Check, EncryptionSpec, FleetSpec, HostLine, Hosts, ImageChoice, LoginSpec, Playbook, RunSpec,
    Treatment,
};
use crate::simulator::{
    ImageSpec, KeyPairSpec, KeySpec, Knobs, QuotaSpec, ServerGroup, VaultSpec, WorldSpec,
};

/// Servers for an entry of `hosts` in a fleet that does not say how many it expects.
const USUAL: usize = 4;
/// Names that are tried before a draft is given up.
const TRIES: usize = 200;
/// An image whose operating system is billed, for fleets that name a licence.
const BILLED: &str = "Standard_SUSE_15_latest";

/// More than these make a rehearsal slow, and prove nothing.
const MOST_BYSTANDERS: usize = 20_000;

/// The image of servers whose password is fetched.
const WINDOWS: &str = "Standard_Windows_2022_latest";

/// The world of that playbook; the same for the same seed.
#[must_use]
pub fn fit(playbook: &Playbook, seed: u64) -> WorldSpec {
    let mut fitting = Fitting::new(playbook, seed);
    for (number, fleet) in playbook.fleets.values().enumerate() {
        fitting.add_hosts(number, fleet);
    }
    for (number, fleet) in playbook.fleets.values().enumerate() {
        fitting.add_excluded(number, fleet);
    }
    fitting.add_protected();
    let mut servers: Vec<ServerGroup> =
        fitting.drafts.iter().map(|draft| fitting.group(draft)).collect();
    servers.extend(fitting.bystanders());
    let treatments: Vec<Treatment> = playbook.fleets.values().flat_map(treatments).collect();
    WorldSpec {
        servers,
        images: images(playbook),
        key_pairs: key_pairs(&treatments),
        keys: keys(&treatments),
        vaults: vaults(&treatments),
        quota: QuotaSpec::default(),
        knobs: knobs(playbook),
        ..WorldSpec::default()
    }
}

/// A playbook for Nova is rehearsed with its manners: others would refuse what it may ask for, and
/// Nova leaves nothing alone behind a rebuild.
fn knobs(playbook: &Playbook) -> Knobs {
    let skips = playbook.fleets.values().flat_map(|fleet| &fleet.steps).any(|step| step.stop.skip);
    if playbook.provider == Some(Provider::OpenStack) || skips {
        Knobs::default().like_nova()
    } else {
        Knobs::default()
    }
}

/// A server that will be in the world.
#[derive(Clone, Debug)]
struct Draft {
    fleet: Option<usize>,
    listed: bool,
    server: Server,
    has_id: bool,
}

struct Fitting<'p> {
    playbook: &'p Playbook,
    zones: Vec<String>,
    /// Tags that templates of user data insert, fleet by fleet.
    inserted: Vec<BTreeSet<String>>,
    drafts: Vec<Draft>,
    names: BTreeSet<String>,
    ids: BTreeSet<ServerId>,
    rng: ChaCha8Rng,
}

impl<'p> Fitting<'p> {
    fn new(playbook: &'p Playbook, seed: u64) -> Self {
        Self {
            playbook,
            zones: zones(playbook),
            inserted: playbook.fleets.values().map(inserted_tags).collect(),
            drafts: Vec::new(),
            names: BTreeSet::new(),
            ids: BTreeSet::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Servers for every entry of a fleet, together as many as it expects.
    fn add_hosts(&mut self, number: usize, fleet: &FleetSpec) {
        let before = self.drafts.len();
        for entry in &fleet.hosts {
            if let Hosts::Listed { lines, .. } = &entry.hosts {
                for line in lines {
                    self.add_listed(number, line, entry.must_match.as_ref().map(|(must, _)| must));
                }
            }
        }
        let (fixed, open): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) =
            wanted(fleet).partition(|wanted| names_one(wanted.has));
        for wanted in fixed {
            self.add_matching(number, fleet, (wanted, 1));
        }
        let made = self.drafts.len() - before;
        let expected = fleet.expect.as_ref().map(|(count, _)| *count as usize);
        let wanted: usize = expected.map_or(open.len() * USUAL, |count| count.saturating_sub(made));
        for (n, one) in open.iter().enumerate() {
            let share = wanted / open.len() + usize::from(n < wanted % open.len());
            self.add_matching(number, fleet, (*one, share.max(1)));
        }
    }

    /// A server as the file, and what the entry demands, say it is.
    fn add_listed(&mut self, fleet: usize, line: &HostLine, must: Option<&Selector>) {
        let text = line.text.as_str();
        let is_id = looks_like_an_id(text);
        if (is_id && self.ids.contains(text)) || (!is_id && self.names.contains(text)) {
            return;
        }
        let mut server = self.blank();
        if is_id {
            server.id = ServerId::from(text);
            let usual = || format!("host-{:04}", self.drafts.len() + 1);
            server.name = line.named.clone().unwrap_or_else(usual);
        } else {
            text.clone_into(&mut server.name);
        }
        if let Some(must) = must {
            let (tags, az) = demands(&[must]);
            server.tags = tags;
            server.az = az.unwrap_or(server.az);
        }
        self.add(Draft { fleet: Some(fleet), listed: true, server, has_id: is_id });
    }

    fn add_matching(
        &mut self,
        number: usize,
        fleet: &FleetSpec,
        (Wanted { has: selector, must }, count): (Wanted<'_>, usize),
    ) {
        let all: Vec<&Selector> = std::iter::once(selector).chain(must).collect();
        for n in 0..count {
            if selector.id().is_some_and(|id| self.ids.contains(id)) {
                return;
            }
            let clear = |server: &Server| !self.is_in_the_way(number, fleet, server);
            let found = self.draft(&all, (fleet.name.as_str(), n + 1), clear);
            let Some(server) = found else { return };
            let has_id = selector.id().is_some();
            self.add(Draft { fleet: Some(number), listed: false, server, has_id });
        }
    }

    /// Whether a server would be excluded, protected, or taken by another fleet.
    fn is_in_the_way(&self, number: usize, fleet: &FleetSpec, server: &Server) -> bool {
        let excluded = fleet.exclude.iter().any(|exclude| exclude.selector.matches(server));
        let mut protected = self.playbook.guards.protected.iter();
        let others = self.playbook.fleets.values().enumerate();
        let mut others = others.filter(|(other, _)| *other != number);
        excluded
            || protected.any(|(selector, _)| selector.matches(server))
            || others.any(|(_, other)| takes(other, server))
    }

    /// What every exclusion takes out, where it has to take something out.
    fn add_excluded(&mut self, number: usize, fleet: &FleetSpec) {
        for exclude in fleet.exclude.iter().filter(|exclude| !exclude.allow_none) {
            let mine =
                |draft: &&Draft| draft.fleet == Some(number) || selects(fleet, &draft.server);
            if self.drafts.iter().filter(mine).any(|it| exclude.selector.matches(&it.server)) {
                continue;
            }
            let label = (fleet.name.as_str(), 1);
            let found = selectors(fleet).find_map(|entry| {
                self.draft(&[entry, &exclude.selector], label, |_| true)
                    .map(|server| (server, entry.id().or(exclude.selector.id()).is_some()))
            });
            match found {
                Some((server, has_id)) => {
                    self.add(Draft { fleet: Some(number), listed: false, server, has_id });
                }
                None => self.mark_listed(number, &exclude.selector),
            }
        }
    }

    /// Nothing can be added to a file: its last server becomes one that is excluded.
    fn mark_listed(&mut self, number: usize, selector: &Selector) {
        let mut listed = self.drafts.iter_mut().filter(|it| it.listed && it.fleet == Some(number));
        if let Some(draft) = listed.next_back() {
            let (tags, az) = demands(&[selector]);
            tags.iter().for_each(|(key, value)| draft.server.tags.set(key, value));
            if let Some(az) = az {
                draft.server.az = az;
            }
        }
    }

    /// One server for every rule that protects, unless a fleet would want it.
    fn add_protected(&mut self) {
        let playbook = self.playbook;
        for (selector, _) in &playbook.guards.protected {
            if self.drafts.iter().any(|draft| selector.matches(&draft.server)) {
                continue;
            }
            let label = ("protected", 1);
            let clear = |server: &Server| !playbook.fleets.values().any(|it| takes(it, server));
            let found = self.draft(&[selector], label, clear);
            if let Some(server) = found.filter(clear) {
                let has_id = selector.id().is_some();
                self.add(Draft { fleet: None, listed: false, server, has_id });
            }
        }
    }

    /// As many servers of nobody's as it takes for `guards.max_share` to let the others be wiped; none
    /// where the playbook takes every server.
    fn bystanders(&self) -> Option<ServerGroup> {
        let (share, _) = self.playbook.guards.max_share.as_ref()?;
        let ours = self.drafts.len();
        let all = (ours * 100).div_ceil((share.0 as usize).max(1)).min(MOST_BYSTANDERS);
        let count = u32::try_from(all.saturating_sub(ours)).ok().filter(|count| *count > 0)?;
        let mut server = self.blank();
        "bystander-1".clone_into(&mut server.name);
        let taken = self.playbook.fleets.values().any(|fleet| takes(fleet, &server));
        (!taken).then(|| ServerGroup {
            count,
            name: "bystander-####".to_owned(),
            ..ServerGroup::default()
        })
    }

    /// A server that all of these select; if it can be, one that is `clear`.
    fn draft(
        &self,
        wanted: &[&Selector],
        (label, from): (&str, usize),
        clear: impl Fn(&Server) -> bool,
    ) -> Option<Server> {
        let mut server = self.blank();
        let (tags, az) = demands(wanted);
        server.tags = tags;
        if let Some(id) = wanted.iter().find_map(|selector| selector.id()) {
            server.id = id.clone();
        }
        let zones: Vec<&String> = match &az {
            Some(az) => vec![az],
            None => self.zones.iter().cycle().skip(from - 1).take(self.zones.len()).collect(),
        };
        let mut second_best = None;
        for n in from..from + TRIES {
            for name in names(wanted, label, n) {
                if self.names.contains(&name) {
                    continue;
                }
                server.name = name;
                for zone in &zones {
                    server.az.clone_from(zone);
                    if !wanted.iter().all(|selector| selector.agrees_with(&server)) {
                        continue;
                    }
                    if clear(&server) {
                        return Some(server);
                    }
                    second_best.get_or_insert_with(|| server.clone());
                }
            }
        }
        second_best
    }

    fn add(&mut self, mut draft: Draft) {
        for key in draft.fleet.and_then(|fleet| self.inserted.get(fleet)).into_iter().flatten() {
            if !draft.server.tags.has_key(key) {
                draft.server.tags.insert(key, format!("some-{key}"));
            }
        }
        self.names.insert(draft.server.name.clone());
        if draft.has_id {
            self.ids.insert(draft.server.id.clone());
        }
        self.drafts.push(draft);
    }

    fn blank(&self) -> Server {
        Server {
            id: ServerId::from(""),
            name: String::new(),
            status: "ACTIVE".to_owned(),
            task_state: None,
            locked: false,
            frozen: false,
            fault: None,
            image: ImageId::from(""),
            image_name: None,
            key_name: None,
            user: UserId::from(""),
            flavor: String::new(),
            ram_mib: None,
            az: self.zones[self.drafts.len() % self.zones.len()].clone(),
            tags: Tags::new(),
            os_type: None,
            from_iso: false,
            prepaid: false,
            local_disk_gib: None,
            volumes: Vec::new(),
            addresses: Vec::new(),
            created: None,
            updated: None,
        }
    }

    fn group(&self, draft: &Draft) -> ServerGroup {
        let fleet = draft.fleet.and_then(|n| self.playbook.fleets.get_index(n)).map(|(_, it)| it);
        let billed = fleet.is_some_and(|it| it.treatment.reinstall.license.is_some());
        let usual = ServerGroup::default();
        // The same for the same server, whatever else is in the world.
        let mut rng = self.rng.clone();
        rng.set_stream(draft.server.name.bytes().map(u64::from).sum());
        ServerGroup {
            name: draft.server.name.clone(),
            ids: if draft.has_id { vec![draft.server.id.to_string()] } else { Vec::new() },
            tags: pairs(&draft.server.tags),
            zones: vec![draft.server.az.clone()],
            image: match (fetches_password(fleet), billed) {
                (true, _) => WINDOWS.to_owned(),
                (false, true) => BILLED.to_owned(),
                (false, false) => usual.image,
            },
            os_type: if fetches_password(fleet) { "Windows".to_owned() } else { usual.os_type },
            floating: rng.random_bool(0.2),
            data_gib: vec![100; rng.random_range(0..3)],
            ..usual
        }
    }
}

/// Whether the servers of a fleet have to run Windows: a password is fetched for them.
fn fetches_password(fleet: Option<&FleetSpec>) -> bool {
    let mut checks = fleet.into_iter().flat_map(|fleet| &fleet.treatment.verify);
    checks.any(|check| matches!(check, Check::PasswordReady { .. }))
}

/// Selectors of a fleet's entries.
fn selectors(fleet: &FleetSpec) -> impl Iterator<Item = &Selector> {
    fleet.hosts.iter().filter_map(|entry| match &entry.hosts {
        Hosts::Matching(selector) => Some(selector),
        Hosts::Listed { .. } => None,
    })
}

/// What an entry has, and what it demands of it.
#[derive(Clone, Copy)]
struct Wanted<'p> {
    has: &'p Selector,
    must: Option<&'p Selector>,
}

/// The same of every entry that lists nobody.
fn wanted(fleet: &FleetSpec) -> impl Iterator<Item = Wanted<'_>> {
    fleet.hosts.iter().filter_map(|entry| match &entry.hosts {
        Hosts::Matching(has) => {
            Some(Wanted { has, must: entry.must_match.as_ref().map(|(must, _)| must) })
        }
        Hosts::Listed { .. } => None,
    })
}

/// Whether an entry of the fleet has that server.
fn selects(fleet: &FleetSpec, server: &Server) -> bool {
    selectors(fleet).any(|selector| selector.matches(server))
}

/// Whether the fleet has that server, exclusions counted.
fn takes(fleet: &FleetSpec, server: &Server) -> bool {
    selects(fleet, server) && !fleet.exclude.iter().any(|it| it.selector.matches(server))
}

/// Whether no more than one server can match.
fn names_one(selector: &Selector) -> bool {
    let plain = |name: &str| !name.contains(['*', '?', '[', '{']);
    selector.id().is_some() || selector.name().is_some_and(plain)
}

/// As a world file has them: one value for each key.
fn pairs(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Tags and zone that selectors ask for.
fn demands(wanted: &[&Selector]) -> (Tags, Option<String>) {
    let tags = wanted.iter().filter_map(|selector| selector.tag());
    let tags = tags.map(|tag| tag.split_once('=').unwrap_or((tag, "yes")));
    let az = wanted.iter().find_map(|selector| selector.az()).map(str::to_owned);
    (tags.collect(), az)
}

/// Zones that the playbook names; those of its region where it names none.
fn zones(playbook: &Playbook) -> Vec<String> {
    let of_fleet = |fleet: &FleetSpec| -> Vec<String> {
        let excluded = fleet.exclude.iter().map(|exclude| &exclude.selector);
        selectors(fleet).chain(excluded).filter_map(Selector::az).map(str::to_owned).collect()
    };
    let mut zones: BTreeSet<String> = playbook.fleets.values().flat_map(of_fleet).collect();
    let region = playbook.region.as_deref().unwrap_or("eu-de");
    zones.extend((1..=3).map(|n| format!("{region}-{n:02}")));
    zones.into_iter().collect()
}

/// Names to try, the most natural first.
fn names(wanted: &[&Selector], label: &str, n: usize) -> Vec<String> {
    let globs: Vec<&str> = wanted.iter().filter_map(|selector| selector.name()).collect();
    let fillers = [format!("{n:04}"), format!("{n}"), format!("n{n}"), format!("x-{n}-y")];
    let mut names = Vec::new();
    for filler in &fillers {
        match &globs[..] {
            [] => names.extend([label, "host", "node"].map(|it| format!("{it}-{filler}"))),
            [one] => names.push(expand(one, filler, n)),
            [first, second, ..] => {
                // One pattern within the other: `web-*` and `*-old` both match `web-0001-old`.
                names.push(expand(first, filler, n));
                names.push(expand(second, filler, n));
                names.push(expand(first, &expand(second, filler, n), n));
                names.push(expand(second, &expand(first, filler, n), n));
            }
        }
    }
    names
}

/// A name that a glob matches: `*` becomes the filler, of alternatives the `n`-th is taken.
fn expand(glob: &str, filler: &str, n: usize) -> String {
    let mut name = String::new();
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.as_str().starts_with('*') => {}
            '*' => name.push_str(filler),
            '?' => name.push_str(&(n % 10).to_string()),
            '\\' => name.extend(rest.next()),
            '[' => {
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                let negated = class.starts_with(['!', '^']);
                let first = if negated { Some('q') } else { class.chars().next() };
                name.extend(first);
            }
            '{' => {
                let inner: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let parts: Vec<&str> = inner.split(',').collect();
                let part = parts[n % parts.len()];
                name.push_str(&expand(part, filler, n / parts.len()));
            }
            other => name.push(other),
        }
    }
    name
}

/// A UUID, or 32 hex digits.
fn looks_like_an_id(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != '-');
    digits.clone().count() == 32 && digits.clone().all(|c| c.is_ascii_hexdigit())
}

/// The treatment of a fleet, and what each override alone makes of it.
fn treatments(fleet: &FleetSpec) -> Vec<Treatment> {
    let overridden = (0..fleet.overrides.len()).map(|index| fleet.treatment_for(&[index], None));
    let rows = (0..fleet.rows()).map(|row| fleet.treatment_for(&[], Some(row)));
    std::iter::once(fleet.treatment.clone()).chain(overridden).chain(rows).collect()
}

/// Keys of tags that a fleet inserts: into user data, checks and steps of its own.
fn inserted_tags(fleet: &FleetSpec) -> BTreeSet<String> {
    let treatments = treatments(fleet);
    let user_data = treatments.iter().filter_map(|it| it.reinstall.user_data.as_ref());
    let inserts = user_data.filter_map(|it| it.inserts.as_ref());
    let inserted = inserts.flat_map(|inserts| inserts.names.keys().map(String::as_str));
    let checks = treatments.iter().flat_map(|it| &it.verify).flat_map(Check::templates);
    let steps = fleet.steps.iter().filter_map(|step| step.run.as_deref());
    let templates = checks.chain(steps.flat_map(RunSpec::templates));
    let names = inserted.chain(templates.flat_map(Template::names));
    let tag = |name| match HostValue::named(name) {
        Some(HostValue::Tag(key)) => Some(key.to_owned()),
        Some(HostValue::Id | HostValue::Name | HostValue::Az | HostValue::Ip) | None => None,
    };
    names.filter_map(tag).collect()
}

fn images(playbook: &Playbook) -> Vec<ImageSpec> {
    let mut images = vec![ImageSpec::default()];
    if playbook.fleets.values().any(|fleet| fleet.treatment.reinstall.license.is_some()) {
        images.push(ImageSpec {
            name: BILLED.to_owned(),
            platform: "SUSE".to_owned(),
            os_version: "SUSE Linux Enterprise Server 15 SP5 64bit".to_owned(),
            ..ImageSpec::default()
        });
    }
    images.extend(named_images(playbook));
    for fleet in playbook.fleets.values().filter(|fleet| fetches_password(Some(fleet))) {
        images.retain(|image| image.name != WINDOWS);
        images.push(ImageSpec {
            name: WINDOWS.to_owned(),
            os_type: "Windows".to_owned(),
            platform: "Windows".to_owned(),
            os_version: "Windows Server 2022 Standard 64bit".to_owned(),
            charged: fleet.treatment.reinstall.license.is_some(),
            ..ImageSpec::default()
        });
    }
    images
}

/// Images that are named: of the system that the fleet's checks ask for, and billed where it says so.
fn named_images(playbook: &Playbook) -> Vec<ImageSpec> {
    let mut images: BTreeMap<String, ImageSpec> = BTreeMap::new();
    for fleet in playbook.fleets.values() {
        let windows = fetches_password(Some(fleet));
        for treatment in treatments(fleet) {
            let ImageChoice::Named(name) = &treatment.reinstall.image else { continue };
            let licensed = treatment.reinstall.license.is_some();
            let (os, platform) = match (windows, licensed) {
                (true, _) => ("Windows", "Windows"),
                (false, true) => ("Linux", "SUSE"),
                (false, false) => ("Linux", "Ubuntu"),
            };
            let is_id = looks_like_an_id(name);
            let spec = ImageSpec {
                id: is_id.then(|| name.clone()),
                name: if is_id { format!("image-{name:.8}") } else { name.clone() },
                os_type: os.to_owned(),
                platform: platform.to_owned(),
                os_version: String::new(),
                charged: licensed,
                ..ImageSpec::default()
            };
            images.insert(name.clone(), spec);
        }
    }
    images.into_values().collect()
}

/// Key pairs that are named, for the acting user and for the owner that is named.
fn key_pairs(treatments: &[Treatment]) -> Vec<KeyPairSpec> {
    let mut pairs = BTreeSet::new();
    for treatment in treatments {
        if let LoginSpec::KeyPair { name, owner } = &treatment.reinstall.login {
            pairs.insert((name.clone(), None));
            pairs.insert((name.clone(), owner.as_ref().map(UserId::to_string)));
        }
    }
    pairs.into_iter().map(|(name, owner)| KeyPairSpec { name, owner }).collect()
}

/// Vaults that are named, with room for everything.
fn vaults(treatments: &[Treatment]) -> Vec<VaultSpec> {
    let names = treatments.iter().filter_map(|treatment| treatment.backup.as_ref());
    let names: BTreeSet<&String> = names.map(|backup| &backup.vault).collect();
    let vault = |(n, name): (usize, &String)| {
        let id = looks_like_an_id(name).then(|| name.clone());
        let name = if id.is_some() { format!("vault-{n}") } else { name.clone() };
        VaultSpec { id, name, size_gib: 1_000_000, ..VaultSpec::default() }
    };
    names.into_iter().enumerate().map(vault).collect()
}

fn keys(treatments: &[Treatment]) -> Vec<KeySpec> {
    let mut keys = vec![KeySpec::default()];
    for treatment in treatments {
        let EncryptionSpec::KmsKey(name) = &treatment.reinstall.encryption else { continue };
        let known = |key: &KeySpec| key.alias == *name || key.id.as_deref() == Some(name);
        if keys.iter().any(known) {
            continue;
        }
        keys.push(if looks_like_an_id(name) {
            let alias = format!("key-{}", keys.len());
            KeySpec { id: Some(name.clone()), alias, ..KeySpec::default() }
        } else {
            KeySpec { alias: name.clone(), ..KeySpec::default() }
        });
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FleetName;
    use crate::playbook::{Source, parse};
    use crate::simulation::Scenario;
    use crate::simulator::Faults;

    fn read(text: &str) -> Playbook {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let list = "db-a\n7f0b0c1e-6d5a-4a0e-9f55-1c2d3e4f5a6b\ndb-c\n";
        files.insert("hosts.txt".to_owned(), list.into());
        files.insert("init.yaml".to_owned(), b"{{ host.tag.site }} {{ host.ip }}".to_vec());
        let text = format!("version: 1\ncloud: simulator\n{text}");
        let parsed = parse(&Source::new("test.yaml", text), &files);
        parsed.playbook.unwrap_or_else(|| panic!("{:?}", parsed.problems))
    }

    /// Names of planned servers, fleet by fleet, after planning against the fitted world.
    fn planned(text: &str) -> Vec<Vec<String>> {
        let playbook = read(text);
        let spec = fit(&playbook, 1);
        spec.check().unwrap();
        let drawn = Scenario::draw(&playbook, &spec, Some(&Faults::default()), 1);
        let plan = drawn.unwrap_or_else(|error| panic!("{error}\n{text}")).plan;
        let of_fleet = |fleet: &FleetName| {
            let targets = plan.targets.values().filter(|target| target.fleet == *fleet);
            targets.map(|target| target.found.name.clone()).collect()
        };
        playbook.fleets.keys().map(of_fleet).collect()
    }

    #[test]
    fn every_entry_has_four_servers_or_what_the_fleet_expects() {
        let cases: [(&str, &[usize]); 13] = [
            ("guards: {max_share: 3%}\nfleets: {web: {hosts: [name: web-*]}}", &[4]),
            (
                "fleets: {web: {hosts: [name: web-*], verify: [{http: {url: 'http://{{ host.tag.vip }}/'}}],                  steps: [{run: [a, '{{ host.tag.rack }}']}, stop, validate, reinstall, wait, verify]}}",
                &[4],
            ),
            ("fleets: {web: {hosts: [name: web-*]}}", &[4]),
            ("fleets: {web: {hosts: [tag: role=web, name: 'db-?']}}", &[8]),
            ("fleets: {web: {expect: 7, hosts: [tag: role=web, name: 'db-?']}}", &[7]),
            ("fleets: {web: {expect: 30, strategy: {serial: 10}, hosts: [tag: role]}}", &[30]),
            ("fleets: {web: {hosts: [id: 7f0b0c1e-6d5a-4a0e-9f55-1c2d3e4f5a6b]}}", &[1]),
            ("fleets: {web: {hosts: [name: web-1, {name: 'web-[ab]-*', az: eu-de-02}]}}", &[5]),
            ("fleets: {db: {hosts: [file: hosts.txt]}}", &[3]),
            ("fleets: {db: {hosts: [file: hosts.txt], exclude: [tag: pinned=true]}}", &[2]),
            ("fleets: {web: {hosts: [name: web-*], exclude: [{name: '*-old'}, {tag: a=b}]}}", &[4]),
            (
                "guards: {protected: [name: web-000*, tag: role=web]}\n\
                 fleets: {web: {hosts: [name: web-*]}}",
                &[4],
            ),
            (
                "fleets: {web: {hosts: [name: '{web,app}-*'], reinstall: {key_name: ops, \
                 encryption: {kms_key: evs/own}, license: byol}}}",
                &[4],
            ),
        ];
        for (text, counts) in cases {
            let sizes: Vec<usize> = planned(text).iter().map(Vec::len).collect();
            assert_eq!(sizes, counts, "{text}");
        }
    }

    #[test]
    fn a_fleet_leaves_out_what_another_one_takes() {
        let text = "fleets: {one: {hosts: [{tag: role=web, az: eu-de-01}]}, \
                    two: {hosts: [tag: role=web], exclude: [az: eu-de-01]}}";
        let zones: Vec<_> = fit(&read(text), 1).servers.into_iter().map(|it| it.zones).collect();
        assert_eq!(zones.iter().filter(|zones| zones[0] == "eu-de-01").count(), 4);
        assert_eq!(zones.len(), 8);
        assert_eq!(planned(text).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    }

    #[test]
    fn what_protects_has_something_to_protect() {
        let playbook =
            read("guards: {protected: [name: bastion-*]}\nfleets: {web: {hosts: [name: web-*]}}");
        let names: Vec<_> = fit(&playbook, 1).servers.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["web-0001", "web-0002", "web-0003", "web-0004", "bastion-0001"]);
    }

    #[test]
    fn servers_have_the_tags_that_templates_insert() {
        let text = "fleets: {web: {hosts: [name: web-*, tag: site=fra], reinstall: {user_data: \
                    {file: init.yaml, template: true}}}, db: {hosts: [name: db-*]}}";
        assert_eq!(planned(text).iter().map(Vec::len).collect::<Vec<_>>(), [8, 4]);
        let groups = fit(&read(text), 1).servers;
        let site = |name: &str| {
            let group = groups.iter().find(|group| group.name.starts_with(name)).unwrap();
            group.tags.get("site").cloned()
        };
        assert_eq!(site("web-"), Some("some-site".to_owned()));
        assert_eq!(site("db-"), None);
        assert_eq!(
            groups
                .iter()
                .filter(|group| group.tags.get("site").is_some_and(|it| it == "fra"))
                .count(),
            4
        );
    }

    #[test]
    fn the_same_seed_fits_the_same_world() {
        let playbook = read("fleets: {web: {expect: 20, hosts: [name: web-*]}}");
        assert_eq!(fit(&playbook, 3), fit(&playbook, 3));
        assert_ne!(fit(&playbook, 3), fit(&playbook, 4));
    }
}
