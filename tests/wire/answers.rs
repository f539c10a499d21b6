//! Answers: the examples of the documents, and answers made from the SDK's lists of fields.
//!
//! `tests/wire/models` says which fields the cloud's own SDK expects (huaweicloudsdk 3.1.219). From
//! each, three answers are made: every field of its type, every scalar as a text, every field null.

use std::path::Path;

use bytes::Bytes;
use http::Response;
use refleet::cloud::huawei::answer;
use refleet::domain::{
    Action, Address, AddressKind, AgencyState, Answer, BackupState, FaultClass, ImageId, JobId,
    JobStatus, KeyState, More, Page, PasswordLook, QuotaLine, Reply, ServerId, StopMode, Timestamp,
    VolumeId,
};
use serde_json::{Map, Value, json};

pub(crate) fn reply(action: &Action, status: u16, body: &str) -> Reply {
    let body = Bytes::copy_from_slice(body.as_bytes());
    answer(action, &Response::builder().status(status).body(body).expect("a response"))
}

pub(crate) fn show(id: &str) -> Action {
    Action::ShowServer { server: id.into() }
}

const LISTING: Action = Action::ListServers { page: Page::FIRST, limit: 1000 };
const VOLUMES: Action = Action::ListVolumes { offset: 0, limit: 1000 };

#[test]
fn the_documented_server_is_read() {
    let body = r#"{"server":{"id":"0a6b-01","name":"web-01","status":"SHUTOFF","locked":false,
      "OS-EXT-STS:vm_state":"stopped","OS-EXT-STS:task_state":null,"OS-EXT-STS:power_state":4,
      "key_name":"ops-key","image":{"id":"old"},"flavor":{"id":"s3.large.2","vcpus":"2"},
      "user_id":"u1","OS-EXT-AZ:availability_zone":"eu-de-01","tags":["role=web","empty="],
      "addresses":{"net-1":[{"version":"4","addr":"10.0.0.5","OS-EXT-IPS:type":"fixed",
        "OS-EXT-IPS-MAC:mac_addr":"fa:16:3e:00:00:05","OS-EXT-IPS:port_id":"p-1"}]},
      "os-extended-volumes:volumes_attached":[
        {"id":"v-data","device":"/dev/vdb","bootIndex":"1","delete_on_termination":"false"},
        {"id":"v-sys","device":"/dev/vda","bootIndex":"0","delete_on_termination":"true"}],
      "created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05.500000",
      "metadata":{"os_type":"Linux","os_bit":"64","metering.image_id":"5f0c-aa",
        "metering.imagetype":"gold","image_name":"Standard_Ubuntu_22.04","charging_mode":"0"}}}"#;
    let Ok(Answer::Server(server)) = reply(&show("0a6b-01"), 200, body) else {
        panic!("no server")
    };
    assert!(server.is_stopped() && !server.locked && !server.frozen && !server.from_iso);
    assert_eq!(server.image, ImageId::from("5f0c-aa"));
    assert_eq!(server.image_name.as_deref(), Some("Standard_Ubuntu_22.04"));
    assert_eq!(server.system_volume(), Some(&VolumeId::from("v-sys")));
    assert_eq!(server.data_volumes().collect::<Vec<_>>(), [&VolumeId::from("v-data")]);
    assert_eq!((server.flavor.as_str(), server.az.as_str()), ("s3.large.2", "eu-de-01"));
    assert_eq!(server.tags.only("role"), Some("web"));
    assert_eq!(server.created, Some(Timestamp(1_767_323_045_000)));
    assert_eq!(server.updated, Some(Timestamp(1_767_323_045_500)));
    let address = Address {
        addr: "10.0.0.5".to_owned(),
        mac: "fa:16:3e:00:00:05".to_owned(),
        port: "p-1".to_owned(),
        kind: AddressKind::Fixed,
    };
    assert_eq!(server.addresses, [address]);
}

#[test]
fn odd_servers_are_read_for_what_they_are() {
    let body = r#"{"server":{"id":"s","status":"ACTIVE","locked":"true","flavor":null,"image":"",
      "OS-EXT-STS:task_state":"powering-off","tags":[{"key":"a","value":"b"},"lonely"],
      "fault":{"code":500,"message":"No valid host"},"new_field":[1,2],
      "os-extended-volumes:volumes_attached":[{"id":"v","bootIndex":0}],
      "metadata":{"EcmResStatus":"freeze","virtual_env_type":"IsoImage"}}}"#;
    let Ok(Answer::Server(server)) = reply(&show("s"), 200, body) else { panic!("no server") };
    assert!(server.locked && server.frozen && server.from_iso && !server.is_running());
    assert_eq!(server.fault.as_deref(), Some("No valid host"));
    assert_eq!(server.system_volume(), Some(&VolumeId::from("v")));
    let tags: Vec<_> = server.tags.iter().collect();
    assert_eq!(tags, [("a", "b"), ("lonely", "")]);
}

#[test]
fn another_server_than_the_one_asked_for_is_no_answer() {
    let body = r#"{"server":{"id":"other","status":"SHUTOFF"}}"#;
    let fault = reply(&show("s"), 200, body).expect_err("it is not taken");
    assert_eq!(fault.class, FaultClass::Transient);
}

#[test]
fn half_a_list_is_no_list() {
    let good = r#"{"count":"2","servers":[{"id":"a","status":"ACTIVE"}]}"#;
    let Ok(Answer::Servers { more, servers }) = reply(&LISTING, 200, good) else {
        panic!("no list")
    };
    assert_eq!((more, servers.len()), (More::Total(2), 1));
    for bad in [
        r#"{"count":2,"servers":[{"name":"no id","status":"ACTIVE"}]}"#,
        r#"{"count":2,"servers":[{"id":"no status"}]}"#,
        r#"{"servers":[]}"#,
        r#"{"count":2,"servers":[{"id":"a"#,
        "<html>",
        "",
    ] {
        let fault = reply(&LISTING, 200, bad).expect_err(bad);
        assert_eq!(fault.class, FaultClass::Transient, "{bad}");
    }
}

#[test]
fn jobs_are_read_running_done_and_failed() {
    let check = |body: &str| match reply(&Action::ShowJob { job: "j".into() }, 200, body) {
        Ok(Answer::Job(job)) => job,
        other => panic!("{other:?}"),
    };
    let batch = check(
        r#"{"job_id":"ff80-01","job_type":"x","status":"RUNNING","begin_time":"2026-01-02T03:04:05.123Z","end_time":"",
        "entities":{"sub_jobs_total":2,"sub_jobs":[
          {"job_id":"ff80-02","status":"SUCCESS","entities":{"server_id":"a"},"error_code":null,"fail_reason":null},
          {"job_id":"ff80-03","status":"FAIL","entities":{"server_id":"b","errorcode_message":"why"},"error_code":"Ecs.0202"}]}}"#,
    );
    assert_eq!((batch.id, batch.status), (JobId::from("ff80-01"), JobStatus::Running));
    assert_eq!(batch.error_code, None);
    assert_eq!(batch.parts[0].status, JobStatus::Success);
    assert_eq!(batch.parts[1].server, ServerId::from("b"));
    assert_eq!(batch.parts[1].fail_reason.as_deref(), Some("why"));

    let failed = check(
        r#"{"job_id":"ff80-09","status":"FAIL","entities":{"server_id":"a"},"error_code":"Ecs.0202","fail_reason":"no disk"}"#,
    );
    assert_eq!(failed.status, JobStatus::Fail);
    assert_eq!(failed.error_code.as_deref(), Some("Ecs.0202"));
    assert!(failed.parts.is_empty());
    assert_eq!(check(r#"{"status":"INIT","entities":null}"#).id, JobId::from("j"));
}

#[test]
fn a_job_query_that_failed_with_a_200_is_a_fault() {
    let job = Action::ShowJob { job: "j".into() };
    let class = |status, body| reply(&job, status, body).expect_err("no job").class;
    let query_failed = r#"{"code":"Common.0021","message":"try later"}"#;
    assert_eq!(class(200, query_failed), FaultClass::Transient);
    let unknown = r#"{"error":{"code":"Common.0011","message":"no such job"}}"#;
    assert_eq!(class(400, unknown), FaultClass::NotFound);
    assert_eq!(class(200, r#"{"status":"PERHAPS"}"#), FaultClass::Transient);
}

#[test]
fn a_change_is_accepted_only_with_a_job() {
    let stop = stop();
    let start = Action::Start { servers: vec!["a".into()] };
    for status in [200, 202] {
        let wanted = Ok(Answer::Accepted { job: "ff80".into(), request_id: None });
        assert_eq!(reply(&stop, status, r#"{"job_id":"ff80"}"#), wanted);
    }
    let wipe = reinstall();
    let class = |action, status, body| reply(action, status, body).expect_err("no job").class;
    for body in ["", "{}", r#"{"job_id":null}"#, r#"{"job_id":""}"#, "<html>"] {
        assert_eq!(class(&start, 200, body), FaultClass::Lost, "{body}");
        assert_eq!(class(&wipe, 202, body), FaultClass::Lost, "{body}");
    }
    // The flow limit that comes as a 202. For a reinstall somebody looks first.
    let limited = r#"{"error":{"code":"Common.0024","message":"too many"}}"#;
    assert_eq!(class(&stop, 202, limited), FaultClass::Throttled);
    assert_eq!(class(&wipe, 202, limited), FaultClass::Lost);
    assert_eq!(class(&wipe, 500, ""), FaultClass::Lost);
    assert_eq!(class(&wipe, 429, ""), FaultClass::Throttled);
}

pub(crate) fn stop() -> Action {
    Action::Stop { servers: vec!["a".into()], mode: StopMode::Soft }
}

pub(crate) fn reinstall() -> Action {
    use refleet::domain::{Encryption, InstallCall, Login, ReinstallRequest};
    let request = ReinstallRequest {
        call: InstallCall::V2,
        image: None,
        login: Login::UserData,
        user_data: None,
        inserts: None,
        byol: false,
        encryption: Encryption::None,
    };
    Action::Reinstall { server: "a".into(), request: Box::new(request) }
}

#[test]
fn volumes_say_whether_they_are_encrypted() {
    let volume = |rest: &str| {
        let body = format!(
            r#"{{"volumes":[{{"id":"v","size":40,"status":"in-use","volume_type":"SSD",
              "created_at":"2026-01-02T03:04:05.123456","attachments":[{{"server_id":"s"}}]{rest}}}]}}"#
        );
        match reply(&VOLUMES, 200, &body) {
            Ok(Answer::Volumes(mut volumes)) => volumes.remove(0),
            other => panic!("{other:?}"),
        }
    };
    let key = |rest| volume(rest).key;
    assert_eq!(key(""), None);
    assert_eq!(key(r#","metadata":{"__system__encrypted":"0","__system__cmkid":"k"}"#), None);
    assert_eq!(
        key(r#","metadata":{"__system__encrypted":"1","__system__cmkid":"k"}"#).as_deref(),
        Some("k")
    );
    assert_eq!(key(r#","encrypted":true"#).as_deref(), Some(""));
    assert_eq!(key(r#","encrypted":true,"metadata":{"__system__encrypted":"0"}"#), None);
    let plain = volume("");
    assert_eq!((plain.size_gib, plain.kind.as_str()), (40, "SSD"));
    assert_eq!(plain.server, Some(ServerId::from("s")));
    assert_eq!(plain.created, Some(Timestamp(1_767_323_045_123)));
}

#[test]
fn a_quota_knows_no_limit_and_its_own_use() {
    let body = r#"{"quota_set":{"id":"p","volumes":{"in_use":12,"limit":100,"reserved":1},
      "gigabytes":{"in_use":480,"limit":-1,"reserved":0},
      "volumes_SSD":{"in_use":3,"limit":"5","reserved":"0"},
      "gigabytes_SSD":{"in_use":120,"limit":200,"reserved":0},"volumes_odd":null}}"#;
    let Ok(Answer::Quota(quota)) = reply(&Action::ShowQuota, 200, body) else { panic!("no quota") };
    assert_eq!(quota.volumes, QuotaLine { limit: Some(100), used: 13 });
    assert_eq!(quota.gigabytes, QuotaLine { limit: None, used: 480 });
    let ssd = (QuotaLine { limit: Some(5), used: 3 }, QuotaLine { limit: Some(200), used: 120 });
    assert_eq!(quota.by_kind.into_iter().collect::<Vec<_>>(), [("SSD".to_owned(), ssd)]);
    let plain = r#"{"quota_set":{"id":"p","volumes":100,"gigabytes":-1}}"#;
    assert!(reply(&Action::ShowQuota, 200, plain).is_ok());
    assert!(reply(&Action::ShowQuota, 200, r#"{"quota_set":{"id":"p"}}"#).is_err());
}

#[test]
fn an_image_is_read_and_its_absence_is_an_answer() {
    let ask = Action::ShowImage { image: "i".into() };
    let image = |rest: &str| {
        let body = format!(
            r#"{{"images":[{{"id":"x"}},{{"id":"i","name":"n","status":"active","__imagetype":"gold",
              "__isregistered":"true","__os_type":"Linux","min_disk":40{rest}}}]}}"#
        );
        match reply(&ask, 200, &body) {
            Ok(Answer::Image(Some(image))) => *image,
            other => panic!("{other:?}"),
        }
    };
    let plain = image("");
    assert!(plain.registered && plain.cloud_init && !plain.whole_server);
    assert_eq!((plain.kind.as_str(), plain.min_disk_gib), ("gold", 40));
    // The attribute's name says the opposite of what it means.
    assert!(!image(r#","__support_fc_inject":"true""#).cloud_init);
    assert!(image(r#","__support_fc_inject":"false""#).cloud_init);
    assert!(image(r#","__whole_image":true"#).whole_server);
    for gone in [r#"{"images":[]}"#, r#"{"images":[{"id":"another"}]}"#] {
        assert_eq!(reply(&ask, 200, gone), Ok(Answer::Image(None)), "{gone}");
    }
    assert!(reply(&ask, 500, "").is_err());
}

#[test]
fn a_key_pair_of_somebody_else_is_not_there() {
    let ask = Action::ShowKeyPair { name: "k".to_owned() };
    let body = r#"{"keypair":{"name":"k","fingerprint":"f","user_id":"u","id":7}}"#;
    let Ok(Answer::KeyPair(Some(pair))) = reply(&ask, 200, body) else { panic!("no key pair") };
    assert_eq!((pair.name.as_str(), pair.fingerprint.as_str()), ("k", "f"));
    let gone = r#"{"itemNotFound":{"message":"gone","code":404}}"#;
    assert_eq!(reply(&ask, 404, gone), Ok(Answer::KeyPair(None)));
    let wrong_path = r#"{"error_code":"APIGW.0101","error_msg":"no such API"}"#;
    let fault = reply(&ask, 404, wrong_path).expect_err("the API is not there, not the key");
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[test]
fn kms_keys_are_read_in_both_shapes() {
    let ask = Action::ShowKey { key: "k".to_owned() };
    let detail =
        |state: &str| format!(r#"{{"key_id":"k","key_alias":"evs/default","key_state":{state}}}"#);
    let state = |body: &str| match reply(&ask, 200, body) {
        Ok(Answer::Key(Some(key))) => key.state,
        other => panic!("{other:?}"),
    };
    assert_eq!(state(&format!(r#"{{"key_info":{}}}"#, detail(r#""2""#))), KeyState::Enabled);
    assert_eq!(state(&format!(r#"{{"key_info":[{}]}}"#, detail("3"))), KeyState::Disabled);
    assert_eq!(
        state(&format!(r#"{{"key_info":{}}}"#, detail(r#""4""#))),
        KeyState::PendingDeletion
    );
    assert_eq!(state(&format!(r#"{{"key_info":{}}}"#, detail(r#""9""#))), KeyState::Disabled);
    let unknown = r#"{"error":{"error_code":"KMS.0205","error_msg":"invalid"}}"#;
    assert_eq!(reply(&ask, 400, unknown), Ok(Answer::Key(None)));
    let list = format!(r#"{{"keys":["k"],"key_details":[{}],"truncated":"false"}}"#, detail("2"));
    let Ok(Answer::Keys(keys)) = reply(&Action::ListKeys, 200, &list) else { panic!("no keys") };
    assert_eq!(keys[0].alias, "evs/default");
    let more = list.replace(r#""truncated":"false""#, r#""truncated":"true""#);
    let fault = reply(&Action::ListKeys, 200, &more).expect_err("a key may be missing from it");
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[test]
fn not_being_allowed_to_look_for_an_agency_is_not_a_no() {
    let seen = |status, body| match reply(&Action::ShowAgency, status, body) {
        Ok(Answer::Agency { state, id }) => (state, id),
        other => panic!("{other:?}"),
    };
    let there = r#"{"agencies":[{"id":"a1","name":"EVSAccessKMS"}]}"#;
    assert_eq!(seen(200, there), (AgencyState::Granted, Some("a1".to_owned())));
    assert_eq!(seen(200, r#"{"agencies":[]}"#), (AgencyState::Missing, None));
    assert_eq!(seen(200, r#"{"agencies":[{"name":"other"}]}"#), (AgencyState::Missing, None));
    let refused = r#"{"error":{"code":403,"message":"no","title":"Forbidden"}}"#;
    assert_eq!(seen(403, refused), (AgencyState::Unknown, None));
    assert!(reply(&Action::ShowAgency, 503, "").is_err());
}

#[test]
fn roles_of_an_agency_are_read_by_the_names_that_people_know() {
    let ask = Action::ListAgencyRoles { agency: "a1".to_owned() };
    let seen = |status, body| match reply(&ask, status, body) {
        Ok(Answer::AgencyRoles(roles)) => roles,
        other => panic!("{other:?}"),
    };
    let body = r#"{"roles":[{"id":"1","name":"kms_adm","display_name":"KMS Administrator"},
        {"id":"2","name":"te_admin"},{"id":"3"}]}"#;
    let names = ["KMS Administrator (kms_adm)".to_owned(), "te_admin".to_owned()];
    assert_eq!(seen(200, body), Some(names.to_vec()));
    assert_eq!(seen(200, r#"{"roles":[]}"#), Some(Vec::new()));
    for status in [401, 403, 404] {
        assert_eq!(seen(status, "{}"), None, "{status}: not allowed to look is not a no");
    }
    assert!(reply(&ask, 503, "").is_err());
}

#[test]
fn snapshots_name_their_disk() {
    let ask = Action::ListSnapshots { offset: 0, limit: 1_000 };
    let body = r#"{"snapshots":[{"id":"s1","name":"before","volume_id":"v1","status":"available",
        "size":40,"created_at":"2026-01-02T03:04:05.123456"}],"count":1}"#;
    let Ok(Answer::Snapshots(found)) = reply(&ask, 200, body) else { panic!("no snapshots") };
    assert_eq!((found[0].id.as_str(), found[0].volume.as_str()), ("s1", "v1"));
    assert_eq!(reply(&ask, 200, r#"{"snapshots":[]}"#), Ok(Answer::Snapshots(Vec::new())));
    let lost = reply(&ask, 200, r#"{"snapshots":[{"id":"s1"}]}"#);
    assert!(lost.is_err(), "half a list is no list");
}

#[test]
fn of_a_windows_password_only_its_being_there_is_read() {
    let ask = Action::ShowPassword { server: "s".into() };
    let ciphertext = "UmVhbGx5IGEgY2lwaGVydGV4dA==";
    let there = reply(&ask, 200, &format!(r#"{{"password":"{ciphertext}"}}"#));
    assert_eq!(there, Ok(Answer::Password(PasswordLook::There)));
    assert!(!format!("{there:?}").contains(ciphertext));
    for body in [r#"{"password":""}"#, r#"{"password":null}"#] {
        assert_eq!(reply(&ask, 200, body), Ok(Answer::Password(PasswordLook::NotYet)), "{body}");
    }
    assert!(reply(&ask, 404, "{}").is_err());
}

#[test]
fn a_server_that_a_backup_skips_is_not_backed_up_though_the_answer_is_a_success() {
    let (vault, name) = ("v".to_owned(), "refleet-1".to_owned());
    let ask = Action::Backup { server: "s".into(), vault, name };
    let body = |skipped: &str| {
        format!(r#"{{"checkpoint":{{"id":"cp","vault":{{"skipped_resources":[{skipped}]}}}}}}"#)
    };
    let Ok(Answer::Accepted { job, .. }) = reply(&ask, 200, &body("")) else { panic!("not taken") };
    assert_eq!(job, JobId::from("cp"));
    let skipped = r#"{"id":"s","code":"BackupService.0001","reason":"it is busy"}"#;
    let fault = reply(&ask, 200, &body(skipped)).unwrap_err();
    assert_eq!((fault.class, fault.code.as_str()), (FaultClass::Busy, "BackupService.0001"));
    assert!(fault.message.contains("it is busy"), "{fault}");
    let unclear = reply(&ask, 200, "{}").unwrap_err();
    assert_eq!(unclear.class, FaultClass::Lost, "a yes without its checkpoint is no yes");
}

#[test]
fn vaults_and_backups_are_read_as_the_cloud_writes_them() {
    let body = r#"{"vaults":[{"id":"v","name":"daily","billing":{"status":"available","size":100,
      "used":"2048","object_type":"server","protect_type":"backup"},"resources":[
      {"id":"a","extra_info":{"exclude_volumes":["d-1"]}},{"id":"b","extra_info":"{}"}]}],"count":1}"#;
    let ask = Action::ListVaults { offset: 0, limit: 1_000 };
    let Ok(Answer::Vaults(vaults)) = reply(&ask, 200, body) else { panic!("no vaults") };
    let vault = &vaults[0];
    assert!(vault.takes_servers && vault.servers.contains("a") && vault.servers.contains("b"));
    assert_eq!((vault.free_mib(), vault.left_out.contains("d-1")), (98 * 1_024, true));
    let body = r#"{"backups":[
      {"id":"1","checkpoint_id":"cp","name":"n","resource_id":"a","status":"protecting"},
      {"id":"2","resource_id":"a","status":"available","created_at":"2026-01-01T00:00:00.000000",
       "extend_info":{"contain_system_disk":false}},
      {"id":"3","resource_id":"a","status":"error"}]}"#;
    let ask = Action::ListBackups { server: None, offset: 0, limit: 1_000 };
    let Ok(Answer::Backups(backups)) = reply(&ask, 200, body) else { panic!("no backups") };
    let seen: Vec<_> =
        backups.iter().map(|backup| (backup.state, backup.has_system_disk)).collect();
    assert_eq!(
        seen,
        [
            (BackupState::UnderWay, true),
            (BackupState::Available, false),
            (BackupState::Failed, true)
        ]
    );
    assert!(backups[1].created.is_some());
}

#[test]
fn traces_of_reinstalls_are_read_newest_first() {
    let ask = Action::ListTraces { server: "s".into(), since: Timestamp(0) };
    let body = r#"{"traces":[
      {"trace_name":"reinstallOsV2","resource_id":"s","code":"200","time":1000,"response":"{\"job_id\":\"j\"}"},
      {"trace_name":"startServer","resource_id":"s","code":"200","time":1500},
      {"trace_name":"reinstallOs","resource_id":"s","code":400,"time":"2000","response":{"error":{}}},
      {"trace_name":"changeOs","resource_id":"s","code":"200","time":3000,"response":{"job_id":"k"}}],
      "meta_data":{"count":3}}"#;
    let Ok(Answer::Traces(traces)) = reply(&ask, 200, body) else { panic!("no traces") };
    let seen: Vec<_> =
        traces.iter().map(|trace| (trace.name.as_str(), trace.time.0, trace.code)).collect();
    assert_eq!(
        seen,
        [("changeOs", 3000, 200), ("reinstallOs", 2000, 400), ("reinstallOsV2", 1000, 200)]
    );
    let jobs: Vec<_> = traces.iter().map(|trace| trace.job.clone()).collect();
    assert_eq!(jobs, [Some("k".into()), None, Some("j".into())]);
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Typed,
    Texts,
    Nulls,
}

/// An answer made from the fields that the SDK expects.
fn made(call: &str, style: Style) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/models/{call}.json"));
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(file).expect(call);
    let model: Value = serde_json::from_str(&text).expect("a model is JSON");
    object(&model["models"], &model["response_fields"], style).to_string()
}

fn object(models: &Value, fields: &Value, style: Style) -> Value {
    let fields = fields.as_array().expect("fields").iter();
    let pairs = fields.map(|field| {
        let name = field["name"].as_str().expect("a name");
        (name.to_owned(), value(models, field["type"].as_str().expect("a type"), style))
    });
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn value(models: &Value, kind: &str, style: Style) -> Value {
    let inner = |prefix: &str| {
        kind.strip_prefix(prefix).and_then(|rest| match rest.as_bytes() {
            [.., b']' | b')'] => Some(&rest[..rest.len() - 1]),
            _ => None,
        })
    };
    if let Some(inner) = inner("list[") {
        return json!([value(models, inner, style)]);
    }
    if let Some(inner) = inner("dict(str, ") {
        return json!({"key": value(models, inner, style)});
    }
    match (kind, style) {
        ("str" | "int" | "bool" | "object" | "float" | "datetime", Style::Nulls) => Value::Null,
        ("int" | "float", Style::Typed) => json!(7),
        ("bool", Style::Typed) => json!(true),
        ("object", Style::Typed) => json!({"odd": []}),
        ("int", Style::Texts) => json!("7"),
        ("bool", Style::Texts) => json!("true"),
        ("str" | "float" | "datetime" | "object", _) => json!("text"),
        _ => object(models, &models[kind]["fields"], style),
    }
}

#[test]
fn answers_made_from_the_sdks_fields_are_read() {
    let calls = [
        ("ecs.list_servers_details", LISTING),
        ("ecs.show_server", show("text")),
        ("evs.list_volumes", VOLUMES),
        ("evs.list_snapshots", Action::ListSnapshots { offset: 0, limit: 1_000 }),
        ("ecs.show_server_password", Action::ShowPassword { server: "text".into() }),
        ("evs.cinder_list_quotas", Action::ShowQuota),
        ("ims.list_images", Action::ShowImage { image: "text".into() }),
        ("ecs.nova_show_keypair", Action::ShowKeyPair { name: "text".to_owned() }),
        ("kms.list_key_detail", Action::ShowKey { key: "text".to_owned() }),
        ("kms.list_keys", Action::ListKeys),
    ];
    for (call, action) in calls {
        for style in [Style::Typed, Style::Texts] {
            let body = made(call, style);
            let reply = reply(&action, 200, &body);
            assert!(reply.is_ok(), "{call} {style:?}: {reply:?}\n{body}");
            assert_ne!(reply, Ok(Answer::Image(None)), "{call}");
            assert_ne!(reply, Ok(Answer::KeyPair(None)), "{call}");
            assert_ne!(reply, Ok(Answer::Key(None)), "{call}");
        }
        // Nothing in it: an answer or a fault, but never a made-up thing.
        match reply(&action, 200, &made(call, Style::Nulls)) {
            Ok(
                Answer::Image(None)
                | Answer::KeyPair(None)
                | Answer::Key(None)
                | Answer::Password(PasswordLook::NotYet),
            ) => {}
            Ok(other) => panic!("{call}: {other:?}"),
            Err(fault) => assert_eq!(fault.class, FaultClass::Transient, "{call}: {fault}"),
        }
    }
}

#[test]
fn a_job_made_from_the_sdks_fields_is_read() {
    let running =
        made("ecs.show_job", Style::Typed).replace(r#""status":"text""#, r#""status":"RUNNING""#);
    let Ok(Answer::Job(job)) = reply(&Action::ShowJob { job: "j".into() }, 200, &running) else {
        panic!("no job: {running}")
    };
    assert_eq!((job.status, job.parts.len()), (JobStatus::Running, 1));
}
