//! Guards of a playbook and of the files that it includes: the strictest of each holds.

use crate::domain::{Millis, Place};
use crate::yaml::{Entry, Node};

use super::fleets;
use super::lower::Desk;
use super::model::Guards;
use super::problem::{Code, Problem};
use super::scalars;
use super::treatment::{number, text};

/// The guards of one file.
pub(super) struct Layer<'n> {
    guards: Guards,
    node: Option<&'n Node>,
    /// Where its time to live is written.
    plan_ttl: Option<Place>,
    /// Where it says that the machine it runs on is left out: otherwise that is only so by default.
    not_self: Option<Place>,
}

/// Reads the guards of the file that the desk sits at.
pub(super) fn read<'n>(desk: &mut Desk<'_>, root: &'n Node) -> Layer<'n> {
    let node = root.get("guards");
    let place = |key| node.and_then(|node| node.entry(key)).map(|entry| desk.place(entry.key.span));
    let (plan_ttl, not_self) = (place("plan_ttl"), place("not_self"));
    let guards = guards(desk, node);
    let not_self = not_self.filter(|_| guards.not_self);
    Layer { guards, node, plan_ttl, not_self }
}

/// An included file may not switch off what holds by default.
pub(super) fn refuse_switches(desk: &mut Desk<'_>, included: &Layer<'_>) {
    let switch = included.node.and_then(|node| node.entry("not_self"));
    if let (false, Some(entry)) = (included.guards.not_self, switch) {
        loose(desk, entry, "`not_self: false` in a file that is included");
    }
}

fn loose(desk: &mut Desk<'_>, entry: &Entry, message: &str) {
    desk.report(
        Problem::error(Code::LooserGuard, message)
            .label(entry.key.span, "would loosen a guard")
            .help("guards can only get stricter: remove it here, or change the other file"),
    );
}

/// The guards of the playbook, made stricter by those of the files that it includes. One of its own
/// that is looser is an error: whoever wrote it believes that it holds.
pub(super) fn merged(desk: &mut Desk<'_>, included: Vec<Layer<'_>>, own: Layer<'_>) -> Guards {
    let mut strict = Guards::default();
    let (mut ttl, mut here): (Option<(Millis, Place)>, Option<Place>) = (None, None);
    for Layer { guards, node: _, plan_ttl, not_self } in included {
        // Taken apart whole, so that a new guard cannot be forgotten here.
        let Guards {
            max_hosts,
            max_share,
            not_self: _,
            saved_plan,
            backup,
            plan_ttl: life,
            protected,
        } = guards;
        strict.max_hosts = stricter(strict.max_hosts, max_hosts);
        strict.max_share = stricter(strict.max_share, max_share);
        strict.saved_plan = strict.saved_plan.or(saved_plan);
        strict.backup = strict.backup.or(backup);
        ttl = stricter(ttl, plan_ttl.map(|place| (life, place)));
        strict.protected.extend(protected);
        here = here.or(not_self);
    }
    let Layer { guards, node, plan_ttl, not_self: _ } = own;
    let own_ttl = plan_ttl.map(|place| (guards.plan_ttl, place));
    let found = [
        ("max_hosts", looser(guards.max_hosts.as_ref(), strict.max_hosts.as_ref())),
        ("max_share", looser(guards.max_share.as_ref(), strict.max_share.as_ref())),
        ("plan_ttl", looser(own_ttl.as_ref(), ttl.as_ref())),
    ];
    for (key, place) in found {
        let entry = node.and_then(|node| node.entry(key));
        if let (Some(place), Some(entry)) = (place, entry) {
            loose(desk, entry, &format!("`{key}` is looser than at {place}"));
        }
    }
    let required = [
        ("saved_plan", &strict.saved_plan, &guards.saved_plan),
        ("backup", &strict.backup, &guards.backup),
    ];
    for (key, strict, own) in required {
        let switch = node.and_then(|node| node.get("require")?.entry(key));
        if let (Some(place), None, Some(entry)) = (strict, own, switch) {
            loose(desk, entry, &format!("`{key}: false`, and {place} requires one"));
        }
    }
    let switch = node.and_then(|node| node.entry("not_self"));
    if let (Some(place), false, Some(entry)) = (&here, guards.not_self, switch) {
        loose(desk, entry, &format!("`not_self: false`, and {place} says true"));
    }
    strict.protected.extend(guards.protected);
    Guards {
        max_hosts: stricter(strict.max_hosts, guards.max_hosts),
        max_share: stricter(strict.max_share, guards.max_share),
        not_self: guards.not_self,
        saved_plan: guards.saved_plan.or(strict.saved_plan),
        backup: guards.backup.or(strict.backup),
        plan_ttl: stricter(ttl, own_ttl).map_or(guards.plan_ttl, |(ttl, _)| ttl),
        protected: strict.protected,
    }
}

fn stricter<T: Ord>(one: Option<(T, Place)>, other: Option<(T, Place)>) -> Option<(T, Place)> {
    one.into_iter().chain(other).min_by(|(a, _), (b, _)| a.cmp(b))
}

/// Where the stricter one is written, if `own` is looser.
fn looser<'g, T: Ord>(
    own: Option<&(T, Place)>,
    strict: Option<&'g (T, Place)>,
) -> Option<&'g Place> {
    let (own, (strict, place)) = (own?, strict?);
    (own.0 > *strict).then_some(place)
}

fn guards(desk: &mut Desk<'_>, node: Option<&Node>) -> Guards {
    let max = node.and_then(|node| node.entry("max_hosts"));
    let max_hosts = max.and_then(|entry| Some((number(&entry.value)?, desk.place(entry.key.span))));
    let listed = node.and_then(|node| node.get("protected")).and_then(Node::items);
    let protected = listed
        .unwrap_or_default()
        .iter()
        .filter_map(|item| Some((fleets::selector(desk, item)?, desk.place(fleets::begin(item)))))
        .collect();
    let built_in = Guards::default();
    let share = node.and_then(|node| node.entry("max_share"));
    let require = node.and_then(|node| node.get("require"));
    let required = |key| {
        let entry = require.and_then(|require| require.entry(key));
        entry.filter(|entry| text(&entry.value).and_then(scalars::flag) == Some(true))
    };
    Guards {
        max_hosts,
        max_share: share.and_then(|entry| {
            Some((scalars::share(text(&entry.value)?)?, desk.place(entry.key.span)))
        }),
        not_self: node
            .and_then(|node| scalars::flag(text(node.get("not_self")?)?))
            .unwrap_or(built_in.not_self),
        saved_plan: required("saved_plan").map(|entry| desk.place(entry.key.span)),
        backup: required("backup").map(|entry| desk.place(entry.key.span)),
        plan_ttl: node
            .and_then(|node| plan_ttl(desk, node.get("plan_ttl")?))
            .unwrap_or(built_in.plan_ttl),
        protected,
    }
}

fn plan_ttl(desk: &mut Desk<'_>, node: &Node) -> Option<Millis> {
    let ttl = scalars::duration(text(node)?)?;
    if ttl == Millis(0) {
        desk.report(
            Problem::error(Code::BadDuration, "a plan that lives for no time can never be applied")
                .label(node.span, "has to be above 0")
                .help("such as `plan_ttl: 4h`; to forbid plans that nobody saved, see `require`"),
        );
    }
    Some(ttl)
}
