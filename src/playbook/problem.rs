//! Problems as data: a code, a place, a help. How they look is the business of `cli`.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, SourceCode};
use serde::Serialize;

pub(super) use super::codes::Code;
use super::source::Source;
use crate::yaml::Span;

/// Whether a problem stops us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The playbook is refused.
    Error,
    /// It is worth a second look.
    Warning,
}

/// One thing that is wrong with a playbook.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) code: Code,
    /// Whether it stops us.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, most important place first.
    pub labels: Vec<(Span, String)>,
    /// How it can be mended.
    pub help: Option<String>,
    pub(super) source: Source,
}

impl Problem {
    /// Something that stops us.
    pub(super) fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            source: Source::new("", ""),
        }
    }

    /// Something worth a second look.
    pub(super) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place.
    pub(super) fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// Says how to mend it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which text the places are in.
    pub(super) fn found_in(mut self, source: &Source) -> Self {
        self.source = source.clone();
        self
    }

    /// Its code, such as `playbook::unknown_key`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// The text that its places are in.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// For programs: flat, with line and column.
    #[must_use]
    pub fn view(&self) -> ProblemView<'_> {
        let at = self.labels.first().map_or(0, |(span, _)| span.start as usize);
        let before = self.source.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        ProblemView {
            code: self.code(),
            severity: self.severity,
            message: &self.message,
            file: &self.source.name,
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            help: self.help.as_deref(),
        }
    }
}

/// A problem for programs.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemView<'p> {
    /// Its code.
    pub code: &'static str,
    /// Whether it stops us.
    pub severity: Severity,
    /// What is wrong.
    pub message: &'p str,
    /// The file.
    pub file: &'p str,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How it can be mended.
    pub help: Option<&'p str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_deref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        if self.labels.is_empty() { None } else { Some(&self.source) }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(
            self.labels
                .iter()
                .map(|(span, text)| LabeledSpan::new_with_span(Some(text.clone()), span.range())),
        ))
    }
}

/// All problems of a playbook, as one error.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::domain::count(self.0.len(), "problem"))
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}
