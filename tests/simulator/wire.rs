//! A client for the tests: plain requests, and a wall clock that stands still until it is moved.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail anywhere")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use refleet::cloud::sign::{Outgoing, sign};
use refleet::domain::{Millis, Timestamp};
use refleet::simulator::http::{Options, Running, serve};
use refleet::simulator::{Account, Faults, WorldSpec};
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// A simulated cloud on a port of its own, and a client with a token.
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    pub(crate) account: Account,
    pub(crate) token: String,
    client: Client,
    clock: Arc<AtomicI64>,
    _running: Running,
}

impl Cloud {
    pub(crate) async fn healthy(servers: u32) -> Self {
        Self::with(WorldSpec::healthy(servers), Faults::default(), 1.0).await
    }

    /// The world of that file, where nothing goes wrong.
    pub(crate) async fn of(text: &str) -> Self {
        Self::with(WorldSpec::from_yaml(text).expect(text), Faults::default(), 1.0).await
    }

    pub(crate) async fn with(spec: WorldSpec, faults: Faults, speed: f64) -> Self {
        let _perhaps_already = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let told = Arc::clone(&clock);
        let told = Arc::new(move || Timestamp(told.load(Ordering::SeqCst)));
        let options = Options { speed, seed: 1, faults, clock: told };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (running, served) = serve(listener, spec, options).expect("an address");
        tokio::spawn(served);
        let endpoint = running.endpoint().to_owned();
        let account = running.account().clone();
        let client = Client::builder().no_proxy().build().expect("a client");
        let token = String::new();
        let mut cloud = Self { endpoint, account, token, client, clock, _running: running };
        let password = cloud.account.password.clone();
        let issued = cloud.token_for(&password).await;
        let token = issued.headers().get("x-subject-token").expect("a token");
        token.to_str().expect("text").clone_into(&mut cloud.token);
        cloud
    }

    /// Lets the wall clock go on.
    pub(crate) fn pass(&self, length: Millis) {
        self.clock.fetch_add(i64::try_from(length.0).expect("short"), Ordering::SeqCst);
    }

    fn url(&self, path: &str) -> String {
        format!("{}{}", self.endpoint, path.replace("{p}", &self.account.project_id))
    }

    pub(crate) async fn token_for(&self, password: &str) -> Response {
        let account = &self.account;
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": account.username, "password": password,
                "domain": {"name": account.domain_name}}}},
            "scope": {"project": {"name": account.project_name}}}});
        let request = self.client.post(self.url("/v3/auth/tokens")).body(body.to_string());
        request.send().await.expect("an answer")
    }

    pub(crate) async fn bare(&self, path: &str, token: Option<&str>) -> Response {
        let mut request = self.client.get(self.url(path));
        if let Some(token) = token {
            request = request.header("X-Auth-Token", token);
        }
        request.send().await.expect("an answer")
    }

    /// Ends a token by another one.
    pub(crate) async fn revoke(&self, by: &str, token: &str) -> (u16, String) {
        let request = self.client.delete(self.url("/v3/auth/tokens"));
        let request = request.header("X-Auth-Token", by).header("X-Subject-Token", token);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    pub(crate) async fn signed(&self, path: &str, secret: &str, skew: i64) -> Response {
        self.signed_as((&self.account.access_key, secret, None), path, skew).await
    }

    /// Signed with those keys, and with a security token where there is one.
    pub(crate) async fn signed_as(
        &self,
        (access, secret, session): (&str, &str, Option<&str>),
        path: &str,
        skew: i64,
    ) -> Response {
        let path = path.replace("{p}", &self.account.project_id);
        let (bare, query) = path.split_once('?').unwrap_or((&path, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query: Vec<_> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let host = self.endpoint.trim_start_matches("http://");
        let outgoing =
            Outgoing { method: "GET", host, path: bare, query: &query, headers: &[], body: b"" };
        let now = Timestamp(self.clock.load(Ordering::SeqCst) + skew);
        let signed = sign(&outgoing, access, secret, now);
        let mut request = self.client.get(self.url(&path));
        if let Some(session) = session {
            request = request.header("X-Security-Token", session);
        }
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.bare(path, Some(&self.token)).await;
        assert_eq!(answer.status(), 200, "{path}");
        json_of(answer).await
    }

    /// Any request with the token: its status and body.
    pub(crate) async fn any(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, self.url(path));
        request = request.header("X-Auth-Token", &self.token);
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// What is told to anybody.
    pub(crate) async fn get_public(&self, path: &str) -> Value {
        json_of(self.bare(path, None).await).await
    }

    async fn send(&self, path: &str, body: String) -> reqwest::Result<Response> {
        let request = self.client.post(self.url(path)).header("X-Auth-Token", &self.token);
        request.body(body).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.send(path, body.to_string()).await.expect("an answer");
        let status = answer.status();
        let body = json_of(answer).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Status and body, whatever they are.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.send(path, body.to_string()).await.expect("an answer");
        (answer.status().as_u16(), json_of(answer).await)
    }

    pub(crate) async fn set_faults(&self, faults: &str) {
        let answer = self.send("/_refleet/faults", faults.to_owned()).await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }

    pub(crate) async fn server_id(&self, n: usize) -> String {
        let list = self.get("/v1/{p}/cloudservers/detail").await;
        list["servers"][n]["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn server(&self, id: &str) -> Value {
        self.get(&format!("/v1/{{p}}/cloudservers/{id}")).await["server"].clone()
    }

    /// The id of a server, once it is stopped.
    pub(crate) async fn stopped(&self, n: usize) -> String {
        let id = self.server_id(n).await;
        let stop = json!({"os-stop": {"type": "HARD", "servers": [{"id": id}]}});
        self.post("/v1/{p}/cloudservers/action", &stop).await;
        self.pass(Millis::secs(10));
        id
    }

    pub(crate) async fn try_reinstall(&self, id: &str) -> reqwest::Result<Response> {
        let (key, owner) = (&self.account.key_name, &self.account.user_id);
        let body = json!({"os-reinstall": {"keyname": key, "userid": owner}});
        self.send(&format!("/v2/{{p}}/cloudservers/{id}/reinstallos"), body.to_string()).await
    }

    /// The job of a reinstall.
    pub(crate) async fn reinstall(&self, id: &str) -> String {
        let answer = json_of(self.try_reinstall(id).await.expect("an answer")).await;
        answer["job_id"].as_str().unwrap_or_else(|| panic!("no job: {answer}")).to_owned()
    }
}

async fn json_of(answer: Response) -> Value {
    let text = answer.text().await.expect("text");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// HTTP status and the code in the body, wherever that is.
pub(crate) async fn status_of(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body = json_of(answer).await;
    let places = [&body["error_code"], &body["error"]["code"], &body["itemNotFound"]["code"]];
    let code = places.iter().find_map(|code| code.as_str()).unwrap_or("").to_owned();
    (status, code)
}
