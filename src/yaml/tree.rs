//! A YAML document in which everything knows its place.
//!
//! Start with [`Tree::read`]. Scalars stay text here: what a text means is decided by whoever knows
//! what was asked for, so `no`, `010` and `1_000` cannot turn into something else on the way.

use std::sync::Arc;

/// A range of bytes of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A span of these bytes. Texts above 4 GB are refused long before.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clip = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clip(start), end: clip(end.max(start)) }
    }

    /// As a range, for slicing.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is used: of an alias the alias, of a collection its first character.
    pub span: Span,
    /// What is there.
    pub value: Value,
}

/// What can be at a place.
#[derive(Clone, Debug)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Seq(Arc<Vec<Node>>),
    /// A map, in the order it is written.
    Map(Arc<Vec<Entry>>),
    /// Something that a [`Flaw`] already tells about; nothing more should be said of it.
    Broken,
}

/// A single value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, escapes resolved.
    pub text: Arc<str>,
    /// Written without quotes, so that it may mean a number, a switch or null.
    pub plain: bool,
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub text: Arc<str>,
    /// Where it is written.
    pub span: Span,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The entries, if this is a map.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    /// The items, if this is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Node]> {
        if let Value::Seq(items) = &self.value { Some(items) } else { None }
    }

    /// The scalar, if this is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    /// The entry of that key, if this is a map that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| &*entry.key.text == key)
    }

    /// The value of that key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Whether this is `null` or `~`, said on purpose.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| {
            scalar.plain && matches!(&*scalar.text, "null" | "~" | "Null" | "NULL")
        })
    }

    /// Whether nothing is written here, or `""`.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.text.trim().is_empty())
    }
}

/// What a tree may cost. A text that would cost more is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes, with every alias counted as what it stands for.
    pub nodes: usize,
    /// Nesting, with every alias counted as what it stands for.
    pub depth: usize,
    /// Bytes of one scalar.
    pub scalar: usize,
}

/// Something wrong with the text as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: FlawKind,
}

/// What can be wrong with a text as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// Not YAML; nothing behind it was read.
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// `*name` without a `&name` before it.
    UnknownAlias {
        /// The name.
        name: String,
        /// Whether the text has any anchor at all; without one, `*name` is hardly meant as an alias.
        anchors: usize,
    },
    /// A key twice in one map.
    DuplicateKey {
        /// The key.
        name: String,
        /// Where it is first.
        first: Span,
    },
    /// `{{ x }}` without quotes is a map in a map to YAML.
    UnquotedInsert,
    /// A list or a map as a key.
    ComplexKey,
    /// A tag such as `!include`.
    Tag {
        /// The tag.
        name: String,
    },
    /// `<<` with something else than a map.
    BadMerge,
    /// More than one document.
    SeveralDocuments,
    /// Deeper than [`Limits::depth`].
    TooDeep,
    /// More than [`Limits::nodes`].
    TooManyNodes,
    /// Longer than [`Limits::scalar`].
    LongScalar {
        /// Its length in bytes.
        bytes: usize,
    },
}

/// A text as a tree, with what is wrong with it.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The tree; `None` if the text could not be read to its end, or if it is empty.
    pub root: Option<Node>,
    /// Everything that is wrong, in the order of the text; the first hundred.
    pub flaws: Vec<Flaw>,
}

impl Tree {
    /// Reads a text of one document.
    #[must_use]
    pub fn read(text: &str, limits: Limits) -> Self {
        super::build::build(text, limits, false)
    }

    /// Reads a text that another tool takes as well: directives and tags are let be, and of a key
    /// that stands twice in one map the last counts, as Python's YAML has it.
    #[must_use]
    pub fn read_theirs(text: &str, limits: Limits) -> Self {
        super::build::build(text, limits, true)
    }
}
