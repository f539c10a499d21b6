//! Where each value of a fleet is written, and which layer decides it.
//!
//! Start with [`Written::source`]. It is recorded beside the values and not in them: the tree of a
//! layer is walked once, and every key is noted under its dotted path with its line.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::domain::Place;
use crate::yaml::Node;

use super::lower::Desk;

/// Who decided a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// Nobody: it is built in.
    BuiltIn,
    /// `null`, which drops what was inherited: it is built in again.
    Dropped(Place),
    /// The key `defaults`.
    Defaults(Place),
    /// The fleet.
    Fleet(Place),
    /// An override of the fleet.
    Override(Place),
    /// The line of a file that lists the server.
    Row(Place),
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Dropped(place) => write!(f, "built in, after null at {place}"),
            Self::Defaults(place) => write!(f, "defaults at {place}"),
            Self::Fleet(place) => write!(f, "fleet at {place}"),
            Self::Override(place) => write!(f, "override at {place}"),
            Self::Row(place) => write!(f, "the list at {place}"),
        }
    }
}

/// What is written at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    Null,
    Value,
}

/// The keys of one layer, as dotted paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(BTreeMap<String, (Kind, Place)>);

impl Layer {
    /// The keys of a fleet, of `defaults` or of an override.
    pub(super) fn of(desk: &Desk<'_>, node: &Node) -> Self {
        let mut layer = Self::default();
        layer.walk(desk, "", node);
        layer
    }

    /// Both, where the other one has the last word: of the same key in another file.
    pub(super) fn under(mut self, over: Self) -> Self {
        for (path, (kind, _)) in &over.0 {
            if *kind == Kind::Null {
                let below = format!("{path}.");
                self.0.retain(|key, _| !key.starts_with(&below));
            }
        }
        self.0.extend(over.0);
        self
    }

    fn walk(&mut self, desk: &Desk<'_>, above: &str, node: &Node) {
        for entry in node.entries().unwrap_or_default() {
            let key = &entry.key.text;
            let path = if above.is_empty() { key.to_string() } else { format!("{above}.{key}") };
            let kind = match (entry.value.entries(), entry.value.is_null()) {
                (Some(_), _) => Kind::Map,
                (None, true) => Kind::Null,
                (None, false) => Kind::Value,
            };
            self.walk(desk, &path, &entry.value);
            self.0.insert(path, (kind, desk.place(entry.key.span)));
        }
    }

    /// Whether whatever that layer says is said anew by one of these, which come later. A map is merged
    /// key by key, so one does not undo a whole map that another one drops.
    pub(super) fn is_undone_by(&self, later: &[&Self]) -> bool {
        let undone = |path: &str, kind: Kind| {
            later.iter().any(|layer| {
                let at = layer
                    .0
                    .get(path)
                    .is_some_and(|(over, _)| kind != Kind::Null || *over != Kind::Map);
                at || layer.says_above(path)
            })
        };
        let mut said = self.0.iter().filter(|(path, (kind, _))| {
            *kind != Kind::Map && *path != "match" && !path.starts_with("match.")
        });
        said.all(|(path, (kind, _))| undone(path, *kind))
    }

    /// Whether one of the maps that a key is in is no map here.
    fn says_above(&self, path: &str) -> bool {
        let Some((above, _)) = path.rsplit_once('.') else { return false };
        self.0.get(above).is_some_and(|(kind, _)| *kind != Kind::Map) || self.says_above(above)
    }

    /// What this layer says of a key, or of one of the maps that it is in.
    fn says(&self, key: &str) -> Option<(Kind, &Place)> {
        let Some((kind, place)) = self.0.get(key) else {
            let (above, _) = key.rsplit_once('.')?;
            let (kind, place) = self.says(above)?;
            return (kind == Kind::Null).then_some((kind, place));
        };
        Some((*kind, place))
    }
}

/// Where the values of a fleet are written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub(super) defaults: Layer,
    pub(super) fleet: Layer,
    /// As long as the fleet's `overrides`.
    pub(super) overrides: Vec<Layer>,
}

impl Written {
    /// Who decided the value of a key, for a server that these overrides match (indices, ascending).
    #[must_use]
    pub fn source(&self, key: &str, matching: &[usize]) -> Decided {
        let overrides = matching.iter().rev().filter_map(|index| self.overrides.get(*index));
        let overrides = overrides.map(|layer| (layer, Decided::Override as fn(Place) -> Decided));
        let below = [(&self.fleet, Decided::Fleet as _), (&self.defaults, Decided::Defaults as _)];
        let found = overrides.chain(below).find_map(|(layer, decided)| {
            let (kind, place) = layer.says(key)?;
            Some(match kind {
                Kind::Null => Decided::Dropped(place.clone()),
                Kind::Map | Kind::Value => decided(place.clone()),
            })
        });
        found.unwrap_or(Decided::BuiltIn)
    }
}

#[cfg(test)]
mod tests {
    use crate::playbook::{NoFiles, Source, parse};

    const TEXT: &str = "\
version: 1
cloud: sim
defaults:
  reinstall: { leave: stopped, license: byol }
  wait:
    settle: 5m
    timeout: 1h
fleets:
  web:
    hosts: [{ name: web-* }]
    wait:
      settle: 7m
    reinstall: null
    overrides:
      - match: { name: web-1 }
        reinstall: { encryption: { kms_key: evs/default } }
      - match: { name: web-* }
        wait: { settle: 9m, timeout: null }
";

    #[test]
    fn the_last_layer_that_says_something_decides() {
        let parsed = parse(&Source::new("p.yaml", TEXT), &NoFiles);
        let playbook = parsed.playbook.unwrap();
        let written = &playbook.fleets["web"].written;
        let check = |key: &str, matching: &[usize], expected: &str| {
            assert_eq!(written.source(key, matching).to_string(), expected, "{key} {matching:?}");
        };
        check("wait.settle", &[], "fleet at p.yaml:12");
        check("wait.settle", &[0, 1], "override at p.yaml:18");
        check("wait.settle", &[0], "fleet at p.yaml:12");
        check("wait.timeout", &[], "defaults at p.yaml:7");
        check("wait.timeout", &[1], "built in, after null at p.yaml:18");
        check("reinstall.leave", &[], "built in, after null at p.yaml:13");
        check("reinstall.encryption", &[0], "override at p.yaml:16");
        check("reinstall.encryption", &[], "built in, after null at p.yaml:13");
        check("retry.busy.attempts", &[0, 1], "built in");
    }
}
