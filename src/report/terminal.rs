//! Progress on a terminal: a bar for each fleet, what is slow, and messages above. Never a bar for
//! each server: nobody can read ten thousand.

use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::{FleetName, Millis, Moment, Record, Time, shown};

use super::lines::{Weight, line, phases_text};
use super::{Error, Fold, Reporter, ServerState};

/// So many of the slowest are named.
const SLOWEST: usize = 3;
/// Faster than anybody reads.
const REDRAW: Millis = Millis(200);

/// Draws on a terminal.
#[derive(Debug)]
pub struct Terminal {
    fold: Fold,
    screen: MultiProgress,
    bars: IndexMap<FleetName, ProgressBar>,
    slow: Option<ProgressBar>,
    drawn: Option<Moment>,
}

impl Terminal {
    /// Draws on standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self {
            fold: Fold::default(),
            screen: MultiProgress::with_draw_target(target),
            bars: IndexMap::new(),
            slow: None,
            drawn: None,
        }
    }

    fn draw(&mut self, now: Time) {
        if self.bars.is_empty() {
            self.make_bars();
        }
        for (fleet, bar) in &self.bars {
            let servers = || self.fold.servers.values().filter(|server| server.fleet == *fleet);
            let ended = servers().filter(|server| server.ending().is_some()).count();
            bar.set_position(ended as u64);
            bar.set_message(phases_text(servers()));
        }
        if let Some(bar) = &self.slow {
            bar.set_message(slow_text(&self.fold, now));
        }
    }

    fn make_bars(&mut self) {
        let fleets = self.fold.outline.iter().flat_map(|outline| &outline.fleets);
        let names = fleets.clone().map(|fleet| shown(fleet.name.as_str()).chars().count());
        let widest = names.max().unwrap_or(0);
        let style = |template: String| {
            ProgressStyle::with_template(&template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ")
        };
        for fleet in fleets {
            let servers = fleet.waves.iter().map(Vec::len).sum::<usize>();
            let bar = self.screen.add(ProgressBar::new(servers as u64));
            bar.set_style(style(format!(
                "{{prefix:{widest}}} [{{bar:24}}] {{pos}}/{{len}} {{msg}}"
            )));
            bar.set_prefix(shown(fleet.name.as_str()).into_owned());
            self.bars.insert(fleet.name.clone(), bar);
        }
        if !self.bars.is_empty() {
            let bar = self.screen.add(ProgressBar::new(0));
            bar.set_style(style("{msg}".to_owned()));
            self.slow = Some(bar);
        }
    }
}

/// Who has been where it is for longest.
fn slow_text(fold: &Fold, now: Time) -> String {
    let mut flying: Vec<&ServerState> =
        fold.servers.values().filter(|server| server.is_in_flight()).collect();
    flying.sort_by_key(|server| server.since);
    let one = |server: &&ServerState| {
        let note = server.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
        let length = Millis(now.since(server.since).0 / 1_000 * 1_000);
        format!("{} {} for {length}{note}", fold.name_of(&server.id), server.phase)
    };
    let slowest: Vec<String> = flying.iter().take(SLOWEST).map(one).collect();
    if slowest.is_empty() {
        return String::new();
    }
    shown(&format!("longest: {}", slowest.join("; "))).into_owned()
}

impl Reporter for Terminal {
    fn catch_up(&mut self, records: &[Record]) {
        for record in records {
            self.fold.apply(record);
        }
    }

    fn tell(&mut self, records: &[Record]) -> Result<(), Error> {
        for record in records {
            self.fold.apply(record);
            if let Some((Weight::Notice, text)) = line(&self.fold, record) {
                self.screen.println(&*shown(&text))?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Moment) -> Result<(), Error> {
        if self.drawn.is_some_and(|drawn| now.wall.since(drawn.wall) < REDRAW) {
            return Ok(());
        }
        self.drawn = Some(now);
        self.draw(now.at);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.draw(self.fold.at);
        if let Some(slow) = &self.slow {
            slow.finish_and_clear();
        }
        for bar in self.bars.values() {
            bar.abandon();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Timestamp;

    use super::*;

    #[test]
    fn there_is_a_bar_for_each_fleet_and_one_line_for_what_is_slow() {
        let records: Vec<Record> = include_str!("../../tests/journals/v1/chaos.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut terminal = Terminal::on(ProgressDrawTarget::hidden());
        terminal.tell(&records).unwrap();
        terminal.tick(Moment { at: Time(215_110), wall: Timestamp(0) }).unwrap();

        let bars: Vec<_> = terminal
            .bars
            .values()
            .map(|bar| (bar.prefix(), bar.position(), bar.length().unwrap(), bar.message()))
            .collect();
        let web = "1 reinstalling, 1 stopped, 1 stopping, 1 pending";
        assert_eq!(
            bars,
            [
                ("db".to_owned(), 2, 2, "1 unknown, 1 needs_support".to_owned()),
                ("web".to_owned(), 0, 4, web.to_owned()),
            ]
        );
        assert_eq!(
            terminal.slow.as_ref().unwrap().message(),
            "longest: web-3 stopping for 2m5s; web-2 stopped for 2m; web-1 reinstalling for 2m"
        );
        terminal.finish().unwrap();
    }
}
