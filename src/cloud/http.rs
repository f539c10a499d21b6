//! One request goes out, one answer comes back: the seam under which any network can be put.
//!
//! Start with [`Transport`]; [`HttpTransport`] is the real one and the only place that knows
//! reqwest. It never retries, never follows a redirect (a signature covers the host) and knows the
//! proxies that it is given, not those of the process.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use secrecy::{ExposeSecret, SecretString};

use super::proxy::{ALWAYS_DIRECT, Proxies};

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

/// How the network is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Which certificates are trusted.
    pub trust: Trust,
    /// Our own certificate with its private key, PEM, where the cloud asks for one.
    pub certificate: Option<SecretString>,
    /// Who stands between.
    pub proxies: Proxies,
}

impl Access {
    /// Directly, without a certificate of our own.
    #[must_use]
    pub fn direct(trust: Trust) -> Self {
        Self { trust, certificate: None, proxies: Proxies::default() }
    }
}

/// The real network.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A network with connections that are kept for the next request.
    pub fn new(access: &Access) -> Result<Self, NetError> {
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
        let builder = match &access.trust {
            Trust::PlainHttp => builder.tls_certs_only([]),
            Trust::Platform => builder,
            Trust::PlatformAnd(pem) => builder.tls_certs_merge(authorities(pem)?),
            Trust::Anything => builder.tls_danger_accept_invalid_certs(true),
        };
        let builder = match &access.certificate {
            Some(pem) => builder.identity(own_certificate(pem)?),
            None => builder,
        };
        let builder =
            proxies(&access.proxies)?.into_iter().fold(builder, reqwest::ClientBuilder::proxy);
        Ok(Self { client: builder.build().map_err(|e| told(&e))? })
    }
}

impl HttpTransport {
    /// The status that an address answers a GET with. What it sends behind that is not read: a probe
    /// has no use for it, and it may have no end.
    pub async fn status(&self, url: &str) -> Result<http::StatusCode, NetError> {
        let answer = self.client.get(url).send().await.map_err(|error| told(&error))?;
        Ok(answer.status())
    }
}

fn authorities(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, NetError> {
    let read = reqwest::Certificate::from_pem_bundle(pem).ok().filter(|found| !found.is_empty());
    read.ok_or_else(|| NetError::Connect("cacert has no certificate in PEM form".to_owned()))
}

fn own_certificate(pem: &SecretString) -> Result<reqwest::Identity, NetError> {
    reqwest::Identity::from_pem(pem.expose_secret().as_bytes()).map_err(|_| {
        let what = "cert and key are not a certificate and its private key in PEM form";
        NetError::Connect(what.to_owned())
    })
}

fn proxies(told_of: &Proxies) -> Result<Vec<reqwest::Proxy>, NetError> {
    let except = format!("{ALWAYS_DIRECT},{}", told_of.except);
    let direct = || reqwest::NoProxy::from_string(&except);
    let of = |address: &SecretString, make: fn(String) -> reqwest::Result<reqwest::Proxy>| {
        // The address may hold a password, so the error is not passed on.
        let made = make(address.expose_secret().to_owned());
        let made = made.map_err(|_| NetError::Connect("the proxy has no good address".to_owned()));
        made.map(|proxy| proxy.no_proxy(direct()))
    };
    let https = told_of.https.iter().map(|address| of(address, reqwest::Proxy::https));
    let http = told_of.http.iter().map(|address| of(address, reqwest::Proxy::http));
    https.chain(http).collect()
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
    if let Some(problem) = certificate_problem(error) {
        NetError::Connect(problem)
    } else if error.is_connect() || error.is_builder() {
        NetError::Connect(root_cause(error))
    } else if error.is_timeout() {
        NetError::Timeout
    } else if error.is_request() || error.is_body() || error.is_decode() {
        NetError::Reset(root_cause(error))
    } else {
        NetError::Other(root_cause(error))
    }
}

/// What is wrong with the server's certificate, if that is the trouble, and the mend.
#[expect(clippy::wildcard_enum_match_arm, reason = "of rustls, and it may grow")]
fn certificate_problem(error: &reqwest::Error) -> Option<String> {
    use rustls::CertificateError as Wrong;
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    let wrong = loop {
        match cause.map(tls_error)? {
            Some(rustls::Error::InvalidCertificate(wrong)) => break wrong,
            _ => cause = cause?.source(),
        }
    };
    let mend = match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "it has expired",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "it is not valid yet: look at this machine's clock"
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "it is for another host: look at auth_url"
        }
        Wrong::Revoked => "it was revoked",
        _ => {
            "nobody that this machine trusts has signed it: if it is right, name its authority's \
             PEM file as cacert"
        }
    };
    Some(format!("the server's certificate is refused: {mend} ({wrong})"))
}

/// rustls travels inside of `io::Error`, even of one in another, whose source skips it.
fn tls_error<'e>(cause: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => cause.downcast_ref(),
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
