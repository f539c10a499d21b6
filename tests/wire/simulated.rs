//! The client against the simulated cloud, over HTTP: what both make of the same documents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use refleet::cloud::config::{self, Sources};
use refleet::cloud::http::HttpTransport;
use refleet::cloud::huawei::{ConnectError, HuaweiCloud, Secrets};
use refleet::cloud::{Cloud, Sent};
use refleet::domain::{
    Action, AgencyState, Answer, Encryption, FaultClass, InstallCall, JobId, JobStatus, Login,
    Page, PasswordLook, PinnedFile, ReinstallRequest, SecretRef, Server, StopMode, Timestamp,
    UserId,
};
use refleet::simulator::http::{Options, Running, serve};
use refleet::simulator::{Faults, WorldSpec};
use secrecy::SecretString;

/// A clock that moves when it is told to.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_767_323_045_000)))
    }

    fn clock(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let hands = Arc::clone(&self.0);
        Arc::new(move || Timestamp(hands.load(Ordering::SeqCst)))
    }

    fn forward(&self, minutes: i64) {
        self.0.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &SecretRef) -> Result<SecretString, String> {
        Err("there are none".to_owned())
    }

    fn file(&self, _: &PinnedFile) -> Result<Vec<u8>, String> {
        Err("there are none".to_owned())
    }
}

async fn simulated(servers: u32, hands: &Hands) -> Running {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let faults = Faults::named("none").expect("no faults");
    let options = Options { speed: 1.0, seed: 7, faults, clock: hands.clock() };
    let (running, served) = serve(listener, WorldSpec::healthy(servers), options).expect("a cloud");
    drop(tokio::spawn(served));
    running
}

/// The entry of clouds.yaml, with keys or with a password.
fn entry(running: &Running, keys: &str) -> String {
    let account = running.account();
    format!(
        "clouds: {{sim: {{region_name: eu-de, auth: {{auth_url: '{}/v3', project_name: {}, {keys}}}}}}}",
        running.endpoint(),
        account.project_name,
    )
}

fn with_password(running: &Running) -> String {
    let account = running.account();
    let (user, password, domain) = (&account.username, &account.password, &account.domain_name);
    entry(running, &format!("username: {user}, password: {password}, user_domain_name: {domain}"))
}

fn with_keys(running: &Running) -> String {
    let account = running.account();
    entry(running, &format!("ak: '{}', sk: '{}'", account.access_key, account.secret_key))
}

async fn connect(text: &str, hands: &Hands) -> Result<HuaweiCloud, ConnectError> {
    let variables = BTreeMap::new();
    let read = |path: &str| (path == "clouds.yaml").then(|| text.to_owned());
    let sources = Sources { variables: &variables, clouds_file: None, read: &read };
    let config = config::load("sim", None, None, &sources).expect("an entry");
    let network = HttpTransport::new(&config.access).expect("a network");
    let (network, clock, sent) = (Arc::new(network), hands.clock(), Sent::default());
    HuaweiCloud::connect(config, network, Arc::new(NoSecrets), clock, sent).await
}

async fn servers(cloud: &HuaweiCloud) -> Vec<Server> {
    match cloud.call(Action::ListServers { page: Page::FIRST, limit: 1000 }).await {
        Ok(Answer::Servers { servers, .. }) => servers,
        other => panic!("{other:?}"),
    }
}

async fn accepted(cloud: &HuaweiCloud, action: Action) -> JobId {
    match cloud.call(action).await {
        Ok(Answer::Accepted { job, .. }) => job,
        other => panic!("{other:?}"),
    }
}

async fn done(cloud: &HuaweiCloud, job: JobId) {
    match cloud.call(Action::ShowJob { job }).await {
        Ok(Answer::Job(job)) => assert_eq!(job.status, JobStatus::Success, "{job:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn both_ways_in_lead_to_the_same_place() {
    let hands = Hands::new();
    let running = simulated(4, &hands).await;
    let by_password = connect(&with_password(&running), &hands).await.expect("a cloud");
    let by_keys = connect(&with_keys(&running), &hands).await.expect("a cloud");
    let account = running.account();
    for cloud in [&by_password, &by_keys] {
        let who = cloud.identity();
        assert_eq!(who.project_id, account.project_id);
        assert_eq!(who.user_id, UserId::from(account.user_id.as_str()));
    }
    assert_eq!(servers(&by_password).await, servers(&by_keys).await);
    assert_eq!(servers(&by_keys).await.len(), 4);
}

#[tokio::test]
async fn every_question_is_understood() {
    let hands = Hands::new();
    let running = simulated(3, &hands).await;
    for text in [with_password(&running), with_keys(&running)] {
        let cloud = connect(&text, &hands).await.expect("a cloud");
        let one = servers(&cloud).await.remove(0);
        let shown = cloud.call(Action::ShowServer { server: one.id.clone() }).await;
        assert_eq!(shown, Ok(Answer::Server(Box::new(one.clone()))));
        let reply = cloud.call(Action::ListVolumes { offset: 0, limit: 1000 }).await;
        let Ok(Answer::Volumes(volumes)) = reply else { panic!("{reply:?}") };
        assert!(volumes.iter().any(|volume| Some(&volume.id) == one.system_volume()));
        let reply = cloud.call(Action::ShowQuota).await;
        assert!(matches!(reply, Ok(Answer::Quota(_))), "{reply:?}");
        let reply = cloud.call(Action::ShowImage { image: one.image.clone() }).await;
        let Ok(Answer::Image(Some(image))) = reply else { panic!("{reply:?}") };
        assert!(image.cloud_init && image.registered);
        let name = running.account().key_name.clone();
        let reply = cloud.call(Action::ShowKeyPair { name: name.clone() }).await;
        let Ok(Answer::KeyPair(Some(pair))) = reply else { panic!("{reply:?}") };
        assert_eq!(pair.name, name);
        let reply = cloud.call(Action::ListKeys).await;
        assert!(matches!(reply, Ok(Answer::Keys(_))), "{reply:?}");
        let reply = cloud.call(Action::ShowKey { key: "no-such-key".to_owned() }).await;
        assert_eq!(reply, Ok(Answer::Key(None)));
        let reply = cloud.call(Action::ShowAgency).await;
        let Ok(Answer::Agency { state: AgencyState::Granted, id: Some(agency) }) = reply else {
            panic!("{reply:?}")
        };
        let reply = cloud.call(Action::ListAgencyRoles { agency }).await;
        assert_eq!(
            reply,
            Ok(Answer::AgencyRoles(Some(vec!["KMS Administrator (kms_adm)".to_owned()])))
        );
        let reply = cloud.call(Action::ListSnapshots { offset: 0, limit: 1000 }).await;
        assert_eq!(reply, Ok(Answer::Snapshots(Vec::new())));
        let reply = cloud.call(Action::ShowPassword { server: one.id.clone() }).await;
        assert_eq!(reply, Ok(Answer::Password(PasswordLook::NotYet)), "it runs Linux");
        let nobody = cloud.call(Action::ShowServer { server: "nobody".into() }).await;
        assert_eq!(nobody.expect_err("nobody").class, FaultClass::NotFound);
    }
}

#[tokio::test]
async fn a_server_is_stopped_wiped_and_found_in_the_log() {
    let hands = Hands::new();
    let running = simulated(2, &hands).await;
    let cloud = connect(&with_keys(&running), &hands).await.expect("a cloud");
    let before = servers(&cloud).await.remove(0);
    let wipe = Action::Reinstall {
        server: before.id.clone(),
        request: Box::new(ReinstallRequest {
            call: InstallCall::V2,
            image: None,
            login: Login::KeyPair {
                name: running.account().key_name.clone(),
                owner: cloud.identity().user_id.clone(),
            },
            user_data: None,
            inserts: None,
            byol: false,
            encryption: Encryption::None,
        }),
    };
    let refused = cloud.call(wipe.clone()).await.expect_err("it is running");
    assert_eq!((refused.class, refused.code.as_str()), (FaultClass::State, "Ecs.0100"));

    let stop = Action::Stop { servers: vec![before.id.clone()], mode: StopMode::Soft };
    let job = accepted(&cloud, stop).await;
    hands.forward(10);
    done(&cloud, job).await;
    let since = Timestamp(1_767_323_045_000);
    let job = accepted(&cloud, wipe).await;
    hands.forward(10);
    done(&cloud, job).await;
    let after = servers(&cloud).await;
    let after = after.iter().find(|server| server.id == before.id).expect("it is there");
    assert_ne!(after.system_volume(), before.system_volume());
    assert!(after.data_volumes().eq(before.data_volumes()));
    let reply = cloud.call(Action::ListTraces { server: before.id, since }).await;
    let Ok(Answer::Traces(traces)) = reply else { panic!("{reply:?}") };
    assert!(traces.iter().any(|trace| trace.name == "reinstallOsV2" && trace.code == 200));
}

#[tokio::test]
async fn a_token_that_died_is_renewed_and_wrong_secrets_are_refused() {
    let hands = Hands::new();
    let running = simulated(1, &hands).await;
    let cloud = connect(&with_password(&running), &hands).await.expect("a cloud");
    hands.forward(25 * 60);
    assert_eq!(servers(&cloud).await.len(), 1);
    let wrong = with_keys(&running).replace(&running.account().secret_key, "wrong");
    let Err(error) = connect(&wrong, &hands).await else { panic!("it must not connect") };
    assert!(error.to_string().contains("HTTP 401"), "{error}");
    let refused = async |text: String| match connect(&text, &hands).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it must not connect"),
    };
    let good = with_password(&running);
    let wrong = refused(good.replace(&running.account().password, "other")).await;
    assert!(wrong.contains(": HTTP 401: The username or password is wrong; look at"), "{wrong}");
    let wrong = refused(good.replace(&running.account().project_name, "elsewhere")).await;
    let there = &running.account().project_name;
    assert_eq!(wrong, format!("find project \"elsewhere\": this user may use {there}"));
}
