//! The servers of the project, so ordered that names and ids are found without a scan.

use std::borrow::Cow;

use crate::domain::{Server, composed};

use super::Selector;

/// The servers that a cloud showed, by name and by id.
pub(super) struct Directory<'s> {
    servers: &'s [Server],
    /// Their names in the one spelling that names are compared in.
    names: Vec<Cow<'s, str>>,
    /// Indices into `servers`, by name and then id: the order in which everything comes out.
    by_name: Vec<usize>,
    /// The same by id.
    by_id: Vec<usize>,
}

impl<'s> Directory<'s> {
    pub(super) fn new(servers: &'s [Server]) -> Self {
        let mut by_name: Vec<usize> = (0..servers.len()).collect();
        let mut by_id = by_name.clone();
        let names: Vec<Cow<'s, str>> =
            servers.iter().map(|server| composed(&server.name)).collect();
        by_name.sort_unstable_by_key(|i| (&names[*i], servers[*i].id.as_str()));
        by_id.sort_unstable_by_key(|i| servers[*i].id.as_str());
        Self { servers, names, by_name, by_id }
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    pub(super) fn server(&self, index: usize) -> &'s Server {
        &self.servers[index]
    }

    /// The server with that id.
    pub(super) fn with_id(&self, id: &str) -> Option<usize> {
        let found = self.by_id.binary_search_by_key(&id, |i| self.servers[*i].id.as_str());
        found.ok().map(|position| self.by_id[position])
    }

    /// All servers with exactly that name, however it is spelt in Unicode.
    pub(super) fn named(&self, name: &str) -> &[usize] {
        let name = composed(name);
        let start = self.by_name.partition_point(|i| self.names[*i] < name);
        let rest = &self.by_name[start..];
        &rest[..rest.partition_point(|i| self.names[*i] == name)]
    }

    /// All servers that the selector has, by name and then id.
    pub(super) fn matching(&self, selector: &Selector) -> Vec<usize> {
        let by_id: Vec<usize>;
        let candidates = match (selector.id(), selector.literal()) {
            (Some(id), _) => {
                by_id = self.with_id(id.as_str()).into_iter().collect();
                by_id.as_slice()
            }
            (None, Some(name)) => self.named(name),
            (None, None) => self.by_name.as_slice(),
        };
        candidates.iter().copied().filter(|i| selector.matches(&self.servers[*i])).collect()
    }

    /// Every name, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &'s str> {
        self.by_name.iter().map(|i| self.servers[*i].name.as_str())
    }
}
