//! Every recorded exchange with a real OpenStack, replayed: what we would have sent, and what the
//! answer means.
//!
//! Start with the snapshot, which has a line for each file of `tests/openstack`: how our request for
//! the same thing compares (`same`; `-`: we ask for nothing like it; `refused here`: it is not even
//! sent), and what is made of the answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use refleet::cloud::fault::of_net;
use refleet::cloud::huawei::{Base, Payload};
use refleet::cloud::openstack::{Microversion, Places, Step, Versions, answer, of_answer, request};
use refleet::cloud::{Identity, NetError};
use refleet::domain::{
    Action, Answer, CostClass, Encryption, Fault, InstallCall, Job, Login, More, Page, PinnedFile,
    ReinstallRequest, Reply, SecretRef, SecretSource, Server, ServerId, StopMode, Timestamp,
};
use serde_json::{Value, json};

use crate::scripted::{Net, connect_any, is_login};

/// Stands for the passwords that were taken out of the recordings.
const PASSWORD: &str = "Hush-0123456789";

/// A recorded exchange.
struct Recorded {
    method: String,
    base: String,
    path: String,
    query: BTreeMap<String, String>,
    version: Option<Microversion>,
    sent: Value,
    answered: Result<Response<Bytes>, NetError>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openstack")
}

fn read(name: &str) -> Value {
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let text = std::fs::read_to_string(folder().join(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

/// The names of all recordings, sorted.
fn all() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("a folder");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().expect("text").into_owned()
}

impl Recorded {
    fn of(file: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let asked = &file["request"];
        let whole = text(&asked["path"]);
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let version = asked["headers"]["OpenStack-API-Version"].as_str().and_then(|text| {
            let (major, minor) = text.strip_prefix("compute ")?.split_once('.')?;
            Some(Microversion { major: major.parse().ok()?, minor: minor.parse().ok()? })
        });
        Self {
            method: text(&asked["method"]),
            base: text(&asked["base"]),
            path: path.to_owned(),
            query: pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
            version,
            sent: asked["body"].clone(),
            answered: answered(file),
        }
    }

    fn cost(&self) -> CostClass {
        if self.method == "GET" { CostClass::Reading } else { CostClass::Mutating }
    }

    /// The action of ours that asks for the same, and what it carries.
    fn action(&self) -> Option<(Action, Payload)> {
        let parts: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        let plain = |action| Some((action, Payload::default()));
        let server = |id: &&str| ServerId::from(*id);
        match (self.method.as_str(), &parts[..]) {
            ("GET", ["v2.1", "servers", "detail"]) if self.asks_for_a_page() => {
                let limit =
                    self.query.get("limit").map_or(Some(1_000), |text| text.parse().ok())?;
                let page = self
                    .query
                    .get("marker")
                    .map_or(Page::FIRST, |marker| Page::After(marker.as_str().into()));
                plain(Action::ListServers { page, limit })
            }
            ("GET", ["v2.1", "servers", id]) if self.query.is_empty() && *id != "detail" => {
                plain(Action::ShowServer { server: server(id) })
            }
            ("GET", ["v2.1", "servers", id, "os-instance-actions"]) => {
                plain(Action::ListTraces { server: server(id), since: Timestamp(0) })
            }
            ("GET", ["v2.1", "servers", id, "os-instance-actions", asked]) => {
                plain(Action::ShowJob { job: format!("{id}/{asked}").into() })
            }
            ("GET", ["v2", "images", image]) => plain(Action::ShowImage { image: (*image).into() }),
            ("GET", ["v2", "images"]) => {
                plain(Action::FindImages { name: self.query.get("name")?.clone() })
            }
            ("POST", ["v2.1", "servers", id, "action"]) => act(server(id), &self.sent),
            _ => None,
        }
    }

    fn asks_for_a_page(&self) -> bool {
        self.query.keys().all(|key| ["limit", "marker", "sort_key", "sort_dir"].contains(&&key[..]))
    }

    /// Whether our request is the recorded one. Nova sorts by itself, so how is not said.
    fn compare(&self, action: &Action, payload: &Payload) -> &'static str {
        let version = self.version.unwrap_or(Microversion { major: 2, minor: 1 });
        let draft = match request(action, &places(), version, payload) {
            Ok(Step::Send(draft)) => draft,
            Ok(Step::Known(_)) => return "known here",
            Err(_) => return "refused here",
        };
        let mut query: BTreeMap<String, String> = draft.query.iter().cloned().collect();
        if !self.query.contains_key("limit") {
            query.remove("limit");
        }
        let theirs: BTreeMap<String, String> =
            self.query.clone().into_iter().filter(|(key, _)| !key.starts_with("sort_")).collect();
        let body = match &draft.body[..] {
            [] => Value::Null,
            body => serde_json::from_slice(body).expect("JSON"),
        };
        assert_eq!(draft.method.as_str(), self.method);
        assert_eq!(draft.base, Base::parse(&self.base).expect("an address"));
        assert_eq!((&draft.path, &query), (&self.path, &theirs));
        assert_eq!(body, with_password(&self.sent));
        if let Some(version) = self.version {
            let said = format!("compute {}.{}", version.major, version.minor);
            assert_eq!(draft.headers, [("OpenStack-API-Version", said)]);
        }
        "same"
    }
}

/// What was answered, with a password in the place of those that were taken out.
fn answered(file: &Value) -> Result<Response<Bytes>, NetError> {
    let answered = &file["response"];
    if answered.is_null() {
        return Err(match file["no_response"].as_str() {
            Some("ConnectionError") => NetError::Connect("refused".to_owned()),
            Some("ReadTimeout") => NetError::Timeout,
            other => panic!("{other:?}"),
        });
    }
    let status = answered["status"].as_u64().expect("a status");
    let mut response = Response::builder().status(u16::try_from(status).expect("a status"));
    for (name, value) in answered["headers"].as_object().expect("headers") {
        response = response.header(name, value.as_str().expect("a text"));
    }
    let body = &answered["body"];
    let body = body.as_str().map_or_else(|| with_password(body).to_string(), str::to_owned);
    Ok(response.body(body.into()).expect("a response"))
}

fn with_password(value: &Value) -> Value {
    serde_json::from_str(&value.to_string().replace("REDACTED", PASSWORD)).expect("JSON")
}

fn places() -> Places {
    let at = |url: &str| Base::parse(url).expect("an address");
    Places {
        compute: at("http://127.0.0.1:8774/v2.1"),
        image: at("http://127.0.0.1:9292"),
        volumes: None,
        project_id: "p".to_owned(),
    }
}

/// What a POST to a server asks for, if it is something that we ask for.
fn act(server: ServerId, sent: &Value) -> Option<(Action, Payload)> {
    let sent = sent.as_object().filter(|sent| sent.len() == 1)?;
    if sent.get("os-stop").is_some_and(Value::is_null) {
        let stop = Action::Stop { servers: vec![server], mode: StopMode::Soft };
        return Some((stop, Payload::default()));
    }
    if sent.get("os-start").is_some_and(Value::is_null) {
        return Some((Action::Start { servers: vec![server] }, Payload::default()));
    }
    let asked = sent.get("rebuild")?.as_object()?;
    let text = |key: &str| asked.get(key).and_then(Value::as_str).map(str::to_owned);
    let ours = ["imageRef", "key_name", "adminPass", "user_data"];
    let sayable = asked.iter().all(|(key, value)| ours.contains(&&key[..]) && value.is_string());
    let user_data = text("user_data").map(|text| STANDARD.decode(text));
    if !sayable || user_data.as_ref().is_some_and(Result::is_err) {
        return None;
    }
    let login = match (text("key_name"), text("adminPass")) {
        (Some(name), _) => Login::KeyPair { name, owner: "u".into() },
        (None, Some(_)) => Login::Password(SecretRef(SecretSource::Env("X".to_owned()))),
        (None, None) if user_data.is_some() => Login::UserData,
        (None, None) => Login::Kept,
    };
    let file = || PinnedFile { path: "user-data".to_owned(), sha256: String::new() };
    let request = ReinstallRequest {
        call: InstallCall::V2,
        image: text("imageRef").map(Into::into),
        login,
        user_data: user_data.is_some().then(file),
        inserts: None,
        byol: false,
        encryption: Encryption::None,
    };
    let payload = Payload {
        password: text("adminPass").map(|_| PASSWORD.into()),
        user_data: user_data.and_then(Result::ok),
    };
    Some((Action::Reinstall { server, request: Box::new(request) }, payload))
}

/// What the answer to a request means that is not one of ours: as that to a rebuild for a change of a
/// server, by its status else.
fn foreign(recorded: &Recorded, response: &Response<Bytes>) -> String {
    if !response.status().is_success() {
        return bad(&of_answer(recorded.cost(), response));
    }
    let parts: Vec<&str> = recorded.path.trim_matches('/').split('/').collect();
    match &parts[..] {
        ["v2.1"] => {
            let versions = Versions::read(response).expect("a version document");
            format!("speaks {}", versions.choose().expect("one that we know"))
        }
        ["v2.1", "servers", id, "action"] if recorded.sent["rebuild"].is_object() => {
            let body = json!({"rebuild": {"imageRef": "i"}});
            let (action, _) = act(ServerId::from(*id), &body).expect("a rebuild");
            told(&answer(&action, response))
        }
        _ => format!("not asked for: {}", response.status().as_u16()),
    }
}

/// A reply in a few words. No password is ever among them.
fn told(reply: &Reply) -> String {
    assert!(!format!("{reply:?}").contains(PASSWORD), "{reply:?}");
    match reply {
        Err(fault) => bad(fault),
        Ok(Answer::Accepted { job, request_id }) => {
            let (_, request) = job.as_str().split_once('/').expect("two names");
            assert_eq!(request_id.as_deref(), Some(request));
            assert!(request.starts_with("req-"), "{request}");
            "accepted".to_owned()
        }
        Ok(Answer::Server(server)) => server_in_words(server),
        Ok(Answer::Servers { more, servers }) => {
            let more = match more {
                More::After(last) if servers.last().is_some_and(|server| server.id == *last) => {
                    "more"
                }
                More::Nothing => "no more",
                More::After(_) | More::Total(_) => panic!("{more:?}"),
            };
            let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
            format!("{}; {more}", names.join(" "))
        }
        Ok(Answer::Job(job)) => job_in_words(job),
        Ok(Answer::Traces(traces)) => {
            let one = |trace: &refleet::domain::Trace| {
                format!("{} {} at {} ({})", trace.code, trace.name, trace.time, trace.job.is_some())
            };
            traces.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Ok(Answer::Image(image)) => format!("{:?}", image.as_ref().map(|image| &image.name)),
        Ok(Answer::Images(images)) => {
            let one = |image: &refleet::domain::Image| {
                format!("{} {} {}", image.name, image.status, image.kind)
            };
            images.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Ok(other) => panic!("{other:?}"),
    }
}

fn bad(fault: &Fault) -> String {
    let words: String = fault.message.chars().take(90).collect();
    format!("{:?}: {}: {words}", fault.class, fault.code)
}

fn server_in_words(server: &Server) -> String {
    let state = match (server.is_running(), server.is_stopped()) {
        (true, _) => "running",
        (_, true) => "stopped",
        (false, false) => "neither",
    };
    let task = server.task_state.as_deref().unwrap_or("-");
    let locked = if server.locked { ", locked" } else { "" };
    let fault = server.fault.as_ref().map(|fault| format!(", fault: {fault}")).unwrap_or_default();
    format!("{}/{task} is {state}{locked}{fault}", server.status)
}

fn job_in_words(job: &Job) -> String {
    let why = job.fail_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{:?}{why}", job.status)
}

/// A login as the recorded one, by a configuration that says the same; what became of it.
async fn login(file: &Value) -> (&'static str, String) {
    let identity = file["request"]["body"]["auth"]["identity"].clone();
    let project = &file["request"]["body"]["auth"]["scope"]["project"];
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let auth = if identity["application_credential"].is_object() {
        json!({"application_credential_id": identity["application_credential"]["id"],
            "application_credential_secret": PASSWORD})
    } else {
        let user = &identity["password"]["user"];
        json!({"username": user["name"], "user_domain_id": user["domain"]["id"], "password": PASSWORD,
            "project_name": said(&project["name"]), "project_domain_id": said(&project["domain"]["id"])})
    };
    let mut config = json!({"clouds": {"c": {"auth": auth}}});
    config["clouds"]["c"]["auth"]["auth_url"] = json!("http://127.0.0.1:5000/v3");
    let theirs = file.clone();
    let versions = read("nova-version-v2.1.json");
    let net = Net::new(move |request: &Request<Bytes>| match request.uri().path() {
        _ if is_login(request) => answered(&theirs),
        "/v2.1/" => answered(&versions),
        _ => Ok(Response::builder().status(404).body(Bytes::new()).expect("a response")),
    });
    let came = match connect_any(&config.to_string(), &net).await {
        Ok(cloud) => {
            let Identity { provider, region, project_name, user_name, .. } = cloud.identity();
            format!("{provider:?} {region}: {user_name} in {project_name}")
        }
        Err(error) => error.to_string(),
    };
    assert!(!came.contains(PASSWORD), "{came}");
    let seen = net.seen();
    let sent: Value = serde_json::from_slice(seen[0].body()).expect("JSON");
    assert_eq!(sent, with_password(&file["request"]["body"]));
    ("same", came)
}

/// What is made of one recorded exchange.
async fn replayed(name: &str) -> (&'static str, String) {
    let file = read(&format!("{name}.json"));
    if file["request"]["body"]["auth"]["identity"].is_object() {
        return login(&file).await;
    }
    let recorded = Recorded::of(&file);
    let ours = recorded.action();
    let compared = ours.as_ref().map_or("-", |(action, payload)| recorded.compare(action, payload));
    let came = match (&recorded.answered, ours) {
        (Err(error), _) => bad(&of_net(recorded.cost(), error)),
        (Ok(response), Some((action, _))) => told(&answer(&action, response)),
        (Ok(response), None) => foreign(&recorded, response),
    };
    (compared, came)
}

#[tokio::test]
async fn every_recorded_exchange_means_what_is_written_here() {
    let mut table = String::new();
    for name in all().iter().filter(|name| !name.starts_with("seq-")) {
        let (compared, came) = replayed(name).await;
        table += &format!("{name} | {compared} | {came}\n");
    }
    insta::assert_snapshot!("exchanges", table);
}

/// What a look showed, as Nova would have written the whole server.
fn look(seen: &Value) -> String {
    // One sequence was recorded in fewer words.
    let (status, task) = match seen.as_array() {
        Some(seen) if seen[0] == 404 => return "gone".to_owned(),
        Some(seen) => (&seen[1], &seen[2]),
        None => (&seen["status"], &seen["task_state"]),
    };
    let fault = seen.get("fault").cloned().unwrap_or_default();
    let body = json!({"server": {"id": "s", "status": status, "OS-EXT-STS:task_state": task,
        "fault": fault}});
    let response = Response::new(Bytes::from(body.to_string()));
    let polls = seen.get("polls").map(|polls| format!(" ({polls})")).unwrap_or_default();
    told(&answer(&Action::ShowServer { server: "s".into() }, &response)) + &polls
}

/// Nova's own record of the action, read as a job.
fn job(action: &Value) -> String {
    let id = format!("{}/{}", action["instance_uuid"], action["request_id"]).replace('"', "");
    let response = Response::new(Bytes::from(json!({"instanceAction": action}).to_string()));
    told(&answer(&Action::ShowJob { job: id.into() }, &response))
}

#[test]
fn every_recorded_sequence_is_seen_as_it_was() {
    let mut table = String::new();
    for name in all().iter().filter(|name| name.starts_with("seq-")) {
        let file = read(&format!("{name}.json"));
        let looks: Vec<String> = file["seen"].as_array().expect("looks").iter().map(look).collect();
        table += &format!("{name}\n    {}\n", looks.join("\n    "));
        if file["instance_action"].is_object() {
            table += &format!("    job: {}\n", job(&file["instance_action"]));
        }
        if file["final_server"].is_object() {
            let id = file["final_server"]["id"].as_str().expect("an id");
            let body = json!({"server": file["final_server"]}).to_string();
            let action = Action::ShowServer { server: id.into() };
            table += &format!(
                "    at the end: {}\n",
                told(&answer(&action, &Response::new(body.into())))
            );
        }
    }
    insta::assert_snapshot!("sequences", table);
}

/// A rebuild of a stopped server shows `ACTIVE` and no task for a moment. Its job is not done before
/// it is stopped again.
#[test]
fn a_rebuild_of_a_stopped_server_is_done_when_it_is_stopped_again() {
    for name in ["seq-rebuild-stopped", "seq-rebuild-stopped-instant", "seq-rebuild-stopped-window"]
    {
        let whole = read(&format!("{name}.json"))["instance_action"].clone();
        assert_eq!(job(&whole), "Success", "{name}");
        let events = whole["events"].as_array().expect("events").clone();
        let names: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
        assert_eq!(names, ["compute_stop_instance", "compute_rebuild_instance", "rebuild_server"]);
        let seen = |events: &[Value]| {
            let mut then = whole.clone();
            then["events"] = json!(events);
            job(&then)
        };
        assert_eq!((seen(&[]), seen(&events[2..])), ("Init".to_owned(), "Running".to_owned()));
        for unfinished in 0..events.len() {
            let mut events = events.clone();
            events[unfinished]["finish_time"] = json!(null);
            events[unfinished]["result"] = json!(null);
            assert_eq!(seen(&events), "Running", "{name}: without the end of {unfinished}");
        }
    }
}
