//! One server, asked of the rules of one fleet: which entries have it, which exclusions take it out.

use crate::domain::{Place, Server};

use super::{Rules, Wanted};

/// What the rules of a fleet say of one server, whatever they say of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Entries that have it, as they are written, and where.
    pub entries: Vec<(String, Place)>,
    /// Exclusions that take it out.
    pub exclusions: Vec<(String, Place)>,
    /// What a file changes for it: the number of its row, and its line.
    pub row: Option<(usize, Place)>,
}

impl Membership {
    /// Asks the rules of a fleet.
    #[must_use]
    pub fn of(rules: &Rules<'_>, server: &Server) -> Self {
        let mut membership = Self::default();
        for entry in &rules.hosts {
            match &entry.wanted {
                Wanted::Matching(selector) => {
                    if selector.matches(server) {
                        membership.entries.push((selector.to_string(), entry.place.clone()));
                    }
                }
                Wanted::Listed { path, lines } => {
                    let mine = |text: &str| text == server.id.as_str() || text == server.name;
                    for line in lines.iter().filter(|line| mine(line.text)) {
                        let place = line.place.clone();
                        let row = line.row.map(|row| (row, place.clone()));
                        membership.row = membership.row.or(row);
                        membership.entries.push((format!("file: {path}"), place));
                    }
                }
            }
        }
        let out = rules.exclude.iter().filter(|exclusion| exclusion.selector.matches(server));
        membership.exclusions = out.map(|it| (it.selector.to_string(), it.place.clone())).collect();
        membership
    }

    /// Whether the fleet has it.
    #[must_use]
    pub fn is_in(&self) -> bool {
        !self.entries.is_empty() && self.exclusions.is_empty()
    }
}
