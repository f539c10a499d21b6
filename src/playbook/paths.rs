//! Keys of an override with dots, such as `reinstall.key_name`: what a column of a CSV file may be.

use super::grammar::OVERRIDE;
use super::shape::{Key, Shape, Table};

/// Why there is no such column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoColumn {
    /// The password itself.
    InlineSecret,
    /// Anything else that is no single value of an override.
    Unknown,
}

/// Keys of an override that rows may have: not which servers it is for.
fn keys(table: &'static Table) -> impl Iterator<Item = &'static Key> {
    table.keys.iter().filter(|key| key.name != "match")
}

/// Whether a path is a single value of an override.
pub(super) fn column(path: &str) -> Result<(), NoColumn> {
    let mut table = &OVERRIDE;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let key = keys(table).find(|key| key.name == part).ok_or(NoColumn::Unknown)?;
        match (parts.peek(), below(key.shape)) {
            (Some(_), Some(inner)) => table = inner,
            (None, Some(inner)) if inner.name == "secret" => return Err(NoColumn::InlineSecret),
            (None, _) if is_single(key.shape) => return Ok(()),
            (Some(_), None) | (None, _) => return Err(NoColumn::Unknown),
        }
    }
    Err(NoColumn::Unknown)
}

/// Every such path, for suggestions.
pub(super) fn columns() -> Vec<String> {
    let mut found = Vec::new();
    collect(&OVERRIDE, "", &mut found);
    found
}

fn collect(table: &'static Table, before: &str, found: &mut Vec<String>) {
    for key in keys(table) {
        let path = format!("{before}{}", key.name);
        if let Some(inner) = below(key.shape) {
            collect(inner, &format!("{path}."), found);
        }
        if is_single(key.shape) {
            found.push(path);
        }
    }
}

fn below(shape: Shape) -> Option<&'static Table> {
    match shape {
        Shape::Map(table) | Shape::WordOr(_, table) | Shape::TextOr(table) => Some(table),
        Shape::Text
        | Shape::Template
        | Shape::Id
        | Shape::EnvName
        | Shape::Tag
        | Shape::Whole(..)
        | Shape::Above(_)
        | Shape::Flag
        | Shape::Duration
        | Shape::Rate
        | Shape::Share
        | Shape::Size
        | Shape::Plain
        | Shape::Word(_)
        | Shape::Named(_)
        | Shape::List(_)
        | Shape::Some(_)
        | Shape::SomeOr(..)
        | Shape::OneOrMany(_) => None,
    }
}

fn is_single(shape: Shape) -> bool {
    match shape {
        Shape::Text
        | Shape::Template
        | Shape::Id
        | Shape::EnvName
        | Shape::Tag
        | Shape::Whole(..)
        | Shape::Above(_)
        | Shape::Flag
        | Shape::Duration
        | Shape::Rate
        | Shape::Share
        | Shape::Size
        | Shape::Plain
        | Shape::Word(_)
        | Shape::WordOr(..)
        | Shape::TextOr(_) => true,
        Shape::Map(_)
        | Shape::Named(_)
        | Shape::List(_)
        | Shape::Some(_)
        | Shape::SomeOr(..)
        | Shape::OneOrMany(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_values_of_an_override_are_columns_and_nothing_else_is() {
        for path in columns() {
            assert_eq!(column(&path), Ok(()), "{path}");
        }
        for path in ["reinstall.key_name", "wait.settle", "start_back", "reinstall.encryption"] {
            assert!(columns().contains(&path.to_owned()), "{path}");
        }
        for path in ["", "match", "match.name", "verify", "reinstall", "wait.", "strategy.canary"] {
            assert_eq!(column(path), Err(NoColumn::Unknown), "{path}");
        }
        assert_eq!(column("reinstall.admin_pass"), Err(NoColumn::InlineSecret));
        assert_eq!(column("reinstall.admin_pass.env"), Ok(()));
    }
}
