//! Who looks at servers from outside: the probes, or in a rehearsal the simulated cloud
//! (`safety.md`, S20: a rehearsal never touches anything real). Start with [`real`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cloud::http::{Access, HttpTransport, NetError, Transport, Trust};
use crate::domain::{Answer, Millis, ProbeReport, ProbeSpec, ServerId, SshProgram};
use crate::playbook::Check;
use crate::probe;
use crate::probe::process::{Program, passed_on};
use crate::probe::ssh::Ssh;
use crate::run::{ProbeFuture, Prober};

use super::failure::Failure;

/// One look at a port or an address never takes longer.
const PATIENCE: Millis = Millis::secs(10);

/// Who makes the looks and runs the programs of a rehearsal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hooks {
    /// The simulated cloud.
    #[default]
    Rehearsed,
    /// The world, as the user asked with `--real-hooks`.
    Real,
}

/// Why these checks cannot be made for real by this refleet: it has no SSH client of its own, and the
/// plan is from one that has (`safety.md`, S1: better before the first stop than after it).
pub(super) fn refuse_unspoken<'c>(
    mut checks: impl Iterator<Item = &'c Check>,
    has_own: bool,
) -> Result<(), Failure> {
    let needs_own = |check: &Check| match check {
        Check::Ssh(ssh) => ssh.program == SshProgram::Refleet,
        Check::Fresh
        | Check::Unchanged
        | Check::Tcp { .. }
        | Check::PasswordReady { .. }
        | Check::Http { .. }
        | Check::Command { .. }
        | Check::StableFor { .. } => false,
    };
    if has_own || !checks.any(needs_own) {
        return Ok(());
    }
    Err(Failure::refused(
        "the plan wants refleet itself to log in over SSH, and this refleet cannot: it was built without its feature `ssh`",
        "use the refleet that made the plan; or write `program: ssh` into the check, and make a new plan",
    ))
}

/// Who looks: programs in the folder of the playbook, keys seen from `here`, where refleet was started,
/// and with these variables.
pub(super) fn real(
    folder: &Path,
    here: &Path,
    variables: &BTreeMap<String, String>,
) -> Arc<dyn Prober> {
    Arc::new(Real(Arc::new(Looks {
        folder: folder.to_owned(),
        here: here.to_owned(),
        variables: passed_on(variables),
        agent: variables.get("SSH_AUTH_SOCK").cloned(),
        web: OnceLock::new(),
    })))
}

/// Who answers in a rehearsal: the simulated cloud at that address, over the same network.
pub(super) fn rehearsed(auth_url: &str, network: &Arc<dyn Transport>) -> Arc<dyn Prober> {
    Arc::new(Rehearsed { origin: origin(auth_url), network: Arc::clone(network) })
}

/// Looks at servers.
struct Real(Arc<Looks>);

/// What looks need.
struct Looks {
    folder: PathBuf,
    here: PathBuf,
    variables: BTreeMap<String, String>,
    /// The socket of the agent that holds keys: for ssh, and for no program of the user's.
    agent: Option<String>,
    /// Made when the first address is looked at: it takes half a second to load certificates.
    web: OnceLock<Result<HttpTransport, NetError>>,
}

impl Prober for Real {
    fn probe(&self, server: &ServerId, spec: &ProbeSpec) -> ProbeFuture {
        let (looks, server, spec) = (Arc::clone(&self.0), server.clone(), spec.clone());
        Box::pin(async move { Ok(Answer::Probe(looks.look(&server, &spec).await)) })
    }
}

impl Looks {
    async fn look(&self, server: &ServerId, spec: &ProbeSpec) -> ProbeReport {
        match spec {
            ProbeSpec::Tcp { addr, port } => probe::tcp(addr, *port, PATIENCE).await,
            ProbeSpec::Http { url, status } => self.http(url, *status).await,
            ProbeSpec::Command { words, run, attempt, patience } => {
                let mut variables = self.variables.clone();
                variables.extend([
                    ("REFLEET_RUN".to_owned(), run.to_string()),
                    ("REFLEET_SERVER".to_owned(), server.to_string()),
                    ("REFLEET_STEP".to_owned(), "verify".to_owned()),
                    ("REFLEET_ATTEMPT".to_owned(), attempt.to_string()),
                ]);
                let program = Program { words, folder: &self.folder, variables: &variables };
                probe::command(&program, *patience).await
            }
            ProbeSpec::HostKey { addr, port, program } => {
                match self.ssh().host_key(*program, addr, *port).await {
                    Ok(fingerprint) => ProbeReport::seen(fingerprint),
                    Err(detail) => ProbeReport::failed(detail),
                }
            }
            ProbeSpec::Ssh { login, run, host_key, patience } => {
                self.ssh().look(login, run, host_key, *patience).await
            }
        }
    }

    fn ssh(&self) -> Ssh<'_> {
        Ssh { folder: &self.here, variables: &self.variables, agent: self.agent.as_deref() }
    }

    /// Directly, whatever proxies there are: one that answers in a server's place says nothing of the
    /// server. A redirect is an answer like every other.
    async fn http(&self, url: &str, status: u16) -> ProbeReport {
        let web = self.web.get_or_init(|| HttpTransport::new(&Access::direct(Trust::Platform)));
        let web = match web {
            Ok(web) => web,
            Err(error) => return ProbeReport::failed(error.to_string()),
        };
        match timeout(PATIENCE.to_std(), web.status(url)).await {
            Ok(Ok(found)) if found.as_u16() == status => {
                ProbeReport::seen(format!("HTTP {status}"))
            }
            Ok(Ok(found)) => ProbeReport::failed(format!("HTTP {}, not {status}", found.as_u16())),
            Ok(Err(error)) => ProbeReport::failed(error.to_string()),
            Err(_) => ProbeReport::failed(format!("no answer within {PATIENCE}")),
        }
    }
}

/// Asks the simulator itself, past the cloud's API: a look from outside is no request to the cloud.
struct Rehearsed {
    origin: String,
    network: Arc<dyn Transport>,
}

impl Prober for Rehearsed {
    fn probe(&self, server: &ServerId, spec: &ProbeSpec) -> ProbeFuture {
        let port = match spec {
            ProbeSpec::Tcp { port, .. } | ProbeSpec::HostKey { port, .. } => {
                format!("&port={port}")
            }
            ProbeSpec::Ssh { login, .. } => format!("&port={}", login.port),
            ProbeSpec::Http { .. } | ProbeSpec::Command { .. } => String::new(),
        };
        let url = format!("{}/_refleet/probe?server={server}{port}", self.origin);
        let (network, spec) = (Arc::clone(&self.network), spec.clone());
        Box::pin(async move {
            Ok(Answer::Probe(match ask(&*network, &url).await {
                Ok(host_key) => spec.seen_with(&host_key),
                Err(detail) => ProbeReport::failed(detail),
            }))
        })
    }
}

/// What the simulator says.
#[derive(Deserialize)]
struct Look {
    open: bool,
    #[serde(default)]
    host_key: String,
    #[serde(default)]
    detail: Option<String>,
}

/// The host key of a server that answers, or why it does not.
async fn ask(network: &dyn Transport, url: &str) -> Result<String, String> {
    let request = Request::get(url).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer = network.send(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("{url} is no simulator of refleet: HTTP {}", answer.status()));
    }
    match serde_json::from_slice(answer.body()) {
        Ok(Look { open: true, host_key, .. }) => Ok(host_key),
        Ok(Look { open: false, detail, .. }) => {
            Err(detail.unwrap_or_else(|| "the simulated server does not answer yet".to_owned()))
        }
        Err(error) => Err(format!("{url} is no simulator of refleet: {error}")),
    }
}

/// Scheme, host and port of an address, as far as it names them.
pub(super) fn origin(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_owned() };
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{}://{host}", uri.scheme_str().unwrap_or("http"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::Response;

    use super::*;
    use crate::cloud::http::{NetError, Sending};
    use crate::domain::Template;
    use crate::playbook::{HostKeyRule, SshCheck};

    /// A network that answers always the same, and remembers what it was asked.
    struct Canned(u16, &'static str, Mutex<Vec<String>>);

    impl Transport for Canned {
        fn send(&self, request: Request<Bytes>) -> Sending<'_> {
            self.2.lock().unwrap().push(request.uri().to_string());
            Box::pin(async move {
                let answer = Response::builder().status(self.0).body(Bytes::from(self.1));
                answer.map_err(|error| NetError::Other(error.to_string()))
            })
        }
    }

    async fn probed(
        spec: &ProbeSpec,
        status: u16,
        body: &'static str,
    ) -> (ProbeReport, Vec<String>) {
        let network = Arc::new(Canned(status, body, Mutex::default()));
        let seam: Arc<dyn Transport> = Arc::<Canned>::clone(&network);
        let prober = rehearsed("http://127.0.0.1:8080/v3", &seam);
        let answer = prober.probe(&ServerId::from("s-1"), spec).await.unwrap();
        let Answer::Probe(report) = answer else { unreachable!("a probe answers with a report") };
        let asked = network.2.lock().unwrap().clone();
        (report, asked)
    }

    fn port() -> ProbeSpec {
        ProbeSpec::Tcp { addr: "10.0.0.1".to_owned(), port: 22 }
    }

    fn command(words: &[&str]) -> ProbeSpec {
        ProbeSpec::Command {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            run: "r-1".into(),
            attempt: 3,
            patience: Millis::mins(10),
        }
    }

    async fn looked(spec: ProbeSpec) -> ProbeReport {
        let ours = [("PATH", "/usr/bin:/bin"), ("OS_PASSWORD", "hush")];
        let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let prober = real(Path::new("/"), Path::new("/"), &BTreeMap::from(ours));
        let answer = prober.probe(&ServerId::from("s-1"), &spec).await.unwrap();
        let Answer::Probe(report) = answer else { unreachable!("a probe answers with a report") };
        report
    }

    #[test]
    fn a_plan_that_needs_the_client_of_refleet_is_refused_without_it() {
        let check = |program, has_own, refused| {
            let ssh = Check::Ssh(Box::new(SshCheck {
                user: Template::new("ubuntu"),
                run: Template::new("true"),
                port: 22,
                within: Millis::mins(1),
                key_file: None,
                host_key: HostKeyRule::Changed,
                program,
            }));
            let checks = [Check::Fresh, ssh];
            let answer = refuse_unspoken(checks.iter(), has_own);
            assert_eq!(answer.is_err(), refused, "{program} {has_own}");
        };
        check(SshProgram::Refleet, false, true);
        check(SshProgram::Refleet, true, false);
        check(SshProgram::Ssh, false, false);
    }

    #[tokio::test]
    async fn a_program_is_told_what_it_is_run_for_and_no_credentials() {
        let script = "pwd; echo $REFLEET_RUN $REFLEET_SERVER $REFLEET_STEP $REFLEET_ATTEMPT \"[$OS_PASSWORD]\"";
        let report = looked(command(&["sh", "-c", script])).await;
        assert_eq!(report, ProbeReport::seen("r-1 s-1 verify 3 []"));
    }

    /// Answers one request with that text; says where.
    async fn answering(text: &'static str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = format!("http://{}/healthz", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(text.as_bytes()).await.unwrap();
            // The body never ends: nobody may wait for it.
            std::future::pending::<()>().await;
        });
        at
    }

    #[tokio::test]
    async fn an_address_is_known_by_its_status_alone() {
        let check = async |text, status, wanted: ProbeReport| {
            let url = answering(text).await;
            assert_eq!(looked(ProbeSpec::Http { url, status }).await, wanted, "{text}");
        };
        let moved =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 9\r\n\r\n";
        check("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 200, ProbeReport::seen("HTTP 200"))
            .await;
        check(moved, 302, ProbeReport::seen("HTTP 302")).await;
        check(moved, 200, ProbeReport::failed("HTTP 302, not 200")).await;
    }

    #[tokio::test]
    async fn s20_in_a_rehearsal_the_simulator_is_asked_and_nobody_else() {
        let check = async |spec: ProbeSpec, wanted: &str| {
            let (report, asked) = probed(&spec, 200, r#"{"open":true}"#).await;
            assert_eq!(report, ProbeReport::passed());
            assert_eq!(asked, [format!("http://127.0.0.1:8080/_refleet/probe?server=s-1{wanted}")]);
        };
        check(port(), "&port=22").await;
        check(ProbeSpec::Http { url: "http://10.0.0.1/".to_owned(), status: 200 }, "").await;
        check(command(&["touch", "/tmp/never"]), "").await;
    }

    #[tokio::test]
    async fn what_is_not_open_has_failed() {
        let check = async |status, body, words: &str| {
            let (report, _) = probed(&port(), status, body).await;
            let ProbeReport::Failed { detail } = report else { unreachable!("{status} {body}") };
            assert!(detail.contains(words), "{detail}");
        };
        check(200, r#"{"open":false}"#, "does not answer yet").await;
        check(200, "<html>", "no simulator of refleet").await;
        check(404, r#"{"open":true}"#, "HTTP 404").await;
    }
}
