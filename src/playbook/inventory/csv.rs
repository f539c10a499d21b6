//! CSV as a table in which every cell knows its place. The only place that knows the CSV crate.

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::super::problem::{Code, Problem};
use crate::yaml::Span;

/// Bytes of one cell, unquoted.
const LONGEST: usize = 64 * 1024;

/// Cells of one row.
const WIDEST: usize = 200;

/// A cell and its place.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) span: Span,
}

/// Every row that is not blank and no comment, the header first; up to the first thing that is no
/// CSV.
pub(super) fn rows(text: &str) -> (Vec<Vec<Cell>>, Option<Problem>) {
    let mut table = Table { text, at: 0, cell: vec![0; LONGEST] };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let first = table.skip_to_row();
    let delimiter = match first.and_then(|line| Some((line, told(line)?))) {
        // Excel's own line, which is no row.
        Some((line, sign)) => {
            table.at += line.len();
            sign
        }
        None => first.map_or(b',', delimiter),
    };
    while table.skip_to_row().is_some() {
        match table.row(delimiter) {
            Ok(row) => rows.push(row),
            Err(problem) => return (rows, Some(problem)),
        }
    }
    (rows, None)
}

/// The sign that a first line `sep=;` tells.
fn told(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    match line.strip_prefix("sep=")?.as_bytes() {
        [sign @ (b',' | b';' | b'\t')] => Some(*sign),
        _ => None,
    }
}

/// The sign between cells: that of the header, whatever a spreadsheet wrote.
fn delimiter(header: &str) -> u8 {
    let count = |sign: &u8| header.bytes().filter(|byte| byte == sign).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(count).unwrap_or(b',')
}

struct Table<'t> {
    text: &'t str,
    at: usize,
    cell: Vec<u8>,
}

impl<'t> Table<'t> {
    /// The next line that is not blank and no comment.
    fn skip_to_row(&mut self) -> Option<&'t str> {
        loop {
            let rest = &self.text[self.at..];
            let line = rest.split_inclusive('\n').next()?;
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                return Some(line);
            }
            self.at += line.len();
        }
    }

    fn row(&mut self, delimiter: u8) -> Result<Vec<Cell>, Problem> {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
        let mut row = Vec::new();
        loop {
            let (cell, last) = self.field(&mut reader)?;
            row.push(cell);
            if last {
                return Ok(row);
            }
            if row.len() > WIDEST {
                return Err(self.no_csv(self.at, "a row of more than 200 cells"));
            }
        }
    }

    /// The next cell, and whether it is the last of its row.
    fn field(&mut self, reader: &mut Reader) -> Result<(Cell, bool), Problem> {
        let start = self.at;
        let input = &self.text.as_bytes()[start..];
        let (mut result, read, mut written) = reader.read_field(input, &mut self.cell);
        if matches!(result, ReadFieldResult::InputEmpty) {
            let (ended, _, more) = reader.read_field(&[], &mut self.cell[written..]);
            (result, written) = (ended, written + more);
        }
        self.at += read;
        let last = match result {
            ReadFieldResult::Field { record_end } => record_end,
            ReadFieldResult::End => true,
            ReadFieldResult::OutputFull | ReadFieldResult::InputEmpty => {
                return Err(self.no_csv(start, "a cell of more than 64 KB"));
            }
        };
        let mut raw = &self.text[start..self.at];
        // The sign behind the cell belongs to none; what ends the last cell is white anyway.
        if !last {
            raw = &raw[..raw.len().saturating_sub(1)];
        }
        // The place of a blank cell is where it should begin, not the line behind.
        let blank = raw.trim().is_empty();
        let begin = if blank { start } else { start + (raw.len() - raw.trim_start().len()) };
        let raw = raw.trim();
        let closed = raw.len() > 1 && raw.ends_with('"');
        if raw.starts_with('"') && !closed {
            return Err(self.no_csv(begin, "a quote that is never closed"));
        }
        let text = String::from_utf8_lossy(&self.cell[..written]).trim().to_owned();
        Ok((Cell { text, span: Span::new(begin, begin + raw.len()) }, last))
    }

    fn no_csv(&self, at: usize, what: &str) -> Problem {
        let line = self.text[at..].split_inclusive('\n').next().unwrap_or_default();
        Problem::error(Code::BadInventory, format!("not CSV: {what}"))
            .label(Span::new(at, at + line.trim_end().len().min(80)), "begins here")
            .help("look at the quotes: a quote inside a quoted cell is written twice")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let (rows, problem) = rows(text);
        assert!(problem.is_none(), "{problem:?}");
        for cell in rows.iter().flatten() {
            let raw = &text[cell.span.range()];
            assert_eq!(raw.trim_matches('"').replace("\"\"", "\"").trim(), cell.text);
        }
        rows.into_iter().map(|row| row.into_iter().map(|cell| cell.text).collect()).collect()
    }

    #[test]
    fn rows_are_read_with_their_places_whatever_the_sign_and_the_line_ends() {
        for text in [
            "name,az\nweb-1,a\n\n# old\nweb-2,\"b\"\n",
            "name;az\r\nweb-1;a\r\n\r\nweb-2; b \r\n",
            "\n\nname\taz\nweb-1\ta\nweb-2\t\"b\"",
        ] {
            assert_eq!(texts(text), [["name", "az"], ["web-1", "a"], ["web-2", "b"]], "{text:?}");
        }
        assert_eq!(texts("a,b\n\"x, \"\"y\"\"\nz\",\n"), [["a", "b"], ["x, \"y\"\nz", ""]]);
        assert_eq!(texts("sep=;\r\nname;az\r\nx;\"a;b\"\r\n"), [["name", "az"], ["x", "a;b"]]);
        assert_eq!(texts("name\nä"), [["name"], ["ä"]]);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for text in ["a\n\"x\n", "a\n\"\n", &format!("a\n{}", "x".repeat(70_000)), &",".repeat(300)]
        {
            assert!(rows(text).1.is_some(), "{text:.20}");
        }
    }
}
