//! The line to the cloud: a request goes out, an answer comes back, and the time is known.
//!
//! Start with [`Line::deliver`]. Credentials stay with the host that they were meant for: an
//! answer that points elsewhere is a fault that names where. What was sent stays with the answer, so
//! that no words of it are kept.

use std::sync::Arc;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Request, Response};

use super::super::http::Transport;
use super::super::{Sent, fault};
use super::draft::Draft;
use crate::domain::{CostClass, Fault, FaultClass, Timestamp};

/// The clock of the world: signatures carry the time, and a plan must not be too old.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A network, a clock, and what went out.
pub(in crate::cloud) struct Line {
    transport: Arc<dyn Transport>,
    clock: WallClock,
    sent: Sent,
}

impl Line {
    pub(in crate::cloud) fn new(
        transport: Arc<dyn Transport>,
        clock: WallClock,
        sent: Sent,
    ) -> Self {
        Self { transport, clock, sent }
    }

    /// Everything secret that went out, or will.
    pub(in crate::cloud) fn sent(&self) -> &Sent {
        &self.sent
    }

    pub(in crate::cloud) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Refuses what took too long on its way here, by a slow secret or a new token: nothing was sent.
    pub(in crate::cloud) fn in_time(&self, draft: &Draft) -> Result<(), Fault> {
        if draft.send_by.is_none_or(|limit| self.now() <= limit) {
            return Ok(());
        }
        let message =
            "its secret or a new token took so long that the server has to be looked at again";
        Err(fault::ours(FaultClass::Late, "late", message.to_owned()))
    }

    /// Sends a request once.
    pub(in crate::cloud) async fn deliver(
        &self,
        cost: CostClass,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Fault> {
        let asked = request.uri().host().unwrap_or_default().to_owned();
        let sent = self.sent.of_request(&request);
        let answered = self.transport.send(request).await;
        let mut response =
            answered.map_err(|error| sent.without_in_fault(fault::of_net(cost, &error)))?;
        if response.status().is_redirection() {
            return Err(sent.without_in_fault(redirected(cost, &asked, &response)));
        }
        response.extensions_mut().insert(sent);
        Ok(response)
    }
}

/// Whoever an answer points at gets no credentials of ours.
fn redirected(cost: CostClass, asked: &str, response: &Response<Bytes>) -> Fault {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let there = location.and_then(|text| text.parse::<http::Uri>().ok());
    let there = match (location, there.as_ref().and_then(http::Uri::host)) {
        (_, Some(host)) => format!("points to {host}"),
        (Some(_), None) => "points to another path".to_owned(),
        (None, None) => "points elsewhere and does not say where".to_owned(),
    };
    let message = format!(
        "{asked} {there}, and a redirect is never followed with credentials: if that is right, \
         set it as auth_url or as the endpoint override of the service"
    );
    let code = format!("HTTP {}", response.status().as_u16());
    fault::ours(fault::of_redirect(cost, response.status()), &code, message)
}
