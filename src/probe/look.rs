//! One look at a server, whatever kind of look it is.

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::domain::{Millis, ProbeReport, ProbeSpec};

/// Looks once, for `patience` at most.
pub async fn run(spec: &ProbeSpec, patience: Millis) -> ProbeReport {
    match spec {
        ProbeSpec::Tcp { addr, port } => tcp(addr, *port, patience).await,
    }
}

/// Whether something accepts connections: connects and hangs up, nothing is sent.
async fn tcp(addr: &str, port: u16, patience: Millis) -> ProbeReport {
    match timeout(patience.to_std(), TcpStream::connect((addr, port))).await {
        Ok(Ok(_)) => ProbeReport::Passed,
        Ok(Err(error)) => ProbeReport::Failed { detail: error.to_string() },
        Err(_) => ProbeReport::Failed { detail: format!("no connection within {patience}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_open_port_passes_and_a_closed_one_fails() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let spec = ProbeSpec::Tcp { addr: "127.0.0.1".to_owned(), port };
        assert_eq!(run(&spec, Millis::secs(5)).await, ProbeReport::Passed);
        drop(listener);
        let report = run(&spec, Millis::secs(5)).await;
        assert!(matches!(report, ProbeReport::Failed { .. }), "{report:?}");
    }

    #[tokio::test]
    async fn a_look_ends_when_its_time_is_up() {
        let report = tcp("127.0.0.1", 1, Millis(0)).await;
        // Refused at once or not in time: both are a failed look.
        assert!(matches!(report, ProbeReport::Failed { .. }), "{report:?}");
    }
}
