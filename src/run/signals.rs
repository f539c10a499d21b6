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

/// Listens for Ctrl-C and, where there is one, for the system's request to end; from now on, so that
/// what is said right afterwards can be answered with a signal.
#[must_use]
pub fn ctrl_c() -> mpsc::Receiver<Signal> {
    let (sender, receiver) = mpsc::channel(WAITING);
    // Where the system gives no signals, the run goes on without them.
    if let Ok(heard) = Heard::register() {
        tokio::spawn(heard.pass_on(sender));
    }
    receiver
}

/// Registered once: a signal between two looks must not be lost.
#[cfg(unix)]
struct Heard {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Heard {
    fn register() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn pass_on(mut self, sender: mpsc::Sender<Signal>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if sender.send(Signal::Interrupt).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(windows)]
struct Heard(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Heard {
    fn register() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn pass_on(mut self, sender: mpsc::Sender<Signal>) {
        while self.0.recv().await.is_some() && sender.send(Signal::Interrupt).await.is_ok() {}
    }
}
