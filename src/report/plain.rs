//! Progress as lines, for logs and for pipes.

use std::io::Write;

use crate::domain::{Millis, Moment, Record, Shown, Timestamp};

use super::lines::{line, phases_text};
use super::{Error, Fold, Reporter};

/// How often counts are written while nothing else is to be said.
const EVERY: Millis = Millis::secs(15);

/// Writes a line for whatever a person would want to know, and counts now and then.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    fold: Fold,
    counted: Timestamp,
    shown: String,
}

impl<W: Write + Send> Plain<W> {
    /// Writes there.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { out, fold: Fold::default(), counted: Timestamp(0), shown: String::new() }
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn catch_up(&mut self, records: &[Record]) {
        for record in records {
            self.fold.apply(record);
        }
    }

    fn tell(&mut self, records: &[Record]) -> Result<(), Error> {
        for record in records {
            self.fold.apply(record);
            if let Some((_, text)) = line(&self.fold, record) {
                writeln!(self.out, "{} {}", record.at, Shown(text))?;
            }
        }
        Ok(self.out.flush()?)
    }

    fn tick(&mut self, now: Moment) -> Result<(), Error> {
        if self.counted == Timestamp(0) {
            self.counted = now.wall;
        }
        if now.wall.since(self.counted) < EVERY {
            return Ok(());
        }
        self.counted = now.wall;
        let counts = phases_text(self.fold.servers.values());
        if counts != self.shown && !counts.is_empty() {
            writeln!(self.out, "{} {counts}", now.at)?;
            self.out.flush()?;
            self.shown = counts;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Time;

    use super::*;

    fn stream(text: &str) -> Vec<Record> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn told(plain: Plain<Vec<u8>>) -> String {
        String::from_utf8(plain.out).unwrap()
    }

    #[test]
    fn every_kind_of_event_as_lines() {
        let mut plain = Plain::new(Vec::new());
        plain.tell(&stream(include_str!("../../tests/journals/v1/all-kinds.jsonl"))).unwrap();
        insta::assert_snapshot!("all_kinds_plain", told(plain));
    }

    #[test]
    fn what_was_before_is_known_and_not_told_again() {
        let records = stream(include_str!("../../tests/journals/v1/chaos.jsonl"));
        let (before, after) = records.split_at(13);
        let mut plain = Plain::new(Vec::new());
        plain.catch_up(before);
        plain.tell(&after[..1]).unwrap();
        let text = told(plain);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("+44.2s db-2: "), "the name is of before: {text}");
    }

    #[test]
    fn counts_come_now_and_then_and_only_when_they_changed() {
        let records = stream(include_str!("../../tests/journals/v1/chaos.jsonl"));
        let mut plain = Plain::new(Vec::new());
        plain.catch_up(&records);
        for second in [1, 5, 20, 40, 60] {
            let wall = Timestamp(second * 1_000);
            plain.tick(Moment { at: Time(95_000), wall }).unwrap();
        }
        assert_eq!(
            told(plain),
            "+1m35s 1 unknown, 1 needs_support, 1 reinstalling, 1 stopped, 1 stopping, 1 pending\n"
        );
    }
}
