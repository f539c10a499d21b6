//! The story of a server as text.

use std::fmt;

use crate::domain::Place;
use crate::playbook::DecidedValue;

use super::story::{FleetStory, Rule, Standing, Story};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.as_ref().map_or_else(|| "always".to_owned(), Place::to_string);
        write!(f, "{} [{place}]", self.rule)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned { fleet, wave, waves, canary, after } => {
                let canary = if *canary { ", the canary" } else { "" };
                writeln!(f, "It will be wiped: fleet {fleet}, wave {wave} of {waves}{canary}.")?;
                if !after.is_empty() {
                    writeln!(f, "It waits for {}.", after.join("; "))?;
                }
                Ok(())
            }
            Self::Blocked(causes) => {
                writeln!(f, "It is selected, and the cloud would refuse it:")?;
                for blocked in causes {
                    writeln!(f, "  {}: {}\n    {}", blocked.code, blocked.cause, blocked.help)?;
                }
                Ok(())
            }
            Self::LeftOut => writeln!(f, "It is left alone: rules take it out."),
            Self::NotSelected => writeln!(f, "It is left alone: no entry of `hosts` has it."),
            Self::NoPlan(reasons) => {
                writeln!(f, "It is selected, but the playbook gives no plan:")?;
                reasons.iter().try_for_each(|reason| writeln!(f, "  {reason}"))
            }
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = if self.tags.is_empty() { "no tags".to_owned() } else { self.tags.join(" ") };
        writeln!(f, "{} ({}) in {}, {tags}\n\n{}", self.name, self.id, self.az, self.standing)?;
        for fleet in &self.fleets {
            writeln!(f, "Fleet {}", fleet.fleet)?;
            rules(f, "selected by", &fleet.entries)?;
            rules(f, "excluded by", &fleet.exclusions)?;
            rules(f, "override", &fleet.overrides)?;
            writeln!(f)?;
        }
        if !self.guards.is_empty() {
            writeln!(f, "Kept out of every fleet by")?;
            self.guards.iter().try_for_each(|rule| writeln!(f, "  {rule}"))?;
            writeln!(f)?;
        }
        self.fleets
            .iter()
            .filter(|fleet| fleet.exclusions.is_empty())
            .try_for_each(|it| values(f, it))
    }
}

fn rules(f: &mut fmt::Formatter<'_>, title: &str, rules: &[Rule]) -> fmt::Result {
    rules.iter().try_for_each(|rule| writeln!(f, "  {title:<11}  {rule}"))
}

/// Values in columns; those of one retry policy that are decided alike share a line.
fn values(f: &mut fmt::Formatter<'_>, fleet: &FleetStory) -> fmt::Result {
    writeln!(f, "Values in fleet {}", fleet.fleet)?;
    let mut lines: Vec<(String, String, String)> = Vec::new();
    let mut rest = fleet.values.as_slice();
    while let Some(first) = rest.first() {
        let alike = rest.iter().take_while(|value| shares_a_line(first, value)).count().max(1);
        let (these, later) = rest.split_at(alike);
        lines.push(line(first, these));
        rest = later;
    }
    let width = |part: fn(&(String, String, String)) -> &String| {
        lines.iter().map(|line| part(line).chars().count()).max().unwrap_or(0)
    };
    let (keys, values) = (width(|line| &line.0), width(|line| &line.1));
    for (key, value, by) in &lines {
        writeln!(f, "  {key:<keys$}  {value:<values$}  {by}")?;
    }
    Ok(())
}

fn class(value: &DecidedValue) -> Option<&str> {
    let (class, _) = value.key.rsplit_once('.')?;
    class.starts_with("retry.").then_some(class)
}

fn shares_a_line(first: &DecidedValue, other: &DecidedValue) -> bool {
    class(first).is_some() && class(first) == class(other) && first.by == other.by
}

fn line(first: &DecidedValue, these: &[DecidedValue]) -> (String, String, String) {
    let by = first.by.to_string();
    match (these, class(first)) {
        ([_, _, ..], Some(class)) => {
            let parts = these.iter().map(|value| {
                format!("{} {}", value.key.rsplit('.').next().unwrap_or_default(), value.value)
            });
            (class.to_owned(), parts.collect::<Vec<_>>().join(", "), by)
        }
        ([..], _) => (first.key.clone(), first.value.clone(), by),
    }
}
