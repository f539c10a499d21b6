//! What is wrong with a file of ours, with its place, its cause and its mend; and how a world or a
//! fault file is read so that all of it is told at once. Start with [`read`].

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::form;
use crate::domain::count;
use crate::yaml::{self, Flaw, FlawKind, Limits, Node, Span, Tree};

/// What a file may cost; the largest worlds have a hundred thousand servers in a few groups.
const LIMITS: Limits = Limits { nodes: 2_000_000, depth: 64, scalar: 1024 * 1024 };

/// One thing that is wrong with a world or a fault file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFlaw {
    /// The bytes of the file that it is about.
    pub span: Span,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The same in a word or two, to stand beside the place.
    pub label: String,
    /// How it can be mended.
    pub help: String,
}

impl fmt::Display for FileFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message, help, .. } = self;
        write!(f, "line {line}, column {column}: {message} ({help})")
    }
}

/// All that is wrong with a world or a fault file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFlaws(pub Vec<FileFlaw>);

impl fmt::Display for FileFlaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", count(self.0.len(), "problem"))?;
        self.0.iter().try_for_each(|flaw| write!(f, "; {flaw}"))
    }
}

impl std::error::Error for FileFlaws {}

/// Something wrong, before its line is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: String,
}

impl Wrong {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: "here".to_owned(), help: String::new() }
    }

    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    fn placed(self, text: &str) -> FileFlaw {
        let Self { span, message, label, help } = self;
        let before = text.get(..span.start as usize).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before[start..].chars().count();
        FileFlaw { span, line, column, message, label, help }
    }
}

/// A value that cannot be, though it has the right form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Impossible {
    /// Where, such as `servers[2].image`.
    pub(super) path: String,
    pub(super) message: String,
    pub(super) help: String,
}

/// Reads a file: its YAML, its form, and then what `check` finds in it. Each stage tells everything
/// it finds, and the next one begins only where there was nothing.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(
    text: &str,
    check: impl FnOnce(&T) -> Vec<Impossible>,
) -> Result<T, FileFlaws> {
    staged(text, check).map_err(|mut wrongs| {
        wrongs.sort_by_key(|wrong| wrong.span);
        FileFlaws(wrongs.into_iter().map(|wrong| wrong.placed(text)).collect())
    })
}

fn staged<T: DeserializeOwned + JsonSchema>(
    text: &str,
    check: impl FnOnce(&T) -> Vec<Impossible>,
) -> Result<T, Vec<Wrong>> {
    let tree = Tree::read(text, LIMITS);
    let wrongs = |found: Vec<Wrong>| if found.is_empty() { Ok(()) } else { Err(found) };
    wrongs(tree.flaws.iter().map(syntax).collect())?;
    if let Some(root) = &tree.root {
        wrongs(form::misfits(&schemars::schema_for!(T).to_value(), root))?;
    }
    let value: T = yaml::from_str(text).map_err(|error| vec![unread(text, &error)])?;
    let found = check(&value).into_iter().map(|it| {
        let span = tree.root.as_ref().map(|root| place(root, &it.path)).unwrap_or_default();
        Wrong::new(span, it.message).help(it.help)
    });
    wrongs(found.collect())?;
    Ok(value)
}

/// Where a path leads, or the last place on the way there.
fn place(root: &Node, path: &str) -> Span {
    let mut at = root;
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        let next = match step.strip_suffix(']') {
            Some(index) => index.parse().ok().and_then(|index: usize| at.items()?.get(index)),
            None => at.get(step),
        };
        let Some(next) = next else { break };
        at = next;
    }
    at.span
}

/// What only reading into the real type has found.
fn unread(text: &str, error: &yaml::Error) -> Wrong {
    let (line, column) = (error.line.max(1), error.column.max(1));
    let before = usize::try_from(line - 1).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let chars = usize::try_from(column - 1).unwrap_or(usize::MAX);
    let at = start + text[start..].chars().take(chars).map(char::len_utf8).sum::<usize>();
    Wrong::new(Span::new(at, at), error.message.clone())
        .help("docs/simulator.md has every key and what it takes")
}

/// What is wrong with the text as YAML.
fn syntax(flaw: &Flaw) -> Wrong {
    let (message, help) = match &flaw.kind {
        FlawKind::Syntax { message } => (
            format!("this is not YAML: {message}"),
            "look at the indentation, and at quotes and brackets that are not closed",
        ),
        FlawKind::UnknownAlias { name, .. } => (
            format!("there is no anchor `&{name}` before this"),
            "an anchor is written further up; a text that begins with `*` has to be quoted",
        ),
        FlawKind::DuplicateKey { name, .. } => {
            (format!("the key `{name}` stands twice"), "keep one of them")
        }
        FlawKind::UnquotedInsert => {
            ("`{{ }}` inserts nothing here".to_owned(), "write the value itself")
        }
        FlawKind::ComplexKey => ("a key is a list or a map".to_owned(), "keys are words"),
        FlawKind::Tag { name } => {
            (format!("tags such as `{name}` are not read"), "write the value itself")
        }
        FlawKind::BadMerge => (
            "`<<` merges maps, and this is none".to_owned(),
            "mark a map with `&name`, and merge it with `<<: *name`",
        ),
        FlawKind::SeveralDocuments => {
            ("a second document begins here".to_owned(), "one file, one world: split the file")
        }
        FlawKind::TooDeep => (
            "nested more than 64 levels deep".to_owned(),
            "perhaps brackets are not closed, or aliases hold aliases",
        ),
        FlawKind::TooManyNodes => (
            "more than 2,000,000 values".to_owned(),
            "an alias counts as what it stands for; servers that are alike are one group",
        ),
        FlawKind::LongScalar { bytes } => {
            (format!("a text of {bytes} bytes"), "a text may have 1 MiB")
        }
    };
    Wrong::new(flaw.span, message).help(help)
}

#[cfg(test)]
mod tests {
    use super::super::{Faults, WorldSpec};

    /// Everything that is told of a world, one line each.
    fn world(text: &str) -> Vec<String> {
        WorldSpec::from_yaml(text).unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_stage_tells_everything_it_finds_with_its_place() {
        let text = "servers:\n  - { cuont: 3, image: other }\n  - { status: ACTIV, locked: 1 }\n";
        let told = world(text);
        let want = [
            "line 2, column 7: there is no `cuont` here (did you mean `count`?)",
            "line 3, column 15: `status` cannot be `ACTIV` (did you mean `ACTIVE`?)",
            "line 3, column 30: `locked` cannot be `1` (write `true` or `false`)",
        ];
        assert_eq!(told, want);
        let told = world("a: [\n");
        assert!(told[0].contains("this is not YAML"), "{told:?}");
        let told = world("servers:\n  - {}\n  - { image: ubunt }\nimages: [{ name: ubuntu }]\n");
        assert_eq!(told.len(), 2, "the first group too has an image that is not there: {told:?}");
        assert!(told[0].starts_with("line 2, column 5: "), "a default has its group's place");
        assert!(told[1].starts_with("line 3, column 14: "), "{told:?}");
        assert!(told[1].ends_with("(did you mean `ubuntu`?)"), "{told:?}");
    }

    #[test]
    fn faults_are_told_in_the_same_way() {
        let text = "cut: 1.5\nlost_aftr: 0.1\nanswers: [{ operation: reinstal, code: Ecs.0O21 }]\n";
        let told = Faults::from_yaml(text).unwrap_err();
        let told: Vec<String> = told.0.iter().map(ToString::to_string).collect();
        let want = [
            "line 1, column 6: `cut` cannot be `1.5` (it is a number from 0 to 1)",
            "line 2, column 1: there is no `lost_aftr` here (did you mean `lost_after`?)",
            "line 3, column 24: `operation` cannot be `reinstal` (did you mean `reinstall`?)",
            "line 3, column 40: `code` cannot be `Ecs.0O21` (did you mean `Ecs.0021`?)",
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn odd_files_are_told_and_never_a_panic() {
        for text in ["7", "[]", "a", "servers: 5", "servers:", "knobs: { reinstall: 5 }", "- ä: {"]
        {
            assert!(WorldSpec::from_yaml(text).is_err(), "{text}");
        }
        for text in ["", "{}", "# nothing\n", "servers: []", "knobs: { job_retention: null }"] {
            assert!(WorldSpec::from_yaml(text).is_ok(), "{text}");
        }
    }
}
