//! The story of a server as text.

use std::fmt;

use crate::domain::{Lines, Place, shown};
use crate::playbook::DecidedValue;

use super::story::{FleetStory, Rule, Standing, Story};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.as_ref().map_or_else(|| "always".to_owned(), Place::to_string);
        write!(f, "{} [{place}]", self.rule)
    }
}

impl Standing {
    fn write(&self, text: &mut Lines) {
        match self {
            Self::Planned { fleet, wave, waves, canary, after } => {
                let canary = if *canary { ", the canary" } else { "" };
                text.line(format_args!(
                    "It will be wiped: fleet {fleet}, wave {wave} of {waves}{canary}."
                ));
                if !after.is_empty() {
                    text.line(format_args!("It waits for {}.", after.join("; ")));
                }
            }
            Self::Blocked(causes) => {
                text.line("It is selected, and the cloud would refuse it:");
                for blocked in causes {
                    text.line(format_args!("  {}: {}", blocked.code, blocked.cause));
                    text.line(format_args!("    {}", blocked.help));
                }
            }
            Self::LeftOut => text.line("It is left alone: rules take it out."),
            Self::NotSelected => text.line("It is left alone: no entry of `hosts` has it."),
            Self::NoPlan(reasons) => {
                text.line("It is selected, but the playbook gives no plan:");
                text.indented("  ", reasons);
            }
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().fmt(f)
    }
}

impl Story {
    fn lines(&self) -> Lines {
        let mut text = Lines::new();
        let tags = if self.tags.is_empty() { "no tags".to_owned() } else { self.tags.join(" ") };
        text.line(format_args!("{} ({}) in {}, {tags}", self.name, self.id, self.az));
        text.blank();
        self.standing.write(&mut text);
        text.blank();
        for fleet in &self.fleets {
            text.line(format_args!("Fleet {}", fleet.fleet));
            text.indented("  selected by  ", &fleet.entries);
            text.indented("  excluded by  ", &fleet.exclusions);
            text.indented("  override     ", &fleet.overrides);
            text.blank();
        }
        if !self.guards.is_empty() {
            text.line("Kept out of every fleet by");
            text.indented("  ", &self.guards);
            text.blank();
        }
        for fleet in self.fleets.iter().filter(|fleet| fleet.exclusions.is_empty()) {
            values(&mut text, fleet);
        }
        text
    }
}

/// Values in columns; those of one retry policy that are decided alike share a line.
fn values(text: &mut Lines, fleet: &FleetStory) {
    text.line(format_args!("Values in fleet {}", fleet.fleet));
    let mut lines: Vec<[String; 3]> = Vec::new();
    let mut rest = fleet.values.as_slice();
    while let Some(first) = rest.first() {
        let alike = rest.iter().take_while(|value| shares_a_line(first, value)).count().max(1);
        let (these, later) = rest.split_at(alike);
        lines.push(line(first, these).map(|cell| shown(&cell).into_owned()));
        rest = later;
    }
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (keys, values) = (width(0), width(1));
    for [key, value, by] in &lines {
        text.line(format_args!("  {key:<keys$}  {value:<values$}  {by}"));
    }
}

fn class(value: &DecidedValue) -> Option<&str> {
    let (class, _) = value.key.rsplit_once('.')?;
    class.starts_with("retry.").then_some(class)
}

fn shares_a_line(first: &DecidedValue, other: &DecidedValue) -> bool {
    class(first).is_some() && class(first) == class(other) && first.by == other.by
}

fn line(first: &DecidedValue, these: &[DecidedValue]) -> [String; 3] {
    let by = first.by.to_string();
    match (these, class(first)) {
        ([_, _, ..], Some(class)) => {
            let parts = these.iter().map(|value| {
                format!("{} {}", value.key.rsplit('.').next().unwrap_or_default(), value.value)
            });
            [class.to_owned(), parts.collect::<Vec<_>>().join(", "), by]
        }
        ([..], _) => [first.key.clone(), first.value.clone(), by],
    }
}
