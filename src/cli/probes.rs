//! Who looks at servers from outside: the probes, or in a rehearsal the simulated cloud
//! (`safety.md`, S20: a rehearsal never touches anything real). Start with [`prober`].

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use serde::Deserialize;

use crate::cloud::http::Transport;
use crate::domain::{Answer, Millis, ProbeReport, ProbeSpec, ServerId};
use crate::probe;
use crate::run::{ProbeFuture, Prober};

/// One look never takes longer.
const PATIENCE: Millis = Millis::secs(10);

/// The prober of a cloud at that address: a simulated one is asked over the same network.
pub(super) fn prober(
    simulated: bool,
    auth_url: &str,
    network: &Arc<dyn Transport>,
) -> Arc<dyn Prober> {
    if simulated {
        Arc::new(Rehearsed { origin: origin(auth_url), network: Arc::clone(network) })
    } else {
        Arc::new(Real)
    }
}

/// Looks at servers.
struct Real;

impl Prober for Real {
    fn probe(&self, _server: &ServerId, spec: &ProbeSpec) -> ProbeFuture {
        let spec = spec.clone();
        Box::pin(async move { Ok(Answer::Probe(probe::run(&spec, PATIENCE).await)) })
    }
}

/// Asks the simulator itself, past the cloud's API: a look from outside is no request to the cloud.
struct Rehearsed {
    origin: String,
    network: Arc<dyn Transport>,
}

impl Prober for Rehearsed {
    fn probe(&self, server: &ServerId, spec: &ProbeSpec) -> ProbeFuture {
        let ProbeSpec::Tcp { port, .. } = spec;
        let url = format!("{}/_refleet/probe?server={server}&port={port}", self.origin);
        let network = Arc::clone(&self.network);
        Box::pin(async move {
            Ok(Answer::Probe(match ask(&*network, &url).await {
                Ok(()) => ProbeReport::Passed,
                Err(detail) => ProbeReport::Failed { detail },
            }))
        })
    }
}

/// What the simulator says.
#[derive(Deserialize)]
struct Look {
    open: bool,
}

async fn ask(network: &dyn Transport, url: &str) -> Result<(), String> {
    let request = Request::get(url).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer = network.send(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("{url} is no simulator of refleet: HTTP {}", answer.status()));
    }
    match serde_json::from_slice(answer.body()) {
        Ok(Look { open: true }) => Ok(()),
        Ok(Look { open: false }) => Err("the simulated server does not answer yet".to_owned()),
        Err(error) => Err(format!("{url} is no simulator of refleet: {error}")),
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_owned() };
    let host = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{host}", uri.scheme_str().unwrap_or("http"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::Response;

    use super::*;
    use crate::cloud::http::{NetError, Sending};

    /// A network that answers always the same, and remembers what it was asked.
    struct Canned(u16, &'static str, Mutex<Vec<String>>);

    impl Transport for Canned {
        fn send(&self, request: Request<Bytes>) -> Sending<'_> {
            self.2.lock().unwrap().push(request.uri().to_string());
            Box::pin(async move {
                let answer = Response::builder().status(self.0).body(Bytes::from(self.1));
                answer.map_err(|error| NetError::Other(error.to_string()))
            })
        }
    }

    async fn probed(status: u16, body: &'static str) -> (ProbeReport, Vec<String>) {
        let network = Arc::new(Canned(status, body, Mutex::default()));
        let seam: Arc<dyn Transport> = Arc::<Canned>::clone(&network);
        let prober = prober(true, "http://127.0.0.1:8080/v3", &seam);
        let spec = ProbeSpec::Tcp { addr: "10.0.0.1".to_owned(), port: 22 };
        let answer = prober.probe(&ServerId::from("s-1"), &spec).await.unwrap();
        let Answer::Probe(report) = answer else { unreachable!("a probe answers with a report") };
        let asked = network.2.lock().unwrap().clone();
        (report, asked)
    }

    #[tokio::test]
    async fn s20_in_a_rehearsal_the_simulator_is_asked_and_nobody_else() {
        let (report, asked) = probed(200, r#"{"open":true}"#).await;
        assert_eq!(report, ProbeReport::Passed);
        assert_eq!(asked, ["http://127.0.0.1:8080/_refleet/probe?server=s-1&port=22"]);
    }

    #[tokio::test]
    async fn what_is_not_open_has_failed() {
        let check = async |status, body, words: &str| {
            let (report, _) = probed(status, body).await;
            let ProbeReport::Failed { detail } = report else { unreachable!("{status} {body}") };
            assert!(detail.contains(words), "{detail}");
        };
        check(200, r#"{"open":false}"#, "does not answer yet").await;
        check(200, "<html>", "no simulator of refleet").await;
        check(404, r#"{"open":true}"#, "HTTP 404").await;
    }
}
