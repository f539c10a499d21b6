//! What journal and reports make of whole runs: rehearsals under faults and crashes, seed by seed.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use refleet::domain::{Deed, Ending, Event, Origin, Place, Record, RunId, ServerId, Verdict};
use refleet::engine::Engine;
use refleet::fleet::Selector;
use refleet::journal::{Error, Journal, NewRun, Store, open_intents};
use refleet::playbook::{FleetSpec, Guards, HostEntry, Hosts, Limits, Playbook, Size, Strategy};
use refleet::report::{Fold, Summary};
use refleet::simulation::{Rehearsal, Scenario, rehearse};
use refleet::simulator::WorldSpec;

const SEEDS: u64 = 300;

fn playbook() -> Playbook {
    let place = Place { file: "test.yaml".into(), line: 1 };
    let selector = Selector::try_new(None, Some("web-00{01,02,03,04,05,06}"), None, None).unwrap();
    let hosts = vec![HostEntry::new(place.clone(), Hosts::Matching(selector))];
    let mut fleet = FleetSpec::new("web".into(), place.clone(), hosts);
    fleet.strategy = Strategy {
        max_unavailable: Size::Count(3),
        max_failures: 4,
        written: true,
        ..Strategy::default()
    };
    Playbook {
        name: "test".to_owned(),
        cloud: "simulator".to_owned(),
        cloud_place: place,
        provider: None,
        region: None,
        guards: Guards::default(),
        limits: Limits::default(),
        fleets: IndexMap::from([(fleet.name.clone(), fleet)]),
        simulator: None,
        files: Vec::new(),
        origin: Origin::default(),
    }
}

fn rehearsals() -> impl Iterator<Item = Rehearsal> {
    let playbook = playbook();
    (0..SEEDS).map(move |seed| {
        rehearse(Scenario::draw(&playbook, &WorldSpec::healthy(8), None, seed).unwrap())
    })
}

fn servers(records: &[Record]) -> Vec<ServerId> {
    Fold::of(records).servers.keys().cloned().collect()
}

fn with_ending(records: &[Record], wanted: Ending) -> BTreeSet<ServerId> {
    let fold = Fold::of(records);
    let servers = fold.servers.values().filter(|server| server.ending() == Some(wanted));
    servers.map(|server| server.id.clone()).collect()
}

fn new_run(run: &str, records: &[Record]) -> NewRun {
    NewRun {
        run: run.into(),
        plan: run.into(),
        plan_json: "{}".to_owned(),
        name: "test".to_owned(),
        cloud: "simulator".to_owned(),
        created: records[0].wall,
        servers: servers(records),
        first: records[0].clone(),
    }
}

#[test]
fn reporters_count_what_the_engine_counts() {
    for rehearsal in rehearsals() {
        let records = &rehearsal.records;
        let (last, before) = records.split_last().unwrap();
        let Event::RunEnded { counts, .. } = &last.event else { panic!("seed {}", rehearsal.seed) };
        assert_eq!(Fold::of(before).counts(), *counts, "seed {}", rehearsal.seed);
        let text = Summary::of(records).to_text();
        assert_eq!(text.lines().last(), Some(counts.to_string().as_str()));
    }
}

#[test]
fn evidence_of_every_unknown_server_is_printed() {
    let mut seen = 0;
    for rehearsal in rehearsals() {
        let text = Summary::of(&rehearsal.records).to_text();
        for record in &rehearsal.records {
            if let Event::Resolved { verdict: Verdict::Unknown, evidence, .. } = &record.event {
                seen += 1;
                assert!(!evidence.is_empty(), "seed {}", rehearsal.seed);
                assert!(evidence.iter().all(|line| text.contains(line)), "{text}");
            }
        }
    }
    assert!(seen > 0, "no seed has a doubt that nobody can clear up");
}

/// A second, simpler reading of what is open: a wipe that was written down, and of whose end
/// nothing is known yet.
#[expect(clippy::wildcard_enum_match_arm, reason = "simpler than what it is compared with")]
fn may_be_wiping(records: &[Record], server: &ServerId) -> bool {
    let mut open = false;
    for record in records {
        match &record.event {
            Event::Intended { deed: Deed::Reinstall, servers, .. } if servers.contains(server) => {
                open = true;
            }
            Event::PutOff { deed: Deed::Reinstall, servers, .. }
            | Event::Refused { deed: Deed::Reinstall, servers, .. }
                if servers.contains(server) =>
            {
                open = false;
            }
            Event::Resolved { server: of, verdict: Verdict::DidNot, .. }
            | Event::JobEnded { server: of, .. }
            | Event::Ended { server: of, .. }
                if of == server =>
            {
                open = false;
            }
            _ => {}
        }
    }
    open
}

#[test]
fn wherever_a_process_dies_a_server_that_may_be_wiping_is_held() {
    for rehearsal in rehearsals().take(15) {
        let records = &rehearsal.records;
        for end in 1..=records.len() {
            let open = open_intents(&records[..end]);
            for server in servers(records) {
                let held = open.contains_key(&server);
                assert!(
                    held || !may_be_wiping(&records[..end], &server),
                    "seed {}: {server} after {:?}",
                    rehearsal.seed,
                    records[end - 1]
                );
            }
        }
    }
}

#[tokio::test]
async fn a_run_comes_back_from_the_journal_and_leaves_only_unknown_servers_held() {
    for rehearsal in rehearsals() {
        let records = &rehearsal.records;
        let store = Store::in_memory().unwrap();
        let log = store.begin(new_run("run", records)).await.unwrap();
        for batch in records[1..].chunks(7) {
            log.append(batch.to_vec()).await.unwrap();
        }
        drop(log);
        assert_eq!(store.records(&RunId::from("run")).await.unwrap(), *records);

        let held: BTreeSet<ServerId> = match store.begin(new_run("next", records)).await {
            Ok(_) => BTreeSet::new(),
            Err(Error::Claimed(held)) => held.into_iter().map(|claim| claim.server).collect(),
            Err(other) => panic!("seed {}: {other}", rehearsal.seed),
        };
        assert_eq!(held, with_ending(records, Ending::Unknown), "seed {}", rehearsal.seed);
    }
}

#[test]
fn whoever_has_not_ended_waits_for_something_that_is_said() {
    let playbook = playbook();
    let mut told = BTreeSet::new();
    for seed in 0..20 {
        let scenario = Scenario::draw(&playbook, &WorldSpec::healthy(8), None, seed).unwrap();
        let plan = Arc::clone(&scenario.plan);
        let records = rehearse(scenario).records;
        for end in (1..=records.len()).step_by(3) {
            let fold = Fold::of(&records[..end]);
            let engine = Engine::replay(Arc::clone(&plan), &records[..end]).unwrap();
            for (id, server) in &fold.servers {
                let waits = engine.waits_for(id);
                let over = server.ending().is_some() || fold.ended.is_some();
                assert_eq!(waits.is_empty(), over, "seed {seed}, record {end}: {id} {waits:?}");
                told.extend(waits.iter().map(|what| what[..5].to_owned()));
            }
        }
    }
    assert!(told.len() >= 5, "{told:?}");
}

#[test]
fn s18_a_server_that_did_not_get_there_says_why_and_what_to_do_and_equal_ones_are_one_group() {
    let mut seen = BTreeSet::new();
    for rehearsal in rehearsals() {
        let summary = Summary::of(&rehearsal.records);
        let mut keys = BTreeSet::new();
        for group in &summary.groups {
            let told = [&group.code, &group.cause, &group.help];
            assert!(told.iter().all(|text| !text.is_empty()), "{group:?}");
            assert!(keys.insert((group.ending, &group.code, &group.cause)), "twice: {group:?}");
            let text = summary.to_text();
            let title = format!("{}: {}: {}", group.ending, group.code, group.cause);
            assert!(text.contains(&title) && text.contains(&group.help), "{text}");
            seen.insert(group.ending);
        }
        let grouped: usize = summary.groups.iter().map(|group| group.servers.len()).sum();
        let ended: u32 = summary.counts.ended.values().sum();
        let verified = summary.counts.of(Ending::Verified);
        assert_eq!(grouped, (ended - verified) as usize, "seed {}", rehearsal.seed);
    }
    assert!(!seen.is_empty(), "no seed has a server that did not get there");
}
