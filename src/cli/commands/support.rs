//! `refleet support RUN SERVER`: what the cloud's support needs to know of a server, from the
//! journal alone: a text ready to send on stdout, and an archive to go with it.

use std::path::PathBuf;

use crate::domain::{Ending, Record, RunId, ServerId, list_some};
use crate::journal::StoredRun;
use crate::plan::Plan;
use crate::report::{AsPlanned, Meant, Support, find_server};

use super::super::app::App;
use super::super::args::SupportArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{archive, files};

/// Writes the archive and prints the text.
pub(in crate::cli) async fn support(app: &App, args: &SupportArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let run = store.find(&args.run).await?.run;
    let stored = store.load(&run).await?;
    let server = choose(&run, &stored.records, &args.server)?;
    let case = Support::of(&stored.records, &server, before(&stored, &server))?;
    let case = case.ok_or_else(|| nobody(&run, &args.server))?;
    let name = file_name(&run, &server);
    let age = u64::try_from(case.last.0 / 1_000).unwrap_or(0);
    let packed = archive::pack(&name, &case.files()?, age)
        .map_err(|source| Failure::System { what: "pack the archive", source })?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    files::write_fresh(&path, &packed)?;
    app.ui.result(&case.letter())?;
    app.ui.note(format_args!("written to {}; read it before you send it", path.display()));
    if case.ending() != Some(Ending::NeedsSupport) {
        app.ui.note(format_args!("{} is {}, not needs_support", case.name, case.phase));
    }
    Ok(Exit::Done)
}

/// The server of a run that is meant, by its id or by a name of its own.
pub(super) fn choose(run: &RunId, records: &[Record], wanted: &str) -> Result<ServerId, Failure> {
    match find_server(records, wanted) {
        Meant::One(server) => Ok(server),
        Meant::Nobody => Err(nobody(run, wanted)),
        Meant::Several(servers) => Err(Failure::refused(
            format!("{} servers of run {run} are called `{wanted}`", servers.len()),
            format!("name one by its id: {}", list_some(&servers, 10)),
        )),
    }
}

pub(super) fn nobody(run: &RunId, wanted: &str) -> Failure {
    Failure::refused(
        format!("run {run} has no server with the id or name `{wanted}`"),
        format!("`refleet status {run}` lists its servers"),
    )
}

/// What the plan of the run knows of the server. A plan that this refleet cannot read is no reason
/// to withhold the rest.
fn before(stored: &StoredRun, server: &ServerId) -> Option<AsPlanned> {
    let plan: Plan = serde_json::from_str(&stored.plan_json).ok()?;
    let target = plan.targets.get(server)?;
    let found = &target.found;
    let known = plan.images.get(&found.image).map(|image| image.name.clone());
    Some(AsPlanned {
        looked_at: plan.made,
        project_id: plan.cloud.project_id.clone(),
        zone: found.az.clone(),
        running: found.running,
        image: found.image.clone(),
        image_name: target.image_before.clone().or(known),
        key_name: found.key_name.clone(),
        system_volume: found.system_volume.clone(),
        data_volumes: found.data_volumes.clone(),
        addresses: found.addresses.clone(),
    })
}

/// Without a character that a file name may not have: an id is what the cloud says it is.
fn file_name(run: &RunId, server: &ServerId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("support-{run}-{server}").chars().map(plain).collect()
}
