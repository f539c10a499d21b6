//! `refleet pause`, `stop` and `approve`: a word to a run, from another shell or another day.
//!
//! The word is written into the state file. A process that drives the run reads it within a second; if
//! there is none, whoever resumes the run brings it. Nothing is done here but to write it down, and
//! to say what will come of it.

use crate::domain::{Counts, Steering};
use crate::journal::{Left, RunSummary, Word};
use crate::report::Fold;
use crate::run::RealClock;

use super::super::app::App;
use super::super::args::SteerArgs;
use super::super::connection::BUILT_IN;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::machine;

/// Leaves a word for a run.
pub(in crate::cli) async fn steer(
    app: &App,
    args: &SteerArgs,
    steering: Steering,
) -> Result<Exit, Failure> {
    let store = app.existing_state()?;
    let run = store.find(&args.run).await?;
    refuse_over(&run, steering)?;
    let fold = Fold::of(&store.records(&run.run).await?);
    if let Some(why) = needless(&fold, steering) {
        app.ui.note(format_args!("run {} {why}", run.run));
        return Ok(Exit::Done);
    }
    let waits = fold.waits();
    if steering == Steering::Approve && waits.is_empty() {
        return Err(Failure::refused(
            format!("run {} waits for no approval", run.run),
            "an approval is given when a run waits for one, and never beforehand",
        ));
    }
    let word = Word { steering, name: machine::user(), at: RealClock::wall(), seen: fold.seq };
    let left = store.leave(&run.run, word).await?;
    for what in waits.iter().filter(|_| steering == Steering::Approve) {
        app.ui.note(format_args!("approved: {what}"));
    }
    app.ui.note(what_comes_of_it(&run, &left));
    Ok(Exit::Done)
}

/// Nobody will ever hear a word to a run that is over.
fn refuse_over(run: &RunSummary, steering: Steering) -> Result<(), Failure> {
    if let Some((_, counts)) = &run.end {
        let counts = Counts::to_string(counts);
        return Err(Failure::refused(
            format!("run {} has ended: {counts}; there is nothing to {steering}", run.run),
            "`refleet runs` lists the runs that have not",
        ));
    }
    if run.alive.is_none() && run.cloud == BUILT_IN {
        return Err(Failure::refused(
            format!("run {} was on the built-in cloud, which ended with its process", run.run),
            "nobody can go on with it",
        ));
    }
    Ok(())
}

/// Whether the run does already what it would be asked for.
fn needless(fold: &Fold, steering: Steering) -> Option<&'static str> {
    match steering {
        Steering::Pause if fold.paused.is_some() => Some("is paused already"),
        Steering::Pause if fold.pausing.is_some() => Some("is pausing already"),
        Steering::Pause | Steering::Stop if fold.cause.is_some() => Some("is ending already"),
        Steering::Pause | Steering::Stop | Steering::Approve => None,
    }
}

fn what_comes_of_it(run: &RunSummary, Left { request, again }: &Left) -> String {
    let by = &request.by;
    let earlier = if *again { format!("{} asked at {}; ", by.name, by.at) } else { String::new() };
    match run.alive {
        Some(pid) => {
            format!("{earlier}run {} reads it within a second (process {pid})", run.run)
        }
        None => format!(
            "{earlier}no process drives run {id}: refleet resume {id} takes it",
            id = run.run
        ),
    }
}
