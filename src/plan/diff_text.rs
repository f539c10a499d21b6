//! What changed between two plans as text: what is wiped now first, equal changes once.

use std::fmt;

use indexmap::IndexMap;

use crate::domain::{count, list_some};

use super::diff::{Change, Concern, Difference};

/// Servers named in one line.
const NAMES: usize = 8;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "From plan {:.12} to plan {:.12}", self.old, self.new)?;
        if self.is_empty() {
            return writeln!(f, "\nNothing changed.");
        }
        for (concern, title) in TITLES {
            self.write_servers(f, *concern, title)?;
        }
        for (name, changes) in &self.fleets {
            writeln!(f, "\nFleet {name}")?;
            write_changes(f, "  ", changes)?;
        }
        if !self.plan.is_empty() {
            writeln!(f, "\nThe whole plan")?;
            write_changes(f, "  ", &self.plan)?;
        }
        let warnings = [("+", &self.new_warnings), ("-", &self.old_warnings)];
        if warnings.iter().any(|(_, warnings)| !warnings.is_empty()) {
            writeln!(f, "\nWarnings")?;
        }
        for (sign, warning) in
            warnings.iter().flat_map(|(s, list)| list.iter().map(move |w| (s, w)))
        {
            writeln!(f, "  {sign} {warning}")?;
        }
        Ok(())
    }
}

const TITLES: &[(Concern, &str)] = &[
    (Concern::Added, "Wiped now, and not before"),
    (Concern::Removed, "No longer wiped"),
    (Concern::Changed, "Wiped as before, in another way"),
    (Concern::LeftAlone, "Left alone as before, for another reason"),
];

impl Difference {
    fn write_servers(
        &self,
        f: &mut fmt::Formatter<'_>,
        concern: Concern,
        title: &str,
    ) -> fmt::Result {
        let mut groups: IndexMap<&[Change], Vec<String>> = IndexMap::new();
        for (id, server) in self.servers.iter().filter(|(_, server)| server.concern == concern) {
            let named = format!("{} ({id})", server.name);
            groups.entry(server.changes.as_slice()).or_default().push(named);
        }
        if groups.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{title}")?;
        for (changes, servers) in groups {
            let shown = list_some(&servers, NAMES);
            writeln!(f, "  {}: {shown}", count(servers.len(), "server"))?;
            write_changes(f, "    ", changes)?;
        }
        Ok(())
    }
}

fn write_changes(f: &mut fmt::Formatter<'_>, indent: &str, changes: &[Change]) -> fmt::Result {
    for Change { what, old, new } in changes {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
        writeln!(f, "{indent}{what}: {} → {}", text(old), text(new))?;
    }
    Ok(())
}
