//! How problems look: with the line of the playbook, a cause and a help. Start with [`render`].
//!
//! This is the only place that decides about their colours and their width.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode,
};

use crate::domain::{printable, shown, steers};
use crate::playbook::{self, Problem, Source};
use crate::simulator::FileFlaw;

/// The widest that a problem is drawn; wider lines are hard to read.
const WIDTH: usize = 100;

/// Problems, drawn: the only text with control sequences, and those are the colours of the drawing.
pub(super) struct Drawn(String);

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All problems, for people.
pub(super) fn render(problems: &[Problem]) -> Drawn {
    let views = problems.iter().map(|problem| {
        let severity = match problem.severity {
            playbook::Severity::Error => Severity::Error,
            playbook::Severity::Warning => Severity::Warning,
        };
        let labels = problem.labels.iter().map(|(span, text)| (text.as_str(), span.range()));
        Picture {
            code: Some(problem.code()),
            severity,
            message: line(&problem.message),
            help: problem.help.as_deref().map(text),
            labels: labels.map(|(text, span)| label(text, span)).collect(),
            source: shown_source(problem.source()),
        }
    });
    drawn(views)
}

/// All that is wrong with a world or a fault file, for people.
pub(super) fn render_flaws(source: &Source, flaws: &[FileFlaw]) -> Drawn {
    let source = shown_source(source);
    drawn(flaws.iter().map(|flaw| Picture {
        code: None,
        severity: Severity::Error,
        message: line(&flaw.message),
        help: Some(text(&flaw.help)),
        labels: vec![label(&flaw.label, flaw.span.range())],
        source: source.clone(),
    }))
}

fn drawn(pictures: impl Iterator<Item = Picture>) -> Drawn {
    let theme = if console::colors_enabled_stderr() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let mut drawn = String::new();
    for picture in pictures {
        // Writing into a `String` cannot fail; a span outside of the text would only lose the snippet.
        if handler.render_report(&mut drawn, &picture).is_err() {
            let code = picture.code.map(|code| format!("{code}: ")).unwrap_or_default();
            drawn.push_str(&format!("{code}{picture}\n"));
        }
        drawn.push('\n');
    }
    drawn.truncate(drawn.trim_end().len());
    Drawn(drawn)
}

/// A text from a file, on one line.
fn line(text: &str) -> String {
    shown(text).into_owned()
}

/// A text of ours that may have several lines.
fn text(text: &str) -> String {
    printable(text).into_owned()
}

fn label(text: &str, span: std::ops::Range<usize>) -> LabeledSpan {
    LabeledSpan::new_with_span(Some(line(text)), span)
}

/// The source with nothing in it that steers a terminal, and every place where it was: an odd
/// character is replaced by one of as many bytes.
fn shown_source(source: &Source) -> Source {
    let name = line(&source.name);
    let odd = |c: char| !matches!(c, '\n' | '\t') && steers(c);
    if !source.text.chars().any(odd) {
        return Source { name, text: Arc::clone(&source.text) };
    }
    // Where lines end as on Windows, the end is nothing to be shown.
    let text = source.text.replace("\r\n", " \n");
    let same_length = text.chars().map(|c| match (odd(c), c.len_utf8()) {
        (false, _) => c.to_string(),
        (true, 1) => "?".to_owned(),
        (true, 2) => "¿".to_owned(),
        (true, 3) => "\u{fffd}".to_owned(),
        (true, _) => "\u{fffd}?".to_owned(),
    });
    Source::new(name, same_length.collect::<String>())
}

/// A problem, ready to be drawn: nothing in it steers a terminal.
#[derive(Debug)]
struct Picture {
    code: Option<&'static str>,
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Source,
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Picture {}

impl Diagnostic for Picture {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_deref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        if self.labels.is_empty() { None } else { Some(&self.source) }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_has_no_control_character_of_a_file() {
        let text = "version: 1\r\nname: \"x\u{1b}[2J\u{9b}1m\u{202e}\u{e0041}y\"\nbogus\u{7f}: 2 # \u{8}\n";
        let source = Source::new("p\u{1b}[31m\nMADE-UP.yaml", text);
        let shown = shown_source(&source);
        assert_eq!(shown.text.len(), text.len(), "places stay where they are");
        let problems = playbook::parse(&source, &playbook::NoFiles).problems;
        assert!(!problems.is_empty());
        console::set_colors_enabled_stderr(false);
        let drawn = render(&problems).to_string();
        let odd: Vec<char> = drawn.chars().filter(|c| *c != '\n' && steers(*c)).collect();
        assert!(odd.is_empty(), "{odd:?} in {drawn}");
        assert!(!drawn.lines().any(|line| line.trim_start().starts_with("MADE-UP")), "{drawn}");
    }
}
