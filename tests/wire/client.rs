//! The client on a network that is not there: logging in, renewing, signing, keeping secrets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use refleet::cloud::config::{self, CloudConfig, Sources};
use refleet::cloud::http::{Sending, Transport};
use refleet::cloud::huawei::{ConnectError, HuaweiCloud, Secrets};
use refleet::cloud::sign::{self, Arrived};
use refleet::cloud::{Cloud, NetError};
use refleet::domain::{
    Action, AgencyState, Answer, Encryption, Fault, FaultClass, InstallCall, Login, PinnedFile,
    ReinstallRequest, SecretRef, SecretSource, Timestamp, UserId,
};
use secrecy::SecretString;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_767_323_045_000);
const PASSWORD: &str = "
clouds: {c: {region_name: eu-de, auth: {auth_url: 'https://iam.example.test/v3', username: ops,
  password: hush, user_domain_name: OTC-EU-DE-00000000001000000001, project_name: eu-de}}}";
const KEYS: &str = "
clouds: {c: {auth: {auth_url: 'https://iam.example.test/v3', ak: AK1, sk: SK1,
  security_token: ST1, project_name: eu-de_prod}}}";

type Answering = dyn Fn(&Request<Bytes>) -> Result<Response<Bytes>, NetError> + Send + Sync;

/// Answers by a function, and remembers what it was asked.
struct Net {
    answer: Box<Answering>,
    seen: Mutex<Vec<Request<Bytes>>>,
}

impl Net {
    fn new(
        answer: impl Fn(&Request<Bytes>) -> Result<Response<Bytes>, NetError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default() })
    }

    fn seen(&self) -> Vec<Request<Bytes>> {
        self.seen.lock().expect("no panic").clone()
    }

    fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|request| request.uri().path() == path).count()
    }
}

impl Transport for Net {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        let answer = (self.answer)(&request);
        self.seen.lock().expect("no panic").push(request);
        Box::pin(async move {
            // Others get their turn between question and answer, as on a real network.
            tokio::task::yield_now().await;
            answer
        })
    }
}

struct Kept;

impl Secrets for Kept {
    fn secret(&self, place: &SecretRef) -> Result<SecretString, String> {
        match &place.0 {
            SecretSource::Env(name) if name == "PASSWORD" => Ok("Sesame1!".into()),
            SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Command(_) => {
                Err(format!("{place} is not set"))
            }
        }
    }

    fn file(&self, file: &PinnedFile) -> Result<Vec<u8>, String> {
        Err(format!("{} was changed since the plan was made", file.path))
    }
}

fn configured(text: &str) -> CloudConfig {
    let variables = BTreeMap::new();
    let read = |path: &str| (path == "clouds.yaml").then(|| text.to_owned());
    let sources = Sources { variables: &variables, clouds_file: None, read: &read };
    config::load("c", None, &sources).expect("a cloud")
}

async fn connect(text: &str, net: &Arc<Net>) -> Result<HuaweiCloud, ConnectError> {
    let transport: Arc<dyn Transport> = Arc::<Net>::clone(net);
    HuaweiCloud::connect(configured(text), transport, Arc::new(Kept), Arc::new(|| NOW)).await
}

#[expect(clippy::unnecessary_wraps, reason = "what a network says is a result")]
fn say(status: u16, body: &Value) -> Result<Response<Bytes>, NetError> {
    Ok(Response::builder().status(status).body(body.to_string().into()).expect("a response"))
}

/// A token answer with that token in its header.
fn token(text: &str) -> Result<Response<Bytes>, NetError> {
    let body = json!({"token": {
        "user": {"id": "u1", "name": "ops", "domain": {"id": "d1", "name": "acme"}},
        "project": {"id": "p1", "name": "eu-de"},
        "catalog": [{"type": "ecs", "endpoints": [
            {"interface": "public", "region": "eu-de", "url": "https://servers.example.test/v1/p1"}]}],
    }});
    let mut response = say(201, &body)?;
    response.headers_mut().insert("x-subject-token", text.parse().expect("a value"));
    Ok(response)
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

fn is_login(request: &Request<Bytes>) -> bool {
    request.uri().path() == "/v3/auth/tokens"
}

const SHOW: &str = "/v1/p1/cloudservers/s";

fn show() -> Action {
    Action::ShowServer { server: "s".into() }
}

fn server() -> Result<Response<Bytes>, NetError> {
    say(200, &json!({"server": {"id": "s", "status": "SHUTOFF"}}))
}

fn reinstall(login: Login) -> Action {
    let request = ReinstallRequest {
        call: InstallCall::V2,
        login,
        user_data: None,
        byol: false,
        encryption: Encryption::None,
    };
    Action::Reinstall { server: "s".into(), request: Box::new(request) }
}

fn password_from(variable: &str) -> Login {
    Login::Password(SecretRef(SecretSource::Env(variable.to_owned())))
}

#[tokio::test]
async fn a_login_with_a_password_is_what_the_sdk_sends() {
    let net = Net::new(|request| if is_login(request) { token("T1") } else { server() });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let who = cloud.identity();
    assert_eq!((who.project_id.as_str(), who.project_name.as_str()), ("p1", "eu-de"));
    assert_eq!((who.region.as_str(), who.user_name.as_str()), ("eu-de", "ops"));
    assert_eq!(who.user_id, UserId::from("u1"));
    assert!(matches!(cloud.call(show()).await, Ok(Answer::Server(_))));

    let seen = net.seen();
    let recorded: Value = serde_json::from_str(include_str!(
        "requests/huawei.iam.KeystoneCreateUserTokenByPassword.json"
    ))
    .expect("a recording");
    let mut wanted = recorded["requests"][0]["body"].clone();
    wanted["auth"]["identity"]["password"]["user"]["password"] = json!("hush");
    assert_eq!(serde_json::from_slice::<Value>(seen[0].body()).expect("JSON"), wanted);
    assert_eq!(seen[0].uri(), "https://iam.example.test/v3/auth/tokens");
    assert_eq!(header(&seen[0], "x-auth-token"), "");
    assert_eq!(seen[1].uri(), "https://servers.example.test/v1/p1/cloudservers/s");
    assert_eq!(header(&seen[1], "x-auth-token"), "T1");
    assert_eq!(header(&seen[1], "host"), "servers.example.test");
}

/// A cloud that knows only the newest of its tokens, which die as soon as `die` says so.
fn dying() -> (Arc<Net>, Arc<Mutex<u32>>) {
    let newest = Arc::new(Mutex::new(0));
    let held = Arc::clone(&newest);
    let net = Net::new(move |request| {
        let mut newest = held.lock().expect("no panic");
        if is_login(request) {
            *newest += 1;
            return token(&format!("T{newest}"));
        }
        if header(request, "x-auth-token") == format!("T{newest}") {
            return server();
        }
        say(401, &json!({"error_code": "APIGW.0307", "error_msg": "The token must be updated"}))
    });
    (net, newest)
}

#[tokio::test]
async fn one_new_token_is_enough_for_everybody() {
    let (net, newest) = dying();
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    *newest.lock().expect("no panic") = 10;
    let call = || cloud.call(show());
    let replies = tokio::join!(call(), call(), call(), call(), call());
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4] {
        assert!(matches!(reply, Ok(Answer::Server(_))), "{reply:?}");
    }
    assert_eq!(net.count("/v3/auth/tokens"), 2);
    assert_eq!(net.count(SHOW), 10);
}

#[tokio::test]
async fn a_request_is_sent_again_once_and_no_more() {
    let refused = json!({"error_code": "APIGW.0301", "error_msg": "no"});
    let net =
        Net::new(move |request| if is_login(request) { token("T") } else { say(401, &refused) });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let fault = cloud.call(show()).await.expect_err("it is refused");
    assert_eq!(fault.class, FaultClass::Unauthorised);
    assert_eq!((net.count("/v3/auth/tokens"), net.count(SHOW)), (2, 2));
}

#[tokio::test]
async fn a_login_that_was_refused_is_not_tried_again() {
    let logins = Mutex::new(0);
    let net = Net::new(move |request| {
        let mut logins = logins.lock().expect("no panic");
        *logins += u32::from(is_login(request));
        match (*logins, is_login(request)) {
            (1, true) => token("T1"),
            _ => say(401, &json!({"error": {"code": 401, "message": "wrong", "title": "no"}})),
        }
    });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let call = || cloud.call(show());
    let (one, two) = tokio::join!(call(), call());
    let three = call().await;
    for reply in [one, two, three] {
        assert_eq!(reply.expect_err("it is refused").class, FaultClass::Unauthorised);
    }
    assert_eq!((net.count("/v3/auth/tokens"), net.count(SHOW)), (2, 3));
}

#[tokio::test]
async fn a_new_token_that_cannot_be_fetched_now_may_be_fetched_later() {
    let logins = Mutex::new(0);
    let net = Net::new(move |request| {
        let mut logins = logins.lock().expect("no panic");
        *logins += u32::from(is_login(request));
        match (*logins, is_login(request)) {
            (2, true) => say(503, &json!({})),
            (1 | 3, true) => token(&format!("T{logins}")),
            _ if header(request, "x-auth-token") == "T3" => server(),
            _ => say(401, &json!({})),
        }
    });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let fault = cloud.call(show()).await.expect_err("IAM is away");
    assert_eq!(fault.class, FaultClass::Transient);
    assert!(cloud.call(show()).await.is_ok());
}

/// A cloud that checks every signature.
fn signing(projects: Value, owner: u16) -> Arc<Net> {
    Net::new(move |request| {
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        let target = request.uri().path_and_query().expect("a target").as_str();
        let method = request.method().as_str();
        let arrived = Arrived { method, target, headers: &headers, body: request.body() };
        sign::check(&arrived, "SK1", NOW).expect("a good signature");
        assert_eq!(sign::access_key(&headers), Ok("AK1"));
        match request.uri().path() {
            "/v3/projects" => say(200, &json!({"projects": projects})),
            "/v3/auth/catalog" => say(200, &json!({"catalog": []})),
            "/v3.0/OS-CREDENTIAL/credentials/AK1" => {
                say(owner, &json!({"credential": {"user_id": "u7"}}))
            }
            "/v3.0/OS-AGENCY/agencies" => say(200, &json!({"agencies": []})),
            _ => server(),
        }
    })
}

fn project(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "domain_id": "d1"})
}

#[tokio::test]
async fn keys_sign_every_request_and_their_owner_is_looked_up() {
    let projects = json!([project("p1", "eu-de_prod")]);
    let net = signing(projects, 200);
    let cloud = connect(KEYS, &net).await.expect("a cloud");
    let who = cloud.identity();
    assert_eq!((who.user_id.clone(), who.user_name.as_str()), (UserId::from("u7"), "AK1"));
    assert_eq!((who.region.as_str(), who.project_id.as_str()), ("eu-de", "p1"));
    assert!(cloud.call(show()).await.is_ok());
    assert_eq!(
        cloud.call(Action::ShowAgency).await,
        Ok(Answer::Agency { state: AgencyState::Missing, id: None })
    );
    let seen = net.seen();
    assert_eq!(seen[0].uri(), "https://iam.example.test/v3/projects?name=eu-de_prod");
    let [.., show, agency] = &seen[..] else { panic!("too few requests") };
    assert_eq!(show.uri(), "https://ecs.example.test/v1/p1/cloudservers/s");
    let acts_on = |request| (header(request, "x-project-id"), header(request, "x-domain-id"));
    assert_eq!((acts_on(show), acts_on(agency)), (("p1", ""), ("", "d1")));
    assert_eq!(header(show, "x-security-token"), "ST1");
}

#[tokio::test]
async fn no_project_and_several_are_both_refused() {
    let error = |projects: Value| async {
        match connect(KEYS, &signing(projects, 200)).await {
            Ok(_) => panic!("it must not connect"),
            Err(error) => error.to_string(),
        }
    };
    let none = error(json!([])).await;
    assert_eq!(none, "find project \"eu-de_prod\": 0 projects of that name are visible");
    let two = error(json!([project("a", "eu-de_prod"), project("b", "eu-de_prod")])).await;
    assert_eq!(two, "find project \"eu-de_prod\": 2 projects of that name are visible");
    let similar = error(json!([project("a", "eu-de_production")])).await;
    assert!(similar.contains("0 projects"), "{similar}");
}

#[tokio::test]
async fn without_the_owner_of_the_key_nothing_begins() {
    let projects = json!([project("p1", "eu-de_prod")]);
    let refused = connect(KEYS, &signing(projects.clone(), 403)).await;
    let Err(error) = refused else { panic!("it must not connect") };
    assert!(error.to_string().contains("set auth.user_id"), "{error}");
    let told = KEYS.replace("ak: AK1", "user_id: u9, ak: AK1");
    let cloud = connect(&told, &signing(projects, 403)).await.expect("the user is told");
    assert_eq!(cloud.identity().user_id, UserId::from("u9"));
}

#[tokio::test]
async fn wrong_credentials_are_shown_as_such() {
    let refusing = || {
        Net::new(|_| {
            say(401, &json!({"error_code": "APIGW.0301", "error_msg": "Incorrect IAM hush"}))
        })
    };
    let net = refusing();
    let Err(error) = connect(KEYS, &net).await else { panic!("it must not connect") };
    let text = error.to_string();
    assert!(text.starts_with("log in at iam.example.test: HTTP 401: APIGW.0301"), "{text}");
    assert!(text.contains("five failures") && text.contains("5 minutes"), "{text}");
    assert_eq!(net.seen().len(), 1);
    let Err(error) = connect(PASSWORD, &refusing()).await else { panic!("it must not connect") };
    let text = error.to_string();
    assert!(text.contains("HTTP 401") && text.contains("user_domain_name"), "{text}");
    assert!(!text.contains("hush") && !format!("{error:?}").contains("hush"), "{text}");
}

#[tokio::test]
async fn a_token_of_somebody_else_is_looked_at_and_never_renewed() {
    let text = PASSWORD.replace("password: hush", "token: THEIRS").replace("username: ops,", "");
    let net = Net::new(|request| {
        if is_login(request) {
            assert_eq!(request.method(), "GET");
            assert_eq!(header(request, "x-subject-token"), "THEIRS");
            let mut response = token("THEIRS")?;
            *response.status_mut() = http::StatusCode::OK;
            return Ok(response);
        }
        say(401, &json!({}))
    });
    let cloud = connect(&text, &net).await.expect("a cloud");
    let fault = cloud.call(show()).await.expect_err("the token has died");
    assert_eq!((fault.class, net.count(SHOW)), (FaultClass::Unauthorised, 1));
}

/// What becomes of `action` when the network does `answer`, and how much of it was sent.
async fn called(
    action: Action,
    answer: fn() -> Result<Response<Bytes>, NetError>,
) -> (Fault, usize) {
    let net = Net::new(move |request| if is_login(request) { token("T1") } else { answer() });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let fault = cloud.call(action).await.expect_err("it fails");
    (fault, net.seen().len() - 1)
}

#[tokio::test]
async fn an_answer_that_was_lost_is_not_asked_for_again() {
    let wipe = || reinstall(Login::KeyPair { name: "k".to_owned(), owner: "u1".into() });
    let (fault, sent) = called(wipe(), || Err(NetError::Timeout)).await;
    assert_eq!((fault.class, sent), (FaultClass::Lost, 1));
    let (fault, sent) = called(wipe(), || Err(NetError::Connect("refused".to_owned()))).await;
    assert_eq!((fault.class, sent), (FaultClass::Transient, 1));
    let (fault, sent) = called(show(), || Err(NetError::Timeout)).await;
    assert_eq!((fault.class, sent), (FaultClass::Transient, 1));
    let (fault, sent) = called(wipe(), || say(502, &json!({}))).await;
    assert_eq!((fault.class, sent), (FaultClass::Lost, 1));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_stops_the_request() {
    let (fault, sent) = called(reinstall(password_from("OTHER")), || say(200, &json!({}))).await;
    assert_eq!((fault.class, sent), (FaultClass::Invalid, 0));
    assert_eq!(fault.to_string(), "refleet.secret: environment variable OTHER is not set");
    let Action::Reinstall { server, mut request } = reinstall(Login::UserData) else { panic!() };
    request.user_data = Some(PinnedFile { path: "base.yaml".to_owned(), sha256: "00".to_owned() });
    let changed = Action::Reinstall { server, request };
    let (fault, sent) = called(changed, || say(200, &json!({}))).await;
    assert_eq!((fault.code.as_str(), sent), ("refleet.file", 0));
}

#[tokio::test]
async fn a_password_that_the_cloud_repeats_is_not_passed_on() {
    let (fault, sent) = called(reinstall(password_from("PASSWORD")), || {
        say(400, &json!({"error": {"code": "Ecs.0011", "message": "Sesame1! is too weak"}}))
    })
    .await;
    assert_eq!((fault.message.as_str(), sent), ("*** is too weak", 1));
}

#[tokio::test]
async fn agencies_are_asked_for_with_a_token_of_the_account() {
    let net = Net::new(|request| {
        if is_login(request) {
            let body: Value = serde_json::from_slice(request.body()).expect("JSON");
            let account = body["auth"]["scope"]["domain"]["id"] == "d1";
            return token(if account { "ACCOUNT" } else { "PROJECT" });
        }
        assert_eq!(header(request, "x-auth-token"), "ACCOUNT");
        assert_eq!(request.uri().query(), Some("domain_id=d1&name=EVSAccessKMS"));
        say(200, &json!({"agencies": [{"id": "a1", "name": "EVSAccessKMS"}]}))
    });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let seen = Answer::Agency { state: AgencyState::Granted, id: Some("a1".to_owned()) };
    assert_eq!(cloud.call(Action::ShowAgency).await, Ok(seen));
}
