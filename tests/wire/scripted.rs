//! A network that is not there: it answers by a function, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use refleet::cloud::config::{self, CloudConfig, Sources};
use refleet::cloud::http::{Sending, Transport};
use refleet::cloud::huawei::{ConnectError, HuaweiCloud, Secrets};
use refleet::cloud::{self, AnyCloud, NetError, Sent};
use refleet::domain::{Action, PinnedFile, SecretRef, SecretSource, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp(1_767_323_045_000);
pub(crate) const PASSWORD: &str = "
clouds: {c: {region_name: eu-de, x_refleet: {provider: huaweicloud}, auth: {auth_url: 'https://iam.example.test/v3', username: ops,
  password: hush, user_domain_name: OTC-EU-DE-00000000001000000001, project_name: eu-de}}}";
pub(crate) const KEYS: &str = "
clouds: {c: {auth: {auth_url: 'https://iam.example.test/v3', ak: AK1, sk: SK1,
  security_token: ST1, project_name: eu-de_prod}}}";

pub(crate) type Answering =
    dyn Fn(&Request<Bytes>) -> Result<Response<Bytes>, NetError> + Send + Sync;

/// Answers by a function, and remembers what it was asked.
pub(crate) struct Net {
    answer: Box<Answering>,
    seen: Mutex<Vec<Request<Bytes>>>,
}

impl Net {
    pub(crate) fn new(
        answer: impl Fn(&Request<Bytes>) -> Result<Response<Bytes>, NetError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default() })
    }

    pub(crate) fn seen(&self) -> Vec<Request<Bytes>> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
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

/// What `template.sh` says.
pub(crate) const TEMPLATE: &[u8] = b"hunter2 {{ host.name }} {{host.name}} of {{ vars.r }}\n";

pub(crate) struct Kept;

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
        match file.path.as_str() {
            "template.sh" => Ok(TEMPLATE.to_vec()),
            "latin.sh" => Ok(b"hunter2 \xff".to_vec()),
            path => Err(format!("{path} was changed since the plan was made")),
        }
    }
}

pub(crate) fn configured(text: &str) -> CloudConfig {
    let variables = BTreeMap::new();
    let read = |path: &str| (path == "clouds.yaml").then(|| text.to_owned());
    let sources = Sources { variables: &variables, clouds_file: None, read: &read };
    config::load("c", None, None, &sources).expect("a cloud")
}

pub(crate) async fn connect(text: &str, net: &Arc<Net>) -> Result<HuaweiCloud, ConnectError> {
    let transport: Arc<dyn Transport> = Arc::<Net>::clone(net);
    let (config, clock) = (configured(text), Arc::new(|| NOW));
    HuaweiCloud::connect(config, transport, Arc::new(Kept), clock, Sent::default()).await
}

/// The same for a cloud of whatever family.
pub(crate) async fn connect_any(text: &str, net: &Arc<Net>) -> Result<AnyCloud, ConnectError> {
    let transport: Arc<dyn Transport> = Arc::<Net>::clone(net);
    let (config, clock) = (configured(text), Arc::new(|| NOW));
    cloud::connect(config, transport, Arc::new(Kept), clock, Sent::default()).await
}

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW.0)))
    }

    pub(crate) fn clock(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let hands = Arc::clone(&self.0);
        Arc::new(move || Timestamp(hands.load(Ordering::SeqCst)))
    }

    /// How far it was moved.
    pub(crate) fn seconds(&self) -> i64 {
        (self.0.load(Ordering::SeqCst) - NOW.0) / 1_000
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

/// The same with a clock that moves.
pub(crate) async fn connect_by(
    text: &str,
    net: &Arc<Net>,
    hands: &Hands,
) -> Result<HuaweiCloud, ConnectError> {
    let transport: Arc<dyn Transport> = Arc::<Net>::clone(net);
    let (config, clock) = (configured(text), hands.clock());
    HuaweiCloud::connect(config, transport, Arc::new(Kept), clock, Sent::default()).await
}

/// What an attempt to connect failed with.
pub(crate) async fn refused(text: &str, net: &Arc<Net>) -> String {
    match connect(text, net).await {
        Ok(_) => panic!("it must not connect"),
        Err(error) => error.to_string(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a network says is a result")]
pub(crate) fn say(status: u16, body: &Value) -> Result<Response<Bytes>, NetError> {
    Ok(Response::builder().status(status).body(body.to_string().into()).expect("a response"))
}

/// A token answer with that token in its header.
pub(crate) fn token(text: &str) -> Result<Response<Bytes>, NetError> {
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

pub(crate) fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

pub(crate) fn is_login(request: &Request<Bytes>) -> bool {
    request.uri().path() == "/v3/auth/tokens"
}

pub(crate) const SHOW: &str = "/v1/p1/cloudservers/s";

pub(crate) fn show() -> Action {
    Action::ShowServer { server: "s".into() }
}

pub(crate) fn server() -> Result<Response<Bytes>, NetError> {
    say(200, &json!({"server": {"id": "s", "status": "SHUTOFF"}}))
}
