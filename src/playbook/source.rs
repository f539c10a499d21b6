//! The text of a playbook, and the files that it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use sha2::{Digest, Sha256};

use super::problem::{Code, Problem};
use crate::domain::Place;
use crate::yaml::Span;

/// The largest playbook. People review playbooks, and ten thousand servers, three lines each, are
/// about 1 MB. Whoever lists more does so in a file of its own (`hosts: [{ file: … }]`), which may
/// have 64 MB.
pub const MAX_PLAYBOOK_BYTES: usize = 4 * 1024 * 1024;

/// A text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, as it was given.
    pub name: String,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// Takes a text as it is.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Takes bytes from outside: refuses what is too large and what is not UTF-8.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Problem> {
        let name = name.into();
        let refuse = |code, message: String, help: &str| {
            let empty = Self::new(name.clone(), "");
            Err(Problem::error(code, message).help(help).found_in(&empty))
        };
        if bytes.len() > MAX_PLAYBOOK_BYTES {
            let size = bytes.len().div_ceil(1024 * 1024);
            return refuse(
                Code::TooLarge,
                format!("`{name}` has {size} MB, and a playbook may have 4 MB"),
                "put long lists of servers into a file with one id or name a line, and name it with `file:`",
            );
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let line =
                    String::from_utf8_lossy(&error.as_bytes()[..good]).matches('\n').count() + 1;
                refuse(
                    Code::NotUtf8,
                    format!(
                        "`{name}` is not UTF-8: byte {good}, in line {line}, begins no character"
                    ),
                    "save the file as UTF-8",
                )
            }
        }
    }

    /// SHA-256 of its bytes, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.text.as_bytes())
    }
}

/// SHA-256 in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.as_ref().read_span(span, lines_before, lines_after)?;
        let (line, column, count) = (found.line(), found.column(), found.line_count());
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            found.data(),
            *found.span(),
            line,
            column,
            count,
        )))
    }
}

/// Where each line of a text begins.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    file: Arc<str>,
    starts: Vec<u32>,
}

impl Lines {
    pub(super) fn of(source: &Source) -> Self {
        let breaks = source.text.match_indices('\n').map(|(at, _)| Span::new(at + 1, at + 1).start);
        Self {
            file: Arc::from(source.name.as_str()),
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        let line = self.starts.partition_point(|start| *start <= span.start);
        Place { file: Arc::clone(&self.file), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

/// Gives the content of files that a playbook names. Paths are those of the playbook: relative ones
/// are seen from its folder.
pub trait Files {
    /// All bytes of a file, or why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// No file is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }
}

/// Files in memory, by path.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_refused_with_its_place() {
        let problem =
            Source::from_bytes("p.yaml", b"version: 1\nname: \xff\n".to_vec()).unwrap_err();
        assert_eq!(problem.code(), "playbook::not_utf8");
        assert!(problem.message.contains("byte 17, in line 2"), "{}", problem.message);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_read() {
        let problem = Source::from_bytes("p.yaml", vec![b' '; MAX_PLAYBOOK_BYTES + 1]).unwrap_err();
        assert_eq!(problem.code(), "playbook::too_large");
    }

    #[test]
    fn places_count_lines_from_one() {
        let lines = Lines::of(&Source::new("p.yaml", "a\nbb\nc"));
        let line = |at| lines.place(Span::new(at, at)).line;
        assert_eq!([line(0), line(1), line(2), line(4), line(5)], [1, 1, 2, 2, 3]);
    }
}
