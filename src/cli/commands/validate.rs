//! `refleet validate`: everything that can be known about playbooks without a cloud.

use crate::domain::Lines;
use crate::playbook::{Parsed, Problem};

use super::super::app::App;
use super::super::args::{Format, ValidateArgs};
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::{diagnostic, playbooks};

/// Checks every playbook, and shows all problems of all of them.
pub(in crate::cli) fn validate(app: &App, args: &ValidateArgs) -> Result<Exit, Failure> {
    let mut problems = Vec::new();
    let mut sound = Lines::new();
    let mut exit = Exit::Done;
    for path in &args.playbooks {
        let Parsed { playbook, problems: found } = match playbooks::read(path) {
            Ok(parsed) => parsed,
            Err(failure) => {
                app.ui.failure(&failure);
                exit = Exit::Refused;
                continue;
            }
        };
        match playbook {
            Some(_) => sound.line(format_args!("{}: ok", path.display())),
            None => exit = Exit::Refused,
        }
        problems.extend(found);
    }
    match args.format {
        Format::Json => app.ui.json(&problems.iter().map(Problem::view).collect::<Vec<_>>())?,
        Format::Text => {
            if !problems.is_empty() {
                app.ui.drawn(&diagnostic::render(&problems));
            }
            app.ui.result(&sound.into_text())?;
        }
    }
    Ok(exit)
}
