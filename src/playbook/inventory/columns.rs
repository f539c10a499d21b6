//! What the columns of a CSV inventory mean: the server, and an override of its treatment.
//!
//! A column is a key of an override with dots, such as `reinstall.key_name`. The row of a server is
//! put into a small tree and goes the way of every other override: the same grammar, the same
//! problems, the same inheritance.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::mask;
use super::super::paths::{self, NoColumn};
use super::super::problem::{Code, Problem};
use super::super::suggest::{self, shown};
use super::csv::{Cell, rows};
use super::read::{Listing, Listings};
use crate::yaml::{Entry, Key, Node, Scalar, Span, Value};

/// Rows of overrides that differ from each other.
const MOST_ROWS: usize = 10_000;

/// Reads a text.
pub(super) fn read(text: &str) -> Listings {
    let mut found = Listings::default();
    let (mut rows, broken) = rows(text);
    if let Some(problem) = broken {
        // Which of it would have been a secret cannot be told.
        let from = problem.labels.first().map_or(0, |(span, _)| span.start as usize);
        found.hidden.push(Span::new(from, text.len()));
        found.problems.push(problem);
    }
    if rows.is_empty() {
        return found;
    }
    let mut header = rows.remove(0);
    without_blank_ends(&mut header, &mut rows);
    let columns = Columns::read(&header, &mut found.problems);
    columns.hide(&rows, &mut found.hidden);
    if columns.id.is_none() && columns.name.is_none() && found.problems.is_empty() {
        found.problems.push(
            Problem::error(Code::BadRow, "no column says which server a row is about")
                .label(header.first().map_or(Span::default(), |cell| cell.span), "the header")
                .help("the first row names the columns; one of them is `id` or `name`"),
        );
    }
    if !found.problems.is_empty() {
        return found;
    }
    let mut known: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for row in &rows {
        columns.row(row, header.len(), &mut known, &mut found);
    }
    found
}

/// Columns of the client that say how a server is, not what to do with it.
const OF_THE_CLIENT: [&str; 22] = [
    "Status",
    "Networks",
    "Image",
    "Flavor",
    "Task State",
    "Power State",
    "Image Name",
    "Image ID",
    "Flavor Name",
    "Flavor ID",
    "Availability Zone",
    "Pinned Availability Zone",
    "Host",
    "Properties",
    "Created At",
    "Launched At",
    "Security Groups",
    "Project ID",
    "User ID",
    "Scheduler Hints",
    "Locked",
    "Fault",
];

/// Takes away what a sign at the end of each line makes: columns without a name and without a cell.
fn without_blank_ends(header: &mut Vec<Cell>, rows: &mut [Vec<Cell>]) {
    while header.len() > 1 && header.last().is_some_and(|cell| cell.text.is_empty()) {
        let last = header.len() - 1;
        if rows.iter().any(|row| row.get(last).is_some_and(|cell| !cell.text.is_empty())) {
            return;
        }
        header.pop();
    }
    for row in rows {
        while row.len() > header.len() && row.last().is_some_and(|cell| cell.text.is_empty()) {
            row.pop();
        }
    }
}

#[derive(Default)]
struct Columns<'h> {
    id: Option<usize>,
    name: Option<usize>,
    /// Keys of an override: their path, and the column.
    keys: Vec<(Vec<&'h str>, usize)>,
    /// Remarks, and what the client says of a server: let be.
    other: Vec<usize>,
    /// Columns whose cells may be secrets.
    secret: Vec<usize>,
}

impl<'h> Columns<'h> {
    fn read(header: &'h [Cell], problems: &mut Vec<Problem>) -> Self {
        let mut columns = Self::default();
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        let mut strangers: Vec<&Cell> = Vec::new();
        for (index, cell) in header.iter().enumerate() {
            // The client writes `ID` and `Name`.
            let known = ["id", "name"].into_iter();
            let mut known = known.filter(|known| known.eq_ignore_ascii_case(&cell.text));
            let name = known.next().unwrap_or(cell.text.as_str());
            if mask::sounds_secret(&name.to_lowercase()) {
                columns.secret.push(index);
            }
            if let Some(first) = seen.insert(name, cell.span) {
                problems.push(
                    Problem::error(
                        Code::DuplicateKey,
                        format!("the column {} stands twice", shown(name)),
                    )
                    .label(cell.span, "again here")
                    .label(first, "first here")
                    .help("keep one of them"),
                );
                continue;
            }
            match name {
                "id" => columns.id = Some(index),
                "name" => columns.name = Some(index),
                remark if remark.starts_with("x-") || OF_THE_CLIENT.contains(&remark) => {
                    columns.other.push(index);
                }
                _ => match paths::column(name) {
                    Ok(()) => columns.keys.push((name.split('.').collect(), index)),
                    Err(NoColumn::InlineSecret) => problems.push(inline_secret(cell.span)),
                    Err(NoColumn::Unknown) => strangers.push(cell),
                },
            }
        }
        problems.extend(unknown(&strangers));
        columns
    }

    fn hide(&self, rows: &[Vec<Cell>], hidden: &mut Vec<Span>) {
        let cells = |row: &'_ Vec<Cell>| -> Vec<Span> {
            self.secret.iter().filter_map(|index| Some(row.get(*index)?.span)).collect()
        };
        hidden.extend(rows.iter().flat_map(cells));
    }

    fn row(
        &self,
        row: &[Cell],
        width: usize,
        known: &mut BTreeMap<Vec<String>, usize>,
        found: &mut Listings,
    ) {
        let span = row.first().map_or(Span::default(), |cell| cell.span);
        if row.len() != width {
            found.problems.push(
                Problem::error(
                    Code::BadRow,
                    format!(
                        "a row of {}, and the header has {width}",
                        crate::domain::count(row.len(), "cell")
                    ),
                )
                .label(span, "this row")
                .help("every row has a cell for each column; `-` leaves a key as the fleet has it"),
            );
            return;
        }
        let mut read = row.iter().enumerate().filter(|(index, _)| !self.other.contains(index));
        if let Some((_, cell)) = read.find(|(_, cell)| cell.text.is_empty()) {
            found.problems.push(blank(cell));
            return;
        }
        let text = |index: Option<usize>| index.and_then(|index| row.get(index));
        let Some(who) = text(self.id).or(text(self.name)) else { return };
        let mut listing = Listing::new(&who.text, who.span);
        listing.named = self.id.and(text(self.name)).map(|cell| cell.text.clone());
        listing.row = self.overrides(row, known, &mut found.rows);
        found.hosts.push(listing);
        if found.rows.len() > MOST_ROWS && found.problems.is_empty() {
            found.problems.push(
                Problem::error(
                    Code::TooManyNodes,
                    format!("more than {MOST_ROWS} different rows of overrides"),
                )
                .label(span, "one too many")
                .help("rows with the same overrides count once: split the file, and the playbook"),
            );
        }
    }

    /// What a row changes, as the index of a tree; rows that change the same share one.
    fn overrides(
        &self,
        row: &[Cell],
        known: &mut BTreeMap<Vec<String>, usize>,
        trees: &mut Vec<Node>,
    ) -> Option<usize> {
        let said = |(path, index): &'_ (Vec<&'h str>, usize)| {
            let cell = row.get(*index)?;
            (cell.text != "-").then(|| (path.clone(), cell))
        };
        let said: Vec<(Vec<&str>, &Cell)> = self.keys.iter().filter_map(said).collect();
        if said.is_empty() {
            return None;
        }
        let key = self.keys.iter().filter_map(|(_, index)| Some(row.get(*index)?.text.clone()));
        let next = trees.len();
        let index = *known.entry(key.collect()).or_insert(next);
        if index == next && next <= MOST_ROWS {
            trees.push(tree(&said, 0));
        }
        Some(index)
    }
}

/// The cells as a map of maps, as if they stood in a playbook.
fn tree(cells: &[(Vec<&str>, &Cell)], depth: usize) -> Node {
    let mut entries: Vec<Entry> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for (path, cell) in cells {
        let Some(key) = path.get(depth).filter(|key| !done.contains(*key)) else { continue };
        done.push(key);
        let same: Vec<_> =
            cells.iter().filter(|(path, _)| path.get(depth) == Some(key)).cloned().collect();
        let value = if path.len() == depth + 1 { leaf(cell) } else { tree(&same, depth + 1) };
        entries.push(Entry { key: Key { text: Arc::from(*key), span: cell.span }, value });
    }
    let span = cells.first().map_or(Span::default(), |(_, cell)| cell.span);
    Node { span, value: Value::Map(Arc::new(entries)) }
}

fn leaf(cell: &Cell) -> Node {
    let scalar = Scalar { text: Arc::from(cell.text.as_str()), plain: true };
    Node { span: cell.span, value: Value::Scalar(scalar) }
}

fn blank(cell: &Cell) -> Problem {
    Problem::error(Code::Blank, "a cell is blank")
        .label(cell.span, "no value")
        .help("`-` leaves a key as the fleet has it, `null` removes an inherited value")
}

/// One problem for all columns that are not known.
fn unknown(strangers: &[&Cell]) -> Option<Problem> {
    let first = strangers.first()?;
    let columns = paths::columns();
    let known: Vec<&str> =
        ["id", "name"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    let names: Vec<String> = strangers.iter().take(10).map(|cell| shown(&cell.text)).collect();
    let (message, help) = match suggest::closest(&first.text, known) {
        _ if first.text.is_empty() => (
            "a column without a name, and its cells are not blank".to_owned(),
            "name the column, or take it out".to_owned(),
        ),
        Some(word) if strangers.len() == 1 => {
            (format!("unknown column {}", names.join(", ")), format!("did you mean `{word}`?"))
        }
        Some(_) | None => (
            format!("unknown column {}", names.join(", ")),
            "columns are `id`, `name`, and keys of an override with dots, such as `wait.settle`; take a column out, or begin its name with `x-` to keep it as a remark".to_owned(),
        ),
    };
    let mut problem = Problem::error(Code::UnknownColumn, message);
    for cell in strangers.iter().take(10) {
        problem = problem.label(cell.span, "not a key of an override");
    }
    Some(problem.help(help))
}

fn inline_secret(span: Span) -> Problem {
    Problem::error(Code::InlineSecret, "a column of passwords")
        .label(span, "its values are not shown here, and must not be in a file that is kept")
        .help("say where each is kept: a column `reinstall.admin_pass.env` or `reinstall.admin_pass.file`. Take the written ones for known to others: change them")
}
