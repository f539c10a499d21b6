//! Requests, against those that the cloud's own SDK sent.
//!
//! `tests/wire/requests` holds them as they arrived at a server (huaweicloudsdk 3.1.219). Ours may
//! say more (filters, pages, owners), but never the same thing in another way.

use std::path::Path;

use refleet::cloud::huawei::{Base, Draft, Endpoints, Family, Payload, Site, request};
use refleet::domain::{
    Action, Encryption, FaultClass, ImageId, InstallCall, JobId, Login, Page, PinnedFile,
    ReinstallRequest, SecretRef, SecretSource, ServerId, StopMode, Timestamp, UserId,
};
use serde_json::{Value, json};

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const SERVER: &str = "ae97ba94-d0ed-482f-8f6d-05584ef8aa38";
const OTHER: &str = "907a70c3-1012-4037-b64c-e4228c38fb29";
const NOW: Timestamp = Timestamp(1_767_323_045_000);

fn recorded(call: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/requests");
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(folder.join(format!("huawei.{call}.json"))).expect(call);
    let all: Value = serde_json::from_str(&text).expect("a recording is JSON");
    all["requests"].as_array().expect("a list").clone()
}

fn site(family: Family) -> Site {
    let base = Base::parse("https://one.example.test/v3").expect("an address");
    Site {
        family,
        endpoints: Endpoints::single(&base),
        project_id: PROJECT.to_owned(),
        domain_id: Some("d1".to_owned()),
    }
}

fn ours(action: &Action, payload: &Payload) -> Draft {
    request(action, &site(Family::Huawei), payload, NOW).expect("a request")
}

fn body(draft: &Draft) -> Value {
    serde_json::from_slice(&draft.body).expect("a body is JSON")
}

/// Our request is one of the recorded ones, but for `more` in the query.
#[track_caller]
fn check(call: &str, action: &Action, more: &[&str]) {
    let draft = ours(action, &Payload::default());
    let query: Vec<Value> = draft
        .query
        .iter()
        .filter(|(key, _)| !more.contains(&key.as_str()))
        .map(|(key, value)| json!([key, value]))
        .collect();
    let same = |recorded: &Value| {
        recorded["method"] == draft.method.as_str()
            && recorded["path"] == draft.path.as_str()
            && sorted(recorded["query"].as_array()) == sorted(Some(&query))
            && recorded["headers"]["Content-Type"] == draft.content_type()
            && (draft.body.is_empty() || recorded["body"] == body(&draft))
            && (draft.body.is_empty() == recorded["body"].is_null())
    };
    let all = recorded(call);
    assert!(all.iter().any(same), "{draft:#?} is none of {:#?}", all.first());
}

fn sorted(pairs: Option<&Vec<Value>>) -> Vec<String> {
    let mut texts: Vec<String> = pairs.into_iter().flatten().map(Value::to_string).collect();
    texts.sort();
    texts
}

fn server() -> ServerId {
    ServerId::from(SERVER)
}

#[test]
fn servers_are_asked_for_as_the_sdk_does() {
    check(
        "ecs.ListServersDetails",
        &Action::ListServers { page: Page::Number(2), limit: 7 },
        &["not-tags"],
    );
    check("ecs.ShowServer", &Action::ShowServer { server: server() }, &[]);
    let job = JobId::from("ff808082000000000000000000000001");
    check("ecs.ShowJob", &Action::ShowJob { job }, &[]);
    let listing =
        ours(&Action::ListServers { page: Page::FIRST, limit: 1000 }, &Payload::default());
    assert!(listing.query.contains(&("not-tags".to_owned(), "__type_baremetal".to_owned())));
}

#[test]
fn servers_are_stopped_and_started_as_the_sdk_does() {
    let soft = Action::Stop { servers: vec![server(), OTHER.into()], mode: StopMode::Soft };
    check("ecs.BatchStopServers", &soft, &[]);
    let hard = Action::Stop { servers: vec![server()], mode: StopMode::Hard };
    check("ecs.BatchStopServers", &hard, &[]);
    check("ecs.BatchStartServers", &Action::Start { servers: vec![server()] }, &[]);
}

#[test]
fn disks_images_and_keys_are_asked_for_as_the_sdk_does() {
    check("evs.ListVolumes", &Action::ListVolumes { offset: 14, limit: 7 }, &[]);
    check("evs.CinderListQuotas", &Action::ShowQuota, &[]);
    check("ecs.ShowServerPassword", &Action::ShowPassword { server: server() }, &[]);
    let image = ImageId::from("6513270e-269e-4d37-b2a7-4de452e6b438");
    check("ims.ListImages", &Action::ShowImage { image }, &[]);
    check("ecs.NovaShowKeypair", &Action::ShowKeyPair { name: "kp-ops".to_owned() }, &[]);
    let odd = "no such/key ü".to_owned();
    check("ecs.NovaShowKeypair", &Action::ShowKeyPair { name: odd }, &[]);
    let key = "8e81973e-0bec-47b0-b898-d190f9ebdacc".to_owned();
    check("kms.ListKeyDetail", &Action::ShowKey { key }, &[]);
}

#[test]
fn keys_are_listed_by_post_with_texts() {
    let draft = ours(&Action::ListKeys, &Payload::default());
    let recorded = &recorded("kms.ListKeys")[1];
    assert_eq!(recorded["path"], draft.path.as_str());
    assert_eq!(recorded["headers"]["Content-Type"], draft.content_type());
    let ours = body(&draft);
    let names = |body: &Value| -> Vec<String> {
        body.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(names(&ours), names(&recorded["body"]));
    assert!(ours["limit"].is_string());
}

fn reinstall(call: InstallCall, login: Login, encryption: Encryption) -> ReinstallRequest {
    let (image, user_data, inserts) = (None, None, None);
    ReinstallRequest { call, image, login, user_data, inserts, byol: false, encryption }
}

fn with_key() -> Login {
    let owner = UserId::from("11112222333344445555666677778888");
    Login::KeyPair { name: "kp-ops".to_owned(), owner }
}

fn with_password() -> Login {
    Login::Password(SecretRef(SecretSource::Env("PASSWORD".to_owned())))
}

fn sent(request: ReinstallRequest, payload: &Payload) -> (String, Value) {
    let action = Action::Reinstall { server: server(), request: Box::new(request) };
    let draft = ours(&action, payload);
    assert_eq!(draft.content_type(), "application/json;charset=utf-8");
    let body = body(&draft);
    (draft.path, body)
}

fn script() -> PinnedFile {
    PinnedFile { path: "touch.sh".to_owned(), sha256: "00".to_owned() }
}

#[test]
fn a_reinstall_with_a_key_and_user_data_is_the_recorded_one() {
    let recorded = &recorded("ecs.ReinstallServerWithCloudInit")[3];
    let mut request = reinstall(InstallCall::V2, with_key(), Encryption::None);
    request.user_data = Some(script());
    let user_data = b"#!/bin/sh\ntouch /tmp/done\n".to_vec();
    let payload = Payload { password: None, user_data: Some(user_data) };
    let (path, ours) = sent(request, &payload);
    // Encryption is always said: leaving it out would remove it.
    let mut wanted = recorded["body"].clone();
    wanted["os-reinstall"]["metadata"]["__system__encrypted"] = json!("0");
    assert_eq!((json!(path), ours), (recorded["path"].clone(), wanted));
}

#[test]
fn a_reinstall_with_a_password_and_encryption_is_the_recorded_one_without_its_mode() {
    let recorded = &recorded("ecs.ReinstallServerWithCloudInit")[4];
    let key = "8e81973e-0bec-47b0-b898-d190f9ebdacc".to_owned();
    let mut request = reinstall(InstallCall::V2, with_password(), Encryption::Key(key));
    request.byol = true;
    let payload = Payload { password: Some("<secret>".into()), user_data: None };
    let (path, ours) = sent(request, &payload);
    let mut wanted = recorded["body"].clone();
    wanted["os-reinstall"].as_object_mut().expect("an object").remove("mode");
    assert_eq!((json!(path), ours), (recorded["path"].clone(), wanted));
}

#[test]
fn an_image_without_cloud_init_is_reinstalled_by_the_first_version() {
    let recorded = &recorded("ecs.ReinstallServerWithoutCloudInit")[0];
    let action = Action::Reinstall {
        server: ServerId::from(OTHER),
        request: Box::new(reinstall(InstallCall::V1, with_password(), Encryption::None)),
    };
    let payload = Payload { password: Some("<secret>".into()), user_data: None };
    let draft = ours(&action, &payload);
    let mut wanted = recorded["body"].clone();
    wanted["os-reinstall"]["metadata"] = json!({"__system__encrypted": "0"});
    assert_eq!((recorded["path"].as_str(), body(&draft)), (Some(draft.path.as_str()), wanted));
}

#[test]
fn a_change_of_os_is_a_reinstall_that_names_its_image() {
    let image = "6513270e-269e-4d37-b2a7-4de452e6b438";
    for (call, version) in [(InstallCall::V2, "v2"), (InstallCall::V1, "v1")] {
        let mut request = reinstall(call, with_key(), Encryption::None);
        request.image = Some(ImageId::from(image));
        let (path, ours) = sent(request, &Payload::default());
        assert_eq!(path, format!("/{version}/{PROJECT}/cloudservers/{SERVER}/changeos"));
        let owner = "11112222333344445555666677778888";
        let wanted = json!({"os-change": {"imageid": image, "keyname": "kp-ops", "userid": owner,
            "metadata": {"__system__encrypted": "0"}}});
        assert_eq!(ours, wanted, "no `mode`, and nothing is bought");
    }
}

#[test]
fn a_backup_is_one_server_into_one_vault_under_the_name_of_its_run() {
    let (vault, name) = ("v-1".to_owned(), "refleet-0190".to_owned());
    let draft = ours(&Action::Backup { server: server(), vault, name }, &Payload::default());
    assert_eq!(draft.path, format!("/v3/{PROJECT}/checkpoints"));
    let sent = body(&draft);
    assert_eq!(sent["checkpoint"]["vault_id"], "v-1");
    let wanted = json!({"name": "refleet-0190", "description": "before a reinstall, by refleet",
        "auto_trigger": false, "incremental": true, "resources": [SERVER]});
    assert_eq!(sent["checkpoint"]["parameters"], wanted);
}

#[test]
fn vaults_and_backups_are_listed_by_index() {
    let vaults = Action::ListVaults { offset: 1_000, limit: 1_000 };
    let draft = ours(&vaults, &Payload::default());
    assert_eq!(draft.path, format!("/v3/{PROJECT}/vaults"));
    assert!(draft.query.contains(&("object_type".to_owned(), "server".to_owned())));
    assert!(draft.query.contains(&("offset".to_owned(), "1000".to_owned())));
    let one = Action::ListBackups { server: Some(server()), offset: 0, limit: 1_000 };
    let draft = ours(&one, &Payload::default());
    assert_eq!(draft.path, format!("/v3/{PROJECT}/backups"));
    assert!(draft.query.contains(&("resource_id".to_owned(), SERVER.to_owned())));
    let all = Action::ListBackups { server: None, offset: 0, limit: 1_000 };
    let draft = ours(&all, &Payload::default());
    assert!(draft.query.iter().all(|(key, _)| key != "resource_id"));
}

#[test]
fn images_are_found_by_their_whole_name() {
    let action = Action::FindImages { name: "Standard Ubuntu/24".to_owned() };
    let draft = ours(&action, &Payload::default());
    assert_eq!(draft.path, "/v2/cloudimages");
    assert_eq!(draft.query, [("name".to_owned(), "Standard Ubuntu/24".to_owned())]);
}

#[test]
fn a_request_can_be_printed_without_its_password() {
    let request = Box::new(reinstall(InstallCall::V2, with_password(), Encryption::None));
    let payload = Payload { password: Some("Sesame1!".into()), user_data: None };
    let draft = ours(&Action::Reinstall { server: server(), request }, &payload);
    let body = String::from_utf8_lossy(&draft.body).into_owned();
    assert!(body.contains("Sesame1!"));
    assert!(!format!("{draft:?}").contains("Sesame1!"));
}

#[test]
fn a_reinstall_that_cannot_be_right_is_not_sent() {
    let check = |body: ReinstallRequest, payload: &Payload, code: &str| {
        let action = Action::Reinstall { server: server(), request: Box::new(body) };
        let fault = request(&action, &site(Family::Otc), payload, NOW).expect_err("it is refused");
        assert_eq!((fault.class, fault.code.as_str()), (FaultClass::Invalid, code), "{fault}");
    };
    let none = Payload::default();
    check(reinstall(InstallCall::V2, Login::UserData, Encryption::None), &none, "refleet.request");
    check(reinstall(InstallCall::V2, with_password(), Encryption::None), &none, "refleet.secret");
    let mut request = reinstall(InstallCall::V2, with_key(), Encryption::None);
    request.user_data = Some(script());
    check(request.clone(), &none, "refleet.file");
    let large = Payload { password: None, user_data: Some(vec![b'#'; 32 * 1024 + 1]) };
    check(request.clone(), &large, "refleet.file");
    request.call = InstallCall::V1;
    let small = Payload { password: None, user_data: Some(vec![b'#'; 32 * 1024]) };
    check(request, &small, "refleet.request");
}

#[test]
fn names_and_ids_cannot_leave_their_segment_of_the_path() {
    let draft = ours(&Action::ShowServer { server: "../../v3/x?y=1".into() }, &Payload::default());
    let path = format!("/v1/{PROJECT}/cloudservers/..%2F..%2Fv3%2Fx%3Fy%3D1");
    assert_eq!(draft.path, path);
}

#[test]
fn open_telekom_cloud_is_asked_in_the_forms_that_it_documents() {
    let draft =
        |action| request(&action, &site(Family::Otc), &Payload::default(), NOW).expect("a request");
    let volumes = draft(Action::ListVolumes { offset: 0, limit: 1000 });
    assert_eq!(volumes.path, format!("/v2/{PROJECT}/os-vendor-volumes/detail"));
    let quota = draft(Action::ShowQuota);
    assert_eq!(quota.path, format!("/v3/{PROJECT}/os-quota-sets/{PROJECT}"));
    let snapshots = draft(Action::ListSnapshots { offset: 1000, limit: 1000 });
    assert_eq!(snapshots.path, format!("/v2/{PROJECT}/cloudsnapshots/detail"));
    assert!(snapshots.query.contains(&("offset".to_owned(), "1000".to_owned())));
    let password = draft(Action::ShowPassword { server: server() });
    assert_eq!(password.path, format!("/v2.1/{PROJECT}/servers/{SERVER}/os-server-password"));
    let roles = draft(Action::ListAgencyRoles { agency: "a/1".to_owned() });
    assert_eq!(roles.path, format!("/v3.0/OS-AGENCY/projects/{PROJECT}/agencies/a%2F1/roles"));
    let agency = draft(Action::ShowAgency);
    assert_eq!(agency.path, "/v3.0/OS-AGENCY/agencies");
    let traces = draft(Action::ListTraces { server: server(), since: Timestamp(5) });
    assert_eq!(traces.path, format!("/v3/{PROJECT}/traces"));
    let window = [("from", "5"), ("to", "1767323945000")];
    for (key, value) in window {
        assert!(traces.query.contains(&(key.to_owned(), value.to_owned())), "{key}");
    }
}

#[test]
fn a_probe_is_no_request_to_the_cloud() {
    let spec = refleet::domain::ProbeSpec::Tcp { addr: "10.0.0.5".to_owned(), port: 22 };
    let action = Action::Probe { server: server(), spec };
    let fault = request(&action, &site(Family::Otc), &Payload::default(), NOW);
    assert_eq!(fault.expect_err("it is refused").class, FaultClass::Invalid);
}
