//! Where each server of a run is right now.

use comfy_table::{Table, presets};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Lines, Millis, PauseCause, Record, RunId, Time, Timestamp, shown};

use super::lines::phases_text;
use super::summary::down;
use super::text::write_down;
use super::{Down, Fold, ServerState};

/// A run right now, server by server.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// The run.
    pub run: Option<RunId>,
    /// The moment of its last record, as the run counts.
    pub at: Time,
    /// The same, as the world counts.
    pub last: Timestamp,
    /// Whether it ended.
    pub finished: bool,
    /// What it waits for a person for.
    pub paused: Option<PauseCause>,
    /// What waits for an approval, a few words each.
    pub waits: Vec<String>,
    /// Servers that are down because of this run.
    pub down: Vec<Down>,
    /// Its servers in the order of the plan.
    pub servers: Vec<ServerState>,
}

impl Status {
    /// Where the run stands that these are the records of.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let fold = Fold::of(records);
        Self {
            waits: fold.waits(),
            down: down(&fold),
            run: fold.outline.map(|outline| outline.run),
            at: fold.at,
            last: fold.last,
            paused: fold.paused,
            finished: fold.ended.is_some(),
            servers: fold.servers.into_values().collect(),
        }
    }

    /// A line for each server; the last line is how many are where.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["fleet", "server", "id", "phase", "for", "note"]);
        for server in &self.servers {
            let length = Millis(self.at.since(server.since).0 / 1_000 * 1_000).to_string();
            let note = server.note.as_deref().unwrap_or("");
            let row = [
                server.fleet.as_str(),
                &server.name,
                server.id.as_str(),
                &server.phase.to_string(),
                &length,
                note,
            ];
            table.add_row(row.map(shown));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = Lines::new();
        for row in table.lines() {
            text.line(row.trim_end());
        }
        text.blank();
        write_down(&mut text, &self.down, usize::MAX);
        for what in &self.waits {
            text.line(format_args!("waits for an approval: {what}"));
        }
        text.line(phases_text(&self.servers));
        text.into_text()
    }
}
