//! What is read of a cloud, in which order, and what happens when it cannot be.

use refleet::domain::{
    Action, AgencyState, Answer, Fault, FaultClass, More, Page, Server, VolumeId,
};
use refleet::plan::{Inventory, Narrowing, Refusal, Survey, Unread, check};
use refleet::playbook::{EncryptionSpec, Playbook};

use crate::world::{
    answer, drawn, fleet, inventory, kms_key, playbook, server, snapshot, web_and_db,
};

/// Drives a survey to its end; returns it with everything that it asked.
fn read<'p>(mut survey: Survey<'p>, cloud: &Inventory) -> (Survey<'p>, Vec<String>) {
    let mut asked = Vec::new();
    while !survey.is_done() {
        let actions = survey.next();
        assert!(!actions.is_empty(), "it neither asks nor is done after {asked:?}");
        for action in actions {
            asked.push(short(&action));
            survey.take(&action, answer(cloud, &action)).unwrap();
        }
    }
    (survey, asked)
}

fn short(action: &Action) -> String {
    match action {
        Action::ListServers { page: Page::Number(page), .. } => format!("servers {page}"),
        Action::ListServers { page: Page::After(server), .. } => format!("servers after {server}"),
        Action::ListVolumes { offset, .. } => format!("volumes {offset}"),
        Action::ListSnapshots { offset, .. } => format!("snapshots {offset}"),
        Action::ListAgencyRoles { .. } => "roles".to_owned(),
        Action::ListVaults { offset, .. } => format!("vaults {offset}"),
        Action::ListBackups { offset, .. } => format!("backups {offset}"),
        Action::ShowServer { server } => format!("server {server}"),
        Action::ShowImage { image } => format!("image {image}"),
        Action::FindImages { name } => format!("images {name}"),
        Action::ShowKeyPair { name } => format!("key pair {name}"),
        Action::ShowKey { key } => format!("key {key:.8}"),
        other @ (Action::ShowQuota
        | Action::ListKeys
        | Action::ShowAgency
        | Action::ShowJob { .. }
        | Action::ListTraces { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. }
        | Action::Stop { .. }
        | Action::Start { .. }
        | Action::Backup { .. }
        | Action::Reinstall { .. }) => format!("{other:?}"),
    }
}

fn survey_of(playbook: &Playbook, cloud: &Inventory) -> (Inventory, Vec<String>) {
    let narrowing = Narrowing::default();
    let (survey, asked) = read(Survey::new(playbook, &narrowing), cloud);
    (survey.into_inventory(), asked)
}

#[test]
fn each_thing_is_read_once_and_only_for_the_servers_in_question() {
    let playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    let mut cloud = inventory(web_and_db(3, 2));
    cloud.servers[3].image = "img-other".into();
    let (read, asked) = survey_of(&playbook, &cloud);
    let once = [
        "servers 1",
        "volumes 0",
        "snapshots 0",
        "ShowQuota",
        "backups 0",
        "image img-ubuntu",
        "key pair ops",
    ];
    assert_eq!(asked, once);
    assert_eq!(read.servers.len(), 5, "all servers can be named");
    assert_eq!(read.volumes.len(), 6, "disks of the three web servers");
    assert_eq!(drawn(&playbook, &read).unwrap(), drawn(&playbook, &cloud).unwrap());
}

#[test]
fn long_lists_are_read_page_by_page_until_all_is_known() {
    let servers: Vec<Server> = (1..=2_500).map(|n| server(n, &format!("web-{n:04}"))).collect();
    let mut web = fleet("web", 4, &["web-*"]);
    web.strategy.written = true;
    let mut cloud = inventory(servers);
    cloud.snapshots = (0..2_300).map(|n| snapshot(n, &format!("v-{n:04}-sys"))).collect();
    let (read, asked) = survey_of(&playbook(vec![web]), &cloud);
    assert_eq!(read.snapshots.len(), 2_299, "those of system disks in question");
    assert_eq!(asked[..4], ["servers 1", "servers 2", "servers 3", "volumes 0"]);
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("volumes")).count(), 5);
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("snapshots")).count(), 3);
    assert_eq!((read.servers.len(), read.volumes.len()), (2_500, 5_000));
}

#[test]
fn pages_that_name_the_next_are_read_one_after_another() {
    let playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    let narrowing = Narrowing::default();
    let mut survey = Survey::new(&playbook, &narrowing);
    let page = |n: usize, more: More| {
        let mut local = server(n, &format!("web-{n:04}"));
        local.volumes.truncate(1);
        local.volumes[0].id = VolumeId::LOCAL.into();
        Answer::Servers { more, servers: vec![local] }
    };
    let first = survey.next();
    survey.take(&first[0], page(1, More::After("s-0001".into()))).unwrap();
    let second = survey.next();
    let after = Action::ListServers { page: Page::After("s-0001".into()), limit: 1_000 };
    assert_eq!(second, [after], "one at a time, as each names the next");
    survey.take(&second[0], page(2, More::Nothing)).unwrap();
    let parts: Vec<String> = survey.next().iter().map(short).collect();
    // Servers without volumes: there is none to list, to lose or to make.
    assert!(parts.iter().all(|asked| !asked.starts_with("volumes") && asked != "ShowQuota"));
    assert!(parts.iter().all(|asked| !asked.starts_with("snapshots")), "{parts:?}");
    assert!(parts.iter().any(|asked| asked.starts_with("image")), "{parts:?}");
}

#[test]
fn a_page_behind_a_server_that_is_gone_is_read_again_from_the_first() {
    let playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    let narrowing = Narrowing::default();
    let mut survey = Survey::new(&playbook, &narrowing);
    let gone = Fault {
        class: FaultClass::Invalid,
        code: "HTTP 400".to_owned(),
        message: "marker [s-0001] not found".to_owned(),
        request_id: None,
        retry_after: None,
    };
    for round in 0..3 {
        let first = survey.next();
        assert_eq!(first, [Action::ListServers { page: Page::FIRST, limit: 1_000 }], "{round}");
        let servers = vec![server(1, "web-0001")];
        let more = More::After("s-0001".into());
        survey.take(&first[0], Answer::Servers { more, servers }).unwrap();
        let second = survey.next();
        assert_eq!(survey.fail(&second[0], &gone).is_ok(), round < 2, "not for ever");
    }
}

#[test]
fn a_list_that_shifts_while_it_is_read_is_read_again() {
    let playbook = playbook(vec![fleet("web", 4, &["web-0001"])]);
    let narrowing = Narrowing::default();
    let mut survey = Survey::new(&playbook, &narrowing);
    let servers: Vec<Server> = (1..=1_500).map(|n| server(n, &format!("web-{n:04}"))).collect();
    let page = |from: usize, to: usize| Answer::Servers {
        more: More::Total(1_500),
        servers: servers[from..to].to_vec(),
    };
    let first = survey.next();
    survey.take(&first[0], page(0, 1_000)).unwrap();
    let second = survey.next();
    survey.take(&second[0], page(1_100, 1_500)).unwrap();
    let again = survey.next();
    assert_eq!(
        again,
        [Action::ListServers { page: Page::FIRST, limit: 1_000 }],
        "100 were not seen"
    );
    survey.take(&again[0], page(100, 1_100)).unwrap();
    let last = survey.next();
    survey.take(&last[0], page(1_100, 1_500)).unwrap();
    assert!(matches!(survey.next()[0], Action::ListVolumes { .. }), "now all 1,500 are known");
}

#[test]
fn the_key_of_an_encrypted_disk_is_read_once_the_disk_is_known() {
    let key = "0d0466b0-e727-4d9c-b35d-f84bb474a37f";
    let mut cloud = inventory(web_and_db(2, 0));
    cloud.volumes.get_mut("v-0001-sys").unwrap().key = Some(key.to_owned());
    let (read, asked) = survey_of(&playbook(vec![fleet("web", 4, &["web-*"])]), &cloud);
    assert_eq!(asked[7..], ["key 0d0466b0", "ShowAgency", "roles"]);
    assert_eq!(read.keys, [kms_key(key, "evs/default")]);
    assert_eq!(read.agency, Some(AgencyState::Granted));
}

#[test]
fn an_alias_is_looked_up_in_the_list_of_keys() {
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.reinstall.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
    let (_, asked) = survey_of(&playbook(vec![web]), &inventory(web_and_db(2, 0)));
    assert_eq!(asked[7..], ["ListKeys", "ShowAgency", "roles"]);
}

#[test]
fn a_selection_that_is_wrong_costs_one_list_and_nothing_more() {
    let playbook = playbook(vec![fleet("web", 4, &["wbe-*"])]);
    let (read, asked) = survey_of(&playbook, &inventory(web_and_db(2, 0)));
    assert_eq!(asked, ["servers 1"]);
    assert_eq!(drawn(&playbook, &read).unwrap_err()[0].code, "nothing_selected");
}

#[test]
fn a_last_look_at_a_plan_asks_for_a_few_servers_one_by_one() {
    let servers: Vec<Server> = (1..=3_000).map(|n| server(n, &format!("web-{n:04}"))).collect();
    let cloud = inventory(servers);
    let plan = drawn(&playbook(vec![fleet("web", 4, &["web-2999"])]), &cloud).unwrap();
    let plan = check(plan).unwrap();
    let (survey, asked) = read(Survey::for_plan(&plan), &cloud);
    assert_eq!(asked[..2], ["servers 1", "server s-2999"], "not the whole list again");
    let found = survey.into_inventory();
    assert!(refleet::plan::recheck(&plan, &found).is_clean());
}

/// What becomes of a survey in which one request fails.
fn failing(wanted: &str, class: FaultClass) -> Result<Inventory, Refusal> {
    let mut web = fleet("web", 4, &["web-*"]);
    web.treatment.reinstall.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
    let (playbook, narrowing) = (playbook(vec![web]), Narrowing::default());
    let cloud = inventory(web_and_db(2, 0));
    let mut survey = Survey::new(&playbook, &narrowing);
    while !survey.is_done() {
        for action in survey.next() {
            if short(&action).starts_with(wanted) {
                let (code, message) = ("HTTP 403".to_owned(), "no".to_owned());
                let fault = Fault { class, code, message, request_id: None, retry_after: None };
                survey.fail(&action, &fault)?;
            } else {
                survey.take(&action, answer(&cloud, &action))?;
            }
        }
    }
    Ok(survey.into_inventory())
}

#[test]
fn what_may_not_be_read_is_unknown_where_the_plan_can_do_without() {
    use FaultClass::{Forbidden, Invalid, NotFound};
    let read = failing("ShowQuota", Forbidden).unwrap();
    assert_eq!((read.quota, read.unread), (None, vec![Unread::Quota]));
    assert_eq!(failing("ShowAgency", Forbidden).unwrap().agency, Some(AgencyState::Unknown));
    assert_eq!(failing("roles", Forbidden).unwrap().agency, Some(AgencyState::Granted));
    assert_eq!(failing("snapshots", Forbidden).unwrap().unread, [Unread::Snapshots]);
    assert_eq!(failing("ListKeys", Forbidden).unwrap().unread, [Unread::Keys]);
    assert_eq!(failing("image", NotFound).unwrap().images["img-ubuntu"], None);
    assert_eq!(failing("key pair", NotFound).unwrap().key_pairs["ops"], None);
    for (action, class) in [
        ("servers", Forbidden),
        ("volumes", Forbidden),
        ("image", Forbidden),
        ("key pair", Forbidden),
        ("ShowQuota", Invalid),
    ] {
        assert_eq!(failing(action, class).unwrap_err().code, "cannot_read", "{action}");
    }
}
