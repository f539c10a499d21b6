//! Staying logged in: tokens that end, are revoked or cannot be renewed, keys that are refused.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use refleet::cloud::{Cloud, NetError};
use refleet::domain::{Action, AgencyState, Answer, FaultClass};
use serde_json::{Value, json};

use crate::scripted::{
    Hands, KEYS, Net, PASSWORD, SHOW, connect, connect_by, header, is_login, refused, say, server,
    show, token,
};

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
    // The third was not even sent: the session is over.
    assert_eq!((net.count("/v3/auth/tokens"), net.count(SHOW)), (2, 2));
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
    assert!(fault.message.contains("was given from outside"), "{fault}");
    assert_eq!(cloud.call(show()).await.expect_err("it is over"), fault);
    assert_eq!(net.count(SHOW), 1);
}

/// A token that lives for so many seconds.
fn short(text: &str, seconds: i64) -> Result<Response<Bytes>, NetError> {
    let mut response = token(text)?;
    let mut body: Value = serde_json::from_slice(response.body()).expect("JSON");
    // The cloud's clock is an hour ahead of ours: only the length counts.
    let stamp =
        |second: i64| format!("2026-01-02T04:{:02}:{:02}.000000Z", 5 + second / 60, second % 60);
    body["token"]["issued_at"] = json!(stamp(0));
    body["token"]["expires_at"] = json!(stamp(seconds));
    *response.body_mut() = body.to_string().into();
    Ok(response)
}

/// Serves logins by `login`, and accepts every token with a number.
fn tokens_of(
    login: impl Fn(u32) -> Result<Response<Bytes>, NetError> + Send + Sync + 'static,
) -> Arc<Net> {
    let logins = Mutex::new(0);
    Net::new(move |request| {
        if is_login(request) {
            let mut logins = logins.lock().expect("no panic");
            *logins += 1;
            return login(*logins);
        }
        server()
    })
}

fn logins(net: &Net) -> usize {
    net.count("/v3/auth/tokens")
}

fn last_token(net: &Net) -> String {
    let seen = net.seen();
    let last = seen.iter().rfind(|request| request.uri().path() == SHOW).expect("a question");
    header(last, "x-auth-token").to_owned()
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_its_end_and_only_then() {
    let (net, hands) = (tokens_of(|n| short(&format!("T{n}"), 40)), Hands::new());
    let cloud = connect_by(PASSWORD, &net, &hands).await.expect("a cloud");
    for (second, wanted, fetched) in [(0, "T1", 1), (37, "T1", 1), (38, "T2", 2), (75, "T2", 2)] {
        hands.forward(second - hands.seconds());
        assert!(cloud.call(show()).await.is_ok());
        assert_eq!((last_token(&net).as_str(), logins(&net)), (wanted, fetched), "{second}");
    }
    assert_eq!(net.count(SHOW), 4, "no request was refused for its token");
}

#[tokio::test]
async fn an_early_renewal_is_of_one_while_the_others_go_on_with_the_old_token() {
    let (net, hands) = (tokens_of(|n| short(&format!("T{n}"), 40)), Hands::new());
    let cloud = connect_by(PASSWORD, &net, &hands).await.expect("a cloud");
    hands.forward(39);
    let call = || cloud.call(show());
    let replies = tokio::join!(call(), call(), call(), call(), call());
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4] {
        assert!(matches!(reply, Ok(Answer::Server(_))), "{reply:?}");
    }
    assert_eq!(logins(&net), 2);
    let with_old = net.seen().iter().filter(|one| header(one, "x-auth-token") == "T1").count();
    assert_eq!(with_old, 4);
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_once_before_anything_is_sent() {
    let (net, hands) = (tokens_of(|n| short(&format!("T{n}"), 40)), Hands::new());
    let cloud = connect_by(PASSWORD, &net, &hands).await.expect("a cloud");
    hands.forward(3_600);
    let call = || cloud.call(show());
    let replies = tokio::join!(call(), call(), call());
    assert!(replies.0.is_ok() && replies.1.is_ok() && replies.2.is_ok());
    assert_eq!((logins(&net), net.count(SHOW)), (2, 3));
    assert!(net.seen().iter().all(|request| header(request, "x-auth-token") != "T1"));
}

#[tokio::test]
async fn while_iam_is_away_a_good_token_is_used_to_its_end() {
    let net = tokens_of(|n| match n {
        1 | 4 => short(&format!("T{n}"), 40),
        _ => say(503, &json!({})),
    });
    let hands = Hands::new();
    let cloud = connect_by(PASSWORD, &net, &hands).await.expect("a cloud");
    hands.forward(38);
    for _ in 0..5 {
        assert!(cloud.call(show()).await.is_ok());
    }
    assert_eq!((logins(&net), last_token(&net).as_str()), (2, "T1"), "one early try, then a pause");
    hands.forward(2);
    let fault = cloud.call(show()).await.expect_err("it has ended");
    assert_eq!((fault.class, logins(&net), net.count(SHOW)), (FaultClass::Transient, 3, 5));
    assert!(cloud.call(show()).await.is_ok(), "IAM is back");
    assert_eq!((logins(&net), last_token(&net).as_str()), (4, "T4"));
}

#[tokio::test]
async fn a_cloud_that_accepts_no_token_is_not_asked_for_one_again_and_again() {
    let gateway = json!({"error_code": "APIGW.0307", "error_msg": "The token must be updated"});
    let net =
        Net::new(move |request| if is_login(request) { token("T") } else { say(401, &gateway) });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    for _ in 0..4 {
        let fault = cloud.call(show()).await.expect_err("it is refused");
        assert_eq!(fault.class, FaultClass::Unauthorised);
    }
    assert_eq!(logins(&net), 2);
}

#[tokio::test]
async fn a_passcode_is_sent_once_and_its_token_is_not_renewed() {
    let text = PASSWORD.replace("username: ops", "user_id: u1, passcode: '012345'");
    let (net, hands) = (tokens_of(|n| short(&format!("T{n}"), 40)), Hands::new());
    let cloud = connect_by(&text, &net, &hands).await.expect("a cloud");
    let sent: Value = serde_json::from_slice(net.seen()[0].body()).expect("JSON");
    let identity = &sent["auth"]["identity"];
    assert_eq!(identity["methods"], json!(["password", "totp"]));
    assert_eq!(identity["totp"], json!({"user": {"id": "u1", "passcode": "012345"}}));
    hands.forward(39);
    assert!(cloud.call(show()).await.is_ok());
    // No second login for the account, either: this is an odd answer, but one to the first token.
    assert!(cloud.call(Action::ShowAgency).await.is_err());
    hands.forward(1);
    let fault = cloud.call(show()).await.expect_err("it has ended");
    assert_eq!((fault.class, fault.code.as_str()), (FaultClass::Unauthorised, "refleet.passcode"));
    assert!(fault.message.contains("OS_PASSCODE"), "{fault}");
    assert_eq!(logins(&net), 1);
}

#[tokio::test]
async fn agencies_are_asked_for_with_one_token_of_the_account() {
    let net = Net::new(|request| {
        if is_login(request) {
            let body: Value = serde_json::from_slice(request.body()).expect("JSON");
            let account = body["auth"]["scope"]["domain"]["id"] == "d1";
            return token(if account { "ACCOUNT" } else { "PROJECT" });
        }
        let agencies = request.uri().path() == "/v3.0/OS-AGENCY/agencies";
        assert_eq!(header(request, "x-auth-token"), if agencies { "ACCOUNT" } else { "PROJECT" });
        if !agencies {
            return server();
        }
        assert_eq!(request.uri().query(), Some("domain_id=d1&name=EVSAccessKMS"));
        say(200, &json!({"agencies": [{"name": "EVSAccessKMS"}]}))
    });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    for _ in 0..3 {
        let granted = cloud.call(Action::ShowAgency).await;
        assert_eq!(granted, Ok(Answer::Agency { state: AgencyState::Granted, id: None }));
        assert!(cloud.call(show()).await.is_ok());
    }
    assert_eq!(logins(&net), 2, "one for each scope");
}

#[tokio::test]
async fn an_account_that_may_not_be_asked_about_does_not_end_the_session() {
    let net = Net::new(|request| {
        let text = String::from_utf8_lossy(request.body());
        match (is_login(request), text.contains(r#""domain":{"id":"d1"}}"#)) {
            (true, true) => say(403, &json!({"error": {"code": 403, "message": "no"}})),
            (true, false) => token("PROJECT"),
            _ => server(),
        }
    });
    let cloud = connect(PASSWORD, &net).await.expect("a cloud");
    for _ in 0..2 {
        let unknown = cloud.call(Action::ShowAgency).await;
        assert_eq!(unknown, Ok(Answer::Agency { state: AgencyState::Unknown, id: None }));
        assert!(cloud.call(show()).await.is_ok());
    }
    assert_eq!(logins(&net), 2, "what was refused is not tried again");
}

/// Lets keys in, and answers everything of the project by `answer`.
fn keyed(
    answer: impl Fn(&Request<Bytes>) -> Result<Response<Bytes>, NetError> + Send + Sync + 'static,
) -> Arc<Net> {
    Net::new(move |request| match request.uri().path() {
        "/v3/projects" => {
            say(200, &json!({"projects": [{"id": "p1", "name": "eu-de_prod", "domain_id": "d1"}]}))
        }
        "/v3/auth/catalog" => say(200, &json!({"catalog": []})),
        "/v3.0/OS-CREDENTIAL/credentials/AK1" => {
            say(200, &json!({"credential": {"user_id": "u7"}}))
        }
        _ => answer(request),
    })
}

fn signature_refused() -> Result<Response<Bytes>, NetError> {
    say(401, &json!({"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication."}))
}

#[tokio::test]
async fn after_one_refused_signature_nothing_more_is_sent() {
    let permanent = KEYS.replace("security_token: ST1,", "");
    let net = keyed(|_| signature_refused());
    let cloud = connect(&permanent, &net).await.expect("a cloud");
    let first = cloud.call(show()).await.expect_err("it is refused");
    assert_eq!(first.to_string(), "APIGW.0301: Incorrect IAM authentication");
    let before = net.seen().len();
    for action in [show(), Action::ListKeys, Action::ShowQuota, show(), show(), show()] {
        assert_eq!(cloud.call(action).await.expect_err("it is refused"), first);
    }
    let agency = cloud.call(Action::ShowAgency).await;
    assert_eq!(agency, Ok(Answer::Agency { state: AgencyState::Unknown, id: None }));
    assert_eq!((net.count(SHOW), net.seen().len()), (1, before));
}

#[tokio::test]
async fn a_service_that_does_not_let_a_user_ask_is_no_refused_signature() {
    let net = keyed(|request| match request.uri().path() {
        "/v3.0/OS-AGENCY/agencies" => {
            say(401, &json!({"error": {"code": 401, "message": "no", "title": "Unauthorized"}}))
        }
        _ => server(),
    });
    let cloud = connect(KEYS, &net).await.expect("a cloud");
    let agency = cloud.call(Action::ShowAgency).await;
    assert_eq!(agency, Ok(Answer::Agency { state: AgencyState::Unknown, id: None }));
    assert!(cloud.call(show()).await.is_ok());
}

#[tokio::test]
async fn temporary_keys_that_are_refused_may_have_ended() {
    let net = keyed(|_| signature_refused());
    let cloud = connect(KEYS, &net).await.expect("a cloud");
    let fault = cloud.call(show()).await.expect_err("it is refused");
    assert!(fault.message.contains("these keys are temporary"), "{fault}");
    let seen = net.seen();
    assert!(seen.iter().all(|request| header(request, "x-security-token") == "ST1"));
    let signed =
        |request: &Request<Bytes>| header(request, "authorization").contains(";x-security-token,");
    assert!(seen.iter().all(signed), "{seen:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let late = |code: &'static str, date: &'static str| {
        Net::new(move |_| {
            let mut answer = say(401, &json!({"error_code": code, "error_msg": "no."}))?;
            answer.headers_mut().insert("date", date.parse().expect("a date"));
            Ok(answer)
        })
    };
    let net = late("APIGW.0303", "Fri, 02 Jan 2026 03:21:05 GMT");
    assert_eq!(
        refused(KEYS, &net).await,
        "log in at iam.example.test: HTTP 401: APIGW.0303: this machine's clock is 17 min behind \
         the cloud's; the gateway allows 15 min (no); set it before the next try"
    );
    assert_eq!(net.seen().len(), 1);
    let early = refused(KEYS, &late("APIG.0301", "Fri, 02 Jan 2026 02:04:05 GMT")).await;
    assert!(early.contains("clock is 60 min ahead of the cloud's"), "{early}");
    let right = refused(KEYS, &late("APIG.0301", "Fri, 02 Jan 2026 03:04:00 GMT")).await;
    assert!(right.contains("look at ak, sk and this machine's clock"), "{right}");
}

#[tokio::test]
async fn a_redirect_is_a_fault_that_names_the_host_and_is_followed_by_nobody() {
    let redirect = |status: u16, location: &'static str| {
        Net::new(move |request| {
            if is_login(request) {
                return token("T1");
            }
            let answer = Response::builder().status(status).header("location", location);
            Ok(answer.body(Bytes::new()).expect("a response"))
        })
    };
    for status in [301, 302, 303, 307, 308] {
        let net = redirect(status, "https://elsewhere.example.test/v1/x");
        let cloud = connect(PASSWORD, &net).await.expect("a cloud");
        let fault = cloud.call(show()).await.expect_err("it is not followed");
        assert_eq!((fault.class, fault.code), (FaultClass::Invalid, format!("HTTP {status}")));
        let changed = cloud
            .call(Action::Start { servers: vec!["s".into()] })
            .await
            .expect_err("it is not followed")
            .class;
        // What points elsewhere after a deed, as a page does, has perhaps done it.
        let perhaps = matches!(status, 302 | 303);
        assert_eq!(changed, if perhaps { FaultClass::Lost } else { FaultClass::Invalid });
        assert!(
            fault.message.starts_with("servers.example.test points to elsewhere.example.test,"),
            "{}",
            fault.message
        );
        assert_eq!(net.count(SHOW), 1);
        assert!(net.seen().iter().all(|one| one.uri().host() != Some("elsewhere.example.test")));
    }
    let cloud = connect(PASSWORD, &redirect(302, "/login")).await.expect("a cloud");
    let fault = cloud.call(show()).await.expect_err("it is not followed");
    assert!(fault.message.contains("points to another path"), "{fault}");
}

#[tokio::test]
async fn what_iam_says_of_a_renewal_is_no_answer_to_the_request() {
    for (status, class) in [
        (400, FaultClass::Transient),
        (403, FaultClass::Unauthorised),
        (404, FaultClass::Transient),
    ] {
        let net = tokens_of(move |n| match n {
            1 => short("T1", 40),
            _ => say(status, &json!({"error": {"code": status, "message": "m", "title": "t"}})),
        });
        let hands = Hands::new();
        let cloud = connect_by(PASSWORD, &net, &hands).await.expect("a cloud");
        hands.forward(3_600);
        let fault = cloud.call(show()).await.expect_err("there is no token");
        assert_eq!((fault.class, net.count(SHOW)), (class, 0), "{status}: {fault}");
    }
}
