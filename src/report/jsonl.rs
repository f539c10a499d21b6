//! Every record as a line of JSON, for machines that watch.

use std::io::Write;

use crate::domain::{Record, shown_json};

use super::{Error, Reporter};

/// Writes JSON Lines: one record a line, with the values that the journal has. What would steer a
/// terminal is written as a JSON escape. A run that is taken over goes on
/// where the earlier file ended.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes there.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn tell(&mut self, records: &[Record]) -> Result<(), Error> {
        let mut lines = String::new();
        for record in records {
            lines.push_str(&shown_json(&serde_json::to_string(record)?));
            lines.push('\n');
        }
        self.out.write_all(lines.as_bytes())?;
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_as_the_journal_has_it() {
        let stream = include_str!("../../tests/journals/v1/all-kinds.jsonl");
        let records: Vec<Record> =
            stream.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut out = JsonLines::new(Vec::new());
        out.catch_up(&records[..5]);
        out.tell(&records[5..9]).unwrap();
        out.tell(&records[9..]).unwrap();
        let told = String::from_utf8(out.out).unwrap();
        let again: Vec<Record> =
            told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(again, records[5..]);
    }
}
