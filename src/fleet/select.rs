//! From what fleets ask for to the servers that they have.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::domain::{FleetName, Place, Server, ServerId, count};

use super::demand::{Demand, Demanded};
use super::directory::Directory;
use super::{Refusal, Selector, did_you_mean};

/// What a fleet asks for, borrowed from where it was written.
#[derive(Clone, Debug)]
pub struct Rules<'p> {
    /// The fleet.
    pub fleet: &'p FleetName,
    /// Where it is written.
    pub place: &'p Place,
    /// A server is in if any of these has it.
    pub hosts: Vec<Entry<'p>>,
    /// A server that any of these has is out.
    pub exclude: Vec<Exclusion<'p>>,
    /// The selection must have exactly so many.
    pub expect: Option<(u32, &'p Place)>,
}

/// One entry of `hosts`.
#[derive(Clone, Debug)]
pub struct Entry<'p> {
    /// Where it is written.
    pub place: &'p Place,
    /// What it asks for.
    pub wanted: Wanted<'p>,
    /// What each of its servers has to be, and where that is written.
    pub must_match: Option<(&'p Selector, &'p Place)>,
}

/// What an entry asks for.
#[derive(Clone, Debug)]
pub enum Wanted<'p> {
    /// Servers that match.
    Matching(&'p Selector),
    /// Servers by id or name, from the lines of a file.
    Listed {
        /// The file.
        path: &'p str,
        /// Its lines.
        lines: Vec<Line<'p>>,
    },
}

/// One server of a file.
#[derive(Clone, Copy, Debug)]
pub struct Line<'p> {
    /// Its id or its name.
    pub text: &'p str,
    /// Its name, where `text` is its id and the file says both.
    pub named: Option<&'p str>,
    /// What the file changes for it, by a number that means nothing here.
    pub row: Option<usize>,
    /// Where it is written.
    pub place: &'p Place,
}

/// One entry of `exclude`.
#[derive(Clone, Debug)]
pub struct Exclusion<'p> {
    /// Where it is written.
    pub place: &'p Place,
    /// What it takes out.
    pub selector: &'p Selector,
    /// It may match nothing; otherwise that is an error, since a misspelt exclusion widens.
    pub allow_none: bool,
}

/// The servers of one fleet.
#[derive(Clone, Debug)]
pub struct Selection<'s> {
    /// The fleet.
    pub fleet: FleetName,
    /// Its servers: entry by entry, within an entry by name or in the order of the file.
    pub chosen: Vec<Chosen<'s>>,
    /// Those that an entry has and an exclusion took out.
    pub excluded: Vec<Excluded<'s>>,
}

/// A server, and why it is in.
#[derive(Clone, Debug)]
pub struct Chosen<'s> {
    /// The server.
    pub server: &'s Server,
    /// The entry that has it, as it is written.
    pub because: String,
    /// Where that is written.
    pub place: Place,
    /// What a file changes for it: the number of its line.
    pub row: Option<usize>,
}

/// A server, and why it is out.
#[derive(Clone, Debug)]
pub struct Excluded<'s> {
    /// The server.
    pub server: &'s Server,
    /// The exclusion, as it is written.
    pub rule: String,
    /// Where that is written.
    pub place: Place,
}

/// The servers of every fleet, or everything that is wrong with what the fleets ask for.
///
/// Nothing selected is wrong at every layer: an entry without a server, an exclusion that takes
/// nothing out, a fleet that ends empty (`safety.md`, S1).
pub fn select<'s>(
    fleets: &[Rules<'_>],
    servers: &'s [Server],
) -> Result<Vec<Selection<'s>>, Vec<Refusal>> {
    let directory = Directory::new(servers);
    let mut refusals = Vec::new();
    let picks: Vec<Picks<'_>> =
        fleets.iter().map(|rules| pick(&directory, rules, &mut refusals)).collect();
    refuse_servers_of_two_fleets(&directory, fleets, &picks, &mut refusals);
    if fleets.is_empty() {
        refusals.push(Refusal::new("nothing_selected", "there is no fleet", "write one"));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let selections = fleets.iter().zip(picks);
    Ok(selections.map(|(rules, picks)| picks.into_selection(&directory, rules)).collect())
}

/// Why a server is in a fleet.
struct Pick {
    because: String,
    place: Place,
    /// By its name, which another server may have too.
    by_name: bool,
    /// The row of a file that is about it, and where that is.
    row: Option<(usize, Place)>,
}

/// The servers of one fleet by their index in the directory.
#[derive(Default)]
struct Picks<'p> {
    chosen: IndexMap<usize, Pick>,
    /// With the index of the exclusion.
    excluded: IndexMap<usize, usize>,
    /// Exclusions that leave out a line of a list that is no server, by their index.
    left_out: BTreeSet<usize>,
    /// What the servers have to be that stay in.
    demands: Vec<Demand<'p>>,
}

impl Exclusion<'_> {
    /// Whether the exclusion names a line of a list by its own words, and says nothing else.
    fn is_just(&self, text: &str) -> bool {
        let selector = self.selector;
        selector.literal() == Some(text)
            && selector.id().is_none()
            && selector.tag().is_none()
            && selector.az().is_none()
    }
}

impl Picks<'_> {
    fn into_selection<'s>(self, directory: &Directory<'s>, rules: &Rules<'_>) -> Selection<'s> {
        let chosen = self.chosen.into_iter().map(|(index, pick)| Chosen {
            server: directory.server(index),
            because: pick.because,
            place: pick.place,
            row: pick.row.map(|(row, _)| row),
        });
        let excluded = self.excluded.into_iter().map(|(index, exclusion)| Excluded {
            server: directory.server(index),
            rule: rules.exclude[exclusion].selector.to_string(),
            place: rules.exclude[exclusion].place.clone(),
        });
        Selection {
            fleet: rules.fleet.clone(),
            chosen: chosen.collect(),
            excluded: excluded.collect(),
        }
    }
}

fn pick<'p>(
    directory: &Directory<'_>,
    rules: &Rules<'p>,
    refusals: &mut Vec<Refusal>,
) -> Picks<'p> {
    let mut picks = Picks::default();
    let before = refusals.len();
    for entry in &rules.hosts {
        let empty = match &entry.wanted {
            Wanted::Matching(selector) => {
                pick_matching(directory, entry, selector, &mut picks, refusals);
                None
            }
            Wanted::Listed { path, lines } => {
                pick_listed(directory, (rules, entry), (path, lines), &mut picks, refusals);
                Some(path).filter(|_| lines.is_empty())
            }
        };
        refusals.extend(empty.map(|path| {
            let message = format!("file {path} lists no server");
            Refusal::new("nothing_selected", message, "list ids or names, one a line")
                .at(entry.place)
        }));
    }
    exclude(directory, rules, &mut picks, refusals);
    refuse_twins(directory, &picks, refusals);
    refuse_others(directory, &picks, refusals);
    // A fleet that ends empty because of what was said already needs no second sentence.
    if picks.chosen.is_empty() && refusals.len() == before {
        refusals.push(nothing_left(rules, &picks));
    }
    refuse_unexpected(rules, &picks, refusals);
    picks
}

fn pick_matching<'p>(
    directory: &Directory<'_>,
    entry: &Entry<'p>,
    selector: &Selector,
    picks: &mut Picks<'p>,
    refusals: &mut Vec<Refusal>,
) {
    let found = directory.matching(selector);
    if found.is_empty() {
        refusals.push(matches_nothing(directory, selector).at(entry.place));
    }
    let because = format!("{selector}{}", demanded(entry));
    let by_name = selector.id().is_none() && selector.name().is_some();
    for index in found {
        picks.demand(index, entry, entry.place);
        picks.chosen.entry(index).or_insert_with(|| Pick {
            because: because.clone(),
            place: entry.place.clone(),
            by_name,
            row: None,
        });
    }
}

/// What an entry demands, for people.
fn demanded(entry: &Entry<'_>) -> String {
    entry.must_match.map_or_else(String::new, |(selector, _)| format!(" (must match {selector})"))
}

impl<'p> Picks<'p> {
    /// Remembers what the entry asks of a server that it has.
    fn demand(&mut self, index: usize, entry: &Entry<'p>, listed: &'p Place) {
        if let Some((selector, asked)) = entry.must_match {
            let wanted = Demanded::Match(selector, asked);
            self.demands.push(Demand { index, listed, wanted });
        }
    }
}

fn matches_nothing(directory: &Directory<'_>, selector: &Selector) -> Refusal {
    let meant = selector.literal().and_then(|name| did_you_mean(name, directory.names()));
    let help = match meant {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{} can be seen in this project", count(directory.len(), "server")),
    };
    Refusal::new("nothing_selected", format!("`{selector}` matches no server"), help)
}

fn pick_listed<'p>(
    directory: &Directory<'_>,
    (rules, entry): (&Rules<'_>, &Entry<'p>),
    (path, lines): (&str, &[Line<'p>]),
    picks: &mut Picks<'p>,
    refusals: &mut Vec<Refusal>,
) {
    let (mut unknown, mut torn) = (Vec::new(), Vec::new());
    let because = format!("file: {path}{}", demanded(entry));
    for line in lines {
        let by_id = directory.with_id(line.text);
        let named = if by_id.is_some() { &[][..] } else { directory.named(line.text) };
        if by_id.is_none() && named.is_empty() {
            // A line such as `localhost` is no server, and may be left out by its own words.
            if let Some(exclusion) = rules.exclude.iter().position(|out| out.is_just(line.text)) {
                picks.left_out.insert(exclusion);
                continue;
            }
            unknown.push(listed_nowhere(directory, line.text, line.place, &unknown));
        }
        for index in by_id.iter().chain(named) {
            picks.demand(*index, entry, line.place);
            if let Some(name) = line.named {
                let wanted = Demanded::Name(name);
                picks.demands.push(Demand { index: *index, listed: line.place, wanted });
            }
            let pick = picks.chosen.entry(*index).or_insert_with(|| Pick {
                because: because.clone(),
                place: line.place.clone(),
                by_name: true,
                row: None,
            });
            // Said by id somewhere is said by id, whatever else names it.
            pick.by_name &= by_id.is_none();
            torn.extend(take_row(pick, line, directory.server(*index)));
        }
    }
    Refusal::add_some(refusals, unknown);
    Refusal::add_some(refusals, torn);
}

/// The row of a server; two that differ are an error, since neither is more true.
fn take_row(pick: &mut Pick, line: &Line<'_>, server: &Server) -> Option<Refusal> {
    let row = line.row?;
    let (first, place) = pick.row.get_or_insert_with(|| (row, line.place.clone()));
    (*first != row).then(|| {
        let message =
            format!("server {} ({}) has two rows, the other at {place}", server.name, server.id);
        Refusal::new("two_rows", message, "keep one of them").at(line.place)
    })
}

fn listed_nowhere(
    directory: &Directory<'_>,
    text: &str,
    place: &Place,
    found: &[Refusal],
) -> Refusal {
    let meant = Some(text)
        .filter(|_| Refusal::is_worth_a_suggestion(found))
        .and_then(|text| nearly(text, directory).or_else(|| did_you_mean(text, directory.names())));
    let help = match meant {
        Some(name) => format!("did you mean `{name}`?"),
        None if text.parse::<IpAddr>().is_ok() => {
            "this is an address: write the id or the name of the server".to_owned()
        }
        None => format!(
            "correct the line, take it out, or leave it out: `exclude: [{{ name: \"{text}\" }}]`"
        ),
    };
    Refusal::new("unknown_server", format!("no server has the id or name `{text}`"), help).at(place)
}

/// The server that has this name in another case, or with its domain, or without.
fn nearly<'s>(text: &str, directory: &Directory<'s>) -> Option<&'s str> {
    let flat = text.to_lowercase();
    let part = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|behind| behind.starts_with('.'))
    };
    directory.names().find(|name| {
        let name = name.to_lowercase();
        name == flat || part(&name, &flat) || part(&flat, &name)
    })
}

fn exclude(
    directory: &Directory<'_>,
    rules: &Rules<'_>,
    picks: &mut Picks<'_>,
    refusals: &mut Vec<Refusal>,
) {
    for (position, exclusion) in rules.exclude.iter().enumerate() {
        let matching = directory.matching(exclusion.selector);
        let mut hits = 0;
        for index in &matching {
            if picks.chosen.contains_key(index) {
                picks.excluded.entry(*index).or_insert(position);
                hits += 1;
            }
        }
        if hits == 0 && !exclusion.allow_none && !picks.left_out.contains(&position) {
            refusals.push(excludes_nothing(exclusion, matching.len()));
        }
    }
    let excluded = &picks.excluded;
    picks.chosen.retain(|index, _| !excluded.contains_key(index));
}

fn excludes_nothing(exclusion: &Exclusion<'_>, elsewhere: usize) -> Refusal {
    let selector = exclusion.selector;
    let message = if elsewhere == 0 {
        format!("the exclusion `{selector}` matches no server")
    } else {
        format!(
            "the exclusion `{selector}` takes nothing out: it matches {}, none of this fleet",
            count(elsewhere, "server")
        )
    };
    let help = "a misspelt exclusion widens the fleet: correct it, or add `allow_none: true`";
    Refusal::new("exclusion_matches_nothing", message, help).at(exclusion.place)
}

/// Two servers with one name, chosen by that name.
fn refuse_twins(directory: &Directory<'_>, picks: &Picks<'_>, refusals: &mut Vec<Refusal>) {
    let mut names: BTreeMap<&str, Vec<(usize, &Pick)>> = BTreeMap::new();
    for (index, pick) in &picks.chosen {
        if pick.by_name {
            names.entry(&directory.server(*index).name).or_default().push((*index, pick));
        }
    }
    let twins = names.into_iter().filter(|(_, found)| found.len() > 1).map(|(name, found)| {
        let ids: Vec<&ServerId> = found.iter().map(|(i, _)| &directory.server(*i).id).collect();
        let ids = crate::domain::list_some(&ids, SHOWN_IDS);
        let message = format!("the name `{name}` is not unique: {ids}");
        let help = "select by id, or exclude by id the ones that are not meant";
        Refusal::new("ambiguous_name", message, help).at(&found[0].1.place)
    });
    Refusal::add_some(refusals, twins.collect());
}

/// Servers that are not what the line that has them says they are.
fn refuse_others(directory: &Directory<'_>, picks: &Picks<'_>, refusals: &mut Vec<Refusal>) {
    let staying = picks.demands.iter().filter(|demand| picks.chosen.contains_key(&demand.index));
    let others = staying.filter_map(|demand| demand.refusal(directory.server(demand.index)));
    Refusal::add_some(refusals, others.collect());
}

/// Ids in one sentence.
const SHOWN_IDS: usize = 5;

fn nothing_left(rules: &Rules<'_>, picks: &Picks<'_>) -> Refusal {
    let message = match picks.excluded.len() {
        0 => format!("fleet `{}` selects no server", rules.fleet),
        n => format!(
            "fleet `{}` ends empty: its exclusions take all {} out",
            rules.fleet,
            count(n, "server")
        ),
    };
    Refusal::new("nothing_selected", message, "widen `hosts` or remove the fleet").at(rules.place)
}

fn refuse_unexpected(rules: &Rules<'_>, picks: &Picks<'_>, refusals: &mut Vec<Refusal>) {
    if let Some((expected, place)) = rules.expect
        && picks.chosen.len() != expected as usize
    {
        let message = format!(
            "fleet `{}` selects {}, but exactly {expected} were expected",
            rules.fleet,
            count(picks.chosen.len(), "server")
        );
        let help = "look at the selection before you correct `expect`";
        refusals.push(Refusal::new("unexpected_count", message, help).at(place));
    }
}

fn refuse_servers_of_two_fleets(
    directory: &Directory<'_>,
    fleets: &[Rules<'_>],
    picks: &[Picks<'_>],
    refusals: &mut Vec<Refusal>,
) {
    let mut owners: IndexMap<usize, (&FleetName, &Place)> = IndexMap::new();
    let mut found = Vec::new();
    for (rules, picks) in fleets.iter().zip(picks) {
        for (index, pick) in &picks.chosen {
            let (first, place) = *owners.entry(*index).or_insert((rules.fleet, &pick.place));
            if first != rules.fleet {
                let server = directory.server(*index);
                let message = format!(
                    "server {} ({}) is in fleet `{}` and in fleet `{first}` ({place})",
                    server.name, server.id, rules.fleet
                );
                let help = "a server has one treatment: exclude it from one of the two";
                found.push(Refusal::new("in_two_fleets", message, help).at(&pick.place));
            }
        }
    }
    Refusal::add_some(refusals, found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Tags, Timestamp};

    fn server(id: &str, name: &str, role: &str) -> Server {
        Server {
            id: id.into(),
            name: name.to_owned(),
            status: "ACTIVE".to_owned(),
            task_state: None,
            locked: false,
            frozen: false,
            fault: None,
            image: "img".into(),
            image_name: None,
            key_name: None,
            user: "u".into(),
            flavor: "s3.large.2".to_owned(),
            ram_mib: None,
            az: "az-1".to_owned(),
            tags: Tags::from([("role", role)]),
            os_type: None,
            from_iso: false,
            prepaid: false,
            local_disk_gib: None,
            volumes: Vec::new(),
            addresses: Vec::new(),
            created: None,
            updated: Some(Timestamp(0)),
        }
    }

    fn servers() -> Vec<Server> {
        vec![
            server("s-2", "web-02", "web"),
            server("s-1", "web-01", "web"),
            server("s-3", "web-03", "web"),
            server("s-4", "db-01", "db"),
            server("s-5", "twin", "twin"),
            server("s-6", "twin", "twin"),
        ]
    }

    fn line(line: u32) -> Place {
        Place { file: "p.yaml".into(), line }
    }

    fn selector(text: &str) -> Selector {
        let (key, value) = text.split_once(": ").unwrap();
        let of = |wanted| (key == wanted).then_some(value);
        Selector::try_new(of("id"), of("name"), of("tag"), of("az")).unwrap()
    }

    fn matching_entry<'p>(place: &'p Place, selector: &'p Selector) -> Entry<'p> {
        Entry { place, wanted: Wanted::Matching(selector), must_match: None }
    }

    fn listed<'p>(text: &'p str, place: &'p Place) -> Line<'p> {
        Line { text, named: None, row: None, place }
    }

    /// What a fleet of these hosts (`key: value`, or `- line` for a line of a file) and exclusions
    /// (`?` in front: may match nothing) comes to: names, or the codes of the refusals.
    fn outcome(hosts: &[&str], exclude: &[&str], expect: Option<u32>) -> Vec<String> {
        let name = FleetName::from("web");
        let places: Vec<Place> = (1..=20).map(line).collect();
        let lines: Vec<Line<'_>> = hosts
            .iter()
            .zip(&places)
            .filter_map(|(host, place)| Some(listed(host.strip_prefix("- ")?, place)))
            .collect();
        let matching: Vec<Selector> = hosts
            .iter()
            .filter(|host| !host.starts_with("- "))
            .map(|host| selector(host))
            .collect();
        let out: Vec<Selector> =
            exclude.iter().map(|text| selector(text.trim_start_matches('?'))).collect();
        let mut entries: Vec<Entry<'_>> =
            matching.iter().map(|selector| matching_entry(&places[0], selector)).collect();
        if !lines.is_empty() {
            let wanted = Wanted::Listed { path: "hosts.txt", lines };
            entries.push(Entry { place: &places[0], wanted, must_match: None });
        }
        let exclusions = out.iter().zip(exclude).map(|(selector, text)| Exclusion {
            place: &places[9],
            selector,
            allow_none: text.starts_with('?'),
        });
        let rules = Rules {
            fleet: &name,
            place: &places[0],
            hosts: entries,
            exclude: exclusions.collect(),
            expect: expect.map(|expect| (expect, &places[1])),
        };
        match select(&[rules], &servers()) {
            Ok(selections) => {
                selections[0].chosen.iter().map(|chosen| chosen.server.name.clone()).collect()
            }
            Err(refusals) => refusals.iter().map(|refusal| format!("!{}", refusal.code)).collect(),
        }
    }

    #[test]
    fn s1_entries_widen_exclusions_narrow_and_nothing_is_an_error() {
        let check = |hosts: &[&str], exclude: &[&str], expected: &[&str]| {
            assert_eq!(outcome(hosts, exclude, None), expected, "{hosts:?} - {exclude:?}");
        };
        check(&["name: web-*"], &[], &["web-01", "web-02", "web-03"]);
        check(&["id: s-3", "tag: role=web"], &[], &["web-03", "web-01", "web-02"]);
        check(&["name: web-*"], &["id: s-2"], &["web-01", "web-03"]);
        check(&["- web-02", "- s-1"], &[], &["web-02", "web-01"]);
        check(&["- web-02", "- web-02"], &[], &["web-02"]);
        check(&["name: cache-*"], &[], &["!nothing_selected"]);
        check(&["name: web-*", "id: s-9"], &[], &["!nothing_selected"]);
        check(&["name: web-*"], &["tag: role=web"], &["!nothing_selected"]);
        check(&["name: web-*"], &["name: web-o2"], &["!exclusion_matches_nothing"]);
        check(&["name: web-*"], &["name: db-01"], &["!exclusion_matches_nothing"]);
        check(&["name: web-*"], &["?name: db-01"], &["web-01", "web-02", "web-03"]);
        check(&["- web-1"], &[], &["!unknown_server"]);
        check(&["- web-01", "- localhost"], &["name: localhost"], &["web-01"]);
        check(
            &["- web-01", "- localhost"],
            &["name: local*"],
            &["!unknown_server", "!exclusion_matches_nothing"],
        );
        check(&["- localhost"], &["name: localhost"], &["!nothing_selected"]);
        check(
            &["name: a", "name: b"],
            &["id: c"],
            &["!nothing_selected", "!nothing_selected", "!exclusion_matches_nothing"],
        );
    }

    #[test]
    fn one_name_of_two_servers_is_an_error_unless_they_are_told_apart_by_id() {
        let check = |hosts: &[&str], exclude: &[&str], expected: &[&str]| {
            assert_eq!(outcome(hosts, exclude, None), expected, "{hosts:?} - {exclude:?}");
        };
        check(&["name: twin"], &[], &["!ambiguous_name"]);
        check(&["name: t*"], &[], &["!ambiguous_name"]);
        check(&["- twin"], &[], &["!ambiguous_name"]);
        check(&["name: twin"], &["id: s-6"], &["twin"]);
        check(&["- s-5", "- s-6"], &[], &["twin", "twin"]);
        check(&["id: s-5"], &[], &["twin"]);
        check(&["tag: role=twin"], &[], &["twin", "twin"]);
    }

    #[test]
    fn the_number_that_is_expected_is_exact() {
        assert_eq!(outcome(&["name: web-*"], &[], Some(3)).len(), 3);
        assert_eq!(outcome(&["name: web-*"], &[], Some(2)), ["!unexpected_count"]);
        assert_eq!(outcome(&["name: web-*"], &["id: s-1"], Some(3)), ["!unexpected_count"]);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_its_line_and_the_name_that_was_meant() {
        let (name, place) = (FleetName::from("web"), line(3));
        let (typo, at) = (selector("name: wbe-01"), line(8));
        let rules = Rules {
            fleet: &name,
            place: &place,
            hosts: vec![
                matching_entry(&place, &typo),
                Entry {
                    place: &place,
                    wanted: Wanted::Listed { path: "h", lines: vec![listed("db-1", &at)] },
                    must_match: None,
                },
            ],
            exclude: Vec::new(),
            expect: None,
        };
        let refusals = select(&[rules], &servers()).unwrap_err();
        let shown: Vec<String> =
            refusals.iter().map(|refusal| format!("{refusal} ({})", refusal.help)).collect();
        assert_eq!(
            shown,
            [
                "p.yaml:3: `name: wbe-01` matches no server (did you mean `web-01`?)",
                "p.yaml:8: no server has the id or name `db-1` (did you mean `db-01`?)",
            ]
        );
    }

    #[test]
    fn a_line_that_is_nearly_a_name_or_an_address_is_told_as_that() {
        let (place, servers) = (line(3), servers());
        let directory = Directory::new(&servers);
        let help = |text: &str| listed_nowhere(&directory, text, &place, &[]).help;
        for (text, want) in [
            ("web-01.example.org", "did you mean `web-01`?"),
            ("WEB-02", "did you mean `web-02`?"),
            ("10.0.0.200", "this is an address: write the id or the name of the server"),
        ] {
            assert_eq!(help(text), want);
        }
        assert!(help("localhost").contains("exclude: [{ name: \"localhost\" }]"));
    }

    #[test]
    fn a_server_in_two_fleets_is_an_error_that_names_both() {
        let names = [FleetName::from("web"), FleetName::from("all")];
        let (web, first) = (selector("name: web-*"), selector("id: s-1"));
        let places = [line(3), line(9)];
        let rules = |n: usize, selector| Rules {
            fleet: &names[n],
            place: &places[n],
            hosts: vec![matching_entry(&places[n], selector)],
            exclude: Vec::new(),
            expect: None,
        };
        let refusals = select(&[rules(0, &web), rules(1, &first)], &servers()).unwrap_err();
        assert_eq!(
            refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["p.yaml:9: server web-01 (s-1) is in fleet `all` and in fleet `web` (p.yaml:3)"]
        );
    }

    #[test]
    fn who_is_taken_out_is_said_with_the_line_that_does_it() {
        let (name, place, out) = (FleetName::from("web"), line(3), line(6));
        let (web, second) = (selector("name: web-*"), selector("name: web-02"));
        let rules = Rules {
            fleet: &name,
            place: &place,
            hosts: vec![matching_entry(&place, &web)],
            exclude: vec![Exclusion { place: &out, selector: &second, allow_none: false }],
            expect: None,
        };
        let servers = servers();
        let selections = select(&[rules], &servers).unwrap();
        let excluded = &selections[0].excluded[0];
        assert_eq!((excluded.server.id.as_str(), excluded.rule.as_str()), ("s-2", "name: web-02"));
        assert_eq!(excluded.place, out);
        assert_eq!(selections[0].chosen[0].because, "name: web-*");
    }

    #[test]
    fn s11_live_servers_have_to_be_what_their_list_says() {
        let (name, place, asked) = (FleetName::from("web"), line(3), line(4));
        let (ask, db) = (selector("tag: role=web"), selector("name: db-01"));
        let check = |entries: Vec<Entry<'_>>, out: &[&Selector], expected: &[&str]| {
            let exclude =
                out.iter().map(|selector| Exclusion { place: &place, selector, allow_none: false });
            let rules = Rules {
                fleet: &name,
                place: &place,
                hosts: entries,
                exclude: exclude.collect(),
                expect: None,
            };
            let refusals = select(&[rules], &servers()).err().unwrap_or_default();
            let shown: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            assert_eq!(shown, expected);
        };
        let places = [line(7), line(8), line(9)];
        let file = |lines: &[&'static str]| Entry {
            place: &place,
            wanted: Wanted::Listed {
                path: "h",
                lines: lines.iter().zip(&places).map(|(text, at)| listed(text, at)).collect(),
            },
            must_match: Some((&ask, &asked)),
        };
        let other = "p.yaml:8: server db-01 (s-4) does not match `tag: role=web` (p.yaml:4): it has \
                     the tag role=db";
        check(vec![file(&["web-01", "s-2"])], &[], &[]);
        check(vec![file(&["web-01", "db-01"])], &[], &[other]);
        check(vec![file(&["web-01", "s-4"])], &[], &[other]);
        check(vec![file(&["web-01", "db-01"])], &[&db], &[]);
        let by_name = Entry { must_match: Some((&ask, &asked)), ..matching_entry(&places[1], &db) };
        check(vec![by_name], &[], &[other]);
        let line = Line { named: Some("web-02"), ..listed("s-1", &places[0]) };
        let wanted = Wanted::Listed { path: "h", lines: vec![line] };
        check(
            vec![Entry { place: &place, wanted, must_match: None }],
            &[],
            &["p.yaml:7: server s-1 is named `web-01`, and the line says `web-02`"],
        );
    }

    #[test]
    fn a_server_with_two_words_is_selected_by_either_and_agrees_with_neither() {
        let mut torn = server("s-7", "torn-01", "web");
        torn.tags.insert("role", "db");
        let ask = selector("tag: role=web");
        assert!(ask.matches(&torn) && !ask.agrees_with(&torn));
        let (place, asked) = (line(7), line(4));
        let wanted = Demanded::Match(&ask, &asked);
        let refusal = Demand { index: 0, listed: &place, wanted }.refusal(&torn);
        assert_eq!(
            refusal.map(|refusal| refusal.to_string()).as_deref(),
            Some(
                "p.yaml:7: server torn-01 (s-7) does not match `tag: role=web` (p.yaml:4): it has \
                 the tags role=db and role=web"
            )
        );
    }

    #[test]
    fn two_rows_of_one_server_are_an_error_unless_they_say_the_same() {
        let (name, places) = (FleetName::from("web"), [line(7), line(8)]);
        let rows = |first, second| {
            let line = |n: usize, text, row| Line { row, ..listed(text, &places[n]) };
            let lines = vec![line(0, "web-01", first), line(1, "s-1", second)];
            let wanted = Wanted::Listed { path: "h", lines };
            let rules = Rules {
                fleet: &name,
                place: &places[0],
                hosts: vec![Entry { place: &places[0], wanted, must_match: None }],
                exclude: Vec::new(),
                expect: None,
            };
            select(&[rules], &servers()).map(|found| found[0].chosen[0].row).map_err(|e| e[0].code)
        };
        assert_eq!(rows(None, None), Ok(None));
        assert_eq!(rows(Some(4), Some(4)), Ok(Some(4)));
        assert_eq!(rows(None, Some(4)), Ok(Some(4)));
        assert_eq!(rows(Some(4), Some(5)), Err("two_rows"));
    }
}
