//! Every request that real clients were recorded with (`tests/wire/requests`), sent to the simulated
//! cloud: it is answered, and the answer has the fields and JSON types of the SDK's models.

#![expect(clippy::expect_used, reason = "a test may fail anywhere")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use refleet::domain::Millis;
use refleet::simulator::{Faults, WorldSpec};
use serde_json::{Value, json};

use super::wire::Cloud;

/// Ids and names of the recordings, as this world has them.
const WORLD: &str = "servers:
  - { name: web-000, ids: [ae97ba94-d0ed-482f-8f6d-05584ef8aa38, 907a70c3-1012-4037-b64c-e4228c38fb29,
      4cdd2055-930d-4eaf-94f4-733f3e7d1bfb], count: 40, tags: { env: test } }
images: [{ id: 6513270e-269e-4d37-b2a7-4de452e6b438 }]
keys: [{ id: 8e81973e-0bec-47b0-b898-d190f9ebdacc }]
key_pairs: [{ name: kp-ops, owner: 11112222333344445555666677778888 }, { name: kp-ops }]
";

/// What is refused: part of the recording's name, part of path or body, the status, and why that is
/// right. Each of them must be needed.
const REFUSED: [(&str, &str, u16, &str); 8] = [
    ("ListServersDetails", "limit=100000", 400, "a limit above 1000"),
    ("", "00000000-0000-4000-8000-000000000000", 404, "nothing has that id"),
    ("NovaShowKeypair", "no%20such", 404, "no such key pair"),
    ("ReinstallServer", "os-reinstall", 400, "it runs, its image or its login does not fit"),
    ("ShowJob", "/jobs/", 400, "jobs of another cloud"),
    ("compute.servers", "marker=", 400, "markers of another cloud"),
    ("ShowVolume", "923a7369", 404, "a disk of another cloud"),
    ("find_server", "servers/web-000", 404, "a name is no id: the client asks for the list then"),
];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
    files.sort();
    files
}

fn json_of(file: &Path) -> Value {
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(file).expect("a fixture");
    serde_json::from_str(&text).expect("a fixture is JSON")
}

fn stem(file: &Path) -> String {
    file.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// The models of answers, the most specific path first.
fn models() -> Vec<(String, Value)> {
    let skipped = ["index", "evs.show_job", "ims.show_job"];
    let mut models: Vec<(String, Value)> = files("tests/wire/models")
        .iter()
        .map(|file| (stem(file), json_of(file)))
        .filter(|(name, _)| !skipped.contains(&name.as_str()))
        .collect();
    models.sort_by_key(|(_, model)| path_of(model).matches('{').count());
    models
}

fn path_of(model: &Value) -> &str {
    model["path"].as_str().expect("a path")
}

fn fits(model: &Value, method: &str, path: &str) -> bool {
    let path: Vec<&str> = path.trim_matches('/').split('/').collect();
    let wanted: Vec<&str> = path_of(model).trim_matches('/').split('/').collect();
    model["method"] == method
        && path.len() == wanted.len()
        && wanted.iter().zip(&path).all(|(want, have)| want.starts_with('{') || want == have)
}

/// Complaints about a value that should be of that type.
fn typed(model: &Value, kind: &str, value: &Value, place: &str) -> Vec<String> {
    let inner = |open: &str, close: char| kind.strip_prefix(open)?.strip_suffix(close);
    let fields = model["models"][kind]["fields"].as_array();
    if value.is_null() || matches!(kind, "object" | "enum") {
        return Vec::new();
    }
    if let Some([only]) = fields.map(Vec::as_slice)
        && only["name"] == "body"
    {
        return typed(model, only["type"].as_str().expect("a type"), value, place);
    }
    if let (Some(item), Some(list)) = (inner("list[", ']'), value.as_array()) {
        return list.iter().flat_map(|it| typed(model, item, it, place)).collect();
    }
    if let (Some(item), Some(map)) = (inner("dict(str, ", ')'), value.as_object()) {
        return map.values().flat_map(|it| typed(model, item, it, place)).collect();
    }
    if let (Some(fields), Some(map)) = (fields, value.as_object()) {
        let known = fields.iter().filter_map(|field| {
            let name = field["name"].as_str().expect("a name");
            Some((name, field["type"].as_str().expect("a type"), map.get(name)?))
        });
        return known
            .flat_map(|(name, kind, value)| typed(model, kind, value, &format!("{place}.{name}")))
            .collect();
    }
    let good = match kind {
        "str" | "datetime" | "date" => value.is_string(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "bool" => value.is_boolean(),
        _ => model["models"].get(kind).is_some_and(|it| it.get("enum").is_some()),
    };
    if good { Vec::new() } else { vec![format!("{place}: {value} is no {kind}")] }
}

fn present(value: &Value, path: &[&str]) -> bool {
    match (path, value) {
        ([], _) => true,
        (["*", rest @ ..], Value::Array(items)) => items.iter().all(|it| present(it, rest)),
        (["*", rest @ ..], Value::Object(items)) => items.values().all(|it| present(it, rest)),
        ([key, rest @ ..], _) => value.get(key).is_some_and(|it| present(it, rest)),
    }
}

/// Project, user, password and domain of a recording become those of this cloud.
fn ours(text: &str, cloud: &Cloud) -> String {
    let account = &cloud.account;
    text.replace("0123456789abcdef0123456789abcdef", &account.project_id)
        .replace("fedcba9876543210fedcba9876543210", &account.domain_id)
        .replace("OTC-EU-DE-00000000001000000001", &account.domain_name)
        .replace("\"name\":\"eu-de\"", &format!("\"name\":\"{}\"", account.project_name))
        .replace("\"name\":\"ops\"", &format!("\"name\":\"{}\"", account.username))
        .replace("\"password\":\"<secret>\"", &format!("\"password\":\"{}\"", account.password))
        .replace("/ims", "")
}

/// Which excuse a refusal has.
fn excuse(call: &str, request: &str, status: u16) -> Option<usize> {
    REFUSED.iter().position(|(name, part, refused, _)| {
        call.contains(name) && request.contains(part) && status == *refused
    })
}

async fn send(cloud: &Cloud, request: &Value) -> (String, u16, Value) {
    let path = request["path"].as_str().expect("a path");
    let query = request["raw_query"].as_str().unwrap_or_default();
    let target = ours(&format!("{path}?{query}"), cloud);
    let body = request.get("body").map(|body| ours(&body.to_string(), cloud));
    let method = request["method"].as_str().expect("a method");
    let (status, text) = cloud.any(method, &target, body).await;
    (target, status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn every_recorded_request_is_answered_with_the_fields_and_types_of_the_models() {
    let models = models();
    let always = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/always.json");
    let always = json_of(&always);
    let (mut wrong, mut checked) = (Vec::new(), 0);
    let mut unneeded: BTreeSet<usize> = (0..REFUSED.len()).collect();
    let all = files("tests/wire/requests");
    assert_eq!(all.len(), 47, "recordings");
    for file in &all {
        // Each conversation meets a fresh world: what one stops does not concern another.
        let spec = WorldSpec::from_yaml(WORLD).expect("a world");
        let cloud = Cloud::with(spec, Faults::default(), 1.0).await;
        let recording = json_of(file);
        let call = stem(file);
        for request in recording["requests"].as_array().expect("requests") {
            let (target, status, body) = send(&cloud, request).await;
            cloud.pass(Millis(100));
            if status > 300 {
                match excuse(&call, &format!("{target} {}", request["body"]), status) {
                    Some(n) => drop(unneeded.remove(&n)),
                    None => wrong.push(format!("{call}: {target}: {status} {body}")),
                }
                continue;
            }
            let path = target.split('?').next().unwrap_or_default();
            let method = request["method"].as_str().expect("a method");
            let Some((name, model)) = models.iter().find(|(_, it)| fits(it, method, path)) else {
                continue;
            };
            checked += 1;
            let kind = model["response"].as_str().expect("a response");
            wrong.extend(typed(model, kind, &body, name));
            let needed = always[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = needed.filter(|it| !present(&body, &it.split('/').collect::<Vec<_>>()));
            wrong.extend(missing.map(|it| format!("{name}: {it} is missing")));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unneeded.is_empty(), "excuses that nothing needs: {unneeded:?}");
    assert!(checked > 90, "only {checked} answers have a model");
}

#[test]
fn a_wrong_type_and_a_missing_field_are_seen() {
    let (_, model) =
        models().into_iter().find(|(name, _)| name == "ecs.show_job").expect("the model");
    let good = json!({"status": "INIT", "entities": {"sub_jobs_total": 1, "sub_jobs": [{}]}});
    assert!(typed(&model, "ShowJobResponse", &good, "job").is_empty());
    for bad in [
        json!({"status": 1}),
        json!({"entities": {"sub_jobs_total": "1"}}),
        json!({"entities": {"sub_jobs": [{"status": true}]}}),
        json!({"entities": []}),
    ] {
        assert_eq!(typed(&model, "ShowJobResponse", &bad, "job").len(), 1, "{bad}");
    }
    assert!(!present(&json!({"a": [{"b": 1}, {}]}), &["a", "*", "b"]));
}

#[tokio::test]
async fn nonsense_is_answered_like_a_gateway_does_and_breaks_nothing() {
    let cloud = Cloud::healthy(2).await;
    let id = cloud.server_id(0).await;
    let paths = [
        "/",
        "//",
        "/%ff%00",
        "/v9/x",
        "/v1",
        "/v1/{p}",
        "/v1/{p}/cloudservers/../..",
        "/v3.0/x/y",
        "/v1/{p}/cloudservers/action",
        "/v2/{p}/cloudservers/ID/reinstallos",
        "/v3/auth/tokens",
        "/v2.1/{p}/servers/ID/action",
        "/v2.1/{p}/os-keypairs",
        "/v2/{p}/cloudsnapshots",
        "/v3/{p}/checkpoints",
        "/v1.0/{p}/kms/list-keys",
        "/v1.0/{p}/kms/describe-key",
        "/v3.0/OS-CREDENTIAL/securitytokens",
        "/v1/{p}/cloudservers/resource_instances/action",
        "/v1/{p}/cloudservers/detail?limit=-1&offset=99999999999999999999&name=%C3%28&=&&",
        "/v2/cloudimages?limit=x&marker=%00&sort_key=%F0",
        "/v3/projects?page=0&per_page=5",
        "/v2/{p}/cloudvolumes/detail?limit=4294967296&ids=%5B&marker=x",
        "/v3/{p}/traces?from=x",
    ];
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{\"os-stop\":[]}",
        "{\"os-stop\":{\"servers\":{}}}",
        "{\"os-reinstall\":{\"metadata\":[]}}",
        "{\"auth\":{\"identity\":{\"methods\":{}}}}",
        "{\"keypair\":[1]}",
        "{\"limit\":-1,\"marker\":[]}",
        "{\"reboot\":null}",
        "\u{0}\u{1}",
        "{\"rebuild\":{\"imageRef\":[]}}",
        "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\
         \"token\":{\"duration_seconds\":-1}}}}",
        "{\"checkpoint\":{\"parameters\":3}}",
    ];
    for path in paths.map(|path| path.replace("ID", &id)) {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"] {
            for body in bodies {
                let (status, text) = cloud.any(method, &path, Some(body.to_owned())).await;
                assert!((200..502).contains(&status), "{method} {path} {body}: {status}");
                assert_ne!(status, 500, "{method} {path} {body}: {text}");
            }
        }
    }
    let unknown = cloud.any("GET", "/v1/{p}/no/such/thing", None).await;
    let answer: Value = serde_json::from_str(&unknown.1).expect("JSON");
    assert_eq!((unknown.0, &answer["error_code"]), (404, &json!("APIGW.0101")));
    let stats = cloud.get_public("/_refleet/stats").await;
    assert!(stats["requests"]["by_operation"]["unknown"].as_u64() > Some(100));
    assert_eq!(stats["requests"]["unknown"]["GET /v9/x"], json!(17), "each body once");
    assert_eq!(cloud.server(&id).await["id"], json!(id), "it still serves");
}
