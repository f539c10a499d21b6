//! What changed between two plans.

use proptest::prelude::{ProptestConfig, any, prop, proptest};
use proptest::strategy::Strategy as _;
use proptest::{prop_assert, prop_assert_eq};
use refleet::domain::Millis;
use refleet::fleet::Selector;
use refleet::plan::{Concern, Plan, difference};
use refleet::playbook::{Check, Exclude, FleetSpec, LoginSpec, Playbook, Size, Strategy};

use crate::world::{drawn, fleet, inventory, key_pair, line, named, playbook, web_and_db};

/// What may differ from one commit of a playbook to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices, each of them a yes or no")]
struct Choice {
    web: usize,
    protect: Option<usize>,
    exclude: bool,
    key: bool,
    settle: u64,
    away: u32,
    tcp: bool,
    moved_down: u32,
    broken: bool,
}

fn choice() -> impl proptest::strategy::Strategy<Value = Choice> {
    let small = (1_usize..6, prop::option::of(1_usize..6), any::<bool>(), any::<bool>());
    let rest = (1_u64..3, 1_u32..3, any::<bool>(), 0_u32..2, any::<bool>());
    (small, rest).prop_map(
        |((web, protect, exclude, key), (settle, away, tcp, moved_down, broken))| Choice {
            web: web + 1,
            protect,
            exclude,
            key,
            settle,
            away,
            tcp,
            moved_down,
            broken,
        },
    )
}

fn fleets(choice: &Choice) -> Vec<FleetSpec> {
    let db = fleet("db", 4 + choice.moved_down, &["db-*"]);
    let mut web = fleet("web", 9 + choice.moved_down, &["web-*"]);
    if choice.exclude {
        let selector = named("web-01");
        web.exclude = vec![Exclude { place: line(20), selector, allow_none: false }];
    }
    if choice.key {
        web.treatment.reinstall.login = LoginSpec::KeyPair { name: "new".to_owned(), owner: None };
    }
    if choice.tcp {
        web.treatment.verify.push(Check::Tcp { port: 22, within: Millis::mins(10) });
    }
    web.treatment.wait.settle = Millis::mins(choice.settle);
    let max_unavailable = Size::Count(choice.away);
    web.strategy = Strategy { max_unavailable, written: true, ..Strategy::default() };
    vec![db, web]
}

fn written(choice: &Choice) -> Playbook {
    let mut playbook = playbook(fleets(choice));
    if let Some(n) = choice.protect {
        let selector = Selector::try_new(None, Some(&format!("web-{n:02}")), None, None).unwrap();
        playbook.guards.protected.push((selector, line(2)));
    }
    playbook
}

fn plan(choice: &Choice) -> Option<Plan> {
    let mut world = inventory(web_and_db(choice.web, 1));
    world.key_pairs.insert("new".to_owned(), Some(key_pair("new")));
    if choice.broken {
        world.servers[1].status = "ERROR".to_owned();
    }
    drawn(&written(choice), &world).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_difference_is_empty_exactly_if_nothing_is_decided_otherwise(
        one in choice(),
        other in choice(),
    ) {
        let (Some(old), Some(new)) = (plan(&one), plan(&other)) else { return Ok(()) };
        prop_assert!(difference(&old, &old).is_empty());
        // Lines that moved are no difference.
        let moved = plan(&Choice { moved_down: one.moved_down + 7, ..one.clone() });
        prop_assert!(moved.is_none_or(|moved| difference(&old, &moved).is_empty()));
        let found = difference(&old, &new);
        let added = |id| !old.targets.contains_key(id);
        for (id, target) in &new.targets {
            let change = found.servers.get(id);
            prop_assert_eq!(added(id), change.is_some_and(|it| it.concern == Concern::Added));
            if let (Some(change), Some(was)) = (change, old.targets.get(id)) {
                let told = |what: &str| change.changes.iter().any(|it| it.what.starts_with(what));
                prop_assert_eq!(told("reinstall."), was.reinstall != target.reinstall);
            }
        }
        for id in old.targets.keys().filter(|id| !new.targets.contains_key(*id)) {
            prop_assert_eq!(found.servers[id].concern, Concern::Removed);
        }
        // Read backwards, it is the same.
        let back = difference(&new, &old);
        prop_assert_eq!(back.servers.len(), found.servers.len());
        prop_assert_eq!(back.new_warnings, found.old_warnings);
    }
}

#[test]
fn what_changed_is_told_with_equal_changes_once() {
    let base = Choice {
        web: 5,
        protect: None,
        exclude: false,
        key: false,
        settle: 3,
        away: 1,
        tcp: false,
        moved_down: 0,
        broken: false,
    };
    let old = plan(&Choice { exclude: true, ..base.clone() }).unwrap();
    let new = Choice { key: true, settle: 5, away: 2, tcp: true, protect: Some(3), ..base };
    let new = plan(&new).unwrap();
    let text = difference(&old, &new).to_string();
    let text =
        text.replace(&old.id.as_str()[..12], "<old>").replace(&new.id.as_str()[..12], "<new>");
    insta::assert_snapshot!("difference", text);
}
