//! `refleet watch`: follows a run of another process, from its journal alone.
//!
//! It needs no terminal, and the run does not know of it. It ends when nobody drives the run any more,
//! with the code that the run itself was left with.

use std::io;

use crate::domain::{Millis, Record, RunId, Time, list_some};
use crate::journal::{RunSummary, Store};
use crate::report::{self, JsonLines, Plain, Reporter, Summary};
use crate::run::{Clock as _, RealClock};

use super::super::app::App;
use super::super::args::{Format, WatchArgs};
use super::super::driving;
use super::super::exit::Exit;
use super::super::failure::Failure;

/// The journal is looked into so often.
const EVERY: Millis = Millis::secs(1);

/// Shows what happens until nobody drives the run any more.
pub(in crate::cli) async fn watch(app: &App, args: &WatchArgs) -> Result<Exit, Failure> {
    let store = app.look()?;
    let run = choose(&store, args.run.as_deref()).await?.run;
    match args.format {
        Format::Text => {
            app.ui.note(format_args!("run {run}"));
            follow(&store, &run, Plain::new(io::stdout()), News::FromNowOn).await?;
            driving::conclude(app, &store, &run).await
        }
        // Programs read stdout: there is nothing but events on it.
        Format::Json => {
            follow(&store, &run, JsonLines::new(io::stdout()), News::FromTheBeginning).await?;
            let summary = Summary::of(&store.records(&run).await?);
            app.ui.note_lines(summary.to_text().trim_end());
            Ok(Exit::of(&summary))
        }
    }
}

/// What is told of a run that has begun already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    FromTheBeginning,
    FromNowOn,
}

async fn follow(
    store: &Store,
    run: &RunId,
    mut reporter: impl Reporter,
    news: News,
) -> Result<(), Failure> {
    let clock = RealClock::start(Time(0), 1);
    let mut seen = 0;
    if news == News::FromNowOn {
        let past = store.records(run).await?;
        seen = last(&past, seen);
        reporter.catch_up(&past);
    }
    loop {
        // Whoever was gone before this look has written all that it ever will.
        let alive = store.look(run).await?.alive.is_some();
        let records = store.records_after(run, seen).await?;
        seen = last(&records, seen);
        reporter.tell(&records).map_err(trouble)?;
        let now = clock.now();
        reporter.tick(now).map_err(trouble)?;
        if !alive {
            return reporter.finish().map_err(trouble);
        }
        clock.sleep_until(now.at + EVERY).await;
    }
}

fn last(records: &[Record], before: u64) -> u64 {
    records.last().map_or(before, |record| record.seq)
}

fn trouble(error: report::Error) -> Failure {
    match error {
        report::Error::Write(source) => Failure::Output(source),
        report::Error::Json(source) => Failure::Json(source),
        error @ (report::Error::Html(_) | report::Error::Junit(_)) => Failure::Report(error),
    }
}

/// The named run; else the only one that a process drives; else the newest.
async fn choose(store: &Store, wanted: Option<&str>) -> Result<RunSummary, Failure> {
    if let Some(wanted) = wanted {
        return Ok(store.find(wanted).await?);
    }
    let mut driven = store.unfinished().await?;
    driven.retain(|run| run.alive.is_some());
    if driven.len() > 1 {
        let runs: Vec<&RunId> = driven.iter().map(|run| &run.run).collect();
        return Err(Failure::refused(
            format!("{} runs are under way", driven.len()),
            format!("name one: {}", list_some(&runs, 10)),
        ));
    }
    match driven.pop() {
        Some(run) => Ok(run),
        None => super::status::newest(store).await,
    }
}
