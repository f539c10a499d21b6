//! One request goes out, one answer comes back: the seam under which any network can be put.
//!
//! Start with [`Transport`]; [`HttpTransport`] is the real one and the only place that knows
//! reqwest. It never retries, never follows a redirect (a signature covers the host) and takes no
//! proxy from the environment by surprise.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a whole answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Shorter than servers keep idle connections, so that a request is seldom sent into a closing one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// No connection, so nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// No answer in time; perhaps the request arrived.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke; perhaps the request arrived.
    #[error("the connection broke: {0}")]
    Reset(String),
    /// Something else; perhaps the request arrived.
    #[error("{0}")]
    Other(String),
}

/// An answer on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, NetError>> + Send + 'a>>;

/// A network.
pub trait Transport: Send + Sync {
    /// Sends one request, once.
    fn send(&self, request: Request<Bytes>) -> Sending<'_>;
}

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// None: for plain HTTP on this machine. The platform's certificates are not even loaded.
    PlainHttp,
    /// Those of the platform.
    Platform,
    /// Those of the platform and of that PEM text.
    PlatformAnd(Vec<u8>),
    /// All, as the user asked with `verify: false`.
    Anything,
}

/// The real network.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A network with connections that are kept for the next request.
    pub fn new(trust: &Trust) -> Result<Self, NetError> {
        // Installed already is just as good: reqwest only needs that there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = reqwest::Client::builder()
            .user_agent(concat!("refleet/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT);
        let builder = match trust {
            Trust::PlainHttp => builder.tls_certs_only([]),
            Trust::Platform => builder,
            Trust::PlatformAnd(pem) => builder
                .tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(|e| told(&e))?),
            Trust::Anything => builder.tls_danger_accept_invalid_certs(true),
        };
        Ok(Self { client: builder.build().map_err(|e| told(&e))? })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|e| told(&e))?;
            let answer = self.client.execute(request).await.map_err(|e| told(&e))?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await.map_err(|e| told(&e))?;
            Ok(response)
        })
    }
}

/// The error in our words. Nothing was sent only where that is certain.
fn told(error: &reqwest::Error) -> NetError {
    if error.is_connect() || error.is_builder() {
        NetError::Connect(root_cause(error))
    } else if error.is_timeout() {
        NetError::Timeout
    } else if error.is_request() || error.is_body() || error.is_decode() {
        NetError::Reset(root_cause(error))
    } else {
        NetError::Other(root_cause(error))
    }
}

/// The innermost sentence: the outer ones only repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
