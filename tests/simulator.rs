//! The simulated cloud over HTTP, driven with an ordinary client and a clock that the test sets.

#[path = "simulator/docs.rs"]
mod docs;
#[path = "simulator/identity.rs"]
mod identity;
#[path = "simulator/quotes.rs"]
mod quotes;
#[path = "simulator/recorded.rs"]
mod recorded;
#[path = "simulator/wire.rs"]
mod wire;

#[path = "simulator/codes.rs"]
mod codes;

use serde_json::{Value, json};
use wire::{Cloud, status_of};

use refleet::domain::Millis;
use refleet::simulator::{Faults, WorldSpec};

#[tokio::test]
async fn a_server_is_stopped_reinstalled_and_running_again() {
    let cloud = Cloud::healthy(3).await;
    let list = cloud.get("/v1/{p}/cloudservers/detail?limit=2&offset=2").await;
    assert_eq!((&list["count"], list["servers"].as_array().map(Vec::len)), (&json!(3), Some(1)));
    let id = cloud.server_id(0).await;
    let before = cloud.server(&id).await;
    assert_eq!(before["name"], "web-0001");
    assert_eq!(before["tags"], json!(["role=web"]));
    let stop = json!({"os-stop": {"type": "HARD", "servers": [{"id": id}]}});
    let stop = cloud.post("/v1/{p}/cloudservers/action", &stop).await;
    let job = format!("/v1/{{p}}/jobs/{}", stop["job_id"].as_str().expect("a job"));
    let running = cloud.get(&job).await;
    assert_eq!(running["end_time"], "");
    assert!(running.get("error_code").is_none(), "absent while it runs: {running}");
    cloud.pass(Millis::secs(10));
    let done = cloud.get(&job).await;
    assert_eq!((&done["status"], &done["error_code"]), (&json!("SUCCESS"), &Value::Null));
    assert_eq!(cloud.server(&id).await["status"], "SHUTOFF");

    let outside = format!("/_refleet/probe?server={id}&port=22");
    assert_eq!(cloud.get(&outside).await["open"], false, "it is stopped");
    let requests = cloud.get("/_refleet/stats").await["requests"]["total"].clone();

    let wiping = cloud.reinstall(&id).await;
    cloud.pass(Millis::secs(40));
    let busy = cloud.server(&id).await;
    assert_eq!(busy["OS-EXT-STS:task_state"], "rebuilding");
    cloud.pass(Millis::secs(100));
    let done = cloud.get(&format!("/v1/{{p}}/jobs/{wiping}")).await;
    assert_eq!(done["status"], "SUCCESS");
    assert_eq!(done["entities"]["server_id"], json!(id));
    let after = cloud.server(&id).await;
    assert_eq!(after["status"], "ACTIVE");
    assert_eq!(after["addresses"], before["addresses"]);
    let disks = "os-extended-volumes:volumes_attached";
    assert_eq!(after[disks][0]["bootIndex"], "0");
    assert_ne!(after[disks][0]["id"], before[disks][0]["id"]);
    assert_eq!(after[disks][1], before[disks][1]);
    assert_eq!(cloud.get(&outside).await["open"], false, "cloud-init is at work");
    cloud.pass(Millis::secs(90));
    assert_eq!(cloud.get(&outside).await["open"], true);
    let stats = cloud.get("/_refleet/stats").await;
    let later = stats["requests"]["total"].as_u64();
    assert_eq!(later, requests.as_u64().map(|n| n + 4), "a look from outside is no request");
    assert_eq!(stats["reinstalls"][&id], json!({"accepted": 1, "completed": 1, "failed": 0}));
    assert_eq!(stats["reinstalls"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(stats["violations"], json!([]));
}

#[tokio::test]
async fn only_the_right_password_and_a_live_token_get_in() {
    let cloud = Cloud::healthy(1).await;
    let account = cloud.account.clone();
    let wrong = cloud.token_for("wrong").await;
    assert_eq!(wrong.status(), 401);
    let body: Value = serde_json::from_str(&wrong.text().await.expect("text")).expect("JSON");
    assert_eq!(body["error"]["code"], json!(401));
    let good = cloud.token_for(&account.password).await;
    assert_eq!(good.status(), 201);
    let path = "/v1/{p}/cloudservers/detail";
    assert_eq!(status_of(cloud.bare(path, None).await).await, (401, "APIGW.0301".to_owned()));
    let nonsense = Some("nonsense");
    assert_eq!(status_of(cloud.bare(path, nonsense).await).await, (401, "APIGW.0307".to_owned()));
    assert_eq!(cloud.bare(path, Some(&cloud.token)).await.status(), 200);
    cloud.pass(Millis::mins(24 * 60));
    let late = cloud.bare(path, Some(&cloud.token)).await;
    assert_eq!(status_of(late).await, (401, "APIGW.0307".to_owned()));
}

#[tokio::test]
async fn a_signature_is_really_checked() {
    let cloud = Cloud::healthy(1).await;
    let secret = cloud.account.secret_key.clone();
    let path = "/v1/{p}/cloudservers/detail?limit=5&name=web";
    assert_eq!(cloud.signed(path, &secret, 0).await.status(), 200);
    let code = |answer| async move { status_of(answer).await.1 };
    assert_eq!(code(cloud.signed(path, "other", 0).await).await, "APIGW.0301");
    let skew = 16 * 60 * 1_000;
    assert_eq!(code(cloud.signed(path, &secret, -skew).await).await, "APIGW.0303");
    assert_eq!(code(cloud.signed(path, &secret, skew).await).await, "APIGW.0303");
    for _ in 0..4 {
        assert_eq!(cloud.signed(path, "other", 0).await.status(), 401);
    }
    assert_eq!(cloud.signed(path, &secret, 0).await.status(), 401, "the access key is locked");
    cloud.pass(Millis::mins(5));
    assert_eq!(cloud.signed(path, &secret, 0).await.status(), 200);
}

#[tokio::test]
async fn a_lost_answer_is_no_answer_and_the_deed_is_done_or_not() {
    for (kind, accepted) in [("lost_before", 0), ("lost_after", 1)] {
        let cloud = Cloud::healthy(1).await;
        let id = cloud.stopped(0).await;
        cloud.set_faults(&format!("{kind}: 1.0")).await;
        let lost = cloud.try_reinstall(&id).await;
        assert!(lost.is_err(), "{kind}: no byte of an answer arrives");
        cloud.set_faults("none").await;
        let stats = cloud.get("/_refleet/stats").await;
        assert_eq!(stats["reinstalls"][&id]["accepted"], json!(accepted), "{kind}");
    }
}

#[tokio::test]
async fn a_throttled_answer_names_its_window_in_real_seconds() {
    let faults = Faults { throttled_gateway: 1.0, ..Faults::default() };
    let cloud = Cloud::with(WorldSpec::healthy(1), faults, 60.0).await;
    let answer = cloud.bare("/v1/{p}/cloudservers/detail", Some(&cloud.token)).await;
    assert_eq!(answer.status(), 429);
    let text = answer.text().await.expect("text");
    assert!(text.contains("limit:200,time:1 second"), "{text}");
    let stats = cloud.get("/_refleet/stats").await;
    assert_eq!(stats["requests"]["throttled"], json!(1));
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_shape_of_its_service() {
    let cloud = Cloud::healthy(1).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let cases = [
        (format!("/v1/{{p}}/cloudservers/{unknown}"), 404, "Ecs.0114"),
        ("/v1/{p}/cloudservers/detail?limit=1001".to_owned(), 400, "Ecs.0005"),
        (format!("/v1/{{p}}/jobs/{unknown}"), 400, "Common.0011"),
        (format!("/v2/{{p}}/cloudvolumes/{unknown}"), 404, "EVS.5404"),
        ("/v1/{p}/nonsense".to_owned(), 404, "APIGW.0101"),
        ("/v1/otherproject/cloudservers/detail".to_owned(), 400, "Ecs.0023"),
        ("/v2.1/{p}/os-keypairs/other".to_owned(), 404, "404"),
    ];
    for (path, status, code) in cases {
        let answer = cloud.bare(&path, Some(&cloud.token)).await;
        assert_eq!(status_of(answer).await, (status, code.to_owned()), "{path}");
    }
    assert_eq!(cloud.get(&format!("/v2/cloudimages?id={unknown}")).await, json!({"images": []}));
    let stats = cloud.get("/_refleet/stats").await;
    assert_eq!(stats["requests"]["by_operation"]["unknown"], json!(1));
}

#[tokio::test]
async fn storage_images_keys_and_the_audit_log_answer() {
    let cloud = Cloud::healthy(2).await;
    let id = cloud.stopped(0).await;
    let job = cloud.reinstall(&id).await;
    let quota = cloud.get("/v3/{p}/os-quota-sets/{p}?usage=True").await;
    let line = json!({"in_use": 4, "limit": 108, "reserved": 1});
    assert_eq!(quota["quota_set"]["volumes"], line);
    let disks = cloud.get("/v2/{p}/cloudvolumes/detail?limit=3&offset=3").await;
    assert_eq!(disks["volumes"].as_array().map(Vec::len), Some(1));
    assert_eq!(disks["volumes"][0]["status"], "in-use");
    let key = cloud.get(&format!("/v2.1/{{p}}/os-keypairs/{}", cloud.account.key_name)).await;
    assert_eq!(key["keypair"]["user_id"], json!(cloud.account.user_id));
    let keys = cloud.post("/v1.0/{p}/kms/list-keys", &json!({})).await;
    assert_eq!((&keys["truncated"], &keys["total"]), (&json!("false"), &json!(1)));
    let described = json!({"key_id": keys["keys"][0]});
    let described = cloud.post("/v1.0/{p}/kms/describe-key", &described).await;
    assert_eq!(described["key_info"]["key_state"], "2");
    cloud.pass(Millis::secs(10));
    let query = format!("/v3/{{p}}/traces?resource_id={id}&trace_name=reinstallOsV2");
    let traces = cloud.get(&query).await;
    assert_eq!(traces["traces"][0]["code"], "200");
    assert!(traces["traces"][0]["response"].as_str().is_some_and(|text| text.contains(&job)));
    let own = format!("/v3.0/OS-CREDENTIAL/credentials/{}", cloud.account.access_key);
    assert_eq!(cloud.get(&own).await["credential"]["user_id"], json!(cloud.account.user_id));
    let agencies = cloud.get("/v3.0/OS-AGENCY/agencies?name=EVSAccessKMS").await;
    assert_eq!(agencies["agencies"][0]["name"], "EVSAccessKMS");
}

#[tokio::test]
async fn the_catalog_points_back_and_the_root_claims_no_versions_but_those_of_images() {
    let cloud = Cloud::healthy(1).await;
    let catalog = cloud.get("/v3/auth/catalog").await;
    let services = catalog["catalog"].as_array().expect("services").clone();
    for service in &services {
        let url = service["endpoints"][0]["url"].as_str().expect("an address");
        assert!(url.starts_with(&cloud.endpoint), "{url}");
    }
    let kinds: Vec<_> = services.iter().filter_map(|service| service["type"].as_str()).collect();
    let needed =
        ["identity", "ecs", "compute", "volumev2", "volumev3", "image", "kms", "cbr", "cts"];
    for kind in needed {
        assert!(kinds.contains(&kind), "{kind}");
    }
    // The catalog's URL for images is the root, and openstacksdk wants versions there; it must not
    // take them for those of Identity, which are v3.
    let root = cloud.get_public("/").await;
    let ids: Vec<_> = root["versions"].as_array().expect("versions").iter().collect();
    assert!(ids.iter().all(|it| it["id"].as_str().is_some_and(|id| id.starts_with("v2."))));
}

#[tokio::test]
async fn a_reset_starts_over() {
    let cloud = Cloud::healthy(1).await;
    let id = cloud.stopped(0).await;
    cloud.reinstall(&id).await;
    cloud.set_faults("chaos").await;
    cloud.post("/_refleet/reset", &json!({})).await;
    let stats = cloud.get("/_refleet/stats").await;
    assert_eq!(stats["requests"]["total"], json!(0));
    assert_eq!(stats["reinstalls"][&id]["accepted"], json!(0), "the same servers, untouched");
    assert_eq!(cloud.bare("/v1/{p}/cloudservers/detail", Some(&cloud.token)).await.status(), 401);
}

#[tokio::test]
async fn a_counted_limit_refuses_what_is_above_it_until_its_window_ends() {
    let cloud = Cloud::healthy(1).await;
    cloud.set_faults("limit: { requests: 2, seconds: 60 }").await;
    let path = "/v1/{p}/cloudservers/detail";
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(cloud.bare(path, Some(&cloud.token)).await.status().as_u16());
    }
    cloud.pass(Millis::secs(61));
    statuses.push(cloud.bare(path, Some(&cloud.token)).await.status().as_u16());
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn native_calls_answer_in_their_own_shape() {
    let cloud = Cloud::healthy(3).await;
    let page = cloud.get("/v2.1/{p}/servers/detail?limit=2").await;
    assert_eq!(page["servers"].as_array().map(Vec::len), Some(2));
    let next = page["servers_links"][0]["href"].as_str().expect("a next page");
    let last = cloud.get(next.strip_prefix(&cloud.endpoint).expect("here")).await;
    assert_eq!(last["servers"].as_array().map(Vec::len), Some(1));
    assert!(last.get("servers_links").is_none());
    let addresses = last["servers"][0]["addresses"].as_object().expect("networks");
    assert!(addresses.values().all(|ports| ports[0]["version"] == json!(4)));
    let body = json!({"action": "filter", "tags": [{"key": "role", "values": ["web", "db"]}],
        "limit": "2", "offset": "1"});
    let tagged = cloud.post("/v1/{p}/cloudservers/resource_instances/action", &body).await;
    assert_eq!(tagged["total_count"], json!(3));
    assert_eq!(tagged["resources"][0]["resource_name"], "web-0002", "here offset is an index");
}

#[tokio::test]
async fn a_thousand_servers_are_reinstalled_over_the_wire() {
    let cloud = Cloud::healthy(1_000).await;
    let list = cloud.get("/v1/{p}/cloudservers/detail?limit=1000").await;
    let ids: Vec<Value> = list["servers"].as_array().expect("servers").clone();
    let all: Vec<Value> = ids.iter().map(|server| json!({"id": server["id"]})).collect();
    let stop = json!({"os-stop": {"type": "HARD", "servers": all}});
    cloud.post("/v1/{p}/cloudservers/action", &stop).await;
    cloud.pass(Millis::secs(10));
    for server in &ids {
        cloud.reinstall(server["id"].as_str().expect("an id")).await;
    }
    cloud.pass(Millis::mins(3));
    let stats = cloud.get("/_refleet/stats").await;
    let counts = stats["reinstalls"].as_object().expect("counts");
    assert!(counts.values().all(|it| *it == json!({"accepted": 1, "completed": 1, "failed": 0})));
    assert_eq!((counts.len(), &stats["peak_in_flight"]), (1_000, &json!(1_000)));
    assert_eq!(stats["violations"], json!([]));
}

#[tokio::test]
async fn snapshots_are_listed_by_volume_shown_and_made() {
    let text = "servers: [{ count: 2, system_snapshots: 2, data_snapshots: 1 }]";
    let cloud = Cloud::of(text).await;
    let list = cloud.get("/v1/{p}/cloudservers/detail").await;
    let disk = list["servers"][0]["os-extended-volumes:volumes_attached"][0]["id"].clone();
    let disk = disk.as_str().expect("a system disk");
    let of_disk = format!("/v2/{{p}}/cloudsnapshots/detail?volume_id={disk}");
    let found = cloud.get(&of_disk).await;
    assert_eq!((&found["count"], &found["snapshots"][0]["volume_id"]), (&json!(2), &json!(disk)));
    let page = cloud.get("/v3/{p}/snapshots/detail?limit=4&offset=3").await;
    assert_eq!((&page["count"], page["snapshots"].as_array().map(Vec::len)), (&json!(6), Some(3)));
    let body = json!({"snapshot": {"volume_id": disk, "name": "mine", "force": false}});
    let made = cloud.try_post("/v2/{p}/cloudsnapshots", &body).await;
    assert_eq!(made.0, 202);
    let id = made.1["snapshot"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.1["snapshot"]["status"], "creating");
    cloud.pass(Millis::secs(10));
    let shown = cloud.get(&format!("/v2/{{p}}/cloudsnapshots/{id}")).await;
    assert_eq!(
        (&shown["snapshot"]["status"], &shown["snapshot"]["size"]),
        (&json!("available"), &json!(40))
    );
    let unknown = json!({"snapshot": {"volume_id": "nobody"}});
    assert_eq!(
        cloud.try_post("/v2/{p}/cloudsnapshots", &unknown).await.1["error"]["code"],
        "EVS.5404"
    );
}

#[tokio::test]
async fn a_windows_password_is_ciphertext_and_linux_has_none() {
    let cloud = Cloud::of("servers: [{ name: a, os_type: Windows }, { name: b }]").await;
    for (n, length) in [(0, 344), (1, 0)] {
        let id = cloud.server_id(n).await;
        for path in ["v2.1/{p}/servers", "v2/{p}/servers", "v1/{p}/cloudservers"] {
            let answer = cloud.get(&format!("/{path}/{id}/os-server-password")).await;
            assert_eq!(answer["password"].as_str().map(str::len), Some(length), "{path}");
        }
    }
}

#[tokio::test]
async fn a_backup_runs_to_its_end_and_says_what_it_skipped() {
    let text = "servers: [{ name: web-1 }, { name: web-2, status: ERROR }, { name: db-1 }]\n\
                vaults: [{ name: nightly, servers: ['web-*'] }]\nknobs: { backup: [60, 60] }";
    let cloud = Cloud::of(text).await;
    let ids = [cloud.server_id(0).await, cloud.server_id(1).await];
    let find = |id: &str| format!("/v3/{{p}}/vaults?object_type=server&resource_ids={id}");
    let other = cloud.server_id(2).await;
    assert_eq!(cloud.get(&find(&other)).await["count"], json!(0));
    let vaults = cloud.get(&find(&ids[0])).await;
    let vault = &vaults["vaults"][0];
    assert_eq!((&vault["name"], &vault["billing"]["size"]), (&json!("nightly"), &json!(10_000)));
    let order = json!({"checkpoint": {"vault_id": vault["id"], "parameters": {
        "name": "pre-reinstall-web-1", "resources": ids, "incremental": true}}});
    let made = cloud.post("/v3/{p}/checkpoints", &order).await["checkpoint"].clone();
    assert_eq!(made["vault"]["skipped_resources"][0]["id"], json!(ids[1]));
    assert_eq!(made["vault"]["resources"][0]["resource_size"], "140", "a text here");
    let id = made["id"].as_str().expect("an id");
    let backups = format!("/v3/{{p}}/backups?checkpoint_id={id}&limit=10&offset=0");
    assert_eq!(cloud.get(&backups).await["backups"][0]["status"], "protecting");
    let disks = cloud.get("/v2/{p}/cloudvolumes/detail").await;
    assert_eq!(disks["volumes"][0]["status"], "backing-up");
    cloud.pass(Millis::secs(30));
    let running = format!("/v3/{{p}}/operation-logs?resource_id={}", ids[0]);
    let log = cloud.get(&running).await["operation_logs"][0].clone();
    assert_eq!(
        (&log["status"], &log["extra_info"]["common"]["progress"]),
        (&json!("running"), &json!(50))
    );
    cloud.pass(Millis::secs(30));
    let shown = cloud.get(&format!("/v3/{{p}}/checkpoints/{id}")).await;
    assert_eq!(shown["checkpoint"]["status"], "available");
    let backup = cloud.get(&backups).await["backups"][0].clone();
    let backup =
        cloud.get(&format!("/v3/{{p}}/backups/{}", backup["id"].as_str().expect("an id"))).await;
    assert_eq!(backup["backup"]["children"][0]["extend_info"]["system_disk"], json!(true));
    let empty =
        json!({"checkpoint": {"vault_id": vault["id"], "parameters": {"resources": [other]}}});
    let refused = cloud.try_post("/v3/{p}/checkpoints", &empty).await;
    assert_eq!((refused.0, &refused.1["error_code"]), (400, &json!("BackupService.0001")));
}

#[tokio::test]
async fn a_change_of_the_os_brings_another_image_and_a_larger_disk() {
    let text = "servers: [{ count: 1 }]\nknobs: { task_status: accepted, change_os: [60, 60] }\n\
                images: [{ }, { id: img2, name: Debian, min_disk_gib: 50 }]";
    let cloud = Cloud::of(text).await;
    let id = cloud.server_id(0).await;
    let stop = json!({"os-stop": {"type": "HARD", "servers": [{"id": id}]}});
    assert_eq!(cloud.try_post("/v1/{p}/cloudservers/action", &stop).await.0, 202);
    cloud.pass(Millis::secs(10));
    let (key, owner) = (&cloud.account.key_name, &cloud.account.user_id);
    let mut body = json!({"os-change": {"keyname": key, "userid": owner}});
    let path = format!("/v2/{{p}}/cloudservers/{id}/changeos");
    assert_eq!(cloud.try_post(&path, &body).await.1["error"]["code"], "Ecs.0005", "no imageid");
    body["os-change"]["imageid"] = json!("img2");
    let (status, taken) = cloud.try_post(&path, &body).await;
    assert_eq!(status, 202);
    cloud.pass(Millis::secs(60));
    let job =
        cloud.get(&format!("/v1/{{p}}/jobs/{}", taken["job_id"].as_str().expect("a job"))).await;
    assert_eq!((&job["status"], &job["job_type"]), (&json!("SUCCESS"), &json!("changeOs")));
    let after = cloud.server(&id).await;
    assert_eq!(
        (&after["metadata"]["metering.image_id"], &after["metadata"]["image_name"]),
        (&json!("img2"), &json!("Debian"))
    );
    let disks = cloud.get("/v2/{p}/cloudvolumes/detail").await;
    assert_eq!(disks["volumes"][0]["size"], json!(50));
}
