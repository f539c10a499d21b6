//! `refleet simulator`: the simulated cloud over HTTP, until somebody ends it.

use tokio::net::TcpListener;

use crate::run;
use crate::simulator;

use super::super::app::App;
use super::super::args::SimulatorArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::files;
use super::super::worlds::Asked;

/// Serves it. The first line on stdout says where it is and how to get in.
pub(in crate::cli) async fn simulator(app: &App, args: &SimulatorArgs) -> Result<Exit, Failure> {
    let asked = Asked::by_args(&app.ui, args)?;
    let trouble = |source| Failure::System { what: "serve the simulated cloud", source };
    let listener = TcpListener::bind(args.listen).await.map_err(trouble)?;
    let mut signals = run::ctrl_c();
    let (running, served) =
        simulator::http::serve(listener, asked.spec.clone(), asked.options()).map_err(trouble)?;
    let (account, endpoint) = (running.account(), running.endpoint());
    if let Some(path) = &args.clouds {
        files::write_private(path, simulator::clouds_yaml(account, endpoint).as_bytes())?;
    }
    let clouds = args.clouds.as_ref().map(|path| path.to_string_lossy());
    app.ui.data(&simulator::first_line(account, endpoint, clouds.as_deref()))?;
    tokio::select! {
        ended = served => ended.map_err(trouble)?,
        _ = signals.recv() => {}
    }
    Ok(Exit::Done)
}
