//! From what fleets ask for to the servers that they have.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::domain::{FleetName, Place, Server, ServerId, count};

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
        /// Its lines, each with its place.
        lines: Vec<(&'p str, &'p Place)>,
    },
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
    let picks: Vec<Picks> =
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
}

/// The servers of one fleet by their index in the directory.
#[derive(Default)]
struct Picks {
    chosen: IndexMap<usize, Pick>,
    /// With the index of the exclusion.
    excluded: IndexMap<usize, usize>,
}

impl Picks {
    fn into_selection<'s>(self, directory: &Directory<'s>, rules: &Rules<'_>) -> Selection<'s> {
        let chosen = self.chosen.into_iter().map(|(index, pick)| Chosen {
            server: directory.server(index),
            because: pick.because,
            place: pick.place,
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

fn pick(directory: &Directory<'_>, rules: &Rules<'_>, refusals: &mut Vec<Refusal>) -> Picks {
    let mut picks = Picks::default();
    let before = refusals.len();
    for entry in &rules.hosts {
        match &entry.wanted {
            Wanted::Matching(selector) => {
                pick_matching(directory, selector, entry.place, &mut picks, refusals);
            }
            Wanted::Listed { path, lines } => {
                if lines.is_empty() {
                    refusals.push(
                        Refusal::new(
                            "nothing_selected",
                            format!("file {path} lists no server"),
                            "list ids or names, one a line",
                        )
                        .at(entry.place),
                    );
                }
                pick_listed(directory, path, lines, &mut picks, refusals);
            }
        }
    }
    exclude(directory, rules, &mut picks, refusals);
    refuse_twins(directory, &picks, refusals);
    // A fleet that ends empty because of what was said already needs no second sentence.
    if picks.chosen.is_empty() && refusals.len() == before {
        refusals.push(nothing_left(rules, &picks));
    }
    refuse_unexpected(rules, &picks, refusals);
    picks
}

fn pick_matching(
    directory: &Directory<'_>,
    selector: &Selector,
    place: &Place,
    picks: &mut Picks,
    refusals: &mut Vec<Refusal>,
) {
    let found = directory.matching(selector);
    if found.is_empty() {
        refusals.push(matches_nothing(directory, selector).at(place));
    }
    let because = selector.to_string();
    let by_name = selector.id().is_none() && selector.name().is_some();
    for index in found {
        picks.chosen.entry(index).or_insert_with(|| Pick {
            because: because.clone(),
            place: place.clone(),
            by_name,
        });
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

fn pick_listed(
    directory: &Directory<'_>,
    path: &str,
    lines: &[(&str, &Place)],
    picks: &mut Picks,
    refusals: &mut Vec<Refusal>,
) {
    let mut unknown = Vec::new();
    for (text, place) in lines {
        let by_id = directory.with_id(text);
        let named = if by_id.is_some() { &[][..] } else { directory.named(text) };
        if by_id.is_none() && named.is_empty() {
            unknown.push(listed_nowhere(directory, text, place, &unknown));
        }
        for index in by_id.iter().chain(named) {
            let pick = picks.chosen.entry(*index).or_insert_with(|| Pick {
                because: format!("file: {path}"),
                place: (*place).clone(),
                by_name: true,
            });
            // Said by id somewhere is said by id, whatever else names it.
            pick.by_name &= by_id.is_none();
        }
    }
    Refusal::add_some(refusals, unknown);
}

fn listed_nowhere(
    directory: &Directory<'_>,
    text: &str,
    place: &Place,
    found: &[Refusal],
) -> Refusal {
    let meant = Some(text)
        .filter(|_| Refusal::is_worth_a_suggestion(found))
        .and_then(|text| did_you_mean(text, directory.names()));
    let help = meant.map_or_else(
        || "correct the line or take it out".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Refusal::new("unknown_server", format!("no server has the id or name `{text}`"), help).at(place)
}

fn exclude(
    directory: &Directory<'_>,
    rules: &Rules<'_>,
    picks: &mut Picks,
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
        if hits == 0 && !exclusion.allow_none {
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
fn refuse_twins(directory: &Directory<'_>, picks: &Picks, refusals: &mut Vec<Refusal>) {
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

/// Ids in one sentence.
const SHOWN_IDS: usize = 5;

fn nothing_left(rules: &Rules<'_>, picks: &Picks) -> Refusal {
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

fn refuse_unexpected(rules: &Rules<'_>, picks: &Picks, refusals: &mut Vec<Refusal>) {
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
    picks: &[Picks],
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
    use crate::domain::Timestamp;

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
            tags: BTreeMap::from([("role".to_owned(), role.to_owned())]),
            os_type: None,
            from_iso: false,
            prepaid: false,
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

    /// What a fleet of these hosts (`key: value`, or `- line` for a line of a file) and exclusions
    /// (`?` in front: may match nothing) comes to: names, or the codes of the refusals.
    fn outcome(hosts: &[&str], exclude: &[&str], expect: Option<u32>) -> Vec<String> {
        let name = FleetName::from("web");
        let places: Vec<Place> = (1..=20).map(line).collect();
        let lines: Vec<(&str, &Place)> = hosts
            .iter()
            .zip(&places)
            .filter_map(|(host, place)| Some((host.strip_prefix("- ")?, place)))
            .collect();
        let matching: Vec<Selector> = hosts
            .iter()
            .filter(|host| !host.starts_with("- "))
            .map(|host| selector(host))
            .collect();
        let out: Vec<Selector> =
            exclude.iter().map(|text| selector(text.trim_start_matches('?'))).collect();
        let mut entries: Vec<Entry<'_>> = matching
            .iter()
            .map(|selector| Entry { place: &places[0], wanted: Wanted::Matching(selector) })
            .collect();
        if !lines.is_empty() {
            let wanted = Wanted::Listed { path: "hosts.txt", lines };
            entries.push(Entry { place: &places[0], wanted });
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
    fn entries_widen_exclusions_narrow_and_nothing_is_an_error() {
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
        let (typo, listed) = (selector("name: wbe-01"), line(8));
        let rules = Rules {
            fleet: &name,
            place: &place,
            hosts: vec![
                Entry { place: &place, wanted: Wanted::Matching(&typo) },
                Entry {
                    place: &place,
                    wanted: Wanted::Listed { path: "h", lines: vec![("db-1", &listed)] },
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
    fn a_server_in_two_fleets_is_an_error_that_names_both() {
        let names = [FleetName::from("web"), FleetName::from("all")];
        let (web, first) = (selector("name: web-*"), selector("id: s-1"));
        let places = [line(3), line(9)];
        let rules = |n: usize, selector| Rules {
            fleet: &names[n],
            place: &places[n],
            hosts: vec![Entry { place: &places[n], wanted: Wanted::Matching(selector) }],
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
            hosts: vec![Entry { place: &place, wanted: Wanted::Matching(&web) }],
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
}
