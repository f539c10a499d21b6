//! refleet's own SSH client against a server in this process: who is trusted, who logs in, how a command
//! ends, and how long anybody waits.

#![cfg(feature = "ssh")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::{Cipher, Kdf, LineEnding};
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect, Error, MethodSet, Sig};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;

use super::client::Ssh;
use super::keys::fingerprint;
use crate::domain::{HostKey, Millis, ProbeReport, SshLogin, SshProgram};

/// A key that is the same in every run.
fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

const HOST: u8 = 1;
const OPS: u8 = 2;
const STRANGER: u8 = 3;

fn host_key() -> String {
    fingerprint(key(HOST).public_key())
}

/// An RSA key for this test: 2048 bits take too long to draw without optimisation.
const RSA: &str = include_str!("../../../tests/ssh/rsa.pem");

/// A server that lets `ubuntu` in with one key, and knows a few commands.
#[derive(Clone)]
struct Served {
    trusted: PublicKey,
    /// What it was asked, in order.
    told: Arc<Mutex<Vec<String>>>,
}

impl Served {
    fn tell(&self, words: String) {
        self.told.lock().unwrap().push(words);
    }
}

impl Handler for Served {
    type Error = Error;

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        self.tell(format!("{user} by {}", key.algorithm));
        let known = key.public_key.key_data() == self.trusted.key_data();
        if user == "twice" {
            let more = Some(MethodSet::server_supported());
            return Ok(Auth::Reject { proceed_with_methods: more, partial_success: true });
        }
        Ok(if known && user == "ubuntu" { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.tell(format!("run {command}"));
        let mut status = 0;
        match command.as_str() {
            "hang" => {
                session.data(channel, "half way\n")?;
                // From here on time passes as soon as nobody has anything to do.
                tokio::time::pause();
                return Ok(());
            }
            "forbidden" => return session.channel_failure(channel),
            "cut" => {
                session.disconnect(Disconnect::ByApplication, "going down", "")?;
                return Ok(());
            }
            "killed" => session.exit_signal_request(channel, Sig::KILL, false, "", "")?,
            "fail" => {
                session.data(channel, "nothing of importance\n")?;
                session.extended_data(
                    channel,
                    1,
                    format!("a\nwhy\x1b[2J {}\n", "x".repeat(400)),
                )?;
                status = 3;
            }
            "cloud-init status --wait" => {
                session.data(channel, "status: done\n")?;
                status = 2;
            }
            "much" => {
                session.data(channel, "x".repeat(100_000))?;
                session.data(channel, "\nthe end\n")?;
                status = 1;
            }
            "255" => status = 255,
            _ => {}
        }
        session.channel_success(channel)?;
        if command != "killed" {
            session.exit_status_request(channel, status)?;
        }
        if command == "leave something behind" {
            return Ok(());
        }
        session.eof(channel)?;
        session.close(channel)
    }
}

struct Bench {
    home: TempDir,
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
    variables: BTreeMap<String, String>,
    agent: Option<String>,
}

impl Bench {
    /// A server that trusts that key, and a user without keys.
    async fn trusting(trusted: &PrivateKey) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let served = Served { trusted: trusted.public_key().clone(), told: Arc::clone(&told) };
        tokio::spawn(serve(listener, served));
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let shown = home.path().display().to_string();
        let variables = BTreeMap::from([("HOME".to_owned(), shown)]);
        Self { home, port, told, variables, agent: None }
    }

    /// The same, and the user has the key as a usual file.
    async fn new() -> Self {
        let bench = Self::trusting(&key(OPS)).await;
        bench.write("id_ed25519", &written(&key(OPS)));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(".ssh").join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test")]
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// An agent that holds that key.
    async fn with_agent(&mut self, held: &PrivateKey) {
        let path = self.path("agent");
        let listener = UnixListener::bind(&path).unwrap();
        let callers = futures::stream::unfold(listener, |listener| async {
            let caller = listener.accept().await.map(|(stream, _)| stream);
            Some((caller, listener))
        });
        tokio::spawn(russh::keys::agent::server::serve(Box::pin(callers), ()));
        let mut agent = AgentClient::connect_uds(&path).await.unwrap();
        agent.add_identity(held, &[]).await.unwrap();
        self.agent = Some(path.display().to_string());
    }

    fn ssh(&self) -> Ssh<'_> {
        let (folder, variables) = (Path::new("/"), &self.variables);
        Ssh { folder, variables, agent: self.agent.as_deref() }
    }

    async fn look_as(&self, user: &str, key_file: Option<&str>, run: &str) -> ProbeReport {
        let login = SshLogin {
            addr: "127.0.0.1".to_owned(),
            port: self.port,
            user: user.to_owned(),
            key_file: key_file.map(str::to_owned),
            program: SshProgram::Refleet,
        };
        self.ssh().look(&login, run, &HostKey::Any, Millis::mins(1)).await
    }

    async fn look(&self, run: &str) -> ProbeReport {
        self.look_as("ubuntu", None, run).await
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, served: Served) {
    let config = Arc::new(Config {
        keys: vec![key(HOST)],
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..Config::default()
    });
    while let Ok((stream, _)) = listener.accept().await {
        let session = russh::server::run_stream(Arc::clone(&config), stream, served.clone());
        tokio::spawn(async move {
            if let Ok(session) = session.await {
                drop(session.await);
            }
        });
    }
}

fn written(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// Behind a passphrase.
fn locked(key: &PrivateKey) -> String {
    let kdf = Kdf::Bcrypt { salt: vec![7; 16], rounds: 1 };
    written(&key.encrypt_with(Cipher::Aes256Ctr, kdf, 7, "open sesame").unwrap())
}

fn failed(report: &ProbeReport) -> &str {
    let ProbeReport::Failed { detail } = report else { unreachable!("{report:?} has to fail") };
    detail
}

fn passed() -> ProbeReport {
    ProbeReport::seen(format!("host key {}", host_key()))
}

#[tokio::test]
async fn the_host_key_is_seen_and_nobody_logs_in() {
    let bench = Bench::new().await;
    let seen = bench.ssh().host_key(SshProgram::Refleet, "127.0.0.1", bench.port).await;
    assert_eq!(seen, Ok(host_key()));
    assert_eq!(bench.told(), [""; 0]);
}

#[tokio::test]
async fn a_command_that_ends_with_0_passes_and_the_host_key_is_the_evidence() {
    let bench = Bench::new().await;
    assert_eq!(bench.look("true").await, passed());
    assert_eq!(bench.told(), ["ubuntu by ssh-ed25519", "run true"]);
}

#[tokio::test]
async fn a_host_key_that_is_refused_is_not_logged_in_to() {
    let bench = Bench::new().await;
    let look = async |may: HostKey| {
        let login = SshLogin {
            addr: "127.0.0.1".to_owned(),
            port: bench.port,
            user: "ubuntu".to_owned(),
            key_file: None,
            program: SshProgram::Refleet,
        };
        bench.ssh().look(&login, "true", &may, Millis::mins(1)).await
    };
    let other = fingerprint(key(STRANGER).public_key());
    let same = look(HostKey::Not(host_key())).await;
    assert!(failed(&same).contains("as before the reinstall"), "{same:?}");
    let foreign = look(HostKey::Is(other.clone())).await;
    assert!(failed(&foreign).contains("somebody else answers"), "{foreign:?}");
    assert_eq!(bench.told(), [""; 0], "nobody was named to it");
    for may in [HostKey::Not(other), HostKey::Is(host_key())] {
        assert_eq!(look(may).await, passed());
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_with_which_keys() {
    let bench = Bench::new().await;
    let shown = bench.path("id_ed25519").display().to_string();
    let wrong_user = bench.look_as("root", None, "true").await;
    let wanted = format!("ssh failed: root was refused with {shown}; there is no agent");
    assert_eq!(failed(&wrong_user), wanted);
    bench.write("other", &written(&key(STRANGER)));
    let wrong_key = bench.look_as("ubuntu", Some("~/.ssh/other"), "true").await;
    assert_eq!(failed(&wrong_key), "ssh failed: ubuntu was refused with ~/.ssh/other");
    let more = bench.look_as("twice", None, "true").await;
    assert_eq!(failed(&more), "ssh failed: twice needs more than a key to log in");
    assert!(!bench.told().contains(&"run true".to_owned()), "{:?}", bench.told());
}

#[tokio::test]
async fn how_a_command_ended_is_told() {
    let bench = Bench::new().await;
    let check = async |run: &str, detail: &str| {
        assert_eq!(failed(&bench.look(run).await), detail, "{run}");
    };
    // One line, cut, and without what would steer a terminal.
    check("fail", &format!("exit status: 3: why[2J {}", "x".repeat(293))).await;
    check("much", "exit status: 1: the end").await;
    check("255", "exit status: 255").await;
    check("killed", "signal: KILL").await;
    check("forbidden", "ssh failed: The request was rejected by the other party").await;
    check("cut", "ssh failed: the connection ended before the command did").await;
}

#[tokio::test]
async fn cloud_init_that_is_degraded_passes_with_a_warning() {
    let bench = Bench::new().await;
    let warning = Some("cloud-init is done and degraded: status: done".to_owned());
    let evidence = Some(format!("host key {}", host_key()));
    let report = bench.look("cloud-init status --wait").await;
    assert_eq!(report, ProbeReport::Passed { evidence, warning });
}

#[tokio::test]
async fn a_command_that_hangs_is_given_up_and_what_it_said_is_told() {
    let bench = Bench::new().await;
    let began = Instant::now();
    assert_eq!(failed(&bench.look("hang").await), "not done within 1m: half way");
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_not_waited_for() {
    let bench = Bench::new().await;
    let began = Instant::now();
    assert_eq!(bench.look("leave something behind").await, passed());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let silent = listener.accept().await.unwrap();
        tokio::time::pause();
        std::future::pending::<()>().await;
        drop(silent);
    });
    let variables = BTreeMap::new();
    let ssh = Ssh { folder: Path::new("/"), variables: &variables, agent: None };
    let began = Instant::now();
    let seen = ssh.host_key(SshProgram::Refleet, "127.0.0.1", port).await;
    assert_eq!(seen, Err("no host key was seen: nothing was said within 10s".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_port_that_is_closed_has_no_host_key() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let variables = BTreeMap::new();
    let ssh = Ssh { folder: Path::new("/"), variables: &variables, agent: None };
    let seen = ssh.host_key(SshProgram::Refleet, "127.0.0.1", port).await.unwrap_err();
    assert!(seen.starts_with("no host key was seen: ") && seen.contains("refused"), "{seen}");
}

#[tokio::test]
async fn rsa_signs_with_sha_2_and_ecdsa_logs_in() {
    let rsa = russh::keys::decode_secret_key(RSA, None).unwrap();
    let bench = Bench::trusting(&rsa).await;
    bench.write("id_rsa", RSA);
    assert_eq!(bench.look("true").await, passed());
    assert_eq!(bench.told()[0], "ubuntu by rsa-sha2-512");
    let ecdsa = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
    let ecdsa = PrivateKey::random(&mut russh::keys::key::safe_rng(), ecdsa).unwrap();
    let bench = Bench::trusting(&ecdsa).await;
    bench.write("id_ecdsa", &written(&ecdsa));
    assert_eq!(bench.look("true").await, passed());
}

#[tokio::test]
async fn the_keys_of_the_agent_are_tried_first_and_files_after_them() {
    let mut bench = Bench::new().await;
    bench.with_agent(&key(STRANGER)).await;
    assert_eq!(bench.look("true").await, passed());
    assert_eq!(bench.told().len(), 3, "the agent, the file, the command: {:?}", bench.told());
    let refused = bench.look_as("root", None, "true").await;
    let shown = bench.path("id_ed25519").display().to_string();
    let wanted = format!("ssh failed: root was refused with 1 key of the agent, {shown}");
    assert_eq!(failed(&refused), wanted);
    let mut bench = Bench::trusting(&key(OPS)).await;
    bench.with_agent(&key(OPS)).await;
    assert_eq!(bench.look("true").await, passed());
}

#[tokio::test]
async fn a_key_behind_a_passphrase_is_used_where_the_agent_holds_it() {
    let mut bench = Bench::trusting(&key(OPS)).await;
    bench.write("id_ed25519", &locked(&key(OPS)));
    let look = async |bench: &Bench, key_file| bench.look_as("ubuntu", key_file, "true").await;
    let shut = look(&bench, Some("~/.ssh/id_ed25519")).await;
    assert!(failed(&shut).contains("has a passphrase, and the agent does not hold it"), "{shut:?}");
    let none = look(&bench, None).await;
    for words in ["there is no key to log in with", "id_ed25519 has a passphrase", "program: ssh"] {
        assert!(failed(&none).contains(words), "{none:?}");
    }
    bench.with_agent(&key(OPS)).await;
    assert_eq!(look(&bench, Some("~/.ssh/id_ed25519")).await, passed());
    assert_eq!(look(&bench, None).await, passed());
}

#[tokio::test]
async fn nothing_of_a_key_is_in_what_is_told() {
    let bench = Bench::new().await;
    let whole = written(&key(OPS));
    let secret = whole.lines().nth(3).unwrap();
    for broken in [whole.replace(secret, ""), secret.to_owned()] {
        bench.write("broken", &broken);
        let report = bench.look_as("ubuntu", Some("~/.ssh/broken"), "true").await;
        let wanted =
            "ssh failed: key_file ~/.ssh/broken: no private key in a format that is known here";
        assert_eq!(failed(&report), wanted);
    }
    let absent = bench.look_as("ubuntu", Some("/nowhere/key"), "true").await;
    assert_eq!(failed(&absent), "ssh failed: key_file /nowhere/key: entity not found");
}
