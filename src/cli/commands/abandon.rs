//! `refleet abandon RUN SERVER`: gives a server back on which something of a run is open, and that
//! nobody else may touch for it (`safety.md`, S15). A person takes it over by typing its name.

use crate::domain::{RunId, ServerId, list_some, shown};
use crate::journal::{self, Store, kept};
use crate::report::Fold;
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::AbandonArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::machine;
use super::support;

/// Says what is open, asks, and gives the server back.
pub(in crate::cli) async fn abandon(app: &App, args: &AbandonArgs) -> Result<Exit, Failure> {
    let store = app.existing_state()?;
    let found = store.find(&args.run).await?;
    let run = found.run;
    let records = store.records(&run).await?;
    let server = support::choose(&run, &records, &args.server)?;
    if let Some(pid) = found.alive {
        return Err(Failure::refused(
            format!("process {pid} drives run {run}, and still looks after {}", args.server),
            format!(
                "`refleet stop {run}` ends it in order; what is left open then can be given up"
            ),
        ));
    }
    let open = kept(&records).remove(&server);
    let held = store.held(&run).await?.contains(&server);
    let Some(open) = open.filter(|_| held) else {
        return Err(journal::Error::NotHeld { run, server }.into());
    };
    let name = Fold::of(&records).name_of(&server);
    app.ui.say(format_args!(
        "{name} ({server}): {}. Once it is given up, another run may wipe it, and run {run} never \
         touches it again.",
        list_some(&open, 5)
    ));
    confirm(app, &name, args.confirm.as_deref())?;
    give_up(app, &store, &run, &server).await?;
    app.ui.note(format_args!("{name} is given up; look at it before anything else is done to it"));
    Ok(Exit::Done)
}

async fn give_up(app: &App, store: &Store, run: &RunId, server: &ServerId) -> Result<(), Failure> {
    let by = machine::user();
    store.abandon(run, server, &by, RealClock::wall()).await?;
    app.ui.note(format_args!("noted in the journal as done by {by}"));
    Ok(())
}

/// A person says yes by typing the server's name.
fn confirm(app: &App, name: &str, confirm: Option<&str>) -> Result<(), Failure> {
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None if app.ui.can_ask() => app.ui.ask("Type the server's name to give it up:")?,
        None => {
            return Err(Failure::refused(
                "there is no terminal to ask on",
                "give --confirm NAME, with the server's name",
            ));
        }
    };
    // A name that cannot be shown as it is cannot be typed either.
    if typed == name || typed == shown(name) {
        return Ok(());
    }
    Err(Failure::refused(
        format!("`{typed}` is not its name; nothing was done"),
        format!("the server is called `{name}`"),
    ))
}
