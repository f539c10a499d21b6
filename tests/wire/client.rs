//! The client on a network that is not there: logging in, signing, keeping secrets.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;
use refleet::cloud::sign::{self, Arrived};
use refleet::cloud::{Cloud, NetError};
use refleet::domain::{
    Action, AgencyState, Answer, Encryption, Fault, FaultClass, InstallCall, Login, PinnedFile,
    ReinstallRequest, SecretRef, SecretSource, UserId,
};
use serde_json::{Value, json};

use crate::scripted::{
    KEYS, NOW, Net, PASSWORD, TEMPLATE, connect, header, is_login, say, server, show, token,
};

fn reinstall(login: Login) -> Action {
    let request = ReinstallRequest {
        call: InstallCall::V2,
        image: None,
        login,
        user_data: None,
        inserts: None,
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
    assert_eq!((who.user_id.clone(), who.user_name.as_str()), (UserId::from("u7"), "access key"));
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

/// A reinstall with that file as user data, and what is inserted into it.
fn with_user_data(path: &str, inserts: Option<&[(&str, &str)]>) -> Action {
    let Action::Reinstall { server, mut request } = reinstall(Login::UserData) else { panic!() };
    request.user_data = Some(PinnedFile { path: path.to_owned(), sha256: "00".to_owned() });
    request.inserts = inserts.map(|inserts| {
        inserts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    });
    Action::Reinstall { server, request }
}

/// The user data that arrived, decoded.
async fn arrived(action: Action) -> Vec<u8> {
    let net =
        Net::new(
            |request| {
                if is_login(request) { token("T1") } else { say(200, &json!({"job_id": "j1"})) }
            },
        );
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    cloud.call(action).await.expect("a job");
    let body: Value = serde_json::from_slice(net.seen()[1].body()).expect("JSON");
    let text = body["os-reinstall"]["metadata"]["user_data"].as_str().expect("user data");
    STANDARD.decode(text).expect("base64")
}

#[tokio::test]
async fn a_template_is_filled_in_with_what_the_plan_has_for_the_server() {
    let inserts = [("host.name", "web-1"), ("vars.r", "{{ host.name }}")];
    let filled = arrived(with_user_data("template.sh", Some(&inserts))).await;
    assert_eq!(String::from_utf8(filled).unwrap(), "hunter2 web-1 web-1 of {{ host.name }}\n");
}

#[tokio::test]
async fn user_data_that_is_no_template_is_sent_byte_for_byte() {
    assert_eq!(arrived(with_user_data("template.sh", None)).await, TEMPLATE);
    assert_eq!(arrived(with_user_data("latin.sh", None)).await, b"hunter2 \xff");
}

#[tokio::test]
async fn a_template_that_cannot_be_filled_in_is_not_sent_and_not_quoted() {
    let check = async |path: &str, inserts: &[(&str, &str)], why: &str| {
        let action = with_user_data(path, Some(inserts));
        let (fault, sent) = called(action, || say(200, &json!({}))).await;
        assert_eq!((fault.class, sent), (FaultClass::Invalid, 0));
        assert_eq!(fault.to_string(), format!("refleet.file: {why}"));
    };
    let hole = "template.sh inserts something that the plan has no value for";
    check("template.sh", &[("host.name", "web-1")], hole).await;
    check("latin.sh", &[], "latin.sh is not UTF-8").await;
    let long = "x".repeat(32 * 1024);
    let inserts = [("host.name", "web-1"), ("vars.r", long.as_str())];
    check("template.sh", &inserts, "template.sh is larger than 32 KiB").await;
}

#[tokio::test]
async fn a_password_that_the_cloud_repeats_is_not_passed_on() {
    let (fault, sent) = called(reinstall(password_from("PASSWORD")), || {
        say(400, &json!({"error": {"code": "Ecs.0011", "message": "Sesame1! is too weak"}}))
    })
    .await;
    assert_eq!((fault.message.as_str(), sent), ("[redacted] is too weak", 1));
}

/// Everything that a request of the run carries.
const CARRIED: [&str; 3] = ["Sesame1!", "hush", "T1-of-sixteen-letters"];

/// A network that always answers the same.
type Heard = fn() -> Result<Response<Bytes>, NetError>;

fn quote() -> String {
    CARRIED.join(" / ")
}

/// What a cloud that quotes all of it answers a reinstall with.
async fn quoted(answer: Heard) -> String {
    let net = Net::new(
        move |request| {
            if is_login(request) { token("T1-of-sixteen-letters") } else { answer() }
        },
    );
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    let reinstalled = cloud.call(reinstall(password_from("PASSWORD"))).await;
    // A job that is asked for later, with another request.
    let shown = cloud.call(Action::ShowJob { job: "j".into() }).await;
    let server = cloud.call(show()).await;
    format!("{reinstalled:?} {shown:?} {server:?}")
}

#[tokio::test]
async fn what_was_sent_is_in_no_words_that_come_back() {
    let answers: [Heard; 9] = [
        || say(400, &json!({"error": {"code": quote(), "message": quote()}})),
        || say(500, &json!({"request_id": quote(), "message": "m", "code": "X.1"})),
        || {
            say(
                200,
                &json!({"job_id": "j", "status": "FAIL", "error_code": quote(), "fail_reason": quote(),
            "entities": {"sub_jobs": [{"status": "FAIL", "error_code": quote(), "fail_reason": quote(),
                "entities": {"server_id": "s"}}]}}),
            )
        },
        || {
            say(
                200,
                &json!({"server": {"id": "s", "status": "ERROR", "fault": {"message": quote()}}}),
            )
        },
        || say(200, &json!({"message": quote()})),
        || Ok(Response::builder().status(502).body(quote().into()).expect("a response")),
        || {
            Ok(Response::builder()
                .status(202)
                .header("x-request-id", quote())
                .body(r#"{"job_id": "j"}"#.into())
                .expect("a response"))
        },
        || {
            Ok(Response::builder()
                .status(301)
                .header("location", "https://T1-of-sixteen-letters/")
                .body(Bytes::new())
                .expect("a response"))
        },
        || Err(NetError::Other(quote())),
    ];
    let mut redacted = 0;
    for answer in answers {
        let told = quoted(answer).await;
        for secret in CARRIED {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        redacted += usize::from(told.contains("[redacted]"));
    }
    assert_eq!(redacted, 9, "each of them is heard");
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

#[tokio::test]
async fn an_override_that_is_no_address_stops_everything() {
    let net = Net::new(|_| token("T1"));
    let text = PASSWORD.replace("region_name:", "kms_endpoint_override: kms.test, region_name:");
    let Err(error) = connect(&text, &net).await else { panic!("it must not connect") };
    assert_eq!(
        error.to_string(),
        "use \"kms.test\" as kms_endpoint_override: it is not an http or https address"
    );
    assert!(net.seen().is_empty());
}
