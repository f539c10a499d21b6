//! What changed between two plans as text: what is wiped now first, equal changes once.

use std::fmt;

use indexmap::IndexMap;

use crate::domain::{Lines, count, list_some};

use super::diff::{Change, Concern, Difference};

/// Servers named in one line.
const NAMES: usize = 8;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().fmt(f)
    }
}

impl Difference {
    fn lines(&self) -> Lines {
        let mut text = Lines::new();
        text.line(format_args!("From plan {:.12} to plan {:.12}", self.old, self.new));
        if self.is_empty() {
            text.blank();
            text.line("Nothing changed.");
            return text;
        }
        for (concern, title) in TITLES {
            self.write_servers(&mut text, *concern, title);
        }
        for (name, changes) in &self.fleets {
            text.blank();
            text.line(format_args!("Fleet {name}"));
            write_changes(&mut text, "  ", changes);
        }
        if !self.plan.is_empty() {
            text.blank();
            text.line("The whole plan");
            write_changes(&mut text, "  ", &self.plan);
        }
        let warnings = [("+", &self.new_warnings), ("-", &self.old_warnings)];
        if warnings.iter().any(|(_, warnings)| !warnings.is_empty()) {
            text.blank();
            text.line("Warnings");
        }
        for (sign, warnings) in warnings {
            text.indented(&format!("  {sign} "), warnings);
        }
        text
    }
}

const TITLES: &[(Concern, &str)] = &[
    (Concern::Added, "Wiped now, and not before"),
    (Concern::Removed, "No longer wiped"),
    (Concern::Changed, "Wiped as before, in another way"),
    (Concern::LeftAlone, "Left alone as before, for another reason"),
];

impl Difference {
    fn write_servers(&self, text: &mut Lines, concern: Concern, title: &str) {
        let mut groups: IndexMap<&[Change], Vec<String>> = IndexMap::new();
        for (id, server) in self.servers.iter().filter(|(_, server)| server.concern == concern) {
            let named = format!("{} ({id})", server.name);
            groups.entry(server.changes.as_slice()).or_default().push(named);
        }
        if groups.is_empty() {
            return;
        }
        text.blank();
        text.line(title);
        for (changes, servers) in groups {
            let names = list_some(&servers, NAMES);
            text.line(format_args!("  {}: {names}", count(servers.len(), "server")));
            write_changes(text, "    ", changes);
        }
    }
}

fn write_changes(text: &mut Lines, indent: &str, changes: &[Change]) {
    for Change { what, old, new } in changes {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
        text.line(format_args!("{indent}{what}: {} → {}", side(old), side(new)));
    }
}
