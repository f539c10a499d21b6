//! Groups of servers in a file, and groups of groups.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::super::problem::{Code, Problem};
use super::super::suggest;
use super::ranges;
use super::read::{Listing, MAX_PROBLEMS, MOST_HOSTS};
use crate::yaml::Span;

/// What stands for every server of a file, as in Ansible.
const ALL: &str = "all";
/// What stands for those of no group.
const UNGROUPED: &str = "ungrouped";

/// The groups of a file.
#[derive(Default)]
pub(super) struct Groups {
    by_name: IndexMap<String, Group>,
    /// Those that stand in `all` or `ungrouped`, whatever else they are in.
    loose: Vec<Listing>,
    /// Children that were named, each with its parent: each has to be a group.
    named: Vec<(String, String, Span)>,
    /// Servers so far, repetitions counted.
    hosts: usize,
    /// The first server too many.
    excess: Option<Span>,
}

#[derive(Default)]
struct Group {
    hosts: Vec<Listing>,
    children: Vec<String>,
}

/// Why a group cannot be chosen: what is wrong, and how it is mended.
pub(super) struct NoChoice {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
}

impl Groups {
    /// Makes sure that the group is there.
    pub(super) fn define(&mut self, group: &str) {
        if !matches!(group, ALL | UNGROUPED) && !self.by_name.contains_key(group) {
            self.by_name.insert(group.to_owned(), Group::default());
        }
    }

    /// Servers of a group, as a pattern of Ansible names them.
    pub(super) fn expand(&mut self, group: &str, pattern: &str, span: Span) -> Option<Problem> {
        // More than there may be are not even counted.
        if self.excess.is_some() {
            return None;
        }
        match ranges::expand(pattern) {
            Ok(names) => {
                for name in &names {
                    self.add(group, Listing::new(name, span));
                }
                None
            }
            Err(why) => Some(
                Problem::error(Code::BadRange, format!("{}: {why}", suggest::shown(pattern)))
                    .label(span, "not a range of names")
                    .help("as in `web-[01:10]` or `db-[a:c]`; one pattern names at most 100,000"),
            ),
        }
    }

    /// Whether a name is that of a group.
    pub(super) fn knows(&self, group: &str) -> bool {
        matches!(group, ALL | UNGROUPED) || self.by_name.contains_key(group)
    }

    /// A server of a group; one of `all` or `ungrouped` may be of another as well.
    pub(super) fn add(&mut self, group: &str, host: Listing) {
        self.define(group);
        self.hosts += 1;
        if self.hosts > MOST_HOSTS {
            self.excess.get_or_insert(host.span);
            return;
        }
        match self.by_name.get_mut(group) {
            Some(group) => group.hosts.push(host),
            None => self.loose.push(host),
        }
    }

    /// A group in a group; everything is in `all` anyway.
    pub(super) fn adopt(&mut self, group: &str, child: &str, span: Span) {
        self.define(group);
        self.named.push((group.to_owned(), child.to_owned(), span));
        if let Some(group) = self.by_name.get_mut(group) {
            group.children.push(child.to_owned());
        }
    }

    /// What is wrong with the whole: children that are no groups, since a misspelt one would narrow
    /// without a word; groups inside of themselves; and more servers than there may be.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let excess = self.excess.map(|span| {
            Problem::error(Code::TooLarge, "more than 300,000 servers in one file")
                .label(span, "too many begin here")
                .help("a server of several groups counts in each: split the file, and the playbook")
        });
        let unknown = self.named.iter().filter(|(_, name, _)| !self.knows(name));
        let orphans = unknown.take(MAX_PROBLEMS).map(|(_, name, span)| {
            let message = format!("there is no group {}", suggest::shown(name));
            Problem::error(Code::UnknownGroup, message)
                .label(*span, "no group of this file has this name")
                .help(suggest::help(name, &self.some_names(), "groups"))
        });
        excess.into_iter().chain(orphans).chain(self.circles()).collect()
    }

    /// Groups that would be inside of themselves, and what has no place in any group: Ansible refuses
    /// them, and who would be in such a group cannot be told.
    fn circles(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (group, child, span) in &self.named {
            let odd = match (group.as_str(), child.as_str()) {
                (ALL, UNGROUPED) => None,
                (UNGROUPED, _) => Some("`ungrouped` has no groups in it"),
                (_, ALL | UNGROUPED) => Some("`all` and `ungrouped` are in no other group"),
                _ => None,
            };
            if let Some(odd) = odd {
                problems.push(
                    Problem::error(Code::BadInventory, odd)
                        .label(*span, "a child that cannot be one")
                        .help("name the groups that are meant"),
                );
            }
        }
        problems.extend(self.circle().map(|(name, span)| {
            let message = format!("the group {} is inside of itself", suggest::shown(name));
            Problem::error(Code::BadInventory, message)
                .label(span, "the circle closes here")
                .help("take one of the groups of the circle out of the other")
        }));
        problems.truncate(MAX_PROBLEMS);
        problems
    }

    /// A group that is inside of itself, and the child that closes the circle.
    fn circle(&self) -> Option<(&str, Span)> {
        let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
        let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, group) in &self.by_name {
            waits.insert(name, group.children.len());
            for child in &group.children {
                parents.entry(child).or_default().push(name);
            }
        }
        // Whoever has no child left is in no circle, over and over.
        let known = |name: &&str| self.by_name.contains_key(*name);
        let mut free: Vec<&str> = parents.keys().copied().filter(|name| !known(name)).collect();
        free.extend(waits.iter().filter(|(_, left)| **left == 0).map(|(name, _)| *name));
        while let Some(name) = free.pop() {
            for parent in parents.get(name).into_iter().flatten() {
                let Some(left) = waits.get_mut(parent) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.push(parent);
                }
            }
        }
        let caught = |name: &str| waits.get(name).is_some_and(|left| *left > 0);
        // Walking down inside of what is caught comes round to where it was.
        let mut at = waits.iter().find(|(_, left)| **left > 0).map(|(name, _)| *name)?;
        let mut seen = BTreeSet::new();
        while seen.insert(at) {
            at = self.by_name.get(at)?.children.iter().find(|child| caught(child))?;
        }
        let closes = |(_, child, _): &&(String, String, Span)| child == at && caught(at);
        self.named.iter().rev().find(closes).map(|(_, child, span)| (child.as_str(), *span))
    }

    /// The servers of the group that is wanted, each once. A file that tells groups apart has
    /// servers for many purposes, so which are meant is never guessed.
    pub(super) fn choose(self, wanted: Option<&str>) -> Result<Vec<Listing>, NoChoice> {
        let Some(wanted) = wanted else {
            let with_hosts = self.by_name.values().filter(|group| !group.hosts.is_empty()).count();
            if with_hosts + usize::from(!self.ungrouped().is_empty()) > 1 {
                return Err(NoChoice {
                    code: Code::GroupNeeded,
                    message: "the file has more than one group, and the entry does not say which"
                        .to_owned(),
                    help: format!(
                        "add `group:` with one of {}; `all` is every server of the file",
                        suggest::list(&self.some_names())
                    ),
                });
            }
            return Ok(self.everyone());
        };
        match wanted {
            ALL => Ok(self.everyone()),
            UNGROUPED => Ok(self.ungrouped()),
            _ if self.by_name.contains_key(wanted) => Ok(self.within(wanted)),
            _ => Err(NoChoice {
                code: Code::UnknownGroup,
                message: format!("the file has no group {}", suggest::shown(wanted)),
                help: suggest::help(wanted, &self.some_names(), "groups"),
            }),
        }
    }

    /// Who is in no group but `all`.
    fn ungrouped(&self) -> Vec<Listing> {
        let grouped: BTreeSet<&str> = self
            .by_name
            .values()
            .flat_map(|group| group.hosts.iter().map(|host| host.text.as_str()))
            .collect();
        let loose = self.loose.iter().filter(|host| !grouped.contains(host.text.as_str()));
        once_each(loose.cloned())
    }

    /// Names for one sentence.
    pub(super) fn some_names(&self) -> Vec<&str> {
        self.by_name.keys().map(String::as_str).take(50).collect()
    }

    fn everyone(self) -> Vec<Listing> {
        let grouped = self.by_name.into_values().flat_map(|group| group.hosts);
        once_each(self.loose.into_iter().chain(grouped))
    }

    /// The servers of a group and of the groups in it; one that holds itself is read once.
    fn within(mut self, wanted: &str) -> Vec<Listing> {
        let mut hosts = Vec::new();
        let mut due = vec![wanted.to_owned()];
        while let Some(name) = due.pop() {
            // A group that was taken is gone: no circle has a second round.
            if let Some(group) = self.by_name.swap_remove(&name) {
                hosts.extend(group.hosts);
                due.extend(group.children.into_iter().rev());
            }
        }
        once_each(hosts)
    }
}

/// A server may be in several groups.
fn once_each(hosts: impl IntoIterator<Item = Listing>) -> Vec<Listing> {
    let mut seen = BTreeSet::new();
    hosts.into_iter().filter(|host| seen.insert(host.text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        let mut groups = Groups::default();
        let host = |name: &str| Listing::new(name, Span::default());
        groups.add("web", host("web-1"));
        groups.add("web", host("web-2"));
        groups.add("db", host("db-1"));
        groups.add("db", host("web-2"));
        groups.adopt("prod", "web", Span::default());
        groups.adopt("prod", "db", Span::default());
        groups
    }

    fn chosen(groups: Groups, wanted: Option<&str>) -> Result<String, Code> {
        let names = |hosts: Vec<Listing>| {
            hosts.into_iter().map(|host| host.text).collect::<Vec<_>>().join(" ")
        };
        groups.choose(wanted).map(names).map_err(|no| no.code)
    }

    #[test]
    fn a_group_has_its_servers_and_those_of_its_children_each_once() {
        assert_eq!(chosen(groups(), Some("db")).as_deref(), Ok("db-1 web-2"));
        assert_eq!(chosen(groups(), Some("prod")).as_deref(), Ok("web-1 web-2 db-1"));
        assert_eq!(chosen(groups(), Some("all")).as_deref(), Ok("web-1 web-2 db-1"));
        assert_eq!(chosen(groups(), Some("ungrouped")).as_deref(), Ok(""));
    }

    #[test]
    fn which_group_is_meant_is_never_guessed() {
        assert_eq!(chosen(groups(), None), Err(Code::GroupNeeded));
        assert_eq!(chosen(groups(), Some("wbe")), Err(Code::UnknownGroup));
        let mut one = Groups::default();
        one.add("web", Listing::new("web-1", Span::default()));
        assert_eq!(chosen(one, None).as_deref(), Ok("web-1"));
        let mut loose = Groups::default();
        loose.add("web", Listing::new("web-1", Span::default()));
        loose.add("all", Listing::new("bastion", Span::default()));
        assert_eq!(chosen(loose, None), Err(Code::GroupNeeded));
    }

    #[test]
    fn who_stands_in_all_and_in_a_group_is_not_ungrouped() {
        let mut groups = groups();
        groups.add("all", Listing::new("web-1", Span::default()));
        groups.add("ungrouped", Listing::new("db-1", Span::default()));
        groups.add("all", Listing::new("spare", Span::default()));
        assert_eq!(chosen(groups, Some("ungrouped")).as_deref(), Ok("spare"));
        let mut one = Groups::default();
        one.add("all", Listing::new("web-1", Span::default()));
        one.add("web", Listing::new("web-1", Span::default()));
        assert_eq!(chosen(one, None).as_deref(), Ok("web-1"));
    }

    #[test]
    fn a_group_inside_of_itself_is_told_once() {
        for (parent, child) in [("web", "prod"), ("web", "web"), ("db", "all"), ("ungrouped", "db")]
        {
            let mut groups = groups();
            groups.adopt("top", "prod", Span::default());
            assert_eq!(groups.problems().len(), 0);
            groups.adopt(parent, child, Span::default());
            assert_eq!(groups.problems().len(), 1, "{parent} {child}");
        }
        let mut groups = groups();
        groups.adopt("all", "ungrouped", Span::default());
        groups.adopt("all", "web", Span::default());
        assert_eq!(groups.problems().len(), 0);
    }

    #[test]
    fn a_child_that_is_no_group_is_told() {
        let mut groups = groups();
        groups.adopt("prod", "cache", Span::default());
        assert_eq!(groups.problems().len(), 1);
    }
}
