//! How the grammar of a playbook is written down: shapes of values, and tables of keys.
//!
//! Start with [`Shape`]. The tables themselves are in `grammar.rs`.

/// What may stand at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Any text that is not blank.
    Text,
    /// A text that may have `{{ host.… }}` in it, filled in for each server.
    Template,
    /// A text without spaces: names and ids.
    Id,
    /// The name of an environment variable that holds a secret.
    EnvName,
    /// A tag as `key=value` or `key`.
    Tag,
    /// A whole number from here to there.
    Whole(u64, u64),
    /// A number above this.
    Above(f64),
    /// `true` or `false`.
    Flag,
    /// `30s`, `5m`, `2h`.
    Duration,
    /// `10/s`, `300/m`.
    Rate,
    /// `25%`.
    Share,
    /// A number of servers of at least 1, or a share above 0 %.
    Size,
    /// A number, a text or a switch: the value of a variable.
    Plain,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A map of these keys.
    Map(&'static Table),
    /// One of these words, or a map of these keys.
    WordOr(&'static [&'static str], &'static Table),
    /// A text, or a map of these keys.
    TextOr(&'static Table),
    /// A map of names that the author chooses.
    Named(&'static Shape),
    /// A list, which may be empty.
    List(&'static Shape),
    /// A list with at least one item.
    Some(&'static Shape),
    /// One item, or a list with at least one.
    OneOrMany(&'static Shape),
    /// A list with at least one item, or a map of these keys.
    SomeOr(&'static Shape, &'static Table),
}

/// The keys of one kind of map.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in the schema.
    pub(super) name: &'static str,
    /// What it is, in a sentence: `a fleet`.
    pub(super) what: &'static str,
    /// How many of its keys there have to be.
    pub(super) rule: Rule,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// How many keys a map has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Any number, also none.
    Any,
    /// At least one, since an empty condition would mean "all".
    SomeCondition,
    /// One, and not two: each is another choice.
    OneOf,
    /// One of the step words, beside `id` and `after`.
    OneAction,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// What stands behind it.
    pub(super) shape: Shape,
    /// What it is for: the description in the schema.
    pub(super) doc: &'static str,
    /// Whether it has to be there.
    pub(super) needed: Needed,
    /// Whether `null` may stand there.
    pub(super) null: Null,
}

/// Whether a key has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// It has.
    Yes,
    /// It may be missing.
    No,
}

/// Whether `null` may stand at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Null {
    /// It removes an inherited value.
    Removes,
    /// Nothing is inherited here.
    Refused,
}

/// A key that may be missing.
pub(super) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, needed: Needed::No, null: Null::Refused }
}

/// A key that has to be there.
pub(super) const fn needed(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, needed: Needed::Yes, null: Null::Refused }
}

/// A key that is inherited from `defaults`.
pub(super) const fn inherited(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, needed: Needed::No, null: Null::Removes }
}
