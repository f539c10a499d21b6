//! `matrix`: one fleet as it is written, several as they go, one after another.
//!
//! Start with [`parts`]. Each combination of values makes a fleet of its own, `web[eu-de-01]`, with
//! `{{ matrix.az }}` inserted wherever it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::is_fitting_name;
use super::insert::{Matrix, Var, Vars};
use super::problem::{Code, Problem};
use super::suggest::shown;
use super::treatment::text;
use crate::yaml::{Entry, Key, Node, Scalar, Span};

/// Parts that a fleet may have: each has a canary and waves of its own.
const MOST_PARTS: usize = 100;

/// Fleets with a `matrix`, by their name as it is written.
pub(super) type Parts = BTreeMap<Arc<str>, Vec<Part>>;

/// One fleet of a matrix.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// What it is called: `web[eu-de-01]`.
    pub(super) name: Arc<str>,
    /// The fleet with the values of this part inserted.
    pub(super) node: Node,
    /// These values: templates of the fleet insert them as well.
    pub(super) values: Matrix,
}

/// The values of one part by their key, and its name.
pub(super) type Combination = (Arc<str>, Vars);

/// Every combination, the first key changing slowest; none if the matrix cannot be used, which is told
/// here or by the grammar.
pub(super) fn combinations(fleet: &Entry, problems: &mut Vec<Problem>) -> Vec<Combination> {
    let Some(matrix) = fleet.value.entry("matrix") else { return Vec::new() };
    let keys = matrix.value.entries().unwrap_or_default();
    let before = problems.len();
    let mut made: Vec<Vec<(&Key, &Scalar)>> = vec![Vec::new()];
    for key in keys {
        let Some(values) = values(key, problems) else { return Vec::new() };
        if made.len().saturating_mul(values.len()) > MOST_PARTS {
            problems.push(
                Problem::error(Code::TooManyParts, format!("a matrix of more than {MOST_PARTS} parts"))
                    .label(key.key.span, "too many with this key")
                    .help("each part is a fleet of its own, and they go one after another: select more at once"),
            );
            return Vec::new();
        }
        made = made
            .into_iter()
            .flat_map(|row| {
                values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.push((&key.key, *value));
                    row
                })
            })
            .collect();
    }
    if keys.is_empty() || problems.len() > before {
        return Vec::new();
    }
    let named = |row: Vec<(&Key, &Scalar)>| -> Combination {
        let values: Vec<&str> = row.iter().map(|(_, value)| &*value.text).collect();
        let name = format!("{}[{}]", fleet.key.text, values.join(","));
        let by_key = row.into_iter().map(|(key, value)| {
            (Arc::clone(&key.text), Var { key: key.span, value: Some(value.clone()) })
        });
        (Arc::from(name), by_key.collect())
    };
    made.into_iter().map(named).collect()
}

/// The values of a key, each once; `None` where the grammar tells why there are none.
fn values<'n>(key: &'n Entry, problems: &mut Vec<Problem>) -> Option<Vec<&'n Scalar>> {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let mut found = Vec::new();
    for item in key.value.items()? {
        let (scalar, name) = (item.scalar()?, text(item)?);
        if !is_fitting_name(name) {
            problems.push(
                Problem::error(
                    Code::BadName,
                    format!("{} cannot be part of a fleet's name", shown(name)),
                )
                .label(item.span, "letters, digits, `_`, `-` and `.` only")
                .help("a fleet of a matrix is named after its values, as in `web[eu-de-01]`"),
            );
        } else if let Some(first) = seen.insert(name, item.span) {
            problems.push(
                Problem::error(
                    Code::RepeatedValue,
                    format!("{} stands twice in the matrix", shown(name)),
                )
                .label(item.span, "again")
                .label(first, "first here")
                .help("keep one of them: both would be the same servers"),
            );
        }
        found.push(scalar);
    }
    (!found.is_empty()).then_some(found)
}

/// A key that no insert names: every part would be the same servers.
pub(super) fn unused(fleet: &Entry, key: &Entry) -> Problem {
    let name = &key.key.text;
    Problem::error(
        Code::UnusedMatrixKey,
        format!("the fleet `{}` never inserts `matrix.{name}`", fleet.key.text),
    )
    .label(key.key.span, "makes parts that do not differ")
    .help(format!(
        "insert it where the parts differ, such as `az: \"{{{{ matrix.{name} }}}}\"`, or remove it"
    ))
}
