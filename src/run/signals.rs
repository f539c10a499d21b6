//! Words from the keyboard and from the system, as a stream that tests can drive.

use tokio::sync::mpsc;

/// A word from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, or a request of the system to end. The first asks for an orderly end, the second
    /// for an immediate one.
    Interrupt,
}

/// More than two are never waited for.
const WAITING: usize = 8;

/// Listens for Ctrl-C and, where there is one, for the system's request to end.
#[must_use]
pub fn ctrl_c() -> mpsc::Receiver<Signal> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        // Where the system gives no signals, the run goes on without them.
        listen(sender).await.ok();
    });
    receiver
}

/// Registered once: a signal between two looks must not be lost.
#[cfg(unix)]
async fn listen(sender: mpsc::Sender<Signal>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if sender.send(Signal::Interrupt).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(windows)]
async fn listen(sender: mpsc::Sender<Signal>) -> std::io::Result<()> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    while interrupt.recv().await.is_some() && sender.send(Signal::Interrupt).await.is_ok() {}
    Ok(())
}
