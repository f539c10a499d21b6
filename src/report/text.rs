//! A summary as text: short after a run, long as a report. The last line is the counts.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use indexmap::IndexMap;

use crate::domain::{Ending, Lines, count, shown};

use super::lines::pause_help;
use super::{Down, FailureGroup, Named, Summary};

/// Servers named in a group of the short text.
const SHOWN: usize = 5;

/// Servers that are down in the short text: whoever reads it may have to start them by hand.
const DOWN: usize = 20;

impl Summary {
    /// After a run: what went wrong and what to do about it, and the counts.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Lines::new();
        self.write_body(&mut text, (SHOWN, DOWN));
        text.into_text()
    }

    /// A run in full: what it was about, each fleet, and each server that did not get there.
    #[must_use]
    pub fn to_report(&self) -> String {
        let mut text = Lines::new();
        for (name, value) in self.facts() {
            text.line(format_args!("{name:<9} {value}"));
        }
        text.blank();
        for row in self.table().lines() {
            text.line(row.trim_end());
        }
        text.blank();
        self.write_body(&mut text, (usize::MAX, usize::MAX));
        text.into_text()
    }

    /// The servers that are down, and what to do about them; empty if there are none.
    #[must_use]
    pub fn down_text(&self) -> String {
        let mut text = Lines::new();
        write_down(&mut text, &self.down, usize::MAX);
        text.into_text()
    }

    /// What the run was about, and when: names and values, in the order of every report.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
        if let Some(outline) = &self.outline {
            let rehearsal =
                if outline.simulated { " (a rehearsal: nothing real was touched)" } else { "" };
            fact("run", format!("{}{rehearsal}", outline.run));
            fact("plan", outline.plan.to_string());
            fact("playbook", format!("{}, {}", outline.name, outline.origin));
            for file in &outline.origin.files {
                fact("file", file.to_string());
            }
            fact("cloud", format!("{}, {}, {}", outline.cloud, outline.region, outline.project));
        }
        fact("began", self.began.to_string());
        let (last, length) = (self.last, self.duration);
        let end = self.cause_text.as_deref().unwrap_or("done");
        match (self.finished, &self.paused_text) {
            (true, _) => fact("ended", format!("{last}, after {length}: {end}")),
            (false, Some(why)) => fact("paused", format!("{last}, after {length}: {why}")),
            (false, None) => fact("not ended", format!("last seen {last}, after {length}")),
        }
        facts
    }

    fn table(&self) -> Table {
        let endings: Vec<Ending> =
            Ending::ALL.into_iter().filter(|ending| self.counts.of(*ending) > 0).collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut header = vec!["fleet".to_owned(), "servers".to_owned()];
        header.extend(endings.iter().map(Ending::to_string));
        header.extend(["in flight".to_owned(), "pending".to_owned()]);
        table.set_header(header);
        for (name, fleet) in &self.fleets {
            let mut row = vec![shown(name.as_str()).into_owned(), fleet.servers.to_string()];
            row.extend(endings.iter().map(|ending| fleet.counts.of(*ending).to_string()));
            row.extend([fleet.in_flight.to_string(), fleet.counts.pending.to_string()]);
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn write_body(&self, text: &mut Lines, (shown, down): (usize, usize)) {
        write_list(text, "The preflight refused; nothing was touched", &self.refusals);
        for group in &self.groups {
            write_group(text, group, shown);
        }
        write_down(text, &self.down, down);
        // Never shortened: a person has to decide by it.
        write_list(text, UNKNOWN, &some(&self.unknown, usize::MAX));
        write_list(text, CLEARED, &some(&self.cleared, shown));
        write_list(text, "Warnings", &some(&self.warnings, shown));
        write_list(text, UNDONE, &some(&self.undone, shown));
        if self.finished {
            if let Some(cause) = self.cause_text.as_deref().filter(|cause| *cause != "done") {
                text.line(format_args!("The run ended early: {cause}."));
                text.blank();
            }
        } else {
            self.write_open_end(text);
        }
        text.line(&self.counts);
    }

    /// A run that has not ended, and what to do about it.
    fn write_open_end(&self, text: &mut Lines) {
        let begun = self.in_flight.iter().map(|(phase, n)| format!("{n} {phase}"));
        let begun = begun.collect::<Vec<_>>().join(", ");
        let begun = if begun.is_empty() { "no server".to_owned() } else { begun };
        let run = self.outline.as_ref().map_or("", |outline| outline.run.as_str());
        let resume = format!("refleet resume {run}");
        let resume = resume.trim_end();
        if let (Some(cause), Some(why)) = (&self.paused, &self.paused_text) {
            text.line(format_args!(
                "The run is paused, {why}; in progress, and left as they are: {begun}."
            ));
            text.line(format_args!("  help: {}", pause_help(cause, run)));
        } else {
            // From the records alone nobody knows whether its process lives.
            text.line(format_args!(
                "The run has not ended; in progress: {begun}. If its process is gone, `{resume}` \
                 continues it."
            ));
        }
        text.blank();
    }
}

/// Headings that all forms share.
pub(super) const UNKNOWN: &str = "Outcome unknown; check these servers";
/// The same.
pub(super) const CLEARED: &str = "Lost answers that were cleared up";
/// The same.
pub(super) const UNDONE: &str = "Steps that were undone";
/// The same.
pub(super) const DOWN_NOW: &str = "Down now";

fn write_group(text: &mut Lines, group: &FailureGroup, shown: usize) {
    let servers = count(group.servers.len(), "server");
    let parts = [&group.code, &group.cause].into_iter().filter(|part| !part.is_empty());
    let parts: String = parts.map(|part| format!(": {part}")).collect();
    text.line(format_args!("{servers} {}{parts}", group.ending));
    if !group.help.is_empty() {
        text.line(format_args!("  help: {}", group.help));
    }
    text.indented("  ", some(&group.servers, shown));
    text.blank();
}

/// Servers that are down.
pub(super) fn write_down(text: &mut Lines, down: &[Down], shown: usize) {
    if !down.is_empty() {
        text.line(format_args!("{DOWN_NOW}: {}", count(down.len(), "server")));
        text.indented("  ", down_lines(down, shown));
        text.blank();
    }
}

/// A line for each server that is down, by what can be done about them; that comes last.
pub(super) fn down_lines(down: &[Down], shown: usize) -> Vec<String> {
    let mut groups: IndexMap<&str, Vec<&Down>> = IndexMap::new();
    for server in down {
        groups.entry(&server.help).or_default().push(server);
    }
    let mut lines = Vec::new();
    for (help, servers) in groups {
        lines.extend(servers.iter().take(shown).map(ToString::to_string));
        if servers.len() > shown {
            lines.push(format!("and {} more", servers.len() - shown));
        }
        lines.push(format!("help: {help}"));
    }
    lines
}

fn write_list(text: &mut Lines, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    text.line(format_args!("{title}:"));
    text.indented("  ", lines);
    text.blank();
}

/// A line for each, or for the first few and how many more there are.
fn some(servers: &[Named], shown: usize) -> Vec<String> {
    let more = servers.len().saturating_sub(shown);
    let more = (more > 0).then(|| format!("and {more} more"));
    servers.iter().take(shown).map(Named::to_string).chain(more).collect()
}

/// `web-3 (srv-c): what about it [running, not wiped]`.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = if self.detail.is_empty() { "" } else { ": " };
        write!(f, "{} ({}){detail}{}", self.name, self.id, self.detail)?;
        match &self.standing {
            Some(standing) => write!(f, " [{}]", standing.words()),
            None => Ok(()),
        }
    }
}

/// `web-3 (srv-c): off since 2026-09-21T14:21:30Z, not wiped`.
impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = if self.seen_off { "off" } else { "not seen running" };
        write!(f, "{} ({}): {seen}", self.name, self.id)?;
        if let Some(since) = self.since {
            write!(f, " since {since}")?;
        }
        write!(f, ", {}", self.disk)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Event, Record};
    use crate::report::Status;

    use super::*;

    fn stream(text: &str) -> Vec<Record> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A run that ended, without the lines behind it that only show a kind.
    fn ended() -> Vec<Record> {
        let mut records = stream(include_str!("../../tests/journals/v1/all-kinds.jsonl"));
        let end = records.iter().position(|r| matches!(r.event, Event::RunEnded { .. }));
        records.truncate(end.unwrap() + 1);
        records
    }

    fn chaos() -> Vec<Record> {
        stream(include_str!("../../tests/journals/v1/chaos.jsonl"))
    }

    #[test]
    fn a_run_that_ended_as_text() {
        insta::assert_snapshot!("ended_text", Summary::of(&ended()).to_text());
        insta::assert_snapshot!("ended_report", Summary::of(&ended()).to_report());
    }

    #[test]
    fn a_run_that_goes_on_as_text() {
        insta::assert_snapshot!("chaos_report", Summary::of(&chaos()).to_report());
        insta::assert_snapshot!("chaos_status", Status::of(&chaos()).to_text());
    }

    #[test]
    fn the_last_line_is_the_counts() {
        for records in [ended(), chaos(), Vec::new()] {
            let summary = Summary::of(&records);
            for text in [summary.to_text(), summary.to_report()] {
                assert_eq!(text.lines().last().unwrap(), summary.counts.to_string());
                assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text}");
            }
        }
    }

    #[test]
    fn a_run_of_which_nothing_ended_yet_has_something_to_do() {
        let mut records = chaos();
        records.truncate(6);
        let text = Summary::of(&records).to_text();
        assert!(text.contains("If its process is gone, `refleet resume 0199"), "{text}");
        assert_eq!(text.lines().last(), Some("2 in flight, 4 pending"));
        let servers = (0..6).map(|n| format!("srv-{n}").as_str().into()).collect();
        let last = Record { seq: 7, event: Event::Stopped { servers }, ..records[5].clone() };
        records.push(last);
        let text = Summary::of(&records).to_report();
        assert_eq!(text.lines().last(), Some("6 in flight"), "{text}");
    }

    #[test]
    fn an_unknown_server_is_never_shown_without_its_evidence() {
        let text = Summary::of(&chaos()).to_text();
        assert!(text.contains("the system disk is still vol-1"), "{text}");
        assert!(text.contains("the audit log was not readable"), "{text}");
    }

    #[test]
    fn s18_many_equal_failures_are_one_group_that_names_a_few() {
        let mut records = chaos();
        let mut servers = Vec::new();
        let Event::RunStarted { outline } = &mut records[0].event else { panic!("no outline") };
        for n in 0..20 {
            servers.push(crate::domain::TargetOutline {
                id: format!("more-{n:02}").into(),
                name: format!("more-{n:02}"),
            });
        }
        outline.fleets[0].waves.push(servers.clone());
        for (server, seq) in servers.into_iter().zip(100..) {
            let failure = crate::domain::Failure {
                code: "Ecs.0211".to_owned(),
                cause: "the image is gone".to_owned(),
                detail: String::new(),
                help: "share the image again".to_owned(),
            };
            let event = Event::Ended {
                server: server.id,
                ending: Ending::Failed,
                failure: Some(failure),
                warnings: Vec::new(),
            };
            records.push(Record { seq, event, ..records[1].clone() });
        }
        let summary = Summary::of(&records);
        assert_eq!(summary.groups[0].servers.len(), 20, "the worst ending first");
        let short = summary.to_text();
        assert_eq!(short.matches("more-").count(), 2 * SHOWN);
        assert_eq!(short.matches("share the image again").count(), 1);
        assert!(short.contains("20 servers failed: Ecs.0211: the image is gone"), "{short}");
        assert!(short.contains("and 15 more"), "{short}");
        assert_eq!(summary.to_report().matches("more-").count(), 40);
    }
}

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod hostile;
