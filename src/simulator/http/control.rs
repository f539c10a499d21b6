//! What only a simulator has: counters, faults, a fresh start, and a look at its servers from outside
//! of the API. None of it is counted as a request.

use serde_json::json;

use super::super::Faults;
use super::super::looks::Outside;
use super::front::{Front, Now};
use super::message::{Incoming, Outgoing};
use crate::domain::ServerId;

/// Serves a path below `/_refleet`.
pub(super) fn answer(
    front: &mut Front,
    now: Now,
    request: &Incoming,
    segments: &[String],
) -> Outgoing {
    let path: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), &path[..]) {
        ("GET", ["stats"]) => match serde_json::to_value(front.world.stats()) {
            Ok(stats) => Outgoing::ok(&stats),
            Err(error) => Outgoing::raw(500, json!({"error": error.to_string()}).to_string()),
        },
        ("GET", ["probe"]) => {
            let server = ServerId::new(request.query("server").unwrap_or_default());
            let at = match request.query("port") {
                Some(_) => Outside::Port,
                None => Outside::Service,
            };
            let seen = front.world.look_from_outside(now.at, &server, at);
            Outgoing::ok(&match seen {
                Ok(()) => json!({"open": true, "host_key": front.world.host_key(&server)}),
                Err(detail) => json!({"open": false, "detail": detail}),
            })
        }
        ("POST", ["faults"]) => match faults(&request.body) {
            Ok(faults) => {
                front.world.set_faults(faults);
                Outgoing::ok(&json!({}))
            }
            Err(error) => Outgoing::raw(400, json!({"error": error}).to_string()),
        },
        ("POST", ["reset"]) => {
            front.reset();
            Outgoing::ok(&json!({}))
        }
        _ => Outgoing::raw(404, json!({"error": "no such path"}).to_string()),
    }
}

/// A name, or a whole file of faults in YAML or JSON.
fn faults(body: &[u8]) -> Result<Faults, String> {
    let text = String::from_utf8_lossy(body);
    let name = text.trim().trim_matches('"');
    match Faults::named(name) {
        Some(faults) => Ok(faults),
        None => Faults::from_yaml(&text).map_err(|error| error.to_string()),
    }
}
