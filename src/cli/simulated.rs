//! Is a cloud that says `simulated: true` our simulator? It is asked, before it is told anything: a
//! rehearsal skips what protects real servers, so a word in a file is not enough. Start with [`prove`].

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cloud::config::{CloudConfig, Overrides};
use crate::cloud::http::Transport;
use crate::domain::Millis;

use super::failure::Failure;
use super::probes::origin;

/// It is on this machine, or near.
const PATIENCE: Millis = Millis::secs(10);

/// What only our simulator says of itself, in `GET /_refleet/stats`.
#[derive(Deserialize)]
#[expect(dead_code, reason = "that they are there is what counts")]
struct Counters {
    requests: serde::de::IgnoredAny,
    reinstalls: serde::de::IgnoredAny,
    violations: serde::de::IgnoredAny,
    peak_in_flight: usize,
}

/// Refuses an entry that calls itself simulated and leads elsewhere, with any of its addresses. No
/// credentials are sent.
pub(super) async fn prove(config: &CloudConfig, network: &dyn Transport) -> Result<(), Failure> {
    let there = origin(&config.auth_url);
    let Overrides { ecs, evs, ims, kms, cts, cbr } = &config.endpoints;
    let elsewhere = [ecs, evs, ims, kms, cts, cbr].into_iter().flatten();
    let mut elsewhere = elsewhere.map(|place| origin(place)).filter(|place| *place != there);
    if let Some(place) = elsewhere.next() {
        return Err(no_simulator(config, &place, "it is not where the simulator is"));
    }
    match ask(network, &there).await {
        Ok(()) => Ok(()),
        Err(why) => Err(no_simulator(config, &there, &why)),
    }
}

fn no_simulator(config: &CloudConfig, place: &str, why: &str) -> Failure {
    Failure::refused(
        format!(
            "cloud {} says `simulated: true`, and {place} does not answer as a simulator of refleet: {why}",
            config.name
        ),
        "start `refleet simulator`; or take `simulated: true` out of the entry: it is for nothing else",
    )
}

async fn ask(network: &dyn Transport, there: &str) -> Result<(), String> {
    let request = Request::get(format!("{there}/_refleet/stats")).body(Bytes::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = match timeout(PATIENCE.to_std(), network.send(request)).await {
        Ok(answer) => answer.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no answer within {PATIENCE}")),
    };
    if answer.status() != StatusCode::OK {
        return Err(format!("HTTP {}", answer.status().as_u16()));
    }
    let counters = serde_json::from_slice::<Counters>(answer.body());
    counters.map(|_| ()).map_err(|_| "it says something else".to_owned())
}
