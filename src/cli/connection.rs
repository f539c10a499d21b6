//! A cloud to talk to, and who we are there. Start with [`of_playbook`].
//!
//! The built-in cloud is started here, inside the process, and then talked to like any other: over
//! HTTP, with credentials that are really checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::cloud::config::{self, CloudConfig, Overrides, Sources};
use crate::cloud::http::{Access, HttpTransport, Transport, Trust};
use crate::cloud::proxy::without_login;
use crate::cloud::{self, AnyCloud, Sent, WallClock};
use crate::domain::{Provider, SshProgram, Time};
use crate::plan::{CloudIdentity, Plan};
use crate::playbook::Playbook;
use crate::run::{Outside, RealClock};
use crate::simulation::fit;
use crate::simulator;
use crate::simulator::http::Running;

use super::app::App;
use super::failure::Failure;
use super::probes::Hooks;
use super::secrets::{Places, Secrets};
use super::worlds::Asked;
use super::{files, panic, playbooks, probes, same_cloud, simulated, steps};

/// The cloud that is inside the process; it always goes by this name, and nothing else does.
pub(super) const BUILT_IN: &str = "simulator";

/// Said however quiet we are asked to be.
const UNVERIFIED: &str = "warning: certificates are not verified (verify: false or OS_INSECURE): \
     whoever stands between could read the credentials and choose what is wiped; name the \
     authority's PEM file as cacert instead";

/// A cloud that we are logged in to.
pub(super) struct Connection {
    /// The cloud.
    pub(super) cloud: Arc<AnyCloud>,
    /// Where we are, and who.
    pub(super) identity: CloudIdentity,
    /// What a run of it does outside of its API.
    pub(super) outside: Outside,
    /// What it is told and nobody keeps.
    pub(super) secrets: Arc<Secrets>,
    /// Whether checks and steps are made in the world, and not only rehearsed.
    pub(super) is_hooked: bool,
    /// The folder that paths of a plan are seen from.
    pub(super) base: PathBuf,
    /// How much faster than the world's the clock of a run goes.
    speed: u32,
    /// Keeps the built-in cloud alive.
    _built_in: Option<Running>,
}

impl Connection {
    /// The clock of a run whose last record is of `base`.
    pub(super) fn clock(&self, base: Time) -> RealClock {
        RealClock::start(base, self.speed)
    }
}

/// Connects to the cloud that a playbook names, or the command line in its place.
pub(super) async fn of_playbook(app: &App, playbook: &Playbook) -> Result<Connection, Failure> {
    let name = app.globals.cloud.as_deref().unwrap_or(&playbook.cloud);
    let folder = playbooks::folder_of(Path::new(&playbook.origin.path));
    let places = Places { base: app.environment.folder.clone(), folder };
    if name == BUILT_IN {
        let asked = Asked::by_playbook(&app.ui, playbook.simulator.as_ref(), || {
            let seed = playbook.simulator.as_ref().map_or(0, |written| written.seed);
            Ok(fit(playbook, seed))
        })?;
        built_in(app, &asked, places).await
    } else {
        let said = (playbook.region.as_deref(), playbook.provider);
        configured(app, name, said, places).await
    }
}

/// Connects to a cloud that no playbook names yet.
pub(super) async fn named(app: &App, name: &str) -> Result<Connection, Failure> {
    let places = Places { base: app.environment.folder.clone(), folder: PathBuf::new() };
    configured(app, name, (None, None), places).await
}

/// Connects to the cloud that a plan was made for, and refuses if it is another one now.
pub(super) async fn of_plan(app: &App, plan: &Plan) -> Result<Connection, Failure> {
    let path = Path::new(&plan.origin.path);
    let connection = if plan.cloud.name == BUILT_IN {
        of_playbook(app, &playbook_of(app, plan, path)?).await?
    } else {
        let name = app.globals.cloud.as_deref().unwrap_or(&plan.cloud.name);
        let said = (None, Some(plan.cloud.provider));
        let base = playbooks::base_of(plan, &app.environment.folder);
        configured(app, name, said, Places { base, folder: playbooks::folder_of(path) }).await?
    };
    if connection.is_hooked {
        let checks = plan.treatments.iter().flat_map(|treatment| &treatment.verify);
        probes::refuse_unspoken(checks, SshProgram::HAS_OWN)?;
    }
    same_cloud::refuse_another(plan, &connection.identity)?;
    Ok(connection)
}

/// The built-in cloud is made from the playbook, so a plan for it needs the same one.
fn playbook_of(app: &App, plan: &Plan, path: &Path) -> Result<Playbook, Failure> {
    let playbook = playbooks::require(&app.ui, path)?;
    if playbook.origin.sha256 == plan.origin.sha256 {
        return Ok(playbook);
    }
    Err(Failure::refused(
        format!("{} has changed since the plan was made", path.display()),
        "the built-in cloud is made from the playbook: make a new plan",
    ))
}

/// Connects to a cloud of clouds.yaml or of the environment. A run that is resumed elsewhere finds the
/// clouds.yaml that it was begun with, if there is none here.
async fn configured(
    app: &App,
    name: &str,
    (region, provider): (Option<&str>, Option<Provider>),
    places: Places,
) -> Result<Connection, Failure> {
    let environment = &app.environment;
    let read = |path: &str| {
        let folders = [&environment.folder, &places.base];
        folders.into_iter().find_map(|folder| files::read_text(&folder.join(path)).ok())
    };
    let sources = Sources { variables: &environment.variables, clouds_file: None, read: &read };
    let config = config::load(name, region, provider, &sources)?;
    in_secret(&config)?;
    if config.access.trust == Trust::Anything {
        app.ui.say(UNVERIFIED);
    }
    let connection = connect(config, app, places.clone()).await?;
    let there = &connection.identity.region;
    match region {
        Some(region) if region != there => Err(Failure::refused(
            format!("the playbook is for region {region}, and cloud {name} is in {there}"),
            "name the entry of clouds.yaml that is in that region",
        )),
        _ => Ok(connection),
    }
}

/// Starts the built-in cloud on a free port of the loopback, and connects to it.
async fn built_in(app: &App, asked: &Asked, places: Places) -> Result<Connection, Failure> {
    let trouble = |source| Failure::System { what: "start the built-in cloud", source };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(trouble)?;
    let (running, served) =
        simulator::http::serve(listener, asked.spec.clone(), asked.options()).map_err(trouble)?;
    tokio::spawn(served);
    let text = simulator::clouds_yaml(running.account(), running.endpoint());
    let read = |path: &str| (path == "clouds.yaml").then(|| text.clone());
    let variables = BTreeMap::new();
    let sources = Sources { variables: &variables, clouds_file: None, read: &read };
    let config =
        CloudConfig { name: BUILT_IN.to_owned(), ..config::load("sim", None, None, &sources)? };
    let connection = connect(config, app, places).await?;
    // Its port is another in each process.
    let identity = CloudIdentity { auth_host: String::new(), ..connection.identity };
    let speed = asked.clock_speed();
    Ok(Connection { identity, speed, _built_in: Some(running), ..connection })
}

/// Logs in.
async fn connect(
    config: CloudConfig,
    App { environment, hooks, .. }: &App,
    places: Places,
) -> Result<Connection, Failure> {
    let network: Arc<dyn Transport> = Arc::new(HttpTransport::new(&access(&config))?);
    let is_simulated = config.simulated;
    if is_simulated {
        simulated::prove(&config, &*network).await?;
    }
    let secrets = Arc::new(Secrets::new(environment.variables.clone(), places.clone()));
    let clock: WallClock = Arc::new(RealClock::wall);
    let (name, auth_host) = (config.name.clone(), same_cloud::host_of(&config.auth_url));
    let is_hooked = *hooks == Hooks::Real || !is_simulated;
    let Places { base, .. } = &places;
    let outside = if is_hooked {
        Outside {
            prober: probes::real(&places.commands(), base, &environment.variables),
            runner: steps::real(base, &environment.variables),
        }
    } else {
        Outside {
            prober: probes::rehearsed(&config.auth_url, &network),
            runner: steps::rehearsed(),
        }
    };
    let sent = Sent::default();
    panic::hides(&sent);
    let keeper: Arc<Secrets> = Arc::clone(&secrets);
    let cloud = cloud::connect(config, network, keeper, clock, sent).await?;
    let identity = CloudIdentity { auth_host, ..identity(name, &cloud, is_simulated) };
    let (cloud, base) = (Arc::new(cloud), places.base);
    Ok(Connection { cloud, identity, outside, secrets, is_hooked, base, speed: 1, _built_in: None })
}

/// Credentials go over an encrypted line, unless they stay on this machine.
fn in_secret(config: &CloudConfig) -> Result<(), Failure> {
    let services = &config.endpoints;
    let Overrides { ecs, evs, ims, kms, cts, cbr } = services;
    let places = [ecs, evs, ims, kms, cts, cbr].into_iter().flatten().chain([&config.auth_url]);
    match places.into_iter().find(|place| !config.simulated && is_in_the_clear(place)) {
        None => Ok(()),
        Some(place) => Err(Failure::refused(
            format!(
                "cloud {} would send credentials unencrypted to {}",
                config.name,
                without_login(place)
            ),
            "write https:// there; http:// is for addresses of this machine",
        )),
    }
}

fn is_in_the_clear(place: &str) -> bool {
    let Ok(place) = place.parse::<http::Uri>() else { return false };
    let host = place.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    place.scheme_str() != Some("https") && !here
}

/// Certificates are not loaded for a cloud that needs none: that takes half a second.
fn access(config: &CloudConfig) -> Access {
    let is_plain = config.auth_url.starts_with("http://");
    let trust = if is_plain { Trust::PlainHttp } else { config.access.trust.clone() };
    Access { trust, ..config.access.clone() }
}

fn identity(name: String, cloud: &AnyCloud, simulated: bool) -> CloudIdentity {
    let who = cloud.identity();
    CloudIdentity {
        name,
        provider: who.provider,
        auth_host: String::new(),
        region: who.region.clone(),
        project_id: who.project_id.clone(),
        project_name: who.project_name.clone(),
        user_id: who.user_id.clone(),
        user_name: who.user_name.clone(),
        simulated,
        features: who.features.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_unencrypted_to_this_machine_only() {
        for here in [
            "https://iam.example.test/v3",
            "http://127.0.0.1:80/v3",
            "http://[::1]:9",
            "http://localhost",
        ] {
            assert!(!is_in_the_clear(here), "{here}");
        }
        let away =
            ["http://iam.example.test/v3", "http://127.example.test", "http://localhost.test:80"];
        for away in away.into_iter().chain(["http://127.0.0.1@example.test", "HTTP://example.test"])
        {
            assert!(is_in_the_clear(away), "{away}");
        }
    }
}
