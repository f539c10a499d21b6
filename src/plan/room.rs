//! Room for new system disks: a reinstall makes the new disk before it deletes the old one.
//!
//! How many disks that is at once is not documented; one of the old one's size for each reinstall
//! in flight is assumed (`storage-image-kms.md`, section 1).

use std::collections::BTreeMap;

use crate::domain::{Quota, QuotaLine};
use crate::fleet::Refusal;
use crate::playbook::Limits;

use super::Target;

/// How many reinstalls the quota has room for at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// The number and the line of the quota that gives it; `None`: as many as one likes.
    tightest: Option<(u64, String)>,
    tightens: Option<u32>,
}

impl Room {
    /// The room that `quota` leaves to these servers. No room for a single one is a refusal.
    pub(super) fn of<'t>(
        quota: Option<&Quota>,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<Self, Refusal> {
        let Some(quota) = quota else { return Ok(Self::default()) };
        let mut largest: BTreeMap<&str, u64> = BTreeMap::new();
        for target in targets {
            let size = largest.entry(&target.wiped.kind).or_default();
            *size = (*size).max(target.new_size());
        }
        let any = largest.values().copied().max().unwrap_or(0);
        let mut lines = vec![("volumes".to_owned(), quota.volumes, 1)];
        lines.push(("gigabytes".to_owned(), quota.gigabytes, any));
        for (kind, size) in &largest {
            if let Some((volumes, gigabytes)) = quota.by_kind.get(*kind) {
                lines.push((format!("volumes_{kind}"), *volumes, 1));
                lines.push((format!("gigabytes_{kind}"), *gigabytes, *size));
            }
        }
        let rooms = lines
            .into_iter()
            .filter_map(|(name, line, each)| Some((line.free()? / each.max(1), name, line)));
        match rooms.min_by_key(|(room, _, _)| *room) {
            Some((0, name, line)) => Err(no_room(&name, line)),
            Some((room, name, _)) => Ok(Self { tightest: Some((room, name)), tightens: None }),
            None => Ok(Self::default()),
        }
    }

    /// Lowers the limit of reinstalls in flight to what there is room for.
    pub(super) fn tighten(&mut self, limits: &mut Limits) {
        if let Some((room, _)) = self.tightest
            && let Ok(room) = u32::try_from(room)
            && room < limits.reinstalls
        {
            self.tightens = Some(limits.reinstalls);
            limits.reinstalls = room;
        }
    }

    /// Whether there is room for fewer than that.
    pub(super) fn is_below(&self, reinstalls: u32) -> bool {
        self.tightest.as_ref().is_some_and(|(room, _)| *room < u64::from(reinstalls))
    }

    /// The line of the quota that binds, if it is tighter than what was written.
    pub(super) fn binding(&self) -> Option<&str> {
        self.tightens?;
        self.tightest.as_ref().map(|(_, name)| name.as_str())
    }

    pub(super) fn warning(&self) -> Option<String> {
        let (written, (room, name)) = (self.tightens?, self.tightest.as_ref()?);
        Some(format!(
            "the EVS quota `{name}` has room for {room} at once: limits.reinstalls is lowered \
             from {written} to {room}"
        ))
    }
}

fn no_room(name: &str, line: QuotaLine) -> Refusal {
    let limit = line.limit.unwrap_or(0);
    Refusal::new(
        "Ecs.0021",
        format!(
            "the EVS quota `{name}` has no room for a new system disk: {} of {limit} in use",
            line.used
        ),
        "a reinstall makes the new disk before it deletes the old one: delete disks, or have the \
         quota raised",
    )
}
