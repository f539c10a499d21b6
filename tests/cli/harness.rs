//! Runs the binary with nothing of this machine around it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, with a state file of its own.
pub(crate) struct Bench {
    folder: TempDir,
}

/// How the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and gives its name back, for the command line.
    pub(crate) fn file<'n>(&self, name: &'n str, text: impl AsRef<[u8]>) -> &'n str {
        fs::write(self.path(name), text).unwrap();
        name
    }

    /// Runs the binary in the folder.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        Ended::from(output)
    }

    /// The binary, ready to be run: without a terminal and without anybody's settings.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refleet"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("REFLEET_STATE", self.path("state.db"))
            .stdin(Stdio::null());
        command
    }

    /// A run that is under way, with its events one by one.
    pub(crate) fn start(&self, words: &[&str]) -> Underway {
        let words = [words, &["--events", "-", "--quiet"]].concat();
        self.underway(self.command(&words))
    }

    /// The same for a command that is the caller's; what it says on stderr is in the bench.
    pub(crate) fn underway(&self, mut command: Command) -> Underway {
        let said = fs::File::create(self.path("stderr")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(said).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Underway { child, events }
    }

    /// What the run that was started last said on stderr.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Demands a code, and shows everything if it was another.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    /// Demands words on stderr.
    #[track_caller]
    pub(crate) fn saying(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "`{words}` is not in\n{}", self.stderr);
        self
    }

    /// The last line on stdout.
    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// Stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A run that is under way.
pub(crate) struct Underway {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Underway {
    /// Reads on until an event has all of these words in its line.
    pub(crate) fn until(&mut self, words: &[&str]) {
        let mut line = String::new();
        while self.events.read_line(&mut line).unwrap() > 0 {
            if words.iter().all(|word| line.contains(word)) {
                return;
            }
            line.clear();
        }
        panic!("the run ended without an event with {words:?}");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let words = [format!("-{name}"), self.child.id().to_string()];
        assert!(Command::new("kill").args(words).status().unwrap().success());
    }

    /// Waits for its end, and gives its code.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.events.read_to_end(&mut Vec::new()).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// A simulated cloud on a port of its own; `clouds.yaml` in the bench names it `sim`.
pub(crate) struct Simulator {
    child: Child,
    first_line: Value,
}

impl Simulator {
    pub(crate) fn start(bench: &Bench, words: &[&str]) -> Self {
        let words = [&["simulator", "--clouds", "clouds.yaml"], words].concat();
        let child = bench.command(&words).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, first_line: serde_json::from_str(&line).unwrap() }
    }

    /// A field of the first line.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.first_line[name].as_str().unwrap()
    }

    /// What the cloud counted.
    pub(crate) fn stats(&self) -> Value {
        let host = self.field("endpoint").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let request =
            format!("GET /_refleet/stats HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Gives it other faults, as a file of them would.
    pub(crate) fn breaks(&self, faults: &str) {
        let host = self.field("endpoint").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!(
            "POST /_refleet/faults HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{faults}",
            faults.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Demands that no server was wiped twice, and nothing was done that a careful client never does.
    #[track_caller]
    pub(crate) fn saw_a_careful_client(&self, servers: usize) {
        let stats = self.stats();
        let counts = stats["reinstalls"].as_object().unwrap();
        let once = counts.values().filter(|count| count["accepted"] == 1).count();
        assert_eq!(once, servers, "{stats}");
        assert_eq!(stats["violations"].as_array().unwrap().len(), 0, "{stats}");
    }

    /// Asks it to end, and gives its code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let words = ["-TERM".to_owned(), self.child.id().to_string()];
        assert!(Command::new("kill").args(words).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A playbook for all servers of a cloud, all at once, that fails late.
pub(crate) fn playbook(cloud: &str, strategy: &str) -> String {
    format!(
        "version: 1\nname: test\n{cloud}\nfleets:\n  web:\n    hosts: [{{ tag: role=web }}]\n    \
         strategy: {strategy}\n    wait: {{ settle: 100ms }}\n"
    )
}

/// All servers at once, with a budget that is never spent.
pub(crate) const AT_ONCE: &str =
    "{ canary: 0, serial: [100%], max_unavailable: 100%, max_failures: 100, strict_budget: false }";
