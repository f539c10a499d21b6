//! Words from the keyboard and from the system, as a stream that tests can drive.

use tokio::sync::mpsc;

/// A word from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, or a request of the system to end. The first asks for an orderly end, the second
    /// for an immediate one.
    Interrupt,
    /// The terminal is gone. It asks for an orderly end and never for an immediate one: shell,
    /// kernel and session manager each send this signal, some of them together with others.
    Hangup,
}

/// More than two are never waited for.
const WAITING: usize = 8;

/// Listens for Ctrl-C and, where there are such, for the system's request to end and for the end of
/// the terminal; from now on, so that what is said right afterwards can be answered with a signal.
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
    /// `None`: whoever started us wants it ignored, as `nohup` does.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Heard {
    fn register() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        // To listen would end the ignoring, so this is asked first.
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt, terminate, hangup })
    }

    async fn pass_on(mut self, sender: mpsc::Sender<Signal>) {
        loop {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Interrupt,
                _ = hangup => Signal::Hangup,
            };
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    }
}

/// Whether this process ignores SIGHUP. To ask the system by a call needs `unsafe`; Linux also
/// writes it into a file. Where there is none, it counts as not ignored.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    use std::io::Read as _;
    let mut status = String::new();
    std::fs::File::open("/proc/self/status")
        .and_then(|mut file| file.read_to_string(&mut status))
        .is_ok_and(|_| ignores_hangup(&status))
}

/// The same, from the text of that file: the last bit of the mask `SigIgn` is signal 1.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_nohup_ignores_stays_ignored() {
        let status =
            |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        assert!(ignores_hangup(&status("0000000000000001")));
        assert!(ignores_hangup(&status("0000000000001003")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup(""));
    }
}
