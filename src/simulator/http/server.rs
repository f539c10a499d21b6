//! The port: connections in, `front` in the middle, answers out — or not.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::super::{Account, Faults, WorldSpec};
use super::front::{Front, Sent};
use super::line::{Line, Port};
use super::message::{Incoming, Outgoing};
use crate::domain::Timestamp;

/// Tells the wall clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a simulated cloud on a port is like.
#[derive(Clone)]
pub struct Options {
    /// Durations are divided by it.
    pub speed: f64,
    /// Everything random comes from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// The wall clock.
    pub clock: Clock,
}

/// A simulated cloud that is being served.
pub struct Running {
    endpoint: String,
    account: Account,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Where it is: `http://127.0.0.1:…`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How to get in.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Ends it, once requests in flight are answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

type Shared = Arc<Mutex<Front>>;

/// Serves a world on that listener. Nothing happens until the future is polled; it ends when
/// [`Running::stop`] was called or [`Running`] was dropped.
pub fn serve(
    listener: TcpListener,
    spec: WorldSpec,
    options: Options,
) -> io::Result<(Running, impl Future<Output = io::Result<()>> + Send + 'static)> {
    let endpoint = format!("http://{}", listener.local_addr()?);
    let front = Front::new(spec, options, endpoint.clone());
    let account = front.account().clone();
    let (stop, mut stopped) = watch::channel(false);
    let shared: Shared = Arc::new(Mutex::new(front));
    let router = Router::new().fallback(answer).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Line>();
    let served = async move {
        axum::serve(Port(listener), service)
            .with_graceful_shutdown(async move {
                let _asked_or_dropped = stopped.wait_for(|stop| *stop).await;
            })
            .await
    };
    Ok((Running { endpoint, account, stop }, served))
}

async fn answer(
    State(front): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    (method, uri): (Method, Uri),
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let incoming = Incoming {
        method: method.as_str().to_owned(),
        target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers.iter().map(|(k, v)| (k.as_str().to_owned(), text(v))).collect(),
        body: body.to_vec(),
    };
    let (outgoing, sent) = front.lock().unwrap_or_else(PoisonError::into_inner).handle(&incoming);
    match sent {
        Sent::Whole => {}
        Sent::Nothing => line.cut_after(0),
        Sent::Cut => line.cut_after(60),
    }
    written(outgoing)
}

fn written(outgoing: Outgoing) -> Response<Body> {
    let mut response = Response::new(Body::from(outgoing.body));
    *response.status_mut() =
        StatusCode::from_u16(outgoing.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in outgoing.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
