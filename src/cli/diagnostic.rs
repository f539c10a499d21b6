//! How problems look: with the line of the playbook, a cause and a help. Start with [`render`].
//!
//! This is the only place that decides about their colours and their width.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::playbook::{Problem, Source};
use crate::simulator::FileFlaw;

/// The widest that a problem is drawn; wider lines are hard to read.
const WIDTH: usize = 100;

/// All problems, for people.
pub(super) fn render(problems: &[Problem]) -> String {
    drawn(problems.iter().map(|problem| problem as &dyn Diagnostic))
}

/// All that is wrong with a world or a fault file, for people.
pub(super) fn render_flaws(source: &Source, flaws: &[FileFlaw]) -> String {
    let shown: Vec<Shown<'_>> = flaws.iter().map(|flaw| Shown { source, flaw }).collect();
    drawn(shown.iter().map(|shown| shown as &dyn Diagnostic))
}

fn drawn<'d>(problems: impl Iterator<Item = &'d dyn Diagnostic>) -> String {
    let theme = if console::colors_enabled_stderr() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let mut text = String::new();
    for problem in problems {
        // Writing into a `String` cannot fail; a span outside of the text would only lose the snippet.
        if handler.render_report(&mut text, problem).is_err() {
            let code = problem.code().map(|code| format!("{code}: ")).unwrap_or_default();
            text.push_str(&format!("{code}{problem}\n"));
        }
        text.push('\n');
    }
    text
}

/// Something wrong with a file of the simulator, in its text.
#[derive(Debug)]
struct Shown<'f> {
    source: &'f Source,
    flaw: &'f FileFlaw,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.flaw.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.flaw.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label =
            LabeledSpan::new_with_span(Some(self.flaw.label.clone()), self.flaw.span.range());
        Some(Box::new(std::iter::once(label)))
    }
}
