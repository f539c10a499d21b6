//! One look at a server, of each kind that needs no more than a socket or a process.

use std::future::pending;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::domain::{Millis, ProbeReport};

use super::process::{self, End, Program};

/// Whether something accepts connections: connects and hangs up, nothing is sent.
pub async fn tcp(addr: &str, port: u16, patience: Millis) -> ProbeReport {
    match timeout(patience.to_std(), TcpStream::connect((addr, port))).await {
        Ok(Ok(_)) => ProbeReport::passed(),
        Ok(Err(error)) => ProbeReport::failed(error.to_string()),
        Err(_) => ProbeReport::failed(format!("no connection within {patience}")),
    }
}

/// Whether a program ends with 0.
pub async fn command(program: &Program<'_>, patience: Millis) -> ProbeReport {
    let over = async { drop(timeout(patience.to_std(), pending::<()>()).await) };
    let ran = match process::run(program, over).await {
        Ok(ran) => ran,
        Err(error) => return ProbeReport::failed(error.to_string()),
    };
    let line = ran.last_line();
    let said = line.as_ref().map_or_else(String::new, |line| format!(": {line}"));
    match ran.end {
        End::Exited(status) if status.success() => {
            ProbeReport::Passed { evidence: line, warning: None }
        }
        End::Exited(status) => ProbeReport::failed(format!("{status}{said}")),
        End::Killed => ProbeReport::failed(format!("killed after {patience}{said}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn an_open_port_passes_and_a_closed_one_fails() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(tcp("127.0.0.1", port, Millis::secs(5)).await, ProbeReport::passed());
        drop(listener);
        let report = tcp("127.0.0.1", port, Millis::secs(5)).await;
        assert!(matches!(report, ProbeReport::Failed { .. }), "{report:?}");
    }

    #[tokio::test]
    async fn a_look_ends_when_its_time_is_up() {
        let report = tcp("127.0.0.1", 1, Millis(0)).await;
        // Refused at once or not in time: both are a failed look.
        assert!(matches!(report, ProbeReport::Failed { .. }), "{report:?}");
    }

    async fn ran(script: &str, patience: Millis) -> ProbeReport {
        let words = ["sh", "-c", script].map(str::to_owned);
        let variables = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let program = Program { words: &words, folder: Path::new("/"), variables: &variables };
        command(&program, patience).await
    }

    #[tokio::test]
    async fn a_program_passes_with_0_and_is_quoted_in_a_line() {
        let long = Millis::mins(10);
        assert_eq!(ran("echo all well", long).await, ProbeReport::seen("all well"));
        assert_eq!(ran("true", long).await, ProbeReport::passed());
        let failed = ran("echo not yet >&2; exit 3", long).await;
        assert_eq!(failed, ProbeReport::failed("exit status: 3: not yet"));
        // It reads what nobody writes, for as long as it is let.
        let held = ran("mkfifo /tmp/refleet.$$; read x </tmp/refleet.$$", Millis(1)).await;
        assert_eq!(held, ProbeReport::failed("killed after 1ms"));
    }
}
