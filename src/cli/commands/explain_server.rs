//! `refleet explain SERVER`: why a server is in a playbook or not, where each of its values comes
//! from, and what it waits for. Reads only.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::{Lines, Server, ServerId, list_some};
use crate::engine::Engine;
use crate::fleet::did_you_mean;
use crate::plan::{self, Inventory, Narrowing, Plan, Story};
use crate::report::{ServerState, Status};
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::{ExplainArgs, Format};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{connection, drawing, playbooks};

/// What is told of a server.
#[derive(Serialize)]
struct Told {
    /// By the playbook.
    playbook: Option<Story>,
    /// By the journal of a run.
    run: Option<InRun>,
}

/// A server in a run.
#[derive(Serialize)]
struct InRun {
    /// Where it is.
    server: ServerState,
    /// What it waits for.
    waits_for: Vec<String>,
    /// Where the run is.
    state: String,
}

/// Tells it.
pub(super) async fn server(app: &App, args: &ExplainArgs) -> Result<Exit, Failure> {
    let told = Told { playbook: by_playbook(app, args).await?, run: by_run(app, args).await? };
    match args.format {
        Format::Json => app.ui.json(&told)?,
        Format::Text => app.ui.result(&text(&told))?,
    }
    Ok(Exit::Done)
}

async fn by_playbook(app: &App, args: &ExplainArgs) -> Result<Option<Story>, Failure> {
    let Some(path) = &args.playbook else { return Ok(None) };
    let playbook = playbooks::require(&app.ui, path)?;
    let connection = connection::of_playbook(app, &playbook).await?;
    let inventory = drawing::read(&playbook, &Narrowing::default(), &connection).await?;
    let server = find(&inventory, &args.word)?;
    let (identity, now) = (&connection.identity, RealClock::wall());
    Ok(Some(plan::story(&playbook, identity, &inventory, server, now)))
}

/// The server of that id, or the only one of that name.
fn find<'i>(inventory: &'i Inventory, wanted: &str) -> Result<&'i Server, Failure> {
    let servers = &inventory.servers;
    if let Some(server) = servers.iter().find(|server| server.id.as_str() == wanted) {
        return Ok(server);
    }
    let alike: Vec<&Server> = servers.iter().filter(|server| server.name == wanted).collect();
    match alike.as_slice() {
        [server] => Ok(server),
        [] => {
            let names = servers.iter().map(|server| server.name.as_str());
            let help = did_you_mean(wanted, names).map_or_else(
                || "only servers that the acting user can see are known".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            let what = format!("`{wanted}` is no code, and no server has this id or name");
            Err(Failure::refused(what, help))
        }
        several => {
            let ids: Vec<&ServerId> = several.iter().map(|server| &server.id).collect();
            let what = format!("{} servers are called `{wanted}`", ids.len());
            Err(Failure::refused(what, format!("name one by its id: {}", list_some(&ids, 10))))
        }
    }
}

async fn by_run(app: &App, args: &ExplainArgs) -> Result<Option<InRun>, Failure> {
    let Some(wanted) = &args.run else { return Ok(None) };
    let store = app.look()?;
    let run = store.find(wanted).await?;
    let stored = store.load(&run.run).await?;
    let id = super::support::choose(&run.run, &stored.records, &args.word)?;
    let status = Status::of(&stored.records);
    let Some(server) = status.servers.into_iter().find(|server| server.id == id) else {
        return Err(super::support::nobody(&run.run, &args.word));
    };
    let plan: Plan = serde_json::from_str(&stored.plan_json)?;
    let plan = Arc::new(plan::check(plan).map_err(Failure::Unsound)?);
    let waits_for = Engine::replay(plan, &stored.records)?.waits_for(&id);
    let state = format!("run {}: {}", run.run, super::runs::state(&run));
    Ok(Some(InRun { server, waits_for, state }))
}

fn text(told: &Told) -> String {
    let mut text = told.playbook.as_ref().map(Story::to_string).unwrap_or_default();
    let Some(told) = &told.run else { return text };
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&in_run(told).into_text());
    text
}

fn in_run(InRun { server, waits_for, state }: &InRun) -> Lines {
    let mut text = Lines::new();
    let (name, id, fleet) = (&server.name, &server.id, &server.fleet);
    text.line(state);
    text.blank();
    let (phase, since) = (server.phase, server.since);
    text.line(format_args!("{name} ({id}) of fleet {fleet} is {phase}, since {since}."));
    text.line(format_args!("  {}", server.standing.words()));
    let failure = server.failure.iter().flat_map(|failure| {
        let cause = format!("{}: {} {}", failure.code, failure.cause, failure.detail);
        [cause.trim_end().to_owned(), failure.help.clone()]
    });
    let lines = server.note.iter().cloned().chain(failure).chain(server.warnings.iter().cloned());
    text.indented("  ", lines.filter(|line| !line.is_empty()));
    if !waits_for.is_empty() {
        text.line("It waits for");
    }
    text.indented("  ", waits_for);
    text
}
