//! The client of OpenStack on a network that is not there: the way in, the family of the cloud, what is
//! asked for and what is never told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use refleet::cloud::{AnyCloud, Cloud, NetError};
use refleet::domain::{
    Action, AddressKind, Answer, Attachment, Encryption, Fault, FaultClass, Feature, Image,
    InstallCall, JobId, JobStatus, Login, More, Page, PinnedFile, Provider, ReinstallRequest,
    SecretRef, SecretSource, Server, StopMode, Timestamp, UserId, VolumeId,
};
use serde_json::{Value, json};

use crate::scripted::{Net, connect_any, header, is_login, say};

const CREDENTIAL: &str = "
clouds: {c: {region_name: one, auth: {auth_url: 'https://keystone.test/identity/v3',
  application_credential_id: ac1, application_credential_secret: hush-hush}}}";
const PASSWORD: &str = "
clouds: {c: {region_name: one, auth: {auth_url: 'https://keystone.test/v3', username: ops,
  password: hush-hush, user_domain_name: staff, project_name: web}}}";

/// What a cloud answers.
type Heard = Result<Response<Bytes>, NetError>;

/// A catalog with these services, in one region.
fn catalog(services: &[(&str, &str)]) -> Value {
    let one = |(kind, url): &(&str, &str)| {
        json!({"type": kind, "endpoints": [
            {"interface": "public", "region_id": "one", "region": "one", "url": url}]})
    };
    services.iter().map(one).collect()
}

const USUAL: &[(&str, &str)] = &[
    ("identity", "https://keystone.test/identity"),
    ("compute", "https://nova.test/compute/v2.1/p1"),
    ("image", "https://glance.test/image"),
];

fn token(text: &str, services: &Value) -> Heard {
    let body = json!({"token": {
        "user": {"id": "u1", "name": "ops", "domain": {"id": "d1", "name": "staff"}},
        "project": {"id": "p1", "name": "web"}, "catalog": services}});
    let mut response = say(201, &body)?;
    response.headers_mut().insert("x-subject-token", text.parse().expect("a value"));
    Ok(response)
}

fn version(max: &str) -> Heard {
    say(200, &json!({"version": {"id": "v2.1", "min_version": "2.1", "version": max}}))
}

/// A cloud with the usual services, and a Nova that goes up to `max`.
fn cloud(
    max: &'static str,
    answer: impl Fn(&Request<Bytes>) -> Heard + Send + Sync + 'static,
) -> Arc<Net> {
    Net::new(move |request| match request.uri().path() {
        _ if is_login(request) || request.uri().path().ends_with("/v3/auth/tokens") => {
            token("T1", &catalog(USUAL))
        }
        "/compute/v2.1/" => version(max),
        _ => answer(request),
    })
}

fn accepted(request: &str) -> Heard {
    let mut response = say(202, &json!({}))?;
    response.headers_mut().insert("x-openstack-request-id", request.parse().expect("a value"));
    Ok(response)
}

async fn refused(text: &str, net: &Arc<Net>) -> String {
    match connect_any(text, net).await {
        Ok(_) => panic!("it must not connect"),
        Err(error) => error.to_string(),
    }
}

/// What one action comes to, and the requests that were sent for it.
async fn called(
    action: Action,
    answer: fn(&Request<Bytes>) -> Heard,
) -> (Result<Answer, Fault>, Vec<Request<Bytes>>) {
    let net = cloud("2.104", answer);
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let reply = cloud.call(action).await;
    (reply, net.seen().split_off(2))
}

async fn failed(action: Action, answer: fn(&Request<Bytes>) -> Heard) -> (FaultClass, usize) {
    let (reply, sent) = called(action, answer).await;
    (reply.expect_err("it fails").class, sent.len())
}

fn rebuild(image: Option<&str>, login: Login) -> Action {
    let request = ReinstallRequest {
        call: InstallCall::V2,
        image: image.map(Into::into),
        login,
        user_data: None,
        inserts: None,
        byol: false,
        encryption: Encryption::None,
    };
    Action::Reinstall { server: "s".into(), request: Box::new(request) }
}

fn password() -> Login {
    Login::Password(SecretRef(SecretSource::Env("PASSWORD".to_owned())))
}

fn body(request: &Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).expect("JSON")
}

#[tokio::test]
async fn an_application_credential_logs_in_without_a_scope() {
    let net = cloud("2.104", |_| say(404, &json!({})));
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let who = cloud.identity();
    assert_eq!((who.provider, who.region.as_str()), (Provider::OpenStack, "one"));
    assert_eq!((who.project_name.as_str(), who.user_id.clone()), ("web", UserId::from("u1")));
    let seen = net.seen();
    assert_eq!(seen[0].uri(), "https://keystone.test/identity/v3/auth/tokens");
    let credential = json!({"id": "ac1", "secret": "hush-hush"});
    assert_eq!(
        body(&seen[0]),
        json!({"auth": {"identity": {"methods": ["application_credential"],
            "application_credential": credential}}})
    );
    assert_eq!(seen[1].uri(), "https://nova.test/compute/v2.1/");

    let named = CREDENTIAL.replace("_id: ac1", "_name: fleet").replace(
        "auth: {",
        "auth_type: v3applicationcredential, auth: {username: ops, user_domain_id: d1, ",
    );
    connect_any(&named, &net).await.expect("a cloud");
    let credential = json!({"name": "fleet", "secret": "hush-hush",
        "user": {"name": "ops", "domain": {"id": "d1"}}});
    assert_eq!(body(&net.seen()[2])["auth"]["identity"]["application_credential"], credential);
}

#[tokio::test]
async fn a_refused_token_is_replaced_by_the_same_credential() {
    let net = Net::new(|request| match request.uri().path() {
        path if path.ends_with("/v3/auth/tokens") => token("T1", &catalog(USUAL)),
        "/compute/v2.1/" => version("2.96"),
        _ => say(401, &json!({"error": {"code": 401, "message": "Who?", "title": "Unauthorized"}})),
    });
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let fault = cloud.call(Action::ShowServer { server: "s".into() }).await.expect_err("refused");
    assert!(fault.shuts_out(), "{fault:?}");
    assert_eq!(net.count("/identity/v3/auth/tokens"), 2);
    assert_eq!(net.count("/compute/v2.1/servers/s"), 2);
}

#[tokio::test]
async fn a_credential_of_another_project_and_a_wrong_secret_are_told() {
    let net = cloud("2.104", |_| say(404, &json!({})));
    let other = CREDENTIAL.replace("auth: {", "auth: {project_name: mail, ");
    assert_eq!(
        refused(&other, &net).await,
        "use the application credential: it is for project web, and \"mail\" is configured"
    );
    let wrong = Net::new(|_| {
        say(401, &json!({"error": {"code": 401, "message": "hush-hush?", "title": "Unauthorized"}}))
    });
    let told = refused(CREDENTIAL, &wrong).await;
    assert!(told.contains("application_credential_id") && !told.contains("hush"), "{told}");
    assert_eq!(wrong.seen().len(), 1);
    let gone = Net::new(|_| {
        let message = "Could not find Application Credential: ac1.";
        say(404, &json!({"error": {"code": 404, "message": message, "title": "Not Found"}}))
    });
    let told = refused(CREDENTIAL, &gone).await;
    assert!(told.starts_with("log in at keystone.test: HTTP 404: Could not find"), "{told}");
}

/// Deleted while a run is under way, it must not be knocked with.
#[tokio::test]
async fn a_credential_that_is_gone_ends_the_session() {
    let logins = AtomicUsize::new(0);
    let net = Net::new(move |request| match request.uri().path() {
        path if path.ends_with("/v3/auth/tokens") => match logins.fetch_add(1, SeqCst) {
            0 => token("T1", &catalog(USUAL)),
            _ => say(404, &json!({"error": {"message": "Could not find Application Credential."}})),
        },
        "/compute/v2.1/" => version("2.96"),
        _ => say(401, &json!({"error": {"code": 401, "message": "Who?", "title": "Unauthorized"}})),
    });
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    for _ in 0..3 {
        let shown = cloud.call(Action::ShowServer { server: "s".into() }).await;
        assert!(shown.expect_err("refused").shuts_out());
    }
    assert_eq!(net.count("/identity/v3/auth/tokens"), 2);
}

#[tokio::test]
async fn the_name_of_a_project_is_one_of_a_domain() {
    let scope = async |text: &str| {
        let net = cloud("2.104", |_| say(404, &json!({})));
        connect_any(text, &net).await.map(|_| ()).expect("a cloud");
        body(&net.seen()[0])["auth"]["scope"]["project"].clone()
    };
    let text = PASSWORD.replace("keystone.test", "keystone.test/identity");
    assert_eq!(scope(&text).await, json!({"name": "web", "domain": {"name": "staff"}}));
    let own = text.replace("project_name:", "project_domain_id: d7, project_name:");
    assert_eq!(scope(&own).await, json!({"name": "web", "domain": {"id": "d7"}}));
    let id = text.replace("project_name: web", "project_id: p1, project_domain_id: d7");
    assert_eq!(scope(&id).await, json!({"id": "p1"}));
    let default = text.replace("user_domain_name: staff", "user_id: u1, default_domain: all");
    assert_eq!(scope(&default).await, json!({"name": "web", "domain": {"name": "all"}}));
}

/// The family that is seen in that catalog.
async fn family(
    text: &str,
    services: &'static [(&'static str, &'static str)],
) -> Result<Provider, String> {
    let net = Net::new(move |request| match request.uri().path() {
        _ if is_login(request) => token("T1", &catalog(services)),
        path if path.ends_with("/v2.1/") => version("2.96"),
        _ => say(404, &json!({})),
    });
    let cloud = connect_any(text, &net).await.map_err(|error| error.to_string())?;
    Ok(match cloud {
        AnyCloud::Huawei(cloud) => cloud.identity().provider,
        AnyCloud::OpenStack(cloud) => cloud.identity().provider,
    })
}

const BOTH: &[(&str, &str)] = &[
    ("compute", "https://nova.test/v2.1"),
    ("ecs", "https://ecs.test/v1/p1"),
    ("image", "https://ims.test/v2"),
];
const NOVA: &[(&str, &str)] =
    &[("compute", "https://nova.test/v2.1"), ("image", "https://ims.test/v2")];

#[tokio::test]
async fn the_catalog_says_which_family_a_cloud_is_of() {
    assert_eq!(family(PASSWORD, BOTH).await, Ok(Provider::Huawei));
    assert_eq!(family(PASSWORD, NOVA).await, Ok(Provider::OpenStack));
    let neither = &[("object-store", "https://swift.test"), ("dns", "https://dns.test")];
    assert_eq!(
        family(PASSWORD, neither).await.expect_err("no servers"),
        "find the servers of this cloud: its catalog has no service of type compute or ecs; it has \
         dns, object-store"
    );
    let said = |provider: &str| {
        PASSWORD.replace("{c: {", &format!("{{c: {{x_refleet: {{provider: {provider}}}, "))
    };
    assert_eq!(family(&said("openstack"), BOTH).await, Ok(Provider::OpenStack));
    assert_eq!(family(&said("huaweicloud"), NOVA).await, Ok(Provider::Huawei));
    assert_eq!(family(&said("otc"), NOVA).await, Ok(Provider::Otc));
}

#[tokio::test]
async fn a_service_that_is_not_where_it_was_looked_for_is_told() {
    let net = cloud("2.104", |_| say(404, &json!({})));
    let told = refused(&CREDENTIAL.replace("name: one", "name: two"), &net).await;
    assert!(
        told.contains("compute in region two, interface public: the catalog has public in one")
    );
    let told = refused(&CREDENTIAL.replace("{c: {", "{c: {interface: internal, "), &net).await;
    assert!(told.contains("interface internal"), "{told}");
    let own = "{c: {compute_endpoint_override: nova.test, ";
    let told = refused(&CREDENTIAL.replace("{c: {", own), &net).await;
    assert!(told.contains("not an http or https address"), "{told}");
    let clear: &[(&str, &str)] =
        &[("compute", "http://nova.test/v2.1"), ("image", "https://g.test")];
    let told = family(PASSWORD, clear).await.expect_err("a token is not sent in the clear");
    assert!(told.contains("public in one, unencrypted"), "{told}");
}

#[tokio::test]
async fn an_old_nova_is_refused_or_lacks_something() {
    let told = async |max| refused(CREDENTIAL, &cloud(max, |_| say(404, &json!({})))).await;
    let text = told("2.25").await;
    assert!(text.starts_with("use Nova at nova.test: it offers 2.25 at most, and tags"), "{text}");
    assert!(told("2.50").await.contains("how a rebuild ended is shown since 2.51"));
    assert!(told("").await.contains("no API 2.1"));
    let gone = Net::new(|request| {
        if request.uri().path().ends_with("/v3/auth/tokens") {
            token("T1", &catalog(USUAL))
        } else {
            say(404, &json!({"itemNotFound": {"code": 404, "message": "gone"}}))
        }
    });
    assert!(refused(CREDENTIAL, &gone).await.contains("no API 2.1"));
    let down = Net::new(|request| {
        if request.uri().path().ends_with("/v3/auth/tokens") {
            token("T1", &catalog(USUAL))
        } else {
            say(503, &json!({}))
        }
    });
    assert!(refused(CREDENTIAL, &down).await.starts_with("read the versions of Nova at nova.test"));

    let net = cloud("2.53", |_| say(200, &json!({"server": {"id": "s", "status": "ACTIVE"}})));
    let old = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let features = &old.identity().features;
    assert_eq!(
        features.lack(Feature::UserData),
        Some("this cloud's Nova offers 2.53 at most, and user data needs 2.57")
    );
    assert!(old.call(Action::ShowServer { server: "s".into() }).await.is_ok());
    assert_eq!(header(&net.seen()[2], "openstack-api-version"), "compute 2.53");
}

#[tokio::test]
async fn pages_follow_one_another_by_the_last_server() {
    let net = cloud("2.104", |request| {
        let next = json!([{"rel": "next", "href": "https://nova.test/elsewhere"}]);
        let server = |id: &str| json!({"id": id, "status": "ACTIVE"});
        match request.uri().query() {
            Some("limit=2") => {
                say(200, &json!({"servers": [server("a"), server("b")], "servers_links": next}))
            }
            Some("limit=2&marker=b") => say(200, &json!({"servers": [server("c")]})),
            other => panic!("{other:?}"),
        }
    });
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let page = async |page| match cloud.call(Action::ListServers { page, limit: 2 }).await {
        Ok(Answer::Servers { more, servers }) => (more, servers.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(page(Page::FIRST).await, (More::After("b".into()), 2));
    assert_eq!(page(Page::After("b".into())).await, (More::Nothing, 1));
    for request in &net.seen()[2..] {
        assert_eq!(request.uri().path(), "/compute/v2.1/servers/detail");
        assert_eq!(header(request, "openstack-api-version"), "compute 2.96");
        assert_eq!(header(request, "x-auth-token"), "T1");
    }
    let second = cloud.call(Action::ListServers { page: Page::Number(2), limit: 2 }).await;
    assert_eq!(second.expect_err("no numbers").class, FaultClass::Invalid);
    assert_eq!(net.seen().len(), 4);
}

async fn shown(answer: fn(&Request<Bytes>) -> Heard) -> Server {
    match called(Action::ShowServer { server: "s".into() }, answer).await.0 {
        Ok(Answer::Server(server)) => *server,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_is_read_with_its_tags_disks_and_addresses() {
    let server = shown(|_| {
        say(
            200,
            &json!({"server": {"id": "s", "status": "SHUTOFF", "name": "web-1", "locked": true,
            "image": {"id": "i"}, "metadata": {"role": "web", "canary": "no", "pool": "blue"},
            "tags": ["canary", "pool=green", "spare", "a=b=c"],
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
            "os-extended-volumes:volumes_attached": [{"id": "v1", "delete_on_termination": false}],
            "flavor": {"original_name": "m1.small", "ram": 2048},
            "addresses": {"net": [
                {"addr": "192.0.2.7", "OS-EXT-IPS:type": "floating", "OS-EXT-IPS-MAC:mac_addr": "m"},
                {"addr": "10.0.0.7", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "m"}]}}}),
        )
    })
    .await;
    let tags: Vec<String> =
        server.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    assert_eq!(
        tags,
        ["a:b=c", "canary:", "canary:no", "pool:blue", "pool:green", "role:web", "spare:"]
    );
    let disk = |id: &str, device: &str, boot| Attachment {
        id: VolumeId::from(id),
        device: device.to_owned(),
        boot,
    };
    assert_eq!(server.volumes, [disk("local", "/dev/vda", true), disk("v1", "", false)]);
    assert_eq!((server.flavor.as_str(), server.ram_mib), ("m1.small", Some(2_048)));
    let kinds: Vec<AddressKind> = server.addresses.iter().map(|address| address.kind).collect();
    assert_eq!(kinds, [AddressKind::Fixed, AddressKind::Floating]);
    assert!(server.locked && server.is_stopped());
}

#[tokio::test]
async fn a_server_that_boots_from_a_volume_has_no_local_disk() {
    let server = shown(|_| {
        say(
            200,
            &json!({"server": {"id": "s", "status": "ACTIVE", "image": "",
            "os-extended-volumes:volumes_attached": [{"id": "v1"}, {"id": "v2"}]}}),
        )
    })
    .await;
    assert_eq!(server.image.as_str(), "");
    assert_eq!(server.system_volume(), Some(&VolumeId::from("v1")));
    assert_eq!(server.data_volumes().collect::<Vec<_>>(), [&VolumeId::from("v2")]);
}

#[tokio::test]
async fn the_stub_of_a_cell_that_is_down_is_a_server_all_the_same() {
    let server = shown(|_| {
        say(
            200,
            &json!({"server": {"id": "s", "status": "UNKNOWN", "tenant_id": "p1",
                "created": "2026-01-02T03:04:05Z", "links": []}}),
        )
    })
    .await;
    assert_eq!(server.status, "UNKNOWN");
    assert!(!server.is_running() && !server.is_stopped());
    assert_eq!(server.created, Some(Timestamp(1_767_323_045_000)));
}

#[tokio::test]
async fn one_action_is_one_request_for_one_server() {
    let stop = |servers: &[&str], mode| Action::Stop {
        servers: servers.iter().map(|id| (*id).into()).collect(),
        mode,
    };
    for mode in [StopMode::Soft, StopMode::Hard] {
        let (reply, sent) = called(stop(&["s"], mode), |_| accepted("req-1")).await;
        let job = JobId::from("s/req-1");
        assert_eq!(reply, Ok(Answer::Accepted { job, request_id: Some("req-1".to_owned()) }));
        assert_eq!(sent[0].uri(), "https://nova.test/compute/v2.1/servers/s/action");
        assert_eq!(body(&sent[0]), json!({"os-stop": null}));
    }
    for wrong in [&[][..], &["s", "t"]] {
        let sent = failed(stop(wrong, StopMode::Soft), |_| accepted("req-1")).await;
        assert_eq!(sent, (FaultClass::Invalid, 0));
    }
    for foreign in [
        Action::ShowPassword { server: "s".into() },
        Action::Backup { server: "s".into(), vault: "v".to_owned(), name: "n".to_owned() },
        Action::ShowJob { job: "no-slash".into() },
        rebuild(None, Login::Kept),
    ] {
        let sent = failed(foreign, |_| panic!("nothing is sent")).await;
        assert_eq!(sent, (FaultClass::Invalid, 0));
    }
    for absent in [
        Action::ShowAgency,
        Action::ListKeys,
        Action::ShowQuota,
        Action::ListVaults { offset: 0, limit: 1 },
        Action::ListBackups { server: None, offset: 0, limit: 1 },
    ] {
        let sent = failed(absent, |_| panic!("nothing is sent")).await;
        assert_eq!(sent, (FaultClass::NotFound, 0));
    }
    let (reply, sent) =
        called(Action::ListSnapshots { offset: 0, limit: 1 }, |_| panic!("nothing is sent")).await;
    assert_eq!((reply, sent.len()), (Ok(Answer::Snapshots(Vec::new())), 0));
}

#[tokio::test]
async fn a_rebuild_says_what_changes_and_nothing_else() {
    let sent = async |login| {
        let (_, sent) = called(rebuild(Some("i"), login), |_| accepted("req-1")).await;
        body(&sent[0])["rebuild"].clone()
    };
    assert_eq!(sent(Login::Kept).await, json!({"imageRef": "i"}));
    let pair = Login::KeyPair { name: "k".to_owned(), owner: "u9".into() };
    assert_eq!(sent(pair).await, json!({"imageRef": "i", "key_name": "k"}));
    assert_eq!(sent(password()).await, json!({"imageRef": "i", "adminPass": "Sesame1!"}));
    let Action::Reinstall { server, mut request } = rebuild(Some("i"), Login::UserData) else {
        panic!("a rebuild")
    };
    request.user_data = Some(PinnedFile { path: "latin.sh".to_owned(), sha256: String::new() });
    let action = Action::Reinstall { server, request };
    let (_, sent) = called(action, |_| accepted("req-1")).await;
    let wanted = json!({"imageRef": "i", "user_data": "aHVudGVyMiD/"});
    assert_eq!(body(&sent[0])["rebuild"], wanted);
}

/// What Nova makes up when nobody gives a password.
const MADE_UP: &str = "Zx81-Spectrum-48K";

#[tokio::test]
async fn the_password_of_a_rebuild_is_told_by_nobody() {
    let yes: fn(&Request<Bytes>) -> Heard = |_| {
        let mut response = accepted("req-1")?;
        let body = json!({"server": {"id": "s", "adminPass": MADE_UP, "message": MADE_UP}});
        *response.body_mut() = body.to_string().into();
        Ok(response)
    };
    let nameless: fn(&Request<Bytes>) -> Heard =
        |_| say(202, &json!({"server": {"id": "s", "adminPass": MADE_UP}, "message": MADE_UP}));
    let (reply, _) = called(rebuild(Some("i"), Login::Kept), yes).await;
    assert!(reply.is_ok() && !format!("{reply:?}").contains(MADE_UP), "{reply:?}");
    let (reply, _) = called(rebuild(Some("i"), Login::Kept), nameless).await;
    assert!(!format!("{reply:?}").contains(MADE_UP), "{reply:?}");
    assert_eq!(reply.expect_err("accepted or not").class, FaultClass::Lost);
    let quoting: fn(&Request<Bytes>) -> Heard = |_| {
        let message = "Invalid input for field/attribute adminPass. Value: Sesame1!. Too short";
        say(400, &json!({"badRequest": {"code": 400, "message": message}}))
    };
    let (reply, _) = called(rebuild(Some("i"), password()), quoting).await;
    let fault = reply.expect_err("refused");
    assert!(fault.message.contains("[redacted]") && !fault.message.contains("Sesame1!"), "{fault}");
}

/// An answer that asks to come back in a while.
#[expect(clippy::unnecessary_wraps, reason = "the shape that every answer here has")]
fn later(status: u16) -> Heard {
    let answer = Response::builder().status(status).header("retry-after", "2");
    Ok(answer.body(Bytes::from_static(b"{}")).expect("a response"))
}

#[tokio::test]
async fn what_may_have_been_done_is_in_doubt() {
    let wipe = || rebuild(Some("i"), Login::Kept);
    let show = || Action::ShowServer { server: "s".into() };
    for (answer, to_wipe, to_show) in [
        (
            (|_| say(500, &json!({}))) as fn(&Request<Bytes>) -> Heard,
            FaultClass::Lost,
            FaultClass::Transient,
        ),
        (|_| say(503, &json!({})), FaultClass::Lost, FaultClass::Transient),
        (|_| later(503), FaultClass::Lost, FaultClass::Throttled),
        (|_| later(502), FaultClass::Lost, FaultClass::Transient),
        (|_| later(429), FaultClass::Throttled, FaultClass::Throttled),
        (|_| say(303, &json!({})), FaultClass::Lost, FaultClass::Invalid),
        (|_| say(307, &json!({})), FaultClass::Invalid, FaultClass::Invalid),
        (|_| say(425, &json!({})), FaultClass::Lost, FaultClass::Invalid),
        (|_| say(200, &json!({"login": "here"})), FaultClass::Lost, FaultClass::Transient),
        (|_| Err(NetError::Timeout), FaultClass::Lost, FaultClass::Transient),
        (|_| Err(NetError::Connect("no".to_owned())), FaultClass::Transient, FaultClass::Transient),
        (|_| say(403, &json!({})), FaultClass::Forbidden, FaultClass::Forbidden),
        (|_| say(404, &json!({})), FaultClass::NotFound, FaultClass::NotFound),
    ] {
        assert_eq!(failed(wipe(), answer).await, (to_wipe, 1));
        assert_eq!(failed(show(), answer).await, (to_show, 1));
    }
    let said = async |status, message: &'static str| {
        let net = cloud("2.96", move |_| {
            say(status, &json!({"conflictingRequest": {"code": status, "message": message}}))
        });
        let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
        cloud.call(wipe()).await.expect_err("refused")
    };
    let busy = said(409, "Cannot 'rebuild' instance s while it is in task_state rebuilding").await;
    assert_eq!(busy.class, FaultClass::Busy);
    let state = said(409, "Cannot 'rebuild' instance s while it is in vm_state paused").await;
    assert_eq!(state.class, FaultClass::State);
    let locked = said(409, "Instance s is locked").await;
    assert_eq!(locked.class, FaultClass::State);
    assert!(locked.message.contains("locked"), "{locked}");
    let quota = said(403, "Quota exceeded for instances: Requested 1, but already used 1").await;
    assert_eq!(quota.class, FaultClass::Quota);
}

#[tokio::test]
async fn the_log_of_a_server_tells_all_that_replaced_its_system_whatever_the_clocks_say() {
    let actions: fn(&Request<Bytes>) -> Heard = |request| {
        assert_eq!(request.uri().path(), "/compute/v2.1/servers/s/os-instance-actions");
        // The newest are on the first page, and no clock is asked about them.
        assert_eq!(request.uri().query(), Some("limit=200"));
        let one = |action: &str, id: &str, time: &str| {
            json!({"action": action, "request_id": id, "instance_uuid": "s", "message": null,
                "start_time": format!("2026-01-02T03:{time}.000000")})
        };
        // As Nova lists them; two hosts of nova-api date them by clocks of their own.
        say(
            200,
            &json!({"instanceActions": [one("rebuild", "req-5", "03:50"), one("stop", "req-4", "04:06"),
            one("evacuate", "req-3", "04:05"), one("rescue", "req-2", "04:05"),
            {"action": "rebuild", "request_id": "req-1"}, {"action": "rebuild"},
            one("create", "req-0", "00:00")]}),
        )
    };
    let since = Timestamp(1_767_323_045_999);
    let (reply, _) = called(Action::ListTraces { server: "s".into(), since }, actions).await;
    let Ok(Answer::Traces(traces)) = reply else { panic!("{reply:?}") };
    let told: Vec<(&str, Option<&str>)> = traces
        .iter()
        .map(|trace| (trace.name.as_str(), trace.job.as_ref().map(JobId::as_str)))
        .collect();
    assert_eq!(
        told,
        [
            ("rebuild", Some("s/req-5")),
            ("evacuate", Some("s/req-3")),
            ("rebuild", Some("s/req-1")),
            ("rebuild", None)
        ]
    );
    assert!(traces.iter().all(|trace| trace.code == 202));
}

#[tokio::test]
async fn a_nova_without_pages_of_actions_is_not_asked_for_one() {
    for (version, query) in [("2.57", None), ("2.58", Some("limit=200"))] {
        let net = cloud(version, move |request| {
            assert_eq!(request.uri().query(), query, "{version}");
            say(200, &json!({"instanceActions": []}))
        });
        let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
        let ask = Action::ListTraces { server: "s".into(), since: Timestamp(0) };
        assert!(matches!(cloud.call(ask).await, Ok(Answer::Traces(none)) if none.is_empty()));
    }
}

#[tokio::test]
async fn a_job_that_failed_says_why_if_the_cloud_does() {
    let job = async |event: Value| {
        let net = cloud("2.96", move |_| {
            say(
                200,
                &json!({"instanceAction": {"action": "rebuild", "request_id": "req-1", "message": "Error",
                    "events": [event]}}),
            )
        });
        let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
        match cloud.call(Action::ShowJob { job: "s/req-1".into() }).await {
            Ok(Answer::Job(job)) => (job.status, job.fail_reason),
            other => panic!("{other:?}"),
        }
    };
    let event = |key: &str, text: &str| json!({"event": "e", "result": "Error", key: text});
    let wanted = |text: &str| (JobStatus::Fail, Some(text.to_owned()));
    assert_eq!(job(event("x", "")).await, (JobStatus::Fail, None));
    assert_eq!(job(event("details", "No valid host")).await, wanted("No valid host"));
    let trace = "Traceback:\n  File \"x\"\nNoSpace: the disk is full\n";
    assert_eq!(job(event("traceback", trace)).await, wanted("NoSpace: the disk is full"));
    let other: fn(&Request<Bytes>) -> Heard =
        |_| say(200, &json!({"instanceAction": {"action": "rebuild", "request_id": "req-2"}}));
    let sent = failed(Action::ShowJob { job: "s/req-1".into() }, other).await;
    assert_eq!(sent, (FaultClass::Transient, 1));
}

#[tokio::test]
async fn images_are_found_by_their_whole_name() {
    let find = || Action::FindImages { name: "debian 13".to_owned() };
    let two: fn(&Request<Bytes>) -> Heard = |request| {
        assert_eq!(request.uri(), "https://glance.test/image/v2/images?limit=100&name=debian%2013");
        assert_eq!(header(request, "openstack-api-version"), "");
        let image = |id: &str, name: &str| {
            json!({"id": id, "name": name, "status": "active", "visibility": "community",
                "os_type": "windows", "min_disk": 20, "min_ram": 512})
        };
        say(200, &json!({"images": [image("a", "debian 13"), image("b", "debian 13.1")]}))
    };
    let (reply, _) = called(find(), two).await;
    let Ok(Answer::Images(found)) = reply else { panic!("{reply:?}") };
    let [Image { id, os_type, kind, min_disk_gib, min_ram_mib, .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((id.as_str(), os_type.as_str(), kind.as_str()), ("a", "Windows", "community"));
    assert_eq!((*min_disk_gib, *min_ram_mib), (20, 512));
    let many: fn(&Request<Bytes>) -> Heard =
        |_| say(200, &json!({"images": [], "next": "/v2/images?marker=x"}));
    assert_eq!(failed(find(), many).await, (FaultClass::Invalid, 1));
}

#[tokio::test]
async fn volumes_are_those_of_cinder_where_there_is_one() {
    let list = Action::ListVolumes { offset: 100, limit: 50 };
    let (reply, sent) = called(list.clone(), |_| panic!("there is no Cinder")).await;
    assert_eq!((reply, sent.len()), (Ok(Answer::Volumes(Vec::new())), 0));
    let net = Net::new(|request| match request.uri().path() {
        path if path.ends_with("/v3/auth/tokens") => {
            let mut services = USUAL.to_vec();
            services.push(("block-storage", "https://cinder.test/volume/v3/p1"));
            token("T1", &catalog(&services))
        }
        "/compute/v2.1/" => version("2.96"),
        "/volume/v3/p1/volumes/detail" => {
            assert_eq!(request.uri().query(), Some("limit=50&offset=100"));
            say(
                200,
                &json!({"volumes": [{"id": "v1", "size": 20, "status": "in-use", "volume_type": "ssd",
                    "encrypted": false, "attachments": [{"server_id": "s"}]}]}),
            )
        }
        other => panic!("{other}"),
    });
    let cloud = connect_any(CREDENTIAL, &net).await.expect("a cloud");
    let Ok(Answer::Volumes(volumes)) = cloud.call(list).await else { panic!("no volumes") };
    assert_eq!((volumes[0].id.as_str(), volumes[0].size_gib), ("v1", 20));
    assert_eq!(volumes[0].server, Some("s".into()));
}
