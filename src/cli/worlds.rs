//! What a simulated cloud is to be like: from the command line, or from the key `simulator` of a
//! playbook. Start with [`Asked`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::playbook::{SimulatorSpec, Source};
use crate::run::RealClock;
use crate::simulator::http::Options;
use crate::simulator::{Faults, FileFlaws, WorldSpec};

use super::args::SimulatorArgs;
use super::failure::Failure;
use super::ui::Ui;
use super::{diagnostic, files};

/// Speed of the built-in cloud where nobody says one (`product.md`, section 8).
const SPEED: f64 = 60.0;

/// A simulated cloud that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// What is in it.
    pub(super) spec: WorldSpec,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// Durations are divided by it.
    pub(super) speed: f64,
    /// What everything random is drawn from.
    pub(super) seed: u64,
}

impl Asked {
    /// By a playbook with `cloud: simulator`; where it says nothing about servers, the world is
    /// `fitted`.
    pub(super) fn by_playbook(
        ui: &Ui,
        written: Option<&SimulatorSpec>,
        fitted: impl FnOnce() -> Result<WorldSpec, Failure>,
    ) -> Result<Self, Failure> {
        let Some(written) = written else {
            let faults = Faults::default();
            return Ok(Self { spec: fitted()?, faults, speed: SPEED, seed: 0 });
        };
        let spec = match (&written.world, written.servers) {
            (Some(file), _) => world_file(ui, Path::new(&file.path))?,
            (None, Some(servers)) => healthy(servers)?,
            (None, None) => fitted()?,
        };
        let faults = faults_named(ui, &written.faults)?;
        Ok(Self { spec, faults, speed: written.speed, seed: written.seed })
    }

    /// By the command line.
    pub(super) fn by_args(ui: &Ui, args: &SimulatorArgs) -> Result<Self, Failure> {
        if !(args.speed.is_finite() && args.speed > 0.0) {
            return Err(Failure::refused(
                "--speed must be above 0",
                "1 is as fast as a real cloud",
            ));
        }
        let spec = match &args.world {
            Some(path) => world_file(ui, path)?,
            None => healthy(args.servers)?,
        };
        let faults = faults_named(ui, &args.faults)?;
        Ok(Self { spec, faults, speed: args.speed, seed: args.seed })
    }

    /// The same for the front on a port.
    pub(super) fn options(&self) -> Options {
        Options {
            speed: self.speed,
            seed: self.seed,
            faults: self.faults.clone(),
            clock: Arc::new(RealClock::wall),
        }
    }

    /// How much faster a client's clock goes: never faster than the world's, so that it waits long
    /// enough.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates, and a speed is above 0"
    )]
    pub(super) fn clock_speed(&self) -> u32 {
        (self.speed as u32).max(1)
    }
}

/// A world of so many healthy servers.
fn healthy(servers: u32) -> Result<WorldSpec, Failure> {
    let spec = WorldSpec::healthy(servers);
    spec.check().map_err(|why| Failure::refused(why, "ask for fewer servers"))?;
    Ok(spec)
}

/// A world from its file; all that is wrong with it is shown.
fn world_file(ui: &Ui, path: &Path) -> Result<WorldSpec, Failure> {
    let text = files::read_text(path)?;
    WorldSpec::from_yaml(&text).map_err(|flaws| shown(ui, path, (text, flaws)))
}

/// Faults by their name, or from a file; all that is wrong with it is shown.
pub(super) fn faults_named(ui: &Ui, name: &str) -> Result<Faults, Failure> {
    if let Some(faults) = Faults::named(name) {
        return Ok(faults);
    }
    let path = PathBuf::from(name);
    if !path.exists() {
        return Err(Failure::refused(
            format!("there are no faults called `{name}`, and no such file"),
            "the names are none, throttled, flaky and chaos",
        ));
    }
    let text = files::read_text(&path)?;
    Faults::from_yaml(&text).map_err(|flaws| shown(ui, &path, (text, flaws)))
}

/// Shows what is wrong with a file, as problems of a playbook are shown.
fn shown(ui: &Ui, path: &Path, (text, flaws): (String, FileFlaws)) -> Failure {
    let source = Source::new(path.to_string_lossy(), text);
    ui.drawn(&diagnostic::render_flaws(&source, &flaws.0));
    Failure::Problems(flaws.0.len())
}
